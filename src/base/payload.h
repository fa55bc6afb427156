/* payload.h - large values put out of a text: a reference stands in their place, and whoever writes
 * the text again finds them by identity, without looking into them.
 *
 * A value is large if its text, with the large parts inside it already put out, has PW_PAYLOAD_MIN
 * bytes or more. That text is then a payload; its name is the SHA-256 of it in hexadecimal, and
 * {"$payload":"<name>"} stands for it. So the text of a value depends on nothing but the value, and
 * payloads refer to others, never in a circle. An object of one member whose key is `payload` behind
 * one `$` or more is written with one more, and read with one less. */
#ifndef PW_PAYLOAD_H
#define PW_PAYLOAD_H

#include "base/json.h"

#define PW_PAYLOAD_MIN ((size_t)16 * 1024) /* doc/performance.md */
#define PW_PAYLOAD_NAME 64u
/* Bytes of a text with every payload in each of its places: what is larger is neither written nor
 * read. Whoever wants it in one piece - a function, a service, a person - needs that much. */
#define PW_PAYLOAD_WHOLE_MAX ((uint64_t)256 << 20)

typedef struct pw_payload {
    pw_str digest; /* its name */
    pw_str text;
} pw_payload;

typedef struct pw_payload_list {
    pw_payload *items;
    size_t count, size;
} pw_payload_list;

/* The values that were put out before, by their bodies in memory. Never changes once it was given
 * out; NULL: none. It holds for as long as these bodies do (payload.c says why that is enough). */
typedef struct pw_known pw_known;

/* ---- writing */

/* One text, or several that share what they know. */
typedef struct pw_putting {
    pw_arena *arena;       /* for payloads and what is known; never with a guard set */
    const pw_known *known; /* from before; then with what was added */
    pw_known *own;         /* the newest part of it, if it was made here */
    pw_payload_list *list; /* where new payloads go */
    uint32_t depth;        /* a value inside of fewer containers stays in its place */
    uint64_t whole;        /* bytes that the text refers to, and what these refer to */
    bool differs;          /* out: the text is not the plain one of the value */
} pw_putting;

/* As pw_json_write, compact. Failure: the buffer's; `whole` is then above its limit, or memory has
 * run out. */
void pw_payload_write(pw_buf *buf, pw_value v, pw_putting *put);
/* What is known now, to be kept with the values that were written. */
const pw_known *pw_putting_end(pw_putting *put);

/* ---- reading */

/* Where the payloads of an instance are read from. `get` gives the text with that name, in `arena`;
 * PAWL_NOT_FOUND: there is none. */
typedef struct pw_payload_source {
    pawl_code (*get)(void *context, pw_str instance, pw_str digest, pw_str *out, pw_arena *arena,
                     pawl_error *err);
    void *context;
    pw_str instance;
} pw_payload_source;

/* True if a text may have something to resolve; one that was not written by pw_payload_write, too. */
bool pw_payload_refers(pw_str text);
/* Puts the values in the place of their references, each read once and shared, and takes one `$`
 * from the keys that have one more. *v was just parsed, and nobody has seen a part of it: it is
 * changed in place. *known (NULL: not wanted) then has them all. PAWL_CORRUPT: a payload is not
 * there, or not what its name says; they are too deep or too large together; or `source` is NULL
 * and there is a reference. */
PAWL_CHECK pawl_code pw_payload_resolve(pw_value *v, const pw_payload_source *source,
                                        const pw_known **known, pw_arena *arena, pawl_error *err);

/* ---- copying: what is known stays one in the copies, and known by them */

typedef struct pw_copying {
    const pw_known *from;
    pw_value *copies; /* of the bodies in `from`, by their places; on the heap */
    pw_putting to;
} pw_copying;

PAWL_CHECK pawl_code pw_copying_init(pw_copying *copying, const pw_known *known, pw_arena *arena,
                                     pawl_error *err);
pw_value pw_copying_copy(pw_copying *copying, pw_value v); /* as pw_copy */
const pw_known *pw_copying_done(pw_copying *copying);
#endif
