#include "sources/qemu/qemu_monitors.h"
#include "basics/cleanup.h"
#include "sources/qemu/qemu_options.h"
#include "sources/qemu/qemu_words.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert((int)QEMU_MONITOR_ADDRESS_MAX == (int)QEMU_MEMBER_VALUE_MAX, "a member's value is an address");

/* What the members of one socket say, until all are read. */
struct socket_members {
        struct qemu_member path, host, port, fd;
        bool is_abstract;
        bool is_server;
        bool is_wrapped; /* what goes over it is not QMP as it stands */
};

static bool is_key(const struct qemu_member *member, const char *key) {
        return !strcmp(member->key, key);
}

/* Of members with one key the last one counts. */
static void read_socket_member(struct socket_members *socket, const struct qemu_member *member) {
        if (is_key(member, "path"))
                socket->path = *member;
        else if (is_key(member, "host"))
                socket->host = *member;
        else if (is_key(member, "port"))
                socket->port = *member;
        else if (is_key(member, "fd"))
                socket->fd = *member;
        else if (is_key(member, "abstract"))
                socket->is_abstract = qemu_member_is_true(member);
        else if (is_key(member, "server"))
                socket->is_server = qemu_member_is_true(member);
        else if (is_key(member, "tls-creds"))
                socket->is_wrapped = true;
        else if (is_key(member, "telnet") || is_key(member, "tn3270") || is_key(member, "websocket"))
                socket->is_wrapped |= qemu_member_is_true(member);
}

/* Whole or not at all: half an address is another's. */
static void copy_whole(char *ret_text, size_t n_ret, const char *text) {
        size_t n = strlen(text);

        if (n >= n_ret)
                n = 0;
        memcpy(ret_text, text, n);
        ret_text[n] = '\0';
}

static void set_address(struct qemu_monitor_place *place, const char *address) {
        copy_whole(place->address, sizeof(place->address), address);
}

static void set_socket(struct qemu_monitor_place *place, const struct socket_members *socket) {
        place->is_server = socket->is_server;
        if (*socket->path.key) {
                place->kind = socket->is_abstract ? QEMU_MONITOR_ABSTRACT : QEMU_MONITOR_UNIX;
                set_address(place, socket->path.value);
        } else if (*socket->fd.key) {
                place->kind = QEMU_MONITOR_FD;
                set_address(place, socket->fd.value);
        } else if (*socket->port.key) {
                char address[2 * QEMU_MEMBER_VALUE_MAX];

                place->kind = QEMU_MONITOR_TCP;
                snprintf(address, sizeof(address), "%s:%s", socket->host.value, socket->port.value);
                set_address(place, address);
        } else {
                place->kind = QEMU_MONITOR_OTHER;
                set_address(place, "socket");
        }
        if (socket->is_wrapped)
                place->kind = QEMU_MONITOR_OTHER;
}

/* The one -chardev of that id: chardev/char.c, qemu_chardev_opts.  Of ids the first one counts. */
static bool find_chardev(struct qemu_monitor_place *place, size_t n_argv, char *const *argv,
                         const char *wanted) {
        struct qemu_words words;
        const char *option, *argument;

        qemu_words_init(&words, n_argv, argv);
        while (qemu_words_next(&words, &option, &argument)) {
                struct socket_members socket = { 0 };
                struct qemu_member backend = { 0 };
                struct qemu_member id = { 0 };
                struct qemu_member member;

                if (strcmp(option, "chardev") || !argument)
                        continue;
                for (const char *implied = "backend"; qemu_member_next(&member, &argument, implied);
                     implied = NULL)
                        if (is_key(&member, "backend"))
                                backend = member;
                        else if (is_key(&member, "id"))
                                id = *id.key ? id : member;
                        else
                                read_socket_member(&socket, &member);
                if (!*wanted || strcmp(id.value, wanted))
                        continue;

                if (!strcmp(backend.value, "socket"))
                        set_socket(place, &socket);
                else
                        set_address(place, backend.value);
                return true;
        }
        return false;
}

static void set_chardev(struct qemu_monitor_place *place, size_t n_argv, char *const *argv, const char *id) {
        place->kind = QEMU_MONITOR_OTHER;
        copy_whole(place->chardev, sizeof(place->chardev), id);
        find_chardev(place, n_argv, argv, id);
}

/* "unix:path,server=on", "tcp:host:port,server": chardev/char.c, qemu_chr_parse_compat(). */
static void read_compat(struct qemu_monitor_place *place, size_t n_argv, char *const *argv,
                        const char *text) {
        struct socket_members socket = { 0 };
        struct qemu_member member;

        place->kind = QEMU_MONITOR_OTHER;
        if (!strncmp(text, "chardev:", 8)) {
                set_chardev(place, n_argv, argv, text + 8);
                return;
        }
        if (!strncmp(text, "mon:", 4))
                text += 4;
        if (!strncmp(text, "unix:", 5)) {
                text += 5;
                for (const char *implied = "path"; qemu_member_next(&member, &text, implied); implied = NULL)
                        read_socket_member(&socket, &member);
                set_socket(place, &socket);
        } else if (!strncmp(text, "tcp:", 4)) {
                size_t n = strcspn(text += 4, ",");

                place->kind = QEMU_MONITOR_TCP;
                if (n < sizeof(place->address))
                        memcpy(place->address, text, n);
                text += n + (text[n] == ',');
                while (qemu_member_next(&member, &text, NULL))
                        read_socket_member(&socket, &member);
                place->is_server = socket.is_server;
                if (socket.is_wrapped)
                        place->kind = QEMU_MONITOR_OTHER;
        } else {
                set_address(place, text);
        }
}

/* -mon [chardev=]ID,mode=control,pretty=on: monitor/monitor.c, qemu_mon_opts. */
static void read_mon(struct qemu_monitor_place *place, size_t n_argv, char *const *argv,
                     const char *members) {
        struct qemu_member member;
        struct qemu_member id = { 0 };
        bool is_control = false;

        for (const char *implied = "chardev"; qemu_member_next(&member, &members, implied); implied = NULL) {
                if (is_key(&member, "mode"))
                        is_control = !strcmp(member.value, "control");
                else if (is_key(&member, "pretty"))
                        place->is_pretty = qemu_member_is_true(&member);
                else if (is_key(&member, "chardev"))
                        id = member;
        }
        place->is_human = !is_control;
        set_chardev(place, n_argv, argv, id.value);
}

static bool is_libvirts_path(const struct qemu_monitor_place *place) {
        static const char *const directories[] = { "/var/lib/libvirt/", "/run/libvirt/",
                                                   "/var/run/libvirt/" };

        if (place->kind != QEMU_MONITOR_UNIX)
                return false;
        for (size_t i = 0; i < N_ELEMENTS(directories); i++)
                if (!strncmp(place->address, directories[i], strlen(directories[i])))
                        return true;
        /* A user's own libvirt: below $XDG_CONFIG_HOME or $XDG_RUNTIME_DIR. */
        return strstr(place->address, "/libvirt/qemu/");
}

/* An option that makes a monitor.  False: it makes none. */
static bool read_option(struct qemu_monitor_place *place, size_t n_argv, char *const *argv, const char *option, const char *argument) {
        if (!strcmp(option, "qmp")) {
                read_compat(place, n_argv, argv, argument);
        } else if (!strcmp(option, "qmp-pretty")) {
                read_compat(place, n_argv, argv, argument);
                place->is_pretty = true;
        } else if (!strcmp(option, "mon")) {
                read_mon(place, n_argv, argv, argument);
        } else if (!strcmp(option, "monitor") ||
                   ((!strcmp(option, "serial") || !strcmp(option, "parallel")) && !strncmp(argument, "mon:", 4))) {
                place->is_human = true;
                read_compat(place, n_argv, argv, argument);
        } else {
                return false;
        }
        return true;
}

static void add_place(struct qemu_monitors *monitors, const struct qemu_monitor_place *place) {
        if (monitors->n_items < QEMU_MONITORS_MAX)
                monitors->items[monitors->n_items++] = *place;
        else
                monitors->n_omitted++;
}

/* softmmu/vl.c, qemu_create_default_devices() */
static void add_default(struct qemu_monitors *monitors, size_t n_argv, char *const *argv) {
        struct qemu_monitor_place place = { .kind = QEMU_MONITOR_OTHER, .is_human = true };
        struct qemu_options options;

        qemu_options_read(&options, n_argv, argv);
        if (!options.has_default_monitor)
                return;
        set_address(&place, options.nographic ? "stdio" : "vc");
        add_place(monitors, &place);
}

/* Each --qmp is a monitor. */
static void read_vmpower_vmm(struct qemu_monitors *monitors, struct qemu_words *words) {
        const char *option, *argument;

        *monitors = (struct qemu_monitors){ 0 };
        while (qemu_words_next(words, &option, &argument)) {
                struct qemu_monitor_place place = { .kind = QEMU_MONITOR_UNIX, .is_server = true };

                if (strcmp(option, "qmp") != 0 || !argument)
                        continue;
                set_address(&place, argument);
                if (*place.address)
                        add_place(monitors, &place);
                monitors->is_libvirts |= is_libvirts_path(&place);
        }
}

static void read_all(struct qemu_monitors *ret_monitors, size_t n_argv, char *const *argv, bool with_human) {
        struct qemu_monitors monitors = { 0 };
        bool has_guest_name = false;
        bool has_charmonitor = false;
        struct qemu_words words;
        const char *option, *argument;

        qemu_words_init(&words, n_argv, argv);
        if (words.is_vmpower_vmm) {
                read_vmpower_vmm(ret_monitors, &words);
                return;
        }
        while (qemu_words_next(&words, &option, &argument)) {
                struct qemu_monitor_place place = { 0 };

                if (!argument)
                        continue;
                if (!strcmp(option, "name")) {
                        has_guest_name |= !strncmp(argument, "guest=", 6);
                        continue;
                } else if (!read_option(&place, n_argv, argv, option, argument) || (place.is_human && !with_human)) {
                        continue;
                }

                has_charmonitor |= !strcmp(place.chardev, "charmonitor");
                monitors.is_libvirts |= is_libvirts_path(&place);
                add_place(&monitors, &place);
        }
        if (with_human)
                add_default(&monitors, n_argv, argv);
        monitors.is_libvirts |= has_guest_name && has_charmonitor;
        *ret_monitors = monitors;
}

void qemu_monitors_read(struct qemu_monitors *ret_monitors, size_t n_argv, char *const *argv) {
        read_all(ret_monitors, n_argv, argv, false);
}

void qemu_monitors_read_all(struct qemu_monitors *ret_monitors, size_t n_argv, char *const *argv) {
        read_all(ret_monitors, n_argv, argv, true);
}
