/* What somebody has Xen do with its domains, as the kernel sees it: it comes to the record of the domain that it is about, and where Xen tells nobody, its helper looks. */
#include "keeper/helping.h"
#include "basics/cleanup.h"
#include "engine/tracing.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

enum { LOOKS_MAX = 32 };

/* Whoever has not ended by then may be a daemon. */
#define LOOK_PATIENCE_USEC 2000000

struct look {
        struct helping *helping;
        struct look *next, **at;
        sd_event_source *ended, *patience;
        int process;
};

static uint64_t hash_of(int64_t domid) {
        return table_hash(&domid, sizeof(domid));
}

static struct helped *find(const struct keeper *keeper, int64_t domid) {
        struct table_link *link = table_first(&keeper->domains, hash_of(domid));

        for (; link; link = table_next(link)) {
                struct helped *helped = link->owner;

                if (helped->domid == domid && !helped->has_ended && !helped->kept->is_over)
                        return helped;
        }
        return NULL;
}

static void look_free(struct look *look) {
        *look->at = look->next;
        if (look->next)
                look->next->at = look->at;
        sd_event_source_disable_unref(look->ended);
        sd_event_source_disable_unref(look->patience);
        close_fd(&look->process);
        free(look);
}

void helping_free_looks(struct helping *helping) {
        while (helping->looks)
                look_free(helping->looks);
}

static void have_look(struct helping *helping) {
        const struct wire_message look = { .kind = WIRE_LOOK };

        helper_say(helping->helper, &look);
}

static int on_ended(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct look *look = userdata;

        have_look(look->helping);
        look_free(look);
        return 0;
}

static int on_patience(sd_event_source *source, uint64_t usec, void *userdata) {
        return on_ended(source, -1, 0, userdata);
}

/*
 * Xen makes no event of a pause.  When whoever paused it has ended it is to be seen, or was but the beginning of its destruction, as it is of each one by
 * libxl; then there is an event.
 */
static void look_later(struct helping *helping, pid_t pid) {
        struct look *look;
        size_t n = 0;

        for (const struct look *other = helping->looks; other; other = other->next)
                n++;
        look = n < LOOKS_MAX ? calloc(1, sizeof(*look)) : NULL;
        if (!look)
                return;
        *look = (struct look){ helping, helping->looks, &helping->looks, .process = (int)syscall(SYS_pidfd_open, pid, 0) };
        if (look->next)
                look->next->at = &look->next;
        helping->looks = look;
        if (look->process < 0 ||
            sd_event_add_io(helping->keeper->event, &look->ended, look->process, EPOLLIN, on_ended, look) < 0 ||
            sd_event_add_time_relative(helping->keeper->event, &look->patience, CLOCK_MONOTONIC, LOOK_PATIENCE_USEC, 0, on_patience, look) < 0)
                on_ended(NULL, -1, 0, look);
}

/* Some were lost, of whichever domain. */
static void tell_all(const struct keeper *keeper, struct evidence *gap) {
        for (const struct helping *helping = keeper->helpings; helping; helping = helping->next)
                for (const struct helped *helped = helping->first; helped; helped = helped->next) {
                        struct evidence copy;

                        if (helped->domid >= 0 && !helped->has_ended && !helped->kept->is_over && !evidence_copy(&copy, gap))
                                source_report(engine_vm_sink(helped->kept->vm), &copy);
                }
        evidence_deinit(gap);
}

static void on_called(void *userdata, struct evidence *evidence) {
        struct keeper *keeper = userdata;
        struct helped *helped;

        if (evidence->kind == EVIDENCE_GAP) {
                tell_all(keeper, evidence);
                return;
        }
        helped = find(keeper, evidence->number);
        if (!helped) {
                evidence_deinit(evidence);
                return;
        }
        if (strcmp(evidence->word, "destroydomain") && evidence->actor)
                look_later(helped->helping, (pid_t)evidence->actor->pid);
        source_report(engine_vm_sink(helped->kept->vm), evidence);
}

void keeper_hear_hypercalls(struct keeper *keeper) {
        tracing_on_hypercall(keeper->tracing, on_called, keeper);
}

int helped_hear_hypercalls(struct helped *helped) {
        struct keeper *keeper = helped->helping->keeper;

        if (helped->domid < 0)
                return 0;
        if (table_make_room(&keeper->domains))
                return -ENOMEM;
        table_add(&keeper->domains, &helped->by_domid, hash_of(helped->domid), helped);
        return 0;
}

void helped_hear_no_hypercalls(struct helped *helped) {
        table_remove(&helped->helping->keeper->domains, &helped->by_domid);
}
