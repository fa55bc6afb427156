/* conformance.h - one test, two stores. */
#ifndef STORE_CONFORMANCE_H
#define STORE_CONFORMANCE_H

#include "fixture.h"

#define STORE_TEST(sentence)                                                                       \
    static void sentence(fixture *f);                                                              \
    TEST(memory, sentence)                                                                         \
    {                                                                                              \
        static fixture in_memory;                                                                  \
        fixture_open(&in_memory, false);                                                           \
        sentence(&in_memory);                                                                      \
        fixture_done(&in_memory);                                                                  \
    }                                                                                              \
    TEST(sqlite, sentence)                                                                         \
    {                                                                                              \
        static fixture on_disk;                                                                    \
        fixture_open(&on_disk, true);                                                              \
        sentence(&on_disk);                                                                        \
        fixture_done(&on_disk);                                                                    \
    }                                                                                              \
    static void sentence(fixture *f)
#endif
