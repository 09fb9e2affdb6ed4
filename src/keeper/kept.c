#include "keeper/kept.h"
#include "basics/cleanup.h"
#include "engine/tracing.h"
#include "keeper/socket_name.h"
#include "sources/proc.h"
#include "sources/process/process_watch.h"
#include "sources/qemu/shared_monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* A request that waits until it is on disk: its evidence tells which. */
struct held_request {
        struct held_request *next;
        uint64_t number; /* the shared monitor's */
        uint64_t at_ns, seq;
        char command[EVIDENCE_WORD_MAX];
};

static void say(const struct kept *kept, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct kept *kept, const char *format, ...) {
        char line[STORE_WHY_MAX], whole[STORE_WHY_MAX + VM_NAME_MAX];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        snprintf(whole, sizeof(whole), "%s: %s", kept_name(kept), line);
        kept->home->say(kept->home->userdata, whole);
}

const struct store_vm *kept_instance(const struct kept *kept) {
        return kept->told ? kept->told : engine_vm_instance(kept->vm);
}

const char *kept_name(const struct kept *kept) {
        return kept_instance(kept)->identity.name;
}

/* --- its process ------------------------------------------------------------------------------------------------- */

static void on_report(void *userdata, struct evidence *evidence) {
        struct kept *kept = userdata;

        kept_note_fact(kept, evidence);
        source_report(engine_vm_sink(kept->vm), evidence);
}

static void on_ended(void *userdata, enum evidence_source source) {
}

/* The end of the process is the end of what its monitor can say; that was said before. */
static void on_end(void *userdata, struct evidence *end) {
        struct evidence closed = evidence_make(SOURCE_QMP, EVIDENCE_MONITOR_CLOSED);
        struct kept *kept = userdata;

        /* Or it was another program's, which has gone. */
        if (kept->qemu)
                qemu_source_finish(kept->qemu);
        else if (engine_vm_has_open_monitor(kept->vm))
                source_report(engine_vm_sink(kept->vm), &closed);
        source_report(engine_vm_sink(kept->vm), end);
}

static void on_process_report(void *userdata, struct evidence *evidence) {
        struct kept *kept = userdata;

        kept_note_fact(kept, evidence);
        tracing_drain(kept->home->tracing);
        if (evidence_ends_process(evidence))
                traced_finish(kept->traced, evidence, on_end, kept);
        else
                source_report(engine_vm_sink(kept->vm), evidence);
}

static void trace(struct kept *kept, pid_t pid, bool is_monitored, bool is_child) {
        const struct traced_process process = {
                .pid = pid,
                .instance = kept_instance(kept)->identity.instance,
                .command_line = kept_instance(kept)->command_line,
                .is_monitored = is_monitored,
                .is_child = is_child,
        };

        kept->traced_sink = (struct source_sink){ on_report, on_ended, kept };
        traced_free(kept->traced);
        traced_new(&kept->traced, kept->home->tracing, &process, &kept->traced_sink);
}

void kept_trace_process(struct kept *kept, pid_t pid) {
        trace(kept, pid, true, true);
}

/* Its process may stand still, whatever its monitor has said of it. */
static void set_state(struct kept *kept, enum left left, uint64_t time_ns) {
        const char *state = left_name(kept->is_stopped && left == LEFT_RUNNING ? LEFT_PAUSED : left);

        kept->left = left;
        if (kept->state == state)
                return;
        kept->since_ns = time_ns;
        kept->state = state;
        kept->home->has_state(kept);
}

/* How it stands, if it does: one that was looked after before has been stopped, or has gone on, while nobody saw it. */
static void look_whether_it_stands(struct kept *kept, const struct proc_instance *process) {
        struct evidence change;
        struct proc_stat stat;
        bool is_stopped;

        if (proc_stat_read(&stat, process->pid) || stat.start_time != process->start_time)
                return;
        is_stopped = stat.state == 'T';
        if (is_stopped == kept->is_stopped)
                return;
        if (kept->is_taken_up) {
                change = evidence_make(SOURCE_PROCESS, is_stopped ? EVIDENCE_STOPPED : EVIDENCE_CONTINUED);
                source_report(&kept->process_sink, &change);
        } else {
                kept->is_stopped = is_stopped;
                set_state(kept, kept->left, kept->since_ns);
        }
}

int kept_watch_process(struct kept *kept, pid_t pid, bool has_descriptors) {
        struct evidence vanished = evidence_make(SOURCE_PROCESS, EVIDENCE_VANISHED);
        struct proc_instance process = { 0 };
        int r = -EMFILE;

        kept->process_sink = (struct source_sink){ on_process_report, on_ended, kept };
        /* The kernel's programs need none. */
        if (!kept->is_unwatched || !kept->traced)
                trace(kept, pid, kept->qemu && !kept->monitor_is_over, false);
        proc_instance_parse(&process, kept_instance(kept)->identity.instance);
        look_whether_it_stands(kept, &process);
        kept->is_taken_up = true;
        if (has_descriptors)
                r = process_watch_new(&kept->watch, kept->home->event, pid, process.start_time, &kept->process_sink);
        if (r != -ESRCH)
                return r;
        on_process_report(kept, &vanished);
        return 0;
}

void kept_leave_process(struct kept *kept) {
        process_watch_free(take_pointer(kept->watch));
        kept->traced = traced_free(kept->traced);
        kept->is_unwatched = false;
}

/* --- its monitor ------------------------------------------------------------------------------------------------- */

void kept_tell_unseen(struct kept *kept, struct evidence *status) {
        /* Of a VM that was never looked at, what QEMU comes to only by something that has happened to the guest. */
        static const char *const outcomes[] = { "shutdown", "guest-panicked", "suspended", "io-error", "internal-error", "watchdog" };
        enum left left;

        if (!kept->awaits_status || !evidence_left_by_status(status->word, &left))
                return;
        kept->awaits_status = false;
        /* QEMU has no word for a guest that is halted. */
        if (kept->is_known && left != kept->left && !(left == LEFT_RUNNING && kept->left == LEFT_HALTED))
                evidence_set_text(status, left_name(kept->left), strlen(left_name(kept->left)));
        for (size_t i = 0; !kept->is_known && i < N_ELEMENTS(outcomes); i++)
                if (!strcmp(outcomes[i], status->word))
                        evidence_set_text(status, "unknown", strlen("unknown"));
}

static void on_qemu_report(void *userdata, struct evidence *evidence) {
        struct kept *kept = userdata;

        if (evidence->kind == EVIDENCE_STATUS)
                kept_tell_unseen(kept, evidence);
        kept_note_fact(kept, evidence);
        tracing_drain(kept->home->tracing);
        monitor_clients_look(&kept->looks, (pid_t)kept_instance(kept)->pid, kept->monitor, evidence, engine_vm_sink(kept->vm));
        source_report(engine_vm_sink(kept->vm), evidence);
}

static void on_qemu_ended(void *userdata, enum evidence_source source) {
        struct kept *kept = userdata;

        kept->monitor_is_over = true;
        kept->monitor_ended_ns = source_now_ns();
        traced_set_monitored(kept->traced, false);
        kept->home->changed(kept);
}

static void on_connected(void *userdata, pid_t pid, uid_t uid) {
}

static void on_waiting(void *userdata) {
}

/* What is on record need not be read again by a later life. */
static void on_was_read(void *userdata) {
        struct kept *kept = userdata;

        if (engine_vm_is_stored(kept->vm))
                qemu_source_consume(kept->qemu);
}

static void on_refused(void *userdata, const char *command, const char *why) {
        say(userdata, "QEMU refused %s: %s", command, why);
}

/* --- requests of its monitor's other clients --------------------------------------------------------------------- */

static struct held_request *take_request(struct kept *kept, uint64_t number, uint64_t at_ns, uint64_t seq) {
        for (struct held_request **link = &kept->requests; *link; link = &(*link)->next) {
                struct held_request *request = *link;

                if (number ? request->number != number : request->at_ns != at_ns || request->seq != seq)
                        continue;
                *link = request->next;
                return request;
        }
        return NULL;
}

static void on_request(void *userdata, uint64_t number, struct evidence *evidence) {
        struct kept *kept = userdata;
        struct held_request *request = calloc(1, sizeof(*request));

        if (request) {
                *request = (struct held_request){ kept->requests, number, evidence->at_ns, evidence->seq, "" };
                memcpy(request->command, evidence->word, sizeof(request->command));
                kept->requests = request;
        }
        source_report(engine_vm_sink(kept->vm), evidence);
}

void kept_recorded(struct kept *kept, const struct evidence *evidence) {
        struct held_request *request = take_request(kept, 0, evidence->at_ns, evidence->seq);

        if (request && kept->shared)
                shared_monitor_release(kept->shared, request->number);
        free(request);
}

static void on_request_answered(void *userdata, struct evidence *evidence) {
        struct kept *kept = userdata;

        source_report(engine_vm_sink(kept->vm), evidence);
}

/* It has gone on before it was on disk. */
static void on_late(void *userdata, uint64_t number) {
        struct evidence late = evidence_make(SOURCE_VMPOWER, EVIDENCE_STORED_LATE);
        struct kept *kept = userdata;
        struct held_request *request = take_request(kept, number, 0, 0);

        if (!request)
                return;
        late.number = (int64_t)((source_now_ns() - request->at_ns + 500000) / 1000000);
        evidence_set_word(&late, request->command);
        say(kept, "%s goes on before it is on record: the disk is slow", request->command);
        source_report(engine_vm_sink(kept->vm), &late);
        free(request);
}

static void on_dropped(void *userdata, const struct actor *client, const char *why) {
        say(userdata, "a client of its shared monitor (%s, pid %" PRId64 ", uid %" PRId64 ") was dropped: %s",
            *client->comm ? client->comm : "?", client->pid, client->uid, why);
}

/* --- the shared monitor ------------------------------------------------------------------------------------------ */

const char *kept_shared_path(const struct kept *kept) {
        return kept->shared && shared_monitor_fd(kept->shared) >= 0 ? shared_monitor_path(kept->shared) : NULL;
}

static int open_shared(struct kept *kept, const char *name, int listener) {
        const struct shared_monitor_events events = { on_request, on_request_answered, on_late, on_dropped, kept };
        const struct store_vm *instance = kept_instance(kept);
        char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
        size_t n = strlen(kept->home->shared_directory);

        memcpy(path, kept->home->shared_directory, n);
        path[n] = '/';
        socket_name_of_vm(path + n + 1, sizeof(path) - n - 1, name);
        return shared_monitor_open(&kept->shared, kept->home->event, path, instance->uid >= 0 ? (uid_t)instance->uid : (uid_t)-1,
                                   (gid_t)-1, listener, kept->qemu, &events);
}

/* Names are unique per user: where another's VM has the name, this one's socket goes by its pid, too. */
static void share(struct kept *kept, int listener) {
        const struct store_vm *instance = kept_instance(kept);
        char name[VM_NAME_MAX + 24];
        int r = -EINVAL;

        snprintf(name, sizeof(name), "%s.%" PRId64, instance->identity.name, instance->pid);
        if (listener >= 0) {
                r = open_shared(kept, instance->identity.name, listener);
                if (r)
                        r = open_shared(kept, name, listener);
                if (r)
                        close(listener);
        }
        if (r)
                r = open_shared(kept, instance->identity.name, -1);
        if (r == -EADDRINUSE)
                r = open_shared(kept, name, -1);
        if (r)
                say(kept, "its monitor cannot be shared: %s", strerror(-r));
}

static void hand_over(struct kept *kept, char kind, int fd, bool *is_handed) {
        char name[HANDOVER_NAME_MAX];
        int r;

        if (fd < 0)
                return;
        handover_name(name, kind, (uint64_t)kept_instance(kept)->id);
        r = handover_keep(kept->home->handover, name, fd);
        *is_handed = !r;
        if (r)
                say(kept, "a restart would miss what its monitor says meanwhile: %s",
                    r == -ENOSPC ? "the service manager takes no more descriptors' names" : strerror(-r));
}

static void take_back(struct kept *kept, char kind, bool *is_handed) {
        char name[HANDOVER_NAME_MAX];

        if (!*is_handed)
                return;
        *is_handed = false;
        handover_name(name, kind, (uint64_t)kept_instance(kept)->id);
        handover_drop(kept->home->handover, name);
}

int kept_hold_monitor(struct kept *kept, const char *path, int fd, const struct qemu_source_past *past, int listener) {
        struct qemu_source_config config = { .halt_after_ns = kept->home->halt_after_ns, .ticks = kept->home->ticks,
                                             .is_shared = true };
        struct qemu_source_events events = { on_connected, on_waiting, on_refused, on_was_read, kept };
        char *copy = strdup(path);
        int r = copy ? 0 : -ENOMEM;

        kept->qemu_sink = (struct source_sink){ on_qemu_report, on_qemu_ended, kept };
        kept->monitor_is_over = false;
        kept->awaits_status = true;
        kept_take_back(kept);
        if (!r)
                r = qemu_source_adopt(&kept->qemu, kept->home->event, fd, past, &config, &events, &kept->qemu_sink);
        if (r) {
                if (listener >= 0)
                        close(listener);
                free(copy);
                return r;
        }
        kept->monitor = copy;
        traced_set_monitored(kept->traced, true);
        if (kept->home->shared_directory[0] && (listener >= 0 || kept->home->may_share(kept->home->userdata)))
                share(kept, listener);
        else if (listener >= 0)
                close(listener);
        if (engine_vm_set_monitor(kept->vm, &(struct store_monitor){ copy, (char *)past->greeting,
                                                                     handover_is_offered(kept->home->handover) }))
                say(kept, "out of memory: a restart would not find its monitor");
        /* One that goes on is on record. */
        if (past->is_negotiated)
                kept_hand_over(kept);
        return 0;
}

void kept_hand_over(struct kept *kept) {
        if (!kept->qemu)
                return;
        hand_over(kept, 'm', qemu_source_fd(kept->qemu), &kept->is_monitor_handed);
        hand_over(kept, 'q', kept->shared ? shared_monitor_fd(kept->shared) : -1, &kept->is_listener_handed);
        if (handover_is_offered(kept->home->handover) && kept->is_monitor_handed && qemu_source_keep_unread(kept->qemu))
                say(kept, "what its monitor says in the moment in which the daemon is killed is lost");
}

/* What a connection that has ended still holds is a later life's until it is on record. */
void kept_take_back(struct kept *kept) {
        take_back(kept, 'm', &kept->is_monitor_handed);
        take_back(kept, 'q', &kept->is_listener_handed);
}

void kept_stored(struct kept *kept) {
        if (kept->qemu)
                qemu_source_consume(kept->qemu);
        else
                kept_take_back(kept);
}

static void drop_requests(struct kept *kept) {
        while (kept->requests) {
                struct held_request *request = kept->requests;

                kept->requests = request->next;
                free(request);
        }
}

void kept_close_monitor(struct kept *kept) {
        if (!kept->qemu)
                return;
        traced_set_monitored(kept->traced, false);
        kept->shared = shared_monitor_close(kept->shared);
        kept->qemu = qemu_source_close(kept->qemu);
        free(kept->monitor);
        kept->monitor = NULL;
        kept->monitor_is_over = false;
        drop_requests(kept);
        if (!kept->is_over)
                engine_vm_set_monitor(kept->vm, NULL);
        if (engine_vm_is_stored(kept->vm))
                kept_take_back(kept);
}

/* --- its life ---------------------------------------------------------------------------------------------------- */

/* What its monitor's facts leave of a VM.  false: that one changes nothing. */
static bool left_by_fact(const struct kept *kept, const struct evidence *fact, enum left *ret_left) {
        switch ((int)fact->kind) {
        case EVIDENCE_STATUS:
                /* One that comes late is of a stop that is over. */
                return (!kept->is_known || kept->left != LEFT_RUNNING || fact->text[0]) && evidence_left_by_status(fact->word, ret_left);
        case EVIDENCE_SHUTDOWN:
                *ret_left = LEFT_OFF;
                return !evidence_is_tried(fact);
        case EVIDENCE_STOP:
                *ret_left = LEFT_PAUSED;
                return kept->left != LEFT_OFF;
        case EVIDENCE_SUSPEND:
                *ret_left = LEFT_SUSPENDED;
                return true;
        case EVIDENCE_REGISTERS:
                *ret_left = fact->flag == TRISTATE_TRUE ? LEFT_HALTED : LEFT_RUNNING;
                return evidence_changes_vm(fact) || (fact->flag == TRISTATE_FALSE && kept->left == LEFT_HALTED);
        case EVIDENCE_RESET:
                /* It does not make a guest run that did not (QEMU: prelaunch). */
                *ret_left = kept->left == LEFT_RUNNING || kept->left == LEFT_HALTED ? LEFT_RUNNING : LEFT_PAUSED;
                return true;
        case EVIDENCE_RESUME:
        case EVIDENCE_WAKEUP:
                *ret_left = LEFT_RUNNING;
                return true;
        default:
                return false;
        }
}

void kept_note_fact(struct kept *kept, const struct evidence *fact) {
        enum left left = kept->left;

        if (fact->kind == EVIDENCE_STOPPED || fact->kind == EVIDENCE_CONTINUED)
                kept->is_stopped = fact->kind == EVIDENCE_STOPPED;
        else if (left_by_fact(kept, fact, &left))
                kept->is_known = true;
        else
                return;
        /* An event that is heard before its status tells the same, or more: a QEMU that ends goes on calling itself running. */
        kept->awaits_status = kept->awaits_status && fact->source != SOURCE_QMP;
        kept->fact_ns = fact->time_ns;
        set_state(kept, left, fact->time_ns);
}

void kept_note_verdict(struct kept *kept, const char *id, const char *summary, enum left left, uint64_t time_ns) {
        char *copy = strdup(summary);

        /* The facts were there before it. */
        if (left == LEFT_GONE || time_ns > kept->fact_ns) {
                kept->is_known = true;
                set_state(kept, left, time_ns);
        }
        snprintf(kept->last_verdict, sizeof(kept->last_verdict), "%s", id);
        free(kept->last_summary);
        kept->last_summary = copy;
}

int kept_new(struct kept **ret_kept, const struct kept_home *home, struct engine_vm *vm) {
        struct kept *kept = calloc(1, sizeof(*kept));

        if (!kept)
                return -ENOMEM;
        kept->home = home;
        kept->vm = vm;
        kept->left = LEFT_RUNNING;
        kept->state = left_name(LEFT_RUNNING);
        kept->since_ns = engine_vm_instance(vm)->began_ns;
        engine_vm_set_userdata(vm, kept);
        *ret_kept = kept;
        return 0;
}

int kept_new_told(struct kept **ret_kept, const struct kept_home *home, struct store_vm *told) {
        struct kept *kept = calloc(1, sizeof(*kept));

        if (!kept)
                return -ENOMEM;
        kept->told = malloc(sizeof(*kept->told));
        if (!kept->told) {
                free(kept);
                return -ENOMEM;
        }
        *kept->told = *told;
        *told = (struct store_vm){ 0 };
        kept->home = home;
        kept->left = LEFT_RUNNING;
        kept->state = left_name(LEFT_RUNNING);
        kept->since_ns = kept->told->began_ns;
        *ret_kept = kept;
        return 0;
}

static struct kept *destroy(struct kept *kept) {
        qemu_source_close(kept->qemu);
        process_watch_free(kept->watch);
        traced_free(kept->traced);
        engine_remove_vm(kept->vm);
        if (kept->told)
                store_vm_deinit(kept->told);
        free(kept->told);
        drop_requests(kept);
        free(kept->monitor);
        free(kept->could_attach);
        free(kept->own_name);
        free(kept->last_summary);
        free(kept);
        return NULL;
}

struct kept *kept_free(struct kept *kept) {
        if (!kept)
                return NULL;
        kept_close_monitor(kept);
        kept_take_back(kept);
        return destroy(kept);
}

struct kept *kept_leave(struct kept *kept) {
        if (!kept)
                return NULL;
        if (!handover_is_offered(kept->home->handover))
                return kept_free(kept);
        kept->shared = shared_monitor_leave(kept->shared);
        return destroy(kept);
}
