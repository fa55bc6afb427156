/* tokens.c - identities: tokens made, looked up and revoked. */
#include "engine/engine.h"

pawl_code pawl_token_create(pawl *p, const pawl_token_options *options, const char *actor, char **token, char **out, pawl_error *err)
{
    (void)p, (void)options, (void)actor, (void)token, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_tokens(pawl *p, char **out, pawl_error *err)
{
    (void)p, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_token_revoke(pawl *p, const char *id, const char *actor, pawl_error *err)
{
    (void)p, (void)id, (void)actor;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_authenticate(pawl *p, const char *token, char **out, pawl_error *err)
{
    (void)p, (void)token, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_once(pawl *p, const char *actor, const char *key, const char *digest, int *seen, pawl_error *err)
{
    (void)p, (void)actor, (void)key, (void)digest, (void)seen;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}
