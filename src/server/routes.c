/* routes.c - which route a request is for, and the text of URLs. The table itself is in
 * routes_table.c. */
#include "server/routes.h"

/* ---- text of URLs */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

pw_str pw_percent_decoded(pw_arena *arena, pw_str text, bool plus)
{
    char *out = pw_arena_alloc(arena, text.len + 1);
    size_t n = 0;
    if (!out)
        return (pw_str){ 0 };
    for (size_t at = 0; at < text.len; at++) {
        char c = text.ptr[at];
        if (c == '%') {
            int high = at + 2 < text.len ? hex_digit(text.ptr[at + 1]) : -1;
            int low = high >= 0 ? hex_digit(text.ptr[at + 2]) : -1;
            if (low < 0)
                return (pw_str){ 0 };
            c = (char)(high * 16 + low);
            at += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0')
            return (pw_str){ 0 };
        out[n++] = c;
    }
    out[n] = '\0';
    pw_str decoded = { out, n };
    return pw_utf8_valid(decoded) ? decoded : (pw_str){ 0 };
}

void pw_percent_encode(pw_buf *buf, pw_str text)
{
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t at = 0; at < text.len; at++) {
        if (text.ptr[at] && strchr(unreserved, text.ptr[at]))
            pw_buf_char(buf, text.ptr[at]);
        else
            pw_buf_printf(buf, "%%%02X", (unsigned char)text.ptr[at]);
    }
}

/* What is before `end`; *rest becomes what is behind it. */
static pw_str cut(pw_str *rest, char end)
{
    if (rest->len == 0)
        return *rest;
    const char *at = memchr(rest->ptr, end, rest->len);
    pw_str piece = { rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len };
    size_t behind = piece.len + (at ? 1 : 0);
    rest->ptr += behind;
    rest->len -= behind;
    return piece;
}

bool pw_query_next(pw_str *rest, pw_str *name, pw_str *value)
{
    pw_str piece = { 0 };
    while (rest->len && piece.len == 0)
        piece = cut(rest, '&');
    *name = cut(&piece, '=');
    *value = piece;
    return name->ptr != NULL && (name->len || value->len);
}

/* ---- paths */

typedef struct segments {
    pw_str at[PW_PATH_SEGMENTS];
    size_t count;
} segments;

/* Those between the slashes; false: more than any route has. */
static bool split(segments *out, pw_str path)
{
    out->count = 0;
    if (path.len == 0 || path.ptr[0] != '/')
        return false;
    path.ptr++, path.len--;
    for (;;) {
        bool more = path.len && memchr(path.ptr, '/', path.len);
        if (out->count == PW_PATH_SEGMENTS)
            return false;
        out->at[out->count++] = cut(&path, '/');
        if (!more)
            return true;
    }
}

static bool is_value(pw_str segment)
{
    return segment.len > 2 && segment.ptr[0] == '{';
}

static bool fits(const segments *asked, const char *path)
{
    segments known;
    if (!split(&known, pw_str_of(path)) || known.count != asked->count)
        return false;
    for (size_t i = 0; i < known.count; i++) {
        bool same =
            is_value(known.at[i]) ? asked->at[i].len > 0 : pw_str_eq(known.at[i], asked->at[i]);
        if (!same)
            return false;
    }
    return true;
}

static bool take_values(pw_matched *out, const segments *asked, pw_arena *arena,
                        pw_problem *problem)
{
    segments known;
    (void)split(&known, pw_str_of(out->route->path));
    for (size_t i = 0; i < known.count; i++) {
        pw_str name = known.at[i];
        if (!is_value(name))
            continue;
        pw_str value = pw_percent_decoded(arena, asked->at[i], false);
        if (!value.ptr)
            return pw_problem_http(problem, PW_PROBLEM_BAD_REQUEST,
                                   "the path is not percent-encoded UTF-8 at '" PW_FMT "'",
                                   PW_ARG(asked->at[i]));
        out->names[out->count] = (pw_str){ name.ptr + 1, name.len - 2 };
        out->values[out->count++] = value;
    }
    return true;
}

bool pw_route_find(pw_matched *out, pw_method method, pw_str path, pw_arena *arena,
                   pw_problem *problem)
{
    pw_method wanted = method == PW_HEAD ? PW_GET : method;
    segments asked;
    *out = (pw_matched){ 0 };
    if (split(&asked, path)) {
        for (const pw_route *route = pw_routes; route->path; route++) {
            if (!fits(&asked, route->path))
                continue;
            out->allowed |= PW_BIT(route->method) | (route->method == PW_GET ? PW_BIT(PW_HEAD) : 0);
            if (route->method == wanted && !out->route)
                out->route = route;
        }
    }
    if (out->route)
        return take_values(out, &asked, arena, problem);
    if (!out->allowed)
        return pw_problem_http(problem, PW_PROBLEM_NO_ROUTE, "there is nothing at '" PW_FMT "'",
                               PW_ARG(path));
    out->allowed |= PW_BIT(PW_OPTIONS);
    return true;
}

pw_str pw_route_allowed(unsigned allowed, pw_arena *arena)
{
    static const char *const names[] = {
        [PW_GET] = "GET",     [PW_HEAD] = "HEAD",     [PW_POST] = "POST",      [PW_PUT] = "PUT",
        [PW_PATCH] = "PATCH", [PW_DELETE] = "DELETE", [PW_OPTIONS] = "OPTIONS"
    };
    pw_str text = { "", 0 };
    for (size_t m = 0; m < PW_LENGTH(names); m++)
        if (allowed & PW_BIT(m))
            text =
                pw_arena_printf(arena, PW_FMT "%s%s", PW_ARG(text), text.len ? ", " : "", names[m]);
    return text;
}
