#include "cli/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

int choose_daemon(const struct verb *verb, int option, enum vmpower_daemon *which) {
        const enum vmpower_daemon wanted = option == OPTION_SYSTEM ? VMPOWER_SYSTEM_DAEMON : VMPOWER_USER_DAEMON;

        if (*which != VMPOWER_ANY_DAEMON && *which != wanted)
                return usage_error(verb, "--system and --user exclude each other");
        *which = wanted;
        return 0;
}

bool read_daemon_options(const struct verb *verb, int argc, char **argv, bool *ret_json, enum vmpower_daemon *ret_which,
                         int *ret_status) {
        static const struct option options[] = {
                { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }, DAEMON_OPTIONS, {}
        };
        int option;

        *ret_json = false;
        *ret_which = VMPOWER_ANY_DAEMON;
        opterr = 0;
        while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (option) {
                case 'j':
                        *ret_json = true;
                        break;
                case OPTION_SYSTEM:
                case OPTION_USER:
                        *ret_status = choose_daemon(verb, option, ret_which);
                        if (*ret_status)
                                return false;
                        break;
                case 'h':
                        fputs(verb->help, stdout);
                        *ret_status = STATUS_OK;
                        return false;
                default:
                        *ret_status = unknown_option(verb, argv);
                        return false;
                }
        return true;
}

int find_daemon(struct vmpower **ret_vmpower, enum vmpower_daemon which) {
        int r = vmpower_new(ret_vmpower, which);

        if (!r)
                return STATUS_OK;
        if (r == -ECONNREFUSED || r == -ENOENT)
                complain("no vmpowerd answers; start one (vmpowerd), or ask --system or --user");
        else
                complain("cannot reach vmpowerd: %s", strerror(-r));
        return STATUS_FAILED;
}

int daemon_failure(const struct vmpower *vmpower, int error) {
        const char *why = vmpower_error(vmpower);

        complain("%s", *why ? why : strerror(-error));
        return error == -ENOENT ? STATUS_NO_SUCH_VM : STATUS_FAILED;
}

void vmpower_freep(struct vmpower **vmpower) {
        vmpower_free(*vmpower);
}
