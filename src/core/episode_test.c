#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/episode.h"
#include "core/tally.h"
#include "core/text.h"

#define MS     UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

/* One VM's episodes, as the engine drives them. */
struct vm {
        struct episode episode;
        uint64_t now_ns;
        uint64_t id;
        struct verdict told;
        unsigned n_told, n_episodes;
};

static void vm_init(struct vm *vm, bool has_process) {
        *vm = (struct vm){ 0 };
        episode_init(&vm->episode, has_process);
}

static void vm_deinit(struct vm *vm) {
        episode_deinit(&vm->episode);
}

static void judge(struct vm *vm, bool flush) {
        if (episode_judge(&vm->episode, NULL, vm->now_ns, flush, &vm->told) != EPISODE_VERDICT)
                return;
        vm->n_told++;
        if (vm->episode.revision == 0)
                vm->n_episodes++;
}

/* As the engine does between two wakeups: nothing of it may be noticed. */
static void rest(struct vm *vm) {
        assert_int_equal(episode_rest(&vm->episode), 0);
        assert_int_equal(vm->episode.n_items, 0);
        assert_int_equal(episode_wake(&vm->episode), 0);
}

static void take(struct vm *vm, struct evidence *e) {
        rest(vm);
        e->id = ++vm->id;
        if (episode_begins_anew(&vm->episode, e)) {
                judge(vm, true);
                episode_turn(&vm->episode);
        }
        assert_int_equal(episode_add(&vm->episode, e), 0);
        assert_null(e->actor);
}

static void pass(struct vm *vm, uint64_t now_ns) {
        vm->now_ns = now_ns;
        if (episode_is_ripe(&vm->episode, now_ns))
                judge(vm, episode_is_over(&vm->episode));
}

static struct evidence make(enum evidence_kind kind, uint64_t at_ns, enum tristate flag, const char *word) {
        struct evidence e = evidence_make(SOURCE_QMP, kind);

        e.at_ns = at_ns;
        e.flag = flag;
        evidence_set_word(&e, word);
        return e;
}

static void qmp_only(struct vm *vm, enum evidence_kind kind, uint64_t at_ns, enum tristate flag, const char *word) {
        struct evidence e = make(kind, at_ns, flag, word);

        vm->now_ns = at_ns;
        take(vm, &e);
}

static void qmp(struct vm *vm, enum evidence_kind kind, uint64_t at_ns, enum tristate flag, const char *word) {
        qmp_only(vm, kind, at_ns, flag, word);
        pass(vm, at_ns);
}

static void process(struct vm *vm, enum evidence_kind kind, uint64_t at_ns, int64_t number) {
        struct evidence e = evidence_make(SOURCE_PROCESS, kind);

        e.at_ns = at_ns;
        e.number = number;
        vm->now_ns = at_ns;
        take(vm, &e);
        pass(vm, at_ns);
}

static void open_monitor(struct vm *vm) {
        qmp(vm, EVIDENCE_MONITOR_OPENED, SECOND, TRISTATE_NULL, "7.2.22");
}

static void a_quiet_vm_waits_for_nothing(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        open_monitor(&vm);
        qmp(&vm, EVIDENCE_STATUS, SECOND, TRISTATE_NULL, "running");
        assert_int_equal(vm.episode.phase, EPISODE_QUIET);
        assert_int_equal(episode_next_deadline(&vm.episode), UINT64_MAX);
        assert_false(episode_is_ripe(&vm.episode, UINT64_MAX));
        assert_false(episode_is_over(&vm.episode));
}

static void an_episode_closes_when_nothing_more_can_come(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        open_monitor(&vm);
        qmp(&vm, EVIDENCE_SHUTDOWN, 5 * SECOND, TRISTATE_TRUE, "guest-shutdown");
        assert_int_equal(vm.n_told, 0);
        process(&vm, EVIDENCE_EXITED, 5 * SECOND + 4 * MS, 0);
        assert_int_equal(vm.n_told, 0);
        qmp(&vm, EVIDENCE_MONITOR_CLOSED, 5 * SECOND + 5 * MS, TRISTATE_NULL, "");
        assert_int_equal(vm.n_told, 1);
        assert_true(episode_is_over(&vm.episode));
        assert_int_equal(episode_next_deadline(&vm.episode), UINT64_MAX);
}

static void an_episode_closes_at_the_latest_after_its_settle_time(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        open_monitor(&vm);
        qmp(&vm, EVIDENCE_SHUTDOWN, 5 * SECOND, TRISTATE_TRUE, "guest-shutdown");
        assert_int_equal(episode_next_deadline(&vm.episode), 5 * SECOND + EPISODE_SETTLE_NS);
        pass(&vm, 5 * SECOND + EPISODE_SETTLE_NS - 1);
        assert_int_equal(vm.n_told, 0);
        pass(&vm, 5 * SECOND + EPISODE_SETTLE_NS);
        assert_int_equal(vm.n_told, 1);
}

static void without_a_process_the_end_of_the_monitor_is_the_end(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, false);
        open_monitor(&vm);
        qmp(&vm, EVIDENCE_SHUTDOWN, 5 * SECOND, TRISTATE_TRUE, "guest-shutdown");
        qmp(&vm, EVIDENCE_MONITOR_CLOSED, 5 * SECOND, TRISTATE_NULL, "");
        assert_int_equal(vm.n_told, 1);
        assert_int_equal(vm.told.left, LEFT_GONE);
}

static void a_monitor_that_is_opened_again_is_not_the_end(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, false);
        open_monitor(&vm);
        qmp(&vm, EVIDENCE_MONITOR_CLOSED, 2 * SECOND, TRISTATE_NULL, "");
        assert_true(episode_is_over(&vm.episode));
        qmp(&vm, EVIDENCE_MONITOR_OPENED, 3 * SECOND, TRISTATE_NULL, "7.2.22");
        assert_false(episode_is_over(&vm.episode));
}

static void what_a_reset_means_is_known_at_once(void **state) {
        static const enum evidence_kind kinds[] = {
                EVIDENCE_RESET, EVIDENCE_RESUME, EVIDENCE_SUSPEND, EVIDENCE_WAKEUP, EVIDENCE_REGISTERS,
                EVIDENCE_GUEST_CRASHLOADED, EVIDENCE_STOPPED, EVIDENCE_CONTINUED,
        };

        for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
                cleanup(vm_deinit) struct vm vm;

                vm_init(&vm, true);
                open_monitor(&vm);
                qmp(&vm, kinds[i], 5 * SECOND, TRISTATE_TRUE, "guest-reset");
                assert_int_equal(vm.n_told, 1);
        }
}

static void registers_of_a_running_guest_open_nothing(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        qmp(&vm, EVIDENCE_REGISTERS, 5 * SECOND, TRISTATE_FALSE, "");
        qmp(&vm, EVIDENCE_REGISTERS, 6 * SECOND, TRISTATE_NULL, "");
        assert_int_equal(vm.episode.phase, EPISODE_QUIET);
}

static void a_status_after_the_cause_settles_it(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        qmp(&vm, EVIDENCE_STATUS, 4 * SECOND, TRISTATE_NULL, "running");
        qmp(&vm, EVIDENCE_STOP, 5 * SECOND, TRISTATE_NULL, "");
        assert_int_equal(vm.n_told, 0);
        qmp(&vm, EVIDENCE_STATUS, 5 * SECOND + MS, TRISTATE_NULL, "paused");
        assert_int_equal(vm.n_told, 1);
}

static void a_repeated_fact_is_added_once(void **state) {
        cleanup(vm_deinit) struct vm vm;
        struct actor anna = { .pid = 1, .comm = "anna" };

        vm_init(&vm, true);
        for (int i = 0; i < 3; i++) {
                struct evidence e = make(EVIDENCE_REQUEST, 5 * SECOND, TRISTATE_NULL, "stop");

                assert_int_equal(evidence_set_actor(&e, &anna), 0);
                take(&vm, &e);
        }
        assert_int_equal(vm.episode.n_items, 1);
}

static void a_change_that_does_not_follow_begins_anew(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        qmp(&vm, EVIDENCE_SUSPEND, 5 * SECOND, TRISTATE_NULL, "");
        qmp(&vm, EVIDENCE_WAKEUP, 6 * SECOND, TRISTATE_NULL, "");
        qmp(&vm, EVIDENCE_RESET, 7 * SECOND, TRISTATE_TRUE, "guest-reset");
        qmp(&vm, EVIDENCE_STOP, 8 * SECOND, TRISTATE_NULL, "");
        qmp(&vm, EVIDENCE_RESUME, 9 * SECOND, TRISTATE_NULL, "");
        assert_int_equal(vm.n_episodes, 5);
        assert_int_equal(vm.n_told, 5);
        assert_int_equal(vm.episode.n_items, 1);
}

static void two_changes_of_one_wakeup_are_two_verdicts(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        qmp_only(&vm, EVIDENCE_RESET, 5 * SECOND, TRISTATE_TRUE, "guest-reset");
        qmp_only(&vm, EVIDENCE_SUSPEND, 5 * SECOND + 1, TRISTATE_NULL, "");
        pass(&vm, 5 * SECOND + 1);
        assert_int_equal(vm.n_episodes, 2);
        assert_string_equal(vm.told.rule, "suspend");
}

static void clearing_away_what_is_off_is_no_new_story(void **state) {
        static const char *const reasons[] = { "guest-shutdown", "guest-reset", "guest-panic", "host-qmp-quit", "host-error",
                                               "host-whim" };

        for (size_t i = 0; i < N_ELEMENTS(reasons); i++) {
                cleanup(vm_deinit) struct vm vm;

                vm_init(&vm, true);
                open_monitor(&vm);
                qmp(&vm, EVIDENCE_SHUTDOWN, 5 * SECOND, *reasons[i] == 'g' ? TRISTATE_TRUE : TRISTATE_FALSE, reasons[i]);
                qmp(&vm, EVIDENCE_STOP, 5 * SECOND, TRISTATE_NULL, "");
                qmp(&vm, EVIDENCE_STATUS, 5 * SECOND + MS, TRISTATE_NULL, "shutdown");
                qmp(&vm, EVIDENCE_SHUTDOWN, 60 * SECOND, TRISTATE_FALSE, "host-signal");
                process(&vm, EVIDENCE_KILLED, 61 * SECOND, SIGKILL);
                qmp(&vm, EVIDENCE_MONITOR_CLOSED, 61 * SECOND, TRISTATE_NULL, "");
                assert_int_equal(vm.n_episodes, 1);
        }
}

static void a_vm_that_runs_again_has_a_new_story(void **state) {
        static const struct {
                enum evidence_kind kind;
                enum tristate flag;
                const char *word, *rule;
        } cases[] = {
                { EVIDENCE_RESET, TRISTATE_FALSE, "host-qmp-system-reset", "qmp-reset" },
                { EVIDENCE_RESUME, TRISTATE_NULL, "", "qmp-cont-unseen" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                cleanup(vm_deinit) struct vm vm;

                vm_init(&vm, true);
                qmp(&vm, EVIDENCE_SHUTDOWN, 5 * SECOND, TRISTATE_TRUE, "guest-shutdown");
                pass(&vm, 20 * SECOND);
                qmp(&vm, cases[i].kind, 60 * SECOND, cases[i].flag, cases[i].word);
                assert_int_equal(vm.n_episodes, 2);
                assert_string_equal(vm.told.rule, cases[i].rule);
        }
}

static void what_happened_before_what_was_told_revises_it(void **state) {
        cleanup(vm_deinit) struct vm vm;
        uint64_t cause;

        vm_init(&vm, true);
        process(&vm, EVIDENCE_EXITED, 5 * SECOND, 0);
        assert_string_equal(vm.told.rule, "exit-unexplained");
        cause = vm.episode.cause_id;
        qmp(&vm, EVIDENCE_SHUTDOWN, 5 * SECOND - MS, TRISTATE_TRUE, "guest-shutdown");
        assert_string_equal(vm.told.rule, "guest-poweroff-somehow");
        assert_int_equal(vm.episode.revision, 1);
        assert_int_equal(vm.n_episodes, 1);
        assert_int_equal(vm.episode.cause_id, cause);
}

static void what_is_told_and_left_behind_is_not_told_again(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        qmp(&vm, EVIDENCE_RESET, 5 * SECOND, TRISTATE_TRUE, "guest-reset");
        qmp(&vm, EVIDENCE_RESET, 5 * SECOND + 20 * MS, TRISTATE_TRUE, "guest-reset");
        qmp(&vm, EVIDENCE_SUSPEND, 6 * SECOND, TRISTATE_NULL, "");
        assert_int_equal(vm.n_told, 2);
        qmp(&vm, EVIDENCE_RESET, 5 * SECOND + 10 * MS, TRISTATE_TRUE, "guest-reset");
        assert_int_equal(vm.n_told, 2);
        assert_string_equal(vm.told.rule, "suspend");
}

static void another_actor_revises_the_verdict(void **state) {
        cleanup(vm_deinit) struct vm vm;
        struct actor who = { .pid = 1, .comm = "who" };

        vm_init(&vm, true);
        process(&vm, EVIDENCE_KILLED, 5 * SECOND, SIGKILL);
        for (int i = 0; i < 2; i++) {
                struct evidence e = evidence_make(SOURCE_TRACE, EVIDENCE_SIGNAL);

                who.pid = 2 - i;
                e.at_ns = 4 * SECOND + (uint64_t)i;
                e.number = SIGKILL;
                assert_int_equal(evidence_set_actor(&e, &who), 0);
                take(&vm, &e);
                pass(&vm, 5 * SECOND);
        }
        assert_int_equal(vm.n_told, 3);
        assert_int_equal(vm.told.actor->pid, 1);
}

static size_t n_of_kind(const struct vm *vm, enum evidence_kind kind) {
        size_t n = 0;

        for (size_t i = 0; i < vm->episode.n_items; i++)
                n += vm->episode.items[i].kind == kind;
        return n;
}

/* A VMM's standard error is read at once, its monitor when there is time. */
static void what_a_vmm_says_outlives_what_its_monitor_tells_late(void **state) {
        for (uint64_t before_ns = 500 * MS; before_ns <= 2 * SECOND; before_ns += 1500 * MS) {
                cleanup(vm_deinit) struct vm vm;
                struct evidence words = evidence_make(SOURCE_STDERR, EVIDENCE_MESSAGE);

                vm_init(&vm, true);
                words.at_ns = 5 * SECOND - before_ns;
                take(&vm, &words);
                qmp(&vm, EVIDENCE_RESET, 5 * SECOND, TRISTATE_TRUE, "guest-reset");
                process(&vm, EVIDENCE_KILLED, 5 * SECOND + MS, SIGABRT);
                assert_int_equal(vm.n_episodes, 2);
                assert_int_equal(n_of_kind(&vm, EVIDENCE_MESSAGE), before_ns < SECOND);
        }
}

/* Of what was before a transition, and did not make it. */
static void what_waits_outlives_a_transition_for_as_long_as_it_may_act(void **state) {
        static const struct {
                enum evidence_kind kind;
                int64_t number;
                const char *word;
                uint64_t within_ns; /* 0: it has acted, or never will */
        } cases[] = {
                { EVIDENCE_SIGNAL, SIGTERM, "SIGTERM", 10 * SECOND },
                { EVIDENCE_SIGNAL, SIGSTOP, "SIGSTOP", 0 },
                { EVIDENCE_SIGNAL, SIGCONT, "SIGCONT", 0 },
                { EVIDENCE_OOM_KILL, 0, "", 10 * SECOND },
                { EVIDENCE_PORT_WRITE, 14, "0xcf9", SECOND },
                { EVIDENCE_KVM_EXIT, 0, "shutdown", SECOND },
                { EVIDENCE_HYPERCALL, 0, "destroydomain", 120 * SECOND },
                { EVIDENCE_HYPERCALL, 0, "pausedomain", 0 },
                { EVIDENCE_MONITOR_CLIENT, 0, "stop", 0 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++)
                for (uint64_t late = 0; late < 2; late++) {
                        struct evidence e = evidence_make(SOURCE_TRACE, cases[i].kind);
                        cleanup(vm_deinit) struct vm vm;

                        vm_init(&vm, true);
                        e.at_ns = 300 * SECOND - (cases[i].within_ns ? cases[i].within_ns : MS) - late;
                        e.number = cases[i].number;
                        evidence_set_word(&e, cases[i].word);
                        take(&vm, &e);
                        qmp(&vm, EVIDENCE_STOP, 300 * SECOND, TRISTATE_NULL, "");
                        qmp(&vm, EVIDENCE_STATUS, 300 * SECOND + MS, TRISTATE_NULL, "paused");
                        qmp(&vm, EVIDENCE_RESUME, 301 * SECOND, TRISTATE_NULL, "");
                        assert_int_equal(vm.n_episodes, 2);
                        if (n_of_kind(&vm, cases[i].kind) != (cases[i].within_ns && !late))
                                fail_msg("%s %s", evidence_kind_info(cases[i].kind)->name, cases[i].word);
                }
}

static void nothing_new_is_not_told_again(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        qmp(&vm, EVIDENCE_RESET, 5 * SECOND, TRISTATE_TRUE, "guest-reset");
        for (uint64_t i = 1; i < 10; i++)
                qmp(&vm, EVIDENCE_MALFORMED, 5 * SECOND + i, TRISTATE_NULL, "");
        assert_int_equal(vm.n_told, 1);
}

static void numbered_reset(struct vm *vm, uint64_t at_ns, int64_t number) {
        struct evidence e = make(EVIDENCE_RESET, at_ns, TRISTATE_TRUE, "guest-reset");

        e.number = number;
        vm->now_ns = at_ns;
        take(vm, &e);
        pass(vm, at_ns);
}

static void a_count_is_told_ever_more_rarely(void **state) {
        cleanup(vm_deinit) struct vm vm;
        uint64_t told_at[16] = { 0 }, every = TALLY_QUIET_NS;
        unsigned n = 0;

        vm_init(&vm, true);
        for (int64_t i = 0; i < 2000; i++) {
                uint64_t at_ns = 5 * SECOND + (uint64_t)i * SECOND;

                while (episode_next_deadline(&vm.episode) < at_ns)
                        pass(&vm, episode_next_deadline(&vm.episode));
                numbered_reset(&vm, at_ns, i + 1);
                if (vm.n_told > n) {
                        assert_true(n < N_ELEMENTS(told_at));
                        told_at[n++] = vm.episode.told_ns;
                        assert_int_equal(vm.n_told, n);
                }
        }
        assert_int_equal(vm.n_episodes, 1);
        assert_int_equal(told_at[0], 5 * SECOND);
        for (unsigned i = 1; i < n; i++) {
                assert_int_equal(told_at[i] - told_at[i - 1], every);
                every = every * 2 < TALLY_HOLD_MAX_NS ? every * 2 : TALLY_HOLD_MAX_NS;
        }
        assert_int_equal(every, TALLY_HOLD_MAX_NS);
}

static void a_count_that_is_due_is_told_before_the_next_story(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        numbered_reset(&vm, 5 * SECOND, 1);
        numbered_reset(&vm, 6 * SECOND, 2);
        assert_int_equal(vm.n_told, 1);
        qmp_only(&vm, EVIDENCE_SUSPEND, 7 * SECOND, TRISTATE_NULL, "");
        assert_int_equal(vm.n_told, 2);
        assert_int_equal(vm.told.count, 2);
        assert_int_equal(vm.episode.phase, EPISODE_OPEN);
}

static void a_button_outlives_what_does_not_start_the_guest_anew(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        qmp(&vm, EVIDENCE_POWERDOWN, 4 * SECOND, TRISTATE_NULL, "");
        qmp(&vm, EVIDENCE_STOP, 5 * SECOND, TRISTATE_NULL, "");
        qmp(&vm, EVIDENCE_RESUME, 6 * SECOND, TRISTATE_NULL, "");
        qmp(&vm, EVIDENCE_SUSPEND, 7 * SECOND, TRISTATE_NULL, "");
        assert_int_equal(n_of_kind(&vm, EVIDENCE_POWERDOWN), 1);
        qmp(&vm, EVIDENCE_WAKEUP, 8 * SECOND, TRISTATE_NULL, "");
        qmp(&vm, EVIDENCE_STOP, 9 * SECOND, TRISTATE_NULL, "");
        assert_int_equal(n_of_kind(&vm, EVIDENCE_POWERDOWN), 0);
}

static void background_stays_and_what_fades_lasts_until_the_next_transition(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        open_monitor(&vm);
        qmp(&vm, EVIDENCE_MACHINE, SECOND, TRISTATE_NULL, "q35");
        qmp(&vm, EVIDENCE_WATCHDOG, 4 * SECOND, TRISTATE_NULL, "none");
        qmp(&vm, EVIDENCE_SUSPEND, 5 * SECOND, TRISTATE_NULL, "");
        qmp(&vm, EVIDENCE_WATCHDOG, 6 * SECOND, TRISTATE_NULL, "none");
        qmp(&vm, EVIDENCE_WAKEUP, 7 * SECOND, TRISTATE_NULL, "");
        assert_int_equal(n_of_kind(&vm, EVIDENCE_MACHINE), 1);
        assert_int_equal(n_of_kind(&vm, EVIDENCE_MONITOR_OPENED), 1);
        assert_int_equal(n_of_kind(&vm, EVIDENCE_WATCHDOG), 1);
        assert_int_equal(vm.episode.n_items, 4);
}

static void the_newest_status_holds_on_alone(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        qmp(&vm, EVIDENCE_STATUS, 2 * SECOND, TRISTATE_NULL, "paused");
        qmp(&vm, EVIDENCE_STATUS, 3 * SECOND, TRISTATE_NULL, "running");
        qmp(&vm, EVIDENCE_SUSPEND, 5 * SECOND, TRISTATE_NULL, "");
        qmp(&vm, EVIDENCE_STOP, 6 * SECOND, TRISTATE_NULL, "");
        assert_int_equal(n_of_kind(&vm, EVIDENCE_STATUS), 1);
}

static void xen(struct vm *vm, enum evidence_kind kind, uint64_t at_ns, const char *word) {
        struct evidence e = make(kind, at_ns, TRISTATE_NULL, word);

        e.source = SOURCE_XEN;
        vm->now_ns = at_ns;
        take(vm, &e);
        pass(vm, at_ns);
}

static void what_a_domain_was_asked_for_is_forgotten_once_it_goes_on(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        xen(&vm, EVIDENCE_CONTROL_REQUEST, 4 * SECOND, "suspend");
        xen(&vm, EVIDENCE_CONTROL_ACKNOWLEDGED, 4 * SECOND + MS, "suspend");
        xen(&vm, EVIDENCE_DOMAIN_SHUTDOWN, 5 * SECOND, "suspend");
        xen(&vm, EVIDENCE_DOMAIN_RESUMED, 6 * SECOND, "");
        assert_int_equal(n_of_kind(&vm, EVIDENCE_CONTROL_ACKNOWLEDGED), 1);
        xen(&vm, EVIDENCE_DOMAIN_PAUSED, 7 * SECOND, "");
        assert_int_equal(n_of_kind(&vm, EVIDENCE_CONTROL_REQUEST), 0);
        assert_int_equal(n_of_kind(&vm, EVIDENCE_CONTROL_ACKNOWLEDGED), 0);
}

static void an_episode_is_bounded_and_keeps_what_counts(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        open_monitor(&vm);
        qmp(&vm, EVIDENCE_POWERDOWN, 2 * SECOND, TRISTATE_NULL, "");
        for (uint64_t i = 0; i < 1000; i++) {
                struct evidence e = evidence_make(SOURCE_CONSOLE, EVIDENCE_LINE);

                e.at_ns = 3 * SECOND + i;
                take(&vm, &e);
                assert_true(vm.episode.n_items <= EPISODE_ITEMS_MAX);
        }
        qmp(&vm, EVIDENCE_SHUTDOWN, 5 * SECOND, TRISTATE_TRUE, "guest-shutdown");
        assert_int_equal(vm.episode.n_items, EPISODE_ITEMS_MAX);
        assert_int_equal(n_of_kind(&vm, EVIDENCE_POWERDOWN), 1);
        assert_int_equal(n_of_kind(&vm, EVIDENCE_SHUTDOWN), 1);
        pass(&vm, 20 * SECOND);
        assert_string_equal(vm.told.rule, "power-button");
}

static void find(struct vm *vm, uint64_t at_ns, const char *status, const char *was) {
        struct evidence e = evidence_make(SOURCE_QMP, EVIDENCE_STATUS);

        e.at_ns = at_ns;
        evidence_set_word(&e, status);
        evidence_set_text(&e, was, strlen(was));
        take(vm, &e);
}

static bool is_there(const struct vm *vm, enum evidence_kind kind, uint64_t at_ns, int64_t number) {
        for (size_t i = 0; i < vm->episode.n_items; i++)
                if (vm->episode.items[i].kind == kind && (number ? vm->episode.items[i].number == number : vm->episode.items[i].at_ns == at_ns))
                        return true;
        return false;
}

static void ask(struct vm *vm, enum evidence_kind kind, uint64_t at_ns, uint64_t asked_ns) {
        struct evidence e = evidence_make(SOURCE_VMPOWER, kind);

        e.at_ns = at_ns;
        e.number = (int64_t)asked_ns;
        evidence_set_word(&e, "quit");
        take(vm, &e);
}

/* Of very many the first of a kind stays: here the first request, and not the first refusal, which is another's. */
static void a_request_never_outlives_its_refusal(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        open_monitor(&vm);
        ask(&vm, EVIDENCE_REQUEST, 2 * SECOND, 0);
        ask(&vm, EVIDENCE_REQUEST, 2 * SECOND + 1, 0);
        ask(&vm, EVIDENCE_REFUSED, 2 * SECOND + 2, 2 * SECOND + 1);
        ask(&vm, EVIDENCE_REFUSED, 2 * SECOND + 3, 2 * SECOND);
        for (unsigned i = 1; i < 100; i++) {
                ask(&vm, EVIDENCE_REQUEST, 2 * SECOND + i * MS, 0);
                ask(&vm, EVIDENCE_REFUSED, 2 * SECOND + i * MS + 1, 2 * SECOND + i * MS);
                assert_true(!is_there(&vm, EVIDENCE_REQUEST, 2 * SECOND, 0) || is_there(&vm, EVIDENCE_REFUSED, 0, (int64_t)(2 * SECOND)));
        }
}

/* A status that nobody had led to comes after one that told of nothing; a daemon that is started again and again reads it each time. */
static void the_cause_stays_whatever_of_its_kind_was_before_it(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        open_monitor(&vm);
        find(&vm, 2 * SECOND, "running", "");
        find(&vm, 3 * SECOND, "suspended", "running");
        pass(&vm, 20 * SECOND);
        assert_string_equal(vm.told.rule, "suspend");
        for (unsigned i = 0; i < 2 * EPISODE_ITEMS_MAX; i++) {
                find(&vm, (21 + i) * SECOND, "suspended", "");
                pass(&vm, (21 + i) * SECOND + MS);
        }
        assert_true(is_there(&vm, EVIDENCE_STATUS, 3 * SECOND, 0));
        assert_string_equal(vm.told.rule, "suspend");
}

static void of_very_many_the_first_and_the_newest_stay(void **state) {
        /* In their order; the first heard of in the middle; the first heard of last. */
        static const uint64_t shifts[] = { 0, 100, 1 };

        for (size_t k = 0; k < N_ELEMENTS(shifts); k++) {
                cleanup(vm_deinit) struct vm vm;
                uint64_t first = UINT64_MAX, last = 0;

                vm_init(&vm, true);
                for (uint64_t i = 0; i < 200; i++)
                        numbered_reset(&vm, 5 * SECOND + (i + shifts[k]) % 200 * MS, 1);
                for (size_t i = 0; i < vm.episode.n_items; i++) {
                        first = vm.episode.items[i].at_ns < first ? vm.episode.items[i].at_ns : first;
                        last = vm.episode.items[i].at_ns > last ? vm.episode.items[i].at_ns : last;
                }
                assert_int_equal(first, 5 * SECOND);
                assert_int_equal(last, 5 * SECOND + 199 * MS);
                assert_int_equal(vm.n_episodes, 1);
        }
}

static void a_panicked_guests_own_reset_is_part_of_its_crash(void **state) {
        cleanup(vm_deinit) struct vm vm;

        vm_init(&vm, true);
        qmp(&vm, EVIDENCE_GUEST_PANICKED, 5 * SECOND, TRISTATE_NULL, "run");
        assert_int_equal(vm.n_told, 1);
        qmp(&vm, EVIDENCE_RESET, 6 * SECOND, TRISTATE_TRUE, "guest-reset");
        qmp(&vm, EVIDENCE_RESET, 6 * SECOND + 50 * MS, TRISTATE_TRUE, "guest-reset");
        assert_int_equal(vm.n_told, 1);
        qmp(&vm, EVIDENCE_RESET, 8 * SECOND, TRISTATE_TRUE, "guest-reset");
        assert_int_equal(vm.n_episodes, 2);
        assert_string_equal(vm.told.rule, "guest-reset");
}

static void an_episode_can_be_given_back_twice(void **state) {
        struct vm vm;

        vm_init(&vm, true);
        open_monitor(&vm);
        vm_deinit(&vm);
        vm_deinit(&vm);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_quiet_vm_waits_for_nothing),
                cmocka_unit_test(an_episode_closes_when_nothing_more_can_come),
                cmocka_unit_test(an_episode_closes_at_the_latest_after_its_settle_time),
                cmocka_unit_test(without_a_process_the_end_of_the_monitor_is_the_end),
                cmocka_unit_test(a_monitor_that_is_opened_again_is_not_the_end),
                cmocka_unit_test(what_a_reset_means_is_known_at_once),
                cmocka_unit_test(registers_of_a_running_guest_open_nothing),
                cmocka_unit_test(a_status_after_the_cause_settles_it),
                cmocka_unit_test(a_repeated_fact_is_added_once),
                cmocka_unit_test(a_change_that_does_not_follow_begins_anew),
                cmocka_unit_test(two_changes_of_one_wakeup_are_two_verdicts),
                cmocka_unit_test(clearing_away_what_is_off_is_no_new_story),
                cmocka_unit_test(a_vm_that_runs_again_has_a_new_story),
                cmocka_unit_test(what_happened_before_what_was_told_revises_it),
                cmocka_unit_test(what_is_told_and_left_behind_is_not_told_again),
                cmocka_unit_test(another_actor_revises_the_verdict),
                cmocka_unit_test(what_a_vmm_says_outlives_what_its_monitor_tells_late),
                cmocka_unit_test(what_waits_outlives_a_transition_for_as_long_as_it_may_act),
                cmocka_unit_test(nothing_new_is_not_told_again),
                cmocka_unit_test(a_count_is_told_ever_more_rarely),
                cmocka_unit_test(a_count_that_is_due_is_told_before_the_next_story),
                cmocka_unit_test(a_button_outlives_what_does_not_start_the_guest_anew),
                cmocka_unit_test(background_stays_and_what_fades_lasts_until_the_next_transition),
                cmocka_unit_test(the_newest_status_holds_on_alone),
                cmocka_unit_test(what_a_domain_was_asked_for_is_forgotten_once_it_goes_on),
                cmocka_unit_test(an_episode_is_bounded_and_keeps_what_counts),
                cmocka_unit_test(a_request_never_outlives_its_refusal),
                cmocka_unit_test(the_cause_stays_whatever_of_its_kind_was_before_it),
                cmocka_unit_test(of_very_many_the_first_and_the_newest_stay),
                cmocka_unit_test(a_panicked_guests_own_reset_is_part_of_its_crash),
                cmocka_unit_test(an_episode_can_be_given_back_twice),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("episode", tests, NULL, NULL);
}
