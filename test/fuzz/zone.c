/* zone.c - any bytes as the file of a time zone, and as a time for cron: refused, or of use. The first byte says
 * which. */
#include "fuzz.h"
#include "base/cron.h"

static void look(const pw_zone *zone)
{
    static const int64_t seconds[] = { PW_ZONE_FIRST, -62135596800, -1, 0, 951782400, 4102444800,
                                       253402300799, PW_ZONE_LAST - 1 };
    for (size_t i = 0; i < PW_LENGTH(seconds); i++) {
        pw_zone_span span = pw_zone_span_at(zone, seconds[i]);
        FUZZ_CHECK(span.from <= seconds[i] && seconds[i] < span.to);
        FUZZ_CHECK(span.offset >= -2 * PW_ZONE_OFFSET_MAX && span.offset <= 2 * PW_ZONE_OFFSET_MAX);
    }
    static const char *const texts[] = { "* * * * *", "30 2 * * *", "0 0 29 2 *" };
    for (size_t i = 0; i < PW_LENGTH(texts); i++) {
        pw_cron cron;
        FUZZ_CHECK(pw_cron_parse(&cron, pw_str_of(texts[i]), zone, NULL) == PAWL_OK);
        int64_t at = 1774742400000; /* 2026-03-29 */
        for (int n = 0; n < 5; n++) {
            int64_t next = pw_cron_next(&cron, at);
            FUZZ_CHECK(next > at);
            at = next;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pawl_error err = { .code = PAWL_OK };
    const pw_zone *zone = NULL;
    pw_str text = size ? fuzz_text(data + 1, size - 1) : PW_LIT("");
    if (size == 0 || data[0] != 'c') {
        pawl_code code = pw_zone_parse(&zone, PW_LIT("X"), text, &arena, &err);
        FUZZ_CHECK(code == PAWL_OK || code == PAWL_INVALID);
        if (code == PAWL_OK)
            look(zone);
    } else {
        pw_cron cron;
        FUZZ_CHECK(pw_zone_load(&zone, PW_LIT("UTC"), &arena, &err) == PAWL_OK);
        pawl_code code = pw_cron_parse(&cron, text, zone, &err);
        FUZZ_CHECK(code == PAWL_OK || code == PAWL_INVALID);
        if (code == PAWL_OK)
            FUZZ_CHECK(pw_cron_next(&cron, 0) > 0);
    }
    pw_arena_done(&arena);
    return 0;
}
