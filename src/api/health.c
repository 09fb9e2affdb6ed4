/* Health: whether somebody is at home, what he keeps, and who the one who asks is to him. */
#include "api/routes.h"

#include "basics/cleanup.h"
#include "keeper/keeper_health.h"
#include "json/text_json.h"
#include "json/time_text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What he may see of it. */
struct seen {
        const struct peer *peer;
        json_int_t n, n_monitors;
        json_t *states; /* how many in which */
};

static int count_visible(const struct kept_vm *vm, void *userdata) {
        struct seen *seen = userdata;

        if (!peer_may_see(seen->peer, vm->instance->uid))
                return 0;
        seen->n++;
        seen->n_monitors += vm->monitor != NULL;
        json_object_set_new(seen->states, vm->state,
                            json_integer(json_integer_value(json_object_get(seen->states, vm->state)) + 1));
        return 0;
}

static const char *rights_of(const struct peer *peer) {
        if (peer->may_control_all)
                return "control";
        return peer->may_read_all ? "read" : "own";
}

static json_t *time_or_null(uint64_t time_ns) {
        char text[TIME_TEXT_MAX];

        time_to_text(time_ns, text);
        return time_ns ? json_string(text) : json_null();
}

static json_t *number_or_null(uint64_t number) {
        return number ? unsigned_to_json(number) : json_null();
}

static int store_to_json(struct request *request, json_t **ret_json, char ret_why[static STORE_WHY_MAX]) {
        const struct backlog_state backlog = keeper_backlog(request->keeper);
        cleanup(json_decrefp) json_t *json = NULL;
        struct store_status status;
        int r;

        r = store_read_status(request->store, &status, ret_why);
        if (r)
                return r;
        json = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "path",
                         text_to_json(store_path(request->store)), "bytes", unsigned_to_json(status.n_file_bytes), "free_bytes",
                         unsigned_to_json(status.n_free_bytes), "verdicts", unsigned_to_json(status.n_verdicts), "evidence",
                         unsigned_to_json(status.n_evidence), "evidence_bytes", unsigned_to_json(status.n_evidence_bytes), "oldest",
                         time_or_null(status.oldest_ns), "pruned", unsigned_to_json(status.n_pruned), "pruned_at",
                         time_or_null(status.pruned_ns), "retention_days", number_or_null(request->config->retention_days),
                         "retention_bytes", number_or_null(request->config->retention_bytes), "waiting_verdicts",
                         unsigned_to_json(backlog.n_verdicts), "waiting_evidence", unsigned_to_json(backlog.n_facts), "lost_verdicts",
                         unsigned_to_json(backlog.n_lost_verdicts), "lost_evidence", unsigned_to_json(backlog.n_lost_facts));
        *ret_json = take_pointer(json);
        return *ret_json ? 0 : -ENOMEM;
}

/* [{"program", "pid"}]: those that look after VMs without a process. */
static json_t *helpers_to_json(const struct keeper *keeper) {
        json_t *helpers = json_array();
        const char *program;
        pid_t pid;

        for (size_t i = 0; (program = keeper_helper_program(keeper, i, &pid)); i++)
                json_array_append_new(helpers, json_pack("{s:s, s:o}", "program", program, "pid", pid ? json_integer(pid) : json_null()));
        return helpers;
}

/* [{"part", "why", "costs"}]: what the kernel does not tell the daemon. */
static json_t *lacks_to_json(const struct keeper *keeper) {
        json_t *lacks = json_array();
        struct tracing_lack lack;

        for (size_t i = 0; keeper_lacks(keeper, i, &lack); i++)
                json_array_append_new(lacks, json_pack("{s:s, s:o, s:s}", "part", lack.part, "why", text_to_json(lack.why), "costs", lack.costs));
        return lacks;
}

void answer_health(struct request *request) {
        cleanup(json_decrefp) json_t *states = json_object(), *store = NULL;
        struct seen seen = { .peer = request->peer, .states = states };
        char why[STORE_WHY_MAX] = "";
        uint64_t last = 0;
        int r;

        r = store_last_number(request->store, &last, why);
        if (!r)
                r = store_to_json(request, &store, why);
        if (r) {
                request_fail(request, 503, "%s", why);
                return;
        }
        keeper_each_vm(request->keeper, count_visible, &seen);
        request_answer(request, 200,
                       json_pack("{s:s, s:s?, s:I, s:o, s:I, s:O, s:I, s:o, s:o, s:b, s:I, s:O, s:{s:I, s:s}}", "status", "ok", "version",
                                 request->config->version, "pid", (json_int_t)getpid(), "since", time_or_null(request->config->began_ns),
                                 "vms", seen.n, "states", states, "monitors", seen.n_monitors, "helpers",
                                 helpers_to_json(request->keeper), "lacks", lacks_to_json(request->keeper), "descriptors_kept",
                                 request->config->descriptors_kept, "last_number", (json_int_t)last, "store", store, "you", "uid", (json_int_t)request->peer->uid, "rights", rights_of(request->peer)));
}
