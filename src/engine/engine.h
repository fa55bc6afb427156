/* engine.h - the whole: what an open pawl is made of. */
#ifndef PW_ENGINE_H
#define PW_ENGINE_H

#include "engine/audit.h"
#include "engine/background.h"
#include "engine/breakers.h"
#include "engine/bulk.h"
#include "engine/cleanup.h"
#include "engine/disk.h"
#include "engine/inbox.h"
#include "engine/jobs.h"
#include "engine/leases.h"
#include "engine/notes.h"
#include "engine/outbox.h"
#include "engine/policies.h"
#include "engine/recover.h"
#include "engine/registry.h"
#include "engine/router.h"
#include "engine/schedules.h"
#include "engine/shard.h"
#include "engine/show.h"
#include "watch/log.h"
#include "watch/metrics.h"
#include "watch/trace.h"

typedef struct pw_tokens pw_tokens;

#define PW_SHARDS_MAX 64u
#define PW_JSON_INPUT_MAX (16u << 20) /* bytes of an input or a submission */

/* Instances that should move and do not, with the reason, for pawl_show. */
typedef struct pw_trouble {
    struct pw_trouble *next;
    char id[PW_ID_SIZE];
    pawl_error error;
} pw_trouble;

/* Counters; relaxed. */
typedef struct pw_try_counts {
    atomic_ullong retried; /* decided again because the store did not take it */
    atomic_ullong failed;  /* answered with an error, because that did not help, or may not */
} pw_try_counts;

/* Background services, as health and metrics know them. X(name, word) */
#define PW_SERVICES(X)                                                                                                     \
    X(OUTBOX, "outbox")     /* publishes events: outbox.c */                                                                \
    X(TIMERS, "timers")     /* overdue rows and the window: recover.c */                                                    \
    X(CLEANUP, "cleanup")   /* deletes what is old: cleanup.c */                                                            \
    X(AUDIT, "audit")       /* looks for what must not be: audit.c */                                                       \
    X(DISK, "disk")         /* watches the space: disk.c */                                                                 \
    X(MESSAGES, "messages") /* routes events that came in: router.c */                                                      \
    X(BULK, "bulk")         /* actions on many instances: bulk_work.c */
typedef enum pw_service_id {
#define PW_SERVICE_ENUM(name, word) PW_SERVICE_##name,
    PW_SERVICES(PW_SERVICE_ENUM)
#undef PW_SERVICE_ENUM
    PW_SERVICE_COUNT
} pw_service_id;

struct pawl {
    pw_store *store;
    pawl_mode mode;
    uint64_t (*now_ms)(void *clock);
    void *clock;
    void (*on_step)(void *context, const char *entries);
    void *on_step_context;
    pawl_resilience resilience; /* what is done about failures: none of this changes; its texts are NULL */
    pw_fault_policy faults;     /* of it */
    uint64_t store_ms;          /* of it: what the store does not take is answered after that */
    pw_core_settings settings;
    pw_expr_limits limits;      /* of every machine that decides */
    pw_try_counts tried[PW_FAULT_KIND_COUNT]; /* commands: [STARTUP] starts, [RESUME] all others */
    uint64_t check_ms;
    uint32_t timer_batch;
    pw_programs *programs;
    pw_registry *registry;
    pw_http *http;
    pw_breakers *breakers;
    pw_bulks *bulks;
    pw_outbox *outbox;
    pw_pool *pool;
    pw_jobs *jobs;
    pw_committer *committer;
    pw_recovery *recovery;
    pw_router *router;
    pw_leases *leases;
    pw_schedules *schedules;
    pw_tokens *tokens;
    pw_counts *counts;
    pw_auditor *auditor; /* NULL: this process only reads */
    pw_cleanup *cleanup; /* the same */
    unsigned services_off; /* PAWL_SERVICE_... */
    pw_disk *disk;         /* NULL: nothing to watch */
    atomic_int disk_state; /* pw_disk_state: its only writer is the disk's thread; nothing else is published by it */
    pw_service services[PW_SERVICE_COUNT];
    pw_tracer *tracer; /* NULL: none */
    pw_histogram lateness; /* of timers: from when each was due to its commit; the clock's milliseconds */
    atomic_ullong clock_jumps; /* how often the clock was set, or the machine slept; relaxed */
    pw_post post;
    pw_shard *shards[PW_SHARDS_MAX];
    uint32_t shard_count;
    struct pw_threads *threads;
    /* Relaxed would do: nothing else is published by it. */
    atomic_bool closing;
    atomic_bool degraded;
    atomic_llong horizon_ms; /* timers up to here are in memory; raised before they are read */
    atomic_uint_fast64_t routed; /* partitions that may look at deliveries: what was NEW when they were
                                  * taken was routed since, so that nothing overtakes it */
    atomic_uint_fast64_t
        busy; /* instances that have something to do; whoever makes it 0 wakes `quiet` */
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t quiet;
    pawl_error health; /* while degraded: why */
    pthread_mutex_t watch_lock; /* of what is said between a pawl_watch, its caller and its shard */
    pthread_cond_t watch_told;
    pw_trouble *troubles;
};

/* As pawl_open(), on a store that is open already, which is taken over (also on failure): for
 * whoever has several engines on one store in one process. options.store must be given and is not
 * looked at. node NULL: the defaults. */
PAWL_CHECK pawl_code pw_engine_open(pawl **out, const pawl_options *options,
                                    const pw_node_options *node, pw_store *store, pawl_error *err);

int64_t pw_engine_now(const pawl *p);
bool pw_engine_timers_off(const pawl *p); /* TimerProcessing:Enabled is false */
bool pw_engine_due(const pawl *p, int64_t at_ms); /* a timer of that time fires now */
pw_shard *pw_engine_shard_of(pawl *p, pw_str id);
void pw_engine_busy(pawl *p, bool more);
bool pw_engine_degraded(pawl *p, pawl_error *err);                       /* true: and why */
void pw_engine_set_trouble(pawl *p, pw_str id, const pawl_error *error); /* code PAWL_OK: over */
bool pw_engine_trouble(pawl *p, pw_str id, pawl_error *out);
/* An options struct of a caller, who may know less of it, or more: its first member says how much. NULL: all defaults,
 * unless it is required. `what` is for the message. */
PAWL_CHECK pawl_code pw_options_take(void *out, size_t size, const void *given, bool required, const char *what,
                                     pawl_error *err);
/* Gives `code`, and says more exactly why if it is `when`, and nobody has said so before. */
pawl_code pw_because(pawl_error *err, pawl_code code, pawl_code when, pawl_reason reason);
/* For callers outside: the object is there, open for writing, and not closing. */
PAWL_CHECK pawl_code pw_engine_may_write(pawl *p, pawl_error *err);
/* Tests with a clock of their own: timers follow it from here on. */
void pw_engine_clock_moved(pawl *p);

/* ---- threads.c */
PAWL_CHECK pawl_code pw_threads_start(struct pw_threads **out, pawl *p, pawl_error *err);
void pw_threads_stop_recovery(struct pw_threads *threads);
void pw_threads_stop_router(struct pw_threads *threads);
void pw_threads_join_shards(struct pw_threads *threads);
void pw_threads_stop_committer(struct pw_threads *threads);
void pw_threads_stop_leases(struct pw_threads *threads);
void pw_threads_stop_jobs(struct pw_threads *threads);
void pw_threads_stop_breakers(struct pw_threads *threads);
void pw_threads_stop_bulks(struct pw_threads *threads);
void pw_threads_free(struct pw_threads *threads);

/* ---- services.c */
typedef struct pw_breaker_view { /* what is known of them: by the store, and by the driver of an owner */
    pw_breaker_record *rows;
    pw_http_service *services;
    size_t row_count, service_count;
} pw_breaker_view;
PAWL_CHECK pawl_code pw_breaker_view_read(pawl *p, pw_breaker_view *out, pw_arena *arena, pawl_error *err);
/* Both lists at once, by service; either of what is given may be NULL. Begins with *row and *service 0; false: that was all. */
bool pw_breaker_view_next(const pw_breaker_view *s, size_t *row, size_t *service, const pw_http_service **its_service,
                      const pw_breaker_record **its_row);
/* As one of pawl_breakers; PW_NONE: nothing is known of it. */
pw_value pw_breaker_view_find(const pw_breaker_view *s, pw_str name, pw_arena *arena);

/* ---- tokens.c */
PAWL_CHECK pawl_code pw_tokens_new(pw_tokens **out, pawl_error *err);
void pw_tokens_free(pw_tokens *tokens);

/* ---- graph.c */
PAWL_CHECK pawl_code pw_graph_of(char **out, const pw_program *program, pawl_graph_format format,
                                 pawl_error *err);

/* ---- query.c */
/* JSON for the caller of the API; `arena` is where it was made. PAWL_CORRUPT: a stored text in it is
 * not UTF-8. */
PAWL_CHECK pawl_code pw_give_json(char **out, pw_value v, const pw_arena *arena, pawl_error *err);

/* A JSON array of names as they are given in options, for a filter; text NULL: *count 0. *none: an empty array, so nothing
 * fits. */
PAWL_CHECK pawl_code pw_names_read(const pw_str **out, size_t *count, bool *none, const char *text, const char *what,
                                   pw_arena *arena, pawl_error *err);
/* How many rows a page is to have. */
PAWL_CHECK pawl_code pw_page_check(uint32_t *out, uint32_t given, const char *what, pawl_error *err);
/* "name" or "namespace/name" of a filter; NULL: both empty. */
void pw_name_split(pw_str *namespace_, pw_str *name, const char *text);
/* What the texts of *out are is borrowed, or in `arena`; *none: no instance fits. */
PAWL_CHECK pawl_code pw_list_filter(pw_instance_filter *out, bool *none, const pawl_list_options *given, const char *what,
                                    pw_arena *arena, pawl_error *err);
/* A JSON object of texts, checked; text NULL: PW_NONE. */
PAWL_CHECK pawl_code pw_labels_read(pw_value *out, const char *text, const char *what, pw_arena *arena, pawl_error *err);

/* ---- commands.c */
#define PW_REASON_MAX 4096u /* bytes of a reason, or a task's pointer */
/* JSON of a caller; text NULL: null. */
PAWL_CHECK pawl_code pw_input_read(pw_value *out, const char *text, const char *what, pw_arena *arena, pawl_error *err);
/* Sends it, and gives what it came to, as pawl_act does. */
PAWL_CHECK pawl_code pw_command_carry_out(pawl *p, pw_command *command, char **out, pawl_error *err);
/* Text of a caller: not longer than `most` bytes, and UTF-8. */
PAWL_CHECK pawl_code pw_text_check(pw_str *out, const char *text, const char *what, size_t most, bool required,
                                   pawl_error *err);
/* What the command is to know of it; *trace (may be NULL) is for who needs it. */
PAWL_CHECK pawl_code pw_request_read(pw_command *command, const pawl_request *given, pw_str *trace, pw_arena *arena,
                                     pawl_error *err);
/* Under its idempotency key nothing else can be asked: what is asked here is the kind and these parts. A command that does
 * not call this remembers no key: it must be harmless when repeated by itself. */
PAWL_CHECK pawl_code pw_request_seal(pw_command *command, const pw_str *parts, size_t count, pw_arena *arena,
                                     pawl_error *err);
/* PW_ID_SIZE bytes: the id of a new instance: of its business key, else of the request if that is remembered, else any that
 * this node decides for. */
PAWL_CHECK pawl_code pw_id_make(char *out, pw_str key, const pw_command *command, const pw_program *program, const pawl *p,
                                pawl_error *err);
/* The id of an instance; one that cannot be: PAWL_NOT_FOUND. */
PAWL_CHECK pawl_code pw_id_check(pw_str *out, const char *id, pawl_error *err);
/* Sends it; if that is done it is the shard's until pw_command_end(), which waits for what came of it. */
PAWL_CHECK pawl_code pw_command_begin(pawl *p, pw_command *command, pawl_error *err);
PAWL_CHECK pawl_code pw_command_end(pw_command *command, pawl_error *err);
PAWL_CHECK pawl_code pw_command_send(pawl *p, pw_command *command, pawl_error *err);
/* hex SHA-256 of the canonical JSON, as core makes it; 65 bytes with the NUL. */
PAWL_CHECK pawl_code pw_digest_of_value(char out[65], pw_value v, pawl_error *err);

/* ---- foresee.c */
/* What the transition would do, as pawl_act gives it: in command->foreseen. Its arena is the instance's. */
PAWL_CHECK pawl_code pw_foresee(const pw_shard *shard, pw_live *live, const pw_transition *t, pw_command *command,
                                pawl_error *err);

/* ---- plan.c */
/* Steps of the instance's plan that are left to be carried out; scope: only those of this task and inside it. */
PAWL_CHECK pawl_code pw_plan_left(pawl *p, pw_str instance, pw_str scope, uint64_t *out, pawl_error *err);

/* ---- rewind.c */
/* REWIND: what it goes back to is in the command's event; *done: what was done outside since, as pawl_effects gives it. */
PAWL_CHECK pawl_code pw_rewind_read(pawl *p, pw_command *command, const pawl_act_options *options, pw_value *done,
                                    pw_arena *arena, pawl_error *err);

/* ---- effects.c */
/* Steps from `from` on, in that one only what comes behind the beginning of the task of this visit (0: all of it). At most `most`
 * effects, but whole steps; *next: the last step that was taken up, if there are more behind it; 0: that was all. */
PAWL_CHECK pawl_code pw_effects_of(pawl *p, pw_str instance, uint64_t from, uint64_t visit, uint32_t most, pw_value *out,
                                   uint64_t *next, pw_arena *arena, pawl_error *err);
#endif
