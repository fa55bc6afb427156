/* http_egress.c - which way a request goes: by an operator's map, by a proxy, or straight.
 *
 * The map is text, `https://api.example=10.0.0.7:8443,http://old.example:8080=127.0.0.1:9000`: a
 * connection to the left goes to the right. Only the connection: the request, its Host and the name
 * that the certificate must have stay those of the left. Such a service is reached without a proxy, at
 * any address: the operator named it. A wrong map is an error when the driver is made, never a request
 * that goes elsewhere.
 *
 * The way is decided here, for each request and each redirect, and not by libcurl: so it is certain for
 * every socket whether the rules for addresses hold for it. */
#include <stdio.h>
#include <strings.h>
#include "drivers/http_internal.h"

static void free_url(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void free_part(char **part)
{
    curl_free(*part);
}

static bool has(CURLU *url, CURLUPart part)
{
    PW_AUTO(free_part) char *text = NULL;
    return curl_url_get(url, part, &text, 0) == CURLUE_OK && text && *text;
}

/* Only scheme, host and port. */
static bool bare(CURLU *url)
{
    PW_AUTO(free_part) char *path = NULL;
    return curl_url_get(url, CURLUPART_PATH, &path, 0) == CURLUE_OK && path &&
           strcmp(path, "/") == 0 && !has(url, CURLUPART_QUERY) && !has(url, CURLUPART_FRAGMENT) &&
           !has(url, CURLUPART_USER);
}

/* "host:port" of the text. NULL: it is not of that form. */
static char *read_place(const char *text, const char *scheme, bool port_needed)
{
    PW_AUTO(free_url) CURLU *url = curl_url();
    PW_AUTO(free_part) char *host = NULL;
    PW_AUTO(free_part) char *port = NULL;
    PW_AUTO(free_part) char *own = NULL;
    PW_AUTO(pw_free_text) char *whole = NULL;
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_buf_printf(&buf, "%s%s", scheme, text);
    whole = pw_buf_take(&buf);
    if (!url || !whole || curl_url_set(url, CURLUPART_URL, whole, 0) != CURLUE_OK || !bare(url) ||
        curl_url_get(url, CURLUPART_SCHEME, &own, 0) != CURLUE_OK ||
        (strcmp(own, "http") != 0 && strcmp(own, "https") != 0) ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK || !*host ||
        curl_url_get(url, CURLUPART_PORT, &port, port_needed ? 0 : CURLU_DEFAULT_PORT) != CURLUE_OK)
        return NULL;
    pw_buf_init(&buf, 0);
    pw_buf_printf(&buf, "%s:%s", host, port);
    return pw_buf_take(&buf);
}

static const pw_egress_entry *find_entry(const pw_egress *egress, const char *peer)
{
    for (size_t i = 0; i < egress->map_count; i++)
        if (strcasecmp(egress->map[i].from, peer) == 0)
            return &egress->map[i];
    return NULL;
}

static pawl_code put_entry(pw_egress *egress, char **from, const char *to, pawl_error *err)
{
    pw_buf line;
    pw_buf_init(&line, 0);
    pw_buf_printf(&line, "::%s", to);
    PW_AUTO(pw_free_text) char *text = pw_buf_take(&line);
    pw_egress_entry *more = text ? pw_realloc(egress->map, (egress->map_count + 1) * sizeof *more) : NULL;
    if (!more)
        return pw_no_memory(err);
    egress->map = more;
    struct curl_slist *list = curl_slist_append(NULL, text);
    if (!list)
        return pw_no_memory(err);
    egress->map[egress->map_count++] = (pw_egress_entry){ .from = *from, .to = list };
    *from = NULL; /* the map's */
    return PAWL_OK;
}

/* One entry, in a copy that may be written. */
static pawl_code add_entry(pw_egress *egress, unsigned number, char *entry, pawl_error *err)
{
    PW_AUTO(pw_free_text) char *shown = pw_strdup(pw_str_of(entry));
    PW_AUTO(pw_free_text) char *from = NULL;
    PW_AUTO(pw_free_text) char *to = NULL;
    char *equals = strchr(entry, '=');
    if (!shown)
        return pw_no_memory(err);
    if (equals) {
        *equals = '\0';
        bool scheme =
            strncasecmp(entry, "http://", 7) == 0 || strncasecmp(entry, "https://", 8) == 0;
        from = scheme ? read_place(entry, "", false) : NULL;
        to = read_place(equals + 1, "http://", true);
    }
    if (!from || !to)
        return pw_fail(err, PAWL_INVALID,
                       "egress map, entry %u: '%.200s' is not of the form "
                       "https://HOST[:PORT]=HOST:PORT",
                       number, shown);
    if (find_entry(egress, from))
        return pw_fail(err, PAWL_INVALID, "egress map, entry %u: %.200s has an entry before this",
                       number, from);
    return put_entry(egress, &from, to, err);
}

static pawl_code read_map(pw_egress *egress, const char *map, pawl_error *err)
{
    PW_AUTO(pw_free_text) char *copy = pw_strdup(pw_str_of(map));
    if (!copy)
        return pw_no_memory(err);
    unsigned number = 0;
    for (char *entry = copy, *next; entry; entry = next) {
        next = strchr(entry, ',');
        if (next)
            *next++ = '\0';
        if (++number > PW_EGRESS_MAX)
            return pw_fail(err, PAWL_INVALID, "egress map: more than %u entries", PW_EGRESS_MAX);
        pawl_code code = add_entry(egress, number, entry, err);
        if (code != PAWL_OK)
            return code;
    }
    return PAWL_OK;
}

pawl_code pw_egress_open(pw_egress *egress, const pw_http_options *options, pawl_error *err)
{
    *egress = (pw_egress){ 0 };
    pawl_code code = options->egress_map && *options->egress_map ? read_map(egress, options->egress_map, err) : PAWL_OK;
    if (code == PAWL_OK)
        code = pw_address_open(&egress->addresses, options->egress_allow, err);
    if (code == PAWL_OK)
        code = pw_proxies_open(&egress->proxies, options->proxy, options->no_proxy, err);
    if (code == PAWL_OK)
        code = pw_tls_open(&egress->tls, options, err);
    if (code != PAWL_OK)
        pw_egress_close(egress);
    return code;
}

void pw_egress_close(pw_egress *egress)
{
    for (size_t i = 0; i < egress->map_count; i++) {
        pw_free(egress->map[i].from);
        curl_slist_free_all(egress->map[i].to);
    }
    pw_free(egress->map);
    pw_address_close(&egress->addresses);
    pw_proxies_close(&egress->proxies);
    pw_tls_close(&egress->tls);
    *egress = (pw_egress){ 0 };
}

/* Without the brackets of an IPv6 address; a name that is too long for DNS is none. */
static bool bare_host(char out[256], const char *host)
{
    size_t len = strlen(host);
    if (*host == '[' && len > 2) {
        host++;
        len -= 2;
    }
    if (len >= 256)
        return false;
    memcpy(out, host, len);
    out[len] = '\0';
    return true;
}

pw_route pw_egress_route(const pw_egress *egress, bool secure, const char *host, const char *port)
{
    pw_route route = { 0 };
    char text[300];
    if (egress->map_count && snprintf(text, sizeof text, "%s:%s", host, port) < (int)sizeof text) {
        const pw_egress_entry *entry = find_entry(egress, text);
        if (entry) {
            route.mapped = entry->to;
            return route;
        }
    }
    if (bare_host(text, host))
        route.proxy = pw_proxies_of(&egress->proxies, secure, text);
    return route;
}
