/*
 * Peer: who is at the other end of a connection, and what he may see and do.
 *
 * Asks the kernel once, when the connection is made: user, groups and process are those of that moment.  Does not know what is asked for.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The groups whose members have rights.  -1: there is no such group. */
struct peer_groups {
        int64_t admin, reader;
};

struct peer {
        int64_t pid;
        int64_t uid;
        bool may_read_all;
        bool may_control_all;
        bool is_scraper; /* came by the metrics' socket: /metrics alone */
};

/* A name that is no group's gives -1. */
int64_t peer_find_group(const char *name);

/* -errno where the kernel does not say. */
int peer_of_socket(struct peer *ret_peer, int fd, const struct peer_groups *groups);

/* `owner`: the user who started the VM; -1: not known. */
bool peer_may_see(const struct peer *peer, int64_t owner);
bool peer_may_control(const struct peer *peer, int64_t owner);

/* The only user whose VMs he sees; NULL: everyone's. */
const int64_t *peer_sees_only(const struct peer *peer);

/* A command line is shown to root and to whose it is. */
bool peer_sees_command_line(const struct peer *peer, int64_t owner);
