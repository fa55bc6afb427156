/* api.c - any bytes as a request of the HTTP API: "METHOD PATH?QUERY", header lines, an empty line,
 * a body. Whatever it is, it is answered once; the answer is what its type says; a problem has its
 * members; and nothing is broken behind it. Exchanges are made here: what a connection brings is
 * fuzzed in http.c. */
#include "exchange.h"
#include "fuzz.h"
#include "options.h"
#include "base/json.h"

static pawl *p;
static pawl_config *config;
static pw_api *api;

static const char ask[] =
    "document: { dsl: '1.0.3', namespace: t, name: ask, version: '1.0.0' }\n"
    "do: [ { ask: { call: userTask, with: { key: ok, title: Yes or no? } } } ]\n";

static void give_back(void) __attribute__((destructor));
static void give_back(void)
{
    pw_api_free(api);
    pawl_config_free(config);
    pawl_close(p);
}

static void begin(void)
{
    pawl_error err;
    pawl_options options = test_options();
    options.store = "memory:";
    options.step_threads = 1;
    options.activity_threads = 1;
    FUZZ_CHECK(pawl_open(&p, &options, &err) == PAWL_OK);
    FUZZ_CHECK(pawl_deploy(p, ask, sizeof ask - 1, NULL, NULL, NULL, &err) == PAWL_OK);
    const pawl_start_options start = { .struct_size = sizeof start, .name = "t/ask", .key = "k" };
    char *id = NULL;
    FUZZ_CHECK(pawl_start(p, &start, &id, NULL, &err) == PAWL_OK);
    FUZZ_CHECK(strcmp(id, "3ta7bf0gymzk3b82dq8kpk2bf4") == 0); /* of the key: the corpus has it */
    pawl_free(id);
    FUZZ_CHECK(pawl_config_new(&config, &err) == PAWL_OK);
    FUZZ_CHECK(pw_api_new(&api, p, config, &err) == PAWL_OK);
}

/* ---- reading the input */

static pw_str line_of(pw_str *rest)
{
    const char *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    pw_str line = { rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len };
    size_t used = line.len + (end ? 1 : 0);
    *rest = (pw_str){ rest->ptr + used, rest->len - used };
    return line;
}

static pw_str before(pw_str text, char c, pw_str *behind)
{
    const char *at = text.len ? memchr(text.ptr, c, text.len) : NULL;
    size_t length = at ? (size_t)(at - text.ptr) : text.len;
    *behind = at ? (pw_str){ at + 1, text.len - length - 1 } : (pw_str){ text.ptr + text.len, 0 };
    return (pw_str){ text.ptr, length };
}

static void read_request(pw_exchange *x, pw_str text)
{
    static const char *const names[] = {
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"
    };
    pw_str target, value, method = before(line_of(&text), ' ', &target);
    x->method = PW_OTHER;
    for (size_t i = 0; i < PW_LENGTH(names); i++)
        if (pw_str_is(method, names[i]))
            x->method = (pw_method)i;
    x->path = before(target, '?', &x->query);
    exchange_header(x, PW_LIT("Host"), PW_LIT("localhost"));
    for (pw_str line = line_of(&text); line.len; line = line_of(&text)) {
        pw_str name = before(line, ':', &value);
        while (value.len && value.ptr[0] == ' ')
            value.ptr++, value.len--;
        if (!memchr(line.ptr, '\0', line.len)) /* the listener lets none through */
            exchange_header(x, name, value);
    }
    x->body = text;
}

/* ---- what must hold */

static void check_answer(const pw_exchange *x)
{
    pw_arena arena;
    pw_value value = { 0 };
    pawl_error err;
    FUZZ_CHECK(x->answers == 1 && !x->parked);
    FUZZ_CHECK(x->status >= 200 && x->status < 600 && x->status != 500);
    bool json = x->type && strstr(x->type, "json");
    if (!json || strlen(x->answer) >= sizeof x->answer - 1)
        return;
    pw_arena_init(&arena, 0);
    FUZZ_CHECK(pw_json_parse(&value, pw_str_of(x->answer), NULL, &arena, &err) == PAWL_OK);
    bool problem = strcmp(x->type, "application/problem+json") == 0;
    FUZZ_CHECK(problem == (x->status >= 400));
    FUZZ_CHECK(!problem || (pw_get_text(value, "code").len && pw_get_text(value, "detail").len &&
                            pw_get_text(value, "action").len));
    pw_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pw_exchange x;
    if (!p)
        begin();
    char *copy = malloc(size + 1); /* so that what is read behind it is found */
    FUZZ_CHECK(copy != NULL);
    if (size)
        memcpy(copy, data, size);
    memset(&x, 0, offsetof(pw_exchange, answer));
    x.answer[0] = '\0';
    x.parked = false;
    read_request(&x, (pw_str){ copy, size });
    exchange_run(&x, api);
    check_answer(&x);
    free(copy);
    return 0;
}
