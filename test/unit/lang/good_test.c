/* Good documents: what the program looks like. */
#include "fixture.h"
#include "base/cron.h"

TEST(good, the_head_is_read)
{
    loaded l;
    load_text(&l, PW_LIT("document:\n  dsl: '1.0.3'\n  namespace: shop\n  name: order-2\n"
                         "  version: 1.2.3-rc.1+5\n  title: Orders\n  summary: text\n"
                         "  tags: { a: b }\n  metadata: { free: [ 1 ] }\ndo: []\n"));
    EXPECT_INT(l.findings.count, 0);
    EXPECT_STR(l.program->dsl, "1.0.3");
    EXPECT_STR(l.program->namespace_, "shop");
    EXPECT_STR(l.program->name, "order-2");
    EXPECT_STR(l.program->version, "1.2.3-rc.1+5");
    EXPECT_STR(l.program->title, "Orders");
    EXPECT_STR(l.program->error_base, PW_ERROR_HOST);
    EXPECT_INT(l.program->body.count, 0);
    EXPECT_INT(l.program->task_count, 0);
    EXPECT(!l.program->timeout.given);
    EXPECT(!l.program->input_from && !l.program->output_as);
    unload(&l);
}

TEST(good, tasks_are_numbered_functions_first_and_parents_before_children)
{
    static const char *const pointers[] = {
        "/use/functions/f",
        "/use/functions/f/do/0/f1",
        "/use/functions/g",
        "/do/0/a",
        "/do/0/a/do/0/a1",
        "/do/0/a/do/1/a2",
        "/do/1/b",
        "/do/1/b/fork/branches/0/b1",
        "/do/1/b/fork/branches/1/b2",
        "/do/2/c",
        "/do/2/c/try/0/c1",
        "/do/2/c/catch/do/0/c2",
        "/do/3/d",
        "/do/3/d/do/0/d1",
        "/do/4/e~1f",
    };
    loaded l;
    load_good(
        &l,
        "do:\n"
        "  - a: { do: [ { a1: { set: { x: 1 } } }, { a2: { set: { x: 1 } } } ] }\n"
        "  - b: { fork: { branches: [ { b1: { set: { x: 1 } } }, { b2: { set: { x: 1 } } } ] } }\n"
        "  - c:\n"
        "      catch: { do: [ { c2: { set: { x: 1 } } } ] }\n"
        "      try: [ { c1: { set: { x: 1 } } } ]\n"
        "  - d: { for: { in: . }, do: [ { d1: { set: { x: 1 } } } ] }\n"
        "  - e/f: { call: g }\n"
        "use: { functions: { f: { do: [ { f1: { call: f } } ] }, g: { call: f } } }\n");
    EXPECT_INT(l.program->task_count, PW_LENGTH(pointers));
    for (uint32_t i = 0; i < PW_LENGTH(pointers); i++) {
        EXPECT_STR(l.program->tasks[i]->pointer, pointers[i]);
        EXPECT_INT(l.program->tasks[i]->index, i);
    }
    EXPECT_INT(task_at(&l, "/do/0/a/do/1/a2")->position, 1);
    EXPECT_INT(task_at(&l, "/do/4/e~1f")->position, 4);
    EXPECT_STR(task_at(&l, "/do/4/e~1f")->name, "e/f");
    EXPECT_INT(task_at(&l, "/do/2/c")->line, 5);
    EXPECT_INT(task_at(&l, "/do/2/c")->column, 5);
    EXPECT(l.program->body.count == 5);
    EXPECT(l.program->body.tasks[2] == task_at(&l, "/do/2/c"));
    EXPECT_TEXT(json_of(&l, task_at(&l, "/do/0/a/do/0/a1")->definition), "{\"set\":{\"x\":1}}");
    unload(&l);
}

TEST(good, functions_call_each_other_and_the_rest_are_activities)
{
    loaded l;
    load_good(&l,
              "use: { functions: { a: { call: b, with: { x: \"${ . }\" } }, b: { call: a } } }\n"
              "do:\n"
              "  - one: { call: a }\n"
              "  - two: { call: charge-card, with: { amount: 3 } }\n"
              "  - three: { call: refund }\n"
              "  - four: { call: charge-card }\n");
    const pw_task *a = task_at(&l, "/use/functions/a"), *b = task_at(&l, "/use/functions/b");
    EXPECT_INT(a->kind, PW_TASK_FUNCTION);
    EXPECT(a->as.call.body == b && b->as.call.body == a);
    EXPECT_INT(a->as.call.with->kind, PW_TEMPLATE_OBJECT);
    EXPECT(b->as.call.with == NULL);
    EXPECT(task_at(&l, "/do/0/one")->as.call.body == a);
    const pw_task *two = task_at(&l, "/do/1/two");
    EXPECT_INT(two->kind, PW_TASK_ACTIVITY);
    EXPECT(two->as.call.body == NULL);
    EXPECT_STR(two->as.call.name, "charge-card");
    EXPECT_TEXT(json_of(&l, two->as.call.with->value), "{\"amount\":3}");
    EXPECT_INT(l.program->activity_count, 2);
    EXPECT_STR(l.program->activities[0], "charge-card");
    EXPECT_STR(l.program->activities[1], "refund");
    unload(&l);
}

static void expect_flow(pw_flow flow, pw_flow_kind kind, uint32_t target)
{
    EXPECT_INT(flow.kind, kind);
    EXPECT_INT(flow.target, target);
}

TEST(good, then_becomes_a_flow)
{
    loaded l;
    load_good(&l,
              "do:\n"
              "  - a: { if: .x, set: { x: 1 }, then: c }\n"
              "  - b: { if: .x, set: { x: 1 }, then: end }\n"
              "  - c: { if: .x, set: { x: 1 }, then: exit }\n"
              "  - d: { set: { x: 1 }, then: continue }\n"
              "  - e: { set: { x: 1 } }\n"
              "  - f: { if: .x, try: [ { w: { wait: PT1S } } ], catch: { then: a }, then: b }\n"
              "  - g: { try: [], catch: {} }\n"
              "  - h: { do: [ { a: { set: { x: 1 }, then: b } }, { b: { wait: PT1S, then: a } } "
              "] }\n");
    expect_flow(task_at(&l, "/do/0/a")->then, PW_FLOW_GOTO, 2);
    expect_flow(task_at(&l, "/do/1/b")->then, PW_FLOW_END, 0);
    expect_flow(task_at(&l, "/do/2/c")->then, PW_FLOW_EXIT, 0);
    expect_flow(task_at(&l, "/do/3/d")->then, PW_FLOW_CONTINUE, 0);
    expect_flow(task_at(&l, "/do/4/e")->then, PW_FLOW_CONTINUE, 0);
    const pw_task *f = task_at(&l, "/do/5/f");
    expect_flow(f->then, PW_FLOW_GOTO, 1);
    EXPECT(f->as.attempt.has_then);
    expect_flow(f->as.attempt.then, PW_FLOW_GOTO, 0);
    EXPECT(!task_at(&l, "/do/6/g")->as.attempt.has_then);
    expect_flow(task_at(&l, "/do/7/h/do/0/a")->then, PW_FLOW_GOTO, 1);
    unload(&l);
}

TEST(good, cases_keep_their_order_and_the_default_its_place)
{
    loaded l;
    load_good(&l, "do:\n"
                  "  - s:\n"
                  "      switch:\n"
                  "        - big: { when: .x > 10, then: last }\n"
                  "        - other: { then: exit }\n"
                  "        - small: { when: \"${ .x < 3 }\", then: end }\n"
                  "  - last: { set: { x: 1 } }\n");
    const pw_task *s = task_at(&l, "/do/0/s");
    EXPECT_INT(s->kind, PW_TASK_SWITCH);
    EXPECT_INT(s->as.choice.count, 3);
    EXPECT_STR(s->as.choice.cases[0].name, "big");
    EXPECT(s->as.choice.cases[0].when != NULL);
    expect_flow(s->as.choice.cases[0].then, PW_FLOW_GOTO, 1);
    EXPECT_STR(s->as.choice.cases[1].name, "other");
    EXPECT(s->as.choice.cases[1].when == NULL);
    expect_flow(s->as.choice.cases[1].then, PW_FLOW_EXIT, 0);
    EXPECT(s->as.choice.cases[2].when != NULL);
    expect_flow(s->as.choice.cases[2].then, PW_FLOW_END, 0);
    unload(&l);
}

TEST(good, a_template_is_constant_where_it_can_be)
{
    loaded l;
    load_good(&l, "do:\n"
                  "  - a: { set: { x: 1, y: [ 1, \"${ .b }\", { z: t } ], k: { l: m } } }\n"
                  "  - b: { set: { x: 1.50, big: 12345678901234567890 } }\n"
                  "  - c: { set: \"${ .b }\" }\n"
                  "  - d:\n      set:\n        x: |\n          ${\n            .b\n          }\n");
    const pw_template *a = task_at(&l, "/do/0/a")->as.set;
    EXPECT_INT(a->kind, PW_TEMPLATE_OBJECT);
    EXPECT_INT(a->count, 3);
    EXPECT_STR(a->keys[0], "x");
    EXPECT_STR(a->keys[1], "y");
    EXPECT_INT(a->items[0].kind, PW_TEMPLATE_CONST);
    EXPECT_TEXT(json_of(&l, a->items[0].value), "1");
    EXPECT_INT(a->items[1].kind, PW_TEMPLATE_ARRAY);
    EXPECT_INT(a->items[1].count, 3);
    EXPECT_INT(a->items[1].items[1].kind, PW_TEMPLATE_EXPR);
    EXPECT(a->items[1].items[1].expr != NULL);
    EXPECT_TEXT(json_of(&l, a->items[1].items[2].value), "{\"z\":\"t\"}");
    EXPECT_INT(a->items[2].kind, PW_TEMPLATE_CONST);
    const pw_template *b = task_at(&l, "/do/1/b")->as.set;
    EXPECT_INT(b->kind, PW_TEMPLATE_CONST);
    EXPECT_TEXT(json_of(&l, b->value), "{\"x\":1.50,\"big\":12345678901234567890}");
    EXPECT_INT(task_at(&l, "/do/2/c")->as.set->kind, PW_TEMPLATE_EXPR);
    const pw_template *d = task_at(&l, "/do/3/d")->as.set;
    EXPECT_INT(d->items[0].kind, PW_TEMPLATE_EXPR);
    unload(&l);
}

TEST(good, transforms_are_expressions_with_or_without_the_wrapper)
{
    loaded l;
    load_good(&l, "input: { from: .order }\n"
                  "output: { as: { result: \"${ . }\" } }\n"
                  "do:\n"
                  "  - a:\n"
                  "      if: \"${ .x }\"\n"
                  "      input: { from: { y: \"${ .x }\", z: 1 } }\n"
                  "      output: { as: $input.y + .z }\n"
                  "      export: { as: \"${ $context + { y: $output } }\" }\n"
                  "      set: { x: \"${ $input }\" }\n");
    EXPECT_INT(l.program->input_from->kind, PW_TEMPLATE_EXPR);
    EXPECT_INT(l.program->output_as->kind, PW_TEMPLATE_OBJECT);
    const pw_task *a = task_at(&l, "/do/0/a");
    EXPECT(a->condition != NULL);
    EXPECT_INT(a->input_from->kind, PW_TEMPLATE_OBJECT);
    EXPECT_INT(a->output_as->kind, PW_TEMPLATE_EXPR);
    EXPECT_INT((int)pw_expr_slots(a->output_as->expr), (int)PW_BIT(PW_SLOT_INPUT));
    EXPECT_INT(a->export_as->kind, PW_TEMPLATE_EXPR);
    EXPECT_INT((int)pw_expr_slots(a->export_as->expr),
               (int)(PW_BIT(PW_SLOT_CONTEXT) | PW_BIT(PW_SLOT_OUTPUT)));
    unload(&l);
}

TEST(good, variables_get_slots_by_nesting_and_siblings_share_them)
{
    loaded l;
    load_good(
        &l, "use: { functions: { f: { for: { in: . }, do: [] } } }\n"
            "do:\n"
            "  - a:\n"
            "      for: { each: x, at: i, in: .list }\n"
            "      while: $x < 10 and $i < 3\n"
            "      do:\n"
            "        - b:\n"
            "            try: [ { c: { for: { in: $x }, do: [ { d: { set: { v: \"${ $item + $index "
            "+ $x }\" } } } ] } } ]\n"
            "            catch:\n"
            "              as: problem\n"
            "              do: [ { e: { for: { in: \"[ 1 ]\" }, do: [ { g: { call: f } } ] } } ]\n"
            "  - h: { for: { in: [ { n: 1 }, { n: \"${ .m }\" } ] }, do: [] }\n");
    const pw_task *a = task_at(&l, "/do/0/a");
    EXPECT_INT(a->kind, PW_TASK_FOR);
    EXPECT_STR(a->as.loop.each, "x");
    EXPECT_STR(a->as.loop.at, "i");
    EXPECT_INT(a->as.loop.each_slot, PW_SLOT_LEXICAL);
    EXPECT_INT(a->as.loop.at_slot, PW_SLOT_LEXICAL + 1);
    EXPECT_INT((int)pw_expr_slots(a->as.loop.while_), (int)(PW_BIT(8) | PW_BIT(9)));
    const pw_task *b = task_at(&l, "/do/0/a/do/0/b");
    EXPECT_INT(b->as.attempt.as_slot, PW_SLOT_LEXICAL + 2);
    EXPECT_STR(b->as.attempt.as, "problem");
    const pw_task *c = task_at(&l, "/do/0/a/do/0/b/try/0/c");
    EXPECT_INT(c->as.loop.each_slot, PW_SLOT_LEXICAL + 2);
    EXPECT_STR(c->as.loop.each, "item");
    EXPECT_STR(c->as.loop.at, "index");
    EXPECT_INT((int)pw_expr_slots(c->as.loop.in->expr), (int)PW_BIT(8));
    const pw_task *d = task_at(&l, "/do/0/a/do/0/b/try/0/c/do/0/d");
    EXPECT_INT((int)pw_expr_slots(d->as.set->items[0].expr),
               (int)(PW_BIT(8) | PW_BIT(10) | PW_BIT(11)));
    EXPECT_INT(task_at(&l, "/do/0/a/do/0/b/catch/do/0/e")->as.loop.each_slot, PW_SLOT_LEXICAL + 3);
    EXPECT_INT(task_at(&l, "/use/functions/f")->as.loop.each_slot, PW_SLOT_LEXICAL);
    const pw_task *h = task_at(&l, "/do/1/h");
    EXPECT_INT(h->as.loop.each_slot, PW_SLOT_LEXICAL);
    EXPECT_INT(h->as.loop.in->kind, PW_TEMPLATE_ARRAY);
    unload(&l);
}

TEST(good, an_inner_variable_hides_an_outer_one)
{
    loaded l;
    load_good(
        &l, "do:\n"
            "  - a:\n"
            "      for: { in: . }\n"
            "      do:\n"
            "        - b: { for: { in: $item }, do: [ { c: { set: { v: \"${ $item }\" } } } ] }\n");
    const pw_task *c = task_at(&l, "/do/0/a/do/0/b/do/0/c");
    EXPECT_INT((int)pw_expr_slots(c->as.set->items[0].expr), (int)PW_BIT(10));
    unload(&l);
}

static void expect_constant(pw_delay delay, uint32_t months, uint64_t ms)
{
    EXPECT(delay.given && !delay.tmpl);
    EXPECT_INT(delay.constant.months, months);
    EXPECT_INT(delay.constant.ms, ms);
}

TEST(good, durations_in_all_forms)
{
    loaded l;
    load_good(&l,
              "timeout: { after: P1Y2M }\n"
              "use: { timeouts: { short: { after: PT5S }, asked: { after: \"${ .limit }\" } } }\n"
              "do:\n"
              "  - a: { wait: PT1M30S, timeout: short }\n"
              "  - b: { wait: { days: 1, hours: 2, minutes: 3, seconds: 4, milliseconds: 5 }, "
              "timeout: { after: 250ms } }\n"
              "  - c: { wait: \"${ .pause }\", timeout: asked }\n"
              "  - d: { wait: { seconds: \"${ .pause }\", days: 1 } }\n"
              "  - e: { wait: { seconds: 0 } }\n");
    expect_constant(l.program->timeout, 14, 0);
    expect_constant(task_at(&l, "/do/0/a")->as.wait, 0, 90000);
    expect_constant(task_at(&l, "/do/0/a")->timeout, 0, 5000);
    expect_constant(task_at(&l, "/do/1/b")->as.wait, 0, 93784005);
    expect_constant(task_at(&l, "/do/1/b")->timeout, 0, 250);
    const pw_task *c = task_at(&l, "/do/2/c");
    EXPECT_INT(c->as.wait.tmpl->kind, PW_TEMPLATE_EXPR);
    EXPECT_INT(c->timeout.tmpl->kind, PW_TEMPLATE_EXPR);
    const pw_task *d = task_at(&l, "/do/3/d");
    EXPECT_INT(d->as.wait.tmpl->kind, PW_TEMPLATE_OBJECT);
    EXPECT_INT(d->as.wait.tmpl->count, 2);
    EXPECT(!d->timeout.given);
    expect_constant(task_at(&l, "/do/4/e")->as.wait, 0, 0);
    unload(&l);
}

TEST(good, a_catch_with_everything)
{
    loaded l;
    load_good(&l,
              "do:\n"
              "  - a:\n"
              "      try: [ { b: { set: { x: 1 } } } ]\n"
              "      catch:\n"
              "        errors:\n"
              "          with:\n"
              "            type: https://serverlessworkflow.io/spec/1.0.0/errors/communication\n"
              "            status: 503\n"
              "            title: Gone\n"
              "            detail: d\n"
              "            instance: /do/0/a/try/0/b\n"
              "        when: .status > 500\n"
              "        exceptWhen: $error.status == 504\n"
              "        retry:\n"
              "          when: .status == 503\n"
              "          exceptWhen: .title == null\n"
              "          delay: { seconds: 3 }\n"
              "          backoff: { exponential: { factor: 1.5, maxDelay: PT1M } }\n"
              "          jitter: { from: PT0S, to: \"${ .x }\" }\n"
              "          limit: { attempt: { count: 5, duration: PT10S }, duration: PT1H }\n"
              "        do: [ { c: { set: { x: 2 } } } ]\n"
              "        then: end\n");
    const pw_task *a = task_at(&l, "/do/0/a");
    EXPECT_INT(a->kind, PW_TASK_TRY);
    EXPECT_STR(l.program->error_base, PW_ERROR_HOST_OLD);
    EXPECT(a->as.attempt.has_errors && a->as.attempt.has_handler);
    EXPECT_STR(a->as.attempt.type, "https://serverlessworkflow.io/spec/1.0.0/errors/communication");
    EXPECT_INT(a->as.attempt.status, 503);
    EXPECT_STR(a->as.attempt.title, "Gone");
    EXPECT_STR(a->as.attempt.detail, "d");
    EXPECT_STR(a->as.attempt.instance, "/do/0/a/try/0/b");
    EXPECT_STR(a->as.attempt.as, "error");
    EXPECT(a->as.attempt.when && a->as.attempt.except_when);
    EXPECT_INT(a->as.attempt.body.count, 1);
    EXPECT_INT(a->as.attempt.handler.count, 1);
    const pw_retry_policy *r = a->as.attempt.retry;
    EXPECT(r->when && r->except_when);
    expect_constant(r->delay, 0, 3000);
    EXPECT_INT(r->backoff, PW_BACKOFF_EXPONENTIAL);
    EXPECT(r->factor > 1.49 && r->factor < 1.51);
    expect_constant(r->delay_max, 0, 60000);
    expect_constant(r->jitter_from, 0, 0);
    EXPECT(r->jitter_to.given && r->jitter_to.tmpl);
    EXPECT_INT(r->count, 5);
    expect_constant(r->attempt, 0, 10000);
    expect_constant(r->total, 0, 3600000);
    unload(&l);
}

TEST(good, a_catch_with_nothing)
{
    loaded l;
    load_good(
        &l,
        "use: { retries: { std: { limit: { attempt: { count: 0 } }, backoff: { linear: {} } } } }\n"
        "do:\n"
        "  - a: { try: [], catch: {} }\n"
        "  - b: { try: [], catch: { retry: std, do: [] } }\n");
    const pw_task *a = task_at(&l, "/do/0/a");
    EXPECT(!a->as.attempt.has_errors && !a->as.attempt.has_handler && !a->as.attempt.retry);
    EXPECT_INT(a->as.attempt.status, -1);
    EXPECT(a->as.attempt.type.ptr == NULL && a->as.attempt.title.ptr == NULL);
    const pw_task *b = task_at(&l, "/do/1/b");
    EXPECT(b->as.attempt.has_handler);
    EXPECT_INT(b->as.attempt.handler.count, 0);
    EXPECT_INT(b->as.attempt.retry->backoff, PW_BACKOFF_LINEAR);
    EXPECT_INT(b->as.attempt.retry->count, 0);
    EXPECT(!b->as.attempt.retry->delay.given);
    unload(&l);
}

TEST(good, errors_inline_named_and_computed)
{
    loaded l;
    load_good(
        &l,
        "use:\n"
        "  errors:\n"
        "    gone: { type: https://serverlessworkflow.io/dsl/errors/types/runtime, status: 410, "
        "title: \"${ .t }\" }\n"
        "do:\n"
        "  - a: { if: .x, raise: { error: gone } }\n"
        "  - b: { if: .x, raise: { error: { type: \"${ .type }\", status: 500, detail: text, "
        "instance: /x } } }\n"
        "  - c: { try: [], catch: { do: [ { d: { raise: { error: \"${ $error }\" } } } ] } }\n");
    EXPECT_STR(l.program->error_base, "https://serverlessworkflow.io/dsl/errors/types/");
    const pw_error_template *a = &task_at(&l, "/do/0/a")->as.error;
    EXPECT(!a->whole && !a->type_computed && !a->detail);
    EXPECT_STR(a->type, "https://serverlessworkflow.io/dsl/errors/types/runtime");
    EXPECT_INT(a->status, 410);
    EXPECT_INT(a->title->kind, PW_TEMPLATE_EXPR);
    const pw_error_template *b = &task_at(&l, "/do/1/b")->as.error;
    EXPECT(b->type_computed != NULL && b->type.ptr == NULL);
    EXPECT_TEXT(json_of(&l, b->detail->value), "\"text\"");
    EXPECT_TEXT(json_of(&l, b->instance->value), "\"/x\"");
    EXPECT(task_at(&l, "/do/2/c/catch/do/0/d")->as.error.whole != NULL);
    unload(&l);
}

TEST(good, http_calls)
{
    loaded l;
    load_good(
        &l, "do:\n"
            "  - a: { call: http, with: { method: get, endpoint: \"https://x.example/{id}/y\" } }\n"
            "  - b:\n"
            "      call: http\n"
            "      with:\n"
            "        method: Post\n"
            "        endpoint:\n"
            "          uri: ${ .uri }\n"
            "          authentication: { basic: { username: u, password: \"${ .p }\" } }\n"
            "        headers: { X-A: a, X-B: \"${ .b }\" }\n"
            "        query: ${ .q }\n"
            "        body: { n: 1, m: \"${ .m }\" }\n"
            "        output: response\n"
            "        redirect: true\n"
            "  - c:\n"
            "      call: http\n"
            "      with:\n"
            "        method: DELETE\n"
            "        output: raw\n"
            "        endpoint: { uri: http://x/, authentication: { bearer: { token: \"${ .t }\" } "
            "} }\n");
    const pw_task *a = task_at(&l, "/do/0/a"), *b = task_at(&l, "/do/1/b"),
                  *c = task_at(&l, "/do/2/c");
    EXPECT_INT(a->kind, PW_TASK_HTTP);
    EXPECT_TEXT(json_of(&l, a->as.http.method->value), "\"GET\"");
    EXPECT_INT(a->as.http.endpoint->kind, PW_TEMPLATE_CONST);
    EXPECT_TEXT(json_of(&l, a->as.http.endpoint->value), "\"https://x.example/{id}/y\"");
    EXPECT(!a->as.http.headers && !a->as.http.query && !a->as.http.body && !a->as.http.user);
    EXPECT_INT(a->as.http.output, PW_HTTP_CONTENT);
    EXPECT(!a->as.http.redirect);
    EXPECT_TEXT(json_of(&l, b->as.http.method->value), "\"POST\"");
    EXPECT_INT(b->as.http.endpoint->kind, PW_TEMPLATE_EXPR);
    EXPECT_INT(b->as.http.user->kind, PW_TEMPLATE_CONST);
    EXPECT_INT(b->as.http.password->kind, PW_TEMPLATE_EXPR);
    EXPECT(!b->as.http.token);
    EXPECT_INT(b->as.http.headers->kind, PW_TEMPLATE_OBJECT);
    EXPECT_INT(b->as.http.query->kind, PW_TEMPLATE_EXPR);
    EXPECT_INT(b->as.http.body->kind, PW_TEMPLATE_OBJECT);
    EXPECT_INT(b->as.http.output, PW_HTTP_RESPONSE);
    EXPECT(b->as.http.redirect);
    EXPECT_INT(c->as.http.output, PW_HTTP_RAW);
    EXPECT_INT(c->as.http.token->kind, PW_TEMPLATE_EXPR);
    unload(&l);
}

TEST(good, user_tasks_in_both_spellings)
{
    loaded l;
    load_good(
        &l, "do:\n"
            "  - a: { call: userTask }\n"
            "  - b:\n"
            "      call: userTask:1.0.0@default\n"
            "      with:\n"
            "        assignedTo: ${ .boss }\n"
            "        candidates: { users: [ anna, \"${ .deputy }\" ], groups: \"${ .groups }\" }\n"
            "        title: Approve\n"
            "        form: { schema: { type: object, required: [ ok ] } }\n"
            "        due: PT48H\n"
            "        priority: 3\n"
            "        data: [ 1, 2 ]\n"
            "        key: approval\n");
    EXPECT_INT(task_at(&l, "/do/0/a")->kind, PW_TASK_USER);
    EXPECT(task_at(&l, "/do/0/a")->as.user.with == NULL);
    const pw_task *b = task_at(&l, "/do/1/b");
    EXPECT_INT(b->kind, PW_TASK_USER);
    EXPECT_INT(b->as.user.with->kind, PW_TEMPLATE_OBJECT);
    EXPECT_INT(b->as.user.with->count, 8);
    EXPECT_INT(l.program->activity_count, 0);
    unload(&l);
}

TEST(good, emit_keeps_its_event)
{
    loaded l;
    load_good(&l, "do:\n"
                  "  - a: { emit: { event: { with: { type: x.y, tenant: t, data: { n: \"${ .n }\" "
                  "} } } } }\n");
    const pw_task *a = task_at(&l, "/do/0/a");
    EXPECT_INT(a->kind, PW_TASK_EMIT);
    EXPECT_INT(a->as.event->kind, PW_TEMPLATE_OBJECT);
    EXPECT_STR(a->as.event->keys[1], "tenant");
    unload(&l);
}

/* ---- the digest */

static void digest_of(char out[65], const char *text)
{
    loaded l;
    load_text(&l, pw_str_of(text));
    EXPECT_OK(l.code, l.err);
    EXPECT_INT(l.program->digest.len, 64);
    memcpy(out, l.program->digest.ptr, 65);
    unload(&l);
}

TEST(good, the_digest_is_of_the_content_not_of_its_spelling)
{
    char yaml[65], json[65], other[65];
    digest_of(yaml, "# comment\ndo:\n  - a: { set: { x: 1.0, y: \"\\u00e9\" } }\n"
                    "document: { dsl: 1.0.3, namespace: n, name: m, version: 1.0.0 }\n");
    digest_of(json, "{\"document\":{\"version\":\"1.0.0\",\"name\":\"m\",\"namespace\":\"n\","
                    "\"dsl\":\"1.0.3\"},"
                    "\"do\":[{\"a\":{\"set\":{\"y\":\"\xc3\xa9\",\"x\":1}}}]}");
    digest_of(other, "do:\n  - a: { set: { x: 2, y: \"\\u00e9\" } }\n"
                     "document: { dsl: 1.0.3, namespace: n, name: m, version: 1.0.0 }\n");
    EXPECT_TEXT(yaml, json);
    EXPECT(strcmp(yaml, other) != 0);
    /* SHA-256 of the length in 8 bytes and the canonical JSON, computed elsewhere */
    EXPECT_TEXT(yaml, "2b9a9c5d9edac914ce6408e86355c8d6adc30c24b7e05c3857111deebf9c5cf9");
}

/* ---- run */

TEST(good, a_workflow_to_run_is_read)
{
    loaded l;
    load_good(&l, "do:\n"
                  "  - a: { run: { workflow: { namespace: shop, name: pack-2, version: 1.2.0-rc.1,\n"
                  "                            input: { n: '${ .n }' } } } }\n"
                  "  - b: { run: { workflow: { namespace: shop, name: pack, version: latest },\n"
                  "                await: false } }\n"
                  "  - c: { run: { workflow: { namespace: shop, name: pack, version: 1.0.0 } },\n"
                  "         metadata: { pawl: { parentClose: leave } } }\n");
    const pw_task *a = task_at(&l, "/do/0/a"), *b = task_at(&l, "/do/1/b"),
                  *c = task_at(&l, "/do/2/c");
    EXPECT_INT(a->kind, PW_TASK_RUN);
    EXPECT_STR(a->as.run.namespace_, "shop");
    EXPECT_STR(a->as.run.name, "pack-2");
    EXPECT_STR(a->as.run.version, "1.2.0-rc.1");
    EXPECT(a->as.run.input != NULL && a->as.run.await);
    EXPECT_INT(a->as.run.close, PW_CLOSE_CANCEL);
    EXPECT_STR(b->as.run.version, ""); /* the newest */
    EXPECT(b->as.run.input == NULL && !b->as.run.await);
    EXPECT_INT(b->as.run.close, PW_CLOSE_LEAVE);
    EXPECT(c->as.run.await);
    EXPECT_INT(c->as.run.close, PW_CLOSE_LEAVE);
    unload(&l);
}

/* ---- programs */

TEST(program, references_are_counted)
{
    pw_program *program = pw_program_new();
    EXPECT(program != NULL);
    EXPECT(pw_program_ref(program) == program);
    pw_program_unref(program);
    EXPECT(pw_arena_alloc(&program->arena, 100) != NULL);
    pw_program_unref(program);
    pw_program_unref(NULL);
}

TEST(program, standard_errors_have_four_spellings)
{
    static const char *const spellings[] = {
        "https://open-workflow-specification.org/spec/1.0.0/errors/timeout",
        "https://open-workflow-specification.org/dsl/errors/types/timeout",
        "https://serverlessworkflow.io/spec/1.0.0/errors/timeout",
        "https://serverlessworkflow.io/dsl/errors/types/timeout",
    };
    for (size_t i = 0; i < PW_LENGTH(spellings); i++) {
        EXPECT_STR(pw_error_suffix(pw_str_of(spellings[i])), "timeout");
        for (size_t j = 0; j < PW_LENGTH(spellings); j++)
            EXPECT(pw_error_type_eq(pw_str_of(spellings[i]), pw_str_of(spellings[j])));
        EXPECT(!pw_error_type_eq(pw_str_of(spellings[i]), PW_LIT("timeout")));
    }
    EXPECT_STR(pw_error_suffix(PW_LIT(PW_ERROR_HOST "timeouts")), "");
    EXPECT_STR(pw_error_suffix(PW_LIT(PW_ERROR_HOST)), "");
    EXPECT_STR(pw_error_suffix(PW_LIT("https://example.com/spec/1.0.0/errors/timeout")), "");
    EXPECT(pw_error_type_eq(PW_LIT("urn:x"), PW_LIT("urn:x")));
    EXPECT(!pw_error_type_eq(PW_LIT("urn:x"), PW_LIT("urn:y")));
    EXPECT(!pw_error_type_eq(PW_LIT(PW_ERROR_HOST "timeout"), PW_LIT(PW_ERROR_HOST "runtime")));
}

TEST(good, a_schedule_is_the_last_task)
{
    loaded l;
    load_good(&l, "schedule: { every: PT1H }\ndo: [ { a: { set: { x: 1 } } } ]\n"
                  "use: { functions: { f: { set: { x: 1 } } } }\n");
    EXPECT_INT(l.program->task_count, 3);
    EXPECT_INT(l.program->schedule.count, 1);
    const pw_task *task = l.program->tasks[2];
    EXPECT(task == l.program->schedule.tasks[0]);
    EXPECT_INT(task->kind, PW_TASK_SCHEDULE);
    EXPECT_INT(task->index, 2);
    EXPECT_STR(task->pointer, "/schedule");
    EXPECT_STR(task->name, "schedule");
    EXPECT_TEXT(json_of(&l, task->definition), "{\"every\":\"PT1H\"}");
    EXPECT_INT(task->as.schedule.kind, PW_SCHEDULE_EVERY);
    EXPECT_INT(task->as.schedule.period.ms, 3600000);
    EXPECT_INT(task->as.schedule.overlap, PW_OVERLAP_ALLOW);
    EXPECT_INT(task->as.schedule.catch_up, PW_CATCH_UP_ONE);
    unload(&l);
    load_good(&l, "schedule: { after: { hours: 1, seconds: 1 } }\ndo: []\n");
    EXPECT_INT(l.program->tasks[0]->as.schedule.kind, PW_SCHEDULE_AFTER);
    EXPECT_INT(l.program->tasks[0]->as.schedule.period.ms, 3601000);
    unload(&l);
    load_good(&l, "do: []\n");
    EXPECT_INT(l.program->schedule.count, 0);
    unload(&l);
}

TEST(good, cron_has_its_time_zone)
{
    loaded l;
    load_good(&l, "schedule: { cron: '30 2 * * mon' }\ndo: []\n");
    const pw_schedule *schedule = &l.program->tasks[0]->as.schedule;
    EXPECT_INT(schedule->kind, PW_SCHEDULE_CRON);
    EXPECT_STR(pw_zone_name(schedule->cron->zone), "UTC");
    EXPECT_INT(pw_cron_next(schedule->cron, 1795378953123), 1795401000000); /* 2026-11-23T02:30 */
    unload(&l);
}

TEST(good, events_of_a_schedule_come_with_their_envelope_unless_it_says_otherwise)
{
    static const struct {
        const char *read;
        pw_read_kind kind;
    } cases[] = { { "", PW_READ_ENVELOPE },
                  { ", read: data", PW_READ_DATA },
                  { ", read: raw", PW_READ_RAW },
                  { ", read: envelope", PW_READ_ENVELOPE } };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        loaded l;
        char text[200];
        (void)snprintf(text, sizeof text,
                       "schedule: { on: { any: [ { with: { type: a } } ] }%s }\ndo: []\n",
                       cases[i].read);
        load_good(&l, text);
        const pw_schedule *schedule = &l.program->tasks[0]->as.schedule;
        EXPECT_INT(schedule->kind, PW_SCHEDULE_ON);
        EXPECT_INT(schedule->on.kind, PW_LISTEN_ANY);
        EXPECT_INT(schedule->on.count, 1);
        EXPECT_STR(schedule->on.filters[0].type, "a");
        EXPECT_INT(schedule->on.read, cases[i].kind);
        unload(&l);
    }
}

TEST(good, loose_mode_makes_an_expression_of_each_value_that_can_be_one)
{
    loaded l;
    load_text(&l, PW_LIT("document: { dsl: 1.0.3, namespace: a, name: b, version: 1.0.0 }\n"
                         "evaluate: { language: jq, mode: loose }\n"
                         "do:\n"
                         "  - a: { set: [ .x ] }\n"));
    EXPECT_INT(l.code, PAWL_INVALID); /* a list is no 'set' */
    unload(&l);
    load_text(&l,
              PW_LIT("document: { dsl: 1.0.3, namespace: a, name: b, version: 1.0.0 }\n"
                     "evaluate: { language: jq, mode: loose }\n"
                     "do:\n"
                     "  - b: { set: { x: .x, y: two words, z: '${ .z }', n: [ 1, '42' ] } }\n"
                     "  - c: { wait: .pause, timeout: { after: PT1M } }\n"
                     "  - e: { call: http, with: { method: get, endpoint: .url, query: .query,\n"
                     "                             headers: { A: now } } }\n"
                     "  - f: { set: .x }\n"
                     "  - d: { raise: { error: { type: .type, status: 500, title: No } } }\n"));
    EXPECT_INT(l.code, PAWL_OK);
    EXPECT_INT(l.findings.count, 3); /* the mode, `two words` and `No` */
    for (size_t i = 0; i < 3; i++)
        EXPECT_INT(l.findings.items[i].kind, PAWL_FINDING_LOOSE);
    const pw_template *b = task_at(&l, "/do/0/b")->as.set;
    EXPECT_INT(b->kind, PW_TEMPLATE_OBJECT);
    EXPECT_INT(b->items[0].kind, PW_TEMPLATE_LOOSE);
    EXPECT(b->items[0].expr != NULL);
    EXPECT_STR(pw_text(b->items[0].value), ".x");
    EXPECT_INT(b->items[1].kind, PW_TEMPLATE_CONST);
    EXPECT_INT(b->items[2].kind, PW_TEMPLATE_EXPR);
    EXPECT_INT(b->items[3].kind, PW_TEMPLATE_ARRAY);
    EXPECT_INT(b->items[3].items[0].kind, PW_TEMPLATE_CONST);
    EXPECT_INT(b->items[3].items[1].kind, PW_TEMPLATE_LOOSE);
    const pw_task *c = task_at(&l, "/do/1/c");
    EXPECT_INT(c->as.wait.tmpl->kind, PW_TEMPLATE_LOOSE);
    EXPECT(c->timeout.tmpl == NULL && c->timeout.given);
    const pw_error_template *d = &task_at(&l, "/do/4/d")->as.error;
    EXPECT_INT(d->type_computed->kind, PW_TEMPLATE_LOOSE);
    EXPECT_INT(d->title->kind, PW_TEMPLATE_CONST);
    const pw_task *e = task_at(&l, "/do/2/e");
    EXPECT_INT(e->as.http.endpoint->kind, PW_TEMPLATE_LOOSE);
    EXPECT_INT(e->as.http.query->kind, PW_TEMPLATE_LOOSE);
    EXPECT_INT(e->as.http.headers->items[0].kind, PW_TEMPLATE_LOOSE);
    EXPECT_INT(task_at(&l, "/do/3/f")->as.set->kind, PW_TEMPLATE_LOOSE);
    unload(&l);
}

TEST(good, the_mode_is_part_of_the_document_and_of_nothing_else)
{
    static const char *const modes[] = { "", "evaluate: { mode: strict }\n",
                                         "evaluate: { mode: loose }\n" };
    char digests[3][65];
    for (size_t i = 0; i < 3; i++) {
        loaded l;
        char text[256];
        (void)snprintf(text, sizeof text,
                       "document: { dsl: 1.0.3, namespace: a, name: b, version: 1.0.0 }\n"
                       "%sdo: [ { a: { set: { x: y } } } ]\n",
                       modes[i]);
        load_text(&l, pw_str_of(text));
        EXPECT_INT(l.code, PAWL_OK);
        (void)snprintf(digests[i], sizeof digests[i], PW_FMT, PW_ARG(l.program->digest));
        unload(&l);
    }
    EXPECT_TEXT(digests[0], "2caf4bbd96632daf119fc94c4cf353623c2f5290dc618404cc46d91e3369a16b");
    EXPECT_TEXT(digests[1], "e6716be2c792976519f0b5c1432a8e75af663128a48d4a7940ae4cc13565011c");
    EXPECT_TEXT(digests[2], "e0361a7f5d446578c8f59f2e7c2c4978e7e3add6ce6507340f9eeebedd4013a9");
}

TEST_MAIN()
