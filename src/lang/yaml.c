/* yaml.c - YAML text to nodes, by libyaml's events.
 *
 * libyaml only splits the text; what scalars mean (scalar.c), aliases, merges, duplicate keys and
 * bounds (tree.c) are ours. Its marks count characters, ours bytes. libyaml allocates by itself;
 * the parser hangs on the load, which deletes it after a jump. */
#include <yaml.h>
#include "lang/lang_internal.h"

#define CORE "tag:yaml.org,2002:"

static pw_str text_of(const yaml_char_t *text, size_t len)
{
    return (pw_str){ (const char *)text, len };
}

static pw_str name_of(const yaml_char_t *text)
{
    return text ? pw_str_of((const char *)text) : (pw_str){ NULL, 0 };
}

/* ---- syntax errors */

static void syntax_error(pw_load *load, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        pw_lang_no_memory(load);
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    if (parser->error == YAML_READER_ERROR) {
        size_t at =
            parser->problem_offset < load->text.len ? parser->problem_offset : load->text.len;
        pw_lang_report(load, PAWL_FINDING_SYNTAX, (uint32_t)at, NULL, "not YAML: %s (0x%02x)",
                       problem, (unsigned)parser->problem_value);
        return;
    }
    uint32_t at = pw_lang_byte(load, parser->problem_mark.index);
    if (at < load->text.len && load->text.ptr[at] == '\t') {
        pw_lang_report(load, PAWL_FINDING_SYNTAX, at, NULL,
                       "not YAML: a tab cannot indent; use spaces");
        return;
    }
    uint32_t line, column;
    pw_lang_place(load, pw_lang_byte(load, parser->context_mark.index), &line, &column);
    if (parser->context)
        pw_lang_report(load, PAWL_FINDING_SYNTAX, at, NULL,
                       "not YAML: %s, %s that began at line %u, column %u", problem,
                       parser->context, line, column);
    else
        pw_lang_report(load, PAWL_FINDING_SYNTAX, at, NULL, "not YAML: %s", problem);
}

/* ---- tags */

static bool refuse_tag(pw_load *load, const yaml_char_t *tag, uint32_t at)
{
    pw_str shown = pw_lang_shown(load, name_of(tag));
    pw_lang_report(load, PAWL_FINDING_SYNTAX, at, NULL,
                   "tag '" PW_FMT "' is not supported: values are those of JSON", PW_ARG(shown));
    return true; /* read on: the rest is still worth checking */
}

static void check_collection_tag(pw_load *load, const yaml_char_t *tag, const char *own,
                                 uint32_t at)
{
    pw_str name = name_of(tag);
    if (!tag || pw_str_is(name, "!") || pw_str_is(name, own))
        return;
    (void)refuse_tag(load, tag, at);
}

static const char *core_name(pw_value value)
{
    switch ((pw_type)value.type) {
    case PW_NULL:
        return CORE "null";
    case PW_FALSE:
    case PW_TRUE:
        return CORE "bool";
    case PW_NUMBER:
        return CORE "int";
    case PW_NONE:
    case PW_STRING:
    case PW_ARRAY:
    case PW_OBJECT:
        break;
    }
    return CORE "str";
}

static void resolve(pw_load *load, pw_node *node, const yaml_event_t *event)
{
    pw_str tag = name_of(event->data.scalar.tag);
    bool plain = node->style == PW_STYLE_PLAIN;
    bool text = tag.ptr ? pw_str_is(tag, "!") || pw_str_is(tag, CORE "str") : !plain;
    if (text) {
        node->value = pw_string(load->arena, node->text);
        return;
    }
    pw_resolved resolved = pw_scalar_resolve(load, &node->value, node->text);
    pw_str shown = pw_lang_shown(load, node->text);
    if (resolved != PW_RESOLVED) {
        node->value = pw_null();
        pw_lang_error(load, node, NULL,
                      resolved == PW_NOT_JSON
                          ? "'" PW_FMT
                            "' is a number that JSON does not have; write it in quotes if "
                            "it is text"
                          : "'" PW_FMT "' is too large: it must fit into 64 bits",
                      PW_ARG(shown));
        return;
    }
    if (!tag.ptr)
        return;
    bool core = pw_str_is(tag, CORE "null") || pw_str_is(tag, CORE "bool") ||
                pw_str_is(tag, CORE "int") || pw_str_is(tag, CORE "float");
    if (!core) {
        (void)refuse_tag(load, event->data.scalar.tag, node->start);
        return;
    }
    bool fits = pw_str_is(tag, core_name(node->value)) ||
                (pw_is(node->value, PW_NUMBER) && pw_str_is(tag, CORE "float"));
    int64_t integer;
    if (pw_str_is(tag, CORE "int") && !pw_integer(node->value, &integer))
        fits = fits && memchr(node->text.ptr, '.', node->text.len) == NULL;
    if (!fits)
        pw_lang_error(load, node, NULL, "'" PW_FMT "' is not what its tag '%s' says", PW_ARG(shown),
                      tag.ptr + sizeof CORE - 1);
}

/* ---- events */

static pw_scalar_style style_of(yaml_scalar_style_t style)
{
    switch ((int)style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
        return PW_STYLE_SINGLE;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        return PW_STYLE_DOUBLE;
    case YAML_LITERAL_SCALAR_STYLE:
        return PW_STYLE_LITERAL;
    case YAML_FOLDED_SCALAR_STYLE:
        return PW_STYLE_FOLDED;
    default:
        return PW_STYLE_PLAIN;
    }
}

/* The value's first byte: marks of tagged and anchored nodes stand before their properties. */
static uint32_t behind_properties(const pw_load *load, uint32_t at, uint32_t end)
{
    pw_str text = load->text;
    while (at < end && (text.ptr[at] == '&' || text.ptr[at] == '!')) {
        while (at < end && !strchr(" \t\r\n", text.ptr[at]))
            at++;
        while (at < end && strchr(" \t\r\n", text.ptr[at]))
            at++;
    }
    return at;
}

static bool scalar(pw_load *load, const yaml_event_t *event, uint32_t start, uint32_t end)
{
    bool has_properties = event->data.scalar.anchor || event->data.scalar.tag;
    pw_node node = {
        .style = (uint8_t)style_of(event->data.scalar.style),
        .start = has_properties ? behind_properties(load, start, end) : start,
        .end = end,
        .text = text_of(event->data.scalar.value, event->data.scalar.length),
    };
    if (node.text.len > UINT32_MAX)
        pw_lang_no_memory(load); /* cannot be: the document is smaller */
    resolve(load, &node, event);
    node.text =
        pw_is(node.value, PW_STRING) ? pw_text(node.value) : pw_arena_str(load->arena, node.text);
    return pw_tree_scalar(load, &node, name_of(event->data.scalar.anchor));
}

/* One event; false: reading is over, for better or worse. */
static bool handle(pw_load *load, const yaml_event_t *event, unsigned *documents)
{
    uint32_t start = pw_lang_byte(load, event->start_mark.index);
    uint32_t end = pw_lang_byte(load, event->end_mark.index);
    switch ((int)event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++*documents == 1)
            return true;
        pw_lang_report(load, PAWL_FINDING_SYNTAX, start, NULL,
                       "a second document begins here: a file holds one workflow");
        load->stop = true;
        return false;
    case YAML_ALIAS_EVENT:
        load->stop = !pw_tree_alias(load, name_of(event->data.alias.anchor), start);
        return !load->stop;
    case YAML_SCALAR_EVENT:
        load->stop = !scalar(load, event, start, end);
        return !load->stop;
    case YAML_SEQUENCE_START_EVENT:
        check_collection_tag(load, event->data.sequence_start.tag, CORE "seq", start);
        load->stop =
            !pw_tree_open(load, PW_NODE_LIST, start, name_of(event->data.sequence_start.anchor));
        return !load->stop;
    case YAML_MAPPING_START_EVENT:
        check_collection_tag(load, event->data.mapping_start.tag, CORE "map", start);
        load->stop =
            !pw_tree_open(load, PW_NODE_MAP, start, name_of(event->data.mapping_start.anchor));
        return !load->stop;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        load->stop = !pw_tree_close(load, end);
        return !load->stop;
    case YAML_STREAM_END_EVENT:
        return false;
    default: /* the stream's start, a document's end */
        return true;
    }
}

typedef struct reader { /* on the scratch arena: survives a jump */
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_parser, has_event;
} reader;

void pw_lang_yaml_done(pw_load *load)
{
    reader *r = load->yaml;
    if (!r)
        return;
    if (r->has_event)
        yaml_event_delete(&r->event);
    if (r->has_parser)
        yaml_parser_delete(&r->parser);
    load->yaml = NULL;
}

bool pw_lang_read_yaml(pw_load *load)
{
    pw_tree_reset(load);
    load->stop = false;
    reader *r = PW_NEW(&load->scratch, reader);
    load->yaml = r;
    if (!yaml_parser_initialize(&r->parser))
        pw_lang_no_memory(load);
    r->has_parser = true;
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)load->text.ptr, load->text.len);
    unsigned documents = 0;
    for (bool more = true; more;) {
        if (!yaml_parser_parse(&r->parser, &r->event)) {
            syntax_error(load, &r->parser);
            load->stop = true;
            break;
        }
        r->has_event = true;
        more = handle(load, &r->event, &documents);
        r->has_event = false;
        yaml_event_delete(&r->event);
    }
    pw_lang_yaml_done(load);
    if (!load->stop && !load->root) {
        pw_lang_report(load, PAWL_FINDING_SYNTAX, 0, NULL,
                       "the document is empty; it must be a workflow");
        load->stop = true;
    }
    return !load->stop;
}
