/*
 * Journald entry: a verdict as one datagram of the journal's native protocol.
 *
 * https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.  Pure: knows the bytes, not the socket.
 */
#pragma once

#include <stddef.h>

#include "core/record.h"

/* MESSAGE_ID of a verdict and of a revision; packaging/vmpower.catalog explains them to who reads the journal. */
#define JOURNALD_MESSAGE_VERDICT  "e9402aae414947928b5b0aa9d7f278ad"
#define JOURNALD_MESSAGE_REVISION "2c5d18210717491d8f5e04eced855c9b"

enum {
        /* Every text of a record is bounded; twice their sum.  A datagram holds more (net.core.wmem_default). */
        JOURNALD_ENTRY_MAX = 8192,
};

/* syslog(3)'s words: 3 for what should not happen, 4 for what may need a look, 5 for the rest. */
int journald_priority(const struct verdict *verdict);

/* The number of bytes; or -EMSGSIZE. */
int journald_entry_make(const struct verdict_record *record, char ret_entry[static JOURNALD_ENTRY_MAX], size_t *ret_n);
