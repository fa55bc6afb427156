/* routes_table.c - the routes. A new one is a row here, its schemas in openapi/components.json, and a row in doc/api.md.
 * Of rows that fit a path the first with the method is taken: fixed words stand before {values}. */
#include "server/api_internal.h"

// clang-format off
#define LIMIT { "limit", NULL, PW_QUERY_NUMBER, NULL, "at most so many; 100 if not given, 1000 at most" }
#define AFTER { "after", NULL, PW_QUERY_TEXT, NULL, "the `next` of the page before" }
#define NAMESPACE { "namespace", NULL, PW_QUERY_NAMESPACES, NULL, "only of this namespace; may be given more than once" }
#define NAME { "name", NULL, PW_QUERY_TEXT, NULL, "only of this definition: `name` or `namespace/name`" }
#define WAIT(what) { "wait", NULL, PW_QUERY_WAIT, NULL, "answer " what ", or after this time: `30s`, `PT30S`; `Server:MaxWait` at most" }
#define END { NULL }

static const pw_query page[] = { NAME, NAMESPACE, LIMIT, AFTER, END };
static const pw_query instances[] = {
    { "status", NULL, PW_QUERY_TEXT, "pending|running|waiting|suspended|compensating|completed|faulted|cancelled|compensated", "only of this status" },
    NAME, NAMESPACE,
    { "key", NULL, PW_QUERY_TEXT, NULL, "only with this business key" },
    { "correlation", NULL, PW_QUERY_TEXT, NULL, "only with this correlation id" },
    { "parent", NULL, PW_QUERY_TEXT, NULL, "only children of this instance" },
    { "label", "labels", PW_QUERY_LABEL, NULL, "`name=value`: only with this label; given more than once: with all of them" },
    { "schedules", NULL, PW_QUERY_FLAG, "true|false", "the instances that are schedules, instead of what they start" },
    LIMIT, AFTER, END };
static const pw_query counted[] = {
    NAME, NAMESPACE,
    { "key", NULL, PW_QUERY_TEXT, NULL, "only with this business key" },
    { "correlation", NULL, PW_QUERY_TEXT, NULL, "only with this correlation id" },
    { "parent", NULL, PW_QUERY_TEXT, NULL, "only children of this instance" },
    { "label", "labels", PW_QUERY_LABEL, NULL, "`name=value`: only with this label; given more than once: with all of them" },
    { "schedules", NULL, PW_QUERY_FLAG, "true|false", "the instances that are schedules, instead of what they start" },
    END };
static const pw_query started[] = { WAIT("once it has ended, with its output"), END };
static const pw_query shown[] = { WAIT("once it has ended, or, with If-None-Match, once it has moved on"), END };
static const pw_query logged[] = {
    { "from", NULL, PW_QUERY_NUMBER, NULL, "from this step on; 1 if not given" },
    { "limit", NULL, PW_QUERY_NUMBER, NULL, "at most so many steps; 1000 if not given and at most" },
    WAIT("once there is a step to give"), END };
static const pw_query ended[] = { WAIT("once it has ended"), END };
static const pw_query graphs[] = {
    { "format", NULL, PW_QUERY_TEXT, "json|mermaid|dot", "json if not given" }, END };
static const pw_query checked[] = {
    { "portable", NULL, PW_QUERY_FLAG, "true|false", "warn also of what only this engine understands" }, END };
static const pw_query bookmarks[] = {
    { "kind", NULL, PW_QUERY_TEXT, "user-action|timer|external-message|child", "only of this kind" },
    { "instance", NULL, PW_QUERY_TEXT, NULL, "only of this instance" },
    NAME, NAMESPACE, LIMIT, AFTER, END };
static const pw_query of_instance[] = {
    { "kind", NULL, PW_QUERY_TEXT, "user-action|timer|external-message|child", "only of this kind" }, LIMIT, AFTER, END };
static const pw_query tasks[] = {
    { "person", NULL, PW_QUERY_TEXT, NULL, "of this person instead of who asks; needs viewer" },
    { "group", "inGroups", PW_QUERY_LIST, NULL, "a group of that person; may be given more than once" },
    { "everybody", NULL, PW_QUERY_FLAG, "true|false", "of everybody; needs viewer" },
    { "instance", NULL, PW_QUERY_TEXT, NULL, "only of this instance" },
    NAME, NAMESPACE, LIMIT, AFTER, END };
static const pw_query jobs[] = {
    { "function", NULL, PW_QUERY_TEXT, NULL, "only of this function" },
    { "instance", NULL, PW_QUERY_TEXT, NULL, "only of this instance" },
    NAMESPACE, LIMIT, AFTER, END };
static const pw_query events[] = {
    { "ttlMs", NULL, PW_QUERY_NUMBER, NULL, "kept for who listens later, and known as a duplicate, for so many milliseconds; a day if not given" }, END };
static const pw_query incidents[] = {
    { "all", NULL, PW_QUERY_FLAG, "true|false", "also those that are over" },
    { "instance", NULL, PW_QUERY_TEXT, NULL, "only of this instance" },
    NAME, NAMESPACE,
    { "type", NULL, PW_QUERY_TEXT, "startup-fault|activity-fault|external-call-fault|resume-fault", "only of this type" },
    { "class", NULL, PW_QUERY_TEXT, NULL, "only of this class of error: `timeout`, `server-error` ..." },
    { "task", NULL, PW_QUERY_TEXT, NULL, "only of this task: its JSON pointer" },
    LIMIT, AFTER, END };
static const pw_query bulks[] = {
    { "namespace", NULL, PW_QUERY_NAMESPACES, NULL, "only those whose filter names no other namespace; may be given more than once" },
    LIMIT, AFTER, END };
static const pw_query breakers[] = {
    { "all", NULL, PW_QUERY_FLAG, "true|false", "also those that are closed, and that no call waits for" }, END };
static const pw_query letters[] = {
    { "sink", NULL, PW_QUERY_TEXT, NULL, "only at this sink" },
    { "instance", NULL, PW_QUERY_TEXT, NULL, "only of this instance" },
    { "type", NULL, PW_QUERY_TEXT, NULL, "only of this type" },
    { "all", NULL, PW_QUERY_FLAG, "true|false", "also those that are tried again, and those that were discarded" },
    NAMESPACE, LIMIT, AFTER, END };
static const pw_query letter[] = {
    { "sink", NULL, PW_QUERY_TEXT, NULL, "at which, if it is dead at several" }, END };
static const pw_query patched[] = {
    { "reason", NULL, PW_QUERY_TEXT, NULL, "for the log, beside a JSON Patch; a JSON object has it as a member" },
    { "dryRun", NULL, PW_QUERY_FLAG, "true|false", "only say what would change; the same" },
    END };
static const pw_query planned[] = {
    { "limit", NULL, PW_QUERY_NUMBER, NULL, "at most so many steps; 100 if not given, 1000 at most" }, AFTER, END };
static const pw_query done_since[] = {
    { "behind", NULL, PW_QUERY_NUMBER, NULL, "only what was done behind this step of the log; 0, all, if not given" }, LIMIT, END };
static const pw_query audited[] = {
    { "last", NULL, PW_QUERY_FLAG, "true|false", "as the auditor found it in its last rounds, instead of looking now" }, END };
static const pw_query state[] = { NAMESPACE, END };

#define INSTANCE "/v1/instances/{id}"
#define BOOKMARK INSTANCE "/bookmarks/{key}"
#define TASK "/v1/tasks/{id}/{key}"
#define INCIDENT "/v1/incidents/{id}"
#define DEFINITION "/v1/definitions/{namespace}/{name}"

const pw_route pw_routes[] = {
    { PW_GET, "/health/live", NULL, 200, pw_api_live, "live", "health", "Whether the process answers",
      NULL, PW_BODY_NONE, NULL, "Health", .open = true },
    { PW_GET, "/health/ready", NULL, 200, pw_api_ready, "ready", "health", "Whether it takes work: the store can be written and the server does not stop",
      NULL, PW_BODY_NONE, NULL, "Health", .open = true },
    { PW_GET, "/health", "components", 200, pw_api_run, "getHealth", "health", "How each part is: services with last run, last error and backlog, store, disk",
      NULL, PW_BODY_NONE, NULL, "Components" },
    { PW_GET, "/v1/audit", "audit", 200, pw_api_run, "getAudit", "health", "What must never be and is, each with its cause and remedy",
      audited, PW_BODY_NONE, NULL, "Audit" },
    { PW_GET, "/metrics", "metrics", 200, pw_api_metrics, "getMetrics", "health", "The numbers of all parts, for Prometheus",
      NULL, PW_BODY_NONE, NULL, NULL, .also_types = "text/plain" },
    { PW_GET, "/v1/openapi.json", "ping", 200, pw_api_openapi, "openapi", "server", "This document",
      NULL, PW_BODY_NONE, NULL, "Any" },
    { PW_GET, "/v1/state", "state", 200, pw_api_run, "getState", "server", "Version, store and how many instances there are",
      state, PW_BODY_NONE, NULL, "State" },
    { PW_GET, "/v1/log-level", "log-level", 200, pw_api_run, "getLogLevel", "server", "Which lines the server writes to its log",
      NULL, PW_BODY_NONE, NULL, "LogLevel" },
    { PW_POST, "/v1/log-level", "log-level", 200, pw_api_run, "setLogLevel", "server", "Change it, until the server ends or reads its configuration again",
      NULL, PW_BODY_NEEDED, "LogLevel", "LogLevel" },
    { PW_POST, "/v1/cleanup", "cleanup", 200, pw_api_run, "cleanUp", "server", "Delete what is old, for at most 10 s; again while it says `stopped`",
      NULL, PW_BODY_MEMBERS, "CleanupStart", "Cleanup" },
    { PW_POST, "/v1/commands", NULL, 200, pw_api_command, "command", "server", "Any command, in the form in which `pawl` sends them",
      NULL, PW_BODY_NEEDED, "Command", "CommandAnswer" },

    { PW_GET, "/v1/definitions", "definitions", 200, pw_api_run, "listDefinitions", "definitions", "The definitions, by namespace and name",
      page, PW_BODY_NONE, NULL, "DefinitionPage" },
    { PW_POST, "/v1/definitions", "deploy", 201, pw_api_deploy, "deploy", "definitions", "Publish a definition; 200 if it was there before",
      NULL, PW_BODY_DOCUMENT, NULL, "Deployed", .also_status = "200" },
    { PW_POST, "/v1/definitions/validate", "validate", 200, pw_api_validate, "validate", "definitions", "Check a document, and report all that was found",
      checked, PW_BODY_DOCUMENT, NULL, "Validation" },
    { PW_POST, "/v1/definitions/graph", "graph", 200, pw_api_graph, "drawDocument", "definitions", "A document as a graph",
      graphs, PW_BODY_DOCUMENT, NULL, "Graph", .also_types = "text/vnd.mermaid|text/vnd.graphviz" },
    { PW_GET, DEFINITION, "definition", 200, pw_api_definition, "getNewestDefinition", "definitions", "The newest published version; as YAML or JSON text by Accept",
      NULL, PW_BODY_NONE, NULL, "Definition", .also_types = "application/yaml|text/plain" },
    { PW_GET, DEFINITION "/{version}", "definition", 200, pw_api_definition, "getDefinition", "definitions", "One version; the document as it was given with Accept: application/yaml or text/plain",
      NULL, PW_BODY_NONE, NULL, "Definition", .also_types = "application/yaml|text/plain" },
    { PW_GET, DEFINITION "/{version}/graph", "graph", 200, pw_api_graph, "getGraph", "definitions", "A definition as a graph",
      graphs, PW_BODY_NONE, NULL, "Graph", .also_types = "text/vnd.mermaid|text/vnd.graphviz" },
    { PW_POST, DEFINITION "/{version}/status", "status", 200, pw_api_run, "setStatus", "definitions", "Publish again, deprecate or archive a version",
      NULL, PW_BODY_NEEDED, "DefinitionStatusChange", "DefinitionStatus" },

    { PW_GET, "/v1/instances", "list", 200, pw_api_run, "listInstances", "instances", "Instances, the newest first",
      instances, PW_BODY_NONE, NULL, "InstancePage" },
    { PW_POST, "/v1/instances", "start", 201, pw_api_start, "start", "instances", "Start an instance; 200 if the business key finds one, 202 if it has not ended in the time to wait",
      started, PW_BODY_NEEDED, "Start", "Started", .also_status = "200|202" },
    { PW_GET, "/v1/instances/count", "count", 200, pw_api_run, "countInstances", "instances", "How many there are of each status",
      counted, PW_BODY_NONE, NULL, "Counts" },
    { PW_GET, INSTANCE, "show", 200, pw_api_show, "getInstance", "instances", "One instance: what it was given, where it is, what it waits for",
      shown, PW_BODY_NONE, NULL, "Instance", .also_status = "304" },
    { PW_DELETE, INSTANCE, "delete", 204, pw_api_run, "deleteInstance", "instances", "Delete an instance that has ended, with its log",
      NULL, PW_BODY_NONE, NULL, NULL },
    { PW_GET, INSTANCE "/why", "why", 200, pw_api_run, "getWhy", "instances", "Why an instance is where it is, what will move it, and when",
      NULL, PW_BODY_NONE, NULL, "Why" },
    { PW_GET, INSTANCE "/log", "log", 200, pw_api_log, "getLog", "instances", "The execution log",
      logged, PW_BODY_NONE, NULL, "LogPage" },
    { PW_GET, INSTANCE "/output", "output", 200, pw_api_output, "getOutput", "instances", "The output of an instance that has completed",
      ended, PW_BODY_NONE, NULL, "Any" },
    { PW_POST, INSTANCE "/cancel", "cancel", 200, pw_api_run, "cancel", "instances", "End an instance",
      NULL, PW_BODY_MEMBERS, "Reason", "Acted" },
    { PW_POST, INSTANCE "/suspend", "suspend", 200, pw_api_run, "suspend", "instances", "Stop an instance until it is continued",
      NULL, PW_BODY_MEMBERS, "Reason", "Acted" },
    { PW_POST, INSTANCE "/continue", "continue", 200, pw_api_run, "continue", "instances", "Let a suspended instance go on",
      NULL, PW_BODY_MEMBERS, "Reason", "Acted" },
    { PW_POST, INSTANCE "/retry", "retry", 200, pw_api_run, "retry", "instances", "Try again what has faulted, or what waits for its next attempt",
      NULL, PW_BODY_MEMBERS, "Retry", "Acted" },
    { PW_POST, INSTANCE "/skip", "skip", 200, pw_api_run, "skip", "instances", "Let what has faulted be over, with this output or without one",
      NULL, PW_BODY_MEMBERS, "Skip", "Acted" },
    { PW_POST, INSTANCE "/goto", "goto", 200, pw_api_run, "goto", "instances", "Let another task be next in place of what has faulted",
      NULL, PW_BODY_NEEDED, "Goto", "Acted" },
    { PW_POST, INSTANCE "/edit", "edit", 200, pw_api_run, "edit", "instances", "Change the data of an instance by a JSON Patch",
      patched, PW_BODY_PATCH, "Edit", "Acted" },
    { PW_POST, INSTANCE "/fail", "fail", 200, pw_api_run, "fail", "instances", "Give an incident up: the instance stays faulted for good",
      NULL, PW_BODY_MEMBERS, "Reason", "Acted" },
    { PW_POST, INSTANCE "/compensate", "compensate", 200, pw_api_run, "compensate", "instances", "Undo what an instance has done, in reverse order",
      NULL, PW_BODY_MEMBERS, "Reason", "Acted" },
    { PW_POST, INSTANCE "/rewind", "rewind", 200, pw_api_run, "rewind", "instances", "Let an instance go on from an earlier step",
      NULL, PW_BODY_NEEDED, "Rewind", "Rewound" },
    { PW_POST, INSTANCE "/fork", "fork", 201, pw_api_fork, "fork", "instances", "A new instance that begins where this one was; 200 for a dry run",
      NULL, PW_BODY_NEEDED, "Fork", "Forked", .also_status = "200" },
    { PW_GET, INSTANCE "/compensation", "compensation", 200, pw_api_run, "getCompensation", "instances", "What would be undone, in the order in which it would be, and what became of what was",
      planned, PW_BODY_NONE, NULL, "Compensation" },
    { PW_GET, INSTANCE "/effects", "effects", 200, pw_api_run, "listEffects", "instances", "What the instance has done outside",
      done_since, PW_BODY_NONE, NULL, "Effects" },
    { PW_GET, INSTANCE "/calls", "calls", 200, pw_api_run, "listCalls", "instances", "The calls of an instance to services",
      NULL, PW_BODY_NONE, NULL, "Calls" },
    { PW_GET, "/v1/instances/{instance}/bookmarks", "bookmarks", 200, pw_api_bookmarks, "listBookmarksOf", "bookmarks", "Where an instance waits to be resumed",
      of_instance, PW_BODY_NONE, NULL, "BookmarkPage" },
    { PW_GET, BOOKMARK, "bookmark", 200, pw_api_run, "getBookmark", "bookmarks", "One bookmark, open or closed",
      NULL, PW_BODY_NONE, NULL, "Bookmark" },
    { PW_POST, BOOKMARK "/claim", "claim", 200, pw_api_run, "claimBookmark", "bookmarks", "Keep others from answering it",
      NULL, PW_BODY_MEMBERS, "Claim", "Bookmark" },
    { PW_POST, BOOKMARK "/release", "release", 200, pw_api_run, "releaseBookmark", "bookmarks", "End a claim",
      NULL, PW_BODY_MEMBERS, "Empty", "Bookmark" },
    { PW_POST, BOOKMARK "/resume", "resume", 200, pw_api_run, "resume", "bookmarks", "Answer a user task, end a timer, or give a listen its message",
      NULL, PW_BODY_MEMBERS, "Resume", "Resumed" },

    { PW_GET, "/v1/incidents", "incidents", 200, pw_api_run, "listIncidents", "incidents", "Incidents that are open, the newest first",
      incidents, PW_BODY_NONE, NULL, "IncidentPage" },
    { PW_GET, INCIDENT, "incident", 200, pw_api_run, "getIncident", "incidents", "One incident, with what helps to judge it; by its id, or the newest of an instance",
      NULL, PW_BODY_NONE, NULL, "Incident" },
    { PW_POST, INCIDENT "/retry", "retry", 200, pw_api_run, "retryIncident", "incidents", "Try again what has faulted, if the incident is still open",
      NULL, PW_BODY_MEMBERS, "Retry", "Acted" },
    { PW_POST, INCIDENT "/skip", "skip", 200, pw_api_run, "skipIncident", "incidents", "Let what has faulted be over, with this output or without one, if the incident is still open",
      NULL, PW_BODY_MEMBERS, "Skip", "Acted" },
    { PW_POST, INCIDENT "/goto", "goto", 200, pw_api_run, "gotoIncident", "incidents", "Let another task be next in place of what has faulted, if the incident is still open",
      NULL, PW_BODY_NEEDED, "Goto", "Acted" },
    { PW_POST, INCIDENT "/edit", "edit", 200, pw_api_run, "editIncident", "incidents", "Change the data of the instance by a JSON Patch, if the incident is still open",
      patched, PW_BODY_PATCH, "Edit", "Acted" },
    { PW_POST, INCIDENT "/fail", "fail", 200, pw_api_run, "failIncident", "incidents", "Give the incident up: its instance stays faulted for good",
      NULL, PW_BODY_MEMBERS, "Reason", "Acted" },
    { PW_POST, INCIDENT "/cancel", "cancel", 200, pw_api_run, "cancelIncident", "incidents", "End the instance of an incident that is still open",
      NULL, PW_BODY_MEMBERS, "Reason", "Acted" },
    { PW_POST, INCIDENT "/compensate", "compensate", 200, pw_api_run, "compensateIncident", "incidents", "Undo what the instance has done, in reverse order, if the incident is still open",
      NULL, PW_BODY_MEMBERS, "Reason", "Acted" },
    { PW_POST, INCIDENT "/rewind", "rewind", 200, pw_api_run, "rewindIncident", "incidents", "Let the instance go on from an earlier step, if the incident is still open",
      NULL, PW_BODY_NEEDED, "Rewind", "Rewound" },

    { PW_GET, "/v1/bulk", "bulks", 200, pw_api_run, "listBulks", "incidents", "Bulk operations, the newest first",
      bulks, PW_BODY_NONE, NULL, "BulkPage" },
    { PW_POST, "/v1/bulk", "bulk-start", 200, pw_api_run, "startBulk", "incidents", "One action on every open incident that fits; counted first, or only counted",
      NULL, PW_BODY_NEEDED, "BulkStart", "BulkStarted" },
    { PW_GET, "/v1/bulk/{id}", "bulk", 200, pw_api_run, "getBulk", "incidents", "How far a bulk operation is, and what could not be done",
      NULL, PW_BODY_NONE, NULL, "Bulk" },
    { PW_POST, "/v1/bulk/{id}/stop", "bulk-stop", 200, pw_api_run, "stopBulk", "incidents", "Stop a bulk operation behind the page that it is at",
      NULL, PW_BODY_MEMBERS, "Empty", "Bulk" },
    { PW_POST, "/v1/bulk/{id}/continue", "bulk-continue", 200, pw_api_run, "continueBulk", "incidents", "Let a bulk operation go on that was stopped",
      NULL, PW_BODY_MEMBERS, "Empty", "Bulk" },

    { PW_GET, "/v1/breakers", "breakers", 200, pw_api_run, "listBreakers", "breakers", "The circuit breakers of services",
      breakers, PW_BODY_NONE, NULL, "Breakers" },
    { PW_POST, "/v1/breakers", "breaker", 200, pw_api_run, "forceBreaker", "breakers", "Force a breaker open or closed, or let it decide itself again",
      NULL, PW_BODY_NEEDED, "BreakerForce", "Breaker" },

    { PW_GET, "/v1/deadletters", "letters", 200, pw_api_run, "listDeadLetters", "publishing", "Events that could not be published, the newest first",
      letters, PW_BODY_NONE, NULL, "LetterPage" },
    { PW_POST, "/v1/deadletters/requeue", "letter-requeue", 200, pw_api_run, "requeueDeadLetters", "publishing", "Publish again all that a filter fits",
      NULL, PW_BODY_NEEDED, "LetterFilter", "LettersChanged" },
    { PW_POST, "/v1/deadletters/discard", "letter-discard", 200, pw_api_run, "discardDeadLetters", "publishing", "Give up all that a filter fits",
      NULL, PW_BODY_NEEDED, "LetterFilter", "LettersChanged" },
    { PW_GET, "/v1/deadletters/{event}", "letter", 200, pw_api_run, "getDeadLetter", "publishing", "One of them, with the CloudEvent",
      letter, PW_BODY_NONE, NULL, "Letter" },
    { PW_POST, "/v1/deadletters/{event}/requeue", "letter-requeue", 200, pw_api_run, "requeueDeadLetter", "publishing", "Publish it again, under the same id, marked as requeued",
      NULL, PW_BODY_MEMBERS, "LetterChange", "LettersChanged" },
    { PW_POST, "/v1/deadletters/{event}/discard", "letter-discard", 200, pw_api_run, "discardDeadLetter", "publishing", "Give it up",
      NULL, PW_BODY_MEMBERS, "LetterChange", "LettersChanged" },
    { PW_GET, "/v1/sinks", "sinks", 200, pw_api_run, "listSinks", "publishing", "Where events are published, and how much waits there",
      NULL, PW_BODY_NONE, NULL, "Sinks" },

    { PW_GET, "/v1/bookmarks", "bookmarks", 200, pw_api_run, "listBookmarks", "bookmarks", "Open bookmarks, the oldest first",
      bookmarks, PW_BODY_NONE, NULL, "BookmarkPage" },

    { PW_GET, "/v1/tasks", "tasks", 200, pw_api_run, "listTasks", "tasks", "The open user tasks of who asks, the most urgent first",
      tasks, PW_BODY_NONE, NULL, "BookmarkPage" },
    { PW_GET, TASK, "bookmark", 200, pw_api_run, "getTask", "tasks", "One user task, with its form and data",
      NULL, PW_BODY_NONE, NULL, "Bookmark" },
    { PW_POST, TASK "/claim", "claim", 200, pw_api_run, "claimTask", "tasks", "Take a task, so that nobody else answers it",
      NULL, PW_BODY_MEMBERS, "Claim", "Bookmark" },
    { PW_POST, TASK "/release", "release", 200, pw_api_run, "releaseTask", "tasks", "Give a claimed task back",
      NULL, PW_BODY_MEMBERS, "Empty", "Bookmark" },
    { PW_POST, TASK "/delegate", "delegate", 200, pw_api_run, "delegateTask", "tasks", "Assign a task to somebody else",
      NULL, PW_BODY_NEEDED, "Delegate", "Bookmark" },
    { PW_POST, TASK "/comments", "comment", 200, pw_api_run, "commentTask", "tasks", "Write a comment into the log",
      NULL, PW_BODY_NEEDED, "Comment", "Bookmark" },
    { PW_POST, TASK "/complete", "complete", 200, pw_api_run, "completeTask", "tasks", "Answer a task",
      NULL, PW_BODY_MEMBERS, "Complete", "Resumed" },

    { PW_POST, "/v1/events", "publish", 200, pw_api_run, "publish", "events", "Send CloudEvents to who listens: one or a batch, structured or binary",
      events, PW_BODY_EVENTS, NULL, "Published" },

    { PW_GET, "/v1/jobs", "jobs", 200, pw_api_run, "listJobs", "jobs", "What waits for workers, and who has it",
      jobs, PW_BODY_NONE, NULL, "JobPage" },
    { PW_POST, "/v1/jobs/poll", "poll", 200, pw_api_poll, "pollJobs", "jobs", "Take jobs; waits for the first of them",
      NULL, PW_BODY_NEEDED, "Poll", "Jobs" },
    { PW_POST, "/v1/jobs/complete", "complete-job", 200, pw_api_many, "completeJob", "jobs", "The result of a job, or of several",
      NULL, PW_BODY_MANY, "JobResult", "JobAnswer" },
    { PW_POST, "/v1/jobs/fail", "fail-job", 200, pw_api_many, "failJob", "jobs", "A job that failed, or several",
      NULL, PW_BODY_MANY, "JobFailure", "JobAnswer" },
    { PW_POST, "/v1/jobs/heartbeat", "heartbeat-job", 200, pw_api_many, "heartbeatJob", "jobs", "Still at work: extends the lease, and tells of cancellation",
      NULL, PW_BODY_MANY, "JobHeartbeat", "JobAlive" },
    { PW_POST, "/v1/jobs/limit", "job-limit", 200, pw_api_run, "limitJobs", "jobs", "How many jobs of a function at once, and a second",
      NULL, PW_BODY_NEEDED, "JobLimit", "Any" },

    { PW_GET, "/v1/schedules", "schedules", 200, pw_api_run, "listSchedules", "schedules", "The schedules that live",
      page, PW_BODY_NONE, NULL, "SchedulePage" },

    { PW_GET, "/v1/tokens", "tokens", 200, pw_api_run, "listTokens", "tokens", "All tokens, without their secrets",
      NULL, PW_BODY_NONE, NULL, "Tokens" },
    { PW_POST, "/v1/tokens", "token-create", 201, pw_api_token_create, "createToken", "tokens", "A new token: its text is shown this once",
      NULL, PW_BODY_NEEDED, "TokenCreate", "TokenCreated" },
    { PW_DELETE, "/v1/tokens/{tokenId}", "token-revoke", 204, pw_api_run, "revokeToken", "tokens", "End a token",
      NULL, PW_BODY_NONE, NULL, NULL },
    { 0 },
};
// clang-format on
