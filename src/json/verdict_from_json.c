#include "json/verdict_json.h"

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "json/actor_json.h"
#include "json/evidence_json.h"
#include "json/text_json.h"
#include "json/time_text.h"

#include <errno.h>
#include <string.h>

enum {
        ITEMS_MAX = 4096, /* no verdict of ours rests on nearly as many */
};

/* A word that must be there; "" has no meaning in any table. */
static const char *word(const json_t *json, const char *key) {
        const char *value = json_string_value(json_object_get(json, key));

        return value ? value : "";
}

static int read_words(const json_t *json, struct verdict *verdict) {
        if (transition_from_name(word(json, "transition"), &verdict->transition) ||
            initiator_from_name(word(json, "initiator"), &verdict->initiator) ||
            mechanism_from_name(word(json, "mechanism"), &verdict->mechanism) ||
            left_from_name(word(json, "left"), &verdict->left) ||
            confidence_from_name(word(json, "confidence"), &verdict->confidence) ||
            tristate_from_json(json, "graceful", &verdict->graceful) || time_from_text(word(json, "time"), &verdict->time_ns))
                return -EINVAL;
        return 0;
}

static int read_texts(const json_t *json, struct verdict_record *record) {
        const json_t *vm = json_object_get(json, "vm");

        if (!json_is_object(vm) || text_from_json(json, "id", record->id, sizeof(record->id)) ||
            text_from_json(vm, "name", record->vm.name, sizeof(record->vm.name)) ||
            text_from_json(vm, "uuid", record->vm.uuid, sizeof(record->vm.uuid)) ||
            text_from_json(vm, "backend", record->vm.backend, sizeof(record->vm.backend)) ||
            text_from_json(vm, "instance", record->vm.instance, sizeof(record->vm.instance)) ||
            text_from_json(json, "rule", record->rule, sizeof(record->rule)) ||
            text_from_json(json, "summary", record->summary, sizeof(record->summary)) ||
            text_from_json(json, "revises", record->revises, sizeof(record->revises)))
                return -EINVAL;
        return 0;
}

static int read_item(const json_t *json, struct evidence *ret_item) {
        struct evidence item = {};
        int64_t id;
        int r;

        if (!json_is_object(json) || integer_from_json(json, "id", 0, INT64_MAX, 0, &id) ||
            evidence_source_from_name(word(json, "source"), &item.source) ||
            evidence_kind_from_name(word(json, "kind"), &item.kind) || time_from_text(word(json, "time"), &item.time_ns))
                return -EINVAL;
        item.id = (uint64_t)id;
        r = evidence_data_from_json(json_object_get(json, "data"), &item);
        if (!r)
                *ret_item = item;
        return r;
}

static int read_items(const json_t *items, struct verdict_record *record) {
        size_t n = json_array_size(items);
        int r;

        if (!json_is_array(items) || n > ITEMS_MAX)
                return -EINVAL;
        record->items = n ? calloc(n, sizeof(record->items[0])) : NULL;
        if (n && !record->items)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const json_t *item = json_array_get(items, i);

                r = read_item(item, &record->items[i]);
                if (r)
                        return r;
                record->n_items++;
                if (json_is_true(json_object_get(item, "proof")) && record->verdict.n_proof < VERDICT_PROOF_MAX)
                        record->verdict.proof[record->verdict.n_proof++] = i;
        }
        return 0;
}

static int read_actor(const json_t *json, struct verdict_record *record) {
        if (!json || json_is_null(json))
                return 0;
        record->actor = malloc(sizeof(*record->actor));
        if (!record->actor)
                return -ENOMEM;
        record->verdict.actor = record->actor;
        return actor_from_json(json, record->actor);
}

static int read_decision(const json_t *json, struct decision *decision) {
        if (!json || json_is_null(json))
                return 0;
        decision->exists = true;
        return policy_event_from_name(word(json, "policy"), &decision->event) ||
                               policy_action_from_name(word(json, "action"), &decision->action) ||
                               decision_result_from_name(word(json, "result"), &decision->result) ?
                       -EINVAL :
                       0;
}

int verdict_record_from_json(const json_t *json, struct verdict_record *ret_record) {
        struct verdict_record record = { .verdict.rule = "" };
        int64_t count;
        int r;

        if (!json_is_object(json) || strcmp(word(json, "schema"), "vmpower.verdict/1"))
                return -EINVAL;
        r = read_words(json, &record.verdict);
        if (!r)
                r = read_texts(json, &record);
        if (!r)
                r = integer_from_json(json, "count", 0, INT64_MAX, 1, &count);
        if (!r)
                r = read_decision(json_object_get(json, "decision"), &record.decision);
        if (!r)
                r = read_items(json_object_get(json, "evidence"), &record);
        if (!r)
                r = read_actor(json_object_get(json, "actor"), &record);
        if (r) {
                verdict_record_deinit(&record);
                return r;
        }
        record.verdict.count = (uint64_t)count;
        *ret_record = record;
        return 0;
}
