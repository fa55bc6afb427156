/* command_jobs.c - commands of jobs, for workers and for who watches them. */
#include "server/command.h"

static pawl_code run_jobs(pw_cmd *c, pawl_error *err)
{
    const pawl_jobs_options options = {
        .struct_size = sizeof options,
        .function = pw_cmd_text(c, "function"),
        .namespaces = pw_cmd_typed(c, "namespaces", PW_ARRAY),
        .instance = pw_cmd_text(c, "instance"),
        .after = pw_cmd_text(c, "after"),
        .limit = (uint32_t)pw_cmd_number(c, "limit", 1000),
    };
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_jobs(c->p, &options, &c->result_text, err) : code;
}

// clang-format off
static const pw_cmd_entry entries[] = {
    { { "jobs", PW_ROLE_VIEWER, PW_SCOPE_LIST }, { "function", "namespaces", "instance", "after", "limit" }, run_jobs },
};
// clang-format on
const pw_cmd_table pw_commands_jobs = { entries, PW_LENGTH(entries) };
