/* sqlite_internal.h - the SQLite store's parts: connections (connection.c), opening and the schema
 * (open.c), the owner's lock (lock.c), committing (commit.c), nodes and partitions (lease.c),
 * checkpoints (checkpoint.c), reading (read.c, reading.h), instances (instances.c), bookmarks
 * (bookmarks.c), incidents and breakers (faults.c), compensation plans (undo.c), tokens and requests (identity.c), messages (messages.c, read_messages.c),
 * what is old (clean.c), room (space.c). */
#ifndef PW_SQLITE_INTERNAL_H
#define PW_SQLITE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sqlite3.h>

#include "store/store_internal.h"
#include "sqlite_sql.h"

#define PW_SQLITE_APPLICATION_ID 0x5041574c /* "PAWL" */
#define PW_SQLITE_BACKUP_ID 0x50415742      /* "PAWB": a copy that is to be restored, not opened */
#define PW_SQLITE_READERS 8u                /* connections; more readers wait for one */
#define PW_SQLITE_BUSY_MS 5000              /* for another program's write lock */

/* ---- connections */

/* One thread at a time uses a connection; its statements are prepared once. */
typedef struct pw_connection {
    sqlite3 *db;
    sqlite3_stmt *statements[PW_SQLITE_SQL_COUNT];
    int reason;      /* errno of the last statement whose input or output failed; 0: none */
    char shown[204]; /* the path as messages show it: the end of a long one */
} pw_connection;

typedef enum pw_connection_mode {
    PW_CONNECT_CREATE, /* read and write; makes an empty file if there is none */
    PW_CONNECT_WRITE,
    PW_CONNECT_READ,
    PW_CONNECT_IMMUTABLE, /* nobody else may write: a closed store in a directory that cannot be
                             written */
} pw_connection_mode;

/* Opens the file and sets what holds for each connection; says nothing about what is in it. */
pawl_code pw_connection_open(pw_connection *connection, const char *path, pw_connection_mode mode,
                             pawl_error *err);
void pw_connection_close(pw_connection *connection);
/* All statements that write, so that a schema that does not fit is noticed before anything is
 * written. Those that read are prepared when they are needed: all of them take longer than most
 * commands. */
pawl_code pw_connection_prepare_writes(pw_connection *connection, pawl_error *err);
pawl_code pw_connection_exec(pw_connection *connection, const char *sql, pawl_error *err);
/* `PRAGMA name` as a number. */
pawl_code pw_connection_pragma(pw_connection *connection, const char *sql, int64_t *out,
                               pawl_error *err);
/* What a result code of SQLite means here, with the way out. `doing`: "commit", "open" ... */
pawl_code pw_sqlite_fail(const pw_connection *connection, int rc, const char *doing,
                         pawl_error *err);
pawl_code pw_sqlite_code(int rc);
/* True: the failure is of the row that was written, and the transaction is still good. */
bool pw_sqlite_is_row_failure(int rc);

/* ---- one run of a statement: binds, steps, reads; the first failure sticks in rc */

typedef struct pw_query {
    pw_connection *connection;
    sqlite3_stmt *statement;
    int rc; /* SQLITE_OK, SQLITE_ROW, SQLITE_DONE, or what failed */
} pw_query;

pw_query pw_query_begin(pw_connection *connection, pw_sqlite_sql sql);
void pw_bind_text(pw_query *query, int at, pw_str text);     /* borrowed until pw_query_end */
void pw_bind_optional(pw_query *query, int at, pw_str text); /* empty: NULL */
/* A JSON array of texts; nothing of none. */
void pw_write_array(pw_buf *buf, const pw_str *texts, size_t count);
/* A JSON object of them; nothing of none. */
void pw_write_labels(pw_buf *buf, const pw_label *labels, size_t count);
void pw_bind_buf(pw_query *query, int at, const pw_buf *buf); /* empty: NULL */
void pw_bind_int(pw_query *query, int at, int64_t n);
void pw_bind_null(pw_query *query, int at);
void pw_bind_time(pw_query *query, int at, int64_t ms); /* before 1970: NULL */
bool pw_query_row(pw_query *query); /* true: a row is there; false: done, or failed */
int pw_query_end(pw_query *query);  /* SQLITE_OK, or what failed */
pw_str pw_column_text(pw_query *query, int at, pw_arena *arena); /* a copy; NULL gives empty */
int64_t pw_column_int(pw_query *query, int at, int64_t if_null);

/* ---- the store */

typedef struct pw_sqlite_reader {
    pw_connection connection;
    bool open, taken;
} pw_sqlite_reader;

typedef struct pw_checkpointer {
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    int frames; /* in the write-ahead log, after the last commit */
    bool wanted; /* a checkpoint, however few there are */
    int tried;  /* how many there were at the last checkpoint: the next is made well after */
} pw_checkpointer;

typedef struct pw_sqlite {
    pw_store base;
    char *path; /* absolute, links resolved: SQLite names its own files after that */
    pw_store_mode mode;
    bool immutable;
    int lock_fd; /* -1: not owner */
    char generation[40], secret[PW_STORE_SECRET_SIZE];
    char past_text[PW_PAST_GENERATIONS_MAX][40];
    pw_str past[PW_PAST_GENERATIONS_MAX];

    pthread_mutex_t write_lock; /* over writer, broken and epochs */
    pw_connection writer;
    uint64_t epochs[PW_PARTITIONS]; /* of those the owner took; 0: not taken */
    bool broken;                    /* the outcome of a commit is unknown: only reopen helps */

    pthread_mutex_t read_lock; /* over readers and closed */
    pthread_cond_t reader_free;
    pw_sqlite_reader readers[PW_SQLITE_READERS];
    size_t taken;
    uint64_t waits; /* readers that found all taken */
    bool closed; /* between closing and opening again: readers wait */

    pw_checkpointer checkpointer;

    /* Counters for tests and metrics: no order between them is promised. */
    _Atomic uint64_t commits, items, statements, rows, syncs, conflicts, bisections;
} pw_sqlite;

static inline pw_sqlite *pw_sqlite_of(pw_store *store)
{
    return (pw_sqlite *)store; /* base is its first member */
}

/* Gives *fd, or PAWL_BUSY with the owner's process id. The kernel frees the lock when the process
 * is gone. */
pawl_code pw_sqlite_lock(int *fd, const char *path, pawl_error *err);
void pw_sqlite_unlock(int fd);
bool pw_sqlite_is_owned(pw_store *base);

int64_t pw_sqlite_now_ms(void); /* the system's clock */

/* open.c: what a file is. */
typedef enum pw_sqlite_kind { PW_SQLITE_EMPTY, PW_SQLITE_STORE, PW_SQLITE_BACKUP } pw_sqlite_kind;
/* Absolute, links resolved, also (create) if the file itself is not there yet. */
pawl_code pw_sqlite_resolve(char **out, const char *path, bool create, pawl_error *err);
/* What the file system can tell before SQLite touches it. */
pawl_code pw_sqlite_look_at_file(const char *path, bool create, pawl_error *err);
/* Says what is in the file, without writing. */
pawl_code pw_sqlite_identify(pw_connection *connection, pw_sqlite_kind *kind, int *version, pawl_error *err);
/* Nobody has committed anything that is not in the file itself. */
bool pw_sqlite_has_no_log(const char *path);
/* From `version` to the newest, in one transaction: all of it or nothing. The file is a store then. */
pawl_code pw_sqlite_upgrade(pw_connection *connection, int version, pawl_error *err);

/* check.c: the first thing that the file says of itself and that does not hold: PAWL_CORRUPT. */
pawl_code pw_sqlite_check_file(pw_connection *connection, bool whole, pawl_error *err);
pawl_code pw_checkpointer_start(pw_sqlite *store, pawl_error *err);
void pw_checkpointer_stop(pw_sqlite *store);
void pw_checkpointer_wake(pw_sqlite *store); /* all of the log into the file, so that it can end earlier */

pawl_code pw_sqlite_reader_take(pw_sqlite *store, pw_sqlite_reader **out, pawl_error *err);
void pw_sqlite_reader_give(pw_sqlite *store, pw_sqlite_reader *reader, bool healthy);
void pw_sqlite_readers_close(pw_sqlite *store); /* waits until none is taken; later ones wait */
void pw_sqlite_readers_open(pw_sqlite *store);

/* The transaction around writes other than a commit of steps. */
pawl_code pw_sqlite_begin(pw_sqlite *store, pawl_error *err); /* takes write_lock if PAWL_OK */
pawl_code pw_sqlite_end(pw_sqlite *store, pawl_code code,
                        pawl_error *err); /* commits if PAWL_OK; gives it back */
/* Runs a statement that gives no rows; counts it. *changes may be NULL. */
int pw_sqlite_write(pw_sqlite *store, pw_query *query, int *changes);
/* The same for one that gives rows, of one number: that of the first. */
int pw_sqlite_write_returning(pw_sqlite *store, pw_query *query, int64_t *value, bool *returned);
/* Ends what the writer read in its transaction; counts it. */
int pw_sqlite_looked(pw_sqlite *store, pw_query *query);
/* A row of one number that it looks at there. */
int pw_sqlite_look(pw_sqlite *store, pw_query *query, int64_t *value, bool *found);
/* What failed ends the transaction, and after PAWL_IO the store. */
pawl_code pw_sqlite_write_failed(pw_sqlite *store, int rc, const char *doing, pawl_error *err);

void pw_sqlite_close(pw_store *base);
pawl_code pw_sqlite_reopen(pw_store *base, pawl_error *err);
pawl_code pw_sqlite_commit(pw_store *base, pw_commit_item *items, size_t count, pawl_error *err);
pawl_code pw_sqlite_definition_put(pw_store *base, const pw_definition *definition, bool *created,
                                   pawl_error *err);
pawl_code pw_sqlite_definition_status(pw_store *base, pw_str namespace_, pw_str name,
                                      pw_str version, pw_definition_status status, pawl_error *err);
pawl_code pw_sqlite_inbox_put(pw_store *base, const pw_inbox_row *row, pawl_error *err);
pawl_code pw_sqlite_inbox_return(pw_store *base, pw_str target, pw_str key,
                                 const pw_inbox_row *reply, pawl_error *err);
/* instances.c: before deliveries of an instance go: what it took stays taken, what waits is given back; an SQLite code */
int pw_sqlite_messages_forget(pw_sqlite *store, pw_str id);
/* instances.c, bookmarks.c: rows of a step; an SQLite code, and the verdict in item->code */
int pw_sqlite_labels_put(pw_sqlite *store, pw_commit_item *item);
int pw_sqlite_bookmark_put(pw_sqlite *store, const pw_commit_item *item, const pw_bookmark *b);
int pw_sqlite_bookmark_change(pw_sqlite *store, pw_commit_item *item, const pw_bookmark_change *to);
int pw_sqlite_bookmark_end(pw_sqlite *store, pw_commit_item *item, const pw_bookmark_end *end);
int pw_sqlite_bookmarks_end_all(pw_sqlite *store, const pw_commit_item *item);
/* faults.c: the same */
int pw_sqlite_fault_put(pw_sqlite *store, const pw_commit_item *item, const pw_fault *f);
int pw_sqlite_faults_resolve(pw_sqlite *store, pw_commit_item *item);
int pw_sqlite_fault_is_open(pw_sqlite *store, pw_str instance, bool *open);
/* undo.c: the same */
int pw_sqlite_undo_put(pw_sqlite *store, const pw_commit_item *item, const pw_undo_step *u);
int pw_sqlite_undo_change(pw_sqlite *store, pw_commit_item *item, const pw_undo_change *change);
/* publish.c: the same, one for each sink that wants the event */
int pw_sqlite_publish_put(pw_sqlite *store, const pw_commit_item *item,
                          const pw_outbox_event *event, int64_t ordinal);
/* messages.c: rows of a step; an SQLite code, and the verdict in item->code */
int pw_sqlite_subscription_put(pw_sqlite *store, pw_commit_item *item, const pw_subscription *s);
int pw_sqlite_subscription_end(pw_sqlite *store, pw_commit_item *item,
                               const pw_subscription_end *end);
int pw_sqlite_subscriptions_end(pw_sqlite *store, const pw_commit_item *item, uint64_t visit);
int pw_sqlite_subscriptions_end_all(pw_sqlite *store, const pw_commit_item *item);
int pw_sqlite_delivery_take(pw_sqlite *store, pw_commit_item *item, const pw_message_taken *taken);
/* ... and transactions of their own */
pawl_code pw_sqlite_messages_put(pw_store *base, pw_message_row *rows, size_t count,
                                 pawl_error *err);
pawl_code pw_sqlite_messages_route(pw_store *base, uint64_t matchers, pw_message_route *routes,
                                   size_t count, int64_t now_ms, pw_delivery_target **targets,
                                   size_t *target_count, pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_message_keys_put(pw_store *base, pw_str matcher, const pw_message_key *keys,
                                     size_t count, bool complete, pawl_error *err);
pawl_code pw_sqlite_messages_claim(pw_store *base, pw_str instance, uint64_t visit, pw_str hash,
                                   uint32_t most, int64_t now_ms, uint32_t *claimed,
                                   pawl_error *err);
pawl_code pw_sqlite_deliveries_give_back(pw_store *base, const pw_delivery_back *rows, size_t count,
                                         pawl_error *err);
pawl_code pw_sqlite_messages_expire(pw_store *base, int64_t now_ms, uint32_t most,
                                    uint32_t *deleted, pawl_error *err);
/* read_messages.c */
pawl_code pw_sqlite_messages_new(pw_store *base, uint64_t after, uint32_t limit,
                                 pw_message_row **out, size_t *count, pw_arena *arena,
                                 pawl_error *err);
pawl_code pw_sqlite_messages_kept(pw_store *base, pw_str type, int64_t now_ms, uint64_t after,
                                  uint32_t limit, pw_message_row **out, size_t *count,
                                  pw_arena *arena, pawl_error *err);
/* Whether messages_expire would find one. */
pawl_code pw_sqlite_message_has_expired(pw_store *base, int64_t now_ms, bool *out, pawl_error *err);
pawl_code pw_sqlite_message_get(pw_store *base, pw_str source, pw_str id, pw_message_row *out,
                                pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_matchers(pw_store *base, pw_matcher_row **out, size_t *count, pw_arena *arena,
                             pawl_error *err);
pawl_code pw_sqlite_matcher_count(pw_store *base, uint64_t *all, uint64_t *complete,
                                  pawl_error *err);
pawl_code pw_sqlite_subscriptions_fed(pw_store *base, uint64_t partitions,
                                      const pw_subscription_row *after, uint32_t limit,
                                      pw_subscription_row **out, size_t *count, pw_arena *arena,
                                      pawl_error *err);
pawl_code pw_sqlite_subscriptions(pw_store *base, pw_str instance, pw_str matcher,
                                  const pw_subscription_row *after, uint32_t limit,
                                  pw_subscription_row **out, size_t *count, pw_arena *arena,
                                  pawl_error *err);
pawl_code pw_sqlite_deliveries(pw_store *base, pw_str instance, uint64_t after, uint32_t limit,
                               pw_delivery_row **out, size_t *count, pw_arena *arena,
                               pawl_error *err);
pawl_code pw_sqlite_deliveries_pending(pw_store *base, uint64_t partitions, pw_str after,
                                       uint32_t limit, pw_str **out, size_t *count, pw_arena *arena,
                                       pawl_error *err);
/* lease.c */
bool pw_sqlite_exclusive(const pw_store *base);
pawl_code pw_sqlite_node_beat(pw_store *base, pw_str node, uint64_t lease_ms, pw_partitions *out,
                              pawl_error *err);
pawl_code pw_sqlite_partitions_take(pw_store *base, pw_str node, uint64_t wanted,
                                    pw_partitions *out, pawl_error *err);
pawl_code pw_sqlite_partitions_give(pw_store *base, pw_str node, uint64_t given, bool leaving,
                                    pawl_error *err);
/* instances.c */
pawl_code pw_sqlite_instance_get(pw_store *base, pw_str id, bool with_state, pw_instance_row *out,
                                 pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_instance_list(pw_store *base, const pw_instance_filter *filter,
                                  int64_t created_ms, pw_str id, uint32_t limit,
                                  pw_instance_row **out, size_t *count, pw_arena *arena,
                                  pawl_error *err);
pawl_code pw_sqlite_instance_count(pw_store *base, const pw_instance_filter *filter,
                                   uint64_t *counts, pawl_error *err);
pawl_code pw_sqlite_instance_delete(pw_store *base, pw_str id, uint64_t token, pawl_error *err);
/* bookmarks.c */
pawl_code pw_sqlite_bookmarks(pw_store *base, pw_str instance, bool open_only,
                              pw_bookmark_row **out, size_t *count, pw_arena *arena,
                              pawl_error *err);
pawl_code pw_sqlite_bookmark_by_key(pw_store *base, pw_str instance, pw_str key,
                                    pw_bookmark_row *out, pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_open_bookmarks(pw_store *base, const pw_bookmark_filter *filter,
                                   const pw_open_place *behind, const pw_str *people,
                                   size_t people_count, uint32_t limit, pw_open_bookmark **out,
                                   size_t *count, pw_arena *arena, pawl_error *err);
/* faults.c */
pawl_code pw_sqlite_faults(pw_store *base, pw_str instance, pw_fault_row **out, size_t *count,
                           pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_incidents(pw_store *base, const pw_incident_filter *filter,
                              const pw_incident_place *behind, uint32_t limit,
                              pw_incident_row **out, size_t *count, pw_arena *arena,
                              pawl_error *err);
pawl_code pw_sqlite_incident_get(pw_store *base, pw_str instance, uint64_t step,
                                 pw_incident_row *out, pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_incident_count(pw_store *base, const pw_incident_filter *filter,
                                   const pw_incident_place *behind, uint64_t *out, pawl_error *err);
pawl_code pw_sqlite_breakers(pw_store *base, pw_breaker_record **out, size_t *count,
                             pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_breaker_get(pw_store *base, pw_str service, pw_breaker_record *out, bool *found,
                                pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_breaker_set(pw_store *base, const pw_breaker_record *record, bool *won,
                                pawl_error *err);
/* audit.c */
pawl_code pw_sqlite_audit(pw_store *base, const pw_audit_look *look, pw_audit_seen **out, size_t *count, pw_arena *arena,
                          pawl_error *err);
/* bulk.c */
pawl_code pw_sqlite_bulk_set(pw_store *base, const pw_bulk *bulk, const pw_bulk_failure *failures,
                             size_t count, uint64_t first, bool *won, pawl_error *err);
pawl_code pw_sqlite_bulk_get(pw_store *base, pw_str id, pw_bulk *out, pw_bulk_failure **failures,
                             size_t *count, pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_bulks(pw_store *base, bool at_work, int64_t created_ms, pw_str id,
                          uint32_t limit, pw_bulk **out, size_t *count, pw_arena *arena,
                          pawl_error *err);
/* space.c */
pawl_code pw_sqlite_space(pw_store *base, pw_store_space *out, pawl_error *err);
/* clean.c */
pawl_code pw_sqlite_clean(pw_store *base, pw_clean *clean, pawl_error *err);
pawl_code pw_sqlite_vacuum(pw_store *base, uint32_t pages, uint64_t *given, uint64_t *left, pawl_error *err);
/* undo.c */
pawl_code pw_sqlite_undo(pw_store *base, pw_str instance, const pw_undo_filter *filter,
                         pw_undo_row **out, size_t *count, bool *more, pw_arena *arena,
                         pawl_error *err);
pawl_code pw_sqlite_undo_count(pw_store *base, pw_str instance, const pw_undo_filter *filter,
                               uint64_t *out, pawl_error *err);
/* identity.c */
pawl_code pw_sqlite_principal_put(pw_store *base, const pw_principal *principal, pawl_error *err);
pawl_code pw_sqlite_principal_revoke(pw_store *base, pw_str id, pw_str by, int64_t now_ms,
                                     pawl_error *err);
pawl_code pw_sqlite_principal_get(pw_store *base, pw_str digest, pw_principal *out, pw_arena *arena,
                                  pawl_error *err);
pawl_code pw_sqlite_principals(pw_store *base, pw_principal **out, size_t *count, pw_arena *arena,
                               pawl_error *err);
pawl_code pw_sqlite_request_put(pw_store *base, pw_str actor, pw_str key, pw_str digest,
                                int64_t now_ms, bool *seen, pawl_error *err);
pawl_code pw_sqlite_requests_expire(pw_store *base, int64_t before_ms, uint32_t most,
                                    uint32_t *deleted, pawl_error *err);
pawl_code pw_sqlite_answers_expire(pw_store *base, int64_t before_ms, uint32_t most,
                                   uint32_t *deleted, pawl_error *err);
/* read.c */
pawl_code pw_sqlite_partition_node(pw_store *base, uint32_t partition, pw_str *out, pw_arena *arena,
                                   pawl_error *err);
pawl_code pw_sqlite_definition_get(pw_store *base, pw_str namespace_, pw_str name, pw_str version,
                                   pw_definition *out, pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_definition_versions(pw_store *base, pw_str namespace_, pw_str name,
                                        pw_definition **out, size_t *count, pw_arena *arena,
                                        pawl_error *err);
pawl_code pw_sqlite_definition_list(pw_store *base, const pw_definition_filter *filter,
                                    const pw_definition *behind, uint32_t limit,
                                    pw_definition_row **out, size_t *count, pw_arena *arena,
                                    pawl_error *err);
pawl_code pw_sqlite_due(pw_store *base, uint64_t partitions, int64_t until_ms, int64_t after_ms,
                        pw_str after_id, uint32_t limit, pw_due **out, size_t *count,
                        pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_next_due(pw_store *base, uint64_t partitions, int64_t until_ms, int64_t *out,
                             pawl_error *err);
pawl_code pw_sqlite_steps(pw_store *base, pw_str instance, uint64_t from, uint32_t limit,
                          pw_step_row **out, size_t *count, pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_payload_get(pw_store *base, pw_str instance, pw_str digest, pw_str *out,
                                pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_calls(pw_store *base, pw_str instance, bool pending_only, pw_call_row **out,
                          size_t *count, pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_call_get(pw_store *base, pw_str instance, pw_str key, pw_call_row *out,
                             pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_publish_due(pw_store *base, pw_str sink, uint64_t partitions, int64_t now_ms,
                                uint32_t limit, pw_publish_row **out, size_t *count,
                                pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_publish_next(pw_store *base, pw_str sink, uint64_t partitions, int64_t now_ms,
                                 int64_t *out, pawl_error *err);
pawl_code pw_sqlite_publish_end(pw_store *base, pw_publish_end *ends, size_t count, int64_t now_ms,
                                pawl_error *err);
pawl_code pw_sqlite_publish_count(pw_store *base, pw_publish_counts **out, size_t *count,
                                  pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_letters(pw_store *base, const pw_letter_filter *filter,
                            const pw_letter_place *behind, uint32_t limit, pw_publish_row **out,
                            size_t *count, pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_letter_count(pw_store *base, const pw_letter_filter *filter,
                                 const pw_letter_place *behind, uint64_t *out, pawl_error *err);
pawl_code pw_sqlite_letters_of(pw_store *base, const pw_letter_place *place, pw_publish_row **out,
                               size_t *count, pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_letters_change(pw_store *base, pw_letter_change *changes, size_t count,
                                   bool lenient, pawl_error *err);
pawl_code pw_sqlite_outbox(pw_store *base, pw_str instance, int64_t step, int64_t ordinal,
                           uint32_t limit, pw_outbox_row **out, size_t *count, pw_arena *arena,
                           pawl_error *err);
pawl_code pw_sqlite_inbox_get(pw_store *base, pw_str target, pw_str key, pw_inbox_row *out,
                              pw_arena *arena, pawl_error *err);
pawl_code pw_sqlite_inbox_pending(pw_store *base, uint64_t partitions, uint32_t limit,
                                  pw_inbox_row **out, size_t *count, pw_arena *arena,
                                  pawl_error *err);
#endif
