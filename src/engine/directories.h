/*
 * Directories: where state, sockets and configuration are.
 *
 * Knows VMPOWER_STATE_DIR, VMPOWER_RUN_DIR, VMPOWER_CONFIG_DIR and their defaults, for root and for everyone else.  Does not look into them.
 */
#pragma once

#include <stddef.h>

/* VMPOWER_STATE_DIR; /var/lib/vmpower for root; $XDG_STATE_HOME/vmpower; ~/.local/state/vmpower.  0, -ENAMETOOLONG or -ENOENT. */
int state_directory(char *ret_path, size_t n_ret);

/* VMPOWER_CONFIG_DIR; /etc/vmpower for root; $XDG_CONFIG_HOME/vmpower; ~/.config/vmpower.  The same. */
int config_directory(char *ret_path, size_t n_ret);

/*
 * A directory for the monitors that `vmpower run` makes, made if it is not there, for this user alone: RUN_DIR/run, where RUN_DIR is
 * VMPOWER_RUN_DIR, /run/vmpower for root, $XDG_RUNTIME_DIR/vmpower.  Where there is none, or its path leaves no room
 * for a socket's name: /tmp/vmpower-UID.  On failure ret_path is the directory that could not be had.
 */
int monitor_directory(char *ret_path, size_t n_ret);

/*
 * RUN_DIR itself, made (0755) if it is not there: VMPOWER_RUN_DIR, /run/vmpower for root, $XDG_RUNTIME_DIR/vmpower, or /tmp/vmpower-UID.
 * 0 or -errno; ret_path is what could not be had then.
 */
int run_directory(char *ret_path, size_t n_ret);

enum {
        DAEMON_DIRECTORIES_MAX = 2,
        DAEMON_DIRECTORY_MAX = 108,
};

struct daemon_directories {
        char paths[DAEMON_DIRECTORIES_MAX][DAEMON_DIRECTORY_MAX];
        size_t n;
};

/*
 * The RUN_DIRs of the daemons that may run beside us, the one to ask first first: VMPOWER_RUN_DIR alone; else $XDG_RUNTIME_DIR/vmpower, then
 * /run/vmpower.  One whose path is too long for a socket is left out.
 */
void daemon_directories(struct daemon_directories *ret_directories);
