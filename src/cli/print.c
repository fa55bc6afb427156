/* print.c - instances and their logs for people: aligned, short, and always with what to type next.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

enum { VALUE_WIDTH = 160 }; /* of data in a line of the log; more is cut, `--json` has all */

void print_line_out(pw_str text)
{
    out_str(text);
    out_text("\n");
}

void print_line_note(pw_str text)
{
    cli_note(PW_FMT, PW_ARG(text));
}

pw_str cli_store_words(cli_app *cli)
{
    const char *where = cli->server ? cli->server : cli->db, *config = cli_value(cli, "config");
    pw_str store = PW_LIT(""), settings = PW_LIT("");
    if (where && !cli->store_from_environment)
        store = pw_arena_printf(&cli->arena, " --%s " PW_FMT, cli->server ? "server" : "db",
                                PW_ARG(cli_quoted(&cli->arena, pw_str_of(where))));
    if (config && !cli->server)
        settings = pw_arena_printf(&cli->arena, " --config " PW_FMT,
                                   PW_ARG(cli_quoted(&cli->arena, pw_str_of(config))));
    return pw_arena_printf(&cli->arena, PW_FMT PW_FMT, PW_ARG(store), PW_ARG(settings));
}

int cli_exit_of_status(pw_str status)
{
    if (pw_str_is(status, "waiting") || pw_str_is(status, "suspended") ||
        pw_str_is(status, "compensating"))
        return EXIT_WAITING;
    if (pw_str_is(status, "faulted") || pw_str_is(status, "cancelled") ||
        pw_str_is(status, "compensated"))
        return EXIT_FAULTED;
    return EXIT_DONE;
}

static pw_str text_of(cli_app *cli, pw_value v)
{
    if (pw_is(v, PW_STRING))
        return cli_safe(&cli->arena, pw_text(v));
    pw_str text = pw_json_text(&cli->arena, v, PW_JSON_COMPACT);
    return text.ptr ? text : PW_LIT("?");
}

pw_str cli_cut(cli_app *cli, pw_str s, size_t width)
{
    if (s.len <= width)
        return s;
    size_t at = 0, end = 0;
    while (at < s.len && at <= width - 3) {
        end = at;
        (void)pw_utf8_next(s, &at);
    }
    return pw_arena_printf(&cli->arena, PW_FMT "...", (int)end, s.ptr);
}

/* ---- what it waits for */

static pw_str complete_words(cli_app *cli, pw_str id, pw_str key)
{
    pw_arena *arena = &cli->arena;
    return pw_arena_printf(arena, "pawl complete " PW_FMT " " PW_FMT " --data '{}'" PW_FMT,
                           PW_ARG(cli_quoted(arena, id)), PW_ARG(cli_quoted(arena, key)),
                           PW_ARG(cli_store_words(cli)));
}

static pw_str send_words(cli_app *cli, pw_str type)
{
    return pw_arena_printf(&cli->arena, "pawl send " PW_FMT " --data '{}'" PW_FMT,
                           PW_ARG(cli_quoted(&cli->arena, type)), PW_ARG(cli_store_words(cli)));
}

/* " until 2026-...", " since ...", for the members that are there. */
static pw_str moment_words(cli_app *cli, pw_value wait, const char *member, const char *word)
{
    pw_str at = pw_get_text(wait, member);
    if (at.len == 0)
        return PW_LIT("");
    return pw_arena_printf(&cli->arena, " %s " PW_FMT, word, PW_ARG(cli_safe(&cli->arena, at)));
}

/* ", any a, b; order = 7; 3 heard" */
static void add_listens(cli_app *cli, pw_buf *buf, pw_value listens)
{
    pw_arena *arena = &cli->arena;
    pw_value types = pw_get_lit(listens, "types"), keys = pw_get_lit(listens, "correlation");
    int64_t heard = 0;
    pw_buf_text(buf, ", ");
    pw_buf_str(buf, cli_safe(arena, pw_get_text(listens, "to")));
    for (uint32_t i = 0; pw_is(types, PW_ARRAY) && i < types.count; i++) {
        pw_buf_text(buf, i ? ", " : " ");
        pw_buf_str(buf, cli_safe(arena, pw_text(pw_item(types, i))));
    }
    const pw_member *members = pw_members(keys);
    for (uint32_t i = 0; pw_is(keys, PW_OBJECT) && i < keys.count; i++) {
        pw_buf_text(buf, "; ");
        pw_buf_str(buf, cli_safe(arena, members[i].key));
        pw_buf_text(buf, " = ");
        pw_buf_str(buf, cli_safe(arena, pw_json_text(arena, members[i].value, PW_JSON_COMPACT)));
    }
    if (pw_integer(pw_get_lit(listens, "heard"), &heard))
        pw_buf_printf(buf, "; %lld heard", (long long)heard);
}

/* ", held by the open breaker of https://x:443 until 2026-..." */
static void add_place(cli_app *cli, pw_buf *buf, pw_value wait)
{
    pw_arena *arena = &cli->arena;
    pw_value breaker = pw_get_lit(wait, "breaker");
    pw_str where = cli_safe(arena, pw_get_text(wait, "where")), state = cli_safe(arena, pw_get_text(breaker, "state"));
    pw_str service = cli_safe(arena, pw_get_text(wait, "service"));
    if (where.len == 0)
        return;
    pw_buf_printf(buf, ", " PW_FMT, PW_ARG(where));
    if (pw_str_is(where, "held") && state.len > 0 && !pw_str_is(state, "closed"))
        pw_buf_printf(buf, " by the breaker of " PW_FMT ", which is " PW_FMT, PW_ARG(service), PW_ARG(state));
    else if (!pw_str_is(where, "sent"))
        pw_buf_printf(buf, " for " PW_FMT, PW_ARG(service));
    pw_buf_str(buf, moment_words(cli, breaker, "until", "until"));
}

static void print_wait(cli_app *cli, pw_value instance, pw_value wait, void (*line)(pw_str text))
{
    pw_arena *arena = &cli->arena;
    pw_str id = pw_get_text(instance, "id"), kind = pw_get_text(wait, "kind");
    pw_str task = cli_safe(arena, pw_get_text(wait, "task"));
    pw_str key = pw_get_text(wait, "key"), reason = cli_safe(arena, pw_get_text(wait, "reason"));
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_str(&buf, cli_safe(arena, kind));
    if (task.len > 0) {
        pw_buf_text(&buf, " at ");
        pw_buf_str(&buf, task);
    }
    int64_t attempt = 0;
    pw_str workflow = pw_get_text(wait, "workflow"), child = pw_get_text(wait, "child");
    if (workflow.len > 0) {
        pw_buf_text(&buf, ", workflow ");
        pw_buf_str(&buf, cli_safe(arena, workflow));
    }
    if (pw_is(pw_get_lit(wait, "listens"), PW_OBJECT))
        add_listens(cli, &buf, pw_get_lit(wait, "listens"));
    pw_str function = pw_get_text(wait, "function");
    if (function.len > 0) {
        pw_buf_text(&buf, ", function ");
        pw_buf_str(&buf, cli_safe(arena, function));
    }
    pw_str job = pw_get_text(wait, "job"), worker = pw_get_text(wait, "worker");
    if (job.len > 0) {
        pw_buf_text(&buf, ", job ");
        pw_buf_str(&buf, cli_safe(arena, job));
        pw_buf_text(&buf, worker.len > 0 ? " by " : "");
        pw_buf_str(&buf, cli_safe(arena, worker));
    }
    if (pw_integer(pw_get_lit(wait, "attempt"), &attempt) && attempt > 1)
        pw_buf_printf(&buf, ", attempt %lld", (long long)attempt);
    if (pw_integer(pw_get_lit(wait, "retries"), &attempt))
        pw_buf_printf(&buf, ", after %lld %s", (long long)attempt,
                      attempt == 1 ? "retry" : "retries");
    pw_value listens = pw_get_lit(wait, "listens");
    pw_str type = pw_text(pw_item(pw_get_lit(listens, "types"), 0));
    add_place(cli, &buf, wait);
    pw_str assigned = pw_get_text(wait, "assignedTo");
    if (assigned.len > 0) {
        pw_buf_text(&buf, ", assigned to ");
        pw_buf_str(&buf, cli_safe(arena, assigned));
    }
    pw_buf_str(&buf, moment_words(cli, wait, "startAt", "at"));
    pw_buf_str(&buf, moment_words(cli, wait, "dueAt", pw_str_is(kind, "user-action") ? "due" : "until"));
    pw_buf_str(&buf, moment_words(cli, wait, "since", "since"));
    pw_buf_str(&buf, moment_words(cli, wait, "timeoutAt", "at most until"));
    if (reason.len > 0) {
        pw_buf_text(&buf, task.len > 0 || function.len > 0 ? ": " : " ");
        pw_buf_str(&buf, reason);
    }
    pw_value error = pw_get_lit(wait, "error");
    if (pw_is(error, PW_OBJECT)) {
        pw_buf_text(&buf, ", because of ");
        pw_buf_str(&buf, cli_cut(cli, text_of(cli, error), VALUE_WIDTH));
    }
    if (!buf.failed)
        line(pw_arena_str(arena, pw_buf_view(&buf)));
    pw_buf_done(&buf);
    if (pw_str_is(kind, "user-action") && key.len > 0)
        line(
            pw_arena_printf(arena, "    answer with: " PW_FMT, PW_ARG(complete_words(cli, id, key))));
    else if (pw_str_is(kind, "child") && child.len > 0)
        line(pw_arena_printf(arena, "    look at it with: pawl show " PW_FMT PW_FMT,
                             PW_ARG(cli_quoted(arena, child)), PW_ARG(cli_store_words(cli))));
    else if (pw_str_is(kind, "external-message") && type.len > 0)
        line(pw_arena_printf(arena, "    send with: " PW_FMT, PW_ARG(send_words(cli, type))));
    else if (pw_str_is(kind, "continue"))
        line(pw_arena_printf(arena, "    go on with: pawl continue " PW_FMT PW_FMT,
                             PW_ARG(cli_quoted(arena, id)), PW_ARG(cli_store_words(cli))));
}

/* The incident that is open, and what to do about it. */
static void print_incident(cli_app *cli, pw_value instance, void (*line)(pw_str text))
{
    pw_arena *arena = &cli->arena;
    pw_value incident = pw_get_lit(instance, "incident");
    pw_str id = pw_get_text(incident, "id"), task = cli_safe(arena, pw_get_text(incident, "task"));
    if (id.len == 0)
        return;
    line(pw_arena_printf(arena, "incident " PW_FMT "%s" PW_FMT ": " PW_FMT, PW_ARG(cli_safe(arena, id)),
                         task.len ? " at " : "", PW_ARG(task), PW_ARG(cli_safe(arena, pw_get_text(incident, "class")))));
    line(pw_arena_printf(arena, "    " PW_FMT, PW_ARG(cli_safe(arena, pw_get_text(incident, "recommendedAction")))));
}

void print_waits(cli_app *cli, pw_value instance, void (*line)(pw_str text))
{
    pw_value waits = pw_get_lit(instance, "waits");
    uint32_t count = pw_is(waits, PW_ARRAY) ? waits.count : 0;
    bool known = pw_is(pw_get_lit(instance, "incident"), PW_OBJECT); /* and says more than the wait for it */
    for (uint32_t i = 0; i < count; i++)
        if (!known || !pw_str_is(pw_get_text(pw_item(waits, i), "kind"), "incident"))
            print_wait(cli, instance, pw_item(waits, i), line);
    print_incident(cli, instance, line);
}

/* With the incident's own id: refused if somebody was quicker. */
void print_ways(cli_app *cli, pw_value incident, int64_t undo, void (*line)(pw_str text))
{
    enum { ANYWHERE, OF_THE_WAY, OF_DONE }; /* a step of a compensation has no other task to go to, and no way back */
    static const struct {
        const char *command, *more, *what;
        int where;
    } ways[] = {
        { "retry", "", "try it again; with --input JSON: with other input", ANYWHERE },
        { "skip", "", "go on without it; with --output JSON: as if it had given that", ANYWHERE },
        { "goto", " TASK", "go on with another task instead", OF_THE_WAY },
        { "edit", " --set POINTER=JSON", "change the data first", ANYWHERE },
        { "compensate", "", "undo what was done; --plan shows it before", OF_DONE },
        { "fail", "", "give it up", ANYWHERE },
        { "cancel", "", "end the instance", ANYWHERE },
    };
    static const char step[] = "/metadata/pawl/compensate";
    pw_arena *arena = &cli->arena;
    pw_str task = pw_get_text(incident, "task"), id = cli_quoted(arena, pw_get_text(incident, "id"));
    bool undoes = task.len && memmem(task.ptr, task.len, step, sizeof step - 1);
    for (size_t i = 0; i < PW_LENGTH(ways); i++) {
        bool fits = ways[i].where == ANYWHERE || (!undoes && (ways[i].where == OF_THE_WAY || undo > 0));
        if (fits)
            line(pw_arena_printf(arena, "pawl %s " PW_FMT "%s" PW_FMT "  # %s", ways[i].command, PW_ARG(id), ways[i].more,
                                 PW_ARG(cli_store_words(cli)), ways[i].what));
    }
}

/* ---- one instance */

void print_field(cli_app *cli, const char *name, pw_str value)
{
    if (value.len > 0)
        print_line_out(pw_arena_printf(&cli->arena, "%-12s " PW_FMT, name,
                                       PW_ARG(cli_safe(&cli->arena, value))));
}

void print_section(const char *title, pw_value v)
{
    if (pw_is(v, PW_NONE))
        return;
    out_printf("\n%s\n", title);
    out_json(v, PW_JSON_PRETTY);
}

void print_indented(pw_str text)
{
    out_text("  ");
    print_line_out(text);
}

void print_instance(cli_app *cli, pw_value instance)
{
    pw_arena *arena = &cli->arena;
    print_field(cli, "instance", pw_get_text(instance, "id"));
    print_field(cli, "workflow",
                pw_arena_printf(arena, PW_FMT "/" PW_FMT " " PW_FMT,
                                PW_ARG(pw_get_text(instance, "namespace")),
                                PW_ARG(pw_get_text(instance, "name")),
                                PW_ARG(pw_get_text(instance, "version"))));
    print_field(cli, "status", pw_get_text(instance, "status"));
    print_field(cli, "key", pw_get_text(instance, "key"));
    pw_str correlation = pw_get_text(instance, "correlation");
    if (!pw_str_eq(correlation, pw_get_text(instance, "id")))
        print_field(cli, "correlation", correlation);
    print_field(cli, "parent", pw_get_text(instance, "parent"));
    print_field(cli, "created", pw_get_text(instance, "createdAt"));
    print_field(cli, "updated", pw_get_text(instance, "updatedAt"));
    print_field(cli, "ended", pw_get_text(instance, "endedAt"));
    if (pw_get_text(instance, "cleanedAt").len > 0)
        print_field(cli, "cleaned up", pw_arena_printf(arena, PW_FMT ": only its log is left", PW_ARG(pw_get_text(instance, "cleanedAt"))));
    int64_t steps = 0;
    if (pw_integer(pw_get_lit(instance, "token"), &steps))
        out_printf("%-12s %lld\n", "steps", (long long)steps);
    print_field(cli, "wakes", pw_get_text(instance, "wakeAt"));
    pw_value waits = pw_get_lit(instance, "waits");
    if ((pw_is(waits, PW_ARRAY) && waits.count > 0) || pw_is(pw_get_lit(instance, "incident"), PW_OBJECT)) {
        out_text("\nwaits for\n");
        print_waits(cli, instance, print_indented);
    }
    pw_value incident = pw_get_lit(instance, "incident");
    int64_t undo = 0;
    (void)pw_integer(pw_get_lit(instance, "undo"), &undo);
    if (pw_is(incident, PW_OBJECT)) {
        out_text("\nwhat can be done\n");
        print_ways(cli, incident, undo, print_indented);
    }
    if (undo > 0)
        out_printf("\nsteps that could be undone: %lld, by pawl compensate --plan " PW_FMT PW_FMT "\n", (long long)undo,
                   PW_ARG(cli_quoted(arena, pw_get_text(instance, "id"))), PW_ARG(cli_store_words(cli)));
    print_section("data", pw_get_lit(instance, "data"));
    print_section("input", pw_get_lit(instance, "input"));
    print_section("output", pw_get_lit(instance, "output"));
    print_section("error", pw_get_lit(instance, "error"));
}

/* ---- the log */

/* "2026-11-22T20:22:33.123Z" -> "20:22:33.123" would lose the day: people look at logs years later.
 */
void print_step(cli_app *cli, pw_value step, pw_str prefix, void (*line)(pw_str text))
{
    pw_arena *arena = &cli->arena;
    int64_t sequence = 0;
    (void)pw_integer(pw_get_lit(step, "sequence"), &sequence);
    pw_str at = cli_safe(arena, pw_get_text(step, "at"));
    pw_value entries = pw_get_lit(step, "entries");
    uint32_t count = pw_is(entries, PW_ARRAY) ? entries.count : 0;
    for (uint32_t i = 0; i < count; i++) {
        pw_value entry = pw_item(entries, i);
        pw_buf buf;
        pw_buf_init(&buf, 0);
        pw_buf_str(&buf, prefix);
        pw_buf_str(&buf, at);
        pw_str type = cli_safe(arena, pw_get_text(entry, "type"));
        pw_str task = cli_safe(arena, pw_get_text(entry, "task"));
        pw_buf_printf(&buf, "  %4lld  %-20.*s  %.*s", (long long)sequence, (int)type.len, type.ptr,
                      (int)task.len, task.ptr);
        const pw_member *members = pw_members(entry);
        bool first = true;
        for (uint32_t m = 0; m < entry.count; m++) {
            pw_str key = members[m].key;
            if (pw_str_is(key, "type") || pw_str_is(key, "task"))
                continue;
            pw_buf_text(&buf, first ? "  " : " ");
            first = false;
            pw_buf_str(&buf, cli_safe(arena, key));
            pw_buf_char(&buf, '=');
            pw_buf_str(&buf, cli_cut(cli, text_of(cli, members[m].value), VALUE_WIDTH));
        }
        if (!buf.failed)
            line(pw_arena_str(arena, pw_buf_view(&buf)));
        pw_buf_done(&buf);
    }
}

/* ---- after a change */

int cli_finish(cli_app *cli, pw_value instance)
{
    pw_str status = pw_get_text(instance, "status");
    if (cli->json) {
        out_json(instance, PW_JSON_COMPACT);
    } else {
        out_safe(pw_get_text(instance, "id"));
        out_text(" ");
        out_safe(status);
        out_text("\n");
        print_waits(cli, instance, print_indented);
        pw_value output = pw_get_lit(instance, "output");
        if (pw_str_is(status, "completed") && !pw_is(output, PW_NONE))
            out_json(output, PW_JSON_PRETTY);
    }
    pw_value error = pw_get_lit(instance, "error");
    bool asked = cli->command == &command_fail; /* then it is no news */
    if (pw_str_is(status, "faulted") && pw_is(error, PW_OBJECT) && !asked)
        cli_error_object(error);
    if (pw_str_is(status, "compensated") && cli->command == &command_compensate)
        return EXIT_DONE; /* what was asked for */
    return cli_exit_of_status(status);
}
