/* arena.c - a chain of chunks, newest first; an allocation moves a mark within the newest.
 *
 * Chunks double up to 1 MiB. One spare chunk is kept over a rewind, so that a loop that crosses the
 * end of a chunk again and again does not go to the heap each time. Under AddressSanitizer bytes
 * that are not handed out are poisoned: a use after a rewind is found like a use after free. */
#include <stdalign.h>
#include <stdio.h>

#include "base/arena.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#define POISON(start, size) ASAN_POISON_MEMORY_REGION(start, size)
#define UNPOISON(start, size) ASAN_UNPOISON_MEMORY_REGION(start, size)
#else
#define POISON(start, size) ((void)(start), (void)(size))
#define UNPOISON(start, size) ((void)(start), (void)(size))
#endif

enum { ALIGNMENT = 16, FIRST_CHUNK = 4096, LARGEST_CHUNK = 1 << 20 };

struct pw_arena_chunk {
    pw_arena_chunk *older;
    size_t size, used; /* of data */
    alignas(ALIGNMENT) char data[];
};

static size_t rounded(size_t size)
{
    return ((size ? size : 1) + (ALIGNMENT - 1)) & ~(size_t)(ALIGNMENT - 1);
}

static void chunk_free(pw_arena_chunk *chunk)
{
    if (!chunk)
        return;
    UNPOISON(chunk->data, chunk->size);
    pw_free(chunk);
}

/* Empties a chunk from `used` on. */
static void chunk_cut(pw_arena_chunk *chunk, size_t used)
{
    chunk->used = used;
    POISON(chunk->data + used, chunk->size - used);
}

void pw_arena_init(pw_arena *arena, size_t limit)
{
    *arena = (pw_arena){ .limit = limit };
}

void pw_arena_done(pw_arena *arena)
{
    for (pw_arena_chunk *chunk = arena->chunks, *older = NULL; chunk; chunk = older) {
        older = chunk->older;
        chunk_free(chunk);
    }
    chunk_free(arena->spare);
    *arena = (pw_arena){ .limit = arena->limit, .first = arena->first };
}

/* Keeps the larger of the chunk and the spare one, frees the other. */
static void keep_spare(pw_arena *arena, pw_arena_chunk *chunk)
{
    bool better = !arena->spare || arena->spare->size < chunk->size;
    if (chunk->size > LARGEST_CHUNK || !better) {
        chunk_free(chunk);
        return;
    }
    chunk_free(arena->spare);
    chunk_cut(chunk, 0);
    arena->spare = chunk;
}

void pw_arena_rewind(pw_arena *arena, pw_arena_mark mark)
{
    while (arena->chunks != mark.chunk) {
        pw_arena_chunk *chunk = arena->chunks;
        PW_ASSERT(chunk != NULL); /* else the mark is of another arena, or was rewound before */
        arena->chunks = chunk->older;
        keep_spare(arena, chunk);
    }
    if (arena->chunks) {
        PW_ASSERT(mark.chunk_used <= arena->chunks->used);
        chunk_cut(arena->chunks, mark.chunk_used);
    }
    arena->used = mark.used;
    arena->failed = mark.failed;
    arena->over_limit = mark.over_limit;
}

void pw_arena_reset(pw_arena *arena)
{
    pw_arena_rewind(arena, (pw_arena_mark){ .chunk = NULL });
}

pw_arena_mark pw_arena_at(const pw_arena *arena)
{
    return (pw_arena_mark){ .chunk = arena->chunks,
                            .chunk_used = arena->chunks ? arena->chunks->used : 0,
                            .used = arena->used,
                            .failed = arena->failed,
                            .over_limit = arena->over_limit };
}

jmp_buf *pw_arena_guard(pw_arena *arena, jmp_buf *guard)
{
    jmp_buf *before = arena->guard;
    arena->guard = guard;
    return before;
}

void *pw_arena_fail(pw_arena *arena, bool over_limit)
{
    arena->failed = true;
    arena->over_limit = arena->over_limit || over_limit;
    if (arena->guard)
        longjmp(*arena->guard, 1);
    return NULL;
}

static bool within_limit(const pw_arena *arena, size_t more)
{
    return arena->limit == 0 || (arena->used <= arena->limit && more <= arena->limit - arena->used);
}

/* Puts a chunk with room for `size` bytes in front. */
static bool add_chunk(pw_arena *arena, size_t size)
{
    pw_arena_chunk *chunk = arena->spare;
    if (chunk && chunk->size >= size) {
        arena->spare = NULL;
    } else {
        size_t wanted = arena->chunks ? arena->chunks->size * 2 : arena->first ? arena->first : FIRST_CHUNK;
        wanted = wanted > LARGEST_CHUNK ? LARGEST_CHUNK : wanted;
        wanted = wanted < size ? size : wanted;
        if (wanted > SIZE_MAX - sizeof *chunk)
            return false;
        chunk = pw_alloc(sizeof *chunk + wanted);
        if (!chunk)
            return false;
        chunk->size = wanted;
        chunk_cut(chunk, 0);
    }
    chunk->older = arena->chunks;
    arena->chunks = chunk;
    return true;
}

void *pw_arena_alloc(pw_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return pw_arena_fail(arena, false);
    size_t bytes = rounded(size);
    if (!within_limit(arena, bytes))
        return pw_arena_fail(arena, true);
    pw_arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < bytes) {
        if (!add_chunk(arena, bytes))
            return pw_arena_fail(arena, false);
        chunk = arena->chunks;
    }
    char *memory = chunk->data + chunk->used;
    UNPOISON(memory, size);
    chunk->used += bytes;
    arena->used += bytes;
    return memory;
}

void *pw_arena_zalloc(pw_arena *arena, size_t size)
{
    void *memory = pw_arena_alloc(arena, size);
    if (memory)
        memset(memory, 0, size);
    return memory;
}

void *pw_arena_array(pw_arena *arena, size_t count, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes))
        return pw_arena_fail(arena, false);
    return pw_arena_zalloc(arena, bytes);
}

void *pw_arena_grow(pw_arena *arena, void *old, size_t old_size, size_t new_size)
{
    if (!old)
        return pw_arena_alloc(arena, new_size);
    if (new_size > SIZE_MAX / 2)
        return pw_arena_fail(arena, false);
    pw_arena_chunk *chunk = arena->chunks;
    size_t before = rounded(old_size), after = rounded(new_size);
    bool newest = chunk && (char *)old + before == chunk->data + chunk->used;
    if (newest && after <= before) { /* gives the rest back */
        chunk_cut(chunk, chunk->used - (before - after));
        arena->used -= before - after;
        UNPOISON(old, new_size);
        return old;
    }
    if (new_size <= old_size)
        return old;
    if (newest && chunk->size - chunk->used >= after - before) {
        if (!within_limit(arena, after - before))
            return pw_arena_fail(arena, true);
        chunk->used += after - before;
        arena->used += after - before;
        UNPOISON(old, new_size);
        return old;
    }
    void *memory = pw_arena_alloc(arena, new_size);
    if (memory)
        memcpy(memory, old, old_size);
    return memory;
}

pw_str pw_arena_str(pw_arena *arena, pw_str s)
{
    char *copy = s.len < SIZE_MAX ? pw_arena_alloc(arena, s.len + 1) : NULL;
    if (!copy)
        return (pw_str){ NULL, 0 };
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return (pw_str){ copy, s.len };
}

pw_str pw_arena_printf(pw_arena *arena, const char *format, ...)
{
    char text[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pw_str result = { NULL, 0 };
    if (len < 0) {
        (void)pw_arena_fail(arena, false);
    } else if ((size_t)len < sizeof text) {
        result = pw_arena_str(arena, (pw_str){ text, (size_t)len });
    } else {
        char *memory = pw_arena_alloc(arena, (size_t)len + 1);
        if (memory) {
            (void)vsnprintf(memory, (size_t)len + 1, format, again);
            result = (pw_str){ memory, (size_t)len };
        }
    }
    va_end(again);
    return result;
}
