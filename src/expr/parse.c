/* parse.c - tokens to a tree, by recursive descent.
 *
 * jq's grammar, loosest first: `def` and `as` and `label` reach to the end; `|`; `,`; `//` (right);
 * assignments (they do not chain); `or`; `and`; comparisons (they do not chain); `+ -`; `* / %`;
 * `try` and the sign; suffixes. Chains of `|`, `,`, `elif`, `def`, suffixes and operators are loops
 * here, so only true nesting counts against PW_EXPR_NESTING_MAX. */
#include <stdio.h>
#include "expr/syntax_internal.h"

#include "base/json.h"

typedef struct parser {
    pw_syntax *syntax;
    pw_lexer lex;
    unsigned depth;
    struct open_def *open;
} parser;

/* Definitions being read, so that a call of a value parameter by its bare name is noticed. */
typedef struct open_def {
    pw_def *def;
    struct open_def *outer;
} open_def;

static pw_node *parse_query(parser *p);
static pw_node *parse_operators(parser *p, int min);
static pw_pattern *parse_pattern(parser *p);

void pw_syntax_fail(pw_syntax *syntax, size_t position, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    syntax->position = position;
    syntax->code = pw_fail(syntax->err, PAWL_INVALID, "%s", text);
    jmp_buf *guard = syntax->arena->guard;
    PW_ASSERT(guard);
    longjmp(*guard, 1);
}

/* ---- small things */

static pw_node *node(parser *p, pw_node_kind kind, size_t pos)
{
    pw_node *n = PW_NEW(p->syntax->arena, pw_node);
    n->kind = (uint8_t)kind;
    n->pos = (uint32_t)pos;
    return n;
}

static pw_node *constant(parser *p, pw_value value, size_t pos)
{
    pw_node *n = node(p, PW_NODE_CONST, pos);
    n->value = value;
    return n;
}

static bool is_operator(const parser *p, const char *text)
{
    return p->lex.token == PW_TOK_OPERATOR && pw_str_is(p->lex.text, text);
}

static bool is_keyword(const parser *p, const char *text)
{
    return p->lex.token == PW_TOK_KEYWORD && pw_str_is(p->lex.text, text);
}

static bool take_operator(parser *p, const char *text)
{
    if (!is_operator(p, text))
        return false;
    pw_lex_next(&p->lex);
    return true;
}

static bool take_keyword(parser *p, const char *text)
{
    if (!is_keyword(p, text))
        return false;
    pw_lex_next(&p->lex);
    return true;
}

_Noreturn static void unexpected(parser *p, const char *wanted)
{
    if (p->lex.token == PW_TOK_END)
        pw_syntax_fail(p->syntax, p->lex.start, "syntax error: unexpected end, expected %s",
                       wanted);
    pw_str text = { p->lex.source.ptr + p->lex.start, p->lex.at - p->lex.start };
    if (p->lex.token == PW_TOK_BAD) { /* a whole character, not its first byte */
        size_t end = p->lex.start;
        (void)pw_utf8_next(p->lex.source, &end);
        text.len = end - p->lex.start;
    }
    if (text.len > 40)
        text.len = 40;
    pw_syntax_fail(p->syntax, p->lex.start, "syntax error: unexpected '" PW_FMT "', expected %s",
                   PW_ARG(text), wanted);
}

static void want_operator(parser *p, const char *text)
{
    char wanted[8];
    (void)snprintf(wanted, sizeof wanted, "'%s'", text);
    if (!take_operator(p, text))
        unexpected(p, wanted);
}

static void want_keyword(parser *p, const char *text)
{
    char wanted[16];
    (void)snprintf(wanted, sizeof wanted, "'%s'", text);
    if (!take_keyword(p, text))
        unexpected(p, wanted);
}

static void enter(parser *p)
{
    if (++p->depth > PW_EXPR_NESTING_MAX)
        pw_syntax_fail(p->syntax, p->lex.start, "nested too deeply: more than %d levels",
                       PW_EXPR_NESTING_MAX);
}

static void leave(parser *p)
{
    p->depth--;
}

/* ---- strings and numbers */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hexadecimal digits at `at`. */
static uint32_t read_hex(parser *p, size_t at)
{
    uint32_t u = 0;
    for (size_t i = at; i < at + 4; i++) {
        int digit = i < p->lex.source.len ? hex_digit(p->lex.source.ptr[i]) : -1;
        if (digit < 0)
            pw_syntax_fail(p->syntax, at - 2, "invalid escape: \\u needs four hexadecimal digits");
        u = u * 16 + (uint32_t)digit;
    }
    return u;
}

/* The character escaped behind the backslash at *at. A lone surrogate becomes U+FFFD, as in jq. */
static size_t read_escape(parser *p, size_t *at, char out[4])
{
    pw_str s = p->lex.source;
    size_t start = *at;
    char c = start + 1 < s.len ? s.ptr[start + 1] : '\0';
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found = c ? memchr(from, c, sizeof from - 1) : NULL;
    if (found) {
        *at = start + 2;
        out[0] = to[found - from];
        return 1;
    }
    if (c != 'u')
        pw_syntax_fail(p->syntax, start, "invalid escape in a string");
    uint32_t u = read_hex(p, start + 2);
    *at = start + 6;
    if (u >= 0xd800 && u < 0xdc00 && *at + 1 < s.len && s.ptr[*at] == '\\' &&
        s.ptr[*at + 1] == 'u') {
        uint32_t low = read_hex(p, *at + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            *at += 6;
            return pw_utf8_put(out, 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00));
        }
    }
    return pw_utf8_put(out, u >= 0xd800 && u < 0xe000 ? 0xfffd : u);
}

/* Text up to the closing quote or an interpolation, whichever is first; leaves *at there. */
static pw_str read_chunk(parser *p, size_t *at, size_t quote)
{
    pw_str s = p->lex.source;
    size_t end = *at;
    bool escaped = false;
    while (end < s.len && s.ptr[end] != '"') {
        if (s.ptr[end] == '\\') {
            if (end + 1 < s.len && s.ptr[end + 1] == '(')
                break;
            escaped = true;
            end++;
        }
        end++;
    }
    if (end >= s.len)
        pw_syntax_fail(p->syntax, quote, "syntax error: string is not closed");
    pw_str raw = { s.ptr + *at, end - *at };
    if (!escaped) {
        *at = end;
        return raw;
    }
    char *text = pw_arena_alloc(p->syntax->arena, raw.len + 4);
    size_t n = 0;
    while (*at < end) {
        if (s.ptr[*at] == '\\')
            n += read_escape(p, at, text + n);
        else
            text[n++] = s.ptr[(*at)++];
    }
    return (pw_str){ text, n };
}

/* At the opening quote. `format` is empty, or what turns interpolated values into text. */
static pw_node *parse_string(parser *p, pw_str format, size_t pos)
{
    pw_node *string = node(p, PW_NODE_STRING, pos);
    pw_node **link = &string->list;
    string->name = format;
    size_t quote = p->lex.start, at = p->lex.at;
    for (;;) {
        size_t start = at;
        pw_str chunk = read_chunk(p, &at, quote);
        if (chunk.len > 0) {
            *link = constant(p, pw_string_ref(chunk), start);
            link = &(*link)->next;
            string->count++;
        }
        p->lex.at = at + 1;
        if (p->lex.source.ptr[at] == '"')
            break;
        p->lex.at = at + 2;
        pw_lex_next(&p->lex);
        pw_node *wrapper = node(p, PW_NODE_PIPE, at); /* so that `next` of a query stays free */
        wrapper->interpolated = true;
        wrapper->list = parse_query(p);
        wrapper->count = 1;
        if (!is_operator(p, ")"))
            unexpected(p, "')' of the interpolation");
        at = p->lex.at;
        *link = wrapper;
        link = &wrapper->next;
        string->count++;
    }
    pw_lex_next(&p->lex);
    if (string->count == 0)
        return constant(p, pw_string_ref(PW_LIT("")), pos);
    if (string->count == 1 && string->list->kind == PW_NODE_CONST)
        return string->list;
    return string;
}

static pw_value number_of(parser *p, pw_str text)
{
    if (text.len < 16 && (text.ptr[0] != '0' || text.len == 1)) { /* most numbers */
        int64_t i = 0;
        size_t k = 0;
        while (k < text.len && text.ptr[k] >= '0' && text.ptr[k] <= '9')
            i = i * 10 + (text.ptr[k++] - '0');
        if (k == text.len)
            return pw_int(i);
    }
    return pw_lex_number(p->syntax->arena, text);
}

/* ---- patterns */

static pw_pattern *pattern_at(parser *p, int kind)
{
    pw_pattern *pattern = PW_NEW(p->syntax->arena, pw_pattern);
    pattern->kind = (unsigned)kind;
    pattern->pos = (uint32_t)p->lex.start;
    return pattern;
}

/* One member of {...}: $name, $name: p, key: p, "text": p, (expression): p */
static pw_pattern *parse_member_pattern(parser *p)
{
    pw_pattern *member = pattern_at(p, PW_PATTERN_VARIABLE);
    size_t pos = p->lex.start;
    switch (p->lex.token) {
    case PW_TOK_VARIABLE:
        member->name = p->lex.text;
        member->key = constant(p, pw_string_ref(p->lex.text), pos);
        pw_lex_next(&p->lex);
        if (take_operator(p, ":"))
            member->inner = parse_pattern(p);
        return member;
    case PW_TOK_IDENT:
    case PW_TOK_KEYWORD:
        member->key = constant(p, pw_string_ref(p->lex.text), pos);
        pw_lex_next(&p->lex);
        break;
    case PW_TOK_QUOTE:
        member->key = parse_string(p, PW_LIT(""), pos);
        break;
    case PW_TOK_END:
    case PW_TOK_FIELD:
    case PW_TOK_FORMAT:
    case PW_TOK_NUMBER:
    case PW_TOK_OPERATOR:
    case PW_TOK_BAD:
        if (!take_operator(p, "("))
            unexpected(p, "a variable or a key");
        member->key = parse_query(p);
        want_operator(p, ")");
        if (member->key->kind == PW_NODE_CONST && !pw_is(member->key->value, PW_STRING)) {
            pw_str text = pw_json_text(p->syntax->arena, member->key->value, PW_JSON_COMPACT);
            pw_syntax_fail(p->syntax, pos, "Cannot use %s (" PW_FMT ") as object key",
                           pw_type_name(member->key->value), PW_ARG(text));
        }
        break;
    }
    want_operator(p, ":");
    member->inner = parse_pattern(p);
    return member;
}

static pw_pattern *parse_pattern(parser *p)
{
    enter(p);
    pw_pattern *pattern = pattern_at(p, PW_PATTERN_VARIABLE);
    if (p->lex.token == PW_TOK_VARIABLE) {
        pattern->name = p->lex.text;
        pw_lex_next(&p->lex);
        leave(p);
        return pattern;
    }
    bool array = is_operator(p, "[");
    if (!array && !is_operator(p, "{"))
        unexpected(p, "a variable, '[' or '{'");
    pw_lex_next(&p->lex);
    pattern->kind = array ? PW_PATTERN_ARRAY : PW_PATTERN_OBJECT;
    pw_pattern **link = &pattern->list;
    do {
        *link = array ? parse_pattern(p) : parse_member_pattern(p);
        link = &(*link)->next;
    } while (take_operator(p, ","));
    want_operator(p, array ? "]" : "}");
    leave(p);
    return pattern;
}

static pw_pattern *parse_patterns(parser *p)
{
    pw_pattern *first = parse_pattern(p), *last = first;
    while (take_operator(p, "?//"))
        last = last->alternative = parse_pattern(p);
    return first;
}

/* ---- terms */

static bool is_key_token(const parser *p)
{
    return p->lex.token == PW_TOK_IDENT || p->lex.token == PW_TOK_KEYWORD;
}

/* The value of a member: operators and pipes, but no comma. */
static pw_node *parse_member_value(parser *p)
{
    size_t pos = p->lex.start;
    pw_node *value = parse_operators(p, 0);
    if (!is_operator(p, "|"))
        return value;
    pw_node *pipe = node(p, PW_NODE_PIPE, pos);
    pw_node **link = &pipe->list;
    *link = value;
    pipe->count = 1;
    while (take_operator(p, "|")) {
        link = &(*link)->next;
        *link = parse_operators(p, 0);
        pipe->count++;
    }
    return pipe;
}

static pw_node *field_of(parser *p, pw_node *object, pw_node *key, size_t pos)
{
    pw_node *n = node(p, PW_NODE_INDEX, pos);
    n->a = object;
    n->b = key;
    return n;
}

static pw_node *location(parser *p, size_t pos)
{
    int64_t line = 1;
    for (size_t i = 0; i < pos; i++)
        line += p->lex.source.ptr[i] == '\n';
    pw_member members[] = { { PW_LIT("file"), pw_string_ref(PW_LIT("<top-level>")) },
                            { PW_LIT("line"), pw_int(line) } };
    return constant(p, pw_object_of(p->syntax->arena, members, 2), pos);
}

static pw_node *variable(parser *p, pw_str name, size_t pos)
{
    if (pw_str_is(name, "__loc__"))
        return location(p, pos);
    pw_node *n = node(p, PW_NODE_VARIABLE, pos);
    n->name = name;
    return n;
}

static pw_node *parse_member(parser *p)
{
    size_t pos = p->lex.start;
    pw_node *member = node(p, PW_NODE_MEMBER, pos);
    if (p->lex.token == PW_TOK_VARIABLE) { /* $name, or "$name": the variable's value is the key */
        pw_str name = p->lex.text;
        pw_lex_next(&p->lex);
        if (take_operator(p, ":")) {
            member->a = variable(p, name, pos);
            member->b = parse_member_value(p);
            return member;
        }
        member->a = constant(p, pw_string_ref(name), pos);
        member->b = variable(p, name, pos);
        return member;
    }
    bool bare = true; /* may stand without a value: {a} is {a: .a} */
    if (is_key_token(p)) {
        member->a = constant(p, pw_string_ref(p->lex.text), pos);
        pw_lex_next(&p->lex);
    } else if (p->lex.token == PW_TOK_QUOTE) {
        member->a = parse_string(p, PW_LIT(""), pos);
    } else if (p->lex.token == PW_TOK_FORMAT) {
        pw_str format = p->lex.text;
        pw_lex_next(&p->lex);
        if (p->lex.token != PW_TOK_QUOTE)
            unexpected(p, "a string behind the format");
        member->a = parse_string(p, format, pos);
    } else if (take_operator(p, "(")) {
        member->a = parse_query(p);
        want_operator(p, ")");
        bare = false;
        if (member->a->kind == PW_NODE_CONST && !pw_is(member->a->value, PW_STRING)) {
            pw_str text = pw_json_text(p->syntax->arena, member->a->value, PW_JSON_COMPACT);
            pw_syntax_fail(p->syntax, pos, "Cannot use %s (" PW_FMT ") as object key",
                           pw_type_name(member->a->value), PW_ARG(text));
        }
    } else {
        unexpected(p, "an object key: a name, a string, a variable or a parenthesis");
    }
    if (take_operator(p, ":"))
        member->b = parse_member_value(p);
    else if (bare && (is_operator(p, ",") || is_operator(p, "}")))
        member->b = field_of(p, node(p, PW_NODE_IDENTITY, pos), member->a, pos);
    else
        unexpected(p, bare ? "':', ',' or '}'" : "':'");
    return member;
}

static pw_node *parse_object(parser *p, size_t pos)
{
    pw_node *object = node(p, PW_NODE_OBJECT, pos);
    pw_node **link = &object->list;
    if (take_operator(p, "}"))
        return object;
    do {
        *link = parse_member(p);
        link = &(*link)->next;
        object->count++;
    } while (take_operator(p, ",") && !is_operator(p, "}"));
    want_operator(p, "}");
    return object;
}

static pw_node *parse_if(parser *p, size_t pos)
{
    pw_node *first = NULL, **link = &first;
    do { /* elif: an if in the place of else */
        pw_node *n = *link = node(p, PW_NODE_IF, pos);
        n->a = parse_query(p);
        want_keyword(p, "then");
        n->b = parse_query(p);
        link = &n->c;
        pos = p->lex.start;
    } while (take_keyword(p, "elif"));
    if (take_keyword(p, "else"))
        *link = parse_query(p);
    want_keyword(p, "end");
    return first;
}

static pw_node *parse_loop(parser *p, pw_node_kind kind, size_t pos)
{
    pw_node *n = node(p, kind, pos);
    n->a = parse_operators(p, 0);
    want_keyword(p, "as");
    n->pattern = parse_patterns(p);
    want_operator(p, "(");
    n->b = parse_query(p);
    want_operator(p, ";");
    n->c = parse_query(p);
    if (kind == PW_NODE_FOREACH && take_operator(p, ";"))
        n->d = parse_query(p);
    want_operator(p, ")");
    return n;
}

/* A value parameter that is also called by its bare name must keep its closure. */
static void note_call(parser *p, pw_str name)
{
    for (open_def *open = p->open; open; open = open->outer) {
        for (uint32_t i = 0; i < open->def->arity; i++) {
            pw_parameter *parameter = &open->def->parameters[i];
            if (parameter->is_value && pw_str_eq(parameter->name, name))
                parameter->called = true;
        }
    }
}

static pw_node *parse_call(parser *p, size_t pos)
{
    pw_str name = p->lex.text;
    pw_lex_next(&p->lex);
    if (!is_operator(p, "(")) {
        if (pw_str_is(name, "true") || pw_str_is(name, "false"))
            return constant(p, pw_bool(pw_str_is(name, "true")), pos);
        if (pw_str_is(name, "null"))
            return constant(p, pw_null(), pos);
        note_call(p, name);
    }
    pw_node *call = node(p, PW_NODE_CALL, pos);
    call->name = name;
    pw_node **link = &call->list;
    if (take_operator(p, "(")) {
        do {
            if (++call->count > PW_EXPR_ARITY_MAX)
                pw_syntax_fail(p->syntax, p->lex.start, "more than %d arguments",
                               PW_EXPR_ARITY_MAX);
            *link = node(p, PW_NODE_PIPE, p->lex.start);
            (*link)->list = parse_query(p);
            (*link)->count = 1;
            link = &(*link)->next;
        } while (take_operator(p, ";"));
        want_operator(p, ")");
    }
    return call;
}

static pw_node *parse_keyword_term(parser *p, size_t pos)
{
    if (take_keyword(p, "if"))
        return parse_if(p, pos);
    if (take_keyword(p, "reduce"))
        return parse_loop(p, PW_NODE_REDUCE, pos);
    if (take_keyword(p, "foreach"))
        return parse_loop(p, PW_NODE_FOREACH, pos);
    if (is_keyword(p, "import") || is_keyword(p, "include") || is_keyword(p, "module"))
        pw_syntax_fail(p->syntax, pos, "modules are not available here: '" PW_FMT "'",
                       PW_ARG(p->lex.text));
    unexpected(p, "an expression");
}

static pw_node *parse_operator_term(parser *p, size_t pos)
{
    if (take_operator(p, "(")) {
        pw_node *inner = parse_query(p);
        want_operator(p, ")");
        if (inner->kind == PW_NODE_CONST)
            return inner;
        pw_node *n = node(p, PW_NODE_PIPE, pos); /* a list of one: its `next` is free */
        n->list = inner;
        n->count = 1;
        return n;
    }
    if (take_operator(p, "[")) {
        pw_node *n = node(p, PW_NODE_ARRAY, pos);
        if (take_operator(p, "]"))
            return n;
        n->a = parse_query(p);
        want_operator(p, "]");
        return n;
    }
    if (take_operator(p, "{"))
        return parse_object(p, pos);
    if (take_operator(p, ".."))
        return node(p, PW_NODE_RECURSE, pos);
    if (is_operator(p, ".")) {
        pw_lex_next(&p->lex);
        pw_node *dot = node(p, PW_NODE_IDENTITY, pos);
        if (p->lex.token == PW_TOK_QUOTE)
            return field_of(p, dot, parse_string(p, PW_LIT(""), p->lex.start), pos);
        return dot;
    }
    unexpected(p, "an expression");
}

static pw_node *parse_atom(parser *p)
{
    size_t pos = p->lex.start;
    pw_str text = p->lex.text;
    switch (p->lex.token) {
    case PW_TOK_FIELD:
        pw_lex_next(&p->lex);
        return field_of(p, node(p, PW_NODE_IDENTITY, pos), constant(p, pw_string_ref(text), pos),
                        pos);
    case PW_TOK_VARIABLE:
        pw_lex_next(&p->lex);
        return variable(p, text, pos);
    case PW_TOK_FORMAT:
        pw_lex_next(&p->lex);
        if (p->lex.token == PW_TOK_QUOTE)
            return parse_string(p, text, pos);
        pw_node *format = node(p, PW_NODE_FORMAT, pos);
        format->name = text;
        return format;
    case PW_TOK_NUMBER:
        pw_lex_next(&p->lex);
        return constant(p, number_of(p, text), pos);
    case PW_TOK_QUOTE:
        return parse_string(p, PW_LIT(""), pos);
    case PW_TOK_IDENT:
        if (pw_str_is(text, "break")) {
            pw_lex_next(&p->lex);
            if (p->lex.token != PW_TOK_VARIABLE)
                unexpected(p, "a label: break $name");
            pw_node *n = node(p, PW_NODE_BREAK, pos);
            n->name = p->lex.text;
            pw_lex_next(&p->lex);
            return n;
        }
        return parse_call(p, pos);
    case PW_TOK_KEYWORD:
        return parse_keyword_term(p, pos);
    case PW_TOK_OPERATOR:
        return parse_operator_term(p, pos);
    case PW_TOK_END:
    case PW_TOK_BAD:
        break;
    }
    unexpected(p, "an expression");
}

/* Behind '[': the rest of an index, a slice or []. */
static pw_node *parse_brackets(parser *p, pw_node *term, size_t pos)
{
    if (take_operator(p, "]")) {
        pw_node *n = node(p, PW_NODE_EACH, pos);
        n->a = term;
        return n;
    }
    pw_node *from = is_operator(p, ":") ? NULL : parse_query(p);
    if (from && take_operator(p, "]"))
        return field_of(p, term, from, pos);
    want_operator(p, ":");
    pw_node *n = node(p, PW_NODE_SLICE, pos);
    n->a = term;
    n->b = from;
    if (!from || !is_operator(p, "]"))
        n->c = parse_query(p);
    want_operator(p, "]");
    return n;
}

/* .name ."text" [..] .[..] and ?, one after the other. */
static pw_node *parse_suffixes(parser *p, pw_node *term)
{
    bool fresh = term->kind == PW_NODE_INDEX; /* `.name?` is optional by itself, not a try */
    for (;;) {
        size_t pos = p->lex.start;
        if (p->lex.token == PW_TOK_FIELD) {
            pw_node *key = constant(p, pw_string_ref(p->lex.text), pos);
            pw_lex_next(&p->lex);
            term = field_of(p, term, key, pos);
            fresh = true;
        } else if (take_operator(p, "[")) {
            term = parse_brackets(p, term, pos);
            fresh = true;
        } else if (is_operator(p, ".")) {
            pw_lex_next(&p->lex);
            if (take_operator(p, "["))
                term = parse_brackets(p, term, pos);
            else if (p->lex.token == PW_TOK_QUOTE)
                term = field_of(p, term, parse_string(p, PW_LIT(""), p->lex.start), pos);
            else
                unexpected(p, "a name, a string or '[' behind '.'");
            fresh = true;
        } else if (take_operator(p, "?")) {
            if (fresh) {
                term->optional = true;
            } else {
                pw_node *n = node(p, PW_NODE_TRY, pos);
                n->a = term;
                term = n;
            }
            fresh = false;
        } else {
            return term;
        }
    }
}

static pw_node *negated(parser *p, pw_node *operand, size_t pos)
{
    if (operand->kind == PW_NODE_CONST && pw_is(operand->value, PW_NUMBER) &&
        operand->value.form == PW_FORM_INT && operand->value.as.integer != 0)
        return constant(p, pw_int(-operand->value.as.integer), pos);
    pw_node *n = node(p, PW_NODE_NEGATE, pos);
    n->a = operand;
    return n;
}

/* A term with its suffixes, a sign or `try` in front of it. */
static pw_node *parse_term(parser *p)
{
    size_t pos = p->lex.start;
    if (!is_operator(p, "-") && !is_keyword(p, "try"))
        return parse_suffixes(p, parse_atom(p));
    enter(p);
    pw_node *term;
    if (take_operator(p, "-")) {
        term = negated(p, parse_term(p), pos);
    } else {
        pw_lex_next(&p->lex);
        term = node(p, PW_NODE_TRY, pos);
        term->a = parse_term(p);
        if (take_keyword(p, "catch"))
            term->b = parse_term(p);
    }
    leave(p);
    return term;
}

/* ---- operators */

enum {
    PREC_ALTERNATIVE = 1,
    PREC_ASSIGN,
    PREC_OR,
    PREC_AND,
    PREC_COMPARE,
    PREC_ADD,
    PREC_MULTIPLY
};

static const struct operator_row {
    const char *text;
    uint8_t prec, kind, op;
} operator_table[] = {
    { "//", PREC_ALTERNATIVE, PW_NODE_ALTERNATIVE, 0 },
    { "?//", PREC_ALTERNATIVE, PW_NODE_ALTERNATIVE, 1 }, /* `?` and `//` written together */
    { "=", PREC_ASSIGN, PW_NODE_ASSIGN, 0 },
    { "|=", PREC_ASSIGN, PW_NODE_UPDATE, 0 },
    { "+=", PREC_ASSIGN, PW_NODE_OP_ASSIGN, PW_OP_ADD },
    { "-=", PREC_ASSIGN, PW_NODE_OP_ASSIGN, PW_OP_SUBTRACT },
    { "*=", PREC_ASSIGN, PW_NODE_OP_ASSIGN, PW_OP_MULTIPLY },
    { "/=", PREC_ASSIGN, PW_NODE_OP_ASSIGN, PW_OP_DIVIDE },
    { "%=", PREC_ASSIGN, PW_NODE_OP_ASSIGN, PW_OP_MODULO },
    { "//=", PREC_ASSIGN, PW_NODE_OP_ASSIGN, PW_OP_ALTERNATIVE },
    { "or", PREC_OR, PW_NODE_OR, 0 },
    { "and", PREC_AND, PW_NODE_AND, 0 },
    { "==", PREC_COMPARE, PW_NODE_BINARY, PW_OP_EQUAL },
    { "!=", PREC_COMPARE, PW_NODE_BINARY, PW_OP_NOT_EQUAL },
    { "<", PREC_COMPARE, PW_NODE_BINARY, PW_OP_LESS },
    { "<=", PREC_COMPARE, PW_NODE_BINARY, PW_OP_LESS_EQUAL },
    { ">", PREC_COMPARE, PW_NODE_BINARY, PW_OP_GREATER },
    { ">=", PREC_COMPARE, PW_NODE_BINARY, PW_OP_GREATER_EQUAL },
    { "+", PREC_ADD, PW_NODE_BINARY, PW_OP_ADD },
    { "-", PREC_ADD, PW_NODE_BINARY, PW_OP_SUBTRACT },
    { "*", PREC_MULTIPLY, PW_NODE_BINARY, PW_OP_MULTIPLY },
    { "/", PREC_MULTIPLY, PW_NODE_BINARY, PW_OP_DIVIDE },
    { "%", PREC_MULTIPLY, PW_NODE_BINARY, PW_OP_MODULO },
};

static const struct operator_row *operator_at(const parser *p)
{
    if (p->lex.token != PW_TOK_OPERATOR && p->lex.token != PW_TOK_KEYWORD)
        return NULL;
    for (size_t i = 0; i < PW_LENGTH(operator_table); i++)
        if (pw_str_is(p->lex.text, operator_table[i].text))
            return &operator_table[i];
    return NULL;
}

static pw_node *parse_operators(parser *p, int min)
{
    if (min <= PREC_ALTERNATIVE) /* above it the recursion ends after a few levels by itself */
        enter(p);
    pw_node *left = parse_term(p);
    int chained = 0; /* the precedence that may not come again */
    for (;;) {
        const struct operator_row *row = operator_at(p);
        if (!row || row->prec < min)
            break;
        if (row->prec == chained)
            unexpected(p, "parentheses: this operator does not chain");
        size_t pos = p->lex.start;
        pw_lex_next(&p->lex);
        pw_node *n = node(p, row->kind, pos);
        n->op = row->op;
        n->a = left;
        /* `//` is right associative: its right side may hold another. */
        n->b = parse_operators(p, row->prec == PREC_ALTERNATIVE ? row->prec : row->prec + 1);
        if (row->kind == PW_NODE_ALTERNATIVE && row->op) {
            pw_node *try = node(p, PW_NODE_TRY, pos);
            try->a = left;
            n->a = try;
        }
        left = n;
        chained = row->prec == PREC_COMPARE || row->prec == PREC_ASSIGN ? row->prec : 0;
    }
    if (min <= PREC_ALTERNATIVE)
        leave(p);
    return left;
}

/* ---- queries */

static void parse_parameters(parser *p, pw_def *def)
{
    pw_parameter *parameters = PW_NEW_ARRAY(p->syntax->arena, pw_parameter, PW_EXPR_ARITY_MAX);
    def->parameters = parameters;
    do {
        if (def->arity == PW_EXPR_ARITY_MAX)
            pw_syntax_fail(p->syntax, p->lex.start, "more than %d parameters", PW_EXPR_ARITY_MAX);
        if (p->lex.token == PW_TOK_VARIABLE)
            parameters[def->arity].is_value = true;
        else if (!is_key_token(p))
            unexpected(p, "a parameter: name or $name");
        parameters[def->arity++].name = p->lex.text;
        pw_lex_next(&p->lex);
    } while (take_operator(p, ";"));
    want_operator(p, ")");
}

/* Behind `def`. */
static pw_def *parse_def(parser *p)
{
    pw_def *def = PW_NEW(p->syntax->arena, pw_def);
    def->pos = (uint32_t)p->lex.start;
    if (!is_key_token(p))
        unexpected(p, "the name of a function");
    def->name = p->lex.text;
    pw_lex_next(&p->lex);
    if (take_operator(p, "("))
        parse_parameters(p, def);
    want_operator(p, ":");
    open_def open = { def, p->open };
    p->open = &open;
    def->body = parse_query(p);
    p->open = open.outer;
    want_operator(p, ";");
    return def;
}

/* def ...; def ...; query */
static pw_node *parse_defs(parser *p)
{
    pw_node *first = NULL, **link = &first;
    do {
        pw_node *n = *link = node(p, PW_NODE_DEF, p->lex.start);
        n->def = parse_def(p);
        link = &n->a;
    } while (take_keyword(p, "def"));
    *link = parse_query(p);
    return first;
}

/* One operand of `,`. *ends: it reaches to the end of the query. */
static pw_node *parse_operand(parser *p, bool *ends)
{
    size_t pos = p->lex.start;
    *ends = true;
    if (take_keyword(p, "def"))
        return parse_defs(p);
    if (take_keyword(p, "label")) {
        pw_node *n = node(p, PW_NODE_LABEL, pos);
        if (p->lex.token != PW_TOK_VARIABLE)
            unexpected(p, "a label: label $name");
        n->name = p->lex.text;
        pw_lex_next(&p->lex);
        want_operator(p, "|");
        n->a = parse_query(p);
        return n;
    }
    pw_node *e = parse_operators(p, 0);
    if (take_keyword(p, "as")) {
        pw_node *n = node(p, PW_NODE_AS, pos);
        n->a = e;
        n->pattern = parse_patterns(p);
        want_operator(p, "|");
        n->b = parse_query(p);
        return n;
    }
    *ends = false;
    return e;
}

static pw_node *list_of(parser *p, pw_node_kind kind, pw_node *list, uint32_t count)
{
    if (count == 1)
        return list;
    pw_node *n = node(p, kind, list->pos);
    n->list = list;
    n->count = count;
    return n;
}

static pw_node *parse_query(parser *p)
{
    enter(p);
    pw_node *stages = NULL, **stage = &stages;
    uint32_t stage_count = 0;
    bool ends = false;
    do {
        pw_node *operands = NULL, **operand = &operands;
        uint32_t count = 0;
        do {
            *operand = parse_operand(p, &ends);
            operand = &(*operand)->next;
            count++;
        } while (!ends && take_operator(p, ","));
        *stage = list_of(p, PW_NODE_COMMA, operands, count);
        stage = &(*stage)->next;
        stage_count++;
    } while (!ends && take_operator(p, "|"));
    leave(p);
    return list_of(p, PW_NODE_PIPE, stages, stage_count);
}

pw_node *pw_parse(pw_syntax *syntax, pw_str source)
{
    parser p = { .syntax = syntax, .lex = { .source = source } };
    pw_lex_next(&p.lex);
    if (is_keyword(&p, "import") || is_keyword(&p, "include") || is_keyword(&p, "module"))
        pw_syntax_fail(syntax, p.lex.start, "modules are not available here: '" PW_FMT "'",
                       PW_ARG(p.lex.text));
    pw_node *tree = parse_query(&p);
    if (p.lex.token != PW_TOK_END)
        unexpected(&p, "the end or an operator");
    return tree;
}

pw_def *pw_parse_def(pw_syntax *syntax, pw_str source)
{
    parser p = { .syntax = syntax, .lex = { .source = source } };
    pw_lex_next(&p.lex);
    want_keyword(&p, "def");
    return parse_def(&p);
}
