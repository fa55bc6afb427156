/* world.c - one thread plays all: coroutines, time, chance and the history.
 *
 * A coroutine runs until it waits or yields; then the schedule's stream says who goes on. A little
 * time passes with every switch; when nobody can go on, time jumps to the next moment at which
 * somebody can. Threads of a node that stands still (a pause) are left out until its pause is over.
 */
#undef _FORTIFY_SOURCE /* its longjmp() refuses to leave a stack */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include "sim.h"

#if defined(__SANITIZE_ADDRESS__)
#define SIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_ASAN 1
#endif
#endif
#ifdef SIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
enum { STACK_SIZE = 1 << 20 };
#else
enum { STACK_SIZE = 256 << 10 };
#endif

enum {
    THREADS_MAX = 256,
    EVENTS_MAX = 4096,
    SWITCHES_MAX = 3000000, /* a run that needs more does not come to an end */
};

typedef enum thread_state { THREAD_NONE, THREAD_READY, THREAD_WAITS } thread_state;

typedef struct thread {
    thread_state state;
    sim_node *node;
    const char *name;
    const void *key;   /* what it waits for */
    uint64_t until_ns; /* true time; UINT64_MAX: for ever */
    bool woken;
    void (*run)(void *context);
    void *context;
    uint64_t born; /* tells a place that was used again */
    ucontext_t ucontext;
    char *stack;
#ifdef SIM_ASAN
    void *fake_stack;
#else
    jmp_buf jump;
    bool begun;
#endif
} thread;

typedef struct event {
    uint64_t at_ns, number;
    void (*happen)(void *context);
    void *context;
} event;

uint64_t sim_now_ns;
bool sim_healed;
sim_case sim_settings;
sim_result *sim_out;

static thread threads[THREADS_MAX];
static uint32_t thread_count;    /* places that were ever used */
static thread *current;          /* NULL: the scheduler */
static event events[EVENTS_MAX]; /* a heap */
static uint32_t event_count;
static uint64_t event_number, born_number;
static uint64_t streams[SIM_STREAMS];
#ifndef SIM_ASAN
static jmp_buf scheduler;
#else
static ucontext_t scheduler;
static void *scheduler_fake;
static const void *scheduler_bottom;
static size_t scheduler_size;
#endif

/* ------------------------------------------------------------------ chance */

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t sim_random(sim_stream stream)
{
    return mix(streams[stream] += 0x9e3779b97f4a7c15u);
}

uint64_t sim_below(sim_stream stream, uint64_t n)
{
    return n < 2 ? 0 : sim_random(stream) % n;
}

uint64_t sim_between(sim_stream stream, uint64_t from, uint64_t to)
{
    return from + sim_below(stream, to - from + 1);
}

bool sim_chance(sim_stream stream, uint32_t per_thousand)
{
    return sim_below(stream, 1000) < per_thousand;
}

bool sim_fault(sim_kind kind, sim_stream stream, uint32_t per_thousand)
{
    return sim_chance(stream, per_thousand) && !sim_healed && !sim_settings.off[kind];
}

/* ------------------------------------------------------------------ history */

void *sim_alloc(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    PW_ASSERT(memory != NULL);
    return memory;
}

char *sim_copy(pw_str s)
{
    char *copy = sim_alloc(s.len + 1);
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

int64_t sim_now_ms(void)
{
    return SIM_EPOCH_MS + (int64_t)(sim_now_ns / SIM_MS);
}

void sim_note(const char *format, ...)
{
    char line[4000];
    int len = snprintf(line, sizeof line, "%11.6f n%u ", (double)sim_now_ns / 1e9,
                       current && current->node ? current->node->number : 0);
    size_t at = (size_t)len;
    va_list args;
    va_start(args, format);
    len = vsnprintf(line + at, sizeof line - at, format, args);
    va_end(args);
    at += len < 0 ? 0 : (size_t)len;
    if (at > sizeof line - 2)
        at = sizeof line - 2;
    line[at++] = '\n';
    sim_out->hash = pw_hash64(sim_out->hash, line, at);
    sim_out->lines++;
    if (sim_out->history_len + at <= SIM_HISTORY_MAX) { /* beyond that, only the hash goes on */
        memcpy(sim_out->history + sim_out->history_len, line, at);
        sim_out->history_len += at;
    }
    if (sim_settings.follow)
        (void)fwrite(line, 1, at, stdout);
}

void sim_violation(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sim_out->message, sizeof sim_out->message, format, args);
    va_end(args);
    sim_note("VIOLATION %s", sim_out->message);
    sim_out->violated = true;
    (void)fflush(stdout);
    _exit(1);
}

/* ------------------------------------------------------------------ events of the world */

static bool earlier(const event *a, const event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->number < b->number;
}

void sim_at(uint64_t at_ns, void (*happen)(void *context), void *context)
{
    PW_ASSERT(event_count < EVENTS_MAX);
    const event fresh = { at_ns, event_number++, happen, context };
    uint32_t at = event_count++;
    while (at > 0 && earlier(&fresh, &events[(at - 1) / 2])) {
        events[at] = events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    events[at] = fresh;
}

static event first_event(void)
{
    const event first = events[0], last = events[--event_count];
    uint32_t at = 0;
    for (uint32_t child; (child = 2 * at + 1) < event_count; at = child) {
        if (child + 1 < event_count && earlier(&events[child + 1], &events[child]))
            child++;
        if (!earlier(&events[child], &last))
            break;
        events[at] = events[child];
    }
    events[at] = last;
    return first;
}

/* ------------------------------------------------------------------ switching */

#ifdef SIM_ASAN /* which must be told of every switch */

static void to_scheduler(bool for_ever)
{
    thread *self = current;
    __sanitizer_start_switch_fiber(for_ever ? NULL : &self->fake_stack, scheduler_bottom,
                                   scheduler_size);
    (void)swapcontext(&self->ucontext, &scheduler);
    __sanitizer_finish_switch_fiber(self->fake_stack, NULL, NULL);
}

static void switch_to(thread *t)
{
    __sanitizer_start_switch_fiber(&scheduler_fake, t->stack, STACK_SIZE);
    (void)swapcontext(&scheduler, &t->ucontext);
    __sanitizer_finish_switch_fiber(scheduler_fake, NULL, NULL);
}

#else /* swapcontext() asks the kernel each time; only the first entry needs it */

static void to_scheduler(bool for_ever)
{
    if (for_ever || _setjmp(current->jump) == 0)
        _longjmp(scheduler, 1);
}

static void switch_to(thread *t)
{
    if (_setjmp(scheduler))
        return;
    if (t->begun)
        _longjmp(t->jump, 1);
    t->begun = true;
    (void)setcontext(&t->ucontext);
}

#endif

static void resume(thread *t)
{
    current = t;
    sim_out->switches++;
    switch_to(t);
    current = NULL;
}

static void begin(void)
{
#ifdef SIM_ASAN
    __sanitizer_finish_switch_fiber(NULL, &scheduler_bottom, &scheduler_size);
#endif
    current->run(current->context);
    current->state = THREAD_NONE;
    sim_wake(current);
    to_scheduler(true);
}

static thread *free_place(void)
{
    for (uint32_t i = 0; i < thread_count; i++)
        if (threads[i].state == THREAD_NONE && &threads[i] != current)
            return &threads[i];
    PW_ASSERT(thread_count < THREADS_MAX);
    return &threads[thread_count++];
}

sim_thread sim_spawn(sim_node *node, const char *name, void (*run)(void *context), void *context)
{
    thread *t = free_place();
    char *stack = t->stack;
    if (!stack) {
        stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        PW_ASSERT(stack != MAP_FAILED);
    }
#ifdef SIM_ASAN
    __asan_unpoison_memory_region(stack, STACK_SIZE); /* of whoever was dropped in mid-flight */
#endif
    *t = (thread){ .state = THREAD_READY,
                   .node = node,
                   .name = name,
                   .run = run,
                   .context = context,
                   .born = ++born_number,
                   .stack = stack };
    (void)getcontext(&t->ucontext);
    t->ucontext.uc_stack.ss_sp = stack;
    t->ucontext.uc_stack.ss_size = STACK_SIZE;
    makecontext(&t->ucontext, begin, 0);
    return t->born << 16 | (uint64_t)(t - threads);
}

void sim_join(sim_thread handle)
{
    thread *t = &threads[handle & 0xffff];
    while (t->born == handle >> 16 && t->state != THREAD_NONE)
        (void)sim_wait(t, UINT64_MAX);
}

sim_node *sim_self(void)
{
    return current ? current->node : NULL;
}

bool sim_wait(const void *key, uint64_t until_ns)
{
    PW_ASSERT(current != NULL);
    current->key = key;
    current->until_ns = until_ns;
    current->woken = false;
    current->state = THREAD_WAITS;
    to_scheduler(false);
    return current->woken;
}

void sim_wake(const void *key)
{
    for (uint32_t i = 0; i < thread_count; i++)
        if (threads[i].state == THREAD_WAITS && threads[i].key == key) {
            threads[i].state = THREAD_READY;
            threads[i].woken = true;
        }
}

void sim_yield(void)
{
    if (!current)
        return;
    current->state = THREAD_READY;
    to_scheduler(false);
}

void sim_sleep(uint64_t ns)
{
    (void)sim_wait(NULL, sim_now_ns + ns);
}

void sim_drop_threads(sim_node *node)
{
    for (uint32_t i = 0; i < thread_count; i++)
        if (threads[i].node == node)
            threads[i].state = THREAD_NONE;
    if (current && current->node == node)
        to_scheduler(true);
}

/* ------------------------------------------------------------------ the schedule */

static uint64_t not_before(const thread *t, uint64_t ns)
{
    uint64_t pause = t->node ? t->node->paused_until_ns : 0;
    return ns > pause ? ns : pause;
}

/* Those who can go on now; *next: when the first of the others can. */
static uint32_t runnable(thread **out, uint64_t *next)
{
    uint32_t count = 0;
    *next = event_count ? events[0].at_ns : UINT64_MAX;
    for (uint32_t i = 0; i < thread_count; i++) {
        thread *t = &threads[i];
        if (t->state == THREAD_NONE)
            continue;
        uint64_t at = not_before(t, t->state == THREAD_WAITS ? t->until_ns : 0);
        if (at <= sim_now_ns)
            out[count++] = t;
        else if (at < *next)
            *next = at;
    }
    return count;
}

static bool world_lives(void)
{
    for (uint32_t i = 0; i < thread_count; i++)
        if (threads[i].state != THREAD_NONE && !threads[i].node)
            return true;
    return false;
}

static void who_waits(void)
{
    for (uint32_t i = 0; i < thread_count; i++)
        if (threads[i].state != THREAD_NONE)
            sim_note("waiting: n%u %s", threads[i].node ? threads[i].node->number : 0,
                     threads[i].name);
}

void sim_loop(void)
{
    thread *ready[THREADS_MAX];
    while (world_lives()) {
        while (event_count && events[0].at_ns <= sim_now_ns) {
            const event due = first_event();
            due.happen(due.context);
        }
        uint64_t next = UINT64_MAX;
        uint32_t count = runnable(ready, &next);
        if (count == 0 && next == UINT64_MAX) {
            who_waits();
            sim_violation("everybody waits for ever");
        }
        if (count == 0) {
            sim_now_ns = next;
            continue;
        }
        if (sim_out->switches >= SWITCHES_MAX) {
            who_waits();
            sim_violation("no end after %d switches", SWITCHES_MAX);
        }
        sim_now_ns += sim_below(SIM_SCHEDULE, 20 * SIM_US);
        thread *t = ready[sim_below(SIM_SCHEDULE, count)];
        t->state = THREAD_READY;
        resume(t);
    }
}

void sim_world_init(uint64_t seed)
{
    (void)mallopt(M_MMAP_THRESHOLD, 64 << 10); /* large zeroed parts of an engine cost nothing */
    sim_now_ns = 0;
    for (uint32_t i = 0; i < SIM_STREAMS; i++)
        streams[i] = mix(seed * 0x9e3779b97f4a7c15u + i * 0xd1b54a32d192ed03u + 1);
}
