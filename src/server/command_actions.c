/* command_actions.c - commands of what people do about an instance: each is one pawl_act, with as
 * many of its options as the action knows; a fork, which is a start; and what is good to know
 * before: what would be undone, what was done. */
#include "server/command.h"

enum { PAGE_MAX = 1000 };

/* What the action does not know was refused as an unknown member; what is absent is as pawl_act has
 * it. */
static pawl_code act(pw_cmd *c, pawl_change action, pawl_error *err)
{
    const pawl_act_options options = {
        .struct_size = sizeof options,
        .id = pw_cmd_needed(c, "id"),
        .action = action,
        .reason = pw_cmd_text(c, "reason"),
        .input = pw_cmd_json(c, "input"),
        .output = pw_cmd_json(c, "output"),
        .task = action == PAWL_GOTO ? pw_cmd_needed(c, "task") : pw_cmd_text(c, "task"),
        .patch = pw_cmd_typed(c, "patch", PW_ARRAY),
        .step = pw_cmd_number(c, "step", INT64_MAX),
        .visit = pw_cmd_number(c, "visit", INT64_MAX),
        .confirmed = pw_cmd_flag(c, "confirm"),
        .dry_run = pw_cmd_flag(c, "dryRun"),
    };
    if (action == PAWL_EDIT && !options.patch)
        pw_cmd_refuse(c, PAWL_INVALID, "'patch' is missing");
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_act(c->p, &options, &c->asked, &c->result_text, err) : code;
}

static pawl_code run_cancel(pw_cmd *c, pawl_error *err)
{
    return act(c, PAWL_CANCEL, err);
}

static pawl_code run_suspend(pw_cmd *c, pawl_error *err)
{
    return act(c, PAWL_SUSPEND, err);
}

static pawl_code run_continue(pw_cmd *c, pawl_error *err)
{
    return act(c, PAWL_CONTINUE, err);
}

static pawl_code run_retry(pw_cmd *c, pawl_error *err)
{
    return act(c, PAWL_RETRY, err);
}

static pawl_code run_skip(pw_cmd *c, pawl_error *err)
{
    return act(c, PAWL_SKIP, err);
}

static pawl_code run_goto(pw_cmd *c, pawl_error *err)
{
    return act(c, PAWL_GOTO, err);
}

static pawl_code run_edit(pw_cmd *c, pawl_error *err)
{
    return act(c, PAWL_EDIT, err);
}

static pawl_code run_fail(pw_cmd *c, pawl_error *err)
{
    return act(c, PAWL_FAIL, err);
}

static pawl_code run_compensate(pw_cmd *c, pawl_error *err)
{
    return act(c, PAWL_COMPENSATE, err);
}

static pawl_code run_rewind(pw_cmd *c, pawl_error *err)
{
    return act(c, PAWL_REWIND, err);
}

static pawl_code run_fork(pw_cmd *c, pawl_error *err)
{
    const pawl_fork_options options = {
        .struct_size = sizeof options,
        .id = pw_cmd_needed(c, "id"),
        .step = pw_cmd_number(c, "step", INT64_MAX),
        .visit = pw_cmd_number(c, "visit", INT64_MAX),
        .input = pw_cmd_json(c, "input"),
        .key = pw_cmd_text(c, "key"),
        .labels = pw_cmd_typed(c, "labels", PW_OBJECT),
        .reason = pw_cmd_text(c, "reason"),
        .confirmed = pw_cmd_flag(c, "confirm"),
        .dry_run = pw_cmd_flag(c, "dryRun"),
    };
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_fork(c->p, &options, &c->asked, &c->result_text, err) : code;
}

/* ---- looking */

static pawl_code run_compensation(pw_cmd *c, pawl_error *err)
{
    const char *id = pw_cmd_needed(c, "id"), *after = pw_cmd_text(c, "after");
    uint32_t limit = (uint32_t)pw_cmd_number(c, "limit", PAGE_MAX);
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_compensation(c->p, id, after, limit, &c->result_text, err) : code;
}

static pawl_code run_effects(pw_cmd *c, pawl_error *err)
{
    const char *id = pw_cmd_needed(c, "id");
    uint64_t behind = pw_cmd_number(c, "behind", INT64_MAX);
    uint32_t limit = (uint32_t)pw_cmd_number(c, "limit", PAGE_MAX);
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_effects(c->p, id, behind, limit, &c->result_text, err) : code;
}

// clang-format off
static const pw_cmd_entry entries[] = {
    { { "cancel",     PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .changes = true }, { "id", "reason", "dryRun" }, run_cancel },
    { { "suspend",    PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .changes = true }, { "id", "reason", "dryRun" }, run_suspend },
    { { "continue",   PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .changes = true }, { "id", "reason", "dryRun" }, run_continue },
    { { "retry",      PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .changes = true }, { "id", "reason", "input", "confirm", "dryRun" }, run_retry },
    { { "skip",       PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .changes = true }, { "id", "reason", "output", "confirm", "dryRun" }, run_skip },
    { { "goto",       PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .changes = true },
      { "id", "reason", "task", "input", "confirm", "dryRun" }, run_goto },
    { { "edit",       PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .changes = true }, { "id", "reason", "patch", "dryRun" }, run_edit },
    { { "fail",       PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .changes = true }, { "id", "reason", "dryRun" }, run_fail },
    { { "compensate", PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .changes = true }, { "id", "reason", "dryRun" }, run_compensate },
    { { "rewind",     PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .changes = true },
      { "id", "reason", "step", "visit", "input", "confirm", "dryRun" }, run_rewind },
    { { "fork",       PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .changes = true },
      { "id", "reason", "step", "visit", "input", "key", "labels", "confirm", "dryRun" }, run_fork },
    { { "compensation", PW_ROLE_VIEWER, PW_SCOPE_INSTANCE }, { "id", "after", "limit" }, run_compensation },
    { { "effects",    PW_ROLE_VIEWER,   PW_SCOPE_INSTANCE }, { "id", "behind", "limit" }, run_effects },
};
// clang-format on
const pw_cmd_table pw_commands_actions = { entries, PW_LENGTH(entries) };
