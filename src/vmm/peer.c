#include "vmm/peer.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int listen_at(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        cleanup(closep) int fd = -1;
        struct stat there;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (!lstat(path, &there) && S_ISSOCK(there.st_mode))
                unlink(path);
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
                return -errno;
        return take_fd(&fd);
}

int peer_listen(struct peer *peer, const char *path) {
        int r;

        *peer = PEER_NONE;
        peer->path = strdup(path);
        if (!peer->path)
                return -ENOMEM;
        r = listen_at(path);
        if (r < 0) {
                free(take_pointer(peer->path));
                return r;
        }
        peer->listen_fd = r;
        return 0;
}

void peer_deinit(struct peer *peer) {
        peer_drop(peer);
        close_fd(&peer->listen_fd);
        if (peer->path)
                unlink(peer->path);
        free(peer->path);
        *peer = PEER_NONE;
}

struct pollfd peer_poll(const struct peer *peer) {
        if (peer->fd < 0)
                return (struct pollfd){ .fd = peer->listen_fd, .events = POLLIN };
        return (struct pollfd){ .fd = peer->fd, .events = POLLIN | (peer->n_unsent ? POLLOUT : 0) };
}

int peer_accept(struct peer *peer) {
        peer->fd = accept4(peer->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        return peer->fd >= 0;
}

void peer_drop(struct peer *peer) {
        close_fd(&peer->fd);
        free(take_pointer(peer->unsent));
        peer->n_unsent = 0;
}

ssize_t peer_receive(struct peer *peer, char *buffer, size_t n) {
        ssize_t got = recv(peer->fd, buffer, n, 0);

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return -EAGAIN;
        return got < 0 ? 0 : got;
}

/* How much it took; 0 when it takes nothing now; -errno. */
static ssize_t send_some(struct peer *peer, const char *bytes, size_t n) {
        ssize_t sent = send(peer->fd, bytes, n, MSG_NOSIGNAL);

        if (sent < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        return sent;
}

/* It is dropped where that cannot be. */
static void keep(struct peer *peer, const char *bytes, size_t n) {
        char *unsent;

        if (!n)
                return;
        unsent = peer->n_unsent + n > PEER_UNSENT_MAX ? NULL : realloc(peer->unsent, peer->n_unsent + n);
        if (!unsent) {
                peer_drop(peer);
                return;
        }
        memcpy(unsent + peer->n_unsent, bytes, n);
        peer->unsent = unsent;
        peer->n_unsent += n;
}

void peer_send(struct peer *peer, const char *bytes, size_t n) {
        ssize_t sent = 0;

        if (peer->fd < 0)
                return;
        if (!peer->n_unsent)
                sent = send_some(peer, bytes, n);
        if (sent < 0)
                peer_drop(peer);
        else
                keep(peer, bytes + sent, n - (size_t)sent);
}

void peer_flush(struct peer *peer) {
        ssize_t sent = peer->n_unsent ? send_some(peer, peer->unsent, peer->n_unsent) : 0;

        if (sent < 0) {
                peer_drop(peer);
                return;
        }
        peer->n_unsent -= (size_t)sent;
        memmove(peer->unsent, peer->unsent + sent, peer->n_unsent);
}
