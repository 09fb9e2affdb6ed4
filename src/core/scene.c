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

const struct evidence *scene_request(const struct scene *s, const char *command, const struct evidence *limit, uint64_t within_ns) {
        const struct evidence *request = scene_last_before(s, EVIDENCE_REQUEST, command, limit, within_ns);
        const struct evidence *refused = scene_last_before(s, EVIDENCE_REFUSED, command, limit, within_ns);

        return request && refused && evidence_is_before(request, refused) ? NULL : request;
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

uint64_t apart_ns(const struct evidence *a, const struct evidence *b) {
        return a->at_ns > b->at_ns ? a->at_ns - b->at_ns : b->at_ns - a->at_ns;
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

bool is_by_oom_daemon(const struct evidence *signal) {
        return signal && signal->actor && (!strcmp(signal->actor->comm, "systemd-oomd") || !strcmp(signal->actor->comm, "earlyoom"));
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

const struct evidence *scene_signal(const struct scene *s, int64_t signal) {
        const struct evidence *found = NULL;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (e->kind != EVIDENCE_SIGNAL || (signal ? e->number != signal : !signal_is_an_end(e->number)))
                        continue;
                /* What was sent afterwards did not do it. */
                if (s->cause && e->at_ns > s->cause->at_ns && apart_ns(e, s->cause) > SIGNAL_READ_WITHIN_NS)
                        continue;
                if (!found || signal_rank(e) > signal_rank(found) ||
                    (signal_rank(e) == signal_rank(found) && evidence_is_before(e, found)))
                        found = e;
        }
        return found;
}


void scene_init(struct scene *scene, const struct evidence *items, size_t n_items, const struct judge_settings *settings) {
        *scene = (struct scene){ .items = items, .n_items = n_items, .settings = settings };
        scene->cause = scene_earliest(scene, evidence_changes_vm);
        if (!scene->cause)
                scene->cause = scene_earliest(scene, evidence_ends_process);
}
