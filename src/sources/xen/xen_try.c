#include "sources/xen/xen_try.h"

#include "basics/cleanup.h"
#include "core/text.h"
#include "sources/libexec.h"
#include "sources/try.h"
#include "sources/xen/xen_link.h"
#include "sources/xen_dom0.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE = 4 }; /* times TRY_WAIT_NS: it may find many domains, and wait for what another one does to one */

struct trial {
        bool is_over, has_surveyed;
        unsigned n_domains;
        char trouble[WIRE_WHY_MAX];
};

static void on_said(void *userdata, const struct wire_message *message) {
        struct trial *trial = userdata;

        if (trial->is_over)
                return;
        trial->n_domains += message->kind == WIRE_HELLO;
        trial->has_surveyed = message->kind == WIRE_SURVEYED;
        if (message->kind == WIRE_TROUBLE)
                text_set(trial->trouble, sizeof(trial->trouble), message->trouble);
        trial->is_over = trial->has_surveyed || message->kind == WIRE_TROUBLE;
}

static void on_ended(void *userdata) {
        struct trial *trial = userdata;

        trial->is_over = true;
}

static int start(pid_t *ret_pid, const char *path, int their_end) {
        char *argv[] = { (char *)XEN_HELPER, NULL };
        posix_spawn_file_actions_t actions;
        int r;

        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, their_end, STDIN_FILENO);
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        r = posix_spawn(ret_pid, path, &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

static void ask(struct trial *trial, sd_event *event, int fd) {
        struct wire_message configure = { .kind = WIRE_CONFIGURE };
        struct xen_link *link;

        if (xen_link_new(&link, event, fd, on_said, on_ended, trial))
                return;
        text_set(configure.configure.xen_policy, sizeof(configure.configure.xen_policy), "leave");
        xen_link_say(link, &configure);
        for (int i = 0; i < PATIENCE && !trial->is_over; i++)
                try_wait(event, &trial->is_over);
        xen_link_free(link);
}

int xen_try(char ret_found[static FOUND_MAX]) {
        cleanup(close_fd) int ours = -1, theirs = -1;
        cleanup(sd_event_unrefp) sd_event *event = NULL;
        struct trial trial = { .is_over = false };
        char path[PATH_MAX];
        int fds[2], r, status;
        pid_t pid;

        if (!xen_dom0_is_here())
                return found_say(ret_found, -ENXIO, "this is no dom0 of Xen's");
        if (libexec_find(path, XEN_HELPER))
                return found_say(ret_found, -ENOENT, "%s is not where it is looked for: in $VMPOWER_LIBEXEC_DIR, or where vmpower is installed", XEN_HELPER);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
                return found_say(ret_found, -errno, "%s", strerror(errno));
        ours = fds[0];
        theirs = fds[1];
        r = sd_event_new(&event);
        if (r >= 0)
                r = start(&pid, path, theirs);
        if (r < 0)
                return found_say(ret_found, r, "%.200s: %s", path, strerror(-r));
        close(take_fd(&theirs));
        ask(&trial, event, ours);
        kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (trial.has_surveyed)
                return found_say(ret_found, 0, "%s sees %u domain%s", XEN_HELPER, trial.n_domains, trial.n_domains == 1 ? "" : "s");
        if (*trial.trouble)
                return found_say(ret_found, geteuid() ? -EPERM : -EIO, "%s: %.200s", XEN_HELPER, trial.trouble);
        return found_say(ret_found, trial.is_over ? -EIO : -ETIMEDOUT, "%s %s", XEN_HELPER,
                         trial.is_over ? "ends before it has told which domains there are" : "does not tell which domains there are");
}
