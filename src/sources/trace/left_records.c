#include "sources/trace/left_records.h"
#include "sources/trace/decode.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { HELD_MAX = 16 };

static void drop_first(struct left_records *records) {
        struct left_record *first = records->first;

        records->first = first->next;
        records->n--;
        if (!records->first)
                records->last = NULL;
        free(first);
}

void left_records_add(struct left_records *records, const void *record, size_t n) {
        struct left_record *left = malloc(sizeof(*left) + n);

        if (!left)
                return;
        left->next = NULL;
        left->n = n;
        memcpy(left->bytes, record, n);
        if (records->last)
                records->last->next = left;
        else
                records->first = left;
        records->last = left;
        records->n++;
}

/* A signal that may end whom it is sent to. */
static bool may_end(const struct trace_head *head) {
        const struct trace_signal *signal = (const struct trace_signal *)head;

        return head->kind == TRACE_RECORD_SIGNAL && !trace_signal_stops(signal) && signal->signal != SIGCONT;
}

void left_records_hold(struct left_records *records, const void *record, size_t n) {
        const struct trace_head *head = record;

        if (head->kind != TRACE_RECORD_EXIT && head->kind != TRACE_RECORD_VICTIM && !may_end(head))
                return;
        left_records_add(records, record, n);
        if (records->n > HELD_MAX)
                drop_first(records);
}

void left_records_forget(struct left_records *records) {
        while (records->first)
                drop_first(records);
}

const struct trace_head *left_record_head(const struct left_record *record) {
        return (const struct trace_head *)record->bytes;
}

static bool is_about(const struct trace_head *head, enum trace_record_kind kind, pid_t pid, uint64_t start_time) {
        return head->kind == kind && (!pid || (head->tgid == (uint32_t)pid && trace_head_is_about(head, start_time)));
}

const struct trace_head *left_records_find_end(const struct left_records *records, pid_t pid, uint64_t start_time) {
        for (const struct left_record *left = records->first; left; left = left->next)
                if (is_about(left_record_head(left), TRACE_RECORD_EXIT, pid, start_time))
                        return left_record_head(left);
        return NULL;
}

bool left_records_have_stop(const struct left_records *records, pid_t pid, uint64_t start_time) {
        for (const struct left_record *left = records->first; left; left = left->next)
                if (is_about(left_record_head(left), TRACE_RECORD_SIGNAL, pid, start_time) &&
                    trace_signal_stops((const struct trace_signal *)left->bytes))
                        return true;
        return false;
}
