#include "core/scene.h"

#include <signal.h>
#include <string.h>

const struct evidence *scene_earliest(const struct scene *s, bool (*matches)(const struct evidence *)) {
        const struct evidence *found = NULL;

        for (size_t i = 0; i < s->n_items; i++)
                if (matches(&s->items[i]) && (!found || evidence_is_before(&s->items[i], found)))
                        found = &s->items[i];
        return found;
}

const struct evidence *scene_first(const struct scene *s, enum evidence_kind kind) {
        const struct evidence *found = NULL;

        for (size_t i = 0; i < s->n_items; i++)
                if (s->items[i].kind == kind && (!found || evidence_is_before(&s->items[i], found)))
                        found = &s->items[i];
        return found;
}

const struct evidence *scene_last_before(const struct scene *s, enum evidence_kind kind, const char *word,
                                          const struct evidence *limit, uint64_t within_ns) {
        const struct evidence *found = NULL;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (e->kind != kind || (word && strcmp(e->word, word)) || !evidence_is_before(e, limit))
                        continue;
                if (limit->at_ns - e->at_ns > within_ns)
                        continue;
                if (!found || evidence_is_before(found, e))
                        found = e;
        }
        return found;
}

static bool answers(const struct scene *s, const struct evidence *refused, const struct evidence *request) {
        if (strcmp(refused->word, request->word))
                return false;
        return refused->number ? (uint64_t)refused->number == request->at_ns
                               : request == scene_last_before(s, EVIDENCE_REQUEST, request->word, refused, UINT64_MAX);
}

bool scene_is_refused(const struct scene *s, const struct evidence *request, const struct evidence *limit) {
        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (e->kind == EVIDENCE_REFUSED && answers(s, e, request) && (limit->source == SOURCE_QMP || evidence_is_before(e, limit)))
                        return true;
        }
        return false;
}

const struct evidence *scene_request(const struct scene *s, const char *command, const struct evidence *limit, uint64_t within_ns) {
        const struct evidence *request = limit;

        while ((request = scene_last_before(s, EVIDENCE_REQUEST, command, request, UINT64_MAX)) && scene_is_refused(s, request, limit))
                ;
        return request && limit->at_ns - request->at_ns <= within_ns ? request : NULL;
}

bool is_client_at(const struct evidence *e, const struct evidence *effect) {
        return e->kind == EVIDENCE_MONITOR_CLIENT && e->at_ns == effect->at_ns && says(e, evidence_kind_info(effect->kind)->name);
}

const char *command_behind(const struct evidence *effect) {
        static const struct {
                enum evidence_kind kind;
                const char *reason, *command;
        } commands[] = {
                { EVIDENCE_STOP, "", "stop" },
                { EVIDENCE_RESUME, "", "cont" },
                { EVIDENCE_POWERDOWN, "", "system_powerdown" },
                { EVIDENCE_WAKEUP, "", "system_wakeup" },
                { EVIDENCE_RESET, "host-qmp-system-reset", "system_reset" },
                { EVIDENCE_SHUTDOWN, "host-qmp-system-reset", "system_reset" },
                { EVIDENCE_SHUTDOWN, "host-qmp-quit", "quit" },
        };

        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
                if (commands[i].kind == effect->kind && says(effect, commands[i].reason))
                        return commands[i].command;
        return NULL;
}

bool is_always_done(const char *command) {
        return !strcmp(command, "quit") || !strcmp(command, "system_reset") || !strcmp(command, "system_powerdown") || !strcmp(command, "system_wakeup");
}

/* Until when it may have been heard. */
static uint64_t heard_ns(const struct scene *s, const struct evidence *request) {
        for (size_t i = 0; i < s->n_items; i++)
                if (s->items[i].kind == EVIDENCE_ANSWERED_LATE && (uint64_t)s->items[i].number == request->at_ns && says(&s->items[i], request->word))
                        return s->items[i].at_ns;
        return request->at_ns;
}

/* What was on its way to a monitor is lost when that is closed: what QEMU had heard by then it has done, or it is gone. */
static bool is_lost(const struct scene *s, const struct evidence *request, const struct evidence *effect) {
        const struct evidence *opened = scene_last_before(s, EVIDENCE_MONITOR_OPENED, NULL, effect, UINT64_MAX);

        return opened && evidence_is_before(request, opened);
}

/* The oldest one since `used` that may have made it, within that time. */
static const struct evidence *oldest_request(const struct scene *s, const char *command, const struct evidence *used, const struct evidence *effect, uint64_t within_ns) {
        const struct evidence *e = used ? scene_first_after(s, EVIDENCE_REQUEST, used) : scene_first(s, EVIDENCE_REQUEST);

        for (; e && evidence_is_before(e, effect); e = scene_first_after(s, EVIDENCE_REQUEST, e))
                if (says(e, command) && (effect->at_ns <= heard_ns(s, e) || effect->at_ns - heard_ns(s, e) <= within_ns) && !scene_is_refused(s, e, effect) && !is_lost(s, e, effect))
                        return e;
        return NULL;
}

const struct evidence *scene_request_standing(const struct scene *s, const char *command, const struct evidence *limit) {
        return limit ? oldest_request(s, command, NULL, limit, UINT64_MAX) : NULL;
}

const struct evidence *scene_request_behind(const struct scene *s, const char *command, const struct evidence *effect) {
        const struct evidence *used = NULL;

        for (const struct evidence *e = scene_first(s, effect->kind); e && evidence_is_before(e, effect); e = scene_first_after(s, effect->kind, e)) {
                const char *done = command_behind(e);
                const struct evidence *request = done && !strcmp(done, command) ? oldest_request(s, command, used, e, REQUEST_ACTS_WITHIN_NS) : NULL;

                used = request ? request : used;
        }
        return oldest_request(s, command, used, effect, REQUEST_ACTS_WITHIN_NS);
}

const struct evidence *scene_going_down(const struct scene *s, const struct evidence *limit) {
        const struct evidence *stays_up = scene_last_before(s, EVIDENCE_STAYS_UP, NULL, limit, UINT64_MAX), *found = NULL;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (e->kind != EVIDENCE_GOING_DOWN || !evidence_is_before(e, limit) || (stays_up && evidence_is_before(e, stays_up)))
                        continue;
                if (!found || (e->actor && !found->actor) || (!e->actor == !found->actor && evidence_is_before(found, e)))
                        found = e;
        }
        return found;
}

/* Linux takes a halt for a power-off (drivers/xen/manage.c). */
static bool asks_for(const char *request, const char *reason) {
        return !strcmp(request, reason) || (!strcmp(request, "halt") && !strcmp(reason, "poweroff"));
}

bool scene_asked(const struct scene *s, bool or_unseen, struct asked *ret) {
        *ret = (struct asked){ 0 };
        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (e->kind != EVIDENCE_CONTROL_ACKNOWLEDGED || !evidence_is_before(e, s->cause) ||
                    !(asks_for(e->word, s->cause->word) || (or_unseen && !strcmp(e->word, "unseen"))))
                        continue;
                if (!ret->acknowledged || evidence_is_before(ret->acknowledged, e))
                        ret->acknowledged = e;
        }
        if (ret->acknowledged)
                ret->request = scene_last_before(s, EVIDENCE_CONTROL_REQUEST, ret->acknowledged->word, ret->acknowledged, UINT64_MAX);
        return ret->request;
}

const struct evidence *scene_first_after(const struct scene *s, enum evidence_kind kind, const struct evidence *start) {
        const struct evidence *found = NULL;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (e->kind == kind && evidence_is_before(start, e) && (!found || evidence_is_before(e, found)))
                        found = e;
        }
        return found;
}

bool scene_has_client(const struct scene *s, const struct evidence *effect) {
        for (size_t i = 0; i < s->n_items; i++)
                if (is_client_at(&s->items[i], effect))
                        return true;
        return false;
}

const struct evidence *scene_outcome_after(const struct scene *s, const struct evidence *start) {
        const struct evidence *status = start;

        do
                status = scene_first_after(s, EVIDENCE_STATUS, status);
        while (status && evidence_status_is_transient(status->word));
        return status;
}

uint64_t apart_ns(const struct evidence *a, const struct evidence *b) {
        return a->at_ns > b->at_ns ? a->at_ns - b->at_ns : b->at_ns - a->at_ns;
}

const char *way_to_reset(const struct evidence *e) {
        static const char *const ports[] = { "0x64", "0xcf9", "0x92" };

        if (e->kind == EVIDENCE_KVM_EXIT)
                return says(e, "shutdown") ? "shutdown" : NULL;
        for (size_t i = 0; e->kind == EVIDENCE_PORT_WRITE && i < sizeof(ports) / sizeof(ports[0]); i++)
                if (says(e, ports[i]))
                        return ports[i];
        return NULL;
}

bool signal_is_a_fault(int64_t signal) {
        return signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
               signal == SIGTRAP || signal == SIGSYS || signal == SIGPIPE || signal == SIGXCPU || signal == SIGXFSZ;
}

bool scene_is_sent_shortly_before(const struct scene *s, const struct evidence *signal) {
        return signal && signal->at_ns <= s->cause->at_ns && s->cause->at_ns - signal->at_ns <= SIGNAL_ENDS_WITHIN_NS;
}

static bool is_oom_mark(const struct evidence *e) {
        return e->kind == EVIDENCE_OOM_KILL && e->source == SOURCE_TRACE;
}

const struct evidence *scene_oom_mark(const struct scene *s) {
        return scene_earliest(s, is_oom_mark);
}

/* systemd, "Users, Groups, UIDs and GIDs on systemd Systems": root, the system's own users, and those that systemd makes for a service. */
static bool is_uid_of_service(int64_t uid) {
        return (uid >= 0 && uid < 1000) || (uid >= 61184 && uid <= 65519);
}

bool is_by_oom_daemon(const struct evidence *signal) {
        const struct actor *actor = signal ? signal->actor : NULL;
        const char *name = actor ? strrchr(actor->exe, '/') : NULL;

        if (!actor || !is_uid_of_service(actor->uid))
                return false;
        name = name ? name + 1 : actor->exe[0] ? actor->exe : actor->comm;
        return !strcmp(name, "systemd-oomd") || !strcmp(name, "earlyoom");
}

bool prove(struct scene *s, const struct evidence *e) {
        if (!e)
                return false;
        for (size_t i = 0; i < s->n_proof; i++)
                if (s->proof[i] == e)
                        return true;
        if (s->n_proof < VERDICT_PROOF_MAX)
                s->proof[s->n_proof++] = e;
        return true;
}

bool signal_is_an_end(int64_t signal) {
        return signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGKILL || signal == SIGQUIT;
}

bool signal_is_a_stop(int64_t signal) {
        return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

bool scene_is_near(const struct evidence *a, const struct evidence *b, uint64_t within_ns) {
        return apart_ns(a, b) <= within_ns;
}

const struct evidence *scene_nearest(const struct scene *s, enum evidence_kind kind, const struct evidence *fact,
                                     uint64_t within_ns) {
        const struct evidence *found = NULL;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (e->kind != kind || apart_ns(e, fact) > within_ns)
                        continue;
                if (!found || apart_ns(e, fact) < apart_ns(found, fact) ||
                    (apart_ns(e, fact) == apart_ns(found, fact) && evidence_is_before(e, found)))
                        found = e;
        }
        return found;
}

/* How much a report of a signal tells: its sender first, if only that there was no other, then whether the kernel itself said so. */
static int signal_rank(const struct evidence *signal) {
        return (signal->actor || signal->flag == TRISTATE_TRUE ? 2 : 0) + (signal->source == SOURCE_TRACE ? 1 : 0);
}

/* Two clocks: what is told a moment late may have been before. */
static bool is_after_cause(const struct scene *s, const struct evidence *e) {
        return s->cause && e->at_ns > s->cause->at_ns && apart_ns(e, s->cause) > ORDER_CERTAIN_NS;
}

/* A VMM that was asked to end takes its time, and somebody may ask again: the first did it.  What was sent long before, and was not obeyed, did not. */
static bool is_obeyed_slowly(const struct scene *s, const struct evidence *e) {
        return s->cause && s->cause->kind != EVIDENCE_SHUTDOWN && s->cause->at_ns - e->at_ns <= SIGNAL_ENDS_WITHIN_NS;
}

/*
 * Of two that tell as much: what it has acted on at once is the last before the cause.  That one signal ended it the trace alone can tell; but one that it
 * has handled, and lived on, tells who sent it, too, so there the time comes before that.
 */
static bool fits_better(const struct scene *s, int64_t signal, const struct evidence *a, const struct evidence *b) {
        int rank_a = signal ? a->source == SOURCE_TRACE : signal_rank(a), rank_b = signal ? b->source == SOURCE_TRACE : signal_rank(b);

        if (rank_a != rank_b)
                return rank_a > rank_b;
        if (is_after_cause(s, a) != is_after_cause(s, b))
                return is_after_cause(s, b);
        if (is_after_cause(s, a) || (!signal && is_obeyed_slowly(s, a) && is_obeyed_slowly(s, b)))
                return evidence_is_before(a, b);
        return evidence_is_before(b, a);
}

/* QEMU names who has sent it a signal once, at its end: what its standard error said so before was its guest's. */
static bool is_disowned(const struct scene *s, const struct evidence *e) {
        for (size_t i = 0; i < s->n_items && e->source == SOURCE_STDERR; i++)
                if (s->items[i].source == SOURCE_STDERR && s->items[i].kind == EVIDENCE_SIGNAL && evidence_is_before(e, &s->items[i]))
                        return true;
        return false;
}

/* Who is sent a signal may clean up first, and send it to himself then.  A handler of a fault does no more than say so. */
static const struct evidence *passed_on(const struct scene *s, const struct evidence *own) {
        const uint64_t within_ns = signal_is_a_fault(own->number) ? SECOND_NS : SIGNAL_ENDS_WITHIN_NS;
        const struct evidence *found = own;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (e->kind == EVIDENCE_SIGNAL && e->number == own->number && e->actor && !is_disowned(s, e) && evidence_is_before(e, own) &&
                    apart_ns(e, own) <= within_ns && (found == own || evidence_is_before(found, e)))
                        found = e;
        }
        return found;
}

const struct evidence *scene_signal(const struct scene *s, int64_t signal) {
        const struct evidence *found = NULL;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (e->kind != EVIDENCE_SIGNAL || (signal ? e->number != signal : !signal_is_an_end(e->number)) || is_disowned(s, e))
                        continue;
                /* It said that it ends, or did so with a status of its own: that is no SIGKILL's doing. */
                if (!signal && e->number == SIGKILL && s->cause && s->cause->kind != EVIDENCE_VANISHED)
                        continue;
                /* What was sent afterwards did not do it. */
                if (s->cause && e->at_ns > s->cause->at_ns && apart_ns(e, s->cause) > SIGNAL_READ_WITHIN_NS)
                        continue;
                if (!found || fits_better(s, signal, e, found))
                        found = e;
        }
        return found && signal && found->flag == TRISTATE_TRUE ? passed_on(s, found) : found;
}

/* --- what was only tried ------------------------------------------------------------------------------------------ */

/* The first that may have come to this. */
static const struct evidence *tried_for(const struct scene *s, const struct evidence *outcome) {
        const uint64_t within_ns = outcome->kind == EVIDENCE_STOP ? 0 : OFF_ENDS_WITHIN_NS;
        const struct evidence *found = NULL;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (evidence_is_tried(e) && evidence_is_before(e, outcome) && apart_ns(e, outcome) <= within_ns && (!found || evidence_is_before(e, found)))
                        found = e;
        }
        return found;
}

/* Somebody's signal between the two.  What comes right after a poweroff is a toolstack that cleans up; later, or SIGKILL, it has done it itself. */
static const struct evidence *signal_between(const struct scene *s, const struct evidence *tried, const struct evidence *outcome, bool that_did_it) {
        const struct evidence *found = NULL;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (e->kind != EVIDENCE_SIGNAL || !signal_is_an_end(e->number) || !evidence_is_before(tried, e) || e->at_ns > outcome->at_ns)
                        continue;
                if (that_did_it && apart_ns(tried, e) <= WRITE_ACTS_WITHIN_NS && !(e->number == SIGKILL && outcome->kind == EVIDENCE_VANISHED))
                        continue;
                if (!found || evidence_is_before(e, found))
                        found = e;
        }
        return found;
}

static const struct evidence *borne_out(const struct scene *s, const struct evidence *outcome) {
        const bool is_held = outcome->kind == EVIDENCE_STOP && outcome->source == SOURCE_TRACE;
        const bool is_end = (outcome->kind == EVIDENCE_EXITED && outcome->number == 0) || outcome->kind == EVIDENCE_VANISHED;
        const struct evidence *tried = is_held || is_end ? tried_for(s, outcome) : NULL;

        return tried && is_end && signal_between(s, tried, outcome, true) ? NULL : tried;
}

const struct evidence *scene_doubt(const struct scene *s) {
        const struct evidence *found, *first;

        if (!s->outcome)
                return NULL;
        if (s->outcome->kind == EVIDENCE_STOP || s->outcome->kind == EVIDENCE_VANISHED || apart_ns(s->cause, s->outcome) > OFF_ENDS_SURELY_WITHIN_NS)
                return s->outcome;
        found = signal_between(s, s->cause, s->outcome, false);
        first = scene_earliest(s, evidence_is_tried);
        /* It has tried that before, and lived on. */
        return found || apart_ns(first, s->cause) <= WRITE_ACTS_WITHIN_NS ? found : first;
}

const struct evidence *scene_off_before(const struct scene *s) {
        const struct evidence *status;

        if (!s->cause || !evidence_ends_process(s->cause))
                return NULL;
        status = scene_last_before(s, EVIDENCE_STATUS, NULL, s->cause, UINT64_MAX);
        if (status && (says(status, "shutdown") || says(status, "guest-panicked")))
                return status;
        /* Of an exit that a signal has brought about no more is known in any case. */
        return s->cause->kind == EVIDENCE_KILLED ? tried_for(s, s->cause) : NULL;
}

/* Which change made the rest; or the end of the process, where nothing but what was read late is there beside it. */
static const struct evidence *cause_of(const struct scene *s) {
        const struct evidence *end = scene_earliest(s, evidence_ends_process), *found = NULL;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (evidence_changes_vm(e) && !(end && evidence_is_before(end, e) && evidence_traits(e->kind)->lets_run) && (!found || evidence_is_before(e, found)))
                        found = e;
        }
        return found ? found : end;
}

void scene_init(struct scene *scene, const struct evidence *items, size_t n_items, const struct judge_settings *settings) {
        const struct evidence *tried;

        *scene = (struct scene){ .items = items, .n_items = n_items, .settings = settings };
        scene->cause = cause_of(scene);
        tried = scene->cause ? borne_out(scene, scene->cause) : NULL;
        if (tried) {
                scene->outcome = scene->cause;
                scene->cause = tried;
        }
}
