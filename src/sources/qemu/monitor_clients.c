#include "sources/qemu/monitor_clients.h"
#include "basics/cleanup.h"
#include "core/evidence.h"
#include "core/text.h"
#include "sources/proc.h"
#include "sources/process_sockets.h"
#include "sources/qemu/qemu_monitors.h"
#include "sources/qemu/qemu_options.h"
#include "sources/qemu/qemu_words.h"
#include "sources/qemu/survey.h"
#include "sources/toolstack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WINDOW "its window"
#define MORE   "more than are looked at"

struct candidate {
        char monitor[EVIDENCE_TEXT_MAX];
        bool is_known;
        struct actor actor;
};

struct look {
        pid_t pid;
        const char *held;
        struct qemu_monitors monitors;
        struct candidate candidates[MONITOR_CLIENTS_MAX];
        size_t n, n_known;
};

static bool says(const struct evidence *event, const char *word) {
        return !strcmp(event->word, word);
}

/* What a monitor can be told to do, as far as somebody must have told it. */
static bool is_told(const struct evidence *event) {
        if (event->source != SOURCE_QMP)
                return false;
        if (event->kind == EVIDENCE_SHUTDOWN)
                return says(event, "host-qmp-quit") || says(event, "host-qmp-system-reset");
        if (event->kind == EVIDENCE_RESET)
                return says(event, "host-qmp-system-reset");
        return event->kind == EVIDENCE_STOP || event->kind == EVIDENCE_RESUME || event->kind == EVIDENCE_POWERDOWN;
}

static bool may_look(struct monitor_looks *looks, const struct evidence *event) {
        uint64_t now_ns = source_now_ns();

        if (event->at_ns + MONITOR_EVENT_AGE_NS < now_ns)
                return false;
        if (now_ns - looks->began_ns >= MONITOR_LOOKS_WITHIN_NS)
                *looks = (struct monitor_looks){ .began_ns = now_ns };
        return looks->n++ < MONITOR_LOOKS_MAX;
}

/* One process is one candidate, on however many monitors. */
static struct candidate *add(struct look *look, const char *monitor, const struct actor *actor) {
        struct candidate *candidate;

        for (size_t i = 0; actor && i < look->n; i++)
                if (look->candidates[i].is_known && look->candidates[i].actor.pid == actor->pid)
                        return NULL;
        if (look->n == MONITOR_CLIENTS_MAX)
                return NULL;
        candidate = &look->candidates[look->n++];
        text_set(candidate->monitor, sizeof(candidate->monitor), monitor);
        if (!actor)
                return candidate;
        candidate->is_known = true;
        candidate->actor = *actor;
        candidate->actor.confidence = CONFIDENCE_LIKELY;
        look->n_known++;
        return candidate;
}

/* --- sockets ----------------------------------------------------------------------------------------------------- */

/* As QEMU sees it: a relative path is of its directory, and its root may be another. */
static bool stat_there(pid_t pid, const char *path, struct stat *ret_stat) {
        char there[EVIDENCE_TEXT_MAX];

        snprintf(there, sizeof(there), "/proc/%d/%s%s%.150s", (int)pid, *path == '/' ? "root" : "cwd", *path == '/' ? "" : "/", path);
        return !stat(there, ret_stat);
}

/* The monitor that we hold: by its file, for QEMU may know it by another path. */
static bool is_held(const struct look *look, const char *name) {
        struct stat held, there;

        if (!look->held)
                return false;
        return !strcmp(look->held, name) || (!stat(look->held, &held) && stat_there(look->pid, name, &there) &&
                                             held.st_ino == there.st_ino && held.st_dev == there.st_dev);
}

static bool is_of(const struct qemu_monitor_place *place, const struct process_socket *socket) {
        const char *name = place->is_server ? socket->name : socket->peer_name;

        switch (place->kind) {
        case QEMU_MONITOR_UNIX:
                return *name && !strcmp(name, place->address);
        case QEMU_MONITOR_ABSTRACT:
                return *name == '@' && !strcmp(name + 1, place->address);
        case QEMU_MONITOR_FD:
                return socket->number == atoi(place->address);
        case QEMU_MONITOR_TCP:
        case QEMU_MONITOR_OTHER:
                break;
        }
        return false;
}

static const struct qemu_monitor_place *find_place(const struct look *look, const struct process_socket *socket) {
        for (size_t i = 0; i < look->monitors.n_items; i++)
                if (is_of(&look->monitors.items[i], socket))
                        return &look->monitors.items[i];
        return NULL;
}

static void on_socket(void *userdata, const struct process_socket *socket) {
        const struct qemu_monitor_place *place;
        struct look *look = userdata;
        struct actor actor;

        if (!socket->is_connected)
                return;
        place = find_place(look, socket);
        if (!place || is_held(look, place->address))
                return;
        if (process_socket_peer(socket, place->is_human ? "hmp" : "qmp", &actor))
                add(look, place->address, NULL);
        else if (actor.pid != getpid())
                add(look, place->address, &actor);
}

/*
 * A socket that QEMU was given, libvirt's way: what it is bound to tells those that were accepted on it.  One that is connected itself is looked at as
 * it stands.
 */
static void resolve(struct look *look, struct qemu_monitor_place *place) {
        char name[SOCKET_NAME_MAX];

        process_socket_name(look->pid, atoi(place->address), name);
        if (!*name)
                return;
        place->kind = *name == '@' ? QEMU_MONITOR_ABSTRACT : QEMU_MONITOR_UNIX;
        place->is_server = true;
        text_set(place->address, sizeof(place->address), *name == '@' ? name + 1 : name);
}

/* --- what is no socket ------------------------------------------------------------------------------------------- */

static bool is_terminal(const char *path) {
        return !strncmp(path, "/dev/pts/", 9) || !strncmp(path, "/dev/tty", 8) || !strcmp(path, "/dev/console");
}

/* Who sits at the terminal that the monitor is on: the leader of its session, or who has made QEMU that. */
static void look_at_terminal(struct look *look) {
        char path[64], target[128];
        struct proc_stat stat;
        struct actor actor;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)look->pid);
        n = readlink(path, target, sizeof(target) - 1);
        target[n < 0 ? 0 : n] = '\0';
        if (n < 0 || !strcmp(target, "/dev/null"))
                return;
        if (!is_terminal(target) || proc_stat_read(&stat, look->pid) ||
            proc_actor(stat.session && stat.session != look->pid ? stat.session : stat.parent, "terminal", &actor))
                add(look, "stdio", NULL);
        else
                add(look, "stdio", &actor);
}

static void look_at_place(struct look *look, struct qemu_monitor_place *place) {
        switch (place->kind) {
        case QEMU_MONITOR_FD:
                resolve(look, place);
                break;
        case QEMU_MONITOR_UNIX:
        case QEMU_MONITOR_ABSTRACT:
                break;
        case QEMU_MONITOR_TCP:
                add(look, place->address, NULL);
                break;
        case QEMU_MONITOR_OTHER:
                if (!strcmp(place->address, "stdio"))
                        look_at_terminal(look);
                else if (strncmp(place->address, "vc", 2) && strcmp(place->address, "none") && strcmp(place->address, "null"))
                        add(look, place->address, NULL);
                break;
        }
}

/* --- the look ---------------------------------------------------------------------------------------------------- */

/* False: it has no monitor but ours. */
static bool read_monitors(struct look *look, bool *ret_has_window) {
        cleanup(freep) char **arguments = NULL;
        char program[SURVEY_PROGRAM_MAX];
        struct qemu_options options;
        size_t n = 0, n_others = 0;

        if (proc_arguments(&arguments, &n, look->pid) || !n || survey_program(program, look->pid) || !qemu_words_is_program(program))
                return false;
        arguments[0] = program;
        qemu_monitors_read_all(&look->monitors, n, arguments);
        for (size_t i = 0; i < look->monitors.n_items; i++)
                n_others += !is_held(look, look->monitors.items[i].address);
        qemu_options_read(&options, n, arguments);
        *ret_has_window = options.has_window;
        return n_others;
}

static void tell(const struct candidate *candidate, const struct evidence *event, const struct source_sink *sink) {
        struct evidence evidence = evidence_make(SOURCE_PROCESS, EVIDENCE_MONITOR_CLIENT);

        evidence.at_ns = event->at_ns;
        evidence.time_ns = event->time_ns;
        evidence_set_word(&evidence, evidence_kind_info(event->kind)->name);
        evidence_set_text(&evidence, candidate->monitor, strlen(candidate->monitor));
        if (!candidate->is_known || !evidence_set_actor(&evidence, &candidate->actor))
                source_report(sink, &evidence);
}

void monitor_clients_look(struct monitor_looks *looks, pid_t pid, const char *held, const struct evidence *event,
                          const struct source_sink *sink) {
        cleanup(freep) struct look *look = NULL;
        bool has_window;

        if (pid <= 0 || !is_told(event) || !may_look(looks, event))
                return;
        look = calloc(1, sizeof(*look));
        if (!look)
                return;
        look->pid = pid;
        look->held = held;
        if (!read_monitors(look, &has_window))
                return;
        for (size_t i = 0; i < look->monitors.n_items; i++)
                look_at_place(look, &look->monitors.items[i]);
        process_sockets_each(pid, on_socket, look);
        if (look->monitors.n_omitted)
                add(look, MORE, NULL);
        if (has_window)
                add(look, WINDOW, NULL);
        /* Those whom nobody sees are of interest only where somebody would be named without them. */
        for (size_t i = 0; look->n_known && i < look->n; i++) {
                if (look->candidates[i].is_known)
                        toolstack_find_client(&look->candidates[i].actor);
                tell(&look->candidates[i], event, sink);
        }
}
