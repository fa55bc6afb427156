/* scan.c - where `${ ... }` ends in a text, without compiling it.
 *
 * Brackets are counted outside strings and comments; a string may hold interpolations `\( ... )`,
 * which hold an expression again. A bracket that does not match still ends what it can end, so that
 * a broken expression is found as one, and its compilation says what is wrong. */
#include "expr/syntax_internal.h"

typedef struct scanner {
    pw_str s;
    size_t at;
    size_t depth;
    char open[4 *
              PW_EXPR_NESTING_MAX]; /* '$' the outermost; ( [ {; '"' a string; 'i' interpolation */
} scanner;

static bool push(scanner *sc, char c)
{
    if (sc->depth == sizeof sc->open)
        return false;
    sc->open[sc->depth++] = c;
    return true;
}

/* Inside a string: up to its end or an interpolation. */
static bool in_string(scanner *sc)
{
    char c = sc->s.ptr[sc->at++];
    if (c == '"')
        sc->depth--;
    if (c != '\\' || sc->at >= sc->s.len)
        return true;
    return sc->s.ptr[sc->at++] == '(' ? push(sc, 'i') : true;
}

/* True: this closes the outermost bracket. */
static bool closes(scanner *sc, char closer)
{
    char opener = closer == ')' ? '(' : closer == ']' ? '[' : '{';
    for (size_t d = sc->depth; d-- > 0;) {
        char c = sc->open[d];
        if (c == opener || (c == 'i' && closer == ')') || (c == '$' && closer == '}')) {
            sc->depth = d;
            return c == '$';
        }
        if (c == 'i' || c == '"')
            return false;
    }
    return false;
}

size_t pw_expr_scan(pw_str text)
{
    if (!pw_str_starts(text, PW_LIT("${")))
        return 0;
    scanner sc = { .s = text, .at = 2, .depth = 1, .open = { '$' } };
    while (sc.at < text.len) {
        if (sc.open[sc.depth - 1] == '"') {
            if (!in_string(&sc))
                return 0;
            continue;
        }
        char c = text.ptr[sc.at];
        if (c == '#') {
            sc.at = pw_lex_skip(text, sc.at);
            continue;
        }
        sc.at++;
        if (c == '(' || c == '[' || c == '{' || c == '"') {
            if (!push(&sc, c))
                return 0;
        } else if ((c == ')' || c == ']' || c == '}') && closes(&sc, c)) {
            return sc.at;
        }
    }
    return 0;
}
