/* utf8.c - UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#include "base/base.h"

/* Bytes of the character that begins at p, 0 if it is malformed. `left` is at least 1. */
static size_t character_length(const unsigned char *p, size_t left)
{
    unsigned char lead = p[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2) /* a continuation, or an overlong form */
        return 0;
    if (lead < 0xE0)
        return left >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
    if (lead < 0xF0) {
        if (left < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80)
            return 0;
        if ((lead == 0xE0 && p[1] < 0xA0) || (lead == 0xED && p[1] > 0x9F))
            return 0;
        return 3;
    }
    if (lead > 0xF4 || left < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 ||
        (p[3] & 0xC0) != 0x80)
        return 0;
    if ((lead == 0xF0 && p[1] < 0x90) || (lead == 0xF4 && p[1] > 0x8F))
        return 0;
    return 4;
}

size_t pw_utf8_valid_length(pw_str s)
{
    size_t at = 0;
    while (at < s.len) {
        while (s.len - at >= 8) { /* ASCII, eight at a time */
            uint64_t word;
            memcpy(&word, s.ptr + at, 8);
            if (word & UINT64_C(0x8080808080808080))
                break;
            at += 8;
        }
        if (at == s.len)
            break;
        size_t len = character_length((const unsigned char *)s.ptr + at, s.len - at);
        if (len == 0)
            break;
        at += len;
    }
    return at;
}

bool pw_utf8_valid(pw_str s)
{
    return pw_utf8_valid_length(s) == s.len;
}

uint32_t pw_utf8_next(pw_str s, size_t *at)
{
    const unsigned char *p = (const unsigned char *)s.ptr + *at;
    unsigned char lead = p[0];
    if (lead < 0x80) {
        *at += 1;
        return lead;
    }
    size_t len = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    PW_ASSERT(s.len - *at >= len);
    uint32_t code_point = lead & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++)
        code_point = code_point << 6 | (p[i] & 0x3Fu);
    *at += len;
    return code_point;
}

size_t pw_utf8_put(char out[4], uint32_t code_point)
{
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xC0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xE0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    PW_ASSERT(code_point < 0x110000);
    out[0] = (char)(0xF0 | code_point >> 18);
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code_point & 0x3F));
    return 4;
}

size_t pw_utf8_count(pw_str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++)
        count += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return count;
}
