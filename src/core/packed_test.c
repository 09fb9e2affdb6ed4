/* Packed: what was put away comes back as it was. */
#include "core/packed.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct evidence make_fact(enum evidence_kind kind) {
        struct evidence e = evidence_make(SOURCE_QMP, kind);

        e.id = 7;
        e.at_ns = UINT64_MAX - 1;
        e.time_ns = 3;
        e.seq = 9;
        e.number = -5;
        e.flag = TRISTATE_TRUE;
        return e;
}

static void expect_same_again(const struct evidence *items, size_t n_items) {
        struct evidence *again;
        struct packed *packed;
        size_t n_again;

        assert_int_equal(packed_make(&packed, items, n_items), 0);
        assert_int_equal(packed_open(packed, &again, &n_again), 0);
        packed_free(packed);
        assert_int_equal(n_again, n_items);
        for (size_t i = 0; i < n_items; i++) {
                assert_true(evidence_is_same(&again[i], &items[i]));
                assert_int_equal(again[i].id, items[i].id);
                assert_int_equal(again[i].time_ns, items[i].time_ns);
                assert_true(again[i].actor == NULL || again[i].actor != items[i].actor);
                evidence_deinit(&again[i]);
        }
        free(again);
}

static void a_fact_comes_back_with_all_its_members(void **state) {
        struct evidence e = make_fact(EVIDENCE_MESSAGE);

        evidence_set_word(&e, "word");
        evidence_set_text(&e, "a text", 6);
        expect_same_again(&e, 1);
}

static void the_longest_words_fit(void **state) {
        struct evidence e = make_fact(EVIDENCE_MALFORMED);
        char longest[EVIDENCE_TEXT_MAX];

        memset(longest, 'x', sizeof(longest));
        evidence_set_text(&e, longest, sizeof(longest));
        memset(e.word, 'y', sizeof(e.word) - 1);
        expect_same_again(&e, 1);
        assert_int_equal(strlen(e.text), EVIDENCE_TEXT_MAX - 1);
}

static void an_actor_comes_back_with_its_parents(void **state) {
        struct actor actor = { .pid = 990, .tid = 991, .session = 980, .uid = -1, .user = "u", .login_user = "l", .login_from = "10.0.0.5:50022", .comm = "kill", .exe = "/bin/kill",
                               .cmdline = "kill -9 1", .cgroup = "/a", .via = "SIGKILL", .n_parents = ACTOR_PARENTS_MAX,
                               .client = { 880, 1000, "ann", "virsh", "virsh destroy web1" },
                               .confidence = CONFIDENCE_GUESS };
        struct evidence items[2] = { make_fact(EVIDENCE_SIGNAL), make_fact(EVIDENCE_KILLED) };

        for (size_t i = 0; i < ACTOR_PARENTS_MAX; i++) {
                actor.parents[i].pid = (int64_t)i;
                memset(actor.parents[i].comm, 'a' + (int)i, i);
        }
        assert_int_equal(evidence_set_actor(&items[0], &actor), 0);
        expect_same_again(items, 2);
        evidence_deinit(&items[0]);
}

static void every_number_comes_back(void **state) {
        static const int64_t numbers[] = { 0, 1, -1, 63, 64, -64, -65, 8191, 8192, 4194304, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, INT64_MIN + 1 };

        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
                struct actor actor = { .pid = numbers[i], .tid = -numbers[(i + 1) % 12], .session = numbers[i], .uid = numbers[i], .n_parents = 1,
                                       .parents = { { .pid = numbers[i] } }, .client = { .pid = numbers[i], .uid = numbers[i] } };
                struct evidence item = make_fact(EVIDENCE_SIGNAL);

                assert_int_equal(evidence_set_actor(&item, &actor), 0);
                expect_same_again(&item, 1);
                evidence_deinit(&item);
        }
}

static void nothing_is_nothing_again(void **state) {
        expect_same_again(NULL, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_fact_comes_back_with_all_its_members),
                cmocka_unit_test(the_longest_words_fit),
                cmocka_unit_test(an_actor_comes_back_with_its_parents),
                cmocka_unit_test(every_number_comes_back),
                cmocka_unit_test(nothing_is_nothing_again),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
