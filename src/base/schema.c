/* schema.c - whether a value fits a JSON Schema.
 *
 * The schema is read as it is: each schema is one walk over its keywords, and each reference is
 * followed when it is met. All that is bounded ends in one jump: fuel, depth, memory.
 *
 * `unevaluatedProperties` and `unevaluatedItems` need to know what the keywords beside them, and
 * the schemas in these, have looked at. A set of bits per object or array (marks) is kept only
 * while somebody asks; what a schema has marked that does not fit is forgotten with it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/json.h"
#include "base/schema_internal.h"

typedef struct marks {
    uint64_t *bits;
    uint32_t count;
} marks;

static bool fits(walk *w, pw_value schema, pw_value v, const place *at, const place *rule,
                 marks *seen);

static pw_value value_of(pw_value schema, keyword k)
{
    return pw_get_lit(schema, pw_schema_keyword(k));
}

/* ------------------------------------------------------------------ what has been looked at */

static marks marks_for(walk *w, pw_value v, const place *at, const place *rule)
{
    size_t words = ((size_t)v.count + 63) / 64;
    pw_schema_charge(w, at, rule, words);
    uint64_t *bits = pw_arena_zalloc(w->arena, (words + 1) * sizeof *bits);
    if (!bits) {
        w->code = pw_no_memory(w->err);
        longjmp(w->end, 1);
    }
    return (marks){ bits, v.count };
}

static void mark(marks *m, uint32_t at)
{
    if (m)
        m->bits[at / 64] |= 1ull << (at % 64);
}

static bool is_marked(const marks *m, uint32_t at)
{
    return m->bits[at / 64] >> (at % 64) & 1;
}

static void merge(marks *into, const marks *more)
{
    for (size_t i = 0; into && i < ((size_t)into->count + 63) / 64; i++)
        into->bits[i] |= more->bits[i];
}

/* Whether it fits, without saying why not. What it has looked at counts only if it does. */
static bool would_fit(walk *w, pw_value schema, pw_value v, const place *at, const place *rule,
                      marks *seen)
{
    marks own = { 0 };
    if (seen)
        own = marks_for(w, v, at, rule);
    w->quiet++;
    bool good = fits(w, schema, v, at, rule, seen ? &own : NULL);
    w->quiet--;
    if (good && seen)
        merge(seen, &own);
    return good;
}

/* ------------------------------------------------------------------ numbers */

/* digits * 10^exponent, without zeros at the ends; no digits: 0. */
typedef struct decimal {
    char *digits;
    size_t count;
    int64_t exponent;
} decimal;

static decimal decimal_of(walk *w, pw_value v)
{
    pw_str text = pw_json_text(w->arena, v, PW_JSON_COMPACT);
    decimal d = { .digits = pw_arena_alloc(w->arena, text.len + 1) };
    if (!text.ptr || !d.digits) {
        w->code = pw_no_memory(w->err);
        longjmp(w->end, 1);
    }
    size_t i = 0;
    bool fraction = false;
    for (; i < text.len && text.ptr[i] != 'e' && text.ptr[i] != 'E'; i++) {
        char c = text.ptr[i];
        if (c == '.')
            fraction = true;
        if (c < '0' || c > '9')
            continue;
        d.exponent -= fraction;
        if (d.count || c != '0')
            d.digits[d.count++] = c;
    }
    int64_t power = 0;
    bool minus = i + 1 < text.len && text.ptr[i + 1] == '-';
    for (i++; i < text.len; i++)
        if (text.ptr[i] >= '0' && text.ptr[i] <= '9' && power < INT32_MAX)
            power = power * 10 + (text.ptr[i] - '0');
    d.exponent += minus ? -power : power;
    for (; d.count && d.digits[d.count - 1] == '0'; d.count--)
        d.exponent++;
    return d;
}

static bool is_integral(walk *w, pw_value v)
{
    if (v.form == PW_FORM_INT)
        return true;
    decimal d = decimal_of(w, v);
    return !d.count || d.exponent >= 0;
}

/* Exact, if the divisor has 17 digits at most. */
static bool is_multiple(walk *w, pw_value v, pw_value of, const place *at, const place *rule)
{
    enum { DIGITS_MAX = 17 }; /* a rest and one digit more fit into 64 bits */
    decimal d = decimal_of(w, v), by = decimal_of(w, of);
    if (!d.count || !by.count)
        return true;
    if (by.count > DIGITS_MAX)
        return fmod(pw_number(v), pw_number(of)) == 0.0;
    if (d.exponent < by.exponent) /* it has no zeros to give */
        return false;
    uint64_t divisor = 0, rest = 0, zeros = (uint64_t)(d.exponent - by.exponent);
    pw_schema_charge(w, at, rule, d.count / 4 + zeros / 4);
    for (size_t i = 0; i < by.count; i++)
        divisor = divisor * 10 + (uint64_t)(by.digits[i] - '0');
    for (size_t i = 0; i < d.count; i++)
        rest = (rest * 10 + (uint64_t)(d.digits[i] - '0')) % divisor;
    for (; zeros && rest; zeros--)
        rest = rest * 10 % divisor;
    return rest == 0;
}

/* A bound that is a number; no other is one. */
static bool bound(pw_value schema, keyword k, pw_value *out)
{
    *out = value_of(schema, k);
    return pw_is(*out, PW_NUMBER);
}

static bool number_fits(walk *w, pw_value schema, pw_value v, const place *at, const place *rule)
{
    static const struct {
        keyword key;
        int low, high; /* pw_compare must give one of these */
        const char *words;
    } bounds[] = {
        { KEY_MINIMUM, 0, 1, "at least" },
        { KEY_EXCLUSIVE_MINIMUM, 1, 1, "more than" },
        { KEY_MAXIMUM, -1, 0, "at most" },
        { KEY_EXCLUSIVE_MAXIMUM, -1, -1, "less than" },
    };
    pw_value limit;
    for (size_t i = 0; i < PW_LENGTH(bounds); i++) {
        if (!bound(schema, bounds[i].key, &limit))
            continue;
        int order = pw_compare(v, limit);
        order = order < 0 ? -1 : order > 0;
        if (order < bounds[i].low || order > bounds[i].high)
            return pw_schema_fail(w, at, WORD(rule, bounds[i].key),
                                  "must be %s " PW_FMT ", not " PW_FMT, bounds[i].words,
                                  PW_ARG(pw_schema_shown(w, limit)), PW_ARG(pw_schema_shown(w, v)));
    }
    if (bound(schema, KEY_MULTIPLE_OF, &limit) && pw_compare(limit, pw_int(0)) > 0 &&
        !is_multiple(w, v, limit, at, rule))
        return pw_schema_fail(w, at, WORD(rule, KEY_MULTIPLE_OF),
                              "must be a multiple of " PW_FMT ", not " PW_FMT,
                              PW_ARG(pw_schema_shown(w, limit)), PW_ARG(pw_schema_shown(w, v)));
    return true;
}

/* ------------------------------------------------------------------ sizes, strings */

static bool size_fits(walk *w, pw_value schema, keyword least, keyword most, size_t size,
                      const char *what, const place *at, const place *rule)
{
    pw_value limit;
    int64_t is = (int64_t)size;
    if (bound(schema, least, &limit) && pw_compare(pw_int(is), limit) < 0)
        return pw_schema_fail(w, at, WORD(rule, least), "must have " PW_FMT " or more %s, not %lld",
                              PW_ARG(pw_schema_shown(w, limit)), what, (long long)is);
    if (bound(schema, most, &limit) && pw_compare(pw_int(is), limit) > 0)
        return pw_schema_fail(w, at, WORD(rule, most), "must have " PW_FMT " or fewer %s, not %lld",
                              PW_ARG(pw_schema_shown(w, limit)), what, (long long)is);
    return true;
}

static bool string_fits(walk *w, pw_value schema, pw_value v, const place *at, const place *rule)
{
    pw_schema_charge(w, at, rule, v.count / 16);
    pw_value pattern = value_of(schema, KEY_PATTERN);
    if (!size_fits(w, schema, KEY_MIN_LENGTH, KEY_MAX_LENGTH, pw_utf8_count(pw_text(v)),
                   "characters", at, rule))
        return false;
    if (!pw_is(pattern, PW_STRING) ||
        pw_schema_matches(w, at, WORD(rule, KEY_PATTERN), pw_text(pattern), pw_text(v)))
        return true;
    return pw_schema_fail(w, at, WORD(rule, KEY_PATTERN),
                          "must match the pattern " PW_FMT ", not be " PW_FMT,
                          PW_ARG(pw_schema_shown(w, pattern)), PW_ARG(pw_schema_shown(w, v)));
}

/* ------------------------------------------------------------------ arrays */

/* What stands in front, each with a schema of its own. */
static pw_value prefix_of(pw_value schema, keyword *k)
{
    pw_value items = value_of(schema, KEY_ITEMS);
    *k = pw_is(items, PW_ARRAY) ? KEY_ITEMS : KEY_PREFIX_ITEMS;
    return pw_is(items, PW_ARRAY) ? items : value_of(schema, KEY_PREFIX_ITEMS);
}

static bool items_fit(walk *w, pw_value schema, pw_value v, const place *at, const place *rule,
                      marks *seen)
{
    keyword front, back;
    pw_value prefix = prefix_of(schema, &front);
    back = front == KEY_ITEMS ? KEY_ADDITIONAL_ITEMS : KEY_ITEMS;
    pw_value rest = value_of(schema, back);
    uint32_t first = pw_is(prefix, PW_ARRAY) ? prefix.count : 0;
    for (uint32_t i = 0; i < v.count; i++) {
        bool in_front = i < first;
        if (!in_front && pw_is(rest, PW_NONE))
            break;
        const place *step = in_front ? ITEM(WORD(rule, front), i) : WORD(rule, back);
        if (!fits(w, in_front ? pw_item(prefix, i) : rest, pw_item(v, i), ITEM(at, i), step, NULL))
            return false;
        mark(seen, i);
    }
    return true;
}

static bool contains_fits(walk *w, pw_value schema, pw_value v, const place *at, const place *rule,
                          marks *seen)
{
    pw_value wanted = value_of(schema, KEY_CONTAINS), least, most;
    uint32_t count = 0;
    if (pw_is(wanted, PW_NONE))
        return true;
    for (uint32_t i = 0; i < v.count; i++)
        if (would_fit(w, wanted, pw_item(v, i), ITEM(at, i), WORD(rule, KEY_CONTAINS), NULL)) {
            mark(seen, i);
            count++;
        }
    if (!bound(schema, KEY_MIN_CONTAINS, &least))
        least = pw_int(1);
    if (pw_compare(pw_int(count), least) < 0)
        return pw_schema_fail(w, at, WORD(rule, KEY_CONTAINS),
                              "must have " PW_FMT " or more items that fit 'contains', not %u",
                              PW_ARG(pw_schema_shown(w, least)), count);
    if (bound(schema, KEY_MAX_CONTAINS, &most) && pw_compare(pw_int(count), most) > 0)
        return pw_schema_fail(w, at, WORD(rule, KEY_MAX_CONTAINS),
                              "must have " PW_FMT " or fewer items that fit 'contains', not %u",
                              PW_ARG(pw_schema_shown(w, most)), count);
    return true;
}

typedef struct numbered {
    pw_value value;
    uint32_t at;
} numbered;

static int by_value(const void *a, const void *b)
{
    const numbered *x = a, *y = b;
    int order = pw_compare(x->value, y->value);
    return order ? order : x->at < y->at ? -1 : 1;
}

static bool are_unique(walk *w, pw_value v, const place *at, const place *rule)
{
    if (v.count < 2)
        return true;
    uint64_t work = pw_footprint(v, (size_t)w->fuel * 16) / 16 + 1;
    for (uint32_t n = v.count; n; n /= 2)
        pw_schema_charge(w, at, rule, work);
    numbered *items = pw_arena_array(w->arena, v.count, sizeof *items);
    if (!items) {
        w->code = pw_no_memory(w->err);
        longjmp(w->end, 1);
    }
    for (uint32_t i = 0; i < v.count; i++)
        items[i] = (numbered){ pw_item(v, i), i };
    qsort(items, v.count, sizeof *items, by_value);
    for (uint32_t i = 1; i < v.count; i++)
        if (pw_equal(items[i - 1].value, items[i].value))
            return pw_schema_fail(w, at, WORD(rule, KEY_UNIQUE_ITEMS),
                                  "must have no two equal items, as %u and %u are", items[i - 1].at,
                                  items[i].at);
    return true;
}

static bool array_fits(walk *w, pw_value schema, pw_value v, const place *at, const place *rule,
                       marks *seen)
{
    pw_schema_charge(w, at, rule, v.count);
    return size_fits(w, schema, KEY_MIN_ITEMS, KEY_MAX_ITEMS, v.count, "items", at, rule) &&
           (!pw_is(value_of(schema, KEY_UNIQUE_ITEMS), PW_TRUE) || are_unique(w, v, at, rule)) &&
           items_fit(w, schema, v, at, rule, seen) && contains_fits(w, schema, v, at, rule, seen);
}

/* ------------------------------------------------------------------ objects */

static bool has_all(walk *w, pw_value names, pw_value v, pw_str because, const place *at,
                    const place *rule)
{
    for (uint32_t i = 0; pw_is(names, PW_ARRAY) && i < names.count; i++) {
        pw_value name = pw_item(names, i);
        pw_schema_charge(w, at, rule, 1);
        if (!pw_is(name, PW_STRING) || pw_find(v, pw_text(name)))
            continue;
        pw_str shown = pw_schema_shown(w, name);
        pw_str why = because.ptr ? pw_schema_shown(w, pw_string_ref(because)) : (pw_str){ "", 0 };
        return pw_schema_fail(w, at, rule, "must have the member " PW_FMT "%s" PW_FMT,
                              PW_ARG(shown), because.ptr ? ", because it has " : "", PW_ARG(why));
    }
    return true;
}

/* Of a member that is there, others must be, or the whole must fit a schema. */
static bool dependents_fit(walk *w, keyword k, pw_value schema, pw_value v, const place *at,
                           const place *rule, marks *seen)
{
    pw_value map = value_of(schema, k);
    const pw_member *members = pw_is(map, PW_OBJECT) ? pw_members(map) : NULL;
    for (uint32_t i = 0; members && i < map.count; i++) {
        pw_schema_charge(w, at, rule, 1);
        if (!pw_find(v, members[i].key))
            continue;
        const place *step = MEMBER(WORD(rule, k), members[i].key);
        bool names = pw_is(members[i].value, PW_ARRAY);
        if (names ? !has_all(w, members[i].value, v, members[i].key, at, step)
                  : !fits(w, members[i].value, v, at, step, seen))
            return false;
    }
    return true;
}

static bool names_fit(walk *w, pw_value schema, pw_value v, const place *at, const place *rule)
{
    pw_value names = value_of(schema, KEY_PROPERTY_NAMES);
    const pw_member *members = pw_members(v);
    for (uint32_t i = 0; !pw_is(names, PW_NONE) && i < v.count; i++) {
        pw_value name = pw_string_ref(members[i].key);
        if (!would_fit(w, names, name, at, rule, NULL))
            return pw_schema_fail(w, at, WORD(rule, KEY_PROPERTY_NAMES),
                                  "has the member " PW_FMT ", whose name does not fit",
                                  PW_ARG(pw_schema_shown(w, name)));
    }
    return true;
}

/* What properties, patternProperties and, if neither knows it, additionalProperties say of one
 * member. */
static bool member_fits(walk *w, pw_value schema, const pw_member *member, const place *at,
                        const place *rule, bool *known)
{
    pw_value own = pw_get(value_of(schema, KEY_PROPERTIES), member->key);
    pw_value patterns = value_of(schema, KEY_PATTERN_PROPERTIES);
    pw_value others = value_of(schema, KEY_ADDITIONAL_PROPERTIES);
    const place *step = MEMBER(at, member->key);
    *known = !pw_is(own, PW_NONE);
    if (*known &&
        !fits(w, own, member->value, step, MEMBER(WORD(rule, KEY_PROPERTIES), member->key), NULL))
        return false;
    const pw_member *each = pw_is(patterns, PW_OBJECT) ? pw_members(patterns) : NULL;
    for (uint32_t i = 0; each && i < patterns.count; i++) {
        const place *why = MEMBER(WORD(rule, KEY_PATTERN_PROPERTIES), each[i].key);
        if (!pw_schema_matches(w, at, why, each[i].key, member->key))
            continue;
        *known = true;
        if (!fits(w, each[i].value, member->value, step, why, NULL))
            return false;
    }
    if (*known || pw_is(others, PW_NONE))
        return true;
    *known = true;
    return fits(w, others, member->value, step, WORD(rule, KEY_ADDITIONAL_PROPERTIES), NULL);
}

static bool object_fits(walk *w, pw_value schema, pw_value v, const place *at, const place *rule,
                        marks *seen)
{
    pw_schema_charge(w, at, rule, v.count);
    if (!has_all(w, value_of(schema, KEY_REQUIRED), v, (pw_str){ 0 }, at,
                 WORD(rule, KEY_REQUIRED)) ||
        !size_fits(w, schema, KEY_MIN_PROPERTIES, KEY_MAX_PROPERTIES, v.count, "members", at,
                   rule) ||
        !names_fit(w, schema, v, at, rule))
        return false;
    const pw_member *members = pw_members(v);
    for (uint32_t i = 0; i < v.count; i++) {
        bool known;
        if (!member_fits(w, schema, &members[i], at, rule, &known))
            return false;
        if (known)
            mark(seen, i);
    }
    static const keyword dependent[] = { KEY_DEPENDENT_REQUIRED, KEY_DEPENDENT_SCHEMAS,
                                         KEY_DEPENDENCIES };
    for (size_t i = 0; i < PW_LENGTH(dependent); i++)
        if (!dependents_fit(w, dependent[i], schema, v, at, rule, seen))
            return false;
    return true;
}

/* ------------------------------------------------------------------ any value */

static const char *kind_of(pw_value v)
{
    static const char *const kinds[] = {
        [PW_NONE] = "nothing",   [PW_NULL] = "null",       [PW_FALSE] = "a boolean",
        [PW_TRUE] = "a boolean", [PW_NUMBER] = "a number", [PW_STRING] = "a string",
        [PW_ARRAY] = "an array", [PW_OBJECT] = "an object"
    };
    return kinds[v.type];
}

static bool is_of(walk *w, pw_value v, pw_str type)
{
    if (pw_str_is(type, "integer"))
        return pw_is(v, PW_NUMBER) && is_integral(w, v);
    return pw_str_is(type, pw_type_name(v));
}

static bool type_fits(walk *w, pw_value schema, pw_value v, const place *at, const place *rule)
{
    pw_value type = value_of(schema, KEY_TYPE);
    bool single = pw_is(type, PW_STRING);
    if (single ? is_of(w, v, pw_text(type)) : !pw_is(type, PW_ARRAY))
        return true;
    for (uint32_t i = 0; !single && i < type.count; i++)
        if (is_of(w, v, pw_text(pw_item(type, i))))
            return true;
    if (w->quiet)
        return pw_schema_fail(w, at, rule, "%s", "");
    char words[160] = "";
    size_t n = 0;
    for (uint32_t i = 0; i < (single ? 1 : type.count) && n < sizeof words; i++) {
        pw_str name = pw_text(single ? type : pw_item(type, i));
        bool vowel = pw_str_starts(name, PW_LIT("i")) || pw_str_starts(name, PW_LIT("a")) ||
                     pw_str_starts(name, PW_LIT("o"));
        int len = snprintf(words + n, sizeof words - n, "%s%s" PW_FMT, i ? " or " : "",
                           pw_str_is(name, "null") ? ""
                           : vowel                 ? "an "
                                                   : "a ",
                           PW_ARG(name));
        n += len > 0 ? (size_t)len : 0;
    }
    bool fraction = pw_is(v, PW_NUMBER);
    pw_str shown = fraction ? pw_schema_shown(w, v) : pw_str_of(kind_of(v));
    return pw_schema_fail(w, at, WORD(rule, KEY_TYPE), "must be %s, not " PW_FMT, words,
                          PW_ARG(shown));
}

static bool value_fits(walk *w, pw_value schema, pw_value v, const place *at, const place *rule)
{
    pw_value of = value_of(schema, KEY_ENUM), same = value_of(schema, KEY_CONST);
    bool found = !pw_is(of, PW_ARRAY);
    for (uint32_t i = 0; !found && i < of.count; i++) {
        pw_schema_charge(w, at, rule, 1 + pw_item(of, i).count / 16);
        found = pw_equal(pw_item(of, i), v);
    }
    if (!found)
        return pw_schema_fail(w, at, WORD(rule, KEY_ENUM), "must be one of " PW_FMT ", not " PW_FMT,
                              PW_ARG(pw_schema_shown(w, of)), PW_ARG(pw_schema_shown(w, v)));
    if (pw_is(same, PW_NONE) || pw_equal(same, v))
        return true;
    return pw_schema_fail(w, at, WORD(rule, KEY_CONST), "must be " PW_FMT ", not " PW_FMT,
                          PW_ARG(pw_schema_shown(w, same)), PW_ARG(pw_schema_shown(w, v)));
}

/* ------------------------------------------------------------------ schemas of the same value */

/* None of them fits: the one that went deepest before it failed is the one that was meant. */
static bool say_nearest(walk *w, pw_value schemas, keyword k, pw_value v, const place *at,
                        const place *rule)
{
    unsigned here = 0, depth = 0;
    uint32_t best = 0;
    for (const place *p = at; p; p = p->up)
        here++;
    for (uint32_t i = 0; !w->quiet && i < schemas.count; i++) {
        w->deepest = 0;
        if (!would_fit(w, pw_item(schemas, i), v, at, rule, NULL) && w->deepest > depth) {
            depth = w->deepest;
            best = i;
        }
    }
    if (depth > here)
        return fits(w, pw_item(schemas, best), v, at, ITEM(WORD(rule, k), best), NULL);
    return pw_schema_fail(w, at, WORD(rule, k),
                          "must fit one of the %u schemas of '%s', and fits none", schemas.count,
                          pw_schema_keyword(k));
}

static bool any_fits(walk *w, pw_value schema, pw_value v, const place *at, const place *rule,
                     marks *seen)
{
    pw_value any = value_of(schema, KEY_ANY_OF);
    bool found = !pw_is(any, PW_ARRAY);
    for (uint32_t i = 0; pw_is(any, PW_ARRAY) && i < any.count && (!found || seen); i++)
        found |= would_fit(w, pw_item(any, i), v, at, rule, seen); /* all of them count as seen */
    return found || say_nearest(w, any, KEY_ANY_OF, v, at, rule);
}

static bool one_fits(walk *w, pw_value schema, pw_value v, const place *at, const place *rule,
                     marks *seen)
{
    pw_value one = value_of(schema, KEY_ONE_OF);
    uint32_t count = 0, which[2] = { 0, 0 };
    for (uint32_t i = 0; pw_is(one, PW_ARRAY) && i < one.count && count < 2; i++)
        if (would_fit(w, pw_item(one, i), v, at, rule, seen))
            which[count++] = i;
    if (count == 2)
        return pw_schema_fail(w, at, WORD(rule, KEY_ONE_OF),
                              "must fit only one of the schemas of 'oneOf', and fits %u and %u",
                              which[0], which[1]);
    return count == 1 || !pw_is(one, PW_ARRAY) || say_nearest(w, one, KEY_ONE_OF, v, at, rule);
}

static bool condition_fits(walk *w, pw_value schema, pw_value v, const place *at, const place *rule,
                           marks *seen)
{
    pw_value condition = value_of(schema, KEY_IF);
    if (pw_is(condition, PW_NONE))
        return true;
    keyword k = would_fit(w, condition, v, at, rule, seen) ? KEY_THEN : KEY_ELSE;
    pw_value branch = value_of(schema, k);
    return pw_is(branch, PW_NONE) || fits(w, branch, v, at, WORD(rule, k), seen);
}

static bool reference_fits(walk *w, keyword k, pw_value schema, pw_value v, const place *at,
                           const place *rule, marks *seen)
{
    pw_value reference = value_of(schema, k);
    if (!pw_is(reference, PW_STRING))
        return true;
    pw_value target = pw_schema_resolve(w, rule, pw_text(reference));
    if (pw_is(target, PW_NONE))
        pw_schema_stop(w, at, WORD(rule, k), "cannot be looked at: the schema refers to nothing");
    return fits(w, target, v, at, WORD(rule, k), seen);
}

static bool others_fit(walk *w, pw_value schema, pw_value v, const place *at, const place *rule,
                       marks *seen)
{
    pw_value all = value_of(schema, KEY_ALL_OF), not = value_of(schema, KEY_NOT);
    for (uint32_t i = 0; pw_is(all, PW_ARRAY) && i < all.count; i++)
        if (!fits(w, pw_item(all, i), v, at, ITEM(WORD(rule, KEY_ALL_OF), i), seen))
            return false;
    if (!reference_fits(w, KEY_REF, schema, v, at, rule, seen) ||
        !reference_fits(w, KEY_DYNAMIC_REF, schema, v, at, rule, seen) ||
        !any_fits(w, schema, v, at, rule, seen) || !one_fits(w, schema, v, at, rule, seen) ||
        !condition_fits(w, schema, v, at, rule, seen))
        return false;
    if (!pw_is(not, PW_NONE) && would_fit(w, not, v, at, rule, NULL))
        return pw_schema_fail(w, at, WORD(rule, KEY_NOT), "must not fit the schema of 'not'");
    return true;
}

/* ------------------------------------------------------------------ a schema */

static bool rest_fits(walk *w, pw_value schema, pw_value v, const place *at, const place *rule,
                      marks *seen)
{
    bool array = pw_is(v, PW_ARRAY);
    keyword k = array ? KEY_UNEVALUATED_ITEMS : KEY_UNEVALUATED_PROPERTIES;
    pw_value rest = value_of(schema, k);
    for (uint32_t i = 0; i < v.count; i++) {
        if (is_marked(seen, i))
            continue;
        pw_value item = array ? pw_item(v, i) : pw_members(v)[i].value;
        const place *step = array ? ITEM(at, i) : MEMBER(at, pw_members(v)[i].key);
        if (!fits(w, rest, item, step, WORD(rule, k), NULL))
            return false;
        mark(seen, i);
    }
    return true;
}

/* By kinds of keywords: most schemas have few. */
#define SET(k) (1ull << (k))
static const uint64_t of_numbers = SET(KEY_MINIMUM) | SET(KEY_MAXIMUM) |
                                   SET(KEY_EXCLUSIVE_MINIMUM) | SET(KEY_EXCLUSIVE_MAXIMUM) |
                                   SET(KEY_MULTIPLE_OF);
static const uint64_t of_strings = SET(KEY_MIN_LENGTH) | SET(KEY_MAX_LENGTH) | SET(KEY_PATTERN);
static const uint64_t of_arrays = SET(KEY_MIN_ITEMS) | SET(KEY_MAX_ITEMS) | SET(KEY_UNIQUE_ITEMS) |
                                  SET(KEY_ITEMS) | SET(KEY_PREFIX_ITEMS) | SET(KEY_CONTAINS);
static const uint64_t of_objects =
    SET(KEY_REQUIRED) | SET(KEY_MIN_PROPERTIES) | SET(KEY_MAX_PROPERTIES) | SET(KEY_PROPERTIES) |
    SET(KEY_PATTERN_PROPERTIES) | SET(KEY_ADDITIONAL_PROPERTIES) | SET(KEY_PROPERTY_NAMES) |
    SET(KEY_DEPENDENT_REQUIRED) | SET(KEY_DEPENDENT_SCHEMAS) | SET(KEY_DEPENDENCIES);
static const uint64_t of_others = SET(KEY_ALL_OF) | SET(KEY_ANY_OF) | SET(KEY_ONE_OF) |
                                  SET(KEY_NOT) | SET(KEY_IF) | SET(KEY_REF) | SET(KEY_DYNAMIC_REF);

static uint64_t keywords_of(pw_value schema)
{
    uint64_t set = 0;
    const pw_member *members = pw_members(schema);
    keyword k;
    for (uint32_t i = 0; i < schema.count; i++)
        if (pw_schema_find(members[i].key, &k))
            set |= SET(k);
    return set;
}

static bool keywords_fit(walk *w, pw_value schema, uint64_t set, pw_value v, const place *at,
                         const place *rule, marks *seen)
{
    bool good = (!(set & SET(KEY_TYPE)) || type_fits(w, schema, v, at, rule)) &&
                (!(set & (SET(KEY_ENUM) | SET(KEY_CONST))) || value_fits(w, schema, v, at, rule));
    if (good && pw_is(v, PW_NUMBER) && set & of_numbers)
        good = number_fits(w, schema, v, at, rule);
    if (good && pw_is(v, PW_STRING) && set & of_strings)
        good = string_fits(w, schema, v, at, rule);
    if (good && pw_is(v, PW_ARRAY) && set & of_arrays)
        good = array_fits(w, schema, v, at, rule, seen);
    if (good && pw_is(v, PW_OBJECT) && set & of_objects)
        good = object_fits(w, schema, v, at, rule, seen);
    return good && (!(set & of_others) || others_fit(w, schema, v, at, rule, seen));
}

static bool fits(walk *w, pw_value schema, pw_value v, const place *at, const place *rule,
                 marks *seen)
{
    if (pw_is(schema, PW_FALSE))
        return pw_schema_fail(w, at, rule, "is not allowed");
    if (!pw_is(schema, PW_OBJECT))
        return true;
    pw_schema_charge(w, at, rule, 1 + schema.count);
    if (w->depth >= PW_SCHEMA_DEPTH_MAX)
        pw_schema_stop(w, at, rule, "is nested more than %u schemas deep", PW_SCHEMA_DEPTH_MAX);
    w->depth++;
    uint64_t set = keywords_of(schema);
    bool rest = (pw_is(v, PW_ARRAY) && set & SET(KEY_UNEVALUATED_ITEMS)) ||
                (pw_is(v, PW_OBJECT) && set & SET(KEY_UNEVALUATED_PROPERTIES));
    marks own = { 0 };
    if (rest)
        own = marks_for(w, v, at, rule);
    bool good = keywords_fit(w, schema, set, v, at, rule, rest ? &own : seen) &&
                (!rest || rest_fits(w, schema, v, at, rule, &own));
    if (good && rest)
        merge(seen, &own);
    w->depth--;
    return good;
}

pawl_code pw_schema_validate(pw_schema_problem *out, pw_value schema, pw_value value,
                             const pw_schema_settings *settings, pw_arena *arena, pawl_error *err)
{
    walk w = { .settings = settings,
               .arena = arena,
               .root = schema,
               .fuel = settings->fuel ? settings->fuel : PW_SCHEMA_FUEL,
               .problem = out,
               .err = err };
    if (setjmp(w.end))
        return w.code;
    bool good = fits(&w, schema, value, NULL, NULL, NULL);
    if (arena->failed)
        return pw_no_memory(err);
    return good ? PAWL_OK : PAWL_INVALID;
}
