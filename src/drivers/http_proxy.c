/* http_proxy.c - which requests go by a proxy.
 *
 * The environment is read once, when the driver is made, by the names that everybody uses: http_proxy (in lower case only: a
 * web server gives HTTP_PROXY to its programs from a header of the client's), https_proxy, all_proxy and no_proxy. A setting goes
 * before it. Loopback is never reached by a proxy.
 *
 * A list of hosts without a proxy has names, which mean what is below them too ("example.com", ".example.com"), addresses,
 * networks, and "*". What a proxy reaches is its own matter: it has the name, and resolves it. */
#include <stdlib.h>
#include <strings.h>
#include "drivers/http_egress.h"

static const char *environment(const char *lower, const char *upper)
{
    const char *value = getenv(lower);
    if (!value && upper)
        value = getenv(upper);
    return value && *value ? value : NULL;
}

static void free_url(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void free_part(char **part)
{
    curl_free(*part);
}

/* What it says is not in the message: it may hold a password. */
static pawl_code check(const char *proxy, const char *where, pawl_error *err)
{
    static const char *const schemes[] = { "http", "https", "socks4", "socks4a", "socks5", "socks5h" };
    PW_AUTO(free_url) CURLU *url = curl_url();
    PW_AUTO(free_part) char *scheme = NULL;
    if (!url)
        return pw_no_memory(err);
    bool good = curl_url_set(url, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK;
    for (size_t i = 0; good && i < PW_LENGTH(schemes); i++)
        if (strcasecmp(scheme, schemes[i]) == 0)
            return PAWL_OK;
    return pw_fail(err, PAWL_INVALID, "%s is no URL of a proxy: it must be [http://|https://|socks5h://]HOST[:PORT]", where);
}

static pawl_code take(char **out, const char *proxy, const char *where, pawl_error *err)
{
    if (!proxy || !*proxy)
        return PAWL_OK;
    pawl_code code = check(proxy, where, err);
    if (code != PAWL_OK)
        return code;
    *out = pw_strdup(pw_str_of(proxy));
    return *out ? PAWL_OK : pw_no_memory(err);
}

static void add_list(pw_buf *list, const char *hosts)
{
    if (hosts && *hosts) {
        pw_buf_char(list, ',');
        pw_buf_text(list, hosts);
    }
}

pawl_code pw_proxies_open(pw_proxies *proxies, const char *proxy, const char *no_proxy, pawl_error *err)
{
    *proxies = (pw_proxies){ 0 };
    const char *all = environment("all_proxy", "ALL_PROXY");
    const char *plain = environment("http_proxy", NULL);
    const char *secure = environment("https_proxy", "HTTPS_PROXY");
    const char *from_plain = "http_proxy of the environment", *from_secure = "https_proxy of the environment";
    if (!plain) {
        plain = all;
        from_plain = "all_proxy of the environment";
    }
    if (!secure) {
        secure = all;
        from_secure = "all_proxy of the environment";
    }
    if (proxy) {
        plain = secure = proxy;
        from_plain = from_secure = "the proxy of the settings";
    }
    pawl_code code = take(&proxies->plain, plain, from_plain, err);
    if (code == PAWL_OK)
        code = take(&proxies->secure, secure, from_secure, err);
    pw_buf list;
    pw_buf_init(&list, 0);
    pw_buf_text(&list, "localhost,127.0.0.0/8,::1");
    add_list(&list, environment("no_proxy", "NO_PROXY"));
    add_list(&list, no_proxy);
    proxies->direct = pw_buf_take(&list);
    return code == PAWL_OK && !proxies->direct ? pw_no_memory(err) : code;
}

void pw_proxies_close(pw_proxies *proxies)
{
    pw_free(proxies->plain);
    pw_free(proxies->secure);
    pw_free(proxies->direct);
    *proxies = (pw_proxies){ 0 };
}

static bool below(pw_str host, pw_str name)
{
    if (host.len < name.len || name.len == 0 || strncasecmp(host.ptr + host.len - name.len, name.ptr, name.len) != 0)
        return false;
    return host.len == name.len || host.ptr[host.len - name.len - 1] == '.';
}

static bool matches(pw_str entry, pw_str host, const unsigned char *address)
{
    pw_network network;
    if (pw_str_is(entry, "*"))
        return true;
    if (entry.len > 2 && *entry.ptr == '[' && entry.ptr[entry.len - 1] == ']')
        entry = (pw_str){ entry.ptr + 1, entry.len - 2 };
    if (pw_network_parse(&network, entry, NULL))
        return address && pw_network_has(&network, address);
    if (entry.len && *entry.ptr == '.')
        entry = (pw_str){ entry.ptr + 1, entry.len - 1 };
    if (entry.len && entry.ptr[entry.len - 1] == '.')
        entry.len--;
    return !address && below(host, entry);
}

const char *pw_proxies_of(const pw_proxies *proxies, bool secure, const char *name)
{
    const char *proxy = secure ? proxies->secure : proxies->plain;
    if (!proxy)
        return NULL;
    unsigned char address[16];
    bool numeric = pw_address_parse(address, name);
    pw_str host = pw_str_of(name);
    if (host.len && host.ptr[host.len - 1] == '.')
        host.len--;
    for (const char *at = proxies->direct; *at;) {
        size_t len = strcspn(at, ", \t");
        if (matches((pw_str){ at, len }, host, numeric ? address : NULL))
            return NULL;
        at += len;
        at += strspn(at, ", \t");
    }
    return proxy;
}
