/* The host goes down: every VM's record says so, once, and we end after the VMs that end with it. */
#include "keeper/keeper_inside.h"
#include "basics/cleanup.h"
#include "sources/host/host_source.h"
#include "sources/proc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * Told to end while the host goes down, the VMs have so long to end before us.  The unit's TimeoutStopSec= is longer.
 */
#define OUTLAST_USEC UINT64_C(25000000)

enum {
        CGROUP_TEXT_MAX = 16 * 1024,
};

/* --- what the records say ---------------------------------------------------------------------------------------- */

bool keeper_tell_host(struct keeper *keeper, struct kept *kept) {
        const struct evidence *fact = host_source_fact(keeper->host);
        bool goes = fact && fact->kind == EVIDENCE_GOING_DOWN;
        struct evidence copy;

        /* Whoever tells of it on the wire tells of the host, too. */
        if (!fact || kept->is_over || kept->wire || kept->is_going_down == goes)
                return false;
        if (evidence_copy(&copy, fact)) {
                keeper_say(keeper, "%.200s: out of memory: its record does not say that the host goes down", kept_name(kept));
                return false;
        }
        kept->is_going_down = goes;
        source_report(engine_vm_sink(kept->vm), &copy);
        return true;
}

static void on_changed(void *userdata, const struct evidence *fact) {
        struct keeper *keeper = userdata;
        size_t n_told = 0;

        for (struct kept *kept = keeper->vms.first; kept; kept = kept->next)
                n_told += keeper_tell_host(keeper, kept);
        /* Else the store says when it is on record: one transaction for all of them. */
        if (!n_told)
                host_source_release(keeper->host);
}

static void on_trouble(void *userdata, const char *line) {
        keeper_say(userdata, "%s", line);
}

void keeper_look_at_host(struct keeper *keeper) {
        const struct host_events events = { on_changed, on_trouble, keeper };
        int r = host_source_new(&keeper->host, keeper->event, NULL, &events);

        if (r == -ENOENT || r == -ECONNREFUSED)
                keeper_say(keeper, "there is no system bus here: whether the host goes down is not seen; a VM that its shutdown ends was "
                                   "ended by somebody's signal");
        else if (r < 0)
                keeper_say(keeper, "cannot connect to the system bus: %s; whether the host goes down is not seen", strerror(-r));
}

/* --- ending after them ------------------------------------------------------------------------------------------- */

static ssize_t read_cgroup(pid_t pid, char ret_text[static CGROUP_TEXT_MAX]) {
        char path[48];

        snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
        return proc_read(path, ret_text, CGROUP_TEXT_MAX);
}

/* One that is in our own control group is ended after us, with what is left of the host. */
static bool ends_before_us(const struct kept *kept, const char *own, ssize_t n_own) {
        char text[CGROUP_TEXT_MAX];
        ssize_t n = read_cgroup((pid_t)kept_instance(kept)->pid, text);

        return n >= 0 && !(n == n_own && !memcmp(text, own, (size_t)n));
}

static int on_patience_over(sd_event_source *timer, uint64_t usec, void *userdata) {
        struct keeper *keeper = userdata;

        for (struct kept *kept = keeper->vms.first; kept; kept = kept->next)
                if (kept->is_outlasted)
                        keeper_say(keeper, "%.200s has not ended with the host within %u seconds: not waited for any longer", kept_name(kept),
                                   (unsigned)(OUTLAST_USEC / 1000000));
        return sd_event_exit(keeper->event, 0);
}

/* Whether the host goes down is known as far as it can be. */
static void end_after_them(void *userdata) {
        struct keeper *keeper = userdata;
        const struct evidence *fact = host_source_fact(keeper->host);
        char own[CGROUP_TEXT_MAX];
        ssize_t n_own = read_cgroup(getpid(), own);

        if (fact && fact->kind == EVIDENCE_GOING_DOWN)
                for (struct kept *kept = keeper->vms.first; kept; kept = kept->next) {
                        kept->is_outlasted = !kept->is_over && ends_before_us(kept, own, n_own);
                        keeper->n_outlasted += kept->is_outlasted;
                }
        if (!keeper->n_outlasted ||
            sd_event_add_time_relative(keeper->event, &keeper->patience, CLOCK_MONOTONIC, OUTLAST_USEC, 0, on_patience_over, keeper) < 0)
                sd_event_exit(keeper->event, 0);
}

void keeper_end(struct keeper *keeper) {
        bool is_told_again = keeper->is_ending;

        keeper->is_ending = true;
        if (is_told_again || host_source_ask(keeper->host, end_after_them, keeper))
                sd_event_exit(keeper->event, 0);
}

void keeper_outlasted(struct keeper *keeper, const struct kept *kept) {
        if (!kept->is_outlasted || !keeper->n_outlasted)
                return;
        keeper->n_outlasted--;
        if (!keeper->n_outlasted)
                sd_event_exit(keeper->event, 0);
}

void keeper_free_host(struct keeper *keeper) {
        keeper->host = host_source_free(keeper->host);
        keeper->patience = sd_event_source_disable_unref(keeper->patience);
}
