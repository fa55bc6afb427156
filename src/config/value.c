/* value.c - see value.h.
 *
 * A file says of which type its values are, and another type is refused: 30 is no duration, and "3"
 * is no number. The environment and flags have nothing but text. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "config/value.h"
#include "base/json.h"
#include "base/moment.h"

enum { ADDRESSES_MAX = 16 };

/* ---- what would be right */

static void write_duration(pw_buf *buf, uint64_t ms)
{
    if (ms >= PW_MS_DAY)
        pw_buf_printf(buf, "%llu.", (unsigned long long)(ms / PW_MS_DAY));
    ms %= PW_MS_DAY;
    pw_buf_printf(buf, "%02u:%02u:%02u", (unsigned)(ms / PW_MS_HOUR),
                  (unsigned)(ms / PW_MS_MINUTE % 60), (unsigned)(ms / PW_MS_SECOND % 60));
    if (ms % PW_MS_SECOND)
        pw_buf_printf(buf, ".%03u", (unsigned)(ms % PW_MS_SECOND));
}

static void write_bytes(pw_buf *buf, uint64_t bytes)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = { { "GiB", PW_GIB }, { "MiB", PW_MIB }, { "KiB", PW_KIB }, { "", 1 } };
    size_t unit = 0;
    while (bytes % units[unit].bytes || bytes < units[unit].bytes)
        if (++unit == PW_LENGTH(units) - 1)
            break;
    pw_buf_printf(buf, "%llu%s", (unsigned long long)(bytes / units[unit].bytes), units[unit].name);
}

/* "a, b or c" of "a|b|c". */
static void write_choices(pw_buf *buf, const char *choices)
{
    for (const char *at = choices; *at; at++) {
        if (*at != '|')
            pw_buf_char(buf, *at);
        else
            pw_buf_text(buf, strchr(at + 1, '|') ? ", " : " or ");
    }
}

void pw_value_range(pw_buf *buf, const pw_key *key)
{
    switch (key->type) {
    case PW_KEY_DURATION:
        pw_buf_text(buf, "a duration from ");
        write_duration(buf, key->least);
        pw_buf_text(buf, " to ");
        write_duration(buf, key->most);
        return;
    case PW_KEY_COUNT:
        pw_buf_printf(buf, "a whole number from %llu to %llu", (unsigned long long)key->least,
                      (unsigned long long)key->most);
        return;
    case PW_KEY_FLAG:
        pw_buf_text(buf, "true or false");
        return;
    case PW_KEY_LEVELS:
        pw_buf_text(buf, "off, error, warning, info or debug, and COMPONENT=LEVEL behind it, with commas");
        return;
    case PW_KEY_STRING:
    case PW_KEY_SECRET:
    case PW_KEY_HIDDEN:
        pw_buf_printf(buf, "text of at most %llu bytes", (unsigned long long)key->most);
        return;
    case PW_KEY_ADDRESSES:
        pw_buf_printf(buf, "one to %d of HOST:PORT or [IPV6]:PORT", ADDRESSES_MAX);
        return;
    case PW_KEY_BYTES:
        pw_buf_text(buf, "a number of bytes from ");
        write_bytes(buf, key->least);
        pw_buf_text(buf, " to ");
        write_bytes(buf, key->most);
        return;
    case PW_KEY_RATE:
        pw_buf_printf(buf, "a number from %llu to %llu a second", (unsigned long long)key->least,
                      (unsigned long long)key->most);
        return;
    case PW_KEY_LIST:
        pw_buf_printf(buf, "texts, at most %llu bytes in all", (unsigned long long)key->most);
        return;
    case PW_KEY_OUTCOME:
    case PW_KEY_FORMAT:
    case PW_KEY_SINK:
    case PW_KEY_MODE:
    case PW_KEY_DECISION:
        write_choices(buf, pw_key_choices(key->type));
        return;
    }
}

static const char *how_to_write(pw_key_type type)
{
    switch (type) {
    case PW_KEY_DURATION:
        return ", as text like 00:00:30, 1.00:00:00 ([d.]hh:mm:ss), PT30S, 30s or 1h30m";
    case PW_KEY_BYTES:
        return ", like 1048576 or 1MiB";
    case PW_KEY_RATE:
        return ", like 10, 0.5, or as text 90/m";
    case PW_KEY_COUNT:
    case PW_KEY_FLAG:
    case PW_KEY_STRING:
    case PW_KEY_LEVELS:
    case PW_KEY_SECRET:
    case PW_KEY_HIDDEN:
    case PW_KEY_ADDRESSES:
    case PW_KEY_OUTCOME:
    case PW_KEY_FORMAT:
    case PW_KEY_SINK:
    case PW_KEY_MODE:
    case PW_KEY_DECISION:
        break;
    case PW_KEY_LIST:
        return ", as a list or with commas";
    }
    return "";
}

static bool refuse(char wrong[PW_WRONG_SIZE], const pw_key *key, const char *problem)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_value_range(&buf, key);
    (void)snprintf(wrong, PW_WRONG_SIZE, "must be %.*s%s%s%s", (int)buf.len,
                   buf.failed ? "another value" : buf.ptr, how_to_write(key->type),
                   problem ? "; " : "", problem ? problem : "");
    pw_buf_done(&buf);
    return false;
}

/* ---- from text */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits only; false: none, others, or too many. */
static bool read_whole(uint64_t *out, pw_str text)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]) || __builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, (uint64_t)(text.ptr[i] - '0'), out))
            return false;
    }
    return text.len > 0;
}

/* 3, but also 3.0 and 3e0: what JSON calls the same number. */
static bool read_json_whole(uint64_t *out, pw_str text)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value v = pw_number_of(&arena, text);
    int64_t integer = -1;
    bool good = pw_integer(v, &integer) && integer >= 0;
    *out = good ? (uint64_t)integer : 0;
    pw_arena_done(&arena);
    return good;
}

/* "1h30m": amounts with their units, the larger before the smaller, each once. */
static bool read_pieces(uint64_t *out, pw_str text)
{
    uint64_t sum = 0, last_unit = UINT64_MAX;
    for (size_t at = 0; at < text.len;) {
        size_t start = at;
        while (at < text.len && is_digit(text.ptr[at]))
            at++;
        const size_t digits = at;
        while (at < text.len && !is_digit(text.ptr[at]))
            at++;
        pw_str name = { text.ptr + digits, at - digits };
        uint64_t unit = pw_str_is(name, "ms")  ? 1
                        : pw_str_is(name, "s") ? PW_MS_SECOND
                        : pw_str_is(name, "m") ? PW_MS_MINUTE
                        : pw_str_is(name, "h") ? PW_MS_HOUR
                        : pw_str_is(name, "d") ? PW_MS_DAY
                                               : 0;
        uint64_t amount;
        if (unit == 0 || unit >= last_unit ||
            !read_whole(&amount, (pw_str){ text.ptr + start, digits - start }) ||
            __builtin_mul_overflow(amount, unit, &amount) ||
            __builtin_add_overflow(sum, amount, &sum))
            return false;
        last_unit = unit;
    }
    *out = sum;
    return text.len > 0;
}

static bool read_duration(pw_setting_value *out, const pw_key *key, pw_str text,
                          char wrong[PW_WRONG_SIZE])
{
    if (!read_pieces(&out->number, text)) {
        pw_duration duration;
        if (pw_duration_parse(&duration, text, NULL) != PAWL_OK)
            return refuse(wrong, key, NULL);
        if (duration.months > 0)
            return refuse(wrong, key, "years and months have no fixed length: write days");
        out->number = duration.ms;
    }
    return (out->number >= key->least && out->number <= key->most) || refuse(wrong, key, NULL);
}

static bool read_bytes(pw_setting_value *out, const pw_key *key, pw_str text,
                       char wrong[PW_WRONG_SIZE])
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = { { "", 1 }, { "KiB", PW_KIB }, { "MiB", PW_MIB }, { "GiB", PW_GIB } };
    size_t digits = 0;
    while (digits < text.len && is_digit(text.ptr[digits]))
        digits++;
    pw_str name = { text.ptr + digits, text.len - digits };
    uint64_t amount;
    for (size_t i = 0; i < PW_LENGTH(units); i++) {
        if (!pw_str_is(name, units[i].name))
            continue;
        bool good = read_whole(&amount, (pw_str){ text.ptr, digits }) &&
                    !__builtin_mul_overflow(amount, units[i].bytes, &out->number);
        return (good && out->number >= key->least && out->number <= key->most) ||
               refuse(wrong, key, NULL);
    }
    return refuse(wrong, key, "the units are KiB, MiB and GiB");
}

static bool read_rate(pw_setting_value *out, const pw_key *key, pw_str text,
                      char wrong[PW_WRONG_SIZE])
{
    double per = 1;
    if (text.len > 2 && text.ptr[text.len - 2] == '/') {
        char unit = text.ptr[text.len - 1];
        per = unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : 0;
        text.len -= 2;
    }
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value v = pw_number_of(&arena, text);
    bool good = pw_is(v, PW_NUMBER) && per > 0;
    out->rate = good ? pw_number(v) / per : 0;
    pw_arena_done(&arena);
    return (good && out->rate >= (double)key->least && out->rate <= (double)key->most) ||
           refuse(wrong, key, "a unit is /s, /m or /h");
}

/* HOST:PORT, or [IPV6]:PORT; whether the host is one, only listening tells. */
static bool is_address(pw_str text)
{
    const char *colon = memrchr(text.ptr, ':', text.len);
    uint64_t port;
    if (!colon ||
        !read_whole(&port, (pw_str){ colon + 1, (size_t)(text.ptr + text.len - colon) - 1 }) ||
        port > 65535)
        return false;
    pw_str host = { text.ptr, (size_t)(colon - text.ptr) };
    bool bracketed = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        bool edge = bracketed && (i == 0 || i == host.len - 1);
        if (c <= ' ' || c == 0x7f || (!edge && (c == '[' || c == ']')) || (!bracketed && c == ':'))
            return false;
    }
    return host.len > 0;
}

static bool read_addresses(pw_setting_value *out, const pw_key *key, pw_str text,
                           char wrong[PW_WRONG_SIZE])
{
    unsigned count = 0;
    for (size_t at = 0; at <= text.len;) {
        const char *comma = at < text.len ? memchr(text.ptr + at, ',', text.len - at) : NULL;
        size_t end = comma ? (size_t)(comma - text.ptr) : text.len;
        if (++count > ADDRESSES_MAX || !is_address((pw_str){ text.ptr + at, end - at }))
            return refuse(wrong, key, "no blanks, and a port from 0 to 65535");
        at = end + 1;
    }
    out->text = text;
    return true;
}

static bool read_text(pw_setting_value *out, const pw_key *key, pw_str text,
                      char wrong[PW_WRONG_SIZE])
{
    bool good = pw_utf8_valid(text) && text.len <= key->most;
    for (size_t i = 0; i < text.len; i++)
        good = good && (unsigned char)text.ptr[i] >= ' ' && text.ptr[i] != 0x7f;
    out->text = text;
    return good || refuse(wrong, key, "without control characters");
}

/* Texts with commas between, none of them empty. */
static bool read_list(pw_setting_value *out, const pw_key *key, pw_str text,
                      char wrong[PW_WRONG_SIZE])
{
    for (size_t i = 0; i < text.len; i++) {
        const bool edge = i == 0 || i == text.len - 1 || text.ptr[i - 1] == ',';
        if (text.ptr[i] == ' ' || (text.ptr[i] == ',' && edge))
            return refuse(wrong, key, "no blanks, and none of them empty");
    }
    return read_text(out, key, text, wrong);
}

static bool read_choice(pw_setting_value *out, const pw_key *key, pw_str text,
                        char wrong[PW_WRONG_SIZE])
{
    out->text = text;
    for (const char *at = pw_key_choices(key->type); *at;) {
        const size_t len = strcspn(at, "|");
        if (pw_str_eq(text, (pw_str){ at, len }))
            return true;
        at += len + (at[len] == '|');
    }
    return refuse(wrong, key, NULL);
}

static const char *given_name(pw_given given)
{
    switch (given) {
    case PW_GIVEN_WORD:
    case PW_GIVEN_STRING:
        return "text";
    case PW_GIVEN_NUMBER:
        return "a number";
    case PW_GIVEN_BOOLEAN:
        return "true or false";
    case PW_GIVEN_NULL:
        return "nothing";
    case PW_GIVEN_LIST:
    case PW_GIVEN_OTHER_LIST:
        return "a list";
    case PW_GIVEN_SECTION:
        return "a section";
    }
    return "";
}

static bool may_be(pw_key_type type, pw_given given)
{
    switch (type) {
    case PW_KEY_DURATION:
    case PW_KEY_STRING:
    case PW_KEY_LEVELS:
    case PW_KEY_SECRET:
    case PW_KEY_HIDDEN:
    case PW_KEY_OUTCOME:
    case PW_KEY_FORMAT:
    case PW_KEY_SINK:
    case PW_KEY_MODE:
    case PW_KEY_DECISION:
        return given == PW_GIVEN_STRING;
    case PW_KEY_ADDRESSES:
    case PW_KEY_LIST:
        return given == PW_GIVEN_STRING || given == PW_GIVEN_LIST;
    case PW_KEY_COUNT:
        return given == PW_GIVEN_NUMBER;
    case PW_KEY_BYTES:
    case PW_KEY_RATE:
        return given == PW_GIVEN_NUMBER || given == PW_GIVEN_STRING;
    case PW_KEY_FLAG:
        return given == PW_GIVEN_BOOLEAN;
    }
    return false;
}

/* "info,http=debug": at most one level for all, and levels of components. */
static bool read_levels(pw_setting_value *out, const pw_key *key, pw_str text, char wrong[PW_WRONG_SIZE])
{
    static const char *const levels[] = { "off", "error", "warning", "info", "debug" };
    unsigned of_all = 0;
    for (size_t at = 0; at <= text.len;) {
        const char *comma = at < text.len ? memchr(text.ptr + at, ',', text.len - at) : NULL;
        const size_t end = comma ? (size_t)(comma - text.ptr) : text.len;
        const char *equals = end > at ? memchr(text.ptr + at, '=', end - at) : NULL;
        const size_t word = equals ? (size_t)(equals + 1 - text.ptr) : at;
        bool known = false;
        for (size_t i = 0; i < PW_LENGTH(levels); i++)
            known = known || pw_str_is((pw_str){ text.ptr + word, end - word }, levels[i]);
        of_all += !equals;
        if (!known || of_all > 1 || (equals && word - 1 == at))
            return refuse(wrong, key, NULL);
        at = end + 1;
    }
    out->text = text;
    return true;
}

bool pw_value_read(pw_setting_value *out, const pw_key *key, pw_given given, pw_str text,
                   char wrong[PW_WRONG_SIZE])
{
    *out = (pw_setting_value){ .text = { "", 0 } };
    if (given != PW_GIVEN_WORD && !may_be(key->type, given)) {
        char problem[64];
        (void)snprintf(problem, sizeof problem, "this is %s", given_name(given));
        return refuse(wrong, key,
                      given == PW_GIVEN_NULL ? "leave the key out for its default" : problem);
    }
    switch (key->type) {
    case PW_KEY_DURATION:
        return read_duration(out, key, text, wrong);
    case PW_KEY_COUNT:
        return ((given == PW_GIVEN_NUMBER ? read_json_whole(&out->number, text)
                                          : read_whole(&out->number, text)) &&
                out->number >= key->least && out->number <= key->most) ||
               refuse(wrong, key, NULL);
    case PW_KEY_FLAG:
        out->number = pw_str_is(text, "true");
        return out->number || pw_str_is(text, "false") || refuse(wrong, key, NULL);
    case PW_KEY_STRING:
    case PW_KEY_SECRET:
    case PW_KEY_HIDDEN:
        return read_text(out, key, text, wrong);
    case PW_KEY_ADDRESSES:
        return read_text(out, key, text, wrong) && read_addresses(out, key, text, wrong);
    case PW_KEY_BYTES:
        return read_bytes(out, key, text, wrong);
    case PW_KEY_RATE:
        return read_rate(out, key, text, wrong);
    case PW_KEY_LIST:
        return read_list(out, key, text, wrong);
    case PW_KEY_LEVELS:
        return read_text(out, key, text, wrong) && read_levels(out, key, text, wrong);
    case PW_KEY_OUTCOME:
    case PW_KEY_FORMAT:
    case PW_KEY_SINK:
    case PW_KEY_MODE:
    case PW_KEY_DECISION:
        return read_choice(out, key, text, wrong);
    }
    return false;
}

/* ---- to text */

static void write_rate(pw_buf *buf, double rate)
{
    char text[PW_REAL_SIZE];
    pw_buf_add(buf, text, pw_json_real(text, rate));
}

void pw_value_write(pw_buf *buf, const pw_key *key, const pw_setting_value *value)
{
    switch (key->type) {
    case PW_KEY_DURATION:
        write_duration(buf, value->number);
        return;
    case PW_KEY_COUNT:
        pw_buf_printf(buf, "%llu", (unsigned long long)value->number);
        return;
    case PW_KEY_FLAG:
        pw_buf_text(buf, value->number ? "true" : "false");
        return;
    case PW_KEY_STRING:
    case PW_KEY_LEVELS:
    case PW_KEY_SECRET:
    case PW_KEY_HIDDEN:
    case PW_KEY_ADDRESSES:
    case PW_KEY_LIST:
    case PW_KEY_OUTCOME:
    case PW_KEY_FORMAT:
    case PW_KEY_SINK:
    case PW_KEY_MODE:
    case PW_KEY_DECISION:
        pw_buf_str(buf, value->text);
        return;
    case PW_KEY_BYTES:
        write_bytes(buf, value->number);
        return;
    case PW_KEY_RATE:
        write_rate(buf, value->rate);
        return;
    }
}

/* Where the password of "scheme://user:password@host" stands; empty: there is none. */
static pw_str password_of(pw_str text)
{
    const char *slashes = memmem(text.ptr, text.len, "://", 3);
    if (!slashes)
        return (pw_str){ "", 0 };
    const char *from = slashes + 3, *end = text.ptr + text.len;
    const char *slash = memchr(from, '/', (size_t)(end - from));
    const char *at = memrchr(from, '@', (size_t)((slash ? slash : end) - from));
    if (!at) /* a password may have slashes in it that should have been escaped */
        at = memrchr(from, '@', (size_t)(end - from));
    const char *colon = at ? memchr(from, ':', (size_t)(at - from)) : NULL;
    return colon ? (pw_str){ colon + 1, (size_t)(at - colon) - 1 } : (pw_str){ "", 0 };
}

void pw_value_hide(pw_buf *buf, const pw_key *key, pw_str given)
{
    if (key && key->type == PW_KEY_HIDDEN) {
        pw_buf_text(buf, given.len ? "***" : "");
        return;
    }
    while (key && key->type == PW_KEY_SECRET) { /* there may be several URIs */
        pw_str hidden = password_of(given);
        if (hidden.len == 0)
            break;
        pw_buf_add(buf, given.ptr, (size_t)(hidden.ptr - given.ptr));
        pw_buf_text(buf, "***");
        const char *rest = hidden.ptr + hidden.len;
        given = (pw_str){ rest, (size_t)(given.ptr + given.len - rest) };
    }
    pw_buf_str(buf, given);
}

void pw_value_show(pw_buf *buf, const pw_key *key, const pw_setting_value *value)
{
    if (key->type == PW_KEY_SECRET || key->type == PW_KEY_HIDDEN)
        pw_value_hide(buf, key, value->text);
    else
        pw_value_write(buf, key, value);
}

void pw_value_json(pw_buf *buf, const pw_key *key, const pw_setting_value *value)
{
    switch (key->type) {
    case PW_KEY_COUNT:
    case PW_KEY_BYTES:
        pw_buf_printf(buf, "%llu", (unsigned long long)value->number);
        return;
    case PW_KEY_FLAG:
    case PW_KEY_RATE:
        pw_value_write(buf, key, value);
        return;
    case PW_KEY_DURATION:
    case PW_KEY_STRING:
    case PW_KEY_LEVELS:
    case PW_KEY_SECRET:
    case PW_KEY_HIDDEN:
    case PW_KEY_ADDRESSES:
    case PW_KEY_LIST:
    case PW_KEY_OUTCOME:
    case PW_KEY_FORMAT:
    case PW_KEY_SINK:
    case PW_KEY_MODE:
    case PW_KEY_DECISION:
        break;
    }
    pw_buf text;
    pw_buf_init(&text, 0);
    pw_value_show(&text, key, value);
    buf->failed |= text.failed;
    if (!text.failed)
        pw_json_write_string(buf, pw_buf_view(&text));
    pw_buf_done(&text);
}

bool pw_value_equal(const pw_setting_value *a, const pw_setting_value *b)
{
    return a->number == b->number && fabs(a->rate - b->rate) <= 0 && pw_str_eq(a->text, b->text);
}
