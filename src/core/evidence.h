/*
 * Evidence: one fact from one source about one VM at one instant.
 *
 * Knows how facts are made, copied and put in order.  Does not know what they mean.
 */
#pragma once

#include <vmpower/judge.h>

/* What a kind of fact is to an episode, whatever it means. */
struct evidence_traits {
        bool changes_vm;    /* by itself it changes the VM's power state */
        bool lets_run;      /* its VMM goes on after that, so that it cannot be why the process has ended */
        bool ends_process;  /* it says that the VM's process (or, on Xen, the domain) is gone */
        bool is_complete;   /* nothing needs to be waited for once it has come */
        bool may_burst;     /* a guest or a VMM can make it by the thousand */
        bool stays;         /* background for the VM's whole life */
        bool fades;         /* background for the next transition only */
};
const struct evidence_traits *evidence_traits(enum evidence_kind kind);

/* What is left of a VM of which QEMU says that (qapi/run-state.json, RunState).  false: that is no word for it, or a passing one. */
bool evidence_left_by_status(const char *status, enum left *ret_left);
/* Does that word say no more than that QEMU is busy (a migration's last phase, a snapshot)?  Its outcome is another. */
bool evidence_status_is_transient(const char *status);

/* Does this fact change the VM?  (Registers do only if they show it halted, a status only if nothing has told how it came about.) */
bool evidence_changes_vm(const struct evidence *evidence);
bool evidence_ends_process(const struct evidence *evidence);
/* Did the kernel see no more than that the guest tried it?  Whether it came to that is told by what follows (scene_init()). */
bool evidence_is_tried(const struct evidence *evidence);
/* Can a guest make any number of these? */
bool evidence_may_burst(const struct evidence *evidence);
/* Is a domain left without its device model?  It is not gone by that. */
bool evidence_ends_device_model(const struct evidence *evidence);

/* A fact of this source and kind; all else is empty.  Fill in the members that the kind names. */
struct evidence evidence_make(enum evidence_source source, enum evidence_kind kind);

/* Give back what the fact owns (its actor).  Accepts an empty one. */
void evidence_deinit(struct evidence *evidence);

/* A deep copy.  0 or -ENOMEM. */
int evidence_copy(struct evidence *ret_copy, const struct evidence *evidence);

/* Set a word or a text: cut at the bound, control characters replaced by '?', always valid UTF-8 afterwards. */
void evidence_set_word(struct evidence *evidence, const char *word);
void evidence_set_text(struct evidence *evidence, const char *text, size_t n_text);

/* Attach a copy of the actor.  0 or -ENOMEM. */
int evidence_set_actor(struct evidence *evidence, const struct actor *actor);

/* The word for a reason code that a domain shuts down with (xen, include/public/sched.h); "reason-N" for one that is not known. */
void evidence_xen_reason(char ret_word[static EVIDENCE_WORD_MAX], unsigned reason);

/* Did `a` happen before `b`?  By origin time, then by source and order within it. */
bool evidence_is_before(const struct evidence *a, const struct evidence *b);

/* Is it the very same fact, delivered twice? */
bool evidence_is_same(const struct evidence *a, const struct evidence *b);
