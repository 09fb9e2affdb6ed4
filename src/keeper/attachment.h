/*
 * Attachment: the opening of one monitor, from its path to its greeting.
 *
 * Asks whose it is, connects, sees that the same one listens there, and waits for the greeting.  Does not know which VM it is of, and
 * leaves no trace where it fails.
 */
#pragma once

#include "keeper/monitor_check.h"
#include "keeper/socket_looks.h"

#include <systemd/sd-event.h>

/* Who does not greet within a second serves somebody else. */
#define ATTACHMENT_TIMEOUT_NS UINT64_C(1000000000)

struct attachment;

struct attachment_events {
        /*
         * Once, from the loop; the attachment may be freed in it.  0: it has greeted, see attachment_take(); else as monitor_check_socket(),
         * connect(), -EACCES: not that user's; -ETIMEDOUT: it does not greet; -ECONNRESET, -EPROTO; `why` says it in one line.
         */
        void (*done)(void *userdata, int result, const char *why);
        void *userdata;
};

/*
 * `pid`: whose it is said to be; 0: whoever listens.  `owner`: as monitor_check_peer().
 * The kernel is asked together with all others of this wakeup.  0, or as monitor_check_file().
 */
int attachment_new(struct attachment **ret_attachment, sd_event *event, struct socket_looks *looks, const char *path, pid_t pid,
                   int64_t owner, const struct attachment_events *events, char ret_why[static STORE_WHY_MAX]);
struct attachment *attachment_free(struct attachment *attachment);

/* Its path without links, and its process. */
const struct monitor_check *attachment_check(const struct attachment *attachment);

/* After a 0: the connection, and QEMU's greeting (free()), both the caller's.  A descriptor, or -ENOMEM. */
int attachment_take(struct attachment *attachment, char **ret_greeting, size_t *ret_n_greeting);
