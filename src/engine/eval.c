/* eval.c - pawl_eval: one expression against one input, outside any workflow. */
#include <time.h>
#include "engine/engine.h"
#include "base/json.h"

typedef struct output {
    pawl_result_fn on_result;
    void *context;
    bool failed; /* out of memory while writing a result */
} output;

static bool on_output(void *context, pw_value v)
{
    output *o = context;
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_json_write(&buf, v, PW_JSON_COMPACT);
    char *text = pw_buf_take(&buf);
    pw_buf_done(&buf);
    o->failed = !text;
    if (text && o->on_result)
        o->on_result(o->context, text);
    pw_free(text);
    return !o->failed;
}

static pawl_code parse(pw_value *out, const char *text, const char *what, pw_arena *arena,
                       pawl_error *err)
{
    *out = pw_null();
    if (!text)
        return PAWL_OK;
    pawl_code code = pw_json_parse(out, pw_str_of(text), NULL, arena, err);
    return code == PAWL_OK ? PAWL_OK : pw_error_context(err, code, "%s", what);
}

typedef struct arguments {
    pw_expr_variable names[PW_EXPR_SLOTS_MAX];
    pw_value values[PW_EXPR_SLOTS_MAX];
    uint32_t count;
} arguments;

static pawl_code read_arguments(arguments *out, const char *text, pw_arena *arena, pawl_error *err)
{
    out->count = 0;
    pw_value v;
    pawl_code code = parse(&v, text, "args", arena, err);
    if (code != PAWL_OK || !text)
        return code;
    if (!pw_is(v, PW_OBJECT))
        return pw_fail(err, PAWL_INVALID,
                       "args must be a JSON object whose members are the variables");
    if (v.count > PW_EXPR_SLOTS_MAX)
        return pw_fail(err, PAWL_INVALID, "args has %u members; at most %d", v.count,
                       PW_EXPR_SLOTS_MAX);
    const pw_member *members = pw_members(v);
    for (uint32_t i = 0; i < v.count; i++) {
        out->names[i] = (pw_expr_variable){ members[i].key, i };
        out->values[i] = members[i].value;
    }
    out->count = v.count;
    return PAWL_OK;
}

/* "line L, column C" of an offset. */
static pawl_code with_position(const char *expression, size_t position, pawl_error *err)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < position && expression[i]; i++) {
        column = expression[i] == '\n' ? 1 : column + 1;
        line += expression[i] == '\n';
    }
    return pw_error_context(err, PAWL_INVALID, "line %zu, column %zu", line, column);
}

static pawl_code run(const pw_expr *expr, const arguments *args, pw_value input, output *o,
                     pw_arena *arena, pawl_error *err)
{
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    if (!machine)
        return pw_no_memory(err);
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const pw_expr_input in = { .input = input,
                               .slots = args->values,
                               .slot_count = args->count,
                               .now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 };
    pawl_code code = pw_expr_run(machine, expr, &in, on_output, o, arena, NULL, err);
    pw_expr_machine_free(machine);
    return code == PAWL_OK && o->failed ? pw_no_memory(err) : code;
}

pawl_code pawl_eval(const char *expression, const char *input, const char *args,
                    pawl_result_fn on_result, void *context, pawl_error *err)
{
    if (!expression)
        return pw_fail(err, PAWL_INVALID, "the expression is NULL");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    arguments arguments_;
    pw_value dot;
    const pw_expr *expr = NULL;
    size_t position = 0;
    output o = { .on_result = on_result, .context = context };
    pawl_code code = parse(&dot, input, "input", &arena, err);
    if (code == PAWL_OK)
        code = read_arguments(&arguments_, args, &arena, err);
    if (code == PAWL_OK) {
        code = pw_expr_compile(&expr, pw_str_of(expression), arguments_.names, arguments_.count,
                               &arena, &position, err);
        if (code == PAWL_INVALID)
            code = with_position(expression, position, err);
    }
    if (code == PAWL_OK)
        code = run(expr, &arguments_, dot, &o, &arena, err);
    pw_arena_done(&arena);
    return code;
}
