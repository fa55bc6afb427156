/* command_instances.c - commands of instances: started, resumed, deleted, waited for and looked at. What else moves them
 * is in command_actions.c. */
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include "server/command.h"

enum { WAIT_SLICE_MS = 250, PAGE_MAX = 1000 };

/* ---- what moves them */

typedef struct heard {
    pw_arena *arena;
    pw_value warning;
} heard;

static void hear_warning(void *context, const char *message)
{
    heard *h = context;
    h->warning = pw_string(h->arena, pw_str_of(message));
}

static pawl_code run_start(pw_cmd *c, pawl_error *err)
{
    heard h = { .arena = &c->arena };
    char *id = NULL;
    int existed = 0;
    const pawl_start_options options = {
        .struct_size = sizeof options,
        .name = pw_cmd_needed(c, "name"),
        .version = pw_cmd_text(c, "version"),
        .input = pw_cmd_json(c, "input"),
        .key = pw_cmd_text(c, "key"),
        .labels = pw_cmd_typed(c, "labels", PW_OBJECT),
        .start_at_ms = pw_cmd_moment(c, "startAt"),
        .request = &c->asked,
        .on_warning = hear_warning,
        .warning_context = &h,
    };
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK)
        code = pawl_start(c->p, &options, &id, &existed, err);
    if (code != PAWL_OK)
        return code;
    c->result = pw_object_of(&c->arena,
                             (pw_member[]){ { PW_LIT("id"), pw_cmd_own(c, id) },
                                            { PW_LIT("existed"), pw_bool(existed != 0) },
                                            { PW_LIT("warning"), h.warning } },
                             3);
    return PAWL_OK;
}

static pawl_code run_resume(pw_cmd *c, pawl_error *err)
{
    const pawl_resume_options options = {
        .struct_size = sizeof options,
        .id = pw_cmd_needed(c, "id"),
        .key = pw_cmd_needed(c, "key"),
        .data = pw_cmd_json(c, "data"),
        .task = pw_cmd_text(c, "task"),
        .kind = pw_cmd_text(c, "kind"),
    };
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_resume_with(c->p, &options, &c->asked, &c->result_text, err) : code;
}

static pawl_code run_delete(pw_cmd *c, pawl_error *err)
{
    const char *id = pw_cmd_needed(c, "id");
    pawl_code code = pw_cmd_read(c, err);
    if (code == PAWL_OK)
        code = pawl_delete(c->p, id, &c->asked, err);
    if (code == PAWL_OK)
        c->result = pw_object_of(&c->arena, (pw_member[]){ { PW_LIT("id"), pw_string_ref(pw_str_of(id)) } }, 1);
    return code;
}

/* ---- waiting */

/* One that is told by a pawl_watch. */
typedef struct moved {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool told;
    pawl_code code;
    pawl_error error;
} moved;

static void on_moved(void *context, pawl_code code, const pawl_error *err)
{
    moved *m = context;
    (void)pthread_mutex_lock(&m->lock);
    m->told = true;
    m->code = code;
    if (err)
        m->error = *err;
    (void)pthread_cond_signal(&m->changed);
    (void)pthread_mutex_unlock(&m->lock);
}

static bool wait_told(moved *m, uint64_t slice_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + slice_ms * 1000000u;
    until.tv_sec += (time_t)(ns / 1000000000u);
    until.tv_nsec = (long)(ns % 1000000000u);
    (void)pthread_mutex_lock(&m->lock);
    while (!m->told && pthread_cond_timedwait(&m->changed, &m->lock, &until) != ETIMEDOUT)
        ;
    bool told = m->told;
    (void)pthread_mutex_unlock(&m->lock);
    return told;
}

static pawl_code wait_moved(pw_cmd *c, const char *id, uint64_t token, uint64_t left_ms, moved *m, pawl_error *err)
{
    pawl_watch *watch = NULL;
    pawl_code code = pawl_watch_open(&watch, c->p, id, PAWL_WATCH_MOVED, token, on_moved, m, err);
    if (code != PAWL_OK)
        return code;
    bool told, stop = false;
    do {
        uint64_t slice_ms = left_ms < WAIT_SLICE_MS ? left_ms : WAIT_SLICE_MS;
        told = wait_told(m, slice_ms);
        left_ms -= slice_ms;
        stop = c->stop && c->stop(c->stop_context);
    } while (!told && left_ms > 0 && !stop);
    pawl_watch_close(watch);
    if (!m->told)
        return pw_fail(err, PAWL_TIMEOUT, "instance %s has not moved yet", id);
    if (m->code != PAWL_OK && err)
        *err = m->error;
    return m->code == PAWL_OK ? pawl_head(c->p, id, &c->result_text, err) : m->code;
}

/* Until its token is another than the one given; what pawl_head says then. */
static pawl_code run_wait_moved(pw_cmd *c, const char *id, uint64_t left_ms, pawl_error *err)
{
    moved m = { .lock = PTHREAD_MUTEX_INITIALIZER, .told = false };
    uint64_t token = pw_cmd_number(c, "token", INT64_MAX);
    pthread_condattr_t attributes;
    pawl_code code = pw_cmd_read(c, err);
    if (code != PAWL_OK)
        return code;
    if (pthread_condattr_init(&attributes) != 0)
        return pw_no_memory(err);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(&m.changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (failed)
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    code = wait_moved(c, id, token, left_ms, &m, err);
    (void)pthread_cond_destroy(&m.changed);
    (void)pthread_mutex_destroy(&m.lock);
    return code;
}

static pawl_wait_for wait_kind(pw_cmd *c)
{
    static const char *const names[] = { [PAWL_WAIT_END] = "end", [PAWL_WAIT_SETTLED] = "settled", [PAWL_WAIT_IDLE] = "idle" };
    const char *word = pw_cmd_text(c, "for");
    size_t at = 0;
    while (word && at < PW_LENGTH(names) && strcmp(names[at], word) != 0)
        at++;
    if (at == PW_LENGTH(names))
        pw_cmd_refuse(c, PAWL_INVALID, "'for' is end, settled, idle or moved, not '%.40s'", word);
    return (pawl_wait_for)at;
}

static pawl_code run_wait(pw_cmd *c, pawl_error *err)
{
    const char *id = pw_cmd_needed(c, "id");
    uint64_t left_ms = pw_cmd_number(c, "timeoutMs", INT64_MAX);
    if (pw_str_is(pw_get_text(c->request, "for"), "moved"))
        return run_wait_moved(c, id, left_ms, err);
    pawl_wait_for what = wait_kind(c);
    pawl_code code = pw_cmd_read(c, err);
    if (code != PAWL_OK)
        return code;
    if (!c->stop)
        return pawl_wait(c->p, id, what, left_ms, &c->result_text, err);
    do {
        uint64_t slice_ms = left_ms < WAIT_SLICE_MS ? left_ms : WAIT_SLICE_MS;
        code = pawl_wait(c->p, id, what, slice_ms, &c->result_text, err);
        left_ms -= slice_ms;
    } while (code == PAWL_TIMEOUT && left_ms > 0 && !c->stop(c->stop_context));
    return code;
}

/* ---- looking */

typedef pawl_code (*look_fn)(pawl *p, const char *id, char **out, pawl_error *err);

static pawl_code look(pw_cmd *c, look_fn fn, pawl_error *err)
{
    const char *id = pw_cmd_needed(c, "id");
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? fn(c->p, id, &c->result_text, err) : code;
}

static pawl_code run_why(pw_cmd *c, pawl_error *err)
{
    return look(c, pawl_why, err);
}

static pawl_code run_show(pw_cmd *c, pawl_error *err)
{
    return look(c, pawl_show, err);
}

static pawl_code run_head(pw_cmd *c, pawl_error *err)
{
    return look(c, pawl_head, err);
}

static pawl_code run_output(pw_cmd *c, pawl_error *err)
{
    return look(c, pawl_output, err);
}

static pawl_code run_log(pw_cmd *c, pawl_error *err)
{
    const char *id = pw_cmd_needed(c, "id");
    uint64_t from = pw_cmd_number(c, "from", INT64_MAX), limit = pw_cmd_number(c, "limit", PAGE_MAX);
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? pawl_log(c->p, id, from ? from : 1, (uint32_t)limit, &c->result_text, err) : code;
}

static pawl_list_options list_options(pw_cmd *c)
{
    return (pawl_list_options){
        .struct_size = sizeof(pawl_list_options),
        .status = pw_cmd_text(c, "status"),
        .name = pw_cmd_text(c, "name"),
        .parent = pw_cmd_text(c, "parent"),
        .key = pw_cmd_text(c, "key"),
        .correlation = pw_cmd_text(c, "correlation"),
        .labels = pw_cmd_typed(c, "labels", PW_OBJECT),
        .namespaces = pw_cmd_typed(c, "namespaces", PW_ARRAY),
        .schedules = pw_cmd_flag(c, "schedules"),
        .after = pw_cmd_text(c, "after"),
        .limit = (uint32_t)pw_cmd_number(c, "limit", PAGE_MAX),
    };
}

typedef pawl_code (*list_fn)(pawl *p, const pawl_list_options *options, char **out, pawl_error *err);

static pawl_code list(pw_cmd *c, list_fn fn, pawl_error *err)
{
    const pawl_list_options options = list_options(c);
    pawl_code code = pw_cmd_read(c, err);
    return code == PAWL_OK ? fn(c->p, &options, &c->result_text, err) : code;
}

static pawl_code run_list(pw_cmd *c, pawl_error *err)
{
    return list(c, pawl_list, err);
}

static pawl_code run_count(pw_cmd *c, pawl_error *err)
{
    return list(c, pawl_count, err);
}

static pawl_code run_schedules(pw_cmd *c, pawl_error *err)
{
    return list(c, pawl_schedules, err);
}

/* In list and count "correlation" is what is looked for: nothing is changed by them that could have one. */
// clang-format off
static const pw_cmd_entry entries[] = {
    { { "start",    PW_ROLE_STARTER,  PW_SCOPE_DEFINITION, .changes = true },
      { "name", "version", "input", "key", "labels", "startAt" }, run_start },
    { { "resume",   PW_ROLE_OPERATOR, PW_SCOPE_INSTANCE, .changes = true },
      { "id", "key", "data", "task", "kind" }, run_resume },
    { { "delete",   PW_ROLE_ADMIN,    PW_SCOPE_INSTANCE, .changes = true }, { "id" }, run_delete },
    { { "wait",     PW_ROLE_VIEWER,   PW_SCOPE_INSTANCE }, { "id", "for", "token", "timeoutMs" }, run_wait },
    { { "show",     PW_ROLE_VIEWER,   PW_SCOPE_INSTANCE }, { "id" }, run_show },
    { { "why",      PW_ROLE_VIEWER,   PW_SCOPE_INSTANCE }, { "id" }, run_why },
    { { "head",     PW_ROLE_VIEWER,   PW_SCOPE_INSTANCE }, { "id" }, run_head },
    { { "output",   PW_ROLE_VIEWER,   PW_SCOPE_INSTANCE }, { "id" }, run_output },
    { { "log",      PW_ROLE_VIEWER,   PW_SCOPE_INSTANCE }, { "id", "from", "limit" }, run_log },
    { { "list",     PW_ROLE_VIEWER,   PW_SCOPE_LIST },
      { "status", "name", "parent", "key", "correlation", "labels", "namespaces", "schedules", "after", "limit" }, run_list },
    { { "count",    PW_ROLE_VIEWER,   PW_SCOPE_LIST },
      { "name", "parent", "key", "correlation", "labels", "namespaces", "schedules" }, run_count },
    { { "schedules", PW_ROLE_VIEWER,  PW_SCOPE_LIST }, { "name", "namespaces", "after", "limit" }, run_schedules },
};
// clang-format on
const pw_cmd_table pw_commands_instances = { entries, PW_LENGTH(entries) };
