/* A device and its thread: who waits for whom.  The device here is one that echoes, from a pipe that may be slow. */
#include "vmm/virtio_device.h"

#include "basics/cleanup.h"
#include "vmm/virtio_driver_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* What it gives is a byte of the outside world; it has begun when it says so there. */
struct echo {
        int out_fd, in_fd;
        unsigned n_served, n_taken;
        int broken_fd; /* what else it waits for; -1: nothing */
        bool asks_at_end;
        struct virtqueue_chain chain;
};

static struct driver driver;
static struct echo *echo;
static int asked = -1, answer = -1; /* the outside world's ends */

static void serve(struct virtio_device *device, void *state) {
        struct echo *slow = state;
        char byte = '?';

        __atomic_add_fetch(&slow->n_served, 1, __ATOMIC_SEQ_CST);
        while (virtio_device_take(device, 0, &slow->chain)) {
                __atomic_add_fetch(&slow->n_taken, 1, __ATOMIC_SEQ_CST);
                if (write(slow->out_fd, &byte, 1) != 1 || read(slow->in_fd, &byte, 1) != 1)
                        break; /* a test has failed, and goes */
                virtio_device_copy_out(device, 0, &slow->chain, 0, &byte, 1);
                virtio_device_give(device, 0, &slow->chain, 1);
        }
        if (__atomic_load_n(&slow->asks_at_end, __ATOMIC_SEQ_CST) && (write(slow->out_fd, &byte, 1) != 1 || read(slow->in_fd, &byte, 1) != 1))
                return;
}

static int wait_fd(void *state) {
        const struct echo *slow = state;

        return __atomic_load_n(&slow->broken_fd, __ATOMIC_SEQ_CST);
}

static void echo_free(void *state) {
        struct echo *slow = state;

        close_fd(&slow->out_fd);
        close_fd(&slow->in_fd);
        close_fd(&slow->broken_fd);
        free(slow);
}

static int set_up(void **state) {
        static const struct virtio_kind kind = { .name = "echo", .serve = serve, .wait_fd = wait_fd, .free = echo_free };
        static const struct virtio_mmio_identity identity = { .device = 42, .n_queues = 1 };
        int out[2], in[2];

        assert_int_equal(pipe2(out, O_CLOEXEC) | pipe2(in, O_CLOEXEC), 0);
        echo = calloc(1, sizeof(*echo));
        *echo = (struct echo){ .out_fd = out[1], .in_fd = in[0], .broken_fd = -1 };
        asked = out[0];
        answer = in[1];
        driver_init(&driver);
        assert_int_equal(virtio_device_new(&driver.device, &kind, echo, &identity, &driver.memory), 0);
        assert_int_equal(virtio_device_start(driver.device, driver.notify_fd, driver.interrupt_fd), 0);
        driver_begin(&driver, 0);
        return 0;
}

static int tear_down(void **state) {
        close_fd(&answer);
        driver_deinit(&driver);
        close_fd(&asked);
        return 0;
}

static void offer(unsigned head) {
        driver_describe(&driver, 0, head, DRIVER_DATA + head, 1, DRIVER_WRITE, 0);
        driver_offer(&driver, 0, head);
}

static void wait_until_asked(void) {
        char byte;

        assert_int_equal(read(asked, &byte, 1), 1);
}

static void let_go(char byte) {
        assert_int_equal(write(answer, &byte, 1), 1);
}

static char byte_of(unsigned head) {
        return (char)__atomic_load_n(&driver.memory.bytes[DRIVER_DATA + head], __ATOMIC_SEQ_CST);
}

static void takes_used(uint32_t wanted_head) {
        uint32_t head, n;

        assert_true(driver_take_used(&driver, 0, &head, &n));
        assert_int_equal(head, wanted_head);
        assert_int_equal(n, 1);
}

static void a_notification_is_an_eventfd_or_an_access(void **state) {
        const uint64_t one = 1;

        offer(0);
        assert_int_equal(write(driver.notify_fd, &one, sizeof(one)), sizeof(one));
        wait_until_asked();
        let_go('a');
        driver_wait(&driver);
        takes_used(0);
        assert_int_equal(byte_of(0), 'a');
        assert_int_equal(driver_read(&driver, 0x60), VIRTIO_MMIO_USED);
        driver_write(&driver, 0x64, VIRTIO_MMIO_USED);

        offer(1);
        driver_write(&driver, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
        wait_until_asked();
        let_go('b');
        driver_wait(&driver);
        takes_used(1);
        assert_int_equal(byte_of(1), 'b');
        assert_int_equal(driver_read(&driver, 0x60), VIRTIO_MMIO_USED);
}

static void a_driver_that_wants_no_interrupt_has_none(void **state) {
        offer(0);
        driver_set_available(&driver, 0, 1, 1);
        driver_write(&driver, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
        wait_until_asked();
        let_go('a');
        assert_int_equal(virtio_device_pause(driver.device, 10000), 0);
        takes_used(0);
        assert_false(driver_was_interrupted(&driver));
        assert_int_equal(driver_read(&driver, 0x60), 0);
}

/* 2.1.2: what was there before DRIVER_OK is served with it. */
static void a_driver_may_offer_before_it_begins(void **state) {
        driver_write(&driver, 0x70, 0);
        driver_write(&driver, 0x70, 3);
        driver_write(&driver, 0x24, 1);
        driver_write(&driver, 0x20, 1);
        driver_write(&driver, 0x70, 11);
        driver_set_queue(&driver, 0);
        offer(0);
        driver_write(&driver, 0x70, 15);
        wait_until_asked();
        let_go('a');
        driver_wait(&driver);
        takes_used(0);
}

/* A reset does not wait for a slow disk, and what that brings later goes nowhere: not into memory that is somebody else's by then, nor into new rings. */
static void a_reset_is_done_at_once(void **state) {
        for (unsigned way = 0; way < 3; way++) {
                uint32_t head, n;

                offer(0);
                driver_write(&driver, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
                wait_until_asked();
                driver_write(&driver, 0x30, 0);
                if (way == 0)
                        virtio_device_reset(driver.device); /* the machine's */
                else if (way == 1)
                        driver_write(&driver, 0x70, 0); /* the driver's */
                else
                        driver_write(&driver, 0x44, 0); /* the driver's, of one queue */
                driver_write(&driver, 0x30, 0);
                assert_int_equal(driver_read(&driver, 0x44), 0);
                if (way < 2)
                        assert_int_equal(driver_read(&driver, 0x70), 0);
                driver.memory.bytes[DRIVER_DATA] = '.';
                if (way < 2)
                        driver_begin(&driver, 0);
                else
                        driver_set_queue(&driver, 0);
                offer(1);
                driver_write(&driver, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
                let_go('x');
                wait_until_asked();
                assert_int_equal(byte_of(0), '.');
                assert_false(driver_take_used(&driver, 0, &head, &n));
                assert_false(driver_was_interrupted(&driver));
                let_go('y');
                driver_wait(&driver);
                takes_used(1);
                assert_int_equal(byte_of(1), 'y');
                driver_begin(&driver, 0);
        }
}

static void a_paused_device_begins_nothing(void **state) {
        uint32_t head, n;

        assert_int_equal(virtio_device_pause(driver.device, 10000), 0);
        offer(0);
        driver_write(&driver, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
        /* Its registers are there all the same. */
        assert_int_equal(driver_read(&driver, 0x70), 15);
        assert_int_equal(virtio_device_pause(driver.device, 0), 0);
        virtio_device_serve(driver.device);
        assert_int_equal(__atomic_load_n(&echo->n_taken, __ATOMIC_SEQ_CST), 0);
        assert_false(driver_take_used(&driver, 0, &head, &n));
        virtio_device_resume(driver.device);
        wait_until_asked();
        let_go('a');
        driver_wait(&driver);
        takes_used(0);
}

static void a_pause_waits_for_what_is_in_flight_and_no_more(void **state) {
        uint32_t head, n;

        offer(0);
        offer(1);
        driver_write(&driver, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
        wait_until_asked();
        assert_int_equal(virtio_device_pause(driver.device, 0), -ETIMEDOUT);
        assert_int_equal(virtio_device_pause(driver.device, 10), -ETIMEDOUT);
        let_go('a');
        assert_int_equal(virtio_device_pause(driver.device, 10000), 0);
        assert_true(driver_was_interrupted(&driver));
        takes_used(0);
        assert_false(driver_take_used(&driver, 0, &head, &n));
        assert_int_equal(__atomic_load_n(&echo->n_taken, __ATOMIC_SEQ_CST), 1);
        virtio_device_resume(driver.device);
        wait_until_asked();
        let_go('b');
        driver_wait(&driver);
        takes_used(1);
}

/* It is resumed when it has looked for more, was told that there is none, and does not yet know that it was paused. */
static void a_pause_that_is_over_before_it_has_begun_loses_nothing(void **state) {
        uint64_t n;

        offer(0);
        offer(1);
        driver_write(&driver, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
        wait_until_asked();
        assert_int_equal(virtio_device_pause(driver.device, 0), -ETIMEDOUT);
        __atomic_store_n(&echo->asks_at_end, true, __ATOMIC_SEQ_CST);
        let_go('a');
        wait_until_asked();
        __atomic_store_n(&echo->asks_at_end, false, __ATOMIC_SEQ_CST);
        /* Nor does a notification of before help it. */
        (void)!read(driver.notify_fd, &n, sizeof(n));
        virtio_device_resume(driver.device);
        let_go('.');
        wait_until_asked();
        let_go('b');
        assert_int_equal(virtio_device_pause(driver.device, 10000), 0);
        takes_used(0);
        takes_used(1);
}

static void it_ends_while_it_waits_or_is_paused(void **state) {
        /* As it is: it waits. */
        tear_down(NULL);
        set_up(NULL);
        assert_int_equal(virtio_device_pause(driver.device, 10000), 0);
        offer(0);
        tear_down(NULL);
        set_up(NULL);
        /* One in the middle of something ends with that. */
        offer(0);
        offer(1);
        driver_write(&driver, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
        wait_until_asked();
        let_go('a');
        let_go('b');
}

/* Even where what it waits for besides has gone. */
static void it_rests_when_nothing_is_to_be_done(void **state) {
        enum { N = 300 };
        int broken[2];

        assert_int_equal(pipe2(broken, O_CLOEXEC), 0);
        close(broken[0]);
        __atomic_store_n(&echo->broken_fd, broken[1], __ATOMIC_SEQ_CST);
        for (unsigned i = 0; i < N; i++) {
                offer(i % 8);
                driver_write(&driver, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
                wait_until_asked();
                let_go('a');
                driver_wait(&driver);
        }
        /* Once for a notification, and once more where it had found that already. */
        assert_in_range(__atomic_load_n(&echo->n_served, __ATOMIC_SEQ_CST), 1, 2 * N + 10);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_notification_is_an_eventfd_or_an_access, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_driver_that_wants_no_interrupt_has_none, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_driver_may_offer_before_it_begins, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_reset_is_done_at_once, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_paused_device_begins_nothing, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_pause_waits_for_what_is_in_flight_and_no_more, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_pause_that_is_over_before_it_has_begun_loses_nothing, set_up, tear_down),
                cmocka_unit_test_setup_teardown(it_ends_while_it_waits_or_is_paused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(it_rests_when_nothing_is_to_be_done, set_up, tear_down),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
