/*
 * Tally: like facts by the thousand become the first eight, the last eight, and a number.
 *
 * Stands before the store, so that a guest that resets in a loop costs no disk; numbers the firmware starts of such a loop,
 * so that nothing is lost by what is left out.  One per VM.  Does not know what the facts mean beyond that.
 */
#pragma once

#include "core/evidence.h"

enum {
        TALLY_KEEP = 8, /* so many pass at once, so many of the last are kept */
};

/* Resets closer than this are one firmware start: SeaBIOS resets once or twice more by itself. */
#define FIRMWARE_START_NS UINT64_C(500000000)
/* Firmware starts closer than this are one loop; other like facts closer than this are one burst. */
#define TALLY_QUIET_NS UINT64_C(10000000000)
/* What is held back is let out after TALLY_QUIET_NS, then after twice as long, at last every: */
#define TALLY_HOLD_MAX_NS UINT64_C(640000000000)

struct tally_burst;

struct tally {
        struct tally_burst *bursts; /* owned; only while something bursts */
        struct {
                uint64_t began_ns; /* of the newest firmware start */
                int64_t number;    /* 0: none yet */
                char reason[EVIDENCE_WORD_MAX];
        } firmware;
};

void tally_deinit(struct tally *tally);

/* A fact that is on record, in the order in which they happened: a loop of resets goes on where somebody else has left it. */
void tally_take_up(struct tally *tally, const struct evidence *evidence);

/*
 * Does this fact overtake what is held?  It changes the VM and would pass at once, while what was held back happened
 * before it: then let all of that out first.
 */
bool tally_is_overtaken(const struct tally *tally, const struct evidence *evidence);

/*
 * Offer a fact.  0: it passes, and is still the caller's.  1 (TALLY_HELD): the tally has taken it over and lets it out
 * later.  -ENOMEM.  A reset's `number` is set to its firmware start.
 */
#define TALLY_HELD 1
int tally_offer(struct tally *tally, struct evidence *evidence);

/* When something must be let out next, CLOCK_BOOTTIME; UINT64_MAX: nothing is held. */
uint64_t tally_next_deadline(const struct tally *tally);

/*
 * Let out what is held if some of it is due at now_ns (or `all`: in any case): for each burst one EVIDENCE_OMITTED with the number left
 * out and the last of them, all in the order in which they happened, each handed to `each` which takes it over.
 */
void tally_let_out(struct tally *tally, uint64_t now_ns, bool all, void (*each)(struct evidence *evidence, void *userdata),
                   void *userdata);
