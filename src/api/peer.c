#include "api/peer.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>

int64_t peer_find_group(const char *name) {
        const struct group *group = getgrnam(name);

        return group ? (int64_t)group->gr_gid : -1;
}

/* The supplementary groups as of connect() (SO_PEERGROUPS, socket(7); Linux 4.13).  Kernels without it: none. */
static int read_groups(int fd, gid_t **ret_groups, size_t *ret_n) {
        socklen_t n = 0;
        cleanup(freep) gid_t *groups = NULL;

        *ret_groups = NULL;
        *ret_n = 0;
        if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &n) || errno == ENOPROTOOPT || errno == ENODATA)
                return 0;
        if (errno != ERANGE)
                return -errno;
        groups = malloc(n);
        if (!groups)
                return -ENOMEM;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n))
                return -errno;
        *ret_groups = take_pointer(groups);
        *ret_n = n / sizeof(**ret_groups);
        return 0;
}

static bool is_member(int64_t group, gid_t own, const gid_t *groups, size_t n_groups) {
        if (group < 0)
                return false;
        for (size_t i = 0; i < n_groups; i++)
                if ((int64_t)groups[i] == group)
                        return true;
        return (int64_t)own == group;
}

int peer_of_socket(struct peer *ret_peer, int fd, const struct peer_groups *groups) {
        cleanup(freep) gid_t *supplementary = NULL;
        struct ucred credentials;
        socklen_t n = sizeof(credentials);
        size_t n_supplementary;
        bool is_root;
        int r;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &n))
                return -errno;
        if (credentials.uid == (uid_t)-1)
                return -EACCES;
        r = read_groups(fd, &supplementary, &n_supplementary);
        if (r)
                return r;

        is_root = credentials.uid == 0;
        *ret_peer = (struct peer){ .pid = credentials.pid, .uid = (int64_t)credentials.uid };
        ret_peer->may_control_all =
                is_root || is_member(groups->admin, credentials.gid, supplementary, n_supplementary);
        ret_peer->may_read_all = ret_peer->may_control_all ||
                                 is_member(groups->reader, credentials.gid, supplementary, n_supplementary);
        return 0;
}

bool peer_may_see(const struct peer *peer, int64_t owner) {
        return peer->may_read_all || (owner >= 0 && owner == peer->uid);
}

bool peer_may_control(const struct peer *peer, int64_t owner) {
        return peer->may_control_all || (owner >= 0 && owner == peer->uid);
}

const int64_t *peer_sees_only(const struct peer *peer) {
        return peer->may_read_all ? NULL : &peer->uid;
}

bool peer_sees_command_line(const struct peer *peer, int64_t owner) {
        return peer->uid == 0 || (owner >= 0 && owner == peer->uid);
}
