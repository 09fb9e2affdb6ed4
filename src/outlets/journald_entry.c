#include "outlets/journald_entry.h"

#include "outlets/verdict_fields.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct entry {
        char *bytes; /* JOURNALD_ENTRY_MAX of them */
        size_t n;
        bool is_full;
};

static void put(struct entry *entry, const void *bytes, size_t n) {
        if (n > JOURNALD_ENTRY_MAX - entry->n) {
                entry->is_full = true;
                return;
        }
        memcpy(entry->bytes + entry->n, bytes, n);
        entry->n += n;
}

/* NAME=value, a line; a value of several lines is NAME, its length as 64 bits with the lowest first, its bytes. */
static void put_field(const char *name, const char *value, void *userdata) {
        struct entry *entry = userdata;
        size_t n = strlen(value);

        put(entry, name, strlen(name));
        if (memchr(value, '\n', n)) {
                unsigned char length[8];

                for (size_t i = 0; i < sizeof(length); i++)
                        length[i] = (unsigned char)((uint64_t)n >> (8 * i));
                put(entry, "\n", 1);
                put(entry, length, sizeof(length));
        } else {
                put(entry, "=", 1);
        }
        put(entry, value, n);
        put(entry, "\n", 1);
}

int journald_priority(const struct verdict *verdict) {
        static const int by_transition[_TRANSITION_N] = {
                [TRANSITION_START] = 5,   [TRANSITION_POWEROFF] = 5, [TRANSITION_REBOOT] = 5,  [TRANSITION_HALT] = 4,
                [TRANSITION_CRASH] = 3,   [TRANSITION_SUSPEND] = 5,  [TRANSITION_WAKE] = 5,    [TRANSITION_HIBERNATE] = 5,
                [TRANSITION_PAUSE] = 5,   [TRANSITION_RESUME] = 5,   [TRANSITION_DESTROY] = 4, [TRANSITION_MIGRATE] = 5,
                [TRANSITION_FAILURE] = 3, [TRANSITION_UNKNOWN] = 4,
        };

        switch ((int)verdict->mechanism) {
        case MECHANISM_OOM_KILL:
        case MECHANISM_IO_ERROR:
        case MECHANISM_WATCHDOG:
                return 3;
        }
        return by_transition[verdict->transition];
}

int journald_entry_make(const struct verdict_record *record, char ret_entry[static JOURNALD_ENTRY_MAX], size_t *ret_n) {
        struct entry entry = { .bytes = ret_entry };
        char priority[4];

        snprintf(priority, sizeof(priority), "%d", journald_priority(&record->verdict));
        put_field("MESSAGE", record->summary, &entry);
        put_field("MESSAGE_ID", *record->revises ? JOURNALD_MESSAGE_REVISION : JOURNALD_MESSAGE_VERDICT, &entry);
        put_field("PRIORITY", priority, &entry);
        put_field("SYSLOG_IDENTIFIER", "vmpowerd", &entry);
        verdict_fields_each(record, put_field, &entry);
        *ret_n = entry.n;
        return entry.is_full ? -EMSGSIZE : 0;
}
