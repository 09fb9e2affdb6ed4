/*
 * How long from the last evidence of a VM's end to its verdict on disk?
 *
 * A real engine, a real store (SQLite, WAL, synchronous=FULL) in a directory that is given or made: the commit of the evidence, the
 * judgement and the commit of the verdict.  Prints microseconds with their spread; promises nothing.
 */
#include "basics/cleanup.h"
#include "engine/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
        N_ROUNDS = 500,
};

struct bench {
        sd_event *event;
        uint64_t told_ns;
};

static uint64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void on_verdict(struct engine_vm *vm, const struct verdict_record *record, void *userdata) {
        struct bench *bench = userdata;

        bench->told_ns = now_ns();
}

static void on_over(struct engine_vm *vm, void *userdata) {
        struct bench *bench = userdata;

        sd_event_exit(bench->event, 0);
}

static void on_trouble(const char *line, void *userdata) {
        fprintf(stderr, "%s\n", line);
}

static void report(struct engine_vm *vm, enum evidence_source source, enum evidence_kind kind, const char *word) {
        struct evidence evidence = evidence_make(source, kind);

        evidence.flag = kind == EVIDENCE_SHUTDOWN ? TRISTATE_TRUE : TRISTATE_NULL;
        evidence_set_word(&evidence, word);
        source_report(engine_vm_sink(vm), &evidence);
}

static int compare(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

static int run_round(struct store *store, size_t round, uint64_t *ret_ns) {
        struct bench bench = { 0 };
        struct engine_events events = { .verdict = on_verdict, .over = on_over, .trouble = on_trouble, .userdata = &bench };
        struct policy policy = policy_default(true);
        struct store_vm instance = { .pid = 1, .uid = -1 };
        char why[STORE_WHY_MAX] = "";
        struct engine *engine = NULL;
        struct engine_vm *vm;
        uint64_t last_ns;
        int r;

        snprintf(instance.identity.name, sizeof(instance.identity.name), "bench-%zu", round);
        snprintf(instance.identity.instance, sizeof(instance.identity.instance), "bench:%d:%zu", (int)getpid(), round);
        strcpy(instance.identity.backend, "qemu");
        instance.command_line = strdup("qemu-system-x86_64");
        instance.began_ns = source_time_ns();

        r = sd_event_new(&bench.event);
        if (r >= 0)
                r = engine_new(&engine, bench.event, store, &events);
        if (r >= 0)
                r = engine_add_vm(engine, &instance, &policy, true, &vm, NULL, why);
        if (r < 0) {
                fprintf(stderr, "%s\n", *why ? why : strerror(-r));
                return r;
        }
        report(vm, SOURCE_QMP, EVIDENCE_MONITOR_OPENED, "7.2.22");
        report(vm, SOURCE_QMP, EVIDENCE_MACHINE, "pc-i440fx-7.2");
        engine_settle(engine);
        report(vm, SOURCE_QMP, EVIDENCE_SHUTDOWN, "guest-shutdown");
        report(vm, SOURCE_QMP, EVIDENCE_MONITOR_CLOSED, "");
        report(vm, SOURCE_PROCESS, EVIDENCE_EXITED, "");
        last_ns = now_ns();
        r = sd_event_loop(bench.event);
        *ret_ns = bench.told_ns - last_ns;
        engine_settle(engine);
        engine_free(engine);
        sd_event_unref(bench.event);
        return r;
}

int main(int argc, char **argv) {
        cleanup(store_closep) struct store *store = NULL;
        char made[] = "/var/tmp/vmpower-bench-XXXXXX", why[STORE_WHY_MAX];
        const char *directory = argc > 1 ? argv[1] : mkdtemp(made);
        static uint64_t spans[N_ROUNDS];

        if (!directory || store_open(&store, directory, STORE_WRITE, why)) {
                fprintf(stderr, "%s\n", directory ? why : strerror(errno));
                return 1;
        }
        for (size_t i = 0; i < N_ROUNDS; i++)
                if (run_round(store, i, &spans[i]) < 0)
                        return 1;
        qsort(spans, N_ROUNDS, sizeof(spans[0]), compare);
        printf("last evidence to committed verdict, %d VMs in %s: min %.0f, median %.0f, p99 %.0f, max %.0f us\n", N_ROUNDS,
               directory, (double)spans[0] / 1e3, (double)spans[N_ROUNDS / 2] / 1e3, (double)spans[N_ROUNDS * 99 / 100] / 1e3,
               (double)spans[N_ROUNDS - 1] / 1e3);
        return 0;
}
