/*
 * Xen source, inside: what its files share.
 *
 * Every domain that is known (xen_domains.c), what is wanted of one (xen_requests.c), and xenstored and the daemon on one loop (xen_source.c).
 */
#pragma once

#include "sources/proc.h"
#include "sources/xen/xen_acts.h"
#include "sources/xen/xen_domain.h"
#include "sources/xen/xen_keepers.h"
#include "sources/xen/xen_link.h"
#include "sources/xen/xenstore.h"

#include <libxl.h>

#define SECOND_NS   UINT64_C(1000000000)
#define SECOND_USEC UINT64_C(1000000)

enum {
        DOMIDS = 0x7ff0, /* DOMID_FIRST_RESERVED */
        RESTARTS_KEPT = 256,
        NODE_PATH_MAX = 96,
};

/* What an event of a watch is about. */
enum token {
        TOKEN_INTRODUCE = 1,
        TOKEN_RELEASE = 2,
        TOKENS_OF_DOMAINS = 4, /* + 4 * domid + one of these: */
        NODE_CONTROL = 0,
        NODE_NAME,
        NODE_VM,
        NODE_DEVICE_MODEL,
        NODES,
};
extern const char *const xen_nodes[NODES];

struct source;

struct domain {
        struct source *source;
        uint32_t domid;
        uint8_t handle[16]; /* the hypervisor's uuid of it, which stays when xenstore's is another (preserved) */
        char instance[WIRE_INSTANCE_MAX];
        char start_time[24]; /* as it stands in xenstore; "": it does not */
        char uuid[XEN_UUID_TEXT_MAX];
        char name[256];
        char device_model[WIRE_INSTANCE_MAX]; /* its process; "": it has none */
        bool is_model_dismissed; /* its toolstack is done with it */
        bool is_model_unread;    /* it could not be looked at: that is tried again */
        int64_t look;            /* that is still to be answered; 0: none */
        struct xen_domain seen;
        bool is_libvirts;
        bool is_ours; /* nobody else looks after it */
        char policy[sizeof(((struct wire_vm *)0)->policy)]; /* what its own configuration wants then; "": it has none */
        bool is_policy_written; /* it is its own, and not that of the one before it */
        unsigned n_events[NODES];
        int64_t waits_for; /* the request that its guest has yet to take; 0: none */
        sd_event_source *patience; /* for that */
        sd_event_source *making;
};

struct source {
        sd_event *event;
        struct xen_link *link;
        struct xenstore *store; /* NULL: there is none just now */
        sd_event_source *store_io, *more, *reconnect;
        uint64_t rest_usec;
        libxl_ctx *libxl;
        struct xen_keepers *keepers;
        struct xen_acts *acts;
        char boot_id[PROC_BOOT_ID_MAX];
        bool is_configured, leaves_all, has_surveyed;
        bool is_due;            /* domains are to be looked at */
        bool are_keepers_known; /* they were looked at since the last domain was introduced */
        unsigned n_released;    /* events that some domain shut down or went, since the last list of them */
        uint64_t seq;
        struct domain *domains[DOMIDS];
        const libxl_dominfo *looks[DOMIDS]; /* of the look that is on */
        struct {
                char name[256];
                char policy[sizeof(((struct wire_vm *)0)->policy)]; /* of the one before */
                uint64_t at_ns;
        } restarts[RESTARTS_KEPT];
        unsigned n_restarts;
};

/* --- domains ----------------------------------------------------------------------------------------------------- */

/* Where a domain's facts go. */
struct xen_report domain_report(struct domain *domain);

/* The one of that instance, which is there; NULL. */
struct domain *domains_find(const struct source *source, const char *instance);

/* Ask the hypervisor for all domains, and tell what is new; false: not of all yet, and it is due again.  `is_unwatched`: nobody was told of anything since the last time. */
bool domains_look(struct source *source, bool is_unwatched);

/* Somebody who looked after domains has ended, or it is to be done otherwise: whose are they now? */
void domains_share_out(struct source *source);

/* Xenstored is another one: set its watches again, and tell that there was a gap. */
void domains_watch_again(struct source *source);

/* A node of the domain's own tree.  0 or -errno. */
void domain_path(char ret_path[static NODE_PATH_MAX], uint32_t domid, const char *node);
int domain_read_node(const struct domain *domain, const char *node, char ret_value[static XENSTORE_PAYLOAD_MAX + 1], size_t *ret_n);

/* Tell of it once more: it may have shut down since, or be about to be destroyed.  While nobody can say which, that waits. */
void domains_answer(struct source *source, const char *instance, int64_t look);

/* Read those nodes of which events told. */
void domain_read_nodes(struct domain *domain);

/* --- xenstored ---------------------------------------------------------------------------------------------------- */

/* All events that have come; then the nodes that they were about.  0; -errno: xenstored has gone. */
int source_take_events(struct source *source);
int source_read_nodes(struct source *source);

/* --- requests ---------------------------------------------------------------------------------------------------- */

void source_answer(struct source *source, int64_t number, bool is_done, const char *why);
void source_carry_out(struct source *source, const struct wire_request *request);
/* What came of an act that a request was for. */
void source_acted(void *userdata, int64_t number, uint32_t domid, bool is_done, const char *why);
