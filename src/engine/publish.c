/* publish.c - messages from outside: checked as CloudEvents 1.0 in structured JSON, then handed to
 * the router; the caller waits until they are stored and routed.
 *
 * A message is kept as it came, without the spaces between its tokens and without attributes that
 * are null, which the specification takes for absent ones. */
#include "engine/engine.h"
#include "base/json.h"

enum {
    TEXT_MAX = 1024,           /* bytes of id, source and type */
    NAME_MAX = 256,            /* ... of an actor */
    ATTRIBUTE_MAX = 64,        /* ... of an attribute's name; CloudEvents asks for 20 at most */
    MESSAGE_MAX = 1 << 20,     /* ... of one message, as it is stored */
    SHOWN = 60,                /* ... of a text in an error */
};
#define TTL_MAX_MS (UINT64_C(3650) * 86400000)

/* ------------------------------------------------------------------ one attribute */

/* Which message, for errors: its place, from 0, among how many. */
typedef struct place {
    size_t at, count;
} place;

#define REFUSE(where, err, name, format, ...)                                                      \
    refuse(where, pw_fail(err, PAWL_INVALID, "'" PW_FMT "' " format,                             \
                            PW_ARG(name) __VA_OPT__(, ) __VA_ARGS__), err)

static pawl_code refuse(const place *where, pawl_code code, pawl_error *err)
{
    if (where->count == 1)
        return pw_error_context(err, code, "publish");
    return pw_error_context(err, code, "publish: message %zu of %zu", where->at + 1, where->count);
}

/* CloudEvents' strings have no control characters. */
static bool has_control(pw_str s)
{
    for (size_t at = 0; at < s.len;) {
        uint32_t c = pw_utf8_next(s, &at);
        if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
            return true;
    }
    return false;
}

static pawl_code check_string(const place *where, pw_str name, pw_value v, size_t most,
                              pawl_error *err)
{
    if (!pw_is(v, PW_STRING))
        return REFUSE(where, err, name, "must be a string, not %s", pw_type_name(v));
    pw_str text = pw_text(v);
    if (text.len == 0)
        return REFUSE(where, err, name, "is empty");
    if (text.len > most)
        return REFUSE(where, err, name, "has %zu bytes; at most %zu", text.len, most);
    if (has_control(text))
        return REFUSE(where, err, name, "holds a control character");
    return PAWL_OK;
}

/* A URI reference: without what no such text has. */
static pawl_code check_uri(const place *where, pw_str name, pw_value v, pawl_error *err)
{
    pawl_code code = check_string(where, name, v, TEXT_MAX, err);
    pw_str text = pw_text(v);
    for (size_t i = 0; i < text.len && code == PAWL_OK; i++)
        if (memchr(" <>\"{}|\\^`", text.ptr[i], 10))
            code = REFUSE(where, err, name, "is no URI reference: it holds '%c'", text.ptr[i]);
    return code;
}

static pawl_code check_time(const place *where, pw_str name, pw_value v, pawl_error *err)
{
    int64_t ms;
    pawl_code code = check_string(where, name, v, TEXT_MAX, err);
    if (code == PAWL_OK && pw_moment_parse(&ms, pw_text(v), NULL) != PAWL_OK)
        code = REFUSE(where, err, name,
                      "must be a time as in RFC 3339 (2026-11-23T10:30:00Z), not '%.*s'",
                      (int)(pw_text(v).len < SHOWN ? pw_text(v).len : SHOWN), pw_text(v).ptr);
    return code;
}

static pawl_code check_base64(const place *where, pw_str name, pw_value v, pawl_error *err)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (!pw_is(v, PW_STRING))
        return REFUSE(where, err, name, "must be a string, not %s", pw_type_name(v));
    pw_str text = pw_text(v);
    size_t padding = 0;
    while (padding < 2 && padding < text.len && text.ptr[text.len - 1 - padding] == '=')
        padding++;
    bool good = text.len % 4 == 0;
    for (size_t i = 0; i + padding < text.len && good; i++)
        good = memchr(digits, text.ptr[i], sizeof digits - 1) != NULL;
    return good ? PAWL_OK : REFUSE(where, err, name, "is not base64 (RFC 4648)");
}

static bool is_name(pw_str name)
{
    bool good = name.len > 0 && name.len <= ATTRIBUTE_MAX;
    for (size_t i = 0; i < name.len && good; i++)
        good = (name.ptr[i] >= 'a' && name.ptr[i] <= 'z') ||
               (name.ptr[i] >= '0' && name.ptr[i] <= '9');
    return good;
}

static pawl_code check_extension(const place *where, pw_str name, pw_value v, pawl_error *err)
{
    int64_t n;
    if (!is_name(name))
        return REFUSE(where, err, name,
                      "is no name of an attribute: lower-case letters and digits, at most %d",
                      ATTRIBUTE_MAX);
    if (pw_is(v, PW_TRUE) || pw_is(v, PW_FALSE))
        return PAWL_OK;
    if (pw_is(v, PW_NUMBER))
        return pw_integer(v, &n) && n >= INT32_MIN && n <= INT32_MAX
                   ? PAWL_OK
                   : REFUSE(where, err, name, "must be a whole number of 32 bits");
    if (!pw_is(v, PW_STRING))
        return REFUSE(where, err, name,
                      "must be a string, a boolean or a whole number, not %s; what has members "
                      "belongs into 'data'",
                      pw_type_name(v));
    return has_control(pw_text(v)) ? REFUSE(where, err, name, "holds a control character") : PAWL_OK;
}

static pawl_code check_attribute(const place *where, const pw_member *m, pawl_error *err)
{
    if (pw_str_is(m->key, "data"))
        return PAWL_OK;
    if (pw_str_is(m->key, "data_base64"))
        return check_base64(where, m->key, m->value, err);
    if (pw_str_is(m->key, "specversion"))
        return pw_str_is(pw_text(m->value), "1.0")
                   ? PAWL_OK
                   : REFUSE(where, err, m->key, "must be \"1.0\"");
    if (pw_str_is(m->key, "source") || pw_str_is(m->key, "dataschema"))
        return check_uri(where, m->key, m->value, err);
    if (pw_str_is(m->key, "time"))
        return check_time(where, m->key, m->value, err);
    if (pw_str_is(m->key, "id") || pw_str_is(m->key, "type") || pw_str_is(m->key, "subject") ||
        pw_str_is(m->key, "datacontenttype"))
        return check_string(where, m->key, m->value, TEXT_MAX, err);
    return check_extension(where, m->key, m->value, err);
}

/* ------------------------------------------------------------------ messages */

static pawl_code check_message(const place *where, pw_value *event, pw_arena *arena, pawl_error *err)
{
    static const char *const needed[] = { "specversion", "id", "source", "type" };
    if (!pw_is(*event, PW_OBJECT))
        return refuse(where,
                      pw_fail(err, PAWL_INVALID, "a message is a CloudEvent, a JSON object, not %s",
                              pw_type_name(*event)),
                      err);
    pw_value kept = *event;
    const pw_member *members = pw_members(*event);
    for (uint32_t i = 0; i < event->count; i++) {
        if (pw_is(members[i].value, PW_NULL) && !pw_str_is(members[i].key, "data")) {
            kept = pw_without(arena, kept, members[i].key);
            continue;
        }
        pawl_code code = check_attribute(where, &members[i], err);
        if (code != PAWL_OK)
            return code;
    }
    if (arena->failed)
        return pw_no_memory(err);
    for (size_t i = 0; i < PW_LENGTH(needed); i++)
        if (pw_is(pw_get_lit(kept, needed[i]), PW_NONE))
            return REFUSE(where, err, pw_str_of(needed[i]), "is missing");
    if (!pw_is(pw_get_lit(kept, "data"), PW_NONE) && !pw_is(pw_get_lit(kept, "data_base64"), PW_NONE))
        return REFUSE(where, err, PW_LIT("data_base64"), "stands beside 'data': one of the two");
    *event = kept;
    return PAWL_OK;
}

static pawl_code make_row(pw_message_row *row, const place *where, pw_value event,
                          const pw_message_row *common, pw_arena *arena, pawl_error *err)
{
    pawl_code code = check_message(where, &event, arena, err);
    if (code != PAWL_OK)
        return code;
    *row = *common;
    row->source = pw_get_text(event, "source");
    row->id = pw_get_text(event, "id");
    row->type = pw_get_text(event, "type");
    row->body = pw_json_text(arena, event, PW_JSON_COMPACT);
    if (!row->body.ptr)
        return pw_no_memory(err);
    if (row->body.len > MESSAGE_MAX)
        return refuse(where,
                      pw_fail_reason(err, PAWL_INVALID, PAWL_REASON_TOO_LARGE,
                                     "the message has %zu bytes; at most %d: send a reference to what is "
                                     "larger",
                                     row->body.len, MESSAGE_MAX),
                      err);
    return PAWL_OK;
}

static pawl_code make_rows(pw_publication *out, const char *events, const pw_message_row *common,
                           pw_arena *arena, pawl_error *err)
{
    pw_value all;
    const pw_json_limits limits = { .bytes = PW_JSON_INPUT_MAX };
    if (!events)
        return pw_fail(err, PAWL_INVALID, "publish: the messages are missing");
    if (strlen(events) > limits.bytes)
        return pw_fail_reason(err, PAWL_INVALID, PAWL_REASON_TOO_LARGE, "publish: %zu bytes; at most %zu", strlen(events),
                              limits.bytes);
    pawl_code code = pw_json_parse(&all, pw_str_of(events), &limits, arena, err);
    if (code != PAWL_OK)
        return pw_error_context(err, code, "publish");
    bool many = pw_is(all, PW_ARRAY);
    out->count = many ? all.count : 1;
    if (out->count == 0 || out->count > PW_PUBLISH_MAX)
        return pw_fail_reason(err, PAWL_INVALID, out->count ? PAWL_REASON_TOO_LARGE : PAWL_REASON_NONE,
                              "publish: %zu messages; 1 to %u at once", out->count, PW_PUBLISH_MAX);
    out->rows = PW_NEW_ARRAY(arena, pw_message_row, out->count);
    out->deliveries = PW_NEW_ARRAY(arena, uint32_t, out->count);
    if (!out->rows || !out->deliveries)
        return pw_no_memory(err);
    for (size_t i = 0; i < out->count && code == PAWL_OK; i++)
        code = make_row(&out->rows[i], &(place){ i, out->count }, many ? pw_item(all, i) : all,
                        common, arena, err);
    return code;
}

/* ------------------------------------------------------------------ the answer */

static pw_value row_answer(const pw_message_row *row, uint32_t deliveries, pw_arena *arena)
{
    static const char *const states[] = { [PW_MESSAGE_NEW] = "new",
                                          [PW_MESSAGE_DELIVERED] = "delivered",
                                          [PW_MESSAGE_KEPT] = "kept" };
    const pw_member members[] = {
        { PW_LIT("number"), pw_int((int64_t)row->number) },
        { PW_LIT("source"), pw_string_ref(row->source) },
        { PW_LIT("id"), pw_string_ref(row->id) },
        { PW_LIT("type"), pw_string_ref(row->type) },
        { PW_LIT("duplicate"), pw_bool(row->existed) },
        { PW_LIT("state"), pw_string_ref(pw_str_of(states[row->state])) },
        { PW_LIT("deliveries"), pw_int(deliveries) },
        { PW_LIT("kept"), pw_bool(row->state == PW_MESSAGE_KEPT) },
        { PW_LIT("expiresAt"), row->state == PW_MESSAGE_KEPT && !row->existed
                                   ? pw_string_ref(pw_moment_text(arena, row->expires_ms))
                                   : (pw_value){ 0 } },
    };
    return pw_object_of(arena, members, PW_LENGTH(members));
}

static pawl_code give_answer(char **out, const pw_publication *p, pw_arena *arena, pawl_error *err)
{
    pw_array_builder items = { .arena = arena };
    for (size_t i = 0; i < p->count; i++)
        pw_array_add(&items, row_answer(&p->rows[i], p->deliveries[i], arena));
    const pw_member answer[] = { { PW_LIT("messages"), pw_array_end(&items) } };
    pawl_code code = pw_give_json(out, pw_object_of(arena, answer, 1), arena, err);
    return code == PAWL_OK ? code
                           : pw_error_context(err, code, "publish: the messages are stored, but the "
                                                         "answer cannot be given");
}

/* ------------------------------------------------------------------ publish */

static pawl_code read_options(pw_message_row *common, const pawl_publish_options *given, pawl *p,
                              pawl_error *err)
{
    pawl_publish_options options = { .struct_size = sizeof options };
    if (given && given->struct_size == 0)
        return pw_fail(err, PAWL_INVALID,
                       "publish: struct_size is 0; set it to sizeof(pawl_publish_options)");
    if (given)
        memcpy(&options, given,
               given->struct_size < sizeof options ? given->struct_size : sizeof options);
    if (options.ttl_ms > TTL_MAX_MS)
        return pw_fail(err, PAWL_INVALID, "publish: ttl_ms must be at most %llu, ten years",
                       (unsigned long long)TTL_MAX_MS);
    pw_str actor = pw_str_of(options.actor);
    if (actor.len > NAME_MAX || !pw_utf8_valid(actor))
        return pw_fail(err, PAWL_INVALID, "publish: actor must be at most %d bytes of UTF-8",
                       NAME_MAX);
    int64_t now = pw_engine_now(p);
    uint64_t ttl = options.ttl_ms ? options.ttl_ms : PW_MESSAGE_TTL_MS;
    *common = (pw_message_row){ .actor = actor,
                                .received_ms = now,
                                .expires_ms =
                                    now > INT64_MAX - (int64_t)ttl ? INT64_MAX : now + (int64_t)ttl };
    return pw_random(&common->nonce, sizeof common->nonce, err);
}

pawl_code pawl_publish(pawl *p, const char *events, const pawl_publish_options *options, char **out,
                       pawl_error *err)
{
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_message_row common;
    pw_publication publication = { .count = 0 };
    pawl_error failure = { .code = PAWL_OK }; /* pw_error_context() needs one */
    code = read_options(&common, options, p, &failure);
    if (code == PAWL_OK)
        code = make_rows(&publication, events, &common, &arena, &failure);
    if (code == PAWL_OK && pw_engine_degraded(p, &failure))
        code = failure.code;
    if (code == PAWL_OK)
        code = pw_disk_allows(p, false, &failure);
    if (code == PAWL_OK)
        code = pw_reply_init(&publication.reply, &failure);
    if (code == PAWL_OK) {
        pw_router_publish(p->router, &publication);
        (void)pw_reply_wait(&publication.reply, UINT64_MAX);
        pw_reply_done(&publication.reply);
        code = publication.code;
        failure = publication.error;
        if (code == PAWL_OK && out)
            code = give_answer(out, &publication, &arena, &failure);
    }
    if (code != PAWL_OK && err)
        *err = failure;
    pw_arena_done(&arena);
    return code;
}
