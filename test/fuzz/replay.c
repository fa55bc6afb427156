/* replay.c - runs a fuzzing target over its corpus: one line of TAP a file, in the order of their
 * names.
 *
 *     fuzz_NAME FOLDER
 *
 * Each file has a process of its own, so that one that crashes does not hide the others; what it
 * says goes to stderr. The alarm is there for an input that never ends. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fuzz.h"

enum { SECONDS_MAX = 60 }; /* generous: under sanitizers, on a busy machine, no file takes two */

static _Noreturn void bail_out(const char *what)
{
    printf("Bail out! %s: %s\n", what, strerror(errno));
    exit(1);
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static _Noreturn void run_file(const char *path)
{
    static const size_t size_max = 1 << 20;
    (void)alarm(SECONDS_MAX);
    FILE *file = fopen(path, "rbe");
    uint8_t *bytes = malloc(size_max);
    if (!file || !bytes)
        exit(2);
    size_t size = fread(bytes, 1, size_max, file);
    bool whole = feof(file) && !ferror(file);
    (void)fclose(file);
    /* to the byte, so that a read behind the end is seen */
    uint8_t *exact = malloc(size ? size : 1);
    if (!whole || !exact)
        exit(2);
    memcpy(exact, bytes, size);
    free(bytes);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    exit(0);
}

static bool run_one(int number, const char *folder, const char *name)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        bail_out("fork");
    if (child == 0)
        run_file(path);
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            bail_out("waitpid");
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    printf("%sok %d - %s\n", good ? "" : "not ", number, name);
    if (WIFSIGNALED(status))
        printf("# ended by signal %d\n", WTERMSIG(status));
    else if (!good)
        printf("# exit %d\n", WEXITSTATUS(status));
    return good;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    struct dirent **entries = NULL;
    int count = scandir(argv[1], &entries, visible, alphasort);
    if (count <= 0)
        bail_out(argv[1]); /* an empty corpus proves nothing */
    printf("1..%d\n", count);
    bool good = true;
    for (int i = 0; i < count; i++) {
        good = run_one(i + 1, argv[1], entries[i]->d_name) && good;
        free(entries[i]);
    }
    free(entries);
    return good ? 0 : 1;
}
