/* http_egress.h - which way a request goes, and whom it trusts: what an operator says of all calls to the outside. */
#ifndef PW_HTTP_EGRESS_H
#define PW_HTTP_EGRESS_H

#include <curl/curl.h>
#include "drivers/http.h"
#include "drivers/http_address.h"

/* ---- the map (http_egress.c) */

typedef struct pw_egress_entry {
    char *from;            /* "host:port" */
    struct curl_slist *to; /* "::HOST:PORT", as libcurl has it: whatever the request says */
} pw_egress_entry;

/* ---- proxies (http_proxy.c) */

typedef struct pw_proxies {
    char *plain, *secure; /* URLs for http and https; NULL: none */
    char *direct;         /* hosts, with commas, that are reached without one */
} pw_proxies;

PAWL_CHECK pawl_code pw_proxies_open(pw_proxies *proxies, const char *proxy, const char *no_proxy, pawl_error *err);
void pw_proxies_close(pw_proxies *proxies);
/* NULL: none. `host` without brackets. */
const char *pw_proxies_of(const pw_proxies *proxies, bool secure, const char *host);

/* ---- files of certificates and keys (http_tls.c) */

typedef struct pw_tls {
    char *certificates;              /* trusted beside the system's; NULL: none */
    char *client_certificate, *client_key;
    bool insecure;
} pw_tls;

PAWL_CHECK pawl_code pw_tls_open(pw_tls *tls, const pw_http_options *options, pawl_error *err);
void pw_tls_close(pw_tls *tls);

/* ---- all of it (http_egress.c) */

typedef struct pw_egress {
    pw_egress_entry *map;
    size_t map_count;
    pw_address_rules addresses;
    pw_proxies proxies;
    pw_tls tls;
} pw_egress;

/* Nothing in it: straight, to an address that the rules allow. Never both. */
typedef struct pw_route {
    struct curl_slist *mapped; /* for CURLOPT_CONNECT_TO */
    const char *proxy;
} pw_route;

PAWL_CHECK pawl_code pw_egress_open(pw_egress *egress, const pw_http_options *options, pawl_error *err);
void pw_egress_close(pw_egress *egress); /* also a zeroed one */
/* Of a request to host and port; `host` as in a URL, with the brackets of an IPv6 address. */
pw_route pw_egress_route(const pw_egress *egress, bool secure, const char *host, const char *port);
#endif
