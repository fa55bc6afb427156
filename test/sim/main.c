/* main.c - pawl-sim: which seeds, in how many processes, and what to say of those that fail.
 *
 * Each seed runs in a child of its own, so that what it abandons, and a crash or a hang, ends with
 * it; the history is in memory that both share, and is there whatever happened. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "sim.h"

enum {
    JOBS_MAX = 64,
    SECONDS_MAX = 60, /* of one seed, of the processor */
    TAIL_LINES = 40,
    SHOWN_MAX = 5, /* failures that are shrunk and printed whole */
};

typedef struct job {
    pid_t pid; /* 0: free */
    sim_case c;
    sim_result *result;
} job;

typedef struct totals {
    uint64_t seeds, failed, lines, commits, requests, jobs, deaths, instances, simulated_ms;
} totals;

static const char *const kind_names[] = {
#define KIND_NAME(name, text, help) text,
    SIM_KINDS(KIND_NAME)
#undef KIND_NAME
};

static const char *const plant_names[] = {
#define PLANT_NAME(name, text, help) text,
    SIM_PLANTS(PLANT_NAME)
#undef PLANT_NAME
};

static const char usage[] =
    "usage: pawl-sim [options]\n"
    "\n"
    "Plays the engine from a seed: nodes that die, clocks that jump, stores and services that "
    "fail,\n"
    "users who repeat and contradict themselves; and checks that nothing is lost or doubled.\n"
    "\n"
    "  --seed N         one seed: a summary, and the digest of its history\n"
    "  --seeds A..B     these\n"
    "  --minutes M      from --seed on (else 1) for so long\n"
    "  --jobs J         processes at once (1)\n"
    "  --history        print the history (with --seed)\n"
    "  --verbose        a line for each seed\n"
    "  --no KIND        without a kind of fault; may be repeated\n"
    "  --nodes N, --instances N, --tasks N, --users N   not as the seed says\n"
    "  --plant BUG      let the simulation lie, to see that it is found\n"
    "  --no-shrink      do not look for a smaller case that fails too\n"
    "\n"
    "A failure prints its seed, what was violated, the end of the history, and the smallest case\n"
    "found that fails. Exit status: 0 all is well, 1 something was violated, 2 usage.\n";

/* ------------------------------------------------------------------ one seed, in a child */

static sim_result *new_result(void)
{
    sim_result *r =
        mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (r == MAP_FAILED) {
        perror("pawl-sim: mmap");
        exit(2);
    }
    return r;
}

static void begin(job *j, const sim_case *c, bool quiet)
{
    memset(j->result, 0, offsetof(sim_result, history));
    j->c = *c;
    (void)fflush(NULL);
    j->pid = fork();
    if (j->pid < 0) {
        perror("pawl-sim: fork");
        exit(2);
    }
    if (j->pid > 0)
        return;
    if (quiet && !freopen("/dev/null", "w", stderr))
        _exit(2);
    const struct rlimit limit = { SECONDS_MAX, SECONDS_MAX + 1 };
    (void)setrlimit(RLIMIT_CPU, &limit);
    sim_run(c, j->result);
    (void)fflush(stdout);
    _exit(0);
}

/* What became of a child that has ended: its violation, or how it died. */
static void conclude(job *j, int status)
{
    sim_result *r = j->result;
    j->pid = 0;
    if (r->violated || (WIFEXITED(status) && WEXITSTATUS(status) == 0 && r->finished))
        return;
    r->violated = true;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        (void)snprintf(r->message, sizeof r->message, "it hangs: %d seconds", SECONDS_MAX);
    else if (WIFSIGNALED(status))
        (void)snprintf(r->message, sizeof r->message, "it died by signal %d: %s", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    else
        (void)snprintf(r->message, sizeof r->message, "it ended with status %d",
                       WEXITSTATUS(status));
}

static bool fails(const sim_case *c, sim_result *into)
{
    job j = { .result = into };
    int status = 0;
    begin(&j, c, true);
    while (waitpid(j.pid, &status, 0) < 0 && errno == EINTR)
        ;
    conclude(&j, status);
    return into->violated;
}

/* ------------------------------------------------------------------ failures */

static void print_command(const sim_case *c)
{
    (void)printf("pawl-sim --seed %" PRIu64, c->seed);
    for (uint32_t i = 0; i < SIM_KIND_COUNT; i++)
        if (c->off[i])
            (void)printf(" --no %s", kind_names[i]);
    const struct {
        const char *name;
        uint32_t value;
    } numbers[] = { { "nodes", c->nodes },
                    { "instances", c->instances },
                    { "tasks", c->tasks },
                    { "users", c->users } };
    for (size_t i = 0; i < PW_LENGTH(numbers); i++)
        if (numbers[i].value)
            (void)printf(" --%s %u", numbers[i].name, numbers[i].value);
    if (c->plant)
        (void)printf(" --plant %s", plant_names[c->plant]);
    (void)printf(" --history\n");
}

static bool smaller_number(sim_case *best, uint32_t *number, uint32_t most, sim_result *r)
{
    uint32_t before = *number;
    for (uint32_t n = 1; n < (before ? before : most + 1); n++) {
        *number = n;
        if (fails(best, r))
            return true;
    }
    *number = before;
    return false;
}

/* Without one thing after the other, as long as it still fails. */
static sim_case shrink(const sim_case *c)
{
    sim_case best = *c;
    sim_result *r = new_result();
    best.follow = false;
    for (uint32_t i = 0; i < SIM_KIND_COUNT; i++) {
        if (best.off[i])
            continue;
        best.off[i] = true;
        best.off[i] = fails(&best, r);
    }
    (void)smaller_number(&best, &best.nodes, SIM_NODES_MAX, r);
    (void)smaller_number(&best, &best.instances, 12, r);
    (void)smaller_number(&best, &best.users, 3, r);
    (void)smaller_number(&best, &best.tasks, 10, r);
    (void)munmap(r, sizeof *r);
    return best;
}

static void print_tail(const sim_result *r)
{
    size_t at = r->history_len;
    for (int lines = 0; at > 0; at--)
        if (r->history[at - 1] == '\n' && ++lines > TAIL_LINES)
            break;
    (void)fwrite(r->history + at, 1, r->history_len - at, stdout);
}

static void print_failure(const job *j, bool small)
{
    (void)printf("seed %" PRIu64 " FAILS: %s\n", j->c.seed, j->result->message);
    print_tail(j->result);
    (void)printf("repeat: ");
    print_command(&j->c);
    if (small) {
        sim_case least = shrink(&j->c);
        (void)printf("small:  ");
        print_command(&least);
    }
    (void)fflush(stdout);
}

/* ------------------------------------------------------------------ many seeds */

typedef struct plan {
    uint64_t next, last;
    time_t until; /* 0: not limited */
    uint32_t jobs;
    bool verbose, no_shrink, one;
} plan;

static void add(totals *t, const job *j)
{
    const sim_result *r = j->result;
    t->seeds++;
    t->failed += r->violated;
    t->lines += r->lines;
    t->commits += r->commits;
    t->requests += r->requests;
    t->jobs += r->jobs;
    t->deaths += r->deaths;
    t->instances += r->instances;
    t->simulated_ms += r->simulated_ms;
}

static void print_seed(const job *j)
{
    const sim_result *r = j->result;
    (void)printf("seed %" PRIu64 ": %s, %u nodes, %u instances, %" PRIu64 " commits, %" PRIu64
                 " requests, %" PRIu64 " attempts, %" PRIu64 " deaths, %" PRIu64 " s, %" PRIu64
                 " switches, %" PRIu64 " lines, history %016" PRIx64 "\n",
                 j->c.seed, r->violated ? "FAILS" : "ok", r->nodes, r->instances, r->commits,
                 r->requests, r->jobs, r->deaths, r->simulated_ms / 1000, r->switches, r->lines,
                 r->hash);
}

static void one_ended(job *jobs, const plan *p, totals *t)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, 0);
    job *j = jobs;
    while (j < jobs + p->jobs && (j->pid != pid || pid <= 0))
        j++;
    if (j == jobs + p->jobs)
        return;
    conclude(j, status);
    add(t, j);
    if (p->verbose || p->one)
        print_seed(j);
    if (j->result->violated && t->failed <= SHOWN_MAX)
        print_failure(j, !p->no_shrink);
    else if (j->result->violated)
        (void)printf("seed %" PRIu64 " FAILS: %s\n", j->c.seed, j->result->message);
}

static bool more(const plan *p)
{
    return p->next <= p->last && (p->until == 0 || time(NULL) < p->until);
}

static int run_all(plan *p, sim_case *c)
{
    job jobs[JOBS_MAX] = { 0 };
    totals t = { 0 };
    uint32_t running = 0;
    for (uint32_t i = 0; i < p->jobs; i++)
        jobs[i].result = new_result();
    while (running > 0 || more(p)) {
        for (uint32_t i = 0; i < p->jobs && more(p); i++) {
            if (jobs[i].pid)
                continue;
            c->seed = p->next++;
            begin(&jobs[i], c, false);
            running++;
        }
        one_ended(jobs, p, &t);
        running = 0;
        for (uint32_t i = 0; i < p->jobs; i++)
            running += jobs[i].pid != 0;
    }
    (void)printf("%" PRIu64 " seeds, %" PRIu64 " failed; %" PRIu64 " instances, %" PRIu64
                 " commits, %" PRIu64 " requests, %" PRIu64 " attempts, %" PRIu64
                 " deaths, %" PRIu64 " hours\n",
                 t.seeds, t.failed, t.instances, t.commits, t.requests, t.jobs, t.deaths,
                 t.simulated_ms / 3600000);
    return t.failed ? 1 : 0;
}

/* ------------------------------------------------------------------ options */

static _Noreturn void refuse(const char *what, const char *why)
{
    (void)fprintf(stderr, "pawl-sim: %s: %s; --help says what there is\n", what, why);
    exit(2);
}

static uint64_t number(const char *option, const char *text, uint64_t most, char **end)
{
    char *behind = NULL;
    errno = 0;
    unsigned long long n = text ? strtoull(text, &behind, 10) : 0;
    if (!text || behind == text || errno || n > most || text[0] == '-' || (!end && *behind))
        refuse(option, "it needs a number within its bounds");
    if (end)
        *end = behind;
    return n;
}

static uint32_t name(const char *option, const char *text, const char *const *names, size_t count)
{
    for (uint32_t i = 0; i < count && text; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    (void)fprintf(stderr, "pawl-sim: %s is one of:", option);
    for (size_t i = 0; i < count; i++)
        (void)fprintf(stderr, " %s", names[i]);
    (void)fprintf(stderr, "\n");
    exit(2);
}

static void read_range(plan *p, const char *text)
{
    char *end = NULL;
    p->next = number("--seeds", text, UINT64_MAX, &end);
    if (strncmp(end, "..", 2) != 0)
        refuse("--seeds", "it needs A..B");
    p->last = number("--seeds", end + 2, UINT64_MAX, NULL);
    if (p->last < p->next || p->last == UINT64_MAX)
        refuse("--seeds", "A must not be above B");
}

/* True: the option took its value. */
static bool read_option(plan *p, sim_case *c, const char *option, const char *value)
{
    if (strcmp(option, "--seed") == 0) {
        p->next = p->last = number(option, value, UINT64_MAX - 1, NULL);
        p->one = true;
    } else if (strcmp(option, "--seeds") == 0) {
        read_range(p, value);
    } else if (strcmp(option, "--minutes") == 0) {
        p->until = time(NULL) + (time_t)number(option, value, 100000, NULL) * 60;
    } else if (strcmp(option, "--jobs") == 0) {
        p->jobs = (uint32_t)number(option, value, JOBS_MAX, NULL);
    } else if (strcmp(option, "--no") == 0) {
        c->off[name(option, value, kind_names, PW_LENGTH(kind_names))] = true;
    } else if (strcmp(option, "--plant") == 0) {
        c->plant = (sim_plant)name(option, value, plant_names, PW_LENGTH(plant_names));
    } else if (strcmp(option, "--nodes") == 0) {
        c->nodes = (uint32_t)number(option, value, SIM_NODES_MAX, NULL);
    } else if (strcmp(option, "--instances") == 0) {
        c->instances = (uint32_t)number(option, value, SIM_INSTANCES_MAX, NULL);
    } else if (strcmp(option, "--tasks") == 0) {
        c->tasks = (uint32_t)number(option, value, 100, NULL);
    } else if (strcmp(option, "--users") == 0) {
        c->users = (uint32_t)number(option, value, SIM_USERS_MAX, NULL);
    } else if (strcmp(option, "--history") == 0) {
        c->follow = true;
        return false;
    } else if (strcmp(option, "--verbose") == 0) {
        p->verbose = true;
        return false;
    } else if (strcmp(option, "--no-shrink") == 0) {
        p->no_shrink = true;
        return false;
    } else if (strcmp(option, "--help") == 0) {
        (void)fputs(usage, stdout);
        exit(0);
    } else {
        refuse(option, "no such option");
    }
    return true;
}

int main(int argc, char **argv)
{
    plan p = { .next = 1, .last = 1, .jobs = 1 };
    sim_case c = { .plant = SIM_PLANT_NONE };
    if (argc < 2) {
        (void)fputs(usage, stderr);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        if (read_option(&p, &c, argv[i], i + 1 < argc ? argv[i + 1] : NULL))
            i++;
    if (p.until && p.last <= p.next) {
        p.last = UINT64_MAX - 1;
        p.one = false;
    }
    if (p.jobs == 0)
        p.jobs = 1;
    if (c.follow && !p.one)
        refuse("--history", "it needs --seed");
    c.follow = c.follow && p.one;
    return run_all(&p, &c);
}
