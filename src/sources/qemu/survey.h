/*
 * Survey: which virtual machine monitors run on this host, now.
 *
 * Looks through /proc, once, and knows a QEMU and vmpower-vmm by their names, and any other VMM by the KVM that it holds open.
 * Reports what a command line says; opens no monitor, and does not know what has happened to a VM before.
 */
#pragma once

#include "sources/proc.h"
#include "sources/qemu/qemu_monitors.h"
#include "sources/qemu/qemu_options.h"

enum {
        SURVEY_PROGRAM_MAX = 64,
        SURVEY_LINKS_MAX = 1 << 16, /* so many descriptors of one process are looked at */

        /* Outcomes of survey_process(). */
        SURVEY_NO_VMM = 1, /* it runs no VM, or asks QEMU what it can do */
        SURVEY_UNSEEN = 2, /* its name is not a VMM's, and we may not see whether it holds a KVM */
        SURVEY_EARLY = 3,  /* one of a known name that is just starting: its command line is not there yet; look again */
};

/* A process that runs VMs. */
struct survey_vmm {
        pid_t pid;
        char instance[PROC_INSTANCE_MAX];
        uid_t uid;
        char program[SURVEY_PROGRAM_MAX]; /* its executable's name, or what it calls itself */
        bool is_qemu, is_vmpower_vmm; /* neither: another program that uses KVM */

        /* As the command line of a QEMU, or of vmpower-vmm, says.  Relative paths were made absolute where that can be known. */
        char name[QEMU_NAME_MAX];
        char uuid[QEMU_UUID_MAX];
        struct qemu_monitors monitors;
        bool daemonizes; /* it goes into the background: the VM will be a child's child */

        char *command_line; /* its secrets masked; owned */

        /* KVM descriptors that it holds; -1: we may not see. */
        int n_kvms; /* VMs; 0: software emulation */
        int n_vcpus;
};

void survey_vmm_deinit(struct survey_vmm *vmm);

/*
 * Look at one process.  `is_kvm_user`: the kernel has said that it made a VM, so what holds no KVM yet is a
 * VMM all the same.  0; SURVEY_NO_VMM; SURVEY_UNSEEN; SURVEY_EARLY; -ESRCH: it is gone; another -errno.
 *
 * Relative paths of monitors are resolved by the process's working directory, and stay relative if that
 * cannot be right: it is not readable, is deleted, or QEMU has left it (-daemonize).  A path may mean another
 * file to a process in another mount namespace: that the process holds the socket that listens there
 * (socket_is_held_by()) proves it.
 */
int survey_process(struct survey_vmm *ret_vmm, pid_t pid, bool is_kvm_user);

/* The same of one that is known to be a VM's, or is said to be: its descriptors are not looked at, n_kvms and n_vcpus stay -1. */
int survey_process_itself(struct survey_vmm *ret_vmm, pid_t pid);

/*
 * By which name it is a QEMU, or vmpower-vmm: its executable's, else what it calls itself.  The first word of its command line may be another.
 * 0; SURVEY_NO_VMM: it is neither; or -errno.
 */
int survey_program(char ret_program[static SURVEY_PROGRAM_MAX], pid_t pid);

/* What was seen, and what was not. */
struct survey_sight {
        size_t n_processes; /* looked at, kernel threads left out */
        size_t n_found;
        size_t n_unseen; /* may be VMMs, and we may not look: without CAP_SYS_PTRACE mostly other users' */
        size_t n_early;  /* those that were just starting, and still were at the end: survey again soon */
        bool is_hidden;  /* /proc does not even list other users' processes (hidepid) */
};

/*
 * Look at every process, one after the other, in one go: it takes some 50 µs for each, more with many
 * descriptors.  Those that come and go meanwhile may be missed or not.  `found` may take `command_line` over,
 * and set it to NULL.  0, or -errno: /proc cannot be read.
 */
int survey_all(struct survey_sight *ret_sight, void (*found)(void *userdata, struct survey_vmm *vmm),
               void *userdata);

/*
 * Does the process have a vCPU?  A KVM without one can never have run anything: it is a probe (of what KVM
 * can do), not a VM.  A VMM makes its vCPUs soon after its VM, so a "no" right after the VM's birth means
 * nothing yet.
 *
 * By its descriptors (anon_inode:kvm-vcpu:N) where we may see them, else by QEMU's names of its vCPU threads
 * ("CPU 0/KVM", only with -name debug-threads=on).  TRISTATE_NULL: cannot be known, or it is gone.
 */
enum tristate survey_has_vcpus(pid_t pid);
