/* vmpower watch: every verdict as it is told. */
#include "basics/cleanup.h"
#include "cli/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <time.h>

/* So often it is looked whether a daemon that has ended is back. */
#define LOOK_EVERY_NS (200 * 1000 * 1000)

static void free_events(struct vmpower_events **events) {
        vmpower_events_free(*events);
}

/*
 * Go on behind `after`; VMPOWER_FROM_NOW, or more than the daemon has told (it has another history by now): from here on, but from a number,
 * behind which a later daemon goes on.
 */
static int listen_behind(struct vmpower *vmpower, uint64_t after, struct vmpower_events **ret_events) {
        cleanup(json_decrefp) json_t *health = NULL;
        cleanup(freep) char *text = NULL;
        json_int_t last;
        int r;

        r = vmpower_get(vmpower, "/v1/health", &text);
        if (r)
                return r;
        health = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        last = json_integer_value(json_object_get(health, "last_number"));
        if (last >= 0 && after > (uint64_t)last)
                after = (uint64_t)last;
        return vmpower_listen(vmpower, after, ret_events);
}

/* Nothing that a later try could mend. */
static bool is_final(int r) {
        return r != -ECONNREFUSED && r != -ECONNRESET && r != -ETIMEDOUT && r != -EAGAIN;
}

/* The daemon has ended, or we were too slow for it. */
static int listen_again(struct vmpower *vmpower, struct vmpower_events **events) {
        const uint64_t after = vmpower_events_number(*events);
        bool is_told = false;
        int r;

        *events = vmpower_events_free(*events);
        for (;;) {
                /* Before the first try, too: a daemon that ends each stream at once is not asked without a pause. */
                nanosleep(&(struct timespec){ .tv_nsec = LOOK_EVERY_NS }, NULL);
                r = listen_behind(vmpower, after, events);
                if (!r || is_final(r))
                        return r;
                if (!is_told)
                        complain("vmpowerd has ended; when it is back, what it has told is told here, too");
                is_told = true;
        }
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
        r = listen_behind(vmpower, VMPOWER_FROM_NOW, &events);
        if (r)
                return daemon_failure(vmpower, r);
        for (;;) {
                struct vmpower_verdict *verdict;

                r = vmpower_events_next(events, -1, &verdict);
                if (r == VMPOWER_TIMEOUT)
                        continue;
                if (r == -ECONNRESET) {
                        r = listen_again(vmpower, &events);
                        if (!r)
                                continue;
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
                "Where vmpowerd ends, the next one is waited for, and what that has told meanwhile is printed, too.\n"
                "\n"
                "  --json      print one verdict a line, in the form vmpower.verdict/1\n" DAEMON_HELP
                "  -h, --help  this text\n"
                "\n"
                "Exit status: 1 failed, or no daemon answers; 2 wrong usage.\n",
        .main = watch_main,
};
