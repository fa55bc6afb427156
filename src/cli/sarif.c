/* sarif.c - one log with one run: the rules are all kinds of findings, so that a tool can name
 * those that did not occur, too; the results are the findings of all files, in order. */
#include "cli/sarif.h"

#define OBJECT(arena, ...)                                                                         \
    pw_object_of((arena), (pw_member[]){ __VA_ARGS__ },                                            \
                 sizeof((pw_member[]){ __VA_ARGS__ }) / sizeof(pw_member))

static pw_value text_object(pw_arena *arena, const char *text)
{
    return OBJECT(arena, { PW_LIT("text"), pw_string(arena, pw_str_of(text)) });
}

/* A path as a URI reference: what is not plain is percent-encoded, byte by byte. */
static pw_value uri_of(pw_arena *arena, const char *path)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    if (path[0] == '/')
        pw_buf_text(&buf, "file://");
    for (const char *at = path; *at != '\0'; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                     (*at >= '0' && *at <= '9') || strchr("-._~/", *at) != NULL;
        if (plain)
            pw_buf_char(&buf, *at);
        else
            pw_buf_printf(&buf, "%%%02X", (unsigned)(unsigned char)*at);
    }
    pw_value uri = pw_string(arena, pw_buf_view(&buf));
    pw_buf_done(&buf);
    return uri;
}

/* The column in characters. Lines end with LF, CR LF or CR, as where findings are made. */
static int64_t column_of(pw_str text, int line, int column)
{
    size_t at = 0;
    if (text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0)
        at = 3;
    for (int now = 1; now < line && at < text.len; at++) {
        if (text.ptr[at] == '\n' ||
            (text.ptr[at] == '\r' && !(at + 1 < text.len && text.ptr[at + 1] == '\n')))
            now++;
    }
    size_t end = at + (size_t)(column - 1);
    int64_t characters = 1;
    for (; at < end && at < text.len; at++)
        characters += ((uint8_t)text.ptr[at] & 0xc0) != 0x80;
    return characters;
}

void sarif_result(sarif *log, const char *path, pw_str text, const pawl_finding *finding)
{
    pw_arena *arena = log->arena;
    pw_value region = { 0 };
    if (finding->line > 0)
        region = OBJECT(
            arena, { PW_LIT("startLine"), pw_int(finding->line) },
            { PW_LIT("startColumn"), pw_int(column_of(text, finding->line, finding->column)) });
    pw_value physical = OBJECT(
        arena,
        { PW_LIT("artifactLocation"), OBJECT(arena, { PW_LIT("uri"), uri_of(arena, path) }) },
        { PW_LIT("region"), region });
    pw_value logical = OBJECT(
        arena, { PW_LIT("fullyQualifiedName"), pw_string(arena, pw_str_of(finding->pointer)) });
    pw_array_builder logicals = { .arena = arena }, locations = { .arena = arena };
    pw_array_add(&logicals, logical);
    pw_array_add(&locations, OBJECT(arena, { PW_LIT("physicalLocation"), physical },
                                    { PW_LIT("logicalLocations"), pw_array_end(&logicals) }));
    pw_array_add(&log->results,
                 OBJECT(arena, { PW_LIT("ruleId"), pw_string_ref(pw_str_of(finding->code)) },
                        { PW_LIT("ruleIndex"), pw_int((int64_t)finding->kind) },
                        { PW_LIT("level"),
                          pw_string_ref(finding->is_error ? PW_LIT("error") : PW_LIT("warning")) },
                        { PW_LIT("message"), text_object(arena, finding->message) },
                        { PW_LIT("locations"), pw_array_end(&locations) }));
    log->count++;
}

static pw_value rules(pw_arena *arena)
{
    static const struct {
        const char *code, *what, *advice;
        bool error;
    } kinds[] = {
#define SARIF_RULE(name, code, error, what, advice) { code, what, advice, error },
        PAWL_FINDINGS(SARIF_RULE)
#undef SARIF_RULE
    };
    pw_array_builder list = { .arena = arena };
    for (size_t i = 0; i < PW_LENGTH(kinds); i++) {
        pw_str level = kinds[i].error ? PW_LIT("error") : PW_LIT("warning");
        pw_array_add(&list,
                     OBJECT(arena, { PW_LIT("id"), pw_string_ref(pw_str_of(kinds[i].code)) },
                            { PW_LIT("shortDescription"), text_object(arena, kinds[i].what) },
                            { PW_LIT("help"), text_object(arena, kinds[i].advice) },
                            { PW_LIT("defaultConfiguration"),
                              OBJECT(arena, { PW_LIT("level"), pw_string_ref(level) }) }));
    }
    return pw_array_end(&list);
}

pw_value sarif_end(sarif *log, bool complete)
{
    pw_arena *arena = log->arena;
    pw_value driver = OBJECT(arena, { PW_LIT("name"), pw_string_ref(PW_LIT("pawl")) },
                             { PW_LIT("version"), pw_string_ref(pw_str_of(pawl_version())) },
                             { PW_LIT("rules"), rules(arena) });
    pw_array_builder runs = { .arena = arena }, invocations = { .arena = arena };
    pw_array_add(&invocations, OBJECT(arena, { PW_LIT("executionSuccessful"), pw_bool(complete) }));
    pw_array_add(&runs,
                 OBJECT(arena, { PW_LIT("tool"), OBJECT(arena, { PW_LIT("driver"), driver }) },
                        { PW_LIT("columnKind"), pw_string_ref(PW_LIT("unicodeCodePoints")) },
                        { PW_LIT("invocations"), pw_array_end(&invocations) },
                        { PW_LIT("results"), pw_array_end(&log->results) }));
    return OBJECT(arena,
                  { PW_LIT("$schema"),
                    pw_string_ref(PW_LIT("https://json.schemastore.org/sarif-2.1.0.json")) },
                  { PW_LIT("version"), pw_string_ref(PW_LIT("2.1.0")) },
                  { PW_LIT("runs"), pw_array_end(&runs) });
}
