/* payload.c - large values: known by their bodies, put out, and read back.
 *
 * What is known is a map from the body of a value (type, address, count) to the name of its text.
 * It is right as long as each body that it lists is there and unchanged, for:
 * - Two values with the same type, address and count are the same value. Values do not change. An
 *   object that grows in place (value.c) grows behind what a value of it counts, so an older
 *   version has another count than a younger one. Whoever may replace a member in place
 *   (pw_replace_alone, and pw_payload_resolve below) has shown the object to nobody, so that
 *   nobody has written it.
 * - Whoever keeps a map keeps the values that were written with it, in the same arena as the map
 *   or in memory that outlives it; so must all their parts. An arena that is rewound to a mark
 *   loses what is younger than the mark: bodies, and the maps that list them, since a map is made
 *   after the bodies that it adds, and never changed once it was given out. An older map has
 *   older bodies only. So an address that is used again is in no map that is left.
 * - What a step puts out is known to the next only by the map of the state that it made. If its
 *   commit fails, that state is dropped, and with it what is not in the store.
 * - A copy (pw_copying) begins with an empty map, and adds the copies.
 *
 * A map is a chain of hash tables, each at least twice as large as the newer one before it: adding
 * costs what is added and, each time a table doubles, a part of what is there; a search looks into
 * few. A step that adds nothing hands on the map that it was given.
 *
 * Reading needs no recursion: containers and payloads that are open are frames of one stack, on
 * the heap when it is deep. Containers nest no deeper than JSON may, through all payloads together,
 * and a payload is never itself a reference, so that stack is bounded. A payload in many places is
 * one value, but its bytes count in each: few rows cannot come to more than anybody can write.
 * Payloads are checked against their names before they are parsed. */
#include "base/digest.h"
#include "base/payload_internal.h"
#include "base/value_internal.h"

static const char reserved[] = "payload"; /* behind one $ or more */

/* ------------------------------------------------------------------ what is known */

typedef struct known_body {
    const void *address; /* NULL: a free place */
    uint32_t count;
    uint32_t type;
    const char *digest; /* PW_PAYLOAD_NAME characters */
    uint64_t whole;     /* bytes of its text with all that this refers to */
} known_body;

struct pw_known {
    const pw_known *older;
    uint32_t count, size; /* size: a power of two; at most three quarters are taken */
    known_body places[];
};

static const void *body_of(pw_value v)
{
    return v.type == PW_OBJECT  ? (const void *)v.as.object
           : v.type == PW_ARRAY ? (const void *)v.as.items
                                : (const void *)v.as.text;
}

/* Only these have a body that is worth a search. */
static bool may_be_known(pw_value v)
{
    return (v.type >= PW_ARRAY && v.count > 0) ||
           (v.type == PW_STRING && v.count >= PW_PAYLOAD_STRING);
}

static uint32_t place_of(const pw_known *known, const void *address, uint32_t count, uint32_t type)
{
    uint64_t mixed = ((uint64_t)(uintptr_t)address ^ (uint64_t)count << 40) *
                     UINT64_C(0x9E3779B97F4A7C15); /* the golden ratio: spreads neighbours */
    uint32_t at = (uint32_t)(mixed >> 32) & (known->size - 1);
    while (known->places[at].address &&
           (known->places[at].address != address || known->places[at].count != count ||
            known->places[at].type != type))
        at = (at + 1) & (known->size - 1);
    return at;
}

/* *place: counted through all tables, the newest first. NULL: not known. */
static const known_body *find(const pw_known *known, pw_value v, size_t *place)
{
    const void *address = body_of(v);
    for (size_t before = 0; known; before += known->size, known = known->older) {
        uint32_t at = place_of(known, address, v.count, v.type);
        if (known->places[at].address) {
            *place = before + at;
            return &known->places[at];
        }
    }
    return NULL;
}

static pw_known *make_table(pw_arena *arena, uint32_t size, const pw_known *older)
{
    pw_known *table = pw_arena_zalloc(arena, sizeof *table + size * sizeof table->places[0]);
    if (table) {
        table->size = size;
        table->older = older;
    }
    return table;
}

static void put_body(pw_known *table, const known_body *body)
{
    known_body *place = &table->places[place_of(table, body->address, body->count, body->type)];
    table->count += place->address == NULL;
    *place = *body;
}

static void put_all(pw_known *table, const pw_known *from)
{
    for (uint32_t i = 0; i < from->size; i++)
        if (from->places[i].address)
            put_body(table, &from->places[i]);
}

/* Makes room for `more` in the table that is being made. */
static bool grow(pw_putting *put, uint32_t more)
{
    enum { FIRST = 8 };
    uint32_t size = put->own ? put->own->size : FIRST, count = put->own ? put->own->count : 0;
    if (count >= INT32_MAX / 4 || more >= INT32_MAX / 4)
        return false;
    while ((uint64_t)(count + more) * 4 > (uint64_t)size * 3)
        size *= 2;
    if (put->own && size == put->own->size)
        return true;
    pw_known *larger = make_table(put->arena, size, put->own ? put->own->older : put->known);
    if (!larger)
        return false;
    if (put->own)
        put_all(larger, put->own);
    put->known = put->own = larger;
    return true;
}

static bool remember(pw_putting *put, pw_value v, const char *digest, uint64_t whole)
{
    if (!grow(put, 1))
        return false;
    const known_body body = { body_of(v), v.count, v.type, digest, whole };
    put_body(put->own, &body);
    return true;
}

const pw_known *pw_putting_end(pw_putting *put)
{
    while (put->own && put->own->older && put->own->older->count < 2 * put->own->count) {
        const pw_known *older = put->own->older;
        if (!grow(put, older->count))
            break; /* a longer chain will do */
        put_all(put->own, older);
        put->own->older = older->older;
    }
    put->own = NULL;
    return put->known;
}

/* ------------------------------------------------------------------ writing */

static void write_reference(pw_putting *put, pw_buf *buf, const char *digest, uint64_t whole)
{
    put->whole += whole;
    if (put->whole > PW_PAYLOAD_WHOLE_MAX)
        buf->failed = true;
    pw_buf_text(buf, "{\"$payload\":\"");
    pw_buf_add(buf, digest, PW_PAYLOAD_NAME);
    pw_buf_text(buf, "\"}");
    put->differs = true;
}

bool pw_payload_refer(pw_putting *put, pw_buf *buf, pw_value v)
{
    size_t place;
    const known_body *body = may_be_known(v) ? find(put->known, v, &place) : NULL;
    if (!body)
        return false;
    write_reference(put, buf, body->digest, body->whole);
    return true;
}

static pw_payload *new_payload(pw_putting *put)
{
    pw_payload_list *list = put->list;
    if (list->count == list->size) {
        size_t size = list->size ? list->size * 2 : 4;
        pw_payload *items = pw_arena_grow(put->arena, list->items, list->size * sizeof *items,
                                          size * sizeof *items);
        if (!items)
            return NULL;
        list->items = items;
        list->size = size;
    }
    return &list->items[list->count];
}

void pw_payload_put_out(pw_putting *put, pw_buf *buf, pw_value v, size_t start, uint64_t whole)
{
    if (buf->failed)
        return;
    pw_str text = pw_arena_str(put->arena, (pw_str){ buf->ptr + start, buf->len - start });
    pw_payload *payload = text.ptr ? new_payload(put) : NULL;
    if (!payload) {
        buf->failed = true;
        return;
    }
    char hex[PW_DIGEST_HEX_SIZE];
    pw_digest digest = pw_digest_of_text(text);
    pw_digest_hex(hex, &digest);
    pw_str name = pw_arena_str(put->arena, pw_str_of(hex));
    uint64_t own = text.len + (put->whole - whole);
    if (!name.ptr || !remember(put, v, name.ptr, own)) {
        buf->failed = true;
        return;
    }
    *payload = (pw_payload){ name, text };
    put->list->count++;
    buf->len = start;
    put->whole = whole;
    write_reference(put, buf, hex, own);
}

/* How many $ such a key has; 0: it is another one. */
static size_t dollars(pw_str key)
{
    size_t n = 0;
    while (n < key.len && key.ptr[n] == '$')
        n++;
    return n && pw_str_is((pw_str){ key.ptr + n, key.len - n }, reserved) ? n : 0;
}

void pw_payload_write_key(pw_putting *put, pw_buf *buf, pw_str key)
{
    if (!dollars(key)) {
        pw_json_write_string(buf, key);
        return;
    }
    pw_buf_text(buf, "\"$");
    pw_buf_str(buf, key);
    pw_buf_char(buf, '"');
    put->differs = true;
}

/* ------------------------------------------------------------------ reading */

/* A payload that is read or being read, by its name. */
typedef struct entry {
    struct entry *next; /* in its bucket */
    char digest[PW_PAYLOAD_NAME];
    pw_value value;
    uint64_t whole;   /* bytes, with all that it refers to */
    uint32_t nesting; /* of containers, its own included */
    bool resolved;    /* the value has no references any more */
} entry;

typedef struct resolve_frame {
    pw_value v;      /* a container; or PW_NONE: */
    entry *payload;  /* the value of this payload, */
    pw_value *place; /* which goes here */
    uint64_t whole;  /* of a payload: r->whole, of what is around it */
    uint32_t at;
    uint32_t nesting; /* of what is in it, as far as it is known */
} resolve_frame;

typedef struct resolver {
    const pw_payload_source *source;
    pw_arena *arena;  /* of the values */
    pw_arena scratch; /* entries */
    pw_arena text;    /* one payload's */
    entry **buckets;
    uint32_t bucket_count, entry_count;
    pw_stack stack;
    uint64_t whole; /* of the payload that is being resolved, so far */
    uint32_t depth; /* containers that are open */
    pw_putting known;
    bool keep;
    pawl_error *err;
} resolver;

bool pw_payload_refers(pw_str text)
{
    return text.len && memmem(text.ptr, text.len, "$payload\"", strlen("$payload\"")) != NULL;
}

static pawl_code damaged(resolver *r, const char *digest, const char *what)
{
    pw_str instance = r->source ? r->source->instance : (pw_str){ 0 };
    return pw_fail(r->err, PAWL_CORRUPT,
                   "payload %.*s%s" PW_FMT " %s; restore the store from a backup",
                   (int)PW_PAYLOAD_NAME, digest, instance.len ? " of instance " : "",
                   PW_ARG(instance), what);
}

static pawl_code bad(resolver *r, const char *what)
{
    pw_str instance = r->source ? r->source->instance : (pw_str){ 0 };
    return pw_fail(r->err, PAWL_CORRUPT,
                   "stored data%s" PW_FMT ": %s; restore the store from a backup",
                   instance.len ? " of instance " : "", PW_ARG(instance), what);
}

static uint64_t hash_of(const char *digest)
{
    uint64_t first;
    memcpy(&first, digest, sizeof first); /* of a digest: as good as any hash; hexadecimal, so */
    return first * UINT64_C(0x9E3779B97F4A7C15) >> 32; /* its bits are spread */
}

static entry *find_entry(const resolver *r, const char *digest)
{
    entry *at = r->bucket_count ? r->buckets[hash_of(digest) & (r->bucket_count - 1)] : NULL;
    while (at && memcmp(at->digest, digest, PW_PAYLOAD_NAME) != 0)
        at = at->next;
    return at;
}

static bool grow_buckets(resolver *r)
{
    uint32_t count = r->bucket_count ? r->bucket_count * 2 : 64;
    entry **buckets = PW_NEW_ARRAY(&r->scratch, entry *, count);
    if (!buckets)
        return false;
    for (uint32_t i = 0; i < r->bucket_count; i++)
        for (entry *at = r->buckets[i], *next = NULL; at; at = next) {
            next = at->next;
            entry **bucket = &buckets[hash_of(at->digest) & (count - 1)];
            at->next = *bucket;
            *bucket = at;
        }
    r->buckets = buckets;
    r->bucket_count = count;
    return true;
}

static entry *new_entry(resolver *r, const char *digest)
{
    if (r->entry_count >= r->bucket_count && !grow_buckets(r))
        return NULL;
    entry *made = PW_NEW(&r->scratch, entry);
    if (!made)
        return NULL;
    memcpy(made->digest, digest, PW_PAYLOAD_NAME);
    entry **bucket = &r->buckets[hash_of(digest) & (r->bucket_count - 1)];
    made->next = *bucket;
    *bucket = made;
    r->entry_count++;
    return made;
}

/* The name in a reference; NULL: v is none. */
static const char *name_in(pw_value v)
{
    if (v.type != PW_OBJECT || v.count != 1 || dollars(pw_members(v)->key) != 1)
        return NULL;
    pw_str name = pw_text(pw_members(v)->value);
    for (size_t i = 0; i < name.len; i++)
        if (!strchr("0123456789abcdef", name.ptr[i]) || name.ptr[i] == '\0')
            return NULL;
    return name.len == PW_PAYLOAD_NAME ? name.ptr : NULL;
}

/* Reads and parses a payload; what it refers to is still to be found. */
static pawl_code fetch(resolver *r, entry *payload)
{
    if (!r->source)
        return damaged(r, payload->digest, "cannot be read here");
    pw_str text = { 0 };
    pw_arena_reset(&r->text);
    const pw_str name = { payload->digest, PW_PAYLOAD_NAME };
    pawl_code code =
        r->source->get(r->source->context, r->source->instance, name, &text, &r->text, r->err);
    if (code == PAWL_NOT_FOUND)
        return damaged(r, payload->digest, "is missing");
    if (code != PAWL_OK)
        return code;
    char hex[PW_DIGEST_HEX_SIZE];
    pw_digest digest = pw_digest_of_text(text);
    pw_digest_hex(hex, &digest);
    r->whole = text.len;
    if (memcmp(hex, payload->digest, PW_PAYLOAD_NAME) != 0)
        return damaged(r, payload->digest, "is damaged: its text has another digest");
    code = pw_json_parse(&payload->value, text, NULL, r->arena, r->err);
    if (code == PAWL_INVALID || (code == PAWL_OK && name_in(payload->value)))
        return damaged(r, payload->digest, "is no value that was put out");
    return code;
}

static pawl_code push(resolver *r, const resolve_frame *frame)
{
    resolve_frame *pushed = pw_stack_push(&r->stack);
    if (!pushed)
        return pw_no_memory(r->err);
    *pushed = *frame;
    return PAWL_OK;
}

static pawl_code too_deep(resolver *r)
{
    return bad(r, "it is nested too deep");
}

/* A payload is in one more place. */
static pawl_code add_whole(resolver *r, uint64_t bytes)
{
    r->whole += bytes;
    return r->whole <= PW_PAYLOAD_WHOLE_MAX ? PAWL_OK : bad(r, "with its payloads it is too large");
}

static void note_nesting(resolver *r, uint32_t nesting)
{
    resolve_frame *around = pw_stack_top(&r->stack);
    if (around && around->nesting < nesting)
        around->nesting = nesting;
}

/* A reference, at `place`. */
static pawl_code refer(resolver *r, pw_value *place, const char *digest)
{
    entry *payload = find_entry(r, digest);
    if (payload && !payload->resolved)
        return damaged(r, digest, "refers to itself");
    if (payload) {
        if (r->depth + payload->nesting > PW_JSON_DEPTH_MAX)
            return too_deep(r);
        *place = payload->value;
        note_nesting(r, payload->nesting);
        return add_whole(r, payload->whole);
    }
    payload = new_entry(r, digest);
    if (!payload)
        return pw_no_memory(r->err);
    uint64_t around = r->whole;
    pawl_code code = fetch(r, payload);
    if (code != PAWL_OK)
        return code;
    return push(r, &(resolve_frame){ .payload = payload, .place = place, .whole = around });
}

/* What is at `place` is looked at: a frame is pushed if there is more to do. */
static pawl_code visit(resolver *r, pw_value *place)
{
    pw_value v = *place;
    if (v.type < PW_ARRAY || v.count == 0)
        return PAWL_OK;
    size_t marks = v.type == PW_OBJECT && v.count == 1 ? dollars(pw_members(v)->key) : 0;
    const char *name = marks == 1 ? name_in(v) : NULL;
    if (name)
        return refer(r, place, name);
    if (marks == 1)
        return bad(r, "a reference names no payload");
    if (marks > 1) {
        pw_str *key = &((pw_member *)(uintptr_t)pw_members(v))->key;
        *key = (pw_str){ key->ptr + 1, key->len - 1 };
    }
    if (++r->depth > PW_JSON_DEPTH_MAX)
        return too_deep(r);
    return push(r, &(resolve_frame){ .v = v });
}

/* The payload on top has no references any more. */
static pawl_code arrive(resolver *r)
{
    const resolve_frame *top = pw_stack_top(&r->stack);
    resolve_frame frame = *top;
    entry *payload = frame.payload;
    r->stack.depth--;
    payload->nesting = frame.nesting;
    payload->whole = r->whole;
    payload->resolved = true;
    *frame.place = payload->value;
    note_nesting(r, frame.nesting);
    r->whole = frame.whole;
    pawl_code code = add_whole(r, payload->whole);
    if (code != PAWL_OK)
        return code;
    if (!r->keep || !may_be_known(payload->value))
        return PAWL_OK;
    pw_str name = pw_arena_str(r->arena, (pw_str){ payload->digest, PW_PAYLOAD_NAME });
    return name.ptr && remember(&r->known, payload->value, name.ptr, payload->whole)
               ? PAWL_OK
               : pw_no_memory(r->err);
}

/* The next part of what is on top. */
static pawl_code resolve_step(resolver *r)
{
    resolve_frame *frame = pw_stack_top(&r->stack);
    uint32_t at = frame->at++;
    if (frame->payload)
        return at == 0 ? visit(r, &frame->payload->value) : arrive(r);
    if (at < frame->v.count) {
        const pw_value *part =
            frame->v.type == PW_ARRAY ? &frame->v.as.items[at] : &pw_members(frame->v)[at].value;
        return visit(r, (pw_value *)(uintptr_t)part);
    }
    uint32_t nesting = frame->nesting + 1;
    r->stack.depth--;
    r->depth--;
    note_nesting(r, nesting);
    return PAWL_OK;
}

pawl_code pw_payload_resolve(pw_value *v, const pw_payload_source *source, const pw_known **known,
                             pw_arena *arena, pawl_error *err)
{
    enum { LOCAL_FRAMES = 32 };
    resolve_frame local[LOCAL_FRAMES];
    resolver r = { .source = source,
                   .arena = arena,
                   .stack = PW_STACK_OF(local),
                   .known = { .arena = arena },
                   .keep = known != NULL,
                   .err = err };
    pw_arena_init(&r.scratch, 0);
    pw_arena_init(&r.text, 0);
    jmp_buf *guard = pw_arena_guard(arena, NULL); /* a jump would lose the stack */
    pawl_code code = visit(&r, v);
    while (code == PAWL_OK && r.stack.depth)
        code = resolve_step(&r);
    if (code == PAWL_OK && known)
        *known = pw_putting_end(&r.known);
    (void)pw_arena_guard(arena, guard);
    pw_stack_done(&r.stack);
    pw_arena_done(&r.text);
    pw_arena_done(&r.scratch);
    return code;
}

/* ------------------------------------------------------------------ copying
 *
 * The place of a known body is the same in `from` and in `copies`. */

pawl_code pw_copying_init(pw_copying *copying, const pw_known *known, pw_arena *arena,
                          pawl_error *err)
{
    size_t places = 0;
    for (const pw_known *table = known; table; table = table->older)
        places += table->size;
    *copying = (pw_copying){ .from = known, .to = { .arena = arena } };
    if (known && !(copying->copies = pw_zalloc(places * sizeof *copying->copies)))
        return pw_no_memory(err);
    return PAWL_OK;
}

pw_value pw_copying_copy(pw_copying *copying, pw_value v)
{
    return pw_copy_with(copying->to.arena, v, copying->from ? copying : NULL);
}

const pw_known *pw_copying_done(pw_copying *copying)
{
    pw_free(copying->copies);
    copying->copies = NULL;
    return pw_putting_end(&copying->to);
}

pw_value *pw_copying_place(pw_copying *copying, pw_value v)
{
    size_t place;
    return may_be_known(v) && find(copying->from, v, &place) ? &copying->copies[place] : NULL;
}

bool pw_copying_keep(pw_copying *copying, pw_value *place, pw_value v, pw_value copy)
{
    size_t at;
    const known_body *body = find(copying->from, v, &at);
    PW_ASSERT(body && place == &copying->copies[at]);
    pw_str digest = pw_arena_str(copying->to.arena, (pw_str){ body->digest, PW_PAYLOAD_NAME });
    *place = copy;
    return digest.ptr && remember(&copying->to, copy, digest.ptr, body->whole);
}
