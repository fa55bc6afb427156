/* dry_run.c - what a command would do, for people: the difference as lines of - and + with their
 * paths, then what would be called, handed out, emitted, opened and closed. */
#include "base/patch.h"
#include "cli/cli.h"

enum { VALUE_WIDTH = 400 }; /* of one side of a difference; more is cut, `--json` has all */

static void line_of(cli_app *cli, const char *sign, pw_str path, pw_value v)
{
    pw_arena *arena = &cli->arena;
    pw_str text = pw_is(v, PW_NONE) ? PW_LIT("") : pw_json_text(arena, v, PW_JSON_COMPACT);
    print_line_out(pw_arena_printf(arena, "%s " PW_FMT "%s" PW_FMT, sign,
                                   PW_ARG(cli_safe(arena, path)), text.len ? " " : "",
                                   PW_ARG(cli_safe(arena, cli_cut(cli, text, VALUE_WIDTH)))));
}

/* Operations name places in what those before them have made, so each is done to what is known, as
 * long as that fits. */
static void print_diff(cli_app *cli, pw_value diff, pw_value before)
{
    pw_arena *arena = &cli->arena;
    for (uint32_t i = 0; pw_is(diff, PW_ARRAY) && i < diff.count; i++) {
        pw_value operation = pw_item(diff, i);
        pw_str op = pw_get_text(operation, "op"), path = pw_get_text(operation, "path");
        if (!pw_str_is(op, "add"))
            line_of(cli, "-", path, pw_pointer_get(before, path, arena));
        if (!pw_str_is(op, "remove"))
            line_of(cli, "+", path, pw_get_lit(operation, "value"));
        if (pw_patch_apply(&before, before, pw_array_ref(&operation, 1), arena, NULL) != PAWL_OK)
            before = (pw_value){ 0 };
    }
    if (!pw_is(diff, PW_ARRAY) || diff.count == 0)
        out_text("no difference in its status, data and waits\n");
}

/* "  POST https://... at /do/1/charge, once more": the members that are there, in this order. */
static void print_thing(cli_app *cli, pw_value thing, const char *const *members, size_t count)
{
    pw_arena *arena = &cli->arena;
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (size_t i = 0; i < count; i++) {
        pw_str text = cli_safe(arena, pw_get_text(thing, members[i]));
        if (text.len > 0)
            pw_buf_printf(&buf, " " PW_FMT, PW_ARG(text));
    }
    pw_str task = cli_safe(arena, pw_get_text(thing, "task"));
    if (task.len > 0)
        pw_buf_printf(&buf, " at " PW_FMT, PW_ARG(task));
    if (pw_truthy(pw_get_lit(thing, "again")))
        pw_buf_text(&buf, ", once more");
    if (!buf.failed)
        print_line_out(pw_arena_printf(arena, " " PW_FMT, PW_ARG(pw_buf_view(&buf))));
    pw_buf_done(&buf);
}

static void print_consequences(cli_app *cli, pw_value answer)
{
    static const struct {
        const char *member, *title, *words[3];
    } kinds[] = {
        { "calls", "would call", { "method", "endpoint" } },
        { "jobs", "would hand out", { "function" } },
        { "events", "would emit", { "type" } },
        { "messages", "would tell instances", { "kind", "instance" } },
        { "bookmarks", "would open", { "kind", "key" } },
        { "closes", "would close", { "kind", "key" } },
    };
    for (size_t k = 0; k < PW_LENGTH(kinds); k++) {
        pw_value list = pw_get_lit(answer, kinds[k].member);
        if (!pw_is(list, PW_ARRAY) || list.count == 0)
            continue;
        out_printf("\n%s\n", kinds[k].title);
        size_t words = 0;
        while (words < PW_LENGTH(kinds[k].words) && kinds[k].words[words])
            words++;
        for (uint32_t i = 0; i < list.count; i++)
            print_thing(cli, pw_item(list, i), kinds[k].words, words);
    }
}

/* A fork changes nothing that is there, so there is no difference. */
static void print_fork(cli_app *cli, pw_value answer)
{
    pw_arena *arena = &cli->arena;
    int64_t step = 0;
    (void)pw_integer(pw_get_lit(answer, "step"), &step);
    print_line_out(pw_arena_printf(
        arena, "a new instance would begin at step %lld of " PW_FMT "; nothing is done",
        (long long)step, PW_ARG(cli_safe(arena, pw_get_text(answer, "from")))));
}

static void print_change(cli_app *cli, pw_value answer, pw_value before)
{
    pw_arena *arena = &cli->arena;
    pw_value incident = pw_get_lit(before, "incident"); /* a difference knows only if there is one */
    int64_t undo = 0;
    before = pw_with(arena, before, PW_LIT("incident"), pw_bool(pw_is(incident, PW_OBJECT)));
    print_line_out(
        pw_arena_printf(arena, PW_FMT " would be " PW_FMT "%s; nothing is done",
                        PW_ARG(cli_safe(arena, pw_get_text(answer, "id"))),
                        PW_ARG(cli_safe(arena, pw_get_text(answer, "status"))),
                        pw_truthy(pw_get_lit(answer, "repeated")) ? ", as it is" : ""));
    print_diff(cli, pw_get_lit(answer, "diff"), before);
    print_consequences(cli, answer);
    if (pw_integer(pw_get_lit(answer, "undo"), &undo) && undo > 0)
        out_printf("\nsteps that could be undone: %lld\n", (long long)undo);
}

void print_dry_run(cli_app *cli, pw_value answer, pw_value before)
{
    bool fork = cli->command == &command_fork;
    pw_value done = pw_get_lit(answer, "done");
    if (fork)
        print_fork(cli, answer);
    else
        print_change(cli, answer, before);
    if (pw_is(done, PW_ARRAY) && done.count > 0) {
        out_printf("\nwas done outside since, and would not be %s\n", fork ? "done again" : "undone");
        print_effects(cli, done);
    }
}
