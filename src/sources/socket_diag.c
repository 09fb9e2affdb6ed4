#include "sources/socket_diag.h"

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

/* include/net/tcp_states.h, which unix sockets share. */
enum {
        STATE_ESTABLISHED = 1,
        STATE_LISTEN = 10,
};

struct request {
        struct nlmsghdr header;
        struct unix_diag_req body;
};
static_assert(sizeof(struct request) == SOCKET_DIAG_REQUEST_SIZE, "a request's size");

static const struct request request = {
        .header = {
                .nlmsg_len = sizeof(struct request),
                .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                .nlmsg_flags = NLM_F_REQUEST,
        },
        .body = {
                .sdiag_family = AF_UNIX,
                .udiag_states = 1U << STATE_ESTABLISHED | 1U << STATE_LISTEN,
                .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN,
        },
};

void socket_diag_ask_all(uint8_t ret_request[static SOCKET_DIAG_REQUEST_SIZE]) {
        struct request all = request;

        all.header.nlmsg_flags |= NLM_F_DUMP;
        memcpy(ret_request, &all, sizeof(all));
}

/*
 * Who waits is asked of one socket only: a queue that does not fit a message ends the answer about all,
 * without a word (net/unix/diag.c, sk_diag_dump_icons(); seen on Linux 6.18 with 8,500 clients in one queue),
 * and whose client was to come behind it would seem free.
 */
void socket_diag_ask_one(uint8_t ret_request[static SOCKET_DIAG_REQUEST_SIZE],
                         const struct socket_record *record) {
        struct request one = request;

        one.body.udiag_ino = record->inode;
        one.body.udiag_show |= UDIAG_SHOW_ICONS;
        memcpy(one.body.udiag_cookie, record->cookie, sizeof(record->cookie));
        memcpy(ret_request, &one, sizeof(one));
}

void socket_diag_ask_inode(uint8_t ret_request[static SOCKET_DIAG_REQUEST_SIZE], uint32_t inode) {
        struct request one = request;

        one.body.udiag_ino = inode;
        memset(one.body.udiag_cookie, 0xff, sizeof(one.body.udiag_cookie)); /* INET_DIAG_NOCOOKIE */
        memcpy(ret_request, &one, sizeof(one));
}

static void read_waiting(struct socket_record *record, const uint8_t *bytes, size_t n_bytes) {
        for (; n_bytes >= sizeof(uint32_t) && record->n_waiting_known < SOCKET_DIAG_WAITING_MAX;
             bytes += sizeof(uint32_t), n_bytes -= sizeof(uint32_t)) {
                uint32_t inode;

                memcpy(&inode, bytes, sizeof(inode));
                if (inode)
                        record->waiting[record->n_waiting_known++] = inode;
        }
}

static int read_attribute(struct socket_record *record, unsigned type, const uint8_t *bytes, size_t n_bytes) {
        struct unix_diag_vfs file;
        struct unix_diag_rqlen queue;

        switch (type) {
        case UNIX_DIAG_NAME:
                record->name = (const char *)bytes;
                record->n_name = n_bytes;
                return 0;
        case UNIX_DIAG_VFS:
                if (n_bytes < sizeof(file))
                        return -EBADMSG;
                memcpy(&file, bytes, sizeof(file));
                record->has_file = true;
                record->file_inode = file.udiag_vfs_ino;
                record->file_device = file.udiag_vfs_dev;
                return 0;
        case UNIX_DIAG_PEER:
                if (n_bytes < sizeof(record->peer))
                        return -EBADMSG;
                memcpy(&record->peer, bytes, sizeof(record->peer));
                record->has_peer = true;
                return 0;
        case UNIX_DIAG_RQLEN:
                if (n_bytes < sizeof(queue))
                        return -EBADMSG;
                memcpy(&queue, bytes, sizeof(queue));
                record->n_waiting = record->is_listening ? queue.udiag_rqueue : 0;
                return 0;
        case UNIX_DIAG_ICONS:
                read_waiting(record, bytes, n_bytes);
                return 0;
        default:
                return 0; /* a newer kernel's */
        }
}

static int read_record(struct socket_record *ret_record, const uint8_t *bytes, size_t n_bytes) {
        struct socket_record record = { 0 };
        struct unix_diag_msg message;

        if (n_bytes < sizeof(message))
                return -EBADMSG;
        memcpy(&message, bytes, sizeof(message));
        if (message.udiag_family != AF_UNIX)
                return -EBADMSG;
        record.is_listening = message.udiag_state == STATE_LISTEN;
        record.inode = message.udiag_ino;
        memcpy(record.cookie, message.udiag_cookie, sizeof(record.cookie));
        bytes += sizeof(message);
        n_bytes -= sizeof(message);

        while (n_bytes) {
                struct nlattr attribute;
                size_t n_whole;
                int r;

                if (n_bytes < sizeof(attribute))
                        return -EBADMSG;
                memcpy(&attribute, bytes, sizeof(attribute));
                if (attribute.nla_len < sizeof(attribute) || attribute.nla_len > n_bytes)
                        return -EBADMSG;
                r = read_attribute(&record, attribute.nla_type & NLA_TYPE_MASK, bytes + sizeof(attribute),
                                   attribute.nla_len - sizeof(attribute));
                if (r)
                        return r;
                /* The last one's padding may be missing. */
                n_whole = NLA_ALIGN(attribute.nla_len);
                if (n_whole > n_bytes)
                        n_whole = n_bytes;
                bytes += n_whole;
                n_bytes -= n_whole;
        }
        *ret_record = record;
        return 0;
}

/* Of an error, and of an end, which may come with one. */
static int read_error(const uint8_t *bytes, size_t n_bytes, int otherwise) {
        int error;

        if (n_bytes < sizeof(error))
                return otherwise;
        memcpy(&error, bytes, sizeof(error));
        return error < 0 && error >= -4095 ? error : otherwise;
}

int socket_diag_next(struct socket_record *ret_record, const uint8_t **bytes, size_t *n_bytes) {
        struct nlmsghdr header;
        const uint8_t *body;
        size_t n_body, n_whole;

        if (!*n_bytes)
                return SOCKET_DIAG_MORE;
        if (*n_bytes < sizeof(header))
                return -EBADMSG;
        memcpy(&header, *bytes, sizeof(header));
        if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > *n_bytes)
                return -EBADMSG;
        body = *bytes + sizeof(header);
        n_body = header.nlmsg_len - sizeof(header);
        n_whole = NLMSG_ALIGN((size_t)header.nlmsg_len);
        if (n_whole > *n_bytes)
                n_whole = *n_bytes;
        *bytes += n_whole;
        *n_bytes -= n_whole;

        switch (header.nlmsg_type) {
        case NLMSG_DONE:
                return read_error(body, n_body, SOCKET_DIAG_DONE);
        case NLMSG_ERROR:
                return read_error(body, n_body, -EBADMSG);
        case SOCK_DIAG_BY_FAMILY:
                return read_record(ret_record, body, n_body);
        default:
                return -EBADMSG;
        }
}

uint32_t socket_diag_device(uint64_t st_dev) {
        /* include/linux/kdev_t.h: MKDEV() */
        return major(st_dev) << 20 | minor(st_dev);
}
