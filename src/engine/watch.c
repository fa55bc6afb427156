/* watch.c - waiting without a thread. */
#include "engine/engine.h"

pawl_code pawl_watch_open(pawl_watch **out, pawl *p, const char *id, pawl_watch_for what, uint64_t token, pawl_watch_fn on_there, void *context, pawl_error *err)
{
    (void)out, (void)p, (void)id, (void)what, (void)token, (void)on_there, (void)context;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

void pawl_watch_close(pawl_watch *watch)
{
    (void)watch;
}
