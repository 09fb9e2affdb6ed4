#include "sources/process_sockets.h"
#include "basics/cleanup.h"
#include "sources/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

/* The kernel's answer names the socket, and says how long that name is. */
static bool read_name(int fd, int (*ask)(int, struct sockaddr *, socklen_t *), char ret_name[static SOCKET_NAME_MAX]) {
        struct sockaddr_un address = { 0 };
        socklen_t n = sizeof(address);

        *ret_name = '\0';
        if (ask(fd, (struct sockaddr *)&address, &n) < 0)
                return false;
        if (n > offsetof(struct sockaddr_un, sun_path)) {
                n = n < sizeof(address) ? n : sizeof(address);
                socket_name_set(ret_name, address.sun_path, n - offsetof(struct sockaddr_un, sun_path));
        }
        return true;
}

static bool is_unix(int fd) {
        int domain = 0;
        socklen_t n = sizeof(domain);

        return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) && domain == AF_UNIX;
}

/* Without the socket itself; that of another process may not be taken where only its parents may trace it (Yama). */
static bool see(struct process_socket *socket) {
        struct socket_seen seen, peer;

        if (socket_see(socket->inode, &seen))
                return false;
        memcpy(socket->name, seen.name, sizeof(seen.name));
        socket->is_connected = seen.peer != 0;
        *socket->peer_name = '\0';
        if (seen.peer && !socket_see(seen.peer, &peer))
                memcpy(socket->peer_name, peer.name, sizeof(peer.name));
        return true;
}

static bool describe(struct process_socket *socket) {
        if (socket->fd < 0)
                return see(socket);
        if (!is_unix(socket->fd))
                return false;
        read_name(socket->fd, getsockname, socket->name);
        socket->is_connected = read_name(socket->fd, getpeername, socket->peer_name);
        return true;
}

static bool read_inode(int directory, const char *number, uint32_t *ret_inode) {
        char target[64];
        ssize_t n = readlinkat(directory, number, target, sizeof(target) - 1);

        target[n < 0 ? 0 : n] = '\0';
        return sscanf(target, "socket:[%" SCNu32 "]", ret_inode) == 1;
}

/* It may have been closed meanwhile; then it is none of them. */
static bool take(int pidfd, struct process_socket *socket) {
        socket->fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, socket->number, 0);
        return socket->fd >= 0 || pidfd < 0 || errno == EPERM || errno == ENOSYS || errno == EACCES;
}

/* Each socket of whatever kind. */
static int walk(pid_t pid, void (*each)(void *userdata, struct process_socket *socket), void *userdata) {
        cleanup(closedirp) DIR *directory = NULL;
        cleanup(closep) int pidfd = -1;
        const struct dirent *entry;
        char path[64];

        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
        directory = opendir(path);
        if (!directory)
                return errno == ENOENT ? -ESRCH : -errno;
        for (size_t i = 0; i < PROCESS_SOCKETS_MAX && (entry = readdir(directory)); i++) {
                struct process_socket socket = { .number = atoi(entry->d_name), .fd = -1 };

                if (entry->d_name[0] == '.' || !read_inode(dirfd(directory), entry->d_name, &socket.inode) || !take(pidfd, &socket))
                        continue;
                each(userdata, &socket);
                if (socket.fd >= 0)
                        close(socket.fd);
        }
        return 0;
}

struct described {
        void (*each)(void *userdata, const struct process_socket *socket);
        void *userdata;
};

static void on_described(void *userdata, struct process_socket *socket) {
        const struct described *described = userdata;

        if (describe(socket))
                described->each(described->userdata, socket);
}

int process_sockets_each(pid_t pid, void (*each)(void *userdata, const struct process_socket *socket), void *userdata) {
        return walk(pid, on_described, &(struct described){ each, userdata });
}

static void on_tcp(void *userdata, struct process_socket *socket) {
        struct sockaddr_storage address = { 0 };
        socklen_t n = sizeof(address), n_type = sizeof(int);
        char host[46], port[8], *peer = userdata;
        int type = 0;

        if (*peer || socket->fd < 0 || getsockopt(socket->fd, SOL_SOCKET, SO_TYPE, &type, &n_type) || type != SOCK_STREAM ||
            getpeername(socket->fd, (struct sockaddr *)&address, &n) < 0 ||
            (address.ss_family != AF_INET && address.ss_family != AF_INET6) ||
            getnameinfo((struct sockaddr *)&address, n, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
                return;
        snprintf(peer, PROCESS_TCP_PEER_MAX, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

void process_tcp_peer(pid_t pid, char ret_peer[static PROCESS_TCP_PEER_MAX]) {
        *ret_peer = '\0';
        walk(pid, on_tcp, ret_peer);
}

void process_socket_name(pid_t pid, int number, char ret_name[static SOCKET_NAME_MAX]) {
        struct process_socket socket = { .number = number, .fd = -1 };
        cleanup(closep) int pidfd = -1;
        char path[64];

        *ret_name = '\0';
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, number);
        if (!read_inode(AT_FDCWD, path, &socket.inode) || !take(pidfd, &socket))
                return;
        if (describe(&socket))
                memcpy(ret_name, socket.name, SOCKET_NAME_MAX);
        if (socket.fd >= 0)
                close(socket.fd);
}

int process_socket_peer(const struct process_socket *socket, const char *via, struct actor *ret_actor) {
        struct socket_seen seen;
        pid_t holder;

        if (socket->fd >= 0 && !proc_peer_actor(socket->fd, via, ret_actor))
                return 0;
        if (socket_see(socket->inode, &seen) || !seen.peer)
                return -ESRCH;
        /* One that an earlier life of ours has made is ours, whoever kept it for us meanwhile. */
        if (socket_is_held_by(seen.peer, getpid()) == TRISTATE_TRUE)
                holder = getpid();
        else if (socket_holder_find(seen.peer, &holder))
                return -ESRCH;
        return proc_actor(holder, via, ret_actor);
}
