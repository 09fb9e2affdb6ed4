#include "keeper/keeper_inside.h"
#include "basics/cleanup.h"
#include "sources/qemu/qemu_order.h"
#include "sources/qemu/shared_monitor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A request of somebody's on its way to the monitor. */
struct asking {
        struct keeper *keeper;
        struct asking *next;
        struct qemu_order *order; /* NULL: answered */
        struct keeper_request request;
        char instance[VM_INSTANCE_MAX];
        bool ends_vm;
};

/* What can be asked of a VM, and QMP's word for it (QEMU, qapi/misc.json, qapi/run-state.json, qapi/machine.json); or what to do instead. */
static const struct {
        const char *action, *command, *instead;
        bool ends_vm; /* the monitor may end before it answers */
} actions[] = {
        { "shutdown", "system_powerdown", NULL, false },
        { "power-button", "system_powerdown", NULL, false },
        { "reboot", NULL,
          "no request of a QEMU's makes its guest reboot: vmpower reset resets it at once, vmpower shutdown presses its power button", false },
        { "suspend", NULL,
          "no request of a QEMU's suspends its guest, which can do so itself (systemctl suspend): vmpower pause stops its CPUs", false },
        { "reset", "system_reset", NULL, false },
        { "destroy", "quit", NULL, true },
        { "pause", "stop", NULL, false },
        { "resume", "cont", NULL, false },
        { "wake", "system_wakeup", NULL, false },
};

const char *keeper_action(size_t i) {
        return i < N_ELEMENTS(actions) ? actions[i].action : NULL;
}

static struct asking *asking_free(struct asking *asking) {
        struct asking **link = &asking->keeper->askings;

        while (*link != asking)
                link = &(*link)->next;
        *link = asking->next;
        qemu_order_free(asking->order);
        free(asking);
        return NULL;
}

static void on_answered(void *userdata, int result, const char *why) {
        struct asking *asking = userdata;
        const struct kept *kept = vm_list_find_instance(&asking->keeper->vms, asking->instance);
        struct kept_vm vm;

        asking->order = NULL; /* it is gone */
        if (result == -ECONNRESET && asking->ends_vm)
                result = 0;
        if (kept)
                keeper_present(kept, &vm);
        asking->request.done(asking->request.userdata, result, kept ? &vm : NULL, why);
        asking_free(asking);
}

/* As any other client of its shared monitor, but for the name of whoever asks. */
static int say(struct asking *asking, struct kept *kept, const char *command) {
        cleanup(closep) int ours = -1, theirs = -1;
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        theirs = pair[1];
        r = shared_monitor_add_client(kept->shared, take_fd(&theirs), asking->request.asker);
        if (!r)
                r = qemu_order_new(&asking->order, asking->keeper->event, ours, command, on_answered, asking);
        if (!r)
                take_fd(&ours);
        return r;
}

int keeper_ask(struct keeper *keeper, const struct keeper_request *request, char ret_why[static STORE_WHY_MAX]) {
        struct kept *kept = vm_list_find(&keeper->vms, request->vm, -1);
        struct asking *asking;
        size_t i = 0;
        int r;

        while (i < N_ELEMENTS(actions) && strcmp(actions[i].action, request->action))
                i++;
        if (i == N_ELEMENTS(actions)) {
                snprintf(ret_why, STORE_WHY_MAX, "a VM cannot be asked for %.64s", request->action);
                return -EINVAL;
        }
        if (!kept) {
                snprintf(ret_why, STORE_WHY_MAX, "there is no VM %.200s", request->vm);
                return -ENOENT;
        }
        if (kept->helped)
                return keeper_helped_ask(kept, request, ret_why);
        if (!actions[i].command) {
                snprintf(ret_why, STORE_WHY_MAX, "%.200s: %s", kept_name(kept), actions[i].instead);
                return -EOPNOTSUPP;
        }
        if (kept->wire) {
                snprintf(ret_why, STORE_WHY_MAX, "the monitor of %.200s is not held here: pid %d looks after it", kept_name(kept),
                         (int)keeper_wire_teller(kept));
                return -ENOTCONN;
        }
        if (!kept->shared) {
                snprintf(ret_why, STORE_WHY_MAX, "no monitor of %.200s is held; vmpower attach adds it", kept_name(kept));
                return -ENOTCONN;
        }
        asking = calloc(1, sizeof(*asking));
        if (!asking) {
                snprintf(ret_why, STORE_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        asking->keeper = keeper;
        asking->next = keeper->askings;
        keeper->askings = asking;
        asking->request = *request;
        asking->ends_vm = actions[i].ends_vm;
        memcpy(asking->instance, kept_instance(kept)->identity.instance, sizeof(asking->instance));
        r = say(asking, kept, actions[i].command);
        if (r) {
                snprintf(ret_why, STORE_WHY_MAX, "the monitor of %.200s cannot be used: %s", kept_name(kept), strerror(-r));
                asking_free(asking);
        }
        return r;
}

void keeper_free_askings(struct keeper *keeper) {
        while (keeper->askings) {
                struct asking *asking = keeper->askings;

                asking->request.done(asking->request.userdata, -ESHUTDOWN, NULL, "vmpowerd ends");
                asking_free(asking);
        }
}
