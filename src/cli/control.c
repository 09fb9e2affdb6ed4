/* vmpower shutdown, reset, destroy, pause, resume, wake: ask a VM for something by the monitor that the daemon holds. */
#include "basics/cleanup.h"
#include "cli/daemon.h"

#include <getopt.h>
#include <inttypes.h>

static int control(const struct verb *verb, const char *done, int argc, char **argv) {
        cleanup(vmpower_freep) struct vmpower *vmpower = NULL;
        struct vmpower_vm *vm = NULL;
        enum vmpower_daemon which;
        bool json;
        int r;

        if (!read_daemon_options(verb, argc, argv, &json, &which, &r))
                return r;
        if (argc - optind != 1)
                return usage_error(verb, "it takes one VM, not %d", argc - optind);
        r = find_daemon(&vmpower, which);
        if (r)
                return r;
        r = vmpower_request(vmpower, argv[optind], verb->name, &vm);
        if (r)
                return daemon_failure(vmpower, r);
        if (json)
                puts(vm ? vmpower_vm_json(vm) : "{}");
        else
                printf("%s %s.\n", vm ? vmpower_vm_name(vm) : argv[optind], done);
        vmpower_vm_free(vm);
        return STATUS_OK;
}

#define CONTROL_HELP(word, text)                                                                                       \
        "Usage: vmpower " word " VM [--json] [--system | --user]\n"                                                    \
        "\n" text                                                                                                      \
        "The daemon must hold the VM's monitor (vmpower attach).  Who asked is on record before it is done, and vmpower why\n" \
        "names him.\n"                                                                                                 \
        "\n"                                                                                                           \
        "  --json      print the VM as JSON; {} where it has gone\n" DAEMON_HELP                                        \
        "  -h, --help  this text\n"                                                                                     \
        "\n"                                                                                                           \
        "Exit status: 0; 3 there is no such VM; 1 failed, or no daemon answers; 2 wrong usage.\n"

#define CONTROL(word, done, about, text)                                                                               \
        static int word##_main(int argc, char **argv) {                                                                \
                return control(&verb_##word, done, argc, argv);                                                        \
        }                                                                                                              \
        const struct verb verb_##word = { #word, about, CONTROL_HELP(#word, text), word##_main }

CONTROL(shutdown, "was sent the power button; what its guest makes of it, it will tell",
        "press the VM's power button: its guest may obey",
        "Presses the power button.  A guest that obeys powers itself off; one without ACPI does not even see it.\n");
CONTROL(reset, "was reset", "reset the VM, as its reset button would",
        "Resets the VM at once; its guest is not asked.\n");
CONTROL(destroy, "was destroyed", "end the VM at once",
        "Ends the VM at once (QEMU: quit); its guest is not asked.\n");
CONTROL(pause, "is paused", "stop the VM's CPUs",
        "Stops the VM's CPUs until vmpower resume.\n");
CONTROL(resume, "runs", "let a paused VM run again",
        "Lets a paused VM run again.\n");
CONTROL(wake, "was woken", "wake a VM that is suspended to RAM",
        "Wakes a VM whose guest is suspended to RAM (ACPI S3).\n");
