/* audit.c - what must never be, in the memory store. It is small, so each pass goes through all rows, and then puts those that
 * it came to in order. What audit.sql asks of rows is asked here of lists, in the same order of passes. */
#include <stdlib.h>

#include "store/memory/reading.h"

typedef struct pass {
    const pw_memory *m;
    const pw_audit_look *look;
    rows seen;
} pass;

static const pw_mem_shape seen_shape =
    SHAPE(pw_audit_seen, IN(pw_audit_seen, row.instance), IN(pw_audit_seen, row.how), IN(pw_audit_seen, row.what),
          IN(pw_audit_seen, place.b), IN(pw_audit_seen, place.d));

static void see(pass *p, const pw_audit_row *row, const char *how, const pw_audit_place *place)
{
    pw_audit_seen seen = { *row, *place };
    seen.row.how = pw_str_of(how ? how : "");
    if (pw_audit_place_cmp(place, &p->look->behind, &p->look->pass) > 0)
        (void)add(&p->seen, &seen);
}

#define ORDER(name, which)                                                        \
    static int name(const void *a, const void *b)                                 \
    {                                                                             \
        const pw_audit_seen *x = a, *y = b;                                       \
        return pw_audit_place_cmp(&x->place, &y->place, &(pw_audit_pass){ which, PW_PENDING }); \
    }
ORDER(by_place, PW_PASS_ASLEEP)
ORDER(by_sink, PW_PASS_EVENT)
ORDER(by_instance, PW_PASS_DELIVERY)

/* ---- what is asked of rows */

static bool over(const pw_mem_instance *in)
{
    return pw_status_ended(pw_mem_row_of(in)->status) && !pw_mem_fault_is_open(in);
}

static bool has_inbox(const pw_memory *m, pw_str target)
{
    bool has = false;
    for (size_t i = 0; i < m->inbox.count && !has; i++) {
        const pw_inbox_row *row = m->inbox.items[i];
        has = row->consumed_step == 0 && pw_str_eq(row->target, target);
    }
    return has;
}

static bool was_told_to_stop(const pw_memory *m, pw_str target)
{
    const pw_inbox_row key = { .target = target, .key = PW_LIT("stop-by-parent") };
    bool found = false;
    (void)pw_mem_find(&m->inbox, pw_mem_compare_inbox, &key, &found);
    return found;
}

static bool has_subscription(const pw_mem_instance *in, uint64_t visit)
{
    bool has = false;
    for (size_t i = 0; i < in->subscriptions.count && !has; i++)
        has = ((const pw_subscription_row *)in->subscriptions.items[i])->subscription.visit == visit;
    return has;
}

static bool child_goes_on(const pw_memory *m, pw_str instance, pw_str child)
{
    const pw_mem_instance *in = pw_mem_instance_of(m, child);
    return (in && !over(in)) || has_inbox(m, child) || has_inbox(m, instance);
}

/* Whether that bookmark, which is open, can move its instance. */
static bool moves(const pw_memory *m, const pw_mem_instance *in, const pw_bookmark *b)
{
    switch (b->kind) {
    case PW_BOOKMARK_USER:
        return true;
    case PW_BOOKMARK_MESSAGE:
        return has_subscription(in, b->visit);
    case PW_BOOKMARK_CHILD:
        return child_goes_on(m, pw_mem_row_of(in)->id, b->key);
    case PW_BOOKMARK_TIMER:
        return pw_mem_row_of(in)->wake_at != PW_WAKE_NEVER;
    }
    return false;
}

static const pw_bookmark *open_bookmark(const pw_mem_instance *in, size_t at)
{
    const pw_bookmark_row *row = in->bookmarks.items[at];
    return row->open ? &row->bookmark : NULL;
}

/* ---- passes over instances */

static const char *asleep(const pass *p, const pw_mem_instance *in)
{
    const pw_instance_row *row = pw_mem_row_of(in);
    const bool never = row->wake_at == PW_WAKE_NEVER;
    bool moved = (!never && (row->wake_at == 0 || row->status == PW_PENDING)) || row->updated_ms >= p->look->before_ms || has_inbox(p->m, row->id);
    for (size_t i = 0; i < in->bookmarks.count && !moved; i++) {
        const pw_bookmark *b = open_bookmark(in, i);
        moved = b && moves(p->m, in, b);
    }
    return moved ? NULL : never ? "nothing" : "only-time";
}

static const char *orphan(const pass *p, const pw_mem_instance *in)
{
    const pw_instance_row *row = pw_mem_row_of(in);
    if (!row->parent.len || row->updated_ms >= p->look->before_ms || was_told_to_stop(p->m, row->id))
        return NULL;
    const pw_mem_instance *parent = pw_mem_instance_of(p->m, row->parent);
    if (!parent)
        return "gone";
    for (size_t i = 0; i < parent->bookmarks.count; i++) {
        const pw_bookmark *b = open_bookmark(parent, i);
        if (b && pw_str_eq(b->key, row->id))
            return NULL;
    }
    return "not-waiting";
}

static const char *unsaid_fault(const pw_mem_instance *in)
{
    const pw_fault_row *last = in->faults.count ? in->faults.items[in->faults.count - 1] : NULL;
    bool given_up = last && !last->open && pw_str_is(last->resolution, "failed");
    return given_up || pw_mem_row_of(in)->cleaned_ms != 0 || pw_mem_fault_is_open(in) ? NULL : "none";
}

static const char *last_step(const pw_mem_instance *in)
{
    const pw_instance_row *row = pw_mem_row_of(in);
    const pw_step_row *last = in->steps.count ? in->steps.items[in->steps.count - 1] : NULL;
    return pw_status_ended(row->status) || (last && last->sequence >= row->token) ? NULL : "last";
}

static void look_at_instance(pass *p, const pw_mem_instance *in)
{
    const pw_instance_row *row = pw_mem_row_of(in);
    const bool of_status = row->status == p->look->pass.status;
    pw_audit_row found = { .instance = row->id, .number = row->token, .since_ms = row->updated_ms };
    const pw_audit_place place = { row->created_ms, row->id, 0, { "", 0 } };
    switch ((int)p->look->pass.pass) {
    case PW_PASS_ASLEEP:
        if (of_status)
            see(p, &found, asleep(p, in), &place);
        break;
    case PW_PASS_ORPHAN:
        found.what = row->parent;
        if (of_status)
            see(p, &found, orphan(p, in), &place);
        break;
    case PW_PASS_FAULTED:
        if (row->status == PW_FAULTED)
            see(p, &found, unsaid_fault(in), &place);
        break;
    case PW_PASS_LAST_STEP:
        see(p, &found, last_step(in), &(pw_audit_place){ 0, row->id, 0, { "", 0 } });
        break;
    case PW_PASS_OVERDUE:
        if (row->wake_at == PW_WAKE_NEVER || row->wake_at >= p->look->before_ms)
            break;
        found.since_ms = row->wake_at > 0 ? row->wake_at : row->updated_ms;
        see(p, &found, row->wake_at > 0 ? "late" : row->updated_ms < p->look->before_ms ? "not-driven" : NULL,
            &(pw_audit_place){ row->wake_at, row->id, 0, { "", 0 } });
        break;
    default:
        break;
    }
}

/* ---- passes over what belongs to one */

static void look_at_calls(pass *p, const pw_mem_instance *in)
{
    const pw_instance_row *row = pw_mem_row_of(in);
    const bool asleep = pw_status_ended(row->status) || row->status == PW_SUSPENDED;
    for (size_t i = 0; i < in->calls.count; i++) {
        const pw_call_row *call = in->calls.items[i];
        if (call->state != PW_CALL_PENDING)
            continue;
        const int64_t visit = (int64_t)call->intent.visit;
        const pw_audit_row found = { .instance = row->id, .number = call->intent.visit, .what = call->intent.key,
                                     .since_ms = call->created_ms };
        see(p, &found, over(in) ? "ended" : row->wake_at != 0 && !asleep ? "not-driven" : NULL,
            &(pw_audit_place){ 0, row->id, visit, call->intent.key });
    }
}

static void look_at_steps(pass *p, const pw_mem_instance *in)
{
    const pw_instance_row *row = pw_mem_row_of(in);
    uint64_t before = 0;
    for (size_t i = 0; i < in->steps.count; i++) {
        const pw_step_row *step = in->steps.items[i];
        bool gap = step->sequence != before + 1 && (i > 0 || !pw_status_ended(row->status));
        const pw_audit_row found = { .instance = row->id, .number = step->sequence, .since_ms = step->at_ms };
        see(p, &found, gap ? "before" : step->sequence > row->token ? "behind" : NULL,
            &(pw_audit_place){ 0, row->id, (int64_t)step->sequence, { "", 0 } });
        before = step->sequence;
    }
}

static int by_its_number(const void *item, const void *key)
{
    return pw_mem_by_number(((const pw_message_row *)item)->number, *(const uint64_t *)key);
}

static const char *delivery_way(const pass *p, const pw_mem_instance *in, const pw_mem_delivery *d, int64_t since_ms)
{
    const pw_instance_row *row = pw_mem_row_of(in);
    bool open = false, alone = true;
    for (size_t i = 0; i < in->bookmarks.count; i++) {
        const pw_bookmark *b = open_bookmark(in, i);
        open = open || (b && b->visit == d->visit && b->kind == PW_BOOKMARK_MESSAGE);
        alone = alone && (!b || b->kind == PW_BOOKMARK_MESSAGE);
    }
    if (since_ms >= p->look->before_ms)
        return NULL;
    if (over(in) || !open)
        return over(in) ? "ended" : "closed";
    return row->status == PW_WAITING && row->wake_at != 0 && row->updated_ms < p->look->before_ms && alone
               ? "not-taken"
               : NULL;
}

static void look_at_deliveries(pass *p, const pw_mem_instance *in)
{
    for (size_t i = 0; i < in->deliveries.count; i++) {
        const pw_mem_delivery *d = in->deliveries.items[i];
        bool found_it = false;
        size_t at = pw_mem_find(&p->m->messages, by_its_number, &d->number, &found_it);
        int64_t since = found_it ? ((const pw_message_row *)p->m->messages.items[at])->received_ms : 0;
        const pw_audit_row found = { .instance = d->instance, .number = d->number, .since_ms = since };
        see(p, &found, delivery_way(p, in, d, since),
            &(pw_audit_place){ (int64_t)d->number, d->instance, (int64_t)d->visit, { "", 0 } });
    }
}

static void look_at_bookmarks(pass *p, const pw_mem_instance *in)
{
    for (size_t i = 0; i < in->bookmarks.count; i++) {
        const pw_bookmark_row *row = in->bookmarks.items[i];
        const pw_bookmark *b = &row->bookmark;
        if (!row->open)
            continue;
        bool lost = b->kind == PW_BOOKMARK_CHILD && row->created_ms < p->look->before_ms &&
                    !child_goes_on(p->m, pw_mem_row_of(in)->id, b->key);
        const pw_audit_row found = { .instance = pw_mem_row_of(in)->id, .number = b->visit, .what = b->key,
                                     .since_ms = row->created_ms };
        see(p, &found, over(in) ? "ended" : lost ? "child" : NULL,
            &(pw_audit_place){ 0, found.instance, (int64_t)b->visit, b->key });
    }
}

static void look_at_incidents(pass *p, const pw_mem_instance *in)
{
    const pw_instance_row *row = pw_mem_row_of(in);
    for (size_t i = 0; i < in->faults.count; i++) {
        const pw_fault_row *f = in->faults.items[i];
        if (!f->open)
            continue;
        const pw_audit_row found = { .instance = row->id, .number = f->sequence, .what = f->fault.task,
                                     .since_ms = f->created_ms };
        see(p, &found, row->status != PW_FAULTED && row->status != PW_SUSPENDED ? "open" : NULL,
            &(pw_audit_place){ f->created_ms, row->id, (int64_t)f->sequence, { "", 0 } });
    }
}

static void look_at_inbox(pass *p)
{
    for (size_t i = 0; i < p->m->inbox.count; i++) {
        const pw_inbox_row *row = p->m->inbox.items[i];
        if (row->consumed_step > 0 || row->created_ms >= p->look->before_ms || !among(p->look->partitions, row->target))
            continue;
        const pw_audit_row found = { .instance = row->target, .what = row->kind, .since_ms = row->created_ms };
        see(p, &found, "not-taken", &(pw_audit_place){ row->created_ms, row->target, 0, row->key });
    }
}

/* What was requeued holds nothing back. */
static bool is_held(const pass *p, const pw_publish_row *row)
{
    pw_publish_row o;
    for (size_t i = 0; i < p->m->publish.count; i++)
        if (pw_mem_publish_pending(p->m, i, &o) && !o.requeued && pw_str_eq(o.sink, row->sink) &&
            pw_str_eq(o.event.instance, row->event.instance) &&
            (o.event.sequence < row->event.sequence ||
             (o.event.sequence == row->event.sequence && o.ordinal < row->ordinal)))
            return true;
    return false;
}

static void look_at_events(pass *p)
{
    pw_publish_row row;
    for (size_t i = 0; i < p->m->publish.count; i++) {
        if (!pw_mem_publish_pending(p->m, i, &row) || !among(p->look->partitions, row.event.instance))
            continue;
        const char *how = row.next_ms < 0 ? (is_held(p, &row) ? NULL : "held") : row.next_ms < p->look->before_ms ? "late" : NULL;
        const pw_audit_row found = { .instance = row.event.instance, .number = row.event.sequence, .what = row.sink,
                                     .since_ms = row.next_ms < 0 ? row.created_ms : row.next_ms };
        see(p, &found, how,
            &(pw_audit_place){ (int64_t)row.event.sequence, row.sink, (int64_t)row.ordinal, row.event.instance });
    }
}

static void look_at_all(pass *p)
{
    static void (*const looks[])(pass *, const pw_mem_instance *) = {
        [PW_PASS_ASLEEP] = look_at_instance,   [PW_PASS_OVERDUE] = look_at_instance,
        [PW_PASS_CALL] = look_at_calls,        [PW_PASS_LAST_STEP] = look_at_instance,
        [PW_PASS_GAP] = look_at_steps,         [PW_PASS_ORPHAN] = look_at_instance,
        [PW_PASS_DELIVERY] = look_at_deliveries, [PW_PASS_BOOKMARK] = look_at_bookmarks,
        [PW_PASS_INCIDENT] = look_at_incidents, [PW_PASS_FAULTED] = look_at_instance,
    };
    if (p->look->pass.pass == PW_PASS_INBOX)
        look_at_inbox(p);
    if (p->look->pass.pass == PW_PASS_EVENT)
        look_at_events(p);
    for (size_t i = 0; i < p->m->instances.count && looks[p->look->pass.pass]; i++) {
        const pw_mem_instance *in = p->m->instances.items[i];
        if (among(p->look->partitions, pw_mem_row_of(in)->id))
            looks[p->look->pass.pass](p, in);
    }
}

static int (*order_of(const pw_audit_pass *of))(const void *, const void *)
{
    return of->pass == PW_PASS_EVENT ? by_sink : of->pass == PW_PASS_DELIVERY ? by_instance : by_place;
}

pawl_code pw_memory_audit(pw_store *base, const pw_audit_look *look, pw_audit_seen **out, size_t *count, pw_arena *arena,
                          pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pass p = { .m = m, .look = look, .seen = { .shape = &seen_shape, .arena = arena } };
    pthread_mutex_lock(&m->lock);
    look_at_all(&p);
    if (p.seen.count > 1)
        qsort(p.seen.items, p.seen.count, sizeof(pw_audit_seen), order_of(&look->pass));
    p.seen.count = p.seen.count > look->limit ? look->limit : p.seen.count;
    return give(m, &p.seen, out, count, err);
}
