/* plan.c - the compensation plan of an instance for people, and `pawl effects`: what it has done
 * outside. */
#include "cli/table.h"

enum { TASK_WIDTH = 40, ACTION_WIDTH = 60, NOTE_WIDTH = 80 };

static pw_str cell(cli_app *cli, pw_value row, const char *member, size_t width)
{
    pw_str text = cli_safe(&cli->arena, cli_cut(cli, pw_get_text(row, member), width));
    return text.len ? text : PW_LIT("-");
}

static pw_str number(pw_arena *arena, pw_value row, const char *member)
{
    int64_t n = 0;
    return pw_integer(pw_get_lit(row, member), &n) ? pw_arena_printf(arena, "%lld", (long long)n)
                                                   : PW_LIT("-");
}

/* ---- the plan */

/* "carried out all the same", "beside others; because ..." */
static pw_str note_of(cli_app *cli, pw_value step)
{
    pw_arena *arena = &cli->arena;
    pw_str when = pw_get_text(step, "whenUnknown"), child = pw_get_text(step, "child");
    pw_value error = pw_get_lit(step, "error");
    pw_buf buf;
    pw_buf_init(&buf, 0);
    if (pw_str_is(pw_get_text(step, "state"), "unknown"))
        pw_buf_text(&buf, pw_str_is(when, "run") ? "nobody knows if it was done: it is undone"
                          : pw_str_is(when, "skip")
                              ? "nobody knows if it was done: it is left"
                              : "nobody knows if it was done: it will be asked");
    if (child.len > 0)
        pw_buf_printf(&buf, "%sinstance " PW_FMT, buf.len ? "; " : "",
                      PW_ARG(cli_safe(arena, child)));
    if (pw_truthy(pw_get_lit(step, "parallel")))
        pw_buf_printf(&buf, "%sbeside others", buf.len ? "; " : "");
    if (pw_is(error, PW_OBJECT)) {
        pw_str title = pw_get_text(error, "title"), detail = pw_get_text(error, "detail");
        pw_buf_printf(
            &buf, "%sbecause of " PW_FMT, buf.len ? "; " : "",
            PW_ARG(cli_safe(arena, cli_cut(cli, detail.len ? detail : title, NOTE_WIDTH))));
    }
    pw_str note = buf.failed ? PW_LIT("") : pw_arena_str(arena, pw_buf_view(&buf));
    pw_buf_done(&buf);
    return note;
}

static void print_steps(cli_app *cli, pw_value steps)
{
    static const char *const heads[] = { "STEP",   "STATE",     "TASK", "REQUIRED",
                                         "ACTION", "COMPLETED", "NOTE" };
    table *t = table_new(&cli->arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < steps.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value step = pw_item(steps, i);
        table_put(t, 0, number(&cli->arena, step, "ordinal"));
        table_put(t, 1, cell(cli, step, "state", SIZE_MAX));
        table_put(t, 2, cell(cli, step, "task", TASK_WIDTH));
        table_put(t, 3,
                  pw_is(pw_get_lit(step, "required"), PW_FALSE) ? PW_LIT("no") : PW_LIT("yes"));
        table_put(t, 4, cell(cli, step, "action", ACTION_WIDTH));
        table_put(t, 5, cell(cli, step, "completedAt", SIZE_MAX));
        table_put(t, 6, note_of(cli, step));
    }
    table_print(t);
}

static void print_without(cli_app *cli, pw_value without)
{
    static const char *const heads[] = { "TASK", "VISIT", "COMPLETED" };
    table *t = table_new(&cli->arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < without.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value task = pw_item(without, i);
        table_put(t, 0, cell(cli, task, "task", TASK_WIDTH));
        table_put(t, 1, number(&cli->arena, task, "visit"));
        table_put(t, 2, cell(cli, task, "completedAt", SIZE_MAX));
    }
    out_text("\nhas no compensation\n");
    table_print(t);
}

void print_plan(cli_app *cli, pw_value plan)
{
    pw_value steps = pw_get_lit(plan, "steps"), without = pw_get_lit(plan, "without");
    pw_str next = pw_get_text(plan, "next"), id = cli_quoted(&cli->arena, pw_get_text(plan, "id"));
    int64_t left = 0;
    if (pw_is(steps, PW_ARRAY) && steps.count > 0)
        print_steps(cli, steps);
    else
        cli_note("pawl %s: there is nothing that could be undone", cli->command->name);
    if (pw_is(without, PW_ARRAY) && without.count > 0)
        print_without(cli, without);
    if (next.len > 0)
        cli_note("pawl %s: there are more: pawl compensate --plan " PW_FMT
                 " --after " PW_FMT PW_FMT,
                 cli->command->name, PW_ARG(id), PW_ARG(cli_quoted(&cli->arena, next)),
                 PW_ARG(cli_store_words(cli)));
    bool runs = pw_str_is(pw_get_text(plan, "status"),
                          "compensating"); /* or would, but for an incident on the way */
    for (uint32_t i = 0; pw_is(steps, PW_ARRAY) && i < steps.count; i++)
        runs = runs || pw_str_is(pw_get_text(pw_item(steps, i), "state"), "running");
    if (pw_integer(pw_get_lit(plan, "left"), &left) && left > 0 && !runs)
        cli_note("pawl %s: %lld left to undo: pawl compensate " PW_FMT PW_FMT, cli->command->name,
                 (long long)left, PW_ARG(id), PW_ARG(cli_store_words(cli)));
}

/* ---- effects */

void print_effects(cli_app *cli, pw_value effects)
{
    static const char *const heads[] = { "STEP", "AT", "KIND", "STATE", "TASK", "WHAT" };
    if (!pw_is(effects, PW_ARRAY) || effects.count == 0)
        return;
    table *t = table_new(&cli->arena, heads, PW_LENGTH(heads));
    for (uint32_t i = 0; i < effects.count && t->rows < TABLE_ROWS; i++, t->rows++) {
        pw_value effect = pw_item(effects, i);
        table_put(t, 0, number(&cli->arena, effect, "step"));
        table_put(t, 1, cell(cli, effect, "at", SIZE_MAX));
        table_put(t, 2, cell(cli, effect, "kind", SIZE_MAX));
        table_put(t, 3, cell(cli, effect, "state", SIZE_MAX));
        table_put(t, 4, cell(cli, effect, "task", TASK_WIDTH));
        table_put(t, 5, cell(cli, effect, "what", ACTION_WIDTH));
    }
    table_print(t);
}

static void print_page(cli_app *cli, pw_value page)
{
    pw_value effects = pw_get_lit(page, "effects");
    int64_t next = 0;
    if (!pw_is(effects, PW_ARRAY) || effects.count == 0)
        cli_note("pawl effects: none");
    print_effects(cli, effects);
    if (pw_integer(pw_get_lit(page, "next"), &next))
        cli_note("pawl effects: there are more: pawl effects " PW_FMT " --behind %lld" PW_FMT,
                 PW_ARG(cli_quoted(&cli->arena, pw_str_of(cli->positionals[0]))), (long long)next,
                 PW_ARG(cli_store_words(cli)));
}

static int effects(cli_app *cli)
{
    uint64_t limit = 0, behind = 0;
    if (!cli_number(cli, "limit", 1, 1000, 100, &limit) ||
        !cli_number(cli, "behind", 0, INT64_MAX, 0, &behind))
        return EXIT_USAGE;
    cli_request request;
    request_begin(cli, &request, "effects");
    request_text(&request, "id", cli->positionals[0]);
    request_add(&request, "behind", pw_int((int64_t)behind));
    request_add(&request, "limit", pw_int((int64_t)limit));
    return cli_ask(cli, CLI_LOOK, pw_object_end(&request), print_page);
}

// clang-format off
static const cli_option effects_options[] = {
    { "behind", "N", NULL, "only what was done behind this step of the log" },
    { "limit", "N", NULL, "rows of one page; 100" },
};

const cli_command command_effects = {
    .name = "effects", .positionals = "ID", .least = 1, .most = 1, .has_store = true, .group = CLI_GROUP_INCIDENTS, .run = effects,
    .options = effects_options, .option_count = PW_LENGTH(effects_options),
    .summary = "list what an instance has done outside",
    .text =
        "Calls, jobs, events, answers of people, messages, children and compensations, in the order of the log. STATE is\n"
        "done, failed, pending, abandoned, or unknown: nobody knows whether it had its effect. Before `pawl rewind --step N`,\n"
        "--behind N says what will not be undone. Only looks.",
    .examples = "pawl effects 01kaq0f3s7 --behind 3 --db sqlite:shop.db",
    .exits = "0 done; 2 usage, or no such instance; 3 store or system trouble",
};
// clang-format on
