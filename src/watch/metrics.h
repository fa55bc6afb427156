/* metrics.h - counting, and the text that Prometheus reads.
 *
 * A number lives where it is counted (a member of the object, relaxed atomic); who is asked for metrics reads them all and
 * writes the text. Labels are of fixed sets, or bounded: a label never has an instance, a task or a URL in it. */
#ifndef PW_METRICS_H
#define PW_METRICS_H

#include <stdatomic.h>
#include "base/base.h"

/* How often something took so long. Upper bounds in microseconds: 100 us to 300 s, in steps of 1, 2.5, 5. */
#define PW_HISTOGRAM_BOUNDS 20
extern const uint64_t pw_histogram_bounds_us[PW_HISTOGRAM_BOUNDS];
typedef struct pw_histogram { /* all zero: empty */
    atomic_ullong buckets[PW_HISTOGRAM_BOUNDS + 1]; /* not cumulative; the last: longer than all bounds */
    atomic_ullong sum_us;
} pw_histogram;
void pw_histogram_add(pw_histogram *histogram, uint64_t us); /* any thread; two relaxed additions */
uint64_t pw_metrics_clock_ns(void); /* monotonic */
uint64_t pw_histogram_count(const pw_histogram *histogram);

typedef struct pw_metric_label {
    const char *name;
    pw_str value; /* any text: it is escaped, and cut at 128 bytes */
} pw_metric_label;

/* The exposition format 0.0.4. Families are begun one after the other; each sample belongs to the one begun last. */
typedef struct pw_metrics {
    pw_buf buf;
    const char *family;
} pw_metrics;
void pw_metrics_begin(pw_metrics *m, const char *name, const char *type, const char *help); /* counter, gauge, histogram */
void pw_metrics_value(pw_metrics *m, const pw_metric_label *labels, size_t label_count, double value);
void pw_metrics_count(pw_metrics *m, const pw_metric_label *labels, size_t label_count, uint64_t value);
void pw_metrics_histogram(pw_metrics *m, const pw_metric_label *labels, size_t label_count, const pw_histogram *histogram); /* in seconds */
#endif
