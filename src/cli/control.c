/* vmpower shutdown, reset, destroy, pause, resume, wake: ask a VM for something by the monitor that the daemon holds. */
#include "basics/cleanup.h"
#include "cli/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

struct words {
        bool json;
        enum vmpower_daemon which;
        int64_t timeout_ms; /* -1: what comes of it is not waited for */
        const char *action;
};

enum {
        OPTION_TIMEOUT = 256,
        OPTION_POWER_BUTTON,
        TIMEOUT_MAX_S = 86400,
        LOOK_EVERY_MS = 50, /* whether one that was off has gone: nothing tells */
};

/* Seconds, a fraction allowed. */
static bool read_timeout(const char *text, int64_t *ret_ms) {
        int64_t ms = 0;
        unsigned unit = 1000;

        if (*text < '0' || *text > '9')
                return false;
        for (; *text >= '0' && *text <= '9' && ms <= TIMEOUT_MAX_S; text++)
                ms = ms * 10 + (*text - '0');
        if (ms > TIMEOUT_MAX_S)
                return false;
        ms *= 1000;
        if (*text == '.')
                for (text++; *text >= '0' && *text <= '9'; text++) {
                        unit /= 10;
                        ms += (*text - '0') * (int64_t)unit;
                }
        *ret_ms = ms;
        return !*text;
}

/* False: *ret_status is the exit status. */
static bool read_words(const struct verb *verb, int argc, char **argv, struct words *ret_words, int *ret_status) {
        static const struct option options[] = { { "json", no_argument, NULL, 'j' },
                                                 { "timeout", required_argument, NULL, OPTION_TIMEOUT },
                                                 { "power-button", no_argument, NULL, OPTION_POWER_BUTTON },
                                                 { "help", no_argument, NULL, 'h' },
                                                 DAEMON_OPTIONS,
                                                 {} };
        int option;

        *ret_words = (struct words){ .which = VMPOWER_ANY_DAEMON, .timeout_ms = -1, .action = verb->name };
        opterr = 0;
        while ((option = getopt_long(argc, argv, ":h", options, NULL)) >= 0)
                switch (option) {
                case 'j':
                        ret_words->json = true;
                        break;
                case OPTION_TIMEOUT:
                        if (!read_timeout(optarg, &ret_words->timeout_ms)) {
                                *ret_status = usage_error(verb, "--timeout takes seconds up to a day, such as 30, not %.64s", optarg);
                                return false;
                        }
                        break;
                case OPTION_POWER_BUTTON:
                        if (verb != &verb_shutdown) {
                                *ret_status = unknown_option(verb, argv);
                                return false;
                        }
                        ret_words->action = "power-button";
                        break;
                case OPTION_SYSTEM:
                case OPTION_USER:
                        *ret_status = choose_daemon(verb, option, &ret_words->which);
                        if (*ret_status)
                                return false;
                        break;
                case 'h':
                        fputs(verb->help, stdout);
                        *ret_status = STATUS_OK;
                        return false;
                case ':':
                        *ret_status = usage_error(verb, "a value is missing after %.64s", argv[optind - 1]);
                        return false;
                default:
                        *ret_status = unknown_option(verb, argv);
                        return false;
                }
        *ret_status = check_vm(verb, argc - optind, argv + optind, false);
        return !*ret_status;
}

static int64_t now_ms(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void free_events(struct vmpower_events **events) {
        vmpower_events_free(*events);
}

static void free_vm(struct vmpower_vm **vm) {
        vmpower_vm_free(*vm);
}

static bool is_one_of(const char *word, const char *words) {
        size_t n = word ? strlen(word) : 0;

        for (const char *at = words; n && (at = strstr(at, word)); at++)
                if ((at == words || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
                        return true;
        return false;
}

/* The next verdict on that instance: is it what was asked for? */
static int tell_outcome(const struct vmpower_verdict *verdict, const char *wanted, bool json) {
        bool is_wanted = is_one_of(vmpower_verdict_transition(verdict), wanted);

        if (json)
                puts(vmpower_verdict_json(verdict));
        else if (is_wanted)
                puts(vmpower_verdict_summary(verdict));
        else
                complain("%s", vmpower_verdict_summary(verdict));
        return is_wanted ? STATUS_OK : STATUS_FAILED;
}

/* Whose story was told before, ends without another verdict.  What is told of one that goes is told before it has gone. */
static bool is_cleared_away(struct vmpower *vmpower, const struct vmpower_vm *vm) {
        cleanup(free_vm) struct vmpower_vm *still = NULL;
        int r = vmpower_find_vm(vmpower, vmpower_vm_instance(vm), &still);

        return r == -ENOENT || (!r && is_one_of("gone", vmpower_vm_state(still)));
}

static int tell_cleared_away(const struct vmpower_vm *vm, bool json) {
        if (json)
                puts("{}");
        else
                printf("%s is gone; it was %s before.\n", vmpower_vm_name(vm), vmpower_vm_state(vm));
        return STATUS_OK;
}

static int wait_for_outcome(struct vmpower *vmpower, struct vmpower_events *events, const struct vmpower_vm *vm, const char *wanted,
                            const struct words *words, int64_t until_ms) {
        const bool may_go_untold = is_one_of("destroy", wanted);

        for (bool is_gone = false;;) {
                int64_t left_ms = is_gone ? 0 : until_ms - now_ms();
                int64_t wait_ms = may_go_untold && left_ms > LOOK_EVERY_MS ? LOOK_EVERY_MS : left_ms;
                struct vmpower_verdict *verdict;
                int r = vmpower_events_next(events, wait_ms > 0 ? (int)wait_ms : 0, &verdict);

                if (r == VMPOWER_TIMEOUT && is_gone)
                        return tell_cleared_away(vm, words->json);
                if (r == VMPOWER_TIMEOUT && may_go_untold)
                        is_gone = is_cleared_away(vmpower, vm);
                if (r == VMPOWER_TIMEOUT && left_ms <= 0 && !is_gone) {
                        complain("%s: nothing has come of it within %" PRId64 ".%" PRId64 " s; it may still", vmpower_vm_name(vm),
                                 words->timeout_ms / 1000, words->timeout_ms % 1000 / 100);
                        return STATUS_FAILED;
                }
                if (r == VMPOWER_TIMEOUT)
                        continue;
                if (r)
                        return daemon_failure(vmpower, r);
                if (!vmpower_verdict_revises(verdict) && !strcmp(vmpower_verdict_instance(verdict), vmpower_vm_instance(vm))) {
                        r = tell_outcome(verdict, wanted, words->json);
                        vmpower_verdict_free(verdict);
                        return r;
                }
                vmpower_verdict_free(verdict);
        }
}

/* What comes of it is listened for before it is asked. */
static int ask_and_wait(struct vmpower *vmpower, const char *name, const char *wanted, const struct words *words) {
        cleanup(free_events) struct vmpower_events *events = NULL;
        cleanup(free_vm) struct vmpower_vm *vm = NULL;
        int64_t until_ms = now_ms() + words->timeout_ms;
        int r;

        r = vmpower_listen(vmpower, VMPOWER_FROM_NOW, &events);
        if (!r)
                r = vmpower_find_vm(vmpower, name, &vm);
        if (!r)
                r = vmpower_request(vmpower, name, words->action, NULL); /* which may be another's as well */
        /* One that was there has ended meanwhile: how, is told. */
        if (r && (r != -ENOENT || !vm || is_one_of("gone", vmpower_vm_state(vm))))
                return daemon_failure(vmpower, r);
        return wait_for_outcome(vmpower, events, vm, wanted, words, until_ms);
}

static int control(const struct verb *verb, const char *done, const char *wanted, int argc, char **argv) {
        cleanup(vmpower_freep) struct vmpower *vmpower = NULL;
        cleanup(free_vm) struct vmpower_vm *vm = NULL;
        struct words words;
        int r;

        if (!read_words(verb, argc, argv, &words, &r))
                return r;
        r = find_daemon(&vmpower, words.which);
        if (r)
                return r;
        if (words.timeout_ms >= 0)
                return ask_and_wait(vmpower, argv[optind], wanted, &words);
        r = vmpower_request(vmpower, argv[optind], words.action, &vm);
        if (r)
                return daemon_failure(vmpower, r);
        if (words.json)
                puts(vm ? vmpower_vm_json(vm) : "{}");
        else
                printf("%s %s.\n", vm ? vmpower_vm_name(vm) : argv[optind], vm || is_one_of("destroy", wanted) ? done : "has gone");
        return STATUS_OK;
}

#define CONTROL_HELP(word, option, about_option, text)                                                                 \
        "Usage: vmpower " word " VM " option "[--timeout SECONDS] [--json] [--system | --user]\n"                      \
        "\n" text                                                                                                      \
        "Of a VM with a monitor, the daemon must hold that (vmpower attach); a Xen domain is asked through Xen.  Who asked is on\n" \
        "record before it is done, and vmpower why names him.\n"                                                       \
        "\n"                                                                                                           \
        about_option "  --timeout SECONDS  wait so long for what comes of it, and print that verdict\n"                             \
        "  --json      print the VM as JSON ({} where it has gone), with --timeout the verdict\n" DAEMON_HELP          \
        "  -h, --help  this text\n"                                                                                    \
        "\n"                                                                                                           \
        "Exit status: 0; 3 there is no such VM; 1 failed, it did not come to that in time, or no daemon answers; 2 wrong usage.\n"

/* `wanted`: the transitions that it was for. */
#define CONTROL_WITH(word, option, about_option, done, wanted, about, text)                                            \
        static int word##_main(int argc, char **argv) {                                                                \
                return control(&verb_##word, done, wanted, argc, argv);                                                \
        }                                                                                                              \
        const struct verb verb_##word = { #word, about, CONTROL_HELP(#word, option, about_option, text), word##_main }
#define CONTROL(word, ...) CONTROL_WITH(word, "", "", __VA_ARGS__)

CONTROL_WITH(shutdown, "[--power-button] ",
             "  --power-button  press the power button of a Xen domain, too: an HVM guest may obey it, one that is PV or PVH has none\n",
             "was asked to shut down; what its guest makes of it, it will tell", "poweroff halt",
             "ask the VM's guest to power itself off, by its power button",
             "Presses the power button: a guest that obeys powers itself off; one without ACPI does not even see it.  A Xen domain's guest\n"
             "is asked by Xen's own means, and it is said at once where it has no driver that listens.\n");
CONTROL(reboot, "was asked to reboot; what its guest makes of it, it will tell", "reboot",
        "ask the VM's guest to reboot (Xen)",
        "Asks a Xen domain's guest to reboot.  QEMU has no such request: vmpower reset resets a VM of its at once, vmpower shutdown\n"
        "presses its power button.\n");
CONTROL(suspend, "was asked to suspend; what its guest makes of it, it will tell", "suspend",
        "ask the VM's guest to suspend (Xen)",
        "Asks a Xen domain's guest to suspend; vmpower wake lets it run again.  QEMU has no such request: a guest of its suspends itself\n"
        "(systemctl suspend), and vmpower pause stops its CPUs.\n");
CONTROL(reset, "was reset", "reboot", "reset the VM, as its reset button would",
        "Resets the VM at once; its guest is not asked.  Xen has no such request: vmpower reboot asks a domain's guest.\n");
CONTROL(destroy, "was destroyed", "destroy", "end the VM at once",
        "Ends the VM at once (QEMU: quit); its guest is not asked.\n");
CONTROL(pause, "is paused", "pause", "stop the VM's CPUs",
        "Stops the VM's CPUs until vmpower resume.\n");
CONTROL(resume, "runs", "resume wake", "let a paused VM run again",
        "Lets a paused VM run again.\n");
CONTROL(wake, "was woken", "wake resume", "wake a VM that is suspended to RAM",
        "Wakes a VM whose guest is suspended to RAM (ACPI S3, or vmpower suspend).\n");
