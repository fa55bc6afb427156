/* command_incidents.c - commands of what has gone wrong: incidents, calls, circuit breakers. What
 * is done about an incident is a change of its instance: command_actions.c. */
#include "server/command.h"

enum { PAGE_MAX = 1000 };

static pawl_code run_incidents(pw_cmd *c, pawl_error *err)
{
    const pawl_incidents_options options = {
        .struct_size = sizeof options,
        .all = pw_cmd_flag(c, "all"),
        .instance = pw_cmd_text(c, "instance"),
        .name = pw_cmd_text(c, "name"),
        .namespaces = pw_cmd_typed(c, "namespaces", PW_ARRAY),
        .type = pw_cmd_text(c, "type"),
        .error_class = pw_cmd_text(c, "class"),
        .task = pw_cmd_text(c, "task"),
        .after = pw_cmd_text(c, "after"),
        .limit = (uint32_t)pw_cmd_number(c, "limit", PAGE_MAX),
    };
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_incidents(c->p, &options, &c->result_text, err) : code;
}

static pawl_code run_incident(pw_cmd *c, pawl_error *err)
{
    const char *id = pw_cmd_needed(c, "id");
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_incident(c->p, id, &c->result_text, err) : code;
}

static pawl_code run_calls(pw_cmd *c, pawl_error *err)
{
    const char *id = pw_cmd_needed(c, "id");
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_calls(c->p, id, &c->result_text, err) : code;
}

static pawl_code run_breakers(pw_cmd *c, pawl_error *err)
{
    bool all = pw_cmd_flag(c, "all");
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_breakers(c->p, all, &c->result_text, err) : code;
}

static pawl_code run_breaker(pw_cmd *c, pawl_error *err)
{
    const char *service = pw_cmd_needed(c, "service"), *force = pw_cmd_needed(c, "force"),
               *reason = pw_cmd_text(c, "reason");
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK
               ? pawl_breaker_force(c->p, service, force, reason, &c->asked, &c->result_text, err)
               : code;
}

/* Breakers are of no namespace: what one says of a service holds for the workflows of all. Who may
 * see only some is told of the breaker that its own call waits for, with the instance. */
// clang-format off
static const pw_cmd_entry entries[] = {
    { { "incidents", PW_ROLE_VIEWER,   PW_SCOPE_LIST },
      { "all", "instance", "name", "namespaces", "type", "class", "task", "after", "limit" }, run_incidents },
    { { "incident",  PW_ROLE_VIEWER,   PW_SCOPE_INSTANCE }, { "id" }, run_incident },
    { { "calls",     PW_ROLE_VIEWER,   PW_SCOPE_INSTANCE }, { "id" }, run_calls },
    { { "breakers",  PW_ROLE_VIEWER,   PW_SCOPE_STORE }, { "all" }, run_breakers },
    { { "breaker",   PW_ROLE_OPERATOR, PW_SCOPE_STORE, .changes = true },
      { "service", "force", "reason" }, run_breaker },
};
// clang-format on
const pw_cmd_table pw_commands_incidents = { entries, PW_LENGTH(entries) };
