/* groups.h - files of groups: a program, its input, its expected outputs, one a line; blank lines
 * between groups, lines beginning with # are comments. `%%FAIL` starts a group whose program must
 * not compile. In our own files a line that begins with `!! ` is the message that the evaluation
 * ends with, and the line behind a %%FAIL program is "position: message". */
#ifndef PW_TEST_GROUPS_H
#define PW_TEST_GROUPS_H

#include "expr/expr.h"

typedef struct group {
    int line;              /* of the program */
    bool fails;            /* to compile */
    bool error_may_follow; /* after the outputs, as in jq's own runner */
    char *program, *input;
    char *expected[64]; /* output lines; for `fails` the message */
    int expected_count;
} group;

typedef struct group_file {
    char *text;
    char *next;
    int line;
} group_file;

group_file group_open(const char *path);
bool group_next(group_file *file, group *out);
void group_close(group_file *file);

/* Runs the group; empty: as expected, else what was different (until the next call). */
const char *group_run(const group *g, pw_expr_machine *machine, const pw_expr_limits *limits);

#endif
