/* load.c - drives libpawl as a program would: threads that start an instance and wait for its end.
 *
 * Each instance in flight has such a thread, and it wakes twice for an instance: that is in the
 * context switches that are reported. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "load.h"

const char load_input[] =
    "{\"order\":{\"id\":\"A-2026-000137\",\"customer\":\"Ada Example\",\"currency\":\"EUR\","
    "\"lines\":[{\"article\":\"4711\",\"count\":2,\"price\":19.90},"
    "{\"article\":\"0815\",\"count\":1,\"price\":5.00},"
    "{\"article\":\"2342\",\"count\":12,\"price\":0.35}]},\"notes\":0}";

static pawl_code note(pawl_activity *activity, const char *input, void *context)
{
    load *l = context;
    if (l->on_attempt)
        l->on_attempt(l, input);
    return pawl_activity_return(activity, LOAD_RESULT, NULL);
}

void load_deploy(load *l, const char *text)
{
    pawl_error err;
    check(pawl_deploy(l->pawl, text, strlen(text), NULL, NULL, NULL, &err), &err);
}

char *load_document(unsigned tasks)
{
    pw_buf text;
    pw_buf_init(&text, 0);
    pw_buf_text(&text, "document: { dsl: 1.0.3, namespace: bench, name: step, version: 1.0.0 }\n"
                       "do:\n");
    for (unsigned i = 1; i <= tasks; i++)
        pw_buf_printf(&text,
                      "  - task%u:\n"
                      "      call: " LOAD_ACTIVITY "\n"
                      "      with: { order: '${ .order.id }' }\n"
                      "      output: { as: '$input + {notes: ($input.notes + 1)}' }\n",
                      i);
    return must(pw_buf_take(&text));
}

void load_open(load *l, const char *path, unsigned tasks)
{
    const pawl_activity_options activity = {
        .struct_size = sizeof activity, .name = LOAD_ACTIVITY, .run = note, .context = l
    };
    pawl_options options = pawl_options_default();
    options.store = path;
    options.activities = &activity;
    options.activity_count = 1;
    pawl_error err;
    check(pawl_open(&l->pawl, &options, &err), &err);
    if (!l->input)
        l->input = load_input;
    char *document = load_document(tasks);
    load_deploy(l, document);
    pw_free(document);
}

void load_close(load *l)
{
    pawl_close(l->pawl);
    l->pawl = NULL;
}

const pw_store *load_store(const load *l)
{
    return l->pawl->store;
}

/* ------------------------------------------------------------------ running */

typedef struct runner {
    pthread_t thread;
    load *load;
    const char *workflow;
    atomic_uint *left;
} runner;

static bool take_one(atomic_uint *left)
{
    unsigned n = atomic_load(left);
    while (n && !atomic_compare_exchange_weak(left, &n, n - 1))
        ;
    return n > 0;
}

static void *run(void *context)
{
    runner *r = context;
    pawl_start_options start = { .struct_size = sizeof start,
                                 .name = r->workflow,
                                 .input = r->load->input };
    while (take_one(r->left)) {
        char *id = NULL;
        pawl_error err;
        check(pawl_start(r->load->pawl, &start, &id, NULL, &err), &err);
        check(pawl_wait(r->load->pawl, id, PAWL_WAIT_END, 600000, NULL, &err), &err);
        pawl_free(id);
    }
    return NULL;
}

void load_run(load *l, const char *workflow, unsigned instances, unsigned in_flight)
{
    atomic_uint left = instances;
    runner *runners = must(calloc(in_flight, sizeof *runners));
    pthread_attr_t small;
    (void)pthread_attr_init(&small);
    (void)pthread_attr_setstacksize(&small, 256 * 1024);
    for (unsigned i = 0; i < in_flight; i++) {
        runners[i] = (runner){ .load = l, .workflow = workflow, .left = &left };
        if (pthread_create(&runners[i].thread, &small, run, &runners[i]) != 0)
            die("cannot start %u threads", in_flight);
    }
    for (unsigned i = 0; i < in_flight; i++)
        (void)pthread_join(runners[i].thread, NULL);
    (void)pthread_attr_destroy(&small);
    free(runners);
}

cost load_measure(load *l, const char *workflow, unsigned instances, unsigned in_flight)
{
    cost before = measure_now(l->pawl->store);
    measure_mark_begin();
    load_run(l, workflow, instances, in_flight);
    measure_mark_end("pawl");
    return measure_since(&before, l->pawl->store);
}

/* ------------------------------------------------------------------ sizes */

static const char *sizes_path;

/* In the fifth attempt of the only instance: what its last step has written. */
static void look(load *l, const char *input)
{
    (void)input;
    if (++l->attempts != 5)
        return;
    sqlite3 *db = NULL;
    sqlite3_stmt *query = NULL;
    if (sqlite3_open_v2(sizes_path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db,
                           "SELECT length(state), (SELECT length(entries) FROM step "
                           "WHERE instance = id ORDER BY sequence DESC LIMIT 1) FROM instance",
                           -1, &query, NULL) != SQLITE_OK ||
        sqlite3_step(query) != SQLITE_ROW)
        die("%s: %s", sizes_path, db ? sqlite3_errmsg(db) : "out of memory");
    l->state_bytes = (size_t)sqlite3_column_int64(query, 0);
    l->entries_bytes = (size_t)sqlite3_column_int64(query, 1);
    (void)sqlite3_finalize(query);
    (void)sqlite3_close(db);
}

void load_sizes(load *l, const char *path)
{
    sizes_path = path;
    l->attempts = 0;
    l->on_attempt = look;
    load_run(l, "bench/step", 1, 1);
    l->on_attempt = NULL;
}
