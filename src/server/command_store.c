/* command_store.c - commands of the store as a whole: messages, identities, and what state it is in. */
#include <time.h>

#include "server/command.h"

static pawl_code run_ping(pw_cmd *c, pawl_error *err)
{
    (void)err;
    c->result = pw_object_of(
        &c->arena, (pw_member[]){ { PW_LIT("version"), pw_string_ref(pw_str_of(pawl_version())) } },
        1);
    return PAWL_OK;
}

/* The path only for who may see the whole store. */
static pawl_code run_state(pw_cmd *c, pawl_error *err)
{
    const pawl_list_options options = { .struct_size = sizeof options,
                                        .namespaces = pw_cmd_typed(c, "namespaces", PW_ARRAY) };
    pw_value counts = { 0 };
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK)
        code = pawl_count(c->p, &options, &c->result_text, err);
    if (code == PAWL_OK)
        code = pw_cmd_result(c, &counts, err);
    pawl_free(c->result_text);
    c->result_text = NULL;
    pawl_error trouble = { .code = PAWL_OK };
    pw_value degraded = { 0 };
    if (pawl_health(c->p, &trouble) != PAWL_OK)
        degraded = pw_string(&c->arena, pw_str_of(trouble.message));
    pw_value path = options.namespaces ? (pw_value){ 0 } : pw_string_ref(pw_str_of(pawl_store(c->p)));
    c->result = pw_object_of(&c->arena,
                             (pw_member[]){ { PW_LIT("version"), pw_string_ref(pw_str_of(pawl_version())) },
                                            { PW_LIT("store"), path },
                                            { PW_LIT("instances"), counts },
                                            { PW_LIT("degraded"), degraded } },
                             4);
    return code;
}

static pawl_code run_metrics(pw_cmd *c, pawl_error *err)
{
    char *text = NULL;
    pawl_code code = pawl_metrics(c->p, &text, err);
    if (code == PAWL_OK)
        c->result = pw_object_of(&c->arena, (pw_member[]){ { PW_LIT("text"), pw_cmd_own(c, text) } }, 1);
    return code;
}

/* Of this process, not of the store: another owner does not know it. */
static pawl_code run_log_level(pw_cmd *c, pawl_error *err)
{
    const char *level = pw_cmd_text(c, "level");
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK && level)
        code = pawl_logging_level(level, err);
    if (code == PAWL_OK && level)
        pawl_logging_line("info", "server", "log.level", NULL, "the levels of the log were changed", NULL);
    const pw_str now = pw_str_of(pawl_logging_levels());
    c->result = pw_object_of(&c->arena, (pw_member[]){ { PW_LIT("level"), pw_string(&c->arena, now) } }, 1);
    return code;
}

/* A part of it at a time: who asks goes on while it is "stopped". */
typedef struct part {
    pw_cmd *command;
    struct timespec begun;
} part;

static int is_enough(void *context, uint64_t done, uint64_t all)
{
    enum { SECONDS = 10 };
    part *p = context;
    struct timespec now;
    (void)done;
    (void)all;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - p->begun.tv_sec >= SECONDS || (p->command->stop && p->command->stop(p->command->stop_context));
}

static pawl_code run_cleanup(pw_cmd *c, pawl_error *err)
{
    part p = { .command = c };
    const bool dry_run = pw_cmd_flag(c, "dryRun");
    (void)clock_gettime(CLOCK_MONOTONIC, &p.begun);
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_cleanup(c->p, dry_run, is_enough, &p, &c->result_text, err) : code;
}

static pawl_code run_publish(pw_cmd *c, pawl_error *err)
{
    const pawl_publish_options options = { .struct_size = sizeof options,
                                           .ttl_ms = pw_cmd_number(c, "ttlMs", INT64_MAX),
                                           .actor = c->asked.actor };
    const char *events = pw_cmd_json(c, "events");
    if (!events)
        pw_cmd_refuse(c, PAWL_INVALID, "'events' is missing: a CloudEvent, or an array of them");
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_publish(c->p, events, &options, &c->result_text, err) : code;
}

/* ---- how it is */

static pawl_code run_components(pw_cmd *c, pawl_error *err)
{
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_components(c->p, &c->result_text, err) : code;
}

static pawl_code run_audit(pw_cmd *c, pawl_error *err)
{
    const bool last = pw_cmd_flag(c, "last");
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_audit(c->p, last, &c->result_text, err) : code;
}

/* ---- identities */

static pawl_code run_tokens(pw_cmd *c, pawl_error *err)
{
    return pawl_tokens(c->p, &c->result_text, err);
}

static pawl_code run_token_create(pw_cmd *c, pawl_error *err)
{
    pawl_token_options options = {
        .struct_size = sizeof options,
        .name = pw_cmd_needed(c, "name"),
        .roles = pw_cmd_typed(c, "roles", PW_ARRAY),
        .note = pw_cmd_text(c, "note"),
        .expires_ms = pw_cmd_moment(c, "expiresAt"),
    };
    options.groups = pw_cmd_texts(c, "ofGroups", &options.group_count);
    char *token = NULL;
    pw_value made = { 0 };
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK)
        code = pawl_token_create(c->p, &options, c->asked.actor, &token, &c->result_text, err);
    if (code == PAWL_OK)
        code = pw_cmd_result(c, &made, err);
    c->result = pw_with(&c->arena, made, PW_LIT("token"), pw_cmd_own(c, token));
    pawl_free(c->result_text);
    c->result_text = NULL;
    return code;
}

static pawl_code run_token_revoke(pw_cmd *c, pawl_error *err)
{
    const char *id = pw_cmd_needed(c, "tokenId");
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK)
        code = pawl_token_revoke(c->p, id, c->asked.actor, err);
    if (code == PAWL_OK)
        c->result = pw_object_of(&c->arena, (pw_member[]){ { PW_LIT("id"), pw_string_ref(pw_str_of(id)) } }, 1);
    return code;
}

/* "ofGroups" and "tokenId", for "groups" are those of who asks, and "id" is an instance's. */
// clang-format off
static const pw_cmd_entry entries[] = {
    { { "ping",    PW_ROLE_ANY,     PW_SCOPE_NONE }, { NULL }, run_ping },
    { { "state",   PW_ROLE_VIEWER,  PW_SCOPE_LIST }, { "namespaces" }, run_state },
    { { "components", PW_ROLE_VIEWER, PW_SCOPE_STORE }, { NULL }, run_components },
    { { "audit",   PW_ROLE_VIEWER,  PW_SCOPE_STORE }, { "last" }, run_audit },
    { { "metrics", PW_ROLE_VIEWER,  PW_SCOPE_STORE }, { NULL }, run_metrics },
    { { "log-level", PW_ROLE_ADMIN, PW_SCOPE_STORE }, { "level" }, run_log_level },
    { { "cleanup", PW_ROLE_ADMIN, PW_SCOPE_STORE, .changes = true }, { "dryRun" }, run_cleanup },
    { { "publish", PW_ROLE_STARTER, PW_SCOPE_STORE, .changes = true }, { "events", "ttlMs" }, run_publish },
    { { "tokens",       PW_ROLE_ADMIN, PW_SCOPE_STORE }, { NULL }, run_tokens },
    { { "token-create", PW_ROLE_ADMIN, PW_SCOPE_STORE, .changes = true },
      { "name", "roles", "ofGroups", "note", "expiresAt" }, run_token_create, .once = true },
    { { "token-revoke", PW_ROLE_ADMIN, PW_SCOPE_STORE, .changes = true }, { "tokenId" }, run_token_revoke },
};
// clang-format on
const pw_cmd_table pw_commands_store = { entries, PW_LENGTH(entries) };
