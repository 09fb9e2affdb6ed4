#include "engine/rejudge.h"
#include "basics/cleanup.h"
#include "core/evidence.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct rejudging {
        struct store *store;
        bool dry_run;
        int (*each)(const struct verdict_record *before, const struct verdict_record *after, void *userdata);
        void *userdata;
        size_t n_judged;
        struct store_batch *batch; /* the revisions: written when the reading is done */
        int error;
        char *why;
};

static bool says_the_same(const struct verdict_record *record, const struct verdict *verdict) {
        const struct verdict *old = &record->verdict;

        return old->transition == verdict->transition && old->initiator == verdict->initiator &&
               old->mechanism == verdict->mechanism && old->graceful == verdict->graceful && old->left == verdict->left &&
               old->count == verdict->count && old->confidence == verdict->confidence && !strcmp(record->rule, verdict->rule);
}

static int judge_again(const struct verdict_record *record, void *userdata) {
        struct rejudging *rejudging = userdata;
        struct policy policy = policy_default(false);
        struct verdict_record after;
        struct store_vm vm = { 0 };
        struct verdict verdict;
        int r;

        /* Part of it would be judged as if the rest had never been seen: the verdict stands. */
        if (record->n_pruned)
                return 0;
        r = store_find_vm(rejudging->store, record->vm.instance, &vm);
        if (r)
                return r;
        policy_read(&policy, vm.policy ? vm.policy : "");
        verdict = verdict_from_evidence(record->items, record->n_items, &policy.judge);
        rejudging->n_judged++;
        r = 0;
        if (!says_the_same(record, &verdict)) {
                /* Numbers only rise, so the number that is revised makes this revision's id its own. */
                r = verdict_record_make(&after, &record->vm, &verdict, record->items, record->n_items, record->episode,
                                        0x80000000u | (unsigned)record->number);
                if (!r) {
                        memcpy(after.revises, record->id, sizeof(after.revises));
                        after.decision = record->decision;
                        r = rejudging->each(record, &after, rejudging->userdata);
                        if (r || rejudging->dry_run)
                                verdict_record_deinit(&after);
                        else
                                r = store_batch_add_verdict(rejudging->batch, vm.id, &after);
                }
        }
        store_vm_deinit(&vm);
        return r;
}

static void on_stored(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct rejudging *rejudging = userdata;

        rejudging->error = result;
        if (result)
                snprintf(rejudging->why, STORE_WHY_MAX, "%s", why);
}

int rejudge(struct store *store, const char *name, bool dry_run,
            int (*each)(const struct verdict_record *before, const struct verdict_record *after, void *userdata),
            void *userdata, size_t *ret_n_judged, char ret_why[static STORE_WHY_MAX]) {
        struct rejudging rejudging = { .store = store, .dry_run = dry_run, .each = each, .userdata = userdata, .why = ret_why };
        struct store_query query = { .name = name };
        int r;

        r = store_batch_new(&rejudging.batch);
        if (r)
                return r;
        r = store_each_verdict(store, &query, judge_again, &rejudging, ret_why);
        *ret_n_judged = rejudging.n_judged;
        if (r || store_batch_is_empty(rejudging.batch)) {
                store_batch_free(rejudging.batch);
                return r;
        }
        r = store_submit(store, rejudging.batch, on_stored, &rejudging);
        if (r) {
                store_batch_free(rejudging.batch);
                return r;
        }
        store_drain(store);
        return rejudging.error;
}
