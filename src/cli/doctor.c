/* vmpower doctor: what works here and now, what the rest costs, and what repairs it. */
#include "engine/doctor.h"
#include "basics/cleanup.h"
#include "cli/daemon.h"
#include "cli/doctor_trial.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>

struct examination {
        bool as_json, has_colour;
        bool has_kvm, is_traced; /* what the trials can show */
        bool lacks_certainty;
        json_t *checks, *trials;
};

/* --- telling ----------------------------------------------------------------------------------------------------- */

static void print_line(const struct examination *examination, const char *name, enum tristate works, const char *found) {
        static const char *const words[] = { [TRISTATE_NULL] = "none", [TRISTATE_FALSE] = "MISSING", [TRISTATE_TRUE] = "works" };
        static const char *const colours[] = { [TRISTATE_NULL] = "\033[2m", [TRISTATE_FALSE] = "\033[31m", [TRISTATE_TRUE] = "\033[32m" };

        printf("%-18s %s%-8s%s %s\n", name, examination->has_colour ? colours[works] : "", words[works],
               examination->has_colour ? "\033[0m" : "", found);
}

static json_t *text_or_null(const char *text) {
        return text && *text ? json_string(text) : json_null();
}

static void tell_finding(const struct doctor_finding *finding, void *userdata) {
        struct examination *examination = userdata;
        json_t *works = finding->works == TRISTATE_NULL ? json_null() : json_boolean(finding->works == TRISTATE_TRUE);

        if (finding->works == TRISTATE_FALSE && finding->costs_certainty)
                examination->lacks_certainty = true;
        if (!strcmp(finding->name, "kvm"))
                examination->has_kvm = finding->works == TRISTATE_TRUE;
        if (!strcmp(finding->name, "trace-signals"))
                examination->is_traced = finding->works == TRISTATE_TRUE;
        json_array_append_new(examination->checks, json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", finding->name, "works", works, "found",
                                                             text_or_null(finding->found), "costs", text_or_null(finding->costs),
                                                             "repair", text_or_null(finding->repair)));
        if (examination->as_json)
                return;
        print_line(examination, finding->name, finding->works, finding->found);
        if (finding->costs)
                printf("%-18s costs    %s\n", "", finding->costs);
        if (*finding->repair)
                printf("%-18s repair   %s\n", "", finding->repair);
        fflush(stdout);
}

static void tell_trial(const struct trial *trial, void *userdata) {
        struct examination *examination = userdata;
        char name[64];

        examination->lacks_certainty = examination->lacks_certainty || !trial->works;
        snprintf(name, sizeof(name), "%s: %s", trial->accelerator, trial->way);
        json_array_append_new(examination->trials,
                              json_pack("{s:s, s:b, s:s, s:{s:s, s:s, s:s}, s:O?}", "name", name, "works", trial->works, "found", trial->found,
                                        "expected", "transition", trial->expected[0], "initiator", trial->expected[1], "mechanism",
                                        trial->expected[2], "verdict", trial->verdict));
        if (examination->as_json)
                return;
        print_line(examination, name, trial->works ? TRISTATE_TRUE : TRISTATE_FALSE, trial->found);
        fflush(stdout);
}

/* --- the daemon -------------------------------------------------------------------------------------------------- */

static void finish(struct doctor_finding *finding, bool works, const char *costs, const char *repair) {
        finding->works = works ? TRISTATE_TRUE : TRISTATE_FALSE;
        finding->costs = works ? NULL : costs;
        snprintf(finding->repair, sizeof(finding->repair), "%s", works ? "" : repair);
}

static const char *repair_of_daemon(void) {
        return geteuid() ? "systemctl --user enable --now vmpowerd.socket vmpowerd" : "systemctl enable --now vmpowerd.socket vmpowerd";
}

/* Does the doctor itself see that? */
static bool is_seen_here(const struct examination *examination, const char *name) {
        const json_t *check;
        size_t i;

        json_array_foreach(examination->checks, i, check)
                if (!strcmp(json_string_value(json_object_get(check, "name")), strcmp(name, "trace") ? name : "trace-signals"))
                        return json_is_true(json_object_get(check, "works"));
        return false;
}

/* What it tries is what can be seen here and now; the daemon may have been started in other times. */
static void tell_lacks(struct examination *examination, const json_t *health) {
        const json_t *lack;
        size_t i;

        json_array_foreach(json_object_get(health, "lacks"), i, lack) {
                const char *part = json_string_value(json_object_get(lack, "part")) ?: "", *costs = json_string_value(json_object_get(lack, "costs"));
                struct doctor_finding finding = { .costs_certainty = true };
                const char *repair = !is_seen_here(examination, part) ? "" : geteuid() ? "systemctl --user restart vmpowerd" : "systemctl restart vmpowerd";
                char name[64];

                snprintf(name, sizeof(name), "daemon-%.32s", !strncmp(part, "trace-", 6) ? part + 6 : part);
                finding.name = name;
                found_say(finding.found, 0, "vmpowerd says: %.240s", json_string_value(json_object_get(lack, "why")) ?: "");
                finish(&finding, false, costs ?: "", repair);
                tell_finding(&finding, examination);
        }
}

static void look_at_daemon(struct examination *examination) {
        struct doctor_finding daemon = { .name = "daemon", .costs_certainty = true };
        struct doctor_finding store = { .name = "descriptor-store", .costs_certainty = true };
        cleanup(vmpower_freep) struct vmpower *vmpower = NULL;
        cleanup(json_decrefp) json_t *health = NULL;
        cleanup(freep) char *answer = NULL;
        int r;

        r = vmpower_new(&vmpower, VMPOWER_ANY_DAEMON);
        if (!r)
                r = vmpower_check_health(vmpower, &answer);
        if (!r)
                health = json_loads(answer, 0, NULL);
        if (r)
                found_say(daemon.found, r, "no vmpowerd answers%s%s", r == -ECONNREFUSED || r == -ENOENT ? "" : ": ",
                          r == -ECONNREFUSED || r == -ENOENT ? "" : strerror(-r));
        else
                found_say(daemon.found, r, "vmpowerd answers at %.120s, as pid %lld", vmpower_path(vmpower),
                          (long long)json_integer_value(json_object_get(health, "pid")));
        finish(&daemon, !r, "VMs that were not started by `vmpower run` are not looked after", repair_of_daemon());
        tell_finding(&daemon, examination);
        tell_lacks(examination, health);

        if (r) {
                found_say(store.found, r, "there is no vmpowerd to have one");
                store.works = TRISTATE_NULL;
        } else {
                bool is_kept = json_is_true(json_object_get(health, "descriptors_kept"));

                found_say(store.found, 0, "%s keeps its descriptors while it is restarted", is_kept ? "a service manager" : "nobody");
                finish(&store, is_kept, "what happens while vmpowerd is restarted is missed, and its verdicts say so (a gap)", repair_of_daemon());
        }
        tell_finding(&store, examination);
}

/* --- the trials -------------------------------------------------------------------------------------------------- */

static void try_ourselves(struct examination *examination) {
        struct doctor_finding finding = { .name = "trials", .costs_certainty = true };
        const struct trials trials = {
                .accelerators = { "tcg", "kvm" },
                .n_accelerators = examination->has_kvm ? 2 : 1,
                .is_traced = examination->is_traced,
                .tell = tell_trial,
                .userdata = examination,
        };
        char why[TRIAL_WHY_MAX] = "";
        const char *repair;

        if (!trials_run(&trials, why, &repair))
                return;
        snprintf(finding.found, sizeof(finding.found), "%.300s", why);
        finish(&finding, false, "that the verdicts are right on this host cannot be shown", repair ?: "");
        tell_finding(&finding, examination);
}

static int doctor_main(int argc, char **argv) {
        static const struct option options[] = {
                { "json", no_argument, NULL, 'j' }, { "quick", no_argument, NULL, 'q' }, { "help", no_argument, NULL, 'h' }, {}
        };
        struct examination examination = { .has_colour = output_has_colour() };
        bool is_quick = false;
        int option;

        opterr = 0;
        while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (option) {
                case 'j':
                        examination.as_json = true;
                        break;
                case 'q':
                        is_quick = true;
                        break;
                case 'h':
                        fputs(verb_doctor.help, stdout);
                        return STATUS_OK;
                default:
                        return unknown_option(&verb_doctor, argv);
                }
        if (optind < argc)
                return usage_error(&verb_doctor, "it takes no arguments, such as %.64s", argv[optind]);

        /* A QEMU that is written to may have ended. */
        signal(SIGPIPE, SIG_IGN);
        examination.checks = json_array();
        examination.trials = json_array();
        doctor_look(tell_finding, &examination);
        look_at_daemon(&examination);
        if (!is_quick)
                try_ourselves(&examination);
        if (examination.as_json) {
                cleanup(json_decrefp) json_t *json =
                        json_pack("{s:s, s:b, s:O, s:O}", "schema", "vmpower.doctor/1", "works", !examination.lacks_certainty, "checks",
                                  examination.checks, "trials", examination.trials);

                json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
                putchar('\n');
        }
        json_decref(examination.checks);
        json_decref(examination.trials);
        return examination.lacks_certainty ? STATUS_FAILED : STATUS_OK;
}

const struct verb verb_doctor = {
        .name = "doctor",
        .summary = "try what is needed here, and say what is missing and what that costs",
        .help = "Usage: vmpower doctor [OPTION …]\n"
                "\n"
                "Tries each source of evidence, and each part that costs something when it is missing: whether it works here\n"
                "and now, what exactly it costs if it does not, and the command that repairs it.  Then it tries itself: boots\n"
                "a small guest under QEMU, lets it power off, ends it in three ways, and shows whether the verdicts are right.\n"
                "\n"
                "  --quick     do not start VMs\n"
                "  --json      print {\"schema\", \"works\", \"checks\", \"trials\"}\n"
                "  -h, --help  this text\n"
                "\n"
                "Exit status: 0 all that matters works; 1 something is missing that costs certainty; 2 wrong usage.\n",
        .main = doctor_main,
};
