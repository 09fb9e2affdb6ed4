#include "sources/xen/xen_acts.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
        AT_ONCE = 8,
        SAID_MAX = 180,
};

struct act {
        struct act *next;
        struct xen_acts *acts;
        int64_t number;
        uint32_t domid;
        char uuid[40], command[24], name[256];
        sd_event_source *child; /* NULL: it waits */
        int said;               /* the end of its standard output to read from */
};

struct xen_acts {
        sd_event *event;
        void (*done)(void *userdata, int64_t number, uint32_t domid, bool is_done, const char *why);
        void *userdata;
        struct act *first;
};

const char *xen_acts_lock_path = "/run/vmpower-source-xen.lock";

/*
 * Each act has the byte of its domain's number locked; the lock goes on with whoever has the descriptor, and ends with the last of them.  `command`: F_OFD_SETLK, or
 * F_OFD_SETLKW to wait for it.
 */
static int lock(int command, off_t from, off_t n) {
        struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = from, .l_len = n };
        cleanup(closep) int fd = open(xen_acts_lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0 || fcntl(fd, command, &whole))
                return -errno;
        return take_fd(&fd);
}

/* It interrupts the wait. */
static void on_alarm(int number) {
}

bool xen_acts_wait_for_former(unsigned patience_ms) {
        /* Once more each second: the first may come just before the wait begins. */
        const struct itimerval patience = { .it_value = { patience_ms / 1000, patience_ms % 1000 * 1000 }, .it_interval = { .tv_sec = 1 } }, none = { 0 };
        const struct sigaction interrupt = { .sa_handler = on_alarm };
        struct sigaction before;
        int fd = lock(F_OFD_SETLK, 0, 0);

        if (patience_ms && (fd == -EAGAIN || fd == -EACCES)) {
                sigaction(SIGALRM, &interrupt, &before);
                setitimer(ITIMER_REAL, &patience, NULL);
                fd = lock(F_OFD_SETLKW, 0, 0);
                setitimer(ITIMER_REAL, &none, NULL);
                sigaction(SIGALRM, &before, NULL);
        }
        /* Where there is no place for a lock, nobody has one. */
        if (fd < 0)
                return fd != -EAGAIN && fd != -EACCES && fd != -EINTR;
        close(fd);
        return true;
}

static void act_free(struct act *act) {
        sd_event_source_disable_unref(act->child);
        close_fd(&act->said);
        free(act);
}

int xen_acts_new(struct xen_acts **ret_acts, sd_event *event, void (*done)(void *userdata, int64_t number, uint32_t domid, bool is_done, const char *why),
                 void *userdata) {
        struct xen_acts *acts = calloc(1, sizeof(*acts));

        if (!acts)
                return -ENOMEM;
        *acts = (struct xen_acts){ .event = sd_event_ref(event), .done = done, .userdata = userdata };
        *ret_acts = acts;
        return 0;
}

struct xen_acts *xen_acts_free(struct xen_acts *acts) {
        if (!acts)
                return NULL;
        while (acts->first) {
                struct act *act = acts->first;

                acts->first = act->next;
                act_free(act);
        }
        sd_event_unref(acts->event);
        free(acts);
        return NULL;
}

static void go_on(struct xen_acts *acts);

static void end(struct act *act, bool is_done, const char *why) {
        struct xen_acts *acts = act->acts;
        struct act **at = &acts->first;

        while (*at != act)
                at = &(*at)->next;
        *at = act->next;
        acts->done(acts->userdata, act->number, act->domid, is_done, why);
        act_free(act);
        go_on(acts);
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata) {
        struct act *act = userdata;
        char said[SAID_MAX];
        ssize_t n = read(act->said, said, sizeof(said) - 1);
        bool is_done = si->si_code == CLD_EXITED && si->si_status == 0;

        said[n > 0 ? n : 0] = '\0';
        said[strcspn(said, "\n")] = '\0';
        if (si->si_code != CLD_EXITED)
                snprintf(said, sizeof(said), "whoever was to do it was ended by signal %d", si->si_status);
        end(act, is_done, said);
        return 0;
}

static int start(struct act *act) {
        char domid[16], *argv[] = { (char *)"vmpower-source-xen", (char *)"--act", act->command, domid, act->uuid, act->name[0] ? act->name : NULL, NULL };
        cleanup(close_fd) int read_end = -1, write_end = -1, lock_fd = -1;
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none;
        pid_t pid;
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
                return -errno;
        read_end = fds[0];
        write_end = fds[1];
        snprintf(domid, sizeof(domid), "%" PRIu32, act->domid);
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, write_end, 1);
        lock_fd = lock(F_OFD_SETLK, act->domid, 1);
        if (lock_fd >= 0)
                posix_spawn_file_actions_adddup2(&actions, lock_fd, XEN_ACT_LOCK_FD);
        posix_spawnattr_init(&attributes);
        sigemptyset(&none);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
        r = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv, environ);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        if (r)
                return -r;
        r = sd_event_add_child(act->acts->event, &act->child, pid, WEXITED, on_child, act);
        if (r < 0)
                return r;
        act->said = take_fd(&read_end);
        return 0;
}

/* Start those for which there is room, and whose domain nothing is done to just now. */
static void go_on(struct xen_acts *acts) {
        unsigned n = 0;

        for (const struct act *act = acts->first; act; act = act->next)
                n += act->child != NULL;
        for (struct act *act = acts->first; act && n < AT_ONCE; act = act->next) {
                const struct act *before = acts->first;
                int r;

                if (act->child)
                        continue;
                while (before != act && before->domid != act->domid)
                        before = before->next;
                if (before != act)
                        continue;
                r = start(act);
                if (r) {
                        end(act, false, strerror(-r));
                        return;
                }
                n++;
        }
}

int xen_acts_begin(struct xen_acts *acts, int64_t number, uint32_t domid, const char *uuid, const char *command, const char *name) {
        struct act *act = calloc(1, sizeof(*act)), **at = &acts->first;

        if (!act)
                return -ENOMEM;
        *act = (struct act){ .acts = acts, .number = number, .domid = domid, .said = -1 };
        snprintf(act->uuid, sizeof(act->uuid), "%s", uuid);
        snprintf(act->command, sizeof(act->command), "%s", command);
        snprintf(act->name, sizeof(act->name), "%s", name);
        while (*at)
                at = &(*at)->next;
        *at = act;
        go_on(acts);
        return 0;
}
