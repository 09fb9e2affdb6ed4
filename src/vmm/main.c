/*
 * vmpower-vmm: a monitor of virtual machines that always knows why one stops.
 *
 * Knows the loop around its sockets and its one timer, and what is under the lock that it shares with the CPU's thread.
 */
#include "basics/cleanup.h"
#include "vmm/console.h"
#include "vmm/devices.h"
#include "vmm/monitor.h"
#include "vmm/options.h"
#include "vmm/peer.h"
#include "vmm/qtest.h"
#include "vmm/runner.h"
#include "vmm/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

enum { EXIT_USAGE = 2 };

/* Each --qmp is a monitor of its own, as with QEMU. */
struct qmp {
        struct monitor monitor;
        struct peer peer;
};

struct program {
        struct vm vm;
        struct qmp qmps[OPTIONS_QMPS_MAX];
        size_t n_qmps;
        int signal_fd;

        /* With a CPU. */
        bool has_cpu;
        struct pc pc;
        struct firmware firmware;
        struct kvm_machine *machine;
        struct virtio_bus bus;
        struct runner runner;
        struct console console;
        int change_fd;  /* the CPU's thread has changed something */
        uint64_t look_ns; /* when it is asked for next whether the guest is halted for good */

        /* With a test in its place. */
        struct qtest qtest;
        struct peer tester;
        char line[QTEST_LINE_MAX]; /* of the tester's, as far as it has come */
        size_t n_line;
};

static uint64_t now_ns(const struct program *program) {
        return program->has_cpu ? runner_moment().now_ns : program->qtest.now_ns;
}

/* --- what the VM and its CPU say --------------------------------------------------------------------------------- */

/* By the time that anybody hears of it nothing is written to a disk any more, or what was written before a reset. */
static void on_event(void *userdata, const char *name, json_t *data) {
        struct program *program = userdata;

        if (!strcmp(name, "RESET"))
                virtio_bus_reset(&program->bus);
        virtio_bus_run(&program->bus, program->vm.state == RUN_STATE_RUNNING);
        for (size_t i = 0; i < program->n_qmps; i++)
                monitor_event(&program->qmps[i].monitor, name, data);
}

static void send_to_client(void *userdata, const char *text, size_t n) {
        struct qmp *qmp = userdata;

        peer_send(&qmp->peer, text, n);
}

static void on_console(void *userdata, char byte) {
        struct program *program = userdata;

        console_write(&program->console, byte);
}

static void on_change(void *userdata) {
        struct program *program = userdata;
        const uint64_t one = 1;
        ssize_t n = write(program->change_fd, &one, sizeof(one));

        (void)n; /* it fails only where it is readable already */
}

/* --- its sockets ------------------------------------------------------------------------------------------------- */

static void tell_interrupt(struct program *program) {
        char line[QTEST_REPLY_MAX];

        if (program->has_cpu)
                return;
        qtest_tell_interrupt(&program->qtest, line);
        peer_send(&program->tester, line, strlen(line));
}

static void take_test_line(struct program *program) {
        char reply[QTEST_REPLY_MAX];
        struct board_request request;

        qtest_answer(&program->qtest, program->line, reply, &request);
        vm_take_request(&program->vm, &request, program->qtest.now_ns);
        peer_send(&program->tester, reply, strlen(reply));
        tell_interrupt(program);
}

/* A line that is too long is answered once, at its end, as one that is none. */
static void take_test_byte(struct program *program, char byte) {
        if (byte != '\n') {
                program->line[program->n_line] = byte;
                program->n_line += program->n_line < sizeof(program->line) - 1;
                return;
        }
        program->line[program->n_line] = '\0';
        if (program->n_line == sizeof(program->line) - 1)
                strcpy(program->line, "?");
        program->n_line = 0;
        take_test_line(program);
}

static void serve_tester(struct program *program) {
        char buffer[512];
        ssize_t n = peer_receive(&program->tester, buffer, sizeof(buffer));

        if (!n)
                peer_drop(&program->tester);
        for (ssize_t i = 0; i < n; i++)
                take_test_byte(program, buffer[i] ? buffer[i] : '?');
}

static void serve_client(struct program *program, struct qmp *qmp) {
        char *buffer;
        ssize_t n = monitor_space(&qmp->monitor, &buffer);

        if (n > 0)
                n = peer_receive(&qmp->peer, buffer, (size_t)n);
        if (!n || n == -ENOMEM)
                peer_drop(&qmp->peer);
        monitor_take(&qmp->monitor, n > 0 ? (size_t)n : 0, now_ns(program));
        tell_interrupt(program);
}

/* True: it has said something, or has gone.  *ret_is_new: it has just come. */
static bool has_said(struct peer *peer, short events, bool *ret_is_new) {
        *ret_is_new = events && peer->fd < 0 && peer_accept(peer);
        if (!events || *ret_is_new)
                return false;
        if (peer->fd >= 0 && events & POLLOUT)
                peer_flush(peer);
        return peer->fd >= 0 && (events & ~POLLOUT);
}

static void serve_qmp(struct program *program, struct qmp *qmp, short events) {
        bool is_new;

        if (has_said(&qmp->peer, events, &is_new))
                serve_client(program, qmp);
        if (is_new)
                monitor_begin(&qmp->monitor);
}

static void serve_test(struct program *program, short events) {
        bool is_new;

        if (has_said(&program->tester, events, &is_new))
                serve_tester(program);
        if (is_new)
                program->n_line = 0;
}

/* The first word of its command line. */
static void read_program(char *ret_name, size_t n_name, uint32_t pid) {
        char path[32];
        cleanup(closep) int fd = -1;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%" PRIu32 "/cmdline", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? 0 : read(fd, ret_name, n_name - 1);
        ret_name[n > 0 ? n : 0] = '\0';
        if (!*ret_name)
                snprintf(ret_name, n_name, "<unknown process>");
}

/* In QEMU's words, for those who read its standard error. */
static void take_signal(struct program *program) {
        struct signalfd_siginfo info;
        char name[256];

        if (read(program->signal_fd, &info, sizeof(info)) != sizeof(info))
                return;
        read_program(name, sizeof(name), info.ssi_pid);
        fprintf(stderr, "vmpower-vmm: terminating on signal %" PRIu32 " from pid %" PRIu32 " (%s)\n", info.ssi_signo, info.ssi_pid, name);
        vm_terminate(&program->vm);
}

/* --- its loop ---------------------------------------------------------------------------------------------------- */

static void lock(struct program *program) {
        if (program->has_cpu)
                runner_lock(&program->runner);
}

static void unlock(struct program *program) {
        if (program->has_cpu)
                runner_unlock(&program->runner);
}

/* For poll(): until the next look at the CPUs, or what the PC waits for; -1: for ever. */
static int wait_ms(struct program *program) {
        struct moment moment;
        uint64_t next_ns;

        if (!program->has_cpu)
                return -1;
        moment = runner_moment();
        next_ns = pc_next_ns(&program->pc, moment);
        if (next_ns > program->look_ns)
                next_ns = program->look_ns;
        return next_ns <= moment.now_ns ? 0 : (int)((next_ns - moment.now_ns + 999999) / 1000000);
}

static void take_time(struct program *program) {
        const struct moment moment = runner_moment();

        if (!program->has_cpu)
                return;
        pc_advance(&program->pc, moment);
        vm_take_time(&program->vm, moment.now_ns);
        if (moment.now_ns >= program->look_ns) {
                program->look_ns = moment.now_ns + RUNNER_LOOK_NS;
                runner_look(&program->runner);
        }
}

/* As fast as the guest takes it. */
static void take_keys(struct program *program) {
        char keys[SERIAL_FIFO];
        const size_t n = console_read(&program->console, keys, serial_room(&program->pc.serial));

        for (size_t i = 0; i < n; i++)
                serial_receive(&program->pc.serial, (uint8_t)keys[i]);
}

static void take_change(struct program *program) {
        uint64_t ignored;
        ssize_t n = read(program->change_fd, &ignored, sizeof(ignored));

        (void)n;
}

/* Under the lock, which it gives away while it waits. */
static bool run_once(struct program *program) {
        enum { TESTER, SIGNAL, CHANGE, KEYS, QMPS };
        struct pollfd fds[QMPS + OPTIONS_QMPS_MAX] = {
                [TESTER] = peer_poll(&program->tester),
                [SIGNAL] = { .fd = program->signal_fd, .events = POLLIN },
                [CHANGE] = { .fd = program->change_fd, .events = POLLIN },
                [KEYS] = { .fd = program->has_cpu && serial_room(&program->pc.serial) ? program->console.in : -1, .events = POLLIN },
        };
        const int timeout_ms = wait_ms(program);
        int r;

        for (size_t i = 0; i < program->n_qmps; i++)
                fds[QMPS + i] = peer_poll(&program->qmps[i].peer);
        unlock(program);
        r = poll(fds, QMPS + program->n_qmps, timeout_ms);
        lock(program);
        if (r < 0 && errno != EINTR) {
                fprintf(stderr, "vmpower-vmm: poll: %s\n", strerror(errno));
                program->vm.is_over = program->vm.is_failed = true;
        }
        if (r > 0 && fds[SIGNAL].revents)
                take_signal(program);
        if (r > 0 && fds[CHANGE].revents)
                take_change(program);
        if (r > 0 && fds[KEYS].revents)
                take_keys(program);
        for (size_t i = 0; r > 0 && i < program->n_qmps; i++)
                serve_qmp(program, &program->qmps[i], fds[QMPS + i].revents);
        if (r > 0)
                serve_test(program, fds[TESTER].revents);
        take_time(program);
        if (program->has_cpu)
                runner_take_change(&program->runner);
        return !program->vm.is_over;
}

static int run(struct program *program) {
        lock(program);
        program->look_ns = now_ns(program) + RUNNER_LOOK_NS;
        while (run_once(program)) {
        }
        unlock(program);
        return program->vm.is_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- its beginning ----------------------------------------------------------------------------------------------- */

static int listen_at(struct peer *peer, const char *path) {
        int r = path ? peer_listen(peer, path) : 0;

        if (r)
                fprintf(stderr, "vmpower-vmm: cannot listen at %s: %s\n", path, strerror(-r));
        return r;
}

/* All that is the main thread's; SIGUSR1 interrupts the CPU, and only there. */
static int block_signals(void) {
        sigset_t set;

        signal(SIGPIPE, SIG_IGN);
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        sigdelset(&set, SIGUSR1);
        return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int fail(const char *what, const char *why) {
        fprintf(stderr, "vmpower-vmm: %s: %s\n", what, why);
        return -1;
}

static int open_firmware(struct program *program, const struct options *options) {
        char why[FIRMWARE_WHY_MAX];
        const int r = options->bios ? firmware_open_rom(&program->firmware, options->bios, why)
                                    : firmware_open_kernel(&program->firmware, options->kernel, options->initrd, options->append, why);

        if (r)
                fprintf(stderr, "vmpower-vmm: %s\n", why);
        return r;
}

static void write_tables(struct program *program, const struct options *options) {
        struct acpi_tables_device devices[VIRTIO_BUS_DEVICES_MAX];
        const size_t n = devices_describe(devices, options);

        firmware_write_tables(&program->firmware, &program->vm.board, options->n_cpus, devices, n);
}

static int open_devices(struct program *program, const struct options *options) {
        char why[VIRTIO_DEVICE_WHY_MAX];
        const int r = devices_open(&program->bus, program->machine, options, why);

        if (r)
                fprintf(stderr, "vmpower-vmm: %s\n", why);
        return r;
}

static int open_cpus(struct program *program, const struct options *options) {
        char why[KVM_MACHINE_WHY_MAX];
        int r;

        if (open_firmware(program, options))
                return -1;
        r = console_open(&program->console, options->serial);
        if (r)
                return fail(options->serial, strerror(-r));
        r = kvm_machine_open(&program->machine, options->n_mib, options->n_cpus, program->firmware.rom, program->firmware.n_rom, why);
        if (r == -EACCES || r == -ENOENT)
                return fail(why, "this host's KVM is needed, and the right to use it (group kvm)");
        if (r)
                return fail("no virtual machine can be made", why);
        write_tables(program, options);
        if (options->kernel && open_devices(program, options))
                return -1;
        program->pc = (struct pc){ .board = &program->vm.board, .fw_cfg = options->fw_cfg };
        program->runner = (struct runner){ .vm = &program->vm, .pc = &program->pc, .machine = program->machine, .firmware = &program->firmware,
                                           .bus = &program->bus, .console = on_console, .changed = on_change, .userdata = program };
        program->change_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return program->change_fd < 0 ? fail("eventfd", strerror(errno)) : 0;
}

/* All is open that ever will be, and no thread has begun. */
static int enter_sandbox(const struct options *options) {
        const char *sockets[OPTIONS_QMPS_MAX + 1];
        char why[SANDBOX_WHY_MAX];

        memcpy(sockets, options->qmps, sizeof(options->qmps));
        sockets[OPTIONS_QMPS_MAX] = options->qtest;

        return sandbox_enter(sockets, N_ELEMENTS(sockets), why) ? fail("cannot give up its rights", why) : 0;
}

static int start_cpus(struct program *program) {
        int r = virtio_bus_start(&program->bus);

        if (r)
                return fail("a device's thread", strerror(-r));
        virtio_bus_run(&program->bus, program->vm.state == RUN_STATE_RUNNING);
        program->has_cpu = true;
        r = runner_start(&program->runner);
        return r ? fail("the CPUs' threads", strerror(-r)) : 0;
}

static int start(struct program *program, const struct options *options) {
        const bool has_cpu = options->bios || options->kernel;

        if (program->signal_fd < 0)
                return fail("signalfd", strerror(errno));
        while (program->n_qmps < options->n_qmps) {
                struct qmp *qmp = &program->qmps[program->n_qmps++];

                qmp->peer = PEER_NONE;
                monitor_init(&qmp->monitor, &program->vm, send_to_client, qmp);
                if (listen_at(&qmp->peer, options->qmps[program->n_qmps - 1]))
                        return -1;
        }
        if (listen_at(&program->tester, options->qtest))
                return -1;
        if ((has_cpu && open_cpus(program, options)) || enter_sandbox(options))
                return -1;
        return has_cpu ? start_cpus(program) : 0;
}

static int dump_tables(struct program *program, const struct options *options) {
        int r;

        write_tables(program, options);
        r = firmware_dump_tables(&program->firmware, options->dump_tables);
        if (r)
                fail(options->dump_tables, strerror(-r));
        return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        static struct program program = { .tester = PEER_NONE, .change_fd = -1, .console = CONSOLE_NONE,
                                          .firmware.boot = { .kernel = -1, .initrd = -1 } };
        struct options options;
        int r = options_read(&options, argc, argv);

        if (r != OPTIONS_OK)
                return r == OPTIONS_DONE ? EXIT_SUCCESS : EXIT_USAGE;
        program.vm.name = options.name;
        program.vm.event = on_event;
        program.vm.userdata = &program;
        vm_init(&program.vm, options.chip, options.qtest ? 0 : runner_moment().now_ns);
        vm_set_actions(&program.vm, NULL, NULL, NULL, options.on_halt);
        if (options.dump_tables)
                return dump_tables(&program, &options);
        if (options.is_paused)
                program.vm.state = RUN_STATE_PRELAUNCH;
        program.qtest.board = &program.vm.board;
        program.signal_fd = block_signals();
        r = start(&program, &options) ? EXIT_FAILURE : run(&program);
        if (program.has_cpu)
                runner_stop(&program.runner);
        if (virtio_bus_close(&program.bus))
                kvm_machine_close(program.machine);
        else
                fprintf(stderr, "vmpower-vmm: a disk does not answer, and is not waited for\n");
        firmware_close(&program.firmware);
        console_close(&program.console);
        for (size_t i = 0; i < program.n_qmps; i++) {
                peer_deinit(&program.qmps[i].peer);
                monitor_deinit(&program.qmps[i].monitor);
        }
        peer_deinit(&program.tester);
        close_fd(&program.change_fd);
        close_fd(&program.signal_fd);
        return r;
}
