/* large.c - a program that runs one large workflow to its end, and may be killed and started again
 * at any time.
 *
 *     large STORE LEDGER SHAPE COUNT
 *
 * SHAPE `for`: COUNT items with an activity each; `pure`: without; `fork`: COUNT branches with two
 * activities each, one after the other. The activity appends its idempotency key and input to
 * LEDGER. Exit 0: the instance has completed; its output is on standard output. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../options.h"

#define HEAD "document: { dsl: '1.0.3', namespace: crash, name: large, version: '1.0.0' }\ndo:\n"

static const char with_activity[] = HEAD
    "  - each:\n"
    "      for: { each: item, in: '[range($input.count)]' }\n"
    "      do:\n"
    "        - note: { call: note, with: { item: '${ $item }' }, output: { as: '${ $input + {n: "
    "($input.n + 1)} }' } }\n";
static const char pure[] =
    HEAD "  - each:\n"
         "      for: { each: item, in: '[range($input.count)]' }\n"
         "      do: [ { add: { set: '${ $input + {n: ($input.n + $item)} }' } } ]\n";

static pawl_code note(pawl_activity *activity, const char *input, void *ledger)
{
    char line[512];
    int len =
        snprintf(line, sizeof line, "%s %s\n", pawl_activity_idempotency_key(activity), input);
    int fd = open(ledger, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (fd < 0 || write(fd, line, (size_t)len) != len)
        return pawl_activity_fail(activity, 500, "the ledger cannot be written", ledger);
    (void)close(fd);
    return pawl_activity_return(activity, "{}", NULL);
}

static _Noreturn void stop(const char *what, const pawl_error *err)
{
    (void)fprintf(stderr, "large: %s: %s\n", what, err->message);
    exit(1);
}

static char *forked(unsigned branches)
{
    size_t size = sizeof HEAD + 100 + (size_t)branches * 400, len;
    char *text = malloc(size);
    if (!text)
        abort();
    len = (size_t)snprintf(text, size, HEAD "  - all:\n      fork:\n        branches:\n");
    for (unsigned i = 0; i < branches; i++)
        len += (size_t)snprintf(text + len, size - len,
                                "          - b%u: { do: [ { one: { call: note, with: { item: %u }, "
                                "output: { as: '${ $input "
                                "+ {n: 1} }' } } }, { two: { call: note, with: { item: %u }, "
                                "output: { as: '${ $input.n + "
                                "1 }' } } } ] }\n",
                                i, 2 * i, 2 * i + 1);
    return text;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    unsigned count = (unsigned)strtoul(argv[4], NULL, 10);
    char *document = strcmp(argv[3], "for") == 0    ? strdup(with_activity)
                     : strcmp(argv[3], "pure") == 0 ? strdup(pure)
                                                    : forked(count);
    pawl_activity_options activity = {
        .struct_size = sizeof activity, .name = "note", .run = note, .context = argv[2]
    };
    pawl_options options = test_options();
    const pawl_resilience retries = test_retries(1000); /* attempts end with the process, again and again */
    options.resilience = &retries;
    options.store = argv[1];
    options.activities = &activity;
    options.activity_count = 1;
    pawl *p;
    pawl_error err;
    if (pawl_open(&p, &options, &err) != PAWL_OK)
        stop("open", &err);
    if (pawl_deploy(p, document, strlen(document), NULL, NULL, NULL, &err) != PAWL_OK)
        stop("deploy", &err);
    char input[64], *id, *shown;
    (void)snprintf(input, sizeof input, "{\"n\":0,\"count\":%u}", count);
    pawl_start_options start = {
        .struct_size = sizeof start, .name = "crash/large", .input = input, .key = "large"
    };
    if (pawl_start(p, &start, &id, NULL, &err) != PAWL_OK)
        stop("start", &err);
    if (pawl_wait(p, id, PAWL_WAIT_END, 1800000, NULL, &err) != PAWL_OK)
        stop("wait", &err);
    if (pawl_show(p, id, &shown, &err) != PAWL_OK)
        stop("show", &err);
    puts(shown);
    pawl_free(shown);
    pawl_free(id);
    pawl_close(p);
    free(document);
    return 0;
}
