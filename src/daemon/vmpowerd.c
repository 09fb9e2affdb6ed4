/* vmpowerd: every VM of the host, in one process: finds them, looks after them, answers for them. */
#include "api/api.h"
#include "basics/cleanup.h"
#include "daemon/options.h"
#include "daemon/telling.h"
#include "engine/directories.h"
#include "keeper/keeper.h"
#include "keeper/privileges.h"
#include "engine/retention.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>

/* So long those who are being told may take when it ends; then they are told again by the next one. */
#define SETTLE_NS UINT64_C(5000000000)
#define DAY_NS    UINT64_C(86400000000000)

struct daemon {
        sd_event *event;
        struct store *store;
        int claim; /* to the state directory; -1: none */
        struct handover *handover;
        struct keeper *keeper;
        struct telling *telling;
        struct api *api;
        struct retention *retention;
        char *socket; /* that we made, and that goes with us; owned */
        char run_directory[PATH_MAX];
};

static void say(const char *level, const char *line) {
        fprintf(stderr, "%svmpowerd: %s\n", getenv("JOURNAL_STREAM") ? level : "", line);
}

static void on_verdict(const struct verdict_record *record, int64_t uid, void *userdata) {
        struct daemon *daemon = userdata;

        /* Not twice in one journal. */
        if (!getenv("JOURNAL_STREAM") || !daemon->telling || !telling_has_journal(daemon->telling))
                say(SD_NOTICE, record->summary);
        if (daemon->api)
                api_publish(daemon->api, record, uid);
        if (daemon->telling)
                outbox_publish(telling_outbox(daemon->telling), record);
}

static void on_trouble(const char *line, void *userdata) {
        say(SD_WARNING, line);
}

/* A VM costs two descriptors (its process, its cgroup's counter), with a monitor, which is shared, four. */
static void raise_file_limit(void) {
        struct rlimit limit;

        if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < limit.rlim_max) {
                limit.rlim_cur = limit.rlim_max;
                setrlimit(RLIMIT_NOFILE, &limit);
        }
}

/*
 * A socket that the service manager made and handed over is the service manager's.  One that we made goes with us, unless it is kept for the
 * one that comes after us: then whoever connects meanwhile only waits.
 */
static int listen_for_api(struct daemon *daemon, int *ret_fd) {
        char path[PATH_MAX + 16], line[PATH_MAX + 96];
        int r;

        snprintf(path, sizeof(path), "%s/vmpower.sock", daemon->run_directory);
        *ret_fd = handover_take_listener(daemon->handover, path);
        if (*ret_fd >= 0)
                return 0;
        r = api_listen(ret_fd, path);
        if (r) {
                snprintf(line, sizeof(line), "cannot listen on %s: %s", path,
                         r == -EADDRINUSE ? "another vmpowerd answers there" : strerror(-r));
                say(SD_ERR, line);
                return r;
        }
        if (!handover_is_offered(daemon->handover) || handover_keep(daemon->handover, "api", *ret_fd))
                daemon->socket = strdup(path);
        return 0;
}

/* Without metrics VMs are looked after all the same. */
static void serve_metrics(struct daemon *daemon, const struct configuration *configuration) {
        char line[512];
        int fd, r;

        if (!*configuration->metrics_host)
                return;
        r = api_listen_tcp(&fd, configuration->metrics_host, configuration->metrics_port);
        if (!r) {
                r = api_serve_metrics(daemon->api, fd);
                if (r)
                        close(fd);
        }
        if (!r)
                return;
        snprintf(line, sizeof(line), "metrics are not served on %s, port %s: %s", configuration->metrics_host,
                 configuration->metrics_port, r == -ENXIO ? "there is no such host" : strerror(-r));
        say(SD_WARNING, line);
}

static int start(struct daemon *daemon, const struct configuration *configuration) {
        static const enum keeper_help help[] = { [XEN_AUTO] = KEEPER_AUTO, [XEN_YES] = KEEPER_YES, [XEN_NO] = KEEPER_NO };
        struct keeper_config config = {
                .take_monitors = (const char *const *)configuration->take_monitors.items,
                .n_take_monitors = configuration->take_monitors.n,
                .halt_after_ns = configuration->halt_after_ns,
                .run_directory = daemon->run_directory,
                .helpers = { [KEEPER_XEN] = help[configuration->xen] },
                .xen_leaves = configuration->xen_leaves,
        };
        struct api_config api_config = { .version = VMPOWER_VERSION, .identify = keeper_identify };
        const struct outbox_events outbox_events = { on_trouble, daemon };
        const struct retention_config retention = {
                .age_ns = configuration->retention_days * DAY_NS,
                .n_bytes_max = configuration->retention_size,
        };
        const struct keeper_events events = { on_verdict, on_trouble, daemon };
        char state[PATH_MAX], why[STORE_WHY_MAX];
        cleanup(closep) int fd = -1;
        int r;

        if (state_directory(state, sizeof(state)) || run_directory(daemon->run_directory, sizeof(daemon->run_directory))) {
                say(SD_ERR, "there is no place for its state or sockets: set VMPOWER_STATE_DIR and VMPOWER_RUN_DIR");
                return -ENOENT;
        }
        r = handover_new(&daemon->handover);
        if (r) {
                say(SD_ERR, strerror(-r));
                return r;
        }
        /* The socket first: where another vmpowerd answers, nothing of its state is touched. */
        r = listen_for_api(daemon, &fd);
        if (r)
                return r;
        r = store_open(&daemon->store, state, STORE_WRITE, why);
        /* With sockets elsewhere there may be another one all the same. */
        if (!r)
                r = store_claim(state, &daemon->claim, why);
        config.handover = daemon->handover;
        /* Before the keeper: a new outlet begins before the first verdict. */
        if (!r)
                r = telling_new(&daemon->telling, daemon->event, daemon->store, state, configuration, &outbox_events, why);
        if (!r)
                r = keeper_new(&daemon->keeper, daemon->event, daemon->store, &config, &events, why);
        /* What ended while nobody looked has its verdict by now. */
        if (!r)
                r = outbox_look(telling_outbox(daemon->telling), why);
        if (r) {
                say(SD_ERR, why);
                return r;
        }
        api_config.retention_days = configuration->retention_days;
        api_config.retention_bytes = configuration->retention_size;
        api_config.descriptors_kept = handover_is_offered(daemon->handover);
        api_config.outbox = telling_outbox(daemon->telling);
        r = retention_new(&daemon->retention, daemon->event, daemon->store, &retention, on_trouble, daemon);
        if (!r)
                r = api_new(&daemon->api, daemon->event, daemon->keeper, daemon->store, fd, &api_config);
        if (r) {
                say(SD_ERR, strerror(-r));
                return r;
        }
        take_fd(&fd);
        serve_metrics(daemon, configuration);
        r = privileges_drop(keeper_is_by_perf(daemon->keeper));
        if (r) {
                snprintf(why, sizeof(why), "cannot give up the rights that it does not need: %s", strerror(-r));
                say(SD_ERR, why);
        }
        return r;
}

static int on_told_to_end(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        struct daemon *daemon = userdata;

        sd_notify(0, "STOPPING=1");
        if (daemon->keeper)
                keeper_end(daemon->keeper);
        else
                sd_event_exit(daemon->event, 0);
        return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        say(SD_NOTICE, "it does not read its configuration again on SIGHUP; restart it for that");
        return 0;
}

/* Nothing is stored any more, in this life: the next one opens what is there by then, or makes it. */
static int on_anything(sd_event_source *source, void *userdata) {
        struct daemon *daemon = userdata;
        char line[PATH_MAX + 96];

        if (!daemon->store || !store_has_lost_file(daemon->store))
                return 0;
        snprintf(line, sizeof(line), "%s was moved or removed while it was in use: nothing can be stored; it ends, and is to be started again",
                 store_path(daemon->store));
        say(SD_ERR, line);
        return sd_event_exit(daemon->event, -ESTALE);
}

static int run(const struct configuration *configuration) {
        static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
        struct daemon daemon = { .claim = -1 };
        sigset_t blocked;
        int r;

        raise_file_limit();
        sigemptyset(&blocked);
        for (size_t i = 0; i < N_ELEMENTS(signals); i++)
                sigaddset(&blocked, signals[i]);
        sigprocmask(SIG_BLOCK, &blocked, NULL);
        /* Nobody may read standard error any more; and what others take for a wish to hear of something is none to end. */
        signal(SIGPIPE, SIG_IGN);
        signal(SIGUSR1, SIG_IGN);
        signal(SIGUSR2, SIG_IGN);

        r = sd_event_new(&daemon.event);
        if (r >= 0)
                r = sd_event_add_signal(daemon.event, NULL, SIGTERM, on_told_to_end, &daemon);
        if (r >= 0)
                r = sd_event_add_signal(daemon.event, NULL, SIGINT, on_told_to_end, &daemon);
        if (r >= 0)
                r = sd_event_add_signal(daemon.event, NULL, SIGHUP, on_hangup, &daemon);
        if (r >= 0)
                r = sd_event_add_post(daemon.event, NULL, on_anything, &daemon);
        if (r >= 0)
                r = start(&daemon, configuration);
        if (r >= 0) {
                sd_notifyf(0, "READY=1\nSTATUS=Looking after %zu VMs", keeper_n_vms(daemon.keeper));
                r = sd_event_loop(daemon.event);
                keeper_settle(daemon.keeper);
                outbox_settle(telling_outbox(daemon.telling), SETTLE_NS);
        }
        api_free(daemon.api);
        if (daemon.socket)
                unlink(daemon.socket);
        free(daemon.socket);
        retention_free(daemon.retention);
        /* Before the keeper: libsystemd 252 forgets memory where a source for SIGCHLD goes before one for a child. */
        daemon.telling = telling_free(daemon.telling);
        keeper_free(daemon.keeper);
        handover_free(daemon.handover);
        store_close(daemon.store);
        close_fd(&daemon.claim);
        sd_event_unref(daemon.event);
        return r < 0;
}

int main(int argc, char **argv) {
        cleanup(configuration_deinit) struct configuration configuration = {};
        int status = 1;

        return options_take(&configuration, argc, argv, &status) ? status : run(&configuration);
}
