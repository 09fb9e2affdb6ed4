#include "sources/socket_peers.h"
#include "basics/cleanup.h"
#include "sources/socket_diag.h"

#include <dirent.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

enum {
        /* The kernel fills no more than 32 KiB at once (net/netlink/af_netlink.c, netlink_recvmsg()). */
        DATAGRAM_MAX = 64 * 1024,
        PATIENCE_SECONDS = 1,

        /* So many queues are asked about one by one: the kernel looks through all sockets for each. */
        QUEUES_MAX = 64,
};

/* One of the sockets looked at, as the file system knows it. */
struct wanted {
        struct socket_peers *peers;
        uint32_t file_inode;
        uint32_t file_device;
        struct socket_record listener;
};

static int compare_wanted(const void *a, const void *b) {
        uint32_t left = ((const struct wanted *)a)->file_inode;
        uint32_t right = ((const struct wanted *)b)->file_inode;

        return (left > right) - (left < right);
}

/* The first one of that inode: two file systems may both have it. */
static struct wanted *find_inode(struct wanted *wanted, size_t n_wanted, uint32_t inode) {
        size_t first = 0;
        size_t end = n_wanted;

        while (first < end) {
                size_t middle = first + (end - first) / 2;

                if (wanted[middle].file_inode < inode)
                        first = middle + 1;
                else
                        end = middle;
        }
        return wanted + first;
}

/*
 * Is this record, of the same inode, the wanted file's?  By device, so that links and relative names do not
 * matter.  On btrfs and overlayfs stat(2) names another device than the kernel does: there the name it was
 * bound to must be the same.
 */
static bool is_of(const struct wanted *wanted, const struct socket_record *record) {
        return record->file_device == wanted->file_device ||
               (record->name && strnlen(record->name, record->n_name) == strlen(wanted->peers->path) &&
                !strncmp(record->name, wanted->peers->path, record->n_name));
}

static void add_client(struct socket_peers *peers, uint32_t inode) {
        if (inode && peers->n_clients < SOCKET_CLIENTS_MAX)
                peers->clients[peers->n_clients++] = inode;
}

/* A connection that was accepted has its listener's name and file: net/unix/af_unix.c, unix_stream_connect().
 */
static void add_record(struct wanted *wanted, const struct socket_record *record) {
        struct socket_peers *peers = wanted->peers;

        if (record->is_listening) {
                wanted->listener = *record;
                peers->listener = record->inode;
                peers->n_waiting = record->n_waiting;
        } else if (record->has_peer) {
                peers->n_connected++;
                add_client(peers, record->peer);
        }
}

typedef void (*record_function)(void *userdata, const struct socket_record *record);

/* Send a request and hand each record of the answer on. */
static int ask(int fd, const uint8_t *request, bool is_one, uint8_t *buffer, record_function found,
               void *userdata) {
        struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

        if (sendto(fd, request, SOCKET_DIAG_REQUEST_SIZE, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
                return -errno;
        for (;;) {
                struct sockaddr_nl from = { 0 };
                socklen_t n_from = sizeof(from);
                ssize_t n_read =
                        recvfrom(fd, buffer, DATAGRAM_MAX, MSG_TRUNC, (struct sockaddr *)&from, &n_from);
                const uint8_t *bytes = buffer;
                struct socket_record record;
                size_t n_bytes;
                int r;

                if (n_read < 0 && errno == EINTR)
                        continue;
                if (n_read < 0)
                        return errno == EAGAIN ? -ETIMEDOUT : -errno;
                if (n_read > DATAGRAM_MAX)
                        return -EMSGSIZE;
                if (from.nl_pid)
                        continue; /* another process's */
                n_bytes = (size_t)n_read;
                while (!(r = socket_diag_next(&record, &bytes, &n_bytes))) {
                        found(userdata, &record);
                        if (is_one)
                                return 0;
                }
                if (r < 0)
                        return r;
                if (r == SOCKET_DIAG_DONE)
                        return 0;
        }
}

struct look {
        struct wanted *wanted;
        size_t n_wanted;
};

static void on_record(void *userdata, const struct socket_record *record) {
        struct look *look = userdata;
        const struct wanted *end = look->wanted + look->n_wanted;

        if (!record->has_file)
                return;
        for (struct wanted *wanted = find_inode(look->wanted, look->n_wanted, record->file_inode);
             wanted < end && wanted->file_inode == record->file_inode; wanted++)
                if (is_of(wanted, record))
                        add_record(wanted, record);
}

static void on_waiting(void *userdata, const struct socket_record *record) {
        struct socket_peers *peers = userdata;

        for (size_t i = 0; i < record->n_waiting_known; i++)
                add_client(peers, record->waiting[i]);
}

static int open_diag(void) {
        struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
        cleanup(closep) int fd = -1;

        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
                return -errno;
        return take_fd(&fd);
}

void socket_name_set(char ret_name[static SOCKET_NAME_MAX], const char *name, size_t n_name) {
        size_t n = 0;

        if (n_name && !*name) {
                ret_name[n++] = '@';
                name++;
                n_name--;
        } else {
                n_name = strnlen(name, n_name);
        }
        if (n + n_name >= SOCKET_NAME_MAX || memchr(name, '\0', n_name))
                n = n_name = 0;
        memcpy(ret_name + n, name, n_name);
        ret_name[n + n_name] = '\0';
}

static void on_seen(void *userdata, const struct socket_record *record) {
        struct socket_seen *seen = userdata;

        seen->is_listening = record->is_listening;
        seen->peer = record->has_peer ? record->peer : 0;
        if (record->name)
                socket_name_set(seen->name, record->name, record->n_name);
}

int socket_see(uint32_t inode, struct socket_seen *ret_seen) {
        uint8_t request[SOCKET_DIAG_REQUEST_SIZE];
        cleanup(freep) uint8_t *buffer = NULL;
        cleanup(closep) int fd = -1;

        *ret_seen = (struct socket_seen){ 0 };
        buffer = malloc(DATAGRAM_MAX);
        if (!buffer)
                return -ENOMEM;
        fd = open_diag();
        if (fd < 0)
                return fd;
        socket_diag_ask_inode(request, inode);
        return ask(fd, request, true, buffer, on_seen, ret_seen);
}

static void set_use(struct socket_peers *peers) {
        if (!peers->listener)
                peers->use = SOCKET_UNSEEN;
        else if (peers->n_connected || peers->n_waiting)
                peers->use = SOCKET_TAKEN;
        else
                peers->use = SOCKET_FREE;
}

int socket_peers_look(struct socket_peers *peers, size_t n_peers) {
        uint8_t request[SOCKET_DIAG_REQUEST_SIZE];
        cleanup(freep) struct wanted *wanted = NULL;
        cleanup(freep) uint8_t *buffer = NULL;
        cleanup(closep) int fd = -1;
        struct look look;
        size_t n_wanted = 0;
        int r;

        for (size_t i = 0; i < n_peers; i++)
                peers[i] = (struct socket_peers){ .path = peers[i].path };
        wanted = calloc(n_peers + 1, sizeof(*wanted));
        buffer = malloc(DATAGRAM_MAX);
        if (!wanted || !buffer)
                return -ENOMEM;
        for (size_t i = 0; i < n_peers; i++) {
                struct stat file;

                if (stat(peers[i].path, &file) < 0)
                        continue;
                wanted[n_wanted++] = (struct wanted){
                        .peers = &peers[i],
                        .file_inode = (uint32_t)file.st_ino,
                        .file_device = socket_diag_device(file.st_dev),
                };
        }
        qsort(wanted, n_wanted, sizeof(*wanted), compare_wanted);

        fd = open_diag();
        if (fd < 0)
                return fd;
        look = (struct look){ .wanted = wanted, .n_wanted = n_wanted };
        socket_diag_ask_all(request);
        r = ask(fd, request, false, buffer, on_record, &look);
        if (r) {
                /* Half an answer might lack the one client that counts. */
                for (size_t i = 0; i < n_peers; i++)
                        peers[i] = (struct socket_peers){ .path = peers[i].path };
                return r;
        }
        for (size_t i = 0; i < n_peers; i++)
                set_use(&peers[i]);
        for (size_t i = 0, n_queues = 0; i < n_wanted && n_queues < QUEUES_MAX; i++) {
                if (!wanted[i].peers->n_waiting)
                        continue;
                n_queues++;
                /* Who waits is good to know, and no more: the answer may fail. */
                socket_diag_ask_one(request, &wanted[i].listener);
                ask(fd, request, true, buffer, on_waiting, wanted[i].peers);
        }
        return 0;
}

/*
 * A process with one monitor may have thousands, made one after another: the next one wanted is mostly just behind the last one
 * found.  Only where to look first; what counts is what is there.
 */
static struct {
        pid_t pid;
        int fd;
} last_found;

static bool is_near_the_last(const char *wanted) {
        for (int fd = last_found.fd; last_found.pid && fd <= last_found.fd + SOCKET_LINKS_NEAR; fd++) {
                char path[64];
                char target[64];
                ssize_t n;

                snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)last_found.pid, fd);
                n = readlink(path, target, sizeof(target) - 1);
                if (n < 0)
                        continue;
                target[n] = '\0';
                if (strcmp(target, wanted))
                        continue;
                last_found.fd = fd;
                return true;
        }
        return false;
}

/* 0: it does; -ENOENT: it does not; another -errno: we may not see, or not all. */
static int look_for_link(pid_t pid, const char *wanted, size_t *n_links) {
        cleanup(closedirp) DIR *directory = NULL;
        const struct dirent *entry;
        char path[64];
        char target[64];

        snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
        directory = opendir(path);
        if (!directory)
                return errno == ENOENT ? -ESRCH : -errno;
        while ((entry = readdir(directory))) {
                ssize_t n;

                if (entry->d_name[0] == '.')
                        continue;
                if (!*n_links)
                        return -E2BIG;
                --*n_links;
                n = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);
                if (n < 0)
                        continue;
                target[n] = '\0';
                if (!strcmp(target, wanted)) {
                        last_found.pid = pid;
                        last_found.fd = atoi(entry->d_name);
                        return 0;
                }
        }
        return -ENOENT;
}

int socket_holder_find(uint32_t inode, pid_t *ret_pid) {
        cleanup(closedirp) DIR *processes = NULL;
        const struct dirent *process;
        size_t n_links = SOCKET_LINKS_MAX;
        char wanted[32];

        snprintf(wanted, sizeof(wanted), "socket:[%u]", inode);
        if (is_near_the_last(wanted)) {
                *ret_pid = last_found.pid;
                return 0;
        }
        processes = opendir("/proc");
        if (!processes)
                return -errno;
        while (n_links && (process = readdir(processes))) {
                pid_t pid = atoi(process->d_name);

                if (pid > 0 && !look_for_link(pid, wanted, &n_links)) {
                        *ret_pid = pid;
                        return 0;
                }
        }
        return SOCKET_HOLDER_UNSEEN;
}

enum tristate socket_is_held_by(uint32_t inode, pid_t pid) {
        size_t n_links = SOCKET_LINKS_MAX;
        char wanted[32];

        snprintf(wanted, sizeof(wanted), "socket:[%u]", inode);
        if (pid == last_found.pid && is_near_the_last(wanted))
                return TRISTATE_TRUE;
        switch (look_for_link(pid, wanted, &n_links)) {
        case 0:
                return TRISTATE_TRUE;
        case -ENOENT:
                return TRISTATE_FALSE;
        default:
                return TRISTATE_NULL;
        }
}
