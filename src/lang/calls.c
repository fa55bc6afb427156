/* calls.c - tasks that reach outside: HTTP, user tasks, functions, activities, events. */
#include "lang/lang_internal.h"

static pw_place inside(const pw_nest *nest, const char *what)
{
    return (pw_place){ .scope = nest->scope,
                       .arguments = nest->undoes ? PW_ARGS_EXPORT : PW_ARGS_INSIDE,
                       .what = what };
}

/* ---- call: http */

static const pw_template *compile_method(pw_load *load, const pw_node *node, const pw_path *path)
{
    pw_str method;
    if (!pw_lang_string(load, node, path, &method))
        return NULL;
    char upper[16];
    bool good = method.len > 0 && method.len <= sizeof upper;
    for (size_t i = 0; i < method.len && good; i++) {
        char c = method.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        upper[i] = (char)(c & ~0x20);
    }
    if (!good) {
        pw_str shown = pw_lang_shown(load, method);
        pw_lang_error(load, node, path,
                      "'" PW_FMT "' is no HTTP method; write one like get or post%s", PW_ARG(shown),
                      method.len > 0 && method.ptr[0] == '$' ? " (a constant)" : "");
        return NULL;
    }
    pw_template *out = PW_NEW(load->arena, pw_template);
    out->value = pw_string(load->arena, (pw_str){ upper, method.len });
    return out;
}

static bool starts_without_case(pw_str s, const char *prefix)
{
    size_t len = strlen(prefix);
    if (s.len < len)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = s.ptr[i];
        if ((c >= 'A' && c <= 'Z' ? (char)(c + 32) : c) != prefix[i])
            return false;
    }
    return true;
}

/* A literal URI, in which {name} stands for a member of the input. */
static void check_uri(pw_load *load, const pw_node *node, const pw_path *path)
{
    pw_str uri = node->text;

    pw_str shown = pw_lang_shown(load, uri);
    if (!starts_without_case(uri, "http://") && !starts_without_case(uri, "https://")) {
        pw_lang_error(load, node, path, "'" PW_FMT "' must begin with http:// or https://",
                      PW_ARG(shown));
        return;
    }
    size_t open = uri.len; /* where the template that is being read began */
    for (size_t i = 0; i < uri.len; i++) {
        char c = uri.ptr[i];
        const char *wrong = NULL;
        if (c == '{')
            wrong = open < uri.len ? "a second '{' before '}'" : NULL;
        else if (c == '}')
            wrong = open == uri.len ? "a '}' without '{'"
                    : i == open + 1 ? "no name in '{}'"
                                    : NULL;
        else if ((uint8_t)c <= ' ' || c == 0x7f)
            wrong = "a blank";
        else if (open < uri.len && i == open + 1 && strchr("+#./;?&=,!@|", c))
            wrong = "an operator of URI templates; only {name} is known";
        if (wrong) {
            pw_lang_report(load, PAWL_FINDING_VALUE, pw_lang_inside(load, node, i), path,
                           "this URI has %s", wrong);
            return;
        }
        if (c == '{')
            open = i;
        else if (c == '}')
            open = uri.len;
    }
    if (open < uri.len)
        pw_lang_report(load, PAWL_FINDING_VALUE, pw_lang_inside(load, node, open), path,
                       "this URI has a '{' without '}'");
}

static void compile_authentication(pw_load *load, pw_task *task, const pw_node *node,
                                   const pw_path *path, const pw_nest *nest)
{
    static const pw_rule rules[] = { { "basic", NULL },
                                     { "bearer", NULL },
                                     { "digest", "authentication.digest" },
                                     { "oauth2", "authentication.oauth2" },
                                     { "oidc", "authentication.oidc" },
                                     { "use", "authentication.use" } };
    static const pw_rule basic_rules[] = { { "username", NULL },
                                           { "password", NULL },
                                           { "use", "authentication.basic.use" } };
    static const pw_rule bearer_rules[] = { { "token", NULL },
                                            { "use", "authentication.bearer.use" } };
    pw_place place = inside(nest, "'authentication'");
    if (nest->undoes) /* evaluated when it is sent, and not stored with the arguments */
        place = (pw_place){ .arguments = PW_ARGS_BEFORE, .what = "'authentication'" };
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    if (node->count != 1) {
        pw_lang_error(load, node, path, "'authentication' must be exactly one of basic and bearer");
        return;
    }
    const pw_node *basic = pw_lang_get(node, "basic"), *bearer = pw_lang_get(node, "bearer");
    const pw_path *step = PW_STEP(path, "basic");
    if (pw_lang_is_map(load, basic, step)) {
        pw_lang_members(load, basic, step, basic_rules, PW_LENGTH(basic_rules));
        if (!pw_lang_get(basic, "use")) {
            task->as.http.user = pw_lang_text(load, pw_lang_require(load, basic, step, "username"),
                                              PW_STEP(step, "username"), &place);
            task->as.http.password =
                pw_lang_text(load, pw_lang_require(load, basic, step, "password"),
                             PW_STEP(step, "password"), &place);
        }
    }
    step = PW_STEP(path, "bearer");
    if (pw_lang_is_map(load, bearer, step)) {
        pw_lang_members(load, bearer, step, bearer_rules, PW_LENGTH(bearer_rules));
        if (!pw_lang_get(bearer, "use"))
            task->as.http.token = pw_lang_text(load, pw_lang_require(load, bearer, step, "token"),
                                               PW_STEP(step, "token"), &place);
    }
}

static void compile_endpoint(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                             const pw_nest *nest)
{
    static const pw_rule rules[] = { { "uri", NULL }, { "authentication", NULL } };
    pw_place place = inside(nest, "'endpoint'");
    if (!node)
        return;
    const pw_node *uri = node;
    pw_path uri_path = *path;
    if (node->kind == PW_NODE_MAP) {
        pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
        uri = pw_lang_require(load, node, path, "uri");
        uri_path = (pw_path){ .up = path, .key = PW_LIT("uri") };
        compile_authentication(load, task, pw_lang_get(node, "authentication"),
                               PW_STEP(path, "authentication"), nest);
    } else if (!pw_lang_is_string(node)) {
        pw_lang_found(load, PAWL_FINDING_TYPE, node, path,
                      "'endpoint' must be a URI or an object with 'uri', not %s",
                      pw_lang_type(node));
        return;
    }
    if (uri && pw_lang_is_string(uri) && !pw_str_starts(uri->text, PW_LIT("${"))) {
        const char *inner = memmem(uri->text.ptr, uri->text.len, "${", 2);
        if (inner && inner > uri->text.ptr && inner[-1] != ' ') {
            pw_lang_report(
                load, PAWL_FINDING_VALUE,
                pw_lang_inside(load, uri, (size_t)(inner - uri->text.ptr)), &uri_path,
                "'${' cannot stand within a URI: write {name} for a member of the input, "
                "or make all of it one expression");
            return;
        }
    }
    const pw_template *out = pw_lang_text(load, uri, &uri_path, &place);
    task->as.http.endpoint = out;
    if (out && out->kind == PW_TEMPLATE_CONST)
        check_uri(load, uri, &uri_path);
}

/* headers, query: an object of strings, or one expression. */
static const pw_template *compile_strings(pw_load *load, const pw_node *with, const pw_path *path,
                                          const char *member, const pw_nest *nest)
{
    const pw_node *node = pw_lang_get(with, member);
    pw_path step = { .up = path, .key = pw_str_of(member) };
    pw_place place = inside(nest, member);
    if (!node)
        return NULL;
    pw_str text;
    if (node->kind == PW_NODE_MAP) {
        for (uint32_t i = 0; i < node->count; i++)
            (void)pw_lang_string(load, node->pairs[i].value, PW_STEP_KEY(&step, node->pairs[i].key),
                                 &text);
        return pw_lang_template(load, node, &step, &place);
    }
    const pw_template *out =
        pw_lang_is_string(node) ? pw_lang_template(load, node, &step, &place) : NULL;
    if (!out || (out->kind == PW_TEMPLATE_CONST &&
                 pw_lang_wrapped(load, node, &step, &place, &text) == PW_WRAPPED_NO)) {
        pw_lang_error(load, node, &step,
                      "'%s' must be an object of strings or one expression in ${ }", member);
        return NULL;
    }
    return out;
}

static void compile_http(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                         const pw_nest *nest)
{
    static const pw_rule rules[] = { { "method", NULL },  { "endpoint", NULL }, { "headers", NULL },
                                     { "query", NULL },   { "body", NULL },     { "output", NULL },
                                     { "redirect", NULL } };
    static const char *const outputs[] = { "content", "raw", "response" };
    task->kind = PW_TASK_HTTP;
    const pw_node *with = pw_lang_require(load, node, path, "with");
    const pw_path *step = PW_STEP(path, "with");
    if (!pw_lang_is_map(load, with, step))
        return;
    pw_lang_members(load, with, step, rules, PW_LENGTH(rules));
    pw_place place = inside(nest, "'body'");
    task->as.http.method =
        compile_method(load, pw_lang_require(load, with, step, "method"), PW_STEP(step, "method"));
    compile_endpoint(load, task, pw_lang_require(load, with, step, "endpoint"),
                     PW_STEP(step, "endpoint"), nest);
    task->as.http.headers = compile_strings(load, with, step, "headers", nest);
    task->as.http.query = compile_strings(load, with, step, "query", nest);
    task->as.http.body =
        pw_lang_template(load, pw_lang_get(with, "body"), PW_STEP(step, "body"), &place);
    (void)pw_lang_bool(load, pw_lang_get(with, "redirect"), PW_STEP(step, "redirect"),
                       &task->as.http.redirect);
    pw_str output;
    const pw_node *output_node = pw_lang_get(with, "output");
    if (!pw_lang_string(load, output_node, PW_STEP(step, "output"), &output))
        return;
    for (size_t i = 0; i < PW_LENGTH(outputs); i++) {
        if (pw_str_is(output, outputs[i])) {
            task->as.http.output = (pw_http_output)i;
            return;
        }
    }
    pw_str shown = pw_lang_shown(load, output);
    pw_lang_error(load, output_node, PW_STEP(step, "output"),
                  "'output' must be content, raw or response, not '" PW_FMT "'", PW_ARG(shown));
}

/* ---- call: userTask */

/* A list of names, or an expression that gives one; items may be expressions. */
static void check_names(pw_load *load, const pw_node *map, const pw_path *path, const char *member)
{
    const pw_node *node = pw_lang_get(map, member);
    pw_path step = { .up = path, .key = pw_str_of(member) };
    pw_str text;
    if (!node)
        return;
    if (node->kind == PW_NODE_LIST) {
        for (uint32_t i = 0; i < node->count; i++)
            (void)pw_lang_string(load, node->items[i], PW_STEP_AT(&step, i), &text);
    } else if (!pw_lang_may_compute(load, node)) {
        pw_lang_found(load, PAWL_FINDING_TYPE, node, &step, "'%s' must be a list of names, not %s",
                      member, pw_lang_type(node));
    }
}

static void check_candidates(pw_load *load, const pw_node *node, const pw_path *path)
{
    static const pw_rule rules[] = { { "users", NULL }, { "groups", NULL } };
    if (!node || pw_lang_may_compute(load, node))
        return;
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    check_names(load, node, path, "users");
    check_names(load, node, path, "groups");
}

/* The schema of the answer; PW_NONE: there is none, or it is known only when the task begins. */
static pw_value compile_form(pw_load *load, const pw_node *node, const pw_path *path)
{
    static const pw_rule rules[] = { { "schema", NULL } };
    if (!node || pw_lang_may_compute(load, node) || !pw_lang_is_map(load, node, path))
        return (pw_value){ 0 };
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    const pw_node *schema = pw_lang_get(node, "schema");
    if (!schema || schema->expressive || load->loose)
        return (pw_value){ 0 };
    return pw_lang_schema(load, schema, PW_STEP(path, "schema"));
}

/* An instant, or a duration from when the task begins. */
static void check_due(pw_load *load, const pw_node *due, const pw_path *path, const pw_place *place)
{
    int64_t at;
    bool instant = due && pw_lang_is_string(due) && !due->expressive &&
                   pw_moment_parse(&at, due->text, NULL) == PAWL_OK;
    if (!instant)
        (void)pw_lang_duration(load, due, path, place);
}

static void compile_user(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                         const pw_nest *nest)
{
    static const pw_rule rules[] = { { "assignedTo", NULL }, { "candidates", NULL },
                                     { "title", NULL },      { "form", NULL },
                                     { "due", NULL },        { "overdueAfter", NULL },
                                     { "priority", NULL },   { "data", NULL },
                                     { "key", NULL } };
    static const char *const texts[] = { "assignedTo", "title", "key" };
    task->kind = PW_TASK_USER;
    const pw_node *with = pw_lang_get(node, "with");
    const pw_path *step = PW_STEP(path, "with");
    if (!pw_lang_is_map(load, with, step))
        return;
    pw_place place = inside(nest, "'with'");
    pw_lang_members(load, with, step, rules, PW_LENGTH(rules));
    for (size_t i = 0; i < PW_LENGTH(texts); i++) {
        pw_str text;
        (void)pw_lang_string(load, pw_lang_get(with, texts[i]), PW_STEP(step, texts[i]), &text);
    }
    check_candidates(load, pw_lang_get(with, "candidates"), PW_STEP(step, "candidates"));
    task->as.user.form = compile_form(load, pw_lang_get(with, "form"), PW_STEP(step, "form"));
    check_due(load, pw_lang_get(with, "due"), PW_STEP(step, "due"), &place);
    const pw_node *overdue = pw_lang_get(with, "overdueAfter");
    (void)pw_lang_duration(load, overdue, PW_STEP(step, "overdueAfter"), &place);
    if (overdue && !pw_lang_get(with, "due"))
        pw_lang_found(load, PAWL_FINDING_NO_EFFECT, pw_lang_key(with, "overdueAfter"), step,
                      "'overdueAfter' has no effect without 'due'");
    const pw_node *priority = pw_lang_get(with, "priority");
    int64_t number;
    if (priority && !pw_lang_may_compute(load, priority))
        (void)pw_lang_integer(load, priority, PW_STEP(step, "priority"), INT32_MIN, INT32_MAX,
                              &number);
    task->as.user.with = pw_lang_template(load, with, step, &place);
}

/* ---- call: any other name */

static void add_activity(pw_load *load, pw_str name)
{
    uint32_t first;
    if (!pw_index_add(load, &load->activity_index, name, 0, &first))
        return;
    if (load->activity_count == load->activity_size) {
        uint32_t size = load->activity_size ? load->activity_size * 2 : 16;
        load->activities =
            pw_arena_grow(&load->scratch, load->activities, load->activity_size * sizeof(pw_str),
                          size * sizeof(pw_str));
        load->activity_size = size;
    }
    load->activities[load->activity_count++] = name;
}

static void compile_function(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                             const pw_nest *nest, pw_str name)
{
    const pw_node *with = pw_lang_get(node, "with");
    const pw_path *step = PW_STEP(path, "with");
    pw_place place = inside(nest, "'with'");
    if (pw_lang_is_map(load, with, step))
        task->as.call.with = pw_lang_template(load, with, step, &place);
    task->as.call.name = name;
    int64_t at;
    if (pw_integer(pw_get(load->functions.index, name), &at)) {
        load->functions.items[at].used = true;
        task->kind = PW_TASK_FUNCTION;
        task->as.call.body = load->functions.items[at].task;
        return;
    }
    task->kind = PW_TASK_ACTIVITY;
    add_activity(load, name);
    if (load->findings->portable)
        pw_lang_found(load, PAWL_FINDING_NOT_PORTABLE, pw_lang_get(node, "call"),
                      PW_STEP(path, "call"),
                      "only pawl looks for '" PW_FMT "' among the functions of its process",
                      PW_ARG(pw_lang_shown(load, name)));
    pw_nearest nearest = pw_nearest_to(name);
    for (uint32_t i = 0; i < load->functions.count && load->tries < PW_TRIES_MAX; i++)
        pw_nearest_try(load, &nearest, load->functions.items[i].key->text);
    static const char *const builtin[] = { "http",    "userTask", "compensate",
                                           "openapi", "grpc",     "asyncapi" };
    for (size_t i = 0; i < PW_LENGTH(builtin); i++)
        pw_nearest_try(load, &nearest, pw_str_of(builtin[i]));
    if (nearest.distance == UINT32_MAX)
        return;
    pw_str shown = pw_lang_shown(load, name), hint = pw_nearest_hint(load, &nearest);
    pw_lang_found(load, PAWL_FINDING_EXTERNAL, pw_lang_get(node, "call"), PW_STEP(path, "call"),
                  "'" PW_FMT "' will be looked for among the functions of the process" PW_FMT,
                  PW_ARG(shown), PW_ARG(hint));
}

/* userTask, userTask:1.0.0@default; *rest is what stands behind the name. */
static bool is_ours(pw_str name, const char *ours, pw_str *rest)
{
    pw_str prefix = pw_str_of(ours);
    if (!pw_str_starts(name, prefix) ||
        (name.len > prefix.len && !strchr(":@", name.ptr[prefix.len])))
        return false;
    *rest = (pw_str){ name.ptr + prefix.len, name.len - prefix.len };
    return true;
}

/* metadata.pawl.priority */
static void compile_priority(pw_load *load, pw_task *task, const pw_node *node,
                             const pw_path *path)
{
    const pw_node *ours = pw_lang_get(pw_lang_get(node, "metadata"), "pawl");
    const pw_node *priority = pw_lang_get(ours, "priority");
    const pw_path *step = PW_STEP(PW_STEP(PW_STEP(path, "metadata"), "pawl"), "priority");
    int64_t number;
    if (!priority)
        return;
    if (task->kind != PW_TASK_ACTIVITY)
        pw_lang_error(load, priority, step,
                      task->kind == PW_TASK_USER
                          ? "the priority of a user task stands in 'with'"
                          : "'priority' is of tasks that call an activity");
    else if (pw_lang_integer(load, priority, step, INT32_MIN, INT32_MAX, &number))
        task->as.call.priority = (int32_t)number;
}

/* A function of ours, by its two names. */
static void check_ours(pw_load *load, const pw_node *call, const pw_path *path, const char *name,
                       pw_str rest)
{
    pw_str shown = pw_lang_shown(load, call->text);
    if (rest.len > 0 && !pw_str_is(rest, ":1.0.0@default"))
        pw_lang_error(load, call, path, "'" PW_FMT "' is not known; write %s or %s:1.0.0@default",
                      PW_ARG(shown), name, name);
    if (load->findings->portable)
        pw_lang_found(load, PAWL_FINDING_NOT_PORTABLE, call, path, "only pawl knows 'call: %s'",
                      name);
}

static void compile_call(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                         const pw_nest *nest)
{
    static const char *const later[] = { "openapi", "grpc", "asyncapi", "a2a", "mcp" };
    const pw_node *call = pw_lang_get(node, "call");
    const pw_path *step = PW_STEP(path, "call");
    pw_str name, rest;
    if (!pw_lang_string(load, call, step, &name))
        return;
    for (size_t i = 0; i < PW_LENGTH(later); i++) {
        if (pw_str_is(name, later[i])) {
            pw_str what = pw_arena_printf(&load->scratch, "call: %s", later[i]);
            pw_lang_not_yet(load, call, step, what.ptr);
            return;
        }
    }
    if (pw_str_is(name, "http")) {
        compile_http(load, task, node, path, nest);
    } else if (is_ours(name, "userTask", &rest)) {
        check_ours(load, call, step, "userTask", rest);
        compile_user(load, task, node, path, nest);
    } else if (is_ours(name, "compensate", &rest)) {
        check_ours(load, call, step, "compensate", rest);
        pw_lang_compensate(load, task, node, path);
    } else if (name.len == 0 || memmem(name.ptr, name.len, "${", 2)) {
        pw_lang_error(load, call, step, "'call' must be the name of a function%s",
                      name.len ? ", not an expression" : "");
    } else if (memmem(name.ptr, name.len, "://", 3)) {
        pw_lang_not_yet(load, call, step, "call: <URL of a function>");
    } else if (memchr(name.ptr, ':', name.len) || memchr(name.ptr, '@', name.len)) {
        pw_lang_not_yet(load, call, step, "call: <name>:<version>@<catalog>");
    } else {
        compile_function(load, task, node, path, nest, name);
    }
}

void pw_lang_call(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                  const pw_nest *nest)
{
    compile_call(load, task, node, path, nest);
    compile_priority(load, task, node, path);
    pw_lang_resilience(load, task, node, path, nest);
}

/* ---- emit */

static void check_event(pw_load *load, const pw_node *with, const pw_path *path)
{
    static const char *const texts[] = {
        "id", "source", "type", "time", "subject", "datacontenttype", "dataschema", "specversion"
    };
    pw_str text;
    for (size_t i = 0; i < PW_LENGTH(texts); i++) {
        const pw_node *node = pw_lang_get(with, texts[i]);
        if (pw_lang_string(load, node, PW_STEP(path, texts[i]), &text) && text.len == 0)
            pw_lang_error(load, node, PW_STEP(path, texts[i]), "'%s' must not be empty", texts[i]);
    }
    const pw_node *version = pw_lang_get(with, "specversion");
    if (pw_lang_is_string(version) && !pw_lang_may_compute(load, version) &&
        !pw_str_is(version->text, "1.0"))
        pw_lang_error(load, version, PW_STEP(path, "specversion"), "'specversion' must be \"1.0\"");
    (void)pw_lang_require(load, with, path, "type");
}

void pw_lang_emit(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                  const pw_nest *nest)
{
    static const pw_rule emit_rules[] = { { "event", NULL } };
    const pw_node *emit = pw_lang_get(node, "emit");
    const pw_path *step = PW_STEP(path, "emit");
    pw_place place = inside(nest, "'with'");
    if (!pw_lang_is_map(load, emit, step))
        return;
    pw_lang_members(load, emit, step, emit_rules, PW_LENGTH(emit_rules));
    const pw_node *event = pw_lang_require(load, emit, step, "event");
    const pw_path *event_path = PW_STEP(step, "event");
    if (!pw_lang_is_map(load, event, event_path))
        return;
    for (uint32_t i = 0; i < event->count; i++) { /* the schema leaves this object open */
        const pw_node *key = event->pairs[i].key;
        if (pw_str_is(key->text, "with"))
            continue;
        pw_str shown = pw_lang_shown(load, key->text);
        pw_lang_found(load, PAWL_FINDING_NO_EFFECT, key, PW_STEP_KEY(event_path, key),
                      "'" PW_FMT "' has no effect here; what the event holds stands in 'with'",
                      PW_ARG(shown));
    }
    const pw_node *with = pw_lang_require(load, event, event_path, "with");
    const pw_path *with_path = PW_STEP(event_path, "with");
    if (!pw_lang_is_map(load, with, with_path))
        return;
    check_event(load, with, with_path);
    task->as.event = pw_lang_template(load, with, with_path, &place);
}
