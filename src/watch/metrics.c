/* metrics.c - see metrics.h.
 *
 * The text is made without printf's notion of numbers: a host program's locale may have a comma in them. */
#include <math.h>
#include <stdio.h>
#include <time.h>
#include "base/json.h"
#include "watch/metrics.h"

enum {
    LABEL_MAX = 128,    /* bytes of a label's value, before it is escaped */
    HASH_LENGTH = 9,    /* "~" and eight digits */
    US_PER_S = 1000000,
};

const uint64_t pw_histogram_bounds_us[PW_HISTOGRAM_BOUNDS] = {
    100,    250,    500,     1000,    2500,    5000,     10000,    25000,    50000,     100000,
    250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000, 120000000, 300000000,
};

void pw_histogram_add(pw_histogram *histogram, uint64_t us)
{
    size_t i = 0;
    while (i < PW_HISTOGRAM_BOUNDS && us > pw_histogram_bounds_us[i])
        i++;
    atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, us, memory_order_relaxed);
}

uint64_t pw_metrics_clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t pw_histogram_count(const pw_histogram *histogram)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= PW_HISTOGRAM_BOUNDS; i++)
        count += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
    return count;
}

/* ------------------------------------------------------------------ the text */

static void put_escaped(pw_buf *buf, pw_str text, bool quotes)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (c == '\\' || (quotes && c == '"'))
            pw_buf_char(buf, '\\');
        if (c == '\n')
            pw_buf_text(buf, "\\n");
        else
            pw_buf_char(buf, c);
    }
}

void pw_metrics_begin(pw_metrics *m, const char *name, const char *type, const char *help)
{
    m->family = name;
    pw_buf_printf(&m->buf, "# HELP %s ", name);
    put_escaped(&m->buf, pw_str_of(help), false);
    pw_buf_printf(&m->buf, "\n# TYPE %s %s\n", name, type);
}

static uint32_t hash_of(pw_str text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * 16777619u;
    return hash;
}

/* So much of it may be shown: UTF-8, and nothing that a terminal would obey. */
static size_t good_length(pw_str value)
{
    const size_t valid = pw_utf8_valid_length(value);
    for (size_t i = 0; i < valid; i++)
        if (((unsigned char)value.ptr[i] < 0x20 && value.ptr[i] != '\n') || value.ptr[i] == 0x7f)
            return i;
    return valid;
}

/* A reader refuses the whole text if two samples have the same labels. So what is left out of a value is told by a hash of
 * all of it. */
static void put_label_value(pw_buf *buf, pw_str value)
{
    size_t whole = good_length(value);
    if (whole == value.len && value.len <= LABEL_MAX) {
        put_escaped(buf, value, true);
        return;
    }
    pw_str kept = { value.ptr, whole < LABEL_MAX - HASH_LENGTH ? whole : LABEL_MAX - HASH_LENGTH };
    kept.len = pw_utf8_valid_length(kept);
    put_escaped(buf, kept, true);
    pw_buf_printf(buf, "~%08x", hash_of(value));
}

/* Name and labels of a sample, up to its number; le NULL: none. */
static void begin_sample(pw_metrics *m, const char *suffix, const pw_metric_label *labels, size_t label_count, const char *le)
{
    pw_buf *buf = &m->buf;
    pw_buf_text(buf, m->family);
    pw_buf_text(buf, suffix);
    const char *before = "{";
    for (size_t i = 0; i < label_count; i++, before = ",") {
        pw_buf_printf(buf, "%s%s=\"", before, labels[i].name);
        put_label_value(buf, labels[i].value);
        pw_buf_char(buf, '"');
    }
    if (le)
        pw_buf_printf(buf, "%sle=\"%s\"", before, le);
    if (le || label_count > 0)
        pw_buf_char(buf, '}');
    pw_buf_char(buf, ' ');
}

void pw_metrics_value(pw_metrics *m, const pw_metric_label *labels, size_t label_count, double value)
{
    char text[PW_REAL_SIZE];
    begin_sample(m, "", labels, label_count, NULL);
    if (isnan(value))
        pw_buf_text(&m->buf, "NaN");
    else if (isinf(value))
        pw_buf_text(&m->buf, value < 0 ? "-Inf" : "+Inf");
    else
        pw_buf_add(&m->buf, text, pw_json_real(text, value));
    pw_buf_char(&m->buf, '\n');
}

static void put_count(pw_metrics *m, uint64_t value)
{
    pw_buf_printf(&m->buf, "%llu\n", (unsigned long long)value);
}

void pw_metrics_count(pw_metrics *m, const pw_metric_label *labels, size_t label_count, uint64_t value)
{
    begin_sample(m, "", labels, label_count, NULL);
    put_count(m, value);
}

/* Microseconds as seconds: "0.0025", "30". */
enum { SECONDS_SIZE = 32 };
static void seconds_text(char out[SECONDS_SIZE], uint64_t us)
{
    int len = snprintf(out, SECONDS_SIZE, "%llu.%06llu", (unsigned long long)(us / US_PER_S), (unsigned long long)(us % US_PER_S));
    while (out[len - 1] == '0')
        len--;
    if (out[len - 1] == '.')
        len--;
    out[len] = '\0';
}

void pw_metrics_histogram(pw_metrics *m, const pw_metric_label *labels, size_t label_count, const pw_histogram *histogram)
{
    char text[SECONDS_SIZE];
    uint64_t count = 0; /* of what was read here: buckets and count must agree, whoever adds meanwhile */
    for (size_t i = 0; i <= PW_HISTOGRAM_BOUNDS; i++) {
        count += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        if (i < PW_HISTOGRAM_BOUNDS)
            seconds_text(text, pw_histogram_bounds_us[i]);
        begin_sample(m, "_bucket", labels, label_count, i < PW_HISTOGRAM_BOUNDS ? text : "+Inf");
        put_count(m, count);
    }
    begin_sample(m, "_sum", labels, label_count, NULL);
    seconds_text(text, atomic_load_explicit(&histogram->sum_us, memory_order_relaxed));
    pw_buf_printf(&m->buf, "%s\n", text);
    begin_sample(m, "_count", labels, label_count, NULL);
    put_count(m, count);
}
