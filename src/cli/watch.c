/* vmpower watch: every verdict as it is told. */
#include "basics/cleanup.h"
#include "cli/daemon.h"

#include <errno.h>
#include <getopt.h>

static void free_events(struct vmpower_events **events) {
        vmpower_events_free(*events);
}

static int watch_main(int argc, char **argv) {
        cleanup(vmpower_freep) struct vmpower *vmpower = NULL;
        cleanup(free_events) struct vmpower_events *events = NULL;
        enum vmpower_daemon which;
        bool json;
        int r;

        if (!read_daemon_options(&verb_watch, argc, argv, &json, &which, &r))
                return r;
        if (optind < argc)
                return usage_error(&verb_watch, "it takes no VM, such as %.64s", argv[optind]);

        r = find_daemon(&vmpower, which);
        if (r)
                return r;
        r = vmpower_listen(vmpower, VMPOWER_FROM_NOW, &events);
        if (r)
                return daemon_failure(vmpower, r);
        for (;;) {
                struct vmpower_verdict *verdict;

                r = vmpower_events_next(events, -1, &verdict);
                if (r == VMPOWER_TIMEOUT)
                        continue;
                if (r == -ECONNRESET) {
                        complain("vmpowerd has ended");
                        return STATUS_FAILED;
                }
                if (r)
                        return daemon_failure(vmpower, r);
                if (json)
                        puts(vmpower_verdict_json(verdict));
                else
                        printf("%.23s  %s\n", vmpower_verdict_time(verdict), vmpower_verdict_summary(verdict));
                vmpower_verdict_free(verdict);
                if (fflush(stdout))
                        return STATUS_FAILED;
        }
}

const struct verb verb_watch = {
        .name = "watch",
        .summary = "every verdict, as it is told",
        .help = "Usage: vmpower watch [--json] [--system | --user]\n"
                "\n"
                "Prints each verdict and revision that vmpowerd tells from now on, until it is interrupted.\n"
                "\n"
                "  --json      print one verdict a line, in the form vmpower.verdict/1\n" DAEMON_HELP
                "  -h, --help  this text\n"
                "\n"
                "Exit status: 1 failed, no daemon answers, or it has ended; 2 wrong usage.\n",
        .main = watch_main,
};
