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

#define FUNCTIONS "Jobs:Functions:"
enum { FUNCTION_NAME_MAX = 256 };

static const pw_key *of_functions(void)
{
    return &pw_keys[PW_LENGTH(pw_keys) - PW_KEYS_OF_FUNCTIONS];
}

static const char *member_of(const pw_key *key)
{
    return strrchr(key->path, ':') + 1;
}

/* "Jobs:Functions:NAME:MEMBER": a name may have colons in it. False: it is not of this form. */
static bool split_function(pw_str path, pw_str *name, pw_str *member)
{
    if (!pw_str_starts(path, PW_LIT(FUNCTIONS)))
        return false;
    const size_t from = sizeof FUNCTIONS - 1;
    const char *colon = memrchr(path.ptr + from, ':', path.len - from);
    if (!colon)
        return false;
    *name = (pw_str){ path.ptr + from, (size_t)(colon - path.ptr) - from };
    *member = (pw_str){ colon + 1, path.len - from - name->len - 1 };
    for (size_t i = 0; i < name->len; i++)
        if ((unsigned char)name->ptr[i] < ' ' || name->ptr[i] == 0x7f)
            return false;
    return name->len > 0 && name->len <= FUNCTION_NAME_MAX && pw_utf8_valid(*name);
}

const pw_key *pw_key_find(pw_str path, pw_str *function)
{
    *function = (pw_str){ "", 0 };
    pw_str name, member;
    if (split_function(path, &name, &member)) {
        for (size_t i = 0; i < PW_KEYS_OF_FUNCTIONS; i++) {
            if (pw_str_is(member, member_of(of_functions() + i))) {
                *function = name;
                return of_functions() + i;
            }
        }
        return NULL;
    }
    for (const pw_key *key = pw_keys; key < of_functions(); key++) {
        if (pw_str_is(path, key->path))
            return key;
    }
    return NULL;
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

pw_str pw_key_near(pw_str path, pw_arena *arena)
{
    pw_str text = pw_arena_str(arena, path), name, member;
    if (split_function(path, &name, &member)) {
        const char *members[PW_KEYS_OF_FUNCTIONS];
        for (size_t i = 0; i < PW_KEYS_OF_FUNCTIONS; i++)
            members[i] = member_of(of_functions() + i);
        text = pw_arena_str(arena, member);
        const char *near = pw_near(text.ptr, members, PW_LENGTH(members));
        return near ? pw_arena_printf(arena, FUNCTIONS PW_FMT ":%s", PW_ARG(name), near)
                    : (pw_str){ "", 0 };
    }
    const char *paths[PW_LENGTH(pw_keys)];
    for (size_t i = 0; i < PW_LENGTH(pw_keys); i++)
        paths[i] = pw_keys[i].path;
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
        return "string";
    case PW_KEY_SECRET:
        return "secret";
    case PW_KEY_ADDRESSES:
        return "addresses";
    case PW_KEY_BYTES:
        return "bytes";
    case PW_KEY_RATE:
        return "rate";
    }
    return "";
}
