/* bulk.h - one action on many incidents, kept in the store: see bulk.c and bulk_work.c.
 *
 * A thread of its own ("pawl-bulk") sleeps until an operation is started or let go on, or until the lease of another node may
 * be over. */
#ifndef PW_BULK_H
#define PW_BULK_H

#include "engine/sync.h"
#include "store/store.h"
#include "watch/service.h"

/* ---- bulk.c: what is wanted */

typedef struct pw_bulk_plan {
    pawl_change action;
    const char *reason, *input, *output, *task; /* NULL: none */
    bool confirmed;
    pw_incident_filter filter; /* after and limit are of who asks */
    bool none;                 /* no incident fits */
} pw_bulk_plan;

/* Of the row's request; everything lives as long as `request` and `arena`. PAWL_INVALID: it is none. */
PAWL_CHECK pawl_code pw_bulk_plan_read(pw_bulk_plan *out, pw_str request, pw_arena *arena, pawl_error *err);

/* ---- bulk_work.c: the thread's work */

typedef struct pw_bulks pw_bulks;

typedef struct pw_bulks_options {
    pw_store *store;
    pw_str node;       /* who we are; lives as long as the object */
    bool alone;        /* nobody else can be at work while we have the store */
    uint64_t lease_ms; /* a node that has written nothing for so long has lost its operation; 0: 30000 */
    uint32_t page;     /* so many incidents between two writes of the row; 0: 100 */
    uint32_t side_by_side; /* so many of them at once, at most 16; 0: 8 */
    /* Who carries out, the clock, who is told that the store has failed, and whether there is something to do. */
    void *context;
    pawl_code (*act)(void *context, const pawl_act_options *options, const pawl_request *request, pawl_error *err);
    int64_t (*now_ms)(void *context);
    void (*on_failure)(void *context, const pawl_error *err);
    pw_service *service; /* is told of each round, pages being its items; NULL: nobody */
    void (*busy)(void *context, bool more);
    void (*trouble)(void *context, pw_str id, const pawl_error *err); /* why it does not go on; code PAWL_OK: it does */
} pw_bulks_options;

PAWL_CHECK pawl_code pw_bulks_new(pw_bulks **out, const pw_bulks_options *options, pawl_error *err);
void pw_bulks_wake(pw_bulks *bulks); /* one was started, or the clock has moved. Any thread */
void pw_bulks_stop(pw_bulks *bulks); /* before the commands that are under way are given up */
void pw_bulks_free(pw_bulks *bulks); /* NULL is fine */
/* One round: a page of each operation that is ours; true: something was done. `wait`: until there is something; false: it was
 * stopped. */
bool pw_bulks_work(pw_bulks *bulks, bool wait);

#endif
