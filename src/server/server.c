/* server.c - the HTTP server: a listener, and the API behind it. */
#include "server/api.h"

struct pawl_server {
    pw_api *api;
    pw_listener *listener;
};

/* "" is how a configuration says: none. */
static const char *given(const pawl_config *config, const char *key)
{
    const char *text = pawl_config_string(config, key);
    return *text ? text : NULL;
}

static pawl_code listen_on(pawl_server *server, const pawl_config *config, pawl_error *err)
{
    const pw_listener_options options = {
        .listen = pawl_config_string(config, "Server:Listen"),
        .certificate = given(config, "Server:Tls:Certificate"),
        .key = given(config, "Server:Tls:Key"),
        .workers = (uint32_t)pawl_config_number(config, "Server:Workers"),
        .connections = (uint32_t)pawl_config_number(config, "Server:MaxConnections"),
        .per_address = (uint32_t)pawl_config_number(config, "Server:MaxConnectionsPerAddress"),
        .body_max = (size_t)pawl_config_number(config, "Server:MaxBody"),
        .header_max = (size_t)pawl_config_number(config, "Server:MaxHeader"),
        .bodies_max = (size_t)pawl_config_number(config, "Server:MaxBodies"),
        .idle_ms = pawl_config_duration_ms(config, "Server:IdleTimeout"),
        .request_ms = pawl_config_duration_ms(config, "Server:RequestTimeout"),
    };
    return pw_listener_open(&server->listener, &options, pw_api_handle, server->api, err);
}

PAWL_API pawl_code pawl_server_open(pawl_server **out, pawl *p, const pawl_config *config,
                                    pawl_error *err)
{
    if (!out || !p || !config)
        return pw_fail(err, PAWL_INVALID, "pawl_server_open needs a pawl and a configuration");
    pawl_server *server = pw_zalloc(sizeof *server);
    if (!server)
        return pw_no_memory(err);
    pawl_code code = pw_api_new(&server->api, p, config, err);
    if (code == PAWL_OK)
        code = listen_on(server, config, err);
    if (code != PAWL_OK) {
        pawl_server_close(server);
        return code;
    }
    *out = server;
    return PAWL_OK;
}

PAWL_API const char *pawl_server_addresses(const pawl_server *server)
{
    return server ? pw_listener_addresses(server->listener) : "";
}

PAWL_API void pawl_server_drain(pawl_server *server, uint64_t timeout_ms)
{
    if (!server)
        return;
    pw_api_stopping(server->api);
    pw_listener_drain(server->listener, timeout_ms);
}

PAWL_API void pawl_server_close(pawl_server *server)
{
    if (!server)
        return;
    pw_listener_close(server->listener);
    pw_api_free(server->api);
    pw_free(server);
}
