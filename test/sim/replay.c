/* replay.c - the log of each instance, decided once more, gives the state that is stored, whatever has happened to it:
 * crashes, other owners, commits that failed. */
#include "sim.h"
#include "engine/engine.h"
#include "engine/programs.h"

enum { PAGE = 64 };

static pw_str text_of(const pw_state *state, pw_str *branches, uint32_t alias, pw_arena *arena)
{
    pw_state_text text;
    pawl_error err;
    if (pw_state_save(&text, state, arena, &err) != PAWL_OK)
        sim_violation("i%u: its state cannot be written: %s", alias, err.message);
    *branches = text.branches;
    return text.text;
}

static void replay(pw_replay *to, pw_str id, uint32_t alias, uint64_t token, pw_arena *arena)
{
    pawl_error err;
    for (uint64_t step = 1; step <= token;) {
        pw_step_row *rows = NULL;
        size_t count = 0;
        pawl_code code = pw_store_steps(sim_store, id, step, PAGE, &rows, &count, arena, &err);
        for (size_t i = 0; i < count && code == PAWL_OK; i++) {
            const pw_past_step past = { rows[i].sequence, rows[i].event, rows[i].cause,
                                        rows[i].entries,  rows[i].at_ms, rows[i].actor };
            code = pw_replay_step(to, &past, arena, &err);
        }
        if (code != PAWL_OK || count == 0)
            sim_violation("i%u: its log cannot be replayed: %s", alias, count ? err.message : "it ends too early");
        step += count;
    }
}

void sim_check_replay(pw_str id, uint32_t alias, const pw_instance_row *row)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_error err = { 0 };
    pw_programs *programs = NULL;
    pw_program *program = NULL;
    pw_replay *again = NULL;
    pw_state *stored = NULL;
    pw_expr_machine *machine = pw_expr_machine_new(NULL);
    const pw_core_settings settings = { .generation = pw_store_generation(sim_store) };
    const pw_payload_source payloads = pw_store_payloads(sim_store, id);
    const pw_identity identity = { .instance = id, .correlation = row->correlation };
    pawl_code code = pw_programs_new(&programs, &err);
    if (code == PAWL_OK)
        code = pw_programs_get(programs, sim_store, row->namespace_, row->name, row->version, false, &program, NULL, &err);
    if (code == PAWL_OK)
        code = pw_state_parse_branches(&stored, row->state, row->branches, program, &payloads, &arena, &err);
    if (code == PAWL_OK)
        code = pw_replay_new(&again, program, &identity, &settings, &payloads, machine, &err);
    if (code != PAWL_OK)
        sim_violation("i%u: its log cannot be replayed: %s", alias, err.message);
    replay(again, id, alias, row->token, &arena);
    pw_str branches, wanted_branches, wanted = text_of(stored, &wanted_branches, alias, &arena);
    pw_str text = text_of(pw_replay_state(again), &branches, alias, &arena);
    if (!pw_str_eq(text, wanted) || !pw_str_eq(branches, wanted_branches))
        sim_violation("i%u: its log gives the state " PW_FMT ", not " PW_FMT, alias, PW_ARG(text), PW_ARG(wanted));
    pw_replay_free(again);
    pw_expr_machine_free(machine);
    pw_program_unref(program);
    pw_programs_free(programs);
    pw_arena_done(&arena);
}
