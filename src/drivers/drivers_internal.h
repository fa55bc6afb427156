/* drivers_internal.h - what the drivers of this room share: started work found by (instance,
 * visit), a clock for deadlines, text from outside made into UTF-8. */
#ifndef PW_DRIVERS_INTERNAL_H
#define PW_DRIVERS_INTERNAL_H

#include <pthread.h>
#include <signal.h>
#include "base/base.h"
#include "base/arena.h"

/* ---- started work, found by (instance, visit). Intrusive, so that adding cannot fail. The lock is
 * the driver's. */

typedef struct pw_visit_entry {
    struct pw_visit_entry *next;
    pw_str instance; /* borrowed for as long as it is in the set */
    uint64_t visit;
} pw_visit_entry;

#define PW_VISIT_BUCKETS 1024 /* started work is some hundreds; with a service out of order, many more */

typedef struct pw_visit_set { /* all zero: empty */
    pw_visit_entry *few[PW_VISIT_BUCKETS];
    pw_visit_entry **many; /* NULL: `few` are the buckets */
    size_t many_count;
    uint32_t count;
} pw_visit_set;

void pw_visit_done(pw_visit_set *set); /* it is empty */
pw_visit_entry **pw_visit_buckets(pw_visit_set *set, size_t *count);
void pw_visit_add(pw_visit_set *set, pw_visit_entry *entry, pw_str instance, uint64_t visit);
void pw_visit_remove(pw_visit_set *set, pw_visit_entry *entry); /* it must be there */
/* The next entry of (instance, visit) behind `after` (NULL: the first), or NULL. There can be more
 * than one: the next attempt may start before the last one's end was heard of. */
pw_visit_entry *pw_visit_find(pw_visit_set *set, const pw_visit_entry *after, pw_str instance,
                              uint64_t visit);

/* ---- threads */

uint64_t pw_drivers_now_ms(void); /* monotonic */
/* Every signal but those that a thread causes itself: a driver's thread handles none. (libcurl with
 * CURLOPT_NOSIGNAL leaves SIGPIPE to its caller: blocked here, it is only an error of write().) */
void pw_drivers_no_signals(sigset_t *set);

/* ---- text */

/* Valid UTF-8: `text` itself, or its bytes read as ISO 8859-1; ptr NULL: out of memory. */
pw_str pw_drivers_utf8(pw_arena *arena, pw_str text);
#endif
