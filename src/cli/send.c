/* send.c - `pawl send`: messages for whoever listens. */
#include <stdio.h>
#include <sys/random.h>

#include "base/digest.h"
#include "base/moment.h"
#include "cli/cli.h"

enum { EVENT_MAX = 16 << 20 }; /* bytes of a file; what the library takes at once */

static pw_value text_or_none(const char *text)
{
    return text ? pw_string_ref(pw_str_of(text)) : (pw_value){ 0 };
}

/* ---- the message */

/* What --attribute says: a boolean or a whole number as such, everything else as text. */
static pw_value attribute_value(cli_app *cli, const char *text)
{
    pw_value v;
    int64_t n;
    if (pw_json_parse(&v, pw_str_of(text), NULL, &cli->arena, NULL) == PAWL_OK &&
        (pw_is(v, PW_TRUE) || pw_is(v, PW_FALSE) || (pw_is(v, PW_NUMBER) && pw_integer(v, &n))))
        return v;
    return pw_string_ref(pw_str_of(text));
}

/* A CloudEvent of the options. */
static int made_event(cli_app *cli, pw_value *out)
{
    pw_arena *arena = &cli->arena;
    pw_value data;
    int code = cli_json_option(cli, "data", &data);
    if (code != EXIT_DONE)
        return code;
    char id[PW_ID_SIZE];
    uint8_t random[10];
    const char *given = cli_value(cli, "id"), *source = cli_value(cli, "source");
    if (!given) {
        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
            return cli_fail(cli, EXIT_TROUBLE, "no random numbers from the system: give --id");
        pw_id_of_time(id, (uint64_t)cli_now_ms(), random);
        given = pw_arena_str(arena, (pw_str){ id, PW_ID_SIZE - 1 }).ptr;
    }
    pw_object_builder event = { .arena = arena };
    pw_object_add(&event, PW_LIT("specversion"), pw_string_ref(PW_LIT("1.0")));
    pw_object_add(&event, PW_LIT("id"), pw_string_ref(pw_str_of(given)));
    pw_object_add(&event, PW_LIT("source"), pw_string_ref(pw_str_of(source ? source : "/pawl/send")));
    pw_object_add(&event, PW_LIT("type"), pw_string_ref(pw_str_of(cli->positionals[0])));
    pw_object_add(&event, PW_LIT("subject"), text_or_none(cli_value(cli, "subject")));
    pw_object_add(&event, PW_LIT("time"), pw_string_ref(pw_moment_text(arena, cli_now_ms())));
    pw_object_add(&event, PW_LIT("data"), data);
    *out = pw_object_end(&event);
    for (uint32_t i = 0; i < cli->given_count; i++) {
        const cli_given *g = &cli->given[i];
        if (strcmp(g->name, "attribute") != 0)
            continue;
        if (!pw_is(pw_get(*out, pw_str_of(g->value)), PW_NONE))
            return cli_fail(cli, EXIT_USAGE, "--attribute %s is given twice, or has its own option",
                            g->value);
        *out = pw_with(arena, *out, pw_str_of(g->value), attribute_value(cli, g->value2));
    }
    return EXIT_DONE;
}

/* Whole CloudEvents from a file. */
static int read_event(cli_app *cli, const char *path, pw_value *out)
{
    static const char *const made[] = { "data", "source", "id", "subject", "attribute" };
    if (cli->positional_count > 0)
        return cli_fail(cli, EXIT_USAGE, "--event holds the type: TYPE is one argument too many");
    for (size_t i = 0; i < PW_LENGTH(made); i++)
        if (cli_value(cli, made[i]))
            return cli_fail(cli, EXIT_USAGE, "--event holds the whole message: --%s contradicts it",
                            made[i]);
    pw_str text;
    int code = cli_read_file(cli, path[0] == '@' ? path + 1 : path, EVENT_MAX, &text);
    if (code == EXIT_DONE)
        code = cli_json_text(cli, pw_arena_printf(&cli->arena, "--event %s", path).ptr, text, out);
    if (code == EXIT_DONE && cli_flag(cli, "batch") != pw_is(*out, PW_ARRAY))
        code = cli_flag(cli, "batch")
                   ? cli_fail(cli, EXIT_USAGE, "--batch: '%s' must be an array of messages", path)
                   : cli_fail(cli, EXIT_USAGE, "'%s' is an array: give --batch to send many", path);
    return code;
}

static int read_ttl(cli_app *cli, pw_value *out)
{
    const char *ttl = cli_value(cli, "ttl");
    pw_duration duration;
    *out = (pw_value){ 0 };
    if (!ttl)
        return EXIT_DONE;
    int64_t now = cli_now_ms();
    if (pw_duration_parse(&duration, pw_str_of(ttl), NULL) != PAWL_OK ||
        pw_duration_after(now, duration) <= now)
        return cli_fail(cli, EXIT_USAGE, "option '--ttl' is a time such as 30m, 24h or 7d, not '%s'",
                        ttl);
    *out = pw_int(pw_duration_after(now, duration) - now);
    return EXIT_DONE;
}

/* ---- what became of it */

static void print_message(cli_app *cli, pw_value message)
{
    pw_arena *arena = &cli->arena;
    int64_t deliveries = 0;
    (void)pw_integer(pw_get_lit(message, "deliveries"), &deliveries);
    pw_str state = pw_get_text(message, "state"), until = pw_get_text(message, "expiresAt");
    out_safe(pw_get_text(message, "type"));
    out_text(" ");
    out_safe(pw_get_text(message, "id"));
    if (pw_is(pw_get_lit(message, "duplicate"), PW_TRUE))
        out_text(": a duplicate, without effect: a message with this source and id was received before\n");
    else if (pw_str_is(state, "kept"))
        out_printf(": kept until " PW_FMT ": nobody listens for it yet\n",
                   PW_ARG(cli_safe(arena, until)));
    else if (pw_str_is(state, "new"))
        out_text(": stored; who listens is found as soon as the store works again\n");
    else if (deliveries > 0)
        out_printf(": delivered to %lld listener%s\n", (long long)deliveries,
                   deliveries == 1 ? "" : "s");
    else
        out_text(": delivered\n");
}

static void print_answer(cli_app *cli, pw_value answer)
{
    if (cli->json) {
        out_json(answer, PW_JSON_COMPACT);
        return;
    }
    pw_value messages = pw_get_lit(answer, "messages");
    for (uint32_t i = 0; pw_is(messages, PW_ARRAY) && i < messages.count; i++)
        print_message(cli, pw_item(messages, i));
}

static int send(cli_app *cli)
{
    pw_value events, ttl;
    const char *path = cli_value(cli, "event");
    if (!path && cli->positional_count == 0)
        return cli_fail(cli, EXIT_USAGE, "TYPE is missing, or --event with a whole message");
    if (!path && cli_flag(cli, "batch"))
        return cli_fail(cli, EXIT_USAGE, "--batch needs --event, a file with an array of messages");
    int code = path ? read_event(cli, path, &events) : made_event(cli, &events);
    if (code == EXIT_DONE)
        code = read_ttl(cli, &ttl);
    if (code != EXIT_DONE)
        return code;
    cli_request request;
    request_begin(cli, &request, "publish");
    request_add(&request, "events", events);
    request_add(&request, "ttlMs", ttl);
    code = request_who(cli, &request);
    if (code != EXIT_DONE)
        return code;
    cli_session session = { .cli = cli };
    if ((code = session_open(&session)) != EXIT_DONE)
        return code;
    pw_value answer;
    pawl_error err;
    if (session_call(&session, pw_object_end(&request), &answer, &err) != PAWL_OK) {
        code = cli_fail_error(cli, &err);
    } else {
        print_answer(cli, answer);
        if (!cli_flag(cli, "no-wait"))
            session_drain(&session);
    }
    session_close(&session);
    return code;
}

// clang-format off
static const cli_option options[] = {
    { "data", "JSON", NULL, "what it carries: JSON, or @FILE, or @- for standard input" },
    { "source", "URI", NULL, "where it comes from; else /pawl/send" },
    { "id", "ID", NULL, "names it, with its source: the same again has no effect; else a new one" },
    { "subject", "TEXT", NULL, "what it is about" },
    { "attribute", "NAME", "VALUE", "one more attribute; may be repeated" },
    { "event", "FILE", NULL, "a whole CloudEvent as JSON, instead of TYPE and these; - is standard input" },
    { "batch", NULL, NULL, "the file of --event holds an array of them: all are taken in, or none" },
    { "ttl", "TIME", NULL, "how long it is kept for who listens later, and known as a duplicate; else 24h" },
    CLI_ACTOR("sends it"), CLI_KEY,
    { "no-wait", NULL, NULL, "end as soon as it is delivered or kept" },
};

const cli_command command_send = {
    .name = "send", .positionals = "[TYPE]", .least = 0, .most = 1, .has_store = true, .group = CLI_GROUP_PEOPLE, .run = send,
    .options = options, .option_count = PW_LENGTH(options),
    .summary = "send a message to whoever listens for it",
    .text =
        "A message is a CloudEvent. It goes to every instance that listens for it now; if none does, it is\n"
        "kept, and goes to the first that does, to that one only. On a store that nobody owns, the command\n"
        "then drives what there is to do until the next timer, person or message. Prints what became of it.",
    .examples =
        "pawl send order.paid --data '{\"order\": 1002}' --source /shop --id payment-77 --db sqlite:shop.db\n"
        "pawl send --event @payments.json --batch --ttl 7d --db sqlite:shop.db",
    .exits = "0 it is stored, a duplicate too; 2 usage, or no message; 3 trouble",
};
// clang-format on
