#include "engine/recover.h"
#include "basics/cleanup.h"
#include "engine/past.h"
#include "sources/proc.h"
#include "sources/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An ending that another process writes down is waited for, but not for ever: 5 s in all. */
enum {
        ENDING_LOOK_USEC = 10000,
        ENDING_TRIES = 500,
};

struct recovery {
        struct store *store;
        const struct store_vm *vm;
        struct past past;
        struct policy policy;
        struct store_batch *batch;
        int error;
};

static void judge(struct recovery *recovery, bool flush) {
        struct past *past = &recovery->past;
        struct verdict_record record;
        struct verdict verdict;

        if (episode_judge(&past->episode, &recovery->policy.judge, source_now_ns(), flush, &verdict) != EPISODE_VERDICT)
                return;
        if (past->episode.revision == 0)
                past->told.episode = past->episode.cause_id;
        recovery->error = verdict_record_make(&record, &recovery->vm->identity, &verdict, past->episode.items,
                                              past->episode.n_items, past->told.episode, past->episode.revision);
        if (recovery->error)
                return;
        if (past->episode.revision > 0)
                memcpy(record.revises, past->told.id, sizeof(record.revises));
        memcpy(past->told.id, record.id, sizeof(past->told.id));
        recovery->error = store_batch_add_verdict(recovery->batch, recovery->vm->id, &record);
        if (recovery->error)
                verdict_record_deinit(&record);
}

static void take(struct recovery *recovery, struct evidence *evidence) {
        if (episode_begins_anew(&recovery->past.episode, evidence)) {
                judge(recovery, true);
                episode_turn(&recovery->past.episode);
        }
        recovery->error = episode_add(&recovery->past.episode, evidence);
}

static void on_stored(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct recovery *recovery = userdata;

        recovery->error = result;
        if (result)
                return;
        for (size_t i = 0; i < store_batch_n_evidence(batch); i++) {
                struct evidence copy;
                int64_t vm;

                if (evidence_copy(&copy, store_batch_evidence(batch, i, &vm)))
                        recovery->error = -ENOMEM;
                else
                        take(recovery, &copy);
        }
}

static void on_written(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct recovery *recovery = userdata;

        recovery->error = result;
}

/* Several may find it lost at once: one of them gives it its ending. */
static int claim(struct recovery *recovery) {
        char self[PROC_INSTANCE_MAX];
        struct store_batch *batch;
        int r;

        r = proc_instance(getpid(), self);
        if (!r)
                r = store_batch_new(&batch);
        if (r)
                return r;
        r = store_batch_claim_vm(batch, recovery->vm->id, recovery->vm->watcher, self);
        if (!r)
                r = store_submit(recovery->store, batch, on_written, recovery);
        if (r) {
                store_batch_free(batch);
                return r;
        }
        store_drain(recovery->store);
        return recovery->error;
}

bool instance_is_of_this_boot(const char *instance) {
        char boot_id[PROC_BOOT_ID_MAX];

        return !proc_boot_id(boot_id) && !strncmp(instance, boot_id, strlen(boot_id)) && instance[strlen(boot_id)] == ':';
}

/* What is known of an end that nobody saw. */
static size_t make_ending(const struct store_vm *vm, struct evidence ret_facts[static 3]) {
        bool is_restarted = !instance_is_of_this_boot(vm->identity.instance);
        const char *reason = is_restarted ? "the host was started anew" : "the process is gone, and so is whoever looked after it";
        size_t n = 0;

        ret_facts[n] = evidence_make(SOURCE_VMPOWER, EVIDENCE_GAP);
        evidence_set_text(&ret_facts[n++], reason, strlen(reason));
        if (is_restarted) {
                ret_facts[n] = evidence_make(SOURCE_HOST, EVIDENCE_HOST_RESTARTED);
                ret_facts[n++].flag = *vm->watcher ? TRISTATE_TRUE : TRISTATE_FALSE;
        }
        ret_facts[n++] = evidence_make(instance_is_domain(vm->identity.instance) ? SOURCE_XEN : SOURCE_PROCESS, EVIDENCE_VANISHED);
        return n;
}

/* The gap is evidence like any other: stored first, judged after. */
static int store_ending(struct recovery *recovery) {
        uint64_t now_ns = source_now_ns();
        struct store_batch *batch;
        struct evidence facts[3];
        size_t n_facts = make_ending(recovery->vm, facts);
        int r;

        r = store_batch_new(&batch);
        if (r)
                return r;
        /* After a reboot of the host the clock has begun anew: what was seen before still came before. */
        if (now_ns <= recovery->past.newest_ns)
                now_ns = recovery->past.newest_ns + 1;
        for (size_t i = 0; i < n_facts; i++) {
                facts[i].at_ns = now_ns;
                facts[i].time_ns = source_time_ns();
                facts[i].seq = i + 1;
                r = store_batch_add_evidence(batch, recovery->vm->id, &facts[i]);
                if (r) {
                        store_batch_free(batch);
                        return r;
                }
        }
        r = store_submit(recovery->store, batch, on_stored, recovery);
        if (r) {
                store_batch_free(batch);
                return r;
        }
        store_drain(recovery->store);
        return recovery->error;
}

/* What is there of it, then the gap, if its end was not seen; then its verdict. */
static int give_ending(struct recovery *recovery) {
        struct past *past = &recovery->past;
        int r;

        for (size_t i = 0; i < past->n_later && !recovery->error; i++)
                take(recovery, &past->later[i]);
        r = recovery->error;
        if (!r && !past->episode.process_ended && !(past->has_verdict && past->told.left == LEFT_GONE))
                r = store_ending(recovery);
        if (!r) {
                judge(recovery, true);
                r = recovery->error;
        }
        return r ? r : store_batch_end_vm(recovery->batch, recovery->vm->id, source_time_ns());
}

int recover_lost_vm(struct store *store, const struct store_vm *vm, char ret_why[static STORE_WHY_MAX]) {
        struct recovery recovery = { .store = store, .vm = vm, .policy = policy_default(false) };
        int r;

        *ret_why = '\0';
        r = claim(&recovery);
        if (r == -ENOENT)
                return 0;
        if (!r)
                r = past_read(&recovery.past, store, vm->id, true, ret_why);
        policy_read(&recovery.policy, vm->policy ? vm->policy : "");
        if (!r)
                r = store_batch_new(&recovery.batch);
        if (!r)
                r = give_ending(&recovery);
        if (!r) {
                struct store_batch *batch = take_pointer(recovery.batch);

                r = store_submit(store, batch, on_written, &recovery);
                if (r)
                        store_batch_free(batch);
                else
                        store_drain(store);
                r = r ? r : recovery.error;
        }
        store_batch_free(recovery.batch);
        past_deinit(&recovery.past);
        if (r && !*ret_why)
                snprintf(ret_why, STORE_WHY_MAX, "cannot give %.200s its ending: %s", vm->identity.name, strerror(-r));
        return r;
}

/* Is whoever looks after it there? */
static bool is_watched(const struct store_vm *vm) {
        return proc_instance_is_alive(vm->watcher);
}

static bool is_there(const char *instance) {
        return instance_is_domain(instance) ? instance_is_of_this_boot(instance) : proc_instance_is_alive(instance);
}

bool vm_is_lost(const struct store_vm *vm) {
        return !vm->ended_ns && !is_there(vm->identity.instance) && !is_watched(vm);
}

bool vm_waits_for_daemon(const struct store_vm *vm) {
        /* Neither what a service manager keeps nor what the kernel has written outlives the host. */
        return vm_is_lost(vm) && vm->is_daemons && instance_is_of_this_boot(vm->identity.instance);
}

bool vm_is_being_ended(const struct store_vm *vm) {
        return !vm->ended_ns && !is_there(vm->identity.instance) && is_watched(vm);
}

bool vm_is_alive(const struct store_vm *vm) {
        return !vm->ended_ns && is_there(vm->identity.instance);
}

bool has_lost_vms(struct store *store) {
        struct store_vm *vms = NULL;
        bool found = false;
        size_t n_vms = 0;

        store_list_open_vms(store, NULL, &vms, &n_vms);
        for (size_t i = 0; i < n_vms; i++) {
                found = found || (vm_is_lost(&vms[i]) && !vm_waits_for_daemon(&vms[i]));
                store_vm_deinit(&vms[i]);
        }
        free(vms);
        return found;
}

int recover_lost_vms(struct store *store, char ret_why[static STORE_WHY_MAX]) {
        struct store_vm *vms = NULL;
        size_t n_vms = 0;
        int r;

        *ret_why = '\0';
        r = store_list_open_vms(store, NULL, &vms, &n_vms);
        for (size_t i = 0; i < n_vms; i++) {
                if (!r && vm_is_lost(&vms[i]) && !vm_waits_for_daemon(&vms[i]))
                        r = recover_lost_vm(store, &vms[i], ret_why);
                store_vm_deinit(&vms[i]);
        }
        free(vms);
        if (r && !*ret_why)
                snprintf(ret_why, STORE_WHY_MAX, "%s", strerror(-r));
        return r;
}

void wait_for_endings(struct store *store) {
        struct store_vm *vms = NULL;
        size_t n_vms = 0;
        int tries = 0;

        if (store_list_open_vms(store, NULL, &vms, &n_vms))
                return;
        for (size_t i = 0; i < n_vms; i++) {
                while (vm_is_being_ended(&vms[i]) && tries++ < ENDING_TRIES) {
                        struct store_vm now;

                        usleep(ENDING_LOOK_USEC);
                        if (store_find_vm(store, vms[i].identity.instance, &now))
                                break;
                        store_vm_deinit(&vms[i]);
                        vms[i] = now;
                }
                store_vm_deinit(&vms[i]);
        }
        free(vms);
}
