/* pawl/server.h - configuration, and the HTTP server, for programs that want either beside their pawl.
 *
 * What pawl.h says of threads, ownership, text, errors and times holds here too. */
#ifndef PAWL_SERVER_H
#define PAWL_SERVER_H

#include <pawl/pawl.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ configuration
 *
 * Keys are paths as in "WorkflowResilience:Retry:MaxRetryAttempts"; the environment writes "__" for ":". What is given later
 * goes before what was given earlier, if it is of the same source; a flag goes before the environment, that before a file, that
 * before the default, in whatever order they are given. All keys are in doc/configuration.md, and in pawl_config_schema(). */

typedef struct pawl_config pawl_config;

typedef enum pawl_config_source {
    PAWL_CONFIG_DEFAULT = 0,
    PAWL_CONFIG_FILE = 1,
    PAWL_CONFIG_ENVIRONMENT = 2,
    PAWL_CONFIG_FLAG = 3,
} pawl_config_source;

/* All defaults. */
PAWL_API PAWL_CHECK pawl_code pawl_config_new(pawl_config **out, pawl_error *err);
PAWL_API void pawl_config_free(pawl_config *config); /* NULL is fine */

/* One problem: the key, its value as it was given, where ("pawl.json:12", "environment", "flag"), what is wrong and what
 * would be right (an unknown key: the nearest known one). */
typedef void (*pawl_config_problem_fn)(void *context, const char *key, const char *value, const char *where,
                                       const char *message);

/* A JSON or YAML file (by its first character: '{' is JSON). PAWL_INVALID: each problem was reported, and nothing was taken. */
PAWL_API PAWL_CHECK pawl_code pawl_config_file(pawl_config *config, const char *path, pawl_config_problem_fn on_problem,
                                               void *context, pawl_error *err);
/* The same for text; `name` stands for the file in messages. */
PAWL_API PAWL_CHECK pawl_code pawl_config_text(pawl_config *config, const char *text, size_t length, const char *name,
                                               pawl_config_problem_fn on_problem, void *context, pawl_error *err);
/* "NAME=VALUE" entries, NULL-terminated, as environ. Only names that hold "__" and begin with a section that we know are
 * looked at; of those an unknown one is a problem. */
PAWL_API PAWL_CHECK pawl_code pawl_config_environment(pawl_config *config, char *const *environment,
                                                      pawl_config_problem_fn on_problem, void *context, pawl_error *err);
PAWL_API PAWL_CHECK pawl_code pawl_config_set(pawl_config *config, const char *key, const char *value,
                                              pawl_config_source source, pawl_error *err);
/* What holds between keys: MaxDelay >= BaseDelay, ... PAWL_INVALID: each problem was reported. */
PAWL_API PAWL_CHECK pawl_code pawl_config_check(const pawl_config *config, pawl_config_problem_fn on_problem, void *context,
                                                pawl_error *err);

/* Durations in milliseconds. The key must be one of ours, of that type: anything else is a mistake of the caller's, and ends
 * the program. */
PAWL_API int64_t pawl_config_number(const pawl_config *config, const char *key);
PAWL_API uint64_t pawl_config_duration_ms(const pawl_config *config, const char *key);
PAWL_API int pawl_config_flag(const pawl_config *config, const char *key);
PAWL_API const char *pawl_config_string(const pawl_config *config, const char *key); /* "" none; the config's */

/* {"settings":[{"key","value","type","default","source","where","reload":bool,"secret":bool,"used":bool}]}: every key, and those of
 * functions that are set. Of what is secret "***" stands in its place. used: false: checked, but nothing reads it yet. */
PAWL_API PAWL_CHECK pawl_code pawl_config_json(const pawl_config *config, char **out, pawl_error *err);
PAWL_API const char *pawl_config_schema(void); /* JSON Schema (draft 2020-12) of a configuration file */
PAWL_API PAWL_CHECK pawl_code pawl_config_manual(char **out, pawl_error *err); /* doc/configuration.md */

/* The options that a pawl is opened with, out of the configuration; store and mode are left to the caller. Texts are the
 * configuration's, which must outlive the open. */
PAWL_API void pawl_config_options(const pawl_config *config, pawl_options *out);
/* What a pawl is told once it is open: the limits of jobs. */
PAWL_API PAWL_CHECK pawl_code pawl_config_apply(const pawl_config *config, pawl *p, pawl_error *err);
/* What can change while it runs is taken from `fresh` into `config`; {"changed":[{"key","from","to"}],"restart":[...]}: the
 * second list cannot change before a restart, and has not. The pawl (may be NULL) follows at once. *out may be NULL. */
PAWL_API PAWL_CHECK pawl_code pawl_config_reload(pawl_config *config, const pawl_config *fresh, pawl *p, char **out,
                                                 pawl_error *err);

/* ------------------------------------------------------------------ server */

typedef struct pawl_server pawl_server;

/* Serves the HTTP API of doc/api.md on what "Server:Listen" says ("127.0.0.1:8080", "[::1]:0", several with commas), until
 * it is closed. PAWL_INVALID: a bad option, or a certificate that cannot be read; authentication is missing on an address that is not
 * loopback and "Server:Insecure" is not set. PAWL_IO: cannot listen. `config` must outlive it. */
PAWL_API PAWL_CHECK pawl_code pawl_server_open(pawl_server **out, pawl *p, const pawl_config *config, pawl_error *err);
/* "http://127.0.0.1:8080,https://..." as it listens, with the ports that it got; the server's. */
PAWL_API const char *pawl_server_addresses(const pawl_server *server);
/* Takes no new connection and no new request, and answers what waits (polls: an empty list; waits: where the instance is);
 * what is being carried out is finished and answered, at most timeout_ms long. Health says "stopping". Then pawl_server_close(). */
PAWL_API void pawl_server_drain(pawl_server *server, uint64_t timeout_ms);
/* Before pawl_close(). NULL is fine. */
PAWL_API void pawl_server_close(pawl_server *server);
/* The OpenAPI 3.1 document of the API. */
PAWL_API PAWL_CHECK pawl_code pawl_server_openapi(char **out, pawl_error *err);

#ifdef __cplusplus
}
#endif
#endif
