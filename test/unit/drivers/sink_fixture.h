/* sink_fixture.h - events for a sink, and what became of them. */
#ifndef PW_TEST_SINK_FIXTURE_H
#define PW_TEST_SINK_FIXTURE_H

#include <signal.h>
#include "test.h"
#include "drivers/sink_internal.h"

enum { EVENTS_MAX = 2000 };

typedef struct batch_fixture {
    pw_sink *sink;
    pw_arena arena;
    pw_sink_event events[EVENTS_MAX];
    size_t count;
    bool (*stop)(void *context); /* NULL: never */
    void *context;
} batch_fixture;

static bool never_stop(void *context)
{
    (void)context;
    return false;
}

/* A sink's own thread has all signals blocked; here the test's is one: a closed connection is an error of write(). */
static void block_sigpipe(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void open_sink(batch_fixture *f, const pawl_sink_options *options)
{
    pawl_error err = { 0 };
    block_sigpipe();
    *f = (batch_fixture){ 0 };
    pw_arena_init(&f->arena, 0);
    EXPECT_OK(pw_sink_open(&f->sink, options, &err), err);
}

static void close_sink(batch_fixture *f)
{
    f->sink->kind->close(f->sink);
    pw_arena_done(&f->arena);
}

/* Event `number` of an instance: its id is "INSTANCE-NUMBER". */
static void add_event(batch_fixture *f, const char *instance, unsigned number)
{
    pw_sink_event *event = &f->events[f->count++];
    pw_str id = pw_arena_printf(&f->arena, "%s-%u", instance, number);
    *event = (pw_sink_event){
        .id = id,
        .type = PW_LIT("order.placed"),
        .source = PW_LIT("/shop/order/1"),
        .instance = pw_str_of(instance),
        .sequence = number,
        .payload = pw_arena_printf(&f->arena,
                                   "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"/shop/"
                                   "order/1\",\"type\":\"order.placed\","
                                   "\"data\":{\"number\":%u}}",
                                   id.ptr, number),
    };
}

static void publish_all(batch_fixture *f)
{
    f->sink->kind->publish(f->sink, f->events, f->count, f->stop ? f->stop : never_stop, f->context,
                           &f->arena);
}

/* One letter an event: t(aken), f(ailed), F(ailed as a whole), r(efused), h(eld). */
static const char *ends(const batch_fixture *f)
{
    static char text[EVENTS_MAX + 1];
    for (size_t i = 0; i < f->count; i++)
        text[i] = f->events[i].end == PW_SINK_FAILED && f->events[i].whole
                      ? 'F'
                      : "htfr"[f->events[i].end];
    text[f->count] = '\0';
    return text;
}

static void expect_refused(const pawl_sink_options *options, pawl_code code, const char *message)
{
    pawl_error err = { 0 };
    pw_sink *sink = NULL;
    EXPECT_INT(pw_sink_open(&sink, options, &err), code);
    EXPECT(sink == NULL);
    EXPECT_TEXT(err.message, message);
}
#endif
