/* keys.c - the table of keys, and how a path finds its key. */
#include "config/keys.h"
#include "base/near.h"

const pw_key pw_keys[] = {
#define KEY(path, type, fallback, least, most, effect, words)                                      \
    { path, PW_KEY_##type, fallback, least, most, PW_KEY_##effect, words },
    PW_KEYS(KEY)
#undef KEY
};
const size_t pw_key_count = PW_LENGTH(pw_keys);

enum { NAME_MAX_BYTES = 256 };

bool pw_key_is_named(const pw_key *key)
{
    return strchr(key->path, '*') != NULL;
}

pw_str pw_key_head(const pw_key *key)
{
    return (pw_str){ key->path, strcspn(key->path, "*") };
}

pw_str pw_key_tail(const pw_key *key)
{
    const char *star = strrchr(key->path, '*');
    return pw_str_of(star ? star + 1 : "");
}

bool pw_key_is_row(const pw_key *key)
{
    return key->type == PW_KEY_DECISION;
}

static bool is_name(pw_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
            return false;
    return name.len <= NAME_MAX_BYTES && pw_utf8_valid(name);
}

/* A name may have colons in it. */
static bool fits(const pw_key *key, pw_str path, pw_str *name)
{
    const pw_str head = pw_key_head(key), tail = pw_key_tail(key);
    if (!pw_str_starts(path, head) || path.len <= head.len + tail.len)
        return false;
    const pw_str middle = { path.ptr + head.len, path.len - head.len - tail.len };
    if (!pw_str_eq((pw_str){ middle.ptr + middle.len, tail.len }, tail) || !is_name(middle))
        return false;
    *name = middle;
    return true;
}

const pw_key *pw_key_find(pw_str path, pw_str *name)
{
    *name = (pw_str){ "", 0 };
    for (const pw_key *key = pw_keys; key < pw_keys + PW_LENGTH(pw_keys); key++) {
        if (pw_key_is_named(key) ? fits(key, path, name) : pw_str_is(path, key->path))
            return key;
    }
    return NULL;
}

bool pw_key_takes_names(pw_str path)
{
    for (size_t i = 0; i < PW_LENGTH(pw_keys); i++) {
        const pw_str head = pw_key_head(&pw_keys[i]);
        if (pw_key_is_named(&pw_keys[i]) && head.len == path.len + 1 && pw_str_starts(head, path))
            return true;
    }
    return false;
}

bool pw_key_is_section(pw_str path)
{
    for (size_t i = 0; i < PW_LENGTH(pw_keys); i++) {
        const char *known = pw_keys[i].path;
        if (path.len > 0 && path.len < strlen(known) && memcmp(known, path.ptr, path.len) == 0 &&
            known[path.len] == ':')
            return true;
    }
    return false;
}

/* The section of "HEAD:NAME:MEMBER" whose names are the user's; NULL: the path is in none. */
static const pw_key *named_section(pw_str path)
{
    for (size_t i = 0; i < PW_LENGTH(pw_keys); i++) {
        if (pw_key_tail(&pw_keys[i]).len > 0 && pw_str_starts(path, pw_key_head(&pw_keys[i])))
            return &pw_keys[i];
    }
    return NULL;
}

/* Of "Jobs:Functions:NAME:MEMBER" what the member was to be. */
static pw_str near_member(pw_str path, const pw_key *section, pw_arena *arena)
{
    const char *members[PW_LENGTH(pw_keys)], *colon = memrchr(path.ptr, ':', path.len);
    const pw_str head = pw_key_head(section);
    size_t count = 0;
    for (const pw_key *key = section;
         key < pw_keys + PW_LENGTH(pw_keys) && pw_str_eq(pw_key_head(key), head); key++)
        members[count++] = strrchr(key->path, ':') + 1;
    pw_str before = { path.ptr, (size_t)(colon - path.ptr) + 1 };
    pw_str member = pw_arena_str(arena, (pw_str){ colon + 1, path.len - before.len });
    const char *near = member.ptr && before.len > head.len ? pw_near(member.ptr, members, count) : NULL;
    return near ? pw_arena_printf(arena, PW_FMT "%s", PW_ARG(before), near) : (pw_str){ "", 0 };
}

pw_str pw_key_near(pw_str path, pw_arena *arena)
{
    const pw_key *section = named_section(path);
    if (section)
        return near_member(path, section, arena);
    const char *paths[PW_LENGTH(pw_keys)];
    for (size_t i = 0; i < PW_LENGTH(pw_keys); i++)
        paths[i] = pw_keys[i].path;
    pw_str text = pw_arena_str(arena, path);
    return pw_str_of(text.ptr ? pw_near(text.ptr, paths, PW_LENGTH(paths)) : NULL);
}

const char *pw_key_type_name(pw_key_type type)
{
    switch (type) {
    case PW_KEY_DURATION:
        return "duration";
    case PW_KEY_COUNT:
        return "count";
    case PW_KEY_FLAG:
        return "flag";
    case PW_KEY_STRING:
    case PW_KEY_LEVELS:
        return "string";
    case PW_KEY_SECRET:
    case PW_KEY_HIDDEN:
        return "secret";
    case PW_KEY_ADDRESSES:
        return "addresses";
    case PW_KEY_BYTES:
        return "bytes";
    case PW_KEY_RATE:
        return "rate";
    case PW_KEY_LIST:
        return "list";
    case PW_KEY_OUTCOME:
    case PW_KEY_FORMAT:
    case PW_KEY_SINK:
    case PW_KEY_MODE:
    case PW_KEY_DECISION:
        return "choice";
    }
    return "";
}

const char *pw_key_choices(pw_key_type type)
{
    switch ((int)type) {
    case PW_KEY_OUTCOME:
        return "resend|ask|fault";
    case PW_KEY_FORMAT:
        return "auto|json|human|journal";
    case PW_KEY_SINK:
        return "http|file|nats";
    case PW_KEY_MODE:
        return "structured|binary";
    case PW_KEY_DECISION:
        return "retry|retry-at-once|incident|suspend|error";
    default:
        return NULL;
    }
}
