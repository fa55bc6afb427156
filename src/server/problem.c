/* problem.c - errors as problem documents. Every code, reason and problem of HTTP has one status,
 * one code and one advice, in tables; nothing else in the server chooses a status for an error. */
#include <stdio.h>
#include "server/problem.h"

/* ---- tables */

typedef struct http_row {
    unsigned status;
    const char *code;
    pawl_code as;
    const char *action;
} http_row;

static const http_row http_rows[] = {
#define HTTP_ROW(name, status, code, as, action)                                                   \
    [PW_PROBLEM_##name] = { status, code, PAWL_##as, action },
    PW_HTTP_PROBLEMS(HTTP_ROW)
#undef HTTP_ROW
};

static const char *const code_actions[] = {
#define CODE_ACTION(name, text, action) [PAWL_##name] = action,
    PAWL_CODES(CODE_ACTION)
#undef CODE_ACTION
};

static unsigned status_of_code(pawl_code code)
{
    switch (code) {
    case PAWL_OK:
    case PAWL_CORRUPT:
    case PAWL_SCHEMA:
        break;
    case PAWL_INVALID:
        return 400;
    case PAWL_DENIED:
        return 403;
    case PAWL_NOT_FOUND:
        return 404;
    case PAWL_CONFLICT:
    case PAWL_STATE:
    case PAWL_LOST:
        return 409;
    case PAWL_EXPRESSION:
        return 422;
    case PAWL_BUSY:
    case PAWL_IO:
    case PAWL_NO_MEMORY:
        return 503;
    case PAWL_TIMEOUT:
        return 504;
    }
    return 500;
}

static unsigned status_of(pawl_code code, pawl_reason reason)
{
    if (reason == PAWL_REASON_STALE_TOKEN)
        return 412; /* it was If-Match that gave the token */
    if (reason == PAWL_REASON_BAD_ANSWER)
        return 422;
    if (reason == PAWL_REASON_TOO_LARGE)
        return 413;
    if (reason == PAWL_REASON_FULL)
        return 429;
    if (reason == PAWL_REASON_CLEANED)
        return 410;
    return status_of_code(code);
}

/* ---- making */

unsigned pw_http_problem_status(pw_http_problem kind)
{
    return http_rows[kind].status;
}

bool pw_problem_http(pw_problem *problem, pw_http_problem kind, const char *format, ...)
{
    if (problem->status)
        return false;
    const http_row *row = &http_rows[kind];
    *problem = (pw_problem){
        .status = row->status, .code = row->code, .action = row->action, .as = row->as
    };
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem->detail, sizeof problem->detail, format, arguments);
    va_end(arguments);
    return false;
}

bool pw_problem_of(pw_problem *problem, const pawl_error *err)
{
    if (problem->status)
        return false;
    bool reasoned = err->reason != PAWL_REASON_NONE;
    *problem = (pw_problem){
        .status = status_of(err->code, err->reason),
        .code = reasoned ? pawl_reason_name(err->reason) : pawl_code_name(err->code),
        .action = reasoned ? pawl_reason_action(err->reason) : code_actions[err->code],
        .as = err->code,
        .reason = err->reason,
    };
    (void)snprintf(problem->detail, sizeof problem->detail, "%s", err->message);
    return false;
}

bool pw_problem_told(pw_problem *problem, pw_value error)
{
    pawl_error err = { .code = PAWL_CORRUPT };
    pw_str code = pw_get_text(error, "code"), reason = pw_get_text(error, "reason");
    for (int c = 0; c < (int)PW_LENGTH(code_actions); c++)
        if (pw_str_is(code, pawl_code_name((pawl_code)c)))
            err.code = (pawl_code)c;
    static const pawl_reason reasons[] = {
#define REASON(name, text, action) PAWL_REASON_##name,
        PAWL_REASONS(REASON)
#undef REASON
    };
    for (size_t r = 1; r < PW_LENGTH(reasons); r++)
        if (pw_str_is(reason, pawl_reason_name(reasons[r])))
            err.reason = reasons[r];
    (void)snprintf(err.message, sizeof err.message, PW_FMT, PW_ARG(pw_get_text(error, "message")));
    return pw_problem_of(problem, &err);
}

/* ---- writing */

/* "stale-token": "Stale token" */
static void write_title(pw_buf *buf, const char *code)
{
    char title[64];
    size_t n = 0;
    for (; code[n] && n + 1 < sizeof title; n++)
        title[n] = code[n] == '-' ? ' ' : code[n];
    title[n] = '\0';
    if (title[0] >= 'a' && title[0] <= 'z')
        title[0] = (char)(title[0] - 'a' + 'A');
    pw_json_write_string(buf, pw_str_of(title));
}

static void write_member(pw_buf *buf, const char *name, pw_str text)
{
    pw_buf_printf(buf, ",\"%s\":", name);
    pw_json_write_string(buf, pw_utf8_valid(text) ? text : PW_LIT("not readable"));
}

/* A message that was cut at its end may end within a character. */
static pw_str detail_of(const pw_problem *problem)
{
    pw_str detail = pw_str_of(problem->detail);
    detail.len = pw_utf8_valid_length(detail);
    return detail;
}

void pw_problem_error(const pw_problem *problem, pw_buf *buf)
{
    pw_buf_printf(buf, "{\"code\":\"%s\"", pawl_code_name(problem->as));
    if (problem->reason != PAWL_REASON_NONE)
        pw_buf_printf(buf, ",\"reason\":\"%s\"", pawl_reason_name(problem->reason));
    write_member(buf, "message", detail_of(problem));
    pw_buf_char(buf, '}');
}

pw_str pw_problem_text(const pw_problem *problem, pw_str path, pw_str findings, bool as_command,
                       pw_arena *arena)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_printf(&buf, "{\"type\":\"urn:pawl:problem:%s\",\"title\":", problem->code);
    write_title(&buf, problem->code);
    pw_buf_printf(&buf, ",\"status\":%u", problem->status);
    write_member(&buf, "detail", detail_of(problem));
    write_member(&buf, "code", pw_str_of(problem->code));
    write_member(&buf, "action", pw_str_of(problem->action));
    if (pw_utf8_valid(path) && path.len)
        write_member(&buf, "instance", path);
    if (problem->has_token)
        pw_buf_printf(&buf, ",\"token\":%llu", (unsigned long long)problem->token);
    if (as_command) {
        pw_buf_text(&buf, ",\"error\":");
        pw_problem_error(problem, &buf);
    }
    if (findings.ptr) {
        pw_buf_text(&buf, ",\"findings\":");
        pw_buf_str(&buf, findings);
    }
    pw_buf_text(&buf, "}\n");
    pw_str text = buf.failed ? (pw_str){ 0 } : pw_arena_str(arena, pw_buf_view(&buf));
    pw_buf_done(&buf);
    return text;
}
