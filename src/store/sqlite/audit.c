/* audit.c - what must never be, in the SQLite store: one statement for each pass (audit.sql). */
#include "store/sqlite/reading.h"

static const pw_sqlite_sql statements[] = {
    [PW_PASS_ASLEEP] = PW_SQLITE_SQL_AUDIT_ASLEEP,     [PW_PASS_OVERDUE] = PW_SQLITE_SQL_AUDIT_OVERDUE,
    [PW_PASS_CALL] = PW_SQLITE_SQL_AUDIT_CALL,         [PW_PASS_LAST_STEP] = PW_SQLITE_SQL_AUDIT_LAST_STEP,
    [PW_PASS_GAP] = PW_SQLITE_SQL_AUDIT_GAP,           [PW_PASS_ORPHAN] = PW_SQLITE_SQL_AUDIT_ORPHAN,
    [PW_PASS_EVENT] = PW_SQLITE_SQL_AUDIT_EVENT,       [PW_PASS_INBOX] = PW_SQLITE_SQL_AUDIT_INBOX,
    [PW_PASS_DELIVERY] = PW_SQLITE_SQL_AUDIT_DELIVERY, [PW_PASS_BOOKMARK] = PW_SQLITE_SQL_AUDIT_BOOKMARK,
    [PW_PASS_INCIDENT] = PW_SQLITE_SQL_AUDIT_INCIDENT, [PW_PASS_FAULTED] = PW_SQLITE_SQL_AUDIT_FAULTED,
};

/* A statement has as many parameters as it needs of these. */
static void bind(pw_query *q, const pw_audit_look *look)
{
    const int have = q->statement ? sqlite3_bind_parameter_count(q->statement) : 0;
    const pw_str *const texts[] = { [5] = &look->behind.b, [7] = &look->behind.d };
    const int64_t numbers[] = { [1] = (int64_t)look->partitions, [2] = look->before_ms, [3] = look->limit,
                                [4] = look->behind.a,            [6] = look->behind.c };
    for (int at = 1; at <= have && at <= 7; at++)
        if (at == 5 || at == 7)
            pw_bind_text(q, at, *texts[at]);
        else
            pw_bind_int(q, at, numbers[at]);
    if (have >= 8)
        pw_bind_text(q, 8, pw_str_of(pw_status_name(look->pass.status)));
}

static void read_row(reading *r, pw_audit_seen *seen)
{
    seen->row = (pw_audit_row){ .how = text(r, 0),
                                .instance = text(r, 1),
                                .number = natural(r, 2, "instance", text(r, 1), "a number of it is negative"),
                                .what = text(r, 3),
                                .since_ms = integer(r, 4) };
    seen->place = (pw_audit_place){ integer(r, 5), text(r, 6), integer(r, 7), text(r, 8) };
}

pawl_code pw_sqlite_audit(pw_store *base, const pw_audit_look *look, pw_audit_seen **out, size_t *count, pw_arena *arena,
                          pawl_error *err)
{
    reading r;
    pawl_code code = read_begin(&r, base, statements[look->pass.pass], arena, err);
    if (code != PAWL_OK)
        return code;
    bind(&r.query, look);
    rows list = { .size = sizeof(pw_audit_seen) };
    while (next(&r)) {
        pw_audit_seen *seen = add(&r, &list);
        if (seen)
            read_row(&r, seen);
    }
    code = read_end(&r);
    *out = list.items;
    *count = list.count;
    return code;
}
