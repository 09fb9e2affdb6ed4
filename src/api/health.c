/* Health: whether somebody is at home, and who the one who asks is to him. */
#include "api/routes.h"

struct seen {
        const struct peer *peer;
        json_int_t n;
};

static int count_visible(const struct kept_vm *vm, void *userdata) {
        struct seen *seen = userdata;

        seen->n += peer_may_see(seen->peer, vm->instance->uid);
        return 0;
}

static const char *rights_of(const struct peer *peer) {
        if (peer->may_control_all)
                return "control";
        return peer->may_read_all ? "read" : "own";
}

void answer_health(struct request *request) {
        struct seen seen = { .peer = request->peer };
        uint64_t last = 0;
        char why[STORE_WHY_MAX] = "";
        int r;

        r = store_last_number(request->store, &last, why);
        if (r) {
                request_fail(request, 503, "%s", why);
                return;
        }
        keeper_each_vm(request->keeper, count_visible, &seen);
        request_answer(request, 200,
                       json_pack("{s:s, s:s?, s:I, s:I, s:{s:I, s:s}}", "status", "ok", "version", request->config->version,
                                 "vms", seen.n, "last_number", (json_int_t)last, "you", "uid",
                                 (json_int_t)request->peer->uid, "rights", rights_of(request->peer)));
}
