#include "json/actor_json.h"

#include "basics/cleanup.h"
#include "json/text_json.h"

#include <errno.h>

static json_t *pid_to_json(int64_t pid) {
        return pid ? json_integer(pid) : json_null();
}

/* Keys that came later: whoever wrote or reads without them is right, too. */
static int set_if_known(json_t *json, const char *key, int64_t pid) {
        return pid ? json_object_set_new(json, key, json_integer(pid)) : 0;
}

static int parents_to_json(const struct actor *actor, json_t **ret_json) {
        cleanup(json_decrefp) json_t *parents = json_array();

        for (size_t i = 0; i < actor->n_parents && i < ACTOR_PARENTS_MAX; i++) {
                cleanup(json_decrefp) json_t *parent = json_object();

                if (json_object_set_new(parent, "pid", pid_to_json(actor->parents[i].pid)) ||
                    json_object_set_new(parent, "comm", text_to_json(actor->parents[i].comm)) ||
                    json_array_append(parents, parent))
                        return -ENOMEM;
        }
        *ret_json = take_pointer(parents);
        return *ret_json ? 0 : -ENOMEM;
}

static int client_to_json(json_t *json, const struct actor_client *client) {
        json_t *told;

        if (!client->pid)
                return 0;
        told = json_object();
        if (json_object_set_new(told, "pid", pid_to_json(client->pid)) ||
            json_object_set_new(told, "uid", client->uid < 0 ? json_null() : json_integer(client->uid)) ||
            json_object_set_new(told, "user", text_to_json(client->user)) ||
            json_object_set_new(told, "comm", text_to_json(client->comm)) ||
            json_object_set_new(told, "cmdline", text_to_json(client->cmdline))) {
                json_decref(told);
                return -ENOMEM;
        }
        return json_object_set_new(json, "client", told);
}

int actor_to_json(const struct actor *actor, json_t **ret_json) {
        cleanup(json_decrefp) json_t *json = NULL, *parents = NULL;
        int r;

        if (!actor) {
                *ret_json = json_null();
                return 0;
        }
        r = parents_to_json(actor, &parents);
        if (r)
                return r;

        json = json_object();
        if (json_object_set_new(json, "pid", pid_to_json(actor->pid)) || set_if_known(json, "tid", actor->tid) ||
            set_if_known(json, "session", actor->session) ||
            json_object_set_new(json, "uid", actor->uid < 0 ? json_null() : json_integer(actor->uid)) ||
            json_object_set_new(json, "user", text_to_json(actor->user)) ||
            json_object_set_new(json, "login_user", text_to_json(actor->login_user)) ||
            (actor->login_from[0] && json_object_set_new(json, "login_from", text_to_json(actor->login_from))) ||
            json_object_set_new(json, "comm", text_to_json(actor->comm)) ||
            json_object_set_new(json, "exe", text_to_json(actor->exe)) ||
            json_object_set_new(json, "cmdline", text_to_json(actor->cmdline)) ||
            json_object_set_new(json, "cgroup", text_to_json(actor->cgroup)) ||
            json_object_set(json, "parents", parents) || client_to_json(json, &actor->client) ||
            json_object_set_new(json, "via", text_to_json(actor->via)) ||
            json_object_set_new(json, "confidence", json_string(confidence_name(actor->confidence))))
                return -ENOMEM;
        *ret_json = take_pointer(json);
        return 0;
}

static int pid_from_json(const json_t *json, const char *key, int64_t *ret_pid) {
        return integer_from_json(json, key, 0, INT32_MAX, 0, ret_pid);
}

static int parents_from_json(const json_t *json, struct actor *actor) {
        const json_t *parents = json_object_get(json, "parents"), *parent;
        size_t i;

        if (!parents || json_is_null(parents))
                return 0;
        if (!json_is_array(parents))
                return -EINVAL;
        json_array_foreach(parents, i, parent) {
                if (i == ACTOR_PARENTS_MAX)
                        break;
                if (!json_is_object(parent) || pid_from_json(parent, "pid", &actor->parents[i].pid) ||
                    text_from_json(parent, "comm", actor->parents[i].comm, sizeof(actor->parents[i].comm)))
                        return -EINVAL;
                actor->n_parents++;
        }
        return 0;
}

static int client_from_json(const json_t *json, struct actor_client *client) {
        const json_t *told = json_object_get(json, "client");

        if (!told || json_is_null(told))
                return 0;
        if (!json_is_object(told) || pid_from_json(told, "pid", &client->pid) ||
            integer_from_json(told, "uid", 0, UINT32_MAX, -1, &client->uid) ||
            text_from_json(told, "user", client->user, sizeof(client->user)) ||
            text_from_json(told, "comm", client->comm, sizeof(client->comm)) ||
            text_from_json(told, "cmdline", client->cmdline, sizeof(client->cmdline)))
                return -EINVAL;
        if (!client->pid)
                *client = (struct actor_client){ 0 };
        return 0;
}

int actor_from_json(const json_t *json, struct actor *ret_actor) {
        struct actor *actor = ret_actor;
        char confidence[EVIDENCE_WORD_MAX];

        *actor = (struct actor){ .uid = -1 };
        if (!json_is_object(json) || pid_from_json(json, "pid", &actor->pid) || pid_from_json(json, "tid", &actor->tid) ||
            pid_from_json(json, "session", &actor->session) ||
            integer_from_json(json, "uid", 0, UINT32_MAX, -1, &actor->uid) ||
            text_from_json(json, "user", actor->user, sizeof(actor->user)) ||
            text_from_json(json, "login_user", actor->login_user, sizeof(actor->login_user)) ||
            text_from_json(json, "login_from", actor->login_from, sizeof(actor->login_from)) ||
            text_from_json(json, "comm", actor->comm, sizeof(actor->comm)) ||
            text_from_json(json, "exe", actor->exe, sizeof(actor->exe)) ||
            text_from_json(json, "cmdline", actor->cmdline, sizeof(actor->cmdline)) ||
            text_from_json(json, "cgroup", actor->cgroup, sizeof(actor->cgroup)) || parents_from_json(json, actor) ||
            client_from_json(json, &actor->client) ||
            text_from_json(json, "via", actor->via, sizeof(actor->via)) ||
            text_from_json(json, "confidence", confidence, sizeof(confidence)))
                return -EINVAL;

        /* Who does not say how sure he is, is not. */
        if (!*confidence)
                actor->confidence = CONFIDENCE_GUESS;
        else if (confidence_from_name(confidence, &actor->confidence))
                return -EINVAL;
        return 0;
}
