/* regex.c - regular expressions: Oniguruma, as in jq, held within limits.
 *
 * A pattern is at most PATTERN_MAX bytes. A search may retry so often and use so much stack;
 * Oniguruma reports when it would need more, and that ends the evaluation like any other limit.
 *
 * How much it has done, Oniguruma does not tell. It tells only that it went back (retried) more
 * often than allowed; and between two retries it may have run over all the text: `a.*b` looks from
 * each `a` to the end of the line. So a search costs fuel by what it may have done: retries times
 * the length of such a run, at most (regex_reach.c).
 *
 * Compiled patterns are kept in a small cache of the machine, which belongs to one thread. */
#include <oniguruma.h>
#include <pthread.h>

#include "expr/builtins_internal.h"
#include "expr/regex_internal.h"

enum {
    PATTERN_MAX = 8192,
    CACHE_SIZE = 16,
    STACK_MAX = 1 << 16, /* entries of the matcher's own backtracking stack */
    RETRIES_FIRST = 16,  /* in one search; see search_bounded() */
    RETRIES_MAX = 1 << 24,
    FUEL_PER_SEARCH = 8,
    KEEP_BYTES = 1 << 17,
};

typedef struct cached {
    char *pattern;
    size_t len;
    OnigOptionType options;
    regex_t *regex;
    pw_regex_reach reach;
    uint64_t price; /* of compiling it, in fuel */
    size_t bytes;   /* that the compiled one may take */
    uint64_t used;
    uint64_t evaluation; /* that paid for it last */
} cached;

struct pw_regex_cache {
    cached entries[CACHE_SIZE];
    uint64_t clock;
    OnigRegion *region;
    OnigMatchParam *param;
};

static pthread_once_t onig_once = PTHREAD_ONCE_INIT;
static OnigSyntaxType perl, without_calls;

/* Programs in a pattern, `(?{...})`, would do nothing here, and a broken one leaks (Oniguruma
 * 6.9.8). */
static void onig_start(void)
{
    unsigned both =
        onig_get_syntax_op2(ONIG_SYNTAX_PERL_NG) & ~ONIG_SYN_OP2_QMARK_BRACE_CALLOUT_CONTENTS;
    onig_copy_syntax(&perl, ONIG_SYNTAX_PERL_NG);
    onig_set_syntax_op2(&perl, both);
    onig_copy_syntax(&without_calls, ONIG_SYNTAX_PERL_NG);
    onig_set_syntax_op2(&without_calls, both & ~ONIG_SYN_OP2_QMARK_PERL_SUBEXP_CALL);
    OnigEncoding encodings[] = { ONIG_ENCODING_UTF8 };
    (void)onig_initialize(encodings, 1);
    (void)onig_set_parse_depth_limit(250);
}

static void drop(cached *entry)
{
    if (entry->regex)
        onig_free(entry->regex);
    pw_free(entry->pattern);
    memset(entry, 0, sizeof *entry);
}

void pw_regex_cache_free(pw_regex_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < CACHE_SIZE; i++)
        drop(&cache->entries[i]);
    if (cache->region)
        onig_region_free(cache->region, 1);
    if (cache->param)
        onig_free_match_param(cache->param);
    pw_free(cache);
}

void pw_regex_cache_shrink(pw_regex_cache *cache)
{
    for (size_t i = 0; cache && i < CACHE_SIZE; i++)
        if (cache->entries[i].bytes > KEEP_BYTES)
            drop(&cache->entries[i]);
}

static pw_regex_cache *cache_of(pw_expr_machine *m)
{
    (void)pthread_once(&onig_once, onig_start);
    if (!m->regexes)
        m->regexes = pw_zalloc(sizeof *m->regexes);
    if (m->regexes && !m->regexes->region)
        m->regexes->region = onig_region_new();
    if (m->regexes && !m->regexes->param)
        m->regexes->param = onig_new_match_param();
    if (!m->regexes || !m->regexes->region || !m->regexes->param)
        pw_expr_stop(m, PW_STOP_NO_MEMORY);
    (void)onig_initialize_match_param(m->regexes->param);
    (void)onig_set_match_stack_limit_size_of_match_param(m->regexes->param, STACK_MAX);
    return m->regexes;
}

/* Paid once in each evaluation, compiled or found: what an evaluation costs must not depend on
 * those before it, or the same step would fail on one machine and succeed on another. The oldest
 * entry goes first, so which of its patterns an evaluation finds again does not depend on them
 * either. */
static void charge_compilation(pw_expr_machine *m, cached *entry)
{
    entry->evaluation = m->evaluations;
    pw_expr_charge(m, entry->price);
    pw_expr_claim(m, entry->bytes);
}

/* A class of Unicode characters takes some 40 us to compile, and ten times that when it does not
 * know upper from lower case; and up to 10 KB. */
static void set_price(cached *entry, pw_str pattern, OnigOptionType options)
{
    bool ignores_case = (options & ONIG_OPTION_IGNORECASE) != 0;
    uint64_t classes = 0;
    for (size_t i = 0; i + 1 < pattern.len; i++) {
        char c = pattern.ptr[i], next = pattern.ptr[i + 1];
        classes += c == '[' || (c == '\\' && next != '\0' && strchr("pPwW", next));
        ignores_case |= c == '(' && next == '?' && i + 2 < pattern.len &&
                        (pattern.ptr[i + 2] >= 'a' && pattern.ptr[i + 2] <= 'z');
    }
    entry->price =
        100 + pattern.len * (ignores_case ? 40 : 8) + classes * (ignores_case ? 5000 : 500);
    entry->bytes = 512 + 64 * pattern.len + classes * 10240;
}

/* Perl with named groups, as in jq. Oniguruma 6.9.8 takes the `(?-` of `(?-i)` for the beginning of
 * the call of a group before, `(?-1)`: a pattern with the one does without the other. */
static OnigSyntaxType *syntax_of(pw_str pattern)
{
    const char *end = pattern.ptr + pattern.len, *at = pattern.ptr;
    while ((at = memmem(at, (size_t)(end - at), "(?-", 3))) {
        at += 3;
        if (at < end && *at >= 'a' && *at <= 'z')
            return &without_calls;
    }
    return &perl;
}

/* The compiled pattern, from the cache if it is there; NULL: thrown. */
static const cached *regex_of(pw_expr_machine *m, pw_str pattern, OnigOptionType options)
{
    pw_regex_cache *cache = cache_of(m);
    cached *oldest = &cache->entries[0];
    for (size_t i = 0; i < CACHE_SIZE; i++) {
        cached *entry = &cache->entries[i];
        if (entry->regex && entry->options == options &&
            pw_str_eq((pw_str){ entry->pattern, entry->len }, pattern)) {
            entry->used = ++cache->clock;
            if (entry->evaluation != m->evaluations)
                charge_compilation(m, entry);
            return entry;
        }
        oldest = entry->used < oldest->used ? entry : oldest;
    }
    if (pattern.len > PATTERN_MAX) {
        (void)pw_expr_throw(m, "regular expression is longer than %d bytes", PATTERN_MAX);
        return NULL;
    }
    drop(oldest);
    set_price(oldest, pattern, options);
    charge_compilation(m, oldest);
    oldest->pattern = pw_strdup(pattern);
    if (!oldest->pattern)
        pw_expr_stop(m, PW_STOP_NO_MEMORY);
    oldest->len = pattern.len;
    oldest->options = options;
    oldest->reach = pw_regex_reach_of(pattern, (options & ONIG_OPTION_MULTILINE) != 0,
                                      (options & ONIG_OPTION_EXTEND) != 0);
    oldest->used = ++cache->clock;
    OnigErrorInfo info;
    const UChar *start = (const UChar *)oldest->pattern;
    int code = onig_new(&oldest->regex, start, start + pattern.len, options, ONIG_ENCODING_UTF8,
                        syntax_of(pattern), &info);
    if (code == ONIG_NORMAL)
        return oldest;
    oldest->regex = NULL;
    drop(oldest);
    if (code == ONIGERR_MEMORY)
        pw_expr_stop(m, PW_STOP_NO_MEMORY);
    UChar text[ONIG_MAX_ERROR_MESSAGE_LEN];
    int len = onig_error_code_to_str(text, code, &info);
    (void)pw_expr_throw(m, "Regex failure: %.*s", len, (const char *)text);
    return NULL;
}

typedef struct flags {
    OnigOptionType options;
    bool global, skip_empty;
} flags;

static bool read_flags(pw_expr_machine *m, pw_value v, flags *out)
{
    char text[PW_DUMP_SIZE];
    *out = (flags){ .options = ONIG_OPTION_CAPTURE_GROUP };
    if (pw_is(v, PW_NULL))
        return true;
    if (!pw_is(v, PW_STRING)) {
        (void)pw_expr_throw(m, "%s (%s) is not a string", pw_type_name(v),
                            pw_expr_dump(m, v, text));
        return false;
    }
    pw_str s = pw_text(v);
    for (size_t i = 0; i < s.len; i++) {
        switch (s.ptr[i]) {
        case 'g':
            out->global = true;
            break;
        case 'i':
            out->options |= ONIG_OPTION_IGNORECASE;
            break;
        case 'm':
            out->options |= ONIG_OPTION_MULTILINE;
            break;
        case 'x':
            out->options |= ONIG_OPTION_EXTEND;
            break;
        case 's':
            out->options |= ONIG_OPTION_SINGLELINE;
            break;
        case 'p':
            out->options |= ONIG_OPTION_MULTILINE | ONIG_OPTION_SINGLELINE;
            break;
        case 'l':
            out->options |= ONIG_OPTION_FIND_LONGEST;
            break;
        case 'n':
            out->skip_empty = true;
            out->options |= ONIG_OPTION_FIND_NOT_EMPTY;
            break;
        default:
            (void)pw_expr_throw(m, "%.*s is not a valid modifier string", (int)s.len, s.ptr);
            return false;
        }
    }
    return true;
}

/* ---- one search */

typedef struct search {
    pw_expr_machine *m;
    regex_t *regex;
    size_t run; /* most bytes between two retries */
    OnigRegion *region;
    pw_str text;
    size_t from;           /* in bytes, where the next search starts */
    size_t counted, point; /* bytes seen and the code points in them */
    bool global, over;
} search;

/* A search is allowed few retries first, then twice as many and so on, each time at the price of
 * all that are allowed: the same on every machine. */
static int search_bounded(search *s, size_t run)
{
    OnigMatchParam *param = s->m->regexes->param;
    const UChar *start = (const UChar *)s->text.ptr, *end = start + s->text.len;
    for (unsigned long retries = RETRIES_FIRST; retries <= RETRIES_MAX; retries *= 2) {
        if (retries > RETRIES_FIRST)
            pw_expr_charge(s->m, retries * (1 + run / 16));
        (void)onig_set_retry_limit_in_match_of_match_param(param, retries);
        (void)onig_set_retry_limit_in_search_of_match_param(param, retries);
        int code = onig_search_with_param(s->regex, start, end, start + s->from, end, s->region,
                                          ONIG_OPTION_NONE, param);
        if (code != ONIGERR_RETRY_LIMIT_IN_MATCH_OVER && code != ONIGERR_RETRY_LIMIT_IN_SEARCH_OVER)
            return code;
    }
    pw_expr_stop(s->m, PW_STOP_FUEL);
}

/* The next match. False: none, or (thrown) an error. */
static bool next_match(search *s)
{
    if (s->over)
        return false;
    size_t left = s->text.len - s->from, run = s->run < left ? s->run : left;
    pw_expr_charge(s->m,
                   FUEL_PER_SEARCH + run / 8 + (unsigned)onig_number_of_captures(s->regex) / 4);
    int code = search_bounded(s, run);
    size_t seen = code >= 0 ? (size_t)s->region->end[0] : s->text.len;
    pw_expr_charge(s->m, (seen > s->from ? seen - s->from : 0) / 4);
    if (code == ONIG_MISMATCH) {
        s->over = true;
        return false;
    }
    if (code == ONIGERR_MEMORY)
        pw_expr_stop(s->m, PW_STOP_NO_MEMORY);
    if (code == ONIGERR_MATCH_STACK_LIMIT_OVER)
        pw_expr_stop(s->m, PW_STOP_MEMORY);
    if (code < 0) {
        UChar text[ONIG_MAX_ERROR_MESSAGE_LEN];
        int len = onig_error_code_to_str(text, code);
        (void)pw_expr_throw(s->m, "Regex failure: %.*s", len, (const char *)text);
        s->over = true;
        return false;
    }
    size_t begin = (size_t)s->region->beg[0], stop = (size_t)s->region->end[0];
    s->from = stop;
    if (stop == begin) { /* behind an empty match: the next character */
        if (stop >= s->text.len)
            s->over = true;
        else
            (void)pw_utf8_next(s->text, &s->from);
    }
    s->over |= !s->global;
    return true;
}

/* Code points before a byte; goes forward only from match to match. */
static int64_t point_at(search *s, size_t byte)
{
    if (byte < s->counted) {
        pw_expr_charge_bytes(s->m, byte);
        return (int64_t)pw_utf8_count((pw_str){ s->text.ptr, byte });
    }
    s->point += pw_utf8_count((pw_str){ s->text.ptr + s->counted, byte - s->counted });
    s->counted = byte;
    return (int64_t)s->point;
}

typedef struct group_names {
    pw_expr_machine *m;
    pw_str *names; /* by group */
    int count;
} group_names;

static int note_name(const UChar *name, const UChar *end, int count, int *groups, regex_t *regex,
                     void *context)
{
    (void)regex;
    group_names *g = context;
    for (int i = 0; i < count; i++)
        if (groups[i] <= g->count)
            g->names[groups[i]] = (pw_str){ (const char *)name, (size_t)(end - name) };
    return 0;
}

static group_names names_of(pw_expr_machine *m, regex_t *regex)
{
    group_names g = { m, NULL, onig_number_of_captures(regex) };
    g.names = PW_NEW_ARRAY(m->arena, pw_str, (size_t)g.count + 1);
    (void)onig_foreach_name(regex, note_name, &g);
    for (int i = 0; i <= g.count; i++) /* the cache may drop the regex while values live on */
        if (g.names[i].ptr)
            g.names[i] = pw_arena_str(m->arena, g.names[i]);
    return g;
}

static pw_value part(search *s, int begin, int end)
{
    return pw_string_ref((pw_str){ s->text.ptr + begin, (size_t)(end - begin) });
}

static pw_value capture_value(search *s, const group_names *g, int group)
{
    int begin = s->region->beg[group], end = s->region->end[group];
    bool found = begin >= 0;
    pw_value string = found ? part(s, begin, end) : pw_null();
    int64_t length = found ? (int64_t)pw_utf8_count(pw_text(string)) : 0;
    pw_member members[] = {
        { PW_LIT("offset"), pw_int(found ? point_at(s, (size_t)begin) : -1) },
        { PW_LIT("length"), pw_int(length) },
        { PW_LIT("string"), string },
        { PW_LIT("name"), g->names[group].ptr ? pw_string_ref(g->names[group]) : pw_null() },
    };
    return pw_object_of(s->m->arena, members, PW_LENGTH(members));
}

/* jq's match object. */
static pw_value match_value(search *s, const group_names *g)
{
    pw_expr_charge(s->m, 4u * (unsigned)(g->count + 1));
    pw_value *captures = PW_NEW_ARRAY(s->m->arena, pw_value, (size_t)g->count + 1);
    int64_t offset = point_at(s, (size_t)s->region->beg[0]);
    pw_value string = part(s, s->region->beg[0], s->region->end[0]);
    for (int i = 1; i <= g->count; i++)
        captures[i - 1] = capture_value(s, g, i);
    pw_member members[] = {
        { PW_LIT("offset"), pw_int(offset) },
        { PW_LIT("length"), pw_int((int64_t)pw_utf8_count(pw_text(string))) },
        { PW_LIT("string"), string },
        { PW_LIT("captures"), pw_array_ref(captures, (size_t)g->count) },
    };
    return pw_object_of(s->m->arena, members, PW_LENGTH(members));
}

static bool open_search(search *s, pw_expr_machine *m, pw_value in, const pw_value *args)
{
    char text[PW_DUMP_SIZE];
    flags f;
    if (!pw_is(in, PW_STRING) || !pw_is(args[0], PW_STRING)) {
        pw_value bad = pw_is(in, PW_STRING) ? args[0] : in;
        (void)pw_expr_throw(m, "%s (%s) %s", pw_type_name(bad), pw_expr_dump(m, bad, text),
                            pw_is(in, PW_STRING) ? "is not a string"
                                                 : "cannot be matched, as it is not a string");
        return false;
    }
    if (!read_flags(m, args[1], &f))
        return false;
    const cached *entry = regex_of(m, pw_text(args[0]), f.options);
    if (!entry)
        return false;
    pw_expr_charge_bytes(m, 2 * (size_t)in.count);
    pw_text_runs runs = pw_text_runs_of(pw_text(in));
    *s = (search){ .m = m,
                   .regex = entry->regex,
                   .run = pw_regex_run(&entry->reach, &runs),
                   .region = m->regexes->region,
                   .text = pw_text(in),
                   .global = f.global };
    m->error = (pw_value){ .type = PW_NONE };
    return true;
}

static pw_value ended(pw_expr_machine *m, pw_value result)
{
    result.reserved = 0;
    return pw_is(m->error, PW_NONE) ? result : (pw_value){ .type = PW_NONE };
}

/* Behind the last character `g` matches once more, as jq does. */
pw_value pw_builtin_regex_match(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    search s;
    if (!open_search(&s, m, in, args))
        return (pw_value){ .type = PW_NONE };
    group_names names = names_of(m, s.regex);
    pw_value found = pw_array_ref(NULL, 0);
    while (next_match(&s))
        pw_expr_grow_array(m, &found, match_value(&s, &names));
    return ended(m, found);
}

pw_value pw_builtin_regex_test(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    search s;
    if (!open_search(&s, m, in, args))
        return (pw_value){ .type = PW_NONE };
    bool found = next_match(&s);
    return ended(m, pw_bool(found));
}

/* The text between matches. */
pw_value pw_builtin_regex_split(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    search s;
    if (!open_search(&s, m, in, args))
        return (pw_value){ .type = PW_NONE };
    pw_value parts = pw_array_ref(NULL, 0);
    int start = 0;
    while (next_match(&s)) {
        pw_expr_grow_array(m, &parts, part(&s, start, s.region->beg[0]));
        start = s.region->end[0];
    }
    pw_expr_grow_array(m, &parts, part(&s, start, (int)s.text.len));
    return ended(m, parts);
}

/* What `sub` works on: for each match [text before it, {name: string}], last the text behind all.
 */
pw_value pw_builtin_regex_pieces(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    search s;
    if (!open_search(&s, m, in, args))
        return (pw_value){ .type = PW_NONE };
    group_names names = names_of(m, s.regex);
    pw_value pieces = pw_array_ref(NULL, 0);
    int start = 0;
    while (next_match(&s)) {
        pw_object_builder members = { .arena = m->arena };
        pw_expr_charge(m, 2u * (unsigned)(names.count + 1));
        for (int i = 1; i <= names.count; i++) {
            int begin = s.region->beg[i];
            pw_value string = begin < 0 ? pw_null() : part(&s, begin, s.region->end[i]);
            if (names.names[i].ptr)
                pw_object_add(&members, names.names[i], string);
        }
        pw_value piece[] = { part(&s, start, s.region->beg[0]), pw_object_end(&members) };
        pw_expr_grow_array(m, &pieces, pw_array(m->arena, piece, 2));
        start = s.region->end[0];
    }
    pw_expr_grow_array(m, &pieces, part(&s, start, (int)s.text.len));
    return ended(m, pieces);
}

/* ---- from match objects */

/* {name: string} of the named groups. */
pw_value pw_builtin_regex_captures(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    pw_object_builder members = { .arena = m->arena };
    pw_value captures = pw_get_lit(in, "captures");
    pw_expr_charge(m, captures.count);
    for (uint32_t i = 0; pw_is(captures, PW_ARRAY) && i < captures.count; i++) {
        pw_value name = pw_get_lit(captures.as.items[i], "name");
        if (pw_is(name, PW_STRING))
            pw_object_add(&members, pw_text(name), pw_get_lit(captures.as.items[i], "string"));
    }
    return pw_object_end(&members);
}

/* What `scan` gives: the match, or its groups if it has any. */
pw_value pw_builtin_regex_scanned(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    pw_value captures = pw_get_lit(in, "captures");
    if (captures.count == 0)
        return pw_get_lit(in, "string");
    pw_expr_charge(m, captures.count);
    pw_value *strings = PW_NEW_ARRAY(m->arena, pw_value, captures.count);
    for (uint32_t i = 0; i < captures.count; i++)
        strings[i] = pw_get_lit(captures.as.items[i], "string");
    return pw_array_ref(strings, captures.count);
}
