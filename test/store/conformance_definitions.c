/* conformance_definitions.c - what every store promises about the versions of a definition: their
 * status, which of them is the newest, and the list of them. */
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

TEST_MAIN()
