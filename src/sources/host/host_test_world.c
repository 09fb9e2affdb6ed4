#include "sources/host/host_test_world.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CONFIGURATION                                                                                                    \
        "<busconfig><type>system</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>"                            \
        "<policy context='default'><allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>"               \
        "<allow own='*'/><allow user='*'/></policy></busconfig>"


void on_changed(void *userdata, const struct evidence *fact) {
        struct world *w = userdata;

        w->fact = *fact;
        w->has_actor = fact->actor != NULL;
        if (fact->actor)
                w->actor = *fact->actor;
        w->fact.actor = NULL;
        w->n_facts++;
}

void on_trouble(void *userdata, const char *line) {
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

static int method_schedule(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        struct world *w = userdata;

        w->n_calls++;
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
        SD_BUS_METHOD("ScheduleShutdown", "st", "", method_schedule, SD_BUS_VTABLE_UNPRIVILEGED),
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

void job(struct world *w, bool is_new, const char *unit) {
        if (is_new)
                sd_bus_emit_signal(w->systemd, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobNew", "uos", 7,
                                   "/org/freedesktop/systemd1/job/7", unit);
        else
                sd_bus_emit_signal(w->systemd, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss", 7,
                                   "/org/freedesktop/systemd1/job/7", unit, "canceled");
}

void prepare(struct world *w, bool goes) {
        sd_bus_emit_signal(w->logind, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForShutdown", "b", goes);
}

/* --- the world --------------------------------------------------------------------------------------------------- */

bool step(struct world *w, uint64_t deadline_ns) {
        sd_event_run(w->event, 100000);
        return source_now_ns() < deadline_ns;
}

sd_bus *connect_to(struct world *w, const char *name) {
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

void stop_daemon(struct world *w) {
        char path[96];

        kill(w->daemon, SIGKILL);
        waitpid(w->daemon, NULL, 0);
        snprintf(path, sizeof(path), "%s/bus", w->directory);
        unlink(path);
        snprintf(path, sizeof(path), "%s/conf", w->directory);
        unlink(path);
        rmdir(w->directory);
}

bool world_start(struct world *w) {
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

void start_logind(struct world *w) {
        w->logind = connect_to(w, "org.freedesktop.login1");
        assert_true(sd_bus_add_object_vtable(w->logind, NULL, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", logind_vtable, w) >= 0);
}

void open_source(struct world *w) {
        const struct host_events events = { on_changed, on_trouble, w };

        assert_int_equal(host_source_new(&w->source, w->event, w->address, &events), 0);
        UNTIL(w, w->n_facts == 1);
}

void world_end(struct world *w) {
        host_source_free(w->source);
        sd_bus_close_unref(w->logind);
        sd_bus_close_unref(w->systemd);
        sd_bus_close_unref(w->client);
        close_fd(&w->lock);
        sd_event_unref(w->event);
        stop_daemon(w);
}

bool is_let_go(const struct world *w) {
        char byte;

        return w->lock >= 0 && read(w->lock, &byte, 1) == 0;
}

int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct world *w = userdata;

        w->n_replies++;
        return 0;
}

void call_power_off(struct world *w) {
        assert_true(sd_bus_call_method_async(w->client, NULL, "org.freedesktop.login1", "/org/freedesktop/login1",
                                             "org.freedesktop.login1.Manager", "PowerOff", on_reply, w, "b", false) >= 0);
}
