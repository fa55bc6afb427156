/* members.c - the shapes of values and the names of members, and what to say when they are wrong.
 *
 * A finding names what was found, what would be right, and, for a name that nearly is one, the
 * nearest that is. */
#include "lang/lang_internal.h"

/* ---- the nearest name */

pw_nearest pw_nearest_to(pw_str wanted)
{
    return (pw_nearest){ .wanted = wanted, .distance = UINT32_MAX };
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

#define NEAR_MAX 40u /* longer names are not compared */

/* Changes from one to the other: a byte more, less, another, or two swapped (Damerau, 1964; case is
 * no change). */
static uint32_t distance(pw_str a, pw_str b)
{
    if (a.len > NEAR_MAX || b.len > NEAR_MAX)
        return UINT32_MAX;
    uint32_t rows[3][NEAR_MAX + 1];
    for (uint32_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (uint32_t i = 1; i <= a.len; i++) {
        uint32_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above_2 = rows[(i + 1) % 3];
        row[0] = i;
        for (uint32_t j = 1; j <= b.len; j++) {
            bool same = lower(a.ptr[i - 1]) == lower(b.ptr[j - 1]);
            uint32_t least = above[j - 1] + (same ? 0 : 1);
            if (above[j] + 1 < least)
                least = above[j] + 1;
            if (row[j - 1] + 1 < least)
                least = row[j - 1] + 1;
            if (i > 1 && j > 1 && lower(a.ptr[i - 1]) == lower(b.ptr[j - 2]) &&
                lower(a.ptr[i - 2]) == lower(b.ptr[j - 1]) && above_2[j - 2] + 1 < least)
                least = above_2[j - 2] + 1;
            row[j] = least;
        }
    }
    return rows[a.len % 3][b.len];
}

void pw_nearest_try(pw_load *load, pw_nearest *nearest, pw_str candidate)
{
    if (load->tries >= PW_TRIES_MAX)
        return;
    load->tries++;
    /* a third of the name may be wrong; of a short one, one letter */
    size_t most = (nearest->wanted.len + 2) / 3;
    if (most > 3)
        most = 3;
    if (candidate.len > nearest->wanted.len + most || candidate.len + most < nearest->wanted.len)
        return;
    uint32_t d = distance(nearest->wanted, candidate);
    if (d > most || d >= candidate.len || d >= nearest->distance)
        return;
    nearest->distance = d;
    nearest->best = candidate;
}

pw_str pw_nearest_hint(pw_load *load, const pw_nearest *nearest)
{
    if (nearest->distance == UINT32_MAX)
        return (pw_str){ "", 0 };
    pw_str shown = pw_lang_shown(load, nearest->best);
    return pw_arena_printf(&load->scratch, "; did you mean '" PW_FMT "'?", PW_ARG(shown));
}

/* ---- members */

void pw_lang_not_yet(pw_load *load, const pw_node *at, const pw_path *path, const char *what)
{
    pw_lang_found(load, PAWL_FINDING_NOT_SUPPORTED, at, path,
                  "`%s` is valid in the language but not in this release of pawl", what);
}

void pw_lang_members(pw_load *load, const pw_node *map, const pw_path *path, const pw_rule *rules,
                     size_t count)
{
    if (!map || map->kind != PW_NODE_MAP)
        return;
    for (uint32_t i = 0; i < map->count; i++) {
        const pw_node *key = map->pairs[i].key;
        const pw_rule *rule = NULL;
        pw_nearest nearest = pw_nearest_to(key->text);
        for (size_t j = 0; j < count && !rule; j++) {
            if (pw_str_is(key->text, rules[j].name))
                rule = &rules[j];
            else
                pw_nearest_try(load, &nearest, pw_str_of(rules[j].name));
        }
        if (rule && rule->later) {
            pw_lang_not_yet(load, key, PW_STEP_KEY(path, key), rule->later);
        } else if (!rule) {
            pw_str shown = pw_lang_shown(load, key->text);
            pw_str hint = pw_nearest_hint(load, &nearest);
            pw_lang_found(load, PAWL_FINDING_UNKNOWN_MEMBER, key, PW_STEP_KEY(path, key),
                          "unknown member '" PW_FMT "'" PW_FMT, PW_ARG(shown), PW_ARG(hint));
        }
    }
}

static const pw_pair *pair_of(const pw_node *map, const char *name)
{
    if (!map || map->kind != PW_NODE_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->count; i++) {
        if (pw_str_is(map->pairs[i].key->text, name))
            return &map->pairs[i];
    }
    return NULL;
}

const pw_node *pw_lang_get(const pw_node *map, const char *name)
{
    const pw_pair *pair = pair_of(map, name);
    return pair ? pair->value : NULL;
}

const pw_node *pw_lang_key(const pw_node *map, const char *name)
{
    const pw_pair *pair = pair_of(map, name);
    return pair ? pair->key : NULL;
}

const pw_node *pw_lang_require(pw_load *load, const pw_node *map, const pw_path *path,
                               const char *name)
{
    const pw_pair *pair = pair_of(map, name);
    if (pair)
        return pair->value;
    pw_lang_found(load, PAWL_FINDING_MISSING, map, path, "'%s' is missing", name);
    return NULL;
}

/* ---- shapes */

const char *pw_lang_type(const pw_node *node)
{
    switch ((pw_type)node->value.type) {
    case PW_NONE:
    case PW_NULL:
        return "nothing";
    case PW_FALSE:
    case PW_TRUE:
        return "a boolean";
    case PW_NUMBER:
        return "a number";
    case PW_STRING:
        return "a string";
    case PW_ARRAY:
        return "a list";
    case PW_OBJECT:
        return "an object";
    }
    return "nothing";
}

bool pw_lang_is_string(const pw_node *node)
{
    return node && pw_is(node->value, PW_STRING);
}

/* "'member'" of the last step, for messages. */
static pw_str name_of(pw_load *load, const pw_path *path)
{
    if (!path)
        return PW_LIT("the document");
    if (!path->key.ptr)
        return pw_arena_printf(&load->scratch, "item %u", path->index + 1);
    pw_str shown = pw_lang_shown(load, path->key);
    return pw_arena_printf(&load->scratch, "'" PW_FMT "'", PW_ARG(shown));
}

static bool wrong(pw_load *load, const pw_node *node, const pw_path *path, const char *wanted)
{
    pw_str name = name_of(load, path);
    pw_lang_found(load, PAWL_FINDING_TYPE, node, path, PW_FMT " must be %s, not %s", PW_ARG(name),
                  wanted, pw_lang_type(node));
    return false;
}

bool pw_lang_is_map(pw_load *load, const pw_node *node, const pw_path *path)
{
    if (!node)
        return false;
    return node->kind == PW_NODE_MAP || wrong(load, node, path, "an object");
}

bool pw_lang_is_list(pw_load *load, const pw_node *node, const pw_path *path)
{
    if (!node)
        return false;
    return node->kind == PW_NODE_LIST || wrong(load, node, path, "a list");
}

bool pw_lang_string(pw_load *load, const pw_node *node, const pw_path *path, pw_str *out)
{
    if (!node)
        return false;
    if (pw_lang_is_string(node)) {
        *out = node->text;
        return true;
    }
    if (node->kind == PW_NODE_SCALAR && !pw_is(node->value, PW_NULL)) {
        pw_str name = name_of(load, path), shown = pw_lang_shown(load, node->text);
        pw_lang_found(load, PAWL_FINDING_TYPE, node, path,
                      PW_FMT " must be a string, not %s: write \"" PW_FMT "\"", PW_ARG(name),
                      pw_lang_type(node), PW_ARG(shown));
        return false;
    }
    return wrong(load, node, path, "a string");
}

bool pw_lang_bool(pw_load *load, const pw_node *node, const pw_path *path, bool *out)
{
    if (!node)
        return false;
    if (!pw_is(node->value, PW_TRUE) && !pw_is(node->value, PW_FALSE))
        return wrong(load, node, path, "true or false");
    *out = pw_is(node->value, PW_TRUE);
    return true;
}

bool pw_lang_integer(pw_load *load, const pw_node *node, const pw_path *path, int64_t low,
                     int64_t high, int64_t *out)
{
    if (!node)
        return false;
    if (!pw_is(node->value, PW_NUMBER))
        return wrong(load, node, path, "an integer");
    int64_t value;
    if (!pw_integer(node->value, &value) || value < low || value > high) {
        pw_str name = name_of(load, path), shown = pw_lang_shown(load, node->text);
        if (high == INT64_MAX)
            pw_lang_error(load, node, path,
                          PW_FMT " must be an integer of at least %lld, not " PW_FMT, PW_ARG(name),
                          (long long)low, PW_ARG(shown));
        else
            pw_lang_error(load, node, path,
                          PW_FMT " must be an integer from %lld to %lld, not " PW_FMT, PW_ARG(name),
                          (long long)low, (long long)high, PW_ARG(shown));
        return false;
    }
    *out = value;
    return true;
}

/* ---- names */

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool pw_is_dns_label(pw_str s)
{
    if (s.len == 0 || s.len > PW_NAME_MAX || s.ptr[0] == '-' || s.ptr[s.len - 1] == '-')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_letter_or_digit(s.ptr[i]) && s.ptr[i] != '-')
            return false;
    }
    return true;
}

bool pw_is_identifier(pw_str s)
{
    if (s.len == 0 || (s.ptr[0] >= '0' && s.ptr[0] <= '9'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_letter_or_digit(s.ptr[i]) && s.ptr[i] != '_')
            return false;
    }
    return true;
}

static bool read_version_number(pw_str s, size_t *at, uint32_t *out)
{
    size_t start = *at;
    uint64_t value = 0;
    while (*at < s.len && s.ptr[*at] >= '0' && s.ptr[*at] <= '9') {
        value = value * 10 + (uint64_t)(s.ptr[*at] - '0');
        if (value > UINT32_MAX)
            return false;
        (*at)++;
    }
    if (*at == start || (s.ptr[start] == '0' && *at - start > 1))
        return false;
    *out = (uint32_t)value;
    return true;
}

/* Identifiers with dots between; of a prerelease, numbers have no leading zero. */
static bool are_identifiers(pw_str s, bool prerelease)
{
    size_t start = 0;
    for (size_t i = 0; i <= s.len; i++) {
        if (i < s.len && s.ptr[i] != '.') {
            if (!is_letter_or_digit(s.ptr[i]) && s.ptr[i] != '-')
                return false;
            continue;
        }
        bool number = true;
        for (size_t j = start; j < i; j++)
            number = number && s.ptr[j] >= '0' && s.ptr[j] <= '9';
        if (i == start || (prerelease && number && s.ptr[start] == '0' && i - start > 1))
            return false;
        start = i + 1;
    }
    return true;
}

bool pw_is_semver(pw_str s, uint32_t *major, uint32_t *minor, pw_str *prerelease)
{
    uint32_t patch;
    size_t at = 0;
    *prerelease = (pw_str){ 0 };
    if (!read_version_number(s, &at, major) || at >= s.len || s.ptr[at++] != '.' ||
        !read_version_number(s, &at, minor) || at >= s.len || s.ptr[at++] != '.' ||
        !read_version_number(s, &at, &patch))
        return false;
    if (at < s.len && s.ptr[at] == '-') {
        size_t start = ++at;
        while (at < s.len && s.ptr[at] != '+')
            at++;
        *prerelease = (pw_str){ s.ptr + start, at - start };
        if (!are_identifiers(*prerelease, true))
            return false;
    }
    if (at < s.len && s.ptr[at] == '+')
        return are_identifiers((pw_str){ s.ptr + at + 1, s.len - at - 1 }, false);
    return at == s.len;
}

pw_named *pw_lang_find(pw_load *load, pw_names *names, const pw_node *node, const pw_path *path)
{
    int64_t at;
    if (pw_integer(pw_get(names->index, node->text), &at)) {
        names->items[at].used = true;
        return &names->items[at];
    }
    pw_nearest nearest = pw_nearest_to(node->text);
    for (uint32_t i = 0; i < names->count && load->tries < PW_TRIES_MAX; i++)
        pw_nearest_try(load, &nearest, names->items[i].key->text);
    pw_str shown = pw_lang_shown(load, node->text), hint = pw_nearest_hint(load, &nearest);
    if (node->text.len > 0 && node->text.ptr[0] == '$')
        hint = PW_LIT("; a name is no expression");
    pw_lang_found(load, PAWL_FINDING_UNKNOWN_NAME, node, path,
                  "no %s named '" PW_FMT "' in 'use.%s'" PW_FMT, names->what, PW_ARG(shown),
                  names->member, PW_ARG(hint));
    return NULL;
}
