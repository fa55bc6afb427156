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
    PW_KEY_HIDDEN,    /* text of which nothing is shown */
    PW_KEY_ADDRESSES, /* a list of HOST:PORT */
    PW_KEY_BYTES,
    PW_KEY_RATE,      /* a second */
    PW_KEY_LIST,      /* of texts, with commas */
    PW_KEY_OUTCOME,   /* one word of pw_key_choices() */
    PW_KEY_DECISION,  /* the same */
    PW_KEY_FORMAT,    /* the same */
    PW_KEY_SINK,      /* the same */
    PW_KEY_MODE,      /* the same */
    PW_KEY_LEVELS,    /* of the log: "info,http=debug" */
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
    X("Workflow:OutboxProcessing:Enabled", FLAG, "true", 0, 1, OPEN,                                                          \
      "Events are published to the sinks; false: they are kept for them, and another process, or nobody, publishes them.")    \
    X("Workflow:OutboxProcessing:BatchSize", COUNT, "10", 1, 1000, OPEN,                                                      \
      "Events that are published in one round, at most, by each sink.")                                                       \
    X("Workflow:OutboxProcessing:ProcessingInterval", DURATION, "00:00:05", 1, PW_MS_DAY, OPEN,                               \
      "The outbox is looked at so often while nothing tells of work; a commit tells of its events at once.")                  \
    X("Workflow:OutboxProcessing:MaxRetryAttempts", COUNT, "3", 0, 1000, OPEN,                                                \
      "After so many failed publishes an event is a dead letter; 0: it is tried for ever.")                                   \
    X("Workflow:TimerProcessing:Enabled", FLAG, "true", 0, 1, OPEN,                                                           \
      "`false`: no timer fires, no timeout ends anything, and nothing is tried again, until a process runs that fires them.") \
    X("Workflow:TimerProcessing:CheckInterval", DURATION, "00:00:10", 10, PW_MS_DAY, OPEN,                                    \
      "What is overdue, and messages between instances, are looked for so often; timers that are known fire at their time.")  \
    X("Workflow:TimerProcessing:BatchSize", COUNT, "20", 1, 10000, OPEN,                                                      \
      "Of instances that are overdue so many are woken at once, for each step thread; more wait for these, the oldest first.") \
    X("Workflow:TimerProcessing:TimeoutThreshold", DURATION, "1.00:00:00", 1, 36500 * PW_MS_DAY, OPEN,                        \
      "An instance that lives longer is told of, once: in its log, and by an event.")                                         \
    X("Workflow:Cleanup:RunInterval", DURATION, "01:00:00", 1, 365 * PW_MS_DAY, OPEN,                                         \
      "What is old is looked for so often.")                                                                                  \
    X("Workflow:Cleanup:CompletedWorkflowRetention", DURATION, "30.00:00:00", 1, 36500 * PW_MS_DAY, OPEN,                     \
      "Instances that ended longer ago are removed, but for their log.")                                                                     \
    X("Workflow:Cleanup:ExecutionLogRetention", DURATION, "90.00:00:00", 1, 36500 * PW_MS_DAY, OPEN,                          \
      "Log rows that are older are removed, if their instance has ended.")                                                    \
    X("Workflow:Cleanup:EventRetention", DURATION, "00:00:00", 0, 36500 * PW_MS_DAY, OPEN,                                    \
      "Published events of instances that ended longer ago are removed; 0: they go with their instance.")                     \
    X("Workflow:Cleanup:BatchSize", COUNT, "100", 1, 1000, OPEN,                                                              \
      "Instances, or rows of logs, that one transaction removes: whatever is at work waits for one at most.")                 \
    X("Workflow:Cleanup:Pause", DURATION, "00:00:00.020", 0, PW_MS_MINUTE, OPEN,                                              \
      "Between two transactions, while anything is at work.")                                                                 \
    X("Workflow:Cleanup:ExportPath", STRING, "", 0, PW_PATH_BYTES, OPEN,                                                      \
      "A folder that rows are written to, as lines of JSON, before they are removed; empty: they are not.")                   \
    X("Workflow:Cleanup:Enabled", FLAG, "true", 0, 1, OPEN,                                                                   \
      "Nothing is removed by itself where it is off; `pawl cleanup` does it all the same.")                                   \
    X("Workflow:Audit:Enabled", FLAG, "true", 0, 1, OPEN,                                                                     \
      "The auditor goes round ([doctor.md](doctor.md)); false: what must never be is found only by who asks, `pawl doctor`.") \
    X("Workflow:Audit:Interval", DURATION, "00:01:00", PW_MS_SECOND, PW_MS_DAY, OPEN,                                         \
      "The auditor goes round so often; a finding counts when two rounds in a row have seen it.")                             \
    X("Workflow:Audit:Overdue", DURATION, "00:01:00", PW_MS_SECOND, PW_MS_DAY, OPEN,                                          \
      "What is late by so much is a finding.")                                                                                \
    X("Outbox:Sinks:*:Type", SINK, "", 0, 0, OPEN,                                                                            \
      "Of which kind this sink is, to which events are published; its name is kept with each event "                          \
      "([publishing.md](publishing.md)).")                                                                                    \
    X("Outbox:Sinks:*:Types", LIST, "", 0, PW_PATH_BYTES, OPEN,                                                               \
      "Only events of these types: patterns in which `*` stands for any text; empty: all.")                                   \
    X("Outbox:Sinks:*:Sources", LIST, "", 0, PW_PATH_BYTES, OPEN,                                                             \
      "Only events of these sources; the same.")                                                                              \
    X("Outbox:Sinks:*:Url", SECRET, "", 0, PW_PATH_BYTES, OPEN,                                                               \
      "http: where events are posted; nats: `nats://HOST[:PORT]` or `tls://HOST[:PORT]`, several with commas.")               \
    X("Outbox:Sinks:*:Path", STRING, "", 0, PW_PATH_BYTES, OPEN,                                                              \
      "file: the file to which events are appended.")                                                                         \
    X("Outbox:Sinks:*:RotateBytes", BYTES, "64MiB", PW_KIB, 1024 * PW_GIB, OPEN,                                              \
      "file: a file that would become larger is renamed, and a new one begun.")                                               \
    X("Outbox:Sinks:*:Keep", COUNT, "0", 0, 1000000, OPEN,                                                                    \
      "file: of the renamed files the newest so many are kept; 0: all.")                                                      \
    X("Outbox:Sinks:*:Mode", MODE, "structured", 0, 0, OPEN,                                                                  \
      "http: the whole event is the body, or its data is, and its attributes are headers.")                                   \
    X("Outbox:Sinks:*:Secret", HIDDEN, "", 0, PW_PATH_BYTES, OPEN,                                                            \
      "http: signs each request (`Pawl-Signature`).")                                                                         \
    X("Outbox:Sinks:*:Headers", HIDDEN, "", 0, PW_PATH_BYTES, OPEN,                                                           \
      "http: headers of each request: `name=value,name=value`.")                                                              \
    X("Outbox:Sinks:*:Subject", STRING, "pawl.{type}", 0, 1000, OPEN,                                                         \
      "nats: the subject; `{type}` and `{source}` stand for those of the event.")                                             \
    X("Outbox:Sinks:*:User", STRING, "", 0, PW_PATH_BYTES, OPEN,                                                              \
      "http, nats: who publishes.")                                                                                           \
    X("Outbox:Sinks:*:Password", HIDDEN, "", 0, PW_PATH_BYTES, OPEN,                                                          \
      "http, nats: its password.")                                                                                            \
    X("Outbox:Sinks:*:Token", HIDDEN, "", 0, PW_PATH_BYTES, OPEN,                                                             \
      "http, nats: a token instead of user and password.")                                                                    \
    X("Outbox:Sinks:*:Ca", STRING, "", 0, PW_PATH_BYTES, OPEN,                                                                \
      "http, nats: a PEM file of certificates that are trusted beside the system's.")                                         \
    X("Outbox:Sinks:*:Timeout", DURATION, "00:00:10", 1, PW_MS_DAY, OPEN,                                                     \
      "http, nats: one publish.")                                                                                             \
    X("Outbox:Sinks:*:MaxConcurrent", COUNT, "16", 1, 1024, OPEN,                                                             \
      "http, nats: publishes at once, each of another instance.")                                                             \
    X("Store:Uri", SECRET, "", 0, PW_PATH_BYTES, OPEN,                                                                        \
      "The store: `sqlite:PATH` or a path. The option `--db` is its flag, `PAWL_DB` another name in the environment.")        \
    X("Store:SlowQuery", DURATION, "00:00:01", 1, PW_MS_DAY, OPEN,                                                            \
      "An operation of the store that takes longer is counted as slow, and told in the log.")                                 \
    X("Store:DiskLow", BYTES, "512MiB", 0, 65536 * PW_GIB, OPEN,                                                              \
      "With less free on its disk nothing is started; what runs goes on ([operating.md](operating.md)); 0: not looked at. "   \
      "The default is at most a tenth of the disk.")                                                                          \
    X("Store:DiskFull", BYTES, "64MiB", 0, 65536 * PW_GIB, OPEN,                                                              \
      "With less free on its disk everything pauses until there is more; 0: not looked at. The default is at most a "         \
      "fiftieth of the disk.")                                                                                                \
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
    X("Logging:Level", LEVELS, "info", 1, 511, LIVE,                                                                          \
      "Which lines `pawl serve` writes: `off`, `error`, `warning`, `info` or `debug`, and behind it other levels of single "  \
      "components: `info,http=debug` ([logging.md](logging.md)).")                                                            \
    X("Logging:Format", FORMAT, "auto", 0, 0, OPEN,                                                                           \
      "How they are written to standard error; `auto`: to journald where that is what it leads to, for people on a "          \
      "terminal, else as JSON.")                                                                                              \
    X("Tracing:Endpoint", SECRET, "", 0, PW_PATH_BYTES, OPEN,                                                                 \
      "The OpenTelemetry collector that gets traces by OTLP/HTTP: `http://127.0.0.1:4318`; empty: none ([tracing.md](tracing.md)).") \
    X("Tracing:Headers", HIDDEN, "", 0, 1023, OPEN,                                                                           \
      "Headers of these requests: `name=value,name=value`.")                                                                  \
    X("Tracing:SamplePerMille", COUNT, "1000", 0, 1000, OPEN,                                                                 \
      "Of 1000 traces that begin here, so many are sent; of those that began elsewhere, the ones that are sampled there.")    \
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
