/* service_test.c - what is known of a background service, of several as one, and whether it is well. */
#include "test.h"
#include "watch/service.h"

enum { MINUTE = 60000 };

static void begin(pw_service *service, uint64_t interval_ms)
{
    pawl_error err;
    EXPECT_OK(pw_service_init(service, "outbox", interval_ms, true, &err), err);
}

static void go_round(pw_service *service, int64_t at_ms, const char *failure)
{
    pawl_error error = { .code = failure ? PAWL_IO : PAWL_OK };
    (void)snprintf(error.message, sizeof error.message, "%s", failure ? failure : "");
    pw_service_begin(service, at_ms);
    pw_service_end(service, at_ms + 5, 3, failure ? 2 : 0, &error);
}

static pw_service_state look_at(pw_service *service)
{
    pw_service_state state;
    pw_service_look(service, &state);
    return state;
}

TEST(service, a_round_tells_when_it_was_and_what_came_of_it)
{
    pw_service service;
    begin(&service, MINUTE);
    pw_service_state s = look_at(&service);
    EXPECT_INT(s.begun_ms, -1);
    EXPECT_INT(s.oldest_ms, -1);
    pw_service_begin(&service, 1000);
    EXPECT(look_at(&service).working);
    pw_service_end(&service, 1007, 4, 0, NULL);
    go_round(&service, 2000, "the disk");
    go_round(&service, 3000, "the disk again");
    pw_service_backlog(&service, 9, 500);
    s = look_at(&service);
    EXPECT(!s.working);
    EXPECT_INT(s.begun_ms, 3000);
    EXPECT_INT(s.ended_ms, 3005);
    EXPECT_INT(s.good_ms, 1007);
    EXPECT_INT(s.failed_ms, 3005);
    EXPECT_INT(s.rounds, 3);
    EXPECT_INT(s.failed_rounds, 2);
    EXPECT_INT(s.failures_in_row, 2);
    EXPECT_INT(s.items, 10);
    EXPECT_INT(s.failed_items, 4);
    EXPECT_INT(s.backlog, 9);
    EXPECT_INT(s.oldest_ms, 500);
    EXPECT_TEXT(s.error, "the disk again");
    go_round(&service, 4000, NULL);
    s = look_at(&service);
    EXPECT_INT(s.failures_in_row, 0);
    EXPECT_INT(s.failed_rounds, 2);
    EXPECT_INT(s.failed_ms, 3005);
    EXPECT_TEXT(s.error, "");
    pw_service_done(&service);
}

TEST(service, it_is_overdue_after_three_intervals_and_ten_seconds)
{
    static const struct {
        pw_service_state state;
        pw_service_health health;
    } cases[] = {
        { { .enabled = true, .interval_ms = MINUTE, .begun_ms = 1000 }, PW_SERVICE_UP },       /* just so long ago */
        { { .enabled = true, .interval_ms = MINUTE, .begun_ms = 999 }, PW_SERVICE_OVERDUE },
        { { .enabled = true, .interval_ms = MINUTE, .begun_ms = -1 }, PW_SERVICE_UP },         /* none has begun yet */
        { { .enabled = true, .interval_ms = 0, .begun_ms = 0 }, PW_SERVICE_UP },               /* nothing was to be done */
        { { .enabled = false, .interval_ms = MINUTE, .begun_ms = 0 }, PW_SERVICE_DISABLED },
        { { .enabled = false, .failures_in_row = 1 }, PW_SERVICE_DISABLED },
        { { .enabled = true, .interval_ms = MINUTE, .begun_ms = 0, .failures_in_row = 1 }, PW_SERVICE_FAILING },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        EXPECT_TEXT(pw_service_health_name(pw_service_judge(&cases[i].state, 1000 + 3 * MINUTE + 10000)),
                    pw_service_health_name(cases[i].health));
}

TEST(service, several_are_one_that_is_as_ill_as_the_worst_of_them)
{
    pw_service a, b, c, sum;
    pw_service *const parts[] = { &a, &b, &c };
    begin(&a, MINUTE);
    begin(&b, MINUTE);
    begin(&c, MINUTE);
    begin(&sum, MINUTE);
    go_round(&a, 1000, "first");
    go_round(&b, 2000, "second");
    go_round(&b, 3000, "third");
    go_round(&c, 4000, NULL);
    pw_service_backlog(&a, 1, 700);
    pw_service_backlog(&b, 2, 600);
    pw_service_sum(&sum, parts, PW_LENGTH(parts));
    pw_service_state s = look_at(&sum);
    EXPECT_INT(s.begun_ms, 1000); /* the first that is late */
    EXPECT_INT(s.ended_ms, 4005);
    EXPECT_INT(s.good_ms, 4005);
    EXPECT_INT(s.failed_ms, 3005);
    EXPECT_INT(s.rounds, 4);
    EXPECT_INT(s.failed_rounds, 3);
    EXPECT_INT(s.failures_in_row, 2);
    EXPECT_INT(s.items, 12);
    EXPECT_INT(s.failed_items, 6);
    EXPECT_INT(s.backlog, 3);
    EXPECT_INT(s.oldest_ms, 600);
    EXPECT_INT(s.interval_ms, MINUTE);
    EXPECT(s.enabled);
    EXPECT_TEXT(s.name, "outbox");
    EXPECT_TEXT(s.error, "third");
    go_round(&b, 5000, NULL); /* the one that failed last is well: the other's error is told */
    pw_service_sum(&sum, (pw_service *[]){ &b, &a }, 2);
    s = look_at(&sum);
    EXPECT_INT(s.failures_in_row, 1);
    EXPECT_INT(s.failed_ms, 3005);
    EXPECT_TEXT(s.error, "first");
    pw_service_sum(&sum, NULL, 0);
    s = look_at(&sum);
    EXPECT_INT(s.begun_ms, -1);
    EXPECT_INT(s.oldest_ms, -1);
    pw_service_done(&a);
    pw_service_done(&b);
    pw_service_done(&c);
    pw_service_done(&sum);
}

TEST_MAIN()
