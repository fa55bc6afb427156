/* tree.c - events of a reader become nodes.
 *
 * All the bounds of reading are here: depth, values with aliases written out, keys given twice.
 * An alias shares its anchor's node, so that only its weight grows, never the memory; a document
 * too heavy to be walked or written out is refused before anybody does. */
#include "lang/lang_internal.h"

struct pw_frame { /* an open list or map */
    pw_node *node;
    const pw_node **items;
    pw_pair *pairs;
    uint32_t count, size;
    const pw_node *key; /* read, its value not yet */
    bool expects_value;
    uint32_t anchor; /* of the list or map, in load->anchors; UINT32_MAX: none */
    pw_path step;    /* for findings */
};

struct pw_anchor {
    const pw_node *node; /* NULL: still open */
};

void pw_tree_reset(pw_load *load)
{
    if (!load->frames)
        load->frames = PW_NEW_ARRAY(&load->scratch, pw_frame, PW_LANG_DEPTH_MAX);
    load->depth = 0;
    load->root = NULL;
    load->anchor_index = (pw_index){ 0 };
    load->anchor_count = 0;
    load->weight = 0;
}

static const pw_path *here(pw_load *load)
{
    /* the frames' steps, linked as a path: frame 0 is the root and has no step of its own */
    const pw_path *path = NULL;
    for (uint32_t i = 0; i < load->depth; i++) {
        pw_frame *frame = &load->frames[i];
        if (frame->node->kind == PW_NODE_MAP && !frame->key)
            break;
        frame->step = (pw_path){ .up = path };
        if (frame->node->kind == PW_NODE_MAP)
            frame->step.key = frame->key->text;
        else
            frame->step.index = frame->count;
        path = &frame->step;
    }
    return path;
}

static bool too_heavy(pw_load *load, uint64_t more, uint32_t at)
{
    load->weight += more;
    if (load->weight <= PW_LANG_VALUES_MAX)
        return false;
    pw_lang_report(load, PAWL_FINDING_TOO_LARGE, at, NULL,
                   "the document has more than %u values when its aliases are written out",
                   PW_LANG_VALUES_MAX);
    return true;
}

static void push(pw_load *load, pw_frame *frame, const pw_node *node)
{
    if (frame->count == frame->size) {
        uint32_t size = frame->size ? frame->size * 2 : 8;
        size_t each = frame->node->kind == PW_NODE_LIST ? sizeof(const pw_node *) : sizeof(pw_pair);
        void *old = frame->node->kind == PW_NODE_LIST ? (void *)frame->items : (void *)frame->pairs;
        void *new = pw_arena_grow(&load->scratch, old, frame->size * each, size * each);
        if (frame->node->kind == PW_NODE_LIST)
            frame->items = new;
        else
            frame->pairs = new;
        frame->size = size;
    }
    if (frame->node->kind == PW_NODE_LIST)
        frame->items[frame->count++] = node;
    else
        frame->pairs[frame->count++] = (pw_pair){ frame->key, node };
}

/* Puts a finished value where it belongs. */
static bool add(pw_load *load, const pw_node *node, uint32_t at)
{
    if (load->depth == 0) {
        load->root = node;
        return true;
    }
    pw_frame *frame = &load->frames[load->depth - 1];
    if (frame->node->kind == PW_NODE_MAP && !frame->expects_value) {
        if (node->kind != PW_NODE_SCALAR) {
            pw_lang_report(load, PAWL_FINDING_TYPE, at, here(load),
                           "a key must be a string, not %s", pw_lang_type(node));
            return false;
        }
        frame->key = node;
        frame->expects_value = true;
        return true;
    }
    push(load, frame, node);
    if (node->expressive)
        frame->node->expressive = true;
    if (node->kind != PW_NODE_SCALAR && node->height + 1 > frame->node->height)
        frame->node->height = (uint16_t)(node->height + 1);
    frame->node->weight += node->weight;
    frame->key = NULL;
    frame->expects_value = false;
    return true;
}

/* A name may be given again: an alias means the last one before it. */
static uint32_t define(pw_load *load, pw_str name, const pw_node *node)
{
    if (!name.ptr)
        return UINT32_MAX;
    if (load->anchor_count == load->anchor_size) {
        uint32_t size = load->anchor_size ? load->anchor_size * 2 : 16;
        load->anchors =
            pw_arena_grow(&load->scratch, load->anchors, load->anchor_size * sizeof *load->anchors,
                          size * sizeof *load->anchors);
        load->anchor_size = size;
    }
    uint32_t at = load->anchor_count++;
    load->anchors[at].node = node;
    uint32_t *known = pw_index_find(&load->anchor_index, name);
    if (known)
        *known = at;
    else
        (void)pw_index_add(load, &load->anchor_index, pw_arena_str(&load->scratch, name), at, &at);
    return at;
}

/* ---- scalars and aliases */

/* ${ ... } somewhere, or what somebody may have meant to be an expression: .name, $name */
static bool looks_expressive(pw_str text)
{
    return text.len > 0 && (text.ptr[0] == '.' || text.ptr[0] == '$' ||
                            memmem(text.ptr, text.len, "${", 2) != NULL);
}

bool pw_tree_scalar(pw_load *load, const pw_node *scalar, pw_str anchor)
{
    pw_node *node = PW_NEW(&load->scratch, pw_node);
    *node = *scalar;
    node->kind = PW_NODE_SCALAR;
    node->weight = 1 + node->text.len / 32;
    node->expressive = pw_is(node->value, PW_STRING) && looks_expressive(node->text);
    if (too_heavy(load, node->weight, node->start))
        return false;
    (void)define(load, anchor, node);
    return add(load, node, node->start);
}

bool pw_tree_alias(pw_load *load, pw_str anchor, uint32_t at)
{
    const uint32_t *position = pw_index_find(&load->anchor_index, anchor);
    const pw_anchor *found = position ? &load->anchors[*position] : NULL;
    pw_str shown = pw_lang_shown(load, anchor);
    if (!found) {
        pw_lang_report(load, PAWL_FINDING_SYNTAX, at, here(load),
                       "alias '*" PW_FMT "' has no anchor '&" PW_FMT "' before it", PW_ARG(shown),
                       PW_ARG(shown));
        return false;
    }
    if (!found->node) {
        pw_lang_report(load, PAWL_FINDING_SYNTAX, at, here(load),
                       "alias '*" PW_FMT "' stands inside of what it names", PW_ARG(shown));
        return false;
    }
    if (found->node->kind != PW_NODE_SCALAR &&
        load->depth + found->node->height + 1 > PW_LANG_DEPTH_MAX) {
        pw_lang_report(load, PAWL_FINDING_TOO_LARGE, at, here(load),
                       "the document nests lists and objects more than %u levels deep",
                       PW_LANG_DEPTH_MAX);
        return false;
    }
    return !too_heavy(load, found->node->weight, at) && add(load, found->node, at);
}

/* ---- lists and maps */

bool pw_tree_open(pw_load *load, pw_node_kind kind, uint32_t start, pw_str anchor)
{
    if (load->depth == PW_LANG_DEPTH_MAX) {
        pw_lang_report(load, PAWL_FINDING_TOO_LARGE, start, NULL,
                       "the document nests lists and objects more than %u levels deep",
                       PW_LANG_DEPTH_MAX);
        return false;
    }
    pw_node *node = PW_NEW(&load->scratch, pw_node);
    node->kind = (uint8_t)kind;
    node->start = start;
    node->weight = 1;
    if (too_heavy(load, 1, start))
        return false;
    pw_frame *frame = &load->frames[load->depth++];
    /* the anchor has no node until this one is closed: an alias within would be endless */
    *frame = (pw_frame){ .node = node, .anchor = define(load, anchor, NULL) };
    return true;
}

static bool is_merge(const pw_node *key)
{
    return key->style == PW_STYLE_PLAIN && pw_str_is(key->text, "<<");
}

static bool merge_from(pw_load *load, pw_index *seen, pw_frame *frame, pw_pair *pairs,
                       uint32_t *count, const pw_node *source, const pw_node *key)
{
    if (source->kind != PW_NODE_MAP) {
        pw_lang_found(load, PAWL_FINDING_TYPE, key, here(load),
                      "'<<' merges an object or a list of objects, not %s", pw_lang_type(source));
        return false;
    }
    for (uint32_t i = 0; i < source->count; i++) {
        uint32_t first;
        if (!pw_index_add(load, seen, source->pairs[i].key->text, *count, &first))
            continue; /* its own members, and earlier merges, come first */
        frame->node->expressive |= source->pairs[i].value->expressive;
        pairs[(*count)++] = source->pairs[i];
    }
    return true;
}

static uint64_t merged_count(const pw_node *source)
{
    if (source->kind == PW_NODE_MAP)
        return source->count;
    uint64_t count = 0;
    for (uint32_t i = 0; source->kind == PW_NODE_LIST && i < source->count; i++)
        count += source->items[i]->count;
    return count;
}

/* Finds keys given twice and writes out merges. */
static bool finish_pairs(pw_load *load, pw_frame *frame)
{
    uint64_t most = frame->count;
    for (uint32_t i = 0; i < frame->count; i++) {
        if (is_merge(frame->pairs[i].key))
            most += merged_count(frame->pairs[i].value);
    }
    /* pairs are copied by a merge, so they count */
    if (most > frame->count && too_heavy(load, most - frame->count, frame->node->start))
        return false;
    pw_index seen = { 0 };
    pw_pair *pairs = PW_NEW_ARRAY(&load->scratch, pw_pair, most ? most : 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < frame->count; i++) {
        const pw_pair *pair = &frame->pairs[i];
        if (is_merge(pair->key))
            continue;
        uint32_t first;
        if (!pw_index_add(load, &seen, pair->key->text, count, &first)) {
            uint32_t line, column;
            pw_lang_place(load, pairs[first].key->start, &line, &column);
            pw_str shown = pw_lang_shown(load, pair->key->text);
            frame->key = pair->key;
            pw_lang_found(load, PAWL_FINDING_DUPLICATE, pair->key, here(load),
                          "'" PW_FMT "' is given twice; the first is at line %u, column %u",
                          PW_ARG(shown), line, column);
            frame->key = NULL;
            continue;
        }
        pairs[count++] = *pair;
    }
    for (uint32_t i = 0; i < frame->count; i++) {
        const pw_pair *pair = &frame->pairs[i];
        if (!is_merge(pair->key))
            continue;
        const pw_node *source = pair->value;
        if (source->kind != PW_NODE_LIST) {
            if (!merge_from(load, &seen, frame, pairs, &count, source, pair->key))
                return false;
            continue;
        }
        for (uint32_t j = 0; j < source->count; j++) {
            if (!merge_from(load, &seen, frame, pairs, &count, source->items[j], pair->key))
                return false;
        }
    }
    frame->node->pairs = pairs;
    frame->node->count = count;
    pw_member *members = PW_NEW_ARRAY(&load->scratch, pw_member, count ? count : 1);
    for (uint32_t i = 0; i < count; i++)
        members[i] = (pw_member){ pairs[i].key->text, pairs[i].value->value };
    frame->node->value = pw_object_of(load->arena, members, count);
    return true;
}

static void finish_items(pw_load *load, pw_frame *frame)
{
    frame->node->items = frame->items;
    frame->node->count = frame->count;
    pw_value *values = PW_NEW_ARRAY(load->arena, pw_value, frame->count ? frame->count : 1);
    for (uint32_t i = 0; i < frame->count; i++)
        values[i] = frame->items[i]->value;
    frame->node->value = pw_array_ref(values, frame->count);
}

bool pw_tree_close(pw_load *load, uint32_t end)
{
    PW_ASSERT(load->depth > 0);
    pw_frame *frame = &load->frames[load->depth - 1];
    pw_node *node = frame->node;
    node->end = end;
    if (node->kind == PW_NODE_LIST)
        finish_items(load, frame);
    else if (!finish_pairs(load, frame))
        return false;
    if (frame->anchor != UINT32_MAX)
        load->anchors[frame->anchor].node = node;
    load->depth--;
    return add(load, node, node->start);
}
