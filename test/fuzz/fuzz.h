/* fuzz.h - what the fuzzing targets share. A target is one LLVMFuzzerTestOneInput, which libFuzzer
 * calls with whatever it makes up, and replay.c with the files of the target's corpus. What must
 * hold is a FUZZ_CHECK: it stops the process, as a sanitizer's finding does. */
#ifndef PW_FUZZ_H
#define PW_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline pw_str fuzz_text(const uint8_t *data, size_t size)
{
    return (pw_str){ size ? (const char *)data : "", size };
}
#endif
