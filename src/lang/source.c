/* source.c - where things stand in the text, and what is wrong with them.
 *
 * A place is a byte of the text (without its byte order mark) until somebody must read it; then it
 * becomes line and column by a table of lines. Lines end with LF, CR LF or CR, as editors count
 * them; YAML 1.1's other breaks are ordinary characters here. */
#include <stdio.h>
#include "lang/lang_internal.h"

#define MARK_EVERY 256u

void pw_lang_no_memory(pw_load *load)
{
    longjmp(load->guard, 1);
}

/* ---- the text */

static uint32_t first_invalid(pw_str text)
{
    /* halves: what is before it is valid, so the longest valid beginning ends there */
    size_t low = 0, high = text.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        size_t end = middle + 1;
        /* do not cut a character in two */
        while (end < text.len && ((uint8_t)text.ptr[end] & 0xc0) == 0x80 && end < middle + 4)
            end++;
        if (pw_utf8_valid((pw_str){ text.ptr + low, end - low }))
            low = end;
        else
            high = middle;
    }
    return (uint32_t)low;
}

static void index_lines(pw_load *load)
{
    pw_str text = load->text;
    uint32_t count = 1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\n' ||
            (text.ptr[i] == '\r' && !(i + 1 < text.len && text.ptr[i + 1] == '\n')))
            count++;
    }
    load->lines = PW_NEW_ARRAY(&load->scratch, uint32_t, count);
    load->line_count = 1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\n' ||
            (text.ptr[i] == '\r' && !(i + 1 < text.len && text.ptr[i + 1] == '\n')))
            load->lines[load->line_count++] = (uint32_t)i + 1;
    }
}

static void index_characters(pw_load *load)
{
    pw_str text = load->text;
    bool ascii = true;
    for (size_t i = 0; i < text.len && ascii; i++)
        ascii = (uint8_t)text.ptr[i] < 0x80;
    if (ascii)
        return;
    load->marks = PW_NEW_ARRAY(&load->scratch, uint32_t, text.len / MARK_EVERY + 1);
    size_t character = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (((uint8_t)text.ptr[i] & 0xc0) == 0x80)
            continue;
        if (character % MARK_EVERY == 0)
            load->marks[load->mark_count++] = (uint32_t)i;
        character++;
    }
}

bool pw_lang_source(pw_load *load)
{
    if (load->text.len > PW_DOCUMENT_MAX) {
        pw_lang_report(load, PAWL_FINDING_TOO_LARGE, UINT32_MAX, NULL,
                       "the document has %zu bytes; at most %u are allowed", load->text.len,
                       PW_DOCUMENT_MAX);
        return false;
    }
    pw_str text = load->text;
    if (text.len >= 2 &&
        (memcmp(text.ptr, "\xff\xfe", 2) == 0 || memcmp(text.ptr, "\xfe\xff", 2) == 0)) {
        pw_lang_report(load, PAWL_FINDING_SYNTAX, UINT32_MAX, NULL,
                       "the document is UTF-16; write it as UTF-8");
        return false;
    }
    if (text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0)
        load->text = text = (pw_str){ text.ptr + 3, text.len - 3 };
    index_lines(load);
    if (!pw_utf8_valid(text)) {
        uint32_t at = first_invalid(text);
        pw_lang_report(load, PAWL_FINDING_SYNTAX, at, NULL,
                       "byte 0x%02x is not UTF-8; write the document as UTF-8",
                       (unsigned)(uint8_t)text.ptr[at]);
        return false;
    }
    index_characters(load);
    return true;
}

void pw_lang_place(const pw_load *load, uint32_t at, uint32_t *line, uint32_t *column)
{
    *line = *column = 0;
    if (at == UINT32_MAX || load->line_count == 0)
        return;
    uint32_t low = 0, high = load->line_count; /* lines[low] <= at < lines[high] */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (load->lines[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    *line = low + 1;
    *column = at - load->lines[low] + 1;
}

uint32_t pw_lang_at(const pw_load *load, uint32_t line, uint32_t column)
{
    return line ? load->lines[line - 1] + column - 1 : UINT32_MAX;
}

uint32_t pw_lang_byte(const pw_load *load, size_t character)
{
    if (!load->marks)
        return (uint32_t)(character < load->text.len ? character : load->text.len);
    size_t mark = character / MARK_EVERY;
    if (mark >= load->mark_count)
        return (uint32_t)load->text.len;
    size_t at = load->marks[mark];
    for (size_t i = mark * MARK_EVERY; i < character && at < load->text.len; i++)
        (void)pw_utf8_next(load->text, &at);
    return (uint32_t)at;
}

/* ---- places inside scalars */

static bool is_break(char c)
{
    return c == '\n' || c == '\r';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static uint32_t after_break(pw_str text, uint32_t at)
{
    return text.ptr[at] == '\r' && at + 1 < text.len && text.ptr[at + 1] == '\n' ? at + 2 : at + 1;
}

/* Plain and block scalars: what stands on a line stands in the value, byte for byte and in this
 * order; between lines the value has blanks and breaks only. */
static uint32_t inside_lines(pw_str text, const pw_node *node, size_t offset)
{
    pw_str value = node->text;
    uint32_t at = node->start, found = node->start;
    bool block = node->style == PW_STYLE_LITERAL || node->style == PW_STYLE_FOLDED;
    if (block) { /* the header line is no content */
        while (at < node->end && !is_break(text.ptr[at]))
            at++;
    }
    size_t done = 0; /* of the value */
    while (at < node->end && done <= offset) {
        while (at < node->end && (is_break(text.ptr[at]) || is_blank(text.ptr[at])))
            at++;
        uint32_t end = at;
        while (end < node->end && !is_break(text.ptr[end]))
            end++;
        uint32_t next = end;
        while (!block && end > at && is_blank(text.ptr[end - 1]))
            end--;
        while (done < value.len && (is_blank(value.ptr[done]) || value.ptr[done] == '\n'))
            done++;
        size_t length = end - at;
        if (length == 0 || done + length > value.len ||
            memcmp(value.ptr + done, text.ptr + at, length) != 0)
            return found; /* not as thought: the last line that was */
        if (offset < done)
            return at;
        if (offset < done + length)
            return at + (uint32_t)(offset - done);
        found = end;
        done += length;
        at = next;
    }
    return found;
}

static size_t escape_length(pw_str text, uint32_t at, size_t *decoded)
{
    /* bytes in UTF-8 of what a numeric escape stands for */
    size_t digits = 0;
    switch (text.ptr[at + 1]) {
    case 'x':
        digits = 2;
        break;
    case 'u':
        digits = 4;
        break;
    case 'U':
        digits = 8;
        break;
    case 'N': /* U+0085 */
    case '_': /* U+00A0 */
        *decoded = 2;
        return 2;
    case 'L': /* U+2028 */
    case 'P': /* U+2029 */
        *decoded = 3;
        return 2;
    default:
        *decoded = 1;
        return 2;
    }
    uint32_t code = 0;
    for (size_t i = 0; i < digits && at + 2 + i < text.len; i++) {
        char c = text.ptr[at + 2 + i];
        uint32_t digit = c <= '9' ? (uint32_t)(c - '0') : ((uint32_t)(c | 0x20) - 'a' + 10u);
        code = (code << 4) | (digit & 15u);
    }
    /* half of a surrogate pair (JSON): the two halves make four bytes */
    if (code >= 0xd800 && code < 0xe000)
        *decoded = 2;
    else
        *decoded = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    return 2 + digits;
}

/* Quoted scalars: walk the text and count what each character becomes. */
static uint32_t inside_quotes(pw_str text, const pw_node *node, size_t offset)
{
    uint32_t at = node->start + 1;
    size_t done = 0;
    while (at < node->end) {
        uint32_t next = at;
        size_t decoded = 1, blanks = 0;
        char c = text.ptr[at];
        while (next < node->end && is_blank(text.ptr[next])) {
            next++;
            blanks++;
        }
        if (next < node->end && is_break(text.ptr[next])) {
            /* a fold: one break is a blank, n are n - 1 breaks; blanks around it do not count */
            size_t breaks = 0;
            while (next < node->end && (is_break(text.ptr[next]) || is_blank(text.ptr[next]))) {
                breaks += is_break(text.ptr[next]);
                next = is_break(text.ptr[next]) ? after_break(text, next) : next + 1;
            }
            decoded = breaks > 1 ? breaks - 1 : 1;
        } else if (blanks > 0) {
            decoded = blanks;
        } else if (node->style == PW_STYLE_SINGLE && c == '\'' && at + 1 < node->end &&
                   text.ptr[at + 1] == '\'') {
            next = at + 2;
        } else if (node->style == PW_STYLE_DOUBLE && c == '\\' && at + 1 < node->end) {
            if (is_break(text.ptr[at + 1])) { /* an escaped break is nothing */
                next = after_break(text, at + 1);
                while (next < node->end && is_blank(text.ptr[next]))
                    next++;
                decoded = 0;
            } else {
                next = at + (uint32_t)escape_length(text, at, &decoded);
            }
        } else {
            next = at + 1;
        }
        if (offset < done + decoded)
            return blanks > 0 && decoded == blanks ? at + (uint32_t)(offset - done) : at;
        done += decoded;
        at = next;
    }
    return node->end > node->start ? node->end - 1 : node->start;
}

uint32_t pw_lang_inside(const pw_load *load, const pw_node *node, size_t offset)
{
    if (node->style == PW_STYLE_SINGLE || node->style == PW_STYLE_DOUBLE)
        return inside_quotes(load->text, node, offset);
    return inside_lines(load->text, node, offset);
}

/* ---- findings */

pw_str pw_lang_shown(pw_load *load, pw_str text)
{
    static const size_t most = 60;
    size_t len = text.len;
    bool cut = len > most;
    if (cut) {
        len = most;
        while (len > 0 && ((uint8_t)text.ptr[len] & 0xc0) == 0x80)
            len--;
    }
    char *out = pw_arena_alloc(&load->scratch, len + 4);
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        out[i] = c < 0x20 || c == 0x7f ? ' ' : text.ptr[i];
    }
    memcpy(out + len, cut ? "..." : "", cut ? 4 : 1);
    return (pw_str){ out, len + (cut ? 3 : 0) };
}

static size_t put_escaped(char *out, pw_str key)
{
    size_t len = 0;
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        if (c == '~' || c == '/') {
            if (out) {
                out[len] = '~';
                out[len + 1] = c == '~' ? '0' : '1';
            }
            len += 2;
        } else {
            if (out)
                out[len] = c;
            len++;
        }
    }
    return len;
}

pw_str pw_lang_pointer(pw_arena *arena, const pw_path *path)
{
    size_t len = 0;
    char digits[16];
    for (const pw_path *p = path; p; p = p->up) {
        len += 1 + (p->key.ptr ? put_escaped(NULL, p->key)
                               : (size_t)snprintf(digits, sizeof digits, "%u", p->index));
    }
    char *out = pw_arena_alloc(arena, len + 1);
    out[len] = '\0';
    size_t at = len;
    for (const pw_path *p = path; p; p = p->up) {
        size_t part = p->key.ptr ? put_escaped(NULL, p->key)
                                 : (size_t)snprintf(digits, sizeof digits, "%u", p->index);
        at -= part;
        if (p->key.ptr)
            (void)put_escaped(out + at, p->key);
        else
            memcpy(out + at, digits, part);
        out[--at] = '/';
    }
    return (pw_str){ out, len };
}

static bool is_before(const pw_finding *a, const pw_finding *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

static void make_room(pw_load *load, pw_findings *findings)
{
    if (findings->count < findings->size)
        return;
    uint32_t size = findings->size ? findings->size * 2 : 16;
    if (size > PW_FINDINGS_MAX)
        size = PW_FINDINGS_MAX;
    pw_finding *items = pw_arena_grow(findings->arena, findings->items,
                                      findings->size * sizeof *items, size * sizeof *items);
    if (!items)
        pw_lang_no_memory(load);
    findings->items = items;
    findings->size = size;
}

/* Which one gives way when the list is full: the last warning to an error, else the last to one
 * before it; PW_FINDINGS_MAX: none. */
static uint32_t victim_of(const pw_findings *findings, const pw_finding *new)
{
    uint32_t last = findings->count - 1;
    for (uint32_t i = findings->count; new->is_error &&i-- > 0;) {
        if (!findings->items[i].is_error)
            return i;
    }
    bool gives_way =
        findings->items[last].is_error == new->is_error &&is_before(new, &findings->items[last]);
    return gives_way ? last : PW_FINDINGS_MAX;
}

/* A place in the list, in the order of the document; NULL: it is full. */
static pw_finding *list(pw_load *load, pw_findings *findings, const pw_finding *new)
{
    if (findings->count == PW_FINDINGS_MAX) {
        uint32_t victim = victim_of(findings, new);
        if (victim == PW_FINDINGS_MAX)
            return NULL;
        memmove(&findings->items[victim], &findings->items[victim + 1],
                (findings->count - victim - 1) * sizeof *new);
        findings->count--;
    }
    make_room(load, findings);
    uint32_t at = findings->count;
    while (at > 0 && is_before(new, &findings->items[at - 1])) {
        findings->items[at] = findings->items[at - 1];
        at--;
    }
    findings->items[at] = *new;
    findings->count++;
    return &findings->items[at];
}

/* Codes and what they mean are one table, in the public header. */
static const struct {
    const char *code, *advice;
    bool is_error;
} finding_kinds[] = {
#define PW_FINDING_KIND(name, code, error, what, advice) { code, advice, error },
    PAWL_FINDINGS(PW_FINDING_KIND)
#undef PW_FINDING_KIND
};

const char *pw_finding_code(pawl_finding_kind kind)
{
    return finding_kinds[kind].code;
}

const char *pw_finding_advice(pawl_finding_kind kind)
{
    return finding_kinds[kind].advice;
}

enum { MESSAGE_SIZE = 480 }; /* as much as a pawl_error holds */

/* The new entry of the list, without its pointer; NULL: it is full, or the finding is there. */
static pw_finding *report(pw_load *load, pawl_finding_kind kind, uint32_t at, const char *message)
{
    pw_findings *findings = load->findings;
    pw_finding new = { .kind = kind, .is_error = finding_kinds[kind].is_error };
    pw_lang_place(load, at, &new.line, &new.column);
    /* what an alias repeats is one mistake */
    for (uint32_t i = 0; i < findings->count; i++) {
        const pw_finding *old = &findings->items[i];
        if (old->line == new.line && old->column == new.column &&pw_str_is(old->message, message))
            return NULL;
    }
    if (new.is_error) {
        pw_finding first = { .line = load->first_line, .column = load->first_column };
        if (load->first_error[0] == '\0' || is_before(&new, &first)) {
            (void)snprintf(load->first_error, sizeof load->first_error, "%s", message);
            load->first_line = new.line;
            load->first_column = new.column;
        }
        findings->errors++;
    }
    new.message = new.pointer = PW_LIT("");
    pw_finding *listed = list(load, findings, &new);
    if (listed)
        listed->message = pw_arena_str(findings->arena, pw_str_of(message));
    return listed;
}

void pw_lang_report(pw_load *load, pawl_finding_kind kind, uint32_t at, const pw_path *path,
                    const char *format, ...)
{
    char message[MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    pw_finding *listed = report(load, kind, at, message);
    if (listed)
        listed->pointer = pw_lang_pointer(load->findings->arena, path);
}

void pw_lang_report_at(pw_load *load, pawl_finding_kind kind, uint32_t at, pw_str pointer,
                       const char *format, ...)
{
    char message[MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    pw_finding *listed = report(load, kind, at, message);
    if (listed)
        listed->pointer = pw_arena_str(load->findings->arena, pointer);
}

void pw_lang_report_task(pw_load *load, pawl_finding_kind kind, const pw_task *task,
                         const char *format, ...)
{
    char message[MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    pw_finding *listed = report(load, kind, pw_lang_at(load, task->line, task->column), message);
    if (listed)
        listed->pointer = pw_arena_str(load->findings->arena, task->pointer);
}
