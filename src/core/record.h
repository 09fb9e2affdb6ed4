/*
 * Record: a verdict with all that lets it stand alone: its VM, its evidence, its decision, its number.
 *
 * What the store keeps, what every outlet tells.  Knows how to own its parts.  Does not know where it is kept.
 */
#pragma once

#include "core/policy.h"

enum {
        VM_NAME_MAX = 256,
        VM_INSTANCE_MAX = 96,
        VERDICT_ID_MAX = 27, /* a ULID's 26 characters and NUL */
};

/* One VM: a name for people, an instance that was never there before and never comes again. */
struct vm_identity {
        char name[VM_NAME_MAX];
        char uuid[40]; /* "": none */
        char backend[16];
        char instance[VM_INSTANCE_MAX]; /* "BOOTID:PID:STARTTIME" for a process, "BOOTID:xenDOMID:CREATION" for a domain */
};

/* A monitor in a process that is no VM is a VM of its own: the socket's inode stands behind the process's instance. */
bool instance_is_monitors(const char *instance);

/* A VM without a process: "BOOTID:xenDOMID:CREATION". */
bool instance_is_domain(const char *instance);
/* Xen's number for it; -1: it is no domain. */
int64_t instance_domid(const char *instance);

struct verdict_record {
        char id[VERDICT_ID_MAX];
        uint64_t number; /* given by the store: rises by one for each verdict and revision */
        struct vm_identity vm;
        struct verdict verdict;  /* its proof indexes `items`; its actor points into `items` or at `actor` */
        char rule[48];           /* verdict.rule's text; holds for rules that this version no longer has */
        char summary[VERDICT_SUMMARY_MAX];
        struct evidence *items;  /* owned; in the order in which they happened */
        size_t n_items;
        size_t n_pruned;         /* facts that it rested on, too, and that were pruned since */
        struct actor *actor;     /* owned; NULL: nobody seen */
        uint64_t episode;        /* the evidence id of the cause: one episode has one verdict and its revisions */
        char revises[VERDICT_ID_MAX]; /* "": the first of its episode */
        struct decision decision;
};

/* Give back what the record owns. */
void verdict_record_deinit(struct verdict_record *record);

/*
 * Make a record of a fresh verdict: copies the evidence (sorted by when it happened, the proof's indexes follow), the actor and the VM; writes the
 * summary and the id.  The id is a ULID of the verdict's time whose other 80 bits are a hash of instance, episode and
 * `revision`, so that the same verdict made twice has the same id.  0 or -ENOMEM; nothing is owned then.
 */
int verdict_record_make(struct verdict_record *ret_record, const struct vm_identity *vm, const struct verdict *verdict,
                        const struct evidence *items, size_t n_items, uint64_t episode, unsigned revision);

/* Is that index of `items` part of the proof? */
bool verdict_record_is_proof(const struct verdict_record *record, size_t index);
