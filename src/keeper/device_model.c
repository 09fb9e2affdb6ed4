#include "keeper/device_model.h"

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "engine/recover.h"
#include "engine/tracing.h"
#include "sources/proc.h"
#include "sources/process/process_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct device_model {
        struct kept *kept;
        struct proc_instance process;
        struct process_watch *watch;
        struct source_sink process_sink, traced_sink;
        struct traced *traced; /* NULL: the kernel is not seen */
        struct device_model_events events;
        bool has_ended;      /* and whether its domain needs it still was asked */
        struct evidence end; /* how */
};

struct device_model *device_model_free(struct device_model *device_model) {
        if (!device_model)
                return NULL;
        process_watch_free(device_model->watch);
        traced_free(device_model->traced);
        free(device_model);
        return NULL;
}

static void report(void *userdata, struct evidence *evidence) {
        struct device_model *device_model = userdata;

        source_report(engine_vm_sink(device_model->kept->vm), evidence);
}

static void on_ended(void *userdata, enum evidence_source source) {
}

/* The end of a VMM, as that of a device model. */
static enum evidence_kind kind_of_end(enum evidence_kind kind) {
        return kind == EVIDENCE_EXITED   ? EVIDENCE_DEVICE_MODEL_EXITED
               : kind == EVIDENCE_KILLED ? EVIDENCE_DEVICE_MODEL_KILLED
                                         : EVIDENCE_DEVICE_MODEL_VANISHED;
}

static void on_end(void *userdata, struct evidence *end) {
        struct device_model *device_model = userdata;

        device_model->end = *end;
        device_model->end.kind = kind_of_end(end->kind);
        /* It is told later, and happened now. */
        if (!end->at_ns) {
                device_model->end.at_ns = source_now_ns();
                device_model->end.time_ns = source_time_ns();
        }
        device_model->has_ended = true;
        device_model->events.ask(device_model->events.userdata);
}

static void on_process_report(void *userdata, struct evidence *evidence) {
        struct device_model *device_model = userdata;

        tracing_drain(device_model->kept->home->tracing);
        if (evidence_ends_process(evidence))
                traced_finish(device_model->traced, evidence, on_end, device_model);
        else
                report(device_model, evidence);
}

/* What is on record of it: that very process, or an end of one that came after. */
struct model_past {
        const struct proc_instance *process;
        bool is_known, has_ended;
};

static int look_at_past(const struct evidence *evidence, void *userdata) {
        struct model_past *past = userdata;

        if (evidence->kind == EVIDENCE_DEVICE_MODEL) {
                past->is_known = evidence->number == past->process->pid;
                past->has_ended = false;
        } else if (evidence_ends_device_model(evidence)) {
                past->has_ended = true;
        }
        return 0;
}

static struct model_past past_of(const struct kept *kept, struct store *store, const struct proc_instance *process) {
        struct model_past past = { .process = process };
        char why[STORE_WHY_MAX];

        store_each_evidence(store, kept_instance(kept)->id, 0, look_at_past, &past, why);
        return past;
}

static void tell_process(const struct kept *kept, const struct proc_instance *process) {
        struct evidence fact = evidence_make(SOURCE_PROCESS, EVIDENCE_DEVICE_MODEL);

        fact.number = process->pid;
        source_report(engine_vm_sink(kept->vm), &fact);
}

static void say_unwatched(const struct kept *kept, int r) {
        char line[VM_NAME_MAX + 96];

        snprintf(line, sizeof(line), "%s: its device model is not watched: %s", kept_name(kept), strerror(-r));
        kept->home->say(kept->home->userdata, line);
}

static void begin(struct device_model **ret, struct kept *kept, struct store *store, const char *told, const struct proc_instance *process,
                  const struct device_model_events *events) {
        struct evidence vanished = evidence_make(SOURCE_PROCESS, EVIDENCE_VANISHED);
        struct device_model *device_model = calloc(1, sizeof(*device_model));
        const struct traced_process traced = { .pid = process->pid, .instance = told };
        struct proc_stat stat;
        int r;

        if (!device_model)
                return;
        *device_model = (struct device_model){ .kept = kept, .process = *process, .events = *events };
        device_model->process_sink = (struct source_sink){ on_process_report, on_ended, device_model };
        device_model->traced_sink = (struct source_sink){ report, on_ended, device_model };
        *ret = device_model;
        if (!past_of(kept, store, process).is_known)
                tell_process(kept, process);
        traced_new(&device_model->traced, kept->home->tracing, &traced, &device_model->traced_sink);
        r = process_watch_new(&device_model->watch, kept->home->event, process->pid, &device_model->process_sink);
        if (r && r != -ESRCH) {
                /* Not gone, but nobody looks. */
                say_unwatched(kept, r);
                *ret = device_model_free(device_model);
        } else if (r) {
                on_process_report(device_model, &vanished);
        } else if (proc_stat_read(&stat, process->pid) || stat.start_time != process->start_time) {
                /* Its pid is another's by now. */
                process_watch_free(take_pointer(device_model->watch));
                on_process_report(device_model, &vanished);
        }
}

/* It has gone while nobody looked. */
static void tell_vanished(const struct kept *kept, struct store *store, const struct proc_instance *process) {
        struct evidence vanished = evidence_make(SOURCE_PROCESS, EVIDENCE_DEVICE_MODEL_VANISHED);
        struct model_past past = past_of(kept, store, process);

        if (past.has_ended)
                return;
        if (!past.is_known)
                tell_process(kept, process);
        source_report(engine_vm_sink(kept->vm), &vanished);
}

void device_model_tell(struct device_model **device_model, struct kept *kept, struct store *store, const char *told, const struct device_model_events *events) {
        struct device_model *known = *device_model;
        struct proc_instance process;

        if (!*told || proc_instance_parse(&process, told) || process.pid <= 1 || !instance_is_of_this_boot(told)) {
                *device_model = device_model_free(known);
                return;
        }
        if (known && known->process.pid == process.pid && (!process.start_time || process.start_time == known->process.start_time)) {
                if (!known->has_ended)
                        return;
                report(known, &known->end);
                *device_model = device_model_free(known);
                return;
        }
        *device_model = device_model_free(known);
        if (process.start_time)
                begin(device_model, kept, store, told, &process, events);
        else
                tell_vanished(kept, store, &process);
}
