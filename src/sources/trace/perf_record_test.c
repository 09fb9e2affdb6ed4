/* Rings as the kernel writes them, and as nobody should. */
#include "sources/trace/perf_record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { N_RING = 4096 };

struct ring {
        _Alignas(8) unsigned char data[N_RING];
        uint64_t tail, head;
};

static void put(struct ring *ring, const void *bytes, size_t n) {
        for (size_t i = 0; i < n; i++)
                ring->data[ring->head++ % N_RING] = ((const unsigned char *)bytes)[i];
}

static void put_header(struct ring *ring, uint32_t type, size_t size) {
        const struct perf_event_header header = { .type = type, .size = (uint16_t)size };

        put(ring, &header, sizeof(header));
}

static void put_sample(struct ring *ring, uint32_t pid, uint64_t at_ns, const char *raw, uint32_t n_raw) {
        const uint32_t ids[] = { pid, pid + 1 };

        put_header(ring, PERF_RECORD_SAMPLE, 28 + n_raw);
        put(ring, ids, 8);
        put(ring, &at_ns, 8);
        put(ring, &n_raw, 4);
        put(ring, raw, n_raw);
}

static int next(struct ring *ring, struct perf_record *ret) {
        return perf_record_next(ret, ring->data, N_RING, &ring->tail, ring->head);
}

static void samples_come_in_their_order_and_over_the_rings_end(void **state) {
        struct ring ring = { .tail = N_RING - 40, .head = N_RING - 40 };
        struct perf_record record;

        for (uint32_t i = 1; i <= 3; i++)
                put_sample(&ring, 100 * i, i, "twelve bytes", 12);
        for (uint32_t i = 1; i <= 3; i++) {
                assert_int_equal(next(&ring, &record), 0);
                assert_int_equal(record.pid, 100 * i);
                assert_int_equal(record.tid, 100 * i + 1);
                assert_int_equal(record.at_ns, i);
                assert_int_equal(record.n_raw, 12);
                assert_memory_equal(record.raw, "twelve bytes", 12);
                assert_int_equal(record.n_lost, 0);
        }
        assert_int_equal(next(&ring, &record), PERF_RING_EMPTY);
}

static void what_was_lost_is_counted(void **state) {
        const uint64_t lost[] = { 7, 42 };
        struct ring ring = { 0 };
        struct perf_record record;

        put_header(&ring, PERF_RECORD_LOST, 24);
        put(&ring, lost, sizeof(lost));
        assert_int_equal(next(&ring, &record), 0);
        assert_int_equal(record.n_lost, 42);
        /* Cut in itself: nothing is made of it. */
        put_header(&ring, PERF_RECORD_LOST, 16);
        put(&ring, lost, 8);
        assert_int_equal(next(&ring, &record), PERF_RING_OTHER);
        assert_int_equal(next(&ring, &record), PERF_RING_EMPTY);
}

static void what_nobody_asked_for_is_stepped_over(void **state) {
        static const char longer[2 * PERF_RAW_MAX];
        struct ring ring = { 0 };
        struct perf_record record;

        put_header(&ring, PERF_RECORD_THROTTLE, 32);
        put(&ring, longer, 24);
        put_sample(&ring, 5, 6, longer, sizeof(longer));
        put_sample(&ring, 7, 8, "", 0);
        assert_int_equal(next(&ring, &record), PERF_RING_OTHER);
        assert_int_equal(next(&ring, &record), PERF_RING_OTHER);
        assert_int_equal(next(&ring, &record), 0);
        assert_int_equal(record.pid, 7);
}

static void a_sample_that_claims_more_than_it_has_is_refused(void **state) {
        const uint32_t claims[] = { 13, 4096, UINT32_MAX };
        struct perf_record record;

        for (size_t i = 0; i < 3; i++) {
                struct ring ring = { 0 };

                put_sample(&ring, 5, 6, "twelve bytes", 12);
                memcpy(ring.data + 24, &claims[i], 4);
                assert_int_equal(next(&ring, &record), PERF_RING_OTHER);
                assert_int_equal(record.n_raw, 0);
        }
        for (size_t size = 8; size < 28; size++) {
                struct ring ring = { 0 };

                put_header(&ring, PERF_RECORD_SAMPLE, size);
                put(&ring, "12345678901234567890", size - 8);
                assert_int_equal(next(&ring, &record), PERF_RING_OTHER);
        }
}

static void a_torn_ring_ends_there(void **state) {
        struct perf_record record;

        for (size_t size = 0; size < 8; size++) {
                struct ring ring = { 0 };

                put_header(&ring, PERF_RECORD_SAMPLE, size);
                put_sample(&ring, 5, 6, "", 0);
                assert_int_equal(next(&ring, &record), -EBADMSG);
                assert_int_equal(next(&ring, &record), PERF_RING_EMPTY);
        }
        /* Cut at every length. */
        for (size_t n = 1; n < 40; n++) {
                struct ring ring = { 0 };

                put_sample(&ring, 5, 6, "twelve bytes", 12);
                ring.head = n;
                assert_int_equal(next(&ring, &record), -EBADMSG);
                assert_int_equal(ring.tail, n);
        }
        /* More than a ring has room for. */
        struct ring ring = { .head = N_RING + 8 };

        assert_int_equal(next(&ring, &record), -EBADMSG);
        ring = (struct ring){ .tail = 8 };
        assert_int_equal(next(&ring, &record), -EBADMSG);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(samples_come_in_their_order_and_over_the_rings_end),
                cmocka_unit_test(what_was_lost_is_counted),
                cmocka_unit_test(what_nobody_asked_for_is_stepped_over),
                cmocka_unit_test(a_sample_that_claims_more_than_it_has_is_refused),
                cmocka_unit_test(a_torn_ring_ends_there),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("perf_record", tests, NULL, NULL);
}
