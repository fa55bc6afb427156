/* test_jq.c - jq's own tests against our evaluator: what passes, what is left out and why. */
#include "test.h"
#include "groups.h"

typedef struct exception {
    int line; /* of the program */
    const char *reason;
} exception;

/* clang-format off */
static const exception jq_exceptions[] = {
    { 2014, "literals keep their digits although have_decnum is false" },
    { 2196, "literals keep their digits although have_decnum is false" },
    { 2200, "literals keep their digits although have_decnum is false" },
    { 2204, "literals keep their digits although have_decnum is false" },
    { 2211, "integers of 64 bits are exact" },
    { 2215, "integers of 64 bits are exact" },
    { 2219, "integers of 64 bits are exact" },
    { 2224, "literals keep their digits although have_decnum is false" },
    { 2228, "literals keep their digits although have_decnum is false" },
    { 2232, "literals keep their digits although have_decnum is false" },
    { 2241, "integers of 64 bits are exact" },
    { 2271, "literals keep their digits although have_decnum is false" },
    { 2275, "literals keep their digits although have_decnum is false" },
    { 2324, "the wording of JSON errors is our own" },
    { 2407, "NaN in the input: JSON has none" },
    { 2498, "the wording of JSON errors is our own" },
    { 2563, "the wording of JSON errors is our own" },
};
/* clang-format on */

static const char *reason_to_skip(const group *g)
{
    static const struct {
        const char *word, *reason;
    } words[] = {
        { "import ", "modules" },
        { "include ", "modules" },
        { "module ", "modules" },
        { "modulemeta", "modules" },
        { "%::wat", "modules" },
        { "input", "input" },
        { "debug", "debug" },
        { "$ENV", "environment" },
        { "env.", "environment" },
        { "strflocaltime", "local time" },
        { "localtime", "local time" },
        { "get_search_list", "modules" },
        { "halt", "halt" },
        { "stderr", "stderr" },
    };
    for (size_t i = 0; i < PW_LENGTH(words); i++)
        if (strstr(g->program, words[i].word))
            return words[i].reason;
    return NULL;
}

static void run_file(const char *name, const exception *exceptions, size_t exception_count,
                     int floor)
{
    if (!pw_test_shared())
        pw_test_skip("no data folder");
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/jq/%s", pw_test_shared(), name);
    group_file file = group_open(path);
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    group g;
    int passed = 0, failed = 0, left_out = 0;
    while (group_next(&file, &g)) {
        const char *reason = reason_to_skip(&g);
        for (size_t i = 0; i < exception_count && !reason; i++)
            if (exceptions[i].line == g.line)
                reason = exceptions[i].reason;
        if (reason) {
            printf("# %s:%d left out: %s: %s\n", name, g.line, reason, g.program);
            left_out++;
            continue;
        }
        g.error_may_follow = true;
        const char *difference = group_run(&g, machine, NULL);
        if (difference[0]) {
            printf("# %s:%d: %s\n#    %s\n", name, g.line, g.program, difference);
            failed++;
        } else {
            passed++;
        }
    }
    printf("# %s: %d passed, %d differ, %d left out\n", name, passed, failed, left_out);
    pw_expr_machine_free(machine);
    group_close(&file);
    EXPECT(passed >= floor);
    EXPECT_INT(failed, 0);
}

TEST(jq, the_language)
{
    run_file("jq.test", jq_exceptions, PW_LENGTH(jq_exceptions), 508);
}

TEST(jq, base64)
{
    run_file("base64.test", NULL, 0, 10);
}

TEST(jq, regular_expressions)
{
    run_file("onig.test", NULL, 0, 47);
}

TEST_MAIN()
