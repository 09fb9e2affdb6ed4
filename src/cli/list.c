/* vmpower list: every VM of the host, its state, its last verdict. */
#include "basics/cleanup.h"
#include "cli/daemon.h"

#include <getopt.h>
#include <inttypes.h>
#include <string.h>

static void print_vm(const struct vmpower_vm *vm) {
        const char *monitor = vmpower_vm_monitor(vm), *could = vmpower_vm_could_attach(vm), *summary = vmpower_vm_last_summary(vm);

        printf("%-20s %-9s %7" PRId64 "  since %.19s  %s\n", vmpower_vm_name(vm), vmpower_vm_state(vm), vmpower_vm_pid(vm),
               vmpower_vm_since(vm), summary ? summary : "");
        if (!monitor && could)
                printf("%-20s watched by its process alone; vmpower attach %s --qmp %s would add how its guest stops\n", "",
                       vmpower_vm_name(vm), could);
}

static void free_list(struct vmpower_vms **vms) {
        vmpower_vms_free(*vms);
}

static int list_main(int argc, char **argv) {
        cleanup(vmpower_freep) struct vmpower *vmpower = NULL;
        cleanup(free_list) struct vmpower_vms *vms = NULL;
        enum vmpower_daemon which;
        bool json;
        int r;

        if (!read_daemon_options(&verb_list, argc, argv, &json, &which, &r))
                return r;
        if (optind < argc)
                return usage_error(&verb_list, "it takes no VM; vmpower why %.64s tells of one", argv[optind]);

        r = find_daemon(&vmpower, which);
        if (r)
                return r;
        r = vmpower_list_vms(vmpower, &vms);
        if (r)
                return daemon_failure(vmpower, r);
        if (json)
                printf("[");
        for (size_t i = 0; i < vmpower_vms_count(vms); i++)
                if (json)
                        printf("%s\n%s", i ? "," : "", vmpower_vm_json(vmpower_vms_get(vms, i)));
                else
                        print_vm(vmpower_vms_get(vms, i));
        if (json)
                printf("\n]\n");
        else if (!vmpower_vms_count(vms))
                printf("No VM runs, or none that you may see.\n");
        return STATUS_OK;
}

const struct verb verb_list = {
        .name = "list",
        .summary = "every VM of the host: its state, its last verdict",
        .help = "Usage: vmpower list [--json] [--system | --user]\n"
                "\n"
                "Lists the VMs that vmpowerd looks after, and what attach would add.\n"
                "\n"
                "  --json      print an array of VMs\n" DAEMON_HELP
                "  -h, --help  this text\n"
                "\n"
                "Exit status: 0; 1 failed, or no daemon answers; 2 wrong usage.\n",
        .main = list_main,
};
