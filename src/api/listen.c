#include "api/api.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* A socket at which nobody answers any more. */
static bool is_dead(const struct sockaddr_un *address) {
        cleanup(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct stat status;

        return fd >= 0 && !lstat(address->sun_path, &status) && S_ISSOCK(status.st_mode) &&
               connect(fd, (const struct sockaddr *)address, sizeof(*address)) && errno == ECONNREFUSED;
}

int api_listen(int *ret_fd, const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        cleanup(closep) int fd = -1;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (bind(fd, (const struct sockaddr *)&address, sizeof(address))) {
                if (errno != EADDRINUSE)
                        return -errno;
                if (!is_dead(&address))
                        return -EADDRINUSE;
                if (unlink(path) || bind(fd, (const struct sockaddr *)&address, sizeof(address)))
                        return -errno;
        }
        /* Nobody can connect before listen(): the mode is right by then. */
        if (chmod(path, 0666) || listen(fd, SOMAXCONN))
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

static int listen_at(const struct addrinfo *address, int *ret_fd) {
        cleanup(closep) int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const int yes = 1, no = 0;

        if (fd < 0)
                return -errno;
        /* A restart must not wait for connections of the last one; "::" is to be reached by IPv4, too: ipv6(7). */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        if (address->ai_family == AF_INET6)
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
        if (bind(fd, address->ai_addr, address->ai_addrlen) || listen(fd, SOMAXCONN))
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

int api_listen_tcp(int *ret_fd, const char *host, const char *port) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
        bool is_any = !strcmp(host, "*");
        struct addrinfo *addresses;
        int r = -ENXIO;

        if (getaddrinfo(is_any ? "::" : host, port, &hints, &addresses))
                return -ENXIO;
        for (const struct addrinfo *address = addresses; address; address = address->ai_next) {
                r = listen_at(address, ret_fd);
                if (!r)
                        break;
        }
        freeaddrinfo(addresses);
        /* A host may have no IPv6 at all. */
        return r == -EAFNOSUPPORT && is_any ? api_listen_tcp(ret_fd, "0.0.0.0", port) : r;
}
