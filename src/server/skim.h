/* skim.h - members of JSON that this program has written (compact, valid), without parsing all of
 * it: answers may have megabytes, of which a token is wanted. */
#ifndef PW_SKIM_H
#define PW_SKIM_H

#include "base/base.h"

/* A member's value as it is written; ptr NULL: absent. */
pw_str pw_skim(pw_str object, const char *name);
/* Of a string, what is between its quotes; ptr NULL: absent, no string, or one with escapes. */
pw_str pw_skim_text(pw_str object, const char *name);
/* False: absent, or no whole number. */
bool pw_skim_number(pw_str object, const char *name, uint64_t *out);
#endif
