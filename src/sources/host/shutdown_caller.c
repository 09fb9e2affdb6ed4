#include "sources/host/shutdown_caller.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "sources/host/unit_caller.h"
#include "sources/proc.h"
#include "sources/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGIN1         "org.freedesktop.login1.Manager"
#define ANSWER_USEC    UINT64_C(1000000)
#define BUS_ADDRESS    "unix:path=/run/dbus/system_bus_socket"
#define RULE(member)   "type='method_call',interface='" LOGIN1 "',member='" member "'"

enum {
        SENDER_MAX = 64, /* a unique name is a good deal shorter */
};

/*
 * org.freedesktop.login1(5).  What is not there in an older version is not called.  systemctl and shutdown set their message first: who that is
 * can be asked while they are there for sure, for they go as soon as logind has taken their word.
 */
static const struct {
        const char *member, *rule, *mode;
        bool is_scheduled;
} members[] = {
        { "SetWallMessage", RULE("SetWallMessage"), NULL, false },
        { "PowerOff", RULE("PowerOff"), "poweroff", false },
        { "PowerOffWithFlags", RULE("PowerOffWithFlags"), "poweroff", false },
        { "Reboot", RULE("Reboot"), "reboot", false },
        { "RebootWithFlags", RULE("RebootWithFlags"), "reboot", false },
        { "Halt", RULE("Halt"), "halt", false },
        { "HaltWithFlags", RULE("HaltWithFlags"), "halt", false },
        { "ScheduleShutdown", RULE("ScheduleShutdown"), NULL, true },
};

/* What logind refuses somebody (it is not his to ask for) is no call of his.  These words are logind's alone: the bus sees to that. */
#define REFUSALS "type='error',sender='org.freedesktop.login1'"

/* Of several who call within this only one has done it. */
#define CONTESTED_WITHIN_NS UINT64_C(1000000000)

struct shutdown_caller {
        sd_bus *monitor;       /* hears, and may not speak */
        struct unit_caller *units; /* hears what else it is shown */
        sd_bus *bus;           /* asks */
        sd_bus_slot *question; /* who the sender is; NULL: that is answered */
        char sender[SENDER_MAX];
        struct actor who; /* the sender */
        bool is_known;
        struct shutdown_call at_once, scheduled;
        struct shutdown_call *call; /* the sender's, one of these; NULL: it has not called yet */
        uint64_t cookie;            /* of that call */
        void (*answered)(void *userdata);
        void *userdata;
};

/* Whose call it is, if that is known by now. */
static void name_caller(struct shutdown_caller *caller) {
        struct shutdown_call *call = caller->call;
        char via[sizeof(call->actor.via)];

        if (!call || !caller->is_known)
                return;
        text_set(via, sizeof(via), call->actor.via);
        call->actor = caller->who;
        if (call->is_contested)
                call->actor.confidence = CONFIDENCE_LIKELY;
        text_set(call->actor.via, sizeof(call->actor.via), via);
        call->is_known = true;
}

static int on_credentials(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct shutdown_caller *caller = userdata;
        uint32_t pid = 0, uid = UINT32_MAX;
        const char *key;

        caller->question = sd_bus_slot_unref(caller->question);
        if (!sd_bus_message_is_method_error(reply, NULL) && sd_bus_message_enter_container(reply, 'a', "{sv}") > 0)
                while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                        if (sd_bus_message_read(reply, "s", &key) < 0)
                                break;
                        if (!strcmp(key, "ProcessID"))
                                sd_bus_message_read(reply, "v", "u", &pid);
                        else if (!strcmp(key, "UnixUserID"))
                                sd_bus_message_read(reply, "v", "u", &uid);
                        else
                                sd_bus_message_skip(reply, "v");
                        if (sd_bus_message_exit_container(reply) < 0)
                                break;
                }
        if (pid > 0 && pid <= INT32_MAX) {
                /* One that has gone meanwhile is its pid, and its user. */
                caller->is_known = true;
                proc_actor((pid_t)pid, "", &caller->who);
        }
        if (uid != UINT32_MAX && caller->who.uid != (int64_t)uid) {
                struct actor user;

                caller->is_known = true;
                proc_actor_of_user((uid_t)uid, "", &user);
                caller->who.uid = user.uid;
                text_set(caller->who.user, sizeof(caller->who.user), user.user);
        }
        name_caller(caller);
        caller->answered(caller->userdata);
        return 0;
}

static void ask_who(struct shutdown_caller *caller, const char *sender) {
        cleanup(sd_bus_message_unrefp) sd_bus_message *question = NULL;

        caller->question = sd_bus_slot_unref(caller->question);
        caller->is_known = false;
        caller->who = (struct actor){ .uid = -1 };
        text_set(caller->sender, sizeof(caller->sender), sender);
        if (sd_bus_message_new_method_call(caller->bus, &question, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                           "GetConnectionCredentials") >= 0 &&
            sd_bus_message_append(question, "s", sender) >= 0)
                sd_bus_call_async(caller->bus, &caller->question, question, on_credentials, caller, ANSWER_USEC);
}

static void on_refusal(struct shutdown_caller *caller, sd_bus_message *error) {
        const char *destination = sd_bus_message_get_destination(error);
        uint64_t cookie = 0;

        if (!caller->call || !destination || strcmp(destination, caller->sender) || sd_bus_message_get_reply_cookie(error, &cookie) < 0 ||
            cookie != caller->cookie)
                return;
        *caller->call = (struct shutdown_call){ 0 };
        caller->call = NULL;
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        struct shutdown_caller *caller = userdata;
        const char *member = sd_bus_message_get_member(message), *sender = sd_bus_message_get_sender(message), *mode = NULL;
        struct shutdown_call *call = NULL;
        size_t i = 0;

        unit_caller_hear(caller->units, message);
        /* It is somebody else's, whatever it is: nobody answers it here. */
        if (sd_bus_message_is_method_error(message, NULL) > 0) {
                on_refusal(caller, message);
                return 1;
        }
        if (!member || !sender || sd_bus_message_is_method_call(message, LOGIN1, NULL) <= 0)
                return 1;
        while (i < N_ELEMENTS(members) && strcmp(member, members[i].member))
                i++;
        if (i == N_ELEMENTS(members) || (members[i].is_scheduled && sd_bus_message_read(message, "s", &mode) < 0))
                return 1;
        if (members[i].is_scheduled || members[i].mode)
                call = members[i].is_scheduled ? &caller->scheduled : &caller->at_once;
        /* Another is before him, and was not refused: he may have had the same in mind, or may want to be taken for him. */
        if (call && call->at_ns && strcmp(caller->sender, sender) && source_now_ns() - call->at_ns < CONTESTED_WITHIN_NS) {
                call->is_contested = true;
                name_caller(caller);
                return 1;
        }
        caller->call = call;
        if (strcmp(caller->sender, sender))
                ask_who(caller, sender);
        if (!call)
                return 1;
        sd_bus_message_get_cookie(message, &caller->cookie);
        *call = (struct shutdown_call){ .at_ns = source_now_ns(), .actor = { .uid = -1 } };
        text_set(call->mode, sizeof(call->mode), mode ? mode : members[i].mode);
        snprintf(call->actor.via, sizeof(call->actor.via), "logind %.20s", member);
        name_caller(caller);
        return 1;
}

/* A monitor that is not allowed hears nothing; there is nothing to be done about that. */
static int on_monitor(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return 0;
}

static int become_monitor(struct shutdown_caller *caller) {
        cleanup(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        int r;

        r = sd_bus_message_new_method_call(caller->monitor, &message, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                           "org.freedesktop.DBus.Monitoring", "BecomeMonitor");
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "s");
        for (size_t i = 0; r >= 0 && i < N_ELEMENTS(members); i++)
                r = sd_bus_message_append(message, "s", members[i].rule);
        if (r >= 0)
                r = sd_bus_message_append(message, "s", REFUSALS);
        for (size_t i = 0; r >= 0 && unit_caller_rule(i); i++)
                r = sd_bus_message_append(message, "s", unit_caller_rule(i));
        if (r >= 0)
                r = sd_bus_message_close_container(message);
        if (r >= 0)
                r = sd_bus_message_append(message, "u", 0);
        if (r >= 0)
                r = sd_bus_call_async(caller->monitor, NULL, message, on_monitor, caller, 0);
        return r;
}

int shutdown_caller_new(struct shutdown_caller **ret_caller, sd_event *event, sd_bus *bus, void (*answered)(void *userdata), void *userdata) {
        struct shutdown_caller *caller = calloc(1, sizeof(*caller));
        const char *address = NULL;
        int r;

        if (!caller)
                return -ENOMEM;
        caller->bus = bus;
        caller->answered = answered;
        caller->userdata = userdata;
        sd_bus_get_address(bus, &address);
        r = unit_caller_new(&caller->units, bus);
        if (r >= 0)
                r = sd_bus_new(&caller->monitor);
        if (r >= 0)
                r = sd_bus_set_address(caller->monitor, address ? address : BUS_ADDRESS);
        if (r >= 0)
                r = sd_bus_set_monitor(caller->monitor, true);
        if (r >= 0)
                r = sd_bus_set_bus_client(caller->monitor, true);
        if (r >= 0)
                r = sd_bus_start(caller->monitor);
        if (r >= 0)
                r = sd_bus_add_filter(caller->monitor, NULL, on_message, caller);
        if (r >= 0)
                r = become_monitor(caller);
        /* The bus shows the call here before it is logind's: it is read before what logind says. */
        if (r >= 0)
                r = sd_bus_attach_event(caller->monitor, event, SD_EVENT_PRIORITY_IMPORTANT - 1);
        if (r < 0) {
                shutdown_caller_free(caller);
                return r;
        }
        *ret_caller = caller;
        return 0;
}

struct shutdown_caller *shutdown_caller_free(struct shutdown_caller *caller) {
        if (!caller)
                return NULL;
        sd_bus_slot_unref(caller->question);
        sd_bus_detach_event(caller->monitor);
        sd_bus_close_unref(caller->monitor);
        unit_caller_free(caller->units);
        free(caller);
        return NULL;
}

bool shutdown_caller_is_asking(const struct shutdown_caller *caller) {
        return caller && caller->call && caller->question;
}

const struct shutdown_call *shutdown_caller_at_once(const struct shutdown_caller *caller) {
        return caller && caller->at_once.at_ns ? &caller->at_once : NULL;
}

const struct shutdown_call *shutdown_caller_scheduled(const struct shutdown_caller *caller) {
        return caller && caller->scheduled.at_ns ? &caller->scheduled : NULL;
}

void shutdown_caller_done(struct shutdown_caller *caller) {
        if (!caller)
                return;
        if (caller->call == &caller->at_once)
                caller->call = NULL;
        caller->at_once = (struct shutdown_call){ 0 };
}
