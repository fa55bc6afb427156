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
#include "watch/metrics.h"

#define PW_SCHEMA_VERSION 2
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
/* Of the stores that this one was restored from, the newest first. */
#define PW_PAST_GENERATIONS_MAX 64u
const pw_str *pw_store_past_generations(const pw_store *store, size_t *count);
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
 * `resolution`, which closes all that were (and is PAWL_CORRUPT if none was); a fault that brings its own resolution was
 * never open. An item that fails by itself (a constraint) is undone alone, with its code set. Not PAWL_OK: the outcome of all is
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
    int64_t cleaned_ms;   /* a tombstone since then: only its log is left (pw_store_clean); 0: it is whole */
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

/* Deletes an instance that has ended, and everything that belongs to it, in one transaction. A
 * message that it has taken stays taken; one that it was to get and never took is NEW again, if
 * nobody else has it. PAWL_NOT_FOUND; PAWL_STATE: it has not ended, or has an open incident, or an
 * event that is pending or dead at a sink; PAWL_CONFLICT: its token is another than `token` (0:
 * any). */
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
    pw_str cause;         /* pw_transition.cause; empty: none */
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

/* ---- publishing: what becomes of an event at each sink
 *
 * The step that makes an event also makes a row for each sink that wants it (pw_store_sinks): so a sink has what happened
 * since it was set up, and where there is none nothing is written. Nobody claims a row: who has the lease of the instance's partition
 * publishes its events, and nobody else. Of an instance's events at a sink only the oldest that is pending may be
 * published; while it is retried it holds back those behind it there; as a dead letter it lets them go (rule 11).
 *
 *     commit --> PENDING --> PUBLISHED
 *                  |  ^
 *                  v  | requeue: marked, and behind nothing any more
 *                 DEAD --> DISCARDED                                                                */

#define PW_SINK_NAME_MAX 64u
#define PW_SINKS_MAX 32u
typedef struct pw_sink_wants {
    pw_str name;          /* letters, digits, '-', '_', '.' */
    const pw_str *types, *sources; /* patterns: '*' stands for any text; count 0: all */
    size_t type_count, source_count;
} pw_sink_wants;
/* From the next commit on; copied. Once, before the first commit; PAWL_INVALID: a name that cannot be, or comes twice. */
PAWL_CHECK pawl_code pw_store_sinks(pw_store *store, const pw_sink_wants *sinks, size_t count, pawl_error *err);
bool pw_store_pattern_fits(pw_str pattern, pw_str text);

typedef enum pw_publish_state { PW_PUBLISH_PENDING, PW_PUBLISH_DONE, PW_PUBLISH_DEAD, PW_PUBLISH_DISCARDED } pw_publish_state;
const char *pw_publish_state_name(pw_publish_state state); /* "pending", "published", "dead", "discarded": part of the stored data */
bool pw_publish_state_parse(pw_publish_state *out, pw_str name);

typedef struct pw_publish_row {
    pw_outbox_row event;
    uint64_t ordinal;        /* in its step */
    pw_str namespace_, name; /* of the instance's definition; not given by pw_store_publish_due */
    pw_str trace;            /* of the instance; given by pw_store_publish_due only */
    pw_str sink;
    pw_publish_state state;
    uint32_t attempts;    /* publishes that failed, since it was requeued */
    int64_t next_ms; /* PENDING: not before; -1: held back by an older one, or not PENDING. In a
                      * page of what is due: of the one that holds it back */
    bool requeued;        /* it has been a dead letter: the event says so when it is published */
    pw_str error;         /* of the last failure; empty: none */
    int64_t created_ms, ended_ms; /* -1: not yet */
    pw_str by, reason;    /* who requeued or discarded it; empty: nobody */
} pw_publish_row;

/* What may be published at a sink now, in order of next_ms, then of instance, step, ordinal: of
 * each instance of these partitions the oldest that is pending, if it is due, and then those right
 * behind it that have never failed, as far as the page goes: first the oldest of as many instances
 * as there is room for, then the second of each, and so on. What was requeued is by itself: it
 * waits for none, and none waits for it. Pages end early behind 8 MiB. What a page costs grows
 * neither with what is held back nor with what was published. */
PAWL_CHECK pawl_code pw_store_publish_due(pw_store *store, pw_str sink, uint64_t partitions, int64_t now_ms, uint32_t limit,
                                          pw_publish_row **out, size_t *count, pw_arena *arena, pawl_error *err);
/* When the earliest of them is due that is not yet; PW_WAKE_NEVER: none. */
PAWL_CHECK pawl_code pw_store_publish_next(pw_store *store, pw_str sink, uint64_t partitions, int64_t now_ms, int64_t *out, pawl_error *err);

typedef struct pw_publish_end { /* one attempt is over */
    pw_str instance;
    uint64_t sequence, ordinal;
    pw_str sink;
    pw_publish_state state; /* DONE, DEAD, or PENDING: again, at next_ms */
    uint32_t attempts;
    int64_t next_ms;
    pw_str error;         /* empty: none */
    uint64_t epoch;       /* of its partition; 0: not checked */
    bool written;         /* out: false: it is not pending any more (somebody has discarded it), or the partition is another's */
} pw_publish_end;
/* One transaction for all. */
PAWL_CHECK pawl_code pw_store_publish_end(pw_store *store, pw_publish_end *ends, size_t count, int64_t now_ms, pawl_error *err);

typedef struct pw_letter_filter {
    pw_str sink, instance, type; /* empty: any */
    const pw_str *namespaces; /* of the instance's definition; count 0: any */
    size_t namespace_count;
    bool all;             /* also those that are pending with a failed attempt, and those that were discarded */
    pw_str after;
    uint32_t limit;
} pw_letter_filter;
/* Dead letters, the newest first; without their payloads. */
PAWL_CHECK pawl_code pw_store_letters(pw_store *store, const pw_letter_filter *filter, pw_publish_row **out, size_t *count, pw_str *next,
                                      pw_arena *arena, pawl_error *err);
PAWL_CHECK pawl_code pw_store_letter_count(pw_store *store, const pw_letter_filter *filter, uint64_t *out, pawl_error *err);
/* With its payload, whatever its state. sink empty: the only one at which it is dead, or the only
 * one; PAWL_CONFLICT: there are several. PAWL_NOT_FOUND. */
PAWL_CHECK pawl_code pw_store_letter_get(pw_store *store, pw_str event, pw_str sink, pw_publish_row *out, pw_arena *arena, pawl_error *err);
/* DEAD to PENDING (requeue), or DEAD or PENDING to DISCARDED; *changed: false: it was so before. PAWL_STATE: it is neither. */
PAWL_CHECK pawl_code pw_store_letter_change(pw_store *store, pw_str event, pw_str sink, bool requeue, pw_str by, pw_str reason,
                                            int64_t now_ms, bool *changed, pawl_error *err);
/* The same of rows that were listed, in one transaction; those that are not as it needs any more are left out. *changed: how many. */
PAWL_CHECK pawl_code pw_store_letters_change(pw_store *store, const pw_publish_row *rows, size_t count, bool requeue, pw_str by,
                                             pw_str reason, int64_t now_ms, uint64_t *changed, pawl_error *err);

typedef struct pw_publish_counts { /* by sink; text in the caller's arena */
    pw_str sink;
    uint64_t pending, dead;
    int64_t oldest_ms;    /* created: of the pending; -1 */
} pw_publish_counts;
/* Of sinks that have any, also such as are not set up any more. What it costs grows with what is pending or dead, not with
 * what was published. */
PAWL_CHECK pawl_code pw_store_publish_count(pw_store *store, pw_publish_counts **out, size_t *count, pw_arena *arena, pawl_error *err);

/* ------------------------------------------------------------------ cleanup
 *
 * Each call is one short transaction of at most `most` rows or instances, so that what commits beside it waits for no more
 * than that. Nothing of an instance that has not ended, or has an open incident, is ever touched; nor one that has an event which is pending
 * or a dead letter, or is the schedule of its definition, or has a parent or children that have not ended. */

typedef enum pw_clean_kind {
    PW_CLEAN_INSTANCES,   /* ended before: its row stays as a tombstone while it has steps: no state, output and error, and of its payloads
                           * only those that steps name; everything else goes. Nobody goes on with what he has read before: a step of it
                           * has lost the race. With a parent it goes when that may go, too: what undoes the parent would undo it */
    PW_CLEAN_EVENTS,      /* events of such instances */
    PW_CLEAN_STEPS,       /* of ended instances, older: and the tombstone with the last of them */
    PW_CLEAN_BULKS,       /* bulk operations that are done */
    PW_CLEAN_BREAKERS,    /* rows that are closed, not forced, and unchanged since: whoever has read one must not be there any more, since
                           * the next row of the service begins to count anew */
    PW_CLEAN_KINDS
} pw_clean_kind;
const char *pw_clean_kind_name(pw_clean_kind kind); /* "instances", "events" ... */

#define PW_CLEAN_MOST 1000u
typedef struct pw_clean_place { /* all zero: the beginning */
    bool whole;           /* STEPS: behind all tombstones */
    int64_t ms;
    char id[1025];
} pw_clean_place;
typedef struct pw_clean {
    pw_clean_kind kind;
    int64_t before_ms, now_ms;
    uint32_t most;        /* 1 to PW_CLEAN_MOST. An instance goes as a whole, whatever it has: the transaction ends behind the one with which
                           * ten times as many rows are gone */
    bool dry_run;         /* only counted */
    /* Each row before it goes (in a dry run too): a JSON object with its table's name in "table"; PAWL_OK: go on. What was written
     * must be on disk when flush comes back: nothing is deleted before that. Called by the store's writer: others wait. NULL: nobody wants
     * it. PAWL_INVALID: a store in memory has no rows to show. */
    pawl_code (*row)(void *context, pw_str json, pawl_error *err);
    pawl_code (*flush)(void *context, pawl_error *err);
    void *context;
    pw_clean_place place; /* in: behind what was looked at before; out: the place of the next call */
    uint64_t rows;        /* out: that went, of all tables */
    uint64_t found;       /* out: instances, events, steps ... that went */
    bool more;            /* out: there may be others behind the place */
} pw_clean;
PAWL_CHECK pawl_code pw_store_clean(pw_store *store, pw_clean *clean, pawl_error *err);

/* Gives free pages back to the file system, at most `pages` of them in one go; *left: that are still free. */
PAWL_CHECK pawl_code pw_store_vacuum(pw_store *store, uint32_t pages, uint64_t *given, uint64_t *left, pawl_error *err);

typedef struct pw_store_space {
    uint64_t file_bytes, free_bytes; /* free: inside the file */
    uint64_t wal_bytes;
    uint32_t page_bytes; /* of a page that vacuum gives back */
    uint64_t disk_free_bytes, disk_bytes; /* of its file system, as this user may use it; "memory:": UINT64_MAX */
} pw_store_space;
PAWL_CHECK pawl_code pw_store_space_look(pw_store *store, pw_store_space *out, pawl_error *err);
/* A process has it open to write: this one, or another. True where that cannot be told. */
bool pw_store_is_owned(pw_store *store);

/* ------------------------------------------------------------------ backup
 *
 * A backup is one file: the store as of one commit, marked so that nobody drives it by mistake. It can be read as a store can. */
typedef struct pw_backup_progress {
    bool (*told)(void *context, uint64_t done, uint64_t all); /* pages; all of them again while the copy is checked. False: stop. PAWL_LOST then, and nothing is left */
    void *context;
} pw_backup_progress;
typedef struct pw_store_copy { /* what was made */
    uint64_t bytes, instances;
    int schema;           /* of what it was made of */
    char generation[40];  /* of what was made */
    int64_t at_ms;
} pw_store_copy;
/* The store of `uri` as of one commit, while its owner, whoever it is, goes on writing: into `file`, which must not be there
 * (PAWL_CONFLICT), and is there only when it is whole, checked, and on disk. progress may be NULL. */
PAWL_CHECK pawl_code pw_store_backup(pw_store_copy *out, pw_str uri, pw_str file, const pw_backup_progress *progress, pawl_error *err);
/* The other way: into the store `uri`, which must not be there (PAWL_CONFLICT) unless `replace`, nor owned (PAWL_BUSY). It has a new generation, so
 * that what is asked for from now on has other keys than in the store that it was made of; it is nobody's, and of this program's schema.
 * Calls that were in flight keep the keys that they were committed with. `file` may be a store that nobody writes to, too.
 * PAWL_CORRUPT: it is damaged, and nothing was changed. At any moment the store is the old one or the new one. */
PAWL_CHECK pawl_code pw_store_restore(pw_store_copy *out, pw_str file, pw_str uri, bool replace, const pw_backup_progress *progress, pawl_error *err);
/* Whether all that a store or backup says of itself holds, while its owner goes on writing. PAWL_CORRUPT: the first thing that does not. */
PAWL_CHECK pawl_code pw_store_check(pw_store_copy *out, pw_str uri, pawl_error *err);

/* ------------------------------------------------------------------ what must never be: for the auditor
 *
 * Each looks for rows of one kind that nothing will ever move, or that contradict others; a page behind `after`. They are read only, and
 * say what the rows say: who has the engine's memory judges whether it holds. */
typedef enum pw_audit_kind {
    PW_AUDIT_ASLEEP,      /* waits, and has neither wake_at nor anything open that could move it */
    PW_AUDIT_OVERDUE,     /* wake_at is long past */
    PW_AUDIT_CALL,        /* a pending call of an instance that has ended, or is not to be driven */
    PW_AUDIT_GAP,         /* the log has fewer steps than the token says (tombstones and cleaned logs excepted) */
    PW_AUDIT_ORPHAN,      /* a child whose parent is not there, or has ended, and was not told */
    PW_AUDIT_EVENT,       /* pending at a sink for longer than is to be, or at one that is not set up */
    PW_AUDIT_INBOX,       /* a row that no step has consumed for long */
    PW_AUDIT_DELIVERY,    /* a message that was delivered and never taken */
    PW_AUDIT_BOOKMARK,    /* open, of an instance that has ended */
    PW_AUDIT_INCIDENT,    /* faulted, without an open incident and not given up; or an open one of an instance that is neither faulted nor suspended */
    PW_AUDIT_KINDS
} pw_audit_kind;
const char *pw_audit_kind_name(pw_audit_kind kind);
typedef struct pw_audit_row {
    pw_str instance;
    pw_str how;           /* in which of its ways it contradicts: a fixed word, listed in store/audit.c */
    uint64_t number;      /* of the step, visit, or message, if there is one */
    pw_str what;          /* task, key, sink, parent ... */
    int64_t since_ms;
} pw_audit_row;
/* Looks at `limit` rows at most (1 to PW_PAGE_MAX), so that a page may be short, or empty, with others behind it: *next is the cursor of
 * the page behind it, empty on the last. *looked: at how many. What is younger than before_ms is no finding where the moment before a
 * commit looks alike. */
PAWL_CHECK pawl_code pw_store_audit(pw_store *store, pw_audit_kind kind, uint64_t partitions, int64_t before_ms, pw_str after, uint32_t limit,
                                    pw_audit_row **out, size_t *count, uint32_t *looked, pw_str *next, pw_arena *arena, pawl_error *err);

/* ------------------------------------------------------------------ faults */

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
    pw_str version;       /* of the definition; empty: any */
    const pw_label *labels; /* of the instance, with all of these; count 0: any */
    size_t label_count;
    int64_t until_ms;     /* only those that came up before; 0: any */
    pw_str after;         /* cursor of the page before; empty: first */
    uint32_t limit;       /* 1 to PW_PAGE_MAX */
} pw_incident_filter;
/* How many the filter lets through; after and limit are not looked at. */
PAWL_CHECK pawl_code pw_store_incident_count(pw_store *store, const pw_incident_filter *filter, uint64_t *out, pawl_error *err);
/* Newest first (created, then instance, then step). What a page of open ones costs does not grow with those that are over. */
PAWL_CHECK pawl_code pw_store_incidents(pw_store *store, const pw_incident_filter *filter, pw_incident_row **out, size_t *count,
                                        pw_str *next, pw_arena *arena, pawl_error *err);
/* PAWL_NOT_FOUND. */
PAWL_CHECK pawl_code pw_store_incident_get(pw_store *store, pw_str instance, uint64_t step, pw_incident_row *out,
                                           pw_arena *arena, pawl_error *err);

/* ------------------------------------------------------------------ compensation */

typedef struct pw_undo_row {
    pw_undo_step step;
    uint64_t carried_out_by; /* the visit of what undoes it; 0: none yet */
    int64_t created_ms, ended_ms; /* -1: not yet */
} pw_undo_row;
/* What has still to be carried out; RUNNING: also what an earlier COMPENSATE had begun. */
#define PW_UNDO_LEFT (PW_BIT(PW_UNDO_REGISTERED) | PW_BIT(PW_UNDO_UNKNOWN) | PW_BIT(PW_UNDO_RUNNING))
typedef struct pw_undo_filter {
    uint64_t below;       /* only lower ordinals; UINT64_MAX: all */
    unsigned states;      /* PW_BIT(PW_UNDO_...); 0: any */
    pw_str scope;         /* JSON pointer: of this task, and those inside it; empty: any */
    uint32_t limit;       /* 1 to PW_PAGE_MAX */
} pw_undo_filter;
/* From the highest ordinal down; a page ends early behind 8 MiB of arguments. *more: there are others below. What a page costs does not grow
 * with the rows that are done. */
PAWL_CHECK pawl_code pw_store_undo(pw_store *store, pw_str instance, const pw_undo_filter *filter, pw_undo_row **out,
                                   size_t *count, bool *more, pw_arena *arena, pawl_error *err);
/* How many the filter lets through; below and limit are not looked at. */
PAWL_CHECK pawl_code pw_store_undo_count(pw_store *store, pw_str instance, const pw_undo_filter *filter, uint64_t *out,
                                         pawl_error *err);

/* ------------------------------------------------------------------ bulk operations */

typedef enum pw_bulk_state { PW_BULK_RUNNING, PW_BULK_STOPPED, PW_BULK_DONE } pw_bulk_state;
const char *pw_bulk_state_name(pw_bulk_state state); /* part of the stored data */
bool pw_bulk_state_parse(pw_bulk_state *out, pw_str name);
#define PW_BULK_REQUEST_MAX (1u << 20)

/* An action on many instances: what is wanted does not change, how far it is does. */
typedef struct pw_bulk {
    pw_str id;            /* of its own, random */
    pw_str request;       /* JSON: action, its arguments, the filter, the reason */
    pw_str actor;
    int64_t created_ms;
    uint64_t epoch;       /* how often the row was written */
    pw_bulk_state state;
    pw_str cursor;        /* behind the page; empty: nothing is behind it, or there was no page yet */
    pw_str page;          /* JSON array of what is at work, so that it can be repeated: not in the counts yet. Empty: none. A
                           * bulk that is STOPPED and has one is finished with that page first */
    uint64_t counted;     /* incidents when it was started */
    uint64_t done, skipped, failed; /* skipped: it was no longer as the filter wants it */
    pw_str node;          /* who works on it; empty: nobody */
    int64_t lease_ms;     /* instant until which it is that one's */
    int64_t changed_ms, ended_ms; /* ended_ms -1: not yet */
    pw_str stopped_by;    /* empty: nobody */
} pw_bulk;
typedef struct pw_bulk_failure {
    pw_str instance, code, message;
} pw_bulk_failure;
#define PW_BULK_FAILURES_KEPT 1000u
/* Compare and set: written, with its epoch raised by one and the failures added (the first PW_BULK_FAILURES_KEPT of all are
 * kept), if the row still has bulk->epoch (0: there is none). *won: ours; else nothing was written. */
PAWL_CHECK pawl_code pw_store_bulk_set(pw_store *store, const pw_bulk *bulk, const pw_bulk_failure *failures, size_t count,
                                       bool *won, pawl_error *err);
/* PAWL_NOT_FOUND. */
PAWL_CHECK pawl_code pw_store_bulk_get(pw_store *store, pw_str id, pw_bulk *out, pw_bulk_failure **failures, size_t *count,
                                       pw_arena *arena, pawl_error *err);
/* Newest first, behind `after` (an id; empty: the first); `at_work`: only those that are RUNNING, or have a page. */
PAWL_CHECK pawl_code pw_store_bulks(pw_store *store, bool at_work, pw_str after, uint32_t limit, pw_bulk **out, size_t *count,
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

/* ---- what its operations take. X(name, word) */
#define PW_STORE_OPERATIONS(X)                                                                     \
    X(COMMIT, "commit")         /* of steps: one transaction for many */                           \
    X(LOAD, "load")             /* an instance, with its state */                                  \
    X(ROWS, "rows")             /* of one instance: steps, calls, payloads, its plan */            \
    X(DUE, "due")               /* timers */                                                       \
    X(LIST, "list")             /* pages and counts, for people */                                 \
    X(DELETE, "delete")         /* of one instance */                                              \
    X(DEFINITION, "definition")                                                                    \
    X(MESSAGES, "messages")                                                                        \
    X(INBOX, "inbox")                                                                              \
    X(LEASE, "lease")                                                                              \
    X(IDENTITY, "identity")                                                                        \
    X(BREAKER, "breaker")                                                                          \
    X(BULK, "bulk")                                                                                \
    X(PUBLISH, "publish")       /* of events to sinks */                                           \
    X(CLEAN, "clean")           /* what is old, and room */
typedef enum pw_store_operation {
#define PW_STORE_OPERATION_ENUM(name, word) PW_STORE_OP_##name,
    PW_STORE_OPERATIONS(PW_STORE_OPERATION_ENUM)
#undef PW_STORE_OPERATION_ENUM
    PW_STORE_OPERATION_COUNT
} pw_store_operation;
const char *pw_store_operation_name(pw_store_operation operation); /* the word: a label of metrics */
typedef struct pw_store_times { /* relaxed */
    pw_histogram took[PW_STORE_OPERATION_COUNT];
    atomic_ullong slow[PW_STORE_OPERATION_COUNT]; /* of these took longer than slow_ms */
    atomic_ullong reopens;
    _Atomic uint64_t slow_ms; /* 0: none is slow. May be set at any time */
} pw_store_times;
pw_store_times *pw_store_times_of(pw_store *store);

/* Connections for reading: how many there may be, and are in use; how often somebody had to wait for one. */
typedef struct pw_store_pool {
    uint64_t size, used, waits;
} pw_store_pool;
void pw_store_pool_look(pw_store *store, pw_store_pool *out);

/* Since the store was opened. statements: all that the writer ran, BEGIN and COMMIT too; rows: inserted or changed,
 * also in passes that were rolled back; bisections: batches written again because of a poison item. */
typedef struct pw_store_counts {
    uint64_t commits, items, statements, rows, syncs, conflicts, bisections;
} pw_store_counts;
void pw_store_count(const pw_store *store, pw_store_counts *out);
#endif
