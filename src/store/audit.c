/* audit.c - what must never be: what all stores have in common. A kind of finding is looked for in one or more passes, each
 * along one index of the store; a cursor is the pass, and the place of the last row that was looked at.
 *
 * Ways (pw_audit_row.how), with what `number` and `what` are then:
 *   asleep    nothing, only-time (it has wake_at, and nothing else)
 *   overdue   late (wake_at is past), not-driven (it is to be driven now, and was not)
 *   call      ended, not-driven: visit, key
 *   gap       last (the step of its token is not there), before (none before step `number`), behind (a step behind its token)
 *   orphan    gone, not-waiting: what: the parent
 *   event     late (due, and not published), held (nothing is there that it waits for): step, sink
 *   inbox     not-taken: what: its kind
 *   delivery  ended, closed (its bookmark is), not-taken: number of the message
 *   bookmark  ended, child (the one it waits for cannot end any more): visit, key
 *   incident  open (of one that goes on): step, task; none (faulted, and nobody gave it up)
 *
 * Of only-time, orphan and not-taken rows do not tell enough: who reads them looks into the state, whether its timer moves it, and
 * whether it tells its parent. */
#include "store/store_internal.h"

static const char *const kind_names[PW_AUDIT_KINDS] = {
    [PW_AUDIT_ASLEEP] = "asleep", [PW_AUDIT_OVERDUE] = "overdue",   [PW_AUDIT_CALL] = "call",
    [PW_AUDIT_GAP] = "gap",       [PW_AUDIT_ORPHAN] = "orphan",     [PW_AUDIT_EVENT] = "event",
    [PW_AUDIT_INBOX] = "inbox",   [PW_AUDIT_DELIVERY] = "delivery", [PW_AUDIT_BOOKMARK] = "bookmark",
    [PW_AUDIT_INCIDENT] = "incident",
};

const char *pw_audit_kind_name(pw_audit_kind kind)
{
    PW_ASSERT((unsigned)kind < PW_AUDIT_KINDS);
    return kind_names[kind];
}

static const struct {
    pw_audit_kind kind;
    pw_audit_pass pass;
} passes[] = {
    { PW_AUDIT_ASLEEP, { PW_PASS_ASLEEP, PW_PENDING } },
    { PW_AUDIT_ASLEEP, { PW_PASS_ASLEEP, PW_RUNNING } },
    { PW_AUDIT_ASLEEP, { PW_PASS_ASLEEP, PW_WAITING } },
    { PW_AUDIT_ASLEEP, { PW_PASS_ASLEEP, PW_COMPENSATING } },
    { PW_AUDIT_OVERDUE, { PW_PASS_OVERDUE, PW_PENDING } },
    { PW_AUDIT_CALL, { PW_PASS_CALL, PW_PENDING } },
    { PW_AUDIT_GAP, { PW_PASS_LAST_STEP, PW_PENDING } },
    { PW_AUDIT_GAP, { PW_PASS_GAP, PW_PENDING } },
    { PW_AUDIT_ORPHAN, { PW_PASS_ORPHAN, PW_PENDING } },
    { PW_AUDIT_ORPHAN, { PW_PASS_ORPHAN, PW_RUNNING } },
    { PW_AUDIT_ORPHAN, { PW_PASS_ORPHAN, PW_WAITING } },
    { PW_AUDIT_ORPHAN, { PW_PASS_ORPHAN, PW_SUSPENDED } },
    { PW_AUDIT_ORPHAN, { PW_PASS_ORPHAN, PW_COMPENSATING } },
    { PW_AUDIT_EVENT, { PW_PASS_EVENT, PW_PENDING } },
    { PW_AUDIT_INBOX, { PW_PASS_INBOX, PW_PENDING } },
    { PW_AUDIT_DELIVERY, { PW_PASS_DELIVERY, PW_PENDING } },
    { PW_AUDIT_BOOKMARK, { PW_PASS_BOOKMARK, PW_PENDING } },
    { PW_AUDIT_INCIDENT, { PW_PASS_INCIDENT, PW_PENDING } },
    { PW_AUDIT_INCIDENT, { PW_PASS_FAULTED, PW_PENDING } },
};

/* ---- places */

static int by_number(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int pw_audit_place_cmp(const pw_audit_place *a, const pw_audit_place *b, const pw_audit_pass *pass)
{
    const bool event = pass->pass == PW_PASS_EVENT, delivery = pass->pass == PW_PASS_DELIVERY;
    int order = event || delivery ? 0 : by_number(a->a, b->a);
    if (order == 0)
        order = pw_str_cmp(a->b, b->b);
    if (order == 0 && event)
        order = pw_str_cmp(a->d, b->d);
    if (order == 0 && (event || delivery))
        order = by_number(a->a, b->a);
    if (order == 0)
        order = by_number(a->c, b->c);
    return order ? order : pw_str_cmp(a->d, b->d);
}

static pw_str cursor_write(size_t pass, const pw_audit_place *place, pw_arena *arena)
{
    return pw_arena_printf(arena, "1,%zu,%lld,%lld,%zu," PW_FMT PW_FMT, pass, (long long)place->a, (long long)place->c,
                           place->b.len, PW_ARG(place->b), PW_ARG(place->d));
}

static bool take_number(int64_t *out, pw_str *s)
{
    bool negative = s->len > 0 && s->ptr[0] == '-';
    size_t at = negative;
    uint64_t n = 0;
    for (; at < s->len && s->ptr[at] >= '0' && s->ptr[at] <= '9' && n <= (UINT64_MAX - 9) / 10; at++)
        n = n * 10 + (uint64_t)(s->ptr[at] - '0');
    if (at == (size_t)negative || at >= s->len || s->ptr[at] != ',' || n > INT64_MAX)
        return false;
    *out = negative ? -(int64_t)n : (int64_t)n;
    *s = (pw_str){ s->ptr + at + 1, s->len - at - 1 };
    return true;
}

static bool cursor_read(size_t *pass, pw_audit_place *place, pw_audit_kind kind, pw_str cursor)
{
    int64_t format, number, length;
    if (!take_number(&format, &cursor) || format != 1 || !take_number(&number, &cursor) || number < 0 ||
        !take_number(&place->a, &cursor) || !take_number(&place->c, &cursor) || !take_number(&length, &cursor) ||
        length < 0 || (uint64_t)length > cursor.len || (uint64_t)number >= PW_LENGTH(passes) ||
        passes[number].kind != kind)
        return false;
    *pass = (size_t)number;
    place->b = (pw_str){ cursor.ptr, (size_t)length };
    place->d = (pw_str){ cursor.ptr + length, cursor.len - (size_t)length };
    return true;
}

/* ---- one page */

static const pw_audit_place first_place = { INT64_MIN, { "", 0 }, INT64_MIN, { "", 0 } };

static size_t first_pass(pw_audit_kind kind)
{
    size_t pass = 0;
    while (passes[pass].kind != kind)
        pass++;
    return pass;
}

typedef struct page {
    pw_audit_row *rows; /* room for as many as may be looked at */
    size_t count;
    uint32_t looked;
} page;

static void keep(page *p, const pw_audit_seen *seen, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (seen[i].row.how.len)
            p->rows[p->count++] = seen[i].row;
    p->looked += (uint32_t)count;
}

/* Pass by pass, until as many as may be were looked at, or none is left. */
static pawl_code fill(pw_store *store, page *p, size_t pass, pw_audit_look *look, uint32_t limit, pw_str *next,
                      pw_arena *arena, pawl_error *err)
{
    const pw_audit_kind kind = passes[pass].kind;
    while (pass < PW_LENGTH(passes) && passes[pass].kind == kind) {
        if (p->looked == limit) {
            *next = cursor_write(pass, &look->behind, arena);
            return PAWL_OK;
        }
        pw_audit_seen *seen = NULL;
        size_t count = 0;
        look->pass = passes[pass].pass;
        look->limit = limit - p->looked;
        pawl_code code = store->ops->audit(store, look, &seen, &count, arena, err);
        if (code != PAWL_OK)
            return code;
        keep(p, seen, count);
        if (count == look->limit) {
            look->behind = seen[count - 1].place;
        } else {
            look->behind = first_place;
            pass++;
        }
    }
    return PAWL_OK;
}

pawl_code pw_store_audit(pw_store *store, pw_audit_kind kind, uint64_t partitions, int64_t before_ms, pw_str after,
                         uint32_t limit, pw_audit_row **out, size_t *count, uint32_t *looked, pw_str *next, pw_arena *arena,
                         pawl_error *err)
{
    PW_STORE_TIMED(store, LIST);
    pw_audit_look look = { .partitions = partitions, .before_ms = before_ms, .behind = first_place };
    if ((unsigned)kind >= PW_AUDIT_KINDS)
        return pw_fail(err, PAWL_INVALID, "there is no kind %u of findings", (unsigned)kind);
    if (limit < 1 || limit > PW_PAGE_MAX)
        return pw_fail(err, PAWL_INVALID, "a page has 1 to %u rows, not %u", PW_PAGE_MAX, limit);
    size_t pass = first_pass(kind);
    if (after.len > 0 && !cursor_read(&pass, &look.behind, kind, after))
        return pw_fail(err, PAWL_INVALID, "'" PW_FMT "' is not the \"next\" of a page before",
                       PW_ARG(pw_store_cut(after, 100)));
    pw_arena_call call = pw_store_read_enter(arena);
    page p = { .rows = PW_NEW_ARRAY(arena, pw_audit_row, limit) };
    pw_str cursor = { "", 0 };
    pawl_code code = p.rows ? fill(store, &p, pass, &look, limit, &cursor, arena, err) : PAWL_NO_MEMORY;
    code = pw_store_read_leave(call, code, err);
    if (code != PAWL_OK)
        return code;
    *out = p.rows;
    *count = p.count;
    *looked = p.looked;
    *next = cursor;
    return PAWL_OK;
}
