/* test_jq.c - jq's own tests against our evaluator: how many pass, what is missed, what is left out
 * because no workflow can use it, each by line and with its reason. */
#include "test.h"
#include "groups.h"

/* What differs, and why: doc/expressions.md says more. A miss counts against us, and one that is
 * none any more fails the test. */
typedef struct miss {
    int line; /* of the program */
    const char *reason;
} miss;

#define DIGITS "a literal keeps its digits although have_decnum is false"
#define EXACT "integers of 64 bits are exact"
static const miss jq_misses[] = {
    { 2014, DIGITS }, { 2196, DIGITS }, { 2200, DIGITS }, { 2204, DIGITS }, { 2211, EXACT },
    { 2215, EXACT },  { 2219, EXACT },  { 2224, DIGITS }, { 2228, DIGITS }, { 2232, DIGITS },
    { 2241, EXACT },  { 2271, DIGITS }, { 2275, DIGITS },
};

/* What only a program on a command line can use. */
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

typedef struct tally {
    int passed, missed, failed, left_out;
} tally;

static void run_group(tally *t, const char *name, const group *g, const char *reason,
                      pw_expr_machine *machine)
{
    const char *difference = group_run(g, machine, NULL);
    if (reason && difference[0]) {
        printf("# %s:%d missed: %s: %s\n", name, g->line, reason, g->program);
        t->missed++;
    } else if (reason || difference[0]) {
        printf("# %s:%d: %s\n#    %s\n", name, g->line, g->program,
               reason ? "is a miss no longer" : difference);
        t->failed++;
    } else {
        t->passed++;
    }
}

/* `percent`: how many of those that are not left out must pass, at least. */
static void run_file(const char *name, const miss *misses, size_t miss_count, int percent)
{
    if (!pw_test_shared())
        pw_test_skip("no data folder");
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/jq/%s", pw_test_shared(), name);
    group_file file = group_open(path);
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    group g;
    tally t = { 0 };
    while (group_next(&file, &g)) {
        const char *reason = reason_to_skip(&g);
        if (reason) {
            printf("# %s:%d left out: %s: %s\n", name, g.line, reason, g.program);
            t.left_out++;
            continue;
        }
        for (size_t i = 0; i < miss_count && !reason; i++)
            reason = misses[i].line == g.line ? misses[i].reason : NULL;
        g.error_may_follow = true;
        run_group(&t, name, &g, reason, machine);
    }
    int all = t.passed + t.missed + t.failed;
    printf("# %s: %d of %d passed (%.2f %%), %d missed, %d differ, %d left out\n", name, t.passed,
           all, all ? 100.0 * t.passed / all : 0, t.missed, t.failed, t.left_out);
    pw_expr_machine_free(machine);
    group_close(&file);
    EXPECT_INT(t.failed, 0);
    EXPECT(all > 0 && 100 * t.passed >= percent * all);
}

TEST(jq, the_language)
{
    run_file("jq.test", jq_misses, PW_LENGTH(jq_misses), 97);
}

TEST(jq, base64)
{
    run_file("base64.test", NULL, 0, 100);
}

TEST(jq, regular_expressions)
{
    run_file("onig.test", NULL, 0, 95);
}

TEST_MAIN()
