#include "sources/trace/trace_source.h"
#include "basics/table.h"
#include "core/text.h"
#include "sources/proc.h"
#include "sources/toolstack.h"
#include "sources/trace/left_records.h"
#include "sources/trace/trace_actor.h"
#include "sources/trace/trace_perf.h"
#include "sources/trace/trace_programs.h"
#include "sources/trace/trace_sender.h"
#include "sources/xen_dom0.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

uint64_t trace_record_wait_usec = 1000000;
uint64_t trace_mark_wait_usec = 100000;

/* What was sent to one that is held, so long before its end: what came before, whoever watches it has told. */
#define HELD_NS UINT64_C(1000000000)

enum { SIGNALS = 65 };

static const char *const names[_TRACE_PART_N] = {
        [TRACE_SIGNALS] = "trace-signals",
        [TRACE_OOM] = "trace-oom",
        [TRACE_EXITS] = "trace-exits",
        [TRACE_PORTS] = "trace-ports",
        [TRACE_KVM_EXITS] = "trace-kvm-exits",
        [TRACE_BIRTHS] = "trace-births",
        [TRACE_SENDERS] = "trace-senders",
        [TRACE_HYPERCALLS] = "trace-hypercalls",
};

const char *trace_part_name(enum trace_part part) {
        return names[part];
}

struct trace_source {
        sd_event *event;
        sd_event_source *io;
        struct trace_way *way;
        struct table watches; /* by tgid */
        void (*born)(void *userdata, pid_t pid); /* NULL: nobody asked */
        void *born_userdata;
        void (*called)(void *userdata, struct evidence *evidence); /* NULL: nobody asked */
        void *called_userdata;
        bool counts_calls; /* those that are lost */
        bool lacks_right; /* to programs in the kernel */
        bool is_draining;
        bool is_left;              /* to the process that comes next */
        bool is_taking_over;       /* whom the process before watched is not known yet: */
        struct left_records left;  /* what is about nobody so far */
};

struct trace_watch {
        struct trace_source *source;
        struct table_link by_tgid;
        bool is_held; /* for a watch to come: */
        struct left_records held;
        pid_t pid;
        uint64_t start_time;
        struct trace_machine machine;
        struct source_sink sink;
        uint32_t n_lost_before; /* records that are none of his */
        struct trace_exit end; /* as the kernel saw it */
        bool has_end;
        bool is_stopped;
        bool has_signal[SIGNALS]; /* it was reported that such a one was sent */
        bool is_late;             /* a signal was sent to it before it was watched, and may have ended it by then */
        bool is_killed_by_kernel, is_victim;
        sd_event_source *deadline;
        void (*done)(void *userdata, const struct evidence *end);
        void *userdata;
};

static uint64_t hash_of(pid_t pid) {
        return table_hash(&pid, sizeof(pid));
}

/* The wall clock at an instant of the other one, that has just been. */
static uint64_t time_at(uint64_t at_ns) {
        uint64_t now_ns = source_now_ns(), time_ns = source_time_ns();

        return at_ns < now_ns ? time_ns - (now_ns - at_ns) : time_ns;
}

static void report(struct trace_watch *watch, struct evidence *evidence) {
        evidence->time_ns = time_at(evidence->at_ns);
        source_report(&watch->sink, evidence);
}

/* --- signals ----------------------------------------------------------------------------------------------------- */

/*
 * Who ended, and took it along, may have been ended, and so may have been who did that: then the first of them did it.  ret_target: whom he sent it to; 0: the watched
 * process itself.
 */
static const struct trace_signal *beginning_of(struct trace_watch *watch, const struct trace_signal *signal, struct trace_signal *ret_first, uint32_t *ret_target) {
        struct trace_way *way = watch->source->way;
        const struct trace_signal *found = signal;

        *ret_target = 0;
        for (size_t i = 0; i < TRACE_PARENTS && trace_signal_comes_with_end(found); i++) {
                const struct trace_process between = found->sender.process;
                struct trace_signal before;

                if (!way->ops->find_stranger(way, (pid_t)between.tgid, between.start_ns / TRACE_TICK_NS, false, &before) || before.sender.process.tgid == between.tgid)
                        break;
                *ret_target = between.tgid;
                *ret_first = before;
                found = ret_first;
        }
        if (*ret_target)
                trace_signal_take_over(ret_first, signal);
        return found;
}

static void take_signal(struct trace_watch *watch, const struct trace_signal *taken) {
        struct trace_signal first;
        uint32_t target;
        const struct trace_signal *signal = beginning_of(watch, taken, &first, &target);
        struct evidence evidence;

        watch->is_killed_by_kernel |= taken->signal == SIGKILL && taken->code == SI_KERNEL;
        if (trace_signal_decode(&evidence, signal))
                return;
        watch->has_signal[taken->signal] = true;
        /* What may be gone in a moment is looked at first. */
        if (evidence.actor)
                trace_actor_take_unit(&evidence, watch->pid);
        if (evidence.actor && target)
                snprintf(evidence.actor->via, sizeof(evidence.actor->via), "%.15s to %" PRIu32, evidence.word, target);
        if (evidence.actor)
                toolstack_find_asker(evidence.actor, evidence.text);
        if (evidence.actor && trace_signal_is_from_terminal(signal))
                trace_actor_complete_leader(&evidence, signal);
        else if (evidence.actor)
                trace_actor_complete(&evidence, &signal->sender);
        report(watch, &evidence);
        if (!watch->machine.is_child && trace_stop_decode(&evidence, signal, &watch->is_stopped))
                report(watch, &evidence);
}

/* Before it was watched. */
static void look_at_strangers(struct trace_watch *watch) {
        struct trace_way *way = watch->source->way;
        struct trace_signal signal;

        if (!way->ops->find_stranger(way, watch->pid, watch->start_time, true, &signal))
                return;
        watch->is_late = true;
        take_signal(watch, &signal);
}

/* --- records ----------------------------------------------------------------------------------------------------- */

static void take_power(struct trace_watch *watch, const struct trace_head *head) {
        struct evidence facts[TRACE_POWER_FACTS];
        size_t n;

        trace_power_decode(facts, &n, head, &watch->machine);
        for (size_t i = 0; i < n; i++)
                report(watch, &facts[i]);
}

static void complete(struct trace_watch *watch);

/* The kernel kills first, and marks its OOM killer's victim then: who has another CPU may be gone before. */
static bool waits_for_mark(const struct trace_watch *watch) {
        return watch->is_killed_by_kernel && !watch->is_victim && !trace_source_lacks(watch->source, TRACE_OOM);
}

static void wait_for(struct trace_watch *watch, uint64_t usec);

static void take_end(struct trace_watch *watch, const struct trace_exit *record) {
        if (watch->has_end)
                return;
        watch->end = *record;
        watch->has_end = true;
        /* A record before it that was still being written has held this one up. */
        if (watch->done && !waits_for_mark(watch))
                complete(watch);
        else if (watch->done)
                wait_for(watch, trace_mark_wait_usec);
}

static void take_victim(struct trace_watch *watch, const struct trace_victim *record) {
        struct trace_victim known = *record;
        struct evidence victim;

        watch->is_victim = true;
        if (!known.has_cgroup)
                trace_victim_take(&known);
        trace_victim_decode(&victim, &known);
        report(watch, &victim);
        if (watch->done && watch->has_end)
                complete(watch);
}

static void take_record(struct trace_watch *watch, const struct trace_head *head) {
        switch ((enum trace_record_kind)head->kind) {
        case TRACE_RECORD_SIGNAL:
                take_signal(watch, (const struct trace_signal *)head);
                break;
        case TRACE_RECORD_VICTIM:
                take_victim(watch, (const struct trace_victim *)head);
                break;
        case TRACE_RECORD_EXIT:
                take_end(watch, (const struct trace_exit *)head);
                break;
        case TRACE_RECORD_PORT:
        case TRACE_RECORD_KVM_EXIT:
                take_power(watch, head);
                break;
        case TRACE_RECORD_BIRTH: /* about nobody who is watched yet */
        case TRACE_RECORD_HYPERCALL: /* about no process */
                break;
        }
}

/* Of one whose start is not known any more, whoever was the last to have that pid by then. */
static struct trace_watch *find_watch(const struct trace_source *source, const struct trace_head *head) {
        struct table_link *link = table_first(&source->watches, hash_of((pid_t)head->tgid));
        struct trace_watch *last = NULL, *held = NULL;

        for (; link; link = table_next(link)) {
                struct trace_watch *watch = link->owner;

                if (watch->pid != (pid_t)head->tgid)
                        continue;
                if (trace_head_is_about(head, watch->start_time) && !watch->is_held)
                        return watch;
                if (trace_head_is_about(head, watch->start_time))
                        held = watch;
                if (!head->start_ns && watch->start_time <= head->at_ns / TRACE_TICK_NS && (!last || last->start_time < watch->start_time))
                        last = watch;
        }
        return held ? held : last;
}

/* They are in their order still. */
static void take_what_was_left(struct trace_watch *watch) {
        for (const struct left_record *left = watch->source->left.first; left; left = left->next) {
                const struct trace_head *head = left_record_head(left);

                if (head->tgid != (uint32_t)watch->pid || !trace_head_is_about(head, watch->start_time))
                        continue;
                if (watch->is_held)
                        left_records_hold(&watch->held, head, left->n);
                else
                        take_record(watch, head);
        }
}

static struct trace_watch *find_held(const struct trace_source *source, pid_t pid, uint64_t start_time) {
        struct table_link *link = table_first(&source->watches, hash_of(pid));

        for (; link; link = table_next(link)) {
                struct trace_watch *watch = link->owner;

                if (watch->is_held && watch->pid == pid && watch->start_time == start_time)
                        return watch;
        }
        return NULL;
}

static void take_what_was_held(struct trace_watch *watch, struct trace_watch *held) {
        const struct trace_head *end = left_records_find_end(&held->held, 0, 0);
        uint64_t last_ns = end ? end->at_ns : source_now_ns();

        for (const struct left_record *left = held->held.first; left; left = left->next)
                if (left_record_head(left)->at_ns + HELD_NS >= last_ns)
                        take_record(watch, left_record_head(left));
        left_records_forget(&held->held);
        watch->n_lost_before = held->n_lost_before;
}

static void take_hypercall(struct trace_source *source, const struct trace_hypercall *record) {
        char *lacks = source->way->lacks[TRACE_HYPERCALLS];
        struct evidence evidence;
        int r;

        if (!source->called || trace_hypercall_is_own(record))
                return;
        r = trace_hypercall_decode(&evidence, record);
        if (r == TRACE_NO_FACT && !*lacks) {
                snprintf(lacks, TRACE_WHY_MAX, "Xen's domctl interface has version 0x%" PRIx32 " here, which this vmpower does not know", record->version);
                source->called(source->called_userdata, NULL);
        }
        if (r)
                return;
        trace_actor_complete(&evidence, &record->sender);
        evidence.time_ns = time_at(evidence.at_ns);
        source->called(source->called_userdata, &evidence);
}

static void on_record(void *userdata, const void *record, size_t n) {
        struct trace_source *source = userdata;
        const struct trace_head *head = record;
        struct trace_watch *watch;

        if (trace_record_check(record, n))
                return;
        if (head->kind == TRACE_RECORD_BIRTH) {
                if (source->born)
                        source->born(source->born_userdata, (pid_t)head->tgid);
                return;
        }
        if (head->kind == TRACE_RECORD_HYPERCALL) {
                take_hypercall(source, record);
                return;
        }
        watch = find_watch(source, head);
        if (watch && watch->is_held)
                left_records_hold(&watch->held, head, n);
        else if (watch)
                take_record(watch, head);
        else if (source->is_taking_over)
                left_records_add(&source->left, record, n);
}

static bool is_watched(void *userdata, pid_t pid) {
        const struct trace_source *source = userdata;
        struct table_link *link = table_first(&source->watches, hash_of(pid));

        if (pid == TRACE_HYPERCALLS_LOST)
                return source->counts_calls;
        while (link && ((struct trace_watch *)link->owner)->pid != pid)
                link = table_next(link);
        return link;
}

void trace_source_on_birth(struct trace_source *source, void (*born)(void *userdata, pid_t pid), void *userdata) {
        source->born = born;
        source->born_userdata = userdata;
}

void trace_source_on_hypercall(struct trace_source *source, void (*called)(void *userdata, struct evidence *evidence), void *userdata) {
        uint32_t none;

        source->called = called;
        source->called_userdata = userdata;
        source->counts_calls = called && xen_dom0_is_here() && !trace_source_lacks(source, TRACE_HYPERCALLS) &&
                               !source->way->ops->watch(source->way, TRACE_HYPERCALLS_LOST, 0, &none);
}

/* Whoever was about to destroy what domain: a gap is evidence.  Once. */
static void report_lost_calls(struct trace_source *source) {
        const struct trace_way_ops *ops = source->way->ops;
        struct evidence gap = evidence_make(SOURCE_TRACE, EVIDENCE_GAP);
        uint32_t n = source->counts_calls ? ops->count_lost(source->way, TRACE_HYPERCALLS_LOST) : 0, none;
        char text[64];
        int n_text;

        if (!n)
                return;
        ops->unwatch(source->way, TRACE_HYPERCALLS_LOST);
        ops->watch(source->way, TRACE_HYPERCALLS_LOST, 0, &none);
        n_text = snprintf(text, sizeof(text), "%" PRIu32 " of the kernel's records of hypercalls were lost", n);
        evidence_set_text(&gap, text, (size_t)n_text);
        source->called(source->called_userdata, &gap);
}

static void report_lost_births(struct trace_source *source) {
        if (source->way->has_lost && source->born)
                source->born(source->born_userdata, 0);
        source->way->has_lost = false;
}

void trace_source_drain(struct trace_source *source) {
        /* What is reported may make somebody drain. */
        if (!source || source->is_draining)
                return;
        source->is_draining = true;
        source->way->ops->drain(source->way);
        report_lost_calls(source);
        report_lost_births(source);
        source->is_draining = false;
}

/* --- an end ------------------------------------------------------------------------------------------------------ */

static uint32_t count_lost(const struct trace_watch *watch) {
        const struct trace_way *way = watch->source->way;

        return way->ops->count_lost(way, watch->pid) - watch->n_lost_before;
}

/* A gap is evidence. */
static void report_lost(struct trace_watch *watch) {
        uint32_t n_lost = count_lost(watch);

        if (n_lost)
                source_report_gap(&watch->sink, SOURCE_TRACE, "%" PRIu32 " of the kernel's records%s were lost", n_lost,
                                  watch->source->way->loses_for_all ? ", about it or others," : " about it");
}

/*
 * A signal ended it, and none was seen to be sent: the kernel has taken it off the CPU itself (a fault of the kernel's own; before Linux 5.16 seccomp), or a tracer had it
 * delivered (ptrace(2)), which looks the same.  All others are told; but perf does not read of a process's own faults.
 */
static void report_unsent(struct trace_watch *watch, const struct evidence *end) {
        const struct trace_source *source = watch->source;

        if (end->kind != EVIDENCE_KILLED || end->number >= SIGNALS || watch->has_signal[end->number] || trace_source_lacks(source, TRACE_SIGNALS))
                return;
        if (end->number == SIGKILL || !trace_source_lacks(source, TRACE_SENDERS))
                source_report_gap(&watch->sink, SOURCE_TRACE, "the kernel has told that it was killed, and not by whom");
}

static void complete(struct trace_watch *watch) {
        void (*done)(void *, const struct evidence *) = watch->done;
        struct evidence end = { 0 };
        bool has_end = watch->has_end;

        watch->done = NULL;
        watch->deadline = sd_event_source_disable_unref(watch->deadline);
        /* How its own child has ended who watches it knows. */
        if (!has_end && !trace_source_lacks(watch->source, TRACE_EXITS) && !(watch->is_late && watch->machine.is_child))
                source_report_gap(&watch->sink, SOURCE_TRACE, "the kernel's record of its end has not come");
        if (has_end) {
                trace_exit_decode(&end, &watch->end);
                /* What ends it was seen, and not that it had ended. */
                if (trace_source_lacks(watch->source, TRACE_EXITS))
                        end.at_ns = source_now_ns();
                end.time_ns = time_at(end.at_ns);
        }
        look_at_strangers(watch);
        report_lost(watch);
        report_unsent(watch, &end);
        /* It may free the watch. */
        done(watch->userdata, has_end ? &end : NULL);
}

static int on_deadline(sd_event_source *timer, uint64_t usec, void *userdata) {
        complete(userdata);
        return 0;
}

static void wait_for(struct trace_watch *watch, uint64_t usec) {
        watch->deadline = sd_event_source_disable_unref(watch->deadline);
        if (sd_event_add_time_relative(watch->source->event, &watch->deadline, CLOCK_MONOTONIC, usec, 1000, on_deadline, watch) < 0)
                complete(watch);
}

void trace_watch_finish(struct trace_watch *watch, void (*done)(void *userdata, const struct evidence *end), void *userdata) {
        struct trace_source *source = watch->source;

        trace_source_drain(source);
        watch->done = done;
        watch->userdata = userdata;
        if (trace_source_lacks(source, TRACE_EXITS) || (watch->has_end && !waits_for_mark(watch)))
                complete(watch);
        else
                wait_for(watch, watch->has_end ? trace_mark_wait_usec : trace_record_wait_usec);
}

/* --- its life ---------------------------------------------------------------------------------------------------- */

static int on_readable(sd_event_source *io, int fd, uint32_t events, void *userdata) {
        trace_source_drain(userdata);
        return 0;
}

uint32_t trace_source_version(void) {
        return trace_programs_version();
}

void trace_source_descriptors(const struct trace_source *source, struct trace_descriptors *ret_descriptors) {
        source->way->ops->descriptors(source->way, ret_descriptors);
}

void trace_source_begin(struct trace_source *source) {
        if (!source->is_taking_over)
                return;
        trace_source_drain(source);
        source->is_taking_over = false;
        left_records_forget(&source->left);
        source->way->ops->forget_others(source->way);
}

bool trace_source_saw_end(struct trace_source *source, pid_t pid, uint64_t start_time) {
        const struct trace_watch *held = find_held(source, pid, start_time);

        trace_source_drain(source);
        return left_records_find_end(&source->left, pid, start_time) || (held && left_records_find_end(&held->held, 0, 0));
}

static void say_perf(struct trace_source *source, enum trace_scope scope, const char *why) {
        snprintf(source->way->lacks[TRACE_SENDERS], TRACE_WHY_MAX, "%.90s: its tracepoints are read by perf", why);
        if (scope == TRACE_HOST && xen_dom0_is_here())
                snprintf(source->way->lacks[TRACE_HYPERCALLS], TRACE_WHY_MAX, "%.90s, and perf reads no hypercalls", why);
}

/* With programs in the kernel; else by perf, and what that lacks is told. */
static int open_way(struct trace_source *source, enum trace_scope scope, struct trace_descriptors *handed, char ret_why[static TRACE_WHY_MAX]) {
        const struct trace_way_events events = { on_record, is_watched, source };
        char why[TRACE_WHY_MAX];
        int r;

        source->is_taking_over = handed && trace_programs_take(&source->way, handed, &events);
        if (source->is_taking_over)
                return 0;
        r = trace_programs_open(&source->way, scope, &events, ret_why);
        if (r != TRACE_ABSENT && r != -EPERM)
                return r;
        source->lacks_right = r == -EPERM;
        r = trace_perf_open(&source->way, scope, &events, why);
        if (!r)
                say_perf(source, scope, ret_why);
        else
                snprintf(ret_why + strlen(ret_why), TRACE_WHY_MAX - strlen(ret_why), "; nor by perf: %s", r < 0 ? strerror(-r) : why);
        return r;
}

static struct trace_source *source_new(sd_event *event) {
        struct trace_source *source = calloc(1, sizeof(*source));

        if (!source)
                return NULL;
        source->event = sd_event_ref(event);
        return source;
}

static int read_way(struct trace_source *source) {
        int r = sd_event_add_io(source->event, &source->io, source->way->fd, EPOLLIN, on_readable, source);

        /* What the kernel saw comes before what others say of it. */
        return r < 0 ? r : sd_event_source_set_priority(source->io, SD_EVENT_PRIORITY_IMPORTANT);
}

int trace_source_open_on(struct trace_source **ret_source, sd_event *event, struct trace_way *way) {
        struct trace_source *source = source_new(event);
        int r;

        if (!source)
                return -ENOMEM;
        source->way = way;
        r = read_way(source);
        if (r < 0) {
                source->way = NULL;
                trace_source_close(source);
                return r;
        }
        way->events = (struct trace_way_events){ on_record, is_watched, source };
        *ret_source = source;
        return 0;
}

int trace_source_open(struct trace_source **ret_source, sd_event *event, enum trace_scope scope, struct trace_descriptors *handed,
                      char ret_why[static TRACE_WHY_MAX]) {
        struct trace_source *source = source_new(event);
        int r;

        if (!source)
                return -ENOMEM;
        r = open_way(source, scope, handed, ret_why);
        if (r) {
                trace_source_close(source);
                return r;
        }
        r = read_way(source);
        if (r < 0) {
                snprintf(ret_why, TRACE_WHY_MAX, "cannot wait for what the kernel writes: %s", strerror(-r));
                trace_source_close(source);
                return r;
        }
        *ret_source = source;
        return 0;
}

struct trace_source *trace_source_close(struct trace_source *source) {
        if (!source)
                return NULL;
        sd_event_source_disable_unref(source->io);
        if (source->way)
                source->way->ops->close(source->way);
        table_deinit(&source->watches);
        left_records_forget(&source->left);
        sd_event_unref(source->event);
        free(source);
        return NULL;
}

bool trace_source_lacks_right(const struct trace_source *source) {
        return source->lacks_right;
}

bool trace_source_look_again(struct trace_source *source) {
        return source->way->ops->look_again(source->way);
}

bool trace_source_is_at_each_call(const struct trace_source *source) {
        return source->way->is_at_each_call;
}

const char *trace_source_lacks(const struct trace_source *source, enum trace_part part) {
        return source->way->lacks[part][0] ? source->way->lacks[part] : NULL;
}

void trace_source_leave(struct trace_source *source) {
        source->is_left = true;
}

/* Now; but what the process before us has not read may be the end, or the beginning, of that. */
static bool was_stopped(const struct trace_source *source, pid_t pid, uint64_t start_time, const struct proc_stat *now) {
        return !left_records_have_stop(&source->left, pid, start_time) && now->start_time == start_time && (now->state == 'T' || now->state == 't');
}

static int watch_add(struct trace_watch **ret_watch, struct trace_source *source, pid_t pid, uint64_t start_time) {
        int r = table_make_room(&source->watches);
        struct trace_watch *watch;

        if (r)
                return r;
        watch = calloc(1, sizeof(*watch));
        if (!watch)
                return -ENOMEM;
        watch->source = source;
        watch->pid = pid;
        watch->start_time = start_time;
        r = source->way->ops->watch(source->way, pid, start_time, &watch->n_lost_before);
        if (r) {
                free(watch);
                return r;
        }
        table_add(&source->watches, &watch->by_tgid, hash_of(pid), watch);
        *ret_watch = watch;
        return 0;
}

int trace_watch_hold(struct trace_watch **ret_watch, struct trace_source *source, pid_t pid, uint64_t start_time) {
        int r = watch_add(ret_watch, source, pid, start_time);

        if (r)
                return r;
        (*ret_watch)->is_held = true;
        take_what_was_left(*ret_watch);
        return 0;
}

int trace_watch_new(struct trace_watch **ret_watch, struct trace_source *source, pid_t pid, uint64_t start_time,
                    const struct trace_machine *machine, const struct source_sink *sink) {
        struct proc_stat stat = { 0 };
        struct trace_watch *watch, *held;
        int r = proc_stat_read(&stat, pid);

        if (start_time)
                r = 0; /* it may be gone */
        else
                start_time = stat.start_time;
        if (!r)
                r = watch_add(&watch, source, pid, start_time);
        if (r)
                return r;
        held = find_held(source, pid, start_time);
        watch->machine = *machine;
        watch->sink = *sink;
        watch->is_stopped = was_stopped(source, pid, start_time, &stat);
        *ret_watch = watch;
        if (held)
                take_what_was_held(watch, held);
        else
                take_what_was_left(watch);
        look_at_strangers(watch);
        return 0;
}

struct trace_watch *trace_watch_free(struct trace_watch *watch) {
        if (!watch)
                return NULL;
        table_remove(&watch->source->watches, &watch->by_tgid);
        /* Another process that has its pid by now is watched on. */
        if (!watch->source->is_left && !is_watched(watch->source, watch->pid))
                watch->source->way->ops->unwatch(watch->source->way, watch->pid);
        sd_event_source_disable_unref(watch->deadline);
        left_records_forget(&watch->held);
        free(watch);
        return NULL;
}

void trace_watch_set_machine(struct trace_watch *watch, const struct trace_machine *machine) {
        watch->machine = *machine;
}
