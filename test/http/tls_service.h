/* tls_service.h - a service on loopback that speaks TLS, with certificates made for it: one authority, one for the service
 * ("localhost" and 127.0.0.1), one for a client ("order-engine"), and a client's that nobody vouches for. For tests only. */
#ifndef PW_TEST_TLS_SERVICE_H
#define PW_TEST_TLS_SERVICE_H

#include <stdbool.h>

typedef struct tls_service tls_service;

/* Writes ca.pem, service.pem, service.key, client.pem, client.key, both.pem (certificate and key), locked.key (with a passphrase), stranger.pem and
 * stranger.key into `dir`. `ask`: a client without a certificate of the authority is not served. */
tls_service *tls_service_new(const char *dir, bool ask);
/* The same with a certificate for other names: "DNS:shop.invalid". */
tls_service *tls_service_named(const char *dir, bool ask, const char *names);
void tls_service_free(tls_service *s);
int tls_service_port(const tls_service *s);
/* Requests that were read. Each is answered with 200, and the name in the client's certificate, or "nobody". */
unsigned tls_service_requests(tls_service *s);
/* "DIR/NAME"; valid as long as the service. */
const char *tls_service_file(tls_service *s, const char *name);
#endif
