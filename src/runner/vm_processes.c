#include "runner/vm_processes.h"
#include "sources/proc.h"
#include "sources/process/process_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A wrapper goes first, and what it leaves behind is not QEMU yet.  Nothing tells of an exec, so it is looked for: often at first, then now and
 * then, as long as it has left anybody behind.
 */
#define ORPHAN_SOON_NS   UINT64_C(2000000000)
#define ORPHAN_LOOK_USEC 5000
#define ORPHAN_SLOW_USEC 1000000

static struct watched_process *the_vm(struct vm_processes *processes) {
        return processes->real.pid ? &processes->real : &processes->started;
}

pid_t vm_processes_pid(const struct vm_processes *processes) {
        return processes->real.pid ? processes->real.pid : processes->started.pid;
}

bool vm_processes_vm_has_ended(const struct vm_processes *processes) {
        return processes->real.pid ? processes->real.has_ended : processes->started.has_ended;
}

bool vm_processes_all_have_ended(const struct vm_processes *processes) {
        return processes->started.has_ended && (!processes->real.pid || processes->real.has_ended);
}

bool vm_processes_ended_badly(const struct vm_processes *processes) {
        const struct watched_process *vm = processes->real.pid ? &processes->real : &processes->started;

        for (size_t i = 0; i < vm->n_ends; i++)
                if (vm->ends[i].kind == EVIDENCE_KILLED || (vm->ends[i].kind == EVIDENCE_EXITED && vm->ends[i].number != 0))
                        return true;
        return false;
}

void vm_processes_give_ends(struct vm_processes *processes, const struct source_sink *sink) {
        struct watched_process *vm = the_vm(processes);

        for (size_t i = 0; i < vm->n_ends; i++)
                source_report(sink, &vm->ends[i]);
        vm->n_ends = 0;
}

static void on_report(void *userdata, struct evidence *evidence) {
        struct watched_process *watched = userdata;
        struct vm_processes *processes = watched->all;

        if (evidence->kind == EVIDENCE_EXITED)
                processes->status = (int)evidence->number;
        else if (evidence->kind == EVIDENCE_KILLED)
                processes->status = 128 + (int)evidence->number;

        if (!evidence_ends_process(evidence) && evidence->kind != EVIDENCE_OOM_KILL && watched == the_vm(processes))
                processes->events.changed(processes->events.userdata, evidence);
        else if ((evidence_ends_process(evidence) || evidence->kind == EVIDENCE_OOM_KILL) && watched->n_ends < PROCESS_ENDS_MAX)
                watched->ends[watched->n_ends++] = *evidence;
        else
                evidence_deinit(evidence);
}

static int watch(struct watched_process *watched, pid_t pid) {
        watched->pid = pid;
        return process_watch_new(&watched->watch, watched->all->event, pid, 0, &watched->sink);
}

/* The VM is that process, not the one that was started. */
static void adopt(struct vm_processes *processes, pid_t pid) {
        if (watch(&processes->real, pid)) {
                struct evidence vanished = evidence_make(SOURCE_PROCESS, EVIDENCE_VANISHED);

                source_report(&processes->real.sink, &vanished);
                processes->real.has_ended = true;
        }
        processes->events.adopted(processes->events.userdata, pid);
        if (processes->real.has_ended)
                processes->events.vm_ended(processes->events.userdata);
}

void vm_processes_meet(struct vm_processes *processes, pid_t pid) {
        struct watched_process *vm;

        processes->is_met = true;
        if (pid > 0 && pid != processes->started.pid && !processes->real.pid)
                adopt(processes, pid);
        vm = the_vm(processes);
        if (vm->watch && !vm->has_ended)
                process_watch_refresh(vm->watch);
}

/*
 * A descendant that is a QEMU and was left behind by what we started: a wrapper that went first.  ret_others: there are others,
 * which may be a shell that is about to become one.
 */
static pid_t find_orphan(const struct vm_processes *processes, bool *ret_others) {
        char path[64], children[4096], *from;

        *ret_others = false;
        snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
        if (proc_read(path, children, sizeof(children)) <= 0)
                return 0;
        for (char *word = strtok_r(children, " \n", &from); word; word = strtok_r(NULL, " \n", &from)) {
                pid_t pid = (pid_t)atol(word);
                struct proc_stat stat;

                if (pid <= 0 || pid == processes->started.pid || proc_stat_read(&stat, pid) || stat.state == 'Z')
                        continue;
                if (!strncmp(stat.comm, "qemu-system", 11))
                        return pid;
                *ret_others = true;
        }
        return 0;
}

static int on_look(sd_event_source *timer, uint64_t usec, void *userdata);

/* -daemonize, or a wrapper that went first: whoever listens on the monitor is the VM.  Returns whether that is to be waited for. */
static bool look_for_orphan(struct vm_processes *processes) {
        bool others = false;
        uint64_t wait_usec;
        pid_t orphan;

        processes->events.look(processes->events.userdata);
        orphan = processes->real.pid ? 0 : find_orphan(processes, &others);
        if (orphan)
                adopt(processes, orphan);
        if (processes->real.pid || !others)
                return false;
        wait_usec = source_now_ns() < processes->look_soon_until_ns ? ORPHAN_LOOK_USEC : ORPHAN_SLOW_USEC;
        if (!processes->look)
                return sd_event_add_time_relative(processes->event, &processes->look, CLOCK_MONOTONIC, wait_usec, 1000, on_look,
                                                  processes) >= 0;
        return sd_event_source_set_time_relative(processes->look, wait_usec) >= 0 &&
               sd_event_source_set_enabled(processes->look, SD_EVENT_ONESHOT) >= 0;
}

static void tell_started_ended(struct vm_processes *processes) {
        if (!processes->real.pid)
                processes->events.vm_ended(processes->events.userdata);
        processes->events.started_ended(processes->events.userdata);
}

static int on_look(sd_event_source *timer, uint64_t usec, void *userdata) {
        struct vm_processes *processes = userdata;

        if (!look_for_orphan(processes))
                tell_started_ended(processes);
        return 0;
}

static void on_ended(void *userdata, enum evidence_source source) {
        struct watched_process *watched = userdata;
        struct vm_processes *processes = watched->all;

        watched->has_ended = true;
        if (watched == &processes->real) {
                processes->events.vm_ended(processes->events.userdata);
                return;
        }
        /* A wrapper that failed has no VM to leave behind. */
        if (!processes->real.pid && !processes->is_met && !vm_processes_ended_badly(processes)) {
                processes->look_soon_until_ns = source_now_ns() + ORPHAN_SOON_NS;
                if (look_for_orphan(processes))
                        return;
        }
        tell_started_ended(processes);
}

void vm_processes_child_changed(struct vm_processes *processes) {
        struct watched_process *both[] = { &processes->started, &processes->real };
        pid_t kept[2];
        size_t n_kept = 0;

        for (size_t i = 0; i < 2; i++) {
                if (both[i]->watch && !both[i]->has_ended)
                        process_watch_child_changed(both[i]->watch);
                if (both[i]->pid && !both[i]->has_ended)
                        kept[n_kept++] = both[i]->pid;
        }
        process_reap_orphans(kept, n_kept);
}

int vm_processes_init(struct vm_processes *processes, sd_event *event, pid_t started, const struct vm_processes_events *events) {
        *processes = (struct vm_processes){ .event = event, .events = *events, .status = -1 };
        processes->started.all = processes->real.all = processes;
        processes->started.sink = (struct source_sink){ on_report, on_ended, &processes->started };
        processes->real.sink = (struct source_sink){ on_report, on_ended, &processes->real };
        return watch(&processes->started, started);
}

static void watched_deinit(struct watched_process *watched) {
        process_watch_free(watched->watch);
        for (size_t i = 0; i < watched->n_ends; i++)
                evidence_deinit(&watched->ends[i]);
        watched->watch = NULL;
        watched->n_ends = 0;
        watched->pid = 0;
}

void vm_processes_begin_anew(struct vm_processes *processes) {
        watched_deinit(&processes->real);
        processes->real.has_ended = false;
}

void vm_processes_deinit(struct vm_processes *processes) {
        processes->look = sd_event_source_disable_unref(processes->look);
        watched_deinit(&processes->started);
        watched_deinit(&processes->real);
}
