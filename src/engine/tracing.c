#include "engine/tracing.h"
#include "basics/cleanup.h"
#include "sources/proc.h"
#include "sources/qemu/qemu_machine.h"
#include "sources/qemu/qemu_options.h"
#include "sources/trace/trace_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tracing {
        struct trace_source *source; /* NULL: it does not work here */
};

struct traced {
        struct trace_watch *watch;
        struct trace_machine machine;
        struct evidence end;
        void (*done)(void *userdata, struct evidence *end);
        void *userdata;
};

/* What a missing part costs. */
static const char *const costs[_TRACE_PART_N] = {
        [TRACE_SIGNALS] = "who sends a signal is not seen",
        [TRACE_OOM] = "the OOM killer's victims are guessed from their cgroups' counters",
        [TRACE_EXITS] = "how a process ends that is not our child may not be seen",
        [TRACE_PORTS] = "by which port a guest powers off or resets is not seen",
        [TRACE_KVM_EXITS] = "a triple fault is not told from a reset",
};

int tracing_new(struct tracing **ret_tracing, sd_event *event, void (*say)(void *userdata, const char *line), void *userdata) {
        struct tracing *tracing = calloc(1, sizeof(*tracing));
        const char *wanted = getenv("VMPOWER_TRACE");
        char line[TRACE_WHY_MAX + 128], why[TRACE_WHY_MAX] = "";
        int r = 0;

        if (!tracing)
                return -ENOMEM;
        *ret_tracing = tracing;
        if (wanted && !strcmp(wanted, "no"))
                return 0;
        r = trace_source_open(&tracing->source, event, why);
        if (r && say) {
                snprintf(line, sizeof(line), "trace_absent: %s; so %s", *why ? why : strerror(-r), costs[TRACE_SIGNALS]);
                say(userdata, line);
        }
        for (size_t i = 0; tracing->source && say && i < _TRACE_PART_N; i++) {
                const char *lack = trace_source_lacks(tracing->source, (enum trace_part)i);

                if (!lack)
                        continue;
                snprintf(line, sizeof(line), "trace: %s; so %s", lack, costs[i]);
                say(userdata, line);
        }
        return 0;
}

struct tracing *tracing_free(struct tracing *tracing) {
        if (!tracing)
                return NULL;
        trace_source_close(tracing->source);
        free(tracing);
        return NULL;
}

void tracing_drain(struct tracing *tracing) {
        if (tracing && tracing->source)
                trace_source_drain(tracing->source);
}

static void read_machine(struct trace_machine *machine, pid_t pid, size_t n_argv, char *const *argv) {
        cleanup(freep) char **arguments = NULL;
        struct qemu_options options;

        if (!argv && (proc_arguments(&arguments, &n_argv, pid) || !n_argv))
                return;
        if (!argv)
                argv = arguments;
        qemu_options_read(&options, n_argv, argv);
        machine->is_pc = qemu_machine_is_pc(n_argv, argv);
        machine->no_reboot = options.no_reboot || !strcmp(options.on_reboot, "shutdown");
}

void traced_new(struct traced **ret_traced, struct tracing *tracing, pid_t pid, size_t n_argv, char *const *argv,
                const struct source_sink *sink) {
        struct traced *traced;

        *ret_traced = NULL;
        if (!tracing || !tracing->source)
                return;
        traced = calloc(1, sizeof(*traced));
        if (!traced)
                return;
        /* First the watch, then the slow look at what it is. */
        if (trace_watch_new(&traced->watch, tracing->source, pid, sink)) {
                free(traced);
                return;
        }
        read_machine(&traced->machine, pid, n_argv, argv);
        trace_watch_set_machine(traced->watch, &traced->machine);
        *ret_traced = traced;
}

struct traced *traced_free(struct traced *traced) {
        if (!traced)
                return NULL;
        trace_watch_free(traced->watch);
        evidence_deinit(&traced->end);
        free(traced);
        return NULL;
}

void traced_set_monitored(struct traced *traced, bool is_monitored) {
        if (!traced)
                return;
        traced->machine.speaks = is_monitored;
        trace_watch_set_machine(traced->watch, &traced->machine);
}

static void on_finished(void *userdata, const struct evidence *seen) {
        struct traced *traced = userdata;
        struct evidence end = traced->end;

        traced->end = (struct evidence){ 0 };
        if (end.kind == EVIDENCE_VANISHED && seen)
                end = *seen;
        traced->done(traced->userdata, &end);
}

void traced_finish(struct traced *traced, const struct evidence *end, void (*done)(void *userdata, struct evidence *end), void *userdata) {
        if (!traced) {
                struct evidence copy = *end;

                done(userdata, &copy);
                return;
        }
        traced->end = *end;
        traced->done = done;
        traced->userdata = userdata;
        trace_watch_finish(traced->watch, on_finished, traced);
}
