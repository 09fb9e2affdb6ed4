#include "keeper/keeper_inside.h"
#include "basics/cleanup.h"
#include "basics/descriptors.h"
#include "keeper/discovery.h"
#include "keeper/stale_sockets.h"
#include "engine/tracing.h"
#include "sources/host/host_source.h"
#include "sources/proc.h"
#include "sources/process/process_watch.h"
#include "sources/qemu/halt_ticks.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A VM that is born while the disk is sick holds up nobody else for longer: it is looked for again. */
#define ADD_PATIENCE_MS 1000

/* So long after descriptors were short. */
#define MISSED_USEC 10000000

#define TIDY_USEC 5000000
#define TIDY_ACCURACY_USEC 1000000

void keeper_say(struct keeper *keeper, const char *format, ...) {
        char line[STORE_WHY_MAX + 128];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        keeper->events.trouble(line, keeper->events.userdata);
}

static void on_say(void *userdata, const char *line) {
        struct keeper *keeper = userdata;

        keeper->events.trouble(line, keeper->events.userdata);
}

/* --- clearing away ----------------------------------------------------------------------------------------------- */

static void on_state(struct kept *kept) {
        keeper_answer_asked(kept->home->userdata, kept);
}

static void on_changed(struct kept *kept) {
        struct keeper *keeper = kept->home->userdata;

        if (!kept->is_in_clearing) {
                kept->is_in_clearing = true;
                kept->next_to_clear = keeper->to_clear;
                keeper->to_clear = kept;
        }
        sd_event_source_set_enabled(keeper->clearing, SD_EVENT_ONESHOT);
}

/* Its stream was read to the end.  A VM that is nothing but that monitor has gone with it, whatever it said before. */
static void end_monitor(struct kept *kept) {
        kept_close_monitor(kept);
        if (!kept->is_over)
                keeper_lose_monitor(kept);
}

void keeper_abandon(struct kept *kept) {
        engine_vm_abandon(kept->vm);
        kept->is_over = true;
        on_changed(kept);
}

static int on_clearing(sd_event_source *source, void *userdata) {
        struct keeper *keeper = userdata;

        while (keeper->to_clear) {
                struct kept *kept = keeper->to_clear;

                keeper->to_clear = kept->next_to_clear;
                kept->is_in_clearing = false;
                if (kept->monitor_is_over)
                        end_monitor(kept);
                if (!kept->is_over)
                        continue;
                keeper_answer_opened(keeper, kept);
                keeper_answer_gone(keeper, kept);
                keeper_wire_forget(kept);
                keeper_helped_forget(kept);
                vm_list_remove(&keeper->vms, kept);
                keeper_outlasted(keeper, kept);
                keeper->n_waiting -= kept->own_name != NULL;
                keeper_give_name(keeper, kept_instance(kept));
                kept_free(kept);
                keeper_tidy_soon(keeper);
        }
        return 0;
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

static int on_tidying(sd_event_source *source, uint64_t usec, void *userdata) {
        malloc_trim(0);
        return 0;
}

void keeper_tidy_soon(struct keeper *keeper) {
        if (sd_event_source_get_enabled(keeper->tidying, NULL) > 0)
                return;
        sd_event_source_set_time_relative(keeper->tidying, TIDY_USEC);
        sd_event_source_set_enabled(keeper->tidying, SD_EVENT_ONESHOT);
}

/* --- descriptors ------------------------------------------------------------------------------------------------- */

bool keeper_has_descriptors(void) {
        return descriptors_left() > descriptors_last() / 4;
}

void keeper_miss(struct keeper *keeper) {
        if (!keeper->is_short)
                keeper_say(keeper, "there are no descriptors for one VM more (at most %zu may be open: LimitNOFILE=, ulimit -n); those that are not "
                                   "looked after are tried again every %d seconds",
                           descriptors_limit(), MISSED_USEC / 1000000);
        keeper->is_short = true;
        if (sd_event_source_get_enabled(keeper->missed, NULL) > 0)
                return;
        sd_event_source_set_time_relative(keeper->missed, MISSED_USEC);
        sd_event_source_set_enabled(keeper->missed, SD_EVENT_ONESHOT);
}

/* Watching goes before sharing. */
static bool on_may_share(void *userdata) {
        struct keeper *keeper = userdata;
        bool is_short = descriptors_left() <= descriptors_last();

        if (is_short && !keeper->is_unsharing)
                keeper_say(keeper, "descriptors are short (at most %zu may be open: LimitNOFILE=, ulimit -n): monitors that are opened from now on are "
                                   "held, and not shared",
                           descriptors_limit());
        keeper->is_unsharing = is_short;
        return !is_short;
}

/* --- finding ----------------------------------------------------------------------------------------------------- */

static void on_found(void *userdata, struct survey_vmm *vmm) {
        struct keeper *keeper = userdata;
        const char *monitor = keeper_find_monitor(keeper, vmm);
        struct store_vm instance;
        struct kept *kept;
        int r;

        keeper_describe(keeper, vmm, &instance);
        r = keeper_keep(keeper, &instance, &kept);
        if (r == -EMFILE)
                keeper_miss(keeper);
        if (!r) {
                /* Its toolstack may have moved it, since it was found first: a moment after its birth. */
                if (kept->watch)
                        process_watch_look_again(kept->watch);
                if (!kept->could_attach && monitor)
                        kept->could_attach = strdup(monitor);
                if (monitor)
                        keeper_open_if_ours(keeper, kept, monitor);
        }
        store_vm_deinit(&instance);
}

static void on_blind(void *userdata, const char *line) {
        keeper_say(userdata, "%s", line);
}

static void on_kvm_used(void *userdata) {
        tracing_look_again(((struct keeper *)userdata)->tracing);
}

static void on_birth(void *userdata, pid_t pid) {
        struct keeper *keeper = userdata;

        if (keeper->discovery)
                discovery_born(keeper->discovery, pid);
}

/* VMs that were born while nothing could be written down, or nobody watched. */
static int on_missed(sd_event_source *source, uint64_t usec, void *userdata) {
        struct keeper *keeper = userdata;

        keeper->disk_is_sick = false;
        keeper_watch_again(keeper);
        if (keeper->discovery)
                discovery_look(keeper->discovery);
        return 0;
}

/* Another vmpower has ended: what it has left is taken up. */
static void on_left(void *userdata, pid_t pid, const char *instance) {
        struct keeper *keeper = userdata;
        struct survey_vmm vmm = { 0 };
        struct store_vm vm = { 0 };
        char why[STORE_WHY_MAX];

        keeper_wire_left(keeper, instance);
        if (store_find_vm(keeper->store, instance, &vm)) {
                /* It went by another instance since: a wrapper's child. */
                if (keeper_take_up_all(keeper, why))
                        keeper_say(keeper, "%s", why);
        } else if (!vm.ended_ns) {
                keeper_take_up(keeper, &vm);
        }
        store_vm_deinit(&vm);
        if (!survey_process(&vmm, pid, false))
                on_found(keeper, &vmm);
        survey_vmm_deinit(&vmm);
}

/* --- what the engine says ---------------------------------------------------------------------------------------- */

void keeper_decide(struct keeper *keeper, struct kept *kept, const char *verdict_id, const struct decision *decision) {
        struct store_batch *batch;

        if (kept) {
                engine_vm_decide(kept->vm, verdict_id, decision);
                return;
        }
        if (store_batch_new(&batch))
                return;
        if (store_batch_add_decision(batch, verdict_id, decision, source_time_ns()) || store_submit(keeper->store, batch, NULL, NULL))
                store_batch_free(batch);
}

/* A decision that waits to be carried out: of a VM whose `run` has gone, and which nobody can start again. */
static void carry_out(struct keeper *keeper, struct kept *kept, const struct verdict_record *record) {
        struct decision decision = record->decision;

        if (record->revises[0] || !decision.exists || decision.result != RESULT_PENDING)
                return;
        if (decision.act == ACT_QUIT && !qemu_source_quit(kept->qemu)) {
                decision.result = RESULT_DONE;
        } else {
                decision.result = RESULT_FAILED;
                keeper_say(keeper, "%.200s: %s is not carried out: %s", kept_name(kept), policy_event_name(decision.event),
                    decision.act == ACT_QUIT ? "its monitor is not held" : "the `vmpower run` that could start it again has ended");
        }
        decision.act = ACT_NOTHING;
        engine_vm_decide(kept->vm, record->id, &decision);
}

static void on_verdict(struct engine_vm *vm, const struct verdict_record *record, void *userdata) {
        struct keeper *keeper = userdata;
        struct kept *kept = engine_vm_userdata(vm);

        if (kept) {
                kept_note_verdict(kept, record->id, record->summary, record->verdict.left, record->verdict.time_ns);
                if (kept->wire)
                        keeper_wire_judged(kept, record);
                else if (kept->helped)
                        keeper_helped_judged(kept, record);
                else
                        carry_out(keeper, kept, record);
        }
        keeper->events.verdict(record, engine_vm_instance(vm)->uid, keeper->events.userdata);
}

static void on_over(struct engine_vm *vm, void *userdata) {
        struct kept *kept = engine_vm_userdata(vm);

        if (!kept)
                return;
        kept->is_over = true;
        on_changed(kept);
}

static void on_recorded(struct engine_vm *vm, const struct evidence *evidence, int result, void *userdata) {
        struct keeper *keeper = userdata;
        struct kept *kept = engine_vm_userdata(vm);

        if (evidence->kind == EVIDENCE_GOING_DOWN) {
                host_source_release(keeper->host);
        } else if (kept && evidence->kind == EVIDENCE_MONITOR_OPENED) {
                kept_hand_over(kept);
                keeper_answer_opened(keeper, kept);
        } else if (kept && !strcmp(evidence->word, DETACH)) {
                keeper_answer_given_back(keeper, kept);
        } else if (kept && kept->helped) {
                keeper_helped_recorded(kept, evidence);
        } else if (kept) {
                kept_recorded(kept, evidence);
        }
}

static void on_stored(struct engine_vm *vm, void *userdata) {
        struct kept *kept = engine_vm_userdata(vm);

        if (kept)
                kept_stored(kept);
}

static void on_trouble(const char *line, void *userdata) {
        on_say(userdata, line);
}

/* --- asked for --------------------------------------------------------------------------------------------------- */

size_t keeper_n_vms(const struct keeper *keeper) {
        return keeper->vms.n;
}

void keeper_present(const struct kept *kept, struct kept_vm *ret_vm) {
        *ret_vm = (struct kept_vm){
                .instance = kept_instance(kept),
                .policy = kept->vm ? engine_vm_policy(kept->vm) : NULL,
                .state = kept->state,
                .since_ns = kept->since_ns,
                .monitor = kept->monitor,
                .shared_monitor = kept_shared_path(kept),
                .could_attach = kept->monitor || kept->wire ? NULL : kept->could_attach,
                .sources = (kept->wire     ? keeper_wire_sources(kept)
                            : kept->helped ? keeper_helped_sources(kept)
                                           : (kept->monitor ? 1u << SOURCE_QMP : 0) | (kept->watch ? 1u << SOURCE_PROCESS : 0)) |
                           (kept->traced ? 1u << SOURCE_TRACE : 0),
                .last_verdict = kept->last_verdict[0] ? kept->last_verdict : NULL,
                .last_summary = kept->last_summary,
        };
}

int keeper_each_vm(struct keeper *keeper, int (*each)(const struct kept_vm *vm, void *userdata), void *userdata) {
        for (const struct kept *kept = keeper->vms.first; kept; kept = kept->next) {
                struct kept_vm vm;
                int r;

                if (kept->is_over)
                        continue;
                keeper_present(kept, &vm);
                r = each(&vm, userdata);
                if (r)
                        return r;
        }
        return 0;
}

int keeper_find_vm(struct keeper *keeper, const char *name, int64_t uid, struct kept_vm *ret_vm) {
        const struct kept *kept = vm_list_find(&keeper->vms, name, uid);

        if (!kept)
                return -ENOENT;
        keeper_present(kept, ret_vm);
        return 0;
}

int keeper_find_one_vm(struct keeper *keeper, const char *name, int64_t uid, struct kept_vm *ret_vm, char ret_why[static STORE_WHY_MAX]) {
        struct kept *found[3];
        size_t n = vm_list_find_all(&keeper->vms, name, uid, found, N_ELEMENTS(found)), length;

        if (!n)
                return -ENOENT;
        keeper_present(found[0], ret_vm);
        if (n == 1)
                return 0;
        length = (size_t)snprintf(ret_why, STORE_WHY_MAX, "%zu VMs are called %.100s; say which, by its instance:", n, name);
        for (size_t i = 0; i < n && i < N_ELEMENTS(found); i++)
                length += (size_t)snprintf(ret_why + length, STORE_WHY_MAX - length, "%s %.90s", i ? "," : "",
                                           kept_instance(found[i])->identity.instance);
        if (n > N_ELEMENTS(found))
                snprintf(ret_why + length, STORE_WHY_MAX - length, " …");
        return -ENOTUNIQ;
}

int keeper_identify(int fd, const char *via, struct actor *ret_actor) {
        return proc_peer_actor(fd, via, ret_actor);
}

/* --- its life ---------------------------------------------------------------------------------------------------- */

static int on_child_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        struct keeper *keeper = userdata;
        struct kept *kept = vm_list_find_pid(&keeper->vms, info->ssi_pid);

        if (kept && kept->watch)
                process_watch_child_changed(kept->watch);
        return 0;
}

/* Where shared monitors' sockets are.  Without it monitors are held all the same. */
static void make_shared_directory(struct keeper *keeper) {
        char *path = keeper->home.shared_directory;
        size_t n_path = sizeof(keeper->home.shared_directory);

        if (snprintf(path, n_path, "%s/qmp", keeper->config.run_directory) >= (int)n_path) {
                keeper_say(keeper, "%s is too long a path: monitors are not shared", keeper->config.run_directory);
                *path = '\0';
        } else if (mkdir(path, 0755) < 0 && errno != EEXIST) {
                keeper_say(keeper, "cannot make %s: %s; monitors are not shared", path, strerror(errno));
                *path = '\0';
        }
}

static int start(struct keeper *keeper, char ret_why[static STORE_WHY_MAX]) {
        const struct engine_events engine_events = { on_verdict, on_over, on_recorded, on_stored, on_trouble, keeper };
        int r;

        r = proc_instance(getpid(), keeper->watcher);
        if (!r)
                r = engine_new(&keeper->engine, keeper->event, keeper->store, &engine_events);
        if (!r)
                engine_add_patience_ms = ADD_PATIENCE_MS;
        if (!r)
                r = tracing_new(&keeper->tracing, keeper->event, keeper->config.handover, on_say, keeper);
        keeper->home.tracing = keeper->tracing;
        if (!r)
                keeper_hear_hypercalls(keeper);
        if (!r)
                r = others_new(&keeper->others, keeper->event, keeper->tracing, &(struct others_events){ on_left, keeper });
        if (r >= 0)
                r = halt_ticks_new(&keeper->home.ticks, keeper->event);
        if (!r)
                r = socket_looks_new(&keeper->looks, keeper->event);
        if (r >= 0)
                r = sd_event_add_defer(keeper->event, &keeper->clearing, on_clearing, keeper);
        if (r >= 0)
                r = sd_event_source_set_enabled(keeper->clearing, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(keeper->event, &keeper->missed, CLOCK_MONOTONIC, 0, 0, on_missed, keeper);
        if (r >= 0)
                r = sd_event_source_set_enabled(keeper->missed, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(keeper->event, &keeper->tidying, CLOCK_MONOTONIC, 0, TIDY_ACCURACY_USEC, on_tidying, keeper);
        if (r >= 0)
                r = sd_event_source_set_enabled(keeper->tidying, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_signal(keeper->event, &keeper->child_signal, SIGCHLD, on_child_signal, keeper);
        if (r >= 0) {
                make_shared_directory(keeper);
                r = keeper_open_helpers(keeper);
        }
        if (r >= 0) {
                r = keeper_take_up_all(keeper, ret_why);
                tracing_begin(keeper->tracing);
                keeper_open_wire(keeper);
                handover_drop_rest(keeper->config.handover, keeper->home.shared_directory);
                if (*keeper->home.shared_directory)
                        stale_sockets_remove(keeper->home.shared_directory);
        }
        /* What is born while it looks is looked at later. */
        if (r >= 0)
                r = discovery_new(&keeper->discovery, keeper->event, &(struct discovery_events){ on_found, on_kvm_used, on_blind, keeper });
        if (r >= 0) {
                tracing_on_birth(keeper->tracing, on_birth, keeper);
                keeper_look_at_host(keeper);
                keeper_start_helpers(keeper);
        }
        return r;
}

bool keeper_is_by_perf(const struct keeper *keeper) {
        return tracing_is_by_perf(keeper->tracing);
}

int keeper_new(struct keeper **ret_keeper, sd_event *event, struct store *store, const struct keeper_config *config,
               const struct keeper_events *events, char ret_why[static STORE_WHY_MAX]) {
        struct keeper *keeper = calloc(1, sizeof(*keeper));
        int r;

        if (!keeper) {
                snprintf(ret_why, STORE_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        *ret_why = '\0';
        keeper->event = sd_event_ref(event);
        keeper->store = store;
        keeper->config = *config;
        keeper->events = *events;
        keeper->home = (struct kept_home){ .event = event, .handover = config->handover, .halt_after_ns = config->halt_after_ns,
                                           .changed = on_changed, .has_state = on_state, .say = on_say, .may_share = on_may_share,
                                           .userdata = keeper };
        r = start(keeper, ret_why);
        if (r < 0) {
                if (!*ret_why)
                        snprintf(ret_why, STORE_WHY_MAX, "%s", strerror(-r));
                keeper_free(keeper);
                return r;
        }
        *ret_keeper = keeper;
        return 0;
}

void keeper_settle(struct keeper *keeper) {
        keeper_end_helpers(keeper);
        for (struct kept *kept = keeper->vms.first; kept; kept = kept->next)
                if (!kept->is_over && kept->vm)
                        engine_vm_leave(kept->vm, NULL);
        engine_settle(keeper->engine);
}

struct keeper *keeper_free(struct keeper *keeper) {
        if (!keeper)
                return NULL;
        tracing_leave(keeper->tracing);
        keeper_free_host(keeper);
        keeper->discovery = discovery_free(keeper->discovery);
        others_free(keeper->others);
        keeper_free_openings(keeper);
        keeper_free_askings(keeper);
        socket_looks_free(keeper->looks);
        keeper_close_wire(keeper);
        keeper_free_helpers(keeper);
        while (keeper->vms.first) {
                struct kept *kept = keeper->vms.first;

                vm_list_remove(&keeper->vms, kept);
                if (kept->is_over)
                        kept_free(kept);
                else
                        kept_leave(kept);
        }
        vm_list_deinit(&keeper->vms);
        halt_ticks_free(keeper->home.ticks);
        tracing_free(keeper->tracing);
        table_deinit(&keeper->domains);
        engine_free(keeper->engine);
        sd_event_source_disable_unref(keeper->child_signal);
        sd_event_source_disable_unref(keeper->clearing);
        sd_event_source_disable_unref(keeper->tidying);
        sd_event_source_disable_unref(keeper->missed);
        sd_event_unref(keeper->event);
        free(keeper);
        return NULL;
}
