/* vmpower status: is a daemon there, and what is kept? */
#include "basics/cleanup.h"
#include "cli/daemon.h"
#include "cli/quantity.h"
#include "json/time_text.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

static uint64_t number(const json_t *json, const char *key) {
        json_int_t value = json_integer_value(json_object_get(json, key));

        return value > 0 ? (uint64_t)value : 0;
}

/* NULL if it is not known. */
static const char *text(const json_t *json, const char *key) {
        return json_string_value(json_object_get(json, key));
}

static void print_daemon(const json_t *daemon, const char *socket) {
        const char *separator = ": ", *state;
        json_t *n, *helper, *lack;
        size_t i;

        printf("daemon    vmpowerd %s answers at %s, as pid %" PRIu64, text(daemon, "version") ?: "", socket, number(daemon, "pid"));
        if (text(daemon, "since"))
                printf(", since %.19sZ", text(daemon, "since"));
        printf("\nVMs       %" PRIu64, number(daemon, "vms"));
        json_object_foreach(json_object_get(daemon, "states"), state, n) {
                printf("%s%" JSON_INTEGER_FORMAT " %s", separator, json_integer_value(n), state);
                separator = ", ";
        }
        printf("; %" PRIu64 " monitor%s held\n", number(daemon, "monitors"), number(daemon, "monitors") == 1 ? "" : "s");
        json_array_foreach(json_object_get(daemon, "helpers"), i, helper)
                if (number(helper, "pid"))
                        printf("helper    %s, as pid %" PRIu64 "\n", text(helper, "program") ?: "", number(helper, "pid"));
                else
                        printf("helper    %s does not run just now: its VMs are not looked after\n", text(helper, "program") ?: "");
        json_array_foreach(json_object_get(daemon, "lacks"), i, lack)
                printf("lacks     %s: %s; so %s\n", text(lack, "part") ?: "", text(lack, "why") ?: "", text(lack, "costs") ?: "");
}

static void print_retention(const json_t *store) {
        const uint64_t days = number(store, "retention_days"), bytes = number(store, "retention_bytes");
        char size[SIZE_TEXT_MAX];

        size_to_text(bytes, size);
        printf("retention verdicts for ever; evidence");
        if (days)
                printf(" for %" PRIu64 " days", days);
        if (bytes)
                printf("%s up to %s", days ? "," : "", size);
        if (!days && !bytes)
                printf(" for ever");
        if (text(store, "pruned_at"))
                printf("; pruned last at %.19sZ, %" PRIu64 " facts ever\n", text(store, "pruned_at"), number(store, "pruned"));
        else
                printf("; never pruned yet\n");
}

static void print_store(const json_t *store) {
        char size[SIZE_TEXT_MAX], room[SIZE_TEXT_MAX];

        printf("verdicts  %" PRIu64 "\n", number(store, "verdicts"));
        size_to_text(number(store, "evidence_bytes"), size);
        printf("evidence  about %" PRIu64 " facts, %s", number(store, "evidence"), size);
        if (text(store, "oldest"))
                printf(", the oldest of %.19sZ", text(store, "oldest"));
        size_to_text(number(store, "bytes"), size);
        size_to_text(number(store, "free_bytes"), room);
        printf("\ndatabase  %s, %s (%s of it free)\n", text(store, "path") ?: "", size, room);
        print_retention(store);
        if (number(store, "waiting_verdicts") || number(store, "waiting_evidence"))
                printf("waiting   %" PRIu64 " verdicts and %" PRIu64 " facts: the disk takes nothing\n", number(store, "waiting_verdicts"),
                       number(store, "waiting_evidence"));
        if (number(store, "lost_verdicts") || number(store, "lost_evidence"))
                printf("lost      %" PRIu64 " verdicts and %" PRIu64 " facts: the disk took nothing for too long\n",
                       number(store, "lost_verdicts"), number(store, "lost_evidence"));
}

static json_t *time_or_null(uint64_t time_ns) {
        char words[TIME_TEXT_MAX];

        time_to_text(time_ns, words);
        return time_ns ? json_string(words) : json_null();
}

/* What the state directory tells, in the words of the daemon; NULL: nothing. */
static json_t *read_state_directory(char ret_why[static STORE_WHY_MAX]) {
        cleanup(store_closep) struct store *store = NULL;
        struct store_status status;

        *ret_why = '\0';
        if (try_history(&store, ret_why))
                return NULL;
        *ret_why = '\0';
        if (!store || store_read_status(store, &status, ret_why))
                return NULL;
        return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:o, s:I, s:I}", "path", store_path(store), "bytes",
                         (json_int_t)status.n_file_bytes, "free_bytes", (json_int_t)status.n_free_bytes, "verdicts",
                         (json_int_t)status.n_verdicts, "evidence", (json_int_t)status.n_evidence, "evidence_bytes",
                         (json_int_t)status.n_evidence_bytes, "oldest", time_or_null(status.oldest_ns), "pruned",
                         (json_int_t)status.n_pruned, "pruned_at", time_or_null(status.pruned_ns), "retention_days",
                         (json_int_t)STORE_RETENTION_DAYS, "retention_bytes", (json_int_t)STORE_RETENTION_BYTES);
}

/* {"socket", "daemon", "store"}: what is not there is null. */
static void print_json(const char *socket, json_t *daemon, json_t *store) {
        cleanup(json_decrefp) json_t *json = json_pack("{s:s?, s:O?, s:O?}", "socket", socket, "daemon", daemon, "store", store);

        json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
}

static int tell_of_daemon(struct vmpower *vmpower, bool as_json) {
        cleanup(json_decrefp) json_t *daemon = NULL, *store = NULL;
        cleanup(freep) char *answer = NULL;
        int r;

        r = vmpower_check_health(vmpower, &answer);
        if (r)
                return daemon_failure(vmpower, r);
        daemon = json_loads(answer, 0, NULL);
        store = json_incref(json_object_get(daemon, "store"));
        json_object_del(daemon, "store");
        if (as_json) {
                print_json(vmpower_path(vmpower), daemon, store);
                return STATUS_OK;
        }
        print_daemon(daemon, vmpower_path(vmpower));
        print_store(store);
        return STATUS_OK;
}

static int tell_without_daemon(int error, bool as_json) {
        cleanup(json_decrefp) json_t *store = NULL;
        char why[STORE_WHY_MAX];

        if (error != -ECONNREFUSED && error != -ENOENT) {
                complain("cannot reach vmpowerd: %s", strerror(-error));
                return STATUS_FAILED;
        }
        store = read_state_directory(why);
        if (as_json) {
                print_json(NULL, NULL, store);
        } else {
                printf("daemon    none answers\n");
                if (store)
                        print_store(store);
                else if (!*why)
                        printf("database  none: nothing was recorded yet\n");
        }
        if (!store && *why)
                complain("%s", why);
        return STATUS_NO_DAEMON;
}

static int status_main(int argc, char **argv) {
        cleanup(vmpower_freep) struct vmpower *vmpower = NULL;
        enum vmpower_daemon which;
        bool json;
        int r;

        if (!read_daemon_options(&verb_status, argc, argv, &json, &which, &r))
                return r;
        if (optind < argc)
                return usage_error(&verb_status, "it takes no VM; vmpower why %.64s tells of one", argv[optind]);
        r = vmpower_new(&vmpower, which);
        return r ? tell_without_daemon(r, json) : tell_of_daemon(vmpower, json);
}

const struct verb verb_status = {
        .name = "status",
        .summary = "is a daemon there, and what is kept?",
        .help = "Usage: vmpower status [--json] [--system | --user]\n"
                "\n"
                "Tells which daemon answers, how many VMs it looks after, what it lacks, what is kept and for how long, and whether the disk takes it.\n"
                "Without a daemon it tells what the state directory tells.\n"
                "\n"
                "  --json      print {\"socket\", \"daemon\", \"store\"}; what is not there is null\n" DAEMON_HELP
                "  -h, --help  this text\n"
                "\n"
                "Exit status: 0; 3 no daemon answers; 1 failed; 2 wrong usage.\n",
        .main = status_main,
};
