/*
 * Scripted VM: one QMP server that answers as an idle QEMU does, and says what it is told to say.
 *
 * Knows QEMU's words and manners: one client at a time, no events before qmp_capabilities, the monitor's socket gone with the VM.
 * Does not know when anything happens: the farm does.
 */
#pragma once

#include "qmp/qmp_framer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the loop is told to watch for: its data is one of these. */
struct watched {
        struct scripted_vm *vm; /* NULL: the farm's own */
        int fd;                 /* -1: not there */
};

struct scripted_vm {
        size_t number;
        int epoll;
        struct watched listener;
        struct watched client;
        struct qmp_framer framer;
        bool is_negotiated;
        bool is_halted;   /* what `info registers` shows: HLT with interrupts off, or with interrupts on */
        const char *status;
        pid_t vcpu; /* the thread that query-cpus-fast names; 0: none */
        uint64_t n_commands, n_looks;
        uint64_t resets_left, reset_every_ns, reset_at_ns; /* a reset loop */
};

/* CLOCK_BOOTTIME, in nanoseconds. */
uint64_t scripted_now_ns(void);

/* Listen at `path`, from now on.  0 or -errno. */
int scripted_vm_start(struct scripted_vm *vm, size_t number, int epoll, const char *path, pid_t vcpu);

/* Its end, without a word: as a kill -9.  The socket stays in the file system, as QEMU's does then. */
void scripted_vm_stop(struct scripted_vm *vm);

bool scripted_vm_is_there(const struct scripted_vm *vm);

/* The loop says that one of its descriptors is ready. */
void scripted_vm_on_listener(struct scripted_vm *vm);
void scripted_vm_on_client(struct scripted_vm *vm);

/*
 * Say an event; `data`: its JSON object, or NULL.  The instant at which it was written, or 0: nobody listens, or `data` is no JSON object.
 */
uint64_t scripted_vm_say(struct scripted_vm *vm, const char *event, const char *data);

/*
 * End in one of the ways of scripted_ends.  The instant of the first word of it, or of the end where there is none; 0: no such way, or it
 * is not there.
 */
uint64_t scripted_vm_end(struct scripted_vm *vm, const char *way);

/* The i-th way to end, NULL past the last. */
const char *scripted_end_name(size_t i);
