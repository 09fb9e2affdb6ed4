/* The host source on a private bus, where logind and systemd say what the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "basics/cleanup.h"
#include "sources/host/host_test_world.h"
#include "sources/toolstack.h"

static void who_calls_logind_is_named_before_it_is_told(void **state) {
        struct world w;

        if (!world_start(&w))
                return;
        start_logind(&w);
        open_source(&w);
        assert_int_equal(w.fact.kind, EVIDENCE_STAYS_UP);
        UNTIL(&w, host_source_delays(w.source));
        call_power_off(&w);
        UNTIL(&w, w.n_facts == 2);
        assert_int_equal(w.fact.kind, EVIDENCE_GOING_DOWN);
        assert_int_equal(w.fact.source, SOURCE_HOST);
        assert_string_equal(w.fact.word, "poweroff");
        assert_true(w.has_actor);
        assert_int_equal(w.actor.pid, getpid());
        assert_int_equal(w.actor.uid, getuid());
        assert_string_equal(w.actor.via, "logind PowerOff");
        assert_int_equal(w.actor.confidence, CONFIDENCE_CERTAIN);
        /* systemd says so, too: nothing new. */
        w.state = "stopping";
        job(&w, true, "shutdown.target");
        host_source_release(w.source);
        UNTIL(&w, is_let_go(&w));
        assert_int_equal(w.n_facts, 2);
        world_end(&w);
}

static void who_called_in_vain_long_before_has_not_done_it(void **state) {
        struct world w;

        if (!world_start(&w))
                return;
        w.is_silent = true;
        start_logind(&w);
        open_source(&w);
        call_power_off(&w);
        UNTIL(&w, w.n_calls == 1);
        /* A second later somebody presses the host's button, which calls nobody: it may have been the caller, who typed his password. */
        for (uint64_t end = source_now_ns() + UINT64_C(1100000000); step(&w, end);)
                ;
        prepare(&w, true);
        UNTIL(&w, w.n_facts == 2);
        assert_true(!w.has_actor || w.actor.confidence == CONFIDENCE_LIKELY);
        world_end(&w);
}

static void who_was_refused_has_not_done_it(void **state) {
        struct world w;

        if (!world_start(&w))
                return;
        w.refuses = true;
        start_logind(&w);
        open_source(&w);
        call_power_off(&w);
        UNTIL(&w, w.n_calls == 1);
        prepare(&w, true);
        UNTIL(&w, w.n_facts == 2);
        assert_int_equal(w.fact.kind, EVIDENCE_GOING_DOWN);
        assert_false(w.has_actor);
        assert_string_equal(w.fact.word, "");
        world_end(&w);
}

static void of_two_who_call_the_first_has_done_it_most_likely(void **state) {
        struct world w;
        sd_bus *other;

        if (!world_start(&w))
                return;
        w.is_silent = true;
        start_logind(&w);
        open_source(&w);
        other = connect_to(&w, NULL);
        call_power_off(&w);
        UNTIL(&w, w.n_calls == 1);
        assert_true(sd_bus_call_method_async(other, NULL, "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                                             "PowerOff", on_reply, &w, "b", false) >= 0);
        UNTIL(&w, w.n_replies == 2);
        prepare(&w, true);
        UNTIL(&w, w.n_facts == 2);
        assert_true(w.has_actor);
        assert_int_equal(w.actor.confidence, CONFIDENCE_LIKELY);
        sd_bus_close_unref(other);
        world_end(&w);
}

static void who_asks_for_the_next_one_is_another(void **state) {
        struct world w;
        sd_bus *other;

        if (!world_start(&w))
                return;
        start_logind(&w);
        open_source(&w);
        other = connect_to(&w, NULL);
        call_power_off(&w);
        UNTIL(&w, w.n_facts == 2);
        assert_true(w.has_actor);
        prepare(&w, false);
        UNTIL(&w, w.n_facts == 3);
        /* At once after that: nobody else is before him. */
        assert_true(sd_bus_call_method_async(other, NULL, "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                                             "PowerOff", on_reply, &w, "b", false) >= 0);
        UNTIL(&w, w.n_facts == 4 && w.n_replies == 2);
        assert_true(w.has_actor);
        assert_int_equal(w.actor.confidence, CONFIDENCE_CERTAIN);
        sd_bus_close_unref(other);
        world_end(&w);
}

/* As logind writes it: so many seconds from now on. */
static void write_schedule(int64_t seconds, const char *mode, int64_t uid) {
        FILE *file = fopen(host_source_scheduled_path, "we");

        assert_non_null(file);
        fprintf(file, "USEC=%" PRId64 "\nWARN_WALL=1\nMODE=%s\n", (int64_t)(source_time_ns() / 1000) + seconds * 1000000, mode);
        if (uid >= 0)
                fprintf(file, "UID=%" PRId64 "\n", uid);
        fclose(file);
}

static void a_scheduled_shutdown_that_is_due_is_of_who_has_scheduled_it(void **state) {
        const int64_t self = getuid(), other = 4711;
        const struct {
                bool is_called;
                int64_t seconds;
                int64_t uid; /* -1: the file does not say */
                const char *mode;
                int64_t expected_pid, expected_uid; /* -1: nobody */
        } cases[] = {
                { true, 0, self, "reboot", getpid(), self }, { true, 0, -1, "reboot", getpid(), self },
                /* Somebody before us had seen that one, or nobody. */
                { true, 0, other, "reboot", 0, other },      { false, 0, other, "reboot", 0, other },
                { false, 0, -1, "reboot", 0, -1 },
                /* It is not that one that comes. */
                { true, 3600, self, "", 0, -1 },             { true, -3600, self, "", 0, -1 },
        };
        const char *usual = host_source_scheduled_path;
        char path[96];

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct world w;

                if (!world_start(&w))
                        return;
                snprintf(path, sizeof(path), "%s/scheduled", w.directory);
                host_source_scheduled_path = path;
                start_logind(&w);
                open_source(&w);
                if (cases[i].is_called) {
                        assert_true(sd_bus_call_method_async(w.client, NULL, "org.freedesktop.login1", "/org/freedesktop/login1",
                                                             "org.freedesktop.login1.Manager", "ScheduleShutdown", on_reply, &w, "st", "reboot",
                                                             UINT64_C(0)) >= 0);
                        UNTIL(&w, w.n_calls == 1);
                }
                write_schedule(cases[i].seconds, "reboot", cases[i].uid);
                prepare(&w, true);
                UNTIL(&w, w.n_facts == 2);
                assert_int_equal(w.fact.kind, EVIDENCE_GOING_DOWN);
                assert_string_equal(w.fact.word, cases[i].mode);
                assert_int_equal(w.has_actor, cases[i].expected_uid >= 0);
                if (w.has_actor) {
                        assert_int_equal(w.actor.pid, cases[i].expected_pid);
                        assert_int_equal(w.actor.uid, cases[i].expected_uid);
                        assert_string_equal(w.actor.via, "logind ScheduleShutdown");
                        assert_int_equal(w.actor.confidence, CONFIDENCE_CERTAIN);
                }
                unlink(path);
                world_end(&w);
        }
        host_source_scheduled_path = usual;
}

static void it_lets_go_after_a_second_though_nothing_is_on_record(void **state) {
        struct world w;
        uint64_t began;

        if (!world_start(&w))
                return;
        start_logind(&w);
        open_source(&w);
        UNTIL(&w, host_source_delays(w.source));
        assert_false(is_let_go(&w));
        prepare(&w, true);
        UNTIL(&w, w.n_facts == 2);
        began = source_now_ns();
        assert_true(host_source_delays(w.source));
        assert_false(w.has_actor);
        UNTIL(&w, is_let_go(&w));
        assert_true(source_now_ns() - began > UINT64_C(900000000));
        world_end(&w);
}

static void called_off_it_is_said_and_the_lock_taken_again(void **state) {
        struct world w;

        if (!world_start(&w))
                return;
        start_logind(&w);
        open_source(&w);
        UNTIL(&w, host_source_delays(w.source));
        for (unsigned n = 1; n < 7; n += 2) {
                prepare(&w, true);
                UNTIL(&w, w.n_facts == n + 1);
                assert_int_equal(w.fact.kind, EVIDENCE_GOING_DOWN);
                host_source_release(w.source);
                assert_false(host_source_delays(w.source));
                prepare(&w, false);
                UNTIL(&w, w.n_facts == n + 2);
                assert_int_equal(w.fact.kind, EVIDENCE_STAYS_UP);
                UNTIL(&w, host_source_delays(w.source));
        }
        world_end(&w);
}

static void without_logind_systemd_says_it(void **state) {
        struct world w;

        if (!world_start(&w))
                return;
        open_source(&w);
        assert_int_equal(w.fact.kind, EVIDENCE_STAYS_UP);
        assert_false(host_source_delays(w.source));
        job(&w, true, "web.service");
        w.state = "stopping";
        job(&w, true, "shutdown.target");
        UNTIL(&w, w.n_facts == 2);
        assert_int_equal(w.fact.kind, EVIDENCE_GOING_DOWN);
        assert_false(w.has_actor);
        assert_ptr_equal(host_source_fact(w.source)->actor, NULL);
        w.state = "running";
        job(&w, false, "shutdown.target");
        UNTIL(&w, w.n_facts == 3);
        assert_int_equal(w.fact.kind, EVIDENCE_STAYS_UP);
        /* logind comes later than we do. */
        start_logind(&w);
        UNTIL(&w, host_source_delays(w.source));
        world_end(&w);
}

static void a_host_that_goes_down_already_is_told_first(void **state) {
        struct world w;

        if (!world_start(&w))
                return;
        w.is_preparing = true;
        start_logind(&w);
        open_source(&w);
        assert_int_equal(w.fact.kind, EVIDENCE_GOING_DOWN);
        world_end(&w);
        if (!world_start(&w))
                return;
        w.state = "stopping";
        open_source(&w);
        assert_int_equal(w.fact.kind, EVIDENCE_GOING_DOWN);
        world_end(&w);
}

static void who_may_not_delay_hears_of_it_all_the_same(void **state) {
        struct world w;

        if (!world_start(&w))
                return;
        w.refuses_lock = true;
        start_logind(&w);
        open_source(&w);
        prepare(&w, true);
        UNTIL(&w, w.n_facts == 2);
        assert_int_equal(w.fact.kind, EVIDENCE_GOING_DOWN);
        assert_false(host_source_delays(w.source));
        world_end(&w);
}

static void tell(sd_bus *bus, const char *name, const char *path, const char *interface, const char *member, const char *types, ...) {
        sd_bus_message *message = NULL;
        const char *unique = NULL;
        va_list arguments;

        /* It does not speak to itself. */
        sd_bus_get_unique_name(bus, &unique);
        if (unique && !strcmp(unique, name))
                return;
        assert_true(sd_bus_message_new_signal(bus, &message, path, interface, member) >= 0);
        va_start(arguments, types);
        assert_true(sd_bus_message_appendv(message, types, arguments) >= 0);
        va_end(arguments);
        assert_true(sd_bus_send_to(bus, message, name, NULL) >= 0);
        sd_bus_message_unref(message);
}

static void what_others_say_is_not_loginds_word(void **state) {
        struct world w;

        if (!world_start(&w))
                return;
        start_logind(&w);
        open_source(&w);
        sd_bus_emit_signal(w.client, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForShutdown", "b", true);
        sd_bus_emit_signal(w.logind, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForShutdown", "s", "true");
        sd_bus_emit_signal(w.logind, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForShutdown", "");
        sd_bus_emit_signal(w.logind, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForShutdownWithMetadata", "b", true);
        /* To us alone: no rule keeps that away. */
        for (unsigned i = 0; i < 20; i++) {
                char name[16];

                snprintf(name, sizeof(name), ":1.%u", i);
                tell(w.client, name, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForShutdown", "b", true);
                tell(w.client, name, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobNew", "uos", 7, "/job",
                     "shutdown.target");
                tell(w.client, name, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged", "sss", "org.freedesktop.login1", "",
                     ":1.0");
        }
        assert_true(sd_bus_flush(w.client) >= 0);
        for (uint64_t end = source_now_ns() + UINT64_C(200000000); step(&w, end);)
                ;
        assert_int_equal(w.n_facts, 1);
        prepare(&w, true);
        UNTIL(&w, w.n_facts == 2);
        assert_int_equal(w.fact.kind, EVIDENCE_GOING_DOWN);
        tell(w.client, ":1.2", "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForShutdown", "b", false);
        tell(w.client, ":1.3", "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForShutdown", "b", false);
        prepare(&w, true);
        for (uint64_t end = source_now_ns() + UINT64_C(200000000); step(&w, end);)
                ;
        assert_int_equal(w.n_facts, 2);
        world_end(&w);
}

static void answered(void *userdata) {
        (*(unsigned *)userdata)++;
}

static void who_asks_is_answered(void **state) {
        struct world w;
        unsigned n = 0;

        if (!world_start(&w))
                return;
        open_source(&w);
        assert_int_equal(host_source_ask(w.source, answered, &n), 0);
        UNTIL(&w, n == 1);
        assert_int_equal(w.n_facts, 1);
        w.state = "stopping";
        assert_int_equal(host_source_ask(w.source, answered, &n), 0);
        UNTIL(&w, n == 2);
        assert_int_equal(w.fact.kind, EVIDENCE_GOING_DOWN);
        assert_int_equal(host_source_ask(NULL, answered, &n), -ENOTCONN);
        world_end(&w);
}

static void a_bus_that_goes_is_waited_for(void **state) {
        struct world w;
        struct host_source *source;
        unsigned n = 0;

        if (!world_start(&w))
                return;
        open_source(&w);
        source = w.source;
        w.source = NULL;
        w.logind = sd_bus_close_unref(w.logind);
        w.systemd = sd_bus_close_unref(w.systemd);
        w.client = sd_bus_close_unref(w.client);
        stop_daemon(&w);
        /* Whoever is told to end meanwhile waits for no answer for long. */
        host_source_ask(source, answered, &n);
        for (uint64_t end = source_now_ns() + UINT64_C(300000000); step(&w, end);)
                ;
        assert_int_equal(w.n_facts, 1);
        host_source_free(source);
        sd_event_unref(w.event);
}

/* For whom systemd has ended that unit, as it is known by now. */
static int64_t asker_of(const char *unit) {
        struct actor actor = { .pid = 1 };

        toolstack_find_asker(&actor, unit);
        return actor.client.pid;
}

static void stop_unit(struct world *w, const char *unit) {
        assert_true(sd_bus_call_method_async(w->client, NULL, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                             "org.freedesktop.systemd1.Manager", "StopUnit", on_reply, w, "ss", unit, "replace") >= 0);
}

static void who_has_systemd_stop_a_unit_is_remembered_unless_he_was_refused(void **state) {
        struct actor other = { .pid = 4711 };
        struct world w;

        if (!world_start(&w))
                return;
        start_logind(&w);
        open_source(&w);
        UNTIL(&w, host_source_delays(w.source));
        stop_unit(&w, "vm.service");
        UNTIL(&w, asker_of("vm.service"));
        assert_int_equal(asker_of("vm.service"), getpid());
        assert_int_equal(asker_of("another.service"), 0);
        /* Another process of that name, such as a user's service manager, was not asked. */
        toolstack_find_asker(&other, "vm.service");
        assert_int_equal(other.client.pid, 0);
        assert_true(sd_bus_call_method_async(w.client, NULL, "org.freedesktop.systemd1", "/org/freedesktop/systemd1/unit/web_2d1_2eservice",
                                             "org.freedesktop.systemd1.Unit", "Stop", on_reply, &w, "s", "replace") >= 0);
        UNTIL(&w, asker_of("web-1.service") == getpid());
        /* Whoever calls is heard of before he is answered. */
        UNTIL(&w, w.n_replies == 2);
        w.refuses = true;
        stop_unit(&w, "refused.service");
        UNTIL(&w, w.n_replies == 3);
        /* Who he is the bus says before or after that. */
        for (uint64_t end = source_now_ns() + UINT64_C(200000000); step(&w, end);)
                ;
        UNTIL(&w, !asker_of("refused.service"));
        assert_int_equal(asker_of("vm.service"), getpid());
        assert_int_equal(asker_of("web-1.service"), getpid());
        world_end(&w);
}

static void without_a_bus_there_is_no_source(void **state) {
        const struct host_events events = { on_changed, on_trouble, NULL };
        struct host_source *source = NULL;
        sd_event *event;

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(host_source_new(&source, event, "unix:path=/nonexistent/bus", &events), -ENOENT);
        assert_null(source);
        assert_null(host_source_fact(NULL));
        host_source_release(NULL);
        sd_event_unref(event);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_calls_logind_is_named_before_it_is_told),
                cmocka_unit_test(who_called_in_vain_long_before_has_not_done_it),
                cmocka_unit_test(who_was_refused_has_not_done_it),
                cmocka_unit_test(of_two_who_call_the_first_has_done_it_most_likely),
                cmocka_unit_test(who_asks_for_the_next_one_is_another),
                cmocka_unit_test(a_scheduled_shutdown_that_is_due_is_of_who_has_scheduled_it),
                cmocka_unit_test(it_lets_go_after_a_second_though_nothing_is_on_record),
                cmocka_unit_test(called_off_it_is_said_and_the_lock_taken_again),
                cmocka_unit_test(without_logind_systemd_says_it),
                cmocka_unit_test(a_host_that_goes_down_already_is_told_first),
                cmocka_unit_test(who_may_not_delay_hears_of_it_all_the_same),
                cmocka_unit_test(what_others_say_is_not_loginds_word),
                cmocka_unit_test(who_asks_is_answered),
                cmocka_unit_test(a_bus_that_goes_is_waited_for),
                cmocka_unit_test(who_has_systemd_stop_a_unit_is_remembered_unless_he_was_refused),
                cmocka_unit_test(without_a_bus_there_is_no_source),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("host-source", tests, NULL, NULL);
}
