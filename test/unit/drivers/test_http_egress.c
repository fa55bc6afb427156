/* The HTTP driver: which way a request goes, and whom it trusts. */
#include <stdlib.h>
#include "http_fixture.h"

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

TEST_MAIN()
