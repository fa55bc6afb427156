/* value_internal.h - what the files about values share. */
#ifndef PW_VALUE_INTERNAL_H
#define PW_VALUE_INTERNAL_H

#include "base/json.h"
#include "base/value.h"

enum { PW_OBJECT_SMALL = 8 }; /* up to here a linear search is as fast as any index */

/* `order` lists the positions of the first `total` members in two runs, each sorted by key: `first`
 * of them, then those added since, few. Only an object that grows (value.c) has a second run, or
 * more members than a value of it counts: readers skip positions that are not below the count. */
struct pw_object {
    uint32_t *order; /* NULL: a small object, without index */
    uint32_t total;
    uint32_t first : 31;
    uint32_t grows : 1; /* a pw_growth lies before it */
    pw_member members[];
};

/* An object in the making: room for `count` members, to be filled in order. NULL: out of memory. */
pw_object *pw_object_room(pw_arena *arena, size_t count);
/* Drops members without a value, resolves equal keys, builds the index. */
pw_value pw_object_finish(pw_arena *arena, pw_object *object, size_t count);
/* Gives `to`, made with room for as many members as `from` has, an index of its own. */
void pw_object_copy_index(pw_object *to, pw_value from);

/* Goes through an object's members by key. */
typedef struct pw_cursor {
    uint32_t first, second;         /* done of the two runs */
    uint8_t small[PW_OBJECT_SMALL]; /* the order where there is no index */
} pw_cursor;
void pw_cursor_start(pw_cursor *cursor, pw_value object);
const pw_member *pw_cursor_next(pw_cursor *cursor, pw_value object); /* at most .count times */

/* ---- the stack of a walk through nested data: on the caller's stack while it is shallow, then on
 * the heap */
typedef struct pw_stack {
    char *frames;
    size_t depth, size, frame_size;
    bool on_heap;
} pw_stack;

#define PW_STACK_OF(local) pw_stack_init((local), sizeof(local), sizeof((local)[0]))
static inline pw_stack pw_stack_init(void *local, size_t bytes, size_t frame_size)
{
    return (pw_stack){ .frames = local, .size = bytes / frame_size, .frame_size = frame_size };
}
void *pw_stack_push(pw_stack *stack); /* not zeroed; moves the frames below. NULL: out of memory */
static inline void *pw_stack_top(pw_stack *stack) /* NULL: empty */
{
    return stack->depth ? stack->frames + (stack->depth - 1) * stack->frame_size : NULL;
}
void pw_stack_done(pw_stack *stack);

/* ---- numbers; a number's value is the decimal that it is written as */
int pw_number_compare(pw_value a, pw_value b);
/* As JSON: the literal, or made in `room`. */
pw_str pw_number_text(char room[PW_REAL_SIZE], pw_value number);
void pw_number_write_canonical(pw_buf *buf, pw_value number);
/* Bytes of the JSON number that `text` begins with, 0: none. *is_integer: no fraction or exponent.
 */
size_t pw_number_scan(pw_str text, bool *is_integer);
/* `text` is a number as scanned; a literal borrows it. */
pw_value pw_number_from(pw_str text, bool is_integer);
#endif
