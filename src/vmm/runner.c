#include "vmm/runner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SCI = 9 };

/* What it costs the thread to be looked at: as much as that a guest has not run since. */
#define LOOK_COST_NS UINT64_C(500000)

static uint64_t clock_ns(clockid_t clock) {
        struct timespec now;

        return clock_gettime(clock, &now) ? 0 : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t runner_now_ns(void) {
        return clock_ns(CLOCK_MONOTONIC);
}

void runner_lock(struct runner *runner) {
        pthread_mutex_lock(&runner->lock);
}

void runner_unlock(struct runner *runner) {
        pthread_mutex_unlock(&runner->lock);
}

/* --- the CPU's thread -------------------------------------------------------------------------------------------- */

static void update_interrupt(struct runner *runner) {
        const bool interrupt = acpi_pm_interrupt(&runner->vm->board.pm, runner_now_ns());

        if (interrupt != runner->interrupt)
                kvm_machine_set_interrupt(runner->machine, SCI, interrupt);
        runner->interrupt = interrupt;
}

/* Where the CPU was goes with the request. */
static void take_request(struct runner *runner, struct board_request *request) {
        struct kvm_cpu_state cpu;

        if (!request->kind)
                return;
        if (kvm_machine_read_cpu(runner->machine, &cpu)) {
                request->has_cpu = true;
                request->rip = cpu.rip;
                request->is_deliberate = cpu.has_empty_idt;
        }
        vm_take_request(runner->vm, request, runner_now_ns());
        runner->changed(runner->userdata);
}

static uint32_t number_of(const uint8_t *bytes, unsigned width) {
        uint32_t value = 0;

        memcpy(&value, bytes, width); /* a PC's numbers are this host's */
        return value;
}

static void answer_port(struct runner *runner, const struct kvm_access *access) {
        for (size_t i = 0; i < access->n; i++) {
                uint8_t *data = access->data + i * access->width;
                struct board_request request;
                uint32_t value;
                int console;

                if (!access->is_write) {
                        value = pc_in(runner->pc, (uint16_t)access->address, access->width, runner_now_ns());
                        memcpy(data, &value, access->width);
                        continue;
                }
                request = pc_out(runner->pc, (uint16_t)access->address, access->width, number_of(data, access->width), runner_now_ns(), &console);
                if (console >= 0)
                        runner->console(runner->userdata, (char)console);
                take_request(runner, &request);
        }
}

/* There is nothing beyond memory: ones. */
static void answer(struct runner *runner, const struct kvm_access *access) {
        if (access->is_memory && !access->is_write)
                memset(access->data, 0xff, access->width);
        if (!access->is_memory && (access->width == 1 || access->width == 2 || access->width == 4))
                answer_port(runner, access);
        update_interrupt(runner);
}

static void look_at_cpu(struct runner *runner) {
        struct kvm_cpu_state cpu;

        if (!runner->wants_look)
                return;
        runner->wants_look = false;
        if (!kvm_machine_read_cpu(runner->machine, &cpu))
                return;
        if (!cpu.is_halted || cpu.has_interrupts) {
                runner->halt_is_told = false;
        } else if (!runner->halt_is_told) {
                runner->halt_is_told = true;
                vm_take_halt(runner->vm, 1);
                runner->changed(runner->userdata);
        }
        runner->cpu_looked_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void take_error(struct runner *runner) {
        char words[KVM_MACHINE_WHY_MAX];

        kvm_machine_describe(runner->machine, words);
        vm_take_error(runner->vm, words);
        runner->changed(runner->userdata);
}

static void take_stop(struct runner *runner, enum kvm_stop stop, const struct kvm_access *access) {
        struct board_request request = { .kind = BOARD_RESET, .mechanism = "triple-fault" };

        switch (stop) {
        case KVM_STOP_ACCESS:
                answer(runner, access);
                break;
        case KVM_STOP_SHUTDOWN:
                take_request(runner, &request);
                break;
        case KVM_STOP_INTERRUPTED:
                look_at_cpu(runner);
                break;
        case KVM_STOP_SYSTEM_EVENT:
        case KVM_STOP_ERROR:
                take_error(runner);
                break;
        }
}

/* Under the lock.  False: it is over. */
static bool wait_to_run(struct runner *runner) {
        while (!runner->vm->is_over && runner->vm->state != RUN_STATE_RUNNING)
                pthread_cond_wait(&runner->may_run, &runner->lock);
        if (runner->vm->is_over)
                return false;
        if (runner->n_starts != runner->vm->n_starts) {
                runner->n_starts = runner->vm->n_starts;
                pc_reset(runner->pc);
                if (kvm_machine_reset(runner->machine)) {
                        vm_take_error(runner->vm, "KVM does not reset the CPU");
                        runner->changed(runner->userdata);
                        return false;
                }
                runner->interrupt = runner->halt_is_told = false;
                update_interrupt(runner);
        }
        return true;
}

static void *run(void *userdata) {
        struct runner *runner = userdata;
        sigset_t kick;

        /* What the CPU is interrupted by; all else is the main thread's. */
        sigemptyset(&kick);
        sigaddset(&kick, SIGUSR1);
        pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
        runner_lock(runner);
        while (wait_to_run(runner)) {
                struct kvm_access access = { 0 };
                enum kvm_stop stop;

                runner_unlock(runner);
                stop = kvm_machine_run(runner->machine, &access);
                runner_lock(runner);
                take_stop(runner, stop, &access);
        }
        runner_unlock(runner);
        return NULL;
}

/* --- from outside ------------------------------------------------------------------------------------------------ */

static void on_kick(int signal) {
}

int runner_start(struct runner *runner) {
        const struct sigaction action = { .sa_handler = on_kick };
        int r;

        pthread_mutex_init(&runner->lock, NULL);
        pthread_cond_init(&runner->may_run, NULL);
        sigaction(SIGUSR1, &action, NULL);
        runner->n_starts = runner->vm->n_starts;
        pc_reset(runner->pc);
        r = pthread_create(&runner->thread, NULL, run, runner);
        if (r)
                return -r;
        pthread_setname_np(runner->thread, "cpu-0");
        return 0;
}

void runner_take_change(struct runner *runner) {
        update_interrupt(runner);
        if (runner->vm->is_over || runner->vm->state != RUN_STATE_RUNNING || runner->n_starts != runner->vm->n_starts)
                kvm_machine_kick(runner->machine);
        pthread_cond_broadcast(&runner->may_run);
}

void runner_stop(struct runner *runner) {
        pthread_join(runner->thread, NULL);
        pthread_cond_destroy(&runner->may_run);
        pthread_mutex_destroy(&runner->lock);
}

void runner_look(struct runner *runner) {
        clockid_t clock;
        uint64_t cpu_ns, before_ns = runner->cpu_ns;

        if (runner->vm->state != RUN_STATE_RUNNING || pthread_getcpuclockid(runner->thread, &clock))
                return;
        cpu_ns = runner->cpu_ns = clock_ns(clock);
        /* It stood still since the last time; and it is not what has been looked at already. */
        if (cpu_ns != before_ns || (runner->cpu_looked_ns && cpu_ns < runner->cpu_looked_ns + LOOK_COST_NS))
                return;
        runner->wants_look = true;
        kvm_machine_kick(runner->machine);
}
