/* api.c - routes: a request becomes a command, its answer a response. */
#include "server/api.h"

pawl_code pw_api_new(pw_api **out, pawl *p, const pawl_config *config, pawl_error *err)
{
    (void)out, (void)p, (void)config;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

void pw_api_free(pw_api *api)
{
    (void)api;
}

void pw_api_handle(void *api, pw_exchange *exchange, pw_turn turn)
{
    (void)api, (void)exchange, (void)turn;
}

void pw_api_stopping(pw_api *api)
{
    (void)api;
}
