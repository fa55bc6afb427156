/* work.c - what workers say: results, failures, heartbeats, each by the token of its job.
 *
 * A result is a command to the instance: the first one of the attempt that is wanted is committed,
 * and answered after that. Its step keeps a digest of it in the log, so that the same once more -
 * whose answer was lost, perhaps with the process that gave it - is told from another one, whenever
 * it comes. */
#include <stdio.h>
#include "engine/engine.h"
#include "base/json.h"

enum {
    HEARTBEAT_MIN_MS = 100,
    HEARTBEAT_MAX_MS = 3600000,
    PROGRESS_MAX = 4096,
    RETRY_MAX_MS = 24 * 3600000,
    TEXT_MAX = 4096, /* bytes of a title or a detail */
    TYPE_MAX = 2048,
    LOG_PAGE = 100,
    ANSWERS_MAX = 100,
};

/* ------------------------------------------------------------------ tokens */

/* "INSTANCE.VISIT.ATTEMPT." and the signature; what is signed has the store's generation behind it,
 * so that a token of before a backup was restored is none. */
static size_t write_name(char out[PW_JOB_TOKEN_SIZE], const pw_job_name *name)
{
    return (size_t)snprintf(out, PW_JOB_TOKEN_SIZE, PW_FMT ".%llu.%u", PW_ARG(name->instance),
                            (unsigned long long)name->visit, name->attempt);
}

static void sign(char out[PW_ID_SIZE], const pawl *p, pw_str name)
{
    char text[256];
    pw_str generation = pw_store_generation(p->store);
    int length =
        snprintf(text, sizeof text, "job " PW_FMT " " PW_FMT, PW_ARG(name), PW_ARG(generation));
    PW_ASSERT(length > 0 && (size_t)length < sizeof text);
    pw_digest mac = pw_digest_signed(pw_store_secret(p->store), (pw_str){ text, (size_t)length });
    pw_id_of_digest(out, &mac);
}

void pw_job_token(char out[PW_JOB_TOKEN_SIZE], const pawl *p, const pw_job_name *name)
{
    size_t length = write_name(out, name);
    PW_ASSERT(length + 1 + PW_ID_SIZE <= PW_JOB_TOKEN_SIZE);
    out[length] = '.';
    sign(out + length + 1, p, (pw_str){ out, length });
}

pawl_code pw_job_token_read(pw_job_name *out, const pawl *p, const char *token, pawl_error *err)
{
    char again[PW_JOB_TOKEN_SIZE];
    unsigned long long visit = 0;
    unsigned attempt = 0;
    size_t length = token ? strlen(token) : 0;
    bool good = length > PW_ID_LENGTH && length < PW_JOB_TOKEN_SIZE &&
                sscanf(token + PW_ID_LENGTH, ".%20llu.%10u", &visit, &attempt) == 2;
    if (good) {
        *out = (pw_job_name){ { token, PW_ID_LENGTH }, visit, attempt };
        pw_job_token(again, p, out);
        good = strlen(again) == length && pw_digest_same(again, token, length);
    }
    return good ? PAWL_OK
                : pw_fail_reason(err, PAWL_INVALID, PAWL_REASON_BAD_TOKEN,
                                 "this is no token of a job of this store");
}

/* ------------------------------------------------------------------ answers */

/* 1: the log says that this attempt was answered, and with that; -1: not. 0: look further. */
static int judge_step(const pw_step_row *row, const pw_job_name *name, pw_str digest,
                      pw_arena *arena)
{
    pw_value entries = { 0 };
    if (!row->entries.len || pw_json_parse(&entries, row->entries, NULL, arena, NULL) != PAWL_OK ||
        !pw_is(entries, PW_ARRAY))
        return 0;
    for (uint32_t i = 0; i < entries.count; i++) {
        pw_value entry = pw_item(entries, i);
        int64_t visit = 0, attempt = 0;
        pw_str type = pw_get_text(entry, "type");
        if (!pw_integer(pw_get_lit(entry, "visit"), &visit) || (uint64_t)visit != name->visit)
            continue;
        if (pw_str_is(type, "job.answered") && pw_integer(pw_get_lit(entry, "attempt"), &attempt) &&
            (uint32_t)attempt == name->attempt)
            return pw_str_eq(pw_get_text(entry, "digest"), digest) ? 1 : -1;
        if (pw_str_is(type, "task.started"))
            return -1;
    }
    return 0;
}

/* Whether this attempt was answered with the same before: from the newest step back to the task's
 * beginning. */
static pawl_code was_answered(pawl *p, const pw_job_name *name, pw_str digest, bool *out,
                              pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_instance_row row = { 0 };
    int found = 0;
    *out = false;
    pawl_code code = pw_store_instance_get(p->store, name->instance, false, &row, &arena, err);
    uint64_t end = code == PAWL_OK ? row.token : 0; /* the newest step */
    while (code == PAWL_OK && end > 0 && found == 0) {
        uint64_t from = end > LOG_PAGE ? end - LOG_PAGE + 1 : 1;
        pw_step_row *rows = NULL;
        size_t count = 0;
        pw_arena_reset(&arena);
        code = pw_store_steps(p->store, name->instance, from, (uint32_t)(end - from + 1), &rows,
                              &count, &arena, err);
        for (size_t i = count; code == PAWL_OK && i-- > 0 && found == 0;)
            found = judge_step(&rows[i], name, digest, &arena);
        end = from - 1;
    }
    *out = found > 0;
    pw_arena_done(&arena);
    return code == PAWL_NOT_FOUND ? PAWL_OK : code;
}

/* The digest of what was answered names it. */
static pawl_code digest_of(char out[PW_ID_SIZE], const char *kind, pw_value answer, pawl_error *err)
{
    char hex[65];
    pawl_code code = pw_digest_of_value(hex, answer, err);
    if (code != PAWL_OK)
        return code;
    const pw_str parts[] = { pw_str_of(kind), pw_str_of(hex) };
    pw_digest digest = pw_digest_of(parts, PW_LENGTH(parts));
    pw_id_of_digest(out, &digest);
    return PAWL_OK;
}

static pw_value text_of(const char *text)
{
    return text ? pw_string_ref(pw_str_of(text)) : (pw_value){ 0 };
}

static pawl_code check_part(const char *text, const char *what, size_t most, pawl_error *err)
{
    size_t length = text ? strlen(text) : 0;
    if (length > most || !pw_utf8_valid((pw_str){ text, length }))
        return pw_fail(err, PAWL_INVALID, "job failure: %s must be at most %zu bytes of UTF-8",
                       what, most);
    return PAWL_OK;
}

static pawl_code read_failure(pw_command *command, const pawl_job_failure *given, pw_arena *arena,
                              pawl_error *err)
{
    pawl_job_failure f = { 0 };
    if (given && given->struct_size == 0)
        return pw_fail(err, PAWL_INVALID,
                       "job failure: struct_size is 0; set it to sizeof(pawl_job_failure)");
    if (given)
        memcpy(&f, given, given->struct_size < sizeof f ? given->struct_size : sizeof f);
    if (f.status != 0 && (f.status < 100 || f.status > 599))
        return pw_fail(err, PAWL_INVALID, "job failure: status must be 100 to 599, not %d",
                       f.status);
    if (f.retry_after_ms > RETRY_MAX_MS)
        return pw_fail(err, PAWL_INVALID,
                       "job failure: the next attempt may be put off for 24 hours at most");
    pawl_code code = check_part(f.title, "title", TEXT_MAX, err);
    if (code == PAWL_OK)
        code = check_part(f.detail, "detail", TEXT_MAX, err);
    if (code == PAWL_OK)
        code = check_part(f.type, "type", TYPE_MAX, err);
    if (code != PAWL_OK)
        return code;
    const pw_member members[] = {
        { PW_LIT("type"), text_of(f.type) },
        { PW_LIT("status"), pw_int(f.status ? f.status : 500) },
        { PW_LIT("title"), text_of(f.title) },
        { PW_LIT("detail"), text_of(f.detail) },
    };
    command->event.error = pw_object_of(arena, members, PW_LENGTH(members));
    command->event.retry = f.retryable ? PW_RETRY_YES : PW_RETRY_NO;
    command->event.retry_after_ms = f.retry_after_ms;
    return arena->failed ? pw_no_memory(err) : PAWL_OK;
}

/* One answer on its way. */
typedef struct sent {
    pawl_job_answer *answer;
    pw_job_name name;
    pw_command command;
    char digest[PW_ID_SIZE];
    bool under_way;
} sent;

static pawl_code read_result(pw_command *command, const char *result, pw_arena *arena,
                             pawl_error *err)
{
    const pw_json_limits limits = { .bytes = PW_JSON_INPUT_MAX };
    command->event.payload = pw_null();
    if (!result)
        return PAWL_OK;
    pawl_code code = pw_json_parse(&command->event.payload, pw_str_of(result), &limits, arena, err);
    return code == PAWL_OK ? PAWL_OK : pw_error_context(err, code, "the result of a job");
}

static pawl_code send(pawl *p, sent *s, const pawl_request *request, pw_arena *arena)
{
    pawl_error *err = &s->answer->error;
    pw_event *event = &s->command.event;
    const bool fails = s->answer->failure != NULL;
    pawl_code code = pw_job_token_read(&s->name, p, s->answer->token, err);
    if (code == PAWL_OK)
        code = pw_request_read(&s->command, request, NULL, arena, err);
    if (code == PAWL_OK)
        code = fails ? read_failure(&s->command, s->answer->failure, arena, err)
                     : read_result(&s->command, s->answer->result, arena, err);
    if (code == PAWL_OK)
        code = digest_of(s->digest,
                         !fails             ? "result"
                         : event->retry == PW_RETRY_YES ? "retry"
                                            : "failure",
                         fails ? event->error : event->payload, err);
    if (code != PAWL_OK)
        return code;
    s->command.instance = s->name.instance;
    event->kind = PW_EVENT_ACTIVITY_RESULT;
    event->visit = s->name.visit;
    event->attempt = s->name.attempt;
    event->key = pw_str_of(s->digest);
    return pw_command_begin(p, &s->command, err);
}

/* What became of it. Of one that is over the log knows whether it is a repeat. */
static pawl_code hear(pawl *p, sent *s)
{
    pawl_error *err = &s->answer->error;
    bool repeated = false;
    pawl_code code = pw_command_end(&s->command, err);
    if (code != PAWL_LOST && code != PAWL_NOT_FOUND)
        return code;
    code = was_answered(p, &s->name, pw_str_of(s->digest), &repeated, err);
    s->answer->repeated = repeated;
    if (code != PAWL_OK || repeated)
        return code;
    return pw_fail_reason(err, PAWL_LOST, PAWL_REASON_JOB_OVER,
                          "this attempt is over: it was answered otherwise, cancelled, timed out, "
                          "or given to another");
}

/* All are sent before the first is waited for: so they share commits. */
static void answer_all(pawl *p, sent *all, size_t count, const pawl_request *request)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    for (size_t i = 0; i < count; i++) {
        all[i].answer->repeated = 0;
        all[i].answer->error = (pawl_error){ .code = PAWL_OK };
        pawl_code code = send(p, &all[i], request, &arena);
        all[i].under_way = code == PAWL_OK;
        all[i].answer->error.code = code;
    }
    for (size_t i = 0; i < count; i++) {
        if (!all[i].under_way)
            continue;
        pawl_code code = hear(p, &all[i]);
        if (code == PAWL_OK)
            all[i].answer->error = (pawl_error){ .code = PAWL_OK };
        all[i].answer->error.code = code;
    }
    pw_arena_done(&arena);
}

pawl_code pawl_jobs_answer(pawl *p, pawl_job_answer *answers, size_t count,
                           const pawl_request *request, pawl_error *err)
{
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    if (!answers || count == 0 || count > ANSWERS_MAX)
        return pw_fail(err, PAWL_INVALID, "answers: 1 to %d of them, not %zu", ANSWERS_MAX,
                       answers ? count : 0);
    for (size_t i = 0; i < count; i++)
        if (answers[i].struct_size != sizeof *answers)
            return pw_fail(err, PAWL_INVALID,
                           "answers: struct_size must be sizeof(pawl_job_answer)");
    sent *all = pw_zalloc(count * sizeof *all);
    if (!all)
        return pw_no_memory(err);
    for (size_t i = 0; i < count; i++)
        all[i].answer = &answers[i];
    answer_all(p, all, count, request);
    pw_free(all);
    return PAWL_OK;
}

/* What is told is made before: a result that is committed must be answered. */
static pawl_code answer_one(pawl *p, pawl_job_answer *answer, const pawl_request *request,
                            char **out, pawl_error *err)
{
    char *told[2] = { NULL, NULL };
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    if (out) {
        told[0] = pw_strdup(PW_LIT("{\"repeated\":false}"));
        told[1] = pw_strdup(PW_LIT("{\"repeated\":true}"));
        if (!told[0] || !told[1])
            code = pw_no_memory(err);
    }
    if (code == PAWL_OK) {
        sent one = { .answer = answer };
        answer_all(p, &one, 1, request);
        code = answer->error.code;
        if (code != PAWL_OK && err)
            *err = answer->error;
    }
    if (code == PAWL_OK && out) {
        int which = answer->repeated != 0;
        *out = told[which];
        told[which] = NULL;
    }
    pw_free(told[0]);
    pw_free(told[1]);
    return code;
}

pawl_code pawl_job_complete(pawl *p, const char *token, const char *result,
                            const pawl_request *request, char **out, pawl_error *err)
{
    pawl_job_answer answer = { .struct_size = sizeof answer, .token = token, .result = result };
    return answer_one(p, &answer, request, out, err);
}

pawl_code pawl_job_fail(pawl *p, const char *token, const pawl_job_failure *failure,
                        const pawl_request *request, char **out, pawl_error *err)
{
    static const pawl_job_failure plain = { .struct_size = sizeof plain };
    pawl_job_answer answer = { .struct_size = sizeof answer,
                               .token = token,
                               .failure = failure ? failure : &plain };
    return answer_one(p, &answer, request, out, err);
}

/* ------------------------------------------------------------------ heartbeats */

/* What the state of the instance wants is on the board afterwards. */
static pawl_code look_again(pawl *p, pw_str id, pawl_error *err)
{
    pw_watch watch = { .message.kind = PW_MESSAGE_WATCH,
                       .cancel.kind = PW_MESSAGE_UNWATCH,
                       .instance = id,
                       .kind = PW_WATCH_LOADED };
    pawl_code code = pw_reply_init(&watch.reply, err);
    if (code != PAWL_OK)
        return code;
    pw_mailbox_message(&pw_engine_shard_of(p, id)->mailbox, &watch.message);
    (void)pw_reply_wait(&watch.reply, UINT64_MAX); /* closing answers too */
    pw_reply_done(&watch.reply);
    if (watch.code != PAWL_OK && err) {
        *err = watch.error;
        err->code = watch.code;
    }
    return watch.code;
}

static pawl_code beat(pawl *p, const pw_job_name *name, const pw_beat_about *about, pw_beat *out,
                      uint64_t *left_ms, pawl_error *err)
{
    return pw_board_beat(pw_jobs_board(p->jobs), name->instance, pw_store_partition(name->instance),
                         name->visit, name->attempt, about, out, left_ms, err);
}

static pawl_code check_progress(pw_str *out, const char *progress, pw_arena *arena, pawl_error *err)
{
    *out = pw_str_of(progress);
    if (out->len > PROGRESS_MAX)
        return pw_fail(err, PAWL_INVALID, "heartbeat: progress has %zu bytes; at most %d", out->len,
                       PROGRESS_MAX);
    if (!progress)
        return PAWL_OK;
    pw_value v;
    pawl_code code = pw_json_parse(&v, *out, NULL, arena, err);
    return code == PAWL_OK ? PAWL_OK : pw_error_context(err, code, "heartbeat: progress");
}

static pawl_code give_beat(char **out, const pawl *p, bool good, uint64_t left_ms, pawl_error *err)
{
    char until[PW_MOMENT_SIZE];
    pw_buf buf;
    if (!out)
        return PAWL_OK;
    pw_buf_init(&buf, 0);
    pw_moment_write(until, pw_engine_now(p) + (int64_t)left_ms);
    if (good)
        pw_buf_printf(&buf, "{\"leaseUntil\":\"%s\",\"cancelled\":false}", until);
    else
        pw_buf_text(&buf, "{\"cancelled\":true}");
    char *text = pw_buf_take(&buf);
    pw_buf_done(&buf);
    if (!text)
        return pw_no_memory(err);
    *out = text;
    return PAWL_OK;
}

pawl_code pawl_job_heartbeat(pawl *p, const char *token, uint64_t lease_ms, const char *progress,
                             char **out, pawl_error *err)
{
    pw_job_name name;
    pw_arena arena;
    pw_beat found = PW_BEAT_UNKNOWN;
    uint64_t left_ms = 0;
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK)
        code = pw_job_token_read(&name, p, token, err);
    if (code == PAWL_OK && lease_ms != 0 &&
        (lease_ms < HEARTBEAT_MIN_MS || lease_ms > HEARTBEAT_MAX_MS))
        code = pw_fail(err, PAWL_INVALID, "heartbeat: a lease must be %d to %d ms, not %llu",
                       HEARTBEAT_MIN_MS, HEARTBEAT_MAX_MS, (unsigned long long)lease_ms);
    if (code != PAWL_OK)
        return code;
    pw_arena_init(&arena, 0);
    pw_beat_about about = { .lease_ms = lease_ms,
                            .default_lease_ms = pw_jobs_lease_ms(p->jobs),
                            .timeout_ms = pw_jobs_timeout_ms(p->jobs) };
    code = check_progress(&about.progress, progress, &arena, err);
    if (code == PAWL_OK)
        code = beat(p, &name, &about, &found, &left_ms, err);
    if (code == PAWL_OK && found == PW_BEAT_UNKNOWN) {
        code = look_again(p, name.instance, err); /* it may have been recovered only now */
        if (code == PAWL_OK)
            code = beat(p, &name, &about, &found, &left_ms, err);
        else if (code == PAWL_NOT_FOUND)
            code = PAWL_OK;
    }
    pw_arena_done(&arena);
    return code == PAWL_OK ? give_beat(out, p, found == PW_BEAT_GOOD, left_ms, err) : code;
}
