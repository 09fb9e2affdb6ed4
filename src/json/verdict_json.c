#include "json/verdict_json.h"

#include "basics/cleanup.h"
#include "json/actor_json.h"
#include "json/evidence_json.h"
#include "json/text_json.h"
#include "json/time_text.h"

#include <errno.h>

static int vm_to_json(const struct vm_identity *vm, json_t **ret_json) {
        cleanup(json_decrefp) json_t *json = json_object();

        if (json_object_set_new(json, "name", text_to_json(vm->name)) ||
            json_object_set_new(json, "uuid", text_to_json(vm->uuid)) ||
            json_object_set_new(json, "backend", text_to_json(vm->backend)) ||
            json_object_set_new(json, "instance", text_to_json(vm->instance)))
                return -ENOMEM;
        *ret_json = take_pointer(json);
        return 0;
}

static int items_to_json(const struct verdict_record *record, json_t **ret_json) {
        cleanup(json_decrefp) json_t *items = json_array();
        int r;

        if (!items)
                return -ENOMEM;
        for (size_t i = 0; i < record->n_items; i++) {
                json_t *item;

                r = evidence_to_json(&record->items[i], verdict_record_is_proof(record, i), &item);
                if (r)
                        return r;
                if (json_array_append_new(items, item))
                        return -ENOMEM;
        }
        *ret_json = take_pointer(items);
        return 0;
}

static int decision_to_json(const struct decision *decision, json_t **ret_json) {
        cleanup(json_decrefp) json_t *json = NULL;

        if (!decision->exists) {
                *ret_json = json_null();
                return 0;
        }
        json = json_object();
        if (json_object_set_new(json, "policy", json_string(policy_event_name(decision->event))) ||
            json_object_set_new(json, "action", json_string(policy_action_name(decision->action))) ||
            json_object_set_new(json, "result", json_string(decision_result_name(decision->result))))
                return -ENOMEM;
        *ret_json = take_pointer(json);
        return 0;
}

int verdict_record_to_json(const struct verdict_record *record, json_t **ret_json) {
        cleanup(json_decrefp) json_t *json = json_object(), *vm = NULL, *actor = NULL, *items = NULL, *decision = NULL;
        const struct verdict *verdict = &record->verdict;
        char time[TIME_TEXT_MAX];
        int r;

        r = vm_to_json(&record->vm, &vm);
        if (r)
                return r;
        r = actor_to_json(record->actor, &actor);
        if (r)
                return r;
        r = items_to_json(record, &items);
        if (r)
                return r;
        r = decision_to_json(&record->decision, &decision);
        if (r)
                return r;
        time_to_text(verdict->time_ns, time);

        if (json_object_set_new(json, "schema", json_string("vmpower.verdict/1")) ||
            json_object_set_new(json, "id", text_to_json(record->id)) || json_object_set(json, "vm", vm) ||
            json_object_set_new(json, "time", json_string(time)) ||
            json_object_set_new(json, "transition", json_string(transition_name(verdict->transition))) ||
            json_object_set_new(json, "initiator", json_string(initiator_name(verdict->initiator))) ||
            json_object_set_new(json, "mechanism", json_string(mechanism_name(verdict->mechanism))) ||
            json_object_set_new(json, "graceful", tristate_to_json(verdict->graceful)) ||
            json_object_set_new(json, "left", json_string(left_name(verdict->left))) ||
            json_object_set_new(json, "count", unsigned_to_json(verdict->count)) ||
            json_object_set(json, "actor", actor) ||
            json_object_set_new(json, "confidence", json_string(confidence_name(verdict->confidence))) ||
            json_object_set_new(json, "rule", text_to_json(record->rule)) ||
            json_object_set_new(json, "summary", text_to_json(record->summary)) ||
            json_object_set(json, "evidence", items) || json_object_set(json, "decision", decision) ||
            json_object_set_new(json, "revises", text_to_json(record->revises)))
                return -ENOMEM;
        *ret_json = take_pointer(json);
        return 0;
}
