#include "engine/keeper.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "engine/discovery.h"
#include "engine/recover.h"
#include "sources/proc.h"
#include "sources/process/process_watch.h"
#include "sources/qemu/survey.h"
#include "sources/qemu/qemu_source.h"
#include "sources/qemu/socket_peers.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A monitor that does not greet within a second is somebody else's. */
#define GREETING_TIMEOUT_NS UINT64_C(1000000000)
/* So far up a VM's parents are looked at. */
#define ANCESTORS_MAX 64

struct kept {
        struct keeper *keeper;
        struct kept *next;
        struct engine_vm *vm;
        struct process_watch *watch;
        struct source_sink process_sink;
        struct qemu_source *qemu;
        struct source_sink qemu_sink;
        char monitor[QEMU_MONITOR_ADDRESS_MAX];      /* that we hold; "": none */
        char could_attach[QEMU_MONITOR_ADDRESS_MAX]; /* "": none */
        const char *state;
        uint64_t since_ns;
        char last_verdict[VERDICT_ID_MAX];
        char last_summary[VERDICT_SUMMARY_MAX];
        char own_name[VM_NAME_MAX]; /* what its command line calls it */
        bool waits_for_name;        /* it goes by another one until the last VM of its name is over */
        bool is_over;
        bool monitor_is_over;
};

struct keeper {
        sd_event *event;
        struct store *store;
        struct engine *engine;
        struct keeper_config config;
        struct keeper_events events;
        struct discovery *discovery;
        sd_event_source *child_signal;
        sd_event_source *clearing; /* what is over goes outside of its own calls */
        struct kept *vms;          /* the newest first */
        size_t n_vms;
        char watcher[VM_INSTANCE_MAX];
};

static void say(struct keeper *keeper, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct keeper *keeper, const char *format, ...) {
        char line[STORE_WHY_MAX + 128];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        keeper->events.trouble(line, keeper->events.userdata);
}

static const struct store_vm *instance_of(const struct kept *kept) {
        return engine_vm_instance(kept->vm);
}

/* --- one VM's sources -------------------------------------------------------------------------------------------- */

static void clear_soon(struct keeper *keeper) {
        sd_event_source_set_enabled(keeper->clearing, SD_EVENT_ONESHOT);
}

static void on_process_report(void *userdata, struct evidence *evidence) {
        struct kept *kept = userdata;

        /* The end of the process is the end of what its monitor can say; that was said before. */
        if (evidence_ends_process(evidence))
                qemu_source_finish(kept->qemu);
        source_report(engine_vm_sink(kept->vm), evidence);
}

static void on_process_ended(void *userdata, enum evidence_source source) {
}

static void on_qemu_report(void *userdata, struct evidence *evidence) {
        struct kept *kept = userdata;

        source_report(engine_vm_sink(kept->vm), evidence);
}

static void on_qemu_ended(void *userdata, enum evidence_source source) {
        struct kept *kept = userdata;

        kept->monitor_is_over = true;
        clear_soon(kept->keeper);
}

static void on_connected(void *userdata, pid_t pid, uid_t uid) {
}

static void on_waiting(void *userdata) {
}

static void on_refused(void *userdata, const char *command, const char *why) {
        struct kept *kept = userdata;

        say(kept->keeper, "%s: QEMU refused %s: %s", instance_of(kept)->identity.name, command, why);
}

static void close_monitor(struct kept *kept) {
        kept->qemu = qemu_source_close(kept->qemu);
        kept->monitor[0] = '\0';
        kept->monitor_is_over = false;
}

static int open_monitor(struct kept *kept, const char *path) {
        struct qemu_source_config config = {
                .path = path,
                .halt_after_ns = policy_default(false).halt_after_ns,
                .greeting_timeout_ns = GREETING_TIMEOUT_NS,
        };
        struct qemu_source_events events = { on_connected, on_waiting, on_refused, kept };
        int r;

        kept->qemu_sink = (struct source_sink){ on_qemu_report, on_qemu_ended, kept };
        kept->monitor_is_over = false;
        r = qemu_source_open(&kept->qemu, kept->keeper->event, &config, &events, &kept->qemu_sink);
        if (!r)
                r = qemu_source_try(kept->qemu);
        if (r) {
                kept->qemu = qemu_source_close(kept->qemu);
                return r;
        }
        text_set(kept->monitor, sizeof(kept->monitor), path);
        return 0;
}

/* --- finding ----------------------------------------------------------------------------------------------------- */

static struct kept *find_instance(struct keeper *keeper, const char *instance) {
        for (struct kept *kept = keeper->vms; kept; kept = kept->next)
                if (!strcmp(instance_of(kept)->identity.instance, instance))
                        return kept;
        return NULL;
}

static bool is_taken_by_config(const struct keeper *keeper, const char *path) {
        for (size_t i = 0; i < keeper->config.n_take_monitors; i++)
                if (!fnmatch(keeper->config.take_monitors[i], path, FNM_PATHNAME))
                        return true;
        return false;
}

static bool is_libvirts(const char *path) {
        return !strncmp(path, "/var/lib/libvirt/", 17) || !strncmp(path, "/run/libvirt/", 13) ||
               !strncmp(path, "/var/run/libvirt/", 17);
}

/* The first monitor that we could hold: a unix socket on which QEMU listens, and no toolstack's. */
static const char *find_monitor(const struct survey_vmm *vmm) {
        if (vmm->monitors.is_libvirts)
                return NULL;
        for (size_t i = 0; i < vmm->monitors.n_items; i++) {
                const struct qemu_monitor_place *place = &vmm->monitors.items[i];

                if (place->kind == QEMU_MONITOR_UNIX && place->is_server && !place->is_pretty && place->address[0] == '/' &&
                    !is_libvirts(place->address))
                        return place->address;
        }
        return NULL;
}

static void describe(const struct keeper *keeper, struct survey_vmm *vmm, struct store_vm *instance) {
        *instance = (struct store_vm){ .pid = vmm->pid, .uid = vmm->uid, .began_ns = source_time_ns() };
        if (vmm->name[0])
                text_set(instance->identity.name, sizeof(instance->identity.name), vmm->name);
        else
                snprintf(instance->identity.name, sizeof(instance->identity.name), "%s-%d",
                         vmm->is_qemu ? "qemu" : vmm->program[0] ? vmm->program : "kvm", (int)vmm->pid);
        text_set(instance->identity.uuid, sizeof(instance->identity.uuid), vmm->uuid);
        text_set(instance->identity.backend, sizeof(instance->identity.backend), vmm->is_qemu ? "qemu" : "kvm");
        text_set(instance->identity.instance, sizeof(instance->identity.instance), vmm->instance);
        memcpy(instance->watcher, keeper->watcher, sizeof(instance->watcher));
        instance->command_line = take_pointer(vmm->command_line);
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

/* `run` started it, in a wrapper or with -daemonize, and may not have met it yet: only its parents tell. */
static bool is_under_run(struct keeper *keeper, pid_t pid) {
        char instance[PROC_INSTANCE_MAX];
        struct proc_stat stat;

        for (size_t i = 0; i < ANCESTORS_MAX && pid > 1 && !proc_stat_read(&stat, pid); i++, pid = stat.parent)
                if (!strcmp(stat.comm, "vmpower") && !proc_instance(pid, instance) && is_watcher(keeper, instance))
                        return true;
        return false;
}

/* Write it down, or find what was written down: 0, or why it is not ours to keep. */
static int make_engine_vm(struct keeper *keeper, struct survey_vmm *vmm, struct engine_vm **ret_vm, bool *ret_waits_for_name) {
        struct policy policy = policy_default(false);
        struct store_vm instance = { 0 }, other = { 0 };
        char why[STORE_WHY_MAX];
        int r;

        r = store_find_vm(keeper->store, vmm->instance, &other);
        if (!r) {
                /* Another vmpower looks after it, `run` mostly; or it was given its ending already. */
                if (other.ended_ns || (proc_instance_is_alive(other.watcher) && strcmp(other.watcher, keeper->watcher))) {
                        store_vm_deinit(&other);
                        return -EBUSY;
                }
                policy_read(&policy, other.policy);
                r = engine_adopt_vm(keeper->engine, &other, keeper->watcher, &policy, true, ret_vm);
                store_vm_deinit(&other);
                return r;
        }

        if (is_under_run(keeper, vmm->pid))
                return -EBUSY;
        describe(keeper, vmm, &instance);
        policy_format(&policy, instance.policy);
        r = engine_add_vm(keeper->engine, &instance, &policy, true, ret_vm, &other, why);
        if (r == -EEXIST && !proc_instance_is_alive(other.identity.instance)) {
                /* It has ended, but not here yet: it is started again at once, or nobody looked after it. */
                if (vm_is_lost(&other))
                        recover_lost_vms(keeper->store, why);
                engine_settle(keeper->engine);
                store_vm_deinit(&other);
                r = engine_add_vm(keeper->engine, &instance, &policy, true, ret_vm, &other, why);
        }
        if (r == -EEXIST) {
                /* Two of one name: the second is told apart by its pid, at least until the first is over here, too. */
                *ret_waits_for_name = !proc_instance_is_alive(other.identity.instance);
                store_vm_deinit(&other);
                snprintf(instance.identity.name, sizeof(instance.identity.name), "%.200s.%d", vmm->name, (int)vmm->pid);
                r = engine_add_vm(keeper->engine, &instance, &policy, true, ret_vm, &other, why);
        }
        if (r)
                say(keeper, "pid %d: %s", (int)vmm->pid, why);
        store_vm_deinit(&instance);
        store_vm_deinit(&other);
        return r;
}

static void keep(struct keeper *keeper, struct survey_vmm *vmm) {
        const char *monitor = find_monitor(vmm);
        struct kept *kept;

        if (find_instance(keeper, vmm->instance))
                return;
        kept = calloc(1, sizeof(*kept));
        if (!kept || make_engine_vm(keeper, vmm, &kept->vm, &kept->waits_for_name)) {
                free(kept);
                return;
        }
        kept->keeper = keeper;
        kept->state = left_name(LEFT_RUNNING);
        kept->since_ns = instance_of(kept)->began_ns;
        kept->process_sink = (struct source_sink){ on_process_report, on_process_ended, kept };
        text_set(kept->could_attach, sizeof(kept->could_attach), monitor);
        text_set(kept->own_name, sizeof(kept->own_name), vmm->name);
        engine_vm_set_userdata(kept->vm, kept);
        kept->next = keeper->vms;
        keeper->vms = kept;
        keeper->n_vms++;

        if (process_watch_new(&kept->watch, keeper->event, vmm->pid, &kept->process_sink)) {
                struct evidence vanished = evidence_make(SOURCE_PROCESS, EVIDENCE_VANISHED);

                source_report(engine_vm_sink(kept->vm), &vanished);
                return;
        }
        if (monitor && is_taken_by_config(keeper, monitor)) {
                struct socket_peers peers = { .path = monitor };

                if (!socket_peers_look(&peers, 1) && peers.use == SOCKET_FREE && open_monitor(kept, monitor))
                        say(keeper, "%s: cannot open its monitor %s", instance_of(kept)->identity.name, monitor);
        }
}

static void on_found(void *userdata, struct survey_vmm *vmm) {
        keep(userdata, vmm);
}

static void on_blind(void *userdata, const char *line) {
        say(userdata, "%s", line);
}

/* --- what the engine says ---------------------------------------------------------------------------------------- */

static void on_verdict(struct engine_vm *vm, const struct verdict_record *record, void *userdata) {
        struct keeper *keeper = userdata;
        struct kept *kept = engine_vm_userdata(vm);

        if (kept) {
                kept->state = left_name(record->verdict.left);
                kept->since_ns = record->verdict.time_ns;
                memcpy(kept->last_verdict, record->id, sizeof(kept->last_verdict));
                memcpy(kept->last_summary, record->summary, sizeof(kept->last_summary));
        }
        keeper->events.verdict(record, engine_vm_instance(vm)->uid, keeper->events.userdata);
}

static void on_over(struct engine_vm *vm, void *userdata) {
        struct kept *kept = engine_vm_userdata(vm);

        if (kept) {
                kept->is_over = true;
                clear_soon(userdata);
        }
}

static void on_trouble(const char *line, void *userdata) {
        struct keeper *keeper = userdata;

        keeper->events.trouble(line, keeper->events.userdata);
}

static void kept_free(struct kept *kept) {
        qemu_source_close(kept->qemu);
        process_watch_free(kept->watch);
        engine_remove_vm(kept->vm);
        kept->keeper->n_vms--;
        free(kept);
}

/* The name of one that is over is free: the end was given to the store before this. */
static void give_name(struct keeper *keeper, const struct store_vm *former) {
        for (struct kept *kept = keeper->vms; kept; kept = kept->next) {
                struct vm_identity identity = instance_of(kept)->identity;

                if (!kept->waits_for_name || kept->is_over || strcmp(kept->own_name, former->identity.name) ||
                    instance_of(kept)->uid != former->uid)
                        continue;
                kept->waits_for_name = false;
                text_set(identity.name, sizeof(identity.name), kept->own_name);
                engine_vm_rename(kept->vm, &identity, instance_of(kept)->pid);
                return;
        }
}

static int on_clearing(sd_event_source *source, void *userdata) {
        struct keeper *keeper = userdata;
        struct kept **at = &keeper->vms;

        while (*at) {
                struct kept *kept = *at;

                if (kept->monitor_is_over)
                        close_monitor(kept);
                if (kept->is_over) {
                        *at = kept->next;
                        give_name(keeper, instance_of(kept));
                        kept_free(kept);
                } else {
                        at = &kept->next;
                }
        }
        return 0;
}

/* --- asked for --------------------------------------------------------------------------------------------------- */

size_t keeper_n_vms(const struct keeper *keeper) {
        return keeper->n_vms;
}

static struct kept_vm present(const struct kept *kept) {
        return (struct kept_vm){
                .instance = instance_of(kept),
                .state = kept->state,
                .since_ns = kept->since_ns,
                .monitor = kept->monitor[0] ? kept->monitor : NULL,
                .could_attach = kept->could_attach[0] && !kept->monitor[0] ? kept->could_attach : NULL,
                .last_verdict = kept->last_verdict[0] ? kept->last_verdict : NULL,
                .last_summary = kept->last_summary[0] ? kept->last_summary : NULL,
        };
}

int keeper_each_vm(struct keeper *keeper, int (*each)(const struct kept_vm *vm, void *userdata), void *userdata) {
        for (struct kept *kept = keeper->vms; kept; kept = kept->next) {
                struct kept_vm vm = present(kept);
                int r;

                if (kept->is_over)
                        continue;
                r = each(&vm, userdata);
                if (r)
                        return r;
        }
        return 0;
}

static struct kept *find(struct keeper *keeper, const char *name, int64_t uid) {
        struct kept *found = NULL;

        for (struct kept *kept = keeper->vms; kept; kept = kept->next) {
                const struct store_vm *instance = instance_of(kept);

                if (kept->is_over)
                        continue;
                if (!strcmp(instance->identity.instance, name))
                        return kept;
                if (strcmp(instance->identity.name, name) && strcasecmp(instance->identity.uuid, name))
                        continue;
                if (!found || (uid >= 0 && instance->uid == uid))
                        found = kept;
        }
        return found;
}

int keeper_find_vm(struct keeper *keeper, const char *name, int64_t uid, struct kept_vm *ret_vm) {
        struct kept *kept = find(keeper, name, uid);

        if (!kept)
                return -ENOENT;
        *ret_vm = present(kept);
        return 0;
}

static int note_request(struct kept *kept, const char *command, const struct actor *asker) {
        struct evidence request = evidence_make(SOURCE_VMPOWER, EVIDENCE_REQUEST);

        evidence_set_word(&request, command);
        if (asker && evidence_set_actor(&request, asker))
                return -ENOMEM;
        source_report(engine_vm_sink(kept->vm), &request);
        return 0;
}

static struct kept *find_pid(struct keeper *keeper, pid_t pid) {
        for (struct kept *kept = keeper->vms; kept; kept = kept->next)
                if (!kept->is_over && instance_of(kept)->pid == pid)
                        return kept;
        return NULL;
}

/* Who listens there, and may it be opened?  The kernel is asked; nobody is connected to. */
static int check_monitor(const char *path, pid_t *pid, char ret_why[static STORE_WHY_MAX]) {
        struct socket_peers peers = { .path = path };
        struct stat st;
        pid_t holder;
        int r;

        if (is_libvirts(path)) {
                snprintf(ret_why, STORE_WHY_MAX, "%.200s is libvirt's monitor: it serves one client, and that is libvirt", path);
                return -EPERM;
        }
        if (stat(path, &st) < 0) {
                r = -errno;
                snprintf(ret_why, STORE_WHY_MAX, "%.200s: %s", path, strerror(-r));
                return r;
        }
        if (!S_ISSOCK(st.st_mode)) {
                snprintf(ret_why, STORE_WHY_MAX, "%.200s is no socket", path);
                return -ENOTSOCK;
        }
        r = socket_peers_look(&peers, 1);
        if (r || peers.use == SOCKET_UNSEEN) {
                snprintf(ret_why, STORE_WHY_MAX, "nobody is seen to listen on %.200s", path);
                return r ? r : -ESRCH;
        }
        if (peers.use == SOCKET_TAKEN) {
                snprintf(ret_why, STORE_WHY_MAX, "somebody is connected to %.200s already, and it serves one client", path);
                return -EBUSY;
        }
        if (*pid > 0) {
                if (socket_is_held_by(peers.listener, *pid) != TRISTATE_FALSE)
                        return 0;
                snprintf(ret_why, STORE_WHY_MAX, "pid %d does not listen on %.200s", (int)*pid, path);
                return -ESRCH;
        }
        if (socket_holder_find(peers.listener, &holder)) {
                snprintf(ret_why, STORE_WHY_MAX, "it cannot be seen which process listens on %.200s; give its --pid", path);
                return -ESRCH;
        }
        *pid = holder;
        return 0;
}

static int refuse_name(const struct store_vm *other, const char *name, char ret_why[static STORE_WHY_MAX]) {
        snprintf(ret_why, STORE_WHY_MAX, "another VM is called %.200s (pid %" PRId64 ")", name, other->pid);
        return -EEXIST;
}

/* May it be called so?  Not while another VM of its user is, ours or that of another vmpower. */
static int check_name(struct kept *kept, const char *name, char ret_why[static STORE_WHY_MAX]) {
        const struct store_vm *instance = instance_of(kept);
        const struct kept *other = find(kept->keeper, name, instance->uid);
        struct store_vm *vms = NULL;
        bool has_lost = false;
        size_t n_vms = 0;
        int r;

        if (other && other != kept && instance_of(other)->uid == instance->uid)
                return refuse_name(instance_of(other), name, ret_why);
        r = store_list_open_vms(kept->keeper->store, name, &vms, &n_vms);
        if (r)
                snprintf(ret_why, STORE_WHY_MAX, "cannot see whether another VM is called %.200s: %s", name, strerror(-r));
        for (size_t i = 0; i < n_vms; i++) {
                if (vm_is_lost(&vms[i]))
                        has_lost = true;
                else if (!r && vms[i].id != instance->id && vms[i].uid == instance->uid)
                        r = refuse_name(&vms[i], name, ret_why);
                store_vm_deinit(&vms[i]);
        }
        free(vms);
        return r || !has_lost ? r : recover_lost_vms(kept->keeper->store, ret_why);
}

int keeper_attach(struct keeper *keeper, const char *name, const char *path, pid_t pid, const struct actor *asker,
                  char ret_why[static STORE_WHY_MAX]) {
        struct vm_identity identity;
        struct kept *kept;
        int r;

        r = check_monitor(path, &pid, ret_why);
        if (r)
                return r;
        kept = find_pid(keeper, pid);
        if (!kept) {
                struct survey_vmm vmm = { 0 };

                /* Whatever it is: who attaches a monitor says that it is a VM. */
                if (!survey_process(&vmm, pid, true))
                        keep(keeper, &vmm);
                survey_vmm_deinit(&vmm);
                kept = find_pid(keeper, pid);
        }
        if (!kept) {
                snprintf(ret_why, STORE_WHY_MAX, "pid %d is no VM, or another vmpower looks after it", (int)pid);
                return -ESRCH;
        }
        if (kept->qemu) {
                snprintf(ret_why, STORE_WHY_MAX, "%.200s is attached already, by %.200s", instance_of(kept)->identity.name,
                         kept->monitor);
                return -EEXIST;
        }
        r = check_name(kept, name, ret_why);
        if (r)
                return r;
        r = note_request(kept, "attach", asker);
        if (!r && strcmp(instance_of(kept)->identity.name, name)) {
                identity = instance_of(kept)->identity;
                text_set(identity.name, sizeof(identity.name), name);
                kept->waits_for_name = false;
                r = engine_vm_rename(kept->vm, &identity, pid);
        }
        if (!r)
                r = open_monitor(kept, path);
        if (r)
                snprintf(ret_why, STORE_WHY_MAX, "cannot open %.200s: %s", path, strerror(-r));
        return r;
}

int keeper_detach(struct keeper *keeper, const char *name, const struct actor *asker, char ret_why[static STORE_WHY_MAX]) {
        struct kept *kept = find(keeper, name, -1);
        int r;

        if (!kept) {
                snprintf(ret_why, STORE_WHY_MAX, "there is no VM %.200s", name);
                return -ENOENT;
        }
        if (!kept->qemu) {
                snprintf(ret_why, STORE_WHY_MAX, "no monitor of %.200s is held", instance_of(kept)->identity.name);
                return -ENOTCONN;
        }
        r = note_request(kept, "detach", asker);
        if (r)
                return r;
        qemu_source_finish(kept->qemu);
        close_monitor(kept);
        return 0;
}

/* --- its life ---------------------------------------------------------------------------------------------------- */

static int on_child_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        struct keeper *keeper = userdata;

        for (struct kept *kept = keeper->vms; kept; kept = kept->next)
                if (kept->watch && instance_of(kept)->pid == (int64_t)info->ssi_pid)
                        process_watch_child_changed(kept->watch);
        return 0;
}

int keeper_new(struct keeper **ret_keeper, sd_event *event, struct store *store, const struct keeper_config *config,
               const struct keeper_events *events, char ret_why[static STORE_WHY_MAX]) {
        struct discovery_events finding = { on_found, on_blind, NULL };
        struct engine_events engine_events = { on_verdict, on_over, on_trouble, NULL };
        struct keeper *keeper = calloc(1, sizeof(*keeper));
        int r;

        if (!keeper) {
                snprintf(ret_why, STORE_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        keeper->event = sd_event_ref(event);
        keeper->store = store;
        keeper->config = *config;
        keeper->events = *events;
        engine_events.userdata = keeper;

        r = proc_instance(getpid(), keeper->watcher);
        if (!r)
                r = engine_new(&keeper->engine, event, store, &engine_events);
        if (r >= 0)
                r = sd_event_add_defer(event, &keeper->clearing, on_clearing, keeper);
        if (r >= 0)
                r = sd_event_source_set_enabled(keeper->clearing, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_signal(event, &keeper->child_signal, SIGCHLD, on_child_signal, keeper);
        if (r < 0) {
                snprintf(ret_why, STORE_WHY_MAX, "%s", strerror(-r));
                keeper_free(keeper);
                return r;
        }
        r = recover_lost_vms(store, ret_why);
        if (r) {
                keeper_free(keeper);
                return r;
        }
        finding.userdata = keeper;
        r = discovery_new(&keeper->discovery, event, &finding);
        if (r) {
                snprintf(ret_why, STORE_WHY_MAX, "%s", strerror(-r));
                keeper_free(keeper);
                return r;
        }
        *ret_keeper = keeper;
        return 0;
}

int keeper_identify(pid_t pid, const char *via, struct actor *ret_actor) {
        return proc_actor(pid, via, ret_actor);
}

void keeper_settle(struct keeper *keeper) {
        for (struct kept *kept = keeper->vms; kept; kept = kept->next)
                if (!kept->is_over)
                        engine_vm_leave(kept->vm, "vmpowerd has ended");
        engine_settle(keeper->engine);
}

struct keeper *keeper_free(struct keeper *keeper) {
        if (!keeper)
                return NULL;
        discovery_free(keeper->discovery);
        while (keeper->vms) {
                struct kept *kept = keeper->vms;

                keeper->vms = kept->next;
                kept_free(kept);
        }
        engine_free(keeper->engine);
        sd_event_source_disable_unref(keeper->child_signal);
        sd_event_source_disable_unref(keeper->clearing);
        sd_event_unref(keeper->event);
        free(keeper);
        return NULL;
}
