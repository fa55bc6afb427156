/* match.c - matchers: made from filters, compiled from rows, tried on messages.
 *
 * The parts of a matcher are JSON (core.h), so that a process that has never seen the definition can
 * look at messages for it. A part that is a test gives true or nothing; its expected value is true.
 * An expression costs at most what one evaluation may. */
#include "core/match.h"
#include "base/json.h"

typedef enum part_kind { PART_ATTRIBUTE, PART_VALUE, PART_TEST, PART_PATTERN } part_kind;

typedef struct look {
    part_kind kind;
    pw_str attribute;
    const pw_expr *expr; /* VALUE, TEST, PATTERN */
} look;

struct pw_match {
    pw_arena arena;
    pw_str digest, type;
    look *parts;
    size_t count;
};

/* ------------------------------------------------------------------ messages */

pw_value pw_match_attribute(pw_value message, pw_str name)
{
    pw_value value = pw_get(message, name);
    return pw_is(value, PW_NONE) ? pw_null() : value;
}

bool pw_match_agrees(pw_value result, pw_value attribute)
{
    return pw_is(result, PW_TRUE) || (pw_truthy(result) && pw_equal(result, attribute));
}

/* ------------------------------------------------------------------ making */

static pw_str hex_of(const pw_str *parts, size_t count, char out[PW_DIGEST_HEX_SIZE])
{
    pw_digest digest = pw_digest_of(parts, count);
    pw_digest_hex(out, &digest);
    return pw_str_of(out);
}

/* Canonical, so that 1, 1.0 and 1e0 are one value. */
static pw_str hash_of(pw_str digest, pw_value expected, pw_arena *arena,
                      char out[PW_DIGEST_HEX_SIZE])
{
    pw_str parts[] = { digest, pw_json_text(arena, expected, PW_JSON_CANONICAL) };
    return parts[1].ptr ? hex_of(parts, PW_LENGTH(parts), out) : (pw_str){ 0 };
}

static void add_part(pw_array_builder *parts, const char *name, pw_str text, pw_str attribute)
{
    pw_member members[] = { { pw_str_of(name), pw_string_ref(text) },
                            { PW_LIT("a"),
                              attribute.len ? pw_string_ref(attribute) : (pw_value){ 0 } } };
    pw_array_add(parts, pw_object_of(parts->arena, members, PW_LENGTH(members)));
}

void pw_match_of_filter(pw_matcher *out, pw_str *hash, const pw_filter *filter,
                        const pw_value *wanted, const pw_value *correlated, pw_arena *arena)
{
    pw_array_builder parts = { .arena = arena }, expected = { .arena = arena };
    for (uint32_t i = 0; i < filter->want_count; i++) {
        const pw_want *want = &filter->wants[i];
        bool value = want->kind == PW_WANT_VALUE;
        if (value ? pw_is(wanted[i], PW_NONE) : want->of_instance)
            continue;
        if (value)
            add_part(&parts, "a", want->attribute, (pw_str){ 0 });
        else
            add_part(&parts, want->kind == PW_WANT_PATTERN ? "r" : "t", want->source,
                     want->attribute);
        pw_array_add(&expected, value ? wanted[i] : pw_bool(true));
    }
    for (uint32_t i = 0; i < filter->correlation_count; i++) {
        const pw_correlation *correlation = &filter->correlations[i];
        if (correlation->of_instance || pw_is(correlated[i], PW_NONE))
            continue;
        add_part(&parts, "x", correlation->source, (pw_str){ 0 });
        pw_array_add(&expected, correlated[i]);
    }
    out->type = filter->type;
    out->parts = pw_json_text(arena, pw_array_end(&parts), PW_JSON_CANONICAL);
    char digest[PW_DIGEST_HEX_SIZE], text[PW_DIGEST_HEX_SIZE];
    pw_str named[] = { out->type, out->parts };
    out->digest = pw_arena_str(arena, hex_of(named, PW_LENGTH(named), digest));
    *hash = pw_arena_str(arena, hash_of(out->digest, pw_array_end(&expected), arena, text));
}

/* ------------------------------------------------------------------ compiling */

static pawl_code corrupt(pawl_error *err, const char *what)
{
    return pw_fail(err, PAWL_CORRUPT, "stored matcher: %s; restore the store from a backup", what);
}

static pawl_code compile(look *out, pw_str source, pw_arena *arena, pawl_error *err)
{
    pawl_error inner;
    pawl_code code = pw_expr_compile(&out->expr, source, NULL, 0, arena, NULL, &inner);
    if (code == PAWL_NO_MEMORY)
        return pw_no_memory(err);
    return code == PAWL_OK ? PAWL_OK : corrupt(err, "an expression does not compile");
}

static pawl_code read_part(look *out, pw_value v, pw_arena *arena, pawl_error *err)
{
    pw_value text = pw_get_lit(v, "x"), test = pw_get_lit(v, "t"), pattern = pw_get_lit(v, "r");
    pw_value attribute = pw_get_lit(v, "a");
    bool alone = pw_is(v, PW_OBJECT) && v.count == 1, two = pw_is(v, PW_OBJECT) && v.count == 2;
    if (alone && pw_is(text, PW_STRING)) {
        out->kind = PART_VALUE;
        return compile(out, pw_text(text), arena, err);
    }
    if (!pw_is(attribute, PW_STRING))
        return corrupt(err, "a part is not known");
    out->attribute = pw_text(attribute);
    if (alone) {
        out->kind = PART_ATTRIBUTE;
        return PAWL_OK;
    }
    if (two && pw_is(test, PW_STRING)) {
        out->kind = PART_TEST;
        return compile(out, pw_text(test), arena, err);
    }
    if (!two || !pw_is(pattern, PW_STRING))
        return corrupt(err, "a part is not known");
    out->kind = PART_PATTERN;
    pw_str quoted = pw_json_text(arena, pattern, PW_JSON_COMPACT);
    pw_str source = quoted.ptr ? pw_arena_printf(arena, "test(" PW_FMT ")", PW_ARG(quoted))
                               : (pw_str){ 0 };
    return source.ptr ? compile(out, source, arena, err) : pw_no_memory(err);
}

static pawl_code read_parts(pw_match *match, pw_str text, pawl_error *err)
{
    pw_value parts;
    pawl_error inner;
    pawl_code code = pw_json_parse(&parts, text, NULL, &match->arena, &inner);
    if (code == PAWL_NO_MEMORY)
        return pw_no_memory(err);
    if (code != PAWL_OK || !pw_is(parts, PW_ARRAY))
        return corrupt(err, "its parts are not a list");
    match->count = parts.count;
    match->parts = PW_NEW_ARRAY(&match->arena, look, match->count + 1);
    if (!match->parts)
        return pw_no_memory(err);
    for (size_t i = 0; i < match->count; i++)
        if ((code = read_part(&match->parts[i], pw_item(parts, i), &match->arena, err)) != PAWL_OK)
            return code;
    return PAWL_OK;
}

pawl_code pw_match_new(pw_match **out, const pw_matcher *matcher, pawl_error *err)
{
    pw_match *match = pw_zalloc(sizeof *match);
    if (!match)
        return pw_no_memory(err);
    pw_arena_init(&match->arena, 0);
    match->digest = pw_arena_str(&match->arena, matcher->digest);
    match->type = pw_arena_str(&match->arena, matcher->type);
    pawl_code code = read_parts(match, matcher->parts, err);
    if (code == PAWL_OK && match->arena.failed)
        code = pw_no_memory(err);
    if (code == PAWL_OK)
        *out = match;
    else
        pw_match_free(match);
    return code;
}

void pw_match_free(pw_match *match)
{
    if (!match)
        return;
    pw_arena_done(&match->arena);
    pw_free(match);
}

/* ------------------------------------------------------------------ looking */

/* PAWL_OK, *out PW_NONE: the message does not fit. */
static pawl_code look_at(pw_value *out, const look *part, pw_value message, int64_t now_ms,
                      pw_expr_machine *machine, pw_arena *arena, pawl_error *err)
{
    pw_value attribute = pw_match_attribute(message, part->attribute);
    *out = attribute;
    if (part->kind == PART_ATTRIBUTE)
        return PAWL_OK;
    pw_expr_input input = { .input = part->kind == PART_VALUE ? message : attribute,
                            .now_ms = now_ms };
    pawl_error inner;
    pawl_code code = pw_expr_first(out, machine, part->expr, &input, arena, &inner);
    if (code == PAWL_NO_MEMORY)
        return pw_no_memory(err);
    bool fits = code == PAWL_OK;
    if (fits && part->kind == PART_VALUE)
        fits = !pw_is(*out, PW_NULL); /* nothing is correlated with nothing */
    else if (fits)
        fits = part->kind == PART_TEST ? pw_match_agrees(*out, attribute) : pw_truthy(*out);
    if (!fits)
        *out = (pw_value){ 0 };
    else if (part->kind != PART_VALUE)
        *out = pw_bool(true);
    return PAWL_OK;
}

pawl_code pw_match_hash(char out[PW_DIGEST_HEX_SIZE], const pw_match *match, pw_value message,
                        int64_t now_ms, pw_expr_machine *machine, pw_arena *arena, pawl_error *err)
{
    if (match->type.len && !pw_str_eq(match->type, pw_get_text(message, "type")))
        return pw_fail(err, PAWL_NOT_FOUND, "another type");
    pw_array_builder values = { .arena = arena };
    for (size_t i = 0; i < match->count; i++) {
        pw_value value;
        pawl_code code =
            look_at(&value, &match->parts[i], message, now_ms, machine, arena, err);
        if (code != PAWL_OK)
            return code;
        if (pw_is(value, PW_NONE))
            return pw_fail(err, PAWL_NOT_FOUND, "it does not fit");
        pw_array_add(&values, value);
    }
    pw_str hash = hash_of(match->digest, pw_array_end(&values), arena, out);
    return hash.ptr && !arena->failed ? PAWL_OK : pw_no_memory(err);
}
