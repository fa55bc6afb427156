/* fault.c - fault points, in test builds only. A crash test says in the environment where the
 * process dies; it is read once. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"

#ifdef PW_FAULTS

enum { NAMES_MAX = 256 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pw_str deadly;            /* the point's name; empty: none */
static _Atomic int64_t passings; /* left until it kills */
static const char *list_path;
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static const char *listed[NAMES_MAX]; /* under list_lock; names are literals */
static size_t listed_count;

static void read_environment(void)
{
    const char *fault = getenv("PAWL_FAULT");
    if (fault && fault[0] != '\0') {
        const char *colon = strrchr(fault, ':');
        long long n = 1;
        deadly = pw_str_of(fault);
        if (colon) {
            char *end = NULL;
            n = strtoll(colon + 1, &end, 10);
            PW_ASSERT(n > 0 && *end == '\0'); /* "name:n": a test that misspells it must not pass */
            deadly.len = (size_t)(colon - fault);
        }
        atomic_store(&passings, n);
    }
    list_path = getenv("PAWL_FAULT_LIST");
}

static void list(const char *name)
{
    (void)pthread_mutex_lock(&list_lock);
    bool known = false;
    for (size_t i = 0; i < listed_count && !known; i++)
        known = strcmp(listed[i], name) == 0;
    if (!known) {
        PW_ASSERT(listed_count < NAMES_MAX);
        listed[listed_count++] = name;
        char line[128];
        size_t len = strlen(name);
        PW_ASSERT(len < sizeof line);
        memcpy(line, name, len);
        line[len] = '\n';
        int fd = open(list_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        PW_ASSERT(fd >= 0);
        PW_ASSERT(write(fd, line, len + 1) == (ssize_t)(len + 1)); /* one write: lines stay whole */
        (void)close(fd);
    }
    (void)pthread_mutex_unlock(&list_lock);
}

void pw_fault_point(const char *name)
{
    (void)pthread_once(&once, read_environment);
    if (list_path)
        list(name);
    if (deadly.len && pw_str_is(deadly, name) && atomic_fetch_sub(&passings, 1) == 1) {
        (void)raise(SIGKILL);
        for (;;)
            (void)pause(); /* nothing may happen after the point */
    }
}

#else
typedef int pw_fault_unused; /* a file is never empty */
#endif
