/* The judge: the first rule of the table that holds names the cause; what the table leaves open is filled in here. */
#include "core/xen_rules.h"

#include <signal.h>
#include <string.h>

/* Two clocks, two readers: closer than this, the order of two sources' facts is not certain. */
#define ORDER_CERTAIN_NS (10 * MS_NS)

const struct judge_settings judge_settings_default = {
        .button_certain_ns = 120 * SECOND_NS,
        .button_likely_ns = 600 * SECOND_NS,
};

/* A panic device's action says what became of the guest. */
static enum left left_after_crash(const struct scene *s, bool gone) {
        const struct evidence *e = s->cause;

        if (e->kind == EVIDENCE_GUEST_CRASHLOADED || e->kind == EVIDENCE_RESET || says(e, "run"))
                return LEFT_RUNNING;
        if (e->kind == EVIDENCE_STOP || says(e, "pause") || scene_first_after(s, EVIDENCE_STOP, e))
                return LEFT_PAUSED;
        return gone ? LEFT_GONE : LEFT_OFF;
}

/* A guest that runs goes on until it asks for a device that is not Xen's own; one that is held is held on. */
static enum left left_after_device_model(const struct scene *s) {
        const struct evidence *status = scene_first_after(s, EVIDENCE_STATUS, s->cause);

        return status && says(status, "paused") ? LEFT_PAUSED : LEFT_RUNNING;
}

/* A process that goes on does not make a guest run which its monitor has stopped. */
static enum left left_after_resume(const struct scene *s) {
        const struct evidence *status;
        enum left left = LEFT_RUNNING;

        if (s->cause->kind != EVIDENCE_CONTINUED)
                return LEFT_RUNNING;
        status = scene_last_before(s, EVIDENCE_STATUS, NULL, s->cause, UINT64_MAX);
        return status && evidence_left_by_status(status->word, &left) ? left : LEFT_RUNNING;
}

/* A guest that was held, off or asleep is held after its reset (main_loop_should_exit() in QEMU's softmmu/runstate.c: prelaunch). */
static enum left left_after_reset(const struct scene *s) {
        const struct evidence *status = scene_last_before(s, EVIDENCE_STATUS, NULL, s->cause, UINT64_MAX);
        enum left left;

        return status && evidence_left_by_status(status->word, &left) && left != LEFT_RUNNING ? LEFT_PAUSED : LEFT_RUNNING;
}

/* What the transition left, not what was cleared away afterwards: a VM that is held stays "off" when it is ended. */
static enum left left_after(const struct scene *s, enum transition transition) {
        const struct evidence *cause = s->cause;
        bool gone = cause && (scene_earliest(s, evidence_ends_process) ||
                              scene_first_after(s, EVIDENCE_MONITOR_CLOSED, cause));

        enum left left;

        if (cause && cause->kind == EVIDENCE_STATUS && evidence_left_by_status(cause->word, &left))
                return left;
        /* A domain that has shut down stays until its toolstack destroys it. */
        if (cause && cause->kind == EVIDENCE_DOMAIN_SHUTDOWN)
                return transition == TRANSITION_SUSPEND ? LEFT_SUSPENDED : LEFT_OFF;
        switch (transition) {
        case TRANSITION_POWEROFF:
        case TRANSITION_HIBERNATE:
                return gone && !scene_first_after(s, EVIDENCE_STOP, cause) ? LEFT_GONE : LEFT_OFF;
        case TRANSITION_REBOOT:
                /* With -no-reboot it is a SHUTDOWN. */
                if (cause->kind == EVIDENCE_RESET)
                        return left_after_reset(s);
                return gone && !scene_first_after(s, EVIDENCE_STOP, cause) ? LEFT_GONE : LEFT_OFF;
        case TRANSITION_CRASH:
                return left_after_crash(s, gone);
        case TRANSITION_FAILURE:
        case TRANSITION_MIGRATE:
                if (evidence_ends_device_model(cause))
                        return left_after_device_model(s);
                if (cause->kind == EVIDENCE_STOP)
                        return LEFT_PAUSED;
                return gone ? LEFT_GONE : LEFT_OFF;
        case TRANSITION_HALT:
                return LEFT_HALTED;
        case TRANSITION_SUSPEND:
                return LEFT_SUSPENDED;
        case TRANSITION_PAUSE:
                return LEFT_PAUSED;
        case TRANSITION_START:
        case TRANSITION_WAKE:
                return LEFT_RUNNING;
        case TRANSITION_RESUME:
                return left_after_resume(s);
        case TRANSITION_DESTROY:
        case TRANSITION_UNKNOWN:
                return gone || !cause ? LEFT_GONE : LEFT_OFF;
        case _TRANSITION_N:
                break;
        }
        return LEFT_GONE;
}

/* Whoever was at another monitor when that was done: the one, where it was one. */
static const struct evidence *lone_client(const struct scene *s, const struct evidence *effect) {
        const struct evidence *found = NULL;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (!is_client_at(e, effect))
                        continue;
                if (!e->actor || (found && found->actor->pid != e->actor->pid))
                        return NULL;
                if (!found || evidence_is_before(e, found))
                        found = e;
        }
        return found;
}

/* Who told a monitor to do that: by way of vmpower, else by one that vmpower does not hold. */
static const struct evidence *asking(const struct scene *s, const struct evidence *effect) {
        const char *command = command_behind(effect);
        const struct evidence *request = command ? scene_request_behind(s, command, effect) : NULL;

        return request ? request : lone_client(s, effect);
}

static const struct evidence *proven(const struct scene *s, enum evidence_kind kind) {
        for (size_t i = 0; i < s->n_proof; i++)
                if (s->proof[i]->kind == kind)
                        return s->proof[i];
        return NULL;
}

/* A migration takes its time. */
static const struct evidence *migrating(const struct scene *s) {
        const struct evidence *request = proven(s, EVIDENCE_REQUEST);

        if (!request)
                request = scene_request(s, "migrate", s->cause, UINT64_MAX);
        return request ? request : lone_client(s, s->cause);
}

/* Who wrote control/shutdown. */
static const struct evidence *controlling(const struct scene *s) {
        const struct evidence *request = proven(s, EVIDENCE_CONTROL_REQUEST);

        if (!request)
                return proven(s, EVIDENCE_REQUEST);
        if (request->actor)
                return request;
        return scene_request(s, says(s->cause, "poweroff") ? "shutdown" : s->cause->word, request, REQUEST_ACTS_WITHIN_NS);
}

/* Who had a toolstack do it: by way of vmpower, else by a program of his own that was seen to tell the hypervisor. */
static const struct evidence *commanding(const struct scene *s) {
        static const struct {
                enum evidence_kind effect;
                const char *request, *hypercall;
        } commands[] = {
                { EVIDENCE_DOMAIN_GONE, "destroy", "destroydomain" },
                { EVIDENCE_DOMAIN_PAUSED, "pause", "pausedomain" },
                { EVIDENCE_DOMAIN_UNPAUSED, "resume", "unpausedomain" },
                { EVIDENCE_DOMAIN_RESUMED, "resume", "resumedomain" },
        };

        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
                const struct evidence *request, *hypercall;

                if (commands[i].effect != s->cause->kind)
                        continue;
                request = scene_request(s, commands[i].request, s->cause, HYPERCALL_ACTS_WITHIN_NS);
                hypercall = scene_last_before(s, EVIDENCE_HYPERCALL, commands[i].hypercall, s->cause, HYPERCALL_ACTS_WITHIN_NS);
                /* libxl may take its time to do it; but whoever did it himself meanwhile was sooner. */
                if (!request || !request->actor || (hypercall && !scene_is_near(request, s->cause, REQUEST_ACTS_WITHIN_NS)))
                        return hypercall ? hypercall : request;
                return request;
        }
        return NULL;
}

/* Who acted, where an operator (or the host on somebody's word) did: the sender of the signal, the asker of the request. */
static const struct evidence *acting(const struct scene *s, const struct rule_info *rule) {
        if (rule->mechanism == MECHANISM_HOST_SHUTDOWN)
                return scene_going_down(s, s->cause);
        /* A daemon that frees memory: its signal is the proof. */
        if (rule->mechanism == MECHANISM_OOM_KILL)
                for (size_t i = 0; i < s->n_proof; i++)
                        if (s->proof[i]->kind == EVIDENCE_SIGNAL)
                                return s->proof[i];
        if (rule->initiator != INITIATOR_OPERATOR)
                return NULL;
        if (rule->mechanism == MECHANISM_SIGNAL && evidence_ends_device_model(s->cause))
                return proven(s, EVIDENCE_SIGNAL);
        if (rule->mechanism == MECHANISM_SIGNAL)
                return s->cause->kind == EVIDENCE_CONTINUED ? scene_signal(s, SIGCONT)
                       : s->cause->kind == EVIDENCE_KILLED || s->cause->kind == EVIDENCE_STOPPED
                               ? scene_signal(s, s->cause->number)
                               : scene_signal(s, 0);
        if (rule->mechanism == MECHANISM_MIGRATION)
                return migrating(s);
        if (rule->mechanism == MECHANISM_QMP_QUIT && proven(s, EVIDENCE_REQUEST))
                return proven(s, EVIDENCE_REQUEST);
        if (rule->mechanism == MECHANISM_QMP_STOP || rule->mechanism == MECHANISM_QMP_QUIT || rule->mechanism == MECHANISM_QMP_RESET ||
            rule->mechanism == MECHANISM_ACPI_S3)
                return asking(s, s->cause);
        if (rule->mechanism == MECHANISM_XEN_CONTROL)
                return controlling(s);
        if (rule->mechanism == MECHANISM_XEN_TOOLSTACK && s->cause->kind == EVIDENCE_DOMAIN_SHUTDOWN)
                return proven(s, EVIDENCE_HYPERCALL);
        if (rule->mechanism == MECHANISM_XEN_DESTROY || rule->mechanism == MECHANISM_XEN_TOOLSTACK)
                return commanding(s);
        if (rule->mechanism == MECHANISM_POWER_BUTTON && s->cause->kind == EVIDENCE_DOMAIN_SHUTDOWN)
                return proven(s, EVIDENCE_REQUEST) ? proven(s, EVIDENCE_REQUEST) : proven(s, EVIDENCE_HYPERCALL);
        if (rule->mechanism == MECHANISM_POWER_BUTTON)
                return asking(s, scene_last_before(s, EVIDENCE_POWERDOWN, NULL, s->cause, UINT64_MAX));
        return NULL;
}

/*
 * Another source's cause so close to a guest's that their order is not certain: a signal to the VMM, or a request to
 * end it, around the instant at which the guest went.
 */
static const struct evidence *rival(const struct scene *s, const struct rule_info *rule) {
        const struct evidence *found = NULL, *guest = s->cause;

        if (!s->cause || rule->initiator != INITIATOR_GUEST)
                return NULL;
        /* What the kernel saw of both has one clock. */
        for (size_t i = 0; i < s->n_proof; i++)
                if (s->proof[i]->kind == EVIDENCE_PORT_WRITE || s->proof[i]->kind == EVIDENCE_KVM_EXIT)
                        guest = s->proof[i];
        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];
                bool ends = (e->kind == EVIDENCE_SIGNAL && signal_is_an_end(e->number)) ||
                            (e->kind == EVIDENCE_REQUEST && (says(e, "quit") || says(e, "system_reset")) && !scene_is_refused(s, e, s->cause));

                /* A domain is not ended by what ends its device model, which goes when its toolstack is done with it. */
                if (ends && guest->kind == EVIDENCE_DOMAIN_SHUTDOWN && !evidence_is_before(e, guest))
                        continue;
                if (ends && e->source != guest->source && apart_ns(e, guest) < ORDER_CERTAIN_NS &&
                    (!found || evidence_is_before(e, found)))
                        found = e;
        }
        return found;
}

/* The firmware starts that a reboot stands for: the highest number among its resets. */
static uint64_t count_of(const struct scene *s) {
        int64_t count = 1;

        if (!s->cause || s->cause->kind != EVIDENCE_RESET)
                return 1;
        for (size_t i = 0; i < s->n_items; i++)
                if (s->items[i].kind == EVIDENCE_RESET && s->items[i].number > count)
                        count = s->items[i].number;
        return (uint64_t)count;
}

/*
 * What the kernel's tracepoints alone tell is what the guest tried: nothing tells that it sleeps, and only what follows that it is off.  And who ends
 * what may have been off may have cleared it away.  false: it is known.
 */
static bool is_only_likely(struct scene *s, const struct rule_info *rule) {
        const struct evidence *off = rule->transition == TRANSITION_DESTROY ? scene_off_before(s) : NULL, *doubt = scene_doubt(s);

        if (s->outcome)
                prove(s, s->outcome);
        if (doubt)
                prove(s, doubt);
        if (off)
                prove(s, off);
        return doubt || off || (s->cause && s->cause->kind == EVIDENCE_SUSPEND && s->cause->source == SOURCE_TRACE);
}

struct verdict verdict_from_evidence(const struct evidence *items, size_t n_items, const struct judge_settings *settings) {
        const struct rule *rule = judge_rules;
        const struct evidence *actor, *competitor;
        struct verdict verdict;
        bool is_doubtful;
        struct scene s;

        scene_init(&s, items, n_items, settings ? settings : &judge_settings_default);

        /* The last rule holds always, so the table is never left by its end. */
        for (;; rule++) {
                s.n_proof = 0;
                if (rule->holds(&s))
                        break;
        }

        actor = acting(&s, &rule->info);
        if (actor && actor->actor)
                prove(&s, actor);
        competitor = rival(&s, &rule->info);
        if (competitor)
                prove(&s, competitor);
        /* That it was for want of memory is known by who did it. */
        is_doubtful = is_only_likely(&s, &rule->info) || competitor || may_be_by_device_model(&s) ||
                      (rule->info.mechanism == MECHANISM_OOM_KILL && actor && actor->actor &&
                       (actor->actor->confidence != CONFIDENCE_CERTAIN || !actor->actor->exe[0]));

        verdict = (struct verdict){
                .at_ns = s.cause ? s.cause->at_ns : 0,
                .time_ns = s.cause ? s.cause->time_ns : 0,
                .transition = rule->info.transition,
                .initiator = rule->info.initiator,
                .mechanism = rule->info.mechanism,
                .graceful = rule->info.graceful,
                .left = left_after(&s, rule->info.transition),
                .count = count_of(&s),
                .confidence = is_doubtful && rule->info.confidence == CONFIDENCE_CERTAIN ? CONFIDENCE_LIKELY : rule->info.confidence,
                .rule = rule->info.name,
                .actor = actor ? actor->actor : NULL,
                .n_proof = s.n_proof,
        };
        for (size_t i = 0; i < s.n_proof; i++)
                verdict.proof[i] = (size_t)(s.proof[i] - items);
        return verdict;
}
