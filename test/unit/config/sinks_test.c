/* sinks_test.c - where events are published, as the configuration says it. */
#include "test.h"
#include <pawl/server.h>
#include "base/base.h"

static pawl_config *config_of(const char *text)
{
    pawl_config *config = NULL;
    pawl_error err;
    EXPECT_OK(pawl_config_new(&config, &err), err);
    EXPECT_OK(pawl_config_text(config, text, strlen(text), "pawl.yaml", NULL, NULL, &err), err);
    return config;
}

static const char all[] = "Outbox:\n"
                          "  Sinks:\n"
                          "    web:\n"
                          "      Type: http\n"
                          "      Url: https://me:secret@hooks.example/in\n"
                          "      Types: [order.*, invoice.paid]\n"
                          "      Sources: /shop/*\n"
                          "      Mode: binary\n"
                          "      Secret: whsec\n"
                          "      Headers: X-Tenant=acme\n"
                          "      Token: tok\n"
                          "      Timeout: 3s\n"
                          "      MaxConcurrent: 4\n"
                          "    file:\n"
                          "      Type: file\n"
                          "      Path: /var/lib/pawl/events.ndjson\n"
                          "      RotateBytes: 1MiB\n"
                          "      Keep: 3\n";

TEST(config, sinks_of_events_become_options)
{
    pawl_config *config = config_of(all);
    pawl_error err;
    EXPECT_OK(pawl_config_check(config, NULL, NULL, &err), err);
    pawl_options options = pawl_options_default();
    pawl_config_options(config, &options);
    EXPECT_INT(options.sink_count, 2); /* by name */
    const pawl_sink_options *file = &options.sinks[0], *web = &options.sinks[1];
    EXPECT_INT(web->struct_size, sizeof *web);
    EXPECT_TEXT(web->name, "web");
    EXPECT_TEXT(web->type, "http");
    EXPECT_TEXT(web->url, "https://me:secret@hooks.example/in");
    EXPECT_TEXT(web->types, "order.*,invoice.paid");
    EXPECT_TEXT(web->sources, "/shop/*");
    EXPECT_TEXT(web->mode, "binary");
    EXPECT_TEXT(web->secret, "whsec");
    EXPECT_TEXT(web->headers, "X-Tenant=acme");
    EXPECT_TEXT(web->token, "tok");
    EXPECT_INT(web->timeout_ms, 3000);
    EXPECT_INT(web->at_once, 4);
    EXPECT(web->subject == NULL && web->path == NULL && web->rotate_bytes == 0);
    EXPECT_TEXT(file->name, "file");
    EXPECT_TEXT(file->type, "file");
    EXPECT_TEXT(file->path, "/var/lib/pawl/events.ndjson");
    EXPECT_INT(file->rotate_bytes, 1 << 20);
    EXPECT_INT(file->keep, 3);
    EXPECT(file->types == NULL && file->timeout_ms == 0);
    pawl_config_free(config);
}

TEST(config, without_sinks_there_are_none)
{
    pawl_config *config = config_of("");
    pawl_options options = pawl_options_default();
    pawl_config_options(config, &options);
    EXPECT_INT(options.sink_count, 0);
    EXPECT(options.sinks == NULL);
    pawl_config_free(config);
}

TEST(config, secrets_of_sinks_are_not_shown)
{
    pawl_config *config = config_of(
        "Outbox: { Sinks: { n: { Type: nats, Url: \"nats://a:p1@h,nats://b:p2@i\", Password: p3, "
        "Token: p4, Secret: p5, Headers: A=p6 } } }\n");
    char *text = NULL;
    pawl_error err;
    EXPECT_OK(pawl_config_json(config, &text, &err), err);
    EXPECT_CONTAINS(text, "\"value\":\"nats://a:***@h,nats://b:***@i\"");
    EXPECT_CONTAINS(text,
                    "{\"key\":\"Outbox:Sinks:n:Password\",\"value\":\"***\",\"type\":\"secret\"");
    for (char c = '1'; c <= '6'; c++) {
        const char secret[] = { 'p', c, '\0' };
        EXPECT(strstr(text, secret) == NULL);
    }
    pawl_free(text);
    pawl_config_free(config);
}

TEST(config, sinks_that_cannot_be_are_told_when_all_is_checked)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "Outbox: { Sinks: { web: { Url: http://h/ } } }\n",
          "pawl.yaml:1: Outbox:Sinks:web:Url: is nothing without the sink's Type: http, file or "
          "nats" },
        { "Outbox: { Sinks: { \"a b\": { Type: http } } }\n",
          "pawl.yaml:1: Outbox:Sinks:a b:Type: has a sink's name of other than 1 to 64 letters, "
          "digits, '-', '_', '.'" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_config *config = config_of(cases[i].text);
        pawl_error err;
        EXPECT_INT(pawl_config_check(config, NULL, NULL, &err), PAWL_INVALID);
        EXPECT_TEXT(err.message, cases[i].message);
        pawl_config_free(config);
    }
}

TEST(config, more_than_32_sinks_are_refused)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    for (int i = 10; i < 43; i++)
        pw_buf_printf(&buf, "%s\"Outbox:Sinks:s%d:Type\":\"file\"", i == 10 ? "{" : ",", i);
    pw_buf_text(&buf, "}");
    char *text = pw_buf_take(&buf);
    pawl_config *config = config_of(text);
    pawl_error err;
    EXPECT_INT(pawl_config_check(config, NULL, NULL, &err), PAWL_INVALID);
    EXPECT_TEXT(
        err.message,
        "pawl.yaml:1: Outbox:Sinks:s42:Type: is of one sink too many: there are at most 32");
    pawl_free(text);
    pawl_config_free(config);
}

TEST(config, a_reload_tells_of_sinks_that_need_a_restart_and_keeps_those_that_are)
{
    pawl_config *config = config_of(all);
    pawl_config *fresh =
        config_of("Outbox: { Sinks: { web: { Type: http, Url: http://h/, Token: other } } }\n");
    char *text = NULL;
    pawl_error err;
    EXPECT_OK(pawl_config_reload(config, fresh, NULL, &text, &err), err);
    EXPECT_CONTAINS(text, "{\"key\":\"Outbox:Sinks:file:Type\",\"from\":\"file\",\"to\":null}");
    EXPECT_CONTAINS(text, "{\"key\":\"Outbox:Sinks:web:Token\",\"from\":\"***\",\"to\":\"***\"}");
    pawl_free(text);
    pawl_options options = pawl_options_default();
    pawl_config_options(config, &options);
    EXPECT_INT(options.sink_count, 2);
    EXPECT_TEXT(options.sinks[1].token, "tok");
    EXPECT_TEXT(options.sinks[0].path, "/var/lib/pawl/events.ndjson");
    pawl_config_free(config);
    pawl_config_free(fresh);
}
