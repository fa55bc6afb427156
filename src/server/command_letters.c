/* command_letters.c - commands of what is published: dead letters, and the sinks where they are.
 *
 * Who has a role in some namespaces only sees and changes letters of instances of these: of any
 * other it is told that there is none. */
#include "server/command.h"

enum { PAGE_MAX = 1000 };

static pawl_letters_options read_filter(pw_cmd *c)
{
    return (pawl_letters_options){ .struct_size = sizeof(pawl_letters_options),
                                   .sink = pw_cmd_text(c, "sink"),
                                   .instance = pw_cmd_text(c, "instance"),
                                   .type = pw_cmd_text(c, "type"),
                                   .namespaces = pw_cmd_typed(c, "namespaces", PW_ARRAY),
                                   .all = pw_cmd_flag(c, "all") };
}

static pawl_code run_letters(pw_cmd *c, pawl_error *err)
{
    pawl_letters_options options = read_filter(c);
    options.after = pw_cmd_text(c, "after");
    options.limit = (uint32_t)pw_cmd_number(c, "limit", PAGE_MAX);
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_letters(c->p, &options, &c->result_text, err) : code;
}

/* ---- one */

static bool is_visible(const pw_cmd *c, pw_value letter)
{
    pw_value allowed = pw_get_lit(c->request, "namespaces");
    for (uint32_t i = 0; pw_is(allowed, PW_ARRAY) && i < allowed.count; i++)
        if (pw_equal(pw_item(allowed, i), pw_get_lit(letter, "namespace")))
            return true;
    return !pw_is(allowed, PW_ARRAY);
}

/* PAWL_NOT_FOUND if it may not be seen. */
static pawl_code look(pw_cmd *c, const char *event, const char *sink, pawl_error *err)
{
    pw_value letter;
    pawl_code code = pawl_letter(c->p, event, sink, &c->result_text, err);
    if (code == PAWL_OK)
        code = pw_cmd_result(c, &letter, err);
    if (code != PAWL_OK || is_visible(c, letter))
        return code;
    pawl_free(c->result_text);
    c->result_text = NULL;
    return pw_fail_reason(err, PAWL_NOT_FOUND, PAWL_REASON_NO_LETTER,
                          "there is no dead letter '%.128s'", event);
}

static pawl_code run_letter(pw_cmd *c, pawl_error *err)
{
    const char *event = pw_cmd_needed(c, "event"), *sink = pw_cmd_text(c, "sink");
    (void)pw_cmd_typed(c, "namespaces", PW_ARRAY);
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? look(c, event, sink, err) : code;
}

/* ---- requeued, discarded */

static pawl_code change_one(pw_cmd *c, const char *event, const pawl_letters_options *filter,
                            int requeue, const char *reason, pawl_error *err)
{
    if (filter->instance || filter->type || filter->all)
        return pw_fail(err, PAWL_INVALID,
                       "'event' is given: 'instance', 'type' and 'all' are of changes of many");
    if (filter->namespaces) {
        pawl_code code = look(c, event, filter->sink, err);
        if (code != PAWL_OK)
            return code;
        pawl_free(c->result_text);
        c->result_text = NULL;
    }
    return pawl_letter_change(c->p, event, filter->sink, NULL, requeue, reason, &c->asked,
                              &c->result_text, err);
}

static pawl_code change(pw_cmd *c, int requeue, pawl_error *err)
{
    const char *event = pw_cmd_text(c, "event"), *reason = pw_cmd_text(c, "reason");
    pawl_letters_options filter = read_filter(c);
    pawl_code code = pw_cmd_read(c, err);
    if (code != PAWL_OK)
        return code;
    if (event)
        return change_one(c, event, &filter, requeue, reason, err);
    if (!filter.sink && !filter.instance && !filter.type && !filter.all)
        return pw_fail(err, PAWL_INVALID,
                       "which ones? 'event', or 'sink', 'instance' or 'type', or 'all': true");
    filter.all = 0; /* there it would mean others, too */
    return pawl_letter_change(c->p, NULL, NULL, &filter, requeue, reason, &c->asked,
                              &c->result_text, err);
}

static pawl_code run_requeue(pw_cmd *c, pawl_error *err)
{
    return change(c, 1, err);
}

static pawl_code run_discard(pw_cmd *c, pawl_error *err)
{
    return change(c, 0, err);
}

static pawl_code run_sinks(pw_cmd *c, pawl_error *err)
{
    return pawl_sinks(c->p, &c->result_text, err);
}

/* Sinks are of no namespace: each gets events of all. */
// clang-format off
static const pw_cmd_entry entries[] = {
    { { "letters",        PW_ROLE_VIEWER,   PW_SCOPE_LIST },
      { "sink", "instance", "type", "namespaces", "all", "after", "limit" }, run_letters },
    { { "letter",         PW_ROLE_VIEWER,   PW_SCOPE_LIST }, { "event", "sink", "namespaces" }, run_letter },
    { { "letter-requeue", PW_ROLE_OPERATOR, PW_SCOPE_LIST, .changes = true },
      { "event", "sink", "instance", "type", "namespaces", "all", "reason" }, run_requeue },
    { { "letter-discard", PW_ROLE_OPERATOR, PW_SCOPE_LIST, .changes = true },
      { "event", "sink", "instance", "type", "namespaces", "all", "reason" }, run_discard },
    { { "sinks",          PW_ROLE_VIEWER,   PW_SCOPE_STORE }, { NULL }, run_sinks },
};
// clang-format on
const pw_cmd_table pw_commands_letters = { entries, PW_LENGTH(entries) };
