/* save.c - the whole of a state as text, whatever of it has rows of its own: for who keeps it outside of its instance's
 * row, as a rewind does in the log. Nothing is taken for stored: all that is large is among the payloads. */
#include <stdlib.h>
#include "core/step.h"

typedef struct collector {
    pw_putting put;
    pw_branch_row *rows;
    size_t count, size;
    bool failed;
} collector;

static void add_row(collector *c, const pw_frame *fork, uint32_t at, const pw_slot *slot)
{
    if (c->count == c->size) {
        size_t size = c->size ? c->size * 2 : PW_WIDE_FORK;
        pw_branch_row *rows = pw_arena_grow(c->put.arena, c->rows, c->size * sizeof *rows, size * sizeof *rows);
        if (!rows) {
            c->failed = true;
            return;
        }
        c->rows = rows;
        c->size = size;
    }
    const pw_branch_row row = { fork->visit, at, pw_branch_text(slot, fork, &c->put) };
    c->failed = c->failed || !row.state.ptr;
    c->rows[c->count++] = row;
}

static void collect(void *context, const pw_frame *frame)
{
    collector *c = context;
    for (uint32_t i = 0; frame->branches && !c->failed && i < frame->task->as.fork.branches.count; i++) {
        const pw_slot *slot = pw_branches_slot(frame, i);
        if (slot)
            add_row(c, frame, i, slot);
    }
}

static int by_place(const void *a, const void *b)
{
    const pw_branch_row *x = a, *y = b;
    if (x->fork != y->fork)
        return x->fork < y->fork ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* As pw_state_parse_branches reads them. */
static bool write_rows(pw_str *out, const collector *c)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (size_t i = 0; i < c->count; i++) {
        pw_buf_printf(&buf, "%c[%llu,%u,", i ? ',' : '[', (unsigned long long)c->rows[i].fork, c->rows[i].number);
        pw_buf_str(&buf, c->rows[i].state);
        pw_buf_char(&buf, ']');
    }
    if (c->count)
        pw_buf_char(&buf, ']');
    if (!buf.failed)
        *out = pw_arena_str(c->put.arena, pw_buf_view(&buf));
    bool good = !buf.failed && out->ptr;
    pw_buf_done(&buf);
    return good;
}

pawl_code pw_state_save(pw_state_text *out, const pw_state *state, pw_arena *arena, pawl_error *err)
{
    pw_payload_list list = { 0 };
    collector c = { .put = { .arena = arena, .list = &list } };
    jmp_buf *guard = pw_arena_guard(arena, NULL);
    pw_frames_each(state->root, collect, &c);
    if (c.count)
        qsort(c.rows, c.count, sizeof *c.rows, by_place);
    out->text = c.failed ? (pw_str){ 0 } : pw_state_write(state, &c.put);
    bool good = out->text.ptr && write_rows(&out->branches, &c);
    (void)pw_arena_guard(arena, guard);
    out->payloads = list.items;
    out->payload_count = list.count;
    if (c.put.whole > PW_PAYLOAD_WHOLE_MAX)
        return pw_fail(err, PAWL_INVALID, PW_WHOLE_MESSAGE);
    return good ? PAWL_OK : pw_no_memory(err);
}
