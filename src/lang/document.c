/* document.c - the members at the top of a workflow document. */
#include "lang/lang_internal.h"

/* ---- document */

static bool identifier(pw_load *load, const pw_node *map, const pw_path *path, const char *member,
                       pw_str *out)
{
    const pw_node *node = pw_lang_require(load, map, path, member);
    if (!pw_lang_string(load, node, PW_STEP(path, member), out))
        return false;
    if (pw_is_dns_label(*out))
        return true;
    pw_str shown = pw_lang_shown(load, *out);
    pw_lang_error(
        load, node, PW_STEP(path, member),
        "'%s' must be 1 to %u letters, digits and '-', with no '-' at its ends, not '" PW_FMT "'",
        member, PW_NAME_MAX, PW_ARG(shown));
    return false;
}

static void check_dsl(pw_load *load, const pw_node *map, const pw_path *path)
{
    const pw_node *node = pw_lang_require(load, map, path, "dsl");
    const pw_path *step = PW_STEP(path, "dsl");
    uint32_t major, minor;
    pw_str prerelease;
    if (!pw_lang_string(load, node, step, &load->program->dsl))
        return;
    pw_str shown = pw_lang_shown(load, load->program->dsl);
    if (!pw_is_semver(load->program->dsl, &major, &minor, &prerelease) || major != 1 ||
        minor != 0) {
        pw_lang_error(load, node, step,
                      "'dsl' must be a version 1.0.x of the language, like 1.0.3, not '" PW_FMT "'",
                      PW_ARG(shown));
        return;
    }
    if (prerelease.len > 0)
        pw_lang_found(load, PAWL_FINDING_DSL, node, step,
                      "'" PW_FMT "' came before the language's release; it is read as 1.0.3",
                      PW_ARG(shown));
}

static void check_version(pw_load *load, const pw_node *map, const pw_path *path)
{
    const pw_node *node = pw_lang_require(load, map, path, "version");
    const pw_path *step = PW_STEP(path, "version");
    uint32_t major, minor;
    pw_str prerelease;
    if (!pw_lang_string(load, node, step, &load->program->version) ||
        pw_is_semver(load->program->version, &major, &minor, &prerelease))
        return;
    pw_str shown = pw_lang_shown(load, load->program->version);
    pw_lang_error(load, node, step,
                  "'version' must be a semantic version like 1.0.0, not '" PW_FMT "'",
                  PW_ARG(shown));
}

static void compile_head(pw_load *load, const pw_node *root)
{
    static const pw_rule rules[] = { { "dsl", NULL },   { "namespace", NULL },
                                     { "name", NULL },  { "version", NULL },
                                     { "title", NULL }, { "summary", NULL },
                                     { "tags", NULL },  { "metadata", NULL } };
    const pw_node *node = pw_lang_require(load, root, NULL, "document");
    const pw_path *path = PW_STEP(NULL, "document");
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    check_dsl(load, node, path);
    (void)identifier(load, node, path, "namespace", &load->program->namespace_);
    (void)identifier(load, node, path, "name", &load->program->name);
    check_version(load, node, path);
    pw_str summary;
    (void)pw_lang_string(load, pw_lang_get(node, "title"), PW_STEP(path, "title"),
                         &load->program->title);
    (void)pw_lang_string(load, pw_lang_get(node, "summary"), PW_STEP(path, "summary"), &summary);
    (void)pw_lang_is_map(load, pw_lang_get(node, "tags"), PW_STEP(path, "tags"));
    pw_lang_metadata(load, pw_lang_get(node, "metadata"), PW_STEP(path, "metadata"),
                     PW_METADATA_OF_DOCUMENT);
}

/* ---- use */

static void collect(pw_load *load, pw_names *names, const pw_node *use, const pw_path *path,
                    const char *member, const char *what)
{
    names->member = member;
    names->what = what;
    names->index = pw_null();
    const pw_node *node = pw_lang_get(use, member);
    if (!pw_lang_is_map(load, node, path))
        return;
    names->items = PW_NEW_ARRAY(&load->scratch, pw_named, node->count ? node->count : 1);
    pw_member *members = PW_NEW_ARRAY(&load->scratch, pw_member, node->count ? node->count : 1);
    for (uint32_t i = 0; i < node->count; i++) {
        const pw_pair *pair = &node->pairs[i];
        names->items[i] = (pw_named){ .key = pair->key, .node = pair->value, .path = path };
        members[i] = (pw_member){ pair->key->text, pw_int(i) };
    }
    names->count = node->count;
    names->index = pw_object_of(&load->scratch, members, node->count);
}

static void check_function_name(pw_load *load, const pw_node *key, const pw_path *path)
{
    static const char *const taken[] = { "http", "openapi", "grpc",     "asyncapi",
                                         "a2a",  "mcp",     "userTask", "compensate" };
    pw_str shown = pw_lang_shown(load, key->text);
    for (size_t i = 0; i < PW_LENGTH(taken); i++) {
        if (pw_str_is(key->text, taken[i]))
            pw_lang_error(load, key, path,
                          "a function cannot be named '%s': `call: %s` means something else",
                          taken[i], taken[i]);
    }
    if (key->text.len == 0 || memchr(key->text.ptr, ':', key->text.len) ||
        memchr(key->text.ptr, '@', key->text.len))
        pw_lang_error(load, key, path,
                      "'" PW_FMT "' is no name for a function: no ':' or '@', and not empty",
                      PW_ARG(shown));
}

static void compile_functions(pw_load *load, const pw_node *node, const pw_path *path)
{
    pw_names *functions = &load->functions;
    pw_tasks alone = { .node = node };
    pw_nest nest = { .list = &alone };
    for (uint32_t i = 0; i < functions->count; i++) /* one may call another that stands behind it */
        functions->items[i].task = pw_lang_task_new(load, functions->items[i].key);
    for (uint32_t i = 0; i < functions->count; i++) {
        pw_named *named = &functions->items[i];
        const pw_path *step = PW_STEP_KEY(path, named->key);
        check_function_name(load, named->key, step);
        pw_lang_task(load, named->task, named->node, step, &nest);
    }
}

/* What nobody refers to is checked all the same, as if it stood in the most common place. */
static void check_unused(pw_load *load)
{
    pw_scope error = { .name = PW_LIT("error"), .slot = PW_SLOT_LEXICAL };
    pw_place place = { .arguments = PW_ARGS_INSIDE, .what = "'use'" };
    for (uint32_t i = 0; i < load->errors.count; i++) {
        const pw_named *named = &load->errors.items[i];
        pw_error_template unused = { 0 };
        if (!named->used)
            pw_lang_error_object(load, &unused, named->node, PW_STEP_KEY(named->path, named->key),
                                 &place);
    }
    for (uint32_t i = 0; i < load->timeouts.count; i++) {
        /* the shape is checked here for all, the duration where it is used */
        const pw_named *named = &load->timeouts.items[i];
        const pw_path *step = PW_STEP_KEY(named->path, named->key);
        static const pw_rule rules[] = { { "after", NULL } };
        if (!pw_lang_is_map(load, named->node, step))
            continue;
        pw_lang_members(load, named->node, step, rules, PW_LENGTH(rules));
        const pw_node *after = pw_lang_require(load, named->node, step, "after");
        pw_place before = { .arguments = PW_ARGS_BEFORE, .what = "'timeout'" };
        if (!named->used)
            (void)pw_lang_duration(load, after, PW_STEP(step, "after"), &before);
    }
    place.scope = &error;
    for (uint32_t i = 0; i < load->retries.count; i++) {
        const pw_named *named = &load->retries.items[i];
        if (!named->used)
            (void)pw_lang_retry(load, named->node, PW_STEP_KEY(named->path, named->key), &place);
    }
}

/* ---- evaluate */

static void check_evaluate(pw_load *load, const pw_node *root)
{
    static const pw_rule rules[] = { { "language", NULL }, { "mode", NULL } };
    const pw_node *node = pw_lang_get(root, "evaluate");
    const pw_path *path = PW_STEP(NULL, "evaluate");
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    const pw_node *language = pw_lang_get(node, "language"), *mode = pw_lang_get(node, "mode");
    pw_str text;
    if (pw_lang_string(load, language, PW_STEP(path, "language"), &text) &&
        !pw_str_is(text, "jq")) {
        pw_str what = pw_arena_printf(&load->scratch, "evaluate.language: " PW_FMT,
                                      PW_ARG(pw_lang_shown(load, text)));
        pw_lang_not_yet(load, language, PW_STEP(path, "language"), what.ptr);
    }
    if (!pw_lang_string(load, mode, PW_STEP(path, "mode"), &text) || pw_str_is(text, "strict"))
        return;
    if (pw_str_is(text, "loose")) {
        load->loose = true;
        pw_lang_found(load, PAWL_FINDING_LOOSE, mode, PW_STEP(path, "mode"),
                      "in loose mode every text that compiles is an expression: `now`, `null`, "
                      "`42`, `.` and the names of jq's functions are no text any more");
        return;
    }
    pw_str shown = pw_lang_shown(load, text);
    pw_lang_error(load, mode, PW_STEP(path, "mode"),
                  "'mode' must be strict or loose, not '" PW_FMT "'", PW_ARG(shown));
}

/* The schema leaves the root open: other members are allowed there, and mean nothing. */
static void check_root(pw_load *load, const pw_node *root)
{
    static const char *const known[] = { "document", "input",  "use",      "do",
                                         "timeout",  "output", "schedule", "evaluate" };
    for (uint32_t i = 0; i < root->count; i++) {
        const pw_node *key = root->pairs[i].key;
        pw_nearest nearest = pw_nearest_to(key->text);
        bool found = false;
        for (size_t j = 0; j < PW_LENGTH(known); j++) {
            found = found || pw_str_is(key->text, known[j]);
            pw_nearest_try(load, &nearest, pw_str_of(known[j]));
        }
        if (found)
            continue;
        pw_str shown = pw_lang_shown(load, key->text), hint = pw_nearest_hint(load, &nearest);
        if (hint.len > 0)
            pw_lang_found(load, PAWL_FINDING_UNKNOWN_MEMBER, key, PW_STEP_KEY(NULL, key),
                          "unknown member '" PW_FMT "'" PW_FMT, PW_ARG(shown), PW_ARG(hint));
        else
            pw_lang_found(load, PAWL_FINDING_NO_EFFECT, key, PW_STEP_KEY(NULL, key),
                          "'" PW_FMT "' has no effect", PW_ARG(shown));
    }
}

/* ---- errors in the spelling of the document */

static const char *spelling_in(pw_str text)
{
    static const char *const spellings[] = {
        PW_ERROR_HOST,
        PW_ERROR_HOST_OLD,
        "https://open-workflow-specification.org/dsl/errors/types/",
        "https://serverlessworkflow.io/dsl/errors/types/",
    };
    for (size_t i = 0; i < PW_LENGTH(spellings); i++) {
        if (memmem(text.ptr, text.len, spellings[i], strlen(spellings[i])))
            return spellings[i];
    }
    return NULL;
}

/* The first one in the document; recursion is bounded by PW_LANG_DEPTH_MAX, breadth by
 * PW_LANG_VALUES_MAX. */
static const char *find_spelling(const pw_node *node)
{
    if (node->kind == PW_NODE_SCALAR)
        return pw_is(node->value, PW_STRING) ? spelling_in(node->text) : NULL;
    const char *found = NULL;
    for (uint32_t i = 0; i < node->count && !found; i++)
        found = find_spelling(node->kind == PW_NODE_MAP ? node->pairs[i].value : node->items[i]);
    return found;
}

void pw_lang_document(pw_load *load)
{
    static const pw_rule use_rules[] = { { "functions", NULL },
                                         { "errors", NULL },
                                         { "retries", NULL },
                                         { "timeouts", NULL },
                                         { "authentications", "use.authentications" },
                                         { "catalogs", "use.catalogs" },
                                         { "extensions", "use.extensions" },
                                         { "secrets", "use.secrets" } };
    const pw_node *root = load->root;
    if (!pw_lang_is_map(load, root, NULL))
        return;
    pw_program *program = load->program;
    program->document = root->value;
    const char *spelling = find_spelling(root);
    program->error_base = pw_str_of(spelling ? spelling : PW_ERROR_HOST);
    check_root(load, root);
    compile_head(load, root);
    check_evaluate(load, root);

    const pw_node *use = pw_lang_get(root, "use");
    const pw_path *use_path = PW_STEP(NULL, "use");
    if (use && pw_lang_is_map(load, use, use_path))
        pw_lang_members(load, use, use_path, use_rules, PW_LENGTH(use_rules));
    /* not literals in the calls: named entries keep these paths */
    const pw_path functions = { .up = use_path, .key = PW_LIT("functions") };
    const pw_path errors = { .up = use_path, .key = PW_LIT("errors") };
    const pw_path retries = { .up = use_path, .key = PW_LIT("retries") };
    const pw_path timeouts = { .up = use_path, .key = PW_LIT("timeouts") };
    collect(load, &load->functions, use, &functions, "functions", "function");
    collect(load, &load->errors, use, &errors, "errors", "error");
    collect(load, &load->retries, use, &retries, "retries", "retry policy");
    collect(load, &load->timeouts, use, &timeouts, "timeouts", "timeout");

    pw_place place = { .arguments = PW_ARGS_WORKFLOW, .what = "the workflow's 'input.from'" };
    program->input_from =
        pw_lang_shaped(load, root, NULL, "input", "from", &place, &program->schemas.input);
    place.what = "the workflow's 'timeout'";
    program->timeout =
        pw_lang_timeout(load, pw_lang_get(root, "timeout"), PW_STEP(NULL, "timeout"), &place);
    place.arguments = PW_ARGS_WORKFLOW_END;
    place.what = "the workflow's 'output.as'";
    program->output_as =
        pw_lang_shaped(load, root, NULL, "output", "as", &place, &program->schemas.output);

    compile_functions(load, pw_lang_get(use, "functions"), &functions);
    pw_nest nest = { 0 };
    program->body = pw_lang_list(load, pw_lang_require(load, root, NULL, "do"), PW_STEP(NULL, "do"),
                                 &nest, false);
    check_unused(load);
    const pw_node *metadata = pw_lang_get(pw_lang_get(root, "document"), "metadata");
    program->on_fault =
        pw_lang_on_fault(load, metadata, PW_STEP(PW_STEP(NULL, "document"), "metadata"));
    pw_lang_schedule(load, root);
    pw_lang_compensation_end(load); /* the last of the tasks */
    pw_lang_on_fault_end(load);
}
