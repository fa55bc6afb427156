/* sink_internal.h - what the kinds of sinks share: whose turn an event is, what became of it, and
 * lists in options. */
#ifndef PW_SINK_INTERNAL_H
#define PW_SINK_INTERNAL_H

#include "drivers/sink.h"

#define PW_SINK_AT_ONCE 16u /* publishes at once, unless the options say otherwise */
#define PW_SINK_AT_ONCE_MAX 1024u
#define PW_SINK_TIMEOUT_MS 10000u
#define PW_SINK_LOOK_MS 50 /* how long a sink waits before it asks whether it is to stop */

static inline bool pw_sink_given(const char *text)
{
    return text && *text;
}
static inline uint64_t pw_sink_timeout_ms(const pawl_sink_options *o)
{
    return o->timeout_ms ? o->timeout_ms : PW_SINK_TIMEOUT_MS;
}
static inline uint32_t pw_sink_at_once(const pawl_sink_options *o)
{
    return o->at_once ? o->at_once : PW_SINK_AT_ONCE;
}

/* A batch on its way: of each instance one event at a time, the next one when the one before it was
 * taken. */
typedef struct pw_sink_turns {
    pw_sink_event *events;
    size_t count;
    size_t *before; /* of each: the place of the one before it of its instance, plus one; 0: none */
    bool *begun;
    size_t first; /* all before it have begun */
    bool closed;  /* none begins any more in this batch: the sink as a whole takes nothing */
} pw_sink_turns;
/* All events are HELD then. False: out of memory. */
bool pw_sink_turns_init(pw_sink_turns *turns, pw_sink_event *events, size_t count, pw_arena *arena);
/* The next that may begin, which has begun then; false: none, for now. */
bool pw_sink_turns_next(pw_sink_turns *turns, size_t *at);
/* The event, which is FAILED, failed because the whole sink did: none begins any more. */
void pw_sink_turns_close(pw_sink_turns *turns, size_t at);
/* Of those that failed for that reason only the first was tried, as far as its attempts go; the
 * others are HELD again: a sink that is away for an hour is to cost one attempt in a round, and not
 * one of each event. */
void pw_sink_turns_end(pw_sink_turns *turns);

/* FAILED or REFUSED, with its error, of which malformed text is cut off. */
void pw_sink_fail(pw_sink_event *event, pw_arena *arena, bool refused, const char *format, ...)
    PW_PRINTF(4, 5);

/* Nothing was tried, or what was tried is undone: the first event is FAILED, as `whole`, and the
 * others are HELD. */
void pw_sink_fail_whole(pw_sink_event *events, size_t count, pw_arena *arena, const char *why);

/* A URL without user, password, query and fragment, for people; on the heap; NULL: out of memory.
 */
char *pw_sink_bare_url(const char *url);

/* ---- sink_message.c: a CloudEvent as an HTTP request */

typedef struct pw_sink_message {
    pw_str body;
    const char **headers; /* "Name: value", NUL-terminated */
    size_t header_count;
} pw_sink_message;
/* PAWL_INVALID: the event is none. */
PAWL_CHECK pawl_code pw_sink_message_structured(pw_sink_message *out, const pw_sink_event *event,
                                                pw_arena *arena, pawl_error *err);
PAWL_CHECK pawl_code pw_sink_message_binary(pw_sink_message *out, const pw_sink_event *event,
                                            pw_arena *arena, pawl_error *err);
/* "t=SECONDS,v1=HEX": HMAC-SHA-256 of "SECONDS.body". ptr NULL: out of memory. */
pw_str pw_sink_signature(pw_str secret, uint64_t seconds, pw_str body, pw_arena *arena);
#endif
