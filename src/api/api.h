/*
 * API: the daemon's VMs and verdicts over HTTP/1.1 and JSON, inside the daemon's own loop.
 *
 * Knows who is at the other end of a connection, and what he may see and do; docs/openapi.yaml says what can be asked.  Does not know
 * where verdicts come from, or how a VM is looked after.
 */
#pragma once

#include "keeper/keeper.h"
#include "engine/outbox.h"

struct api;

struct api_config {
        const char *version;      /* of vmpower; borrowed */
        const char *admin_group;  /* its members see and control everything; NULL: "vmpower-admin" */
        const char *reader_group; /* its members see everything; NULL: "vmpower" */
        unsigned idle_timeout_s;  /* a connection where nothing moves is closed after this; 0: 30 */
        unsigned n_connections_max;          /* at once; 0: 1024.  One in sixteen is kept for root. */
        unsigned n_connections_per_user_max; /* 0: 256.  Does not bind root. */
        /* Everything that can be known about the process that made a connection; `via` is how it asks.  0, or -errno: it has gone. */
        int (*identify)(int fd, const char *via, struct actor *ret_actor);
        uint64_t began_ns;        /* UTC: of the daemon; 0: now */
        uint64_t retention_days, retention_bytes; /* of evidence; 0: for ever, any number */
        bool descriptors_kept;    /* over a restart, by a service manager */
        const struct outbox *outbox; /* for the metrics; NULL: there are no outlets; outlives the API */
};

/*
 * Make a socket at `path` that everyone may connect to (mode 0666), and listen.  A dead one is replaced.  -EADDRINUSE: somebody
 * answers there, or it is no socket; -ENAMETOOLONG; -errno.
 */
int api_listen(int *ret_fd, const char *path);

/*
 * Listen on TCP at host and port, for api_serve_metrics(); "*" is every address.  -EADDRINUSE, -EADDRNOTAVAIL, …; -ENXIO: there is no such host.
 */
int api_listen_tcp(int *ret_fd, const char *host, const char *port);

/*
 * Answer on a listening unix socket, which is taken over on success.  Rights are those of the process that connected.  Keeper and
 * store must outlive the API.  -errno.
 */
int api_new(struct api **ret_api, sd_event *event, struct keeper *keeper, struct store *store, int listen_fd,
            const struct api_config *config);
struct api *api_free(struct api *api);
void api_freep(struct api **api);

/* Answer on this listening socket, too, which is taken over on success: to anyone, but /metrics alone. */
int api_serve_metrics(struct api *api, int listen_fd);

/* A verdict on a VM of that user (-1: not known) was told: to the streams and the metrics. */
void api_publish(struct api *api, const struct verdict_record *record, int64_t uid);
