/*
 * Left records: the kernel's, in their order, that wait for somebody who wants to know.
 *
 * Of whomever, where nobody read them for a while; or of one process, of which no more is kept than what may end it.  Does not know what is made of them.
 */
#pragma once

#include "sources/trace/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct left_record {
        struct left_record *next;
        size_t n;
        _Alignas(8) char bytes[]; /* begins with its head; it was checked */
};

struct left_records {
        struct left_record *first, *last; /* owned */
        size_t n;
};

/* Without a bound: no more are left than the ring holds.  One for which there is no memory is lost. */
void left_records_add(struct left_records *records, const void *record, size_t n);

/* Of a process that somebody else watches: its stops and what its guest does are told by him.  The last few are kept. */
void left_records_hold(struct left_records *records, const void *record, size_t n);

void left_records_forget(struct left_records *records);

const struct trace_head *left_record_head(const struct left_record *record);

/* The end of that process (start_time: as trace_head_is_about(); pid 0: of the one whose records they are); NULL: it is not among them. */
const struct trace_head *left_records_find_end(const struct left_records *records, pid_t pid, uint64_t start_time);

/* Is a signal among them by which it stands still? */
bool left_records_have_stop(const struct left_records *records, pid_t pid, uint64_t start_time);
