/* commit.c - writes a batch of transitions in one transaction: one fsync for many steps.
 *
 * Of each item, the guarded write of the instance's row runs first: no row changed means that
 * somebody else was first, and nothing else of the item is written. That is no failure of the
 * batch.
 *
 * A row may still be refused (a constraint: the item is poison). To undo one item alone it needs a
 * savepoint: two more statements for each item of every batch, 12 to 15 % of the steps per second
 * in batches of 64 (measured on ext4, states of 1.5 KB). Poison is a bug and rare, so the first
 * pass has none; if an item is refused, all is rolled back and written again with a savepoint
 * around each item, and the items refused then carry their codes. Nothing is lost by the second
 * pass: a lost race is found again.
 *
 * What is not of a row - the disk, the file, memory - ends the batch. After trouble with the disk
 * nothing is tried again: SQLite cannot know any more what is on it, so the store answers PAWL_IO
 * until it was opened anew, where recovery decides what is there. */
#include "store/sqlite/sqlite_internal.h"

static void add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* ---- statements and transactions of the writer */

int pw_sqlite_write(pw_sqlite *store, pw_query *query, int *changes)
{
    (void)pw_query_row(query);
    add(&store->statements, 1);
    int rc = pw_query_end(query);
    int changed = rc == SQLITE_OK ? sqlite3_changes(store->writer.db) : 0;
    add(&store->rows, (uint64_t)changed);
    if (changes)
        *changes = changed;
    return rc;
}

int pw_sqlite_write_returning(pw_sqlite *store, pw_query *query, int64_t *value, bool *returned)
{
    *returned = pw_query_row(query);
    *value = *returned ? pw_column_int(query, 0, 0) : 0;
    while (pw_query_row(query)) {
    }
    return pw_sqlite_write(store, query, NULL);
}

int pw_sqlite_looked(pw_sqlite *store, pw_query *query)
{
    add(&store->statements, 1);
    return pw_query_end(query);
}

int pw_sqlite_look(pw_sqlite *store, pw_query *query, int64_t *value, bool *found)
{
    *found = pw_query_row(query);
    *value = *found ? pw_column_int(query, 0, 0) : 0;
    return pw_sqlite_looked(store, query);
}

/* BEGIN, COMMIT, SAVEPOINT ... */
static int control(pw_sqlite *store, pw_sqlite_sql sql)
{
    pw_query query = pw_query_begin(&store->writer, sql);
    (void)pw_query_row(&query);
    add(&store->statements, 1);
    return pw_query_end(&query);
}

static void rollback(pw_sqlite *store)
{
    if (!sqlite3_get_autocommit(store->writer.db)) /* some failures roll back by themselves */
        (void)control(store, PW_SQLITE_SQL_ROLLBACK);
}

pawl_code pw_sqlite_write_failed(pw_sqlite *store, int rc, const char *doing, pawl_error *err)
{
    pawl_code code = pw_sqlite_fail(&store->writer, rc, doing, err);
    if (code == PAWL_IO)
        store->broken = true;
    rollback(store);
    return code;
}

static pawl_code still_broken(const pw_sqlite *store, pawl_error *err)
{
    return pw_fail(err, PAWL_IO, "'%s': the disk failed before: the store must be opened again",
                   store->writer.shown);
}

static pawl_code begin(pw_sqlite *store, pawl_error *err)
{
    if (store->mode != PW_STORE_OWN)
        return pw_fail(err, PAWL_STATE, "'%.200s' is open for reading only", store->path);
    if (store->broken)
        return still_broken(store, err);
    int rc = control(store, PW_SQLITE_SQL_BEGIN);
    return rc == SQLITE_OK ? PAWL_OK : pw_sqlite_write_failed(store, rc, "begin", err);
}

static pawl_code commit(pw_sqlite *store, pawl_error *err)
{
    PW_FAULT("store-before-commit");
    int rc = control(store, PW_SQLITE_SQL_COMMIT);
    if (rc != SQLITE_OK) {
        pawl_code code = pw_sqlite_write_failed(store, rc, "commit", err);
        if (code == PAWL_BUSY)
            return code; /* before anything was written */
        store->broken = true;
        if (code == PAWL_NO_MEMORY)
            code = pw_fail_native(err, PAWL_IO, rc,
                                  "'%s': out of memory in a commit: whether it is on the disk "
                                  "is known when the store is opened again",
                                  store->writer.shown);
        return code;
    }
    add(&store->commits, 1);
    add(&store->syncs, 1); /* of the write-ahead log, by synchronous = FULL */
    PW_FAULT("store-after-commit");
    return PAWL_OK;
}

pawl_code pw_sqlite_begin(pw_sqlite *store, pawl_error *err)
{
    pthread_mutex_lock(&store->write_lock);
    pawl_code code = begin(store, err);
    if (code != PAWL_OK)
        pthread_mutex_unlock(&store->write_lock);
    return code;
}

pawl_code pw_sqlite_end(pw_sqlite *store, pawl_code code, pawl_error *err)
{
    if (code == PAWL_OK)
        code = commit(store, err);
    else
        rollback(store);
    pthread_mutex_unlock(&store->write_lock);
    return code;
}

/* ---- one item
 *
 * Each of these returns an SQLite code; the item's own verdict is in item->code. */

static void bind_wake(pw_query *query, int at, const pw_transition *t)
{
    if (t->wake_at == PW_WAKE_NEVER || pw_status_ended(t->status))
        pw_bind_null(query, at);
    else
        pw_bind_int(query, at, t->wake_at);
}

static void bind_ended(pw_query *query, int at, const pw_commit_item *item)
{
    if (pw_status_ended(item->transition->status))
        pw_bind_int(query, at, item->now_ms);
    else
        pw_bind_null(query, at);
}

static int create_instance(pw_sqlite *store, const pw_commit_item *item, int *changes)
{
    const pw_instance_new *n = item->create;
    const pw_transition *t = item->transition;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_INSTANCE_CREATE);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, pw_store_partition(item->instance));
    pw_bind_text(&q, 3, n->namespace_);
    pw_bind_text(&q, 4, n->name);
    pw_bind_text(&q, 5, n->version);
    pw_bind_text(&q, 6, pw_str_of(pw_status_name(t->status)));
    pw_bind_int(&q, 7, item->now_ms);
    bind_ended(&q, 8, item);
    bind_wake(&q, 9, t);
    pw_bind_optional(&q, 10, n->business_key);
    pw_bind_text(&q, 11, n->input_digest);
    pw_bind_optional(&q, 12, n->correlation);
    pw_bind_optional(&q, 13, n->labels);
    pw_bind_optional(&q, 14, n->parent);
    pw_bind_optional(&q, 15, t->output);
    pw_bind_optional(&q, 16, t->error);
    pw_bind_int(&q, 17, PW_STATE_FORMAT);
    pw_bind_text(&q, 18, t->state_text);
    pw_bind_int(&q, 19, n->schedule);
    pw_bind_optional(&q, 20, n->trace);
    return pw_sqlite_write(store, &q, changes);
}

/* *left: bookmarks that are open may end with it. */
static int save_instance(pw_sqlite *store, const pw_commit_item *item, pw_sqlite_sql sql,
                         int *changes, bool *left)
{
    const pw_transition *t = item->transition;
    pw_query q = pw_query_begin(&store->writer, sql);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, (int64_t)item->token);
    pw_bind_int(&q, 3, item->now_ms);
    pw_bind_int(&q, 4, PW_STATE_FORMAT);
    pw_bind_text(&q, 5, t->state_text);
    pw_bind_text(&q, 6, pw_str_of(pw_status_name(t->status)));
    bind_wake(&q, 7, t);
    if (sql != PW_SQLITE_SQL_INSTANCE_SAVE_SAME) {
        bind_ended(&q, 8, item);
        pw_bind_optional(&q, 9, t->output);
        pw_bind_optional(&q, 10, t->error);
    }
    if (sql != PW_SQLITE_SQL_INSTANCE_END)
        return pw_sqlite_write(store, &q, changes);
    int64_t has = 0;
    bool saved = false;
    int rc = pw_sqlite_write_returning(store, &q, &has, &saved);
    *changes = saved ? 1 : 0;
    *left = (size_t)(has / 2) + t->bookmark_count > t->bookmark_end_count;
    return rc == SQLITE_OK && has % 2 ? pw_sqlite_subscriptions_end_all(store, item) : rc;
}

/* Whether all that it waits for ends with this step. */
static int look_at_end(pw_sqlite *store, const pw_commit_item *item, bool *ends)
{
    bool open = false;
    int rc = SQLITE_OK;
    if (pw_store_must_look(item->transition))
        rc = pw_sqlite_fault_is_open(store, item->instance, &open);
    *ends = pw_store_ends_all(item->transition, open);
    return rc;
}

/* A step that leaves status and wake_at as they are: of what has ended, only the end of an incident lets go of what waits,
 * and what is opened after the end is closed at once. */
static int save_same(pw_sqlite *store, const pw_commit_item *item, int *changes, bool *left)
{
    const pw_transition *t = item->transition;
    int rc = save_instance(store, item, PW_SQLITE_SQL_INSTANCE_SAVE_SAME, changes, left);
    if (rc != SQLITE_OK || *changes == 0 || !pw_status_ended(t->status) ||
        (t->resolution.len == 0 && t->bookmark_count <= t->bookmark_end_count))
        return rc;
    rc = look_at_end(store, item, left);
    return rc == SQLITE_OK && *left ? pw_sqlite_subscriptions_end_all(store, item) : rc;
}

/* The write that decides who was first. */
static int guarded_write(pw_sqlite *store, pw_commit_item *item, bool *left)
{
    const pw_transition *t = item->transition;
    int changes = 0, rc = SQLITE_OK;
    bool ends = false;
    if (item->create) {
        rc = create_instance(store, item, &changes);
        *left = pw_store_ends_all(t, false) && t->bookmark_count > t->bookmark_end_count;
    } else {
        if (t->output.len == 0 && t->error.len == 0)
            rc = save_same(store, item, &changes, left);
        if (rc == SQLITE_OK && changes == 0)
            rc = look_at_end(store, item, &ends);
        if (rc == SQLITE_OK && changes == 0)
            rc = save_instance(store, item,
                               ends ? PW_SQLITE_SQL_INSTANCE_END : PW_SQLITE_SQL_INSTANCE_SAVE,
                               &changes, left);
    }
    if (rc == SQLITE_OK && changes == 0)
        (void)pw_store_lost_race(item, item->create != NULL);
    return rc;
}

static int put_step(pw_sqlite *store, const pw_commit_item *item)
{
    pw_str entries = item->transition->entries;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_STEP_PUT);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, (int64_t)item->token + 1);
    pw_bind_text(&q, 3, pw_str_of(pw_event_name(item->event)));
    pw_bind_int(&q, 4, item->now_ms);
    pw_bind_text(&q, 5, pw_store_actor_of(item));
    pw_bind_text(&q, 6, entries.len ? entries : PW_LIT("[]"));
    pw_bind_int(&q, 7, (int64_t)item->epoch);
    pw_bind_int(&q, 8, (int64_t)item->nonce);
    pw_bind_optional(&q, 9, item->correlation);
    pw_bind_optional(&q, 10, item->transition->cause);
    return pw_sqlite_write(store, &q, NULL);
}

static int put_payload(pw_sqlite *store, const pw_commit_item *item, const pw_payload *payload)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_PAYLOAD_PUT);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_text(&q, 2, payload->digest);
    pw_bind_text(&q, 3, payload->text);
    return pw_sqlite_write(store, &q, NULL);
}

static int put_branch(pw_sqlite *store, const pw_commit_item *item, const pw_branch_row *row)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_BRANCH_PUT);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, (int64_t)row->fork);
    pw_bind_int(&q, 3, row->number);
    pw_bind_text(&q, 4, row->state);
    return pw_sqlite_write(store, &q, NULL);
}

static int end_branches(pw_sqlite *store, const pw_commit_item *item, uint64_t fork)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_BRANCHES_END);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, (int64_t)fork);
    return pw_sqlite_write(store, &q, NULL);
}

/* The next attempt of a request that is there. */
static int put_again(pw_sqlite *store, pw_commit_item *item, const pw_call_intent *c)
{
    int changes = 0;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_CALL_AGAIN);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_text(&q, 2, c->key);
    pw_bind_int(&q, 3, (int64_t)c->visit);
    pw_bind_int(&q, 4, c->attempt);
    pw_bind_int(&q, 5, (int64_t)c->timeout_ms);
    int rc = pw_sqlite_write(store, &q, &changes);
    if (rc == SQLITE_OK && changes == 0)
        (void)pw_store_no_such_request(item, c);
    return rc;
}

static int put_call(pw_sqlite *store, const pw_commit_item *item, const pw_call_intent *c)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_CALL_PUT);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_text(&q, 2, c->key);
    pw_bind_int(&q, 3, (int64_t)c->visit);
    pw_bind_int(&q, 4, c->attempt);
    pw_bind_int(&q, 5, item->now_ms);
    pw_bind_int(&q, 6, (int64_t)c->timeout_ms);
    pw_bind_text(&q, 7, c->task);
    pw_bind_text(&q, 8, c->kind);
    pw_bind_text(&q, 9, c->endpoint);
    pw_bind_text(&q, 10, c->method);
    pw_bind_text(&q, 11, c->request);
    return pw_sqlite_write(store, &q, NULL);
}

static int end_call(pw_sqlite *store, pw_commit_item *item, const pw_call_outcome *o)
{
    int changes = 0;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_CALL_END);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_text(&q, 2, o->key);
    pw_bind_int(&q, 3, (int64_t)o->visit);
    pw_bind_text(&q, 4, pw_str_of(pw_call_state_name(o->state)));
    pw_bind_optional(&q, 5, o->outcome);
    pw_bind_int(&q, 6, item->now_ms);
    pw_bind_int(&q, 7, (int64_t)o->duration_ms);
    int rc = pw_sqlite_write(store, &q, &changes);
    if (rc != SQLITE_OK || changes > 0)
        return rc;
    /* A later visit has taken the row over: then the late outcome is of nobody's. */
    q = pw_query_begin(&store->writer, PW_SQLITE_SQL_CALL_VISIT);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_text(&q, 2, o->key);
    int64_t newest = 0;
    bool found = false;
    rc = pw_sqlite_look(store, &q, &newest, &found);
    if (rc == SQLITE_OK && (!found || (uint64_t)newest <= o->visit))
        (void)pw_store_no_such_call(item, o);
    return rc;
}

static int put_outbox(pw_sqlite *store, const pw_commit_item *item, const pw_outbox_event *event)
{
    int64_t ordinal = 0;
    bool good = pw_outbox_ordinal(&ordinal, event->id, item->instance, item->token + 1);
    PW_ASSERT(good); /* checked at entry */
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_OUTBOX_PUT);
    pw_bind_text(&q, 1, item->instance);
    pw_bind_int(&q, 2, (int64_t)item->token + 1);
    pw_bind_int(&q, 3, ordinal);
    pw_bind_text(&q, 4, event->type);
    pw_bind_text(&q, 5, event->source);
    pw_bind_int(&q, 6, item->now_ms);
    pw_bind_text(&q, 7, event->payload);
    int rc = pw_sqlite_write(store, &q, NULL);
    return rc == SQLITE_OK ? pw_sqlite_publish_put(store, item, event, ordinal) : rc;
}

/* A row of the inbox; *changes 0: the key is there. */
static int put_inbox(pw_sqlite *store, const pw_inbox_row *row, int *changes)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_INBOX_PUT);
    pw_bind_text(&q, 1, row->target);
    pw_bind_text(&q, 2, row->key);
    pw_bind_text(&q, 3, row->kind);
    pw_bind_optional(&q, 4, row->payload);
    pw_bind_optional(&q, 5, row->actor);
    pw_bind_int(&q, 6, row->created_ms);
    if (row->consumed_step > 0)
        pw_bind_int(&q, 7, (int64_t)row->consumed_step);
    else
        pw_bind_null(&q, 7);
    pw_bind_optional(&q, 8, row->answer);
    pw_bind_int(&q, 9, pw_store_partition(row->target));
    return pw_sqlite_write(store, &q, changes);
}

static int use_inbox(pw_sqlite *store, pw_commit_item *item)
{
    const pw_inbox_use *use = &item->inbox;
    int changes = 0, rc = SQLITE_OK;
    if (use->stored) {
        pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_INBOX_USE);
        pw_bind_text(&q, 1, item->instance);
        pw_bind_text(&q, 2, use->key);
        pw_bind_int(&q, 3, (int64_t)item->token + 1);
        pw_bind_optional(&q, 4, use->answer);
        rc = pw_sqlite_write(store, &q, &changes);
    } else {
        pw_inbox_row row = { .target = item->instance,
                             .key = use->key,
                             .kind = use->kind,
                             .payload = use->payload,
                             .actor = use->actor,
                             .answer = use->answer,
                             .created_ms = item->now_ms,
                             .consumed_step = item->token + 1 };
        rc = put_inbox(store, &row, &changes);
    }
    if (rc == SQLITE_OK && changes == 0)
        (void)pw_store_inbox_used(item);
    return rc;
}

static int put_message(pw_sqlite *store, const pw_commit_item *item, const pw_inbox_message *m)
{
    pw_inbox_row row = { .target = m->target,
                         .key = m->dedupe_key,
                         .kind = m->kind,
                         .payload = m->payload,
                         .created_ms = item->now_ms };
    return put_inbox(store, &row, NULL); /* there already: it was sent before */
}

/* Everything else of an item that has won. `left`: what it leaves open ends. Stops at the first failure or verdict. */
static int write_rows(pw_sqlite *store, pw_commit_item *item, bool left)
{
    const pw_transition *t = item->transition;
    int rc = put_step(store, item);
    if (rc == SQLITE_OK && item->create && item->create->labels.len > 0)
        rc = pw_sqlite_labels_put(store, item);
    for (size_t i = 0; rc == SQLITE_OK && i < t->payload_count; i++)
        rc = put_payload(store, item, &t->payloads[i]);
    for (size_t i = 0; rc == SQLITE_OK && i < t->fork_end_count; i++)
        rc = end_branches(store, item, t->fork_ends[i]);
    for (size_t i = 0; rc == SQLITE_OK && i < t->branch_count; i++)
        rc = put_branch(store, item, &t->branches[i]);
    for (size_t i = 0; rc == SQLITE_OK && item->code == PAWL_OK && i < t->subscription_end_count;
         i++)
        rc = pw_sqlite_subscription_end(store, item, &t->subscription_ends[i]);
    for (size_t i = 0; rc == SQLITE_OK && item->code == PAWL_OK && i < t->taken_count; i++)
        rc = pw_sqlite_delivery_take(store, item, &t->taken[i]);
    for (size_t i = 0; rc == SQLITE_OK && item->code == PAWL_OK && i < t->bookmark_count; i++)
        rc = pw_sqlite_bookmark_put(store, item, &t->bookmarks[i]);
    for (size_t i = 0; rc == SQLITE_OK && item->code == PAWL_OK && i < t->bookmark_change_count;
         i++)
        rc = pw_sqlite_bookmark_change(store, item, &t->bookmark_changes[i]);
    for (size_t i = 0; rc == SQLITE_OK && item->code == PAWL_OK && i < t->bookmark_end_count; i++)
        rc = pw_sqlite_bookmark_end(store, item, &t->bookmark_ends[i]);
    if (rc == SQLITE_OK && item->code == PAWL_OK && left)
        rc = pw_sqlite_bookmarks_end_all(store, item);
    for (size_t i = 0; rc == SQLITE_OK && item->code == PAWL_OK && i < t->subscription_count; i++)
        rc = pw_sqlite_subscription_put(store, item, &t->subscriptions[i]);
    /* Outcomes first: a retry in the same step makes the row of the failed call pending again. */
    for (size_t i = 0; rc == SQLITE_OK && item->code == PAWL_OK && i < t->outcome_count; i++)
        rc = end_call(store, item, &t->outcomes[i]);
    for (size_t i = 0; rc == SQLITE_OK && item->code == PAWL_OK && i < t->call_count; i++)
        rc = t->calls[i].again ? put_again(store, item, &t->calls[i])
                               : put_call(store, item, &t->calls[i]);
    for (size_t i = 0; rc == SQLITE_OK && item->code == PAWL_OK && i < t->event_count; i++)
        rc = put_outbox(store, item, &t->events[i]);
    for (size_t i = 0; rc == SQLITE_OK && i < t->undo_count; i++)
        rc = pw_sqlite_undo_put(store, item, &t->undo[i]);
    for (size_t i = 0; rc == SQLITE_OK && item->code == PAWL_OK && i < t->undo_change_count; i++)
        rc = pw_sqlite_undo_change(store, item, &t->undo_changes[i]);
    if (rc == SQLITE_OK && item->code == PAWL_OK && t->resolution.len > 0)
        rc = pw_sqlite_faults_resolve(store, item);
    if (rc == SQLITE_OK && item->code == PAWL_OK && t->fault)
        rc = pw_sqlite_fault_put(store, item, t->fault);
    if (rc == SQLITE_OK && item->code == PAWL_OK && item->inbox.key.ptr)
        rc = use_inbox(store, item);
    for (size_t i = 0; rc == SQLITE_OK && item->code == PAWL_OK && i < t->message_count; i++)
        rc = put_message(store, item, &t->messages[i]);
    PW_FAULT("store-after-writes");
    return rc;
}

/* Sets item->code. SQLITE_OK: go on; the item may be refused, and *dirty says that some of it was
 * written. Else: the batch has failed. */
static int write_item(pw_sqlite *store, pw_commit_item *item, bool *dirty)
{
    *dirty = false;
    item->code = PAWL_OK;
    bool left = false;
    int rc = guarded_write(store, item, &left);
    if (rc == SQLITE_OK && item->code == PAWL_OK) {
        PW_FAULT("store-after-update");
        *dirty = true;
        rc = write_rows(store, item, left);
    }
    if (rc != SQLITE_OK && pw_sqlite_is_row_failure(rc)) {
        item->code = pw_sqlite_fail(&store->writer, rc, "commit", &item->error);
        (void)pw_error_context(&item->error, item->code, "instance '" PW_FMT "'",
                               PW_ARG(item->instance));
        rc = SQLITE_OK;
    }
    *dirty = *dirty && item->code != PAWL_OK;
    return rc;
}

/* ---- the batch */

/* Leaves out what was refused before it came here, and what is fenced: only the owner writes the
 * file, so what it took last is what the table says, and comparing costs no statement. Gives how
 * many are left. */
static size_t choose(const pw_sqlite *store, bool *skip, pw_commit_item *items, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].code == PAWL_OK && items[i].epoch != 0 &&
            store->epochs[pw_store_partition(items[i].instance)] != items[i].epoch)
            (void)pw_store_fenced(&items[i]);
        skip[i] = items[i].code != PAWL_OK;
        left += skip[i] ? 0 : 1;
    }
    return left;
}

/* All items, inside the transaction. *poison: an item that was partly written was refused, so this
 * pass is worth nothing. */
static int write_all(pw_sqlite *store, pw_commit_item *items, const bool *skip, size_t count,
                     bool *poison)
{
    *poison = false;
    for (size_t i = 0; i < count && !*poison; i++) {
        int rc = skip[i] ? SQLITE_OK : write_item(store, &items[i], poison);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

static int write_each_alone(pw_sqlite *store, pw_commit_item *items, const bool *skip, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (skip[i])
            continue;
        bool dirty = false;
        int rc = control(store, PW_SQLITE_SQL_SAVEPOINT);
        if (rc == SQLITE_OK)
            rc = write_item(store, &items[i], &dirty);
        if (rc == SQLITE_OK && dirty)
            rc = control(store, PW_SQLITE_SQL_SAVEPOINT_UNDO);
        if (rc == SQLITE_OK)
            rc = control(store, PW_SQLITE_SQL_SAVEPOINT_DONE);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

static pawl_code write_batch(pw_sqlite *store, pw_commit_item *items, const bool *skip,
                             size_t count, pawl_error *err)
{
    bool poison = false;
    pawl_code code = begin(store, err);
    if (code != PAWL_OK)
        return code;
    int rc = write_all(store, items, skip, count, &poison);
    if (rc == SQLITE_OK && poison) {
        add(&store->bisections, 1);
        rollback(store);
        code = begin(store, err);
        if (code != PAWL_OK)
            return code;
        rc = write_each_alone(store, items, skip, count);
    }
    if (rc != SQLITE_OK)
        return pw_sqlite_write_failed(store, rc, "commit", err);
    return commit(store, err);
}

pawl_code pw_sqlite_commit(pw_store *base, pw_commit_item *items, size_t count, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    bool few[256], *skip = few;
    if (count > PW_LENGTH(few) && !(skip = pw_alloc(count * sizeof *skip)))
        return pw_no_memory(err);
    pawl_code code = PAWL_OK;
    PW_FAULT("store-before-begin");
    pthread_mutex_lock(&store->write_lock);
    if (choose(store, skip, items, count) > 0)
        code = write_batch(store, items, skip, count, err);
    pthread_mutex_unlock(&store->write_lock);
    for (size_t i = 0; code == PAWL_OK && i < count; i++) {
        add(&store->items, items[i].code == PAWL_OK ? 1 : 0);
        add(&store->conflicts, items[i].code == PAWL_CONFLICT ? 1 : 0);
    }
    if (skip != few)
        pw_free(skip);
    return code;
}

/* ---- definitions and inbox */

static pawl_code put_definition(pw_sqlite *store, const pw_definition *d, bool *created,
                                pawl_error *err)
{
    int changes = 0;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_DEFINITION_PUT);
    pw_bind_text(&q, 1, d->namespace_);
    pw_bind_text(&q, 2, d->name);
    pw_bind_text(&q, 3, d->version);
    pw_bind_text(&q, 4, d->digest);
    pw_bind_int(&q, 5, d->level);
    pw_bind_int(&q, 6, d->created_ms);
    pw_bind_text(&q, 7, d->document);
    pw_bind_int(&q, 8, d->scheduled);
    int rc = pw_sqlite_write(store, &q, &changes);
    *created = changes > 0;
    if (rc == SQLITE_OK && changes > 0)
        return PAWL_OK;
    bool same = false;
    if (rc == SQLITE_OK) {
        q = pw_query_begin(&store->writer, PW_SQLITE_SQL_DEFINITION_DIGEST);
        pw_bind_text(&q, 1, d->namespace_);
        pw_bind_text(&q, 2, d->name);
        pw_bind_text(&q, 3, d->version);
        if (pw_query_row(&q)) {
            pw_str digest = { sqlite3_column_blob(q.statement, 0),
                              (size_t)sqlite3_column_bytes(q.statement, 0) };
            same = pw_str_eq(digest, d->digest);
        }
        rc = pw_query_end(&q);
    }
    if (rc != SQLITE_OK)
        return pw_sqlite_write_failed(store, rc, "deploy", err);
    return same ? PAWL_OK : pw_store_definition_conflict(err, d);
}

pawl_code pw_sqlite_definition_put(pw_store *base, const pw_definition *definition, bool *created,
                                   pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    bool made = false;
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    code = pw_sqlite_end(store, put_definition(store, definition, &made, err), err);
    if (code == PAWL_OK)
        *created = made;
    PW_FAULT("store-after-definition");
    return code;
}

static pawl_code set_status(pw_sqlite *store, const pw_definition *d, pawl_error *err)
{
    int changes = 0;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_DEFINITION_STATUS);
    pw_bind_text(&q, 1, d->namespace_);
    pw_bind_text(&q, 2, d->name);
    pw_bind_text(&q, 3, d->version);
    pw_bind_text(&q, 4, pw_str_of(pw_definition_status_name(d->status)));
    int rc = pw_sqlite_write(store, &q, &changes);
    if (rc != SQLITE_OK)
        return pw_sqlite_write_failed(store, rc, "set the status of a definition", err);
    return changes > 0 ? PAWL_OK : pw_store_no_version(err, d->name, d->version);
}

pawl_code pw_sqlite_definition_status(pw_store *base, pw_str namespace_, pw_str name,
                                      pw_str version, pw_definition_status status, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    const pw_definition d = {
        .namespace_ = namespace_, .name = name, .version = version, .status = status
    };
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    return pw_sqlite_end(store, set_status(store, &d, err), err);
}

static pawl_code put_command(pw_sqlite *store, const pw_inbox_row *row, pawl_error *err)
{
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_INSTANCE_EXISTS);
    pw_bind_text(&q, 1, row->target);
    bool exists = pw_query_row(&q);
    int rc = pw_query_end(&q), changes = 0;
    if (rc == SQLITE_OK && !exists)
        return pw_store_not_found(err, "instance", row->target);
    pw_inbox_row fresh = *row;
    fresh.consumed_step = 0;
    fresh.answer = (pw_str){ NULL, 0 };
    if (rc == SQLITE_OK)
        rc = put_inbox(store, &fresh, &changes);
    if (rc == SQLITE_OK && changes > 0)
        return PAWL_OK;
    bool same = false;
    if (rc == SQLITE_OK) {
        q = pw_query_begin(&store->writer, PW_SQLITE_SQL_INBOX_GET);
        pw_bind_text(&q, 1, row->target);
        pw_bind_text(&q, 2, row->key);
        if (pw_query_row(&q)) {
            pw_str kind = { sqlite3_column_blob(q.statement, 2),
                            (size_t)sqlite3_column_bytes(q.statement, 2) };
            pw_str payload = { sqlite3_column_blob(q.statement, 3),
                               (size_t)sqlite3_column_bytes(q.statement, 3) };
            same = pw_str_eq(kind, row->kind) && pw_str_eq(payload, row->payload);
        }
        rc = pw_query_end(&q);
    }
    if (rc != SQLITE_OK)
        return pw_sqlite_write_failed(store, rc, "store a command", err);
    return same ? PAWL_OK : pw_store_inbox_conflict(err, row);
}

pawl_code pw_sqlite_inbox_put(pw_store *base, const pw_inbox_row *row, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    return pw_sqlite_end(store, put_command(store, row, err), err);
}

static pawl_code return_command(pw_sqlite *store, pw_str target, pw_str key,
                                const pw_inbox_row *reply, pawl_error *err)
{
    int changes = 0;
    pw_query q = pw_query_begin(&store->writer, PW_SQLITE_SQL_INBOX_DROP);
    pw_bind_text(&q, 1, target);
    pw_bind_text(&q, 2, key);
    int rc = pw_sqlite_write(store, &q, &changes);
    if (rc == SQLITE_OK && changes == 0)
        return pw_store_not_found(err, "command", key);
    bool asked = false; /* whoever did may be gone */
    if (rc == SQLITE_OK && reply) {
        int64_t one = 0;
        q = pw_query_begin(&store->writer, PW_SQLITE_SQL_INSTANCE_EXISTS);
        pw_bind_text(&q, 1, reply->target);
        rc = pw_sqlite_look(store, &q, &one, &asked);
    }
    if (rc == SQLITE_OK && asked) {
        pw_inbox_row fresh = *reply;
        fresh.consumed_step = 0;
        fresh.answer = (pw_str){ NULL, 0 };
        rc = put_inbox(store, &fresh, NULL);
    }
    return rc == SQLITE_OK ? PAWL_OK : pw_sqlite_write_failed(store, rc, "return a command", err);
}

pawl_code pw_sqlite_inbox_return(pw_store *base, pw_str target, pw_str key,
                                 const pw_inbox_row *reply, pawl_error *err)
{
    pw_sqlite *store = pw_sqlite_of(base);
    pawl_code code = pw_sqlite_begin(store, err);
    if (code != PAWL_OK)
        return code;
    return pw_sqlite_end(store, return_command(store, target, key, reply, err), err);
}
