/* nats_server.c - see nats_server.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "nats_server.h"
#include "test.h"

enum { READY_TRIES = 3000, PATH_LEN = 600 };

struct nats_server {
    int port;
    pid_t pid;
    char program[PATH_LEN], config[PATH_LEN], url[64];
    const char *ca; /* NULL: without TLS */
};

static int free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        fail_msg("no port: %s", strerror(errno));
    (void)close(fd);
    return ntohs(address.sin_port);
}

static bool listens(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((unsigned short)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        (void)close(fd);
    return good;
}

static bool find_program(char out[PATH_LEN])
{
    const char *tools = getenv("PAWL_TOOLS"), *path = getenv("PATH");
    if (tools && snprintf(out, PATH_LEN, "%s/nats-server/usr/sbin/nats-server", tools) < PATH_LEN &&
        access(out, X_OK) == 0)
        return true;
    for (const char *at = path; at && *at;) {
        size_t len = strcspn(at, ":");
        if (snprintf(out, PATH_LEN, "%.*s/nats-server", (int)len, at) < PATH_LEN &&
            access(out, X_OK) == 0)
            return true;
        at += len + (at[len] == ':');
    }
    return false;
}

static void launch(nats_server *s)
{
    s->pid = fork();
    if (s->pid < 0)
        fail_msg("fork: %s", strerror(errno));
    if (s->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* it does not outlive the test */
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(126);
        (void)execl(s->program, s->program, "-c", s->config, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < READY_TRIES; i++) {
        int status;
        if (listens(s->port))
            return;
        if (waitpid(s->pid, &status, WNOHANG) == s->pid)
            fail_msg("nats-server ended with status %d", status);
        (void)poll(NULL, 0, 10);
    }
    fail_msg("nats-server does not listen at port %d", s->port);
}

nats_server *nats_server_start(const char *options)
{
    static nats_server server;
    nats_server *s = &server;
    *s = (nats_server){ 0 };
    if (!find_program(s->program))
        pw_test_skip("nats-server is not there");
    s->port = free_port();
    (void)snprintf(s->url, sizeof s->url, "nats://127.0.0.1:%d", s->port);
    (void)snprintf(s->config, sizeof s->config, "%s/nats.conf", pw_test_dir());
    FILE *file = fopen(s->config, "we");
    EXPECT(file != NULL);
    (void)fprintf(file,
                  "listen: 127.0.0.1:%d\njetstream { store_dir: \"%s/js\", max_file_store: 64MB, "
                  "max_memory_store: 1MB }\n%s\n",
                  s->port, pw_test_dir(), options ? options : "");
    EXPECT_INT(fclose(file), 0);
    launch(s);
    return s;
}

void nats_server_kill(nats_server *s)
{
    if (s->pid > 0) {
        (void)kill(s->pid, SIGKILL);
        (void)waitpid(s->pid, NULL, 0);
    }
    s->pid = 0;
}

void nats_server_start_again(nats_server *s)
{
    launch(s);
}

void nats_server_free(nats_server *s)
{
    nats_server_kill(s);
}

const char *nats_server_url(const nats_server *s)
{
    return s->url;
}

void nats_server_speaks_tls(nats_server *s, const char *ca)
{
    (void)snprintf(s->url, sizeof s->url, "tls://127.0.0.1:%d", s->port);
    s->ca = ca;
}

/* ------------------------------------------------------------------ its streams */

#define GOOD(call)                                                                                 \
    do {                                                                                           \
        natsStatus status_ = (call);                                                               \
        if (status_ != NATS_OK)                                                                    \
            fail_msg("%s: %s", #call, natsStatus_GetText(status_));                                \
    } while (0)

static void open_js(const nats_server *s, natsConnection **connection, jsCtx **js)
{
    natsOptions *options;
    GOOD(natsOptions_Create(&options));
    GOOD(natsOptions_SetURL(options, s->url));
    if (s->ca)
        GOOD(natsOptions_LoadCATrustedCertificates(options, s->ca));
    GOOD(natsConnection_Connect(connection, options));
    natsOptions_Destroy(options);
    GOOD(natsConnection_JetStream(js, *connection, NULL));
}

static void close_js(natsConnection *connection, jsCtx *js)
{
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
}

void nats_server_add_stream(nats_server *s, const char *name, const char *subjects,
                            int max_bytes_of_message)
{
    natsConnection *connection;
    jsCtx *js;
    jsStreamConfig config;
    open_js(s, &connection, &js);
    GOOD(jsStreamConfig_Init(&config));
    config.Name = name;
    config.Subjects = &subjects;
    config.SubjectsLen = 1;
    config.MaxMsgSize = max_bytes_of_message;
    GOOD(js_AddStream(NULL, js, &config, NULL, NULL));
    close_js(connection, js);
}

char *nats_server_read(nats_server *s, const char *stream)
{
    natsConnection *connection;
    jsCtx *js;
    jsStreamInfo *info;
    char *text = NULL;
    size_t len = 0;
    open_js(s, &connection, &js);
    GOOD(js_GetStreamInfo(&info, js, stream, NULL, NULL));
    FILE *out = open_memstream(&text, &len);
    EXPECT(out != NULL);
    for (uint64_t at = info->State.FirstSeq; info->State.Msgs && at <= info->State.LastSeq; at++) {
        natsMsg *m;
        GOOD(js_GetMsg(&m, js, stream, at, NULL, NULL));
        (void)fprintf(out, "%.*s\n", natsMsg_GetDataLength(m), natsMsg_GetData(m));
        natsMsg_Destroy(m);
    }
    EXPECT_INT(fclose(out), 0);
    jsStreamInfo_Destroy(info);
    close_js(connection, js);
    return text;
}

static char *part(nats_server *s, const char *stream, unsigned sequence, const char *header)
{
    natsConnection *connection;
    jsCtx *js;
    natsMsg *m;
    const char *value = NULL;
    open_js(s, &connection, &js);
    GOOD(js_GetMsg(&m, js, stream, sequence, NULL, NULL));
    if (!header)
        value = natsMsg_GetSubject(m);
    else
        (void)natsMsgHeader_Get(m, header, &value);
    char *text = value ? strdup(value) : NULL;
    natsMsg_Destroy(m);
    close_js(connection, js);
    return text;
}

char *nats_server_header(nats_server *s, const char *stream, unsigned sequence, const char *name)
{
    return part(s, stream, sequence, name);
}

char *nats_server_subject(nats_server *s, const char *stream, unsigned sequence)
{
    return part(s, stream, sequence, NULL);
}
