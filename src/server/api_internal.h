/* api_internal.h - one request on its way through the API. For api*.c and routes_table.c.
 *
 *   api.c          begins and ends a call: route, identity, answer
 *   api_request.c  path, query, headers and body become a command; who may; carrying out
 *   api_routes.c   what is particular to a route
 *   api_wait.c     answers that come later: waits and polls, without a thread */
#ifndef PW_API_INTERNAL_H
#define PW_API_INTERNAL_H

#include "server/api.h"
#include "server/auth.h"
#include "server/routes.h"
#include "server/skim.h"

struct pw_api {
    pawl *p;
    const pawl_config *config;
    bool authenticate;
    bool local_only; /* no authentication, and nothing but loopback is listened on */
    char prefix[17]; /* of request ids, different in every process */
    char *openapi;   /* the document */
    _Atomic bool stopping;
};

typedef struct pw_call {
    pw_api *api;
    pw_exchange *exchange;
    pw_arena *arena; /* of this turn */
    pw_matched at;
    const pw_route *route;
    pw_identity identity;
    /* what was asked */
    pw_value body;               /* JSON; PW_NONE: none */
    pw_object_builder members;   /* of the command */
    pw_array_builder namespaces; /* of the query */
    bool waits;
    uint64_t wait_ms;
    pw_str idempotency_key, correlation, traceparent; /* ptr NULL: none */
    uint64_t if_token;                                /* 0: none */
    /* what came of it */
    const pw_command_about *about;
    char *answer;        /* of the command, whole; to pawl_free() */
    pw_str ok, findings; /* in it */
    pw_problem problem;
    bool as_command; /* POST /v1/commands: a problem has "error" too */
    bool correlated; /* X-Correlation-ID of the answer is set */
} pw_call;

/* ---- api_request.c. All return false with the call's problem set. */
bool pw_call_headers(pw_call *call);
bool pw_call_query(pw_call *call);
bool pw_call_path(pw_call *call);
bool pw_call_body(pw_call *call);
/* Members of a body, checked: what path, query, headers and token say, a body must not. */
bool pw_call_take_members(pw_call *call, pw_value object);
pw_str pw_call_media_type(pw_call *call); /* in lower case, without parameters */
bool pw_call_filters_correlation(pw_str command);
void pw_call_member(pw_call *call, const char *name, pw_value value);
/* Whether the identity may ask `command` with these members, which get what it is restricted to. */
bool pw_call_authorise(pw_call *call, const char *command);
/* Adds who asks, and how, to the members: what pw_call_authorise ends with. */
bool pw_call_sign(pw_call *call, pw_value request);
/* pw_call_authorise, then carries it out: `ok` (and `findings`) are set. */
bool pw_call_execute(pw_call *call, const char *command);
/* Carries out what was authorised. */
bool pw_call_carry_out(pw_call *call);

/* ---- api.c */
void pw_call_answer(pw_call *call, unsigned status, const char *type, pw_str body);
void pw_call_begin_span(pw_call *call); /* its traceparent is that of the request as a span from here on, if there are traces */
void pw_call_answer_json(pw_call *call, unsigned status,
                         pw_str json); /* with a line feed behind it */
bool pw_call_answer_buf(pw_call *call, unsigned status, pw_buf *json); /* and pw_buf_done() */
void pw_call_put_token(pw_call *call, pw_str token); /* as ETag; ptr NULL or no number: none */
void pw_call_put_correlation(pw_call *call, pw_str id);
void pw_call_put_request_id(pw_call *call); /* unless there is another correlation */
void pw_call_put_location(pw_call *call, const char *prefix, const pw_str *segments, size_t count);
bool pw_call_no_memory(pw_call *call);
void pw_call_answer_problem(pw_call *call);

/* ---- api_wait.c */
/* Answers now, or once the instance has ended or the time is over. `started`: what start answered.
 */
bool pw_wait_start(pw_call *call, pw_str id, pw_str started, bool existed);
bool pw_wait_show(pw_call *call, pw_str id);
bool pw_wait_output(pw_call *call, pw_str id);
bool pw_wait_log(pw_call *call, pw_str id, pw_value request);
bool pw_wait_command(pw_call *call, pw_value request); /* "wait" */
bool pw_wait_poll(pw_call *call, pw_value request);    /* "poll" */
/* A later turn of an exchange that was parked. */
void pw_wait_turn(pw_call *call, pw_turn turn);

/* ---- api_routes.c: pw_run_fn */
bool pw_api_run(pw_call *call); /* the route's command, and its answer as it is */
bool pw_api_live(pw_call *call);
bool pw_api_ready(pw_call *call);
bool pw_api_openapi(pw_call *call);
bool pw_api_metrics(pw_call *call);
bool pw_api_command(pw_call *call);
bool pw_api_deploy(pw_call *call);
bool pw_api_validate(pw_call *call);
bool pw_api_graph(pw_call *call);
bool pw_api_definition(pw_call *call);
bool pw_api_start(pw_call *call);
bool pw_api_fork(pw_call *call);
bool pw_api_show(pw_call *call);
bool pw_api_log(pw_call *call);
bool pw_api_output(pw_call *call);
bool pw_api_bookmarks(pw_call *call);
bool pw_api_poll(pw_call *call);
bool pw_api_many(pw_call *call);
bool pw_api_token_create(pw_call *call);

/* ---- cloudevents.c */
/* The body as one CloudEvent or an array of them, by the HTTP protocol binding of CloudEvents 1.0.
 */
bool pw_cloudevents(pw_call *call, pw_value *out);

/* ---- openapi.c */
/* The document; NULL: out of memory. To pawl_free(). */
char *pw_openapi(void);
#endif
