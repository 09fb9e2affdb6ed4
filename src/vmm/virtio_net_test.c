/* A network, as its driver sees it: frames through a socket in the tap's place, and through a tap of its own where this user may have one. */
#include "vmm/virtio_net.h"

#include "basics/cleanup.h"
#include "vmm/virtio_driver_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cmocka.h>

enum {
        RECEIVE = 0,
        TRANSMIT = 1,
        HEADER = 12,
        DATA = DRIVER_DATA,
        ROOM = DRIVER_DATA + 0x20000,
};

static const uint8_t mac[] = { 2, 3, 4, 5, 6, 7 };
static struct driver driver;
static int network = -1;

static int set_up(void **state) {
        int pair[2];

        driver_init(&driver);
        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        network = pair[0];
        assert_int_equal(virtio_net_new_on(&driver.device, &driver.memory, pair[1], mac), 0);
        driver_begin(&driver, 1 << 5);
        return 0;
}

static int tear_down(void **state) {
        driver_deinit(&driver);
        close_fd(&network);
        return 0;
}

static void make_frame(uint8_t *frame, size_t n, unsigned seed) {
        for (size_t i = 0; i < n; i++)
                frame[i] = (uint8_t)(i * 13 + seed);
}

static void offer_room(unsigned head, uint32_t n) {
        driver_describe(&driver, RECEIVE, head, ROOM + head * 0x2000, n, DRIVER_WRITE, 0);
        driver_offer(&driver, RECEIVE, head);
}

static void offer_frame(unsigned head, size_t n) {
        memset(driver.memory.bytes + DATA, 0, HEADER);
        make_frame(driver.memory.bytes + DATA + HEADER, n, head);
        driver_describe(&driver, TRANSMIT, head, DATA, (uint32_t)(HEADER + n), 0, 0);
        driver_offer(&driver, TRANSMIT, head);
}

static void it_says_its_address(void **state) {
        assert_int_equal(driver_read(&driver, 0x08), 1);
        assert_int_equal(driver_read(&driver, 0x100), 0x05040302);
        assert_int_equal(virtio_device_read(driver.device, 0x104, 2), 0x0706);
        /* No offload is offered, nor buffers that are merged. */
        driver_write(&driver, 0x14, 0);
        assert_int_equal(driver_read(&driver, 0x10), 1 << 5);
}

static void frames_are_sent(void **state) {
        static const size_t sizes[] = { 14, 60, 1514, 9000 };
        static uint8_t got[16384], sent[16384];
        uint32_t head, n;

        for (unsigned i = 0; i < N_ELEMENTS(sizes); i++) {
                offer_frame(i, sizes[i]);
                virtio_device_serve(driver.device);
                make_frame(sent, sizes[i], i);
                assert_int_equal(recv(network, got, sizeof(got), 0), sizes[i]);
                assert_memory_equal(got, sent, sizes[i]);
                assert_true(driver_take_used(&driver, TRANSMIT, &head, &n));
                assert_int_equal(head, i);
                assert_int_equal(n, 0);
        }
}

static void what_is_no_frame_is_lost(void **state) {
        static const size_t sizes[] = { 0, 13, 65550, 200000 };
        uint32_t head, n;
        uint8_t got;

        for (unsigned i = 0; i < N_ELEMENTS(sizes); i++) {
                offer_frame(i, sizes[i]);
                virtio_device_serve(driver.device);
                assert_true(driver_take_used(&driver, TRANSMIT, &head, &n));
                assert_int_equal(recv(network, &got, 1, 0), -1);
        }
        assert_int_equal(driver_read(&driver, 0x70), 15);
}

static void a_network_that_takes_nothing_loses_frames(void **state) {
        uint32_t head, n;

        for (unsigned i = 0; i < 5000; i++) {
                offer_frame(i % 8, 60);
                virtio_device_serve(driver.device);
                assert_true(driver_take_used(&driver, TRANSMIT, &head, &n));
        }
}

static void frames_are_received_where_there_is_room(void **state) {
        uint8_t frame[1514];
        uint32_t head, n;

        make_frame(frame, sizeof(frame), 1);
        assert_int_equal(send(network, frame, 60, 0), 60);
        virtio_device_serve(driver.device);
        assert_false(driver_take_used(&driver, RECEIVE, &head, &n));
        memset(driver.memory.bytes + ROOM, 0xee, 0x8000);
        offer_room(2, 1526);
        virtio_device_serve(driver.device);
        assert_true(driver_take_used(&driver, RECEIVE, &head, &n));
        assert_int_equal(head, 2);
        assert_int_equal(n, HEADER + 60);
        assert_memory_equal(driver.memory.bytes + ROOM + 0x4000, "\0\0\0\0\0\0\0\0\0\0\1\0", HEADER);
        assert_memory_equal(driver.memory.bytes + ROOM + 0x4000 + HEADER, frame, 60);
        assert_int_equal(driver.memory.bytes[ROOM + 0x4000 + HEADER + 60], 0xee);

        offer_room(0, 1526);
        offer_room(1, 1526);
        assert_int_equal(send(network, frame, sizeof(frame), 0), sizeof(frame));
        assert_int_equal(send(network, frame, 14, 0), 14);
        virtio_device_serve(driver.device);
        assert_true(driver_take_used(&driver, RECEIVE, &head, &n));
        assert_int_equal(head, 0);
        assert_int_equal(n, 1526);
        assert_memory_equal(driver.memory.bytes + ROOM + HEADER, frame, sizeof(frame));
        assert_true(driver_take_used(&driver, RECEIVE, &head, &n));
        assert_int_equal(head, 1);
        assert_int_equal(n, HEADER + 14);
}

static void a_frame_that_does_not_fit_is_lost_and_its_room_is_not(void **state) {
        uint8_t frame[1514] = { 0 };
        uint32_t head, n;

        offer_room(3, 100);
        assert_int_equal(send(network, frame, 89, 0), 89);
        assert_int_equal(send(network, frame, 1514, 0), 1514);
        virtio_device_serve(driver.device);
        assert_false(driver_take_used(&driver, RECEIVE, &head, &n));
        assert_int_equal(send(network, frame, 88, 0), 88);
        virtio_device_serve(driver.device);
        assert_true(driver_take_used(&driver, RECEIVE, &head, &n));
        assert_int_equal(head, 3);
        assert_int_equal(n, 100);
}

static void room_of_before_a_reset_is_nobodys(void **state) {
        uint8_t frame[60] = { 1 };
        uint32_t head, n;

        offer_room(3, 1526);
        virtio_device_serve(driver.device); /* it has it now */
        driver_begin(&driver, 0);
        memset(driver.memory.bytes + ROOM, 0xee, 0x8000);
        assert_int_equal(send(network, frame, sizeof(frame), 0), sizeof(frame));
        virtio_device_serve(driver.device);
        assert_false(driver_take_used(&driver, RECEIVE, &head, &n));
        assert_int_equal(driver.memory.bytes[ROOM + 0x6000], 0xee);
        offer_room(1, 1526);
        assert_int_equal(send(network, frame, sizeof(frame), 0), sizeof(frame));
        virtio_device_serve(driver.device);
        assert_true(driver_take_used(&driver, RECEIVE, &head, &n));
        assert_int_equal(head, 1);
}

static void a_frame_without_its_header_needs_a_reset(void **state) {
        driver_describe(&driver, TRANSMIT, 0, DATA, HEADER - 1, 0, 0);
        driver_offer(&driver, TRANSMIT, 0);
        virtio_device_serve(driver.device);
        assert_int_equal(driver_read(&driver, 0x70), 15 | VIRTIO_NEEDS_RESET);
}

static void its_thread_waits_for_frames_and_room(void **state) {
        uint8_t frame[60] = { 1 };
        uint32_t head, n;

        assert_int_equal(virtio_device_start(driver.device, driver.notify_fd, driver.interrupt_fd), 0);
        offer_room(0, 1526);
        driver_write(&driver, VIRTIO_MMIO_QUEUE_NOTIFY, RECEIVE);
        for (unsigned i = 0; i < 20; i++) {
                assert_int_equal(send(network, frame, sizeof(frame), 0), sizeof(frame));
                driver_wait(&driver);
                assert_true(driver_take_used(&driver, RECEIVE, &head, &n));
                offer_room(i % 8, 1526);
                driver_write(&driver, VIRTIO_MMIO_QUEUE_NOTIFY, RECEIVE);
        }
        /* Nobody is there any longer: it goes on without them. */
        close_fd(&network);
        offer_frame(5, 60);
        driver_write(&driver, VIRTIO_MMIO_QUEUE_NOTIFY, TRANSMIT);
        driver_wait(&driver);
        assert_true(driver_take_used(&driver, TRANSMIT, &head, &n));
}

/* --- a tap -------------------------------------------------------------------------------------------------------- */

/* In a network of one's own: nobody else's is touched. */
static int make_tap(const char *name) {
        struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
        cleanup(closep) int fd = -1, any = -1;

        if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
                return -1;
        fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
        any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        strcpy(request.ifr_name, name);
        if (fd < 0 || any < 0 || ioctl(fd, TUNSETIFF, &request) || ioctl(fd, TUNSETPERSIST, 1))
                return -1;
        close_fd(&fd);
        request.ifr_flags = IFF_UP;
        return ioctl(any, SIOCSIFFLAGS, &request);
}

static int open_host_side(const char *name) {
        struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_ifindex = (int)if_nametoindex(name) };
        int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x88b5)); /* a protocol for experiments */

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

static void a_real_tap_carries_frames_both_ways(void **state) {
        static const uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 3, 4, 5, 6, 7, 0x88, 0xb5, 'h', 'i' };
        char why[VIRTIO_DEVICE_WHY_MAX];
        struct virtio_device *other;
        uint32_t address[2], head, n;
        uint8_t got[2000];

        tear_down(NULL);
        driver_init(&driver);
        if (make_tap("vmpower0"))
                skip();
        assert_int_equal(virtio_net_new(&driver.device, &driver.memory, "vmpower1", why), -ENODEV);
        assert_int_equal(virtio_net_new(&driver.device, &driver.memory, "", why), -EINVAL);
        assert_int_equal(virtio_net_new(&driver.device, &driver.memory, "lo", why), -EINVAL);
        assert_int_equal(virtio_net_new(&driver.device, &driver.memory, "vmpower0", why), 0);
        assert_int_equal(virtio_net_new(&other, &driver.memory, "vmpower0", why), -EBUSY);
        assert_string_equal(why, "vmpower0: another program has it");
        for (unsigned i = 0; i < 2; i++)
                address[i] = driver_read(&driver, 0x100 + i * 4);
        assert_int_equal(address[0] & 0xff, 2);
        network = open_host_side("vmpower0");
        assert_int_equal(virtio_device_start(driver.device, driver.notify_fd, driver.interrupt_fd), 0);
        driver_begin(&driver, 1 << 5);

        memcpy(driver.memory.bytes + DATA + HEADER, frame, sizeof(frame));
        driver_describe(&driver, TRANSMIT, 0, DATA, HEADER + sizeof(frame), 0, 0);
        driver_offer(&driver, TRANSMIT, 0);
        driver_write(&driver, VIRTIO_MMIO_QUEUE_NOTIFY, TRANSMIT);
        driver_wait(&driver);
        assert_true(driver_take_used(&driver, TRANSMIT, &head, &n));
        assert_int_equal(recv(network, got, sizeof(got), 0), sizeof(frame));
        assert_memory_equal(got, frame, sizeof(frame));

        /* The kernel itself speaks there, too. */
        assert_int_equal(send(network, frame, sizeof(frame), 0), sizeof(frame));
        for (unsigned i = 0, is_found = 0; !is_found; i = (i + 1) % 8) {
                offer_room(i, 1526);
                driver_write(&driver, VIRTIO_MMIO_QUEUE_NOTIFY, RECEIVE);
                driver_wait(&driver);
                assert_true(driver_take_used(&driver, RECEIVE, &head, &n));
                is_found = n == HEADER + sizeof(frame) && !memcmp(driver.memory.bytes + ROOM + head * 0x2000 + HEADER, frame, sizeof(frame));
        }

        /* The same address the next time. */
        driver.device = virtio_device_free(driver.device);
        assert_int_equal(virtio_net_new(&driver.device, &driver.memory, "vmpower0", why), 0);
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(driver_read(&driver, 0x100 + i * 4), address[i]);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(it_says_its_address, set_up, tear_down),
                cmocka_unit_test_setup_teardown(frames_are_sent, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_no_frame_is_lost, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_network_that_takes_nothing_loses_frames, set_up, tear_down),
                cmocka_unit_test_setup_teardown(frames_are_received_where_there_is_room, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_frame_that_does_not_fit_is_lost_and_its_room_is_not, set_up, tear_down),
                cmocka_unit_test_setup_teardown(room_of_before_a_reset_is_nobodys, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_frame_without_its_header_needs_a_reset, set_up, tear_down),
                cmocka_unit_test_setup_teardown(its_thread_waits_for_frames_and_room, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_real_tap_carries_frames_both_ways, set_up, tear_down),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
