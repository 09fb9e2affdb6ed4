/* vmpower rejudge: derive history again from its evidence, and show what changed. */
#include "basics/cleanup.h"
#include "cli/cli.h"
#include "cli/prose.h"
#include "engine/rejudge.h"
#include "json/verdict_json.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

struct output {
        bool json;
        size_t n;
};

static int print_change(const struct verdict_record *before, const struct verdict_record *after, void *userdata) {
        struct output *output = userdata;

        if (output->json) {
                json_t *was, *is = NULL, *change;

                if (verdict_record_to_json(before, &was))
                        return -ENOMEM;
                if (verdict_record_to_json(after, &is)) {
                        json_decref(was);
                        return -ENOMEM;
                }
                change = json_pack("{s:o, s:o}", "before", was, "after", is);
                printf("%s\n", output->n ? "," : "[");
                json_dumpf(change, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
                json_decref(change);
        } else {
                printf("- ");
                print_verdict_line(stdout, before);
                printf("+ ");
                print_verdict_line(stdout, after);
        }
        output->n++;
        return 0;
}

static int rejudge_main(int argc, char **argv) {
        static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }, { "dry-run", no_argument, NULL, 'n' }, {} };
        cleanup(store_closep) struct store *store = NULL;
        char why[STORE_WHY_MAX] = "";
        struct output output = { 0 };
        struct store_vm vm = { 0 };
        bool dry_run = false;
        const char *name;
        size_t n_judged = 0;
        int option, r;

        opterr = 0;
        while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (option) {
                case 'j':
                        output.json = true;
                        break;
                case 'n':
                        dry_run = true;
                        break;
                case 'h':
                        fputs(verb_rejudge.help, stdout);
                        return STATUS_OK;
                default:
                        return unknown_option(&verb_rejudge, argv);
                }
        r = check_vm(&verb_rejudge, argc - optind, argv + optind, true);
        if (r)
                return r;
        name = argv[optind];

        r = dry_run ? open_history(&store) : open_history_to_write(&store);
        if (r)
                return r;
        if (name && (!store || store_find_vm(store, name, &vm))) {
                complain("there is no VM %.200s", name);
                return STATUS_NO_SUCH_VM;
        }
        store_vm_deinit(&vm);
        r = store ? rejudge(store, name, dry_run, print_change, &output, &n_judged, why) : 0;
        if (r) {
                complain("%s", *why ? why : strerror(-r));
                return STATUS_FAILED;
        }
        if (output.json)
                printf("%s\n", output.n ? "\n]" : "[]");
        else
                printf("%zu verdicts judged again, %zu changed%s.\n", n_judged, output.n,
                       dry_run && output.n ? " (nothing was written)" : "");
        return STATUS_OK;
}

const struct verb verb_rejudge = {
        .name = "rejudge",
        .summary = "judge history again with this version's rules, and show what changed",
        .help = "Usage: vmpower rejudge [VM] [--dry-run] [--json]\n"
                "\n"
                "Derives every verdict again (or those on one VM) from the evidence that it was judged by.  What comes out\n"
                "differently is stored as a revision and shown; nothing is rewritten.  A verdict whose evidence was pruned stands.\n"
                "\n"
                "  --dry-run   show what would change, and write nothing\n"
                "  --json      print an array of {\"before\": VERDICT, \"after\": VERDICT}\n"
                "  -h, --help  this text\n"
                "\n"
                "Exit status: 0; 3 there is no such VM; 1 failed; 2 wrong usage.\n",
        .main = rejudge_main,
};
