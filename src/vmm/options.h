/*
 * Options: vmpower-vmm's command line.
 */
#pragma once

#include "vmm/fw_cfg.h"
#include "vmpower/acpi_pm.h"

enum {
        OPTIONS_NAME_LENGTH_MAX = 255,
        OPTIONS_QMPS_MAX = 4,
        OPTIONS_DEVICES_MAX = 7, /* one more is always there */
};

struct options {
        const char *name; /* NULL: none */
        enum acpi_pm_chip chip;
        const char *bios;             /* NULL: none */
        const char *kernel, *initrd;  /* NULL: none */
        const char *append;           /* the kernel's command line */
        struct options_disk {
                const char *path;
                bool is_readonly;
        } disks[OPTIONS_DEVICES_MAX];
        const char *taps[OPTIONS_DEVICES_MAX];
        unsigned n_disks, n_taps;     /* together OPTIONS_DEVICES_MAX */
        const char *dump_tables;      /* a directory; NULL: none */
        unsigned n_mib, n_cpus;
        const char *serial; /* "stdio", "none", "file:PATH" */
        const char *on_halt; /* in set-action's word; NULL: as it is */
        bool is_paused; /* it begins with `cont` */
        const char *qmps[OPTIONS_QMPS_MAX]; /* NULL beyond n_qmps */
        size_t n_qmps;
        const char *qtest; /* NULL: none */
        struct fw_cfg fw_cfg;
};

enum {
        OPTIONS_OK = 0,
        OPTIONS_DONE,  /* help or version was printed */
        OPTIONS_USAGE, /* what is wrong was said */
};

/* Names and texts of fw_cfg point into argv. */
int options_read(struct options *ret_options, int argc, char **argv);
