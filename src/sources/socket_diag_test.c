#include "sources/socket_diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A datagram that grows. */
struct datagram {
        uint8_t bytes[1024];
        size_t n;
        size_t message; /* where the last message begins */
};

static void put(struct datagram *datagram, const void *bytes, size_t n) {
        memcpy(datagram->bytes + datagram->n, bytes, n);
        datagram->n += n;
}

static void close_message(struct datagram *datagram) {
        uint32_t n = (uint32_t)(datagram->n - datagram->message);

        memcpy(datagram->bytes + datagram->message, &n, sizeof(n));
}

static void put_header(struct datagram *datagram, uint16_t type) {
        struct nlmsghdr header = { .nlmsg_type = type };

        datagram->message = datagram->n;
        put(datagram, &header, sizeof(header));
        close_message(datagram);
}

static void put_socket(struct datagram *datagram, uint8_t state, uint32_t inode) {
        struct unix_diag_msg socket = {
                .udiag_family = AF_UNIX,
                .udiag_type = SOCK_STREAM,
                .udiag_state = state,
                .udiag_ino = inode,
                .udiag_cookie = { 7, 8 },
        };

        put_header(datagram, SOCK_DIAG_BY_FAMILY);
        put(datagram, &socket, sizeof(socket));
        close_message(datagram);
}

static void put_attribute(struct datagram *datagram, uint16_t type, const void *bytes, size_t n) {
        static const uint8_t padding[NLA_ALIGNTO];
        struct nlattr attribute = { .nla_len = (uint16_t)(sizeof(attribute) + n), .nla_type = type };

        put(datagram, &attribute, sizeof(attribute));
        put(datagram, bytes, n);
        put(datagram, padding, NLA_ALIGN(n) - n);
        close_message(datagram);
}

static struct datagram listener(void) {
        struct datagram datagram = { 0 };
        uint32_t waiting[] = { 0, 21, 22 };

        put_socket(&datagram, 10, 5);
        put_attribute(&datagram, UNIX_DIAG_NAME, "/q", 3);
        put_attribute(&datagram, UNIX_DIAG_VFS, &(struct unix_diag_vfs){ 11, 12 }, 8);
        put_attribute(&datagram, UNIX_DIAG_RQLEN, &(struct unix_diag_rqlen){ 3, 9 }, 8);
        put_attribute(&datagram, UNIX_DIAG_ICONS, waiting, sizeof(waiting));
        put_attribute(&datagram, 99, "new", 3);
        return datagram;
}

static void a_listening_socket_says_who_waits(void **state) {
        struct datagram datagram = listener();
        const uint8_t *bytes = datagram.bytes;
        struct socket_record record;
        size_t n = datagram.n;

        assert_int_equal(socket_diag_next(&record, &bytes, &n), 0);
        assert_true(record.is_listening);
        assert_int_equal(record.inode, 5);
        assert_int_equal(record.cookie[1], 8);
        assert_int_equal(record.n_name, 3);
        assert_memory_equal(record.name, "/q", 3);
        assert_true(record.has_file);
        assert_int_equal(record.file_inode, 11);
        assert_int_equal(record.file_device, 12);
        assert_false(record.has_peer);
        assert_int_equal(record.n_waiting, 3);
        assert_int_equal(record.n_waiting_known, 2);
        assert_int_equal(record.waiting[1], 22);
        assert_int_equal(socket_diag_next(&record, &bytes, &n), SOCKET_DIAG_MORE);
        assert_int_equal(n, 0);
}

static void a_connected_socket_says_its_peer(void **state) {
        struct datagram datagram = { 0 };
        const uint8_t *bytes = datagram.bytes;
        struct socket_record record;
        uint32_t peer = 42;
        size_t n;

        put_socket(&datagram, 1, 6);
        put_attribute(&datagram, UNIX_DIAG_PEER, &peer, sizeof(peer));
        put_attribute(&datagram, UNIX_DIAG_RQLEN, &(struct unix_diag_rqlen){ 100, 0 }, 8);
        put_socket(&datagram, 1, 7);
        n = datagram.n;
        assert_int_equal(socket_diag_next(&record, &bytes, &n), 0);
        assert_false(record.is_listening);
        assert_true(record.has_peer);
        assert_int_equal(record.peer, 42);
        assert_int_equal(record.n_waiting, 0); /* bytes, not clients */
        assert_null(record.name);
        assert_false(record.has_file);
        assert_int_equal(socket_diag_next(&record, &bytes, &n), 0);
        assert_int_equal(record.inode, 7);
        assert_false(record.has_peer);
}

static int read_all(const uint8_t *bytes, size_t n) {
        struct socket_record record;
        int r;

        while (!(r = socket_diag_next(&record, &bytes, &n))) {
                if (record.name)
                        assert_true((const uint8_t *)record.name + record.n_name <= bytes);
                assert_true(record.n_waiting_known <= SOCKET_DIAG_WAITING_MAX);
        }
        return r;
}

static void an_end_and_an_error_are_told_apart(void **state) {
        int zero = 0, refused = -EPERM, nonsense = 5, far = -100000;
        struct datagram done = { 0 }, failed = { 0 }, error = { 0 }, none = { 0 }, odd = { 0 }, other = { 0 },
                        bare = { 0 };

        put_header(&done, NLMSG_DONE);
        put(&done, &zero, sizeof(zero));
        close_message(&done);
        assert_int_equal(read_all(done.bytes, done.n), SOCKET_DIAG_DONE);
        put_header(&bare, NLMSG_DONE);
        assert_int_equal(read_all(bare.bytes, bare.n), SOCKET_DIAG_DONE);
        put_header(&failed, NLMSG_DONE);
        put(&failed, &refused, sizeof(refused));
        close_message(&failed);
        assert_int_equal(read_all(failed.bytes, failed.n), -EPERM);
        put_header(&error, NLMSG_ERROR);
        put(&error, &refused, sizeof(refused));
        close_message(&error);
        assert_int_equal(read_all(error.bytes, error.n), -EPERM);
        put_header(&none, NLMSG_ERROR);
        put(&none, &nonsense, sizeof(nonsense));
        close_message(&none);
        assert_int_equal(read_all(none.bytes, none.n), -EBADMSG);
        put_header(&odd, NLMSG_ERROR);
        put(&odd, &far, sizeof(far));
        close_message(&odd);
        assert_int_equal(read_all(odd.bytes, odd.n), -EBADMSG);
        put_header(&other, 999);
        assert_int_equal(read_all(other.bytes, other.n), -EBADMSG);
}

/* Every cut and every changed byte is read within its bounds: each copy has a heap block of exactly its size.
 */
static void hostile_bytes_are_read_within_their_bounds(void **state) {
        struct datagram datagram = listener();
        uint32_t seed = 1;

        put_socket(&datagram, 1, 6);
        for (size_t n = 0; n <= datagram.n; n++) {
                uint8_t *copy = malloc(n ? n : 1);

                memcpy(copy, datagram.bytes, n);
                assert_true(read_all(copy, n));
                free(copy);
        }
        for (unsigned i = 0; i < 20000; i++) {
                uint8_t *copy = malloc(datagram.n);

                memcpy(copy, datagram.bytes, datagram.n);
                for (unsigned j = 0; j < 3; j++) {
                        seed = seed * 1664525 + 1013904223;
                        copy[(seed >> 8) % datagram.n] = (uint8_t)(seed >> 24);
                }
                assert_true(read_all(copy, datagram.n));
                free(copy);
        }
}

static void a_queue_longer_than_ours_is_counted(void **state) {
        struct datagram datagram = { 0 };
        const uint8_t *bytes = datagram.bytes;
        uint32_t waiting[SOCKET_DIAG_WAITING_MAX + 5];
        struct socket_record record;
        size_t n;

        for (uint32_t i = 0; i < SOCKET_DIAG_WAITING_MAX + 5; i++)
                waiting[i] = i + 1;
        put_socket(&datagram, 10, 5);
        put_attribute(&datagram, UNIX_DIAG_RQLEN, &(struct unix_diag_rqlen){ SOCKET_DIAG_WAITING_MAX + 5, 0 },
                      8);
        put_attribute(&datagram, UNIX_DIAG_ICONS, waiting, sizeof(waiting));
        n = datagram.n;
        assert_int_equal(socket_diag_next(&record, &bytes, &n), 0);
        assert_int_equal(record.n_waiting, SOCKET_DIAG_WAITING_MAX + 5);
        assert_int_equal(record.n_waiting_known, SOCKET_DIAG_WAITING_MAX);
}

static void a_device_is_as_the_kernel_keeps_it(void **state) {
        assert_int_equal(socket_diag_device(makedev(0, 25)), 25);
        assert_int_equal(socket_diag_device(makedev(8, 1)), 8 << 20 | 1);
        assert_int_equal(socket_diag_device(makedev(259, 70000)), 259 << 20 | 70000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_listening_socket_says_who_waits),
                cmocka_unit_test(a_connected_socket_says_its_peer),
                cmocka_unit_test(an_end_and_an_error_are_told_apart),
                cmocka_unit_test(hostile_bytes_are_read_within_their_bounds),
                cmocka_unit_test(a_queue_longer_than_ours_is_counted),
                cmocka_unit_test(a_device_is_as_the_kernel_keeps_it),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
