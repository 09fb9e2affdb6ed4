#include "runner/runner.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "runner/beside.h"
#include "runner/dead_sockets.h"
#include "engine/launch.h"
#include "engine/recover.h"
#include "engine/tracing.h"
#include "runner/restarts.h"
#include "runner/run_policy.h"
#include "runner/vm_processes.h"
#include "runner/vm_record.h"
#include "sources/host/host_source.h"
#include "sources/command_line.h"
#include "sources/proc.h"
#include "sources/qemu/monitor_clients.h"
#include "sources/qemu/qemu_options.h"
#include "sources/qemu/qemu_source.h"
#include "sources/qemu/stderr_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/un.h>

/* A QEMU that has not greeted by then is worth a word to the user. */
#define GREETING_EXPECTED_NS UINT64_C(10000000000)

struct runner {
        sd_event *event;
        sd_event_source *child_signal;
        sd_event_source *next_step; /* clearing away and starting again happen outside of the sources' calls */
        struct store *store;
        struct engine *engine;
        struct tracing *tracing;
        struct runner_config config;
        struct runner_events events;
        struct qemu_options options;
        struct policy policy;
        struct host_source *host; /* NULL: it cannot be looked at */
        char *program;
        char **words;     /* the command line with our monitor; its strings belong to config.argv and added */
        char **added;     /* one allocation */
        char *command_line;
        char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
        char name[VM_NAME_MAX]; /* the same over all its restarts */

        /* this instance */
        struct engine_vm *vm;
        struct traced *traced;
        struct source_sink sink; /* the engine's and a daemon's, and what the kernel saw comes before what is reported there */
        struct beside *beside;
        struct qemu_source *qemu;
        struct qemu_source *next; /* waits for what was started to start another one; NULL: nobody does */
        bool next_is_over;        /* it has met one that could not be written down, and has gone: */
        pid_t unrecorded;
        struct monitor_looks looks;
        struct stderr_source *errors;
        struct vm_processes processes;
        bool has_processes;
        bool is_over;        /* its story is told */

        /* the decision that waits for the VM's end */
        char decided_id[VERDICT_ID_MAX];
        struct decision decision;

        struct restarts restarts;
        int vmm_status; /* of the last instance */
        bool is_finished;
        bool host_went; /* it went down, if only for a while */
};

static int start_instance(struct runner *runner, char ret_why[static STORE_WHY_MAX]);
static int open_monitor(struct runner *runner, struct qemu_source **ret_source, void (*report)(void *userdata, struct evidence *evidence));

static void say(struct runner *runner, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct runner *runner, const char *format, ...) {
        char line[STORE_WHY_MAX + 128];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        runner->events.trouble(line, runner->events.userdata);
}

/* --- the processes ----------------------------------------------------------------------------------------------- */

static void on_report(void *userdata, struct evidence *evidence) {
        struct runner *runner = userdata;

        tracing_drain(runner->tracing);
        monitor_clients_look(&runner->looks, vm_processes_pid(&runner->processes), runner->socket, evidence, &runner->sink);
        beside_tell_evidence(runner->beside, evidence);
        source_report(engine_vm_sink(runner->vm), evidence);
}

static void on_source_ended(void *userdata, enum evidence_source source) {
}

static void step_soon(struct runner *runner) {
        sd_event_source_set_enabled(runner->next_step, SD_EVENT_ONESHOT);
}

/* Of one that could not be written down nothing is. */
static void on_next_report(void *userdata, struct evidence *evidence) {
        struct runner *runner = userdata;

        if (runner->next)
                evidence_deinit(evidence);
        else
                on_report(runner, evidence);
}

static void on_monitor_ended(void *userdata, enum evidence_source source) {
        struct runner *runner = userdata;

        runner->next_is_over = runner->next;
        step_soon(runner);
}

static void on_traced_report(void *userdata, struct evidence *evidence) {
        struct runner *runner = userdata;

        beside_tell_evidence(runner->beside, evidence);
        source_report(engine_vm_sink(runner->vm), evidence);
}

/* The process that is the VM, or will be. */
static void trace(struct runner *runner, pid_t pid, bool is_known) {
        const struct source_sink sink = { on_traced_report, on_source_ended, runner };
        /* What becomes of it its monitor tells. */
        const struct traced_process process = {
                .pid = pid,
                .argv = is_known ? runner->config.argv : NULL,
                .n_argv = is_known ? runner->config.n_argv : 0,
                .is_monitored = true,
                .is_child = true,
        };

        traced_free(runner->traced);
        traced_new(&runner->traced, runner->tracing, &process, &sink);
}

static const char *backend_of(const struct runner *runner) {
        return runner->options.is_vmpower_vmm ? "vmpower-vmm" : "qemu";
}

static void on_adopted(void *userdata, pid_t pid) {
        struct runner *runner = userdata;
        struct vm_identity identity = engine_vm_instance(runner->vm)->identity;

        if (runner->errors)
                stderr_source_set_pid(runner->errors, pid);
        trace(runner, pid, false);
        if (proc_instance(pid, identity.instance))
                return;
        if (!runner->config.name && !runner->options.name[0] && !runner->restarts.n) {
                snprintf(identity.name, sizeof(identity.name), "%s-%d", backend_of(runner), (int)pid);
                text_set(runner->name, sizeof(runner->name), identity.name);
        }
        engine_vm_rename(runner->vm, &identity, pid);
        beside_rename(runner->beside);
}

static void on_look(void *userdata) {
        struct runner *runner = userdata;

        qemu_source_try(runner->qemu);
}

static void on_changed(void *userdata, struct evidence *evidence) {
        struct runner *runner = userdata;

        source_report(&runner->sink, evidence);
}

/* The VM's process is gone: read to the end what it said, then say that it is gone. */
static void on_all_traced(void *userdata, struct evidence *end) {
        struct runner *runner = userdata;

        qemu_source_finish(runner->qemu);
        stderr_source_drain(runner->errors);
        if (vm_processes_ended_badly(&runner->processes))
                stderr_source_report_messages(runner->errors);
        vm_processes_give_ends(&runner->processes, &runner->sink);
        step_soon(runner);
}

static void on_vm_ended(void *userdata) {
        struct runner *runner = userdata;

        traced_finish(runner->traced, &(struct evidence){ .kind = EVIDENCE_EXITED }, on_all_traced, runner);
}

static void on_flushed(void *userdata) {
        step_soon(userdata);
}

static void on_started_ended(void *userdata) {
        step_soon(userdata);
}

static int on_child_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        struct runner *runner = userdata;

        if (runner->has_processes)
                vm_processes_child_changed(&runner->processes);
        return 0;
}

/* --- QEMU -------------------------------------------------------------------------------------------------------- */

static int begin_next(struct runner *runner, pid_t pid);

static void on_connected(void *userdata, pid_t pid, uid_t uid) {
        struct runner *runner = userdata;

        if (!runner->next || !begin_next(runner, pid))
                vm_processes_meet(&runner->processes, pid);
}

static void on_waiting(void *userdata) {
        struct runner *runner = userdata;

        say(runner, "%s: its monitor does not answer yet: QEMU is still starting, or somebody else has taken its monitor", runner->name);
}

static void set_decision_result(struct runner *runner, enum decision_result result) {
        if (!runner->decided_id[0])
                return;
        runner->decision.result = result;
        runner->decision.act = ACT_NOTHING;
        engine_vm_decide(runner->vm, runner->decided_id, &runner->decision);
        beside_tell_decided(runner->beside, &runner->decision);
}

static void on_refused(void *userdata, const char *command, const char *why) {
        struct runner *runner = userdata;

        say(runner, "%s: QEMU refused %s: %s", runner->name, command, why);
        if (!strcmp(command, "quit") && runner->decision.result == RESULT_PENDING)
                set_decision_result(runner, RESULT_FAILED);
}

/* --- the host ---------------------------------------------------------------------------------------------------- */

/* A VM that has just been written down knows nothing of it; that the host stays up is no news to such a one. */
static void tell_host(struct runner *runner, bool is_new) {
        const struct evidence *fact = host_source_fact(runner->host);
        struct evidence copy;

        if (!runner->vm || !fact || (is_new && fact->kind == EVIDENCE_STAYS_UP) || evidence_copy(&copy, fact))
                return;
        source_report(&runner->sink, &copy);
}

static void on_host_changed(void *userdata, const struct evidence *fact) {
        struct runner *runner = userdata;

        if (fact->kind == EVIDENCE_GOING_DOWN)
                runner->host_went = true;
        if (runner->host_went)
                tell_host(runner, false);
}

static void on_host_trouble(void *userdata, const char *line) {
}

/* Where there is no system bus, or no right to it, the verdict knows that much less. */
static void look_at_host(struct runner *runner) {
        const struct host_events events = { on_host_changed, on_host_trouble, runner };

        host_source_new(&runner->host, runner->event, NULL, &events);
}

static void on_recorded(struct engine_vm *vm, const struct evidence *evidence, int result, void *userdata) {
        struct runner *runner = userdata;

        if (evidence->kind == EVIDENCE_GOING_DOWN)
                host_source_release(runner->host);
}

/* --- verdicts and what follows from them ------------------------------------------------------------------------- */

static void on_verdict(struct engine_vm *vm, const struct verdict_record *record, void *userdata) {
        struct runner *runner = userdata;
        bool is_new = !record->revises[0];

        /* What was decided is carried out for the newest revision. */
        if (!is_new && runner->decided_id[0] && !strcmp(record->revises, runner->decided_id))
                memcpy(runner->decided_id, record->id, sizeof(runner->decided_id));
        beside_tell_verdict(runner->beside, record->id);
        runner->events.verdict(record, runner->events.userdata);
        if (!is_new || !record->decision.exists)
                return;
        if (record->decision.result == RESULT_GAVE_UP)
                say(runner, "%s: restarted %d times within a minute; giving up%s%s", record->vm.name, POLICY_RESTARTS_MAX,
                    record->verdict.left == LEFT_GONE ? "" : ", it is left ",
                    record->verdict.left == LEFT_GONE ? "" : left_name(record->verdict.left));
        if (record->decision.result != RESULT_PENDING)
                return;

        memcpy(runner->decided_id, record->id, sizeof(runner->decided_id));
        runner->decision = record->decision;
        if (record->decision.act == ACT_QUIT || record->decision.act == ACT_REPLACE)
                if (qemu_source_quit(runner->qemu) && !vm_processes_vm_has_ended(&runner->processes)) {
                        say(runner, "%s: its monitor cannot be told to quit; it is left as it is", record->vm.name);
                        set_decision_result(runner, RESULT_FAILED);
                }
}

static void on_over(struct engine_vm *vm, void *userdata) {
        struct runner *runner = userdata;

        runner->is_over = true;
        beside_tell_gone(runner->beside);
        step_soon(runner);
}

static void on_engine_trouble(const char *line, void *userdata) {
        struct runner *runner = userdata;

        runner->events.trouble(line, runner->events.userdata);
}

static void clear_away(struct runner *runner) {
        runner->traced = traced_free(runner->traced);
        runner->qemu = qemu_source_close(runner->qemu);
        runner->next = qemu_source_close(runner->next);
        runner->errors = stderr_source_close(runner->errors);
        if (runner->has_processes) {
                runner->vmm_status = runner->processes.status;
                vm_processes_deinit(&runner->processes);
                runner->has_processes = false;
        }
        if (runner->socket[0])
                unlink(runner->socket);
        runner->beside = beside_free(runner->beside);
        runner->vm = engine_remove_vm(runner->vm);
        runner->is_over = false;
        runner->decided_id[0] = '\0';
        runner->decision = (struct decision){ 0 };
}

static void finish_decision(struct runner *runner) {
        set_decision_result(runner, RESULT_DONE);
        runner->events.decided(runner->decided_id, &runner->decision, runner->events.userdata);
}

/* The VM's story is told, and a wrapper that has started it goes on: it may start it again. */
static void await_next(struct runner *runner) {
        if (runner->next_is_over)
                runner->next = qemu_source_close(runner->next);
        runner->next_is_over = false;
        if (runner->next || open_monitor(runner, &runner->next, on_next_report))
                return;
        qemu_source_try(runner->next);
}

/* The VM's story is told and its processes are gone: carry out what was decided, or end. */
static int on_next_step(sd_event_source *source, void *userdata) {
        struct runner *runner = userdata;
        char why[STORE_WHY_MAX];

        if (runner->is_finished || !runner->is_over)
                return 0;
        if (!vm_processes_all_have_ended(&runner->processes))
                await_next(runner);
        if (!vm_processes_all_have_ended(&runner->processes) || !stderr_source_is_flushed(runner->errors))
                return 0;

        if (runner->decision.result == RESULT_PENDING && runner->decided_id[0]) {
                bool restart = runner->decision.act == ACT_START || runner->decision.act == ACT_REPLACE;
                struct decision decision = runner->decision;
                char decided_id[VERDICT_ID_MAX];
                int r;

                if (restart) {
                        struct engine_vm *old;
                        struct beside *old_beside;

                        engine_settle(runner->engine); /* the old instance has ended before the new one begins */
                        memcpy(decided_id, runner->decided_id, sizeof(decided_id));
                        old = take_pointer(runner->vm);
                        old_beside = take_pointer(runner->beside);
                        clear_away(runner);
                        restarts_note(&runner->restarts, source_now_ns());
                        r = start_instance(runner, why);
                        if (r)
                                say(runner, "cannot start it again: %s", why);
                        decision.result = r ? RESULT_FAILED : RESULT_DONE;
                        decision.act = ACT_NOTHING;
                        engine_vm_decide(old, decided_id, &decision);
                        beside_tell_decided(old_beside, &decision);
                        beside_free(old_beside);
                        runner->events.decided(decided_id, &decision, runner->events.userdata);
                        engine_settle(runner->engine);
                        engine_remove_vm(old);
                        if (!r)
                                return 0;
                } else {
                        finish_decision(runner);
                }
        }
        engine_settle(runner->engine);
        runner->is_finished = true;
        clear_away(runner);
        runner->events.finished(runner->events.userdata);
        return 0;
}

/* --- starting ---------------------------------------------------------------------------------------------------- */

static int make_words(struct runner *runner) {
        int r;

        snprintf(runner->socket, sizeof(runner->socket), "%s/%d.sock", runner->config.monitor_directory, (int)getpid());
        r = qemu_options_monitor_arguments(&runner->added, &runner->options, runner->socket);
        if (!r)
                r = command_line_join(&runner->words, runner->config.n_argv, runner->config.argv, runner->added);
        return r ? r : command_line_format(&runner->command_line, runner->config.n_argv, runner->config.argv);
}

static int add_vm(struct runner *runner, pid_t pid, char ret_why[static STORE_WHY_MAX]) {
        struct store_vm instance = { .pid = pid, .uid = getuid() };
        int r;

        if (runner->config.name || runner->options.name[0])
                text_set(runner->name, sizeof(runner->name), runner->config.name ? runner->config.name : runner->options.name);
        else if (!runner->restarts.n)
                snprintf(runner->name, sizeof(runner->name), "%s-%d", backend_of(runner), (int)pid);
        text_set(instance.identity.name, sizeof(instance.identity.name), runner->name);
        text_set(instance.identity.uuid, sizeof(instance.identity.uuid), runner->options.uuid);
        text_set(instance.identity.backend, sizeof(instance.identity.backend), backend_of(runner));
        instance.began_ns = source_time_ns();
        instance.command_line = strdup(runner->command_line);
        instance.watcher = malloc(PROC_INSTANCE_MAX);
        r = instance.command_line && instance.watcher ? proc_instance(pid, instance.identity.instance) : -ENOMEM;
        if (!r)
                r = proc_instance(getpid(), instance.watcher);
        if (r)
                snprintf(ret_why, STORE_WHY_MAX, "%s", strerror(-r));
        else
                r = vm_record_add(runner->engine, runner->store, &instance, &runner->policy, &runner->vm, ret_why);
        store_vm_deinit(&instance);
        return r;
}

static int open_monitor(struct runner *runner, struct qemu_source **ret_source, void (*report)(void *userdata, struct evidence *evidence)) {
        const struct source_sink sink = { report, on_monitor_ended, runner };
        const bool preserves_reboot = run_policy_preserves(&runner->policy, ON_REBOOT);
        const bool preserves_off = preserves_reboot || run_policy_preserves(&runner->policy, ON_POWEROFF);
        struct qemu_source_config config = {
                .path = runner->socket,
                .start = !runner->options.stopped && !runner->options.preconfig,
                .on_panic = run_policy_preserves(&runner->policy, ON_CRASH) ? "pause" : NULL,
                .on_reboot = preserves_reboot ? "shutdown" : NULL,
                .on_shutdown = preserves_off ? "pause" : NULL,
                .halt_after_ns = runner->policy.halt_after_ns,
                .greeting_timeout_ns = GREETING_EXPECTED_NS,
                .is_own = true,
        };
        struct qemu_source_events events = {
                .connected = on_connected,
                .waiting = on_waiting,
                .refused = on_refused,
                .userdata = runner,
        };

        return qemu_source_open(ret_source, runner->event, &config, &events, &sink);
}

static int open_sources(struct runner *runner, int errors_fd, pid_t pid, char ret_why[static STORE_WHY_MAX]) {
        const struct vm_processes_events process_events = {
                .adopted = on_adopted,
                .look = on_look,
                .changed = on_changed,
                .vm_ended = on_vm_ended,
                .started_ended = on_started_ended,
                .userdata = runner,
        };
        int r;

        r = stderr_source_open(&runner->errors, runner->event, errors_fd, STDERR_FILENO, pid, runner->options.shares_stderr, &runner->sink,
                               on_flushed, runner);
        if (!r)
                r = open_monitor(runner, &runner->qemu, on_report);
        if (!r)
                r = vm_processes_init(&runner->processes, runner->event, pid, &process_events);
        runner->has_processes = !r;
        if (r)
                snprintf(ret_why, STORE_WHY_MAX, "cannot watch the VM: %s", strerror(-r));
        return r;
}

/* A daemon that cannot be told is no reason not to run. */
static void tell_beside(struct runner *runner) {
        const struct beside_vm vm = {
                .instance = engine_vm_instance(runner->vm),
                .monitor = runner->socket,
                .policy = &runner->policy,
                .n_restarts = restarts_count(&runner->restarts, source_now_ns()),
                .is_traced = runner->traced,
        };

        if (beside_new(&runner->beside, runner->event, runner->store, &vm))
                runner->beside = NULL;
}

/* It is written down. */
static void begin_instance(struct runner *runner, pid_t pid) {
        engine_vm_set_restarts(runner->vm, restarts_count(&runner->restarts, source_now_ns()));
        trace(runner, pid, true);
        tell_beside(runner);
        tell_host(runner, true);
}

/* A wrapper has started the VM again: an instance of its own.  0, or the QEMU is let go on as it is. */
static int begin_next(struct runner *runner, pid_t pid) {
        struct engine_vm *told = runner->vm;
        char why[STORE_WHY_MAX];
        int r;

        /* Its monitor is at its end, and the process is not yet. */
        if (pid == runner->unrecorded)
                return -EEXIST;
        if (runner->decision.result == RESULT_PENDING && runner->decided_id[0])
                finish_decision(runner);
        engine_settle(runner->engine);
        restarts_note(&runner->restarts, source_now_ns());
        r = add_vm(runner, pid, why);
        if (r) {
                runner->vm = told;
                runner->unrecorded = pid;
                say(runner, "%s: another QEMU of what was started (pid %d) is not looked after: %s", runner->name, (int)pid, why);
                return r;
        }
        engine_remove_vm(told);
        qemu_source_close(runner->qemu);
        runner->qemu = take_pointer(runner->next);
        runner->beside = beside_free(runner->beside);
        runner->is_over = false;
        runner->decided_id[0] = '\0';
        runner->decision = (struct decision){ 0 };
        vm_processes_begin_anew(&runner->processes);
        begin_instance(runner, pid);
        return 0;
}

static int start_instance(struct runner *runner, char ret_why[static STORE_WHY_MAX]) {
        struct launch launch;
        int errors[2], r;

        if (pipe2(errors, O_CLOEXEC) < 0) {
                snprintf(ret_why, STORE_WHY_MAX, "cannot make a pipe: %s", strerror(errno));
                return -errno;
        }
        r = launch_fork(&launch, runner->program, runner->words, errors[1], runner->config.mask);
        close(errors[1]);
        if (r) {
                close(errors[0]);
                snprintf(ret_why, STORE_WHY_MAX, "cannot start a process: %s", strerror(-r));
                return r;
        }
        /* Nothing runs before it is written down. */
        r = add_vm(runner, launch.pid, ret_why);
        if (r) {
                close(errors[0]);
                launch_cancel(&launch);
                return r;
        }
        runner->sink = (struct source_sink){ on_report, on_source_ended, runner };
        begin_instance(runner, launch.pid);
        r = open_sources(runner, errors[0], launch.pid, ret_why);
        if (r) {
                launch_cancel(&launch);
        } else {
                r = launch_go(&launch);
                if (r)
                        snprintf(ret_why, STORE_WHY_MAX, "cannot run %.300s: %s", runner->program, strerror(-r));
        }
        if (r) {
                engine_vm_abandon(runner->vm);
                engine_settle(runner->engine);
                clear_away(runner);
        }
        return r;
}

bool runner_only_informs(char *const *argv, size_t n_argv) {
        struct qemu_options options;

        qemu_options_read(&options, n_argv, argv);
        return options.only_informs;
}

int runner_start(struct runner **ret_runner, sd_event *event, struct store *store, const struct runner_config *config,
                 const struct runner_events *events, char ret_why[static STORE_WHY_MAX]) {
        struct engine_events engine_events = { .verdict = on_verdict, .over = on_over, .recorded = on_recorded, .trouble = on_engine_trouble };
        struct runner *runner = calloc(1, sizeof(*runner));
        int r;

        if (!runner) {
                snprintf(ret_why, STORE_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        runner->event = sd_event_ref(event);
        runner->vmm_status = -1;
        runner->store = store;
        runner->config = *config;
        runner->events = *events;
        engine_events.userdata = runner;
        qemu_options_read(&runner->options, config->n_argv, config->argv);

        r = run_policy_make(&runner->policy, &runner->options, config->settings, config->n_settings, ret_why);
        if (!r) {
                r = launch_find(config->argv[0], &runner->program);
                if (r)
                        snprintf(ret_why, STORE_WHY_MAX, "cannot run '%.300s': %s", config->argv[0],
                                 r == -ENOENT ? "there is no such program; is QEMU installed?" : strerror(-r));
        }
        if (!r) {
                *ret_why = '\0';
                prctl(PR_SET_CHILD_SUBREAPER, 1);
                r = engine_new(&runner->engine, event, store, &engine_events);
                if (!r)
                        r = tracing_new(&runner->tracing, event, NULL, NULL, NULL);
                if (!r)
                        r = make_words(runner);
                if (r >= 0)
                        r = sd_event_add_signal(event, &runner->child_signal, SIGCHLD, on_child_signal, runner);
                if (r >= 0)
                        r = sd_event_add_defer(event, &runner->next_step, on_next_step, runner);
                if (r >= 0)
                        r = sd_event_source_set_enabled(runner->next_step, SD_EVENT_OFF);
                if (r < 0)
                        snprintf(ret_why, STORE_WHY_MAX, "cannot prepare to start it: %s", strerror(-r));
        }
        /* Another VM's history that cannot be completed is no reason not to run this one. */
        if (r >= 0 && recover_lost_vms(store, ret_why))
                say(runner, "%s", ret_why);
        if (r >= 0) {
                dead_sockets_remove(config->monitor_directory);
                look_at_host(runner);
                r = start_instance(runner, ret_why);
        }
        if (r < 0) {
                runner_free(runner);
                return r;
        }
        *ret_runner = runner;
        return 0;
}

struct runner *runner_free(struct runner *runner) {
        if (!runner)
                return NULL;
        if (runner->engine)
                clear_away(runner);
        host_source_free(runner->host);
        engine_free(runner->engine);
        tracing_free(runner->tracing);
        sd_event_source_disable_unref(runner->child_signal);
        sd_event_source_disable_unref(runner->next_step);
        sd_event_unref(runner->event);
        free(runner->program);
        free(runner->words);
        free(runner->added);
        free(runner->command_line);
        free(runner);
        return NULL;
}

bool runner_may_leave(const struct runner *runner) {
        return !runner->vm || !runner->qemu || vm_processes_vm_has_ended(&runner->processes) ||
               qemu_source_has_started(runner->qemu);
}

int64_t runner_leave(struct runner *runner, const char *reason, const char **ret_name) {
        if (!runner->vm || vm_processes_vm_has_ended(&runner->processes))
                return 0;
        engine_vm_leave(runner->vm, reason);
        engine_settle(runner->engine);
        runner->socket[0] = '\0'; /* the VM keeps its monitor: whoever looks after it next needs it */
        *ret_name = runner->name;
        return vm_processes_pid(&runner->processes);
}

int runner_vmm_status(const struct runner *runner) {
        return runner->vmm_status;
}
