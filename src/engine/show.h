/* show.h - what stands in rows, as members of the object that people are shown. */
#ifndef PW_SHOW_H
#define PW_SHOW_H

#include "base/json.h"

/* Borrowed, like the name. Empty: no member. */
void pw_show_text(pw_object_builder *object, const char *name, pw_str text);
/* Not behind 1970, so 0 and -1, too: there is none, and no member. */
void pw_show_moment(pw_object_builder *object, const char *name, int64_t ms);
void pw_show_count(pw_object_builder *object, const char *name, uint64_t n);
/* Stored JSON. Empty: no member. PAWL_CORRUPT: it is none. */
PAWL_CHECK pawl_code pw_show_json(pw_object_builder *object, const char *name, pw_str text, pawl_error *err);

/* Reads JSON that the store has: what is none is damage, and no mistake of who asks (PAWL_CORRUPT). Empty: PW_NONE.
 * what: put before the error. */
PAWL_CHECK pawl_code pw_stored_json(pw_value *out, pw_str text, pw_arena *arena, const char *what, pawl_error *err);
#endif
