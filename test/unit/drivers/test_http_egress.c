/* The HTTP driver: which way a request goes, and whom it trusts. */
#include <stdlib.h>
#include "http_fixture.h"
#include "http/tls_service.h"

/* ------------------------------------------------------------------ the map */

TEST(http, a_service_of_the_egress_map_is_reached_at_its_address_under_its_own_name)
{
    service *other = service_new();
    service_on(other, "/pay", (service_answer){ .body = "mapped" });
    char map[256], proxy[64];
    (void)snprintf(map, sizeof map,
                   "https://elsewhere.invalid=127.0.0.1:%d,http://Shop.invalid=127.0.0.1:%d,"
                   "http://shop.invalid:8080=localhost:%d",
                   service_dead_port(), service_port(other), service_port(other));
    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", service_dead_port());
    (void)setenv("http_proxy", proxy, 1); /* not asked: the map says where the service is */
    fixture *f = open_with((pw_http_options){ .egress_map = map });
    const pw_call_result *result = send_one(f, new_call(1, "GET", "http://shop.invalid/pay?n=1"));
    EXPECT_STR(result->body, "mapped");
    EXPECT_CONTAINS(service_request_at(other, 0)->head, "Host: shop.invalid\r\n");
    result = send_one(f, new_call(2, "GET", "http://SHOP.invalid:8080/pay"));
    EXPECT_STR(result->body, "mapped");
    EXPECT_CONTAINS(service_request_at(other, 1)->head, "Host: SHOP.invalid:8080\r\n");
    result = send_one(f, new_call(3, "GET", "http://shop.invalid:81/pay")); /* another port: not it */
    EXPECT(!result->answered);
    EXPECT_INT(service_requests(other), 2);
    (void)unsetenv("http_proxy");
    close_all(f);
    service_free(other);
}

TEST(http, a_wrong_egress_map_is_refused_when_the_driver_is_made)
{
    static const struct {
        const char *map, *error;
    } cases[] = {
        { "nonsense", "egress map, entry 1: 'nonsense' is not of the form "
                      "https://HOST[:PORT]=HOST:PORT" },
        { "http://a=b:1,,http://c=d:2", "entry 2: ''" },
        { "http://a=b:1,", "entry 2: ''" },
        { "a.example=b:1", "'a.example=b:1' is not of the form" },
        { "ftp://a=b:1", "'ftp://a=b:1' is not of the form" },
        { "http://=b:1", "is not of the form" },
        { "http://a=b", "is not of the form" },
        { "http://a=b:0x50", "is not of the form" },
        { "http://a=b:65536", "is not of the form" },
        { "http://a:70000=b:1", "is not of the form" },
        { "http://a/path=b:1", "is not of the form" },
        { "http://u@a=b:1", "is not of the form" },
        { "http://a=http://b:1", "is not of the form" },
        { "http://a=b:1/x", "is not of the form" },
        { "http://a=b:1,http://A:80=c:2", "entry 2: A:80 has an entry before this" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_http *http = NULL;
        pawl_error err;
        pw_http_options options = { .egress_map = cases[i].map };
        EXPECT_INT(pw_http_new(&http, &options, on_done, NULL, &err), PAWL_INVALID);
        EXPECT(http == NULL);
        EXPECT_CONTAINS(err.message, cases[i].error);
    }
}

TEST(http, a_file_without_certificates_is_refused_when_the_driver_is_made)
{
    static const struct {
        const char *path, *error;
    } cases[] = {
        { "/nowhere/ca.pem", "'/nowhere/ca.pem' cannot be opened: No such file or directory" },
        { "/dev/null", "'/dev/null' holds no certificate in PEM form" },
        { "/proc/self/exe", "holds no certificate in PEM form" },
        { "/", "holds no certificate in PEM form" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_http *http = NULL;
        pawl_error err;
        pw_http_options options = { .egress_ca = cases[i].path };
        EXPECT_INT(pw_http_new(&http, &options, on_done, NULL, &err), PAWL_INVALID);
        EXPECT_CONTAINS(err.message, cases[i].error);
    }
}

/* ------------------------------------------------------------------ proxies */

/* A proxy of ours: the service sees the whole URI as its path. */
static fixture *open_proxied(const char *proxy, const char *no_proxy, const char *allow)
{
    fixture *f = open_with((pw_http_options){ .egress_allow = allow });
    pawl_error err;
    char url[64];
    pw_http_free(f->http);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", service_port(f->service));
    EXPECT_OK(pw_http_new(&f->http, &(pw_http_options){ .proxy = proxy ? proxy : url, .no_proxy = no_proxy, .egress_allow = allow },
                          on_done, f, &err),
              err);
    service_on(f->service, "http://far.invalid/x", (service_answer){ .body = "by proxy" });
    service_on(f->service, "/x", (service_answer){ .body = "direct" });
    return f;
}

TEST(http, loopback_is_reached_without_the_proxy_of_the_environment)
{
    char proxy[64];
    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", service_dead_port());
    (void)setenv("http_proxy", proxy, 1);
    fixture *f = open_all();
    service_on(f->service, "/", (service_answer){ .body = "direct" });
    const pw_call_result *direct = send_one(f, to(f, "GET", "/"));
    const pw_call_result *proxied = send_one(f, new_call(2, "GET", "http://service.invalid/"));
    (void)unsetenv("http_proxy");
    EXPECT_STR(direct->body, "direct");
    EXPECT(!proxied->answered);
    EXPECT_CONTAINS(error_text(proxied),
                    "connection refused by the proxy for service.invalid:80: ");
    close_all(f);
}

TEST(http, a_proxy_of_the_settings_goes_before_that_of_the_environment)
{
    char dead[64];
    (void)snprintf(dead, sizeof dead, "http://127.0.0.1:%d", service_dead_port());
    (void)setenv("http_proxy", dead, 1);
    fixture *f = open_proxied(NULL, NULL, "");
    const pw_call_result *result = send_one(f, new_call(1, "GET", "http://far.invalid/x"));
    EXPECT_STR(result->body, "by proxy"); /* and where the proxy is, is the operator's */
    close_all(f);
    f = open_proxied("", NULL, ""); /* none, although the environment names one */
    result = send_one(f, new_call(1, "GET", "http://far.invalid/x"));
    (void)unsetenv("http_proxy");
    EXPECT_STR(result->error, "the name in far.invalid:80 cannot be resolved");
    EXPECT_INT(service_requests(f->service), 0);
    close_all(f);
}

TEST(http, some_hosts_are_reached_without_the_proxy)
{
    static const struct {
        const char *no_proxy, *host;
        bool direct;
    } cases[] = {
        { NULL, "far.invalid", false },
        { NULL, "localhost", true },
        { NULL, "127.0.0.9", true },
        { NULL, "[::1]", true },
        { NULL, "LocalHost.", true },
        { "far.invalid", "far.invalid", true },
        { "FAR.invalid", "far.INVALID", true },
        { ".far.invalid", "far.invalid", true },
        { "far.invalid.", "far.invalid", true },
        { "invalid", "far.invalid", true },
        { "ar.invalid", "far.invalid", false },
        { "far.invalid.x", "far.invalid", false },
        { "near.invalid, far.invalid", "far.invalid", true },
        { "*", "far.invalid", true },
        { "192.0.2.0/24", "192.0.2.7", true },
        { "192.0.2.0/24", "192.0.3.7", false },
        { "192.0.2.7", "192.0.2.7", true },
        { "2.7", "192.0.2.7", false },
        { "2001:db8::/32", "[2001:db8::7]", true },
        { "[2001:db8::7]", "[2001:db8::7]", true },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char uri[64];
        fixture *f = open_proxied(NULL, cases[i].no_proxy, "private"); /* what goes straight is refused, or has no address */
        (void)snprintf(uri, sizeof uri, "http://%s/y", cases[i].host);
        (void)send_one(f, new_call(1, "GET", uri));
        if (service_requests(f->service) != (cases[i].direct ? 0 : 1))
            fail_msg("'%s': %s", cases[i].no_proxy ? cases[i].no_proxy : "", cases[i].host);
        close_all(f);
    }
}

TEST(http, no_proxy_of_the_environment_counts_too)
{
    (void)setenv("NO_PROXY", "far.invalid", 1);
    fixture *f = open_proxied(NULL, "near.invalid", "");
    (void)send_one(f, new_call(1, "GET", "http://far.invalid/x"));
    (void)send_one(f, new_call(2, "GET", "http://near.invalid/x"));
    (void)unsetenv("NO_PROXY");
    EXPECT_INT(service_requests(f->service), 0);
    EXPECT_STR(send_one(f, new_call(3, "GET", "http://also.far.invalid.example/x"))->body, "no such path");
    EXPECT_INT(service_requests(f->service), 1);
    close_all(f);
}

TEST(http, https_goes_through_a_tunnel_and_what_the_proxy_refuses_was_not_sent)
{
    fixture *f = open_proxied(NULL, NULL, "");
    service_on(f->service, "far.invalid:443", (service_answer){ .status = 403 });
    pw_http_call *call = new_call(1, "POST", "https://far.invalid/x");
    add_header(call, PW_LIT("Authorization"), PW_LIT("Bearer secret"));
    const pw_call_result *result = send_one(f, call);
    EXPECT(!result->answered);
    EXPECT_INT(result->class_, PW_CLASS_CONNECTION);
    EXPECT(result->unsent);
    EXPECT_CONTAINS(error_text(result), "the proxy did not connect to far.invalid:443: ");
    EXPECT_TEXT(service_request_at(f->service, 0)->method, "CONNECT");
    EXPECT(service_header(f->service, service_request_at(f->service, 0), "Authorization") == NULL);
    close_all(f);
}

TEST(http, a_wrong_proxy_is_refused_when_the_driver_is_made_without_its_password)
{
    static const char *const cases[] = { "ftp://u:geheim@proxy.example:21", "http://u:geheim@proxy example", "://geheim" };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_http *http = NULL;
        pawl_error err;
        EXPECT_INT(pw_http_new(&http, &(pw_http_options){ .proxy = cases[i] }, on_done, NULL, &err), PAWL_INVALID);
        EXPECT_TEXT(err.message, "the proxy of the settings is no URL of a proxy: it must be [http://|https://|socks5h://]HOST[:PORT]");
    }
}

/* ------------------------------------------------------------------ TLS */

static const pw_call_result *ask(fixture *f, pw_http_options options, int port, const char *host)
{
    pawl_error err;
    char uri[64];
    pw_http_free(f->http);
    options.egress_allow = "loopback";
    EXPECT_OK(pw_http_new(&f->http, &options, on_done, f, &err), err);
    (void)snprintf(uri, sizeof uri, "https://%s:%d/who", host, port);
    return send_one(f, new_call(1, "GET", uri));
}

TEST(http, a_certificate_must_be_of_an_authority_that_is_trusted_and_of_the_host)
{
    tls_service *s = tls_service_new(pw_test_dir(), false);
    fixture *f = open_all();
    const char *ca = tls_service_file(s, "ca.pem");
    int port = tls_service_port(s);
    const pw_call_result *result = ask(f, (pw_http_options){ 0 }, port, "127.0.0.1");
    EXPECT(!result->answered);
    EXPECT_INT(result->class_, PW_CLASS_CONNECTION);
    EXPECT(result->unsent);
    EXPECT_CONTAINS(error_text(result), with_port("the certificate of 127.0.0.1:%d is not trusted: ", port));
    EXPECT_STR(ask(f, (pw_http_options){ .egress_ca = ca }, port, "127.0.0.1")->body, "nobody");
    EXPECT_STR(ask(f, (pw_http_options){ .egress_ca = ca }, port, "localhost")->body, "nobody");
    char map[128];
    (void)snprintf(map, sizeof map, "https://shop.invalid=127.0.0.1:%d", port);
    result = ask(f, (pw_http_options){ .egress_ca = ca, .egress_map = map }, 443, "shop.invalid");
    EXPECT_CONTAINS(error_text(result), "the certificate of shop.invalid:443 is not trusted: ");
    EXPECT_INT(tls_service_requests(s), 2);
    close_all(f);
    tls_service_free(s);
}

TEST(http, certificates_are_not_checked_only_if_that_is_said)
{
    tls_service *s = tls_service_new(pw_test_dir(), false);
    fixture *f = open_all();
    EXPECT_STR(ask(f, (pw_http_options){ .insecure_tls = true }, tls_service_port(s), "127.0.0.1")->body, "nobody");
    EXPECT(!ask(f, (pw_http_options){ 0 }, tls_service_port(s), "127.0.0.1")->answered);
    EXPECT_INT(tls_service_requests(s), 1);
    close_all(f);
    tls_service_free(s);
}

TEST(http, a_client_certificate_is_shown_to_a_service_that_asks)
{
    tls_service *s = tls_service_new(pw_test_dir(), true);
    fixture *f = open_all();
    int port = tls_service_port(s);
    pw_http_options options = { .egress_ca = tls_service_file(s, "ca.pem") };
    const pw_call_result *result = ask(f, options, port, "localhost");
    EXPECT(!result->answered);
    EXPECT_INT(result->class_, PW_CLASS_CONNECTION);
    options.client_certificate = tls_service_file(s, "client.pem");
    options.client_key = tls_service_file(s, "client.key");
    EXPECT_STR(ask(f, options, port, "localhost")->body, "order-engine");
    options.client_certificate = tls_service_file(s, "both.pem");
    options.client_key = NULL;
    EXPECT_STR(ask(f, options, port, "localhost")->body, "order-engine");
    options.client_certificate = tls_service_file(s, "stranger.pem");
    options.client_key = tls_service_file(s, "stranger.key");
    EXPECT(!ask(f, options, port, "localhost")->answered);
    EXPECT_INT(tls_service_requests(s), 2);
    close_all(f);
    tls_service_free(s);
}

TEST(http, files_of_a_client_that_cannot_work_are_refused_when_the_driver_is_made)
{
    tls_service *s = tls_service_new(pw_test_dir(), false);
    const struct {
        const char *certificate, *key, *error;
    } cases[] = {
        { NULL, tls_service_file(s, "client.key"), "is given without a client certificate" },
        { "/nowhere/c.pem", NULL, "client certificate: '/nowhere/c.pem' cannot be opened: No such file or directory" },
        { tls_service_file(s, "client.pem"), "/nowhere/c.key", "client key: '/nowhere/c.key' cannot be opened" },
        { tls_service_file(s, "client.pem"), NULL, "client.pem' holds no private key in PEM form" },
        { tls_service_file(s, "client.key"), NULL, "client.key' holds no certificate in PEM form" },
        { tls_service_file(s, "client.pem"), tls_service_file(s, "ca.pem"), "ca.pem' holds no private key in PEM form" },
        { tls_service_file(s, "client.pem"), tls_service_file(s, "stranger.key"), "stranger.key' is not the key of the certificate in" },
        { tls_service_file(s, "client.pem"), tls_service_file(s, "locked.key"), "locked.key' needs a passphrase" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_http *http = NULL;
        pawl_error err;
        pw_http_options options = { .client_certificate = cases[i].certificate, .client_key = cases[i].key };
        EXPECT_INT(pw_http_new(&http, &options, on_done, NULL, &err), PAWL_INVALID);
        EXPECT(http == NULL);
        EXPECT_CONTAINS(err.message, cases[i].error);
    }
    tls_service_free(s);
}

TEST_MAIN()
