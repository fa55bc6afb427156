/* http_tls.c - certificates and keys of HTTP calls: those that are trusted beside the system's, and those that we show.
 *
 * They are read by libcurl, for each connection, so a renewed file is used without a restart. Here they are looked at once, when
 * the driver is made: a file that cannot work is an error then, and not that of the first call. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include "drivers/http_egress.h"

static void close_file(FILE **file)
{
    if (*file)
        (void)fclose(*file);
}

static void free_certificate(X509 **certificate)
{
    X509_free(*certificate);
}

static void free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static pawl_code open_file(FILE **out, const char *what, const char *path, pawl_error *err)
{
    *out = fopen(path, "re");
    if (*out)
        return PAWL_OK;
    int native = errno;
    return pw_fail_native(err, native == ENOMEM ? PAWL_NO_MEMORY : PAWL_INVALID, native, "%s: '%.200s' cannot be opened: %s", what,
                          path, strerror(native));
}

static pawl_code check_trusted(const char *path, pawl_error *err)
{
    PW_AUTO(close_file) FILE *file = NULL;
    pawl_code code = open_file(&file, "egress certificates", path, err);
    if (code != PAWL_OK)
        return code;
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

/* Nobody is there to be asked for one. */
static int no_passphrase(char *buf, int size, int writing, void *context)
{
    (void)buf, (void)size, (void)writing;
    *(bool *)context = true;
    return -1;
}

static pawl_code check_shown(const char *certificate_path, const char *key_path, pawl_error *err)
{
    PW_AUTO(close_file) FILE *certificate_file = NULL;
    PW_AUTO(close_file) FILE *key_file = NULL;
    PW_AUTO(free_certificate) X509 *certificate = NULL;
    PW_AUTO(free_key) EVP_PKEY *key = NULL;
    bool asked = false;
    pawl_code code = open_file(&certificate_file, "client certificate", certificate_path, err);
    if (code == PAWL_OK)
        code = open_file(&key_file, "client key", key_path, err);
    if (code != PAWL_OK)
        return code;
    certificate = PEM_read_X509(certificate_file, NULL, NULL, NULL);
    key = PEM_read_PrivateKey(key_file, NULL, no_passphrase, &asked);
    bool pair = certificate && key && X509_check_private_key(certificate, key) == 1;
    ERR_clear_error();
    if (!certificate)
        return pw_fail(err, PAWL_INVALID, "client certificate: '%.200s' holds no certificate in PEM form", certificate_path);
    if (asked)
        return pw_fail(err, PAWL_INVALID, "client key: '%.200s' needs a passphrase: give a file without one, which only its user "
                                          "may read", key_path);
    if (!key)
        return pw_fail(err, PAWL_INVALID, "client key: '%.200s' holds no private key in PEM form", key_path);
    if (!pair)
        return pw_fail(err, PAWL_INVALID, "client key: '%.200s' is not the key of the certificate in '%.200s'", key_path,
                       certificate_path);
    return PAWL_OK;
}

static bool given(const char *path)
{
    return path && *path;
}

static bool copy(char **out, const char *path)
{
    *out = given(path) ? pw_strdup(pw_str_of(path)) : NULL;
    return *out || !given(path);
}

pawl_code pw_tls_open(pw_tls *tls, const pw_http_options *options, pawl_error *err)
{
    *tls = (pw_tls){ .insecure = options->insecure_tls };
    const char *shown = options->client_certificate;
    const char *key = given(options->client_key) ? options->client_key : shown; /* one file may hold both */
    pawl_code code = given(options->egress_ca) ? check_trusted(options->egress_ca, err) : PAWL_OK;
    if (code == PAWL_OK && given(options->client_key) && !given(shown))
        code = pw_fail(err, PAWL_INVALID, "client key: '%.200s' is given without a client certificate", options->client_key);
    if (code == PAWL_OK && given(shown))
        code = check_shown(shown, key, err);
    if (code == PAWL_OK && !(copy(&tls->certificates, options->egress_ca) && copy(&tls->client_certificate, shown) &&
                             copy(&tls->client_key, given(shown) ? key : NULL)))
        code = pw_no_memory(err);
    return code;
}

void pw_tls_close(pw_tls *tls)
{
    pw_free(tls->certificates);
    pw_free(tls->client_certificate);
    pw_free(tls->client_key);
    *tls = (pw_tls){ 0 };
}
