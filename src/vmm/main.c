/*
 * vmpower-vmm: a monitor of virtual machines that always knows why one stops.
 *
 * Knows its command line, and the loop around its sockets.
 */
#include "basics/cleanup.h"
#include "vmm/monitor.h"
#include "vmm/peer.h"
#include "vmm/qtest.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

enum { EXIT_USAGE = 2 };

struct options {
        enum acpi_pm_chip chip;
        const char *qmp, *qtest; /* NULL: none */
};

struct program {
        struct vm vm;
        struct monitor monitor;
        struct qtest qtest;
        struct peer qmp, tester;
        char line[QTEST_LINE_MAX]; /* of the tester's, as far as it has come */
        size_t n_line;
};

static void print_help(FILE *file) {
        fputs("Usage: vmpower-vmm --qtest PATH [--qmp PATH] [--machine piix4|ich9]\n"
              "\n"
              "The power-management hardware of a PC, driven by a test in the CPU's place.\n"
              "\n"
              "  --machine piix4|ich9  whose registers: those of QEMU's machine pc (the default) or q35\n"
              "  --qtest PATH          listen on this unix socket for QEMU's qtest protocol\n"
              "  --qmp PATH            listen on this unix socket for QMP, QEMU's monitor protocol\n"
              "  --help                this text\n"
              "  --version\n",
              file);
}

static int read_machine(const char *word, enum acpi_pm_chip *ret_chip) {
        if (!strcmp(word, "piix4"))
                *ret_chip = ACPI_PM_PIIX4;
        else if (!strcmp(word, "ich9"))
                *ret_chip = ACPI_PM_ICH9;
        else
                return -EINVAL;
        return 0;
}

/* 0: go on; else the status to end with, plus 1. */
static int read_options(struct options *options, int argc, char **argv) {
        enum { MACHINE = 256, QMP, QTEST, VERSION };
        static const struct option known[] = {
                { "machine", required_argument, NULL, MACHINE }, { "qmp", required_argument, NULL, QMP },
                { "qtest", required_argument, NULL, QTEST },     { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, VERSION },       { 0 },
        };
        int c;

        *options = (struct options){ .chip = ACPI_PM_PIIX4 };
        while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1)
                switch (c) {
                case MACHINE:
                        if (read_machine(optarg, &options->chip)) {
                                fprintf(stderr, "vmpower-vmm: --machine is piix4 or ich9, not \"%s\"\n", optarg);
                                return EXIT_USAGE + 1;
                        }
                        break;
                case QMP:
                        options->qmp = optarg;
                        break;
                case QTEST:
                        options->qtest = optarg;
                        break;
                case VERSION:
                        puts("vmpower-vmm " VMPOWER_VERSION);
                        return EXIT_SUCCESS + 1;
                case 'h':
                        print_help(stdout);
                        return EXIT_SUCCESS + 1;
                default:
                        fputs("vmpower-vmm: try --help\n", stderr);
                        return EXIT_USAGE + 1;
                }
        if (optind < argc) {
                fprintf(stderr, "vmpower-vmm: \"%s\" is no option; try --help\n", argv[optind]);
                return EXIT_USAGE + 1;
        }
        if (!options->qtest) {
                fputs("vmpower-vmm: --qtest PATH is missing; try --help\n", stderr);
                return EXIT_USAGE + 1;
        }
        return 0;
}

static void on_event(void *userdata, const char *name, json_t *data) {
        struct program *program = userdata;

        monitor_event(&program->monitor, name, data);
}

static void send_to_client(void *userdata, const char *text, size_t n) {
        struct program *program = userdata;

        peer_send(&program->qmp, text, n);
}

/* --- its sockets ------------------------------------------------------------------------------------------------- */

static void tell_interrupt(struct program *program) {
        char line[QTEST_REPLY_MAX];

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

static void serve_client(struct program *program) {
        char *buffer;
        ssize_t n = monitor_space(&program->monitor, &buffer);

        if (n > 0)
                n = peer_receive(&program->qmp, buffer, (size_t)n);
        if (!n || n == -ENOMEM)
                peer_drop(&program->qmp);
        monitor_take(&program->monitor, n > 0 ? (size_t)n : 0, program->qtest.now_ns);
        tell_interrupt(program);
}

static void serve(struct program *program, struct peer *peer, short events, void (*serve_peer)(struct program *program)) {
        const bool was_connected = peer->fd >= 0;

        if (!events)
                return;
        if (!was_connected) {
                if (peer_accept(peer) && peer == &program->qmp)
                        monitor_begin(&program->monitor);
                program->n_line = peer == &program->tester ? 0 : program->n_line;
                return;
        }
        if (events & POLLOUT)
                peer_flush(peer);
        if (peer->fd >= 0 && (events & ~POLLOUT))
                serve_peer(program);
}

/* In QEMU's words, for those who read its standard error. */
static void take_signal(struct program *program, int fd) {
        struct signalfd_siginfo info;

        if (read(fd, &info, sizeof(info)) != sizeof(info))
                return;
        fprintf(stderr, "vmpower-vmm: terminating on signal %" PRIu32 " from pid %" PRIu32 "\n", info.ssi_signo, info.ssi_pid);
        vm_terminate(&program->vm);
}

static int run(struct program *program, int signals) {
        while (!program->vm.is_over) {
                struct pollfd fds[] = { peer_poll(&program->qmp), peer_poll(&program->tester), { .fd = signals, .events = POLLIN } };

                if (poll(fds, N_ELEMENTS(fds), -1) < 0 && errno != EINTR) {
                        perror("vmpower-vmm: poll");
                        return EXIT_FAILURE;
                }
                if (fds[2].revents)
                        take_signal(program, signals);
                serve(program, &program->qmp, fds[0].revents, serve_client);
                serve(program, &program->tester, fds[1].revents, serve_tester);
        }
        return EXIT_SUCCESS;
}

static int listen_at(struct peer *peer, const char *path) {
        int r = path ? peer_listen(peer, path) : 0;

        if (r)
                fprintf(stderr, "vmpower-vmm: cannot listen at %s: %s\n", path, strerror(-r));
        return r;
}

static int block_signals(void) {
        sigset_t set;

        signal(SIGPIPE, SIG_IGN);
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv) {
        static struct program program;
        struct options options;
        int r, signals;

        r = read_options(&options, argc, argv);
        if (r)
                return r - 1;
        program.qmp = program.tester = PEER_NONE;
        program.vm.event = on_event;
        program.vm.userdata = &program;
        vm_init(&program.vm, options.chip, 0);
        monitor_init(&program.monitor, &program.vm, send_to_client, &program);
        program.qtest.board = &program.vm.board;
        signals = block_signals();
        r = EXIT_FAILURE;
        if (signals < 0)
                perror("vmpower-vmm: signalfd");
        else if (!listen_at(&program.qmp, options.qmp) && !listen_at(&program.tester, options.qtest))
                r = run(&program, signals);
        peer_deinit(&program.qmp);
        peer_deinit(&program.tester);
        monitor_deinit(&program.monitor);
        close_fd(&signals);
        return r;
}
