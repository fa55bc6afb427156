/* value.h - the one JSON value of the program: immutable, in arenas, cheap to copy and share.
 *
 * A value is 16 bytes, passed by value; what it points to lives in the arena it was made in.
 * Values of one arena may point into another that lives longer. Nothing here changes a value
 * that exists. Where memory runs out (and no guard is set) a function gives PW_NONE.
 * A number keeps its literal text until arithmetic touches it: 1.50 is written back as 1.50 and
 * 12345678901234567890 unchanged.
 * Nothing here recurses in C by the depth of data: depth costs heap, up to PW_JSON_DEPTH_MAX. */
#ifndef PW_VALUE_H
#define PW_VALUE_H

#include "base/arena.h"

#define PW_JSON_DEPTH_MAX 10000   /* as in jq; a document nested deeper is refused */

typedef enum pw_type { /* in jq's sort order */
    PW_NONE = 0, /* no value: not JSON */
    PW_NULL,
    PW_FALSE,
    PW_TRUE,
    PW_NUMBER,
    PW_STRING,
    PW_ARRAY,
    PW_OBJECT,
} pw_type;

typedef enum pw_number_form {
    PW_FORM_INT,     /* as.integer */
    PW_FORM_REAL,    /* as.real: finite; arithmetic's result */
    PW_FORM_LITERAL, /* as.text, count bytes: a JSON number that the two would write differently */
} pw_number_form;

typedef struct pw_value pw_value;
typedef struct pw_member pw_member;
typedef struct pw_object pw_object; /* opaque: members in insertion order, found by key */

struct pw_value {
    uint8_t type;  /* pw_type */
    uint8_t form;  /* numbers: pw_number_form */
    uint16_t reserved;
    uint32_t count; /* bytes of a string or literal, items of an array, members of an object */
    union {
        int64_t integer;
        double real;
        const char *text;
        const pw_value *items;
        const pw_object *object;
    } as;
};
static_assert(sizeof(pw_value) == 16, "passed in registers");

struct pw_member {
    pw_str key;
    pw_value value;
};

/* ---- making */
static inline pw_value pw_null(void) { return (pw_value){ .type = PW_NULL }; }
static inline pw_value pw_bool(bool b) { return (pw_value){ .type = b ? PW_TRUE : PW_FALSE }; }
static inline pw_value pw_int(int64_t i)
{
    return (pw_value){ .type = PW_NUMBER, .form = PW_FORM_INT, .as.integer = i };
}
/* text must be a JSON number as a whole, else PW_NONE; copies it where it is needed. */
pw_value pw_number_of(pw_arena *arena, pw_str text);
pw_value pw_real(double d); /* integral values below 2^53 become PW_FORM_INT; NaN: null; infinities: the largest double */
pw_value pw_string(pw_arena *arena, pw_str s);            /* copies */
pw_value pw_string_ref(pw_str s);                         /* borrows */
pw_value pw_array(pw_arena *arena, const pw_value *items, size_t count); /* copies the items */
pw_value pw_array_ref(const pw_value *items, size_t count);              /* borrows them */
pw_value pw_object_of(pw_arena *arena, const pw_member *members, size_t count); /* a later equal key wins, at the first one's place */
/* Fixed objects: pw_object_of(arena, (pw_member[]){{PW_LIT("a"), pw_int(1)}, ...}, 2). Keys are
 * borrowed. Members whose value is PW_NONE are left out, here and by the builder. */

/* Arrays and objects of unknown size. Zero-initialise with the arena; the finished value owns
 * what the builder collected. */
typedef struct pw_array_builder {
    pw_arena *arena;
    pw_value *items;
    size_t count, size;
} pw_array_builder;
void pw_array_add(pw_array_builder *builder, pw_value item); /* PW_NONE: the whole is PW_NONE */
pw_value pw_array_end(pw_array_builder *builder);

typedef struct pw_object_builder {
    pw_arena *arena;
    pw_member *members;
    size_t count, size;
} pw_object_builder;
void pw_object_add(pw_object_builder *builder, pw_str key, pw_value value); /* key is borrowed */
pw_value pw_object_end(pw_object_builder *builder);

/* ---- reading */
static inline bool pw_is(pw_value v, pw_type type) { return v.type == (uint8_t)type; }
static inline bool pw_truthy(pw_value v) { return v.type != PW_NULL && v.type != PW_FALSE && v.type != PW_NONE; }
const char *pw_type_name(pw_value v); /* jq's: "null" "boolean" "number" "string" "array" "object" */
static inline pw_str pw_text(pw_value v) /* of a string; else empty */
{
    return v.type == PW_STRING ? (pw_str){ v.as.text, v.count } : (pw_str){ "", 0 };
}
pw_value pw_item(pw_value array, size_t at);              /* out of range or no array: PW_NONE */
pw_value pw_get(pw_value object, pw_str key);             /* absent or no object: PW_NONE */
pw_value pw_get_lit(pw_value object, const char *key);
const pw_member *pw_find(pw_value object, pw_str key);    /* of pw_members(); NULL: absent or no object */
pw_str pw_get_text(pw_value object, const char *key);     /* absent or no string: empty */
const pw_member *pw_members(pw_value object);             /* .count of them, in insertion order */
/* Members in the order of their keys by code point; in `arena`. */
const pw_member **pw_members_sorted(pw_value object, pw_arena *arena);
double pw_number(pw_value v);                             /* of a number, nearest double; else 0 */
bool pw_integer(pw_value v, int64_t *out);                /* exact; false: no number, a fraction, or too large */

/* ---- changing: a new value that shares the rest */
/* A new key is copied and goes to the end; a known one keeps its place. What is no object counts as
 * an empty one; a value PW_NONE changes nothing. */
pw_value pw_with(pw_arena *arena, pw_value object, pw_str key, pw_value value);
pw_value pw_without(pw_arena *arena, pw_value object, pw_str key);
pw_value pw_copy(pw_arena *arena, pw_value v);            /* deep: shares nothing */

/* ---- growing: pw_with, for who adds key after key
 * Takes time and memory for what is added, not for what is there, as long as each call has the
 * value that the last one gave and the same owner; any other value is copied, as by pw_with. No
 * value changes. The key is borrowed. A value leaves the thread, and `arena` is rewound to a mark
 * taken since, only once the owner is given up for good (value.c says why). *touched grows by the
 * bytes written, which depend on nothing but the calls. */
uint64_t pw_owner_new(void); /* never 0, never the same again in this process */
pw_value pw_with_growing(pw_arena *arena, uint64_t owner, pw_value object, pw_str key,
                         pw_value value, size_t *touched);
/* Changes the value of a known key in place; false: there is no such key. Only for who made the
 * object and all that shares its members, and has shown none of them to anybody. */
bool pw_replace_alone(pw_value object, pw_str key, pw_value value);

/* ---- comparing: a total order, jq's. Numbers of any form compare exactly by value: 1, 1.0 and
 * 1e0 are equal, and literals beyond 2^53 that differ are different. The value of a number is the
 * decimal that it is written as: a computed 0.1 equals the literal 0.1, before and after it was
 * stored. Objects: first their sorted key lists, then the values in that order. An order cannot
 * fail: where values deeper than 32 levels find no memory for their comparison, the process stops. */
int pw_compare(pw_value a, pw_value b);
bool pw_equal(pw_value a, pw_value b);

/* ---- bytes that the value takes in memory, itself not counted; not deeper than needed to see that
 * it is above `enough`; SIZE_MAX when there is no memory to tell */
size_t pw_footprint(pw_value v, size_t enough);
/* Levels of arrays and objects: 0: neither; not more than needed to see that it is above `enough`; SIZE_MAX when there is no
 * memory to tell */
size_t pw_depth(pw_value v, size_t enough);
#endif
