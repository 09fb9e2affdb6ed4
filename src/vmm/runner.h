/*
 * Runner: the thread in which a VM's CPU runs, and why it stopped each time.
 *
 * Knows KVM's stops, and turns each into a request of the VM, with where the CPU was.  Everything of the VM is under one lock, which the thread holds
 * but while the CPU runs.  Sees a guest that is halted for good: it is asked once in a while, and only a CPU that has stood still is looked at.
 */
#pragma once

#include "vmm/kvm_machine.h"
#include "vmm/pc.h"
#include "vmm/vm.h"

#include <pthread.h>

/* How often runner_look() wants to be called: a guest that is halted for good is seen after two of them. */
#define RUNNER_LOOK_NS UINT64_C(900000000)

struct runner {
        struct vm *vm;                /* borrowed */
        struct pc *pc;                /* borrowed */
        struct kvm_machine *machine;  /* borrowed */
        void (*console)(void *userdata, char byte);
        void (*changed)(void *userdata); /* in the thread, under the lock: something has happened that others may want to know of */
        void *userdata;

        pthread_mutex_t lock;
        pthread_cond_t may_run;
        pthread_t thread;
        unsigned n_starts; /* of the CPU, that have been done */
        bool interrupt;    /* the level of the system control interrupt */
        bool wants_look;
        uint64_t cpu_ns;        /* the thread's CPU time at the last call … */
        uint64_t cpu_looked_ns; /* … and when the CPU had been looked at last */
        bool halt_is_told;
};

/* Everything borrowed is set.  0 or -errno. */
int runner_start(struct runner *runner);
/* The VM is over: waits for the thread. */
void runner_stop(struct runner *runner);

void runner_lock(struct runner *runner);
void runner_unlock(struct runner *runner);

/* Under the lock: the VM was changed by somebody else. */
void runner_take_change(struct runner *runner);

/* Under the lock, every RUNNER_LOOK_NS. */
void runner_look(struct runner *runner);

/* The guest's clock. */
uint64_t runner_now_ns(void);
