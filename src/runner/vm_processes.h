/*
 * VM processes: the program that was started, and the process that turned out to be the VM.
 *
 * Mostly they are one.  Behind a wrapper the VM is its child, with -daemonize a process that came to us, the subreaper.  Knows which one
 * is the VM, watches both, and holds what an end brings until it is known whose end it is.  Does not know QMP or verdicts.
 */
#pragma once

#include "sources/source.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

enum {
        PROCESS_ENDS_MAX = 4, /* facts that a process's end brings: an OOM kill and the end itself, and to spare */
};

struct process_watch;
struct vm_processes;

struct watched_process {
        struct vm_processes *all;
        struct process_watch *watch;
        struct source_sink sink;
        struct evidence ends[PROCESS_ENDS_MAX];
        size_t n_ends;
        pid_t pid; /* 0: none */
        bool has_ended;
};

struct vm_processes_events {
        /* The VM is that process, not the one that was started. */
        void (*adopted)(void *userdata, pid_t pid);
        /* What was started has ended, and nobody has said yet which process is the VM: see whether its monitor is there (vm_processes_meet()). */
        void (*look)(void *userdata);
        /* The VM's process was stopped or continued.  Takes the evidence over. */
        void (*changed)(void *userdata, struct evidence *evidence);
        /* The VM's process is gone (take vm_processes_ends()), or what was started is. */
        void (*vm_ended)(void *userdata);
        void (*started_ended)(void *userdata);
        void *userdata;
};

struct vm_processes {
        sd_event *event;
        struct vm_processes_events events;
        struct watched_process started;
        struct watched_process real; /* where the VM is another process than the one that was started */
        sd_event_source *look;       /* runs while a wrapper that went first may have left the VM to us */
        uint64_t look_soon_until_ns;
        bool is_met; /* somebody who knows has told which process the VM is */
        int status;  /* of the last end, as a shell tells it; -1: not known */
};

/* Watch what was started.  SIGCHLD must be blocked and vm_processes_child_changed() called on it.  0 or -errno. */
int vm_processes_init(struct vm_processes *processes, sd_event *event, pid_t started, const struct vm_processes_events *events);
void vm_processes_deinit(struct vm_processes *processes);

/* The process that listens on the VM's monitor (0: cannot be known) is the VM. */
void vm_processes_meet(struct vm_processes *processes, pid_t pid);

/* The VM has ended and its end was taken; what was started goes on, and another process is to be the VM. */
void vm_processes_begin_anew(struct vm_processes *processes);

/* SIGCHLD came: report stops, and reap whoever was left to us. */
void vm_processes_child_changed(struct vm_processes *processes);

pid_t vm_processes_pid(const struct vm_processes *processes);
bool vm_processes_vm_has_ended(const struct vm_processes *processes);
/* Has what was started ended too, so that nothing of it is left in the foreground? */
bool vm_processes_all_have_ended(const struct vm_processes *processes);

/* Hand what the VM's end brought to the sink, once.  Was it an end with an error, or by a signal? */
bool vm_processes_ended_badly(const struct vm_processes *processes);
void vm_processes_give_ends(struct vm_processes *processes, const struct source_sink *sink);
