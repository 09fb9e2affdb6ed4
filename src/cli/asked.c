#include "cli/asked.h"

#include "basics/cleanup.h"
#include "json/verdict_json.h"

#include <errno.h>
#include <string.h>

void asked_deinit(struct asked *asked) {
        asked->store = store_close(asked->store);
        asked->vmpower = vmpower_free(asked->vmpower);
}

static int no_such_vm(const char *name) {
        complain("there is no VM %.200s; vmpower history lists those that have stopped", name);
        return STATUS_NO_SUCH_VM;
}

static bool store_knows(struct store *store, const char *name) {
        struct store_vm vm = { 0 };
        int r;

        if (!name)
                return true;
        r = store_find_vm(store, name, &vm);
        store_vm_deinit(&vm);
        return !r;
}

static bool daemon_knows(struct vmpower *vmpower, const char *name) {
        struct vmpower_vm *vm = NULL;
        int r;

        if (!name)
                return true;
        r = vmpower_find_vm(vmpower, name, &vm);
        vmpower_vm_free(vm);
        return r != -ENOENT;
}

int asked_init(struct asked *asked, enum vmpower_daemon which, const char *name) {
        cleanup(vmpower_freep) struct vmpower *vmpower = NULL;
        cleanup(store_closep) struct store *store = NULL;
        char why[STORE_WHY_MAX] = "";
        int r;

        *asked = (struct asked){};
        if (which != VMPOWER_ANY_DAEMON) {
                r = find_daemon(&vmpower, which);
                if (!r && !daemon_knows(vmpower, name))
                        r = no_such_vm(name);
                if (!r)
                        asked->vmpower = take_pointer(vmpower);
                return r;
        }
        r = try_history(&store, why);
        if (!r && store)
                end_lost_vms(store);
        if (!r && store && store_knows(store, name)) {
                asked->store = take_pointer(store);
                return STATUS_OK;
        }
        if (!vmpower_new(&vmpower, VMPOWER_ANY_DAEMON)) {
                if (daemon_knows(vmpower, name)) {
                        asked->vmpower = take_pointer(vmpower);
                        return STATUS_OK;
                }
                /* What he may not read himself the daemon has read for him. */
                if (r == -EACCES || r == -EPERM)
                        r = 0;
        }
        if (r) {
                complain("%s", why);
                return STATUS_FAILED;
        }
        return name ? no_such_vm(name) : STATUS_OK;
}

int record_from_verdict(const struct vmpower_verdict *verdict, struct verdict_record *ret_record) {
        cleanup(json_decrefp) json_t *json = json_loads(vmpower_verdict_json(verdict), 0, NULL);
        int r = verdict_record_from_json(json, ret_record);

        return r == -EINVAL ? -EPROTO : r;
}
