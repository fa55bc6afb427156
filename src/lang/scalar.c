/* scalar.c - what a plain scalar means: YAML 1.2's core schema, and nothing of YAML 1.1.
 *
 * null, booleans, integers (decimal, 0o, 0x) and floats are resolved. `on`, `no`, `1:30`, `1_000`
 * and dates are strings; 0777 is seven hundred and seventy-seven. */
#include <stdio.h>
#include "base/json.h"
#include "lang/lang_internal.h"

static bool is_one_of(pw_str text, const char *const *words)
{
    for (; *words; words++) {
        if (pw_str_is(text, *words))
            return true;
    }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits(pw_str text, size_t at)
{
    size_t start = at;
    while (at < text.len && is_digit(text.ptr[at]))
        at++;
    return at - start;
}

/* The parts of a decimal number; false: it is none. */
typedef struct decimal {
    bool negative;
    pw_str whole, fraction, exponent; /* the exponent with its sign */
} decimal;

static bool read_decimal(decimal *out, pw_str text)
{
    *out = (decimal){ 0 };
    size_t at = 0;
    if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+'))
        out->negative = text.ptr[at++] == '-';
    size_t count = digits(text, at);
    out->whole = (pw_str){ text.ptr + at, count };
    at += count;
    if (at < text.len && text.ptr[at] == '.') {
        at++;
        count = digits(text, at);
        out->fraction = (pw_str){ text.ptr + at, count };
        at += count;
    }
    if (out->whole.len + out->fraction.len == 0)
        return false;
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        size_t start = ++at;
        if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+'))
            at++;
        count = digits(text, at);
        if (count == 0)
            return false;
        at += count;
        out->exponent = (pw_str){ text.ptr + start, at - start };
    }
    return at == text.len;
}

static pw_value number(pw_load *load, pw_str json)
{
    pw_value value = pw_null();
    pawl_error err;
    pawl_code code = pw_json_parse(&value, json, NULL, load->arena, &err);
    if (code == PAWL_NO_MEMORY)
        pw_lang_no_memory(load);
    PW_ASSERT(code == PAWL_OK); /* it was made to be JSON */
    return value;
}

/* JSON has no plus sign, leading zeros, or dots without digits around them; all else stays as
 * written. */
static pw_value decimal_value(pw_load *load, const decimal *d, pw_str text)
{
    pw_str whole = d->whole;
    while (whole.len > 1 && whole.ptr[0] == '0') {
        whole.ptr++;
        whole.len--;
    }
    bool as_written = whole.len == d->whole.len && whole.len > 0 && text.ptr[0] != '+' &&
                      (d->fraction.len > 0 || !memchr(text.ptr, '.', text.len));
    if (as_written)
        return number(load, text);
    if (whole.len == 0)
        whole = PW_LIT("0");
    size_t size = whole.len + d->fraction.len + d->exponent.len + 4;
    char *json = pw_arena_alloc(&load->scratch, size);
    size_t len = 0;
    if (d->negative)
        json[len++] = '-';
    memcpy(json + len, whole.ptr, whole.len);
    len += whole.len;
    if (d->fraction.len) {
        json[len++] = '.';
        memcpy(json + len, d->fraction.ptr, d->fraction.len);
        len += d->fraction.len;
    }
    if (d->exponent.len) {
        json[len++] = 'e';
        memcpy(json + len, d->exponent.ptr, d->exponent.len);
        len += d->exponent.len;
    }
    return number(load, (pw_str){ json, len });
}

/* 0x1F, 0o17: false: no such number. */
static bool read_radix(uint64_t *out, bool *too_large, pw_str text)
{
    if (text.len < 3 || text.ptr[0] != '0' || (text.ptr[1] != 'x' && text.ptr[1] != 'o'))
        return false;
    unsigned bits = text.ptr[1] == 'x' ? 4 : 3;
    uint64_t value = 0;
    *too_large = false;
    for (size_t i = 2; i < text.len; i++) {
        char c = text.ptr[i];
        unsigned digit = is_digit(c)            ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 99;
        if (digit >= PW_BIT(bits))
            return false;
        *too_large |= (value >> (64 - bits)) != 0;
        value = (value << bits) | digit;
    }
    *out = value;
    return true;
}

pw_resolved pw_scalar_resolve(pw_load *load, pw_value *out, pw_str text)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
    static const char *const trues[] = { "true", "True", "TRUE", NULL };
    static const char *const falses[] = { "false", "False", "FALSE", NULL };
    static const char *const others[] = { ".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                          "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
                                          ".NaN",  ".NAN",  NULL };
    if (text.len <= 5) {
        if (is_one_of(text, nulls)) {
            *out = pw_null();
            return PW_RESOLVED;
        }
        if (is_one_of(text, trues) || is_one_of(text, falses)) {
            *out = pw_bool(is_one_of(text, trues));
            return PW_RESOLVED;
        }
        if (is_one_of(text, others))
            return PW_NOT_JSON;
    }
    uint64_t radix = 0;
    bool too_large = false;
    if (read_radix(&radix, &too_large, text)) {
        if (too_large)
            return PW_TOO_LARGE;
        char digits_of[24];
        int len = snprintf(digits_of, sizeof digits_of, "%llu", (unsigned long long)radix);
        *out = number(load, (pw_str){ digits_of, (size_t)len });
        return PW_RESOLVED;
    }
    decimal d;
    if (read_decimal(&d, text)) {
        *out = decimal_value(load, &d, text);
        return PW_RESOLVED;
    }
    *out = pw_string(load->arena, text);
    return PW_RESOLVED;
}
