#include "basics/cleanup.h"
#include "client/event_stream.h"
#include "client/verdicts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct vmpower_events {
        struct vmpower *vmpower; /* borrowed: it says what is wrong */
        struct http http;
        struct event_stream stream;
        uint64_t number;
        int broken; /* what ended the stream: it ends every call from then on */
        size_t at, n; /* bytes that were read and not yet taken */
        char bytes[HTTP_BUFFER_MAX];
};

struct vmpower_events *vmpower_events_free(struct vmpower_events *events) {
        if (!events)
                return NULL;
        http_close(&events->http);
        event_stream_deinit(&events->stream);
        free(events);
        return NULL;
}

int vmpower_listen(struct vmpower *vmpower, uint64_t after, struct vmpower_events **ret_events) {
        const int64_t deadline_ms = http_deadline(HTTP_TIMEOUT_MS);
        struct vmpower_events *events = calloc(1, sizeof(*events));
        char target[64] = "/v1/events";
        int r;

        *vmpower->error = '\0';
        if (!events)
                return client_fail_http(vmpower, -ENOMEM);
        events->vmpower = vmpower;
        events->number = after;
        if (after != VMPOWER_FROM_NOW)
                snprintf(target, sizeof(target), "/v1/events?after=%" PRIu64, after);
        r = http_ask(&events->http, vmpower->path, "GET", target, NULL, deadline_ms);
        if (r)
                r = client_fail_http(vmpower, r);
        else
                r = client_check_status(vmpower, &events->http, deadline_ms);
        if (r) {
                vmpower_events_free(events);
                return r;
        }
        *ret_events = events;
        return 0;
}

static int take_verdict(struct vmpower_events *events, char *data, struct vmpower_verdict **ret_verdict) {
        cleanup(freep) char *text = data;
        json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        int r = json ? verdict_new(ret_verdict, json) : -EPROTO;

        if (!r && events->stream.has_id)
                events->number = events->stream.id;
        return r;
}

/* The next event's data. */
static int next_event(struct vmpower_events *events, int64_t deadline_ms, char **ret_data) {
        for (;;) {
                size_t n_taken;
                int r;

                r = event_stream_take(&events->stream, events->bytes + events->at, events->n, &n_taken, ret_data);
                events->at += n_taken;
                events->n -= n_taken;
                if (r)
                        return r == EVENT_STREAM_HAS_EVENT ? 0 : r;
                r = http_read(&events->http, events->bytes, sizeof(events->bytes), deadline_ms);
                if (r <= 0)
                        return r ? r : -ECONNRESET;
                events->at = 0;
                events->n = (size_t)r;
        }
}

int vmpower_events_next(struct vmpower_events *events, int timeout_ms, struct vmpower_verdict **ret_verdict) {
        int r = events->broken;
        char *data;

        *events->vmpower->error = '\0';
        if (!r)
                r = next_event(events, http_deadline(timeout_ms), &data);
        if (r == -ETIMEDOUT)
                return VMPOWER_TIMEOUT;
        if (!r)
                r = take_verdict(events, data, ret_verdict);
        if (r)
                events->broken = r;
        return r ? client_fail_http(events->vmpower, r) : 0;
}

uint64_t vmpower_events_number(const struct vmpower_events *events) {
        return events->number;
}

int vmpower_events_fd(const struct vmpower_events *events) {
        return events->http.fd;
}
