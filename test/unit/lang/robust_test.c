/* Whatever the text, and whenever memory runs out: an answer, never a crash, a leak or a hang. */
#include <stdlib.h>
#include "fixture.h"
#include "policy/retry.h"

static const char good[] =
    HEAD "# a bit of everything\n"
         "input: { from: .order }\n"
         "timeout: { after: PT1H }\n"
         "use:\n"
         "  functions: { f: { call: charge, with: { x: \"${ .x }\" } } }\n"
         "  retries: { std: { delay: PT1S, limit: { attempt: { count: 3 } } } }\n"
         "  errors: { gone: { type: urn:gone, status: 410 } }\n"
         "do:\n"
         "  - a: &a\n"
         "      set: { x: 1.50, y: [ \"${ .b }\", 'it''s', \"\\u00e9\\n\" ], z: *nil }\n"
         "  - b:\n"
         "      for: { each: i, in: .list }\n"
         "      while: $i < 3\n"
         "      do: [ { c: { call: f }, } ]\n"
         "  - d:\n"
         "      try: [ { e: { raise: { error: gone } } } ]\n"
         "      catch: { as: e, when: $e.status == 410, retry: std, do: [ { g: { wait: { seconds: "
         "3 } } } ], then: h }\n"
         "  - h:\n"
         "      switch:\n"
         "        - one: { when: .x == \"a\\\"b\", then: end }\n"
         "        - two: { then: k }\n"
         "  - k:\n"
         "      call: http\n"
         "      with:\n"
         "        method: post\n"
         "        endpoint: https://x.example/{id}\n"
         "        body: |\n"
         "          ${ { text: .text,\n"
         "               n: (.n + 1) } }\n"
         "      metadata: { pawl: { resilience: { retry: std, timeout: PT5S, circuitBreaker: { name: x, "
         "window: 20s, onOpen: fail }, bulkhead: { maxConcurrent: 3 }, rateLimit: 5/s, "
         "onUnknownOutcome: ask } } }\n"
         "  - l: { fork: { branches: [ { m: { emit: { event: { with: { type: t } } } } }, { n: { "
         "<<: *a } } ] } }\n"
         "  - \xc3\xb6: { call: userTask, with: { title: \"${ .t }\" }, then: exit }\n"
         "  - p:\n"
         "      listen: { to: { any: [ { with: { type: ^a.*$, data: \"${ .x > 1 }\" }, correlate: { c: { "
         "from: .id, expect: \"${ .id }\" } } } ], until: { all: [ { with: { x: { y: 1 } } } ] } }, "
         "read: raw }\n"
         "      foreach: { item: i, do: [ { q: { set: { x: \"${ $i }\" } } } ], output: { as: .x } }\n";

static const char good_json[] =
    "{\"document\":{\"dsl\":\"1.0.3\",\"namespace\":\"n\",\"name\":\"m\",\"version\":\"1.0.0\"},\n"
    " \"do\":[{\"a\":{\"set\":{\"x\":[1.5,-2e3,true,null,\"\\ud83d\\ude00\\n\",\"${ .b + \\\"c\\\" "
    "}\"]},"
    "\"then\":\"b\"}},\n  {\"b\":{\"wait\":{\"seconds\":3},\"if\":\".x > 1\"}}]}";

/* The alias of the good document above has no anchor: it is made here, so that the base loads. */
static char *good_text(void)
{
    char *text = strdup(good);
    memcpy(strstr(text, "*nil"), "null", 4);
    return text;
}

static void load_any(pw_str text)
{
    loaded l;
    load_text(&l, text);
    EXPECT(l.code == PAWL_OK || l.code == PAWL_INVALID);
    if (l.code == PAWL_INVALID)
        EXPECT(l.findings.count > 0 && l.findings.errors > 0 && l.err.message[0]);
    for (uint32_t i = 0; i < l.findings.count; i++) {
        const pw_finding *f = &l.findings.items[i];
        EXPECT(f->line == 0 || f->column > 0);
        EXPECT(i == 0 || f[-1].line < f->line ||
               (f[-1].line == f->line && f[-1].column <= f->column));
    }
    unload(&l);
}

TEST(robust, the_base_documents_are_good)
{
    char *text = good_text();
    loaded l;
    load_text(&l, pw_str_of(text));
    EXPECT_OK(l.code, l.err);
    EXPECT_INT(l.program->task_count, 15);
    unload(&l);
    load_text(&l, pw_str_of(good_json));
    EXPECT_OK(l.code, l.err);
    EXPECT_INT(l.findings.count, 0);
    unload(&l);
    free(text);
}

static void cut_everywhere(const char *text)
{
    size_t len = strlen(text);
    for (size_t end = 0; end <= len; end++) {
        /* a copy of exactly this size: reading behind it is found by the sanitizer */
        char *copy = malloc(end ? end : 1);
        memcpy(copy, text, end);
        load_any((pw_str){ copy, end });
        free(copy);
    }
}

TEST(robust, a_document_cut_anywhere)
{
    char *text = good_text();
    cut_everywhere(text);
    cut_everywhere(good_json);
    free(text);
}

static void change_everywhere(const char *text)
{
    static const char bytes[] = "\0\x80\xff\t\n \"'${}[]:,-&*!|>#%.0x<";
    size_t len = strlen(text);
    char *copy = malloc(len);
    uint64_t seed = 20261122;
    for (size_t at = 0; at < len; at++) {
        memcpy(copy, text, len);
        uint64_t random = pw_seed_next(&seed);
        if (random >> 63)
            copy[at] = bytes[random % (sizeof bytes - 1)];
        else
            copy[at] = (char)(text[at] ^ (1 << (random >> 32) % 8));
        load_any((pw_str){ copy, len });
    }
    free(copy);
}

TEST(robust, a_document_with_any_byte_changed)
{
    char *text = good_text();
    change_everywhere(text);
    change_everywhere(good_json);
    free(text);
}

TEST(robust, pieces_moved_around)
{
    char *text = good_text();
    size_t len = strlen(text);
    char *copy = malloc(len);
    uint64_t seed = 7;
    for (int round = 0; round < 2000; round++) {
        memcpy(copy, text, len);
        for (int i = 0; i < 3; i++) {
            size_t size = 1 + (size_t)(pw_seed_next(&seed) % 40);
            size_t from = (size_t)(pw_seed_next(&seed) % (len - size));
            size_t to = (size_t)(pw_seed_next(&seed) % (len - size));
            memmove(copy + to, text + from, size);
        }
        load_any((pw_str){ copy, len });
    }
    free(copy);
    free(text);
}

/* ---- memory */

static void fail_every_allocation(const char *text)
{
    for (uint64_t n = 1;; n++) {
        pw_arena arena;
        pw_arena_init(&arena, 0);
        pw_findings findings = { .arena = &arena };
        pw_program *program = NULL;
        pawl_error err;
        pw_alloc_fail_after(n);
        pawl_code code = pw_lang_load(&program, pw_str_of(text), &findings, &err);
        pw_alloc_fail_after(0);
        EXPECT(arena.guard == NULL);
        if (code != PAWL_NO_MEMORY) {
            EXPECT(n > 3);
            pw_program_unref(program);
            pw_arena_done(&arena);
            return;
        }
        EXPECT(program == NULL);
        pw_arena_done(&arena);
    }
}

TEST(robust, no_memory_at_any_allocation)
{
    char *text = good_text();
    fail_every_allocation(text);
    fail_every_allocation(good_json);
    fail_every_allocation(good); /* refused */
    fail_every_allocation("{ \"document\": [ 1, ");
    free(text);
}

TEST(robust, no_memory_in_a_large_document)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, HEAD "do:\n");
    for (int i = 0; i < 60; i++)
        pw_buf_printf(&buf, "  - t%d: { set: { x: \"${ .x + %d }\" }, thn: end }\n", i, i);
    pw_buf_char(&buf, '\0');
    fail_every_allocation(buf.ptr);
    pw_buf_done(&buf);
}

TEST(robust, the_findings_may_have_little_room)
{
    pw_arena arena;
    pw_arena_init(&arena, 200);
    pw_findings findings = { .arena = &arena };
    pw_program *program = NULL;
    pawl_error err;
    EXPECT_INT(pw_lang_load(&program, PW_LIT("do: 3\nuse: 4\ntimeout: 5\n"), &findings, &err),
               PAWL_NO_MEMORY);
    EXPECT(program == NULL);
    pw_arena_done(&arena);
}

/* ---- size */

TEST(robust, ten_thousand_tasks)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, HEAD "do:\n");
    for (int i = 0; i < 10000; i++)
        pw_buf_printf(&buf,
                      "  - t%d:\n      if: .x > %d\n      set: { x: \"${ .x + %d }\", y: [ 1, 2 ] "
                      "}\n      then: t%d\n",
                      i, i, i, (i + 5000) % 10000);
    loaded l;
    load_text(&l, pw_buf_view(&buf));
    EXPECT_OK(l.code, l.err);
    EXPECT_INT(l.program->task_count, 10000);
    EXPECT_INT(l.program->tasks[9999]->then.target, 4999);
    EXPECT_STR(l.program->tasks[9999]->pointer, "/do/9999/t9999");
    EXPECT_INT(l.program->tasks[9999]->line, 39999);
    unload(&l);
    pw_buf_done(&buf);
}

TEST(robust, a_mistake_in_each_of_many_tasks)
{
    /* each is compared with names nearly like it, but not with all of them */
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, HEAD "do:\n");
    for (int i = 0; i < 20000; i++)
        pw_buf_printf(&buf, "- task%d: {wait: 1s, then: taks%d}\n", i, i);
    loaded l;
    load_text(&l, pw_buf_view(&buf));
    EXPECT_INT(l.findings.errors, 20000);
    EXPECT_CONTAINS(l.findings.items[0].message.ptr, "; did you mean 'task0'?");
    unload(&l);
    pw_buf_done(&buf);
}

TEST(robust, many_anchors_and_many_activities)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, HEAD "do:\n");
    for (int i = 0; i < 20000; i++)
        pw_buf_printf(&buf, "- t%d: &a%d {call: f%d, with: {x: &a%d 1, y: *a%d}}\n", i, i, i, i, i);
    loaded l;
    load_text(&l, pw_buf_view(&buf));
    EXPECT_OK(l.code, l.err);
    EXPECT_INT(l.program->activity_count, 20000);
    EXPECT_STR(l.program->activities[19999], "f19999");
    unload(&l);
    pw_buf_done(&buf);
}

TEST(robust, an_expression_used_again_and_again_is_limited)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, HEAD "use: { retries: { r: { limit: { duration: 1s }, when: '\"");
    for (int i = 0; i < 10000; i++)
        pw_buf_text(&buf, "aaaa");
    pw_buf_text(&buf, "\"' } } }\ndo:\n");
    for (int i = 0; i < 1000; i++)
        pw_buf_printf(&buf, "- t%d: { try: [], catch: { retry: r } }\n", i);
    loaded l;
    load_text(&l, pw_buf_view(&buf));
    EXPECT_INT(l.code, PAWL_INVALID);
    EXPECT_TEXT(
        l.findings.items[0].message.ptr,
        "the expressions have more than 16777216 bytes when all that is used again is written out");
    unload(&l);
    pw_buf_done(&buf);
}

TEST(robust, more_tasks_than_allowed)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, HEAD "do:\n");
    for (int i = 0; i < 100001; i++)
        pw_buf_printf(&buf, "- t%d: {wait: 1s}\n", i);
    loaded l;
    load_text(&l, pw_buf_view(&buf));
    EXPECT_INT(l.code, PAWL_INVALID);
    EXPECT_TEXT(l.findings.items[0].message.ptr, "the document has more than 100000 tasks");
    EXPECT_INT(l.findings.items[0].line, 100003);
    unload(&l);
    pw_buf_done(&buf);
}

TEST_MAIN()
