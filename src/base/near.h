/* near.h - which of the known names was probably meant. */
#ifndef PW_NEAR_H
#define PW_NEAR_H

#include "base/base.h"

/* The name in the list with the fewest edits from `name`; NULL: none is near. The case of letters is no edit. */
const char *pw_near(const char *name, const char *const *names, size_t count);
#endif
