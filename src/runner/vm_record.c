#include "runner/vm_record.h"
#include "engine/recover.h"
#include "sources/proc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

int vm_record_add(struct engine *engine, struct store *store, struct store_vm *instance, const struct policy *policy,
                  struct engine_vm **ret_vm, char ret_why[static STORE_WHY_MAX]) {
        struct store_vm other = { 0 };
        int r = engine_add_vm(engine, instance, policy, true, ret_vm, &other, ret_why);

        /* A daemon that is away would know how it ended; but whoever wants the name is not to wait for that. */
        if (r == -EEXIST && vm_is_lost(&other) && !recover_lost_vm(store, &other, ret_why)) {
                store_vm_deinit(&other);
                r = engine_add_vm(engine, instance, policy, true, ret_vm, &other, ret_why);
        }
        if (r == -EEXIST) {
                if (proc_instance_is_alive(other.identity.instance))
                        snprintf(ret_why, STORE_WHY_MAX,
                                 "a VM named %.200s is running already (pid %" PRId64 "); give this one another --name",
                                 other.identity.name, other.pid);
                else
                        snprintf(ret_why, STORE_WHY_MAX, "a VM named %.200s is being started or ended by another vmpower",
                                 other.identity.name);
        }
        store_vm_deinit(&other);
        return r;
}
