#include <stdio.h>
#include <stdlib.h>

#include "test.h"
#include "groups.h"
#include "base/json.h"

group_file group_open(const char *path)
{
    size_t len;
    group_file file = { .text = pw_test_read(path, &len) };
    file.next = file.text;
    return file;
}

void group_close(group_file *file)
{
    free(file->text);
}

/* The next line, NUL-terminated; NULL: the end. */
static char *next_line(group_file *file)
{
    char *line = file->next, *end;
    if (!*line)
        return NULL;
    end = strchr(line, '\n');
    if (end)
        *end = '\0';
    file->next = end ? end + 1 : line + strlen(line);
    file->line++;
    return line;
}

static bool blank(const char *line)
{
    return line[strspn(line, " \t\r")] == '\0';
}

bool group_next(group_file *file, group *out)
{
    char *line;
    *out = (group){ 0 };
    do {
        line = next_line(file);
        if (!line)
            return false;
    } while (blank(line) || line[0] == '#');
    if (strncmp(line, "%%FAIL", 6) == 0) {
        out->fails = true;
        line = next_line(file);
    }
    out->program = line;
    out->line = file->line;
    if (!out->fails)
        out->input = next_line(file);
    while ((line = next_line(file)) && !blank(line))
        if ((line[0] != '#' || out->fails) && out->expected_count < 64)
            out->expected[out->expected_count++] = line;
    return out->program != NULL;
}

static char difference[2048];

typedef struct outputs {
    const group *g;
    pw_arena *arena;
    int count;
} outputs;

/* jq.test has numbers that are no JSON. What a workflow would see of them, or how they are written
 * in an expression. *found: there was one. */
static pw_str without_odd_numbers(pw_arena *arena, const char *text, bool as_expression,
                                  bool *found)
{
    static const char *const odd[][3] = {
        { "-Infinity", "-1.7976931348623157e+308", "-infinite" },
        { "Infinity", "1.7976931348623157e+308", "infinite" },
        { "-NaN", "null", "nan" },
        { "NaN", "null", "nan" },
        { "nan", "null", "nan" },
    };
    char *out = pw_arena_alloc(arena, 8 * strlen(text) + 1);
    size_t n = 0;
    bool quoted = false;
    *found = false;
    while (*text) {
        size_t i = 0;
        while (i < PW_LENGTH(odd) && (quoted || strncmp(text, odd[i][0], strlen(odd[i][0])) != 0))
            i++;
        if (i < PW_LENGTH(odd)) {
            const char *instead = odd[i][as_expression ? 2 : 1];
            memcpy(out + n, instead, strlen(instead));
            n += strlen(instead);
            text += strlen(odd[i][0]);
            *found = true;
            continue;
        }
        if (*text == '\\' && text[1])
            out[n++] = *text++;
        else if (*text == '"')
            quoted = !quoted;
        out[n++] = *text++;
    }
    return (pw_str){ out, n };
}

static bool read_value(pw_value *out, const char *text, pw_arena *arena)
{
    pawl_error err;
    bool odd;
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    pw_str json = without_odd_numbers(arena, text, false, &odd);
    pawl_code code = pw_json_parse(out, json, NULL, arena, &err);
    if (code != PAWL_OK)
        (void)snprintf(difference, sizeof difference, "test data: %s", err.message);
    return code == PAWL_OK;
}

static bool on_output(void *context, pw_value v)
{
    outputs *o = context;
    pw_str text = pw_json_text(o->arena, v, PW_JSON_COMPACT);
    const char *line = o->count < o->g->expected_count ? o->g->expected[o->count] : NULL;
    o->count++;
    if (!line || strncmp(line, "!! ", 3) == 0) {
        (void)snprintf(difference, sizeof difference, "unexpected output %d: %.*s", o->count,
                       (int)(text.len > 500 ? 500 : text.len), text.ptr);
        return false;
    }
    pw_value wanted;
    if (!read_value(&wanted, line, o->arena))
        return false;
    if (!pw_equal(v, wanted)) {
        (void)snprintf(difference, sizeof difference, "output %d: %.*s, expected %.500s", o->count,
                       (int)(text.len > 500 ? 500 : text.len), text.ptr, line);
        return false;
    }
    return true;
}

static const char *run_failing(const group *g, pw_arena *arena)
{
    const pw_expr *expr;
    pawl_error err;
    size_t position = 0;
    pawl_code code = pw_expr_compile(&expr, pw_str_of(g->program), NULL, 0, arena, &position, &err);
    if (code == PAWL_OK)
        return "compiles, but must not";
    char got[600];
    (void)snprintf(got, sizeof got, "%zu: %s", position, err.message);
    if (g->expected_count > 0 && g->expected[0][0] >= '0' && g->expected[0][0] <= '9' &&
        strcmp(got, g->expected[0]) != 0) {
        (void)snprintf(difference, sizeof difference, "fails with \"%s\", expected \"%s\"", got,
                       g->expected[0]);
        return difference;
    }
    return "";
}

/* The group's program; an input that is no JSON becomes a part of it. */
static pw_str program_of(const group *g, pw_arena *arena)
{
    bool odd = false;
    pw_str input = without_odd_numbers(arena, g->input ? g->input : "", true, &odd);
    return odd ? pw_arena_printf(arena, PW_FMT " | %s", PW_ARG(input), g->program)
               : pw_str_of(g->program);
}

const char *group_run(const group *g, pw_expr_machine *machine, const pw_expr_limits *limits)
{
    (void)limits;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    difference[0] = '\0';
    if (g->fails) {
        const char *result = run_failing(g, &arena);
        pw_arena_done(&arena);
        return result;
    }
    pawl_error err = { 0 };
    size_t position;
    const pw_expr *expr;
    pw_value input;
    outputs o = { g, &arena, 0 };
    if (pw_expr_compile(&expr, program_of(g, &arena), NULL, 0, &arena, &position, &err) !=
        PAWL_OK) {
        (void)snprintf(difference, sizeof difference, "does not compile: at %zu: %s", position,
                       err.message);
    } else if (read_value(&input, g->input ? g->input : "null", &arena)) {
        pw_expr_input in = { .input = input, .now_ms = 1700000000123 };
        pw_value thrown;
        pawl_code code = pw_expr_run(machine, expr, &in, on_output, &o, &arena, &thrown, &err);
        const char *line = o.count < g->expected_count ? g->expected[o.count] : NULL;
        bool expects = line && strncmp(line, "!! ", 3) == 0;
        if (difference[0]) {
            /* said already */
        } else if (code != PAWL_OK && expects && strcmp(line + 3, err.message) != 0) {
            (void)snprintf(difference, sizeof difference, "error: %s, expected %s", err.message,
                           line + 3);
        } else if (code != PAWL_OK && !expects &&
                   !(g->error_may_follow && o.count == g->expected_count)) {
            (void)snprintf(difference, sizeof difference, "error: %s", err.message);
        } else if (code == PAWL_OK && o.count < g->expected_count) {
            (void)snprintf(difference, sizeof difference, "%d outputs, expected %d", o.count,
                           g->expected_count);
        }
    }
    pw_arena_done(&arena);
    return difference;
}
