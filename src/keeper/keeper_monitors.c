#include "keeper/keeper_inside.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "sources/proc.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So often may one monitor in a process that is no VM be given back and attached again. */
#define MONITOR_LIVES_MAX 1000

/* So often, so far apart, a monitor of ours is looked at that still seems to have a client. */
#define OPEN_TRIES      20
#define OPEN_RETRY_USEC 100000
/* One that is to be taken, and that QEMU may not have made yet. */
#define OPEN_MISSING_TRIES 30
#define OPEN_MISSING_USEC  1000000
/* So long after there were no descriptors for one. */
#define OPEN_SHORT_USEC 10000000

/* A monitor that is being opened: asked for by somebody, or taken up by ourselves. */
struct opening {
        struct keeper *keeper;
        struct opening *next;
        struct attachment *attachment;
        sd_event_source *retry;
        unsigned n_tries; /* that are left */
        char path[QEMU_MONITOR_ADDRESS_MAX]; /* of one that we open by ourselves */
        char instance[VM_INSTANCE_MAX]; /* whose it is; "": it turns out when it has greeted */
        struct keeper_attach_order order;
        char name[VM_NAME_MAX];
        struct actor asker;
        bool is_asked, is_ours;
        bool is_held; /* and is answered when that is on record */
};

/* --- opening monitors -------------------------------------------------------------------------------------------- */

static bool is_being_opened(const struct keeper *keeper, const struct kept *kept) {
        for (const struct opening *opening = keeper->openings; opening; opening = opening->next)
                if (!strcmp(opening->instance, kept_instance(kept)->identity.instance))
                        return true;
        return false;
}

static struct opening *opening_free(struct opening *opening) {
        struct opening **link = &opening->keeper->openings;

        while (*link != opening)
                link = &(*link)->next;
        *link = opening->next;
        attachment_free(opening->attachment);
        sd_event_source_disable_unref(opening->retry);
        free(opening);
        return NULL;
}

static struct opening *opening_new(struct keeper *keeper) {
        struct opening *opening = calloc(1, sizeof(*opening));

        if (!opening)
                return NULL;
        opening->keeper = keeper;
        opening->next = keeper->openings;
        keeper->openings = opening;
        return opening;
}

/*
 * What the process is that listens there.  One that holds thousands of monitors has thousands of descriptors, and is asked only once whether
 * one of them is a VM.  0 (`ret_is_vm`), or -errno.
 */
static int look_at_owner(struct keeper *keeper, pid_t pid, struct survey_vmm *ret_vmm, bool *ret_is_vm) {
        char instance[PROC_INSTANCE_MAX];
        int r;

        *ret_is_vm = false;
        r = proc_instance(pid, instance);
        if (r)
                return r;
        if (strcmp(instance, keeper->no_vmm)) {
                r = survey_process(ret_vmm, pid, false);
                *ret_is_vm = r != SURVEY_NO_VMM;
                if (r <= 0)
                        return r;
                if (!*ret_is_vm)
                        text_set(keeper->no_vmm, sizeof(keeper->no_vmm), instance);
        }
        r = survey_process_itself(ret_vmm, pid);
        return r > 0 ? -ESRCH : r;
}

static bool has_ended(struct keeper *keeper, const char *instance) {
        struct store_vm known = { 0 };
        bool is_ending, is_over;

        if (store_find_vm(keeper->store, instance, &known))
                return false;
        /* One that was ours has ended, but that is not on disk yet. */
        is_ending = !known.ended_ns && !strcmp(known.watcher, keeper->watcher) && !vm_list_find_instance(&keeper->vms, instance);
        is_over = is_ending || known.ended_ns;
        if (is_ending)
                engine_settle(keeper->engine);
        store_vm_deinit(&known);
        return is_over;
}

/*
 * A monitor in a process that is no VM: the socket's inode stands behind the process's instance, and a number where that one has ended, for
 * it was given back, or lost with a daemon that was killed.
 */
static void name_instance(struct keeper *keeper, char instance[static VM_INSTANCE_MAX], uint64_t inode) {
        size_t n = strlen(instance);

        snprintf(instance + n, VM_INSTANCE_MAX - n, ":%" PRIu64, inode);
        n = strlen(instance);
        for (unsigned number = 2; number < MONITOR_LIVES_MAX; number++) {
                if (!has_ended(keeper, instance))
                        return;
                snprintf(instance + n, VM_INSTANCE_MAX - n, ".%u", number);
        }
}

/* Which VM is at that monitor?  A process that runs one is that one; else the monitor is a VM of its own. */
static int find_target(struct keeper *keeper, const struct monitor_check *check, const char *name, struct kept **ret_kept,
                       char ret_why[static STORE_WHY_MAX]) {
        struct survey_vmm vmm = { 0 };
        struct store_vm instance;
        bool is_vm;
        int r;

        *ret_kept = vm_list_find_pid(&keeper->vms, check->pid);
        if (*ret_kept)
                return 0;
        r = look_at_owner(keeper, check->pid, &vmm, &is_vm);
        if (r == -ESRCH) {
                snprintf(ret_why, STORE_WHY_MAX, "pid %d has gone", (int)check->pid);
                return r;
        }
        if (r) {
                snprintf(ret_why, STORE_WHY_MAX, "it cannot be seen what pid %d is: %s", (int)check->pid, strerror(-r));
                return r;
        }
        keeper_describe(keeper, &vmm, &instance);
        if (!is_vm) {
                name_instance(keeper, instance.identity.instance, check->inode);
                text_set(instance.identity.backend, sizeof(instance.identity.backend), "qemu");
                text_set(instance.identity.name, sizeof(instance.identity.name), name);
                *instance.identity.uuid = '\0';
        }
        survey_vmm_deinit(&vmm);
        *ret_kept = vm_list_find_instance(&keeper->vms, instance.identity.instance);
        if (*ret_kept && !is_vm && !(*ret_kept)->qemu) {
                snprintf(ret_why, STORE_WHY_MAX, "the monitor of %.200s is being opened, or given back; try again", kept_name(*ret_kept));
                store_vm_deinit(&instance);
                return -EBUSY;
        }
        r = keeper_keep(keeper, &instance, ret_kept);
        if (r == -EBUSY) {
                snprintf(ret_why, STORE_WHY_MAX, "another vmpower looks after pid %d, or it has ended", (int)check->pid);
                r = -ESRCH;
        } else if (r) {
                snprintf(ret_why, STORE_WHY_MAX, "cannot look after pid %d: %s", (int)check->pid,
                         r == -EMFILE ? "vmpowerd has no descriptors for one VM more" : strerror(-r));
        }
        store_vm_deinit(&instance);
        return r;
}

/* Whose monitor is held, by us or by whoever tells of the VM, has no other.  0 or -EEXIST. */
static int refuse_attached(const struct kept *kept, char ret_why[static STORE_WHY_MAX]) {
        if (kept->wire) {
                snprintf(ret_why, STORE_WHY_MAX, "another program looks after %.200s already (pid %d)", kept_name(kept),
                         (int)keeper_wire_teller(kept));
                return -EEXIST;
        }
        if (!kept->qemu)
                return 0;
        snprintf(ret_why, STORE_WHY_MAX, "%.200s is attached already, by %.200s", kept_name(kept), kept->monitor);
        return -EEXIST;
}

static int note_request(struct kept *kept, const char *command, const struct actor *asker) {
        struct evidence request = evidence_make(SOURCE_VMPOWER, EVIDENCE_REQUEST);

        evidence_set_word(&request, command);
        if (asker && evidence_set_actor(&request, asker))
                return -ENOMEM;
        source_report(engine_vm_sink(kept->vm), &request);
        return 0;
}

static int hold(struct opening *opening, struct kept *kept, char ret_why[static STORE_WHY_MAX]) {
        cleanup(freep) char *greeting = NULL;
        cleanup(closep) int fd = -1;
        struct qemu_source_past past = { 0 };
        int r;

        if (!keeper_has_descriptors()) {
                snprintf(ret_why, STORE_WHY_MAX, "vmpowerd has no descriptors for the monitor of %.200s", kept_name(kept));
                return -EMFILE;
        }
        fd = attachment_take(opening->attachment, &greeting, &past.n_greeting);
        past.greeting = greeting;
        r = fd < 0 ? fd : kept_hold_monitor(kept, attachment_check(opening->attachment)->path, fd, &past, -1);
        if (r) {
                snprintf(ret_why, STORE_WHY_MAX, "cannot hold the monitor of %.200s: %s", kept_name(kept), strerror(-r));
                return r;
        }
        take_fd(&fd);
        return 0;
}

/* The monitor that somebody asked for has greeted: the VM is made now, if it was not there. */
static int attach(struct opening *opening, struct kept **ret_kept, char ret_why[static STORE_WHY_MAX]) {
        struct keeper *keeper = opening->keeper;
        struct kept *kept;
        int r;

        r = find_target(keeper, attachment_check(opening->attachment), opening->name, &kept, ret_why);
        if (r)
                return r;
        r = refuse_attached(kept, ret_why);
        if (!r)
                r = keeper_check_name(keeper, kept, opening->name, ret_why);
        if (!r) {
                r = note_request(kept, "attach", &opening->asker);
                if (!r)
                        r = keeper_rename(keeper, kept, opening->name);
                if (r)
                        snprintf(ret_why, STORE_WHY_MAX, "out of memory");
        }
        if (!r)
                r = hold(opening, kept, ret_why);
        *ret_kept = kept;
        return r;
}

void keeper_lose_monitor(struct kept *kept) {
        struct evidence vanished = evidence_make(SOURCE_PROCESS, EVIDENCE_VANISHED);

        if (kept && !kept->qemu && instance_is_monitors(kept_instance(kept)->identity.instance))
                source_report(engine_vm_sink(kept->vm), &vanished);
}

/* Of the socket that a VM listens on which is nothing but that. */
static uint64_t inode_of(const struct kept *kept) {
        return strtoull(strrchr(kept_instance(kept)->identity.instance, ':') + 1, NULL, 10);
}

static int on_retry(sd_event_source *timer, uint64_t usec, void *userdata);

static int retry_in(struct opening *opening, uint64_t usec) {
        int r;

        opening->attachment = attachment_free(opening->attachment);
        if (!opening->retry)
                return sd_event_add_time_relative(opening->keeper->event, &opening->retry, CLOCK_MONOTONIC, usec, 0, on_retry, opening);
        r = sd_event_source_set_time_relative(opening->retry, usec);
        return r < 0 ? r : sd_event_source_set_enabled(opening->retry, SD_EVENT_ONESHOT);
}

/*
 * A monitor that we open by ourselves is not to be had.  Where it was ours, QEMU may not have seen yet that the one who held it before has
 * gone: that is looked at again for a while.  So is whether one is there by now that QEMU has not made yet.  Nobody is connected to for that.
 */
static void fail_by_ourselves(struct opening *opening, struct kept *kept, int result, const char *why) {
        const bool is_missing = !opening->is_ours && (result == -ENOENT || result == -ESRCH);

        if (((result == -EBUSY && opening->is_ours) || is_missing) && opening->n_tries) {
                opening->n_tries--;
                if (retry_in(opening, is_missing ? OPEN_MISSING_USEC : OPEN_RETRY_USEC) >= 0)
                        return;
        }
        /* Nor is one gone for which there is no descriptor. */
        if (result == -EMFILE) {
                keeper_miss(opening->keeper);
                if (retry_in(opening, OPEN_SHORT_USEC) >= 0)
                        return;
        }
        /* One that somebody is connected to, and that was never ours, is his. */
        if (result != -EBUSY || opening->is_ours)
                keeper_say(opening->keeper, "%.200s: %s", kept_name(kept), why);
        keeper_lose_monitor(kept);
        opening_free(opening);
}

static void finish_by_ourselves(struct opening *opening, int result, const char *why) {
        struct kept *kept = vm_list_find_instance(&opening->keeper->vms, opening->instance);
        char line[STORE_WHY_MAX];

        if (!kept || kept->qemu) {
                opening_free(opening);
                return;
        }
        if (!result) {
                why = line;
                if (instance_is_monitors(kept_instance(kept)->identity.instance) &&
                    attachment_check(opening->attachment)->inode != inode_of(kept)) {
                        snprintf(line, sizeof(line), "another one is at %.200s now", opening->path);
                        result = -ESRCH;
                } else {
                        result = hold(opening, kept, line);
                }
        }
        if (result)
                fail_by_ourselves(opening, kept, result, why);
        else
                opening_free(opening);
}

/* Why a monitor that has a client is ours: it is held already, for the VM of that name, or as another.  NULL: it is not, or not for him to know. */
static const struct kept *find_held(const struct opening *opening) {
        const struct vm_list *vms = &opening->keeper->vms;
        const char *path = attachment_check(opening->attachment)->path;
        int64_t owner = opening->order.owner;
        const struct kept *kept = vm_list_find(vms, opening->name, owner);

        if (!kept || (!kept->wire && !kept->qemu))
                for (kept = vms->first; kept && (kept->is_over || !kept->monitor || strcmp(kept->monitor, path));)
                        kept = kept->next;
        return kept && (owner < 0 || kept_instance(kept)->uid == owner) ? kept : NULL;
}

/* Somebody asked for it. */
static void finish_asked(struct opening *opening, int result, const char *why) {
        const struct kept *held = result == -EBUSY ? find_held(opening) : NULL;
        char line[STORE_WHY_MAX];
        struct kept *kept;

        if (!result) {
                why = line;
                result = attach(opening, &kept, line);
        } else if (held && refuse_attached(held, line)) {
                why = line;
                result = -EEXIST;
        }
        if (!result) {
                opening->is_held = true;
                text_set(opening->instance, sizeof(opening->instance), kept_instance(kept)->identity.instance);
                return;
        }
        opening->order.done(opening->order.userdata, result, NULL, why);
        opening_free(opening);
}

static void on_opened(void *userdata, int result, const char *why) {
        struct opening *opening = userdata;

        if (opening->is_asked)
                finish_asked(opening, result, why);
        else
                finish_by_ourselves(opening, result, why);
}

void keeper_answer_opened(struct keeper *keeper, struct kept *kept) {
        struct opening *opening, *next;
        struct kept_vm vm;

        keeper_present(kept, &vm);
        for (opening = keeper->openings; opening; opening = next) {
                next = opening->next;
                if (!opening->is_held || strcmp(opening->instance, kept_instance(kept)->identity.instance))
                        continue;
                opening->order.done(opening->order.userdata, 0, &vm, NULL);
                opening_free(opening);
        }
}

static void try_to_open(struct opening *opening) {
        struct kept *kept = vm_list_find_instance(&opening->keeper->vms, opening->instance);
        char why[STORE_WHY_MAX];
        int r;

        if (!kept || kept->qemu) {
                opening_free(opening);
                return;
        }
        r = attachment_new(&opening->attachment, opening->keeper->event, opening->keeper->looks, opening->path,
                           (pid_t)kept_instance(kept)->pid, MONITOR_OF_ITS_PROCESS, &(struct attachment_events){ on_opened, opening }, why);
        if (r)
                fail_by_ourselves(opening, kept, r, why);
}

static int on_retry(sd_event_source *timer, uint64_t usec, void *userdata) {
        try_to_open(userdata);
        return 0;
}

/* `is_ours`: a vmpower held it before.  One that was never ours is looked at once, and not at all again: it may be a toolstack's. */
static void open_by_ourselves(struct keeper *keeper, struct kept *kept, const char *path, bool is_ours) {
        struct opening *opening = opening_new(keeper);

        if (!opening)
                return;
        text_set(opening->instance, sizeof(opening->instance), kept_instance(kept)->identity.instance);
        text_set(opening->path, sizeof(opening->path), path);
        opening->is_ours = is_ours;
        opening->n_tries = is_ours ? OPEN_TRIES : OPEN_MISSING_TRIES;
        try_to_open(opening);
}

void keeper_open_again(struct keeper *keeper, struct kept *kept, const char *path) {
        open_by_ourselves(keeper, kept, path, true);
}

/* Whose monitor is that, as far as it can be known without a look at it? */
static const struct kept *find_ordered(struct keeper *keeper, const struct keeper_attach_order *order) {
        const struct kept *kept = order->pid ? vm_list_find_pid(&keeper->vms, order->pid) : NULL;

        if (!kept && !order->pid) {
                kept = vm_list_find(&keeper->vms, order->name, order->owner);
                if (kept && (!kept->wire || !keeper_wire_holds(kept, order->path)))
                        return NULL;
        }
        return kept;
}

int keeper_attach(struct keeper *keeper, const struct keeper_attach_order *order, char ret_why[static STORE_WHY_MAX]) {
        struct opening *opening;
        const struct kept *kept;
        int r;

        /* Its monitor is in use, and this is why. */
        kept = find_ordered(keeper, order);
        if (kept && kept->wire)
                return refuse_attached(kept, ret_why);
        opening = opening_new(keeper);
        if (!opening) {
                snprintf(ret_why, STORE_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        opening->order = *order;
        opening->is_asked = true;
        text_set(opening->name, sizeof(opening->name), order->name);
        opening->asker = *order->asker;
        r = attachment_new(&opening->attachment, keeper->event, keeper->looks, order->path, order->pid, order->owner,
                           &(struct attachment_events){ on_opened, opening }, ret_why);
        if (r)
                opening_free(opening);
        return r;
}

/* One that was killed now would open it again: who asked is answered when it is on record that it was given back. */
struct giving_back {
        struct giving_back *next;
        struct keeper_detach_order order;
        char instance[VM_INSTANCE_MAX];
};

/* All of one VM (NULL: of each), which is `vm` (NULL: it has not been, for `why`). */
static void answer_given_back(struct keeper *keeper, const char *instance, int result, const struct kept_vm *vm, const char *why) {
        for (struct giving_back **link = &keeper->given_back; *link;) {
                struct giving_back *given_back = *link;

                if (instance && strcmp(given_back->instance, instance)) {
                        link = &given_back->next;
                        continue;
                }
                *link = given_back->next;
                given_back->order.done(given_back->order.userdata, result, vm, why);
                free(given_back);
        }
}

void keeper_answer_given_back(struct keeper *keeper, struct kept *kept) {
        struct kept_vm vm;

        keeper_present(kept, &vm);
        answer_given_back(keeper, kept_instance(kept)->identity.instance, 0, &vm, NULL);
}

int keeper_detach(struct keeper *keeper, const struct keeper_detach_order *order, char ret_why[static STORE_WHY_MAX]) {
        struct kept *kept = vm_list_find(&keeper->vms, order->name, -1);
        struct giving_back *given_back;
        int r;

        if (!kept) {
                snprintf(ret_why, STORE_WHY_MAX, "there is no VM %.200s", order->name);
                return -ENOENT;
        }
        if (!kept->qemu) {
                snprintf(ret_why, STORE_WHY_MAX, "no monitor of %.200s is held", kept_name(kept));
                return -ENOTCONN;
        }
        given_back = calloc(1, sizeof(*given_back));
        r = given_back ? note_request(kept, DETACH, order->asker) : -ENOMEM;
        if (r) {
                free(given_back);
                return r;
        }
        given_back->order = *order;
        text_set(given_back->instance, sizeof(given_back->instance), kept_instance(kept)->identity.instance);
        given_back->next = keeper->given_back;
        keeper->given_back = given_back;
        keeper_refuse_asked(keeper, kept);
        /* Of one wakeup, all this is one commit. */
        qemu_source_finish(kept->qemu);
        kept_close_monitor(kept);
        return 0;
}

/* `run` has its monitors there, and leaves them to whoever looks after the VM next. */
static bool is_of_run(const struct keeper *keeper, const char *path) {
        size_t n = strlen(keeper->config.run_directory);

        return !strncmp(path, keeper->config.run_directory, n) && !strncmp(path + n, "/run/", 5);
}

static bool is_ours_to_take(const struct keeper *keeper, const char *path) {
        for (size_t i = 0; i < keeper->config.n_take_monitors; i++)
                if (!fnmatch(keeper->config.take_monitors[i], path, FNM_PATHNAME))
                        return true;
        return is_of_run(keeper, path);
}

/* A unix socket on which QEMU listens, and no toolstack's. */
const char *keeper_find_monitor(const struct keeper *keeper, const struct survey_vmm *vmm) {
        const char *found = NULL;

        for (size_t i = 0; !vmm->monitors.is_libvirts && i < vmm->monitors.n_items; i++) {
                const struct qemu_monitor_place *place = &vmm->monitors.items[i];

                if (place->kind != QEMU_MONITOR_UNIX || !place->is_server || place->is_pretty || place->address[0] != '/' ||
                    monitor_is_libvirts(place->address))
                        continue;
                if (!found || is_ours_to_take(keeper, place->address))
                        found = place->address;
        }
        return found;
}

void keeper_open_if_ours(struct keeper *keeper, struct kept *kept, const char *path) {
        if (!kept->qemu && is_ours_to_take(keeper, path) && !is_being_opened(keeper, kept))
                open_by_ourselves(keeper, kept, path, is_of_run(keeper, path));
}

void keeper_free_openings(struct keeper *keeper) {
        answer_given_back(keeper, NULL, -ESHUTDOWN, NULL, "vmpowerd ends");
        while (keeper->openings) {
                struct opening *opening = keeper->openings;

                if (opening->is_asked)
                        opening->order.done(opening->order.userdata, -ESHUTDOWN, NULL, "vmpowerd ends");
                opening_free(opening);
        }
}
