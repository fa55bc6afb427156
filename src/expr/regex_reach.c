/* regex_reach.c - how far a pattern may run over a text without going back.
 *
 * Told from the pattern's text alone, and never too little: the atoms that repeat are sorted by
 * what they can run over. `\w+` stays between two spaces, `\s*` in one stretch of white space, `.*`
 * on a line; what is not understood, and a repeated group, may run over everything. A path through
 * a pattern without repeated groups meets each atom once, so it is no longer than the sum of the
 * longest such stretches in the text. */
#include "expr/regex_internal.h"

enum { TIMES_MAX = 4096 }; /* {n} on groups, multiplied: more is everything */

typedef enum kind { SOLID, SPACE, LINE, ANYTHING } kind;

typedef struct reader {
    pw_str p;
    size_t at;
    bool dot_all;
    pw_regex_reach reach;
} reader;

static char peek(const reader *r, size_t ahead)
{
    return r->at + ahead < r->p.len ? r->p.ptr[r->at + ahead] : '\0';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool among(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* What `\c` matches. */
static kind escape_kind(char c)
{
    if (among(c, "sntrvf"))
        return SPACE;
    if (c == 'N')
        return LINE;
    if (among(c, "wdhSbBAzZGK"))
        return SOLID;
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || c == '\0' ? ANYTHING : is_space(c) ? SPACE : SOLID;
}

/* Behind '['. A negated class is solid if it leaves out \s, and stays on a line if it leaves out
 * \n; another is solid if nothing in it is white. */
static kind read_class(reader *r)
{
    bool negated = peek(r, 0) == '^', space = false, line = false, odd = false, nested = false;
    r->at += negated;
    for (size_t first = r->at; r->at < r->p.len; r->at++) {
        char c = r->p.ptr[r->at];
        if (c == ']' && r->at > first)
            break;
        nested |= c == '[' || c == '&'; /* or [:space:], or an intersection */
        odd |= is_space(c);
        if (c == '\n') {
            line = true;
        } else if (c == '\\') {
            char e = peek(r, 1);
            r->at++;
            space |= e == 's';
            line |= e == 'n';
            odd |= e != 's' && e != 'n' && escape_kind(e) != SOLID;
        }
    }
    r->reach.everything |= nested; /* its end was not looked for */
    if (negated)
        return space ? SOLID : line ? LINE : ANYTHING;
    return space || line || odd ? ANYTHING : SOLID;
}

/* Behind '(': what may stand between it and the content. False: not understood. */
static bool read_opening(reader *r)
{
    if (peek(r, 0) == '*')
        return false; /* a callout */
    if (peek(r, 0) != '?')
        return true;
    if (peek(r, 1) == '#') {
        while (r->at < r->p.len && r->p.ptr[r->at] != ')')
            r->at++;
        return true;
    }
    if (among(peek(r, 1), ":=!>") || (among(peek(r, 1), "<") && among(peek(r, 2), "=!"))) {
        r->at += 2;
        return true;
    }
    if (peek(r, 1) == '<') { /* a name */
        while (r->at < r->p.len && r->p.ptr[r->at] != '>')
            r->at++;
        r->at++;
        return true;
    }
    for (r->at++; among(peek(r, 0), "ims-"); r->at++)
        r->dot_all |= peek(r, 0) == 's' || peek(r, 0) == 'm';
    return peek(r, 0) == ':' || peek(r, 0) == ')';
}

/* A quantifier, if there is one: how often at most (SIZE_MAX: no end). 1: none, or `?`. */
static size_t read_quantifier(reader *r)
{
    size_t most = 1;
    char c = peek(r, 0);
    if (c == '*' || c == '+') {
        most = SIZE_MAX;
        r->at++;
    } else if (c == '?') {
        r->at++;
    } else if (c == '{') {
        size_t number = 0;
        bool open = false;
        for (r->at++; among(peek(r, 0), "0123456789,"); r->at++) {
            open = peek(r, 0) == ',';
            number = open                 ? 0
                     : number > TIMES_MAX ? number
                                          : number * 10 + (size_t)(peek(r, 0) - '0');
        }
        r->at += peek(r, 0) == '}';
        most = open || number > TIMES_MAX ? SIZE_MAX : number;
    } else {
        return most;
    }
    if (peek(r, 0) == '?' || peek(r, 0) == '+') /* lazy, possessive */
        r->at++;
    if (among(peek(r, 0), "*+?{")) /* a quantifier of a quantifier */
        r->reach.everything = true;
    return most;
}

static void note(reader *r, kind k, size_t most)
{
    if (most <= 1)
        return;
    r->reach.solid += k == SOLID;
    r->reach.space += k == SPACE;
    r->reach.line += k == LINE;
    r->reach.everything |= k == ANYTHING;
}

static void note_group(reader *r, size_t most)
{
    if (most <= 1)
        return;
    if (most > TIMES_MAX / r->reach.times)
        r->reach.everything = true;
    else
        r->reach.times *= (uint32_t)most;
}

static void read_atom(reader *r)
{
    char c = r->p.ptr[r->at++];
    kind k = is_space(c) ? SPACE : SOLID;
    if (c == '(') {
        r->reach.everything |= !read_opening(r);
        return;
    }
    if (c == ')') {
        note_group(r, read_quantifier(r));
        return;
    }
    if (c == '|' || c == '^' || c == '$')
        return;
    if (c == '[') {
        k = read_class(r);
        r->at++;
    } else if (c == '.') {
        k = r->dot_all ? ANYTHING : LINE;
    } else if (c == '\\') {
        char e = peek(r, 0);
        k = escape_kind(e);
        r->at++;
        if (among(e, "pPxuo") && peek(r, 0) == '{') { /* the name of a property, a code point */
            while (r->at < r->p.len && r->p.ptr[r->at] != '}')
                r->at++;
            r->at++;
        }
        if (among(e, "123456789gkRXQ")) /* runs on without a quantifier */
            r->reach.everything = true;
    } else {
        while (((unsigned char)peek(r, 0) & 0xc0) == 0x80)
            r->at++;
    }
    note(r, k, read_quantifier(r));
}

pw_regex_reach pw_regex_reach_of(pw_str pattern, bool dot_all, bool extended)
{
    reader r = { .p = pattern, .dot_all = dot_all };
    r.reach = (pw_regex_reach){ .fixed = pattern.len, .times = 1, .everything = extended };
    while (r.at < pattern.len && !r.reach.everything)
        read_atom(&r);
    return r.reach;
}

static void longest(size_t *best, size_t *now, bool goes_on)
{
    *now = goes_on ? *now + 1 : 0;
    *best = *now > *best ? *now : *best;
}

pw_text_runs pw_text_runs_of(pw_str text)
{
    pw_text_runs best = { 0, 0, 0 }, now = { 0, 0, 0 };
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        longest(&best.solid, &now.solid, !is_space(c));
        longest(&best.space, &now.space, is_space(c) || (c & 0x80)); /* Unicode has more of them */
        longest(&best.line, &now.line, c != '\n');
    }
    return best;
}

size_t pw_regex_run(const pw_regex_reach *reach, const pw_text_runs *text)
{
    if (reach->everything)
        return SIZE_MAX;
    return reach->times * (reach->fixed + reach->solid * text->solid + reach->space * text->space +
                           reach->line * text->line);
}
