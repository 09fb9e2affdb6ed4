#include "sources/host/unit_caller.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "sources/proc.h"
#include "sources/toolstack.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MANAGER     "org.freedesktop.systemd1.Manager"
#define UNIT        "org.freedesktop.systemd1.Unit"
#define UNITS_PATH  "/org/freedesktop/systemd1/unit"
#define ANSWER_USEC UINT64_C(1000000)

#define RULE(interface, member) "type='method_call',destination='org.freedesktop.systemd1',interface='" interface "',member='" member "'"

enum {
        SENDER_MAX = 64,
        CALLS = 16, /* at a time; the oldest gives way */
};

/* org.freedesktop.systemd1(5).  The manager is told the unit's name; a unit's own object is that name. */
static const struct {
        const char *member, *rule;
        bool is_of_unit;
} members[] = {
        { "StopUnit", RULE(MANAGER, "StopUnit"), false },
        { "KillUnit", RULE(MANAGER, "KillUnit"), false },
        { "RestartUnit", RULE(MANAGER, "RestartUnit"), false },
        { "TryRestartUnit", RULE(MANAGER, "TryRestartUnit"), false },
        { "ReloadOrRestartUnit", RULE(MANAGER, "ReloadOrRestartUnit"), false },
        { "ReloadOrTryRestartUnit", RULE(MANAGER, "ReloadOrTryRestartUnit"), false },
        { "Stop", RULE(UNIT, "Stop"), true },
        { "Kill", RULE(UNIT, "Kill"), true },
        { "Restart", RULE(UNIT, "Restart"), true },
        { "TryRestart", RULE(UNIT, "TryRestart"), true },
};

/* What systemd refuses somebody is no call of his.  These words are systemd's alone: the bus sees to that. */
#define REFUSALS "type='error',sender='org.freedesktop.systemd1'"

struct call {
        struct unit_caller *caller;
        sd_bus_slot *question; /* who the sender is; NULL: that is answered */
        char sender[SENDER_MAX], unit[TOOLSTACK_UNIT_MAX];
        uint64_t cookie;
        pid_t pid; /* the sender's; 0: not known */
};

struct unit_caller {
        sd_bus *bus;
        struct call calls[CALLS];
        size_t n_calls; /* ever */
};

static int on_credentials(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct call *call = userdata;
        uint32_t pid = 0;
        const char *key;

        call->question = sd_bus_slot_unref(call->question);
        if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_enter_container(reply, 'a', "{sv}") <= 0)
                return 0;
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                if (sd_bus_message_read(reply, "s", &key) < 0)
                        break;
                if (!strcmp(key, "ProcessID"))
                        sd_bus_message_read(reply, "v", "u", &pid);
                else
                        sd_bus_message_skip(reply, "v");
                if (sd_bus_message_exit_container(reply) < 0)
                        break;
        }
        if (pid > 0 && pid <= INT32_MAX && *call->unit) {
                call->pid = (pid_t)pid;
                toolstack_note_asker(call->unit, call->pid);
        }
        return 0;
}

static void take_call(struct unit_caller *caller, const char *sender, const char *unit, uint64_t cookie) {
        cleanup(sd_bus_message_unrefp) sd_bus_message *question = NULL;
        struct call *call = &caller->calls[caller->n_calls++ % CALLS];

        sd_bus_slot_unref(call->question);
        *call = (struct call){ .caller = caller, .cookie = cookie };
        text_set(call->sender, sizeof(call->sender), sender);
        text_set(call->unit, sizeof(call->unit), unit);
        if (sd_bus_message_new_method_call(caller->bus, &question, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                           "GetConnectionCredentials") >= 0 &&
            sd_bus_message_append(question, "s", sender) >= 0)
                sd_bus_call_async(caller->bus, &call->question, question, on_credentials, call, ANSWER_USEC);
}

static void on_refusal(struct unit_caller *caller, sd_bus_message *error) {
        const char *destination = sd_bus_message_get_destination(error);
        uint64_t cookie;

        if (!destination || sd_bus_message_get_reply_cookie(error, &cookie) < 0)
                return;
        for (size_t i = 0; i < CALLS; i++) {
                struct call *call = &caller->calls[i];

                if (!*call->unit || call->cookie != cookie || strcmp(call->sender, destination))
                        continue;
                if (call->pid)
                        toolstack_forget_asker(call->unit, call->pid);
                *call->unit = '\0';
        }
}

void unit_caller_hear(struct unit_caller *caller, sd_bus_message *message) {
        const char *member = sd_bus_message_get_member(message), *sender = sd_bus_message_get_sender(message);
        cleanup(freep) char *name = NULL;
        const char *unit = NULL;
        uint64_t cookie = 0;
        size_t i = 0;

        if (sd_bus_message_is_method_error(message, NULL) > 0) {
                on_refusal(caller, message);
                return;
        }
        while (i < N_ELEMENTS(members) && (!member || strcmp(member, members[i].member)))
                i++;
        if (i == N_ELEMENTS(members) || !sender ||
            sd_bus_message_is_method_call(message, members[i].is_of_unit ? UNIT : MANAGER, NULL) <= 0)
                return;
        /* Whoever wants no answer would not be refused, either. */
        if (sd_bus_message_get_expect_reply(message) <= 0)
                return;
        if (!members[i].is_of_unit) {
                if (sd_bus_message_read(message, "s", &unit) < 0)
                        return;
        } else if (sd_bus_path_decode(sd_bus_message_get_path(message), UNITS_PATH, &name) > 0) {
                unit = name;
        }
        if (!unit || strlen(unit) >= TOOLSTACK_UNIT_MAX)
                return;
        sd_bus_message_get_cookie(message, &cookie);
        take_call(caller, sender, unit, cookie);
}

const char *unit_caller_rule(size_t i) {
        if (i < N_ELEMENTS(members))
                return members[i].rule;
        return i == N_ELEMENTS(members) ? REFUSALS : NULL;
}

int unit_caller_new(struct unit_caller **ret_caller, sd_bus *bus) {
        struct unit_caller *caller = calloc(1, sizeof(*caller));

        if (!caller)
                return -ENOMEM;
        caller->bus = bus;
        *ret_caller = caller;
        return 0;
}

struct unit_caller *unit_caller_free(struct unit_caller *caller) {
        if (!caller)
                return NULL;
        for (size_t i = 0; i < CALLS; i++)
                sd_bus_slot_unref(caller->calls[i].question);
        free(caller);
        return NULL;
}
