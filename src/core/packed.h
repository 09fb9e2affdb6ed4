/*
 * Packed: facts at rest.
 *
 * A fact has room for the longest words; most have short ones, and ten thousand idle VMs keep a few facts each.  Knows how to keep
 * facts in no more bytes than they say.  Does not know what they mean.
 */
#pragma once

#include "core/evidence.h"

struct packed;

/* A copy of these facts, actors included.  0 or -ENOMEM. */
int packed_make(struct packed **ret_packed, const struct evidence *items, size_t n_items);

/* The same facts again, as an array that is yours, each to be given back with evidence_deinit().  0 or -ENOMEM. */
int packed_open(const struct packed *packed, struct evidence **ret_items, size_t *ret_n_items);

/* Accepts NULL. */
struct packed *packed_free(struct packed *packed);
