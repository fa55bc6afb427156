/* test_routes.c - what the API is made of, without a connection: paths, percent-encoding, roles,
 * origins, problems. */
#include "test.h"
#include "server/auth.h"
#include "server/routes.h"
#include "server/skim.h"

static pw_arena arena;

/* ---- paths */

static pw_matched found(pw_method method, const char *path, unsigned status)
{
    pw_matched at;
    pw_problem problem = { 0 };
    pw_arena_reset(&arena);
    bool there = pw_route_find(&at, method, pw_str_of(path), &arena, &problem);
    EXPECT_INT(problem.status, status);
    EXPECT(there == (status == 0));
    return at;
}

TEST(routes, a_path_finds_its_route_and_its_values)
{
    pw_matched at = found(PW_POST, "/v1/instances/abc/bookmarks/a%2Fb%20c/claim", 0);
    EXPECT_TEXT(at.route->operation, "claimBookmark");
    EXPECT_INT(at.count, 2);
    EXPECT_STR(at.names[0], "id");
    EXPECT_STR(at.values[0], "abc");
    EXPECT_STR(at.names[1], "key");
    EXPECT_STR(at.values[1], "a/b c");
}

TEST(routes, a_fixed_word_goes_before_a_value)
{
    EXPECT_TEXT(found(PW_GET, "/v1/instances/count", 0).route->operation, "countInstances");
    EXPECT_TEXT(found(PW_GET, "/v1/instances/counts", 0).route->operation, "getInstance");
}

TEST(routes, head_finds_what_get_finds)
{
    EXPECT_TEXT(found(PW_HEAD, "/v1/instances", 0).route->operation, "listInstances");
}

TEST(routes, another_method_finds_no_route_but_the_methods_there_are)
{
    pw_matched at = found(PW_PUT, "/v1/instances/abc", 0);
    EXPECT(at.route == NULL);
    EXPECT_STR(pw_route_allowed(at.allowed, &arena), "GET, HEAD, DELETE, OPTIONS");
}

TEST(routes, what_is_no_path_of_ours_is_told_so)
{
    static const char *const paths[] = { "",
                                         "/",
                                         "v1/instances",
                                         "/v1/instances/",
                                         "//v1/instances",
                                         "/v1/instances//log",
                                         "/V1/instances",
                                         "/v1/a/b/c/d/e/f/g/h",
                                         "*" };
    for (size_t i = 0; i < PW_LENGTH(paths); i++)
        (void)found(PW_GET, paths[i], 404);
    (void)found(PW_GET, "/v1/instances/%zz", 400);
    (void)found(PW_GET, "/v1/instances/%c3%28", 400);
}

TEST(routes, percent_encoding_is_undone_or_refused)
{
    static const struct {
        const char *text, *plain; /* NULL: refused */
        bool plus;
    } cases[] = { { "a%20b", "a b", false }, { "a+b", "a+b", false },
                  { "a+b", "a b", true },    { "%C3%bc", "\xc3\xbc", false },
                  { "%2B", "+", true },      { "", "", false },
                  { "%", NULL, false },      { "%4", NULL, false },
                  { "%4g", NULL, false },    { "%00", NULL, false },
                  { "%ff", NULL, false },    { "a%25b", "a%b", false } };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_str plain = pw_percent_decoded(&arena, pw_str_of(cases[i].text), cases[i].plus);
        EXPECT((plain.ptr == NULL) == (cases[i].plain == NULL));
        if (cases[i].plain)
            EXPECT_STR(plain, cases[i].plain);
    }
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_percent_encode(&buf, PW_LIT("a/b c~\xc3\xbc"));
    EXPECT_STR(pw_buf_view(&buf), "a%2Fb%20c~%C3%BC");
    pw_buf_done(&buf);
}

TEST(routes, a_query_is_taken_apart)
{
    pw_str rest = PW_LIT("&a=1&&b&c=x=y&=z"), name, value;
    static const char *const expected[][2] = {
        { "a", "1" }, { "b", "" }, { "c", "x=y" }, { "", "z" }
    };
    for (size_t i = 0; i < PW_LENGTH(expected); i++) {
        EXPECT(pw_query_next(&rest, &name, &value));
        EXPECT_STR(name, expected[i][0]);
        EXPECT_STR(value, expected[i][1]);
    }
    EXPECT(!pw_query_next(&rest, &name, &value));
    rest = (pw_str){ 0 };
    EXPECT(!pw_query_next(&rest, &name, &value));
}

/* ---- roles */

static pw_identity with(const char *roles)
{
    pw_identity identity = { .name = PW_LIT("me") };
    pawl_error err;
    EXPECT_OK(pw_json_parse(&identity.roles, pw_str_of(roles), NULL, &arena, &err), err);
    return identity;
}

TEST(roles, each_includes_those_below_it_and_the_worker_stands_alone)
{
    static const pw_role roles[] = { PW_ROLE_VIEWER, PW_ROLE_WORKER, PW_ROLE_STARTER,
                                     PW_ROLE_OPERATOR, PW_ROLE_ADMIN };
    static const struct {
        const char *role, *may; /* in the order of `roles`, and any: y or n */
    } cases[] = { { "viewer", "ynnnny" },   { "worker", "nynnny" }, { "starter", "ynynny" },
                  { "operator", "ynyyny" }, { "admin", "yyyyyy" },  { "king", "nnnnnn" } };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char text[100];
        (void)snprintf(text, sizeof text, "[{\"role\":\"%s\",\"namespace\":\"t\"}]", cases[i].role);
        pw_identity identity = with(text);
        for (size_t r = 0; r < PW_LENGTH(roles); r++)
            EXPECT(pw_identity_may(&identity, roles[r], PW_LIT("t")) == (cases[i].may[r] == 'y'));
        EXPECT(pw_identity_may(&identity, PW_ROLE_ANY, PW_LIT("t")) == (cases[i].may[5] == 'y'));
    }
}

TEST(roles, a_role_holds_in_its_namespace_and_that_of_all_in_all)
{
    pw_identity one = with(
        "[{\"role\":\"viewer\",\"namespace\":\"t\"},{\"role\":\"admin\",\"namespace\":\"u\"}]");
    EXPECT(pw_identity_may(&one, PW_ROLE_VIEWER, PW_LIT("t")) &&
           !pw_identity_may(&one, PW_ROLE_ADMIN, PW_LIT("t")));
    EXPECT(pw_identity_may(&one, PW_ROLE_ADMIN, PW_LIT("u")) &&
           !pw_identity_may(&one, PW_ROLE_ANY, PW_LIT("v")));
    EXPECT(!pw_identity_may(&one, PW_ROLE_VIEWER, (pw_str){ 0 }));
    EXPECT(pw_identity_may_somewhere(&one, PW_ROLE_ADMIN));
    EXPECT_STR(
        pw_json_text(&arena, pw_identity_namespaces(&one, PW_ROLE_VIEWER, &arena), PW_JSON_COMPACT),
        "[\"t\",\"u\"]");
    EXPECT_STR(
        pw_json_text(&arena, pw_identity_namespaces(&one, PW_ROLE_WORKER, &arena), PW_JSON_COMPACT),
        "[\"u\"]");
    pw_identity all = with("[{\"role\":\"viewer\",\"namespace\":\"*\"}]");
    EXPECT(pw_identity_may(&all, PW_ROLE_VIEWER, (pw_str){ 0 }) &&
           pw_identity_may(&all, PW_ROLE_VIEWER, PW_LIT("t")));
    EXPECT(!pw_identity_may(&all, PW_ROLE_STARTER, PW_LIT("t")));
    EXPECT(pw_is(pw_identity_namespaces(&all, PW_ROLE_VIEWER, &arena), PW_NONE));
    EXPECT_STR(
        pw_json_text(&arena, pw_identity_namespaces(&all, PW_ROLE_ADMIN, &arena), PW_JSON_COMPACT),
        "[]");
}

/* ---- from where */

TEST(origin, only_names_of_this_machine_are_loopback)
{
    static const char *const yes[] = { "127.0.0.1:80",   "127.0.0.1", "127.1.2.3:0",
                                       "localhost:8080", "LOCALHOST", "[::1]:8080",
                                       "[::1]" };
    static const char *const no[] = { "0.0.0.0:80",
                                      "10.0.0.1",
                                      "127.0.0.1.example.org",
                                      "127.example.org",
                                      "127.0.0.1x",
                                      "localhost.example.org",
                                      "[::]:80",
                                      "[fe80::1]",
                                      "",
                                      "example.org",
                                      "127.0.0",
                                      "127..0.1",
                                      "[::1" };
    for (size_t i = 0; i < PW_LENGTH(yes); i++)
        EXPECT(pw_address_is_loopback(pw_str_of(yes[i])));
    for (size_t i = 0; i < PW_LENGTH(no); i++)
        EXPECT(!pw_address_is_loopback(pw_str_of(no[i])));
}

TEST(origin, a_page_of_another_host_may_not_call)
{
    const pw_str none = { 0 }, here = PW_LIT("127.0.0.1:80");
    EXPECT(pw_origin_allowed(here, none, true));
    EXPECT(pw_origin_allowed(here, PW_LIT("http://127.0.0.1:80"), true));
    EXPECT(!pw_origin_allowed(here, PW_LIT("http://127.0.0.1:81"), true));
    EXPECT(!pw_origin_allowed(here, PW_LIT("https://example.org"), true));
    EXPECT(!pw_origin_allowed(here, PW_LIT("null"), true) && !pw_origin_allowed(here, here, true));
    EXPECT(!pw_origin_allowed(PW_LIT("example.org"), none, true) &&
           pw_origin_allowed(PW_LIT("example.org"), none, false));
    EXPECT(!pw_origin_allowed(PW_LIT("example.org"), PW_LIT("http://other.org"), false));
    EXPECT(!pw_origin_allowed(none, none, true));
}

/* ---- problems */

static unsigned status_of(pawl_code code, pawl_reason reason)
{
    pawl_error err = { .code = code, .reason = reason, .message = "it is so" };
    pw_problem problem = { 0 };
    EXPECT(!pw_problem_of(&problem, &err));
    EXPECT_TEXT(problem.detail, "it is so");
    return problem.status;
}

TEST(problem, every_code_has_a_status)
{
    static const struct {
        pawl_code code;
        pawl_reason reason;
        unsigned status;
    } cases[] = {
        { PAWL_INVALID, PAWL_REASON_NONE, 400 },
        { PAWL_INVALID, PAWL_REASON_BAD_ANSWER, 422 },
        { PAWL_INVALID, PAWL_REASON_TOO_LARGE, 413 },
        { PAWL_INVALID, PAWL_REASON_BAD_TOKEN, 400 },
        { PAWL_DENIED, PAWL_REASON_NOT_YOURS, 403 },
        { PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE, 404 },
        { PAWL_CONFLICT, PAWL_REASON_NONE, 409 },
        { PAWL_CONFLICT, PAWL_REASON_STALE_TOKEN, 412 },
        { PAWL_CONFLICT, PAWL_REASON_KEY_USED, 409 },
        { PAWL_STATE, PAWL_REASON_ENDED, 409 },
        { PAWL_LOST, PAWL_REASON_JOB_OVER, 409 },
        { PAWL_BUSY, PAWL_REASON_FULL, 429 },
        { PAWL_BUSY, PAWL_REASON_NONE, 503 },
        { PAWL_IO, PAWL_REASON_NONE, 503 },
        { PAWL_NO_MEMORY, PAWL_REASON_NONE, 503 },
        { PAWL_TIMEOUT, PAWL_REASON_NONE, 504 },
        { PAWL_CORRUPT, PAWL_REASON_NONE, 500 },
        { PAWL_SCHEMA, PAWL_REASON_NONE, 500 },
        { PAWL_EXPRESSION, PAWL_REASON_NONE, 422 },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        EXPECT_INT(status_of(cases[i].code, cases[i].reason), cases[i].status);
}

TEST(problem, a_document_says_all_of_it)
{
    pawl_error err = { .code = PAWL_CONFLICT,
                       .reason = PAWL_REASON_STALE_TOKEN,
                       .message = "\"7\" is old" };
    pw_problem problem = { 0 };
    (void)pw_problem_of(&problem, &err);
    problem.token = 9;
    problem.has_token = true;
    EXPECT_STR(pw_problem_text(&problem, PW_LIT("/v1/instances/x"), (pw_str){ 0 }, true, &arena),
               "{\"type\":\"urn:pawl:problem:stale-token\",\"title\":\"Stale "
               "token\",\"status\":412,\"detail\":\"\\\"7\\\" is old\","
               "\"code\":\"stale-token\",\"action\":\"read the instance again, decide again, and "
               "send its new token\","
               "\"instance\":\"/v1/instances/x\",\"token\":9,"
               "\"error\":{\"code\":\"conflict\",\"reason\":\"stale-token\",\"message\":"
               "\"\\\"7\\\" is old\"}}\n");
}

TEST(problem, the_first_one_stays)
{
    pw_problem problem = { 0 };
    EXPECT(!pw_problem_http(&problem, PW_PROBLEM_NO_ROUTE, "there is no %s", "way"));
    EXPECT(!pw_problem_http(&problem, PW_PROBLEM_METHOD, "other"));
    EXPECT_INT(problem.status, 404);
    EXPECT_TEXT(problem.detail, "there is no way");
}

TEST(skim, members_of_our_own_json_are_found_without_parsing_it)
{
    const pw_str object = PW_LIT("{\"a\":{\"token\":1,\"x\":[\"}\",{\"token\":2}]},\"b\\\"\":"
                                 "\"\\\\\\\"}\",\"token\":73,\"s\":\"q,\",\"next\":null}");
    EXPECT_STR(pw_skim(object, "token"), "73");
    EXPECT_STR(pw_skim(object, "a"), "{\"token\":1,\"x\":[\"}\",{\"token\":2}]}");
    EXPECT_STR(pw_skim(object, "s"), "\"q,\"");
    EXPECT_STR(pw_skim(object, "next"), "null");
    EXPECT(pw_skim(object, "x").ptr == NULL);
    EXPECT(pw_skim(PW_LIT("{}"), "a").ptr == NULL && pw_skim(PW_LIT("[1]"), "a").ptr == NULL);
    EXPECT(pw_skim(PW_LIT(""), "a").ptr == NULL && pw_skim(PW_LIT("{\"a"), "a").ptr == NULL);
}

TEST(skim, a_text_is_without_its_quotes_and_a_number_is_whole)
{
    const pw_str object =
        PW_LIT("{\"a\":\"b c\",\"e\":\"\\n\",\"n\":12,\"f\":1.5,\"m\":-1,\"x\":null,"
               "\"l\":99999999999999999999}");
    uint64_t n = 7;
    EXPECT_STR(pw_skim_text(object, "a"), "b c");
    EXPECT(pw_skim_text(object, "e").ptr == NULL && pw_skim_text(object, "n").ptr == NULL);
    EXPECT(pw_skim_text(object, "none").ptr == NULL);
    EXPECT(pw_skim_number(object, "n", &n));
    EXPECT_INT(n, 12);
    static const char *const no[] = { "a", "f", "m", "x", "l", "none" };
    for (size_t i = 0; i < PW_LENGTH(no); i++)
        EXPECT(!pw_skim_number(object, no[i], &n));
}

int main(int argc, char **argv)
{
    pw_arena_init(&arena, 0);
    int failed = pw_test_main(argc, argv);
    pw_arena_done(&arena);
    return failed;
}
