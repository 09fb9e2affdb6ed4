#include "keeper/helping.h"

#include "basics/cleanup.h"
#include "core/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A request goes on when its record is on disk, or after so long. */
#define RECORD_USEC UINT64_C(250000)
/* Whoever asks waits so long for the helper; the API's clients wait for 30 s. */
#define ANSWER_USEC UINT64_C(25000000)

enum {
        TRIES_MAX = 3, /* so often a policy's act is asked for of a helper that dies of it */
};

static void errand_free(struct errand *errand) {
        struct errand **link = &errand->helping->errands;

        while (*link != errand)
                link = &(*link)->next;
        *link = errand->next;
        if (!errand->next)
                errand->helping->last = link;
        if (errand->helped && errand->helped->errand == errand)
                errand->helped->errand = NULL;
        sd_event_source_disable_unref(errand->patience);
        free(errand);
}

static struct errand *errand_new(struct helped *helped, const char *command) {
        struct errand *errand = calloc(1, sizeof(*errand));

        if (!errand)
                return NULL;
        errand->helping = helped->helping;
        *helped->helping->last = errand;
        helped->helping->last = &errand->next;
        errand->helped = helped;
        errand->number = ++helped->helping->n_errands;
        text_set(errand->command, sizeof(errand->command), command);
        text_set(errand->name, sizeof(errand->name), kept_name(helped->kept));
        text_set(errand->instance, sizeof(errand->instance), kept_instance(helped->kept)->identity.instance);
        return errand;
}

static void errand_send(struct errand *errand) {
        struct wire_message message = { .kind = WIRE_REQUEST, .request = { .number = errand->number } };

        errand->is_sent = true;
        text_set(message.request.of, sizeof(message.request.of), errand->instance);
        text_set(message.request.command, sizeof(message.request.command), errand->command);
        helper_say(errand->helping->helper, &message);
}

/* Whoever asked for it has his answer. */
static void errand_answer(struct errand *errand, int result, const char *why) {
        const struct kept *kept = vm_list_find_instance(&errand->helping->keeper->vms, errand->instance);
        struct kept_vm vm;

        if (kept)
                keeper_present(kept, &vm);
        errand->request.done(errand->request.userdata, result, kept ? &vm : NULL, why);
        errand_free(errand);
}

/* --- what is decided --------------------------------------------------------------------------------------------- */

bool action_starts_again(enum policy_action action) {
        return action == ACTION_RESTART || action == ACTION_RENAME_RESTART || action == ACTION_COREDUMP_RESTART ||
               action == ACTION_SOFT_RESET;
}

struct restarts {
        const char *backend;
        const char *except; /* that verdict */
        unsigned n;
};

static int count_restart(const struct verdict_record *record, void *userdata) {
        struct restarts *restarts = userdata;
        const struct decision *decision = &record->decision;

        restarts->n += !strcmp(record->vm.backend, restarts->backend) && decision->exists && action_starts_again(decision->action) &&
                       (decision->result == RESULT_DONE || decision->result == RESULT_PENDING) && strcmp(record->id, restarts->except);
        return 0;
}

static unsigned count_on_record(const struct helped *helped, const char *except) {
        struct keeper *keeper = helped->helping->keeper;
        const char *name = helped->kept->own_name ? helped->kept->own_name : kept_name(helped->kept);
        struct restarts restarts = { .backend = helped->helping->kind->backend, .except = except };
        const struct store_query query = { .name = name, .limit = 4 * POLICY_RESTARTS_MAX,
                                           .since_ns = source_time_ns() - POLICY_RESTARTS_WINDOW_NS };
        char why[STORE_WHY_MAX] = "";

        if (store_each_verdict(keeper->store, &query, count_restart, &restarts, why) < 0)
                keeper_say(keeper, "%.200s: cannot read how often it was started again: %s", name, why);
        return restarts.n;
}

/* What its helper knows may be more: the record of one that was kept under another name goes by that. */
static unsigned count_restarts(const struct helped *helped, const char *except) {
        unsigned n = count_on_record(helped, except);

        return helped->n_told > n && source_now_ns() - helped->told_ns < POLICY_RESTARTS_WINDOW_NS ? helped->n_told : n;
}

void helped_count_restarts(struct helped *helped) {
        engine_vm_set_restarts(helped->kept->vm, count_restarts(helped, ""));
}

const struct kept *helping_find_successor(const struct helping *helping, const char *name, const char *instance) {
        for (const struct helped *helped = helping->first; helped; helped = helped->next) {
                const struct kept *kept = helped->kept;

                if (helped->is_told && !helped->has_ended && !kept->is_over &&
                    (!strcmp(kept_name(kept), name) || (kept->own_name && !strcmp(kept->own_name, name))) &&
                    strcmp(kept_instance(kept)->identity.instance, instance))
                        return kept;
        }
        return NULL;
}

static void decide(struct helped *helped, enum decision_result result) {
        helped->decision.result = result;
        helped->decision.act = ACT_NOTHING;
        keeper_decide(helped->helping->keeper, helped->kept, helped->decided_id, &helped->decision);
        helped->decided_id[0] = '\0';
        helped->delay = sd_event_source_disable_unref(helped->delay);
}

static void fail(struct helped *helped, const char *why) {
        keeper_say(helped->helping->keeper, "%.200s: %s is not carried out: %s", kept_name(helped->kept),
                   policy_event_name(helped->decision.event), why);
        decide(helped, RESULT_FAILED);
}

void helped_leave(struct helped *helped) {
        if (helped->decided_id[0] && !helped->errand)
                fail(helped, "it is only watched now");
}

void helped_conclude(struct helped *helped) {
        /* What is being carried out will be answered. */
        if (!helped->decided_id[0] || helped->errand)
                return;
        if (!action_starts_again(helped->decision.action) ||
            helping_find_successor(helped->helping, kept_name(helped->kept), kept_instance(helped->kept)->identity.instance))
                decide(helped, RESULT_DONE);
        else
                fail(helped, "it is gone, and was not started again");
}

static void carry_out(struct helped *helped) {
        if (!helped->decided_id[0] || helped->errand || helped->delay || !helped->is_told)
                return;
        if (helped->has_ended) {
                helped_conclude(helped);
                return;
        }
        if (++helped->n_tries > TRIES_MAX) {
                fail(helped, "its helper has ended each time that it was asked to");
                return;
        }
        helped->errand = errand_new(helped, policy_action_name(helped->decision.action));
        if (!helped->errand) {
                fail(helped, "out of memory");
                return;
        }
        text_set(helped->errand->verdict_id, sizeof(helped->errand->verdict_id), helped->decided_id);
        helped->errand->decision = helped->decision;
        errand_send(helped->errand);
}

static int on_delay_over(sd_event_source *source, uint64_t usec, void *userdata) {
        struct helped *helped = userdata;

        helped->delay = sd_event_source_disable_unref(helped->delay);
        carry_out(helped);
        return 0;
}

void helped_carry_out(struct helped *helped) {
        uint64_t delay_ns = 0, now_ns = source_time_ns(), since_ns = now_ns > helped->decided_ns ? now_ns - helped->decided_ns : 0;

        if (action_starts_again(helped->decision.action))
                delay_ns = policy_restart_delay_ns(helped->decision.event, count_restarts(helped, helped->decided_id));
        if (since_ns < delay_ns && !helped->delay)
                sd_event_add_time_relative(helped->helping->keeper->event, &helped->delay, CLOCK_MONOTONIC,
                                           (delay_ns - since_ns) / 1000, 0, on_delay_over, helped);
        carry_out(helped);
}

void keeper_helped_judged(struct kept *kept, const struct verdict_record *record) {
        struct helped *helped = kept->helped;

        /* A revision of what was decided on is no new decision: that goes on under its name. */
        if (record->revises[0] && !strcmp(record->revises, helped->decided_id)) {
                text_set(helped->decided_id, sizeof(helped->decided_id), record->id);
                if (helped->errand)
                        text_set(helped->errand->verdict_id, sizeof(helped->errand->verdict_id), record->id);
        }
        if (record->revises[0] || !record->decision.exists)
                return;
        if (record->decision.result == RESULT_GAVE_UP)
                keeper_say(helped->helping->keeper, "%.200s: it was started again %d times within a minute, and stays as it is now",
                           kept_name(kept), POLICY_RESTARTS_MAX);
        if (record->decision.result != RESULT_PENDING)
                return;
        text_set(helped->decided_id, sizeof(helped->decided_id), record->id);
        helped->decision = record->decision;
        helped->decided_ns = source_time_ns();
        helped->n_tries = 0;
        helped_carry_out(helped);
}

/* --- what it answers --------------------------------------------------------------------------------------------- */

static void take_policys_answer(struct errand *errand, bool is_done, const char *why) {
        struct helped *helped = errand->helped;

        /* What a helper before this one had begun may have come to it. */
        is_done = is_done || (action_starts_again(errand->decision.action) &&
                              helping_find_successor(errand->helping, errand->name, errand->instance));
        if (helped && !strcmp(helped->decided_id, errand->verdict_id)) {
                helped->errand = NULL;
                if (is_done)
                        decide(helped, RESULT_DONE);
                else
                        fail(helped, why);
                return;
        }
        if (!is_done)
                keeper_say(errand->helping->keeper, "%.200s: %s is not carried out: %s", errand->name,
                           policy_event_name(errand->decision.event), why);
        errand->decision.result = is_done ? RESULT_DONE : RESULT_FAILED;
        errand->decision.act = ACT_NOTHING;
        keeper_decide(errand->helping->keeper, NULL, errand->verdict_id, &errand->decision);
}

/* What was not done is not to explain what comes next. */
static void report_refused(const struct errand *errand, const char *why) {
        struct evidence refused = evidence_make(SOURCE_VMPOWER, EVIDENCE_REFUSED);

        if (!errand->helped)
                return;
        evidence_set_word(&refused, errand->command);
        refused.number = (int64_t)errand->at_ns;
        evidence_set_text(&refused, why, strlen(why));
        source_report(engine_vm_sink(errand->helped->kept->vm), &refused);
}

void helping_take_answer(struct helping *helping, const struct wire_done *done) {
        const char *why = done->why[0] ? done->why : "its helper does not say why";
        struct errand *errand = helping->errands;
        char line[STORE_WHY_MAX];

        while (errand && (errand->number != done->number || !errand->is_sent))
                errand = errand->next;
        if (!errand)
                return;
        /* Done, and yet not all of it. */
        if (done->is_done && done->why[0])
                keeper_say(helping->keeper, "%.200s: %s", errand->name, done->why);
        if (errand->is_asked) {
                if (!done->is_done)
                        report_refused(errand, why);
                snprintf(line, sizeof(line), "%.200s: %s", errand->name, why);
                errand_answer(errand, done->is_done ? 0 : -EBUSY, line);
                return;
        }
        take_policys_answer(errand, done->is_done, why);
        errand_free(errand);
}

void helping_drop_errands(struct helping *helping) {
        struct errand *errand, *next;

        for (errand = helping->errands; errand; errand = next) {
                char line[STORE_WHY_MAX];

                next = errand->next;
                snprintf(line, sizeof(line), "%s has ended, and whether it was done is not known", helping->kind->program);
                if (errand->is_asked)
                        errand_answer(errand, -ECONNRESET, line);
                else
                        errand_free(errand);
        }
}

void helped_drop_errands(struct helped *helped) {
        struct errand *errand, *next;

        for (errand = helped->helping->errands; errand; errand = next) {
                next = errand->next;
                if (errand->helped != helped)
                        continue;
                errand->helped = NULL;
                if (!errand->is_sent)
                        errand_answer(errand, -ECONNRESET, "it has ended before it could be asked");
        }
}

void helping_free_errands(struct helping *helping) {
        while (helping->errands) {
                struct errand *errand = helping->errands;

                if (errand->is_asked)
                        errand_answer(errand, -ESHUTDOWN, "vmpowerd ends");
                else
                        errand_free(errand);
        }
}

/* --- asked for --------------------------------------------------------------------------------------------------- */

static void go_on(struct errand *errand) {
        sd_event_source_set_time_relative(errand->patience, ANSWER_USEC);
        sd_event_source_set_enabled(errand->patience, SD_EVENT_ONESHOT);
        errand_send(errand);
}

static int on_patience_over(sd_event_source *timer, uint64_t usec, void *userdata) {
        struct evidence late = evidence_make(SOURCE_VMPOWER, EVIDENCE_STORED_LATE);
        struct errand *errand = userdata;

        if (errand->is_sent) {
                char line[STORE_WHY_MAX];

                snprintf(line, sizeof(line), "%s has not answered within %u s, and may still do it", errand->helping->kind->program,
                         (unsigned)(ANSWER_USEC / 1000000));
                errand_answer(errand, -ETIMEDOUT, line);
                return 0;
        }
        /* It goes on before it is on disk. */
        late.number = (int64_t)((source_now_ns() - errand->at_ns + 500000) / 1000000);
        evidence_set_word(&late, errand->command);
        keeper_say(errand->helping->keeper, "%.200s: %s goes on before it is on record: the disk is slow", errand->name, errand->command);
        source_report(engine_vm_sink(errand->helped->kept->vm), &late);
        go_on(errand);
        return 0;
}

void keeper_helped_recorded(struct kept *kept, const struct evidence *evidence) {
        struct errand *errand = kept->helped->helping->errands;

        while (errand && (!errand->is_asked || errand->is_sent || errand->helped != kept->helped || errand->at_ns != evidence->at_ns ||
                          errand->seq != evidence->seq))
                errand = errand->next;
        if (errand)
                go_on(errand);
}

static const struct helper_action *find_action(const struct helper_kind *kind, const char *action) {
        for (size_t i = 0; i < kind->n_actions; i++)
                if (!strcmp(kind->actions[i].action, action))
                        return &kind->actions[i];
        return NULL;
}

static int begin(struct errand **ret_errand, struct helped *helped, const struct keeper_request *request, struct evidence *evidence) {
        struct errand *errand = errand_new(helped, evidence->word);
        int r = errand ? evidence_set_actor(evidence, request->asker) : -ENOMEM;

        if (!r)
                r = sd_event_add_time_relative(helped->helping->keeper->event, &errand->patience, CLOCK_MONOTONIC, RECORD_USEC, 0,
                                               on_patience_over, errand);
        if (r < 0) {
                evidence_deinit(evidence);
                if (errand)
                        errand_free(errand);
                return r;
        }
        errand->is_asked = true;
        errand->request = *request;
        *ret_errand = errand;
        return 0;
}

int keeper_helped_ask(struct kept *kept, const struct keeper_request *request, char ret_why[static STORE_WHY_MAX]) {
        struct evidence evidence = evidence_make(SOURCE_VMPOWER, EVIDENCE_REQUEST);
        struct helped *helped = kept->helped;
        const struct helper_kind *kind = helped->helping->kind;
        const struct helper_action *action = find_action(kind, request->action);
        struct errand *errand;
        int r;

        if (!action || !action->command) {
                snprintf(ret_why, STORE_WHY_MAX, "%.200s: %s", kept_name(kept), action ? action->instead : "that cannot be asked of it");
                return -EOPNOTSUPP;
        }
        if (!helped->is_told) {
                snprintf(ret_why, STORE_WHY_MAX, "%.200s cannot be asked just now: %s does not run", kept_name(kept), kind->program);
                return -ENOTCONN;
        }
        evidence_set_word(&evidence, action->command);
        r = begin(&errand, helped, request, &evidence);
        if (r) {
                snprintf(ret_why, STORE_WHY_MAX, "%s", strerror(-r));
                return r;
        }
        evidence.at_ns = errand->at_ns = source_now_ns();
        evidence.time_ns = source_time_ns();
        /* It is known by that when it is on record. */
        source_report(engine_vm_sink(kept->vm), &evidence);
        errand->seq = evidence.seq;
        return 0;
}
