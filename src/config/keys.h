/* keys.h - every setting of the program, in one table: what it is called, what it may be, and what it does.
 * doc/configuration.md, the schema and `pawl config` are made of it. */
#ifndef PW_CONFIG_KEYS_H
#define PW_CONFIG_KEYS_H

#include "base/arena.h"

typedef enum pw_key_type {
    PW_KEY_DURATION,  /* ms */
    PW_KEY_COUNT,
    PW_KEY_FLAG,
    PW_KEY_STRING,
    PW_KEY_SECRET,    /* text that is not shown; of a URI only the password is hidden */
    PW_KEY_ADDRESSES, /* a list of HOST:PORT */
    PW_KEY_BYTES,
    PW_KEY_RATE,      /* a second */
    PW_KEY_LIST,      /* of texts, with commas */
    PW_KEY_OUTCOME,   /* one word of pw_key_choices() */
    PW_KEY_DECISION,  /* the same */
} pw_key_type;

typedef enum pw_key_effect {
    PW_KEY_OPEN,  /* read when the process starts */
    PW_KEY_LIVE,  /* a reload changes it */
    PW_KEY_LATER, /* checked, and read by nobody yet: its service comes with a later release */
} pw_key_effect;

typedef struct pw_key {
    const char *path; /* '*' stands for a name of the user's; "*:*": for two, that are one to us */
    pw_key_type type;
    const char *fallback; /* the default, as text */
    uint64_t least, most; /* ms, bytes, a second, or how many; texts: bytes */
    pw_key_effect effect;
    const char *words; /* what it does, one sentence; Markdown */
} pw_key;

#define PW_MS_SECOND UINT64_C(1000)
#define PW_MS_MINUTE (60 * PW_MS_SECOND)
#define PW_MS_HOUR (60 * PW_MS_MINUTE)
#define PW_MS_DAY (24 * PW_MS_HOUR)
#define PW_KIB UINT64_C(1024)
#define PW_MIB (1024 * PW_KIB)
#define PW_GIB (1024 * PW_MIB)
#define PW_PATH_BYTES 4095

/* X(path, type, default, least, most, effect, words), by section; sections and keys stand in this order in the manual. */
// clang-format off
#define PW_KEYS(X)                                                                                                            \
    X("WorkflowResilience:Retry:MaxRetryAttempts", COUNT, "3", 0, 1000, OPEN,                                                 \
      "Retries after the first try of an activity, a job, a start or an answer that failed and may be tried again.")          \
    X("WorkflowResilience:Retry:BaseDelay", DURATION, "00:00:01", 1, PW_MS_DAY, OPEN,                                         \
      "The delay before the first retry; each next one is twice as long, and of each a part is left to chance.")              \
    X("WorkflowResilience:Retry:MaxDelay", DURATION, "00:00:30", 1, 30 * PW_MS_DAY, OPEN,                                     \
      "No delay is longer, jitter included; not shorter than `BaseDelay`.")                                                   \
    X("WorkflowResilience:CircuitBreaker:FailureThreshold", COUNT, "5", 1, 1000000, OPEN,                                     \
      "The circuit of a service opens at so many failures in the window.")                                                    \
    X("WorkflowResilience:CircuitBreaker:BreakDuration", DURATION, "00:01:00", 1, 30 * PW_MS_DAY, OPEN,                       \
      "So long an open circuit lets no call through; then it lets one try.")                                                  \
    X("WorkflowResilience:CircuitBreaker:MinimumThroughput", COUNT, "10", 0, 1000000, OPEN,                                   \
      "With fewer calls in the window a circuit does not open, however many of them failed.")                                 \
    X("WorkflowResilience:CircuitBreaker:SamplingDuration", DURATION, "00:00:30", PW_MS_SECOND, PW_MS_DAY, OPEN,              \
      "The window.")                                                                                                          \
    X("WorkflowResilience:Timeout:DatabaseOperation", DURATION, "00:00:30", 1, PW_MS_DAY, OPEN,                               \
      "What the store did not take is decided and written again for so long.")                                                \
    X("WorkflowResilience:Timeout:ExternalHttpCall", DURATION, "00:01:00", 1, PW_MS_DAY, OPEN,                                \
      "One attempt of one HTTP call.")                                                                                        \
    X("WorkflowResilience:Timeout:ActivityExecution", DURATION, "00:05:00", 1, 30 * PW_MS_DAY, OPEN,                          \
      "One attempt of an activity or job that has no timeout of its own.")                                                    \
    X("WorkflowResilience:ExternalCall:MaxRetryAttempts", COUNT, "5", 0, 1000, OPEN,                                          \
      "As `Retry`, for HTTP calls.")                                                                                          \
    X("WorkflowResilience:ExternalCall:BaseDelay", DURATION, "00:00:05", 1, PW_MS_DAY, OPEN,                                  \
      "As `Retry`, for HTTP calls.")                                                                                          \
    X("WorkflowResilience:ExternalCall:MaxDelay", DURATION, "00:01:00", 1, 30 * PW_MS_DAY, OPEN,                              \
      "As `Retry`, for HTTP calls; a `Retry-After` is honoured up to it.")                                                    \
    X("WorkflowResilience:Bulkhead:MaxConcurrent", COUNT, "64", 1, 65536, OPEN,                                               \
      "HTTP calls at once to one service; more wait.")                                                                        \
    X("WorkflowResilience:RateLimit:Rate", RATE, "0", 0, 1000000, OPEN,                                                       \
      "HTTP calls a second to one service, such as `10` or `90/m`; more wait; 0: no limit.")                                  \
    X("WorkflowResilience:Faults:SuspendAfter", COUNT, "5", 0, 1000, OPEN,                                                    \
      "The n-th incident of an instance within `SuspendWithin` leaves it suspended; 0: never.")                               \
    X("WorkflowResilience:Faults:SuspendWithin", DURATION, "00:30:00", 1, 365 * PW_MS_DAY, OPEN,                              \
      "The time in which incidents are counted.")                                                                             \
    X("WorkflowResilience:Faults:Table:*:*", DECISION, "", 0, 0, OPEN,                                                        \
      "One row of the fault table, by kind and class: `WorkflowResilience:Faults:Table:external-call:client-error`; "         \
      "[resilience.md](resilience.md) has all.")                                                                              \
    X("WorkflowResilience:OnUnknownOutcome", OUTCOME, "resend", 0, 0, OPEN,                                                   \
      "What becomes of an HTTP call when nobody knows whether it had its effect: it is sent again with the same key, "        \
      "a person is asked, or the task fails.")                                                                                \
    X("Workflow:OutboxProcessing:BatchSize", COUNT, "10", 1, 10000, LATER,                                                    \
      "Events that are published in one round, at most.")                                                                     \
    X("Workflow:OutboxProcessing:ProcessingInterval", DURATION, "00:00:05", 1, PW_MS_DAY, LATER,                              \
      "The outbox is looked at so often while nothing tells of work.")                                                        \
    X("Workflow:OutboxProcessing:MaxRetryAttempts", COUNT, "3", 0, 1000, LATER,                                               \
      "After so many failed publishes an event is a dead letter.")                                                            \
    X("Workflow:TimerProcessing:CheckInterval", DURATION, "00:00:10", 10, PW_MS_DAY, OPEN,                                    \
      "What is overdue, and messages between instances, are looked for so often; timers that are known fire at their time.")  \
    X("Workflow:TimerProcessing:BatchSize", COUNT, "20", 1, 10000, OPEN,                                                      \
      "Timers that are read at once; more are read in further batches, the oldest due first.")                                \
    X("Workflow:TimerProcessing:TimeoutThreshold", DURATION, "1.00:00:00", 1, 36500 * PW_MS_DAY, OPEN,                        \
      "An instance that lives longer is told of, once: in its log, and by an event.")                                         \
    X("Workflow:Cleanup:RunInterval", DURATION, "01:00:00", 1, 365 * PW_MS_DAY, LATER,                                        \
      "What is old is looked for so often.")                                                                                  \
    X("Workflow:Cleanup:CompletedWorkflowRetention", DURATION, "30.00:00:00", 1, 36500 * PW_MS_DAY, LATER,                    \
      "Instances that completed longer ago are removed.")                                                                     \
    X("Workflow:Cleanup:ExecutionLogRetention", DURATION, "90.00:00:00", 1, 36500 * PW_MS_DAY, LATER,                         \
      "Log rows that are older are removed, if their instance has ended.")                                                    \
    X("Store:Uri", SECRET, "", 0, PW_PATH_BYTES, OPEN,                                                                        \
      "The store: `sqlite:PATH` or a path. The option `--db` is its flag, `PAWL_DB` another name in the environment.")        \
    X("Server:Listen", ADDRESSES, "127.0.0.1:8080", 1, PW_PATH_BYTES, OPEN,                                                   \
      "Where the server listens: `HOST:PORT`, `[IPV6]:PORT`, several as a list or with commas; port 0: one that is free.")    \
    X("Server:Authentication", FLAG, "false", 0, 1, OPEN,                                                                     \
      "Every request needs a token (`pawl token create`).")                                                                   \
    X("Server:Insecure", FLAG, "false", 0, 1, OPEN,                                                                           \
      "Listen without authentication on an address that is not loopback.")                                                    \
    X("Server:MaxBody", BYTES, "16MiB", PW_KIB, PW_GIB, OPEN,                                                                 \
      "The body of one request; a larger one is answered with 413.")                                                          \
    X("Server:MaxBodies", BYTES, "256MiB", PW_KIB, 64 * PW_GIB, OPEN,                                                         \
      "The bodies of all requests at once; above that, requests are answered with 503.")                                      \
    X("Server:MaxHeader", BYTES, "8KiB", PW_KIB, PW_MIB, OPEN,                                                               \
      "Request line and headers of one request; more is answered with 431. Each open connection holds so much.")                                                  \
    X("Server:MaxConnections", COUNT, "20000", 1, 1000000, OPEN,                                                              \
      "Connections at once.")                                                                                                 \
    X("Server:MaxConnectionsPerAddress", COUNT, "0", 0, 1000000, OPEN,                                                        \
      "Connections at once from one address; 0: no limit of its own.")                                                        \
    X("Server:IdleTimeout", DURATION, "00:00:30", 1, PW_MS_DAY, OPEN,                                                         \
      "A connection without a request, or a request that does not go on, is closed after so long.")                           \
    X("Server:RequestTimeout", DURATION, "00:01:00", 1, PW_MS_DAY, OPEN,                                                      \
      "The time from the first byte of a request to its last.")                                                               \
    X("Server:MaxWait", DURATION, "00:01:00", 1, PW_MS_DAY, LIVE,                                                             \
      "No request waits longer for an instance or for jobs, whatever it asks for.")                                           \
    X("Server:Workers", COUNT, "32", 1, 1024, OPEN,                                                                           \
      "Threads that answer requests; one that waits takes none.")                                                             \
    X("Server:ShutdownTimeout", DURATION, "00:00:10", 1, PW_MS_DAY, LIVE,                                                     \
      "When the server is told to stop, what is being carried out has so long to end; then it is given up, and taken up at the next start.") \
    X("Server:Tls:Certificate", STRING, "", 0, PW_PATH_BYTES, OPEN,                                                           \
      "A PEM file: the server's certificate and those that lead to its root. With it, the server speaks HTTPS only.")         \
    X("Server:Tls:Key", STRING, "", 0, PW_PATH_BYTES, OPEN,                                                                   \
      "A PEM file: the private key of the certificate.")                                                                      \
    X("Engine:StepThreads", COUNT, "0", 0, 64, OPEN,                                                                          \
      "Threads that decide; 0: one a core, at most 64.")                                                                      \
    X("Engine:ActivityThreads", COUNT, "16", 1, 1024, OPEN,                                                                   \
      "Threads that run activities written in C.")                                                                            \
    X("Engine:HttpInFlight", COUNT, "256", 1, 100000, OPEN,                                                                   \
      "HTTP calls of workflows at once.")                                                                                     \
    X("Engine:ExpressionFuel", COUNT, "10000000", 1000, UINT64_C(1000000000000), OPEN,                                        \
      "What one evaluation of an expression may spend.")                                                                      \
    X("Engine:ExpressionMemory", BYTES, "64MiB", 64 * PW_KIB, PW_GIB, OPEN,                                                   \
      "The memory of one evaluation of an expression.")                                                                       \
    X("Engine:EgressMap", STRING, "", 0, PW_PATH_BYTES, OPEN,                                                                 \
      "Where HTTP calls of workflows connect to instead: `https://HOST[:PORT]=HOST:PORT,...` (also `PAWL_EGRESS_MAP`).")      \
    X("Engine:EgressCa", STRING, "", 0, PW_PATH_BYTES, OPEN,                                                                  \
      "A PEM file of certificates that these calls trust beside the system's (also `PAWL_EGRESS_CA`).")                       \
    X("Engine:EgressAllow", LIST, "", 0, PW_PATH_BYTES, OPEN,                                                                 \
      "Addresses to which these calls may go although they are not public: `loopback`, `private`, `link-local`, `all`, "      \
      "addresses and networks (`10.1.0.0/16`), as a list or with commas (also `PAWL_EGRESS_ALLOW`).")                         \
    X("Engine:Proxy", SECRET, "", 0, PW_PATH_BYTES, OPEN,                                                                     \
      "The URL of the proxy for these calls; `none`: no proxy; empty: as `http_proxy` and `https_proxy` in the "              \
      "environment say.")                                                                                                     \
    X("Engine:NoProxy", LIST, "", 0, PW_PATH_BYTES, OPEN,                                                                     \
      "Hosts that are called without the proxy, beside loopback and those of `no_proxy` in the environment.")                 \
    X("Engine:TlsInsecure", FLAG, "false", 0, 1, OPEN,                                                                        \
      "These calls do not check the certificate of the service. For tests only.")                                             \
    X("Engine:ClientCertificate", STRING, "", 0, PW_PATH_BYTES, OPEN,                                                         \
      "A PEM file: the certificate shown to services that ask for one.")                                                      \
    X("Engine:ClientKey", STRING, "", 0, PW_PATH_BYTES, OPEN,                                                                 \
      "A PEM file: its private key, if it is not in the same file.")                                                          \
    X("Engine:MaxResponse", BYTES, "16MiB", PW_KIB, PW_GIB, OPEN,                                                             \
      "The body of the answer to one call; a larger one is an error of the call.")                                            \
    X("Engine:MaxRedirects", COUNT, "10", 1, 100, OPEN,                                                                       \
      "Redirects that one call follows, where its task lets it follow any.")                                                  \
    X("Jobs:Lease", DURATION, "00:01:00", PW_MS_SECOND, PW_MS_HOUR, OPEN,                                                     \
      "A worker has a job for so long, if its poll asks for no other time.")                                                  \
    X("Jobs:MaxConcurrent", COUNT, "0", 0, 1000000, LIVE,                                                                     \
      "Jobs at once of each function that says nothing itself; 0: no limit.")                                                 \
    X("Jobs:Rate", RATE, "0", 0, 1000000, LIVE,                                                                               \
      "Jobs handed out a second of each function that says nothing itself, such as `10`, `90/m` or `5/h`; 0: no limit.")      \
    X("Jobs:Functions:*:MaxConcurrent", COUNT, "0", 0, 1000000, LIVE,                                                         \
      "Jobs of this function at once.")                                                                                       \
    X("Jobs:Functions:*:Rate", RATE, "0", 0, 1000000, LIVE,                                                                   \
      "Jobs of this function handed out a second.")
// clang-format on

#define PW_KEYS_OF_FUNCTIONS 2 /* the last of the table */

extern const pw_key pw_keys[];
extern const size_t pw_key_count;

/* The key of a path. Of a key with a name in it, *name is that name, else empty. NULL: there is none. */
const pw_key *pw_key_find(pw_str path, pw_str *name);
/* It has a name in it. */
bool pw_key_is_named(const pw_key *key);
/* What stands before the name, and behind it. */
pw_str pw_key_head(const pw_key *key);
pw_str pw_key_tail(const pw_key *key);
/* Something begins with the path and a colon. */
bool pw_key_is_section(pw_str path);
/* The members of this section are names of the user's, whatever they are. */
bool pw_key_takes_names(pw_str path);
/* A row of the fault table; its name is "KIND:CLASS". */
bool pw_key_is_row(const pw_key *key);
/* What was probably meant, a whole path; empty: nothing is near. */
pw_str pw_key_near(pw_str path, pw_arena *arena);
const char *pw_key_type_name(pw_key_type type); /* "duration" */
/* The words that a key of this type may have, with a '|' between; NULL: it is no choice. */
const char *pw_key_choices(pw_key_type type);
#endif
