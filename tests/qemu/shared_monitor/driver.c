/*
 * Driver: the shared monitor on a real QEMU, and nothing else of vmpower.
 *
 *      driver MONITOR SHARED [RELEASE]
 *
 * Connects to QEMU at MONITOR, offers it at SHARED, and says on standard output what its owner is told, one line each.  A
 * request is released RELEASE milliseconds later (0: at once; -1: never).
 */
#include "basics/cleanup.h"
#include "sources/qemu/shared_monitor.h"

#include <stdlib.h>
#include <string.h>

struct driver {
        sd_event *event;
        struct shared_monitor *shared;
        int release_ms;
        uint64_t request;
};

/* Whoever started us has closed our standard input. */
static int on_input(sd_event_source *input, int fd, uint32_t revents, void *userdata) {
        return sd_event_exit(sd_event_source_get_event(input), 0);
}

static void on_connected(void *userdata, pid_t pid, uid_t uid) {
}

static void on_waiting(void *userdata) {
}

static void on_refused(void *userdata, const char *command, const char *why) {
        printf("refused %s: %s\n", command, why);
}

static void on_report(void *userdata, struct evidence *evidence) {
        printf("evidence %s %s\n", evidence_kind_info(evidence->kind)->name, evidence->word);
        evidence_deinit(evidence);
}

static void on_ended(void *userdata, enum evidence_source source) {
        printf("ended\n");
}

static int on_release(sd_event_source *timer, uint64_t usec, void *userdata) {
        struct driver *driver = userdata;

        shared_monitor_release(driver->shared, driver->request);
        return 0;
}

static void on_request(void *userdata, uint64_t request, struct evidence *evidence) {
        struct driver *driver = userdata;
        const struct actor *actor = evidence->actor;

        printf("request %s pid %lld uid %lld comm %s via %s parent %lld\n", evidence->word, (long long)actor->pid,
               (long long)actor->uid, actor->comm, actor->via, (long long)(actor->n_parents ? actor->parents[0].pid : 0));
        evidence_deinit(evidence);
        driver->request = request;
        if (driver->release_ms == 0)
                shared_monitor_release(driver->shared, request);
        else if (driver->release_ms > 0)
                sd_event_add_time_relative(driver->event, NULL, CLOCK_MONOTONIC, (uint64_t)driver->release_ms * 1000, 1,
                                           on_release, driver);
}

static void on_request_answered(void *userdata, struct evidence *evidence) {
        printf("%s %s: %s\n", evidence_kind_info(evidence->kind)->name, evidence->word, evidence->text);
}

static void on_late(void *userdata, uint64_t request) {
        printf("late\n");
}

static void on_dropped(void *userdata, const struct actor *client, const char *why) {
        printf("dropped %s\n", why);
}

int main(int argc, char **argv) {
        struct driver driver = { .release_ms = argc > 3 ? atoi(argv[3]) : 0 };
        const struct qemu_source_config config = { .path = argv[1], .is_shared = true };
        const struct qemu_source_events events = { on_connected, on_waiting, on_refused, NULL, &driver };
        const struct shared_monitor_events shared_events = { on_request, on_request_answered, on_late, on_dropped, &driver };
        const struct source_sink sink = { on_report, on_ended, &driver };
        struct qemu_source *source = NULL;
        int r;

        if (argc < 3) {
                fprintf(stderr, "usage: driver MONITOR SHARED [RELEASE]\n");
                return 2;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        r = sd_event_default(&driver.event);
        if (r >= 0)
                r = sd_event_add_io(driver.event, NULL, STDIN_FILENO, EPOLLIN, on_input, NULL);
        if (r >= 0)
                r = qemu_source_open(&source, driver.event, &config, &events, &sink);
        if (r >= 0)
                r = shared_monitor_open(&driver.shared, driver.event, argv[2], (uid_t)-1, (gid_t)-1, -1, source, &shared_events);
        if (r >= 0) {
                qemu_source_try(source);
                printf("listening\n");
                r = sd_event_loop(driver.event);
        }
        if (r < 0)
                fprintf(stderr, "driver: %s\n", strerror(-r));
        shared_monitor_close(driver.shared);
        qemu_source_close(source);
        sd_event_unref(driver.event);
        return r < 0;
}
