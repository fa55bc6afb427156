/* memory.c - a store that is gone with its process: for `memory:`, tests and simulation.
 *
 * It means what the SQLite store means, in little code: sorted lists of rows under one lock. A row
 * is one block of memory, its texts behind it, and is never changed: a change puts a new row in its
 * place. So a transaction is a list of places with what was there before, and undoing it - one
 * poison item, or a batch for which memory ran out - is to put that back.
 *
 * Everything is in a defined order, so that a simulation with the same seed sees the same.
 *
 * Several handles may share the data, as several nodes share a database: each fails by itself, and
 * the last to be closed frees it. */
#include <time.h>

#include "store/memory/memory_internal.h"

/* ---- commit
 *
 * Each of these gives false when memory ran out; the item's own verdict is in item->code. */

void pw_mem_refuse(pw_commit_item *item, const char *what, pw_str key)
{
    item->code = pw_fail(
        &item->error, PAWL_INVALID, "instance '" PW_FMT "': refused by the store: %s '%.*s'",
        PW_ARG(item->instance), what, (int)(key.len > 150 ? 150 : key.len), key.len ? key.ptr : "");
}

static void apply_transition(pw_instance_row *row, const pw_commit_item *item)
{
    const pw_transition *t = item->transition;
    bool ended = pw_status_ended(t->status);
    /* a late result of an instance that has ended leaves its end, output and error */
    bool late = ended && row->status == t->status && row->ended_ms >= 0 && t->output.len == 0 &&
                t->error.len == 0;
    row->token = item->token + 1;
    row->status = t->status;
    row->state = t->state_text;
    row->updated_ms = item->now_ms;
    if (late)
        return;
    row->ended_ms = ended ? item->now_ms : -1;
    row->wake_at = ended ? PW_WAKE_NEVER : t->wake_at;
    row->output = t->output;
    row->error = t->error;
}

static bool create_instance(pw_memory *m, pw_commit_item *item, pw_mem_instance **out)
{
    const pw_instance_new *n = item->create;
    bool found = false;
    size_t at = pw_mem_find(&m->instances, pw_mem_compare_instance, &item->instance, &found);
    if (found) {
        (void)pw_store_lost_race(item, true);
        return true;
    }
    pw_definition key = { .namespace_ = n->namespace_, .name = n->name, .version = n->version };
    (void)pw_mem_find(&m->definitions, pw_mem_compare_definition, &key, &found);
    if (!found) {
        pw_mem_refuse(item, "there is no such definition", n->name);
        return true;
    }
    if (!pw_mem_labels_good(item))
        return false;
    if (item->code != PAWL_OK)
        return true;
    pw_instance_row row = { .id = item->instance,
                            .namespace_ = n->namespace_,
                            .name = n->name,
                            .version = n->version,
                            .business_key = n->business_key,
                            .input_digest = n->input_digest,
                            .correlation = n->correlation,
                            .labels = n->labels,
                            .parent = n->parent,
                            .schedule = n->schedule,
                            .trace = n->trace,
                            .created_ms = item->now_ms };
    apply_transition(&row, item);
    pw_mem_instance *in = pw_zalloc(sizeof *in);
    if (!in)
        return false;
    in->row.items = pw_alloc(sizeof *in->row.items);
    if (!in->row.items || !(in->row.items[0] = pw_mem_row_new(&pw_mem_instance_shape, &row))) {
        pw_mem_instance_free(in);
        return false;
    }
    in->row.count = in->row.room = 1;
    *out = in;
    return pw_mem_put(m, &m->instances, at, in);
}

static bool guarded_write(pw_memory *m, pw_commit_item *item, pw_mem_instance **out)
{
    if (item->create)
        return create_instance(m, item, out);
    pw_mem_instance *in = pw_mem_instance_of(m, item->instance);
    if (!in || pw_mem_row_of(in)->token != item->token || pw_mem_row_of(in)->cleaned_ms) {
        (void)pw_store_lost_race(item, false);
        return true;
    }
    pw_instance_row row = *pw_mem_row_of(in);
    apply_transition(&row, item);
    *out = in;
    return pw_mem_replace(m, &in->row, 0, pw_mem_row_new(&pw_mem_instance_shape, &row));
}

static bool put_step(pw_memory *m, pw_mem_instance *in, const pw_commit_item *item)
{
    pw_str entries = item->transition->entries;
    pw_step_row row = { .sequence = item->token + 1,
                        .epoch = item->epoch,
                        .nonce = item->nonce,
                        .event = pw_str_of(pw_event_name(item->event)),
                        .actor = pw_store_actor_of(item),
                        .correlation = item->correlation.len ? item->correlation
                                                             : pw_mem_row_of(in)->correlation,
                        .at_ms = item->now_ms,
                        .entries = entries.len ? entries : PW_LIT("[]"),
                        .cause = item->transition->cause };
    return pw_mem_put(m, &in->steps, in->steps.count, pw_mem_row_new(&pw_mem_step_shape, &row));
}

static bool put_payload(pw_memory *m, pw_mem_instance *in, const pw_payload *payload)
{
    bool found = false;
    size_t at = pw_mem_find(&in->payloads, pw_mem_compare_payload, &payload->digest, &found);
    return found || pw_mem_put(m, &in->payloads, at,
                               pw_mem_row_new(&pw_mem_payload_shape, payload)); /* it is the same */
}

static bool put_branch(pw_memory *m, pw_mem_instance *in, const pw_branch_row *row)
{
    bool found = false;
    size_t at = pw_mem_find(&in->branches, pw_mem_compare_branch, row, &found);
    void *made = pw_mem_row_new(&pw_mem_branch_shape, row);
    return found ? pw_mem_replace(m, &in->branches, at, made)
                 : pw_mem_put(m, &in->branches, at, made);
}

/* From the last to the first: nothing is moved then, unless forks are inside of each other. */
static bool end_branches(pw_memory *m, pw_mem_instance *in, uint64_t fork)
{
    const pw_branch_row behind = { .fork = fork + 1 }, first = { .fork = fork };
    bool found = false, good = true;
    size_t at = pw_mem_find(&in->branches, pw_mem_compare_branch, &behind, &found);
    size_t from = pw_mem_find(&in->branches, pw_mem_compare_branch, &first, &found);
    m->counts.statements++;
    while (good && at-- > from)
        good = pw_mem_remove(m, &in->branches, at);
    return good;
}

static bool end_call(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                     const pw_call_outcome *o)
{
    bool found = false;
    size_t at = pw_mem_find(&in->calls, pw_mem_compare_call, &o->key, &found);
    pw_call_row row = { .attempts = 0 };
    if (found)
        row = *(const pw_call_row *)in->calls.items[at];
    if (!found || row.intent.visit < o->visit) {
        (void)pw_store_no_such_call(item, o);
        return true;
    }
    if (row.intent.visit > o->visit)
        return true; /* a later visit has taken the row over */
    if (row.state != PW_CALL_ABANDONED)
        row.state = o->state;
    if (o->outcome.len > 0)
        row.outcome = o->outcome;
    if (row.ended_ms < 0)
        row.ended_ms = item->now_ms;
    if (o->duration_ms > row.duration_ms)
        row.duration_ms = o->duration_ms;
    return pw_mem_replace(m, &in->calls, at, pw_mem_row_new(&pw_mem_call_shape, &row));
}

static bool put_call(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                     const pw_call_intent *c)
{
    bool found = false;
    size_t at = pw_mem_find(&in->calls, pw_mem_compare_call, &c->key, &found);
    pw_call_row row = { .intent = *c,
                        .state = PW_CALL_PENDING,
                        .attempts = 1,
                        .created_ms = item->now_ms,
                        .ended_ms = -1 };
    row.intent.resilience = NULL; /* the program's, which may go */
    if (c->again) {
        if (!found) {
            (void)pw_store_no_such_request(item, c);
            return true;
        }
        row.intent = ((const pw_call_row *)in->calls.items[at])->intent;
        row.intent.visit = c->visit;
        row.intent.attempt = c->attempt;
        row.intent.timeout_ms = c->timeout_ms;
    }
    if (found) {
        const pw_call_row *before = in->calls.items[at];
        row.attempts = before->attempts + 1;
        row.created_ms = before->created_ms;
        return pw_mem_replace(m, &in->calls, at, pw_mem_row_new(&pw_mem_call_shape, &row));
    }
    return pw_mem_put(m, &in->calls, at, pw_mem_row_new(&pw_mem_call_shape, &row));
}

static bool put_outbox(pw_mem_handle *h, pw_mem_instance *in, pw_commit_item *item,
                       const pw_outbox_event *event)
{
    pw_memory *m = h->data;
    pw_mem_place place = { item->instance, item->token + 1, 0 };
    bool found = false,
         good = pw_outbox_ordinal(&place.ordinal, event->id, item->instance, place.step);
    PW_ASSERT(good); /* checked at entry */
    size_t at = pw_mem_find(&in->outbox, pw_mem_compare_outbox, &place, &found);
    if (found) {
        pw_mem_refuse(item, "this step has the event already:", event->id);
        return true;
    }
    pw_outbox_row row = { .instance = item->instance,
                          .sequence = place.step,
                          .event = *event,
                          .created_ms = item->now_ms };
    return pw_mem_put(m, &in->outbox, at, pw_mem_row_new(&pw_mem_outbox_shape, &row)) &&
           pw_mem_publish_put(h, item, event, place.ordinal);
}

static bool use_inbox(pw_memory *m, pw_commit_item *item)
{
    const pw_inbox_use *use = &item->inbox;
    pw_inbox_row row = { .target = item->instance,
                         .key = use->key,
                         .kind = use->kind,
                         .payload = use->payload,
                         .actor = use->actor,
                         .created_ms = item->now_ms };
    bool found = false;
    size_t at = pw_mem_find(&m->inbox, pw_mem_compare_inbox, &row, &found);
    if (found != use->stored ||
        (found && ((const pw_inbox_row *)m->inbox.items[at])->consumed_step > 0)) {
        (void)pw_store_inbox_used(item);
        return true;
    }
    if (found)
        row = *(const pw_inbox_row *)m->inbox.items[at];
    row.consumed_step = item->token + 1;
    row.answer = use->answer;
    void *made = pw_mem_row_new(&pw_mem_inbox_shape, &row);
    return found ? pw_mem_replace(m, &m->inbox, at, made) : pw_mem_put(m, &m->inbox, at, made);
}

static bool put_message(pw_memory *m, const pw_commit_item *item, const pw_inbox_message *message)
{
    pw_inbox_row row = { .target = message->target,
                         .key = message->dedupe_key,
                         .kind = message->kind,
                         .payload = message->payload,
                         .created_ms = item->now_ms };
    bool found = false;
    size_t at = pw_mem_find(&m->inbox, pw_mem_compare_inbox, &row, &found);
    return found || pw_mem_put(m, &m->inbox, at,
                               pw_mem_row_new(&pw_mem_inbox_shape, &row)); /* it was sent before */
}

static bool write_item(pw_mem_handle *h, pw_commit_item *item)
{
    pw_memory *m = h->data;
    const pw_transition *t = item->transition;
    pw_mem_instance *in = NULL;
    if (!pw_mem_holds(m, item)) {
        (void)pw_store_fenced(item);
        return true;
    }
    bool good = guarded_write(m, item, &in);
    if (!good || item->code != PAWL_OK)
        return good;
    good = put_step(m, in, item);
    bool ends = pw_store_ends_all(t, pw_mem_fault_is_open(in));
    if (good && ends)
        good = pw_mem_subscriptions_end_all(m, in);
    for (size_t i = 0; good && i < t->payload_count; i++)
        good = put_payload(m, in, &t->payloads[i]);
    for (size_t i = 0; good && item->code == PAWL_OK && i < t->subscription_end_count; i++)
        good = pw_mem_subscription_end(m, in, item, &t->subscription_ends[i]);
    for (size_t i = 0; good && item->code == PAWL_OK && i < t->taken_count; i++)
        good = pw_mem_delivery_take(m, in, item, &t->taken[i]);
    for (size_t i = 0; good && i < t->fork_end_count; i++)
        good = end_branches(m, in, t->fork_ends[i]);
    for (size_t i = 0; good && i < t->branch_count; i++)
        good = put_branch(m, in, &t->branches[i]);
    for (size_t i = 0; good && item->code == PAWL_OK && i < t->bookmark_count; i++)
        good = pw_mem_bookmark_put(m, in, item, &t->bookmarks[i]);
    for (size_t i = 0; good && item->code == PAWL_OK && i < t->bookmark_change_count; i++)
        good = pw_mem_bookmark_change(m, in, item, &t->bookmark_changes[i]);
    for (size_t i = 0; good && item->code == PAWL_OK && i < t->bookmark_end_count; i++)
        good = pw_mem_bookmark_end(m, in, item, &t->bookmark_ends[i]);
    if (good && item->code == PAWL_OK && ends)
        good = pw_mem_bookmarks_end_all(m, in, item);
    for (size_t i = 0; good && item->code == PAWL_OK && i < t->subscription_count; i++)
        good = pw_mem_subscription_put(m, in, item, &t->subscriptions[i]);
    for (size_t i = 0; good && item->code == PAWL_OK && i < t->outcome_count; i++)
        good = end_call(m, in, item, &t->outcomes[i]);
    for (size_t i = 0; good && item->code == PAWL_OK && i < t->call_count; i++)
        good = put_call(m, in, item, &t->calls[i]);
    for (size_t i = 0; good && item->code == PAWL_OK && i < t->event_count; i++)
        good = put_outbox(h, in, item, &t->events[i]);
    for (size_t i = 0; good && item->code == PAWL_OK && i < t->undo_count; i++)
        good = pw_mem_undo_put(m, in, item, &t->undo[i]);
    for (size_t i = 0; good && item->code == PAWL_OK && i < t->undo_change_count; i++)
        good = pw_mem_undo_change(m, in, item, &t->undo_changes[i]);
    if (good && item->code == PAWL_OK && t->resolution.len > 0)
        good = pw_mem_faults_resolve(m, in, item);
    if (good && item->code == PAWL_OK && t->fault)
        good = pw_mem_fault_put(m, in, item, t->fault);
    if (good && item->code == PAWL_OK && item->inbox.key.ptr)
        good = use_inbox(m, item);
    for (size_t i = 0; good && item->code == PAWL_OK && i < t->message_count; i++)
        good = put_message(m, item, &t->messages[i]);
    return good;
}

static pawl_code broken(pawl_error *err)
{
    return pw_fail(err, PAWL_IO,
                   "'memory:': the store failed (made to by a test): it must be opened again");
}

static pawl_code commit_locked(pw_mem_handle *h, pw_commit_item *items, size_t count,
                               pawl_error *err)
{
    pw_memory *m = h->data;
    if (h->broken)
        return broken(err);
    bool fail = h->fail_in > 0 && --h->fail_in == 0;
    h->broken = fail;
    if (fail && !h->fail_applied)
        return broken(err);
    pw_store_counts before = m->counts;
    for (size_t i = 0; i < count; i++) {
        size_t mark = m->change_count;
        if (items[i].code != PAWL_OK)
            continue; /* refused before it came here */
        if (!write_item(h, &items[i])) {
            pw_mem_undo(m, 0);
            m->counts = before;
            return pw_no_memory(err);
        }
        if (items[i].code != PAWL_OK) {
            m->counts.bisections += m->change_count > mark ? 1 : 0;
            pw_mem_undo(m, mark);
        }
        m->counts.items += items[i].code == PAWL_OK ? 1 : 0;
        m->counts.conflicts += items[i].code == PAWL_CONFLICT ? 1 : 0;
    }
    pw_mem_keep(m);
    m->counts.commits++;
    m->counts.syncs++;
    return fail ? broken(err) : PAWL_OK;
}

static pawl_code memory_commit(pw_store *base, pw_commit_item *items, size_t count, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        left += items[i].code == PAWL_OK ? 1 : 0;
    if (left == 0)
        return PAWL_OK;
    pthread_mutex_lock(&m->lock);
    pawl_code code = commit_locked(pw_mem_handle_of(base), items, count, err);
    pthread_mutex_unlock(&m->lock);
    return code;
}

void pw_memory_fail_commit(pw_store *store, uint64_t nth, bool applied)
{
    pw_mem_handle *h = pw_mem_handle_of(store);
    pthread_mutex_lock(&h->data->lock);
    h->fail_in = nth;
    h->fail_applied = applied;
    pthread_mutex_unlock(&h->data->lock);
}

/* ---- definitions, inbox and messages: transactions of their own */

pawl_code pw_mem_begin(pw_store *base, pawl_error *err)
{
    pw_mem_handle *h = pw_mem_handle_of(base);
    pthread_mutex_lock(&h->data->lock);
    if (!h->broken)
        return PAWL_OK;
    pthread_mutex_unlock(&h->data->lock);
    return broken(err);
}

pawl_code pw_mem_end(pw_store *base, pawl_code code, pawl_error *err)
{
    pw_mem_handle *h = pw_mem_handle_of(base);
    pw_memory *m = h->data;
    if (code == PAWL_OK && h->fail_in > 0 && --h->fail_in == 0) {
        h->broken = true;
        code = broken(err);
    }
    if (code == PAWL_OK || (code == PAWL_IO && h->fail_applied)) {
        pw_mem_keep(m);
        m->counts.commits++;
        m->counts.syncs++;
    } else {
        pw_mem_undo(m, 0);
    }
    pthread_mutex_unlock(&m->lock);
    return code;
}

static pawl_code finish(pw_memory *m, bool good, pawl_error *err)
{
    if (good)
        pw_mem_keep(m);
    else
        pw_mem_undo(m, 0);
    pthread_mutex_unlock(&m->lock);
    return good ? PAWL_OK : pw_no_memory(err);
}

static pawl_code memory_definition_put(pw_store *base, const pw_definition *definition,
                                       bool *created, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pthread_mutex_lock(&m->lock);
    bool found = false;
    size_t at = pw_mem_find(&m->definitions, pw_mem_compare_definition, definition, &found);
    if (found) {
        bool same = pw_str_eq(((const pw_definition *)m->definitions.items[at])->digest,
                              definition->digest);
        pthread_mutex_unlock(&m->lock);
        if (!same)
            return pw_store_definition_conflict(err, definition);
        *created = false;
        return PAWL_OK;
    }
    pw_definition row = *definition;
    row.status = PW_DEFINITION_PUBLISHED;
    pawl_code code = finish(
        m, pw_mem_put(m, &m->definitions, at, pw_mem_row_new(&pw_mem_definition_shape, &row)), err);
    if (code == PAWL_OK)
        *created = true;
    return code;
}

static pawl_code memory_definition_status(pw_store *base, pw_str namespace_, pw_str name,
                                          pw_str version, pw_definition_status status,
                                          pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pw_definition row = { .namespace_ = namespace_, .name = name, .version = version };
    pthread_mutex_lock(&m->lock);
    bool found = false;
    size_t at = pw_mem_find(&m->definitions, pw_mem_compare_definition, &row, &found);
    if (!found) {
        pthread_mutex_unlock(&m->lock);
        return pw_store_no_version(err, name, version);
    }
    row = *(const pw_definition *)m->definitions.items[at];
    row.status = status;
    return finish(
        m, pw_mem_replace(m, &m->definitions, at, pw_mem_row_new(&pw_mem_definition_shape, &row)),
        err);
}

static pawl_code memory_inbox_put(pw_store *base, const pw_inbox_row *given, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pw_inbox_row row = *given;
    row.consumed_step = 0;
    row.answer = (pw_str){ "", 0 };
    pthread_mutex_lock(&m->lock);
    if (!pw_mem_instance_of(m, row.target)) {
        pthread_mutex_unlock(&m->lock);
        return pw_store_not_found(err, "instance", row.target);
    }
    bool found = false;
    size_t at = pw_mem_find(&m->inbox, pw_mem_compare_inbox, &row, &found);
    if (found) {
        const pw_inbox_row *there = m->inbox.items[at];
        bool same = pw_str_eq(there->kind, row.kind) && pw_str_eq(there->payload, row.payload);
        pthread_mutex_unlock(&m->lock);
        return same ? PAWL_OK : pw_store_inbox_conflict(err, given);
    }
    return finish(m, pw_mem_put(m, &m->inbox, at, pw_mem_row_new(&pw_mem_inbox_shape, &row)), err);
}

static pawl_code return_command(pw_memory *m, pw_str target, pw_str key, const pw_inbox_row *reply,
                                pawl_error *err)
{
    pw_inbox_row row = { .target = target, .key = key };
    bool found = false;
    size_t at = pw_mem_find(&m->inbox, pw_mem_compare_inbox, &row, &found);
    if (!found || ((const pw_inbox_row *)m->inbox.items[at])->consumed_step > 0)
        return pw_store_not_found(err, "command", key);
    bool good = pw_mem_remove(m, &m->inbox, at);
    if (good && reply && pw_mem_instance_of(m, reply->target)) { /* whoever asked may be gone */
        row = *reply;
        row.consumed_step = 0;
        row.answer = (pw_str){ "", 0 };
        at = pw_mem_find(&m->inbox, pw_mem_compare_inbox, &row, &found);
        good = found || pw_mem_put(m, &m->inbox, at, pw_mem_row_new(&pw_mem_inbox_shape, &row));
    }
    return good ? PAWL_OK : pw_no_memory(err);
}

static pawl_code memory_inbox_return(pw_store *base, pw_str target, pw_str key,
                                     const pw_inbox_row *reply, pawl_error *err)
{
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    return pw_mem_end(base, return_command(pw_memory_of(base), target, key, reply, err), err);
}

/* ---- the store */

static void memory_count(const pw_store *base, pw_store_counts *out)
{
    pw_memory *m = ((const pw_mem_handle *)base)->data;
    pthread_mutex_lock(&m->lock);
    *out = m->counts;
    pthread_mutex_unlock(&m->lock);
}

static void data_free(pw_memory *m)
{
    pw_mem_list *all[] = { &m->definitions,   &m->instances,    &m->inbox,           &m->messages,
                           &m->message_names, &m->message_keys, &m->message_keys_of, &m->matchers,
                           &m->subscriptions, &m->deliveries,   &m->principals,      &m->requests,
                           &m->breakers,      &m->bulks,        &m->bulk_failures,   &m->publish,
                           &m->publish_due };
    for (size_t i = 0; i < PW_LENGTH(all); i++) {
        for (size_t j = 0; j < all[i]->count; j++)
            pw_mem_item_free(m, all[i], all[i]->items[j]);
        pw_free(all[i]->items);
    }
    pw_free(m->changes);
    pw_free(m->nodes);
    pthread_mutex_destroy(&m->lock);
    pw_free(m);
}

static void memory_close(pw_store *base)
{
    pw_memory *m = pw_memory_of(base);
    pthread_mutex_lock(&m->lock);
    bool last = --m->handles == 0;
    pthread_mutex_unlock(&m->lock);
    if (last)
        data_free(m);
    pw_free(base);
}

static pawl_code memory_reopen(pw_store *base, pawl_error *err)
{
    (void)err;
    pw_memory *m = pw_memory_of(base);
    pthread_mutex_lock(&m->lock);
    pw_mem_handle_of(base)->broken = false;
    pthread_mutex_unlock(&m->lock);
    return PAWL_OK;
}

/* It is this process's alone. */
static bool memory_is_owned(pw_store *store)
{
    (void)store;
    return true;
}

static void memory_pool(pw_store *store, pw_store_pool *out)
{
    (void)store; /* no connections */
    (void)out;
}

static const pw_store_ops memory_ops = {
    .close = memory_close,
    .reopen = memory_reopen,
    .definition_put = memory_definition_put,
    .definition_get = pw_memory_definition_get,
    .definition_versions = pw_memory_definition_versions,
    .exclusive = pw_memory_exclusive,
    .node_beat = pw_memory_node_beat,
    .partitions_take = pw_memory_partitions_take,
    .partitions_give = pw_memory_partitions_give,
    .partition_node = pw_memory_partition_node,
    .definition_status = memory_definition_status,
    .definition_list = pw_memory_definition_list,
    .commit = memory_commit,
    .instance_get = pw_memory_instance_get,
    .instance_list = pw_memory_instance_list,
    .instance_count = pw_memory_instance_count,
    .instance_delete = pw_memory_instance_delete,
    .due = pw_memory_due,
    .next_due = pw_memory_next_due,
    .steps = pw_memory_steps,
    .payload_get = pw_memory_payload_get,
    .bookmarks = pw_memory_bookmarks,
    .bookmark_by_key = pw_memory_bookmark_by_key,
    .open_bookmarks = pw_memory_open_bookmarks,
    .calls = pw_memory_calls,
    .call_get = pw_memory_call_get,
    .outbox = pw_memory_outbox,
    .publish_due = pw_memory_publish_due,
    .publish_next = pw_memory_publish_next,
    .publish_end = pw_memory_publish_end,
    .publish_count = pw_memory_publish_count,
    .letters = pw_memory_letters,
    .letter_count = pw_memory_letter_count,
    .letters_of = pw_memory_letters_of,
    .letters_change = pw_memory_letters_change,
    .faults = pw_memory_faults,
    .incidents = pw_memory_incidents,
    .incident_get = pw_memory_incident_get,
    .incident_count = pw_memory_incident_count,
    .undo = pw_memory_undo,
    .undo_count = pw_memory_undo_count,
    .breakers = pw_memory_breakers,
    .breaker_get = pw_memory_breaker_get,
    .breaker_set = pw_memory_breaker_set,
    .audit = pw_memory_audit,
    .bulk_set = pw_memory_bulk_set,
    .bulk_get = pw_memory_bulk_get,
    .bulks = pw_memory_bulks,
    .inbox_put = memory_inbox_put,
    .inbox_get = pw_memory_inbox_get,
    .inbox_pending = pw_memory_inbox_pending,
    .inbox_return = memory_inbox_return,
    .answers_expire = pw_memory_answers_expire,
    .principal_put = pw_memory_principal_put,
    .principal_revoke = pw_memory_principal_revoke,
    .principal_get = pw_memory_principal_get,
    .principals = pw_memory_principals,
    .request_put = pw_memory_request_put,
    .requests_expire = pw_memory_requests_expire,
    .messages_put = pw_memory_messages_put,
    .messages_new = pw_memory_messages_new,
    .messages_kept = pw_memory_messages_kept,
    .message_get = pw_memory_message_get,
    .matchers = pw_memory_matchers,
    .matcher_count = pw_memory_matcher_count,
    .messages_route = pw_memory_messages_route,
    .message_keys_put = pw_memory_message_keys_put,
    .messages_claim = pw_memory_messages_claim,
    .subscriptions_fed = pw_memory_subscriptions_fed,
    .subscriptions = pw_memory_subscriptions,
    .deliveries = pw_memory_deliveries,
    .deliveries_pending = pw_memory_deliveries_pending,
    .deliveries_give_back = pw_memory_deliveries_give_back,
    .messages_expire = pw_memory_messages_expire,
    .count = memory_count,
    .pool = memory_pool,
    .clean = pw_memory_clean,
    .vacuum = pw_memory_vacuum,
    .space = pw_memory_space,
    .is_owned = memory_is_owned,
};

static int64_t system_clock_ms(void *context)
{
    (void)context;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static pw_mem_handle *new_handle(pw_memory *m)
{
    pw_mem_handle *h = pw_zalloc(sizeof *h);
    if (!h)
        return NULL;
    h->base.ops = &memory_ops;
    h->base.path = (pw_str){ "", 0 };
    h->base.generation = pw_str_of(m->generation);
    h->base.secret = pw_str_of(m->secret);
    h->data = m;
    return h;
}

pawl_code pw_memory_open(pw_store **out, pawl_error *err)
{
    char secret[PW_STORE_SECRET_SIZE];
    pawl_code code = pw_store_make_secret(secret, err);
    if (code != PAWL_OK)
        return code;
    pw_memory *m = pw_zalloc(sizeof *m);
    if (!m)
        return pw_no_memory(err);
    memcpy(m->secret, secret, sizeof m->secret);
    /* Always the same: nothing outlives it that could be confused, and a simulation repeats itself.
     */
    memcpy(m->generation, "00000000000000000000000000000000", sizeof m->generation);
    pw_mem_handle *h = new_handle(m);
    if (!h) {
        pw_free(m);
        return pw_no_memory(err);
    }
    pthread_mutex_init(&m->lock, NULL);
    m->now_ms = system_clock_ms;
    m->handles = 1;
    *out = &h->base;
    return PAWL_OK;
}

pawl_code pw_memory_share(pw_store *of, pw_store **out, pawl_error *err)
{
    pw_memory *m = pw_memory_of(of);
    pw_mem_handle *h = new_handle(m);
    if (!h)
        return pw_no_memory(err);
    pthread_mutex_lock(&m->lock);
    m->handles++;
    m->shared = true;
    pthread_mutex_unlock(&m->lock);
    *out = &h->base;
    return PAWL_OK;
}

void pw_memory_set_clock(pw_store *store, int64_t (*now_ms)(void *context), void *context)
{
    pw_memory *m = pw_memory_of(store);
    pthread_mutex_lock(&m->lock);
    m->now_ms = now_ms ? now_ms : system_clock_ms;
    m->context = context;
    pthread_mutex_unlock(&m->lock);
}
