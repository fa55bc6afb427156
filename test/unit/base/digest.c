/* digest.c - digests, ids, the fast hash. Expected digests were computed elsewhere (Python's
 * hashlib) over the bytes written out beside them: they name what is stored, and must never change.
 */
#include "test.h"
#include "base/digest.h"

static void expect_digest(const pw_str *parts, size_t count, const char *expected)
{
    pw_digest digest = pw_digest_of(parts, count);
    char text[65];
    for (size_t i = 0; i < 32; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", digest.bytes[i]);
    EXPECT_TEXT(text, expected);
}

TEST(digest, no_parts_is_the_digest_of_nothing)
{
    expect_digest(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(digest, parts_are_preceded_by_their_length)
{
    /* printf '\3\0\0\0\0\0\0\0abc' */
    expect_digest((pw_str[]){ PW_LIT("abc") }, 1,
                  "ce91dc5eec0139adf091900d225971d6ad246a845bad791b5693a9d0d55dd391");
    /* printf '\2\0\0\0\0\0\0\0ab\1\0\0\0\0\0\0\0c' */
    expect_digest((pw_str[]){ PW_LIT("ab"), PW_LIT("c") }, 2,
                  "43ee655579de01ca739b3f95c1c2d3f46d353b2c0df818064ea594506cdb2617");
    /* printf '\1\0\0\0\0\0\0\0a\2\0\0\0\0\0\0\0bc' */
    expect_digest((pw_str[]){ PW_LIT("a"), PW_LIT("bc") }, 2,
                  "9a8acca1b6c6c0befd3fbc756aed625da998c998f7252e738c4ef061906b9b21");
    /* printf '\0\0\0\0\0\0\0\0' */
    expect_digest((pw_str[]){ { NULL, 0 } }, 1,
                  "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc");
}

TEST(id, of_a_digest_is_its_first_128_bits)
{
    char id[PW_ID_SIZE];
    pw_digest digest = { { 0 } };
    memset(digest.bytes + 16, 0xFF, 16);
    pw_id_of_digest(id, &digest);
    EXPECT_TEXT(id, "00000000000000000000000000");
    memset(digest.bytes, 0xFF, 16);
    pw_id_of_digest(id, &digest);
    EXPECT_TEXT(id, "7zzzzzzzzzzzzzzzzzzzzzzzzz");
    memset(digest.bytes, 0, 16);
    digest.bytes[0] = 0x80; /* 2^127: 4 * 32^25 */
    digest.bytes[1] = 0x01; /* 2^112: 4 * 32^22 */
    digest.bytes[15] = 0x2A;
    pw_id_of_digest(id, &digest);
    EXPECT_TEXT(id, "4004000000000000000000001a");
}

TEST(id, of_time_sorts_by_time_and_carries_it)
{
    char first[PW_ID_SIZE], second[PW_ID_SIZE];
    const uint8_t high[10] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };
    const uint8_t low[10] = { 0 };
    pw_id_of_time(first, 1469918176385, high); /* 1469918176385: 01ARYZ6S41 in the ULID text */
    EXPECT_TEXT(first, "01aryz6s41zzzzzzzzzzzzzzzz");
    pw_id_of_time(second, 1469918176386, low);
    EXPECT_TEXT(second, "01aryz6s420000000000000000");
    EXPECT(strcmp(first, second) < 0);
}

TEST(digest, signatures_are_those_of_rfc_4231)
{
    static const struct {
        const char *secret;
        size_t secret_length; /* of secret, repeated */
        const char *text, *hex;
    } cases[] = {
        { "\x0b", 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { "Jefe", 4, "what do ya want for nothing?",
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { "\xaa", 131, "Test Using Larger Than Block-Size Key - Hash Key First",
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
    };
    for (size_t i = 0; i < PW_LENGTH(cases); i++) {
        char secret[160], hex[PW_DIGEST_HEX_SIZE];
        for (size_t at = 0; at < cases[i].secret_length; at++)
            secret[at] = cases[i].secret[at % strlen(cases[i].secret)];
        pw_digest digest = pw_digest_signed((pw_str){ secret, cases[i].secret_length },
                                            pw_str_of(cases[i].text));
        pw_digest_hex(hex, &digest);
        EXPECT_TEXT(hex, cases[i].hex);
    }
    EXPECT(pw_digest_same("abc", "abc", 3));
    EXPECT(!pw_digest_same("abc", "abd", 3));
    EXPECT(pw_digest_same("abc", "abd", 2));
}

TEST(hash, is_stable_and_tells_lengths_and_seeds_apart)
{
    static const char text[] = "abcdefghijklmnop";
    EXPECT(pw_hash64(0, "", 0) == UINT64_C(0x6A9F59DBAFF3EFE7));
    EXPECT(pw_hash64(1, text, 3) == UINT64_C(0x00A41785B12EE54F));
    EXPECT(pw_hash64(1, text, 16) == UINT64_C(0x8D98653B980CDA46));
    EXPECT(pw_hash64(0, "\0", 1) != pw_hash64(0, "\0\0", 2));
    EXPECT(pw_hash64(0, text, 16) != pw_hash64(1, text, 16));
    EXPECT(pw_hash64(0, NULL, 0) == pw_hash64(0, "", 0));
}

TEST_MAIN()
