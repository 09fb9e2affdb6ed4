/*
 * A history of N verdicts, for measurements.
 *
 *      fill_history DIRECTORY N
 *
 * Written as the engine writes it, but a thousand in a transaction: each thousand is of one VM, that reset so often.  Half a
 * minute lies between two, the last is of now, and all was looked at for what is too old to keep, as a daemon does it once a day.
 */
#include "basics/cleanup.h"
#include "core/evidence.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
        AT_ONCE = 1000,
};

#define STEP_NS UINT64_C(30000000000)

struct filling {
        struct store_vm vm;
        struct store_batch *verdicts;
};

static void give_up(const char *why) {
        fprintf(stderr, "fill_history: %s\n", why);
        exit(1);
}

static struct store_batch *make_batch(void) {
        struct store_batch *batch;

        if (store_batch_new(&batch))
                give_up("out of memory");
        return batch;
}

/* The evidence has its ids now: judge it. */
static void on_evidence_stored(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct filling *filling = userdata;

        if (result)
                give_up(why);
        for (size_t i = 0; i < store_batch_n_evidence(batch); i++) {
                struct evidence *e = store_batch_evidence(batch, i, &(int64_t){ 0 });
                struct verdict verdict = verdict_from_evidence(e, 1, NULL);
                struct verdict_record record;

                if (verdict_record_make(&record, &filling->vm.identity, &verdict, e, 1, e->id, 0) ||
                    store_batch_add_verdict(filling->verdicts, filling->vm.id, &record))
                        give_up("out of memory");
        }
}

static void on_verdicts_stored(struct store_batch *batch, int result, const char *why, void *userdata) {
        if (result)
                give_up(why);
}

static void submit(struct store *store, struct store_batch *batch, store_done_fn done, struct filling *filling) {
        if (store_submit(store, batch, done, filling))
                give_up("cannot submit");
        store_drain(store);
}

static struct store_batch *make_evidence(const struct store_vm *vm, uint64_t epoch_ns, uint64_t first, uint64_t last) {
        struct store_batch *batch = make_batch();

        for (uint64_t number = first; number < last; number++) {
                struct evidence e = evidence_make(SOURCE_QMP, EVIDENCE_RESET);

                e.at_ns = (number + 1) * STEP_NS;
                e.time_ns = epoch_ns + e.at_ns;
                e.seq = number + 1;
                e.flag = TRISTATE_TRUE;
                evidence_set_word(&e, "guest-reset");
                if (store_batch_add_evidence(batch, vm->id, &e))
                        give_up("out of memory");
        }
        return batch;
}

static void on_pruned(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct store_pruning *pruning = userdata;

        if (result)
                give_up(why);
        *pruning = store_batch_pruning(batch);
}

static void prune(struct store *store, uint64_t now_ns) {
        struct store_pruning pruning = { .keep = store_retention_default(now_ns), .now_ns = now_ns };

        while (!pruning.is_done) {
                struct store_batch *batch = make_batch();

                if (store_batch_prune(batch, &pruning) || store_submit(store, batch, on_pruned, &pruning))
                        give_up("cannot prune");
                store_drain(store);
        }
}

int main(int argc, char **argv) {
        const uint64_t n = argc == 3 ? strtoull(argv[2], NULL, 10) : 0, now_ns = (uint64_t)time(NULL) * UINT64_C(1000000000),
                       epoch_ns = now_ns - n * STEP_NS;
        cleanup(store_closep) struct store *store = NULL;
        char why[STORE_WHY_MAX] = "Usage: fill_history DIRECTORY N";

        if (argc != 3 || store_open(&store, argv[1], STORE_WRITE, why))
                give_up(why);
        for (uint64_t i = 0; i < n; i += AT_ONCE) {
                struct filling filling = { .vm = { .pid = 1, .uid = 0, .began_ns = epoch_ns }, .verdicts = make_batch() };
                struct store_batch *end = make_batch();

                snprintf(filling.vm.identity.name, sizeof(filling.vm.identity.name), "old-%" PRIu64, i / AT_ONCE);
                snprintf(filling.vm.identity.instance, sizeof(filling.vm.identity.instance), "old:%" PRIu64 ":1", i);
                strcpy(filling.vm.identity.backend, "qemu");
                if (store_add_vm(store, &filling.vm, NULL, why))
                        give_up(why);
                submit(store, make_evidence(&filling.vm, epoch_ns, i, n - i < AT_ONCE ? n : i + AT_ONCE), on_evidence_stored, &filling);
                submit(store, filling.verdicts, on_verdicts_stored, NULL);
                if (store_batch_end_vm(end, filling.vm.id, now_ns))
                        give_up("out of memory");
                submit(store, end, on_verdicts_stored, NULL);
        }
        prune(store, now_ns);
        return 0;
}
