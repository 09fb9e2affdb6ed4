#include "api/view.h"

#include "basics/cleanup.h"
#include "json/evidence_json.h"
#include "json/text_json.h"
#include "json/time_text.h"
#include "json/verdict_json.h"

#include <errno.h>
#include <string.h>

static int hide_his_command_line(json_t *who, const struct peer *peer) {
        const json_t *uid = json_object_get(who, "uid");

        if (!json_is_object(who) || peer_sees_command_line(peer, json_is_integer(uid) ? json_integer_value(uid) : -1))
                return 0;
        return json_object_set_new(who, "cmdline", json_null()) ? -ENOMEM : 0;
}

/* An actor's command line is his own, and so is his client's. */
static int hide_command_line(json_t *actor, const struct peer *peer) {
        int r = hide_his_command_line(actor, peer);

        return r ? r : hide_his_command_line(json_object_get(actor, "client"), peer);
}

static int hide_in_evidence(json_t *evidence, const struct peer *peer) {
        return hide_command_line(json_object_get(json_object_get(evidence, "data"), "actor"), peer);
}

int view_verdict(const struct verdict_record *record, const struct peer *peer, json_t **ret_json) {
        cleanup(json_decrefp) json_t *json = NULL;
        json_t *item;
        size_t i;
        int r;

        r = verdict_record_to_json(record, &json);
        if (!r)
                r = hide_command_line(json_object_get(json, "actor"), peer);
        if (r)
                return r;
        json_array_foreach(json_object_get(json, "evidence"), i, item) {
                r = hide_in_evidence(item, peer);
                if (r)
                        return r;
        }
        *ret_json = take_pointer(json);
        return 0;
}

int view_evidence(const struct evidence *evidence, const struct peer *peer, json_t **ret_json) {
        cleanup(json_decrefp) json_t *json = NULL;
        int r;

        r = evidence_to_json(evidence, false, &json);
        if (!r)
                r = hide_in_evidence(json, peer);
        if (r)
                return r;
        json_object_del(json, "proof");
        *ret_json = take_pointer(json);
        return 0;
}

static json_t *text_or_null(const char *text) {
        return text ? text_to_json(text) : json_null();
}

/* Who tells of it: its process as long as there is one, its monitor while we hold it. */
static json_t *sources_to_json(const struct kept_vm *vm) {
        json_t *sources = json_array();

        for (enum evidence_source source = 0; source < _SOURCE_N; source++)
                if ((vm->sources & (1u << source)) && (source != SOURCE_PROCESS || strcmp(vm->state, left_name(LEFT_GONE))))
                        json_array_append_new(sources, json_string(evidence_source_name(source)));
        return sources;
}

static json_t *last_verdict_to_json(const struct kept_vm *vm) {
        json_t *json;

        if (!vm->last_verdict)
                return json_null();
        json = json_object();
        if (json_object_set_new(json, "id", text_to_json(vm->last_verdict)) ||
            json_object_set_new(json, "summary", text_or_null(vm->last_summary))) {
                json_decref(json);
                return NULL;
        }
        return json;
}

/* A command line may be longer than any other text, and of any bytes. */
static json_t *command_line_to_json(const struct store_vm *vm, const struct peer *peer) {
        json_t *json;

        if (!vm->command_line || !peer_sees_command_line(peer, vm->uid))
                return json_null();
        json = json_string(vm->command_line);
        return json ? json : text_to_json(vm->command_line);
}

int view_vm(const struct kept_vm *vm, const struct peer *peer, bool is_whole, json_t **ret_json) {
        const struct store_vm *instance = vm->instance;
        cleanup(json_decrefp) json_t *json = json_object();
        char since[TIME_TEXT_MAX], began[TIME_TEXT_MAX], policy[POLICY_TEXT_MAX] = "";

        if (vm->policy)
                policy_format(vm->policy, policy);
        time_to_text(vm->since_ns, since);
        time_to_text(instance->began_ns, began);
        if (json_object_set_new(json, "name", text_to_json(instance->identity.name)) ||
            json_object_set_new(json, "uuid", text_to_json(instance->identity.uuid)) ||
            json_object_set_new(json, "backend", text_to_json(instance->identity.backend)) ||
            json_object_set_new(json, "instance", text_to_json(instance->identity.instance)) ||
            json_object_set_new(json, "pid", instance->pid > 0 ? json_integer(instance->pid) : json_null()) ||
            json_object_set_new(json, "state", text_to_json(vm->state)) ||
            json_object_set_new(json, "began", json_string(began)) ||
            json_object_set_new(json, "since", vm->since_ns ? json_string(since) : json_null()) ||
            json_object_set_new(json, "monitor", text_or_null(vm->monitor)) ||
            json_object_set_new(json, "shared_monitor", text_or_null(vm->shared_monitor)) ||
            json_object_set_new(json, "could_attach", text_or_null(vm->could_attach)) ||
            json_object_set_new(json, "sources", sources_to_json(vm)) ||
            json_object_set_new(json, "last_verdict", last_verdict_to_json(vm)))
                return -ENOMEM;
        if (is_whole &&
            (json_object_set_new(json, "uid", instance->uid >= 0 ? json_integer(instance->uid) : json_null()) ||
             json_object_set_new(json, "policy", text_to_json(vm->policy || !instance->policy ? policy : instance->policy)) ||
             json_object_set_new(json, "command_line", command_line_to_json(instance, peer))))
                return -ENOMEM;
        *ret_json = take_pointer(json);
        return 0;
}
