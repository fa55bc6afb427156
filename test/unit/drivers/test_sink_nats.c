/* The NATS sink, with a real server and its streams. */
#include <stdlib.h>
#include "sink_fixture.h"
#include "http/tls_service.h"
#include "nats_server.h"

static void open_nats(batch_fixture *f, const nats_server *s, pawl_sink_options options)
{
    static pawl_sink_options kept; /* it lives as long as the sink */
    options.name = "nats";
    options.type = "nats";
    options.url = options.url ? options.url : nats_server_url(s);
    kept = options;
    open_sink(f, &kept);
}

static void expect_stream(nats_server *s, const char *text)
{
    char *found = nats_server_read(s, "E");
    EXPECT_TEXT(found, text);
    free(found);
}

static void expect_text(char *text, const char *expected)
{
    EXPECT_TEXT(text ? text : "(none)", expected);
    free(text);
}

#define LINE(id, number)                                                                           \
    "{\"specversion\":\"1.0\",\"id\":\"" id                                                        \
    "\",\"source\":\"/shop/order/1\",\"type\":\"order.placed\",\"data\":{\"number\":" number       \
    "}}\n"

TEST(nats_sink, an_event_is_in_the_stream_when_it_is_taken)
{
    nats_server *s = nats_server_start(NULL);
    nats_server_add_stream(s, "E", "pawl.>", -1);
    batch_fixture f;
    open_nats(&f, s, (pawl_sink_options){ 0 });
    add_event(&f, "a", 1);
    f.events[0].trace = PW_LIT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    publish_all(&f);
    EXPECT_STR(f.events[0].error, "");
    EXPECT_TEXT(ends(&f), "t");
    expect_stream(s, LINE("a-1", "1"));
    expect_text(nats_server_subject(s, "E", 1), "pawl.order.placed");
    expect_text(nats_server_header(s, "E", 1, "Nats-Msg-Id"), "a-1");
    expect_text(nats_server_header(s, "E", 1, "content-type"),
                "application/cloudevents+json; charset=utf-8");
    expect_text(nats_server_header(s, "E", 1, "traceparent"),
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    close_sink(&f);
    nats_server_free(s);
}

TEST(nats_sink, an_event_that_comes_twice_is_in_the_stream_once)
{
    nats_server *s = nats_server_start(NULL);
    nats_server_add_stream(s, "E", "pawl.>", -1);
    batch_fixture f;
    open_nats(&f, s, (pawl_sink_options){ 0 });
    add_event(&f, "a", 1);
    publish_all(&f);
    publish_all(&f);
    EXPECT_TEXT(ends(&f), "t");
    expect_stream(s, LINE("a-1", "1"));
    close_sink(&f);
    nats_server_free(s);
}

TEST(nats_sink, a_batch_arrives_whole_and_in_the_order_of_each_instance)
{
    nats_server *s = nats_server_start(NULL);
    nats_server_add_stream(s, "E", "pawl.>", -1);
    batch_fixture f;
    open_nats(&f, s, (pawl_sink_options){ .at_once = 5 });
    static const char *const instances[] = { "a", "b", "c", "d", "e", "f", "g" };
    for (unsigned n = 1; n <= 50; n++) {
        for (size_t i = 0; i < PW_LENGTH(instances); i++)
            add_event(&f, instances[i], n);
    }
    publish_all(&f);
    EXPECT_INT(strspn(ends(&f), "t"), 350);
    char *found = nats_server_read(s, "E");
    unsigned last[7] = { 0 }, lines = 0;
    for (char *at = found; (at = strstr(at, "\"id\":\"")) != NULL; at += 6, lines++) {
        unsigned number = (unsigned)strtoul(at + 8, NULL, 10);
        EXPECT_INT(number, last[at[6] - 'a'] + 1);
        last[at[6] - 'a'] = number;
    }
    EXPECT_INT(lines, 350);
    free(found);
    close_sink(&f);
    nats_server_free(s);
}

TEST(nats_sink, the_subject_is_made_of_type_and_source)
{
    static const struct {
        const char *type, *source, *subject;
    } cases[] = {
        { "order.placed", "/shop", "x.order.placed./shop.e" },
        { "order", "https://shop.example/a b", "x.order.https://shop_example/a_b.e" },
        { "a..b.*.>", "s", "x.a_.b._._.s.e" },
        { ".a.", "s", "x._a_.s.e" },
    };
    nats_server *s = nats_server_start(NULL);
    nats_server_add_stream(s, "E", "x.>", -1);
    batch_fixture f;
    open_nats(&f, s, (pawl_sink_options){ .subject = "x.{type}.{source}.e" });
    for (unsigned i = 0; i < PW_LENGTH(cases); i++) {
        add_event(&f, "a", i);
        f.events[i].type = pw_str_of(cases[i].type);
        f.events[i].source = pw_str_of(cases[i].source);
    }
    publish_all(&f);
    EXPECT_TEXT(ends(&f), "tttt");
    for (unsigned i = 0; i < PW_LENGTH(cases); i++)
        expect_text(nats_server_subject(s, "E", i + 1), cases[i].subject);
    close_sink(&f);
    nats_server_free(s);
}

TEST(nats_sink, without_a_stream_it_has_failed_and_says_what_to_do)
{
    nats_server *s = nats_server_start(NULL);
    nats_server_add_stream(s, "E", "other.>", -1);
    batch_fixture f;
    open_nats(&f, s, (pawl_sink_options){ 0 });
    add_event(&f, "a", 1);
    add_event(&f, "a", 2);
    publish_all(&f);
    EXPECT_TEXT(ends(&f), "fh");
    EXPECT_STR(f.events[0].error, "no stream has the subject 'pawl.order.placed': make one, as by "
                                  "`nats stream add --subjects "
                                  "'pawl.order.placed'`, or enable JetStream");
    close_sink(&f);
    nats_server_free(s);
}

static void say_ok(natsConnection *connection, natsSubscription *subscription, natsMsg *m, void *context)
{
    (void)subscription, (void)context;
    (void)natsConnection_PublishString(connection, natsMsg_GetReply(m), "ok");
    natsMsg_Destroy(m);
}

TEST(nats_sink, whoever_answers_and_is_no_stream_has_not_taken_it)
{
    nats_server *s = nats_server_start(NULL);
    natsConnection *connection;
    natsSubscription *subscription;
    batch_fixture f;
    EXPECT_INT(natsConnection_ConnectTo(&connection, nats_server_url(s)), NATS_OK);
    EXPECT_INT(natsConnection_Subscribe(&subscription, connection, "pawl.>", say_ok, NULL), NATS_OK);
    EXPECT_INT(natsConnection_Flush(connection), NATS_OK);
    open_nats(&f, s, (pawl_sink_options){ 0 });
    add_event(&f, "a", 1);
    publish_all(&f);
    EXPECT_TEXT(ends(&f), "f");
    EXPECT_STR(f.events[0].error, "subject 'pawl.order.placed': what answered is no stream of JetStream");
    close_sink(&f);
    natsSubscription_Destroy(subscription);
    natsConnection_Destroy(connection);
    nats_server_free(s);
}

TEST(nats_sink, what_is_larger_than_the_stream_or_the_server_takes_is_refused)
{
    nats_server *s = nats_server_start("max_payload: 4096");
    nats_server_add_stream(s, "E", "pawl.>", 400);
    batch_fixture f;
    open_nats(&f, s, (pawl_sink_options){ 0 });
    static char large[5000];
    memset(large, ' ', sizeof large);
    add_event(&f, "a", 1);
    add_event(&f, "b", 1);
    add_event(&f, "c", 1);
    f.events[0].payload = (pw_str){ large, 500 };
    f.events[1].payload = (pw_str){ large, 5000 };
    publish_all(&f);
    EXPECT_TEXT(ends(&f), "rrt");
    EXPECT_STR(
        f.events[0].error,
        "subject 'pawl.order.placed': JetStream error 10054: message size exceeds maximum allowed");
    EXPECT(
        pw_str_starts(f.events[1].error, PW_LIT("larger than the server takes (max_payload): ")));
    expect_stream(s, LINE("c-1", "1"));
    close_sink(&f);
    nats_server_free(s);
}

TEST(nats_sink, a_server_that_is_killed_and_comes_back_gets_everything_once)
{
    nats_server *s = nats_server_start(NULL);
    nats_server_add_stream(s, "E", "pawl.>", -1);
    batch_fixture f;
    open_nats(&f, s, (pawl_sink_options){ 0 });
    add_event(&f, "a", 1);
    publish_all(&f);
    EXPECT_TEXT(ends(&f), "t");
    nats_server_kill(s);
    add_event(&f, "a", 2);
    add_event(&f, "b", 1);
    publish_all(&f);
    EXPECT_TEXT(ends(&f), "Fhh");
    char error[200];
    (void)snprintf(error, sizeof error, "not reached: %s: ", nats_server_url(s));
    EXPECT(
        pw_str_starts(f.events[0].error, pw_str_of(error)) ||
        pw_str_is(f.events[0].error, "the connection was lost: nobody knows whether it was taken"));
    nats_server_start_again(s);
    publish_all(&f);
    EXPECT_TEXT(ends(&f), "ttt");
    char *found = nats_server_read(s, "E");
    EXPECT(strstr(found, "\"a-2\"") && strstr(found, "\"b-1\""));
    EXPECT_INT(strlen(found), 3 * strlen(LINE("a-1", "1")));
    free(found);
    close_sink(&f);
    nats_server_free(s);
}

TEST(nats_sink, credentials_are_given_and_wrong_ones_are_the_failure_of_the_sink)
{
    nats_server *s = nats_server_start("authorization { user: me, password: secret }");
    batch_fixture f;
    open_nats(&f, s, (pawl_sink_options){ .user = "me", .password = "wrong" });
    add_event(&f, "a", 1);
    publish_all(&f);
    EXPECT_TEXT(ends(&f), "F");
    close_sink(&f);
    open_nats(&f, s, (pawl_sink_options){ .user = "me", .password = "secret" });
    add_event(&f, "a", 1);
    publish_all(&f);
    EXPECT_TEXT(ends(&f), "f"); /* it is in: there is only no stream */
    close_sink(&f);
    nats_server_free(s);
}

/* A server with the certificate of `s`, which has been written into files. */
static nats_server *start_tls(tls_service *s)
{
    char options[1600];
    (void)snprintf(options, sizeof options, "tls { cert_file: \"%s\", key_file: \"%s\" }", tls_service_file(s, "service.pem"),
                   tls_service_file(s, "service.key"));
    nats_server *server = nats_server_start(options);
    nats_server_speaks_tls(server, tls_service_file(s, "ca.pem"));
    return server;
}

static const char *publish_to(const nats_server *server, const char *ca, char why[512])
{
    static batch_fixture f;
    open_nats(&f, server, (pawl_sink_options){ .ca = ca });
    add_event(&f, "a", 1);
    publish_all(&f);
    (void)snprintf(why, 512, PW_FMT, PW_ARG(f.events[0].error));
    close_sink(&f);
    return ends(&f);
}

TEST(nats_sink, a_certificate_must_be_of_an_authority_that_is_trusted_and_of_the_host)
{
    char why[512];
    tls_service *s = tls_service_new(pw_test_dir(), false);
    nats_server *server = start_tls(s);
    nats_server_add_stream(server, "E", "pawl.>", -1);
    EXPECT_TEXT(publish_to(server, NULL, why), "F");
    EXPECT_CONTAINS(why, "not reached: tls://127.0.0.1:");
    EXPECT_TEXT(publish_to(server, tls_service_file(s, "stranger.pem"), why), "F");
    EXPECT_TEXT(publish_to(server, tls_service_file(s, "ca.pem"), why), "t");
    expect_stream(server, LINE("a-1", "1"));
    nats_server_free(server);
    tls_service_free(s);
    s = tls_service_named(pw_test_dir(), false, "DNS:shop.invalid");
    server = start_tls(s);
    EXPECT_TEXT(publish_to(server, tls_service_file(s, "ca.pem"), why), "F");
    EXPECT_CONTAINS(why, "not reached: tls://127.0.0.1:");
    nats_server_free(server);
    tls_service_free(s);
}

TEST(nats_sink, what_is_asked_to_be_encrypted_is_not_sent_to_a_server_that_cannot)
{
    char url[64], why[512];
    nats_server *server = nats_server_start(NULL);
    (void)snprintf(url, sizeof url, "tls://%s", nats_server_url(server) + strlen("nats://"));
    batch_fixture f;
    open_nats(&f, server, (pawl_sink_options){ .url = url });
    add_event(&f, "a", 1);
    publish_all(&f);
    EXPECT_TEXT(ends(&f), "F");
    (void)snprintf(why, sizeof why, PW_FMT, PW_ARG(f.events[0].error));
    EXPECT_CONTAINS(why, "not reached: tls://127.0.0.1:");
    close_sink(&f);
    nats_server_free(server);
}

static bool count_down(void *context)
{
    int *asked = context;
    return (*asked)-- <= 0;
}

TEST(nats_sink, told_to_stop_it_gives_up_what_is_under_way)
{
    nats_server *s = nats_server_start(NULL);
    batch_fixture f;
    int asked = 2;
    nats_server_add_stream(s, "E", "pawl.>", -1);
    open_nats(&f, s, (pawl_sink_options){ .at_once = 1 });
    f.stop = count_down;
    f.context = &asked;
    for (unsigned n = 1; n <= 3; n++)
        add_event(&f, "a", n);
    publish_all(&f);
    EXPECT(strcmp(ends(&f), "thh") == 0 || strcmp(ends(&f), "fhh") == 0);
    close_sink(&f);
    nats_server_free(s);
}

TEST(nats_sink, options_that_cannot_work_are_refused_when_it_is_opened)
{
    static const struct {
        pawl_sink_options options;
        const char *message;
    } cases[] = {
        { { 0 }, "sink 'n': its url is not given: nats://HOST[:PORT], more with commas" },
        { { .url = "http://h" },
          "sink 'n': url 'http://h' is neither nats://HOST[:PORT] nor tls://HOST[:PORT]" },
        { { .url = "nats://a,nats://" },
          "sink 'n': url 'nats://' is neither nats://HOST[:PORT] nor tls://HOST[:PORT]" },
        { { .url = "nats://a", .token = "t", .user = "u" },
          "sink 'n': a token and a user with password are both given" },
        { { .url = "nats://a", .user = "u" }, "sink 'n': of user and password one is missing" },
        { { .url = "nats://a", .subject = "a b" },
          "sink 'n': subject 'a b' has a space, '*', '>', or a brace that is neither {type} nor "
          "{source}" },
        { { .url = "nats://a", .subject = "a.{id}" },
          "sink 'n': subject 'a.{id}' has a space, '*', '>', or a brace that is neither {type} nor "
          "{source}" },
        { { .url = "nats://a", .subject = "a..b" },
          "sink 'n': subject 'a..b' has an empty part between its dots" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pawl_sink_options options = cases[i].options;
        options.name = "n";
        options.type = "nats";
        expect_refused(&options, PAWL_INVALID, cases[i].message);
    }
}

TEST(nats_sink, its_target_has_no_secret)
{
    batch_fixture f;
    open_sink(&f, &(pawl_sink_options){
                      .name = "n", .type = "nats", .url = "nats://me:se@cret@a:4222, tls://b" });
    EXPECT_TEXT(f.sink->kind->target(f.sink), "nats://a:4222,tls://b");
    close_sink(&f);
}

TEST_MAIN()
