/* vmpower list: every VM of the host, its state, its last verdict. */
#include "basics/cleanup.h"
#include "cli/daemon.h"
#include "core/text.h"
#include "json/time_text.h"

#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

/* "3d 4h", "5m 12s": the two largest parts. */
static void format_uptime(char ret_text[static 32], const char *began) {
        static const struct {
                uint64_t seconds;
                char unit;
        } units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
        uint64_t began_ns, seconds;
        size_t i = 0;
        int n;

        strcpy(ret_text, "-");
        if (!began || time_from_text(began, &began_ns))
                return;
        seconds = began_ns / 1000000000;
        seconds = (uint64_t)time(NULL) > seconds ? (uint64_t)time(NULL) - seconds : 0;
        while (i < N_ELEMENTS(units) - 1 && seconds < units[i].seconds)
                i++;
        n = snprintf(ret_text, 32, "%" PRIu64 "%c", seconds / units[i].seconds, units[i].unit);
        if (i < N_ELEMENTS(units) - 1)
                snprintf(ret_text + n, 32 - (size_t)n, " %" PRIu64 "%c", seconds % units[i].seconds / units[i + 1].seconds, units[i + 1].unit);
}

static void print_head(void) {
        printf("%-24s %-10s %8s %10s  %-8s  %s\n", "NAME", "STATE", "PID", "UPTIME", "MONITOR", "LAST VERDICT");
}

/* What a host's own tools call it: its process, or its domain. */
static void format_number(char ret_text[static 24], const struct vmpower_vm *vm) {
        const char *instance = vmpower_vm_instance(vm);

        if (vmpower_vm_pid(vm) > 0)
                snprintf(ret_text, 24, "%" PRId64, vmpower_vm_pid(vm));
        else if (instance && instance_is_domain(instance))
                snprintf(ret_text, 24, "xen%" PRId64, instance_domid(instance));
        else
                strcpy(ret_text, "-");
}

static void put(void *userdata, const char *bytes, size_t n) {
        fwrite(bytes, 1, n, stdout);
}

/* Whatever somebody has called his VM. */
static void print_word(const char *word) {
        text_quote(word, strlen(word), put, NULL);
}

static void print_attach(const char *name, const char *monitor) {
        const bool is_like_an_option = *name == '-';

        printf("vmpower attach ");
        if (!is_like_an_option) {
                print_word(name);
                putchar(' ');
        }
        printf("--qmp ");
        print_word(monitor);
        if (is_like_an_option) {
                printf(" -- ");
                print_word(name);
        }
}

static void print_vm(const struct vmpower_vm *vm) {
        const char *monitor = vmpower_vm_monitor(vm), *could = vmpower_vm_could_attach(vm), *summary = vmpower_vm_last_summary(vm);
        const char *name = vmpower_vm_name(vm);
        char uptime[32], number[24];

        format_uptime(uptime, vmpower_vm_began(vm));
        format_number(number, vm);
        printf("%-*s %-10s %8s %10s  %-8s  %s\n", text_field(name, 24), name, vmpower_vm_state(vm), number, uptime,
               monitor ? "held" : "-", summary ? summary : "-");
        if (!monitor && could) {
                printf("%-24s watched by its process alone; ", "");
                print_attach(name, could);
                printf(" would add how its guest stops\n");
        }
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
        else if (vmpower_vms_count(vms))
                print_head();
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
