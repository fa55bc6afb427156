/* schema_check.c - whether something is a schema, and where its references lead. */
#include <stdio.h>
#include "base/json.h"
#include "base/schema_internal.h"

static const struct {
    const char *name;
    shape shape;
} keywords[] = {
#define KEYWORD_ROW(name, text, shape) { text, shape },
    KEYWORDS(KEYWORD_ROW)
#undef KEYWORD_ROW
};

const char *pw_schema_keyword(keyword k)
{
    return keywords[k].name;
}

shape pw_schema_shape(keyword k)
{
    return keywords[k].shape;
}

bool pw_schema_find(pw_str name, keyword *out)
{
    size_t low = 0, high = KEYWORD_COUNT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = pw_str_cmp(name, pw_str_of(keywords[middle].name));
        if (order == 0) {
            *out = (keyword)middle;
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

/* ------------------------------------------------------------------ problems */

static void write_pointer(pw_buf *buf, const place *at)
{
    if (!at)
        return;
    write_pointer(buf, at->up);
    pw_buf_char(buf, '/');
    if (!at->word && !at->key.ptr) {
        pw_buf_printf(buf, "%u", at->index);
        return;
    }
    pw_str key = at->word ? pw_str_of(at->word) : at->key;
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '~' || key.ptr[i] == '/')
            pw_buf_text(buf, key.ptr[i] == '~' ? "~0" : "~1");
        else
            pw_buf_char(buf, key.ptr[i]);
    }
}

static pw_str pointer(walk *w, const place *at)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    jmp_buf *guard = pw_arena_guard(w->arena, NULL); /* a jump would lose the buffer */
    write_pointer(&buf, at);
    pw_str text = buf.failed ? (pw_str){ 0 } : pw_arena_str(w->arena, pw_buf_view(&buf));
    (void)pw_arena_guard(w->arena, guard);
    pw_buf_done(&buf);
    if (text.ptr)
        return text;
    w->code = pw_no_memory(w->err);
    longjmp(w->end, 1);
}

static void PW_PRINTF(4, 0)
    write_problem(walk *w, const place *at, const place *rule, const char *format, va_list args)
{
    char text[480];
    int len = vsnprintf(text, sizeof text, format, args);
    size_t n = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    pw_str message = { text, pw_utf8_valid_length((pw_str){ text, n }) };
    *w->problem =
        (pw_schema_problem){ pointer(w, at), pointer(w, rule), pw_arena_str(w->arena, message) };
}

bool pw_schema_fail(walk *w, const place *at, const place *rule, const char *format, ...)
{
    w->deepest = 0;
    for (const place *p = at; p; p = p->up)
        w->deepest++;
    if (w->quiet)
        return false;
    va_list args;
    va_start(args, format);
    write_problem(w, at, rule, format, args);
    va_end(args);
    return false;
}

void pw_schema_stop(walk *w, const place *at, const place *rule, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_problem(w, at, rule, format, args);
    va_end(args);
    w->code = PAWL_INVALID;
    longjmp(w->end, 1);
}

void pw_schema_charge(walk *w, const place *at, const place *rule, uint64_t fuel)
{
    if (w->fuel < fuel) {
        w->fuel = 0;
        pw_schema_stop(w, at, rule, "takes more work to look at than a schema may ask for");
    }
    w->fuel -= fuel;
}

bool pw_schema_matches(walk *w, const place *at, const place *rule, pw_str pattern, pw_str text)
{
    bool found = false;
    uint64_t cost = 0;
    pawl_error err = { .code = PAWL_OK };
    pawl_code code = w->settings->match(w->settings->context, pattern, text, &found, &cost, &err);
    if (code == PAWL_NO_MEMORY) {
        w->code = pw_no_memory(w->err);
        longjmp(w->end, 1);
    }
    pw_schema_charge(w, at, rule, cost + 1);
    if (code != PAWL_OK)
        pw_schema_stop(w, at, rule, "cannot be matched: %s", err.message);
    return found;
}

pw_str pw_schema_shown(walk *w, pw_value v)
{
    enum { MOST = 80 };
    if (w->quiet)
        return (pw_str){ "", 0 };
    if (pw_is(v, PW_STRING) && v.count > 4 * MOST) { /* its text would be made in vain */
        pw_str cut = { v.as.text, 4 * MOST };
        v = pw_string_ref((pw_str){ cut.ptr, pw_utf8_valid_length(cut) });
    }
    if (pw_footprint(v, 1u << 16) > 1u << 16)
        return PW_LIT("something large");
    pw_str text = pw_json_text(w->arena, v, PW_JSON_COMPACT);
    if (text.len <= MOST)
        return text;
    text.len = pw_utf8_valid_length((pw_str){ text.ptr, MOST });
    return pw_arena_printf(w->arena, PW_FMT "...", PW_ARG(text));
}

pw_str pw_schema_words(const pw_schema_problem *problem, const char *whole, pw_arena *arena)
{
    bool inside = problem->at.len > 0;
    return pw_arena_printf(arena, "%s" PW_FMT "%s " PW_FMT, inside ? "'" : whole,
                           PW_ARG(problem->at), inside ? "'" : "", PW_ARG(problem->message));
}

/* ------------------------------------------------------------------ references */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Percent signs of the URI, then the tildes of the pointer. */
static pw_str decoded(walk *w, pw_str part)
{
    char *out = pw_arena_alloc(w->arena, part.len + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < part.len; i++) {
        bool percent = part.ptr[i] == '%' && i + 2 < part.len && hex_digit(part.ptr[i + 1]) >= 0 &&
                       hex_digit(part.ptr[i + 2]) >= 0;
        int byte = part.ptr[i];
        if (percent) {
            byte = hex_digit(part.ptr[i + 1]) * 16 + hex_digit(part.ptr[i + 2]);
            i += 2;
        }
        out[n++] = (char)byte;
    }
    size_t plain = 0;
    for (size_t i = 0; i < n; i++) {
        bool tilde = out[i] == '~' && i + 1 < n && (out[i + 1] == '0' || out[i + 1] == '1');
        out[plain++] = !tilde ? out[i] : out[i + 1] == '0' ? '~' : '/';
        i += tilde;
    }
    if (out)
        return (pw_str){ out, plain };
    w->code = pw_no_memory(w->err);
    longjmp(w->end, 1);
}

static pw_value step_into(pw_value v, pw_str key)
{
    if (pw_is(v, PW_OBJECT))
        return pw_get(v, key);
    uint64_t at = 0;
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] < '0' || key.ptr[i] > '9' || (i == 1 && key.ptr[0] == '0') ||
            at > UINT32_MAX)
            return (pw_value){ 0 };
        at = at * 10 + (uint64_t)(key.ptr[i] - '0');
    }
    return key.len && pw_is(v, PW_ARRAY) ? pw_item(v, at) : (pw_value){ 0 };
}

static pw_value by_pointer(walk *w, const place *rule, pw_str text)
{
    pw_value v = w->root;
    while (text.len && !pw_is(v, PW_NONE)) {
        const char *end = memchr(text.ptr + 1, '/', text.len - 1);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        pw_schema_charge(w, NULL, rule, 1 + len / 16);
        v = step_into(v, decoded(w, (pw_str){ text.ptr + 1, len - 1 }));
        text = (pw_str){ text.ptr + len, text.len - len };
    }
    return v;
}

/* Calls `look` with each schema directly within this one; false: enough. */
typedef bool (*look_fn)(walk *w, pw_value schema, const place *rule, void *context);

static bool each_of(walk *w, pw_value v, shape s, const place *rule, look_fn look, void *context)
{
    bool is_schema = pw_is(v, PW_OBJECT) || pw_is(v, PW_TRUE) || pw_is(v, PW_FALSE);
    bool single = s == SHAPE_SCHEMA || (s == SHAPE_ITEMS && !pw_is(v, PW_ARRAY));
    bool list = s == SHAPE_SCHEMAS || s == SHAPE_ITEMS;
    bool map = s == SHAPE_SCHEMA_MAP || s == SHAPE_PATTERN_MAP || s == SHAPE_DEPENDENCIES;
    if (single)
        return !is_schema || look(w, v, rule, context);
    for (uint32_t i = 0; list && pw_is(v, PW_ARRAY) && i < v.count; i++)
        if (!look(w, pw_item(v, i), ITEM(rule, i), context))
            return false;
    const pw_member *members = map && pw_is(v, PW_OBJECT) ? pw_members(v) : NULL;
    for (uint32_t i = 0; members && i < v.count; i++)
        if (!look(w, members[i].value, MEMBER(rule, members[i].key), context))
            return false;
    return true;
}

static bool each_within(walk *w, pw_value schema, const place *rule, look_fn look, void *context)
{
    if (!pw_is(schema, PW_OBJECT))
        return true;
    if (w->depth >= PW_SCHEMA_DEPTH_MAX)
        pw_schema_stop(w, rule, rule, "is nested more than %u schemas deep", PW_SCHEMA_DEPTH_MAX);
    pw_schema_charge(w, rule, rule, 1 + schema.count);
    const pw_member *members = pw_members(schema);
    bool more = true;
    w->depth++;
    for (uint32_t i = 0; more && i < schema.count; i++) {
        keyword k;
        if (pw_schema_find(members[i].key, &k))
            more = each_of(w, members[i].value, pw_schema_shape(k), WORD(rule, k), look, context);
    }
    w->depth--;
    return more;
}

typedef struct anchor {
    pw_str name;
    pw_value found;
} anchor;

static bool look_for_anchor(walk *w, pw_value schema, const place *rule, void *context)
{
    anchor *a = context;
    if (pw_str_eq(pw_get_text(schema, "$anchor"), a->name) ||
        pw_str_eq(pw_get_text(schema, "$dynamicAnchor"), a->name)) {
        a->found = schema;
        return false;
    }
    return each_within(w, schema, rule, look_for_anchor, context);
}

pw_value pw_schema_resolve(walk *w, const place *rule, pw_str reference)
{
    const char *hash = reference.len ? memchr(reference.ptr, '#', reference.len) : NULL;
    size_t base = hash ? (size_t)(hash - reference.ptr) : reference.len;
    pw_str id = pw_get_text(w->root, "$id");
    if (id.len && id.ptr[id.len - 1] == '#')
        id.len--;
    if (base && !pw_str_eq((pw_str){ reference.ptr, base }, id))
        return (pw_value){ 0 };
    pw_str fragment = hash ? (pw_str){ hash + 1, reference.len - base - 1 } : (pw_str){ 0 };
    if (!fragment.len)
        return w->root;
    if (fragment.ptr[0] == '/')
        return by_pointer(w, rule, fragment);
    anchor a = { .name = decoded(w, fragment) };
    (void)look_for_anchor(w, w->root, NULL, &a);
    return a.found;
}

/* ------------------------------------------------------------------ checking */

/* What is to be checked: the whole, and what references lead to, which may be where no keyword
 * leads. */
typedef struct target {
    pw_value schema;
    pw_str pointer; /* empty: the whole, or an anchor's */
} target;

typedef struct checking {
    target *targets;
    size_t count, size;
} checking;

static void add_target(walk *w, checking *c, pw_value schema, pw_str pointer)
{
    if (c->count == c->size) {
        size_t size = c->size ? c->size * 2 : 8;
        c->targets = pw_arena_grow(w->arena, c->targets, c->size * sizeof *c->targets,
                                   size * sizeof *c->targets);
        c->size = size;
        if (!c->targets) {
            w->code = pw_no_memory(w->err);
            longjmp(w->end, 1);
        }
    }
    c->targets[c->count++] = (target){ schema, pointer };
}

static bool is_type(pw_value v)
{
    static const char *const types[] = { "null",   "boolean", "object", "array",
                                         "number", "string",  "integer" };
    for (size_t i = 0; i < PW_LENGTH(types); i++)
        if (pw_is(v, PW_STRING) && pw_str_is(pw_text(v), types[i]))
            return true;
    return false;
}

static bool is_schema(pw_value v)
{
    return pw_is(v, PW_OBJECT) || pw_is(v, PW_TRUE) || pw_is(v, PW_FALSE);
}

static bool are_names(walk *w, pw_value v, const place *rule)
{
    if (!pw_is(v, PW_ARRAY))
        return pw_schema_fail(w, rule, rule, "must be an array of texts");
    pw_schema_charge(w, rule, rule, (uint64_t)v.count * v.count / 8 + v.count);
    for (uint32_t i = 0; i < v.count; i++) {
        pw_value item = pw_item(v, i);
        if (!pw_is(item, PW_STRING))
            return pw_schema_fail(w, ITEM(rule, i), ITEM(rule, i), "must be a text");
        for (uint32_t j = 0; j < i; j++)
            if (pw_str_eq(pw_text(pw_item(v, j)), pw_text(item)))
                return pw_schema_fail(w, ITEM(rule, i), ITEM(rule, i), "stands there twice");
    }
    return true;
}

static bool is_pattern(walk *w, pw_str pattern, const place *rule)
{
    (void)pw_schema_matches(w, rule, rule, pattern, PW_LIT("")); /* it stops if it is none */
    return true;
}

static bool is_draft(pw_str text)
{
    static const char *const known[] = { "json-schema.org/draft/2020-12/schema",
                                         "json-schema.org/draft/2019-09/schema",
                                         "json-schema.org/draft-07/schema",
                                         "json-schema.org/draft-06/schema" };
    pw_str schemes[] = { PW_LIT("https://"), PW_LIT("http://") };
    for (size_t i = 0; i < PW_LENGTH(schemes); i++)
        if (pw_str_starts(text, schemes[i])) {
            text = (pw_str){ text.ptr + schemes[i].len, text.len - schemes[i].len };
            break;
        }
    if (text.len && text.ptr[text.len - 1] == '#')
        text.len--;
    for (size_t i = 0; i < PW_LENGTH(known); i++)
        if (pw_str_is(text, known[i]))
            return true;
    return false;
}

static bool check_reference(walk *w, pw_value v, const place *rule, checking *c)
{
    if (!pw_is(v, PW_STRING))
        return pw_schema_fail(w, rule, rule, "must be a text");
    pw_str text = pw_text(v);
    pw_value found = pw_schema_resolve(w, rule, text);
    if (pw_is(found, PW_NONE))
        return pw_schema_fail(w, rule, rule,
                              "names nothing in this document: references lead to '#', '#/...' or "
                              "an anchor");
    if (!is_schema(found))
        return pw_schema_fail(w, rule, rule, "names something that is no schema");
    if (!pw_is(found, PW_OBJECT))
        return true;
    pw_schema_charge(w, rule, rule, c->count);
    for (size_t i = 0; i < c->count; i++)
        if (c->targets[i].schema.as.object == found.as.object)
            return true;
    bool pointer = pw_str_starts(text, PW_LIT("#/"));
    add_target(w, c, found, pointer ? (pw_str){ text.ptr + 1, text.len - 1 } : (pw_str){ 0 });
    return true;
}

static bool check_map(walk *w, pw_value v, shape s, const place *rule)
{
    if (!pw_is(v, PW_OBJECT))
        return pw_schema_fail(w, rule, rule, "must be an object");
    const pw_member *members = pw_members(v);
    for (uint32_t i = 0; i < v.count; i++) {
        const place *step = MEMBER(rule, members[i].key);
        bool names =
            s == SHAPE_NAMES_MAP || (s == SHAPE_DEPENDENCIES && pw_is(members[i].value, PW_ARRAY));
        if (names && !are_names(w, members[i].value, step))
            return false;
        if (!names && !is_schema(members[i].value))
            return pw_schema_fail(w, step, step, "must be an object, true or false");
        if (s == SHAPE_PATTERN_MAP && !is_pattern(w, members[i].key, step))
            return false;
    }
    return true;
}

static bool check_list(walk *w, pw_value v, const place *rule)
{
    if (!pw_is(v, PW_ARRAY) || !v.count)
        return pw_schema_fail(w, rule, rule, "must be an array of schemas, and not empty");
    for (uint32_t i = 0; i < v.count; i++)
        if (!is_schema(pw_item(v, i)))
            return pw_schema_fail(w, ITEM(rule, i), ITEM(rule, i),
                                  "must be an object, true or false");
    return true;
}

static bool check_types(walk *w, pw_value v, const place *rule)
{
    static const char words[] = "must be one of null, boolean, object, array, number, string, "
                                "integer, or an array of these";
    if (!pw_is(v, PW_ARRAY))
        return is_type(v) || pw_schema_fail(w, rule, rule, words);
    for (uint32_t i = 0; i < v.count; i++)
        if (!is_type(pw_item(v, i)))
            return pw_schema_fail(w, ITEM(rule, i), ITEM(rule, i), words);
    return (v.count || pw_schema_fail(w, rule, rule, words)) && are_names(w, v, rule);
}

static bool check_anchor(walk *w, pw_value v, const place *rule)
{
    pw_str name = pw_text(v);
    bool good = name.len > 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        good = good && (letter || (i && ((c >= '0' && c <= '9') || c == '-' || c == '.')));
    }
    return good ||
           pw_schema_fail(w, rule, rule, "must be a name: letters, digits, '_', '-' and '.'");
}

static bool check_keyword(walk *w, shape s, pw_value v, const place *rule, checking *c)
{
    int64_t number;
    switch (s) {
    case SHAPE_SCHEMA:
        return is_schema(v) || pw_schema_fail(w, rule, rule, "must be an object, true or false");
    case SHAPE_ITEMS:
        return is_schema(v) || check_list(w, v, rule);
    case SHAPE_SCHEMAS:
        return check_list(w, v, rule);
    case SHAPE_SCHEMA_MAP:
    case SHAPE_PATTERN_MAP:
    case SHAPE_DEPENDENCIES:
    case SHAPE_NAMES_MAP:
        return check_map(w, v, s, rule);
    case SHAPE_NAMES:
        return are_names(w, v, rule);
    case SHAPE_TYPE:
        return check_types(w, v, rule);
    case SHAPE_ENUM:
        return pw_is(v, PW_ARRAY) || pw_schema_fail(w, rule, rule, "must be an array");
    case SHAPE_ANY:
        return true;
    case SHAPE_NUMBER:
        return pw_is(v, PW_NUMBER) || pw_schema_fail(w, rule, rule, "must be a number");
    case SHAPE_POSITIVE:
        return (pw_is(v, PW_NUMBER) && pw_compare(v, pw_int(0)) > 0) ||
               pw_schema_fail(w, rule, rule, "must be a number above 0");
    case SHAPE_COUNT:
        return (pw_integer(v, &number) && number >= 0) ||
               pw_schema_fail(w, rule, rule, "must be an integer from 0 on");
    case SHAPE_BOOLEAN:
        return pw_is(v, PW_TRUE) || pw_is(v, PW_FALSE) ||
               pw_schema_fail(w, rule, rule, "must be true or false");
    case SHAPE_PATTERN:
        if (!pw_is(v, PW_STRING))
            return pw_schema_fail(w, rule, rule, "must be a text");
        return is_pattern(w, pw_text(v), rule);
    case SHAPE_REFERENCE:
        return check_reference(w, v, rule, c);
    case SHAPE_ANCHOR:
        return check_anchor(w, v, rule);
    case SHAPE_DRAFT:
        return is_draft(pw_text(v)) ||
               pw_schema_fail(w, rule, rule,
                              "must be draft 2020-12, 2019-09, 07 or 06 of JSON Schema");
    case SHAPE_ID: /* references would mean something else within */
        if (!pw_is(v, PW_STRING))
            return pw_schema_fail(w, rule, rule, "must be a text");
        return !rule->up || pw_schema_fail(w, rule, rule,
                                           "cannot stand within a schema; name the place by "
                                           "'$anchor', or by its pointer");
    case SHAPE_REFUSED:
        return pw_schema_fail(w, rule, rule, "is not known; draft 2020-12 has '$dynamicRef'");
    }
    return true;
}

static bool check_schema(walk *w, pw_value schema, const place *rule, void *context)
{
    const pw_member *members = pw_is(schema, PW_OBJECT) ? pw_members(schema) : NULL;
    for (uint32_t i = 0; members && i < schema.count; i++) {
        keyword k;
        if (pw_schema_find(members[i].key, &k) &&
            !check_keyword(w, pw_schema_shape(k), members[i].value, WORD(rule, k), context))
            return false;
    }
    return each_within(w, schema, rule, check_schema, context);
}

pawl_code pw_schema_check(pw_schema_problem *out, pw_value schema,
                          const pw_schema_settings *settings, pw_arena *arena, pawl_error *err)
{
    walk w = { .settings = settings,
               .arena = arena,
               .root = schema,
               .fuel = settings->fuel ? settings->fuel : PW_SCHEMA_FUEL,
               .problem = out,
               .err = err };
    checking c = { 0 };
    if (setjmp(w.end))
        return w.code;
    if (!is_schema(schema)) {
        (void)pw_schema_fail(&w, NULL, NULL, "must be an object, true or false");
        return PAWL_INVALID;
    }
    add_target(&w, &c, schema, (pw_str){ 0 });
    for (size_t i = 0; i < c.count; i++) { /* more of them come meanwhile */
        if (check_schema(&w, c.targets[i].schema, NULL, &c))
            continue;
        pw_str base = c.targets[i].pointer;
        if (base.len)
            out->at = out->rule =
                pw_arena_printf(arena, PW_FMT PW_FMT, PW_ARG(base), PW_ARG(out->at));
        return arena->failed ? pw_no_memory(err) : PAWL_INVALID;
    }
    return arena->failed ? pw_no_memory(err) : PAWL_OK;
}
