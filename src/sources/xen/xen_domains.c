#include "basics/cleanup.h"
#include "core/text.h"
#include "sources/source.h"
#include "sources/xen/xen_config.h"
#include "sources/xen/xen_source_inside.h"

#include <libxl_utils.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* After so long a domain that is paused was paused, and is not being made any more: no event tells when its maker lets it run. */
#define MADE_AFTER_USEC (30 * SECOND_USEC)
#define RESTARTS_WINDOW_NS (60 * SECOND_NS)

const char *const xen_nodes[NODES] = { [NODE_CONTROL] = "control/shutdown", [NODE_NAME] = "name", [NODE_VM] = "vm" };

/* Its toolstack makes this before it starts the device model, and removes it before it ends it (libxl__destroy_device_model()). */
static void device_model_path(char ret_path[static NODE_PATH_MAX], uint32_t domid) {
        snprintf(ret_path, NODE_PATH_MAX, "/local/domain/0/device-model/%" PRIu32, domid);
}

/* --- what is said ------------------------------------------------------------------------------------------------ */

static void report(void *userdata, struct evidence *fact) {
        struct domain *domain = userdata;
        struct wire_message message = { .kind = WIRE_EVIDENCE };

        fact->at_ns = source_now_ns();
        fact->time_ns = source_time_ns();
        fact->seq = ++domain->source->seq;
        message.evidence = *fact;
        memcpy(message.of, domain->instance, sizeof(message.of));
        xen_link_say(domain->source->link, &message);
        if (fact->kind == EVIDENCE_CONTROL_ACKNOWLEDGED && domain->waits_for) {
                struct wire_message done = { .kind = WIRE_DONE, .done = { .number = domain->waits_for, .is_done = true } };

                domain->waits_for = 0;
                domain->patience = sd_event_source_disable_unref(domain->patience);
                xen_link_say(domain->source->link, &done);
        }
}

struct xen_report domain_report(struct domain *domain) {
        return (struct xen_report){ report, domain };
}

/* What the domain's stored configuration wants; "": there is none. */
static void read_policy(const struct source *source, uint32_t domid, char *ret_text, size_t n_text) {
        libxl_domain_config config;
        size_t n = 0;

        *ret_text = '\0';
        if (!xen_config_read(&config, source->libxl, domid)) {
                const struct {
                        const char *event;
                        libxl_action_on_shutdown action;
                } wishes[] = { { "on_poweroff", config.on_poweroff }, { "on_reboot", config.on_reboot }, { "on_crash", config.on_crash },
                               { "on_watchdog", config.on_watchdog }, { "on_soft_reset", config.on_soft_reset } };

                for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
                        const char *action = xen_action_word((int)wishes[i].action);

                        if (action && n < n_text)
                                n += (size_t)snprintf(ret_text + n, n_text - n, "%s%s=%s", n ? " " : "", wishes[i].event, action);
                }
        }
        libxl_domain_config_dispose(&config);
}

static bool is_recent_restart(const struct source *source, size_t i, const char *name) {
        return source->restarts[i].at_ns && source_now_ns() - source->restarts[i].at_ns < RESTARTS_WINDOW_NS && !strcmp(source->restarts[i].name, name);
}

static unsigned count_restarts(const struct source *source, const char *name) {
        unsigned n = 0;

        for (size_t i = 0; i < RESTARTS_KEPT; i++)
                n += is_recent_restart(source, i, name);
        return n;
}

/* libxl writes a domain's configuration down when it has made it, which is after it is met: what we make ourselves wants what the one before it did. */
static void find_policy(struct domain *domain) {
        const struct source *source = domain->source;

        domain->policy[0] = '\0';
        domain->is_policy_written = false;
        if (!domain->is_ours)
                return;
        read_policy(source, domain->domid, domain->policy, sizeof(domain->policy));
        domain->is_policy_written = domain->policy[0];
        for (size_t i = 0; i < RESTARTS_KEPT && !domain->policy[0]; i++)
                if (is_recent_restart(source, i, domain->name))
                        memcpy(domain->policy, source->restarts[i].policy, sizeof(domain->policy));
}

/* Is its toolstack about to be done with it, as far as its device model tells? */
enum dismissal {
        DISMISSAL_NONE,
        DISMISSAL_UNKNOWN, /* xenstored does not say */
        DISMISSAL_MADE,
};

static enum dismissal dismissal_of(const struct domain *domain) {
        char path[NODE_PATH_MAX], value[XENSTORE_PAYLOAD_MAX + 1];
        size_t n;
        int r;

        if (domain->is_model_dismissed)
                return DISMISSAL_MADE;
        if (!domain->device_model[0])
                return DISMISSAL_NONE;
        device_model_path(path, domain->domid);
        r = domain->source->store ? xenstore_read(domain->source->store, path, value, &n) : -ENOTCONN;
        return !r ? DISMISSAL_NONE : r == -ENOENT ? DISMISSAL_MADE : DISMISSAL_UNKNOWN;
}

/* One that has gone is told only where it is needed for certain: that is an answer in itself. */
static bool tells_device_model(const struct domain *domain, enum dismissal dismissal) {
        struct proc_instance process;

        if (!domain->device_model[0] || domain->seen.has_shut_down || domain->seen.is_gone)
                return false;
        return dismissal == DISMISSAL_NONE ||
               (dismissal == DISMISSAL_UNKNOWN && !proc_instance_parse(&process, domain->device_model) && process.start_time);
}

static void describe(const struct domain *domain, enum dismissal dismissal, struct wire_vm *ret_vm) {
        memcpy(ret_vm->name, domain->name, sizeof(ret_vm->name));
        memcpy(ret_vm->uuid, domain->uuid, sizeof(domain->uuid));
        text_set(ret_vm->backend, sizeof(ret_vm->backend), "xen");
        memcpy(ret_vm->instance, domain->instance, sizeof(ret_vm->instance));
        ret_vm->domid = domain->domid;
        memcpy(ret_vm->policy, domain->policy, sizeof(ret_vm->policy));
        if (tells_device_model(domain, dismissal))
                memcpy(ret_vm->device_model, domain->device_model, sizeof(ret_vm->device_model));
}

static void tell_as(struct domain *domain, enum dismissal dismissal, int64_t look) {
        struct wire_message message = { .kind = WIRE_VM };

        describe(domain, dismissal, &message.vm);
        message.vm.look = look;
        memcpy(message.of, domain->instance, sizeof(message.of));
        xen_link_say(domain->source->link, &message);
}

static void tell(struct domain *domain) {
        tell_as(domain, dismissal_of(domain), 0);
}

/* While nobody can say whether it is about to be destroyed there is none. */
static void answer(struct domain *domain) {
        enum dismissal dismissal = dismissal_of(domain);

        if (!domain->seen.has_shut_down && (domain->is_model_unread || dismissal == DISMISSAL_UNKNOWN))
                return;
        tell_as(domain, dismissal, domain->look);
        domain->look = 0;
}

/* --- a domain's nodes -------------------------------------------------------------------------------------------- */

void domain_path(char ret_path[static NODE_PATH_MAX], uint32_t domid, const char *node) {
        snprintf(ret_path, NODE_PATH_MAX, "/local/domain/%" PRIu32 "/%s", domid, node);
}

int domain_read_node(const struct domain *domain, const char *node, char ret_value[static XENSTORE_PAYLOAD_MAX + 1], size_t *ret_n) {
        char path[NODE_PATH_MAX];

        *ret_n = 0;
        ret_value[0] = '\0';
        if (!domain->source->store)
                return -ENOTCONN;
        domain_path(path, domain->domid, node);
        return xenstore_read(domain->source->store, path, ret_value, ret_n);
}

static int read_start_time(const struct domain *domain, char ret_value[static XENSTORE_PAYLOAD_MAX + 1], size_t *ret_n) {
        char path[NODE_PATH_MAX];

        *ret_n = 0;
        ret_value[0] = '\0';
        snprintf(path, sizeof(path), "/vm/%s/start_time", domain->uuid);
        return domain->source->store ? xenstore_read(domain->source->store, path, ret_value, ret_n) : -ENOTCONN;
}

static void read_uuid(struct domain *domain) {
        char value[XENSTORE_PAYLOAD_MAX + 1];
        size_t n;

        if (domain_read_node(domain, "vm", value, &n) || xen_uuid_of_path(domain->uuid, value, n))
                xen_uuid_text(domain->uuid, domain->handle);
}

static void read_name(struct domain *domain) {
        char value[XENSTORE_PAYLOAD_MAX + 1];
        size_t n;

        if (!domain_read_node(domain, "name", value, &n) && n)
                text_copy(domain->name, sizeof(domain->name), value, n);
}

/*
 * A pid is anybody's once its process is gone, and libxl's before it has begun: whoever does not say that he is this domain's is not.  0; -ESRCH: it is gone;
 * another -errno: it cannot be seen, as that of a zombie.
 */
static int find_device_model(char ret_told[static WIRE_INSTANCE_MAX], pid_t pid, uint32_t domid) {
        cleanup(freep) char **arguments = NULL;
        size_t n;
        int r = proc_instance(pid, ret_told);

        if (!r)
                r = proc_arguments(&arguments, &n, pid);
        if (r)
                return r;
        return !n ? -EAGAIN : xen_is_device_model(arguments, n, domid) ? 0 : -ESRCH;
}

static void read_device_model(struct domain *domain) {
        char value[XENSTORE_PAYLOAD_MAX + 1], told[WIRE_INSTANCE_MAX];
        struct proc_instance known;
        int64_t pid;
        size_t n;
        int r;

        /* It is so until there is another one. */
        domain->is_model_dismissed = dismissal_of(domain) == DISMISSAL_MADE;
        /* What it was stays known: the node goes with the domain's own. */
        if (domain_read_node(domain, "image/device-model-pid", value, &n) || xen_pid(&pid, value, n))
                return;
        if (!proc_instance_parse(&known, domain->device_model) && known.pid == pid && known.start_time)
                return;
        domain->device_model[0] = '\0';
        domain->is_model_dismissed = false;
        r = find_device_model(told, (pid_t)pid, domain->domid);
        domain->is_model_unread = r && r != -ESRCH;
        if (!r)
                memcpy(domain->device_model, told, sizeof(told));
        else if (r == -ESRCH && !domain->making)
                snprintf(domain->device_model, sizeof(domain->device_model), "%s:%" PRId64 ":0", domain->source->boot_id, pid);
}

/* What tells it from others moves on with it: a domain that is kept under another uuid, or begun anew in its place, is still the same. */
static void keep_creation(struct domain *domain) {
        char value[XENSTORE_PAYLOAD_MAX + 1], path[NODE_PATH_MAX];
        size_t n;

        if (!domain->start_time[0] || (!read_start_time(domain, value, &n) && !strcmp(value, domain->start_time)))
                return;
        snprintf(path, sizeof(path), "/vm/%s/start_time", domain->uuid);
        if (domain->source->store)
                xenstore_write(domain->source->store, path, domain->start_time);
}

static uint64_t token_of(const struct domain *domain, unsigned node) {
        return TOKENS_OF_DOMAINS + (uint64_t)domain->domid * 4 + node;
}

static void watch_nodes(struct domain *domain, bool on) {
        struct source *source = domain->source;

        for (unsigned node = 0; node < NODES && source->store; node++) {
                uint64_t token = token_of(domain, node);
                char path[NODE_PATH_MAX];

                if (node == NODE_DEVICE_MODEL)
                        device_model_path(path, domain->domid);
                else
                        domain_path(path, domain->domid, xen_nodes[node]);
                if (!on) {
                        xenstore_unwatch(source->store, path, token);
                        continue;
                }
                if (!xenstore_watch(source->store, path, token) && node == NODE_CONTROL)
                        domain->seen.n_own_writes++; /* a watch's first event is that it was set */
        }
}

void domain_read_nodes(struct domain *domain) {
        struct xen_report to = domain_report(domain);
        char value[XENSTORE_PAYLOAD_MAX + 1];
        unsigned n_events[NODES];
        size_t n;

        memcpy(n_events, domain->n_events, sizeof(n_events));
        memset(domain->n_events, 0, sizeof(domain->n_events));
        if (domain->seen.is_gone)
                return;
        if (n_events[NODE_CONTROL]) {
                int r = domain_read_node(domain, xen_nodes[NODE_CONTROL], value, &n);

                /* A guest may be as quick as that. */
                if (domain->source->store)
                        n_events[NODE_CONTROL] += xenstore_take_events(domain->source->store, token_of(domain, NODE_CONTROL));
                if (!r || r == -ENOENT)
                        xen_domain_control(&domain->seen, r ? NULL : value, n, n_events[NODE_CONTROL], source_now_ns(), &to);
        }
        if (n_events[NODE_NAME] || n_events[NODE_VM] || n_events[NODE_DEVICE_MODEL]) {
                char name[sizeof(domain->name)], uuid[sizeof(domain->uuid)], device_model[sizeof(domain->device_model)];

                memcpy(name, domain->name, sizeof(name));
                memcpy(uuid, domain->uuid, sizeof(uuid));
                memcpy(device_model, domain->device_model, sizeof(device_model));
                read_name(domain);
                read_uuid(domain);
                read_device_model(domain);
                if (strcmp(uuid, domain->uuid))
                        keep_creation(domain);
                if (strcmp(name, domain->name) || strcmp(uuid, domain->uuid) || strcmp(device_model, domain->device_model))
                        tell(domain);
        }
}

/* --- domains come and go ----------------------------------------------------------------------------------------- */

static void domain_free(struct domain *domain) {
        sd_event_source_disable_unref(domain->patience);
        sd_event_source_disable_unref(domain->making);
        free(domain);
}

/* Of one that may say nothing of itself to xenstored (dm_restrict) no event tells. */
static void look_for_device_model(struct domain *domain) {
        if (domain->device_model[0])
                return;
        read_device_model(domain);
        if (domain->device_model[0])
                tell(domain);
}

static int on_made(sd_event_source *timer, uint64_t usec, void *userdata) {
        struct domain *domain = userdata;

        domain->making = sd_event_source_disable_unref(domain->making);
        xen_domain_is_made(&domain->seen);
        look_for_device_model(domain);
        domains_share_out(domain->source);
        return 0;
}

static void wait_until_made(struct domain *domain) {
        domain->making = sd_event_source_disable_unref(domain->making);
        sd_event_add_time_relative(domain->source->event, &domain->making, CLOCK_MONOTONIC, MADE_AFTER_USEC, 0, on_made, domain);
}

static void to_look(struct xen_look *ret_look, const libxl_dominfo *info) {
        *ret_look = (struct xen_look){
                .domid = info->domid,
                .is_paused = info->paused,
                .has_shut_down = info->shutdown,
                .is_dying = info->dying,
                .reason = info->shutdown ? (unsigned)info->shutdown_reason : 0,
        };
        memcpy(ret_look->uuid, &info->uuid, sizeof(ret_look->uuid));
}

/*
 * Is it one of libvirt's?  Its libxl driver stores a domain's XML before it lets the domain run, and looks for it when it begins (libxlDomainStart(),
 * libxlReconnectDomain()).
 */
static bool is_libvirts(struct domain *domain) {
        uint8_t *xml = NULL;
        int n = 0;

        if (!domain->is_libvirts)
                domain->is_libvirts = !libxl_userdata_retrieve(domain->source->libxl, domain->domid, "libvirt-xml", &xml, &n) && n > 0;
        free(xml);
        return domain->is_libvirts;
}

/* The one of its number, as it is now; false: there is none. */
static bool look_again(const struct domain *domain, struct xen_look *ret_look) {
        libxl_dominfo info;
        bool is_there;

        libxl_dominfo_init(&info);
        is_there = !libxl_domain_info(domain->source->libxl, &info, domain->domid);
        if (is_there)
                to_look(ret_look, &info);
        libxl_dominfo_dispose(&info);
        return is_there;
}

/* Whether its own configuration is its policy; nothing is said of it. */
static bool is_alone(struct domain *domain) {
        const struct source *source = domain->source;
        struct xen_claims claims = { .leaves_all = source->leaves_all, .has_keeper = xen_keepers_has(source->keepers, domain->domid, domain->name) };
        struct xen_look now;

        /* Libxl is asked only where that decides it. */
        if (!claims.leaves_all && !claims.has_keeper) {
                claims.is_libvirts = is_libvirts(domain);
                claims.now = look_again(domain, &now) ? &now : NULL;
        }
        return xen_domain_is_ours(&domain->seen, domain->handle, &claims);
}

/* Whose is it now, and what does it want? */
static void share_out(struct domain *domain) {
        bool is_ours = is_alone(domain);
        char policy[sizeof(domain->policy)];

        if (is_ours == domain->is_ours && (!is_ours || domain->is_policy_written))
                return;
        memcpy(policy, domain->policy, sizeof(policy));
        domain->is_ours = is_ours;
        find_policy(domain);
        if (strcmp(policy, domain->policy))
                tell(domain);
}

/* Is whoever made it still about to let it run? */
static bool is_new(const struct source *source, uint64_t began_ns) {
        uint64_t now_ns = source_time_ns();

        return source->has_surveyed || (began_ns <= now_ns && now_ns - began_ns < MADE_AFTER_USEC * 1000);
}

static void meet(struct source *source, const libxl_dominfo *info) {
        struct wire_message message = { .kind = WIRE_HELLO, .hello = { .protocol = WIRE_PROTOCOL, .sources = 1u << SOURCE_XEN } };
        char value[XENSTORE_PAYLOAD_MAX + 1], creation[XEN_CREATION_MAX];
        struct domain *domain = calloc(1, sizeof(*domain));
        struct xen_look first;
        bool is_being_made;
        size_t n;

        if (!domain) {
                xen_link_trouble(source->link, "out of memory: domain %" PRIu32 " is not looked after", info->domid);
                return;
        }
        to_look(&first, info);
        domain->source = source;
        domain->domid = info->domid;
        memcpy(domain->handle, first.uuid, sizeof(domain->handle));
        read_uuid(domain);
        snprintf(domain->name, sizeof(domain->name), "Domain-%" PRIu32, info->domid);
        read_name(domain);
        if (!read_start_time(domain, value, &n) && n < sizeof(domain->start_time))
                memcpy(domain->start_time, value, n + 1);
        xen_creation(creation, &message.hello.vm.began_ns, domain->start_time, strlen(domain->start_time), domain->uuid);
        snprintf(domain->instance, sizeof(domain->instance), "%s:xen%" PRIu32 ":%s", source->boot_id, info->domid, creation);
        is_being_made = is_new(source, message.hello.vm.began_ns);
        xen_domain_init(&domain->seen, &first, is_being_made);
        domain->is_ours = is_alone(domain);
        find_policy(domain);
        if (is_being_made)
                wait_until_made(domain);
        read_device_model(domain);
        source->domains[info->domid] = domain;

        text_set(message.hello.program, sizeof(message.hello.program), "vmpower-source-xen");
        describe(domain, dismissal_of(domain), &message.hello.vm);
        message.hello.vm.n_restarts = count_restarts(source, domain->name);
        text_set(message.hello.vm.state, sizeof(message.hello.vm.state), xen_domain_state(&domain->seen, &first));
        memcpy(message.of, domain->instance, sizeof(message.of));
        xen_link_say(source->link, &message);
        watch_nodes(domain, true);
}

static void end(struct domain *domain) {
        struct wire_message message = { .kind = WIRE_GONE };

        if (domain->waits_for)
                source_answer(domain->source, domain->waits_for, false, "the domain is gone");
        domain->waits_for = 0;
        domain->patience = sd_event_source_disable_unref(domain->patience);
        domain->making = sd_event_source_disable_unref(domain->making);
        memcpy(message.of, domain->instance, sizeof(message.of));
        xen_link_say(domain->source->link, &message);
        watch_nodes(domain, false);
}

/* What the hypervisor says of a domain that is known; false: it is another one, or there is none. */
static bool find_look(const struct source *source, const struct domain *domain, struct xen_look *ret_look) {
        const libxl_dominfo *info = source->looks[domain->domid];

        if (!info || memcmp(&info->uuid, domain->handle, sizeof(domain->handle)))
                return false;
        to_look(ret_look, info);
        return true;
}

/* It runs again, and needs its device model, which may be another one now. */
static void come_back(struct domain *domain) {
        keep_creation(domain);
        if (domain->seen.is_begun_anew)
                wait_until_made(domain);
        read_device_model(domain);
        if (domain->device_model[0])
                tell(domain);
}

/*
 * Those that are not known yet; false: there are more.  Each of them takes its time, and so does the look at who keeps domains, while whoever destroys a domain that
 * has shut down does not wait: after that look, and when something has happened to any domain, those that are known come first again.
 */
static bool meet_all(struct source *source, const libxl_dominfo *infos, int n_infos, enum xen_account account) {
        for (int i = 0; i < n_infos; i++) {
                uint32_t domid = infos[i].domid;

                /* One that is being put together is met when it is introduced to xenstored: by then it has what tells it from others. */
                if (!domid || domid >= DOMIDS || source->domains[domid] || infos[i].dying || infos[i].never_stop || !source->store ||
                    xenstore_is_introduced(source->store, domid) != 1)
                        continue;
                if (!source->are_keepers_known) {
                        xen_keepers_look(source->keepers);
                        source->are_keepers_known = true;
                        return false;
                }
                meet(source, &infos[i]);
                /* It may have shut down already. */
                if (source->domains[domid]) {
                        struct domain *domain = source->domains[domid];
                        struct xen_report to = domain_report(domain);
                        struct xen_look now;

                        to_look(&now, &infos[i]);
                        xen_domain_look(&domain->seen, &now, account, &to);
                }
                source_take_events(source);
                if (source->is_due)
                        return false;
        }
        source->are_keepers_known = false;
        if (source->store)
                source_read_nodes(source);
        return true;
}

/* Nobody was told of what happened in between. */
static void tell_gap(struct domain *domain) {
        struct evidence gap = evidence_make(SOURCE_XEN, EVIDENCE_GAP);
        static const char why[] = "xenstored had gone";

        evidence_set_text(&gap, why, strlen(why));
        report(domain, &gap);
}

bool domains_look(struct source *source, bool is_unwatched) {
        int n_infos = 0;
        libxl_dominfo *infos = libxl_list_domain(source->libxl, &n_infos);
        unsigned n_released;
        enum xen_account account;
        bool is_store_gone, are_all_met;

        if (!infos) {
                xen_link_trouble(source->link, "the hypervisor does not say which domains there are");
                return true;
        }
        for (int i = 0; i < n_infos; i++)
                if (infos[i].domid && infos[i].domid < DOMIDS)
                        source->looks[infos[i].domid] = &infos[i];
        /*
         * What a guest wrote before it shut down has come by now, and was before that.  An event that came after the list may be of something that it
         * shows, or of what comes next: it counts both times.  Whoever destroys a domain because it has shut down was told of that as we were, by an event.
         */
        n_released = source->n_released;
        source->n_released = 0;
        is_store_gone = !source->store || source_take_events(source) < 0 || source_read_nodes(source) < 0;
        n_released += source->n_released;

        account = is_unwatched || is_store_gone ? XEN_UNWATCHED : n_released <= 1 ? XEN_ACCOUNTED : XEN_UNACCOUNTED;

        for (uint32_t domid = 1; domid < DOMIDS; domid++) {
                struct domain *domain = source->domains[domid];
                struct xen_report to;
                struct xen_look now;
                bool is_there, had_shut_down;

                if (!domain)
                        continue;
                to = domain_report(domain);
                is_there = find_look(source, domain, &now);
                had_shut_down = domain->seen.has_shut_down;
                /* What is about to be destroyed is paused for that alone; whether it is may be known only later. */
                if (is_there && now.is_paused && !domain->seen.is_paused && dismissal_of(domain) != DISMISSAL_NONE)
                        now.is_paused = false;
                /* Whoever made it may have said only since that it is his; what is done now rests on that. */
                if (is_there && now.has_shut_down && !had_shut_down)
                        share_out(domain);
                if (is_store_gone && (!is_there || (now.has_shut_down && !had_shut_down)))
                        tell_gap(domain);
                if (xen_domain_look(&domain->seen, is_there ? &now : NULL, account, &to))
                        end(domain);
                else if (had_shut_down && !domain->seen.has_shut_down)
                        come_back(domain);
                if (!is_there) {
                        source->domains[domid] = NULL;
                        domain_free(domain);
                } else if (!domain->seen.is_gone) {
                        if (domain->is_model_unread)
                                look_for_device_model(domain);
                        if (domain->look)
                                answer(domain);
                }
        }
        are_all_met = meet_all(source, infos, n_infos, account);
        source->is_due = source->is_due || !are_all_met;
        memset(source->looks, 0, sizeof(source->looks));
        libxl_dominfo_list_free(infos, n_infos);
        return are_all_met;
}

void domains_share_out(struct source *source) {
        /* It may have ended because its domain did. */
        domains_look(source, false);
        xen_keepers_look(source->keepers);
        for (uint32_t domid = 1; domid < DOMIDS; domid++) {
                struct domain *domain = source->domains[domid];

                if (domain && !domain->seen.is_gone)
                        share_out(domain);
        }
}

void domains_watch_again(struct source *source) {
        for (uint32_t domid = 1; domid < DOMIDS; domid++)
                if (source->domains[domid] && !source->domains[domid]->seen.is_gone) {
                        tell_gap(source->domains[domid]);
                        source->domains[domid]->seen.n_own_writes = 0;
                        watch_nodes(source->domains[domid], true);
                }
}

void domains_answer(struct source *source, const char *instance, int64_t look) {
        struct domain *domain = domains_find(source, instance);

        if (!domain)
                return;
        domain->look = look;
        domains_look(source, false);
}

struct domain *domains_find(const struct source *source, const char *instance) {
        const char *at = strstr(instance, ":xen");
        unsigned long domid = at ? strtoul(at + strlen(":xen"), NULL, 10) : 0;
        struct domain *domain = domid && domid < DOMIDS ? source->domains[domid] : NULL;

        return domain && !domain->seen.is_gone && !strcmp(domain->instance, instance) ? domain : NULL;
}
