/* test_expr.c - our own groups (expr.cases), limits, errors and positions, threads, memory. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "test.h"
#include "groups.h"
#include "base/json.h"

/* ---- helpers */

typedef struct result {
    pawl_code code;
    char message[480];
    char text[8192]; /* outputs, one a line */
    uint64_t fuel;
    int outputs;
} result;

typedef struct collector {
    result *to;
    pw_arena *arena;
    int stop_after;
} collector;

static bool collect(void *context, pw_value v)
{
    collector *c = context;
    pw_str text = pw_json_text(c->arena, v, PW_JSON_COMPACT);
    size_t have = strlen(c->to->text);
    if (text.ptr && have + text.len + 2 < sizeof c->to->text)
        (void)snprintf(c->to->text + have, sizeof c->to->text - have, "%.*s\n", (int)text.len,
                       text.ptr);
    c->to->outputs++;
    return c->stop_after == 0 || c->to->outputs < c->stop_after;
}

static const pw_expr_variable variables[] = {
    { { "input", 5 }, 0 },
    { { "context", 7 }, 1 },
    { { "last", 4 }, 63 },
    { { "input", 5 }, 2 },
};

static result run_with(const char *source, const pw_expr_limits *limits, int stop_after)
{
    static result r;
    memset(&r, 0, sizeof r);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_error err = { 0 };
    const pw_expr *expr;
    size_t position;
    r.code = pw_expr_compile(&expr, pw_str_of(source), variables, PW_LENGTH(variables), &arena,
                             &position, &err);
    if (r.code == PAWL_OK) {
        pw_expr_machine *machine = pw_expr_machine_new(limits);
        pw_value slots[] = { pw_int(10), pw_int(20), pw_int(30) };
        pw_expr_input input = {
            .input = pw_null(), .slots = slots, .slot_count = 3, .now_ms = 1500000000500
        };
        collector c = { &r, &arena, stop_after };
        r.code = pw_expr_run(machine, expr, &input, collect, &c, &arena, NULL, &err);
        r.fuel = pw_expr_fuel_spent(machine);
        pw_expr_machine_free(machine);
    }
    (void)snprintf(r.message, sizeof r.message, "%s", err.message);
    pw_arena_done(&arena);
    return r;
}

static result run(const char *source)
{
    return run_with(source, NULL, 0);
}

/* ---- groups */

TEST(expr, our_own_groups)
{
    group_file file = group_open(EXPR_CASES);
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    group g;
    int passed = 0, failed = 0;
    while (group_next(&file, &g)) {
        const char *difference = group_run(&g, machine, NULL);
        if (difference[0]) {
            printf("# expr.cases:%d: %s\n#    %s\n", g.line, g.program, difference);
            failed++;
        } else {
            passed++;
        }
    }
    printf("# expr.cases: %d passed, %d differ\n", passed, failed);
    pw_expr_machine_free(machine);
    group_close(&file);
    EXPECT_INT(failed, 0);
    EXPECT(passed >= 300);
}

/* ---- arguments and the clock */

TEST(expr, variables_from_outside_are_slots_and_later_ones_hide_earlier_ones)
{
    EXPECT_TEXT(run("[$input, $context, $last]").text, "[30,20,null]\n");
}

TEST(expr, slots_tells_which_arguments_are_read)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const pw_expr *expr;
    pawl_error err;
    EXPECT_OK(pw_expr_compile(&expr, PW_LIT("if . then $context else $last end"), variables,
                              PW_LENGTH(variables), &arena, NULL, &err),
              err);
    EXPECT(pw_expr_slots(expr) == (1ull << 1 | 1ull << 63));
    EXPECT_OK(pw_expr_compile(&expr, PW_LIT("1 as $context | $context"), variables,
                              PW_LENGTH(variables), &arena, NULL, &err),
              err);
    EXPECT(pw_expr_slots(expr) == 0);
    pw_arena_done(&arena);
}

/* Who waits evaluates what reads no input before it waits. */
TEST(expr, reads_input_is_false_only_where_the_input_does_not_matter)
{
    static const struct {
        const char *source;
        bool reads;
    } rows[] = {
        { ".", true },
        { ".a", true },
        { "..", true },
        { "$input", false },
        { "$input.id", false },
        { "$input | .id", false },
        { "$input.items[0:2][]", false },
        { "$input[.at]", true },
        { "$input[1:.to]", true },
        { "$input.id | tostring", false },
        { "$input.id == .id", true },
        { ".id == $input.id", true },
        { "1 + $input.n * 2", false },
        { "-$input.n", false },
        { "-.n", true },
        { "\"order-\\($input.id)\"", false },
        { "\"order-\\(.id)\"", true },
        { "[1, $input.a]", false },
        { "[]", false },
        { "[.a]", true },
        { "{ a: $input.a, $input }", false },
        { "{ a }", true },
        { "{ (.k): 1 }", true },
        { "if $input.a then 1 else 2 end", false },
        { "if $input.a then 1 end", true },
        { "if .a then 1 else 2 end", true },
        { "if $input.a then .b else 2 end", true },
        { "$input.a // 1", false },
        { "$input.a // .b", true },
        { "$input.a and .b", true },
        { "($input.a | length) > 2", false },
        { "length", true },
        { "now", true }, /* not known to look elsewhere: yes is the safe answer */
        { "$input as $x | $x.id", false },
        { ". as $x | 1", true },
        { "$input as $x | .id", true },
        { "$input as [$x] | $x", true },
        { "reduce $input[] as $x (0; . + $x)", false },
        { "reduce $input[] as $x (.; . + $x)", true },
        { "foreach $input[] as $x (0; . + $x; .)", false },
        { "reduce .[] as $x (0; . + $x)", true },
        { "try $input.a catch 1", false },
        { "try $input.a catch .", true },
        { "$input.a?", false },
        { "label $out | $input.a", false },
        { "def f: .; $input", false },
        { "def f: 1; f", true },
        { "$input | .a = 1", false },
        { ".a = 1", true },
        { ".a |= 1", true },
        { ".a += 1", true },
        { "@json", true },
        { "1, .", true },
        { "1, 2", false },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        pw_arena arena;
        pw_arena_init(&arena, 0);
        const pw_expr *expr;
        pawl_error err;
        EXPECT_OK(pw_expr_compile(&expr, pw_str_of(rows[i].source), variables,
                                  PW_LENGTH(variables), &arena, NULL, &err),
                  err);
        if (pw_expr_reads_input(expr) != rows[i].reads)
            fail_msg("%s: %d", rows[i].source, rows[i].reads);
        pw_arena_done(&arena);
    }
}

TEST(expr, now_is_the_given_time)
{
    EXPECT_TEXT(run("now, (now | todate)").text, "1500000000.5\n\"2017-07-14T02:40:00Z\"\n");
}

/* ---- outputs */

TEST(expr, first_gives_the_first_output_and_null_for_none)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const pw_expr *expr;
    pawl_error err;
    pw_value v;
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    pw_expr_input input = { .input = pw_int(7) };
    EXPECT_OK(pw_expr_compile(&expr, PW_LIT("., error"), NULL, 0, &arena, NULL, &err), err);
    EXPECT_OK(pw_expr_first(&v, machine, expr, &input, &arena, &err), err);
    EXPECT(pw_equal(v, pw_int(7)));
    EXPECT_OK(pw_expr_compile(&expr, PW_LIT("empty"), NULL, 0, &arena, NULL, &err), err);
    EXPECT_OK(pw_expr_first(&v, machine, expr, &input, &arena, &err), err);
    EXPECT(pw_is(v, PW_NULL));
    EXPECT_OK(pw_expr_compile(&expr, PW_LIT("{a: 1} | error"), NULL, 0, &arena, NULL, &err), err);
    EXPECT_INT(pw_expr_first(&v, machine, expr, &input, &arena, &err), PAWL_EXPRESSION);
    EXPECT_TEXT(err.message, "{\"a\":1} (not a string)");
    pw_expr_machine_free(machine);
    pw_arena_done(&arena);
}

TEST(expr, outputs_are_made_only_as_they_are_taken)
{
    result r = run_with("1, 2, error(\"not reached\")", NULL, 2);
    EXPECT_INT(r.code, PAWL_OK);
    EXPECT_TEXT(r.text, "1\n2\n");
    r = run_with("range(1e15)", NULL, 3);
    EXPECT_INT(r.code, PAWL_OK);
    EXPECT_TEXT(r.text, "0\n1\n2\n");
}

TEST(expr, thrown_is_the_value_of_the_error)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const pw_expr *expr;
    pawl_error err;
    result r = { 0 };
    collector c = { &r, &arena, 0 };
    pw_value thrown;
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    pw_expr_input input = { .input = pw_null() };
    EXPECT_OK(pw_expr_compile(&expr, PW_LIT("1, error({code: 3})"), NULL, 0, &arena, NULL, &err),
              err);
    EXPECT_INT(pw_expr_run(machine, expr, &input, collect, &c, &arena, &thrown, &err),
               PAWL_EXPRESSION);
    EXPECT_STR(pw_json_text(&arena, thrown, 0), "{\"code\":3}");
    EXPECT_TEXT(r.text, "1\n");
    pw_expr_machine_free(machine);
    pw_arena_done(&arena);
}

/* ---- limits: each ends in an error that names it, and gives its memory back */

static void expect_stop(const char *source, const char *limit)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const pw_expr *expr;
    pawl_error err = { 0 };
    result r = { 0 };
    collector c = { &r, &arena, 0 };
    pw_expr_machine *machine =
        pw_expr_machine_new(&(pw_expr_limits){ .fuel = 1000000, .memory = 4 << 20 });
    pw_expr_input input = { .input = pw_null() };
    EXPECT_OK(pw_expr_compile(&expr, pw_str_of(source), NULL, 0, &arena, NULL, &err), err);
    size_t used = arena.used;
    pw_value thrown = pw_null();
    pawl_code code = pw_expr_run(machine, expr, &input, collect, &c, &arena, &thrown, &err);
    if (code != PAWL_EXPRESSION || !strstr(err.message, limit))
        fail_msg("%s: %d %s, expected %s", source, (int)code, err.message, limit);
    EXPECT_INT(arena.used, used);
    EXPECT(!arena.failed && !arena.guard && arena.limit == 0);
    EXPECT_STR(pw_text(thrown), err.message);
    /* the machine is as good as before */
    EXPECT_OK(pw_expr_compile(&expr, PW_LIT("[range(3)] | add"), NULL, 0, &arena, NULL, &err), err);
    EXPECT_OK(pw_expr_run(machine, expr, &input, collect, &c, &arena, NULL, &err), err);
    EXPECT_TEXT(r.text, "3\n");
    pw_expr_machine_free(machine);
    pw_arena_done(&arena);
}

/* What else ends so: hostile.cases. */
TEST(expr, endless_expressions_end_at_a_limit)
{
    expect_stop("def f: f; f", "fuel limit");
    expect_stop("def f: 1 + f; f", "depth limit");
    expect_stop("[range(1e12)]", "memory limit");
    expect_stop("\"x\" * 1e9", "memory limit");
    expect_stop("[repeat(.)]", "limit");
    expect_stop("try (def f: f; f) catch .", "fuel limit");
    expect_stop("(def f: f; f)? // 1", "fuel limit");
    expect_stop("reduce range(100) as $i (0; [., .])", "fuel limit");
    expect_stop("[.[999999]?, (.[536870910] = 1)]", "memory limit");
    expect_stop("(\"a\" * 40) | test(\"(a+)+$b\")", "fuel limit");
    expect_stop("reduce range(1e7) as $i (\"\"; . + \"0123456789012345678901234567890123456789\")",
                "limit");
    expect_stop("[range(20) | jn(1e9; 3)]", "fuel limit");
    expect_stop("\"[\" + \"1,\" * 1e5 + \"1]\" | [., .] | map(fromjson)", "memory limit");
    expect_stop("[range(300000)] | sort", "limit");
}

TEST(expr, a_path_has_a_length_limit)
{
    result r = run("first(path(recurse(.a) | select(false)))");
    EXPECT_INT(r.code, PAWL_EXPRESSION);
    EXPECT_TEXT(r.message, "Path too deep");
    EXPECT_TEXT(run("try first(path(recurse(.a) | select(false))) catch \"caught\"").text,
                "\"caught\"\n");
}

TEST(expr, a_result_has_a_depth_limit)
{
    result r = run("reduce range(10005) as $i (0; [.])");
    EXPECT_INT(r.code, PAWL_EXPRESSION);
    EXPECT_CONTAINS(r.message, "nested too deeply");
}

TEST(expr, too_many_outputs_end_at_a_limit)
{
    result r = run_with("repeat(1)", &(pw_expr_limits){ .outputs = 1000 }, 0);
    EXPECT_INT(r.code, PAWL_EXPRESSION);
    EXPECT_CONTAINS(r.message, "outputs limit");
    EXPECT_INT(r.outputs, 1000);
}

TEST(expr, limits_are_as_given)
{
    EXPECT_INT(
        run_with("reduce range(100) as $i (0; . + $i)", &(pw_expr_limits){ .fuel = 100 }, 0).code,
        PAWL_EXPRESSION);
    /* the limit, and not the machine's memory: that would be tried again for ever */
    const pw_expr_limits megabyte = { .memory = 1u << 20 };
    EXPECT_INT(run_with("\"0123456789\" * 40000 | -.", &megabyte, 0).code, PAWL_EXPRESSION);
    EXPECT_INT(run_with("\"[\" + \"1,\" * 150000 + \"1]\" | fromjson", &megabyte, 0).code,
               PAWL_EXPRESSION);
    EXPECT_INT(run_with("[range(1000)] | length", &(pw_expr_limits){ .memory = 1000 }, 0).code,
               PAWL_EXPRESSION);
    EXPECT_INT(run_with("def f: if . > 20 then . else (. + 1 | f) + 0 end; 0 | f",
                        &(pw_expr_limits){ .depth = 10 }, 0)
                   .code,
               PAWL_EXPRESSION);
    EXPECT_INT(run_with("def f: if . > 20 then . else (. + 1 | f) + 0 end; 0 | f",
                        &(pw_expr_limits){ .depth = 100 }, 0)
                   .code,
               PAWL_OK);
}

TEST(expr, tail_calls_need_no_depth)
{
    result r = run_with("def f: if . >= 50000 then . else . + 1 | f end; 0 | f",
                        &(pw_expr_limits){ .depth = 20 }, 0);
    EXPECT_TEXT(r.text, "50000\n");
    r = run_with("last(limit(50000; repeat(1)))", &(pw_expr_limits){ .depth = 20 }, 0);
    EXPECT_TEXT(r.text, "1\n");
    r = run_with("def f($n): if $n == 0 then \"end\" else f($n - 1) end; f(50000)",
                 &(pw_expr_limits){ .depth = 20 }, 0);
    EXPECT_TEXT(r.text, "\"end\"\n");
}

TEST(expr, appending_in_a_loop_costs_what_it_appends)
{
    result r = run("reduce range(50000) as $i ([]; . + [$i]) | length");
    EXPECT_TEXT(r.text, "50000\n");
    EXPECT(r.fuel < 1000000);
    r = run("[range(20000)] | .[] += 1 | add");
    EXPECT_TEXT(r.text, "200010000\n");
    EXPECT(r.fuel < 1000000);
}

TEST(expr, a_longer_array_does_not_show_in_the_shorter_one_it_grew_from)
{
    EXPECT_TEXT(run("[1,2,3,4,5] as $a | ($a + [6]) as $b | ($a + [7]) as $c | ($b + [8]) as $d "
                    "| ($b + [9]) as $e | [$a, $b, $c, $d, $e][]")
                    .text,
                "[1,2,3,4,5]\n[1,2,3,4,5,6]\n[1,2,3,4,5,7]\n[1,2,3,4,5,6,8]\n[1,2,3,4,5,6,9]\n");
    EXPECT_TEXT(
        run("(\"a\" * 40) as $a | ($a + \"b\") as $b | ($a + \"c\") as $c | ($b + \"d\") as $d "
            "| [$a, $b, $c, $d] | map(.[39:])")
            .text,
        "[\"a\",\"ab\",\"ac\",\"abd\"]\n");
}

TEST(expr, adding_keys_in_a_loop_costs_what_it_adds)
{
    static const char *const folds[][2] = {
        /* around the count */
        { "reduce range(", ") as $i ({}; . + {(\"k\\($i)\"): $i}) | length, .k7" },
        { "reduce range(", ") as $i ({}; .[\"k\\($i)\"] = $i) | length, .k7" },
        { "reduce range(", "; 0; -1) as $i ({}; .[\"k\\($i)\"] += $i) | length, .k7" },
        { "reduce range(", ") as $i ({}; setpath([\"k\\($i * 7919 % 100000)\"]; "
                           "$i * 7919 % 100000)) | length, .k7" },
    };
    for (size_t i = 0; i < PW_LENGTH(folds); i++) {
        char program[200];
        int many = i == 0 || i == 3 ? 100000 : 20000;
        (void)snprintf(program, sizeof program, "%s%d%s", folds[i][0], many / 20, folds[i][1]);
        uint64_t fuel = run(program).fuel;
        (void)snprintf(program, sizeof program, "%s%d%s", folds[i][0], many, folds[i][1]);
        result r = run(program); /* within the default limits */
        EXPECT_TEXT(r.message, "");
        EXPECT_TEXT(r.text, many == 100000 ? "100000\n7\n" : "20000\n7\n");
        EXPECT(r.fuel < 2 * 20 * fuel);
    }
}

/* The object or array is copied once, not each time. */
TEST(expr, giving_keys_other_values_in_a_loop_costs_what_it_changes)
{
    static const char *const folds[] = {
        /* behind the count */
        "({}; .[\"k\\($i % 5000)\"] += 1) | length, .k7",
        "({n: {}}; .n[$i % 5000 | tostring] += 1) | .n | length, .\"7\"",
        "([]; .[$i % 5000] += 1) | length, .[7]",
        "({}; .[\"k\\($i % 5000)\"] |= . + 1) | length, .k7",
        "({n: [{}]}; .n[0][\"k\\($i % 5000)\"] |= . + 1) | .n[0] | length, .k7",
        "([range(5000) | 0]; .[$i % 5000] = .[$i % 5000] + 1) | length, .[7]",
        "({}; if $i < 0 then .x = 1 else .[$i % 5000 | @text] += 1 end) | length, .\"7\"",
        "({}; .all += 1 | .[$i % 5000 | @text] += 1) | length - 1, .\"7\"",
    };
    for (size_t i = 0; i < PW_LENGTH(folds); i++) {
        char program[200];
        (void)snprintf(program, sizeof program, "reduce range(10000) as $i %s", folds[i]);
        result r = run(program);
        EXPECT_TEXT(r.text, "5000\n2\n");
        uint64_t fuel = r.fuel;
        (void)snprintf(program, sizeof program, "reduce range(40000) as $i %s", folds[i]);
        r = run(program);
        EXPECT_TEXT(r.message, "");
        EXPECT_TEXT(r.text, "5000\n8\n");
        EXPECT(r.fuel < 5 * fuel);
    }
}

TEST(expr, what_a_loop_changes_in_place_is_seen_by_nobody_else)
{
    static const char *const cases[][2] = {
        { "{x: {n: 0}, y: [1, 2]} | . as $o | reduce range(3) as $i (.; .x.n += 1 | .y[0] = $i)"
          " | [$o, .][]",
          "{\"x\":{\"n\":0},\"y\":[1,2]}\n{\"x\":{\"n\":3},\"y\":[2,2]}\n" },
        { "[reduce range(3) as $i ({}, {z: 9}, {a: 5}; .a += $i)][]",
          "{\"a\":3}\n{\"z\":9,\"a\":3}\n{\"a\":8}\n" },
        { "reduce range(3) as $i ({c: {}}; .c.k += 1 | .c.l = $i | .past += [.c]) | .past[]",
          "{\"k\":1,\"l\":0}\n{\"k\":2,\"l\":1}\n{\"k\":3,\"l\":2}\n" },
        { "reduce range(3) as $i ({p: {n: 1}}; .q = .p | .p.n += 1 | .q.n += 10)",
          "{\"p\":{\"n\":4},\"q\":{\"n\":13}}\n" },
        { "{n: 1} as $v | reduce range(3) as $i ({}; .p = $v | .p.n += $i | .q[\"\\($i)\"] = .p) | "
          "$v,"
          " .",
          "{\"n\":1}\n{\"p\":{\"n\":3},\"q\":{\"0\":{\"n\":1},\"1\":{\"n\":2},\"2\":{\"n\":3}}}"
          "\n" },
        { "reduce range(3) as $i ({}; .p = {n: 1} | .p.n += $i | .p.m = $i), {n: 1}",
          "{\"p\":{\"n\":3,\"m\":2}}\n{\"n\":1}\n" },
        { "reduce range(3) as $i ([0, 0]; .[0] += 1 | .[1] = .[0:1])", "[3,[3]]\n" },
        { "reduce range(2) as $i ([0]; .[0] += 1 | .[$i + 1] = [.[0:2]])",
          "[2,[[1]],[[2,[[1]]]]]\n" },
        { "def f: reduce range(2) as $i ({a: 1}; .a += 1); [f, f, (f | .a = 9), f] | map(.a)",
          "[3,3,9,3]\n" },
        { "[range(3) as $j | reduce range(2) as $i ({}; .a += 1 | .b = $j)] | map([.a, .b])",
          "[[2,0],[2,1],[2,2]]\n" },
        { "[foreach range(3) as $i ({}; .a += 1)]", "[{\"a\":1},{\"a\":2},{\"a\":3}]\n" },
        { "[foreach range(3) as $i ({}; reduce range(2) as $k (.; .a += 1))]",
          "[{\"a\":2},{\"a\":4},{\"a\":6}]\n" },
        { "reduce range(3) as $i ({}; .s = {o: .} | .a += 1)",
          "{\"s\":{\"o\":{\"s\":{\"o\":{\"s\":{\"o\":{}},\"a\":1}},\"a\":2}},\"a\":3}\n" },
        { "reduce range(2) as $i ({}; .a = (1, 2) | .b += .a)", "{\"a\":2,\"b\":4}\n" },
        { "reduce range(3) as $i ({}; .a += 1 | if .a == 2 then .b = [.a] else . end)",
          "{\"a\":3,\"b\":[2]}\n" },
        { "[reduce range(3) as $i ({}; .a = $i | .b = length | .[(\"c\", \"d\")] += 1)]",
          "[{\"a\":2,\"b\":4,\"c\":3,\"d\":3}]\n" },
        { "def length: {n: .}; reduce range(2) as $i ({}; .a = ($i | length) | .b += 1)",
          "{\"a\":{\"n\":1},\"b\":2}\n" },
        { "reduce range(3) as $i ({a: {}}; .a |= {n: .} | .a.n.m = $i | .b = .a)",
          "{\"a\":{\"n\":{\"n\":{\"n\":{\"m\":0},\"m\":1},\"m\":2}},"
          "\"b\":{\"n\":{\"n\":{\"n\":{\"m\":0},\"m\":1},\"m\":2}}}\n" },
        { "reduce range(4) as $i ({a: [0]}; .a |= . + [$i] | .a[0] |= . + 1 | .c[$i] = [.a])"
          " | .c[][]",
          "[1,0]\n[2,0,1]\n[3,0,1,2]\n[4,0,1,2,3]\n" },
        { "reduce range(3) as $i ({a: {n: 0}}; .a |= (. as $l | .n += 1 | .was = $l) | .k[$i] |= 7)"
          " | .a, .k",
          "{\"n\":3,\"was\":{\"n\":2,\"was\":{\"n\":1,\"was\":{\"n\":0}}}}\n[7,7,7]\n" },
        { "reduce range(4) as $i ({a: 1, b: 2}; .a |= (if $i == 1 then empty else $i end) | .b |= "
          ".)",
          "{\"b\":2,\"a\":3}\n" },
        { "try (reduce range(3) as $i ({}; .a += 1 | .b = (if $i == 2 then $i | error else 0 end)))"
          " catch .",
          "2\n" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        EXPECT_TEXT(run(cases[i][0]).text, cases[i][1]);
}

#define TWELVE "(reduce range(12) as $i ({}; .[\"k\\($i)\"] = $i))"

TEST(expr, a_longer_object_does_not_show_in_the_shorter_one_it_grew_from)
{
    static const char *const cases[][2] = {
        { TWELVE " | . as $a | ($a + {x: 1}) as $b | ($a + {y: 2}) as $c | ($b + {y: 3}) as $d "
                 "| ($b + {z: 4}) as $e | [$a, $b, $c, $d, $e] "
                 "| map(to_entries[11:] | map(\"\\(.key)\\(.value)\") | join(\" \"))",
          "[\"k1111\",\"k1111 x1\",\"k1111 y2\",\"k1111 x1 y3\",\"k1111 x1 z4\"]\n" },
        { TWELVE " | . as $a | (.x = 1) as $b | (.y = 2 | .x = 3) as $c | ($b | .y = 4 | .k0 = 5) "
                 "as $d | [$a, $b, $c, $d] | map([.x, .y, .k0, length])",
          "[[null,null,0,12],[1,null,0,13],[3,2,0,14],[1,4,5,14]]\n" },
        /* one assignment that adds in place, then changes what the older version has too */
        { TWELVE " | . as $a | ((.x, .k0, .x, .k1) = 9) as $b | [$a, $b] | map([.x, .k0, .k1])",
          "[[null,0,1],[9,9,9]]\n" },
        { TWELVE " | . as $a | ((.x, .k0, .x) |= 9) as $b | [$a, $b] | map([.x, .k0])",
          "[[null,0],[9,9]]\n" },
        { TWELVE
          " | .o = . | . as $a | (.o.x = 1) as $b | (.o.y = 2) as $c | ($b | .o.z = .o) as $d"
          " | [$a, $b, $c, $d] | map(.o | [.x, .y, (.z | type), length])",
          "[[null,null,\"null\",12],[1,null,\"null\",13],[null,2,\"null\",13],"
          "[1,null,\"object\",14]]\n" },
        { TWELVE " | . as $a | (.x = .) as $b | ($b | .x.y = .) as $c "
                 "| [$a, $b, $b.x, $c, $c.x, $c.x.y] | map(length)",
          "[12,13,12,13,13,13]\n" },
        { "[foreach range(100; 0; -1) as $i ({}; .[\"k\\($i + 100)\"] = $i)] "
          "| [.[] | length] == [range(1; 101)], (.[20] | keys == (keys_unsorted | sort)), "
          "(.[20] | .k200, .k180, .k179), (.[20] == .[20]), (.[20] < .[21]), "
          "(.[50] == (.[99] | with_entries(select(.value >= 50))))",
          "true\ntrue\n100\n80\nnull\ntrue\nfalse\ntrue\n" },
        { TWELVE " | (.x = 1) as $b | del(.k0) as $c | ($b | del(.k0)) as $d "
                 "| ($b | del(.x)) as $e | [., $b, $c, $d, $e == .] "
                 "| map(objects | length), .[4]",
          "[12,13,11,12]\ntrue\n" },
        { TWELVE " | . as $a | [range(3) as $i | .[\"n\\($i)\"] = $i | length, has(\"n0\")], "
                 "($a | length)",
          "[13,true,13,false,13,false]\n12\n" },
        { TWELVE " | [(., (.x = 1), (.y = 2)) | tojson | length] == [(., .x = 1, .y = 2) | tojson "
                 "| length], try (.x = 1 | path(. + {y: 1})) catch \"no path\"",
          "true\n\"no path\"\n" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        EXPECT_TEXT(run(cases[i][0]).text, cases[i][1]);
}

typedef struct kept {
    pw_value values[40];
    size_t count;
} kept;

static bool keep(void *context, pw_value v)
{
    kept *k = context;
    assert_true(k->count < PW_LENGTH(k->values));
    k->values[k->count++] = v;
    return true;
}

/* What was given out is as constant as any value: neither the same evaluation nor the next, which
 * has it as its input, adds to it. */
TEST(expr, an_object_that_was_given_out_does_not_grow)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_error err = { 0 };
    const pw_expr *expr;
    EXPECT_OK(pw_expr_compile(&expr,
                              PW_LIT("foreach range(30) as $i (.; .[\"k\\(50 - $i)\"] = $i)"), NULL,
                              0, &arena, NULL, &err),
              err);
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    pw_expr_input input = { .input = pw_null() };
    kept all = { .count = 0 };
    EXPECT_OK(pw_expr_run(machine, expr, &input, keep, &all, &arena, NULL, &err), err);
    EXPECT_INT(all.count, 30);
    for (size_t i = 1; i < 30; i++)
        EXPECT(pw_members(all.values[i]) != pw_members(all.values[i - 1]));
    const pw_expr *add;
    EXPECT_OK(pw_expr_compile(&add, PW_LIT(".x = 1"), NULL, 0, &arena, NULL, &err), err);
    for (size_t i = 0; i < 30; i++) {
        pw_value more;
        input.input = all.values[i];
        EXPECT_OK(pw_expr_first(&more, machine, add, &input, &arena, &err), err);
        EXPECT(pw_members(more) != pw_members(all.values[i]));
        EXPECT_INT(more.count, i + 2);
        EXPECT_INT(all.values[i].count, i + 1);
        EXPECT_INT(pw_get_lit(all.values[i], "x").type, PW_NONE);
        EXPECT_INT(pw_get_lit(all.values[i], "k50").as.integer, 0);
    }
    pw_expr_machine_free(machine);
    pw_arena_done(&arena);
}

TEST(expr, an_update_in_place_changes_nobody_elses_value)
{
    EXPECT_TEXT(
        run("[[1],[2],[3]] as $a | ($a | .[][0] += 10) as $b | ($b | .[0] |= (.[0] = 5)) as $c "
            "| [$a, $b, $c][]")
            .text,
        "[[1],[2],[3]]\n[[11],[12],[13]]\n[[5],[12],[13]]\n");
    EXPECT_TEXT(run("[{a:1},{a:2}] | .[] |= (.a = 9 | . as $x | [$x, $x, (.a = 3)])").text,
                "[[{\"a\":9},{\"a\":9},{\"a\":3}],[{\"a\":9},{\"a\":9},{\"a\":3}]]\n");
    EXPECT_TEXT(
        run("{a:{b:1}} | (.a, .a.b) |= (if type == \"object\" then .c = 1 else . + 1 end)").text,
        "{\"a\":{\"b\":2,\"c\":1}}\n");
    EXPECT_TEXT(
        run("{a:{b:1}} | (.a.b, .a) |= (if type == \"object\" then [., .] else . + 1 end)").text,
        "{\"a\":[{\"b\":2},{\"b\":2}]}\n");
    EXPECT_TEXT(
        run("[[0]] | (.[0], .[0][0], .[0]) |= (if type == \"array\" then . + [.[0]] else 7 end)")
            .text,
        "[[7,0,7]]\n");
}

/* ---- compiling */

TEST(expr, nesting_is_bounded)
{
    enum { DEEP = 20000 };
    static char source[4 * DEEP + 8];
    static const char *const openers[] = { "[", "(", "{a:", "-", ".[", "\"\\(", "try ", "if " };
    for (size_t i = 0; i < PW_LENGTH(openers); i++) {
        source[0] = '\0';
        size_t n = strlen(openers[i]);
        for (size_t k = 0; k < DEEP; k++)
            memcpy(source + k * n, openers[i], n + 1);
        pw_arena arena;
        pw_arena_init(&arena, 0);
        const pw_expr *expr;
        pawl_error err;
        size_t position = 0;
        EXPECT_INT(pw_expr_compile(&expr, pw_str_of(source), NULL, 0, &arena, &position, &err),
                   PAWL_INVALID);
        EXPECT_CONTAINS(err.message, "nested too deeply");
        EXPECT(position > 0 && position < 2000 * n);
        EXPECT_INT(arena.used, 0);
        pw_arena_done(&arena);
    }
}

TEST(expr, long_chains_are_no_nesting)
{
    enum { LONG = 50000 };
    static char source[8 * LONG];
    static const struct {
        const char *first, *more, *result;
    } chains[] = {
        { "0", "+1", "50000\n" },    { "[", "1,", NULL },         { "1", "|.", "1\n" },
        { "null", ".a", "null\n" },  { "null", ".a?", "null\n" }, { "1", " and 1", "true\n" },
        { "null", "[0]", "null\n" },
    };
    for (size_t i = 0; i < PW_LENGTH(chains); i++) {
        size_t n = strlen(chains[i].more), at = strlen(chains[i].first);
        memcpy(source, chains[i].first, at + 1);
        for (size_t k = 0; k < LONG; k++, at += n)
            memcpy(source + at, chains[i].more, n + 1);
        if (!chains[i].result)
            memcpy(source + at, "1]|length", 10);
        EXPECT_TEXT(run(source).text, chains[i].result ? chains[i].result : "50001\n");
    }
}

TEST(expr, a_source_of_10_mb_is_too_long)
{
    size_t len = 10u << 20;
    char *source = malloc(len + 1);
    memset(source, ' ', len);
    source[len - 1] = '.';
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const pw_expr *expr;
    pawl_error err;
    EXPECT_INT(pw_expr_compile(&expr, (pw_str){ source, len }, NULL, 0, &arena, NULL, &err),
               PAWL_INVALID);
    EXPECT_CONTAINS(err.message, "at most 1048576 bytes");
    free(source);
    pw_arena_done(&arena);
}

TEST(expr, errors_have_a_position)
{
    static const struct {
        const char *source, *message;
        size_t position;
    } table[] = {
        { "", "syntax error: unexpected end, expected an expression", 0 },
        { ".a |", "syntax error: unexpected end, expected an expression", 4 },
        { ".a | | .b", "syntax error: unexpected '|', expected an expression", 5 },
        { "[1, 2", "syntax error: unexpected end, expected ']'", 5 },
        { "{a: 1", "syntax error: unexpected end, expected '}'", 5 },
        { "1 == 2 == 3",
          "syntax error: unexpected '==', expected parentheses: this operator does not chain", 7 },
        { ".a . b", "syntax error: unexpected 'b', expected a name, a string or '[' behind '.'",
          5 },
        { "if 1 then 2", "syntax error: unexpected end, expected 'end'", 11 },
        { "\"abc", "syntax error: string is not closed", 0 },
        { "\"a\\qb\"", "invalid escape in a string", 2 },
        { "\"\\u12\"", "invalid escape: \\u needs four hexadecimal digits", 1 },
        { "  $nothing", "$nothing is not defined", 2 },
        { "1 + foo(1; 2)", "foo/2 is not defined", 4 },
        { "$ENV.PATH", "$ENV is not available here: an expression has no environment", 0 },
        { ". | env",
          "env/0 is not available here: an expression has no input or output, environment or local "
          "time",
          4 },
        { "input",
          "input/0 is not available here: an expression has no input or output, environment or "
          "local time",
          0 },
        { "import \"a\" as a; 1", "modules are not available here: 'import'", 0 },
        { "include \"a\"; 1", "modules are not available here: 'include'", 0 },
        { "@nothing", "nothing is not a valid format", 0 },
        { "break $x", "$*label-x is not defined", 0 },
        { "{(1): 2}", "Cannot use number (1) as object key", 1 },
        { ". as [] | 1", "syntax error: unexpected ']', expected a variable, '[' or '{'", 6 },
        { "1 \xc3\xa9", "syntax error: unexpected '\xc3\xa9', expected the end or an operator", 2 },
        { "def f: 1", "syntax error: unexpected end, expected ';'", 8 },
        { "def f: g; f", "g/0 is not defined", 7 },
        { "\xff", "not valid UTF-8", 0 },
    };
    for (size_t i = 0; i < PW_LENGTH(table); i++) {
        pw_arena arena;
        pw_arena_init(&arena, 0);
        const pw_expr *expr;
        pawl_error err;
        size_t position = 99;
        EXPECT_INT(
            pw_expr_compile(&expr, pw_str_of(table[i].source), NULL, 0, &arena, &position, &err),
            PAWL_INVALID);
        EXPECT_TEXT(err.message, table[i].message);
        EXPECT_INT(position, table[i].position);
        pw_arena_done(&arena);
    }
}

TEST(expr, what_reaches_outside_is_refused)
{
    static const char *const names[] = {
        "env",
        "$ENV",
        "input",
        "inputs",
        "debug",
        "debug(1)",
        "stderr",
        "halt",
        "halt_error",
        "halt_error(1)",
        "input_filename",
        "input_line_number",
        "localtime",
        "strflocaltime(\"\")",
        "get_search_list",
        "import \"a\" as a; 1",
        "include \"a\"; 1",
        "module {}; 1",
        "modulemeta",
    };
    for (size_t i = 0; i < PW_LENGTH(names); i++) {
        result r = run(names[i]);
        EXPECT_INT(r.code, PAWL_INVALID);
        EXPECT_CONTAINS(r.message, "not available here");
    }
    EXPECT_TEXT(run("def env: 1; env").text, "1\n");
}

/* ---- scanning */

TEST(expr, scan_finds_the_end_of_an_expression_in_a_text)
{
    static const struct {
        const char *text;
        size_t end;
    } table[] = {
        { "${ .a }", 7 },
        { "${.a} and ${.b}", 5 },
        { "${ {a: {b: 1}} } tail", 16 },
        { "${ \"}\" }", 8 },
        { "${ \"\\\"}\" }", 10 },
        { "${ \"\\({a: \"}\"} | .a)}\" }", 24 },
        { "${ # }\n .a }", 12 },
        { "${ [1, 2 }", 10 },
        { "${ .a", 0 },
        { "${ \"} ", 0 },
        { "${", 0 },
        { ".a", 0 },
        { "", 0 },
        { "${}", 3 },
    };
    for (size_t i = 0; i < PW_LENGTH(table); i++)
        if (pw_expr_scan(pw_str_of(table[i].text)) != table[i].end)
            fail_msg("%s: %zu", table[i].text, pw_expr_scan(pw_str_of(table[i].text)));
}

/* ---- the same everywhere, always */

static const char *const busy_program =
    "[range(50)] | map({k: \"key\\(. % 7)\", v: (. * 1.5)}) | group_by(.k)"
    " | map({(.[0].k): (map(.v) | add)}) | add | to_entries | sort_by(-.value)"
    " | map(select(.key | test(\"[0-4]$\"))) | from_entries, ([paths] | length)";

TEST(expr, an_evaluation_repeats_with_the_same_fuel)
{
    result first = run(busy_program), second = run(busy_program);
    EXPECT_INT(first.code, PAWL_OK);
    EXPECT_TEXT(first.text,
                "{\"key0\":294,\"key4\":262.5,\"key3\":252,\"key2\":241.5,\"key1\":231}\n15\n");
    EXPECT_TEXT(second.text, first.text);
    EXPECT(first.fuel == second.fuel && first.fuel > 0);
}

typedef struct shared {
    const pw_expr *expr;
    bool good;
} shared;

static void *evaluate_often(void *context)
{
    shared *s = context;
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    s->good = machine != NULL;
    for (int i = 0; i < 50 && s->good; i++) {
        result r;
        memset(&r, 0, sizeof r);
        collector c = { &r, &arena, 0 };
        pawl_error err;
        pw_expr_input input = { .input = pw_null() };
        s->good =
            pw_expr_run(machine, s->expr, &input, collect, &c, &arena, NULL, &err) == PAWL_OK &&
            strncmp(r.text, "{\"key0\":294,", 12) == 0;
        pw_arena_reset(&arena);
    }
    pw_expr_machine_free(machine);
    pw_arena_done(&arena);
    return NULL;
}

TEST(expr, one_expression_runs_in_four_threads)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const pw_expr *expr;
    pawl_error err;
    EXPECT_OK(pw_expr_compile(&expr, pw_str_of(busy_program), NULL, 0, &arena, NULL, &err), err);
    pthread_t threads[4];
    shared states[4];
    for (int i = 0; i < 4; i++) {
        states[i] = (shared){ expr, false };
        EXPECT_INT(pthread_create(&threads[i], NULL, evaluate_often, &states[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        EXPECT_INT(pthread_join(threads[i], NULL), 0);
        EXPECT(states[i].good);
    }
    pw_arena_done(&arena);
}

/* ---- what a typical evaluation costs: a change here has a reason */

TEST(expr, typical_evaluations_cost_no_more_than_they_did)
{
    static const struct {
        const char *source;
        uint64_t fuel; /* at most */
        size_t bytes;  /* of the arena, at most */
    } cases[] = {
        { ".customer.city", 3, 0 },
        { "if .total > 50 and .vip then \"ship\" else \"wait\" end", 13, 0 },
        { "{id, city: .customer.city}", 17, 176 },
        { "[.items[] | .price * .qty] | add", 28, 64 },
        { "[.items[] | select(.qty > 1) | .sku]", 28, 64 },
        { "\"Order \\(.id): \\(.total)\"", 18, 32 },
        { ". + {approved: true}", 11, 272 },
        { ".status = \"shipped\"", 24, 272 },
        { ".items |= map(. + {n: 1})", 58, 768 },
        { "with_entries(select(.value != null))", 87, 1312 },
        { ".items | sort_by(.price) | .[0].sku", 49, 352 },
        { "reduce .items[] as $i ({}; .[$i.sku] = $i.qty)", 88, 336 },
    };
    static const char input_text[] =
        "{\"id\":\"o-1\",\"total\":99.5,\"vip\":true,\"status\":\"paid\",\"note\":null,"
        "\"customer\":{\"name\":\"A\",\"city\":\"Wien\"},\"items\":[{\"sku\":\"a\",\"qty\":1,"
        "\"price\":2.5},{\"sku\":\"b\",\"qty\":2,\"price\":1.5},{\"sku\":\"c\",\"qty\":3,\"price\":9}]}";
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_error err;
    pw_expr_input input = { 0 };
    EXPECT_OK(pw_json_parse(&input.input, pw_str_of(input_text), NULL, &arena, &err), err);
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    int differ = 0;
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        const pw_expr *expr;
        pw_value v;
        EXPECT_OK(pw_expr_compile(&expr, pw_str_of(cases[i].source), NULL, 0, &arena, NULL, &err),
                  err);
        EXPECT_OK(pw_expr_first(&v, machine, expr, &input, &arena, &err), err);
        size_t used = arena.used;
        uint64_t allocations = pw_alloc_count();
        EXPECT_OK(pw_expr_first(&v, machine, expr, &input, &arena, &err), err);
        uint64_t fuel = pw_expr_fuel_spent(machine);
        allocations = pw_alloc_count() - allocations;
        if (fuel <= cases[i].fuel && arena.used - used <= cases[i].bytes && allocations <= 1)
            continue; /* at most a chunk of the arena */
        printf("# %s: fuel %llu, bytes %zu, allocations %llu\n", cases[i].source,
               (unsigned long long)fuel, arena.used - used, (unsigned long long)allocations);
        differ++;
    }
    EXPECT_INT(differ, 0);
    pw_expr_machine_free(machine);
    pw_arena_done(&arena);
}

/* ---- memory */

static pawl_code compile_and_run(const char *source)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const pw_expr *expr;
    pawl_error err;
    pw_value v;
    pawl_code code = pw_expr_compile(&expr, pw_str_of(source), NULL, 0, &arena, NULL, &err);
    pw_expr_machine *machine = NULL;
    if (code == PAWL_OK && !(machine = pw_expr_machine_new(NULL)))
        code = PAWL_NO_MEMORY;
    pw_expr_input input = { .input = pw_null() };
    if (code == PAWL_OK)
        code = pw_expr_first(&v, machine, expr, &input, &arena, &err);
    pw_expr_machine_free(machine);
    pw_arena_done(&arena);
    return code;
}

TEST(expr, every_allocation_may_fail)
{
    static const char *const programs[] = {
        "[range(200)] | map({k: \"key\\(. % 7)\", v: .}) | group_by(.k) | map(tojson) | "
        "join(\",\") | length",
        "def f: if . == 0 then [] else . - 1 | [f] end; 300 | f | tojson | fromjson | [paths] | "
        "length",
        "[\"abc\" | match(\"[a-z]\"; \"g\").string] | sort | .[] |= ascii_upcase | @csv",
        "reduce range(300) as $i ({}; .[\"\\($i)\"] = [$i]) | [.. | numbers] | add",
        "reduce range(280; 0; -1) as $i ({}; . + {(\"\\($i)\"): $i} | .x = $i) | keys | length",
        "try error(\"x\" * 300) catch (. | @base64 | @base64d | ltrimstr(\"x\") | explode | "
        "implode)",
    };
    for (size_t i = 0; i < PW_LENGTH(programs); i++) {
        EXPECT_INT(compile_and_run(programs[i]), PAWL_OK);
        pawl_code code = PAWL_NO_MEMORY;
        for (uint64_t n = 1; code != PAWL_OK; n++) {
            EXPECT(n < 10000);
            pw_alloc_fail_after(n);
            code = compile_and_run(programs[i]);
            pw_alloc_fail_after(0);
            if (code != PAWL_OK)
                EXPECT_INT(code, PAWL_NO_MEMORY);
        }
    }
}

TEST_MAIN()
