/* input.c - what the user hands in: files, JSON, definitions. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

#define JSON_MAX ((size_t)64 << 20) /* what the parser takes, too */

int cli_read_file(cli_app *cli, const char *path, size_t most, pw_str *out)
{
    bool standard_input = strcmp(path, "-") == 0;
    const char *name = standard_input ? "standard input" : path;
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_fail(cli, EXIT_USAGE, "cannot open '%s': %s", name, strerror(errno));
    int code = EXIT_DONE;
    size_t size = 64 << 10, used = 0;
    char *text = pw_arena_alloc(&cli->arena, size);
    for (;;) {
        if (used == size) {
            text = pw_arena_grow(&cli->arena, text, size, size * 2);
            size *= 2;
        }
        ssize_t n = read(fd, text + used, size - used);
        if (n == 0)
            break;
        if (n < 0 && errno == EINTR && cli_interrupted() == 0)
            continue;
        if (n < 0) {
            bool theirs = errno == EISDIR; /* the wrong name; the rest is the system's trouble */
            code = cli_fail(cli, theirs ? EXIT_USAGE : EXIT_TROUBLE, "cannot read '%s': %s", name,
                            strerror(errno));
            break;
        }
        used += (size_t)n;
        if (used > most) {
            code = cli_fail(cli, EXIT_USAGE, "'%s' is larger than %zu MiB", name, most >> 20);
            break;
        }
    }
    if (!standard_input)
        (void)close(fd);
    *out = (pw_str){ text, used };
    return code;
}

int cli_json_text(cli_app *cli, const char *what, pw_str text, pw_value *out)
{
    pawl_error err;
    pawl_code code = pw_json_parse(out, text, NULL, &cli->arena, &err);
    if (code == PAWL_OK)
        return EXIT_DONE;
    (void)pw_error_context(&err, code, "%s", what);
    return cli_fail_error(cli, &err);
}

int cli_json_given(cli_app *cli, const char *what, const char *given, pw_value *out)
{
    pw_str text = pw_str_of(given);
    if (given[0] == '@') {
        if (given[1] == '\0')
            return cli_fail(cli, EXIT_USAGE,
                            "%s: '@' needs a file: @FILE, or @- for standard input", what);
        int code = cli_read_file(cli, given + 1, JSON_MAX, &text);
        if (code != EXIT_DONE)
            return code;
        what = pw_arena_printf(&cli->arena, "%s %s", what, given).ptr;
    }
    return cli_json_text(cli, what, text, out);
}

int cli_json_option(cli_app *cli, const char *name, pw_value *out)
{
    *out = (pw_value){ 0 };
    const char *given = cli_value(cli, name);
    if (!given)
        return EXIT_DONE;
    return cli_json_given(cli, pw_arena_printf(&cli->arena, "--%s", name).ptr, given, out);
}

/* ---- definitions */

typedef struct report {
    const cli_app *cli;
    const char *path;
    uint32_t errors;
} report;

static void on_finding(void *context, const pawl_finding *finding)
{
    report *to = context;
    if (finding->is_error)
        to->errors++;
    const char *kind = finding->is_error ? "" : "warning: ";
    if (to->cli->json)
        return; /* the error that follows says the first of them */
    if (finding->line > 0)
        cli_note("%s:%d:%d: %s%s", to->path, finding->line, finding->column, kind,
                 finding->message);
    else
        cli_note("%s:1:1: %s%s", to->path, kind, finding->message);
}

int cli_check_definition(cli_app *cli, const char *path, pw_str text)
{
    report to = { .cli = cli, .path = strcmp(path, "-") == 0 ? "standard input" : path };
    pawl_error err;
    pawl_code code = pawl_validate(text.ptr, text.len, on_finding, &to, &err);
    if (code == PAWL_OK)
        return EXIT_DONE;
    if (code == PAWL_INVALID && to.errors > 0 && !cli->json)
        return EXIT_USAGE; /* every finding has been said */
    (void)pw_error_context(&err, code, "%s", to.path);
    return cli_fail_error(cli, &err);
}

const char *cli_actor(cli_app *cli)
{
    const char *given = cli_value(cli, "actor");
    if (given)
        return given;
    struct passwd entry, *found = NULL;
    size_t size = 16 << 10;
    char *text = pw_arena_alloc(&cli->arena, size);
    if (getpwuid_r(getuid(), &entry, text, size, &found) == 0 && found &&
        found->pw_name[0] != '\0' && pw_utf8_valid(pw_str_of(found->pw_name)))
        return found->pw_name;
    return pw_arena_printf(&cli->arena, "uid:%lu", (unsigned long)getuid()).ptr;
}

int64_t cli_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
