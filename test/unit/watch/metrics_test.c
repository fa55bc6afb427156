/* metrics_test.c - the text that Prometheus reads, byte for byte. */
#include "test.h"
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include "watch/metrics.h"

static void expect_text(pw_metrics *m, const char *expected)
{
    char *text = pw_buf_take(&m->buf);
    EXPECT(text != NULL);
    EXPECT_TEXT(text, expected);
    pw_free(text);
}

TEST(metrics, a_family_is_its_help_its_type_and_its_samples)
{
    pw_metrics m = { .family = NULL };
    pw_metrics_begin(&m, "pawl_instances", "gauge", "Instances that have not ended.");
    pw_metrics_count(&m, &(pw_metric_label){ "status", PW_LIT("waiting") }, 1, 3);
    pw_metrics_count(&m, &(pw_metric_label){ "status", PW_LIT("running") }, 1, UINT64_MAX);
    pw_metrics_begin(&m, "pawl_info", "gauge", "A backslash \\ and\na line.");
    pw_metrics_count(&m, (pw_metric_label[]){ { "version", PW_LIT("0.1.0") }, { "mode", PW_LIT("") } }, 2, 1);
    pw_metrics_begin(&m, "pawl_steps_total", "counter", "Steps.");
    pw_metrics_count(&m, NULL, 0, 0);
    expect_text(&m, "# HELP pawl_instances Instances that have not ended.\n"
                    "# TYPE pawl_instances gauge\n"
                    "pawl_instances{status=\"waiting\"} 3\n"
                    "pawl_instances{status=\"running\"} 18446744073709551615\n"
                    "# HELP pawl_info A backslash \\\\ and\\na line.\n"
                    "# TYPE pawl_info gauge\n"
                    "pawl_info{version=\"0.1.0\",mode=\"\"} 1\n"
                    "# HELP pawl_steps_total Steps.\n"
                    "# TYPE pawl_steps_total counter\n"
                    "pawl_steps_total 0\n");
}

TEST(metrics, a_value_of_a_label_is_escaped)
{
    pw_metrics m = { .family = "m" };
    pw_metrics_count(&m, &(pw_metric_label){ "l", PW_LIT("a\"b\\c\nd\xc3\xa9") }, 1, 1);
    expect_text(&m, "m{l=\"a\\\"b\\\\c\\nd\xc3\xa9\"} 1\n");
}

TEST(metrics, a_long_value_of_a_label_is_cut_and_two_of_them_stay_two)
{
    char text[130];
    memset(text, 'x', sizeof text);
    pw_metrics m = { .family = "m" };
    pw_metrics_count(&m, &(pw_metric_label){ "l", { text, 128 } }, 1, 1); /* as it is */
    char expected[160] = "m{l=\"";
    memset(expected + 5, 'x', 128);
    (void)snprintf(expected + 133, sizeof expected - 133, "\"} 1\n");
    expect_text(&m, expected);

    text[129] = 'y';
    pw_metrics_count(&m, &(pw_metric_label){ "l", { text, 130 } }, 1, 1);
    char *one = pw_buf_take(&m.buf);
    text[129] = 'z';
    pw_metrics_count(&m, &(pw_metric_label){ "l", { text, 130 } }, 1, 1);
    char *two = pw_buf_take(&m.buf);
    EXPECT_INT(strlen(one), 5 + 128 + 5);
    EXPECT_INT(strlen(two), 5 + 128 + 5);
    EXPECT(memcmp(one, two, 5 + 119 + 1) == 0);
    EXPECT_INT(one[5 + 119], '~');
    EXPECT(strcmp(one, two) != 0);
    pw_free(one);
    pw_free(two);
}

TEST(metrics, a_value_that_is_no_utf_8_is_cut_before_that_and_a_character_is_never_halved)
{
    pw_metrics m = { .family = "m" };
    pw_metrics_count(&m, &(pw_metric_label){ "l", PW_LIT("ab\xff" "cd") }, 1, 1);
    char *text = pw_buf_take(&m.buf);
    EXPECT(strncmp(text, "m{l=\"ab~", 8) == 0);
    EXPECT_INT(strlen(text), 5 + 2 + 9 + 5);
    pw_free(text);

    pw_metrics_count(&m, &(pw_metric_label){ "l", PW_LIT("ab\x1b[2Jcd") }, 1, 1); /* a terminal would obey it */
    text = pw_buf_take(&m.buf);
    EXPECT(strncmp(text, "m{l=\"ab~", 8) == 0);
    EXPECT_INT(strlen(text), 5 + 2 + 9 + 5);
    pw_free(text);

    char long_text[140];
    memset(long_text, 'x', sizeof long_text);
    memcpy(long_text + 118, "\xc3\xa9", 2); /* over the place of the cut */
    pw_metrics_count(&m, &(pw_metric_label){ "l", { long_text, sizeof long_text } }, 1, 1);
    text = pw_buf_take(&m.buf);
    EXPECT(pw_utf8_valid(pw_str_of(text)));
    EXPECT_INT(strlen(text), 5 + 118 + 9 + 5);
    pw_free(text);
}

TEST(metrics, numbers_are_written_the_same_in_any_locale)
{
    (void)setlocale(LC_NUMERIC, "de_DE.UTF-8"); /* where there is none, the test shows less */
    pw_metrics m = { .family = "m" };
    const double values[] = { 0, 0.25, -1.5, 1e21, 1e-9, (double)NAN, (double)INFINITY, -(double)INFINITY };
    for (size_t i = 0; i < PW_LENGTH(values); i++)
        pw_metrics_value(&m, NULL, 0, values[i]);
    (void)setlocale(LC_NUMERIC, "C");
    expect_text(&m, "m 0\nm 0.25\nm -1.5\nm 1e+21\nm 1e-09\nm NaN\nm +Inf\nm -Inf\n");
}

TEST(metrics, a_time_is_counted_where_it_is_not_longer_than_the_bound)
{
    pw_histogram h = { .sum_us = 0 };
    pw_histogram_add(&h, 0);
    pw_histogram_add(&h, 100);
    pw_histogram_add(&h, 101);
    pw_histogram_add(&h, 300000000);
    pw_histogram_add(&h, 300000001);
    EXPECT_INT(atomic_load(&h.buckets[0]), 2);
    EXPECT_INT(atomic_load(&h.buckets[1]), 1);
    EXPECT_INT(atomic_load(&h.buckets[PW_HISTOGRAM_BOUNDS - 1]), 1);
    EXPECT_INT(atomic_load(&h.buckets[PW_HISTOGRAM_BOUNDS]), 1);
    EXPECT_INT(pw_histogram_count(&h), 5);
    EXPECT_INT(atomic_load(&h.sum_us), 600000202);
}

TEST(metrics, a_histogram_is_written_in_seconds_and_cumulative)
{
    pw_histogram h = { .sum_us = 0 };
    pw_histogram_add(&h, 200);
    pw_histogram_add(&h, 1500);
    pw_histogram_add(&h, 1600);
    pw_histogram_add(&h, 400000000);
    pw_metrics m = { .family = NULL };
    pw_metrics_begin(&m, "pawl_step_seconds", "histogram", "Steps.");
    pw_metrics_histogram(&m, &(pw_metric_label){ "kind", PW_LIT("a") }, 1, &h);
    expect_text(&m, "# HELP pawl_step_seconds Steps.\n"
                    "# TYPE pawl_step_seconds histogram\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"0.0001\"} 0\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"0.00025\"} 1\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"0.0005\"} 1\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"0.001\"} 1\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"0.0025\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"0.005\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"0.01\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"0.025\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"0.05\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"0.1\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"0.25\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"0.5\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"1\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"2.5\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"5\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"10\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"30\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"60\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"120\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"300\"} 3\n"
                    "pawl_step_seconds_bucket{kind=\"a\",le=\"+Inf\"} 4\n"
                    "pawl_step_seconds_sum{kind=\"a\"} 400.0033\n"
                    "pawl_step_seconds_count{kind=\"a\"} 4\n");
}

TEST(metrics, an_empty_histogram_without_labels)
{
    pw_histogram h = { .sum_us = 0 };
    pw_metrics m = { .family = "h" };
    pw_metrics_histogram(&m, NULL, 0, &h);
    char *text = pw_buf_take(&m.buf);
    EXPECT_CONTAINS(text, "h_bucket{le=\"0.0001\"} 0\n");
    EXPECT_CONTAINS(text, "h_bucket{le=\"+Inf\"} 0\nh_sum 0\nh_count 0\n");
    pw_free(text);
}

static void *add_many(void *context)
{
    for (unsigned i = 0; i < 10000; i++)
        pw_histogram_add(context, i % 2 ? 50 : 5000);
    return NULL;
}

TEST(metrics, threads_lose_nothing_of_what_they_add_to_a_histogram)
{
    pw_histogram h = { .sum_us = 0 };
    pthread_t threads[4];
    for (size_t i = 0; i < PW_LENGTH(threads); i++)
        EXPECT_INT(pthread_create(&threads[i], NULL, add_many, &h), 0);
    for (size_t i = 0; i < PW_LENGTH(threads); i++)
        EXPECT_INT(pthread_join(threads[i], NULL), 0);
    EXPECT_INT(pw_histogram_count(&h), 40000);
    EXPECT_INT(atomic_load(&h.buckets[0]), 20000);
    EXPECT_INT(atomic_load(&h.sum_us), 101000000);
}

TEST(metrics, memory_that_runs_out_is_noticed_at_the_end)
{
    for (uint64_t n = 1; n < 3; n++) {
        pw_histogram h = { .sum_us = 0 };
        pw_metrics m = { .family = "h" };
        pw_alloc_fail_after(n);
        pw_metrics_histogram(&m, NULL, 0, &h);
        pw_alloc_fail_after(0);
        EXPECT(m.buf.failed);
        EXPECT(pw_buf_take(&m.buf) == NULL);
    }
}

TEST_MAIN()
