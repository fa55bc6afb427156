/* drivers.c - what the drivers of this room share. See drivers_internal.h. */
#include <time.h>
#include "drivers/drivers_internal.h"
#include "base/digest.h"

pw_visit_entry **pw_visit_buckets(pw_visit_set *set, size_t *count)
{
    *count = set->many ? set->many_count : PW_VISIT_BUCKETS;
    return set->many ? set->many : set->few;
}

static pw_visit_entry **bucket_of(pw_visit_set *set, pw_str instance, uint64_t visit)
{
    size_t count;
    pw_visit_entry **buckets = pw_visit_buckets(set, &count);
    return &buckets[pw_hash64(visit, instance.ptr, instance.len) % count];
}

/* Without memory for it the chains get longer, and nothing else. */
static void grow(pw_visit_set *set)
{
    size_t count;
    pw_visit_entry **old = pw_visit_buckets(set, &count);
    pw_visit_entry **many = pw_zalloc(count * 4 * sizeof *many);
    if (!many)
        return;
    for (size_t i = 0; i < count; i++)
        for (pw_visit_entry *entry = old[i], *next; entry; entry = next) {
            next = entry->next;
            pw_visit_entry **bucket =
                &many[pw_hash64(entry->visit, entry->instance.ptr, entry->instance.len) % (count * 4)];
            entry->next = *bucket;
            *bucket = entry;
        }
    pw_free(set->many);
    memset(set->few, 0, sizeof set->few);
    set->many = many;
    set->many_count = count * 4;
}

void pw_visit_done(pw_visit_set *set)
{
    PW_ASSERT(set->count == 0);
    pw_free(set->many);
    *set = (pw_visit_set){ 0 };
}

void pw_visit_add(pw_visit_set *set, pw_visit_entry *entry, pw_str instance, uint64_t visit)
{
    if (set->count >= 2 * (set->many ? set->many_count : PW_VISIT_BUCKETS))
        grow(set);
    entry->instance = instance;
    entry->visit = visit;
    pw_visit_entry **bucket = bucket_of(set, instance, visit);
    entry->next = *bucket;
    *bucket = entry;
    set->count++;
}

void pw_visit_remove(pw_visit_set *set, pw_visit_entry *entry)
{
    pw_visit_entry **at = bucket_of(set, entry->instance, entry->visit);
    while (*at != entry) {
        PW_ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    *at = entry->next;
    entry->next = NULL;
    set->count--;
}

pw_visit_entry *pw_visit_find(pw_visit_set *set, const pw_visit_entry *after, pw_str instance,
                              uint64_t visit)
{
    pw_visit_entry *entry = after ? after->next : *bucket_of(set, instance, visit);
    while (entry && (entry->visit != visit || !pw_str_eq(entry->instance, instance)))
        entry = entry->next;
    return entry;
}

uint64_t pw_drivers_now_ms(void)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    PW_ASSERT(failed == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void pw_drivers_no_signals(sigset_t *set)
{
    static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
    (void)sigfillset(set);
    for (size_t i = 0; i < PW_LENGTH(own); i++)
        (void)sigdelset(set, own[i]);
}

pw_str pw_drivers_utf8(pw_arena *arena, pw_str text)
{
    if (text.len == 0)
        return PW_LIT("");
    if (pw_utf8_valid(text))
        return text;
    if (text.len > SIZE_MAX / 2)
        return (pw_str){ NULL, 0 };
    char *out = pw_arena_alloc(arena, text.len * 2);
    if (!out)
        return (pw_str){ NULL, 0 };
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (byte < 0x80) {
            out[len++] = (char)byte;
        } else {
            out[len++] = (char)(0xC0 | (byte >> 6));
            out[len++] = (char)(0x80 | (byte & 0x3F));
        }
    }
    return (pw_str){ out, len };
}
