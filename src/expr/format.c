/* format.c - values as text: JSON, the cut text in messages, and the @formats. */
#include "expr/vm_internal.h"

#include <math.h>
#include "base/json.h"

/* ---- JSON */

typedef struct write_frame {
    pw_value v;
    uint32_t at;
} write_frame;

static void write_scalar(pw_buf *buf, pw_value v)
{
    if (pw_is(v, PW_NUMBER) && v.form == PW_FORM_REAL && !isfinite(v.as.real))
        v = pw_real(v.as.real); /* NaN: null, infinities: the largest double */
    if (pw_is(v, PW_STRING))
        pw_json_write_string(buf, pw_text(v));
    else
        pw_json_write(buf, v, PW_JSON_COMPACT);
}

/* No more of a string than is enough, in whole characters. */
static pw_value clipped(pw_value v, size_t enough)
{
    if (pw_is(v, PW_STRING) && v.count > enough) {
        v.count = (uint32_t)enough;
        while (v.count > 0 && ((unsigned char)v.as.text[v.count] & 0xc0) == 0x80)
            v.count--;
    }
    return v;
}

/* Stops when the text is longer than `enough`; charges as it goes, since shared parts can make a
 * small value endless text. */
static void write_value(pw_expr_machine *m, pw_buf *buf, pw_value v, size_t enough)
{
    write_frame local[32], *stack = local;
    size_t size = PW_LENGTH(local), depth = 0, charged = buf->len;
    for (;;) {
        if (buf->failed || buf->len > enough)
            return;
        if ((pw_is(v, PW_ARRAY) || pw_is(v, PW_OBJECT)) && depth > PW_JSON_DEPTH_MAX) {
            pw_buf_text(buf, "\"<skipped: too deep>\"");
        } else if (pw_is(v, PW_ARRAY) || pw_is(v, PW_OBJECT)) {
            if (depth == size) {
                write_frame *more = pw_arena_alloc(m->arena, 2 * size * sizeof *more);
                memcpy(more, stack, size * sizeof *more);
                stack = more;
                size *= 2;
            }
            stack[depth++] = (write_frame){ v, 0 };
            pw_buf_char(buf, pw_is(v, PW_ARRAY) ? '[' : '{');
        } else {
            write_scalar(buf, clipped(v, enough));
        }
        if (buf->len > charged) {
            pw_expr_charge_bytes(m, buf->len - charged);
            charged = buf->len;
        }
        for (;;) {
            if (depth == 0)
                return;
            write_frame *f = &stack[depth - 1];
            bool array = pw_is(f->v, PW_ARRAY);
            if (f->at == f->v.count) {
                pw_buf_char(buf, array ? ']' : '}');
                depth--;
                continue;
            }
            if (f->at > 0)
                pw_buf_char(buf, ',');
            if (array) {
                v = f->v.as.items[f->at++];
            } else {
                const pw_member *member = &pw_members(f->v)[f->at++];
                pw_json_write_string(buf, member->key);
                pw_buf_char(buf, ':');
                v = member->value;
            }
            break;
        }
    }
}

void pw_expr_write(pw_expr_machine *m, pw_buf *buf, pw_value v)
{
    write_value(m, buf, v, SIZE_MAX);
}

const char *pw_expr_dump(pw_expr_machine *m, pw_value v, char out[PW_DUMP_SIZE])
{
    pw_expr_begin_text(m);
    write_value(m, &m->text, v, 4 * PW_DUMP_SIZE);
    if (m->text.failed)
        pw_expr_stop(m, m->text.over_cap ? PW_STOP_MEMORY : PW_STOP_NO_MEMORY);
    pw_str text = pw_buf_view(&m->text);
    if (text.len < PW_DUMP_SIZE) {
        memcpy(out, text.ptr ? text.ptr : "", text.len);
        out[text.len] = '\0';
        return out;
    }
    const char *end = pw_is(v, PW_STRING)   ? "...\""
                      : pw_is(v, PW_ARRAY)  ? "...]"
                      : pw_is(v, PW_OBJECT) ? "...}"
                                            : "...";
    size_t keep = PW_DUMP_SIZE - 1 - strlen(end);
    while (keep > 0 && ((unsigned char)text.ptr[keep] & 0xc0) == 0x80)
        keep--; /* never half a character */
    memcpy(out, text.ptr, keep);
    memcpy(out + keep, end, strlen(end) + 1);
    return out;
}

static pw_value tojson(pw_expr_machine *m, pw_value v)
{
    pw_expr_begin_text(m);
    pw_expr_write(m, &m->text, v);
    return pw_expr_buffer(m);
}

pw_value pw_expr_tostring(pw_expr_machine *m, pw_value v)
{
    return pw_is(v, PW_STRING) ? v : tojson(m, v);
}

/* ---- formats */

/* Each character of `from` is replaced by the text at its place in `to`. */
static void add_escaped(pw_buf *buf, pw_str s, const char *from, const char *const *to)
{
    size_t plain = 0;
    for (size_t i = 0; i < s.len; i++) {
        const char *found = s.ptr[i] ? strchr(from, s.ptr[i]) : NULL;
        if (!found)
            continue;
        pw_buf_add(buf, s.ptr + plain, i - plain);
        pw_buf_text(buf, to[found - from]);
        plain = i + 1;
    }
    pw_buf_add(buf, s.ptr + plain, s.len - plain);
}

static pw_value escaped(pw_expr_machine *m, pw_value v, const char *from, const char *const *to)
{
    pw_value text = pw_expr_tostring(m, v);
    pw_expr_charge_bytes(m, text.count);
    pw_expr_begin_text(m);
    add_escaped(&m->text, pw_text(text), from, to);
    return pw_expr_buffer(m);
}

static pw_value html(pw_expr_machine *m, pw_value v)
{
    static const char *const to[] = { "&lt;", "&gt;", "&amp;", "&apos;", "&quot;" };
    return escaped(m, v, "<>&'\"", to);
}

static pw_value row(pw_expr_machine *m, pw_value v, bool tabs)
{
    static const char *const csv[] = { "\"\"" };
    static const char *const tsv[] = { "\\t", "\\n", "\\r", "\\\\" };
    char text[PW_DUMP_SIZE];
    if (!pw_is(v, PW_ARRAY))
        return pw_expr_throw(m, "%s (%s) cannot be %s-formatted, only array", pw_type_name(v),
                             pw_expr_dump(m, v, text), tabs ? "tsv" : "csv");
    pw_expr_charge(m, v.count);
    for (uint32_t i = 0; i < v.count; i++) { /* errors first: the dump needs the buffer */
        pw_value item = v.as.items[i];
        if (pw_is(item, PW_ARRAY) || pw_is(item, PW_OBJECT))
            return pw_expr_throw(m, "%s (%s) is not valid in a csv row", pw_type_name(item),
                                 pw_expr_dump(m, item, text));
    }
    pw_expr_begin_text(m);
    for (uint32_t i = 0; i < v.count; i++) {
        pw_value item = v.as.items[i];
        if (i > 0)
            pw_buf_char(&m->text, tabs ? '\t' : ',');
        if (pw_is(item, PW_STRING)) {
            pw_expr_charge_bytes(m, item.count);
            if (!tabs)
                pw_buf_char(&m->text, '"');
            add_escaped(&m->text, pw_text(item), tabs ? "\t\n\r\\" : "\"", tabs ? tsv : csv);
            if (!tabs)
                pw_buf_char(&m->text, '"');
        } else if (pw_is(item, PW_NUMBER) && item.form == PW_FORM_REAL && isnan(item.as.real)) {
            continue; /* an empty field */
        } else if (!pw_is(item, PW_NULL)) {
            write_scalar(&m->text, item);
        }
    }
    return pw_expr_buffer(m);
}

static pw_value csv(pw_expr_machine *m, pw_value v)
{
    return row(m, v, false);
}

static pw_value tsv(pw_expr_machine *m, pw_value v)
{
    return row(m, v, true);
}

static pw_value shell(pw_expr_machine *m, pw_value v)
{
    static const char *const to[] = { "'\\''" };
    char text[PW_DUMP_SIZE];
    const pw_value *items = pw_is(v, PW_ARRAY) ? v.as.items : &v;
    uint32_t count = pw_is(v, PW_ARRAY) ? v.count : 1;
    for (uint32_t i = 0; i < count; i++)
        if (pw_is(items[i], PW_ARRAY) || pw_is(items[i], PW_OBJECT))
            return pw_expr_throw(m, "%s (%s) can not be escaped for shell", pw_type_name(items[i]),
                                 pw_expr_dump(m, items[i], text));
    pw_expr_begin_text(m);
    for (uint32_t i = 0; i < count; i++) {
        pw_expr_charge_bytes(m, items[i].count);
        if (i > 0)
            pw_buf_char(&m->text, ' ');
        if (pw_is(items[i], PW_STRING)) {
            pw_buf_char(&m->text, '\'');
            add_escaped(&m->text, pw_text(items[i]), "'", to);
            pw_buf_char(&m->text, '\'');
        } else {
            write_scalar(&m->text, items[i]);
        }
    }
    return pw_expr_buffer(m);
}

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

static pw_value uri(pw_expr_machine *m, pw_value v)
{
    pw_value text = pw_expr_tostring(m, v);
    pw_str s = pw_text(text);
    pw_expr_charge_bytes(m, s.len);
    static const char digits[] = "0123456789ABCDEF";
    pw_expr_begin_text(m);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        char escape[] = { '%', digits[c >> 4], digits[c & 15] };
        if (unreserved(s.ptr[i]))
            pw_buf_char(&m->text, s.ptr[i]);
        else
            pw_buf_add(&m->text, escape, sizeof escape);
    }
    return pw_expr_buffer(m);
}

/* Bytes that may be no UTF-8: each wrong one becomes U+FFFD. */
static pw_value text_of_bytes(pw_expr_machine *m, const char *bytes, size_t len)
{
    pw_expr_charge_bytes(m, len);
    if (pw_utf8_valid((pw_str){ bytes, len }))
        return pw_string(m->arena, (pw_str){ bytes, len });
    char *out = pw_arena_alloc(m->arena, 3 * len);
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        size_t take = 1;
        while (take <= 4 && i + take <= len && !pw_utf8_valid((pw_str){ bytes + i, take }))
            take++;
        if (take <= 4 && i + take <= len) {
            memcpy(out + n, bytes + i, take);
            n += take;
            i += take;
        } else {
            n += pw_utf8_put(out + n, 0xfffd);
            i++;
            while (i < len && ((unsigned char)bytes[i] & 0xc0) == 0x80)
                i++;
        }
    }
    return pw_string_ref((pw_str){ out, n });
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static pw_value from_uri(pw_expr_machine *m, pw_value v)
{
    char dump[PW_DUMP_SIZE];
    pw_value text = pw_expr_tostring(m, v);
    pw_str s = pw_text(text);
    pw_expr_charge_bytes(m, s.len);
    char *out = pw_arena_alloc(m->arena, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '%') {
            out[n++] = s.ptr[i];
            continue;
        }
        int high = i + 2 < s.len ? hex(s.ptr[i + 1]) : -1,
            low = i + 2 < s.len ? hex(s.ptr[i + 2]) : -1;
        if (high < 0 || low < 0)
            return pw_expr_throw(m, "string (%s) is not a valid uri encoding",
                                 pw_expr_dump(m, text, dump));
        out[n++] = (char)(high * 16 + low);
        i += 2;
    }
    if (!pw_utf8_valid((pw_str){ out, n }))
        return pw_expr_throw(m, "string (%s) is not a valid uri encoding",
                             pw_expr_dump(m, text, dump));
    return pw_string_ref((pw_str){ out, n });
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static pw_value base64(pw_expr_machine *m, pw_value v)
{
    pw_value text = pw_expr_tostring(m, v);
    pw_str s = pw_text(text);
    pw_expr_charge_bytes(m, s.len);
    char *out = pw_arena_alloc(m->arena, (s.len + 2) / 3 * 4 + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < s.len ? (unsigned char)s.ptr[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            out[n++] = i + k > s.len ? '=' : base64_digits[bits >> (18 - 6 * k) & 63];
    }
    return pw_string_ref((pw_str){ out, n });
}

static pw_value from_base64(pw_expr_machine *m, pw_value v)
{
    char dump[PW_DUMP_SIZE];
    pw_value text = pw_expr_tostring(m, v);
    pw_str s = pw_text(text);
    pw_expr_charge_bytes(m, s.len);
    char *out = pw_arena_alloc(m->arena, s.len + 3);
    size_t n = 0, digits = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < s.len && s.ptr[i] != '='; i++) {
        const char *found = s.ptr[i] ? strchr(base64_digits, s.ptr[i]) : NULL;
        if (!found)
            return pw_expr_throw(m, "string (%s) is not valid base64 data",
                                 pw_expr_dump(m, text, dump));
        bits = bits << 6 | (uint32_t)(found - base64_digits);
        digits++;
        if (digits % 4 != 1)
            out[n++] = (char)(bits >> ((3 - (digits - 1) % 4) * 2) & 0xff);
    }
    if (digits % 4 == 1)
        return pw_expr_throw(m, "string (%s) trailing base64 byte found",
                             pw_expr_dump(m, text, dump));
    return text_of_bytes(m, out, n);
}

static const char base32_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static pw_value base32(pw_expr_machine *m, pw_value v)
{
    pw_value text = pw_expr_tostring(m, v);
    pw_str s = pw_text(text);
    pw_expr_charge_bytes(m, s.len);
    char *out = pw_arena_alloc(m->arena, (s.len + 4) / 5 * 8 + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i += 5) {
        uint64_t bits = 0;
        size_t have = s.len - i < 5 ? s.len - i : 5;
        for (size_t k = 0; k < 5; k++)
            bits = bits << 8 | (k < have ? (unsigned char)s.ptr[i + k] : 0);
        for (size_t k = 0; k < 8; k++)
            out[n++] = k * 5 < have * 8 ? base32_digits[bits >> (35 - 5 * k) & 31] : '=';
    }
    return pw_string_ref((pw_str){ out, n });
}

static pw_value from_base32(pw_expr_machine *m, pw_value v)
{
    char dump[PW_DUMP_SIZE];
    pw_value text = pw_expr_tostring(m, v);
    pw_str s = pw_text(text);
    pw_expr_charge_bytes(m, s.len);
    char *out = pw_arena_alloc(m->arena, s.len + 1);
    size_t n = 0;
    uint32_t bits = 0, have = 0;
    for (size_t i = 0; i < s.len && s.ptr[i] != '='; i++) {
        const char *found = s.ptr[i] ? strchr(base32_digits, s.ptr[i]) : NULL;
        if (!found)
            return pw_expr_throw(m, "string (%s) is not valid base32 data",
                                 pw_expr_dump(m, text, dump));
        bits = bits << 5 | (uint32_t)(found - base32_digits);
        have += 5;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have & 0xff);
        }
    }
    return text_of_bytes(m, out, n);
}

static const struct {
    const char *name;
    pw_value (*run)(pw_expr_machine *m, pw_value v);
} formats[] = {
    { "text", pw_expr_tostring },
    { "json", tojson },
    { "html", html },
    { "csv", csv },
    { "tsv", tsv },
    { "sh", shell },
    { "uri", uri },
    { "urid", from_uri },
    { "base64", base64 },
    { "base64d", from_base64 },
    { "base32", base32 },
    { "base32d", from_base32 },
};

int pw_expr_format_id(pw_str name)
{
    for (size_t i = 0; i < PW_LENGTH(formats); i++)
        if (pw_str_is(name, formats[i].name))
            return (int)i;
    return -1;
}

pw_value pw_expr_format(pw_expr_machine *m, unsigned format, pw_value v)
{
    PW_ASSERT(format < PW_LENGTH(formats));
    return formats[format].run(m, v);
}
