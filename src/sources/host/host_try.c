#include "sources/host/host_try.h"
#include "basics/cleanup.h"
#include "sources/host/host_source.h"
#include "sources/try.h"

#include <string.h>
#include <systemd/sd-bus.h>

static void on_changed(void *userdata, const struct evidence *fact) {
}

static void on_trouble(void *userdata, const char *line) {
}

/* Is somebody of that name on the bus?  -errno. */
static int look_for(sd_bus *bus, const char *name) {
        cleanup(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int is_there = 0, r;

        r = sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", NULL, &reply,
                               "s", name);
        if (r >= 0)
                r = sd_bus_message_read(reply, "b", &is_there);
        return r < 0 ? r : is_there;
}

static int look_who_is_there(bool *ret_logind, char ret_found[static FOUND_MAX]) {
        cleanup(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus), systemd = 0, logind = 0;

        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus, TRY_WAIT_NS / 1000);
        if (r >= 0)
                r = systemd = look_for(bus, "org.freedesktop.systemd1");
        if (r >= 0)
                r = logind = look_for(bus, "org.freedesktop.login1");
        if (r < 0)
                return found_say(ret_found, r, "the system bus cannot be used: %s", strerror(-r));
        *ret_logind = logind;
        if (!systemd && !logind)
                return found_say(ret_found, -ENXIO, "neither systemd nor logind is on the system bus");
        return found_say(ret_found, 0, "the system bus answers, with %s on it", !logind ? "systemd" : systemd ? "systemd and logind" : "logind");
}

/* Until both are so, or the time is up. */
static int listen_for_both(sd_event *event, const struct host_source *source, bool with_lock) {
        uint64_t until_ns = source_now_ns() + TRY_WAIT_NS, now_ns;
        int r = 0;

        while (r >= 0 && !(host_source_fact(source) && (!with_lock || host_source_delays(source))) && (now_ns = source_now_ns()) < until_ns)
                r = sd_event_run(event, (until_ns - now_ns) / 1000 + 1);
        return r < 0 ? r : 0;
}

static void say_lock(struct host_try *ret_try, const struct host_source *source, bool has_logind) {
        if (host_source_delays(source))
                ret_try->lock = found_say(ret_try->lock_found, 0, "logind lets us delay a shutdown");
        else if (has_logind)
                ret_try->lock = found_say(ret_try->lock_found, -EACCES, "logind does not let us delay a shutdown");
        else
                ret_try->lock = found_say(ret_try->lock_found, -ENXIO, "there is no logind that would let us delay a shutdown");
}

void host_try(struct host_try *ret_try) {
        const struct host_events events = { on_changed, on_trouble, NULL };
        cleanup(sd_event_unrefp) sd_event *event = NULL;
        struct host_source *source = NULL;
        bool has_logind = false;
        int r;

        ret_try->bus = look_who_is_there(&has_logind, ret_try->bus_found);
        if (!ret_try->bus) {
                r = sd_event_new(&event);
                if (r >= 0)
                        r = host_source_new(&source, event, NULL, &events);
                if (r >= 0)
                        r = listen_for_both(event, source, has_logind);
                if (r < 0 || !host_source_fact(source))
                        ret_try->bus = found_say(ret_try->bus_found, r < 0 ? r : -ETIMEDOUT, "the system bus answers, but not whether the host goes down: %s",
                                                 strerror(r < 0 ? -r : ETIMEDOUT));
        }
        say_lock(ret_try, source, has_logind);
        host_source_free(source);
}
