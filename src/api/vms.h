/*
 * VMs: finding the one that a path names, for this peer.
 *
 * Knows that names are unique only per user, and that history knows VMs that are gone.  Does not know what is asked about it.
 */
#pragma once

#include "api/request.h"

struct found_vm {
        struct kept_vm vm;
        struct store_vm stored; /* where `vm` points, if the keeper no longer has it */
        struct verdict_record last;
};

void found_vm_deinit(struct found_vm *found);

/*
 * The VM that request->name names, as far as the peer may see it: of those that are looked after, his own first; then of history.
 * false: the answer is set (404 …).
 */
bool request_find_vm(struct request *request, struct found_vm *ret_found);
/* The same, to do something to it: where the name is as good for several, 409. */
bool request_find_one_vm(struct request *request, struct found_vm *ret_found);

/* All that this peer may see of it is the answer. */
void request_answer_vm(struct request *request, unsigned status, const struct kept_vm *vm);
