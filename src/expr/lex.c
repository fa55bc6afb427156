/* lex.c - the tokens of jq.
 *
 * The lexer gives one token at a time and never looks into strings: at an opening quote it stops,
 * and the parser reads the string, because an interpolation inside it is a program again. */
#include "expr/syntax_internal.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
    return is_name_start(c) || is_digit(c);
}

static char at(pw_str s, size_t i)
{
    return i < s.len ? s.ptr[i] : '\0';
}

size_t pw_lex_skip(pw_str s, size_t i)
{
    for (;;) {
        while (i < s.len && is_space(s.ptr[i]))
            i++;
        if (i >= s.len || s.ptr[i] != '#')
            return i;
        while (i < s.len && s.ptr[i] != '\n') {
            if (s.ptr[i] == '\\') /* what is behind it does not end the comment */
                i += at(s, i + 1) == '\r' && at(s, i + 2) == '\n' ? 2 : 1;
            i++;
        }
        if (i > s.len)
            i = s.len;
    }
}

static size_t name_end(pw_str s, size_t i)
{
    while (i < s.len && is_name(s.ptr[i]))
        i++;
    return i;
}

/* name or module::name */
static size_t path_end(pw_str s, size_t i)
{
    for (;;) {
        i = name_end(s, i);
        if (at(s, i) != ':' || at(s, i + 1) != ':' || !is_name_start(at(s, i + 2)))
            return i;
        i += 2;
    }
}

static size_t number_end(pw_str s, size_t i)
{
    while (is_digit(at(s, i)))
        i++;
    if (at(s, i) == '.') {
        i++;
        while (is_digit(at(s, i)))
            i++;
    }
    if (at(s, i) == 'e' || at(s, i) == 'E') {
        size_t j = i + 1;
        if (at(s, j) == '+' || at(s, j) == '-')
            j++;
        if (is_digit(at(s, j))) {
            while (is_digit(at(s, j)))
                j++;
            i = j;
        }
    }
    return i;
}

/* Written as JSON would, because the C library's way of reading numbers depends on the locale. */
pw_value pw_lex_number(pw_arena *arena, pw_str s)
{
    char *text = pw_arena_alloc(arena, s.len + 1);
    size_t n = 0, i = 0;
    if (at(s, i) == '-' || at(s, i) == '+')
        if (s.ptr[i++] == '-')
            text[n++] = '-';
    while (at(s, i) == '0' && is_digit(at(s, i + 1)))
        i++;
    if (!is_digit(at(s, i)))
        text[n++] = '0';
    while (is_digit(at(s, i)))
        text[n++] = s.ptr[i++];
    if (at(s, i) == '.' && !is_digit(at(s, i + 1)))
        i++;
    if (i < s.len)
        memcpy(text + n, s.ptr + i, s.len - i);
    pw_value number = pw_number_of(arena, (pw_str){ text, n + (s.len - i) });
    PW_ASSERT(pw_is(number, PW_NUMBER));
    return number;
}

static const char *const keywords[] = {
    "def", "if",    "then",  "elif",   "else",    "end",    "as",  "reduce", "foreach",
    "try", "catch", "label", "import", "include", "module", "and", "or",     "__loc__",
};

static bool is_keyword(pw_str text)
{
    for (size_t i = 0; i < PW_LENGTH(keywords); i++)
        if (pw_str_is(text, keywords[i]))
            return true;
    return false;
}

/* Longest first. */
static const char *const operators[] = {
    "?//=", "?//", "//=", "==", "!=", "<=", ">=", "//", "|=", "+=", "-=", "*=",
    "/=",   "%=",  "..",  "|",  ",",  "=",  "<",  ">",  "+",  "-",  "*",  "/",
    "%",    "(",   ")",   "[",  "]",  "{",  "}",  ":",  ";",  ".",  "?",
};

static size_t operator_length(pw_str s, size_t i)
{
    for (size_t k = 0; k < PW_LENGTH(operators); k++) {
        if (s.ptr[i] != operators[k][0]) /* most */
            continue;
        size_t n = strlen(operators[k]);
        if (s.len - i >= n && memcmp(s.ptr + i, operators[k], n) == 0)
            return n;
    }
    return 0;
}

static void token(pw_lexer *lex, pw_token kind, size_t text_start, size_t end)
{
    lex->token = kind;
    lex->text = (pw_str){ lex->source.ptr + text_start, end - text_start };
    lex->at = end;
}

void pw_lex_next(pw_lexer *lex)
{
    pw_str s = lex->source;
    size_t i = lex->start = pw_lex_skip(s, lex->at);
    if (i >= s.len) {
        token(lex, PW_TOK_END, s.len, s.len);
        return;
    }
    char c = s.ptr[i];
    if (c == '"') {
        token(lex, PW_TOK_QUOTE, i, i + 1);
    } else if (is_digit(c) || (c == '.' && is_digit(at(s, i + 1)))) {
        token(lex, PW_TOK_NUMBER, i, number_end(s, i));
    } else if (is_name_start(c)) {
        token(lex, PW_TOK_IDENT, i, path_end(s, i));
        if (is_keyword(lex->text))
            lex->token = PW_TOK_KEYWORD;
    } else if (c == '.' && is_name_start(at(s, i + 1))) {
        token(lex, PW_TOK_FIELD, i + 1, name_end(s, i + 1));
    } else if (c == '$' && is_name_start(at(s, i + 1))) {
        token(lex, PW_TOK_VARIABLE, i + 1, path_end(s, i + 1));
    } else if (c == '@' && is_name(at(s, i + 1))) {
        token(lex, PW_TOK_FORMAT, i + 1, name_end(s, i + 1));
    } else {
        size_t n = operator_length(s, i);
        if (n == 4) /* ?//= is ? and //= */
            n = 1;
        token(lex, n ? PW_TOK_OPERATOR : PW_TOK_BAD, i, i + (n ? n : 1));
    }
}
