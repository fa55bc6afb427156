/* embed.c - durable workflows inside a C program.
 *
 *     cc embed.c -o embed $(pkg-config --cflags --libs pawl)
 *     ./embed shop.db
 *
 * The program owns the store, gives the workflow one function of its own, and runs one instance
 * under a business key. Kill it while it sleeps and run it again: the tasks that were done are not
 * done again. Run it a third time: the same instance answers at once. */
#include <pawl/pawl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char workflow[] =
    "document: { dsl: 1.0.3, namespace: examples, name: embed, version: 1.0.0 }\n"
    "do:\n"
    "  - measure:\n"
    "      call: measure\n"
    "      with: { sensor: '${ .sensor }' }\n"
    "  - rest:\n"
    "      wait: { milliseconds: 200 }\n"
    "  - judge:\n"
    "      set:\n"
    "        sensor: ${ .sensor }\n"
    "        celsius: ${ .celsius }\n"
    "        warm: ${ .celsius > 20 }\n";

/* An activity runs on a thread of the library's pool, for as long as its deadline lets it. It may
 * run again for the same idempotency key, if the program died before its result was committed. */
static pawl_code measure(pawl_activity *activity, const char *input, void *context)
{
    int *calls = context;
    (*calls)++; /* one instance, one attempt at a time: nobody else counts */
    if (!strstr(input, "\"sensor\""))
        return pawl_activity_fail(activity, 400, "no sensor", "the input names none");
    fprintf(stderr, "measuring for %s, attempt %u\n", pawl_activity_instance(activity),
            (unsigned)pawl_activity_attempt(activity));
    return pawl_activity_return(activity, "{\"sensor\": \"roof\", \"celsius\": 21.50}", NULL);
}

int main(int argc, char **argv)
{
    int calls = 0, existed = 0, status = EXIT_FAILURE;
    char *id = NULL, *shown = NULL;
    pawl *p = NULL;
    pawl_error err;

    pawl_activity_options activity = { .struct_size = sizeof activity,
                                       .name = "measure",
                                       .run = measure,
                                       .context = &calls };
    pawl_options options = pawl_options_default();
    options.store = argc > 1 ? argv[1] : "embed.db";
    options.activities = &activity; /* known before what was in flight is taken up again */
    options.activity_count = 1;
    if (pawl_open(&p, &options, &err) != PAWL_OK)
        goto failed;
    if (pawl_deploy(p, workflow, strlen(workflow), NULL, NULL, NULL, &err) != PAWL_OK)
        goto failed;

    pawl_start_options start = { .struct_size = sizeof start,
                                 .name = "examples/embed",
                                 .input = "{\"sensor\": \"roof\"}",
                                 .key = "reading-1" };
    if (pawl_start(p, &start, &id, &existed, &err) != PAWL_OK)
        goto failed;
    if (pawl_wait(p, id, PAWL_WAIT_END, 60000, &shown, &err) != PAWL_OK)
        goto failed;
    fprintf(stderr, "%s, the activity ran %d times in this process\n",
            existed ? "the instance was there before" : "a new instance", calls);
    printf("%s\n", shown);
    status = EXIT_SUCCESS;
    goto done;

failed:
    fprintf(stderr, "%s: %s\n", pawl_code_name(err.code), err.message);
done:
    pawl_free(shown);
    pawl_free(id);
    pawl_close(p); /* NULL is fine */
    return status;
}
