/* remote.h - commands to a server over HTTP. */
#ifndef PW_REMOTE_H
#define PW_REMOTE_H

#include "cli/cli.h"

/* One connection, for one thread. Takes the server's URL, the token and the certificates from the
 * options and the environment. Not EXIT_DONE: a message was printed. */
int remote_open(cli_remote **out, cli_app *cli);
void remote_close(cli_remote *remote); /* NULL is fine */
/* Sends one command, and gives what came back as the JSON of pawl_command(). An error of the way
 * there, or of a server that lets us not in, is a code. `gone` (may be NULL) ends it early. */
pawl_code remote_call(cli_remote *remote, pw_value request, char **answer, pawl_error *err);
/* What ends a call early, with PAWL_TIMEOUT: asked about once a second. NULL: a signal to the
 * program. */
void remote_stop(cli_remote *remote, bool (*stop)(void *context), void *context);
/* For one that waits long: asks again when the server is away for a while. Else only what may be
 * asked twice is, and not often. */
void remote_patient(cli_remote *remote, bool patient);
#endif
