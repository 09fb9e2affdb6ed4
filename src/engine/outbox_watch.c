#include "engine/outbox_watch.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

/*
 * The log is written before its disk has it, and only then can others read what it says (https://www.sqlite.org/wal.html, 2.2): one look
 * soon, for most of them, and one when nothing was written for a while.
 */
#define SOON_USEC  UINT64_C(100000)
#define LATER_USEC UINT64_C(1000000)

struct outbox_watch {
        struct outbox *outbox;
        sd_event_source *io; /* off until the last look */
        sd_event_source *timer;
        int fd;
        bool was_soon;
};

/* Was it written to since the last time? */
static bool drain(struct outbox_watch *watch) {
        char events[4096];
        bool has_changed = false;

        while (read(watch->fd, events, sizeof(events)) > 0)
                has_changed = true;
        return has_changed;
}

static void look_in(struct outbox_watch *watch, uint64_t usec) {
        sd_event_source_set_time_relative(watch->timer, usec);
        sd_event_source_set_enabled(watch->timer, SD_EVENT_ONESHOT);
}

static int on_written(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct outbox_watch *watch = userdata;

        drain(watch);
        /* What is written until the last look is one thing more to look at, and wakes nobody. */
        sd_event_source_set_enabled(watch->io, SD_EVENT_OFF);
        watch->was_soon = false;
        look_in(watch, SOON_USEC);
        return 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        struct outbox_watch *watch = userdata;
        bool has_changed = drain(watch);
        char why[STORE_WHY_MAX];
        int r = outbox_look(watch->outbox, why);

        if (r || has_changed || !watch->was_soon)
                look_in(watch, LATER_USEC);
        else
                sd_event_source_set_enabled(watch->io, SD_EVENT_ON);
        watch->was_soon = true;
        return 0;
}

struct outbox_watch *outbox_watch_free(struct outbox_watch *watch) {
        if (!watch)
                return NULL;
        sd_event_source_disable_unref(watch->io);
        sd_event_source_disable_unref(watch->timer);
        close_fd(&watch->fd);
        free(watch);
        return NULL;
}

int outbox_watch_new(struct outbox_watch **ret_watch, sd_event *event, struct outbox *outbox, const char *state_directory) {
        struct outbox_watch *watch = calloc(1, sizeof(*watch));
        cleanup(freep) char *path = NULL;
        int r = 0;

        if (!watch || asprintf(&path, "%s/vmpower.db-wal", state_directory) < 0) {
                free(watch);
                return -ENOMEM;
        }
        watch->outbox = outbox;
        watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        /* We have the log open ourselves: it stays the same file for as long. */
        if (watch->fd < 0 || inotify_add_watch(watch->fd, path, IN_MODIFY) < 0)
                r = -errno;
        if (!r)
                r = sd_event_add_io(event, &watch->io, watch->fd, EPOLLIN, on_written, watch);
        if (r >= 0)
                r = sd_event_add_time(event, &watch->timer, CLOCK_MONOTONIC, 0, 10000, on_time, watch);
        if (r >= 0)
                r = sd_event_source_set_enabled(watch->timer, SD_EVENT_OFF);
        if (r < 0) {
                outbox_watch_free(watch);
                return r;
        }
        *ret_watch = watch;
        return 0;
}
