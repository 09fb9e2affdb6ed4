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
        struct device_model_told *told;
        struct proc_instance process;
        struct process_watch *watch;
        struct source_sink process_sink, traced_sink;
        struct traced *traced; /* NULL: the kernel is not seen */
        struct device_model_events events;
        bool is_unwatched;
        bool has_ended;      /* and whether its domain needs it still was asked … */
        int64_t question;    /* … by this one */
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
        device_model_ask(device_model);
}

static void on_process_report(void *userdata, struct evidence *evidence) {
        struct device_model *device_model = userdata;

        tracing_drain(device_model->kept->home->tracing);
        if (evidence_ends_process(evidence))
                traced_finish(device_model->traced, evidence, on_end, device_model);
        else
                report(device_model, evidence);
}

static void tell_process(struct device_model_told *told, const struct kept *kept, const struct proc_instance *process) {
        struct evidence fact = evidence_make(SOURCE_PROCESS, EVIDENCE_DEVICE_MODEL);

        /* The record may have it without the time when it began. */
        if (told->pid != process->pid || told->has_ended) {
                fact.number = process->pid;
                source_report(engine_vm_sink(kept->vm), &fact);
        }
        *told = (struct device_model_told){ process->pid, process->start_time };
}

/* Was an end told of one of that pid?  The record does not say when that one began. */
static bool may_be_told(const struct device_model_told *told, const struct proc_instance *process) {
        return told->has_ended && told->pid == process->pid && (!told->start_time || !process->start_time || told->start_time == process->start_time);
}

static void begin(struct device_model **ret, struct device_model_told *told, struct kept *kept, const char *instance,
                  const struct proc_instance *process, const struct device_model_events *events) {
        struct device_model *device_model = calloc(1, sizeof(*device_model));
        const struct traced_process traced = { .pid = process->pid, .instance = instance };

        if (!device_model)
                return;
        *device_model = (struct device_model){ .kept = kept, .told = told, .process = *process, .events = *events, .is_unwatched = true };
        device_model->process_sink = (struct source_sink){ on_process_report, on_ended, device_model };
        device_model->traced_sink = (struct source_sink){ report, on_ended, device_model };
        *ret = device_model;
        if (!may_be_told(told, process))
                tell_process(told, kept, process);
        traced_new(&device_model->traced, kept->home->tracing, &traced, &device_model->traced_sink);
}

bool device_model_is_unwatched(const struct device_model *device_model) {
        return device_model && device_model->is_unwatched;
}

int device_model_watch(struct device_model **ret) {
        struct evidence vanished = evidence_make(SOURCE_PROCESS, EVIDENCE_VANISHED);
        struct device_model *device_model = *ret;
        struct proc_instance process = device_model->process;
        int r = process_watch_new(&device_model->watch, device_model->kept->home->event, process.pid, process.start_time,
                                  &device_model->process_sink);

        if (r && r != -ESRCH)
                return r;
        device_model->is_unwatched = false;
        /* The end on record was this one's, unless it lives. */
        if (device_model->told->has_ended && (r || process_watch_has_ended(device_model->watch))) {
                device_model->told->start_time = process.start_time;
                *ret = device_model_free(device_model);
                return 0;
        }
        tell_process(device_model->told, device_model->kept, &process);
        if (r)
                on_process_report(device_model, &vanished);
        return 0;
}

/* It has gone while nobody looked. */
static void tell_vanished(struct device_model_told *told, const struct kept *kept, const struct proc_instance *process) {
        struct evidence vanished = evidence_make(SOURCE_PROCESS, EVIDENCE_DEVICE_MODEL_VANISHED);

        tell_process(told, kept, process);
        source_report(engine_vm_sink(kept->vm), &vanished);
        told->has_ended = true;
}

void device_model_ask(struct device_model *device_model) {
        if (device_model && device_model->has_ended)
                device_model->question = device_model->events.ask(device_model->events.userdata);
}

static void take_answer(struct device_model **device_model) {
        report(*device_model, &(*device_model)->end);
        (*device_model)->told->has_ended = true;
        *device_model = device_model_free(*device_model);
}

void device_model_tell(struct device_model **device_model, struct device_model_told *told, struct kept *kept, const char *instance, int64_t answered,
                      const struct device_model_events *events) {
        struct device_model *known = *device_model;
        struct proc_instance process;

        if (!*instance || proc_instance_parse(&process, instance) || process.pid <= 1 || !instance_is_of_this_boot(instance)) {
                *device_model = device_model_free(known);
                return;
        }
        if (known && known->process.pid == process.pid && (!process.start_time || process.start_time == known->process.start_time)) {
                /* That one is gone and needed is known only after it has ended. */
                if (known->has_ended && (!process.start_time || answered == known->question))
                        take_answer(device_model);
                return;
        }
        *device_model = device_model_free(known);
        if (may_be_told(told, &process) && (told->start_time || !process.start_time))
                return;
        if (process.start_time)
                begin(device_model, told, kept, instance, &process, events);
        else
                tell_vanished(told, kept, &process);
}
