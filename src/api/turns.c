#include "api/turns.h"

#include <stddef.h>

/* His others wait until everybody else has had a turn. */
static void let_others_go_first(struct turns *turns, int64_t uid) {
        struct turn *his = NULL, **his_end = &his, **link = &turns->first;

        while (*link) {
                struct turn *turn = *link;

                if (turn->uid != uid) {
                        link = &turn->next;
                        continue;
                }
                *link = turn->next;
                *his_end = turn;
                his_end = &turn->next;
        }
        *his_end = NULL;
        *link = his;
}

static int on_turn(sd_event_source *source, void *userdata) {
        struct turns *turns = userdata;
        struct turn *turn = turns->first;
        int64_t uid;

        if (turn) {
                uid = turn->uid;
                turns_remove(turns, turn);
                if (!turn->take(turn)) {
                        turn->is_waiting = true;
                        turn->next = turns->first;
                        turns->first = turn;
                }
                let_others_go_first(turns, uid);
        }
        return turns->first ? sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) : 0;
}

int turns_init(struct turns *turns, sd_event *event) {
        int r = sd_event_add_defer(event, &turns->source, on_turn, turns);

        if (r >= 0)
                r = sd_event_source_set_enabled(turns->source, SD_EVENT_OFF);
        /* After all that is seen and judged, as verdicts that are read to be told; of the same priority none is kept from its turn. */
        return r < 0 ? r : sd_event_source_set_priority(turns->source, SD_EVENT_PRIORITY_IDLE + 10);
}

void turns_deinit(struct turns *turns) {
        turns->source = sd_event_source_disable_unref(turns->source);
}

void turns_add(struct turns *turns, struct turn *turn) {
        struct turn **link = &turns->first;

        if (turn->is_waiting)
                return;
        while (*link)
                link = &(*link)->next;
        *link = turn;
        turn->next = NULL;
        turn->is_waiting = true;
        sd_event_source_set_enabled(turns->source, SD_EVENT_ONESHOT);
}

void turns_remove(struct turns *turns, struct turn *turn) {
        struct turn **link = &turns->first;

        if (!turn->is_waiting)
                return;
        while (*link != turn)
                link = &(*link)->next;
        *link = turn->next;
        turn->is_waiting = false;
}
