/*
 * Prune: which evidence goes.
 *
 * Knows the order in which it goes, what must stay, and how much there is.  Does not know when it is time.
 */
#pragma once

#include "store/transaction.h"

/*
 * What a fact takes on disk, about: its text, and its words in the table and in an index; the rest are numbers, its place in a verdict's
 * evidence, and what a page has to spare.  bench/history_bench shows both: 182 bytes by this, 164 where every page is full.
 */
#define PRUNE_BYTES "(length(evidence.data) + 2 * (length(evidence.source) + length(evidence.kind)) + 130)"

#define PRUNE_READ_RETENTION                                                                       \
        "SELECT measured_up_to, n_evidence, n_bytes, n_pruned, pruned_ns FROM retention WHERE id = 1"

/* The oldest first: id, when it happened, its bytes, whether its VM has ended. */
#define PRUNE_LOOK                                                                                 \
        "SELECT evidence.id, evidence.time_ns, " PRUNE_BYTES ", vm.ended_ns IS NOT NULL FROM evidence" \
        " CROSS JOIN vm ON vm.id = evidence.vm WHERE evidence.id > ? ORDER BY evidence.id"

/* One step, within the transaction. */
int prune_step(struct transaction *transaction, struct store_pruning *pruning, char ret_why[static STORE_WHY_MAX]);
