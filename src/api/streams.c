#include "api/streams.h"

#include "api/routes.h"
#include "api/view.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>

enum {
        QUEUE_MAX = 64 * 1024, /* bytes that wait for one stream; what is more is read from the store later */
        READ_AHEAD = 4096,     /* numbers that are looked through at once for one stream */
        BLOCK_SIZE = 16 * 1024,

        QUEUE_IS_FULL = 1,
};

struct stream {
        struct stream *next, *previous;
        struct streams *streams;
        struct MHD_Connection *connection;
        struct peer peer;
        sd_event_source *hang_up;
        struct buffer queue;
        uint64_t number;   /* all up to this one was told, or is not for him */
        bool is_behind;    /* what follows `number` is in the store, not in the queue */
        bool is_suspended; /* nothing to tell: the connection is out of MHD's loop */
        bool has_ended;
        struct turn turn; /* to read on from the store */
};

struct streams {
        sd_event *event;
        sd_event_source *run;
        struct turns *turns;
        struct store *store;
        struct stream *first;
        size_t n;
};

int streams_new(struct streams **ret_streams, sd_event *event, sd_event_source *run, struct turns *turns,
                struct store *store) {
        struct streams *streams = calloc(1, sizeof(*streams));

        if (!streams)
                return -ENOMEM;
        streams->event = sd_event_ref(event);
        streams->run = run;
        streams->turns = turns;
        streams->store = store;
        *ret_streams = streams;
        return 0;
}

struct streams *streams_free(struct streams *streams) {
        if (streams)
                sd_event_unref(streams->event);
        free(streams);
        return NULL;
}

size_t streams_n(const struct streams *streams) {
        return streams->n;
}

static void stream_wake(struct stream *stream) {
        if (!stream->is_suspended)
                return;
        stream->is_suspended = false;
        MHD_resume_connection(stream->connection);
        sd_event_source_set_enabled(stream->streams->run, SD_EVENT_ONESHOT);
}

static void stream_end(struct stream *stream) {
        stream->has_ended = true;
        stream_wake(stream);
}

void streams_end(struct streams *streams) {
        for (struct stream *stream = streams->first; stream; stream = stream->next)
                stream_end(stream);
}

/* A verdict that is on no disk has no number to resume from. */
static int stream_add(struct stream *stream, const struct verdict_record *record) {
        cleanup(json_decrefp) json_t *json = NULL;

        if (view_verdict(record, &stream->peer, &json))
                return -ENOMEM;
        if (record->number)
                buffer_print(&stream->queue, "id: %" PRIu64 "\n", record->number);
        buffer_print(&stream->queue, "event: verdict\ndata: ");
        buffer_add_json(&stream->queue, json);
        buffer_add(&stream->queue, "\n\n", 2);
        return stream->queue.has_failed ? -ENOMEM : 0;
}

static void stream_publish(struct stream *stream, const struct verdict_record *record, int64_t uid) {
        if (stream->is_behind || stream->has_ended || (record->number && record->number <= stream->number))
                return;
        /* Another process may have written verdicts between. */
        if (record->number > stream->number + 1) {
                stream->is_behind = true;
                stream_wake(stream);
                return;
        }
        if (peer_may_see(&stream->peer, uid)) {
                if (stream->queue.n >= QUEUE_MAX) {
                        stream->is_behind = true;
                        return;
                }
                if (stream_add(stream, record)) {
                        stream_end(stream);
                        return;
                }
                stream_wake(stream);
        }
        if (record->number)
                stream->number = record->number;
}

void streams_publish(struct streams *streams, const struct verdict_record *record, int64_t uid) {
        for (struct stream *stream = streams->first; stream; stream = stream->next)
                stream_publish(stream, record, uid);
}

static int catch_up_with(const struct verdict_record *record, void *userdata) {
        struct stream *stream = userdata;

        if (stream->queue.n >= QUEUE_MAX)
                return QUEUE_IS_FULL;
        if (stream_add(stream, record))
                return -ENOMEM;
        stream->number = record->number;
        return 0;
}

/* A step of the way from `number` to what was told last. */
static int stream_catch_up(struct stream *stream) {
        struct store *store = stream->streams->store;
        char why[STORE_WHY_MAX];
        uint64_t last, up_to;
        int r;

        r = store_last_number(store, &last, why);
        if (r)
                return r;
        if (stream->number >= last) {
                stream->is_behind = false;
                return 0;
        }
        up_to = last - stream->number > READ_AHEAD ? stream->number + READ_AHEAD : last;
        r = store_replay_verdicts(store, stream->number, up_to, peer_sees_only(&stream->peer), catch_up_with, stream, why);
        if (r < 0)
                return r;
        if (r != QUEUE_IS_FULL)
                stream->number = up_to;
        stream->is_behind = stream->number < last;
        /* Nothing for him so far, and more to look through: a comment lets the loop go round before that. */
        if (!stream->queue.n && stream->is_behind)
                buffer_add(&stream->queue, ":\n\n", 3);
        return stream->queue.has_failed ? -ENOMEM : 0;
}

static bool on_turn(struct turn *turn) {
        struct stream *stream = (struct stream *)((char *)turn - offsetof(struct stream, turn));

        if (stream_catch_up(stream))
                stream->has_ended = true;
        if (stream->has_ended || stream->queue.n)
                stream_wake(stream);
        return true;
}

static ssize_t stream_read(void *userdata, uint64_t position, char *ret_text, size_t n_max) {
        struct stream *stream = userdata;
        size_t n;

        if (stream->has_ended)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        if (!stream->queue.n) {
                if (stream->is_behind)
                        turns_add(stream->streams->turns, &stream->turn);
                stream->is_suspended = true;
                MHD_suspend_connection(stream->connection);
                return 0;
        }
        n = stream->queue.n < n_max ? stream->queue.n : n_max;
        memcpy(ret_text, stream->queue.text, n);
        buffer_consume(&stream->queue, n);
        return (ssize_t)n;
}

static void stream_free(void *userdata) {
        struct stream *stream = userdata;

        turns_remove(stream->streams->turns, &stream->turn);
        sd_event_source_unref(stream->hang_up);
        buffer_deinit(&stream->queue);
        if (stream->previous)
                stream->previous->next = stream->next;
        else
                stream->streams->first = stream->next;
        if (stream->next)
                stream->next->previous = stream->previous;
        stream->streams->n--;
        free(stream);
}

/* MHD does not look at a connection that is suspended. */
static int on_hang_up(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
        stream_end(userdata);
        return 0;
}

static int stream_new(struct stream **ret_stream, struct request *request, uint64_t number, bool is_behind) {
        const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct streams *streams = request->streams;
        struct stream *stream = calloc(1, sizeof(*stream));
        int r;

        if (!stream || !info) {
                free(stream);
                return -ENOMEM;
        }
        stream->streams = streams;
        stream->connection = request->connection;
        stream->peer = *request->peer;
        stream->number = number;
        stream->is_behind = is_behind;
        stream->turn = (struct turn){ .uid = request->peer->uid, .take = on_turn };
        stream->next = streams->first;
        if (streams->first)
                streams->first->previous = stream;
        streams->first = stream;
        streams->n++;
        /* So that the listener knows at once that he is heard. */
        buffer_print(&stream->queue, ": vmpower\n\n");

        r = sd_event_add_io(streams->event, &stream->hang_up, info->connect_fd, EPOLLHUP, on_hang_up, stream);
        if (!r && stream->queue.has_failed)
                r = -ENOMEM;
        if (r < 0) {
                stream_free(stream);
                return r;
        }
        *ret_stream = stream;
        return 0;
}

/* Where it goes on: after the number that the listener had last, or from now. */
static bool take_place(struct request *request, uint64_t *ret_number, bool *ret_is_behind) {
        const char *resume = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Last-Event-ID");
        char why[STORE_WHY_MAX] = "";
        uint64_t last;
        int r;

        r = store_last_number(request->store, &last, why);
        if (r) {
                request_fail_errno(request, r, why);
                return false;
        }
        if (!request_number(request, "after", 0, INT64_MAX, last, ret_number))
                return false;
        if (resume && *resume) {
                if (strspn(resume, "0123456789") != strlen(resume) || strlen(resume) > 18) {
                        request_fail(request, 400, "Last-Event-ID is the id of an event, not \"%.64s\"", resume);
                        return false;
                }
                *ret_number = strtoull(resume, NULL, 10);
        }
        /* A number that was never given is of another history. */
        if (*ret_number > last)
                *ret_number = last;
        *ret_is_behind = *ret_number < last;
        return true;
}

void answer_events(struct request *request) {
        struct stream *stream;
        uint64_t number;
        bool is_behind;
        int r;

        if (!take_place(request, &number, &is_behind))
                return;
        r = stream_new(&stream, request, number, is_behind);
        if (r) {
                request_fail_errno(request, r, "");
                return;
        }
        request->response =
                MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, stream_read, stream, stream_free);
        if (!request->response) {
                stream_free(stream);
                request_answer(request, 503, NULL);
                return;
        }
        /* MHD would end in the words of HTTP/1.1 a body that is not sent, and the client read them as the next answer. */
        if (request->is_head)
                MHD_set_response_options(request->response, MHD_RF_HTTP_VERSION_1_0_ONLY, MHD_RO_END);
        request->type = "text/event-stream";
        request->status = 200;
}
