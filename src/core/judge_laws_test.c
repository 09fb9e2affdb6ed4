/*
 * The laws of the judge, which hold for any evidence: tried on worlds that a seeded generator draws.  VMPOWER_SEED sets
 * another seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/judge_test_world.h"

static struct verdict judge(const struct world *world) {
        return verdict_from_evidence(world->items, world->n, NULL);
}

static uint64_t seed_at_start, random_state;

static uint32_t draw(uint32_t n) {
        /* xorshift64* (Vigna, 2014) */
        random_state ^= random_state >> 12;
        random_state ^= random_state << 25;
        random_state ^= random_state >> 27;
        return (uint32_t)((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % n;
}

static int seed(void **state) {
        const char *text = getenv("VMPOWER_SEED");

        seed_at_start = text ? strtoull(text, NULL, 0) : 20260901;
        random_state = seed_at_start * 2 + 1;
        return 0;
}

/* Words that mean something to some rule, and one that means nothing. */
static const char *const words[] = {
        "guest-shutdown", "guest-reset", "guest-panic", "host-qmp-quit", "host-qmp-system-reset", "host-signal",
        "host-ui",        "host-error",  "poweroff",    "reset",         "shutdown",              "pause",
        "run",            "stop",        "cont",        "quit",          "system_reset",          "system_powerdown",
        "system_wakeup",  "postmigrate", "io-error",    "internal-error", "guest-panicked",       "paused",
        "pc-i440fx-7.2",  "microvm",     "isa-debug-exit", "whatever",       "reboot",              "halt",
        "suspend",        "crash",       "watchdog",       "soft-reset",     "unseen",              "destroy",
        "destroydomain",  "pausedomain", "resume",         "power-button",
};
static const char *const comms[] = { "kill", "earlyoom", "systemd-oomd", "virsh", "systemd" };
static const int signals[] = { SIGKILL, SIGTERM, SIGINT, SIGSEGV, SIGABRT, SIGSTOP, SIGCONT, SIGUSR1 };
static const char *const texts[] = { "reboot: System halted", "reboot: Power down", "nothing of note" };

/* Times are few and seconds or milliseconds apart, so that facts meet. */
static uint64_t draw_time(void) {
        static const uint64_t steps[] = { 1 * MS, 20 * MS, SECOND, 60 * SECOND };

        return 1000 * SECOND + draw(8) * steps[draw(4)];
}

static void draw_fact(struct world *world) {
        struct evidence *e = world_add(world, 0, (enum evidence_source)draw(_SOURCE_N), (enum evidence_kind)draw(_EVIDENCE_KIND_N));
        const char *text = texts[draw(N_ELEMENTS(texts))];

        e->at_ns = draw_time();
        e->time_ns = 7 * e->at_ns;
        e->seq = draw(3);
        e->flag = (enum tristate)draw(3);
        e->number = draw(2) ? signals[draw(N_ELEMENTS(signals))] : (int64_t)draw(4);
        evidence_set_word(e, words[draw(N_ELEMENTS(words))]);
        evidence_set_text(e, text, strlen(text));
        if (draw(2))
                act(e, comms[draw(N_ELEMENTS(comms))]);
        if (e->actor && draw(2))
                is_service(e);
}

/* What the kernel's tracepoints alone tell: the guest tried it, perhaps again, and something came of it, or not. */
static void draw_tried(struct world *world) {
        static const enum evidence_kind ends[] = { EVIDENCE_EXITED, EVIDENCE_KILLED, EVIDENCE_VANISHED, EVIDENCE_STOP, EVIDENCE_GAP };
        struct evidence *e;

        for (uint32_t n = 1 + draw(3); n > 0; n--) {
                e = world_add(world, draw(8), SOURCE_TRACE, draw(4) ? EVIDENCE_SHUTDOWN : EVIDENCE_SUSPEND_DISK);
                e->flag = TRISTATE_TRUE;
                e->seq = draw(3);
                evidence_set_word(e, draw(2) ? "guest-shutdown" : "guest-reset");
        }
        if (draw(2)) {
                e = world_add(world, draw(12), SOURCE_TRACE, EVIDENCE_SIGNAL);
                e->number = draw(2) ? SIGTERM : SIGKILL;
                act(e, "kill");
        }
        if (draw(4) == 0)
                evidence_set_word(world_add(world, draw(12), SOURCE_TRACE, EVIDENCE_STATUS), "shutdown");
        e = world_add(world, draw(12), draw(2) ? SOURCE_TRACE : SOURCE_PROCESS, ends[draw(N_ELEMENTS(ends))]);
        e->seq = 3;
        e->number = e->kind == EVIDENCE_KILLED ? SIGKILL : 0;
}

/* Mostly worlds of one rule with strangers among them; some all strange. */
static void draw_world(struct world *world, size_t n_strangers) {
        if (!draw(6))
                draw_tried(world);
        else if (draw(4))
                rule_worlds[draw((uint32_t)n_rule_worlds)].build(world);
        for (size_t i = 0; i < n_strangers; i++)
                draw_fact(world);
}

static void describe(const struct world *world) {
        print_message("# VMPOWER_SEED=%" PRIu64 "\n", seed_at_start);
        for (size_t i = 0; i < world->n; i++) {
                const struct evidence *e = &world->items[i];

                print_message("# %" PRIu64 " ms %s %s seq=%" PRIu64 " flag=%d number=%" PRId64 " word=%s actor=%s\n",
                              e->at_ns / MS, evidence_source_name(e->source), evidence_kind_info(e->kind)->name, e->seq,
                              e->flag, e->number, e->word, e->actor ? e->actor->comm : "none");
        }
}

static bool is_same_actor(const struct actor *a, const struct actor *b) {
        return !a == !b && (!a || (a->pid == b->pid && !strcmp(a->comm, b->comm)));
}

static bool is_same_verdict(const struct verdict *a, const struct verdict *b) {
        return a->rule == b->rule && a->at_ns == b->at_ns && a->time_ns == b->time_ns && a->transition == b->transition &&
               a->initiator == b->initiator && a->mechanism == b->mechanism && a->graceful == b->graceful &&
               a->left == b->left && a->count == b->count && a->confidence == b->confidence && a->n_proof == b->n_proof &&
               is_same_actor(a->actor, b->actor);
}

static bool is_same_proof(const struct verdict *a, const struct evidence *items_a, const struct verdict *b,
                          const struct evidence *items_b) {
        for (size_t i = 0; i < a->n_proof; i++)
                if (!evidence_is_same(&items_a[a->proof[i]], &items_b[b->proof[i]]))
                        return false;
        return true;
}

static void must_judge_alike(const struct world *world, const struct evidence *items, size_t n, const char *law) {
        struct verdict a = judge(world), b = verdict_from_evidence(items, n, NULL);

        if (is_same_verdict(&a, &b) && is_same_proof(&a, world->items, &b, items))
                return;
        describe(world);
        fail_msg("%s: %s, and then %s", law, a.rule, b.rule);
}

static void swap(struct evidence *a, struct evidence *b) {
        struct evidence c = *a;

        *a = *b;
        *b = c;
}

/* Heap's algorithm: every order of the items. */
static void permute(const struct world *world, struct evidence *items, size_t n) {
        if (n <= 1) {
                must_judge_alike(world, items, world->n, "the order of delivery matters");
                return;
        }
        for (size_t i = 0; i < n; i++) {
                permute(world, items, n - 1);
                swap(&items[n % 2 ? 0 : i], &items[n - 1]);
        }
}

static void the_order_of_delivery_does_not_matter(void **state) {
        for (int round = 0; round < 300; round++) {
                cleanup(world_deinit) struct world world = { 0 };
                struct evidence items[WORLD_MAX];

                draw_world(&world, draw(3));
                if (world.n > 6)
                        continue;
                memcpy(items, world.items, sizeof(items));
                permute(&world, items, world.n);
        }
}

static void the_order_of_many_facts_does_not_matter(void **state) {
        for (int round = 0; round < 3000; round++) {
                cleanup(world_deinit) struct world world = { 0 };
                struct evidence items[WORLD_MAX];

                draw_world(&world, 1 + draw(30));
                memcpy(items, world.items, sizeof(items));
                for (int again = 0; again < 4; again++) {
                        for (size_t i = world.n - 1; i > 0; i--)
                                swap(&items[i], &items[draw((uint32_t)i + 1)]);
                        must_judge_alike(&world, items, world.n, "the order of delivery matters");
                }
        }
}

static void a_repeated_fact_changes_nothing(void **state) {
        for (int round = 0; round < 3000; round++) {
                cleanup(world_deinit) struct world world = { 0 };
                struct evidence items[2 * WORLD_MAX];
                size_t n;

                draw_world(&world, draw(10));
                n = world.n;
                memcpy(items, world.items, sizeof(world.items));
                for (size_t i = 0; i < world.n; i++)
                        if (draw(2))
                                items[n++] = world.items[i];
                must_judge_alike(&world, items, n, "a repeated fact matters");
        }
}

static void irrelevant_facts_change_nothing(void **state) {
        for (int round = 0; round < 3000; round++) {
                static const enum evidence_kind kinds[] = {
                        EVIDENCE_DEVICE, EVIDENCE_REGISTERS,     EVIDENCE_MONITOR_OPENED, EVIDENCE_MONITOR_TAKEN,
                        EVIDENCE_LINE,   EVIDENCE_MALFORMED,     EVIDENCE_OMITTED,        EVIDENCE_GAP,
                        EVIDENCE_STATUS, EVIDENCE_BLOCK_IO_ERROR, EVIDENCE_REQUEST,
                };
                cleanup(world_deinit) struct world world = { 0 }, more = { 0 };

                draw_world(&world, draw(10));
                for (size_t i = 0; i < world.n; i++) {
                        assert_int_equal(evidence_copy(&more.items[i], &world.items[i]), 0);
                        more.n++;
                }
                for (int i = 0; i < 5; i++) {
                        enum evidence_kind kind = kinds[draw(N_ELEMENTS(kinds))];
                        struct evidence *e;

                        /* The status that matters is the first after a stop: repeat the last that there is. */
                        if (kind == EVIDENCE_STATUS && (!world.n || world.items[world.n - 1].kind != EVIDENCE_STATUS))
                                continue;
                        /* That the monitor answered matters to debug-exit alone. */
                        if (kind == EVIDENCE_MONITOR_OPENED && world.n && !strcmp(judge(&world).rule, "vmm-failed"))
                                continue;
                        e = world_add(&more, 0, SOURCE_CONSOLE, kind);
                        e->at_ns = draw_time();
                        e->time_ns = 7 * e->at_ns;
                        e->flag = TRISTATE_FALSE;
                        evidence_set_word(e, "means-nothing");
                        evidence_set_text(e, "means nothing", strlen("means nothing"));
                        if (kind == EVIDENCE_STATUS) {
                                e->at_ns = world.items[world.n - 1].at_ns + 1;
                                evidence_set_word(e, world.items[world.n - 1].word);
                        }
                        if (kind == EVIDENCE_MONITOR_OPENED)
                                e->at_ns = UINT64_MAX / 16; /* a proof is the first of them */
                }
                must_judge_alike(&world, more.items, more.n, "an irrelevant fact matters");
        }
}

static void the_proof_supports_the_rule(void **state) {
        for (int round = 0; round < 5000; round++) {
                cleanup(world_deinit) struct world world = { 0 };
                struct evidence items[VERDICT_PROOF_MAX];
                struct verdict whole, alone;

                draw_world(&world, draw(20));
                whole = judge(&world);
                assert_true(whole.n_proof <= VERDICT_PROOF_MAX);
                for (size_t i = 0; i < whole.n_proof; i++) {
                        assert_true(whole.proof[i] < world.n);
                        items[i] = world.items[whole.proof[i]];
                }
                alone = verdict_from_evidence(items, whole.n_proof, NULL);
                if (alone.rule == whole.rule && alone.transition == whole.transition &&
                    alone.initiator == whole.initiator && alone.mechanism == whole.mechanism &&
                    alone.confidence == whole.confidence && is_same_actor(alone.actor, whole.actor))
                        continue;
                describe(&world);
                fail_msg("the proof of %s alone makes it %s", whole.rule, alone.rule);
        }
}

static void the_cause_is_the_first_proof(void **state) {
        for (int round = 0; round < 3000; round++) {
                cleanup(world_deinit) struct world world = { 0 };
                struct verdict v;

                draw_world(&world, draw(20));
                v = judge(&world);
                if (!v.n_proof)
                        assert_string_equal(v.rule, "no-evidence");
                else
                        assert_int_equal(world.items[v.proof[0]].at_ns, v.at_ns);
        }
}

static void the_actor_is_one_of_the_evidences(void **state) {
        for (int round = 0; round < 3000; round++) {
                cleanup(world_deinit) struct world world = { 0 };
                bool found = false;
                struct verdict v;

                draw_world(&world, draw(20));
                v = judge(&world);
                for (size_t i = 0; i < v.n_proof; i++)
                        found = found || world.items[v.proof[i]].actor == v.actor;
                if (v.actor && !found) {
                        describe(&world);
                        fail_msg("the actor of %s is not part of its proof", v.rule);
                }
                if (v.initiator == INITIATOR_GUEST || v.initiator == INITIATOR_UNKNOWN || v.initiator == INITIATOR_VMM)
                        assert_null(v.actor);
        }
}

static void every_world_has_a_summary_within_its_bound(void **state) {
        for (int round = 0; round < 3000; round++) {
                cleanup(world_deinit) struct world world = { 0 };
                char text[VERDICT_SUMMARY_MAX + 1], name[300];
                struct verdict v;

                memset(name, 'n', sizeof(name));
                name[draw(sizeof(name))] = '\0';
                text[VERDICT_SUMMARY_MAX] = 'x';
                draw_world(&world, draw(20));
                v = judge(&world);
                assert_true(verdict_summarise(&v, world.items, name, text) < VERDICT_SUMMARY_MAX);
                assert_int_equal(text[VERDICT_SUMMARY_MAX], 'x');
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(the_order_of_delivery_does_not_matter, seed),
                cmocka_unit_test_setup(the_order_of_many_facts_does_not_matter, seed),
                cmocka_unit_test_setup(a_repeated_fact_changes_nothing, seed),
                cmocka_unit_test_setup(irrelevant_facts_change_nothing, seed),
                cmocka_unit_test_setup(the_proof_supports_the_rule, seed),
                cmocka_unit_test_setup(the_cause_is_the_first_proof, seed),
                cmocka_unit_test_setup(the_actor_is_one_of_the_evidences, seed),
                cmocka_unit_test_setup(every_world_has_a_summary_within_its_bound, seed),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("judge-laws", tests, NULL, NULL);
}
