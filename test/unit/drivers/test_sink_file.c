/* The file sink: events appended to a file, one to a line. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sink_fixture.h"

static const char *path_of(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", pw_test_dir(), name);
    return path;
}

/* A file sink that appends to events.ndjson. */
static batch_fixture *open_file(pawl_sink_options options)
{
    static batch_fixture f;
    static pawl_sink_options kept; /* it lives as long as the sink */
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/events.ndjson", pw_test_dir());
    options.name = "file";
    options.type = "file";
    options.path = path;
    kept = options;
    open_sink(&f, &kept);
    return &f;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "we");
    EXPECT(file != NULL);
    EXPECT_INT(fwrite(text, 1, strlen(text), file), strlen(text));
    EXPECT_INT(fclose(file), 0);
}

static void expect_file(const char *name, const char *text)
{
    size_t len;
    char *found = pw_test_read(path_of(name), &len);
    EXPECT_TEXT(found, text);
    free(found);
}

/* Rotated files, the oldest first. */
static int rotated(const struct dirent *entry)
{
    return strncmp(entry->d_name, "events-2", 8) == 0;
}

static int rotated_names(struct dirent ***names)
{
    return scandir(pw_test_dir(), names, rotated, alphasort);
}

#define LINE(id, number)                                                                           \
    "{\"specversion\":\"1.0\",\"id\":\"" id                                                        \
    "\",\"source\":\"/shop/order/1\",\"type\":\"order.placed\",\"data\":{\"number\":" number       \
    "}}\n"

TEST(file_sink, a_batch_is_appended_a_line_for_each_event)
{
    batch_fixture *f = open_file((pawl_sink_options){ 0 });
    add_event(f, "a", 1);
    add_event(f, "a", 2);
    publish_all(f);
    EXPECT_TEXT(ends(f), "tt");
    expect_file("events.ndjson", LINE("a-1", "1") LINE("a-2", "2"));
    f->count = 0;
    add_event(f, "b", 1);
    publish_all(f);
    expect_file("events.ndjson", LINE("a-1", "1") LINE("a-2", "2") LINE("b-1", "1"));
    EXPECT_TEXT(f->sink->kind->target(f->sink), path_of("events.ndjson"));
    close_sink(f);
}

TEST(file_sink, an_event_is_one_line_also_if_its_text_has_line_ends)
{
    batch_fixture *f = open_file((pawl_sink_options){ 0 });
    add_event(f, "a", 1);
    f->events[0].payload = PW_LIT("{\n  \"id\": \"a\\n1\"\r\n}");
    publish_all(f);
    expect_file("events.ndjson", "{   \"id\": \"a\\n1\"  }\n");
    close_sink(f);
}

TEST(file_sink, what_was_there_stays_and_half_a_line_at_its_end_is_cut_off)
{
    static const struct {
        const char *before, *after;
    } cases[] = {
        { "", "" },
        { "{\"id\":\"0\"}\n", "{\"id\":\"0\"}\n" },
        { "{\"id\":\"0\"}\n{\"id\":\"1", "{\"id\":\"0\"}\n" },
        { "{\"id\":\"0", "" },
        { "{", "" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        put("events.ndjson", cases[i].before);
        batch_fixture *f = open_file((pawl_sink_options){ 0 });
        expect_file("events.ndjson", cases[i].after);
        add_event(f, "a", 1);
        publish_all(f);
        char whole[512];
        (void)snprintf(whole, sizeof whole, "%s" LINE("a-1", "1"), cases[i].after);
        expect_file("events.ndjson", whole);
        close_sink(f);
    }
}

TEST(file_sink, a_long_half_line_is_cut_off_too)
{
    char *text = malloc(100002);
    memset(text, 'x', 100001);
    memcpy(text, "{\"id\":\"0\"}\n{", 12);
    text[100001] = '\0';
    put("events.ndjson", text);
    free(text);
    batch_fixture *f = open_file((pawl_sink_options){ 0 });
    expect_file("events.ndjson", "{\"id\":\"0\"}\n");
    close_sink(f);
}

TEST(file_sink, a_file_of_something_else_is_refused_and_not_touched)
{
    static const char *const texts[] = { "hello", "hello\n", "{\"id\":\"0\"}\nhello", "\n\n" };
    for (size_t i = 0; i < PW_LENGTH(texts); i++) {
        put("other.txt", texts[i]);
        char message[700];
        (void)snprintf(message, sizeof message,
                       "sink 'file': '%s' is not a file of events: give another path",
                       path_of("other.txt"));
        expect_refused(
            &(pawl_sink_options){ .name = "file", .type = "file", .path = path_of("other.txt") },
            PAWL_INVALID, message);
        expect_file("other.txt", texts[i]);
    }
}

TEST(file_sink, a_path_that_cannot_be_a_file_is_refused)
{
    char message[700];
    expect_refused(&(pawl_sink_options){ .name = "file", .type = "file" }, PAWL_INVALID,
                   "sink 'file': its path is not given: the file to which events are appended");
    (void)snprintf(message, sizeof message,
                   "sink 'file': '%s-lock' cannot be opened: No such file or directory",
                   path_of("no/where.ndjson"));
    expect_refused(
        &(pawl_sink_options){ .name = "file", .type = "file", .path = path_of("no/where.ndjson") },
        PAWL_INVALID, message);
    (void)snprintf(message, sizeof message, "sink 'file': '%s' is not a file", path_of("fifo"));
    EXPECT_INT(mkfifo(path_of("fifo"), 0600), 0);
    expect_refused(&(pawl_sink_options){ .name = "file", .type = "file", .path = path_of("fifo") },
                   PAWL_INVALID, message);
}

TEST(file_sink, a_second_sink_of_the_same_file_is_refused_until_the_first_is_closed)
{
    batch_fixture *f = open_file((pawl_sink_options){ 0 });
    pawl_sink_options again = { .name = "again", .type = "file", .path = path_of("events.ndjson") };
    char message[700];
    (void)snprintf(message, sizeof message,
                   "sink 'again': '%s' is written by another sink, of this process or of another",
                   again.path);
    expect_refused(&again, PAWL_BUSY, message);
    close_sink(f);
    batch_fixture *next = open_file((pawl_sink_options){ 0 });
    close_sink(next);
}

/* ------------------------------------------------------------------ rotation */

TEST(file_sink, a_file_that_would_become_too_large_is_renamed_and_a_new_one_begun)
{
    batch_fixture *f =
        open_file((pawl_sink_options){ .rotate_bytes = 250 }); /* two lines of 103 bytes */
    for (unsigned n = 1; n <= 5; n++) {
        f->count = 0;
        add_event(f, "a", n);
        publish_all(f);
        EXPECT_TEXT(ends(f), "t");
    }
    struct dirent **names;
    EXPECT_INT(rotated_names(&names), 2);
    EXPECT_INT(strlen(names[0]->d_name), strlen("events-20261123T162100123Z.ndjson"));
    expect_file(names[0]->d_name, LINE("a-1", "1") LINE("a-2", "2"));
    expect_file(names[1]->d_name, LINE("a-3", "3") LINE("a-4", "4"));
    expect_file("events.ndjson", LINE("a-5", "5"));
    for (int i = 0; i < 2; i++)
        free(names[i]);
    free(names);
    close_sink(f);
}

TEST(file_sink, a_batch_is_never_divided_and_may_be_larger_than_a_file)
{
    batch_fixture *f = open_file((pawl_sink_options){ .rotate_bytes = 10 });
    add_event(f, "a", 1);
    add_event(f, "a", 2);
    publish_all(f);
    EXPECT_TEXT(ends(f), "tt");
    struct dirent **names;
    EXPECT_INT(rotated_names(&names), 0); /* an empty file is not rotated */
    free(names);
    expect_file("events.ndjson", LINE("a-1", "1") LINE("a-2", "2"));
    close_sink(f);
}

TEST(file_sink, of_rotated_files_the_newest_are_kept_and_nothing_else_is_deleted)
{
    put("events-20200101T000000000Z.ndjson", LINE("old", "1"));
    put("events-mine.ndjson", "mine");
    put("events-20200101T000000000Z.ndjson.bak", "mine too");
    put("events-20200101T000000000X.ndjson", "mine too");
    put("events-20200101-000000000Z.ndjson", "mine too");
    put("events-2020010aT000000000Z.ndjson", "mine too");
    batch_fixture *f = open_file((pawl_sink_options){ .rotate_bytes = 10, .keep = 2 });
    for (unsigned n = 1; n <= 4; n++) {
        f->count = 0;
        add_event(f, "a", n);
        publish_all(f);
    }
    struct dirent **names;
    EXPECT_INT(rotated_names(&names), 6);
    EXPECT_TEXT(names[0]->d_name, "events-20200101-000000000Z.ndjson");
    EXPECT_TEXT(names[1]->d_name, "events-20200101T000000000X.ndjson");
    EXPECT_TEXT(names[2]->d_name, "events-20200101T000000000Z.ndjson.bak");
    EXPECT_TEXT(names[3]->d_name, "events-2020010aT000000000Z.ndjson");
    expect_file(names[4]->d_name, LINE("a-2", "2"));
    expect_file(names[5]->d_name, LINE("a-3", "3"));
    for (int i = 0; i < 6; i++)
        free(names[i]);
    free(names);
    expect_file("events-mine.ndjson", "mine");
    close_sink(f);
}

TEST(file_sink, a_file_that_somebody_moved_away_is_left_alone)
{
    batch_fixture *f = open_file((pawl_sink_options){ 0 });
    add_event(f, "a", 1);
    publish_all(f);
    EXPECT_INT(rename(path_of("events.ndjson"), path_of("moved.ndjson")), 0);
    f->count = 0;
    add_event(f, "a", 2);
    publish_all(f);
    EXPECT_TEXT(ends(f), "t");
    expect_file("moved.ndjson", LINE("a-1", "1"));
    expect_file("events.ndjson", LINE("a-2", "2"));
    EXPECT_INT(truncate(path_of("events.ndjson"), 0), 0);
    f->count = 0;
    add_event(f, "a", 3);
    publish_all(f);
    expect_file("events.ndjson", LINE("a-3", "3"));
    EXPECT_INT(rename(path_of("events.ndjson"), path_of("moved.ndjson")), 0);
    put("events.ndjson", LINE("b-3", "3")); /* another one is there, as long as it was */
    f->count = 0;
    add_event(f, "a", 4);
    publish_all(f);
    expect_file("moved.ndjson", LINE("a-3", "3"));
    expect_file("events.ndjson", LINE("b-3", "3") LINE("a-4", "4"));
    close_sink(f);
}

/* ------------------------------------------------------------------ errors */

TEST(file_sink, a_batch_that_does_not_fit_leaves_no_half_line_and_comes_again)
{
    batch_fixture *f = open_file((pawl_sink_options){ 0 });
    add_event(f, "a", 1);
    publish_all(f);
    pw_test_limit_files(150);
    f->count = 0;
    add_event(f, "b", 1);
    add_event(f, "c", 1);
    publish_all(f);
    pw_test_limit_files(0);
    EXPECT_TEXT(ends(f), "Fh");
    char error[700];
    (void)snprintf(error, sizeof error, "'%s' cannot be written: File too large",
                   path_of("events.ndjson"));
    EXPECT_STR(f->events[0].error, error);
    expect_file("events.ndjson", LINE("a-1", "1"));
    publish_all(f);
    EXPECT_TEXT(ends(f), "tt");
    expect_file("events.ndjson", LINE("a-1", "1") LINE("b-1", "1") LINE("c-1", "1"));
    close_sink(f);
}

TEST(file_sink, a_folder_that_is_gone_is_a_failure_until_it_is_back)
{
    EXPECT_INT(mkdir(path_of("sub"), 0700), 0);
    char path[600], lock[600];
    (void)snprintf(path, sizeof path, "%s/e", path_of("sub"));
    (void)snprintf(lock, sizeof lock, "%s/e-lock", path_of("sub"));
    batch_fixture f;
    open_sink(&f, &(pawl_sink_options){ .name = "file", .type = "file", .path = path });
    EXPECT_INT(unlink(path), 0);
    EXPECT_INT(unlink(lock), 0);
    EXPECT_INT(rmdir(path_of("sub")), 0);
    add_event(&f, "a", 1);
    publish_all(&f);
    EXPECT_TEXT(ends(&f), "F");
    EXPECT_INT(mkdir(path_of("sub"), 0700), 0);
    publish_all(&f);
    EXPECT_TEXT(ends(&f), "t");
    expect_file("sub/e", LINE("a-1", "1"));
    close_sink(&f);
}

static bool stop_at_once(void *context)
{
    (void)context;
    return true;
}

TEST(file_sink, told_to_stop_it_writes_nothing)
{
    batch_fixture *f = open_file((pawl_sink_options){ 0 });
    f->stop = stop_at_once;
    add_event(f, "a", 1);
    publish_all(f);
    EXPECT_TEXT(ends(f), "h");
    expect_file("events.ndjson", "");
    close_sink(f);
}

TEST_MAIN()
