/* runner.c - test/test.c itself: what is said of a test that fails while files may not grow. The program runs itself with
 * its output in a file, and `--inner`: then it has these two tests, and no other. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

static void fails_on_a_full_disk(void **state)
{
    (void)state;
    printf("# before\n");
    fill_disk(true);
    (void)fprintf(stderr, "# error%02000d\n", 7);
    fail_msg("meanwhile%02000d", 7);
}

static void writes_afterwards(void **state)
{
    (void)state;
    char path[4200];
    (void)snprintf(path, sizeof path, "%.4000s/file", pw_test_dir());
    FILE *file = fopen(path, "we");
    EXPECT(file != NULL);
    EXPECT(fprintf(file, "%02000d", 7) == 2000);
    EXPECT_INT(fclose(file), 0);
    fill_disk(true);
    printf("# it works, and says so\n");
    EXPECT_INT(truncate(path, 600), 0);
    EXPECT(truncate(path, 700) != 0);
    fill_disk(false);
    EXPECT_INT(truncate(path, 700), 0);
    printf("# afterwards%02000d\n", 7);
}

static pw_test inner[] = { { "inner: fails_on_a_full_disk", fails_on_a_full_disk, NULL },
                           { "inner: writes_afterwards", writes_afterwards, NULL } };

/* Its exit code. */
static int run_inner(const char *path)
{
    char command[9000], self[4200] = { 0 };
    EXPECT(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    (void)snprintf(command, sizeof command, "'%s' --inner >'%s' 2>&1", self, path);
    int status = system(command); /* NOLINT: the paths are ours */
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(runner, what_a_test_says_while_the_disk_is_full_is_in_its_report)
{
    char path[4200], zeros[2001] = { 0 };
    (void)snprintf(path, sizeof path, "%.4000s/report", pw_test_dir());
    (void)snprintf(zeros, sizeof zeros, "%02000d", 7);
    EXPECT_INT(run_inner(path), 1);
    char *text = pw_test_read(path, NULL);
    const char *at = text;
    const char *const parts[] = { "1..2\n# before\n", "# meanwhile", zeros, "\n", "# error", zeros, "\n",
                                  "not ok 1 - inner: fails on a full disk\n", "# it works, and says so\n", "# afterwards", zeros,
                                  "\nok 2 - inner: writes afterwards\n" };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        at = strstr(at, parts[i]);
        if (!at)
            fail_msg("'%s' is not where it should be in %s", parts[i], text);
        at += strlen(parts[i]);
    }
    EXPECT_TEXT(at, "");
    free(text);
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--inner") != 0)
        return pw_test_main(argc, argv);
    pw_test_add(&inner[0]);
    pw_test_add(&inner[1]);
    char filter[] = "inner: ";
    return pw_test_main(2, (char *[]){ argv[0], filter, NULL });
}
