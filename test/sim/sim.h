/* sim.h - the simulation: the real engine, core, lang and memory store, played by one thread from
 * one seed.
 *
 * A *node* is a process with an engine in it: its threads are coroutines, its clocks are its own,
 * its store may fail, and it may die at any yield or fault point. *Users*, services and chaos are
 * the world around the nodes. Everything that happens is a line of the history; the same seed and
 * the same settings give the same history, byte for byte. So nothing here may depend on addresses,
 * on the system's clock or on uninitialised memory.
 *
 * Whoever finds that a promise was broken calls sim_violation(), which ends the run. */
#ifndef SIM_H
#define SIM_H

#include "engine/sync.h"
#include "base/digest.h"
#include "store/store.h"

#define SIM_NODES_MAX 4u
#define SIM_INSTANCES_MAX 64u /* also those that users start again */
#define SIM_USERS_MAX 6u
#define SIM_FLOWS_MAX 8u
#define SIM_MESSAGE_MAX 1000u

#define SIM_US 1000ull
#define SIM_MS 1000000ull
#define SIM_S 1000000000ull

/* ---- settings (main.c) */

#define SIM_KINDS(X)                                                                               \
    X(DEATHS, "deaths", "nodes die and start again")                                               \
    X(CLOSES, "closes", "nodes close in good order and start again")                               \
    X(PAUSES, "pauses", "all threads of a node stand still for a while")                           \
    X(CLOCKS, "clock", "clocks drift and jump")                                                    \
    X(STORE, "store", "the store is slow, fails, and leaves outcomes unknown")                     \
    X(HTTP, "http", "services are slow, fail, answer late or not at all")                          \
    X(WORK, "activities", "activities fail, or do not return in time; workers die")                             \
    X(USERS, "users", "users repeat, contradict, cancel, suspend")                                 \
    X(INBOX, "inbox", "commands also come as rows of the inbox")

typedef enum sim_kind {
#define SIM_KIND_ENUM(name, text, help) SIM_##name,
    SIM_KINDS(SIM_KIND_ENUM)
#undef SIM_KIND_ENUM
        SIM_KIND_COUNT
} sim_kind;

/* Planted bugs: the simulation's own substitutes lie, to show that it would be found. */
#define SIM_PLANTS(X)                                                                              \
    X(NONE, "none", "")                                                                            \
    X(FALSE_COMMIT, "false-commit", "the store says that a commit took place which did not")       \
    X(OTHER_KEY, "other-key", "a request goes out under another key than the committed one")       \
    X(OTHER_BYTES, "other-bytes", "a request that is repeated has another body")                   \
    X(TWICE, "twice", "an attempt of an activity is handed out twice")                             \
    X(LOST_INBOX, "lost-inbox", "rows of the inbox are not shown")                                 \
    X(LOST_RESULT, "lost-result", "the answer of a service never comes back to the engine")        \
    X(LOST_TIMER, "lost-timer", "instances with a timer are not found in the store")               \
    X(STALE_EPOCH, "stale-epoch", "the store takes commits under epochs that are over")            \
    X(LOST_ROW, "lost-row", "rows for other instances are not written")                            \
    X(LOST_MESSAGE, "lost-message", "the store says that messages are stored which are not")           \
    X(OTHER_ORDER, "other-order", "deliveries are shown newest first")                             \
    X(LOST_WAKE, "lost-wake", "a thread that is woken goes on sleeping")                           \
    X(LOST_COUNT, "lost-count", "an instance that is read has forgotten its attempts")             \
    X(NEW_KEY, "new-key", "the next attempt of a call is made under another key")                  \
    X(TOO_SOON, "too-soon", "an instance that is read wants its next attempt at once")             \
    X(LOST_FAULT, "lost-fault", "a fault is committed without its row")                            \
    X(LOST_PARKED, "lost-parked", "what comes while an incident is open never reaches the engine") \
    X(ASKED_TWICE, "asked-twice", "a request that a person is to judge is sent twice")             \
    X(TOLD_TWICE, "told-twice", "an instance that is read has forgotten that it was told of its long run") \
    X(LOST_UNDO, "lost-undo", "what was done leaves no row in its plan")                           \
    X(UNDO_AGAIN, "undo-again", "steps of a plan that are done are shown as if they were not")     \
    X(UNDO_FIRST, "undo-first", "a plan is read from its beginning")                               \
    X(UNDO_KEPT, "undo-kept", "what becomes of a step of a plan is not written")                   \
    X(UNDO_ENDS, "undo-ends", "a page of a plan says that it is the last")                         \
    X(UNDO_OTHER, "undo-other", "steps of a plan are shown as if done outside of forks")            \
    X(EVENT_FIRST, "event-first", "events are shown newest first to who publishes them")            \
    X(EVENT_DONE, "event-done", "an event that a sink did not take is written as published")

typedef enum sim_plant {
#define SIM_PLANT_ENUM(name, text, help) SIM_PLANT_##name,
    SIM_PLANTS(SIM_PLANT_ENUM)
#undef SIM_PLANT_ENUM
        SIM_PLANT_COUNT
} sim_plant;

typedef struct sim_case {
    uint64_t seed;
    uint32_t nodes, instances, tasks, users; /* 0: as the seed says */
    bool off[SIM_KIND_COUNT];                /* kinds of fault that never happen */
    sim_plant plant;
    bool follow; /* print the history as it is made */
} sim_case;

/* What the run of one seed came to; in memory that parent and child share. */
#define SIM_HISTORY_MAX (8u << 20)
typedef struct sim_result {
    bool finished, violated;
    uint64_t hash; /* of the history */
    uint64_t lines, switches, commits, requests, jobs, deaths, simulated_ms;
    uint32_t nodes, instances, ended;
    char message[SIM_MESSAGE_MAX];
    size_t history_len;
    char history[SIM_HISTORY_MAX];
} sim_result;

extern sim_case sim_settings; /* as run: everything filled in */
extern sim_result *sim_out;

void sim_run(const sim_case *c, sim_result *out); /* nodes.c: one seed, in this process */

/* ---- chance: one stream for each use, so that a change of one leaves the others alone */

typedef enum sim_stream {
    SIM_SCHEDULE,
    SIM_CASE,
    SIM_FLOW,
    SIM_CHAOS,
    SIM_STORE_CHANCE,
    SIM_SERVICE,
    SIM_ACTIVITY,
    SIM_WORKER,
    SIM_USER, /* and the next SIM_USERS_MAX */
    SIM_STREAMS = SIM_USER + SIM_USERS_MAX + 1
} sim_stream;

uint64_t sim_random(sim_stream stream);
uint64_t sim_below(sim_stream stream, uint64_t n);                   /* 0 .. n-1 */
uint64_t sim_between(sim_stream stream, uint64_t from, uint64_t to); /* both included */
bool sim_chance(sim_stream stream, uint32_t per_thousand);
/* The same, false if faults of that kind are off or the world is healed. */
bool sim_fault(sim_kind kind, sim_stream stream, uint32_t per_thousand);

/* ---- the world (world.c) */

typedef struct sim_node sim_node;
typedef uint64_t sim_thread; /* a coroutine */

extern uint64_t sim_now_ns;          /* the true time; the database's clock */
extern bool sim_healed;              /* no faults any more */
#define SIM_EPOCH_MS 1767225600000ll /* 2026-01-01T00:00:00Z, when every run begins */

int64_t sim_now_ms(void); /* true time since the Unix epoch */

void sim_world_init(uint64_t seed);
/* `node` NULL: of the world. It runs later. */
sim_thread sim_spawn(sim_node *node, const char *name, void (*run)(void *context), void *context);
void sim_join(sim_thread thread);
sim_node *sim_self(void);    /* whose thread runs; NULL: the world's */
void sim_loop(void);         /* until every thread of the world has ended */
void sim_yield(void);        /* others may run */
void sim_sleep(uint64_t ns); /* true time */
/* Waits for sim_wake(key), or until the true time; false: that has passed. */
bool sim_wait(const void *key, uint64_t until_ns);
void sim_wake(const void *key);
void sim_drop_threads(
    sim_node *node); /* they never run again; its caller too, if it is one of them */

/* Something that happens at a time, outside all nodes: it must not wait. */
void sim_at(uint64_t at_ns, void (*happen)(void *context), void *context);

void sim_note(const char *format, ...) PW_PRINTF(1, 2); /* a line of the history */
_Noreturn void sim_violation(const char *format, ...) PW_PRINTF(1, 2);
void *sim_alloc(size_t size); /* zeroed; never fails */
char *sim_copy(pw_str s);     /* NUL-terminated */

/* ---- nodes (nodes.c) */

struct sim_node {
    uint32_t number; /* from 1 */
    uint32_t life;   /* how often it was started */
    bool alive, closing;
    bool complete; /* all functions are registered */
    bool done;     /* not to be started again */
    pawl *engine;  /* NULL: not open */
    uint64_t paused_until_ns;
    uint32_t death_in;               /* points it still passes; 0: no death is near */
    uint32_t calls;                  /* of users, in it now */
    uint64_t random;                 /* what pw_random gives */
    uint64_t born_ns, monotonic_ns;  /* what its monotonic clock said then */
    int64_t monotonic_ppm, wall_ppm; /* drift */
    int64_t wall_offset_ms;
};

extern sim_node sim_nodes[SIM_NODES_MAX];

void sim_point(const char *name);        /* a fault or yield point of the node that runs */
void sim_stand_still(const char *where); /* the node that runs, perhaps longer than its lease */
uint64_t sim_monotonic_ns(const sim_node *node);
uint64_t sim_true_ns(const sim_node *node, uint64_t monotonic_ns);
uint64_t sim_wall_ms(void *node);
bool sim_is_same(const sim_node *node, uint32_t life); /* alive, and not born again */
_Noreturn void sim_die(const char *where);             /* the node that runs */
void sim_raise_all(void);                              /* who is not alive is so within a second */
/* A node that takes commands; NULL: none. */
sim_node *sim_pick_node(sim_stream stream);
/* Runs f in a thread of the node, as its program would; false: the node died meanwhile. */
bool sim_call_in(sim_node *node, const char *name, void (*f)(pawl *engine, void *context),
                 void *context);

#define SIM_DRY "dry" /* who only asks what would be: no step is this one's */

/* ---- the store (store_sim.c) */

extern pw_store *sim_store; /* the truth: no faults, no time */
void sim_store_open(void);
pw_store *sim_store_of(sim_node *node); /* what the node's engine is given */

/* ---- what is done about failures, of the whole run (nodes.c) */

extern pawl_resilience sim_resilience;
extern pw_on_unknown sim_on_unknown;

/* ---- services and activities */

extern const pawl_activity_options sim_activities[];
extern const size_t sim_activity_count;
uint64_t sim_services_busy(void);

/* ---- workflows (flows.c) */

typedef struct sim_flow {
    char name[16];
    char *text;
    size_t length;
    bool deployed;
} sim_flow;

extern sim_flow sim_flows[SIM_FLOWS_MAX];
extern uint32_t sim_flow_count;
void sim_flows_make(uint32_t count, uint32_t tasks);
/* What the text says of a task of it, by its pointer. */
typedef struct sim_said {
    int32_t retries;           /* -1: nothing */
    pw_on_unknown on_unknown;
    bool compensates;
    bool undo, undo_if, undo_optional; /* it can be undone, under a condition, and that may fail */
} sim_said;
sim_said sim_flow_said(uint32_t flow, pw_str task);

/* ---- users (users.c) */

void sim_users_start(uint32_t count, uint32_t instances);
bool sim_users_done(void);
void sim_finish(void); /* after the faults: brings everything to its end, or finds that it cannot */

/* ---- workers (workers.c) */

extern const char *const sim_jobs[]; /* functions that only they have */
extern const size_t sim_job_count;
void sim_workers_start(uint32_t count);
void sim_workers_stop(void); /* until all have gone home */

/* ---- the ledger (ledger.c): what was committed, checked as it is committed */

uint32_t sim_alias(pw_str instance); /* a small number from 1, for the history and as an index */
pw_str sim_alias_id(uint32_t alias);
void sim_ledger_commit(const pw_commit_item *item);
void sim_ledger_returned(pw_str target, pw_str key); /* a row that can have no effect */
/* A request or an attempt has come to the outside. */
void sim_ledger_request(pw_str instance, pw_str key, pw_str request);
/* A call is sent for the n-th attempt of a visit; its outcome came to be one that nobody knows. */
void sim_ledger_sent(pw_str instance, uint64_t visit, uint32_t attempt);
void sim_ledger_unknown(pw_str instance, uint64_t visit, uint32_t attempt);
void sim_ledger_attempt(pw_str instance, uint64_t visit, uint32_t attempt, pw_str key,
                        pw_str input);
typedef struct sim_answer {
    bool wanted;    /* an answer to this attempt has an effect */
    uint32_t times; /* steps that have taken one */
} sim_answer;
/* A request has taken effect outside, or was answered by an error. */
void sim_ledger_effect(pw_str instance, pw_str key, bool took);
void sim_ledger_fed(uint32_t alias); /* somebody gives it data that its text does not expect */
/* The task of some visit of it; NULL: none is known. */
const char *sim_ledger_task(uint32_t alias, uint64_t at);
uint64_t sim_ledger_visits(uint32_t alias);
void sim_undo_check(uint32_t alias, pw_arena *arena); /* at the end */
sim_answer sim_ledger_answer(pw_str instance, uint64_t visit, uint32_t attempt);
void sim_ledger_reported(const char *json); /* on_step */

typedef struct sim_entry { /* of one instance */
    bool known;
    pw_status status;
    uint64_t sequence;
    uint32_t suspended; /* how often */
    uint64_t moved_ns;  /* when its last step was committed */
    bool asked;         /* a parent has written that it is to be started */
    bool returned;      /* ... which could not be */
    bool incident;      /* one is open */
    uint32_t incidents; /* that there were */
    uint32_t retried, failed, skipped, moved; /* by people */
    uint32_t compensated; /* how often that was begun */
    bool compensating;    /* it is, even while an incident stops it */
    uint32_t mended;      /* by commands of operators */
    uint32_t rewound;
} sim_entry;
bool sim_has_ended(const sim_entry *entry); /* for good: no incident is open */
bool sim_ledger_is_parked(pw_str instance); /* it is asleep with an open incident */
uint32_t sim_ledger_count(void); /* aliases are 1 .. count */
sim_entry sim_ledger_of(uint32_t alias);
uint64_t sim_ledger_step(uint32_t alias, uint64_t sequence); /* a digest of its entries */

/* ---- messages (messages.c) */

uint32_t sim_message_new(uint32_t count); /* the first of so many */
uint32_t sim_message_count(void);
void sim_message_write(pw_buf *out, uint32_t n);
void sim_message_told(const char *answer, bool short_lived);
void sim_message_short(uint32_t first, uint32_t count); /* they may expire */
bool sim_listens(pw_str instance); /* and nothing waits for it */
uint64_t sim_messages_pending(void);
void sim_check_messages(void);
/* The store's wrapper: this took place. */
void sim_messages_put(const pw_message_row *rows, size_t count);
void sim_messages_routed(const pw_message_route *routes, size_t count);
void sim_messages_given_back(const pw_delivery_back *rows, size_t count);
uint64_t sim_message_overtaken(const pw_commit_item *item); /* before the commit */
void sim_messages_taken(const pw_commit_item *item, uint64_t overtaken);

/* ---- sinks (sinks.c): where events are published */

extern const pawl_sink_options sim_sinks[];
extern const size_t sim_sink_count;
extern const uint32_t sim_sink_retries;
void sim_sinks_finish(void); /* until nothing is pending any more */
/* Each came to every sink that wants it, or is a dead letter for a reason. */
void sim_check_published(uint32_t alias, const pw_outbox_row *rows, size_t count, pw_arena *arena);

/* ---- the checks of answers, and at the end (check.c) */

bool sim_row(pw_str id, pw_instance_row *out, pw_arena *arena); /* false: not there */
/* The visit of the newest open bookmark of a person with that key; 0: none. */
uint64_t sim_open_bookmark(pw_str id, pw_str key);
/* Up to `most` open bookmarks of persons, their keys copied. */
size_t sim_open_keys(pw_str id, char **out, size_t most);
void sim_check_started(pw_str id, const char *key, const char *input);
void sim_check_start_conflict(pw_str id, const char *input);
void sim_check_resumed(pw_str id, const char *key, const char *data);
/* When the newest of the children that it waits for has ended; sim_now_ns: one has not; 0: none. */
uint64_t sim_waits_for_child(pw_str id);
bool sim_breaker_is_forced(uint32_t which); /* of the services, 0 to 2, or of those that share, 3 and 4 */
void sim_check_incidents(void); /* those that the store says are open are those that are */
uint32_t sim_inbox_pending(void); /* who has a row that nobody has consumed; 0: nobody */
void sim_check_end(void);
void sim_check_replay(pw_str id, uint32_t alias, const pw_instance_row *row); /* its log gives its state (replay.c) */

#endif
