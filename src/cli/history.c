/* vmpower history: verdicts, newest first. */
#include "basics/cleanup.h"
#include "cli/asked.h"
#include "cli/prose.h"
#include "cli/quantity.h"
#include "json/time_text.h"
#include "json/verdict_json.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <time.h>

enum {
        PAGE = 1000, /* what a daemon gives at once */
};

struct output {
        bool json;
        size_t n;
};

/* An array is printed element by element: a history may be long. */
static int print_record(const struct verdict_record *record, void *userdata) {
        struct output *output = userdata;
        json_t *json;

        if (!output->json) {
                print_verdict_line(stdout, record);
                output->n++;
                return 0;
        }
        if (verdict_record_to_json(record, &json))
                return -ENOMEM;
        printf("%s\n", output->n++ ? "," : "[");
        json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        json_decref(json);
        return 0;
}

static int ask_store(struct store *store, const struct store_query *query, struct output *output) {
        char why[STORE_WHY_MAX] = "";
        int r = store_each_verdict(store, query, print_record, output, why);

        if (r >= 0)
                return STATUS_OK;
        complain("%s", *why ? why : strerror(-r));
        return STATUS_FAILED;
}

static int print_page(const struct vmpower_verdicts *verdicts, struct output *output) {
        for (size_t i = 0; i < vmpower_verdicts_count(verdicts); i++) {
                cleanup(verdict_record_deinit) struct verdict_record record = {};
                int r;

                r = record_from_verdict(vmpower_verdicts_get(verdicts, i), &record);
                if (!r)
                        r = print_record(&record, output);
                if (!r)
                        continue;
                complain("what vmpowerd tells makes no sense to this vmpower; is it another version?");
                return STATUS_FAILED;
        }
        return STATUS_OK;
}

/* In pages, as long as there are more and more are wanted. */
static int ask_daemon(struct vmpower *vmpower, const struct store_query *query, struct output *output) {
        char since[TIME_TEXT_MAX], until[TIME_TEXT_MAX];
        struct vmpower_filter filter = {
                .vm = query->name,
                .initiator = query->initiator,
                .transition = query->transition,
                .since = query->since_ns ? since : NULL,
                .until = query->until_ns ? until : NULL,
        };
        int r;

        time_to_text(query->since_ns, since);
        time_to_text(query->until_ns, until);
        do {
                const size_t n_wanted = query->limit ? query->limit - output->n : PAGE;
                struct vmpower_verdicts *verdicts;

                filter.limit = n_wanted < PAGE ? n_wanted : PAGE;
                r = vmpower_list_verdicts(vmpower, &filter, &verdicts);
                if (r)
                        return daemon_failure(vmpower, r);
                r = print_page(verdicts, output);
                filter.before = vmpower_verdicts_next(verdicts);
                vmpower_verdicts_free(verdicts);
        } while (!r && filter.before && (!query->limit || output->n < query->limit));
        return r;
}

/* Its words, for whoever used another. */
static int word_error(const char *option, const char *word, const char *(*name)(size_t i), size_t n) {
        char words[256] = "";

        for (size_t i = 0; i < n; i++) {
                size_t end = strlen(words);

                snprintf(words + end, sizeof(words) - end, "%s%s", i ? ", " : "", name(i));
        }
        return usage_error(&verb_history, "there is no %s '%.32s'; there are %s", option, word, words);
}

static const char *transition_word(size_t i) {
        return transition_name((enum transition)i);
}

static const char *initiator_word(size_t i) {
        return initiator_name((enum initiator)i);
}

static int read_limit(const char *text, size_t *ret_limit) {
        char *end;

        errno = 0;
        *ret_limit = strtoul(text, &end, 10);
        return errno || *end || *text < '0' || *text > '9' || *ret_limit == 0 ? -EINVAL : 0;
}

static uint64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* One option of the query.  0, or the exit status. */
static int take_filter(struct store_query *query, int option, const char *value) {
        enum transition transition;
        enum initiator initiator;

        switch (option) {
        case 'n':
                return read_limit(value, &query->limit) ? usage_error(&verb_history, "--limit takes a number from 1, not '%.32s'", value) : 0;
        case 't':
                query->transition = value;
                return transition_from_name(value, &transition) ? word_error("transition", value, transition_word, _TRANSITION_N) : 0;
        case 'i':
                query->initiator = value;
                return initiator_from_name(value, &initiator) ? word_error("initiator", value, initiator_word, _INITIATOR_N) : 0;
        case 's':
                return when_from_text(value, now_ns(), &query->since_ns) ?
                               usage_error(&verb_history, "--since takes " WHEN_WORDS ", not '%.32s'", value) :
                               0;
        case 'u':
                return when_from_text(value, now_ns(), &query->until_ns) ?
                               usage_error(&verb_history, "--until takes " WHEN_WORDS ", not '%.32s'", value) :
                               0;
        default:
                return STATUS_FAILED;
        }
}

static int history_main(int argc, char **argv) {
        static const struct option options[] = { { "initiator", required_argument, NULL, 'i' },
                                                 { "transition", required_argument, NULL, 't' },
                                                 { "since", required_argument, NULL, 's' },
                                                 { "until", required_argument, NULL, 'u' },
                                                 { "limit", required_argument, NULL, 'n' },
                                                 { "json", no_argument, NULL, 'j' },
                                                 { "help", no_argument, NULL, 'h' },
                                                 DAEMON_OPTIONS,
                                                 {} };
        cleanup(asked_deinit) struct asked asked = {};
        enum vmpower_daemon which = VMPOWER_ANY_DAEMON;
        struct store_query query = { 0 };
        struct output output = { 0 };
        int option, r = 0;

        opterr = 0;
        while (!r && (option = getopt_long(argc, argv, ":h", options, NULL)) >= 0)
                switch (option) {
                case 'j':
                        output.json = true;
                        break;
                case OPTION_SYSTEM:
                case OPTION_USER:
                        r = choose_daemon(&verb_history, option, &which);
                        if (r)
                                return r;
                        break;
                case 'h':
                        fputs(verb_history.help, stdout);
                        return STATUS_OK;
                case ':':
                        return usage_error(&verb_history, "option %.64s needs a value", argv[optind - 1]);
                case '?':
                        return unknown_option(&verb_history, argv);
                default:
                        r = take_filter(&query, option, optarg);
                        break;
                }
        if (r)
                return r;
        r = check_vm(&verb_history, argc - optind, argv + optind, true);
        if (r)
                return r;
        query.name = argv[optind];
        r = asked_init(&asked, which, query.name);
        if (!r && asked.store)
                r = ask_store(asked.store, &query, &output);
        else if (!r && asked.vmpower)
                r = ask_daemon(asked.vmpower, &query, &output);
        if (r)
                return r;
        if (output.json)
                printf("%s\n", output.n ? "\n]" : "[]");
        else if (!output.n)
                printf(query.name || query.initiator || query.transition || query.since_ns || query.until_ns ?
                               "There is no such verdict.\n" :
                               "No VM has stopped yet.\n");
        return STATUS_OK;
}

const struct verb verb_history = {
        .name = "history",
        .summary = "every verdict, newest first",
        .help = "Usage: vmpower history [VM] [--initiator WHO] [--transition WHAT] [--since WHEN] [--until WHEN] [--limit N]\n"
                "       [--json] [--system | --user]\n"
                "\n"
                "Lists the verdicts on one VM (its name, uuid or instance) or on all, newest first.  Reads the state directory; where\n"
                "that knows no such VM, or may not be read, it asks the daemon.  WHEN is a time (2026-11-23T03:12:07Z), a date (UTC;\n"
                "both from 1970 to 2553), or how long ago (30m, 2h, 3d, 1w).\n"
                "\n"
                "  --initiator WHO    guest, operator, host, vmm, policy or unknown\n"
                "  --transition WHAT  poweroff, reboot, halt, crash, suspend, wake, hibernate, pause, resume, destroy, migrate, failure …\n"
                "  --since WHEN       what happened then or later\n"
                "  --until WHEN       what happened before\n"
                "  --limit N          at most N of them\n"
                "  --json             print an array of verdicts in the form vmpower.verdict/1\n" DAEMON_HELP
                "  -h, --help         this text\n"
                "\n"
                "Exit status: 0; 3 there is no such VM; 1 failed; 2 wrong usage.\n",
        .main = history_main,
};
