/* routes.h - every path that the server answers, in one table: the router, the checks of query and
 * body, and the OpenAPI document are made from it.
 *
 * A route only translates: path, query, headers and body become the members of a command
 * (command.c), its answer becomes the answer. Who may ask is said by the command. */
#ifndef PW_ROUTES_H
#define PW_ROUTES_H

#include "server/exchange.h"
#include "server/problem.h"

struct pw_call;

enum { PW_PATH_VALUES = 3, PW_PATH_SEGMENTS = 8 };

typedef enum pw_query_kind {
    PW_QUERY_TEXT,
    PW_QUERY_NUMBER,
    PW_QUERY_FLAG,       /* true or false */
    PW_QUERY_LABEL,      /* name=value, any number of times: an object */
    PW_QUERY_LIST,       /* any number of times: an array */
    PW_QUERY_NAMESPACES, /* the same; only those that the identity may see are left of it */
    PW_QUERY_WAIT,       /* how long the answer may wait: no member */
} pw_query_kind;

typedef struct pw_query {
    const char *name, *member; /* of the command; NULL: the same name */
    pw_query_kind kind;
    const char *values; /* "a|b|c": the only ones; NULL: any */
    const char *summary;
} pw_query;

typedef enum pw_body {
    PW_BODY_NONE,
    PW_BODY_MEMBERS,  /* a JSON object of members, or nothing */
    PW_BODY_NEEDED,   /* a JSON object of members */
    PW_BODY_MANY,     /* the same, or an array of such objects */
    PW_BODY_PATCH,    /* the same, or a JSON Patch (application/json-patch+json), which is the member "patch" */
    PW_BODY_DOCUMENT, /* a workflow, as YAML or JSON */
    PW_BODY_EVENTS,   /* CloudEvents, in each of their three forms */
} pw_body;

/* Answers or parks: true. False: the call's problem says why not. */
typedef bool (*pw_run_fn)(struct pw_call *call);

typedef struct pw_route {
    pw_method method;
    const char *path; /* "/v1/instances/{id}/log": {id} is the command's member; {namespace}/{name}
                         are "name" */
    const char *command; /* NULL: none */
    unsigned status;     /* of success */
    pw_run_fn run;
    const char *operation; /* its name in the OpenAPI document */
    const char *tag;
    const char *summary;
    const pw_query *query; /* ended by a NULL name; NULL: none */
    pw_body body;
    const char *body_schema, *answer_schema; /* names below #/components/schemas; NULL: none */
    bool open;                               /* to everybody, without a token */
    const char *also_types;                  /* "a|b": the answer may be text of these types */
    const char *also_status;                 /* "200|202": other statuses of success */
} pw_route;

/* Ended by a NULL path. */
extern const pw_route pw_routes[];

typedef struct pw_matched {
    const pw_route *route;
    unsigned allowed;              /* PW_BIT(method) of what the path knows */
    pw_str names[PW_PATH_VALUES];  /* without braces */
    pw_str values[PW_PATH_VALUES]; /* decoded */
    size_t count;
} pw_matched;

/* HEAD finds the route of GET. No route but `allowed`: the path knows other methods. False: the
 * problem says why. */
bool pw_route_find(pw_matched *out, pw_method method, pw_str path, pw_arena *arena,
                   pw_problem *problem);
/* "GET, HEAD, OPTIONS" */
pw_str pw_route_allowed(unsigned allowed, pw_arena *arena);

/* ---- text of URLs */

/* ptr NULL: malformed, not UTF-8, with a NUL, or out of memory. `plus`: '+' is a space, as in
 * forms. */
pw_str pw_percent_decoded(pw_arena *arena, pw_str text, bool plus);
/* What is unreserved stays (RFC 3986). */
void pw_percent_encode(pw_buf *buf, pw_str text);
/* Name and value of the next parameter, still encoded; false: there is none. Moves *rest on. */
bool pw_query_next(pw_str *rest, pw_str *name, pw_str *value);
#endif
