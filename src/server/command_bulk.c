/* command_bulk.c - commands of bulk operations: one action on many incidents.
 *
 * Who has a role in some namespaces only starts, sees and stops operations whose filter names no
 * other: `namespaces`, which says where the role is, becomes part of the filter at the start, and
 * is held against it later. Any other operation is as one that is not there. */
#include "server/command.h"

enum { PAGE_MAX = 1000 };

static bool action_of(pawl_change *out, const char *name)
{
    static const struct {
        const char *name;
        pawl_change action;
    } actions[] = { { "retry", PAWL_RETRY },   { "skip", PAWL_SKIP },
                    { "goto", PAWL_GOTO },     { "fail", PAWL_FAIL },
                    { "cancel", PAWL_CANCEL }, { "compensate", PAWL_COMPENSATE } };
    for (size_t i = 0; name && i < PW_LENGTH(actions); i++) {
        if (strcmp(name, actions[i].name) != 0)
            continue;
        *out = actions[i].action;
        return true;
    }
    return false;
}

static pawl_code run_start(pw_cmd *c, pawl_error *err)
{
    const char *action = pw_cmd_needed(c, "action");
    pawl_bulk_options options = {
        .struct_size = sizeof options,
        .reason = pw_cmd_text(c, "reason"),
        .input = pw_cmd_json(c, "input"),
        .output = pw_cmd_json(c, "output"),
        .task = pw_cmd_text(c, "task"),
        .confirmed = pw_cmd_flag(c, "confirm"),
        .name = pw_cmd_text(c, "name"),
        .version = pw_cmd_text(c, "version"),
        .namespaces = pw_cmd_typed(c, "namespaces", PW_ARRAY),
        .type = pw_cmd_text(c, "type"),
        .error_class = pw_cmd_text(c, "class"),
        .at_task = pw_cmd_text(c, "atTask"),
        .labels = pw_cmd_typed(c, "labels", PW_OBJECT),
        .older_ms = pw_cmd_number(c, "olderMs", INT64_MAX),
        .dry_run = pw_cmd_flag(c, "dryRun"),
    };
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK && !action_of(&options.action, action))
        code = pw_fail(err, PAWL_INVALID,
                       "'action' is retry, skip, goto, fail, cancel or compensate, not '%.40s'",
                       action);
    return code == PAWL_OK ? pawl_bulk_start(c->p, &options, &c->asked, &c->result_text, err)
                           : code;
}

/* ---- what may be seen */

static bool holds(pw_value list, pw_value text)
{
    for (uint32_t i = 0; i < list.count; i++)
        if (pw_equal(pw_item(list, i), text))
            return true;
    return false;
}

static bool is_visible(const pw_cmd *c, pw_value bulk)
{
    pw_value allowed = pw_get_lit(c->request, "namespaces");
    pw_value its = pw_get_lit(pw_get_lit(bulk, "filter"), "namespaces");
    if (!pw_is(allowed, PW_ARRAY))
        return true;
    bool all = pw_is(its, PW_ARRAY);
    for (uint32_t i = 0; all && i < its.count; i++)
        all = holds(allowed, pw_item(its, i));
    return all;
}

/* PAWL_NOT_FOUND if it may not. */
static pawl_code look(pw_cmd *c, const char *id, pawl_error *err)
{
    pw_value bulk;
    pawl_code code = pawl_bulk(c->p, id, &c->result_text, err);
    if (code == PAWL_OK)
        code = pw_cmd_result(c, &bulk, err);
    if (code != PAWL_OK || is_visible(c, bulk))
        return code;
    pawl_free(c->result_text);
    c->result_text = NULL;
    return pw_fail_reason(err, PAWL_NOT_FOUND, PAWL_REASON_NO_BULK,
                          "there is no bulk operation '%.128s'", id);
}

static pawl_code run_bulk(pw_cmd *c, pawl_error *err)
{
    const char *id = pw_cmd_needed(c, "id");
    (void)pw_cmd_typed(c, "namespaces", PW_ARRAY);
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? look(c, id, err) : code;
}

/* Those of the page that may be seen; so it may have fewer rows than were asked for. */
static pawl_code keep_visible(pw_cmd *c, pawl_error *err)
{
    pw_value page, text = pw_cmd_own(c, c->result_text);
    pw_array_builder visible = { .arena = &c->arena };
    c->result_text = NULL;
    pawl_code code =
        pw_json_parse(&page, pw_text(text), &(pw_json_limits){ .bytes = SIZE_MAX }, &c->arena, err);
    if (code != PAWL_OK)
        return code;
    pw_value list = pw_get_lit(page, "bulks");
    for (uint32_t i = 0; i < list.count; i++)
        if (is_visible(c, pw_item(list, i)))
            pw_array_add(&visible, pw_item(list, i));
    c->result = pw_with(&c->arena, page, PW_LIT("bulks"), pw_array_end(&visible));
    return PAWL_OK;
}

static pawl_code run_bulks(pw_cmd *c, pawl_error *err)
{
    const char *after = pw_cmd_text(c, "after");
    uint32_t limit = (uint32_t)pw_cmd_number(c, "limit", PAGE_MAX);
    bool restricted = pw_cmd_typed(c, "namespaces", PW_ARRAY) != NULL;
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK)
        code = pawl_bulks(c->p, after, limit, &c->result_text, err);
    return code == PAWL_OK && restricted ? keep_visible(c, err) : code;
}

static pawl_code set_state(pw_cmd *c, int go_on, pawl_error *err)
{
    const char *id = pw_cmd_needed(c, "id");
    (void)pw_cmd_typed(c, "namespaces", PW_ARRAY);
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK)
        code = look(c, id, err);
    if (code != PAWL_OK)
        return code;
    pawl_free(c->result_text);
    c->result_text = NULL;
    return pawl_bulk_stop(c->p, id, go_on, &c->asked, &c->result_text, err);
}

static pawl_code run_stop(pw_cmd *c, pawl_error *err)
{
    return set_state(c, 0, err);
}

static pawl_code run_continue(pw_cmd *c, pawl_error *err)
{
    return set_state(c, 1, err);
}

// clang-format off
static const pw_cmd_entry entries[] = {
    { { "bulk-start",    PW_ROLE_OPERATOR, PW_SCOPE_LIST, .changes = true },
      { "action", "reason", "input", "output", "task", "confirm", "name", "version", "namespaces", "type", "class", "atTask",
        "labels", "olderMs", "dryRun" }, run_start },
    { { "bulk",          PW_ROLE_VIEWER,   PW_SCOPE_LIST }, { "id", "namespaces" }, run_bulk },
    { { "bulks",         PW_ROLE_VIEWER,   PW_SCOPE_LIST }, { "namespaces", "after", "limit" }, run_bulks },
    { { "bulk-stop",     PW_ROLE_OPERATOR, PW_SCOPE_LIST, .changes = true }, { "id", "namespaces" }, run_stop },
    { { "bulk-continue", PW_ROLE_OPERATOR, PW_SCOPE_LIST, .changes = true }, { "id", "namespaces" }, run_continue },
};
// clang-format on
const pw_cmd_table pw_commands_bulk = { entries, PW_LENGTH(entries) };
