/* remote.c - commands to a server over HTTP: POST /v1/commands, by libcurl.
 *
 * The body is the command as JSON, in the form that goes to an owner's socket. Who asks is not in
 * it: the server knows that by the token. What HTTP has a header for goes there: Idempotency-Key,
 * If-Match, X-Correlation-ID, traceparent.
 *
 * What is asked again, and what not: a command that never left, or was turned away (429, 503), has
 * had no effect. One that left and was not answered may have had one, so only what may be done
 * twice is asked again: what reads, what says for itself that a repetition has no effect, and what
 * has an idempotency key, which a start without a business key, a comment, a retry and what else is
 * done about an incident are given here for that. */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/digest.h"
#include "cli/remote.h"

enum {
    CONNECT_MS = 10000,
    ANSWER_MS = 60000, /* beside what the command itself may wait */
    TRIES = 3,
    PATIENT_TRIES = 30, /* about a minute: a server that is started again */
    PAUSE_MS = 100,     /* doubles */
    PAUSE_MS_MAX = 3000,
    TOKEN_MAX = 1024,
    HEADER_MAX = 1024,
};
#define ANSWER_MAX ((size_t)256 << 20) /* as by a socket */

struct cli_remote {
    cli_app *cli;
    CURL *easy;
    const char *url, *server;
    const char *authorization; /* the whole header; NULL: none */
    bool patient;
    bool (*stop)(void *context);
    void *stop_context;
    bool stopped, waits; /* the request of now: given up, may take long */
    pw_buf answer;
    char trouble[CURL_ERROR_SIZE];
};

/* ---- the settings */

static int read_token(cli_app *cli, const char **out)
{
    const char *token = cli_value(cli, "token"), *path = cli_value(cli, "token-file");
    *out = NULL;
    if (token && path)
        return cli_fail(cli, EXIT_USAGE, "--token and --token-file contradict each other");
    if (!token && !path)
        token = getenv("PAWL_TOKEN");
    pw_str text = pw_str_of(token);
    if (path) {
        int code = cli_read_file(cli, path, TOKEN_MAX, &text);
        if (code != EXIT_DONE)
            return code;
        while (text.len > 0 && strchr("\r\n \t", text.ptr[text.len - 1]))
            text.len--;
        if (text.len == 0)
            return cli_fail(cli, EXIT_USAGE, "'%s' holds no token", path);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return cli_fail(cli, EXIT_USAGE,
                            "the token has a character that no token has: give it "
                            "as `pawl token create` printed it");
    }
    if (text.len > 0)
        *out = pw_arena_printf(&cli->arena, "Authorization: Bearer " PW_FMT, PW_ARG(text)).ptr;
    return EXIT_DONE;
}

static int check_url(cli_app *cli)
{
    const char *url = cli->server;
    const char *host = strncmp(url, "http://", 7) == 0    ? url + 7
                       : strncmp(url, "https://", 8) == 0 ? url + 8
                                                          : NULL;
    if (!host || host[0] == '\0' || host[0] == '/' || strpbrk(host, "?# \t\r\n"))
        return cli_fail(cli, EXIT_USAGE,
                        "a server is http://HOST:PORT or https://HOST:PORT, not '%s'", url);
    if (memchr(host, '@', strcspn(host, "/")))
        return cli_fail(
            cli, EXIT_USAGE,
            "the server's URL holds a name or a password: who you are is said by --token");
    return EXIT_DONE;
}

/* Loopback never goes by a proxy; the rest is the environment's. */
static pw_str no_proxy(cli_app *cli)
{
    const char *named = getenv("no_proxy");
    if (!named)
        named = getenv("NO_PROXY");
    if (named && strcmp(named, "*") == 0)
        return PW_LIT("*");
    return pw_arena_printf(&cli->arena, "localhost,127.0.0.1,127.0.0.0/8,::1%s%s",
                           named && *named ? "," : "", named ? named : "");
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    cli_remote *remote = context;
    pw_buf_add(&remote->answer, bytes, size * count);
    return remote->answer.failed ? 0 : size * count;
}

static bool must_stop(cli_remote *remote)
{
    return remote->stop ? remote->stop(remote->stop_context) : cli_interrupted() != 0;
}

/* What changes something is heard to its end once it has left: it takes no time, and else nobody
 * knows. */
static int on_progress(void *context, curl_off_t to_read, curl_off_t read, curl_off_t to_send,
                       curl_off_t sent)
{
    (void)to_read, (void)read, (void)to_send;
    cli_remote *remote = context;
    remote->stopped = must_stop(remote) && (remote->waits || sent == 0);
    return remote->stopped ? 1 : 0;
}

#define SET(option, value) ok = curl_easy_setopt(remote->easy, option, value) == CURLE_OK && ok

static bool set_up(cli_remote *remote)
{
    cli_app *cli = remote->cli;
    const char *ca = cli_value(cli, "ca");
    if (!ca)
        ca = getenv("PAWL_CA");
    bool ok = true;
    SET(CURLOPT_URL, remote->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    SET(CURLOPT_NOPROXY, no_proxy(cli).ptr);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_USERAGENT, "pawl/" PAWL_VERSION);
    SET(CURLOPT_ACCEPT_ENCODING, "");
    SET(CURLOPT_ERRORBUFFER, remote->trouble);
    SET(CURLOPT_WRITEFUNCTION, on_bytes);
    SET(CURLOPT_WRITEDATA, remote);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, remote);
    if (ca && ca[0] != '\0')
        SET(CURLOPT_CAINFO, ca);
    return ok;
}

int remote_open(cli_remote **out, cli_app *cli)
{
    cli_remote *remote = PW_NEW(&cli->arena, cli_remote);
    remote->cli = cli;
    pw_buf_init(&remote->answer, ANSWER_MAX);
    int code = check_url(cli);
    if (code == EXIT_DONE)
        code = read_token(cli, &remote->authorization);
    if (code != EXIT_DONE)
        return code;
    size_t len = strlen(cli->server);
    while (len > 0 && cli->server[len - 1] == '/')
        len--;
    remote->server = pw_arena_printf(&cli->arena, "%.*s", (int)len, cli->server).ptr;
    remote->url = pw_arena_printf(&cli->arena, "%s/v1/commands", remote->server).ptr;
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    remote->easy = curl_easy_init();
    if (!remote->easy || !set_up(remote)) {
        remote_close(remote);
        return cli_fail(cli, EXIT_TROUBLE,
                        "libcurl refuses its settings: use libcurl 7.85 or newer");
    }
    *out = remote;
    return EXIT_DONE;
}

void remote_close(cli_remote *remote)
{
    if (!remote)
        return;
    curl_easy_cleanup(remote->easy);
    pw_buf_done(&remote->answer);
}

void remote_stop(cli_remote *remote, bool (*stop)(void *context), void *context)
{
    remote->stop = stop;
    remote->stop_context = context;
}

void remote_patient(cli_remote *remote, bool patient)
{
    remote->patient = patient;
}

/* ---- one request */

typedef struct sending {
    const char *body;
    struct curl_slist *headers;
    bool repeatable;  /* may have an effect twice without harm */
    uint64_t wait_ms; /* that the command itself may take */
} sending;

static bool add_header(sending *s, const char *text)
{
    struct curl_slist *longer = curl_slist_append(s->headers, text);
    if (longer)
        s->headers = longer;
    return longer != NULL;
}

/* A header with a text of the user's; a control character in it would end it. */
static pawl_code put_header(cli_remote *remote, sending *s, const char *name, pw_str value,
                            pawl_error *err)
{
    if (value.len > HEADER_MAX)
        return pw_fail(err, PAWL_INVALID, "'%s' is at most %d bytes", name, HEADER_MAX);
    for (size_t i = 0; i < value.len; i++) {
        if ((unsigned char)value.ptr[i] < ' ' || value.ptr[i] == 0x7f)
            return pw_fail(err, PAWL_INVALID, "'%s' has a control character", name);
    }
    pw_str text = pw_arena_printf(&remote->cli->arena, "%s: " PW_FMT, name, PW_ARG(value));
    return add_header(s, text.ptr) ? PAWL_OK : pw_no_memory(err);
}

static bool is_one_of(pw_str name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pw_str_is(name, names[i]))
            return true;
    }
    return false;
}

/* A key of our own, so that what must not be done twice can be asked twice. */
static pw_str new_key(cli_app *cli)
{
    uint8_t random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return PW_LIT("");
    char text[2 * sizeof random + 1];
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", random[i]);
    return pw_arena_printf(&cli->arena, "pawl-%s", text);
}

/* The body, and what goes into headers instead. */
static pawl_code prepare(cli_remote *remote, pw_value request, sending *s, pawl_error *err)
{
    static const char *const never[] = { "actor", "groups", "restricted" };
    static const char *const once[] = { "token-create", "delete", "poll" };
    static const char *const keyed[] = { "start", "comment", "retry", "skip", "goto", "edit", "rewind", "fork", "bulk-start" };
    static const char *const filters[] = { "list", "count" }; /* theirs is no header */
    cli_app *cli = remote->cli;
    pw_str command = pw_get_text(request, "command"), key = PW_LIT("");
    const pw_member *members = pw_members(request);
    pw_object_builder body = { .arena = &cli->arena };
    pawl_code code = PAWL_OK;
    for (uint32_t i = 0; i < request.count && code == PAWL_OK; i++) {
        pw_str name = members[i].key, text = pw_text(members[i].value);
        int64_t number = 0;
        if (is_one_of(name, never, PW_LENGTH(never)))
            continue;
        if (pw_str_is(name, "idempotencyKey"))
            key = text;
        else if (pw_str_is(name, "correlation") && !is_one_of(command, filters, PW_LENGTH(filters)))
            code = put_header(remote, s, "X-Correlation-ID", text, err);
        else if (pw_str_is(name, "traceparent"))
            code = put_header(remote, s, "traceparent", text, err);
        else if (pw_str_is(name, "ifToken") && pw_integer(members[i].value, &number))
            code = put_header(remote, s, "If-Match",
                              pw_arena_printf(&cli->arena, "\"%lld\"", (long long)number), err);
        else
            pw_object_add(&body, name, members[i].value);
        if (pw_str_is(name, "timeoutMs") || pw_str_is(name, "waitMs"))
            s->wait_ms = pw_integer(members[i].value, &number) && number > 0 ? (uint64_t)number : 0;
    }
    bool wants_key = is_one_of(command, keyed, PW_LENGTH(keyed)) &&
                     !(pw_str_is(command, "start") && pw_get_text(request, "key").len > 0);
    s->repeatable = !wants_key && !is_one_of(command, once, PW_LENGTH(once));
    if (wants_key && key.len == 0)
        key = new_key(cli);
    if (code == PAWL_OK && key.len > 0) {
        s->repeatable = s->repeatable || !pw_str_is(command, "poll");
        code = put_header(remote, s, "Idempotency-Key", key, err);
    }
    if (code != PAWL_OK)
        return code;
    s->body = pw_json_text(&cli->arena, pw_object_end(&body), PW_JSON_COMPACT).ptr;
    if (!add_header(s, "Content-Type: application/json") ||
        !add_header(s, "Accept: application/json, application/problem+json") ||
        !add_header(s, "Expect:") ||
        (remote->authorization && !add_header(s, remote->authorization)))
        return pw_no_memory(err);
    return PAWL_OK;
}

/* ---- what went wrong on the way */

/* Nothing of the request can have been carried out. */
static bool never_left(CURLcode code)
{
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return true;
    default:
        return false;
    }
}

static pawl_code way_failed(cli_remote *remote, CURLcode code, pawl_error *err)
{
    const char *why = remote->trouble[0] ? remote->trouble : curl_easy_strerror(code);
    long system = 0;
    (void)curl_easy_getinfo(remote->easy, CURLINFO_OS_ERRNO, &system);
    int native = (int)code;
    switch ((int)code) {
    case CURLE_ABORTED_BY_CALLBACK:
        return pw_fail(err, PAWL_TIMEOUT, "stopped before the server has answered");
    case CURLE_COULDNT_RESOLVE_HOST:
        return pw_fail_native(err, PAWL_IO, native,
                              "cannot find the server '%s': %s: check --server", remote->server,
                              why);
    case CURLE_COULDNT_CONNECT:
        if (system == ECONNREFUSED)
            return pw_fail_native(
                err, PAWL_IO, native,
                "cannot reach the server '%s': connection refused: is `pawl serve` "
                "running there?",
                remote->server);
        return pw_fail_native(err, PAWL_IO, native, "cannot reach the server '%s': %s",
                              remote->server, why);
    case CURLE_PEER_FAILED_VERIFICATION:
        return pw_fail_native(
            err, PAWL_IO, native,
            "the certificate of '%s' is not to be trusted: %s; if it is your own, "
            "give --ca FILE with who signed it",
            remote->server, why);
    case CURLE_SSL_CACERT_BADFILE:
        return pw_fail_native(err, PAWL_INVALID, native, "cannot read the certificates of --ca: %s",
                              why);
    case CURLE_SSL_CONNECT_ERROR:
        return pw_fail_native(err, PAWL_IO, native,
                              "no TLS with '%s': %s; is it a server for http:// only?",
                              remote->server, why);
    case CURLE_OPERATION_TIMEDOUT:
        return pw_fail_native(err, PAWL_IO, native,
                              "the server '%s' has not answered in time; the command may have been "
                              "carried out: look, then decide",
                              remote->server);
    case CURLE_WRITE_ERROR:
        return remote->answer.over_cap
                   ? pw_fail(err, PAWL_IO, "the server's answer is larger than 256 MiB")
                   : pw_no_memory(err);
    default:
        return pw_fail_native(
            err, PAWL_IO, native,
            "the connection to '%s' broke before it answered: %s; the command may "
            "have been carried out: look, then decide",
            remote->server, why);
    }
}

static pawl_code code_of_status(long status)
{
    switch (status) {
    case 401:
    case 403:
        return PAWL_DENIED;
    case 404:
        return PAWL_NOT_FOUND;
    case 409:
    case 412:
        return PAWL_CONFLICT;
    case 429:
    case 503:
        return PAWL_BUSY;
    case 504:
        return PAWL_TIMEOUT;
    default:
        return status >= 400 && status < 500 ? PAWL_INVALID : PAWL_IO;
    }
}

/* An answer that is none of a command's: the door was shut, or it is another server's. */
static pawl_code turned_away(cli_remote *remote, long status, pw_value body, pawl_error *err)
{
    pw_str detail = pw_get_text(body, "detail");
    if (detail.len == 0)
        detail = pw_get_text(body, "title");
    pawl_code code = code_of_status(status);
    if (status == 401)
        return pw_fail_native(
            err, code, (int)status,
            remote->authorization
                ? "the server '%s' does not take this token: it is wrong, over or revoked; "
                  "`pawl token create` at the server makes a new one"
                : "the server '%s' wants to know who you are: give --token-file FILE, or set "
                  "PAWL_TOKEN; `pawl token create` at the server makes a token",
            remote->server);
    if (detail.len > 0)
        return pw_fail_native(err, code, (int)status, PW_FMT, PW_ARG(detail));
    if (status >= 300 && status < 400)
        return pw_fail_native(err, PAWL_IO, (int)status,
                              "'%s' answers with another address (HTTP %ld): give that one",
                              remote->server, status);
    return pw_fail_native(
        err, PAWL_IO, (int)status,
        "'%s' answers HTTP %ld, and nothing that a pawl server says: check --server",
        remote->server, status);
}

/* ---- the exchange */

static void pause_for(cli_remote *remote, int attempt)
{
    curl_off_t wanted_s = 0;
    (void)curl_easy_getinfo(remote->easy, CURLINFO_RETRY_AFTER, &wanted_s);
    uint64_t ms = (uint64_t)PAUSE_MS << (attempt < 8 ? attempt : 8);
    if (wanted_s > 0)
        ms = (uint64_t)wanted_s * 1000;
    if (ms > PAUSE_MS_MAX)
        ms = PAUSE_MS_MAX;
    for (; ms > 0 && !must_stop(remote); ms -= ms < 100 ? ms : 100) {
        struct timespec time = { .tv_nsec = (ms < 100 ? (long)ms : 100) * 1000000 };
        (void)nanosleep(&time, NULL);
    }
}

/* *again: it may be asked once more. */
static pawl_code exchange(cli_remote *remote, const sending *s, char **answer, bool *again,
                          pawl_error *err)
{
    bool ok = true;
    pw_buf_reset(&remote->answer);
    remote->trouble[0] = '\0';
    remote->stopped = false;
    remote->waits = s->wait_ms > 0;
    SET(CURLOPT_HTTPHEADER, s->headers);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(s->body));
    SET(CURLOPT_POSTFIELDS, s->body);
    SET(CURLOPT_TIMEOUT_MS, (long)(ANSWER_MS + s->wait_ms));
    if (!ok)
        return pw_no_memory(err);
    CURLcode done = curl_easy_perform(remote->easy);
    long status = 0;
    (void)curl_easy_getinfo(remote->easy, CURLINFO_RESPONSE_CODE, &status);
    *again = false;
    if (done != CURLE_OK) {
        *again = !remote->stopped && done != CURLE_WRITE_ERROR &&
                 (never_left(done) ? remote->patient : s->repeatable);
        return way_failed(remote, done, err);
    }
    pw_value body;
    pw_arena_mark mark = pw_arena_at(&remote->cli->arena);
    if (pw_json_parse(&body, pw_buf_view(&remote->answer), NULL, &remote->cli->arena, NULL) !=
        PAWL_OK)
        body = (pw_value){ 0 };
    bool ours =
        !pw_is(pw_get_lit(body, "ok"), PW_NONE) || pw_is(pw_get_lit(body, "error"), PW_OBJECT);
    *again = status == 429 || status == 503 ||
             (status >= 502 && status <= 504 && s->repeatable && !ours);
    pawl_code code = PAWL_OK;
    if (!ours || status == 401) {
        code = turned_away(remote, status, body, err);
    } else {
        *answer = pw_strdup(pw_buf_view(&remote->answer));
        code = *answer ? PAWL_OK : pw_no_memory(err);
    }
    pw_arena_rewind(&remote->cli->arena, mark);
    return code;
}

pawl_code remote_call(cli_remote *remote, pw_value request, char **answer, pawl_error *err)
{
    sending s = { 0 };
    pw_arena_mark mark = pw_arena_at(&remote->cli->arena);
    pawl_code code = prepare(remote, request, &s, err);
    int most = remote->patient ? PATIENT_TRIES : TRIES;
    for (int attempt = 0; code == PAWL_OK; attempt++) {
        bool again = false;
        *answer = NULL;
        code = exchange(remote, &s, answer, &again, err);
        if (!again || attempt + 1 >= most || must_stop(remote))
            break;
        pawl_free(*answer);
        pause_for(remote, attempt);
        code = PAWL_OK;
    }
    curl_slist_free_all(s.headers);
    pw_arena_rewind(&remote->cli->arena, mark);
    return code;
}
