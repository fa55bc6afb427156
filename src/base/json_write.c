/* json_write.c - values as JSON text. Runs of plain characters are added at once; the walk keeps a
 * stack of its own, so that depth costs heap only. */
#include <inttypes.h>

#include "base/json.h"
#include "base/payload_internal.h"
#include "base/value_internal.h"

enum { LOCAL_FRAMES = 32 };

/* ---- strings */

/* What follows the backslash; 'u': four hexadecimal digits; 0: written as it is. 127 as in jq. */
static const char escapes[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r',
    ['\t'] = 't', [0x00] = 'u',  [0x01] = 'u', [0x02] = 'u', [0x03] = 'u', [0x04] = 'u',
    [0x05] = 'u', [0x06] = 'u',  [0x07] = 'u', [0x0B] = 'u', [0x0E] = 'u', [0x0F] = 'u',
    [0x10] = 'u', [0x11] = 'u',  [0x12] = 'u', [0x13] = 'u', [0x14] = 'u', [0x15] = 'u',
    [0x16] = 'u', [0x17] = 'u',  [0x18] = 'u', [0x19] = 'u', [0x1A] = 'u', [0x1B] = 'u',
    [0x1C] = 'u', [0x1D] = 'u',  [0x1E] = 'u', [0x1F] = 'u', [0x7F] = 'u',
};

/* True if one of eight bytes has an escape: each term is exact for "is there any". */
static bool any_escape(const char *eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t x;
    memcpy(&x, eight, sizeof x);
    uint64_t quote = x ^ (ones * '"'), slash = x ^ (ones * '\\'), del = x ^ (ones * 0x7f);
    return (((x - ones * 0x20) & ~x) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
            ((del - ones) & ~del)) &
           highs;
}

/* How many bytes are written as they are. */
static size_t plain_length(const char *text, size_t len)
{
    size_t n = 0;
    while (len - n >= 8 && !any_escape(text + n))
        n += 8;
    while (n < len && escapes[(unsigned char)text[n]] == 0)
        n++;
    return n;
}

/* pw_buf_char without the call where there is room: half of what is written is punctuation. */
static inline void put_char(pw_buf *buf, char c)
{
    if (!buf->failed && buf->size - buf->len > 1)
        buf->ptr[buf->len++] = c;
    else
        pw_buf_char(buf, c);
}

void pw_json_write_string(pw_buf *buf, pw_str s)
{
    static const char hex[] = "0123456789abcdef";
    put_char(buf, '"');
    for (size_t i = 0; i < s.len;) {
        size_t plain = plain_length(s.ptr + i, s.len - i);
        pw_buf_add(buf, s.ptr + i, plain);
        i += plain;
        if (i == s.len)
            break;
        unsigned char c = (unsigned char)s.ptr[i++];
        if (escapes[c] == 'u') {
            char text[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
            pw_buf_add(buf, text, sizeof text);
        } else {
            char text[2] = { '\\', escapes[c] };
            pw_buf_add(buf, text, sizeof text);
        }
    }
    put_char(buf, '"');
}

/* ---- values */

typedef struct write_frame {
    pw_value v;
    uint32_t at;
    size_t start;     /* in the buffer */
    uint64_t whole;   /* put->whole, then */
    pw_cursor cursor; /* of an object, when keys are to be sorted */
} write_frame;

typedef struct writer {
    pw_buf *buf;
    pw_stack stack;
    bool pretty, sorted, canonical;
    pw_putting *put; /* NULL: every part is written in its place */
} writer;

static void write_line(writer *w, size_t depth)
{
    static const char spaces[] = "                                                                ";
    put_char(w->buf, '\n');
    for (size_t left = 2 * depth, part = 0; left && !w->buf->failed; left -= part) {
        part = left < sizeof spaces - 1 ? left : sizeof spaces - 1;
        pw_buf_add(w->buf, spaces, part);
    }
}

static void write_number(writer *w, pw_value v)
{
    if (w->canonical && v.form != PW_FORM_INT) {
        pw_number_write_canonical(w->buf, v);
        return;
    }
    char room[PW_REAL_SIZE];
    pw_buf_str(w->buf, pw_number_text(room, v));
}

/* A value that is written to its end, from `start` on, and may be large. */
static inline void put_out(writer *w, pw_value v, size_t start, uint64_t whole)
{
    if (w->buf->len - start >= PW_PAYLOAD_MIN && w->stack.depth >= w->put->depth)
        pw_payload_put_out(w->put, w->buf, v, start, whole);
}

static void write_large_string(writer *w, pw_value v)
{
    size_t start = w->buf->len;
    if (pw_payload_refer(w->put, w->buf, v))
        return;
    pw_json_write_string(w->buf, pw_text(v));
    put_out(w, v, start, w->put->whole);
}

/* Writes a value, of a container only what opens it. */
static void write_one(writer *w, pw_value v)
{
    switch ((pw_type)v.type) {
    case PW_NONE: /* where memory ran out before: not JSON */
        w->buf->failed = true;
        return;
    case PW_NULL:
        pw_buf_add(w->buf, "null", 4);
        return;
    case PW_FALSE:
        pw_buf_add(w->buf, "false", 5);
        return;
    case PW_TRUE:
        pw_buf_add(w->buf, "true", 4);
        return;
    case PW_NUMBER:
        write_number(w, v);
        return;
    case PW_STRING:
        if (w->put && v.count >= PW_PAYLOAD_STRING)
            write_large_string(w, v);
        else
            pw_json_write_string(w->buf, pw_text(v));
        return;
    case PW_ARRAY:
    case PW_OBJECT:
        break;
    }
    if (v.count == 0) {
        pw_buf_add(w->buf, v.type == PW_ARRAY ? "[]" : "{}", 2);
        return;
    }
    if (w->put && w->put->known && pw_payload_refer(w->put, w->buf, v))
        return;
    write_frame *frame = pw_stack_push(&w->stack);
    if (!frame) {
        w->buf->failed = true;
        return;
    }
    frame->v = v;
    frame->at = 0;
    if (w->put) {
        frame->start = w->buf->len;
        frame->whole = w->put->whole;
    }
    if (v.type == PW_OBJECT && w->sorted)
        pw_cursor_start(&frame->cursor, v);
    put_char(w->buf, v.type == PW_ARRAY ? '[' : '{');
}

/* The next part of the innermost container, or what closes it. */
static void write_step(writer *w)
{
    write_frame *frame = pw_stack_top(&w->stack);
    uint32_t at = frame->at++;
    if (at == frame->v.count) {
        char close = frame->v.type == PW_ARRAY ? ']' : '}';
        w->stack.depth--;
        if (w->pretty)
            write_line(w, w->stack.depth);
        put_char(w->buf, close);
        if (w->put)
            put_out(w, frame->v, frame->start, frame->whole);
        return;
    }
    if (at > 0)
        put_char(w->buf, ',');
    if (w->pretty)
        write_line(w, w->stack.depth);
    if (frame->v.type == PW_ARRAY) {
        write_one(w, frame->v.as.items[at]);
        return;
    }
    const pw_member *member =
        w->sorted ? pw_cursor_next(&frame->cursor, frame->v) : &frame->v.as.object->members[at];
    if (frame->v.count == 1 && w->put)
        pw_payload_write_key(w->put, w->buf, member->key);
    else
        pw_json_write_string(w->buf, member->key);
    pw_buf_add(w->buf, ": ", w->pretty ? 2 : 1);
    write_one(w, member->value);
}

static void write_whole(pw_buf *buf, pw_value v, unsigned style, pw_putting *put)
{
    write_frame local[LOCAL_FRAMES];
    writer w = { .buf = buf,
                 .stack = PW_STACK_OF(local),
                 .pretty = (style & PW_JSON_PRETTY) != 0,
                 .sorted = (style & (PW_JSON_SORTED | PW_JSON_CANONICAL)) != 0,
                 .canonical = (style & PW_JSON_CANONICAL) != 0,
                 .put = put };
    write_one(&w, v);
    while (w.stack.depth && !buf->failed)
        write_step(&w);
    pw_stack_done(&w.stack);
}

void pw_json_write(pw_buf *buf, pw_value v, unsigned style)
{
    if (v.type == PW_NUMBER && v.form == PW_FORM_INT) { /* half of a state is these */
        char room[PW_REAL_SIZE];
        pw_buf_str(buf, pw_number_text(room, v));
        return;
    }
    write_whole(buf, v, style, NULL);
}

void pw_payload_write(pw_buf *buf, pw_value v, pw_putting *put)
{
    write_whole(buf, v, PW_JSON_COMPACT, put);
}

pw_str pw_json_text(pw_arena *arena, pw_value v, unsigned style)
{
    pw_buf buf;
    pw_buf_init(&buf, 0);
    pw_json_write(&buf, v, style);
    pw_str text = { NULL, 0 };
    if (!buf.failed) {
        jmp_buf *guard = pw_arena_guard(arena, NULL); /* a jump would lose the buffer */
        text = pw_arena_str(arena, pw_buf_view(&buf));
        (void)pw_arena_guard(arena, guard);
    }
    pw_buf_done(&buf);
    if (!text.ptr)
        (void)pw_arena_fail(arena, false);
    return text;
}
