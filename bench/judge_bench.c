/*
 * How long does one judgement take?
 *
 * Typical episodes of 3, 8 and 64 facts, a kill with its sender each, judged in batches.  Prints nanoseconds with their
 * spread; promises nothing.
 */
#include "basics/cleanup.h"
#include "core/evidence.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
        N_BATCHES = 2000,
        BATCH = 200,
        ITEMS_MAX = 64,
};

static uint64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* A machine, a console that talks, a signal with its sender, the end. */
static void make_episode(struct evidence *items, size_t n, struct actor *sender) {
        for (size_t i = 0; i < n; i++) {
                items[i] = evidence_make(SOURCE_CONSOLE, EVIDENCE_LINE);
                evidence_set_text(&items[i], "a guest talks", 13);
                items[i].at_ns = (i + 1) * 1000000;
                items[i].seq = i;
        }
        items[0].source = SOURCE_QMP;
        items[0].kind = EVIDENCE_MACHINE;
        evidence_set_word(&items[0], "pc-i440fx-7.2");
        items[n - 2].source = SOURCE_TRACE;
        items[n - 2].kind = EVIDENCE_SIGNAL;
        items[n - 2].number = SIGKILL;
        items[n - 2].actor = sender;
        items[n - 1].source = SOURCE_PROCESS;
        items[n - 1].kind = EVIDENCE_KILLED;
        items[n - 1].number = SIGKILL;
}

static int compare(const void *a, const void *b) {
        const double *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

static void measure(size_t n) {
        static double spent[N_BATCHES];
        struct actor sender = { .pid = 990, .uid = 0, .comm = "kill" };
        struct evidence items[ITEMS_MAX];
        size_t n_proof = 0;

        make_episode(items, n, &sender);
        for (size_t batch = 0; batch < N_BATCHES; batch++) {
                uint64_t start_ns = now_ns();

                for (size_t i = 0; i < BATCH; i++)
                        n_proof += verdict_from_evidence(items, n, NULL).n_proof;
                spent[batch] = (double)(now_ns() - start_ns) / BATCH;
        }
        qsort(spent, N_BATCHES, sizeof(spent[0]), compare);
        printf("judge  %2zu facts  min %6.0f  median %6.0f  p99 %6.0f  max %6.0f ns  (%zu facts of proof)\n", n, spent[0],
               spent[N_BATCHES / 2], spent[N_BATCHES * 99 / 100], spent[N_BATCHES - 1], n_proof / N_BATCHES / BATCH);
}

int main(void) {
        static const size_t sizes[] = { 3, 8, 64 };

        for (size_t i = 0; i < N_ELEMENTS(sizes); i++)
                measure(sizes[i]);
        return 0;
}
