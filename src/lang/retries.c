/* retries.c - retry policies, inline or of use.retries. */
#include "lang/lang_internal.h"

#define FACTOR_MAX 1000.0

static void compile_backoff(pw_load *load, pw_retry_policy *out, const pw_node *node,
                            const pw_path *path, const pw_place *place)
{
    static const pw_rule rules[] = { { "constant", NULL },
                                     { "linear", NULL },
                                     { "exponential", NULL } };
    static const pw_rule parameters[] = { { "maxDelay", NULL }, { "factor", NULL } };
    if (!node || !pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    if (node->count != 1) {
        pw_lang_error(load, node, path,
                      "'backoff' must be exactly one of constant, linear and exponential");
        return;
    }
    for (uint32_t i = 0; i < PW_LENGTH(rules); i++) {
        const pw_node *kind = pw_lang_get(node, rules[i].name);
        const pw_path *step = PW_STEP(path, rules[i].name);
        if (!kind || !pw_lang_is_map(load, kind, step))
            continue;
        out->backoff = (pw_backoff)i;
        /* constant has none, linear the first */
        pw_lang_members(load, kind, step, parameters, i);
        if (i == PW_BACKOFF_CONSTANT)
            continue;
        if (kind->count > 0 && load->findings->portable)
            pw_lang_found(load, PAWL_FINDING_NOT_PORTABLE, kind, step,
                          "only pawl knows the parameters of '%s'", rules[i].name);
        out->delay_max =
            pw_lang_duration(load, pw_lang_get(kind, "maxDelay"), PW_STEP(step, "maxDelay"), place);
        const pw_node *factor = pw_lang_get(kind, "factor");
        if (!factor || i != PW_BACKOFF_EXPONENTIAL)
            continue;
        double number = pw_number(factor->value);
        if (!pw_is(factor->value, PW_NUMBER) || number < 1 || number > FACTOR_MAX) {
            pw_str shown = pw_lang_shown(load, factor->text);
            pw_lang_error(load, factor, PW_STEP(step, "factor"),
                          "'factor' must be a number from 1 to %.0f, not " PW_FMT, FACTOR_MAX,
                          PW_ARG(shown));
        } else {
            out->factor = number;
        }
    }
}

/* False: nothing limits the number of retries or their time. */
static bool compile_limit(pw_load *load, pw_retry_policy *out, const pw_node *node,
                          const pw_path *path, const pw_place *place)
{
    static const pw_rule rules[] = { { "attempt", NULL }, { "duration", NULL } };
    static const pw_rule attempt_rules[] = { { "count", NULL }, { "duration", NULL } };
    if (!node)
        return false;
    if (!pw_lang_is_map(load, node, path))
        return true; /* a finding is enough */
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    out->total =
        pw_lang_duration(load, pw_lang_get(node, "duration"), PW_STEP(path, "duration"), place);
    const pw_node *attempt = pw_lang_get(node, "attempt");
    const pw_path *step = PW_STEP(path, "attempt");
    if (!attempt || !pw_lang_is_map(load, attempt, step))
        return out->total.given;
    pw_lang_members(load, attempt, step, attempt_rules, PW_LENGTH(attempt_rules));
    out->attempt =
        pw_lang_duration(load, pw_lang_get(attempt, "duration"), PW_STEP(step, "duration"), place);
    const pw_node *count = pw_lang_get(attempt, "count");
    int64_t number;
    if (pw_lang_integer(load, count, PW_STEP(step, "count"), 0, INT32_MAX, &number))
        out->count = (uint32_t)number;
    return count || out->total.given;
}

static void compile_jitter(pw_load *load, pw_retry_policy *out, const pw_node *node,
                           const pw_path *path, const pw_place *place)
{
    static const pw_rule rules[] = { { "from", NULL }, { "to", NULL } };
    if (!node || !pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    out->jitter_from = pw_lang_duration(load, pw_lang_require(load, node, path, "from"),
                                        PW_STEP(path, "from"), place);
    out->jitter_to =
        pw_lang_duration(load, pw_lang_require(load, node, path, "to"), PW_STEP(path, "to"), place);
    bool constant = out->jitter_from.given && !out->jitter_from.tmpl && out->jitter_to.given &&
                    !out->jitter_to.tmpl;
    if (constant && pw_duration_after(0, out->jitter_from.constant) >
                        pw_duration_after(0, out->jitter_to.constant))
        pw_lang_error(load, node, path, "'from' must not be longer than 'to'");
}

const pw_retry_policy *pw_lang_retry(pw_load *load, const pw_node *node, const pw_path *path,
                                     const pw_place *place)
{
    static const pw_rule rules[] = {
        { "when", NULL },    { "exceptWhen", NULL }, { "delay", NULL },
        { "backoff", NULL }, { "limit", NULL },      { "jitter", NULL }
    };
    pw_retry_policy *out = PW_NEW(load->arena, pw_retry_policy);
    out->count = PW_RETRY_UNLIMITED;
    if (node->kind != PW_NODE_MAP) {
        pw_lang_found(load, PAWL_FINDING_TYPE, node, path,
                      "a retry policy is an object or the name of one in 'use.retries', not %s",
                      pw_lang_type(node));
        return out;
    }
    pw_place here = *place;
    here.what = "'retry'";
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    out->when = pw_lang_condition(load, pw_lang_get(node, "when"), PW_STEP(path, "when"), &here);
    out->except_when = pw_lang_condition(load, pw_lang_get(node, "exceptWhen"),
                                         PW_STEP(path, "exceptWhen"), &here);
    out->delay = pw_lang_duration(load, pw_lang_get(node, "delay"), PW_STEP(path, "delay"), &here);
    compile_backoff(load, out, pw_lang_get(node, "backoff"), PW_STEP(path, "backoff"), &here);
    compile_jitter(load, out, pw_lang_get(node, "jitter"), PW_STEP(path, "jitter"), &here);
    if (!compile_limit(load, out, pw_lang_get(node, "limit"), PW_STEP(path, "limit"), &here))
        pw_lang_found(load, PAWL_FINDING_RETRY, node, path,
                      "nothing limits these retries; set limit.attempt.count or limit.duration");
    return out;
}
