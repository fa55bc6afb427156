/* http_address.c - to which addresses HTTP calls may go. See http_address.h.
 *
 * An address is judged when a socket is about to be connected to it: after the name was resolved, whatever the name, and in
 * whatever form a number was written. So it makes no difference which name leads to an address, or how often it changes.
 *
 * Only what is routed in the public internet is allowed by itself: of IPv6 that is 2000::/3. Everything else is in the table
 * below, after IANA's registries of special-purpose addresses (RFC 6890); what is in no row and is not public is "reserved".
 * An address that carries another (IPv4-mapped, NAT64, 6to4) is judged as that one. Addresses at which clouds give
 * credentials to whoever asks are rows of their own before all others: no word opens them but "all". */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include "drivers/http_address.h"
#include "drivers/http.h"

enum { LOOPBACK, PRIVATE, LINK_LOCAL, METADATA, SHARED, MULTICAST, DOCUMENTATION, RESERVED, KINDS };

static const struct {
    const char *word; /* in egress_allow; NULL: none */
    const char *text;
} kinds[KINDS] = {
    [LOOPBACK] = { "loopback", "a loopback address" },
    [PRIVATE] = { "private", "a private address" },
    [LINK_LOCAL] = { "link-local", "a link-local address" },
    [METADATA] = { NULL, "where a cloud gives away the credentials of its machines" },
    [SHARED] = { NULL, "an address of a provider's own network" },
    [MULTICAST] = { NULL, "a multicast address" },
    [DOCUMENTATION] = { NULL, "an address for documentation" },
    [RESERVED] = { NULL, "a reserved address" },
};

/* The first row that has it, decides. IPv4 as ::ffff:a.b.c.d, so +96 bits. */
#define V4(a, b, c, d, length) { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, a, b, c, d }, 96 + (length) }
static const struct {
    pw_network network;
    int kind;
} table[] = {
    { V4(169, 254, 169, 254, 32), METADATA },                  /* AWS, Azure, GCP and others */
    { V4(169, 254, 170, 2, 32), METADATA },                    /* AWS: containers */
    { V4(169, 254, 170, 23, 32), METADATA },                   /* AWS: pods */
    { V4(100, 100, 100, 200, 32), METADATA },                  /* Alibaba */
    { V4(168, 63, 129, 16, 32), METADATA },                    /* Azure; of the public range */
    { V4(192, 0, 0, 192, 32), METADATA },                      /* Oracle */
    { { { 0xFD, 0, 0x0E, 0xC2, [15] = 0x54, [14] = 0x02 }, 128 }, METADATA }, /* fd00:ec2::254: AWS */
    { { { 0xFD, 0, 0x0E, 0xC2, [15] = 0x23 }, 128 }, METADATA },              /* fd00:ec2::23 */
    { { { 0xFD, 0x20, 0, 0xCE, [15] = 0x54, [14] = 0x02 }, 128 }, METADATA }, /* fd20:ce::254: GCP */
    { V4(0, 0, 0, 0, 8), RESERVED },                           /* this host: Linux takes 0.0.0.0 for loopback */
    { V4(10, 0, 0, 0, 8), PRIVATE },
    { V4(100, 64, 0, 0, 10), SHARED },                         /* between a provider and its customers, RFC 6598 */
    { V4(127, 0, 0, 0, 8), LOOPBACK },
    { V4(169, 254, 0, 0, 16), LINK_LOCAL },
    { V4(172, 16, 0, 0, 12), PRIVATE },
    { V4(192, 0, 0, 0, 24), RESERVED },                        /* protocols of the IETF */
    { V4(192, 0, 2, 0, 24), DOCUMENTATION },
    { V4(192, 88, 99, 0, 24), RESERVED },                      /* relays of 6to4, of old */
    { V4(192, 168, 0, 0, 16), PRIVATE },
    { V4(198, 18, 0, 0, 15), RESERVED },                       /* benchmarks */
    { V4(198, 51, 100, 0, 24), DOCUMENTATION },
    { V4(203, 0, 113, 0, 24), DOCUMENTATION },
    { V4(224, 0, 0, 0, 4), MULTICAST },
    { V4(240, 0, 0, 0, 4), RESERVED },                         /* with broadcast at its end */
    { { { [15] = 1 }, 128 }, LOOPBACK },                       /* ::1 */
    { { { 0x20, 0x01, 0x0D, 0xB8 }, 32 }, DOCUMENTATION },
    { { { 0x3F, 0xFF }, 20 }, DOCUMENTATION },
    { { { 0x20, 0x01 }, 23 }, RESERVED },                      /* protocols of the IETF: Teredo, ORCHID ... */
    { { { 0xFC }, 7 }, PRIVATE },
    { { { 0xFE, 0x80 }, 10 }, LINK_LOCAL },
    { { { 0xFE, 0xC0 }, 10 }, PRIVATE },                       /* site-local, of old */
    { { { 0xFF }, 8 }, MULTICAST },
};

static const pw_network mapped_ipv4 = V4(0, 0, 0, 0, 0);
static const pw_network public_ipv6 = { { 0x20 }, 3 };

/* ------------------------------------------------------------------ addresses */

bool pw_network_has(const pw_network *network, const unsigned char address[16])
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->bytes, address, whole) != 0)
        return false;
    return rest == 0 || (network->bytes[whole] ^ address[whole]) >> (8 - rest) == 0;
}

static void of_ipv4(unsigned char out[16], const void *four)
{
    memcpy(out, mapped_ipv4.bytes, 12);
    memcpy(out + 12, four, 4);
}

/* What an address carries that stands for an IPv4 one, itself if it carries none. */
static void unwrap(unsigned char address[16])
{
    static const pw_network nat64 = { { 0, 0x64, 0xFF, 0x9B }, 96 };
    static const pw_network six_to_four = { { 0x20, 0x02 }, 16 };
    unsigned char four[4];
    if (pw_network_has(&nat64, address))
        memcpy(four, address + 12, 4);
    else if (pw_network_has(&six_to_four, address))
        memcpy(four, address + 2, 4);
    else
        return;
    of_ipv4(address, four);
}

bool pw_address_parse(unsigned char out[16], const char *host)
{
    unsigned char four[4];
    if (inet_pton(AF_INET, host, four) == 1) {
        of_ipv4(out, four);
        return true;
    }
    return inet_pton(AF_INET6, host, out) == 1;
}

static bool bits_behind(const pw_network *network)
{
    for (unsigned bit = network->bits; bit < 128; bit++)
        if (network->bytes[bit / 8] & (0x80u >> bit % 8))
            return true;
    return false;
}

bool pw_network_parse(pw_network *out, pw_str text, bool *loose)
{
    char copy[PW_ADDRESS_TEXT];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *slash = strchr(copy, '/');
    if (slash)
        *slash++ = '\0';
    if (!pw_address_parse(out->bytes, copy))
        return false;
    unsigned most = strchr(copy, ':') ? 128 : 32;
    unsigned bits = most;
    if (slash) {
        if (slash[0] == '\0' || strlen(slash) > 3 || strspn(slash, "0123456789") != strlen(slash))
            return false;
        bits = (unsigned)strtoul(slash, NULL, 10);
    }
    out->bits = bits + 128 - most;
    if (bits > most)
        return false;
    if (loose)
        *loose = bits_behind(out);
    return true;
}

/* ------------------------------------------------------------------ what is allowed */

static bool by_word(pw_address_rules *rules, pw_str entry)
{
    if (pw_str_is(entry, "all")) {
        rules->all = true;
        return true;
    }
    for (unsigned i = 0; i < KINDS; i++)
        if (kinds[i].word && pw_str_is(entry, kinds[i].word)) {
            rules->kinds |= PW_BIT(i);
            return true;
        }
    return false;
}

static pw_str trimmed(pw_str text)
{
    while (text.len && (*text.ptr == ' ' || *text.ptr == '\t'))
        text = (pw_str){ text.ptr + 1, text.len - 1 };
    while (text.len && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static pawl_code add_entry(pw_address_rules *rules, unsigned number, pw_str entry, pawl_error *err)
{
    pw_network network;
    bool loose;
    if (by_word(rules, entry))
        return PAWL_OK;
    if (!pw_network_parse(&network, entry, &loose))
        return pw_fail(err, PAWL_INVALID,
                       "egress allow, entry %u: '%.*s' is neither loopback, private, link-local nor all, and no address or network "
                       "in numbers, as 10.1.2.3, 10.1.0.0/16 or fd00::/8",
                       number, (int)(entry.len > 100 ? 100 : entry.len), entry.len ? entry.ptr : "");
    if (loose)
        return pw_fail(err, PAWL_INVALID, "egress allow, entry %u: '" PW_FMT "' has bits set behind those of its network", number,
                       PW_ARG(entry));
    pw_network *more = pw_realloc(rules->networks, (rules->count + 1) * sizeof *more);
    if (!more)
        return pw_no_memory(err);
    rules->networks = more;
    rules->networks[rules->count++] = network;
    return PAWL_OK;
}

pawl_code pw_address_open(pw_address_rules *rules, const char *allow, pawl_error *err)
{
    *rules = (pw_address_rules){ 0 };
    unsigned number = 0;
    pawl_code code = PAWL_OK;
    for (const char *at = allow && *allow ? allow : NULL, *comma; at && code == PAWL_OK; at = comma ? comma + 1 : NULL) {
        comma = strchr(at, ',');
        if (++number > PW_EGRESS_MAX)
            code = pw_fail(err, PAWL_INVALID, "egress allow: more than %u entries", PW_EGRESS_MAX);
        else
            code = add_entry(rules, number, trimmed((pw_str){ at, comma ? (size_t)(comma - at) : strlen(at) }), err);
    }
    if (code != PAWL_OK)
        pw_address_close(rules);
    return code;
}

void pw_address_close(pw_address_rules *rules)
{
    pw_free(rules->networks);
    *rules = (pw_address_rules){ 0 };
}

/* ------------------------------------------------------------------ one address */

static bool read_address(unsigned char out[16], char text[PW_ADDRESS_TEXT], const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof four);
        of_ipv4(out, &four.sin_addr);
        return inet_ntop(AF_INET, &four.sin_addr, text, PW_ADDRESS_TEXT) != NULL;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, address, sizeof six);
        memcpy(out, &six.sin6_addr, 16);
        return inet_ntop(AF_INET6, &six.sin6_addr, text, PW_ADDRESS_TEXT) != NULL;
    }
    (void)snprintf(text, PW_ADDRESS_TEXT, "an address of family %d", address->sa_family);
    return false;
}

/* -1: it is public. */
static int kind_of(const unsigned char address[16])
{
    for (size_t i = 0; i < PW_LENGTH(table); i++)
        if (pw_network_has(&table[i].network, address))
            return table[i].kind;
    return pw_network_has(&mapped_ipv4, address) || pw_network_has(&public_ipv6, address) ? -1 : RESERVED;
}

static bool named(const pw_address_rules *rules, const unsigned char address[16], int kind)
{
    for (size_t i = 0; i < rules->count; i++)
        if (pw_network_has(&rules->networks[i], address) && (kind != METADATA || rules->networks[i].bits == 128))
            return true;
    return false;
}

pw_address_verdict pw_address_judge(const pw_address_rules *rules, const struct sockaddr *address)
{
    pw_address_verdict verdict = { 0 };
    unsigned char bytes[16];
    int kind = RESERVED;
    bool known = read_address(bytes, verdict.text, address);
    if (rules->all) {
        verdict.allowed = true;
        return verdict;
    }
    if (known) {
        unwrap(bytes);
        kind = kind_of(bytes);
        verdict.allowed = kind < 0 || (rules->kinds & PW_BIT(kind)) || named(rules, bytes, kind);
    }
    if (!verdict.allowed) {
        verdict.kind = kinds[kind].text;
        verdict.word = kinds[kind].word;
    }
    return verdict;
}
