/*
 * Tally: like facts by the thousand become the first eight, the last eight, and a number.
 *
 * Stands before the store, so that a guest that resets in a loop costs no disk; numbers the firmware starts of such a loop,
 * so that nothing is lost by what is left out.  A loop is a guest's own resets, all in one way: one that somebody asked for, or that
 * comes after a button, or another way, is another story, and has the number 1.
 * What comes of a request is never held back: after each (EVIDENCE_REQUEST) one fact of each kind passes.  One per VM.  Does not know what the facts mean beyond that.
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
                const char *way; /* way_to_reset(); NULL: not seen */
                bool by_watchdog, is_alone; /* it answered a button, or a panic */
        } firmware;
        struct {
                bool is_another_story; /* the VM was changed otherwise: the next reset goes on with nothing */
                bool will_answer;      /* a button was pressed, or it panicked: nothing goes on with the next reset, either */
                uint64_t asked_ns;
                bool has_watchdog_fired;
                const char *way;
                uint64_t way_ns;
                uint64_t watchdog_ns; /* before that reset, too */
        } since; /* the newest reset */
        unsigned n_asked; /* resets that vmpower was asked for, and that have not come */
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
 * later.  -ENOMEM.  A reset's `number` is set to its firmware start.  One that was asked for always passes: somebody waits for it.
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
