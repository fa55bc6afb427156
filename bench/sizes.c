/* sizes.c - the sizes that a workflow may have: what they cost, and whether a step stays the same.
 *
 *     bench/sizes --dir DIR [--only NAME] [--scale PERCENT]
 *
 * NAME is one of
 *     tasks    documents of 1,000 and of 10,000 tasks, in three shapes: checked, deployed, run
 *     values   an input of 1 and of 15 MiB, through the tasks that pass data on
 *     items    `for` over 100,000 items with an activity for each: its first and its last 1,000
 *              steps, and without an activity
 *     loop     1,000,000 turns of a loop: pure ones, and with an activity in each
 *     fork     branches side by side, each with activities: 10 and 1,000 of them
 * A scale below 100 makes items, loop and fork smaller. Memory is what the process has taken from
 * malloc and not given back, without SQLite's, whose cache fills up to 16 MiB. */
#include <getopt.h>
#include <malloc.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lang/lang.h"
#include "load.h"

static unsigned scale = 100;

static const char *directory;

/* ------------------------------------------------------------------ where a run is looked at */

/* A stretch of the attempts of a run: what happened from its first attempt to its last. */
typedef struct window {
    unsigned from, to;
    const char *name; /* of its instructions, under callgrind */
    cost at_from, of;
    size_t memory; /* at its end */
} window;

static window windows[2];
static atomic_uint attempts;

static size_t memory_now(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd - (size_t)sqlite3_memory_used();
}

static void look(load *l, const char *input)
{
    (void)input;
    unsigned n = atomic_fetch_add(&attempts, 1) + 1;
    for (size_t i = 0; i < PW_LENGTH(windows); i++) {
        window *w = &windows[i];
        if (n == w->from) {
            w->at_from = measure_now(load_store(l));
            measure_mark_begin();
        } else if (n == w->to) {
            measure_mark_end(w->name);
            w->of = measure_since(&w->at_from, load_store(l));
            w->memory = memory_now();
        }
    }
}

static void head(const char *title, const char *first, const char *second)
{
    printf("%s\n  %-18s %14s %14s %8s\n", title, "", first, second, "ratio");
}

static void line(const char *label, double a, double b)
{
    printf("  %-18s %14.1f %14.1f %8.3f\n", label, a, b, a > 0 ? b / a : 0);
    (void)fflush(stdout);
}

static void per_step(const window *a, const window *b)
{
    line("cpu, us", measure_per(a->of.cpu_us, &a->of), measure_per(b->of.cpu_us, &b->of));
    line("wall, us", measure_per(a->of.wall_ns, &a->of) / 1000,
         measure_per(b->of.wall_ns, &b->of) / 1000);
    line("allocations", measure_per(a->of.allocations, &a->of),
         measure_per(b->of.allocations, &b->of));
    line("statements", measure_per(a->of.statements, &a->of),
         measure_per(b->of.statements, &b->of));
    line("bytes written", measure_per(a->of.bytes, &a->of), measure_per(b->of.bytes, &b->of));
    line("memory, KiB", (double)a->memory / 1024, (double)b->memory / 1024);
}

/* Runs one instance of `document` (bench/size) from start to end in a store of its own. */
static cost run(const char *document, const char *input)
{
    char path[4096];
    load l = { .input = input, .on_attempt = look };
    (void)bench_file(path, directory, "bench-sizes.db");
    load_open(&l, path, 1);
    load_deploy(&l, document);
    atomic_store(&attempts, 0);
    cost c = load_measure(&l, "bench/size", 1, 1);
    load_close(&l);
    bench_remove(path);
    return c;
}

#define HEAD "document: { dsl: 1.0.3, namespace: bench, name: size, version: 1.0.0 }\ndo:\n"
#define MORE "'${ $input + {n: ($input.n + 1)} }'"
#define ADD "set: " MORE

/* ------------------------------------------------------------------ tasks */

static void one_list(pw_buf *text, unsigned tasks)
{
    for (unsigned i = 0; i < tasks; i++)
        pw_buf_printf(text, "  - t%u: { " ADD " }\n", i);
}

static void blocks(pw_buf *text, unsigned tasks)
{
    enum { IN_A_BLOCK = 10 };
    for (unsigned i = 0; i < tasks; i++)
        if (i % IN_A_BLOCK == 0)
            pw_buf_printf(text, "  - b%u:\n      do:\n", i);
        else
            pw_buf_printf(text, "        - t%u: { " ADD " }\n", i);
}

/* From the first to the last, and back to the one behind the first: each is met once. */
static void jumps(pw_buf *text, unsigned tasks)
{
    for (unsigned i = 0; i < tasks; i++) {
        unsigned next = i < tasks / 2 ? tasks - 1 - i : tasks - i;
        if (i == tasks / 2)
            pw_buf_printf(text, "  - t%u: { " ADD ", then: exit }\n", i);
        else if (i % 2)
            pw_buf_printf(text, "  - t%u: { " ADD ", then: t%u }\n", i, next);
        else
            pw_buf_printf(text, "  - t%u: { switch: [ { go: { when: .n >= 0, then: t%u } } ] }\n",
                          i, next);
    }
}

static double compile_us(const char *text)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_findings findings = { .arena = &arena };
    pw_program *program = NULL;
    pawl_error err;
    cost before = measure_now(NULL);
    check(pw_lang_load(&program, pw_str_of(text), &findings, &err), &err);
    cost c = measure_since(&before, NULL);
    pw_program_unref(program);
    pw_arena_done(&arena);
    return (double)c.cpu_us;
}

static void tasks(void)
{
    static const struct {
        const char *title;
        void (*write)(pw_buf *text, unsigned tasks);
    } shapes[] = { { "tasks: one list", one_list },
                   { "tasks: lists of nine in a list", blocks },
                   { "tasks: every one jumps", jumps } };
    for (size_t i = 0; i < PW_LENGTH(shapes); i++) {
        double checked[2], ran[2], steps[2];
        for (unsigned k = 0; k < 2; k++) {
            unsigned count = k ? 10000 : 1000;
            pw_buf text;
            pw_buf_init(&text, 0);
            pw_buf_text(&text, HEAD);
            shapes[i].write(&text, count);
            char *document = must(pw_buf_take(&text));
            checked[k] = compile_us(document) / count;
            cost c = run(document, "{\"n\":0}");
            ran[k] = (double)c.cpu_us / count;
            steps[k] = (double)c.steps;
            pw_free(document);
        }
        head(shapes[i].title, "1,000", "10,000");
        line("check, us a task", checked[0], checked[1]);
        line("run, us a task", ran[0], ran[1]);
        line("steps", steps[0], steps[1]);
    }
}

/* ------------------------------------------------------------------ values */

static void values(void)
{
    static const char document[] =
        HEAD "  - keep: { " ADD " }\n"
             "  - each:\n"
             "      for: { each: x, in: '.list[0:3]' }\n"
             "      do: [ { add: { " ADD " } } ]\n"
             "  - give:\n"
             "      call: " LOAD_ACTIVITY "\n"
             "      with: { all: '${ . }' }\n"
             "      output: { as: " MORE " }\n"
             "  - last: { call: " LOAD_ACTIVITY ", output: { as: " MORE " } }\n";
    static const unsigned sizes[2] = { 1, 15 };
    cost c[2];
    for (unsigned k = 0; k < 2; k++) {
        pw_buf input;
        pw_buf_init(&input, 0);
        pw_buf_text(&input, "{\"n\":0,\"list\":[0");
        for (unsigned i = 0; input.len < (size_t)sizes[k] << 20; i++)
            pw_buf_printf(&input, ",{\"article\":\"no-%06u\",\"count\":%u}", i, i % 17);
        pw_buf_text(&input, "]}");
        char *text = must(pw_buf_take(&input));
        c[k] = run(document, text);
        pw_free(text);
    }
    head("values: an instance with", "1 MiB", "15 MiB");
    line("cpu, ms", (double)c[0].cpu_us / 1000, (double)c[1].cpu_us / 1000);
    line("MiB written", (double)c[0].bytes / 1048576, (double)c[1].bytes / 1048576);
    line("steps", (double)c[0].steps, (double)c[1].steps);
}

/* ------------------------------------------------------------------ items */

static char *list_of(unsigned count)
{
    pw_buf input;
    pw_buf_init(&input, 0);
    pw_buf_text(&input, "{\"n\":0,\"items\":[0");
    for (unsigned i = 1; i < count; i++)
        pw_buf_printf(&input, ",%u", i);
    pw_buf_text(&input, "]}");
    return must(pw_buf_take(&input));
}

static void items(void)
{
    enum { WINDOW = 1000, FROM = 10 };
    unsigned count = 1000 * scale;
    char *input = list_of(count);
    windows[0] = (window){ .from = FROM, .to = FROM + WINDOW, .name = "first" };
    windows[1] = (window){ .from = count - FROM - WINDOW, .to = count - FROM, .name = "last" };
    cost c = run(HEAD "  - each:\n"
                      "      for: { each: item, in: .items }\n"
                      "      do:\n"
                      "        - work:\n"
                      "            call: " LOAD_ACTIVITY "\n"
                      "            with: { item: '${ $item }' }\n"
                      "            output: { as: '$input' }\n",
                 input);
    head("items: a step of `for` with an activity", "first", "last");
    per_step(&windows[0], &windows[1]);
    printf("  %u items, %llu steps, %.1f s\n", count, (unsigned long long)c.steps,
           (double)c.wall_ns / 1e9);
    memset(windows, 0, sizeof windows);
    c = run(HEAD "  - each:\n"
                 "      for: { each: item, in: .items }\n"
                 "      do: [ { add: { set: '${ $input + {n: ($input.n + $item)} }' } } ]\n",
            input);
    printf("items: %u without an activity: %llu steps, %.2f s, %.1f us of CPU an item\n", count,
           (unsigned long long)c.steps, (double)c.wall_ns / 1e9, (double)c.cpu_us / count);
    pw_free(input);
}

/* ------------------------------------------------------------------ loop */

static void loop(void)
{
    enum { WINDOW = 1000 };
    unsigned turns = 10000 * scale;
    char text[1024];
    (void)snprintf(text, sizeof text,
                   HEAD "  - add: { set: { n: '${ .n + 1 }' } }\n"
                        "  - more: { switch: [ { again: { when: .n < %u, then: add } } ] }\n",
                   turns);
    cost c = run(text, "{\"n\":0}");
    printf("loop: %u pure turns: %llu steps, %.2f s, %.2f us of CPU a turn\n", turns,
           (unsigned long long)c.steps, (double)c.wall_ns / 1e9, (double)c.cpu_us / turns);
    windows[0] = (window){ .from = 10, .to = 10 + WINDOW, .name = "first" };
    windows[1] = (window){ .from = turns - WINDOW, .to = turns, .name = "last" };
    (void)snprintf(text, sizeof text,
                   HEAD "  - work:\n"
                        "      call: " LOAD_ACTIVITY "\n"
                        "      output: { as: '{n: ($input.n + 1)}' }\n"
                        "  - more: { switch: [ { again: { when: .n < %u, then: work } } ] }\n",
                   turns);
    c = run(text, "{\"n\":0}");
    head("loop: a step of a loop with an activity", "first", "last");
    per_step(&windows[0], &windows[1]);
    printf("  %u turns, %llu steps, %.1f s\n", turns, (unsigned long long)c.steps,
           (double)c.wall_ns / 1e9);
    memset(windows, 0, sizeof windows);
}

/* ------------------------------------------------------------------ fork */

static void forked(unsigned branches, unsigned turns, window *w)
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
    windows[0] = *w;
    (void)run(document, "{\"n\":0}");
    *w = windows[0];
    memset(windows, 0, sizeof windows);
    pw_free(document);
}

static void fork_(void)
{
    enum { SMALL = 10, TURNS = 5 };
    unsigned large = 10 * scale, all = large * TURNS;
    /* All branches have begun and none has ended, as far as can be told from outside. */
    window a = { .from = all * 3 / 10, .to = all * 7 / 10, .name = "small" }, b = a;
    char second[32];
    b.name = "large";
    forked(SMALL, all / SMALL, &a);
    forked(large, TURNS, &b);
    (void)snprintf(second, sizeof second, "%u branches", large);
    head("fork: a step of one branch", "10 branches", second);
    per_step(&a, &b);
}

/* ------------------------------------------------------------------ options */

static const struct {
    const char *name;
    void (*run)(void);
} all[] = {
    { "tasks", tasks }, { "values", values }, { "items", items },
    { "loop", loop },   { "fork", fork_ },
};

int main(int argc, char **argv)
{
    static const struct option names[] = {
        { "dir", required_argument, NULL, 'd' },
        { "only", required_argument, NULL, 'o' },
        { "scale", required_argument, NULL, 's' },
        { NULL, 0, NULL, 0 },
    };
    const char *only = NULL;
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'd')
            directory = optarg;
        else if (c == 'o')
            only = optarg;
        else if (c == 's')
            scale = (unsigned)strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    if (!directory || optind != argc || scale < 4 || scale > 100)
        die("use: sizes --dir DIR [--only NAME] [--scale 4 to 100]");
    for (size_t i = 0; i < PW_LENGTH(all); i++)
        if (!only || strcmp(only, all[i].name) == 0)
            all[i].run();
    return 0;
}
