#include "core/text.h"
#include "sources/source.h"
#include "sources/xen/xen_source_inside.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ACKNOWLEDGED_WITHIN_USEC (10 * SECOND_USEC)

void source_answer(struct source *source, int64_t number, bool is_done, const char *why) {
        struct wire_message done = { .kind = WIRE_DONE, .done = { .number = number, .is_done = is_done } };

        text_set(done.done.why, sizeof(done.done.why), why);
        xen_link_say(source->link, &done);
}

static int on_patience(sd_event_source *timer, uint64_t usec, void *userdata) {
        struct domain *domain = userdata;
        struct xen_report to = domain_report(domain);
        char path[NODE_PATH_MAX];

        domain->patience = sd_event_source_disable_unref(domain->patience);
        /* It may have taken it just now. */
        if (domain->source->store) {
                source_take_events(domain->source);
                source_read_nodes(domain->source);
        }
        if (!domain->waits_for)
                return 0;
        /* A guest that would take it now, much later, surprises everybody. */
        domain_path(path, domain->domid, xen_nodes[NODE_CONTROL]);
        xen_domain_ask(&domain->seen, "", source_now_ns(), &to);
        if (domain->source->store)
                xenstore_write(domain->source->store, path, "");
        source_answer(domain->source, domain->waits_for, false, "its guest did not acknowledge it within 10 s");
        domain->waits_for = 0;
        return 0;
}

/* Ask the guest, by its own node. */
static void ask_guest(struct domain *domain, int64_t number, const char *request) {
        struct source *source = domain->source;
        struct xen_report to = domain_report(domain);
        char feature[64], value[XENSTORE_PAYLOAD_MAX + 1], path[NODE_PATH_MAX], why[WIRE_WHY_MAX];
        size_t n;

        snprintf(feature, sizeof(feature), "control/feature-%s", request);
        if (!source->store) {
                source_answer(source, number, false, "xenstored has gone");
                return;
        }
        if (domain_read_node(domain, feature, value, &n) || !xen_is_set(value, n)) {
                snprintf(why, sizeof(why), "its guest has no driver that listens for it (feature-%s is not set)", request);
                source_answer(source, number, false, why);
                return;
        }
        if (domain->waits_for)
                source_answer(source, domain->waits_for, false, "something else was asked for since");
        domain->waits_for = number;
        domain->patience = sd_event_source_disable_unref(domain->patience);
        sd_event_add_time_relative(source->event, &domain->patience, CLOCK_MONOTONIC, ACKNOWLEDGED_WITHIN_USEC, 0, on_patience, domain);
        xen_domain_ask(&domain->seen, request, source_now_ns(), &to);
        domain_path(path, domain->domid, xen_nodes[NODE_CONTROL]);
        if (xenstore_write(source->store, path, request)) {
                domain->waits_for = 0;
                domain->patience = sd_event_source_disable_unref(domain->patience);
                source_answer(source, number, false, "control/shutdown cannot be written");
        }
}

void source_acted(void *userdata, int64_t number, uint32_t domid, bool is_done, const char *why) {
        struct source *source = userdata;

        /* What came of it is seen before it is said to be done. */
        domains_share_out(source);
        if (!is_done && domid < DOMIDS && source->domains[domid])
                source->domains[domid]->seen.is_to_be_destroyed = false;
        source_answer(source, number, is_done, why);
}

static bool is_a_restart(const char *command) {
        return !strcmp(command, "restart") || !strcmp(command, "rename-restart") || !strcmp(command, "coredump-restart");
}

void source_carry_out(struct source *source, const struct wire_request *request) {
        struct domain *domain = domains_find(source, request->of);
        const char *command = request->command;
        char uuid[XEN_UUID_TEXT_MAX];

        if (!domain) {
                source_answer(source, request->number, false, "there is no such domain");
                return;
        }
        if (!strcmp(command, "preserve")) {
                source_answer(source, request->number, true, "");
                return;
        }
        if (!strcmp(command, "shutdown") || !strcmp(command, "reboot") || !strcmp(command, "suspend")) {
                if (domain->seen.has_shut_down) {
                        source_answer(source, request->number, false, "it has shut down already");
                        return;
                }
                if (strcmp(command, "suspend")) {
                        ask_guest(domain, request->number, !strcmp(command, "shutdown") ? "poweroff" : command);
                        return;
                }
        }
        if (!strcmp(command, "destroy")) {
                domains_look(source, false);
                domain = domains_find(source, request->of);
                if (domain)
                        domain->seen.is_to_be_destroyed = !domain->seen.has_shut_down;
        }
        if (domain && is_a_restart(command)) {
                unsigned at = source->n_restarts++ % RESTARTS_KEPT;

                memcpy(source->restarts[at].name, domain->name, sizeof(domain->name));
                memcpy(source->restarts[at].policy, domain->policy, sizeof(domain->policy));
                source->restarts[at].at_ns = source_now_ns();
        }
        if (domain)
                xen_uuid_text(uuid, domain->handle);
        if (domain && !xen_acts_begin(source->acts, request->number, domain->domid, uuid, command, request->name))
                return;
        if (domain)
                domain->seen.is_to_be_destroyed = false;
        source_answer(source, request->number, false, domain ? "out of memory" : "there is no such domain");
}
