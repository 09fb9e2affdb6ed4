/* The connection to xenstored, with this test in its place: what it answers lies there before it is asked. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "sources/xen/xenstore.h"

static char path[64];
static int listening = -1;

struct world {
        struct xenstore *store;
        int daemon;
};

static int set_up(void **state) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        snprintf(path, sizeof(path), "/tmp/vmpower-xenstore-%d", (int)getpid());
        memcpy(address.sun_path, path, strlen(path) + 1);
        unlink(path);
        listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return bind(listening, (struct sockaddr *)&address, sizeof(address)) || listen(listening, 4);
}

static int tear_down(void **state) {
        close_fd(&listening);
        return unlink(path);
}

static void world_init(struct world *world) {
        assert_int_equal(xenstore_open(&world->store, path), 0);
        world->daemon = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        assert_true(world->daemon >= 0);
}

static void world_deinit(struct world *world) {
        world->store = xenstore_close(world->store);
        close_fd(&world->daemon);
}

static void put_header(struct world *world, uint32_t type, uint32_t request, uint32_t length) {
        const uint32_t header[4] = { type, request, 0, length };

        assert_int_equal(write(world->daemon, header, sizeof(header)), sizeof(header));
}

static void put(struct world *world, uint32_t type, uint32_t request, const char *payload, size_t n) {
        put_header(world, type, request, (uint32_t)n);
        assert_int_equal(write(world->daemon, payload, n), n);
}

#define PUT(world, type, request, payload) put(world, type, request, payload, sizeof(payload) - 1)

static void a_value_is_read_and_an_error_is_one(void **state) {
        cleanup(world_deinit) struct world world;
        char value[XENSTORE_PAYLOAD_MAX + 1], asked[64];
        size_t n;

        world_init(&world);
        PUT(&world, XENSTORE_READ, 1, "web\0-1");
        PUT(&world, XENSTORE_ERROR, 2, "ENOENT\0");
        PUT(&world, XENSTORE_ERROR, 3, "EWHAT\0");
        PUT(&world, XENSTORE_IS_DOMAIN_INTRODUCED, 4, "T\0");
        PUT(&world, XENSTORE_IS_DOMAIN_INTRODUCED, 5, "F\0");
        PUT(&world, XENSTORE_WRITE, 6, "OK\0");
        assert_int_equal(xenstore_read(world.store, "/a", value, &n), 0);
        assert_int_equal(n, 6);
        assert_memory_equal(value, "web\0-1", 7);
        assert_int_equal(xenstore_read(world.store, "/a", value, &n), -ENOENT);
        assert_int_equal(xenstore_read(world.store, "/a", value, &n), -EIO);
        assert_int_equal(xenstore_is_introduced(world.store, 5), 1);
        assert_int_equal(xenstore_is_introduced(world.store, 6), 0);
        for (int i = 0; i < 5; i++) /* what was asked before */
                assert_true(read(world.daemon, asked, i < 3 ? 16 + 3 : 16 + 2) > 16);
        assert_int_equal(xenstore_write(world.store, "/a", "poweroff"), 0);
        assert_int_equal(read(world.daemon, asked, sizeof(asked)), 16 + 3 + 8);
        assert_memory_equal(asked + 16, "/a\0poweroff", 11);
        assert_false(xenstore_is_lost(world.store));
}

static void events_that_come_before_an_answer_are_kept(void **state) {
        cleanup(world_deinit) struct world world;
        char value[XENSTORE_PAYLOAD_MAX + 1];
        uint64_t token;
        size_t n;

        world_init(&world);
        PUT(&world, XENSTORE_WATCH_EVENT, 0, "@releaseDomain\0" "2\0");
        PUT(&world, XENSTORE_WATCH_EVENT, 0, "@releaseDomain\0" "2x\0"); /* none of ours */
        PUT(&world, XENSTORE_WATCH_EVENT, 0, "no token");
        PUT(&world, XENSTORE_WATCH_EVENT, 0, "/local/domain/5/name\0" "25\0");
        PUT(&world, XENSTORE_READ, 1, "x");
        PUT(&world, XENSTORE_WATCH_EVENT, 0, "@introduceDomain\0" "1\0");
        assert_int_equal(xenstore_read(world.store, "/a", value, &n), 0);
        assert_true(xenstore_has_events(world.store));
        assert_int_equal(xenstore_event(world.store, &token), 1);
        assert_int_equal(token, 2);
        assert_int_equal(xenstore_event(world.store, &token), 1);
        assert_int_equal(token, 25);
        assert_int_equal(xenstore_event(world.store, &token), 1);
        assert_int_equal(token, 1);
        assert_int_equal(xenstore_event(world.store, &token), 0);
        assert_false(xenstore_has_events(world.store));
}

static void what_came_before_an_answer_can_be_told_from_what_came_after(void **state) {
        cleanup(world_deinit) struct world world;
        char value[XENSTORE_PAYLOAD_MAX + 1];
        uint64_t token;
        size_t n;

        world_init(&world);
        assert_int_equal(xenstore_take_events(world.store, 25), 0);
        PUT(&world, XENSTORE_WATCH_EVENT, 0, "/x\0" "25\0");
        PUT(&world, XENSTORE_WATCH_EVENT, 0, "/x\0" "24\0");
        PUT(&world, XENSTORE_WATCH_EVENT, 0, "/x\0" "25\0");
        PUT(&world, XENSTORE_WATCH_EVENT, 0, "/x\0" "26\0");
        PUT(&world, XENSTORE_READ, 1, "x");
        PUT(&world, XENSTORE_WATCH_EVENT, 0, "/x\0" "25\0");
        assert_int_equal(xenstore_read(world.store, "/a", value, &n), 0);
        assert_int_equal(xenstore_take_events(world.store, 25), 2);
        assert_int_equal(xenstore_take_events(world.store, 25), 0);
        for (uint64_t expected = 24; expected <= 26; expected += 2) {
                assert_int_equal(xenstore_event(world.store, &token), 1);
                assert_int_equal(token, expected);
        }
        assert_false(xenstore_has_events(world.store));
        assert_int_equal(xenstore_event(world.store, &token), 1);
        assert_int_equal(token, 25);
        assert_int_equal(xenstore_event(world.store, &token), 0);
}

static void a_thousand_events_come_in_their_order(void **state) {
        cleanup(world_deinit) struct world world;
        static char bytes[32 * 1000];
        size_t n_bytes = 0;
        uint64_t token;

        world_init(&world);
        for (int i = 0; i < 1000; i++) {
                char event[16];
                uint32_t n = (uint32_t)snprintf(event, sizeof(event), "/x%c%d%c", 0, i, 0);
                const uint32_t header[4] = { XENSTORE_WATCH_EVENT, 0, 0, n };

                memcpy(bytes + n_bytes, header, sizeof(header));
                memcpy(bytes + n_bytes + sizeof(header), event, n);
                n_bytes += sizeof(header) + n;
        }
        assert_int_equal(write(world.daemon, bytes, n_bytes), n_bytes);
        for (uint64_t i = 0; i < 1000; i++) {
                assert_int_equal(xenstore_event(world.store, &token), 1);
                assert_int_equal(token, i);
        }
        assert_int_equal(xenstore_event(world.store, &token), 0);
}

static void one_that_has_gone_is_lost(void **state) {
        cleanup(world_deinit) struct world world;
        char value[XENSTORE_PAYLOAD_MAX + 1];
        uint64_t token;
        size_t n;

        world_init(&world);
        PUT(&world, XENSTORE_WATCH_EVENT, 0, "/x\0" "7\0");
        close_fd(&world.daemon);
        assert_int_equal(xenstore_event(world.store, &token), 1);
        assert_true(xenstore_event(world.store, &token) < 0);
        assert_true(xenstore_is_lost(world.store));
        assert_int_equal(xenstore_read(world.store, "/a", value, &n), -ENOTCONN);
        assert_int_equal(xenstore_open(&world.store, "/no/such/socket"), -ENOENT);
}

static void what_is_no_xenstore_is_lost(void **state) {
        static const struct {
                uint32_t type, request, length;
        } headers[] = { { XENSTORE_READ, 1, 5000 }, { XENSTORE_READ, 2, 0 }, { XENSTORE_WRITE, 1, 0 }, { 99, 1, UINT32_MAX } };

        for (size_t i = 0; i < N_ELEMENTS(headers); i++) {
                cleanup(world_deinit) struct world world;
                char value[XENSTORE_PAYLOAD_MAX + 1];
                size_t n;

                world_init(&world);
                put_header(&world, headers[i].type, headers[i].request, headers[i].length);
                assert_int_equal(xenstore_read(world.store, "/a", value, &n), -EPROTO);
                assert_true(xenstore_is_lost(world.store));
        }
}

static void what_is_too_long_is_not_asked(void **state) {
        cleanup(world_deinit) struct world world;
        char large[XENSTORE_PAYLOAD_MAX + 10];

        world_init(&world);
        memset(large, 'a', sizeof(large) - 1);
        large[sizeof(large) - 1] = '\0';
        assert_int_equal(xenstore_write(world.store, "/a", large), -E2BIG);
        assert_int_equal(xenstore_write(world.store, large, "a"), -E2BIG);
        assert_false(xenstore_is_lost(world.store));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_value_is_read_and_an_error_is_one),
                cmocka_unit_test(events_that_come_before_an_answer_are_kept),
                cmocka_unit_test(what_came_before_an_answer_can_be_told_from_what_came_after),
                cmocka_unit_test(a_thousand_events_come_in_their_order),
                cmocka_unit_test(one_that_has_gone_is_lost),
                cmocka_unit_test(what_is_no_xenstore_is_lost),
                cmocka_unit_test(what_is_too_long_is_not_asked),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("xenstore", tests, set_up, tear_down);
}
