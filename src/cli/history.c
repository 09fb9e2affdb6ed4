/* vmpower history: all verdicts, newest first. */
#include "basics/cleanup.h"
#include "cli/cli.h"
#include "cli/prose.h"
#include "json/verdict_json.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

/* An array is printed element by element: a history may be long. */
static int print_json(const struct verdict_record *record, void *userdata) {
        size_t *n = userdata;
        json_t *json;

        if (verdict_record_to_json(record, &json))
                return -ENOMEM;
        printf("%s\n", *n ? "," : "[");
        json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        json_decref(json);
        (*n)++;
        return 0;
}

static int print_line(const struct verdict_record *record, void *userdata) {
        size_t *n = userdata;

        print_verdict_line(stdout, record);
        (*n)++;
        return 0;
}

static int history_main(int argc, char **argv) {
        static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }, { "limit", required_argument, NULL, 'n' }, {} };
        cleanup(store_closep) struct store *store = NULL;
        struct store_query query = { 0 };
        char why[STORE_WHY_MAX] = "";
        struct store_vm vm = { 0 };
        bool json = false;
        int option, r;
        size_t n = 0;
        char *end;

        opterr = 0;
        while ((option = getopt_long(argc, argv, ":h", options, NULL)) >= 0)
                switch (option) {
                case 'j':
                        json = true;
                        break;
                case 'n':
                        errno = 0;
                        query.limit = strtoul(optarg, &end, 10);
                        if (errno || *end || *optarg < '0' || *optarg > '9' || query.limit == 0)
                                return usage_error(&verb_history, "--limit takes a number from 1, not '%.32s'", optarg);
                        break;
                case 'h':
                        fputs(verb_history.help, stdout);
                        return STATUS_OK;
                case ':':
                        return usage_error(&verb_history, "option %.64s needs a value", argv[optind - 1]);
                default:
                        return unknown_option(&verb_history, argv);
                }
        if (argc - optind > 1)
                return usage_error(&verb_history, "it takes one VM at most, not %d", argc - optind);

        r = open_history(&store);
        if (r)
                return r;
        query.name = argv[optind];
        if (query.name && (!store || store_find_vm(store, query.name, &vm))) {
                complain("there is no VM %.200s", query.name);
                return STATUS_NO_SUCH_VM;
        }
        store_vm_deinit(&vm);
        r = store ? store_each_verdict(store, &query, json ? print_json : print_line, &n, why) : 0;
        if (r < 0) {
                complain("%s", *why ? why : strerror(-r));
                return STATUS_FAILED;
        }
        if (json)
                printf("%s\n", n ? "\n]" : "[]");
        else if (!n)
                printf("No VM has stopped yet.\n");
        return STATUS_OK;
}

const struct verb verb_history = {
        .name = "history",
        .summary = "every verdict, newest first",
        .help = "Usage: vmpower history [VM] [--limit N] [--json]\n"
                "\n"
                "Lists the verdicts on one VM (its name, uuid or instance) or on all, newest first.\n"
                "\n"
                "  --limit N   at most N of them\n"
                "  --json      print an array of verdicts in the form vmpower.verdict/1\n"
                "  -h, --help  this text\n"
                "\n"
                "Exit status: 0; 3 there is no such VM; 1 failed; 2 wrong usage.\n",
        .main = history_main,
};
