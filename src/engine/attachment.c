#include "engine/attachment.h"
#include "basics/cleanup.h"
#include "sources/qemu/qemu_hail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct attachment {
        struct attachment_events events;
        struct monitor_check check;
        struct qemu_hail *hail;
};

static void on_done(void *userdata, int result) {
        struct attachment *attachment = userdata;
        char why[STORE_WHY_MAX] = "";

        switch (-result) {
        case 0:
                break;
        case EBUSY:
                snprintf(why, sizeof(why), "%.200s does not greet: it serves one client, and that is somebody else, or it is no QMP monitor",
                         attachment->check.path);
                break;
        case EPROTO:
                snprintf(why, sizeof(why), "%.200s is no QMP monitor: what it says is no greeting", attachment->check.path);
                break;
        default:
                snprintf(why, sizeof(why), "%.200s has closed the connection: %s", attachment->check.path, strerror(-result));
                break;
        }
        attachment->events.done(attachment->events.userdata, result, why);
}

/*
 * Between the look and the connection the path may have been made another's.  Who listens on this very connection, the kernel tells:
 * the process that called listen(), which may have handed the socket on to the one that holds it now.
 */
static int check_peer(const struct attachment *attachment, pid_t pid, uid_t uid, int64_t owner, char ret_why[static STORE_WHY_MAX]) {
        const struct monitor_check *check = &attachment->check;
        struct stat st;
        int r;

        r = monitor_check_peer(check, pid, uid, owner, ret_why);
        if (r)
                return r;
        if (pid == check->pid || (!stat(check->path, &st) && st.st_ino == check->file_inode))
                return 0;
        snprintf(ret_why, STORE_WHY_MAX, "%.200s was made anew meanwhile; try again", check->path);
        return -ESRCH;
}

int attachment_new(struct attachment **ret_attachment, sd_event *event, const char *path, pid_t pid, int64_t owner,
                   const struct attachment_events *events, char ret_why[static STORE_WHY_MAX]) {
        struct attachment *attachment = calloc(1, sizeof(*attachment));
        pid_t peer_pid;
        uid_t peer_uid;
        int r;

        if (!attachment) {
                snprintf(ret_why, STORE_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        attachment->events = *events;
        r = monitor_check(&attachment->check, path, pid, ret_why);
        if (!r) {
                r = qemu_hail_new(&attachment->hail, event, attachment->check.path, ATTACHMENT_TIMEOUT_NS,
                                  &(struct qemu_hail_events){ on_done, attachment }, &peer_pid, &peer_uid);
                if (r)
                        snprintf(ret_why, STORE_WHY_MAX, "cannot connect to %.200s: %s", path, strerror(-r));
                else
                        r = check_peer(attachment, peer_pid, peer_uid, owner, ret_why);
        }
        if (r) {
                attachment_free(attachment);
                return r;
        }
        *ret_attachment = attachment;
        return 0;
}

struct attachment *attachment_free(struct attachment *attachment) {
        if (!attachment)
                return NULL;
        qemu_hail_free(attachment->hail);
        free(attachment);
        return NULL;
}

const struct monitor_check *attachment_check(const struct attachment *attachment) {
        return &attachment->check;
}

int attachment_take(struct attachment *attachment, char **ret_greeting, size_t *ret_n_greeting) {
        return qemu_hail_take(attachment->hail, ret_greeting, ret_n_greeting);
}
