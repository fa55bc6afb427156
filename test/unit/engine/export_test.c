/* export_test.c - the file that rows go to before they are deleted: its name, what is in it when it cannot be written, and
 * what is said of it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "test.h"
#include "base/base.h"
#include "engine/export.h"

#define TIME0 1800000000000 /* 2027-01-15T08:00:00.000Z */
#define NAME0 "pawl-20270115T080000.000Z"

static char folder[400];
static pawl_error err;

static void make_folder(const char *name)
{
    (void)snprintf(folder, sizeof folder, "%.300s/%s", pw_test_dir(), name);
    EXPECT_INT(mkdir(folder, 0700), 0);
}

static void expect_file(const char *path, const char *expected)
{
    char text[1000];
    FILE *file = fopen(path, "r");
    EXPECT(file != NULL);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    EXPECT_TEXT(text, expected);
}

static void put(pw_export *e, const char *row)
{
    EXPECT_OK(pw_export_row(e, pw_str_of(row), &err), err);
}

TEST(export, a_file_is_made_with_the_first_row_and_each_run_has_its_own)
{
    char path[500];
    make_folder("own");
    for (unsigned n = 1; n <= 3; n++) {
        pw_export e;
        pw_export_init(&e, folder, TIME0);
        EXPECT_OK(pw_export_flush(&e, &err), err); /* of nothing */
        EXPECT(e.path == NULL);
        put(&e, "{\"n\":1}");
        put(&e, "{\"n\":2}");
        EXPECT_OK(pw_export_flush(&e, &err), err);
        (void)snprintf(path, sizeof path, n > 1 ? "%s/" NAME0 "-%u.ndjson" : "%s/" NAME0 ".ndjson", folder, n);
        EXPECT_TEXT(e.path, path);
        expect_file(path, "{\"n\":1}\n{\"n\":2}\n");
        EXPECT_INT(e.synced, 16);
        pw_export_done(&e);
    }
}

TEST(export, where_a_thousand_files_of_the_moment_are_it_says_so)
{
    char path[500];
    make_folder("many");
    for (unsigned n = 1; n <= 1000; n++) {
        (void)snprintf(path, sizeof path, n > 1 ? "%s/" NAME0 "-%u.ndjson" : "%s/" NAME0 ".ndjson", folder, n);
        EXPECT_INT(symlink("/nowhere", path), 0);
    }
    pw_export e;
    pw_export_init(&e, folder, TIME0);
    put(&e, "{}");
    EXPECT_INT(pw_export_flush(&e, &err), PAWL_IO);
    EXPECT_INT(err.native, EEXIST);
    EXPECT_CONTAINS(err.message, NAME0 "-1000.ndjson': cannot be made: File exists; nothing is deleted that is not exported");
    EXPECT(e.failed && e.path == NULL);
    pw_export_done(&e);
}

TEST(export, a_folder_that_went_meanwhile_is_named)
{
    make_folder("gone");
    pw_export e;
    pw_export_init(&e, folder, TIME0);
    EXPECT_INT(rmdir(folder), 0);
    put(&e, "{}");
    EXPECT_INT(pw_export_flush(&e, &err), PAWL_IO);
    EXPECT_CONTAINS(err.message, "/gone/" NAME0 ".ndjson': cannot be made: No such file or directory");
    EXPECT(e.failed);
    pw_export_done(&e);
}

/* What is on disk stays, whole lines; of the rest nothing is left, since its rows stay in the store. */
TEST(export, a_disk_that_is_full_leaves_only_what_was_synced)
{
    static char large[66000];
    make_folder("full");
    pw_export e;
    pw_export_init(&e, folder, TIME0);
    put(&e, "{\"first\":1}");
    EXPECT_OK(pw_export_flush(&e, &err), err);
    memset(large, 'x', sizeof large - 1);
    fill_disk(true);
    pawl_code code = pw_export_row(&e, pw_str_of(large), &err); /* as much as is written at once */
    fill_disk(false);
    EXPECT_INT(code, PAWL_IO);
    EXPECT_INT(err.native, EFBIG);
    EXPECT_CONTAINS(err.message, NAME0 ".ndjson': write: File too large; nothing is deleted that is not exported");
    EXPECT(e.failed);
    EXPECT_INT(e.bytes, 12);
    EXPECT_INT(e.synced, 12);
    expect_file(e.path, "{\"first\":1}\n");
    pw_export_done(&e);
}

/* In the file's place something that takes bytes and cannot sync them. */
TEST(export, what_cannot_be_synced_is_not_exported)
{
    int ends[2];
    make_folder("unsynced");
    pw_export e;
    pw_export_init(&e, folder, TIME0);
    put(&e, "{\"first\":1}");
    EXPECT_OK(pw_export_flush(&e, &err), err);
    EXPECT_INT(pipe(ends), 0);
    EXPECT_INT(dup2(ends[1], e.fd), e.fd);
    put(&e, "{\"second\":2}");
    EXPECT_INT(pw_export_flush(&e, &err), PAWL_IO);
    EXPECT_CONTAINS(err.message, NAME0 ".ndjson': sync: Invalid argument; nothing is deleted that is not exported");
    EXPECT(e.failed);
    EXPECT_INT(e.synced, 12);
    EXPECT_INT(close(ends[0]), 0);
    EXPECT_INT(close(ends[1]), 0);
    expect_file(e.path, "{\"first\":1}\n");
    pw_export_done(&e);
}

/* Whom access() asks for: root may everything, so it is somebody else for a moment. */
static void be_somebody_else(bool other)
{
    if (geteuid() == 0)
        EXPECT_INT(syscall(SYS_setresuid, other ? 65534 : 0, -1, -1), 0);
}

TEST(export, a_folder_that_may_not_be_written_is_refused_at_once)
{
    make_folder("closed");
    EXPECT_OK(pw_export_check(folder, &err), err);
    EXPECT_INT(chmod(folder, 0500), 0);
    be_somebody_else(true);
    pawl_code code = pw_export_check(folder, &err);
    be_somebody_else(false);
    EXPECT_INT(code, PAWL_INVALID);
    EXPECT_INT(err.native, EACCES);
    EXPECT_CONTAINS(err.message, "/closed': Permission denied: allow this user to write it");
    EXPECT_INT(chmod(folder, 0700), 0);
}

TEST_MAIN()
