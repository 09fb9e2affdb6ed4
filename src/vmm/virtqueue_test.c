/* What a driver puts into its rings, kept or broken rules alike. */
#include "vmm/virtio_driver_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct driver driver;
static struct virtqueue queue;
static struct virtqueue_chain chain;

static int set_up(void **state) {
        driver_init(&driver);
        virtqueue_init(&queue, &driver.memory);
        queue.size = 8;
        queue.descriptors = DRIVER_RINGS;
        queue.available = DRIVER_RINGS + DRIVER_AVAILABLE;
        queue.used = DRIVER_RINGS + DRIVER_USED;
        return !virtqueue_start(&queue);
}

static int tear_down(void **state) {
        driver_deinit(&driver);
        return 0;
}

static void a_chain_is_what_the_driver_has_described(void **state) {
        uint8_t *bytes = driver.memory.bytes;
        char read[7];

        assert_int_equal(virtqueue_take(&queue, &chain), VIRTQUEUE_EMPTY);
        driver_describe(&driver, 0, 5, DRIVER_DATA, 4, DRIVER_NEXT, 2);
        driver_describe(&driver, 0, 2, DRIVER_DATA + 100, 0, DRIVER_NEXT, 7);
        driver_describe(&driver, 0, 7, DRIVER_DATA + 200, 3, DRIVER_NEXT, 0);
        driver_describe(&driver, 0, 0, DRIVER_DATA + 300, 2, DRIVER_NEXT | DRIVER_WRITE, 1);
        driver_describe(&driver, 0, 1, DRIVER_DATA + 400, 5, DRIVER_WRITE, 99);
        driver_offer(&driver, 0, 5);
        memcpy(bytes + DRIVER_DATA, "abcd", 4);
        memcpy(bytes + DRIVER_DATA + 200, "efg", 3);

        assert_int_equal(virtqueue_take(&queue, &chain), 0);
        assert_int_equal(chain.head, 5);
        assert_int_equal(chain.n_parts, 5);
        assert_int_equal(chain.n_readable, 7);
        assert_int_equal(chain.n_writable, 7);
        assert_true(virtqueue_chain_read(&chain, 0, read, 7));
        assert_memory_equal(read, "abcdefg", 7);
        assert_true(virtqueue_chain_read(&chain, 3, read, 2));
        assert_memory_equal(read, "de", 2);
        assert_true(virtqueue_chain_read(&chain, 4, read, 1));
        assert_memory_equal(read, "e", 1);
        assert_true(virtqueue_chain_read(&chain, 7, read, 0));
        assert_false(virtqueue_chain_read(&chain, 7, read, 1));
        assert_false(virtqueue_chain_read(&chain, 1, read, 7));
        assert_false(virtqueue_chain_read(&chain, UINT64_MAX, read, 2));
        assert_int_equal(virtqueue_take(&queue, &chain), VIRTQUEUE_EMPTY);
}

static void only_the_room_is_written_to(void **state) {
        uint8_t *bytes = driver.memory.bytes, before[1024];

        driver_describe(&driver, 0, 0, DRIVER_DATA, 16, DRIVER_NEXT, 1);
        driver_describe(&driver, 0, 1, DRIVER_DATA + 100, 2, DRIVER_NEXT | DRIVER_WRITE, 2);
        driver_describe(&driver, 0, 2, DRIVER_DATA + 50, 3, DRIVER_WRITE, 0);
        driver_offer(&driver, 0, 0);
        memset(bytes + DRIVER_DATA, '.', sizeof(before));
        memcpy(before, bytes + DRIVER_DATA, sizeof(before));
        assert_int_equal(virtqueue_take(&queue, &chain), 0);
        assert_false(virtqueue_chain_write(&chain, 0, "123456", 6));
        assert_false(virtqueue_chain_write(&chain, 5, "1", 1));
        assert_memory_equal(bytes + DRIVER_DATA, before, sizeof(before));
        assert_true(virtqueue_chain_write(&chain, 1, "234", 3));
        before[101] = '2';
        memcpy(before + 50, "34", 2);
        assert_memory_equal(bytes + DRIVER_DATA, before, sizeof(before));
}

static void what_is_given_is_told(void **state) {
        uint32_t head, n;

        driver_describe(&driver, 0, 3, DRIVER_DATA, 16, DRIVER_WRITE, 0);
        driver_describe(&driver, 0, 4, DRIVER_DATA, 16, DRIVER_WRITE, 0);
        driver_offer(&driver, 0, 3);
        driver_offer(&driver, 0, 4);
        assert_int_equal(virtqueue_take(&queue, &chain), 0);
        assert_false(driver_take_used(&driver, 0, &head, &n));
        assert_true(virtqueue_give(&queue, &chain, 7));
        assert_true(driver_take_used(&driver, 0, &head, &n));
        assert_int_equal(head, 3);
        assert_int_equal(n, 7);
        assert_false(driver_take_used(&driver, 0, &head, &n));

        /* 2.7.7: it does not want to be interrupted. */
        driver_set_available(&driver, 0, 1, driver.n_offered[0]);
        assert_int_equal(virtqueue_take(&queue, &chain), 0);
        assert_false(virtqueue_give(&queue, &chain, 0));
        assert_true(driver_take_used(&driver, 0, &head, &n));
        assert_int_equal(head, 4);
}

static void indices_wrap(void **state) {
        uint32_t head, n;

        for (unsigned i = 0; i < 3 * 65536; i++) {
                driver_describe(&driver, 0, i % 8, DRIVER_DATA, i, DRIVER_WRITE, 0);
                driver_offer(&driver, 0, i % 8);
                assert_int_equal(virtqueue_take(&queue, &chain), 0);
                assert_int_equal(chain.n_writable, i);
                virtqueue_give(&queue, &chain, i);
                assert_true(driver_take_used(&driver, 0, &head, &n));
                assert_int_equal(head, i % 8);
                assert_int_equal(n, i);
        }
}

static void a_full_queue_is_taken_whole(void **state) {
        for (unsigned i = 0; i < 8; i++) {
                driver_describe(&driver, 0, i, DRIVER_DATA, 1, i < 7 ? DRIVER_NEXT : 0, i + 1);
                driver_offer(&driver, 0, i);
        }
        for (unsigned i = 0; i < 8; i++) {
                assert_int_equal(virtqueue_take(&queue, &chain), 0);
                assert_int_equal(chain.n_parts, 8 - i);
        }
        assert_int_equal(virtqueue_take(&queue, &chain), VIRTQUEUE_EMPTY);
}

static void a_queue_that_cannot_be_does_not_begin(void **state) {
        static const struct {
                uint32_t size;
                uint64_t descriptors, available, used;
                bool is_good;
        } cases[] = {
                { 8, 0x1000, 0x2000, 0x3000, true },
                { 1, 0x1000, 0x2000, 0x3000, true },
                { 256, 0x1000, 0x2000, 0x3000, true },
                { 8, DRIVER_MEMORY - 128, 0x2000, 0x3000, true },
                { 8, 0x1000, DRIVER_MEMORY - 22, 0x3000, true },
                { 8, 0x1000, 0x2002, DRIVER_MEMORY - 72, true },
                { 8, 0, 0, 0, true }, /* one's own address is anyone's choice */
                { 0, 0x1000, 0x2000, 0x3000, false },
                { 3, 0x1000, 0x2000, 0x3000, false },
                { 255, 0x1000, 0x2000, 0x3000, false },
                { 512, 0x1000, 0x2000, 0x3000, false },
                { 1U << 31, 0x1000, 0x2000, 0x3000, false },
                { 65536 + 8, 0x1000, 0x2000, 0x3000, false },
                { 8, 0x1008, 0x2000, 0x3000, false },
                { 8, 0x1000, 0x2001, 0x3000, false },
                { 8, 0x1000, 0x2000, 0x3002, false },
                { 8, DRIVER_MEMORY - 112, 0x2000, 0x3000, false },
                { 8, 0x1000, DRIVER_MEMORY - 20, 0x3000, false },
                { 8, 0x1000, 0x2000, DRIVER_MEMORY - 68, false },
                { 8, UINT64_MAX & ~UINT64_C(15), 0x2000, 0x3000, false },
                { 8, 0x1000, UINT64_MAX - 1, 0x3000, false },
                { 8, 0x1000, 0x2000, UINT64_C(1) << 63, false },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                virtqueue_init(&queue, &driver.memory);
                queue.size = cases[i].size;
                queue.descriptors = cases[i].descriptors;
                queue.available = cases[i].available;
                queue.used = cases[i].used;
                assert_int_equal(virtqueue_start(&queue), cases[i].is_good);
                assert_int_equal(queue.is_ready, cases[i].is_good);
        }
}

static void a_chain_that_lies_breaks_the_queue(void **state) {
        static const struct {
                const char *what;
                struct {
                        uint64_t address;
                        uint32_t n;
                        unsigned flags, next;
                } descriptors[3];
                unsigned head;
        } cases[] = {
                { "a head beyond the table", { { DRIVER_DATA, 1, 0, 0 } }, 8 },
                { "a head far beyond it", { { DRIVER_DATA, 1, 0, 0 } }, 65535 },
                { "a next one beyond the table", { { DRIVER_DATA, 1, DRIVER_NEXT, 8 } }, 0 },
                { "a next one far beyond it", { { DRIVER_DATA, 1, DRIVER_NEXT, 65535 } }, 0 },
                { "a loop of one", { { DRIVER_DATA, 1, DRIVER_NEXT, 0 } }, 0 },
                { "a loop of two", { { DRIVER_DATA, 1, DRIVER_NEXT, 1 }, { DRIVER_DATA, 1, DRIVER_NEXT, 0 } }, 0 },
                { "a loop of nothing", { { DRIVER_DATA, 0, DRIVER_NEXT | DRIVER_WRITE, 0 } }, 0 },
                { "one byte beyond memory", { { DRIVER_MEMORY - 1, 2, 0, 0 } }, 0 },
                { "beyond memory", { { DRIVER_MEMORY, 1, DRIVER_WRITE, 0 } }, 0 },
                { "in the hole", { { GUEST_MEMORY_HOLE, 1, 0, 0 } }, 0 },
                { "an address that wraps", { { UINT64_MAX, 2, 0, 0 } }, 0 },
                { "an address that wraps by much", { { UINT64_MAX - 100, UINT32_MAX, DRIVER_WRITE, 0 } }, 0 },
                { "a length beyond memory", { { 0, UINT32_MAX, 0, 0 } }, 0 },
                { "nothing, nowhere", { { UINT64_MAX, 0, 0, 0 } }, 0 },
                { "to be read behind what is to be written", { { DRIVER_DATA, 1, DRIVER_NEXT | DRIVER_WRITE, 1 }, { DRIVER_DATA, 1, 0, 0 } }, 0 },
                { "indirect", { { DRIVER_DATA, 16, DRIVER_INDIRECT, 0 } }, 0 },
                { "indirect, in a chain", { { DRIVER_DATA, 1, DRIVER_NEXT, 1 }, { DRIVER_DATA, 16, DRIVER_INDIRECT, 0 } }, 0 },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                tear_down(NULL);
                assert_int_equal(set_up(NULL), 0);
                for (unsigned j = 0; j < 3; j++)
                        driver_describe(&driver, 0, j, cases[i].descriptors[j].address, cases[i].descriptors[j].n, cases[i].descriptors[j].flags,
                                        cases[i].descriptors[j].next);
                driver_offer(&driver, 0, cases[i].head);
                if (virtqueue_take(&queue, &chain) != VIRTQUEUE_BROKEN)
                        fail_msg("%s: it is taken", cases[i].what);
        }
}

/* Only addresses are made of so much memory: nothing of it is read. */
static void a_chain_is_of_4_gib_at_most(void **state) {
        static struct virtqueue_chain long_chain;
        const struct guest_memory memory = driver.memory;

        for (unsigned n_more = 0; n_more < 2; n_more++) {
                driver.n_offered[0] = 0;
                virtqueue_stop(&queue);
                virtqueue_start(&queue);
                driver.memory.n = GUEST_MEMORY_HOLE;
                driver_describe(&driver, 0, 0, 0, 1U << 31, DRIVER_NEXT, 1);
                driver_describe(&driver, 0, 1, 0, 1U << 31, DRIVER_NEXT | DRIVER_WRITE, 2);
                driver_describe(&driver, 0, 2, 0, n_more, DRIVER_WRITE, 0);
                driver_offer(&driver, 0, 0);
                assert_int_equal(virtqueue_take(&queue, &long_chain), n_more ? VIRTQUEUE_BROKEN : 0);
        }
        driver.memory = memory;
}

static void an_index_jumps_by_no_more_than_the_queue(void **state) {
        for (unsigned i = 0; i < 8; i++)
                driver_describe(&driver, 0, i, DRIVER_DATA, 1, 0, 0);
        driver_set_available(&driver, 0, 0, 9);
        assert_int_equal(virtqueue_take(&queue, &chain), VIRTQUEUE_BROKEN);
        driver_set_available(&driver, 0, 0, 65535);
        assert_int_equal(virtqueue_take(&queue, &chain), VIRTQUEUE_BROKEN);
        driver_set_available(&driver, 0, 0, 8);
        for (unsigned i = 0; i < 8; i++)
                assert_int_equal(virtqueue_take(&queue, &chain), 0);
        assert_int_equal(virtqueue_take(&queue, &chain), VIRTQUEUE_EMPTY);
        /* And never back. */
        driver_set_available(&driver, 0, 0, 7);
        assert_int_equal(virtqueue_take(&queue, &chain), VIRTQUEUE_BROKEN);
}

static void a_chain_is_known_for_one_of_an_earlier_life(void **state) {
        driver_describe(&driver, 0, 0, DRIVER_DATA, 1, 0, 0);
        driver_offer(&driver, 0, 0);
        assert_int_equal(virtqueue_take(&queue, &chain), 0);
        assert_true(virtqueue_has(&queue, &chain));
        virtqueue_stop(&queue);
        assert_false(virtqueue_has(&queue, &chain));
        assert_true(virtqueue_start(&queue));
        assert_false(virtqueue_has(&queue, &chain));
        assert_int_equal(virtqueue_take(&queue, &chain), 0);
        assert_true(virtqueue_has(&queue, &chain));
        virtqueue_reset(&queue);
        assert_false(virtqueue_has(&queue, &chain));
        queue.available = DRIVER_RINGS + DRIVER_AVAILABLE;
        queue.used = DRIVER_RINGS + DRIVER_USED;
        queue.descriptors = DRIVER_RINGS;
        assert_true(virtqueue_start(&queue));
        assert_false(virtqueue_has(&queue, &chain));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_chain_is_what_the_driver_has_described, set_up, tear_down),
                cmocka_unit_test_setup_teardown(only_the_room_is_written_to, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_given_is_told, set_up, tear_down),
                cmocka_unit_test_setup_teardown(indices_wrap, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_full_queue_is_taken_whole, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_queue_that_cannot_be_does_not_begin, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_chain_that_lies_breaks_the_queue, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_chain_is_of_4_gib_at_most, set_up, tear_down),
                cmocka_unit_test_setup_teardown(an_index_jumps_by_no_more_than_the_queue, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_chain_is_known_for_one_of_an_earlier_life, set_up, tear_down),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
