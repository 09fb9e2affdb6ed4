/*
 * Privileges: what of root's rights whoever looks after VMs keeps once it has started.
 *
 * Knows what is needed later on, and what was needed at the start alone.  Does not change its user.
 */
#pragma once

#include <stdbool.h>

/*
 * Give up, in this thread, what a start alone needs: the right to load programs into the kernel (CAP_BPF, CAP_PERFMON), a large buffer
 * for its announcements (CAP_NET_ADMIN), and everything that is of no use here.  To be called when all sources are open; threads that are there
 * already give up their own.  Who has no rights keeps none.  `is_by_perf`: CAP_PERFMON goes on to be needed.  0 or -errno.
 */
int privileges_drop(bool is_by_perf);
