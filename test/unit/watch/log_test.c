/* The log of the process: what a line looks like, who hears it, and that nobody ever waits for its reader. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"
#include "base/json.h"
#include "watch/log_internal.h"

/* 2026-11-23T16:21:03.123Z */
static const int64_t then_ms = 1795450863123;

static const char *text_of(pw_log_format format, const pw_log_line *line, const char *message)
{
    static char text[PW_LOG_LINE_MAX + 1];
    const size_t len = pw_log_text(text, format, then_ms, line, message);
    EXPECT(len > 0 && len <= PW_LOG_LINE_MAX);
    text[len] = '\0';
    return text;
}

static pw_log_line plain(void)
{
    return (pw_log_line){ .level = PW_LOG_WARNING, .component = "http", .event = "call.failed" };
}

/* ------------------------------------------------------------------ text */

TEST(log, a_line_is_a_JSON_object)
{
    const pw_log_field fields[] = { PW_LOG_S("task", PW_LIT("/do/0/charge")), PW_LOG_N("status", 503),
                                    { "share", PW_LOG_REAL, { "", 0 }, 0, 0.25 }, { "again", PW_LOG_BOOL, { "", 0 }, 1, 0 },
                                    { "none", PW_LOG_REAL, { "", 0 }, 0, (double)INFINITY } };
    pw_log_line line = plain();
    line.fields = fields;
    line.field_count = PW_LENGTH(fields);
    EXPECT_TEXT(text_of(PW_LOG_JSON, &line, "it said \"no\""),
                "{\"time\":\"2026-11-23T16:21:03.123Z\",\"level\":\"warning\",\"component\":\"http\",\"event\":\"call.failed\","
                "\"message\":\"it said \\\"no\\\"\",\"task\":\"/do/0/charge\",\"status\":503,\"share\":0.25,\"again\":true,\"none\":null}\n");
}

TEST(log, a_line_is_one_that_people_can_read)
{
    const pw_log_field fields[] = { PW_LOG_S("task", PW_LIT("/do/0/charge")), PW_LOG_S("words", PW_LIT("a \"b\"")),
                                    PW_LOG_S("two", PW_LIT("one two")), PW_LOG_S("none", PW_LIT("")) };
    pw_log_line line = plain();
    line.fields = fields;
    line.field_count = PW_LENGTH(fields);
    EXPECT_TEXT(text_of(PW_LOG_HUMAN, &line, "it said \"no\""),
                "2026-11-23T16:21:03.123Z WARN  http     it said \"no\" event=call.failed task=/do/0/charge words=\"a \\\"b\\\"\" two=\"one two\" none=\"\"\n");
}

TEST(log, a_line_has_journalds_fields)
{
    const pw_log_field fields[] = { PW_LOG_S("assignedTo", PW_LIT("kim")), PW_LOG_S("words", PW_LIT("one\ntwo")) };
    pw_log_line line = plain();
    line.instance = PW_LIT("i1");
    line.correlation = PW_LIT("order-7");
    line.trace = PW_LIT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    line.fields = fields;
    line.field_count = PW_LENGTH(fields);
    EXPECT_TEXT(text_of(PW_LOG_JOURNAL, &line, "no"),
                "MESSAGE=no\nPRIORITY=4\nSYSLOG_IDENTIFIER=pawl\nPAWL_COMPONENT=http\nPAWL_EVENT=call.failed\nPAWL_INSTANCE=i1\n"
                "PAWL_CORRELATION=order-7\nPAWL_TRACE=4bf92f3577b34da6a3ce929d0e0e4736\nPAWL_ASSIGNED_TO=kim\nPAWL_WORDS=one\\ntwo\n");
}

TEST(log, a_line_about_an_instance_has_its_three_ids)
{
    pw_log_line line = plain();
    line.instance = PW_LIT("01jd7");
    line.correlation = PW_LIT("order-7");
    line.trace = PW_LIT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    EXPECT_CONTAINS(text_of(PW_LOG_JSON, &line, ""),
                    "\"instance\":\"01jd7\",\"correlation\":\"order-7\",\"trace\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}");
    line.trace = PW_LIT("4bf92f3577b34da6a3ce929d0e0e4736"); /* the id alone */
    EXPECT_CONTAINS(text_of(PW_LOG_JSON, &line, ""), "\"trace\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}");
}

TEST(log, who_was_given_neither_correlation_nor_trace_is_found_by_the_instance)
{
    pw_log_line line = plain();
    line.instance = PW_LIT("01jd7");
    const char *text = text_of(PW_LOG_JSON, &line, "");
    EXPECT_CONTAINS(text, "\"instance\":\"01jd7\",\"correlation\":\"01jd7\",\"trace\":\"");
    char first[64], second[64];
    (void)snprintf(first, sizeof first, "%.32s", strstr(text, "\"trace\":\"") + 9);
    line.instance = PW_LIT("01jd8");
    (void)snprintf(second, sizeof second, "%.32s", strstr(text_of(PW_LOG_JSON, &line, ""), "\"trace\":\"") + 9);
    EXPECT_INT(strspn(first, "0123456789abcdef"), 32);
    EXPECT(strcmp(first, second) != 0);
    line.instance = PW_LIT("01jd7"); /* the same again */
    EXPECT_CONTAINS(text_of(PW_LOG_JSON, &line, ""), first);
    line.trace = PW_LIT("nonsense");
    EXPECT_CONTAINS(text_of(PW_LOG_JSON, &line, ""), first);
    line.trace = PW_LIT("4bf92f3577b34da6a3ce929d0e0e473Z"); /* as long as an id */
    EXPECT_CONTAINS(text_of(PW_LOG_JSON, &line, ""), first);
}

TEST(log, of_a_URI_neither_user_nor_query_is_written)
{
    static const char *const cases[][2] = {
        { "GET https://kim:hunter2@shop.example:8443/a/b?token=hunter2 failed", "GET https://shop.example:8443/a/b failed" },
        { "GET https://shop.example/a?x=hunter2#hunter2", "GET https://shop.example/a" },
        { "\"http://a@b/c?hunter2\", then \"http://d/e?hunter2\"", "\\\"http://b/c\\\", then \\\"http://d/e\\\"" },
        { "is it so? mail kim@example.org", "is it so? mail kim@example.org" },
        { "sqlite:/var/lib/pawl.db", "sqlite:/var/lib/pawl.db" },
        { "postgresql://kim:a@b@host/db?password=hunter2", "postgresql://host/db" },
        { "https://host/a@b", "https://host/a@b" },
        { "https://?hunter2 //x", "https:// //x" },
        { "https://host/a#hunter2 is gone", "https://host/a is gone" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_log_line line = plain();
        char wanted[256];
        (void)snprintf(wanted, sizeof wanted, "\"message\":\"%s\"}", cases[i][1]);
        EXPECT_CONTAINS(text_of(PW_LOG_JSON, &line, cases[i][0]), wanted);
    }
    const pw_log_field field = PW_LOG_S("host", PW_LIT("http://kim:hunter2@h/?hunter2"));
    pw_log_line line = plain();
    line.fields = &field;
    line.field_count = 1;
    EXPECT_CONTAINS(text_of(PW_LOG_JSON, &line, ""), "\"host\":\"http://h/\"}");
}

TEST(log, nothing_that_is_in_a_line_breaks_it)
{
    pw_log_line line = plain();
    line.instance = PW_LIT("i\n1");
    line.correlation = PW_LIT("\x1b[31mred\x7f");
    line.trace = PW_LIT("00000000000000000000000000000001");
    EXPECT_CONTAINS(text_of(PW_LOG_JSON, &line, "a\nb\r\t\\ \xFF\xC3( \xE2\x82\xAC"),
                    "\"message\":\"a\\nb\\r\\t\\\\ \xEF\xBF\xBD\xEF\xBF\xBD( \xE2\x82\xAC\","
                    "\"instance\":\"i\\n1\",\"correlation\":\"\\u001b[31mred\\u007f\"");
    const char *human = text_of(PW_LOG_HUMAN, &line, "a\nb\x1b[2J");
    EXPECT_CONTAINS(human, "a\\nb\\u001b[2J ");
    EXPECT(strchr(human, '\n') == human + strlen(human) - 1);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

TEST(log, whatever_is_in_it_a_line_is_one_line_and_JSON)
{
    static const char pieces[] = "\"\\\n\r\t\x01\x1b\x7f\xc3\xa9\xff\xe2\x82://@?#&=,{}[] az";
    uint64_t seed = 1795450863;
    for (int round = 0; round < 2000; round++) {
        char texts[4][600];
        for (size_t i = 0; i < PW_LENGTH(texts); i++) {
            const size_t len = next_random(&seed) % (sizeof texts[i] - 1);
            for (size_t at = 0; at < len; at++)
                texts[i][at] = pieces[next_random(&seed) % (sizeof pieces - 1)];
            texts[i][len] = '\0';
        }
        const pw_log_field fields[] = { PW_LOG_S("a", pw_str_of(texts[0])), PW_LOG_S("b", pw_str_of(texts[1])) };
        pw_log_line line = plain();
        line.instance = pw_str_of(texts[2]);
        line.fields = fields;
        line.field_count = PW_LENGTH(fields);
        for (pw_log_format format = PW_LOG_JSON; format <= PW_LOG_HUMAN; format++) {
            const char *text = text_of(format, &line, texts[3]);
            EXPECT(strchr(text, '\n') == text + strlen(text) - 1);
            EXPECT(!strpbrk(text, "\x01\x1b\x7f\r\t"));
            EXPECT(pw_utf8_valid(pw_str_of(text)));
        }
        pw_arena arena;
        pawl_error err;
        pw_value v;
        pw_arena_init(&arena, 0);
        EXPECT_OK(pw_json_parse(&v, pw_str_of(text_of(PW_LOG_JSON, &line, texts[3])), NULL, &arena, &err), err);
        pw_arena_done(&arena);
    }
}

TEST(log, what_is_long_is_cut_and_what_has_no_place_is_said)
{
    char message[6000], value[1000];
    memset(message, 'm', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    memset(value, '\x01', sizeof value - 1); /* six bytes each */
    value[sizeof value - 1] = '\0';
    pw_log_field fields[20];
    for (size_t i = 0; i < PW_LENGTH(fields); i++)
        fields[i] = PW_LOG_S("f", pw_str_of(value));
    pw_log_line line = plain();
    EXPECT_CONTAINS(text_of(PW_LOG_JSON, &line, message), "mmmm...\"}\n");
    EXPECT_INT(strlen(text_of(PW_LOG_JSON, &line, message)), 2000 + 3 + strlen(text_of(PW_LOG_JSON, &line, "")));
    line.fields = fields;
    line.field_count = PW_LENGTH(fields);
    EXPECT_CONTAINS(text_of(PW_LOG_JSON, &line, message), "...\",\"cut\":true}\n");
    EXPECT_CONTAINS(text_of(PW_LOG_HUMAN, &line, message), " cut=true\n");
    EXPECT_CONTAINS(text_of(PW_LOG_JOURNAL, &line, message), "\nPAWL_CUT=true\n");
}

/* ------------------------------------------------------------------ levels */

static void start_to(void (*on_line)(void *, const char *), void *context, const char *levels)
{
    pawl_error err;
    const pw_log_options options = { .levels = levels, .format = PW_LOG_JSON, .on_line = on_line, .context = context };
    EXPECT_OK(pw_log_start(&options, &err), err);
}

static void start_at(int fd, const char *levels)
{
    pawl_error err;
    const pw_log_options options = { .levels = levels, .format = PW_LOG_JSON, .fd = fd };
    EXPECT_OK(pw_log_start(&options, &err), err);
}

static void forget(void *context, const char *line)
{
    (void)context;
    (void)line;
}

static void expect_levels(const char *levels)
{
    char text[PW_LOG_LEVELS_MAX];
    pw_log_levels(text);
    EXPECT_TEXT(text, levels);
}

TEST(log, nobody_hears_a_line_before_it_is_on)
{
    EXPECT(!pw_log_wants(PW_LOG_ERROR, "engine"));
    expect_levels("off");
    pawl_error err;
    EXPECT_INT(pw_log_set_levels("info", &err), PAWL_CONFLICT);
    pw_log_stop(); /* nothing */
}

TEST(log, levels_are_of_all_or_of_a_component)
{
    pawl_error err;
    start_to(forget, NULL, NULL);
    expect_levels("info");
    EXPECT(pw_log_wants(PW_LOG_INFO, "engine") && !pw_log_wants(PW_LOG_DEBUG, "engine"));
    EXPECT_OK(pw_log_set_levels("warning, http=debug,store=off", &err), err);
    expect_levels("warning,http=debug,store=off");
    EXPECT(pw_log_wants(PW_LOG_DEBUG, "http") && !pw_log_wants(PW_LOG_INFO, "engine") && pw_log_wants(PW_LOG_WARNING, "engine"));
    EXPECT(!pw_log_wants(PW_LOG_ERROR, "store"));
    EXPECT_OK(pw_log_set_levels("engine=debug", &err), err); /* all others as at first */
    expect_levels("info,engine=debug");
    EXPECT(!pw_log_wants(PW_LOG_DEBUG, "http") && pw_log_wants(PW_LOG_ERROR, "store"));
    EXPECT_OK(pw_log_set_levels("off", &err), err);
    EXPECT(!pw_log_wants(PW_LOG_ERROR, "engine"));
    pw_log_stop();
    expect_levels("off");
}

TEST(log, levels_that_cannot_be_are_refused_and_change_nothing)
{
    static const char *const cases[][2] = {
        { "loud", "'loud' is no level: off, error, warning, info and debug are, and COMPONENT=LEVEL behind them" },
        { "", "'' is no level: off, error, warning, info and debug are, and COMPONENT=LEVEL behind them" },
        { "info,", "'' is no level: off, error, warning, info and debug are, and COMPONENT=LEVEL behind them" },
        { "info,=debug", "'' is no name of a component: up to 23 of a-z, 0-9, '-', '_' and '.'" },
        { "info,HTTP=debug", "'HTTP' is no name of a component: up to 23 of a-z, 0-9, '-', '_' and '.'" },
        { "info,debug", "there are two levels for all: one, and COMPONENT=LEVEL behind it" },
        { "http=info,http=debug", "there are two levels for 'http'" },
    };
    pawl_error err;
    start_to(forget, NULL, "error,http=info");
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        EXPECT_INT(pw_log_set_levels(cases[i][0], &err), PAWL_INVALID);
        EXPECT_TEXT(err.message, cases[i][1]);
        expect_levels("error,http=info");
    }
    pw_log_stop();
}

TEST(log, there_is_one_for_the_process)
{
    pawl_error err;
    start_to(forget, NULL, NULL);
    const pw_log_options options = { .on_line = forget };
    EXPECT_INT(pw_log_start(&options, &err), PAWL_CONFLICT);
    pw_log_stop();
    start_to(forget, NULL, NULL);
    pw_log_stop();
}

/* ------------------------------------------------------------------ the way out */

static void say_as(const char *component, pw_log_level level, const char *event, int number)
{
    const pw_log_line line = { .level = level, .component = component, .event = event };
    pw_log(&line, "line %d", number);
}

static void say(pw_log_level level, const char *event, int number)
{
    say_as("engine", level, event, number);
}

typedef struct heard {
    char *text;
    size_t len, lines;
} heard;

static void hear(void *context, const char *line) /* by the one thread of the log, over when it has stopped */
{
    heard *h = context;
    const size_t len = strlen(line);
    h->text = realloc(h->text, h->len + len + 2);
    memcpy(h->text + h->len, line, len);
    h->text[h->len + len] = '\n';
    h->text[h->len + len + 1] = '\0';
    h->len += len + 1;
    h->lines++;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        count++;
    return count;
}

TEST(log, what_was_said_is_written_when_it_stops)
{
    heard h = { 0 };
    start_to(hear, &h, "debug");
    for (int i = 0; i < 500; i++)
        say(PW_LOG_DEBUG, "a.b", i);
    pw_log_stop();
    EXPECT_INT(h.lines, 500);
    EXPECT_CONTAINS(h.text, "\"message\":\"line 0\"");
    EXPECT_CONTAINS(h.text, "\"message\":\"line 499\"");
    free(h.text);
}

static void *say_many(void *context)
{
    (void)context;
    for (int i = 0; i < 200; i++)
        say(PW_LOG_DEBUG, "a.b", i);
    return NULL;
}

TEST(log, lines_of_many_threads_stay_whole)
{
    heard h = { 0 };
    pthread_t threads[8];
    start_to(hear, &h, "debug");
    for (size_t i = 0; i < PW_LENGTH(threads); i++)
        EXPECT_INT(pthread_create(&threads[i], NULL, say_many, NULL), 0);
    for (size_t i = 0; i < PW_LENGTH(threads); i++)
        EXPECT_INT(pthread_join(threads[i], NULL), 0);
    pw_log_stop();
    EXPECT_INT(h.lines, 8 * 200);
    EXPECT_INT(count_of(h.text, "{\"time\":"), 8 * 200);
    EXPECT_INT(count_of(h.text, "}\n"), 8 * 200);
    EXPECT_INT(count_of(h.text, "\"message\":\"line 7\""), 8);
    free(h.text);
}

TEST(log, the_same_again_and_again_is_summed_up)
{
    heard h = { 0 };
    pw_log_counts before, after;
    pw_log_count(&before);
    start_to(hear, &h, NULL);
    for (int i = 0; i < 150; i++)
        say(PW_LOG_WARNING, "call.failed", i);
    for (int i = 0; i < 3; i++)
        say(PW_LOG_WARNING, "breaker.opened", i);
    pw_log_stop();
    EXPECT_INT(count_of(h.text, "\"event\":\"call.failed\""), 100);
    EXPECT_INT(count_of(h.text, "\"event\":\"breaker.opened\""), 3);
    EXPECT_INT(count_of(h.text, "\"event\":\"log.summed\""), 1);
    EXPECT_CONTAINS(h.text, "\"level\":\"warning\",\"component\":\"log\",\"event\":\"log.summed\",\"message\":\"call.failed: 50 more lines within "
                            "10 s were left out\",\"lines\":50,\"of\":\"call.failed\"}");
    pw_log_count(&after);
    EXPECT_INT(after.lines[PW_LOG_WARNING] - before.lines[PW_LOG_WARNING], 153);
    EXPECT_INT(after.dropped - before.dropped, 0);
    free(h.text);
}

TEST(log, the_same_event_of_two_components_is_not_the_same)
{
    heard h = { 0 };
    start_to(hear, &h, NULL);
    for (int i = 0; i < 100; i++)
        say_as("http", PW_LOG_WARNING, "slow", i);
    for (int i = 0; i < 100; i++)
        say_as("store", PW_LOG_WARNING, "slow", i);
    pw_log_stop();
    EXPECT_INT(count_of(h.text, "\"event\":\"slow\""), 200);
    EXPECT_INT(count_of(h.text, "\"event\":\"log.summed\""), 0);
    free(h.text);
}

static size_t read_all(int fd, char *out, size_t size)
{
    size_t len = 0;
    for (ssize_t n; (n = read(fd, out + len, size - 1 - len)) > 0;)
        len += (size_t)n;
    out[len] = '\0';
    return len;
}

static uint64_t dropped_now(void)
{
    pw_log_counts counts;
    pw_log_count(&counts);
    return counts.dropped;
}

typedef struct pipe_reader {
    int fd;
    char *text;
} pipe_reader;

static void *read_pipe(void *context)
{
    pipe_reader *r = context;
    r->text = malloc(4u << 20);
    (void)read_all(r->fd, r->text, 4u << 20);
    return NULL;
}

/* What is held up is dropped, and told to the reader when it reads again. */
TEST(log, nobody_waits_for_a_reader_that_does_not_read)
{
    int ends[2];
    EXPECT_INT(pipe(ends), 0);
    const uint64_t before = dropped_now();
    start_at(ends[1], "debug");
    int said = 0;
    while (dropped_now() == before) /* the pipe, and then the ring, are full at some time */
        say(PW_LOG_DEBUG, "a.b", said++);
    for (int i = 0; i < 10; i++)
        say(PW_LOG_DEBUG, "a.b", said++);
    pipe_reader reader = { .fd = ends[0] };
    pthread_t thread;
    EXPECT_INT(pthread_create(&thread, NULL, read_pipe, &reader), 0);
    pw_log_stop(); /* the reader takes all that is left */
    (void)close(ends[1]);
    EXPECT_INT(pthread_join(thread, NULL), 0);
    (void)close(ends[0]);
    static const char told[] = "\"message\":\"lines were dropped: nobody took them in time\",\"lines\":";
    uint64_t lost = 0;
    for (const char *at = reader.text; (at = strstr(at, told)) != NULL; at += sizeof told - 1)
        lost += strtoull(at + sizeof told - 1, NULL, 10);
    EXPECT(lost > 0);
    EXPECT_INT(lost, dropped_now() - before);
    EXPECT_INT(count_of(reader.text, "\"event\":\"a.b\""), (size_t)said - lost);
    EXPECT_INT(count_of(reader.text, "{\"time\":"), count_of(reader.text, "}\n"));
    free(reader.text);
}

typedef struct gate { /* of a reader that does not read before it is told to */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    heard h;
} gate;

static void hear_behind_gate(void *context, const char *line)
{
    gate *g = context;
    (void)pthread_mutex_lock(&g->lock);
    while (!g->open)
        (void)pthread_cond_wait(&g->changed, &g->lock);
    hear(&g->h, line);
    (void)pthread_cond_broadcast(&g->changed);
    (void)pthread_mutex_unlock(&g->lock);
}

static void wait_for_lines(gate *g, size_t lines)
{
    (void)pthread_mutex_lock(&g->lock);
    while (g->h.lines < lines)
        (void)pthread_cond_wait(&g->changed, &g->lock);
    (void)pthread_mutex_unlock(&g->lock);
}

/* There are fewer places for counts than events: whoever has the place of another ends its sum. */
TEST(log, many_kinds_of_lines_are_summed_up_each)
{
    enum { KINDS = 100 };
    gate g = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .open = true };
    start_to(hear_behind_gate, &g, NULL);
    for (size_t kind = 0; kind < KINDS; kind++) {
        char event[16];
        (void)snprintf(event, sizeof event, "e%zu", kind);
        for (int i = 0; i < 103; i++)
            say(PW_LOG_INFO, event, i);
        wait_for_lines(&g, (kind + 1) * 100); /* so that none is dropped */
    }
    pw_log_stop();
    EXPECT_INT(g.h.lines, KINDS * 101);
    EXPECT_INT(count_of(g.h.text, "3 more lines within 10 s were left out"), KINDS);
    free(g.h.text);
}

TEST(log, what_was_dropped_is_told_with_the_next_line)
{
    gate g = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
    const uint64_t before = dropped_now();
    size_t said = 0;
    start_to(hear_behind_gate, &g, "debug");
    while (dropped_now() == before)
        say(PW_LOG_DEBUG, "a.b", (int)said++);
    (void)pthread_mutex_lock(&g.lock);
    g.open = true;
    (void)pthread_cond_broadcast(&g.changed);
    (void)pthread_mutex_unlock(&g.lock);
    wait_for_lines(&g, said - 1);
    EXPECT_INT(count_of(g.h.text, "\"event\":\"log.dropped\""), 0);
    say(PW_LOG_DEBUG, "c.d", 1);
    wait_for_lines(&g, said + 1);
    say(PW_LOG_DEBUG, "c.d", 2);
    pw_log_stop();
    EXPECT_INT(g.h.lines, said + 2);
    EXPECT_INT(count_of(g.h.text, "lines were dropped: nobody took them in time\",\"lines\":1}"), 1);
    EXPECT_INT(count_of(g.h.text, "\"event\":\"c.d\""), 2);
    EXPECT_INT(dropped_now() - before, 1);
    free(g.h.text);
}

/* Two seconds, and no more. */
TEST(log, a_reader_that_never_reads_does_not_hold_up_the_end)
{
    int ends[2];
    EXPECT_INT(pipe(ends), 0);
    const uint64_t before = dropped_now();
    start_at(ends[1], "debug");
    while (dropped_now() == before)
        say(PW_LOG_DEBUG, "a.b", 1);
    pw_log_stop();
    expect_levels("off");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

TEST(log, a_reader_that_is_gone_is_no_reason_to_end)
{
    int ends[2];
    EXPECT_INT(pipe(ends), 0);
    (void)close(ends[0]);
    const uint64_t before = dropped_now();
    start_at(ends[1], NULL);
    say(PW_LOG_INFO, "a.b", 1);
    say(PW_LOG_INFO, "a.b", 2);
    pw_log_stop();
    (void)close(ends[1]);
    EXPECT_INT(dropped_now() - before, 2);
}

TEST(log, a_failed_assertion_is_its_last_line)
{
    int ends[2];
    EXPECT_INT(pipe(ends), 0);
    const pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        start_at(ends[1], NULL);
        say(PW_LOG_INFO, "a.b", 1);
        pw_assert_failed("src/core/step.c", 12, "a < b");
    }
    (void)close(ends[1]);
    char text[4096];
    (void)read_all(ends[0], text, sizeof text);
    (void)close(ends[0]);
    int status = 0;
    EXPECT_INT(waitpid(child, &status, 0), child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    EXPECT_CONTAINS(text, "\"message\":\"line 1\"}\n");
    EXPECT_CONTAINS(text, "\"level\":\"error\",\"component\":\"base\",\"event\":\"assertion.failed\",\"message\":\"core/step.c:12: assertion failed: "
                          "a < b\"}\n");
}

TEST(log, a_process_that_ends_without_stopping_it_loses_no_line)
{
    int ends[2];
    EXPECT_INT(pipe(ends), 0);
    (void)fflush(NULL);
    const pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        start_at(ends[1], NULL);
        for (int i = 0; i < 50; i++)
            say(PW_LOG_INFO, "a.b", i);
        exit(0);
    }
    (void)close(ends[1]);
    char text[16384];
    (void)read_all(ends[0], text, sizeof text);
    (void)close(ends[0]);
    int status = 0;
    EXPECT_INT(waitpid(child, &status, 0), child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT_INT(count_of(text, "\"event\":\"a.b\""), 50);
}

TEST(log, journald_gets_each_line_by_its_own_protocol)
{
    pawl_error err;
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/journal", pw_test_dir());
    pw_log_options options = { .format = PW_LOG_JOURNAL, .journal = at.sun_path };
    EXPECT_INT(pw_log_start(&options, &err), PAWL_IO);
    EXPECT_CONTAINS(err.message, "there is no journald at ");
    const int journal = socket(AF_UNIX, SOCK_DGRAM, 0);
    EXPECT_INT(bind(journal, (const struct sockaddr *)&at, sizeof at), 0);
    EXPECT_OK(pw_log_start(&options, &err), err);
    say(PW_LOG_ERROR, "a.b", 7);
    char text[512];
    const ssize_t len = recv(journal, text, sizeof text - 1, 0);
    EXPECT(len > 0);
    text[len] = '\0';
    EXPECT_TEXT(text, "MESSAGE=line 7\nPRIORITY=3\nSYSLOG_IDENTIFIER=pawl\nPAWL_COMPONENT=engine\nPAWL_EVENT=a.b\n");
    (void)close(journal);
    const uint64_t before = dropped_now();
    say(PW_LOG_ERROR, "a.b", 8); /* it is gone */
    pw_log_stop();
    EXPECT_INT(dropped_now() - before, 1);
}

static int open_journal(const struct sockaddr_un *at)
{
    const int journal = socket(AF_UNIX, SOCK_DGRAM, 0);
    EXPECT_INT(bind(journal, (const struct sockaddr *)at, sizeof *at), 0);
    return journal;
}

static void until_dropped(uint64_t count)
{
    while (dropped_now() < count)
        (void)poll(NULL, 0, 1);
}

TEST(log, what_could_not_be_said_of_dropped_lines_is_said_again)
{
    pawl_error err;
    char text[512];
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/journal", pw_test_dir());
    const pw_log_options options = { .format = PW_LOG_JOURNAL, .journal = at.sun_path };
    int journal = open_journal(&at);
    const uint64_t before = dropped_now();
    EXPECT_OK(pw_log_start(&options, &err), err);
    (void)close(journal); /* it is started again */
    say(PW_LOG_INFO, "a.b", 1);
    until_dropped(before + 1);
    say(PW_LOG_INFO, "a.b", 2); /* and what tells of the first line before it */
    until_dropped(before + 2);
    EXPECT_INT(unlink(at.sun_path), 0);
    journal = open_journal(&at);
    say(PW_LOG_INFO, "a.b", 3);
    pw_log_stop();
    ssize_t len = recv(journal, text, sizeof text - 1, 0);
    EXPECT(len > 0);
    text[len] = '\0';
    EXPECT_CONTAINS(text, "MESSAGE=lines were dropped: nobody took them in time\n");
    EXPECT_CONTAINS(text, "\nPAWL_LINES=2\n");
    len = recv(journal, text, sizeof text - 1, 0);
    EXPECT(len > 0 && memcmp(text, "MESSAGE=line 3\n", 15) == 0);
    EXPECT_INT(recv(journal, text, sizeof text, MSG_DONTWAIT), -1);
    EXPECT_INT(dropped_now() - before, 2);
    (void)close(journal);
}

/* As systemd starts a service: JOURNAL_STREAM names the device and inode of its standard error. */
TEST(log, what_leads_to_journald_is_written_by_its_protocol_and_else_as_JSON)
{
    pawl_error err;
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    struct stat stat;
    int ends[2];
    char name[64], text[512];
    EXPECT_INT(pipe(ends), 0);
    EXPECT_INT(fstat(ends[1], &stat), 0);
    (void)snprintf(name, sizeof name, "%llu:%llu", (unsigned long long)stat.st_dev, (unsigned long long)stat.st_ino);
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/journal", pw_test_dir());
    pw_log_options options = { .fd = ends[1], .journal = at.sun_path };
    EXPECT_INT(setenv("JOURNAL_STREAM", name, 1), 0);
    EXPECT_OK(pw_log_start(&options, &err), err); /* there is no journald */
    say(PW_LOG_INFO, "a.b", 1);
    pw_log_stop();
    EXPECT(read(ends[0], text, sizeof text) > 0 && text[0] == '{');
    const int journal = socket(AF_UNIX, SOCK_DGRAM, 0);
    EXPECT_INT(bind(journal, (const struct sockaddr *)&at, sizeof at), 0);
    EXPECT_OK(pw_log_start(&options, &err), err);
    say(PW_LOG_INFO, "a.b", 2);
    pw_log_stop();
    EXPECT(recv(journal, text, sizeof text, 0) > 0 && memcmp(text, "MESSAGE=line 2\n", 15) == 0);
    EXPECT_INT(setenv("JOURNAL_STREAM", "1:2", 1), 0); /* of another descriptor */
    EXPECT_OK(pw_log_start(&options, &err), err);
    say(PW_LOG_INFO, "a.b", 3);
    pw_log_stop();
    EXPECT(read(ends[0], text, sizeof text) > 0 && text[0] == '{');
    EXPECT_INT(unsetenv("JOURNAL_STREAM"), 0);
    (void)close(journal);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

TEST(log, without_memory_it_does_not_begin)
{
    pawl_error err;
    const pw_log_options options = { .on_line = forget };
    pw_alloc_fail_after(1);
    EXPECT_INT(pw_log_start(&options, &err), PAWL_NO_MEMORY);
    pw_alloc_fail_after(0);
    expect_levels("off");
    EXPECT(!pw_log_wants(PW_LOG_ERROR, "engine"));
}

TEST(log, a_line_allocates_nothing)
{
    start_to(forget, NULL, NULL);
    const uint64_t before = pw_alloc_count();
    for (int i = 0; i < 10; i++)
        say(PW_LOG_INFO, "a.b", i);
    EXPECT_INT(pw_alloc_count() - before, 0);
    pw_log_stop();
}

TEST_MAIN()
