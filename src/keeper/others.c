#include "keeper/others.h"
#include "basics/cleanup.h"
#include "engine/tracing.h"
#include "sources/proc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

struct other {
        struct others *others;
        struct other *next;
        sd_event_source *io;
        int pidfd; /* of its watcher */
        pid_t watcher, vm;
        char instance[VM_INSTANCE_MAX];
        struct traced *held; /* NULL: nothing */
};

struct others {
        sd_event *event;
        struct tracing *tracing;
        struct others_events events;
        struct other *first;
};

static struct other *other_free(struct other *other) {
        sd_event_source_disable_unref(other->io);
        close_fd(&other->pidfd);
        traced_free(other->held);
        free(other);
        return NULL;
}

static int on_ended(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct other *other = userdata, **link = &other->others->first;
        const struct others_events *events = &other->others->events;

        while (*link != other)
                link = &(*link)->next;
        *link = other->next;
        events->left(events->userdata, other->vm, other->instance);
        other_free(other);
        return 0;
}

int others_new(struct others **ret_others, sd_event *event, struct tracing *tracing, const struct others_events *events) {
        struct others *others = calloc(1, sizeof(*others));

        if (!others)
                return -ENOMEM;
        others->event = sd_event_ref(event);
        others->tracing = tracing;
        others->events = *events;
        *ret_others = others;
        return 0;
}

struct others *others_free(struct others *others) {
        if (!others)
                return NULL;
        while (others->first) {
                struct other *other = others->first;

                others->first = other->next;
                other_free(other);
        }
        sd_event_unref(others->event);
        free(others);
        return NULL;
}

static void set_instance(struct other *other, const char *instance) {
        if (!*instance || !strcmp(other->instance, instance))
                return;
        snprintf(other->instance, sizeof(other->instance), "%s", instance);
        traced_free(take_pointer(other->held));
        traced_hold(&other->held, other->others->tracing, instance);
}

/* Whoever starts a VM again has told how the one before it ended. */
static bool is_followed(const struct other *other) {
        return other->instance[0] && !proc_instance_is_alive(other->instance);
}

int others_add(struct others *others, pid_t watcher, pid_t vm, const char *instance) {
        struct other *other = others->first, *followed = NULL;
        int r;

        for (; other && !(other->watcher == watcher && other->vm == vm); other = other->next)
                if (other->watcher == watcher && is_followed(other))
                        followed = other;
        if (!other && followed) {
                other = followed;
                other->vm = vm;
                other->instance[0] = '\0';
                traced_free(take_pointer(other->held));
        }
        if (other) {
                set_instance(other, instance);
                return 0;
        }
        other = calloc(1, sizeof(*other));
        if (!other)
                return -ENOMEM;
        other->others = others;
        other->watcher = watcher;
        other->vm = vm;
        other->pidfd = (int)syscall(SYS_pidfd_open, watcher, 0);
        r = other->pidfd < 0 ? -errno : sd_event_add_io(others->event, &other->io, other->pidfd, EPOLLIN | EPOLLET, on_ended, other);
        if (r < 0) {
                other_free(other);
                return r;
        }
        set_instance(other, instance);
        other->next = others->first;
        others->first = other;
        return 0;
}
