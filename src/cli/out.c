/* out.c - what the program says: results on standard output, everything else on standard error. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

/* ---- standard output */

enum { OUT_SIZE = 1 << 16 };

static char out_buffer[OUT_SIZE];
static size_t out_used;
static int out_errno; /* of the first failed write; sticky */

static void out_flush(void)
{
    size_t done = 0;
    while (done < out_used && out_errno == 0) {
        ssize_t n = write(STDOUT_FILENO, out_buffer + done, out_used - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0)
            out_errno = ENOSPC;
        else if (errno != EINTR)
            out_errno = errno;
    }
    out_used = 0;
}

void out_bytes(const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0 && out_errno == 0) {
        if (out_used == OUT_SIZE)
            out_flush();
        size_t n = OUT_SIZE - out_used < len ? OUT_SIZE - out_used : len;
        memcpy(out_buffer + out_used, at, n);
        out_used += n;
        at += n;
        len -= n;
    }
}

void out_text(const char *text)
{
    out_bytes(text, strlen(text));
}

void out_str(pw_str s)
{
    out_bytes(s.ptr, s.len);
}

void out_printf(const char *format, ...)
{
    char text[4096]; /* numbers and short words only; text of any length goes by out_str */
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0)
        out_bytes(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void out_json(pw_value v, unsigned style)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_json_write(&buf, v, style);
    if (buf.failed && out_errno == 0)
        out_errno = ENOMEM;
    out_bytes(buf.ptr, buf.failed ? 0 : buf.len);
    pw_buf_done(&buf);
    out_text("\n");
}

void out_safe(pw_str s)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    out_str(cli_safe(&arena, s));
    pw_arena_done(&arena);
}

bool out_now(void)
{
    out_flush();
    return out_errno == 0;
}

int out_end(int code)
{
    out_flush();
    if (out_errno == 0 || out_errno == EPIPE) /* the reader has had enough: its right */
        return code;
    (void)fprintf(stderr, "pawl: cannot write to standard output: %s\n", strerror(out_errno));
    return EXIT_TROUBLE;
}

/* ---- standard error */

static void say(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* there is nowhere left to complain */
        bytes += n;
        len -= (size_t)n;
    }
}

/* One write per line, so that lines of several threads stay whole. */
static void say_buf(pw_buf *buf)
{
    if (!buf->failed)
        say(buf->ptr, buf->len);
    pw_buf_done(buf);
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
           (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069); /* they turn the line round */
}

static void add_safe(pw_buf *buf, pw_str s)
{
    if (!pw_utf8_valid(s)) {
        for (size_t i = 0; i < s.len; i++) {
            unsigned char c = (unsigned char)s.ptr[i];
            if (c < 0x20 || c >= 0x7f)
                pw_buf_printf(buf, "\\x%02x", c);
            else
                pw_buf_char(buf, (char)c);
        }
        return;
    }
    for (size_t at = 0; at < s.len;) {
        size_t start = at;
        uint32_t c = pw_utf8_next(s, &at);
        if (c == '\n')
            pw_buf_text(buf, "\\n");
        else if (c == '\t')
            pw_buf_text(buf, "\\t");
        else if (is_control(c))
            pw_buf_printf(buf, "\\u%04x", c);
        else
            pw_buf_add(buf, s.ptr + start, at - start);
    }
}

pw_str cli_safe(pw_arena *arena, pw_str s)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    add_safe(&buf, s);
    pw_str safe = buf.failed ? PW_LIT("?") : pw_arena_str(arena, pw_buf_view(&buf));
    pw_buf_done(&buf);
    return safe;
}

pw_str cli_quoted(pw_arena *arena, pw_str s)
{
    bool plain = s.len > 0;
    for (size_t i = 0; i < s.len && plain; i++) {
        char c = s.ptr[i];
        plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                (c != '\0' && strchr("-_./:@%+=,", c) != NULL);
    }
    if (plain)
        return s;
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_char(&buf, '\'');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\'')
            pw_buf_text(&buf, "'\\''");
        else
            pw_buf_char(&buf, s.ptr[i]);
    }
    pw_buf_char(&buf, '\'');
    pw_str quoted = buf.failed ? s : pw_arena_str(arena, pw_buf_view(&buf));
    pw_buf_done(&buf);
    return quoted;
}

void cli_note(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0)
        return;
    pw_buf buf;
    pw_buf_init(&buf, 0);
    add_safe(&buf, (pw_str){ text, (size_t)n });
    pw_buf_char(&buf, '\n');
    say_buf(&buf);
    free(text);
}

/* ---- failures */

static void say_failure(const cli_app *cli, const char *code, const char *message)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    if (cli->json) {
        pw_buf_text(&buf, "{\"error\":{\"code\":");
        pw_json_write_string(&buf, pw_str_of(code));
        pw_buf_text(&buf, ",\"message\":");
        pw_str text = pw_str_of(message);
        if (pw_utf8_valid(text)) {
            pw_json_write_string(&buf, text);
        } else {
            pw_buf safe;
            pw_buf_init(&safe, 0);
            add_safe(&safe, text);
            pw_json_write_string(&buf, pw_buf_view(&safe));
            pw_buf_done(&safe);
        }
        pw_buf_text(&buf, "}}\n");
    } else {
        pw_buf_text(&buf, "pawl");
        if (cli->command)
            pw_buf_printf(&buf, " %s", cli->command->name);
        pw_buf_text(&buf, ": ");
        add_safe(&buf, pw_str_of(message));
        pw_buf_char(&buf, '\n');
    }
    say_buf(&buf);
}

int cli_fail(const cli_app *cli, int code, const char *format, ...)
{
    static const char *const names[] = {
        [EXIT_DONE] = "ok",    [EXIT_FAULTED] = "faulted", [EXIT_USAGE] = "invalid",
        [EXIT_TROUBLE] = "io", [EXIT_WAITING] = "waiting",
    };
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    say_failure(cli, names[code], n < 0 ? "out of memory" : text);
    if (n >= 0)
        free(text);
    return code;
}

int cli_exit_of(pawl_code code)
{
    switch (code) {
    case PAWL_OK:
        return EXIT_DONE;
    case PAWL_EXPRESSION:
        return EXIT_FAULTED;
    case PAWL_INVALID:
    case PAWL_NOT_FOUND:
    case PAWL_CONFLICT:
    case PAWL_STATE:
    case PAWL_DENIED:
        return EXIT_USAGE;
    case PAWL_BUSY:
    case PAWL_TIMEOUT:
    case PAWL_IO:
    case PAWL_LOST:
    case PAWL_CORRUPT:
    case PAWL_NO_MEMORY:
    case PAWL_SCHEMA:
        return EXIT_TROUBLE;
    }
    return EXIT_TROUBLE; /* a code of a newer owner */
}

int cli_fail_error(const cli_app *cli, const pawl_error *err)
{
    say_failure(cli, pawl_code_name(err->code), err->message);
    if (err->reason == PAWL_REASON_UNKNOWN_OUTCOME && !cli->json)
        cli_note("pawl %s: with --confirm it is done all the same", cli->command->name);
    if (err->code == PAWL_TIMEOUT && cli_interrupted())
        return 128 + cli_interrupted();
    return cli_exit_of(err->code);
}

void cli_warn(const cli_app *cli, pw_value answer)
{
    pw_str warning = pw_get_text(answer, "warning");
    if (warning.len > 0)
        cli_note("pawl %s: warning: " PW_FMT, cli->command->name, PW_ARG(warning));
}

void cli_error_object(pw_value error)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_json_write(&buf, error, PW_JSON_PRETTY);
    pw_buf_char(&buf, '\n');
    say_buf(&buf);
}
