#include "sources/toolstack.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "sources/proc.h"
#include "sources/process_sockets.h"
#include "sources/source.h"

#include <string.h>

/* A look at a daemon with thousands of VMs takes its time; then it is good for so many times as long, so that ending them all takes no more. */
#define LOOK_LONG_NS UINT64_C(2000000)
#define LOOK_SHARE   4

/*
 * libvirt's daemons: the one for all, and those for one hypervisor each.  Who is connected to a socket that only reads (…-ro) ends nothing, nor
 * does the daemon's own administrator (…-admin-sock).  A service manager, the host's or a user's: its systemctl goes not by the bus where it need not (root's, and a
 * user's to his own), and stays until what it asked for is done (src/shared/bus-util.c, bus_connect_transport_systemd()).
 */
static const struct {
        const char *comm, *socket;
} daemons[] = {
        { "libvirtd", "libvirt-sock" },
        { "virtqemud", "virtqemud-sock" },
        { "virtxend", "virtxend-sock" },
        { "systemd", "private" },
};

struct look {
        const char *socket;
        struct actor_client client;
        size_t n; /* of clients, one of them is known */
};

/* systemd may ask for a password first; and who is asked to end has time to. */
#define ASKED_WITHIN_NS UINT64_C(120000000000)

/* Whom the bus has named. */
static struct asker {
        char unit[TOOLSTACK_UNIT_MAX];
        uint64_t at_ns;
        struct actor_client client;
} askers[16];
static size_t n_askers; /* ever */

static struct actor_client client_of(const struct actor *who) {
        struct actor_client client = { .pid = who->pid, .uid = who->uid };

        memcpy(client.user, who->user, sizeof(who->user));
        memcpy(client.comm, who->comm, sizeof(who->comm));
        memcpy(client.cmdline, who->cmdline, sizeof(who->cmdline));
        return client;
}

static const char *socket_of(const struct actor *actor) {
        for (size_t i = 0; i < N_ELEMENTS(daemons); i++)
                if (!strcmp(daemons[i].comm, actor->comm))
                        return daemons[i].socket;
        return NULL;
}

static void on_socket(void *userdata, const struct process_socket *socket) {
        const char *slash = strrchr(socket->name, '/');
        struct look *look = userdata;
        struct actor who;

        if (!socket->is_connected || !slash || strcmp(slash + 1, look->socket))
                return;
        if (process_socket_peer(socket, "", &who)) {
                look->n++;
                return;
        }
        /* One that has several connections is one. */
        if (look->client.pid == who.pid)
                return;
        look->n++;
        look->client = client_of(&who);
}

void toolstack_find_client(struct actor *actor) {
        static struct {
                int64_t pid;
                uint64_t until_ns;
                struct look look;
        } last;
        const char *socket = socket_of(actor);
        uint64_t began_ns, ended_ns;

        if (!socket || actor->pid <= 0)
                return;
        began_ns = source_now_ns();
        if (last.pid != actor->pid || began_ns >= last.until_ns) {
                last.pid = actor->pid;
                last.look = (struct look){ .socket = socket };
                if (process_sockets_each((pid_t)actor->pid, on_socket, &last.look))
                        last.look.n = 0;
                ended_ns = source_now_ns();
                last.until_ns = ended_ns - began_ns < LOOK_LONG_NS ? 0 : ended_ns + (ended_ns - began_ns) * LOOK_SHARE;
        }
        if (last.look.n == 1)
                actor->client = last.look.client;
}

void toolstack_note_asker(const char *unit, pid_t pid) {
        struct asker *asker = &askers[n_askers++ % N_ELEMENTS(askers)];
        struct actor who;

        proc_actor(pid, "", &who);
        asker->at_ns = source_now_ns();
        asker->client = client_of(&who);
        text_set(asker->unit, sizeof(asker->unit), unit);
}

void toolstack_forget_asker(const char *unit, pid_t pid) {
        for (size_t i = 0; i < N_ELEMENTS(askers); i++)
                if (askers[i].client.pid == pid && !strcmp(askers[i].unit, unit))
                        *askers[i].unit = '\0';
}

void toolstack_find_asker(struct actor *actor, const char *unit) {
        uint64_t now_ns = source_now_ns();

        for (size_t i = n_askers, n = 0; actor->pid == 1 && !actor->client.pid && *unit && i > 0 && n < N_ELEMENTS(askers); n++) {
                const struct asker *asker = &askers[--i % N_ELEMENTS(askers)];

                if (!strcmp(asker->unit, unit) && now_ns - asker->at_ns < ASKED_WITHIN_NS)
                        actor->client = asker->client;
        }
}
