/* To which addresses HTTP calls may go: the rules by themselves, and against real sockets. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include "http_fixture.h"
#include "drivers/http_address.h"

/* ------------------------------------------------------------------ the rules */

static pw_address_verdict judge(const char *allow, const char *text)
{
    pw_address_rules rules;
    pawl_error err;
    struct sockaddr_storage place = { 0 };
    struct sockaddr_in *four = (void *)&place;
    struct sockaddr_in6 *six = (void *)&place;
    EXPECT_OK(pw_address_open(&rules, allow, &err), err);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
    } else {
        EXPECT_INT(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
        six->sin6_family = AF_INET6;
    }
    pw_address_verdict verdict = pw_address_judge(&rules, (const struct sockaddr *)&place);
    pw_address_close(&rules);
    return verdict;
}

TEST(address, only_public_addresses_are_allowed_by_themselves)
{
    static const struct {
        const char *address, *kind; /* NULL: public */
    } cases[] = {
        { "8.8.8.8", NULL },
        { "93.184.216.34", NULL },
        { "0.0.0.0", "a reserved address" },
        { "0.255.255.255", "a reserved address" },
        { "1.0.0.0", NULL },
        { "9.255.255.255", NULL },
        { "10.0.0.0", "a private address" },
        { "10.255.255.255", "a private address" },
        { "11.0.0.0", NULL },
        { "100.63.255.255", NULL },
        { "100.64.0.0", "an address of a provider's own network" },
        { "100.127.255.255", "an address of a provider's own network" },
        { "100.128.0.0", NULL },
        { "126.255.255.255", NULL },
        { "127.0.0.1", "a loopback address" },
        { "127.255.255.255", "a loopback address" },
        { "128.0.0.0", NULL },
        { "169.253.255.255", NULL },
        { "169.254.0.1", "a link-local address" },
        { "169.254.169.253", "a link-local address" },
        { "169.254.169.254", "where a cloud gives away the credentials of its machines" },
        { "169.254.170.2", "where a cloud gives away the credentials of its machines" },
        { "169.254.170.23", "where a cloud gives away the credentials of its machines" },
        { "100.100.100.200", "where a cloud gives away the credentials of its machines" },
        { "168.63.129.16", "where a cloud gives away the credentials of its machines" },
        { "192.0.0.192", "where a cloud gives away the credentials of its machines" },
        { "169.255.0.0", NULL },
        { "172.15.255.255", NULL },
        { "172.16.0.0", "a private address" },
        { "172.31.255.255", "a private address" },
        { "172.32.0.0", NULL },
        { "192.0.0.1", "a reserved address" },
        { "192.0.1.0", NULL },
        { "192.0.2.1", "an address for documentation" },
        { "192.88.99.1", "a reserved address" },
        { "192.167.255.255", NULL },
        { "192.168.0.0", "a private address" },
        { "192.168.255.255", "a private address" },
        { "192.169.0.0", NULL },
        { "198.17.255.255", NULL },
        { "198.18.0.0", "a reserved address" },
        { "198.19.255.255", "a reserved address" },
        { "198.20.0.0", NULL },
        { "198.51.100.7", "an address for documentation" },
        { "203.0.113.7", "an address for documentation" },
        { "223.255.255.255", NULL },
        { "224.0.0.1", "a multicast address" },
        { "239.255.255.255", "a multicast address" },
        { "240.0.0.1", "a reserved address" },
        { "255.255.255.255", "a reserved address" },
        { "2606:4700::1111", NULL },
        { "2a00:1450::1", NULL },
        { "::", "a reserved address" },
        { "::1", "a loopback address" },
        { "::2", "a reserved address" },
        { "::127.0.0.1", "a reserved address" },
        { "::ffff:127.0.0.1", "a loopback address" },
        { "::ffff:10.1.2.3", "a private address" },
        { "::ffff:169.254.169.254", "where a cloud gives away the credentials of its machines" },
        { "::ffff:8.8.8.8", NULL },
        { "64:ff9b::7f00:1", "a loopback address" },
        { "64:ff9b::a00:1", "a private address" },
        { "64:ff9b::808:808", NULL },
        { "64:ff9b:1::1", "a reserved address" },
        { "100::1", "a reserved address" },
        { "2001::1", "a reserved address" },
        { "2001:1ff::1", "a reserved address" },
        { "2001:200::1", NULL },
        { "2001:db8::1", "an address for documentation" },
        { "2002:7f00:1::1", "a loopback address" },
        { "2002:a9fe:a9fe::1", "where a cloud gives away the credentials of its machines" },
        { "2002:808:808::1", NULL },
        { "3fff::1", "an address for documentation" },
        { "4000::1", "a reserved address" },
        { "fc00::1", "a private address" },
        { "fdff::1", "a private address" },
        { "fd00:ec2::254", "where a cloud gives away the credentials of its machines" },
        { "fd00:ec2::23", "where a cloud gives away the credentials of its machines" },
        { "fd20:ce::254", "where a cloud gives away the credentials of its machines" },
        { "fe00::1", "a reserved address" },
        { "fe80::1", "a link-local address" },
        { "febf::1", "a link-local address" },
        { "fec0::1", "a private address" },
        { "ff02::1", "a multicast address" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_address_verdict verdict = judge(NULL, cases[i].address);
        if (verdict.allowed != (cases[i].kind == NULL))
            fail_msg("%s: %s", cases[i].address, verdict.allowed ? "allowed" : verdict.kind);
        if (cases[i].kind)
            EXPECT_TEXT(verdict.kind, cases[i].kind);
        EXPECT_TEXT(verdict.text, cases[i].address);
    }
}

TEST(address, an_operator_allows_by_word_by_address_and_by_network)
{
    static const struct {
        const char *allow, *address;
        bool allowed;
    } cases[] = {
        { "loopback", "127.0.0.1", true },
        { "loopback", "::1", true },
        { "loopback", "::ffff:127.0.0.1", true },
        { "loopback", "10.0.0.1", false },
        { "loopback", "0.0.0.0", false },
        { "private", "10.0.0.1", true },
        { "private", "fd12::1", true },
        { "private", "127.0.0.1", false },
        { "private", "100.64.0.1", false },
        { "private", "fd00:ec2::254", false },
        { "link-local", "169.254.7.7", true },
        { "link-local", "fe80::1", true },
        { "link-local", "169.254.169.254", false },
        { "169.254.0.0/16", "169.254.169.254", false },
        { "169.254.169.254", "169.254.169.254", true },
        { "169.254.169.254", "::ffff:169.254.169.254", true },
        { "all", "169.254.169.254", true },
        { "all", "0.0.0.0", true },
        { "10.1.0.0/16", "10.1.255.255", true },
        { "10.1.0.0/16", "10.2.0.0", false },
        { "10.1.0.0/16", "::ffff:10.1.0.1", true },
        { "10.128.0.0/9", "10.128.0.0", true },
        { "10.128.0.0/9", "10.127.255.255", false },
        { "0.0.0.0/0", "10.127.255.255", true },
        { "0.0.0.0/0", "fd12::1", false },
        { "fd00::/8", "fd12::1", true },
        { "fd00::/8", "fc12::1", false },
        { "10.1.2.3", "10.1.2.3", true },
        { "10.1.2.3", "10.1.2.4", false },
        { " private , loopback\t", "127.0.0.1", true },
        { "192.168.7.1,loopback,10.0.0.0/8", "10.9.9.9", true },
        { "", "127.0.0.1", false },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++)
        if (judge(cases[i].allow, cases[i].address).allowed != cases[i].allowed)
            fail_msg("'%s': %s is not %s", cases[i].allow, cases[i].address, cases[i].allowed ? "allowed" : "refused");
}

TEST(address, a_wrong_list_is_refused_when_the_driver_is_made)
{
    static const struct {
        const char *allow, *error;
    } cases[] = {
        { "localhost", "egress allow, entry 1: 'localhost' is neither loopback, private, link-local nor all, and no address or "
                       "network in numbers, as 10.1.2.3, 10.1.0.0/16 or fd00::/8" },
        { "loopback,", "entry 2: ''" },
        { ",loopback", "entry 1: ''" },
        { "Loopback", "entry 1: 'Loopback' is neither" },
        { "10.0.0.0/33", "'10.0.0.0/33' is neither" },
        { "fd00::/129", "'fd00::/129' is neither" },
        { "10.0.0.0/", "is neither" },
        { "10.0.0.0/8x", "is neither" },
        { "10.0.0.0/-1", "is neither" },
        { "10.0.0", "is neither" },
        { "0x7f.1", "is neither" },
        { "[::1]", "is neither" },
        { "10.1.2.3/8", "entry 1: '10.1.2.3/8' has bits set behind those of its network" },
        { "loopback,fd00::1/8", "entry 2: 'fd00::1/8' has bits set behind those of its network" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        pw_http *http = NULL;
        pawl_error err;
        pw_http_options options = { .egress_allow = cases[i].allow };
        EXPECT_INT(pw_http_new(&http, &options, on_done, NULL, &err), PAWL_INVALID);
        EXPECT(http == NULL);
        EXPECT_CONTAINS(err.message, cases[i].error);
    }
}

/* ------------------------------------------------------------------ calls */

static void expect_forbidden(const pw_call_result *result)
{
    EXPECT(!result->answered);
    EXPECT(!result->timed_out);
    if (result->class_ != PW_CLASS_FORBIDDEN)
        fail_msg("%s: %s", pw_error_class_name(result->class_), error_text(result));
}

TEST(address, loopback_is_not_called_in_whatever_form_it_is_written)
{
    static const char *const forms[] = {
        "http://127.0.0.1:%d/", "http://localhost:%d/",  "http://LocalHost:%d/", "http://2130706433:%d/",
        "http://0x7f000001:%d/", "http://0x7f.1:%d/",    "http://0177.0.0.1:%d/",       "http://127.1:%d/",
        "http://[::1]:%d/",      "http://[::ffff:127.0.0.1]:%d/", "http://[::ffff:7f00:1]:%d/", "http://0:%d/",
        "http://0.0.0.0:%d/",    "http://[::]:%d/",      "http://u:p@127.0.0.1:%d/",    "http://8.8.8.8@127.0.0.1:%d/",
        "http://127.0.0.1:%d/#@8.8.8.8", "https://127.0.0.1:%d/",
    };
    fixture *f = open_with((pw_http_options){ .egress_allow = "" });
    for (size_t i = 0; i < PW_LENGTH(forms); i++) {
        const pw_call_result *result = send_one(f, new_call(i, "GET", with_port(forms[i], service_port(f->service))));
        expect_forbidden(result);
        EXPECT(result->unsent);
    }
    EXPECT_INT(service_connections(f->service), 0);
    close_all(f);
}

TEST(address, a_refusal_names_the_address_the_rule_and_the_setting)
{
    fixture *f = open_with((pw_http_options){ .egress_allow = "private" });
    const pw_call_result *result = send_one(f, new_call(1, "GET", "http://127.0.0.2:8080/x"));
    expect_forbidden(result);
    EXPECT_STR(result->error, "calls to 127.0.0.2 (127.0.0.2:8080) are not allowed: it is a loopback address; who runs the engine may "
                              "allow it by loopback or 127.0.0.2 in Engine:EgressAllow (PAWL_EGRESS_ALLOW, egress_allow)");
    result = send_one(f, new_call(2, "GET", "http://169.254.169.254/latest/meta-data/"));
    expect_forbidden(result);
    EXPECT_STR(result->error, "calls to 169.254.169.254 (169.254.169.254:80) are not allowed: it is where a cloud gives away the "
                              "credentials of its machines; who runs the engine may allow it by 169.254.169.254 in "
                              "Engine:EgressAllow (PAWL_EGRESS_ALLOW, egress_allow)");
    close_all(f);
}

TEST(address, a_name_is_judged_by_where_it_leads)
{
    fixture *f = open_with((pw_http_options){ .egress_allow = "127.0.0.1" });
    service_on(f->service, "/", (service_answer){ .body = "here" });
    const pw_call_result *result = send_one(f, new_call(1, "GET", with_port("http://localhost:%d/", service_port(f->service))));
    EXPECT_STR(result->body, "here"); /* ::1, if the name has it, is passed over */
    close_all(f);
}

TEST(address, a_redirect_to_a_private_address_is_refused)
{
    fixture *f = open_all();
    service *inner = service_new();
    pw_http_free(f->http);
    pawl_error err;
    char map[128], location[128];
    (void)snprintf(map, sizeof map, "http://shop.invalid=127.0.0.1:%d", service_port(f->service));
    EXPECT_OK(pw_http_new(&f->http, &(pw_http_options){ .egress_map = map }, on_done, f, &err), err);
    (void)snprintf(location, sizeof location, "Location: %s\r\n", service_url(inner, "/secret"));
    service_on(f->service, "/a", (service_answer){ .status = 302, .headers = location });
    pw_http_call *call = new_call(1, "GET", "http://shop.invalid/a");
    call->request.redirect = true;
    const pw_call_result *result = send_one(f, call);
    expect_forbidden(result);
    EXPECT(!result->unsent); /* the first request was sent */
    EXPECT_INT(service_requests(f->service), 1);
    EXPECT_INT(service_connections(inner), 0);
    service_free(inner);
    close_all(f);
}

TEST(address, a_connection_of_the_map_serves_no_other_name)
{
    char map[128];
    service *s = service_new();
    (void)snprintf(map, sizeof map, "http://shop.invalid=127.0.0.1:%d", service_port(s));
    fixture *f = open_with((pw_http_options){ .egress_map = map, .egress_allow = "" });
    service_on(s, "/", (service_answer){ .body = "mapped" });
    EXPECT_STR(send_one(f, new_call(1, "GET", "http://shop.invalid/"))->body, "mapped");
    expect_forbidden(send_one(f, new_call(2, "GET", with_port("http://127.0.0.1:%d/", service_port(s)))));
    expect_forbidden(send_one(f, new_call(3, "GET", with_port("http://localhost:%d/", service_port(s)))));
    EXPECT_STR(send_one(f, new_call(4, "GET", "http://shop.invalid/"))->body, "mapped");
    EXPECT_INT(service_requests(s), 2);
    EXPECT_INT(service_connections(s), 1);
    service_free(s);
    close_all(f);
}

TEST(address, a_connection_to_the_proxy_is_no_way_to_call_it)
{
    service *proxy = service_new();
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", service_port(proxy));
    fixture *f = open_with((pw_http_options){ .proxy = url, .egress_allow = "" });
    service_on(proxy, "http://far.invalid/x", (service_answer){ .body = "by proxy" });
    EXPECT_STR(send_one(f, new_call(1, "GET", "http://far.invalid/x"))->body, "by proxy");
    expect_forbidden(send_one(f, new_call(2, "GET", with_port("http://127.0.0.1:%d/", service_port(proxy)))));
    EXPECT_INT(service_requests(proxy), 1);
    EXPECT_INT(service_connections(proxy), 1);
    service_free(proxy);
    close_all(f);
}

TEST_MAIN()
