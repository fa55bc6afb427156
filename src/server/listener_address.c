/* listener_address.c - where to listen: "127.0.0.1:8080,[::1]:0" to sockets, and addresses to text.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/listener_internal.h"

enum { HOST_MAX = 256, PORT_MAX = 6, BACKLOG = 4096 };

void pw_http_peer(char out[PW_HTTP_PEER_SIZE], const struct sockaddr *address)
{
    char host[INET6_ADDRSTRLEN] = "";
    unsigned port = 0;
    bool bracket = false;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof four);
        (void)inet_ntop(AF_INET, &four.sin_addr, host, sizeof host);
        port = ntohs(four.sin_port);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, address, sizeof six);
        (void)inet_ntop(AF_INET6, &six.sin6_addr, host, sizeof host);
        port = ntohs(six.sin6_port);
        bracket = true;
    }
    (void)snprintf(out, PW_HTTP_PEER_SIZE, bracket ? "[%s]:%u" : "%s:%u", host, port);
}

/* "HOST:PORT" or "[HOST]:PORT" into its two parts. */
static pawl_code split(char host[HOST_MAX], char port[PORT_MAX], pw_str one, pawl_error *err)
{
    const char *colon = one.len ? memrchr(one.ptr, ':', one.len) : NULL;
    pw_str name = { one.ptr, colon ? (size_t)(colon - one.ptr) : 0 };
    pw_str number = { colon ? colon + 1 : one.ptr, colon ? one.len - name.len - 1 : 0 };
    bool bracketed = name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']';
    if (bracketed)
        name = (pw_str){ name.ptr + 1, name.len - 2 };
    bool digits = number.len >= 1 && number.len < PORT_MAX;
    unsigned value = 0;
    for (size_t i = 0; digits && i < number.len; i++) {
        digits = number.ptr[i] >= '0' && number.ptr[i] <= '9';
        value = value * 10 + (unsigned)(number.ptr[i] - '0');
    }
    if (name.len == 0 || name.len >= HOST_MAX || memchr(name.ptr, '\0', name.len) || !digits ||
        value > 65535 || (!bracketed && memchr(name.ptr, ':', name.len)))
        return pw_fail(err, PAWL_INVALID,
                       "listen: '" PW_FMT
                       "' is not ADDRESS:PORT, like 127.0.0.1:8080 or [::1]:8080",
                       PW_ARG(one));
    memcpy(host, name.ptr, name.len);
    host[name.len] = '\0';
    memcpy(port, number.ptr, number.len);
    port[number.len] = '\0';
    return PAWL_OK;
}

static int listening(const struct addrinfo *at)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return -1;
    int yes = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes); /* after a restart, at once */
    if (at->ai_family == AF_INET6) /* so that 0.0.0.0 and [::] may both be listened at */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int failed = errno;
    (void)close(fd);
    errno = failed;
    return -1;
}

static pawl_code bind_one(pw_listener *l, pw_str one, pw_buf *addresses, pawl_error *err)
{
    char host[HOST_MAX], port[PORT_MAX];
    pawl_code code = split(host, port, one, err);
    if (code != PAWL_OK)
        return code;
    struct addrinfo *found = NULL, hints = { .ai_family = AF_UNSPEC,
                                             .ai_socktype = SOCK_STREAM,
                                             .ai_flags = AI_PASSIVE };
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed)
        return pw_fail(err, PAWL_INVALID, "listen: '" PW_FMT "': %s", PW_ARG(one),
                       gai_strerror(failed));
    for (const struct addrinfo *at = found; at && code == PAWL_OK; at = at->ai_next) {
        if (l->socket_count == PW_HTTP_SOCKETS) {
            code = pw_fail(err, PAWL_INVALID, "listen: at most %d addresses", (int)PW_HTTP_SOCKETS);
            break;
        }
        int fd = listening(at);
        if (fd < 0) {
            code = pw_fail_native(err, errno == EADDRINUSE ? PAWL_BUSY : PAWL_IO, errno,
                                  "cannot listen at " PW_FMT ": %s", PW_ARG(one), strerror(errno));
            break;
        }
        l->sockets[l->socket_count++] = (pw_socket){ WATCH_SOCKET, fd };
        struct sockaddr_storage bound = { 0 };
        socklen_t len = sizeof bound;
        char text[PW_HTTP_PEER_SIZE];
        (void)getsockname(fd, (struct sockaddr *)&bound, &len);
        pw_http_peer(text, (const struct sockaddr *)&bound);
        pw_buf_printf(addresses, "%s%s://%s", addresses->len ? "," : "",
                      l->secure ? "https" : "http", text);
    }
    freeaddrinfo(found);
    return code;
}

pawl_code pw_http_bind(pw_listener *l, const char *listen, pawl_error *err)
{
    pw_buf addresses;
    pw_buf_init(&addresses, 0);
    pw_str rest = pw_str_of(listen);
    pawl_code code = PAWL_OK;
    for (bool more = true; more && code == PAWL_OK;) {
        const char *comma = rest.len ? memchr(rest.ptr, ',', rest.len) : NULL;
        pw_str one = { rest.ptr, comma ? (size_t)(comma - rest.ptr) : rest.len };
        more = comma != NULL;
        rest = more ? (pw_str){ comma + 1, rest.len - one.len - 1 } : (pw_str){ rest.ptr, 0 };
        while (one.len && one.ptr[0] == ' ')
            one = (pw_str){ one.ptr + 1, one.len - 1 };
        while (one.len && one.ptr[one.len - 1] == ' ')
            one.len--;
        code = bind_one(l, one, &addresses, err);
    }
    if (code == PAWL_OK && !(l->addresses = pw_buf_take(&addresses)))
        code = pw_no_memory(err);
    pw_buf_done(&addresses);
    return code;
}
