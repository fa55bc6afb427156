/* conformance_publish.c - what both stores promise about publishing: which sinks want an event,
 * the order of an instance's events, what an attempt's end writes, dead letters; and what a page
 * costs on disk. */
#include <sqlite3.h>

#include "conformance.h"
#include "sqlite_sql.h"

/* ---- what they are given */

/* "a" takes everything; "b" orders only. */
static void have_sinks(fixture *f)
{
    const pw_str orders[] = { S("order.*") };
    const pw_sink_wants sinks[] = { { .name = S("a") },
                                    { .name = S("b"), .types = orders, .type_count = 1 } };
    EXPECT_OK(pw_store_sinks(f->store, sinks, 2, &f->err), f->err);
}

/* As `restart`, with the sinks. */
static void open_again(fixture *f)
{
    restart(f);
    if (f->on_disk)
        have_sinks(f);
}

static void begin(fixture *f)
{
    have_definition(f);
    have_sinks(f);
}

/* A step that emits `count` events of a type, and nothing else. */
static void emit(fixture *f, const char *instance, uint64_t token, const char *type, size_t count,
                 int64_t now_ms)
{
    static char ids[64][64];
    pw_outbox_event events[64];
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "%s-%llu-%zu", instance,
                       (unsigned long long)token + 1, i + 1);
        events[i] = (pw_outbox_event){
            .id = S(ids[i]), .type = S(type), .source = S("/shop"), .payload = S("{\"data\":1}")
        };
    }
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.events = events;
    t.event_count = count;
    step(f, instance, token, &t, now_ms);
}

static pw_publish_row *due(fixture *f, const char *sink, int64_t now_ms, uint32_t limit,
                           size_t *count)
{
    pw_publish_row *rows = NULL;
    *count = 0;
    EXPECT_OK(pw_store_publish_due(f->store, S(sink), PW_ALL_PARTITIONS, now_ms, limit, &rows,
                                   count, &f->arena, &f->err),
              f->err);
    return rows;
}

/* Ids of a page, with blanks. */
static void expect_due(fixture *f, const char *sink, int64_t now_ms, uint32_t limit,
                       const char *expected)
{
    char ids[1024] = "";
    size_t count = 0;
    const pw_publish_row *rows = due(f, sink, now_ms, limit, &count);
    for (size_t i = 0; i < count; i++)
        (void)snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s" PW_FMT, i ? " " : "",
                       PW_ARG(rows[i].event.event.id));
    EXPECT_TEXT(ids, expected);
}

static pw_publish_end end_of(const char *instance, uint64_t step_, uint64_t ordinal,
                             const char *sink, pw_publish_state state)
{
    return (pw_publish_end){ .instance = S(instance),
                             .sequence = step_,
                             .ordinal = ordinal,
                             .sink = S(sink),
                             .state = state };
}

static bool end(fixture *f, pw_publish_end one, int64_t now_ms)
{
    EXPECT_OK(pw_store_publish_end(f->store, &one, 1, now_ms, &f->err), f->err);
    return one.written;
}

static bool done(fixture *f, const char *instance, uint64_t step_, uint64_t ordinal,
                 const char *sink)
{
    return end(f, end_of(instance, step_, ordinal, sink, PW_PUBLISH_DONE), 5000);
}

static bool dead(fixture *f, const char *instance, uint64_t step_, uint64_t ordinal,
                 const char *sink, const char *error)
{
    pw_publish_end one = end_of(instance, step_, ordinal, sink, PW_PUBLISH_DEAD);
    one.attempts = 3;
    one.error = S(error);
    return end(f, one, 5000);
}

static bool again(fixture *f, const char *instance, uint64_t step_, uint64_t ordinal,
                  const char *sink, uint32_t attempts, int64_t next_ms)
{
    pw_publish_end one = end_of(instance, step_, ordinal, sink, PW_PUBLISH_PENDING);
    one.attempts = attempts;
    one.next_ms = next_ms;
    one.error = S("503");
    return end(f, one, 5000);
}

static pw_publish_row letter(fixture *f, const char *event, const char *sink)
{
    pw_publish_row row;
    EXPECT_OK(pw_store_letter_get(f->store, S(event), S(sink), &row, &f->arena, &f->err), f->err);
    return row;
}

static bool change(fixture *f, const char *event, const char *sink, bool requeue, int64_t now_ms)
{
    bool changed = false;
    EXPECT_OK(pw_store_letter_change(f->store, S(event), S(sink), requeue, S("kim"),
                                     S("it is up again"), now_ms, &changed, &f->err),
              f->err);
    return changed;
}

/* ---- sinks */

TEST(publish, a_pattern_is_a_text_with_stars)
{
    static const struct {
        const char *pattern, *text;
        bool fits;
    } cases[] = {
        { "*", "", true },
        { "*", "order.placed", true },
        { "order.*", "order.placed", true },
        { "order.*", "order.", true },
        { "order.*", "order", false },
        { "order.placed", "order.placed", true },
        { "order.placed", "order.placed2", false },
        { "*.placed", "order.placed", true },
        { "*.placed", "order.placed.placed", true },
        { "o*r*d", "order.placed", true },
        { "o*r*x", "order.placed", false },
        { "**a**b", "ab", true },
        { "", "", true },
        { "", "a", false },
        { "order.?laced", "order.placed", false },
        { "a*aab", "aaaab", true },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        if (pw_store_pattern_fits(S(cases[i].pattern), S(cases[i].text)) != cases[i].fits)
            fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].text);
}

STORE_TEST(sinks_have_names_that_can_be_told_apart)
{
    static const char *const bad[] = {
        "", "a b", "a/b", "\xc3\xa4",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* one more than it may */
    };
    static const pw_sink_wants many[PW_SINKS_MAX + 1];
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        const pw_sink_wants one = { .name = S(bad[i]) };
        EXPECT_INT(pw_store_sinks(f->store, &one, 1, &f->err), PAWL_INVALID);
    }
    const pw_sink_wants two[] = { { .name = S("a") }, { .name = S("a") } };
    EXPECT_INT(pw_store_sinks(f->store, two, 2, &f->err), PAWL_INVALID);
    EXPECT_TEXT(f->err.message, "there are two sinks 'a'");
    EXPECT_INT(pw_store_sinks(f->store, many, PW_LENGTH(many), &f->err), PAWL_INVALID);
    EXPECT_TEXT(f->err.message, "there may be at most 32 sinks, not 33");
    EXPECT_OK(pw_store_sinks(f->store, NULL, 0, &f->err), f->err);
}

STORE_TEST(an_event_is_for_the_sinks_that_want_its_type_and_its_source)
{
    const pw_str types[] = { S("mail.*"), S("order.*") };
    const pw_str sources[] = { S("/shop"), S("/none") };
    const pw_sink_wants sinks[] = {
        { .name = S("all") },
        { .name = S("typed"), .types = types, .type_count = 2 },
        { .name = S("both"),
          .types = types,
          .sources = sources,
          .type_count = 1,
          .source_count = 2 },
        { .name = S("none"), .sources = sources + 1, .source_count = 1 },
    };
    have_definition(f);
    have_instance(f, "before", 1000);
    emit(f, "before", 1, "order.placed", 1, 1000); /* nobody wants it: it is never published */
    EXPECT_OK(pw_store_sinks(f->store, sinks, PW_LENGTH(sinks), &f->err), f->err);
    have_instance(f, "i1", 1000);
    emit(f, "i1", 1, "order.placed", 1, 1000);
    emit(f, "i1", 2, "mail.sent", 1, 1000);
    expect_due(f, "all", 1000, 9, "i1-2-1 i1-3-1");
    expect_due(f, "typed", 1000, 9, "i1-2-1 i1-3-1");
    expect_due(f, "both", 1000, 9, "i1-3-1");
    expect_due(f, "none", 1000, 9, "");
    expect_due(f, "other", 1000, 9, "");
}

/* ---- what is due */

STORE_TEST(what_is_due_is_given_whole)
{
    begin(f);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    pw_instance_new n = order_new;
    n.trace = S("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    pw_commit_item item = item_of("i1", 0, &t, 1000);
    item.create = &n;
    must_commit(f, &item);
    emit(f, "i1", 1, "order.placed", 1, 2000);
    open_again(f);
    size_t count = 0;
    const pw_publish_row *rows = due(f, "b", 2000, 9, &count);
    EXPECT_INT(count, 1);
    EXPECT_STR(rows->event.instance, "i1");
    EXPECT_INT(rows->event.sequence, 2);
    EXPECT_INT(rows->ordinal, 1);
    EXPECT_STR(rows->event.event.id, "i1-2-1");
    EXPECT_STR(rows->event.event.type, "order.placed");
    EXPECT_STR(rows->event.event.source, "/shop");
    EXPECT_STR(rows->event.event.payload, "{\"data\":1}");
    EXPECT_STR(rows->trace, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    EXPECT_STR(rows->sink, "b");
    EXPECT_INT(rows->state, PW_PUBLISH_PENDING);
    EXPECT_INT(rows->attempts, 0);
    EXPECT_INT(rows->next_ms, 2000);
    EXPECT(!rows->requeued);
    EXPECT_STR(rows->error, "");
    EXPECT_INT(rows->created_ms, 2000);
    EXPECT_INT(rows->ended_ms, -1);
    expect_due(f, "b", 1999, 9, ""); /* not yet */
}

STORE_TEST(a_page_has_the_oldest_of_each_instance_before_the_second_of_any)
{
    begin(f);
    have_instance(f, "i1", 1000);
    have_instance(f, "i2", 1000);
    have_instance(f, "i3", 1000);
    emit(f, "i2", 1, "order.placed", 3, 1000);
    emit(f, "i1", 1, "order.placed", 2, 2000);
    emit(f, "i1", 2, "order.sent", 1, 2500);
    emit(f, "i3", 1, "order.placed", 1, 3000);
    expect_due(f, "a", 3000, 1, "i2-2-1");
    expect_due(f, "a", 3000, 2, "i2-2-1 i1-2-1");
    expect_due(f, "a", 3000, 4, "i2-2-1 i2-2-2 i1-2-1 i3-2-1");
    expect_due(f, "a", 3000, 6, "i2-2-1 i2-2-2 i2-2-3 i1-2-1 i1-2-2 i3-2-1");
    expect_due(f, "a", 3000, 100, "i2-2-1 i2-2-2 i2-2-3 i1-2-1 i1-2-2 i1-3-1 i3-2-1");
    expect_due(f, "a", 2999, 100, "i2-2-1 i2-2-2 i2-2-3 i1-2-1 i1-2-2 i1-3-1");
    size_t count = 0;
    const pw_publish_row *rows = due(f, "a", 3000, 100, &count);
    EXPECT_INT(rows[2].next_ms, 1000); /* of the one that holds it back */
    EXPECT_INT(rows[5].next_ms, 2000);
    EXPECT_INT(rows[5].created_ms, 2500);
}

STORE_TEST(only_instances_of_the_partitions_asked_for_are_given)
{
    begin(f);
    have_instance(f, "i1", 1000);
    have_instance(f, "i2", 1000);
    emit(f, "i1", 1, "order.placed", 1, 1000);
    emit(f, "i2", 1, "order.placed", 1, 1000);
    pw_publish_row *rows = NULL;
    size_t count = 0;
    const uint64_t of_i2 = UINT64_C(1) << pw_store_partition(S("i2"));
    EXPECT(pw_store_partition(S("i1")) != pw_store_partition(S("i2")));
    EXPECT_OK(
        pw_store_publish_due(f->store, S("a"), of_i2, 1000, 9, &rows, &count, &f->arena, &f->err),
        f->err);
    EXPECT_INT(count, 1);
    EXPECT_STR(rows->event.instance, "i2");
    int64_t next = 0;
    EXPECT_OK(pw_store_publish_next(f->store, S("a"), of_i2, 999, &next, &f->err), f->err);
    EXPECT_INT(next, 1000);
    EXPECT(again(f, "i2", 2, 1, "a", 1, 7000));
    EXPECT_OK(pw_store_publish_next(f->store, S("a"), of_i2, 999, &next, &f->err), f->err);
    EXPECT_INT(next, 7000);
    EXPECT_OK(pw_store_publish_next(f->store, S("a"), ~of_i2, 1000, &next, &f->err), f->err);
    EXPECT_INT(next, PW_WAKE_NEVER);
}

STORE_TEST(a_page_has_at_least_one_row_and_ends_behind_eight_megabytes)
{
    enum { LARGE = 3 << 20 };
    begin(f);
    char *text = pw_alloc(LARGE);
    EXPECT(text != NULL);
    memset(text, 'x', LARGE);
    char ids[4][16];
    pw_outbox_event events[4];
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "i1-2-%zu", i + 1);
        events[i] = (pw_outbox_event){
            .id = S(ids[i]), .type = S("t"), .source = S("/s"), .payload = { text, LARGE }
        };
    }
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.events = events;
    t.event_count = 4;
    have_instance(f, "i1", 1000);
    step(f, "i1", 1, &t, 1000);
    pw_free(text);
    expect_due(f, "a", 1000, 9, "i1-2-1 i1-2-2 i1-2-3");
    pw_publish_row *rows = NULL;
    size_t count = 0;
    EXPECT_INT(pw_store_publish_due(f->store, S("a"), PW_ALL_PARTITIONS, 1000, 0, &rows, &count,
                                    &f->arena, &f->err),
               PAWL_INVALID);
    EXPECT_INT(pw_store_publish_due(f->store, S("a"), PW_ALL_PARTITIONS, 1000, PW_PAGE_MAX + 1,
                                    &rows, &count, &f->arena, &f->err),
               PAWL_INVALID);
}

/* ---- ends */

STORE_TEST(what_was_published_lets_the_next_of_its_instance_go)
{
    begin(f);
    have_instance(f, "i1", 1000);
    emit(f, "i1", 1, "order.placed", 3, 1000);
    EXPECT(done(f, "i1", 2, 1, "a"));
    EXPECT(!done(f, "i1", 2, 1, "a")); /* it was before */
    open_again(f);
    expect_due(f, "a", 4999, 9, "");
    expect_due(f, "a", 5000, 9, "i1-2-2 i1-2-3");        /* when the first was published */
    expect_due(f, "b", 1000, 9, "i1-2-1 i1-2-2 i1-2-3"); /* another sink, another order */
    const pw_publish_row row = letter(f, "i1-2-1", "a");
    EXPECT_INT(row.state, PW_PUBLISH_DONE);
    EXPECT_INT(row.ended_ms, 5000);
    EXPECT_INT(row.next_ms, -1);
    pw_publish_end both[] = { end_of("i1", 2, 2, "a", PW_PUBLISH_DONE),
                              end_of("i1", 2, 3, "a", PW_PUBLISH_DONE) };
    EXPECT_OK(pw_store_publish_end(f->store, both, 2, 6000, &f->err), f->err);
    EXPECT(both[0].written && both[1].written);
    expect_due(f, "a", 9000, 9, "");
    emit(f, "i1", 2, "order.sent", 1, 9000); /* nothing holds it back */
    expect_due(f, "a", 9000, 9, "i1-3-1");
}

STORE_TEST(what_failed_holds_back_those_behind_it_and_no_others)
{
    begin(f);
    have_instance(f, "i1", 1000);
    have_instance(f, "i2", 1000);
    emit(f, "i1", 1, "order.placed", 3, 1000);
    emit(f, "i2", 1, "order.placed", 1, 1000);
    pw_publish_end ends[] = { end_of("i1", 2, 1, "a", PW_PUBLISH_DONE),
                              end_of("i1", 2, 2, "a", PW_PUBLISH_PENDING) };
    ends[1].attempts = 1;
    ends[1].next_ms = 8000;
    ends[1].error = S("it answered 503");
    EXPECT_OK(pw_store_publish_end(f->store, ends, 2, 5000, &f->err), f->err);
    open_again(f);
    expect_due(f, "a", 7999, 9, "i2-2-1");
    int64_t next = 0;
    EXPECT_OK(pw_store_publish_next(f->store, S("a"), PW_ALL_PARTITIONS, 5000, &next, &f->err),
              f->err);
    EXPECT_INT(next, 8000);
    emit(f, "i1", 2, "order.sent", 1, 6000);
    expect_due(f, "a", 8000, 9, "i2-2-1 i1-2-2 i1-2-3 i1-3-1");
    const pw_publish_row row = letter(f, "i1-2-2", "a");
    EXPECT_INT(row.state, PW_PUBLISH_PENDING);
    EXPECT_INT(row.attempts, 1);
    EXPECT_INT(row.next_ms, 8000);
    EXPECT_STR(row.error, "it answered 503");
    EXPECT_INT(letter(f, "i1-2-3", "a").next_ms, -1);
    EXPECT(done(f, "i1", 2, 2, "a"));
    EXPECT_STR(letter(f, "i1-2-2", "a").error, "it answered 503"); /* of the last that failed */
    expect_due(f, "a", 5000, 9, "i2-2-1 i1-2-3 i1-3-1");
}

STORE_TEST(a_dead_letter_lets_those_behind_it_go)
{
    begin(f);
    have_instance(f, "i1", 1000);
    emit(f, "i1", 1, "order.placed", 2, 1000);
    EXPECT(dead(f, "i1", 2, 1, "a", "it answered 410"));
    expect_due(f, "a", 5000, 9, "i1-2-2");
    const pw_publish_row row = letter(f, "i1-2-1", "");
    EXPECT_STR(row.sink, "a"); /* the only one at which it is dead */
    EXPECT_INT(row.state, PW_PUBLISH_DEAD);
    EXPECT_INT(row.attempts, 3);
    EXPECT_INT(row.ended_ms, 5000);
    EXPECT_STR(row.error, "it answered 410");
    EXPECT_STR(row.namespace_, "shop");
    EXPECT_STR(row.name, "order");
    EXPECT_STR(row.event.event.payload, "{\"data\":1}");
}

STORE_TEST(an_end_under_another_epoch_writes_nothing)
{
    begin(f);
    have_instance(f, "i1", 1000);
    emit(f, "i1", 1, "order.placed", 2, 1000);
    pw_partitions held;
    EXPECT_OK(pw_store_partitions_take(f->store, S("node-1"), PW_ALL_PARTITIONS, &held, &f->err),
              f->err);
    uint64_t epoch = held.epochs[pw_store_partition(S("i1"))];
    pw_publish_end one = end_of("i1", 2, 1, "a", PW_PUBLISH_DONE);
    one.epoch = epoch + 1;
    EXPECT(!end(f, one, 5000));
    expect_due(f, "a", 5000, 9, "i1-2-1 i1-2-2");
    one.epoch = epoch;
    EXPECT(end(f, one, 5000));
    expect_due(f, "a", 5000, 9, "i1-2-2");
}

STORE_TEST(an_end_that_makes_no_sense_is_refused)
{
    begin(f);
    have_instance(f, "i1", 1000);
    emit(f, "i1", 1, "order.placed", 1, 1000);
    const pw_publish_end good = end_of("i1", 2, 1, "a", PW_PUBLISH_DONE);
    pw_publish_end bad[] = { good, good, good, good, good };
    bad[0].state = PW_PUBLISH_DISCARDED;
    bad[1].state = PW_PUBLISH_PENDING;
    bad[1].next_ms = -1;
    bad[2].sink = S("");
    bad[3].instance = S("");
    bad[4].ordinal = UINT64_MAX;
    for (size_t i = 0; i < PW_LENGTH(bad); i++)
        EXPECT_INT(pw_store_publish_end(f->store, &bad[i], 1, 5000, &f->err), PAWL_INVALID);
    EXPECT(!done(f, "i1", 7, 1, "a")); /* there is none */
    EXPECT(!done(f, "i9", 2, 1, "a"));
    EXPECT_OK(pw_store_publish_end(f->store, NULL, 0, 5000, &f->err), f->err);
    expect_due(f, "a", 5000, 9, "i1-2-1");
}

/* ---- dead letters */

STORE_TEST(a_requeued_letter_is_by_itself)
{
    begin(f);
    have_instance(f, "i1", 1000);
    emit(f, "i1", 1, "order.placed", 3, 1000);
    EXPECT(dead(f, "i1", 2, 1, "a", "410"));
    EXPECT(again(f, "i1", 2, 2, "a", 1, 9000));
    EXPECT(change(f, "i1-2-1", "a", true, 6000));
    EXPECT(!change(f, "i1-2-1", "a", true, 7000)); /* it was before */
    open_again(f);
    expect_due(f, "a", 8000, 9, "i1-2-1"); /* the second is not due, and holds back the third */
    const pw_publish_row row = letter(f, "i1-2-1", "a");
    EXPECT(row.requeued);
    EXPECT_INT(row.attempts, 0);
    EXPECT_INT(row.next_ms, 6000);
    EXPECT_INT(row.ended_ms, -1);
    EXPECT_STR(row.by, "kim");
    EXPECT_STR(row.reason, "it is up again");
    EXPECT(again(f, "i1", 2, 1, "a", 1, 20000)); /* nor does it hold back any */
    expect_due(f, "a", 9000, 9, "i1-2-2 i1-2-3");
    emit(f, "i1", 2, "order.sent", 1, 9000);
    EXPECT(done(f, "i1", 2, 2, "a"));
    EXPECT(done(f, "i1", 2, 3, "a"));
    expect_due(f, "a", 9000, 9, "i1-3-1");
    EXPECT(done(f, "i1", 3, 1, "a"));
    emit(f, "i1", 3, "order.sent", 1, 9500);
    expect_due(f, "a", 9500, 9, "i1-4-1"); /* the requeued one holds back nothing new */
    EXPECT(done(f, "i1", 2, 1, "a"));
    EXPECT(letter(f, "i1-2-1", "a").requeued);
}

STORE_TEST(what_is_discarded_lets_those_behind_it_go)
{
    begin(f);
    have_instance(f, "i1", 1000);
    emit(f, "i1", 1, "order.placed", 4, 1000);
    EXPECT(change(f, "i1-2-3", "a", false, 6000)); /* one that waits */
    EXPECT(change(f, "i1-2-1", "a", false, 6000)); /* the oldest */
    EXPECT(!change(f, "i1-2-1", "a", false, 7000));
    expect_due(f, "a", 6000, 9, "i1-2-2 i1-2-4");
    emit(f, "i1", 2, "order.sent", 1, 6500);
    expect_due(f, "a", 6500, 9, "i1-2-2 i1-2-4 i1-3-1");
    EXPECT(dead(f, "i1", 2, 2, "a", "410"));
    EXPECT(change(f, "i1-2-2", "a", false, 7000)); /* a dead one */
    const pw_publish_row row = letter(f, "i1-2-2", "a");
    EXPECT_INT(row.state, PW_PUBLISH_DISCARDED);
    EXPECT_INT(row.ended_ms, 7000);
    EXPECT_STR(row.error, "410");
    EXPECT_STR(row.by, "kim");
    bool changed = false;
    EXPECT_INT(pw_store_letter_change(f->store, S("i1-2-2"), S("a"), true, S(""), S(""), 8000,
                                      &changed, &f->err),
               PAWL_STATE);
    EXPECT_TEXT(f->err.message, "event 'i1-2-2' is discarded at sink 'a'");
    EXPECT(done(f, "i1", 2, 4, "a"));
    for (int requeue = 0; requeue < 2; requeue++)
        EXPECT_INT(pw_store_letter_change(f->store, S("i1-2-4"), S("a"), requeue, S(""), S(""),
                                          8000, &changed, &f->err),
                   PAWL_STATE);
    EXPECT_TEXT(f->err.message, "event 'i1-2-4' is published at sink 'a'");
    EXPECT(!changed);
}

STORE_TEST(a_letter_that_is_not_there_is_not_found)
{
    static const char *const bad[] = { "", "i1", "i1-2", "i1-2-9", "i2-2-1", "i1-x-1", "-2-1" };
    begin(f);
    have_instance(f, "i1", 1000);
    emit(f, "i1", 1, "order.placed", 1, 1000);
    pw_publish_row row;
    bool changed = false;
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        EXPECT_INT(pw_store_letter_get(f->store, S(bad[i]), S("a"), &row, &f->arena, &f->err),
                   PAWL_NOT_FOUND);
        EXPECT_INT(f->err.reason, PAWL_REASON_NO_LETTER);
        EXPECT_INT(pw_store_letter_change(f->store, S(bad[i]), S("a"), true, S(""), S(""), 1,
                                          &changed, &f->err),
                   PAWL_NOT_FOUND);
    }
    EXPECT_INT(pw_store_letter_get(f->store, S("i1-2-1"), S("c"), &row, &f->arena, &f->err),
               PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "event 'i1-2-1' is not for sink 'c'");
    EXPECT_INT(pw_store_letter_get(f->store, S("i1-2-1"), S(""), &row, &f->arena, &f->err),
               PAWL_CONFLICT);
    EXPECT_TEXT(f->err.message, "event 'i1-2-1' is for several sinks: name one");
    static char long_text[4097];
    memset(long_text, 'x', sizeof long_text);
    EXPECT_INT(pw_store_letter_change(f->store, S("i1-2-1"), S("a"), false, S("kim"),
                                      (pw_str){ long_text, sizeof long_text }, 1, &changed,
                                      &f->err),
               PAWL_INVALID);
}

/* Letters of a page as "event@sink", and behind it those of the pages that follow. */
static void expect_letters(fixture *f, pw_letter_filter filter, const char *expected)
{
    char ids[1024] = "";
    uint64_t counted = 0, got = 0;
    pw_str next = { "", 0 };
    do {
        pw_publish_row *rows = NULL;
        size_t count = 0;
        filter.after = next;
        EXPECT_OK(pw_store_letters(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
                  f->err);
        for (size_t i = 0; i < count; i++)
            (void)snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s" PW_FMT "@" PW_FMT,
                           ids[0] ? " " : "", PW_ARG(rows[i].event.event.id), PW_ARG(rows[i].sink));
        got += count;
    } while (next.len > 0);
    EXPECT_TEXT(ids, expected);
    EXPECT_OK(pw_store_letter_count(f->store, &filter, &counted, &f->err), f->err);
    EXPECT_INT(counted, got);
}

static void have_letters(fixture *f)
{
    bool created = false;
    begin(f);
    EXPECT_OK(put_definition(f, "mail", "order", "1.0.0", "digest-1", &created), f->err);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    pw_instance_new n = order_new;
    n.namespace_ = S("mail");
    have_instance(f, "i1", 1000);
    pw_commit_item item = item_of("i-2", 0, &t, 1000);
    item.create = &n;
    must_commit(f, &item);
    emit(f, "i1", 1, "order.placed", 3, 1000);
    emit(f, "i-2", 1, "mail.sent", 2, 2000);
    EXPECT(dead(f, "i1", 2, 1, "a", "410"));
    EXPECT(dead(f, "i1", 2, 1, "b", "410"));
    EXPECT(dead(f, "i-2", 2, 1, "a", "410"));
    EXPECT(dead(f, "i1", 2, 2, "a", "410"));
    EXPECT(change(f, "i1-2-2", "a", false, 6000));
    EXPECT(again(f, "i1", 2, 2, "b", 1, 9000));
    EXPECT(done(f, "i1", 2, 3, "a"));
}

STORE_TEST(letters_are_listed_newest_first_as_the_filter_wants_them)
{
    have_letters(f);
    const pw_str mail[] = { S("mail"), S("other") };
    for (uint32_t limit = 1; limit < 4; limit++) {
        expect_letters(f, (pw_letter_filter){ .limit = limit }, "i-2-2-1@a i1-2-1@b i1-2-1@a");
        expect_letters(f, (pw_letter_filter){ .limit = limit, .all = true },
                       "i-2-2-1@a i1-2-2@b i1-2-2@a i1-2-1@b i1-2-1@a");
    }
    expect_letters(f, (pw_letter_filter){ .limit = 9, .sink = S("b") }, "i1-2-1@b");
    expect_letters(f, (pw_letter_filter){ .limit = 9, .instance = S("i1") }, "i1-2-1@b i1-2-1@a");
    expect_letters(f, (pw_letter_filter){ .limit = 9, .type = S("mail.sent") }, "i-2-2-1@a");
    expect_letters(f, (pw_letter_filter){ .limit = 9, .type = S("mail.*") }, "");
    expect_letters(f, (pw_letter_filter){ .limit = 9, .namespaces = mail, .namespace_count = 2 },
                   "i-2-2-1@a");
    expect_letters(
        f, (pw_letter_filter){ .limit = 9, .namespaces = mail + 1, .namespace_count = 1 }, "");
    pw_publish_row *rows = NULL;
    size_t count = 0;
    pw_str next;
    const pw_letter_filter first = { .limit = 1 };
    EXPECT_OK(pw_store_letters(f->store, &first, &rows, &count, &next, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 1);
    EXPECT_STR(rows->event.event.payload, ""); /* without it */
    EXPECT_STR(rows->event.event.type, "mail.sent");
    EXPECT_STR(rows->namespace_, "mail");
    EXPECT_STR(next, "1-2000-2-1-1-ai-2");
    static const char *const bad[] = { "1-", "2-2000-2-1-1-ai-2", "1-2000-2-1-4-ai-2",
                                       "1-2000-2-1-0-a", "x" };
    for (size_t i = 0; i < PW_LENGTH(bad); i++) {
        const pw_letter_filter filter = { .limit = 1, .after = S(bad[i]) };
        EXPECT_INT(pw_store_letters(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
                   PAWL_INVALID);
    }
    const pw_letter_filter none = { .limit = 0 };
    EXPECT_INT(pw_store_letters(f->store, &none, &rows, &count, &next, &f->arena, &f->err),
               PAWL_INVALID);
}

STORE_TEST(letters_of_a_page_are_changed_in_one_transaction)
{
    have_letters(f);
    const pw_letter_filter dead_ones = { .limit = 9 };
    pw_publish_row *rows = NULL;
    size_t count = 0;
    uint64_t changed = 9;
    pw_str next;
    EXPECT_OK(pw_store_letters(f->store, &dead_ones, &rows, &count, &next, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 3);
    EXPECT(change(f, "i1-2-1", "b", false, 6000)); /* somebody was first */
    uint64_t before = counts(f).commits;
    EXPECT_OK(pw_store_letters_change(f->store, rows, count, true, S("kim"), S("fixed"), 7000,
                                      &changed, &f->err),
              f->err);
    EXPECT_INT(changed, 2);
    EXPECT_INT(counts(f).commits - before, 1);
    open_again(f);
    expect_letters(f, dead_ones, "");
    EXPECT_INT(letter(f, "i1-2-1", "a").state, PW_PUBLISH_PENDING);
    EXPECT_STR(letter(f, "i-2-2-1", "a").reason, "fixed");
    EXPECT_INT(letter(f, "i1-2-1", "b").state, PW_PUBLISH_DISCARDED);
    EXPECT_OK(
        pw_store_letters_change(f->store, NULL, 0, true, S(""), S(""), 7000, &changed, &f->err),
        f->err);
    EXPECT_INT(changed, 0);
    static char long_text[4097];
    memset(long_text, 'x', sizeof long_text);
    EXPECT_INT(pw_store_letters_change(f->store, rows, count, true, S(""),
                                       (pw_str){ long_text, sizeof long_text }, 7000, &changed,
                                       &f->err),
               PAWL_INVALID);
}

STORE_TEST(sinks_are_counted_with_their_oldest)
{
    have_letters(f);
    pw_publish_counts *c = NULL;
    size_t count = 0;
    emit(f, "i1", 2, "mail.sent", 1, 500);
    EXPECT_OK(pw_store_publish_count(f->store, &c, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 2);
    EXPECT_STR(c[0].sink, "a");
    EXPECT_INT(c[0].pending, 2);
    EXPECT_INT(c[0].dead, 2);
    EXPECT_INT(c[0].oldest_ms, 500);
    EXPECT_STR(c[1].sink, "b");
    EXPECT_INT(c[1].pending, 2);
    EXPECT_INT(c[1].dead, 1);
    EXPECT_INT(c[1].oldest_ms, 1000);
    EXPECT(done(f, "i1", 2, 2, "b"));
    EXPECT(done(f, "i1", 2, 3, "b"));
    EXPECT_OK(pw_store_publish_count(f->store, &c, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(c[1].pending, 0);
    EXPECT_INT(c[1].oldest_ms, -1);
}

/* ---- the instance */

STORE_TEST(an_instance_with_an_event_that_is_pending_or_dead_is_not_deleted)
{
    begin(f);
    have_instance(f, "i1", 1000);
    emit(f, "i1", 1, "mail.sent", 2, 1000);
    pw_transition t = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    t.output = S("1");
    step(f, "i1", 2, &t, 2000);
    EXPECT(done(f, "i1", 2, 1, "a"));
    EXPECT_INT(pw_store_instance_delete(f->store, S("i1"), 0, &f->err), PAWL_STATE);
    EXPECT_INT(f->err.reason, PAWL_REASON_UNPUBLISHED);
    EXPECT(dead(f, "i1", 2, 2, "a", "410"));
    EXPECT_INT(pw_store_instance_delete(f->store, S("i1"), 0, &f->err), PAWL_STATE);
    EXPECT(change(f, "i1-2-2", "a", false, 6000));
    EXPECT_OK(pw_store_instance_delete(f->store, S("i1"), 0, &f->err), f->err);
    expect_letters(f, (pw_letter_filter){ .limit = 9, .all = true }, "");
    pw_publish_row row;
    EXPECT_INT(pw_store_letter_get(f->store, S("i1-2-1"), S("a"), &row, &f->arena, &f->err),
               PAWL_NOT_FOUND);
}

STORE_TEST(a_step_that_is_refused_leaves_no_row_for_any_sink)
{
    begin(f);
    have_instance(f, "i1", 1000);
    pw_outbox_event event = {
        .id = S("i1-2-1"), .type = S("t"), .source = S("/s"), .payload = S("{}")
    };
    pw_bookmark_end none = { .visit = 9, .key = S("k") };
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    t.events = &event;
    t.event_count = 1;
    t.bookmark_ends = &none;
    t.bookmark_end_count = 1;
    pw_commit_item item = item_of("i1", 1, &t, 2000);
    EXPECT_INT(commit_one(f, &item), PAWL_CORRUPT);
    expect_due(f, "a", 9000, 9, "");
    t.bookmark_end_count = 0;
    item = item_of("i1", 7, &t, 2000); /* not its token */
    event.id = S("i1-8-1");
    EXPECT_INT(commit_one(f, &item), PAWL_CONFLICT);
    expect_due(f, "a", 9000, 9, "");
}

/* ---- what it costs on disk */

/* Steps of SQLite's machine for a page of 10 of sink "a" at 5000, and what it gave. */
static int page_costs(const fixture *f, unsigned *rows)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    *rows = 0;
    EXPECT_INT(sqlite3_open(f->uri + strlen("sqlite:"), &db), SQLITE_OK);
    EXPECT_INT(sqlite3_prepare_v2(db, pw_sqlite_sql_text[PW_SQLITE_SQL_PUBLISH_DUE], -1, &s, NULL),
               SQLITE_OK);
    EXPECT_INT(sqlite3_bind_text(s, 1, "a", -1, SQLITE_STATIC), SQLITE_OK);
    EXPECT_INT(sqlite3_bind_int64(s, 2, 5000), SQLITE_OK);
    EXPECT_INT(sqlite3_bind_int64(s, 3, -1), SQLITE_OK);
    EXPECT_INT(sqlite3_bind_int64(s, 4, 10), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW)
        ++*rows;
    int steps = sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 0);
    EXPECT_INT(sqlite3_finalize(s), SQLITE_OK);
    EXPECT_INT(sqlite3_close(db), SQLITE_OK);
    return steps;
}

TEST(publish, a_page_costs_the_same_however_much_was_published_or_is_held_back)
{
    fixture f;
    unsigned rows = 0;
    fixture_open(&f, true);
    begin(&f);
    have_instance(&f, "i1", 1000);
    have_instance(&f, "i2", 1000);
    have_instance(&f, "i3", 1000);
    emit(&f, "i1", 1, "mail.sent", 60, 1000);
    emit(&f, "i2", 1, "mail.sent", 9, 1000);
    emit(&f, "i3", 1, "mail.sent", 9, 1000);
    EXPECT(again(&f, "i3", 2, 1, "a", 1, 90000)); /* holds back eight */
    int few = page_costs(&f, &rows);
    EXPECT_INT(rows, 10);
    for (uint64_t token = 2; token < 12; token++) {
        emit(&f, "i1", token, "mail.sent", 60, 1000); /* behind the page */
        emit(&f, "i3", token, "mail.sent", 60, 1000); /* behind one that failed */
        emit(&f, "i2", token, "mail.sent", 1, 1000);
    }
    for (uint64_t ordinal = 1; ordinal < 50; ordinal++)
        EXPECT(done(&f, "i1", 2, ordinal, "a"));
    EXPECT_INT(page_costs(&f, &rows), few);
    EXPECT_INT(rows, 10);
    fixture_done(&f);
}

TEST(publish, what_nobody_wants_costs_nothing)
{
    fixture f;
    const pw_str none[] = { S("none") };
    const pw_sink_wants sinks[] = { { .name = S("a"), .types = none, .type_count = 1 },
                                    { .name = S("b") } };
    fixture_open(&f, true);
    have_definition(&f);
    have_instance(&f, "i1", 1000);
    uint64_t before = counts(&f).statements;
    emit(&f, "i1", 1, "mail.sent", 2, 1000);
    EXPECT_INT(counts(&f).statements - before, 6); /* begin, save, step, two events, commit */
    EXPECT_OK(pw_store_sinks(f.store, sinks, 1, &f.err), f.err);
    before = counts(&f).statements;
    emit(&f, "i1", 2, "mail.sent", 2, 1000);
    EXPECT_INT(counts(&f).statements - before, 6);
    EXPECT_OK(pw_store_sinks(f.store, sinks, 2, &f.err), f.err);
    before = counts(&f).statements;
    emit(&f, "i1", 3, "mail.sent", 2, 1000);
    EXPECT_INT(counts(&f).statements - before, 8);
    pw_publish_end ends[] = { end_of("i1", 4, 1, "b", PW_PUBLISH_DONE),
                              end_of("i1", 4, 2, "b", PW_PUBLISH_DONE) };
    before = counts(&f).statements;
    EXPECT_OK(pw_store_publish_end(f.store, ends, 2, 2000, &f.err), f.err);
    EXPECT_INT(counts(&f).statements - before, 5); /* begin, two ends, one that lets go, commit */
    fixture_done(&f);
}

TEST(publish, a_damaged_row_is_named)
{
    static const char *const cases[][2] = {
        { "UPDATE outbox_delivery SET state = 'gone', ended_ms = 1, next_at = NULL",
          "table outbox_delivery, row 'i1': its state is none that this program knows" },
        { "UPDATE outbox_delivery SET attempts = -1",
          "table outbox_delivery, row 'i1': its attempts are out of range" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        fixture f;
        char path[512];
        fixture_open(&f, true);
        if (i == 0) {
            begin(&f);
            have_instance(&f, "i1", 1000);
            emit(&f, "i1", 1, "mail.sent", 1, 1000);
        }
        (void)snprintf(path, sizeof path, "%s", f.uri + strlen("sqlite:"));
        pw_store_close(f.store);
        sqlite3 *db = NULL;
        EXPECT_INT(sqlite3_open(path, &db), SQLITE_OK);
        EXPECT_INT(sqlite3_exec(db,
                                "PRAGMA ignore_check_constraints = 1; UPDATE outbox_delivery SET "
                                "state = 'pending', attempts = 0, ended_ms = NULL",
                                NULL, NULL, NULL),
                   SQLITE_OK);
        EXPECT_INT(sqlite3_exec(db, cases[i][0], NULL, NULL, NULL), SQLITE_OK);
        EXPECT_INT(sqlite3_close(db), SQLITE_OK);
        const pw_store_options options = { S(f.uri), PW_STORE_OWN, false };
        pw_publish_row row;
        EXPECT_OK(pw_store_open(&f.store, &options, &f.err), f.err);
        EXPECT_INT(pw_store_letter_get(f.store, S("i1-2-1"), S("a"), &row, &f.arena, &f.err),
                   PAWL_CORRUPT);
        EXPECT_CONTAINS(f.err.message, cases[i][1]);
        fixture_done(&f);
    }
}

TEST_MAIN()
