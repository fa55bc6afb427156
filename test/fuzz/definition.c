/* definition.c - any bytes as a workflow document: findings with a place, or a program that takes
 * its first steps, and can be drawn; and what those store can be read back. */
#include <pthread.h>
#include <stdatomic.h>
#include "fuzz.h"
#include "../branch_rows.h"
#include "base/json.h"
#include "core/core.h"
#include "engine/engine.h"
#include "lang/lang.h"

static const pw_expr_limits limits = {
    .fuel = 20000, .memory = 1u << 20, .depth = 200, .outputs = 20
};

static void check_findings(const pw_findings *findings)
{
    uint32_t errors = 0;
    FUZZ_CHECK(findings->count <= PW_FINDINGS_MAX);
    for (uint32_t i = 0; i < findings->count; i++) {
        const pw_finding *finding = &findings->items[i];
        errors += finding->is_error;
        FUZZ_CHECK(finding->message.len > 0 && finding->message.ptr[finding->message.len] == '\0');
        FUZZ_CHECK(finding->pointer.ptr[finding->pointer.len] == '\0');
        FUZZ_CHECK((finding->line == 0) == (finding->column == 0));
    }
    FUZZ_CHECK(errors <= findings->errors);
}

/* Start, then the timer where there is one, then a cancellation: from the stored text each time,
 * as after a restart. */
static void take_steps(const pw_program *program)
{
    static const pw_event_kind kinds[] = { PW_EVENT_START, PW_EVENT_TIMER, PW_EVENT_DRIVE,
                                           PW_EVENT_CANCEL };
    const pw_core_settings settings = { .generation = PW_LIT("fuzz"), .tasks_per_step = 20 };
    pw_expr_machine *machine = pw_expr_machine_new(&limits);
    FUZZ_CHECK(machine != NULL);
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_state *state = NULL;
    pw_payload_list kept = { 0 };
    branch_rows branches = { 0 };
    const pw_payload_source payloads = fuzz_payloads(&kept);
    pw_identity identity = { .instance = PW_LIT("i1"),
                             .correlation = PW_LIT("i1"),
                             .created_ms = 1790000000000 };
    pw_event event = { .now_ms = 1790000000000, .seed = 7, .payload = pw_null() };
    for (size_t i = 0; i < PW_LENGTH(kinds); i++) {
        event.kind = kinds[i];
        identity.sequence++;
        if (event.kind == PW_EVENT_TIMER && pw_state_timer(state, &settings) > event.now_ms)
            event.now_ms = pw_state_timer(state, &settings);
        pw_transition t;
        pawl_error err = { .code = PAWL_OK };
        FUZZ_CHECK(pw_core_step(&t, program, state, &identity, &event, &settings, machine, &arena,
                                &err) == PAWL_OK);
        if (i == 0 && !t.changed) { /* null does not fit its input.schema: no instance */
            FUZZ_CHECK(t.code == PAWL_INVALID);
            break;
        }
        if (!t.changed)
            continue;
        fuzz_keep(&kept, t.payloads, t.payload_count, &arena);
        FUZZ_CHECK(branch_rows_apply(&branches, &t, &arena));
        FUZZ_CHECK(pw_state_parse_branches(&state, t.state_text,
                                           branch_rows_text(&branches, &arena), program, &payloads,
                                           &arena, &err) == PAWL_OK);
        FUZZ_CHECK(pw_state_status(state) == t.status);
        pw_value entries;
        FUZZ_CHECK(pw_entries_parse(&entries, t.entries, &payloads, &arena, &err) == PAWL_OK);
        FUZZ_CHECK(pw_is(t.whole_entries, PW_NONE) || pw_equal(entries, t.whole_entries));
        FUZZ_CHECK(pw_is(entries, PW_ARRAY) && entries.count > 0);
    }
    pw_arena_done(&arena);
    pw_expr_machine_free(machine);
}

static void draw(const pw_program *program)
{
    static const pawl_graph_format formats[] = { PAWL_GRAPH_JSON, PAWL_GRAPH_MERMAID,
                                                 PAWL_GRAPH_DOT };
    for (size_t i = 0; i < PW_LENGTH(formats); i++) {
        char *text = NULL;
        pawl_error err = { .code = PAWL_OK };
        FUZZ_CHECK(pw_graph_of(&text, program, formats[i], &err) == PAWL_OK);
        FUZZ_CHECK(pw_utf8_valid(pw_str_of(text)));
        pw_arena arena;
        pw_value graph;
        pw_arena_init(&arena, 0);
        if (formats[i] == PAWL_GRAPH_JSON)
            FUZZ_CHECK(pw_json_parse(&graph, pw_str_of(text), NULL, &arena, &err) == PAWL_OK);
        pw_arena_done(&arena);
        pw_free(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_findings findings = { .arena = &arena, .portable = size % 2 == 1 };
    pw_program *program = NULL;
    pawl_error err = { .code = PAWL_OK };
    pawl_code code = pw_lang_load(&program, fuzz_text(data, size), &findings, &err);
    check_findings(&findings);
    if (code == PAWL_OK) {
        FUZZ_CHECK(program != NULL && findings.errors == 0);
        take_steps(program);
        draw(program);
        pw_program_unref(program);
    } else {
        FUZZ_CHECK(code == PAWL_INVALID && program == NULL);
        FUZZ_CHECK(findings.errors > 0 && err.message[0] != '\0');
    }
    pw_arena_done(&arena);
    return 0;
}
