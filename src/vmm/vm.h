/*
 * VM: what becomes of a machine: it runs, is paused, sleeps, is off, and why.
 *
 * Knows QEMU's run states, actions and events (qapi/run-state.json), in QEMU's words.  A request of the board, or of whoever is at the monitor, changes it;
 * every change is told as an event, with the mechanism where a guest's access was it.  Does not know who listens, or what runs the CPUs.
 */
#pragma once

#include "vmm/board.h"

#include <jansson.h>

enum run_state {
        RUN_STATE_RUNNING,
        RUN_STATE_PAUSED,
        RUN_STATE_PRELAUNCH, /* it has not begun, or was reset while it did not run: it begins with `cont` */
        RUN_STATE_SUSPENDED,
        RUN_STATE_SHUTDOWN,
        RUN_STATE_GUEST_PANICKED,
        _RUN_STATE_N,
};

enum reboot_action { REBOOT_RESET, REBOOT_SHUTDOWN };
enum shutdown_action { SHUTDOWN_POWEROFF, SHUTDOWN_PAUSE };
enum halt_action { HALT_POWEROFF, HALT_NONE };
enum panic_action { PANIC_SHUTDOWN, PANIC_PAUSE, PANIC_NONE };

struct vm {
        const char *name; /* borrowed; NULL: none */
        struct board board;
        enum run_state state;
        enum reboot_action on_reboot;
        enum shutdown_action on_shutdown;
        enum panic_action on_panic;
        enum halt_action on_halt;
        unsigned n_starts; /* of its CPUs: by a reset … */
        bool is_wake;      /* … or, the last time, out of S3 */
        bool is_over;      /* the process is to end … */
        bool is_failed;    /* … and not in order */

        /* `data` is borrowed, NULL: none.  It may be called several times for one change, in QEMU's order. */
        void (*event)(void *userdata, const char *name, json_t *data);
        void *userdata;
};

/* All of it but its name, `event` and `userdata`. */
void vm_init(struct vm *vm, enum acpi_pm_chip chip, uint64_t now_ns);

/* What a guest's access asks for.  A VM that does not run has asked for nothing. */
void vm_take_request(struct vm *vm, const struct board_request *request, uint64_t now_ns);

/* Every CPU is halted, with interrupts off: nothing will ever happen in it. */
void vm_take_halt(struct vm *vm, unsigned n_cpus);

/* It cannot go on, and why. */
void vm_take_error(struct vm *vm, const char *why);

/*
 * At the monitor: QEMU's commands of these names.  -EPERM: `cont` of a VM that is off, which only a reset can change.  A wake without a sleep is nothing,
 * and so are a stop and a cont of one that sleeps.
 */
void vm_stop(struct vm *vm);
int vm_continue(struct vm *vm);
void vm_powerdown(struct vm *vm, uint64_t now_ns);
void vm_reset(struct vm *vm, uint64_t now_ns);
void vm_wakeup(struct vm *vm);
void vm_quit(struct vm *vm);

/* Time has gone on: an event that its guest has enabled ends its sleep (ACPI 6.5, 7.3.1). */
void vm_take_time(struct vm *vm, uint64_t now_ns);

/* By a signal to the process. */
void vm_terminate(struct vm *vm);

/* In the words of set-action; NULL: as it is.  -EINVAL: one of them is none, and nothing has changed. */
int vm_set_actions(struct vm *vm, const char *reboot, const char *shutdown, const char *panic, const char *halt);

/* query-status's word. */
const char *vm_status(const struct vm *vm);
