/* problem.h - what a client is told when something is not done: RFC 9457, with a code that a
 * program may rely on. */
#ifndef PW_PROBLEM_H
#define PW_PROBLEM_H

#include "base/json.h"

/* Problems of HTTP itself, beside those of pawl_code and pawl_reason. X(name, status, code, as a
 * pawl_code, what to do) */
#define PW_HTTP_PROBLEMS(X)                                                                        \
    X(BAD_REQUEST, 400, "bad-request", INVALID, "mend the request: the detail says where")         \
    X(BAD_PARAMETER, 400, "bad-parameter", INVALID, "mend the parameter of the query")             \
    X(UNKNOWN_PARAMETER, 400, "unknown-parameter", INVALID,                                        \
      "leave it out, or write the one that was meant")                                             \
    X(BAD_HEADER, 400, "bad-header", INVALID, "mend the header, or leave it out")                  \
    X(BAD_BODY, 400, "bad-body", INVALID, "mend the body: the detail says where")                  \
    X(NO_TOKEN, 401, "not-authenticated", DENIED,                                                  \
      "send 'Authorization: Bearer TOKEN' with a token that is valid")                             \
    X(NO_ROLE, 403, "role-missing", DENIED, "use a token with the role that the detail names")     \
    X(ORIGIN, 403, "origin-refused", DENIED, "call from a program, or turn authentication on")     \
    X(NO_ROUTE, 404, "no-such-path", NOT_FOUND, "see /v1/openapi.json for the paths there are")    \
    X(METHOD, 405, "method-not-allowed", INVALID, "use a method that the Allow header names")      \
    X(MEDIA_TYPE, 415, "media-type", INVALID, "send the body as the detail says")                  \
    X(DOCUMENT, 422, "document-not-valid", INVALID,                                                \
      "mend the document: the findings say where and how")                                         \
    X(TOO_LARGE, 413, "too-large", INVALID, "send less: the detail names the limit")               \
    X(EXPECTATION, 417, "expectation-failed", INVALID, "leave the header Expect out")              \
    X(HEADERS, 431, "header-too-large", INVALID, "send fewer or shorter headers")                  \
    X(CODING, 501, "coding-not-known", INVALID, "send the body as it is, or chunked")              \
    X(FULL, 503, "server-full", BUSY, "try again later, with less at once")                        \
    X(MEMORY, 503, "no-memory", NO_MEMORY, "try again later")                                      \
    X(NOT_READY, 503, "not-ready", IO,                                                             \
      "mend what the detail names; what was answered is not lost")                                 \
    X(STOPPING, 503, "stopping", BUSY, "try again, at another server or once this one is back")

typedef enum pw_http_problem {
#define PW_HTTP_PROBLEM_ENUM(name, status, code, as, action) PW_PROBLEM_##name,
    PW_HTTP_PROBLEMS(PW_HTTP_PROBLEM_ENUM)
#undef PW_HTTP_PROBLEM_ENUM
} pw_http_problem;

typedef struct pw_problem {
    unsigned status;  /* 0: none */
    const char *code; /* "stale-token" */
    const char *action;
    pawl_code as;
    pawl_reason reason;
    uint64_t token; /* the instance's, if has_token */
    bool has_token;
    char detail[480];
} pw_problem;

/* Both return false, so that `return pw_problem_http(...)` says that it was not done. The first
 * problem stays. */
bool pw_problem_http(pw_problem *problem, pw_http_problem kind, const char *format, ...)
    PW_PRINTF(3, 4);
bool pw_problem_of(pw_problem *problem, const pawl_error *err);
unsigned pw_http_problem_status(pw_http_problem kind);
/* Out of the "error" of a command's answer. */
bool pw_problem_told(pw_problem *problem, pw_value error);

/* {"type","title","status","detail","code","action","instance","token"?,"error"?,"findings"?}.
 * `path` is the request's; `findings` is JSON, ptr NULL: none; `as_command`: with the "error" of a
 * command's answer. ptr NULL: out of memory. */
pw_str pw_problem_text(const pw_problem *problem, pw_str path, pw_str findings, bool as_command,
                       pw_arena *arena);

/* {"code","reason"?,"message"} as a command's answer has it. */
void pw_problem_error(const pw_problem *problem, pw_buf *buf);
#endif
