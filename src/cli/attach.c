/* vmpower attach, vmpower detach: have the daemon hold a VM's monitor, or give it back. */
#include "basics/cleanup.h"
#include "cli/daemon.h"
#include "core/record.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

static int tell(struct vmpower *vmpower, int error, struct vmpower_vm *vm, bool json, const char *what) {
        if (error)
                return daemon_failure(vmpower, error);
        if (json)
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
                                                 { "help", no_argument, NULL, 'h' },
                                                 DAEMON_OPTIONS,
                                                 {} };
        cleanup(vmpower_freep) struct vmpower *vmpower = NULL;
        cleanup(freep) char *path = NULL;
        enum vmpower_daemon which = VMPOWER_ANY_DAEMON;
        const char *qmp = NULL;
        struct vmpower_vm *vm = NULL;
        bool json = false;
        long pid = 0;
        int option, r;
        char *end;

        opterr = 0;
        while ((option = getopt_long(argc, argv, ":h", options, NULL)) >= 0)
                switch (option) {
                case 'q':
                        qmp = optarg;
                        break;
                case 'p':
                        errno = 0;
                        pid = strtol(optarg, &end, 10);
                        if (errno || *end || pid <= 0 || pid > INT_MAX)
                                return usage_error(&verb_attach, "--pid takes a process id, not '%.32s'", optarg);
                        break;
                case 'j':
                        json = true;
                        break;
                case OPTION_SYSTEM:
                case OPTION_USER:
                        r = choose_daemon(&verb_attach, option, &which);
                        if (r)
                                return r;
                        break;
                case 'h':
                        fputs(verb_attach.help, stdout);
                        return STATUS_OK;
                case ':':
                        return usage_error(&verb_attach, "option %.64s needs a value", argv[optind - 1]);
                default:
                        return unknown_option(&verb_attach, argv);
                }
        r = check_vm(&verb_attach, argc - optind, argv + optind, false);
        if (r)
                return r;
        if (!qmp || !*qmp)
                return usage_error(&verb_attach, "--qmp PATH is missing: the VM's monitor");
        /* The daemon has another working directory. */
        path = realpath(qmp, NULL);
        if (!path) {
                complain("%s: %s", qmp, strerror(errno));
                return STATUS_FAILED;
        }
        r = find_daemon(&vmpower, which);
        if (r)
                return r;
        r = vmpower_attach(vmpower, argv[optind], path, pid, &vm);
        return tell(vmpower, r, vm, json, "is attached");
}

static int detach_main(int argc, char **argv) {
        cleanup(vmpower_freep) struct vmpower *vmpower = NULL;
        struct vmpower_vm *vm = NULL;
        enum vmpower_daemon which;
        bool json, is_watched;
        int r;

        if (!read_daemon_options(&verb_detach, argc, argv, &json, &which, &r))
                return r;
        r = check_vm(&verb_detach, argc - optind, argv + optind, false);
        if (r)
                return r;
        r = find_daemon(&vmpower, which);
        if (r)
                return r;
        r = vmpower_detach(vmpower, argv[optind], &vm);
        /* One that is nothing but its monitor has no process to watch. */
        is_watched = vm && !instance_is_monitors(vmpower_vm_instance(vm));
        return tell(vmpower, r, vm, json, is_watched ? "is detached; its process is watched as before" : "is detached; nobody watches it now");
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
