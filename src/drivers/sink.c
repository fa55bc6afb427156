/* sink.c - the kinds of sinks by name, and what they share (sink_internal.h). */
#include <stdio.h>
#include "base/near.h"
#include "drivers/sink_internal.h"

static const pw_sink_kind *const kinds[] = { &pw_sink_http, &pw_sink_file, &pw_sink_nats };

static pawl_code check_name(const char *name, pawl_error *err)
{
    enum { NAME_MAX_ = 64 }; /* of the store's column */
    size_t len = pw_sink_given(name) ? strlen(name) : 0;
    if (len == 0)
        return pw_fail(err, PAWL_INVALID, "a sink has no name");
    bool good = len <= NAME_MAX_;
    for (size_t i = 0; good && i < len; i++)
        good = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
               (name[i] >= '0' && name[i] <= '9') || name[i] == '-' || name[i] == '_' ||
               name[i] == '.';
    if (!good)
        return pw_fail(err, PAWL_INVALID,
                       "sink '%.80s': a name is 1 to %d letters, digits, '-', '_', '.'", name,
                       NAME_MAX_);
    return PAWL_OK;
}

static const char *near_kind(const char *type)
{
    const char *names[PW_LENGTH(kinds)];
    for (size_t i = 0; i < PW_LENGTH(kinds); i++)
        names[i] = kinds[i]->name;
    return pw_near(type, names, PW_LENGTH(names));
}

static pawl_code find_kind(const pw_sink_kind **out, const pawl_sink_options *options,
                           pawl_error *err)
{
    if (!pw_sink_given(options->type))
        return pw_fail(err, PAWL_INVALID, "its type is not given: http, file or nats");
    for (size_t i = 0; i < PW_LENGTH(kinds); i++) {
        if (strcmp(kinds[i]->name, options->type) == 0) {
            *out = kinds[i];
            return PAWL_OK;
        }
    }
    const char *near = near_kind(options->type);
    return pw_fail(err, PAWL_INVALID, "type '%.80s' is none: http, file or nats%s%s%s",
                   options->type, near ? "; did you mean '" : "", near ? near : "",
                   near ? "'?" : "");
}

pawl_code pw_sink_open(pw_sink **out, const pawl_sink_options *options, pawl_error *err)
{
    pawl_code code = check_name(options->name, err);
    if (code != PAWL_OK)
        return code;
    const pw_sink_kind *kind = NULL;
    code = find_kind(&kind, options, err);
    if (code == PAWL_OK && options->at_once > PW_SINK_AT_ONCE_MAX)
        code = pw_fail(err, PAWL_INVALID, "%u publishes at once are more than %u", options->at_once,
                       PW_SINK_AT_ONCE_MAX);
    if (code == PAWL_OK)
        code = kind->open(out, options, err);
    return code == PAWL_OK ? PAWL_OK : pw_error_context(err, code, "sink '%s'", options->name);
}

/* ------------------------------------------------------------------ turns */

static void hold(pw_sink_event *event)
{
    event->end = PW_SINK_HELD;
    event->retry_after_ms = 0;
    event->whole = false;
    event->error = PW_LIT("");
}

bool pw_sink_turns_init(pw_sink_turns *turns, pw_sink_event *events, size_t count, pw_arena *arena)
{
    *turns = (pw_sink_turns){ .events = events,
                              .count = count,
                              .before = PW_NEW_ARRAY(arena, size_t, count),
                              .begun = PW_NEW_ARRAY(arena, bool, count) };
    for (size_t i = 0; i < count; i++)
        hold(&events[i]);
    if (!turns->before || !turns->begun)
        return false;
    for (size_t i = 1; i < count; i++) {
        size_t j = i;
        while (j > 0 && !pw_str_eq(events[j - 1].instance, events[i].instance))
            j--;
        turns->before[i] = j;
    }
    return true;
}

bool pw_sink_turns_next(pw_sink_turns *turns, size_t *at)
{
    if (turns->closed)
        return false;
    while (turns->first < turns->count && turns->begun[turns->first])
        turns->first++;
    for (size_t i = turns->first; i < turns->count; i++) {
        size_t before = turns->before[i];
        if (turns->begun[i] || (before && turns->events[before - 1].end != PW_SINK_TAKEN))
            continue;
        turns->begun[i] = true;
        *at = i;
        return true;
    }
    return false;
}

void pw_sink_turns_close(pw_sink_turns *turns, size_t at)
{
    turns->closed = turns->events[at].whole = true;
}

void pw_sink_turns_end(pw_sink_turns *turns)
{
    bool one = false;
    for (size_t i = 0; i < turns->count; i++) {
        if (turns->events[i].whole && one)
            hold(&turns->events[i]);
        one = one || turns->events[i].whole;
    }
}

/* ------------------------------------------------------------------ ends */

void pw_sink_fail(pw_sink_event *event, pw_arena *arena, bool refused, const char *format, ...)
{
    char text[480];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pw_str error = pw_str_of(text);
    error.len = pw_utf8_valid_length(error);
    error = pw_arena_str(arena, error);
    event->end = refused ? PW_SINK_REFUSED : PW_SINK_FAILED;
    event->error = error.ptr ? error : PW_LIT("out of memory");
}

void pw_sink_fail_whole(pw_sink_event *events, size_t count, pw_arena *arena, const char *why)
{
    for (size_t i = 0; i < count; i++)
        hold(&events[i]);
    if (count == 0)
        return;
    pw_sink_fail(&events[0], arena, false, "%s", why);
    events[0].whole = true;
}

char *pw_sink_bare_url(const char *url)
{
    const char *scheme = strstr(url, "://");
    const char *host = scheme ? scheme + 3 : url;
    size_t end = strcspn(host, "/?#"), all = strcspn(host, "?#");
    for (size_t i = 0; i < end; i++) { /* the last '@' of the authority ends what is secret */
        if (host[i] == '@') {
            host += i + 1;
            end -= i + 1;
            all -= i + 1;
            i = SIZE_MAX; /* once more, from the new beginning */
        }
    }
    pw_buf buf;
    pw_buf_init(&buf, 0);
    if (scheme)
        pw_buf_add(&buf, url, (size_t)(scheme + 3 - url));
    pw_buf_add(&buf, host, all);
    return pw_buf_take(&buf);
}
