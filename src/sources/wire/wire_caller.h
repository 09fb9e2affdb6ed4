/*
 * Wire caller: the source's end of the wire: it finds a daemon, and tells it.
 *
 * No daemon is no fault: whoever tells is never held up, and never hears of it.  A daemon that starts, or starts again, is found by inotify on the directory
 * of its socket.  Does not know what is told.
 */
#pragma once

#include "sources/wire/wire_message.h"

#include <systemd/sd-event.h>

struct wire_caller;

enum {
        WIRE_PLACES_MAX = 2,
        WIRE_PLACE_MAX = 96, /* bytes of a directory's path: a socket's path has 108 */
};

struct wire_caller_events {
        /* Connected: say hello now, and whatever does not wait for the answer. */
        void (*connected)(void *userdata);
        /* The daemon listens; what it wants. */
        void (*welcome)(void *userdata, bool wants_evidence);
        /* Nobody listens any more. */
        void (*lost)(void *userdata);
        void *userdata;
};

/*
 * The daemon of the first of these directories that has one: DIRECTORY/source.sock.  At most WIRE_PLACES_MAX; longer paths are passed over.  Connects before it
 * returns if one listens now (`connected` is called).  0 or -ENOMEM.
 */
int wire_caller_new(struct wire_caller **ret_caller, sd_event *event, const char *const *directories, size_t n_directories,
                    const struct wire_caller_events *events);
/* What was told and is not read yet still is; then hangs up.  Accepts NULL. */
struct wire_caller *wire_caller_free(struct wire_caller *caller);

/* Tell it.  Where nobody listens, nothing happens; one who does not read what he is told is left (`lost`). */
void wire_caller_say(struct wire_caller *caller, const struct wire_message *message);
