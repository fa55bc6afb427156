/* digest.c - names made of content, and ids. The same on every machine and in every release: what
 * is stored is named by them. */
#define OPENSSL_SUPPRESS_DEPRECATED /* the newer interface allocates, and so can fail */
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/digest.h"

static void put_little_endian(uint8_t out[8], uint64_t number)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (8 * i));
}

pw_digest pw_digest_of(const pw_str *parts, size_t count)
{
    pw_digest digest;
    SHA256_CTX context;
    (void)SHA256_Init(&context); /* none of these can fail: they only compute */
    for (size_t i = 0; i < count; i++) {
        uint8_t len[8];
        put_little_endian(len, parts[i].len);
        (void)SHA256_Update(&context, len, sizeof len);
        if (parts[i].len)
            (void)SHA256_Update(&context, parts[i].ptr, parts[i].len);
    }
    (void)SHA256_Final(digest.bytes, &context);
    return digest;
}

pw_digest pw_digest_of_text(pw_str text)
{
    pw_digest digest;
    SHA256_CTX context;
    (void)SHA256_Init(&context);
    if (text.len)
        (void)SHA256_Update(&context, text.ptr, text.len);
    (void)SHA256_Final(digest.bytes, &context);
    return digest;
}

/* RFC 2104, over what cannot fail. */
pw_digest pw_digest_signed(pw_str secret, pw_str text)
{
    enum { BLOCK = 64 };
    uint8_t key[BLOCK] = { 0 }, pad[BLOCK];
    pw_digest digest;
    SHA256_CTX context;
    if (secret.len > BLOCK) {
        digest = pw_digest_of_text(secret);
        memcpy(key, digest.bytes, sizeof digest.bytes);
    } else if (secret.len) {
        memcpy(key, secret.ptr, secret.len);
    }
    for (int i = 0; i < BLOCK; i++)
        pad[i] = key[i] ^ 0x36;
    (void)SHA256_Init(&context);
    (void)SHA256_Update(&context, pad, sizeof pad);
    if (text.len)
        (void)SHA256_Update(&context, text.ptr, text.len);
    (void)SHA256_Final(digest.bytes, &context);
    for (int i = 0; i < BLOCK; i++)
        pad[i] = key[i] ^ 0x5c;
    (void)SHA256_Init(&context);
    (void)SHA256_Update(&context, pad, sizeof pad);
    (void)SHA256_Update(&context, digest.bytes, sizeof digest.bytes);
    (void)SHA256_Final(digest.bytes, &context);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(pad, sizeof pad);
    return digest;
}

bool pw_digest_same(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void pw_digest_hex(char out[PW_DIGEST_HEX_SIZE], const pw_digest *digest)
{
    for (size_t i = 0; i < sizeof digest->bytes; i++) {
        out[2 * i] = "0123456789abcdef"[digest->bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[digest->bytes[i] & 15];
    }
    out[PW_DIGEST_HEX_SIZE - 1] = '\0';
}

/* ---- ids: 128 bits as base 32, most significant first, so that text sorts as the bytes do */

static void write_id(char out[PW_ID_SIZE], const uint8_t bytes[16])
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    unsigned waiting = 0, bits = 2; /* 26 * 5 is 130: two zero bits come first */
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        waiting = waiting << 8 | bytes[i];
        for (bits += 8; bits >= 5; bits -= 5)
            out[at++] = alphabet[waiting >> (bits - 5) & 31];
        waiting &= (1u << bits) - 1;
    }
    PW_ASSERT(at == PW_ID_SIZE - 1 && bits == 0);
    out[at] = '\0';
}

void pw_id_of_digest(char out[PW_ID_SIZE], const pw_digest *digest)
{
    write_id(out, digest->bytes);
}

void pw_id_of_time(char out[PW_ID_SIZE], uint64_t now_ms, const uint8_t random[10])
{
    uint8_t bytes[16];
    for (int i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(now_ms >> (40 - 8 * i));
    memcpy(bytes + 6, random, 10);
    write_id(out, bytes);
}

/* ---- a fast hash: eight bytes at a time through a folded multiplication */

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const uint8_t *bytes, size_t len)
{
    uint64_t word = 0;
    memcpy(&word, bytes, len);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

uint64_t pw_hash64(uint64_t seed, const void *bytes, size_t len)
{
    /* odd, with bits well spread: the fractions of the golden ratio and of the roots of 2 and 3 */
    const uint64_t golden = UINT64_C(0x9E3779B97F4A7C15), root_2 = UINT64_C(0x6A09E667F3BCC909),
                   root_3 = UINT64_C(0xBB67AE8584CAA73B);
    const uint8_t *at = bytes;
    uint64_t hash = fold(seed ^ golden, (uint64_t)len ^ root_2);
    for (; len >= 8; at += 8, len -= 8)
        hash = fold(hash ^ load(at, 8) ^ golden, root_3);
    if (len)
        hash = fold(hash ^ load(at, len) ^ golden, root_3);
    return fold(hash ^ root_2, golden);
}
