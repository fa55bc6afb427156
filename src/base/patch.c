/* patch.c - JSON Patch: documents changed by small steps, and told apart by them.
 *
 * Values do not change: an operation makes new ones of the containers on its path, from the inside
 * out, and shares the rest. So a patch that fails at its last operation has changed nothing. What
 * is copied is counted, logically: a `copy` shares what it copies, but counts with all that it
 * adds to the text of the document. */
#include "base/patch.h"
#include "base/value_internal.h"

/* ------------------------------------------------------------------ pointers */

typedef struct pointer {
    pw_str text;
    pw_str *tokens;   /* unescaped */
    size_t *ends;     /* of each token, in text */
    pw_value *inside; /* what each token was looked for in, once that is known */
    size_t count;
} pointer;

static bool unescaped(pw_str *out, pw_str token, pw_arena *arena)
{
    *out = token;
    if (token.len == 0 || !memchr(token.ptr, '~', token.len))
        return true;
    char *text = pw_arena_alloc(arena, token.len);
    if (!text)
        return false;
    size_t len = 0;
    for (size_t i = 0; i < token.len; i++) {
        char c = token.ptr[i];
        if (c == '~') {
            if (++i == token.len || (token.ptr[i] != '0' && token.ptr[i] != '1'))
                return false;
            c = token.ptr[i] == '0' ? '~' : '/';
        }
        text[len++] = c;
    }
    *out = (pw_str){ text, len };
    return true;
}

/* The token behind the '/' at text[*at], and *at behind it. */
static bool next_token(pw_str *out, pw_str text, size_t *at, pw_arena *arena)
{
    size_t start = *at + 1, end = start;
    while (end < text.len && text.ptr[end] != '/')
        end++;
    *at = end;
    return unescaped(out, (pw_str){ text.ptr + start, end - start }, arena);
}

static pawl_code read_pointer(pointer *to, pw_str text, pw_arena *arena, pawl_error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '/';
    *to = (pointer){ .text = text };
    to->tokens = PW_NEW_ARRAY(arena, pw_str, count + 1);
    to->ends = PW_NEW_ARRAY(arena, size_t, count + 1);
    to->inside = PW_NEW_ARRAY(arena, pw_value, count + 1);
    if (!to->tokens || !to->ends || !to->inside)
        return pw_no_memory(err);
    if (text.len && text.ptr[0] != '/')
        return pw_fail(err, PAWL_INVALID,
                       "'" PW_FMT "' is no JSON pointer: it is empty, or begins with '/'",
                       PW_ARG(text));
    for (size_t at = 0; at < text.len; to->ends[to->count++] = at) {
        if (next_token(&to->tokens[to->count], text, &at, arena))
            continue;
        return arena->failed ? pw_no_memory(err)
                             : pw_fail(err, PAWL_INVALID,
                                       "'" PW_FMT "' is no JSON pointer: behind '~' stands 0 or 1",
                                       PW_ARG(text));
    }
    return PAWL_OK;
}

static bool index_of(size_t *out, pw_str token)
{
    if (token.len == 0 || token.len > 10 || (token.ptr[0] == '0' && token.len > 1))
        return false;
    size_t index = 0;
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] < '0' || token.ptr[i] > '9')
            return false;
        index = index * 10 + (size_t)(token.ptr[i] - '0');
    }
    *out = index;
    return true;
}

static pw_value child(pw_value v, pw_str token)
{
    size_t index = 0;
    if (pw_is(v, PW_ARRAY))
        return index_of(&index, token) ? pw_item(v, index) : (pw_value){ 0 };
    return pw_get(v, token);
}

pw_value pw_pointer_get(pw_value v, pw_str text, pw_arena *arena)
{
    if (text.len && text.ptr[0] != '/')
        return (pw_value){ 0 };
    for (size_t at = 0; at < text.len && !pw_is(v, PW_NONE);) {
        pw_str token = { 0 };
        if (!next_token(&token, text, &at, arena))
            return (pw_value){ 0 };
        v = child(v, token);
    }
    return v;
}

/* ------------------------------------------------------------------ one operation */

typedef struct patching {
    pw_arena *arena;
    pawl_error *err;
    pw_value v;    /* as it is so far */
    size_t start;  /* arena->used before the first operation */
    size_t copied; /* by `copy`: bytes that are shared here, but not in the text */
} patching;

/* The pointer up to its token `at`, in words. */
static pw_str before(const pointer *to, size_t at)
{
    return at ? (pw_str){ to->text.ptr, to->ends[at - 1] } : PW_LIT("the whole");
}

static pawl_code is_missing(const patching *p, const pointer *to, size_t at)
{
    pw_value v = to->inside[at];
    pw_str place = before(to, at), token = to->tokens[at];
    if (pw_is(v, PW_OBJECT))
        return pw_fail(p->err, PAWL_INVALID, PW_FMT " has no member '" PW_FMT "'", PW_ARG(place),
                       PW_ARG(token));
    if (pw_is(v, PW_ARRAY))
        return pw_fail(p->err, PAWL_INVALID, PW_FMT " has %u elements, and none '" PW_FMT "'",
                       PW_ARG(place), v.count, PW_ARG(token));
    return pw_fail(p->err, PAWL_INVALID, PW_FMT " is of type %s, and has nothing inside",
                   PW_ARG(place), pw_type_name(v));
}

/* What the first `count` tokens name. */
static pawl_code descend(patching *p, pointer *to, size_t count, pw_value *out)
{
    pw_value v = p->v;
    for (size_t i = 0; i < count; i++) {
        to->inside[i] = v;
        v = child(v, to->tokens[i]);
        if (pw_is(v, PW_NONE))
            return is_missing(p, to, i);
    }
    *out = v;
    return PAWL_OK;
}

/* An array with `less` of its elements at `at` replaced by the `more` of `with`. */
static pw_value spliced(pw_value array, size_t at, size_t less, const pw_value *with, size_t more,
                        pw_arena *arena)
{
    size_t count = array.count - less + more;
    if (count == 0)
        return pw_array_ref(NULL, 0);
    pw_value *items = pw_arena_alloc(arena, count * sizeof *items);
    if (!items)
        return (pw_value){ 0 };
    if (at)
        memcpy(items, array.as.items, at * sizeof *items);
    if (more)
        memcpy(items + at, with, more * sizeof *items);
    if (at + more < count)
        memcpy(items + at + more, array.as.items + at + less, (count - at - more) * sizeof *items);
    return pw_array_ref(items, count);
}

/* The new whole: `v` takes the place of what the first `count` tokens named. */
static pawl_code rebuild(patching *p, const pointer *to, size_t count, pw_value v)
{
    for (size_t i = count; i-- > 0 && !pw_is(v, PW_NONE);) {
        size_t index = 0;
        if (pw_is(to->inside[i], PW_ARRAY)) {
            PW_ASSERT(index_of(&index, to->tokens[i]));
            v = spliced(to->inside[i], index, 1, &v, 1, p->arena);
        } else {
            v = pw_with(p->arena, to->inside[i], to->tokens[i], v);
        }
    }
    if (pw_is(v, PW_NONE))
        return pw_no_memory(p->err);
    p->v = v;
    return PAWL_OK;
}

static pawl_code add(patching *p, pointer *to, pw_value value)
{
    if (to->count == 0)
        return rebuild(p, to, 0, value);
    size_t last = to->count - 1, index = 0;
    pw_value in = { 0 };
    pawl_code code = descend(p, to, last, &in);
    if (code != PAWL_OK)
        return code;
    to->inside[last] = in;
    if (pw_is(in, PW_OBJECT))
        return rebuild(p, to, last, pw_with(p->arena, in, to->tokens[last], value));
    if (!pw_is(in, PW_ARRAY))
        return is_missing(p, to, last);
    if (pw_str_is(to->tokens[last], "-"))
        index = in.count;
    else if (!index_of(&index, to->tokens[last]) || index > in.count)
        return is_missing(p, to, last);
    return rebuild(p, to, last, spliced(in, index, 0, &value, 1, p->arena));
}

static pawl_code take_away(patching *p, pointer *to, pw_value *taken)
{
    if (to->count == 0)
        return pw_fail(p->err, PAWL_INVALID, "the whole cannot be removed: replace it");
    pawl_code code = descend(p, to, to->count, taken);
    if (code != PAWL_OK)
        return code;
    size_t last = to->count - 1, index = 0;
    pw_value in = to->inside[last];
    if (pw_is(in, PW_OBJECT))
        return rebuild(p, to, last, pw_without(p->arena, in, to->tokens[last]));
    PW_ASSERT(index_of(&index, to->tokens[last]));
    return rebuild(p, to, last, spliced(in, index, 1, NULL, 0, p->arena));
}

static pawl_code replace(patching *p, pointer *to, pw_value value)
{
    pw_value old = { 0 };
    pawl_code code = descend(p, to, to->count, &old);
    return code == PAWL_OK ? rebuild(p, to, to->count, value) : code;
}

static pawl_code test(patching *p, pointer *to, pw_value value)
{
    pw_value found = { 0 };
    pawl_code code = descend(p, to, to->count, &found);
    if (code != PAWL_OK || pw_equal(found, value))
        return code;
    if (found.type != value.type)
        return pw_fail(p->err, PAWL_INVALID, "the test fails: what is there is of type %s, not %s",
                       pw_type_name(found), pw_type_name(value));
    return pw_fail(p->err, PAWL_INVALID, "the test fails: what is there is something else");
}

static pawl_code copy(patching *p, pointer *from, pointer *to)
{
    pw_value v = { 0 };
    pawl_code code = descend(p, from, from->count, &v);
    if (code != PAWL_OK)
        return code;
    size_t bytes = pw_footprint(v, PW_PATCH_BYTES_MAX);
    p->copied = bytes > PW_PATCH_BYTES_MAX ? PW_PATCH_BYTES_MAX + 1 : p->copied + bytes;
    return add(p, to, v);
}

static pawl_code move(patching *p, pointer *from, pointer *to)
{
    bool inside = to->count > from->count;
    for (size_t i = 0; i < from->count && inside; i++)
        inside = pw_str_eq(from->tokens[i], to->tokens[i]);
    if (inside)
        return pw_fail(p->err, PAWL_INVALID, "nothing can be moved into itself");
    pw_value v = { 0 };
    if (pw_str_eq(from->text, to->text)) /* it stays, if it is there */
        return descend(p, from, from->count, &v);
    if (from->count == 0)
        return pw_fail(p->err, PAWL_INVALID, "the whole cannot be moved");
    pawl_code code = take_away(p, from, &v);
    return code == PAWL_OK ? add(p, to, v) : code;
}

/* ------------------------------------------------------------------ all of them */

typedef enum op_kind { OP_ADD, OP_REMOVE, OP_REPLACE, OP_MOVE, OP_COPY, OP_TEST } op_kind;

static const struct {
    const char *name;
    bool value, from; /* what it needs */
} ops[] = {
    [OP_ADD] = { "add", true, false },         [OP_REMOVE] = { "remove", false, false },
    [OP_REPLACE] = { "replace", true, false }, [OP_MOVE] = { "move", false, true },
    [OP_COPY] = { "copy", false, true },       [OP_TEST] = { "test", true, false },
};

static pawl_code carry_out(patching *p, op_kind kind, pointer *from, pointer *to, pw_value value)
{
    pw_value taken = { 0 };
    switch (kind) {
    case OP_ADD:
        return add(p, to, value);
    case OP_REMOVE:
        return take_away(p, to, &taken);
    case OP_REPLACE:
        return replace(p, to, value);
    case OP_MOVE:
        return move(p, from, to);
    case OP_COPY:
        return copy(p, from, to);
    case OP_TEST:
        return test(p, to, value);
    }
    return PAWL_OK;
}

static pawl_code read_member(patching *p, pw_value op, const char *name, pointer *out)
{
    pw_value text = pw_get_lit(op, name);
    if (!pw_is(text, PW_STRING))
        return pw_fail(p->err, PAWL_INVALID, "'%s' %s", name,
                       pw_is(text, PW_NONE) ? "is missing" : "is no text");
    return read_pointer(out, pw_text(text), p->arena, p->err);
}

static pawl_code one(patching *p, pw_value op)
{
    if (!pw_is(op, PW_OBJECT))
        return pw_fail(p->err, PAWL_INVALID, "is of type %s, not an object", pw_type_name(op));
    pw_str name = pw_get_text(op, "op");
    size_t kind = 0;
    while (kind < PW_LENGTH(ops) && !pw_str_is(name, ops[kind].name))
        kind++;
    if (kind == PW_LENGTH(ops))
        return pw_fail(p->err, PAWL_INVALID,
                       "'op' is add, remove, replace, move, copy or test, not '" PW_FMT "'",
                       PW_ARG(name));
    pw_value value = pw_get_lit(op, "value");
    pointer from = { 0 }, to = { 0 };
    pawl_code code = read_member(p, op, "path", &to);
    if (code == PAWL_OK && ops[kind].from)
        code = read_member(p, op, "from", &from);
    if (code == PAWL_OK && ops[kind].value && pw_is(value, PW_NONE))
        code = pw_fail(p->err, PAWL_INVALID, "'value' is missing");
    if (code == PAWL_OK)
        code = carry_out(p, (op_kind)kind, &from, &to, value);
    if (code == PAWL_OK && p->arena->used - p->start + p->copied > PW_PATCH_BYTES_MAX)
        code = pw_fail(p->err, PAWL_INVALID,
                       "up to here more than %zu MiB are copied: make several patches of it",
                       PW_PATCH_BYTES_MAX >> 20);
    if (code == PAWL_INVALID)
        return pw_error_context(p->err, code, "%s '" PW_FMT "'", ops[kind].name,
                                PW_ARG(pw_get_text(op, "path")));
    return code;
}

pawl_code pw_patch_apply(pw_value *out, pw_value v, pw_value patch, pw_arena *arena,
                         pawl_error *err)
{
    if (!pw_is(patch, PW_ARRAY))
        return pw_fail(err, PAWL_INVALID,
                       "a JSON Patch is an array of operations, and this is of type %s",
                       pw_type_name(patch));
    if (patch.count > PW_PATCH_OPERATIONS_MAX)
        return pw_fail(err, PAWL_INVALID, "a patch has at most %u operations, not %u",
                       PW_PATCH_OPERATIONS_MAX, patch.count);
    patching p = { .arena = arena, .err = err, .v = v, .start = arena->used };
    for (uint32_t i = 0; i < patch.count; i++) {
        pawl_code code = one(&p, patch.as.items[i]);
        if (code == PAWL_INVALID)
            return pw_error_context(err, code, "operation %u of the patch", i);
        if (code != PAWL_OK)
            return code;
    }
    size_t depth = pw_depth(p.v, PW_JSON_DEPTH_MAX);
    if (depth == SIZE_MAX)
        return pw_no_memory(err);
    if (depth > PW_JSON_DEPTH_MAX)
        return pw_fail(err, PAWL_INVALID, "the patch nests deeper than %d levels",
                       PW_JSON_DEPTH_MAX);
    *out = p.v;
    return PAWL_OK;
}

/* ------------------------------------------------------------------ difference */

/* In an array that became longer or shorter, what is equal at its two ends is left alone: that
 * looks at each element once more for each such array around it. Deeper than this the elements are
 * told apart as they stand, so that the time remains proportional to the size. */
enum { TRIM_DEPTH_MAX = 32 };

/* More text in paths than this: the whole is replaced. */
#define PATHS_MAX ((size_t)16 << 20)

typedef struct pair {
    pw_value from, to; /* two arrays, or two objects */
    uint32_t at,
        end; /* of an array: the pairs of elements at the same place that are to be looked at */
    size_t path_len;
} pair;

typedef struct differ {
    pw_arena *arena;
    pw_array_builder ops;
    pair *pairs;
    size_t depth, size;
    char *path;
    size_t path_len, path_size, paths;
    bool failed, too_much;
} differ;

static char *path_room(differ *d, size_t len)
{
    if (d->path_len + len > d->path_size) {
        size_t size = (d->path_len + len) * 2;
        char *path = pw_arena_grow(d->arena, d->path, d->path_size, size);
        if (!path) {
            d->failed = true;
            return NULL;
        }
        d->path = path;
        d->path_size = size;
    }
    return d->path + d->path_len;
}

static void path_key(differ *d, pw_str key)
{
    char *to = path_room(d, 2 * key.len + 1);
    if (!to)
        return;
    char *at = to;
    *at++ = '/';
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        if (c == '~' || c == '/')
            *at++ = '~';
        *at++ = c == '~' ? '0' : c == '/' ? '1' : c;
    }
    d->path_len += (size_t)(at - to);
}

static void path_index(differ *d, uint32_t index)
{
    char digits[12];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + index % 10);
        index /= 10;
    } while (index);
    path_key(d, (pw_str){ digits + at, sizeof digits - at });
}

static void emit(differ *d, const char *op, pw_value value)
{
    d->paths += d->path_len;
    if (d->ops.count == PW_PATCH_OPERATIONS_MAX || d->paths > PATHS_MAX)
        d->too_much = true;
    if (d->too_much || d->failed)
        return;
    const pw_member members[] = {
        { PW_LIT("op"), pw_string_ref(pw_str_of(op)) },
        { PW_LIT("path"), pw_string(d->arena, (pw_str){ d->path, d->path_len }) },
        { PW_LIT("value"), value },
    };
    if (pw_is(members[1].value, PW_NONE))
        d->failed = true;
    pw_array_add(&d->ops, pw_object_of(d->arena, members, PW_LENGTH(members)));
}

static void emit_at_key(differ *d, const char *op, pw_str key, pw_value value)
{
    size_t len = d->path_len;
    path_key(d, key);
    emit(d, op, value);
    d->path_len = len;
}

static void emit_at_index(differ *d, const char *op, uint32_t index, pw_value value)
{
    size_t len = d->path_len;
    path_index(d, index);
    emit(d, op, value);
    d->path_len = len;
}

/* Leaves of two arrays of different length the middle, where they are not the same. Returns how
 * many are the same at the end. */
static uint32_t trim(const differ *d, pair *both)
{
    uint32_t from = both->from.count, to = both->to.count, tail = 0;
    uint32_t least = from < to ? from : to;
    both->end = least;
    if (from == to || d->depth > TRIM_DEPTH_MAX)
        return 0;
    while (both->at < least && pw_equal(both->from.as.items[both->at], both->to.as.items[both->at]))
        both->at++;
    while (both->at + tail < least &&
           pw_equal(both->from.as.items[from - tail - 1], both->to.as.items[to - tail - 1]))
        tail++;
    both->end = least - tail;
    return tail;
}

/* What is only in one of the two arrays is behind the pairs of elements, which change no place. */
static void differ_array(differ *d, pair *both)
{
    uint32_t tail = trim(d, both);
    for (uint32_t i = both->from.count - tail; i > both->end; i--)
        emit_at_index(d, "remove", i - 1, (pw_value){ 0 });
    for (uint32_t i = both->end; i < both->to.count - tail; i++)
        emit_at_index(d, "add", i, both->to.as.items[i]);
}

static void differ_removed(differ *d, const pair *both)
{
    const pw_member *members = pw_members(both->from);
    for (uint32_t i = 0; i < both->from.count && !d->too_much; i++)
        if (!pw_find(both->to, members[i].key))
            emit_at_key(d, "remove", members[i].key, (pw_value){ 0 });
}

/* Looks at two values at the path: a difference, nothing, or another pair. */
static void differ_at(differ *d, pw_value from, pw_value to)
{
    if (from.type != to.type || from.type < PW_ARRAY) {
        if (!pw_equal(from, to))
            emit(d, "replace", to);
        return;
    }
    if (from.count == to.count &&
        (pw_is(from, PW_ARRAY) ? from.as.items == to.as.items : from.as.object == to.as.object))
        return;
    if (d->depth == d->size) {
        size_t size = d->size ? d->size * 2 : 16;
        pair *pairs =
            pw_arena_grow(d->arena, d->pairs, d->size * sizeof *pairs, size * sizeof *pairs);
        if (!pairs) {
            d->failed = true;
            return;
        }
        d->pairs = pairs;
        d->size = size;
    }
    pair *next = &d->pairs[d->depth++];
    *next = (pair){ .from = from, .to = to, .path_len = d->path_len };
    if (pw_is(from, PW_ARRAY)) {
        differ_array(d, next);
    } else {
        differ_removed(d, next);
        next->end = to.count;
    }
}

static void differ_next(differ *d, pair *top)
{
    uint32_t at = top->at++;
    if (pw_is(top->to, PW_ARRAY)) {
        path_index(d, at);
        differ_at(d, top->from.as.items[at], top->to.as.items[at]);
        return;
    }
    const pw_member *member = &pw_members(top->to)[at];
    const pw_member *old = pw_find(top->from, member->key);
    path_key(d, member->key);
    if (old)
        differ_at(d, old->value, member->value);
    else
        emit(d, "add", member->value);
}

pw_value pw_patch_diff(pw_value from, pw_value to, pw_arena *arena)
{
    differ d = { .arena = arena, .ops = { .arena = arena } };
    differ_at(&d, from, to);
    while (d.depth && !d.failed && !d.too_much) {
        pair *top = &d.pairs[d.depth - 1];
        d.path_len = top->path_len;
        if (top->at == top->end)
            d.depth--;
        else
            differ_next(&d, top);
    }
    if (d.failed)
        return (pw_value){ 0 };
    if (!d.too_much)
        return pw_array_end(&d.ops);
    d = (differ){ .arena = arena, .ops = { .arena = arena } };
    emit(&d, "replace", to);
    return d.failed ? (pw_value){ 0 } : pw_array_end(&d.ops);
}
