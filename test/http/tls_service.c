/* tls_service.c - a service that speaks TLS, for tests. See tls_service.h. One connection at a time. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "http/tls_service.h"

enum { FILES_MAX = 32 };

typedef struct pair {
    EVP_PKEY *key;
    X509 *certificate;
} pair;

struct tls_service {
    char dir[512];
    int fd, port;
    SSL_CTX *context;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    bool stopping;
    int open; /* the connection; -1 */
    unsigned requests;
    char *files[FILES_MAX];
    unsigned file_count;
};

_Noreturn static void give_up(const char *what)
{
    (void)fprintf(stderr, "test TLS service: %s\n", what);
    ERR_print_errors_fp(stderr);
    abort();
}

#define MUST(condition) ((condition) ? (void)0 : give_up(#condition))

/* ------------------------------------------------------------------ certificates */

static void extend(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    MUST(extension && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* By itself if `by` is NULL. */
static pair certify(const char *name, long serial, const pair *by, const char *names)
{
    pair out = { EVP_EC_gen("P-256"), X509_new() };
    MUST(out.key && out.certificate);
    X509_NAME *subject = X509_get_subject_name(out.certificate);
    MUST(X509_set_version(out.certificate, 2) == 1);
    MUST(ASN1_INTEGER_set(X509_get_serialNumber(out.certificate), serial) == 1);
    MUST(X509_gmtime_adj(X509_getm_notBefore(out.certificate), -3600) != NULL);
    MUST(X509_gmtime_adj(X509_getm_notAfter(out.certificate), 86400) != NULL);
    MUST(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1);
    MUST(X509_set_issuer_name(out.certificate, by ? X509_get_subject_name(by->certificate) : subject) == 1);
    MUST(X509_set_pubkey(out.certificate, out.key) == 1);
    if (!by)
        extend(out.certificate, NID_basic_constraints, "critical,CA:TRUE");
    if (names)
        extend(out.certificate, NID_subject_alt_name, names);
    MUST(X509_sign(out.certificate, by ? by->key : out.key, EVP_sha256()) > 0);
    return out;
}

static void forget(pair *p)
{
    EVP_PKEY_free(p->key);
    X509_free(p->certificate);
}

static FILE *create(tls_service *s, const char *name)
{
    FILE *file = fopen(tls_service_file(s, name), "we");
    MUST(file != NULL);
    return file;
}

static void write_pair(tls_service *s, const pair *p, const char *certificate, const char *key)
{
    FILE *file = create(s, certificate);
    MUST(PEM_write_X509(file, p->certificate) == 1);
    if (!key)
        MUST(PEM_write_PrivateKey(file, p->key, NULL, NULL, 0, NULL, NULL) == 1);
    (void)fclose(file);
    if (!key)
        return;
    file = create(s, key);
    MUST(PEM_write_PrivateKey(file, p->key, NULL, NULL, 0, NULL, NULL) == 1);
    (void)fclose(file);
}

static void write_files(tls_service *s, const pair *authority)
{
    pair client = certify("order-engine", 3, authority, NULL), stranger = certify("stranger", 4, NULL, NULL);
    static unsigned char passphrase[] = "secret";
    FILE *file = create(s, "ca.pem");
    MUST(PEM_write_X509(file, authority->certificate) == 1);
    (void)fclose(file);
    write_pair(s, &client, "client.pem", "client.key");
    write_pair(s, &client, "both.pem", NULL);
    write_pair(s, &stranger, "stranger.pem", "stranger.key");
    file = create(s, "locked.key");
    MUST(PEM_write_PrivateKey(file, client.key, EVP_aes_128_cbc(), passphrase, 6, NULL, NULL) == 1);
    (void)fclose(file);
    forget(&client);
    forget(&stranger);
}

static void open_context(tls_service *s, bool ask, const char *names)
{
    pair authority = certify("test authority", 1, NULL, NULL);
    pair own = certify("test service", 2, &authority, names);
    s->context = SSL_CTX_new(TLS_server_method());
    MUST(s->context && SSL_CTX_use_certificate(s->context, own.certificate) == 1);
    MUST(SSL_CTX_use_PrivateKey(s->context, own.key) == 1);
    /* One round trip more, but a certificate that is not wanted ends the handshake and not the request. */
    MUST(SSL_CTX_set_max_proto_version(s->context, TLS1_2_VERSION) == 1);
    MUST(X509_STORE_add_cert(SSL_CTX_get_cert_store(s->context), authority.certificate) == 1);
    SSL_CTX_set_verify(s->context, ask ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE, NULL);
    write_files(s, &authority);
    write_pair(s, &own, "service.pem", "service.key");
    forget(&authority);
    forget(&own);
}

/* ------------------------------------------------------------------ serving */

/* Bytes of a request, as far as they are known of its first ones: without an end of its head, one more than there are. */
static size_t length_of(const char *text, size_t have)
{
    const char *end = memmem(text, have, "\r\n\r\n", 4), *length = strcasestr(text, "\r\nContent-Length:");
    if (!end)
        return have + 1;
    return (size_t)(end - text) + 4 + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
}

/* With its body: what is not read would break the connection before the answer is. */
static bool read_request(SSL *ssl)
{
    char buf[16384] = "";
    size_t have = 0;
    while (have < sizeof buf - 1 && have < length_of(buf, have)) {
        int got = SSL_read(ssl, buf + have, (int)(sizeof buf - 1 - have));
        if (got <= 0)
            return false;
        have += (size_t)got;
        buf[have] = '\0';
    }
    return have < sizeof buf - 1;
}

static void answer(SSL *ssl)
{
    char name[128] = "nobody", text[512];
    X509 *peer = SSL_get1_peer_certificate(ssl);
    if (peer)
        (void)X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, name, sizeof name);
    X509_free(peer);
    int len = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(name), name);
    (void)SSL_write(ssl, text, len);
}

static void serve(tls_service *s, int fd)
{
    SSL *ssl = SSL_new(s->context);
    MUST(ssl && SSL_set_fd(ssl, fd) == 1);
    if (SSL_accept(ssl) == 1 && read_request(ssl)) {
        (void)pthread_mutex_lock(&s->lock);
        s->requests++;
        (void)pthread_mutex_unlock(&s->lock);
        answer(ssl);
        (void)SSL_shutdown(ssl);
    }
    ERR_clear_error();
    SSL_free(ssl);
}

static void *run(void *context)
{
    tls_service *s = context;
    sigset_t set; /* who hangs up in the middle is no signal: OpenSSL writes without MSG_NOSIGNAL */
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (;;) {
        int fd = accept(s->fd, NULL, NULL);
        (void)pthread_mutex_lock(&s->lock);
        bool stopping = s->stopping || fd < 0;
        s->open = stopping ? -1 : fd;
        (void)pthread_mutex_unlock(&s->lock);
        if (!stopping)
            serve(s, fd);
        (void)pthread_mutex_lock(&s->lock);
        s->open = -1;
        if (fd >= 0)
            (void)close(fd);
        (void)pthread_mutex_unlock(&s->lock);
        if (stopping)
            return NULL;
    }
}

/* ------------------------------------------------------------------ for tests */

tls_service *tls_service_new(const char *dir, bool ask)
{
    return tls_service_named(dir, ask, "DNS:localhost,IP:127.0.0.1");
}

tls_service *tls_service_named(const char *dir, bool ask, const char *names)
{
    tls_service *s = calloc(1, sizeof *s);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    MUST(s && strlen(dir) < sizeof s->dir);
    memcpy(s->dir, dir, strlen(dir) + 1);
    s->open = -1;
    (void)pthread_mutex_init(&s->lock, NULL);
    open_context(s, ask, names);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(s->fd >= 0 && bind(s->fd, (struct sockaddr *)&address, size) == 0 && listen(s->fd, 64) == 0);
    MUST(getsockname(s->fd, (struct sockaddr *)&address, &size) == 0);
    s->port = ntohs(address.sin_port);
    MUST(pthread_create(&s->thread, NULL, run, s) == 0);
    return s;
}

void tls_service_free(tls_service *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->stopping = true;
    if (s->open >= 0)
        (void)shutdown(s->open, SHUT_RDWR);
    (void)shutdown(s->fd, SHUT_RDWR); /* ends accept() */
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    (void)close(s->fd);
    SSL_CTX_free(s->context);
    for (unsigned i = 0; i < s->file_count; i++)
        free(s->files[i]);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

int tls_service_port(const tls_service *s)
{
    return s->port;
}

unsigned tls_service_requests(tls_service *s)
{
    (void)pthread_mutex_lock(&s->lock);
    unsigned count = s->requests;
    (void)pthread_mutex_unlock(&s->lock);
    return count;
}

const char *tls_service_file(tls_service *s, const char *name)
{
    char path[700];
    (void)snprintf(path, sizeof path, "%s/%s", s->dir, name);
    MUST(s->file_count < FILES_MAX);
    s->files[s->file_count] = strdup(path);
    MUST(s->files[s->file_count] != NULL);
    return s->files[s->file_count++];
}
