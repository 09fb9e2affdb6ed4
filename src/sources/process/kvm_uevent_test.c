#include "sources/process/kvm_uevent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEADER KVM_UEVENT_HEADER "\0"
#define BEFORE "ACTION=change\0DEVPATH=/devices/virtual/misc/kvm\0SUBSYSTEM=misc\0"
#define AFTER  "MAJOR=10\0MINOR=232\0DEVNAME=kvm\0SEQNUM=1120\0"

/* A literal's own NUL ends the last line already. */
#define PARSE(uevent, text) kvm_uevent_parse(uevent, text, sizeof(text) - 1)

/* As Linux 6.18 sent it. */
#define CREATED HEADER BEFORE "CREATED=154\0COUNT=3\0EVENT=create\0PID=633\0STATS_PATH=/kvm/633-9\0" AFTER

static void a_birth_is_read(void **state) {
        struct kvm_uevent uevent;

        assert_int_equal(PARSE(&uevent, CREATED), 0);
        assert_int_equal(uevent.kind, KVM_UEVENT_CREATE);
        assert_int_equal(uevent.tid, 633);
        assert_int_equal(uevent.created, 154);
        assert_int_equal(uevent.count, 3);
        assert_string_equal(uevent.stats_path, "/kvm/633-9");
}

static void a_death_is_read(void **state) {
        struct kvm_uevent uevent;

        assert_int_equal(
                PARSE(&uevent, HEADER BEFORE "CREATED=155\0COUNT=0\0EVENT=destroy\0PID=32767\0" AFTER), 0);
        assert_int_equal(uevent.kind, KVM_UEVENT_DESTROY);
        assert_int_equal(uevent.tid, 32767);
        assert_int_equal(uevent.count, 0);
        assert_string_equal(uevent.stats_path, ""); /* a kernel without debugfs */
}

static void what_is_about_no_vm_is_passed_over(void **state) {
        struct kvm_uevent uevent;

        assert_int_equal(PARSE(&uevent, "add@/devices/virtual/misc/kvm\0EVENT=create\0PID=1\0"),
                         KVM_UEVENT_NONE);
        assert_int_equal(PARSE(&uevent, "change@/devices/virtual/misc/kvmx\0EVENT=create\0PID=1\0"),
                         KVM_UEVENT_NONE);
        assert_int_equal(PARSE(&uevent, "change@/devices/virtual/misc/kv\0EVENT=create\0PID=1\0"),
                         KVM_UEVENT_NONE);
        assert_int_equal(PARSE(&uevent, "libudev\0EVENT=create\0PID=1\0"), KVM_UEVENT_NONE);
        assert_int_equal(PARSE(&uevent, HEADER BEFORE "SYNTH_UUID=0\0" AFTER), KVM_UEVENT_NONE);
        assert_int_equal(PARSE(&uevent, HEADER BEFORE "EVENT=pause\0PID=1\0"), KVM_UEVENT_NONE);
        assert_int_equal(PARSE(&uevent, HEADER BEFORE "XEVENT=create\0PID=1\0"), KVM_UEVENT_NONE);
        assert_int_equal(PARSE(&uevent, HEADER), KVM_UEVENT_NONE);
        assert_int_equal(PARSE(&uevent, KVM_UEVENT_HEADER), KVM_UEVENT_NONE);
        assert_int_equal(PARSE(&uevent, ""), KVM_UEVENT_NONE);
        /* Its last line does not end. */
        assert_int_equal(PARSE(&uevent, HEADER "EVENT=create\0PID=1"), KVM_UEVENT_NONE);
}

static void what_cannot_be_understood_is_said(void **state) {
        struct kvm_uevent uevent = { .tid = 77 };

        assert_int_equal(PARSE(&uevent, HEADER "EVENT=create\0"), -EBADMSG);
        assert_int_equal(PARSE(&uevent, HEADER "EVENT=create\0PID=\0"), -EBADMSG);
        assert_int_equal(PARSE(&uevent, HEADER "EVENT=create\0PID=0\0"), -EBADMSG);
        assert_int_equal(PARSE(&uevent, HEADER "EVENT=create\0PID=-1\0"), -EBADMSG);
        assert_int_equal(PARSE(&uevent, HEADER "EVENT=create\0PID=12x\0"), -EBADMSG);
        assert_int_equal(PARSE(&uevent, HEADER "EVENT=create\0PID=2147483648\0"), -EBADMSG);
        assert_int_equal(PARSE(&uevent, HEADER "EVENT=create\0PID=99999999999999999999999\0"), -EBADMSG);
        assert_int_equal(PARSE(&uevent, HEADER "EVENT=create\0PID=1\0COUNT=x\0"), -EBADMSG);
        assert_int_equal(PARSE(&uevent, HEADER "EVENT=create\0PID=1\0STATS_PATH=a\nb\0"), -EBADMSG);
        assert_int_equal(PARSE(&uevent,
                               HEADER "EVENT=create\0PID=1\0STATS_PATH=0123456789012345678901234567890123"
                                      "456789012345678901234567890123\0"),
                         -EBADMSG);
        assert_int_equal(PARSE(&uevent, HEADER "EVENT=create\0PID=18446744073709551617\0"), -EBADMSG);
        assert_int_equal(uevent.tid, 77);
        assert_int_equal(
                PARSE(&uevent, HEADER "EVENT=create\0PID=2147483647\0CREATED=18446744073709551615\0"), 0);
        assert_int_equal(uevent.created, UINT64_MAX);
}

/* Every cut and every changed byte is read within its bounds: each copy has a heap block of exactly its size.
 */
static void hostile_bytes_are_read_within_their_bounds(void **state) {
        static const char whole[] = CREATED;
        const size_t n_whole = sizeof(whole) - 1;
        uint32_t seed = 1;

        for (size_t n = 0; n <= n_whole; n++) {
                char *copy = malloc(n ? n : 1);
                struct kvm_uevent uevent;

                memcpy(copy, whole, n);
                kvm_uevent_parse(&uevent, copy, n);
                free(copy);
        }
        for (unsigned i = 0; i < 20000; i++) {
                char *copy = malloc(n_whole);
                struct kvm_uevent uevent;
                int r;

                memcpy(copy, whole, n_whole);
                for (unsigned j = 0; j < 3; j++) {
                        seed = seed * 1664525 + 1013904223;
                        copy[sizeof(KVM_UEVENT_HEADER) +
                             (seed >> 8) % (n_whole - sizeof(KVM_UEVENT_HEADER))] = (char)(seed >> 24);
                }
                r = kvm_uevent_parse(&uevent, copy, n_whole);
                assert_true(!r || r == KVM_UEVENT_NONE || r == -EBADMSG);
                if (!r) {
                        assert_true(uevent.tid > 0);
                        assert_true(strlen(uevent.stats_path) < KVM_STATS_PATH_MAX);
                }
                free(copy);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_birth_is_read),
                cmocka_unit_test(a_death_is_read),
                cmocka_unit_test(what_is_about_no_vm_is_passed_over),
                cmocka_unit_test(what_cannot_be_understood_is_said),
                cmocka_unit_test(hostile_bytes_are_read_within_their_bounds),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
