#include "keeper/socket_looks.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <stdlib.h>

struct socket_looks {
        sd_event_source *wakeup;
        struct socket_look *asked;
        struct socket_look *seen; /* to be answered now */
};

static void add(struct socket_look **list, struct socket_look *look) {
        look->next = *list;
        look->link = list;
        if (look->next)
                look->next->link = &look->next;
        *list = look;
}

void socket_look_forget(struct socket_look *look) {
        if (!look->link)
                return;
        *look->link = look->next;
        if (look->next)
                look->next->link = look->link;
        look->next = NULL;
        look->link = NULL;
}

/* As many as there are: each takes its part of the answer. */
static int look_at_all(struct socket_looks *looks, size_t n) {
        cleanup(freep) struct socket_peers *peers = calloc(n, sizeof(*peers));
        struct socket_look *look;
        size_t i = 0;
        int r;

        if (!peers)
                return -ENOMEM;
        for (look = looks->seen; look; look = look->next)
                peers[i++] = look->peers;
        r = socket_peers_look(peers, n);
        i = 0;
        for (look = looks->seen; look; look = look->next)
                look->peers = peers[i++];
        return r;
}

static int on_wakeup(sd_event_source *source, void *userdata) {
        struct socket_looks *looks = userdata;
        size_t n = 0;
        int r;

        while (looks->asked) {
                struct socket_look *look = looks->asked;

                socket_look_forget(look);
                add(&looks->seen, look);
                n++;
        }
        if (!n)
                return 0;
        r = look_at_all(looks, n);
        /* Each answer may make others be forgotten. */
        while (looks->seen) {
                struct socket_look *look = looks->seen;

                socket_look_forget(look);
                look->answered(look, r);
        }
        return 0;
}

int socket_looks_new(struct socket_looks **ret_looks, sd_event *event) {
        struct socket_looks *looks = calloc(1, sizeof(*looks));
        int r;

        if (!looks)
                return -ENOMEM;
        r = sd_event_add_defer(event, &looks->wakeup, on_wakeup, looks);
        if (r >= 0)
                r = sd_event_source_set_enabled(looks->wakeup, SD_EVENT_OFF);
        /* After all that this wakeup brought: whoever else asks now is answered with it. */
        if (r >= 0)
                r = sd_event_source_set_priority(looks->wakeup, SD_EVENT_PRIORITY_IDLE);
        if (r < 0) {
                socket_looks_free(looks);
                return r;
        }
        *ret_looks = looks;
        return 0;
}

struct socket_looks *socket_looks_free(struct socket_looks *looks) {
        if (!looks)
                return NULL;
        sd_event_source_disable_unref(looks->wakeup);
        free(looks);
        return NULL;
}

void socket_looks_ask(struct socket_looks *looks, struct socket_look *look) {
        add(&looks->asked, look);
        sd_event_source_set_enabled(looks->wakeup, SD_EVENT_ONESHOT);
}
