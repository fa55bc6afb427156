/* lease.c - nodes and partitions of the memory store. */
#include "store/memory/memory_internal.h"

static pw_mem_node *find_node(const pw_memory *m, pw_str id)
{
    for (size_t i = 0; i < m->node_count; i++)
        if (pw_str_is(id, m->nodes[i].id))
            return &m->nodes[i];
    return NULL;
}

static pw_mem_node *add_node(pw_memory *m, pw_str id)
{
    if (m->node_count == m->node_room) {
        size_t room = m->node_room ? 2 * m->node_room : 4;
        pw_mem_node *nodes = pw_realloc(m->nodes, room * sizeof *nodes);
        if (!nodes)
            return NULL;
        m->nodes = nodes;
        m->node_room = room;
    }
    pw_mem_node *node = &m->nodes[m->node_count++];
    *node = (pw_mem_node){ .leased_until = 0 };
    memcpy(node->id, id.ptr, id.len); /* its length was checked */
    return node;
}

static void drop_node(pw_memory *m, pw_mem_node *node)
{
    for (uint32_t n = 0; n < PW_PARTITIONS; n++)
        if (strcmp(m->partitions[n].node, node->id) == 0)
            m->partitions[n].node[0] = '\0';
    *node = m->nodes[--m->node_count];
}

/* The node that lives for ever, alone. */
static pw_mem_node *join_alone(pw_memory *m, pw_str id)
{
    for (size_t i = m->node_count; i-- > 0;)
        if (!pw_str_is(id, m->nodes[i].id))
            drop_node(m, &m->nodes[i]);
    pw_mem_node *node = find_node(m, id);
    node = node ? node : add_node(m, id);
    if (node)
        node->leased_until = INT64_MAX;
    return node;
}

static bool is_free(const pw_memory *m, uint32_t partition, int64_t now)
{
    const char *id = m->partitions[partition].node;
    const pw_mem_node *node = id[0] ? find_node(m, pw_str_of(id)) : NULL;
    return !node || node->leased_until <= now;
}

static void describe(const pw_memory *m, pw_str id, int64_t now, pw_partitions *out)
{
    *out = (pw_partitions){ .nodes = 0 };
    for (size_t i = 0; i < m->node_count; i++)
        out->nodes += m->nodes[i].leased_until > now;
    for (uint32_t n = 0; n < PW_PARTITIONS; n++) {
        const pw_mem_partition *p = &m->partitions[n];
        if (pw_str_is(id, p->node)) {
            out->held |= UINT64_C(1) << n;
            out->epochs[n] = p->epoch;
        } else if (is_free(m, n, now)) {
            out->free |= UINT64_C(1) << n;
        }
    }
}

/* Takes the lock if PAWL_OK. */
static pawl_code enter(pw_store *base, pawl_error *err)
{
    pw_mem_handle *h = pw_mem_handle_of(base);
    pthread_mutex_lock(&h->data->lock);
    if (!h->cut_off)
        return PAWL_OK;
    pthread_mutex_unlock(&h->data->lock);
    return pw_fail(err, PAWL_IO, "'memory:': this node is cut off (by a test)");
}

pawl_code pw_memory_node_beat(pw_store *base, pw_str id, uint64_t lease_ms, pw_partitions *out,
                              pawl_error *err)
{
    pawl_code code = enter(base, err);
    if (code != PAWL_OK)
        return code;
    pw_memory *m = pw_memory_of(base);
    int64_t now = m->now_ms(m->context);
    pw_mem_node *node = NULL;
    if (!m->shared) {
        node = join_alone(m, id);
    } else {
        node = find_node(m, id);
        node = node ? node : add_node(m, id);
        if (node)
            node->leased_until = now + (int64_t)lease_ms;
    }
    if (node)
        describe(m, id, now, out);
    pthread_mutex_unlock(&m->lock);
    return node ? PAWL_OK : pw_no_memory(err);
}

pawl_code pw_memory_partitions_take(pw_store *base, pw_str id, uint64_t wanted, pw_partitions *out,
                                    pawl_error *err)
{
    pawl_code code = enter(base, err);
    if (code != PAWL_OK)
        return code;
    pw_memory *m = pw_memory_of(base);
    int64_t now = m->now_ms(m->context);
    const pw_mem_node *node = m->shared ? find_node(m, id) : join_alone(m, id);
    if (!node) {
        code = m->shared ? pw_store_not_found(err, "node", id) : pw_no_memory(err);
        pthread_mutex_unlock(&m->lock);
        return code;
    }
    for (uint32_t n = 0; n < PW_PARTITIONS; n++) {
        pw_mem_partition *p = &m->partitions[n];
        if (!(wanted >> n & 1) || !is_free(m, n, now) || pw_str_is(id, p->node))
            continue;
        p->epoch++;
        memcpy(p->node, node->id, sizeof p->node);
    }
    describe(m, id, now, out);
    pthread_mutex_unlock(&m->lock);
    return PAWL_OK;
}

pawl_code pw_memory_partitions_give(pw_store *base, pw_str id, uint64_t given, bool leaving,
                                    pawl_error *err)
{
    pawl_code code = enter(base, err);
    if (code != PAWL_OK)
        return code;
    pw_memory *m = pw_memory_of(base);
    for (uint32_t n = 0; n < PW_PARTITIONS; n++)
        if (given >> n & 1 && pw_str_is(id, m->partitions[n].node))
            m->partitions[n].node[0] = '\0';
    pw_mem_node *node = leaving ? find_node(m, id) : NULL;
    if (node)
        drop_node(m, node);
    pthread_mutex_unlock(&m->lock);
    return PAWL_OK;
}

pawl_code pw_memory_partition_node(pw_store *base, uint32_t partition, pw_str *out, pw_arena *arena,
                                   pawl_error *err)
{
    pw_memory *m = pw_memory_of(base);
    pthread_mutex_lock(&m->lock);
    bool none = is_free(m, partition, m->now_ms(m->context));
    pw_str node = pw_arena_str(arena, pw_str_of(none ? "" : m->partitions[partition].node));
    pthread_mutex_unlock(&m->lock);
    if (!node.ptr)
        return pw_no_memory(err);
    *out = node;
    return PAWL_OK;
}

bool pw_memory_exclusive(const pw_store *base)
{
    pw_memory *m = ((const pw_mem_handle *)base)->data;
    pthread_mutex_lock(&m->lock);
    bool shared = m->shared;
    pthread_mutex_unlock(&m->lock);
    return !shared;
}

bool pw_mem_holds(const pw_memory *m, const pw_commit_item *item)
{
    const pw_mem_partition *p = &m->partitions[pw_store_partition(item->instance)];
    return item->epoch == 0 || (p->node[0] && p->epoch == item->epoch);
}

void pw_memory_cut_off(pw_store *store, bool cut_off)
{
    pw_mem_handle *h = pw_mem_handle_of(store);
    pthread_mutex_lock(&h->data->lock);
    h->cut_off = cut_off;
    pthread_mutex_unlock(&h->data->lock);
}
