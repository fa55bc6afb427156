/* payload_test.c - large data that is carried along: written once, whole for whoever looks, the
 * same after a restart. */
#include <limits.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include "fixture.h"

/* Fifty runs of a function, and a question in the middle; nothing changes the freight. */
static const char carrying[] = "  - work:\n"
                               "      call: echo\n"
                               "      with: {n: '${ .n }'}\n"
                               "      output: {as: '$input + {n: ($input.n + 1)}'}\n"
                               "  - ask:\n"
                               "      if: .n == 25\n"
                               "      call: userTask\n"
                               "      with: {key: ok, title: '${ .title }'}\n"
                               "      output: {as: $input}\n"
                               "  - more:\n"
                               "      switch:\n"
                               "        - again: {when: .n < 50, then: work}\n";

enum { ARTICLES = 1000, STEPS = 52 }; /* the start, fifty results, an answer */

/* {"n":0,"title":"Well","freight":[{"article":"no-000000","price":19.90}, ...]} */
static char *freight_input(unsigned articles)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, "{\"n\":0,\"title\":\"Well\",\"freight\":[");
    for (unsigned i = 0; i < articles; i++)
        pw_buf_printf(&buf, "%s{\"article\":\"no-%06u\",\"price\":19.90}", i ? "," : "", i);
    pw_buf_text(&buf, "]}");
    return pw_buf_take(&buf);
}

/* One number, or a text of at most 255 bytes, from the store. */
static const char *query(const fixture *f, const char *sql)
{
    static char answer[256];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    EXPECT_INT(sqlite3_open_v2(f->store, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    EXPECT_INT(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    int rc = sqlite3_step(statement);
    EXPECT(rc == SQLITE_ROW || rc == SQLITE_DONE);
    const unsigned char *text = rc == SQLITE_ROW ? sqlite3_column_text(statement, 0) : NULL;
    (void)snprintf(answer, sizeof answer, "%s", text ? (const char *)text : "");
    EXPECT_INT(sqlite3_finalize(statement), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    return answer;
}

/* Everything that anybody is shown of the freight, byte by byte. */
static void expect_whole(fixture *f, const char *id, const char *input)
{
    char *text = show(f, id);
    EXPECT_CONTAINS(text, input);
    pawl_free(text);
    text = steps(f, id);
    EXPECT_ASK(text, "[.steps[].sequence] == [range(1; 53)]", "true");
    EXPECT_ASK(text,
               "[.steps[].entries[] | select(.task == \"/do/0/work\" and .type == "
               "\"task.completed\") | .output.n] == [range(1; 51)]",
               "true");
    EXPECT_ASK(text,
               "[.steps[].entries[] | (.input, .output) | .freight? // empty] | "
               "[length, (unique | length)]",
               "[53,1]"); /* the start, fifty results, the question, the end */
    EXPECT_CONTAINS(text, strstr(input, "\"freight\""));
    EXPECT(strstr(text, "$payload") == NULL);
    pawl_free(text);
}

TEST(payload, data_that_nothing_changes_is_written_once_over_fifty_steps_and_a_restart)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "carry", carrying);
    char *input = freight_input(ARTICLES);
    char *id = start(&f, "carry", input), *text = NULL;
    EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_SETTLED, WAIT_MS, &text, &f.err), f.err);
    EXPECT_ASK(text, "[.status, .waits[0].kind, .waits[0].title]",
               "[\"waiting\",\"user-action\",\"Well\"]");
    EXPECT_CONTAINS(text, input);
    pawl_free(text);
    fixture_close(&f);
    EXPECT_TEXT(query(&f, "SELECT count(*) FROM payload"), "1");
    fixture_open(&f);
    EXPECT_OK(pawl_resume(f.p, id, "ok", "{}", "ann", &f.err), f.err);
    text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output.n, (.output.freight | length), .output.freight[999]]",
               "[\"completed\",50,1000,{\"article\":\"no-000999\",\"price\":19.90}]");
    EXPECT_CONTAINS(text, strstr(input, "\"freight\""));
    pawl_free(text);
    expect_whole(&f, id, input);
    fixture_close(&f);
    fixture_open(&f);
    expect_whole(&f, id, input);
    fixture_close(&f);
    EXPECT_TEXT(query(&f, "SELECT count(*) FROM payload"), "1");
    EXPECT_TEXT(query(&f, "SELECT count(*) FROM step"), "52");
    char expected[32];
    (void)snprintf(expected, sizeof expected, "%zu", strlen(strstr(input, "[{")) - 1);
    EXPECT_TEXT(query(&f, "SELECT length(value) FROM payload"), expected);
    EXPECT_TEXT(query(&f, "SELECT max(length(entries)) < 900 FROM step"), "1");
    EXPECT_TEXT(query(&f, "SELECT state_format = 5 AND length(state) < 900 FROM instance"), "1");
    EXPECT_TEXT(query(&f, "SELECT entry ->> '$.output.freight.$payload' = digest FROM payload, "
                          "execution_log WHERE sequence = 2 AND ordinal = 0"),
                "1");
    pw_free(input);
    pawl_free(id);
    fixture_done(&f);
}

TEST(payload, a_store_in_memory_does_the_same)
{
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "carry", carrying);
    char *input = freight_input(ARTICLES);
    char *id = start(&f, "carry", input), *text = NULL;
    EXPECT_OK(pawl_wait(f.p, id, PAWL_WAIT_SETTLED, WAIT_MS, &text, &f.err), f.err);
    pawl_free(text);
    EXPECT_OK(pawl_resume(f.p, id, "ok", "{}", "ann", &f.err), f.err);
    text = finish(&f, id);
    EXPECT_ASK(text, "[.status, .output.n, (.output.freight | length)]", "[\"completed\",50,1000]");
    pawl_free(text);
    expect_whole(&f, id, input);
    pw_free(input);
    pawl_free(id);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ what a step costs */

typedef struct spent {
    uint64_t statements, rows, bytes, allocations;
} spent;

/* Steps 11 to 110 of an instance, each looked at when its successor's function runs: the step is
 * committed by then, and nothing else is under way. */
static spent hundred_steps(unsigned articles)
{
    fixture f;
    char path[500];
    (void)snprintf(path, sizeof path, "%.400s/%u.db", pw_test_dir(), articles);
    fixture_init(&f, path);
    fixture_open(&f);
    deploy(&f, "carry",
           "  - work:\n"
           "      call: gate\n"
           "      with: {n: '${ .n }'}\n"
           "      output: {as: '$input + {n: ($input.n + 1)}'}\n"
           "  - more:\n"
           "      switch:\n"
           "        - again: {when: .n < 120, then: work}\n");
    char *input = freight_input(articles);
    char *id = start(&f, "carry", input);
    spent at[2] = { 0 };
    for (unsigned n = 1; n <= 111; n++) {
        gate_wait_entered(&f.gate, n);
        if (n == 11 || n == 111) {
            char wal[600];
            struct stat info;
            (void)snprintf(wal, sizeof wal, "%s-wal", f.store);
            EXPECT_INT(stat(wal, &info), 0);
            pw_store_counts counts;
            pw_store_count(f.p->store, &counts);
            at[n == 111] =
                (spent){ counts.statements, counts.rows, (uint64_t)info.st_size, pw_alloc_count() };
        }
        gate_open(&f.gate, n == 111 ? UINT_MAX : 1);
    }
    pawl_free(finish(&f, id));
    pw_free(input);
    pawl_free(id);
    fixture_done(&f);
    return (spent){ at[1].statements - at[0].statements, at[1].rows - at[0].rows,
                    at[1].bytes - at[0].bytes, at[1].allocations - at[0].allocations };
}

TEST(payload, a_step_costs_the_same_with_half_a_mib_that_it_only_passes_on)
{
    spent light = hundred_steps(2), heavy = hundred_steps(12000);
    EXPECT_INT(light.statements, 400); /* BEGIN, UPDATE, INSERT, COMMIT */
    EXPECT_INT(heavy.statements, 400);
    EXPECT_INT(light.rows, 200);
    EXPECT_INT(heavy.rows, 200);
    /* Pages in the write-ahead log, which is not begun anew in so few steps. Two articles are as
     * long as the reference to twelve thousand. */
    printf("# %llu bytes of the log against %llu, %llu allocations against %llu\n",
           (unsigned long long)heavy.bytes, (unsigned long long)light.bytes,
           (unsigned long long)heavy.allocations, (unsigned long long)light.allocations);
    EXPECT(heavy.bytes <= light.bytes + light.bytes / 10);
    EXPECT(heavy.allocations <= light.allocations + light.allocations / 10);
}

/* ------------------------------------------------------------------ reports, and damage */

static void on_step(void *context, const char *report)
{
    char **last = context;
    free(*last);
    *last = strdup(report);
}

TEST(payload, the_report_of_a_step_has_the_data_itself)
{
    fixture f;
    char *report = NULL;
    fixture_init(&f, NULL);
    f.options.on_step = on_step;
    f.options.on_step_context = &report;
    fixture_open(&f);
    deploy(&f, "ask", "  - ask: {call: userTask, with: {key: ok}}");
    char *input = freight_input(ARTICLES), *id = start(&f, "ask", input);
    EXPECT_CONTAINS(report, input);
    EXPECT_ASK(report, "[.sequence, .entries[0].type, (.entries[0].input.freight | length)]",
               "[1,\"instance.started\",1000]");
    fixture_close(&f);
    free(report);
    pw_free(input);
    pawl_free(id);
    fixture_done(&f);
}

TEST(payload, a_page_of_the_log_ends_behind_eight_mib)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "carry",
           "  - work: {call: echo, with: {n: '${ .n }'}, output: {as: '$input + {n: ($input.n + "
           "1)}'}}\n"
           "  - more: {switch: [again: {when: .n < 30, then: work}]}\n");
    char *input = freight_input(25000), *id = start(&f, "carry", input); /* 950,000 bytes */
    pawl_free(finish(&f, id));
    uint64_t from = 1;
    static const char *const pages[] = { "[1,9,10]", "[10,18,19]", "[19,27,28]", "[28,31,null]" };
    for (size_t i = 0; i < PW_LENGTH(pages); i++) {
        char *text = NULL;
        EXPECT_OK(pawl_log(f.p, id, from, 0, &text, &f.err), f.err);
        pw_arena arena;
        pw_arena_init(&arena, 0);
        pw_value page, steps_;
        EXPECT_OK(pw_json_parse(&page, pw_str_of(text), NULL, &arena, &f.err), f.err);
        steps_ = pw_get_lit(page, "steps");
        int64_t first = 0, last = 0, next = 0;
        EXPECT(pw_integer(pw_get_lit(pw_item(steps_, 0), "sequence"), &first));
        EXPECT(pw_integer(pw_get_lit(pw_item(steps_, steps_.count - 1), "sequence"), &last));
        char seen[64];
        if (pw_integer(pw_get_lit(page, "next"), &next))
            (void)snprintf(seen, sizeof seen, "[%d,%d,%d]", (int)first, (int)last, (int)next);
        else
            (void)snprintf(seen, sizeof seen, "[%d,%d,null]", (int)first, (int)last);
        EXPECT_TEXT(seen, pages[i]);
        from = (uint64_t)next;
        pw_arena_done(&arena);
        pawl_free(text);
    }
    pw_free(input);
    pawl_free(id);
    fixture_done(&f);
}

TEST(payload, one_that_is_gone_stops_its_instance_alone_and_is_named)
{
    fixture f;
    fixture_init(&f, NULL);
    fixture_open(&f);
    deploy(&f, "ask", "  - ask: {call: userTask, with: {key: ok}, output: {as: $input}}");
    char *input = freight_input(ARTICLES);
    char *id = start(&f, "ask", input), *good = start(&f, "ask", "{\"n\":1}");
    fixture_close(&f);
    char digest[80], expected[256];
    (void)snprintf(digest, sizeof digest, "%s", query(&f, "SELECT digest FROM payload"));
    EXPECT_INT(strlen(digest), 64);
    (void)query(&f, "DELETE FROM payload");
    fixture_open(&f);
    EXPECT_INT(pawl_resume(f.p, id, "ok", "{}", NULL, &f.err), PAWL_CORRUPT);
    (void)snprintf(
        expected, sizeof expected,
        "payload %s of instance %s is missing; restore the store from a backup",
        digest, id);
    EXPECT_TEXT(f.err.message, expected);
    char *text = show(&f, id);
    EXPECT_ASK(text, "[.waits[].kind] | unique", "[\"trouble\"]");
    EXPECT_CONTAINS(text, expected);
    pawl_free(text);
    text = NULL;
    EXPECT_INT(pawl_log(f.p, id, 1, 0, &text, &f.err), PAWL_CORRUPT);
    EXPECT(text == NULL);
    EXPECT_CONTAINS(f.err.message, "step 1 of the execution log: payload ");
    EXPECT_OK(pawl_resume(f.p, good, "ok", "{}", NULL, &f.err), f.err);
    text = finish(&f, good);
    EXPECT_ASK(text, "[.status, .output]", "[\"completed\",{\"n\":1}]");
    pawl_free(text);
    pw_free(input);
    pawl_free(id);
    pawl_free(good);
    fixture_done(&f);
}

TEST_MAIN()
