#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "core/record.h"
#include "core/text.h"

static const struct vm_identity web1 = { .name = "web-1", .backend = "qemu", .instance = "boot:4711:99" };

static struct verdict make_verdict(uint64_t time_ns) {
        return (struct verdict){
                .transition = TRANSITION_UNKNOWN,
                .initiator = INITIATOR_UNKNOWN,
                .mechanism = MECHANISM_UNSEEN,
                .rule = "no-evidence",
                .time_ns = time_ns,
        };
}

static void make_id(char *ret_id, const struct vm_identity *vm, uint64_t time_ns, uint64_t episode, unsigned revision) {
        struct verdict verdict = make_verdict(time_ns);
        struct verdict_record record;

        assert_int_equal(verdict_record_make(&record, vm, &verdict, NULL, 0, episode, revision), 0);
        memcpy(ret_id, record.id, VERDICT_ID_MAX);
        verdict_record_deinit(&record);
}

static void an_instance_tells_what_it_is_of(void **state) {
        static const char *const no_domains[] = { "", "boot", "boot:4711:99", "boot:4711:99:12", "boot:xen", "boot:xen5", "boot:xen5:", "boot:xen:1",
                                                  "boot:xenon:1", "boot:xen5:1:2", "boot:xen-5:1",
                                                  "boot:xen1234567890:1" };

        assert_true(instance_is_domain("boot:xen5:170000"));
        assert_true(instance_is_domain("boot:xen0:c0ffee"));
        assert_int_equal(instance_domid("boot:xen32751:170000"), 32751);
        assert_false(instance_is_monitors("boot:xen5:170000"));
        assert_true(instance_is_monitors("boot:4711:99:12"));
        for (size_t i = 0; i < N_ELEMENTS(no_domains); i++)
                assert_false(instance_is_domain(no_domains[i]));
}

static void an_id_is_26_digits_of_crockfords_base_32(void **state) {
        char id[VERDICT_ID_MAX];

        make_id(id, &web1, UINT64_C(1790000000123456789), 7, 0);
        assert_int_equal(strlen(id), 26);
        assert_int_equal(strspn(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
}

/* The ULID specification's own example of a time: 1469918176385 ms is 01ARYZ6S41. */
static void an_id_begins_with_its_time(void **state) {
        char id[VERDICT_ID_MAX];

        make_id(id, &web1, UINT64_C(1469918176385) * 1000000, 7, 0);
        assert_memory_equal(id, "01ARYZ6S41", 10);
        make_id(id, &web1, UINT64_C(1469918176385) * 1000000 + 999999, 8, 1);
        assert_memory_equal(id, "01ARYZ6S41", 10);
        make_id(id, &web1, 0, 7, 0);
        assert_memory_equal(id, "0000000000", 10);
}

static void ids_sort_by_time(void **state) {
        char before[VERDICT_ID_MAX], after[VERDICT_ID_MAX];
        uint64_t ms = 1;

        make_id(before, &web1, 0, 7, 0);
        for (int i = 0; i < 44; i++, ms *= 2) {
                make_id(after, &web1, ms * 1000000, (uint64_t)i, 0);
                assert_true(strcmp(before, after) < 0);
                memcpy(before, after, sizeof(before));
        }
}

static void the_same_verdict_has_the_same_id(void **state) {
        char a[VERDICT_ID_MAX], b[VERDICT_ID_MAX];

        make_id(a, &web1, UINT64_C(1790000000123456789), 7, 3);
        make_id(b, &web1, UINT64_C(1790000000123456789), 7, 3);
        assert_string_equal(a, b);
}

static void another_verdict_has_another_id(void **state) {
        struct vm_identity other = web1;
        char ids[5][VERDICT_ID_MAX];

        make_id(ids[0], &web1, 1000, 7, 0);
        make_id(ids[1], &web1, 1000, 7, 1);
        make_id(ids[2], &web1, 1000, 8, 0);
        text_set(other.instance, sizeof(other.instance), "boot:4712:99");
        make_id(ids[3], &other, 1000, 7, 0);
        other = web1;
        text_set(other.backend, sizeof(other.backend), "kvm");
        make_id(ids[4], &other, 1000, 7, 0);
        for (size_t i = 0; i < 5; i++)
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(ids[i], ids[k]);
}

/* A kill with its sender, delivered in the wrong order. */
static void make_kill(struct evidence *items) {
        struct actor anna = { .pid = 990, .uid = 1000, .comm = "kill", .user = "anna" };

        items[0] = evidence_make(SOURCE_PROCESS, EVIDENCE_KILLED);
        items[0].at_ns = 5000;
        items[0].number = 9;
        items[1] = evidence_make(SOURCE_CONSOLE, EVIDENCE_LINE);
        items[1].at_ns = 3000;
        items[2] = evidence_make(SOURCE_TRACE, EVIDENCE_SIGNAL);
        items[2].at_ns = 4000;
        items[2].number = 9;
        assert_int_equal(evidence_set_actor(&items[2], &anna), 0);
}

static void a_record_is_in_the_order_in_which_things_happened(void **state) {
        struct verdict_record record;
        struct evidence items[3];
        struct verdict verdict;

        make_kill(items);
        verdict = verdict_from_evidence(items, 3, NULL);
        assert_int_equal(verdict_record_make(&record, &web1, &verdict, items, 3, 7, 0), 0);
        assert_int_equal(record.n_items, 3);
        assert_int_equal(record.items[0].kind, EVIDENCE_LINE);
        assert_int_equal(record.items[1].kind, EVIDENCE_SIGNAL);
        assert_int_equal(record.items[2].kind, EVIDENCE_KILLED);
        assert_int_equal(record.verdict.n_proof, 2);
        assert_int_equal(record.items[record.verdict.proof[0]].kind, EVIDENCE_KILLED);
        assert_int_equal(record.items[record.verdict.proof[1]].kind, EVIDENCE_SIGNAL);
        assert_false(verdict_record_is_proof(&record, 0));
        assert_true(verdict_record_is_proof(&record, 1));
        assert_true(verdict_record_is_proof(&record, 2));
        verdict_record_deinit(&record);
        evidence_deinit(&items[2]);
}

static void a_record_stands_alone(void **state) {
        struct verdict_record record;
        struct evidence items[3];
        struct verdict verdict;

        make_kill(items);
        verdict = verdict_from_evidence(items, 3, NULL);
        assert_int_equal(verdict_record_make(&record, &web1, &verdict, items, 3, 7, 0), 0);
        evidence_deinit(&items[2]);
        memset(items, 0, sizeof(items));

        assert_string_equal(record.vm.name, "web-1");
        assert_string_equal(record.rule, "signal-by-someone");
        assert_string_equal(record.summary,
                            "web-1 was destroyed from the host: anna (kill, pid 990) sent signal 9 to its VMM.");
        assert_string_equal(record.verdict.actor->user, "anna");
        assert_string_equal(record.items[1].actor->comm, "kill");
        assert_int_equal(record.episode, 7);
        assert_string_equal(record.revises, "");
        verdict_record_deinit(&record);
        assert_null(record.items);
        assert_null(record.verdict.actor);
}

static void a_record_can_be_given_back_twice(void **state) {
        struct verdict_record record = { 0 };

        verdict_record_deinit(NULL);
        verdict_record_deinit(&record);
        verdict_record_deinit(&record);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_instance_tells_what_it_is_of),
                cmocka_unit_test(an_id_is_26_digits_of_crockfords_base_32),
                cmocka_unit_test(an_id_begins_with_its_time),
                cmocka_unit_test(ids_sort_by_time),
                cmocka_unit_test(the_same_verdict_has_the_same_id),
                cmocka_unit_test(another_verdict_has_another_id),
                cmocka_unit_test(a_record_is_in_the_order_in_which_things_happened),
                cmocka_unit_test(a_record_stands_alone),
                cmocka_unit_test(a_record_can_be_given_back_twice),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
