#include "api/vms.h"

#include "api/routes.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "json/text_json.h"

#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/stat.h>

/* Who asks, to be written down.  Where his process is another's by now, only what the kernel said of the connection. */
static struct actor identify(const struct request *request, const char *via) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        const struct peer *peer = request->peer;
        struct actor actor = {}, nobody = { .pid = peer->pid, .uid = peer->uid };

        text_set(nobody.via, sizeof(nobody.via), via);
        if (!request->config->identify || !info || request->config->identify(info->connect_fd, via, &actor) ||
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
        case EPROTONOSUPPORT:
        case ETIMEDOUT:
        case ESRCH:
        case ENOTCONN:
        case EOPNOTSUPP:
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

/* An object with no other keys than these; NULL: the answer is 400. */
static json_t *take_body(struct request *request, const char *const *keys, const char *example) {
        cleanup(json_decrefp) json_t *json =
                json_loadb(request->body.text ? request->body.text : "", request->body.n, JSON_REJECT_DUPLICATES, NULL);
        const char *key;
        json_t *value;

        if (!json_is_object(json)) {
                request_fail(request, 400, "the body is no JSON object such as %s", example);
                return NULL;
        }
        json_object_foreach(json, key, value) {
                size_t i = 0;

                while (keys[i] && strcmp(keys[i], key))
                        i++;
                if (!keys[i]) {
                        request_fail(request, 400, "there is no key %.64s; it is like %s", key, example);
                        return NULL;
                }
        }
        return take_pointer(json);
}

static bool take_order(struct request *request, struct attach_order *ret_order) {
        static const char *const keys[] = { "name", "qmp", "pid", NULL };
        cleanup(json_decrefp) json_t *json =
                take_body(request, keys, "{\"name\": \"web-1\", \"qmp\": \"/run/web-1.qmp\", \"pid\": 4711}");

        *ret_order = (struct attach_order){};
        if (!json)
                return false;
        if (!take_text(json, "name", ret_order->name, sizeof(ret_order->name))) {
                request_fail(request, 400, "a VM's name is a printable text of less than %d bytes", VM_NAME_MAX);
                return false;
        }
        if (!take_text(json, "qmp", ret_order->path, sizeof(ret_order->path)) || *ret_order->path != '/') {
                request_fail(request, 400, "a monitor is the absolute path of a socket, in printable text");
                return false;
        }
        if (integer_from_json(json, "pid", 0, INT32_MAX, 0, &ret_order->pid)) {
                request_fail(request, 400, "a pid is the number of a process");
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
 * that it is this process that does, and finds it where none is named).  The daemon is no way to anybody else's socket.
 */
static bool check_attach(struct request *request, const struct attach_order *order) {
        char path[32];

        if (request->peer->may_control_all)
                return true;
        snprintf(path, sizeof(path), "/proc/%d", (int)order->pid);
        if ((!order->pid || is_of(path, request->peer->uid)) && is_of(order->path, request->peer->uid))
                return true;
        request_fail(request, 403, "only root and members of %s may attach what is not theirs",
                     request->config->admin_group);
        return false;
}

static void keep_promise(struct promise *promise, unsigned status, int result, const struct kept_vm *vm, const char *why) {
        if (promise->request && result)
                refuse(promise->request, result, why);
        else if (promise->request && vm)
                request_answer_vm(promise->request, status, vm);
        else if (promise->request)
                request_answer(promise->request, status, json_object()); /* it has gone meanwhile */
        promise_keep(promise);
}

/* The monitor has greeted and is held, or not. */
static void on_attached(void *userdata, int result, const struct kept_vm *vm, const char *why) {
        keep_promise(userdata, 201, result, vm, why);
}

static void on_done(void *userdata, int result, const struct kept_vm *vm, const char *why) {
        keep_promise(userdata, 200, result, vm, why);
}

/* The keeper has taken it on, or says at once that it does not. */
static void end(struct promise *promise, int result, const char *why) {
        if (!result)
                return;
        refuse(promise->request, result, why);
        promise_keep(promise);
}

void answer_attach(struct request *request) {
        struct attach_order order;
        char why[STORE_WHY_MAX] = "";
        struct promise *promise;
        struct actor asker;

        if (!take_order(request, &order) || !check_attach(request, &order))
                return;
        asker = identify(request, "vmpower attach");
        promise = request_promise(request);
        if (promise)
                end(promise,
                    keeper_attach(request->keeper,
                                  &(struct keeper_attach_order){
                                          .name = order.name,
                                          .path = order.path,
                                          .pid = (pid_t)order.pid,
                                          .owner = request->peer->may_control_all ? -1 : request->peer->uid,
                                          .asker = &asker,
                                          .done = on_attached,
                                          .userdata = promise,
                                  },
                                  why),
                    why);
}

/* May he do that to the VM?  Then who he is, to be written down, and a promise; NULL: the answer is set. */
static struct promise *begin(struct request *request, const struct found_vm *found, const char *verb, struct actor *ret_asker) {
        char via[48];

        if (!peer_may_control(request->peer, found->vm.instance->uid)) {
                request_fail(request, 403, "only root, members of %s and its owner may %s %.200s", request->config->admin_group, verb,
                             request->name);
                return NULL;
        }
        snprintf(via, sizeof(via), "vmpower %s", verb);
        *ret_asker = identify(request, via);
        return request_promise(request);
}

/* The VM was found, and nobody looks after it any more: it is called as whoever asks calls it. */
static void end_with_vm(struct promise *promise, int result, char why[static STORE_WHY_MAX]) {
        if (result == -ENOENT)
                snprintf(why, STORE_WHY_MAX, "%.200s has gone", promise->request->name);
        end(promise, result, why);
}

/* Both name the VM by its instance: another user's may have the same name. */
void answer_detach(struct request *request) {
        cleanup(found_vm_deinit) struct found_vm found;
        char why[STORE_WHY_MAX] = "";
        struct promise *promise;
        struct actor asker;

        if (!request_find_one_vm(request, &found))
                return;
        promise = begin(request, &found, "detach", &asker);
        if (promise)
                end_with_vm(promise,
                            keeper_detach(request->keeper,
                                          &(struct keeper_detach_order){
                                                  .name = found.vm.instance->identity.instance,
                                                  .asker = &asker,
                                                  .done = on_done,
                                                  .userdata = promise,
                                          },
                                          why),
                            why);
}

/* Is it something that can be asked of a VM?  false: the answer is 400. */
static bool take_action(struct request *request, char *ret_action, size_t n_ret) {
        static const char *const keys[] = { "action", NULL };
        cleanup(json_decrefp) json_t *json = take_body(request, keys, "{\"action\": \"shutdown\"}");
        char known[128] = "";

        if (!json)
                return false;
        if (!take_text(json, "action", ret_action, n_ret))
                *ret_action = '\0';
        for (size_t i = 0; keeper_action(i); i++) {
                if (!strcmp(keeper_action(i), ret_action))
                        return true;
                snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", *known ? ", " : "", keeper_action(i));
        }
        request_fail(request, 400, "\"action\" is one of %s", known);
        return false;
}

void answer_request(struct request *request) {
        cleanup(found_vm_deinit) struct found_vm found;
        char why[STORE_WHY_MAX] = "", action[32];
        struct promise *promise;
        struct actor asker;

        if (!request_find_one_vm(request, &found) || !take_action(request, action, sizeof(action)))
                return;
        promise = begin(request, &found, action, &asker);
        if (promise)
                end_with_vm(promise,
                            keeper_ask(request->keeper,
                                       &(struct keeper_request){
                                               .vm = found.vm.instance->identity.instance,
                                               .action = action,
                                               .asker = &asker,
                                               .done = on_done,
                                               .userdata = promise,
                                       },
                                       why),
                            why);
}
