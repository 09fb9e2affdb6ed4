#include "sources/host/host_source.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "sources/host/scheduled_shutdown.h"
#include "sources/host/shutdown_caller.h"
#include "sources/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

const char *host_source_scheduled_path = "/run/systemd/shutdown/scheduled";

#define LOGIN1_NAME    "org.freedesktop.login1"
#define LOGIN1_PATH    "/org/freedesktop/login1"
#define LOGIN1_MANAGER "org.freedesktop.login1.Manager"
#define SYSTEMD_NAME   "org.freedesktop.systemd1"
#define SYSTEMD_PATH   "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

#define SHUTDOWN_TARGET "shutdown.target"

#define SECOND_NS UINT64_C(1000000000)

/* A sick disk never keeps the host from going down. */
#define LOCK_USEC UINT64_C(1000000)

/* logind acts on a call at once, unless it has to ask the caller for a password first. */
#define CALL_ACTS_WITHIN_NS     SECOND_NS
#define PASSWORD_TYPED_WITHIN_NS (120 * SECOND_NS)
/* logind's timer for a scheduled shutdown may be so late, or our clock so early. */
#define SCHEDULE_LATE_USEC  UINT64_C(60000000)
#define SCHEDULE_EARLY_USEC UINT64_C(2000000)

/* So long whoever is told to end waits for an answer. */
#define ANSWER_USEC UINT64_C(1000000)

enum {
        BUS_NAME_MAX = 64, /* a unique name is a good deal shorter */
};

/* A bus that goes away is waited for so often. */
#define RECONNECTS_MAX 3

struct host_source {
        sd_event *event;
        char *address;
        sd_bus *bus;
        char logind[BUS_NAME_MAX], systemd[BUS_NAME_MAX]; /* their unique names; "": not there */
        struct shutdown_caller *caller;
        struct host_events events;
        sd_event_source *release;   /* the time is up: the lock is given back */
        sd_event_source *reconnect; /* outside of the bus's own calls */
        unsigned n_reconnects;
        int lock;
        bool is_lock_asked_for;
        bool logind_goes, systemd_goes;
        void (*answered)(void *userdata); /* whoever asked us */
        void *userdata;
        unsigned n_unanswered; /* of the first questions */
        uint64_t began_ns, began_time_ns;
        char mode[SCHEDULED_MODE_MAX];
        struct evidence fact;
        bool has_fact;
};

/* --- the lock ---------------------------------------------------------------------------------------------------- */

/* A call that starts no service which is not there. */
static int ask(struct host_source *source, const char *name, const char *path, const char *interface, const char *member,
               sd_bus_message_handler_t answered, uint64_t patience_usec, const char *types, ...) {
        cleanup(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        va_list arguments;
        int r;

        r = sd_bus_message_new_method_call(source->bus, &message, name, path, interface, member);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(message, false);
        if (r >= 0) {
                va_start(arguments, types);
                r = sd_bus_message_appendv(message, types, arguments);
                va_end(arguments);
        }
        if (r >= 0)
                r = sd_bus_call_async(source->bus, NULL, message, answered, source, patience_usec);
        return r;
}

static int on_lock(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct host_source *source = userdata;
        int fd;

        source->is_lock_asked_for = false;
        /* Refused: we hear of it all the same, and may be late. */
        if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "h", &fd) < 0)
                return 0;
        if (source->lock < 0)
                source->lock = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return 0;
}

static void take_lock(struct host_source *source) {
        if (source->lock >= 0 || source->is_lock_asked_for)
                return;
        source->is_lock_asked_for = ask(source, LOGIN1_NAME, LOGIN1_PATH, LOGIN1_MANAGER, "Inhibit", on_lock, 0, "ssss", "shutdown",
                                        "vmpower", "Writes down which VMs the host takes with it", "delay") >= 0;
}

void host_source_release(struct host_source *source) {
        if (!source || !(source->logind_goes || source->systemd_goes))
                return;
        source->release = sd_event_source_disable_unref(source->release);
        close_fd(&source->lock);
}

static int on_release(sd_event_source *timer, uint64_t usec, void *userdata) {
        host_source_release(userdata);
        return 0;
}

bool host_source_delays(const struct host_source *source) {
        return source && source->lock >= 0;
}

/* --- who asked --------------------------------------------------------------------------------------------------- */

static bool scheduled_is_due(struct scheduled_shutdown *ret) {
        char text[SCHEDULED_TEXT_MAX];
        ssize_t n = proc_read(host_source_scheduled_path, text, sizeof(text));
        uint64_t now_usec = source_time_ns() / 1000;

        return n > 0 && !scheduled_shutdown_parse(ret, text, (size_t)n) && ret->at_usec < now_usec + SCHEDULE_EARLY_USEC &&
               ret->at_usec > now_usec - SCHEDULE_LATE_USEC;
}

static bool is_recent(const struct host_source *source, const struct shutdown_call *call, uint64_t within_ns) {
        return call && call->at_ns <= source->began_ns && source->began_ns - call->at_ns <= within_ns;
}

/* Only logind acts for others. */
static void name_who_asked(struct host_source *source, struct evidence *fact) {
        const struct shutdown_call *at_once = shutdown_caller_at_once(source->caller);
        const struct shutdown_call *scheduler = shutdown_caller_scheduled(source->caller);
        struct scheduled_shutdown scheduled;
        struct actor actor;

        if (!source->logind_goes)
                return;
        if (!is_recent(source, at_once, CALL_ACTS_WITHIN_NS) && scheduled_is_due(&scheduled)) {
                evidence_set_word(fact, scheduled.mode);
                if (scheduler && scheduler->is_known && (scheduled.uid < 0 || scheduler->actor.uid == scheduled.uid))
                        actor = scheduler->actor;
                else if (scheduled.uid >= 0)
                        proc_actor_of_user((uid_t)scheduled.uid, "logind ScheduleShutdown", &actor);
                else
                        return;
        } else if (is_recent(source, at_once, PASSWORD_TYPED_WITHIN_NS)) {
                evidence_set_word(fact, at_once->mode);
                if (!at_once->is_known)
                        return;
                actor = at_once->actor;
                if (!is_recent(source, at_once, CALL_ACTS_WITHIN_NS))
                        actor.confidence = CONFIDENCE_LIKELY;
        } else {
                return;
        }
        evidence_set_actor(fact, &actor);
}

/* --- what is told ------------------------------------------------------------------------------------------------ */

static void consider(struct host_source *source) {
        bool goes = source->logind_goes || source->systemd_goes;
        enum evidence_kind kind = goes ? EVIDENCE_GOING_DOWN : EVIDENCE_STAYS_UP;
        struct evidence fact;

        if ((source->n_unanswered && !goes) || (source->has_fact && source->fact.kind == kind))
                return;
        /* Who asked is known in a moment; the lock holds until then. */
        if (goes && source->logind_goes && shutdown_caller_is_asking(source->caller))
                return;
        fact = evidence_make(SOURCE_HOST, kind);
        fact.at_ns = goes ? source->began_ns : source_now_ns();
        fact.time_ns = goes ? source->began_time_ns : source_time_ns();
        if (goes) {
                name_who_asked(source, &fact);
                shutdown_caller_done(source->caller);
                if (*source->mode)
                        evidence_set_word(&fact, source->mode);
                sd_event_add_time_relative(source->event, &source->release, CLOCK_MONOTONIC, LOCK_USEC, 0, on_release, source);
        } else {
                *source->mode = '\0';
                source->release = sd_event_source_disable_unref(source->release);
                take_lock(source);
        }
        evidence_deinit(&source->fact);
        source->fact = fact;
        source->has_fact = true;
        source->events.changed(source->events.userdata, &source->fact);
}

static void on_caller_answered(void *userdata) {
        consider(userdata);
}

/* It goes down, since now. */
static void begin(struct host_source *source) {
        if (source->logind_goes || source->systemd_goes)
                return;
        source->began_ns = source_now_ns();
        source->began_time_ns = source_time_ns();
}

/* --- who says it ------------------------------------------------------------------------------------------------- */

/*
 * Anyone on the host may send a signal to us alone, with whatever interface: only its sender, which the bus itself has set, tells whose it is, and
 * what sd-bus matches a well-known name with is any.
 */
static bool is_from(sd_bus_message *message, const char *name) {
        const char *sender = sd_bus_message_get_sender(message);

        return sender && *name && !strcmp(sender, name);
}

/* An answer to a question of ours is from whom we asked. */
static void learn_name(char name[static BUS_NAME_MAX], sd_bus_message *answer) {
        const char *sender = sd_bus_message_get_sender(answer);

        if (!sd_bus_message_is_method_error(answer, NULL) && sender)
                text_set(name, BUS_NAME_MAX, sender);
}

/* --- logind ------------------------------------------------------------------------------------------------------ */

static void logind_says(struct host_source *source, bool goes) {
        if (goes)
                begin(source);
        source->logind_goes = goes;
        consider(source);
}

static int on_prepare(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        struct host_source *source = userdata;
        int goes;

        if (is_from(message, source->logind) && sd_bus_message_read(message, "b", &goes) >= 0)
                logind_says(source, goes);
        return 0;
}

/* From systemd 255 on, besides the other: how it goes down. */
static int on_prepare_with_metadata(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        struct host_source *source = userdata;
        const char *key, *type;
        int goes;

        if (!is_from(message, source->logind) || sd_bus_message_read(message, "b", &goes) < 0 || sd_bus_message_enter_container(message, 'a', "{sv}") <= 0)
                return 0;
        while (goes && sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                if (sd_bus_message_read(message, "s", &key) < 0)
                        break;
                if (strcmp(key, "type"))
                        sd_bus_message_skip(message, "v");
                else if (sd_bus_message_read(message, "v", "s", &type) >= 0)
                        text_set(source->mode, sizeof(source->mode), type);
                if (sd_bus_message_exit_container(message) < 0)
                        break;
        }
        logind_says(source, goes);
        return 0;
}

static int on_preparing(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct host_source *source = userdata;
        int goes;

        source->n_unanswered--;
        learn_name(source->logind, reply);
        if (!sd_bus_message_is_method_error(reply, NULL) && sd_bus_message_read(reply, "v", "b", &goes) >= 0 && goes)
                logind_says(source, true);
        else
                consider(source);
        return 0;
}

/* Either comes, perhaps later than we do, or is another now. */
static int on_owner(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        struct host_source *source = userdata;
        const char *name, *old, *new;

        if (!is_from(message, "org.freedesktop.DBus") || sd_bus_message_read(message, "sss", &name, &old, &new) < 0)
                return 0;
        if (!strcmp(name, SYSTEMD_NAME))
                text_set(source->systemd, sizeof(source->systemd), new);
        if (strcmp(name, LOGIN1_NAME))
                return 0;
        text_set(source->logind, sizeof(source->logind), new);
        if (*new && source->has_fact && source->fact.kind == EVIDENCE_STAYS_UP)
                take_lock(source);
        return 0;
}

/* --- systemd ----------------------------------------------------------------------------------------------------- */

static void systemd_says(struct host_source *source, bool stopping) {
        if (stopping)
                begin(source);
        source->systemd_goes = stopping;
        consider(source);
}

static int read_state(struct host_source *source, sd_bus_message *reply) {
        const char *state;

        if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "v", "s", &state) < 0)
                return -EIO;
        systemd_says(source, !strcmp(state, "stopping"));
        return 0;
}

static int on_first_state(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct host_source *source = userdata;

        source->n_unanswered--;
        learn_name(source->systemd, reply);
        if (read_state(source, reply))
                consider(source);
        return 0;
}

static int on_state(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        read_state(userdata, reply);
        return 0;
}

static int ask_state(struct host_source *source, sd_bus_message_handler_t answered, uint64_t patience_usec) {
        return ask(source, SYSTEMD_NAME, SYSTEMD_PATH, "org.freedesktop.DBus.Properties", "Get", answered, patience_usec, "ss", SYSTEMD_MANAGER,
                   "SystemState");
}

/*
 * Its shutdown.target is queued, or is not any more.  The signal comes before the jobs are run that end VMs, the answer to a question might not.
 * What else could be queued for that target is to stop it, where the host goes down already.
 */
static int on_job(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        struct host_source *source = userdata;
        bool is_new = sd_bus_message_is_signal(message, SYSTEMD_MANAGER, "JobNew") > 0;
        const char *job, *unit;
        uint32_t id;

        if (!is_new && sd_bus_message_is_signal(message, SYSTEMD_MANAGER, "JobRemoved") <= 0)
                return 0;
        if (!is_from(message, source->systemd) || sd_bus_message_read(message, "uos", &id, &job, &unit) < 0 || strcmp(unit, SHUTDOWN_TARGET))
                return 0;
        if (is_new && !source->logind_goes)
                systemd_says(source, true);
        ask_state(source, on_state, 0);
        return 0;
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct host_source *source = userdata;

        read_state(source, reply);
        source->answered(source->userdata);
        return 0;
}

int host_source_ask(struct host_source *source, void (*answered)(void *userdata), void *userdata) {
        int r;

        if (!source)
                return -ENOTCONN;
        source->answered = answered;
        source->userdata = userdata;
        r = ask_state(source, on_answer, ANSWER_USEC);
        return r < 0 ? r : 0;
}

static int on_nothing(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return 0;
}

/* --- the bus ----------------------------------------------------------------------------------------------------- */

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        struct host_source *source = userdata;

        if (source->logind_goes || source->systemd_goes)
                return 0;
        if (source->n_reconnects++ < RECONNECTS_MAX)
                sd_event_source_set_enabled(source->reconnect, SD_EVENT_ONESHOT);
        else
                source->events.trouble(source->events.userdata, "the system bus comes and goes: whether the host goes down is not seen any more");
        return 0;
}

static int listen_to(struct host_source *source, const char *rule, sd_bus_message_handler_t heard) {
        return sd_bus_add_match_async(source->bus, NULL, rule, heard, on_nothing, source);
}

/*
 * sd-bus itself cannot match what comes after a number (libsystemd 252), so the bus is asked alone: of every job on the host those of one
 * unit reach us.
 */
static int ask_for_jobs(struct host_source *source, const char *member) {
        char rule[256];

        snprintf(rule, sizeof(rule),
                 "type='signal',sender='" SYSTEMD_NAME "',path='" SYSTEMD_PATH "',interface='" SYSTEMD_MANAGER "',member='%s',arg2='"
                 SHUTDOWN_TARGET "'", member);
        return ask(source, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", on_nothing, 0, "s", rule);
}

static int connect_to(struct host_source *source, bool wait) {
        int r;

        r = sd_bus_new(&source->bus);
        if (r >= 0)
                r = sd_bus_set_address(source->bus, source->address);
        if (r >= 0)
                r = sd_bus_set_bus_client(source->bus, true);
        if (r >= 0)
                r = sd_bus_negotiate_fds(source->bus, true);
        if (r >= 0)
                r = sd_bus_set_watch_bind(source->bus, wait);
        if (r >= 0)
                r = sd_bus_start(source->bus);
        return r;
}

/* Before what VMs say in the same wakeup.  First what is heard, then what is asked: nothing is missed in between. */
static int begin_to_listen(struct host_source *source) {
        int r;

        r = listen_to(source, "type='signal',sender='" LOGIN1_NAME "',path='" LOGIN1_PATH "',interface='" LOGIN1_MANAGER
                              "',member='PrepareForShutdownWithMetadata'", on_prepare_with_metadata);
        if (r >= 0)
                r = listen_to(source, "type='signal',sender='" LOGIN1_NAME "',path='" LOGIN1_PATH "',interface='" LOGIN1_MANAGER
                                      "',member='PrepareForShutdown'", on_prepare);
        if (r >= 0)
                r = listen_to(source, "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                                      "member='NameOwnerChanged',arg0='" LOGIN1_NAME "'", on_owner);
        if (r >= 0)
                r = listen_to(source, "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                                      "member='NameOwnerChanged',arg0='" SYSTEMD_NAME "'", on_owner);
        if (r >= 0)
                r = sd_bus_add_filter(source->bus, NULL, on_job, source);
        if (r >= 0)
                r = ask_for_jobs(source, "JobNew");
        if (r >= 0)
                r = ask_for_jobs(source, "JobRemoved");
        if (r >= 0)
                r = sd_bus_match_signal(source->bus, NULL, "org.freedesktop.DBus.Local", NULL, "org.freedesktop.DBus.Local", "Disconnected",
                                        on_disconnected, source);
        if (r >= 0)
                r = ask(source, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe", on_nothing, 0, "");
        if (r >= 0)
                r = ask(source, LOGIN1_NAME, LOGIN1_PATH, "org.freedesktop.DBus.Properties", "Get", on_preparing, 0, "ss",
                        LOGIN1_MANAGER, "PreparingForShutdown");
        if (r >= 0) {
                source->n_unanswered++;
                r = ask_state(source, on_first_state, 0);
        }
        if (r >= 0) {
                source->n_unanswered++;
                r = sd_bus_attach_event(source->bus, source->event, SD_EVENT_PRIORITY_IMPORTANT);
        }
        /* Without it nobody is named. */
        if (r >= 0)
                shutdown_caller_new(&source->caller, source->event, source->bus, on_caller_answered, source);
        return r;
}

static void close_bus(struct host_source *source) {
        source->caller = shutdown_caller_free(source->caller);
        if (source->bus) {
                sd_bus_detach_event(source->bus);
                source->bus = sd_bus_close_unref(source->bus);
        }
        source->n_unanswered = 0;
        *source->logind = *source->systemd = '\0';
        source->is_lock_asked_for = false;
}

static int on_reconnect(sd_event_source *event_source, void *userdata) {
        struct host_source *source = userdata;
        int r;

        close_bus(source);
        r = connect_to(source, true);
        if (r >= 0)
                r = begin_to_listen(source);
        if (r < 0)
                source->events.trouble(source->events.userdata, "the system bus is gone: whether the host goes down is not seen any more");
        return 0;
}

int host_source_new(struct host_source **ret_source, sd_event *event, const char *address, const struct host_events *events) {
        struct host_source *source = calloc(1, sizeof(*source));
        const char *from_environment = getenv("DBUS_SYSTEM_BUS_ADDRESS");
        int r;

        if (!source)
                return -ENOMEM;
        source->event = sd_event_ref(event);
        source->events = *events;
        source->lock = -1;
        if (!address)
                address = from_environment ? from_environment : "unix:path=/run/dbus/system_bus_socket";
        source->address = strdup(address);
        r = source->address ? connect_to(source, false) : -ENOMEM;
        if (r >= 0)
                r = sd_event_add_defer(event, &source->reconnect, on_reconnect, source);
        if (r >= 0)
                r = sd_event_source_set_enabled(source->reconnect, SD_EVENT_OFF);
        if (r >= 0)
                r = begin_to_listen(source);
        if (r < 0) {
                host_source_free(source);
                return r;
        }
        *ret_source = source;
        return 0;
}

struct host_source *host_source_free(struct host_source *source) {
        if (!source)
                return NULL;
        close_bus(source);
        sd_event_source_disable_unref(source->release);
        sd_event_source_disable_unref(source->reconnect);
        close_fd(&source->lock);
        evidence_deinit(&source->fact);
        sd_event_unref(source->event);
        free(source->address);
        free(source);
        return NULL;
}

const struct evidence *host_source_fact(const struct host_source *source) {
        return source && source->has_fact ? &source->fact : NULL;
}
