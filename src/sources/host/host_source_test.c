/* The host source on a private bus, where logind and systemd say what the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "basics/cleanup.h"
#include "sources/host/host_source.h"
#include "sources/toolstack.h"

#define PATIENCE_NS UINT64_C(20000000000)

#define CONFIGURATION                                                                                                    \
        "<busconfig><type>system</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>"                            \
        "<policy context='default'><allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>"               \
        "<allow own='*'/><allow user='*'/></policy></busconfig>"

struct world {
        char directory[64];
        char address[128];
        pid_t daemon;
        sd_event *event;
        sd_bus *logind, *systemd, *client;
        struct host_source *source;
        /* What they say. */
        int is_preparing;
        const char *state;
        bool refuses_lock;
        bool is_silent; /* PowerOff does nothing */
        bool refuses;   /* … but to say no */
        int lock;       /* our end: at its end once nobody holds it */
        /* What was heard. */
        struct evidence fact; /* without its actor */
        struct actor actor;
        bool has_actor;
        unsigned n_facts, n_calls, n_replies;
};

static void on_changed(void *userdata, const struct evidence *fact) {
        struct world *w = userdata;

        w->fact = *fact;
        w->has_actor = fact->actor != NULL;
        if (fact->actor)
                w->actor = *fact->actor;
        w->fact.actor = NULL;
        w->n_facts++;
}

static void on_trouble(void *userdata, const char *line) {
        print_message("# %s\n", line);
}

/* --- logind ------------------------------------------------------------------------------------------------------ */

static int method_inhibit(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        struct world *w = userdata;
        const char *what, *who, *why, *mode;
        int ends[2], r;

        assert_true(sd_bus_message_read(call, "ssss", &what, &who, &why, &mode) >= 0);
        assert_string_equal(what, "shutdown");
        assert_string_equal(mode, "delay");
        if (w->refuses_lock)
                return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_ACCESS_DENIED, "no");
        assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        close_fd(&w->lock);
        w->lock = ends[0];
        r = sd_bus_reply_method_return(call, "h", ends[1]);
        close(ends[1]);
        return r;
}

static int method_power_off(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        struct world *w = userdata;

        w->n_calls++;
        if (w->refuses)
                return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_ACCESS_DENIED, "no");
        if (!w->is_silent)
                sd_bus_emit_signal(w->logind, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForShutdown", "b", true);
        return sd_bus_reply_method_return(call, "");
}

static int get_preparing(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata,
                         sd_bus_error *error) {
        const struct world *w = userdata;

        return sd_bus_message_append(reply, "b", w->is_preparing);
}

static const sd_bus_vtable logind_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Inhibit", "ssss", "h", method_inhibit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("PowerOff", "b", "", method_power_off, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("PreparingForShutdown", "b", get_preparing, 0, 0),
        SD_BUS_VTABLE_END,
};

/* --- systemd ----------------------------------------------------------------------------------------------------- */

static int method_subscribe(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(call, "");
}

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata,
                     sd_bus_error *error) {
        const struct world *w = userdata;

        return sd_bus_message_append(reply, "s", w->state);
}

static int method_stop_unit(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        struct world *w = userdata;

        return w->refuses ? sd_bus_reply_method_errorf(call, SD_BUS_ERROR_ACCESS_DENIED, "no") : sd_bus_reply_method_return(call, "o", "/job/1");
}

static const sd_bus_vtable unit_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Stop", "s", "o", method_stop_unit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable systemd_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("StopUnit", "ss", "o", method_stop_unit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Subscribe", "", "", method_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("SystemState", "s", get_state, 0, 0),
        SD_BUS_VTABLE_END,
};

static void job(struct world *w, bool is_new, const char *unit) {
        if (is_new)
                sd_bus_emit_signal(w->systemd, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobNew", "uos", 7,
                                   "/org/freedesktop/systemd1/job/7", unit);
        else
                sd_bus_emit_signal(w->systemd, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss", 7,
                                   "/org/freedesktop/systemd1/job/7", unit, "canceled");
}

static void prepare(struct world *w, bool goes) {
        sd_bus_emit_signal(w->logind, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForShutdown", "b", goes);
}

/* --- the world --------------------------------------------------------------------------------------------------- */

static bool step(struct world *w, uint64_t deadline_ns) {
        sd_event_run(w->event, 100000);
        return source_now_ns() < deadline_ns;
}

#define UNTIL(w, condition)                                                                                              \
        do {                                                                                                             \
                uint64_t _deadline = source_now_ns() + PATIENCE_NS;                                                      \
                while (!(condition))                                                                                     \
                        if (!step((w), _deadline))                                                                       \
                                fail_msg("never: %s", #condition);                                                       \
        } while (0)

static sd_bus *connect_to(struct world *w, const char *name) {
        sd_bus *bus = NULL;

        assert_true(sd_bus_new(&bus) >= 0 && sd_bus_set_address(bus, w->address) >= 0 && sd_bus_set_bus_client(bus, true) >= 0 &&
                    sd_bus_negotiate_fds(bus, true) >= 0 && sd_bus_start(bus) >= 0);
        if (name)
                assert_true(sd_bus_request_name(bus, name, 0) >= 0);
        assert_true(sd_bus_attach_event(bus, w->event, 0) >= 0);
        return bus;
}

/* dbus-daemon says its address once it listens. */
static bool start_daemon(struct world *w) {
        char path[96], line[256] = "";
        int ends[2];
        FILE *file;

        snprintf(w->directory, sizeof(w->directory), "/tmp/vmpower-bus-XXXXXX");
        assert_non_null(mkdtemp(w->directory));
        snprintf(w->address, sizeof(w->address), "unix:path=%s/bus", w->directory);
        snprintf(path, sizeof(path), "%s/conf", w->directory);
        file = fopen(path, "we");
        assert_non_null(file);
        fprintf(file, CONFIGURATION, w->directory);
        fclose(file);
        assert_int_equal(pipe(ends), 0);
        w->daemon = fork();
        if (!w->daemon) {
                char argument[128];

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                snprintf(argument, sizeof(argument), "--config-file=%s", path);
                dup2(ends[1], 3);
                execlp("dbus-daemon", "dbus-daemon", argument, "--nofork", "--nopidfile", "--print-address=3", NULL);
                _exit(127);
        }
        close(ends[1]);
        file = fdopen(ends[0], "r");
        if (!fgets(line, sizeof(line), file))
                *line = '\0';
        fclose(file);
        return *line;
}

static void stop_daemon(struct world *w) {
        char path[96];

        kill(w->daemon, SIGKILL);
        waitpid(w->daemon, NULL, 0);
        snprintf(path, sizeof(path), "%s/bus", w->directory);
        unlink(path);
        snprintf(path, sizeof(path), "%s/conf", w->directory);
        unlink(path);
        rmdir(w->directory);
}

static bool world_start(struct world *w) {
        *w = (struct world){ .lock = -1, .state = "running" };
        if (!start_daemon(w)) {
                print_message("# skipped: dbus-daemon is not here\n");
                stop_daemon(w);
                return false;
        }
        assert_true(sd_event_new(&w->event) >= 0);
        w->systemd = connect_to(w, "org.freedesktop.systemd1");
        assert_true(sd_bus_add_object_vtable(w->systemd, NULL, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", systemd_vtable,
                                             w) >= 0);
        assert_true(sd_bus_add_object_vtable(w->systemd, NULL, "/org/freedesktop/systemd1/unit/web_2d1_2eservice", "org.freedesktop.systemd1.Unit",
                                             unit_vtable, w) >= 0);
        w->client = connect_to(w, NULL);
        return true;
}

static void start_logind(struct world *w) {
        w->logind = connect_to(w, "org.freedesktop.login1");
        assert_true(sd_bus_add_object_vtable(w->logind, NULL, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", logind_vtable, w) >= 0);
}

static void open_source(struct world *w) {
        const struct host_events events = { on_changed, on_trouble, w };

        assert_int_equal(host_source_new(&w->source, w->event, w->address, &events), 0);
        UNTIL(w, w->n_facts == 1);
}

static void world_end(struct world *w) {
        host_source_free(w->source);
        sd_bus_close_unref(w->logind);
        sd_bus_close_unref(w->systemd);
        sd_bus_close_unref(w->client);
        close_fd(&w->lock);
        sd_event_unref(w->event);
        stop_daemon(w);
}

/* Nobody holds the lock any more: logind's end is at its end. */
static bool is_let_go(const struct world *w) {
        char byte;

        return w->lock >= 0 && read(w->lock, &byte, 1) == 0;
}

/* Without this no answer would be asked for. */
static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct world *w = userdata;

        w->n_replies++;
        return 0;
}

static void call_power_off(struct world *w) {
        assert_true(sd_bus_call_method_async(w->client, NULL, "org.freedesktop.login1", "/org/freedesktop/login1",
                                             "org.freedesktop.login1.Manager", "PowerOff", on_reply, w, "b", false) >= 0);
}

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
