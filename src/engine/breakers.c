/* breakers.c - the rows of circuit breakers: see breakers.h.
 *
 *     driver --wish--> compare-and-set --won--> the driver knows it; a probe it is told: it is ours
 *                            '---------lost--> the driver is told what is there
 *     row of another node, or forced --news--> the driver is told
 *
 * A row has an epoch, which rises with each change; who changes it has read it. Here is remembered
 * what the driver knows of each service: what is newer is news for it, and is told once, in order.
 * A wish that was made without knowing the news is dropped - the driver hears them, and wishes
 * again if it still does - but for OPEN: what it saw fail did fail.
 *
 * A wish that cannot be stored stays, and is tried again: until then OPEN and CLOSED hold in this
 * process, and no probe is sent. A wish for which there was no memory is found again in what the
 * driver says of its services. */
#include "engine/breakers.h"
#include "base/digest.h"
#include "watch/log.h"

#define BUCKETS 256u
#define NS_PER_MS 1000000u

enum {
    LOOK_MS = 2000,  /* the rows of other nodes, while one of them is not closed ... */
    LOOK_CLOSED = 5, /* ... and so many times later while all are: an operator may have forced one
                        elsewhere */
    AGAIN_MS = 1000, /* after the store has failed */
    TRIES = 16,      /* of one change: each is lost to another's, which is rare */
};

typedef struct entry { /* of one service; never goes before the keeper does: one that was never open
                          has none */
    struct entry *next;
    pw_breaker_record known; /* as we have read or written it last; its texts are in known_text */
    char *known_text;
    uint64_t told; /* epoch of what the driver knows */
    bool wished;   /* `want` is to be stored */
    pw_breaker_record want;
    char *want_text;
    char service[];
} entry;

struct pw_breakers {
    pw_breakers_options options;
    pthread_mutex_t order; /* whoever writes a row and tells of it: so the driver hears changes in
                              their order */
    pthread_mutex_t
        lock; /* of what follows; taken after `order`, and never held while calling out */
    pthread_cond_t changed;
    entry *buckets[BUCKETS];
    bool stop, wished, missed; /* missed: a wish for which there was no memory */
    uint64_t next_ns;          /* the rows are looked at again */
};

/* ------------------------------------------------------------------ entries: under the lock */

/* Owns its texts, in one piece; false: out of memory, and *to is as it was. */
static bool keep(pw_breaker_record *to, char **text, const pw_breaker_record *from, pw_str service)
{
    size_t size = from->probe_by.len + from->changed_by.len + from->reason.len + 1;
    char *copy = pw_alloc(size), *at = copy;
    if (!copy)
        return false;
    pw_breaker_record record = *from;
    pw_str *texts[] = { &record.probe_by, &record.changed_by, &record.reason };
    for (size_t i = 0; i < PW_LENGTH(texts); i++) {
        if (texts[i]->len)
            memcpy(at, texts[i]->ptr, texts[i]->len);
        texts[i]->ptr = at;
        at += texts[i]->len;
    }
    *at = '\0';
    record.service = service;
    pw_free(*text);
    *text = copy;
    *to = record;
    return true;
}

static entry *find(pw_breakers *b, pw_str service)
{
    entry *e = b->buckets[pw_hash64(0, service.ptr, service.len) % BUCKETS];
    while (e && !pw_str_eq(e->known.service, service))
        e = e->next;
    return e;
}

/* NULL: out of memory. */
static entry *get(pw_breakers *b, pw_str service)
{
    entry *e = find(b, service);
    if (e)
        return e;
    e = pw_zalloc(sizeof *e + service.len);
    if (!e)
        return NULL;
    if (service.len)
        memcpy(e->service, service.ptr, service.len);
    e->known.service = e->want.service = (pw_str){ e->service, service.len };
    entry **bucket = &b->buckets[pw_hash64(0, service.ptr, service.len) % BUCKETS];
    e->next = *bucket;
    *bucket = e;
    return e;
}

/* ------------------------------------------------------------------ telling: under `order` */

static void known_by_driver(pw_breakers *b, const pw_breaker_record *row)
{
    (void)pthread_mutex_lock(&b->lock);
    entry *e = find(b, row->service);
    if (e && e->told < row->epoch)
        e->told = row->epoch;
    (void)pthread_mutex_unlock(&b->lock);
}

/* The driver hears what is new to it. False: it could not, and is to be told again. */
static bool tell(pw_breakers *b, const pw_breaker_record *row, bool ours)
{
    pw_breaker_record record = *row;
    if (b->options.alone && record.state == PW_BREAKER_HALF_OPEN && !ours) {
        record.state = PW_BREAKER_OPEN; /* who had the probe is gone: it is for the next call */
        record.open_until_ms = b->options.now_ms(b->options.context);
    }
    pawl_error err;
    if (b->options.tell(b->options.context, &record, ours, &err) != PAWL_OK)
        return false;
    known_by_driver(b, row);
    return true;
}

/* A row has changed. One that was closed before anybody looked is no news. */
static void say_changed(const pw_breaker_record *row, uint64_t epoch_before)
{
    static const char *const events[] = { [PW_BREAKER_CLOSED] = "breaker.closed",
                                          [PW_BREAKER_OPEN] = "breaker.opened",
                                          [PW_BREAKER_HALF_OPEN] = "breaker.half-open" };
    const pw_log_level level = row->state == PW_BREAKER_OPEN     ? PW_LOG_WARNING
                               : row->state == PW_BREAKER_CLOSED ? PW_LOG_INFO
                                                                 : PW_LOG_DEBUG;
    if (!pw_log_wants(level, "breakers") || (epoch_before == 0 && row->state == PW_BREAKER_CLOSED))
        return;
    const pw_log_field fields[] = { PW_LOG_S("service", row->service),
                                    PW_LOG_S("forced", pw_str_of(pw_breaker_force_name(row->forced))),
                                    PW_LOG_S("by", row->changed_by) };
    const pw_log_line line = { .level = level,
                               .component = "breakers",
                               .event = events[row->state],
                               .fields = fields,
                               .field_count = PW_LENGTH(fields) };
    pw_log(&line, "the circuit breaker of " PW_FMT " is %s", PW_ARG(row->service), pw_breaker_state_name(row->state));
}

/* What is in the store now. False: out of memory. */
static bool learn(pw_breakers *b, const pw_breaker_record *row, bool *news)
{
    (void)pthread_mutex_lock(&b->lock);
    entry *e = get(b, row->service);
    const uint64_t before = e ? e->known.epoch : 0;
    bool done = e && (e->known.epoch >= row->epoch ||
                      keep(&e->known, &e->known_text, row, e->known.service));
    *news = done && e->told < row->epoch;
    (void)pthread_mutex_unlock(&b->lock);
    if (done && before < row->epoch)
        say_changed(row, before);
    return done;
}

static void failed(pw_breakers *b, pawl_code code, const pawl_error *err)
{
    if (code == PAWL_IO && b->options.on_failure)
        b->options.on_failure(b->options.context, err);
}

/* ------------------------------------------------------------------ looking at the rows */

/* False: the store could not be read, or there was no memory. */
static bool look(pw_breakers *b)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_breaker_record *rows = NULL;
    size_t count = 0;
    pawl_error err;
    pawl_code code = pw_store_breakers(b->options.store, &rows, &count, &arena, &err);
    bool done = code == PAWL_OK;
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        bool news = false;
        done = learn(b, &rows[i], &news) && (!news || tell(b, &rows[i], false)) && done;
    }
    failed(b, code, &err);
    pw_arena_done(&arena);
    return done;
}

static bool all_closed(pw_breakers *b)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (const entry *e = b->buckets[i]; e; e = e->next)
            if (e->known.state != PW_BREAKER_CLOSED || e->known.forced != PW_BREAKER_AUTO)
                return false;
    return true;
}

static uint64_t in_ms(uint64_t ms)
{
    return pw_monotonic_ns() + ms * NS_PER_MS;
}

/* ------------------------------------------------------------------ wishes */

void pw_breakers_wish(pw_breakers *b, const pw_breaker_record *want)
{
    (void)pthread_mutex_lock(&b->lock);
    entry *e = get(b, want->service);
    if (e && keep(&e->want, &e->want_text, want, e->want.service))
        e->wished = true;
    else
        b->missed = true;
    b->wished = true;
    pw_condition_wake(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
}

typedef enum verdict { WRITE, DROP, TELL } verdict;

/* Another node sends a probe just now. A lease longer than any is one of a clock that has gone back
 * since. */
static bool is_probed(const pw_breakers *b, const pw_breaker_record *have)
{
    int64_t left = have->probe_until_ms - b->options.now_ms(b->options.context);
    return have->state == PW_BREAKER_HALF_OPEN && !pw_str_eq(have->probe_by, b->options.node) &&
           !b->options.alone && left > 0 && (uint64_t)left <= 2 * b->options.probe_ms;
}

/* What becomes of a wish where the row is `have`; `told`: the epoch that the driver knows. */
static verdict judge(const pw_breakers *b, const pw_breaker_record *have, uint64_t told,
                     const pw_breaker_record *want)
{
    const bool news = have->epoch > told;
    if (have->forced != PW_BREAKER_AUTO)
        return news ? TELL : DROP; /* a person has decided */
    if (have->state == PW_BREAKER_CLOSED && have->epoch > 0 && news &&
        want->state != PW_BREAKER_OPEN)
        return TELL;
    if (have->state == PW_BREAKER_CLOSED && want->state == PW_BREAKER_CLOSED)
        return DROP;
    if (have->state == PW_BREAKER_OPEN && want->state == PW_BREAKER_OPEN &&
        have->open_until_ms >= want->open_until_ms)
        return news ? TELL : DROP;
    if (want->state == PW_BREAKER_HALF_OPEN && is_probed(b, have))
        return TELL;
    bool own_probe =
        have->state == PW_BREAKER_HALF_OPEN && pw_str_eq(have->probe_by, b->options.node);
    if (!news || own_probe)
        return WRITE;
    return want->state == PW_BREAKER_OPEN && have->state != PW_BREAKER_HALF_OPEN ? WRITE : TELL;
}

static pw_breaker_record record_of(const pw_breakers *b, const pw_breaker_record *want,
                                   uint64_t epoch)
{
    pw_breaker_record record = *want;
    record.epoch = epoch;
    record.forced = PW_BREAKER_AUTO;
    record.changed_ms = b->options.now_ms(b->options.context);
    record.changed_by = PW_LIT("system");
    record.probe_by = (pw_str){ 0 };
    record.probe_until_ms = -1;
    if (want->state != PW_BREAKER_OPEN)
        record.open_until_ms = -1;
    if (want->state == PW_BREAKER_HALF_OPEN) {
        record.probe_by = b->options.node;
        record.probe_until_ms = record.changed_ms + (int64_t)b->options.probe_ms;
    }
    return record;
}

/* Against what is known of the row; *over: the wish is. False: store or memory failed. */
static bool settle(pw_breakers *b, const pw_breaker_record *want, pw_breaker_record *have,
                   uint64_t told, bool *over, pw_arena *arena)
{
    pw_breaker_record now = *have;
    bool won = false, news = false;
    pawl_error err;
    *over = true;
    switch (judge(b, have, told, want)) {
    case DROP:
        return true;
    case TELL:
        return tell(b, have, false);
    case WRITE:
        break;
    }
    const pw_breaker_record record = record_of(b, want, have->epoch);
    pawl_code code = pw_store_breaker_set(b->options.store, &record, &won, &now, arena, &err);
    if (code != PAWL_OK) {
        failed(b, code, &err);
        if (code != PAWL_INVALID) /* the store will never take it: it stays with this process */
            return false;
        return want->state != PW_BREAKER_HALF_OPEN || tell(b, &record, true);
    }
    *have = now;
    *over = won;
    if (!learn(b, &now, &news))
        return false;
    if (won && now.state == PW_BREAKER_HALF_OPEN)
        return tell(b, &now, true);
    if (won)
        known_by_driver(b, &now); /* it has been so there since it was wished */
    return true;
}

/* Takes a wish that is not carried out yet; its texts are copied to the arena. */
static bool take(pw_breakers *b, pw_breaker_record *want, pw_breaker_record *have, uint64_t *told,
                 pw_arena *arena)
{
    bool found = false;
    (void)pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < BUCKETS && !found; i++)
        for (entry *e = b->buckets[i]; e && !found; e = e->next) {
            if (!e->wished)
                continue;
            found = true;
            *want = e->want;
            *have = e->known;
            *told = e->told;
            want->service = have->service = pw_arena_str(arena, e->want.service);
            want->reason = pw_arena_str(arena, e->want.reason);
            have->probe_by = pw_arena_str(arena, e->known.probe_by);
            have->changed_by = pw_arena_str(arena, e->known.changed_by);
            have->reason = pw_arena_str(arena, e->known.reason);
            e->wished = arena->failed; /* else it is ours */
        }
    if (!found)
        b->wished = false;
    (void)pthread_mutex_unlock(&b->lock);
    return found;
}

/* It is to be tried again, unless the driver has wished something else since. */
static void put_back(pw_breakers *b, const pw_breaker_record *want)
{
    (void)pthread_mutex_lock(&b->lock);
    entry *e = find(b, want->service);
    if (e && !e->wished && keep(&e->want, &e->want_text, want, e->want.service))
        e->wished = true;
    b->missed = b->missed || !e || !e->wished;
    (void)pthread_mutex_unlock(&b->lock);
}

/* One of them; false: there is none. *failing: it is to be tried again later. */
static bool carry_out(pw_breakers *b, bool *failing)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_breaker_record want, have;
    uint64_t told = 0;
    bool found = take(b, &want, &have, &told, &arena), over = false, taken = found && !arena.failed;
    bool good = taken;
    for (int i = 0; i < TRIES && good && !over; i++)
        good = settle(b, &want, &have, told, &over, &arena);
    if (found && (!good || !over))
        *failing = true;
    if (*failing && taken)
        put_back(b, &want);
    pw_arena_done(&arena);
    return found;
}

/* What the driver must have wished, by how its services are. */
static bool wish_again(pw_breakers *b)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_http_service *services = NULL;
    size_t count = 0;
    pawl_error err;
    const int64_t now = b->options.now_ms(b->options.context);
    pawl_code code = b->options.services(b->options.context, &services, &count, &arena, &err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        const pw_http_service *s = &services[i];
        if (s->forced != PW_BREAKER_AUTO || s->state == PW_BREAKER_CLOSED)
            continue;
        bool probe = s->waiting > 0 &&
                     (s->state == PW_BREAKER_HALF_OPEN ? s->active == 0 : s->open_until_ms <= now);
        const pw_breaker_record want = { .service = s->service,
                                         .state = probe ? PW_BREAKER_HALF_OPEN : PW_BREAKER_OPEN,
                                         .open_until_ms = probe ? -1 : s->open_until_ms,
                                         .reason = s->last_error };
        if (probe || s->state == PW_BREAKER_OPEN)
            pw_breakers_wish(b, &want);
    }
    pw_arena_done(&arena);
    return code == PAWL_OK;
}

/* ------------------------------------------------------------------ work */

/* Something was done. */
static bool work(pw_breakers *b)
{
    bool some = false, failing = false;
    (void)pthread_mutex_lock(&b->order);
    (void)pthread_mutex_lock(&b->lock);
    bool missed = b->missed, due = pw_monotonic_ns() >= b->next_ns;
    b->missed = false;
    (void)pthread_mutex_unlock(&b->lock);
    if (missed)
        failing = !wish_again(b);
    while (!failing && carry_out(b, &failing))
        some = true;
    if (due && !failing)
        failing = !look(b);
    (void)pthread_mutex_lock(&b->lock);
    b->missed = b->missed || (missed && failing);
    if (failing)
        b->next_ns = in_ms(AGAIN_MS);
    else if (due || some)
        b->next_ns = b->options.alone
                         ? UINT64_MAX
                         : in_ms(b->options.look_ms * (all_closed(b) ? LOOK_CLOSED : 1));
    if (failing)
        b->wished = false; /* but what was wished still is, and is looked for at the next round */
    (void)pthread_mutex_unlock(&b->lock);
    (void)pthread_mutex_unlock(&b->order);
    return (some || due) && !failing;
}

bool pw_breakers_work(pw_breakers *b, bool wait)
{
    (void)pthread_mutex_lock(&b->lock);
    while (wait && !b->stop && !b->wished && pw_monotonic_ns() < b->next_ns)
        (void)pw_condition_wait(&b->changed, &b->lock, b->next_ns);
    bool stop = b->stop;
    (void)pthread_mutex_unlock(&b->lock);
    if (stop)
        return false;
    bool some = work(b);
    return wait || some;
}

pawl_code pw_breakers_change(pw_breakers *b, pw_str service, pw_breaker_change_fn change,
                             void *context, pw_breaker_record *out, pw_arena *arena,
                             pawl_error *err)
{
    pw_breaker_record have, *rows = NULL;
    size_t count = 0, at = 0;
    bool won = false, news = false;
    (void)pthread_mutex_lock(&b->order);
    pawl_code code = pw_store_breakers(b->options.store, &rows, &count, arena, err);
    while (at < count && !pw_str_eq(rows[at].service, service))
        at++;
    have =
        at < count
            ? rows[at]
            : (pw_breaker_record){ .service = service, .open_until_ms = -1, .probe_until_ms = -1 };
    for (int i = 0; i < TRIES && code == PAWL_OK && !won; i++) {
        pw_breaker_record record = have;
        won = !change(context, &record);
        if (!won)
            code = pw_store_breaker_set(b->options.store, &record, &won, &have, arena, err);
    }
    if (code == PAWL_OK && !won)
        code =
            pw_fail(err, PAWL_BUSY, "the breaker of '" PW_FMT "' changes all the time; try again",
                    PW_ARG(service));
    /* The driver must hear of it: if it cannot now, the next round tells. */
    if (code == PAWL_OK && have.epoch > 0 &&
        (!learn(b, &have, &news) || (news && !tell(b, &have, false)))) {
        (void)pthread_mutex_lock(&b->lock);
        b->next_ns = 0;
        pw_condition_wake(&b->changed);
        (void)pthread_mutex_unlock(&b->lock);
    }
    (void)pthread_mutex_unlock(&b->order);
    if (code == PAWL_OK)
        *out = have;
    else
        failed(b, code, err);
    return code;
}

/* ------------------------------------------------------------------ the object */

static pawl_code make_waiting(pw_breakers *b, pawl_error *err)
{
    int problem = pthread_mutex_init(&b->order, NULL);
    if (problem)
        return pw_fail_native(err, PAWL_NO_MEMORY, problem, "out of memory");
    problem = pthread_mutex_init(&b->lock, NULL);
    pawl_code code =
        problem ? pw_fail_native(err, PAWL_NO_MEMORY, problem, "out of memory") : PAWL_OK;
    if (code == PAWL_OK && (code = pw_condition_init(&b->changed, err)) != PAWL_OK)
        (void)pthread_mutex_destroy(&b->lock);
    if (code != PAWL_OK)
        (void)pthread_mutex_destroy(&b->order);
    return code;
}

pawl_code pw_breakers_new(pw_breakers **out, const pw_breakers_options *options, pawl_error *err)
{
    pw_breakers *b = pw_zalloc(sizeof *b);
    if (!b)
        return pw_no_memory(err);
    b->options = *options;
    if (b->options.probe_ms == 0)
        b->options.probe_ms = PW_BREAKER_PROBE_MS;
    if (b->options.look_ms == 0)
        b->options.look_ms = LOOK_MS;
    b->next_ns = options->alone ? UINT64_MAX : in_ms(b->options.look_ms);
    pawl_code code = make_waiting(b, err);
    if (code != PAWL_OK) {
        pw_free(b);
        return code;
    }
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_breaker_record *rows = NULL;
    size_t count = 0;
    code = pw_store_breakers(options->store, &rows, &count, &arena, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        bool news;
        if (!learn(b, &rows[i], &news) || (news && !tell(b, &rows[i], false)))
            code = pw_no_memory(err);
    }
    pw_arena_done(&arena);
    if (code != PAWL_OK) {
        pw_breakers_free(b);
        return code;
    }
    *out = b;
    return PAWL_OK;
}

void pw_breakers_stop(pw_breakers *b)
{
    (void)pthread_mutex_lock(&b->lock);
    b->stop = true;
    pw_condition_wake(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
}

void pw_breakers_free(pw_breakers *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (b->buckets[i]) {
            entry *e = b->buckets[i];
            b->buckets[i] = e->next;
            pw_free(e->known_text);
            pw_free(e->want_text);
            pw_free(e);
        }
    pw_condition_done(&b->changed);
    (void)pthread_mutex_destroy(&b->lock);
    (void)pthread_mutex_destroy(&b->order);
    pw_free(b);
}
