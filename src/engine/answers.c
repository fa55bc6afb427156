/* answers.c - what a command is told without a step of its own: that its instance is there already, that it was
 * answered before, or why its bookmark cannot be had.
 *
 * A request with an idempotency key leaves a row of the inbox in the step that it causes, with its answer. The same
 * request finds it, whoever asks: the one before was committed, or nothing of it was. What was refused has left no
 * row, and is decided anew. */
#include "engine/engine.h"
#include "base/json.h"

void pw_answer(pw_command *command, pawl_code code, const pawl_error *err)
{
    command->code = code;
    if (code != PAWL_OK && err)
        command->error = *err;
    pw_tries_end(command);
    PW_FAULT("engine-before-answer");
    command->answered(command);
}

void pw_answer_as_owner(pw_shard *shard, pw_live *live, pw_command *command, pawl_code code,
                        const pawl_error *err)
{
    pawl_error busy;
    if (!pw_shard_sure(shard, live))
        pw_answer(command, pw_shard_not_ours(shard, command->instance, &busy), &busy);
    else if (code == PAWL_IO || code == PAWL_NO_MEMORY)
        pw_command_failed(shard, command, err);
    else
        pw_answer(command, code, err);
}

pawl_code pw_command_used(pw_shard *shard, const pw_command *command, bool *used, pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_inbox_row row;
    pawl_code code = pw_store_inbox_get(shard->engine->store, command->instance, command->inbox.key,
                                        &row, &arena, err);
    *used = code == PAWL_NOT_FOUND || (code == PAWL_OK && row.consumed_step > 0);
    pw_arena_done(&arena);
    return code == PAWL_NOT_FOUND ? PAWL_OK : code;
}

bool pw_command_is_request(const pw_command *command)
{
    return command->inbox.key.ptr && !command->inbox.stored;
}

/* What was answered to the first of its kind. */
static pawl_code read_answer(pw_command *command, pw_str text, pw_arena *arena, pawl_error *err)
{
    pw_value answer = { 0 };
    int64_t token = 0;
    pawl_code code = pw_json_parse(&answer, text, NULL, arena, err);
    if (code == PAWL_NO_MEMORY)
        return code;
    if (code != PAWL_OK || !pw_integer(pw_get_lit(answer, "token"), &token) ||
        !pw_status_parse(&command->status, pw_get_text(answer, "status")))
        return pw_fail(err, PAWL_CORRUPT, "the stored answer of a request cannot be read");
    command->token = (uint64_t)token;
    return PAWL_OK;
}

bool pw_command_was_answered(pw_shard *shard, pw_live *live, pw_command *command)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_inbox_row row = { 0 };
    pawl_error err = { .code = PAWL_OK };
    const pw_inbox_use *use = &command->inbox;
    pawl_code code =
        pw_store_inbox_get(shard->engine->store, command->instance, use->key, &row, &arena, &err);
    bool same = pw_str_eq(row.kind, use->kind) && pw_str_eq(row.payload, use->payload) &&
                pw_str_eq(row.actor, use->actor);
    bool found = code != PAWL_NOT_FOUND;
    if (code == PAWL_OK && !same)
        code = pw_fail_reason(&err, PAWL_CONFLICT, PAWL_REASON_REQUEST_REUSED,
                              "the idempotency key was used before, for another request");
    else if (code == PAWL_OK)
        code = read_answer(command, row.answer, &arena, &err);
    if (found)
        pw_answer_as_owner(shard, live, command, code, &err);
    pw_arena_done(&arena);
    return found;
}

static pawl_code judge_existing(const pw_command *command, const pw_instance_row *row, pawl_error *err)
{
    const pw_instance_new *create = command->create;
    bool same = pw_str_eq(row->input_digest, create->input_digest);
    if (create->business_key.ptr)
        return same ? PAWL_OK
                    : pw_fail_reason(err, PAWL_CONFLICT, PAWL_REASON_KEY_USED,
                                     "the key '" PW_FMT
                                     "' was used before, with another input, by instance " PW_FMT
                                     "; use another key, or the same input",
                                     PW_ARG(create->business_key), PW_ARG(row->id));
    /* its answer has been forgotten, but the id is that of its idempotency key */
    same = same && pw_str_eq(row->namespace_, create->namespace_) && pw_str_eq(row->name, create->name);
    return same ? PAWL_OK
                : pw_fail_reason(err, PAWL_CONFLICT, PAWL_REASON_REQUEST_REUSED,
                                 "the idempotency key was used before, by instance " PW_FMT
                                 ", for another workflow or input",
                                 PW_ARG(row->id));
}

void pw_answer_existing(pw_shard *shard, pw_live *live, pw_command *command)
{
    if (pw_command_is_request(command) && pw_command_was_answered(shard, live, command))
        return;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row = { 0 };
    pawl_error err = { .code = PAWL_OK };
    pawl_code code =
        pw_store_instance_get(shard->engine->store, pw_live_id(live), false, &row, &arena, &err);
    if (code == PAWL_OK)
        code = judge_existing(command, &row, &err);
    command->existed = code == PAWL_OK;
    pw_arena_done(&arena);
    pw_answer_as_owner(shard, live, command, code, &err);
}

static bool wrong_kind(const pw_event *event, const pw_bookmark *bookmark)
{
    return event->bookmark.len && !pw_str_is(event->bookmark, pw_bookmark_kind_name(bookmark->kind));
}

/* One that was answered. */
static pawl_code judge_answered(const pw_command *command, const pw_bookmark_row *row, pawl_error *err)
{
    const pw_event *event = &command->event;
    if (event->task.len && !pw_str_eq(event->task, row->bookmark.task))
        return pw_fail_reason(err, PAWL_CONFLICT, PAWL_REASON_WRONG_TASK, "'" PW_FMT "' was of the task '" PW_FMT "'",
                              PW_ARG(event->key), PW_ARG(row->bookmark.task));
    if (wrong_kind(event, &row->bookmark))
        return pw_fail_reason(err, PAWL_CONFLICT, PAWL_REASON_WRONG_KIND, "'" PW_FMT "' was a %s bookmark",
                              PW_ARG(event->key), pw_bookmark_kind_name(row->bookmark.kind));
    if (event->kind == PW_EVENT_RESUME && pw_str_eq(row->digest, command->data_digest))
        return PAWL_OK;
    return pw_fail_reason(err, PAWL_CONFLICT, PAWL_REASON_ANSWERED, "'" PW_FMT "' was answered before by '" PW_FMT "'%s",
                          PW_ARG(event->key), PW_ARG(row->by),
                          event->kind == PW_EVENT_RESUME ? ", with other data" : "");
}

pawl_code pw_judge_bookmark(pw_shard *shard, const pw_live *live, const pw_command *command,
                                pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_bookmark_row row = { 0 };
    pw_str key = command->event.key;
    pawl_code code =
        pw_store_bookmark_by_key(shard->engine->store, pw_live_id(live), key, &row, &arena, err);
    if (code == PAWL_OK && row.consumed)
        code = judge_answered(command, &row, err);
    else if (code == PAWL_OK && pw_live_over(live))
        code = pw_fail_reason(err, PAWL_STATE, PAWL_REASON_ENDED,
                              "the instance has ended as %s; '" PW_FMT "' is closed",
                              pw_status_name(live->status), PW_ARG(key));
    else if (code == PAWL_OK)
        code = pw_fail_reason(err, PAWL_STATE, PAWL_REASON_EXPIRED,
                              "'" PW_FMT "' is not open any more: it was cancelled or its time was up",
                              PW_ARG(key));
    else if (code == PAWL_NOT_FOUND && pw_live_over(live))
        code = pw_fail_reason(err, PAWL_STATE, PAWL_REASON_ENDED, "the instance has ended as %s",
                              pw_status_name(live->status));
    else if (code == PAWL_NOT_FOUND)
        code = pw_fail_reason(err, PAWL_NOT_FOUND, PAWL_REASON_NO_BOOKMARK,
                              "the instance waits for nothing with the key '" PW_FMT
                              "'; `pawl show` lists the keys",
                              PW_ARG(key));
    pw_arena_done(&arena);
    return code;
}
