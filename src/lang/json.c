/* json.c - JSON text to nodes.
 *
 * YAML has JSON inside it, but libyaml has not: it knows no surrogate pairs (\ud83d\ude00), no keys
 * above 1,024 bytes, and no line break between a key and its colon. So what is JSON is read here,
 * and the rest by yaml.c. Strings and numbers are decoded by base/json.h; this file only finds
 * them. */
#include <stdio.h>
#include "base/json.h"
#include "lang/lang_internal.h"

typedef struct scan {
    pw_load *load;
    pw_str text;
    uint32_t at;
    char *message;
} scan;

static void skip_blanks(scan *s)
{
    while (s->at < s->text.len && strchr(" \t\r\n", s->text.ptr[s->at]) && s->text.ptr[s->at])
        s->at++;
}

static char next(const scan *s)
{
    return s->at < s->text.len ? s->text.ptr[s->at] : '\0';
}

static bool refuse(scan *s, const char *wanted)
{
    (void)snprintf(s->message, 480, "not JSON: %.400s", wanted);
    return false;
}

/* A string, number or word: finds its end and lets base decode it. */
static bool token(scan *s, bool is_key)
{
    uint32_t start = s->at, at = start;
    bool is_string = next(s) == '"';
    if (is_string) {
        at++;
        while (at < s->text.len && s->text.ptr[at] != '"' && s->text.ptr[at] != '\n')
            at += s->text.ptr[at] == '\\' ? 2 : 1;
        if (at >= s->text.len || s->text.ptr[at] != '"')
            return refuse(s, "a string is not closed");
        at++;
    } else {
        while (at < s->text.len && !strchr(" \t\r\n,:[]{}\"", s->text.ptr[at]))
            at++;
        if (at == start)
            return refuse(s, is_key ? "a key in quotes should stand here"
                                    : "a value should stand here");
    }
    pw_str slice = { s->text.ptr + start, at - start };
    pw_node node = { .style = is_string ? PW_STYLE_DOUBLE : PW_STYLE_PLAIN,
                     .start = start,
                     .end = at };
    pawl_error err;
    pawl_code code = pw_json_parse(&node.value, slice, NULL, s->load->arena, &err);
    if (code == PAWL_NO_MEMORY)
        pw_lang_no_memory(s->load);
    if (code != PAWL_OK) {
        const char *why = strstr(err.message, ": ");
        return refuse(s, why ? why + 2 : err.message);
    }
    if (is_key && !is_string)
        return refuse(s, "a key must be in quotes");
    node.text = is_string ? pw_text(node.value) : pw_arena_str(s->load->arena, slice);
    s->at = at;
    /* *load->stop tells a refusal by the tree from one by the syntax */
    s->load->stop = !pw_tree_scalar(s->load, &node, (pw_str){ 0 });
    return !s->load->stop;
}

static bool open_value(scan *s, pw_node_kind kind)
{
    s->load->stop = !pw_tree_open(s->load, kind, s->at, (pw_str){ 0 });
    s->at++;
    return !s->load->stop;
}

static bool close_value(scan *s)
{
    s->at++;
    s->load->stop = !pw_tree_close(s->load, s->at);
    return !s->load->stop;
}

static bool key(scan *s)
{
    skip_blanks(s);
    if (next(s) != '"')
        return refuse(s, "a key in quotes should stand here");
    if (!token(s, true))
        return false;
    skip_blanks(s);
    if (next(s) != ':')
        return refuse(s, "a ':' should stand here");
    s->at++;
    return true;
}

/* Everything, without recursion: `open_maps` says for each level whether it is a map. */
static bool value(scan *s)
{
    bool open_maps[PW_LANG_DEPTH_MAX];
    for (;;) {
        skip_blanks(s);
        char c = next(s);
        if (c == '{' || c == '[') {
            if (!open_value(s, c == '{' ? PW_NODE_MAP : PW_NODE_LIST))
                return false;
            open_maps[s->load->depth - 1] = c == '{';
            skip_blanks(s);
            if (next(s) != (c == '{' ? '}' : ']')) {
                if (c == '{' && !key(s))
                    return false;
                continue;
            }
            if (!close_value(s))
                return false;
        } else if (!token(s, false)) {
            return false;
        }
        /* behind a value */
        for (;;) {
            skip_blanks(s);
            if (s->load->depth == 0)
                return s->at == s->text.len || refuse(s, "nothing more should stand here");
            bool is_map = open_maps[s->load->depth - 1];
            c = next(s);
            if (c == ',')
                break;
            if (c != (is_map ? '}' : ']'))
                return refuse(s, is_map ? "a ',' or '}' should stand here"
                                        : "a ',' or ']' should stand here");
            if (!close_value(s))
                return false;
        }
        s->at++;
        if (open_maps[s->load->depth - 1] && !key(s))
            return false;
    }
}

bool pw_lang_read_json(pw_load *load, uint32_t *error_at, char *message)
{
    pw_tree_reset(load);
    load->stop = false;
    scan s = { .load = load, .text = load->text, .message = message };
    bool done = value(&s);
    *error_at = s.at;
    return done;
}
