/* graph_write.c - a graph as JSON, as Mermaid's flowchart, and in the DOT language of Graphviz.
 *
 * Nodes and groups are written as they come, edges beside them: in every format they may stand at
 * the end. Text of the document goes through one function per format that leaves it nothing to
 * break out with; the ids are ours, and plain. */
#include <stdio.h>
#include "engine/graph.h"
#include "base/json.h"

#define SHOWN_MAX 80u /* characters of a line of a drawing */

/* ---- ids */

typedef struct id {
    char text[24];
} id;

static id id_of(pw_graph_ref ref)
{
    id out = { "" };
    switch (ref.part) {
    case PW_GRAPH_NONE:
        break;
    case PW_GRAPH_START:
        (void)snprintf(out.text, sizeof out.text, "start");
        break;
    case PW_GRAPH_END: /* "end" is a keyword of Mermaid */
        (void)snprintf(out.text, sizeof out.text, "stop");
        break;
    case PW_GRAPH_ENTRY:
        (void)snprintf(out.text, sizeof out.text, "t%u", ref.task);
        break;
    case PW_GRAPH_CATCH:
        (void)snprintf(out.text, sizeof out.text, "t%u_catch", ref.task);
        break;
    case PW_GRAPH_EXIT:
        (void)snprintf(out.text, sizeof out.text, "t%u_exit", ref.task);
        break;
    }
    return out;
}

static const char *const edge_kinds[] = {
    [PW_EDGE_NEXT] = "next",           [PW_EDGE_THEN] = "then",     [PW_EDGE_CASE] = "case",
    [PW_EDGE_OTHERWISE] = "otherwise", [PW_EDGE_SKIP] = "skip",     [PW_EDGE_BRANCH] = "branch",
    [PW_EDGE_LOOP] = "loop",           [PW_EDGE_DONE] = "done",     [PW_EDGE_ERROR] = "error",
    [PW_EDGE_RETRY] = "retry",         [PW_EDGE_CAUGHT] = "caught", [PW_EDGE_CALL] = "call",
    [PW_EDGE_UNDO] = "compensate",     [PW_EDGE_FAULT] = "fault",
};

/* ---- text for drawings */

/* One character that means something to the format; NULL: it stands for itself. */
typedef const char *(*escape_fn)(char c);

/* In quotes of Mermaid everything but letters and digits may mean something: it has its own
 * entities, written without '&'. */
static const char *mermaid_escape(char c)
{
    switch (c) {
    case '"':
        return "#quot;";
    case '#':
        return "#35;";
    case '&':
        return "#amp;";
    case '<':
        return "#lt;";
    case '>':
        return "#gt;";
    case '\\':
        return "#92;";
    case '`':
        return "#96;";
    case '*':
        return "#42;";
    case '_':
        return "#95;";
    case '|':
        return "#124;";
    default:
        return NULL;
    }
}

static const char *dot_escape(char c)
{
    return c == '"' ? "\\\"" : c == '\\' ? "\\\\" : NULL;
}

/* One line of a drawing: what is too long is cut, breaks and control characters are blanks. */
static void put_line(pw_buf *buf, pw_str text, escape_fn escape)
{
    size_t at = 0;
    for (uint32_t count = 0; at < text.len; count++) {
        size_t start = at;
        uint32_t c = pw_utf8_next(text, &at);
        const char *instead = c < 0x80 ? escape((char)c) : NULL;
        if (count == SHOWN_MAX) {
            pw_buf_text(buf, "...");
            return;
        }
        if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029)
            pw_buf_char(buf, ' ');
        else if (instead)
            pw_buf_text(buf, instead);
        else
            pw_buf_add(buf, text.ptr + start, at - start);
    }
}

/* Name, kind with its detail, condition: a line each. */
static void put_label(pw_buf *buf, const pw_graph_node *node, escape_fn escape, const char *line)
{
    bool named = node->name.len > 0 && !pw_str_eq(node->name, node->kind);
    if (named) {
        put_line(buf, node->name, escape);
        pw_buf_text(buf, line);
    }
    put_line(buf, node->kind, escape);
    if (node->detail.len > 0) {
        pw_buf_char(buf, ' ');
        put_line(buf, node->detail, escape);
    }
    if (node->condition.len > 0) {
        pw_buf_text(buf, line);
        pw_buf_text(buf, "if ");
        put_line(buf, node->condition, escape);
    }
}

/* What is written at an edge: nothing where the drawing says it. */
static void put_edge_label(pw_buf *buf, const pw_graph_edge *edge, escape_fn escape)
{
    switch (edge->kind) {
    case PW_EDGE_CASE:
        put_line(buf, edge->name, escape);
        if (edge->label.len > 0)
            pw_buf_text(buf, ": ");
        put_line(buf, edge->label, escape);
        break;
    case PW_EDGE_RETRY:
        put_line(buf, edge->label, escape);
        break;
    case PW_EDGE_SKIP:
        pw_buf_text(buf, "if not");
        break;
    case PW_EDGE_LOOP:
        pw_buf_text(buf, "each");
        break;
    case PW_EDGE_OTHERWISE:
    case PW_EDGE_DONE:
    case PW_EDGE_ERROR:
        pw_buf_text(buf, edge_kinds[edge->kind]);
        break;
    case PW_EDGE_NEXT:
    case PW_EDGE_THEN:
    case PW_EDGE_BRANCH:
    case PW_EDGE_CAUGHT:
    case PW_EDGE_CALL:
    case PW_EDGE_UNDO: /* the nodes are named after it */
    case PW_EDGE_FAULT:
        break;
    }
}

static bool is_dashed(const pw_graph_edge *edge)
{
    return edge->kind == PW_EDGE_ERROR || edge->kind == PW_EDGE_RETRY ||
           edge->kind == PW_EDGE_CALL || edge->kind == PW_EDGE_UNDO || edge->kind == PW_EDGE_FAULT;
}

static void indent(pw_graph_writer *w)
{
    for (uint32_t i = 0; i <= w->depth; i++)
        pw_buf_text(&w->nodes, "  ");
}

/* ---- JSON */

static void json_member(pw_buf *buf, const char *name, pw_str text)
{
    if (text.len == 0)
        return;
    pw_buf_printf(buf, ",\"%s\":", name);
    pw_json_write_string(buf, text);
}

static void json_begin(pw_buf *buf)
{
    if (buf->len > 0)
        pw_buf_char(buf, ',');
}

static void json_node(pw_graph_writer *w, const pw_graph_node *node)
{
    pw_buf *buf = &w->nodes;
    json_begin(buf);
    pw_buf_printf(buf, "{\"id\":\"%s\"", id_of(node->ref).text);
    json_member(buf, "kind", node->kind);
    if (node->ref.part == PW_GRAPH_ENTRY)
        json_member(buf, "name", node->name);
    json_member(buf, "task", node->pointer);
    json_member(buf, "detail", node->detail);
    json_member(buf, "if", node->condition);
    if (w->depth > 0)
        json_member(buf, "group", pw_str_of(w->open[w->depth - 1]));
    pw_buf_char(buf, '}');
}

static void json_group(pw_graph_writer *w, const pw_task *task, const char *part, const char *name)
{
    pw_buf *buf = &w->groups;
    json_begin(buf);
    pw_buf_printf(buf, "{\"id\":\"%s\"", name);
    json_member(buf, "name", task->name);
    json_member(buf, "part", pw_str_of(part));
    if (w->depth > 0)
        json_member(buf, "group", pw_str_of(w->open[w->depth - 1]));
    pw_buf_char(buf, '}');
}

static void json_edge(pw_graph_writer *w, const pw_graph_edge *edge)
{
    pw_buf *buf = &w->edges;
    json_begin(buf);
    pw_buf_printf(buf, "{\"from\":\"%s\",\"to\":\"%s\",\"kind\":\"%s\"", id_of(edge->from).text,
                  id_of(edge->to).text, edge_kinds[edge->kind]);
    json_member(buf, "name", edge->name);
    json_member(buf, "label", edge->label);
    pw_buf_char(buf, '}');
}

/* ---- Mermaid */

static void mermaid_node(pw_graph_writer *w, const pw_graph_node *node)
{
    static const char *const shapes[][2] = {
        /* by what it is */
        { "[\"", "\"]" },
        { "{\"", "\"}" },
        { "((\"", "\"))" },
        { "{{\"", "\"}}" },
    };
    bool round = node->ref.part == PW_GRAPH_START || node->ref.part == PW_GRAPH_END ||
                 node->ref.part == PW_GRAPH_EXIT;
    size_t shape = round                              ? 2
                   : node->ref.part == PW_GRAPH_CATCH ? 3
                   : pw_str_is(node->kind, "switch")  ? 1
                                                      : 0;
    indent(w);
    pw_buf_printf(&w->nodes, "%s%s", id_of(node->ref).text, shapes[shape][0]);
    if (node->ref.part == PW_GRAPH_EXIT)
        pw_buf_char(&w->nodes, ' ');
    else
        put_label(&w->nodes, node, mermaid_escape, "<br/>");
    pw_buf_printf(&w->nodes, "%s\n", shapes[shape][1]);
}

static void mermaid_edge(pw_graph_writer *w, const pw_graph_edge *edge)
{
    pw_buf label;
    pw_buf_init(&label, 0);
    put_edge_label(&label, edge, mermaid_escape);
    pw_buf_printf(&w->edges, "  %s %s", id_of(edge->from).text, is_dashed(edge) ? "-.->" : "-->");
    if (label.len > 0)
        pw_buf_printf(&w->edges, "|\"" PW_FMT "\"|", PW_ARG(pw_buf_view(&label)));
    pw_buf_printf(&w->edges, " %s\n", id_of(edge->to).text);
    w->edges.failed = w->edges.failed || label.failed;
    pw_buf_done(&label);
}

/* ---- DOT */

static void dot_node(pw_graph_writer *w, const pw_graph_node *node)
{
    indent(w);
    pw_buf_printf(&w->nodes, "%s [", id_of(node->ref).text);
    if (node->ref.part == PW_GRAPH_EXIT) {
        pw_buf_text(&w->nodes, "shape=point];\n");
        return;
    }
    if (node->ref.part == PW_GRAPH_START || node->ref.part == PW_GRAPH_END)
        pw_buf_text(&w->nodes, "shape=circle, ");
    else if (node->ref.part == PW_GRAPH_CATCH)
        pw_buf_text(&w->nodes, "shape=hexagon, ");
    else if (pw_str_is(node->kind, "switch"))
        pw_buf_text(&w->nodes, "shape=diamond, ");
    pw_buf_text(&w->nodes, "label=\"");
    put_label(&w->nodes, node, dot_escape, "\\n");
    pw_buf_text(&w->nodes, "\"];\n");
}

static void dot_edge(pw_graph_writer *w, const pw_graph_edge *edge)
{
    pw_buf label;
    pw_buf_init(&label, 0);
    put_edge_label(&label, edge, dot_escape);
    pw_buf_printf(&w->edges, "  %s -> %s", id_of(edge->from).text, id_of(edge->to).text);
    if (label.len > 0)
        pw_buf_printf(&w->edges, " [label=\"" PW_FMT "\"%s]", PW_ARG(pw_buf_view(&label)),
                      is_dashed(edge) ? ", style=dashed" : "");
    else if (is_dashed(edge))
        pw_buf_text(&w->edges, " [style=dashed]");
    pw_buf_text(&w->edges, ";\n");
    w->edges.failed = w->edges.failed || label.failed;
    pw_buf_done(&label);
}

/* ---- all three */

void pw_graph_begin(pw_graph_writer *w, pawl_graph_format format)
{
    memset(w, 0, sizeof *w);
    w->format = format;
    pw_buf_init(&w->nodes, 0);
    pw_buf_init(&w->groups, 0);
    pw_buf_init(&w->edges, 0);
}

void pw_graph_done(pw_graph_writer *w)
{
    pw_buf_done(&w->nodes);
    pw_buf_done(&w->groups);
    pw_buf_done(&w->edges);
}

void pw_graph_open(pw_graph_writer *w, const pw_task *task, const char *part)
{
    PW_ASSERT(w->depth < PW_GRAPH_GROUPS_MAX);
    char name[24];
    (void)snprintf(name, sizeof name, "g%u%s%s", task->index, part ? "_" : "", part ? part : "");
    pw_str shown = part ? pw_str_of(part) : task->name;
    switch (w->format) {
    case PAWL_GRAPH_JSON:
        json_group(w, task, part, name);
        break;
    case PAWL_GRAPH_MERMAID:
        indent(w);
        pw_buf_printf(&w->nodes, "subgraph %s[\"", name);
        put_line(&w->nodes, shown, mermaid_escape);
        pw_buf_text(&w->nodes, "\"]\n");
        break;
    case PAWL_GRAPH_DOT: /* only a name that begins with "cluster" is drawn as a box */
        indent(w);
        pw_buf_printf(&w->nodes, "subgraph cluster_%s {\n", name);
        w->depth++;
        indent(w);
        w->depth--;
        pw_buf_text(&w->nodes, "label=\"");
        put_line(&w->nodes, shown, dot_escape);
        pw_buf_text(&w->nodes, "\";\n");
        break;
    }
    memcpy(w->open[w->depth++], name, sizeof name);
}

void pw_graph_close(pw_graph_writer *w)
{
    w->depth--;
    if (w->format == PAWL_GRAPH_JSON)
        return;
    indent(w);
    pw_buf_text(&w->nodes, w->format == PAWL_GRAPH_DOT ? "}\n" : "end\n");
}

void pw_graph_node_write(pw_graph_writer *w, const pw_graph_node *node)
{
    switch (w->format) {
    case PAWL_GRAPH_JSON:
        json_node(w, node);
        break;
    case PAWL_GRAPH_MERMAID:
        mermaid_node(w, node);
        break;
    case PAWL_GRAPH_DOT:
        dot_node(w, node);
        break;
    }
}

void pw_graph_edge_write(pw_graph_writer *w, const pw_graph_edge *edge)
{
    switch (w->format) {
    case PAWL_GRAPH_JSON:
        json_edge(w, edge);
        break;
    case PAWL_GRAPH_MERMAID:
        mermaid_edge(w, edge);
        break;
    case PAWL_GRAPH_DOT:
        dot_edge(w, edge);
        break;
    }
}

char *pw_graph_end(pw_graph_writer *w, const pw_program *program)
{
    pw_buf all;
    pw_buf_init(&all, 0);
    switch (w->format) {
    case PAWL_GRAPH_JSON:
        pw_buf_text(&all, "{\"document\":{\"namespace\":");
        pw_json_write_string(&all, program->namespace_);
        json_member(&all, "name", program->name);
        json_member(&all, "version", program->version);
        pw_buf_text(&all, "},\"nodes\":[");
        pw_buf_str(&all, pw_buf_view(&w->nodes));
        pw_buf_text(&all, "],\"groups\":[");
        pw_buf_str(&all, pw_buf_view(&w->groups));
        pw_buf_text(&all, "],\"edges\":[");
        pw_buf_str(&all, pw_buf_view(&w->edges));
        pw_buf_text(&all, "]}");
        break;
    case PAWL_GRAPH_MERMAID:
        pw_buf_text(&all, "flowchart TD\n");
        pw_buf_str(&all, pw_buf_view(&w->nodes));
        pw_buf_str(&all, pw_buf_view(&w->edges));
        break;
    case PAWL_GRAPH_DOT:
        pw_buf_text(&all, "digraph workflow {\n  node [shape=box];\n");
        pw_buf_str(&all, pw_buf_view(&w->nodes));
        pw_buf_str(&all, pw_buf_view(&w->edges));
        pw_buf_text(&all, "}\n");
        break;
    }
    char *text = w->nodes.failed || w->groups.failed || w->edges.failed ? NULL : pw_buf_take(&all);
    pw_buf_done(&all);
    return text;
}
