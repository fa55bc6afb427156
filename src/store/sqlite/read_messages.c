/* read_messages.c - messages, who waits for them, and what waits to be taken, as the rows of
 * store.h. */
#include "store/sqlite/reading.h"

/* ---- messages */

static void read_message(reading *r, pw_message_row *row)
{
    row->source = text(r, 1);
    row->id = text(r, 2);
    row->number = natural(r, 0, "message", row->id, "its number is negative");
    row->type = text(r, 3);
    row->actor = text(r, 4);
    row->body = text(r, 5);
    row->received_ms = integer(r, 6);
    row->expires_ms = integer(r, 7);
    row->nonce = (uint64_t)integer(r, 9);
    row->existed = true;
    if (!pw_message_state_parse(&row->state, text(r, 8)))
        bad_row(r, "message", row->id, "its state is none that this program knows");
}

/* A page ends behind `limit` rows, by the statement, or when its bodies are many bytes. */
static pawl_code read_messages(reading *r, pw_message_row **out, size_t *count)
{
    rows list = { .size = sizeof(pw_message_row) };
    size_t bytes = 0;
    while (bytes < PW_MESSAGE_PAGE_BYTES && next(r)) {
        pw_message_row *row = add(r, &list);
        if (!row)
            break;
        read_message(r, row);
        bytes += row->body.len;
    }
    pawl_code code = read_end(r);
    *out = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_messages_new(pw_store *base, uint64_t after, uint32_t limit,
                                 pw_message_row **out, size_t *count, pw_arena *arena,
                                 pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_MESSAGES_NEW, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_int(&r.query, 1, (int64_t)after);
    pw_bind_int(&r.query, 2, limit);
    return read_messages(&r, out, count);
}

pawl_code pw_sqlite_messages_kept(pw_store *base, pw_str type, int64_t now_ms, uint64_t after,
                                  uint32_t limit, pw_message_row **out, size_t *count,
                                  pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(
        &r, base, type.len > 0 ? PW_SQLITE_SQL_MESSAGES_KEPT_TYPE : PW_SQLITE_SQL_MESSAGES_KEPT,
        arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_int(&r.query, 1, (int64_t)after);
    pw_bind_int(&r.query, 2, limit);
    pw_bind_int(&r.query, 3, now_ms);
    if (type.len > 0)
        pw_bind_text(&r.query, 4, type);
    return read_messages(&r, out, count);
}

pawl_code pw_sqlite_message_has_expired(pw_store *base, int64_t now_ms, bool *out, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_MESSAGE_EXPIRED, NULL, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_int(&r.query, 1, now_ms);
    pw_bind_int(&r.query, 2, INT64_MIN);
    pw_bind_int(&r.query, 3, 0);
    *out = next(&r);
    return read_end(&r);
}

pawl_code pw_sqlite_message_get(pw_store *base, pw_str source, pw_str id, pw_message_row *out,
                                pw_arena *arena, pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_MESSAGE_GET, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, source);
    pw_bind_text(&r.query, 2, id);
    pw_message_row row = { .number = 0 };
    bool found = next(&r);
    if (found)
        read_message(&r, &row);
    code = read_end(&r);
    if (code == PAWL_OK && !found)
        return pw_store_not_found(err, "message", id);
    if (code == PAWL_OK)
        *out = row;
    return code;
}

/* ---- matchers and subscriptions */

pawl_code pw_sqlite_matchers(pw_store *base, pw_matcher_row **out, size_t *count, pw_arena *arena,
                             pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_MATCHERS, arena, err);
    if (code != PAWL_OK)
        return code;
    rows list = { .size = sizeof(pw_matcher_row) };
    while (next(&r)) {
        pw_matcher_row *row = add(&r, &list);
        if (!row)
            break;
        row->matcher.digest = text(&r, 0);
        row->matcher.type = text(&r, 1);
        row->matcher.parts = text(&r, 2);
        row->complete = integer(&r, 3) != 0;
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_matcher_count(pw_store *base, uint64_t *all, uint64_t *complete,
                                  pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_MATCHER_COUNT, NULL, err);
    if (code != PAWL_OK)
        return code;
    uint64_t counts[2] = { 0, 0 };
    if (next(&r)) {
        counts[0] = (uint64_t)integer(&r, 0);
        counts[1] = (uint64_t)integer(&r, 1);
    }
    code = read_end(&r);
    if (code == PAWL_OK) {
        *all = counts[0];
        *complete = counts[1];
    }
    return code;
}

static void bind_place(reading *r, const pw_subscription_row *after, uint32_t limit)
{
    pw_bind_text(&r->query, 1, after->instance);
    pw_bind_int(&r->query, 2, (int64_t)after->subscription.visit);
    pw_bind_int(&r->query, 3, after->subscription.ordinal);
    pw_bind_int(&r->query, 4, limit);
}

static pawl_code read_subscriptions(reading *r, pw_subscription_row **out, size_t *count)
{
    rows list = { .size = sizeof(pw_subscription_row) };
    while (next(r)) {
        pw_subscription_row *row = add(r, &list);
        if (!row)
            break;
        pw_subscription *s = &row->subscription;
        row->instance = text(r, 0);
        s->visit = natural(r, 1, "subscription", row->instance, "its visit is negative");
        s->ordinal = small(r, 2, "subscription", row->instance, "its ordinal is out of range");
        s->matcher.digest = text(r, 3);
        s->hash = text(r, 4);
    }
    pawl_code code = read_end(r);
    *out = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_subscriptions_fed(pw_store *base, uint64_t partitions,
                                      const pw_subscription_row *after, uint32_t limit,
                                      pw_subscription_row **out, size_t *count, pw_arena *arena,
                                      pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_SUBSCRIPTIONS_FED, arena, err);
    if (code != PAWL_OK)
        return code;
    bind_place(&r, after, limit);
    pw_bind_int(&r.query, 5, (int64_t)partitions);
    return read_subscriptions(&r, out, count);
}

pawl_code pw_sqlite_subscriptions(pw_store *base, pw_str instance, pw_str matcher,
                                  const pw_subscription_row *after, uint32_t limit,
                                  pw_subscription_row **out, size_t *count, pw_arena *arena,
                                  pawl_error *err)
{
    reading r;
    bool of_instance = instance.len > 0;
    pawl_code code = read_begin(&r, base,
                                of_instance ? PW_SQLITE_SQL_SUBSCRIPTIONS_INSTANCE
                                            : PW_SQLITE_SQL_SUBSCRIPTIONS_MATCHER,
                                arena, err);
    if (code != PAWL_OK)
        return code;
    bind_place(&r, after, limit);
    pw_bind_text(&r.query, 5, of_instance ? instance : matcher);
    return read_subscriptions(&r, out, count);
}

/* ---- deliveries */

/* A page goes on while rows have the number of the last one. */
pawl_code pw_sqlite_deliveries(pw_store *base, pw_str instance, uint64_t after, uint32_t limit,
                               pw_delivery_row **out, size_t *count, pw_arena *arena,
                               pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_DELIVERIES, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, instance);
    pw_bind_int(&r.query, 2, (int64_t)after);
    rows list = { .size = sizeof(pw_delivery_row) };
    size_t bytes = 0;
    uint64_t last = 0;
    while (next(&r)) {
        uint64_t number = natural(&r, 1, "delivery", instance, "its number is negative");
        if ((list.count >= limit || bytes >= PW_MESSAGE_PAGE_BYTES) && number != last)
            break;
        pw_delivery_row *row = add(&r, &list);
        if (!row)
            break;
        row->number = last = number;
        row->visit = natural(&r, 0, "delivery", instance, "its visit is negative");
        row->source = text(&r, 2);
        row->id = text(&r, 3);
        row->actor = text(&r, 4);
        row->body = text(&r, 5);
        bytes += row->body.len;
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}

pawl_code pw_sqlite_deliveries_pending(pw_store *base, uint64_t partitions, pw_str after,
                                       uint32_t limit, pw_str **out, size_t *count, pw_arena *arena,
                                       pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, PW_SQLITE_SQL_DELIVERIES_PENDING, arena, err);
    if (code != PAWL_OK)
        return code;
    pw_bind_text(&r.query, 1, after);
    pw_bind_int(&r.query, 2, limit);
    pw_bind_int(&r.query, 3, (int64_t)partitions);
    rows list = { .size = sizeof(pw_str) };
    while (next(&r)) {
        pw_str *id = add(&r, &list);
        if (!id)
            break;
        *id = text(&r, 0);
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}
