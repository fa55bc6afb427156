/* audit.c - the auditor: goes round, and keeps what it has found.
 *
 * A round looks at the parts, and at rows of each kind: first again at the pages on which the round before found something, then
 * at the next PW_AUDIT_ROUND rows behind where it stopped; so a round costs the same however large the store is, and comes to all
 * of it in the end. What two rounds in a row see is sure, and counts: a row that is just being changed looks wrong once. The list
 * is replaced whole, under the lock; each finding goes to the log when it becomes sure, and not again. */
#include <stdlib.h>
#include "engine/audit.h"
#include "engine/engine.h"

enum { PAGE = 1000, CURSOR_MAX = 2048 };

struct pw_auditor {
    pawl *p;
    uint64_t audit_ms, overdue_ms;
    pw_background *background;
    /* the round's own */
    char *cursors[PW_AUDIT_KINDS]; /* where the next one goes on; NULL: at the beginning */
    pthread_mutex_t lock;          /* of what follows */
    pw_arena arena;                /* of the list */
    pw_audit_findings list;
    int64_t at_ms;                 /* when it was made; -1: not yet */
};

/* ------------------------------------------------------------------ a round */

typedef struct audit_round {
    pw_auditor *auditor;
    pw_audit_look_at look;
    pw_arena arena;
    pw_audit_findings list;
    uint64_t rows;
} audit_round;

static bool is_over(const pw_auditor *a)
{
    return pw_background_stopping(a->background);
}

static bool is_before(const pw_audit_findings *list, size_t end, const pw_audit_finding *f)
{
    for (size_t i = 0; i < end; i++)
        if (strcmp(list->items[i].kind, f->kind) == 0 && list->items[i].of_row &&
            pw_str_eq(list->items[i].page, f->page))
            return true;
    return false;
}

/* The pages on which findings of the kind were, each once. The list is only written by this thread. */
static pawl_code look_again(audit_round *r, pw_audit_kind kind, pawl_error *err)
{
    const pw_audit_findings *old = &r->auditor->list;
    pawl_code code = PAWL_OK;
    for (size_t i = 0; i < old->count && code == PAWL_OK && !is_over(r->auditor); i++) {
        const pw_audit_finding *f = &old->items[i];
        uint32_t looked = 0;
        pw_str next;
        if (strcmp(f->kind, pw_audit_kind_name(kind)) != 0 || !f->of_row || is_before(old, i, f))
            continue;
        code = pw_audit_page(&r->look, kind, f->page, PAGE, &looked, &next, err);
        r->rows += looked;
    }
    return code;
}

static bool keep_cursor(pw_auditor *a, pw_audit_kind kind, pw_str next)
{
    pw_free(a->cursors[kind]);
    a->cursors[kind] = next.len && next.len <= CURSOR_MAX ? pw_strdup(next) : NULL;
    return !next.len || a->cursors[kind];
}

/* The next rows. What was there twice is added once. */
static pawl_code look_on(audit_round *r, pw_audit_kind kind, pawl_error *err)
{
    pw_auditor *a = r->auditor;
    pw_str next = a->cursors[kind] ? pw_str_of(a->cursors[kind]) : (pw_str){ "", 0 };
    uint32_t all = 0;
    do {
        uint32_t looked = 0;
        pawl_code code = pw_audit_page(&r->look, kind, next, PAGE, &looked, &next, err);
        if (code != PAWL_OK)
            return code;
        all += looked;
    } while (next.len && all < PW_AUDIT_ROUND && !is_over(a));
    r->rows += all;
    r->list.partial = r->list.partial || next.len > 0;
    return keep_cursor(a, kind, next) ? PAWL_OK : pw_no_memory(err);
}

/* Without the cause, which may be the message of an error that quotes data. */
static void tell(const pw_audit_finding *f)
{
    PW_LOG_OF(f->warning ? PW_LOG_WARNING : PW_LOG_ERROR, "audit", "finding", f->instance, ((pw_str){ "", 0 }),
              ((pw_str){ "", 0 }), "%s: " PW_FMT "; " PW_FMT, f->kind, PW_ARG(f->what), PW_ARG(f->remedy));
}

/* What the list before had is sure. */
static void compare(audit_round *r)
{
    const pw_audit_findings *old = &r->auditor->list;
    for (size_t i = 0; i < r->list.count; i++) {
        pw_audit_finding *f = &r->list.items[i];
        for (size_t j = 0; j < old->count && !f->sure; j++)
            if (pw_audit_same(&old->items[j], f)) {
                f->sure = true;
                f->told = old->items[j].told;
            }
        if (f->sure && !f->told)
            tell(f);
        f->told = f->sure;
    }
}

static void replace(audit_round *r)
{
    pw_auditor *a = r->auditor;
    (void)pthread_mutex_lock(&a->lock);
    pw_arena old = a->arena;
    a->arena = r->arena;
    a->list = r->list;
    a->at_ms = r->look.now_ms;
    (void)pthread_mutex_unlock(&a->lock);
    r->arena = old;
}

static pawl_code go_round(void *context, pw_round *out, pawl_error *err)
{
    audit_round r = { .auditor = context };
    pw_arena_init(&r.arena, 0);
    pw_audit_look_begin(&r.look, r.auditor->p, &r.list, &r.arena);
    const bool degraded = pw_engine_degraded(r.auditor->p, NULL); /* rows cannot be read, as likely as not: that finding is enough */
    pawl_code code = pw_audit_parts(&r.look, err);
    r.list.partial = degraded;
    for (unsigned kind = 0; kind < PW_AUDIT_KINDS && !degraded && code == PAWL_OK && !is_over(r.auditor); kind++) {
        code = look_again(&r, (pw_audit_kind)kind, err);
        if (code == PAWL_OK)
            code = look_on(&r, (pw_audit_kind)kind, err);
    }
    if (code == PAWL_OK && !is_over(r.auditor)) {
        compare(&r);
        replace(&r);
    }
    out->items = r.rows;
    pw_service_backlog(&r.auditor->p->services[PW_SERVICE_AUDIT], r.list.count, -1);
    pw_arena_done(&r.arena);
    return code;
}

/* ------------------------------------------------------------------ the auditor */

pawl_code pw_auditor_new(pw_auditor **out, pawl *p, uint64_t audit_ms, uint64_t overdue_ms, pawl_error *err)
{
    pw_auditor *a = pw_zalloc(sizeof *a);
    if (!a)
        return pw_no_memory(err);
    int failed = pthread_mutex_init(&a->lock, NULL);
    if (failed) {
        pw_free(a);
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    }
    a->p = p;
    a->audit_ms = audit_ms ? audit_ms : PW_AUDIT_MS;
    a->overdue_ms = overdue_ms ? overdue_ms : PW_OVERDUE_MS;
    a->at_ms = -1;
    pw_arena_init(&a->arena, 0);
    *out = a;
    return PAWL_OK;
}

static int64_t service_now(void *context)
{
    return pw_engine_now(((pw_auditor *)context)->p);
}

pawl_code pw_auditor_start(pw_auditor *a, pawl_error *err)
{
    pw_service *service = &a->p->services[PW_SERVICE_AUDIT];
    if (a->p->services_off & PAWL_SERVICE_AUDIT) {
        pw_service_expect(service, a->audit_ms, false);
        return PAWL_OK;
    }
    return pw_background_start(&a->background,
                               &(pw_background_options){ .thread = "pawl-audit",
                                                         .service = service,
                                                         .interval_ms = a->audit_ms,
                                                         .context = a,
                                                         .round = go_round,
                                                         .now_ms = service_now },
                               err);
}

void pw_auditor_stop(pw_auditor *a)
{
    if (!a)
        return;
    pw_background_free(a->background);
    a->background = NULL;
}

void pw_auditor_free(pw_auditor *a)
{
    if (!a)
        return;
    pw_auditor_stop(a);
    for (size_t i = 0; i < PW_AUDIT_KINDS; i++)
        pw_free(a->cursors[i]);
    pw_arena_done(&a->arena);
    (void)pthread_mutex_destroy(&a->lock);
    pw_free(a);
}

uint64_t pw_auditor_overdue_ms(const pw_auditor *a)
{
    return a ? a->overdue_ms : PW_OVERDUE_MS;
}

pw_background *pw_auditor_background(pw_auditor *a)
{
    return a->background;
}

void pw_auditor_count(pw_auditor *a, pw_audit_counts *out)
{
    *out = (pw_audit_counts){ 0 };
    if (!a)
        return;
    (void)pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->list.count; i++) {
        out->errors += a->list.items[i].sure && !a->list.items[i].warning;
        out->warnings += a->list.items[i].sure && a->list.items[i].warning;
    }
    for (size_t i = 0; i < PW_AUDIT_KINDS; i++)
        out->errors += a->list.more[i];
    (void)pthread_mutex_unlock(&a->lock);
}

pw_value pw_auditor_of(pw_auditor *a, pw_str instance, pw_arena *arena)
{
    pw_array_builder found = { .arena = arena };
    if (!a)
        return pw_array_end(&found);
    (void)pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->list.count; i++)
        if (a->list.items[i].sure && pw_str_eq(a->list.items[i].instance, instance))
            pw_array_add(&found, pw_audit_described(&a->list.items[i], arena));
    (void)pthread_mutex_unlock(&a->lock);
    return pw_array_end(&found);
}

/* ------------------------------------------------------------------ for who asks */

static pw_value checked(const pw_audit_findings *list, pw_arena *arena)
{
    pw_object_builder object = { .arena = arena };
    for (unsigned kind = 0; kind < PW_AUDIT_KINDS; kind++)
        pw_object_add(&object, pw_str_of(pw_audit_kind_name((pw_audit_kind)kind)), pw_int((int64_t)list->checked[kind]));
    return pw_object_end(&object);
}

static pw_value described(const pw_audit_findings *list, int64_t at_ms, bool only_sure, pw_arena *arena)
{
    pw_array_builder found = { .arena = arena };
    uint64_t more = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].sure || !only_sure)
            pw_array_add(&found, pw_audit_described(&list->items[i], arena));
    for (size_t i = 0; i < PW_AUDIT_KINDS; i++)
        more += list->more[i];
    const pw_member members[] = {
        { PW_LIT("at"), at_ms >= 0 ? pw_string_ref(pw_moment_text(arena, at_ms)) : (pw_value){ 0 } },
        { PW_LIT("findings"), pw_array_end(&found) },
        { PW_LIT("more"), more ? pw_int((int64_t)more) : (pw_value){ 0 } },
        { PW_LIT("checked"), checked(list, arena) },
        { PW_LIT("partial"), list->partial ? pw_bool(true) : (pw_value){ 0 } },
    };
    return pw_object_of(arena, members, PW_LENGTH(members));
}

/* All kinds, each in pages of an arena of their own: what was found is in `list`'s. */
static pawl_code look_now(pawl *p, pw_audit_findings *list, int64_t *at_ms, pw_arena *arena, pawl_error *err)
{
    pw_audit_look_at look;
    pw_audit_look_begin(&look, p, list, arena);
    *at_ms = look.now_ms;
    pawl_code code = pw_audit_parts(&look, err);
    for (unsigned kind = 0; kind < PW_AUDIT_KINDS && code == PAWL_OK; kind++) {
        pw_str next = { "", 0 };
        uint32_t all = 0, looked = 0;
        do {
            code = pw_audit_page(&look, (pw_audit_kind)kind, next, PAGE, &looked, &next, err);
            all += looked;
        } while (code == PAWL_OK && next.len && all < PW_AUDIT_AT_ONCE && !atomic_load(&p->closing));
        list->partial = list->partial || next.len > 0;
    }
    return code;
}

static pawl_code give_now(pawl *p, char **out, pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_audit_findings list;
    int64_t at_ms = 0;
    pawl_code code = look_now(p, &list, &at_ms, &arena, err);
    if (code == PAWL_OK)
        code = pw_give_json(out, described(&list, at_ms, false, &arena), &arena, err);
    pw_arena_done(&arena);
    return code;
}

static pawl_code give_last(pw_auditor *a, char **out, pawl_error *err)
{
    pw_arena arena;
    pw_arena_init(&arena, 0);
    (void)pthread_mutex_lock(&a->lock);
    const pw_value all = described(&a->list, a->at_ms, true, &arena);
    pawl_code code = pw_give_json(out, all, &arena, err);
    (void)pthread_mutex_unlock(&a->lock);
    pw_arena_done(&arena);
    return code;
}

pawl_code pawl_audit(pawl *p, int last, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "audit: the pawl or out is NULL");
    return last && p->auditor ? give_last(p->auditor, out, err) : give_now(p, out, err);
}
