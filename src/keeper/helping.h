/*
 * Helping: what a helper (helper.h) looks after, and what it is to do.
 *
 * keeper_helpers.c is its life and what it says; errands.c is what it is asked for, by somebody or by a policy.
 */
#pragma once

#include "keeper/device_model.h"
#include "keeper/helper.h"
#include "keeper/keeper_inside.h"
#include "keeper/known_facts.h"

/* What can be asked of a VM, and the helper's word for it; NULL: nothing, and what to do instead. */
struct helper_action {
        const char *action, *command, *instead;
};

/* A program that looks after the VMs of one backend, which have no process of their own. */
struct helper_kind {
        const char *program, *backend;
        unsigned sources;             /* that it may tell of */
        enum evidence_source source;  /* its own */
        bool (*is_there)(void);       /* what it needs */
        const struct helper_action *actions;
        size_t n_actions;
};

/* A helper, and all that it looks after. */
struct helping {
        struct keeper *keeper;
        struct helping *next;
        const struct helper_kind *kind;
        struct helper *helper; /* NULL: not yet */
        struct helped *first;
        struct look *looks;     /* that it is to have, when whoever did something has ended */
        int64_t n_questions;    /* ever, about device models */
        sd_event_source *again; /* a VM could not be written down: it is to tell of all once more */
        struct errand *errands, **last; /* that it has not answered, the first asked first */
        int64_t n_errands;      /* ever */
};

/* A VM that it tells of, or has told of. */
struct helped {
        struct helping *helping;
        struct helped *next, *previous;
        struct kept *kept;
        int64_t domid; /* -1: it is no domain */
        struct table_link by_domid; /* of the keeper's */
        unsigned n_told;  /* restarts of this name, as its helper told … */
        uint64_t told_ns; /* … then: CLOCK_BOOTTIME */
        bool is_told;    /* by the helper that runs now */
        bool was_missed; /* nobody told of it for a while */
        bool has_ended;  /* by what was told */
        struct known_facts known;
        struct device_model *device_model; /* NULL: it has none, or needs none any more */
        struct device_model_told device_model_told;
        char decided_id[VERDICT_ID_MAX]; /* the verdict whose decision is to be carried out; "": none */
        struct decision decision;
        uint64_t decided_ns; /* UTC */
        unsigned n_tries;
        sd_event_source *delay; /* until then it waits */
        struct errand *errand;  /* or it is being carried out */
};

/* What the helper is to do. */
struct errand {
        struct helping *helping;
        struct errand *next;
        struct helped *helped; /* NULL: that VM is over by now */
        int64_t number;
        bool is_sent;
        char command[24];
        char name[VM_NAME_MAX]; /* the VM's */
        char instance[VM_INSTANCE_MAX];
        sd_event_source *patience;

        /* Somebody asked for it, … */
        bool is_asked;
        struct keeper_request request;
        uint64_t at_ns, seq; /* of its record */

        /* … or a policy wants it. */
        char verdict_id[VERDICT_ID_MAX];
        struct decision decision;
};

/* keeper_hypercalls.c */

/* What Xen is told about it comes to its record from now on.  0 or -ENOMEM.  And no more of it. */
int helped_hear_hypercalls(struct helped *helped);
void helped_hear_no_hypercalls(struct helped *helped);
void helping_free_looks(struct helping *helping);

/* errands.c */

/* Is what is decided so that the VM runs again? */
bool action_starts_again(enum policy_action action);

/* How often policy has started this name again lately is what is decided by next.  The record tells it, which outlives helpers and daemons. */
void helped_count_restarts(struct helped *helped);

/* What is decided on it is to be carried out: now, or when a crash loop has waited long enough. */
void helped_carry_out(struct helped *helped);
/* It is not ours to be acted on (any more): what was decided and not begun is left undone. */
void helped_leave(struct helped *helped);
/* It is gone: what was decided has come to what there is. */
void helped_conclude(struct helped *helped);

/* A VM of that name, another than that instance, which is there. */
const struct kept *helping_find_successor(const struct helping *helping, const char *name, const char *instance);

/* What it has done, or not. */
void helping_take_answer(struct helping *helping, const struct wire_done *done);
/* It answers nothing any more.  What somebody asked has failed; what a policy wants is asked again, of the next one. */
void helping_drop_errands(struct helping *helping);
/* That VM is over. */
void helped_drop_errands(struct helped *helped);
/* We end. */
void helping_free_errands(struct helping *helping);
