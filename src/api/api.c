#include "api/api.h"

#include "api/metrics.h"
#include "api/peer.h"
#include "api/routes.h"
#include "api/streams.h"
#include "basics/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum {
        IDLE_TIMEOUT_S = 30,
        CONNECTIONS_MAX = 1024,
        CONNECTIONS_PER_USER_MAX = 256,
        RESERVED_PART = 16,           /* one in so many connections is kept for root */
        ACCEPTS_AT_ONCE = 32,         /* then the loop goes round */
        DISCARDED_MAX = 1024 * 1024,  /* so much of a body that is too large is heard out, to say so */
        SHORT_OF_FDS_US = 1000000,    /* no descriptors left: wait so long before the next accept */
};

/* A connection: its context in MHD. */
struct connection {
        struct connection *next, *previous;
        struct peer peer;
};

struct api {
        struct api_config config;
        struct peer_groups groups;
        sd_event *event;
        struct keeper *keeper;
        struct store *store;
        struct MHD_Daemon *daemon;
        struct streams *streams;
        struct metrics metrics;
        struct promises promises;
        struct turns turns;
        struct connection *connections;
        size_t n_connections;
        sd_event_source *io, *timer, *run;
        struct listener {
                struct api *api;
                int fd;
                sd_event_source *io, *again;
        } unix_socket, metrics_socket;
};

/* What MHD wants next: its descriptor wakes it, but for what times out, and for what can be sent at once. */
static int api_arm(struct api *api) {
        MHD_UNSIGNED_LONG_LONG timeout_ms;
        int r;

        if (MHD_get_timeout(api->daemon, &timeout_ms) != MHD_YES)
                return sd_event_source_set_enabled(api->timer, SD_EVENT_OFF);
        if (!timeout_ms)
                return sd_event_source_set_enabled(api->run, SD_EVENT_ONESHOT);
        r = sd_event_source_set_time_relative(api->timer, (uint64_t)timeout_ms * 1000);
        return r < 0 ? r : sd_event_source_set_enabled(api->timer, SD_EVENT_ONESHOT);
}

static int api_run(struct api *api) {
        MHD_run(api->daemon);
        return api_arm(api);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        return api_run(userdata);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        return api_run(userdata);
}

static int on_run(sd_event_source *source, void *userdata) {
        return api_run(userdata);
}

static void on_kept(void *userdata) {
        struct api *api = userdata;

        sd_event_source_set_enabled(api->run, SD_EVENT_ONESHOT);
}

static int connection_fd(struct MHD_Connection *mhd) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

        return info ? info->connect_fd : -1;
}

/* Whoever does not come by a unix socket came by that of the metrics. */
static int find_peer(struct api *api, int fd, struct peer *ret_peer) {
        int domain;
        socklen_t n = sizeof(domain);

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n))
                return -errno;
        if (domain == AF_UNIX)
                return peer_of_socket(ret_peer, fd, &api->groups);
        *ret_peer = (struct peer){ .uid = -1, .is_scraper = true };
        return 0;
}

static void connection_begin(struct api *api, struct MHD_Connection *mhd, void **context) {
        struct connection *connection = calloc(1, sizeof(*connection));

        *context = connection;
        if (!connection)
                return;
        if (find_peer(api, connection_fd(mhd), &connection->peer))
                connection->peer = (struct peer){ .uid = -1 };
        connection->next = api->connections;
        if (api->connections)
                api->connections->previous = connection;
        api->connections = connection;
        api->n_connections++;
}

static void connection_end(struct api *api, struct connection *connection) {
        if (!connection)
                return;
        if (connection->previous)
                connection->previous->next = connection->next;
        else
                api->connections = connection->next;
        if (connection->next)
                connection->next->previous = connection->previous;
        api->n_connections--;
        free(connection);
}

static void on_connection(void *userdata, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code) {
        switch (code) {
        case MHD_CONNECTION_NOTIFY_STARTED:
                connection_begin(userdata, mhd, context);
                break;
        case MHD_CONNECTION_NOTIFY_CLOSED:
                connection_end(userdata, *context);
                *context = NULL;
                break;
        }
}

static size_t count_of_user(const struct api *api, int64_t uid) {
        size_t n = 0;

        for (const struct connection *connection = api->connections; connection; connection = connection->next)
                n += connection->peer.uid == uid;
        return n;
}

/* Is there room for one more of his? */
static bool has_room(const struct api *api, const struct peer *peer) {
        size_t n_max = api->config.n_connections_max;

        if (peer->uid == 0)
                return api->n_connections < n_max;
        return api->n_connections < n_max - n_max / RESERVED_PART &&
               count_of_user(api, peer->uid) < api->config.n_connections_per_user_max;
}

static void turn_away(int fd) {
        static const char line[] = "{\"error\":\"there are too many connections; close some\"}\n";
        char sorry[512];
        int n = snprintf(sorry, sizeof(sorry),
                         "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
                         "Content-Length: %zu\r\nRetry-After: 1\r\nConnection: close\r\n\r\n%s",
                         sizeof(line) - 1, line);

        send(fd, sorry, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(fd);
}

/* 0, or -EAGAIN when nobody waits. */
static int accept_one(struct listener *listener) {
        struct sockaddr_storage address = {};
        socklen_t n_address = sizeof(address);
        struct peer peer;
        int fd;

        fd = accept4(listener->fd, (struct sockaddr *)&address, &n_address, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
                return errno == ECONNABORTED || errno == EINTR ? 0 : -errno;
        if (find_peer(listener->api, fd, &peer) || !has_room(listener->api, &peer))
                turn_away(fd);
        else
                MHD_add_connection(listener->api->daemon, fd, (struct sockaddr *)&address, n_address);
        return 0;
}

static int on_accept_again(sd_event_source *source, uint64_t usec, void *userdata) {
        const struct listener *listener = userdata;

        return sd_event_source_set_enabled(listener->io, SD_EVENT_ON);
}

/* Short of descriptors or memory: whoever waits goes on waiting, and the loop does not spin on him. */
static int listener_rest(struct listener *listener) {
        int r = sd_event_source_set_enabled(listener->io, SD_EVENT_OFF);

        if (r >= 0)
                r = sd_event_source_set_time_relative(listener->again, SHORT_OF_FDS_US);
        return r < 0 ? r : sd_event_source_set_enabled(listener->again, SD_EVENT_ONESHOT);
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct listener *listener = userdata;
        int r = 0;

        for (int i = 0; i < ACCEPTS_AT_ONCE && !r; i++) {
                r = accept_one(listener);
                /* Counts it, and hears what it has said by now. */
                if (!r)
                        MHD_run(listener->api->daemon);
        }
        if (r && r != -EAGAIN)
                listener_rest(listener);
        return api_arm(listener->api);
}

static int listener_init(struct listener *listener, struct api *api, int fd) {
        int flags = fcntl(fd, F_GETFL), r;

        listener->api = api;
        /* A service manager hands it over as it likes; accept() must never wait. */
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
                return -errno;
        r = sd_event_add_io(api->event, &listener->io, fd, EPOLLIN, on_accept, listener);
        if (r >= 0)
                r = sd_event_add_time_relative(api->event, &listener->again, CLOCK_MONOTONIC, 0, 0, on_accept_again, listener);
        if (r >= 0)
                r = sd_event_source_set_enabled(listener->again, SD_EVENT_OFF);
        if (r < 0)
                return r;
        listener->fd = fd;
        return 0;
}

static void listener_deinit(struct listener *listener) {
        listener->io = sd_event_source_disable_unref(listener->io);
        listener->again = sd_event_source_disable_unref(listener->again);
        close_fd(&listener->fd);
}

/* Requests. */

static enum MHD_Result send_answer(struct request *request) {
        struct MHD_Response *response = request->response;
        enum MHD_Result result;

        if (!response) {
                struct buffer text = request->text;

                request->text = (struct buffer){};
                response = MHD_create_response_from_buffer(text.n, text.text, MHD_RESPMEM_MUST_FREE);
                if (!response) {
                        buffer_deinit(&text);
                        return MHD_NO;
                }
        }
        request->response = NULL;
        MHD_add_response_header(response, "Content-Type", request->type ? request->type : "application/json");
        MHD_add_response_header(response, "Cache-Control", "no-store");
        if (*request->allow)
                MHD_add_response_header(response, "Allow", request->allow);
        if (request->status == 503)
                MHD_add_response_header(response, "Retry-After", "1");
        result = MHD_queue_response(request->connection, request->status, response);
        MHD_destroy_response(response);
        return result;
}

static enum MHD_Result on_parameter(void *userdata, enum MHD_ValueKind kind, const char *key, const char *value) {
        return request_take_parameter(userdata, key, value) ? MHD_YES : MHD_NO;
}

/* MHD does not look at a connection that is suspended. */
static bool has_hung_up(const struct request *request) {
        struct pollfd connection = { .fd = connection_fd(request->connection) };

        return poll(&connection, 1, 0) > 0 && (connection.revents & POLLHUP);
}

static struct request *request_of(struct turn *turn) {
        return (struct request *)((char *)turn - offsetof(struct request, turn));
}

static bool take_turn(struct turn *turn) {
        struct request *request = request_of(turn);

        if (has_hung_up(request))
                request_fail(request, 503, "nobody listens");
        else
                request->route->answer(request);
        if (!request->status)
                return false;
        promise_keep(request->promise);
        return true;
}

static void wait_for_turn(struct request *request) {
        if (!request_promise(request))
                return;
        request->turn.uid = request->peer->uid;
        request->turn.take = take_turn;
        turns_add(request->turns, &request->turn);
}

static void answer(struct request *request, const char *method, const char *path) {
        if (!request_route(request, method, path))
                return;
        if (request->peer->is_scraper && request->route->answer != answer_metrics) {
                request_fail(request, 404, "there is nothing here but /metrics");
                return;
        }
        MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, on_parameter, request);
        if (!request->status && request->route->takes_turns)
                wait_for_turn(request);
        else if (!request->status)
                request->route->answer(request);
        assert(request->status || request->promise);
}

/*
 * A body that says itself that it is far too large is not heard at all.  One that is not is heard out: a connection that is closed with bytes
 * unread is reset, and the answer lost with it.
 */
static bool is_far_too_large(struct MHD_Connection *mhd) {
        const char *length = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Content-Length");

        return length && strtoull(length, NULL, 10) > DISCARDED_MAX;
}

static enum MHD_Result begin(struct api *api, struct MHD_Connection *mhd, struct request **ret_request) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        const struct connection *connection = info ? info->socket_context : NULL;
        struct request *request = connection ? calloc(1, sizeof(*request)) : NULL;

        if (!request)
                return MHD_NO;
        *request = (struct request){
                .keeper = api->keeper,
                .store = api->store,
                .metrics = &api->metrics,
                .streams = api->streams,
                .promises = &api->promises,
                .turns = &api->turns,
                .config = &api->config,
                .connection = mhd,
                .peer = &connection->peer,
        };
        *ret_request = request;
        if (!is_far_too_large(mhd))
                return MHD_YES;
        request_fail(request, 413, "a request's body has at most %d bytes", REQUEST_BODY_MAX);
        return send_answer(request);
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *mhd, const char *path, const char *method,
                                  const char *version, const char *body, size_t *n_body, void **context) {
        struct request *request = *context;

        if (!request)
                return begin(userdata, mhd, (struct request **)context);
        if (*n_body) {
                /* An answer can be given only at the body's end. */
                if (request->body.n <= REQUEST_BODY_MAX)
                        buffer_add(&request->body, body, *n_body);
                else
                        request->n_discarded += *n_body;
                *n_body = 0;
                return request->n_discarded > DISCARDED_MAX ? MHD_NO : MHD_YES;
        }
        if (request->status)
                return send_answer(request); /* it was promised */
        if (request->body.n > REQUEST_BODY_MAX)
                request_fail(request, 413, "a request's body has at most %d bytes", REQUEST_BODY_MAX);
        else if (request->body.has_failed)
                request_answer(request, 503, NULL);
        else
                answer(request, method, path);
        if (!request->promise)
                return send_answer(request);
        request->promise->is_suspended = true;
        MHD_suspend_connection(mhd);
        return MHD_YES;
}

static void on_completed(void *userdata, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code) {
        struct request *request = *context;

        if (request)
                request_deinit(request);
        free(request);
        *context = NULL;
}

/* Paths and values are decoded where it is known what they are. */
static size_t leave_as_it_is(void *userdata, struct MHD_Connection *mhd, char *text) {
        return strlen(text);
}

static int start_daemon(struct api *api) {
        const union MHD_DaemonInfo *info;
        int r;

        api->daemon = MHD_start_daemon(
                MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, api,
                MHD_OPTION_CONNECTION_LIMIT, api->config.n_connections_max + ACCEPTS_AT_ONCE,
                MHD_OPTION_CONNECTION_TIMEOUT, api->config.idle_timeout_s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, api,
                MHD_OPTION_NOTIFY_COMPLETED, on_completed, api, MHD_OPTION_UNESCAPE_CALLBACK, leave_as_it_is, NULL,
                MHD_OPTION_END);
        info = api->daemon ? MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
        if (!info)
                return -ENOMEM;

        r = sd_event_add_io(api->event, &api->io, info->epoll_fd, EPOLLIN, on_io, api);
        if (r >= 0)
                r = sd_event_add_time_relative(api->event, &api->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, api);
        return r < 0 ? r : sd_event_source_set_enabled(api->timer, SD_EVENT_OFF);
}

static struct api_config with_defaults(const struct api_config *given) {
        struct api_config config = *given;
        struct timespec now;

        if (!config.admin_group)
                config.admin_group = "vmpower-admin";
        if (!config.reader_group)
                config.reader_group = "vmpower";
        if (!config.idle_timeout_s)
                config.idle_timeout_s = IDLE_TIMEOUT_S;
        if (!config.n_connections_max)
                config.n_connections_max = CONNECTIONS_MAX;
        if (!config.n_connections_per_user_max)
                config.n_connections_per_user_max = CONNECTIONS_PER_USER_MAX;
        if (!config.began_ns && !clock_gettime(CLOCK_REALTIME, &now))
                config.began_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
        return config;
}

int api_new(struct api **ret_api, sd_event *event, struct keeper *keeper, struct store *store, int listen_fd,
            const struct api_config *config) {
        cleanup(api_freep) struct api *api = calloc(1, sizeof(*api));
        int r;

        if (!api)
                return -ENOMEM;
        api->config = with_defaults(config);
        api->groups = (struct peer_groups){ peer_find_group(api->config.admin_group),
                                            peer_find_group(api->config.reader_group) };
        api->event = sd_event_ref(event);
        api->keeper = keeper;
        api->store = store;
        api->unix_socket.fd = api->metrics_socket.fd = -1;
        api->promises = (struct promises){ .kept = on_kept, .userdata = api };
        r = sd_event_add_defer(event, &api->run, on_run, api);
        if (r >= 0)
                r = sd_event_source_set_enabled(api->run, SD_EVENT_OFF);
        if (r >= 0)
                r = turns_init(&api->turns, event);
        if (r >= 0)
                r = streams_new(&api->streams, event, api->run, &api->turns, store);
        if (!r)
                r = start_daemon(api);
        if (!r)
                r = listener_init(&api->unix_socket, api, listen_fd);
        if (r)
                return r;
        *ret_api = take_pointer(api);
        return 0;
}

int api_serve_metrics(struct api *api, int listen_fd) {
        int r = listener_init(&api->metrics_socket, api, listen_fd);

        if (r)
                listener_deinit(&api->metrics_socket);
        return r;
}

/* Whoever waits for his turn is answered, and what was made for him by then is not. */
static void give_up_turns(struct api *api) {
        for (struct turn *turn = api->turns.first, *next; turn; turn = next) {
                next = turn->next;
                if (turn->take != take_turn)
                        continue; /* a stream's: it is ended like the others */
                turns_remove(&api->turns, turn);
                request_fail(request_of(turn), 503, "vmpowerd ends");
                promise_keep(request_of(turn)->promise);
        }
}

struct api *api_free(struct api *api) {
        if (!api)
                return NULL;
        listener_deinit(&api->unix_socket);
        listener_deinit(&api->metrics_socket);
        api->timer = sd_event_source_disable_unref(api->timer);
        api->io = sd_event_source_disable_unref(api->io);
        give_up_turns(api);
        promises_give_up(&api->promises);
        /* What was told last still goes out, as far as it is taken at once. */
        if (api->daemon)
                MHD_run(api->daemon);
        if (api->streams)
                streams_end(api->streams);
        if (api->daemon)
                MHD_stop_daemon(api->daemon);
        streams_free(api->streams);
        turns_deinit(&api->turns);
        api->run = sd_event_source_disable_unref(api->run);
        sd_event_unref(api->event);
        free(api);
        return NULL;
}

void api_freep(struct api **api) {
        *api = api_free(*api);
}

void api_publish(struct api *api, const struct verdict_record *record, int64_t uid) {
        struct timespec now;

        clock_gettime(CLOCK_BOOTTIME, &now);
        metrics_count(&api->metrics, record, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
        streams_publish(api->streams, record, uid);
}
