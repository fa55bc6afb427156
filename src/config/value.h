/* value.h - the value of one setting: from text, within its range, and back to text. */
#ifndef PW_CONFIG_VALUE_H
#define PW_CONFIG_VALUE_H

#include "config/keys.h"

/* What stood there. Flags and the environment give words, files say more. */
typedef enum pw_given {
    PW_GIVEN_WORD, /* of any type */
    PW_GIVEN_STRING,
    PW_GIVEN_NUMBER,
    PW_GIVEN_BOOLEAN,
    PW_GIVEN_NULL,
    PW_GIVEN_LIST, /* of strings; the text has commas between them */
    PW_GIVEN_OTHER_LIST, /* of anything else */
    PW_GIVEN_SECTION,
} pw_given;

typedef struct pw_setting_value {
    uint64_t number; /* ms, bytes, a count, or 0 and 1 */
    double rate;
    pw_str text;     /* of texts; else empty */
} pw_setting_value;

#define PW_WRONG_SIZE 320 /* bytes of what is wrong with a value */

/* *out's text borrows from `text`, which must outlive it. False: `wrong` says what is wrong, and what would be right. */
bool pw_value_read(pw_setting_value *out, const pw_key *key, pw_given given, pw_str text, char wrong[PW_WRONG_SIZE]);
/* As it would be written by hand; read again it is the same value. */
void pw_value_write(pw_buf *buf, const pw_key *key, const pw_setting_value *value);
/* The same, and nothing secret. */
void pw_value_show(pw_buf *buf, const pw_key *key, const pw_setting_value *value);
void pw_value_json(pw_buf *buf, const pw_key *key, const pw_setting_value *value); /* nothing secret */
/* Text that was given for a key, right or wrong, without what is secret. */
void pw_value_hide(pw_buf *buf, const pw_key *key, pw_str given);
/* What may stand there: "a whole number from 0 to 1000". */
void pw_value_range(pw_buf *buf, const pw_key *key);
bool pw_value_equal(const pw_setting_value *a, const pw_setting_value *b);
#endif
