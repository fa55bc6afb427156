/* row.c - any bytes in the columns of a real store: whoever reads them is told, and goes on.
 *
 * An input is lines `TABLE.COLUMN=VALUE`; a VALUE that begins with `#` is a number or null. Each
 * sets that column in every row where SQLite lets it, with the schema's own checks and triggers
 * out of the way. Then the store is read row by row, an engine looks at it, and another owns it and
 * drives what it finds.
 *
 * The program in the store makes no HTTP calls, and the owner's turn is left out where definitions
 * or calls were written: nothing may be sent to wherever an input says. */
#include <sched.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fuzz.h"
#include "options.h"
#include "base/json.h"
#include "lang/lang.h"
#include "store/store.h"

enum { IDS_MAX = 8, COLUMNS_MAX = 300, LINES_MAX = 16, WAIT_MS = 2000 };

static const char document[] =
    "document: { dsl: '1.0.3', namespace: fuzz, name: row, version: '1.0.0' }\n"
    "do:\n"
    "  - both:\n"
    "      fork:\n"
    "        branches:\n"
    "          - ask: { call: userTask, with: { key: ok, title: Well } }\n"
    "          - nap: { wait: P1D }\n"
    "          - work: { call: missing, with: { n: 1 } }\n"
    "  - note: { emit: { event: { with: { type: fuzz.note, data: '${ . }' } } } }\n"
    "  - echo: { call: echo, with: { n: 2 } }\n";

/* What no path of the program above leaves in a store. */
static const char more_rows[] =
    "INSERT INTO external_call (instance, key, visit, attempt, attempts, state, created_ms,"
    " timeout_ms, task, kind, endpoint, method, request) SELECT id, 'k', 2, 1, 1, 'completed', 1,"
    " 1, '/do/0/both', 'http', 'http://127.0.0.1:9/', 'GET',"
    " '{\"method\":\"GET\",\"uri\":\"http://127.0.0.1:9/\"}' FROM instance;"
    "INSERT INTO inbox (target, partition, dedupe_key, kind, actor, created_ms, payload)"
    " SELECT id, partition, 'd', 'resume', 'ann', 1, '{\"key\":\"ok\"}' FROM instance;"
    "INSERT INTO fault (instance, step, name, task, visit, kind, class, attempt, decision, action, error,"
    " created_ms) SELECT id, 1, name, '/do/0/both', 2, 'activity-fault', 'permanent', 1, 'fault',"
    " 'look', '{\"status\":500}', 1 FROM instance;"
    "INSERT INTO compensation (instance, ordinal, key, task, visit, branch, state, created_ms, arguments)"
    " SELECT id, 1, 'k', '/do/0/both', 2, '2.0', 'registered', 1, '{}' FROM instance;"
    "INSERT INTO label (instance, name, value, created_ms) SELECT id, 'n', 'v', created_ms FROM "
    "instance;"
    "INSERT INTO breaker (service, state, epoch, open_until, changed_ms, changed_by, reason) VALUES ('http://127.0.0.1:9',"
    " 'open', 3, 4, 1, 'system', 'down');"
    "INSERT INTO bulk (id, request, actor, created_ms, epoch, state, page, counted, done, skipped, failed, changed_ms)"
    " SELECT id, '{\"action\":\"retry\",\"filter\":{\"name\":\"row\",\"labels\":{\"n\":\"v\"}},\"before\":9}', 'ann', 1, 1,"
    " 'running', '[\"' || id || '-1\"]', 1, 0, 0, 0, 1 FROM instance;"
    "INSERT INTO bulk_failure (bulk, number, instance, code, message) SELECT id, 1, id, 'state', 'no' FROM bulk;"
    "INSERT INTO principal (id, name, digest, roles, created_ms) VALUES ('p', 'ann', 'd', '[]', "
    "1);";

/* In memory where there is such a place: thousands of stores, and no question of durability. */
static char folders[2][32] = { "/dev/shm/pawl-fuzz-XXXXXX", "/tmp/pawl-fuzz-XXXXXX" };
static const char *folder;
static char path[64];
static uint8_t *image; /* the store as every input finds it */
static size_t image_size;
static char ids[IDS_MAX][32];
static size_t id_count;
static char columns[COLUMNS_MAX][64]; /* "table.column" */
static size_t column_count;

/* ---- the store that each input begins with */

static pawl_code echo(pawl_activity *activity, const char *input, void *context)
{
    (void)context;
    return pawl_activity_return(activity, input, NULL);
}

/* In flight until its process goes: known only while the store is made. */
static pawl_code missing(pawl_activity *activity, const char *input, void *context)
{
    (void)input;
    (void)context;
    while (!pawl_activity_cancelled(activity))
        (void)sched_yield();
    return pawl_activity_fail(activity, 499, "cancelled", NULL);
}

static const pawl_activity_options activities[] = {
    { .struct_size = sizeof activities[0], .name = "echo", .run = echo },
    { .struct_size = sizeof activities[0], .name = "missing", .run = missing },
};

static pawl *engine(pawl_mode mode, size_t activity_count)
{
    pawl_options options = test_options();
    options.store = path;
    options.mode = mode;
    options.step_threads = 1;
    options.activity_threads = (uint32_t)IDS_MAX;
    options.activities = activities;
    options.activity_count = activity_count;
    pawl *p = NULL;
    pawl_error err;
    return pawl_open(&p, &options, &err) == PAWL_OK ? p : NULL;
}

static void add_instance(pawl *p, const char *key, int kind)
{
    char *id = NULL;
    pawl_error err;
    /* the first has a value that is put out, in its state and in its log */
    char input[20100] = "{\"n\":1}";
    if (kind == 0)
        (void)snprintf(input, sizeof input, "{\"n\":1,\"pad\":\"%020000d\"}", 0);
    const pawl_start_options options = {
        .struct_size = sizeof options, .name = "fuzz/row", .key = key, .input = input
    };
    FUZZ_CHECK(pawl_start(p, &options, &id, NULL, &err) == PAWL_OK && id_count < IDS_MAX);
    (void)snprintf(ids[id_count++], sizeof ids[0], "%s", id);
    if (kind == 1)
        FUZZ_CHECK(pawl_resume(p, id, "ok", "{\"n\":2}", "ann", &err) == PAWL_OK);
    if (kind == 2)
        FUZZ_CHECK(pawl_suspend(p, id, "ann", "a look", &err) == PAWL_OK);
    if (kind == 3)
        FUZZ_CHECK(pawl_cancel(p, id, "ann", "no more", &err) == PAWL_OK);
    pawl_free(id);
}

static sqlite3 *raw_open(void)
{
    sqlite3 *db = NULL;
    FUZZ_CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    FUZZ_CHECK(sqlite3_exec(db, "PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = OFF",
                            NULL, NULL, NULL) == SQLITE_OK);
    return db;
}

static int add_column(void *context, int count, char **values, char **names)
{
    (void)context;
    (void)names;
    FUZZ_CHECK(count == 1 && column_count < COLUMNS_MAX);
    (void)snprintf(columns[column_count++], sizeof columns[0], "%s", values[0]);
    return 0;
}

/* One trigger after the other: the list changes with each. */
static void drop_triggers(sqlite3 *db)
{
    for (;;) {
        char sql[128] = "";
        sqlite3_stmt *next = NULL;
        FUZZ_CHECK(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'trigger'",
                                      -1, &next, NULL) == SQLITE_OK);
        if (sqlite3_step(next) == SQLITE_ROW)
            (void)snprintf(sql, sizeof sql, "DROP TRIGGER %s",
                           (const char *)sqlite3_column_text(next, 0));
        FUZZ_CHECK(sqlite3_finalize(next) == SQLITE_OK);
        if (sql[0] == '\0')
            return;
        FUZZ_CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    }
}

static void remove_files(void)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal", "-lock", "-sock" };
    for (size_t i = 0; i < PW_LENGTH(ends); i++) {
        char name[96];
        (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

static void leave(void)
{
    remove_files();
    (void)rmdir(folder);
    free(image);
}

static void prepare(void)
{
    if (image)
        return;
    folder = mkdtemp(folders[0]) ? folders[0] : mkdtemp(folders[1]);
    FUZZ_CHECK(folder != NULL);
    (void)snprintf(path, sizeof path, "%s/s.db", folder);
    FUZZ_CHECK(atexit(leave) == 0);
    pawl *p = engine(PAWL_OWN, 2);
    pawl_error err;
    FUZZ_CHECK(p != NULL);
    pawl_code code = pawl_deploy(p, document, strlen(document), NULL, NULL, NULL, &err);
    if (code != PAWL_OK)
        (void)fprintf(stderr, "%s\n", err.message);
    FUZZ_CHECK(code == PAWL_OK);
    for (int kind = 0; kind < 4; kind++)
        add_instance(p, (const char *[]){ "a", "b", "c", "d" }[kind], kind);
    pawl_close(p);
    sqlite3 *db = raw_open();
    FUZZ_CHECK(sqlite3_exec(db, more_rows, NULL, NULL, NULL) == SQLITE_OK);
    drop_triggers(db);
    FUZZ_CHECK(sqlite3_exec(db,
                            "SELECT m.name || '.' || c.name FROM sqlite_schema AS m,"
                            " pragma_table_info(m.name) AS c WHERE m.type = 'table'"
                            " ORDER BY m.name, c.cid",
                            add_column, NULL, NULL) == SQLITE_OK);
    FUZZ_CHECK(sqlite3_close(db) == SQLITE_OK);
    FILE *file = fopen(path, "rbe");
    struct stat info;
    FUZZ_CHECK(file != NULL && fstat(fileno(file), &info) == 0);
    image_size = (size_t)info.st_size;
    image = malloc(image_size);
    FUZZ_CHECK(image != NULL && fread(image, 1, image_size, file) == image_size);
    (void)fclose(file);
}

/* ---- one input */

/* Sets one column; whether it may be that somebody is asked to send something. */
static void write_column(sqlite3 *db, pw_str line, bool *may_send)
{
    const char *equals = line.len ? memchr(line.ptr, '=', line.len) : NULL;
    if (!equals)
        return;
    pw_str name = { line.ptr, (size_t)(equals - line.ptr) };
    pw_str value = { equals + 1, line.len - name.len - 1 };
    size_t at = 0;
    while (at < column_count && !pw_str_is(name, columns[at]))
        at++;
    if (at == column_count)
        return;
    const char *dot = strchr(columns[at], '.');
    char sql[160];
    (void)snprintf(sql, sizeof sql, "UPDATE OR IGNORE %.*s SET %s = ?1", (int)(dot - columns[at]),
                   columns[at], dot + 1);
    if (pw_str_starts(name, PW_LIT("definition.")) || pw_str_starts(name, PW_LIT("external_call.")))
        *may_send = true;
    sqlite3_stmt *update = NULL;
    FUZZ_CHECK(sqlite3_prepare_v2(db, sql, -1, &update, NULL) == SQLITE_OK);
    char number[32] = "";
    if (value.len > 0 && value.ptr[0] == '#') {
        size_t digits = value.len - 1 < sizeof number - 1 ? value.len - 1 : sizeof number - 1;
        memcpy(number, value.ptr + 1, digits);
    }
    if (strcmp(number, "null") == 0)
        (void)sqlite3_bind_null(update, 1);
    else if (number[0] != '\0')
        (void)sqlite3_bind_int64(update, 1, strtoll(number, NULL, 10));
    else
        (void)sqlite3_bind_text64(update, 1, value.ptr, value.len, SQLITE_STATIC, SQLITE_UTF8);
    (void)sqlite3_step(update); /* a type the column does not take: nothing was written */
    (void)sqlite3_finalize(update);
}

static void look_at_instance(pw_store *store, pw_str id, pw_arena *arena, pawl_error *err)
{
    size_t count = 0;
    pw_instance_row row;
    if (pw_store_instance_get(store, id, true, &row, arena, err) == PAWL_OK) {
        pw_definition d;
        pw_findings findings = { .arena = arena };
        pw_program *program = NULL;
        pw_state *state = NULL;
        const pw_payload_source payloads = pw_store_payloads(store, row.id);
        if (pw_store_definition_get(store, row.namespace_, row.name, row.version, &d, arena, err) ==
                PAWL_OK &&
            pw_lang_load(&program, d.document, &findings, err) == PAWL_OK) {
            if (pw_state_parse(&state, row.state, program, &payloads, arena, err) == PAWL_OK)
                (void)pw_state_waits(state, program, arena);
            pw_program_unref(program);
        }
    }
    pw_step_row *steps = NULL;
    (void)!pw_store_steps(store, id, 1, 100, &steps, &count, arena, err);
    pw_bookmark_row *bookmarks = NULL, bookmark;
    (void)!pw_store_bookmarks(store, id, false, &bookmarks, &count, arena, err);
    (void)!pw_store_bookmark_by_key(store, id, PW_LIT("ok"), &bookmark, arena, err);
    pw_call_row *calls = NULL;
    if (pw_store_calls(store, id, false, &calls, &count, arena, err) == PAWL_OK)
        for (size_t i = 0; i < count; i++) {
            pw_call_request request;
            (void)!pw_call_request_parse(&request, calls[i].intent.request, arena, err);
        }
    pw_outbox_row *events = NULL;
    (void)!pw_store_outbox(store, id, PW_LIT(""), 100, &events, &count, arena, err);
    pw_fault_row *faults = NULL;
    (void)!pw_store_faults(store, id, &faults, &count, arena, err);
    pw_incident_row incident;
    (void)!pw_store_incident_get(store, id, 1, &incident, arena, err);
    pw_call_row call;
    (void)!pw_store_call_get(store, id, PW_LIT("k"), &call, arena, err);
    static const pw_undo_filter all = { .below = UINT64_MAX, .limit = 100 };
    pw_undo_row *plan = NULL;
    uint64_t steps_left = 0;
    bool more = false;
    (void)!pw_store_undo(store, id, &all, &plan, &count, &more, arena, err);
    (void)!pw_store_undo_count(store, id, &all, &steps_left, err);
    pw_inbox_row inbox;
    (void)!pw_store_inbox_get(store, id, PW_LIT("d"), &inbox, arena, err);
}

static void look_at_lists(pw_store *store, pw_arena *arena, pawl_error *err)
{
    const pw_bookmark_filter filters[] = {
        { .limit = 10 },
        { .limit = 10, .person = PW_LIT("ann") },
        { .limit = 10, .by_kind = true, .kind = PW_BOOKMARK_USER },
        { .limit = 10, .person = PW_LIT("ann"), .instance = pw_str_of(ids[0]) },
    };
    pw_open_bookmark *open = NULL;
    size_t count = 0;
    pw_str next = { 0 };
    for (size_t i = 0; i < PW_LENGTH(filters); i++)
        (void)!pw_store_open_bookmarks(store, &filters[i], &open, &count, &next, arena, err);
    const pw_label label = { PW_LIT("n"), PW_LIT("v") };
    const pw_instance_filter labelled = { .limit = 10, .labels = &label, .label_count = 1 };
    pw_instance_row *rows = NULL;
    (void)!pw_store_instance_list(store, &labelled, &rows, &count, &next, arena, err);
    uint64_t counts[PW_STATUS_COUNT];
    (void)!pw_store_instance_count(store, &labelled, counts, err);
    const pw_instance_filter any = { .limit = 10 };
    (void)!pw_store_instance_count(store, &any, counts, err);
    const pw_incident_filter incidents[] = { { .limit = 10 }, { .limit = 10, .resolved = true } };
    pw_incident_row *faults = NULL;
    for (size_t i = 0; i < PW_LENGTH(incidents); i++)
        (void)!pw_store_incidents(store, &incidents[i], &faults, &count, &next, arena, err);
    pw_breaker_record *breakers = NULL;
    (void)!pw_store_breakers(store, &breakers, &count, arena, err);
    pw_bulk *bulks = NULL, one;
    pw_bulk_failure *failures = NULL;
    for (int at_work = 0; at_work < 2; at_work++)
        (void)!pw_store_bulks(store, at_work != 0, PW_LIT(""), 10, &bulks, &count, arena, err);
    (void)!pw_store_bulk_get(store, pw_str_of(ids[0]), &one, &failures, &count, arena, err);
    pw_principal *principals = NULL;
    (void)!pw_store_principals(store, &principals, &count, arena, err);
}

static void look_at_rows(void)
{
    pw_store *store = NULL;
    pw_store_options options = { pw_str_of(path), PW_STORE_READ, false };
    pawl_error err = { .code = PAWL_OK };
    if (pw_store_open(&store, &options, &err) != PAWL_OK) {
        FUZZ_CHECK(err.message[0] != '\0');
        return;
    }
    pw_arena arena;
    pw_arena_init(&arena, 0);
    for (size_t i = 0; i < id_count; i++)
        look_at_instance(store, pw_str_of(ids[i]), &arena, &err);
    const pw_instance_filter filter = { .limit = 10 };
    pw_instance_row *rows = NULL;
    pw_inbox_row *inbox = NULL;
    pw_due *due = NULL;
    size_t count = 0;
    pw_str next = { 0 };
    if (pw_store_instance_list(store, &filter, &rows, &count, &next, &arena, &err) == PAWL_OK)
        for (size_t i = 0; i < count; i++)
            look_at_instance(store, rows[i].id, &arena, &err);
    (void)!pw_store_due(store, PW_ALL_PARTITIONS, INT64_MAX, 0, PW_LIT(""), 100, &due, &count,
                        &arena, &err);
    (void)!pw_store_inbox_pending(store, PW_ALL_PARTITIONS, 100, &inbox, &count, &arena, &err);
    look_at_lists(store, &arena, &err);
    pw_arena_done(&arena);
    pw_store_close(store);
}

static void expect_json(char *text)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_value v;
    FUZZ_CHECK(pw_json_parse(&v, pw_str_of(text), NULL, &arena, NULL) == PAWL_OK);
    pw_arena_done(&arena);
    pawl_free(text);
}

static void ask(pawl *p)
{
    char *text = NULL;
    pawl_error err;
    const pawl_list_options options = { .struct_size = sizeof options };
    if (pawl_list(p, &options, &text, &err) == PAWL_OK)
        expect_json(text);
    if (pawl_bulks(p, NULL, 0, &text, &err) == PAWL_OK)
        expect_json(text);
    for (size_t i = 0; i < id_count; i++) {
        if (pawl_bulk(p, ids[i], &text, &err) == PAWL_OK)
            expect_json(text);
        if (pawl_show(p, ids[i], &text, &err) == PAWL_OK)
            expect_json(text);
        if (pawl_log(p, ids[i], 1, 0, &text, &err) == PAWL_OK)
            expect_json(text);
    }
}

static void own(pawl *p)
{
    pawl_error err;
    (void)!pawl_drain(p, WAIT_MS, &err);
    ask(p);
    (void)!pawl_resume(p, ids[0], "ok", "{\"n\":2}", "ann", &err);
    (void)!pawl_suspend(p, ids[1], "ann", NULL, &err);
    (void)!pawl_continue(p, ids[2], "ann", NULL, &err);
    for (size_t i = 0; i < id_count; i++)
        (void)!pawl_cancel(p, ids[i], "ann", NULL, &err);
    ask(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    prepare();
    remove_files();
    FILE *file = fopen(path, "wbe");
    FUZZ_CHECK(file != NULL && fwrite(image, 1, image_size, file) == image_size);
    FUZZ_CHECK(fclose(file) == 0);

    sqlite3 *db = raw_open();
    bool may_send = false;
    pw_str rest = fuzz_text(data, size);
    for (int i = 0; i < LINES_MAX && rest.len > 0; i++) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        pw_str line = { rest.ptr, end ? (size_t)(end - rest.ptr) : rest.len };
        write_column(db, line, &may_send);
        size_t used = end ? line.len + 1 : line.len;
        rest = (pw_str){ rest.ptr + used, rest.len - used };
    }
    FUZZ_CHECK(sqlite3_close(db) == SQLITE_OK);

    look_at_rows();
    pawl *p = engine(PAWL_READ, 0);
    if (p)
        ask(p);
    pawl_close(p);
    p = may_send ? NULL : engine(PAWL_OWN, 1);
    if (p)
        own(p);
    pawl_close(p);
    return 0;
}
