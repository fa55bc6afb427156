/* sizes.c - a step costs the same in a small and in a large workflow, through the whole library on
 * SQLite: a branch among ten and among many, an item near the first and near the last. Statements
 * and rows are held to the last one; bytes, allocations and memory within what is written. */
#include <malloc.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "test.h"
#include "base/json.h"
#include "load.h"

#define HEAD "document: { dsl: 1.0.3, namespace: bench, name: size, version: 1.0.0 }\ndo:\n"

typedef struct window {
    unsigned from, to; /* attempts */
    cost at_from, of;
    size_t memory; /* in use at its end, without SQLite's */
} window;

static window windows[2];
static atomic_uint attempts;

/* 0 under a sanitizer, which has its own malloc. */
static size_t memory_now(void)
{
    struct mallinfo2 info = mallinfo2();
    size_t all = info.uordblks + info.hblkhd, sqlite = (size_t)sqlite3_memory_used();
    return all > sqlite ? all - sqlite : 0;
}

static void look(load *l, const char *input)
{
    (void)input;
    unsigned n = atomic_fetch_add(&attempts, 1) + 1;
    for (size_t i = 0; i < PW_LENGTH(windows); i++) {
        window *w = &windows[i];
        if (n == w->from)
            w->at_from = measure_now(load_store(l));
        if (n == w->to) {
            w->of = measure_since(&w->at_from, load_store(l));
            w->memory = memory_now();
        }
    }
}

static cost run(const char *document, const char *input)
{
    char path[4096];
    load l = { .input = input, .on_attempt = look };
    (void)bench_file(path, pw_test_dir(), "sizes.db");
    load_open(&l, path, 1);
    load_deploy(&l, document);
    atomic_store(&attempts, 0);
    cost c = load_measure(&l, "bench/size", 1, 1);
    load_close(&l);
    bench_remove(path);
    return c;
}

/* a: of the small one. */
static void expect_flat(const char *what, const window *a, const window *b, double of_bytes)
{
    double bytes = measure_per(b->of.bytes, &b->of) / measure_per(a->of.bytes, &a->of);
    double made = measure_per(b->of.allocations, &b->of) / measure_per(a->of.allocations, &a->of);
    if (bytes > 1 + of_bytes || made > 1.1)
        fail_msg("%s: %.3f times the bytes (%.0f, %.0f), %.3f times the allocations", what, bytes,
                 measure_per(a->of.bytes, &a->of), measure_per(b->of.bytes, &b->of), made);
}

/* ------------------------------------------------------------------ fork */

static window forked(unsigned branches, unsigned turns)
{
    pw_buf text;
    pw_buf_init(&text, 0);
    pw_buf_text(&text, HEAD "  - all:\n      fork:\n        branches:\n");
    for (unsigned i = 0; i < branches; i++)
        pw_buf_printf(
            &text,
            "          - b%u:\n"
            "              do:\n"
            "                - work:\n"
            "                    call: " LOAD_ACTIVITY "\n"
            "                    with: { branch: %u, n: '${ .n }' }\n"
            "                    output: { as: '{n: ($input.n + 1)}' }\n"
            "                - more: { switch: [ { go: { when: .n < %u, then: work } } ] }\n",
            i, i, turns);
    char *document = must(pw_buf_take(&text));
    unsigned all = branches * turns;
    windows[0] = (window){ .from = all * 4 / 10, .to = all * 6 / 10 };
    cost c = run(document, "{\"n\":0}");
    pw_free(document);
    EXPECT_INT(atomic_load(&attempts), all);
    EXPECT_INT(c.steps, all + 1);
    /* Of each step UPDATE (INSERT, the first) and INSERT; the events of start and end; a row for
     * each branch at the start, for the one that has gone on at each step but the last, and all of
     * them deleted by one statement then. */
    EXPECT_INT(c.rows, 2 * (all + 1) + 2 + branches + (all - 1) + branches);
    EXPECT_INT(c.statements, 4 * (all + 1) + 2 + branches + (all - 1) + 1);
    return windows[0];
}

/* What many threads do is looked at while they do it: a step more or less is in the windows. */
TEST(sizes, a_step_of_a_branch_among_four_hundred_costs_what_it_does_among_ten)
{
    memset(windows, 0, sizeof windows);
    window few = forked(10, 200), many = forked(400, 5);
    EXPECT(few.of.steps > 350 && many.of.steps > 350);
    expect_flat("a branch", &few, &many, 0.2);
}

/* ------------------------------------------------------------------ for */

TEST(sizes, a_step_of_an_item_costs_the_same_near_the_last_and_memory_does_not_grow)
{
    enum { ITEMS = 6000, WINDOW = 500 };
    windows[0] = (window){ .from = WINDOW, .to = 2 * WINDOW };
    windows[1] = (window){ .from = ITEMS - 10 - WINDOW, .to = ITEMS - 10 };
    cost c = run(HEAD "  - each:\n"
                      "      for: { each: item, in: '[range(6000)]' }\n"
                      "      do:\n"
                      "        - work:\n"
                      "            call: " LOAD_ACTIVITY "\n"
                      "            with: { item: '${ $item }' }\n"
                      "            output: { as: '$input' }\n",
                 "{}");
    EXPECT_INT(atomic_load(&attempts), ITEMS);
    EXPECT_INT(c.steps, ITEMS + 1);
    for (size_t i = 0; i < 2; i++) {
        EXPECT_INT(windows[i].of.steps, WINDOW);
        EXPECT_INT(windows[i].of.rows, 2 * WINDOW);
        EXPECT_INT(windows[i].of.statements, 4 * WINDOW);
    }
    expect_flat("an item", &windows[0], &windows[1], 0.2);
    if (windows[1].memory >
        windows[0].memory + (1u << 20)) /* an arena that is about to be copied */
        fail_msg("%zu bytes of memory near the first item, %zu near the last", windows[0].memory,
                 windows[1].memory);
}

TEST_MAIN()
