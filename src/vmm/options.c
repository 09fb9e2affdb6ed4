#include "vmm/options.h"

#include "basics/cleanup.h"
#include "vmm/kvm_machine.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(void) {
        puts("Usage: vmpower-vmm --kernel FILE [--initrd FILE] [--append TEXT] [OPTION ...]\n"
             "       vmpower-vmm --bios FILE [OPTION ...]\n"
             "       vmpower-vmm --qtest PATH [OPTION ...]\n"
             "       vmpower-vmm --dump-tables DIRECTORY [OPTION ...]\n"
             "\n"
             "A virtual machine under KVM whose end is always explained, or (--qtest) its hardware with a test in the CPU's place.\n"
             "\n"
             "  --name NAME                 what the VM is called, by those who look after it\n"
             "  --kernel FILE               run this Linux: a bzImage, or a vmlinux with a PVH entry\n"
             "  --initrd FILE               the kernel's initial RAM disk\n"
             "  --append TEXT               the kernel's command line\n"
             "  --disk FILE                 the kernel's next disk, /dev/vda and so on: a raw image, or a disk of the host; FILE,ro is only read\n"
             "  --tap NAME                  the kernel's next network interface is this tap device of the host\n"
             "  --bios FILE                 run this firmware: a ROM of at most 1 MiB, in whole pages\n"
             "  --memory MIB                1 to 1048576; 128 by default\n"
             "  --cpus N                    1 to 16; 1 by default\n"
             "  --machine piix4|ich9        whose power-management registers: those of QEMU's machine pc (the default) or q35\n"
             "  --serial stdio|none|file:PATH  where the first serial port goes; stdio by default\n"
             "  --fw-cfg NAME=TEXT          tell firmware this, as QEMU's -fw_cfg name=NAME,string=TEXT does\n"
             "  --on-halt poweroff|none     what becomes of a guest that is halted for good; poweroff by default\n"
             "  --paused                    the CPUs wait for QMP's `cont`\n"
             "  --qmp PATH                  listen on this unix socket for QMP, QEMU's monitor protocol; up to four times\n"
             "  --qtest PATH                listen on this unix socket for QEMU's qtest protocol; no CPU runs\n"
             "  --dump-tables DIRECTORY     write the ACPI tables of such a machine there, each in a file, and run nothing\n"
             "  --help                      this text\n"
             "  --version\n"
             "\n"
             "Exit status: 0 it has ended (QMP has said why); 1 it could not go on, or not begin; 2 a wrong option.");
}

/* `word` is what was given: it stands in quotes behind what is wanted. */
static int wrong(const char *wanted, const char *word) {
        fprintf(stderr, "vmpower-vmm: %s, not \"%s\"; try --help\n", wanted, word);
        return OPTIONS_USAGE;
}

static int read_machine(struct options *options, const char *word) {
        if (!strcmp(word, "piix4"))
                options->chip = ACPI_PM_PIIX4;
        else if (!strcmp(word, "ich9"))
                options->chip = ACPI_PM_ICH9;
        else
                return wrong("--machine is piix4 or ich9", word);
        return OPTIONS_OK;
}

/* A number from 1 to `max`; 0: it is none. */
static unsigned read_number(const char *word, unsigned max) {
        char *end;
        const unsigned long n = strtoul(word, &end, 10);

        return *word < '0' || *word > '9' || *end || n > max ? 0 : (unsigned)n;
}

static int read_memory(struct options *options, const char *word) {
        options->n_mib = read_number(word, KVM_MACHINE_MIB_MAX);
        return options->n_mib ? OPTIONS_OK : wrong("--memory is 1 to 1048576 MiB", word);
}

static int read_cpus(struct options *options, const char *word) {
        options->n_cpus = read_number(word, KVM_CPUS_MAX);
        return options->n_cpus ? OPTIONS_OK : wrong("--cpus is 1 to 16", word);
}

/* One thing to do, and only what belongs to it. */
static int check(const struct options *options) {
        const int n = !!options->kernel + !!options->bios + !!options->qtest + !!options->dump_tables;

        if (n != 1)
                return wrong("one of --kernel, --bios, --qtest and --dump-tables is wanted", n ? "several" : "none");
        if (!options->kernel && (options->initrd || *options->append))
                return wrong("--initrd and --append are a --kernel's", options->initrd ? options->initrd : options->append);
        if (!options->kernel && !options->dump_tables && options->n_disks + options->n_taps)
                return wrong("--disk and --tap are a --kernel's", options->n_disks ? options->disks[0].path : options->taps[0]);
        return OPTIONS_OK;
}

/* A path may have commas. */
static int read_disk(struct options *options, char *word) {
        const size_t n = strlen(word);
        const bool is_readonly = n > 3 && !strcmp(word + n - 3, ",ro");

        if (options->n_disks + options->n_taps == OPTIONS_DEVICES_MAX)
                return wrong("there are at most 7 --disk and --tap", word);
        if (!*word)
                return wrong("--disk is FILE[,ro]", word);
        if (is_readonly)
                word[n - 3] = '\0';
        options->disks[options->n_disks++] = (struct options_disk){ word, is_readonly };
        return OPTIONS_OK;
}

static int read_tap(struct options *options, const char *word) {
        if (options->n_disks + options->n_taps == OPTIONS_DEVICES_MAX)
                return wrong("there are at most 7 --disk and --tap", word);
        options->taps[options->n_taps++] = word;
        return OPTIONS_OK;
}

static int read_serial(struct options *options, const char *word) {
        if (strcmp(word, "stdio") != 0 && strcmp(word, "none") != 0 && (strncmp(word, "file:", 5) != 0 || !word[5]))
                return wrong("--serial is stdio, none or file:PATH", word);
        options->serial = word;
        return OPTIONS_OK;
}

static int read_name(struct options *options, const char *word) {
        if (!*word || strlen(word) > OPTIONS_NAME_LENGTH_MAX)
                return wrong("a name has 1 to 255 letters", word);
        options->name = word;
        return OPTIONS_OK;
}

static int read_fw_cfg(struct options *options, char *word) {
        char *equals = strchr(word, '=');
        int r;

        if (!equals || equals == word)
                return wrong("--fw-cfg is NAME=TEXT", word);
        *equals = '\0';
        r = fw_cfg_add(&options->fw_cfg, word, equals + 1);
        if (r == -ENOSPC)
                return wrong("there are at most 16 --fw-cfg", word);
        return r ? wrong("a name has at most 55 letters", word) : OPTIONS_OK;
}

int options_read(struct options *ret_options, int argc, char **argv) {
        enum { NAME = 256, KERNEL, INITRD, APPEND, DISK, TAP, BIOS, MEMORY, CPUS, MACHINE, SERIAL, FW_CFG, ON_HALT, PAUSED, QMP, QTEST, DUMP_TABLES, VERSION };
        static const struct option known[] = {
                { "name", required_argument, NULL, NAME },       { "kernel", required_argument, NULL, KERNEL },
                { "initrd", required_argument, NULL, INITRD },   { "append", required_argument, NULL, APPEND },
                { "bios", required_argument, NULL, BIOS },       { "memory", required_argument, NULL, MEMORY },
                { "cpus", required_argument, NULL, CPUS },       { "machine", required_argument, NULL, MACHINE },
                { "serial", required_argument, NULL, SERIAL },   { "fw-cfg", required_argument, NULL, FW_CFG },
                { "on-halt", required_argument, NULL, ON_HALT }, { "paused", no_argument, NULL, PAUSED },
                { "qmp", required_argument, NULL, QMP },         { "qtest", required_argument, NULL, QTEST },
                { "disk", required_argument, NULL, DISK },       { "tap", required_argument, NULL, TAP },
                { "dump-tables", required_argument, NULL, DUMP_TABLES },
                { "help", no_argument, NULL, 'h' },              { "version", no_argument, NULL, VERSION },
                { 0 },
        };
        struct options *options = ret_options;
        int c, r = OPTIONS_OK;

        *options = (struct options){ .chip = ACPI_PM_PIIX4, .n_mib = 128, .n_cpus = 1, .append = "", .serial = "stdio" };
        opterr = 0;
        while (!r && (c = getopt_long(argc, argv, ":h", known, NULL)) != -1)
                switch (c) {
                case NAME:
                        r = read_name(options, optarg);
                        break;
                case KERNEL:
                        options->kernel = optarg;
                        break;
                case INITRD:
                        options->initrd = optarg;
                        break;
                case APPEND:
                        options->append = optarg;
                        break;
                case DISK:
                        r = read_disk(options, optarg);
                        break;
                case TAP:
                        r = read_tap(options, optarg);
                        break;
                case CPUS:
                        r = read_cpus(options, optarg);
                        break;
                case DUMP_TABLES:
                        options->dump_tables = optarg;
                        break;
                case BIOS:
                        options->bios = optarg;
                        break;
                case MEMORY:
                        r = read_memory(options, optarg);
                        break;
                case MACHINE:
                        r = read_machine(options, optarg);
                        break;
                case SERIAL:
                        r = read_serial(options, optarg);
                        break;
                case FW_CFG:
                        r = read_fw_cfg(options, optarg);
                        break;
                case ON_HALT:
                        options->on_halt = optarg;
                        if (strcmp(optarg, "poweroff") != 0 && strcmp(optarg, "none") != 0)
                                return wrong("--on-halt is poweroff or none", optarg);
                        break;
                case PAUSED:
                        options->is_paused = true;
                        break;
                case QMP:
                        if (options->n_qmps == OPTIONS_QMPS_MAX)
                                return wrong("there are at most 4 --qmp", optarg);
                        options->qmps[options->n_qmps++] = optarg;
                        break;
                case QTEST:
                        options->qtest = optarg;
                        break;
                case VERSION:
                        puts("vmpower-vmm " VMPOWER_VERSION);
                        return OPTIONS_DONE;
                case 'h':
                        print_help();
                        return OPTIONS_DONE;
                case ':':
                        return wrong("an option with its value is wanted", argv[optind - 1]);
                default:
                        return wrong("an option is wanted", argv[optind - 1]);
                }
        if (r)
                return r;
        if (optind < argc)
                return wrong("an option is wanted", argv[optind]);
        return check(options);
}
