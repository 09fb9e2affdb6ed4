/*
 * Past: what is on record of a VM that its last watcher has left.
 *
 * Its episode as it was told last, and the evidence that came after that, judged or not: whoever looks after the VM next goes on from
 * there, and says nothing twice.  Does not judge.
 */
#pragma once

#include "core/episode.h"
#include "core/tally.h"
#include "store/store.h"

struct past {
        struct episode episode;
        bool has_verdict;
        struct {
                char id[VERDICT_ID_MAX];
                char summary[VERDICT_SUMMARY_MAX];
                uint64_t episode;
                uint64_t time_ns;
                enum left left;
                struct decision decision;
        } told;                 /* the newest verdict, where there is one */
        struct evidence *later; /* what its episode has not taken yet, in the order in which it happened; owned */
        size_t n_later;
        struct evidence *earlier; /* what is told and left behind, of the last few episodes before it; owned */
        size_t n_earlier;
        uint64_t newest_ns;     /* when the last of all that happened; 0: nothing has */
};

/* `has_process`: as episode_init().  0 or -errno, with the reason in ret_why; nothing is owned then. */
int past_read(struct past *ret_past, struct store *store, int64_t vm, bool has_process, char ret_why[static STORE_WHY_MAX]);
void past_deinit(struct past *past);

/* A loop of resets goes on where it was left. */
void past_take_up(const struct past *past, struct tally *tally);

/* Is there a fact of this kind, in its episode or after it? */
bool past_has(const struct past *past, enum evidence_kind kind);

/* Is the last that was heard of the host that it goes down? */
bool past_is_going_down(const struct past *past);
