/* store.h - commit: whole transitions, durably; and read what was committed.
 *
 * Two stores, one meaning: sqlite/ and memory/ (for simulation); PostgreSQL will be a third, and nothing here may
 * need what it cannot do: no row ids, no reads inside a commit that the batch did not make.
 *
 * Threads    What writes, and reopen: one thread at a time (the store's writer holds a lock, so others wait).
 *            Reads: any thread; each takes a reader of a bounded pool, and no read transaction outlives one call.
 * Memory     What a read gives lives in the caller's arena.
 * Errors     PAWL_IO: disk or file trouble: the commit's outcome is UNKNOWN until pw_store_reopen() and a
 *            look; PAWL_CORRUPT; PAWL_NO_MEMORY; PAWL_BUSY: another process owns it; PAWL_STATE: a write to
 *            a store opened to read. Messages name the file and the way out. */
#ifndef PW_STORE_H
#define PW_STORE_H

#include "core/core.h"
#include "policy/breaker.h"

#define PW_SCHEMA_VERSION 1
#define PW_PARTITIONS 64u  /* fixed: part of the stored data */
#define PW_ALL_PARTITIONS UINT64_MAX /* as a mask: bit n is partition n */
#define PW_NODE_ID_MAX 128u
#define PW_LEASE_MAX_MS 86400000ull /* a day */
#define PW_BUSINESS_KEY_MAX 512u
#define PW_LABEL_MAX 256u  /* bytes of a label's name, and of its value */
#define PW_LABELS_MAX 64u  /* of an instance */
#define PW_PERSON_MAX 512u /* bytes of a person's or a group's name */
#define PW_PAGE_MAX 1000u

typedef struct pw_store pw_store;

typedef enum pw_store_mode {
    PW_STORE_OWN,    /* take the owner's lock; write */
    PW_STORE_READ,   /* only read; beside an owner */
} pw_store_mode;

typedef struct pw_store_options {
    pw_str uri;      /* "sqlite:PATH", "PATH", "memory:" */
    pw_store_mode mode;
    bool create;     /* make it if it is not there; migrate it if it is old (OWN only) */
} pw_store_options;

/* PAWL_NOT_FOUND: no such file (READ, or OWN without create). PAWL_INVALID: not a store of ours (an application id
 * and the tables tell). PAWL_SCHEMA: newer than this program, or older and not to be migrated. PAWL_BUSY:
 * owned, the message names the process; or another program has been writing to the file for five seconds. PAWL_IO: read-only, no space, no permission ... */
PAWL_CHECK pawl_code pw_store_open(pw_store **out, const pw_store_options *options, pawl_error *err);
void pw_store_close(pw_store *store);
/* After PAWL_IO from a commit: closes and opens everything again, keeps the owner's lock. */
PAWL_CHECK pawl_code pw_store_reopen(pw_store *store, pawl_error *err);
/* Random text made with the store, changed when a backup is restored: part of every idempotency key. */
pw_str pw_store_generation(const pw_store *store);
/* Random text made with the store, and never shown: signs the tokens of jobs. */
pw_str pw_store_secret(const pw_store *store);
/* Path of the database file; empty for "memory:". */
pw_str pw_store_path(const pw_store *store);
/* Makes the schema current. Harmless when repeated. */
PAWL_CHECK pawl_code pw_store_migrate(pw_str uri, int *from, int *to, pawl_error *err);
/* The path that a URI names; empty for "memory:"; PAWL_INVALID: not a URI we know. */
PAWL_CHECK pawl_code pw_store_uri_path(pw_str *out, pw_str uri, pawl_error *err);

/* ------------------------------------------------------------------ definitions */

/* Published: may be started. Deprecated: only by naming its version. Archived: not any more. Draft:
 * not yet (of a later release). Instances that run go on whatever it is. */
typedef enum pw_definition_status {
    PW_DEFINITION_PUBLISHED,
    PW_DEFINITION_DEPRECATED,
    PW_DEFINITION_ARCHIVED,
    PW_DEFINITION_DRAFT,
} pw_definition_status;
const char *pw_definition_status_name(pw_definition_status status); /* part of the stored data */
bool pw_definition_status_parse(pw_definition_status *out, pw_str name);

typedef struct pw_definition {
    pw_str namespace_, name, version;
    pw_str digest;
    pw_str document;      /* text as it was given */
    uint32_t level;       /* evaluator's */
    int64_t created_ms;
    pw_definition_status status; /* not looked at by put: what is put is published */
    bool scheduled;       /* it has a schedule */
} pw_definition;

/* *created: false if the same digest was there. PAWL_CONFLICT: other content under the same name and version. */
PAWL_CHECK pawl_code pw_store_definition_put(pw_store *store, const pw_definition *definition,
                                             bool *created, pawl_error *err);
/* version empty: the newest published one by semantic version (pre-releases behind releases, 1.10.0 above 1.9.0); if none
 * is published, the newest of all. namespace empty: the only namespace that has the name, PAWL_CONFLICT if several have.
 * PAWL_NOT_FOUND. */
PAWL_CHECK pawl_code pw_store_definition_get(pw_store *store, pw_str namespace_, pw_str name,
                                             pw_str version, pw_definition *out, pw_arena *arena,
                                             pawl_error *err);

/* ------------------------------------------------------------------ nodes and partitions
 *
 * An instance belongs to a partition by a hash of its id; a partition belongs to at most one node. Each time a node
 * takes a partition, the partition's epoch rises: the epoch fences whoever had it before. A node lives as long as
 * it says so (beat) within the lease it asked for, by the store's clock. When its lease is over others may take its
 * partitions; as long as nobody has, they are still its own, and its commits are good.
 *
 * beat, take, give and commit are atomic to each other. A node's id is of one process, used once: never again by
 * the next. */

/* The partition of an instance: 0 to PW_PARTITIONS - 1. */
uint32_t pw_store_partition(pw_str instance);

/* Nobody but this process can write: leases never end then, and the node that takes or beats is the only one: what others
 * had is free. Stays as it is from the first take on. */
bool pw_store_exclusive(const pw_store *store);

typedef struct pw_partitions {
    uint64_t held;    /* bit n: partition n is this node's */
    uint64_t free;    /* of no node, or of one whose lease is over */
    uint64_t epochs[PW_PARTITIONS]; /* of those held; of others 0 */
    uint32_t nodes;   /* living, this one too */
} pw_partitions;

/* This node lives for lease_ms more. Writes the node's row only. One that was away longer than its lease finds out here
 * what it has lost. PAWL_IO: it may have been written or not. */
PAWL_CHECK pawl_code pw_store_node_beat(pw_store *store, pw_str node, uint64_t lease_ms,
                                        pw_partitions *out, pawl_error *err);
/* Takes those of `wanted` (a mask) that are free, each with its epoch raised by one; *out tells which it has now. In an
 * exclusive store that is enough to live; in others PAWL_NOT_FOUND: it has never beaten, or has left. */
PAWL_CHECK pawl_code pw_store_partitions_take(pw_store *store, pw_str node, uint64_t wanted,
                                              pw_partitions *out, pawl_error *err);
/* Those of `given` that it still holds are nobody's; leaving: of all, and the node's row goes. */
PAWL_CHECK pawl_code pw_store_partitions_give(pw_store *store, pw_str node, uint64_t given, bool leaving,
                                              pawl_error *err);
/* Which living node has it; empty: nobody's. */
PAWL_CHECK pawl_code pw_store_partition_node(pw_store *store, uint32_t partition, pw_str *out,
                                             pw_arena *arena, pawl_error *err);

/* All three texts are given. The same status again is PAWL_OK. PAWL_NOT_FOUND: no such version, or a draft. */
PAWL_CHECK pawl_code pw_store_definition_status(pw_store *store, pw_str namespace_, pw_str name,
                                                pw_str version, pw_definition_status status,
                                                pawl_error *err);

typedef struct pw_definition_row {
    pw_definition definition; /* without its document */
    uint64_t living;          /* instances of it that have not ended */
} pw_definition_row;

typedef struct pw_definition_filter {
    pw_str namespace_, name; /* empty: any */
    pw_str after;            /* cursor of the page before; empty: first */
    uint32_t limit;          /* 1 to PW_PAGE_MAX */
    bool scheduled;          /* only those with a schedule */
    const pw_str *namespaces; /* only of these; count 0: any */
    size_t namespace_count;
} pw_definition_filter;

/* By namespace and name, within a page the newest version first. *next: cursor, empty on the last page. What it costs
 * grows with the living instances, not with those that have ended. */
PAWL_CHECK pawl_code pw_store_definition_list(pw_store *store, const pw_definition_filter *filter,
                                              pw_definition_row **out, size_t *count, pw_str *next,
                                              pw_arena *arena, pawl_error *err);

/* ------------------------------------------------------------------ commit */

/* A command from outside, recorded in the step it causes: rule 1 of the design. */
typedef struct pw_inbox_use {
    pw_str key;           /* dedupe key; ptr NULL: no row */
    pw_str kind, payload, actor;
    pw_str answer;        /* JSON */
    bool stored;          /* the row is there already: mark it consumed; else insert it consumed */
} pw_inbox_use;

typedef struct pw_instance_new { /* for the first step */
    pw_str namespace_, name, version;
    pw_str business_key;  /* ptr NULL: none */
    pw_str input_digest;
    pw_str correlation;
    pw_str labels;        /* JSON object of strings, PW_LABELS_MAX at most; empty: none */
    pw_str parent;        /* empty: none */
    bool schedule;        /* it is the schedule of its definition */
    pw_str trace;         /* W3C traceparent; empty: none */
} pw_instance_new;

typedef struct pw_commit_item {
    pw_str instance;
    uint64_t token;       /* as read; the step's sequence and the new token are token + 1; 0: first step */
    const pw_instance_new *create; /* not NULL with token 0 only */
    const pw_transition *transition;
    pw_event_kind event;  /* the cause, for the step row */
    int64_t now_ms;
    pw_str actor;         /* empty: "system" */
    pw_str correlation;   /* of this step; empty: the instance's */
    pw_inbox_use inbox;
    uint64_t epoch;       /* under which it was decided, kept in its step's row; 0: not checked, for tools and tests.
                           * With it (instance, sequence, epoch) names one decision: in one epoch one node decides */
    uint64_t nonce;       /* of a first step: random, kept in its row, for the number and the epoch may be those of an
                           * instance before it under the same key; else 0 */
    bool fenced;          /* out: PAWL_BUSY, the instance's partition is not held under that epoch any more */
    bool used;            /* out: PAWL_CONFLICT because its command has had its effect, or is gone (inbox) */
    pawl_code code;       /* out: PAWL_OK; PAWL_BUSY: see fenced; PAWL_CONFLICT: lost the race, the instance exists already, or its command
                           * has had its effect (inbox), or the message it takes was taken before; else this item is poison: PAWL_INVALID: a row
                           * that the store refuses; PAWL_CORRUPT: it ends or changes a bookmark, or ends a call or subscription, that
                           * is not there, sends a request again, or closes an incident, that is not
                           * there, subscribes without an open bookmark for messages, or takes a message that
                           * was not delivered. Nothing of an item that is not PAWL_OK was written, the others went on */
    pawl_error error;     /* out: if code is not PAWL_OK */
} pw_commit_item;

/* One transaction, one fsync. The guarded write of each item runs first; its other writes happen only if it won; what
 * ends comes before what begins, so a subscription may be replaced. The end of a bookmark ends all subscriptions of its
 * visit, the end of the instance all of its, and all bookmarks that are open then; but FAULTED with an open incident is no
 * end of these: what waits goes on waiting. It is open if the step brings a `fault`, or if one was open and the step has no
 * `resolution`, which closes all that were (and is PAWL_CORRUPT if none was). An item that fails by itself (a constraint) is undone alone, with its code set. Not PAWL_OK: the outcome of all is
 * unknown (PAWL_IO), or nothing was written (others). At most one item per instance in a batch. */
PAWL_CHECK pawl_code pw_store_commit(pw_store *store, pw_commit_item *items, size_t count, pawl_error *err);

/* ------------------------------------------------------------------ reading */

typedef struct pw_instance_row {
    pw_str id;
    pw_str namespace_, name, version;
    pw_status status;
    uint64_t token;
    pw_str state;         /* text; empty if not asked for */
    pw_str branches;      /* what pw_state_parse_branches reads with it, as of the same commit; empty: none, or not asked for */
    pw_str business_key, input_digest, correlation, labels, parent; /* empty: none */
    bool schedule;        /* it is the schedule of its definition */
    int64_t created_ms, updated_ms, ended_ms; /* ended_ms -1: not yet */
    int64_t wake_at;      /* PW_WAKE_NEVER: none */
    pw_str output, error; /* JSON; empty: none */
    pw_str trace;         /* empty: none */
} pw_instance_row;

PAWL_CHECK pawl_code pw_store_instance_get(pw_store *store, pw_str id, bool with_state,
                                           pw_instance_row *out, pw_arena *arena, pawl_error *err);

typedef struct pw_label {
    pw_str name, value;
} pw_label;

typedef struct pw_instance_filter {
    bool by_status;
    pw_status status;
    pw_str namespace_, name; /* empty: any */
    pw_str parent;           /* empty: any */
    bool schedules;          /* only schedules; else everything but them */
    bool living;             /* only what has not ended */
    const pw_str *namespaces; /* only of these; count 0: any */
    size_t namespace_count;
    const pw_label *labels;  /* with all of these; count 0: any */
    size_t label_count;
    pw_str business_key, correlation; /* empty: any */
    pw_str after;            /* cursor of the page before; empty: first */
    uint32_t limit;          /* 1 to PW_PAGE_MAX */
} pw_instance_filter;

/* Newest first (created, then id), without state. *next: cursor, empty on the last page. */
PAWL_CHECK pawl_code pw_store_instance_list(pw_store *store, const pw_instance_filter *filter,
                                            pw_instance_row **out, size_t *count, pw_str *next,
                                            pw_arena *arena, pawl_error *err);

/* How many there are of each status, of those that the filter lets through; after, limit and status are not looked at. */
PAWL_CHECK pawl_code pw_store_instance_count(pw_store *store, const pw_instance_filter *filter,
                                             uint64_t counts[PW_STATUS_COUNT], pawl_error *err);

/* Deletes an instance that has ended, and everything that belongs to it, in one transaction. A message that it has taken
 * stays taken; one that it was to get and never took is NEW again, if nobody else has it. PAWL_NOT_FOUND; PAWL_STATE: it
 * has not ended, or has an open incident; PAWL_CONFLICT: its token is another than `token` (0: any). */
PAWL_CHECK pawl_code pw_store_instance_delete(pw_store *store, pw_str id, uint64_t token, pawl_error *err);

/* Living instances of these partitions whose wake_at is <= until, by wake_at, then id; behind (after_ms, after_id). For
 * recovery and the timer window. */
typedef struct pw_due {
    pw_str id;
    int64_t wake_at;
} pw_due;
PAWL_CHECK pawl_code pw_store_due(pw_store *store, uint64_t partitions, int64_t until_ms,
                                  int64_t after_ms, pw_str after_id, uint32_t limit, pw_due **out, size_t *count, pw_arena *arena,
                                  pawl_error *err);
/* The earliest wake_at later than until_ms; PW_WAKE_NEVER: none. */
PAWL_CHECK pawl_code pw_store_next_due(pw_store *store, uint64_t partitions, int64_t until_ms,
                                       int64_t *out, pawl_error *err);

typedef struct pw_step_row {
    uint64_t sequence;
    uint64_t epoch;       /* of its partition, under which it was decided; 0: not by a node */
    uint64_t nonce;       /* as it was committed */
    pw_str event, actor, correlation;
    int64_t at_ms;
    pw_str entries;       /* JSON array */
} pw_step_row;
PAWL_CHECK pawl_code pw_store_steps(pw_store *store, pw_str instance, uint64_t from, uint32_t limit,
                                    pw_step_row **out, size_t *count, pw_arena *arena, pawl_error *err);

/* The text of a large value that the state or the log of an instance refers to (base/payload.h). */
PAWL_CHECK pawl_code pw_store_payload_get(pw_store *store, pw_str instance, pw_str digest, pw_str *out,
                                          pw_arena *arena, pawl_error *err);
/* The same as a source; `instance` is borrowed. */
pw_payload_source pw_store_payloads(pw_store *store, pw_str instance);

typedef struct pw_bookmark_row {
    pw_bookmark bookmark;
    bool open;
    bool consumed;
    int64_t created_ms, ended_ms; /* -1: open */
    pw_str by, digest;
    pw_str claimed_by;    /* empty: nobody */
    int64_t claimed_until; /* -1: until it is released */
} pw_bookmark_row;
/* Bookmarks of an instance, open ones only or all, in order of (visit, key). */
PAWL_CHECK pawl_code pw_store_bookmarks(pw_store *store, pw_str instance, bool open_only,
                                        pw_bookmark_row **out, size_t *count, pw_arena *arena,
                                        pawl_error *err);
/* The newest bookmark (highest visit) with that key. PAWL_NOT_FOUND. */
PAWL_CHECK pawl_code pw_store_bookmark_by_key(pw_store *store, pw_str instance, pw_str key,
                                              pw_bookmark_row *out, pw_arena *arena, pawl_error *err);

typedef struct pw_open_bookmark {
    pw_bookmark_row row;
    pw_str instance, namespace_, name, version;
    uint64_t token;       /* the instance's */
} pw_open_bookmark;

typedef struct pw_bookmark_filter {
    bool by_kind;
    pw_bookmark_kind kind;
    pw_str instance;      /* empty: any */
    pw_str namespace_, name; /* of the definition; empty: any */
    const pw_str *namespaces; /* only of these; count 0: any */
    size_t namespace_count;
    pw_str person;        /* user tasks that it may do: assigned to it; or to nobody, and it or one of its groups is a
                           * candidate, or candidates were not given. Empty: whoever may do them. At most 512
                           * bytes, as its groups */
    const pw_str *groups; /* of the person */
    size_t group_count;
    pw_str after;         /* cursor of the page before; empty: first */
    uint32_t limit;       /* 1 to PW_PAGE_MAX */
} pw_bookmark_filter;
/* Open bookmarks, of living instances and of those with an open incident. Of user tasks (by kind, or with a person): by priority (higher first), due date (none
 * last), creation; else by creation; then by instance, visit, key. Each once. What a page costs does not grow with bookmarks
 * that the filter leaves out by kind, instance or person. */
PAWL_CHECK pawl_code pw_store_open_bookmarks(pw_store *store, const pw_bookmark_filter *filter, pw_open_bookmark **out,
                                             size_t *count, pw_str *next, pw_arena *arena, pawl_error *err);

typedef struct pw_call_row {
    pw_call_intent intent;
    pw_call_state state;
    uint32_t attempts;
    pw_str outcome;
    int64_t created_ms, ended_ms;
    uint64_t duration_ms;
} pw_call_row;
PAWL_CHECK pawl_code pw_store_calls(pw_store *store, pw_str instance, bool pending_only,
                                    pw_call_row **out, size_t *count, pw_arena *arena, pawl_error *err);
/* By its idempotency key. PAWL_NOT_FOUND. An intent that is `again` is committed without its request: the row keeps what it
 * has (and PAWL_CORRUPT is that item's code if there is no such row). */
PAWL_CHECK pawl_code pw_store_call_get(pw_store *store, pw_str instance, pw_str key, pw_call_row *out, pw_arena *arena,
                                       pawl_error *err);

typedef struct pw_outbox_row {
    pw_str instance;
    uint64_t sequence;
    pw_outbox_event event;
    int64_t created_ms;
} pw_outbox_row;
/* Events of an instance (instance given), in order of (sequence, ordinal), behind `after` (an id; empty: all). */
PAWL_CHECK pawl_code pw_store_outbox(pw_store *store, pw_str instance, pw_str after, uint32_t limit,
                                     pw_outbox_row **out, size_t *count, pw_arena *arena, pawl_error *err);

typedef struct pw_fault_row {
    uint64_t sequence;
    pw_fault fault;
    bool open;
    int64_t created_ms, resolved_ms; /* -1: not yet */
    pw_str resolved_by, resolution;
} pw_fault_row;
PAWL_CHECK pawl_code pw_store_faults(pw_store *store, pw_str instance, pw_fault_row **out, size_t *count,
                                     pw_arena *arena, pawl_error *err);

/* Incidents: faults that need, or needed, a person. */
typedef struct pw_incident_row {
    pw_fault_row row;
    pw_str instance, namespace_, name, version;
    pw_status status;     /* the instance's */
} pw_incident_row;

typedef struct pw_incident_filter {
    bool resolved;        /* also those that are over */
    pw_str instance;      /* empty: any */
    pw_str namespace_, name; /* of the definition; empty: any */
    const pw_str *namespaces; /* only of these; count 0: any */
    size_t namespace_count;
    pw_str kind, class_, task; /* of the fault; empty: any */
    pw_str after;         /* cursor of the page before; empty: first */
    uint32_t limit;       /* 1 to PW_PAGE_MAX */
} pw_incident_filter;
/* Newest first (created, then instance, then step). What a page of open ones costs does not grow with those that are over. */
PAWL_CHECK pawl_code pw_store_incidents(pw_store *store, const pw_incident_filter *filter, pw_incident_row **out, size_t *count,
                                        pw_str *next, pw_arena *arena, pawl_error *err);
/* PAWL_NOT_FOUND. */
PAWL_CHECK pawl_code pw_store_incident_get(pw_store *store, pw_str instance, uint64_t step, pw_incident_row *out,
                                           pw_arena *arena, pawl_error *err);

/* ------------------------------------------------------------------ breakers */

/* All that have a row, by service. */
PAWL_CHECK pawl_code pw_store_breakers(pw_store *store, pw_breaker_record **out, size_t *count, pw_arena *arena, pawl_error *err);
/* Compare and set: it is written, with its epoch raised by one, if the row still has record->epoch (0: there is none).
 * *out is what is there now; *won: ours. PAWL_INVALID: a record that the store refuses. */
PAWL_CHECK pawl_code pw_store_breaker_set(pw_store *store, const pw_breaker_record *record, bool *won, pw_breaker_record *out,
                                          pw_arena *arena, pawl_error *err);

/* ------------------------------------------------------------------ inbox */

typedef struct pw_inbox_row {
    pw_str target, key, kind, payload, actor, answer;
    int64_t created_ms;
    uint64_t consumed_step; /* 0: not yet */
} pw_inbox_row;
/* PAWL_CONFLICT: the key is there with another kind or payload. The same again: PAWL_OK. PAWL_NOT_FOUND: no such instance. */
PAWL_CHECK pawl_code pw_store_inbox_put(pw_store *store, const pw_inbox_row *row, pawl_error *err);
PAWL_CHECK pawl_code pw_store_inbox_get(pw_store *store, pw_str target, pw_str key, pw_inbox_row *out,
                                        pw_arena *arena, pawl_error *err);
/* A row that can have no effect (a start of what is not there) is taken away, and `reply`, if not NULL, put in its place
 * for whoever asked, in one transaction. PAWL_NOT_FOUND: it is not there, or was consumed. */
PAWL_CHECK pawl_code pw_store_inbox_return(pw_store *store, pw_str target, pw_str key,
                                           const pw_inbox_row *reply, pawl_error *err);
/* Rows for instances of these partitions that no step has consumed, oldest first. */
PAWL_CHECK pawl_code pw_store_inbox_pending(pw_store *store, uint64_t partitions, uint32_t limit,
                                            pw_inbox_row **out, size_t *count, pw_arena *arena,
                                            pawl_error *err);

/* Forgets the answers of commands (consumed rows whose key begins with "request:") that were stored before `before_ms`, at
 * most `most`, the oldest first; never a child's or a parent's. Writes nothing if there is none. *deleted: how many. */
#define PW_REQUEST_PREFIX "request:" /* part of the stored data */
PAWL_CHECK pawl_code pw_store_answers_expire(pw_store *store, int64_t before_ms, uint32_t most, uint32_t *deleted,
                                             pawl_error *err);

/* ------------------------------------------------------------------ identities, and commands of no instance */

typedef struct pw_principal {
    pw_str id;            /* of the token: random, public */
    pw_str name;          /* the identity; several tokens may have it */
    pw_str digest;        /* hex SHA-256 of the secret; unique */
    pw_str roles;         /* JSON array of {"role","namespace"} */
    pw_str groups;        /* JSON array of names; empty: none */
    pw_str note;          /* empty: none */
    pw_str created_by;
    int64_t created_ms;
    int64_t expires_ms, revoked_ms; /* -1: never, not */
    pw_str revoked_by;
} pw_principal;
/* PAWL_CONFLICT: the id or digest is there. */
PAWL_CHECK pawl_code pw_store_principal_put(pw_store *store, const pw_principal *principal, pawl_error *err);
/* PAWL_NOT_FOUND; revoked again: PAWL_OK, and as it was. */
PAWL_CHECK pawl_code pw_store_principal_revoke(pw_store *store, pw_str id, pw_str by, int64_t now_ms, pawl_error *err);
PAWL_CHECK pawl_code pw_store_principal_get(pw_store *store, pw_str digest, pw_principal *out, pw_arena *arena,
                                            pawl_error *err);
/* By name, then creation. */
PAWL_CHECK pawl_code pw_store_principals(pw_store *store, pw_principal **out, size_t *count, pw_arena *arena,
                                         pawl_error *err);

/* A command that is no instance's was asked for under this key. *seen: before, with the same digest; PAWL_CONFLICT: with
 * another. */
PAWL_CHECK pawl_code pw_store_request_put(pw_store *store, pw_str actor, pw_str key, pw_str digest, int64_t now_ms,
                                          bool *seen, pawl_error *err);
PAWL_CHECK pawl_code pw_store_requests_expire(pw_store *store, int64_t before_ms, uint32_t most, uint32_t *deleted,
                                              pawl_error *err);

/* ------------------------------------------------------------------ messages
 *
 * A message goes to every subscription that fits when it arrives. Without any it is kept until it expires, under the keys
 * that later subscriptions may have, and goes to the first one that comes, to that one only. A delivery waits for
 * the step that takes it; one that is not wanted after all is given back, and its message is new again: free for all
 * but the bookmarks that gave it back, which never get it again.
 *
 *     put --> NEW --route--> DELIVERED (deliveries)        claim: keys go, a delivery comes
 *              ^  '--none--> KEPT (keys) --claim--> DELIVERED
 *              '--------- give back, the last delivery not taken ----------'                       */

typedef enum pw_message_state { PW_MESSAGE_NEW, PW_MESSAGE_DELIVERED, PW_MESSAGE_KEPT } pw_message_state;

typedef struct pw_message_row {
    uint64_t number;      /* in the order of arrival; given by put */
    pw_str source, id, type; /* of the CloudEvent; (source, id) names it */
    pw_str actor;         /* who sent it; empty: "system" */
    pw_str body;          /* the CloudEvent as JSON text */
    int64_t received_ms, expires_ms;
    uint64_t nonce;       /* random, of who puts it: whose the row is, when the outcome of a put was not known */
    pw_message_state state;
    bool existed;         /* out of put: it was there before, number and state are that one's */
} pw_message_row;

/* All in one transaction; in order. `state` and `number` are given back. PAWL_INVALID: a row that the store refuses; then
 * nothing was written. */
PAWL_CHECK pawl_code pw_store_messages_put(pw_store *store, pw_message_row *rows, size_t count, pawl_error *err);
/* NEW ones behind `after`, oldest first, with bodies; pages end early behind 8 MiB. */
PAWL_CHECK pawl_code pw_store_messages_new(pw_store *store, uint64_t after, uint32_t limit, pw_message_row **out,
                                           size_t *count, pw_arena *arena, pawl_error *err);
/* KEPT ones of a type (empty: all) that have not expired, behind `after`, oldest first, with bodies. */
PAWL_CHECK pawl_code pw_store_messages_kept(pw_store *store, pw_str type, int64_t now_ms, uint64_t after,
                                            uint32_t limit, pw_message_row **out, size_t *count, pw_arena *arena,
                                            pawl_error *err);
/* PAWL_NOT_FOUND. */
PAWL_CHECK pawl_code pw_store_message_get(pw_store *store, pw_str source, pw_str id, pw_message_row *out,
                                          pw_arena *arena, pawl_error *err);

typedef struct pw_matcher_row {
    pw_matcher matcher;
    bool complete;        /* every kept message that fits has its key; until then who needs it looks at all of the type */
} pw_matcher_row;
/* All that commits have named, in order of digest. Small: it grows with definitions, not with instances. */
PAWL_CHECK pawl_code pw_store_matchers(pw_store *store, pw_matcher_row **out, size_t *count, pw_arena *arena,
                                       pawl_error *err);
/* How many there are; changes when one is added or completed: a cache asks this first. */
PAWL_CHECK pawl_code pw_store_matcher_count(pw_store *store, uint64_t *all, uint64_t *complete, pawl_error *err);

typedef struct pw_message_route {
    uint64_t number;
    const pw_str *hashes; /* under which subscriptions may wait for it */
    size_t count;
    pw_message_state state; /* out; as it was, if it was not NEW */
    uint32_t delivered;   /* out: deliveries made now */
} pw_message_route;
typedef struct pw_delivery_target {
    pw_str instance;
    uint32_t partition;
} pw_delivery_target;
/* One transaction for all. Of each that is NEW: an open subscription of one of the hashes gets a delivery, if its bookmark
 * has had none of this message; with none, and none before, the message is KEPT under the hashes. *targets: instances
 * that have something new, in `arena`; one may come twice. What subscribes after this transaction finds the key; what
 * subscribed before it was looked at. `matchers`: all that there were (pw_store_matcher_count) before the hashes were
 * made; PAWL_CONFLICT: there are more by now, and nothing was done: make the hashes again. PAWL_NOT_FOUND: a number that
 * no message has; nothing was done. */
PAWL_CHECK pawl_code pw_store_messages_route(pw_store *store, uint64_t matchers, pw_message_route *routes, size_t count,
                                             int64_t now_ms, pw_delivery_target **targets, size_t *target_count,
                                             pw_arena *arena, pawl_error *err);
/* Adds keys (pairs of hash and number) of a matcher to messages that are still KEPT; complete: it is, from now on.
 * PAWL_NOT_FOUND: no such matcher. */
typedef struct pw_message_key {
    pw_str hash;
    uint64_t number;
} pw_message_key;
PAWL_CHECK pawl_code pw_store_message_keys_put(pw_store *store, pw_str matcher, const pw_message_key *keys, size_t count,
                                               bool complete, pawl_error *err);
/* The subscription, if it is still open, gets the oldest `most` KEPT messages of its hash that have not expired and that its
 * bookmark has not had. *claimed: how many. */
PAWL_CHECK pawl_code pw_store_messages_claim(pw_store *store, pw_str instance, uint64_t visit, pw_str hash, uint32_t most,
                                             int64_t now_ms, uint32_t *claimed, pawl_error *err);
typedef struct pw_subscription_row {
    pw_str instance;
    pw_subscription subscription; /* matcher.digest and hash only, with visit and ordinal */
} pw_subscription_row;
/* For recovery: open subscriptions of instances of these partitions for which a KEPT message has a key, by (instance, visit,
 * ordinal), behind `after` (NULL: from the first). */
PAWL_CHECK pawl_code pw_store_subscriptions_fed(pw_store *store, uint64_t partitions, const pw_subscription_row *after,
                                                uint32_t limit, pw_subscription_row **out, size_t *count,
                                                pw_arena *arena, pawl_error *err);
/* Of one instance, or (instance empty) those of one matcher; in the same order. */
PAWL_CHECK pawl_code pw_store_subscriptions(pw_store *store, pw_str instance, pw_str matcher,
                                            const pw_subscription_row *after, uint32_t limit,
                                            pw_subscription_row **out, size_t *count, pw_arena *arena, pawl_error *err);

typedef struct pw_delivery_row {
    uint64_t visit, number;
    pw_str source, id, actor, body;
} pw_delivery_row;
/* Of an instance, not yet taken, behind `after`, in order of number; pages end early behind 8 MiB, and never between two
 * of one number (two bookmarks of the instance may get the same message). */
PAWL_CHECK pawl_code pw_store_deliveries(pw_store *store, pw_str instance, uint64_t after, uint32_t limit,
                                         pw_delivery_row **out, size_t *count, pw_arena *arena, pawl_error *err);
/* Instances of these partitions, behind `after` (an id), that have deliveries not yet taken, each once, by id. */
PAWL_CHECK pawl_code pw_store_deliveries_pending(pw_store *store, uint64_t partitions, pw_str after, uint32_t limit,
                                                 pw_str **out, size_t *count, pw_arena *arena, pawl_error *err);
/* Not wanted: the delivery ends, unless it was taken, and its bookmark will not get the message again; a message that
 * nobody took or waits for is NEW again. Repeating is harmless. */
typedef struct pw_delivery_back {
    pw_str instance;
    uint64_t visit, number;
} pw_delivery_back;
PAWL_CHECK pawl_code pw_store_deliveries_give_back(pw_store *store, const pw_delivery_back *rows, size_t count,
                                                   pawl_error *err);
/* Deletes at most `most` messages that were routed, have expired, and that no delivery waits for, with what is known of
 * who had them; never the newest, whose number would be given again. *deleted: how many. */
PAWL_CHECK pawl_code pw_store_messages_expire(pw_store *store, int64_t now_ms, uint32_t most, uint32_t *deleted,
                                              pawl_error *err);

/* ------------------------------------------------------------------ counts, for tests, metrics and bench */

/* Since the store was opened. statements: all that the writer ran, BEGIN and COMMIT too; rows: inserted or changed,
 * also in passes that were rolled back; bisections: batches written again because of a poison item. */
typedef struct pw_store_counts {
    uint64_t commits, items, statements, rows, syncs, conflicts, bisections;
} pw_store_counts;
void pw_store_count(const pw_store *store, pw_store_counts *out);
#endif
