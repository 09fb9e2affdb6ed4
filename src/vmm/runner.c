#include "vmm/runner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* What it costs a thread to be looked at: as much CPU time as that its guest has not run since. */
#define LOOK_COST_NS UINT64_C(500000)

static uint64_t clock_ns(clockid_t clock) {
        struct timespec now;

        return clock_gettime(clock, &now) ? 0 : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct moment runner_moment(void) {
        return (struct moment){ clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_REALTIME) };
}

void runner_lock(struct runner *runner) {
        pthread_mutex_lock(&runner->turn);
        pthread_mutex_lock(&runner->lock);
        pthread_mutex_unlock(&runner->turn);
}

void runner_unlock(struct runner *runner) {
        pthread_mutex_unlock(&runner->lock);
}

static struct kvm_cpu *cpu_of(const struct runner_cpu *cpu) {
        return &cpu->runner->machine->cpus[cpu->number];
}

/* --- a CPU's thread ---------------------------------------------------------------------------------------------- */

static void update_interrupts(struct runner *runner, struct moment moment) {
        const uint32_t interrupts = pc_interrupts(runner->pc, moment), changed = interrupts ^ runner->interrupts;

        for (unsigned line = 0; changed >> line; line++)
                if (changed >> line & 1)
                        kvm_machine_set_interrupt(runner->machine, line, interrupts >> line & 1);
        runner->interrupts = interrupts;
}

/*
 * Where the CPU was goes with the request.  On AMD's processors KVM gives one that has faulted three times an INIT before it tells
 * (arch/x86/kvm/svm/svm.c, shutdown_interception()).
 */
static void take_request(struct runner_cpu *cpu, struct board_request *request) {
        struct runner *runner = cpu->runner;
        struct kvm_cpu_state state;

        if (!request->kind)
                return;
        if (kvm_cpu_read(cpu_of(cpu), &state) && !(state.is_reset && !request->port)) {
                request->has_cpu = true;
                request->cpu = cpu->number;
                request->rip = state.rip;
                request->idt_limit = state.idt_limit;
        }
        vm_take_request(runner->vm, request, runner_moment().now_ns);
        runner->changed(runner->userdata);
}

static uint32_t number_of(const uint8_t *bytes, unsigned width) {
        uint32_t value = 0;

        memcpy(&value, bytes, width); /* a PC's numbers are this host's */
        return value;
}

static void answer_port(struct runner_cpu *cpu, const struct kvm_access *access) {
        struct runner *runner = cpu->runner;

        for (size_t i = 0; i < access->n; i++) {
                uint8_t *data = access->data + i * access->width;
                struct board_request request;
                uint32_t value;
                int console;

                if (!access->is_write) {
                        value = pc_in(runner->pc, (uint16_t)access->address, access->width, runner_moment());
                        memcpy(data, &value, access->width);
                        continue;
                }
                request = pc_out(runner->pc, (uint16_t)access->address, access->width, number_of(data, access->width), runner_moment(), &console);
                if (console >= 0) {
                        /* Nobody may read it: QMP goes on. */
                        runner_unlock(runner);
                        runner->console(runner->userdata, (char)console);
                        runner_lock(runner);
                }
                take_request(cpu, &request);
        }
}

/* What the main thread waits for may come sooner now: a key's place, an alarm. */
static void tell_what_is_waited_for(struct runner *runner, bool had_room, struct moment moment) {
        const uint64_t next_ns = pc_next_ns(runner->pc, moment);

        if (next_ns < runner->next_ns || (!had_room && serial_room(&runner->pc->serial)))
                runner->changed(runner->userdata);
        runner->next_ns = next_ns;
}

/* Of a machine that was reset meanwhile nothing is done any more; and there is nothing beyond memory: ones. */
static void answer(struct runner_cpu *cpu, const struct kvm_access *access) {
        struct runner *runner = cpu->runner;
        const bool had_room = serial_room(&runner->pc->serial);
        struct moment moment;

        if (!access->is_write)
                memset(access->data, 0xff, access->width * access->n);
        if (runner->n_starts != runner->vm->n_starts)
                return;
        if (access->is_memory)
                virtio_bus_access(runner->bus, access);
        else if (access->width == 1 || access->width == 2 || access->width == 4)
                answer_port(cpu, access);
        moment = runner_moment();
        update_interrupts(runner, moment);
        tell_what_is_waited_for(runner, had_room, moment);
}

/*
 * What changes as long as any CPU works: how often they were in the guest, or (a kernel that does not tell) the CPU time of their threads, which a timer's
 * interrupts that nobody takes cost, too.
 */
static uint64_t work_of(const struct runner *runner, uint64_t *ret_look_costs) {
        uint64_t exits, n_exits = 0, sum_ns = 0;
        bool has_exits = true;
        clockid_t clock;

        for (unsigned i = 0; i < runner->n_threads && has_exits; i++) {
                has_exits = kvm_cpu_read_exits(&runner->machine->cpus[i], &exits);
                n_exits += has_exits ? exits : 0;
        }
        for (unsigned i = 0; i < runner->n_threads && !has_exits; i++)
                if (!pthread_getcpuclockid(runner->cpus[i].thread, &clock))
                        sum_ns += clock_ns(clock);
        *ret_look_costs = has_exits ? 0 : LOOK_COST_NS * runner->n_threads;
        return has_exits ? n_exits : sum_ns;
}

/* All have stood still for a while, and one that halts with interrupts off can only be woken by another that runs. */
static void look_at_cpu(struct runner_cpu *cpu) {
        struct runner *runner = cpu->runner;
        struct kvm_cpu_state state;
        uint64_t costs;

        if (!cpu->wants_look)
                return;
        cpu->wants_look = false;
        runner->n_halted += kvm_cpu_read(cpu_of(cpu), &state) && state.is_halted && !state.has_interrupts;
        if (--runner->n_looks)
                return;
        if (runner->n_halted < runner->n_threads) {
                runner->halt_is_told = false;
        } else if (!runner->halt_is_told) {
                runner->halt_is_told = true;
                vm_take_halt(runner->vm, runner->n_threads);
                runner->changed(runner->userdata);
        }
        runner->looked_work = work_of(runner, &costs);
}

static void forget_looks(struct runner *runner) {
        for (unsigned i = 0; i < runner->n_threads; i++)
                runner->cpus[i].wants_look = false;
        runner->n_looks = 0;
        runner->halt_is_told = false;
}

static void take_error(struct runner *runner, const char *why) {
        vm_take_error(runner->vm, why);
        runner->changed(runner->userdata);
}

static void take_stop(struct runner_cpu *cpu, enum kvm_stop stop, const struct kvm_access *access) {
        struct board_request request = { .kind = BOARD_RESET, .mechanism = "triple-fault" };
        char words[KVM_CPU_WHY_MAX];

        switch (stop) {
        case KVM_STOP_ACCESS:
                answer(cpu, access);
                break;
        case KVM_STOP_SHUTDOWN:
                if (cpu->runner->n_starts == cpu->runner->vm->n_starts)
                        take_request(cpu, &request);
                break;
        case KVM_STOP_INTERRUPTED:
                look_at_cpu(cpu);
                break;
        case KVM_STOP_SYSTEM_EVENT:
        case KVM_STOP_ERROR:
                kvm_cpu_describe(cpu_of(cpu), words);
                take_error(cpu->runner, words);
                break;
        }
}

/* No CPU runs: they begin anew. */
static void begin(struct runner *runner) {
        char why[FIRMWARE_WHY_MAX];
        struct kvm_entry entry;

        if (!runner->vm->is_wake)
                pc_reset(runner->pc);
        if (firmware_begin(runner->firmware, &runner->vm->board, &runner->machine->memory, runner->vm->is_wake, &entry, why))
                take_error(runner, why);
        else if (kvm_machine_reset(runner->machine, &entry))
                take_error(runner, "KVM does not reset the CPUs");
        /* Its controllers have forgotten what is up. */
        runner->interrupts = 0;
        forget_looks(runner);
        update_interrupts(runner, runner_moment());
}

/* The last one that comes out of the guest does it for all. */
static void begin_together(struct runner_cpu *cpu) {
        struct runner *runner = cpu->runner;
        const unsigned n_starts = runner->n_starts;

        kvm_cpu_settle(cpu_of(cpu));
        if (++runner->n_waiting < runner->n_threads) {
                while (!runner->vm->is_over && runner->n_starts == n_starts)
                        pthread_cond_wait(&runner->may_run, &runner->lock);
                return;
        }
        runner->n_waiting = 0;
        runner->n_starts = runner->vm->n_starts;
        begin(runner);
        pthread_cond_broadcast(&runner->may_run);
}

/* Under the lock.  False: it is over. */
static bool wait_to_run(struct runner_cpu *cpu) {
        struct runner *runner = cpu->runner;

        while (!runner->vm->is_over) {
                if (runner->vm->state != RUN_STATE_RUNNING)
                        pthread_cond_wait(&runner->may_run, &runner->lock);
                else if (runner->n_starts != runner->vm->n_starts)
                        begin_together(cpu);
                else
                        return true;
        }
        return false;
}

static void *run(void *userdata) {
        struct runner_cpu *cpu = userdata;
        struct runner *runner = cpu->runner;
        char name[16];
        sigset_t kick;

        snprintf(name, sizeof(name), "cpu-%u", cpu->number);
        pthread_setname_np(pthread_self(), name);
        /* What the CPU is interrupted by; all else is the main thread's. */
        sigemptyset(&kick);
        sigaddset(&kick, SIGUSR1);
        pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
        runner_lock(runner);
        while (wait_to_run(cpu)) {
                struct kvm_access access = { 0 };
                enum kvm_stop stop;

                runner_unlock(runner);
                stop = kvm_cpu_run(cpu_of(cpu), &access);
                runner_lock(runner);
                take_stop(cpu, stop, &access);
        }
        runner_unlock(runner);
        return NULL;
}

/* --- from outside ------------------------------------------------------------------------------------------------ */

static void on_kick(int signal) {
}

static void kick_all(struct runner *runner) {
        for (unsigned i = 0; i < runner->n_threads; i++)
                kvm_cpu_kick(&runner->machine->cpus[i]);
}

int runner_start(struct runner *runner) {
        const struct sigaction action = { .sa_handler = on_kick };
        int r = 0;

        pthread_mutex_init(&runner->turn, NULL);
        pthread_mutex_init(&runner->lock, NULL);
        pthread_cond_init(&runner->may_run, NULL);
        sigaction(SIGUSR1, &action, NULL);
        pc_init(runner->pc, runner_moment());
        /* The first start, too, is one that they do together. */
        runner->n_starts = runner->vm->n_starts - 1;
        runner_lock(runner);
        for (unsigned i = 0; !r && i < runner->machine->n_cpus; i++) {
                struct runner_cpu *cpu = &runner->cpus[i];

                *cpu = (struct runner_cpu){ .runner = runner, .number = i };
                r = pthread_create(&cpu->thread, NULL, run, cpu);
                if (r)
                        break;
                runner->n_threads++;
        }
        runner_unlock(runner);
        return -r;
}

void runner_take_change(struct runner *runner) {
        update_interrupts(runner, runner_moment());
        if (runner->vm->is_over || runner->vm->state != RUN_STATE_RUNNING || runner->n_starts != runner->vm->n_starts)
                kick_all(runner);
        pthread_cond_broadcast(&runner->may_run);
}

/* One that is at a console which nobody reads is interrupted there, however late it comes to it. */
void runner_stop(struct runner *runner) {
        runner_lock(runner);
        runner->vm->is_over = true;
        pthread_cond_broadcast(&runner->may_run);
        runner_unlock(runner);
        for (unsigned i = 0; i < runner->n_threads; i++) {
                struct timespec at;

                do {
                        pthread_kill(runner->cpus[i].thread, SIGUSR1);
                        clock_gettime(CLOCK_REALTIME, &at);
                        at.tv_nsec += 10000000;
                        at.tv_sec += at.tv_nsec / 1000000000;
                        at.tv_nsec %= 1000000000;
                } while (pthread_timedjoin_np(runner->cpus[i].thread, NULL, &at));
        }
        pthread_cond_destroy(&runner->may_run);
        pthread_mutex_destroy(&runner->lock);
        pthread_mutex_destroy(&runner->turn);
}

void runner_look(struct runner *runner) {
        const uint64_t before = runner->work;
        uint64_t look_costs;

        if (runner->vm->state != RUN_STATE_RUNNING || runner->n_looks || runner->n_starts != runner->vm->n_starts)
                return;
        runner->work = work_of(runner, &look_costs);
        /* They stood still since the last time; and it is not what has been looked at already. */
        if (runner->work != before || (runner->looked_work && runner->work <= runner->looked_work + look_costs))
                return;
        runner->n_looks = runner->n_threads;
        runner->n_halted = 0;
        for (unsigned i = 0; i < runner->n_threads; i++)
                runner->cpus[i].wants_look = true;
        kick_all(runner);
}
