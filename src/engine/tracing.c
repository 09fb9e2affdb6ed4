#include "engine/tracing.h"
#include "basics/cleanup.h"
#include "sources/proc.h"
#include "sources/qemu/qemu_machine.h"
#include "sources/qemu/qemu_options.h"
#include "sources/qemu/survey.h"
#include "sources/trace/trace_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tracing {
        struct trace_source *source; /* NULL: it does not work here */
        char absent[TRACE_WHY_MAX]; /* why not */
        struct handover *handover; /* NULL: nobody keeps anything */
        bool is_kept[TRACE_DESCRIPTORS];
        void (*say)(void *userdata, const char *line); /* NULL: nobody wants to know */
        void *say_userdata;
        void (*called)(void *userdata, struct evidence *evidence);
        void *called_userdata;
};

struct traced {
        struct trace_watch *watch;
        struct trace_machine machine;
        struct evidence *end; /* waits for what the kernel saw before it; owned */
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
        [TRACE_BIRTHS] = "VMs under software emulation that start from now on are not found",
        [TRACE_SENDERS] = "who sends a signal and is gone at once may be known by his pid alone",
        [TRACE_HYPERCALLS] = "who destroys, pauses or resumes a domain of Xen's is not seen",
};

/* Their names say which programs they are: those of another vmpower are not gone on with. */
static void name_descriptor(char ret_name[static HANDOVER_NAME_MAX], size_t i) {
        handover_name(ret_name, 't', (uint64_t)trace_source_version() * TRACE_DESCRIPTORS + i);
}

static void take_descriptors(struct trace_descriptors *ret_descriptors, struct handover *handover) {
        char name[HANDOVER_NAME_MAX];

        for (size_t i = 0; i < TRACE_DESCRIPTORS; i++) {
                name_descriptor(name, i);
                ret_descriptors->fds[i] = handover_take(handover, name);
        }
}

/* What has come since is kept, and what has gone is not any more. */
static void keep_descriptors(struct tracing *tracing) {
        struct trace_descriptors descriptors;
        char name[HANDOVER_NAME_MAX];

        trace_source_descriptors(tracing->source, &descriptors);
        for (size_t i = 0; tracing->handover && i < TRACE_DESCRIPTORS; i++) {
                const bool is_there = descriptors.fds[i] >= 0;

                if (is_there == tracing->is_kept[i])
                        continue;
                name_descriptor(name, i);
                if (is_there)
                        handover_keep(tracing->handover, name, descriptors.fds[i]);
                else
                        handover_drop(tracing->handover, name);
                tracing->is_kept[i] = is_there;
        }
}

static void say_lack(struct tracing *tracing, enum trace_part part) {
        const char *lack = trace_source_lacks(tracing->source, part);
        char line[TRACE_WHY_MAX + 128];

        if (!lack || !tracing->say)
                return;
        snprintf(line, sizeof(line), "trace: %s; so %s", lack, costs[part]);
        tracing->say(tracing->say_userdata, line);
}

int tracing_new(struct tracing **ret_tracing, sd_event *event, struct handover *handover, void (*say)(void *userdata, const char *line), void *userdata) {
        struct tracing *tracing = calloc(1, sizeof(*tracing));
        const char *wanted = getenv("VMPOWER_TRACE");
        struct trace_descriptors handed;
        char line[TRACE_WHY_MAX + 128];
        int r = 0;

        if (!tracing)
                return -ENOMEM;
        tracing->say = say;
        tracing->say_userdata = userdata;
        tracing->handover = handover;
        *ret_tracing = tracing;
        if (wanted && !strcmp(wanted, "no")) {
                strcpy(tracing->absent, "$VMPOWER_TRACE switches it off");
                return 0;
        }
        if (handover)
                take_descriptors(&handed, handover);
        for (size_t i = 0; handover && i < TRACE_DESCRIPTORS; i++)
                tracing->is_kept[i] = handed.fds[i] >= 0;
        r = trace_source_open(&tracing->source, event, handover ? TRACE_HOST : TRACE_ONE, handover ? &handed : NULL, tracing->absent);
        if (!r)
                keep_descriptors(tracing);
        if (r && !*tracing->absent)
                snprintf(tracing->absent, sizeof(tracing->absent), "%s", strerror(-r));
        if (r && say) {
                snprintf(line, sizeof(line), "trace_absent: %s; so %s", tracing->absent, costs[TRACE_SIGNALS]);
                say(userdata, line);
        }
        for (size_t i = 0; tracing->source && i < _TRACE_PART_N; i++)
                say_lack(tracing, (enum trace_part)i);
        return 0;
}

struct tracing *tracing_free(struct tracing *tracing) {
        if (!tracing)
                return NULL;
        trace_source_close(tracing->source);
        free(tracing);
        return NULL;
}

void tracing_begin(struct tracing *tracing) {
        if (tracing->source)
                trace_source_begin(tracing->source);
}

void tracing_leave(struct tracing *tracing) {
        if (tracing && tracing->source && tracing->handover && handover_is_offered(tracing->handover))
                trace_source_leave(tracing->source);
}

bool tracing_saw_end(struct tracing *tracing, const char *instance) {
        struct proc_instance process;

        return tracing->source && !proc_instance_parse(&process, instance) &&
               trace_source_saw_end(tracing->source, process.pid, process.start_time);
}

bool tracing_is_by_perf(const struct tracing *tracing) {
        return tracing->source && trace_source_lacks(tracing->source, TRACE_SENDERS);
}

void tracing_look_again(struct tracing *tracing) {
        if (tracing->source && trace_source_look_again(tracing->source))
                keep_descriptors(tracing);
}

bool tracing_lacks(const struct tracing *tracing, size_t i, struct tracing_lack *ret_lack) {
        if (!tracing->source) {
                *ret_lack = (struct tracing_lack){ "trace", tracing->absent, costs[TRACE_SIGNALS] };
                return i == 0;
        }
        for (size_t part = 0; part < _TRACE_PART_N; part++) {
                const char *why = trace_source_lacks(tracing->source, (enum trace_part)part);

                if (!why || i--)
                        continue;
                *ret_lack = (struct tracing_lack){ trace_part_name((enum trace_part)part), why, costs[part] };
                return true;
        }
        return false;
}

void tracing_on_birth(struct tracing *tracing, void (*born)(void *userdata, pid_t pid), void *userdata) {
        if (tracing->source)
                trace_source_on_birth(tracing->source, born, userdata);
}

static void on_called(void *userdata, struct evidence *evidence) {
        struct tracing *tracing = userdata;

        if (evidence)
                tracing->called(tracing->called_userdata, evidence);
        else
                say_lack(tracing, TRACE_HYPERCALLS);
}

void tracing_on_hypercall(struct tracing *tracing, void (*called)(void *userdata, struct evidence *evidence), void *userdata) {
        tracing->called = called;
        tracing->called_userdata = userdata;
        if (tracing->source)
                trace_source_on_hypercall(tracing->source, on_called, tracing);
}

void tracing_drain(struct tracing *tracing) {
        if (tracing && tracing->source)
                trace_source_drain(tracing->source);
}

static void read_words(struct trace_machine *machine, size_t n_argv, char *const *argv) {
        struct qemu_options options;

        qemu_options_read(&options, n_argv, argv);
        machine->is_pc = qemu_machine_is_pc(n_argv, argv);
        machine->no_shutdown = options.no_shutdown || !strcmp(options.on_shutdown, "pause");
        machine->no_reboot = options.no_reboot || !strcmp(options.on_reboot, "shutdown");
}

/* A process that is gone: its words as they were written down.  Those that were quoted are of no interest here. */
static void read_text(struct trace_machine *machine, const char *command_line) {
        cleanup(freep) char *text = strdup(command_line);
        cleanup(freep) char **words = calloc(strlen(command_line) / 2 + 2, sizeof(*words));
        char *from = NULL;
        size_t n = 0;

        if (!text || !words)
                return;
        for (char *word = strtok_r(text, " ", &from); word; word = strtok_r(NULL, " ", &from))
                words[n++] = word;
        read_words(machine, n, words);
}

static void read_machine(struct trace_machine *machine, const struct traced_process *process) {
        cleanup(freep) char **arguments = NULL;
        char program[SURVEY_PROGRAM_MAX];
        size_t n;

        if (process->argv) {
                read_words(machine, process->n_argv, process->argv);
        } else if (!proc_arguments(&arguments, &n, process->pid) && n) {
                if (!survey_program(program, process->pid))
                        arguments[0] = program;
                read_words(machine, n, arguments);
        } else if (process->command_line) {
                read_text(machine, process->command_line);
        }
}

void traced_new(struct traced **ret_traced, struct tracing *tracing, const struct traced_process *process, const struct source_sink *sink) {
        struct proc_instance instance = { .pid = process->pid };
        struct traced *traced;
        int r;

        *ret_traced = NULL;
        if (!tracing || !tracing->source || (process->instance && proc_instance_parse(&instance, process->instance)))
                return;
        traced = calloc(1, sizeof(*traced));
        if (!traced)
                return;
        read_machine(&traced->machine, process);
        traced->machine.speaks = process->is_monitored;
        traced->machine.is_child = process->is_child;
        r = trace_watch_new(&traced->watch, tracing->source, instance.pid, instance.start_time, &traced->machine, sink);
        if (r) {
                /* One that has gone already is no news. */
                if (r != -ESRCH)
                        source_report_gap(sink, SOURCE_TRACE, "the kernel does not tell of it: %s", strerror(-r));
                free(traced);
                return;
        }
        *ret_traced = traced;
}

void traced_hold(struct traced **ret_traced, struct tracing *tracing, const char *instance) {
        struct proc_instance process;
        struct traced *traced;

        *ret_traced = NULL;
        if (!tracing || !tracing->source || proc_instance_parse(&process, instance))
                return;
        traced = calloc(1, sizeof(*traced));
        if (traced && trace_watch_hold(&traced->watch, tracing->source, process.pid, process.start_time))
                free(take_pointer(traced));
        *ret_traced = traced;
}

struct traced *traced_free(struct traced *traced) {
        if (!traced)
                return NULL;
        trace_watch_free(traced->watch);
        free(traced->end);
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
        cleanup(freep) struct evidence *end = take_pointer(traced->end);

        if (end->kind == EVIDENCE_VANISHED && seen)
                *end = *seen;
        /* It may free us. */
        traced->done(traced->userdata, end);
}

void traced_finish(struct traced *traced, const struct evidence *end, void (*done)(void *userdata, struct evidence *end), void *userdata) {
        struct evidence *copy = malloc(sizeof(*copy)), own = *end;

        /* An end is worth more than what came before it. */
        if (!traced || !copy) {
                free(copy);
                done(userdata, &own);
                return;
        }
        *copy = own;
        traced->end = copy;
        traced->done = done;
        traced->userdata = userdata;
        trace_watch_finish(traced->watch, on_finished, traced);
}
