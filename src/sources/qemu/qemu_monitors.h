/*
 * QEMU monitors: where a QEMU's command line puts its monitors.
 *
 * Knows the options that make one (-qmp, -qmp-pretty, -mon with -chardev, -monitor; vmpower-vmm's --qmp) and libvirt's habits.  Monitors
 * that a -readconfig file makes, or that were added to the running QEMU, are not on the line.  Does not know
 * whether anybody listens there.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
        QEMU_MONITORS_MAX = 8,
        QEMU_CHARDEV_ID_MAX = 64,
        QEMU_MONITOR_ADDRESS_MAX = 256, /* bytes, NUL included; a unix socket's path has at most 108 */
};

enum qemu_monitor_kind {
        QEMU_MONITOR_UNIX,     /* a socket in the file system */
        QEMU_MONITOR_ABSTRACT, /* a unix socket without a file */
        QEMU_MONITOR_TCP,
        QEMU_MONITOR_FD,    /* a socket that QEMU was given; who made it knows where it is */
        QEMU_MONITOR_OTHER, /* no plain socket: stdio, pty, pipe, telnet, websocket, with TLS … */
};

struct qemu_monitor_place {
        enum qemu_monitor_kind kind;
        bool is_server; /* it listens; else it has connected to somebody */
        bool is_pretty;
        bool is_human;  /* HMP: people type there */
        char chardev[QEMU_CHARDEV_ID_MAX]; /* the -chardev's id; "": it has none */

        /*
         * A path, an abstract name, "host:port", a descriptor's number, or what it is instead.  Any byte but
         * NUL may be in it; "" if it does not fit.  A relative path is relative to the directory that the
         * process had at its start (with -daemonize it has "/" since).
         */
        char address[QEMU_MONITOR_ADDRESS_MAX];
};

struct qemu_monitors {
        struct qemu_monitor_place items[QEMU_MONITORS_MAX];
        size_t n_items;
        size_t n_omitted; /* that did not fit */
        bool is_libvirts; /* libvirt made this QEMU, or holds a monitor of it: not to be touched */
};

/* Read a command line, as qemu_words_init() takes it.  One that QEMU would refuse gives something. */
void qemu_monitors_read(struct qemu_monitors *ret_monitors, size_t n_argv, char *const *argv);

/* The same with the monitors for people (-monitor, -mon, -serial mon:…), and with the one that QEMU has by default. */
void qemu_monitors_read_all(struct qemu_monitors *ret_monitors, size_t n_argv, char *const *argv);
