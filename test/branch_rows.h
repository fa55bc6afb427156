/* branch_rows.h - the rows of wide forks as a store keeps them, for tests that have none. */
#ifndef PW_TEST_BRANCH_ROWS_H
#define PW_TEST_BRANCH_ROWS_H

#include "core/core.h"

typedef struct branch_rows {
    pw_branch_row *items; /* by fork and number */
    size_t count;
} branch_rows;

/* What a committed transition makes of them; all in `arena`. False: out of memory. */
static inline bool branch_rows_apply(branch_rows *rows, const pw_transition *t, pw_arena *arena)
{
    pw_branch_row *items =
        pw_arena_alloc(arena, (rows->count + t->branch_count + 1) * sizeof *items);
    if (!items)
        return false;
    size_t count = 0;
    for (size_t i = 0; i < rows->count; i++) {
        bool ends = false;
        for (size_t j = 0; j < t->fork_end_count; j++)
            ends = ends || t->fork_ends[j] == rows->items[i].fork;
        if (!ends)
            items[count++] = rows->items[i];
    }
    for (size_t i = 0; i < t->branch_count; i++) {
        pw_branch_row row = t->branches[i];
        size_t at = 0;
        while (at < count && (items[at].fork < row.fork ||
                              (items[at].fork == row.fork && items[at].number < row.number)))
            at++;
        bool there = at < count && items[at].fork == row.fork && items[at].number == row.number;
        if (!there)
            memmove(items + at + 1, items + at, (count++ - at) * sizeof *items);
        row.state = pw_arena_str(arena, row.state);
        items[at] = row;
    }
    *rows = (branch_rows){ items, count };
    return true;
}

static inline pw_str branch_rows_text(const branch_rows *rows, pw_arena *arena)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (size_t i = 0; i < rows->count; i++)
        pw_buf_printf(&buf, "%c[%llu,%u," PW_FMT "]%s", i ? ',' : '[',
                      (unsigned long long)rows->items[i].fork, rows->items[i].number,
                      PW_ARG(rows->items[i].state), i + 1 == rows->count ? "]" : "");
    pw_str text = pw_arena_str(arena, pw_buf_view(&buf));
    pw_buf_done(&buf);
    return text;
}
#endif
