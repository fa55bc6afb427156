/* listen.c - messages that an instance waits for.
 *
 * A listen opens one bookmark, and one subscription for each filter that can still be satisfied. A
 * subscription makes the choice of messages small; whether a message is wanted is decided here, by
 * the whole filter, when it comes. What is not wanted changes nothing.
 *
 *     begin --> LISTEN --message: enough----------------> finished
 *                 |  ^ '--message: not yet--> LISTEN
 *                 |  '--its end: not enough--.
 *                 '--message, foreach--> BODY --its end: enough--> finished
 *
 * The frame: `at` counts the messages heard, those of `until` aside; `items` are the messages as
 * read, where something will ask for them; `args` is an object:
 *     e  values expected, evaluated at the beginning: those that are not constant, in order of filters
 *     k  correlation keys that are fixed: name to value
 *     f  filters that are satisfied (of `all`), by their places: those of `until` behind the others
 *     o  outputs of foreach
 *     m  BODY: an array of the message that it runs for
 *
 * Messages and outputs are kept as a list of lists. New ones go to the last list, which is written
 * with each state. Once it is large enough to be a payload it stays as it is, and a new one begins;
 * four such of about one length become one. So a message is written a few times, not with every
 * later one, and the state names a few lists only. */
#include "core/match.h"
#include "core/step.h"

#define MERGED 4u /* lists of about one length that become one */

static const pw_filter every_message;

/* One of the two strategies of a listen: its own, or that of its `until`. */
typedef struct half {
    const pw_listen *of;
    uint32_t first; /* place of its first filter */
    uint32_t count; /* places */
} half;

static const pw_listen *listen_of(const pw_frame *frame)
{
    return frame->task->kind == PW_TASK_SCHEDULE ? &frame->task->as.schedule.on
                                                 : &frame->task->as.listen.to;
}

static half own_part(const pw_listen *listen)
{
    return (half){ listen, 0, listen->count ? listen->count : 1 };
}

static half until_part(const pw_listen *listen)
{
    const pw_listen *until = listen->until_heard;
    uint32_t first = own_part(listen).count;
    return until ? (half){ until, first, until->count ? until->count : 1 } : (half){ 0 };
}

static const pw_filter *filter_at(const half *part, uint32_t at)
{
    return part->of->count ? &part->of->filters[at] : &every_message;
}

/* ------------------------------------------------------------------ what is kept */

static pw_value arg(const pw_frame *frame, const char *name)
{
    return pw_get_lit(frame->args, name);
}

static void set_arg(pw_step *step, pw_frame *frame, const char *name, pw_value value)
{
    frame->args = pw_is(value, PW_NONE)
                      ? pw_without(step->arena, frame->args, pw_str_of(name))
                      : pw_with(step->arena, frame->args, pw_str_of(name), value);
}

static pw_value with_item(pw_arena *arena, pw_value array, pw_value item)
{
    pw_value *items = PW_NEW_ARRAY(arena, pw_value, (size_t)array.count + 1);
    if (array.count)
        memcpy(items, array.as.items, array.count * sizeof *items);
    items[array.count] = item;
    return pw_array_ref(items, (size_t)array.count + 1);
}

static pw_value joined(pw_arena *arena, const pw_value *lists, size_t count)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        total += lists[i].count;
    pw_value *items = PW_NEW_ARRAY(arena, pw_value, total + 1);
    for (size_t i = 0; i < count; i++) {
        if (lists[i].count)
            memcpy(items + at, lists[i].as.items, lists[i].count * sizeof *items);
        at += lists[i].count;
    }
    return pw_array_ref(items, total);
}

static bool is_large(pw_arena *arena, pw_value list)
{
    /* no text is eight times as long as its value */
    return pw_footprint(list, PW_PAYLOAD_MIN / 8) > PW_PAYLOAD_MIN / 8 &&
           pw_json_text(arena, list, PW_JSON_COMPACT).len >= PW_PAYLOAD_MIN;
}

/* An empty list of lists. */
static pw_value kept_none(pw_arena *arena)
{
    const pw_value list = pw_array_ref(NULL, 0);
    return pw_array(arena, &list, 1);
}

/* One item more. */
static pw_value kept_more(pw_arena *arena, pw_value lists, pw_value item)
{
    size_t count = lists.count - 1;
    pw_value last = with_item(arena, pw_item(lists, count), item);
    if (!is_large(arena, last))
        return with_item(arena, pw_array_ref(lists.as.items, count), last);
    while (count >= MERGED - 1) {
        const pw_value *tail = lists.as.items + count - (MERGED - 1);
        if (tail->count / 2 >= last.count) /* the first is the longest */
            break;
        pw_value four[MERGED];
        memcpy(four, tail, (MERGED - 1) * sizeof *tail);
        four[MERGED - 1] = last;
        last = joined(arena, four, MERGED);
        count -= MERGED - 1;
    }
    pw_value closed = with_item(arena, pw_array_ref(lists.as.items, count), last);
    return with_item(arena, closed, pw_array_ref(NULL, 0));
}

static pw_value all_kept(pw_arena *arena, pw_value lists)
{
    size_t count = lists.count - (pw_item(lists, lists.count - 1).count == 0);
    return count == 1 ? pw_item(lists, 0) : joined(arena, lists.as.items, count);
}

/* Who asks for the messages themselves: the output, or a condition. */
static bool keeps_messages(const pw_frame *frame)
{
    const pw_listen *listen = listen_of(frame);
    bool each = frame->task->kind == PW_TASK_LISTEN && frame->task->as.listen.each;
    return listen->until || (!each && !listen->for_ever);
}

static bool keeps_outputs(const pw_frame *frame)
{
    return frame->task->kind == PW_TASK_LISTEN && frame->task->as.listen.each &&
           !frame->task->as.listen.to.for_ever;
}

static bool is_satisfied(const pw_frame *frame, uint32_t place)
{
    pw_value done = arg(frame, "f");
    int64_t at;
    for (size_t i = 0; i < done.count; i++)
        if (pw_integer(pw_item(done, i), &at) && at == place)
            return true;
    return false;
}

static bool all_satisfied(const pw_frame *frame, const half *part)
{
    for (uint32_t i = 0; i < part->count; i++)
        if (!is_satisfied(frame, part->first + i))
            return false;
    return true;
}

/* ------------------------------------------------------------------ what is expected */

static bool is_evaluated(const pw_template *tmpl)
{
    return tmpl && tmpl->kind != PW_TEMPLATE_CONST;
}

static uint32_t evaluated_in(const pw_filter *filter)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < filter->want_count; i++)
        count += is_evaluated(filter->wants[i].value);
    for (uint32_t i = 0; i < filter->correlation_count; i++)
        count += is_evaluated(filter->correlations[i].expect);
    return count;
}

static bool evaluate(pw_step *step, pw_frame *frame, const pw_template *tmpl, pw_str name,
                     pw_array_builder *out)
{
    pw_value value;
    if (!pw_eval_template(step, frame, tmpl, frame->input, (pw_value){ 0 }, &value))
        return false;
    if (pw_is(value, PW_NULL)) {
        step->thrown = pw_problem(step, frame, "expression", 400, "nothing is expected",
                                  "the value that '" PW_FMT "' of a message must have is null",
                                  PW_ARG(name));
        return false;
    }
    pw_array_add(out, value);
    return true;
}

static bool evaluate_part(pw_step *step, pw_frame *frame, const half *part, pw_array_builder *out)
{
    for (uint32_t at = 0; at < part->count; at++) {
        const pw_filter *filter = filter_at(part, at);
        for (uint32_t i = 0; i < filter->want_count; i++)
            if (is_evaluated(filter->wants[i].value) &&
                !evaluate(step, frame, filter->wants[i].value, filter->wants[i].attribute, out))
                return false;
        for (uint32_t i = 0; i < filter->correlation_count; i++)
            if (is_evaluated(filter->correlations[i].expect) &&
                !evaluate(step, frame, filter->correlations[i].expect,
                          filter->correlations[i].name, out))
                return false;
    }
    return true;
}

/* What a filter expects now; PW_NONE: anything. */
typedef struct expected {
    pw_value *wanted, *correlated;
} expected;

/* `cursor`: of the next value in args.e; moves on behind those of this filter. */
static expected expectations(pw_arena *arena, const pw_frame *frame, const pw_filter *filter,
                             uint32_t *cursor)
{
    expected x = { PW_NEW_ARRAY(arena, pw_value, filter->want_count + 1),
                   PW_NEW_ARRAY(arena, pw_value, filter->correlation_count + 1) };
    pw_value values = arg(frame, "e"), keys = arg(frame, "k");
    if (!x.wanted || !x.correlated)
        return (expected){ 0 };
    for (uint32_t i = 0; i < filter->want_count; i++) {
        const pw_template *tmpl = filter->wants[i].value;
        if (is_evaluated(tmpl))
            x.wanted[i] = pw_item(values, (*cursor)++);
        else if (tmpl)
            x.wanted[i] = tmpl->value;
        if (tmpl && tmpl->kind == PW_TEMPLATE_EXPR && pw_is(x.wanted[i], PW_TRUE))
            x.wanted[i] = (pw_value){ 0 }; /* it is no value but an answer */
    }
    for (uint32_t i = 0; i < filter->correlation_count; i++) {
        const pw_template *tmpl = filter->correlations[i].expect;
        x.correlated[i] = is_evaluated(tmpl) ? pw_item(values, (*cursor)++)
                          : tmpl             ? tmpl->value
                                             : pw_get(keys, filter->correlations[i].name);
    }
    return x;
}

/* Correlations whose values are known: name to value. */
static void add_correlations(pw_arena *arena, const pw_frame *frame, const half *part,
                             uint32_t *cursor, pw_object_builder *out)
{
    for (uint32_t at = 0; at < part->count; at++) {
        const pw_filter *filter = filter_at(part, at);
        expected x = expectations(arena, frame, filter, cursor);
        for (uint32_t i = 0; i < filter->correlation_count && x.correlated; i++)
            pw_object_add(out, filter->correlations[i].name, x.correlated[i]);
    }
}

static pw_value correlation_of(pw_arena *arena, const pw_frame *frame)
{
    const half parts[] = { own_part(listen_of(frame)), until_part(listen_of(frame)) };
    pw_object_builder out = { .arena = arena };
    uint32_t cursor = 0;
    for (size_t i = 0; i < PW_LENGTH(parts); i++)
        add_correlations(arena, frame, &parts[i], &cursor, &out);
    return out.count ? pw_object_end(&out) : (pw_value){ 0 };
}

static bool correlates(const pw_listen *listen)
{
    for (uint32_t i = 0; i < listen->count; i++)
        if (listen->filters[i].correlation_count)
            return true;
    return listen->until_heard && correlates(listen->until_heard);
}

/* The types that it listens for, each once; one that is not constant is not named. */
static pw_value types_of(pw_arena *arena, const pw_listen *listen)
{
    pw_array_builder types = { .arena = arena };
    for (uint32_t i = 0; i < listen->count; i++) {
        pw_str type = listen->filters[i].type;
        bool known = type.len == 0;
        for (size_t j = 0; j < types.count && !known; j++)
            known = pw_str_eq(pw_text(types.items[j]), type);
        if (!known)
            pw_array_add(&types, pw_string_ref(type));
    }
    return pw_array_end(&types);
}

static pw_value strategy_of(const pw_listen *listen)
{
    static const char *const names[] = { [PW_LISTEN_ONE] = "one",
                                         [PW_LISTEN_ANY] = "any",
                                         [PW_LISTEN_ALL] = "all" };
    return pw_string_ref(pw_str_of(names[listen->kind]));
}

pw_value pw_listen_described(const pw_frame *frame, pw_arena *arena)
{
    const pw_listen *listen = listen_of(frame);
    pw_member members[] = { { PW_LIT("to"), strategy_of(listen) },
                            { PW_LIT("types"), types_of(arena, listen) },
                            { PW_LIT("until"), listen->until_heard
                                                   ? types_of(arena, listen->until_heard)
                                                   : (pw_value){ 0 } },
                            { PW_LIT("correlation"), correlation_of(arena, frame) },
                            { PW_LIT("heard"), frame->at ? pw_int(frame->at) : (pw_value){ 0 } } };
    return pw_object_of(arena, members, PW_LENGTH(members));
}

/* ------------------------------------------------------------------ opening and closing */

static void subscribe(pw_step *step, const pw_frame *frame, const pw_filter *filter,
                      uint32_t place, const expected *x)
{
    pw_subscription *subscription = PW_PUSH(step, subscriptions, pw_subscription);
    subscription->visit = frame->visit;
    subscription->ordinal = place;
    pw_match_of_filter(&subscription->matcher, &subscription->hash, filter, x->wanted,
                       x->correlated, step->arena);
}

static void unsubscribe(pw_step *step, const pw_frame *frame, uint32_t place)
{
    pw_subscription_end *end = PW_PUSH(step, subscription_ends, pw_subscription_end);
    end->visit = frame->visit;
    end->ordinal = place;
}

static void subscribe_part(pw_step *step, const pw_frame *frame, const half *part,
                           uint32_t *cursor)
{
    for (uint32_t i = 0; i < part->count; i++) {
        const pw_filter *filter = filter_at(part, i);
        expected x = expectations(step->arena, frame, filter, cursor);
        if (!is_satisfied(frame, part->first + i))
            subscribe(step, frame, filter, part->first + i, &x);
    }
}

static pw_str message_types(pw_step *step, const pw_listen *listen)
{
    pw_value types = types_of(step->arena, listen);
    pw_str text = pw_text(pw_item(types, 0));
    for (uint32_t i = 1; i < types.count; i++)
        text = pw_arena_printf(step->arena, PW_FMT ", " PW_FMT, PW_ARG(text),
                               PW_ARG(pw_text(pw_item(types, i))));
    return text;
}

/* Of what is known now: opened again behind a fault, it is narrower than at the beginning. */
static void open_bookmark(pw_step *step, pw_frame *frame)
{
    const pw_listen *listen = listen_of(frame);
    const half own = own_part(listen), until = until_part(listen);
    uint32_t cursor = 0;
    frame->phase = PHASE_LISTEN;
    frame->key = pw_bookmark_key(step, frame);
    pw_bookmark *bookmark = PW_PUSH(step, bookmarks, pw_bookmark);
    bookmark->kind = PW_BOOKMARK_MESSAGE;
    bookmark->task = frame->task->pointer;
    bookmark->visit = frame->visit;
    bookmark->key = frame->key;
    bookmark->message_type = message_types(step, listen);
    bookmark->due_at = -1;
    bookmark->payload = pw_json_text(step->arena, pw_listen_described(frame, step->arena),
                                     PW_JSON_COMPACT);
    subscribe_part(step, frame, &own, &cursor);
    subscribe_part(step, frame, &until, &cursor);
}

bool pw_listen_open(pw_step *step, pw_frame *frame, const pw_listen *listen)
{
    const half own = own_part(listen), until = until_part(listen);
    pw_array_builder values = { .arena = step->arena };
    frame->at = 0;
    frame->items = keeps_messages(frame) ? kept_none(step->arena) : (pw_value){ 0 };
    frame->args = pw_object_of(step->arena, NULL, 0);
    if (!evaluate_part(step, frame, &own, &values) || !evaluate_part(step, frame, &until, &values)) {
        pw_flow_raise(step, frame, step->thrown);
        return false;
    }
    if (values.count)
        set_arg(step, frame, "e", pw_array_end(&values));
    if (keeps_outputs(frame))
        set_arg(step, frame, "o", kept_none(step->arena));
    open_bookmark(step, frame);
    return true;
}

void pw_listen_begin(pw_step *step, pw_frame *frame)
{
    const pw_listen *listen = &frame->task->as.listen.to;
    if (!pw_listen_open(step, frame, listen))
        return;
    PW_RECORD(step, "task.started", frame, { PW_LIT("key"), pw_string_ref(frame->key) },
              { PW_LIT("listens"), pw_listen_described(frame, step->arena) });
    if (correlates(listen))
        pw_record_lifecycle(step, PW_LIFE_CORRELATION_STARTED, (pw_value){ 0 });
}

bool pw_listen_is_open(const pw_frame *frame)
{
    bool listens = frame->phase == PHASE_LISTEN || (frame->phase == PHASE_BODY && frame->task &&
                                                    frame->task->kind == PW_TASK_LISTEN);
    return listens && frame->key.len > 0;
}

/* What this very step has opened for the frame is not committed yet: it is not opened at all. */
void pw_listen_close(pw_step *step, pw_frame *frame, bool consumed)
{
    pw_subscription *subscriptions = step->subscriptions.items;
    pw_subscription_end *ends = step->subscription_ends.items;
    pw_bookmark *bookmarks = step->bookmarks.items;
    size_t kept = 0, before = step->bookmarks.count;
    for (size_t i = 0; i < step->subscriptions.count; i++)
        if (subscriptions[i].visit != frame->visit)
            subscriptions[kept++] = subscriptions[i];
    step->subscriptions.count = kept;
    kept = 0;
    for (size_t i = 0; i < step->subscription_ends.count; i++) /* the bookmark ends them all */
        if (ends[i].visit != frame->visit)
            ends[kept++] = ends[i];
    step->subscription_ends.count = kept;
    kept = 0;
    for (size_t i = 0; i < before; i++)
        if (bookmarks[i].visit != frame->visit)
            bookmarks[kept++] = bookmarks[i];
    step->bookmarks.count = kept;
    if (kept == before) {
        pw_bookmark_end *end = PW_PUSH(step, bookmark_ends, pw_bookmark_end);
        end->visit = frame->visit;
        end->key = frame->key;
        end->consumed = consumed;
        end->by = step->event->actor;
        if (consumed && step->event->kind == PW_EVENT_RESUME &&
            pw_str_eq(frame->key, step->event->key))
            end->digest = pw_event_digest(step);
    }
    frame->key = (pw_str){ 0 };
}

/* ------------------------------------------------------------------ is it wanted? */

/* The filter that a message satisfies, and what it gives for the correlations of it. */
typedef struct hit {
    const pw_filter *filter;
    uint32_t place;
    pw_value *correlated;
} hit;

/* A filter that fails on a message is not satisfied by it. */
static bool wants(pw_step *step, pw_frame *frame, const pw_want *want, pw_value expects,
                  pw_value message)
{
    pw_value attribute = pw_match_attribute(message, want->attribute), result;
    if (want->kind == PW_WANT_VALUE)
        return pw_is(expects, PW_NONE) || pw_equal(attribute, expects);
    if (!pw_eval(step, frame, want->expr, attribute, (pw_value){ 0 }, &result))
        return false;
    return want->kind == PW_WANT_PATTERN ? pw_truthy(result)
                                         : pw_match_agrees(result, attribute);
}

static bool fits(pw_step *step, pw_frame *frame, const pw_filter *filter, const expected *x,
                 pw_value message, pw_value *correlated)
{
    for (uint32_t i = 0; i < filter->want_count; i++)
        if (!wants(step, frame, &filter->wants[i], x->wanted[i], message))
            return false;
    for (uint32_t i = 0; i < filter->correlation_count; i++) {
        pw_value *value = &correlated[i];
        if (!pw_eval(step, frame, filter->correlations[i].from, message, (pw_value){ 0 }, value) ||
            pw_is(*value, PW_NULL)) /* nothing is correlated with nothing */
            return false;
        if (!pw_is(x->correlated[i], PW_NONE) && !pw_equal(*value, x->correlated[i]))
            return false;
    }
    return true;
}

/* The first open filter that the message satisfies: it satisfies no other. */
static bool find(pw_step *step, pw_frame *frame, const half *part, uint32_t cursor,
                 pw_value message, hit *out)
{
    pw_str type = pw_get_text(message, "type");
    for (uint32_t i = 0; i < part->count; i++) {
        const pw_filter *filter = filter_at(part, i);
        uint32_t here = cursor;
        cursor += evaluated_in(filter);
        if ((filter->type.len && !pw_str_eq(filter->type, type)) ||
            is_satisfied(frame, part->first + i))
            continue;
        expected x = expectations(step->arena, frame, filter, &here);
        pw_value *values = PW_NEW_ARRAY(step->arena, pw_value, filter->correlation_count + 1);
        if (fits(step, frame, filter, &x, message, values)) {
            *out = (hit){ filter, part->first + i, values };
            return true;
        }
    }
    return false;
}

static uint32_t evaluated_in_part(const half *part)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < part->count; i++)
        count += evaluated_in(filter_at(part, i));
    return count;
}

/* ------------------------------------------------------------------ it is taken */

static pw_value as_read(pw_read_kind read, pw_value message)
{
    if (read == PW_READ_ENVELOPE)
        return message;
    pw_value data = pw_get_lit(message, "data");
    if (pw_is(data, PW_NONE)) /* bytes stay in base 64 */
        data = pw_get_lit(message, "data_base64");
    return pw_is(data, PW_NONE) ? pw_null() : data;
}

/* The subscription of an open filter whose correlation has become known becomes narrower. */
static void narrow_part(pw_step *step, pw_frame *frame, const half *part, uint32_t *cursor,
                        pw_value keys_before)
{
    for (uint32_t at = 0; at < part->count; at++) {
        const pw_filter *filter = filter_at(part, at);
        expected x = expectations(step->arena, frame, filter, cursor);
        bool known = false;
        for (uint32_t i = 0; i < filter->correlation_count; i++) {
            const pw_correlation *c = &filter->correlations[i];
            known = known || (!c->expect && !c->of_instance && !pw_is(x.correlated[i], PW_NONE) &&
                              pw_is(pw_get(keys_before, c->name), PW_NONE));
        }
        if (!known || is_satisfied(frame, part->first + at))
            continue;
        unsubscribe(step, frame, part->first + at);
        subscribe(step, frame, filter, part->first + at, &x);
    }
}

/* The first value seen is expected of the others. Gives the keys that are new. */
static pw_value fix_keys(pw_step *step, pw_frame *frame, const hit *found)
{
    pw_value keys = arg(frame, "k");
    pw_object_builder fresh = { .arena = step->arena };
    for (uint32_t i = 0; i < found->filter->correlation_count; i++) {
        const pw_correlation *c = &found->filter->correlations[i];
        if (!pw_is(pw_get(keys, c->name), PW_NONE))
            continue;
        pw_value value = pw_copy(step->arena, found->correlated[i]);
        pw_object_add(&fresh, c->name, value);
        keys = pw_with(step->arena, keys, c->name, value);
    }
    if (!fresh.count)
        return (pw_value){ 0 };
    set_arg(step, frame, "k", keys);
    return pw_object_end(&fresh);
}

static void narrow(pw_step *step, pw_frame *frame, pw_value keys_before)
{
    const half own = own_part(listen_of(frame)), until = until_part(listen_of(frame));
    uint32_t cursor = 0;
    narrow_part(step, frame, &own, &cursor, keys_before);
    narrow_part(step, frame, &until, &cursor, keys_before);
}

static void satisfy(pw_step *step, pw_frame *frame, uint32_t place)
{
    set_arg(step, frame, "f", with_item(step->arena, arg(frame, "f"), pw_int(place)));
    unsubscribe(step, frame, place);
}

/* It has heard enough. */
static void finish(pw_step *step, pw_frame *frame)
{
    pw_value kept = keeps_outputs(frame) ? arg(frame, "o") : frame->items;
    pw_value output = all_kept(step->arena, kept);
    if (correlates(listen_of(frame)))
        pw_record_lifecycle(step, PW_LIFE_CORRELATION_COMPLETED,
                            correlation_of(step->arena, frame));
    if (frame->task->kind == PW_TASK_LISTEN) {
        pw_flow_finish(step, frame, output);
        return;
    }
    pw_listen_close(step, frame, true);
    frame->items = frame->args = (pw_value){ 0 };
    pw_schedule_heard(step, frame, output);
}

/* A message has had its effect: is it enough? */
static void go_on(pw_step *step, pw_frame *frame)
{
    const pw_listen *listen = listen_of(frame);
    const half own = own_part(listen);
    bool enough = true;
    if (listen->kind == PW_LISTEN_ALL)
        enough = all_satisfied(frame, &own);
    else if (listen->for_ever || listen->until_heard)
        enough = false;
    else if (listen->until && !pw_eval_true(step, frame, listen->until,
                                            all_kept(step->arena, frame->items), &enough)) {
        pw_flow_raise(step, frame, step->thrown);
        return;
    }
    if (enough)
        finish(step, frame);
}

static bool has_room(pw_step *step, pw_frame *frame)
{
    if (frame->at < PW_LOOP_ITEMS_MAX || !(keeps_messages(frame) || keeps_outputs(frame)))
        return true;
    pw_flow_raise(step, frame,
                  pw_problem(step, frame, "runtime", 500, "too many messages",
                             "'" PW_FMT "' keeps at most %u messages; with 'until: ${ false }' it "
                             "keeps none",
                             PW_ARG(frame->task->name), PW_LOOP_ITEMS_MAX));
    return false;
}

static void hear(pw_step *step, pw_frame *frame, uint32_t place, pw_value message)
{
    const pw_listen *listen = listen_of(frame);
    pw_value item = as_read(listen->read, message);
    if (!has_room(step, frame))
        return;
    if (frame->at < UINT32_MAX)
        frame->at++;
    if (keeps_messages(frame))
        frame->items = kept_more(step->arena, frame->items, item);
    if (listen->kind == PW_LISTEN_ALL)
        satisfy(step, frame, place);
    if (frame->task->kind != PW_TASK_LISTEN || !frame->task->as.listen.each) {
        go_on(step, frame);
        return;
    }
    set_arg(step, frame, "m", pw_array(step->arena, &item, 1));
    frame->phase = PHASE_BODY;
    pw_flow_start_list(step, frame, frame->task->as.listen.body.count ? frame->input : item);
}

static void hear_until(pw_step *step, pw_frame *frame, const half *part, uint32_t place)
{
    if (part->of->kind == PW_LISTEN_ALL)
        satisfy(step, frame, place);
    if (part->of->kind != PW_LISTEN_ALL || all_satisfied(frame, part))
        finish(step, frame);
}

pawl_code pw_listen_message(pw_step *step, pw_frame *frame, uint64_t number, pw_value message)
{
    if (frame->phase != PHASE_LISTEN)
        return PAWL_BUSY;
    const half own = own_part(listen_of(frame)), until = until_part(listen_of(frame));
    hit found;
    bool ends = until.of && find(step, frame, &until, evaluated_in_part(&own), message, &found);
    if (!ends && !find(step, frame, &own, 0, message, &found))
        return PAWL_NOT_FOUND;
    bool delivered = number > 0;
    if (delivered)
        *PW_PUSH(step, taken, pw_message_taken) = (pw_message_taken){ frame->visit, number };
    message = step->took = pw_copy(step->arena, message);
    pw_value keys_before = arg(frame, "k");
    pw_value fresh = fix_keys(step, frame, &found);
    PW_RECORD(step, "message.consumed", frame,
              { PW_LIT("number"), delivered ? pw_int((int64_t)number) : (pw_value){ 0 } },
              { PW_LIT("by"),
                delivered ? (pw_value){ 0 } : pw_string_ref(pw_event_actor(step)) },
              { PW_LIT("until"), ends ? pw_bool(true) : (pw_value){ 0 } },
              { PW_LIT("correlation"), fresh }, { PW_LIT("event"), message });
    if (ends)
        hear_until(step, frame, &until, found.place);
    else
        hear(step, frame, found.place, message);
    if (!pw_is(fresh, PW_NONE) && !frame->gone && pw_listen_is_open(frame))
        narrow(step, frame, keys_before);
    return PAWL_OK;
}

/* `foreach` has run for a message: output.as and export.as see what it gave. */
void pw_listen_item_done(pw_step *step, pw_frame *frame, pw_value output)
{
    const pw_task *task = frame->task;
    if (!pw_flow_shape(step, frame, task->as.listen.output_as, task->as.listen.export_as,
                       &task->as.listen.schemas, &output)) {
        pw_flow_raise(step, frame, step->thrown);
        return;
    }
    set_arg(step, frame, "m", (pw_value){ 0 });
    if (keeps_outputs(frame))
        set_arg(step, frame, "o", kept_more(step->arena, arg(frame, "o"), output));
    frame->ordinal = 0;
    if (frame->key.len)
        frame->phase = PHASE_LISTEN;
    else
        open_bookmark(step, frame); /* a fault had closed it */
    go_on(step, frame);
}

/* ------------------------------------------------------------------ is a stored frame sound? */

static bool are_lists(pw_value lists, uint64_t total)
{
    uint64_t count = 0;
    if (!pw_is(lists, PW_ARRAY) || lists.count == 0)
        return false;
    for (size_t i = 0; i < lists.count; i++) {
        pw_value list = pw_item(lists, i);
        if (!pw_is(list, PW_ARRAY) || (list.count == 0 && i + 1 < lists.count))
            return false;
        count += list.count;
    }
    return count == total;
}

/* Each of the places is one of an `all`, and stands there once. */
static bool are_places(pw_value places, const half *own, const half *until)
{
    if (!pw_is(places, PW_ARRAY))
        return false;
    for (size_t i = 0; i < places.count; i++) {
        int64_t at, other;
        if (!pw_integer(pw_item(places, i), &at) || at < 0 || at >= own->count + until->count)
            return false;
        const half *part = at < own->count ? own : until;
        if (part->of->kind != PW_LISTEN_ALL)
            return false;
        for (size_t j = 0; j < i; j++)
            if (pw_integer(pw_item(places, j), &other) && other == at)
                return false;
    }
    return true;
}

bool pw_listen_sound(const pw_frame *frame)
{
    const half own = own_part(listen_of(frame)), until = until_part(listen_of(frame));
    uint32_t values = evaluated_in_part(&own) + evaluated_in_part(&until);
    bool inside = frame->phase == PHASE_BODY;
    if (!pw_is(frame->args, PW_OBJECT) || (!inside && !frame->key.len))
        return false;
    pw_value evaluated = arg(frame, "e"), keys = arg(frame, "k"), done = arg(frame, "f");
    if (values ? !pw_is(evaluated, PW_ARRAY) || evaluated.count != values
               : !pw_is(evaluated, PW_NONE))
        return false;
    if (!pw_is(keys, PW_NONE) && !pw_is(keys, PW_OBJECT))
        return false;
    if (!pw_is(done, PW_NONE) && !are_places(done, &own, &until))
        return false;
    pw_value message = arg(frame, "m");
    if (inside ? !frame->at || !pw_is(message, PW_ARRAY) || message.count != 1
               : !pw_is(message, PW_NONE))
        return false;
    if (keeps_messages(frame) ? !are_lists(frame->items, frame->at)
                              : !pw_is(frame->items, PW_NONE))
        return false;
    return keeps_outputs(frame) ? are_lists(arg(frame, "o"), (uint64_t)frame->at - inside)
                                : pw_is(arg(frame, "o"), PW_NONE);
}
