/* match.h - ways to look at messages: how a message finds those who may want it.
 *
 * A listener names, for each of its filters, a matcher and a hash. The matcher is made of what all
 * instances of the definition share: the type, and parts that give values of a message. The hash is
 * made of the values that this listener expects. So whoever has a message makes one hash for each
 * matcher, and asks for the listeners of these hashes. That they want it is for them to say: what
 * depends on the instance is not in the matcher. */
#ifndef PW_MATCH_H
#define PW_MATCH_H

#include "base/digest.h"
#include "core/core.h"

/* Of a filter. The values expected, by its wants and by its correlations; PW_NONE: not known, so it
 * is not looked at. All in `arena`, whose guard is set. */
void pw_match_of_filter(pw_matcher *out, pw_str *hash, const pw_filter *filter,
                        const pw_value *wanted, const pw_value *correlated, pw_arena *arena);

/* The value of an attribute of a message; null: it has none. */
pw_value pw_match_attribute(pw_value message, pw_str name);
/* What an attribute's expression gave: true, or the attribute's own value, unless that is
 * false or null: what says no means no. */
bool pw_match_agrees(pw_value result, pw_value attribute);

typedef struct pw_match pw_match; /* a compiled matcher; of any thread, one at a time */

/* PAWL_CORRUPT: it is not one that pw_match_of_filter made. */
PAWL_CHECK pawl_code pw_match_new(pw_match **out, const pw_matcher *matcher, pawl_error *err);
void pw_match_free(pw_match *match);
/* The hash under which subscriptions may wait for the message. PAWL_NOT_FOUND: none of this matcher
 * can want it: its type is another, a test says no, or an expression fails on it. PAWL_NO_MEMORY. */
PAWL_CHECK pawl_code pw_match_hash(char out[PW_DIGEST_HEX_SIZE], const pw_match *match,
                                   pw_value message, int64_t now_ms, pw_expr_machine *machine,
                                   pw_arena *arena, pawl_error *err);
#endif
