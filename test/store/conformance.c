/* conformance.c - what every store promises, run against each of them: steps and their guard,
 * batches, definitions, listing, due times. What a step opens and closes is in conformance_rows.c.
 */
#include "conformance.h"

/* ---- definitions */

STORE_TEST(a_definition_is_put_once_and_found_again)
{
    bool created = false;
    EXPECT_OK(put_definition(f, "shop", "order", "1.0.0", "digest-1", &created), f->err);
    EXPECT(created);
    EXPECT_OK(put_definition(f, "shop", "order", "1.0.0", "digest-1", &created), f->err);
    EXPECT(!created);
    restart(f);
    pw_definition d;
    EXPECT_OK(pw_store_definition_get(f->store, S("shop"), S("order"), S("1.0.0"), &d, &f->arena,
                                      &f->err),
              f->err);
    EXPECT_STR(d.namespace_, "shop");
    EXPECT_STR(d.name, "order");
    EXPECT_STR(d.version, "1.0.0");
    EXPECT_STR(d.digest, "digest-1");
    EXPECT_STR(d.document, "do: []");
    EXPECT_INT(d.level, 3);
    EXPECT_INT(d.created_ms, 500);
}

STORE_TEST(other_content_under_a_published_version_is_refused)
{
    have_definition(f);
    bool created = true;
    EXPECT_INT(put_definition(f, "shop", "order", "1.0.0", "digest-2", &created), PAWL_CONFLICT);
    EXPECT_TEXT(
        f->err.message,
        "definition 'shop/order' has a version 1.0.0 with other content: published versions "
        "never change, so raise document.version");
    pw_definition d;
    EXPECT_OK(
        pw_store_definition_get(f->store, S("shop"), S("order"), S(""), &d, &f->arena, &f->err),
        f->err);
    EXPECT_STR(d.digest, "digest-1");
}

STORE_TEST(the_newest_version_is_semantic_not_alphabetic)
{
    static const char *const versions[] = { "1.10.0-rc.1", "1.9.0", "1.10.0-rc.10", "0.99.99",
                                            "1.10.0-rc.9" };
    bool created = false;
    for (size_t i = 0; i < PW_LENGTH(versions); i++)
        EXPECT_OK(put_definition(f, "shop", "order", versions[i], versions[i], &created), f->err);
    pw_definition d;
    EXPECT_OK(
        pw_store_definition_get(f->store, S("shop"), S("order"), S(""), &d, &f->arena, &f->err),
        f->err);
    EXPECT_STR(d.version, "1.10.0-rc.10");
    EXPECT_OK(put_definition(f, "shop", "order", "1.10.0", "x", &created), f->err);
    EXPECT_OK(pw_store_definition_get(f->store, S(""), S("order"), S(""), &d, &f->arena, &f->err),
              f->err);
    EXPECT_STR(d.version, "1.10.0");
    EXPECT_OK(
        pw_store_definition_get(f->store, S(""), S("order"), S("1.9.0"), &d, &f->arena, &f->err),
        f->err);
    EXPECT_STR(d.digest, "1.9.0");
}

STORE_TEST(a_name_in_two_namespaces_must_say_which)
{
    bool created = false;
    EXPECT_OK(put_definition(f, "shop", "order", "1.0.0", "a", &created), f->err);
    EXPECT_OK(put_definition(f, "depot", "order", "2.0.0", "b", &created), f->err);
    pw_definition d;
    EXPECT_INT(pw_store_definition_get(f->store, S(""), S("order"), S(""), &d, &f->arena, &f->err),
               PAWL_CONFLICT);
    EXPECT_TEXT(f->err.message,
                "'order' is in the namespaces 'depot' and 'shop': write namespace/name");
    EXPECT_OK(
        pw_store_definition_get(f->store, S("shop"), S("order"), S(""), &d, &f->arena, &f->err),
        f->err);
    EXPECT_STR(d.version, "1.0.0");
}

STORE_TEST(a_definition_that_is_not_there_is_named)
{
    have_definition(f);
    pw_definition d;
    EXPECT_INT(pw_store_definition_get(f->store, S(""), S("nope"), S(""), &d, &f->arena, &f->err),
               PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "no definition 'nope'");
    EXPECT_INT(
        pw_store_definition_get(f->store, S(""), S("order"), S("9.9.9"), &d, &f->arena, &f->err),
        PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "definition 'order' has no version '9.9.9'");
    EXPECT_INT(pw_store_definition_get(f->store, S("shop"), S("order"), S("9.9.9"), &d, &f->arena,
                                       &f->err),
               PAWL_NOT_FOUND);
    EXPECT_INT(
        pw_store_definition_get(f->store, S("depot"), S("order"), S(""), &d, &f->arena, &f->err),
        PAWL_NOT_FOUND);
}

STORE_TEST(a_definition_with_an_impossible_name_is_refused)
{
    bool created = false;
    EXPECT_INT(put_definition(f, "", "order", "1.0.0", "d", &created), PAWL_INVALID);
    EXPECT_INT(put_definition(f, "shop", "order", "", "d", &created), PAWL_INVALID);
    EXPECT_INT(put_definition(f, "shop", "order", "1.0.0", "", &created), PAWL_INVALID);
}

/* ---- one step */

STORE_TEST(a_created_instance_is_read_back_whole)
{
    have_definition(f);
    pw_instance_new n = order_new;
    n.business_key = S("order 'x'; DROP TABLE instance; --");
    n.correlation = S("corr-7");
    n.labels = S("{\"a\":\"1\"}");
    n.parent = S("parent-1");
    pw_transition t = transition(PW_RUNNING, 0, "{\"format\":1}");
    pw_commit_item item = item_of("i1", 0, &t, 1000);
    item.create = &n;
    item.actor = S("kim");
    item.nonce = UINT64_MAX - 4;
    must_commit(f, &item);
    restart(f);
    pw_instance_row row = get(f, "i1");
    EXPECT(!row.schedule);
    EXPECT_STR(row.id, "i1");
    EXPECT_STR(row.namespace_, "shop");
    EXPECT_STR(row.name, "order");
    EXPECT_STR(row.version, "1.0.0");
    EXPECT_INT(row.status, PW_RUNNING);
    EXPECT_INT(row.token, 1);
    EXPECT_STR(row.state, "{\"format\":1}");
    EXPECT_STR(row.business_key, "order 'x'; DROP TABLE instance; --");
    EXPECT_STR(row.input_digest, "in-1");
    EXPECT_STR(row.correlation, "corr-7");
    EXPECT_STR(row.labels, "{\"a\":\"1\"}");
    EXPECT_STR(row.parent, "parent-1");
    EXPECT_INT(row.created_ms, 1000);
    EXPECT_INT(row.updated_ms, 1000);
    EXPECT_INT(row.ended_ms, -1);
    EXPECT_INT(row.wake_at, 0);
    EXPECT_STR(row.output, "");
    EXPECT_STR(row.error, "");
    pw_step_row *steps = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_steps(f->store, S("i1"), 1, 10, &steps, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 1);
    EXPECT_INT(steps[0].sequence, 1);
    EXPECT_STR(steps[0].event, "start");
    EXPECT_STR(steps[0].actor, "kim");
    EXPECT_STR(steps[0].correlation, "corr-7");
    EXPECT_INT(steps[0].at_ms, 1000);
    EXPECT_STR(steps[0].entries, "[{\"did\":\"something\"}]");
    EXPECT(steps[0].nonce == UINT64_MAX - 4);
    item = item_of("i1", 1, &t, 2000);
    item.nonce = 1;
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    EXPECT_TEXT(item.error.message, "instance 'i1': a nonce is for the first step");
}

STORE_TEST(a_step_keeps_what_it_was_decided_from)
{
    have_definition(f);
    pw_instance_new n = order_new;
    pw_transition t = transition(PW_RUNNING, 0, "{}");
    pw_commit_item item = item_of("i1", 0, &t, 1000);
    item.create = &n;
    t.cause = S("{\"p\":{\"$payload\":\"ab\"}}");
    must_commit(f, &item);
    t.cause = (pw_str){ 0 };
    item = item_of("i1", 1, &t, 2000);
    must_commit(f, &item);
    restart(f);
    pw_step_row *steps = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_steps(f->store, S("i1"), 1, 10, &steps, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 2);
    EXPECT_STR(steps[0].cause, "{\"p\":{\"$payload\":\"ab\"}}");
    EXPECT_STR(steps[1].cause, "");
}

STORE_TEST(state_is_left_out_when_it_is_not_asked_for)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_instance_row row;
    EXPECT_OK(pw_store_instance_get(f->store, S("i1"), false, &row, &f->arena, &f->err), f->err);
    EXPECT_STR(row.state, "");
    EXPECT_INT(row.status, PW_WAITING);
}

STORE_TEST(an_instance_that_is_not_there_is_named)
{
    pw_instance_row row;
    EXPECT_INT(pw_store_instance_get(f->store, S("nobody"), true, &row, &f->arena, &f->err),
               PAWL_NOT_FOUND);
    EXPECT_TEXT(f->err.message, "no instance 'nobody'");
}

STORE_TEST(a_repeated_create_is_a_conflict_and_writes_nothing)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_transition t = transition(PW_RUNNING, 0, "{\"other\":true}");
    pw_commit_item item = item_of("i1", 0, &t, 2000);
    EXPECT_INT(commit_one(f, &item), PAWL_CONFLICT);
    EXPECT_TEXT(item.error.message, "instance 'i1' exists already");
    pw_instance_row row = get(f, "i1");
    EXPECT_STR(row.state, "{\"at\":1}");
    EXPECT_INT(row.token, 1);
    EXPECT_INT(row.created_ms, 1000);
    EXPECT_INT(counts(f).conflicts, 1);
}

STORE_TEST(a_step_moves_the_token_the_state_and_the_status)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_transition t = transition(PW_RUNNING, 0, "{\"at\":2}");
    step(f, "i1", 1, &t, 2000);
    t = transition(PW_RUNNING, 0, "{\"at\":3}"); /* the same status and wake_at */
    step(f, "i1", 2, &t, 3000);
    restart(f);
    pw_instance_row row = get(f, "i1");
    EXPECT_INT(row.token, 3);
    EXPECT_INT(row.status, PW_RUNNING);
    EXPECT_STR(row.state, "{\"at\":3}");
    EXPECT_INT(row.created_ms, 1000);
    EXPECT_INT(row.updated_ms, 3000);
    EXPECT_INT(row.wake_at, 0);
    pw_step_row *steps = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_steps(f->store, S("i1"), 2, 10, &steps, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 2);
    EXPECT_INT(steps[0].sequence, 2);
    EXPECT_STR(steps[0].event, "drive");
    EXPECT_STR(steps[0].actor, "system");
    EXPECT_INT(steps[1].sequence, 3);
    EXPECT_OK(pw_store_steps(f->store, S("i1"), 1, 2, &steps, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 2);
    EXPECT_INT(steps[1].sequence, 2);
    EXPECT_OK(pw_store_steps(f->store, S("i1"), UINT64_MAX, 2, &steps, &count, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 0);
}

STORE_TEST(a_stale_token_loses_and_writes_nothing)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_transition t = transition(PW_RUNNING, 0, "{\"at\":2}");
    step(f, "i1", 1, &t, 2000);
    pw_bookmark bookmark = {
        .kind = PW_BOOKMARK_USER, .task = S("/do/0/a"), .visit = 9, .key = S("k"), .due_at = -1
    };
    pw_transition late = transition(PW_WAITING, 5, "{\"late\":1}");
    late.bookmarks = &bookmark;
    late.bookmark_count = 1;
    pw_commit_item item = item_of("i1", 1, &late, 3000);
    EXPECT_INT(commit_one(f, &item), PAWL_CONFLICT);
    EXPECT_TEXT(item.error.message, "instance 'i1' has moved on from step 1: read it again");
    pw_instance_row row = get(f, "i1");
    EXPECT_INT(row.token, 2);
    EXPECT_STR(row.state, "{\"at\":2}");
    pw_bookmark_row b;
    EXPECT_INT(pw_store_bookmark_by_key(f->store, S("i1"), S("k"), &b, &f->arena, &f->err),
               PAWL_NOT_FOUND);
    pw_step_row *steps = NULL;
    size_t count = 0;
    EXPECT_OK(pw_store_steps(f->store, S("i1"), 1, 10, &steps, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 2);
}

STORE_TEST(a_stale_token_loses_also_where_status_and_time_stay_as_they_are)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{\"at\":2}");
    step(f, "i1", 1, &t, 2000);
    pw_transition late = transition(PW_WAITING, PW_WAKE_NEVER, "{\"late\":1}");
    for (uint64_t token = 1; token < 5; token++) {
        pw_commit_item item = item_of("i1", token, &late, 3000);
        if (token != 2)
            EXPECT_INT(commit_one(f, &item), PAWL_CONFLICT);
    }
    EXPECT_INT(get(f, "i1").token, 2);
    EXPECT_STR(get(f, "i1").state, "{\"at\":2}");
}

STORE_TEST(a_new_status_or_a_new_time_alone_is_stored)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_transition t = transition(PW_WAITING, 7000, "{}");
    step(f, "i1", 1, &t, 2000);
    EXPECT_INT(get(f, "i1").wake_at, 7000);
    t = transition(PW_WAITING, 8000, "{}");
    step(f, "i1", 2, &t, 3000);
    EXPECT_INT(get(f, "i1").wake_at, 8000);
    t = transition(PW_RUNNING, 8000, "{}");
    step(f, "i1", 3, &t, 4000);
    EXPECT_INT(get(f, "i1").status, PW_RUNNING);
    t = transition(PW_RUNNING, PW_WAKE_NEVER, "{}");
    step(f, "i1", 4, &t, 5000);
    EXPECT(get(f, "i1").wake_at == PW_WAKE_NEVER);
}

STORE_TEST(a_step_of_an_instance_that_is_not_there_is_a_conflict)
{
    pw_transition t = transition(PW_RUNNING, 0, "{}");
    pw_commit_item item = item_of("nobody", 4, &t, 1000);
    EXPECT_INT(commit_one(f, &item), PAWL_CONFLICT);
}

STORE_TEST(an_end_is_stored_with_its_output_and_never_wakes)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_transition t = transition(PW_COMPLETED, 0, "{}");
    t.output = S("{\"paid\":true}");
    step(f, "i1", 1, &t, 5000);
    restart(f);
    pw_instance_row row = get(f, "i1");
    EXPECT_INT(row.status, PW_COMPLETED);
    EXPECT_STR(row.output, "{\"paid\":true}");
    EXPECT_INT(row.ended_ms, 5000);
    EXPECT(row.wake_at == PW_WAKE_NEVER);
}

STORE_TEST(a_late_step_of_an_ended_instance_leaves_its_end_output_and_error)
{
    static const struct {
        pw_status status;
        const char *output, *error;
    } ends[] = { { PW_COMPLETED, "1", NULL },
                 { PW_FAULTED, NULL, "{\"status\":500}" },
                 { PW_CANCELLED, NULL, NULL } };
    have_definition(f);
    for (size_t i = 0; i < PW_LENGTH(ends); i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "i%zu", i);
        have_instance(f, id, 1000);
        pw_transition t = transition(ends[i].status, PW_WAKE_NEVER, "{}");
        if (ends[i].output)
            t.output = pw_str_of(ends[i].output);
        if (ends[i].error)
            t.error = pw_str_of(ends[i].error);
        step(f, id, 1, &t, 2000);
        t = transition(ends[i].status, PW_WAKE_NEVER, "{\"late\":1}");
        step(f, id, 2, &t, 3000);
        restart(f);
        pw_instance_row row = get(f, id);
        EXPECT_INT(row.status, ends[i].status);
        EXPECT_INT(row.token, 3);
        EXPECT_INT(row.ended_ms, 2000);
        EXPECT_INT(row.updated_ms, 3000);
        EXPECT_STR(row.state, "{\"late\":1}");
        EXPECT_STR(row.output, ends[i].output ? ends[i].output : "");
        EXPECT_STR(row.error, ends[i].error ? ends[i].error : "");
    }
}

STORE_TEST(a_faulted_instance_that_goes_on_has_no_error_and_no_end_any_more)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_transition t = transition(PW_FAULTED, PW_WAKE_NEVER, "{}");
    t.error = S("{\"status\":500}");
    step(f, "i1", 1, &t, 2000);
    pw_instance_row row = get(f, "i1");
    EXPECT_STR(row.error, "{\"status\":500}");
    EXPECT_INT(row.ended_ms, 2000);
    t = transition(PW_RUNNING, 0, "{}");
    step(f, "i1", 2, &t, 3000);
    row = get(f, "i1");
    EXPECT_STR(row.error, "");
    EXPECT_INT(row.ended_ms, -1);
    EXPECT_INT(row.wake_at, 0);
}

STORE_TEST(a_step_that_says_no_output_or_error_clears_those_before)
{
    have_definition(f);
    pw_transition t = transition(PW_SUSPENDED, PW_WAKE_NEVER, "{}");
    t.output = S("1");
    t.error = S("{\"status\":500}");
    step(f, "i1", 0, &t, 1000);
    t = transition(PW_SUSPENDED, PW_WAKE_NEVER, "{}");
    step(f, "i1", 1, &t, 2000);
    pw_instance_row row = get(f, "i1");
    EXPECT_STR(row.error, "");
    EXPECT_STR(row.output, "");
}

STORE_TEST(an_instance_of_a_definition_that_is_not_there_is_refused)
{
    pw_transition t = transition(PW_RUNNING, 0, "{}");
    pw_commit_item item = item_of("i1", 0, &t, 1000);
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    EXPECT_CONTAINS(item.error.message, "instance 'i1'");
    pw_instance_row row;
    EXPECT_INT(pw_store_instance_get(f->store, S("i1"), true, &row, &f->arena, &f->err),
               PAWL_NOT_FOUND);
}

STORE_TEST(an_item_that_makes_no_sense_is_refused_before_the_store)
{
    have_definition(f);
    char long_text[600];
    memset(long_text, 'x', sizeof long_text);
    pw_transition t = transition(PW_RUNNING, 0, "{}");
    pw_commit_item item = item_of("", 0, &t, 1000);
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    item = item_of("i1", 0, &t, 1000);
    item.instance = (pw_str){ long_text, 129 };
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    item = item_of("i1", 1, &t, 1000);
    item.create = &order_new;
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    pw_instance_new n = order_new;
    n.business_key = (pw_str){ long_text, PW_BUSINESS_KEY_MAX + 1 };
    item = item_of("i1", 0, &t, 1000);
    item.create = &n;
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    EXPECT_TEXT(item.error.message,
                "instance 'i1': a business key must have at most 512 bytes and no NUL");
    n.business_key.len = PW_BUSINESS_KEY_MAX;
    must_commit(f, &item);
    item = item_of("i1", 1, &t, 1000);
    item.actor = (pw_str){ long_text, 513 };
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    item = item_of("", 0, &t, 1000);
    item.instance = (pw_str){ "i\0", 2 };
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    pw_bookmark bookmark = {
        .kind = PW_BOOKMARK_USER, .task = S("/"), .visit = UINT64_MAX, .key = S("k"), .due_at = -1
    };
    pw_transition opens = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    opens.bookmarks = &bookmark;
    opens.bookmark_count = 1;
    item = item_of("i1", 1, &opens, 1000);
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    bookmark.visit = 1;
    bookmark.key = (pw_str){ "k\0", 2 };
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    t.wake_at = -5;
    item = item_of("i1", 1, &t, 1000);
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    t.wake_at = 0;
    t.changed = false;
    item = item_of("i1", 1, &t, 1000);
    EXPECT_INT(commit_one(f, &item), PAWL_INVALID);
    EXPECT_INT(get(f, "i1").token, 1);
}

STORE_TEST(text_comes_back_byte_for_byte)
{
    have_definition(f);
    pw_transition t = transition(PW_RUNNING, 0, "");
    static const char odd[] = "{\"n\":12345678901234567890,\"z\":1.50,\"s\":\"a\0b\xff\xc3\xa9\"}";
    t.state_text = (pw_str){ odd, sizeof odd - 1 };
    step(f, "i1", 0, &t, 1000);
    restart(f);
    pw_instance_row row = get(f, "i1");
    EXPECT_INT(row.state.len, sizeof odd - 1);
    EXPECT(memcmp(row.state.ptr, odd, sizeof odd - 1) == 0);
}

STORE_TEST(a_large_state_is_kept)
{
    have_definition(f);
    static char large[3 << 20];
    memset(large, 'y', sizeof large);
    pw_transition t = transition(PW_RUNNING, 0, "");
    t.state_text = (pw_str){ large, sizeof large };
    step(f, "i1", 0, &t, 1000);
    restart(f);
    pw_instance_row row = get(f, "i1");
    EXPECT_INT(row.state.len, sizeof large);
    EXPECT(memcmp(row.state.ptr, large, sizeof large) == 0);
}

/* ---- batches */

STORE_TEST(a_batch_with_a_loser_and_a_poison_item_commits_the_others)
{
    have_definition(f);
    have_instance(f, "a", 1000);
    have_instance(f, "b", 1000);
    have_instance(f, "c", 1000);
    pw_bookmark twice[2] = {
        { .kind = PW_BOOKMARK_USER,
          .task = S("/do/0/a"),
          .visit = 1,
          .key = S("same"),
          .due_at = -1 },
        { .kind = PW_BOOKMARK_USER,
          .task = S("/do/0/a"),
          .visit = 1,
          .key = S("same"),
          .due_at = -1 },
    };
    pw_transition good = transition(PW_RUNNING, 0, "{\"at\":2}");
    pw_transition poison = good;
    poison.bookmarks = twice;
    poison.bookmark_count = 2;
    pw_commit_item items[] = {
        item_of("a", 1, &good, 2000), item_of("b", 1, &poison, 2000),
        item_of("c", 7, &good, 2000),                              /* lost its race */
        item_of("d", 0, &good, 2000), item_of("", 1, &good, 2000), /* refused before */
    };
    EXPECT_OK(pw_store_commit(f->store, items, 5, &f->err), f->err);
    EXPECT_INT(items[0].code, PAWL_OK);
    EXPECT_INT(items[1].code, PAWL_INVALID);
    EXPECT_CONTAINS(items[1].error.message, "instance 'b'");
    EXPECT_INT(items[2].code, PAWL_CONFLICT);
    EXPECT_INT(items[3].code, PAWL_OK);
    EXPECT_INT(items[4].code, PAWL_INVALID);
    restart(f);
    EXPECT_INT(get(f, "a").token, 2);
    EXPECT_STR(get(f, "a").state, "{\"at\":2}");
    EXPECT_INT(get(f, "b").token, 1);
    EXPECT_STR(get(f, "b").state, "{\"at\":1}");
    EXPECT_INT(get(f, "c").token, 1);
    EXPECT_INT(get(f, "d").token, 1);
    pw_bookmark_row *rows = NULL;
    size_t count = 9;
    EXPECT_OK(pw_store_bookmarks(f->store, S("b"), false, &rows, &count, &f->arena, &f->err),
              f->err);
    EXPECT_INT(count, 0);
    pw_step_row *steps = NULL;
    EXPECT_OK(pw_store_steps(f->store, S("b"), 1, 10, &steps, &count, &f->arena, &f->err), f->err);
    EXPECT_INT(count, 1);
    /* The item that was refused can be committed in another form. */
    poison.bookmark_count = 1;
    step(f, "b", 1, &poison, 3000);
}

STORE_TEST(a_batch_is_one_commit)
{
    have_definition(f);
    pw_transition t = transition(PW_RUNNING, 0, "{}");
    pw_store_counts before = counts(f);
    pw_commit_item items[] = { item_of("a", 0, &t, 1), item_of("b", 0, &t, 1),
                               item_of("c", 0, &t, 1) };
    EXPECT_OK(pw_store_commit(f->store, items, 3, &f->err), f->err);
    pw_store_counts after = counts(f);
    EXPECT_INT(after.commits - before.commits, 1);
    EXPECT_INT(after.syncs - before.syncs, 1);
    EXPECT_INT(after.items - before.items, 3);
    EXPECT_INT(after.rows - before.rows, 6);
    EXPECT_INT(after.conflicts - before.conflicts, 0);
    EXPECT_INT(after.bisections - before.bisections, 0);
}

STORE_TEST(a_step_that_changes_nothing_else_writes_two_rows)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_transition t = transition(PW_WAITING, PW_WAKE_NEVER, "{}");
    pw_store_counts before = counts(f);
    step(f, "i1", 1, &t, 2000);
    pw_store_counts after = counts(f);
    EXPECT_INT(after.rows - before.rows, 2);
    t = transition(PW_RUNNING, 0, "{}");
    before = after;
    step(f, "i1", 2, &t, 3000);
    EXPECT_INT(counts(f).rows - before.rows, 2);
}

STORE_TEST(an_empty_batch_is_no_commit)
{
    EXPECT_OK(pw_store_commit(f->store, NULL, 0, &f->err), f->err);
    EXPECT_INT(counts(f).commits, 0);
}

/* ---- listing */

static void have_five(fixture *f)
{
    have_definition(f);
    bool created = false;
    EXPECT_OK(put_definition(f, "depot", "parcel", "2.0.0", "digest-9", &created), f->err);
    have_instance(f, "a", 1000);
    have_instance(f, "b", 3000);
    have_instance(f, "c", 3000);
    pw_instance_new n = order_new;
    n.namespace_ = S("depot");
    n.name = S("parcel");
    n.version = S("2.0.0");
    pw_transition t = transition(PW_COMPLETED, PW_WAKE_NEVER, "{}");
    pw_commit_item item = item_of("d", 0, &t, 2000);
    item.create = &n;
    must_commit(f, &item);
    step(f, "e", 0, &t, 500);
}

/* The ids of a page as "c b d", and its cursor in *next. */
static const char *page(fixture *f, const pw_instance_filter *filter, pw_str *next)
{
    static char text[256];
    pw_instance_row *rows = NULL;
    size_t count = 0, at = 0;
    EXPECT_OK(pw_store_instance_list(f->store, filter, &rows, &count, next, &f->arena, &f->err),
              f->err);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s", i ? " " : "",
                               (int)rows[i].id.len, rows[i].id.ptr);
    return text;
}

STORE_TEST(instances_are_listed_newest_first_in_pages)
{
    have_five(f);
    pw_str next;
    pw_instance_filter filter = { .limit = 2 };
    EXPECT_TEXT(page(f, &filter, &next), "c b");
    EXPECT(next.len > 0);
    restart(f); /* a cursor outlives the process */
    filter.after = next;
    EXPECT_TEXT(page(f, &filter, &next), "d a");
    filter.after = next;
    EXPECT_TEXT(page(f, &filter, &next), "e");
    EXPECT_INT(next.len, 0);
    filter = (pw_instance_filter){ .limit = 5 };
    EXPECT_TEXT(page(f, &filter, &next), "c b d a e");
    EXPECT_INT(next.len, 0);
}

STORE_TEST(a_listing_is_filtered_by_status_namespace_and_name)
{
    have_five(f);
    pw_str next;
    pw_instance_filter filter = { .limit = 10, .by_status = true, .status = PW_COMPLETED };
    EXPECT_TEXT(page(f, &filter, &next), "d e");
    filter.name = S("order");
    EXPECT_TEXT(page(f, &filter, &next), "e");
    filter.by_status = false;
    EXPECT_TEXT(page(f, &filter, &next), "c b a e");
    filter.namespace_ = S("depot");
    EXPECT_TEXT(page(f, &filter, &next), "");
    filter.name = S("");
    EXPECT_TEXT(page(f, &filter, &next), "d");
    filter = (pw_instance_filter){
        .limit = 1, .by_status = true, .status = PW_WAITING, .name = S("order")
    };
    EXPECT_TEXT(page(f, &filter, &next), "c");
    filter.after = next;
    EXPECT_TEXT(page(f, &filter, &next), "b");
    filter.after = next;
    EXPECT_TEXT(page(f, &filter, &next), "a");
    EXPECT_INT(next.len, 0);
}

STORE_TEST(a_page_size_or_cursor_that_makes_no_sense_is_refused)
{
    pw_instance_row *rows = NULL;
    size_t count = 0;
    pw_str next;
    pw_instance_filter filter = { .limit = 0 };
    EXPECT_INT(pw_store_instance_list(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
               PAWL_INVALID);
    EXPECT_TEXT(f->err.message, "a page has 1 to 1000 rows, not 0");
    filter.limit = 1001;
    EXPECT_INT(pw_store_instance_list(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
               PAWL_INVALID);
    static const char *const cursors[] = { "x",    "1-",    "1-5",
                                           "1-5-", "2-5-a", "1-99999999999999999999-a",
                                           "1--a" };
    for (size_t i = 0; i < PW_LENGTH(cursors); i++) {
        filter = (pw_instance_filter){ .limit = 1, .after = S(cursors[i]) };
        EXPECT_INT(
            pw_store_instance_list(f->store, &filter, &rows, &count, &next, &f->arena, &f->err),
            PAWL_INVALID);
        EXPECT_CONTAINS(f->err.message, "is not the \"next\" of a page before");
    }
}

/* ---- due times */

static void wakes(fixture *f, const char *id, int64_t wake_at)
{
    pw_transition t = transition(PW_WAITING, wake_at, "{}");
    step(f, id, 0, &t, 1000);
}

static const char *due(fixture *f, int64_t until, int64_t after, const char *after_id,
                       uint32_t limit)
{
    static char text[256];
    pw_due *rows = NULL;
    size_t count = 0, at = 0;
    EXPECT_OK(pw_store_due(f->store, PW_ALL_PARTITIONS, until, after, S(after_id), limit, &rows,
                           &count, &f->arena, &f->err),
              f->err);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s@%lld", i ? " " : "",
                               (int)rows[i].id.len, rows[i].id.ptr, (long long)rows[i].wake_at);
    return text;
}

STORE_TEST(due_instances_come_by_time_then_id_behind_a_place)
{
    have_definition(f);
    wakes(f, "late", 9000);
    wakes(f, "b", 5000);
    wakes(f, "a", 5000);
    wakes(f, "now", 0);
    wakes(f, "never", PW_WAKE_NEVER);
    restart(f);
    EXPECT_TEXT(due(f, 5000, -1, "", 10), "now@0 a@5000 b@5000");
    EXPECT_TEXT(due(f, 5000, -1, "", 2), "now@0 a@5000");
    EXPECT_TEXT(due(f, 5000, 5000, "a", 10), "b@5000");
    EXPECT_TEXT(due(f, 10000, 5000, "b", 10), "late@9000");
    EXPECT_TEXT(due(f, 4999, 0, "now", 10), "");
}

STORE_TEST(the_next_due_time_is_later_than_the_horizon)
{
    have_definition(f);
    int64_t next = 7;
    EXPECT_OK(pw_store_next_due(f->store, PW_ALL_PARTITIONS, 0, &next, &f->err), f->err);
    EXPECT(next == PW_WAKE_NEVER);
    wakes(f, "a", 5000);
    wakes(f, "b", 9000);
    wakes(f, "c", 0);
    EXPECT_OK(pw_store_next_due(f->store, PW_ALL_PARTITIONS, 0, &next, &f->err), f->err);
    EXPECT_INT(next, 5000);
    EXPECT_OK(pw_store_next_due(f->store, PW_ALL_PARTITIONS, 5000, &next, &f->err), f->err);
    EXPECT_INT(next, 9000);
    EXPECT_OK(pw_store_next_due(f->store, PW_ALL_PARTITIONS, 9000, &next, &f->err), f->err);
    EXPECT(next == PW_WAKE_NEVER);
}

STORE_TEST(an_instance_that_has_ended_is_never_due)
{
    have_definition(f);
    wakes(f, "a", 0);
    pw_transition t = transition(PW_CANCELLED, 0, "{}");
    step(f, "a", 1, &t, 2000);
    EXPECT_TEXT(due(f, INT64_MAX, -1, "", 10), "");
}

/* ---- memory */

/* Every allocation of a read or a write fails once; nothing leaks, nothing is half there. */
STORE_TEST(memory_that_runs_out_is_reported_and_nothing_is_written)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_bookmark bookmark = {
        .kind = PW_BOOKMARK_USER, .task = S("/do/0/a"), .visit = 1, .key = S("k"), .due_at = -1
    };
    pw_transition t = transition(PW_WAITING, 0, "{\"at\":2}");
    t.bookmarks = &bookmark;
    t.bookmark_count = 1;
    bool committed = false;
    uint64_t failures = 0;
    for (uint64_t n = 1; n < 1000 && !committed; n++) {
        pw_commit_item item = item_of("i1", 1, &t, 2000);
        pw_alloc_fail_after(n);
        pawl_code code = pw_store_commit(f->store, &item, 1, &f->err);
        pw_alloc_fail_after(0);
        committed = code == PAWL_OK;
        if (committed) {
            EXPECT_INT(item.code, PAWL_OK);
            break;
        }
        failures++;
        EXPECT_INT(code, PAWL_NO_MEMORY);
        EXPECT_INT(get(f, "i1").token, 1);
    }
    EXPECT(committed);
    EXPECT(f->on_disk || failures > 3); /* SQLite's own memory is another test's */
    bool read = false;
    for (uint64_t n = 1; n < 1000 && !read; n++) {
        pw_arena arena;
        pw_arena_init(&arena, 0);
        pw_bookmark_row *rows = NULL;
        size_t count = 0;
        pw_alloc_fail_after(n);
        pawl_code code =
            pw_store_bookmarks(f->store, S("i1"), true, &rows, &count, &arena, &f->err);
        pw_alloc_fail_after(0);
        read = code == PAWL_OK;
        EXPECT(read || code == PAWL_NO_MEMORY);
        EXPECT(!read || count == 1);
        EXPECT(read || n < 20);
        pw_arena_done(&arena);
    }
    EXPECT(read);
}

STORE_TEST(a_read_leaves_the_callers_guard_in_place_and_does_not_jump)
{
    have_definition(f);
    have_instance(f, "i1", 1000);
    pw_arena small;
    pw_arena_init(&small, 64); /* less than the row needs */
    jmp_buf guard;
    if (setjmp(guard)) {
        pw_arena_guard(&small, NULL);
        fail_msg("%s", "a read jumped out of the store");
    }
    (void)pw_arena_guard(&small, &guard);
    pw_instance_row row;
    EXPECT_INT(pw_store_instance_get(f->store, S("i1"), true, &row, &small, &f->err),
               PAWL_NO_MEMORY);
    EXPECT_TEXT(f->err.message, "what was read from the store is larger than the 64 bytes allowed");
    EXPECT(pw_arena_guard(&small, NULL) == &guard);
    pw_arena_done(&small);
    EXPECT_INT(get(f, "i1").token, 1); /* the reader was given back */
}

TEST_MAIN()
