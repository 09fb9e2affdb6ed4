/*
 * Fuzz: any text as a story, read line by line, and what it tells of evidence lived through.
 *
 * The laws: what is read is bounded and can be given back; an episode is bounded, its deadlines never stand still, and a
 * fact that is delivered twice changes nothing; the tally loses no count.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "basics/cleanup.h"
#include "core/episode.h"
#include "core/record.h"
#include "core/tally.h"
#include "core/text.h"
#include "sources/scripted/story.h"

/* Holds in a release build, too. */
#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
        REPEATS_MAX = 40, /* of one line; a longer loop finds nothing more */
        LINES_MAX = 200,
};

/* One VM.  Of two that hear the same, one hears each fact twice. */
struct vm {
        struct episode episode;
        struct verdict told;
        unsigned n_told;
};

struct life {
        struct tally tally;
        struct vm once, twice;
        uint64_t now_ns;
        uint64_t seq;
        uint64_t n_offered, n_passed, n_omitted;
};

static void judge(struct vm *vm, uint64_t now_ns, bool flush) {
        static const struct vm_identity identity = { .name = "web-1", .backend = "qemu", .instance = "story" };
        struct verdict_record record;
        struct verdict verdict;

        if (episode_judge(&vm->episode, NULL, now_ns, flush, &verdict) != EPISODE_VERDICT)
                return;
        law(verdict_record_make(&record, &identity, &verdict, vm->episode.items, vm->episode.n_items,
                                vm->episode.cause_id, vm->episode.revision) == 0);
        law(record.n_items == vm->episode.n_items && record.summary[0]);
        law(!verdict.actor == !record.verdict.actor);
        for (size_t i = 1; i < record.n_items; i++)
                law(!evidence_is_before(&record.items[i], &record.items[i - 1]));
        for (size_t i = 0; i < verdict.n_proof; i++)
                law(evidence_is_same(&record.items[record.verdict.proof[i]], &vm->episode.items[verdict.proof[i]]));
        verdict_record_deinit(&record);

        vm->told = verdict;
        vm->told.actor = NULL;
        vm->n_told++;
}

static void judge_if_ripe(struct vm *vm, uint64_t now_ns) {
        if (episode_is_ripe(&vm->episode, now_ns))
                judge(vm, now_ns, episode_is_over(&vm->episode));
        law(!episode_is_ripe(&vm->episode, now_ns) || vm->episode.phase == EPISODE_JUDGED);
        law(episode_next_deadline(&vm->episode) > now_ns);
}

static void take(struct vm *vm, const struct evidence *evidence, uint64_t now_ns) {
        struct evidence copy;

        law(evidence_copy(&copy, evidence) == 0);
        if (episode_begins_anew(&vm->episode, &copy)) {
                judge(vm, now_ns, true);
                episode_turn(&vm->episode);
                law(vm->episode.phase == EPISODE_QUIET);
                law(!episode_begins_anew(&vm->episode, &copy));
        }
        law(episode_add(&vm->episode, &copy) == 0 && !copy.actor);
        law(vm->episode.n_items <= EPISODE_ITEMS_MAX);
}

static void hear(struct evidence *evidence, void *userdata) {
        struct life *life = userdata;

        take(&life->once, evidence, life->now_ns);
        take(&life->twice, evidence, life->now_ns);
        take(&life->twice, evidence, life->now_ns);
        evidence_deinit(evidence);
}

/* From the tally, later: it counts what it leaves out. */
static void hear_late(struct evidence *evidence, void *userdata) {
        struct life *life = userdata;

        if (evidence->kind == EVIDENCE_OMITTED) {
                law(evidence->number > 0);
                life->n_omitted += (uint64_t)evidence->number;
        } else {
                life->n_passed++;
        }
        hear(evidence, life);
}

static void must_be_alike(const struct life *life) {
        const struct vm *a = &life->once, *b = &life->twice;

        law(a->n_told == b->n_told && a->episode.phase == b->episode.phase && a->episode.n_items == b->episode.n_items);
        law(a->told.rule == b->told.rule && a->told.count == b->told.count && a->told.left == b->told.left);
}

static void pass_time(struct life *life, uint64_t until_ns) {
        while (tally_next_deadline(&life->tally) < until_ns || episode_next_deadline(&life->once.episode) < until_ns) {
                uint64_t next = tally_next_deadline(&life->tally);

                if (episode_next_deadline(&life->once.episode) < next)
                        next = episode_next_deadline(&life->once.episode);
                if (next > life->now_ns)
                        life->now_ns = next;
                tally_let_out(&life->tally, life->now_ns, false, hear_late, life);
                law(tally_next_deadline(&life->tally) > life->now_ns);
                judge_if_ripe(&life->once, life->now_ns);
                judge_if_ripe(&life->twice, life->now_ns);
                must_be_alike(life);
        }
        if (until_ns > life->now_ns)
                life->now_ns = until_ns;
}

static void live_through(struct life *life, const struct evidence *told, uint64_t behind_ns) {
        struct evidence evidence;
        int r;

        law(evidence_copy(&evidence, told) == 0);
        evidence.at_ns = life->now_ns > behind_ns ? life->now_ns - behind_ns : 0;
        evidence.time_ns = evidence.at_ns;
        evidence.seq = ++life->seq;
        if (tally_is_overtaken(&life->tally, &evidence)) {
                tally_let_out(&life->tally, life->now_ns, true, hear_late, life);
                law(tally_next_deadline(&life->tally) == UINT64_MAX);
        }
        r = tally_offer(&life->tally, &evidence);
        law(r == 0 || r == TALLY_HELD);
        life->n_offered++;
        if (r == 0) {
                life->n_passed++;
                hear(&evidence, life);
        }
        tally_let_out(&life->tally, life->now_ns, false, hear_late, life);
        judge_if_ripe(&life->once, life->now_ns);
        judge_if_ripe(&life->twice, life->now_ns);
        must_be_alike(life);
}

static void must_be_bounded(const struct story_step *step) {
        const struct story_expectation *expected = &step->expectation;

        law(memchr(step->vm, '\0', sizeof(step->vm)) && memchr(step->setting, '\0', sizeof(step->setting)));
        law(memchr(expected->rule, '\0', sizeof(expected->rule)));
        law(memchr(expected->actor, '\0', sizeof(expected->actor)));
        law(step->at_ns <= 2 * STORY_TIME_MAX_NS);
        law(expected->transition < _TRANSITION_N && expected->initiator < _INITIATOR_N);
        law(expected->mechanism < _MECHANISM_N && expected->left < _LEFT_N && expected->confidence < _CONFIDENCE_N);
        law(expected->action < _POLICY_ACTION_N && expected->result < _DECISION_RESULT_N);
        if (step->kind == STORY_EVIDENCE) {
                const struct evidence *e = &step->evidence;

                law(e->source < _SOURCE_N && e->kind < _EVIDENCE_KIND_N);
                law(memchr(e->word, '\0', sizeof(e->word)) && memchr(e->text, '\0', sizeof(e->text)));
                law(step->repeat >= 1 && step->repeat <= STORY_REPEAT_MAX && step->happened_ns <= step->at_ns);
                law(step->every_ns <= STORY_TIME_MAX_NS / STORY_REPEAT_MAX);
        } else {
                law(!step->evidence.actor);
        }
}

static void set_policy(const char *setting) {
        struct policy policy = policy_default(true), again = policy_default(false);
        char text[POLICY_TEXT_MAX], *rest = text, *word;
        const char *why = NULL;

        if (policy_set(&policy, setting, POLICY_EXPLICIT, &why)) {
                law(why);
                return;
        }
        policy_format(&policy, text);
        while ((word = strsep(&rest, " ")))
                law(policy_set(&again, word, POLICY_EXPLICIT, &why) == 0);
        for (size_t i = 0; i < _POLICY_EVENT_N; i++)
                law(policy.on[i].action == again.on[i].action);
        law(policy.halt_after_ns == again.halt_after_ns);
}

static void live_line(struct life *life, const char *line, size_t n) {
        struct story_step step;
        const char *why = NULL;
        int r;

        r = story_read_line(line, n, &step, &why);
        if (r) {
                law(r == STORY_EMPTY || why);
                return;
        }
        must_be_bounded(&step);
        if (step.kind == STORY_POLICY)
                set_policy(step.setting);
        if (step.kind == STORY_EVIDENCE)
                for (uint64_t i = 0; i < step.repeat && i < REPEATS_MAX; i++) {
                        pass_time(life, step.at_ns + i * step.every_ns);
                        live_through(life, &step.evidence, step.at_ns - step.happened_ns);
                }
        story_step_deinit(&step);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct life life = { 0 };
        const char *text = (const char *)data;

        /* The first byte says whether a process is watched; a story's first is a '#'. */
        episode_init(&life.once.episode, size && (data[0] & 1));
        episode_init(&life.twice.episode, size && (data[0] & 1));
        for (unsigned i = 0; size && i < LINES_MAX; i++) {
                const char *end = memchr(text, '\n', size);
                size_t n = end ? (size_t)(end - text) : size;

                live_line(&life, text, n);
                n += end != NULL;
                text += n;
                size -= n;
        }
        tally_let_out(&life.tally, life.now_ns, true, hear_late, &life);
        law(life.n_offered == life.n_passed + life.n_omitted);
        judge_if_ripe(&life.once, life.now_ns);
        judge_if_ripe(&life.twice, life.now_ns);
        must_be_alike(&life);

        tally_deinit(&life.tally);
        episode_deinit(&life.once.episode);
        episode_deinit(&life.twice.episode);
        return 0;
}
