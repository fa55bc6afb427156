/* fault.c - the fault handler: its table, and how it decides. The words are in action.c. */
#include "policy/fault_internal.h"

static const char *const kinds[] = {
#define KIND_NAME(name, text) text,
    PW_FAULT_KINDS(KIND_NAME)
#undef KIND_NAME
};
static_assert(PW_LENGTH(kinds) == PW_FAULT_KIND_COUNT, "each kind has its name");

static const char *const classes[] = {
#define CLASS_NAME(name, text, words) text,
    PW_ERROR_CLASSES(CLASS_NAME)
#undef CLASS_NAME
};
static_assert(PW_LENGTH(classes) == PW_ERROR_CLASS_COUNT, "each class has its name");

#define UP_TO_30_S                                                                                 \
    {                                                                                              \
        .backoff = PW_BACKOFF_EXPONENTIAL, .delay_ms = 1000, .delay_ms_max = 30000, .count = 3,    \
        .full_jitter = true                                                                        \
    }
#define UP_TO_60_S                                                                                 \
    {                                                                                              \
        .backoff = PW_BACKOFF_EXPONENTIAL, .delay_ms = 5000, .delay_ms_max = 60000, .count = 5,    \
        .full_jitter = true                                                                        \
    }

/* clang-format off */
/* What can be said of an error: whether it is retried, and what comes then. */
#define TO_CALLER { .then = PW_THEN_ERROR }
#define INCIDENT { .then = PW_THEN_INCIDENT }
#define RETRY_TO_CALLER { .retried = true, .then = PW_THEN_ERROR }
#define RETRY { .retried = true, .then = PW_THEN_INCIDENT }
#define AT_ONCE { .retried = true, .at_once = true, .then = PW_THEN_INCIDENT }

#define COMMAND_RULES /* of a start and of an answer: no attempt but a caller waits */             \
    {                                                                                              \
        [PW_CLASS_ARGUMENT] = TO_CALLER,                                                           \
        [PW_CLASS_STATE] = TO_CALLER,                                                              \
        [PW_CLASS_DENIED] = TO_CALLER,                                                             \
        [PW_CLASS_UNSUPPORTED] = TO_CALLER,                                                        \
        [PW_CLASS_CONNECTION] = RETRY_TO_CALLER,                                                   \
        [PW_CLASS_TIMEOUT] = RETRY_TO_CALLER,                                                      \
        [PW_CLASS_THROTTLED] = RETRY_TO_CALLER,                                                    \
        [PW_CLASS_SERVER] = RETRY_TO_CALLER,                                                       \
        [PW_CLASS_CLIENT] = TO_CALLER,                                                             \
        [PW_CLASS_MALFORMED] = TO_CALLER,                                                          \
        [PW_CLASS_FORBIDDEN] = TO_CALLER,                                                          \
        [PW_CLASS_OPEN] = TO_CALLER,                                                               \
        [PW_CLASS_UNKNOWN] = TO_CALLER,                                                            \
        [PW_CLASS_STORE] = RETRY_TO_CALLER,                                                        \
        [PW_CLASS_LOST] = RETRY_TO_CALLER,                                                         \
        [PW_CLASS_BUSINESS] = TO_CALLER,                                                           \
        [PW_CLASS_OTHER] = RETRY_TO_CALLER,                                                        \
    }

const pw_fault_policy pw_fault_policy_default = {
    .retry = {
        [PW_FAULT_STARTUP] = UP_TO_30_S,
        [PW_FAULT_ACTIVITY] = UP_TO_30_S,
        [PW_FAULT_EXTERNAL_CALL] = UP_TO_60_S,
        [PW_FAULT_RESUME] = UP_TO_30_S,
    },
    .rules = {
        [PW_FAULT_STARTUP] = COMMAND_RULES,
        [PW_FAULT_ACTIVITY] = {
            [PW_CLASS_ARGUMENT] = INCIDENT,
            [PW_CLASS_STATE] = INCIDENT,
            [PW_CLASS_DENIED] = INCIDENT,
            [PW_CLASS_UNSUPPORTED] = INCIDENT,
            [PW_CLASS_CONNECTION] = RETRY,
            [PW_CLASS_TIMEOUT] = RETRY,
            [PW_CLASS_THROTTLED] = RETRY,
            [PW_CLASS_SERVER] = RETRY,
            [PW_CLASS_CLIENT] = RETRY,
            [PW_CLASS_MALFORMED] = RETRY,
            [PW_CLASS_FORBIDDEN] = INCIDENT,
            [PW_CLASS_OPEN] = INCIDENT,
            [PW_CLASS_UNKNOWN] = INCIDENT,
            [PW_CLASS_STORE] = RETRY,
            [PW_CLASS_LOST] = AT_ONCE,
            [PW_CLASS_BUSINESS] = INCIDENT,
            [PW_CLASS_OTHER] = RETRY,
        },
        [PW_FAULT_EXTERNAL_CALL] = {
            [PW_CLASS_ARGUMENT] = INCIDENT,
            [PW_CLASS_STATE] = INCIDENT,
            [PW_CLASS_DENIED] = INCIDENT,
            [PW_CLASS_UNSUPPORTED] = INCIDENT,
            [PW_CLASS_CONNECTION] = RETRY,
            [PW_CLASS_TIMEOUT] = RETRY,
            [PW_CLASS_THROTTLED] = RETRY,
            [PW_CLASS_SERVER] = RETRY,
            [PW_CLASS_CLIENT] = INCIDENT,
            [PW_CLASS_MALFORMED] = INCIDENT,
            [PW_CLASS_FORBIDDEN] = INCIDENT,
            [PW_CLASS_OPEN] = INCIDENT,
            [PW_CLASS_UNKNOWN] = INCIDENT,
            [PW_CLASS_STORE] = RETRY,
            [PW_CLASS_LOST] = AT_ONCE,
            [PW_CLASS_BUSINESS] = INCIDENT,
            [PW_CLASS_OTHER] = RETRY,
        },
        [PW_FAULT_RESUME] = COMMAND_RULES,
    },
    .suspend_after = 5,
    .suspend_within_ms = 1800000,
};
/* clang-format on */

const char *pw_fault_kind_name(pw_fault_kind kind)
{
    return kinds[kind];
}

bool pw_fault_kind_parse(pw_fault_kind *out, pw_str name)
{
    for (unsigned i = 0; i < PW_LENGTH(kinds); i++)
        if (pw_str_is(name, kinds[i])) {
            *out = (pw_fault_kind)i;
            return true;
        }
    return false;
}

const char *pw_error_class_name(pw_error_class class_)
{
    return classes[class_];
}

bool pw_error_class_parse(pw_error_class *out, pw_str name)
{
    for (unsigned i = 0; i < PW_LENGTH(classes); i++)
        if (pw_str_is(name, classes[i])) {
            *out = (pw_error_class)i;
            return true;
        }
    return false;
}

pw_error_class pw_error_class_of_answer(int status)
{
    if (status == 408)
        return PW_CLASS_TIMEOUT;
    if (status == 429)
        return PW_CLASS_THROTTLED;
    if (status >= 500 && status <= 599)
        return PW_CLASS_SERVER;
    if (status >= 400 && status <= 499)
        return PW_CLASS_CLIENT;
    return PW_CLASS_MALFORMED;
}

pw_error_class pw_error_class_of_activity(int status)
{
    switch (status) {
    case 400:
    case 422:
        return PW_CLASS_ARGUMENT;
    case 409:
        return PW_CLASS_STATE;
    case 401:
    case 403:
        return PW_CLASS_DENIED;
    case 405:
    case 501:
        return PW_CLASS_UNSUPPORTED;
    case 408:
    case 504:
        return PW_CLASS_TIMEOUT;
    default:
        return PW_CLASS_OTHER;
    }
}

pw_error_class pw_error_class_of_code(pawl_code code)
{
    switch (code) {
    case PAWL_INVALID:
    case PAWL_NOT_FOUND:
    case PAWL_EXPRESSION:
        return PW_CLASS_ARGUMENT;
    case PAWL_CONFLICT:
    case PAWL_STATE:
    case PAWL_CORRUPT: /* read again it is the same */
        return PW_CLASS_STATE;
    case PAWL_DENIED:
        return PW_CLASS_DENIED;
    case PAWL_SCHEMA:
        return PW_CLASS_UNSUPPORTED;
    case PAWL_TIMEOUT:
        return PW_CLASS_TIMEOUT;
    case PAWL_IO:
    case PAWL_LOST: /* another process has its partition now */
        return PW_CLASS_STORE;
    case PAWL_BUSY:
    case PAWL_NO_MEMORY:
    case PAWL_OK:
        return PW_CLASS_OTHER;
    }
    return PW_CLASS_OTHER;
}

bool pw_error_class_breaks(pw_error_class class_)
{
    return class_ == PW_CLASS_CONNECTION || class_ == PW_CLASS_TIMEOUT ||
           class_ == PW_CLASS_THROTTLED || class_ == PW_CLASS_SERVER;
}

/* ---- one row, as it is configured */

#define CLASS_LISTED(name, text, words) " " text
#define CLASS_LIST PW_ERROR_CLASSES(CLASS_LISTED)

/* Of a start or an answer: somebody waits for it, and there is nothing that could be left as an
 * incident. */
static bool has_caller(pw_fault_kind kind)
{
    return kind == PW_FAULT_STARTUP || kind == PW_FAULT_RESUME;
}

/* "activity" of "activity-fault" */
static pw_str short_kind(pw_fault_kind kind)
{
    pw_str name = pw_str_of(kinds[kind]);
    name.len -= strlen("-fault");
    return name;
}

static pawl_code split_row(pw_str row, pw_fault_kind *kind, pw_error_class *class_, pawl_error *err)
{
    size_t at = 0;
    while (at < row.len && row.ptr[at] != ':' &&
           row.ptr[at] != '.') /* the latter: in keys of a configuration */
        at++;
    if (at == row.len)
        return pw_fail(err, PAWL_INVALID,
                       "a row of the fault table is KIND:CLASS, like activity:timeout, not '" PW_FMT
                       "'",
                       PW_ARG(row));
    pw_str left = { row.ptr, at }, right = { row.ptr + at + 1, row.len - at - 1 };
    unsigned k = 0;
    while (k < PW_FAULT_KIND_COUNT && !pw_str_eq(left, short_kind((pw_fault_kind)k)))
        k++;
    if (k == PW_FAULT_KIND_COUNT)
        return pw_fail(err, PAWL_INVALID,
                       "there is no kind of fault '" PW_FMT
                       "': it is startup, activity, external-call or resume",
                       PW_ARG(left));
    *kind = (pw_fault_kind)k;
    if (!pw_error_class_parse(class_, right))
        return pw_fail(err, PAWL_INVALID,
                       "there is no class of errors '" PW_FMT "'; there are:" CLASS_LIST,
                       PW_ARG(right));
    return PAWL_OK;
}

pawl_code pw_fault_policy_set(pw_fault_policy *policy, pw_str row, pw_str decision, pawl_error *err)
{
    pw_fault_kind kind = PW_FAULT_STARTUP;
    pw_error_class class_ = PW_CLASS_OTHER;
    pawl_code code = split_row(row, &kind, &class_, err);
    if (code != PAWL_OK)
        return code;
    pw_fault_rule rule = policy->rules[kind][class_];
    bool caller = has_caller(kind),
         retry = pw_str_is(decision, "retry") || pw_str_is(decision, "retry-at-once");
    if (retry && class_ == PW_CLASS_UNKNOWN)
        return pw_fail(
            err, PAWL_INVALID,
            "'" PW_FMT
            "' is not retried by the table: OnUnknownOutcome decides that (resend, ask or fault)",
            PW_ARG(row));
    if (retry) {
        rule.retried = true;
        rule.at_once = pw_str_is(decision, "retry-at-once");
    } else if (caller && pw_str_is(decision, "error")) {
        rule = (pw_fault_rule){ .then = PW_THEN_ERROR };
    } else if (!caller && pw_str_is(decision, "incident")) {
        rule = (pw_fault_rule){ .then = PW_THEN_INCIDENT };
    } else if (!caller && pw_str_is(decision, "suspend")) {
        rule = (pw_fault_rule){ .then = PW_THEN_SUSPEND };
    } else {
        return pw_fail(err, PAWL_INVALID,
                       "'" PW_FMT "' must be retry, retry-at-once%s, not '" PW_FMT "'", PW_ARG(row),
                       caller ? " or error" : ", incident or suspend", PW_ARG(decision));
    }
    policy->rules[kind][class_] = rule;
    return PAWL_OK;
}

/* ---- the decision */

static bool tries_again(const pw_fault_policy *policy, const pw_fault_facts *facts,
                        uint64_t *delay_ms)
{
    pw_fault_rule rule = policy->rules[facts->kind][facts->class_];
    if (!rule.retried || facts->final)
        return false;
    const pw_retry_settings *usual = &policy->retry[facts->kind];
    pw_retry_settings settings = facts->retry ? *facts->retry : *usual;
    pw_retry_history history = { .retries = facts->attempts > 0 ? facts->attempts - 1 : 0,
                                 .first_ms = facts->first_ms,
                                 .now_ms = facts->now_ms,
                                 .seed = facts->seed,
                                 .after_ms = facts->retry_after_ms };
    bool told = facts->kind == PW_FAULT_ACTIVITY && history.after_ms > 0;
    if (rule.at_once || told)
        settings.delay_ms = settings.jitter_ms_from = settings.jitter_ms_to = 0;
    if (told) /* who does the work is no stranger: the next attempt begins exactly then */
        settings.delay_ms_max = 0;
    else if (settings.delay_ms_max == 0 && usual->delay_ms_max > 0 &&
             history.after_ms > usual->delay_ms_max)
        history.after_ms = usual->delay_ms_max; /* a task needs no cap, a service does */
    return pw_retry_next(delay_ms, &settings, &history);
}

pw_fault_result pw_fault_decide(const pw_fault_policy *policy, const pw_fault_facts *facts,
                                pw_arena *arena)
{
    pw_fault_result result = { 0 };
    result.should_retry = tries_again(policy, facts, &result.retry_delay_ms);
    pw_fault_then then = policy->rules[facts->kind][facts->class_].then;
    if (!result.should_retry && then != PW_THEN_ERROR) {
        result.requires_manual_intervention = true;
        result.suspend_workflow =
            then == PW_THEN_SUSPEND ||
            (policy->suspend_after > 0 && facts->incidents >= policy->suspend_after);
    }
    result.recommended_action = pw_fault_action(policy, facts, &result, arena);
    return result;
}
