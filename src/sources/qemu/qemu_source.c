#include "sources/qemu/qemu_source.h"
#include "basics/cleanup.h"
#include "sources/proc.h"
#include "sources/qemu/halt_look.h"
#include "sources/qemu/halt_ticks.h"
#include "sources/qemu/qemu_monitor.h"
#include "sources/qemu/qemu_registers.h"
#include "sources/qemu/qemu_stop.h"
#include "sources/qemu/qmp_events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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

uint64_t qemu_source_patience_usec = 1000000;

struct qemu_source {
        sd_event *event;
        struct qemu_monitor *monitor;
        struct qemu_source_config config;
        struct qemu_source_events events;
        struct source_sink sink;
        sd_event_source *greeting_timer; /* until it has greeted, then until it has answered */
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
        bool has_new_stop;         /* in there: one that was on record before is told of no more, nor is what an earlier life was answered about it */
        char version[EVIDENCE_WORD_MAX]; /* QEMU's */
        bool has_oob;
        bool is_greeted;
        bool is_opening;      /* it has greeted, and is not said to be open yet */
        bool is_running;      /* as far as its events tell: only such a VM is looked at */
        bool has_started;     /* our `cont` was answered */
        bool expects_resume;  /* the RESUME that answers our own `cont` */
        bool is_halted;       /* said once, until it runs again; looked at still, for an interrupt that cannot be masked may wake it */
        struct qemu_stop stop;
};

static void report(struct qemu_source *source, struct evidence evidence);

/* It is open once its events come: whoever waits for that may go on to do something to the VM. */
static void report_opened(struct qemu_source *source) {
        struct evidence opened = evidence_make(SOURCE_QMP, EVIDENCE_MONITOR_OPENED);

        if (!source->is_opening)
                return;
        source->is_opening = false;
        source->greeting_timer = sd_event_source_disable_unref(source->greeting_timer);
        evidence_set_word(&opened, source->version);
        report(source, opened);
}

static void report(struct qemu_source *source, struct evidence evidence) {
        report_opened(source);
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
        if (source->is_halted ? halt_look_tick_halted(&source->look, run_ns, source->config.halt_after_ns)
                              : halt_look_tick(&source->look, run_ns, source->config.halt_after_ns))
                ask_human(source, ASK_REGISTERS, "info registers -a");
}

/* Only a VM that can be looked at waits for ticks. */
static void update_look(struct qemu_source *source) {
        bool wanted = source->config.halt_after_ns && source->is_running && source->n_vcpus && source->pid > 0;

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
        /* Told is that it is halted for good, and that it is so no more. */
        if (registers.halted != (source->is_halted ? TRISTATE_FALSE : TRISTATE_TRUE))
                return;
        source->is_halted = !source->is_halted;
        report(source, qemu_registers_evidence(registers));
}

/* --- a stop and its status --------------------------------------------------------------------------------------- */

static void give_held(struct qemu_source *source) {
        struct evidence status;

        if (qemu_stop_give_held(&source->stop, &status))
                report(source, status);
}

static void take_memory_tree(struct qemu_source *source, const json_t *value) {
        char line[32];
        unsigned port;

        if (!qemu_find_pm1_control(&port, value)) {
                give_held(source);
                return;
        }
        snprintf(line, sizeof(line), "i /h 0x%x", port);
        ask_human(source, ASK_PM1_CONTROL, line);
}

static void take_pm1_control(struct qemu_source *source, const json_t *value) {
        struct evidence pm1;

        if (qemu_evidence_from_pm1_control(&pm1, value))
                report(source, pm1);
        give_held(source);
}

static int on_status_retry(sd_event_source *timer, uint64_t usec, void *userdata) {
        ask(userdata, ASK_STATUS, "query-status", NULL);
        return 0;
}

static void take_first_status(struct qemu_source *source, const json_t *value) {
        struct evidence status;

        if (qmp_evidence_from_status(&status, value)) {
                source->is_running = !strcmp(status.word, "running");
                /* We hold it ourselves, with -S, until our `cont`: nothing to tell. */
                if (!source->config.start || strcmp(status.word, "prelaunch") != 0)
                        report(source, status);
        }
        update_look(source);
}

static void take_status(struct qemu_source *source, const json_t *value) {
        struct evidence status;

        if (!qmp_evidence_from_status(&status, value) || (source->replay.is_on && !source->has_new_stop))
                return;
        switch (qemu_stop_take_status(&source->stop, &status)) {
        case QEMU_STOP_TELL:
                report(source, status);
                break;
        case QEMU_STOP_TELL_AND_ASK:
                report(source, status);
                /* fall through */
        case QEMU_STOP_ASK_AGAIN:
                source->status_timer = sd_event_source_disable_unref(source->status_timer);
                sd_event_add_time_relative(source->event, &source->status_timer, CLOCK_MONOTONIC, QEMU_STOP_RETRY_USEC, 0,
                                           on_status_retry, source);
                break;
        case QEMU_STOP_ASK_PM1:
                ask_human(source, ASK_MEMORY_TREE, "info mtree -f");
                break;
        }
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

static int on_no_answer(sd_event_source *timer, uint64_t usec, void *userdata) {
        report_opened(userdata);
        return 0;
}

static void take_greeting(struct qemu_source *source, const struct qmp_message *greeting) {
        json_t *actions = action_arguments(&source->config);

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

        snprintf(source->version, sizeof(source->version), "%d.%d.%d", greeting->version.major, greeting->version.minor, greeting->version.micro);
        source->is_opening = true;
        if (sd_event_add_time_relative(source->event, &source->greeting_timer, CLOCK_MONOTONIC, qemu_source_patience_usec, 0, on_no_answer, source) < 0)
                report_opened(source);
}

static void take_event(struct qemu_source *source, const struct qmp_message *event) {
        struct evidence evidence, mechanism, status;

        if (!strcmp(event->name, "MIGRATION")) {
                if (qemu_stop_take_migration(&source->stop, event, &status)) {
                        status.time_ns = qemu_event_time(event, source_time_ns());
                        report(source, status);
                }
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
        qemu_stop_take_event(&source->stop, evidence.kind);
        /* Why it has stopped is asked at once: whoever is told of it takes his time, and QEMU may be gone by then. */
        if (evidence.kind == EVIDENCE_STOP)
                ask(source, ASK_STATUS, "query-status", NULL);
        if (!qemu_replay_knows(&source->replay, &evidence)) {
                source->has_new_stop = source->has_new_stop || evidence.kind == EVIDENCE_STOP;
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
                take_first_status(source, value);
                qemu_replay_end(&source->replay);
                break;
        case ASK_FIRST_STATUS:
                /* Of a connection that goes on an earlier life has asked that. */
                if (!source->resumed_id)
                        take_first_status(source, value);
                break;
        case ASK_STATUS:
                take_status(source, value);
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
        case ASK_CAPABILITIES:
                report_opened(source);
                break;
        case ASK_NOTHING:
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

        if (question == ASK_CAPABILITIES)
                report_opened(source);
        /* A machine without vCPUs, without /machine/peripheral, without PM1: that is an answer too. */
        if (question == ASK_MEMORY_TREE || question == ASK_PM1_CONTROL)
                give_held(source);
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
        give_held(source);
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
        qemu_stop_deinit(&source->stop);
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
