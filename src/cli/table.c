/* table.c - see table.h. */
#include "cli/table.h"

table *table_new(pw_arena *arena, const char *const *heads, uint32_t count)
{
    table *t = PW_NEW(arena, table);
    for (uint32_t i = 0; i < count; i++)
        table_put(t, i, pw_str_of(heads[i]));
    t->rows++;
    return t;
}

void table_put(table *t, uint32_t column, pw_str text)
{
    t->cells[t->rows][column] = text;
    size_t width = pw_utf8_count(text);
    if (width > t->widths[column])
        t->widths[column] = width;
}

void table_print(const table *t)
{
    for (uint32_t row = 0; row < t->rows; row++) {
        uint32_t last = TABLE_COLUMNS - 1; /* no blanks at the end of a line */
        while (last > 0 && t->cells[row][last].len == 0)
            last--;
        for (uint32_t column = 0; column <= last; column++) {
            pw_str cell = t->cells[row][column];
            out_str(cell);
            if (column < last) {
                for (size_t n = pw_utf8_count(cell); n < t->widths[column] + 2; n++)
                    out_text(" ");
            }
        }
        out_text("\n");
    }
}
