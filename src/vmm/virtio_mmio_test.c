/* The registers, and the rules by which a driver and a device come to terms. */
#include "vmm/virtio_mmio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { FEATURE = 1 << 5, OTHER_FEATURE = 1 << 9 };

static _Alignas(4096) uint8_t bytes[0x10000];
static const struct guest_memory memory = { bytes, sizeof(bytes) };
static struct virtio_mmio mmio;

static int set_up(void **state) {
        static const struct virtio_mmio_identity identity = { .device = 2, .n_queues = 2, .features = FEATURE, .configuration = { 1, 2, 3, 4, [63] = 9 } };

        memset(bytes, 0, sizeof(bytes));
        virtio_mmio_init(&mmio, &identity, &memory);
        return 0;
}

static uint64_t get(uint64_t offset) {
        return virtio_mmio_read(&mmio, offset, 4);
}

static enum virtio_mmio_request set(uint64_t offset, uint32_t value) {
        return virtio_mmio_write(&mmio, offset, 4, value);
}

static void accept_features(uint64_t features) {
        set(0x24, 0);
        set(0x20, (uint32_t)features);
        set(0x24, 1);
        set(0x20, (uint32_t)(features >> 32));
}

static enum virtio_mmio_request set_queue(unsigned queue, uint32_t size) {
        set(0x30, queue);
        set(0x38, size);
        set(0x80, 0x1000);
        set(0x90, 0x2000);
        set(0xa0, 0x3000);
        return set(0x44, 1);
}

static void begin(void) {
        set(0x70, 3);
        accept_features(VIRTIO_F_VERSION_1 | FEATURE);
        set(0x70, 11);
        assert_int_equal(set_queue(0, 8), VIRTIO_MMIO_SERVE);
        assert_int_equal(set_queue(1, 8), VIRTIO_MMIO_SERVE);
        assert_int_equal(set(0x70, 15), VIRTIO_MMIO_SERVE);
        assert_int_equal(get(0x70), 15);
}

static void it_says_what_it_is(void **state) {
        assert_int_equal(get(0x00), 0x74726976);
        assert_int_equal(get(0x04), 2);
        assert_int_equal(get(0x08), 2);
        assert_int_equal(get(0xfc), 0);
        assert_int_equal(get(0x70), 0);
        assert_int_equal(get(0x60), 0);
        /* No shared memory: 4.2.2, SHMLen. */
        set(0xac, 3);
        for (uint64_t offset = 0xb0; offset < 0xc0; offset += 4)
                assert_int_equal(get(offset), UINT32_MAX);
}

static void features_are_read_by_halves(void **state) {
        set(0x14, 0);
        assert_int_equal(get(0x10), FEATURE);
        set(0x14, 1);
        assert_int_equal(get(0x10), 1);
        set(0x14, 2);
        assert_int_equal(get(0x10), 0);
        set(0x14, UINT32_MAX);
        assert_int_equal(get(0x10), 0);
}

static void features_are_ok_where_they_are_offered(void **state) {
        static const struct {
                uint64_t accepted;
                bool is_ok;
        } cases[] = {
                { VIRTIO_F_VERSION_1, true },
                { VIRTIO_F_VERSION_1 | FEATURE, true },
                { 0, false },
                { FEATURE, false },
                { VIRTIO_F_VERSION_1 | OTHER_FEATURE, false },
                { VIRTIO_F_VERSION_1 | UINT64_C(1) << 28, false }, /* indirect descriptors, the event index */
                { VIRTIO_F_VERSION_1 | UINT64_C(1) << 29, false },
                { VIRTIO_F_VERSION_1 | UINT64_C(1) << 34, false }, /* packed rings */
                { UINT64_MAX, false },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                set(0x70, 0);
                set(0x70, 3);
                accept_features(cases[i].accepted);
                set(0x70, 11);
                assert_int_equal(get(0x70), cases[i].is_ok ? 11 : 3);
                /* And it does not go on with others. */
                set(0x70, 15);
                assert_int_equal(get(0x70) & VIRTIO_DRIVER_OK, cases[i].is_ok ? VIRTIO_DRIVER_OK : 0);
        }
}

static void settled_features_stay(void **state) {
        begin();
        accept_features(VIRTIO_F_VERSION_1);
        assert_int_equal(mmio.accepted, VIRTIO_F_VERSION_1 | FEATURE);
        set(0x70, 0);
        assert_int_equal(mmio.accepted, 0);
}

static void a_driver_sets_its_own_bits_and_clears_all_or_none(void **state) {
        set(0x70, VIRTIO_NEEDS_RESET | 1);
        assert_int_equal(get(0x70), 1);
        set(0x70, 0xffffff00 | 2);
        assert_int_equal(get(0x70), 3);
        set(0x70, 1);
        assert_int_equal(get(0x70), 3);
        set(0x70, 0);
        assert_int_equal(get(0x70), 0);
}

static void a_queue_is_served_when_all_is_said(void **state) {
        set(0x70, 3);
        accept_features(VIRTIO_F_VERSION_1);
        set(0x70, 11);
        set_queue(0, 8);
        assert_false(virtio_mmio_is_served(&mmio, 0));
        set(0x70, 15);
        assert_true(virtio_mmio_is_served(&mmio, 0));
        assert_false(virtio_mmio_is_served(&mmio, 1));
        set_queue(1, 8);
        assert_true(virtio_mmio_is_served(&mmio, 1));
        set(0x44, 0);
        assert_false(virtio_mmio_is_served(&mmio, 1));
        assert_true(virtio_mmio_is_served(&mmio, 0));
        set(0x70, 15 | VIRTIO_FAILED);
        assert_false(virtio_mmio_is_served(&mmio, 0));
}

static void a_queue_that_is_ready_does_not_change(void **state) {
        set(0x70, 3);
        assert_int_equal(set_queue(0, 8), VIRTIO_MMIO_SERVE);
        assert_int_equal(get(0x44), 1);
        set(0x38, 16);
        set(0x80, 0x4000);
        set(0x94, 1);
        set(0xa0, 0x5000);
        assert_int_equal(mmio.queues[0].size, 8);
        assert_int_equal(mmio.queues[0].descriptors, 0x1000);
        assert_int_equal(mmio.queues[0].available, 0x2000);
        assert_int_equal(mmio.queues[0].used, 0x3000);
        assert_int_equal(set(0x44, 1), VIRTIO_MMIO_NOTHING);
        assert_int_equal(mmio.queues[0].n_lives, 1);
        set(0x44, 0);
        assert_int_equal(get(0x44), 0);
        set(0x38, 16);
        set(0x84, 2);
        set(0x80, 0x4000);
        assert_int_equal(mmio.queues[0].size, 16);
        assert_int_equal(mmio.queues[0].descriptors, UINT64_C(0x200004000));
}

static void a_queue_that_is_not_there_is_nothing(void **state) {
        set(0x30, 0);
        assert_int_equal(get(0x34), VIRTQUEUE_SIZE_MAX);
        for (unsigned i = 0; i < 3; i++) {
                set(0x30, (const uint32_t[]){ 2, 1000, UINT32_MAX }[i]);
                assert_int_equal(get(0x34), 0);
                assert_int_equal(set(0x44, 1), VIRTIO_MMIO_NOTHING);
                assert_int_equal(get(0x44), 0);
                assert_int_equal(get(0x70), 0);
        }
}

static void a_queue_that_cannot_be_needs_a_reset(void **state) {
        set(0x70, 3);
        accept_features(VIRTIO_F_VERSION_1);
        set(0x70, 11);
        /* 2.1.2: before DRIVER_OK nobody is told. */
        assert_int_equal(set_queue(0, 24), VIRTIO_MMIO_NOTHING);
        assert_int_equal(get(0x44), 0);
        assert_int_equal(get(0x70), 11 | VIRTIO_NEEDS_RESET);
        assert_int_equal(get(0x60), 0);
        set(0x70, 0);
        assert_int_equal(get(0x70), 0);

        begin();
        set(0x30, 1);
        set(0x44, 0);
        assert_int_equal(set_queue(1, 0), VIRTIO_MMIO_INTERRUPT);
        assert_int_equal(get(0x70), 15 | VIRTIO_NEEDS_RESET);
        assert_int_equal(get(0x60), VIRTIO_MMIO_CONFIGURATION);
        assert_false(virtio_mmio_is_served(&mmio, 0));
        /* Only a reset helps. */
        set(0x70, 15);
        assert_false(virtio_mmio_is_served(&mmio, 0));
        set(0x70, 0);
        begin();
        assert_true(virtio_mmio_is_served(&mmio, 0));
}

static void an_interrupt_is_acknowledged_bit_by_bit(void **state) {
        begin();
        assert_int_equal(virtio_mmio_tell_used(&mmio), VIRTIO_MMIO_INTERRUPT);
        assert_int_equal(virtio_mmio_break(&mmio), VIRTIO_MMIO_INTERRUPT);
        assert_int_equal(get(0x60), 3);
        set(0x60, 0);
        assert_int_equal(get(0x60), 3);
        set(0x64, 1);
        assert_int_equal(get(0x60), 2);
        set(0x64, UINT32_MAX);
        assert_int_equal(get(0x60), 0);
}

static void a_reset_forgets_all(void **state) {
        begin();
        virtio_mmio_tell_used(&mmio);
        set(0x14, 1);
        set(0x70, 0);
        assert_int_equal(get(0x60), 0);
        assert_int_equal(get(0x70), 0);
        assert_int_equal(get(0x10), FEATURE);
        for (unsigned i = 0; i < 2; i++) {
                set(0x30, i);
                assert_int_equal(get(0x44), 0);
                assert_int_equal(mmio.queues[i].descriptors, 0);
        }
        begin();
}

static void a_notification_asks_for_service(void **state) {
        assert_int_equal(set(VIRTIO_MMIO_QUEUE_NOTIFY, 0), VIRTIO_MMIO_SERVE);
}

static void the_configuration_is_read_as_it_is_wide(void **state) {
        assert_int_equal(virtio_mmio_read(&mmio, 0x100, 1), 1);
        assert_int_equal(virtio_mmio_read(&mmio, 0x101, 1), 2);
        assert_int_equal(virtio_mmio_read(&mmio, 0x102, 2), 0x403);
        assert_int_equal(virtio_mmio_read(&mmio, 0x100, 4), 0x4030201);
        assert_int_equal(virtio_mmio_read(&mmio, 0x13f, 1), 9);
        assert_int_equal(virtio_mmio_read(&mmio, 0x13f, 2), 0);
        assert_int_equal(virtio_mmio_read(&mmio, 0x140, 1), 0);
        assert_int_equal(virtio_mmio_read(&mmio, UINT64_MAX, 4), 0);
        virtio_mmio_write(&mmio, 0x100, 1, 7);
        assert_int_equal(virtio_mmio_read(&mmio, 0x100, 1), 1);
}

static void a_register_is_four_bytes(void **state) {
        static const unsigned widths[] = { 0, 1, 2, 3, 8 };

        for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
                assert_int_equal(virtio_mmio_read(&mmio, 0, widths[i]), 0);
                virtio_mmio_write(&mmio, 0x70, widths[i], 1);
                assert_int_equal(get(0x70), 0);
        }
        assert_int_equal(get(0x02), 0);
        assert_int_equal(virtio_mmio_read(&mmio, 0xb1, 4), 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(it_says_what_it_is, set_up),
                cmocka_unit_test_setup(features_are_read_by_halves, set_up),
                cmocka_unit_test_setup(features_are_ok_where_they_are_offered, set_up),
                cmocka_unit_test_setup(settled_features_stay, set_up),
                cmocka_unit_test_setup(a_driver_sets_its_own_bits_and_clears_all_or_none, set_up),
                cmocka_unit_test_setup(a_queue_is_served_when_all_is_said, set_up),
                cmocka_unit_test_setup(a_queue_that_is_ready_does_not_change, set_up),
                cmocka_unit_test_setup(a_queue_that_is_not_there_is_nothing, set_up),
                cmocka_unit_test_setup(a_queue_that_cannot_be_needs_a_reset, set_up),
                cmocka_unit_test_setup(an_interrupt_is_acknowledged_bit_by_bit, set_up),
                cmocka_unit_test_setup(a_reset_forgets_all, set_up),
                cmocka_unit_test_setup(a_notification_asks_for_service, set_up),
                cmocka_unit_test_setup(the_configuration_is_read_as_it_is_wide, set_up),
                cmocka_unit_test_setup(a_register_is_four_bytes, set_up),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
