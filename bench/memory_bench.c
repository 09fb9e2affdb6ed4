/*
 * What does one idle VM cost, without a daemon around it?
 *
 *      memory_bench DIRECTORY N       the farm's: DIRECTORY/I.qmp, for I below N
 *
 * A real engine and store, and a real QEMU source on each of a farm's scripted VMs.  Prints kilobytes of memory in use for each VM beyond the
 * first, and its parts as malloc counts them.
 */
#include "basics/cleanup.h"
#include "engine/engine.h"
#include "sources/qemu/qemu_source.h"

#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct bench {
        sd_event *event;
        struct engine *engine;
        size_t n_ready;
};

struct watched {
        struct bench *bench;
        struct engine_vm *vm;
        struct qemu_source *qemu;
};

static void on_verdict(struct engine_vm *vm, const struct verdict_record *record, void *userdata) {
        printf("%s\n", record->summary);
}

static void on_over(struct engine_vm *vm, void *userdata) {
}

static void on_trouble(const char *line, void *userdata) {
        fprintf(stderr, "%s\n", line);
}

static void on_connected(void *userdata, pid_t pid, uid_t uid) {
}

static void on_waiting(void *userdata) {
}

static void on_refused(void *userdata, const char *command, const char *why) {
        fprintf(stderr, "%s: %s\n", command, why);
}

/* The answer to the last of its questions makes a VM known; its evidence goes where all evidence goes. */
static void on_report(void *userdata, struct evidence *evidence) {
        struct watched *watched = userdata;
        bool is_last = evidence->kind == EVIDENCE_STATUS;

        source_report(engine_vm_sink(watched->vm), evidence);
        if (is_last)
                watched->bench->n_ready++;
}

static void on_ended(void *userdata, enum evidence_source source) {
        fprintf(stderr, "a monitor has ended\n");
        exit(1);
}

static int watch(struct bench *bench, struct watched *watched, const char *directory, size_t i) {
        struct qemu_source_events events = { on_connected, on_waiting, on_refused, NULL, watched };
        struct source_sink sink = { on_report, on_ended, watched };
        struct policy policy = policy_default(false);
        struct store_vm instance = { .pid = 1, .uid = 0, .began_ns = source_time_ns() };
        char path[PATH_MAX], why[STORE_WHY_MAX] = "";
        struct qemu_source_config config = { .path = path, .halt_after_ns = policy.halt_after_ns,
                                             .greeting_timeout_ns = UINT64_C(1000000000) };
        int r;

        watched->bench = bench;
        snprintf(path, sizeof(path), "%s/%zu.qmp", directory, i);
        snprintf(instance.identity.name, sizeof(instance.identity.name), "bench-%zu", i);
        snprintf(instance.identity.instance, sizeof(instance.identity.instance), "bench:%d:%zu", (int)getpid(), i);
        strcpy(instance.identity.backend, "qemu");
        r = engine_add_vm(bench->engine, &instance, &policy, false, &watched->vm, NULL, why);
        if (!r)
                r = qemu_source_open(&watched->qemu, bench->event, &config, &events, &sink);
        if (!r)
                r = qemu_source_try(watched->qemu);
        if (r)
                fprintf(stderr, "%s: %s %s\n", path, why, strerror(-r));
        return r;
}

static size_t rss_kib(void) {
        cleanup(fclosep) FILE *file = fopen("/proc/self/smaps_rollup", "re");
        char line[128];
        size_t kib = 0;

        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "Rss: %zu", &kib) == 1)
                        return kib;
        return 0;
}

int main(int argc, char **argv) {
        size_t n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0, first_kib = 0, first_bytes = 0;
        struct bench bench = { 0 };
        struct engine_events events = { .verdict = on_verdict, .over = on_over, .trouble = on_trouble, .userdata = NULL };
        cleanup(freep) struct watched *watched = calloc(n ? n : 1, sizeof(*watched));
        cleanup(store_closep) struct store *store = NULL;
        char made[] = "/dev/shm/vmpower-bench-XXXXXX", why[STORE_WHY_MAX] = "";
        struct rlimit limit;

        if (n < 2 || !watched) {
                fprintf(stderr, "Usage: memory_bench DIRECTORY N\n");
                return 2;
        }
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        if (!mkdtemp(made) || store_open(&store, made, STORE_WRITE, why) || sd_event_new(&bench.event) < 0 ||
            engine_new(&bench.engine, bench.event, store, &events) < 0) {
                fprintf(stderr, "%s\n", why);
                return 1;
        }
        for (size_t i = 0; i < n; i++) {
                if (watch(&bench, &watched[i], argv[1], i))
                        return 1;
                while (bench.n_ready <= i)
                        if (sd_event_run(bench.event, UINT64_MAX) < 0)
                                return 1;
                engine_settle(bench.engine);
                if (i == 0) {
                        first_kib = rss_kib();
                        first_bytes = mallinfo2().uordblks;
                }
        }
        printf("%zu VMs: %.2f KiB of resident memory for each beyond the first (%zu KiB), %.0f bytes of them from malloc\n", n,
               (double)(rss_kib() - first_kib) / (double)(n - 1), first_kib,
               (double)(mallinfo2().uordblks - first_bytes) / (double)(n - 1));
        fflush(stdout);
        _exit(0);
}
