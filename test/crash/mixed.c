/* mixed.c - a program that runs a mix of workflows to their ends, and may be killed and started
 * again at any time.
 *
 *     mixed STORE SERVICE LEDGER COUNT
 *
 * Each kind but `sub` and `part`, which others run, is started COUNT times under business keys, so that a second run goes on with what the
 * first began. The C activity appends its idempotency key and input to LEDGER. Exit 0: every
 * instance has ended as it should. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "../options.h"

/* What undoes a request is another one, which names it. */
#define UNDO(what)                                                                                                  \
    "metadata: { pawl: { compensate: { call: http, with: { method: post, endpoint: '${ $input.url + \"/undo\" }', "   \
    "body: { n: '${ $input.n }', undoes: " what ", was: '${ .ok }' } } } } }, "

static const char *const workflows[] = {
    "document: { dsl: '1.0.3', namespace: crash, name: order, version: '1.0.0' }\n"
    "do:\n"
    "  - reserve: { call: http, with: { method: post, endpoint: '${ .url + \"/reserve\" }', body: "
    "{ n: '${ .n }' } },\n"
    "      output: { as: '${ $input + { reserved: .ok } }' } }\n"
    "  - pay:\n"
    "      try:\n"
    "        - charge: { call: http, with: { method: post, endpoint: '${ .url + \"/flaky\" }', "
    "body: { charge: '${ .n }' } },\n"
    "            output: { as: '${ $input + { charged: .ok } }' } }\n"
    "      catch: { retry: { delay: { milliseconds: 5 }, limit: { attempt: { count: 5 } } } }\n"
    "  - note: { call: note, with: { order: '${ .n }' }, output: { as: '${ $input }' } }\n"
    "  - done: { set: { n: '${ .n }', reserved: '${ .reserved }', charged: '${ .charged }' } }\n",

    "document: { dsl: '1.0.3', namespace: crash, name: loop, version: '1.0.0' }\n"
    "do:\n"
    "  - each:\n"
    "      for: { each: item, in: '[1, 2, 3]' }\n"
    "      do:\n"
    "        - note: { call: note, with: { n: '${ $input.n }', item: '${ $item }' }, output: { as: "
    "'${ $input }' } }\n"
    "        - nap: { wait: { milliseconds: 3 } }\n",

    "document: { dsl: '1.0.3', namespace: crash, name: fork, version: '1.0.0' }\n"
    "do:\n"
    "  - both:\n"
    "      fork:\n"
    "        branches:\n"
    "          - left: { call: http, with: { method: post, endpoint: '${ .url + \"/left\" }', "
    "body: { n: '${ .n }' } }, output: { as: .ok } }\n"
    "          - middle: { call: note, with: { middle: '${ .n }' }, output: { as: '${ \"noted\" }' "
    "} }\n"
    "          - right: { wait: { milliseconds: 2 }, output: { as: '${ \"woke\" }' } }\n",

    "document: { dsl: '1.0.3', namespace: crash, name: person, version: '1.0.0' }\n"
    "do:\n"
    "  - ask: { call: userTask, with: { key: approve, title: Approve }, output: { as: '${ $input + "
    "{ ok: .approved } }' } }\n"
    "  - tell: { call: http, with: { method: post, endpoint: '${ .url + \"/tell\" }', body: { ok: "
    "'${ .ok }', n: '${ .n }' } }, output: { as: .ok } }\n",

    "document: { dsl: '1.0.3', namespace: crash, name: mend, version: '1.0.0' }\n"
    "do:\n"
    "  - risky:\n"
    "      try: [ { broken: { call: broken, with: { n: '${ .n }' } } } ]\n"
    "      catch: { as: e, do: [ { tell: { emit: { event: { with: { type: com.example.mended, "
    "data: '${ { status: $e.status } }' } } } } } ] }\n"
    "  - last: { set: { mended: '${ .data.status }' } }\n",

    "document: { dsl: '1.0.3', namespace: crash, name: sleeper, version: '1.0.0' }\n"
    "do:\n"
    "  - nap: { wait: PT1H }\n",

    /* two listens in turn: each message by one step, in the order in which they were sent */
    "document: { dsl: '1.0.3', namespace: crash, name: hear, version: '1.0.0' }\n"
    "do:\n"
    "  - begin: { set: { n: '${ .n }', got: [] } }\n"
    "  - left: { listen: { to: { one: { with: { type: com.example.told, subject: '${ $input.n | "
    "tostring }' } } } }, output: { as: '${ $input + { got: ($input.got + .) } }' } }\n"
    "  - right: { listen: { to: { one: { with: { type: com.example.told, subject: '${ $input.n | "
    "tostring }' } } } }, output: { as: '${ $input + { got: ($input.got + .) } }' } }\n"
    "  - more: { switch: [ { again: { when: '(.got | length) < 6', then: left } }, { no: { then: "
    "continue } } ] }\n"
    "  - done: { set: '${ .got }' }\n",

    "document: { dsl: '1.0.3', namespace: crash, name: family, version: '1.0.0' }\n"
    "do:\n"
    "  - one: { run: { workflow: { namespace: crash, name: sub, version: '1.0.0' } },\n"
    "           output: { as: '$input + { one: .sub }' } }\n"
    "  - two:\n"
    "      fork:\n"
    "        branches:\n"
    "          - a: { run: { workflow: { namespace: crash, name: sub, version: latest, input: { n: "
    "'${ .n + 10 }' } } } }\n"
    "          - b: { run: { workflow: { namespace: crash, name: sub, version: latest, input: { n: "
    "'${ .n + 20 }' } } } }\n"
    "      output: { as: '$input + { two: map(.sub) }' }\n"
    "  - free: { run: { workflow: { namespace: crash, name: sub, version: latest, input: { n: '${ "
    ".n + 30 }' } }, await: false } }\n"
    "  - race:\n"
    "      fork:\n"
    "        compete: true\n"
    "        branches:\n"
    "          - slow: { run: { workflow: { namespace: crash, name: sleeper, version: latest } } }\n"
    "          - fast: { wait: { milliseconds: 4 } }\n"
    "  - lost:\n"
    "      try: [ { no: { run: { workflow: { namespace: crash, name: nothing, version: latest } } } "
    "} ]\n"
    "      catch: { as: e, do: [ { say: { set: '${ . + { lost: $e.status } }' } } ] }\n"
    "  - done: { set: { n: '${ .n }', one: '${ .one }', two: '${ .two }', lost: '${ .lost }' } }\n",

    /* the service fails twice, and each attempt is a step; the activity fails until its third */
    "document: { dsl: '1.0.3', namespace: crash, name: tries, version: '1.0.0' }\n"
    "do:\n"
    "  - often: { call: http, with: { method: post, endpoint: '${ .url + \"/often\" }', body: { n: '${ .n }' } },\n"
    "      metadata: { pawl: { resilience: { retry: { delay: { milliseconds: 7 }, limit: { attempt: { count: 900 } } } } } },\n"
    "      output: { as: '${ $input + { ok: .ok } }' } }\n"
    "  - third: { call: third, with: { n: '${ .n }' }, output: { as: '${ $input + { third: .third } }' } }\n"
    "  - done: { set: { n: '${ .n }', ok: '${ .ok }', third: '${ .third }' } }\n",

    /* the service refuses twice, which a person is to judge, while a branch beside it goes on */
    "document: { dsl: '1.0.3', namespace: crash, name: incident, version: '1.0.0' }\n"
    "do:\n"
    "  - both:\n"
    "      fork:\n"
    "        branches:\n"
    "          - bad: { call: http, with: { method: post, endpoint: '${ .url + \"/refused\" }', body: { n: '${ .n }' } }, "
    "output: { as: .ok } }\n"
    "          - slow: { call: http, with: { method: post, endpoint: '${ .url + \"/slow\" }', body: { n: '${ .n }' } }, "
    "output: { as: .ok } }\n",

    /* it fails at its end, and what it has done is undone: a loop, a child, branches, an activity */
    "document: { dsl: '1.0.3', namespace: crash, name: trip, version: '1.0.0', metadata: { pawl: { compensation: "
    "{ on: [ faulted ] } } } }\n"
    "do:\n"
    "  - flight: { call: http, with: { method: post, endpoint: '${ .url + \"/flight\" }', body: { n: '${ .n }' } }, "
    UNDO("flight") "output: { as: '${ $input + { ok: .ok } }' } }\n"
    "  - nights:\n"
    "      for: { each: night, in: '[1, 2]' }\n"
    "      do:\n"
    "        - hotel: { call: http, with: { method: post, endpoint: '${ .url + \"/hotel\" }', body: { n: '${ .n }', night: "
    "'${ $night }' } }, " UNDO("'${ \"hotel\" + ($night | tostring) }'") "output: { as: '${ $input }' } }\n"
    "  - part: { run: { workflow: { namespace: crash, name: part, version: latest } }, output: { as: '${ $input }' } }\n"
    "  - both:\n"
    "      fork:\n"
    "        branches:\n"
    "          - car: { call: http, with: { method: post, endpoint: '${ .url + \"/car\" }', body: { n: '${ .n }' } }, "
    UNDO("car") "output: { as: '${ $input }' } }\n"
    "          - told: { call: note, with: { told: '${ .n }' }, metadata: { pawl: { compensate: { call: note, with: { untold: "
    "'${ $input.n }' } } } }, output: { as: '${ $input }' } }\n"
    "      output: { as: '${ $input }' }\n"
    "  - fail: { raise: { error: { type: https://example.com/full, status: 409 } } }\n",

    /* it ends well, and is undone by a person afterwards */
    "document: { dsl: '1.0.3', namespace: crash, name: refund, version: '1.0.0' }\n"
    "do:\n"
    "  - sell: { call: http, with: { method: post, endpoint: '${ .url + \"/sell\" }', body: { n: '${ .n }' } }, "
    UNDO("sell") "output: { as: '${ $input }' } }\n",

    "document: { dsl: '1.0.3', namespace: crash, name: part, version: '1.0.0' }\n"
    "do:\n"
    "  - tour: { call: http, with: { method: post, endpoint: '${ .url + \"/tour\" }', body: { n: '${ .n }' } }, "
    UNDO("tour") "output: { as: '${ $input }' } }\n",

    "document: { dsl: '1.0.3', namespace: crash, name: sub, version: '1.0.0' }\n"
    "do:\n"
    "  - note: { call: note, with: { sub: '${ .n }' }, output: { as: '${ $input }' } }\n"
    "  - done: { set: { sub: '${ .n }' } }\n",
};
static const char *const names[] = { "order",   "loop", "fork",  "person", "mend",
                                      "sleeper", "hear", "family", "tries", "incident",
                                      "trip",    "refund" };

static pawl_code note(pawl_activity *activity, const char *input, void *ledger)
{
    char line[512];
    int len =
        snprintf(line, sizeof line, "%s %s\n", pawl_activity_idempotency_key(activity), input);
    int fd = open(ledger, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (fd < 0 || write(fd, line, (size_t)len) != len || fsync(fd) != 0) {
        int problem = errno;
        if (fd >= 0)
            (void)close(fd);
        return pawl_activity_fail(activity, 500, "the ledger cannot be written", strerror(problem));
    }
    (void)close(fd);
    return pawl_activity_return(activity, "{\"noted\":true}", NULL);
}

static pawl_code broken(pawl_activity *activity, const char *input, void *context)
{
    (void)input;
    (void)context;
    return pawl_activity_fail(activity, 422, "always broken", NULL);
}

static pawl_code third(pawl_activity *activity, const char *input, void *context)
{
    (void)input;
    (void)context;
    if (pawl_activity_attempt(activity) < 3)
        return pawl_activity_fail(activity, 503, "not yet", NULL);
    return pawl_activity_return(activity, "{\"third\":true}", NULL);
}

static _Noreturn void stop(const char *what, const char *which, const pawl_error *err)
{
    (void)fprintf(stderr, "mixed: %s %s: %s\n", what, which, err->message);
    exit(1);
}

static char *start(pawl *p, const char *name, int n, const char *url)
{
    char key[64], path[64], input[256], *id;
    pawl_error err;
    (void)snprintf(key, sizeof key, "%s-%d", name, n);
    (void)snprintf(path, sizeof path, "crash/%s", name);
    (void)snprintf(input, sizeof input, "{\"n\":%d,\"url\":\"%s\"}", n, url);
    pawl_start_options options = {
        .struct_size = sizeof options, .name = path, .input = input, .key = key
    };
    if (pawl_start(p, &options, &id, NULL, &err) != PAWL_OK)
        stop("start", key, &err);
    return id;
}

/* Three messages for the nth: `from` to `from + 2`. Sent again, they have no second effect. */
static void tell(pawl *p, int n, int from)
{
    char text[1024], *at = text;
    pawl_error err;
    for (int i = from; i < from + 3; i++)
        at += snprintf(at, sizeof text - (size_t)(at - text),
                       "%s{\"specversion\":\"1.0\",\"id\":\"%d-%d\",\"source\":\"/crash\","
                       "\"type\":\"com.example.told\",\"subject\":\"%d\",\"data\":%d}",
                       i == from ? "[" : ",", n, i, n, i);
    (void)snprintf(at, sizeof text - (size_t)(at - text), "]");
    if (pawl_publish(p, text, NULL, NULL, &err) != PAWL_OK)
        stop("publish", text, &err);
}

/* Tries what has faulted again, until it has not. */
static void mend(pawl *p, const char *id)
{
    for (;;) {
        char *shown = NULL;
        pawl_error err;
        if (pawl_wait(p, id, PAWL_WAIT_END, 60000, &shown, &err) != PAWL_OK)
            stop("wait for the end of", id, &err);
        bool faulted = strstr(shown, "\"status\":\"faulted\"") != NULL;
        pawl_free(shown);
        if (!faulted)
            return;
        const pawl_request request = { .struct_size = sizeof request, .actor = "ann" };
        if (pawl_change_with(p, id, PAWL_RETRY, "mended", &request, NULL, &err) != PAWL_OK)
            stop("retry", id, &err);
    }
}

/* It has ended well, or was undone by the run before. */
static void undo(pawl *p, const char *id)
{
    pawl_error err;
    if (pawl_wait(p, id, PAWL_WAIT_END, 60000, NULL, &err) != PAWL_OK)
        stop("wait for the end of", id, &err);
    const pawl_request request = { .struct_size = sizeof request, .actor = "ann" };
    pawl_act_options options = { .struct_size = sizeof options };
    options.id = id;
    options.action = PAWL_COMPENSATE;
    options.reason = "sent back";
    if (pawl_act(p, &options, &request, NULL, &err) != PAWL_OK)
        stop("compensate", id, &err);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    int count = (int)strtol(argv[4], NULL, 10), kinds = (int)(sizeof names / sizeof *names);
    pawl_activity_options activities[] = {
        { .struct_size = sizeof *activities, .name = "note", .run = note, .context = argv[3] },
        { .struct_size = sizeof *activities, .name = "broken", .run = broken },
        { .struct_size = sizeof *activities, .name = "third", .run = third },
    };
    pawl_options options = test_options();
    pawl_resilience retries = test_retries(1000); /* attempts end with the process, again and again */
    retries.breaker_break_ms = 20; /* the service fails often enough to open it */
    options.resilience = &retries;
    options.store = argv[1];
    options.step_threads = 2;
    options.activities = activities;
    options.activity_count = 3;
    pawl *p;
    pawl_error err;
    if (pawl_open(&p, &options, &err) != PAWL_OK)
        stop("open", argv[1], &err);
    for (size_t k = 0; k < sizeof workflows / sizeof *workflows; k++)
        if (pawl_deploy(p, workflows[k], strlen(workflows[k]), NULL, NULL, NULL, &err) != PAWL_OK)
            stop("deploy", k < (size_t)kinds ? names[k] : "sub", &err);

    char **ids = calloc((size_t)(count * kinds), sizeof *ids);
    for (int n = 0; n < count; n++) {
        tell(p, n, 0); /* kept until somebody listens */
        for (int k = 0; k < kinds; k++)
            ids[n * kinds + k] = start(p, names[k], n, argv[2]);
        tell(p, n, 3);
    }
    for (int n = 0; n < count; n++) {
        const char *person = ids[n * kinds + 3], *sleeper = ids[n * kinds + 5];
        if (pawl_wait(p, person, PAWL_WAIT_SETTLED, 60000, NULL, &err) != PAWL_OK)
            stop("wait for", person, &err);
        pawl_code code = pawl_suspend(p, person, "ann", "a look", &err);
        if (code != PAWL_OK && code != PAWL_STATE)
            stop("suspend", person, &err);
        if (pawl_resume(p, person, "approve", "{\"approved\":true}", "ann", &err) != PAWL_OK)
            stop("resume", person, &err);
        code = pawl_continue(p, person, "ann", NULL, &err);
        if (code != PAWL_OK && code != PAWL_STATE)
            stop("continue", person, &err);
        if (pawl_cancel(p, sleeper, "ann", "no more", &err) != PAWL_OK)
            stop("cancel", sleeper, &err);
    }
    for (int n = 0; n < count; n++)
        mend(p, ids[n * kinds + 9]);
    for (int n = 0; n < count; n++)
        undo(p, ids[n * kinds + 11]);
    for (int i = 0; i < count * kinds; i++) {
        if (pawl_wait(p, ids[i], PAWL_WAIT_END, 60000, NULL, &err) != PAWL_OK)
            stop("wait for the end of", ids[i], &err);
        pawl_free(ids[i]);
    }
    free(ids);
    if (pawl_drain(p, 60000, &err) != PAWL_OK) /* those that nobody waits for */
        stop("drain", argv[1], &err);
    pawl_close(p);
    return 0;
}
