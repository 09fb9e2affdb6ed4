/*
 * vmpower-source-xen: every domain of this host, told to vmpowerd (docs/wire.md), and what it wants done to them.
 *
 * One watch each for @introduceDomain and @releaseDomain, which name no domain: at each wakeup all that have come are taken together, and then the
 * hypervisor is asked once for all domains.  libxl's own events of a domain's end ask for the same list, once more for each watch, and call a domain that is dying
 * dead without the reason that the list still has: they are not used.  What may wait is done in processes of its own (xen_acts.h).
 */
#include "basics/cleanup.h"
#include "sources/xen/xen_act.h"
#include "sources/xen/xen_source_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define RECONNECT_MAX_USEC (60 * SECOND_USEC)

enum {
        FORMER_MS = 20000,     /* so long it is waited for what a helper before this one has begun */
        EVENTS_AT_ONCE = 4096, /* a guest may write into its own nodes as fast as it can */
};

/* --- xenstored --------------------------------------------------------------------------------------------------- */

static void connect_store(struct source *source);

static int on_reconnect(sd_event_source *timer, uint64_t usec, void *userdata) {
        struct source *source = userdata;

        source->reconnect = sd_event_source_disable_unref(source->reconnect);
        connect_store(source);
        return 0;
}

static void reconnect_later(struct source *source) {
        source->rest_usec = !source->rest_usec ? SECOND_USEC : source->rest_usec * 2 < RECONNECT_MAX_USEC ? source->rest_usec * 2 : RECONNECT_MAX_USEC;
        sd_event_add_time_relative(source->event, &source->reconnect, CLOCK_MONOTONIC, source->rest_usec, 0, on_reconnect, source);
}

static void lose_store(struct source *source, int error) {
        xen_link_trouble(source->link, "xenstored has gone (%s): until it is back, no domain is seen to stop", strerror(-error));
        source->store_io = sd_event_source_disable_unref(source->store_io);
        source->store = xenstore_close(source->store);
        reconnect_later(source);
}

int source_take_events(struct source *source) {
        uint64_t token;
        unsigned n = 0;
        int r = 0;

        while (n++ < EVENTS_AT_ONCE && (r = xenstore_event(source->store, &token)) > 0) {
                uint64_t domid = token >= TOKENS_OF_DOMAINS ? (token - TOKENS_OF_DOMAINS) / 4 : 0, node = token % 4;

                source->is_due = source->is_due || token == TOKEN_INTRODUCE || token == TOKEN_RELEASE;
                source->n_released += token == TOKEN_RELEASE;
                source->are_keepers_known = source->are_keepers_known && token != TOKEN_INTRODUCE;
                if (domid && domid < DOMIDS && node < NODES && source->domains[domid])
                        source->domains[domid]->n_events[node]++;
        }
        /* What waits behind these may be anything. */
        if (n > EVENTS_AT_ONCE)
                source->n_released += 2;
        return r < 0 ? r : xenstore_is_lost(source->store) ? -ECONNRESET : 0;
}

int source_read_nodes(struct source *source) {
        for (uint32_t domid = 1; domid < DOMIDS; domid++) {
                struct domain *domain = source->domains[domid];

                if (domain && (domain->n_events[NODE_CONTROL] || domain->n_events[NODE_NAME] || domain->n_events[NODE_VM] || domain->n_events[NODE_DEVICE_MODEL]))
                        domain_read_nodes(domain);
        }
        return xenstore_is_lost(source->store) ? -ECONNRESET : 0;
}

static void go_on(struct source *source) {
        int r = source_take_events(source);

        /* At once: whoever destroys what has shut down was told, too. */
        if (source->is_due) {
                source->is_due = false;
                domains_look(source, false);
        } else {
                source_read_nodes(source);
        }
        if (r)
                lose_store(source, r);
}

static int on_store(sd_event_source *io, int fd, uint32_t revents, void *userdata) {
        go_on(userdata);
        return 0;
}

/* What came while an answer was waited for, or was too much at once, makes no descriptor readable. */
static int on_more(sd_event_source *more, void *userdata) {
        struct source *source = userdata;

        if (source->store)
                go_on(source);
        return 0;
}

static int on_post(sd_event_source *post, void *userdata) {
        struct source *source = userdata;

        if (source->store && (source->is_due || xenstore_has_events(source->store)))
                sd_event_source_set_enabled(source->more, SD_EVENT_ONESHOT);
        else if (source->store && xenstore_is_lost(source->store))
                lose_store(source, -ECONNRESET);
        return 0;
}

static void connect_store(struct source *source) {
        struct wire_message surveyed = { .kind = WIRE_SURVEYED };
        int r = xenstore_open(&source->store, NULL);

        if (!r)
                r = xenstore_watch(source->store, "@introduceDomain", TOKEN_INTRODUCE);
        if (!r)
                r = xenstore_watch(source->store, "@releaseDomain", TOKEN_RELEASE);
        if (!r)
                r = sd_event_add_io(source->event, &source->store_io, xenstore_fd(source->store), EPOLLIN, on_store, source);
        if (r < 0) {
                if (!source->rest_usec)
                        xen_link_trouble(source->link, "xenstored does not answer (%s)", strerror(-r));
                source->store = xenstore_close(source->store);
                reconnect_later(source);
                return;
        }
        if (source->rest_usec && source->has_surveyed)
                xen_link_trouble(source->link, "xenstored is back");
        source->rest_usec = 0;
        domains_watch_again(source);
        while (!domains_look(source, true))
                continue;
        if (!source->has_surveyed)
                xen_link_say(source->link, &surveyed);
        source->has_surveyed = true;
}

/* --- the daemon -------------------------------------------------------------------------------------------------- */

static void on_said(void *userdata, const struct wire_message *message) {
        struct source *source = userdata;

        switch (message->kind) {
        case WIRE_CONFIGURE:
                source->leaves_all = !strcmp(message->configure.xen_policy, "leave");
                if (!source->is_configured) {
                        source->is_configured = true;
                        connect_store(source);
                } else {
                        domains_share_out(source);
                }
                break;
        case WIRE_REQUEST:
                source_carry_out(source, &message->request);
                break;
        case WIRE_LOOK:
                if (!message->of[0])
                        source->is_due = true;
                else
                        domains_answer(source, message->of, message->look);
                break;
        case WIRE_HELLO:
        case WIRE_VM:
        case WIRE_EVIDENCE:
        case WIRE_VERDICT:
        case WIRE_DECIDED:
        case WIRE_GONE:
        case WIRE_WELCOME:
        case WIRE_REFUSED:
        case WIRE_DONE:
        case WIRE_SURVEYED:
        case WIRE_TROUBLE:
        case WIRE_UNKNOWN:
                break;
        }
}

static void on_keepers_changed(void *userdata) {
        domains_share_out(userdata);
}

static void on_link_ended(void *userdata) {
        struct source *source = userdata;

        sd_event_exit(source->event, 0);
}

/* --- the program ------------------------------------------------------------------------------------------------- */

static int start(struct source *source) {
        xentoollog_logger *logger = (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_ERROR, 0);
        sigset_t child;
        int r;

        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        sigprocmask(SIG_BLOCK, &child, NULL);
        signal(SIGPIPE, SIG_IGN);
        r = sd_event_new(&source->event);
        if (r >= 0)
                r = xen_link_new(&source->link, source->event, STDIN_FILENO, on_said, on_link_ended, source);
        if (r < 0)
                return r;
        if (libxl_ctx_alloc(&source->libxl, LIBXL_VERSION, 0, logger)) {
                xen_link_trouble(source->link, "libxl does not work here: this is no host of Xen's, or there is no right to it");
                xtl_logger_destroy(logger);
                return -EPERM;
        }
        r = proc_boot_id(source->boot_id);
        if (!r)
                r = xen_keepers_new(&source->keepers, source->event, on_keepers_changed, source);
        if (!r)
                r = xen_acts_new(&source->acts, source->event, source_acted, source);
        if (!r)
                r = sd_event_add_defer(source->event, &source->more, on_more, source);
        if (r < 0)
                return r;
        sd_event_source_set_enabled(source->more, SD_EVENT_OFF);
        return sd_event_add_post(source->event, NULL, on_post, source);
}

int main(int argc, char **argv) {
        static struct source source;
        int r;

        if (argc >= 5 && !strcmp(argv[1], "--act")) {
                const struct xen_act act = { .command = argv[2], .domid = (uint32_t)strtoul(argv[3], NULL, 10), .uuid = argv[4], .name = argc > 5 ? argv[5] : NULL };

                fcntl(XEN_ACT_LOCK_FD, F_SETFD, FD_CLOEXEC);
                return xen_act_run(&act);
        }
        if (argc > 1) {
                fprintf(stderr, "vmpower-source-xen: vmpowerd starts it, with one end of a socket pair as its standard input\n");
                return 2;
        }
        /* With whoever has started it, whatever ends that.  (If that was just now, standard input is at its end.) */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        r = start(&source);
        if (r >= 0 && !xen_acts_wait_for_former(FORMER_MS))
                xen_link_trouble(source.link, "what the one before it began to do to a domain still goes on");
        if (r >= 0)
                r = sd_event_loop(source.event);
        return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
