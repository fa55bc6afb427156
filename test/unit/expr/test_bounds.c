/* test_bounds.c - hostile expressions (hostile.cases): each ends at a limit, or within all.
 *
 * What is held to, for each line: the end is the one written there; fuel spent is no more than was
 * given; the arena is where it was; and the heap was never above twice the limit of memory, whoever
 * asked for it (Oniguruma, too): an arena may leave half of a chunk empty. That fuel is near to the
 * work done is a matter of time, and bench/expr --hostile shows it; here, that an instruction's
 * fuel grows with what it works on. */
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "test.h"
#include "expr/expr.h"
#include "expr/regex_internal.h"

/* ---- bytes on the heap: the program's own malloc in front of libc's, where no sanitizer has one
 */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_BYTES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTS_BYTES 0
#endif
#endif
#ifndef COUNTS_BYTES
#define COUNTS_BYTES 1
#endif

static size_t heap_now, heap_most; /* one thread */

#if COUNTS_BYTES
#define INTERPOSED __attribute__((visibility("default")))
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void __libc_free(void *memory);
INTERPOSED void *malloc(size_t size);
INTERPOSED void *calloc(size_t count, size_t size);
INTERPOSED void *realloc(void *old, size_t size);
INTERPOSED void free(void *memory);

static void *counted(void *memory)
{
    heap_now += memory ? malloc_usable_size(memory) : 0;
    heap_most = heap_now > heap_most ? heap_now : heap_most;
    return memory;
}

void *malloc(size_t size)
{
    return counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
    heap_now -= old ? malloc_usable_size(old) : 0;
    void *memory = __libc_realloc(old, size);
    (void)counted(memory ? memory : old);
    return memory;
}

void free(void *memory)
{
    heap_now -= memory ? malloc_usable_size(memory) : 0;
    __libc_free(memory);
}
#endif

enum {
    COMPILE_MOST = 256 << 20,
    KEPT_MAX = 8 << 20, /* scratch that a machine keeps, a spare chunk, compiled patterns */
};

/* The default limits, and with PAWL_TEST_LONG unset a fortieth of them: then what would have gone
 * on may end at fuel or memory. */
static bool is_long(void)
{
    return getenv("PAWL_TEST_LONG") != NULL;
}

static pw_expr_limits limits_of_the_day(void)
{
    pw_expr_limits limits = { .fuel = 10000000, .memory = (size_t)64 << 20 };
    if (!is_long()) {
        limits.fuel /= 40;
        limits.memory /= 40;
    }
    return limits;
}

/* ---- the file */

static bool nothing(void *context, pw_value v)
{
    (void)context, (void)v;
    return true;
}

static bool is_end(const char *wanted, pawl_code code, const char *message)
{
    char limit[64];
    if (!is_long() && (strstr(message, "stopped: fuel") || strstr(message, "stopped: memory")))
        return code == PAWL_EXPRESSION;
    if (strcmp(wanted, "ends") == 0)
        return code == PAWL_OK || code == PAWL_EXPRESSION;
    bool stopped = strncmp(message, "expression stopped: ", 20) == 0;
    if (strcmp(wanted, "error") == 0)
        return code == PAWL_EXPRESSION && !stopped;
    (void)snprintf(limit, sizeof limit, "expression stopped: %s limit reached", wanted);
    return code == PAWL_EXPRESSION && strncmp(message, limit, strlen(limit)) == 0;
}

/* Prints what is wrong; true: nothing is. */
static bool run_case(int line, const char *wanted, const char *source, pw_expr_machine *machine)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_error err = { 0 };
    const pw_expr *expr;
    pw_expr_input input = { .input = pw_null() };
    pawl_code code = pw_expr_compile(&expr, pw_str_of(source), NULL, 0, &arena, NULL, &err);
    if (code != PAWL_OK) {
        printf("# hostile.cases:%d: does not compile: %s\n", line, err.message);
        pw_arena_done(&arena);
        return false;
    }
    const pw_expr_limits limits = limits_of_the_day();
    size_t used = arena.used, heap = heap_now;
    heap_most = heap_now;
    code = pw_expr_run(machine, expr, &input, nothing, NULL, &arena, NULL, &err);
    size_t peak = heap_most - heap;
    bool stopped = code != PAWL_OK && strncmp(err.message, "expression stopped: ", 20) == 0;
    const char *wrong = NULL;
    if (!is_end(wanted, code, err.message))
        wrong = "another end";
    else if (pw_expr_fuel_spent(machine) > limits.fuel)
        wrong = "more fuel than there was";
    else if (stopped && arena.used != used && strcmp(wanted, "outputs") != 0)
        wrong = "the arena is not where it was";
    else if (arena.failed || arena.guard || arena.limit != 0)
        wrong = "the arena is not as it was";
    else if (peak > 2 * limits.memory + KEPT_MAX)
        wrong = "more memory than the limit";
    pw_arena_done(&arena);
    if (!wrong && heap_now > heap + KEPT_MAX)
        wrong = "memory was kept";
    if (wrong)
        printf("# hostile.cases:%d: %s: %.100s\n#    %s, fuel %llu, peak %zu KB, kept %zd KB\n",
               line, wrong, source, code == PAWL_OK ? "ends" : err.message,
               (unsigned long long)pw_expr_fuel_spent(machine), peak >> 10,
               ((ptrdiff_t)heap_now - (ptrdiff_t)heap) / 1024);
    return !wrong;
}

TEST(bounds, every_hostile_expression_ends_at_its_limit_and_gives_its_memory_back)
{
    size_t len;
    char *text = pw_test_read(HOSTILE_CASES, &len), *next = text;
    const pw_expr_limits limits = limits_of_the_day();
    pw_expr_machine *machine = pw_expr_machine_new(&limits);
    int passed = 0, failed = 0, number = 0;
    while (*next) {
        char *line = next, *end = strchr(line, '\n');
        next = end ? end + 1 : line + strlen(line);
        if (end)
            *end = '\0';
        number++;
        char *colon = strchr(line, ':');
        if (line[0] == '#' || line[0] == '\0')
            continue;
        if (!colon)
            fail_msg("hostile.cases:%d: no limit before the expression", number);
        *colon = '\0';
        if (run_case(number, line, colon + 1, machine))
            passed++;
        else
            failed++;
    }
    printf("# hostile.cases: %d end as they must, %d do not\n", passed, failed);
    pw_expr_machine_free(machine);
    free(text);
    EXPECT_INT(failed, 0);
    EXPECT(passed >= 400);
}

/* ---- too large to be compiled */

static pawl_code compile_repeated(const char *part, size_t times, const char *rest, pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    size_t len = strlen(part), rest_len = strlen(rest);
    char *source = malloc(len * times + rest_len + 1);
    for (size_t i = 0; i < times; i++)
        memcpy(source + i * len, part, len);
    memcpy(source + times * len, rest, rest_len + 1);
    const pw_expr *expr;
    size_t position, heap = heap_now;
    heap_most = heap_now;
    pawl_code code = pw_expr_compile(&expr, pw_str_of(source), NULL, 0, &arena, &position, err);
    EXPECT(code == PAWL_OK || arena.used == 0);
    if (heap_most - heap > (size_t)COMPILE_MOST)
        printf("# %zu times %s: peak %zu KB\n", times, part, (heap_most - heap) >> 10);
    pw_arena_done(&arena);
    EXPECT(heap_now <= heap);
    free(source);
    return code;
}

TEST(bounds, what_is_too_large_to_compile_is_told_so)
{
    static const struct {
        const char *part;
        size_t times;
        const char *rest, *message; /* empty: it compiles */
    } cases[] = {
        { "[", 20000, "1", "nested too deeply" },
        { "(", 20000, "1", "nested too deeply" },
        { "{a:", 20000, "1", "nested too deeply" },
        { "-", 20000, "1", "nested too deeply" },
        { "try ", 20000, "1", "nested too deeply" },
        { "if ", 20000, "1", "nested too deeply" },
        { "\"\\(", 20000, "1", "nested too deeply" },
        { "def f: ", 20000, "1", "nested too deeply" },
        { "1 as $x | ", 20000, "$x", "nested too deeply" },
        { "reduce . as $x (0; ", 20000, ".", "nested too deeply" },
        { "1 // ", 20000, "1", "nested too deeply" },
        { "label $a | ", 20000, "1", "nested too deeply" },
        { ".a", 5 << 20, "", "too long: an expression has at most 1048576 bytes" },
        { "1+", 500000, "1", "" },
        { "1|", 500000, "1", "" },
        { ".a", 500000, "", "" },
        { "[],", 300000, "1", "" },
        { "def f: f; ", 65000, "f", "" },
        { "map(.) | ", 70000, "1", "too large: more than 65535 variables" },
        { "walk(.) | ", 65000, "1", "" },
        { "{} | ", 200000, ".", "" },
        { "\\", 1000000, "", "syntax error" },
        { "\"", 1000000, "", "syntax error" },
        { "#", 1000000, "", "syntax error" },
        { "9", 1000000, "", "" },
        { "a", 1000000, "", "aaaaaaaaaaaa" },
        { "[.[]|", 400, "1", "syntax error" },
    };
    int failed = 0;
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_error err = { 0 };
        pawl_code code = compile_repeated(cases[i].part, cases[i].times, cases[i].rest, &err);
        if (cases[i].message[0] == '\0' && code == PAWL_OK)
            continue;
        if (code == PAWL_INVALID && cases[i].message[0] && strstr(err.message, cases[i].message))
            continue;
        failed++;
        printf("# %zu times %s: %d %s, expected %s\n", cases[i].times, cases[i].part, (int)code,
               err.message, cases[i].message);
    }
    EXPECT_INT(failed, 0);
}

/* ---- how far a regular expression may run */

TEST(bounds, a_pattern_tells_how_far_it_may_run)
{
    enum { ALL = -1 };
    static const struct {
        const char *pattern;
        int solid, space, line, times; /* solid ALL: over everything */
    } cases[] = {
        { "abc", 0, 0, 0, 1 },
        { "a+b*c?", 2, 0, 0, 1 },
        { "\\s+", 0, 1, 0, 1 },
        { "\\d{1,3}-\\w+", 2, 0, 0, 1 },
        { "\\S+ .*", 1, 0, 1, 1 },
        { ".*?x", 0, 0, 1, 1 },
        { " *", 0, 1, 0, 1 },
        { "[a-z0-9]+@[^\\s,]+", 2, 0, 0, 1 },
        { "[^\\n]*", 0, 0, 1, 1 },
        { "[^\"]*", ALL, 0, 0, 0 },
        { "[a-z ]+", ALL, 0, 0, 0 },
        { "[[:space:]]+", ALL, 0, 0, 0 },
        { "\\W+", ALL, 0, 0, 0 },
        { "\\p{Zs}+", ALL, 0, 0, 0 },
        { "\\p{L}", 0, 0, 0, 1 },
        { "\\x{20}*", ALL, 0, 0, 0 },
        { "(?<w>\\w+)-(?:\\w+)?", 2, 0, 0, 1 },
        { "(\\d{1,3}\\.){3}\\d{1,3}", 2, 0, 0, 3 },
        { "((a+){10}){10}", 1, 0, 0, 100 },
        { "((a+){1000}){1000}", ALL, 0, 0, 0 },
        { "(a|b)*", ALL, 0, 0, 0 },
        { "(a){2,}", ALL, 0, 0, 0 },
        { "a**", ALL, 0, 0, 0 },
        { "(a)\\1", ALL, 0, 0, 0 },
        { "(?<x>a\\g<x>?)", ALL, 0, 0, 0 },
        { "(?=a*b)(?!c+)(?<=d)(?>e*)", 3, 0, 0, 1 },
        { "(?s).*", ALL, 0, 0, 0 },
        { "(?i)a+", 1, 0, 0, 1 },
        { "(?x) a +", ALL, 0, 0, 0 },
        { "(?~a)", ALL, 0, 0, 0 },
        { "(?#a*)b+", 1, 0, 0, 1 },
        { "\\*\\+", 0, 0, 0, 1 },
        { "[*+]", 0, 0, 0, 1 },
    };
    int failed = 0;
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_regex_reach r = pw_regex_reach_of(pw_str_of(cases[i].pattern), false, false);
        if (cases[i].solid == ALL
                ? r.everything
                : !r.everything && r.solid == (unsigned)cases[i].solid &&
                      r.space == (unsigned)cases[i].space && r.line == (unsigned)cases[i].line &&
                      r.times == (unsigned)cases[i].times)
            continue;
        printf("# %s: %u %u %u, %u times%s\n", cases[i].pattern, r.solid, r.space, r.line, r.times,
               r.everything ? ", everything" : "");
        failed++;
    }
    EXPECT_INT(failed, 0);
    pw_text_runs runs = pw_text_runs_of(PW_LIT("one, two  three\nfour"));
    EXPECT_INT(runs.solid, 5);
    EXPECT_INT(runs.space, 2);
    EXPECT_INT(runs.line, 15);
}

/* ---- fuel grows with the work */

static uint64_t fuel_of(const char *source, unsigned n)
{
    char text[500];
    (void)snprintf(text, sizeof text, "%u as $n | %s", n, source);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_error err = { 0 };
    const pw_expr *expr;
    pw_expr_input input = { .input = pw_null() };
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    EXPECT_OK(pw_expr_compile(&expr, pw_str_of(text), NULL, 0, &arena, NULL, &err), err);
    pawl_code code = pw_expr_run(machine, expr, &input, nothing, NULL, &arena, NULL, &err);
    if (code != PAWL_OK)
        fail_msg("%s: %s", text, err.message);
    uint64_t fuel = pw_expr_fuel_spent(machine);
    pw_expr_machine_free(machine);
    pw_arena_done(&arena);
    return fuel;
}

/* The first makes what the second works on; both see $n. With eight times as much of it, the second
 * must cost at least six times as much: then what it costs is not of the instruction alone. */
TEST(bounds, fuel_grows_with_what_an_instruction_works_on)
{
#define ITEMS "[range($n * 50)]"
#define TEXT "(\"ab\" * ($n * 500))"
#define KEYS "(reduce range($n * 50) as $i ({}; .[\"k\\($i)\"] = $i))"
#define LONG "(\"x\" * ($n * 5000)) as $k | {\"\\($k)a\": 1, \"\\($k)b\": 2}"
#define DIGITS "(\"1\" * ($n * 5000) | tonumber)"
    /* clang-format off */
    static const char *const cases[][2] = {
        { ITEMS, "sort" }, { ITEMS, "unique" }, { ITEMS, "group_by(0)" }, { ITEMS, "add" },
        { ITEMS, "min" }, { ITEMS, "max" }, { ITEMS, "reverse" }, { ITEMS, "any(false)" },
        { ITEMS, "map(true) | all" }, { ITEMS, "map(false) | any" }, { ITEMS, "join(\",\")" },
        { ITEMS, "flatten" }, { ITEMS, "[.] | transpose" }, { ITEMS, "index(-1)" },
        { ITEMS, ". - [-1]" }, { ITEMS, "contains([-1])" }, { ITEMS, ". == (.[0] = 0)" },
        { ITEMS, "tojson" }, { ITEMS, "implode" }, { ITEMS, "@csv" }, { ITEMS, "@sh" },
        { ITEMS, "keys" }, { ITEMS, ".[0] = 1" }, { ITEMS, "del(.[0])" }, { ITEMS, ".[1:] = []" },
        { ITEMS, "del(.[])" }, { ITEMS, "[paths]" }, { ITEMS, "walk(.)" }, { ITEMS, "[tostream]" },
        { TEXT, "length" }, { TEXT, "explode" }, { TEXT, "ascii_downcase" }, { TEXT, "reverse" },
        { TEXT, "tojson" }, { TEXT, "split(\"a\")" }, { TEXT, "split(\"x\")" }, { TEXT, "indices(\"b\")" },
        { TEXT, "index(\"x\")" }, { TEXT, "contains(\"x\")" }, { TEXT, "trim" }, { TEXT, ".[1:]" },
        { TEXT, "@base64" }, { TEXT, "@base32" }, { TEXT, "@uri" }, { TEXT, "@html" }, { TEXT, "@sh" },
        { TEXT, "test(\"x\")" }, { TEXT, "test(\"[x-z]\")" }, { TEXT, "[match(\"a\"; \"g\")]" },
        { TEXT, "gsub(\"a\"; \"\")" }, { TEXT, ". + \"x\"" }, { TEXT, ". * 2" }, { TEXT, "startswith(.)" },
        { TEXT, "ltrimstr(.)" }, { TEXT, "\"\\(.)x\"" }, { TEXT, ". == . + \"\"" },
        { TEXT, ". as $f | 0 | strftime($f)" }, { TEXT, "try strptime(\"%Y\") catch 0" },
        { TEXT, "tojson | fromjson" }, { TEXT, ". < . + \"x\"" }, { TEXT, "@text \"\\(.)x\"" },
        { KEYS, "keys" }, { KEYS, "to_entries" }, { KEYS, "with_entries(.)" }, { KEYS, "map_values(.)" },
        { KEYS, "del(.k5)" }, { KEYS, ". + {k5: 0}" }, { KEYS, ".k5 = 0" }, { KEYS, ". * {k5: 0}" },
        { KEYS, ". == (. + {k5: 0})" }, { KEYS, "contains(.)" }, { KEYS, "[., .] | add" },
        { KEYS, "tojson" }, { KEYS, "add" }, { KEYS, "to_entries | from_entries" },
        { LONG, ".[\"\\($k)b\"]" }, { LONG, "has($k)" }, { LONG, ".[$k] = 1" }, { LONG, "del(.[$k])" },
        { LONG, ". + {($k): 1}" }, { LONG, ". * {($k): 1}" }, { LONG, "{($k): 1}" }, { LONG, "keys" },
        { LONG, ". == (. + {x: 1})" }, { LONG, "[., .] | sort" }, { LONG, "[., .] | add" },
        { LONG, "contains(.)" }, { LONG, "getpath([$k])" }, { LONG, "[{key: $k}] | from_entries" },
        { DIGITS, ". + 1" }, { DIGITS, ". * 1" }, { DIGITS, ". == 1" }, { DIGITS, "-." },
        { DIGITS, "floor" }, { DIGITS, "sin" }, { DIGITS, "[., .] | sort" }, { DIGITS, "[.] | implode" },
        { DIGITS, ". as $d | [1] | .[$d]" }, { DIGITS, ". as $d | [1] | .[$d:]" },
        { DIGITS, "[limit(.; 1)]" }, { DIGITS, "[range(.; 0)]" }, { DIGITS, "tojson" },
        { DIGITS, ". as $d | [1] | has($d)" }, { DIGITS, "length" }, { DIGITS, "isnan" },
    };
    /* clang-format on */
    int failed = 0;
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char both[400];
        uint64_t fuel[2];
        for (unsigned k = 0; k < 2; k++) {
            unsigned n = k ? 80 : 10;
            (void)snprintf(both, sizeof both, "%s | %s | 0", cases[i][0], cases[i][1]);
            uint64_t all = fuel_of(both, n);
            (void)snprintf(both, sizeof both, "%s | 0", cases[i][0]);
            fuel[k] = all - fuel_of(both, n);
        }
        if (fuel[1] >= 6 * fuel[0])
            continue;
        failed++;
        printf("# %s | %s: %llu, with eight times as much only %llu\n", cases[i][0], cases[i][1],
               (unsigned long long)fuel[0], (unsigned long long)fuel[1]);
    }
    EXPECT_INT(failed, 0);
}

TEST_MAIN()
