/* arena.h - memory that is freed all at once.
 *
 * One thread uses an arena at a time. A failed allocation returns NULL, sets `failed`, and, while
 * a guard is set, jumps there instead of returning: code whose memory is all in arenas then needs
 * no check after each call.
 *
 *     jmp_buf guard;
 *     if (setjmp(guard)) { pw_arena_guard(arena, NULL); return pw_no_memory(err); }
 *     pw_arena_guard(arena, &guard);
 *     ... pw_arena_alloc() never returns NULL here ...
 *     pw_arena_guard(arena, NULL);                                                            */
#ifndef PW_ARENA_H
#define PW_ARENA_H

#include <setjmp.h>
#include "base/base.h"

typedef struct pw_arena_chunk pw_arena_chunk;

typedef struct pw_arena {
    pw_arena_chunk *chunks;  /* newest first */
    pw_arena_chunk *spare;   /* empty, for the next that is needed */
    size_t used;             /* bytes handed out since init or reset, padding included */
    size_t limit;            /* most bytes that may be handed out; 0: no limit */
    size_t first;            /* bytes of the first chunk, for who has very many small arenas; 0: 4096 */
    bool failed;             /* sticky: out of memory or over the limit */
    bool over_limit;         /* ... it was the limit */
    jmp_buf *guard;
} pw_arena;

typedef struct pw_arena_mark {
    pw_arena_chunk *chunk;
    size_t chunk_used, used;
    bool failed, over_limit;
} pw_arena_mark;

void pw_arena_init(pw_arena *arena, size_t limit);
void pw_arena_done(pw_arena *arena);
void pw_arena_reset(pw_arena *arena);            /* keeps one chunk for the next use */
jmp_buf *pw_arena_guard(pw_arena *arena, jmp_buf *guard); /* returns the guard before */
/* What a failed allocation does: sets `failed`, jumps to the guard or returns NULL. */
void *pw_arena_fail(pw_arena *arena, bool over_limit);
void *pw_arena_alloc(pw_arena *arena, size_t size);       /* 16-byte aligned, not zeroed */
void *pw_arena_zalloc(pw_arena *arena, size_t size);
/* count * size, checked for overflow; zeroed */
void *pw_arena_array(pw_arena *arena, size_t count, size_t size);
/* Grows what may be the newest allocation in place, else copies. A smaller size gives back the rest
 * where it can. */
void *pw_arena_grow(pw_arena *arena, void *old, size_t old_size, size_t new_size);
pw_str pw_arena_str(pw_arena *arena, pw_str s);           /* a copy, NUL-terminated */
pw_str pw_arena_printf(pw_arena *arena, const char *format, ...) PW_PRINTF(2, 3);
pw_arena_mark pw_arena_at(const pw_arena *arena);
/* Frees all that came after the mark; `failed` is again what it was then. */
void pw_arena_rewind(pw_arena *arena, pw_arena_mark mark);

#define PW_NEW(arena, type) ((type *)pw_arena_zalloc(arena, sizeof(type)))
#define PW_NEW_ARRAY(arena, type, count) ((type *)pw_arena_array(arena, count, sizeof(type)))
#endif
