/* schedule.c - when a workflow is started by itself: `schedule` of the document, and what
 * `document.metadata.pawl.schedule` adds to it.
 *
 * It becomes the last task of the program, which no list of `do` contains: an instance of its own
 * runs it. Where the language leaves a choice: the time zone of `cron` is UTC if nothing is said
 * (section 13), and without `read` an event is given as the released language means it, with its
 * envelope. */
#include "base/cron.h"
#include "lang/lang_internal.h"

static const char *const kinds[] = { [PW_SCHEDULE_EVERY] = "every",
                                     [PW_SCHEDULE_CRON] = "cron",
                                     [PW_SCHEDULE_AFTER] = "after",
                                     [PW_SCHEDULE_ON] = "on" };

/* Exactly one. NULL, with a finding: none, or several. */
static const pw_node *kind_of(pw_load *load, pw_schedule *out, const pw_node *node,
                              const pw_path *path)
{
    const pw_node *found = NULL;
    for (size_t i = 0; i < PW_LENGTH(kinds); i++) {
        const pw_node *key = pw_lang_key(node, kinds[i]);
        if (key && found) {
            pw_lang_error(load, key, PW_STEP(path, kinds[i]),
                          "a workflow has one schedule; this has both '%s' and '%s'",
                          kinds[out->kind], kinds[i]);
            return NULL;
        }
        if (key) {
            found = pw_lang_get(node, kinds[i]);
            out->kind = (pw_schedule_kind)i;
        }
    }
    if (!found)
        pw_lang_found(load, PAWL_FINDING_MISSING, node, path,
                      "a schedule needs one of 'every', 'cron', 'after' and 'on'");
    return found;
}

static void compile_period(pw_load *load, pw_schedule *out, const pw_node *node,
                           const pw_path *path)
{
    uint32_t before = load->findings->errors;
    const pw_place place = { .what = "a schedule" };
    pw_delay delay = pw_lang_duration(load, node, path, &place);
    out->period = delay.constant;
    if (delay.tmpl)
        pw_lang_error(load, node, path,
                      "the duration of a schedule is constant: there are no data to compute it of");
    else if (load->findings->errors == before && !out->period.months && !out->period.ms)
        pw_lang_error(load, node, path, "the duration of a schedule must be longer than nothing");
}

/* UTC where the name is wrong: the times are checked all the same. */
static const pw_zone *zone_of(pw_load *load, const pw_node *node, const pw_path *path)
{
    const pw_zone *zone = NULL;
    pawl_error err;
    pw_str utc = PW_LIT("UTC"), name = utc;
    if (node && !pw_lang_string(load, node, path, &name))
        name = utc;
    pawl_code code = pw_zone_load(&zone, name, load->arena, &err);
    if (code != PAWL_OK && code != PAWL_NO_MEMORY) {
        pw_lang_error(load, node, path, "%s", err.message);
        code = pw_zone_load(&zone, utc, load->arena, &err);
    }
    if (code == PAWL_NO_MEMORY)
        pw_lang_no_memory(load);
    return code == PAWL_OK ? zone : NULL;
}

static void compile_cron(pw_load *load, pw_schedule *out, const pw_node *node, const pw_path *path,
                         const pw_zone *zone)
{
    pw_cron *cron = PW_NEW(load->arena, pw_cron);
    pw_str text;
    pawl_error err;
    if (!zone || !pw_lang_string(load, node, path, &text))
        return;
    if (pw_cron_parse(cron, text, zone, &err) != PAWL_OK)
        pw_lang_error(load, node, path, "%s", err.message);
    out->cron = cron;
}

static void compile_on(pw_load *load, pw_schedule *out, const pw_node *schedule,
                       const pw_path *path)
{
    const pw_node *read = pw_lang_get(schedule, "read");
    out->on.read = PW_READ_ENVELOPE;
    if (read)
        pw_lang_read(load, &out->on, read, PW_STEP(path, "read"));
    else if (load->findings->portable)
        pw_lang_found(load, PAWL_FINDING_NOT_PORTABLE, schedule, path,
                      "without 'read', events are given with their envelope, as the released "
                      "language has it; others may give their data only: say which");
    (void)pw_lang_listen(load, &out->on, pw_lang_get(schedule, "on"), PW_STEP(path, "on"), NULL);
}

/* ---- document.metadata.pawl.schedule */

/* Sets *out to the position of the member's text among `names`. */
static void choose(pw_load *load, unsigned *out, const pw_node *ours, const pw_path *path,
                   const char *member, const char *const names[3])
{
    const pw_node *node = pw_lang_get(ours, member);
    const pw_path *step = PW_STEP(path, member);
    pw_str name;
    if (!pw_lang_string(load, node, step, &name))
        return;
    for (unsigned i = 0; i < 3; i++)
        if (pw_str_is(name, names[i])) {
            *out = i;
            return;
        }
    pw_str shown = pw_lang_shown(load, name);
    pw_lang_error(load, node, step, "'%s' is %s, %s or %s, not '" PW_FMT "'", member, names[0],
                  names[1], names[2], PW_ARG(shown));
}

/* Members that mean nothing beside this kind of schedule. */
static void check_use(pw_load *load, const pw_node *ours, const pw_path *path,
                      const pw_schedule *schedule)
{
    static const struct {
        const char *member;
        unsigned kinds;
        const char *why;
    } uses[] = {
        { "timeZone", PW_BIT(PW_SCHEDULE_CRON), "only 'cron' has a time zone" },
        { "overlap", PW_BIT(PW_SCHEDULE_EVERY) | PW_BIT(PW_SCHEDULE_CRON) | PW_BIT(PW_SCHEDULE_ON),
          "'after' waits for the end of what it started" },
        { "catchUp", PW_BIT(PW_SCHEDULE_EVERY) | PW_BIT(PW_SCHEDULE_CRON),
          "'after' and 'on' miss nothing while nobody is there" },
    };
    for (size_t i = 0; i < PW_LENGTH(uses); i++) {
        const pw_node *key = pw_lang_key(ours, uses[i].member);
        if (key && !(uses[i].kinds & PW_BIT(schedule->kind)))
            pw_lang_found(load, PAWL_FINDING_NO_EFFECT, key, PW_STEP_KEY(path, key),
                          "'%s' has no effect: %s", uses[i].member, uses[i].why);
    }
}

static void compile_ours(pw_load *load, pw_schedule *out, const pw_node *ours, const pw_path *path)
{
    static const pw_rule rules[] = { { "timeZone", NULL },
                                     { "overlap", NULL },
                                     { "catchUp", NULL } };
    static const char *const overlaps[3] = {
        [PW_OVERLAP_ALLOW] = "allow", [PW_OVERLAP_SKIP] = "skip", [PW_OVERLAP_WAIT] = "wait"
    };
    static const char *const catch_ups[3] = {
        [PW_CATCH_UP_ONE] = "one", [PW_CATCH_UP_ALL] = "all", [PW_CATCH_UP_NONE] = "none"
    };
    unsigned overlap = PW_OVERLAP_ALLOW, catch_up = PW_CATCH_UP_ONE;
    if (!pw_lang_is_map(load, ours, path))
        return;
    pw_lang_members(load, ours, path, rules, PW_LENGTH(rules));
    choose(load, &overlap, ours, path, "overlap", overlaps);
    choose(load, &catch_up, ours, path, "catchUp", catch_ups);
    out->overlap = (pw_overlap)overlap;
    out->catch_up = (pw_catch_up)catch_up;
}

/* ---- the whole */

void pw_lang_schedule(pw_load *load, const pw_node *root)
{
    static const pw_rule rules[] = {
        { "every", NULL }, { "cron", NULL }, { "after", NULL }, { "on", NULL }, { "read", NULL }
    };
    const pw_path *path = PW_STEP(NULL, "schedule");
    const pw_path *metadata = PW_STEP(PW_STEP(PW_STEP(NULL, "document"), "metadata"), "pawl");
    const pw_path *ours_path = PW_STEP(metadata, "schedule"),
                  *zone_path = PW_STEP(ours_path, "timeZone");
    const pw_node *node = pw_lang_get(root, "schedule");
    const pw_node *data = pw_lang_get(pw_lang_get(root, "document"), "metadata");
    const pw_node *ours = pw_lang_get(pw_lang_get(data, "pawl"), "schedule");
    pw_schedule schedule = { 0 };
    compile_ours(load, &schedule, ours, ours_path);
    const pw_node *zone_name = pw_lang_get(ours, "timeZone");
    const pw_zone *zone = zone_of(load, zone_name, zone_path);
    if (ours && !node)
        pw_lang_found(load, PAWL_FINDING_NO_EFFECT, ours, ours_path,
                      "'schedule' has no effect: the document has no 'schedule' of its own");
    if (!pw_lang_is_map(load, node, path))
        return;
    pw_lang_members(load, node, path, rules, PW_LENGTH(rules));
    const pw_node *what = kind_of(load, &schedule, node, path);
    if (!what)
        return;
    const pw_path *step = PW_STEP(path, kinds[schedule.kind]);
    check_use(load, ours, ours_path, &schedule);
    const pw_node *read = pw_lang_key(node, "read");
    if (read && schedule.kind != PW_SCHEDULE_ON)
        pw_lang_found(load, PAWL_FINDING_NO_EFFECT, read, PW_STEP(path, "read"),
                      "'read' has no effect: it belongs to 'on'");
    switch (schedule.kind) {
    case PW_SCHEDULE_EVERY:
    case PW_SCHEDULE_AFTER:
        compile_period(load, &schedule, what, step);
        break;
    case PW_SCHEDULE_CRON:
        compile_cron(load, &schedule, what, step, zone);
        break;
    case PW_SCHEDULE_ON:
        compile_on(load, &schedule, node, path);
        break;
    }
    pw_task *task = pw_lang_task_new(load, pw_lang_key(root, "schedule"));
    pw_lang_task_number(load, task, node);
    task->kind = PW_TASK_SCHEDULE;
    task->pointer = pw_lang_pointer(load->arena, path);
    task->definition = node->value;
    task->as.schedule = schedule;
    const pw_task **tasks = PW_NEW_ARRAY(load->arena, const pw_task *, 1);
    tasks[0] = task;
    load->program->schedule = (pw_list){ tasks, 1 };
}
