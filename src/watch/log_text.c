/* log_text.c - a line of the log as text: a JSON object, a line for people, or the fields that journald takes.
 *
 * Nothing that is in a line can break it: what is not a printable character is escaped. Of a URI only scheme, host and path are
 * written, wherever it stands. */
#include <stdio.h>
#include "base/json.h"
#include "base/moment.h"
#include "watch/log_internal.h"
#include "watch/trace.h"

enum {
    MESSAGE_MAX = 2000, /* bytes of a message, as they are written */
    VALUE_MAX = 400,    /* of any other value */
    END_MAX = 16,       /* what is kept for the end: `,"cut":true}` and a newline */
    TRACE_DIGITS = 32,
    TRACEPARENT = 55,
};

typedef struct writer {
    char *ptr;
    size_t len, cap;
    bool full, cut; /* full: since the last mark; cut: something was left out */
} writer;

static void put(writer *w, const char *bytes, size_t len)
{
    if (w->full || len > w->cap - w->len) {
        w->full = true;
        return;
    }
    memcpy(w->ptr + w->len, bytes, len);
    w->len += len;
}

static void put_text(writer *w, const char *text)
{
    put(w, text, strlen(text));
}

/* What was begun at `mark` has no place as a whole. */
static void end_part(writer *w, size_t mark)
{
    if (!w->full)
        return;
    w->len = mark;
    w->full = false;
    w->cut = true;
}

/* ---- of a URI: neither user nor query */

static bool ends_uri(char c)
{
    return (unsigned char)c <= ' ' || strchr("\"'<>`|\\^{}(),;", c) != NULL;
}

/* At "://": the bytes from there that are written as they are; *skip: that are left out before them. */
static size_t uri_authority(pw_str rest, size_t *skip)
{
    size_t end = 3, at = 0;
    while (end < rest.len && !ends_uri(rest.ptr[end]) && !strchr("/?#", rest.ptr[end])) {
        if (rest.ptr[end] == '@')
            at = end;
        end++;
    }
    *skip = at ? at + 1 - 3 : 0;
    return end;
}

typedef struct cleaner { /* of one text */
    bool in_uri, dropping;
    size_t skip_from, skip_to; /* bytes that are left out */
} cleaner;

static bool is_left_out(cleaner *c, pw_str s, size_t at)
{
    if (at + 3 <= s.len && memcmp(s.ptr + at, "://", 3) == 0) {
        size_t skip;
        (void)uri_authority((pw_str){ s.ptr + at, s.len - at }, &skip);
        *c = (cleaner){ .in_uri = true, .skip_from = at + 3, .skip_to = at + 3 + skip };
    } else if (c->in_uri && at >= c->skip_to && ends_uri(s.ptr[at])) {
        *c = (cleaner){ .in_uri = false };
    } else if (c->in_uri && at >= c->skip_to && (s.ptr[at] == '?' || s.ptr[at] == '#')) {
        c->dropping = true;
    }
    return c->dropping || (at >= c->skip_from && at < c->skip_to);
}

/* ---- text, escaped: JSON's way, which people can read as well */

/* One character at s.ptr[*at], which is moved behind it. */
static size_t escape(char out[8], pw_str s, size_t *at)
{
    const char c = s.ptr[*at];
    const unsigned char byte = (unsigned char)c;
    if (byte >= 0x80) {
        const pw_str rest = { s.ptr + *at, s.len - *at < 4 ? s.len - *at : 4 };
        size_t len = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
        if (len > rest.len || !pw_utf8_valid((pw_str){ rest.ptr, len })) {
            (*at)++;
            memcpy(out, "\xEF\xBF\xBD", 3); /* the replacement character */
            return 3;
        }
        memcpy(out, rest.ptr, len);
        *at += len;
        return len;
    }
    (*at)++;
    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = c;
        return 2;
    }
    if (byte >= ' ' && byte != 0x7F) {
        out[0] = c;
        return 1;
    }
    if (c == '\n' || c == '\t' || c == '\r') {
        out[0] = '\\';
        out[1] = c == '\n' ? 'n' : c == '\t' ? 't' : 'r';
        return 2;
    }
    return (size_t)snprintf(out, 8, "\\u%04x", byte);
}

/* `plain`: quotes and backslashes as they are. At most `most` bytes, then three dots. */
static void put_clean(writer *w, pw_str s, size_t most, bool plain)
{
    cleaner c = { .in_uri = false };
    const size_t begin = w->len;
    for (size_t at = 0; at < s.len;) {
        if (is_left_out(&c, s, at)) {
            at++;
            continue;
        }
        char text[8];
        const size_t before = at;
        size_t len = escape(text, s, &at);
        const char *from = text;
        if (plain && len == 2 && (s.ptr[before] == '"' || s.ptr[before] == '\\'))
            from = text + 1, len = 1;
        if (w->len - begin + len > most) {
            put_text(w, "...");
            return;
        }
        put(w, from, len);
    }
}

/* ---- fields */

typedef struct fields { /* what every line of the log has, and what this one adds */
    char trace[TRACE_DIGITS + 1];
    pw_log_field common[3];
    size_t common_count;
} fields;

static bool is_hex(pw_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("0123456789abcdef", s.ptr[i]) || s.ptr[i] == '\0')
            return false;
    return s.len > 0;
}

/* A line about an instance has its three ids: who gave no correlation is found by the instance's id, and so is its trace. */
static void read_common(fields *f, const pw_log_line *line)
{
    *f = (fields){ .common_count = 0 };
    if (line->instance.len)
        f->common[f->common_count++] = PW_LOG_S("instance", line->instance);
    if (line->correlation.len || line->instance.len)
        f->common[f->common_count++] =
            PW_LOG_S("correlation", line->correlation.len ? line->correlation : line->instance);
    if (line->trace.len == TRACE_DIGITS && is_hex(line->trace)) {
        memcpy(f->trace, line->trace.ptr, TRACE_DIGITS);
    } else if (line->instance.len || line->trace.len == TRACEPARENT) {
        unsigned char id[16];
        pw_trace_id(id, line->instance, line->trace);
        for (size_t i = 0; i < sizeof id; i++)
            (void)snprintf(f->trace + 2 * i, 3, "%02x", id[i]);
    }
    if (f->trace[0])
        f->common[f->common_count++] = PW_LOG_S("trace", pw_str_of(f->trace));
}

static void put_number(writer *w, const pw_log_field *field)
{
    char text[PW_REAL_SIZE + 8];
    if (field->type == PW_LOG_NUMBER)
        (void)snprintf(text, sizeof text, "%lld", (long long)field->number);
    else if (field->type == PW_LOG_BOOL)
        (void)snprintf(text, sizeof text, "%s", field->number ? "true" : "false");
    else if (field->real - field->real != 0) /* JSON has neither infinities nor what is no number */
        (void)snprintf(text, sizeof text, "null");
    else
        text[pw_json_real(text, field->real)] = '\0';
    put_text(w, text);
}

static const char *const level_words[] = { "off", "error", "warning", "info", "debug" };

/* ---- JSON */

static void json_member(writer *w, const pw_log_field *field, size_t most)
{
    const size_t mark = w->len;
    put_text(w, w->len > 1 ? ",\"" : "\"");
    put_clean(w, pw_str_of(field->name), 64, false);
    put_text(w, "\":");
    if (field->type == PW_LOG_TEXT) {
        put_text(w, "\"");
        put_clean(w, field->text, most, false);
        put_text(w, "\"");
    } else {
        put_number(w, field);
    }
    end_part(w, mark);
}

static void json_line(writer *w, const char *now, const pw_log_line *line, const fields *f, const char *message)
{
    put_text(w, "{");
    json_member(w, &PW_LOG_S("time", pw_str_of(now)), VALUE_MAX);
    json_member(w, &PW_LOG_S("level", pw_str_of(level_words[line->level])), VALUE_MAX);
    json_member(w, &PW_LOG_S("component", pw_str_of(line->component)), VALUE_MAX);
    json_member(w, &PW_LOG_S("event", pw_str_of(line->event)), VALUE_MAX);
    json_member(w, &PW_LOG_S("message", pw_str_of(message)), MESSAGE_MAX);
    for (size_t i = 0; i < f->common_count; i++)
        json_member(w, &f->common[i], VALUE_MAX);
    for (size_t i = 0; i < line->field_count; i++)
        json_member(w, &line->fields[i], VALUE_MAX);
    w->cap += END_MAX;
    put_text(w, w->cut ? ",\"cut\":true}" : "}");
}

/* ---- for people */

static bool needs_quotes(pw_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == '"' || s.ptr[i] == '=' || s.ptr[i] == '\\')
            return true;
    return s.len == 0;
}

static void human_field(writer *w, const pw_log_field *field)
{
    const size_t mark = w->len;
    put_text(w, " ");
    put_clean(w, pw_str_of(field->name), 64, true);
    put_text(w, "=");
    if (field->type == PW_LOG_TEXT) {
        const bool quotes = needs_quotes(field->text);
        put_text(w, quotes ? "\"" : "");
        put_clean(w, field->text, VALUE_MAX, !quotes);
        put_text(w, quotes ? "\"" : "");
    } else {
        put_number(w, field);
    }
    end_part(w, mark);
}

static void human_line(writer *w, const char *now, const pw_log_line *line, const fields *f, const char *message)
{
    static const char *const words[] = { "OFF", "ERROR", "WARN", "INFO", "DEBUG" };
    char head[96];
    (void)snprintf(head, sizeof head, "%s %-5s %-8s ", now, words[line->level], line->component);
    put_text(w, head);
    put_clean(w, pw_str_of(message), MESSAGE_MAX, true);
    human_field(w, &PW_LOG_S("event", pw_str_of(line->event)));
    for (size_t i = 0; i < line->field_count; i++)
        human_field(w, &line->fields[i]);
    for (size_t i = 0; i < f->common_count; i++)
        human_field(w, &f->common[i]);
    w->cap += END_MAX;
    put_text(w, w->cut ? " cut=true" : "");
}

/* ---- journald: NAME=value lines; names in capitals, "assignedTo" as ASSIGNED_TO */

static void journal_field(writer *w, const char *prefix, const pw_log_field *field, size_t most)
{
    const size_t mark = w->len;
    put_text(w, prefix);
    for (const char *c = field->name; *c; c++) {
        const bool lower = *c >= 'a' && *c <= 'z', upper = *c >= 'A' && *c <= 'Z', digit = *c >= '0' && *c <= '9';
        if (upper && c != field->name)
            put_text(w, "_");
        const char as = lower ? (char)(*c - 'a' + 'A') : upper || digit ? *c : '_';
        put(w, &as, 1);
    }
    put_text(w, "=");
    if (field->type == PW_LOG_TEXT)
        put_clean(w, field->text, most, true);
    else
        put_number(w, field);
    put_text(w, "\n");
    end_part(w, mark);
}

static void journal_line(writer *w, const pw_log_line *line, const fields *f, const char *message)
{
    static const int priorities[] = { 7, 3, 4, 6, 7 }; /* of syslog */
    journal_field(w, "", &PW_LOG_S("message", pw_str_of(message)), MESSAGE_MAX);
    journal_field(w, "", &PW_LOG_N("priority", priorities[line->level]), VALUE_MAX);
    journal_field(w, "", &PW_LOG_S("syslogIdentifier", PW_LIT("pawl")), VALUE_MAX);
    journal_field(w, "PAWL_", &PW_LOG_S("component", pw_str_of(line->component)), VALUE_MAX);
    journal_field(w, "PAWL_", &PW_LOG_S("event", pw_str_of(line->event)), VALUE_MAX);
    for (size_t i = 0; i < f->common_count; i++)
        journal_field(w, "PAWL_", &f->common[i], VALUE_MAX);
    for (size_t i = 0; i < line->field_count; i++)
        journal_field(w, "PAWL_", &line->fields[i], VALUE_MAX);
    w->cap += END_MAX;
    put_text(w, w->cut ? "PAWL_CUT=true" : "");
}

/* ---- all */

size_t pw_log_text(char *out, pw_log_format format, int64_t now_ms, const pw_log_line *line, const char *message)
{
    PW_ASSERT(line->level > PW_LOG_OFF && line->level <= PW_LOG_DEBUG);
    char now[PW_MOMENT_SIZE];
    fields f;
    writer w = { .ptr = out, .cap = PW_LOG_LINE_MAX - END_MAX };
    pw_moment_write(now, now_ms);
    read_common(&f, line);
    if (format == PW_LOG_JOURNAL)
        journal_line(&w, line, &f, message);
    else if (format == PW_LOG_HUMAN)
        human_line(&w, now, line, &f, message);
    else
        json_line(&w, now, line, &f, message);
    if (w.len == 0 || w.ptr[w.len - 1] != '\n')
        put_text(&w, "\n");
    return w.len;
}

const char *pw_log_level_name(pw_log_level level)
{
    return level_words[level];
}

bool pw_log_level_of(pw_log_level *out, pw_str word)
{
    for (size_t i = 0; i < PW_LENGTH(level_words); i++) {
        if (!pw_str_is(word, level_words[i]))
            continue;
        *out = (pw_log_level)i;
        return true;
    }
    return false;
}
