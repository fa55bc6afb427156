/* resilience.c - `metadata.pawl.resilience` of a task that calls: what becomes of attempts that
 * fail, and how hard a service is called.
 *
 * What only HTTP calls have is no error on an activity, since it does no harm; it is said, since
 * somebody relies on it. A call of a function from `use.functions` may say all of it: it holds for
 * what the function calls. */
#include "base/json.h"
#include "lang/lang_internal.h"

#define COUNT_MAX 1000000
#define NAME_MAX_BYTES 200u
#define RATE_MIN (1.0 / 86400) /* a call a day */
#define RATE_MAX 1000000.0

/* An amount of time that holds for a service, and so is the same for all calls: at least a ms. 0,
 * with a finding: it is none. */
static uint64_t constant_ms(pw_load *load, const pw_node *node, const pw_path *path,
                            const char *name)
{
    const pw_place place = { .what = name };
    uint32_t before = load->findings->errors;
    pw_delay delay = pw_lang_duration(load, node, path, &place);
    if (!delay.given || load->findings->errors > before)
        return 0;
    if (delay.tmpl)
        pw_lang_error(load, node, path,
                      "'%s' is constant: it is the service's, and not of one call", name);
    else if (delay.constant.months > 0)
        pw_lang_error(load, node, path,
                      "'%s' cannot have months or years, whose length is not fixed", name);
    else if (delay.constant.ms <= 0)
        pw_lang_error(load, node, path, "'%s' must be longer than nothing", name);
    else
        return (uint64_t)delay.constant.ms;
    return 0;
}

static uint32_t count_of(pw_load *load, const pw_node *map, const pw_path *path, const char *name)
{
    int64_t number;
    return pw_lang_integer(load, pw_lang_get(map, name), PW_STEP(path, name), 1, COUNT_MAX, &number)
               ? (uint32_t)number
               : 0;
}

size_t pw_lang_choice(pw_load *load, const pw_node *node, const pw_path *path,
                      const char *const *names, size_t count, const char *wanted)
{
    pw_str text;
    if (!pw_lang_string(load, node, path, &text))
        return count;
    pw_nearest nearest = pw_nearest_to(text);
    for (size_t i = 0; i < count; i++) {
        if (pw_str_is(text, names[i]))
            return i;
        pw_nearest_try(load, &nearest, pw_str_of(names[i]));
    }
    pw_str shown = pw_lang_shown(load, text), hint = pw_nearest_hint(load, &nearest);
    pw_lang_error(load, node, path, "%s, not '" PW_FMT "'" PW_FMT, wanted, PW_ARG(shown),
                  PW_ARG(hint));
    return count;
}

/* ---- the members */

static void compile_retry(pw_load *load, pw_resilience *out, const pw_node *node,
                          const pw_path *path, const pw_place *place)
{
    if (!node)
        return;
    if (!pw_lang_is_string(node)) {
        out->retry = pw_lang_retry(load, node, path, place);
        return;
    }
    pw_named *named = pw_lang_find(load, &load->retries, node, path);
    if (named)
        out->retry = pw_lang_retry(load, named->node, PW_STEP_KEY(named->path, named->key), place);
}

static void compile_breaker(pw_load *load, pw_resilience *out, const pw_node *node,
                            const pw_path *path)
{
    static const pw_rule rules[] = {
        { "name", NULL },   { "failures", NULL },      { "minimumThroughput", NULL },
        { "window", NULL }, { "breakDuration", NULL }, { "onOpen", NULL }
    };
    static const char *const on_open[] = { "wait", "fail" };
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    const pw_node *name = pw_lang_get(node, "name");
    if (pw_lang_string(load, name, PW_STEP(path, "name"), &out->service)) {
        bool good = out->service.len > 0 && out->service.len <= NAME_MAX_BYTES;
        for (size_t i = 0; i < out->service.len && good; i++)
            good = (unsigned char)out->service.ptr[i] >= ' ' && out->service.ptr[i] != 0x7f;
        if (!good)
            pw_lang_error(load, name, PW_STEP(path, "name"),
                          "the name of a circuit breaker is 1 to %u bytes of text on one line",
                          NAME_MAX_BYTES);
        else if (memmem(out->service.ptr, out->service.len, "${", 2))
            pw_lang_error(load, name, PW_STEP(path, "name"),
                          "the name of a circuit breaker is constant");
    }
    out->failures = count_of(load, node, path, "failures");
    out->throughput = count_of(load, node, path, "minimumThroughput");
    out->window_ms =
        constant_ms(load, pw_lang_get(node, "window"), PW_STEP(path, "window"), "window");
    out->break_ms = constant_ms(load, pw_lang_get(node, "breakDuration"),
                                PW_STEP(path, "breakDuration"), "breakDuration");
    out->fail_when_open =
        pw_lang_choice(load, pw_lang_get(node, "onOpen"), PW_STEP(path, "onOpen"), on_open,
                       PW_LENGTH(on_open), "'onOpen' must be wait or fail") == 1;
}

static void compile_bulkhead(pw_load *load, pw_resilience *out, const pw_node *node,
                             const pw_path *path)
{
    static const pw_rule rules[] = { { "maxConcurrent", NULL } };
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    if (pw_lang_require(load, node, path, "maxConcurrent"))
        out->at_once = count_of(load, node, path, "maxConcurrent");
}

/* "10/s": calls, and in what time; as in the configuration. */
static bool parse_rate(pw_load *load, pw_str text, double *out)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = { { "/s", 1 }, { "/m", 60 }, { "/h", 3600 } };
    for (size_t i = 0; i < PW_LENGTH(units); i++) {
        size_t len = strlen(units[i].name);
        if (text.len <= len || memcmp(text.ptr + text.len - len, units[i].name, len) != 0)
            continue;
        pw_value number;
        if (text.ptr[0] < '0' || text.ptr[0] > '9' ||
            pw_json_parse(&number, (pw_str){ text.ptr, text.len - len }, NULL, &load->scratch,
                          NULL) != PAWL_OK ||
            !pw_is(number, PW_NUMBER))
            return false; /* no blank, no sign: JSON would allow them */
        *out = pw_number(number) / units[i].seconds;
        return true;
    }
    return false;
}

static void compile_rate(pw_load *load, pw_resilience *out, const pw_node *node,
                         const pw_path *path)
{
    if (!node)
        return;
    double rate;
    if (pw_is(node->value, PW_NUMBER)) {
        rate = pw_number(node->value);
    } else if (!pw_lang_is_string(node)) {
        pw_lang_found(load, PAWL_FINDING_TYPE, node, path,
                      "'rateLimit' must be calls a second, or text like 10/s, not %s",
                      pw_lang_type(node));
        return;
    } else if (!parse_rate(load, node->text, &rate)) {
        pw_str shown = pw_lang_shown(load, node->text);
        pw_lang_error(
            load, node, path,
            "'rateLimit' must be calls a second, or text like 10/s, 90/m or 500/h, not '" PW_FMT
            "'",
            PW_ARG(shown));
        return;
    }
    if (rate >= RATE_MIN && rate <= RATE_MAX)
        out->per_second = rate;
    else
        pw_lang_error(load, node, path,
                      "'rateLimit' must be from one call a day to a million a second");
}

/* ---- the whole */

/* What an activity does not have. */
static void check_activity(pw_load *load, const pw_node *node, const pw_path *path, pw_str function)
{
    static const struct {
        const char *name, *instead;
    } http_only[] = {
        { "circuitBreaker", NULL },
        { "bulkhead", "MaxConcurrent, or at_once where a C function is registered" },
        { "rateLimit", "Rate" },
        { "onUnknownOutcome", NULL },
    };
    pw_str shown = pw_lang_shown(load, function);
    for (size_t i = 0; i < PW_LENGTH(http_only); i++) {
        const pw_node *key = pw_lang_key(node, http_only[i].name);
        const pw_path *step = PW_STEP(path, http_only[i].name);
        if (key && http_only[i].instead)
            pw_lang_found(load, PAWL_FINDING_NO_EFFECT, key, step,
                          "'%s' has no effect on an activity; configure Jobs:Functions:" PW_FMT
                          ":%s",
                          http_only[i].name, PW_ARG(shown), http_only[i].instead);
        else if (key)
            pw_lang_found(load, PAWL_FINDING_NO_EFFECT, key, step,
                          "'%s' has no effect on an activity: it is of HTTP calls",
                          http_only[i].name);
    }
}

void pw_lang_resilience(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                        const pw_nest *nest)
{
    static const pw_rule rules[] = { { "retry", NULL },     { "circuitBreaker", NULL },
                                     { "timeout", NULL },   { "bulkhead", NULL },
                                     { "rateLimit", NULL }, { "onUnknownOutcome", NULL } };
    static const char *const on_unknown[] = {
        "resend", "ask", "fault"
    }; /* in the order of the enum, without its default */
    const pw_node *ours = pw_lang_get(pw_lang_get(node, "metadata"), "pawl");
    const pw_node *said = pw_lang_get(ours, "resilience");
    const pw_path *step = PW_STEP(PW_STEP(PW_STEP(path, "metadata"), "pawl"), "resilience");
    if (!said || !pw_lang_is_map(load, said, step))
        return;
    if (task->kind == PW_TASK_USER || task->kind == PW_TASK_COMPENSATE) {
        pw_lang_error(load, pw_lang_key(ours, "resilience"), step,
                      task->kind == PW_TASK_USER
                          ? "'resilience' is of calls: people make no attempts"
                          : "'resilience' is of the tasks that undo, not of who calls for them");
        return;
    }
    pw_lang_members(load, said, step, rules, PW_LENGTH(rules));
    pw_place place = { .scope = nest->scope, .arguments = PW_ARGS_INSIDE, .what = "'resilience'" };
    if (nest->undoes) /* evaluated when it is carried out, where what it undoes is long over */
        place = (pw_place){ .arguments = PW_ARGS_BEFORE, .what = "'resilience'" };
    pw_resilience *out = PW_NEW(load->arena, pw_resilience);
    compile_retry(load, out, pw_lang_get(said, "retry"), PW_STEP(step, "retry"), &place);
    out->timeout =
        pw_lang_duration(load, pw_lang_get(said, "timeout"), PW_STEP(step, "timeout"), &place);
    compile_breaker(load, out, pw_lang_get(said, "circuitBreaker"),
                    PW_STEP(step, "circuitBreaker"));
    compile_bulkhead(load, out, pw_lang_get(said, "bulkhead"), PW_STEP(step, "bulkhead"));
    compile_rate(load, out, pw_lang_get(said, "rateLimit"), PW_STEP(step, "rateLimit"));
    size_t chosen = pw_lang_choice(
        load, pw_lang_get(said, "onUnknownOutcome"), PW_STEP(step, "onUnknownOutcome"), on_unknown,
        PW_LENGTH(on_unknown), "'onUnknownOutcome' must be resend, ask or fault");
    if (chosen < PW_LENGTH(on_unknown))
        out->on_unknown = (pw_on_unknown)(PW_ON_UNKNOWN_RESEND + chosen);
    if (task->kind == PW_TASK_ACTIVITY)
        check_activity(load, said, step, task->as.call.name);
    task->resilience = out;
}
