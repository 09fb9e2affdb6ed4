#include "runner/dead_sockets.h"
#include "basics/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void dead_sockets_remove(const char *directory) {
        cleanup(closedirp) DIR *entries = opendir(directory);
        struct dirent *entry;

        while (entries && (entry = readdir(entries))) {
                struct sockaddr_un address = { .sun_family = AF_UNIX };
                cleanup(closep) int fd = -1;
                int n;

                if (!strstr(entry->d_name, ".sock"))
                        continue;
                n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory, entry->d_name);
                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                if (n < 0 || (size_t)n >= sizeof(address.sun_path) || fd < 0)
                        continue;
                /* One that is being made, between bind() and listen(), refuses too: its vmpower is alive. */
                if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno == ECONNREFUSED &&
                    kill((pid_t)atol(entry->d_name), 0) < 0 && errno == ESRCH)
                        unlink(address.sun_path);
        }
}
