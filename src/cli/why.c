/* vmpower why: the last verdict on a VM. */
#include "basics/cleanup.h"
#include "cli/cli.h"
#include "cli/prose.h"
#include "engine/recover.h"
#include "json/verdict_json.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

static int print_json(const struct verdict_record *record, void *userdata) {
        json_t *json;

        if (verdict_record_to_json(record, &json))
                return -ENOMEM;
        json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(json);
        return 1;
}

static int print_prose(const struct verdict_record *record, void *userdata) {
        memcpy(userdata, record->vm.instance, VM_INSTANCE_MAX);
        print_verdict(stdout, record, output_has_colour());
        return 1;
}

static int why_main(int argc, char **argv) {
        static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }, {} };
        cleanup(store_closep) struct store *store = NULL;
        struct store_query query = { .limit = 1 };
        char why[STORE_WHY_MAX] = "", told[VM_INSTANCE_MAX] = "";
        struct store_vm vm = { 0 };
        bool json = false;
        int option, r;

        opterr = 0;
        while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (option) {
                case 'j':
                        json = true;
                        break;
                case 'h':
                        fputs(verb_why.help, stdout);
                        return STATUS_OK;
                default:
                        return unknown_option(&verb_why, argv);
                }
        if (argc - optind != 1)
                return usage_error(&verb_why, "it takes one VM, not %d", argc - optind);

        r = open_history(&store);
        if (r)
                return r;
        query.name = argv[optind];
        r = store ? store_each_verdict(store, &query, json ? print_json : print_prose, told, why) : 0;
        if (r < 0) {
                complain("%s", *why ? why : strerror(-r));
                return STATUS_FAILED;
        }
        if (r > 0) {
                if (!json && !store_find_vm(store, query.name, &vm) && vm_is_alive(&vm) && strcmp(vm.identity.instance, told))
                        printf("\n  It runs again, as pid %" PRId64 ".\n", vm.pid);
                store_vm_deinit(&vm);
                return STATUS_OK;
        }

        if (!store || store_find_vm(store, query.name, &vm)) {
                complain("there is no VM %.200s; vmpower history lists those that have stopped", query.name);
                return STATUS_NO_SUCH_VM;
        }
        r = STATUS_NOT_STOPPED;
        if (vm_is_alive(&vm)) {
                complain("%.200s has not stopped; it has run since its start as pid %" PRId64, vm.identity.name, vm.pid);
        } else if (vm.ended_ns) {
                complain("%.200s never ran: its program could not be started", vm.identity.name);
                r = STATUS_NO_SUCH_VM;
        } else if (vm_is_kept(store, &vm)) {
                complain("%.200s is gone; vmpowerd held its monitor, and will tell why when it is started again", vm.identity.name);
                r = STATUS_FAILED;
        } else {
                complain("%.200s is gone, and its ending could not be written down; run vmpower why as whoever started it",
                         vm.identity.name);
                r = STATUS_FAILED;
        }
        store_vm_deinit(&vm);
        return r;
}

const struct verb verb_why = {
        .name = "why",
        .summary = "why did this VM stop? The last verdict, its path and its proof",
        .help = "Usage: vmpower why VM [--json]\n"
                "\n"
                "Tells the last verdict on the VM (its name, uuid or instance): what happened, who did it, how, the path that\n"
                "the power transition took, and the evidence, with the proof marked.\n"
                "\n"
                "  --json      print the verdict in the form vmpower.verdict/1\n"
                "  -h, --help  this text\n"
                "\n"
                "Exit status: 0; 3 there is no such VM; 4 it has not stopped; 1 failed; 2 wrong usage.\n",
        .main = why_main,
};
