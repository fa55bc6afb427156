/* patch.h - JSON Patch (RFC 6902) and JSON Pointer (RFC 6901) on values; and the difference of two values as a patch.
 * Pure; thread safe; everything in the arena. */
#ifndef PW_PATCH_H
#define PW_PATCH_H

#include "base/value.h"

#define PW_PATCH_OPERATIONS_MAX 10000u
/* What the operations of one patch may copy, so that neither a `copy` that doubles the document, again and again, nor many
 * operations on a long list end in more than this. */
#define PW_PATCH_BYTES_MAX ((size_t)64 << 20)

/* What the pointer names in `v`; PW_NONE: nothing, or it is no pointer. "" is the whole. */
pw_value pw_pointer_get(pw_value v, pw_str pointer, pw_arena *arena);

/* *out: `v`, changed by all operations of `patch` in their order, or not at all. PAWL_INVALID: not a patch, a path that is not there, a
 * `test` that fails: the message names the operation (from 0), its path and what is wrong. Decided, where the RFC leaves a
 * choice: the whole cannot be removed; numbers are equal by value, as by pw_equal; a member that is there keeps its place. */
PAWL_CHECK pawl_code pw_patch_apply(pw_value *out, pw_value v, pw_value patch, pw_arena *arena, pawl_error *err);

/* A patch that makes `to` of `from`, of add, remove and replace, in a fixed order: the same for the same values, and [] only if
 * they are equal. Members and elements that are equal are left alone; it is not always the shortest. Where it would be more
 * than pw_patch_apply takes, the whole is replaced. PW_NONE: out of memory. */
pw_value pw_patch_diff(pw_value from, pw_value to, pw_arena *arena);
#endif
