#include "keeper/keeper_inside.h"
#include "basics/cleanup.h"
#include "sources/qemu/qemu_order.h"
#include "sources/qemu/shared_monitor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* So long what QEMU has answered may take to come about. */
#define COMES_WITHIN_USEC 500000
/* So long a QEMU may take to end, and that to be on record, whose monitor has ended before it answered. */
#define ENDS_WITHIN_USEC UINT64_C(10000000)

/* A request of somebody's on its way to the monitor. */
struct asking {
        struct keeper *keeper;
        struct asking *next;
        struct qemu_order *order; /* NULL: answered */
        struct keeper_request request;
        char instance[VM_INSTANCE_MAX];
        bool ends_vm;
        const char *state;       /* that it leads to, and that is waited for; NULL: none */
        sd_event_source *patience; /* it is waited for, or the VM's end */
        bool is_ending;            /* the end */
};

/* What can be asked of a VM, and QMP's word for it (QEMU, qapi/misc.json, qapi/run-state.json, qapi/machine.json); or what to do instead. */
static const struct {
        const char *action, *command, *instead;
        bool ends_vm; /* the VM may be gone before it answers, by this or by another's before it, and that is no failure */
        const char *state; /* QEMU answers before the VM is in it; NULL: its events say so first, or it is up to the guest */
} actions[] = {
        { "shutdown", "system_powerdown", NULL, true, NULL },
        { "power-button", "system_powerdown", NULL, true, NULL },
        { "reboot", NULL,
          "no request of a QEMU's makes its guest reboot: vmpower reset resets it at once, vmpower shutdown presses its power button", false, NULL },
        { "suspend", NULL,
          "no request of a QEMU's suspends its guest, which can do so itself (systemctl suspend): vmpower pause stops its CPUs", false, NULL },
        { "reset", "system_reset", NULL, false, NULL },
        { "destroy", "quit", NULL, true, NULL },
        { "pause", "stop", NULL, false, NULL },
        { "resume", "cont", NULL, false, NULL },
        { "wake", "system_wakeup", NULL, false, "running" },
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
        sd_event_source_disable_unref(asking->patience);
        free(asking);
        return NULL;
}

static void answer(struct asking *asking, const struct kept *kept, int result, const char *why) {
        struct kept_vm vm;

        if (kept)
                keeper_present(kept, &vm);
        asking->request.done(asking->request.userdata, result, kept ? &vm : NULL, why);
        asking_free(asking);
}

static int on_patience(sd_event_source *timer, uint64_t usec, void *userdata) {
        struct asking *asking = userdata;
        const struct kept *kept = vm_list_find_instance(&asking->keeper->vms, asking->instance);

        if (asking->is_ending && kept)
                answer(asking, kept, -ECONNRESET, "its monitor ended before it answered, and its process has not ended");
        else
                answer(asking, kept, 0, NULL);
        return 0;
}

static bool wait_for(struct asking *asking, uint64_t usec) {
        return sd_event_add_time_relative(asking->keeper->event, &asking->patience, CLOCK_MONOTONIC, usec, 0, on_patience, asking) >= 0;
}

static void on_answered(void *userdata, int result, const char *why) {
        struct asking *asking = userdata;
        const struct kept *kept = vm_list_find_instance(&asking->keeper->vms, asking->instance);

        asking->order = NULL; /* it is gone */
        /* Was it given back, that was answered already: QEMU has closed it. */
        asking->is_ending = result == -ECONNRESET && asking->ends_vm;
        if (asking->is_ending && !kept)
                result = 0;
        else if (asking->is_ending && wait_for(asking, ENDS_WITHIN_USEC))
                return;
        if (!result && kept && asking->state && strcmp(kept->state, asking->state) && wait_for(asking, COMES_WITHIN_USEC))
                return;
        answer(asking, kept, result, why);
}

static bool is_of(const struct asking *asking, const struct kept *kept) {
        return !strcmp(asking->instance, kept_instance(kept)->identity.instance);
}

void keeper_answer_asked(struct keeper *keeper, const struct kept *kept) {
        for (struct asking *asking = keeper->askings, *next; asking; asking = next) {
                next = asking->next;
                if (asking->patience && !asking->is_ending && is_of(asking, kept) && !strcmp(asking->state, kept->state))
                        answer(asking, kept, 0, NULL);
        }
}

void keeper_answer_gone(struct keeper *keeper, const struct kept *kept) {
        for (struct asking *asking = keeper->askings, *next; asking; asking = next) {
                next = asking->next;
                if (asking->patience && is_of(asking, kept))
                        answer(asking, NULL, 0, NULL);
        }
}

void keeper_refuse_asked(struct keeper *keeper, const struct kept *kept) {
        for (struct asking *asking = keeper->askings, *next; asking; asking = next) {
                next = asking->next;
                if (asking->order && is_of(asking, kept))
                        answer(asking, kept, -ECONNRESET, "its monitor was given back before it answered, and QEMU may still do it");
        }
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
        bool is_ending;
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
                snprintf(ret_why, STORE_WHY_MAX,
                         "pid %d looks after %.200s and holds its monitor: use another one of that VM's (-monitor, -qmp), or end pid %d, "
                         "which leaves the VM to vmpowerd",
                         (int)keeper_wire_teller(kept), kept_name(kept), (int)keeper_wire_teller(kept));
                return -ENOTCONN;
        }
        is_ending = !kept->shared && actions[i].ends_vm && kept->monitor_ended_ns && source_now_ns() - kept->monitor_ended_ns < ENDS_WITHIN_USEC * 1000;
        if (!kept->shared && !is_ending) {
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
        asking->state = actions[i].state;
        memcpy(asking->instance, kept_instance(kept)->identity.instance, sizeof(asking->instance));
        /* It ends just now, by itself or by another's request: there is nothing left to ask, but to wait for that. */
        asking->is_ending = is_ending;
        if (is_ending)
                r = wait_for(asking, ENDS_WITHIN_USEC) ? 0 : -ENOMEM;
        else
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
