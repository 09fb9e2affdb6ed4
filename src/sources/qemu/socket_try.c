#include "sources/qemu/socket_try.h"
#include "basics/cleanup.h"
#include "sources/socket_peers.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* -errno */
static int make_socket(int *ret_fd, const struct sockaddr_un *address, int (*join)(int, const struct sockaddr *, socklen_t)) {
        *ret_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        return *ret_fd < 0 || join(*ret_fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
}

/* Nobody is connected, then we are, then we are named. */
static int look(const struct sockaddr_un *address, char ret_found[static FOUND_MAX]) {
        struct socket_peers peers = { .path = address->sun_path };
        cleanup(closep) int server = -1, client = -1;
        struct stat st;
        int r;

        r = make_socket(&server, address, bind);
        if (!r && listen(server, 1) < 0)
                r = -errno;
        if (r)
                return found_say(ret_found, r, "no socket can be made at %.120s: %s", address->sun_path, strerror(-r));
        r = socket_peers_look(&peers, 1);
        if (!r && peers.use != SOCKET_FREE)
                r = -ENODATA;
        if (!r)
                r = make_socket(&client, address, connect);
        if (!r)
                r = socket_peers_look(&peers, 1);
        if (!r && (peers.use != SOCKET_TAKEN || peers.n_clients != 1 || fstat(client, &st) < 0 || st.st_ino != peers.clients[0]))
                r = -ENODATA;
        if (r)
                return found_say(ret_found, -ENODATA, "the kernel does not tell who is connected to a socket: %s", strerror(-r));
        return found_say(ret_found, 0, "a socket was connected to, and seen to be");
}

int socket_try(const char *directory, char ret_found[static FOUND_MAX]) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/try-%d.sock", directory, (int)getpid()), r;

        if (n < 0 || (size_t)n >= sizeof(address.sun_path))
                return found_say(ret_found, -ENAMETOOLONG, "the path of %.200s leaves no room for a socket's name", directory);
        r = look(&address, ret_found);
        unlink(address.sun_path);
        return r;
}
