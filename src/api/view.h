/*
 * View: what one peer is shown of a VM, a verdict, a fact.
 *
 * Knows whose command line is whose.  Does not know whether he may see the VM at all (peer.h does).
 */
#pragma once

#include "api/peer.h"
#include "keeper/keeper.h"

#include <jansson.h>

/* 0 or -ENOMEM. */
int view_verdict(const struct verdict_record *record, const struct peer *peer, json_t **ret_json);
/* Without "proof": that is a verdict's word on a fact. */
int view_evidence(const struct evidence *evidence, const struct peer *peer, json_t **ret_json);
/* The form of `vmpower list --json`; `is_whole`: and the rest that is known. */
int view_vm(const struct kept_vm *vm, const struct peer *peer, bool is_whole, json_t **ret_json);
