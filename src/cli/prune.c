/* vmpower prune: evidence that is old, or too much, goes; verdicts stay. */
#include "basics/cleanup.h"
#include "cli/cli.h"
#include "cli/quantity.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define DAY_NS      UINT64_C(86400000000000)
#define PROGRESS_NS UINT64_C(1000000000)

struct step {
        struct store_pruning pruning;
        int result;
        char why[STORE_WHY_MAX];
};

static uint64_t clock_ns(clockid_t clock) {
        struct timespec now;

        clock_gettime(clock, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void on_step_done(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct step *step = userdata;

        step->result = result;
        snprintf(step->why, sizeof(step->why), "%s", why);
        if (!result)
                step->pruning = store_batch_pruning(batch);
}

static int run_step(struct store *store, struct step *step) {
        cleanup(store_batch_freep) struct store_batch *batch = NULL;
        int r;

        r = store_batch_new(&batch);
        if (!r)
                r = store_batch_prune(batch, &step->pruning);
        if (!r)
                r = store_submit(store, batch, on_step_done, step);
        if (r)
                return r;
        take_pointer(batch);
        store_drain(store);
        return step->result;
}

/* A daemon that writes to the same file gets as much time at it as we take. */
static int run_all_steps(struct store *store, struct step *step) {
        const bool tell = isatty(STDERR_FILENO);
        uint64_t told_ns = clock_ns(CLOCK_MONOTONIC);
        int r;

        do {
                const uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
                uint64_t now_ns;

                r = run_step(store, step);
                now_ns = clock_ns(CLOCK_MONOTONIC);
                if (tell && now_ns - told_ns > PROGRESS_NS) {
                        fprintf(stderr, "\rvmpower: %" PRIu64 " facts are pruned …", step->pruning.n_pruned);
                        told_ns = now_ns;
                }
                if (!r && !step->pruning.is_done)
                        usleep((useconds_t)((now_ns - begin_ns) / 1000));
        } while (!r && !step->pruning.is_done);
        if (tell && told_ns && step->pruning.n_pruned)
                fprintf(stderr, "\r\33[K");
        return r;
}

static void print_result(const struct store_pruning *pruning, bool dry_run, bool json) {
        char gone[SIZE_TEXT_MAX], left[SIZE_TEXT_MAX];

        if (json) {
                printf("{\n  \"pruned\": %" PRIu64 ",\n  \"pruned_bytes\": %" PRIu64 ",\n  \"left\": %" PRIu64
                       ",\n  \"left_bytes\": %" PRIu64 ",\n  \"dry_run\": %s\n}\n",
                       pruning->n_pruned, pruning->n_bytes_pruned, pruning->n_left, pruning->n_bytes_left,
                       dry_run ? "true" : "false");
                return;
        }
        size_to_text(pruning->n_bytes_pruned, gone);
        size_to_text(pruning->n_bytes_left, left);
        printf("%" PRIu64 " facts (%s) %s; %" PRIu64 " (%s) %s. Every verdict stays.\n", pruning->n_pruned, gone,
               dry_run ? "would be pruned" : "were pruned", pruning->n_left, left, dry_run ? "would stay" : "are left");
}

/* vmpowerd's settings have 0 for ever: whoever means that here must not lose all. */
static int refuse_nothing(const char *option) {
        return usage_error(&verb_prune, "%s 0 would keep no evidence at all, where vmpowerd's retention with 0 keeps it for ever; if it is to go, say --larger-than 1",
                           option);
}

static int prune(struct store_retention keep, bool dry_run, bool json) {
        cleanup(store_closep) struct store *store = NULL;
        struct step step = { .pruning = { .keep = keep, .now_ns = clock_ns(CLOCK_REALTIME), .is_done = true } };
        int r;

        /* Where nothing was ever recorded, nothing is made. */
        r = open_history(&store);
        if (r)
                return r;
        if (store && dry_run)
                r = store_look_at_pruning(store, &keep, &step.pruning, step.why);
        if (store && !dry_run) {
                store = store_close(store);
                r = open_history_to_write(&store);
                if (r)
                        return r;
                step.pruning.is_done = false;
                r = run_all_steps(store, &step);
        }
        if (r) {
                complain("%s", *step.why ? step.why : strerror(-r));
                return STATUS_FAILED;
        }
        print_result(&step.pruning, dry_run, json);
        return STATUS_OK;
}

static int prune_main(int argc, char **argv) {
        static const struct option options[] = { { "older-than", required_argument, NULL, 'o' },
                                                 { "larger-than", required_argument, NULL, 'l' },
                                                 { "dry-run", no_argument, NULL, 'n' },
                                                 { "json", no_argument, NULL, 'j' },
                                                 { "help", no_argument, NULL, 'h' },
                                                 {} };
        const uint64_t now_ns = clock_ns(CLOCK_REALTIME);
        struct store_retention keep = store_retention_default(now_ns);
        bool dry_run = false, json = false;
        uint64_t days;
        int option;

        opterr = 0;
        while ((option = getopt_long(argc, argv, ":h", options, NULL)) >= 0)
                switch (option) {
                case 'o':
                        if (days_from_text(optarg, &days))
                                return usage_error(&verb_prune, "--older-than takes a number of days, not '%.32s'", optarg);
                        if (!days)
                                return refuse_nothing("--older-than");
                        keep.before_ns = days < now_ns / DAY_NS ? now_ns - days * DAY_NS : 0;
                        break;
                case 'l':
                        if (size_from_text(optarg, &keep.n_bytes_max))
                                return usage_error(&verb_prune, "--larger-than takes a size such as 500M or 1G, not '%.32s'", optarg);
                        if (!keep.n_bytes_max)
                                return refuse_nothing("--larger-than");
                        break;
                case 'n':
                        dry_run = true;
                        break;
                case 'j':
                        json = true;
                        break;
                case 'h':
                        fputs(verb_prune.help, stdout);
                        return STATUS_OK;
                case ':':
                        return usage_error(&verb_prune, "option %.64s needs a value", argv[optind - 1]);
                default:
                        return unknown_option(&verb_prune, argv);
                }
        if (optind < argc)
                return usage_error(&verb_prune, "it takes no VM, such as %.64s: retention is the same for all", argv[optind]);
        return prune(keep, dry_run, json);
}

const struct verb verb_prune = {
        .name = "prune",
        .summary = "let old evidence go; verdicts stay",
        .help = "Usage: vmpower prune [--older-than DAYS] [--larger-than SIZE] [--dry-run] [--json]\n"
                "\n"
                "Evidence that is older than 400 days goes, and what is more than 1 GiB, the oldest first.  vmpowerd does the same once a\n"
                "day.  Verdicts stay for ever.  Evidence of a VM that has not ended stays, too.  What goes cannot be judged again.  The\n"
                "room is used again; the file does not shrink.  It does not matter whether vmpowerd runs.\n"
                "\n"
                "  --older-than DAYS   instead of 400\n"
                "  --larger-than SIZE  instead of 1G: what evidence may take on disk (K, M, G, T); 1 lets all of it go, and 0 is refused\n"
                "  --dry-run           tell what would go, and change nothing\n"
                "  --json              print {\"pruned\", \"pruned_bytes\", \"left\", \"left_bytes\", \"dry_run\"}\n"
                "  -h, --help          this text\n"
                "\n"
                "Exit status: 0; 1 failed; 2 wrong usage.\n",
        .main = prune_main,
};
