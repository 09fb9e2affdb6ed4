#include "keeper/keeper_inside.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "engine/recover.h"
#include "engine/tracing.h"
#include "sources/proc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So far up a VM's parents are looked at. */
#define ANCESTORS_MAX 64
/* So long after a VM could not be written down. */
#define LOOK_AGAIN_USEC 2000000

/* --- names ------------------------------------------------------------------------------------------------------- */

int keeper_rename(struct keeper *keeper, struct kept *kept, const char *name) {
        struct vm_identity identity = kept_instance(kept)->identity;
        int r;

        if (kept->own_name) {
                free(take_pointer(kept->own_name));
                keeper->n_waiting--;
        }
        if (!strcmp(identity.name, name))
                return 0;
        text_set(identity.name, sizeof(identity.name), name);
        r = engine_vm_rename(kept->vm, &identity, kept_instance(kept)->pid);
        vm_list_update(&keeper->vms, kept);
        return r;
}

/* The name of one that is over is free: the end was given to the store before this. */
void keeper_give_name(struct keeper *keeper, const struct store_vm *former) {
        for (struct kept *kept = keeper->n_waiting ? keeper->vms.first : NULL; kept; kept = kept->next)
                if (kept->own_name && !kept->is_over && !strcmp(kept->own_name, former->identity.name) &&
                    kept_instance(kept)->uid == former->uid) {
                        keeper_rename(keeper, kept, former->identity.name);
                        return;
                }
}

static int refuse_name(const struct store_vm *other, const char *name, char ret_why[static STORE_WHY_MAX]) {
        snprintf(ret_why, STORE_WHY_MAX, "another VM is called %.200s (pid %" PRId64 ")", name, other->pid);
        return -EEXIST;
}

int keeper_check_name(struct keeper *keeper, const struct kept *kept, const char *name, char ret_why[static STORE_WHY_MAX]) {
        int64_t uid = kept_instance(kept)->uid;
        const struct kept *other = vm_list_find(&keeper->vms, name, uid);
        struct store_vm *vms = NULL;
        size_t n_vms = 0;
        int r;

        if (other && other != kept && kept_instance(other)->uid == uid)
                return refuse_name(kept_instance(other), name, ret_why);
        r = store_list_open_vms(keeper->store, name, &vms, &n_vms);
        if (r)
                snprintf(ret_why, STORE_WHY_MAX, "cannot see whether another VM is called %.200s: %s", name, strerror(-r));
        for (size_t i = 0; i < n_vms; i++) {
                if (r || vms[i].uid != uid || vms[i].id == kept_instance(kept)->id)
                        ;
                else if (vm_is_lost(&vms[i]))
                        r = recover_lost_vm(keeper->store, &vms[i], ret_why);
                else
                        r = refuse_name(&vms[i], name, ret_why);
                store_vm_deinit(&vms[i]);
        }
        free(vms);
        return r;
}

/* --- one VM more ------------------------------------------------------------------------------------------------- */

/* The engine looks after it already.  NULL: out of memory, and it does so no more. */
static struct kept *add(struct keeper *keeper, struct engine_vm *vm) {
        struct kept *kept;

        if (kept_new(&kept, &keeper->home, vm)) {
                engine_remove_vm(vm);
                return NULL;
        }
        if (vm_list_add(&keeper->vms, kept)) {
                kept_free(kept);
                return NULL;
        }
        keeper_tidy_soon(keeper);
        return kept;
}

void keeper_watch(struct keeper *keeper, struct kept *kept) {
        const struct store_vm *instance = kept_instance(kept);
        int r;

        if (instance_is_monitors(instance->identity.instance))
                return;
        r = kept_watch_process(kept, (pid_t)instance->pid, keeper_has_descriptors());
        kept->is_unwatched = r != 0;
        if (r)
                keeper_miss(keeper);
}

void keeper_watch_again(struct keeper *keeper) {
        for (struct kept *kept = keeper->vms.first; kept; kept = kept->next)
                if (kept->is_unwatched && !kept->is_over)
                        keeper_watch(keeper, kept);
        keeper_helped_watch_again(keeper);
}

/* --- writing it down, or taking up what was written down ---------------------------------------------------------- */

struct record {
        struct qemu_known *known; /* what its monitor said last; owned */
        size_t n_known;
        uint64_t newest_ns;
        bool knows_machine;
        bool was_opened; /* its monitor, ever */
};

static void note_facts(struct record *record, const struct evidence *facts, size_t n_facts) {
        for (size_t i = 0; i < n_facts; i++)
                if (facts[i].source == SOURCE_QMP)
                        record->known[record->n_known++] = (struct qemu_known){ facts[i].kind, facts[i].time_ns };
}

static void note_known(struct record *record, const struct past *past) {
        *record = (struct record){ .newest_ns = past->newest_ns };
        record->known = calloc(past->episode.n_items + past->n_later + past->n_earlier + 1, sizeof(*record->known));
        if (!record->known)
                return;
        note_facts(record, past->episode.items, past->episode.n_items);
        note_facts(record, past->later, past->n_later);
        /* A daemon that was killed had read, and not yet taken from the socket, what is told by now. */
        note_facts(record, past->earlier, past->n_earlier);
}

static void record_deinit(struct record *record) {
        free(record->known);
}

static int compare_facts(const void *a, const void *b) {
        return evidence_is_before(a, b) ? -1 : evidence_is_before(b, a);
}

/* All facts that are read of it, without their actors, in the order in which they happened.  NULL: out of memory. */
static struct evidence *list_facts(const struct past *past, size_t *ret_n) {
        size_t n = past->episode.n_items + past->n_later;
        struct evidence *facts = calloc(n + 1, sizeof(*facts));

        *ret_n = facts ? n : 0;
        for (size_t i = 0; i < *ret_n; i++) {
                facts[i] = i < past->episode.n_items ? past->episode.items[i] : past->later[i - past->episode.n_items];
                facts[i].actor = NULL;
        }
        if (facts)
                qsort(facts, n, sizeof(*facts), compare_facts);
        return facts;
}

/* One whose watcher has gone.  `gap`: as engine_adopt_vm().  `vm` is taken over on success. */
static struct kept *adopt(struct keeper *keeper, struct store_vm *vm, const char *gap, struct record *ret_record) {
        struct policy policy = policy_default(false);
        cleanup(freep) struct evidence *facts = NULL;
        size_t n_facts;
        struct past past;
        struct engine_vm *engine_vm;
        struct kept *kept;
        char why[STORE_WHY_MAX];

        if (past_read(&past, keeper->store, vm->id, !instance_is_monitors(vm->identity.instance), why)) {
                keeper_say(keeper, "%.200s: cannot read what is on record of it: %s", vm->identity.name, why);
                return NULL;
        }
        policy_read(&policy, vm->policy ? vm->policy : "");
        note_known(ret_record, &past);
        vm->is_daemons = true;
        facts = list_facts(&past, &n_facts);
        ret_record->knows_machine = past_has(&past, EVIDENCE_MACHINE);
        ret_record->was_opened = past_has(&past, EVIDENCE_MONITOR_OPENED);
        kept = engine_adopt_vm(keeper->engine, vm, keeper->watcher, &policy, &past, gap, &engine_vm) ? NULL : add(keeper, engine_vm);
        if (kept) {
                kept->is_going_down = past_is_going_down(&past);
                kept->is_taken_up = true;
                keeper_tell_host(keeper, kept);
        }
        /* How it was when nobody looked any more.  A domain's state is its helper's to tell. */
        for (size_t i = 0; kept && i < n_facts; i++)
                if (facts[i].source != SOURCE_XEN)
                        kept_note_fact(kept, &facts[i]);
        if (kept && past.has_verdict)
                kept_note_verdict(kept, past.told.id, past.told.summary, past.told.left, past.told.time_ns);
        past_deinit(&past);
        return kept;
}

/* Does that process look after a VM? */
static bool is_watcher(struct keeper *keeper, const char *instance) {
        struct store_vm *vms = NULL;
        bool found = false;
        size_t n_vms = 0;

        store_list_open_vms(keeper->store, NULL, &vms, &n_vms);
        for (size_t i = 0; i < n_vms; i++) {
                found = found || !strcmp(vms[i].watcher, instance);
                store_vm_deinit(&vms[i]);
        }
        free(vms);
        return found;
}

/* `run` started it, in a wrapper or with -daemonize, and may not have met it yet: only its parents tell.  The `run`'s pid, or 0. */
static pid_t find_run(struct keeper *keeper, pid_t pid) {
        char instance[PROC_INSTANCE_MAX];
        struct proc_stat stat;

        for (size_t i = 0; i < ANCESTORS_MAX && pid > 1 && !proc_stat_read(&stat, pid); i++, pid = stat.parent)
                if (!strcmp(stat.comm, "vmpower") &&
                    (keeper_wire_hears(keeper, pid) || (!proc_instance(pid, instance) && is_watcher(keeper, instance))))
                        return pid;
        return 0;
}

static void look_again_soon(struct keeper *keeper, bool disk_is_sick) {
        keeper->disk_is_sick |= disk_is_sick;
        sd_event_source_set_time_relative(keeper->missed, LOOK_AGAIN_USEC);
        sd_event_source_set_enabled(keeper->missed, SD_EVENT_ONESHOT);
}

/* A sick disk passes: whoever was born meanwhile is found then. */
static void look_again(struct keeper *keeper, int result) {
        if (backlog_is_for(result))
                look_again_soon(keeper, true);
}

/* Another vmpower looks after it: until that one ends. */
static void leave_to(struct keeper *keeper, const char *watcher, pid_t vm, const char *instance) {
        struct proc_instance process;

        /* It may just have ended: then the VM is found once more, and is ours. */
        if (proc_instance_parse(&process, watcher) || others_add(keeper->others, process.pid, vm, instance))
                look_again_soon(keeper, false);
}

/* A VM that is on record: 0; -EBUSY: it is another vmpower's, or it has ended. */
static int take_up_known(struct keeper *keeper, struct store_vm *known, struct kept **ret_kept, struct record *ret_record) {
        if (known->ended_ns)
                return -EBUSY;
        if (proc_instance_is_alive(known->watcher) && strcmp(known->watcher, keeper->watcher)) {
                leave_to(keeper, known->watcher, (pid_t)known->pid, known->identity.instance);
                return -EBUSY;
        }
        *ret_kept = adopt(keeper, known, "nobody looked after it for a while", ret_record);
        if (!*ret_kept)
                return -ENOMEM;
        keeper_watch(keeper, *ret_kept);
        return 0;
}

/* Write it down under its name, or, where another one has that, under its name and its pid. */
static int write_down(struct keeper *keeper, struct store_vm *instance, const struct policy *policy, struct kept **ret_kept) {
        cleanup(freep) char *own_name = NULL;
        struct store_vm other = { 0 };
        struct engine_vm *vm;
        char why[STORE_WHY_MAX];
        int r;

        if (!keeper_has_descriptors())
                return -EMFILE;
        /* The disk was sick a moment ago: one at a time waits for it. */
        if (keeper->disk_is_sick)
                return -EAGAIN;
        r = engine_add_vm(keeper->engine, instance, policy, !instance_is_monitors(instance->identity.instance), &vm, &other, why);
        if (r == -EEXIST && !proc_instance_is_alive(other.identity.instance)) {
                /* It has ended, but not here yet: it is started again at once, or nobody looked after it. */
                if (vm_is_lost(&other))
                        recover_lost_vm(keeper->store, &other, why);
                engine_settle(keeper->engine);
                store_vm_deinit(&other);
                r = engine_add_vm(keeper->engine, instance, policy, !instance_is_monitors(instance->identity.instance), &vm, &other, why);
        }
        if (r == -EEXIST) {
                const char *number = instance->identity.instance + strcspn(instance->identity.instance, ":") + 1;
                char name[VM_NAME_MAX];

                if (!proc_instance_is_alive(other.identity.instance))
                        own_name = strdup(instance->identity.name);
                store_vm_deinit(&other);
                text_set(name, sizeof(name), instance->identity.name);
                snprintf(instance->identity.name, sizeof(instance->identity.name), "%.200s.%.*s", name, (int)strcspn(number, ":"), number);
                r = engine_add_vm(keeper->engine, instance, policy, !instance_is_monitors(instance->identity.instance), &vm, &other, why);
        }
        store_vm_deinit(&other);
        if (r) {
                look_again(keeper, r);
                keeper_say(keeper, "%.200s (pid %" PRId64 "): %s", instance->identity.name, instance->pid, why);
                return r;
        }
        *ret_kept = add(keeper, vm);
        if (!*ret_kept)
                return -ENOMEM;
        keeper->is_short = false;
        keeper_tell_host(keeper, *ret_kept);
        (*ret_kept)->own_name = take_pointer(own_name);
        keeper->n_waiting += (*ret_kept)->own_name != NULL;
        return 0;
}

/* When the process of that instance was started, UTC. */
static uint64_t start_of(const char *instance) {
        uint64_t time_ns = source_time_ns(), now_ns = source_now_ns(), tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
        struct proc_instance process;

        if (proc_instance_parse(&process, instance) || process.start_time > now_ns / tick_ns)
                return time_ns;
        return time_ns - (now_ns - process.start_time * tick_ns);
}

void keeper_describe(const struct keeper *keeper, struct survey_vmm *vmm, struct store_vm *instance) {
        *instance = (struct store_vm){ .pid = vmm->pid, .uid = vmm->uid, .began_ns = start_of(vmm->instance) };
        if (vmm->name[0])
                text_set(instance->identity.name, sizeof(instance->identity.name), vmm->name);
        else
                snprintf(instance->identity.name, sizeof(instance->identity.name), "%s-%d",
                         vmm->is_qemu ? "qemu" : vmm->program[0] ? vmm->program : "kvm", (int)vmm->pid);
        text_set(instance->identity.uuid, sizeof(instance->identity.uuid), vmm->uuid);
        text_set(instance->identity.backend, sizeof(instance->identity.backend), vmm->is_qemu ? "qemu" : vmm->is_vmpower_vmm ? "vmpower-vmm" : "kvm");
        text_set(instance->identity.instance, sizeof(instance->identity.instance), vmm->instance);
        instance->watcher = strdup(keeper->watcher);
        instance->is_daemons = true;
        instance->command_line = take_pointer(vmm->command_line);
}

/* The VM as the keeper has it, or has it from now on.  -EBUSY: it is another vmpower's, or it has ended. */
int keeper_keep(struct keeper *keeper, struct store_vm *instance, struct kept **ret_kept) {
        cleanup(record_deinit) struct record record = {};
        struct policy policy = policy_default(false);
        struct store_vm known = { 0 };
        pid_t run;
        int r;

        *ret_kept = vm_list_find_instance(&keeper->vms, instance->identity.instance);
        if (*ret_kept)
                return (*ret_kept)->wire ? -EBUSY : 0;
        r = store_find_vm(keeper->store, instance->identity.instance, &known);
        if (!r) {
                r = take_up_known(keeper, &known, ret_kept, &record);
                store_vm_deinit(&known);
                return r;
        }
        run = find_run(keeper, (pid_t)instance->pid);
        if (run) {
                if (others_add(keeper->others, run, (pid_t)instance->pid, instance->identity.instance))
                        look_again_soon(keeper, false);
                return -EBUSY;
        }
        policy.halt_after_ns = keeper->config.halt_after_ns;
        r = write_down(keeper, instance, &policy, ret_kept);
        if (!r)
                keeper_watch(keeper, *ret_kept);
        return r;
}

int keeper_keep_told(struct keeper *keeper, struct store_vm *instance, const struct policy *policy, struct kept **ret_kept) {
        cleanup(record_deinit) struct record record = {};
        struct store_vm known = { 0 };
        int r;

        *ret_kept = vm_list_find_instance(&keeper->vms, instance->identity.instance);
        if (*ret_kept)
                return 0;
        r = store_find_vm(keeper->store, instance->identity.instance, &known);
        if (r == -ENOENT)
                return write_down(keeper, instance, policy, ret_kept);
        if (r)
                return r;
        /* One that is ours on record, and not here, has just ended. */
        if (known.ended_ns || known.uid != instance->uid || strcmp(known.identity.instance, instance->identity.instance) ||
            proc_instance_is_alive(known.watcher)) {
                r = -EBUSY;
        } else {
                *ret_kept = adopt(keeper, &known, NULL, &record);
                r = *ret_kept ? 0 : -ENOMEM;
        }
        store_vm_deinit(&known);
        return r;
}

/* --- over a restart ---------------------------------------------------------------------------------------------- */

static void drop_handed(struct keeper *keeper, char kind, int64_t id) {
        char name[HANDOVER_NAME_MAX];

        handover_name(name, kind, (uint64_t)id);
        handover_drop(keeper->config.handover, name);
}

/* Its monitor was handed over: nothing was missed, though the process may have ended meanwhile. */
static bool take_up_handed(struct keeper *keeper, struct store_vm *vm) {
        cleanup(store_monitor_deinit) struct store_monitor monitor = {};
        cleanup(record_deinit) struct record record = {};
        struct qemu_source_past past = { .is_negotiated = true };
        char name[HANDOVER_NAME_MAX];
        cleanup(closep) int fd = -1, listener = -1;
        struct kept *kept;
        int64_t id = vm->id;
        bool has_listener;
        int r;

        if (store_find_monitor(keeper->store, id, &monitor))
                return false;
        handover_name(name, 'm', (uint64_t)id);
        fd = handover_take(keeper->config.handover, name);
        if (fd < 0)
                return false;
        handover_name(name, 'q', (uint64_t)id);
        listener = handover_take(keeper->config.handover, name);
        has_listener = listener >= 0;
        kept = adopt(keeper, vm, NULL, &record);
        if (!kept)
                return false;
        past.knows_machine = record.knows_machine;
        past.known = record.known;
        past.n_known = record.n_known;
        past.newest_ns = record.newest_ns;
        past.greeting = monitor.greeting;
        past.n_greeting = strlen(monitor.greeting);
        r = kept_hold_monitor(kept, monitor.path, fd, &past, take_fd(&listener));
        if (r) {
                keeper_say(keeper, "%.200s: its monitor cannot be taken up: %s", kept_name(kept), strerror(-r));
                drop_handed(keeper, 'm', id);
                if (has_listener)
                        drop_handed(keeper, 'q', id);
        } else {
                take_fd(&fd);
        }
        /* What its monitor said comes before its process's end. */
        keeper_watch(keeper, kept);
        return true;
}

/* One without a process.  Of another boot it is over. */
static void take_up_domain(struct keeper *keeper, struct store_vm *vm) {
        cleanup(record_deinit) struct record record = {};
        char why[STORE_WHY_MAX] = "";
        struct kept *kept;

        if (vm_is_lost(vm)) {
                if (recover_lost_vm(keeper->store, vm, why))
                        keeper_say(keeper, "%s", why);
                return;
        }
        if (!keeper_helps(keeper, vm->identity.backend) ||
            (proc_instance_is_alive(vm->watcher) && strcmp(vm->watcher, keeper->watcher)))
                return;
        kept = adopt(keeper, vm, NULL, &record);
        if (kept && keeper_helped_take_up(keeper, kept))
                keeper_say(keeper, "%.200s: out of memory", kept_name(kept));
}

/* One that is on record as not ended, and whose watcher has gone. */
void keeper_take_up(struct keeper *keeper, struct store_vm *vm) {
        cleanup(store_monitor_deinit) struct store_monitor monitor = {};
        cleanup(record_deinit) struct record record = {};
        char why[STORE_WHY_MAX] = "";
        struct kept *kept;

        if (vm_list_find_instance(&keeper->vms, vm->identity.instance))
                return;
        if (instance_is_domain(vm->identity.instance)) {
                take_up_domain(keeper, vm);
                return;
        }
        if (take_up_handed(keeper, vm))
                return;
        /* Nobody looked, but the kernel: how it ended is known. */
        if (vm_is_lost(vm) && tracing_saw_end(keeper->tracing, vm->identity.instance)) {
                /* What a `run` was told by its monitor in the end is not. */
                kept = adopt(keeper, vm, vm->is_daemons ? NULL : "nobody looked after it for a while", &record);
                if (kept)
                        keeper_watch(keeper, kept);
                return;
        }
        if (vm_is_lost(vm)) {
                if (recover_lost_vm(keeper->store, vm, why))
                        keeper_say(keeper, "%s", why);
                return;
        }
        store_find_monitor(keeper->store, vm->id, &monitor);
        if (take_up_known(keeper, vm, &kept, &record))
                return;
        if (monitor.path)
                keeper_open_again(keeper, kept, monitor.path);
        else if (record.was_opened)
                keeper_lose_monitor(kept);
        else if (instance_is_monitors(kept_instance(kept)->identity.instance))
                keeper_abandon(kept);
}

int keeper_take_up_all(struct keeper *keeper, char ret_why[static STORE_WHY_MAX]) {
        struct store_vm *vms = NULL;
        size_t n_vms = 0;
        int r;

        r = store_list_open_vms(keeper->store, NULL, &vms, &n_vms);
        if (r)
                snprintf(ret_why, STORE_WHY_MAX, "cannot read which VMs were looked after: %s", strerror(-r));
        for (size_t i = 0; i < n_vms; i++) {
                keeper_take_up(keeper, &vms[i]);
                store_vm_deinit(&vms[i]);
        }
        free(vms);
        return r;
}

