/* messages.c - messages from outside in the memory store; what it means is told in
 * sqlite/messages.c. Deliveries are in one list by message, which remembers those that were taken
 * or given back, and while they wait in one of their instance, too. */
#include "store/memory/reading.h"

typedef struct name {
    pw_str source, id;
    uint64_t number;
} name;

typedef pw_mem_delivery delivery;

static const pw_mem_shape name_shape = SHAPE(name, IN(name, source), IN(name, id));
static const pw_mem_shape key_shape = SHAPE(pw_message_key, IN(pw_message_key, hash));
static const pw_mem_shape delivery_shape = SHAPE(delivery, IN(delivery, instance));

/* ---- orders */

static int compare_message(const void *item, const void *key)
{
    return pw_mem_by_number(((const pw_message_row *)item)->number, *(const uint64_t *)key);
}

static int compare_name(const void *item, const void *key)
{
    const name *a = item, *b = key;
    int order = pw_str_cmp(a->source, b->source);
    return order ? order : pw_str_cmp(a->id, b->id);
}

static int compare_key(const void *item, const void *key)
{
    const pw_message_key *a = item, *b = key;
    int order = pw_str_cmp(a->hash, b->hash);
    return order ? order : pw_mem_by_number(a->number, b->number);
}

static int compare_key_of(const void *item, const void *key)
{
    const pw_message_key *a = item, *b = key;
    int order = pw_mem_by_number(a->number, b->number);
    return order ? order : pw_str_cmp(a->hash, b->hash);
}

static int compare_matcher(const void *item, const void *key)
{
    return pw_str_cmp(((const pw_matcher_row *)item)->matcher.digest, *(const pw_str *)key);
}

static int by_place(const pw_subscription *a, const pw_subscription *b)
{
    int order = pw_mem_by_number(a->visit, b->visit);
    return order ? order : pw_mem_by_number(a->ordinal, b->ordinal);
}

/* Within an instance. */
static int compare_place(const void *item, const void *key)
{
    const pw_subscription_row *a = item, *b = key;
    return by_place(&a->subscription, &b->subscription);
}

static int compare_subscription(const void *item, const void *key)
{
    const pw_subscription_row *a = item, *b = key;
    int order = pw_str_cmp(a->subscription.hash, b->subscription.hash);
    order = order ? order : pw_str_cmp(a->instance, b->instance);
    return order ? order : by_place(&a->subscription, &b->subscription);
}

static int compare_delivery(const void *item, const void *key)
{
    const delivery *a = item, *b = key;
    int order = pw_mem_by_number(a->number, b->number);
    order = order ? order : pw_str_cmp(a->instance, b->instance);
    return order ? order : pw_mem_by_number(a->visit, b->visit);
}

/* Within an instance. */
static int compare_waiting(const void *item, const void *key)
{
    const delivery *a = item, *b = key;
    int order = pw_mem_by_number(a->number, b->number);
    return order ? order : pw_mem_by_number(a->visit, b->visit);
}

/* ---- rows of a step */

static bool listens(const pw_mem_instance *in, uint64_t visit)
{
    for (size_t i = 0; i < in->bookmarks.count; i++) {
        const pw_bookmark_row *row = in->bookmarks.items[i];
        if (row->open && row->bookmark.visit == visit && row->bookmark.kind == PW_BOOKMARK_MESSAGE)
            return true;
    }
    return false;
}

static bool put_matcher(pw_memory *m, const pw_matcher *matcher)
{
    bool found = false;
    size_t at = pw_mem_find(&m->matchers, compare_matcher, &matcher->digest, &found);
    pw_matcher_row row = { .matcher = *matcher };
    return found || pw_mem_put(m, &m->matchers, at, pw_mem_row_new(&pw_mem_matcher_shape, &row));
}

bool pw_mem_subscription_put(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                             const pw_subscription *s)
{
    if (!listens(in, s->visit)) {
        (void)pw_store_nothing_listens(item, s);
        return true;
    }
    pw_subscription_row row = { .instance = item->instance, .subscription = *s };
    row.subscription.matcher.type = row.subscription.matcher.parts = (pw_str){ "", 0 };
    bool found = false;
    size_t at = pw_mem_find(&in->subscriptions, compare_place, &row, &found);
    if (found) {
        item->code = pw_fail(&item->error, PAWL_INVALID,
                             "instance '" PW_FMT "': refused by the store: visit %llu has a "
                             "subscription %u already",
                             PW_ARG(item->instance), (unsigned long long)s->visit, s->ordinal);
        return true;
    }
    if (!put_matcher(m, &s->matcher) ||
        !pw_mem_put(m, &in->subscriptions, at, pw_mem_row_new(&pw_mem_subscription_shape, &row)))
        return false;
    at = pw_mem_find(&m->subscriptions, compare_subscription, &row, &found);
    return pw_mem_put(m, &m->subscriptions, at, pw_mem_row_new(&pw_mem_subscription_shape, &row));
}

/* The one at this place of its instance, in both lists. */
static bool end_subscription(pw_memory *m, pw_mem_instance *in, size_t at)
{
    bool found = false;
    size_t there =
        pw_mem_find(&m->subscriptions, compare_subscription, in->subscriptions.items[at], &found);
    PW_ASSERT(found);
    return pw_mem_remove(m, &m->subscriptions, there) && pw_mem_remove(m, &in->subscriptions, at);
}

bool pw_mem_subscription_end(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                             const pw_subscription_end *end)
{
    pw_subscription_row key = { .subscription = { .visit = end->visit, .ordinal = end->ordinal } };
    bool found = false;
    size_t at = pw_mem_find(&in->subscriptions, compare_place, &key, &found);
    if (!found) {
        (void)pw_store_no_such_subscription(item, end);
        return true;
    }
    return end_subscription(m, in, at);
}

bool pw_mem_subscriptions_end(pw_memory *m, pw_mem_instance *in, uint64_t visit)
{
    for (size_t i = in->subscriptions.count; i-- > 0;) {
        const pw_subscription_row *row = in->subscriptions.items[i];
        if (row->subscription.visit == visit && !end_subscription(m, in, i))
            return false;
    }
    return true;
}

bool pw_mem_subscriptions_end_all(pw_memory *m, pw_mem_instance *in)
{
    for (size_t i = in->subscriptions.count; i-- > 0;)
        if (!end_subscription(m, in, i))
            return false;
    return true;
}

/* ---- deliveries */

static bool put_delivery(pw_memory *m, pw_mem_instance *in, const delivery *d, size_t at)
{
    bool found = false;
    size_t waiting = pw_mem_find(&in->deliveries, compare_waiting, d, &found);
    return pw_mem_put(m, &m->deliveries, at, pw_mem_row_new(&delivery_shape, d)) &&
           pw_mem_put(m, &in->deliveries, waiting, pw_mem_row_new(&delivery_shape, d));
}

/* It waits no longer: taken in a step, or given back (0). */
static bool settle(pw_memory *m, pw_mem_instance *in, size_t at, uint64_t step)
{
    delivery d = *(const delivery *)m->deliveries.items[at];
    bool found = false;
    size_t waiting = pw_mem_find(&in->deliveries, compare_waiting, &d, &found);
    PW_ASSERT(found && d.waits);
    d.waits = false;
    d.step = step;
    return pw_mem_replace(m, &m->deliveries, at, pw_mem_row_new(&delivery_shape, &d)) &&
           pw_mem_remove(m, &in->deliveries, waiting);
}

bool pw_mem_delivery_take(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                          const pw_message_taken *taken)
{
    delivery key = { .instance = item->instance, .visit = taken->visit, .number = taken->number };
    bool found = false;
    size_t at = pw_mem_find(&m->deliveries, compare_delivery, &key, &found);
    const delivery *there = found ? m->deliveries.items[at] : NULL;
    if (!there || !there->waits) {
        (void)pw_store_not_delivered(item, taken, there && there->step > 0);
        return true;
    }
    return settle(m, in, at, item->token + 1);
}

/* The first delivery of a message; those of it follow. */
static size_t first_of(const pw_memory *m, uint64_t number)
{
    delivery key = { .instance = { "", 0 }, .number = number };
    bool found = false;
    return pw_mem_find(&m->deliveries, compare_delivery, &key, &found);
}

static const delivery *delivery_at(const pw_memory *m, size_t at, uint64_t number)
{
    const delivery *d = at < m->deliveries.count ? m->deliveries.items[at] : NULL;
    return d && d->number == number ? d : NULL;
}

/* Somebody has it, or will have. */
static bool lives(const pw_memory *m, uint64_t number)
{
    const delivery *d;
    for (size_t at = first_of(m, number); (d = delivery_at(m, at, number)) != NULL; at++)
        if (d->waits || d->step > 0)
            return true;
    return false;
}

static bool waits(const pw_memory *m, uint64_t number)
{
    const delivery *d;
    for (size_t at = first_of(m, number); (d = delivery_at(m, at, number)) != NULL; at++)
        if (d->waits)
            return true;
    return false;
}

/* ---- what is received */

static const pw_message_row *message_of(const pw_memory *m, uint64_t number, size_t *at)
{
    bool found = false;
    *at = pw_mem_find(&m->messages, compare_message, &number, &found);
    return found ? m->messages.items[*at] : NULL;
}

/* One that other rows refer to. */
static const pw_message_row *known_message(const pw_memory *m, uint64_t number)
{
    size_t at = 0;
    const pw_message_row *row = message_of(m, number, &at);
    PW_ASSERT(row != NULL);
    return row;
}

static bool move(pw_memory *m, uint64_t number, pw_message_state state)
{
    pw_message_row row = *known_message(m, number);
    size_t at = 0;
    (void)message_of(m, number, &at);
    row.state = state;
    return pw_mem_replace(m, &m->messages, at, pw_mem_row_new(&pw_mem_message_shape, &row));
}

static bool put_message(pw_memory *m, pw_message_row *row)
{
    name key = { .source = row->source, .id = row->id };
    bool found = false;
    size_t at = pw_mem_find(&m->message_names, compare_name, &key, &found);
    row->existed = found;
    if (found) {
        row->number = ((const name *)m->message_names.items[at])->number;
        row->state = known_message(m, row->number)->state;
        return true;
    }
    const pw_message_row *newest =
        m->messages.count > 0 ? m->messages.items[m->messages.count - 1] : NULL;
    row->number = key.number = newest ? newest->number + 1 : 1;
    row->state = PW_MESSAGE_NEW;
    pw_message_row fresh = *row;
    if (fresh.actor.len == 0)
        fresh.actor = PW_LIT("system");
    fresh.existed = true; /* for who reads it */
    return pw_mem_put(m, &m->message_names, at, pw_mem_row_new(&name_shape, &key)) &&
           pw_mem_put(m, &m->messages, m->messages.count,
                      pw_mem_row_new(&pw_mem_message_shape, &fresh));
}

pawl_code pw_memory_messages_put(pw_store *base, pw_message_row *given, size_t count,
                                 pawl_error *err)
{
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    for (size_t i = 0; code == PAWL_OK && i < count; i++)
        if (!put_message(pw_memory_of(base), &given[i]))
            code = pw_no_memory(err);
    return pw_mem_end(base, code, err);
}

/* ---- keys of what is kept */

static bool put_key(pw_memory *m, pw_str hash, uint64_t number)
{
    pw_message_key key = { .hash = hash, .number = number };
    bool found = false;
    size_t at = pw_mem_find(&m->message_keys, compare_key, &key, &found);
    if (found)
        return true;
    size_t of = pw_mem_find(&m->message_keys_of, compare_key_of, &key, &found);
    return pw_mem_put(m, &m->message_keys, at, pw_mem_row_new(&key_shape, &key)) &&
           pw_mem_put(m, &m->message_keys_of, of, pw_mem_row_new(&key_shape, &key));
}

static bool drop_keys(pw_memory *m, uint64_t number)
{
    pw_message_key key = { .hash = { "", 0 }, .number = number };
    bool found = false;
    size_t of = pw_mem_find(&m->message_keys_of, compare_key_of, &key, &found);
    while (of < m->message_keys_of.count &&
           ((const pw_message_key *)m->message_keys_of.items[of])->number == number) {
        size_t at =
            pw_mem_find(&m->message_keys, compare_key, m->message_keys_of.items[of], &found);
        PW_ASSERT(found);
        if (!pw_mem_remove(m, &m->message_keys, at) || !pw_mem_remove(m, &m->message_keys_of, of))
            return false;
    }
    return true;
}

static bool has_key(const pw_memory *m, pw_str hash)
{
    pw_message_key key = { .hash = hash, .number = 0 };
    bool found = false;
    size_t at = pw_mem_find(&m->message_keys, compare_key, &key, &found);
    return at < m->message_keys.count &&
           pw_str_eq(((const pw_message_key *)m->message_keys.items[at])->hash, hash);
}

pawl_code pw_memory_message_keys_put(pw_store *base, pw_str matcher, const pw_message_key *keys,
                                     size_t count, bool complete, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    for (size_t i = 0; code == PAWL_OK && i < count; i++) {
        size_t at = 0;
        const pw_message_row *row = message_of(m, keys[i].number, &at);
        if (row && row->state == PW_MESSAGE_KEPT && !put_key(m, keys[i].hash, keys[i].number))
            code = pw_no_memory(err);
    }
    if (code == PAWL_OK && complete) {
        bool found = false;
        size_t at = pw_mem_find(&m->matchers, compare_matcher, &matcher, &found);
        if (found) {
            pw_matcher_row row = *(const pw_matcher_row *)m->matchers.items[at];
            row.complete = true;
            if (!pw_mem_replace(m, &m->matchers, at, pw_mem_row_new(&pw_mem_matcher_shape, &row)))
                code = pw_no_memory(err);
        } else {
            code = pw_store_not_found(err, "matcher", matcher);
        }
    }
    return pw_mem_end(base, code, err);
}

/* ---- who gets it */

static const pw_mem_shape target_shape =
    SHAPE(pw_delivery_target, IN(pw_delivery_target, instance));

static bool deliver(pw_memory *m, pw_message_route *route, pw_str hash, rows *targets)
{
    pw_subscription_row key = { .instance = { "", 0 }, .subscription = { .hash = hash } };
    bool found = false;
    size_t i = pw_mem_find(&m->subscriptions, compare_subscription, &key, &found);
    for (; i < m->subscriptions.count; i++) {
        const pw_subscription_row *row = m->subscriptions.items[i];
        if (!pw_str_eq(row->subscription.hash, hash))
            break;
        delivery d = { .instance = row->instance,
                       .visit = row->subscription.visit,
                       .number = route->number,
                       .waits = true };
        size_t at = pw_mem_find(&m->deliveries, compare_delivery, &d, &found);
        if (found)
            continue; /* its bookmark has it, or had it */
        pw_delivery_target target = { row->instance, pw_store_partition(row->instance) };
        if (!put_delivery(m, pw_mem_instance_of(m, row->instance), &d, at) ||
            !add(targets, &target))
            return false;
        route->delivered++;
    }
    return true;
}

static pawl_code route_one(pw_memory *m, pw_message_route *route, rows *targets, pawl_error *err)
{
    size_t at = 0;
    const pw_message_row *row = message_of(m, route->number, &at);
    if (!row)
        return pw_store_no_message(err, route->number);
    route->delivered = 0;
    route->state = row->state;
    if (route->state != PW_MESSAGE_NEW)
        return PAWL_OK;
    bool good = true;
    for (size_t i = 0; good && i < route->count; i++)
        good = deliver(m, route, route->hashes[i], targets);
    route->state = lives(m, route->number) ? PW_MESSAGE_DELIVERED : PW_MESSAGE_KEPT;
    good = good && move(m, route->number, route->state);
    for (size_t i = 0; good && route->state == PW_MESSAGE_KEPT && i < route->count; i++)
        good = put_key(m, route->hashes[i], route->number);
    return good && !targets->arena->failed ? PAWL_OK : pw_no_memory(err);
}

pawl_code pw_memory_messages_route(pw_store *base, uint64_t matchers, pw_message_route *routes,
                                   size_t count, int64_t now_ms, pw_delivery_target **targets,
                                   size_t *target_count, pw_arena *arena, pawl_error *err)
{
    (void)now_ms;
    pw_memory *m = pw_memory_of(base);
    rows list = { .shape = &target_shape, .arena = arena };
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    if (m->matchers.count > matchers)
        code = pw_store_more_matchers(err);
    for (size_t i = 0; code == PAWL_OK && i < count; i++)
        code = route_one(m, &routes[i], &list, err);
    code = pw_mem_end(base, code, err);
    if (code == PAWL_OK) {
        *targets = (pw_delivery_target *)(void *)list.items;
        *target_count = list.count;
    }
    return code;
}

/* ---- claims and returns */

static bool subscribed(const pw_memory *m, const delivery *d, pw_str hash)
{
    pw_subscription_row key = { .instance = d->instance,
                                .subscription = { .hash = hash, .visit = d->visit } };
    bool found = false;
    size_t at = pw_mem_find(&m->subscriptions, compare_subscription, &key, &found);
    const pw_subscription_row *row =
        at < m->subscriptions.count ? m->subscriptions.items[at] : NULL;
    return row && pw_str_eq(row->subscription.hash, hash) &&
           pw_str_eq(row->instance, d->instance) && row->subscription.visit == d->visit;
}

/* The oldest kept under the hash that the bookmark has not had; 0: none. */
static uint64_t claimable(const pw_memory *m, const delivery *d, pw_str hash, int64_t now_ms)
{
    pw_message_key key = { .hash = hash, .number = 0 };
    bool found = false;
    size_t i = pw_mem_find(&m->message_keys, compare_key, &key, &found);
    for (; i < m->message_keys.count; i++) {
        const pw_message_key *k = m->message_keys.items[i];
        if (!pw_str_eq(k->hash, hash))
            break;
        delivery had = { .instance = d->instance, .visit = d->visit, .number = k->number };
        (void)pw_mem_find(&m->deliveries, compare_delivery, &had, &found);
        if (!found && known_message(m, k->number)->expires_ms > now_ms)
            return k->number;
    }
    return 0;
}

pawl_code pw_memory_messages_claim(pw_store *base, pw_str instance, uint64_t visit, pw_str hash,
                                   uint32_t most, int64_t now_ms, uint32_t *claimed,
                                   pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    delivery d = { .instance = instance, .visit = visit, .waits = true };
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    uint32_t got = 0;
    bool good = true;
    if (subscribed(m, &d, hash)) {
        for (; good && got < most && (d.number = claimable(m, &d, hash, now_ms)) > 0; got++) {
            bool found = false;
            size_t at = pw_mem_find(&m->deliveries, compare_delivery, &d, &found);
            good = put_delivery(m, pw_mem_instance_of(m, instance), &d, at) &&
                   move(m, d.number, PW_MESSAGE_DELIVERED) && drop_keys(m, d.number);
        }
    }
    code = pw_mem_end(base, good ? PAWL_OK : pw_no_memory(err), err);
    if (code == PAWL_OK)
        *claimed = got;
    return code;
}

static bool give_back(pw_memory *m, const pw_delivery_back *row)
{
    delivery key = { .instance = row->instance, .visit = row->visit, .number = row->number };
    bool found = false;
    size_t at = pw_mem_find(&m->deliveries, compare_delivery, &key, &found);
    if (!found || !((const delivery *)m->deliveries.items[at])->waits)
        return true;
    return settle(m, pw_mem_instance_of(m, row->instance), at, 0) &&
           (lives(m, row->number) || move(m, row->number, PW_MESSAGE_NEW));
}

pawl_code pw_memory_deliveries_give_back(pw_store *base, const pw_delivery_back *given,
                                         size_t count, pawl_error *err)
{
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    for (size_t i = 0; code == PAWL_OK && i < count; i++)
        if (!give_back(pw_memory_of(base), &given[i]))
            code = pw_no_memory(err);
    return pw_mem_end(base, code, err);
}

/* ---- what goes */

/* An instance without an id, which none is, has taken it. */
static bool note_taken(pw_memory *m, uint64_t number)
{
    const delivery nobody = { .instance = { "", 0 }, .number = number, .step = 1 };
    bool found = false;
    size_t at = pw_mem_find(&m->deliveries, compare_delivery, &nobody, &found);
    return found || pw_mem_put(m, &m->deliveries, at, pw_mem_row_new(&delivery_shape, &nobody));
}

static const delivery *delivery_of(const pw_memory *m, size_t at, pw_str instance)
{
    const delivery *d = m->deliveries.items[at];
    return pw_str_eq(d->instance, instance) ? d : NULL;
}

bool pw_mem_deliveries_forget(pw_memory *m, pw_mem_instance *in)
{
    pw_str id = pw_mem_row_of(in)->id;
    const delivery *d;
    bool good = true;
    for (size_t i = 0; good && i < m->deliveries.count; i++)
        if ((d = delivery_of(m, i, id)) != NULL && d->step > 0)
            good = note_taken(m, d->number);
    for (size_t i = m->deliveries.count; good && i-- > 0;) {
        if (!(d = delivery_of(m, i, id)))
            continue;
        uint64_t number = d->number;
        good = (!d->waits || settle(m, in, i, 0)) && pw_mem_remove(m, &m->deliveries, i) &&
               (lives(m, number) || known_message(m, number)->state != PW_MESSAGE_DELIVERED ||
                move(m, number, PW_MESSAGE_NEW));
    }
    return good;
}

/* With its keys, and what is known of who had it. */
static bool forget(pw_memory *m, size_t message)
{
    const pw_message_row *row = m->messages.items[message];
    uint64_t number = row->number;
    name key = { .source = row->source, .id = row->id };
    bool found = false;
    size_t named = pw_mem_find(&m->message_names, compare_name, &key, &found);
    PW_ASSERT(found);
    for (size_t at = first_of(m, number); delivery_at(m, at, number);)
        if (!pw_mem_remove(m, &m->deliveries, at))
            return false;
    return drop_keys(m, number) && pw_mem_remove(m, &m->message_names, named) &&
           pw_mem_remove(m, &m->messages, message);
}

/* The earliest to expire, of those that may go; the newest stays. *at: its place. */
static bool expired(const pw_memory *m, int64_t now_ms, size_t *at)
{
    const pw_message_row *first = NULL;
    for (size_t i = 0; i + 1 < m->messages.count; i++) {
        const pw_message_row *row = m->messages.items[i];
        if (row->expires_ms <= now_ms && row->state != PW_MESSAGE_NEW && !waits(m, row->number) &&
            (!first || row->expires_ms < first->expires_ms)) {
            first = row;
            *at = i;
        }
    }
    return first != NULL;
}

pawl_code pw_memory_messages_expire(pw_store *base, int64_t now_ms, uint32_t most,
                                    uint32_t *deleted, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pawl_code code = pw_mem_begin(base, err);
    if (code != PAWL_OK)
        return code;
    uint32_t gone = 0;
    bool good = true;
    for (size_t at = 0; good && gone < most && expired(m, now_ms, &at); gone++)
        good = forget(m, at);
    code = pw_mem_end(base, good ? PAWL_OK : pw_no_memory(err), err);
    if (code == PAWL_OK)
        *deleted = gone;
    return code;
}

/* ---- reads */

/* Of one state, and of a type if it is given, behind `after`; a page ends as store.h says. */
static void read_messages(const pw_memory *m, rows *list, pw_message_state state, pw_str type,
                          int64_t now_ms, uint64_t after, uint32_t limit)
{
    bool found = false;
    size_t bytes = 0, i = pw_mem_find(&m->messages, compare_message, &after, &found);
    for (; i < m->messages.count && list->count < limit && bytes < PW_MESSAGE_PAGE_BYTES; i++) {
        const pw_message_row *row = m->messages.items[i];
        if (row->number == after || row->state != state || row->expires_ms <= now_ms ||
            (type.len > 0 && !pw_str_eq(row->type, type)))
            continue;
        bytes += row->body.len;
        (void)add(list, row);
    }
}

pawl_code pw_memory_messages_new(pw_store *base, uint64_t after, uint32_t limit,
                                 pw_message_row **out, size_t *count, pw_arena *arena,
                                 pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_message_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    read_messages(m, &r, PW_MESSAGE_NEW, (pw_str){ "", 0 }, INT64_MIN, after, limit);
    return give(m, &r, out, count, err);
}

pawl_code pw_memory_messages_kept(pw_store *base, pw_str type, int64_t now_ms, uint64_t after,
                                  uint32_t limit, pw_message_row **out, size_t *count,
                                  pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_message_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    read_messages(m, &r, PW_MESSAGE_KEPT, type, now_ms, after, limit);
    return give(m, &r, out, count, err);
}

pawl_code pw_memory_message_get(pw_store *base, pw_str source, pw_str id, pw_message_row *out,
                                pw_arena *arena, pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    name key = { .source = source, .id = id };
    bool found = false;
    size_t there = 0;
    pthread_mutex_lock(&m->lock);
    size_t at = pw_mem_find(&m->message_names, compare_name, &key, &found);
    const pw_message_row *row =
        found ? message_of(m, ((const name *)m->message_names.items[at])->number, &there) : NULL;
    return give_one(m, &pw_mem_message_shape, out, row, "message", id, arena, err);
}

pawl_code pw_memory_matchers(pw_store *base, pw_matcher_row **out, size_t *count, pw_arena *arena,
                             pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_matcher_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->matchers.count; i++)
        (void)add(&r, m->matchers.items[i]);
    return give(m, &r, out, count, err);
}

pawl_code pw_memory_matcher_count(pw_store *base, uint64_t *all, uint64_t *complete,
                                  pawl_error *err)
{
    (void)err;
    pw_memory *m = pw_memory_of(base);
    pthread_mutex_lock(&m->lock);
    *all = m->matchers.count;
    *complete = 0;
    for (size_t i = 0; i < m->matchers.count; i++)
        *complete += ((const pw_matcher_row *)m->matchers.items[i])->complete;
    pthread_mutex_unlock(&m->lock);
    return PAWL_OK;
}

static bool is_behind(const pw_subscription_row *row, const pw_subscription_row *after)
{
    int order = pw_str_cmp(row->instance, after->instance);
    return (order ? order : compare_place(row, after)) > 0;
}

/* Instances are in the order of ids, and each has its own in their order. */
typedef bool wanted(const pw_memory *m, const pw_subscription_row *row, const void *context);

static void read_subscriptions(const pw_memory *m, rows *list, const pw_subscription_row *after,
                               uint32_t limit, wanted *is_wanted, const void *context)
{
    bool found = false;
    size_t i = pw_mem_find(&m->instances, pw_mem_compare_instance, &after->instance, &found);
    for (; i < m->instances.count && list->count < limit; i++) {
        const pw_mem_instance *in = m->instances.items[i];
        for (size_t j = 0; j < in->subscriptions.count && list->count < limit; j++) {
            const pw_subscription_row *row = in->subscriptions.items[j];
            if (is_behind(row, after) && is_wanted(m, row, context))
                (void)add(list, row);
        }
    }
}

static bool is_fed(const pw_memory *m, const pw_subscription_row *row, const void *partitions)
{
    return among(*(const uint64_t *)partitions, row->instance) &&
           has_key(m, row->subscription.hash);
}

pawl_code pw_memory_subscriptions_fed(pw_store *base, uint64_t partitions,
                                      const pw_subscription_row *after, uint32_t limit,
                                      pw_subscription_row **out, size_t *count, pw_arena *arena,
                                      pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_subscription_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    read_subscriptions(m, &r, after, limit, is_fed, &partitions);
    return give(m, &r, out, count, err);
}

static bool is_of_instance(const pw_memory *m, const pw_subscription_row *row, const void *instance)
{
    (void)m;
    return pw_str_eq(row->instance, *(const pw_str *)instance);
}

static bool is_of_matcher(const pw_memory *m, const pw_subscription_row *row, const void *digest)
{
    (void)m;
    return pw_str_eq(row->subscription.matcher.digest, *(const pw_str *)digest);
}

pawl_code pw_memory_subscriptions(pw_store *base, pw_str instance, pw_str matcher,
                                  const pw_subscription_row *after, uint32_t limit,
                                  pw_subscription_row **out, size_t *count, pw_arena *arena,
                                  pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &pw_mem_subscription_shape, .arena = arena };
    bool of_instance = instance.len > 0;
    pthread_mutex_lock(&m->lock);
    read_subscriptions(m, &r, after, limit, of_instance ? is_of_instance : is_of_matcher,
                       of_instance ? &instance : &matcher);
    return give(m, &r, out, count, err);
}

static const pw_mem_shape delivery_row_shape =
    SHAPE(pw_delivery_row, IN(pw_delivery_row, source), IN(pw_delivery_row, id),
          IN(pw_delivery_row, actor), IN(pw_delivery_row, body));

pawl_code pw_memory_deliveries(pw_store *base, pw_str instance, uint64_t after, uint32_t limit,
                               pw_delivery_row **out, size_t *count, pw_arena *arena,
                               pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &delivery_row_shape, .arena = arena };
    size_t bytes = 0;
    uint64_t last = 0;
    pthread_mutex_lock(&m->lock);
    const pw_mem_instance *in = pw_mem_instance_of(m, instance);
    for (size_t i = 0; in && i < in->deliveries.count; i++) {
        const delivery *d = in->deliveries.items[i];
        if (d->number <= after)
            continue;
        if ((r.count >= limit || bytes >= PW_MESSAGE_PAGE_BYTES) && d->number != last)
            break;
        const pw_message_row *message = known_message(m, last = d->number);
        pw_delivery_row row = { .visit = d->visit,
                                .number = d->number,
                                .source = message->source,
                                .id = message->id,
                                .actor = message->actor,
                                .body = message->body };
        bytes += row.body.len;
        (void)add(&r, &row);
    }
    return give(m, &r, out, count, err);
}

static const pw_mem_shape text_shape = { sizeof(pw_str), 1, (const size_t[]){ 0 } };

pawl_code pw_memory_deliveries_pending(pw_store *base, uint64_t partitions, pw_str after,
                                       uint32_t limit, pw_str **out, size_t *count, pw_arena *arena,
                                       pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    rows r = { .shape = &text_shape, .arena = arena };
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->instances.count && r.count < limit; i++) {
        const pw_mem_instance *in = m->instances.items[i];
        pw_str id = pw_mem_row_of(in)->id;
        if (in->deliveries.count > 0 && pw_str_cmp(id, after) > 0 && among(partitions, id))
            (void)add(&r, &id);
    }
    return give(m, &r, out, count, err);
}
