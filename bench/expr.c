/* expr.c - expressions and JSON: what they cost, beside libjq and jansson in the same run.
 *
 *     bench/expr [--rounds 7] [--only json|expressions] [--filter WORD] [--no-others] [--json]
 *     bench/expr --hostile FILE [--filter WORD]
 *
 * Both libraries are linked by this program only, and left out where they are not installed. Before
 * an expression is timed, both evaluators must have given the same outputs. Times are of this
 * thread's CPU, the median of the rounds, which alternate between the libraries. Exit 0: it ran;
 * figures are for bench/results and doc/expressions.md, no verdict is made here.
 *
 * --hostile runs each line `limit: expression` of FILE (test/unit/expr/hostile.cases) once, and
 * shows its time beside its fuel: what takes far more nanoseconds for a unit than the others does
 * work that it does not pay for. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/json.h"
#include "expr/expr.h"
#include "measure.h"

#ifdef BENCH_JQ
#include <jq.h>
#endif
#ifdef BENCH_JANSSON
#include <jansson.h>
#endif

enum { ROUNDS_MAX = 31, ROUND_NS = 20000000 };

typedef struct options {
    unsigned rounds;
    const char *only, *filter, *hostile;
    bool others, json;
} options;

/* ------------------------------------------------------------------ time */

static uint64_t thread_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *figures, size_t count)
{
    qsort(figures, count, sizeof *figures, by_size);
    return figures[count / 2];
}

/* Something that can be done over and over; `times` of it. */
typedef void (*work_fn)(void *context);

/* Nanoseconds of one. */
static double time_round(work_fn work, void *context)
{
    uint64_t times = 1, spent = 0, done = 0;
    work(context); /* what another left in the caches is its own */
    uint64_t start = thread_ns();
    while (spent < ROUND_NS) {
        for (uint64_t i = 0; i < times; i++)
            work(context);
        done += times;
        times *= 2;
        spent = thread_ns() - start;
    }
    return (double)spent / (double)done;
}

typedef struct contender {
    work_fn work; /* NULL: not there */
    void *context;
    double ns;
} contender;

/* Fills in the medians. */
static void race(contender *contenders, size_t count, unsigned rounds)
{
    double figures[3][ROUNDS_MAX];
    for (unsigned round = 0; round < rounds; round++)
        for (size_t i = 0; i < count; i++)
            if (contenders[i].work)
                figures[i][round] = time_round(contenders[i].work, contenders[i].context);
    for (size_t i = 0; i < count; i++)
        if (contenders[i].work)
            contenders[i].ns = median(figures[i], rounds);
}

/* ------------------------------------------------------------------ documents */

static void add_order(pw_buf *buf, unsigned n)
{
    static const char *const cities[] = { "Berlin", "Köln", "Paris", "Lyon", "Wien" };
    static const char *const states[] = { "paid", "open", "paid", "shipped" };
    pw_buf_printf(
        buf,
        "{\"id\":\"ord-%06u\",\"created\":\"2025-11-%02uT10:15:30Z\",\"customer\":{"
        "\"id\":%u,\"name\":\"Zoë Müller\",\"email\":\"zoe.%u@example.org\",\"vip\":%s,"
        "\"address\":{\"street\":\"Hauptstraße %u\",\"zip\":\"D-%05u\",\"city\":\"%s\"}},",
        n, n % 28 + 1, 4711 + n, n, n % 3 == 0 ? "true" : "false", n % 90 + 1, n * 7919 % 100000,
        cities[n % PW_LENGTH(cities)]);
    pw_buf_text(buf, "\"items\":[");
    for (unsigned i = 0; i < 3; i++)
        pw_buf_printf(
            buf, "%s{\"sku\":\"%c-%u\",\"qty\":%u,\"price\":%u.%02u,\"tags\":[\"t%u\",\"new\"]}",
            i ? "," : "", 'A' + (int)i, i + n % 4, i + 1, (n * 13 + i * 31) % 90 + 5,
            (n * 7 + i) % 100, (n + i) % 5);
    pw_buf_printf(buf,
                  "],\"total\":%u.%02u,\"currency\":\"EUR\",\"status\":\"%s\",\"coupon\":null,"
                  "\"notes\":\"ring \\\"twice\\\",\\n  then wait\"}",
                  n * 37 % 400 + 10, n % 100, states[n % PW_LENGTH(states)]);
}

static pw_str order_text(void)
{
    pw_buf buf = { .cap = 1 << 20 };
    add_order(&buf, 12);
    pw_str text = { NULL, buf.len };
    text.ptr = must(pw_buf_take(&buf));
    return text;
}

/* An array of orders of about so many bytes. */
static pw_str orders_text(size_t bytes)
{
    pw_buf buf = { .cap = (size_t)16 << 20 };
    pw_buf_char(&buf, '[');
    for (unsigned n = 1; buf.len < bytes; n++) {
        if (n > 1)
            pw_buf_char(&buf, ',');
        add_order(&buf, n);
    }
    pw_buf_char(&buf, ']');
    pw_str text = { NULL, buf.len };
    text.ptr = must(pw_buf_take(&buf));
    return text;
}

/* ------------------------------------------------------------------ expressions */

typedef enum document { ORDER, ORDERS } document;

/* Typical of workflows, and written so that jq 1.6 understands them as well. */
static const struct {
    document on;
    const char *source;
} expressions[] = {
    { ORDER, ".customer.address.city" },
    { ORDER, ".total > 50 and .customer.vip" },
    { ORDER, "if .status == \"paid\" then \"ship\" elif .status == \"open\" then \"wait\" "
             "else error(\"what?\") end" },
    { ORDER, "{orderId: .id, total, city: .customer.address.city}" },
    { ORDER, "[.items[] | .price * .qty] | add" },
    { ORDER, "[.items[] | select(.qty > 1) | .sku]" },
    { ORDER, ".items | map(.qty) | add" },
    { ORDER, "\"Order \\(.id) for \\(.customer.name): \\(.total) \\(.currency)\"" },
    { ORDER, ". + {approved: true, by: \"risk\"}" },
    { ORDER, ".status = \"shipped\" | .customer.address.zip |= ascii_downcase" },
    { ORDER, ".coupon.code // \"none\"" },
    { ORDER, ".items | length" },
    { ORDER, "del(.notes, .coupon)" },
    { ORDER, ".items | map({(.sku): .qty}) | add" },
    { ORDER, ".items | sort_by(.price) | reverse | .[0].sku" },
    { ORDER, "[.items[].tags[]] | unique | join(\",\")" },
    { ORDER, ".customer.email | test(\"@example\\\\.(com|org)$\")" },
    { ORDER, ".customer.email | split(\"@\") | .[1]" },
    { ORDER, "with_entries(select(.value != null))" },
    { ORDER, "to_entries | map(.key) | join(\" \")" },
    { ORDER, ".items | any(.price > 20)" },
    { ORDER, ".created | fromdate | . + 86400 | todate" },
    { ORDER, ".items |= map(. + {line: (.qty * .price)})" },
    { ORDER, "first(.items[] | select(.sku | startswith(\"B\"))) | .price" },
    { ORDER, "[.items[] as {sku: $s, qty: $q} | \"\\($s)x\\($q)\"] | join(\";\")" },
    { ORDER, ".notes | gsub(\"\\\\s+\"; \" \")" },
    { ORDER, "[.. | numbers] | length" },
    { ORDER, "tojson | fromjson | .id" },
    { ORDER, "def line: .qty * .price; [.items[] | line] | max" },
    { ORDERS, "[.[] | select(.status == \"paid\")] | length" },
    { ORDERS, "map({id, total, lines: (.items | length)})" },
    { ORDERS,
      "group_by(.customer.address.city) | map({city: .[0].customer.address.city, n: length, "
      "sum: (map(.total) | add)})" },
    { ORDERS, "reduce .[] as $o ({}; .[$o.status] += $o.total)" },
    { ORDERS, "[.[].items[] | .qty * .price] | add" },
    { ORDERS, "[limit(3; .[] | select(.total > 100) | .id)]" },
    { ORDERS, "max_by(.total).id" },
    { ORDERS, "map(.customer.email) | unique | length" },
    { ORDERS, "map(select(any(.items[]; .qty >= 3)) | .id)" },
};

typedef struct evaluation {
    const char *source;
    pw_value input;
    const pw_expr *expr;
    pw_expr_machine *machine;
    pw_arena *arena; /* rewound after each */
    pw_buf *outputs; /* NULL: not wanted */
    uint64_t fuel;
    size_t arena_bytes;
} evaluation;

static bool on_output(void *context, pw_value v)
{
    evaluation *e = context;
    if (e->outputs) {
        pw_json_write(e->outputs, v, PW_JSON_SORTED);
        pw_buf_char(e->outputs, '\n');
    }
    return true;
}

static void evaluate(void *context)
{
    evaluation *e = context;
    pawl_error err;
    pw_arena_mark mark = pw_arena_at(e->arena);
    pw_expr_input input = { .input = e->input };
    check(pw_expr_run(e->machine, e->expr, &input, on_output, e, e->arena, NULL, &err), &err);
    e->arena_bytes = e->arena->used - mark.used;
    pw_arena_rewind(e->arena, mark);
}

static void compile(void *context)
{
    evaluation *e = context;
    pawl_error err;
    const pw_expr *expr;
    pw_arena_mark mark = pw_arena_at(e->arena);
    check(pw_expr_compile(&expr, pw_str_of(e->source), NULL, 0, e->arena, NULL, &err), &err);
    pw_arena_rewind(e->arena, mark);
}

#ifdef BENCH_JQ
typedef struct jq_evaluation {
    const char *source;
    jv input;
    jq_state *jq;
    pw_buf *outputs;
} jq_evaluation;

static void evaluate_jq(void *context)
{
    jq_evaluation *e = context;
    jq_start(e->jq, jv_copy(e->input), 0);
    for (jv v = jq_next(e->jq);; v = jq_next(e->jq)) {
        if (!jv_is_valid(v)) {
            jv_free(v);
            break;
        }
        if (e->outputs) {
            jv text = jv_dump_string(v, JV_PRINT_SORTED);
            pw_buf_text(e->outputs, jv_string_value(text));
            pw_buf_char(e->outputs, '\n');
            jv_free(text);
        } else {
            jv_free(v);
        }
    }
}

static void compile_jq(void *context)
{
    jq_evaluation *e = context;
    if (!jq_compile(e->jq, e->source)) /* what was there is freed */
        die("jq does not compile %s", e->source);
}

/* Computed numbers may differ in the last digit (jq 1.6 prints 17); so they are compared as values
 * of 12 digits. */
static bool same_outputs(pw_str ours, pw_str theirs)
{
    const char *a = ours.ptr, *b = theirs.ptr;
    while (*a && *b) {
        if ((*a >= '0' && *a <= '9') && (*b >= '0' && *b <= '9')) {
            char *after_a, *after_b;
            double x = strtod(a, &after_a), y = strtod(b, &after_b);
            if (fabs(x - y) > 1e-12 * fabs(x))
                return false;
            a = after_a;
            b = after_b;
        } else if (*a++ != *b++) {
            return false;
        }
    }
    return *a == *b;
}
#endif

typedef struct figures {
    double compile_us, compile_jq_us, eval_us, eval_jq_us;
    uint64_t fuel, allocations;
    size_t arena_bytes;
} figures;

static void measure_ours(figures *f, evaluation *e)
{
    evaluate(e); /* what is made at the first use */
    uint64_t before = pw_alloc_count();
    evaluate(e);
    f->allocations = pw_alloc_count() - before;
    f->arena_bytes = e->arena_bytes;
    f->fuel = pw_expr_fuel_spent(e->machine);
}

static figures measure_expression(const options *o, const char *source, pw_str text)
{
    figures f = { 0 };
    pawl_error err;
    pw_arena program, arena;
    pw_arena_init(&program, 0);
    pw_arena_init(&arena, 0);
    pw_buf outputs = { .cap = (size_t)64 << 20 };
    evaluation e = { .source = source, .arena = &arena };
    e.machine = must(pw_expr_machine_new(NULL));
    check(pw_json_parse(&e.input, text, NULL, &program, &err), &err);
    check(pw_expr_compile(&e.expr, pw_str_of(source), NULL, 0, &program, NULL, &err), &err);
    measure_ours(&f, &e);
    contender both[2] = { { .work = evaluate, .context = &e } };
    contender compiled[2] = { { .work = compile, .context = &e } };
#ifdef BENCH_JQ
    jq_evaluation theirs = { .source = source };
    if (o->others) {
        pw_buf their_outputs = { .cap = (size_t)64 << 20 };
        theirs.jq = must(jq_init());
        theirs.input = jv_parse_sized(text.ptr, (int)text.len);
        compile_jq(&theirs);
        e.outputs = &outputs;
        theirs.outputs = &their_outputs;
        evaluate(&e);
        evaluate_jq(&theirs);
        pw_buf_char(&outputs, '\0');
        pw_buf_char(&their_outputs, '\0');
        if (!same_outputs(pw_buf_view(&outputs), pw_buf_view(&their_outputs)))
            die("%s: outputs differ:\n%s%s", source, outputs.ptr, their_outputs.ptr);
        e.outputs = theirs.outputs = NULL;
        pw_buf_done(&their_outputs);
        both[1] = (contender){ .work = evaluate_jq, .context = &theirs };
    }
#endif
    race(both, 2, o->rounds);
    race(compiled, 1, o->rounds);
#ifdef BENCH_JQ
    if (o->others) { /* some 20 ms each: once is enough */
        uint64_t start = thread_ns();
        compile_jq(&theirs);
        compiled[1].ns = (double)(thread_ns() - start);
        jv_free(theirs.input);
        jq_teardown(&theirs.jq);
    }
#endif
    f.eval_us = both[0].ns / 1000;
    f.eval_jq_us = both[1].ns / 1000;
    f.compile_us = compiled[0].ns / 1000;
    f.compile_jq_us = compiled[1].ns / 1000;
    pw_expr_machine_free(e.machine);
    pw_buf_done(&outputs);
    pw_arena_done(&arena);
    pw_arena_done(&program);
    return f;
}

static void show_expression(const options *o, const char *source, const figures *f)
{
    if (o->json) {
        pw_buf quoted = { .cap = 4096 };
        pw_json_write_string(&quoted, pw_str_of(source));
        printf("{\"expression\":" PW_FMT ",\"compileUs\":%.2f,\"compileJqUs\":%.2f,\"evalUs\":%.3f,"
               "\"evalJqUs\":%.3f,\"fuel\":%llu,\"allocations\":%llu,\"arenaBytes\":%zu}\n",
               PW_ARG(pw_buf_view(&quoted)), f->compile_us, f->compile_jq_us, f->eval_us,
               f->eval_jq_us, (unsigned long long)f->fuel, (unsigned long long)f->allocations,
               f->arena_bytes);
        pw_buf_done(&quoted);
        return;
    }
    printf("%8.2f %9.0f %9.3f %9.3f %6.1f %6llu %6llu %8zu  %.60s\n", f->compile_us,
           f->compile_jq_us, f->eval_us, f->eval_jq_us, f->eval_jq_us / f->eval_us,
           (unsigned long long)f->fuel, (unsigned long long)f->allocations, f->arena_bytes, source);
}

static void measure_expressions(const options *o)
{
    double compiles[PW_LENGTH(expressions)], product = 0;
    size_t count = 0;
    pw_str texts[] = { [ORDER] = order_text(), [ORDERS] = orders_text(10000) };
    if (!o->json)
        printf("%8s %9s %9s %9s %6s %6s %6s %8s  order: %zu bytes, orders: %zu bytes\n", "compile",
               "jq", "eval us", "jq", "ratio", "fuel", "allocs", "arena", texts[ORDER].len,
               texts[ORDERS].len);
    for (size_t i = 0; i < PW_LENGTH(expressions); i++) {
        const char *source = expressions[i].source;
        if (o->filter && !strstr(source, o->filter))
            continue;
        figures f = measure_expression(o, source, texts[expressions[i].on]);
        show_expression(o, source, &f);
        (void)fflush(stdout);
        compiles[count++] = f.compile_us;
        if (f.eval_jq_us > 0)
            product += log(f.eval_jq_us / f.eval_us);
    }
    if (!o->json && count)
        printf("%zu expressions: compile %.1f us in the median; evaluation %.2f times as fast as "
               "libjq in the geometric mean\n",
               count, median(compiles, count), exp(product / (double)count));
    pw_free((char *)(uintptr_t)texts[ORDER].ptr);
    pw_free((char *)(uintptr_t)texts[ORDERS].ptr);
}

/* ------------------------------------------------------------------ JSON */

typedef struct json_work {
    pw_str text;
    pw_value value;
    pw_arena *arena;
    pw_buf *buf;
#ifdef BENCH_JQ
    jv jq;
#endif
#ifdef BENCH_JANSSON
    json_t *jansson;
#endif
} json_work;

static void parse_ours(void *context)
{
    json_work *w = context;
    pawl_error err;
    pw_value v;
    pw_arena_mark mark = pw_arena_at(w->arena);
    check(pw_json_parse(&v, w->text, NULL, w->arena, &err), &err);
    pw_arena_rewind(w->arena, mark);
}

static void write_ours(void *context)
{
    json_work *w = context;
    pw_buf_reset(w->buf);
    pw_json_write(w->buf, w->value, PW_JSON_COMPACT);
}

#ifdef BENCH_JQ
static void parse_jq(void *context)
{
    json_work *w = context;
    jv_free(jv_parse_sized(w->text.ptr, (int)w->text.len));
}

static void write_jq(void *context)
{
    json_work *w = context;
    jv_free(jv_dump_string(jv_copy(w->jq), 0));
}
#endif

#ifdef BENCH_JANSSON
static void parse_jansson(void *context)
{
    json_work *w = context;
    json_t *v = json_loadb(w->text.ptr, w->text.len, 0, NULL);
    if (!v)
        die("jansson does not parse");
    json_decref(v);
}

static void write_jansson(void *context)
{
    json_work *w = context;
    free(json_dumps(w->jansson, JSON_COMPACT));
}
#endif

static void show_json(const options *o, const char *what, const json_work *w, contender *all)
{
    double mb = (double)w->text.len / 1e6;
    if (o->json)
        printf("{\"json\":\"%s\",\"bytes\":%zu,\"ns\":%.0f,\"jqNs\":%.0f,\"janssonNs\":%.0f}\n",
               what, w->text.len, all[0].ns, all[1].ns, all[2].ns);
    else
        printf("%-6s %8zu %11.2f %8.0f %11.2f %6.1f %11.2f %6.2f\n", what, w->text.len,
               all[0].ns / 1000, mb / (all[0].ns / 1e9), all[1].ns / 1000, all[1].ns / all[0].ns,
               all[2].ns / 1000, all[2].ns / all[0].ns);
}

static void measure_json_of(const options *o, pw_str text)
{
    pawl_error err;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_buf buf = { .cap = (size_t)64 << 20 };
    json_work w = { .text = text, .arena = &arena, .buf = &buf };
    check(pw_json_parse(&w.value, text, NULL, &arena, &err), &err);
    contender parse[3] = { { .work = parse_ours, .context = &w } };
    contender write[3] = { { .work = write_ours, .context = &w } };
#ifdef BENCH_JQ
    if (o->others) {
        w.jq = jv_parse_sized(text.ptr, (int)text.len);
        parse[1] = (contender){ .work = parse_jq, .context = &w };
        write[1] = (contender){ .work = write_jq, .context = &w };
    }
#endif
#ifdef BENCH_JANSSON
    if (o->others) {
        w.jansson = must(json_loadb(text.ptr, text.len, 0, NULL));
        parse[2] = (contender){ .work = parse_jansson, .context = &w };
        write[2] = (contender){ .work = write_jansson, .context = &w };
    }
#endif
    race(parse, 3, o->rounds);
    race(write, 3, o->rounds);
    show_json(o, "parse", &w, parse);
    show_json(o, "write", &w, write);
#ifdef BENCH_JQ
    if (o->others)
        jv_free(w.jq);
#endif
#ifdef BENCH_JANSSON
    if (o->others)
        json_decref(w.jansson);
#endif
    pw_buf_done(&buf);
    pw_arena_done(&arena);
}

static void measure_json(const options *o)
{
    if (!o->json)
        printf("\n%-6s %8s %11s %8s %11s %6s %11s %6s\n", "json", "bytes", "us", "MB/s", "libjq us",
               "ratio", "jansson us", "ratio");
    pw_str texts[] = { order_text(), orders_text(10000), orders_text(1000000) };
    for (size_t i = 0; i < PW_LENGTH(texts); i++) {
        measure_json_of(o, texts[i]);
        pw_free((char *)(uintptr_t)texts[i].ptr);
    }
}

/* ------------------------------------------------------------------ time beside fuel */

static void measure_hostile(const char *limit, const char *source)
{
    pawl_error err = { 0 };
    pw_arena arena;
    pw_arena_init(&arena, 0);
    evaluation e = { .source = source, .arena = &arena };
    e.machine = must(pw_expr_machine_new(NULL));
    check(pw_expr_compile(&e.expr, pw_str_of(source), NULL, 0, &arena, NULL, &err), &err);
    pw_expr_input input = { .input = pw_null() };
    uint64_t start = thread_ns();
    pawl_code code = pw_expr_run(e.machine, e.expr, &input, on_output, &e, &arena, NULL, &err);
    double ns = (double)(thread_ns() - start);
    double fuel = (double)pw_expr_fuel_spent(e.machine);
    printf("%10.1f %10.3f %12.0f  %-8s %s\n             %.100s\n", ns / fuel, ns / 1e6, fuel, limit,
           source, code == PAWL_OK ? "(ends)" : err.message);
    pw_expr_machine_free(e.machine);
    pw_arena_done(&arena);
}

static void read_hostile(const options *o)
{
    FILE *file = fopen(o->hostile, "r");
    char line[4096];
    if (!file)
        die("%s cannot be read", o->hostile);
    printf("%10s %10s %12s  limit\n", "ns/fuel", "ms", "fuel");
    while (fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (line[0] == '#' || !colon || (o->filter && !strstr(line, o->filter)))
            continue;
        *colon = '\0';
        colon[1 + strcspn(colon + 1, "\n")] = '\0';
        measure_hostile(line, colon + 2);
        (void)fflush(stdout);
    }
    (void)fclose(file);
}

/* ------------------------------------------------------------------ the whole */

int main(int argc, char **argv)
{
    static const struct option known[] = { { "rounds", required_argument, NULL, 'r' },
                                           { "only", required_argument, NULL, 'o' },
                                           { "filter", required_argument, NULL, 'f' },
                                           { "hostile", required_argument, NULL, 'h' },
                                           { "no-others", no_argument, NULL, 'n' },
                                           { "json", no_argument, NULL, 'j' },
                                           { NULL, 0, NULL, 0 } };
    options o = { .rounds = 7, .others = true };
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (c) {
        case 'r':
            o.rounds = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'o':
            o.only = optarg;
            break;
        case 'f':
            o.filter = optarg;
            break;
        case 'h':
            o.hostile = optarg;
            break;
        case 'n':
            o.others = false;
            break;
        case 'j':
            o.json = true;
            break;
        default:
            die("usage: expr [--rounds N] [--only json|expressions] [--filter WORD] [--no-others] "
                "[--json] | expr --hostile FILE [--filter WORD]");
        }
    }
    if (o.rounds < 1 || o.rounds > ROUNDS_MAX)
        die("--rounds is 1 to %d", ROUNDS_MAX);
    if (o.hostile) {
        read_hostile(&o);
        return 0;
    }
    if (!o.only || strcmp(o.only, "json") != 0)
        measure_expressions(&o);
    if (!o.only || strcmp(o.only, "expressions") != 0)
        measure_json(&o);
    return 0;
}
