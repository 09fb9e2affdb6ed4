#include "client/verdicts.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct vmpower_verdict {
        struct client_object object;
};

struct vmpower_verdicts {
        uint64_t next;
        size_t n;
        struct vmpower_verdict items[];
};

/* Another version of the form may mean something else by the same words. */
static int verdict_init(struct vmpower_verdict *verdict, json_t *json) {
        const char *schema;
        int r;

        r = client_object_init(&verdict->object, json);
        if (r)
                return r;
        schema = client_object_text(&verdict->object, "schema");
        if (schema && !strcmp(schema, "vmpower.verdict/1"))
                return 0;
        client_object_deinit(&verdict->object);
        return -EPROTO;
}

int verdict_new(struct vmpower_verdict **ret_verdict, json_t *json) {
        struct vmpower_verdict *verdict = calloc(1, sizeof(*verdict));
        int r;

        if (!verdict) {
                json_decref(json);
                return -ENOMEM;
        }
        r = verdict_init(verdict, json);
        if (r) {
                free(verdict);
                return r;
        }
        *ret_verdict = verdict;
        return 0;
}

struct vmpower_verdict *vmpower_verdict_free(struct vmpower_verdict *verdict) {
        if (verdict)
                client_object_deinit(&verdict->object);
        free(verdict);
        return NULL;
}

static int ask_for_verdict(struct vmpower *vmpower, const char *target, struct vmpower_verdict **ret_verdict) {
        json_t *json;
        int r;

        r = target ? client_ask(vmpower, "GET", target, NULL, &json) : client_fail_http(vmpower, -ENOMEM);
        if (r)
                return r;
        r = verdict_new(ret_verdict, json);
        return r ? client_fail_http(vmpower, r) : 0;
}

int vmpower_why(struct vmpower *vmpower, const char *vm, struct vmpower_verdict **ret_verdict) {
        cleanup(freep) char *target = client_target("/v1/vms/", vm, "/verdict");
        int r = ask_for_verdict(vmpower, target, ret_verdict);

        return r == -EBUSY ? VMPOWER_HAS_NOT_STOPPED : r;
}

int vmpower_find_verdict(struct vmpower *vmpower, const char *id, struct vmpower_verdict **ret_verdict) {
        cleanup(freep) char *target = client_target("/v1/verdicts/", id, "");

        return ask_for_verdict(vmpower, target, ret_verdict);
}

/* One more parameter of a query.  false: no memory. */
static bool add_parameter(char **target, const char *key, const char *value) {
        cleanup(freep) char *before = *target, *prefix = NULL;

        *target = NULL;
        if (!before || asprintf(&prefix, "%s%c%s=", before, strchr(before, '?') ? '&' : '?', key) < 0) {
                prefix = NULL;
                return false;
        }
        *target = client_target(prefix, value, "");
        return *target;
}

static bool add_text(char **target, const char *key, const char *value) {
        return !value || add_parameter(target, key, value);
}

static bool add_number(char **target, const char *key, uint64_t value) {
        char text[24];

        snprintf(text, sizeof(text), "%" PRIu64, value);
        return !value || add_parameter(target, key, text);
}

static char *history_target(const struct vmpower_filter *filter) {
        cleanup(freep) char *target = strdup("/v1/verdicts");

        if (!target || !filter)
                return take_pointer(target);
        if (!add_text(&target, "vm", filter->vm) || !add_text(&target, "initiator", filter->initiator) ||
            !add_text(&target, "transition", filter->transition) || !add_text(&target, "since", filter->since) ||
            !add_text(&target, "until", filter->until) || !add_number(&target, "before", filter->before) ||
            !add_number(&target, "limit", filter->limit))
                return NULL;
        return take_pointer(target);
}

struct vmpower_verdicts *vmpower_verdicts_free(struct vmpower_verdicts *verdicts) {
        for (size_t i = 0; verdicts && i < verdicts->n; i++)
                client_object_deinit(&verdicts->items[i].object);
        free(verdicts);
        return NULL;
}

size_t vmpower_verdicts_count(const struct vmpower_verdicts *verdicts) {
        return verdicts->n;
}

const struct vmpower_verdict *vmpower_verdicts_get(const struct vmpower_verdicts *verdicts, size_t i) {
        return i < verdicts->n ? &verdicts->items[i] : NULL;
}

uint64_t vmpower_verdicts_next(const struct vmpower_verdicts *verdicts) {
        return verdicts->next;
}

int vmpower_list_verdicts(struct vmpower *vmpower, const struct vmpower_filter *filter,
                          struct vmpower_verdicts **ret_verdicts) {
        cleanup(freep) char *target = history_target(filter);
        cleanup(json_decrefp) json_t *json = NULL;
        struct vmpower_verdicts *verdicts;
        json_int_t next;
        json_t *list;
        size_t n;
        int r;

        r = target ? client_ask(vmpower, "GET", target, NULL, &json) : client_fail_http(vmpower, -ENOMEM);
        if (r)
                return r;
        list = json_object_get(json, "verdicts");
        if (!json_is_array(list))
                return client_fail_http(vmpower, -EPROTO);
        n = json_array_size(list);
        verdicts = calloc(1, sizeof(*verdicts) + n * sizeof(verdicts->items[0]));
        if (!verdicts)
                return client_fail_http(vmpower, -ENOMEM);
        for (; verdicts->n < n; verdicts->n++) {
                r = verdict_init(&verdicts->items[verdicts->n], json_incref(json_array_get(list, verdicts->n)));
                if (r) {
                        vmpower_verdicts_free(verdicts);
                        return client_fail_http(vmpower, r);
                }
        }
        next = json_integer_value(json_object_get(json, "next"));
        verdicts->next = next > 0 ? (uint64_t)next : 0;
        *ret_verdicts = verdicts;
        return 0;
}

const char *vmpower_verdict_id(const struct vmpower_verdict *verdict) {
        return client_object_text(&verdict->object, "id");
}

const char *vmpower_verdict_vm(const struct vmpower_verdict *verdict) {
        return client_object_text_in(&verdict->object, "vm", "name");
}

const char *vmpower_verdict_instance(const struct vmpower_verdict *verdict) {
        return client_object_text_in(&verdict->object, "vm", "instance");
}

const char *vmpower_verdict_time(const struct vmpower_verdict *verdict) {
        return client_object_text(&verdict->object, "time");
}

const char *vmpower_verdict_transition(const struct vmpower_verdict *verdict) {
        return client_object_text(&verdict->object, "transition");
}

const char *vmpower_verdict_initiator(const struct vmpower_verdict *verdict) {
        return client_object_text(&verdict->object, "initiator");
}

const char *vmpower_verdict_mechanism(const struct vmpower_verdict *verdict) {
        return client_object_text(&verdict->object, "mechanism");
}

int vmpower_verdict_graceful(const struct vmpower_verdict *verdict) {
        const json_t *value = json_object_get(verdict->object.json, "graceful");

        return json_is_boolean(value) ? json_is_true(value) : -1;
}

const char *vmpower_verdict_left(const struct vmpower_verdict *verdict) {
        return client_object_text(&verdict->object, "left");
}

uint64_t vmpower_verdict_count(const struct vmpower_verdict *verdict) {
        int64_t count = client_object_number_in(&verdict->object, NULL, "count", 1);

        return count > 0 ? (uint64_t)count : 1;
}

const char *vmpower_verdict_confidence(const struct vmpower_verdict *verdict) {
        return client_object_text(&verdict->object, "confidence");
}

const char *vmpower_verdict_rule(const struct vmpower_verdict *verdict) {
        return client_object_text(&verdict->object, "rule");
}

const char *vmpower_verdict_summary(const struct vmpower_verdict *verdict) {
        return client_object_text(&verdict->object, "summary");
}

const char *vmpower_verdict_revises(const struct vmpower_verdict *verdict) {
        return client_object_text(&verdict->object, "revises");
}

int64_t vmpower_verdict_actor_pid(const struct vmpower_verdict *verdict) {
        return client_object_number_in(&verdict->object, "actor", "pid", 0);
}

int64_t vmpower_verdict_actor_uid(const struct vmpower_verdict *verdict) {
        return client_object_number_in(&verdict->object, "actor", "uid", -1);
}

const char *vmpower_verdict_actor_user(const struct vmpower_verdict *verdict) {
        return client_object_text_in(&verdict->object, "actor", "user");
}

const char *vmpower_verdict_actor_comm(const struct vmpower_verdict *verdict) {
        return client_object_text_in(&verdict->object, "actor", "comm");
}

const char *vmpower_verdict_json(const struct vmpower_verdict *verdict) {
        return verdict->object.text;
}
