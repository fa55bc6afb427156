/* cleanup.c - deletes what is old, by decision of the settings: instances that ended long ago but for their log, the log, events,
 * bulk operations; then room is given back.
 *
 * A run goes through the kinds in that order, each in transactions of `batch` and with a pause behind each while anybody works, so that a
 * step waits for one of them at most. It can end behind any of them: the next run begins anew. What it does is safe at any time, since the store looks at
 * each instance once more in the transaction that deletes it. The service runs it every run_ms, the first time within a minute;
 * pawl_cleanup() runs it now, on the caller's thread. Two never run at once.
 *
 * Rows of circuit breakers are deleted once, when the store is opened: in a running engine others have read them. */
#include "engine/cleanup.h"
#include "engine/engine.h"
#include "engine/export.h"

enum {
    FIRST_MS = 60000,
    VACUUM_PAGES = 256, /* of one transaction: a megabyte, some 5 ms */
    KEPT_PART = 10,     /* of the file may stay free, for what comes: else it would shrink and grow all the time */
};

struct pw_cleanup {
    pawl *p;
    pawl_cleanup_settings settings;
    char *folder; /* of exports; NULL: none */
    pw_background *background;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool running, stop;
};

typedef struct cleanup_run {
    pw_cleanup *cleanup;
    bool by_hand, dry_run;
    pawl_progress_fn on_progress; /* NULL: none */
    void *context;
    int64_t now_ms;
    pw_export export;
    uint64_t found[PW_CLEAN_KINDS], rows, given_bytes;
    bool stopped; /* it did not come to its end */
} cleanup_run;

/* ------------------------------------------------------------------ one at a time */

static bool begin_run(pw_cleanup *c, bool wait)
{
    (void)pthread_mutex_lock(&c->lock);
    while (wait && c->running && !c->stop)
        (void)pw_condition_wait(&c->changed, &c->lock, UINT64_MAX);
    bool ours = !c->running && !c->stop;
    c->running = c->running || ours;
    (void)pthread_mutex_unlock(&c->lock);
    return ours;
}

static void end_run(pw_cleanup *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->running = false;
    pw_condition_wake(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

/* Behind a transaction. False: the run is over. */
static bool go_on(cleanup_run *run)
{
    pw_cleanup *c = run->cleanup;
    uint64_t done = 0;
    for (size_t i = 0; i < PW_CLEAN_KINDS; i++)
        done += run->found[i];
    const bool enough = run->on_progress && run->on_progress(run->context, done, 0) != 0;
    const uint64_t pause_ms = atomic_load(&c->p->busy) > 0 ? c->settings.pause_ms : 0;
    const uint64_t until_ns = pw_monotonic_ns() + pause_ms * 1000000u;
    (void)pthread_mutex_lock(&c->lock);
    while (!c->stop && !enough && pw_monotonic_ns() < until_ns)
        (void)pw_condition_wait(&c->changed, &c->lock, until_ns);
    run->stopped = c->stop || enough;
    (void)pthread_mutex_unlock(&c->lock);
    return !run->stopped;
}

/* ------------------------------------------------------------------ a run */

/* Older than that; UINT64_MAX, or longer than there has been time: nothing is. */
static int64_t before(const cleanup_run *run, uint64_t retention_ms)
{
    return retention_ms < (uint64_t)run->now_ms ? run->now_ms - (int64_t)retention_ms : 0;
}

static int64_t before_of(const cleanup_run *run, pw_clean_kind kind)
{
    const pawl_cleanup_settings *s = &run->cleanup->settings;
    if (kind == PW_CLEAN_EVENTS) /* with their instance, unless they are to go before */
        return s->events_ms > 0 && s->events_ms < s->instances_ms ? before(run, s->events_ms) : 0;
    return before(run, kind == PW_CLEAN_STEPS ? s->steps_ms : s->instances_ms);
}

static pawl_code clean_kind(cleanup_run *run, pw_clean_kind kind, pawl_error *err)
{
    const bool exports = run->cleanup->folder && !run->dry_run;
    pw_clean clean = { .kind = kind,
                       .before_ms = before_of(run, kind),
                       .now_ms = run->now_ms,
                       .most = run->cleanup->settings.batch,
                       .dry_run = run->dry_run,
                       .row = exports ? pw_export_row : NULL,
                       .flush = exports ? pw_export_flush : NULL,
                       .context = &run->export };
    pawl_code code = PAWL_OK;
    if (clean.before_ms <= 0)
        return PAWL_OK;
    do {
        code = pw_store_clean(run->cleanup->p->store, &clean, err);
        run->found[kind] += clean.found;
        run->rows += clean.rows;
    } while (code == PAWL_OK && go_on(run) && clean.more);
    return code;
}

static pawl_code give_room_back(cleanup_run *run, pawl_error *err)
{
    pw_store *store = run->cleanup->p->store;
    pw_store_space space;
    pawl_code code = pw_store_space_look(store, &space, err);
    if (code != PAWL_OK || space.free_bytes == 0)
        return code;
    const bool all = run->by_hand || pw_disk_state_of(run->cleanup->p) != PW_DISK_OK;
    const uint64_t kept = all ? 0 : space.file_bytes / KEPT_PART;
    uint64_t given = 1, left = 0, bytes = space.free_bytes;
    while (code == PAWL_OK && given > 0 && bytes > kept && !run->stopped) {
        code = pw_store_vacuum(store, VACUUM_PAGES, &given, &left, err);
        if (code == PAWL_OK) {
            run->given_bytes += given * space.page_bytes;
            bytes = left * space.page_bytes;
            (void)go_on(run);
        }
    }
    return code;
}

static void tell(const cleanup_run *run)
{
    if (run->rows == 0 && run->given_bytes == 0)
        return;
    PW_LOG(PW_LOG_INFO, "cleanup", "cleanup.run",
           "%s%llu instances, %llu events, %llu steps and %llu bulk operations that were old: %llu rows; %llu bytes given back%s%s%s",
           run->dry_run ? "a dry run found " : "deleted ", (unsigned long long)run->found[PW_CLEAN_INSTANCES],
           (unsigned long long)run->found[PW_CLEAN_EVENTS], (unsigned long long)run->found[PW_CLEAN_STEPS],
           (unsigned long long)run->found[PW_CLEAN_BULKS], (unsigned long long)run->rows, (unsigned long long)run->given_bytes,
           run->export.path ? "; exported to " : "", run->export.path ? run->export.path : "",
           run->stopped ? "; it was stopped before its end" : "");
}

static pawl_code clean_up(cleanup_run *run, pawl_error *err)
{
    pw_cleanup *c = run->cleanup;
    pawl_error local = { .code = PAWL_OK };
    run->now_ms = pw_engine_now(c->p);
    pw_export_init(&run->export, c->folder, run->now_ms);
    pawl_code code = c->folder && !run->dry_run ? pw_export_check(c->folder, &local) : PAWL_OK;
    static const pw_clean_kind order[] = { PW_CLEAN_INSTANCES, PW_CLEAN_EVENTS, PW_CLEAN_STEPS, PW_CLEAN_BULKS };
    for (size_t i = 0; i < PW_LENGTH(order) && code == PAWL_OK && !run->stopped; i++)
        code = clean_kind(run, order[i], &local);
    if (code == PAWL_OK && !run->dry_run && !run->stopped)
        code = give_room_back(run, &local);
    if (code == PAWL_IO && !run->export.failed) /* it must be opened again: whoever commits does that */
        pw_committer_suspect(c->p->committer, &local);
    tell(run);
    if (code != PAWL_OK && err)
        *err = local;
    return code;
}

/* ------------------------------------------------------------------ the service */

static uint64_t items_of(const cleanup_run *run)
{
    uint64_t items = 0;
    for (size_t i = 0; i < PW_CLEAN_KINDS; i++)
        items += run->found[i];
    return items;
}

static pawl_code go_round(void *context, pw_round *out, pawl_error *err)
{
    pw_cleanup *c = context;
    cleanup_run run = { .cleanup = c };
    if (!begin_run(c, false)) /* somebody does it by hand */
        return PAWL_OK;
    pawl_code code = clean_up(&run, err);
    out->items = items_of(&run);
    pw_export_done(&run.export);
    end_run(c);
    return code;
}

static int64_t now_ms(void *context)
{
    return pw_engine_now(((pw_cleanup *)context)->p);
}

pawl_code pw_cleanup_start(pw_cleanup *c, pawl_error *err)
{
    const uint64_t run_ms = c->settings.run_ms;
    const pw_background_options options = { .thread = "pawl-cleanup",
                                            .service = &c->p->services[PW_SERVICE_CLEANUP],
                                            .interval_ms = run_ms,
                                            .first_ms = run_ms < FIRST_MS ? run_ms : FIRST_MS,
                                            .context = c,
                                            .round = go_round,
                                            .now_ms = now_ms };
    if (c->p->services_off & PAWL_SERVICE_CLEANUP) {
        pw_service_expect(options.service, run_ms, false);
        return PAWL_OK;
    }
    return pw_background_start(&c->background, &options, err);
}

void pw_cleanup_wake(pw_cleanup *c)
{
    if (c)
        pw_background_wake(c->background);
}

void pw_cleanup_stop(pw_cleanup *c)
{
    if (!c)
        return;
    (void)pthread_mutex_lock(&c->lock);
    c->stop = true;
    pw_condition_wake(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
    pw_background_free(c->background);
    c->background = NULL;
}

pw_background *pw_cleanup_background(pw_cleanup *c)
{
    return c ? c->background : NULL;
}

/* ------------------------------------------------------------------ tombstones */

pawl_code pw_cleanup_check_whole(const pw_instance_row *row, pawl_error *err)
{
    if (!row->cleaned_ms)
        return PAWL_OK;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const pw_str at = pw_moment_text(&arena, row->cleaned_ms);
    pawl_code code = pw_fail_reason(err, PAWL_NOT_FOUND, PAWL_REASON_CLEANED,
                                    "instance '" PW_FMT "' is %s, and was cleaned up at " PW_FMT ": only its log is left",
                                    PW_ARG(row->id), pw_status_name(row->status), PW_ARG(at));
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ the object */

static pawl_code read_settings(pw_cleanup *c, const pawl_cleanup_settings *given, pawl_error *err)
{
    pawl_cleanup_settings *s = &c->settings;
    *s = pawl_cleanup_settings_default();
    if (given && given->struct_size == 0)
        return pw_fail(err, PAWL_INVALID, "cleanup: struct_size is 0; begin with pawl_cleanup_settings_default()");
    if (given) {
        memcpy(s, given, given->struct_size < sizeof *s ? given->struct_size : sizeof *s);
        s->struct_size = sizeof *s;
    }
    if (s->run_ms == 0)
        return pw_fail(err, PAWL_INVALID, "cleanup: run_ms must be at least 1");
    if (s->batch < 1 || s->batch > PW_CLEAN_MOST)
        return pw_fail(err, PAWL_INVALID, "cleanup: batch must be 1 to %u, not %u", PW_CLEAN_MOST, s->batch);
    if (!s->export_path || !s->export_path[0])
        return PAWL_OK;
    if (pw_store_path(c->p->store).len == 0)
        return pw_fail(err, PAWL_INVALID, "cleanup: a store in memory has no rows to export: take export_path away");
    pawl_code code = pw_export_check(s->export_path, err);
    if (code == PAWL_OK && !(c->folder = pw_strdup(pw_str_of(s->export_path))))
        code = pw_no_memory(err);
    return code;
}

/* Nobody has read them yet. A store of several nodes keeps them. */
static pawl_code forget_breakers(pw_cleanup *c, pawl_error *err)
{
    const cleanup_run run = { .cleanup = c, .now_ms = pw_engine_now(c->p) };
    pw_clean clean = { .kind = PW_CLEAN_BREAKERS,
                       .before_ms = before(&run, c->settings.instances_ms),
                       .now_ms = run.now_ms,
                       .most = PW_CLEAN_MOST };
    pawl_code code = PAWL_OK;
    if (clean.before_ms <= 0 || !pw_store_exclusive(c->p->store) || (c->p->services_off & PAWL_SERVICE_CLEANUP))
        return PAWL_OK;
    do {
        code = pw_store_clean(c->p->store, &clean, err);
    } while (code == PAWL_OK && clean.more);
    return code;
}

pawl_code pw_cleanup_new(pw_cleanup **out, pawl *p, const pawl_cleanup_settings *settings, pawl_error *err)
{
    pw_cleanup *c = pw_zalloc(sizeof *c);
    if (!c)
        return pw_no_memory(err);
    c->p = p;
    int failed = pthread_mutex_init(&c->lock, NULL);
    pawl_code code = failed ? pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory") : PAWL_OK;
    if (code == PAWL_OK && (code = pw_condition_init(&c->changed, err)) != PAWL_OK)
        (void)pthread_mutex_destroy(&c->lock);
    if (code != PAWL_OK) {
        pw_free(c);
        return code;
    }
    code = read_settings(c, settings, err);
    if (code == PAWL_OK)
        code = forget_breakers(c, err);
    if (code != PAWL_OK) {
        pw_cleanup_free(c);
        return code;
    }
    *out = c;
    return PAWL_OK;
}

void pw_cleanup_free(pw_cleanup *c)
{
    if (!c)
        return;
    pw_cleanup_stop(c);
    pw_condition_done(&c->changed);
    (void)pthread_mutex_destroy(&c->lock);
    pw_free(c->folder);
    pw_free(c);
}

/* ------------------------------------------------------------------ by hand */

static pawl_code describe(const cleanup_run *run, char **out, pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    const int64_t instances = before_of(run, PW_CLEAN_INSTANCES), steps = before_of(run, PW_CLEAN_STEPS);
    const pw_member limits[] = {
        { PW_LIT("instances"), instances > 0 ? pw_string_ref(pw_moment_text(&arena, instances)) : pw_null() },
        { PW_LIT("steps"), steps > 0 ? pw_string_ref(pw_moment_text(&arena, steps)) : pw_null() },
    };
    pw_object_builder object = { .arena = &arena };
    pw_object_add(&object, PW_LIT("dryRun"), pw_bool(run->dry_run));
    for (size_t i = 0; i < PW_CLEAN_KINDS; i++)
        if (i != PW_CLEAN_BREAKERS)
            pw_object_add(&object, pw_str_of(pw_clean_kind_name((pw_clean_kind)i)), pw_int((int64_t)run->found[i]));
    pw_object_add(&object, PW_LIT("rows"), pw_int((int64_t)run->rows));
    pw_object_add(&object, PW_LIT("bytesGiven"), pw_int((int64_t)run->given_bytes));
    pw_object_add(&object, PW_LIT("exported"), run->export.path ? pw_string_ref(pw_str_of(run->export.path)) : pw_null());
    pw_object_add(&object, PW_LIT("before"), pw_object_of(&arena, limits, PW_LENGTH(limits)));
    pw_object_add(&object, PW_LIT("stopped"), pw_bool(run->stopped));
    pawl_code code = pw_give_json(out, pw_object_end(&object), &arena, err);
    pw_arena_done(&arena);
    return code;
}

pawl_code pawl_cleanup(pawl *p, int dry_run, pawl_progress_fn on_progress, void *context, char **out, pawl_error *err)
{
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    cleanup_run run = { .cleanup = p->cleanup,
                        .by_hand = true,
                        .dry_run = dry_run != 0,
                        .on_progress = on_progress,
                        .context = context };
    if (!begin_run(p->cleanup, true))
        return pw_fail(err, PAWL_BUSY, "closing");
    code = clean_up(&run, err);
    end_run(p->cleanup);
    if (code == PAWL_OK && out)
        code = describe(&run, out, err);
    pw_export_done(&run.export);
    return code;
}
