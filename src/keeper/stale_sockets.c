#include "keeper/stale_sockets.h"
#include "basics/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/*
 * Asked for by a datagram socket, a stream socket that is open says that it is of another type (Linux, unix_find_bsd()): nobody is connected
 * to by the question.
 */
static bool is_stale(int fd, const struct sockaddr_un *address) {
        struct stat there;

        return !lstat(address->sun_path, &there) && S_ISSOCK(there.st_mode) &&
               connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 && errno == ECONNREFUSED;
}

void stale_sockets_remove(const char *directory) {
        cleanup(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        cleanup(closedirp) DIR *entries = opendir(directory);
        const struct dirent *entry;

        while (fd >= 0 && entries && (entry = readdir(entries))) {
                struct sockaddr_un address = { .sun_family = AF_UNIX };
                int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory, entry->d_name);

                if (n > 0 && (size_t)n < sizeof(address.sun_path) && is_stale(fd, &address))
                        unlink(address.sun_path);
        }
}
