/* batch.c - evaluates many expressions, for the scripts beside it.
 *
 * Reads one JSON object a line, {"program", "input"}, and writes one line for each: the outputs,
 * then how it ended: {"outputs": [...]} and "error": the value thrown, or "position" and "refused"
 * of a program that does not compile. The process takes over the locale of its environment, as a
 * program that embeds the library may. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "expr/expr.h"

typedef struct answer {
    pw_array_builder outputs;
} answer;

static bool collect(void *context, pw_value output)
{
    pw_array_add(&((answer *)context)->outputs, output);
    return true;
}

static pw_value refused(pw_arena *arena, size_t position, const pawl_error *err)
{
    pw_member members[] = {
        { PW_LIT("position"), pw_int((int64_t)position) },
        { PW_LIT("refused"), pw_string(arena, pw_str_of(err->message)) },
    };
    return pw_object_of(arena, members, PW_LENGTH(members));
}

static pw_value evaluate(pw_expr_machine *machine, pw_value task, pw_arena *arena)
{
    const pw_expr *expr;
    size_t position = 0;
    pawl_error err = { 0 };
    pw_str program = pw_get_text(task, "program");
    if (pw_expr_compile(&expr, program, NULL, 0, arena, &position, &err) != PAWL_OK)
        return refused(arena, position, &err);
    pw_expr_input in = { .input = pw_get_lit(task, "input"), .now_ms = 1700000000123 };
    if (pw_is(in.input, PW_NONE))
        in.input = pw_null();
    answer a = { .outputs = { .arena = arena } };
    pw_value thrown = { .type = PW_NONE };
    pawl_code code = pw_expr_run(machine, expr, &in, collect, &a, arena, &thrown, &err);
    pw_member members[] = {
        { PW_LIT("outputs"), pw_array_end(&a.outputs) },
        { PW_LIT("error"), code == PAWL_OK ? (pw_value){ .type = PW_NONE } : thrown },
    };
    return pw_object_of(arena, members, PW_LENGTH(members));
}

static void answer_line(pw_expr_machine *machine, pw_str line)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value task;
    pawl_error err = { 0 };
    if (pw_json_parse(&task, line, NULL, &arena, &err) != PAWL_OK) {
        (void)fprintf(stderr, "batch: %s\n", err.message);
        exit(2);
    }
    pw_buf text;
    pw_buf_init(&text, 0);
    pw_json_write(&text, evaluate(machine, task, &arena), PW_JSON_COMPACT);
    if (text.failed) {
        (void)fprintf(stderr, "batch: out of memory\n");
        exit(2);
    }
    (void)printf("%.*s\n", (int)text.len, text.ptr);
    pw_buf_done(&text);
    pw_arena_done(&arena);
}

int main(int argc, char **argv)
{
    const char *locale = setlocale(LC_ALL, "");
    if (argc > 1 &&
        strcmp(argv[1], "--point") == 0) { /* the decimal point that the C library uses */
        (void)printf("%s %s\n", locale ? locale : "none", localeconv()->decimal_point);
        return locale ? 0 : 1;
    }
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    if (!machine)
        return 2;
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    while ((len = getline(&line, &size, stdin)) > 0)
        answer_line(machine, (pw_str){ line, (size_t)len });
    free(line);
    pw_expr_machine_free(machine);
    return 0;
}
