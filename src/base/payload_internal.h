/* payload_internal.h - where writing (json_write.c) and copying (walk.c) meet large values. */
#ifndef PW_PAYLOAD_INTERNAL_H
#define PW_PAYLOAD_INTERNAL_H

#include "base/payload.h"

/* Bytes of a string whose text may be large: each is written as six at most. */
#define PW_PAYLOAD_STRING ((PW_PAYLOAD_MIN - 2) / 6)

/* True: v is known, and its reference is written. */
bool pw_payload_refer(pw_putting *put, pw_buf *buf, pw_value v);
/* Takes the text of v, from `start` on, out of the buffer, and writes its reference; `whole` is
 * put->whole of before. */
void pw_payload_put_out(pw_putting *put, pw_buf *buf, pw_value v, size_t start, uint64_t whole);
/* The key of an object that has one only. */
void pw_payload_write_key(pw_putting *put, pw_buf *buf, pw_str key);

/* Where the copy of v is kept; NULL: v is not known. PW_NONE there: it has none yet. */
pw_value *pw_copying_place(pw_copying *copying, pw_value v);
/* Keeps the copy, which may still have to be filled. False: out of memory. */
bool pw_copying_keep(pw_copying *copying, pw_value *place, pw_value v, pw_value copy);
/* walk.c */
pw_value pw_copy_with(pw_arena *arena, pw_value v, pw_copying *copying);
#endif
