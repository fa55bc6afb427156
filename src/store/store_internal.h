/* store_internal.h - what a store must be able to do, and what all stores share. */
#ifndef PW_STORE_INTERNAL_H
#define PW_STORE_INTERNAL_H

#include "store/store.h"

#define PW_MESSAGE_PAGE_BYTES (8u << 20) /* of bodies, after which a page of messages ends */

/* A place in a list of open bookmarks: all of a bookmark that its order is made of. */
typedef struct pw_open_place {
    bool tasks;       /* the most urgent first, else by age: rank and due_rank are 0 then */
    int64_t rank;     /* the priority, negated */
    int64_t due_rank; /* due_at; INT64_MAX: none */
    int64_t created_ms;
    pw_str instance;
    uint64_t visit;
    pw_str key;
} pw_open_place;

/* A place in a list of incidents. */
typedef struct pw_incident_place {
    int64_t created_ms;
    pw_str instance;
    uint64_t step;
} pw_incident_place;

/* A place in a list of dead letters; without created_ms: one of them. */
typedef struct pw_letter_place {
    int64_t created_ms;
    pw_str instance;
    uint64_t step, ordinal;
    pw_str sink;
} pw_letter_place;

typedef struct pw_letter_change {
    pw_str event; /* its id: the place says the same */
    pw_letter_place place;
    bool requeue; /* else: discard */
    pw_str by, reason;
    int64_t now_ms;
    bool changed; /* out: false: it was so before */
} pw_letter_change;
/* One way through rows for the auditor; see audit.c. */
typedef struct pw_audit_pass {
    enum {
        PW_PASS_ASLEEP,
        PW_PASS_OVERDUE,
        PW_PASS_CALL,
        PW_PASS_LAST_STEP,
        PW_PASS_GAP,
        PW_PASS_ORPHAN,
        PW_PASS_EVENT,
        PW_PASS_INBOX,
        PW_PASS_DELIVERY,
        PW_PASS_BOOKMARK,
        PW_PASS_INCIDENT,
        PW_PASS_FAULTED,
    } pass;
    pw_status status; /* ASLEEP, ORPHAN: only instances of this */
} pw_audit_pass;
typedef struct pw_audit_place { /* what a pass is ordered by; what it does not use is 0 and empty */
    int64_t a;
    pw_str b;
    int64_t c;
    pw_str d;
} pw_audit_place;
typedef struct pw_audit_look {
    pw_audit_pass pass;
    uint64_t partitions;
    int64_t before_ms;
    pw_audit_place behind;
    uint32_t limit;
} pw_audit_look;
typedef struct pw_audit_seen {
    pw_audit_row row;     /* how empty: nothing is wrong with it */
    pw_audit_place place;
} pw_audit_seen;
/* In the order of the pass: EVENT b, d, a, c (sink, instance, step, ordinal); DELIVERY b, a, c; all others a, b, c, d. */
int pw_audit_place_cmp(const pw_audit_place *a, const pw_audit_place *b, const pw_audit_pass *pass);

/* The functions of store.h, without the store's prefix. Arguments are checked by store.c before. */
typedef struct pw_store_ops {
    void (*close)(pw_store *store);
    pawl_code (*reopen)(pw_store *store, pawl_error *err);
    pawl_code (*definition_put)(pw_store *store, const pw_definition *definition, bool *created,
                                pawl_error *err);
    /* Both texts given. */
    pawl_code (*definition_get)(pw_store *store, pw_str namespace_, pw_str name, pw_str version,
                                pw_definition *out, pw_arena *arena, pawl_error *err);
    /* All (namespace, version, status) of a name, by bytes; namespace empty: of any. */
    pawl_code (*definition_versions)(pw_store *store, pw_str namespace_, pw_str name,
                                     pw_definition **out, size_t *count, pw_arena *arena,
                                     pawl_error *err);
    bool (*exclusive)(const pw_store *store);
    pawl_code (*node_beat)(pw_store *store, pw_str node, uint64_t lease_ms, pw_partitions *out,
                           pawl_error *err);
    pawl_code (*partitions_take)(pw_store *store, pw_str node, uint64_t wanted, pw_partitions *out,
                                 pawl_error *err);
    pawl_code (*partitions_give)(pw_store *store, pw_str node, uint64_t given, bool leaving,
                                 pawl_error *err);
    pawl_code (*partition_node)(pw_store *store, uint32_t partition, pw_str *out, pw_arena *arena,
                                pawl_error *err);
    pawl_code (*definition_status)(pw_store *store, pw_str namespace_, pw_str name, pw_str version,
                                   pw_definition_status status, pawl_error *err);
    /* Up to `limit` rows behind the place (namespace, name, version), by bytes. */
    pawl_code (*definition_list)(pw_store *store, const pw_definition_filter *filter,
                                 const pw_definition *behind, uint32_t limit,
                                 pw_definition_row **out, size_t *count, pw_arena *arena,
                                 pawl_error *err);
    /* Items whose code is not PAWL_OK on entry are left out. */
    pawl_code (*commit)(pw_store *store, pw_commit_item *items, size_t count, pawl_error *err);
    pawl_code (*instance_get)(pw_store *store, pw_str id, bool with_state, pw_instance_row *out,
                              pw_arena *arena, pawl_error *err);
    /* Up to `limit` rows behind the place (created_ms, id), newest first. */
    pawl_code (*instance_list)(pw_store *store, const pw_instance_filter *filter,
                               int64_t created_ms, pw_str id, uint32_t limit, pw_instance_row **out,
                               size_t *count, pw_arena *arena, pawl_error *err);
    /* *counts is zero. */
    pawl_code (*instance_count)(pw_store *store, const pw_instance_filter *filter, uint64_t *counts,
                                pawl_error *err);
    pawl_code (*instance_delete)(pw_store *store, pw_str id, uint64_t token, pawl_error *err);
    pawl_code (*due)(pw_store *store, uint64_t partitions, int64_t until_ms, int64_t after_ms,
                     pw_str after_id, uint32_t limit, pw_due **out, size_t *count, pw_arena *arena,
                     pawl_error *err);
    pawl_code (*next_due)(pw_store *store, uint64_t partitions, int64_t until_ms, int64_t *out,
                          pawl_error *err);
    pawl_code (*steps)(pw_store *store, pw_str instance, uint64_t from, uint32_t limit,
                       pw_step_row **out, size_t *count, pw_arena *arena, pawl_error *err);
    pawl_code (*payload_get)(pw_store *store, pw_str instance, pw_str digest, pw_str *out,
                             pw_arena *arena, pawl_error *err);
    pawl_code (*bookmarks)(pw_store *store, pw_str instance, bool open_only, pw_bookmark_row **out,
                           size_t *count, pw_arena *arena, pawl_error *err);
    pawl_code (*bookmark_by_key)(pw_store *store, pw_str instance, pw_str key, pw_bookmark_row *out,
                                 pw_arena *arena, pawl_error *err);
    /* Up to `limit` behind a place, in its order. people: those of pw_store_who; 0: whoever. */
    pawl_code (*open_bookmarks)(pw_store *store, const pw_bookmark_filter *filter,
                                const pw_open_place *behind, const pw_str *people,
                                size_t people_count, uint32_t limit, pw_open_bookmark **out,
                                size_t *count, pw_arena *arena, pawl_error *err);
    pawl_code (*calls)(pw_store *store, pw_str instance, bool pending_only, pw_call_row **out,
                       size_t *count, pw_arena *arena, pawl_error *err);
    pawl_code (*call_get)(pw_store *store, pw_str instance, pw_str key, pw_call_row *out,
                          pw_arena *arena, pawl_error *err);
    /* Behind (step, ordinal). */
    pawl_code (*outbox)(pw_store *store, pw_str instance, int64_t step, int64_t ordinal,
                        uint32_t limit, pw_outbox_row **out, size_t *count, pw_arena *arena,
                        pawl_error *err);
    /* In any order of instances, but each with all that is before it in the page. */
    pawl_code (*publish_due)(pw_store *store, pw_str sink, uint64_t partitions, int64_t now_ms,
                             uint32_t limit, pw_publish_row **out, size_t *count, pw_arena *arena,
                             pawl_error *err);
    pawl_code (*publish_next)(pw_store *store, pw_str sink, uint64_t partitions, int64_t now_ms,
                              int64_t *out, pawl_error *err);
    pawl_code (*publish_end)(pw_store *store, pw_publish_end *ends, size_t count, int64_t now_ms,
                             pawl_error *err);
    pawl_code (*publish_count)(pw_store *store, pw_publish_counts **out, size_t *count,
                               pw_arena *arena, pawl_error *err);
    /* Up to `limit` behind a place. */
    pawl_code (*letters)(pw_store *store, const pw_letter_filter *filter,
                         const pw_letter_place *behind, uint32_t limit, pw_publish_row **out,
                         size_t *count, pw_arena *arena, pawl_error *err);
    /* All behind a place. */
    pawl_code (*letter_count)(pw_store *store, const pw_letter_filter *filter,
                              const pw_letter_place *behind, uint64_t *out, pawl_error *err);
    /* Of one event, at a sink or (sink empty) at all, by name. */
    pawl_code (*letters_of)(pw_store *store, const pw_letter_place *place, pw_publish_row **out,
                            size_t *count, pw_arena *arena, pawl_error *err);
    /* In one transaction. lenient: what is not there, or not as it needs, is left out. */
    pawl_code (*letters_change)(pw_store *store, pw_letter_change *changes, size_t count,
                                bool lenient, pawl_error *err);
    pawl_code (*faults)(pw_store *store, pw_str instance, pw_fault_row **out, size_t *count,
                        pw_arena *arena, pawl_error *err);
    /* Up to `limit` behind a place. */
    pawl_code (*incidents)(pw_store *store, const pw_incident_filter *filter,
                           const pw_incident_place *behind, uint32_t limit, pw_incident_row **out,
                           size_t *count, pw_arena *arena, pawl_error *err);
    pawl_code (*incident_get)(pw_store *store, pw_str instance, uint64_t step, pw_incident_row *out,
                              pw_arena *arena, pawl_error *err);
    /* All behind a place. */
    pawl_code (*incident_count)(pw_store *store, const pw_incident_filter *filter,
                                const pw_incident_place *behind, uint64_t *out, pawl_error *err);
    /* The page ends behind PW_STORE_UNDO_PAGE_BYTES of arguments. */
    pawl_code (*undo)(pw_store *store, pw_str instance, const pw_undo_filter *filter,
                      pw_undo_row **out, size_t *count, bool *more, pw_arena *arena,
                      pawl_error *err);
    pawl_code (*undo_count)(pw_store *store, pw_str instance, const pw_undo_filter *filter,
                            uint64_t *out, pawl_error *err);
    pawl_code (*breakers)(pw_store *store, pw_breaker_record **out, size_t *count, pw_arena *arena,
                          pawl_error *err);
    pawl_code (*breaker_get)(pw_store *store, pw_str service, pw_breaker_record *out, bool *found,
                             pw_arena *arena, pawl_error *err);
    pawl_code (*breaker_set)(pw_store *store, const pw_breaker_record *record, bool *won,
                             pawl_error *err);
    /* failures: as many as are to be kept, the first of them with that number. PAWL_OK and *won false: it is another. */
    pawl_code (*bulk_set)(pw_store *store, const pw_bulk *bulk, const pw_bulk_failure *failures,
                          size_t count, uint64_t first, bool *won, pawl_error *err);
    /* failures NULL: not wanted. */
    pawl_code (*bulk_get)(pw_store *store, pw_str id, pw_bulk *out, pw_bulk_failure **failures,
                          size_t *count, pw_arena *arena, pawl_error *err);
    /* Up to `limit` behind the place (created_ms, id), newest first. */
    pawl_code (*bulks)(pw_store *store, bool at_work, int64_t created_ms, pw_str id, uint32_t limit,
                       pw_bulk **out, size_t *count, pw_arena *arena, pawl_error *err);
    /* The rows that a pass comes to, up to `limit` behind a place, in its order. */
    pawl_code (*audit)(pw_store *store, const pw_audit_look *look, pw_audit_seen **out,
                       size_t *count, pw_arena *arena, pawl_error *err);
    pawl_code (*inbox_put)(pw_store *store, const pw_inbox_row *row, pawl_error *err);
    pawl_code (*inbox_get)(pw_store *store, pw_str target, pw_str key, pw_inbox_row *out,
                           pw_arena *arena, pawl_error *err);
    pawl_code (*inbox_pending)(pw_store *store, uint64_t partitions, uint32_t limit,
                               pw_inbox_row **out, size_t *count, pw_arena *arena, pawl_error *err);
    pawl_code (*inbox_return)(pw_store *store, pw_str target, pw_str key, const pw_inbox_row *reply,
                              pawl_error *err);
    pawl_code (*answers_expire)(pw_store *store, int64_t before_ms, uint32_t most,
                                uint32_t *deleted, pawl_error *err);
    pawl_code (*principal_put)(pw_store *store, const pw_principal *principal, pawl_error *err);
    pawl_code (*principal_revoke)(pw_store *store, pw_str id, pw_str by, int64_t now_ms,
                                  pawl_error *err);
    pawl_code (*principal_get)(pw_store *store, pw_str digest, pw_principal *out, pw_arena *arena,
                               pawl_error *err);
    pawl_code (*principals)(pw_store *store, pw_principal **out, size_t *count, pw_arena *arena,
                            pawl_error *err);
    pawl_code (*request_put)(pw_store *store, pw_str actor, pw_str key, pw_str digest,
                             int64_t now_ms, bool *seen, pawl_error *err);
    pawl_code (*requests_expire)(pw_store *store, int64_t before_ms, uint32_t most,
                                 uint32_t *deleted, pawl_error *err);
    pawl_code (*messages_put)(pw_store *store, pw_message_row *rows, size_t count, pawl_error *err);
    pawl_code (*messages_new)(pw_store *store, uint64_t after, uint32_t limit, pw_message_row **out,
                              size_t *count, pw_arena *arena, pawl_error *err);
    pawl_code (*messages_kept)(pw_store *store, pw_str type, int64_t now_ms, uint64_t after,
                               uint32_t limit, pw_message_row **out, size_t *count, pw_arena *arena,
                               pawl_error *err);
    pawl_code (*message_get)(pw_store *store, pw_str source, pw_str id, pw_message_row *out,
                             pw_arena *arena, pawl_error *err);
    pawl_code (*matchers)(pw_store *store, pw_matcher_row **out, size_t *count, pw_arena *arena,
                          pawl_error *err);
    pawl_code (*matcher_count)(pw_store *store, uint64_t *all, uint64_t *complete, pawl_error *err);
    pawl_code (*messages_route)(pw_store *store, uint64_t matchers, pw_message_route *routes,
                                size_t count, int64_t now_ms, pw_delivery_target **targets,
                                size_t *target_count, pw_arena *arena, pawl_error *err);
    pawl_code (*message_keys_put)(pw_store *store, pw_str matcher, const pw_message_key *keys,
                                  size_t count, bool complete, pawl_error *err);
    pawl_code (*messages_claim)(pw_store *store, pw_str instance, uint64_t visit, pw_str hash,
                                uint32_t most, int64_t now_ms, uint32_t *claimed, pawl_error *err);
    /* Behind the place (instance, visit, ordinal) of `after`, which is always given here. */
    pawl_code (*subscriptions_fed)(pw_store *store, uint64_t partitions,
                                   const pw_subscription_row *after, uint32_t limit,
                                   pw_subscription_row **out, size_t *count, pw_arena *arena,
                                   pawl_error *err);
    pawl_code (*subscriptions)(pw_store *store, pw_str instance, pw_str matcher,
                               const pw_subscription_row *after, uint32_t limit,
                               pw_subscription_row **out, size_t *count, pw_arena *arena,
                               pawl_error *err);
    pawl_code (*deliveries)(pw_store *store, pw_str instance, uint64_t after, uint32_t limit,
                            pw_delivery_row **out, size_t *count, pw_arena *arena, pawl_error *err);
    pawl_code (*deliveries_pending)(pw_store *store, uint64_t partitions, pw_str after,
                                    uint32_t limit, pw_str **out, size_t *count, pw_arena *arena,
                                    pawl_error *err);
    pawl_code (*deliveries_give_back)(pw_store *store, const pw_delivery_back *rows, size_t count,
                                      pawl_error *err);
    pawl_code (*messages_expire)(pw_store *store, int64_t now_ms, uint32_t most, uint32_t *deleted,
                                 pawl_error *err);
    void (*count)(const pw_store *store, pw_store_counts *out);
    void (*pool)(pw_store *store, pw_store_pool *out); /* *out is zero */
    /* Counts and *more are zero. */
    pawl_code (*clean)(pw_store *store, pw_clean *clean, pawl_error *err);
    pawl_code (*vacuum)(pw_store *store, uint32_t pages, uint64_t *given, uint64_t *left, pawl_error *err);
    pawl_code (*space)(pw_store *store, pw_store_space *out, pawl_error *err);
    bool (*is_owned)(pw_store *store);
} pw_store_ops;

typedef struct pw_sink_set pw_sink_set;

struct pw_store { /* first member of each store's own struct */
    const pw_store_ops *ops;
    pw_sink_set *sinks; /* NULL: none */
    pw_str generation;
    const pw_str *past; /* generations of those that it was restored from */
    size_t past_count;
    pw_str secret;
    pw_str path;
    pw_store_times times;
};

/* First in a function of store.h: what it takes, until it returns, is that operation's. */
typedef struct pw_store_timing {
    pw_store_times *times;
    pw_store_operation operation;
    uint64_t begun_ns;
} pw_store_timing;
pw_store_timing pw_store_timing_begin(pw_store *store, pw_store_operation operation);
void pw_store_timing_end(pw_store_timing *timing);
#define PW_STORE_TIMED(store, operation)                                                           \
    PW_AUTO(pw_store_timing_end)                                                                   \
    PW_UNUSED pw_store_timing timing = pw_store_timing_begin(store, PW_STORE_OP_##operation)

PAWL_CHECK pawl_code pw_sqlite_open(pw_store **out, pw_str path, pw_store_mode mode, bool create,
                                    pawl_error *err);
PAWL_CHECK pawl_code pw_sqlite_migrate(pw_str path, int *from, int *to, pawl_error *err);
PAWL_CHECK pawl_code pw_sqlite_backup(pw_store_copy *out, pw_str path, pw_str file, const pw_backup_progress *progress, pawl_error *err);
PAWL_CHECK pawl_code pw_sqlite_restore(pw_store_copy *out, pw_str file, pw_str path, bool replace, const pw_backup_progress *progress, pawl_error *err);
PAWL_CHECK pawl_code pw_sqlite_check(pw_store_copy *out, pw_str path, pawl_error *err);
PAWL_CHECK pawl_code pw_memory_open(pw_store **out, pawl_error *err);

/* What each store says in the same words. */
pawl_code pw_store_lost_race(pw_commit_item *item,
                             bool create); /* sets the item's code, returns it */
/* The same for rows that its state says are there, and are not: PAWL_CORRUPT. */
pawl_code pw_store_bookmark_not_open(pw_commit_item *item, const pw_bookmark_end *end);
pawl_code pw_store_bookmark_not_there(pw_commit_item *item, const pw_bookmark_change *change);
pawl_code pw_store_no_such_call(pw_commit_item *item, const pw_call_outcome *outcome);
pawl_code pw_store_no_such_request(pw_commit_item *item, const pw_call_intent *intent);
pawl_code pw_store_no_open_incident(pw_commit_item *item);
pawl_code pw_store_no_such_undo(pw_commit_item *item, const pw_undo_change *change);
pawl_code pw_store_no_such_subscription(pw_commit_item *item, const pw_subscription_end *end);
/* Its visit has no open bookmark for messages: PAWL_CORRUPT. */
pawl_code pw_store_nothing_listens(pw_commit_item *item, const pw_subscription *subscription);
/* A message that the step takes is not delivered (PAWL_CORRUPT), or was `taken` before
 * (PAWL_CONFLICT). */
pawl_code pw_store_not_delivered(pw_commit_item *item, const pw_message_taken *message, bool taken);
/* The partition of the item is not held under its epoch: PAWL_BUSY. */
pawl_code pw_store_fenced(pw_commit_item *item);
/* The command of the step has had its effect in another step: PAWL_CONFLICT. */
pawl_code pw_store_inbox_used(pw_commit_item *item);
pawl_code pw_store_not_found(pawl_error *err, const char *what, pw_str name);
pawl_code pw_store_no_version(pawl_error *err, pw_str name, pw_str version);
pawl_code pw_store_definition_conflict(pawl_error *err, const pw_definition *definition);
pawl_code pw_store_inbox_conflict(pawl_error *err, const pw_inbox_row *row);
pawl_code pw_store_not_ended(pawl_error *err, pw_str id);
pawl_code pw_store_open_incident(pawl_error *err, pw_str id);
pawl_code pw_store_no_incident(pawl_error *err, pw_str instance, uint64_t step);
pawl_code pw_store_moved_on(pawl_error *err, pw_str id, uint64_t token);
pawl_code pw_store_principal_conflict(pawl_error *err, pw_str id);
pawl_code pw_store_no_token(pawl_error *err);
pawl_code pw_store_no_bulk(pawl_error *err, pw_str id);
pawl_code pw_store_request_conflict(pawl_error *err, pw_str key);
pawl_code pw_store_more_matchers(pawl_error *err);
pawl_code pw_store_no_message(pawl_error *err, uint64_t number);
const char *pw_message_state_name(pw_message_state state); /* part of the stored data */
bool pw_message_state_parse(pw_message_state *out, pw_str name);
/* The ordinal at the end of "<instance>-<step>-<ordinal>"; false: not an id of that step. */
bool pw_outbox_ordinal(int64_t *out, pw_str id, pw_str instance, uint64_t step);
/* Its three parts; false: not an id of an event. */
bool pw_outbox_place(pw_str id, pw_str *instance, uint64_t *step, uint64_t *ordinal);

#define PW_DIGEST_MAX 128u /* of a payload or a definition */
#define PW_KEY_MAX 1024u   /* bookmark, idempotency and dedupe keys */
#define PW_ID_MAX 128u     /* of an instance */
#define PW_REASON_MAX 4096u /* that a person gives */

/* For messages of errors, which hold 479 bytes. */
static inline pw_str pw_store_cut(pw_str s, size_t max)
{
    return (pw_str){ s.len ? s.ptr : "", s.len > max ? max : s.len };
}

static inline bool pw_store_fits(pw_str s, size_t min, size_t max)
{
    return s.len >= min && s.len <= max && (s.len == 0 || !memchr(s.ptr, '\0', s.len));
}

static inline pw_str pw_store_actor_of(const pw_commit_item *item)
{
    return item->actor.len ? item->actor : PW_LIT("system");
}

/* Everything that the instance waits for ends with this step. `open`: an incident of it was, before; looked at only of what
 * has faulted and says neither that there is a new one nor that it is over (pw_store_must_look). */
static inline bool pw_store_must_look(const pw_transition *t)
{
    return t->status == PW_FAULTED && !t->fault && t->resolution.len == 0;
}

static inline bool pw_store_ends_all(const pw_transition *t, bool open)
{
    return pw_status_ended(t->status) &&
           !(t->status == PW_FAULTED && ((t->fault && t->fault->resolution.len == 0) ||
                                         (open && t->resolution.len == 0)));
}

/* ---- labels and people, out of the JSON in which a step gives them */

/* The labels of a new instance. False: `arena` has failed; what is no object of strings refuses the
 * item. */
bool pw_store_labels(pw_label **out, size_t *count, pw_commit_item *item, pw_arena *arena);
/* Who may do an open user task: "u:NAME" for its assignee or, without one, its candidates, "g:NAME"
 * for their groups, "*" if it names nobody; somebody may be there twice. Of what is no user task:
 * 0. False: `arena` has failed. */
bool pw_store_who(pw_str **out, size_t *count, const pw_bookmark *bookmark, pw_arena *arena);

/* A number of at most 19 digits, and the '-' behind it, from the beginning of a cursor. */
bool pw_store_take_number(int64_t *out, pw_str *s);

/* Newest first. */
int pw_store_incident_cmp(const pw_incident_place *a, const pw_incident_place *b);
pw_incident_place pw_store_incident_place(const pw_incident_row *row);

pw_open_place pw_store_place_of(const pw_open_bookmark *open, bool tasks);
int pw_store_place_cmp(const pw_open_place *a, const pw_open_place *b);
/* ---- publishing */

#define PW_PUBLISH_PAGE_BYTES (8u << 20) /* of payloads, after which a page ends */
/* The next sink that wants the event, from *at on; false: no other. */
bool pw_store_next_sink(const pw_store *store, const pw_outbox_event *event, size_t *at,
                        pw_str *name);
/* Order of a page of what is due, for qsort. */
int pw_store_due_order(const void *a, const void *b);
/* Newest first. */
int pw_store_letter_cmp(const pw_letter_place *a, const pw_letter_place *b);
pw_letter_place pw_store_letter_place(const pw_publish_row *row);
/* Whether what is in this state may be requeued, or discarded; *changes: it is not so before. */
bool pw_store_letter_may(pw_publish_state state, bool requeue, bool *changes);
pawl_code pw_store_no_letter(pawl_error *err, pw_str event, pw_str sink);
pawl_code pw_store_letter_is(pawl_error *err, const pw_letter_place *letter,
                             pw_publish_state state);
pawl_code pw_store_unpublished(pawl_error *err, pw_str id);

/* ---- compensation plans */

/* States of what can still be carried out, or is being. */
#define PW_STORE_UNDO_LEFT                                                                         \
    ((unsigned)(PW_BIT(PW_UNDO_REGISTERED) | PW_BIT(PW_UNDO_UNKNOWN) | PW_BIT(PW_UNDO_RUNNING)))
#define PW_STORE_UNDO_PAGE_BYTES (8u << 20) /* of arguments */
bool pw_store_undo_ended(pw_undo_state state);
/* What every store refuses of the plan's rows; NULL: nothing. */
const char *pw_store_check_undo(const pw_transition *t);

/* They are names and values of labels, and UTF-8. */
pawl_code pw_store_check_labels(const pw_label *labels, size_t count, pawl_error *err);
/* They are UTF-8. */
pawl_code pw_store_check_namespaces(const pw_str *namespaces, size_t count, pawl_error *err);

/* 32 random bytes as 64 hexadecimal digits, and NUL. */
#define PW_STORE_SECRET_SIZE 65
pawl_code pw_store_make_secret(char out[PW_STORE_SECRET_SIZE], pawl_error *err);

/* Around a read: the guard of the arena is off, see store.c; a failed arena is PAWL_NO_MEMORY. */
typedef struct pw_arena_call {
    pw_arena *arena;
    jmp_buf *guard;
} pw_arena_call;
pw_arena_call pw_store_read_enter(pw_arena *arena);
pawl_code pw_store_read_leave(pw_arena_call call, pawl_code code, pawl_error *err);

/* ---- what is old */

#define PW_STORE_CLEAN_ROWS(most) ((uint64_t)(most) * 10) /* after which a transaction ends */
#define PW_STORE_CLEAN_DEPTH 1000u /* of parents: what is deeper stays */
/* What is looked at next is behind it. */
void pw_clean_go_on(pw_clean_place *place, int64_t ms, pw_str id);
/* The payloads of an instance, in the order of their digests: which of them are named, and which of these were looked into for others. */
typedef struct pw_clean_payload {
    pw_str digest;
    bool named, read;
} pw_clean_payload;
/* Marks those that this text names. */
void pw_clean_name(pw_clean_payload *all, size_t count, pw_str text);
/* One that is named and was not looked into, which is the caller's to do now; NULL: none. */
pw_clean_payload *pw_clean_unread(pw_clean_payload *all, size_t count);

/* Order of versions by Semantic Versioning 2.0.0; what is no semantic version is below all that
 * are, and equal ones are ordered by bytes, so that the order is total. */
int pw_version_cmp(pw_str a, pw_str b);
#endif
