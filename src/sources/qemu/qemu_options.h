/*
 * QEMU options: what a QEMU command line asks for, as far as it matters for how the VM may stop.
 *
 * Knows how QEMU reads its options, and which ones to add for a monitor of ours without changing anything
 * else.  Does not start anything.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
        QEMU_NAME_MAX = 256,
        QEMU_UUID_MAX = 40,
        QEMU_ACTION_MAX = 24,
};

struct qemu_options {
        bool is_vmpower_vmm;      /* no QEMU, but the monitor of our own, which speaks QMP, too */
        bool says_on_halt;        /* vmpower-vmm: --on-halt is given */
        char name[QEMU_NAME_MAX]; /* -name, --name; "": none */
        char uuid[QEMU_UUID_MAX]; /* -uuid; "": none */
        const char *incoming;     /* -incoming: where from; borrowed from the command line; NULL: none */

        /* By -action, -no-reboot, -no-shutdown, -watchdog-action.  "": QEMU's default. */
        char on_reboot[QEMU_ACTION_MAX];
        char on_shutdown[QEMU_ACTION_MAX];
        char on_panic[QEMU_ACTION_MAX];
        char on_watchdog[QEMU_ACTION_MAX];

        bool daemonize;
        bool stopped; /* -S */
        bool preconfig;
        bool no_reboot;
        bool no_shutdown;
        bool nographic;
        bool has_serial;          /* the first serial port is given, so QEMU adds none of its own */
        bool has_default_monitor; /* nothing on the line has switched QEMU's own monitor off */
        bool has_debug_exit;      /* a device isa-debug-exit */
        bool shares_stderr;       /* something that its guest may write to, or a log, goes to /dev/stderr */
        bool has_window;          /* with a menu to stop, reset and quit by, where it can be opened */
        bool has_display;         /* -display says which */
        bool only_informs;        /* -help, -version and the like: no VM will run */
};

/*
 * Read a command line.  Its first words may be wrappers (`nice -n 5 qemu-system-x86_64 …`): where a word
 * names a QEMU, or vmpower-vmm, reading starts behind the first such word, else behind the first word.
 */
void qemu_options_read(struct qemu_options *ret_options, size_t n_argv, char *const *argv);

/*
 * The words to append to the command line, so that a monitor of ours listens on the unix socket `path`:
 *
 *     -chardev socket,… -mon …    our monitor
 *     -S
 *             unless given, or -preconfig: whoever listens says `cont`, so no event is missed
 *     -serial mon:stdio, -monitor stdio, -monitor vc:80Cx24C
 *             what QEMU would have added by itself, had we not added a monitor
 *     --qmp, --paused, --on-halt none
 *             the same for vmpower-vmm; what becomes of a guest that is halted for good is policy, and not its own
 *
 * NULL-terminated; one allocation, given back with free().  0 or -ENOMEM.
 */
int qemu_options_monitor_arguments(char ***ret_arguments, const struct qemu_options *options,
                                   const char *path);
