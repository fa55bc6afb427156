/* conformance_definitions.c - what every store promises about the versions of a definition: their
 * status, which of them is the newest, and the list of them; and which instances are schedules or
 * children. */
#include "conformance.h"

static pawl_code set_status(fixture *f, const char *version, pw_definition_status status)
{
    return pw_store_definition_status(f->store, S("shop"), S("order"), S(version), status, &f->err);
}

static pw_definition newest(fixture *f)
{
    pw_definition d;
    EXPECT_OK(pw_store_definition_get(f->store, S(""), S("order"), S(""), &d, &f->arena, &f->err),
              f->err);
    return d;
}

STORE_TEST(the_newest_version_is_a_published_one_if_there_is_any)
{
    static const char *const versions[] = { "1.0.0", "2.0.0", "3.0.0" };
    bool created = false;
    for (size_t i = 0; i < PW_LENGTH(versions); i++)
        EXPECT_OK(put_definition(f, "shop", "order", versions[i], versions[i], &created), f->err);
    EXPECT_INT(newest(f).status, PW_DEFINITION_PUBLISHED);
    EXPECT_OK(set_status(f, "3.0.0", PW_DEFINITION_DEPRECATED), f->err);
    EXPECT_STR(newest(f).version, "2.0.0");
    EXPECT_OK(set_status(f, "2.0.0", PW_DEFINITION_ARCHIVED), f->err);
    EXPECT_STR(newest(f).version, "1.0.0");
    EXPECT_OK(set_status(f, "1.0.0", PW_DEFINITION_ARCHIVED), f->err);
    restart(f);
    EXPECT_STR(newest(f).version, "3.0.0");
    EXPECT_INT(newest(f).status, PW_DEFINITION_DEPRECATED);
    EXPECT_OK(set_status(f, "2.0.0", PW_DEFINITION_PUBLISHED), f->err);
    EXPECT_STR(newest(f).version, "2.0.0");
}

STORE_TEST(a_status_is_read_back_and_set_again_without_effect)
{
    have_definition(f);
    pw_definition d;
    for (unsigned i = 0; i < 2; i++) {
        EXPECT_OK(set_status(f, "1.0.0", PW_DEFINITION_ARCHIVED), f->err);
        restart(f);
        EXPECT_OK(pw_store_definition_get(f->store, S("shop"), S("order"), S("1.0.0"), &d,
                                          &f->arena, &f->err),
                  f->err);
        EXPECT_INT(d.status, PW_DEFINITION_ARCHIVED);
        EXPECT_STR(d.digest, "digest-1");
        EXPECT_STR(d.document, "do: []");
    }
    EXPECT_INT(set_status(f, "9.9.9", PW_DEFINITION_ARCHIVED), PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "definition 'order' has no version '9.9.9'");
    /* the same content once more is a success, and does not publish it again */
    bool created = true;
    EXPECT_OK(put_definition(f, "shop", "order", "1.0.0", "digest-1", &created), f->err);
    EXPECT(!created);
    EXPECT_INT(newest(f).status, PW_DEFINITION_ARCHIVED);
}

static void expect_page(fixture *f, const pw_definition_filter *filter, const char *expected,
                        const char *next)
{
    pw_definition_row *rows = NULL;
    size_t count = 0;
    pw_str cursor;
    EXPECT_OK(
        pw_store_definition_list(f->store, filter, &rows, &count, &cursor, &f->arena, &f->err),
        f->err);
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (size_t i = 0; i < count; i++) {
        const pw_definition *d = &rows[i].definition;
        pw_buf_printf(&buf, PW_FMT "/" PW_FMT " " PW_FMT " %s %u\n", PW_ARG(d->namespace_),
                      PW_ARG(d->name), PW_ARG(d->version), pw_definition_status_name(d->status),
                      (unsigned)rows[i].living);
        EXPECT_INT(d->level, 3);
        EXPECT_INT(d->created_ms, 500);
    }
    EXPECT_STR(pw_buf_view(&buf), expected);
    EXPECT_STR(cursor, next);
    pw_buf_done(&buf);
}

STORE_TEST(definitions_are_listed_with_their_status_and_living_instances)
{
    have_definition(f);
    bool created = false;
    EXPECT_OK(put_definition(f, "shop", "order", "1.10.0", "a", &created), f->err);
    EXPECT_OK(put_definition(f, "shop", "order", "1.9.0", "b", &created), f->err);
    EXPECT_OK(put_definition(f, "shop", "cart", "0.1.0", "c", &created), f->err);
    EXPECT_OK(put_definition(f, "depot", "order", "2.0.0", "d", &created), f->err);
    EXPECT_OK(set_status(f, "1.9.0", PW_DEFINITION_DEPRECATED), f->err);
    have_instance(f, "i1", 1000);
    have_instance(f, "i2", 1000);
    have_instance(f, "i3", 1000);
    pw_transition end = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    step(f, "i2", 1, &end, 1001);
    pw_transition pause = transition(PW_SUSPENDED, PW_WAKE_NEVER, "{}");
    step(f, "i3", 1, &pause, 1001);
    restart(f);
    expect_page(f, &(pw_definition_filter){ .limit = 100 },
                "depot/order 2.0.0 published 0\n"
                "shop/cart 0.1.0 published 0\n"
                "shop/order 1.10.0 published 0\n"
                "shop/order 1.9.0 deprecated 0\n"
                "shop/order 1.0.0 published 2\n",
                "");
    expect_page(f, &(pw_definition_filter){ .limit = 100, .name = S("order") },
                "depot/order 2.0.0 published 0\n"
                "shop/order 1.10.0 published 0\n"
                "shop/order 1.9.0 deprecated 0\n"
                "shop/order 1.0.0 published 2\n",
                "");
    expect_page(f, &(pw_definition_filter){ .limit = 100, .namespace_ = S("depot") },
                "depot/order 2.0.0 published 0\n", "");
    expect_page(f, &(pw_definition_filter){ .limit = 2 },
                "depot/order 2.0.0 published 0\n"
                "shop/cart 0.1.0 published 0\n",
                "shop/cart/0.1.0");
    expect_page(f, &(pw_definition_filter){ .limit = 2, .after = S("shop/cart/0.1.0") },
                "shop/order 1.10.0 published 0\n"
                "shop/order 1.0.0 published 2\n",
                "shop/order/1.10.0");
    expect_page(f,
                &(pw_definition_filter){
                    .limit = 2, .after = S("shop/order/1.10.0"), .namespace_ = S("shop") },
                "shop/order 1.9.0 deprecated 0\n", "");
    pw_definition_row *rows = NULL;
    size_t count = 0;
    pw_str cursor;
    pw_definition_filter bad = { .limit = 1, .after = S("x") };
    EXPECT_INT(pw_store_definition_list(f->store, &bad, &rows, &count, &cursor, &f->arena, &f->err),
               PAWL_INVALID);
}

/* ---- schedules and children */

STORE_TEST(definitions_with_a_schedule_are_found_among_the_others)
{
    have_definition(f);
    static const char *const versions[] = { "1.0.0", "1.1.0" };
    pw_definition d = { .namespace_ = S("shop"),
                        .name = S("report"),
                        .document = S("do: []"),
                        .level = 3,
                        .created_ms = 500,
                        .scheduled = true };
    bool created = false;
    for (size_t i = 0; i < PW_LENGTH(versions); i++) {
        d.version = d.digest = S(versions[i]);
        EXPECT_OK(pw_store_definition_put(f->store, &d, &created, &f->err), f->err);
    }
    restart(f);
    expect_page(f, &(pw_definition_filter){ .limit = 100, .scheduled = true },
                "shop/report 1.1.0 published 0\n"
                "shop/report 1.0.0 published 0\n",
                "");
    expect_page(f, &(pw_definition_filter){ .limit = 1, .scheduled = true },
                "shop/report 1.0.0 published 0\n", "shop/report/1.0.0");
    pw_definition got;
    EXPECT_OK(
        pw_store_definition_get(f->store, S("shop"), S("report"), S(""), &got, &f->arena, &f->err),
        f->err);
    EXPECT(got.scheduled);
    EXPECT(!newest(f).scheduled);
    pw_definition_row *rows = NULL;
    size_t count = 0;
    pw_str cursor;
    EXPECT_OK(pw_store_definition_list(f->store, &(pw_definition_filter){ .limit = 100 }, &rows,
                                       &count, &cursor, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 3);
    EXPECT(!rows[0].definition.scheduled && rows[1].definition.scheduled);
}

/* An instance that is a schedule or not, of a parent or none. */
static void have(fixture *f, const char *id, bool schedule, const char *parent, pw_status status,
                 int64_t now_ms)
{
    pw_instance_new n = order_new;
    n.schedule = schedule;
    n.parent = S(parent);
    pw_transition t = transition(status, PW_WAKE_NEVER, "{}");
    pw_commit_item item = item_of(id, 0, &t, now_ms);
    item.create = &n;
    must_commit(f, &item);
}

/* The ids of a page; its cursor goes into the filter. */
static const char *ids(fixture *f, pw_instance_filter *filter)
{
    static char text[256];
    pw_instance_row *rows = NULL;
    size_t count = 0, at = 0;
    EXPECT_OK(
        pw_store_instance_list(f->store, filter, &rows, &count, &filter->after, &f->arena, &f->err),
        f->err);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s", i ? " " : "",
                               (int)rows[i].id.len, rows[i].id.ptr);
        EXPECT_INT(rows[i].schedule, filter->schedules);
    }
    return text;
}

STORE_TEST(instances_are_listed_by_parent_and_schedules_apart_from_the_others)
{
    have_definition(f);
    have(f, "s1", true, "", PW_WAITING, 1000);
    have(f, "s2", true, "", PW_CANCELLED, 1001);
    have(f, "s3", true, "p1", PW_WAITING, 1002);
    have(f, "p1", false, "", PW_WAITING, 1003);
    have(f, "c1", false, "p1", PW_COMPLETED, 1004);
    have(f, "c2", false, "p1", PW_WAITING, 1005);
    have(f, "c3", false, "p2", PW_WAITING, 1006);
    have(f, "c4", false, "p1", PW_SUSPENDED, 1007);
    restart(f);
    EXPECT(get(f, "s1").schedule);
    EXPECT(!get(f, "c1").schedule);
    EXPECT_TEXT(ids(f, &(pw_instance_filter){ .limit = 10 }), "c4 c3 c2 c1 p1");
    EXPECT_TEXT(ids(f, &(pw_instance_filter){ .limit = 10, .living = true }), "c4 c3 c2 p1");
    EXPECT_TEXT(ids(f, &(pw_instance_filter){ .limit = 10, .name = S("order"), .living = true }),
                "c4 c3 c2 p1");
    EXPECT_TEXT(ids(f, &(pw_instance_filter){ .limit = 10, .name = S("none") }), "");
    EXPECT_TEXT(
        ids(f, &(pw_instance_filter){ .limit = 10, .by_status = true, .status = PW_WAITING }),
        "c3 c2 p1");
    EXPECT_TEXT(ids(f, &(pw_instance_filter){ .limit = 10,
                                              .by_status = true,
                                              .status = PW_WAITING,
                                              .name = S("order"),
                                              .namespace_ = S("shop") }),
                "c3 c2 p1");
    EXPECT_TEXT(ids(f, &(pw_instance_filter){ .limit = 10, .schedules = true }), "s3 s2 s1");
    EXPECT_TEXT(ids(f, &(pw_instance_filter){ .limit = 10, .schedules = true, .living = true }),
                "s3 s1");
    EXPECT_TEXT(ids(f, &(pw_instance_filter){ .limit = 10,
                                              .schedules = true,
                                              .by_status = true,
                                              .status = PW_CANCELLED,
                                              .name = S("order") }),
                "s2");
    EXPECT_TEXT(
        ids(f, &(pw_instance_filter){ .limit = 10, .schedules = true, .namespace_ = S("depot") }),
        "");
    pw_instance_filter children = { .limit = 2, .parent = S("p1") };
    EXPECT_TEXT(ids(f, &children), "c4 c2");
    EXPECT_TEXT(ids(f, &children), "c1");
    EXPECT_INT(children.after.len, 0);
    EXPECT_TEXT(ids(f, &(pw_instance_filter){ .limit = 10, .parent = S("p1"), .living = true }),
                "c4 c2");
    EXPECT_TEXT(ids(f, &(pw_instance_filter){ .limit = 10, .parent = S("p1"), .schedules = true }),
                "s3");
    EXPECT_TEXT(ids(f, &(pw_instance_filter){ .limit = 10,
                                              .parent = S("p1"),
                                              .by_status = true,
                                              .status = PW_SUSPENDED,
                                              .name = S("order") }),
                "c4");
    EXPECT_TEXT(ids(f, &(pw_instance_filter){ .limit = 10, .parent = S("p1"), .name = S("none") }),
                "");
    expect_page(f, &(pw_definition_filter){ .limit = 10 }, "shop/order 1.0.0 published 4\n", "");
}

TEST_MAIN()
