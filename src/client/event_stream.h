/*
 * Event stream: bytes of server-sent events in, events out.
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation.  Pure, bounded, hostile input.  Does not
 * know what an event says.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        EVENT_LINE_MAX = 4 << 20, /* no verdict is near as long */

        EVENT_STREAM_HAS_EVENT = 1,
};

struct event_stream {
        char *line; /* what has come of it */
        size_t n_line, n_line_max;
        char *data; /* of the event that is being read; owned */
        uint64_t id;
        bool has_id;      /* this event has one */
        bool is_verdict;
        bool is_over;     /* this event was given away */
        bool is_after_cr; /* a line end may be two bytes */
};

void event_stream_deinit(struct event_stream *stream);

/*
 * Take n bytes in, up to the end of one event; *ret_n_taken says how many were taken.  0: all were, and no event has ended;
 * EVENT_STREAM_HAS_EVENT: its data is *ret_data, yours to free, and its id is stream->id if stream->has_id.  -ENOMEM;
 * -EMSGSIZE: a line is too long; -EPROTO: the data of a verdict is more than one line.
 */
int event_stream_take(struct event_stream *stream, const char *bytes, size_t n, size_t *ret_n_taken, char **ret_data);
