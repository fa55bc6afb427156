/* nats_server.h - a real nats-server with JetStream, unprivileged, on loopback, that a test starts,
 * kills and starts again; and what its streams hold. The program is
 * $PAWL_TOOLS/nats-server/usr/sbin/nats-server, or one in the PATH. */
#ifndef PW_TEST_NATS_SERVER_H
#define PW_TEST_NATS_SERVER_H

#include <nats/nats.h>
#include <stdbool.h>

typedef struct nats_server nats_server;

/* Skips the test if there is none. `options`: lines of its configuration; NULL: none. */
nats_server *nats_server_start(const char *options);
void nats_server_kill(nats_server *s);        /* SIGKILL */
void nats_server_start_again(nats_server *s); /* the same port and files */
void nats_server_free(nats_server *s);        /* kills it */
const char *nats_server_url(const nats_server *s);
/* It speaks TLS, as its `options` say: with a certificate of this authority, which the functions below trust. */
void nats_server_speaks_tls(nats_server *s, const char *ca);
/* As an administrator, with the library itself. */
void nats_server_add_stream(nats_server *s, const char *name, const char *subjects,
                            int max_bytes_of_message);
/* The payloads of a stream, in its order, one to a line; to free(). */
char *nats_server_read(nats_server *s, const char *stream);
/* A header of message `sequence`; to free(); NULL: none. */
char *nats_server_header(nats_server *s, const char *stream, unsigned sequence, const char *name);
char *nats_server_subject(nats_server *s, const char *stream, unsigned sequence);
#endif
