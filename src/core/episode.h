/*
 * Episode: the evidence around one power transition of one VM.
 *
 * Knows which facts belong together, when nothing more can come, and when a fresh fact begins another story.
 * Does not know what the facts mean: it asks the judge.  One per VM; between transitions it keeps the few facts
 * that still matter for the next one (a button that was pressed, the machine's type).
 */
#pragma once

#include "core/evidence.h"
#include "core/packed.h"

/* Without a word that nothing more can come, an episode closes so long after its cause. */
#define EPISODE_SETTLE_NS UINT64_C(5000000000)

enum {
        EPISODE_ITEMS_MAX = 64, /* beyond, the middle ones of the most frequent kind are dropped */
};

enum episode_phase {
        EPISODE_QUIET,  /* nothing has changed the VM; what is kept is background */
        EPISODE_OPEN,   /* something has; more may come */
        EPISODE_JUDGED, /* told; late evidence may still revise it */
};

struct episode {
        struct evidence *items; /* owned */
        size_t n_items;
        size_t n_allocated;
        struct packed *resting; /* the items, while they rest; owned; NULL: they do not */
        enum episode_phase phase;
        bool has_process; /* a process source watches the VM and will say how it ended */
        bool process_ended;
        bool monitor_open;
        bool monitor_closed;
        bool settled; /* the cause is all that there will be, or its outcome has come */
        uint64_t settles_ns;
        uint64_t cause_at_ns;
        uint64_t left_behind_ns; /* the last change of the episode before: earlier ones are told */
        uint64_t cause_id; /* of the fact that opened it: the episode's name */
        uint64_t booted_ns; /* a panicked guest was reset, and boots again; 0: not */
        /* of the verdict that was told last */
        struct verdict told; /* proof and actor are not kept */
        int64_t told_actor_pid; /* -1: nobody was seen */
        unsigned revision;
        bool count_is_due;
        uint64_t told_ns;
        uint64_t tell_every_ns; /* for revisions of nothing but the count */
};

/* `has_process`: a process source will report the VM's end. */
void episode_init(struct episode *episode, bool has_process);
void episode_deinit(struct episode *episode);

/*
 * Put the facts away in as few bytes as they need, until episode_wake(): for the time in which nothing happens.  Whoever looks at `items`, or
 * calls anything below but episode_is_ripe(), episode_next_deadline() and episode_is_over(), wakes it first.  0 or -ENOMEM; nothing
 * has changed then.
 */
int episode_rest(struct episode *episode);
int episode_wake(struct episode *episode);

/*
 * Does this fact begin another episode?  Then the open one must be judged (episode_judge) and turned (episode_turn) before
 * the fact is added.
 */
bool episode_begins_anew(const struct episode *episode, const struct evidence *evidence);

/* Leave the judged episode behind; keep what still matters. */
void episode_turn(struct episode *episode);

/* Add a fact.  Takes it over (its actor too), whatever comes back: 0 or -ENOMEM. */
int episode_add(struct episode *episode, struct evidence *evidence);

/* Is there something to judge at now_ns? */
bool episode_is_ripe(const struct episode *episode, uint64_t now_ns);

/* When episode_is_ripe() may become true without another fact; UINT64_MAX: never. */
uint64_t episode_next_deadline(const struct episode *episode);

/*
 * Judge.  EPISODE_VERDICT: ret_verdict is new or revised (episode->revision says which: 0 is the first) and must be told; it borrows from
 * the episode until the next call that changes it.  0: there is nothing new to tell.
 */
#define EPISODE_VERDICT 1
int episode_judge(struct episode *episode, const struct judge_settings *settings, uint64_t now_ns, bool flush,
                  struct verdict *ret_verdict);

/*
 * Take up an episode where somebody else has left it: its facts were added, and this is what was told of it last, as that revision.  The
 * facts that came after that are to be offered as ever.
 */
void episode_resume(struct episode *episode, const struct verdict *told, uint64_t cause_id, unsigned revision, uint64_t now_ns);

/* Has this VM's process and monitor ended, so that nothing can follow? */
bool episode_is_over(const struct episode *episode);
