/* disk.c - see disk.h. The state is one word that everybody reads; when it changes, whoever has something to hold back or to
 * go on with is told. */
#include <stdatomic.h>
#include "engine/engine.h"
#include "engine/disk.h"

enum { LOW_MS = 1000, FULL_MS = 500, LEEWAY = 10 /* a tenth */ };

struct pw_disk {
    pawl *engine;
    pw_disk_marks marks;
    pw_background *background;
    atomic_ullong pretended; /* UINT64_MAX: ask the store */
};

const char *pw_disk_state_name(pw_disk_state state)
{
    switch (state) {
    case PW_DISK_OK:
        return "ok";
    case PW_DISK_LOW:
        return "low";
    case PW_DISK_FULL:
        return "full";
    }
    return "";
}

/* Below the mark; one that was below it is so up to a tenth above. */
static bool below(uint64_t free_bytes, uint64_t mark, bool before)
{
    const uint64_t leeway = before ? mark / LEEWAY : 0;
    return mark > 0 && free_bytes < (mark > UINT64_MAX - leeway ? UINT64_MAX : mark + leeway);
}

pw_disk_state pw_disk_judge(const pw_disk_marks *marks, pw_disk_state before, uint64_t free_bytes)
{
    if (below(free_bytes, marks->full, before == PW_DISK_FULL))
        return PW_DISK_FULL;
    return below(free_bytes, marks->low, before != PW_DISK_OK) ? PW_DISK_LOW : PW_DISK_OK;
}

/* ------------------------------------------------------------------ looking */

static pawl_code look(pw_disk *disk, uint64_t *free_bytes, pawl_error *err)
{
    pw_store_space space;
    *free_bytes = atomic_load(&disk->pretended);
    if (*free_bytes != UINT64_MAX)
        return PAWL_OK;
    pawl_code code = pw_store_space_look(disk->engine->store, &space, err);
    if (code == PAWL_OK)
        *free_bytes = space.disk_free_bytes;
    return code;
}

static void say(pw_disk_state state, uint64_t free_bytes)
{
    const unsigned long long mib = free_bytes >> 20;
    if (state == PW_DISK_OK)
        PW_LOG(PW_LOG_INFO, "disk", "disk.ok", "the disk of the store has room again: %llu MiB are free", mib);
    else if (state == PW_DISK_LOW)
        PW_LOG(PW_LOG_WARNING, "disk", "disk.low", "%llu MiB are free on the disk of the store: nothing is started, what runs goes on", mib);
    else
        PW_LOG(PW_LOG_ERROR, "disk", "disk.full", "%llu MiB are free on the disk of the store: everything pauses until there is room", mib);
}

/* Who holds something back because of it, or did. */
static void tell(pawl *p)
{
    for (uint32_t i = 0; i < p->shard_count; i++)
        pw_mailbox_signal(&p->shards[i]->mailbox, PW_SIGNAL_DISK);
    pw_recovery_check(p->recovery);
    pw_bulks_wake(p->bulks);
    if (pw_disk_state_of(p) != PW_DISK_OK)
        pw_cleanup_wake(p->cleanup); /* what is old goes at once, and all of its room is given back */
}

/* *code OK: the state is that of now. */
static pw_disk_state judge_now(pw_disk *disk, uint64_t *free_bytes, pawl_code *code, pawl_error *err)
{
    const pw_disk_state before = pw_disk_state_of(disk->engine);
    *code = look(disk, free_bytes, err);
    return *code == PAWL_OK ? pw_disk_judge(&disk->marks, before, *free_bytes) : before;
}

static pawl_code look_round(void *context, pw_round *round, pawl_error *err)
{
    pw_disk *disk = context;
    pawl *p = disk->engine;
    uint64_t free_bytes = 0;
    pawl_code code;
    const pw_disk_state before = pw_disk_state_of(p), state = judge_now(disk, &free_bytes, &code, err);
    if (state != before) {
        atomic_store(&p->disk_state, (int)state);
        say(state, free_bytes);
        tell(p);
    }
    round->items = 1;
    if (state != PW_DISK_OK)
        round->next_ms = state == PW_DISK_FULL ? FULL_MS : LOW_MS;
    return code;
}

static int64_t clock_of(void *context)
{
    return pw_engine_now(((pw_disk *)context)->engine);
}

/* ------------------------------------------------------------------ the object */

/* The mark, or its default: on a small disk a share of it. */
static uint64_t mark_of(uint64_t given, uint64_t fallback, uint64_t share)
{
    if (given == UINT64_MAX)
        return 0;
    return given ? given : share < fallback ? share : fallback;
}

pawl_code pw_disk_marks_read(pw_disk_marks *out, const pw_disk_marks *given, uint64_t disk_bytes, pawl_error *err)
{
    out->low = mark_of(given->low, PW_DISK_LOW_BYTES, disk_bytes / PW_DISK_LOW_SHARE);
    out->full = mark_of(given->full, PW_DISK_FULL_BYTES, disk_bytes / PW_DISK_FULL_SHARE);
    if (!given->full && out->low && out->full > out->low)
        out->full = out->low; /* who gives one alone need not know the other */
    if (out->low && out->full > out->low)
        return pw_fail(err, PAWL_INVALID, "options: disk_full must be at most disk_low, %llu, not %llu",
                       (unsigned long long)out->low, (unsigned long long)out->full);
    return PAWL_OK;
}

pawl_code pw_disk_start(pw_disk **out, pawl *p, const pw_disk_marks *marks, pawl_error *err)
{
    pw_service *service = &p->services[PW_SERVICE_DISK];
    pw_disk_marks checked;
    *out = NULL;
    pw_store_space space = { .disk_free_bytes = UINT64_MAX };
    pawl_error ignored; /* what cannot be looked at now may be later */
    const bool known = pw_store_space_look(p->store, &space, &ignored) == PAWL_OK;
    pawl_code code = pw_disk_marks_read(&checked, marks, known ? space.disk_bytes : UINT64_MAX, err);
    if (code != PAWL_OK)
        return code;
    if ((p->services_off & PAWL_SERVICE_DISK) || (!checked.low && !checked.full) ||
        (known && space.disk_free_bytes == UINT64_MAX)) {
        pw_service_expect(service, 0, false);
        return PAWL_OK;
    }
    pw_disk *disk = pw_zalloc(sizeof *disk);
    if (!disk)
        return pw_no_memory(err);
    disk->engine = p;
    disk->marks = checked;
    atomic_init(&disk->pretended, UINT64_MAX);
    if (known) /* before the first start is asked for */
        atomic_store(&p->disk_state, (int)pw_disk_judge(&checked, PW_DISK_OK, space.disk_free_bytes));
    if (pw_disk_state_of(p) != PW_DISK_OK)
        say(pw_disk_state_of(p), space.disk_free_bytes);
    const pw_background_options options = { .thread = "pawl-disk",
                                            .service = service,
                                            .interval_ms = PW_DISK_MS,
                                            .context = disk,
                                            .round = look_round,
                                            .now_ms = clock_of };
    *out = disk;
    code = pw_background_start(&disk->background, &options, err);
    if (code != PAWL_OK) {
        *out = NULL;
        pw_free(disk);
    }
    return code;
}

void pw_disk_stop(pw_disk *disk)
{
    if (disk)
        pw_background_stop(disk->background);
}

void pw_disk_free(pw_disk *disk)
{
    if (!disk)
        return;
    pw_background_free(disk->background);
    pw_free(disk);
}

void pw_disk_wake(pw_disk *disk)
{
    if (disk)
        pw_background_wake(disk->background);
}

bool pw_disk_has_room(pw_disk *disk)
{
    uint64_t free_bytes;
    pawl_code code;
    pawl_error err;
    return !disk || judge_now(disk, &free_bytes, &code, &err) != PW_DISK_FULL || code != PAWL_OK;
}

void pw_disk_pretend(pw_disk *disk, uint64_t free_bytes)
{
    atomic_store(&disk->pretended, free_bytes);
}

pawl_code pw_disk_look(pw_disk *disk, uint64_t deadline_ns, pawl_error *err)
{
    return disk ? pw_background_wait(disk->background, deadline_ns, err) : PAWL_OK;
}

/* ------------------------------------------------------------------ asked by everybody */

pw_disk_state pw_disk_state_of(const pawl *p)
{
    return (pw_disk_state)atomic_load_explicit(&p->disk_state, memory_order_relaxed);
}

bool pw_disk_is_full(const pawl *p)
{
    return pw_disk_state_of(p) == PW_DISK_FULL;
}

pawl_code pw_disk_allows(const pawl *p, bool starts, pawl_error *err)
{
    const pw_disk_state state = pw_disk_state_of(p);
    if (state == PW_DISK_FULL)
        return pw_fail_reason(err, PAWL_BUSY, PAWL_REASON_DISK_LOW,
                              "the disk of the store is full: everything pauses until there is room");
    if (state == PW_DISK_LOW && starts)
        return pw_fail_reason(err, PAWL_BUSY, PAWL_REASON_DISK_LOW,
                              "the disk of the store has little room left: nothing is started until there is more");
    return PAWL_OK;
}
