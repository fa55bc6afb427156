/* Every example of the language's own repository: it loads, or is refused by the name of what is
 * not in this release. */
#include <dirent.h>
#include <stdlib.h>
#include "fixture.h"

#define LATER "is valid in the language but not in this release of pawl"

typedef struct example {
    const char *file;
    const char *error; /* NULL: loads */
} example;

/* clang-format off */
static const example examples[] = {
    { "accumulate-room-readings.yaml",
      "line 31, column 19: `call: openapi` " LATER },
    { "authentication-bearer-uri-format.yaml", NULL },
    { "authentication-bearer.yaml", NULL },
    { "authentication-oauth2-secret.yaml",
      "line 7, column 3: `use.secrets` " LATER },
    { "authentication-oauth2.yaml",
      "line 14, column 13: `authentication.oauth2` " LATER },
    { "authentication-oidc-secret.yaml",
      "line 7, column 3: `use.secrets` " LATER },
    { "authentication-oidc.yaml",
      "line 14, column 13: `authentication.oidc` " LATER },
    { "authentication-reusable.yaml",
      "line 7, column 3: `use.authentications` " LATER },
    { "call-asyncapi-publish.yaml",
      "line 8, column 13: `call: asyncapi` " LATER },
    { "call-asyncapi-subscribe-consume-amount.yaml",
      "line 8, column 13: `call: asyncapi` " LATER },
    { "call-asyncapi-subscribe-consume-forever-foreach.yaml",
      "line 8, column 13: `call: asyncapi` " LATER },
    { "call-asyncapi-subscribe-consume-until.yaml",
      "line 8, column 13: `call: asyncapi` " LATER },
    { "call-asyncapi-subscribe-consume-while.yaml",
      "line 8, column 13: `call: asyncapi` " LATER },
    { "call-custom-function-cataloged.yaml",
      "line 8, column 13: `call: <URL of a function>` " LATER },
    { "call-custom-function-inline.yaml", NULL },
    { "call-grpc.yaml",
      "line 8, column 13: `call: grpc` " LATER },
    { "call-http-endpoint-interpolation-shorthand.yaml", NULL },
    { "call-http-endpoint-interpolation.yaml", NULL },
    { "call-http-query-headers-expressions.yaml", NULL },
    { "call-http-query-parameters.yaml", NULL },
    { "call-http-redirect.yaml", NULL },
    { "call-mcp.yaml",
      "line 8, column 13: `call: mcp` " LATER },
    { "call-openapi-redirect.yaml",
      "line 8, column 13: `call: openapi` " LATER },
    { "call-openapi.yaml",
      "line 8, column 13: `call: openapi` " LATER },
    { "conditional-task.yaml", NULL },
    { "do-multiple.yaml", NULL },
    { "do-single.yaml", NULL },
    { "emit.yaml", NULL },
    { "for-inline-array.yaml", NULL },
    { "for.yaml", NULL },
    { "fork.yaml", NULL },
    { "listen-to-all read-envelope.yaml", NULL },
    { "listen-to-all.yaml", NULL },
    { "listen-to-any-filter.yaml", NULL },
    { "listen-to-any-forever-foreach.yaml", NULL },
    { "listen-to-any-until-condition.yaml", NULL },
    { "listen-to-any-until-consumed.yaml", NULL },
    { "listen-to-any.yaml", NULL },
    { "listen-to-one.yaml", NULL },
    { "mock-service-extension.yaml",
      "line 7, column 3: `use.extensions` " LATER },
    { "raise-inline.yaml", NULL },
    { "raise-reusable.yaml", NULL },
    { "run-container-cleanup-always.yaml",
      "line 9, column 9: `run: container` " LATER },
    { "run-container-cleanup-eventually.yaml",
      "line 9, column 9: `run: container` " LATER },
    { "run-container-stdin-and-arguments.yaml",
      "line 14, column 9: `run: container` " LATER },
    { "run-container-with-name.yaml",
      "line 9, column 9: `run: container` " LATER },
    { "run-container-with-pull-policy.yaml",
      "line 9, column 9: `run: container` " LATER },
    { "run-container.yaml",
      "line 9, column 9: `run: container` " LATER },
    { "run-return-all.yaml",
      "line 9, column 9: `run: container` " LATER },
    { "run-return-code.yaml",
      "line 9, column 9: `run: container` " LATER },
    { "run-return-none.yaml",
      "line 9, column 9: `run: container` " LATER },
    { "run-return-stderr.yaml",
      "line 9, column 9: `run: container` " LATER },
    { "run-script-with-stdin-and-arguments.yaml",
      "line 9, column 9: `run: script` " LATER },
    { "run-shell-stdin-and-arguments.yaml",
      "line 14, column 9: `run: shell` " LATER },
    { "run-subflow.yaml", NULL },
    { "schedule-cron.yaml", NULL },
    { "schedule-event-driven.yaml", NULL },
    { "set-expression.yaml", NULL },
    { "set.yaml", NULL },
    { "star-wars-homeworld.yaml", NULL },
    { "switch-then-string.yaml", NULL },
    { "try-catch-retry-inline.yaml", NULL },
    { "try-catch-retry-reusable.yaml", NULL },
    { "try-catch-then-directive.yaml", NULL },
    { "try-catch-then.yaml", NULL },
    { "try-catch.yaml", NULL },
    { "wait-duration-inline.yaml", NULL },
    { "wait-duration-iso8601.yaml", NULL },
};
/* clang-format on */

static void check(const char *folder, const example *e)
{
    char path[600];
    size_t len;
    (void)snprintf(path, sizeof path, "%s/%s", folder, e->file);
    char *text = pw_test_read(path, &len);
    loaded l;
    load_text(&l, (pw_str){ text, len });
    if (e->error && l.code != PAWL_INVALID)
        fail_msg("%s is not refused", e->file);
    if (!e->error && l.code != PAWL_OK)
        fail_msg("%s: %s", e->file, l.err.message);
    if (e->error)
        EXPECT_TEXT(l.err.message, e->error);
    unload(&l);
    free(text);
}

TEST(examples, each_loads_or_is_refused_by_name)
{
    if (!pw_test_shared())
        pw_test_skip("the data folder is not there");
    char folder[512];
    (void)snprintf(folder, sizeof folder, "%s/serverless-workflow/examples", pw_test_shared());
    DIR *dir = opendir(folder);
    if (!dir)
        pw_test_skip("the examples are not there");
    size_t files = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        files += strstr(entry->d_name, ".yaml") != NULL;
    (void)closedir(dir);
    EXPECT_INT(files, PW_LENGTH(examples));
    for (size_t i = 0; i < PW_LENGTH(examples); i++)
        check(folder, &examples[i]);
}

TEST_MAIN()
