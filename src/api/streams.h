/*
 * Streams: verdicts as they are told, to whoever listens, as server-sent events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * A stream has a place, the number of the verdict that it had last, and follows in the order of numbers.  One that cannot keep up
 * with what is told reads on from the store, so its queue is bounded and no verdict is left out or told twice.  One that takes
 * nothing at all is closed by the connection's idle timeout.  Does not know HTTP's framing.
 */
#pragma once

#include "api/request.h"

/*
 * `run`: what runs MHD when it is enabled; MHD does not wake itself for a connection that is resumed.  Borrowed, as are
 * the turns, at which streams read on.
 */
int streams_new(struct streams **ret_streams, sd_event *event, sd_event_source *run, struct turns *turns, struct store *store);

/* All streams must have been closed by then. */
struct streams *streams_free(struct streams *streams);

/* Ends every stream: it is closed when its connection runs next. */
void streams_end(struct streams *streams);

void streams_publish(struct streams *streams, const struct verdict_record *record, int64_t uid);
size_t streams_n(const struct streams *streams);
