/* eval.c - expressions with the arguments that the language gives them.
 *
 * The descriptors $task, $workflow and $runtime are built only for an expression that reads them.
 * Lexical variables are found by walking outward from the frame; a function's body sees none of its
 * caller's. */
#include "core/step.h"
#include "base/json.h"

static pw_value date_time(pw_arena *arena, int64_t ms)
{
    pw_member epoch[] = { { PW_LIT("seconds"), pw_int(ms / 1000) },
                          { PW_LIT("milliseconds"), pw_int(ms) } };
    pw_member members[] = { { PW_LIT("iso8601"), pw_moment_value(arena, ms) },
                            { PW_LIT("epoch"), pw_object_of(arena, epoch, 2) } };
    return pw_object_of(arena, members, 2);
}

static pw_value workflow_descriptor(pw_step *step)
{
    pw_member members[] = {
        { PW_LIT("id"), pw_string_ref(step->identity->instance) },
        { PW_LIT("definition"), step->program->document },
        { PW_LIT("input"), step->state->input },
        { PW_LIT("startedAt"), date_time(step->arena, step->state->started_ms) },
    };
    return pw_object_of(step->arena, members, PW_LENGTH(members));
}

static pw_value task_descriptor(pw_step *step, const pw_frame *frame, pw_value output)
{
    const pw_task *task = frame->task;
    if (!task)
        return pw_null();
    pw_member members[] = {
        { PW_LIT("name"), pw_string_ref(task->name) },
        { PW_LIT("reference"), pw_string_ref(task->pointer) },
        { PW_LIT("definition"), task->definition },
        { PW_LIT("input"), pw_frame_raw(frame) },
        { PW_LIT("output"), output },
        { PW_LIT("startedAt"), date_time(step->arena, frame->started_ms) },
    };
    return pw_object_of(step->arena, members, PW_LENGTH(members));
}

static pw_value runtime_descriptor(pw_step *step)
{
    pw_member members[] = {
        { PW_LIT("name"), pw_string_ref(PW_LIT("pawl")) },
        { PW_LIT("version"), pw_string_ref(pw_str_of(PAWL_VERSION)) },
        { PW_LIT("metadata"), pw_object_of(step->arena, NULL, 0) },
    };
    return pw_object_of(step->arena, members, PW_LENGTH(members));
}

static void lexical(const pw_frame *frame, uint64_t wanted, pw_value *slots)
{
    uint64_t open = wanted;
    for (; frame && open; frame = frame->parent) {
        const pw_task *task = frame->task;
        if (!task)
            continue;
        if (task->kind == PW_TASK_FUNCTION && frame->phase == PHASE_BODY)
            return;
        if (task->kind == PW_TASK_FOR && pw_is(frame->items, PW_ARRAY)) {
            uint32_t each = task->as.loop.each_slot, at = task->as.loop.at_slot;
            if (open >> each & 1)
                slots[each] = pw_item(frame->items, frame->at);
            if (open >> at & 1)
                slots[at] = pw_int(frame->at);
            open &= ~(1ull << each | 1ull << at);
        } else if (task->kind == PW_TASK_LISTEN && frame->phase == PHASE_BODY) {
            uint32_t item = task->as.listen.item_slot, at = task->as.listen.at_slot;
            if (open >> item & 1)
                slots[item] = pw_item(pw_get_lit(frame->args, "m"), 0);
            if (open >> at & 1)
                slots[at] = pw_int((int64_t)frame->at - 1);
            if (task->as.listen.each)
                open &= ~(1ull << item | 1ull << at);
        } else if (task->kind == PW_TASK_TRY && !pw_is(frame->error, PW_NONE)) {
            uint32_t as = task->as.attempt.as_slot;
            if (open >> as & 1)
                slots[as] = frame->error;
            open &= ~(1ull << as);
        }
    }
}

bool pw_eval(pw_step *step, pw_frame *frame, const pw_expr *expr, pw_value dot, pw_value output,
             pw_value *out)
{
    pw_value slots[PW_EXPR_SLOTS_MAX];
    memset(slots, 0, sizeof slots);
    uint64_t wanted = pw_expr_slots(expr);
    slots[PW_SLOT_CONTEXT] = pw_fork_context(step, frame);
    slots[PW_SLOT_INPUT] = frame->input;
    slots[PW_SLOT_OUTPUT] = output;
    if (wanted >> PW_SLOT_TASK & 1)
        slots[PW_SLOT_TASK] = task_descriptor(step, frame, output);
    if (wanted >> PW_SLOT_WORKFLOW & 1)
        slots[PW_SLOT_WORKFLOW] = workflow_descriptor(step);
    if (wanted >> PW_SLOT_RUNTIME & 1)
        slots[PW_SLOT_RUNTIME] = runtime_descriptor(step);
    if (wanted >> PW_SLOT_LEXICAL)
        lexical(frame, wanted & ~((1ull << PW_SLOT_LEXICAL) - 1), slots);
    pw_expr_input input = {
        .input = dot, .slots = slots, .slot_count = PW_EXPR_SLOTS_MAX, .now_ms = step->event->now_ms
    };
    pawl_error error;
    pawl_code code = pw_expr_first(out, step->machine, expr, &input, step->arena, &error);
    if (code == PAWL_OK)
        return true;
    if (code == PAWL_NO_MEMORY)
        pw_step_abort(step, code, "out of memory");
    step->thrown =
        pw_problem(step, frame, "expression", 400, "an expression failed", "%s", error.message);
    return false;
}

bool pw_eval_template(pw_step *step, pw_frame *frame, const pw_template *tmpl, pw_value dot,
                      pw_value output, pw_value *out)
{
    switch (tmpl->kind) {
    case PW_TEMPLATE_CONST:
        *out = tmpl->value;
        return true;
    case PW_TEMPLATE_EXPR:
        return pw_eval(step, frame, tmpl->expr, dot, output, out);
    case PW_TEMPLATE_LOOSE:
        if (pw_eval(step, frame, tmpl->expr, dot, output, out))
            return true;
        pw_record_literal(step, frame, tmpl, step->thrown);
        *out = tmpl->value;
        return true;
    case PW_TEMPLATE_ARRAY: {
        pw_array_builder items = { .arena = step->arena };
        for (uint32_t i = 0; i < tmpl->count; i++) {
            pw_value item;
            if (!pw_eval_template(step, frame, &tmpl->items[i], dot, output, &item))
                return false;
            pw_array_add(&items, item);
        }
        *out = pw_array_end(&items);
        return true;
    }
    case PW_TEMPLATE_OBJECT: {
        pw_object_builder members = { .arena = step->arena };
        for (uint32_t i = 0; i < tmpl->count; i++) {
            pw_value value;
            if (!pw_eval_template(step, frame, &tmpl->items[i], dot, output, &value))
                return false;
            pw_object_add(&members, tmpl->keys[i], value);
        }
        *out = pw_object_end(&members);
        return true;
    }
    }
    return false;
}

bool pw_eval_true(pw_step *step, pw_frame *frame, const pw_expr *expr, pw_value dot, bool *out)
{
    pw_value result;
    if (!pw_eval(step, frame, expr, dot, (pw_value){ 0 }, &result))
        return false;
    *out = pw_truthy(result);
    return true;
}

bool pw_eval_delay(pw_step *step, pw_frame *frame, const pw_delay *delay, pw_duration *out)
{
    if (!delay->tmpl) {
        *out = delay->constant;
        return true;
    }
    pw_value value;
    if (!pw_eval_template(step, frame, delay->tmpl, frame->input, (pw_value){ 0 }, &value))
        return false;
    pawl_error error;
    pawl_code code = pw_duration_of(out, value, &error);
    if (code == PAWL_NO_MEMORY)
        pw_step_abort(step, code, "out of memory");
    if (code != PAWL_OK)
        step->thrown =
            pw_problem(step, frame, "expression", 400, "not a duration", "%s", error.message);
    return code == PAWL_OK;
}
