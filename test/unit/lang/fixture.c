#include <stdlib.h>
#include "fixture.h"
#include "base/json.h"

void load_text(loaded *l, pw_str text)
{
    memset(l, 0, sizeof *l);
    pw_arena_init(&l->arena, 0);
    l->findings.arena = &l->arena;
    l->code = pw_lang_load(&l->program, text, &l->findings, &l->err);
    if (l->code == PAWL_OK)
        EXPECT(l->program != NULL && l->findings.errors == 0);
    else
        EXPECT(l->program == NULL);
}

void load_good(loaded *l, const char *body)
{
    size_t size = strlen(HEAD) + strlen(body) + 1;
    char *text = malloc(size);
    (void)snprintf(text, size, "%s%s", HEAD, body);
    load_text(l, pw_str_of(text));
    free(text);
    if (l->code != PAWL_OK || l->findings.count > 0)
        fail_msg("%d: %s; first finding: %s", (int)l->code, l->err.message,
                 l->findings.count ? l->findings.items[0].message.ptr : "");
}

void unload(loaded *l)
{
    pw_program_unref(l->program);
    pw_arena_done(&l->arena);
}

char *findings_text(const loaded *l)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (uint32_t i = 0; i < l->findings.count; i++) {
        const pw_finding *f = &l->findings.items[i];
        pw_buf_printf(&buf, "%u:%u: %s%s\n", f->line, f->column,
                      f->is_error ? "" : "warning: ", f->message.ptr);
        EXPECT(f->message.ptr[f->message.len] == '\0' && f->pointer.ptr[f->pointer.len] == '\0');
    }
    pw_buf_char(&buf, '\0');
    char *taken = pw_buf_take(&buf);
    char *text = strdup(taken);
    pw_free(taken);
    return text;
}

const char *json_of(loaded *l, pw_value value)
{
    pw_str text = pw_json_text(&l->arena, value, PW_JSON_COMPACT);
    return pw_arena_str(&l->arena, text).ptr;
}

const pw_task *task_at(const loaded *l, const char *pointer)
{
    for (uint32_t i = 0; i < l->program->task_count; i++) {
        if (pw_str_is(l->program->tasks[i]->pointer, pointer))
            return l->program->tasks[i];
    }
    fail_msg("no task at %s", pointer);
    return NULL;
}
