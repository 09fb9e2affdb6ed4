/* vmpower: why did this VM stop, who did it, and what now? */
#include "basics/cleanup.h"
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

static const struct verb *const verbs[] = {
        &verb_run,
        &verb_why,
        &verb_history,
        &verb_rejudge,
        &verb_prune,
        &verb_status,
        &verb_list,
        &verb_watch,
        &verb_attach,
        &verb_detach,
        &verb_shutdown,
        &verb_reboot,
        &verb_suspend,
        &verb_reset,
        &verb_destroy,
        &verb_pause,
        &verb_resume,
        &verb_wake,
        &verb_doctor,
};

static void print_help(FILE *to) {
        fprintf(to, "Usage: vmpower VERB [OPTION …]\n\n"
                    "Why did this VM stop, who did it, and what now?\n\n");
        for (size_t i = 0; i < N_ELEMENTS(verbs); i++)
                fprintf(to, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
        fprintf(to, "\nvmpower VERB --help tells more.  vmpower --version says which one this is.\n"
                    "State is kept in $VMPOWER_STATE_DIR (root: /var/lib/vmpower, else ~/.local/state/vmpower).\n");
}

/* What was printed must have arrived: a full disk behind `> file` is a failure too. */
static int finish(int status) {
        if (fflush(stdout) && status == STATUS_OK) {
                complain("cannot write to standard output: %s", strerror(errno));
                return STATUS_FAILED;
        }
        return status;
}

int main(int argc, char **argv) {
        const char *name = argc > 1 ? argv[1] : NULL;

        if (!name) {
                print_help(stderr);
                return STATUS_USAGE;
        }
        if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
                print_help(stdout);
                return finish(STATUS_OK);
        }
        if (!strcmp(name, "--version")) {
                printf("vmpower %s\n", VMPOWER_VERSION);
                return finish(STATUS_OK);
        }
        for (size_t i = 0; i < N_ELEMENTS(verbs); i++) {
                if (strcmp(name, verbs[i]->name))
                        continue;
                return finish(verbs[i]->main(argc - 1, argv + 1));
        }
        complain("there is no verb '%.64s'; vmpower --help lists them", name);
        return STATUS_USAGE;
}
