/* builtins_time.c - dates, in UTC and without the C library's locale or time zone.
 *
 * A "broken down time" is jq's array [year, month from 0, day, hours, minutes, seconds (with a
 * fraction), weekday, day of the year from 0]. */
#include <math.h>

#include "expr/builtins_internal.h"
#include "base/moment.h"

static const pw_value none = { .type = PW_NONE };

static const char *const day_names[] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
                                         "Thursday", "Friday", "Saturday" };
static const char *const month_names[] = { "January",   "February", "March",    "April",
                                           "May",       "June",     "July",     "August",
                                           "September", "October",  "November", "December" };

typedef struct broken_down {
    pw_date date;
    double seconds; /* with the fraction */
} broken_down;

static pw_value broken_down_value(pw_expr_machine *m, const pw_date *d, double seconds)
{
    pw_value items[] = { pw_int(d->year),    pw_int(d->month - 1), pw_int(d->day),
                         pw_int(d->hour),    pw_int(d->minute),    pw_expr_number(m, seconds),
                         pw_int(d->weekday), pw_int(d->yearday) };
    return pw_array(m->arena, items, PW_LENGTH(items));
}

/* Years 0 to 9999 are what base/moment.h knows. */
static bool split_seconds(pw_expr_machine *m, double seconds, const char *what, broken_down *out)
{
    if (!(seconds >= -62167219200.0 && seconds < 253402300800.0)) {
        (void)pw_expr_throw(m, "%s: time is outside the years 0 to 9999", what);
        return false;
    }
    double whole = floor(seconds);
    out->date = pw_date_of((int64_t)whole * 1000);
    out->seconds = out->date.second + (seconds - whole);
    return true;
}

pw_value pw_builtin_utc(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    broken_down t;
    if (!pw_is(in, PW_NUMBER))
        return pw_expr_throw(m, "gmtime() requires numeric inputs");
    if (!split_seconds(m, pw_number(in), "gmtime", &t))
        return none;
    return broken_down_value(m, &t.date, t.seconds);
}

/* An array of at least [year, month, day]; what is missing is 0, weekday and yearday are found. */
static bool read_broken_down(pw_expr_machine *m, pw_value in, const char *what, broken_down *out)
{
    double fields[6] = { 0, 0, 1, 0, 0, 0 };
    bool good = pw_is(in, PW_ARRAY) && in.count >= 3;
    for (uint32_t i = 0; good && i < in.count && i < 8; i++) {
        pw_expr_charge_number(m, in.as.items[i]);
        double d = pw_is(in.as.items[i], PW_NUMBER) ? pw_number(in.as.items[i]) : (double)NAN;
        good = d > -1e9 && d < 1e9;
        if (good && i < 6)
            fields[i] = d;
    }
    if (!good) {
        (void)pw_expr_throw(m, "%s requires parsed datetime inputs", what);
        return false;
    }
    double seconds = floor(fields[5]);
    pw_date raw = { .year = (int)fields[0],
                    .month = (int)fields[1] + 1,
                    .day = (int)fields[2],
                    .hour = (int)fields[3],
                    .minute = (int)fields[4],
                    .second = (int)seconds };
    if (raw.year < 0 || raw.year > 9999) {
        (void)pw_expr_throw(m, "%s: time is outside the years 0 to 9999", what);
        return false;
    }
    out->date = pw_date_of(pw_date_ms(&raw));
    out->seconds = out->date.second + (fields[5] - seconds);
    return true;
}

pw_value pw_builtin_mktime(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    broken_down t;
    if (!pw_is(in, PW_ARRAY))
        return pw_expr_throw(m, "mktime requires array inputs");
    if (!read_broken_down(m, in, "mktime", &t))
        return none;
    return pw_int(pw_date_ms(&t.date) / 1000);
}

/* ---- strftime */

static int weeks_of(int year)
{
    pw_date first = { .year = year, .month = 1, .day = 1 };
    int weekday = pw_date_of(pw_date_ms(&first)).weekday;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return weekday == 4 || (leap && weekday == 3) ? 53 : 52;
}

/* ISO 8601 week and the year it belongs to. */
static int iso_week(const pw_date *d, int *year)
{
    int week = (d->yearday - (d->weekday + 6) % 7 + 10) / 7;
    *year = d->year;
    if (week < 1) {
        (*year)--;
        return weeks_of(*year);
    }
    if (week > weeks_of(d->year)) {
        (*year)++;
        return 1;
    }
    return week;
}

static void add_field(pw_buf *buf, const broken_down *t, char code);

static void add_all(pw_buf *buf, const broken_down *t, const char *codes)
{
    for (; *codes; codes++) {
        if (*codes == '%')
            add_field(buf, t, *++codes);
        else
            pw_buf_char(buf, *codes);
    }
}

static void add_field(pw_buf *buf, const broken_down *t, char code)
{
    const pw_date *d = &t->date;
    int year, hour12 = d->hour % 12 ? d->hour % 12 : 12;
    /* clang-format off */
    switch (code) {
    case 'A': pw_buf_text(buf, day_names[d->weekday]); break;
    case 'a': pw_buf_add(buf, day_names[d->weekday], 3); break;
    case 'B': pw_buf_text(buf, month_names[d->month - 1]); break;
    case 'b':
    case 'h': pw_buf_add(buf, month_names[d->month - 1], 3); break;
    case 'C': pw_buf_printf(buf, "%02d", d->year / 100); break;
    case 'c': add_all(buf, t, "%a %b %e %H:%M:%S %Y"); break;
    case 'D':
    case 'x': add_all(buf, t, "%m/%d/%y"); break;
    case 'd': pw_buf_printf(buf, "%02d", d->day); break;
    case 'e': pw_buf_printf(buf, "%2d", d->day); break;
    case 'F': add_all(buf, t, "%Y-%m-%d"); break;
    case 'G': (void)iso_week(d, &year); pw_buf_printf(buf, "%d", year); break;
    case 'g': (void)iso_week(d, &year); pw_buf_printf(buf, "%02d", year % 100); break;
    case 'H': pw_buf_printf(buf, "%02d", d->hour); break;
    case 'I': pw_buf_printf(buf, "%02d", hour12); break;
    case 'j': pw_buf_printf(buf, "%03d", d->yearday + 1); break;
    case 'k': pw_buf_printf(buf, "%2d", d->hour); break;
    case 'l': pw_buf_printf(buf, "%2d", hour12); break;
    case 'M': pw_buf_printf(buf, "%02d", d->minute); break;
    case 'm': pw_buf_printf(buf, "%02d", d->month); break;
    case 'n': pw_buf_char(buf, '\n'); break;
    case 'p': pw_buf_text(buf, d->hour < 12 ? "AM" : "PM"); break;
    case 'P': pw_buf_text(buf, d->hour < 12 ? "am" : "pm"); break;
    case 'R': add_all(buf, t, "%H:%M"); break;
    case 'r': add_all(buf, t, "%I:%M:%S %p"); break;
    case 'S': pw_buf_printf(buf, "%02d", d->second); break;
    case 's': pw_buf_printf(buf, "%lld", (long long)(pw_date_ms(d) / 1000)); break;
    case 'T':
    case 'X': add_all(buf, t, "%H:%M:%S"); break;
    case 't': pw_buf_char(buf, '\t'); break;
    case 'U': pw_buf_printf(buf, "%02d", (d->yearday + 7 - d->weekday) / 7); break;
    case 'u': pw_buf_printf(buf, "%d", d->weekday ? d->weekday : 7); break;
    case 'V': pw_buf_printf(buf, "%02d", iso_week(d, &year)); break;
    case 'W': pw_buf_printf(buf, "%02d", (d->yearday + 7 - (d->weekday + 6) % 7) / 7); break;
    case 'w': pw_buf_printf(buf, "%d", d->weekday); break;
    case 'Y': pw_buf_printf(buf, "%d", d->year); break;
    case 'y': pw_buf_printf(buf, "%02d", d->year % 100); break;
    case 'Z': pw_buf_text(buf, "UTC"); break;
    case 'z': pw_buf_text(buf, "+0000"); break;
    case '%': pw_buf_char(buf, '%'); break;
    default:
        pw_buf_char(buf, '%');
        pw_buf_char(buf, code);
        break;
    }
    /* clang-format on */
}

pw_value pw_builtin_strftime(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    broken_down t;
    if (!pw_is(in, PW_NUMBER) && !pw_is(in, PW_ARRAY))
        return pw_expr_throw(m, "strftime/1 requires parsed datetime inputs");
    if (!pw_is(args[0], PW_STRING))
        return pw_expr_throw(m, "strftime/1 requires a string format");
    if (pw_is(in, PW_NUMBER) ? !split_seconds(m, pw_number(in), "strftime/1", &t)
                             : !read_broken_down(m, in, "strftime/1", &t))
        return none;
    pw_str format = pw_text(args[0]);
    pw_expr_charge(m, 4 * format.len); /* a field of two characters is some 200 ns of printing */
    pw_expr_begin_text(m);
    for (size_t i = 0; i < format.len; i++) {
        if (format.ptr[i] == '%' && i + 1 < format.len)
            add_field(&m->text, &t, format.ptr[++i]);
        else
            pw_buf_char(&m->text, format.ptr[i]);
    }
    return pw_expr_buffer(m);
}

/* ---- strptime */

typedef struct reader {
    pw_str s;
    size_t at;
    pw_date date;
    int offset_minutes, yearday;
    bool pm, has_pm, has_epoch;
    int64_t epoch;
} reader;

static bool read_int(reader *r, int digits, int min, int max, int *out)
{
    int n = 0, value = 0;
    while (r->at < r->s.len && r->s.ptr[r->at] == ' ')
        r->at++;
    while (n < digits && r->at < r->s.len && r->s.ptr[r->at] >= '0' && r->s.ptr[r->at] <= '9') {
        value = value * 10 + (r->s.ptr[r->at++] - '0');
        n++;
    }
    *out = value;
    return n > 0 && value >= min && value <= max;
}

static bool same_letters(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((a[i] | 0x20) != (b[i] | 0x20))
            return false;
    return true;
}

/* The whole name or its first three letters. */
static bool read_name(reader *r, const char *const *names, int count, int *out)
{
    for (int i = 0; i < count; i++) {
        size_t lengths[] = { strlen(names[i]), 3 };
        for (size_t k = 0; k < 2; k++) {
            if (r->s.len - r->at >= lengths[k] &&
                same_letters(r->s.ptr + r->at, names[i], lengths[k])) {
                r->at += lengths[k];
                *out = i;
                return true;
            }
        }
    }
    return false;
}

static bool read_zone(reader *r)
{
    if (r->at < r->s.len && (r->s.ptr[r->at] == 'Z' || r->s.ptr[r->at] == 'z')) {
        r->at++;
        return true;
    }
    if (r->at >= r->s.len || (r->s.ptr[r->at] != '+' && r->s.ptr[r->at] != '-'))
        return false;
    int sign = r->s.ptr[r->at++] == '-' ? -1 : 1, hours, minutes = 0;
    if (!read_int(r, 2, 0, 14, &hours))
        return false;
    if (r->at < r->s.len && r->s.ptr[r->at] == ':')
        r->at++;
    if (r->at < r->s.len && r->s.ptr[r->at] >= '0' && r->s.ptr[r->at] <= '9' &&
        !read_int(r, 2, 0, 59, &minutes))
        return false;
    r->offset_minutes = sign * (hours * 60 + minutes);
    return true;
}

static bool read_format(reader *r, pw_str format);

static bool read_field(reader *r, char code)
{
    int value;
    /* clang-format off */
    switch (code) {
    case 'A':
    case 'a': return read_name(r, day_names, 7, &value);
    case 'B':
    case 'b':
    case 'h':
        if (!read_name(r, month_names, 12, &value))
            return false;
        r->date.month = value + 1;
        return true;
    case 'c': return read_format(r, PW_LIT("%a %b %e %H:%M:%S %Y"));
    case 'D': return read_format(r, PW_LIT("%m/%d/%y"));
    case 'd':
    case 'e': return read_int(r, 2, 1, 31, &r->date.day);
    case 'F': return read_format(r, PW_LIT("%Y-%m-%d"));
    case 'H':
    case 'k': return read_int(r, 2, 0, 23, &r->date.hour);
    case 'I':
    case 'l': return read_int(r, 2, 1, 12, &r->date.hour);
    case 'j': return read_int(r, 3, 1, 366, &r->yearday);
    case 'M': return read_int(r, 2, 0, 59, &r->date.minute);
    case 'm': return read_int(r, 2, 1, 12, &r->date.month);
    case 'n':
    case 't':
        while (r->at < r->s.len && strchr(" \t\n\r", r->s.ptr[r->at]) && r->s.ptr[r->at])
            r->at++;
        return true;
    case 'p':
    case 'P':
        if (r->s.len - r->at < 2 || (r->s.ptr[r->at + 1] | 0x20) != 'm')
            return false;
        r->has_pm = true;
        r->pm = (r->s.ptr[r->at] | 0x20) == 'p';
        r->at += 2;
        return true;
    case 'R': return read_format(r, PW_LIT("%H:%M"));
    case 'S': return read_int(r, 2, 0, 60, &r->date.second);
    case 's':
        r->has_epoch = true;
        for (value = 0; value < 12 && r->at < r->s.len && r->s.ptr[r->at] >= '0' && r->s.ptr[r->at] <= '9';
             value++)
            r->epoch = r->epoch * 10 + (r->s.ptr[r->at++] - '0');
        return value > 0 && r->epoch < 253402300800;
    case 'T': return read_format(r, PW_LIT("%H:%M:%S"));
    case 'Y': return read_int(r, 4, 0, 9999, &r->date.year);
    case 'y':
        if (!read_int(r, 2, 0, 99, &value))
            return false;
        r->date.year = value < 69 ? 2000 + value : 1900 + value;
        return true;
    case 'Z':
        if (r->at < r->s.len && (r->s.ptr[r->at] == '+' || r->s.ptr[r->at] == '-'))
            return read_zone(r);
        while (r->at < r->s.len && (r->s.ptr[r->at] | 0x20) >= 'a' && (r->s.ptr[r->at] | 0x20) <= 'z')
            r->at++;
        return true;
    case 'z': return read_zone(r);
    case '%':
        return r->at < r->s.len && r->s.ptr[r->at++] == '%';
    default: return false;
    }
    /* clang-format on */
}

static bool read_format(reader *r, pw_str format)
{
    for (size_t i = 0; i < format.len; i++) {
        if (format.ptr[i] == ' ') {
            while (r->at < r->s.len && r->s.ptr[r->at] == ' ')
                r->at++;
        } else if (format.ptr[i] == '%' && i + 1 < format.len) {
            if (!read_field(r, format.ptr[++i]))
                return false;
        } else if (r->at >= r->s.len || r->s.ptr[r->at++] != format.ptr[i]) {
            return false;
        }
    }
    return true;
}

pw_value pw_builtin_strptime(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    char text[PW_DUMP_SIZE];
    if (!pw_is(in, PW_STRING))
        return pw_expr_throw(m, "strptime/1 requires string inputs and arguments");
    if (!pw_is(args[0], PW_STRING))
        return pw_expr_throw(m, "strptime/1 requires string inputs and arguments");
    reader r = { .s = pw_text(in), .date = { .year = 1900, .month = 1, .day = 1 } };
    pw_expr_charge_bytes(m, r.s.len + args[0].count);
    if (!read_format(&r, pw_text(args[0])) || r.at != r.s.len) {
        pw_str format = pw_text(args[0]);
        return pw_expr_throw(m, "date %s does not match format \"" PW_FMT "\"",
                             pw_expr_dump(m, in, text), (int)(format.len > 80 ? 80 : format.len),
                             format.ptr);
    }
    if (r.has_pm)
        r.date.hour = r.date.hour % 12 + (r.pm ? 12 : 0);
    if (r.yearday > 0 && r.date.month == 1 && r.date.day == 1)
        r.date.day = r.yearday;
    int64_t ms = r.has_epoch ? r.epoch * 1000 : pw_date_ms(&r.date);
    pw_date d = pw_date_of(ms - (int64_t)r.offset_minutes * 60000);
    return broken_down_value(m, &d, d.second);
}
