/* digest.h - names made of content: SHA-256 (libcrypto) over length-prefixed parts. */
#ifndef PW_DIGEST_H
#define PW_DIGEST_H

#include "base/base.h"

typedef struct pw_digest {
    uint8_t bytes[32];
} pw_digest;

/* Each part is preceded by its length as 8 bytes, little-endian, so that ("ab","c") and
 * ("a","bc") differ. */
pw_digest pw_digest_of(const pw_str *parts, size_t count);
pw_digest pw_digest_of_text(pw_str text); /* of the bytes alone, as sha256sum gives it */
pw_digest pw_digest_signed(pw_str secret, pw_str text); /* HMAC-SHA-256 */
bool pw_digest_same(const void *a, const void *b, size_t len); /* takes as long whatever they are */
#define PW_DIGEST_HEX_SIZE 65 /* 64 digits in lower case, and NUL */
void pw_digest_hex(char out[PW_DIGEST_HEX_SIZE], const pw_digest *digest);

#define PW_ID_SIZE 27 /* 26 characters of base 32 (0-9a-z without i l o u), and NUL */
void pw_id_of_digest(char out[PW_ID_SIZE], const pw_digest *digest); /* its first 128 bits */
/* A new id: 48 bits of time, then 80 of `random`; later ones sort behind. */
void pw_id_of_time(char out[PW_ID_SIZE], uint64_t now_ms, const uint8_t random[10]);
uint64_t pw_hash64(uint64_t seed, const void *bytes, size_t len); /* fast, stable, not for enemies */
#endif
