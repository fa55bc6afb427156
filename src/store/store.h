/* store.h - commit: whole transitions, durably; and read what was committed.
 *
 * Two stores, one meaning: sqlite/ and memory/ (for simulation); PostgreSQL will be a third, and nothing here may
 * need what it cannot do: no row ids, no reads inside a commit that the batch did not make.
 *
 * Threads    pw_store_commit, definition_put, inbox_put and reopen: one thread at a time (the store's writer holds
 *            a lock, so others wait). Reads: any thread; each takes a reader of a bounded pool, and no read
 *            transaction outlives one call.
 * Memory     What a read gives lives in the caller's arena.
 * Errors     PAWL_IO: disk or file trouble: the commit's outcome is UNKNOWN until pw_store_reopen() and a
 *            look; PAWL_CORRUPT; PAWL_NO_MEMORY; PAWL_BUSY: another process owns it; PAWL_STATE: a write to
 *            a store opened to read. Messages name the file and the way out. */
#ifndef PW_STORE_H
#define PW_STORE_H

#include "core/core.h"

#define PW_SCHEMA_VERSION 1
#define PW_PARTITIONS 64u  /* fixed: part of the stored data */
#define PW_BUSINESS_KEY_MAX 512u
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
/* Path of the database file; empty for "memory:". */
pw_str pw_store_path(const pw_store *store);
/* Makes the schema current. Harmless when repeated. */
PAWL_CHECK pawl_code pw_store_migrate(pw_str uri, int *from, int *to, pawl_error *err);
/* The path that a URI names; empty for "memory:"; PAWL_INVALID: not a URI we know. */
PAWL_CHECK pawl_code pw_store_uri_path(pw_str *out, pw_str uri, pawl_error *err);

/* ------------------------------------------------------------------ definitions */

typedef struct pw_definition {
    pw_str namespace_, name, version;
    pw_str digest;
    pw_str document;      /* text as it was given */
    uint32_t level;       /* evaluator's */
    int64_t created_ms;
} pw_definition;

/* *created: false if the same digest was there. PAWL_CONFLICT: other content under the same name and version. */
PAWL_CHECK pawl_code pw_store_definition_put(pw_store *store, const pw_definition *definition,
                                             bool *created, pawl_error *err);
/* version empty: the newest by semantic version (pre-releases behind releases, 1.10.0 above 1.9.0). namespace empty: the only
 * namespace that has the name, PAWL_CONFLICT if several have. PAWL_NOT_FOUND. */
PAWL_CHECK pawl_code pw_store_definition_get(pw_store *store, pw_str namespace_, pw_str name,
                                             pw_str version, pw_definition *out, pw_arena *arena,
                                             pawl_error *err);

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
    pw_str labels;        /* JSON object; empty: none */
    pw_str parent;        /* empty: none */
} pw_instance_new;

typedef struct pw_commit_item {
    pw_str instance;
    uint64_t token;       /* as read; the step's sequence and the new token are token + 1; 0: first step */
    const pw_instance_new *create; /* not NULL with token 0 only */
    const pw_transition *transition;
    pw_event_kind event;  /* the cause, for the step row */
    int64_t now_ms;
    pw_str actor;         /* empty: "system" */
    pw_inbox_use inbox;
    pawl_code code;       /* out: PAWL_OK; PAWL_CONFLICT: lost the race, the instance exists already, or its command
                           * has had its effect (inbox); else this item is poison: PAWL_INVALID: a row that the
                           * store refuses; PAWL_CORRUPT: it ends a bookmark or call that is not there. Nothing of an
                           * item that is not PAWL_OK was written, the others went on */
    pawl_error error;     /* out: if code is not PAWL_OK */
} pw_commit_item;

/* One transaction, one fsync. The guarded write of each item runs first; its other writes happen only if it won. An item
 * that fails by itself (a constraint) is undone alone, with its code set. Not PAWL_OK: the outcome of all is
 * unknown (PAWL_IO), or nothing was written (others). At most one item per instance in a batch. */
PAWL_CHECK pawl_code pw_store_commit(pw_store *store, pw_commit_item *items, size_t count, pawl_error *err);

/* ------------------------------------------------------------------ reading */

typedef struct pw_instance_row {
    pw_str id;
    pw_str namespace_, name, version;
    pw_status status;
    uint64_t token;
    pw_str state;         /* text; empty if not asked for */
    pw_str business_key, input_digest, correlation, labels, parent; /* empty: none */
    int64_t created_ms, updated_ms, ended_ms; /* ended_ms -1: not yet */
    int64_t wake_at;      /* PW_WAKE_NEVER: none */
    pw_str output, error; /* JSON; empty: none */
} pw_instance_row;

PAWL_CHECK pawl_code pw_store_instance_get(pw_store *store, pw_str id, bool with_state,
                                           pw_instance_row *out, pw_arena *arena, pawl_error *err);

typedef struct pw_instance_filter {
    bool by_status;
    pw_status status;
    pw_str namespace_, name; /* empty: any */
    pw_str after;            /* cursor of the page before; empty: first */
    uint32_t limit;          /* 1 to PW_PAGE_MAX */
} pw_instance_filter;

/* Newest first (created, then id), without state. *next: cursor, empty on the last page. */
PAWL_CHECK pawl_code pw_store_instance_list(pw_store *store, const pw_instance_filter *filter,
                                            pw_instance_row **out, size_t *count, pw_str *next,
                                            pw_arena *arena, pawl_error *err);

/* Living instances whose wake_at is <= until, by wake_at, then id; behind (after_ms, after_id). For recovery and the timer window. */
typedef struct pw_due {
    pw_str id;
    int64_t wake_at;
} pw_due;
PAWL_CHECK pawl_code pw_store_due(pw_store *store, int64_t until_ms, int64_t after_ms, pw_str after_id,
                                  uint32_t limit, pw_due **out, size_t *count, pw_arena *arena,
                                  pawl_error *err);
/* The earliest wake_at later than until_ms; PW_WAKE_NEVER: none. */
PAWL_CHECK pawl_code pw_store_next_due(pw_store *store, int64_t until_ms, int64_t *out, pawl_error *err);

typedef struct pw_step_row {
    uint64_t sequence;
    pw_str event, actor, correlation;
    int64_t at_ms;
    pw_str entries;       /* JSON array */
} pw_step_row;
PAWL_CHECK pawl_code pw_store_steps(pw_store *store, pw_str instance, uint64_t from, uint32_t limit,
                                    pw_step_row **out, size_t *count, pw_arena *arena, pawl_error *err);

typedef struct pw_bookmark_row {
    pw_bookmark bookmark;
    bool open;
    bool consumed;
    int64_t created_ms, ended_ms; /* -1: open */
    pw_str by, digest;
} pw_bookmark_row;
/* Bookmarks of an instance, open ones only or all, in order of (visit, key). */
PAWL_CHECK pawl_code pw_store_bookmarks(pw_store *store, pw_str instance, bool open_only,
                                        pw_bookmark_row **out, size_t *count, pw_arena *arena,
                                        pawl_error *err);
/* The newest bookmark (highest visit) with that key. PAWL_NOT_FOUND. */
PAWL_CHECK pawl_code pw_store_bookmark_by_key(pw_store *store, pw_str instance, pw_str key,
                                              pw_bookmark_row *out, pw_arena *arena, pawl_error *err);

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
    int64_t created_ms;
} pw_fault_row;
PAWL_CHECK pawl_code pw_store_faults(pw_store *store, pw_str instance, pw_fault_row **out, size_t *count,
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
/* Rows that no step has consumed, oldest first. */
PAWL_CHECK pawl_code pw_store_inbox_pending(pw_store *store, uint32_t limit, pw_inbox_row **out,
                                            size_t *count, pw_arena *arena, pawl_error *err);

/* ------------------------------------------------------------------ counts, for tests, metrics and bench */

/* Since the store was opened. statements: all that the writer ran, BEGIN and COMMIT too; rows: inserted or changed,
 * also in passes that were rolled back; bisections: batches written again because of a poison item. */
typedef struct pw_store_counts {
    uint64_t commits, items, statements, rows, syncs, conflicts, bisections;
} pw_store_counts;
void pw_store_count(const pw_store *store, pw_store_counts *out);
#endif
