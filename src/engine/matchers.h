/* matchers.h - the matchers of the store, compiled: which subscriptions may want a message. */
#ifndef PW_MATCHERS_H
#define PW_MATCHERS_H

#include "expr/expr.h"
#include "store/store.h"

typedef struct pw_matchers pw_matchers;

PAWL_CHECK pawl_code pw_matchers_new(pw_matchers **out, const pw_expr_limits *limits,
                                     pawl_error *err);
void pw_matchers_free(pw_matchers *matchers);
/* As the store has them now: two counts, and all rows if they have changed. */
PAWL_CHECK pawl_code pw_matchers_refresh(pw_matchers *matchers, pw_store *store, pawl_error *err);
/* How many there are; for pw_store_messages_route(). */
uint64_t pw_matchers_count(const pw_matchers *matchers);

/* Under which hashes subscriptions may wait for the message. A matcher that cannot look at it (an
 * expression that fails) gives none, and stops no other. now_ms: when the message came. */
PAWL_CHECK pawl_code pw_matchers_hashes(pw_matchers *matchers, pw_value message, int64_t now_ms,
                                        pw_str **out, size_t *count, pw_arena *arena,
                                        pawl_error *err);
/* For who keeps messages: the matcher must look at all of its type first. False: there is no such
 * matcher, or it is complete. */
bool pw_matchers_incomplete(const pw_matchers *matchers, pw_str digest, pw_str *type);
/* The first incomplete one behind that digest (empty: of all); false: there is none. */
bool pw_matchers_next_incomplete(const pw_matchers *matchers, pw_str after, pw_str *digest,
                                 pw_str *type);
/* The hash that one matcher gives of a message; false: none. */
PAWL_CHECK pawl_code pw_matchers_hash(pw_matchers *matchers, pw_str digest, pw_value message,
                                      int64_t now_ms, char out[65], bool *found, pw_arena *arena,
                                      pawl_error *err);
#endif
