/*
 * Runner: the threads in which a VM's CPUs run, and why each stopped each time.
 *
 * Knows KVM's stops, and turns each into a request of the VM, with where the CPU was.  Everything of the VM is under one lock, which a thread holds
 * but while its CPU runs, and while a byte goes to the console.  Sees a guest that is halted for good: it is asked once in a while, and only CPUs that have
 * stood still are looked at.
 */
#pragma once

#include "vmm/firmware.h"
#include "vmm/kvm_machine.h"
#include "vmm/pc.h"
#include "vmm/virtio_bus.h"
#include "vmm/vm.h"

#include <pthread.h>

/* How often runner_look() wants to be called: a guest that is halted for good is seen after two of them. */
#define RUNNER_LOOK_NS UINT64_C(900000000)

struct runner_cpu {
        struct runner *runner;
        unsigned number;
        pthread_t thread;
        bool wants_look;
};

struct runner {
        struct vm *vm;                    /* borrowed */
        struct pc *pc;                    /* borrowed */
        struct kvm_machine *machine;      /* borrowed */
        const struct firmware *firmware;  /* borrowed */
        struct virtio_bus *bus;           /* borrowed */
        void (*console)(void *userdata, char byte); /* without the lock */
        void (*changed)(void *userdata); /* in a thread, under the lock: something has happened that others may want to know of */
        void *userdata;

        pthread_mutex_t turn; /* who waits for the lock has it: a CPU that gives the lock away and wants it back at once comes after him */
        pthread_mutex_t lock;
        pthread_cond_t may_run;
        struct runner_cpu cpus[KVM_CPUS_MAX];
        unsigned n_threads;
        unsigned n_starts;      /* of the CPUs, that have been done */
        unsigned n_waiting;     /* CPUs that wait for the others to begin anew together */
        uint32_t interrupts;    /* the lines that are up */
        uint64_t next_ns;       /* when the PC wants to be told of the time, as far as the main thread knows */
        unsigned n_looks, n_halted; /* CPUs that are still to be looked at, and what was seen */
        uint64_t work;          /* of all CPUs, at the last call … */
        uint64_t looked_work;   /* … and when they had been looked at last */
        bool halt_is_told;
};

/* Everything borrowed is set.  0 or -errno; either way runner_stop() comes after it. */
int runner_start(struct runner *runner);
/* The VM is over: waits for the threads. */
void runner_stop(struct runner *runner);

void runner_lock(struct runner *runner);
void runner_unlock(struct runner *runner);

/* Under the lock: the VM was changed by somebody else. */
void runner_take_change(struct runner *runner);

/* Under the lock, every RUNNER_LOOK_NS. */
void runner_look(struct runner *runner);

/* The guest's clocks. */
struct moment runner_moment(void);
