/* buf.c - growing text. It never exceeds its cap, and never holds half of what was added in one
 * call. The first failure sticks: what is added later is dropped, so that a writer of many parts
 * looks once, at the end. */
#include <stdio.h>

#include "base/base.h"

enum { FIRST_SIZE = 256 };
static const size_t default_cap = (size_t)1 << 30;

void pw_buf_init(pw_buf *buf, size_t cap)
{
    if (cap > SIZE_MAX / 4)
        cap = SIZE_MAX / 4; /* doubling cannot overflow */
    *buf = (pw_buf){ .cap = cap ? cap : default_cap };
}

void pw_buf_done(pw_buf *buf)
{
    pw_free(buf->ptr);
    *buf = (pw_buf){ .cap = buf->cap };
}

void pw_buf_reset(pw_buf *buf)
{
    buf->len = 0;
    buf->failed = buf->over_cap = false;
}

/* Room for `more` bytes and a NUL. */
static bool reserve(pw_buf *buf, size_t more)
{
    if (buf->failed)
        return false;
    if (more < buf->size - buf->len) /* which is never above the cap */
        return true;
    if (buf->cap == 0)
        buf->cap = default_cap; /* a zeroed buffer works, too */
    PW_ASSERT(buf->len <= buf->cap);
    if (more > buf->cap - buf->len) {
        buf->failed = buf->over_cap = true;
        return false;
    }
    size_t needed = buf->len + more + 1;
    size_t size = buf->size ? buf->size : FIRST_SIZE;
    while (size < needed)
        size *= 2;
    if (size > buf->cap)
        size = buf->cap + 1; /* the most that can ever be needed */
    char *larger = pw_realloc(buf->ptr, size);
    if (!larger) {
        buf->failed = true;
        return false;
    }
    buf->ptr = larger;
    buf->size = size;
    return true;
}

void pw_buf_add(pw_buf *buf, const void *bytes, size_t len)
{
    if (len == 0 || !reserve(buf, len))
        return;
    memcpy(buf->ptr + buf->len, bytes, len);
    buf->len += len;
}

void pw_buf_str(pw_buf *buf, pw_str s)
{
    pw_buf_add(buf, s.ptr, s.len);
}

void pw_buf_text(pw_buf *buf, const char *text)
{
    pw_buf_add(buf, text, strlen(text));
}

void pw_buf_char(pw_buf *buf, char c)
{
    if (!reserve(buf, 1))
        return;
    buf->ptr[buf->len++] = c;
}

void pw_buf_printf(pw_buf *buf, const char *format, ...)
{
    char text[512];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0) {
        buf->failed = true;
    } else if ((size_t)len < sizeof text) {
        pw_buf_add(buf, text, (size_t)len);
    } else if (reserve(buf, (size_t)len)) {
        (void)vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

char *pw_buf_take(pw_buf *buf)
{
    char *text = NULL;
    if (reserve(buf, 0)) {
        text = buf->ptr;
        text[buf->len] = '\0';
        buf->ptr = NULL;
    }
    pw_buf_done(buf);
    return text;
}
