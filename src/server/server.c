/* server.c - the HTTP server: a listener, and the API behind it. */
#include "server/api.h"

pawl_code pawl_server_open(pawl_server **out, pawl *p, const pawl_config *config, pawl_error *err)
{
    (void)out, (void)p, (void)config;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

const char * pawl_server_addresses(const pawl_server *server)
{
    (void)server;
    return "";
}

void pawl_server_drain(pawl_server *server, uint64_t timeout_ms)
{
    (void)server, (void)timeout_ms;
}

void pawl_server_close(pawl_server *server)
{
    (void)server;
}

pawl_code pawl_server_openapi(char **out, pawl_error *err)
{
    (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}
