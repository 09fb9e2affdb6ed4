#include "keeper/attachment.h"
#include "basics/cleanup.h"
#include "sources/qemu/qemu_hail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct attachment {
        sd_event *event;
        struct attachment_events events;
        pid_t pid; /* whose it is said to be */
        int64_t owner;
        struct monitor_check check;
        struct socket_look look;
        struct qemu_hail *hail;
};

static void on_done(void *userdata, int result) {
        struct attachment *attachment = userdata;
        char why[STORE_WHY_MAX] = "";

        switch (-result) {
        case 0:
                break;
        case ETIMEDOUT:
                snprintf(why, sizeof(why), "%.200s does not greet: it serves one client, and that is somebody else, or it is no QMP monitor",
                         attachment->check.path);
                break;
        case EPROTO:
                snprintf(why, sizeof(why), "%.200s is no QMP monitor: what it says is no greeting", attachment->check.path);
                break;
        case EPROTONOSUPPORT:
                snprintf(why, sizeof(why), "%.200s is a monitor made with pretty=on (-qmp-pretty), whose messages have several lines: it is not taken",
                         attachment->check.path);
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

/* Whom a user has not named himself is found, and has to be his all the same. */
static int check_holder(const struct attachment *attachment, char ret_why[static STORE_WHY_MAX]) {
        const struct monitor_check *check = &attachment->check;
        char path[32];
        struct stat st;

        if (attachment->pid || attachment->owner < 0)
                return 0;
        snprintf(path, sizeof(path), "/proc/%d", (int)check->pid);
        if (!stat(path, &st) && (int64_t)st.st_uid == attachment->owner)
                return 0;
        snprintf(ret_why, STORE_WHY_MAX, "%.200s is not yours: pid %d listens there; if one of yours does, too, say its --pid", check->path,
                 (int)check->pid);
        return -EACCES;
}

/* Nobody is connected to it, and it is the right one's: connect. */
static int hail(struct attachment *attachment, char ret_why[static STORE_WHY_MAX]) {
        struct monitor_check *check = &attachment->check;
        pid_t peer_pid;
        uid_t peer_uid;
        int r;

        r = monitor_check_socket(check, &attachment->look.peers, attachment->pid, ret_why);
        if (!r)
                r = check_holder(attachment, ret_why);
        if (r)
                return r;
        r = qemu_hail_new(&attachment->hail, attachment->event, check->path, ATTACHMENT_TIMEOUT_NS,
                          &(struct qemu_hail_events){ on_done, attachment }, &peer_pid, &peer_uid);
        if (!r)
                return check_peer(attachment, peer_pid, peer_uid, attachment->owner, ret_why);
        snprintf(ret_why, STORE_WHY_MAX, "cannot connect to %.200s: %s", check->path, strerror(-r));
        return r;
}

static void on_looked(struct socket_look *look, int result) {
        struct attachment *attachment = (struct attachment *)((char *)look - offsetof(struct attachment, look));
        char why[STORE_WHY_MAX];

        if (result)
                snprintf(why, sizeof(why), "it cannot be seen who is connected to %.200s: %s", attachment->check.path, strerror(-result));
        else
                result = hail(attachment, why);
        if (result)
                attachment->events.done(attachment->events.userdata, result, why);
}

int attachment_new(struct attachment **ret_attachment, sd_event *event, struct socket_looks *looks, const char *path, pid_t pid,
                   int64_t owner, const struct attachment_events *events, char ret_why[static STORE_WHY_MAX]) {
        struct attachment *attachment = calloc(1, sizeof(*attachment));
        int r;

        if (!attachment) {
                snprintf(ret_why, STORE_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        attachment->event = event;
        attachment->events = *events;
        attachment->pid = pid;
        attachment->owner = owner;
        r = monitor_check_file(&attachment->check, path, ret_why);
        if (r) {
                attachment_free(attachment);
                return r;
        }
        attachment->look.peers.path = attachment->check.path;
        attachment->look.answered = on_looked;
        socket_looks_ask(looks, &attachment->look);
        *ret_attachment = attachment;
        return 0;
}

struct attachment *attachment_free(struct attachment *attachment) {
        if (!attachment)
                return NULL;
        socket_look_forget(&attachment->look);
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
