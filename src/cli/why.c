/* vmpower why: the last verdict on a VM. */
#include "basics/cleanup.h"
#include "cli/asked.h"
#include "cli/prose.h"
#include "core/record.h"
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

/* "pid 4711", "domain 5". */
static void format_number(char ret_text[static 48], const char *instance, int64_t pid) {
        if (instance_is_domain(instance))
                snprintf(ret_text, 48, "domain %" PRId64, instance_domid(instance));
        else
                snprintf(ret_text, 48, "pid %" PRId64, pid);
}

static void say_runs_again(const char *instance, int64_t pid) {
        char number[48];

        format_number(number, instance, pid);
        printf("\n  It runs again, as %s.\n", number);
}

/* Nobody but vmpowerd may know how it ended. */
#define WAITS "is gone; vmpowerd, which watched it, is away: start vmpowerd, and it will tell why"
#define IS_ENDING "is gone; whoever watches it has not written down why yet: the disk may take nothing (vmpower status)"

static int tell_why_not(struct store *store, const char *name) {
        struct store_vm vm = { 0 };
        int status = STATUS_NOT_STOPPED;

        if (store_find_vm(store, name, &vm)) {
                complain("there is no VM %.200s", name);
                return STATUS_NO_SUCH_VM;
        }
        if (vm_is_alive(&vm)) {
                char number[48];

                format_number(number, vm.identity.instance, vm.pid);
                complain("%.200s has not stopped; it has run since its start as %s", vm.identity.name, number);
        } else if (vm.ended_ns && instance_is_monitors(vm.identity.instance)) {
                complain("%.200s was detached, and nobody watches it since", vm.identity.name);
        } else if (vm.ended_ns) {
                complain("%.200s never ran: its program could not be started", vm.identity.name);
                status = STATUS_NO_SUCH_VM;
        } else if (vm_waits_for_daemon(&vm)) {
                complain("%.200s " WAITS, vm.identity.name);
        } else if (vm_is_being_ended(&vm)) {
                complain("%.200s " IS_ENDING, vm.identity.name);
                status = STATUS_FAILED;
        } else {
                complain("%.200s is gone, and its ending could not be written down; run vmpower why as whoever started it",
                         vm.identity.name);
                status = STATUS_FAILED;
        }
        store_vm_deinit(&vm);
        return status;
}

static int ask_store(struct store *store, const char *name, bool json) {
        const struct store_query query = { .limit = 1, .name = name };
        char why[STORE_WHY_MAX] = "", told[VM_INSTANCE_MAX] = "";
        struct store_vm vm = { 0 };
        int r;

        r = store_each_verdict(store, &query, json ? print_json : print_prose, told, why);
        if (r < 0) {
                complain("%s", *why ? why : strerror(-r));
                return STATUS_FAILED;
        }
        if (!r)
                return tell_why_not(store, name);
        if (!json && !store_find_vm(store, name, &vm)) {
                if (vm_waits_for_daemon(&vm))
                        printf("\n  But now it " WAITS ".\n");
                else if (vm_is_being_ended(&vm))
                        printf("\n  But now it " IS_ENDING ".\n");
                else if (vm_is_alive(&vm) && strcmp(vm.identity.instance, told))
                        say_runs_again(vm.identity.instance, vm.pid);
        }
        store_vm_deinit(&vm);
        return STATUS_OK;
}

static void print_runs_again(struct vmpower *vmpower, const char *name, const char *told) {
        struct vmpower_vm *vm = NULL;

        if (!vmpower_find_vm(vmpower, name, &vm) && strcmp(vmpower_vm_instance(vm) ?: told, told) &&
            (vmpower_vm_pid(vm) > 0 || instance_is_domain(vmpower_vm_instance(vm))) && strcmp(vmpower_vm_state(vm) ?: "", "gone"))
                say_runs_again(vmpower_vm_instance(vm), vmpower_vm_pid(vm));
        vmpower_vm_free(vm);
}

static int ask_daemon(struct vmpower *vmpower, const char *name, bool json) {
        cleanup(verdict_record_deinit) struct verdict_record record = {};
        struct vmpower_verdict *verdict = NULL;
        char told[VM_INSTANCE_MAX] = "";
        int r;

        r = vmpower_why(vmpower, name, &verdict);
        if (r == VMPOWER_HAS_NOT_STOPPED) {
                complain("%s", vmpower_error(vmpower));
                return STATUS_NOT_STOPPED;
        }
        if (r)
                return daemon_failure(vmpower, r);
        r = record_from_verdict(verdict, &record);
        vmpower_verdict_free(verdict);
        if (r) {
                complain("what vmpowerd tells makes no sense to this vmpower; is it another version?");
                return STATUS_FAILED;
        }
        if (json)
                return print_json(&record, NULL) < 0 ? STATUS_FAILED : STATUS_OK;
        print_prose(&record, told);
        print_runs_again(vmpower, name, told);
        return STATUS_OK;
}

static int why_main(int argc, char **argv) {
        cleanup(asked_deinit) struct asked asked = {};
        enum vmpower_daemon which;
        bool json;
        int r;

        if (!read_daemon_options(&verb_why, argc, argv, &json, &which, &r))
                return r;
        r = check_vm(&verb_why, argc - optind, argv + optind, false);
        if (r)
                return r;
        r = asked_init(&asked, which, argv[optind]);
        if (r)
                return r;
        return asked.store ? ask_store(asked.store, argv[optind], json) : ask_daemon(asked.vmpower, argv[optind], json);
}

const struct verb verb_why = {
        .name = "why",
        .summary = "why did this VM stop? The last verdict, its path and its proof",
        .help = "Usage: vmpower why VM [--json] [--system | --user]\n"
                "\n"
                "Tells the last verdict on the VM (its name, uuid or instance): what happened, who did it, how, the path that\n"
                "the power transition took, and the evidence, with the proof marked.  Reads the state directory; where that knows no\n"
                "such VM, or may not be read, it asks the daemon.\n"
                "\n"
                "  --json      print the verdict in the form vmpower.verdict/1\n" DAEMON_HELP
                "  -h, --help  this text\n"
                "\n"
                "Exit status: 0; 3 there is no such VM; 4 it has not stopped, or vmpowerd, which\n"
                "would know why, is away; 1 failed; 2 wrong usage.\n",
        .main = why_main,
};
