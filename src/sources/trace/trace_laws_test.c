/*
 * What holds for whatever the kernel writes, in whatever order, torn, lost, or of whoever had the pid before: a way of our own, with records by chance.
 */
#include "basics/cleanup.h"
#include "sources/proc.h"
#include "sources/trace/trace_sender.h"
#include "sources/trace/trace_way.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
        ROUNDS = 3000,
        PROCESSES = 5, /* two at a time have had one pid */
        WRITTEN_MAX = 64,
};

struct written {
        union {
                struct trace_head head;
                struct trace_signal signal;
                struct trace_victim victim;
                struct trace_exit exit;
        } record;
        size_t n;
};

struct scripted {
        struct trace_way way; /* first */
        struct written written[WRITTEN_MAX];
        size_t n_written, n_read;
        uint32_t n_lost_before[PROCESSES], n_lost[PROCESSES];
        struct trace_signal stranger; /* that was sent before somebody was watched */
        bool has_stranger;
};

/* A process, what was written of it, and what was heard. */
struct process {
        pid_t pid;
        uint64_t start_time;
        struct trace_watch *watch;
        unsigned n_signals, n_marks, n_ends; /* that are whole */
        bool is_sent; /* the signal that ends it */
        int ending;   /* it; 0: none */
        unsigned heard_signals, heard_own, heard_marks, heard_gaps, heard_stops, n_done;
        bool heard_end;
};

static struct scripted scripted;
static struct process processes[PROCESSES];
static uint64_t number;

static void close_way(struct trace_way *way) {
        close_fd(&way->fd);
}

static void drain(struct trace_way *way) {
        eventfd_t n;

        (void)eventfd_read(way->fd, &n);
        while (scripted.n_read < scripted.n_written) {
                const struct written *written = &scripted.written[scripted.n_read++];

                way->events.record(way->events.userdata, &written->record, written->n);
        }
        scripted.n_read = scripted.n_written = 0;
}

/* Two have had it, one after the other. */
static pid_t pid_of(size_t i) {
        return (pid_t)(100 + i / 2);
}

/* Counted by the pid alone. */
static uint32_t count_lost(const struct trace_way *way, pid_t pid) {
        uint32_t n = 0;

        for (size_t i = 0; i < PROCESSES; i++)
                if (pid_of(i) == pid)
                        n += scripted.n_lost_before[i] + scripted.n_lost[i];
        return n;
}

static int watch(struct trace_way *way, pid_t pid, uint64_t start_time, uint32_t *ret_n_lost) {
        *ret_n_lost = count_lost(way, pid);
        return 0;
}

static void unwatch(struct trace_way *way, pid_t pid) {
}

static bool find_stranger(struct trace_way *way, pid_t pid, uint64_t start_time, bool take, struct trace_signal *ret_signal) {
        const bool is_found = scripted.has_stranger;

        *ret_signal = scripted.stranger;
        scripted.has_stranger &= !take;
        return is_found;
}

static const struct trace_way_ops ops = {
        .close = close_way,
        .drain = drain,
        .watch = watch,
        .unwatch = unwatch,
        .count_lost = count_lost,
        .find_stranger = find_stranger,
};

static void on_report(void *userdata, struct evidence *evidence) {
        struct process *process = userdata;

        assert_int_equal(process->n_done, 0);
        if (evidence->kind == EVIDENCE_SIGNAL && evidence->flag == TRISTATE_TRUE) {
                process->heard_own++;
                assert_int_equal(evidence->number, process->ending);
        } else if (evidence->kind == EVIDENCE_SIGNAL) {
                process->heard_signals++;
                /* Each sender has the number of whom it was sent to. */
                if (evidence->actor)
                        assert_true(evidence->actor->uid == process - processes && (!evidence->actor->pid || evidence->actor->pid == 77));
                else
                        assert_int_equal(evidence->number, SIGKILL);
        } else if (evidence->kind == EVIDENCE_OOM_KILL) {
                process->heard_marks++;
        } else if (evidence->kind == EVIDENCE_STOPPED) {
                process->heard_stops++;
        } else {
                assert_int_equal(evidence->kind, EVIDENCE_GAP);
                process->heard_gaps++;
        }
        evidence_deinit(evidence);
}

static void on_ended(void *userdata, enum evidence_source source) {
}

static void on_done(void *userdata, const struct evidence *end) {
        struct process *process = userdata;

        process->n_done++;
        process->heard_end = end != NULL;
        if (end)
                assert_int_equal(end->number, process->ending ? process->ending : (int64_t)(process - processes));
        process->watch = trace_watch_free(process->watch);
}

static struct trace_head head_of(enum trace_record_kind kind, const struct process *process) {
        return (struct trace_head){ kind, (uint32_t)process->pid, process->start_time * TRACE_TICK_NS + (uint64_t)(random() % 10000000), 1 + ++number, number };
}

static struct written *write_one(size_t n) {
        struct written *written = &scripted.written[scripted.n_written++];

        assert_true(scripted.n_written <= WRITTEN_MAX);
        memset(written, 0, sizeof(*written));
        written->n = n;
        eventfd_write(scripted.way.fd, 1);
        return written;
}

static struct trace_signal signal_of(const struct process *process, int32_t signal, int32_t code) {
        return (struct trace_signal){
                .head = head_of(TRACE_RECORD_SIGNAL, process),
                .signal = signal,
                .code = code,
                /* Some send from where the reader's pid namespace does not see them. */
                .sender = { .process = { .tgid = random() % 4 ? 77 : 0, .start_ns = 1 }, .uid = (uint32_t)(process - processes), .login_uid = UINT32_MAX },
        };
}

static void write_signal(struct process *process, int32_t signal, int32_t code) {
        write_one(sizeof(struct trace_signal))->record.signal = signal_of(process, signal, code);
        process->n_signals++;
}

static void write_mark(struct process *process) {
        write_one(sizeof(struct trace_victim))->record.head = head_of(TRACE_RECORD_VICTIM, process);
        process->n_marks++;
}

static void write_end(struct process *process) {
        write_one(sizeof(struct trace_exit))->record.exit = (struct trace_exit){
                .head = head_of(TRACE_RECORD_EXIT, process),
                .status = process->ending ? process->ending : (int32_t)(process - processes) << 8,
        };
        process->n_ends++;
}

static void write_torn(void) {
        struct written *written = write_one(0);

        for (size_t i = 0; i < sizeof(written->record); i++)
                ((char *)&written->record)[i] = (char)random();
        written->record.head.kind = (uint32_t)(random() % 9);
        /* Shorter than any record of its kind; or whole, and of a process that is nobody's. */
        written->n = (size_t)random() % 2 ? (size_t)random() % sizeof(struct trace_head) : sizeof(written->record);
        written->record.head.tgid = 1;
}

/* What chance has happen to it, and how much of it is told. */
static void live(struct process *process, uint32_t *n_lost) {
        bool is_oom = random() % 4 == 0, is_marked_late = random() % 2;

        if (is_oom || random() % 2)
                process->ending = is_oom || random() % 3 == 0 ? SIGKILL : random() % 2 ? SIGSEGV : SIGUSR2;
        for (long n = random() % 3; n > 0; n--)
                write_signal(process, SIGCONT, SI_USER);
        if (process->ending && random() % 4 == 0)
                ++*n_lost;
        else if (process->ending && random() % 4)
                process->is_sent = true;
        if (process->is_sent)
                write_signal(process, process->ending, is_oom ? SI_KERNEL : SI_USER);
        if (is_oom && !is_marked_late)
                write_mark(process);
        if (random() % 8)
                write_end(process);
        if (is_oom && is_marked_late)
                write_mark(process);
        if (random() % 4 == 0)
                write_torn();
}

static void one_round(sd_event *event, struct trace_source *source) {
        bool is_early[PROCESSES];

        memset(processes, 0, sizeof(processes));
        memset(scripted.n_lost, 0, sizeof(scripted.n_lost));
        for (size_t i = 0; i < PROCESSES; i++)
                scripted.n_lost_before[i] = (uint32_t)(random() % 2);
        for (size_t i = 0; i < PROCESSES; i++) {
                const struct source_sink sink = { on_report, on_ended, &processes[i] };

                processes[i].pid = pid_of(i);
                processes[i].start_time = 1000 + i;
                assert_int_equal(trace_watch_new(&processes[i].watch, source, processes[i].pid, processes[i].start_time, &(struct trace_machine){ 0 }, &sink), 0);
        }
        for (size_t i = 0; i < PROCESSES; i++) {
                /* Others hear of an end before its records are read, or after. */
                is_early[i] = random() % 2;
                if (is_early[i])
                        trace_watch_finish(processes[i].watch, on_done, &processes[i]);
                live(&processes[i], &scripted.n_lost[i]);
                if (random() % 2)
                        trace_source_drain(source);
        }
        for (size_t i = 0; i < PROCESSES; i++)
                if (!is_early[i])
                        trace_watch_finish(processes[i].watch, on_done, &processes[i]);
        for (size_t i = 0; i < PROCESSES; i++)
                while (!processes[i].n_done)
                        assert_true(sd_event_run(event, UINT64_MAX) >= 0);
        for (size_t i = 0; i < PROCESSES; i++) {
                struct process *process = &processes[i];
                const bool is_unsent = process->n_ends && process->ending && !process->is_sent;
                const uint32_t n_lost = scripted.n_lost[i];
                uint32_t n_others = 0;

                for (size_t k = 0; k < PROCESSES; k++)
                        n_others += k != i && pid_of(k) == pid_of(i) ? scripted.n_lost[k] : 0;
                assert_int_equal(process->n_done, 1);
                assert_int_equal(process->heard_end, process->n_ends > 0);
                /* Nobody was killed by a signal of which nothing is said: it was heard of, or that it is missing. */
                if (process->n_ends && process->ending)
                        assert_true(process->heard_signals || process->heard_gaps);
                /* That nobody sent it is said only where it was seen to be its own. */
                assert_int_equal(process->heard_own, 0);
                if (process->n_ends)
                        assert_int_equal(process->heard_signals, process->n_signals);
                else
                        assert_true(process->heard_gaps);
                if (n_lost)
                        assert_true(process->heard_gaps);
                /* What was lost before is no gap of his. */
                if (process->n_ends && !n_lost && !n_others && !is_unsent)
                        assert_int_equal(process->heard_gaps, 0);
                /* The OOM killer's mark counts where the kernel's kill was heard of, be it the last of all. */
                if (process->n_ends && process->n_signals)
                        assert_true(process->heard_marks == process->n_marks || !process->ending || process->heard_gaps);
        }
}

struct world {
        sd_event *event;
        struct trace_source *source;
};

static void world_begin(struct world *world) {
        scripted = (struct scripted){ .way = { .ops = &ops, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) } };
        assert_true(scripted.way.fd >= 0 && sd_event_new(&world->event) >= 0);
        assert_int_equal(trace_source_open_on(&world->source, world->event, &scripted.way), 0);
        trace_record_wait_usec = trace_mark_wait_usec = 200;
}

static void world_end(struct world *world) {
        trace_source_close(world->source);
        sd_event_unref(world->event);
}

static void whatever_is_written(void **state) {
        struct world world;

        world_begin(&world);
        for (int i = 0; i < ROUNDS; i++)
                one_round(world.event, world.source);
        world_end(&world);
}

/* --- one process ------------------------------------------------------------------------------------------------- */

static struct process *const one = &processes[0];

static void watch_process(struct world *world, pid_t pid, uint64_t start_time, bool is_child) {
        const struct source_sink sink = { on_report, on_ended, one };

        memset(processes, 0, sizeof(processes));
        one->pid = pid;
        one->start_time = start_time;
        assert_int_equal(trace_watch_new(&one->watch, world->source, pid, start_time, &(struct trace_machine){ .is_child = is_child }, &sink), 0);
}

static void watch_one(struct world *world, bool is_child) {
        watch_process(world, pid_of(0), 1000, is_child);
}

static void finish_one(struct world *world) {
        trace_watch_finish(one->watch, on_done, one);
        while (!one->n_done)
                assert_true(sd_event_run(world->event, UINT64_MAX) >= 0);
}

static void a_signal_that_nobody_was_seen_to_send(void **state) {
        static const struct {
                int ending;
                enum trace_part lacks;
                unsigned gaps;
        } cases[] = {
                { 0, _TRACE_PART_N, 0 },
                /* The kernel tells of each, and of a SIGKILL by perf, too. */
                { SIGKILL, _TRACE_PART_N, 1 },
                { SIGKILL, TRACE_SENDERS, 1 },
                { SIGUSR2, _TRACE_PART_N, 1 },
                { SIGUSR2, TRACE_SENDERS, 0 },
                { SIGUSR2, TRACE_SIGNALS, 0 },
                /* A tracer may have had it delivered. */
                { SIGSEGV, _TRACE_PART_N, 1 },
                { SIGSEGV, TRACE_SENDERS, 0 },
                { SIGSEGV, TRACE_SIGNALS, 0 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct world world;

                world_begin(&world);
                if (cases[i].lacks != _TRACE_PART_N)
                        strcpy(scripted.way.lacks[cases[i].lacks], "it does not");
                watch_one(&world, false);
                one->ending = cases[i].ending;
                write_end(one);
                finish_one(&world);
                assert_int_equal(one->heard_gaps, cases[i].gaps);
                assert_int_equal(one->heard_own, 0);
                world_end(&world);
        }
}

/* It may have been sent before anybody watched. */
static void what_waits_for_a_process_that_is_stopped_may_be_anybodys(void **state) {
        pid_t child = fork();
        struct proc_stat stat;
        struct world world;
        int status;

        if (!child) {
                raise(SIGSTOP);
                _exit(0);
        }
        assert_int_equal(waitpid(child, &status, WUNTRACED), child);
        assert_true(WIFSTOPPED(status));
        assert_int_equal(proc_stat_read(&stat, child), 0);
        world_begin(&world);
        watch_process(&world, child, stat.start_time, false);
        one->ending = SIGSEGV;
        write_end(one);
        finish_one(&world);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        assert_int_equal(one->heard_own, 0);
        world_end(&world);
}

static void that_a_child_is_stopped_its_parent_tells(void **state) {
        for (int is_child = 0; is_child < 2; is_child++) {
                struct world world;

                world_begin(&world);
                watch_one(&world, is_child);
                write_signal(one, SIGSTOP, SI_USER);
                write_end(one);
                finish_one(&world);
                assert_int_equal(one->heard_signals, 1);
                assert_int_equal(one->heard_stops, !is_child);
                world_end(&world);
        }
}

static void the_oom_killers_mark_is_waited_for_where_there_may_be_one(void **state) {
        struct world world;

        world_begin(&world);
        trace_mark_wait_usec = 30000000;
        for (int i = 0; i < 4; i++) {
                const bool is_waited_for = i == 0, is_marked = i == 1;

                strcpy(scripted.way.lacks[TRACE_OOM], i == 2 ? "it does not" : "");
                watch_one(&world, false);
                one->ending = SIGKILL;
                write_signal(one, SIGKILL, i == 3 ? SI_USER : SI_KERNEL);
                if (is_marked)
                        write_mark(one);
                write_end(one);
                trace_watch_finish(one->watch, on_done, one);
                assert_int_equal(one->n_done, !is_waited_for);
                if (is_waited_for) {
                        write_mark(one);
                        trace_source_drain(world.source);
                        assert_int_equal(one->n_done, 1);
                }
                assert_int_equal(one->heard_marks, is_waited_for || is_marked);
        }
        world_end(&world);
}

static void how_ones_own_child_has_ended_before_it_was_watched_is_no_gap(void **state) {
        for (int is_child = 0; is_child < 2; is_child++)
                for (int is_late = 0; is_late < 2; is_late++) {
                        struct world world;

                        world_begin(&world);
                        scripted.has_stranger = is_late;
                        scripted.stranger = signal_of(one, SIGKILL, SI_USER);
                        watch_one(&world, is_child);
                        finish_one(&world);
                        assert_int_equal(one->heard_signals, is_late);
                        assert_int_equal(one->heard_gaps, !(is_child && is_late));
                        world_end(&world);
                }
}

/* The kernel's programs take it for a stranger's still. */
static void a_signal_of_the_moment_in_which_it_is_watched_is_known_at_its_end(void **state) {
        struct world world;

        world_begin(&world);
        watch_one(&world, false);
        scripted.has_stranger = true;
        scripted.stranger = signal_of(one, SIGKILL, SI_USER);
        one->ending = SIGKILL;
        write_end(one);
        finish_one(&world);
        assert_int_equal(one->heard_signals, 1);
        assert_int_equal(one->heard_gaps, 0);
        world_end(&world);
}

static void a_victims_cgroup_is_looked_up_where_no_other_process_has_its_pid(void **state) {
        struct trace_victim record = { .head = { .kind = TRACE_RECORD_VICTIM, .tgid = (uint32_t)getpid() } };
        char text[8192], path[4096];
        ssize_t n = proc_read("/proc/self/cgroup", text, sizeof(text));
        struct evidence victim;
        struct proc_stat stat;
        bool is_v1;

        assert_true(n > 0 && !proc_stat_read(&stat, getpid()));
        is_v1 = !proc_cgroup_parse(path, sizeof(path), text, (size_t)n, "memory");
        /* Long names are cut. */
        if ((!is_v1 && proc_cgroup_parse(path, sizeof(path), text, (size_t)n, NULL)) || strlen(path) >= TRACE_CGROUP_NAME)
                skip();
        record.head.start_ns = (stat.start_time + 1) * TRACE_TICK_NS;
        trace_victim_take(&record);
        assert_false(record.has_cgroup);
        record.head.start_ns = stat.start_time * TRACE_TICK_NS;
        trace_victim_take(&record);
        trace_victim_decode(&victim, &record);
        /* v1 says the root of whoever is on his way out, too. */
        assert_string_equal(victim.text, is_v1 && !strcmp(path, "/") ? "" : path);
}

/* A victim's memory group is the root once it is on its way out, and so nothing is known of where it was. */
static void of_a_victim_in_the_root_of_v1_nothing_is_said(void **state) {
        struct trace_victim record = { .head = { .kind = TRACE_RECORD_VICTIM } };
        const int root = open("/sys/fs/cgroup/memory/cgroup.procs", O_WRONLY | O_CLOEXEC);
        struct proc_stat stat;
        char text[16];
        bool is_moved;
        pid_t child;

        if (root < 0)
                skip();
        child = fork();
        if (!child)
                for (;;)
                        pause();
        snprintf(text, sizeof(text), "%d", (int)child);
        is_moved = write(root, text, strlen(text)) > 0;
        close(root);
        record.head.tgid = (uint32_t)child;
        if (!proc_stat_read(&stat, child)) {
                record.head.start_ns = stat.start_time * TRACE_TICK_NS;
                trace_victim_take(&record);
        }
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        if (!is_moved)
                skip();
        assert_int_not_equal(record.head.start_ns, 0);
        assert_false(record.has_cgroup);
}

static void the_first_end_is_the_end(void **state) {
        struct world world;

        world_begin(&world);
        watch_one(&world, false);
        one->ending = SIGSEGV;
        write_end(one);
        one->ending = SIGKILL;
        write_end(one);
        one->ending = SIGSEGV;
        finish_one(&world);
        assert_true(one->heard_end);
        world_end(&world);
}

int main(int argc, char **argv) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(whatever_is_written),
                cmocka_unit_test(a_signal_that_nobody_was_seen_to_send),
                cmocka_unit_test(what_waits_for_a_process_that_is_stopped_may_be_anybodys),
                cmocka_unit_test(that_a_child_is_stopped_its_parent_tells),
                cmocka_unit_test(the_oom_killers_mark_is_waited_for_where_there_may_be_one),
                cmocka_unit_test(how_ones_own_child_has_ended_before_it_was_watched_is_no_gap),
                cmocka_unit_test(a_signal_of_the_moment_in_which_it_is_watched_is_known_at_its_end),
                cmocka_unit_test(a_victims_cgroup_is_looked_up_where_no_other_process_has_its_pid),
                cmocka_unit_test(of_a_victim_in_the_root_of_v1_nothing_is_said),
                cmocka_unit_test(the_first_end_is_the_end),
        };
        const char *seed = getenv("VMPOWER_SEED");

        srandom(seed ? (unsigned)strtoul(seed, NULL, 10) : 1);
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("trace_laws", tests, NULL, NULL);
}
