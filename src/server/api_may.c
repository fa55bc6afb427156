/* api_may.c - whether an identity may ask a command, what it is restricted to, and carrying the
 * command out.
 *
 * pw_command_about says which role is needed, and where: the namespace is found by the member that
 * names the instance, the definition or the job. What lies in a namespace in which the identity has
 * no role is answered as if it were not there. */
#include <stdio.h>
#include "server/api_internal.h"

static bool role_missing(pw_call *call, pw_role role, pw_str namespace_)
{
    if (!namespace_.ptr)
        return pw_problem_http(&call->problem, PW_PROBLEM_NO_ROLE,
                               "'%s' needs the role %s in every namespace ('*')", call->about->name,
                               pw_role_name(role));
    return pw_problem_http(&call->problem, PW_PROBLEM_NO_ROLE,
                           "'%s' needs the role %s in the namespace '" PW_FMT "'",
                           call->about->name, pw_role_name(role), PW_ARG(namespace_));
}

static bool role_missing_anywhere(pw_call *call, pw_role role)
{
    return pw_problem_http(&call->problem, PW_PROBLEM_NO_ROLE, "'%s' needs the role %s",
                           call->about->name, pw_role_name(role));
}

/* The role there, or, where a command knows what is one's own, any role and the restriction to
 * that. */
static bool may_in(pw_call *call, pw_str namespace_)
{
    const pw_command_about *about = call->about;
    if (pw_identity_may(&call->identity, about->role, namespace_))
        return true;
    if (!about->own)
        return role_missing(call, about->role, namespace_);
    pw_call_member(call, "restricted", pw_bool(true));
    return true;
}

/* ---- instances and jobs */

static bool no_instance(pw_call *call, pw_str id)
{
    pawl_error err;
    (void)pw_fail_reason(&err, PAWL_NOT_FOUND, PAWL_REASON_NO_INSTANCE, "no instance '" PW_FMT "'",
                         PW_ARG(id));
    return pw_problem_of(&call->problem, &err);
}

/* Of an instance, or of that which an incident is of ("INSTANCE-STEP"). *found: NULL where there is none, or none for this
 * identity; to pawl_free(). */
static bool find_head(pw_call *call, pw_str id, char **found)
{
    pawl_error err = { .code = PAWL_OK };
    const char *dash = id.len ? memchr(id.ptr, '-', id.len) : NULL;
    pw_str terminated = pw_arena_str(call->arena, (pw_str){ id.ptr, dash ? (size_t)(dash - id.ptr) : id.len });
    *found = NULL;
    if (!terminated.ptr)
        return pw_call_no_memory(call);
    if (memchr(terminated.ptr, '\0', terminated.len))
        return true;
    pawl_code code = pawl_head(call->api->p, terminated.ptr, found, &err);
    return code == PAWL_OK || code == PAWL_NOT_FOUND || code == PAWL_INVALID
               ? true
               : pw_problem_of(&call->problem, &err);
}

/* ptr NULL: it is not there, or not for this identity. */
static bool namespace_of(pw_call *call, pw_str id, bool correlate, pw_str *out)
{
    char *head = NULL;
    *out = (pw_str){ 0 };
    if (!find_head(call, id, &head))
        return false;
    if (head) {
        pw_str text = pw_str_of(head);
        *out = pw_arena_str(call->arena, pw_skim_text(text, "namespace"));
        if (!pw_identity_may(&call->identity, PW_ROLE_ANY, *out))
            *out = (pw_str){ 0 };
        else if (correlate)
            pw_call_put_correlation(call, pw_skim_text(text, "correlation"));
    }
    pawl_free(head);
    return true;
}

static bool may_instance(pw_call *call, pw_value request)
{
    pw_str id = pw_get_text(request, "id"), namespace_;
    if (!id.len)
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY,
                               "'id' is missing: the instance's, as a string");
    if (!namespace_of(call, id, true, &namespace_))
        return false;
    return namespace_.ptr ? may_in(call, namespace_) : no_instance(call, id);
}

/* A token that is of no instance that one may see is as good as none. */
static bool may_job(pw_call *call, pw_value request)
{
    pw_str token = pw_get_text(request, "token"), namespace_ = { 0 };
    const char *dot = token.len ? memchr(token.ptr, '.', token.len) : NULL;
    pw_str id = { token.ptr, dot ? (size_t)(dot - token.ptr) : 0 };
    if (id.len && !namespace_of(call, id, false, &namespace_))
        return false;
    if (namespace_.ptr)
        return may_in(call, namespace_);
    if (!pw_identity_may_somewhere(&call->identity, call->about->role))
        return role_missing_anywhere(call, call->about->role);
    pawl_error err;
    (void)pw_fail_reason(&err, PAWL_INVALID, PAWL_REASON_BAD_TOKEN,
                         "that is no token of a job here");
    return pw_problem_of(&call->problem, &err);
}

/* ---- definitions */

static bool no_definition(pw_call *call, pw_str name)
{
    pawl_error err;
    (void)pw_fail_reason(&err, PAWL_NOT_FOUND, PAWL_REASON_NO_DEFINITION,
                         "no definition '" PW_FMT "'", PW_ARG(name));
    return pw_problem_of(&call->problem, &err);
}

/* A name without a namespace means the one among those of the identity, and so is written with it
 * from here on. */
static bool place_name(pw_call *call, pw_value *request, pw_str *name)
{
    pw_value visible = pw_identity_namespaces(&call->identity, PW_ROLE_ANY, call->arena),
             page = { 0 };
    const pawl_definitions_options options = {
        .struct_size = sizeof options,
        .name = pw_arena_str(call->arena, *name).ptr,
        .namespaces = pw_json_text(call->arena, visible, PW_JSON_COMPACT).ptr
    };
    pawl_error err;
    char *text = NULL;
    if (!options.name || !options.namespaces)
        return pw_call_no_memory(call);
    pawl_code code = pawl_definitions(call->api->p, &options, &text, &err);
    if (code == PAWL_OK)
        code = pw_json_parse(&page, pw_str_of(text), NULL, call->arena, &err);
    pawl_free(text);
    if (code != PAWL_OK)
        return pw_problem_of(&call->problem, &err);
    pw_value found = pw_get_lit(page, "definitions");
    pw_str namespace_ = pw_get_text(pw_item(found, 0), "namespace");
    for (uint32_t i = 1; i < found.count; i++)
        if (!pw_str_eq(namespace_, pw_get_text(pw_item(found, i), "namespace")))
            return pw_problem_http(
                &call->problem, PW_PROBLEM_BAD_REQUEST,
                "'" PW_FMT "' is in more than one namespace: write namespace/name", PW_ARG(*name));
    if (found.count == 0)
        return no_definition(call, *name);
    *name = pw_arena_printf(call->arena, PW_FMT "/" PW_FMT, PW_ARG(namespace_), PW_ARG(*name));
    if (!name->ptr)
        return pw_call_no_memory(call);
    *request = pw_with(call->arena, *request, PW_LIT("name"), pw_string_ref(*name));
    return true;
}

static bool may_definition(pw_call *call, pw_value *request)
{
    pw_str name = pw_get_text(*request, "name");
    pw_role role = call->about->role;
    if (!name.len && !pw_identity_may_somewhere(&call->identity,
                                                role)) /* a document that is given, or a mistake */
        return role_missing_anywhere(call, role);
    if (!name.len || pw_identity_may(&call->identity, role, (pw_str){ 0 }))
        return true;
    if (!memchr(name.ptr, '/', name.len) && !place_name(call, request, &name))
        return false;
    pw_str namespace_ = { name.ptr,
                          (size_t)((const char *)memchr(name.ptr, '/', name.len) - name.ptr) };
    return pw_identity_may(&call->identity, PW_ROLE_ANY, namespace_) ? may_in(call, namespace_)
                                                                     : no_definition(call, name);
}

/* ---- lists */

static bool holds(pw_value list, pw_value text)
{
    for (uint32_t i = 0; i < list.count; i++)
        if (pw_equal(pw_item(list, i), text))
            return true;
    return false;
}

/* Those that are wanted and allowed; PW_NONE: all. */
static pw_value common(pw_call *call, pw_value wanted, pw_value allowed)
{
    pw_array_builder both = { .arena = call->arena };
    if (!pw_is(wanted, PW_ARRAY))
        return allowed;
    if (!pw_is(allowed, PW_ARRAY))
        return wanted;
    for (uint32_t i = 0; i < wanted.count; i++)
        if (holds(allowed, pw_item(wanted, i)))
            pw_array_add(&both, pw_item(wanted, i));
    return pw_array_end(&both);
}

/* Whose tasks are looked at: one's own need no more than a role. */
static bool of_others(pw_value request)
{
    return pw_find(request, PW_LIT("person")) || pw_find(request, PW_LIT("inGroups")) ||
           pw_find(request, PW_LIT("everybody"));
}

static bool may_list(pw_call *call, pw_value *request)
{
    const pw_command_about *about = call->about;
    bool own = about->own && !of_others(*request);
    pw_role role = own ? PW_ROLE_ANY : about->role;
    if (!pw_identity_may_somewhere(&call->identity, role))
        return role_missing_anywhere(call, role);
    pw_value wanted = call->namespaces.count ? pw_array_end(&call->namespaces)
                                             : pw_get_lit(*request, "namespaces");
    pw_value left =
        common(call, wanted, pw_identity_namespaces(&call->identity, role, call->arena));
    *request = pw_without(call->arena, *request, PW_LIT("namespaces"));
    if (pw_is(left, PW_ARRAY))
        pw_call_member(call, "namespaces", left);
    if (own)
        pw_call_member(call, "restricted", pw_bool(true));
    return true;
}

/* ---- all of them */

static bool may(pw_call *call, pw_value *request)
{
    switch (call->about->scope) {
    case PW_SCOPE_NONE:
        return pw_identity_may_somewhere(&call->identity, call->about->role)
                   ? true
                   : role_missing_anywhere(call, call->about->role);
    case PW_SCOPE_INSTANCE:
        return may_instance(call, *request);
    case PW_SCOPE_DEFINITION:
        return may_definition(call, request);
    case PW_SCOPE_JOB:
        return may_job(call, *request);
    case PW_SCOPE_LIST:
        return may_list(call, request);
    case PW_SCOPE_STORE:
        return pw_identity_may(&call->identity, call->about->role, (pw_str){ 0 })
                   ? true
                   : role_missing(call, call->about->role, (pw_str){ 0 });
    }
    return false;
}

static void add_members(pw_call *call, pw_value object)
{
    const pw_member *members = pw_members(object);
    for (uint32_t i = 0; i < object.count; i++)
        pw_object_add(&call->members, members[i].key, members[i].value);
}

static pw_value text_or_none(pw_str text)
{
    return text.ptr ? pw_string_ref(text) : (pw_value){ 0 };
}

bool pw_call_sign(pw_call *call, pw_value request)
{
    const pw_command_about *about = call->about;
    pw_call_member(call, "command", pw_string_ref(pw_str_of(about->name)));
    pw_call_member(call, "actor", pw_string_ref(call->identity.name));
    pw_call_member(call, "groups", call->identity.groups);
    if (about->scope != PW_SCOPE_JOB) /* a job's token and its answer are enough to know it again */
        pw_call_member(call, "idempotencyKey", text_or_none(call->idempotency_key));
    if (call->if_token)
        pw_call_member(call, "ifToken", pw_int((int64_t)call->if_token));
    if (!pw_call_filters_correlation(pw_str_of(about->name)))
        pw_call_member(call, "correlation", text_or_none(call->correlation));
    pw_call_member(call, "traceparent", text_or_none(call->traceparent));
    add_members(call, request);
    return call->arena->failed ? pw_call_no_memory(call) : true;
}

bool pw_call_authorise(pw_call *call, const char *command)
{
    call->about = pw_command_find(pw_str_of(command));
    if (!call->about)
        return pw_problem_http(&call->problem, PW_PROBLEM_BAD_BODY, "no command '%.80s'", command);
    if (call->if_token && (call->about->scope != PW_SCOPE_INSTANCE || !call->about->changes))
        return pw_problem_http(
            &call->problem, PW_PROBLEM_BAD_HEADER,
            "If-Match means nothing here: '%s' changes no instance that is there",
            call->about->name);
    pw_value request = pw_object_end(&call->members);
    call->members = (pw_object_builder){ .arena = call->arena };
    if (!may(call, &request))
        return false;
    return pw_call_sign(call, request);
}

/* Who lost a race gets the token that won. */
static void tell_token(pw_call *call, pw_value request)
{
    bool race = call->problem.status == 409 || call->problem.status == 412;
    char *head = NULL;
    if (!race || call->about->scope != PW_SCOPE_INSTANCE ||
        !find_head(call, pw_get_text(request, "id"), &head) || !head)
        return;
    call->problem.has_token = pw_skim_number(pw_str_of(head), "token", &call->problem.token);
    pawl_free(head);
}

bool pw_call_carry_out(pw_call *call)
{
    pawl_error err = { .code = PAWL_OK };
    pw_value request = pw_object_end(&call->members), error = { 0 };
    pw_str text = pw_json_text(call->arena, request, PW_JSON_COMPACT);
    if (!text.ptr || call->arena->failed) /* what is left out then may be a restriction */
        return pw_call_no_memory(call);
    pawl_free(call->answer);
    call->answer = NULL;
    call->findings = call->ok = (pw_str){ 0 };
    if (pw_command_execute(call->api->p, text, NULL, NULL, &call->answer, &err) != PAWL_OK)
        return pw_problem_of(&call->problem, &err);
    pw_str answer = pw_str_of(call->answer);
    call->ok = pw_skim(answer, "ok");
    call->findings = pw_skim(answer, "findings");
    if (call->ok.ptr)
        return true;
    if (pw_json_parse(&error, pw_skim(answer, "error"), NULL, call->arena, &err) != PAWL_OK)
        return pw_problem_of(&call->problem, &err);
    if (call->findings.ptr && pw_str_is(pw_get_text(error, "code"), pawl_code_name(PAWL_INVALID)))
        return pw_problem_http(&call->problem, PW_PROBLEM_DOCUMENT, PW_FMT,
                               PW_ARG(pw_get_text(error, "message")));
    (void)pw_problem_told(&call->problem, error);
    tell_token(call, request);
    return false;
}

bool pw_call_execute(pw_call *call, const char *command)
{
    return pw_call_authorise(call, command) && pw_call_carry_out(call);
}
