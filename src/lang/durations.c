/* durations.c - amounts of time: constant, computed, or the name of a timeout. */
#include "lang/lang_internal.h"

static void constant(pw_load *load, pw_delay *out, const pw_node *node, const pw_path *path)
{
    pawl_error err = { 0 };
    if (pw_duration_of(&out->constant, node->value, &err) != PAWL_OK)
        pw_lang_error(load, node, path, "%s", err.message);
}

/* {days, hours, minutes, seconds, milliseconds}, any of which may be an expression. */
static void members(pw_load *load, pw_delay *out, const pw_node *node, const pw_path *path,
                    const pw_place *place)
{
    static const pw_rule rules[] = {
        { "days", NULL },    { "hours", NULL },        { "minutes", NULL },
        { "seconds", NULL }, { "milliseconds", NULL },
    };
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    if (node->count == 0) {
        pw_lang_error(load, node, path,
                      "a duration needs one of days, hours, minutes, seconds, milliseconds");
        return;
    }
    bool computed = false, good = true;
    for (uint32_t i = 0; i < node->count; i++) {
        const pw_node *key = node->pairs[i].key, *value = node->pairs[i].value;
        pw_path step = { .up = path, .key = key->text };
        pw_str source;
        int64_t amount;
        bool known = false;
        for (size_t j = 0; j < PW_LENGTH(rules); j++)
            known = known || pw_str_is(key->text, rules[j].name);
        if (!known) {
            good = false;
        } else if (pw_lang_is_string(value) && value->expressive &&
                   pw_str_starts(value->text, PW_LIT("${"))) {
            computed = true;
            good = pw_lang_wrapped(load, value, &step, place, &source) == PW_WRAPPED_WHOLE && good;
        } else {
            good = pw_lang_integer(load, value, &step, 0, INT64_MAX, &amount) && good;
        }
    }
    if (computed)
        out->tmpl = pw_lang_template(load, node, path, place);
    else if (good)
        constant(load, out, node, path);
}

/* No duration is an expression: none needs to be tried as one in loose mode. */
static bool is_duration(const pw_node *node)
{
    pw_duration duration;
    pawl_error err;
    return pw_duration_of(&duration, node->value, &err) == PAWL_OK;
}

pw_delay pw_lang_duration(pw_load *load, const pw_node *node, const pw_path *path,
                          const pw_place *place)
{
    pw_delay out = { 0 };
    if (!node)
        return out;
    out.given = true;
    if (node->kind == PW_NODE_MAP) {
        members(load, &out, node, path, place);
        return out;
    }
    if (!pw_lang_is_string(node)) {
        pw_lang_found(load, PAWL_FINDING_TYPE, node, path,
                      "a duration is a string like PT30S or an object like { seconds: 30 }, not %s",
                      pw_lang_type(node));
        return out;
    }
    pw_str source;
    switch (pw_lang_wrapped(load, node, path, place, &source)) {
    case PW_WRAPPED_WHOLE:
        out.tmpl = pw_lang_template(load, node, path, place);
        break;
    case PW_WRAPPED_NO:
        if (load->loose && !is_duration(node))
            out.tmpl = pw_lang_template(load, node, path, place);
        if (out.tmpl && out.tmpl->kind == PW_TEMPLATE_LOOSE)
            break;
        out.tmpl = NULL;
        constant(load, &out, node, path);
        break;
    case PW_WRAPPED_BROKEN:
        break;
    }
    return out;
}

pw_delay pw_lang_timeout(pw_load *load, const pw_node *node, const pw_path *path,
                         const pw_place *place)
{
    static const pw_rule rules[] = { { "after", NULL } };
    if (!node)
        return (pw_delay){ 0 };
    pw_path step = { .up = path, .key = PW_LIT("after") };
    if (pw_lang_is_string(node)) {
        pw_named *named = pw_lang_find(load, &load->timeouts, node, path);
        if (!named || named->node->kind != PW_NODE_MAP)
            return (pw_delay){ .given = true };
        step.up = PW_STEP_KEY(named->path, named->key);
        return pw_lang_duration(load, pw_lang_get(named->node, "after"), &step, place);
    }
    if (node->kind != PW_NODE_MAP) {
        pw_lang_found(
            load, PAWL_FINDING_TYPE, node, path,
            "a timeout is { after: duration } or the name of one in 'use.timeouts', not %s",
            pw_lang_type(node));
        return (pw_delay){ .given = true };
    }
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    return pw_lang_duration(load, pw_lang_require(load, node, path, "after"), &step, place);
}
