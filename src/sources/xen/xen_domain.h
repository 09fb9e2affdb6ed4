/*
 * Xen domain: what was seen of one domain, and the evidence that it makes.
 *
 * Pure: what the hypervisor says of the domain (a look), and what stands in its control/shutdown, come in as they are read; facts go out.  What a guest
 * writes into its own nodes is hostile: of it no more than known words come out.  Does not know libxl, xenstore or the loop.
 */
#pragma once

#include "core/evidence.h"

enum {
        XEN_UUID_TEXT_MAX = 37,
        XEN_CREATION_MAX = 33, /* bytes of what tells two domains of one number apart, its NUL included */
        XEN_WORD_MAX = 16,
};

/* What the hypervisor says of a domain. */
struct xen_look {
        uint32_t domid;
        uint8_t uuid[16];
        bool is_paused;
        bool has_shut_down;
        bool is_dying;
        unsigned reason; /* where it has shut down */
};

/* What the watch told of between two looks, and so what may have happened to a domain that is not there any more. */
enum xen_account {
        XEN_ACCOUNTED,   /* one event at most: it went in one step */
        XEN_UNACCOUNTED, /* more, whosever: it may have shut down, and been destroyed then */
        XEN_UNWATCHED,   /* nobody was told of anything */
};

struct xen_domain {
        bool is_being_made; /* its toolstack has not let it run yet */
        bool is_begun_anew; /* by a soft reset, in which Xen lets it run, and its toolstack holds it then to make it ready */
        bool is_paused;
        bool has_shut_down;
        bool is_gone;
        bool is_to_be_destroyed; /* by us, and it ran when that began */
        unsigned reason;
        char request[XEN_WORD_MAX]; /* what stands in control/shutdown; "": nothing */
        uint64_t asked_ns;
        unsigned n_own_writes; /* events that our own writing to it will make */
};

struct xen_report {
        void (*report)(void *userdata, struct evidence *evidence);
        void *userdata;
};

/* `is_new`: its toolstack is still making it.  That it has shut down is told with the first look. */
void xen_domain_init(struct xen_domain *domain, const struct xen_look *first, bool is_new);

/* What the look shows: running, paused, suspended, off. */
const char *xen_domain_state(const struct xen_domain *domain, const struct xen_look *look);

/* The domain was looked at; NULL: there is no such one any more.  True: it has just gone, and nothing follows. */
bool xen_domain_look(struct xen_domain *domain, const struct xen_look *look, enum xen_account account, const struct xen_report *report);

/* What else may look after a domain, when that is asked. */
struct xen_claims {
        bool leaves_all;            /* all are to be left alone */
        bool has_keeper;            /* an xl waits for it, or a toolstack is there whose domains are all */
        bool is_libvirts;           /* its XML is stored with it */
        const struct xen_look *now; /* the one of its number, looked at after the rest was asked; NULL: there is none */
};

/* Is it ours to act for?  `handle`: the hypervisor's uuid of it. */
bool xen_domain_is_ours(const struct xen_domain *domain, const uint8_t handle[static 16], const struct xen_claims *claims);

/* Whoever made it has had time enough: one that is paused now was paused. */
void xen_domain_is_made(struct xen_domain *domain);

/* What stands in control/shutdown after so many events of its watch, all that were before it was read; NULL: there is no such node (any more). */
void xen_domain_control(struct xen_domain *domain, const char *value, size_t n_value, unsigned n_events, uint64_t now_ns, const struct xen_report *report);

/* We are about to write that there ourselves; "": to take it back. */
void xen_domain_ask(struct xen_domain *domain, const char *request, uint64_t now_ns, const struct xen_report *report);

/* "00000000-0000-0000-0000-000000000000" */
void xen_uuid_text(char ret_text[static XEN_UUID_TEXT_MAX], const uint8_t uuid[static 16]);
/* The uuid that a domain's vm node points to ("/vm/UUID").  0 or -EINVAL. */
int xen_uuid_of_path(char ret_text[static XEN_UUID_TEXT_MAX], const char *path, size_t n_path);

/*
 * What tells the domain from another one of its number: the start_time that libxl writes down ("1790000000.12") without its point, else its uuid
 * without its dashes.  `ret_began_ns`: UTC; 0: not known.
 */
void xen_creation(char ret_text[static XEN_CREATION_MAX], uint64_t *ret_began_ns, const char *start_time, size_t n_start_time, const char *uuid);

/* A process's number as it stands in xenstore.  0 or -EINVAL. */
int xen_pid(int64_t *ret_pid, const char *value, size_t n_value);
/* Is that the command line of this domain's device model? */
bool xen_is_device_model(char *const *arguments, size_t n_arguments, uint32_t domid);

/* Does the guest's node say that a driver of its listens (feature-poweroff)? */
bool xen_is_set(const char *value, size_t n_value);

/* A policy's word for libxl_action_on_shutdown; NULL: none. */
const char *xen_action_word(int action);
