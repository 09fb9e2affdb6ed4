/*
 * Monitor: QMP, as QEMU speaks it (docs/interop/qmp-spec.rst), for one client at a time.
 *
 * Knows the commands that a VM of ours has, in QEMU's words.  Does not know sockets: text comes in, and goes out through `send`.
 */
#pragma once

#include "qmp/qmp_framer.h"
#include "vmm/vm.h"

struct monitor {
        struct vm *vm; /* borrowed */
        struct qmp_framer framer;
        bool is_negotiated;
        void (*send)(void *userdata, const char *text, size_t n);
        void *userdata;
};

void monitor_init(struct monitor *monitor, struct vm *vm, void (*send)(void *userdata, const char *text, size_t n), void *userdata);
void monitor_deinit(struct monitor *monitor);

/* A client has come: it is greeted, and hears nothing more before it has negotiated. */
void monitor_begin(struct monitor *monitor);

/* Room for what the client says, as qmp_framer_space(). */
ssize_t monitor_space(struct monitor *monitor, char **ret_buffer);
/* So many bytes of it came: every command in them is answered. */
void monitor_take(struct monitor *monitor, size_t n, uint64_t now_ns);

/* The VM's events go through here. */
void monitor_event(struct monitor *monitor, const char *name, json_t *data);
