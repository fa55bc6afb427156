/* Broken documents: each finding of each case in broken.cases, with its line and column. */
#include <stdlib.h>
#include "fixture.h"

typedef struct reader {
    char *text, *at;
} reader;

/* The next line, NUL-terminated; NULL at the end. */
static char *next_line(reader *r)
{
    if (!*r->at)
        return NULL;
    char *line = r->at, *end = strchr(line, '\n');
    if (end) {
        *end = '\0';
        r->at = end + 1;
    } else {
        r->at = line + strlen(line);
    }
    return line;
}

static void add_document_line(pw_buf *document, const char *line)
{
    if (strcmp(line, "@head") == 0) {
        pw_buf_text(document, HEAD);
        return;
    }
    for (; *line; line++) {
        if (line[0] == '\\' && line[1] == 't') {
            pw_buf_char(document, '\t');
            line++;
        } else {
            pw_buf_char(document, *line);
        }
    }
    pw_buf_char(document, '\n');
}

static void check(const char *name, pw_buf *document, pw_buf *expected)
{
    loaded l;
    pw_buf_char(expected, '\0');
    EXPECT(!document->failed && !expected->failed);
    load_text(&l, pw_buf_view(document));
    char *actual = findings_text(&l);
    if (strcmp(actual, expected->ptr) != 0)
        fail_msg("%s: found\n%sexpected\n%s", name, actual, expected->ptr);
    bool has_error = false;
    for (uint32_t i = 0; i < l.findings.count && !has_error; i++) {
        const pw_finding *f = &l.findings.items[i];
        has_error = f->is_error;
        char first[1024];
        (void)snprintf(first, sizeof first, "line %u, column %u: %s", f->line, f->column,
                       f->message.ptr);
        if (has_error)
            EXPECT_TEXT(l.err.message, first);
    }
    EXPECT_INT(l.code, has_error ? PAWL_INVALID : PAWL_OK);
    free(actual);
    unload(&l);
}

TEST(broken, every_case_has_exactly_its_findings)
{
    size_t len;
    unsigned cases = 0;
    reader r = { .text = pw_test_read(BROKEN_CASES, &len) };
    r.at = r.text;
    char *line = next_line(&r);
    while (line && strncmp(line, "== ", 3) != 0)
        line = next_line(&r);
    while (line) {
        pw_buf document, expected;
        pw_buf_init(&document, 0);
        pw_buf_init(&expected, 0);
        char name[200];
        (void)snprintf(name, sizeof name, "%s", line + 3);
        while ((line = next_line(&r)) && strcmp(line, "--") != 0)
            add_document_line(&document, line);
        while ((line = next_line(&r)) && strncmp(line, "== ", 3) != 0)
            pw_buf_printf(&expected, "%s\n", line);
        check(name, &document, &expected);
        pw_buf_done(&document);
        pw_buf_done(&expected);
        cases++;
    }
    free(r.text);
    EXPECT(cases >= 90);
}

/* ---- what a table of text cannot hold */

static void expect_first(pw_str text, unsigned line, unsigned column, const char *message)
{
    loaded l;
    load_text(&l, text);
    EXPECT_INT(l.code, PAWL_INVALID);
    EXPECT(l.findings.count > 0);
    EXPECT_TEXT(l.findings.items[0].message.ptr, message);
    EXPECT_INT(l.findings.items[0].line, line);
    EXPECT_INT(l.findings.items[0].column, column);
    unload(&l);
}

TEST(broken, bytes_that_are_not_utf_8_have_a_place)
{
    expect_first(PW_LIT("document: x\ntitle: \"gr\xfc\xdf\"\n"), 2, 11,
                 "byte 0xfc is not UTF-8; write the document as UTF-8");
    expect_first(PW_LIT("\xff\xfe"
                        "d\0o\0"),
                 0, 0, "the document is UTF-16; write it as UTF-8");
    expect_first(PW_LIT("title: \"\xc3\xa9\xc3\"\n"), 1, 11,
                 "byte 0xc3 is not UTF-8; write the document as UTF-8");
}

TEST(broken, a_byte_order_mark_counts_for_nothing)
{
    expect_first(PW_LIT("\xef\xbb\xbf"
                        "do: 3\ndocument: 3\n"),
                 1, 5, "'do' must be a list, not a number");
    expect_first(PW_LIT("\xef\xbb\xbf{\"do\": 3, \"document\": {}}"), 1, 8,
                 "'do' must be a list, not a number");
}

TEST(broken, control_characters_are_refused)
{
    expect_first(PW_LIT("do: \x01\n"), 1, 5, "not YAML: control characters are not allowed (0x01)");
    expect_first(PW_LIT("do: \0\n"), 1, 5, "not YAML: control characters are not allowed (0x00)");
}

TEST(broken, lines_end_with_lf_crlf_or_cr)
{
    expect_first(PW_LIT("# 1\r\n# 2\r\ndo: 3\r\ndocument: {}\r\n"), 3, 5,
                 "'do' must be a list, not a number");
    expect_first(
        PW_LIT("timeout: 1\rdo: 3\rdocument: {}\r"), 1, 10,
        "a timeout is { after: duration } or the name of one in 'use.timeouts', not a number");
}

TEST(broken, a_document_above_the_limit_is_refused)
{
    size_t len = PW_DOCUMENT_MAX + 1;
    char *text = malloc(len);
    memset(text, ' ', len);
    expect_first((pw_str){ text, len }, 0, 0,
                 "the document has 16777217 bytes; at most 16777216 are allowed");
    free(text);
}

static void expect_depth(const char *open, const char *close, unsigned column)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (int i = 0; i < 100000; i++)
        pw_buf_text(&buf, open);
    for (int i = 0; i < 100000; i++)
        pw_buf_text(&buf, close);
    expect_first(pw_buf_view(&buf), 1, column,
                 "the document nests lists and objects more than 200 levels deep");
    pw_buf_done(&buf);
}

TEST(broken, deep_nesting_ends_in_an_error)
{
    expect_depth("[", "]", 201);
    expect_depth("{\"a\":", "}", 1001);
    expect_depth("- ", "", 401);
    expect_depth("[ a, ", "]", 1001);
}

TEST(broken, aliases_that_grow_without_bound_are_refused)
{
    /* each list is ten times the one before: a billion strings if written out */
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, "a0: &a0 [ x, x, x, x, x, x, x, x, x, x ]\n");
    for (int i = 1; i < 10; i++) {
        pw_buf_printf(&buf, "a%d: &a%d [ ", i, i);
        for (int j = 0; j < 10; j++)
            pw_buf_printf(&buf, "*a%d%s", i - 1, j < 9 ? ", " : " ]\n");
    }
    loaded l;
    load_text(&l, pw_buf_view(&buf));
    EXPECT_INT(l.code, PAWL_INVALID);
    EXPECT_TEXT(l.findings.items[0].message.ptr,
                "the document has more than 4000000 values when its aliases are written out");
    EXPECT_INT(l.findings.items[0].line, 7);
    unload(&l);
    pw_buf_done(&buf);
}

TEST(broken, aliases_cannot_nest_deeper_than_text)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, "a0: &a0 [ x ]\n");
    for (int i = 1; i < 300; i++)
        pw_buf_printf(&buf, "a%d: &a%d [ *a%d ]\n", i, i, i - 1);
    loaded l;
    load_text(&l, pw_buf_view(&buf));
    EXPECT_INT(l.code, PAWL_INVALID);
    EXPECT_TEXT(l.findings.items[0].message.ptr,
                "the document nests lists and objects more than 200 levels deep");
    unload(&l);
    pw_buf_done(&buf);
}

TEST(broken, a_long_text_used_often_is_refused)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, "x: &big \"");
    for (int i = 0; i < 100000; i++)
        pw_buf_text(&buf, "0123456789");
    pw_buf_text(&buf, "\"\ny: [");
    for (int i = 0; i < 1000; i++)
        pw_buf_text(&buf, "*big, ");
    pw_buf_text(&buf, "]\n");
    loaded l;
    load_text(&l, pw_buf_view(&buf));
    EXPECT_TEXT(l.findings.items[0].message.ptr,
                "the document has more than 4000000 values when its aliases are written out");
    unload(&l);
    pw_buf_done(&buf);
}

TEST(broken, only_a_hundred_findings_are_listed_and_all_are_counted)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_text(&buf, HEAD "do:\n");
    for (int i = 0; i < 150; i++)
        pw_buf_printf(&buf, "  - w%d: { set: { x: .warning } }\n", i);
    for (int i = 0; i < 250; i++)
        pw_buf_printf(&buf, "  - t%d: { wat: 1 }\n", i);
    loaded l;
    load_text(&l, pw_buf_view(&buf));
    EXPECT_INT(l.findings.count, 100);
    EXPECT_INT(l.findings.errors, 250);
    EXPECT(l.findings.items[0].is_error && l.findings.items[99].is_error);
    EXPECT_INT(l.findings.items[0].line, 153);
    EXPECT_INT(l.findings.items[99].line, 252);
    EXPECT_TEXT(l.err.message, "line 153, column 11: unknown member 'wat'; did you mean 'wait'?");
    unload(&l);
    pw_buf_done(&buf);
}

static void nest_for(pw_buf *buf, int depth)
{
    pw_buf_text(buf, HEAD "do: [ ");
    for (int i = 0; i < depth; i++)
        pw_buf_printf(buf, "{ t%d: { for: { in: .x }, do: [ ", i);
    for (int i = 0; i < depth; i++)
        pw_buf_text(buf, "] } } ");
    pw_buf_text(buf, "]\n");
}

TEST(broken, variables_within_each_other_are_limited)
{
    pw_buf buf;
    loaded l;
    pw_buf_init(&buf, 0);
    nest_for(&buf, 28);
    load_text(&l, pw_buf_view(&buf));
    EXPECT_INT(l.code, PAWL_OK);
    EXPECT_INT(l.program->tasks[27]->as.loop.at_slot, 63);
    unload(&l);
    pw_buf_reset(&buf);
    nest_for(&buf, 29);
    load_text(&l, pw_buf_view(&buf));
    EXPECT_INT(l.findings.errors, 1);
    EXPECT_TEXT(l.findings.items[0].message.ptr,
                "more than 56 variables of 'for' and 'catch' within each other");
    unload(&l);
    pw_buf_done(&buf);
}

static void nest_do(pw_buf *buf, int depth)
{
    pw_buf_text(buf, HEAD "do: [ ");
    for (int i = 0; i < depth; i++)
        pw_buf_printf(buf, "{ t%d: { do: [ ", i);
    for (int i = 0; i < depth; i++)
        pw_buf_text(buf, "] } } ");
    pw_buf_text(buf, "]\n");
}

TEST(broken, tasks_within_tasks_are_limited)
{
    pw_buf buf;
    loaded l;
    pw_buf_init(&buf, 0);
    nest_do(&buf, 39);
    load_text(&l, pw_buf_view(&buf));
    EXPECT_INT(l.code, PAWL_OK);
    EXPECT_INT(l.program->task_count, 39);
    unload(&l);
    pw_buf_reset(&buf);
    nest_do(&buf, 40);
    load_text(&l, pw_buf_view(&buf));
    EXPECT_TEXT(l.findings.items[0].message.ptr,
                "tasks nest more than 40 levels deep; use 'use.functions'");
    unload(&l);
    pw_buf_done(&buf);
}

TEST(broken, findings_have_pointers)
{
    loaded l;
    load_text(&l, PW_LIT(HEAD "do:\n  - a/b:\n      try: []\n      catch:\n        do:\n"
                              "          - c~d: { set: { x: [ 1, \"${ .x\" ] } }\n"));
    EXPECT_INT(l.findings.count, 1);
    EXPECT_TEXT(l.findings.items[0].pointer.ptr, "/do/0/a~1b/catch/do/0/c~0d/set/x/1");
    unload(&l);
}

/* ---- codes: a tool may rely on them */

static const struct {
    const char *body; /* behind HEAD; NULL: no document at all */
    const char *code;
} coded[] = {
    { NULL, "syntax" },
    { "do: [ &a [ *a ] ]\n", "syntax" },
    { "do:\n  - a: { set: {} }\n    b: { set: {} }\n", "wrong-value" },
    { "{}\n", "syntax" },
    { "x: 1\n", "missing-member" },
    { "do: [ { a: { sett: 1 } } ]\n", "unknown-member" },
    { "do: [ { a: { set: [ 1 ] } } ]\n", "wrong-type" },
    { "do: [ { a: { wait: soon } } ]\n", "wrong-value" },
    { "do: [ { a: { set: { x: 1 } } }, { a: { set: { x: 1 } } } ]\n", "duplicate-name" },
    { "do: [ { a: { set: { x: 1 }, then: b } } ]\n", "unknown-name" },
    { "do: [ { a: { raise: { error: gone } } } ]\n", "unknown-name" },
    { "do: [ { a: { set: { x: 1 }, timeout: long } } ]\n", "unknown-name" },
    { "do: [ { a: { try: [], catch: { retry: often } } } ]\n", "unknown-name" },
    { "do: [ { a: { run: { shell: {} } } } ]\n", "not-supported" },
    { "do: [ { a: { set: \"${ .x | }\" } } ]\n", "expression" },
    { "do: [ { a: { set: \"${ nope(.x) }\" } } ]\n", "expression" },
    { "do: [ { a: { if: $output, set: { x: 1 } } } ]\n", "variable-not-available" },
    { "do: [ { a: { set: { x: 1 }, then: end } }, { b: { set: { x: 1 } } } ]\n",
      "unreachable-task" },
    { "do: [ { a: { set: { x: 1 }, then: a } } ]\n", "loop-without-boundary" },
    { "do: [ { a: { try: [], catch: { retry: {} } } } ]\n", "retry-without-limit" },
    { "do: [ { a: { set: { x: .name } } } ]\n", "literal-expression" },
    { "do: [ { a: { if: .x = 1, set: { x: 1 } } } ]\n", "assignment-in-condition" },
    { "mine: 1\ndo: []\n", "no-effect" },
    { "do: [ { a: { for: { in: .x, each: input }, do: [] } } ]\n", "hidden-variable" },
    { "do: [ { a: { call: htp } } ]\n", "function-of-process" },
    { "do: [ { a: { call: x, metadata: { pawl: { compensate: { call: y } } } } } ]\n",
      "compensation-on-request" },
};

TEST(broken, every_kind_of_finding_has_its_code)
{
    for (size_t i = 0; i < PW_LENGTH(coded); i++) {
        char text[1024];
        loaded l;
        (void)snprintf(text, sizeof text, "%s%s", coded[i].body ? HEAD : "",
                       coded[i].body ? coded[i].body : "a: [\n");
        load_text(&l, pw_str_of(text));
        EXPECT(l.findings.count > 0);
        if (strcmp(pw_finding_code(l.findings.items[0].kind), coded[i].code) != 0)
            fail_msg("%s: '%s' (%s), expected %s", coded[i].body,
                     pw_finding_code(l.findings.items[0].kind), l.findings.items[0].message.ptr,
                     coded[i].code);
        unload(&l);
    }
    loaded l;
    load_text(&l, PW_LIT("document: { dsl: 1.0.0-alpha1, namespace: a, name: b, version: 1.0.0 }\n"
                         "do: []\n"));
    EXPECT_TEXT(pw_finding_code(l.findings.items[0].kind), "early-dsl");
    unload(&l);
    load_text(&l, PW_LIT("[[[["));
    EXPECT_TEXT(pw_finding_code(l.findings.items[0].kind), "syntax");
    unload(&l);
    char deep[300];
    memset(deep, '[', sizeof deep);
    load_text(&l, (pw_str){ deep, sizeof deep });
    EXPECT_TEXT(pw_finding_code(l.findings.items[0].kind), "too-large");
    unload(&l);
}

TEST(broken, kinds_have_unique_codes_and_advice)
{
    static const char *const codes[] = {
#define CODE(name, code, error, what, advice) code,
        PAWL_FINDINGS(CODE)
    };
    for (size_t i = 0; i < PW_LENGTH(codes); i++) {
        EXPECT_TEXT(pw_finding_code((pawl_finding_kind)i), codes[i]);
        EXPECT(pw_finding_advice((pawl_finding_kind)i)[0] != '\0');
        for (size_t j = 0; j < i; j++)
            EXPECT(strcmp(codes[i], codes[j]) != 0);
    }
}

/* ---- what only this engine understands */

static const char only_ours[] =
    HEAD "do:\n"
         "  - a: { call: userTask, metadata: { team: x, pawl: {} } }\n"
         "  - b: { call: measure }\n"
         "  - c:\n"
         "      try: [ { d: { if: .y, raise: { error: \"${ .x }\" } } } ]\n"
         "      catch:\n"
         "        retry: { backoff: { exponential: { factor: 3 } }, limit: { duration: PT1S } }\n"
         "  - e: { call: http, with: { method: get, endpoint: http://x.test } }\n"
         "  - f: { call: compensate }\n"
         "  - g: { run: { workflow: { namespace: a, name: b, version: 1.0.0 } } }\n";

TEST(broken, what_is_not_portable_is_said_when_asked_for)
{
    loaded l;
    load_text(&l, pw_str_of(only_ours));
    EXPECT_INT(l.findings.count, 0);
    unload(&l);
    memset(&l, 0, sizeof l);
    pw_arena_init(&l.arena, 0);
    l.findings.arena = &l.arena;
    l.findings.portable = true;
    EXPECT_INT(pw_lang_load(&l.program, pw_str_of(only_ours), &l.findings, &l.err), PAWL_OK);
    char *text = findings_text(&l);
    EXPECT_TEXT(
        text,
        "3:16: warning: only pawl knows 'call: userTask'\n"
        "3:47: warning: only pawl reads 'metadata.pawl': others ignore it without a word\n"
        "4:16: warning: only pawl looks for 'measure' among the functions of its process\n"
        "6:45: warning: only pawl raises what an expression gives: to others this is the name of "
        "an error\n"
        "8:42: warning: only pawl knows the parameters of 'exponential'\n"
        "10:16: warning: only pawl knows 'call: compensate'\n");
    free(text);
    unload(&l);
}

TEST_MAIN()
