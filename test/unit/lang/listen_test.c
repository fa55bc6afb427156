/* Listens: what the program says of messages. */
#include <stdlib.h>
#include "fixture.h"

static const pw_listen *listen_at(const loaded *l, const char *pointer)
{
    const pw_task *task = task_at(l, pointer);
    EXPECT_INT(task->kind, PW_TASK_LISTEN);
    return &task->as.listen.to;
}

TEST(listen, the_three_strategies)
{
    loaded l;
    load_good(&l, "do:\n"
                  "  - a: { listen: { to: { one: { with: { type: t } } } } }\n"
                  "  - b: { listen: { to: { any: [ { with: { type: t } }, { with: { source: /s } } ] "
                  "}, read: envelope } }\n"
                  "  - c: { listen: { to: { all: [ { with: { type: t } } ] }, read: raw } }\n"
                  "  - d: { listen: { to: { any: [] } } }\n");
    const pw_listen *a = listen_at(&l, "/do/0/a"), *b = listen_at(&l, "/do/1/b");
    EXPECT_INT(a->kind, PW_LISTEN_ONE);
    EXPECT_INT(a->read, PW_READ_DATA);
    EXPECT_INT(a->count, 1);
    EXPECT_STR(a->filters[0].type, "t");
    EXPECT_INT(a->filters[0].want_count, 0);
    EXPECT_INT(a->filters[0].correlation_count, 0);
    EXPECT(!a->until && !a->for_ever && !a->until_heard);
    EXPECT(!task_at(&l, "/do/0/a")->as.listen.each);
    EXPECT_INT(b->kind, PW_LISTEN_ANY);
    EXPECT_INT(b->read, PW_READ_ENVELOPE);
    EXPECT_INT(b->count, 2);
    EXPECT_STR(b->filters[1].type, "");
    EXPECT_INT(b->filters[1].want_count, 1);
    EXPECT_STR(b->filters[1].wants[0].attribute, "source");
    EXPECT_INT(listen_at(&l, "/do/2/c")->kind, PW_LISTEN_ALL);
    EXPECT_INT(listen_at(&l, "/do/2/c")->read, PW_READ_RAW);
    EXPECT_INT(listen_at(&l, "/do/3/d")->count, 0);
    unload(&l);
}

TEST(listen, an_attribute_is_a_value_a_pattern_or_an_expression)
{
    static const struct {
        const char *written;
        pw_want_kind kind;
        const char *constant, *source; /* NULL: none */
        bool of_instance;
    } rows[] = {
        { "text", PW_WANT_VALUE, "\"text\"", NULL, false },
        { "^text", PW_WANT_VALUE, "\"^text\"", NULL, false },
        { "text$", PW_WANT_VALUE, "\"text$\"", NULL, false },
        { "^$", PW_WANT_VALUE, "\"^$\"", NULL, false },
        { "^a|b$", PW_WANT_PATTERN, NULL, "^a|b$", false },
        { "'^a\"\\\\d$'", PW_WANT_PATTERN, NULL, "^a\"\\\\d$", false },
        { "7", PW_WANT_VALUE, "7", NULL, false },
        { "null", PW_WANT_VALUE, "null", NULL, false },
        { "{ a: [ 1, b ] }", PW_WANT_VALUE, "{\"a\":[1,\"b\"]}", NULL, false },
        { "{ a: '${ $input.x }' }", PW_WANT_VALUE, NULL, NULL, false },
        { "'${ $input.x }'", PW_WANT_VALUE, NULL, NULL, false },
        { "'${ 1 + 2 }'", PW_WANT_VALUE, NULL, NULL, false },
        { "'${ .x > 1 }'", PW_WANT_EXPR, NULL, " .x > 1 ", false },
        { "'${ .x > 1 as $y | $y }'", PW_WANT_EXPR, NULL, " .x > 1 as $y | $y ", false },
    };
    for (size_t i = 0; i < PW_LENGTH(rows); i++) {
        loaded l;
        pw_arena arena;
        pw_arena_init(&arena, 0);
        load_good(&l, pw_arena_printf(&arena,
                                      "do: [ { a: { listen: { to: { one: { with: { mine: %s } } } } } "
                                      "} ]\n",
                                      rows[i].written)
                          .ptr);
        const pw_want *want = &listen_at(&l, "/do/0/a")->filters[0].wants[0];
        EXPECT_STR(want->attribute, "mine");
        if (want->kind != rows[i].kind)
            fail_msg("%s: %d", rows[i].written, (int)want->kind);
        EXPECT((want->value != NULL) == (rows[i].kind == PW_WANT_VALUE));
        EXPECT((want->expr != NULL) == (rows[i].kind != PW_WANT_VALUE));
        if (rows[i].constant) {
            EXPECT_INT(want->value->kind, PW_TEMPLATE_CONST);
            EXPECT_TEXT(json_of(&l, want->value->value), rows[i].constant);
        } else if (want->value) {
            EXPECT(want->value->kind != PW_TEMPLATE_CONST);
        }
        if (rows[i].source && !pw_str_is(want->source, rows[i].source))
            fail_msg("%s: %.*s", rows[i].written, PW_ARG(want->source));
        EXPECT_INT(want->of_instance, rows[i].of_instance);
        unload(&l);
        pw_arena_done(&arena);
    }
}

TEST(listen, a_filter_that_compares_with_the_instance_is_marked_and_warned_of)
{
    loaded l;
    load_text(&l, PW_LIT(HEAD "do:\n"
                              "  - a: { listen: { to: { one: { with: { type: t, data: '${ .x == "
                              "$input.x }' } } } } }\n"));
    EXPECT(l.program != NULL);
    EXPECT(listen_at(&l, "/do/0/a")->filters[0].wants[0].of_instance);
    char *text = findings_text(&l);
    EXPECT_TEXT(text, "3:56: warning: this compares the message with the instance, so each instance "
                      "that listens looks at every message of this type; write what is expected as "
                      "'expect' of a 'correlate', or as an expression without '.'\n");
    free(text);
    unload(&l);
}

TEST(listen, the_type_may_be_a_pattern_or_computed_too)
{
    loaded l;
    load_good(&l, "do:\n"
                  "  - a: { listen: { to: { any: [ { with: { type: ^a.*$ } }, { with: { type: '${ "
                  "$input.t }' } } ] } } }\n");
    const pw_listen *a = listen_at(&l, "/do/0/a");
    EXPECT_STR(a->filters[0].type, "");
    EXPECT_INT(a->filters[0].wants[0].kind, PW_WANT_PATTERN);
    EXPECT_STR(a->filters[1].type, "");
    EXPECT_INT(a->filters[1].wants[0].kind, PW_WANT_VALUE);
    unload(&l);
}

TEST(listen, correlations_have_a_source_and_perhaps_an_expectation)
{
    loaded l;
    load_good(&l, "do:\n"
                  "  - a:\n"
                  "      listen:\n"
                  "        to:\n"
                  "          one:\n"
                  "            with: { type: t }\n"
                  "            correlate:\n"
                  "              first: { from: .data.id }\n"
                  "              fixed: { from: '${ .subject }', expect: text }\n"
                  "              mine: { from: '.data[$input.at]', expect: '${ .id }' }\n");
    const pw_filter *filter = &listen_at(&l, "/do/0/a")->filters[0];
    EXPECT_INT(filter->correlation_count, 3);
    const pw_correlation *c = filter->correlations;
    EXPECT_STR(c[0].name, "first");
    EXPECT_STR(c[0].source, ".data.id");
    EXPECT(c[0].from && !c[0].expect && !c[0].of_instance);
    EXPECT_STR(c[1].source, ".subject");
    EXPECT_TEXT(json_of(&l, c[1].expect->value), "\"text\"");
    EXPECT_STR(c[2].source, ".data[$input.at]");
    EXPECT(c[2].of_instance);
    EXPECT_INT(c[2].expect->kind, PW_TEMPLATE_EXPR);
    unload(&l);
}

TEST(listen, until_is_a_condition_for_ever_or_other_messages)
{
    loaded l;
    load_good(&l, "do:\n"
                  "  - a: { listen: { to: { any: [], until: length > 3 } } }\n"
                  "  - b: { listen: { to: { any: [], until: { one: { with: { type: u } } } } } }\n"
                  "  - c: { listen: { to: { any: [], until: { all: [ { with: { type: u } } ] } } } }\n"
                  "  - d: { listen: { to: { any: [], until: { any: [] } } } }\n"
                  "  - e: { listen: { to: { any: [], until: '${ false }' } } }\n");
    EXPECT(listen_at(&l, "/do/0/a")->until != NULL);
    EXPECT(!listen_at(&l, "/do/0/a")->for_ever);
    const pw_listen *heard = listen_at(&l, "/do/1/b")->until_heard;
    EXPECT_INT(heard->kind, PW_LISTEN_ONE);
    EXPECT_STR(heard->filters[0].type, "u");
    EXPECT_INT(listen_at(&l, "/do/2/c")->until_heard->kind, PW_LISTEN_ALL);
    EXPECT_INT(listen_at(&l, "/do/3/d")->until_heard->count, 0);
    EXPECT(listen_at(&l, "/do/4/e")->for_ever);
    EXPECT(listen_at(&l, "/do/4/e")->until == NULL);
    unload(&l);
}

TEST(listen, foreach_has_variables_tasks_and_transforms)
{
    loaded l;
    load_good(&l, "do:\n"
                  "  - loop:\n"
                  "      for: { in: . }\n"
                  "      do:\n"
                  "        - a:\n"
                  "            listen: { to: { any: [] } }\n"
                  "            foreach:\n"
                  "              item: event\n"
                  "              do: [ { b: { set: { e: '${ [$event, $index, $item] }' } } } ]\n"
                  "              output: { as: '${ .e }' }\n"
                  "              export: { as: { got: '${ $output }' } }\n"
                  "        - c: { listen: { to: { any: [] } }, foreach: {} }\n");
    const pw_task *a = task_at(&l, "/do/0/loop/do/0/a"), *c = task_at(&l, "/do/0/loop/do/1/c");
    EXPECT(a->as.listen.each);
    EXPECT_STR(a->as.listen.item, "event");
    EXPECT_STR(a->as.listen.at, "index");
    EXPECT_INT(a->as.listen.item_slot, PW_SLOT_LEXICAL + 2); /* behind those of the loop */
    EXPECT_INT(a->as.listen.at_slot, PW_SLOT_LEXICAL + 3);
    EXPECT_INT(a->as.listen.body.count, 1);
    EXPECT(a->as.listen.body.tasks[0] ==
           task_at(&l, "/do/0/loop/do/0/a/foreach/do/0/b"));
    EXPECT_INT(a->as.listen.output_as->kind, PW_TEMPLATE_EXPR);
    EXPECT_INT(a->as.listen.export_as->kind, PW_TEMPLATE_OBJECT);
    EXPECT(c->as.listen.each);
    EXPECT_STR(c->as.listen.item, "item");
    EXPECT_INT(c->as.listen.body.count, 0);
    unload(&l);
}

TEST(listen, a_portable_document_has_no_patterns)
{
    loaded l;
    pw_arena_init(&l.arena, 0);
    l.findings = (pw_findings){ .arena = &l.arena, .portable = true };
    l.program = NULL;
    l.code = pw_lang_load(&l.program,
                          PW_LIT(HEAD "do: [ { a: { listen: { to: { any: [ { with: { subject: ^a.*$ "
                                      "} }, { with: { subject: a } } ] } } } } ]\n"),
                          &l.findings, &l.err);
    EXPECT_OK(l.code, l.err);
    char *text = findings_text(&l);
    EXPECT_TEXT(text, "2:56: warning: this is a pattern: others may take it as literal text\n");
    free(text);
    unload(&l);
}

TEST_MAIN()
