/* memory_internal.h - the memory store's rows, lists and transactions (lists.c), its nodes and
 * partitions (lease.c), its instances (instances.c), bookmarks (bookmarks.c), incidents and
 * breakers (faults.c), what must never be (audit.c), compensation plans (undo.c), tokens and requests (identity.c), messages (messages.c), what is old (clean.c), its reads (read.c, reading.h). */
#ifndef PW_MEMORY_INTERNAL_H
#define PW_MEMORY_INTERNAL_H

#include <pthread.h>

#include "store/memory/memory.h"
#include "store/store_internal.h"

/* ---- rows: which of their members are texts */

#define TEXTS(...)                                                                                 \
    (const size_t[])                                                                               \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
typedef struct pw_mem_shape {
    size_t size, count;
    const size_t *texts; /* offsets of pw_str members */
} pw_mem_shape;
#define SHAPE(type, ...)                                                                           \
    {                                                                                              \
        sizeof(type), sizeof(TEXTS(__VA_ARGS__)) / sizeof(size_t), TEXTS(__VA_ARGS__)              \
    }
#define IN(type, member) offsetof(type, member)

extern const pw_mem_shape pw_mem_definition_shape;
extern const pw_mem_shape pw_mem_definition_row_shape;
extern const pw_mem_shape pw_mem_instance_shape;
extern const pw_mem_shape pw_mem_step_shape;
extern const pw_mem_shape pw_mem_payload_shape;
extern const pw_mem_shape pw_mem_branch_shape;
extern const pw_mem_shape pw_mem_bookmark_shape;
extern const pw_mem_shape pw_mem_call_shape;
extern const pw_mem_shape pw_mem_outbox_shape;
extern const pw_mem_shape pw_mem_fault_shape;
extern const pw_mem_shape pw_mem_undo_shape;
extern const pw_mem_shape pw_mem_inbox_shape;
extern const pw_mem_shape pw_mem_message_shape;
extern const pw_mem_shape pw_mem_matcher_shape;
extern const pw_mem_shape pw_mem_subscription_shape;
extern const pw_mem_shape pw_mem_principal_shape;

/* A copy of the row with its texts behind it, in one block; NULL: out of memory. */
void *pw_mem_row_new(const pw_mem_shape *kind, const void *from);
/* Into the caller's memory; an arena that ran out is seen by the caller. */
void pw_mem_row_copy(const pw_mem_shape *kind, void *to, const void *from, pw_arena *arena);

/* ---- lists */

typedef struct pw_mem_list {
    void **items;
    size_t count, room;
} pw_mem_list;

typedef struct pw_mem_instance {
    pw_mem_list row; /* one */
    pw_mem_list steps;
    pw_mem_list payloads;  /* by digest */
    pw_mem_list branches;  /* by (fork, number) */
    pw_mem_list bookmarks; /* by (visit, key) */
    pw_mem_list calls;     /* by key */
    pw_mem_list outbox;    /* by (step, ordinal) */
    pw_mem_list faults; /* by step */
    pw_mem_list undo;   /* by ordinal */
    pw_mem_list undo_keys; /* by key */
    pw_mem_list subscriptions; /* by (visit, ordinal) */
    pw_mem_list deliveries;    /* not yet taken, by (number, visit) */
} pw_mem_instance;

typedef struct pw_mem_delivery {
    pw_str instance;
    uint64_t visit, number;
    uint64_t step; /* in which it was taken; 0: not, or given back */
    bool waits;
} pw_mem_delivery;

typedef struct pw_mem_change {
    pw_mem_list *list;
    size_t at;
    void *old;    /* NULL: there was none */
    bool removed; /* there is none any more */
} pw_mem_change;

typedef struct pw_mem_node {
    char id[PW_NODE_ID_MAX + 1];
    int64_t leased_until; /* INT64_MAX: for ever */
} pw_mem_node;

typedef struct pw_mem_partition {
    uint64_t epoch;
    char node[PW_NODE_ID_MAX + 1]; /* empty: nobody's */
} pw_mem_partition;

/* The data, of one handle or several. */
typedef struct pw_memory {
    char generation[33], secret[PW_STORE_SECRET_SIZE];
    pthread_mutex_t lock; /* of all that follows, and of the handles' parts */
    size_t handles;
    bool shared; /* there was a second handle once */
    int64_t (*now_ms)(void *context);
    void *context;
    pw_mem_node *nodes;
    size_t node_count, node_room;
    pw_mem_partition partitions[PW_PARTITIONS];
    pw_mem_list definitions;     /* by (namespace, name, version) */
    pw_mem_list instances;       /* by id */
    pw_mem_list inbox;           /* by (target, key) */
    pw_mem_list messages;        /* by number */
    pw_mem_list message_names;   /* by (source, id) */
    pw_mem_list message_keys;    /* by (hash, number) */
    pw_mem_list message_keys_of; /* the same by (number, hash) */
    pw_mem_list matchers;        /* by digest */
    pw_mem_list subscriptions;   /* by (hash, instance, visit, ordinal) */
    pw_mem_list deliveries;      /* by (number, instance, visit) */
    pw_mem_list principals;      /* in the order in which they came */
    pw_mem_list requests;        /* by (actor, key) */
    pw_mem_list breakers;        /* by service */
    pw_mem_list publish;         /* by (instance, step, ordinal, sink) */
    pw_mem_list publish_due; /* those with next_ms, by (sink, next_ms, instance, step, ordinal) */
    pw_mem_list bulks;           /* by (created_ms, id) */
    pw_mem_list bulk_failures;   /* by (bulk, number) */
    pw_mem_change *changes;      /* of the transaction */
    size_t change_count, change_room;
    pw_store_counts counts;
} pw_memory;

typedef struct pw_mem_handle {
    pw_store base;
    pw_memory *data;
    uint64_t fail_in; /* commits, of steps or messages, until one fails; 0: none */
    bool fail_applied, broken;
    bool cut_off; /* beats, takes and gives fail */
} pw_mem_handle;

typedef struct pw_mem_place {
    pw_str instance;
    uint64_t step;
    int64_t ordinal;
} pw_mem_place;

static inline pw_mem_handle *pw_mem_handle_of(pw_store *store)
{
    return (pw_mem_handle *)store; /* base is its first member */
}

static inline pw_memory *pw_memory_of(pw_store *store)
{
    return pw_mem_handle_of(store)->data;
}

static inline const pw_instance_row *pw_mem_row_of(const pw_mem_instance *in)
{
    return in->row.items[0];
}

/* Puts an item (NULL: out of memory, all of these pass it on) at its place, and takes it over. */
bool pw_mem_put(pw_memory *m, pw_mem_list *to, size_t at, void *item);
bool pw_mem_replace(pw_memory *m, pw_mem_list *in, size_t at, void *item);
bool pw_mem_remove(pw_memory *m, pw_mem_list *from, size_t at);
void pw_mem_undo(pw_memory *m, size_t mark); /* back to when there were `mark` changes */
void pw_mem_keep(pw_memory *m);
void pw_mem_item_free(pw_memory *m, const pw_mem_list *of, void *item);
void pw_mem_instance_free(pw_mem_instance *in);

/* The place of the first item that is not below the key; *found: it is equal. */
size_t pw_mem_find(const pw_mem_list *in, int (*compare)(const void *item, const void *key),
                   const void *key, bool *found);
int pw_mem_by_number(uint64_t a, uint64_t b);
int pw_mem_compare_definition(const void *item, const void *key); /* key: pw_definition */
int pw_mem_compare_instance(const void *item, const void *key);   /* pw_str, its id */
int pw_mem_compare_bookmark(const void *item, const void *key);   /* pw_bookmark */
int pw_mem_compare_call(const void *item, const void *key);       /* pw_str, its key */
int pw_mem_compare_outbox(const void *item, const void *key);     /* pw_mem_place */
int pw_mem_compare_inbox(const void *item, const void *key);      /* pw_inbox_row */
int pw_mem_compare_branch(const void *item, const void *key);  /* pw_branch_row: fork and number */
int pw_mem_compare_payload(const void *item, const void *key); /* pw_str: the digest */
pw_mem_instance *pw_mem_instance_of(const pw_memory *m, pw_str id); /* NULL: none */

/* ---- messages.c: rows of a step; false: out of memory; the verdict is in item->code */

bool pw_mem_subscription_put(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                             const pw_subscription *s);
bool pw_mem_subscription_end(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                             const pw_subscription_end *end);
bool pw_mem_subscriptions_end(pw_memory *m, pw_mem_instance *in, uint64_t visit);
bool pw_mem_subscriptions_end_all(pw_memory *m, pw_mem_instance *in);
bool pw_mem_delivery_take(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                          const pw_message_taken *taken);
/* The deliveries of an instance that goes: what it took stays taken, what waits is given back. */
bool pw_mem_deliveries_forget(pw_memory *m, pw_mem_instance *in);

pawl_code pw_memory_messages_put(pw_store *base, pw_message_row *rows, size_t count,
                                 pawl_error *err);
pawl_code pw_memory_messages_new(pw_store *base, uint64_t after, uint32_t limit,
                                 pw_message_row **out, size_t *count, pw_arena *arena,
                                 pawl_error *err);
pawl_code pw_memory_messages_kept(pw_store *base, pw_str type, int64_t now_ms, uint64_t after,
                                  uint32_t limit, pw_message_row **out, size_t *count,
                                  pw_arena *arena, pawl_error *err);
pawl_code pw_memory_message_get(pw_store *base, pw_str source, pw_str id, pw_message_row *out,
                                pw_arena *arena, pawl_error *err);
pawl_code pw_memory_matchers(pw_store *base, pw_matcher_row **out, size_t *count, pw_arena *arena,
                             pawl_error *err);
pawl_code pw_memory_matcher_count(pw_store *base, uint64_t *all, uint64_t *complete,
                                  pawl_error *err);
pawl_code pw_memory_messages_route(pw_store *base, uint64_t matchers, pw_message_route *routes,
                                   size_t count, int64_t now_ms, pw_delivery_target **targets,
                                   size_t *target_count, pw_arena *arena, pawl_error *err);
pawl_code pw_memory_message_keys_put(pw_store *base, pw_str matcher, const pw_message_key *keys,
                                     size_t count, bool complete, pawl_error *err);
pawl_code pw_memory_messages_claim(pw_store *base, pw_str instance, uint64_t visit, pw_str hash,
                                   uint32_t most, int64_t now_ms, uint32_t *claimed,
                                   pawl_error *err);
pawl_code pw_memory_subscriptions_fed(pw_store *base, uint64_t partitions,
                                      const pw_subscription_row *after, uint32_t limit,
                                      pw_subscription_row **out, size_t *count, pw_arena *arena,
                                      pawl_error *err);
pawl_code pw_memory_subscriptions(pw_store *base, pw_str instance, pw_str matcher,
                                  const pw_subscription_row *after, uint32_t limit,
                                  pw_subscription_row **out, size_t *count, pw_arena *arena,
                                  pawl_error *err);
pawl_code pw_memory_deliveries(pw_store *base, pw_str instance, uint64_t after, uint32_t limit,
                               pw_delivery_row **out, size_t *count, pw_arena *arena,
                               pawl_error *err);
pawl_code pw_memory_deliveries_pending(pw_store *base, uint64_t partitions, pw_str after,
                                       uint32_t limit, pw_str **out, size_t *count, pw_arena *arena,
                                       pawl_error *err);
pawl_code pw_memory_deliveries_give_back(pw_store *base, const pw_delivery_back *rows, size_t count,
                                         pawl_error *err);
pawl_code pw_memory_messages_expire(pw_store *base, int64_t now_ms, uint32_t most,
                                    uint32_t *deleted, pawl_error *err);

/* ---- memory.c */

/* The item is poison. */
void pw_mem_refuse(pw_commit_item *item, const char *what, pw_str key);

/* A transaction of its own: takes the lock if PAWL_OK; the end gives it back, and keeps what was
 * changed if `code` is PAWL_OK. */
pawl_code pw_mem_begin(pw_store *base, pawl_error *err);
pawl_code pw_mem_end(pw_store *base, pawl_code code, pawl_error *err);

/* ---- lease.c */

/* The partition of the item is held under the item's epoch. */
bool pw_mem_holds(const pw_memory *m, const pw_commit_item *item);
bool pw_memory_exclusive(const pw_store *base);
pawl_code pw_memory_node_beat(pw_store *base, pw_str node, uint64_t lease_ms, pw_partitions *out,
                              pawl_error *err);
pawl_code pw_memory_partitions_take(pw_store *base, pw_str node, uint64_t wanted,
                                    pw_partitions *out, pawl_error *err);
pawl_code pw_memory_partitions_give(pw_store *base, pw_str node, uint64_t given, bool leaving,
                                    pawl_error *err);
pawl_code pw_memory_partition_node(pw_store *base, uint32_t partition, pw_str *out, pw_arena *arena,
                                   pawl_error *err);

/* ---- instances.c */

bool pw_mem_inbox_forget(pw_memory *m, pw_str id); /* what it was asked; false: out of memory */
/* False: out of memory; the verdict is in item->code. */
bool pw_mem_labels_good(pw_commit_item *item);
bool pw_mem_has_labels(const pw_instance_row *row, const pw_label *wanted, size_t count,
                       pw_arena *arena);
pawl_code pw_memory_instance_get(pw_store *base, pw_str id, bool with_state, pw_instance_row *out,
                                 pw_arena *arena, pawl_error *err);
pawl_code pw_memory_instance_list(pw_store *base, const pw_instance_filter *filter,
                                  int64_t created_ms, pw_str id, uint32_t limit,
                                  pw_instance_row **out, size_t *count, pw_arena *arena,
                                  pawl_error *err);
pawl_code pw_memory_instance_count(pw_store *base, const pw_instance_filter *filter,
                                   uint64_t *counts, pawl_error *err);
pawl_code pw_memory_instance_delete(pw_store *base, pw_str id, uint64_t token, pawl_error *err);

/* ---- bookmarks.c: rows of a step; false: out of memory; the verdict is in item->code */

bool pw_mem_bookmark_put(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                         const pw_bookmark *b);
bool pw_mem_bookmark_change(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                            const pw_bookmark_change *change);
bool pw_mem_bookmark_end(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                         const pw_bookmark_end *end);
bool pw_mem_bookmarks_end_all(pw_memory *m, pw_mem_instance *in, const pw_commit_item *item);

pawl_code pw_memory_bookmarks(pw_store *base, pw_str id, bool open_only, pw_bookmark_row **out,
                              size_t *count, pw_arena *arena, pawl_error *err);
pawl_code pw_memory_bookmark_by_key(pw_store *base, pw_str id, pw_str key, pw_bookmark_row *out,
                                    pw_arena *arena, pawl_error *err);
pawl_code pw_memory_open_bookmarks(pw_store *base, const pw_bookmark_filter *filter,
                                   const pw_open_place *behind, const pw_str *people,
                                   size_t people_count, uint32_t limit, pw_open_bookmark **out,
                                   size_t *count, pw_arena *arena, pawl_error *err);

/* ---- faults.c: rows of a step; false: out of memory; the verdict is in item->code */

bool pw_mem_fault_put(pw_memory *m, pw_mem_instance *in, const pw_commit_item *item,
                      const pw_fault *fault);
bool pw_mem_faults_resolve(pw_memory *m, pw_mem_instance *in, pw_commit_item *item);
bool pw_mem_fault_is_open(const pw_mem_instance *in);
bool pw_mem_breaker_forget(pw_memory *m, pw_str service);

pawl_code pw_memory_faults(pw_store *base, pw_str id, pw_fault_row **out, size_t *count,
                           pw_arena *arena, pawl_error *err);
pawl_code pw_memory_incidents(pw_store *base, const pw_incident_filter *filter,
                              const pw_incident_place *behind, uint32_t limit,
                              pw_incident_row **out, size_t *count, pw_arena *arena,
                              pawl_error *err);
pawl_code pw_memory_incident_get(pw_store *base, pw_str instance, uint64_t step,
                                 pw_incident_row *out, pw_arena *arena, pawl_error *err);
pawl_code pw_memory_incident_count(pw_store *base, const pw_incident_filter *filter,
                                   const pw_incident_place *behind, uint64_t *out, pawl_error *err);
pawl_code pw_memory_breakers(pw_store *base, pw_breaker_record **out, size_t *count,
                             pw_arena *arena, pawl_error *err);
pawl_code pw_memory_breaker_get(pw_store *base, pw_str service, pw_breaker_record *out, bool *found,
                                pw_arena *arena, pawl_error *err);
pawl_code pw_memory_breaker_set(pw_store *base, const pw_breaker_record *record, bool *won,
                                pawl_error *err);

/* ---- audit.c */

pawl_code pw_memory_audit(pw_store *base, const pw_audit_look *look, pw_audit_seen **out,
                          size_t *count, pw_arena *arena, pawl_error *err);

/* ---- bulk.c */

bool pw_mem_bulk_forget(pw_memory *m, pw_str id); /* with its failures; false: out of memory */
pawl_code pw_memory_bulk_set(pw_store *base, const pw_bulk *bulk, const pw_bulk_failure *failures,
                             size_t count, uint64_t first, bool *won, pawl_error *err);
pawl_code pw_memory_bulk_get(pw_store *base, pw_str id, pw_bulk *out, pw_bulk_failure **failures,
                             size_t *count, pw_arena *arena, pawl_error *err);
pawl_code pw_memory_bulks(pw_store *base, bool at_work, int64_t created_ms, pw_str id,
                          uint32_t limit, pw_bulk **out, size_t *count, pw_arena *arena,
                          pawl_error *err);

/* ---- undo.c: rows of a step; false: out of memory; the verdict is in item->code */

bool pw_mem_undo_put(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                     const pw_undo_step *step);
bool pw_mem_undo_change(pw_memory *m, pw_mem_instance *in, pw_commit_item *item,
                        const pw_undo_change *change);
pawl_code pw_memory_undo(pw_store *base, pw_str id, const pw_undo_filter *filter, pw_undo_row **out,
                         size_t *count, bool *more, pw_arena *arena, pawl_error *err);
pawl_code pw_memory_undo_count(pw_store *base, pw_str id, const pw_undo_filter *filter,
                               uint64_t *out, pawl_error *err);

/* ---- publish.c: rows of a step and of an instance that goes; false: out of memory */

/* One for each sink of the handle that wants the event. */
bool pw_mem_publish_put(pw_mem_handle *h, const pw_commit_item *item, const pw_outbox_event *event,
                        int64_t ordinal);
/* The row at that place, borrowed: not its event, and no texts but its own; false: it is not pending. */
bool pw_mem_publish_pending(const pw_memory *m, size_t at, pw_publish_row *out);
bool pw_mem_publish_forget(pw_memory *m, pw_str instance);
bool pw_mem_publish_left(const pw_memory *m, pw_str instance); /* some are pending or dead */

pawl_code pw_memory_publish_due(pw_store *base, pw_str sink, uint64_t partitions, int64_t now_ms,
                                uint32_t limit, pw_publish_row **out, size_t *count,
                                pw_arena *arena, pawl_error *err);
pawl_code pw_memory_publish_next(pw_store *base, pw_str sink, uint64_t partitions, int64_t now_ms,
                                 int64_t *out, pawl_error *err);
pawl_code pw_memory_publish_end(pw_store *base, pw_publish_end *ends, size_t count, int64_t now_ms,
                                pawl_error *err);
pawl_code pw_memory_publish_count(pw_store *base, pw_publish_counts **out, size_t *count,
                                  pw_arena *arena, pawl_error *err);
pawl_code pw_memory_letters(pw_store *base, const pw_letter_filter *filter,
                            const pw_letter_place *behind, uint32_t limit, pw_publish_row **out,
                            size_t *count, pw_arena *arena, pawl_error *err);
pawl_code pw_memory_letter_count(pw_store *base, const pw_letter_filter *filter,
                                 const pw_letter_place *behind, uint64_t *out, pawl_error *err);
pawl_code pw_memory_letters_of(pw_store *base, const pw_letter_place *place, pw_publish_row **out,
                               size_t *count, pw_arena *arena, pawl_error *err);
pawl_code pw_memory_letters_change(pw_store *base, pw_letter_change *changes, size_t count,
                                   bool lenient, pawl_error *err);

/* ---- identity.c */

pawl_code pw_memory_principal_put(pw_store *base, const pw_principal *principal, pawl_error *err);
pawl_code pw_memory_principal_revoke(pw_store *base, pw_str id, pw_str by, int64_t now_ms,
                                     pawl_error *err);
pawl_code pw_memory_principal_get(pw_store *base, pw_str digest, pw_principal *out, pw_arena *arena,
                                  pawl_error *err);
pawl_code pw_memory_principals(pw_store *base, pw_principal **out, size_t *count, pw_arena *arena,
                               pawl_error *err);
pawl_code pw_memory_request_put(pw_store *base, pw_str actor, pw_str key, pw_str digest,
                                int64_t now_ms, bool *seen, pawl_error *err);
pawl_code pw_memory_requests_expire(pw_store *base, int64_t before_ms, uint32_t most,
                                    uint32_t *deleted, pawl_error *err);
pawl_code pw_memory_answers_expire(pw_store *base, int64_t before_ms, uint32_t most,
                                   uint32_t *deleted, pawl_error *err);

/* ---- read.c */

pawl_code pw_memory_definition_get(pw_store *base, pw_str namespace_, pw_str name, pw_str version,
                                   pw_definition *out, pw_arena *arena, pawl_error *err);
pawl_code pw_memory_definition_versions(pw_store *base, pw_str namespace_, pw_str name,
                                        pw_definition **out, size_t *count, pw_arena *arena,
                                        pawl_error *err);
pawl_code pw_memory_definition_list(pw_store *base, const pw_definition_filter *filter,
                                    const pw_definition *behind, uint32_t limit,
                                    pw_definition_row **out, size_t *count, pw_arena *arena,
                                    pawl_error *err);
pawl_code pw_memory_due(pw_store *base, uint64_t partitions, int64_t until_ms, int64_t after_ms,
                        pw_str after_id, uint32_t limit, pw_due **out, size_t *count,
                        pw_arena *arena, pawl_error *err);
pawl_code pw_memory_next_due(pw_store *base, uint64_t partitions, int64_t until_ms, int64_t *out,
                             pawl_error *err);
pawl_code pw_memory_steps(pw_store *base, pw_str id, uint64_t from, uint32_t limit,
                          pw_step_row **out, size_t *count, pw_arena *arena, pawl_error *err);
pawl_code pw_memory_payload_get(pw_store *base, pw_str id, pw_str digest, pw_str *out,
                                pw_arena *arena, pawl_error *err);
pawl_code pw_memory_calls(pw_store *base, pw_str id, bool pending_only, pw_call_row **out,
                          size_t *count, pw_arena *arena, pawl_error *err);
pawl_code pw_memory_call_get(pw_store *base, pw_str id, pw_str key, pw_call_row *out,
                             pw_arena *arena, pawl_error *err);
pawl_code pw_memory_outbox(pw_store *base, pw_str id, int64_t step, int64_t ordinal, uint32_t limit,
                           pw_outbox_row **out, size_t *count, pw_arena *arena, pawl_error *err);
pawl_code pw_memory_inbox_get(pw_store *base, pw_str target, pw_str key, pw_inbox_row *out,
                              pw_arena *arena, pawl_error *err);
pawl_code pw_memory_inbox_pending(pw_store *base, uint64_t partitions, uint32_t limit,
                                  pw_inbox_row **out, size_t *count, pw_arena *arena,
                                  pawl_error *err);

/* ---- clean.c */

pawl_code pw_memory_clean(pw_store *base, pw_clean *clean, pawl_error *err);
pawl_code pw_memory_vacuum(pw_store *base, uint32_t pages, uint64_t *given, uint64_t *left, pawl_error *err);
pawl_code pw_memory_space(pw_store *base, pw_store_space *out, pawl_error *err);
#endif
