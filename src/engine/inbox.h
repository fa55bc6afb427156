/* inbox.h - rows of the inbox on their way to the instances that they are for.
 *
 * A row is a command that somebody has committed: a parent, a child, who writes SQL. A letter
 * carries it to the shard of its instance, which reads it, decides, and consumes the row in the step
 * that it causes. The row is the truth: a letter may be lost, or there may be two; what was not
 * consumed is read from the store again (recover.c).
 *
 * The rows that a step has written are sent as soon as it is committed, without being read again,
 * as many at once as PW_LETTERS_MAX and PW_LETTER_BYTES_MAX allow. What there is no room for is left
 * to the recovery, which is told when there is room again. */
#ifndef PW_INBOX_H
#define PW_INBOX_H

#include "engine/live.h"

#define PW_LETTERS_MAX 8192u
#define PW_LETTER_BYTES_MAX (64u << 20)

typedef struct pw_letter {
    pw_command command; /* first */
    struct pw_letter *next;
    pawl *engine;
    pw_arena arena; /* of all that the row's text means */
    pw_inbox_row row;
    pw_instance_new create;
    char digest[65];  /* of the data of a resume, or the input of a start */
    bool waited;      /* its sender waits for the reply, and keeps it */
    size_t size;
    char text[];      /* of the row */
} pw_letter;

/* Of PW_LETTERS_MAX and PW_LETTER_BYTES_MAX; in struct pawl. */
typedef struct pw_post {
    atomic_uint_fast64_t count, bytes;
    atomic_bool left; /* a committed row was not sent for want of room */
} pw_post;

/* Copies the row. *out NULL: there is no room now (never if `waited`). */
PAWL_CHECK pawl_code pw_letter_new(pw_letter **out, pawl *p, const pw_inbox_row *row, bool waited,
                                   pawl_error *err);
void pw_letter_free(pw_letter *letter); /* NULL is fine */
/* To the shard of its instance. Not waited for: if the partition is another node's it is just
 * freed, and when it was answered it is freed, or returned by the recovery. */
void pw_letter_send(pw_letter *letter);
/* A committed row has no letter. */
void pw_letter_left(pawl *p);
bool pw_letters_left(pawl *p);

/* For the shard: makes the command out of the row's text. PAWL_OK, also if the row is no command:
 * command.refused. Else why it cannot be: as of pw_letter_lost(), or it may be tried again. */
PAWL_CHECK pawl_code pw_letter_read(pw_letter *letter, pawl_error *err);
/* The answered row can never have an effect, and is to be returned. */
bool pw_letter_lost(const pw_letter *letter);
/* Takes the row out of the store; who asked for a start is told why. For a thread that may wait. */
PAWL_CHECK pawl_code pw_letter_return(pw_letter *letter, pawl_error *err);
#endif
