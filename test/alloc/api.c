/* api.c - the nth allocation fails, and all after it, for every n, through requests of the HTTP
 * API, each by an identity that may see one namespace of two.
 *
 * Whatever there is no memory for, the request is answered once: as it would be with memory, or as
 * a problem that says try again. Above all nothing of the other namespace is ever in an answer: a
 * restriction that found no memory must not be left out. Exchanges are made here, so that the only
 * memory that is short is that of the API and the engine. */
#include <stdio.h>
#include <stdlib.h>
#include "options.h"
#include "test.h"
#include "exchange.h"

enum { NTH_MAX = 20000, CALM = 5 };

typedef struct request {
    pw_method method;
    const char *path, *query, *type, *body;
    unsigned status; /* with memory */
    bool hidden;     /* what is asked for lies in the other namespace */
} request;

/* ---- a store with two namespaces */

typedef struct fixture {
    pawl *p;
    pawl_config *config;
    pw_api *api;
    char authorization[100];
    char mine[32], other[32]; /* instances */
    char mine_bad[32], other_bad[32]; /* ... that have faulted */
    pawl_error err;
} fixture;

static const char workflow[] =
    "document: { dsl: '1.0.3', namespace: %s, name: %s, version: '1.0.0' }\n"
    "do: [ { task: { %s } } ]\n";
#define ASK(title) "call: userTask, with: { key: ok, title: " title " }"
#define FAULT(type) "raise: { error: { type: 'http://e/" type "', status: 418, title: No } }"

static void begin(fixture *f, const char *namespace_, const char *its_name, const char *task, char id[32])
{
    char text[400], name[64], *started = NULL;
    (void)snprintf(text, sizeof text, workflow, namespace_, its_name, task);
    EXPECT_OK(pawl_deploy(f->p, text, strlen(text), NULL, NULL, NULL, &f->err), f->err);
    (void)snprintf(name, sizeof name, "%s/%s", namespace_, its_name);
    const pawl_start_options options = { .struct_size = sizeof options, .name = name };
    EXPECT_OK(pawl_start(f->p, &options, &started, NULL, &f->err), f->err);
    (void)snprintf(id, 32, "%s", started);
    pawl_free(started);
    EXPECT_OK(pawl_wait(f->p, id, PAWL_WAIT_SETTLED, 30000, NULL, &f->err), f->err);
}

static void fixture_open(fixture *f)
{
    memset(f, 0, sizeof *f);
    pawl_options options = test_options();
    pawl_resilience resilience = *options.resilience;
    resilience.store_ms = 1; /* a command that the store has no memory for is not tried again */
    options.resilience = &resilience;
    options.store = "memory:";
    options.step_threads = 1;
    options.activity_threads = 1;
    EXPECT_OK(pawl_open(&f->p, &options, &f->err), f->err);
    begin(f, "mine", "ask", ASK("mine"), f->mine);
    begin(f, "hidden", "ask", ASK("hidden"), f->other);
    begin(f, "mine", "bad", FAULT("mine"), f->mine_bad);
    begin(f, "hidden", "bad", FAULT("hidden"), f->other_bad);
    const pawl_token_options token = { .struct_size = sizeof token,
                                       .name = "me",
                                       .roles = "[{\"role\":\"operator\",\"namespace\":\"mine\"},"
                                                "{\"role\":\"worker\",\"namespace\":\"mine\"}]" };
    char *text = NULL;
    EXPECT_OK(pawl_token_create(f->p, &token, NULL, &text, NULL, &f->err), f->err);
    (void)snprintf(f->authorization, sizeof f->authorization, "Bearer %s", text);
    pawl_free(text);
    EXPECT_OK(pawl_config_new(&f->config, &f->err), f->err);
    EXPECT_OK(
        pawl_config_set(f->config, "Server:Authentication", "true", PAWL_CONFIG_FLAG, &f->err),
        f->err);
    EXPECT_OK(pw_api_new(&f->api, f->p, f->config, &f->err), f->err);
}

static void fixture_close(fixture *f)
{
    pw_api_free(f->api);
    pawl_config_free(f->config);
    pawl_close(f->p);
}

/* ---- one request */

static void ask(fixture *f, const request *asked, pw_exchange *x)
{
    memset(x, 0, offsetof(pw_exchange, answer));
    x->answer[0] = '\0';
    x->parked = false;
    x->method = asked->method;
    x->path = pw_str_of(asked->path);
    x->query = pw_str_of(asked->query);
    x->body = pw_str_of(asked->body);
    exchange_header(x, PW_LIT("Authorization"), pw_str_of(f->authorization));
    if (asked->type)
        exchange_header(x, PW_LIT("Content-Type"), pw_str_of(asked->type));
    exchange_run(x, f->api);
}

static bool is_told(const pw_exchange *x, const request *asked)
{
    if (x->status == asked->status)
        return true;
    return x->status == 503; /* no memory, here or in the engine */
}

static void check(fixture *f, const request *asked, const pw_exchange *x, unsigned nth)
{
    if (x->answers != 1)
        fail_msg("allocation %u: %s: %u answers", nth, asked->path, x->answers);
    if (!is_told(x, asked))
        fail_msg("allocation %u: %s: %u instead of %u: %s", nth, asked->path, x->status,
                 asked->status, x->answer);
    bool leaked = !asked->hidden && (strstr(x->answer, f->other) || strstr(x->answer, f->other_bad) ||
                                     strstr(x->answer, "hidden"));
    if (leaked)
        fail_msg("allocation %u: %s: what is in another namespace: %s", nth, asked->path,
                 x->answer);
}

static void every_allocation(fixture *f, const request *asked)
{
    static pw_exchange x;
    unsigned calm = 0, nth = 1, refused = 0;
    for (; calm < CALM; nth++) {
        if (nth > NTH_MAX)
            fail_msg("%s: allocation %u still fails", asked->path, nth);
        uint64_t before = pw_alloc_count();
        pw_alloc_fail_after(nth);
        ask(f, asked, &x);
        bool happened = pw_alloc_count() - before >= nth;
        pw_alloc_fail_after(0);
        check(f, asked, &x, nth);
        refused += x.status == 503;
        calm = happened ? 0 : calm + 1;
    }
    ask(f, asked, &x);
    if (x.answers != 1 || x.status != asked->status)
        fail_msg("%s, with memory: %u: %s", asked->path, x.status, x.answer);
    EXPECT(refused > 0);
    printf("# %s: %u allocations\n", asked->path, nth - CALM);
}

TEST(api_alloc, a_request_without_memory_is_refused_or_done_and_never_shows_more)
{
    fixture f;
    fixture_open(&f);
    char mine[100], cancel[100], other[100], log[100], bookmarks[100], tasks[100];
    (void)snprintf(mine, sizeof mine, "/v1/instances/%s", f.mine);
    (void)snprintf(cancel, sizeof cancel, "/v1/instances/%s/suspend", f.mine);
    (void)snprintf(other, sizeof other, "/v1/instances/%s", f.other);
    (void)snprintf(log, sizeof log, "/v1/instances/%s/log", f.mine);
    (void)snprintf(bookmarks, sizeof bookmarks, "/v1/instances/%s/bookmarks", f.mine);
    (void)snprintf(tasks, sizeof tasks, "/v1/tasks/%s/ok/comments", f.mine);
    char incident[100], hidden[100], calls[100], give_up[100];
    (void)snprintf(incident, sizeof incident, "/v1/incidents/%s-1", f.mine_bad);
    (void)snprintf(hidden, sizeof hidden, "/v1/incidents/%s-1", f.other_bad);
    (void)snprintf(calls, sizeof calls, "/v1/instances/%s/calls", f.mine_bad);
    (void)snprintf(give_up, sizeof give_up, "/v1/incidents/%s-1/fail", f.mine_bad);
    static const char json[] = "application/json";
    const request requests[] = {
        { PW_GET, "/v1/instances", "status=waiting&name=ask", NULL, "", 200, false },
        { PW_GET, "/v1/instances/count", "", NULL, "", 200, false },
        { PW_GET, "/v1/definitions", "limit=10", NULL, "", 200, false },
        { PW_GET, "/v1/bookmarks", "namespace=mine&namespace=hidden", NULL, "", 200, false },
        { PW_GET, "/v1/tasks", "everybody=true", NULL, "", 200, false },
        { PW_GET, mine, "wait=20s", NULL, "", 200, false },
        { PW_GET, other, "", NULL, "", 404, true },
        { PW_GET, log, "from=100&wait=20s", NULL, "", 200, false },
        { PW_GET, bookmarks, "", NULL, "", 200, false },
        { PW_POST, tasks, "", json, "{\"text\":\"why?\"}", 200, false },
        { PW_POST, cancel, "", json, "{\"reason\":\"a look\"}", 200, false },
        { PW_POST, "/v1/commands", "", json,
          "{\"command\":\"list\",\"namespaces\":[\"mine\",\"hidden\"]}", 200, false },
        { PW_POST, "/v1/commands", "", json, "{\"command\":\"definition\",\"name\":\"ask\"}", 200,
          false },
        { PW_POST, "/v1/jobs/poll", "", json, "{\"functions\":[\"paint\"],\"waitMs\":20000}", 200,
          false },
        { PW_POST, "/v1/jobs/complete", "", json, "[{\"token\":\"x\"}]", 200, false },
        { PW_POST, "/v1/instances", "", json, "{\"name\":\"hidden/ask\"}", 404, true },
        { PW_POST, "/v1/definitions/validate", "", "application/yaml", "x: 1", 200, false },
        { PW_POST, "/v1/events", "", json, "{\"specversion\":\"1.0\"}", 403, false },
        { PW_GET, "/v1/incidents", "all=true", NULL, "", 200, false },
        { PW_GET, incident, "", NULL, "", 200, false },
        { PW_GET, hidden, "", NULL, "", 404, true },
        { PW_GET, calls, "", NULL, "", 200, false },
        { PW_POST, give_up, "", json, "{\"reason\":\"enough\"}", 200, false },
        { PW_GET, "/v1/breakers", "", NULL, "", 403, false },
        { PW_GET, "/v1/none", "", NULL, "", 404, false },
    };
    for (size_t i = 0; i < PW_LENGTH(requests); i++)
        every_allocation(&f, &requests[i]);
    fixture_close(&f);
}

TEST(api_alloc, the_api_opens_or_says_that_there_is_no_memory)
{
    fixture f;
    fixture_open(&f);
    unsigned calm = 0, refused = 0;
    for (unsigned nth = 1; calm < CALM; nth++) {
        pw_api *api = NULL;
        char *document = NULL;
        uint64_t before = pw_alloc_count();
        pw_alloc_fail_after(nth);
        pawl_code code = pw_api_new(&api, f.p, f.config, &f.err),
                  told = pawl_server_openapi(&document, &f.err);
        bool happened = pw_alloc_count() - before >= nth;
        pw_alloc_fail_after(0);
        EXPECT((code == PAWL_OK) == (api != NULL) && (told == PAWL_OK) == (document != NULL));
        EXPECT((code == PAWL_OK || code == PAWL_NO_MEMORY) &&
               (told == PAWL_OK || told == PAWL_NO_MEMORY));
        refused += code != PAWL_OK;
        pw_api_free(api);
        pawl_free(document);
        calm = happened ? 0 : calm + 1;
    }
    EXPECT(refused > 0);
    fixture_close(&f);
}

TEST_MAIN()
