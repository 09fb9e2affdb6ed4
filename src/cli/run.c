/* vmpower run: start a VM, stay with it, and say why it stopped. */
#include "basics/cleanup.h"
#include "cli/cli.h"
#include "core/text.h"
#include "engine/directories.h"
#include "runner/runner.h"
#include "json/verdict_json.h"
#include "outlets/verdict_file.h"
#include "store/store_scratch.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A supervisor that ends us mostly ends the VM too: so long we wait for that, to tell it. */
#define LEAVE_AFTER_USEC 2000000

/* A VM that waits for our word to start is not left before it has started: so often it is seen whether it has. */
#define LEAVE_RETRY_USEC 100000

/* But one whose monitor never answers (a script that does not pass "$@" on) cannot be waited for without end. */
#define LEAVE_UNSEEN_AFTER_USEC 60000000

/* The exit statuses that are run's own: the design's table. */
enum {
        EXIT_CRASHED = 10,
        EXIT_DESTROYED = 11,
        EXIT_HOST = 12,
        EXIT_VMM_FAILED = 13,
        EXIT_HALTED = 14,
        EXIT_UNKNOWN = 15,
};

struct run {
        sd_event *event;
        struct runner *runner;
        const char *verdict_path;
        bool is_quiet;
        int status;
        json_t *last; /* the last verdict; owned */
        char last_id[VERDICT_ID_MAX];
        char last_summary[VERDICT_SUMMARY_MAX];
        char last_name[VM_NAME_MAX];
        char scratch[STORE_SCRATCH_MAX]; /* the directory of its history where the lasting one takes nothing; "": none */
        sd_event_source *leave_timer;
        uint64_t leave_unseen_usec; /* then it is left in any case; 0: nothing has been waited for */
};

static int status_of(const struct verdict *verdict) {
        if (verdict->mechanism == MECHANISM_WATCHDOG)
                return EXIT_CRASHED;
        if (verdict->initiator == INITIATOR_HOST && verdict->transition != TRANSITION_PAUSE)
                return EXIT_HOST;
        switch (verdict->transition) {
        case TRANSITION_POWEROFF:
        case TRANSITION_HIBERNATE:
        case TRANSITION_REBOOT:
        case TRANSITION_MIGRATE:
                return STATUS_OK;
        case TRANSITION_CRASH:
                return EXIT_CRASHED;
        case TRANSITION_DESTROY:
                return EXIT_DESTROYED;
        case TRANSITION_FAILURE:
                return EXIT_VMM_FAILED;
        case TRANSITION_HALT:
                return EXIT_HALTED;
        case TRANSITION_START:
        case TRANSITION_SUSPEND:
        case TRANSITION_WAKE:
        case TRANSITION_PAUSE:
        case TRANSITION_RESUME:
        case TRANSITION_UNKNOWN:
        case _TRANSITION_N:
                break;
        }
        return EXIT_UNKNOWN;
}

static void write_verdict(struct run *run) {
        int r;

        if (!run->verdict_path || !run->last)
                return;
        r = verdict_file_write(run->verdict_path, run->last);
        if (r)
                complain("cannot write %s: %s", run->verdict_path, strerror(-r));
}

/* QEMU's last words are of the monitor that is added to it: nothing that the user gave has failed. */
static void explain_own_monitor(const struct verdict_record *record) {
        for (size_t i = 0; i < record->n_items; i++) {
                const struct evidence *words = &record->items[i];

                if (words->kind != EVIDENCE_MESSAGE || !strstr(words->text, "-chardev socket,id=vmpower,"))
                        continue;
                complain("QEMU cannot make the monitor that is added to it: where its command line makes it another user, let vmpower be that user "
                         "too (setpriv ... vmpower run -- qemu-system-...), or QEMU change it itself (-runas USER)");
                return;
        }
}

static void on_verdict(const struct verdict_record *record, void *userdata) {
        struct run *run = userdata;

        json_decref(run->last);
        if (verdict_record_to_json(record, &run->last)) {
                run->last = NULL;
                complain("out of memory");
        }
        run->status = status_of(&record->verdict);
        memcpy(run->last_id, record->id, sizeof(run->last_id));
        memcpy(run->last_summary, record->summary, sizeof(run->last_summary));
        memcpy(run->last_name, record->vm.name, sizeof(run->last_name));
        write_verdict(run);
        if (record->verdict.transition == TRANSITION_FAILURE)
                explain_own_monitor(record);
}

static void on_decided(const char *verdict_id, const struct decision *decision, void *userdata) {
        struct run *run = userdata;
        json_t *result = run->last ? json_object_get(run->last, "decision") : NULL;

        if (strcmp(verdict_id, run->last_id) || !json_is_object(result))
                return;
        json_object_set_new(result, "result", json_string(decision_result_name(decision->result)));
        write_verdict(run);
}

static int on_stderr_is_writable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct run *run = userdata;

        return sd_event_exit(run->event, 0);
}

/* What is to be said at the end is said when its reader takes it; meanwhile we can be told to end. */
static void on_finished(void *userdata) {
        struct run *run = userdata;

        if (run->is_quiet || sd_event_add_io(run->event, NULL, STDERR_FILENO, EPOLLOUT, on_stderr_is_writable, run) < 0)
                sd_event_exit(run->event, 0);
}

static void on_trouble(const char *line, void *userdata) {
        complain("%s", line);
}

static bool waits_long_enough(struct run *run) {
        uint64_t now = 0;

        sd_event_now(run->event, CLOCK_MONOTONIC, &now);
        if (!run->leave_unseen_usec) {
                run->leave_unseen_usec = now + LEAVE_UNSEEN_AFTER_USEC;
                complain("told to end, but the VM has not started yet: it is waited for, %d s at most",
                         LEAVE_UNSEEN_AFTER_USEC / 1000000);
        }
        return now >= run->leave_unseen_usec;
}

static int leave(struct run *run) {
        const bool is_seen = runner_may_leave(run->runner);
        const char *name;
        int64_t pid;

        if (!is_seen && !waits_long_enough(run)) {
                sd_event_source_set_time_relative(run->leave_timer, LEAVE_RETRY_USEC);
                return sd_event_source_set_enabled(run->leave_timer, SD_EVENT_ONESHOT);
        }
        pid = runner_leave(run->runner, "vmpower run was told to end", &name);
        /* Where the VM has ended already, its verdict holds. */
        if (pid > 0) {
                complain("told to end: %s runs on as pid %lld, and nobody looks after it%s", name, (long long)pid,
                         is_seen ? "" : "; its monitor never answered, so it may still wait to be started");
                run->status = EXIT_UNKNOWN;
                run->last_summary[0] = '\0';
        }
        return sd_event_exit(run->event, 0);
}

static int on_leave(sd_event_source *source, uint64_t usec, void *userdata) {
        return leave(userdata);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        struct run *run = userdata;

        /* Its hangup the terminal tells to the session's leader alone; the others hear of it when that one ends. */
        if (info->ssi_code == SI_KERNEL && info->ssi_signo == SIGHUP && getsid(0) == getpid()) {
                kill(0, SIGHUP);
                return 0;
        }
        /* ^C and ^\ it sends to the VM as well: what they do is the VM's to say. */
        if (info->ssi_code == SI_KERNEL || info->ssi_pid == (uint32_t)getpid())
                return 0;
        if (run->leave_timer)
                return leave(run);
        return sd_event_add_time_relative(run->event, &run->leave_timer, CLOCK_MONOTONIC, LEAVE_AFTER_USEC, 0, on_leave, run);
}

/* What was ignored when we were started (nohup, a shell's background) is ignored. */
static bool is_ignored(int signal) {
        struct sigaction action;

        return !sigaction(signal, NULL, &action) && action.sa_handler == SIG_IGN;
}

static int add_signals(struct run *run) {
        static const int signals[] = { SIGINT, SIGQUIT, SIGHUP, SIGTERM };

        for (size_t i = 0; i < N_ELEMENTS(signals); i++) {
                int r = is_ignored(signals[i]) ? 0 : sd_event_add_signal(run->event, NULL, signals[i], on_signal, run);

                if (r < 0)
                        return r;
        }
        return 0;
}

static void block_signals(sigset_t *ret_before) {
        /* SIGPIPE: what the VM says on standard error counts when nobody reads it any more. */
        static const int signals[] = { SIGCHLD, SIGINT, SIGQUIT, SIGHUP, SIGTERM, SIGPIPE };
        sigset_t ours;

        sigemptyset(&ours);
        for (size_t i = 0; i < N_ELEMENTS(signals); i++)
                sigaddset(&ours, signals[i]);
        sigprocmask(SIG_BLOCK, &ours, ret_before);
}

/* -help, -version and their like: no VM comes of it, so QEMU simply takes our place. */
static int become_vmm(char **argv) {
        execvp(argv[0], argv);
        complain("cannot run %s: %s", argv[0], strerror(errno));
        return STATUS_FAILED;
}

/* A VM is not kept off its host by a disk: what is seen of it is judged and told all the same. */
static int open_scratch(struct run *run, struct store **ret_store, const char *monitors, const char *reason) {
        char why[STORE_WHY_MAX];

        if (store_open_scratch(ret_store, monitors, run->scratch, why)) {
                complain("%s", reason);
                complain("%s", why);
                return STATUS_FAILED;
        }
        complain("%s; the VM runs all the same, and its history is kept in memory, until it ends", reason);
        return STATUS_OK;
}

static int run_vm(struct run *run, struct runner_config *config) {
        cleanup(store_closep) struct store *store = NULL;
        char state[PATH_MAX], monitors[PATH_MAX], why[STORE_WHY_MAX];
        struct runner_events events = { on_verdict, on_decided, on_finished, on_trouble, run };
        sigset_t before;
        int r;

        if (run->verdict_path && (r = verdict_file_check(run->verdict_path))) {
                complain("cannot write %s: %s", run->verdict_path, strerror(-r));
                return STATUS_FAILED;
        }
        r = state_directory(state, sizeof(state));
        if (r) {
                complain("there is no place for its state: set VMPOWER_STATE_DIR or HOME");
                return STATUS_FAILED;
        }
        r = monitor_directory(monitors, sizeof(monitors));
        if (r) {
                complain("cannot use %s for monitors: %s; set VMPOWER_RUN_DIR", monitors,
                         r == -EPERM ? "it must be yours, and closed to others (mode 0700)" : strerror(-r));
                return STATUS_FAILED;
        }
        block_signals(&before);
        r = store_open(&store, state, STORE_WRITE, why);
        if (store_is_for_want_of_disk(r))
                r = open_scratch(run, &store, monitors, why);
        else if (r)
                complain("%s", why);
        if (r)
                return STATUS_FAILED;
        config->mask = &before;
        config->monitor_directory = monitors;

        r = sd_event_new(&run->event);
        if (r >= 0)
                r = add_signals(run);
        if (r < 0) {
                complain("cannot prepare to watch a VM: %s", strerror(-r));
                return STATUS_FAILED;
        }
        r = runner_start(&run->runner, run->event, store, config, &events, why);
        /* It could still be opened, where others have it open. */
        if (store_is_for_want_of_disk(r) && !run->scratch[0]) {
                store = store_close(store);
                if (open_scratch(run, &store, monitors, why))
                        return STATUS_FAILED;
                r = runner_start(&run->runner, run->event, store, config, &events, why);
        }
        if (r) {
                complain("%s", why);
                return r == -EINVAL ? STATUS_USAGE : STATUS_FAILED;
        }
        r = sd_event_loop(run->event);
        if (r < 0) {
                complain("the event loop failed: %s", strerror(-r));
                return STATUS_FAILED;
        }
        return run->status;
}

static int run_main(int argc, char **argv) {
        enum {
                OPTION_NAME = 256,
                OPTION_POLICY,
                OPTION_VERDICT,
                OPTION_EXIT_STATUS,
        };
        static const struct option options[] = {
                { "name", required_argument, NULL, OPTION_NAME },
                { "policy", required_argument, NULL, OPTION_POLICY },
                { "verdict", required_argument, NULL, OPTION_VERDICT },
                { "exit-status", required_argument, NULL, OPTION_EXIT_STATUS },
                { "json", no_argument, NULL, 'j' },
                { "quiet", no_argument, NULL, 'q' },
                { "help", no_argument, NULL, 'h' },
                {},
        };
        cleanup(freep) const char **settings = calloc((size_t)argc, sizeof(*settings));
        struct runner_config config = { .settings = settings };
        struct run run = { .status = EXIT_UNKNOWN };
        struct policy policy = policy_default(true);
        bool wants_vmm_status = false, wants_json = false;
        char name[VM_NAME_MAX];
        const char *why;
        int option, status, vmm_status;

        opterr = 0;
        while ((option = getopt_long(argc, argv, "+:qh", options, NULL)) >= 0)
                switch (option) {
                case OPTION_NAME:
                        text_set(name, sizeof(name), optarg);
                        if (!*optarg || strcmp(name, optarg))
                                return usage_error(&verb_run, "--name takes 1 to %d bytes of printable UTF-8", VM_NAME_MAX - 1);
                        config.name = optarg;
                        break;
                case OPTION_POLICY:
                        if (policy_set(&policy, optarg, POLICY_EXPLICIT, &why))
                                return usage_error(&verb_run, "--policy %.64s: %s", optarg, why);
                        settings[config.n_settings++] = optarg;
                        break;
                case OPTION_VERDICT:
                        if (!*optarg)
                                return usage_error(&verb_run, "--verdict takes the name of a file");
                        run.verdict_path = optarg;
                        break;
                case OPTION_EXIT_STATUS:
                        if (strcmp(optarg, "vmm") && strcmp(optarg, "verdict"))
                                return usage_error(&verb_run, "--exit-status is vmm or verdict, not '%.32s'", optarg);
                        wants_vmm_status = !strcmp(optarg, "vmm");
                        break;
                case 'j':
                        wants_json = true;
                        break;
                case 'q':
                        run.is_quiet = true;
                        break;
                case 'h':
                        fputs(verb_run.help, stdout);
                        return STATUS_OK;
                case ':':
                        return usage_error(&verb_run, "option %.64s needs a value", argv[optind - 1]);
                default:
                        return unknown_option(&verb_run, argv);
                }
        if (optind == argc)
                return usage_error(&verb_run, "which VM? After -- comes a QEMU command line");

        config.argv = argv + optind;
        config.n_argv = (size_t)(argc - optind);
        if (runner_only_informs(config.argv, config.n_argv))
                return become_vmm(argv + optind);

        status = run_vm(&run, &config);
        vmm_status = run.runner ? runner_vmm_status(run.runner) : -1;
        if (run.runner && run.last_summary[0] && !run.is_quiet)
                complain("%s", run.last_summary);
        if (run.runner && run.scratch[0] && !run.is_quiet)
                complain("nothing of this is in the history, because its disk took nothing; vmpowerd alone may know of it");
        store_remove_scratch(run.scratch);
        if (run.runner && run.last && wants_json) {
                json_dumpf(run.last, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
                putchar('\n');
        }
        runner_free(run.runner);
        sd_event_source_disable_unref(run.leave_timer);
        sd_event_unref(run.event);
        json_decref(run.last);
        return wants_vmm_status && vmm_status >= 0 ? vmm_status : status;
}

const struct verb verb_run = {
        .name = "run",
        .summary = "run a QEMU command line, and say at the end why the VM stopped",
        .help = "Usage: vmpower run [OPTION …] -- qemu-system-x86_64 …\n"
                "\n"
                "Runs any QEMU command line (or a script around one that passes \"$@\" on), adds a monitor of its own, and\n"
                "says at the end why the VM stopped, who did it, and on what proof.  Needs no daemon, no root, no\n"
                "configuration.  Ending vmpower never ends the VM.\n"
                "\n"
                "  --name NAME          the VM's name (default: what the VMM calls it by its own -name, else qemu-PID)\n"
                "  --policy NAME=VALUE  what to do when it stops; may be given several times:\n"
                "                         on_poweroff, on_reboot, on_halt, on_crash = destroy, restart, preserve, leave\n"
                "                         (defaults: destroy, restart, destroy, destroy; -no-reboot, -no-shutdown and\n"
                "                         -action of the QEMU command line change them)\n"
                "                         halt_after = SECONDS without a vCPU running before it is looked whether the guest\n"
                "                         has halted (default 2; 0: never)\n"
                "                         button_certain, button_likely = SECONDS after the power button in which a\n"
                "                         power-off obeys it (default 120, 600)\n"
                "  --verdict FILE       write the last verdict to FILE, as JSON; an old FILE is removed at the start\n"
                "  --json               print the last verdict at the end, as JSON, on standard output\n"
                "  --exit-status vmm    exit with the VMM's own status instead of the verdict's\n"
                "  -q, --quiet          say nothing at the end\n"
                "  -h, --help           this text\n"
                "\n"
                "Exit status: 0 poweroff, hibernate, reboot, migrate; 10 crash or watchdog; 11 destroyed by an operator;\n"
                "12 ended by the host; 13 the VMM failed; 14 halted; 15 unknown; 1 nothing could be started; 2 wrong usage.\n",
        .main = run_main,
};
