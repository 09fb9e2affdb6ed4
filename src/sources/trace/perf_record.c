#include "sources/trace/perf_record.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* It may go on at the ring's beginning. */
static void copy_out(void *ret, const void *data, size_t n_data, uint64_t from, size_t n) {
        size_t at = (size_t)(from & (n_data - 1)), n_first = n < n_data - at ? n : n_data - at;

        memcpy(ret, (const char *)data + at, n_first);
        memcpy((char *)ret + n_first, data, n - n_first);
}

/* include/uapi/linux/perf_event.h: u32 pid, tid; u64 time; u32 size; char data[size]. */
static bool decode_sample(struct perf_record *ret_record, const unsigned char *body, size_t n) {
        enum { FIXED = 20 };
        uint32_t n_raw;

        if (n < FIXED)
                return false;
        memcpy(&ret_record->pid, body, 4);
        memcpy(&ret_record->tid, body + 4, 4);
        memcpy(&ret_record->at_ns, body + 8, 8);
        memcpy(&n_raw, body + 16, 4);
        if (n_raw > n - FIXED || n_raw > sizeof(ret_record->raw))
                return false;
        ret_record->n_raw = n_raw;
        memcpy(ret_record->raw, body + FIXED, n_raw);
        return true;
}

/* u64 id, lost. */
static bool decode_lost(struct perf_record *ret_record, const unsigned char *body, size_t n) {
        if (n < 16)
                return false;
        memcpy(&ret_record->n_lost, body + 8, 8);
        return true;
}

int perf_record_next(struct perf_record *ret_record, const void *data, size_t n_data, uint64_t *tail, uint64_t head) {
        unsigned char body[PERF_RAW_MAX];
        struct perf_event_header header;
        uint64_t n_left = head - *tail;
        bool is_whole;
        size_t n;

        if (!n_left)
                return PERF_RING_EMPTY;
        if (n_left > n_data || n_left < sizeof(header))
                goto torn;
        copy_out(&header, data, n_data, *tail, sizeof(header));
        if (header.size < sizeof(header) || header.size > n_left)
                goto torn;
        n = header.size - sizeof(header);
        if ((header.type != PERF_RECORD_SAMPLE && header.type != PERF_RECORD_LOST) || n > sizeof(body)) {
                *tail += header.size;
                return PERF_RING_OTHER;
        }
        copy_out(body, data, n_data, *tail + sizeof(header), n);
        *tail += header.size;
        ret_record->n_lost = 0;
        ret_record->n_raw = 0;
        is_whole = header.type == PERF_RECORD_LOST ? decode_lost(ret_record, body, n) : decode_sample(ret_record, body, n);
        return is_whole ? 0 : PERF_RING_OTHER;
torn:
        *tail = head;
        return -EBADMSG;
}
