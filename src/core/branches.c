/* branches.c - the branches of a wide fork: a step sees only those that it touches.
 *
 * A fork of PW_WIDE_FORK branches or more does not have them as children from step to step. They
 * rest in a tree of slots beside its frame: each slot has the frames of its branch, or the output
 * that it ended with, or nothing once it is out of a race. A step wakes what it looks for - the
 * branch that an answer belongs to, those whose time has come, all of them where all are closed -
 * by copying its frames back among the children of the fork; what runs a task finds a tree as it is
 * anywhere else. At the end of the step the children go to rest again. So a step copies, writes and
 * walks through what it touches and the way to it, however many others there are.
 *
 * The tree never changes once its state was given out: a node or a slot is changed in place by the
 * step that has made it (its owner), and copied by any other. Each node sums up what rests below
 * it, and a search goes only where it may find something. What is in the store of a branch is a row
 * of its own, written when its slot is new; the state itself only says that there are such rows. */
#include "core/step.h"

enum { BITS = 4, KIDS = 1 << BITS };

struct pw_node {
    pw_rest rest;
    const pw_state *owner;
    void *kids[KIDS]; /* nodes, or slots at the bottom; NULL: nothing rests there */
};

bool pw_fork_is_wide(const pw_task *task)
{
    return task->kind == PW_TASK_FORK && task->as.fork.branches.count >= PW_WIDE_FORK;
}

static uint32_t count_of(const pw_frame *fork)
{
    return fork->task->as.fork.branches.count;
}

/* Nodes between the top and a slot. */
static unsigned height_of(const pw_frame *fork)
{
    unsigned height = 0;
    for (uint32_t rest = count_of(fork) - 1; rest >>= BITS;)
        height++;
    return height;
}

/* ------------------------------------------------------------------ what rests */

static const pw_rest nothing = { .wake_ms = PW_WAKE_NEVER,
                                 .low = UINT64_MAX,
                                 .key_low = UINT64_MAX };

pw_rest pw_rest_none(void)
{
    return nothing;
}

void pw_rest_add(pw_rest *to, const pw_rest *more)
{
    if (more->wake_ms != PW_WAKE_NEVER &&
        (to->wake_ms == PW_WAKE_NEVER || more->wake_ms < to->wake_ms))
        to->wake_ms = more->wake_ms;
    if (more->low < to->low)
        to->low = more->low;
    if (more->high > to->high)
        to->high = more->high;
    if (more->key_low < to->key_low)
        to->key_low = more->key_low;
    if (more->key_high > to->key_high)
        to->key_high = more->key_high;
    to->open += more->open;
    to->ready += more->ready;
    to->active += more->active;
    to->held += more->held;
    to->again += more->again;
    to->hears += more->hears;
    to->moves += more->moves;
    to->undoing += more->undoing;
    to->plans += more->plans;
    to->whole += more->whole;
}

static uint64_t hash_of(pw_str key)
{
    return pw_hash64(0, key.ptr, key.len);
}

static bool is_active(const pw_frame *frame)
{
    return frame->phase == PHASE_CALL || frame->phase == PHASE_WORK;
}

static void add_frame(pw_rest *to, const pw_frame *frame)
{
    pw_rest one = nothing;
    one.wake_ms = pw_frame_wake(frame);
    if (frame->phase == PHASE_READY)
        one.ready = 1;
    one.moves = frame->timeout_ms != PW_WAKE_NEVER ||
                (frame->due_ms != PW_WAKE_NEVER && frame->phase != PHASE_USER);
    bool active = is_active(frame);
    one.active = active;
    one.held = frame->phase == PHASE_PARKED || frame->phase == PHASE_FAULTED || frame->phase == PHASE_PLANNED;
    bool undoes = frame->task && frame->task->kind == PW_TASK_COMPENSATE && frame->phase == PHASE_BODY;
    one.undoing = undoes;
    one.plans = pw_undo_wants(frame);
    one.again = pw_frame_tries_again(frame);
    one.hears = frame->phase == PHASE_LISTEN && !pw_schedule_is_deaf(frame);
    if (active || undoes || frame->phase == PHASE_CHILD || pw_listen_is_open(frame))
        one.low = one.high = frame->visit;
    bool answered = frame->phase == PHASE_USER || frame->phase == PHASE_TIMER ||
                    (frame->phase == PHASE_RETRY && !one.again) || pw_listen_is_open(frame);
    if (answered)
        one.key_low = one.key_high = hash_of(frame->key);
    pw_rest_add(to, &one);
    if (frame->branches)
        pw_rest_add(to, &frame->branches->rest);
}

pw_rest pw_frames_rest(const pw_frame *top)
{
    pw_rest rest = nothing;
    for (const pw_frame *frame = top; frame;
         frame = pw_frame_walk((pw_frame *)(uintptr_t)frame, top))
        add_frame(&rest, frame);
    return rest;
}

/* ------------------------------------------------------------------ slots */

static pw_node *own_node(pw_arena *arena, const pw_state *owner, pw_node *from)
{
    if (from && owner && from->owner == owner)
        return from;
    pw_node *node = PW_NEW(arena, pw_node);
    if (!node)
        return NULL;
    if (from)
        *node = *from;
    else
        node->rest = nothing;
    node->owner = owner;
    return node;
}

/* Sums are made later, by seal(); until then they may name what is not there any more. */
static pw_node *put_below(pw_arena *arena, const pw_state *owner, pw_node *from, unsigned height,
                          uint32_t at, pw_slot *slot)
{
    pw_node *node = own_node(arena, owner, from);
    if (!node)
        return NULL;
    unsigned kid = at >> (height * BITS) & (KIDS - 1);
    if (height == 0)
        node->kids[kid] = slot;
    else if (!(node->kids[kid] = put_below(arena, owner, node->kids[kid], height - 1, at, slot)))
        return NULL;
    return node;
}

static bool put(pw_arena *arena, const pw_state *owner, pw_frame *fork, uint32_t at, pw_slot *slot)
{
    pw_node *top = put_below(arena, owner, fork->branches, height_of(fork), at, slot);
    if (top)
        fork->branches = top;
    return top != NULL;
}

/* From the bottom up, as far as nodes are `owner`'s. */
static void sum_up(pw_node *node, unsigned height, const pw_state *owner)
{
    node->rest = nothing;
    for (unsigned i = 0; i < KIDS; i++) {
        if (!node->kids[i])
            continue;
        if (height == 0) {
            const pw_slot *slot = node->kids[i];
            pw_rest_add(&node->rest, &slot->rest);
            continue;
        }
        pw_node *kid = node->kids[i];
        if (kid->owner == owner)
            sum_up(kid, height - 1, owner);
        pw_rest_add(&node->rest, &kid->rest);
    }
}

bool pw_branches_load(pw_arena *arena, pw_frame *fork, const pw_slot *slots)
{
    for (uint32_t i = 0; i < count_of(fork); i++) {
        pw_slot *slot = PW_NEW(arena, pw_slot);
        if (!slot)
            return false;
        *slot = slots[i];
        if (slot->kind == SLOT_OPEN) {
            slot->rest = pw_frames_rest(slot->frame);
            slot->rest.open = 1;
            slot->rest.whole += slots[i].rest.whole;
        }
        if (!put(arena, NULL, fork, i, slot))
            return false;
    }
    sum_up(fork->branches, height_of(fork), NULL);
    return true;
}

static const pw_slot *slot_of(const pw_frame *fork, uint32_t at)
{
    const pw_node *node = fork->branches;
    for (unsigned height = height_of(fork); node && height > 0; height--)
        node = node->kids[at >> (height * BITS) & (KIDS - 1)];
    return node ? node->kids[at & (KIDS - 1)] : NULL;
}

const pw_slot *pw_branches_slot(const pw_frame *fork, uint32_t at)
{
    return slot_of(fork, at);
}

static const pw_frame *find_below(const pw_node *node, unsigned height, uint64_t visit)
{
    if (visit < node->rest.low || visit > node->rest.high)
        return NULL;
    const pw_frame *found = NULL;
    for (unsigned i = 0; i < KIDS && !found; i++) {
        if (!node->kids[i])
            continue;
        const pw_slot *slot = node->kids[i];
        if (height > 0)
            found = find_below(node->kids[i], height - 1, visit);
        else if (slot->kind == SLOT_OPEN && slot->rest.low <= visit && visit <= slot->rest.high)
            found = pw_frames_active(slot->frame, visit);
    }
    return found;
}

const pw_frame *pw_frames_active(const pw_frame *top, uint64_t visit)
{
    for (const pw_frame *frame = top; frame;
         frame = pw_frame_walk((pw_frame *)(uintptr_t)frame, top)) {
        if (frame->visit == visit && is_active(frame))
            return frame;
        const pw_frame *resting =
            frame->branches ? find_below(frame->branches, height_of(frame), visit) : NULL;
        if (resting)
            return resting;
    }
    return NULL;
}

/* ------------------------------------------------------------------ in a step */

void pw_branches_begin(pw_step *step, pw_frame *fork)
{
    fork->branches = own_node(step->arena, step->state, NULL);
}

static bool may_have(const pw_rest *rest, const pw_search *want)
{
    switch (want->kind) {
    case SEARCH_ALL:
        return rest->open > 0;
    case SEARCH_READY:
        return rest->ready > 0;
    case SEARCH_HELD:
        return rest->held > 0;
    case SEARCH_AGAIN:
        return rest->again > 0;
    case SEARCH_DUE:
        return rest->wake_ms != PW_WAKE_NEVER && rest->wake_ms <= want->now_ms;
    case SEARCH_VISIT:
        return rest->low <= want->number && want->number <= rest->high;
    case SEARCH_KEY:
        return rest->key_low <= want->number && want->number <= rest->key_high;
    }
    return true;
}

typedef struct waking {
    pw_step *step;
    pw_frame *fork;
    pw_frame *before; /* the child behind which the next one comes */
    const pw_search *want;
} waking;

static void wake_slot(waking *w, const pw_slot *slot)
{
    pw_frame *fork = w->fork, *frame = pw_frame_clone(slot->frame, w->step->arena);
    uint32_t at = frame->task->position;
    frame->parent = fork;
    while (w->before ? w->before->next && w->before->next->task->position < at
                     : fork->child && fork->child->task->position < at)
        w->before = w->before ? w->before->next : fork->child;
    pw_frame **place = w->before ? &w->before->next : &fork->child;
    frame->next = *place;
    *place = frame;
    if (!frame->next)
        fork->last = frame;
    w->before = frame;
    put(w->step->arena, w->step->state, fork, at, NULL);
}

static void wake_below(waking *w, const pw_node *node, unsigned height)
{
    if (!may_have(&node->rest, w->want))
        return;
    for (unsigned i = 0; i < KIDS; i++) {
        if (!node->kids[i])
            continue;
        if (height > 0) {
            wake_below(w, node->kids[i], height - 1);
            continue;
        }
        const pw_slot *slot = node->kids[i];
        if (slot->kind == SLOT_OPEN && may_have(&slot->rest, w->want))
            wake_slot(w, slot);
    }
}

void pw_branches_wake(pw_step *step, pw_frame *fork, const pw_search *want)
{
    waking w = { .step = step, .fork = fork, .want = want };
    wake_below(&w, fork->branches, height_of(fork));
}

pw_frame *pw_step_walk(pw_step *step, pw_frame *frame, const pw_frame *top, pw_search want)
{
    if (frame->branches)
        pw_branches_wake(step, frame, &want);
    return pw_frame_walk(frame, top);
}

pw_search pw_search_key(pw_str key)
{
    return (pw_search){ .kind = SEARCH_KEY, .number = hash_of(key) };
}

static void put_new(pw_step *step, pw_frame *fork, uint32_t at, pw_slot slot)
{
    pw_slot *new = PW_NEW(step->arena, pw_slot);
    *new = slot;
    new->owner = step->state;
    put(step->arena, step->state, fork, at, new);
}

void pw_branches_ended(pw_step *step, pw_frame *fork, uint32_t at, pw_value output)
{
    bool out = pw_is(output, PW_NONE);
    put_new(step, fork, at,
            (pw_slot){ .kind = out ? SLOT_OUT : SLOT_DONE, .output = output, .rest = nothing });
}

pw_value pw_branches_outputs(pw_step *step, const pw_frame *fork)
{
    pw_value *outputs = PW_NEW_ARRAY(step->arena, pw_value, count_of(fork));
    for (uint32_t i = 0; i < count_of(fork); i++) {
        const pw_slot *slot = slot_of(fork, i);
        outputs[i] = slot && slot->kind == SLOT_DONE ? slot->output : pw_null();
    }
    return pw_array_ref(outputs, count_of(fork));
}

void pw_branches_drop(pw_step *step, pw_frame *fork)
{
    if (!fork->branches)
        return;
    fork->branches = NULL;
    if (fork->visit <= step->visits_before) /* else no row has been written */
        *PW_PUSH(step, fork_ends, uint64_t) = fork->visit;
}

void pw_branches_settle(pw_step *step, pw_frame *top)
{
    for (pw_frame *child = top->child; child; child = child->next)
        pw_branches_settle(step, child);
    if (!top->branches)
        return;
    for (pw_frame *child = top->child, *next = NULL; child; child = next) {
        next = child->next;
        child->parent = child->next = NULL; /* the fork of the next step is another one */
        put_new(step, top, child->task->position, (pw_slot){ .kind = SLOT_OPEN, .frame = child });
    }
    top->child = top->last = NULL;
}

/* ------------------------------------------------------------------ writing */

typedef struct sealing {
    pw_step *step;
    const pw_frame *fork;
    pw_putting *put;
} sealing;

static void write_slot(const sealing *s, pw_slot *slot, uint32_t at)
{
    uint64_t before = s->put->whole;
    s->put->whole = 0;
    pw_branch_row *row = PW_PUSH(s->step, branch_rows, pw_branch_row);
    row->fork = s->fork->visit;
    row->number = at;
    row->state = pw_branch_text(slot, s->fork, s->put);
    if (!row->state.ptr) /* `whole` tells whether there is too much of it */
        pw_step_abort(s->step, s->put->whole > PW_PAYLOAD_WHOLE_MAX ? PAWL_INVALID : PAWL_NO_MEMORY,
                      s->put->whole > PW_PAYLOAD_WHOLE_MAX ? PW_WHOLE_MESSAGE : "out of memory");
    slot->rest = slot->kind == SLOT_OPEN ? pw_frames_rest(slot->frame) : nothing;
    slot->rest.open = slot->kind == SLOT_OPEN;
    slot->rest.whole += s->put->whole;
    s->put->whole = before;
}

static void seal_below(const sealing *s, pw_node *node, unsigned height, uint32_t base)
{
    const pw_state *owner = s->step->state;
    node->rest = nothing;
    for (unsigned i = 0; i < KIDS; i++) {
        if (!node->kids[i])
            continue;
        uint32_t at = base + ((uint32_t)i << (height * BITS));
        const pw_rest *rest = NULL;
        if (height > 0) {
            pw_node *kid = node->kids[i];
            if (kid->owner == owner)
                seal_below(s, kid, height - 1, at);
            rest = &kid->rest;
        } else {
            pw_slot *slot = node->kids[i];
            if (slot->owner == owner) {
                if (slot->kind == SLOT_OPEN)
                    pw_branches_seal(s->step, slot->frame, s->put);
                write_slot(s, slot, at);
            }
            rest = &slot->rest;
        }
        pw_rest_add(&node->rest, rest);
    }
}

void pw_branches_seal(pw_step *step, const pw_frame *top, pw_putting *put)
{
    for (const pw_frame *frame = top; frame;
         frame = pw_frame_walk((pw_frame *)(uintptr_t)frame, top)) {
        const sealing s = { step, frame, put };
        if (frame->branches && frame->branches->owner == step->state)
            seal_below(&s, frame->branches, height_of(frame), 0);
    }
}

/* ------------------------------------------------------------------ all of them */

static void each_around(const pw_frame *top, const pw_around *around, pw_look_around look, void *context)
{
    for (const pw_frame *frame = top; frame;
         frame = pw_frame_walk((pw_frame *)(uintptr_t)frame, top)) {
        const pw_around inside = { frame, around };
        look(context, frame, around);
        for (uint32_t i = 0; frame->branches && i < count_of(frame); i++) {
            const pw_slot *slot = slot_of(frame, i);
            if (slot && slot->kind == SLOT_OPEN)
                each_around(slot->frame, &inside, look, context);
        }
    }
}

void pw_frames_each_around(const pw_frame *top, pw_look_around look, void *context)
{
    each_around(top, NULL, look, context);
}

typedef struct plain_look {
    void (*look)(void *context, const pw_frame *frame);
    void *context;
} plain_look;

static void look_plainly(void *context, const pw_frame *frame, const pw_around *around)
{
    const plain_look *plain = context;
    (void)around;
    plain->look(plain->context, frame);
}

void pw_frames_each(const pw_frame *top, void (*look)(void *context, const pw_frame *frame),
                    void *context)
{
    plain_look plain = { look, context };
    each_around(top, NULL, look_plainly, &plain);
}

const pw_frame *pw_frame_outside(const pw_frame *frame, const pw_around **around)
{
    const pw_around *fork = *around;
    if (frame->parent || !fork)
        return frame->parent;
    *around = fork->outer;
    return fork->fork;
}
