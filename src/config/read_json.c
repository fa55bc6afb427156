/* read_json.c - JSON with lines. base/json checks the text and says what is wrong with it; then
 * this walks over what is known to be JSON, to see on which line each name stands and whether one
 * stands twice. */
#include "config/read_internal.h"
#include "base/json.h"

typedef struct walk {
    pw_str text;
    size_t at;
    uint32_t line;
    pw_arena *arena;
} walk;

static void skip_blanks(walk *w)
{
    for (; w->at < w->text.len && strchr(" \t\r\n", w->text.ptr[w->at]); w->at++)
        w->line += w->text.ptr[w->at] == '\n';
}

static char next(walk *w)
{
    skip_blanks(w);
    return w->at < w->text.len ? w->text.ptr[w->at] : '\0';
}

/* The string that begins here, with its quotes. */
static pw_str take_string(walk *w)
{
    const size_t start = w->at++;
    while (w->at < w->text.len && w->text.ptr[w->at] != '"')
        w->at += w->text.ptr[w->at] == '\\' ? 2 : 1;
    w->at++;
    return (pw_str){ w->text.ptr + start, w->at - start };
}

static pawl_code unescape(pw_str *out, walk *w, pw_str quoted, pawl_error *err)
{
    pw_value v;
    pawl_code code = pw_json_parse(&v, quoted, NULL, w->arena, err);
    if (code == PAWL_OK)
        *out = pw_arena_str(w->arena, pw_text(v));
    return code;
}

static bool has_member(const pw_config_node *section, pw_str name)
{
    for (const pw_config_node *node = section->first; node; node = node->next)
        if (pw_str_eq(node->name, name))
            return true;
    return false;
}

static pawl_code read_value(pw_config_node *node, walk *w, unsigned depth, pawl_error *err);

/* An object or a list, by its first character. */
static pawl_code read_members(pw_config_node *node, walk *w, unsigned depth, pawl_error *err)
{
    const bool object = w->text.ptr[w->at++] == '{';
    node->given = object ? PW_GIVEN_SECTION : PW_GIVEN_LIST;
    if (depth == PW_CONFIG_DEPTH_MAX)
        return pw_fail(err, PAWL_INVALID, "it is nested deeper than %d", PW_CONFIG_DEPTH_MAX);
    while (next(w) != '}' && next(w) != ']') {
        pw_config_node *member = PW_NEW(w->arena, pw_config_node);
        member->line = w->line;
        pawl_code code = object ? unescape(&member->name, w, take_string(w), err) : PAWL_OK;
        if (code == PAWL_OK && object && has_member(node, member->name))
            code =
                pw_fail(err, PAWL_INVALID, "'" PW_FMT "' stands there twice", PW_ARG(member->name));
        if (code == PAWL_OK && object && next(w) == ':')
            w->at++;
        if (code == PAWL_OK)
            code = read_value(member, w, depth + 1, err);
        if (code == PAWL_OK)
            code = pw_config_node_add(node, member, err);
        if (code != PAWL_OK)
            return code;
        if (next(w) == ',')
            w->at++;
    }
    w->at++;
    return PAWL_OK;
}

static pawl_code read_value(pw_config_node *node, walk *w, unsigned depth, pawl_error *err)
{
    const char first = next(w);
    if (first == '{' || first == '[')
        return read_members(node, w, depth, err);
    if (first == '"') {
        node->given = PW_GIVEN_STRING;
        return unescape(&node->text, w, take_string(w), err);
    }
    const size_t start = w->at;
    while (w->at < w->text.len && !strchr(" \t\r\n,]}", w->text.ptr[w->at]))
        w->at++;
    node->text = pw_arena_str(w->arena, (pw_str){ w->text.ptr + start, w->at - start });
    node->given = first == 'n'                   ? PW_GIVEN_NULL
                  : first == 't' || first == 'f' ? PW_GIVEN_BOOLEAN
                                                 : PW_GIVEN_NUMBER;
    return PAWL_OK;
}

pawl_code pw_config_read_json(pw_config_node **out, pw_str text, pw_arena *arena, uint32_t *line,
                              pawl_error *err)
{
    pw_value v;
    pawl_code code = pw_json_parse(&v, text, NULL, arena, err);
    if (code != PAWL_OK)
        return code;
    walk w = { .text = text, .line = 1, .arena = arena };
    pw_config_node *root = PW_NEW(arena, pw_config_node);
    skip_blanks(&w);
    root->line = w.line;
    code = read_value(root, &w, 0, err);
    *line = code == PAWL_OK ? 0 : w.line;
    *out = root;
    return code;
}
