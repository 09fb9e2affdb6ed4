/*
 * What the programs in the kernel cost those whom they see: who sends a signal, who starts other programs, a guest that writes to ports
 * without end, and, in Xen's dom0, whoever makes a system call.
 *
 *   trace_cost signals|births|ports|calls [N]
 *
 * In one run, turn by turn: without the programs, with them and the process not watched, and watched.  One line of JSON.
 */
#include "basics/cleanup.h"
#include "sources/trace/record.h"
#include "sources/trace/trace_source.h"
#include <trace.skel.h> /* made by bpftool */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum { ROUNDS = 9 };

enum setting {
        WITHOUT,
        NOT_WATCHED,
        WATCHED,
        _SETTING_N,
};
static const char *const settings[] = { "without", "not_watched", "watched" };

/* Of this thread's own time: what else the machine does is not in it. */
static uint64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void fail(const char *what) {
        perror(what);
        exit(1);
}

static void on_report(void *userdata, struct evidence *evidence) {
        ++*(size_t *)userdata;
        evidence_deinit(evidence);
}

static void on_ended(void *userdata, enum evidence_source source) {
}

/* The programs, as the setting says, about that process. */
struct seeing {
        sd_event *event;
        struct trace_source *source;
        struct trace_watch *watch;
        size_t n_facts;
};

static void watch(struct seeing *seeing, pid_t pid) {
        const struct source_sink sink = { on_report, on_ended, &seeing->n_facts };

        if (trace_watch_new(&seeing->watch, seeing->source, pid, 0, &(struct trace_machine){ .is_pc = true, .speaks = true }, &sink))
                fail("watch");
}

static void see(struct seeing *seeing, enum setting setting, pid_t pid) {
        char why[TRACE_WHY_MAX];

        *seeing = (struct seeing){ 0 };
        if (setting == WITHOUT)
                return;
        if (sd_event_new(&seeing->event) < 0 || trace_source_open(&seeing->source, seeing->event, TRACE_HOST, NULL, why)) {
                fprintf(stderr, "%s\n", why);
                exit(1);
        }
        if (setting == WATCHED && pid)
                watch(seeing, pid);
}

static void unsee(struct seeing *seeing) {
        trace_watch_free(seeing->watch);
        trace_source_close(seeing->source);
        sd_event_unref(seeing->event);
}

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return x < y ? -1 : x > y;
}

/* Each setting in turn, so that what else the machine does falls on all of them. */
static void measure(const char *name, double (*once)(enum setting setting, size_t n), size_t n) {
        double ns[_SETTING_N][ROUNDS];

        for (size_t round = 0; round < ROUNDS; round++)
                for (size_t i = 0; i < _SETTING_N; i++)
                        ns[i][round] = once((enum setting)i, n);
        printf("{\"what\": \"%s\", \"n\": %zu", name, n);
        for (size_t i = 0; i < _SETTING_N; i++) {
                qsort(ns[i], ROUNDS, sizeof(double), compare);
                printf(", \"%s_ns\": %.1f", settings[i], ns[i][ROUNDS / 2]);
        }
        printf(", \"ratio_not_watched\": %.3f, \"ratio_watched\": %.3f}\n", ns[NOT_WATCHED][ROUNDS / 2] / ns[WITHOUT][ROUNDS / 2],
               ns[WATCHED][ROUNDS / 2] / ns[WITHOUT][ROUNDS / 2]);
}

/* --- signals ----------------------------------------------------------------------------------------------------- */

/* To one VM no more are recorded in a second, and no signal of a kind twice while it waits, but of the real-time ones. */
enum { SIGNALS_TO_ONE = 50 };
static_assert((int)SIGNALS_TO_ONE < (int)TRACE_RECORDS_A_SECOND, "all are recorded");

/* Somebody whom SIGRTMIN would end, but for him it waits for ever. */
static pid_t start_target(void) {
        sigset_t blocked;
        pid_t child;

        sigemptyset(&blocked);
        sigaddset(&blocked, SIGRTMIN);
        sigprocmask(SIG_BLOCK, &blocked, NULL);
        child = fork();
        if (!child)
                for (;;)
                        pause();
        return child;
}

/* What a signal costs its sender, and its record whoever reads that: ns in all. */
static void send_some(struct seeing *seeing, enum setting setting, uint64_t *sending_ns, uint64_t *reading_ns) {
        pid_t child = start_target();
        uint64_t begun_ns;

        if (setting == WATCHED)
                watch(seeing, child);
        begun_ns = now_ns();
        for (size_t i = 0; i < SIGNALS_TO_ONE; i++)
                kill(child, SIGRTMIN);
        *sending_ns += now_ns() - begun_ns;
        begun_ns = now_ns();
        trace_source_drain(seeing->source);
        *reading_ns += now_ns() - begun_ns;
        seeing->watch = trace_watch_free(seeing->watch);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
}

static double send_all(enum setting setting, size_t n, bool is_reading) {
        uint64_t sending_ns = 0, reading_ns = 0;
        struct seeing seeing;

        see(&seeing, setting, 0);
        for (size_t sent = 0; sent < n; sent += SIGNALS_TO_ONE)
                send_some(&seeing, setting, &sending_ns, &reading_ns);
        if (setting == WATCHED && seeing.n_facts != n) {
                fprintf(stderr, "%zu signals were sent, and %zu seen\n", n, seeing.n_facts);
                exit(1);
        }
        unsee(&seeing);
        return (double)(is_reading ? reading_ns : sending_ns) / (double)n;
}

static double send_signals(enum setting setting, size_t n) {
        return send_all(setting, n, false);
}

static void measure_reading(size_t n) {
        printf("{\"what\": \"reading\", \"n\": %zu, \"each_ns\": %.1f}\n", n, send_all(WATCHED, n, true));
}

/* --- births ------------------------------------------------------------------------------------------------------ */

/* What a fork costs the parent; the child ends at once. */
static uint64_t fork_children(size_t n) {
        uint64_t spent_ns = 0;

        for (size_t i = 0; i < n; i++) {
                uint64_t begun_ns = now_ns();
                pid_t child = fork();

                if (!child)
                        _exit(0);
                spent_ns += now_ns() - begun_ns;
                if (child < 0 || waitpid(child, NULL, 0) < 0)
                        fail("fork");
        }
        return spent_ns;
}

/* The process stays the same over each exec, and so does the clock of its CPU time: all that the program does until it is there is in it. */
static uint64_t exec_again(size_t left) {
        char word[24];
        char *argv[] = { "trace_cost", "exec", word, NULL };
        struct timespec now;

        snprintf(word, sizeof(word), "%zu", left - 1);
        if (left)
                execv("/proc/self/exe", argv);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int say(uint64_t spent_ns) {
        return write(STDOUT_FILENO, &spent_ns, sizeof(spent_ns)) == sizeof(spent_ns) ? 0 : 1;
}

/* In a process of its own, which has nothing of the programs' mapped: to copy that would be the fork's price. */
static double start_programs(enum setting setting, size_t n, uint64_t (*start)(size_t n)) {
        struct seeing seeing;
        uint64_t spent_ns = 0;
        pid_t child;
        int go[2], told[2];

        if (pipe(go) || pipe(told))
                fail("pipe");
        child = fork();
        if (!child) {
                close(go[1]);
                dup2(told[1], STDOUT_FILENO);
                if (read(go[0], &spent_ns, 1) != 0)
                        _exit(1);
                _exit(say(start(n)));
        }
        see(&seeing, setting, getpid());
        close(go[0]);
        close(go[1]);
        close(told[1]);
        if (read(told[0], &spent_ns, sizeof(spent_ns)) != sizeof(spent_ns) || waitpid(child, NULL, 0) < 0)
                fail("a child");
        close(told[0]);
        unsee(&seeing);
        return (double)spent_ns / (double)n;
}

static double start_forks(enum setting setting, size_t n) {
        return start_programs(setting, n, fork_children);
}

static double start_execs(enum setting setting, size_t n) {
        return start_programs(setting, n, exec_again);
}

/* --- ports ------------------------------------------------------------------------------------------------------- */

static unsigned char guest_port, guest_value;

/* So many records have room in the ring. */
#define WRITES_BETWEEN_READS 5000

/* A guest in real mode that does nothing but write to a port; each write comes back to its VMM, as with any device of a VMM's. */
static double write_ports(enum setting setting, size_t n) {
        /* again: out %al, $PORT; jmp again */
        const unsigned char code[] = { 0xe6, guest_port, 0xeb, 0xfc };
        struct kvm_userspace_memory_region region = { .memory_size = 0x1000 };
        int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu;
        struct seeing seeing;
        struct kvm_sregs sregs;
        struct kvm_regs regs = { .rflags = 2, .rax = guest_value };
        struct kvm_run *run;
        uint64_t spent_ns = 0;
        int n_run;
        void *memory;
        double each_ns;

        if (kvm < 0)
                fail("/dev/kvm");
        vm = ioctl(kvm, KVM_CREATE_VM, 0);
        n_run = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
        memory = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (vm < 0 || n_run <= 0 || memory == MAP_FAILED)
                fail("KVM_CREATE_VM");
        memcpy(memory, code, sizeof(code));
        region.userspace_addr = (uint64_t)memory;
        vcpu = ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
        run = vcpu < 0 ? MAP_FAILED : mmap(NULL, (size_t)n_run, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
        if (run == MAP_FAILED || ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
                fail("KVM_CREATE_VCPU");
        sregs.cs.base = sregs.cs.selector = 0;
        if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
                fail("KVM_SET_REGS");
        see(&seeing, setting, getpid());
        /* Read in between, so that none is lost; that is not measured. */
        for (size_t i = 0; i < n;) {
                uint64_t begun_ns = now_ns();

                do {
                        if (ioctl(vcpu, KVM_RUN, 0) < 0 || run->exit_reason != KVM_EXIT_IO)
                                fail("KVM_RUN");
                } while (++i < n && i % WRITES_BETWEEN_READS);
                spent_ns += now_ns() - begun_ns;
                trace_source_drain(seeing.source);
        }
        each_ns = (double)spent_ns / (double)n;
        unsee(&seeing);
        munmap(run, (size_t)n_run);
        munmap(memory, 0x1000);
        close(vcpu);
        close(vm);
        close(kvm);
        return each_ns;
}

/* --- system calls ------------------------------------------------------------------------------------------------ */

/* As in a dom0 whose kernel does not tell of ioctls alone; of Xen nothing is needed for it. */
static struct trace_bpf *see_calls(void) {
        struct trace_bpf *bpf = trace_bpf__open();
        struct bpf_program *program;

        if (!bpf)
                fail("the programs");
        bpf_object__for_each_program(program, bpf->obj)
                bpf_program__set_autoload(program, program == bpf->progs.on_system_call);
        if (trace_bpf__load(bpf) || trace_bpf__attach(bpf))
                fail("the program at each system call");
        return bpf;
}

static double call_some(size_t n) {
        uint64_t begun_ns = now_ns();

        for (size_t i = 0; i < n; i++)
                syscall(SYS_getppid);
        return (double)(now_ns() - begun_ns) / (double)n;
}

static void measure_calls(size_t n) {
        double without_ns[ROUNDS], with_ns[ROUNDS];

        for (size_t round = 0; round < ROUNDS; round++) {
                struct trace_bpf *bpf;

                without_ns[round] = call_some(n);
                bpf = see_calls();
                with_ns[round] = call_some(n);
                trace_bpf__destroy(bpf);
        }
        qsort(without_ns, ROUNDS, sizeof(double), compare);
        qsort(with_ns, ROUNDS, sizeof(double), compare);
        printf("{\"what\": \"calls\", \"n\": %zu, \"without_ns\": %.1f, \"with_ns\": %.1f, \"more_ns\": %.1f}\n", n, without_ns[ROUNDS / 2],
               with_ns[ROUNDS / 2], with_ns[ROUNDS / 2] - without_ns[ROUNDS / 2]);
}

int main(int argc, char **argv) {
        size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

        if (argc >= 2 && !strcmp(argv[1], "signals")) {
                measure("signals", send_signals, n ? n : 1000);
                measure_reading(n ? n : 2000);
        } else if (argc >= 2 && !strcmp(argv[1], "births")) {
                measure("a fork", start_forks, n ? n : 2000);
                measure("an exec", start_execs, n ? n : 1000);
        } else if (argc == 3 && !strcmp(argv[1], "exec")) {
                return say(exec_again(n));
        } else if (argc >= 2 && !strcmp(argv[1], "ports")) {
                guest_value = 0x20;
                guest_port = 0x80;
                measure("writes to port 0x80", write_ports, n ? n : 1000000 / ROUNDS);
                guest_port = 0x64;
                measure("writes to port 0x64", write_ports, n ? n : 1000000 / ROUNDS);
                guest_value = 0xfe;
                measure("resets by port 0x64, 64 a second of which are recorded", write_ports, n ? n : 1000000 / ROUNDS);
        } else if (argc >= 2 && !strcmp(argv[1], "calls")) {
                measure_calls(n ? n : 1000000);
        } else {
                fprintf(stderr, "usage: trace_cost signals|births|ports|calls [N]\n");
                return 2;
        }
        return 0;
}
