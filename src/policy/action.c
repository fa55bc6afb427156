/* action.c - what a person should do about an error, in plain words.
 *
 * It names the task, the service or function, what kind of failure it was and how often it was
 * tried, then what to check, then what to type. Text of the outside is shown short and on one line;
 * of an endpoint the query and the user are left out, since keys may stand there. */
#include "policy/fault_internal.h"

#define SHOWN_MAX 200u /* bytes of one text of the outside */

static const char *const words[] = {
#define CLASS_WORDS(name, text, words) words,
    PW_ERROR_CLASSES(CLASS_WORDS)
#undef CLASS_WORDS
};
static_assert(PW_LENGTH(words) == PW_ERROR_CLASS_COUNT, "each class has its words");

static const char *const checks[] = {
    [PW_CLASS_ARGUMENT] =
        "Check the definition, and the input and arguments: as they are, it fails again.",
    [PW_CLASS_STATE] =
        "Check the state of what is to be changed: it may be done already, or be another's now.",
    [PW_CLASS_DENIED] = "Check the credentials, and what they may do.",
    [PW_CLASS_UNSUPPORTED] = "Check that what is called is there (registered, or with a worker), "
                             "in a version that can do this.",
    [PW_CLASS_CONNECTION] = "Check that the service runs, and its name, port, certificate, proxy "
                            "and firewall, from this machine.",
    [PW_CLASS_TIMEOUT] =
        ("Check how busy it is, and whether the time for one attempt is enough "
         "(metadata.pawl.resilience.timeout "
         "of the task, else WorkflowResilience:Timeout); what was asked for may have been done."),
    [PW_CLASS_THROTTLED] = "Check the quota there; rateLimit and bulkhead of "
                           "metadata.pawl.resilience send fewer calls.",
    [PW_CLASS_SERVER] = "Check the service, and its own log at this time.",
    [PW_CLASS_CLIENT] = "Check method, URL, headers, body and credentials of the request: sent "
                        "again, it is refused again.",
    [PW_CLASS_MALFORMED] = "Check what is answered: status, content type, JSON, size.",
    [PW_CLASS_FORBIDDEN] = "Check the address; if it is meant, allow it with Engine:EgressAllow.",
    [PW_CLASS_OPEN] =
        "Check the service: `pawl breakers` shows since when calls to it fail, and how.",
    [PW_CLASS_UNKNOWN] =
        "Look at the service whether the request with this idempotency key was carried out.",
    [PW_CLASS_STORE] = "Check the disk or the database of the store, and the log of the engine.",
    [PW_CLASS_LOST] =
        "Check why it ended: its log, its memory; the task itself may be what ends it.",
    [PW_CLASS_BUSINESS] = "Read the error: it says what is wrong, and that is to be mended first.",
    [PW_CLASS_OTHER] = "Read the error, and the log of what is called at this time.",
};
static_assert(PW_LENGTH(checks) == PW_ERROR_CLASS_COUNT, "each class has something to check");

/* ---- parts */

static const char *check_of(const pw_fault_facts *facts)
{
    bool command = facts->kind == PW_FAULT_STARTUP || facts->kind == PW_FAULT_RESUME;
    return command && facts->class_ == PW_CLASS_TIMEOUT
               ? "Check how busy the engine and its store are."
               : checks[facts->class_];
}

static pw_str shown(pw_arena *arena, pw_str text)
{
    size_t len = text.len;
    if (len > SHOWN_MAX)
        for (len = SHOWN_MAX; len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80;)
            len--;
    while (len > 0 && (text.ptr[len - 1] == '.' || (unsigned char)text.ptr[len - 1] <= ' '))
        len--; /* the sentence has its own end */
    char *copy = pw_arena_alloc(arena, len + 3);
    if (!copy)
        return (pw_str){ 0 };
    for (size_t i = 0; i < len; i++)
        copy[i] = (unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f ? ' ' : text.ptr[i];
    if (text.len <= SHOWN_MAX)
        return (pw_str){ copy, len };
    memcpy(copy + len, "...", 3);
    return (pw_str){ copy, len + 3 };
}

/* Without the user, the query and the fragment. */
static pw_str shown_endpoint(pw_arena *arena, pw_str url)
{
    size_t host = 0, end = 0;
    if (url.len == 0)
        return url;
    for (size_t i = 0; i + 3 <= url.len && host == 0; i++)
        if (memcmp(url.ptr + i, "://", 3) == 0)
            host = i + 3;
    size_t from = host;
    for (end = host; end < url.len && url.ptr[end] != '?' && url.ptr[end] != '#'; end++)
        if (url.ptr[end] == '@' && !memchr(url.ptr + host, '/', end - host))
            from = end + 1;
    pw_str scheme = { url.ptr, host }, rest = { url.ptr + from, end - from };
    return shown(arena, pw_arena_printf(arena, PW_FMT PW_FMT, PW_ARG(scheme), PW_ARG(rest)));
}

/* "850 ms", "4.2 s", "2 min 5 s", "3 h 20 min" */
static pw_str time_of(pw_arena *arena, uint64_t ms)
{
    unsigned long long n = ms;
    if (n < 1000)
        return pw_arena_printf(arena, "%llu ms", n);
    if (n < 60000)
        return n % 1000 < 100 ? pw_arena_printf(arena, "%llu s", n / 1000)
                              : pw_arena_printf(arena, "%llu.%llu s", n / 1000, n % 1000 / 100);
    n /= 1000;
    unsigned long long large = n < 3600 ? 60 : 3600;
    unsigned long long rest = n % large / (large / 60);
    const char *const *unit =
        n < 3600 ? (const char *const[]){ "min", "s" } : (const char *const[]){ "h", "min" };
    return rest == 0 ? pw_arena_printf(arena, "%llu %s", n / large, unit[0])
                     : pw_arena_printf(arena, "%llu %s %llu %s", n / large, unit[0], rest, unit[1]);
}

/* "task 'charge' (/do/0/charge)" */
static pw_str task_of(const pw_fault_facts *facts, pw_arena *arena)
{
    pw_str name = shown(arena, facts->name), task = shown(arena, facts->task);
    if (facts->task.len == 0)
        return facts->name.len > 0 ? pw_arena_printf(arena, "'" PW_FMT "'", PW_ARG(name))
                                   : PW_LIT("the workflow");
    if (facts->name.len == 0)
        return pw_arena_printf(arena, "task " PW_FMT, PW_ARG(task));
    return pw_arena_printf(arena, "task '" PW_FMT "' (" PW_FMT ")", PW_ARG(name), PW_ARG(task));
}

/* What is to be reviewed, and what was done when it failed. */
static pw_str subject_of(const pw_fault_facts *facts, pw_arena *arena)
{
    pw_str task = task_of(facts, arena);
    pw_str service = shown(arena, facts->service);
    pw_str endpoint = shown_endpoint(arena, facts->endpoint);
    switch (facts->kind) {
    case PW_FAULT_STARTUP:
        return pw_arena_printf(arena, "The start of " PW_FMT " failed, and nothing was started",
                               PW_ARG(task));
    case PW_FAULT_RESUME:
        return pw_arena_printf(
            arena, "The answer to " PW_FMT " could not be taken, and nothing was consumed",
            PW_ARG(task));
    case PW_FAULT_EXTERNAL_CALL:
        if (endpoint.len == 0)
            endpoint = service;
        return pw_arena_printf(
            arena, "Review external service%s" PW_FMT ": " PW_FMT " called " PW_FMT,
            endpoint.len > 0 ? " " : "", PW_ARG(service.len > 0 ? service : endpoint), PW_ARG(task),
            PW_ARG(endpoint.len > 0 ? endpoint : PW_LIT("it")));
    case PW_FAULT_ACTIVITY:
        break;
    }
    if (service.len == 0)
        return pw_arena_printf(arena, "Review " PW_FMT ": it failed", PW_ARG(task));
    return pw_arena_printf(arena, "Review function '" PW_FMT "': " PW_FMT " called it",
                           PW_ARG(service), PW_ARG(task));
}

/* " (status 503: out of order)" */
static pw_str error_of(const pw_fault_facts *facts, pw_arena *arena)
{
    pw_str detail = shown(arena, facts->detail);
    if (facts->status == 0 && detail.len == 0)
        return (pw_str){ 0 };
    if (facts->status == 0)
        return pw_arena_printf(arena, " (" PW_FMT ")", PW_ARG(detail));
    if (detail.len == 0)
        return pw_arena_printf(arena, " (status %d)", facts->status);
    return pw_arena_printf(arena, " (status %d: " PW_FMT ")", facts->status, PW_ARG(detail));
}

/* How often it was tried. What an open breaker refuses is no attempt. */
static pw_str made_of(const pw_fault_facts *facts, pw_arena *arena)
{
    bool refused = facts->class_ == PW_CLASS_OPEN;
    if (facts->attempts == 0)
        return (pw_str){ 0 };
    if (refused && facts->attempts == 1)
        return PW_LIT(" Nothing was sent.");
    unsigned made = (unsigned)facts->attempts - refused;
    return pw_arena_printf(arena, " %u attempt%s made%s.", made, made == 1 ? " was" : "s were",
                           refused ? " before" : "");
}

static pw_str suspended_of(const pw_fault_policy *policy, const pw_fault_facts *facts,
                           pw_arena *arena)
{
    if (policy->suspend_after == 0 || facts->incidents < policy->suspend_after)
        return PW_LIT(" The fault table calls this critical: the instance is suspended.");
    pw_str within = time_of(arena, policy->suspend_within_ms);
    return pw_arena_printf(arena,
                           " It is incident %u of this instance within " PW_FMT
                           ": the instance is suspended, and nothing tries it again by itself.",
                           (unsigned)facts->incidents, PW_ARG(within));
}

/* What to type. */
static pw_str commands_of(const pw_fault_facts *facts, pw_arena *arena)
{
    pw_str id = facts->instance.len > 0 ? shown(arena, facts->instance) : PW_LIT("ID");
    switch (facts->kind) {
    case PW_FAULT_STARTUP:
        return PW_LIT("Then start it again: `pawl start`.");
    case PW_FAULT_RESUME:
        return pw_arena_printf(arena,
                               "`pawl show " PW_FMT "` lists what it waits for; then answer again.",
                               PW_ARG(id));
    case PW_FAULT_ACTIVITY:
    case PW_FAULT_EXTERNAL_CALL:
        break;
    }
    return pw_arena_printf(
        arena,
        "`pawl incident " PW_FMT "` shows all of it; `pawl retry " PW_FMT "` %s, `pawl fail " PW_FMT
        "` gives it up, `pawl cancel " PW_FMT "` cancels the instance.",
        PW_ARG(id), PW_ARG(id),
        facts->class_ == PW_CLASS_UNKNOWN ? "sends the same request again, with the same key"
                                          : "tries it again when it is mended",
        PW_ARG(id), PW_ARG(id));
}

/* ---- the text */

static pw_str retry_text(const pw_fault_policy *policy, const pw_fault_facts *facts,
                         uint64_t delay_ms, pw_arena *arena)
{
    const pw_retry_settings *settings = facts->retry ? facts->retry : &policy->retry[facts->kind];
    uint32_t made = facts->attempts > 0 ? facts->attempts : 1;
    pw_str of = { 0 }, now = { 0 };
    if (settings->count < PW_RETRY_UNLIMITED)
        of = pw_arena_printf(arena, " of %llu", (unsigned long long)settings->count + 1);
    if (delay_ms > 0 && (facts->kind == PW_FAULT_ACTIVITY || facts->kind == PW_FAULT_EXTERNAL_CALL))
        now = pw_arena_printf(
            arena, " (`pawl retry " PW_FMT "` makes it now)",
            PW_ARG(facts->instance.len > 0 ? shown(arena, facts->instance) : PW_LIT("ID")));
    pw_str when = PW_LIT("at once");
    if (delay_ms > 0)
        when = pw_arena_printf(arena, "in " PW_FMT, PW_ARG(time_of(arena, delay_ms)));
    return pw_arena_printf(
        arena, "Nothing yet: attempt %llu" PW_FMT " follows " PW_FMT PW_FMT ". If it fails too: %s",
        (unsigned long long)made + 1, PW_ARG(of), PW_ARG(when), PW_ARG(now), check_of(facts));
}

pw_str pw_fault_action(const pw_fault_policy *policy, const pw_fault_facts *facts,
                       const pw_fault_result *result, pw_arena *arena)
{
    if (result->should_retry)
        return retry_text(policy, facts, result->retry_delay_ms, arena);
    pw_str subject = subject_of(facts, arena), error = error_of(facts, arena),
           commands = commands_of(facts, arena);
    pw_str suspended = { 0 };
    if (result->suspend_workflow)
        suspended = suspended_of(policy, facts, arena);
    pw_str text = pw_arena_printf(arena, PW_FMT "; %s" PW_FMT "." PW_FMT " %s" PW_FMT " " PW_FMT,
                                  PW_ARG(subject), words[facts->class_], PW_ARG(error),
                                  PW_ARG(made_of(facts, arena)), check_of(facts), PW_ARG(suspended),
                                  PW_ARG(commands));
    return text.len > 0 ? text : PW_LIT("Look at the error, and at the input of the task.");
}
