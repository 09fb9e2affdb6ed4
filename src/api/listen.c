#include "api/api.h"

#include "basics/cleanup.h"

#include <errno.h>
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
