/* openapi.c - the OpenAPI 3.1 document: made of the table of routes, the table of commands (who
 * may), and the schemas of openapi/components.json. So it cannot tell of a route that is not there,
 * or leave one out. */
#include "server/api_internal.h"

extern const char pw_openapi_components[];

static void text(pw_buf *out, const char *name, const char *value)
{
    pw_buf_printf(out, "\"%s\":", name);
    pw_json_write_string(out, pw_str_of(value));
}

/* Calls back for each of "a|b|c". */
static void each(const char *list, void (*one)(pw_buf *out, pw_str word, bool first), pw_buf *out)
{
    pw_str rest = pw_str_of(list);
    for (bool first = true; rest.len; first = false) {
        const char *bar = memchr(rest.ptr, '|', rest.len);
        pw_str word = { rest.ptr, bar ? (size_t)(bar - rest.ptr) : rest.len };
        one(out, word, first);
        size_t used = word.len + (bar ? 1 : 0);
        rest = (pw_str){ rest.ptr + used, rest.len - used };
    }
}

/* ---- parameters */

static void write_value(pw_buf *out, pw_str word, bool first)
{
    pw_buf_text(out, first ? "" : ",");
    pw_json_write_string(out, word);
}

static void write_query_schema(pw_buf *out, const pw_query *q)
{
    switch (q->kind) {
    case PW_QUERY_TEXT:
    case PW_QUERY_WAIT:
        pw_buf_text(out, "{\"type\":\"string\"");
        if (q->values) {
            pw_buf_text(out, ",\"enum\":[");
            each(q->values, write_value, out);
            pw_buf_char(out, ']');
        }
        pw_buf_char(out, '}');
        return;
    case PW_QUERY_NUMBER:
        pw_buf_text(out, "{\"type\":\"integer\",\"minimum\":0}");
        return;
    case PW_QUERY_FLAG:
        pw_buf_text(out, "{\"type\":\"boolean\"}");
        return;
    case PW_QUERY_LABEL:
    case PW_QUERY_LIST:
    case PW_QUERY_NAMESPACES:
        pw_buf_text(out, "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}");
        return;
    }
}

static void write_path_parameters(pw_buf *out, const char *path)
{
    for (const char *open = strchr(path, '{'); open; open = strchr(open + 1, '{')) {
        int length = (int)(strchr(open, '}') - open) - 1;
        pw_buf_printf(out,
                      "{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":"
                      "\"string\"}},",
                      length, open + 1);
    }
}

static void write_header(pw_buf *out, const char *name)
{
    pw_buf_printf(out, "{\"$ref\":\"#/components/parameters/%s\"},", name);
}

static void write_parameters(pw_buf *out, const pw_route *route, const pw_command_about *about)
{
    pw_buf_text(out, ",\"parameters\":[");
    write_path_parameters(out, route->path);
    for (const pw_query *q = route->query; q && q->name; q++) {
        pw_buf_text(out, "{\"in\":\"query\",");
        text(out, "name", q->name);
        pw_buf_char(out, ',');
        text(out, "description", q->summary);
        pw_buf_text(out, ",\"schema\":");
        write_query_schema(out, q);
        pw_buf_text(out, "},");
    }
    bool changes = !about || about->changes; /* what any command may do, POST /v1/commands may */
    if (!route->open && changes)
        write_header(out, "IdempotencyKey");
    if (!route->open && changes && (!about || about->scope == PW_SCOPE_INSTANCE))
        write_header(out, "IfMatch");
    if (route->run == pw_api_show)
        write_header(out, "IfNoneMatch");
    write_header(out, "CorrelationId");
    pw_buf_text(out, "{\"$ref\":\"#/components/parameters/Traceparent\"}]");
}

/* ---- bodies */

static void write_ref(pw_buf *out, const char *schema)
{
    pw_buf_printf(out, "{\"$ref\":\"#/components/schemas/%s\"}", schema);
}

static void write_json_body(pw_buf *out, const pw_route *route)
{
    pw_buf_printf(
        out, ",\"requestBody\":{\"required\":%s,\"content\":{\"application/json\":{\"schema\":",
        route->body == PW_BODY_MEMBERS ? "false" : "true");
    if (route->body == PW_BODY_MANY) {
        pw_buf_text(out, "{\"oneOf\":[");
        write_ref(out, route->body_schema);
        pw_buf_text(out, ",{\"type\":\"array\",\"minItems\":1,\"maxItems\":100,\"items\":");
        write_ref(out, route->body_schema);
        pw_buf_text(out, "}]}");
    } else {
        write_ref(out, route->body_schema);
    }
    if (route->body == PW_BODY_PATCH) {
        pw_buf_text(out, "},\"application/json-patch+json\":{\"schema\":");
        write_ref(out, "JsonPatch");
    }
    pw_buf_text(out, "}}}");
}

static void write_body(pw_buf *out, const pw_route *route)
{
    switch (route->body) {
    case PW_BODY_NONE:
        return;
    case PW_BODY_MEMBERS:
    case PW_BODY_NEEDED:
    case PW_BODY_MANY:
    case PW_BODY_PATCH:
        write_json_body(out, route);
        return;
    case PW_BODY_DOCUMENT:
        pw_buf_text(out, ",\"requestBody\":{\"required\":true,\"content\":{\"application/"
                         "yaml\":{\"schema\":{\"type\":\"string\"}},"
                         "\"application/json\":{\"schema\":{\"type\":\"object\"}}}}");
        return;
    case PW_BODY_EVENTS:
        pw_buf_text(out, ",\"requestBody\":{\"required\":true,\"content\":{\"application/"
                         "cloudevents+json\":{\"schema\":");
        write_ref(out, "CloudEvent");
        pw_buf_text(
            out,
            "},\"application/cloudevents-batch+json\":{\"schema\":{\"type\":\"array\",\"items\":");
        write_ref(out, "CloudEvent");
        pw_buf_text(out, "}}}}");
        return;
    }
}

/* ---- answers */

static void write_text_type(pw_buf *out, pw_str type, bool first)
{
    if (!first)
        pw_buf_char(out, ',');
    pw_buf_printf(out, "\"" PW_FMT "\":{\"schema\":{\"type\":\"string\"}}", PW_ARG(type));
}

static void write_answer_schema(pw_buf *out, const pw_route *route)
{
    pw_buf_text(out, "\"application/json\":{\"schema\":");
    if (route->body == PW_BODY_MANY) {
        pw_buf_text(out, "{\"oneOf\":[");
        write_ref(out, route->answer_schema);
        pw_buf_text(out,
                    ",{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"ok\":");
        write_ref(out, route->answer_schema);
        pw_buf_text(out, ",\"error\":");
        write_ref(out, "Error");
        pw_buf_text(out, "},\"additionalProperties\":false}}]}");
    } else {
        write_ref(out, route->answer_schema);
    }
    pw_buf_char(out, '}');
}

static void write_content(pw_buf *out, const pw_route *route)
{
    if (!route->answer_schema && !route->also_types)
        return;
    pw_buf_text(out, ",\"content\":{");
    if (route->answer_schema)
        write_answer_schema(out, route);
    if (route->answer_schema && route->also_types)
        pw_buf_char(out, ',');
    if (route->also_types)
        each(route->also_types, write_text_type, out);
    pw_buf_char(out, '}');
}

static const char *words_of(unsigned status)
{
    switch (status) {
    case 201:
        return "Made";
    case 202:
        return "Taken, and not ended in time";
    case 204:
        return "Done";
    case 304:
        return "As it was";
    default:
        return "Done";
    }
}

static void write_answer(pw_buf *out, const pw_route *route, unsigned status)
{
    pw_buf_printf(out, "\"%u\":{\"description\":\"%s\"", status, words_of(status));
    if (status != 304)
        write_content(out, route);
    pw_buf_text(out, "},");
}

static void write_answers(pw_buf *out, const pw_route *route)
{
    pw_buf_text(out, ",\"responses\":{");
    write_answer(out, route, route->status);
    pw_str rest = pw_str_of(route->also_status);
    for (size_t at = 0; at + 3 <= rest.len; at += 4)
        write_answer(out, route,
                     (unsigned)(100 * (rest.ptr[at] - '0') + 10 * (rest.ptr[at + 1] - '0') +
                                rest.ptr[at + 2] - '0'));
    pw_buf_text(out, "\"default\":{\"$ref\":\"#/components/responses/Problem\"}}");
}

/* ---- who may */

static void write_who(pw_buf *out, const pw_route *route, const pw_command_about *about)
{
    static const char *const where[] = {
        [PW_SCOPE_NONE] = "in any namespace",
        [PW_SCOPE_INSTANCE] = "in the namespace of the instance",
        [PW_SCOPE_DEFINITION] = "in the namespace of the definition",
        [PW_SCOPE_JOB] = "in the namespace of the job's instance",
        [PW_SCOPE_LIST] = "in some namespace; only those where it is held are looked at",
        [PW_SCOPE_STORE] = "in every namespace (`*`)",
    };
    if (route->open)
        pw_buf_text(out, ",\"security\":[],\"description\":\"For everybody, without a token.\"");
    else if (!about)
        pw_buf_text(out, ",\"description\":\"Needs what the command needs.\"");
    else
        pw_buf_printf(out, ",\"description\":\"Needs %s%s %s.%s\"",
                      about->role == PW_ROLE_ANY ? "any role" : "the role ",
                      about->role == PW_ROLE_ANY ? "" : pw_role_name(about->role),
                      where[about->scope],
                      about->own ? " Any role there is enough for what is one's own." : "");
}

/* ---- the document */

static void write_operation(pw_buf *out, const pw_route *route)
{
    static const char *const methods[] = {
        [PW_GET] = "get",     [PW_HEAD] = "head",     [PW_POST] = "post",      [PW_PUT] = "put",
        [PW_PATCH] = "patch", [PW_DELETE] = "delete", [PW_OPTIONS] = "options"
    };
    const pw_command_about *about =
        route->command ? pw_command_find(pw_str_of(route->command)) : NULL;
    pw_buf_printf(out, "\"%s\":{\"operationId\":\"%s\",\"tags\":[\"%s\"],", methods[route->method],
                  route->operation, route->tag);
    text(out, "summary", route->summary);
    write_who(out, route, about);
    write_parameters(out, route, about);
    write_body(out, route);
    write_answers(out, route);
    pw_buf_char(out, '}');
}

/* All methods of the path of `first`, which is the first row with it. */
static void write_path(pw_buf *out, const pw_route *first)
{
    pw_buf_printf(out, "%s\n\"%s\":{", first == pw_routes ? "" : ",", first->path);
    for (const pw_route *route = first; route->path; route++) {
        if (strcmp(route->path, first->path) != 0)
            continue;
        pw_buf_text(out, route == first ? "" : ",");
        write_operation(out, route);
    }
    pw_buf_char(out, '}');
}

static bool is_first(const pw_route *route)
{
    for (const pw_route *before = pw_routes; before < route; before++)
        if (strcmp(before->path, route->path) == 0)
            return false;
    return true;
}

char *pw_openapi(void)
{
    pw_buf out;
    pw_buf_init(&out, 0);
    pw_buf_printf(&out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Pawl\",\"version\":\"%s\",",
                  pawl_version());
    text(&out, "summary",
         "Durable workflows: definitions, instances, people, messages and workers.");
    pw_buf_text(&out, ",\"license\":{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}},"
                      "\"servers\":[{\"url\":\"/\"}],"
                      "\"security\":[{\"token\":[]}],\"paths\":{");
    for (const pw_route *route = pw_routes; route->path; route++)
        if (is_first(route))
            write_path(&out, route);
    pw_buf_text(&out, "},\n\"components\":");
    pw_buf_text(&out, pw_openapi_components);
    pw_buf_text(&out, "}\n");
    char *document = pw_buf_take(&out);
    pw_buf_done(&out);
    return document;
}

PAWL_API pawl_code pawl_server_openapi(char **out, pawl_error *err)
{
    if (!out)
        return pw_fail(err, PAWL_INVALID,
                       "pawl_server_openapi needs somewhere to put the document");
    char *document = pw_openapi();
    if (!document)
        return pw_no_memory(err);
    *out = document;
    return PAWL_OK;
}
