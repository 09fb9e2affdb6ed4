#include "sources/xen/xen_keepers.h"

#include "basics/cleanup.h"
#include "sources/proc.h"
#include "sources/xen/xl_words.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
        LOG_MAX = 64 * 1024, /* of xl's log its end is read; it says whom it waits for once more at each restart */
        CONFIG_MAX = 64 * 1024,
};

struct keeper {
        struct keeper *next;
        struct xen_keepers *keepers;
        pid_t pid;
        sd_event_source *end; /* owned; on its pidfd */
        int64_t domid;        /* that it waits for; -1: not known */
        char name[XL_NAME_MAX]; /* of the domain; "": not known */
        bool is_making;       /* it is making a domain, and has none yet */
};

struct xen_keepers {
        sd_event *event;
        void (*changed)(void *userdata);
        void *userdata;
        struct keeper *first;
        bool has_other; /* XAPI's toolstack is there: all domains are its own */
};

static void keeper_free(struct keeper *keeper) {
        sd_event_source_disable_unref(keeper->end);
        free(keeper);
}

int xen_keepers_new(struct xen_keepers **ret_keepers, sd_event *event, void (*changed)(void *userdata), void *userdata) {
        struct xen_keepers *keepers = calloc(1, sizeof(*keepers));

        if (!keepers)
                return -ENOMEM;
        *keepers = (struct xen_keepers){ .event = sd_event_ref(event), .changed = changed, .userdata = userdata };
        *ret_keepers = keepers;
        return 0;
}

struct xen_keepers *xen_keepers_free(struct xen_keepers *keepers) {
        if (!keepers)
                return NULL;
        while (keepers->first) {
                struct keeper *keeper = keepers->first;

                keepers->first = keeper->next;
                keeper_free(keeper);
        }
        sd_event_unref(keepers->event);
        free(keepers);
        return NULL;
}

static int on_end(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct keeper *keeper = userdata, **at = &keeper->keepers->first;
        struct xen_keepers *keepers = keeper->keepers;

        while (*at != keeper)
                at = &(*at)->next;
        *at = keeper->next;
        keeper_free(keeper);
        keepers->changed(keepers->userdata);
        return 0;
}

static struct keeper *add(struct xen_keepers *keepers, pid_t pid) {
        struct keeper *keeper;
        int fd = (int)syscall(SYS_pidfd_open, pid, 0);

        if (fd < 0)
                return NULL;
        keeper = calloc(1, sizeof(*keeper));
        if (!keeper) {
                close(fd);
                return NULL;
        }
        keeper->keepers = keepers;
        keeper->pid = pid;
        if (sd_event_add_io(keepers->event, &keeper->end, fd, EPOLLIN, on_end, keeper) < 0) {
                close(fd);
                free(keeper);
                return NULL;
        }
        sd_event_source_set_io_fd_own(keeper->end, true);
        keeper->next = keepers->first;
        keepers->first = keeper;
        return keeper;
}

/* The end of a regular file.  A number of bytes. */
static size_t read_end(const char *path, char *ret_text, size_t n_text) {
        cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat stat;
        size_t n = 0;
        ssize_t k;

        if (fd < 0 || fstat(fd, &stat) || !S_ISREG(stat.st_mode))
                return 0;
        if ((uint64_t)stat.st_size > n_text)
                lseek(fd, stat.st_size - (off_t)n_text, SEEK_SET);
        while (n < n_text && (k = read(fd, ret_text + n, n_text - n)) > 0)
                n += (size_t)k;
        return n;
}

/* What a foreground `xl create` calls its domain: it says so to a terminal, but its configuration can be read. */
static void read_config_name(struct keeper *keeper, const struct xl_making *making) {
        cleanup(freep) char *text = malloc(CONFIG_MAX);
        char path[4400];
        size_t n;

        if (making->name && !xl_config_name(keeper->name, making->name, strlen(making->name)))
                return;
        if (!text || !making->config)
                return;
        if (snprintf(path, sizeof(path), *making->config == '/' ? "/proc/%d/root%s" : "/proc/%d/cwd/%s", keeper->pid, making->config) >= (int)sizeof(path))
                return;
        n = read_end(path, text, CONFIG_MAX);
        xl_config_name(keeper->name, text, n);
}

/* What is it?  False: it makes no domain, and looks after none. */
static bool recognise(struct keeper *keeper) {
        cleanup(freep) char *log = malloc(LOG_MAX);
        char fd_path[64], path[4096];
        struct xl_making making;
        char **arguments;
        size_t n_arguments, n_log;
        ssize_t n;

        if (!log || proc_arguments(&arguments, &n_arguments, keeper->pid))
                return true;
        making = xl_making(arguments, n_arguments);
        /* Its log is its standard error: a file of its own once it has gone to the background. */
        snprintf(fd_path, sizeof(fd_path), "/proc/%d/fd/2", keeper->pid);
        n_log = read_end(fd_path, log, LOG_MAX);
        keeper->domid = xl_log_domid(log, n_log, keeper->pid);
        n = readlink(fd_path, path, sizeof(path) - 1);
        path[n > 0 ? n : 0] = '\0';
        /* One that is told to leave its domain (-e) is gone as soon as that has begun. */
        keeper->is_making = making.is_making;
        if (making.is_making && xl_log_name(keeper->name, path))
                read_config_name(keeper, &making);
        free(arguments);
        if (n_arguments && !making.is_making)
                return false;
        /* One whose configuration could not be read, for it was ending. */
        if (keeper->is_making && !keeper->name[0] && keeper->domid < 0) {
                if (proc_arguments(&arguments, &n_arguments, keeper->pid))
                        keeper->is_making = false;
                else {
                        keeper->is_making = n_arguments > 0;
                        free(arguments);
                }
        }
        return true;
}

static bool is_known(const struct xen_keepers *keepers, pid_t pid) {
        for (const struct keeper *keeper = keepers->first; keeper; keeper = keeper->next)
                if (keeper->pid == pid)
                        return true;
        return false;
}

void xen_keepers_look(struct xen_keepers *keepers) {
        DIR *processes = opendir("/proc");
        struct dirent *entry;

        keepers->has_other = false;
        while (processes && (entry = readdir(processes))) {
                struct proc_stat stat;
                pid_t pid = (pid_t)atoi(entry->d_name);

                if (!isdigit((unsigned char)entry->d_name[0]) || proc_stat_read(&stat, pid) || stat.state == 'Z')
                        continue;
                if (!strncmp(stat.comm, "xenopsd", strlen("xenopsd")))
                        keepers->has_other = true;
                if (!strcmp(stat.comm, "xl") && !is_known(keepers, pid))
                        add(keepers, pid);
        }
        if (processes)
                closedir(processes);
        for (struct keeper **at = &keepers->first; *at;) {
                struct keeper *keeper = *at;

                if (recognise(keeper)) {
                        at = &keeper->next;
                        continue;
                }
                *at = keeper->next;
                keeper_free(keeper);
        }
}

bool xen_keepers_has(const struct xen_keepers *keepers, uint32_t domid, const char *name) {
        if (keepers->has_other)
                return true;
        for (const struct keeper *keeper = keepers->first; keeper; keeper = keeper->next) {
                if (keeper->domid == domid)
                        return true;
                /* It has another one, or begins its own anew under its name. */
                if (keeper->is_making && (!strcmp(keeper->name, name) || (!keeper->name[0] && keeper->domid < 0)))
                        return true;
        }
        return false;
}
