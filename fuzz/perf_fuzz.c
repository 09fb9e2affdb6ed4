/*
 * Fuzz: any text as a tracepoint's format, and any bytes behind its first NUL as a ring of perf's.
 *
 * The laws: what is taken for a format lies within a record; a ring is read to its end in as many steps as it has headers, and never beyond; no number is read
 * from beyond a record.
 */
#include "sources/trace/perf_record.h"
#include "sources/trace/tracepoint.h"

#include <errno.h>
#include <string.h>

#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_fields(const struct tracepoint_format *format, const struct perf_record *record) {
        for (size_t i = 0; i < TRACEPOINT_FIELDS; i++) {
                const struct tracepoint_field *field = &format->fields[i];
                int64_t number;

                law(tracepoint_field_read(field, record->raw, record->n_raw, &number) ==
                    (field->size && (uint64_t)field->offset + field->size <= record->n_raw));
        }
}

static void read_ring(const struct tracepoint_format *format, const uint8_t *data, size_t n, uint64_t from) {
        enum { N_RING = 2048 };
        _Alignas(8) unsigned char ring[N_RING] = { 0 };
        uint64_t tail = from, head = from + n;
        struct perf_record record;
        int r;

        for (size_t i = 0; i < n; i++)
                ring[(from + i) % N_RING] = data[i];
        for (;;) {
                uint64_t before = tail;

                r = perf_record_next(&record, ring, N_RING, &tail, head);
                if (r == PERF_RING_EMPTY)
                        break;
                law(!r || r == PERF_RING_OTHER || r == -EBADMSG);
                law(tail <= head && tail >= before + (r == -EBADMSG ? 1 : 8));
                if (r)
                        continue;
                law(record.n_raw <= sizeof(record.raw));
                read_fields(format, &record);
        }
        law(tail == head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const names[TRACEPOINT_FIELDS] = { "sig", "code", "pid", "result" };
        const uint8_t *end = memchr(data, '\0', size);
        size_t n_text = end ? (size_t)(end - data) : size, n_ring = end ? size - n_text - 1 : 0;
        struct tracepoint_format format = { 0 };

        if (!tracepoint_format_parse(&format, names, (const char *)data, n_text)) {
                law(format.type.size && format.fields[3].size);
                for (size_t i = 0; i < TRACEPOINT_FIELDS; i++)
                        law(format.fields[i].offset <= 65536 && format.fields[i].size <= 8);
        }
        if (n_ring > 2048)
                n_ring = 2048;
        /* As it lies there, and over the ring's end. */
        read_ring(&format, data + n_text + 1, n_ring, 0);
        read_ring(&format, data + n_text + 1, n_ring, 2048 - 20);
        return 0;
}
