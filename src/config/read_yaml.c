/* read_yaml.c - YAML with lines, by libyaml: plain values by the core schema of YAML 1.2, as far as
 * settings need it (null, booleans, decimal numbers; `on`, `yes` and 00:00:10 are text). What a
 * configuration does not need is refused by name: tags, anchors, a second document, a name twice in
 * a section. */
#include <yaml.h>
#include "config/read_internal.h"
#include "base/value.h"

typedef struct reader { /* in the arena: it outlives a jump to the guard */
    yaml_parser_t parser;
    yaml_event_t event; /* the one that was read last */
    bool has_event;
    uint32_t line; /* of that */
    pw_arena *arena;
    jmp_buf *guard; /* of who called us */
} reader;

static pawl_code trouble(reader *r, pawl_error *err)
{
    const yaml_parser_t *parser = &r->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return pw_no_memory(err);
    r->line = (uint32_t)parser->problem_mark.line + 1;
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    if (parser->error == YAML_READER_ERROR) {
        r->line = 0;
        return pw_fail(err, PAWL_INVALID, "not YAML: %s", problem);
    }
    return parser->context ? pw_fail(err, PAWL_INVALID, "not YAML: %s, %s that began on line %zu",
                                     problem, parser->context, parser->context_mark.line + 1)
                           : pw_fail(err, PAWL_INVALID, "not YAML: %s", problem);
}

static pawl_code refuse_properties(const yaml_char_t *anchor, const yaml_char_t *tag,
                                   pawl_error *err)
{
    if (anchor)
        return pw_fail(err, PAWL_INVALID, "anchors are not supported: write '&%.64s' out",
                       (const char *)anchor);
    if (tag)
        return pw_fail(err, PAWL_INVALID, "tags are not supported: leave '%.64s' out",
                       (const char *)tag);
    return PAWL_OK;
}

static void drop_event(reader *r)
{
    if (r->has_event)
        yaml_event_delete(&r->event);
    r->has_event = false;
}

/* The next event is in r->event, the one before it is gone. */
static pawl_code next(reader *r, pawl_error *err)
{
    drop_event(r);
    if (!yaml_parser_parse(&r->parser, &r->event))
        return trouble(r, err);
    r->has_event = true;
    r->line = (uint32_t)r->event.start_mark.line + 1;
    switch ((int)r->event.type) {
    case YAML_ALIAS_EVENT:
        return pw_fail(err, PAWL_INVALID, "aliases are not supported: write '*%.64s' out",
                       (const char *)r->event.data.alias.anchor);
    case YAML_SCALAR_EVENT:
        return refuse_properties(r->event.data.scalar.anchor, r->event.data.scalar.tag, err);
    case YAML_SEQUENCE_START_EVENT:
        return refuse_properties(r->event.data.sequence_start.anchor,
                                 r->event.data.sequence_start.tag, err);
    case YAML_MAPPING_START_EVENT:
        return refuse_properties(r->event.data.mapping_start.anchor,
                                 r->event.data.mapping_start.tag, err);
    default:
        return PAWL_OK;
    }
}

static pw_str scalar_text(const reader *r)
{
    return pw_arena_str(r->arena, (pw_str){ (const char *)r->event.data.scalar.value,
                                            r->event.data.scalar.length });
}

static bool is_one_of(pw_str text, const char *const *words)
{
    for (; *words; words++)
        if (pw_str_is(text, *words))
            return true;
    return false;
}

/* A plain scalar. */
static void resolve(pw_config_node *node, pw_arena *arena)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
    static const char *const trues[] = { "true", "True", "TRUE", NULL };
    static const char *const falses[] = { "false", "False", "FALSE", NULL };
    node->given = PW_GIVEN_STRING;
    if (is_one_of(node->text, nulls)) {
        node->given = PW_GIVEN_NULL;
    } else if (is_one_of(node->text, trues) || is_one_of(node->text, falses)) {
        node->given = PW_GIVEN_BOOLEAN;
        node->text = is_one_of(node->text, trues) ? PW_LIT("true") : PW_LIT("false");
    } else if (!pw_is(pw_number_of(arena, node->text), PW_NONE)) {
        node->given = PW_GIVEN_NUMBER;
    }
}

static pawl_code read_node(pw_config_node *node, reader *r, unsigned depth, pawl_error *err);

static pawl_code read_name(pw_config_node *member, const pw_config_node *section, reader *r,
                           pawl_error *err)
{
    if (r->event.type != YAML_SCALAR_EVENT)
        return pw_fail(err, PAWL_INVALID, "a name must be text");
    member->name = scalar_text(r);
    for (const pw_config_node *node = section->first; node; node = node->next) {
        if (pw_str_eq(node->name, member->name))
            return pw_fail(err, PAWL_INVALID, "'" PW_FMT "' stands there twice, first on line %u",
                           PW_ARG(member->name), node->line);
    }
    return next(r, err);
}

static pawl_code read_members(pw_config_node *node, reader *r, unsigned depth, pawl_error *err)
{
    if (depth == PW_CONFIG_DEPTH_MAX)
        return pw_fail(err, PAWL_INVALID, "it is nested deeper than %d", PW_CONFIG_DEPTH_MAX);
    for (;;) {
        pawl_code code = next(r, err);
        if (code != PAWL_OK || r->event.type == YAML_MAPPING_END_EVENT ||
            r->event.type == YAML_SEQUENCE_END_EVENT)
            return code;
        pw_config_node *member = PW_NEW(r->arena, pw_config_node);
        member->line = r->line;
        if (node->given == PW_GIVEN_SECTION)
            code = read_name(member, node, r, err);
        if (code == PAWL_OK)
            code = read_node(member, r, depth + 1, err);
        if (code == PAWL_OK)
            code = pw_config_node_add(node, member, err);
        if (code != PAWL_OK)
            return code;
    }
}

/* The node that the event begins. */
static pawl_code read_node(pw_config_node *node, reader *r, unsigned depth, pawl_error *err)
{
    switch ((int)r->event.type) {
    case YAML_SCALAR_EVENT:
        node->text = scalar_text(r);
        node->given = PW_GIVEN_STRING;
        if (r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
            resolve(node, r->arena);
        return PAWL_OK;
    case YAML_MAPPING_START_EVENT:
        node->given = PW_GIVEN_SECTION;
        return read_members(node, r, depth, err);
    case YAML_SEQUENCE_START_EVENT:
        node->given = PW_GIVEN_LIST;
        return read_members(node, r, depth, err);
    default:
        return pw_fail(err, PAWL_INVALID, "a value is missing");
    }
}

static pawl_code read_document(pw_config_node **out, reader *r, pawl_error *err)
{
    for (unsigned documents = 0;;) {
        pawl_code code = next(r, err);
        if (code != PAWL_OK || r->event.type == YAML_STREAM_END_EVENT)
            return code;
        if (r->event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
            return pw_fail(err, PAWL_INVALID, "a second document begins here: a file is one");
        if (r->event.type != YAML_SCALAR_EVENT && r->event.type != YAML_MAPPING_START_EVENT &&
            r->event.type != YAML_SEQUENCE_START_EVENT)
            continue; /* the stream, a document begin and end */
        *out = PW_NEW(r->arena, pw_config_node);
        (*out)->line = r->line;
        code = read_node(*out, r, 0, err);
        if (code != PAWL_OK)
            return code;
    }
}

static pawl_code read_guarded(pw_config_node **out, reader *r, pawl_error *err)
{
    jmp_buf out_of_memory;
    if (setjmp(out_of_memory))
        return pw_no_memory(err);
    (void)pw_arena_guard(r->arena, &out_of_memory);
    return read_document(out, r, err);
}

pawl_code pw_config_read_yaml(pw_config_node **out, pw_str text, pw_arena *arena, uint32_t *line,
                              pawl_error *err)
{
    reader *r = PW_NEW(arena, reader);
    r->arena = arena;
    if (!yaml_parser_initialize(&r->parser))
        return pw_no_memory(err);
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)text.ptr, text.len);
    r->guard = pw_arena_guard(arena, NULL);
    pawl_code code = read_guarded(out, r, err);
    (void)pw_arena_guard(arena, r->guard);
    *line = code == PAWL_OK ? 0 : r->line;
    drop_event(r);
    yaml_parser_delete(&r->parser);
    return code;
}
