/*
 * What holds for whatever the kernel writes, in whatever order, torn, lost, or of whoever had the pid before: a way of our own, with records by chance.
 */
#include "basics/cleanup.h"
#include "sources/trace/trace_way.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

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
                struct trace_exit exit;
        } record;
        size_t n;
};

struct scripted {
        struct trace_way way; /* first */
        struct written written[WRITTEN_MAX];
        size_t n_written, n_read;
        uint32_t n_lost[PROCESSES];
};

/* A process, what was written of it, and what was heard. */
struct process {
        pid_t pid;
        uint64_t start_time;
        struct trace_watch *watch;
        unsigned n_signals, n_marks, n_ends; /* that are whole */
        bool is_killed;
        unsigned heard_signals, heard_marks, heard_gaps, n_done;
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

static int watch(struct trace_way *way, pid_t pid, uint64_t start_time, uint32_t *ret_n_lost) {
        *ret_n_lost = 0;
        return 0;
}

static void unwatch(struct trace_way *way, pid_t pid) {
}

static uint32_t count_lost(const struct trace_way *way, pid_t pid) {
        for (size_t i = 0; i < PROCESSES; i++)
                if (processes[i].pid == pid && scripted.n_lost[i])
                        return scripted.n_lost[i];
        return 0;
}

static bool find_stranger(struct trace_way *way, pid_t pid, uint64_t start_time, bool take, struct trace_signal *ret_signal) {
        return false;
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
        if (evidence->kind == EVIDENCE_SIGNAL) {
                process->heard_signals++;
                /* Each sender has the number of whom it was sent to. */
                if (evidence->actor)
                        assert_int_equal(evidence->actor->uid, process - processes);
                else
                        assert_int_equal(evidence->number, SIGKILL);
        } else if (evidence->kind == EVIDENCE_OOM_KILL) {
                process->heard_marks++;
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
                assert_int_equal(end->number, process->is_killed ? SIGKILL : (int64_t)(process - processes));
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

static void write_signal(struct process *process, int32_t signal, int32_t code) {
        struct written *written = write_one(sizeof(struct trace_signal));

        written->record.signal = (struct trace_signal){
                .head = head_of(TRACE_RECORD_SIGNAL, process),
                .signal = signal,
                .code = code,
                .sender = { .process = { .tgid = 77, .start_ns = 1 }, .uid = (uint32_t)(process - processes), .login_uid = UINT32_MAX },
        };
        process->n_signals++;
}

static void write_mark(struct process *process) {
        write_one(sizeof(struct trace_head))->record.head = head_of(TRACE_RECORD_VICTIM, process);
        process->n_marks++;
}

static void write_end(struct process *process) {
        write_one(sizeof(struct trace_exit))->record.exit = (struct trace_exit){
                .head = head_of(TRACE_RECORD_EXIT, process),
                .status = process->is_killed ? SIGKILL : (int32_t)(process - processes) << 8,
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

        process->is_killed = is_oom || random() % 2;
        for (long n = random() % 3; n > 0; n--)
                write_signal(process, SIGCONT, SI_USER);
        if (process->is_killed && random() % 4 == 0)
                ++*n_lost;
        else if (process->is_killed && random() % 8)
                write_signal(process, SIGKILL, is_oom ? SI_KERNEL : SI_USER);
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
        for (size_t i = 0; i < PROCESSES; i++) {
                const struct source_sink sink = { on_report, on_ended, &processes[i] };

                processes[i].pid = (pid_t)(100 + i / 2);
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

                assert_int_equal(process->n_done, 1);
                assert_int_equal(process->heard_end, process->n_ends > 0);
                /* Nobody was killed by a signal of which nothing is said: it was heard of, or that it is missing. */
                if (process->n_ends && process->is_killed)
                        assert_true(process->heard_signals || process->heard_gaps);
                if (process->n_ends)
                        assert_int_equal(process->heard_signals, process->n_signals);
                else
                        assert_true(process->heard_gaps);
                if (scripted.n_lost[i])
                        assert_true(process->heard_gaps);
                /* The OOM killer's mark counts where the kernel's kill was heard of, be it the last of all. */
                if (process->n_ends && process->n_signals)
                        assert_true(process->heard_marks == process->n_marks || !process->is_killed || process->heard_gaps);
        }
}

static void whatever_is_written(void **state) {
        struct trace_source *source;
        sd_event *event;

        scripted = (struct scripted){ .way = { .ops = &ops, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) } };
        assert_true(scripted.way.fd >= 0 && sd_event_new(&event) >= 0);
        assert_int_equal(trace_source_open_on(&source, event, &scripted.way), 0);
        trace_record_wait_usec = trace_mark_wait_usec = 200;
        for (int i = 0; i < ROUNDS; i++)
                one_round(event, source);
        trace_source_close(source);
        sd_event_unref(event);
}

int main(int argc, char **argv) {
        static const struct CMUnitTest tests[] = { cmocka_unit_test(whatever_is_written) };
        const char *seed = getenv("VMPOWER_SEED");

        srandom(seed ? (unsigned)strtoul(seed, NULL, 10) : 1);
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("trace_laws", tests, NULL, NULL);
}
