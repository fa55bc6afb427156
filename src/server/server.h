/* server.h - commands from other processes: how they are carried out, and how they travel. */
#ifndef PW_SERVER_H
#define PW_SERVER_H

#include "base/base.h"

#define PW_CONTROL_REQUEST_MAX ((size_t)16 << 20) /* bytes of one request */
#define PW_CONTROL_ANSWER_MAX ((size_t)256 << 20)
#define PW_CONTROL_CONNECTIONS 16u /* at once; more wait in line */

/* True: whoever asked is gone, or we are closing: stop waiting. */
typedef bool (*pw_stop_fn)(void *context);

/* pawl_command, but a long wait asks `stop` (may be NULL) at most four times a second. */
PAWL_CHECK pawl_code pw_command_execute(pawl *p, pw_str request, pw_stop_fn stop, void *context,
                                        char **answer, pawl_error *err);
#endif
