/* read.c - from the tree of a file to paths. Names are joined with colons, so "Server": {"Tls":
 * {"Key": ...}} and "Server:Tls:Key": ... are the same, and both in one file are twice the same
 * key. */
#include "config/read_internal.h"

pawl_code pw_config_node_add(pw_config_node *parent, pw_config_node *child, pawl_error *err)
{
    if (++parent->count > PW_CONFIG_SETTINGS_MAX)
        return pw_fail(err, PAWL_INVALID, "more than %d members in one place",
                       (int)PW_CONFIG_SETTINGS_MAX);
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    return PAWL_OK;
}

static void add(pw_entries *entries, pw_str path, pw_given given, pw_str text, uint32_t line)
{
    if (entries->count == entries->size) {
        const size_t size = entries->size ? entries->size * 2 : 64;
        entries->items =
            pw_arena_grow(entries->arena, entries->items, entries->size * sizeof *entries->items,
                          size * sizeof *entries->items);
        entries->size = size;
    }
    if (!text.ptr) /* of a section */
        text = (pw_str){ "", 0 };
    entries->items[entries->count++] = (pw_entry){ path, given, text, line };
}

/* Strings with commas between them. A comma inside of one would be read as two. */
static void add_list(pw_entries *entries, pw_str path, const pw_config_node *list)
{
    pw_buf buf;
    pw_buf_init(&buf, PW_CONFIG_BYTES_MAX);
    bool strings = true;
    for (const pw_config_node *item = list->first; item; item = item->next) {
        strings = strings && item->given == PW_GIVEN_STRING && item->text.len > 0 &&
                  !memchr(item->text.ptr, ',', item->text.len);
        if (item != list->first)
            pw_buf_char(&buf, ',');
        if (item->given != PW_GIVEN_LIST && item->given != PW_GIVEN_SECTION)
            pw_buf_str(&buf, item->text);
    }
    if (buf.failed) {
        pw_buf_done(&buf);
        (void)pw_arena_fail(entries->arena, false); /* jumps */
        return;
    }
    pw_str text = pw_arena_str(entries->arena, pw_buf_view(&buf));
    pw_buf_done(&buf);
    add(entries, path, strings ? PW_GIVEN_LIST : PW_GIVEN_OTHER_LIST, text, list->line);
}

static pw_str join(pw_arena *arena, pw_str prefix, pw_str name)
{
    const size_t colon = prefix.len > 0;
    char *path = pw_arena_alloc(arena, prefix.len + colon + name.len + 1);
    if (prefix.len)
        memcpy(path, prefix.ptr, prefix.len);
    if (colon)
        path[prefix.len] = ':';
    if (name.len)
        memcpy(path + prefix.len + colon, name.ptr, name.len);
    const size_t len = prefix.len + colon + name.len;
    path[len] = '\0';
    return (pw_str){ path, len };
}

static bool is_section(pw_str path, pw_str prefix)
{
    return pw_key_takes_names(prefix) || pw_key_is_section(path);
}

static void flatten(pw_entries *entries, const pw_config_node *section, pw_str prefix)
{
    for (const pw_config_node *node = section->first; node; node = node->next) {
        if (prefix.len == 0 && pw_str_is(node->name, "$schema"))
            continue; /* for editors */
        pw_str path = join(entries->arena, prefix, node->name);
        if (node->given == PW_GIVEN_LIST)
            add_list(entries, path, node);
        else if (!is_section(path, prefix))
            add(entries, path, node->given, node->text, node->line);
        else if (node->given == PW_GIVEN_SECTION)
            flatten(entries, node, path);      /* as deep as the file: bounded by its reader */
        else if (node->given != PW_GIVEN_NULL) /* a section whose keys are all commented out */
            add(entries, path, node->given, node->text, node->line);
    }
}

static pw_str without_mark(pw_str text)
{
    const bool marked = text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0;
    return marked ? (pw_str){ text.ptr + 3, text.len - 3 } : text;
}

static uint32_t line_of(pw_str text, size_t at)
{
    uint32_t line = 1;
    for (size_t i = 0; i < at && i < text.len; i++)
        line += text.ptr[i] == '\n';
    return line;
}

pawl_code pw_config_read(pw_entries *out, pw_str text, uint32_t *line, pawl_error *err)
{
    *line = 0;
    text = without_mark(text);
    if (text.len > PW_CONFIG_BYTES_MAX)
        return pw_fail(err, PAWL_INVALID, "it is larger than %d MiB", PW_CONFIG_BYTES_MAX >> 20);
    const size_t valid = pw_utf8_valid_length(text);
    if (valid < text.len) {
        *line = line_of(text, valid);
        return pw_fail(err, PAWL_INVALID, "it is not UTF-8 text");
    }
    size_t at = 0;
    while (at < text.len && strchr(" \t\r\n", text.ptr[at]))
        at++;
    pw_config_node *root = NULL;
    pawl_code code = at < text.len && text.ptr[at] == '{'
                         ? pw_config_read_json(&root, text, out->arena, line, err)
                         : pw_config_read_yaml(&root, text, out->arena, line, err);
    if (code != PAWL_OK)
        return code;
    if (!root || root->given == PW_GIVEN_NULL)
        return PAWL_OK; /* nothing but comments: all defaults */
    if (root->given != PW_GIVEN_SECTION) {
        *line = root->line;
        return pw_fail(err, PAWL_INVALID,
                       "the whole must be a mapping of sections, like Server: {...}");
    }
    flatten(out, root, (pw_str){ "", 0 });
    return PAWL_OK;
}
