/* command_people.c - commands of bookmarks, and of the people that some of them wait for. */
#include "server/command.h"

enum { PAGE_MAX = 1000 };

#define LEASE_MAX_MS (UINT64_C(366) * 86400000)

/* ---- what a person does */

static pawl_code change(pw_cmd *c, pawl_bookmark_action action, pawl_error *err)
{
    const pawl_bookmark_options options = {
        .struct_size = sizeof options,
        .id = pw_cmd_needed(c, "id"),
        .key = pw_cmd_needed(c, "key"),
        .action = action,
        .lease_ms = action == PAWL_BOOKMARK_CLAIM ? pw_cmd_number(c, "leaseMs", LEASE_MAX_MS) : 0,
        .to = action == PAWL_BOOKMARK_DELEGATE ? pw_cmd_needed(c, "to") : NULL,
        .text = action == PAWL_BOOKMARK_COMMENT ? pw_cmd_needed(c, "text") : NULL,
    };
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_bookmark_change(c->p, &options, &c->asked, &c->result_text, err) : code;
}

static pawl_code run_claim(pw_cmd *c, pawl_error *err)
{
    return change(c, PAWL_BOOKMARK_CLAIM, err);
}

static pawl_code run_release(pw_cmd *c, pawl_error *err)
{
    return change(c, PAWL_BOOKMARK_RELEASE, err);
}

static pawl_code run_delegate(pw_cmd *c, pawl_error *err)
{
    return change(c, PAWL_BOOKMARK_DELEGATE, err);
}

static pawl_code run_comment(pw_cmd *c, pawl_error *err)
{
    return change(c, PAWL_BOOKMARK_COMMENT, err);
}

static pawl_code run_complete(pw_cmd *c, pawl_error *err)
{
    const pawl_resume_options options = {
        .struct_size = sizeof options,
        .id = pw_cmd_needed(c, "id"),
        .key = pw_cmd_needed(c, "key"),
        .data = pw_cmd_json(c, "data"),
        .task = pw_cmd_text(c, "task"),
        .kind = "user-action",
    };
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_resume_with(c->p, &options, &c->asked, &c->result_text, err) : code;
}

/* ---- looking */

static bool holds(pw_value list, const char *name)
{
    for (uint32_t i = 0; i < list.count && pw_is(list, PW_ARRAY); i++)
        if (pw_str_is(pw_text(pw_item(list, i)), name))
            return true;
    return false;
}

/* As the store finds the tasks of a person; one that has answered may go on looking. */
static bool is_own(const pw_cmd *c, pw_value task)
{
    const char *actor = c->asked.actor ? c->asked.actor : "";
    pw_value candidates = pw_get_lit(task, "candidates");
    pw_value users = pw_get_lit(candidates, "users"), groups = pw_get_lit(candidates, "groups");
    pw_str assigned = pw_get_text(task, "assignedTo");
    if (!pw_str_is(pw_get_text(task, "kind"), "user-action"))
        return false;
    if (pw_str_is(pw_get_text(task, "endedBy"), actor) || pw_str_is(pw_get_text(task, "claimedBy"), actor))
        return *actor != '\0';
    if (assigned.len)
        return pw_str_is(assigned, actor);
    if (pw_is(candidates, PW_NONE))
        return true; /* anybody's; candidates that name nobody are nobody's */
    bool own = holds(users, actor);
    for (size_t i = 0; i < c->asked.group_count && !own; i++)
        own = holds(groups, c->asked.groups[i]);
    return own;
}

static pawl_code run_bookmark(pw_cmd *c, pawl_error *err)
{
    const char *id = pw_cmd_needed(c, "id"), *key = pw_cmd_needed(c, "key");
    pw_value task = { 0 };
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK)
        code = pawl_bookmark(c->p, id, key, &c->result_text, err);
    if (code != PAWL_OK || !c->asked.restricted)
        return code;
    code = pw_cmd_result(c, &task, err);
    if (code == PAWL_OK && !is_own(c, task))
        code = pw_fail_reason(err, PAWL_DENIED, PAWL_REASON_NOT_YOURS, "'%s' is no task of yours", key);
    return code;
}

static pawl_bookmarks_options page_options(pw_cmd *c)
{
    return (pawl_bookmarks_options){
        .struct_size = sizeof(pawl_bookmarks_options),
        .kind = pw_cmd_text(c, "kind"),
        .instance = pw_cmd_text(c, "instance"),
        .name = pw_cmd_text(c, "name"),
        .namespaces = pw_cmd_typed(c, "namespaces", PW_ARRAY),
        .after = pw_cmd_text(c, "after"),
        .limit = (uint32_t)pw_cmd_number(c, "limit", PAGE_MAX),
    };
}

static pawl_code run_bookmarks(pw_cmd *c, pawl_error *err)
{
    const pawl_bookmarks_options options = page_options(c);
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_bookmarks(c->p, &options, &c->result_text, err) : code;
}

/* Of the person that the member names, with the groups of "inGroups"; of the actor itself, if it is restricted to
 * that or none is named; "everybody": of whoever may do them. */
static pawl_code run_tasks(pw_cmd *c, pawl_error *err)
{
    pawl_bookmarks_options options = page_options(c);
    options.kind = "user-action";
    const char *person = pw_cmd_text(c, "person");
    bool everybody = pw_cmd_flag(c, "everybody");
    size_t count = 0;
    const char *const *groups = pw_cmd_texts(c, "inGroups", &count);
    bool own = c->asked.restricted || (!person && !everybody);
    if (c->asked.restricted && (person || everybody || groups))
        pw_cmd_refuse(c, PAWL_DENIED, "you may see your own tasks only: leave 'person', 'inGroups' and 'everybody' out");
    if (own && !c->asked.actor)
        pw_cmd_refuse(c, PAWL_INVALID, "whose tasks? 'person' is missing, or 'everybody'");
    options.person = everybody ? NULL : own ? c->asked.actor : person;
    options.groups = own ? c->asked.groups : groups;
    options.group_count = own ? c->asked.group_count : count;
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_bookmarks(c->p, &options, &c->result_text, err) : code;
}

// clang-format off
static const pw_cmd_entry entries[] = {
    { { "bookmarks", PW_ROLE_VIEWER,   PW_SCOPE_LIST },
      { "kind", "instance", "name", "namespaces", "after", "limit" }, run_bookmarks },
    { { "bookmark",  PW_ROLE_VIEWER,   PW_SCOPE_INSTANCE, .own = true }, { "id", "key" }, run_bookmark },
    { { "tasks",     PW_ROLE_VIEWER,   PW_SCOPE_LIST, .own = true },
      { "person", "inGroups", "everybody", "instance", "name", "namespaces", "after", "limit" }, run_tasks },
    { { "complete",  PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .own = true, .changes = true },
      { "id", "key", "data", "task" }, run_complete },
    { { "claim",     PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .own = true, .changes = true },
      { "id", "key", "leaseMs" }, run_claim },
    { { "release",   PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .own = true, .changes = true }, { "id", "key" }, run_release },
    { { "delegate",  PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .own = true, .changes = true },
      { "id", "key", "to" }, run_delegate },
    { { "comment",   PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .own = true, .changes = true },
      { "id", "key", "text" }, run_comment },
};
// clang-format on
const pw_cmd_table pw_commands_people = { entries, PW_LENGTH(entries) };
