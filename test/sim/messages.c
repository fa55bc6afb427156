/* messages.c - what is published, and what must come of it: each message that was accepted is stored
 * once, is looked at by every matcher, reaches a bookmark once, in order, and is at the end either
 * taken by somebody or kept.
 *
 * The n-th message has always the same content, so that it can be sent again. */
#include "sim.h"
#include "base/json.h"
#include "engine/matchers.h"

enum { SENT_MAX = 8192, TAKEN_MAX = 32768 };

static struct sent {
    uint32_t publication; /* of the first try */
    bool tried, told, fresh;
    bool short_lived;
    uint64_t number;  /* in the store; 0: not there, as far as is known */
    uint32_t back_by; /* who gave it back: an alias; UINT32_MAX: several */
    uint32_t taken;   /* how often */
} sent[SENT_MAX];
static uint32_t sent_count;

static struct taken {
    uint32_t alias;
    uint64_t visit, number;
} taken[TAKEN_MAX];
static uint32_t taken_count;

static pw_matchers *matchers;

/* ------------------------------------------------------------------ content */

void sim_message_write(pw_buf *out, uint32_t n)
{
    pw_buf_printf(out,
                  "{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"/sim\",\"type\":\"m%u\","
                  "\"subject\":\"s%u\",\"data\":{\"v\":%u}}",
                  n, n / 3 % 3, n / 9 % 2, n);
}

uint32_t sim_message_new(uint32_t count)
{
    uint32_t first = sent_count;
    PW_ASSERT(first + count <= SENT_MAX);
    for (uint32_t i = 0; i < count; i++)
        sent[sent_count++] = (struct sent){ .publication = first + 1 };
    return first;
}

uint32_t sim_message_count(void)
{
    return sent_count;
}

static uint32_t index_of_id(pw_str id)
{
    uint32_t n = 0;
    for (size_t i = 0; i < id.len; i++)
        n = 10 * n + (uint32_t)(id.ptr[i] - '0');
    PW_ASSERT(n < sent_count);
    return n;
}

static struct sent *of_number(uint64_t number)
{
    for (uint32_t i = 0; i < sent_count; i++)
        if (sent[i].number == number)
            return &sent[i];
    sim_violation("message %llu was never put", (unsigned long long)number);
}

/* ------------------------------------------------------------------ answers */

void sim_message_told(const char *answer, bool short_lived)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value v;
    pawl_code code = pw_json_parse(&v, pw_str_of(answer), NULL, &arena, NULL);
    PW_ASSERT(code == PAWL_OK);
    pw_value rows = pw_get_lit(v, "messages");
    for (uint32_t i = 0; i < rows.count; i++) {
        pw_value row = pw_item(rows, i);
        struct sent *s = &sent[index_of_id(pw_get_text(row, "id"))];
        int64_t number = 0;
        (void)pw_integer(pw_get_lit(row, "number"), &number);
        bool fresh = pw_is(pw_get_lit(row, "duplicate"), PW_FALSE);
        if (s->number != (uint64_t)number)
            sim_violation("message %lld was told stored, and is not", (long long)number);
        if (fresh && s->fresh && !s->short_lived)
            sim_violation("message %lld: two were told that theirs was the first",
                          (long long)number);
        s->fresh = s->fresh || fresh;
        s->told = true;
        s->short_lived = s->short_lived || short_lived;
    }
    pw_arena_done(&arena);
}

void sim_message_short(uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sent[first + i].short_lived = true;
}

/* ------------------------------------------------------------------ what the store does */

void sim_messages_put(const pw_message_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sent *s = &sent[index_of_id(rows[i].id)];
        if (rows[i].existed && s->number != rows[i].number)
            sim_violation("message " PW_FMT " is said to have been there, and was not",
                          PW_ARG(rows[i].id));
        if (!rows[i].existed && s->number && !s->short_lived)
            sim_violation("message " PW_FMT " is there twice", PW_ARG(rows[i].id));
        if (!rows[i].existed) /* another one, after the first has expired */
            s->taken = s->back_by = 0;
        s->number = rows[i].number;
        sim_note("put: message %llu, %s", (unsigned long long)rows[i].number,
                 rows[i].existed ? "again" : "new");
    }
}

/* Every matcher there is has been asked. */
void sim_messages_routed(const pw_message_route *routes, size_t count)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_code code = matchers ? PAWL_OK : pw_matchers_new(&matchers, NULL, NULL);
    if (code == PAWL_OK)
        code = pw_matchers_refresh(matchers, sim_store, NULL);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        pw_buf text;
        pw_value message;
        pw_str *hashes = NULL;
        size_t wanted = 0;
        pw_buf_init(&text, 0);
        sim_message_write(&text, (uint32_t)(of_number(routes[i].number) - sent));
        code = pw_json_parse(&message, pw_buf_view(&text), NULL, &arena, NULL);
        if (code == PAWL_OK)
            code = pw_matchers_hashes(matchers, message, sim_now_ms(), &hashes, &wanted, &arena,
                                      NULL);
        pw_buf_done(&text);
        bool same = wanted == routes[i].count;
        for (size_t j = 0; j < wanted && same; j++)
            same = pw_str_eq(hashes[j], routes[i].hashes[j]);
        if (!same)
            sim_violation("message %llu is routed under %zu hashes, and has %zu",
                          (unsigned long long)routes[i].number, routes[i].count, wanted);
        sim_note("route: message %llu, %u deliveries", (unsigned long long)routes[i].number,
                 routes[i].delivered);
    }
    PW_ASSERT(code == PAWL_OK);
    pw_arena_done(&arena);
}

void sim_messages_given_back(const pw_delivery_back *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sent *s = of_number(rows[i].number);
        uint32_t alias = sim_alias(rows[i].instance);
        s->back_by = s->back_by && s->back_by != alias ? UINT32_MAX : alias;
        sim_note("given back: message %llu by i%u visit %llu", (unsigned long long)rows[i].number,
                 alias, (unsigned long long)rows[i].visit);
    }
}

/* ------------------------------------------------------------------ what instances do */

static bool is_open(pw_str instance, uint64_t visit, pw_arena *arena)
{
    pw_bookmark_row *rows = NULL;
    size_t count = 0;
    pawl_code code = pw_store_bookmarks(sim_store, instance, true, &rows, &count, arena, NULL);
    PW_ASSERT(code == PAWL_OK);
    for (size_t i = 0; i < count; i++)
        if (rows[i].bookmark.visit == visit)
            return true;
    return false;
}

/* Of one publication, and given back by nobody else: the older goes first. Gives the message that the
 * step leaves behind; 0: none. Before the commit. */
uint64_t sim_message_overtaken(const pw_commit_item *item)
{
    const pw_transition *t = item->transition;
    if (!t->taken_count)
        return 0;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_delivery_row *rows = NULL;
    size_t count = 0;
    uint64_t left = 0;
    uint32_t alias = sim_alias(item->instance);
    pawl_code code = pw_store_deliveries(sim_store, item->instance, 0, PW_PAGE_MAX, &rows, &count,
                                         &arena, NULL);
    PW_ASSERT(code == PAWL_OK);
    for (size_t i = 0; i < count && !left; i++)
        for (size_t j = 0; j < t->taken_count && !left; j++) {
            const struct sent *older = of_number(rows[i].number),
                              *newer = of_number(t->taken[j].number);
            if (rows[i].number >= t->taken[j].number || older->publication != newer->publication ||
                (older->back_by && older->back_by != alias))
                continue;
            if (rows[i].visit == t->taken[j].visit ||
                !is_open(item->instance, rows[i].visit, &arena))
                left = rows[i].number;
        }
    pw_arena_done(&arena);
    return left;
}

void sim_messages_taken(const pw_commit_item *item, uint64_t overtaken)
{
    uint32_t alias = sim_alias(item->instance);
    for (size_t i = 0; i < item->transition->taken_count; i++) {
        const pw_message_taken *t = &item->transition->taken[i];
        for (uint32_t j = 0; j < taken_count; j++)
            if (taken[j].alias == alias && taken[j].visit == t->visit &&
                taken[j].number == t->number)
                sim_violation("i%u visit %llu takes message %llu twice", alias,
                              (unsigned long long)t->visit, (unsigned long long)t->number);
        PW_ASSERT(taken_count < TAKEN_MAX);
        taken[taken_count++] = (struct taken){ alias, t->visit, t->number };
        of_number(t->number)->taken++;
        sim_note("  i%u takes message %llu by visit %llu", alias, (unsigned long long)t->number,
                 (unsigned long long)t->visit);
    }
    if (overtaken)
        sim_violation("i%u takes a message before %llu, which is older and waits", alias,
                      (unsigned long long)overtaken);
}

/* ------------------------------------------------------------------ the end */

bool sim_listens(pw_str instance)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_bookmark_row *rows = NULL;
    size_t count = 0;
    bool listens = false;
    pawl_code code = pw_store_bookmarks(sim_store, instance, true, &rows, &count, &arena, NULL);
    PW_ASSERT(code == PAWL_OK);
    for (size_t i = 0; i < count; i++)
        listens = listens || rows[i].bookmark.kind == PW_BOOKMARK_MESSAGE;
    pw_delivery_row *waiting = NULL;
    if (listens)
        code = pw_store_deliveries(sim_store, instance, 0, 1, &waiting, &count, &arena, NULL);
    PW_ASSERT(code == PAWL_OK);
    listens = listens && count == 0;
    pw_arena_done(&arena);
    return listens;
}

/* Something is NEW, or waits for an instance: 0: nothing. */
uint64_t sim_messages_pending(void)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_message_row *rows = NULL;
    pw_str *ids = NULL;
    size_t news = 0, waiting = 0;
    pawl_code code = pw_store_messages_new(sim_store, 0, 1, &rows, &news, &arena, NULL);
    if (code == PAWL_OK)
        code = pw_store_deliveries_pending(sim_store, PW_ALL_PARTITIONS, (pw_str){ "", 0 }, 1, &ids,
                                           &waiting, &arena, NULL);
    PW_ASSERT(code == PAWL_OK);
    uint64_t left = news ? rows[0].number : waiting ? UINT64_MAX : 0;
    pw_arena_done(&arena);
    return left;
}

void sim_check_messages(void)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    if (sim_messages_pending())
        sim_violation("all is well, and a message waits: %llu",
                      (unsigned long long)sim_messages_pending());
    for (uint32_t n = 0; n < sent_count; n++) {
        const struct sent *s = &sent[n];
        pw_message_row row = { 0 };
        pw_str id = pw_arena_printf(&arena, "%u", n);
        pawl_code code = pw_store_message_get(sim_store, PW_LIT("/sim"), id, &row, &arena, NULL);
        if (code != PAWL_OK && (s->told || s->number) && !s->short_lived)
            sim_violation("message %llu was lost", (unsigned long long)s->number);
        if (code != PAWL_OK)
            continue;
        if (row.number != s->number)
            sim_violation("message %u has another number than it was given", n);
        if ((row.state == PW_MESSAGE_DELIVERED) != (s->taken > 0))
            sim_violation("message %llu was taken %u times, and is %s",
                          (unsigned long long)s->number, s->taken,
                          row.state == PW_MESSAGE_DELIVERED ? "delivered" : "kept");
    }
    pw_arena_done(&arena);
}
