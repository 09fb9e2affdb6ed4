#include "api/vms.h"

#include "api/routes.h"
#include "api/view.h"
#include "basics/cleanup.h"
#include "core/evidence.h"

#include <errno.h>
#include <string.h>

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

/* What the keeper has, or has not, found. */
static bool found(struct request *request, struct found_vm *ret_found, int result, const char *why_not) {
        char why[STORE_WHY_MAX] = "";
        int r;

        if (result == -ENOTUNIQ && peer_may_see(request->peer, ret_found->vm.instance->uid)) {
                request_fail(request, 409, "%s", why_not);
                return false;
        }
        if (!result && peer_may_see(request->peer, ret_found->vm.instance->uid))
                return true;
        r = find_in_history(request, ret_found, why);
        if (r == -ENOENT)
                request_fail(request, 404, "there is no VM %.200s", request->name);
        else if (r)
                request_fail_errno(request, r, why);
        return !r;
}

bool request_find_vm(struct request *request, struct found_vm *ret_found) {
        *ret_found = (struct found_vm){};
        return found(request, ret_found, keeper_find_vm(request->keeper, request->name, request->peer->uid, &ret_found->vm), "");
}

bool request_find_one_vm(struct request *request, struct found_vm *ret_found) {
        char why[STORE_WHY_MAX] = "";

        *ret_found = (struct found_vm){};
        return found(request, ret_found, keeper_find_one_vm(request->keeper, request->name, request->peer->uid, &ret_found->vm, why), why);
}

void request_answer_vm(struct request *request, unsigned status, const struct kept_vm *vm) {
        json_t *json;

        request_answer(request, status, view_vm(vm, request->peer, true, &json) ? NULL : json);
}

void answer_vm(struct request *request) {
        cleanup(found_vm_deinit) struct found_vm found;

        if (request_find_vm(request, &found))
                request_answer_vm(request, 200, &found.vm);
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
