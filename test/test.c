/* test.c - runs the tests of one program and prints one TAP plan.
 *
 * cmocka 1.1.5 prints a plan of its own per group, in a form that TAP readers misread. So every
 * test is a group of one, cmocka's own output goes to a file in memory, and what it says there
 * about a failure comes out as TAP diagnostics. While the test itself runs, stdout and stderr are
 * the real ones: cmocka calls our setup before it and our teardown after it, also when it failed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

enum { NAME_MAX_LENGTH = 400, PATH_LENGTH = 4096, CAPTURE_MAX = 1 << 16 };

static pw_test *first_test;
static pw_test **last_test = &first_test;

/* Of the running test. */
static char skip_reason[512];
static bool skipped;
static bool captured; /* cmocka's output is being caught */
static char directory[PATH_LENGTH];

static int capture_fd = -1, stdout_fd = -1, stderr_fd = -1;
static int held_fds[2] = { -1, -1 }; /* what goes to stdout and stderr while files may not grow */

void pw_test_add(pw_test *test)
{
    test->next = NULL;
    *last_test = test;
    last_test = &test->next;
}

static void die(const char *what)
{
    printf("Bail out! %s: %s\n", what, strerror(errno));
    exit(99);
}

/* ---- cmocka's output */

static void redirect(int out, int err)
{
    (void)fflush(stdout);
    (void)fflush(stderr);
    if (dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
        die("cannot redirect the output");
}

static void capture_begin(void)
{
    if (captured)
        return;
    redirect(capture_fd, capture_fd);
    if (ftruncate(capture_fd, 0) != 0 || lseek(capture_fd, 0, SEEK_SET) < 0)
        die("cannot empty the captured output");
    captured = true;
}

static void capture_end(void)
{
    if (!captured)
        return;
    redirect(stdout_fd, stderr_fd);
    captured = false;
}

/* ---- a full disk */

static void set_limit(rlim_t bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0)
        die("cannot read the limit of files");
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        die("cannot limit files");
}

/* A report that goes to a file would be cut there like any other file: a pipe is not, and keeps it
 * until then. */
static void hold_output(int *held, int real, int stream)
{
    struct stat info;
    if (fstat(real, &info) != 0 || !S_ISREG(info.st_mode))
        return;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0 || dup2(ends[1], stream) < 0)
        die("cannot hold the output back");
    (void)close(ends[1]);
    *held = ends[0];
}

static void give_output(int *held, int real)
{
    char text[4096];
    ssize_t got = 0;
    while (*held >= 0 && (got = read(*held, text, sizeof text)) > 0) {
        if (write(real, text, (size_t)got) != got)
            die("cannot write the output");
    }
    if (*held >= 0)
        (void)close(*held);
    *held = -1;
}

void pw_test_limit_files(size_t bytes)
{
    (void)signal(SIGXFSZ, SIG_IGN); /* the write shall fail, not the process */
    set_limit(RLIM_INFINITY);
    if (!captured)
        redirect(stdout_fd, stderr_fd); /* flushes, too; and closes the pipes' other ends */
    give_output(&held_fds[0], stdout_fd);
    give_output(&held_fds[1], stderr_fd);
    if (bytes == 0)
        return;
    hold_output(&held_fds[0], stdout_fd, STDOUT_FILENO);
    hold_output(&held_fds[1], stderr_fd, STDERR_FILENO);
    set_limit(bytes);
}

static int before_test(void **state)
{
    (void)state;
    capture_end();
    return 0;
}

static int after_test(void **state)
{
    (void)state;
    pw_test_limit_files(0); /* it may have failed under one, which would cut what is said of it */
    capture_begin();
    return 0;
}

/* Prints what cmocka said about a failure, up to its line of result, as diagnostics. */
static void print_failure(void)
{
    static char text[CAPTURE_MAX];
    ssize_t got = pread(capture_fd, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    char *rest = text, *line = NULL;
    while ((line = strsep(&rest, "\n")) != NULL) {
        static const char arrow[] = "] --- ";
        if (strncmp(line, "[  FAILED  ]", 12) == 0 || strncmp(line, "[==========]", 12) == 0)
            break;
        char *message = NULL; /* behind "[  ERROR   ] --- " and the like */
        while (line[0] == '[' && (message = strstr(line, arrow)) != NULL)
            line = message + sizeof arrow - 1;
        if (line[0] != '\0')
            printf("# %s\n", line);
    }
}

/* ---- a directory for the test */

/* Removes what is in the directory, by handles, so that no path is too long; depth is that of
 * directories a test made. */
static void remove_inside(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        (void)close(fd);
        return;
    }
    struct dirent *entry = NULL;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, entry->d_name, 0) == 0)
            continue;
        if (fchmodat(fd, entry->d_name, 0700, 0) == 0) /* a test may have locked it */
            remove_inside(fd, entry->d_name);
        (void)unlinkat(fd, entry->d_name, AT_REMOVEDIR);
    }
    (void)closedir(dir);
}

static void remove_directory(void)
{
    if (directory[0] == '\0')
        return;
    (void)chmod(directory, 0700);
    remove_inside(AT_FDCWD, directory);
    (void)rmdir(directory);
    directory[0] = '\0';
}

const char *pw_test_dir(void)
{
    if (directory[0] != '\0')
        return directory;
    const char *base = getenv("TMPDIR");
    if (!base || base[0] == '\0')
        base = "/tmp";
    char path[PATH_LENGTH];
    int length = snprintf(path, sizeof path, "%s/pawl-test-XXXXXX", base);
    if (length < 0 || (size_t)length >= sizeof path)
        fail_msg("TMPDIR is too long");
    if (!mkdtemp(path))
        fail_msg("cannot make %s: %s", path, strerror(errno));
    memcpy(directory, path, sizeof directory);
    return directory;
}

/* ---- what tests call */

void pw_test_fail(const char *file, int line, const char *format, ...)
{
    static char text[CAPTURE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *rest = text, *part = NULL;
    while ((part = strsep(&rest, "\n")) != NULL)
        printf("# %s\n", part);
    _fail(file, line);
    abort(); /* _fail never returns within a test */
}

void pw_test_skip(const char *reason)
{
    (void)snprintf(skip_reason, sizeof skip_reason, "%s", reason ? reason : "");
    skipped = true;
    _skip(__FILE__, __LINE__);
    abort(); /* _skip never returns within a test */
}

const char *pw_test_shared(void)
{
    const char *path = getenv("PAWL_SHARED");
    if (!path || path[0] == '\0')
        path = PAWL_SHARED_DEFAULT;
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode) ? path : NULL;
}

char *pw_test_read(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        fail_msg("cannot open %s: %s", path, strerror(errno));
    size_t size = 4096, used = 0;
    char *text = malloc(size);
    while (text) {
        used += fread(text + used, 1, size - 1 - used, file);
        if (used < size - 1)
            break;
        size *= 2;
        char *larger = realloc(text, size);
        if (!larger)
            free(text);
        text = larger;
    }
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (!text || failed) {
        free(text);
        fail_msg("cannot read %s", path);
    }
    text[used] = '\0';
    if (len)
        *len = used;
    return text;
}

/* ---- the runner */

/* "suite: a_503_is_retried" as "suite: a 503 is retried". */
static void readable_name(char out[NAME_MAX_LENGTH], const pw_test *test)
{
    (void)snprintf(out, NAME_MAX_LENGTH, "%s", test->name);
    for (char *c = out; *c != '\0'; c++) {
        if (*c == '_')
            *c = ' ';
    }
}

static bool selected(const pw_test *test, const char *filter)
{
    char name[NAME_MAX_LENGTH];
    readable_name(name, test);
    return !filter || strstr(name, filter) || strstr(test->name, filter);
}

/* Returns whether it passed or was skipped. */
static bool run_one(const pw_test *test, int number)
{
    char name[NAME_MAX_LENGTH];
    readable_name(name, test);
    skipped = false;
    skip_reason[0] = '\0';
    const struct CMUnitTest group[] = {
        { .name = name,
          .test_func = test->run,
          .setup_func = before_test,
          .teardown_func = after_test,
          .initial_state = NULL },
    };
    capture_begin();
    int failures = _cmocka_run_group_tests("pawl", group, 1, NULL, NULL);
    capture_end();
    remove_directory();
    if (failures != 0) {
        print_failure();
        printf("not ok %d - %s\n", number, name);
    } else if (skipped) {
        printf("ok %d - %s # SKIP %s\n", number, name, skip_reason);
    } else {
        printf("ok %d - %s\n", number, name);
    }
    (void)fflush(stdout);
    return failures == 0;
}

int pw_test_main(int argc, char **argv)
{
    const char *filter = argc > 1 ? argv[1] : NULL;
    if (filter && strcmp(filter, "--list") == 0) {
        for (const pw_test *test = first_test; test; test = test->next) {
            char name[NAME_MAX_LENGTH];
            readable_name(name, test);
            puts(name);
        }
        return 0;
    }
    (void)unsetenv("CMOCKA_MESSAGE_OUTPUT"); /* either would take the output away from us */
    (void)unsetenv("CMOCKA_XML_FILE");
    cmocka_set_message_output(CM_OUTPUT_STDOUT);
    capture_fd = memfd_create("cmocka", MFD_CLOEXEC);
    stdout_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    if (capture_fd < 0 || stdout_fd < 0 || stderr_fd < 0)
        die("cannot set up the output");
    int count = 0, number = 0, failed = 0;
    for (const pw_test *test = first_test; test; test = test->next)
        count += selected(test, filter) ? 1 : 0;
    printf("1..%d\n", count);
    (void)fflush(stdout);
    for (const pw_test *test = first_test; test; test = test->next) {
        if (selected(test, filter) && !run_one(test, ++number))
            failed++;
    }
    return failed == 0 ? 0 : 1;
}
