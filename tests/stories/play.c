/*
 * Play: one story, from its lines to its expectations.
 *
 * The clock is a number: time passes from deadline to deadline and from line to line.  Each story is played twice, the
 * second time with every fact delivered twice, which must change nothing.  TAP on standard output, a test for each
 * expectation.
 */
#include "basics/cleanup.h"
#include "core/episode.h"
#include "core/record.h"
#include "core/scene.h"
#include "core/tally.h"
#include "core/text.h"
#include "sources/scripted/story.h"

#include <inttypes.h>
#include <string.h>

#define BOOT_NS UINT64_C(1000000000000)       /* the host's uptime when the story begins */
#define EPOCH_NS UINT64_C(1790000000000000000) /* the wall clock then: September 2026 */

enum {
        VMS_MAX = 16,
        RESTARTS_MAX = 64,
        DEADLINES_MAX = 100000, /* more without a line in between: the clock stands still */
};

struct line {
        unsigned number;
        char text[160];
        struct story_step step;
};

struct story {
        const char *file; /* without its folder */
        struct line *lines;
        size_t n_lines;
};

/* A line at one of its instants. */
struct event {
        uint64_t at_ns;
        uint64_t behind_ns; /* it happened so long before it is heard of */
        size_t line;
};

enum life {
        LIFE_WATCHED,
        LIFE_REPLACED, /* the old instance still ends, a new one has been started */
        LIFE_STARTED,  /* the next fact is the new instance's first */
};

struct vm {
        char name[sizeof(((struct story_step *)0)->vm)];
        struct vm_identity identity;
        struct policy policy;
        struct evidence machine;
        bool has_process;
        bool closes_monitor_itself;

        enum life life;
        bool is_met; /* its monitor has been spoken of */
        struct tally tally;
        struct episode episode;
        uint64_t seq[_SOURCE_N];

        struct verdict verdict; /* the last that was told; proof and actor are not kept */
        char actor[sizeof(((struct actor *)0)->comm)];
        struct decision decision;
        unsigned n_verdicts;
        unsigned n_revisions;
        uint64_t restarts_ns[RESTARTS_MAX];
        size_t n_restarts;
};

struct world {
        const struct story *story;
        unsigned copies;
        uint64_t now_ns;
        uint64_t last_id;
        struct vm vms[VMS_MAX];
        size_t n_vms;
};

static unsigned n_tests, n_failed;

static void check(const struct world *world, const struct line *line, bool holds, const char *expected, const char *got) {
        printf("%s %u - %s:%u %s%s\n", holds ? "ok" : "not ok", ++n_tests, world->story->file, line->number, line->text,
               world->copies > 1 ? " (every fact twice)" : "");
        if (holds)
                return;
        n_failed++;
        printf("# %s:%u: expected %s, got %s\n", world->story->file, line->number, expected, got);
}

/* --- VMs --------------------------------------------------------------------------------------------------------- */

static struct vm *find_vm(struct world *world, const char *name) {
        for (size_t i = 0; i < world->n_vms; i++)
                if (!strcmp(world->vms[i].name, name))
                        return &world->vms[i];
        return NULL;
}

static struct vm *meet_vm(struct world *world, const char *name) {
        struct vm *vm = find_vm(world, name);

        if (vm)
                return vm;
        if (world->n_vms == VMS_MAX)
                abort();
        vm = &world->vms[world->n_vms++];
        *vm = (struct vm){ .policy = policy_default(true) };
        text_set(vm->name, sizeof(vm->name), name);
        text_set(vm->identity.name, sizeof(vm->identity.name), name);
        text_set(vm->identity.backend, sizeof(vm->identity.backend), "qemu");
        text_set(vm->identity.instance, sizeof(vm->identity.instance), "story");
        vm->machine = evidence_make(SOURCE_QMP, EVIDENCE_MACHINE);
        evidence_set_word(&vm->machine, "pc-i440fx-7.2");
        return vm;
}

/* What the story says of its VMs as a whole: who is watched by its process, which machine, which policy. */
static void meet_vms(struct world *world) {
        for (size_t i = 0; i < world->story->n_lines; i++) {
                const struct line *line = &world->story->lines[i];
                const struct story_step *step = &line->step;
                struct vm *vm = meet_vm(world, step->vm);
                const char *why = NULL;

                if (step->kind == STORY_POLICY && policy_set(&vm->policy, step->setting, POLICY_STORED, &why))
                        check(world, line, false, "a policy", why);
                if (step->kind != STORY_EVIDENCE)
                        continue;
                if (step->evidence.kind == EVIDENCE_MACHINE)
                        vm->machine = step->evidence;
                if (step->evidence.source == SOURCE_PROCESS)
                        vm->has_process = true;
                if (step->evidence.kind == EVIDENCE_MONITOR_CLOSED)
                        vm->closes_monitor_itself = true;
        }
        for (size_t i = 0; i < world->n_vms; i++)
                episode_init(&world->vms[i].episode, world->vms[i].has_process);
}

static void world_deinit(struct world *world) {
        for (size_t i = 0; i < world->n_vms; i++) {
                tally_deinit(&world->vms[i].tally);
                episode_deinit(&world->vms[i].episode);
        }
}

static unsigned recent_restarts(const struct world *world, const struct vm *vm) {
        unsigned n = 0;

        for (size_t i = 0; i < vm->n_restarts; i++)
                if (world->now_ns - vm->restarts_ns[i] < POLICY_RESTARTS_WINDOW_NS)
                        n++;
        return n;
}

static void decide(struct world *world, struct vm *vm) {
        vm->decision = policy_decide(&vm->policy, &vm->verdict, recent_restarts(world, vm));
        if (vm->decision.act != ACT_START && vm->decision.act != ACT_REPLACE)
                return;
        if (vm->n_restarts == RESTARTS_MAX)
                abort();
        vm->restarts_ns[vm->n_restarts++] = world->now_ns;
        vm->life = vm->decision.act == ACT_START ? LIFE_STARTED : LIFE_REPLACED;
}

/* A verdict is told: note it, and decide unless it only revises one. */
static void hear(struct world *world, struct vm *vm, const struct verdict *verdict) {
        struct verdict_record record;

        if (verdict_record_make(&record, &vm->identity, verdict, vm->episode.items, vm->episode.n_items,
                                vm->episode.cause_id, vm->episode.revision))
                abort();
        if (world->copies == 1)
                printf("# %9.3f  %s: %s%s\n", (double)(world->now_ns - BOOT_NS) / 1e9, record.id, record.summary,
                       vm->episode.revision ? " (revised)" : "");
        vm->verdict = record.verdict;
        vm->verdict.rule = verdict->rule;
        text_set(vm->actor, sizeof(vm->actor), verdict->actor ? verdict->actor->comm : "");
        vm->verdict.actor = NULL;
        verdict_record_deinit(&record);

        if (vm->episode.revision) {
                vm->n_revisions++;
        } else {
                vm->n_verdicts++;
                decide(world, vm);
        }
}

static void judge(struct world *world, struct vm *vm, bool flush) {
        struct verdict verdict;

        if (episode_judge(&vm->episode, &vm->policy.judge, world->now_ns, flush, &verdict) == EPISODE_VERDICT)
                hear(world, vm, &verdict);
}

static void judge_if_ripe(struct world *world, struct vm *vm) {
        if (episode_is_ripe(&vm->episode, world->now_ns))
                judge(world, vm, episode_is_over(&vm->episode));
}

/* --- evidence ---------------------------------------------------------------------------------------------------- */

struct receiver {
        struct world *world;
        struct vm *vm;
};

static void take(struct evidence *evidence, void *userdata) {
        struct receiver *receiver = userdata;
        struct vm *vm = receiver->vm;

        /* The engine lets an episode rest between two wakeups: nothing of it may be noticed. */
        if (episode_rest(&vm->episode) || episode_wake(&vm->episode))
                abort();
        evidence->id = ++receiver->world->last_id;
        if (episode_begins_anew(&vm->episode, evidence)) {
                judge(receiver->world, vm, true);
                episode_turn(&vm->episode);
        }
        if (episode_add(&vm->episode, evidence))
                abort();
}

/* By the shared monitor, so QEMU's own is open. */
static bool is_qmp_request(const struct evidence *e) {
        return e->kind == EVIDENCE_REQUEST && (is_always_done(e->word) || !strcmp(e->word, "stop") || !strcmp(e->word, "cont"));
}

/* Taken over; delivered as often as the world says. */
static void report(struct world *world, struct vm *vm, struct evidence *evidence) {
        struct receiver receiver = { .world = world, .vm = vm };

        evidence->seq = ++vm->seq[evidence->source];
        for (unsigned i = 0; i < world->copies; i++) {
                struct evidence copy;
                int r;

                if (evidence_copy(&copy, evidence))
                        abort();
                if (tally_is_overtaken(&vm->tally, &copy))
                        tally_let_out(&vm->tally, world->now_ns, true, take, &receiver);
                r = tally_offer(&vm->tally, &copy);
                if (r < 0)
                        abort();
                if (r == 0)
                        take(&copy, &receiver);
        }
        evidence_deinit(evidence);
}

static void report_new(struct world *world, struct vm *vm, enum evidence_kind kind, const char *word) {
        struct evidence evidence = evidence_make(SOURCE_QMP, kind);

        evidence.at_ns = world->now_ns;
        evidence.time_ns = EPOCH_NS + evidence.at_ns - BOOT_NS;
        evidence_set_word(&evidence, word);
        report(world, vm, &evidence);
}

static void begin_instance(struct vm *vm) {
        tally_deinit(&vm->tally);
        episode_deinit(&vm->episode);
        vm->tally = (struct tally){ 0 };
        episode_init(&vm->episode, vm->has_process);
        vm->is_met = false;
        vm->life = LIFE_WATCHED;
}

static void deliver(struct world *world, const struct event *event) {
        const struct story_step *step = &world->story->lines[event->line].step;
        enum evidence_kind kind = step->evidence.kind;
        struct vm *vm = find_vm(world, step->vm);
        struct evidence evidence;

        if (kind == EVIDENCE_MACHINE)
                return;
        if (vm->life == LIFE_STARTED)
                begin_instance(vm);
        if (!vm->is_met && (step->evidence.source == SOURCE_QMP || is_qmp_request(&step->evidence))) {
                vm->is_met = true;
                if (kind != EVIDENCE_MONITOR_OPENED && kind != EVIDENCE_MONITOR_TAKEN)
                        report_new(world, vm, EVIDENCE_MONITOR_OPENED, "7.2.22");
                report_new(world, vm, EVIDENCE_MACHINE, vm->machine.word);
        }

        if (evidence_copy(&evidence, &step->evidence))
                abort();
        evidence.at_ns = world->now_ns - event->behind_ns;
        if ((evidence.kind == EVIDENCE_REFUSED || evidence.kind == EVIDENCE_ANSWERED_LATE) && evidence.number)
                evidence.number += (int64_t)BOOT_NS;
        evidence.time_ns = EPOCH_NS + evidence.at_ns - BOOT_NS;
        report(world, vm, &evidence);

        if (evidence_ends_process(&step->evidence)) {
                if (vm->episode.monitor_open && !vm->closes_monitor_itself)
                        report_new(world, vm, EVIDENCE_MONITOR_CLOSED, "");
                if (vm->life == LIFE_REPLACED)
                        vm->life = LIFE_STARTED;
        }
}

/* --- time -------------------------------------------------------------------------------------------------------- */

static uint64_t next_deadline(const struct vm *vm) {
        uint64_t tally = tally_next_deadline(&vm->tally), episode = episode_next_deadline(&vm->episode);

        return tally < episode ? tally : episode;
}

static void wake_up(struct world *world, struct vm *vm) {
        struct receiver receiver = { .world = world, .vm = vm };

        tally_let_out(&vm->tally, world->now_ns, false, take, &receiver);
        judge_if_ripe(world, vm);
}

/* Let time pass up to `until_ns`; what is due at that very instant waits for what the story says of it. */
static void pass_time(struct world *world, uint64_t until_ns) {
        for (unsigned n = 0;; n++) {
                struct vm *first = &world->vms[0];

                for (size_t i = 1; i < world->n_vms; i++)
                        if (next_deadline(&world->vms[i]) < next_deadline(first))
                                first = &world->vms[i];
                if (next_deadline(first) >= until_ns)
                        break;
                if (n == DEADLINES_MAX) {
                        check(world, &world->story->lines[0], false, "time to pass", "a deadline that stays due");
                        break;
                }
                if (next_deadline(first) > world->now_ns)
                        world->now_ns = next_deadline(first);
                wake_up(world, first);
        }
        world->now_ns = until_ns;
}

/* --- expectations ------------------------------------------------------------------------------------------------ */

static const char *graceful_text(enum tristate graceful) {
        switch (graceful) {
        case TRISTATE_TRUE:
                return "graceful";
        case TRISTATE_FALSE:
                return "not graceful";
        case TRISTATE_NULL:
                break;
        }
        return "graceful unknown";
}

static void describe(const struct vm *vm, char *ret_text, size_t n_ret) {
        const struct verdict *v = &vm->verdict;
        char decision[64] = "no decision";

        if (!vm->n_verdicts) {
                snprintf(ret_text, n_ret, "nothing");
                return;
        }
        if (vm->decision.exists)
                snprintf(decision, sizeof(decision), "%s %s", policy_action_name(vm->decision.action),
                         decision_result_name(vm->decision.result));
        snprintf(ret_text, n_ret,
                 "%s by %s, %s, %s, left %s, %s, count %" PRIu64 ", actor \"%s\", rule %s, %s (%u verdicts, %u revisions)",
                 transition_name(v->transition), initiator_name(v->initiator), mechanism_name(v->mechanism),
                 graceful_text(v->graceful), left_name(v->left), confidence_name(v->confidence), v->count, vm->actor,
                 v->rule, decision, vm->n_verdicts, vm->n_revisions);
}

static bool is_as_expected(const struct vm *vm, const struct story_expectation *expected) {
        const struct verdict *v = &vm->verdict;

        return vm->n_verdicts > 0 && v->transition == expected->transition && v->initiator == expected->initiator &&
               v->mechanism == expected->mechanism &&
               (!expected->has_graceful || v->graceful == expected->graceful) &&
               (!expected->has_left || v->left == expected->left) &&
               (!expected->has_confidence || v->confidence == expected->confidence) &&
               (!expected->has_count || v->count == expected->count) &&
               (!expected->has_decision || (vm->decision.exists && vm->decision.action == expected->action &&
                                            vm->decision.result == expected->result)) &&
               (!expected->rule[0] || !strcmp(v->rule, expected->rule)) &&
               (!expected->actor[0] || !strcmp(vm->actor, strcmp(expected->actor, "nobody") ? expected->actor : ""));
}

static void expect(const struct world *world, const struct line *line, const struct vm *vm) {
        const struct story_step *step = &line->step;
        const char *wanted;
        char got[512];

        describe(vm, got, sizeof(got));
        wanted = strstr(line->text, vm->name);
        wanted = wanted ? wanted : line->text;
        switch (step->kind) {
        case STORY_POLICY:
        case STORY_EVIDENCE:
                break;
        case STORY_EXPECT_VERDICT:
                check(world, line, is_as_expected(vm, &step->expectation), wanted, got);
                break;
        case STORY_EXPECT_NOTHING:
                check(world, line, vm->n_verdicts == 0, "nothing", got);
                break;
        case STORY_EXPECT_VERDICTS:
                check(world, line, vm->n_verdicts == step->number, wanted, got);
                break;
        case STORY_EXPECT_REVISIONS:
                check(world, line, vm->n_revisions == step->number, wanted, got);
                break;
        case STORY_EXPECT_STARTED:
                check(world, line, vm->n_restarts > 0, "a restart", "none");
                break;
        case STORY_EXPECT_NOT_STARTED:
                check(world, line, vm->n_restarts == 0, "no restart", "one");
                break;
        }
}

/* --- the story --------------------------------------------------------------------------------------------------- */

static int compare_events(const void *a, const void *b) {
        const struct event *x = a, *y = b;

        if (x->at_ns != y->at_ns)
                return x->at_ns < y->at_ns ? -1 : 1;
        return x->line < y->line ? -1 : x->line > y->line;
}

static struct event *make_events(const struct story *story, size_t *ret_n) {
        struct event *events;
        size_t n = 0;

        for (size_t i = 0; i < story->n_lines; i++)
                n += story->lines[i].step.kind == STORY_EVIDENCE ? story->lines[i].step.repeat : 1;
        events = calloc(n ? n : 1, sizeof(*events));
        if (!events)
                abort();
        n = 0;
        for (size_t i = 0; i < story->n_lines; i++) {
                const struct story_step *step = &story->lines[i].step;
                bool is_evidence = step->kind == STORY_EVIDENCE;

                for (uint64_t k = 0; k < (is_evidence ? step->repeat : 1); k++)
                        events[n++] = (struct event){
                                .at_ns = BOOT_NS + step->at_ns + k * step->every_ns,
                                .behind_ns = is_evidence ? step->at_ns - step->happened_ns : 0,
                                .line = i,
                        };
        }
        qsort(events, n, sizeof(*events), compare_events);
        *ret_n = n;
        return events;
}

static void play(const struct story *story, unsigned copies) {
        struct world world = { .story = story, .copies = copies, .now_ns = BOOT_NS };
        cleanup(freep) struct event *events = NULL;
        size_t n_events;

        meet_vms(&world);
        events = make_events(story, &n_events);
        for (size_t i = 0, end; i < n_events; i = end) {
                pass_time(&world, events[i].at_ns);
                for (end = i; end < n_events && events[end].at_ns == world.now_ns; end++)
                        if (story->lines[events[end].line].step.kind == STORY_EVIDENCE)
                                deliver(&world, &events[end]);
                for (size_t k = 0; k < world.n_vms; k++)
                        wake_up(&world, &world.vms[k]);
                for (size_t k = i; k < end; k++) {
                        const struct line *line = &story->lines[events[k].line];

                        expect(&world, line, find_vm(&world, line->step.vm));
                }
        }
        world_deinit(&world);
}

static bool add_line(struct story *story, unsigned number, const char *text, size_t n) {
        struct line line = { .number = number };
        const char *why;
        int r = story_read_line(text, n, &line.step, &why);

        if (r == STORY_EMPTY)
                return true;
        if (r) {
                printf("not ok %u - %s:%u: %s\n", ++n_tests, story->file, number, why);
                return false;
        }
        text_copy(line.text, sizeof(line.text), text, n);
        /* "#" begins a directive in a test's name. */
        for (char *at = line.text; (at = strchr(at, '#')); at++)
                *at = ' ';
        story->lines = reallocarray(story->lines, story->n_lines + 1, sizeof(line));
        if (!story->lines)
                abort();
        story->lines[story->n_lines++] = line;
        return true;
}

static bool read_story(struct story *story, const char *path) {
        cleanup(fclosep) FILE *file = fopen(path, "re");
        cleanup(freep) char *text = NULL;
        const char *slash = strrchr(path, '/');
        unsigned number = 0;
        bool good = true;
        size_t n = 0;
        ssize_t length;

        story->file = slash ? slash + 1 : path;
        if (!file) {
                printf("not ok %u - %s: %m\n", ++n_tests, path);
                return false;
        }
        while ((length = getline(&text, &n, file)) >= 0) {
                if (length > 0 && text[length - 1] == '\n')
                        length--;
                if (++number == 1 && (length < 3 || text[0] != '#' || text[length - 1] != '.')) {
                        printf("not ok %u - %s:1: a story begins with a comment that is a sentence\n", ++n_tests, story->file);
                        good = false;
                }
                if (!add_line(story, number, text, (size_t)length))
                        good = false;
        }
        return good;
}

static void story_deinit(struct story *story) {
        for (size_t i = 0; i < story->n_lines; i++)
                story_step_deinit(&story->lines[i].step);
        free(story->lines);
}

int main(int argc, char **argv) {
        cleanup(story_deinit) struct story story = { 0 };

        if (argc != 2) {
                fprintf(stderr, "usage: %s FILE.story\n", argv[0]);
                return 2;
        }
        if (!read_story(&story, argv[1])) {
                n_failed++;
        } else {
                play(&story, 1);
                play(&story, 2);
                if (!n_tests) {
                        printf("not ok %u - %s expects something\n", ++n_tests, story.file);
                        n_failed++;
                }
        }
        printf("1..%u\n", n_tests);
        return n_failed > 0;
}
