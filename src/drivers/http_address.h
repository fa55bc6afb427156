/* http_address.h - to which addresses HTTP calls may go: the public ones, and what an operator allows beside them. */
#ifndef PW_HTTP_ADDRESS_H
#define PW_HTTP_ADDRESS_H

#include <sys/socket.h>
#include "base/base.h"

#define PW_ADDRESS_TEXT 64 /* an address as text, with its end */

typedef struct pw_network {
    unsigned char bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;
} pw_network;

typedef struct pw_address_rules {
    bool all;
    unsigned kinds; /* allowed by their name: PW_BIT of places in the table of http_address.c */
    pw_network *networks;
    size_t count;
} pw_address_rules;

/* What has been decided of an address. */
typedef struct pw_address_verdict {
    bool allowed;
    const char *kind; /* not allowed: "a loopback address" ... */
    const char *word; /* ... and what allows all of them, NULL: only the address itself does, or its network */
    char text[PW_ADDRESS_TEXT];
} pw_address_verdict;

/* One network "ADDRESS" or "ADDRESS/BITS"; false: it is none. *loose (may be NULL): bits behind the network's are set. */
bool pw_network_parse(pw_network *out, pw_str text, bool *loose);
bool pw_network_has(const pw_network *network, const unsigned char address[16]);
/* A numeric host as 16 bytes, without brackets; false: it is a name. */
bool pw_address_parse(unsigned char out[16], const char *host);

/* `allow` as in pw_http_options. PAWL_INVALID: and which entry is wrong. */
PAWL_CHECK pawl_code pw_address_open(pw_address_rules *rules, const char *allow, pawl_error *err);
void pw_address_close(pw_address_rules *rules); /* also a zeroed one */
pw_address_verdict pw_address_judge(const pw_address_rules *rules, const struct sockaddr *address);
#endif
