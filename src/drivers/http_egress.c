/* http_egress.c - where requests go instead: an operator's map from services to addresses, and the
 * certificates that are trusted beside the system's.
 *
 * The map is text, `https://api.example=10.0.0.7:8443,http://old.example:8080=127.0.0.1:9000`: a
 * connection to the left goes to the right. Only the connection: the request, its Host and the name
 * that the certificate must have stay those of the left. Such a service is reached without a proxy.
 * A wrong map or file is an error when the driver is made, never a request that goes elsewhere. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
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

/* "host:port" of the text; *host apart, if wanted. NULL: it is not of that form. */
static char *read_place(const char *text, const char *scheme, bool port_needed, char **host_out)
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
    if (host_out)
        *host_out = pw_strdup(pw_str_of(host));
    return pw_buf_take(&buf);
}

static bool known(const struct curl_slist *list, const char *from)
{
    size_t len = strlen(from);
    for (; list; list = list->next)
        if (strncasecmp(list->data, from, len) == 0 && list->data[len] == ':')
            return true;
    return false;
}

/* One entry, in a copy that may be written. */
static pawl_code add_entry(pw_egress *egress, unsigned number, char *entry, pawl_error *err)
{
    PW_AUTO(pw_free_text) char *shown = pw_strdup(pw_str_of(entry));
    PW_AUTO(pw_free_text) char *from = NULL;
    PW_AUTO(pw_free_text) char *host = NULL;
    PW_AUTO(pw_free_text) char *to = NULL;
    char *equals = strchr(entry, '=');
    if (!shown)
        return pw_no_memory(err);
    if (equals) {
        *equals = '\0';
        bool scheme =
            strncasecmp(entry, "http://", 7) == 0 || strncasecmp(entry, "https://", 8) == 0;
        from = scheme ? read_place(entry, "", false, &host) : NULL;
        to = read_place(equals + 1, "http://", true, NULL);
    }
    if (!from || !to)
        return pw_fail(err, PAWL_INVALID,
                       "egress map, entry %u: '%.200s' is not of the form "
                       "https://HOST[:PORT]=HOST:PORT",
                       number, shown);
    if (known(egress->connect_to, from))
        return pw_fail(err, PAWL_INVALID, "egress map, entry %u: %.200s has an entry before this",
                       number, from);
    pw_buf line;
    pw_buf_init(&line, 0);
    pw_buf_printf(&line, "%s:%s", from, to);
    PW_AUTO(pw_free_text) char *text = pw_buf_take(&line);
    struct curl_slist *longer = text ? curl_slist_append(egress->connect_to, text) : NULL;
    if (!longer || !host)
        return pw_no_memory(err);
    egress->connect_to = longer;
    pw_buf_char(&egress->hosts, ',');
    pw_buf_text(&egress->hosts, host);
    return PAWL_OK;
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

static void close_file(FILE **file)
{
    if (*file)
        (void)fclose(*file);
}

/* libcurl would find out at the first request. */
static pawl_code check_certificates(const char *path, pawl_error *err)
{
    PW_AUTO(close_file) FILE *file = fopen(path, "re");
    if (!file) {
        int native = errno;
        return pw_fail_native(err, native == ENOMEM ? PAWL_NO_MEMORY : PAWL_INVALID, native,
                              "egress certificates: '%.200s' cannot be opened: %s", path,
                              strerror(native));
    }
    unsigned count = 0;
    for (X509 *certificate; (certificate = PEM_read_X509(file, NULL, NULL, NULL)) != NULL; count++)
        X509_free(certificate);
    unsigned long last = ERR_peek_last_error();
    bool at_end = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (count == 0)
        return pw_fail(err, PAWL_INVALID,
                       "egress certificates: '%.200s' holds no certificate in PEM form", path);
    if (!at_end)
        return pw_fail(err, PAWL_INVALID,
                       "egress certificates: what follows certificate %u in '%.200s' is not a "
                       "certificate in PEM form",
                       count, path);
    return PAWL_OK;
}

pawl_code pw_egress_open(pw_egress *egress, const char *map, const char *certificates,
                         pawl_error *err)
{
    *egress = (pw_egress){ 0 };
    pw_buf_init(&egress->hosts, 0);
    pawl_code code = map && *map ? read_map(egress, map, err) : PAWL_OK;
    if (code == PAWL_OK && certificates && *certificates) {
        code = check_certificates(certificates, err);
        egress->certificates = code == PAWL_OK ? pw_strdup(pw_str_of(certificates)) : NULL;
        if (code == PAWL_OK && !egress->certificates)
            code = pw_no_memory(err);
    }
    if (code == PAWL_OK && egress->hosts.failed)
        code = pw_no_memory(err);
    if (code != PAWL_OK)
        pw_egress_close(egress);
    return code;
}

void pw_egress_close(pw_egress *egress)
{
    curl_slist_free_all(egress->connect_to);
    pw_buf_done(&egress->hosts);
    pw_free(egress->certificates);
    *egress = (pw_egress){ 0 };
}
