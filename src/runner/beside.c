#include "runner/beside.h"
#include "basics/cleanup.h"
#include "core/evidence.h"
#include "core/text.h"
#include "engine/directories.h"
#include "sources/wire/wire_caller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
        PAST_MAX = 1024,  /* facts of the past that a daemon is told, and those that matter for the VM's whole life */
        LATELY_MAX = 64,  /* facts that may not be on disk yet */
};

struct beside {
        struct store *store;
        struct beside_vm vm;
        struct wire_caller *caller;
        struct evidence lately[LATELY_MAX]; /* a ring: the facts of late */
        uint64_t n_told;                    /* facts in all, whether anybody listened or not */
        bool has_daemon;                    /* it has been said hello */
        bool is_live;                       /* each fact is told as it comes */
        char last_verdict[VERDICT_ID_MAX];
};

static void describe(const struct beside *beside, struct wire_vm *ret_vm) {
        const struct store_vm *instance = beside->vm.instance;

        *ret_vm = (struct wire_vm){ .pid = instance->pid, .n_restarts = beside->vm.n_restarts, .began_ns = instance->began_ns };
        text_set(ret_vm->name, sizeof(ret_vm->name), instance->identity.name);
        text_set(ret_vm->uuid, sizeof(ret_vm->uuid), instance->identity.uuid);
        text_set(ret_vm->backend, sizeof(ret_vm->backend), instance->identity.backend);
        text_set(ret_vm->instance, sizeof(ret_vm->instance), instance->identity.instance);
        policy_format(beside->vm.policy, ret_vm->policy);
        text_set(ret_vm->monitor, sizeof(ret_vm->monitor), beside->vm.monitor);
        ret_vm->command_line = instance->command_line;
}

static void tell_fact(struct beside *beside, const struct evidence *evidence) {
        const struct wire_message message = { .kind = WIRE_EVIDENCE, .evidence = *evidence };

        wire_caller_say(beside->caller, &message);
}

/* --- the past ---------------------------------------------------------------------------------------------------- */

struct past_telling {
        struct beside *beside;
        uint64_t n, n_all; /* n_all 0: they are counted */
};

static int count_fact(const struct evidence *evidence, void *userdata) {
        struct past_telling *telling = userdata;

        telling->n_all++;
        return 0;
}

static int tell_past_fact(const struct evidence *evidence, void *userdata) {
        struct past_telling *telling = userdata;

        telling->n++;
        if (telling->n + PAST_MAX > telling->n_all || evidence_traits(evidence->kind)->stays ||
            evidence->kind == EVIDENCE_MONITOR_OPENED)
                tell_fact(telling->beside, evidence);
        return 0;
}

/* What is on disk, then what may not be; what is told twice is known to be one fact. */
static void tell_past(struct beside *beside) {
        struct past_telling telling = { .beside = beside };
        int64_t vm = beside->vm.instance->id;
        char why[STORE_WHY_MAX];

        /* What cannot be read cannot be told; whoever reads history will hear why. */
        if (store_each_evidence(beside->store, vm, 0, count_fact, &telling, why) >= 0)
                store_each_evidence(beside->store, vm, 0, tell_past_fact, &telling, why);
        for (uint64_t i = beside->n_told > LATELY_MAX ? beside->n_told - LATELY_MAX : 0; i < beside->n_told; i++)
                tell_fact(beside, &beside->lately[i % LATELY_MAX]);
}

/* --- the daemon -------------------------------------------------------------------------------------------------- */

static void on_connected(void *userdata) {
        struct beside *beside = userdata;
        struct wire_message hello = { .kind = WIRE_HELLO };

        hello.hello.protocol = WIRE_PROTOCOL;
        hello.hello.sources = 1u << SOURCE_QMP | 1u << SOURCE_STDERR | 1u << SOURCE_PROCESS;
        if (beside->vm.is_traced)
                hello.hello.sources |= 1u << SOURCE_TRACE;
        text_set(hello.hello.program, sizeof(hello.hello.program), "vmpower run");
        if (store_identity(beside->store, hello.hello.database))
                hello.hello.database[0] = '\0';
        describe(beside, &hello.hello.vm);
        /* A VM that begins is told of at once: it may end before there is an answer. */
        beside->is_live = !beside->n_told;
        beside->has_daemon = true;
        wire_caller_say(beside->caller, &hello);
}

static void on_welcome(void *userdata, bool wants_evidence) {
        struct beside *beside = userdata;

        if (wants_evidence && !beside->is_live)
                tell_past(beside);
        beside->is_live = wants_evidence;
        /* It may have come while there was nobody to tell. */
        if (!wants_evidence && beside->last_verdict[0])
                beside_tell_verdict(beside, beside->last_verdict);
}

static void on_lost(void *userdata) {
        struct beside *beside = userdata;

        beside->is_live = beside->has_daemon = false;
}

void beside_rename(struct beside *beside) {
        struct wire_message message = { .kind = WIRE_VM };

        if (!beside || !beside->has_daemon)
                return;
        describe(beside, &message.vm);
        wire_caller_say(beside->caller, &message);
}

void beside_tell_evidence(struct beside *beside, const struct evidence *evidence) {
        struct evidence *place;

        if (!beside)
                return;
        place = &beside->lately[beside->n_told % LATELY_MAX];
        evidence_deinit(place);
        if (evidence_copy(place, evidence))
                *place = (struct evidence){ 0 };
        else
                beside->n_told++;
        if (beside->is_live)
                tell_fact(beside, evidence);
}

void beside_tell_verdict(struct beside *beside, const char *verdict_id) {
        struct wire_message message = { .kind = WIRE_VERDICT };

        if (!beside)
                return;
        if (verdict_id != beside->last_verdict)
                text_set(beside->last_verdict, sizeof(beside->last_verdict), verdict_id);
        text_set(message.verdict, sizeof(message.verdict), beside->last_verdict);
        wire_caller_say(beside->caller, &message);
}

void beside_tell_decided(struct beside *beside, const struct decision *decision) {
        struct wire_message message = { .kind = WIRE_DECIDED };

        if (!beside || !decision->exists)
                return;
        text_set(message.decided.policy, sizeof(message.decided.policy), policy_event_name(decision->event));
        text_set(message.decided.action, sizeof(message.decided.action), policy_action_name(decision->action));
        text_set(message.decided.result, sizeof(message.decided.result), decision_result_name(decision->result));
        wire_caller_say(beside->caller, &message);
}

void beside_tell_gone(struct beside *beside) {
        const struct wire_message message = { .kind = WIRE_GONE };

        if (beside)
                wire_caller_say(beside->caller, &message);
}

/* --- its life ---------------------------------------------------------------------------------------------------- */

int beside_new(struct beside **ret_beside, sd_event *event, struct store *store, const struct beside_vm *vm) {
        const struct wire_caller_events events = { on_connected, on_welcome, on_lost, NULL };
        struct daemon_directories directories;
        const char *paths[DAEMON_DIRECTORIES_MAX];
        struct beside *beside = calloc(1, sizeof(*beside));
        struct wire_caller_events its_events = events;
        int r;

        if (!beside)
                return -ENOMEM;
        beside->store = store;
        beside->vm = *vm;
        its_events.userdata = beside;
        daemon_directories(&directories);
        for (size_t i = 0; i < directories.n; i++)
                paths[i] = directories.paths[i];
        r = wire_caller_new(&beside->caller, event, paths, directories.n, &its_events);
        if (r) {
                free(beside);
                return r;
        }
        *ret_beside = beside;
        return 0;
}

struct beside *beside_free(struct beside *beside) {
        if (!beside)
                return NULL;
        wire_caller_free(beside->caller);
        for (size_t i = 0; i < LATELY_MAX; i++)
                evidence_deinit(&beside->lately[i]);
        free(beside);
        return NULL;
}
