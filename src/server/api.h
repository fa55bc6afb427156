/* api.h - the HTTP API: routes, who may call them, and what they answer. */
#ifndef PW_API_H
#define PW_API_H

#include <pawl/server.h>
#include "server/exchange.h"

typedef struct pw_api pw_api;

PAWL_CHECK pawl_code pw_api_new(pw_api **out, pawl *p, const pawl_config *config, pawl_error *err);
void pw_api_free(pw_api *api); /* nothing may be parked any more. NULL is fine */
void pw_api_handle(void *api, pw_exchange *exchange, pw_turn turn); /* a pw_handler_fn */
void pw_api_stopping(pw_api *api); /* health says so from now on */
#endif
