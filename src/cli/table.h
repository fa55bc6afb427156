/* table.h - columns for people, as wide as what stands in them. */
#ifndef PW_TABLE_H
#define PW_TABLE_H

#include "cli/cli.h"

enum { TABLE_COLUMNS = 7, TABLE_ROWS = 1001 }; /* a page and its head */

typedef struct table {
    pw_str cells[TABLE_ROWS][TABLE_COLUMNS];
    size_t widths[TABLE_COLUMNS]; /* in code points */
    uint32_t rows;
} table;

/* With one row, of the heads of its columns. */
table *table_new(pw_arena *arena, const char *const *heads, uint32_t count);
/* Into the last row, which the caller counts. */
void table_put(table *t, uint32_t column, pw_str text);
void table_print(const table *t);
#endif
