/*
 * QEMU hail: does what listens there speak QMP, and to us?
 *
 * Connects to a monitor and waits for its greeting, with nothing said and nothing made yet: who has no greeting for us leaves no
 * trace.  The connection then goes to qemu_source_adopt().  Does not know whose monitor it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

enum {
        QEMU_GREETING_MAX = 4096, /* bytes; QEMU's has about 120 */
};

struct qemu_hail;

struct qemu_hail_events {
        /*
         * Once, from the loop; the hail may be freed in it.  0: it has greeted, and said nothing else: the descriptor and the
         * greeting (n_greeting bytes and NUL) are the callee's to take with qemu_hail_take().  -ETIMEDOUT: no greeting within the time,
         * so somebody else is served; -ECONNRESET: it closed the connection; -EPROTO: what it says is no greeting; -EPROTONOSUPPORT: it may be
         * one, over several lines (`pretty=on`).
         */
        void (*done)(void *userdata, int result);
        void *userdata;
};

/*
 * Connect to the unix socket at `path`, and listen for `timeout_ns` at most.  ret_pid and ret_uid: the process that listens there, as the
 * kernel knows it of this very connection (pid 0: not to be known).  0; -ENAMETOOLONG; -EBUSY: so many wait already that there is no
 * room for one more; or connect()'s -errno.
 */
int qemu_hail_new(struct qemu_hail **ret_hail, sd_event *event, const char *path, uint64_t timeout_ns,
                  const struct qemu_hail_events *events, pid_t *ret_pid, uid_t *ret_uid);
struct qemu_hail *qemu_hail_free(struct qemu_hail *hail);

/* In `done`, after a 0: the connection and the greeting, both the caller's (close(), free()).  It is greeted once. */
int qemu_hail_take(struct qemu_hail *hail, char **ret_greeting, size_t *ret_n_greeting);
