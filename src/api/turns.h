/*
 * Turns: what takes long is done piece by piece, when the loop has nothing better to do, and of one user after the other.
 *
 * Whoever asks for much waits for it himself: no VM, no monitor and no other user waits longer than for one piece.  Does not know what is done.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

enum {
        TURN_BYTES = 64 * 1024, /* a piece is so much text, and what was begun by then */
};

/* Part of whoever waits. */
struct turn {
        struct turn *next;
        int64_t uid;
        /* Do a piece.  false: there is more; else it has waited, and may be freed in this call. */
        bool (*take)(struct turn *turn);
        bool is_waiting;
};

struct turns {
        struct turn *first;
        sd_event_source *source;
};

int turns_init(struct turns *turns, sd_event *event);
void turns_deinit(struct turns *turns);

/* Wait for one's turn. */
void turns_add(struct turns *turns, struct turn *turn);
/* Wait no more.  One that does not wait is left alone. */
void turns_remove(struct turns *turns, struct turn *turn);
