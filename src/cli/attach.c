/* vmpower attach, vmpower detach: have the daemon hold a VM's monitor, or give it back. */
#include "basics/cleanup.h"
#include "cli/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

struct wish {
        const char *name;
        const char *qmp;
        int64_t pid;
        bool json;
        enum vmpower_daemon which;
};

/* 0, or an exit status + 1: `done`, or wrong usage. */
static int read_wish(const struct verb *verb, const struct option *options, int argc, char **argv, struct wish *wish) {
        char *end;
        int option;

        opterr = 0;
        while ((option = getopt_long(argc, argv, ":h", options, NULL)) >= 0)
                switch (option) {
                case 'q':
                        wish->qmp = optarg;
                        break;
                case 'p':
                        errno = 0;
                        wish->pid = strtol(optarg, &end, 10);
                        if (errno || *end || wish->pid <= 0 || wish->pid > INT_MAX)
                                return usage_error(verb, "--pid takes a process id, not '%.32s'", optarg);
                        break;
                case 'j':
                        wish->json = true;
                        break;
                case OPTION_SYSTEM:
                        wish->which = VMPOWER_SYSTEM_DAEMON;
                        break;
                case OPTION_USER:
                        wish->which = VMPOWER_USER_DAEMON;
                        break;
                case ':':
                        return usage_error(verb, "option %.64s needs a value", argv[optind - 1]);
                default:
                        return unknown_option(verb, argv);
                }
        if (argc - optind != 1)
                return usage_error(verb, "it takes one VM, not %d", argc - optind);
        wish->name = argv[optind];
        return 0;
}

static bool asks_for_help(const struct verb *verb, int argc, char **argv) {
        for (int i = 1; i < argc; i++)
                if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
                        fputs(verb->help, stdout);
                        return true;
                }
        return false;
}

static int tell(struct vmpower *vmpower, int error, struct vmpower_vm *vm, const struct wish *wish, const char *what) {
        if (error)
                return daemon_failure(vmpower, error);
        if (wish->json)
                puts(vmpower_vm_json(vm));
        else
                printf("%s %s (pid %" PRId64 ").\n", vmpower_vm_name(vm), what, vmpower_vm_pid(vm));
        vmpower_vm_free(vm);
        return STATUS_OK;
}

static int attach_main(int argc, char **argv) {
        static const struct option options[] = { { "qmp", required_argument, NULL, 'q' },
                                                 { "pid", required_argument, NULL, 'p' },
                                                 { "json", no_argument, NULL, 'j' },
                                                 DAEMON_OPTIONS,
                                                 {} };
        cleanup(vmpower_freep) struct vmpower *vmpower = NULL;
        cleanup(freep) char *path = NULL;
        struct wish wish = { .which = VMPOWER_ANY_DAEMON };
        struct vmpower_vm *vm = NULL;
        int r;

        if (asks_for_help(&verb_attach, argc, argv))
                return STATUS_OK;
        r = read_wish(&verb_attach, options, argc, argv, &wish);
        if (r)
                return r;
        if (!wish.qmp)
                return usage_error(&verb_attach, "--qmp PATH is missing: the VM's monitor");
        /* The daemon has another working directory. */
        path = realpath(wish.qmp, NULL);
        if (!path) {
                complain("%s: %s", wish.qmp, strerror(errno));
                return STATUS_FAILED;
        }
        r = find_daemon(&vmpower, wish.which);
        if (r)
                return r;
        r = vmpower_attach(vmpower, wish.name, path, wish.pid, &vm);
        return tell(vmpower, r, vm, &wish, "is attached");
}

static int detach_main(int argc, char **argv) {
        static const struct option options[] = { { "json", no_argument, NULL, 'j' }, DAEMON_OPTIONS, {} };
        cleanup(vmpower_freep) struct vmpower *vmpower = NULL;
        struct wish wish = { .which = VMPOWER_ANY_DAEMON };
        struct vmpower_vm *vm = NULL;
        int r;

        if (asks_for_help(&verb_detach, argc, argv))
                return STATUS_OK;
        r = read_wish(&verb_detach, options, argc, argv, &wish);
        if (r)
                return r;
        r = find_daemon(&vmpower, wish.which);
        if (r)
                return r;
        r = vmpower_detach(vmpower, wish.name, &vm);
        return tell(vmpower, r, vm, &wish, "is detached; its process is watched as before");
}

const struct verb verb_attach = {
        .name = "attach",
        .summary = "have the daemon hold a VM's monitor, and see how its guest stops",
        .help = "Usage: vmpower attach NAME --qmp PATH [--pid N] [--json] [--system | --user]\n"
                "\n"
                "Opens the QMP monitor of a VM, which is called NAME from then on.  A monitor serves one client: one that somebody\n"
                "is connected to, and libvirt's, are refused.\n"
                "\n"
                "  --qmp PATH  the monitor's unix socket\n"
                "  --pid N     the VM's process (default: whoever listens there)\n"
                "  --json      print the VM as JSON\n" DAEMON_HELP
                "  -h, --help  this text\n"
                "\n"
                "Exit status: 0; 3 there is no such VM; 1 failed, or no daemon answers; 2 wrong usage.\n",
        .main = attach_main,
};

const struct verb verb_detach = {
        .name = "detach",
        .summary = "have the daemon give a VM's monitor back",
        .help = "Usage: vmpower detach NAME [--json] [--system | --user]\n"
                "\n"
                "Closes the VM's monitor, so that somebody else can use it.  The VM is watched by its process as before.\n"
                "\n"
                "  --json      print the VM as JSON\n" DAEMON_HELP
                "  -h, --help  this text\n"
                "\n"
                "Exit status: 0; 3 there is no such VM; 1 failed, or no daemon answers; 2 wrong usage.\n",
        .main = detach_main,
};
