#include "vmm/vm.h"

#include "basics/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

void vm_init(struct vm *vm, enum acpi_pm_chip chip, uint64_t now_ns) {
        vm->state = RUN_STATE_RUNNING;
        vm->on_reboot = REBOOT_RESET;
        vm->on_shutdown = SHUTDOWN_POWEROFF;
        vm->on_panic = PANIC_SHUTDOWN;
        vm->on_halt = HALT_POWEROFF;
        vm->n_starts = 0;
        vm->is_wake = false;
        vm->is_over = vm->is_failed = false;
        board_init(&vm->board, chip, now_ns);
}

const char *vm_status(const struct vm *vm) {
        static const char *const words[] = {
                [RUN_STATE_RUNNING] = "running",
                [RUN_STATE_PAUSED] = "paused",
                [RUN_STATE_PRELAUNCH] = "prelaunch",
                [RUN_STATE_SUSPENDED] = "suspended",
                [RUN_STATE_SHUTDOWN] = "shutdown",
                [RUN_STATE_GUEST_PANICKED] = "guest-panicked",
        };
        static_assert(N_ELEMENTS(words) == _RUN_STATE_N, "every state has its word");

        return words[vm->state];
}

/* --- events ------------------------------------------------------------------------------------------------------ */

/* Without memory for its data it is told without: that it happened matters more. */
static void tell(struct vm *vm, const char *name, json_t *data) {
        vm->event(vm->userdata, name, data);
        json_decref(data);
}

/* What QEMU cannot say.  NULL: nothing. */
static json_t *mechanism_of(const struct board_request *request) {
        json_t *mechanism = request && request->mechanism ? json_pack("{s:s}", "name", request->mechanism) : NULL;

        if (mechanism && request->port) {
                json_object_set_new(mechanism, "port", json_integer(request->port));
                json_object_set_new(mechanism, "value", json_integer(request->value));
        } else if (mechanism && request->has_cpu) {
                json_object_set_new(mechanism, "deliberate", json_boolean(!request->idt_limit));
                json_object_set_new(mechanism, "idt-limit", json_integer(request->idt_limit));
        }
        if (mechanism && request->has_cpu) {
                json_object_set_new(mechanism, "vcpu", json_integer(request->cpu));
                json_object_set_new(mechanism, "rip", json_integer((json_int_t)request->rip));
        }
        return mechanism;
}

/* What QEMU's schema has, and the mechanism beside it. */
static json_t *data_of(bool is_guest, const char *reason, const struct board_request *request) {
        json_t *data = json_pack("{s:b, s:s}", "guest", is_guest, "reason", reason), *mechanism = data ? mechanism_of(request) : NULL;

        if (mechanism)
                json_object_set_new(data, "mechanism", mechanism);
        return data;
}

/* Of an event that has no data in QEMU's schema. */
static json_t *only_mechanism(const struct board_request *request) {
        json_t *mechanism = mechanism_of(request);

        return mechanism ? json_pack("{s:o}", "mechanism", mechanism) : NULL;
}

static void change_state(struct vm *vm, enum run_state state) {
        const bool ran = vm->state == RUN_STATE_RUNNING;

        vm->state = state;
        if (ran && state != RUN_STATE_RUNNING && state != RUN_STATE_SUSPENDED)
                tell(vm, "STOP", NULL);
}

/* --- what a guest asks for --------------------------------------------------------------------------------------- */

static void shut_down(struct vm *vm, bool is_guest, const char *reason, const struct board_request *request) {
        tell(vm, "SHUTDOWN", data_of(is_guest, reason, request));
        /* Whoever ends it from the host ends it, whatever is to be done with a guest that ends. */
        if (!is_guest || vm->on_shutdown == SHUTDOWN_POWEROFF)
                vm->is_over = true;
        else
                change_state(vm, RUN_STATE_SHUTDOWN);
}

static void reset(struct vm *vm, bool is_guest, const char *reason, const struct board_request *request, uint64_t now_ns) {
        if (vm->on_reboot == REBOOT_SHUTDOWN) {
                shut_down(vm, is_guest, reason, request);
                return;
        }
        board_reset(&vm->board, now_ns);
        vm->n_starts++;
        vm->is_wake = false;
        tell(vm, "RESET", data_of(is_guest, reason, request));
        if (vm->state != RUN_STATE_RUNNING)
                vm->state = RUN_STATE_PRELAUNCH;
}

static void panic(struct vm *vm, const struct board_request *request) {
        const bool pauses = vm->on_panic == PANIC_PAUSE || (vm->on_panic == PANIC_SHUTDOWN && vm->on_shutdown == SHUTDOWN_PAUSE);
        const char *action = pauses ? "pause" : vm->on_panic == PANIC_SHUTDOWN ? "poweroff" : "run";

        tell(vm, "GUEST_PANICKED", json_pack("{s:s}", "action", action));
        if (pauses)
                change_state(vm, RUN_STATE_GUEST_PANICKED);
        else if (vm->on_panic == PANIC_SHUTDOWN)
                shut_down(vm, true, "guest-panic", request);
}

void vm_take_request(struct vm *vm, const struct board_request *request, uint64_t now_ns) {
        if (vm->state != RUN_STATE_RUNNING)
                return;
        switch (request->kind) {
        case BOARD_NOTHING:
                break;
        case BOARD_SUSPEND:
                change_state(vm, RUN_STATE_SUSPENDED);
                tell(vm, "SUSPEND", only_mechanism(request));
                break;
        case BOARD_HIBERNATE:
                tell(vm, "SUSPEND_DISK", only_mechanism(request));
                shut_down(vm, true, "guest-shutdown", request);
                break;
        case BOARD_POWER_OFF:
        case BOARD_GUEST_SHUTDOWN:
                shut_down(vm, true, "guest-shutdown", request);
                break;
        case BOARD_RESET:
                reset(vm, true, "guest-reset", request, now_ns);
                break;
        case BOARD_PANICKED:
                panic(vm, request);
                break;
        case BOARD_CRASH_LOADED:
                tell(vm, "GUEST_CRASHLOADED", json_pack("{s:s}", "action", "run"));
                break;
        }
}

/* Whoever else would keep it for ever: that it is at an end is the guest's doing, that it is ended is ours. */
void vm_take_halt(struct vm *vm, unsigned n_cpus) {
        tell(vm, "HALTED", json_pack("{s:i}", "vcpus", (int)n_cpus));
        if (vm->on_halt == HALT_POWEROFF)
                shut_down(vm, false, "guest-halted", NULL);
}

void vm_take_error(struct vm *vm, const char *why) {
        fprintf(stderr, "vmpower-vmm: %s\n", why);
        shut_down(vm, false, "host-error", NULL);
        vm->is_failed = true;
}

/* --- at the monitor ---------------------------------------------------------------------------------------------- */

void vm_stop(struct vm *vm) {
        /* One that sleeps does not run, and is not to run on where it fell asleep. */
        if (vm->state == RUN_STATE_RUNNING)
                change_state(vm, RUN_STATE_PAUSED);
}

int vm_continue(struct vm *vm) {
        if (vm->state == RUN_STATE_SHUTDOWN)
                return -EPERM;
        if (vm->state != RUN_STATE_RUNNING && vm->state != RUN_STATE_SUSPENDED) {
                vm->state = RUN_STATE_RUNNING;
                tell(vm, "RESUME", NULL);
        }
        return 0;
}

static void wake(struct vm *vm) {
        acpi_pm_wake(&vm->board.pm);
        vm->n_starts++;
        vm->is_wake = true;
        vm->state = RUN_STATE_RUNNING;
        tell(vm, "WAKEUP", NULL);
}

void vm_take_time(struct vm *vm, uint64_t now_ns) {
        if (vm->state == RUN_STATE_SUSPENDED && acpi_pm_wants_wake(&vm->board.pm, now_ns))
                wake(vm);
}

void vm_powerdown(struct vm *vm, uint64_t now_ns) {
        acpi_pm_press_power_button(&vm->board.pm);
        tell(vm, "POWERDOWN", NULL);
        vm_take_time(vm, now_ns);
}

void vm_reset(struct vm *vm, uint64_t now_ns) {
        reset(vm, false, "host-qmp-system-reset", NULL, now_ns);
}

void vm_wakeup(struct vm *vm) {
        if (vm->state == RUN_STATE_SUSPENDED)
                wake(vm);
}

void vm_quit(struct vm *vm) {
        shut_down(vm, false, "host-qmp-quit", NULL);
}

void vm_terminate(struct vm *vm) {
        shut_down(vm, false, "host-signal", NULL);
}

/* The place of a word among those of an action; -1: it is none. */
static int find_word(const char *const *words, int n, const char *word) {
        for (int i = 0; i < n; i++)
                if (!strcmp(words[i], word))
                        return i;
        return -1;
}

int vm_set_actions(struct vm *vm, const char *reboot, const char *shutdown, const char *panicked, const char *halt) {
        static const char *const reboots[] = { [REBOOT_RESET] = "reset", [REBOOT_SHUTDOWN] = "shutdown" };
        static const char *const shutdowns[] = { [SHUTDOWN_POWEROFF] = "poweroff", [SHUTDOWN_PAUSE] = "pause" };
        static const char *const halts[] = { [HALT_POWEROFF] = "poweroff", [HALT_NONE] = "none" };
        static const char *const panics[] = { [PANIC_SHUTDOWN] = "shutdown", [PANIC_PAUSE] = "pause", [PANIC_NONE] = "none" };
        const int on_reboot = reboot ? find_word(reboots, N_ELEMENTS(reboots), reboot) : (int)vm->on_reboot;
        const int on_shutdown = shutdown ? find_word(shutdowns, N_ELEMENTS(shutdowns), shutdown) : (int)vm->on_shutdown;
        const int on_halt = halt ? find_word(halts, N_ELEMENTS(halts), halt) : (int)vm->on_halt;
        const int on_panic = panicked ? find_word(panics, N_ELEMENTS(panics), panicked) : (int)vm->on_panic;

        if (on_reboot < 0 || on_shutdown < 0 || on_panic < 0 || on_halt < 0)
                return -EINVAL;
        vm->on_halt = (enum halt_action)on_halt;
        vm->on_reboot = (enum reboot_action)on_reboot;
        vm->on_shutdown = (enum shutdown_action)on_shutdown;
        vm->on_panic = (enum panic_action)on_panic;
        return 0;
}
