/* tokens.c - identities: tokens made, looked up and revoked; and keys under which something was asked for once.
 *
 * The token itself is told once and never kept: the store has its SHA-256. Who comes with one is looked up by that, in
 * memory first: a table of one place for each of so many digests, which forgets all when a token is revoked here,
 * and each after a few seconds where another process may revoke it. */
#include "engine/engine.h"
#include "base/json.h"

enum {
    NAME_MAX = 256,     /* bytes of an identity, a group, a namespace */
    NOTE_MAX = 1024,
    ROLES_MAX = 100,
    GROUPS_MAX = 100,
    TOKEN_BYTES = 32,
    TOKEN_LENGTH = 48,  /* "pawl_" and 43 characters of base64url */
    PLACES = 1024,
    KEPT_MAX = 4096,    /* bytes of one that is kept in memory: 4 MiB in all */
};

#define KEPT_NS UINT64_C(5000000000) /* where others may revoke */

typedef struct place {
    pw_digest digest;
    char *text;          /* NULL: empty */
    int64_t expires_ms;  /* -1: never */
    uint64_t until_ns;
} place;

struct pw_tokens {
    pthread_mutex_t lock;
    uint64_t revoked; /* how often something was: what was read before is not to be kept */
    place places[PLACES];
};

pawl_code pw_tokens_new(pw_tokens **out, pawl_error *err)
{
    pw_tokens *t = pw_zalloc(sizeof *t);
    if (!t)
        return pw_no_memory(err);
    int failed = pthread_mutex_init(&t->lock, NULL);
    if (failed) {
        pw_free(t);
        return pw_fail_native(err, PAWL_NO_MEMORY, failed, "out of memory");
    }
    *out = t;
    return PAWL_OK;
}

static void forget_all(pw_tokens *t)
{
    for (size_t i = 0; i < PLACES; i++) {
        pw_free(t->places[i].text);
        t->places[i].text = NULL;
    }
}

void pw_tokens_free(pw_tokens *t)
{
    if (!t)
        return;
    forget_all(t);
    (void)pthread_mutex_destroy(&t->lock);
    pw_free(t);
}

/* ------------------------------------------------------------------ as JSON */

static pawl_code principal_value(pw_value *out, const pw_principal *row, pw_arena *arena, pawl_error *err)
{
    pw_object_builder object = { .arena = arena };
    pw_show_text(&object, "id", row->id);
    pw_show_text(&object, "name", row->name);
    pawl_code code = pw_show_json(&object, "roles", row->roles, err);
    if (code == PAWL_OK)
        code = pw_show_json(&object, "groups", row->groups, err);
    pw_show_text(&object, "note", row->note);
    pw_show_moment(&object, "createdAt", row->created_ms);
    pw_show_text(&object, "createdBy", row->created_by);
    pw_show_moment(&object, "expiresAt", row->expires_ms);
    pw_show_moment(&object, "revokedAt", row->revoked_ms);
    pw_show_text(&object, "revokedBy", row->revoked_by);
    *out = pw_object_end(&object);
    return code;
}

/* ------------------------------------------------------------------ making */

static pawl_code read_roles(pw_str *out, const char *text, pw_arena *arena, pawl_error *err)
{
    static const char *const known[] = { "viewer", "worker", "starter", "operator", "admin" };
    pw_value list = { 0 };
    if (!text)
        return pw_fail(err, PAWL_INVALID, "token_create: roles are missing: [{\"role\":\"viewer\",\"namespace\":\"*\"}]");
    pawl_code code = pw_json_parse(&list, pw_str_of(text), NULL, arena, err);
    if (code != PAWL_OK)
        return pw_error_context(err, code, "token_create: roles");
    if (!pw_is(list, PW_ARRAY) || list.count == 0 || list.count > ROLES_MAX)
        return pw_fail(err, PAWL_INVALID, "token_create: roles must be an array of 1 to %d {\"role\",\"namespace\"}",
                       ROLES_MAX);
    for (uint32_t i = 0; i < list.count; i++) {
        pw_value item = pw_item(list, i);
        pw_str role = pw_get_text(item, "role"), namespace_ = pw_get_text(item, "namespace");
        size_t at = 0;
        while (at < PW_LENGTH(known) && !pw_str_is(role, known[at]))
            at++;
        if (at == PW_LENGTH(known))
            return pw_fail(err, PAWL_INVALID, "token_create: role %u is viewer, worker, starter, operator or admin", i + 1);
        if (!namespace_.len || namespace_.len > NAME_MAX || item.count != 2)
            return pw_fail(err, PAWL_INVALID, "token_create: role %u needs a namespace, or \"*\" for all, and nothing else",
                           i + 1);
    }
    *out = pw_json_text(arena, list, PW_JSON_COMPACT);
    return out->ptr ? PAWL_OK : pw_no_memory(err);
}

/* It will stand in logs and headers. */
static pawl_code check_name(pw_str *out, const char *text, const char *what, pawl_error *err)
{
    pawl_code code = pw_text_check(out, text, what, NAME_MAX, true, err);
    for (size_t i = 0; code == PAWL_OK && i < out->len; i++)
        if ((unsigned char)out->ptr[i] < ' ' || out->ptr[i] == 0x7f)
            code = pw_fail(err, PAWL_INVALID, "%s holds a control character", what);
    return code;
}

static pawl_code read_groups(pw_str *out, const pawl_token_options *options, pw_arena *arena, pawl_error *err)
{
    pw_array_builder list = { .arena = arena };
    if (options->group_count > GROUPS_MAX || (options->group_count && !options->groups))
        return pw_fail(err, PAWL_INVALID, "token_create: groups are %zu; at most %d", options->group_count, GROUPS_MAX);
    pawl_code code = PAWL_OK;
    for (size_t i = 0; i < options->group_count && code == PAWL_OK; i++) {
        pw_str group;
        code = check_name(&group, options->groups[i], "token_create: a group", err);
        pw_array_add(&list, pw_string_ref(group));
    }
    if (code != PAWL_OK || options->group_count == 0)
        return code;
    *out = pw_json_text(arena, pw_array_end(&list), PW_JSON_COMPACT);
    return out->ptr ? PAWL_OK : pw_no_memory(err);
}

static void write_token(char out[TOKEN_LENGTH + 1], const uint8_t bytes[TOKEN_BYTES])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    memcpy(out, "pawl_", 5);
    uint32_t held = 0;
    unsigned bits = 0;
    size_t at = 5;
    for (size_t i = 0; i < TOKEN_BYTES; i++) {
        held = held << 8 | bytes[i];
        for (bits += 8; bits >= 6; bits -= 6)
            out[at++] = digits[held >> (bits - 6) & 63];
    }
    out[at++] = digits[held << (6 - bits) & 63];
    PW_ASSERT(at == TOKEN_LENGTH);
    out[at] = '\0';
}

typedef struct fresh {
    char token[TOKEN_LENGTH + 1];
    char id[PW_ID_SIZE], digest[PW_DIGEST_HEX_SIZE];
    pw_principal row;
} fresh;

static pawl_code make(pawl *p, fresh *out, const pawl_token_options *given, const char *actor, pw_arena *arena,
                      pawl_error *err)
{
    pawl_token_options options;
    uint8_t random[TOKEN_BYTES], random_id[10];
    pw_principal *row = &out->row;
    *row = (pw_principal){ .created_ms = pw_engine_now(p), .expires_ms = -1, .revoked_ms = -1 };
    pawl_code code = pw_options_take(&options, sizeof options, given, true, "pawl_token_options", err);
    if (code == PAWL_OK)
        code = check_name(&row->name, options.name, "token_create: name", err);
    if (code == PAWL_OK)
        code = pw_text_check(&row->note, options.note, "token_create: note", NOTE_MAX, false, err);
    if (code == PAWL_OK)
        code = pw_text_check(&row->created_by, actor, "token_create: actor", NAME_MAX, false, err);
    if (code == PAWL_OK)
        code = read_roles(&row->roles, options.roles, arena, err);
    if (code == PAWL_OK)
        code = read_groups(&row->groups, &options, arena, err);
    if (code == PAWL_OK && options.expires_ms != 0 && options.expires_ms <= row->created_ms)
        code = pw_fail(err, PAWL_INVALID, "token_create: it would have expired already");
    if (code == PAWL_OK)
        code = pw_random(random, sizeof random, err);
    if (code == PAWL_OK)
        code = pw_random(random_id, sizeof random_id, err);
    if (code != PAWL_OK)
        return code;
    if (options.expires_ms)
        row->expires_ms = options.expires_ms;
    write_token(out->token, random);
    explicit_bzero(random, sizeof random);
    pw_id_of_time(out->id, (uint64_t)row->created_ms, random_id);
    pw_digest digest = pw_digest_of_text(pw_str_of(out->token));
    pw_digest_hex(out->digest, &digest);
    row->id = pw_str_of(out->id);
    row->digest = pw_str_of(out->digest);
    return PAWL_OK;
}

/* A write that may have come to nothing, or not. */
static pawl_code wrote(pawl *p, pawl_code code, const pawl_error *error, pawl_error *err)
{
    if (code == PAWL_IO)
        pw_committer_suspect(p->committer, error);
    if (code != PAWL_OK && err)
        *err = *error;
    return code;
}

pawl_code pawl_token_create(pawl *p, const pawl_token_options *options, const char *actor, char **token, char **out,
                            pawl_error *err)
{
    pawl_code code = pw_engine_may_write(p, err);
    if (code != PAWL_OK)
        return code;
    if (!token)
        return pw_fail(err, PAWL_INVALID, "token_create: token is NULL, and could never be had again");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    fresh made;
    pw_value about = { 0 };
    char *text = NULL, *secret = NULL; /* both before the commit: what is committed must be told */
    pawl_error error = { .code = PAWL_OK };
    code = make(p, &made, options, actor, &arena, err);
    if (code == PAWL_OK)
        code = principal_value(&about, &made.row, &arena, err);
    if (code == PAWL_OK)
        code = pw_give_json(&text, about, &arena, err);
    if (code == PAWL_OK && !(secret = pw_strdup(pw_str_of(made.token))))
        code = pw_no_memory(err);
    if (code == PAWL_OK)
        code = wrote(p, pw_store_principal_put(p->store, &made.row, &error), &error, err);
    explicit_bzero(made.token, sizeof made.token);
    if (code == PAWL_OK) {
        *token = secret;
        secret = NULL;
        if (out) {
            *out = text;
            text = NULL;
        }
    }
    pw_free(secret);
    pw_free(text);
    pw_arena_done(&arena);
    return code;
}

/* ------------------------------------------------------------------ all of them */

pawl_code pawl_tokens(pawl *p, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "tokens: the pawl or out is NULL");
    pw_arena arena;
    pw_arena_init(&arena, 0);
    pw_principal *rows = NULL;
    size_t count = 0;
    pw_array_builder list = { .arena = &arena };
    pawl_code code = pw_store_principals(p->store, &rows, &count, &arena, err);
    for (size_t i = 0; i < count && code == PAWL_OK; i++) {
        pw_value one = { 0 };
        code = principal_value(&one, &rows[i], &arena, err);
        pw_array_add(&list, one);
    }
    if (code == PAWL_OK) {
        const pw_member members[] = { { PW_LIT("tokens"), pw_array_end(&list) } };
        code = pw_give_json(out, pw_object_of(&arena, members, 1), &arena, err);
    }
    pw_arena_done(&arena);
    return code;
}

pawl_code pawl_token_revoke(pawl *p, const char *id, const char *actor, pawl_error *err)
{
    pw_str token, by;
    pawl_error error = { .code = PAWL_OK };
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK)
        code = pw_text_check(&token, id, "token_revoke: id", NAME_MAX, true, err);
    if (code == PAWL_OK)
        code = pw_text_check(&by, actor, "token_revoke: actor", NAME_MAX, false, err);
    if (code != PAWL_OK)
        return code;
    code = wrote(p, pw_store_principal_revoke(p->store, token, by, pw_engine_now(p), &error), &error, err);
    (void)pthread_mutex_lock(&p->tokens->lock); /* also when nobody knows whether it is */
    p->tokens->revoked++;
    forget_all(p->tokens);
    (void)pthread_mutex_unlock(&p->tokens->lock);
    return pw_because(err, code, PAWL_NOT_FOUND, PAWL_REASON_BAD_TOKEN);
}

/* ------------------------------------------------------------------ who is that */

static place *place_of(pw_tokens *t, const pw_digest *digest)
{
    return &t->places[(digest->bytes[0] | (unsigned)digest->bytes[1] << 8) % PLACES];
}

/* *text NULL: not known here. */
static pawl_code recall(pawl *p, const pw_digest *digest, char **text, uint64_t *revoked, pawl_error *err)
{
    pw_tokens *t = p->tokens;
    pawl_code code = PAWL_OK;
    *text = NULL;
    (void)pthread_mutex_lock(&t->lock);
    const place *at = place_of(t, digest);
    *revoked = t->revoked;
    bool known = at->text && memcmp(&at->digest, digest, sizeof *digest) == 0 && pw_monotonic_ns() < at->until_ns &&
                 (at->expires_ms < 0 || at->expires_ms > pw_engine_now(p));
    if (known && !(*text = pw_strdup(pw_str_of(at->text))))
        code = pw_no_memory(err);
    (void)pthread_mutex_unlock(&t->lock);
    return code;
}

/* Without memory it is looked up again. */
static void remember(pawl *p, const pw_digest *digest, const char *text, int64_t expires_ms, uint64_t revoked)
{
    pw_tokens *t = p->tokens;
    char *copy = strlen(text) <= KEPT_MAX ? pw_strdup(pw_str_of(text)) : NULL;
    if (!copy)
        return;
    (void)pthread_mutex_lock(&t->lock);
    if (revoked == t->revoked) {
        place *at = place_of(t, digest);
        pw_free(at->text);
        *at = (place){ .digest = *digest,
                       .text = copy,
                       .expires_ms = expires_ms,
                       .until_ns = p->leases && pw_leases_exclusive(p->leases) ? UINT64_MAX : pw_monotonic_ns() + KEPT_NS };
        copy = NULL;
    }
    (void)pthread_mutex_unlock(&t->lock);
    pw_free(copy);
}

static pawl_code nobody(pawl_error *err)
{
    return pw_fail_reason(err, PAWL_DENIED, PAWL_REASON_BAD_TOKEN, "the token is not known, was revoked, or has expired");
}

static pawl_code look_up(pawl *p, const pw_digest *digest, uint64_t revoked, char **out, pawl_error *err)
{
    char hex[PW_DIGEST_HEX_SIZE];
    pw_arena arena;
    pw_principal row = { 0 };
    pw_value about = { 0 };
    pw_digest_hex(hex, digest);
    pw_arena_init(&arena, 0);
    pawl_code code = pw_store_principal_get(p->store, pw_str_of(hex), &row, &arena, err);
    if (code == PAWL_NOT_FOUND ||
        (code == PAWL_OK && (row.revoked_ms >= 0 || (row.expires_ms >= 0 && row.expires_ms <= pw_engine_now(p)))))
        code = nobody(err);
    if (code == PAWL_OK)
        code = principal_value(&about, &row, &arena, err);
    if (code == PAWL_OK)
        code = pw_give_json(out, about, &arena, err);
    if (code == PAWL_OK)
        remember(p, digest, *out, row.expires_ms, revoked);
    pw_arena_done(&arena);
    return code;
}

pawl_code pawl_authenticate(pawl *p, const char *token, char **out, pawl_error *err)
{
    if (!p || !out)
        return pw_fail(err, PAWL_INVALID, "authenticate: the pawl or out is NULL");
    if (!token || strlen(token) != TOKEN_LENGTH || memcmp(token, "pawl_", 5) != 0)
        return nobody(err);
    uint64_t revoked = 0;
    pw_digest digest = pw_digest_of_text(pw_str_of(token));
    char *text = NULL;
    pawl_code code = recall(p, &digest, &text, &revoked, err);
    if (code == PAWL_OK && !text)
        code = look_up(p, &digest, revoked, &text, err);
    if (code == PAWL_OK)
        *out = text;
    return code;
}

/* ------------------------------------------------------------------ once */

pawl_code pawl_once(pawl *p, const char *actor, const char *key, const char *digest, int *seen, pawl_error *err)
{
    pw_str who, what, of;
    bool before = false;
    pawl_error error = { .code = PAWL_OK };
    pawl_code code = pw_engine_may_write(p, err);
    if (code == PAWL_OK)
        code = pw_text_check(&who, actor, "once: actor", NAME_MAX, false, err);
    if (code == PAWL_OK)
        code = pw_text_check(&what, key, "once: idempotency key", NAME_MAX, true, err);
    if (code == PAWL_OK)
        code = pw_text_check(&of, digest, "once: digest", NAME_MAX, true, err);
    if (code != PAWL_OK)
        return code;
    code = wrote(p, pw_store_request_put(p->store, who, what, of, pw_engine_now(p), &before, &error), &error, err);
    if (code == PAWL_OK && seen)
        *seen = before;
    return pw_because(err, code, PAWL_CONFLICT, PAWL_REASON_REQUEST_REUSED);
}
