/* payload_test.c - large values in the state and the log: put out once, and then only referred to.
 */
#include <stdlib.h>
#include "fixture.h"
#include "base/digest.h"

/* sha256sum of 20,000 letters b in quotes */
#define B_NAME "dc6a21e227f118fba1583249836b63ef60574e5965dd85d909584bf4b53825c4"
#define B_REFERENCE "{\"$payload\":\"" B_NAME "\"}"
enum { LETTERS = 20000 };

static const char carrying[] =
    "  - one: { call: work, output: { as: '$input + {n: ($input.n + 1)}' } }\n"
    "  - two: { call: work, output: { as: '$input + {n: ($input.n + 1)}' } }\n"
    "  - three: { call: work, output: { as: '$input + {n: ($input.n + 1)}' } }\n";

static const char *letters(fixture *f, char letter)
{
    char *text = pw_arena_alloc(&f->arena, LETTERS + 1);
    memset(text, letter, LETTERS);
    text[LETTERS] = '\0';
    return text;
}

/* {"n":0,"pad":"bbb..."} */
static const char *input(fixture *f)
{
    return pw_arena_printf(&f->arena, "{\"n\":0,\"pad\":\"%s\"}", letters(f, 'b')).ptr;
}

static unsigned occurrences(const char *text, const char *part)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        n++;
    return n;
}

TEST(payload, a_large_value_is_put_out_once_and_referred_to_in_state_and_log)
{
    fixture f;
    fixture_open(&f, carrying);
    fixture_start(&f, input(&f));
    EXPECT_INT(f.t.payload_count, 1);
    EXPECT_STR(f.t.payloads[0].digest, B_NAME);
    EXPECT_INT(f.t.payloads[0].text.len, LETTERS + 2);
    const char *text = fixture_text(&f, f.t.state_text);
    EXPECT_INT(strncmp(text, "{\"f\":5,", 7), 0);
    EXPECT_INT(occurrences(text, "\"i\":{\"n\":0,\"pad\":" B_REFERENCE "}"), 1);
    EXPECT_INT(occurrences(text, "$payload"), 1);
    EXPECT(strlen(text) < 500);
    text = fixture_text(&f, f.t.entries);
    EXPECT_INT(occurrences(text, "\"input\":{\"n\":0,\"pad\":" B_REFERENCE "}"), 1);
    /* who is told of the step sees it whole */
    pw_value started = pw_item(f.t.whole_entries, 0);
    EXPECT_INT(pw_get_text(pw_get_lit(started, "input"), "pad").len, LETTERS);
    for (uint64_t visit = 1; visit <= 3; visit++) {
        fixture_result(&f, visit, 1, "{}");
        EXPECT_INT(f.t.payload_count, 0);
        EXPECT(f.t.entries.len < 700);
    }
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.t.output.len, strlen("{\"n\":3,\"pad\":\"\"}") + LETTERS);
    fixture_close(&f);
}

TEST(payload, an_ordinary_step_has_none)
{
    fixture f;
    fixture_open(&f, carrying);
    fixture_start(&f, "{\"n\":0}");
    EXPECT_INT(f.t.payload_count, 0);
    EXPECT(pw_is(f.t.whole_entries, PW_NONE));
    EXPECT_STR(f.t.entries,
               "[{\"type\":\"instance.started\",\"input\":{\"n\":0}},{\"type\":\"task.started\","
               "\"task\":\"/do/0/one\",\"visit\":1,\"function\":\"work\",\"input\":{}}]");
    fixture_close(&f);
}

TEST(payload, entries_stay_in_the_log_however_large_they_are_together)
{
    fixture f;
    fixture_open(&f, "  - pass: { set: '${ . }' }\n");
    fixture_start(&f, pw_arena_printf(&f.arena, "\"%.*s\"", LETTERS / 2, letters(&f, 'b')).ptr);
    EXPECT_STATUS(f, "completed");
    EXPECT(f.t.entries.len > LETTERS); /* as input, and as output */
    EXPECT_TEXT(fixture_entries(&f),
                "instance.started; task.completed /do/0/pass; instance.completed");
    EXPECT_INT(f.t.payload_count, 0);
    fixture_close(&f);
}

TEST(payload, a_step_that_was_not_committed_is_forgotten_with_what_it_put_out)
{
    fixture f;
    fixture_open(&f, "  - one: { call: work, output: { as: '{old: $input.pad, new: .}' } }\n"
                     "  - two: { call: work, output: { as: $input } }\n");
    fixture_start(&f, input(&f));
    const pw_state *before = f.state;
    const char *result = pw_arena_printf(&f.arena, "\"%s\"", letters(&f, 'c')).ptr;
    pw_str first = { 0 };
    for (int attempt = 0; attempt < 3;
         attempt++) { /* each decides anew, from the state of before */
        pw_arena_mark mark = pw_arena_at(&f.arena);
        fixture_result(&f, 1, 1, result);
        EXPECT_INT(f.t.payload_count, 1); /* `new`; `old` is in the store since the start */
        EXPECT_INT(f.t.payloads[0].text.ptr[1], 'c');
        if (attempt == 0) {
            char *copy = strndup(f.t.payloads[0].digest.ptr, 64);
            first = (pw_str){ copy, 64 };
        } else {
            EXPECT(pw_str_eq(f.t.payloads[0].digest, first));
        }
        if (attempt < 2) { /* the commit failed */
            memset(&f.payloads, 0, sizeof f.payloads);
            pw_arena_rewind(&f.arena, mark);
            f.state = (pw_state *)(uintptr_t)before;
        }
    }
    free((char *)(uintptr_t)first.ptr);
    fixture_result(&f, 2, 1, "{}");
    EXPECT_INT(f.t.payload_count, 0);
    fixture_close(&f);
}

TEST(payload, after_a_restart_nothing_is_put_out_again_and_the_text_is_the_same)
{
    fixture f;
    fixture_open(&f, carrying);
    fixture_start(&f, input(&f));
    const char *text = fixture_text(&f, f.t.state_text);
    fixture_reload(&f);
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    EXPECT_INT(f.t.payload_count, 0);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_INT(f.t.payload_count, 0);
    EXPECT_STR(f.t.state_text, text);
    fixture_reload(&f);
    fixture_result(&f, 1, 1, "{}");
    EXPECT_INT(f.t.payload_count, 0);
    fixture_reload(&f);
    fixture_result(&f, 2, 1, "{}");
    fixture_reload(&f);
    fixture_result(&f, 3, 1, "{}");
    EXPECT_STATUS(f, "completed");
    EXPECT_INT(f.payloads.count, 1);
    EXPECT_INT(f.t.output.len, strlen("{\"n\":3,\"pad\":\"\"}") + LETTERS);
    fixture_close(&f);
}

TEST(payload, a_copy_of_the_state_knows_what_the_state_knew)
{
    fixture f;
    fixture_open(&f, carrying);
    fixture_start(&f, input(&f));
    fixture_result(&f, 1, 1, "{}"); /* the raw input and the data share the padding from here on */
    const char *text = fixture_text(&f, f.t.state_text);
    pw_arena other;
    pw_arena_init(&other, 0);
    pw_state *copy;
    pawl_error err;
    EXPECT_OK(pw_state_copy(&copy, f.state, &other, &err), err);
    EXPECT(other.used < 2 * LETTERS); /* one padding, not two */
    f.state = copy;
    fixture_command(&f, PW_EVENT_SUSPEND, "ann", "");
    EXPECT_INT(f.t.payload_count, 0);
    fixture_command(&f, PW_EVENT_CONTINUE, "ann", "");
    EXPECT_INT(f.t.payload_count, 0);
    EXPECT_STR(f.t.state_text, text);
    fixture_close(&f);
    pw_arena_done(&other);
}

TEST(payload, data_that_looks_like_a_reference_comes_back_as_it_was)
{
    static const char *const inputs[] = {
        "{\"$payload\":\"x\"}",
        "{\"$$payload\":1}",
        B_REFERENCE,
        "[{\"$payload\":{\"$payload\":[]}}]",
    };
    for (size_t i = 0; i < PW_LENGTH(inputs); i++) {
        fixture f;
        fixture_open(&f, "  - one: { call: work, output: { as: $input } }\n");
        fixture_start(&f, inputs[i]);
        EXPECT_INT(f.t.payload_count, 0);
        fixture_reload(&f);
        fixture_result(&f, 1, 1, "{}");
        EXPECT_OUTPUT(f, inputs[i]);
        const pw_payload_source source = fixture_source(&f);
        pw_value entries;
        pawl_error err;
        EXPECT_OK(pw_entries_parse(&entries, f.t.entries, &source, &f.arena, &err), err);
        pw_str output = pw_json_text(&f.arena, pw_get_lit(pw_item(entries, 0), "output"), 0);
        EXPECT_STR(output, inputs[i]);
        fixture_close(&f);
    }
}

TEST(payload, a_state_of_the_first_format_has_no_references)
{
    fixture f;
    fixture_open(&f, "  - one: { call: work, output: { as: $input } }\n");
    pw_str old =
        PW_LIT("{\"f\":1,\"s\":\"waiting\",\"v\":1,\"t\":1000,\"i\":" B_REFERENCE
               ",\"x\":null,\"r\":{\"o\":1,\"s\":1000,\"=\":1,\"c\":[{\"t\":0,\"p\":6,\"v\":1,"
               "\"x\":5,\"n\":1,\"s\":1000,\"=\":1,\"a\":{},\"k\":\"key\"}]}}");
    pawl_error err;
    EXPECT_OK(pw_state_parse(&f.state, old, f.program, NULL, &f.arena, &err), err);
    fixture_result(&f, 1, 1, "{}");
    EXPECT_STATUS(f, "completed");
    EXPECT_OUTPUT(f, B_REFERENCE);
    fixture_close(&f);
}

TEST(payload, a_state_whose_payload_is_missing_or_damaged_is_corrupt)
{
    fixture f;
    fixture_open(&f, carrying);
    fixture_start(&f, input(&f));
    const pw_payload_source source = fixture_source(&f);
    pw_state *state;
    pawl_error err;
    f.payloads.items[0].text.len--;
    f.apart = true;
    EXPECT_INT(pw_state_parse(&state, f.t.state_text, f.program, &source, &f.arena, &err),
               PAWL_CORRUPT);
    EXPECT_TEXT(err.message, "payload " B_NAME
                             " of instance i1 is damaged: its text has another digest; restore "
                             "the store from a backup");
    f.payloads.count = 0;
    EXPECT_INT(pw_state_parse(&state, f.t.state_text, f.program, &source, &f.arena, &err),
               PAWL_CORRUPT);
    EXPECT_TEXT(err.message, "payload " B_NAME " of instance i1 is missing; restore the store from "
                             "a backup");
    fixture_close(&f);
}

/* The first step of an instance whose input, 20,000 letters, is put side by side with itself again
 * and again: little in memory and in the store, where each value is once. */
static pawl_code start_doubled(unsigned times, pawl_error *err)
{
    char tasks[1024];
    size_t len = 0;
    for (unsigned i = 0; i < times; i++)
        len += (size_t)snprintf(tasks + len, sizeof tasks - len,
                                "  - d%u: { set: { a: '${ . }', b: '${ . }' } }\n", i);
    (void)snprintf(tasks + len, sizeof tasks - len, "  - job: { call: work }\n");
    fixture f;
    fixture_open(&f, tasks);
    pw_event event = { .kind = PW_EVENT_START, .now_ms = T0, .seed = 1 };
    event.payload = pw_string_ref(pw_str_of(letters(&f, 'b')));
    f.identity.sequence = 1;
    pawl_code code = pw_core_step(&f.t, f.program, NULL, &f.identity, &event, &f.settings,
                                  f.machine, &f.arena, err);
    if (code == PAWL_OK) {
        EXPECT_STATUS(f, "waiting");
        EXPECT(f.t.state_text.len < LETTERS);
    }
    fixture_close(&f);
    return code;
}

TEST(payload, the_limit_of_an_instances_data_is_of_each_value_in_all_its_places)
{
    pawl_error err;
    EXPECT_OK(start_doubled(13, &err), err);           /* 164 MB */
    EXPECT_INT(start_doubled(14, &err), PAWL_INVALID); /* 328 MB */
    EXPECT_TEXT(err.message, "the data of the instance are larger than the limit of 256 MiB");
}

TEST(payload, running_out_of_memory_with_a_large_value_leaves_the_old_state)
{
    fixture f;
    fixture_open(&f, "  - one: { call: work, output: { as: '{old: $input, new: .}' } }\n"
                     "  - two: { call: work }\n");
    fixture_start(&f, input(&f));
    pw_event event = {
        .kind = PW_EVENT_ACTIVITY_RESULT, .visit = 1, .attempt = 1, .now_ms = T0, .seed = 1
    };
    event.payload = pw_string_ref(pw_str_of(letters(&f, 'c')));
    f.identity.sequence = 2;
    unsigned failures = 0;
    pawl_code code = PAWL_NO_MEMORY;
    for (uint64_t n = 1; code != PAWL_OK; n++) {
        pw_arena arena;
        pw_arena_init(&arena, 0);
        pw_transition t;
        pawl_error err;
        pw_alloc_fail_after(n);
        code = pw_core_step(&t, f.program, f.state, &f.identity, &event, &f.settings, f.machine,
                            &arena, &err);
        pw_alloc_fail_after(0);
        if (code == PAWL_OK) {
            EXPECT_INT(t.payload_count, 1);
        } else {
            EXPECT_INT(code, PAWL_NO_MEMORY);
            failures++;
        }
        pw_arena_done(&arena);
        EXPECT(n < 1000);
    }
    EXPECT(failures > 3);
    fixture_close(&f);
}

TEST_MAIN()
