/* http_redirect.c - an answer that leads elsewhere, if the request follows.
 *
 * Redirects are followed here and not by libcurl: the way of each (map, proxy, rules for addresses) is decided anew, and what
 * goes along is chosen.
 *
 * Method    As browsers do it: after 301 and 302 a POST becomes a GET, other methods stay; after 303 all but HEAD become GET;
 *           307 and 308 change nothing. Without its body a request goes without the headers that describe it.
 * Secrets   To another service - scheme, host or port differ - go only the headers named below: Authorization, Cookie and
 *           headers of the request's own naming stay behind, also if a later redirect leads back. The idempotency key goes
 *           along: it is no secret, and the one that has the effect needs it. So do correlation and trace.
 * Limits    So many redirects, one time for all of them, http and https only. */
#include <strings.h>
#include "drivers/http_internal.h"

bool pw_http_goes_along(pw_str name)
{
    static const char *const names[] = { "accept", "accept-charset", "accept-encoding", "accept-language", "content-encoding",
                                         "content-language", "content-type", "expect", "idempotency-key", "prefer",
                                         "traceparent", "tracestate", "user-agent", "x-correlation-id" };
    for (size_t i = 0; i < PW_LENGTH(names); i++)
        if (pw_http_same_name(name, names[i]))
            return true;
    return false;
}

static bool leads_on(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static pw_str location_of(const pw_http_transfer *transfer)
{
    for (size_t i = 0; i < transfer->header_count; i++)
        if (pw_str_is(transfer->headers[i].name, "location"))
            return transfer->headers[i].value;
    return PW_LIT("");
}

static void free_url(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void free_part(char **part)
{
    curl_free(*part);
}

/* What the location means, seen from where it was said. NULL: it is no URI, or out of memory (arena->failed). */
static const char *resolve(pw_arena *arena, const char *base, pw_str location)
{
    PW_AUTO(free_url) CURLU *url = curl_url();
    PW_AUTO(free_part) char *whole = NULL;
    pw_str text = pw_arena_str(arena, location);
    if (!url || !text.ptr)
        return pw_arena_fail(arena, false);
    if (curl_url_set(url, CURLUPART_URL, base, 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_URL, text.ptr, CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_URL, &whole, 0) != CURLUE_OK)
        return NULL;
    return pw_arena_str(arena, pw_str_of(whole)).ptr;
}

static bool wrong(pw_http_transfer *transfer, bool *failed, pw_str why)
{
    pw_http_transfer_fail(transfer, PW_CLASS_MALFORMED, why);
    *failed = true;
    return false;
}

static void change_method(pw_http_transfer *transfer, long status)
{
    bool head = strcmp(transfer->method, "HEAD") == 0;
    bool post = strcmp(transfer->method, "POST") == 0;
    if ((status == 303 && !head) || ((status == 301 || status == 302) && post)) {
        transfer->method = "GET";
        transfer->bodiless = true;
    }
}

/* Of the request before, nothing is left. */
static void begin_again(pw_http_transfer *transfer)
{
    transfer->redirects++;
    transfer->refused = NULL;
    transfer->connecting = false;
    transfer->header_count = 0;
    pw_http_transfer_clear(transfer);
}

bool pw_http_redirect(pw_http_transfer *transfer, const pw_http_common *common, bool *failed)
{
    pw_arena *arena = &transfer->call.arena;
    long status = 0;
    pw_str location = location_of(transfer);
    pw_str from = transfer->target.peer;
    *failed = false;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (!transfer->call.request.redirect || !leads_on(status) || location.len == 0)
        return false;
    if (transfer->redirects >= common->redirects)
        return wrong(transfer, failed,
                     pw_arena_printf(arena, "more than %u redirects, the last by " PW_FMT, common->redirects, PW_ARG(from)));
    pw_http_target next;
    bool http = false;
    const char *uri = resolve(arena, transfer->target.uri, location);
    bool good = uri && pw_http_target_of(&next, arena, uri, &http);
    if (arena->failed)
        return wrong(transfer, failed, (pw_str){ NULL, 0 });
    if (!good)
        return wrong(transfer, failed,
                     pw_arena_printf(arena, "redirected by " PW_FMT " to '" PW_FMT "', which is no http or https URI", PW_ARG(from),
                                     PW_ARG(location)));
    if (!http)
        return wrong(transfer, failed,
                     pw_arena_printf(arena, "redirected to " PW_FMT ", which is neither http nor https", PW_ARG(next.peer)));
    if (!pw_str_eq(next.key, transfer->target.key))
        transfer->left = true;
    transfer->target = next;
    change_method(transfer, status);
    begin_again(transfer);
    return true;
}
