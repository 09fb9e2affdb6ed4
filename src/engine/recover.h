/*
 * Recover: VMs that ended while nobody looked get their ending.
 *
 * A vmpower that was killed leaves instances without an end, and maybe evidence that was never judged.  Knows how to judge what is
 * there, with the gap as evidence.  Does not touch a VM that still runs or is still looked after.
 */
#pragma once

#include "store/store.h"

/* Is it of this boot of the host? */
bool instance_is_of_this_boot(const char *instance);

/* Has it not ended, though it is gone and so is whoever looked after it?  Whether a domain is there the daemon's helper alone knows, but for this boot. */
bool vm_is_lost(const struct store_vm *vm);

/*
 * Is it lost, and was it vmpowerd that looked after it?  The daemon that comes next may know how it ended, by what a service manager keeps for it and what
 * the kernel has seen meanwhile: nobody else concludes that.
 */
bool vm_waits_for_daemon(const struct store_vm *vm);

/* Is there a VM of which recover_lost_vms() has something to do? */
bool has_lost_vms(struct store *store);

/* Is it gone, and whoever looks after it has not written that down yet? */
bool vm_is_being_ended(const struct store_vm *vm);

/* Is its process there?  Or is it a domain, and not known to be gone? */
bool vm_is_alive(const struct store_vm *vm);

/*
 * Give every instance that has not ended, whose process is gone and whose watcher is gone too, its verdict and its end
 * (waits for the disk), but for those that wait for the daemon.  0, or negative with the reason in ret_why.
 */
int recover_lost_vms(struct store *store, char ret_why[static STORE_WHY_MAX]);

/* The same for one that is lost, whoever it waits for. */
int recover_lost_vm(struct store *store, const struct store_vm *vm, char ret_why[static STORE_WHY_MAX]);

/* Wait, but not for ever, while others write endings down: a reader of history wants to see them. */
void wait_for_endings(struct store *store);
