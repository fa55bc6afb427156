/* bookmarks.c - what waits for people, over all instances, and what they do with it. */
#include "engine/engine.h"

pawl_code pawl_bookmark_change(pawl *p, const pawl_bookmark_options *options, const pawl_request *request, char **out, pawl_error *err)
{
    (void)p, (void)options, (void)request, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_bookmark(pawl *p, const char *id, const char *key, char **out, pawl_error *err)
{
    (void)p, (void)id, (void)key, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}

pawl_code pawl_bookmarks(pawl *p, const pawl_bookmarks_options *options, char **out, pawl_error *err)
{
    (void)p, (void)options, (void)out;
    return pw_fail(err, PAWL_STATE, "contract: not there yet");
}
