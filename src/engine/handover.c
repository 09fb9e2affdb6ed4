#include "engine/handover.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

struct handed {
        char *name;
        int fd;       /* -1: taken, or ours already */
        bool is_kept; /* the service manager has it */
};

struct handover {
        struct handed *items; /* that were handed to us, by rising name */
        size_t n_items;
        size_t n_names; /* bytes of all names that are kept, each with its colon */
        bool is_offered;
};

static int compare_items(const void *a, const void *b) {
        const struct handed *x = a, *y = b;

        return strcmp(x->name, y->name);
}

static struct handed *find(const struct handover *handover, const char *name) {
        struct handed wanted = { .name = (char *)name };

        return handover->n_items ? bsearch(&wanted, handover->items, handover->n_items, sizeof(wanted), compare_items) : NULL;
}

int handover_new(struct handover **ret_handover) {
        struct handover *handover = calloc(1, sizeof(*handover));
        const char *manager = getenv("NOTIFY_SOCKET"), *n_kept = getenv("FDSTORE");
        char **names = NULL;
        int n;

        if (!handover)
                return -ENOMEM;
        handover->is_offered = manager && *manager && n_kept && atol(n_kept) > 0;
        n = sd_listen_fds_with_names(1, &names);
        if (n > 0) {
                handover->items = calloc((size_t)n, sizeof(*handover->items));
                if (!handover->items) {
                        for (int i = 0; i < n; i++)
                                free(names[i]);
                        free(names);
                        free(handover);
                        return -ENOMEM;
                }
        }
        for (int i = 0; i < n; i++) {
                handover->items[i] = (struct handed){ names[i], SD_LISTEN_FDS_START + i, true };
                handover->n_names += strlen(names[i]) + 1;
                handover->n_items++;
        }
        free(names);
        if (handover->n_items)
                qsort(handover->items, handover->n_items, sizeof(*handover->items), compare_items);
        *ret_handover = handover;
        return 0;
}

bool handover_is_offered(const struct handover *handover) {
        return handover->is_offered;
}

void handover_name(char ret_name[static HANDOVER_NAME_MAX], char kind, uint64_t number) {
        static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        char text[HANDOVER_NAME_MAX];
        size_t at = sizeof(text);

        do {
                text[--at] = digits[number % (sizeof(digits) - 1)];
                number /= sizeof(digits) - 1;
        } while (number);
        snprintf(ret_name, HANDOVER_NAME_MAX, "%c.%.*s", kind, (int)(sizeof(text) - at), text + at);
}

int handover_take(struct handover *handover, const char *name) {
        struct handed *item = find(handover, name);

        return item ? take_fd(&item->fd) : -1;
}

/* Where it listens, if it is a unix socket that does. */
static bool find_path(int fd, struct sockaddr_un *ret_address) {
        socklen_t n_address = sizeof(*ret_address), n_listens = sizeof(int);
        int listens = 0;

        *ret_address = (struct sockaddr_un){ 0 };
        return fd >= 0 && !getsockname(fd, (struct sockaddr *)ret_address, &n_address) && ret_address->sun_family == AF_UNIX &&
               n_address <= sizeof(*ret_address) && !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n_listens) && listens;
}

static bool listens_at(int fd, const char *path) {
        struct sockaddr_un address;

        return find_path(fd, &address) && !strncmp(address.sun_path, path, sizeof(address.sun_path));
}

static bool listens_in(int fd, const char *directory) {
        struct sockaddr_un address;
        size_t n = strlen(directory);

        return n && find_path(fd, &address) && n < sizeof(address.sun_path) && !strncmp(address.sun_path, directory, n) &&
               address.sun_path[n] == '/';
}

int handover_take_listener(struct handover *handover, const char *path) {
        for (size_t i = 0; i < handover->n_items; i++)
                if (listens_at(handover->items[i].fd, path))
                        return take_fd(&handover->items[i].fd);
        return -1;
}

int handover_keep(struct handover *handover, const char *name, int fd) {
        struct handed *item = find(handover, name);
        char line[64];
        int r;

        /* The same one again: it is kept already. */
        if (!handover->is_offered || (item && item->is_kept))
                return 0;
        if (handover->n_names + strlen(name) + 1 > HANDOVER_NAMES_MAX)
                return -ENOSPC;
        snprintf(line, sizeof(line), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
        r = sd_pid_notify_with_fds(0, 0, line, &fd, 1);
        if (r < 0)
                return r;
        handover->n_names += strlen(name) + 1;
        if (item)
                item->is_kept = true;
        return 0;
}

void handover_drop(struct handover *handover, const char *name) {
        struct handed *item = find(handover, name);

        if (!handover->is_offered)
                return;
        sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
        handover->n_names -= strlen(name) + 1 <= handover->n_names ? strlen(name) + 1 : handover->n_names;
        if (item)
                item->is_kept = false;
}

void handover_drop_rest(struct handover *handover, const char *directory) {
        for (size_t i = 0; i < handover->n_items; i++) {
                struct handed *item = &handover->items[i];
                struct sockaddr_un address;

                if (item->fd < 0)
                        continue;
                if (listens_in(item->fd, directory) && find_path(item->fd, &address))
                        unlink(address.sun_path);
                close_fd(&item->fd);
                handover_drop(handover, item->name);
        }
}

struct handover *handover_free(struct handover *handover) {
        if (!handover)
                return NULL;
        for (size_t i = 0; i < handover->n_items; i++) {
                close_fd(&handover->items[i].fd);
                free(handover->items[i].name);
        }
        free(handover->items);
        free(handover);
        return NULL;
}
