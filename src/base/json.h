/* json.h - JSON text to value and back (RFC 8259).
 *
 * Decided, where the RFC leaves a choice: the last of duplicate keys wins, at the place of the first; text
 * must be valid UTF-8 without a byte order mark; an escaped lone surrogate is refused (it cannot be
 * written back as UTF-8); \u0000 is kept; a number of any size keeps its text. */
#ifndef PW_JSON_H
#define PW_JSON_H

#include "base/value.h"

typedef struct pw_json_limits {
    size_t bytes;     /* 0: 64 MiB */
    uint32_t depth;   /* 0: PW_JSON_DEPTH_MAX */
} pw_json_limits;

/* Reads one value, surrounded by white space at most. PAWL_INVALID: "JSON line L, column C: what is wrong";
 * a limit is named in the message. PAWL_NO_MEMORY. The value borrows nothing from `text`. */
PAWL_CHECK pawl_code pw_json_parse(pw_value *out, pw_str text, const pw_json_limits *limits,
                                   pw_arena *arena, pawl_error *err);

typedef enum pw_json_style {
    PW_JSON_COMPACT = 0,
    PW_JSON_PRETTY = 1,    /* two spaces; as jq prints */
    PW_JSON_SORTED = 2,    /* keys by code point */
    PW_JSON_CANONICAL = 4, /* sorted, and numbers by value: 1, 1.0 and 1e0 are written 1 */
} pw_json_style;

void pw_json_write(pw_buf *buf, pw_value v, unsigned style); /* failure: the buffer's */
pw_str pw_json_text(pw_arena *arena, pw_value v, unsigned style); /* ptr NULL: out of memory */
void pw_json_write_string(pw_buf *buf, pw_str s);           /* quoted and escaped */
/* The shortest text that reads back as the same double ("1e+100", "0.1"); as jq 1.8 prints. */
#define PW_REAL_SIZE 40 /* a sign, 17 digits, 15 zeros, NUL */
size_t pw_json_real(char out[PW_REAL_SIZE], double d);
#endif
