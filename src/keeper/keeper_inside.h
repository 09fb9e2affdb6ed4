/*
 * Keeper, inside: what its parts share.
 *
 * keeper.c is the keeper's life and what it answers; keeper_records.c takes VMs up from what is on record, or writes them down;
 * keeper_monitors.c opens and closes monitors; keeper_requests.c passes on what somebody asks of a VM; keeper_wire.c
 * hears of VMs from other processes, keeper_helpers.c from programs of its own (helping.h), keeper_hypercalls.c of what is done to Xen's domains.
 */
#pragma once

#include "keeper/attachment.h"
#include "keeper/keeper.h"
#include "keeper/others.h"
#include "keeper/vm_list.h"
#include "sources/qemu/survey.h"

struct keeper {
        sd_event *event;
        struct store *store;
        struct engine *engine;
        struct keeper_config config;
        struct keeper_events events;
        struct kept_home home;
        struct tracing *tracing;
        struct discovery *discovery;
        struct others *others;
        struct host_source *host;  /* NULL: it cannot be looked at */
        bool is_ending;            /* we were told to */
        size_t n_outlasted;        /* VMs that end before we do */
        sd_event_source *patience; /* … or so long */
        sd_event_source *child_signal;
        sd_event_source *clearing; /* what is over goes outside of its own calls */
        struct kept *to_clear;
        sd_event_source *tidying; /* VMs have come or gone, and memory may be given back */
        sd_event_source *missed; /* a VM could not be written down: it is looked for again, until it can */
        struct vm_list vms;
        size_t n_waiting; /* for a name that another one has */
        bool disk_is_sick;    /* it was a moment ago: nobody is added until `missed` */
        bool is_short;        /* of descriptors: not every VM that is there is looked after, which was said */
        bool is_unsharing;    /* monitors are shared no more, which was said */
        struct socket_looks *looks;
        struct opening *openings;
        struct giving_back *given_back; /* monitors, but that is not on record yet */
        struct asking *askings;
        struct wire_listener *wire; /* NULL: nobody can tell us anything */
        struct wire_link *links;    /* whoever tells of a VM */
        struct helping *helpings;   /* whoever looks after VMs without a process */
        struct table domains;       /* those VMs that are domains of Xen's, by their numbers */
        char *wire_socket;          /* that we made, and that goes with us; owned */
        uint64_t first_number;      /* verdicts up to this one were there before us */
        char watcher[VM_INSTANCE_MAX];
        char no_vmm[VM_INSTANCE_MAX]; /* the process that holds monitors and runs no VM itself, seen last; "": none */
};

void keeper_say(struct keeper *keeper, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* keeper.c */

/* A VM has come or gone: what lies free in between goes back to the system, once for all of a few seconds. */
void keeper_tidy_soon(struct keeper *keeper);

/*
 * Are there descriptors for one VM more?  The last ones are for whoever asks, and for looking at what becomes of the others.  Where there are none,
 * what is missed is looked for again later; that is said, once.
 */
bool keeper_has_descriptors(void);
void keeper_miss(struct keeper *keeper);

/* keeper_records.c */

/* Watch its process; where that cannot be, it is tried again later. */
void keeper_watch(struct keeper *keeper, struct kept *kept);
void keeper_watch_again(struct keeper *keeper);

/* What the survey saw, as an instance; its command line is taken over. */
void keeper_describe(const struct keeper *keeper, struct survey_vmm *vmm, struct store_vm *ret_instance);

/*
 * The VM as the keeper has it, or has it from now on: as it is on record, or newly written down.  0; -EBUSY: it is another vmpower's, or it
 * has ended; -EMFILE: there are no descriptors for it; -errno, said already.
 */
int keeper_keep(struct keeper *keeper, struct store_vm *instance, struct kept **ret_kept);

/*
 * The same of one that somebody tells of, whose process is not watched here; one that is there already may be.  0; -EBUSY: it is another vmpower's or another user's, or it
 * has ended; -errno.
 */
int keeper_keep_told(struct keeper *keeper, struct store_vm *instance, const struct policy *policy, struct kept **ret_kept);

/* It goes by that name from now on. */
int keeper_rename(struct keeper *keeper, struct kept *kept, const char *name);
/* The name of one that is over is free. */
void keeper_give_name(struct keeper *keeper, const struct store_vm *former);

/* May it be called so?  Not while another VM of that user is, ours or that of another vmpower.  0, -EEXIST, -errno. */
int keeper_check_name(struct keeper *keeper, const struct kept *kept, const char *name, char ret_why[static STORE_WHY_MAX]);

/* Take up all that is on record as not ended and that nobody looks after; or one of them. */
int keeper_take_up_all(struct keeper *keeper, char ret_why[static STORE_WHY_MAX]);
void keeper_take_up(struct keeper *keeper, struct store_vm *vm);

/* keeper_monitors.c */

/* Of what a VM's command line names: a monitor that could be held, one that is ours to open if there is one; NULL. */
const char *keeper_find_monitor(const struct keeper *keeper, const struct survey_vmm *vmm);

/* Open that monitor of a VM that is kept, if it is ours to open. */
void keeper_open_if_ours(struct keeper *keeper, struct kept *kept, const char *path);
/* Open it: we held it before. */
void keeper_open_again(struct keeper *keeper, struct kept *kept, const char *path);

/* That its monitor was opened is on record: whoever asked for it is told. */
void keeper_answer_opened(struct keeper *keeper, struct kept *kept);

/* That its monitor was given back is on record. */
#define DETACH "detach"
void keeper_answer_given_back(struct keeper *keeper, struct kept *kept);

/* No monitor is to be had: a VM that is nothing but that is gone. */
void keeper_lose_monitor(struct kept *kept);

void keeper_free_openings(struct keeper *keeper);

/* keeper_requests.c */
/* It is in another state: that may be what somebody waits for. */
void keeper_answer_asked(struct keeper *keeper, const struct kept *kept);
/* It is over: whoever waits for that, or for a state of its. */
void keeper_answer_gone(struct keeper *keeper, const struct kept *kept);
/* Its monitor is given back: nobody hears any more what QEMU makes of what it was asked. */
void keeper_refuse_asked(struct keeper *keeper, const struct kept *kept);
void keeper_free_askings(struct keeper *keeper);

/* keeper_wire.c */

/* Listen to other processes.  Without it VMs are looked after all the same. */
void keeper_open_wire(struct keeper *keeper);
void keeper_close_wire(struct keeper *keeper);

/* Does that process tell of a VM? */
bool keeper_wire_hears(const struct keeper *keeper, pid_t pid);
/* Whoever tells of it. */
pid_t keeper_wire_teller(const struct kept *kept);
unsigned keeper_wire_sources(const struct kept *kept);
/* Is that the monitor that he holds? */
bool keeper_wire_holds(const struct kept *kept, const char *path);

/* A verdict on a VM that somebody tells of: what was decided is his to carry out, and to tell. */
void keeper_wire_judged(struct kept *kept, const struct verdict_record *record);
/* Its story is told, and it is cleared away. */
void keeper_wire_forget(struct kept *kept);
/* The vmpower that told of it has ended: a VM that it wrote down itself is on nobody's list now. */
void keeper_wire_left(struct keeper *keeper, const char *instance);

/* keeper_helpers.c, errands.c */

/* Those that are wanted, before what is on record is taken up; then they are started. */
int keeper_open_helpers(struct keeper *keeper);
void keeper_start_helpers(struct keeper *keeper);
/* They finish what they have begun, and what they still say is heard. */
void keeper_end_helpers(struct keeper *keeper);
void keeper_free_helpers(struct keeper *keeper);

/* Does a helper alone tell of VMs of that backend?  And is there one here? */
bool keeper_is_helpers(const char *backend);
bool keeper_helps(const struct keeper *keeper, const char *backend);

/* A VM that is on record as not ended: nobody tells of it before its helper does.  0; -ENOMEM. */
int keeper_helped_take_up(struct keeper *keeper, struct kept *kept);
unsigned keeper_helped_sources(const struct kept *kept);
/* Device models that are not watched, for want of descriptors. */
void keeper_helped_watch_again(struct keeper *keeper);
void keeper_helped_judged(struct kept *kept, const struct verdict_record *record);
int keeper_helped_ask(struct kept *kept, const struct keeper_request *request, char ret_why[static STORE_WHY_MAX]);
void keeper_helped_recorded(struct kept *kept, const struct evidence *evidence);
void keeper_helped_forget(struct kept *kept);

/* keeper_hypercalls.c */

/* From now on, also what the kernel has seen while nobody read. */
void keeper_hear_hypercalls(struct keeper *keeper);

/* keeper_host.c */

void keeper_look_at_host(struct keeper *keeper);
void keeper_free_host(struct keeper *keeper);

/* What is known of the host comes to that VM's record, unless it says so already.  Has anything come? */
bool keeper_tell_host(struct keeper *keeper, struct kept *kept);

/* That VM is over: was it the last that was waited for? */
void keeper_outlasted(struct keeper *keeper, const struct kept *kept);

/* keeper.c */
/* The decision of that verdict came to this; NULL: on a VM that is over by now. */
void keeper_decide(struct keeper *keeper, struct kept *kept, const char *verdict_id, const struct decision *decision);
/* Nothing was ever seen of it: it ends on record without a verdict. */
void keeper_abandon(struct kept *kept);
void keeper_present(const struct kept *kept, struct kept_vm *ret_vm);
