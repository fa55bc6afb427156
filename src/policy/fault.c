/* fault.c - the fault handler: its table, and how it decides. */
#include "policy/fault.h"

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

const pw_fault_policy pw_fault_policy_default = { .suspend_after = 5, .suspend_within_ms = 1800000 };

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
    (void)status;
    return PW_CLASS_OTHER;
}

pw_error_class pw_error_class_of_activity(int status)
{
    (void)status;
    return PW_CLASS_OTHER;
}

pw_error_class pw_error_class_of_code(pawl_code code)
{
    (void)code;
    return PW_CLASS_OTHER;
}

bool pw_error_class_breaks(pw_error_class class_)
{
    return class_ == PW_CLASS_CONNECTION || class_ == PW_CLASS_TIMEOUT || class_ == PW_CLASS_THROTTLED ||
           class_ == PW_CLASS_SERVER;
}

pawl_code pw_fault_policy_set(pw_fault_policy *policy, pw_str row, pw_str decision, pawl_error *err)
{
    (void)policy, (void)row, (void)decision;
    return pw_fail(err, PAWL_INVALID, "the fault table cannot be changed yet");
}

pw_fault_result pw_fault_decide(const pw_fault_policy *policy, const pw_fault_facts *facts, pw_arena *arena)
{
    (void)policy, (void)facts, (void)arena;
    return (pw_fault_result){ .requires_manual_intervention = true,
                              .recommended_action = PW_LIT("look at the error, and at the task's input") };
}
