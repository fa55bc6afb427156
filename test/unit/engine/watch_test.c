/* watch_test.c - waiting without a thread: called back once, after the commit, or not at all. */
#include <sched.h>
#include "fixture.h"

static const char approval[] = "  - ask: {call: userTask, with: {key: ok}}";

typedef struct called {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned count;
    pawl_code code; /* of the last */
    pawl_reason reason;
    pawl_watch *close; /* to be closed from within */
} called;

static void called_init(called *c)
{
    memset(c, 0, sizeof *c);
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_cond_init(&c->changed, NULL);
}

static void on_there(void *context, pawl_code code, const pawl_error *err)
{
    called *c = context;
    (void)pthread_mutex_lock(&c->lock);
    c->count++;
    c->code = code;
    c->reason = err ? err->reason : PAWL_REASON_NONE;
    pawl_watch *close = c->close;
    c->close = NULL;
    (void)pthread_mutex_unlock(&c->lock);
    pawl_watch_close(close);
    (void)pthread_mutex_lock(&c->lock);
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

static void wait_called(called *c, unsigned count)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    (void)pthread_mutex_lock(&c->lock);
    while (c->count < count && pthread_cond_timedwait(&c->changed, &c->lock, &until) == 0)
        ;
    unsigned got = c->count;
    (void)pthread_mutex_unlock(&c->lock);
    EXPECT(got >= count);
}

static pawl_watch *watch(fixture *f, const char *id, pawl_watch_for what, uint64_t token, called *c)
{
    pawl_watch *w = NULL;
    EXPECT_OK(pawl_watch_open(&w, f->p, id, what, token, on_there, c, &f->err), f->err);
    return w;
}

TEST(watch, the_end_and_every_move_are_told_once_after_their_commit)
{
    fixture f;
    called end, moved, later;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    called_init(&end);
    called_init(&moved);
    called_init(&later);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL);
    pawl_watch *a = watch(&f, id, PAWL_WATCH_END, 0, &end), *b = watch(&f, id, PAWL_WATCH_MOVED, 1, &moved);
    EXPECT_OK(pawl_suspend(f.p, id, NULL, NULL, &f.err), f.err);
    wait_called(&moved, 1);
    EXPECT_INT(moved.code, PAWL_OK);
    EXPECT_INT(end.count, 0);
    pawl_watch *c = watch(&f, id, PAWL_WATCH_MOVED, 1, &later); /* it has moved already */
    wait_called(&later, 1);
    EXPECT_OK(pawl_cancel(f.p, id, NULL, NULL, &f.err), f.err);
    wait_called(&end, 1);
    EXPECT_INT(end.code, PAWL_OK);
    pawl_watch_close(a);
    pawl_watch_close(b);
    pawl_watch_close(c);
    pawl_watch_close(NULL);
    EXPECT_INT(moved.count + end.count + later.count, 3);
    pawl_free(id);
    fixture_done(&f);
}

TEST(watch, what_cannot_be_waited_for_is_told_with_its_reason)
{
    fixture f;
    called none, closing;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    called_init(&none);
    called_init(&closing);
    deploy(&f, "ask", approval);
    pawl_watch *w = NULL;
    EXPECT_INT(pawl_watch_open(&w, f.p, "x", PAWL_WATCH_END, 0, on_there, &none, &f.err), PAWL_NOT_FOUND);
    EXPECT_INT(f.err.reason, PAWL_REASON_NO_INSTANCE);
    EXPECT_INT(pawl_watch_open(&w, f.p, "00000000000000000000000000", PAWL_WATCH_END, 0, NULL, &none, &f.err), PAWL_INVALID);
    EXPECT(w == NULL);
    w = watch(&f, "00000000000000000000000000", PAWL_WATCH_END, 0, &none);
    wait_called(&none, 1);
    EXPECT_INT(none.code, PAWL_NOT_FOUND);
    EXPECT_INT(none.reason, PAWL_REASON_NO_INSTANCE);
    pawl_watch_close(w);
    fixture_done(&f);
}

TEST(watch, it_may_be_closed_by_its_own_callback)
{
    fixture f;
    called c;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    called_init(&c);
    deploy(&f, "ask", approval);
    char *id = start(&f, "ask", NULL);
    c.close = watch(&f, id, PAWL_WATCH_END, 0, &c);
    EXPECT_OK(pawl_cancel(f.p, id, NULL, NULL, &f.err), f.err);
    wait_called(&c, 1);
    EXPECT_INT(c.count, 1);
    pawl_free(id);
    fixture_done(&f);
}

TEST(watch, ten_thousand_sleep_in_little_memory_and_the_right_one_wakes)
{
    enum { COUNT = 10000, INSTANCES = 5000 };
    static pawl_watch *watches[COUNT];
    static char *ids[INSTANCES];
    fixture f;
    called c, one;
    fixture_init(&f, "memory:");
    f.options.step_threads = 1;
    fixture_open(&f);
    called_init(&c);
    called_init(&one);
    deploy(&f, "ask", approval);
    for (size_t i = 0; i < INSTANCES; i++)
        ids[i] = start(&f, "ask", NULL);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    uint64_t before = pw_alloc_count();
    for (size_t i = 0; i < COUNT; i++)
        watches[i] = watch(&f, ids[i % INSTANCES], i % 2 ? PAWL_WATCH_END : PAWL_WATCH_MOVED, 1, &c);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    /* each is one object; where its instance has left memory also a slot, and what it takes to read a row */
    EXPECT(pw_alloc_count() - before < COUNT * 8);
    EXPECT(f.p->shards[0]->idle_count <= PW_LIVE_IDLE_MAX); /* the instances themselves are not kept for them */
    EXPECT_INT(c.count, 0);
    pawl_watch *other = watch(&f, ids[7], PAWL_WATCH_MOVED, 1, &one);
    EXPECT_OK(pawl_cancel(f.p, ids[7], NULL, NULL, &f.err), f.err);
    wait_called(&one, 1);
    wait_called(&c, 2);
    pawl_watch_close(other);
    for (size_t i = 0; i < COUNT; i++)
        pawl_watch_close(watches[i]);
    EXPECT_INT(c.count, 2);
    for (size_t i = 0; i < INSTANCES; i++)
        pawl_free(ids[i]);
    fixture_done(&f);
}

typedef struct racing {
    fixture *f;
    char *ids[256];
    pawl_watch *watches[256];
    called calls[256];
    bool closed[256]; /* set after the close: no call may come any more */
} racing;

static void close_or_cancel(void *context, unsigned number)
{
    racing *r = context;
    pawl_error err;
    for (size_t i = 0; i < 256; i++) {
        if (number == 0) {
            (void)!pawl_cancel(r->f->p, r->ids[i], NULL, NULL, &err);
            continue;
        }
        pawl_watch_close(r->watches[i]);
        (void)pthread_mutex_lock(&r->calls[i].lock);
        r->closed[i] = true;
        r->calls[i].code = (pawl_code)r->calls[i].count; /* what it is now, it stays */
        (void)pthread_mutex_unlock(&r->calls[i].lock);
    }
}

TEST(watch, no_call_comes_once_it_is_closed)
{
    static racing r;
    fixture f;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "ask", approval);
    r.f = &f;
    for (size_t i = 0; i < 256; i++) {
        called_init(&r.calls[i]);
        r.ids[i] = start(&f, "ask", NULL);
        r.watches[i] = watch(&f, r.ids[i], PAWL_WATCH_END, 0, &r.calls[i]);
    }
    crew_run(2, close_or_cancel, &r);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    for (size_t i = 0; i < 256; i++) {
        EXPECT_INT(r.calls[i].count, (unsigned)r.calls[i].code);
        pawl_free(r.ids[i]);
    }
    fixture_done(&f);
}

/* The thread that has committed stands still until it is let go. */
typedef struct stop {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool armed, stands, go;
} stop;

static void stand_still(void *context, const char *entries)
{
    stop *s = context;
    (void)entries;
    (void)pthread_mutex_lock(&s->lock);
    if (s->armed) {
        s->stands = true;
        (void)pthread_cond_broadcast(&s->changed);
        while (!s->go)
            (void)pthread_cond_wait(&s->changed, &s->lock);
    }
    (void)pthread_mutex_unlock(&s->lock);
}

static void cancel_or_close(void *context, unsigned number)
{
    racing *r = context;
    stop *s = r->f->options.on_step_context;
    pawl_error err;
    if (number == 0) {
        EXPECT_OK(pawl_cancel(r->f->p, r->ids[0], NULL, NULL, &err), err);
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    while (!s->stands)
        (void)pthread_cond_wait(&s->changed, &s->lock);
    (void)pthread_mutex_unlock(&s->lock);
    pawl_watch_close(r->watches[0]); /* it is committed, and has not been told yet */
    (void)pthread_mutex_lock(&s->lock);
    s->go = true;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
}

TEST(watch, one_that_is_closed_between_commit_and_call_is_not_called)
{
    static racing r;
    stop s = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .armed = false };
    fixture f;
    fixture_init(&f, "memory:");
    f.options.on_step = stand_still;
    f.options.on_step_context = &s;
    fixture_open(&f);
    deploy(&f, "ask", approval);
    r.f = &f;
    called_init(&r.calls[0]);
    r.ids[0] = start(&f, "ask", NULL);
    r.watches[0] = watch(&f, r.ids[0], PAWL_WATCH_END, 0, &r.calls[0]);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    (void)pthread_mutex_lock(&s.lock);
    s.armed = true;
    (void)pthread_mutex_unlock(&s.lock);
    crew_run(2, cancel_or_close, &r);
    EXPECT_OK(pawl_drain(f.p, WAIT_MS, &f.err), f.err);
    EXPECT_INT(r.calls[0].count, 0);
    pawl_free(r.ids[0]);
    fixture_done(&f);
}

/* A call that takes a while, and says when it has ended. */
typedef struct slow {
    atomic_bool entered, closing, ended;
} slow;

static void call_slowly(void *context, pawl_code code, const pawl_error *err)
{
    slow *s = context;
    (void)code, (void)err;
    atomic_store(&s->entered, true);
    while (!atomic_load(&s->closing))
        (void)sched_yield();
    for (int i = 0; i < 10000; i++) /* somebody waits for this in pawl_watch_close */
        (void)sched_yield();
    atomic_store(&s->ended, true);
}

TEST(watch, closing_waits_for_the_call_that_runs)
{
    fixture f;
    slow s = { .entered = false };
    pawl_watch *w = NULL;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    deploy(&f, "quick", "  - done: {set: {n: 1}}");
    char *id = start(&f, "quick", NULL);
    EXPECT_OK(pawl_watch_open(&w, f.p, id, PAWL_WATCH_END, 0, call_slowly, &s, &f.err), f.err);
    while (!atomic_load(&s.entered))
        (void)sched_yield();
    atomic_store(&s.closing, true);
    pawl_watch_close(w);
    EXPECT(atomic_load(&s.ended));
    pawl_free(id);
    fixture_done(&f);
}

TEST(watch, the_deletion_of_its_instance_ends_it)
{
    fixture f;
    called c;
    fixture_init(&f, "memory:");
    fixture_open(&f);
    called_init(&c);
    deploy(&f, "quick", "  - done: {set: {n: 1}}");
    char *id = start(&f, "quick", NULL);
    pawl_free(finish(&f, id));
    pawl_watch *w = watch(&f, id, PAWL_WATCH_MOVED, 1, &c);
    EXPECT_OK(pawl_delete(f.p, id, NULL, &f.err), f.err);
    wait_called(&c, 1);
    EXPECT_INT(c.code, PAWL_NOT_FOUND);
    pawl_watch_close(w);
    pawl_free(id);
    fixture_done(&f);
}

TEST_MAIN()
