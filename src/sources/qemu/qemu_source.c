#include "sources/qemu/qemu_source.h"
#include "basics/cleanup.h"
#include "sources/proc.h"
#include "sources/qemu/halt_look.h"
#include "sources/qemu/halt_ticks.h"
#include "sources/qemu/qemu_monitor.h"
#include "sources/qemu/qemu_registers.h"
#include "sources/qemu/qmp_events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A stop for a migration's last phase or a snapshot: its outcome comes without an event, so it is asked for again. */
#define TRANSIENT_RETRY_USEC 100000

/* The questions that we ask, by the `id` of their answers. */
enum question {
        ASK_NOTHING,
        ASK_CAPABILITIES,
        ASK_SET_ACTION,
        ASK_MACHINE,
        ASK_PERIPHERAL,
        ASK_PERIPHERAL_ANON,
        ASK_FIRST_STATUS,
        ASK_VCPUS,
        ASK_CONT,
        ASK_STATUS,
        ASK_MEMORY_TREE,
        ASK_PM1_CONTROL,
        ASK_REGISTERS,
        ASK_QUIT,
        ASK_RESUMED_STATUS, /* what was said before is answered; goes by another id */
        _ASK_N,
};

struct qemu_source {
        sd_event *event;
        struct qemu_monitor *monitor;
        struct qemu_source_config config;
        struct qemu_source_events events;
        struct source_sink sink;
        sd_event_source *greeting_timer;
        sd_event_source *status_timer;
        pid_t pid;
        pid_t *vcpus; /* their threads; owned */
        size_t n_vcpus;
        struct halt_look look;
        struct halt_ticker look_ticker;
        struct halt_ticks *own_ticks; /* where config.ticks is NULL */
        const struct qemu_source_tap *tap; /* NULL: the monitor is not shared */
        char *greeting;                    /* for those who share it; owned */
        uint64_t first_id; /* that is free for them */
        uint64_t resumed_id; /* of ASK_RESUMED_STATUS; 0: it is not asked */
        struct qemu_replay replay; /* of a connection that goes on, until what waited was read */
        bool has_oob;
        bool is_greeted;
        bool is_running;      /* as far as its events tell: only such a VM is looked at */
        bool has_started;     /* our `cont` was answered */
        bool expects_resume;  /* the RESUME that answers our own `cont` */
        bool is_halted;       /* said once, until it runs again */
        bool is_stopped_for_something; /* and what for was not answered yet */
        struct evidence *held_status;      /* the status that waits for PM1's value; owned; NULL: none */
        struct evidence *transient_status; /* the last answer, where it was no outcome yet; owned; NULL: none */
};

static void report(struct qemu_source *source, struct evidence evidence) {
        if (source->replay.is_on)
                qemu_replay_stamp(&source->replay, &evidence, source_now_ns(), source_time_ns());
        else if (evidence.time_ns)
                evidence.at_ns = source_now_ns();
        source_report(&source->sink, &evidence);
}

static void ask_by(struct qemu_source *source, uint64_t id, const char *command, json_t *arguments) {
        cleanup(freep) char *text = NULL;
        size_t n_text;
        int r;

        r = qmp_encode_command(&text, &n_text, command, arguments, id);
        if (!r)
                r = qemu_monitor_send(source->monitor, text, n_text);
        if (r && r != -ENOTCONN)
                source->events.refused(source->events.userdata, command, strerror(-r));
        json_decref(arguments);
}

static void ask(struct qemu_source *source, enum question question, const char *command, json_t *arguments) {
        ask_by(source, question, command, arguments);
}

static void ask_human(struct qemu_source *source, enum question question, const char *line) {
        ask(source, question, "human-monitor-command", json_pack("{s:s}", "command-line", line));
}

/* --- the look at halted vCPUs ------------------------------------------------------------------------------------ */

static void on_look(void *userdata) {
        struct qemu_source *source = userdata;
        uint64_t run_ns = 0, thread_ns;

        for (size_t i = 0; i < source->n_vcpus; i++)
                if (!proc_thread_run_ns(source->pid, source->vcpus[i], &thread_ns))
                        run_ns += thread_ns;
        if (halt_look_tick(&source->look, run_ns, source->config.halt_after_ns))
                ask_human(source, ASK_REGISTERS, "info registers -a");
}

/* Only a VM that can be looked at waits for ticks. */
static void update_look(struct qemu_source *source) {
        bool wanted = source->config.halt_after_ns && source->is_running && !source->is_halted && source->n_vcpus &&
                      source->pid > 0;

        if (!wanted) {
                halt_ticks_remove(&source->look_ticker);
                return;
        }
        if (source->look_ticker.ticks)
                return;
        source->look = (struct halt_look){ 0 };
        if (!source->config.ticks && !source->own_ticks)
                halt_ticks_new(&source->own_ticks, source->event);
        source->look_ticker =
                (struct halt_ticker){ .every_ns = source->config.halt_after_ns, .tick = on_look, .userdata = source };
        if (source->config.ticks || source->own_ticks)
                halt_ticks_add(source->config.ticks ? source->config.ticks : source->own_ticks, &source->look_ticker);
}

static void take_registers(struct qemu_source *source, const json_t *value) {
        const char *text = json_string_value(value);
        struct qemu_registers registers;

        if (!text || !source->is_running)
                return;
        registers = qemu_registers_read(text, json_string_length(value), (unsigned)source->n_vcpus);
        if (registers.halted != TRISTATE_TRUE)
                return;
        source->is_halted = true;
        update_look(source);
        report(source, qemu_registers_evidence(registers));
}

/* --- a stop and its status --------------------------------------------------------------------------------------- */

/* `info mtree -f` lists regions as "0000000000000604-0000000000000605 (prio 0, i/o): acpi-cnt". */
static bool find_pm1_control(const char *text, unsigned *ret_port) {
        const char *name = strstr(text, "): acpi-cnt");
        const char *line = name;
        char *end;
        unsigned long port;

        if (!name)
                return false;
        while (line > text && line[-1] != '\n')
                line--;
        errno = 0;
        port = strtoul(line, &end, 16);
        if (errno || *end != '-' || port > 0xfffe)
                return false;
        *ret_port = (unsigned)port;
        return true;
}

/* Keep it for later: such a status is rare, and the VM may be one of thousands. */
static void keep_status(struct evidence **kept, const struct evidence *status) {
        if (!*kept)
                *kept = malloc(sizeof(**kept));
        if (*kept)
                **kept = *status;
}

static void forget_status(struct evidence **kept) {
        free(*kept);
        *kept = NULL;
}

static void give_status(struct qemu_source *source, struct evidence **kept) {
        struct evidence status;

        if (!*kept)
                return;
        status = **kept;
        forget_status(kept);
        report(source, status);
}

static void take_memory_tree(struct qemu_source *source, const json_t *value) {
        const char *text = json_string_value(value);
        char line[32];
        unsigned port;

        if (!text || !find_pm1_control(text, &port)) {
                give_status(source, &source->held_status);
                return;
        }
        snprintf(line, sizeof(line), "i /h 0x%x", port);
        ask_human(source, ASK_PM1_CONTROL, line);
}

/* "portw[0x0604] = 0x0001" */
static void take_pm1_control(struct qemu_source *source, const json_t *value) {
        const char *text = json_string_value(value);
        const char *equals = text ? strstr(text, "= 0x") : NULL;

        if (equals) {
                struct evidence pm1 = evidence_make(SOURCE_QMP, EVIDENCE_PM1_CONTROL);

                pm1.number = (int64_t)(strtoul(equals + 2, NULL, 16) & 0xffff);
                report(source, pm1);
        }
        give_status(source, &source->held_status);
}

static int on_status_retry(sd_event_source *timer, uint64_t usec, void *userdata) {
        ask(userdata, ASK_STATUS, "query-status", NULL);
        return 0;
}

static bool is_transient(const char *status) {
        return !strcmp(status, "finish-migrate") || !strcmp(status, "save-vm") || !strcmp(status, "restore-vm");
}

static void take_status(struct qemu_source *source, const json_t *value, bool is_first) {
        struct evidence status;

        if (!qmp_evidence_from_status(&status, value))
                return;
        if (is_first) {
                source->is_running = !strcmp(status.word, "running");
                /* We hold it ourselves, with -S, until our `cont`: nothing to tell. */
                if (source->config.start && !strcmp(status.word, "prelaunch"))
                        return;
        } else if (is_transient(status.word)) {
                keep_status(&source->transient_status, &status);
                source->status_timer = sd_event_source_disable_unref(source->status_timer);
                sd_event_add_time_relative(source->event, &source->status_timer, CLOCK_MONOTONIC, TRANSIENT_RETRY_USEC, 0,
                                           on_status_retry, source);
                return;
        } else if (!strcmp(status.word, "shutdown") && !source->held_status) {
                /* The VM is held: what its PM1 control register was left with tells ACPI from APM. */
                keep_status(&source->held_status, &status);
                ask_human(source, ASK_MEMORY_TREE, "info mtree -f");
                return;
        }
        forget_status(&source->transient_status);
        source->is_stopped_for_something = source->is_stopped_for_something && is_first;
        report(source, status);
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

static json_t *action_arguments(const struct qemu_source_config *config) {
        json_t *arguments = json_object();

        if (config->on_panic)
                json_object_set_new(arguments, "panic", json_string(config->on_panic));
        if (config->on_reboot)
                json_object_set_new(arguments, "reboot", json_string(config->on_reboot));
        if (config->on_shutdown)
                json_object_set_new(arguments, "shutdown", json_string(config->on_shutdown));
        if (json_object_size(arguments))
                return arguments;
        json_decref(arguments);
        return NULL;
}

static void keep_greeting(struct qemu_source *source, const struct qmp_message *greeting) {
        size_t n_text;

        source->is_greeted = true;
        if (!source->config.is_shared)
                return;
        source->has_oob = greeting->is_oob;
        qmp_encode_greeting(&source->greeting, &n_text, &greeting->version, source->has_oob);
}

static void ask_machine(struct qemu_source *source) {
        ask(source, ASK_MACHINE, "qom-get", json_pack("{s:s, s:s}", "path", "/machine", "property", "type"));
        ask(source, ASK_PERIPHERAL, "qom-list", json_pack("{s:s}", "path", "/machine/peripheral"));
        ask(source, ASK_PERIPHERAL_ANON, "qom-list", json_pack("{s:s}", "path", "/machine/peripheral-anon"));
}

static void take_greeting(struct qemu_source *source, const struct qmp_message *greeting) {
        struct evidence opened = evidence_make(SOURCE_QMP, EVIDENCE_MONITOR_OPENED);
        json_t *actions = action_arguments(&source->config);
        char version[EVIDENCE_WORD_MAX];

        if (source->is_greeted) {
                json_decref(actions);
                return;
        }
        source->greeting_timer = sd_event_source_disable_unref(source->greeting_timer);
        keep_greeting(source, greeting);
        /* QEMU answers in order, and its events start with the answer to the first. */
        ask(source, ASK_CAPABILITIES, "qmp_capabilities", source->has_oob ? json_pack("{s:[s]}", "enable", "oob") : NULL);
        if (actions)
                ask(source, ASK_SET_ACTION, "set-action", actions);
        ask_machine(source);
        ask(source, ASK_VCPUS, "query-cpus-fast", NULL);
        ask(source, ASK_FIRST_STATUS, "query-status", NULL);
        if (source->config.start) {
                source->expects_resume = true;
                ask(source, ASK_CONT, "cont", NULL);
        }

        snprintf(version, sizeof(version), "%d.%d.%d", greeting->version.major, greeting->version.minor, greeting->version.micro);
        evidence_set_word(&opened, version);
        report(source, opened);
}

/* QEMU says by itself that the migration for which it has stopped is complete (where its events are switched on): that is the answer. */
static void take_migration(struct qemu_source *source, const struct qmp_message *event) {
        const char *status = json_string_value(json_object_get(event->data, "status"));
        struct evidence outcome = evidence_make(SOURCE_QMP, EVIDENCE_STATUS);

        if (!source->is_stopped_for_something || !status || strcmp(status, "completed") != 0)
                return;
        source->is_stopped_for_something = false;
        forget_status(&source->transient_status);
        evidence_set_word(&outcome, "postmigrate");
        outcome.time_ns = qemu_event_time(event, source_time_ns());
        report(source, outcome);
}

static void take_event(struct qemu_source *source, const struct qmp_message *event) {
        struct evidence evidence, mechanism;

        if (!strcmp(event->name, "MIGRATION")) {
                take_migration(source, event);
                return;
        }
        if (!qmp_evidence_from_event(&evidence, event->name, event->data))
                return;
        evidence.time_ns = qemu_event_time(event, source_time_ns());

        if (evidence.kind == EVIDENCE_RESUME && source->expects_resume) {
                source->expects_resume = false;
                source->is_running = true;
                update_look(source);
                return;
        }
        /* A VM that ends before its outcome could be asked for: the source of a migration that is quit at once. */
        if (evidence.kind == EVIDENCE_SHUTDOWN)
                give_status(source, &source->transient_status);
        else if (evidence.kind == EVIDENCE_RESUME)
                forget_status(&source->transient_status);
        /* Why it has stopped is asked at once: whoever is told of it takes his time, and QEMU may be gone by then. */
        if (evidence.kind == EVIDENCE_STOP) {
                source->is_stopped_for_something = true;
                ask(source, ASK_STATUS, "query-status", NULL);
        } else if (evidence.kind == EVIDENCE_RESUME) {
                source->is_stopped_for_something = false;
        }
        if (!qemu_replay_knows(&source->replay, &evidence)) {
                /* How it came about is before it. */
                if (qmp_evidence_from_mechanism(&mechanism, event->data)) {
                        mechanism.time_ns = evidence.time_ns;
                        report(source, mechanism);
                }
                report(source, evidence);
        }

        if (evidence.kind == EVIDENCE_STOP || evidence.kind == EVIDENCE_SUSPEND || evidence.kind == EVIDENCE_SHUTDOWN) {
                source->is_running = false;
        } else if (evidence.kind == EVIDENCE_RESUME || evidence.kind == EVIDENCE_WAKEUP) {
                source->is_running = true;
                source->is_halted = false;
        } else if (evidence.kind == EVIDENCE_RESET) {
                source->is_halted = false;
        }
        update_look(source);
}

static void take_return(struct qemu_source *source, enum question question, const json_t *value) {
        struct evidence evidence, devices[QMP_DEVICES_MAX];
        pid_t *threads;
        size_t n;

        switch (question) {
        case ASK_MACHINE:
                if (qmp_evidence_from_machine(&evidence, value))
                        report(source, evidence);
                break;
        case ASK_PERIPHERAL:
        case ASK_PERIPHERAL_ANON:
                n = qmp_evidence_from_devices(devices, value);
                for (size_t i = 0; i < n; i++)
                        report(source, devices[i]);
                break;
        case ASK_VCPUS:
                threads = calloc(QMP_VCPUS_MAX, sizeof(*threads));
                if (!threads)
                        break;
                source->n_vcpus = qmp_vcpu_threads(threads, value);
                free(source->vcpus);
                source->vcpus = source->n_vcpus ? reallocarray(threads, source->n_vcpus, sizeof(*threads)) : NULL;
                if (!source->vcpus)
                        free(threads);
                break;
        case ASK_RESUMED_STATUS:
                take_status(source, value, true);
                update_look(source);
                qemu_replay_end(&source->replay);
                break;
        case ASK_FIRST_STATUS:
                take_status(source, value, true);
                update_look(source);
                break;
        case ASK_STATUS:
                take_status(source, value, false);
                break;
        case ASK_MEMORY_TREE:
                take_memory_tree(source, value);
                break;
        case ASK_PM1_CONTROL:
                take_pm1_control(source, value);
                break;
        case ASK_REGISTERS:
                take_registers(source, value);
                break;
        case ASK_CONT:
                source->has_started = true;
                break;
        case ASK_NOTHING:
        case ASK_CAPABILITIES:
        case ASK_SET_ACTION:
        case ASK_QUIT:
        case _ASK_N:
                break;
        }
}

static void take_error(struct qemu_source *source, enum question question, const char *why) {
        static const char *const commands[_ASK_N] = {
                [ASK_CAPABILITIES] = "qmp_capabilities",
                [ASK_SET_ACTION] = "set-action",
                [ASK_CONT] = "cont",
                [ASK_QUIT] = "quit",
        };

        /* A machine without vCPUs, without /machine/peripheral, without PM1: that is an answer too. */
        if (question == ASK_MEMORY_TREE || question == ASK_PM1_CONTROL)
                give_status(source, &source->held_status);
        if (question == ASK_CONT) {
                source->expects_resume = false;
                source->has_started = true;
        }
        if (commands[question])
                source->events.refused(source->events.userdata, commands[question], why);
}

static void on_message(void *userdata, const struct qmp_message *message, const char *text, size_t n_text) {
        struct qemu_source *source = userdata;
        json_int_t id = json_is_integer(message->id) ? json_integer_value(message->id) : 0;
        enum question question = id > 0 && id < ASK_RESUMED_STATUS ? (enum question)id : ASK_NOTHING;

        if (source->resumed_id && id > 0 && (uint64_t)id == source->resumed_id)
                question = ASK_RESUMED_STATUS;

        switch (message->kind) {
        case QMP_GREETING:
                take_greeting(source, message);
                break;
        case QMP_EVENT:
                take_event(source, message);
                break;
        case QMP_RETURN:
                take_return(source, question, message->data);
                break;
        case QMP_ERROR:
                take_error(source, question, message->error_text);
                break;
        case QMP_COMMAND:
                /* QEMU does not command us. */
                break;
        }
        if (source->tap && !(question && (message->kind == QMP_RETURN || message->kind == QMP_ERROR)))
                source->tap->message(source->tap->userdata, message, text, n_text);
}

static void on_malformed(void *userdata, const char *text, size_t n_text, const char *defect) {
        struct qemu_source *source = userdata;
        struct evidence evidence = evidence_make(SOURCE_QMP, EVIDENCE_MALFORMED);
        char excerpt[EVIDENCE_TEXT_MAX];

        if (n_text)
                snprintf(excerpt, sizeof(excerpt), "%s: %.*s", defect, (int)(n_text < 100 ? n_text : 100), text);
        else
                snprintf(excerpt, sizeof(excerpt), "%s", defect);
        evidence_set_text(&evidence, excerpt, strlen(excerpt));
        report(source, evidence);
        if (source->tap)
                source->tap->lost(source->tap->userdata);
}

static void on_drained(void *userdata) {
        struct qemu_source *source = userdata;

        if (source->tap)
                source->tap->drained(source->tap->userdata);
}

static int on_no_greeting(sd_event_source *timer, uint64_t usec, void *userdata) {
        struct qemu_source *source = userdata;

        if (source->config.is_own) {
                source->events.waiting(source->events.userdata);
                return 0;
        }
        report(source, evidence_make(SOURCE_QMP, EVIDENCE_MONITOR_TAKEN));
        source->monitor = qemu_monitor_close(source->monitor);
        source->sink.ended(source->sink.userdata, SOURCE_QMP);
        if (source->tap)
                source->tap->closed(source->tap->userdata);
        return 0;
}

static void on_connected(void *userdata, pid_t pid, uid_t uid) {
        struct qemu_source *source = userdata;

        source->pid = pid;
        if (source->config.greeting_timeout_ns)
                sd_event_add_time_relative(source->event, &source->greeting_timer, CLOCK_MONOTONIC,
                                           source->config.greeting_timeout_ns / 1000, 0, on_no_greeting, source);
        source->events.connected(source->events.userdata, pid, uid);
}

static void on_closed(void *userdata, int error) {
        struct qemu_source *source = userdata;

        source->greeting_timer = sd_event_source_disable_unref(source->greeting_timer);
        source->status_timer = sd_event_source_disable_unref(source->status_timer);
        give_status(source, &source->held_status);
        give_status(source, &source->transient_status);
        source->is_running = false;
        update_look(source);
        /* Nobody else can hold our own: a QEMU that ends at its start never greets. */
        report(source, evidence_make(SOURCE_QMP, source->is_greeted || source->config.is_own ? EVIDENCE_MONITOR_CLOSED
                                                                                             : EVIDENCE_MONITOR_TAKEN));
        source->sink.ended(source->sink.userdata, SOURCE_QMP);
        if (source->tap)
                source->tap->closed(source->tap->userdata);
}

static void on_was_read(void *userdata) {
        struct qemu_source *source = userdata;

        if (source->events.was_read)
                source->events.was_read(source->events.userdata);
}

static const struct qemu_monitor_events monitor_events = {
        .connected = on_connected,
        .message = on_message,
        .malformed = on_malformed,
        .closed = on_closed,
        .drained = on_drained,
        .was_read = on_was_read,
};

static struct qemu_source *make(sd_event *event, const struct qemu_source_config *config,
                                const struct qemu_source_events *events, const struct source_sink *sink) {
        struct qemu_source *source = calloc(1, sizeof(*source));

        if (!source)
                return NULL;
        source->event = sd_event_ref(event);
        source->config = *config;
        source->config.path = NULL; /* the monitor has its own */
        source->first_id = QEMU_SOURCE_IDS;
        source->events = *events;
        source->sink = *sink;
        return source;
}

/* Of a connection that goes on: how the VM is now.  What it says of that is told like anything else. */
static void resume(struct qemu_source *source, const struct qmp_message *greeting, const struct qemu_source_past *past) {
        keep_greeting(source, greeting);
        qemu_replay_begin(&source->replay, past->known, past->n_known, past->newest_ns);
        source->first_id = QEMU_SOURCE_IDS + source_now_ns();
        if (!past->knows_machine)
                ask_machine(source);
        ask(source, ASK_VCPUS, "query-cpus-fast", NULL);
        /* By an id that no earlier life has used: its answers may still come. */
        source->resumed_id = source->first_id++;
        ask_by(source, source->resumed_id, "query-status", NULL);
}

int qemu_source_adopt(struct qemu_source **ret_source, sd_event *event, int fd, const struct qemu_source_past *past,
                      const struct qemu_source_config *config, const struct qemu_source_events *events,
                      const struct source_sink *sink) {
        struct qemu_source *source = make(event, config, events, sink);
        struct ucred peer = { 0 };
        socklen_t n_peer = sizeof(peer);
        struct qmp_message greeting = { 0 };
        int r;

        if (!source)
                return -ENOMEM;
        r = qmp_message_decode(&greeting, past->greeting, past->n_greeting);
        if (r > 0 || (!r && greeting.kind != QMP_GREETING))
                r = -EPROTO;
        if (!r)
                r = qemu_monitor_adopt(&source->monitor, event, fd, &monitor_events, source);
        if (r) {
                qmp_message_deinit(&greeting);
                qemu_source_close(source);
                return r;
        }
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_peer) < 0)
                peer = (struct ucred){ 0 };
        source->pid = peer.pid;
        *ret_source = source;
        source->events.connected(source->events.userdata, peer.pid, peer.uid);
        if (past->is_negotiated)
                resume(source, &greeting, past);
        else
                take_greeting(source, &greeting);
        qmp_message_deinit(&greeting);
        return 0;
}

int qemu_source_open(struct qemu_source **ret_source, sd_event *event, const struct qemu_source_config *config,
                     const struct qemu_source_events *events, const struct source_sink *sink) {
        struct qemu_source *source = make(event, config, events, sink);
        int r;

        if (!source)
                return -ENOMEM;
        r = qemu_monitor_open(&source->monitor, event, config->path, &monitor_events, source);
        if (r) {
                qemu_source_close(source);
                return r;
        }
        *ret_source = source;
        return 0;
}

struct qemu_source *qemu_source_close(struct qemu_source *source) {
        if (!source)
                return NULL;
        sd_event_source_disable_unref(source->greeting_timer);
        sd_event_source_disable_unref(source->status_timer);
        halt_ticks_remove(&source->look_ticker);
        halt_ticks_free(source->own_ticks);
        free(source->held_status);
        free(source->transient_status);
        qemu_monitor_close(source->monitor);
        sd_event_unref(source->event);
        free(source->vcpus);
        free(source->greeting);
        qemu_replay_end(&source->replay);
        free(source);
        return NULL;
}

int qemu_source_keep_unread(struct qemu_source *source) {
        return qemu_monitor_keep_unread(source->monitor);
}

void qemu_source_consume(struct qemu_source *source) {
        if (source && source->monitor)
                qemu_monitor_consume(source->monitor);
}

int qemu_source_fd(const struct qemu_source *source) {
        return source->monitor ? qemu_monitor_fd(source->monitor) : -1;
}

bool qemu_source_has_started(const struct qemu_source *source) {
        return !source->config.start || source->has_started;
}

int qemu_source_try(struct qemu_source *source) {
        return source->monitor ? qemu_monitor_try(source->monitor) : -ENOTCONN;
}

void qemu_source_finish(struct qemu_source *source) {
        if (!source || !source->monitor)
                return;
        qemu_monitor_drain(source->monitor);
        if (qemu_monitor_is_connected(source->monitor))
                on_closed(source, 0);
        source->monitor = qemu_monitor_close(source->monitor);
}

int qemu_source_quit(struct qemu_source *source) {
        char text[QMP_SIMPLE_SIZE];

        if (!source || !source->monitor)
                return -ENOTCONN;
        return qemu_monitor_send(source->monitor, text, qmp_write_command(text, "quit", ASK_QUIT));
}

void qemu_source_set_tap(struct qemu_source *source, const struct qemu_source_tap *tap) {
        source->tap = tap;
}

uint64_t qemu_source_first_id(const struct qemu_source *source) {
        return source->first_id;
}

const char *qemu_source_greeting(const struct qemu_source *source, bool *ret_has_oob) {
        *ret_has_oob = source->has_oob;
        return source->greeting;
}

int qemu_source_pass_on(struct qemu_source *source, const char *text, size_t n_text, const int *fds, size_t n_fds) {
        if (source->monitor)
                return qemu_monitor_pass_on(source->monitor, text, n_text, fds, n_fds);
        for (size_t i = 0; i < n_fds; i++)
                close(fds[i]);
        return -ENOTCONN;
}

bool qemu_source_has_room(const struct qemu_source *source) {
        return source->monitor && qemu_monitor_has_room(source->monitor);
}
