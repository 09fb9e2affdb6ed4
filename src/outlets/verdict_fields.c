#include "outlets/verdict_fields.h"

#include "json/time_text.h"

#include <inttypes.h>
#include <stdio.h>

struct telling {
        void (*each)(const char *name, const char *value, void *userdata);
        void *userdata;
};

static void tell(const struct telling *telling, const char *name, const char *value) {
        if (value && *value)
                telling->each(name, value, telling->userdata);
}

static void tell_number(const struct telling *telling, const char *name, int64_t number) {
        char text[24];

        snprintf(text, sizeof(text), "%" PRId64, number);
        tell(telling, name, text);
}

static void tell_tristate(const struct telling *telling, const char *name, enum tristate value) {
        switch (value) {
        case TRISTATE_NULL:
                break;
        case TRISTATE_FALSE:
                tell(telling, name, "false");
                break;
        case TRISTATE_TRUE:
                tell(telling, name, "true");
                break;
        }
}

/* Not its command line: a journal is read by more people than may see that. */
static void tell_actor(const struct telling *telling, const struct actor *actor) {
        if (!actor)
                return;
        if (actor->pid)
                tell_number(telling, "VMPOWER_ACTOR_PID", actor->pid);
        if (actor->uid >= 0)
                tell_number(telling, "VMPOWER_ACTOR_UID", actor->uid);
        tell(telling, "VMPOWER_ACTOR_USER", actor->user);
        tell(telling, "VMPOWER_ACTOR_LOGIN_USER", actor->login_user);
        tell(telling, "VMPOWER_ACTOR_LOGIN_FROM", actor->login_from);
        tell(telling, "VMPOWER_ACTOR_COMM", actor->comm);
        tell(telling, "VMPOWER_ACTOR_EXE", actor->exe);
        tell(telling, "VMPOWER_ACTOR_VIA", actor->via);
        if (!actor->client.pid)
                return;
        tell_number(telling, "VMPOWER_ACTOR_CLIENT_PID", actor->client.pid);
        if (actor->client.uid >= 0)
                tell_number(telling, "VMPOWER_ACTOR_CLIENT_UID", actor->client.uid);
        tell(telling, "VMPOWER_ACTOR_CLIENT_USER", actor->client.user);
        tell(telling, "VMPOWER_ACTOR_CLIENT_COMM", actor->client.comm);
}

static void tell_decision(const struct telling *telling, const struct decision *decision) {
        if (!decision->exists)
                return;
        tell(telling, "VMPOWER_POLICY", policy_event_name(decision->event));
        tell(telling, "VMPOWER_ACTION", policy_action_name(decision->action));
        tell(telling, "VMPOWER_RESULT", decision_result_name(decision->result));
}

void verdict_fields_each(const struct verdict_record *record,
                         void (*each)(const char *name, const char *value, void *userdata), void *userdata) {
        const struct telling telling = { each, userdata };
        const struct verdict *verdict = &record->verdict;
        char time[TIME_TEXT_MAX];

        time_to_text(verdict->time_ns, time);
        tell(&telling, "VMPOWER_VERDICT_ID", record->id);
        if (record->number)
                tell_number(&telling, "VMPOWER_NUMBER", (int64_t)record->number);
        tell(&telling, "VMPOWER_REVISES", record->revises);
        tell(&telling, "VMPOWER_VM", record->vm.name);
        tell(&telling, "VMPOWER_UUID", record->vm.uuid);
        tell(&telling, "VMPOWER_BACKEND", record->vm.backend);
        tell(&telling, "VMPOWER_INSTANCE", record->vm.instance);
        tell(&telling, "VMPOWER_TIME", time);
        tell(&telling, "VMPOWER_TRANSITION", transition_name(verdict->transition));
        tell(&telling, "VMPOWER_INITIATOR", initiator_name(verdict->initiator));
        tell(&telling, "VMPOWER_MECHANISM", mechanism_name(verdict->mechanism));
        tell_tristate(&telling, "VMPOWER_GRACEFUL", verdict->graceful);
        tell(&telling, "VMPOWER_LEFT", left_name(verdict->left));
        tell_number(&telling, "VMPOWER_COUNT", verdict->count > INT64_MAX ? INT64_MAX : (int64_t)verdict->count);
        tell(&telling, "VMPOWER_CONFIDENCE", confidence_name(verdict->confidence));
        tell(&telling, "VMPOWER_RULE", record->rule);
        tell_actor(&telling, verdict->actor ? verdict->actor : record->actor);
        tell_decision(&telling, &record->decision);
}
