#include "vmm/virtio_net.h"

#include "basics/cleanup.h"
#include "basics/table.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#define F_MAC (UINT64_C(1) << 5)

enum {
        QUEUE_RECEIVE = 0,
        QUEUE_TRANSMIT = 1,

        /* Virtio 1.2, 5.1.6: before each frame. */
        HEADER_BYTES = 12,
        HEADER_N_BUFFERS = 10, /* a 16-bit number */

        ETHERNET_HEADER_BYTES = 14,
        FRAME_BYTES_MAX = 65535 + ETHERNET_HEADER_BYTES,
        BURST = 64, /* frames */
};

struct net {
        int fd;
        bool has_room; /* `room` is where the next frame goes */
        struct virtqueue_chain room, sent;
        uint8_t frame[HEADER_BYTES + FRAME_BYTES_MAX];
};

/* --- frames ------------------------------------------------------------------------------------------------------ */

/* The header says how a frame is offloaded: it is not. */
static void send_frame(struct virtio_device *device, struct net *net) {
        const struct virtqueue_chain *chain = &net->sent;
        const uint64_t n = chain->n_readable;
        ssize_t ignored;

        if (n < HEADER_BYTES) {
                virtio_device_refuse(device, QUEUE_TRANSMIT, chain);
                return;
        }
        if (n >= HEADER_BYTES + ETHERNET_HEADER_BYTES && n <= sizeof(net->frame) &&
            virtio_device_copy_in(device, QUEUE_TRANSMIT, chain, 0, net->frame, (size_t)n)) {
                ignored = write(net->fd, net->frame + HEADER_BYTES, (size_t)n - HEADER_BYTES);
                (void)ignored;
        }
        virtio_device_give(device, QUEUE_TRANSMIT, chain, 0);
}

/* False: there is none.  5.1.6.4.1: without merging, a frame is in one chain; where it does not fit, it is lost. */
static bool receive_frame(struct virtio_device *device, struct net *net) {
        const struct virtqueue_chain *chain = &net->room;
        const ssize_t n = read(net->fd, net->frame + HEADER_BYTES, FRAME_BYTES_MAX);

        if (n <= 0)
                return false;
        if (HEADER_BYTES + (uint64_t)n > chain->n_writable)
                return true;
        memset(net->frame, 0, HEADER_BYTES);
        net->frame[HEADER_N_BUFFERS] = 1;
        virtio_device_copy_out(device, QUEUE_RECEIVE, chain, 0, net->frame, HEADER_BYTES + (size_t)n);
        virtio_device_give(device, QUEUE_RECEIVE, chain, HEADER_BYTES + (uint32_t)n);
        net->has_room = false;
        return true;
}

static bool find_room(struct virtio_device *device, struct net *net) {
        net->has_room = net->has_room || virtio_device_take(device, QUEUE_RECEIVE, &net->room);
        return net->has_room;
}

/* In turns: neither way keeps the other waiting. */
static void serve(struct virtio_device *device, void *state) {
        struct net *net = state;
        unsigned n_sent, n_received;

        do {
                for (n_sent = 0; n_sent < BURST && virtio_device_take(device, QUEUE_TRANSMIT, &net->sent); n_sent++)
                        send_frame(device, net);
                for (n_received = 0; n_received < BURST && find_room(device, net) && receive_frame(device, net); n_received++)
                        ;
        } while (n_sent == BURST || n_received == BURST);
}

/* A frame for which there is no room waits in the tap. */
static int wait_fd(void *state) {
        const struct net *net = state;

        return net->has_room ? net->fd : -1;
}

/* --- its beginning and end --------------------------------------------------------------------------------------- */

static void net_free(void *state) {
        struct net *net = state;

        close_fd(&net->fd);
        free(net);
}

static int fail(char ret_why[static VIRTIO_DEVICE_WHY_MAX], const char *tap, const char *why, int r) {
        snprintf(ret_why, VIRTIO_DEVICE_WHY_MAX, "%s: %s", tap, why);
        return r;
}

static int open_tap(const char *tap, char ret_why[static VIRTIO_DEVICE_WHY_MAX]) {
        cleanup(closep) int fd = -1;
        struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };

        if (!*tap || strlen(tap) >= sizeof(request.ifr_name))
                return fail(ret_why, tap, "no name of a network interface", -EINVAL);
        /* TUNSETIFF would make one, for root, that goes again with this process. */
        if (!if_nametoindex(tap))
                return fail(ret_why, tap, strerror(errno), -errno);
        strcpy(request.ifr_name, tap);
        fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
                return fail(ret_why, "/dev/net/tun", strerror(errno), -errno);
        if (ioctl(fd, TUNSETIFF, &request))
                return fail(ret_why, tap, errno == EBUSY ? "another program has it" : strerror(errno), -errno);
        return take_fd(&fd);
}

/* An address of the locally administered ones, by the tap's name and the host's: two of one host differ, and those of two hosts on one network. */
static void make_mac(uint8_t ret_mac[static VIRTIO_NET_MAC_BYTES], const char *tap) {
        char names[64 + IFNAMSIZ] = "";
        cleanup(closep) int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, names, 32);
        uint64_t hash;

        n = n < 0 ? 0 : n;
        strcpy(names + n, tap);
        hash = table_hash(names, (size_t)n + strlen(tap));
        ret_mac[0] = 0x02;
        memcpy(ret_mac + 1, &hash, VIRTIO_NET_MAC_BYTES - 1);
}

int virtio_net_new_on(struct virtio_device **ret_device, const struct guest_memory *memory, int fd, const uint8_t mac[static VIRTIO_NET_MAC_BYTES]) {
        static const struct virtio_kind kind = { .name = "virtio-net", .serve = serve, .wait_fd = wait_fd, .free = net_free };
        struct virtio_mmio_identity identity = { .device = 1, .n_queues = 2, .features = F_MAC };
        struct net *net = calloc(1, sizeof(*net));

        if (!net) {
                close(fd);
                return -ENOMEM;
        }
        net->fd = fd;
        memcpy(identity.configuration, mac, VIRTIO_NET_MAC_BYTES);
        return virtio_device_new(ret_device, &kind, net, &identity, memory);
}

int virtio_net_new(struct virtio_device **ret_device, const struct guest_memory *memory, const char *tap, char ret_why[static VIRTIO_DEVICE_WHY_MAX]) {
        uint8_t mac[VIRTIO_NET_MAC_BYTES];
        int r, fd = open_tap(tap, ret_why);

        if (fd < 0)
                return fd;
        make_mac(mac, tap);
        r = virtio_net_new_on(ret_device, memory, fd, mac);
        return r ? fail(ret_why, tap, strerror(-r), r) : 0;
}
