#include "api/vms.h"

#include "api/routes.h"
#include "api/view.h"
#include "basics/cleanup.h"
#include "core/evidence.h"
#include "core/text.h"
#include "json/text_json.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

void found_vm_deinit(struct found_vm *found) {
        store_vm_deinit(&found->stored);
        verdict_record_deinit(&found->last);
}

/* What a record says about itself outlives the query; its evidence does not. */
static int keep_record(const struct verdict_record *record, void *userdata) {
        struct verdict_record *last = userdata;

        *last = *record;
        last->items = NULL;
        last->n_items = 0;
        last->actor = NULL;
        last->verdict.actor = NULL;
        return 1;
}

/* One that history alone knows: it is gone. */
static int find_in_history(struct request *request, struct found_vm *found, char why[static STORE_WHY_MAX]) {
        const struct store_query query = { .name = request->name, .owner = peer_sees_only(request->peer), .limit = 1 };
        bool has_verdict;
        int r;

        r = store_each_verdict(request->store, &query, keep_record, &found->last, why);
        if (r < 0)
                return r;
        has_verdict = r > 0;
        r = store_find_vm(request->store, has_verdict ? found->last.vm.instance : request->name, &found->stored);
        if (r)
                return r;
        if (!peer_may_see(request->peer, found->stored.uid))
                return -ENOENT;
        found->vm = (struct kept_vm){
                .instance = &found->stored,
                .state = left_name(LEFT_GONE),
                .since_ns = found->stored.ended_ns,
                .last_verdict = has_verdict ? found->last.id : NULL,
                .last_summary = has_verdict ? found->last.summary : NULL,
        };
        return 0;
}

bool request_find_vm(struct request *request, struct found_vm *ret_found) {
        char why[STORE_WHY_MAX] = "";
        int r;

        *ret_found = (struct found_vm){};
        r = keeper_find_vm(request->keeper, request->name, request->peer->uid, &ret_found->vm);
        if (!r && peer_may_see(request->peer, ret_found->vm.instance->uid))
                return true;
        r = find_in_history(request, ret_found, why);
        if (r == -ENOENT)
                request_fail(request, 404, "there is no VM %.200s", request->name);
        else if (r)
                request_fail_errno(request, r, why);
        return !r;
}

static void answer_with_vm(struct request *request, unsigned status, const struct kept_vm *vm) {
        json_t *json;

        request_answer(request, status, view_vm(vm, request->peer, true, &json) ? NULL : json);
}

void answer_vm(struct request *request) {
        cleanup(found_vm_deinit) struct found_vm found;

        if (request_find_vm(request, &found))
                answer_with_vm(request, 200, &found.vm);
}

static int add_vm(const struct kept_vm *vm, void *userdata) {
        struct request *request = userdata;
        cleanup(json_decrefp) json_t *json = NULL;

        if (!peer_may_see(request->peer, vm->instance->uid))
                return 0;
        if (view_vm(vm, request->peer, false, &json))
                return -ENOMEM;
        if (request->text.text[request->text.n - 1] != '[')
                buffer_add(&request->text, ",", 1);
        buffer_add_json(&request->text, json);
        return request->text.has_failed ? -ENOMEM : 0;
}

void answer_vms(struct request *request) {
        int r;

        request->status = 200;
        buffer_print(&request->text, "{\"vms\":[");
        r = request->text.has_failed ? -ENOMEM : keeper_each_vm(request->keeper, add_vm, request);
        buffer_print(&request->text, "]}\n");
        if (r || request->text.has_failed)
                request_answer(request, 503, NULL);
}

/* Who asks, to be written down.  Where his process is another's by now, only what the kernel said of the connection. */
static struct actor identify(const struct request *request, const char *via) {
        const struct peer *peer = request->peer;
        struct actor actor = {}, nobody = { .pid = peer->pid, .uid = peer->uid };

        text_set(nobody.via, sizeof(nobody.via), via);
        if (!request->config->identify || peer->pid <= 0 || request->config->identify((pid_t)peer->pid, via, &actor) ||
            actor.uid != peer->uid)
                return nobody;
        return actor;
}

/* The status of a keeper's refusal. */
static unsigned refusal(int r) {
        switch (-r) {
        case ENOENT:
                return 404;
        case EPERM:
        case EACCES:
                return 403;
        case EBUSY:
        case EEXIST:
        case ECONNRESET:
        case EPROTO:
        case ESRCH:
        case ENOTCONN:
                return 409;
        case ENOTSOCK:
        case EINVAL:
        case ENAMETOOLONG:
                return 400;
        default:
                return 503;
        }
}

static void refuse(struct request *request, int r, const char *why) {
        request_fail(request, refusal(r), "%s", *why ? why : strerror(-r));
}

struct attach_order {
        char name[VM_NAME_MAX];
        char path[PATH_MAX];
        int64_t pid; /* 0: not given */
};

/* A text that fits and is printable as it is: what is stored is what was sent. */
static bool take_text(const json_t *json, const char *key, char *ret_text, size_t n_ret) {
        const char *text = json_string_value(json_object_get(json, key));

        if (!text || !*text || text_from_json(json, key, ret_text, n_ret))
                return false;
        return !strcmp(text, ret_text);
}

static bool take_order(struct request *request, struct attach_order *ret_order) {
        cleanup(json_decrefp) json_t *json =
                json_loadb(request->body.text ? request->body.text : "", request->body.n, JSON_REJECT_DUPLICATES, NULL);
        const char *key;
        json_t *value;

        *ret_order = (struct attach_order){};
        if (!json_is_object(json)) {
                request_fail(request, 400, "the body is no JSON object such as {\"name\": \"web-1\", \"qmp\": \"/run/web-1.qmp\"}");
                return false;
        }
        json_object_foreach(json, key, value) {
                if (strcmp(key, "name") && strcmp(key, "qmp") && strcmp(key, "pid")) {
                        request_fail(request, 400, "there is no key %.64s; there are name, qmp and pid", key);
                        return false;
                }
        }
        if (!take_text(json, "name", ret_order->name, sizeof(ret_order->name))) {
                request_fail(request, 400, "\"name\" is a printable text of less than %d bytes", VM_NAME_MAX);
                return false;
        }
        if (!take_text(json, "qmp", ret_order->path, sizeof(ret_order->path)) || *ret_order->path != '/') {
                request_fail(request, 400, "\"qmp\" is the absolute path of a socket");
                return false;
        }
        if (integer_from_json(json, "pid", 0, INT32_MAX, 0, &ret_order->pid)) {
                request_fail(request, 400, "\"pid\" is the number of a process");
                return false;
        }
        return true;
}

static bool is_of(const char *path, int64_t uid) {
        struct stat status;

        return !stat(path, &status) && (int64_t)status.st_uid == uid;
}

/*
 * Who may not control everything attaches only what is his: a socket of his, at which a process of his listens (the keeper sees to it
 * that it is this process that does).  The daemon is no way to anybody else's socket.
 */
static bool check_attach(struct request *request, struct attach_order *order) {
        struct kept_vm vm;
        char path[32];

        if (request->peer->may_control_all)
                return true;
        if (!order->pid && !keeper_find_vm(request->keeper, order->name, request->peer->uid, &vm) &&
            vm.instance->uid == request->peer->uid)
                order->pid = vm.instance->pid;
        if (order->pid <= 0) {
                request_fail(request, 403, "say which process of yours it is: \"pid\"");
                return false;
        }
        snprintf(path, sizeof(path), "/proc/%d", (int)order->pid);
        if (is_of(path, request->peer->uid) && is_of(order->path, request->peer->uid))
                return true;
        request_fail(request, 403, "only root and members of %s may attach what is not theirs",
                     request->config->admin_group);
        return false;
}

/* The monitor has greeted and is held, or not. */
static void on_attached(void *userdata, int result, const struct kept_vm *vm, const char *why) {
        struct promise *promise = userdata;

        if (promise->request && result)
                refuse(promise->request, result, why);
        else if (promise->request)
                answer_with_vm(promise->request, 201, vm);
        promise_keep(promise);
}

void answer_attach(struct request *request) {
        struct attach_order order;
        char why[STORE_WHY_MAX] = "";
        struct promise *promise;
        struct actor asker;
        int r;

        if (!take_order(request, &order) || !check_attach(request, &order))
                return;
        asker = identify(request, "vmpower attach");
        promise = request_promise(request);
        if (!promise)
                return;
        r = keeper_attach(request->keeper,
                          &(struct keeper_attach_order){
                                  .name = order.name,
                                  .path = order.path,
                                  .pid = (pid_t)order.pid,
                                  .owner = request->peer->may_control_all ? -1 : request->peer->uid,
                                  .asker = &asker,
                                  .done = on_attached,
                                  .userdata = promise,
                          },
                          why);
        if (!r)
                return;
        refuse(request, r, why);
        promise_keep(promise);
}

void answer_detach(struct request *request) {
        cleanup(found_vm_deinit) struct found_vm found;
        char why[STORE_WHY_MAX] = "", instance[VM_INSTANCE_MAX];
        struct actor asker;
        int r;

        if (!request_find_vm(request, &found))
                return;
        if (!peer_may_control(request->peer, found.vm.instance->uid)) {
                request_fail(request, 403, "only root, members of %s and its owner may detach %.200s",
                             request->config->admin_group, request->name);
                return;
        }
        /* By its instance: another user's VM may have the same name. */
        strcpy(instance, found.vm.instance->identity.instance);
        asker = identify(request, "vmpower detach");
        r = keeper_detach(request->keeper, instance, &asker, why);
        if (r) {
                refuse(request, r, why);
                return;
        }
        found_vm_deinit(&found);
        if (request_find_vm(request, &found))
                answer_with_vm(request, 200, &found.vm);
}
