/* graph.h - a program as a graph: what graph.c finds and graph_write.c writes down.
 *
 * Nodes are numbered after their tasks, so that their ids are plain in every format: "t3" is where
 * the task begins, "t3.catch" its catch, "t3.exit" where what is inside of it comes together. */
#ifndef PW_GRAPH_H
#define PW_GRAPH_H

#include "core/program.h"

typedef enum pw_graph_part {
    PW_GRAPH_NONE, /* nowhere: a function returns to its caller */
    PW_GRAPH_START,
    PW_GRAPH_END,
    PW_GRAPH_ENTRY, /* these three of a task */
    PW_GRAPH_CATCH,
    PW_GRAPH_EXIT,
} pw_graph_part;

typedef struct pw_graph_ref {
    pw_graph_part part;
    uint32_t task;
} pw_graph_ref;

typedef struct pw_graph_node {
    pw_graph_ref ref;
    pw_str name, kind, detail, condition; /* empty: none */
    pw_str pointer;
} pw_graph_node;

typedef enum pw_graph_edge_kind {
    PW_EDGE_NEXT,
    PW_EDGE_THEN,
    PW_EDGE_CASE,
    PW_EDGE_OTHERWISE, /* no case of a switch */
    PW_EDGE_SKIP,      /* `if` is false, where that leads elsewhere */
    PW_EDGE_BRANCH,
    PW_EDGE_LOOP, /* the next item */
    PW_EDGE_DONE, /* no more items */
    PW_EDGE_ERROR,
    PW_EDGE_RETRY,
    PW_EDGE_CAUGHT,
    PW_EDGE_CALL, /* of a function of the document */
    PW_EDGE_UNDO,  /* to what undoes the task */
    PW_EDGE_FAULT, /* to the user task of an incident */
} pw_graph_edge_kind;

typedef struct pw_graph_edge {
    pw_graph_ref from, to;
    pw_graph_edge_kind kind;
    pw_str name, label; /* of a case: its name and condition */
} pw_graph_edge;

#define PW_GRAPH_GROUPS_MAX (3 * PW_NESTING_MAX) /* within each other: a try has three */

/* The text under way. Failures stick in the buffers, and are looked at at the end. */
typedef struct pw_graph_writer {
    pawl_graph_format format;
    pw_buf nodes, groups, edges; /* groups: JSON only; in the other formats they are around nodes */
    uint32_t depth;
    char open[PW_GRAPH_GROUPS_MAX][24]; /* ids of the open groups */
} pw_graph_writer;

void pw_graph_begin(pw_graph_writer *w, pawl_graph_format format);
void pw_graph_done(pw_graph_writer *w);
/* A group is a task with what is inside of it, or a part of one (`part`: "try", "catch"). */
void pw_graph_open(pw_graph_writer *w, const pw_task *task, const char *part);
void pw_graph_close(pw_graph_writer *w);
void pw_graph_node_write(pw_graph_writer *w, const pw_graph_node *node);
void pw_graph_edge_write(pw_graph_writer *w, const pw_graph_edge *edge);
/* Text of the caller's; NULL: out of memory. */
char *pw_graph_end(pw_graph_writer *w, const pw_program *program);
#endif
