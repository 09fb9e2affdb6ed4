#include "json/evidence_json.h"

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "json/actor_json.h"
#include "json/text_json.h"
#include "json/time_text.h"

#include <errno.h>
#include <string.h>

int evidence_data_to_json(const struct evidence *evidence, json_t **ret_data) {
        const struct evidence_kind_info *info = evidence_kind_info(evidence->kind);
        cleanup(json_decrefp) json_t *data = json_object(), *actor = NULL;
        int r;

        if (info->actor) {
                r = actor_to_json(evidence->actor, &actor);
                if (r)
                        return r;
        }
        if (!data || (info->flag && json_object_set_new(data, info->flag, tristate_to_json(evidence->flag))) ||
            (info->word && json_object_set_new(data, info->word, text_to_json(evidence->word))) ||
            (info->number && json_object_set_new(data, info->number, json_integer(evidence->number))) ||
            (info->text && json_object_set_new(data, info->text, text_to_json(evidence->text))) ||
            (info->actor && json_object_set(data, "actor", actor)))
                return -ENOMEM;
        *ret_data = take_pointer(data);
        return 0;
}

int evidence_to_json(const struct evidence *evidence, bool is_proof, json_t **ret_json) {
        cleanup(json_decrefp) json_t *json = json_object(), *data = NULL;
        char time[TIME_TEXT_MAX];
        int r;

        r = evidence_data_to_json(evidence, &data);
        if (r)
                return r;
        time_to_text(evidence->time_ns, time);
        if (json_object_set_new(json, "id", unsigned_to_json(evidence->id)) ||
            json_object_set_new(json, "time", json_string(time)) ||
            json_object_set_new(json, "source", json_string(evidence_source_name(evidence->source))) ||
            json_object_set_new(json, "kind", json_string(evidence_kind_info(evidence->kind)->name)) ||
            json_object_set_new(json, "proof", json_boolean(is_proof)) || json_object_set(json, "data", data))
                return -ENOMEM;
        *ret_json = take_pointer(json);
        return 0;
}

int evidence_data_from_json(const json_t *data, struct evidence *evidence) {
        const struct evidence_kind_info *info = evidence_kind_info(evidence->kind);
        struct evidence fact = evidence_make(evidence->source, evidence->kind);
        const json_t *actor_data;
        struct actor actor;
        int r;

        if (!json_is_object(data) || (info->flag && tristate_from_json(data, info->flag, &fact.flag)) ||
            (info->word && text_from_json(data, info->word, fact.word, sizeof(fact.word))) ||
            (info->number && integer_from_json(data, info->number, INT64_MIN, INT64_MAX, 0, &fact.number)) ||
            (info->text && text_from_json(data, info->text, fact.text, sizeof(fact.text))))
                return -EINVAL;

        actor_data = info->actor ? json_object_get(data, "actor") : NULL;
        if (actor_data && !json_is_null(actor_data)) {
                r = actor_from_json(actor_data, &actor);
                if (r)
                        return r;
                r = evidence_set_actor(&fact, &actor);
                if (r)
                        return r;
        }

        /* Nothing can fail any more: only now the caller's fact changes. */
        evidence_deinit(evidence);
        evidence->flag = fact.flag;
        evidence->number = fact.number;
        memcpy(evidence->word, fact.word, sizeof(fact.word));
        memcpy(evidence->text, fact.text, sizeof(fact.text));
        evidence->actor = fact.actor;
        return 0;
}
