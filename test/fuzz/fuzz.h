/* fuzz.h - what the fuzzing targets share. A target is one LLVMFuzzerTestOneInput, which libFuzzer
 * calls with whatever it makes up, and replay.c with the files of the target's corpus. What must
 * hold is a FUZZ_CHECK: it stops the process, as a sanitizer's finding does. */
#ifndef PW_FUZZ_H
#define PW_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include "base/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Keeps payloads, as a store does. */
static inline void fuzz_keep(pw_payload_list *kept, const pw_payload *payloads, size_t count,
                             pw_arena *arena)
{
    pw_payload *items = pw_arena_alloc(arena, (kept->count + count + 1) * sizeof *items);
    FUZZ_CHECK(items != NULL);
    if (kept->count)
        memcpy(items, kept->items, kept->count * sizeof *items);
    if (count)
        memcpy(items + kept->count, payloads, count * sizeof *items);
    *kept = (pw_payload_list){ .items = items, .count = kept->count + count };
}

static inline pawl_code fuzz_get(void *context, pw_str instance, pw_str digest, pw_str *out,
                                 pw_arena *arena, pawl_error *err)
{
    (void)instance;
    (void)arena;
    const pw_payload_list *kept = context;
    for (size_t i = 0; i < kept->count; i++)
        if (pw_str_eq(kept->items[i].digest, digest)) {
            *out = kept->items[i].text;
            return PAWL_OK;
        }
    return pw_fail(err, PAWL_NOT_FOUND, "no such payload");
}

static inline pw_payload_source fuzz_payloads(pw_payload_list *kept)
{
    return (pw_payload_source){ .get = fuzz_get, .context = kept, .instance = PW_LIT("i1") };
}

static inline pw_str fuzz_text(const uint8_t *data, size_t size)
{
    return (pw_str){ size ? (const char *)data : "", size };
}
#endif
