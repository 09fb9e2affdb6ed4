#include "keeper/helping.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "engine/recover.h"
#include "engine/tracing.h"
#include "keeper/keeper_health.h"
#include "sources/libexec.h"
#include "sources/xen_dom0.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a helper left undone is looked for so far back. */
#define LEFT_UNDONE_NS UINT64_C(3600000000000)
/* So long after a VM could not be written down. */
#define AGAIN_USEC 2000000

/* Any user sees that it is Xen's dom0; who may not talk to Xen has no helper that could. */
static bool xen_may_be_asked(void) {
        return xen_dom0_is_here() && !access(xen_dom0_privcmd, R_OK | W_OK);
}

/* What can be asked of a domain, and the helper's word for it; or what to do instead. */
static const struct helper_action xen_actions[] = {
        { "shutdown", "shutdown", NULL }, { "reboot", "reboot", NULL }, { "suspend", "suspend", NULL },
        { "wake", "resume", NULL },       { "pause", "pause", NULL },   { "resume", "resume", NULL },
        { "destroy", "destroy", NULL },   { "power-button", "power-button", NULL },
        { "reset", NULL, "Xen has no reset button: vmpower reboot asks its guest, vmpower destroy ends it at once" },
};

static const struct helper_kind kinds[_KEEPER_HELPER_N] = {
        [KEEPER_XEN] = { "vmpower-source-xen", "xen", 1u << SOURCE_XEN, SOURCE_XEN, xen_may_be_asked, xen_actions, N_ELEMENTS(xen_actions) },
};

static struct helping *find_helping(const struct keeper *keeper, const char *backend) {
        struct helping *helping = keeper->helpings;

        while (helping && strcmp(helping->kind->backend, backend))
                helping = helping->next;
        return helping;
}

/* --- VMs --------------------------------------------------------------------------------------------------------- */

static struct helped *helped_new(struct helping *helping, struct kept *kept) {
        struct helped *helped = calloc(1, sizeof(*helped));

        if (!helped)
                return NULL;
        helped->helping = helping;
        helped->kept = kept;
        helped->domid = instance_domid(kept_instance(kept)->identity.instance);
        helped->next = helping->first;
        if (helping->first)
                helping->first->previous = helped;
        helping->first = helped;
        kept->helped = helped;
        if (helped_hear_hypercalls(helped))
                keeper_say(helping->keeper, "%.200s: out of memory: who has Xen end it is not seen", kept_name(kept));
        return helped;
}

static void helped_free(struct helped *helped) {
        if (helped->previous)
                helped->previous->next = helped->next;
        else
                helped->helping->first = helped->next;
        if (helped->next)
                helped->next->previous = helped->previous;
        helped->kept->helped = NULL;
        helped_hear_no_hypercalls(helped);
        known_facts_deinit(&helped->known);
        device_model_free(helped->device_model);
        sd_event_source_disable_unref(helped->delay);
        free(helped);
}

void keeper_helped_forget(struct kept *kept) {
        struct helped *helped = kept->helped;

        if (!helped)
                return;
        helped_conclude(helped);
        helped_drop_errands(helped);
        helped_free(helped);
}

unsigned keeper_helped_sources(const struct kept *kept) {
        return kept->helped->is_told ? kept->helped->helping->kind->sources : 0;
}

bool keeper_is_helpers(const char *backend) {
        for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
                if (!strcmp(kinds[i].backend, backend))
                        return true;
        return false;
}

bool keeper_helps(const struct keeper *keeper, const char *backend) {
        return find_helping(keeper, backend);
}

int keeper_helped_take_up(struct keeper *keeper, struct kept *kept) {
        struct helped *helped = helped_new(find_helping(keeper, kept_instance(kept)->identity.backend), kept);
        const struct decision *decision;
        const char *id;

        if (!helped)
                return -ENOMEM;
        helped->was_missed = true;
        decision = engine_vm_decision(kept->vm, &id);
        if (decision->exists && decision->result == RESULT_PENDING) {
                helped->decision = *decision;
                helped->decided_ns = kept->since_ns;
                text_set(helped->decided_id, sizeof(helped->decided_id), id);
        }
        return 0;
}

static void report_gap(struct helped *helped) {
        source_report_gap(engine_vm_sink(helped->kept->vm), SOURCE_VMPOWER, "%s did not run for a while: nobody looked after it",
                          helped->helping->kind->program);
        helped->was_missed = false;
}

/* --- what it says ------------------------------------------------------------------------------------------------ */

static void refuse(struct helping *helping, const char *instance, const char *why) {
        struct wire_message refused = { .kind = WIRE_REFUSED };

        text_set(refused.of, sizeof(refused.of), instance);
        text_set(refused.why, sizeof(refused.why), why);
        helper_say(helping->helper, &refused);
        keeper_say(helping->keeper, "%s: it told of %.96s: %s", helping->kind->program, *instance ? instance : "nothing", why);
}

static struct helped *find_told(struct helping *helping, const char *instance) {
        struct kept *kept = *instance ? vm_list_find_instance(&helping->keeper->vms, instance) : NULL;

        return kept && kept->helped && kept->helped->helping == helping && kept->helped->is_told ? kept->helped : NULL;
}

static void describe(const struct helping *helping, const struct wire_vm *told, struct store_vm *instance) {
        *instance = (struct store_vm){ .uid = (int64_t)geteuid(), .began_ns = told->began_ns ? told->began_ns : source_time_ns() };
        text_set(instance->identity.name, sizeof(instance->identity.name), told->name);
        text_set(instance->identity.uuid, sizeof(instance->identity.uuid), told->uuid);
        text_set(instance->identity.backend, sizeof(instance->identity.backend), helping->kind->backend);
        text_set(instance->identity.instance, sizeof(instance->identity.instance), told->instance);
        instance->watcher = strdup(helping->keeper->watcher);
        instance->is_daemons = true;
        if (!told->name[0])
                snprintf(instance->identity.name, sizeof(instance->identity.name), "%s-%" PRId64, helping->kind->backend, told->domid);
}

/* What it was found to be, where no verdict tells it. */
static void note_state(struct kept *kept, const char *word) {
        enum left left;

        if (left_from_name(word, &left) || !strcmp(kept->state, left_name(left)) ||
            /* What has ended may be so in more ways than the helper has words for. */
            (left == LEFT_OFF && strcmp(kept->state, left_name(LEFT_RUNNING))))
                return;
        kept->state = left_name(left);
        kept->since_ns = source_time_ns();
}

static void note_policy(struct helped *helped, const char *text) {
        struct policy policy = policy_default(false);

        policy_read(&policy, text);
        engine_vm_set_policy(helped->kept->vm, &policy);
        if (!*text)
                helped_leave(helped);
}

/* It goes by another name, or another uuid. */
static void note_identity(struct helped *helped, const struct wire_vm *told) {
        struct keeper *keeper = helped->helping->keeper;
        struct kept *kept = helped->kept;
        struct vm_identity identity;
        char why[STORE_WHY_MAX];

        if (told->name[0] && strcmp(told->name, kept_name(kept)) && !(kept->own_name && !strcmp(kept->own_name, told->name)) &&
            !keeper_check_name(keeper, kept, told->name, why))
                keeper_rename(keeper, kept, told->name);
        identity = kept_instance(kept)->identity;
        if (!told->uuid[0] || !strcmp(told->uuid, identity.uuid))
                return;
        text_set(identity.uuid, sizeof(identity.uuid), told->uuid);
        if (engine_vm_rename(kept->vm, &identity, 0))
                keeper_say(keeper, "%.200s: out of memory", kept_name(kept));
        vm_list_update(&keeper->vms, kept);
}

/* Whether it needs its device model still: then its helper tells of it once more.  What has happened to that makes no held domain run. */
static int64_t ask_for_device_model(void *userdata) {
        struct helped *helped = userdata;
        struct evidence status = evidence_make(helped->helping->kind->source, EVIDENCE_STATUS);
        struct wire_message look = { .kind = WIRE_LOOK, .look = ++helped->helping->n_questions };

        if (!strcmp(helped->kept->state, left_name(LEFT_PAUSED))) {
                evidence_set_word(&status, left_name(LEFT_PAUSED));
                source_report(engine_vm_sink(helped->kept->vm), &status);
        }
        memcpy(look.of, kept_instance(helped->kept)->identity.instance, sizeof(look.of));
        helper_say(helped->helping->helper, &look);
        return look.look;
}

static void watch_device_model(struct helped *helped) {
        int r = keeper_has_descriptors() ? device_model_watch(&helped->device_model) : -EMFILE;

        if (r)
                keeper_miss(helped->helping->keeper);
}

static void note_device_model(struct helped *helped, const struct wire_vm *told) {
        const struct device_model_events events = { ask_for_device_model, helped };

        device_model_tell(&helped->device_model, &helped->device_model_told, helped->kept, told->device_model, told->look, &events);
        if (device_model_is_unwatched(helped->device_model))
                watch_device_model(helped);
}

void keeper_helped_watch_again(struct keeper *keeper) {
        for (struct helping *helping = keeper->helpings; helping; helping = helping->next)
                for (struct helped *helped = helping->first; helped; helped = helped->next)
                        if (!helped->kept->is_over && device_model_is_unwatched(helped->device_model))
                                watch_device_model(helped);
}

static int keep(struct helping *helping, const struct wire_vm *told, struct helped **ret_helped) {
        struct policy policy = policy_default(false);
        struct store_vm instance;
        struct kept *kept;
        int r;

        policy_read(&policy, told->policy);
        describe(helping, told, &instance);
        r = keeper_keep_told(helping->keeper, &instance, &policy, &kept);
        store_vm_deinit(&instance);
        if (r)
                return r;
        if (kept->wire || kept->watch || (kept->helped && kept->helped->helping != helping))
                return -EBUSY;
        *ret_helped = kept->helped ? kept->helped : helped_new(helping, kept);
        return *ret_helped ? 0 : -ENOMEM;
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata) {
        struct helping *helping = userdata;

        helping->again = sd_event_source_disable_unref(helping->again);
        helper_restart(helping->helper, "the disk was sick when it told of a VM");
        return 0;
}

static void on_hello(struct helping *helping, const struct wire_hello *hello) {
        struct keeper *keeper = helping->keeper;
        const struct wire_vm *told = &hello->vm;
        char why[STORE_WHY_MAX];
        struct helped *helped;
        int r;

        if (hello->protocol != WIRE_PROTOCOL || strcmp(told->backend, helping->kind->backend) || !instance_is_domain(told->instance) ||
            !instance_is_of_this_boot(told->instance)) {
                refuse(helping, told->instance, "that is no VM that it may tell of");
                return;
        }
        /* Once is enough. */
        helped = find_told(helping, told->instance);
        if (helped) {
                note_identity(helped, told);
                note_device_model(helped, told);
                return;
        }
        r = keep(helping, told, &helped);
        if (r == -EAGAIN || (r != -EBUSY && backlog_is_for(r))) {
                if (!helping->again)
                        sd_event_add_time_relative(keeper->event, &helping->again, CLOCK_MONOTONIC, AGAIN_USEC, 0, on_again, helping);
                return;
        }
        if (r) {
                refuse(helping, told->instance, r == -EBUSY ? "that VM has ended, or another program looks after it" : strerror(-r));
                return;
        }
        helped->is_told = true;
        if (helped->was_missed)
                report_gap(helped);
        if (known_facts_read(&helped->known, keeper->store, kept_instance(helped->kept)->id, why))
                keeper_say(keeper, "%.200s: cannot read what is on record of it: %s", kept_name(helped->kept), why);
        note_identity(helped, told);
        note_policy(helped, told->policy);
        note_state(helped->kept, told->state);
        /* What we have told may not be on record yet. */
        if (!helped->device_model_told.pid)
                helped->device_model_told = (struct device_model_told){ helped->known.device_model, .has_ended = helped->known.has_device_model_ended };
        /* The helper before this one did not answer. */
        device_model_ask(helped->device_model);
        note_device_model(helped, told);
        helped->n_told = (unsigned)told->n_restarts;
        helped->told_ns = source_now_ns();
        if (helped->decided_id[0])
                helped_carry_out(helped);
}

static void on_evidence(struct helped *helped, struct evidence *evidence) {
        struct evidence fact = *evidence;

        /* Facts of the future would hide those that come. */
        if (!fact.at_ns || fact.at_ns > source_now_ns() || !(helped->helping->kind->sources & 1u << fact.source))
                return;
        /* Who had it done comes before what became of it. */
        tracing_drain(helped->helping->keeper->tracing);
        if (evidence_ends_process(&fact))
                helped->has_ended = true;
        if (evidence_changes_vm(&fact))
                helped_count_restarts(helped);
        if (known_facts_have(&helped->known, &fact))
                return;
        evidence->actor = NULL;
        if (!fact.time_ns)
                fact.time_ns = source_time_ns();
        /* A soft reset goes on where its verdict has left a VM that is off. */
        if (fact.kind == EVIDENCE_DOMAIN_RESUMED)
                note_state(helped->kept, left_name(LEFT_RUNNING));
        source_report(engine_vm_sink(helped->kept->vm), &fact);
}

/* It is not there any more, and how that came to be nobody saw. */
static void end_unseen(struct helped *helped) {
        struct evidence gone = evidence_make(helped->helping->kind->source, EVIDENCE_VANISHED);

        tracing_drain(helped->helping->keeper->tracing);
        helped->has_ended = true;
        source_report(engine_vm_sink(helped->kept->vm), &gone);
}

static int settle_left_undone(const struct verdict_record *record, void *userdata) {
        struct helping *helping = userdata;
        struct decision decision = record->decision;

        if (strcmp(record->vm.backend, helping->kind->backend) || !decision.exists || decision.result != RESULT_PENDING ||
            vm_list_find_instance(&helping->keeper->vms, record->vm.instance))
                return 0;
        decision.act = ACT_NOTHING;
        decision.result = !action_starts_again(decision.action) || helping_find_successor(helping, record->vm.name, record->vm.instance)
                                  ? RESULT_DONE
                                  : RESULT_FAILED;
        if (decision.result == RESULT_FAILED)
                keeper_say(helping->keeper, "%.200s: %s was not carried out to its end: it is gone, and was not started again",
                           record->vm.name, policy_event_name(decision.event));
        keeper_decide(helping->keeper, NULL, record->id, &decision);
        return 0;
}

/* All that is there was told of.  What is on record and was not is over; what the helper before this one did not answer has come to what there is. */
static void on_surveyed(struct helping *helping) {
        const struct store_query query = { .since_ns = source_time_ns() - LEFT_UNDONE_NS };
        char why[STORE_WHY_MAX] = "";

        for (struct helped *helped = helping->first; helped; helped = helped->next) {
                if (helped->is_told || helped->kept->is_over)
                        continue;
                if (helped->was_missed)
                        report_gap(helped);
                if (!helped->has_ended)
                        end_unseen(helped);
                helped_conclude(helped);
        }
        /* What was decided a moment ago is on record by then. */
        engine_settle(helping->keeper->engine);
        if (store_each_verdict(helping->keeper->store, &query, settle_left_undone, helping, why) < 0)
                keeper_say(helping->keeper, "cannot read what was left undone: %s", why);
}

static void on_vm(struct helped *helped, const struct wire_vm *told) {
        note_identity(helped, told);
        note_policy(helped, told->policy);
        note_device_model(helped, told);
}

static void on_said(void *userdata, struct wire_message *message) {
        struct helping *helping = userdata;
        struct helped *helped = find_told(helping, message->of);

        switch (message->kind) {
        case WIRE_HELLO:
                on_hello(helping, &message->hello);
                break;
        case WIRE_VM:
                if (helped && !strcmp(message->vm.instance, message->of))
                        on_vm(helped, &message->vm);
                break;
        case WIRE_EVIDENCE:
                if (helped)
                        on_evidence(helped, &message->evidence);
                break;
        case WIRE_GONE:
                /* Its end was to be told before; if not, how it came is not known. */
                if (helped && !helped->has_ended)
                        end_unseen(helped);
                break;
        case WIRE_SURVEYED:
                on_surveyed(helping);
                break;
        case WIRE_DONE:
                helping_take_answer(helping, &message->done);
                break;
        case WIRE_TROUBLE:
                keeper_say(helping->keeper, "%s: %s", helping->kind->program, message->trouble);
                break;
        case WIRE_VERDICT:
        case WIRE_DECIDED:
        case WIRE_WELCOME:
        case WIRE_REFUSED:
        case WIRE_CONFIGURE:
        case WIRE_REQUEST:
        case WIRE_LOOK:
        case WIRE_UNKNOWN:
                break;
        }
}

/* --- its life ---------------------------------------------------------------------------------------------------- */

static void on_began(void *userdata) {
        struct helping *helping = userdata;
        struct wire_message configure = { .kind = WIRE_CONFIGURE };

        text_set(configure.configure.xen_policy, sizeof(configure.configure.xen_policy),
                 helping->keeper->config.xen_leaves ? "leave" : "auto");
        helper_say(helping->helper, &configure);
}

/* What somebody asked it has failed.  What a policy wants is asked of the next one, once that has told of the VM. */
static void on_ended(void *userdata) {
        struct helping *helping = userdata;

        for (struct helped *helped = helping->first; helped; helped = helped->next) {
                helped->was_missed = helped->was_missed || helped->is_told;
                helped->is_told = false;
                known_facts_deinit(&helped->known);
        }
        helping_drop_errands(helping);
}

static void on_trouble(void *userdata, const char *line) {
        const struct helping *helping = userdata;

        keeper_say(helping->keeper, "%s", line);
}

static bool is_wanted(const struct keeper *keeper, enum keeper_helper which) {
        switch (keeper->config.helpers[which]) {
        case KEEPER_AUTO:
                return kinds[which].is_there();
        case KEEPER_YES:
                return true;
        case KEEPER_NO:
                break;
        }
        return false;
}

int keeper_open_helpers(struct keeper *keeper) {
        for (enum keeper_helper which = 0; which < _KEEPER_HELPER_N; which++) {
                struct helping *helping;

                if (!is_wanted(keeper, which))
                        continue;
                helping = calloc(1, sizeof(*helping));
                if (!helping)
                        return -ENOMEM;
                helping->keeper = keeper;
                helping->kind = &kinds[which];
                helping->last = &helping->errands;
                helping->next = keeper->helpings;
                keeper->helpings = helping;
        }
        return 0;
}

void keeper_start_helpers(struct keeper *keeper) {
        for (struct helping *helping = keeper->helpings; helping; helping = helping->next) {
                const struct helper_events events = { on_began, on_said, on_ended, on_trouble, helping };
                char path[PATH_MAX];
                int r = libexec_find(path, helping->kind->program);

                if (!r)
                        r = helper_new(&helping->helper, keeper->event, path, &events);
                if (r)
                        keeper_say(keeper, "%s is not there (%s): VMs of %s are not looked after", helping->kind->program,
                                   r == -ENOENT ? "it is looked for in $VMPOWER_LIBEXEC_DIR, beside vmpowerd, and where it is installed" : strerror(-r),
                                   helping->kind->backend);
        }
}

const char *keeper_helper_program(const struct keeper *keeper, size_t i, pid_t *ret_pid) {
        const struct helping *helping = keeper->helpings;

        while (helping && i--)
                helping = helping->next;
        *ret_pid = helping && helping->helper ? helper_pid(helping->helper) : 0;
        return helping ? helping->kind->program : NULL;
}

void keeper_end_helpers(struct keeper *keeper) {
        for (struct helping *helping = keeper->helpings; helping; helping = helping->next)
                helper_end(helping->helper);
}

void keeper_free_helpers(struct keeper *keeper) {
        while (keeper->helpings) {
                struct helping *helping = keeper->helpings;

                keeper->helpings = helping->next;
                helper_free(helping->helper);
                helping_free_errands(helping);
                helping_free_looks(helping);
                sd_event_source_disable_unref(helping->again);
                while (helping->first)
                        helped_free(helping->first);
                free(helping);
        }
}
