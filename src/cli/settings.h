/* settings.h - the configuration, as the commands find it: options, the environment, a file. */
#ifndef PW_CLI_SETTINGS_H
#define PW_CLI_SETTINGS_H

#include <pawl/server.h>
#include "cli/cli.h"

/* The settings of this run, read when they are first asked for. Not EXIT_DONE: every problem was printed. */
int cli_config(cli_app *cli, const pawl_config **out);
/* Reads all of it anew, and checks it. Not EXIT_DONE: every problem was told by `say` (NULL: printed), and *out is untouched. */
int cli_settings(cli_app *cli, pawl_config **out, void (*say)(const char *line));

// clang-format off
#define CLI_SETTINGS_OPTIONS                                                                                              \
    { "set", "KEY=VALUE", NULL, "one setting, as in Server:MaxWait=30s; goes before all others; may be repeated", .many = true }, \
    { "listen", "ADDRESS", NULL, "HOST:PORT, several with commas; else 127.0.0.1:8080 (Server:Listen)" },                 \
    { "tls-cert", "FILE", NULL, "the certificates of the server, PEM (Server:Tls:Certificate)" },                         \
    { "tls-key", "FILE", NULL, "their private key, PEM (Server:Tls:Key)" },                                               \
    { "auth", NULL, NULL, "every request needs a token (Server:Authentication)" },                                        \
    { "insecure", NULL, NULL, "listen without tokens on an address that is not loopback (Server:Insecure)" }
// clang-format on
#endif
