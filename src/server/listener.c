/* listener.c - HTTP by libmicrohttpd: whole requests to a handler, answers back. */
#include "server/exchange.h"

pawl_code pw_listener_open(pw_listener **out, const pw_listener_options *options, pw_handler_fn handler, void *context, pawl_error *err)
{
    (void)out, (void)options, (void)handler, (void)context;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

const char * pw_listener_addresses(const pw_listener *listener)
{
    (void)listener;
    return "";
}

void pw_listener_count(const pw_listener *listener, pw_listener_counts *out)
{
    (void)listener, (void)out;
}

void pw_listener_drain(pw_listener *listener, uint64_t timeout_ms)
{
    (void)listener, (void)timeout_ms;
}

void pw_listener_close(pw_listener *listener)
{
    (void)listener;
}

pw_method pw_exchange_method(const pw_exchange *exchange)
{
    (void)exchange;
    return 0;
}

pw_str pw_exchange_method_name(const pw_exchange *exchange)
{
    (void)exchange;
    return (pw_str){ 0 };
}

pw_str pw_exchange_path(const pw_exchange *exchange)
{
    (void)exchange;
    return (pw_str){ 0 };
}

pw_str pw_exchange_query(const pw_exchange *exchange)
{
    (void)exchange;
    return (pw_str){ 0 };
}

pw_str pw_exchange_header(const pw_exchange *exchange, const char *name)
{
    (void)exchange, (void)name;
    return (pw_str){ 0 };
}

void pw_exchange_headers(const pw_exchange *exchange, void (*each)(void *context, pw_str name, pw_str value), void *context)
{
    (void)exchange, (void)each, (void)context;
}

pw_str pw_exchange_body(const pw_exchange *exchange)
{
    (void)exchange;
    return (pw_str){ 0 };
}

bool pw_exchange_secure(const pw_exchange *exchange)
{
    (void)exchange;
    return 0;
}

pw_str pw_exchange_peer(const pw_exchange *exchange)
{
    (void)exchange;
    return (pw_str){ 0 };
}

pw_arena * pw_exchange_arena(pw_exchange *exchange)
{
    (void)exchange;
    return NULL;
}

void ** pw_exchange_own(pw_exchange *exchange)
{
    (void)exchange;
    return NULL;
}

uint64_t pw_exchange_number(const pw_exchange *exchange)
{
    (void)exchange;
    return 0;
}

bool pw_exchange_put(pw_exchange *exchange, const char *name, pw_str value)
{
    (void)exchange, (void)name, (void)value;
    return 0;
}

void pw_exchange_answer(pw_exchange *exchange, unsigned status, const char *type, pw_str body)
{
    (void)exchange, (void)status, (void)type, (void)body;
}

void pw_exchange_park(pw_exchange *exchange, uint64_t timeout_ms)
{
    (void)exchange, (void)timeout_ms;
}

void pw_exchange_wake(pw_exchange *exchange)
{
    (void)exchange;
}

bool pw_exchange_alive(pw_exchange *exchange)
{
    (void)exchange;
    return 0;
}
