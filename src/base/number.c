/* number.c - numbers as text and by value.
 *
 * The value of a number is the decimal that it is written as. So a computed number compares the
 * same before it is stored and after it was read back, when it is a literal; and the order is total
 * over all three forms. Literals are compared digit by digit with their exponents as text: neither
 * a million digits nor an exponent of a million digits costs more than reading them.
 *
 * The C library's locale never matters here: what it parses is parsed in the C locale, and what it
 * prints is taken apart digit by digit. */
#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/value_internal.h"

static pthread_once_t locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* glibc: a constant, needs no memory */
    PW_ASSERT(c_locale != (locale_t)0);
}

static double text_to_double(const char *text)
{
    (void)pthread_once(&locale_once, make_locale);
    double d = strtod_l(text, NULL, c_locale);
    return d > DBL_MAX ? DBL_MAX : d < -DBL_MAX ? -DBL_MAX : d;
}

/* ---- making */

#define INTEGERS_EXACT 9007199254740992.0 /* 2^53 */

pw_value pw_real(double d)
{
    if (isnan(d))
        return pw_null();
    if (d > DBL_MAX || d < -DBL_MAX)
        d = d > 0 ? DBL_MAX : -DBL_MAX;
    bool integral = d > -INTEGERS_EXACT && d < INTEGERS_EXACT && !(d < 0) == !signbit(d) &&
                    d <= (double)(int64_t)d && d >= (double)(int64_t)d;
    if (integral)
        return pw_int((int64_t)d);
    return (pw_value){ .type = PW_NUMBER, .form = PW_FORM_REAL, .as.real = d };
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t scan_digits(pw_str text, size_t at)
{
    while (at < text.len && is_digit(text.ptr[at]))
        at++;
    return at;
}

size_t pw_number_scan(pw_str text, bool *is_integer)
{
    *is_integer = true;
    size_t at = text.len && text.ptr[0] == '-';
    size_t end = scan_digits(text, at);
    if (end == at || (text.ptr[at] == '0' && end > at + 1))
        return 0;
    at = end;
    if (at < text.len && text.ptr[at] == '.') {
        end = scan_digits(text, at + 1);
        if (end == at + 1)
            return 0;
        *is_integer = false;
        at = end;
    }
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        at++;
        if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
            at++;
        end = scan_digits(text, at);
        if (end == at)
            return 0;
        *is_integer = false;
        at = end;
    }
    return at;
}

/* False: beyond int64, or "-0", which is not what printing 0 gives. */
static bool text_to_integer(pw_str text, int64_t *out)
{
    bool negative = text.ptr[0] == '-';
    int64_t sum = 0;
    if (text.len > 20 || (negative && text.ptr[1] == '0'))
        return false;
    for (size_t i = negative; i < text.len; i++) {
        int64_t digit = text.ptr[i] - '0';
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, negative ? -digit : digit, &sum))
            return false;
    }
    *out = sum;
    return true;
}

pw_value pw_number_from(pw_str text, bool is_integer)
{
    int64_t integer = 0;
    if (is_integer && text_to_integer(text, &integer))
        return pw_int(integer);
    PW_ASSERT(text.len <= UINT32_MAX);
    return (pw_value){
        .type = PW_NUMBER, .form = PW_FORM_LITERAL, .count = (uint32_t)text.len, .as.text = text.ptr
    };
}

pw_value pw_number_of(pw_arena *arena, pw_str text)
{
    bool is_integer = false;
    if (text.len == 0 || text.len > UINT32_MAX || pw_number_scan(text, &is_integer) != text.len)
        return (pw_value){ .type = PW_NONE };
    pw_value number = pw_number_from(text, is_integer);
    if (number.form == PW_FORM_LITERAL) {
        number.as.text = pw_arena_str(arena, text).ptr;
        if (!number.as.text)
            return (pw_value){ .type = PW_NONE };
    }
    return number;
}

/* ---- the shortest text of a double */

enum { DIGITS_MAX = 17 };

/* d = 0.DIGITS * 10^point; no zero at either end. d is positive. */
typedef struct shortest {
    char digits[DIGITS_MAX + 8];
    int count, point;
} shortest;

static void to_digits(shortest *out, double d, int precision)
{
    char text[48];
    (void)snprintf(text, sizeof text, "%.*e", precision - 1, d);
    char *exponent = strchr(text, 'e');
    PW_ASSERT(exponent != NULL);
    out->count = 0;
    for (const char *c = text; c < exponent; c++) { /* skips the decimal point of any locale */
        if (is_digit(*c))
            out->digits[out->count++] = *c;
    }
    while (out->count > 1 && out->digits[out->count - 1] == '0')
        out->count--;
    out->point = (int)strtol(exponent + 1, NULL, 10) + 1;
}

static bool reads_back(const shortest *s, double d)
{
    char text[48];
    (void)snprintf(text, sizeof text, "0.%.*se%d", s->count, s->digits, s->point);
    text[1] = '.';
    (void)pthread_once(&locale_once, make_locale);
    double back = strtod_l(text, NULL, c_locale);
    return back <= d && back >= d;
}

/* The next larger decimal of as many digits. */
static void step_up(shortest *s)
{
    int i = s->count - 1;
    while (i >= 0 && s->digits[i] == '9')
        i--;
    if (i < 0) {
        s->digits[0] = '1';
        s->count = 1;
        s->point++;
        return;
    }
    s->digits[i]++;
    s->count = i + 1;
}

/* Decimals of up to 15 digits survive a double, so fewer need not be tried: their zeros are cut.
 * Not so among the subnormals. At a power of two the doubles above are twice as far apart as those
 * below: there a decimal above may read back where the nearest one does not. */
static void find_shortest(shortest *out, double d)
{
    int exponent = 0;
    bool power_of_two = frexp(d, &exponent) <= 0.5;
    for (int precision = d < DBL_MIN ? 1 : DBL_DIG; precision < DIGITS_MAX; precision++) {
        to_digits(out, d, precision);
        if (reads_back(out, d))
            return;
        if (power_of_two && out->count == precision) {
            step_up(out);
            if (reads_back(out, d))
                return;
        }
    }
    to_digits(out, d, DIGITS_MAX);
}

/* Most numbers have few places: d * 10^places is an integer below 10^15 that, divided again, gives
 * d. Both are exact doubles, so the quotient is the double nearest to that decimal; and no other
 * decimal of up to 15 digits reads back as d. */
static bool find_few_places(shortest *out, double d)
{
    double power = 1;
    if (d >= 1e15 || d < 1e-3)
        return false;
    for (int places = 0; places <= 6 && d * power < 1e15; places++, power *= 10) {
        int64_t integer = (int64_t)(d * power + 0.5);
        double back = (double)integer / power;
        if (back < d || back > d)
            continue;
        char text[24];
        int len = snprintf(text, sizeof text, "%" PRId64, integer);
        out->point = len - places;
        while (len > 1 && text[len - 1] == '0')
            len--;
        out->count = len;
        memcpy(out->digits, text, (size_t)len);
        return true;
    }
    return false;
}

static size_t put_zeros(char *out, int count)
{
    memset(out, '0', (size_t)count);
    return (size_t)count;
}

static size_t put_plain(char *out, const shortest *s)
{
    size_t at = 0;
    if (s->point <= 0) {
        out[at++] = '0';
        out[at++] = '.';
        at += put_zeros(out + at, -s->point);
        memcpy(out + at, s->digits, (size_t)s->count);
        return at + (size_t)s->count;
    }
    int before = s->point < s->count ? s->point : s->count;
    memcpy(out, s->digits, (size_t)before);
    at = (size_t)before;
    if (s->point >= s->count)
        return at + put_zeros(out + at, s->point - s->count);
    out[at++] = '.';
    memcpy(out + at, s->digits + before, (size_t)(s->count - before));
    return at + (size_t)(s->count - before);
}

static size_t put_scientific(char *out, const shortest *s)
{
    size_t at = 0;
    out[at++] = s->digits[0];
    if (s->count > 1) {
        out[at++] = '.';
        memcpy(out + at, s->digits + 1, (size_t)s->count - 1);
        at += (size_t)s->count - 1;
    }
    return at + (size_t)snprintf(out + at, 8, "e%+.2d", s->point - 1);
}

size_t pw_json_real(char out[PW_REAL_SIZE], double d)
{
    if (isnan(d)) {
        memcpy(out, "null", 5);
        return 4;
    }
    size_t at = 0;
    if (signbit(d)) {
        out[at++] = '-';
        d = -d;
    }
    if (d <= 0) {
        out[at++] = '0';
        out[at] = '\0';
        return at;
    }
    shortest s;
    if (!find_few_places(&s, d))
        find_shortest(&s, d > DBL_MAX ? DBL_MAX : d);
    bool scientific = s.point <= -4 || s.point > s.count + 15; /* where jq changes over */
    at += scientific ? put_scientific(out + at, &s) : put_plain(out + at, &s);
    PW_ASSERT(at < PW_REAL_SIZE);
    out[at] = '\0';
    return at;
}

/* ---- decimals */

/* 0.DIGITS * 10^(exponent + shift); the first and the last digit are not zero. */
typedef struct decimal {
    bool negative, zero;
    pw_str digits; /* may have a point among them */
    bool exponent_negative;
    pw_str exponent; /* digits without leading zeros */
    int64_t shift;
} decimal;

static decimal decimal_of(pw_str text)
{
    decimal d = { .negative = text.ptr[0] == '-' };
    size_t start = d.negative, end = start, point = SIZE_MAX, first = SIZE_MAX, last = 0;
    for (; end < text.len && (is_digit(text.ptr[end]) || text.ptr[end] == '.'); end++) {
        if (text.ptr[end] == '.')
            point = end;
        else if (text.ptr[end] != '0') {
            first = first == SIZE_MAX ? end : first;
            last = end;
        }
    }
    d.zero = first == SIZE_MAX;
    if (d.zero)
        return d;
    if (point == SIZE_MAX)
        point = end;
    d.digits = (pw_str){ text.ptr + first, last + 1 - first };
    d.shift = first < point ? (int64_t)(point - first) : -(int64_t)(first - point - 1);
    if (end < text.len) { /* at the e */
        size_t at = end + 1;
        d.exponent_negative = text.ptr[at] == '-';
        at += text.ptr[at] == '-' || text.ptr[at] == '+';
        while (at < text.len && text.ptr[at] == '0')
            at++;
        d.exponent = (pw_str){ text.ptr + at, text.len - at };
    }
    return d;
}

/* Beyond this two exponents differ by more than any text can shift them. */
#define EXPONENT_FAR INT64_C(1000000000000000)

/* The exponent as a number, kept within +-EXPONENT_FAR. */
static int64_t near_exponent(const decimal *d)
{
    int64_t sum = 0;
    for (size_t i = 0; i < d->exponent.len && sum < EXPONENT_FAR; i++)
        sum = sum * 10 + (d->exponent.ptr[i] - '0');
    sum = sum > EXPONENT_FAR ? EXPONENT_FAR : sum;
    return (d->exponent_negative ? -sum : sum) + d->shift;
}

static int digit_from_end(pw_str digits, size_t from_end)
{
    return from_end <= digits.len ? digits.ptr[digits.len - from_end] - '0' : 0;
}

/* a's exponent less b's, both as written, exact within +-EXPONENT_FAR. */
static int64_t exponent_difference(const decimal *a, const decimal *b)
{
    int64_t sum = 0;
    size_t len = a->exponent.len > b->exponent.len ? a->exponent.len : b->exponent.len;
    for (size_t i = len; i > 0; i--) { /* once far, later digits cannot bring it back */
        int left = digit_from_end(a->exponent, i), right = digit_from_end(b->exponent, i);
        sum = sum * 10 + (a->exponent_negative ? -left : left) -
              (b->exponent_negative ? -right : right);
        if (sum > EXPONENT_FAR || sum < -EXPONENT_FAR)
            return sum > 0 ? EXPONENT_FAR : -EXPONENT_FAR;
    }
    return sum;
}

static int compare_digits(pw_str a, pw_str b)
{
    size_t i = 0, j = 0;
    for (;; i++, j++) {
        i += i < a.len && a.ptr[i] == '.';
        j += j < b.len && b.ptr[j] == '.';
        if (i >= a.len || j >= b.len)
            return (i < a.len) - (j < b.len);
        if (a.ptr[i] != b.ptr[j])
            return a.ptr[i] < b.ptr[j] ? -1 : 1;
    }
}

static int compare_decimals(const decimal *a, const decimal *b)
{
    int sign_a = a->zero ? 0 : a->negative ? -1 : 1, sign_b = b->zero ? 0 : b->negative ? -1 : 1;
    if (sign_a != sign_b)
        return sign_a < sign_b ? -1 : 1;
    if (sign_a == 0)
        return 0;
    int64_t further = exponent_difference(a, b) + (a->shift - b->shift);
    int order = further ? (further < 0 ? -1 : 1) : compare_digits(a->digits, b->digits);
    return a->negative ? -order : order;
}

/* ---- numbers by value */

/* By hand: a state has dozens of integers, and snprintf takes ten times as long for each. */
static size_t write_int(char *out, int64_t n)
{
    char digits[20];
    size_t at = sizeof digits, len = 0;
    uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    do
        digits[--at] = (char)('0' + left % 10);
    while ((left /= 10) != 0);
    if (n < 0)
        out[len++] = '-';
    memcpy(out + len, digits + at, sizeof digits - at);
    return len + sizeof digits - at;
}

pw_str pw_number_text(char room[PW_REAL_SIZE], pw_value v)
{
    PW_ASSERT(v.type == PW_NUMBER);
    switch ((pw_number_form)v.form) {
    case PW_FORM_INT:
        return (pw_str){ room, write_int(room, v.as.integer) };
    case PW_FORM_REAL:
        return (pw_str){ room, pw_json_real(room, v.as.real) };
    case PW_FORM_LITERAL:
        break;
    }
    return (pw_str){ v.as.text, v.count };
}

static int compare_doubles(double a, double b)
{
    return (a > b) - (a < b);
}

/* Where a double says the same as the decimal: among doubles, and among integers below 2^53. */
static bool as_double(pw_value v, double *out)
{
    if (v.form == PW_FORM_REAL) {
        *out = v.as.real;
        return true;
    }
    *out = (double)v.as.integer;
    return v.form == PW_FORM_INT && v.as.integer < INT64_C(9007199254740992) &&
           v.as.integer > -INT64_C(9007199254740992);
}

int pw_number_compare(pw_value a, pw_value b)
{
    double x = 0, y = 0;
    if (a.form == PW_FORM_INT && b.form == PW_FORM_INT)
        return (a.as.integer > b.as.integer) - (a.as.integer < b.as.integer);
    if (a.form != PW_FORM_LITERAL && b.form != PW_FORM_LITERAL && as_double(a, &x) &&
        as_double(b, &y))
        return compare_doubles(x, y);
    char room_a[PW_REAL_SIZE], room_b[PW_REAL_SIZE];
    decimal left = decimal_of(pw_number_text(room_a, a));
    decimal right = decimal_of(pw_number_text(room_b, b));
    return compare_decimals(&left, &right);
}

/* Rounding is decided by 768 digits at the most; if any follow, one more that is not zero stands
 * for them all. */
enum { ROUNDING_DIGITS = 770, EXPONENT_TEXT = 24 };

/* Digits that make an integer below 2^53, and a power of ten that a double holds exactly: then one
 * division or multiplication rounds correctly. */
static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

static bool small_decimal(const decimal *d, double *out)
{
    int64_t count = 0, sum = 0;
    if (d->digits.len > DBL_DIG + 1 || d->exponent.len > 3)
        return false;
    for (size_t i = 0; i < d->digits.len; i++) {
        if (d->digits.ptr[i] == '.')
            continue;
        sum = sum * 10 + (d->digits.ptr[i] - '0');
        count++;
    }
    int64_t power = near_exponent(d) - count;
    if (count > DBL_DIG || power < -22 || power > 22)
        return false;
    double number = (double)(d->negative ? -sum : sum);
    *out = power < 0 ? number / powers[-power] : number * powers[power];
    return true;
}

/* The same for the literals that most are, like 19.95: digits and a point among them. */
static bool plain_decimal(pw_str text, double *out)
{
    int64_t sum = 0;
    size_t negative = text.ptr[0] == '-', places = 0;
    if (text.len > DBL_DIG + 1) /* a point and as many digits, or a sign and fewer */
        return false;
    for (size_t i = negative; i < text.len; i++) {
        if (is_digit(text.ptr[i]))
            sum = sum * 10 + (text.ptr[i] - '0');
        else if (text.ptr[i] == '.')
            places = text.len - i - 1;
        else
            return false;
    }
    *out = (double)sum / powers[places];
    *out = negative ? -*out : *out;
    return true;
}

double pw_number(pw_value v)
{
    if (v.type != PW_NUMBER)
        return 0;
    if (v.form == PW_FORM_INT)
        return (double)v.as.integer;
    if (v.form == PW_FORM_REAL)
        return v.as.real;
    double plain = 0;
    if (plain_decimal((pw_str){ v.as.text, v.count }, &plain))
        return plain;
    decimal d = decimal_of((pw_str){ v.as.text, v.count });
    if (d.zero)
        return d.negative ? -0.0 : 0.0;
    double small = 0;
    if (small_decimal(&d, &small))
        return small;
    char text[ROUNDING_DIGITS + EXPONENT_TEXT + 8];
    size_t at = 0, taken = 0;
    text[at++] = d.negative ? '-' : '+';
    text[at++] = '.';
    for (size_t i = 0; i < d.digits.len; i++) {
        if (d.digits.ptr[i] == '.')
            continue;
        if (taken++ == ROUNDING_DIGITS) {
            text[at++] = '1';
            break;
        }
        text[at++] = d.digits.ptr[i];
    }
    (void)snprintf(text + at, EXPONENT_TEXT, "e%" PRId64, near_exponent(&d));
    return text_to_double(text);
}

bool pw_integer(pw_value v, int64_t *out)
{
    if (v.type != PW_NUMBER)
        return false;
    if (v.form == PW_FORM_INT) {
        *out = v.as.integer;
        return true;
    }
    char room[PW_REAL_SIZE];
    pw_str text = pw_number_text(room, v);
    if (text.len >= 2 && text.ptr[text.len - 2] == '.' && text.ptr[text.len - 1] != '0')
        return false; /* 2.5 */
    if (text.len >= 3 && text.ptr[text.len - 3] == '.' && text.ptr[text.len - 1] != '0')
        return false; /* 19.95 */
    decimal d = decimal_of(text);
    if (d.zero) {
        *out = 0;
        return true;
    }
    int64_t places = near_exponent(&d), sum = 0;
    if (places <= 0 || places > 19)
        return false;
    for (size_t i = 0; i < d.digits.len; i++) {
        if (d.digits.ptr[i] == '.')
            continue;
        int64_t digit = d.digits.ptr[i] - '0';
        if (places-- == 0 || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, d.negative ? -digit : digit, &sum))
            return false;
    }
    for (; places > 0; places--) {
        if (__builtin_mul_overflow(sum, 10, &sum))
            return false;
    }
    *out = sum;
    return true;
}

/* ---- one text for one value */

enum { PLAIN_PLACES = 21, PLAIN_ZEROS = 6 }; /* as ECMAScript writes numbers */

static void write_digits(pw_buf *buf, pw_str digits, size_t from, size_t to)
{
    size_t at = 0;
    for (size_t i = 0; i < digits.len && at < to; i++) {
        if (digits.ptr[i] == '.')
            continue;
        if (at++ >= from)
            pw_buf_char(buf, digits.ptr[i]);
    }
}

/* exponent + shift - 1, of an exponent too long for an integer: added digit by digit. */
static void write_far_exponent(pw_buf *buf, const decimal *d)
{
    int64_t rest = d->exponent_negative ? 1 - d->shift : d->shift - 1;
    char *sum = pw_alloc(d->exponent.len + 1);
    if (!sum) {
        buf->failed = true;
        return;
    }
    for (size_t i = d->exponent.len; i > 0; i--) {
        int64_t digit = d->exponent.ptr[i - 1] - '0' + rest;
        rest = digit / 10 - (digit % 10 < 0);
        sum[i] = (char)('0' + (digit % 10 + 10) % 10);
    }
    /* what is carried out of the last place is at most one: the exponent is far longer */
    sum[0] = (char)('0' + rest);
    size_t start = 0;
    while (sum[start] == '0')
        start++;
    pw_buf_text(buf, d->exponent_negative ? "e-" : "e+");
    pw_buf_add(buf, sum + start, d->exponent.len + 1 - start);
    pw_free(sum);
}

void pw_number_write_canonical(pw_buf *buf, pw_value v)
{
    char room[PW_REAL_SIZE];
    decimal d = decimal_of(pw_number_text(room, v));
    if (d.zero) {
        pw_buf_char(buf, '0');
        return;
    }
    int64_t point = near_exponent(&d);
    int64_t count = (int64_t)d.digits.len - (memchr(d.digits.ptr, '.', d.digits.len) != NULL);
    if (d.negative)
        pw_buf_char(buf, '-');
    if (point > PLAIN_PLACES || point <= -PLAIN_ZEROS) {
        write_digits(buf, d.digits, 0, 1);
        if (count > 1)
            pw_buf_char(buf, '.');
        write_digits(buf, d.digits, 1, SIZE_MAX);
        if (d.exponent.len > 15)
            write_far_exponent(buf, &d);
        else
            pw_buf_printf(buf, "e%+" PRId64, point - 1);
        return;
    }
    if (point <= 0) {
        pw_buf_text(buf, "0.");
        for (int64_t i = point; i < 0; i++)
            pw_buf_char(buf, '0');
        write_digits(buf, d.digits, 0, SIZE_MAX);
        return;
    }
    write_digits(buf, d.digits, 0, (size_t)point);
    for (int64_t i = count; i < point; i++)
        pw_buf_char(buf, '0');
    if (count > point)
        pw_buf_char(buf, '.');
    write_digits(buf, d.digits, (size_t)point, SIZE_MAX);
}
