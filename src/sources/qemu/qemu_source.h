/*
 * QEMU source: one QEMU's monitor, as evidence.
 *
 * Knows the handshake, which questions to ask QEMU when, and when a look at halted vCPUs is worth it.  What an answer means is
 * qmp_events.c's; what follows from it is none of its business.
 */
#pragma once

#include "qmp/qmp_message.h"
#include "sources/qemu/qemu_replay.h"
#include "sources/source.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

struct halt_ticks;
struct qemu_source;

/*
 * EVIDENCE_MONITOR_OPENED is told once QEMU has answered, for from then on it tells its events; of one that has greeted and does not answer for so long it
 * is told all the same.  Tests make it shorter.
 */
extern uint64_t qemu_source_patience_usec;

/* What a source tells its owner beside evidence.  All come from the loop; none may close the source. */
struct qemu_source_events {
        /* Connected to the process that listens (pid 0: not known).  Comes before any evidence. */
        void (*connected)(void *userdata, pid_t pid, uid_t uid);
        /* No greeting has come for greeting_timeout_ns, and we keep waiting: a slow start, or somebody else has the monitor. */
        void (*waiting)(void *userdata);
        /* A command of ours was refused, in QEMU's words. */
        void (*refused)(void *userdata, const char *command, const char *why);
        /* What has come was read; may be NULL. */
        void (*was_read)(void *userdata);
        void *userdata;
};

struct qemu_source_config {
        const char *path; /* the monitor's unix socket; may come to be later, its directory must exist */
        /* set-action before QEMU is told to start: what the guest's panic, reboot and shutdown do; NULL: as they are. */
        const char *on_panic, *on_reboot, *on_shutdown;
        uint64_t halt_after_ns;       /* a look at vCPUs that stood still so long; 0: never */
        struct halt_ticks *ticks;     /* the timer of those looks, which all sources share; borrowed; NULL: one of its own */
        /*
         * No greeting for so long: somebody else has the monitor, which serves one client.  EVIDENCE_MONITOR_TAKEN, and the connection is given
         * up; a toolstack that finds its monitor taken may kill the VM.  0: wait for ever.
         */
        uint64_t greeting_timeout_ns;
        /* QEMU was started with -S by us: say `cont` as soon as events are read, and keep its RESUME to ourselves. */
        bool start;
        bool is_own; /* the monitor is ours alone: keep waiting, a QEMU with much memory starts slowly */
        bool is_shared; /* others use it through us: keep the greeting, take commands out of band if QEMU offers that */
};

int qemu_source_open(struct qemu_source **ret_source, sd_event *event, const struct qemu_source_config *config,
                     const struct qemu_source_events *events, const struct source_sink *sink);

/* What the connection that is adopted has been through. */
struct qemu_source_past {
        const char *greeting; /* QEMU's, as it came; n_greeting bytes */
        size_t n_greeting;
        bool is_negotiated; /* in an earlier life of ours: it is in use, and no word of it was missed */
        bool knows_machine; /* that life has told what machine it is, and its devices */
        /* Of that life: events that are on record, and may be read again; and when the newest fact happened. */
        const struct qemu_known *known;
        size_t n_known;
        uint64_t newest_ns;
};

/*
 * The same on a connection that is there already: connected, non-blocking, taken over on success; config.path is not looked at.
 * `connected` comes in this call.  -EPROTO: that is no greeting.
 */
int qemu_source_adopt(struct qemu_source **ret_source, sd_event *event, int fd, const struct qemu_source_past *past,
                      const struct qemu_source_config *config, const struct qemu_source_events *events,
                      const struct source_sink *sink);

/* As qemu_monitor_keep_unread() and qemu_monitor_consume(). */
int qemu_source_keep_unread(struct qemu_source *source);
void qemu_source_consume(struct qemu_source *source);

struct qemu_source *qemu_source_close(struct qemu_source *source);

/* Its connection, to be handed over to a later life; -1: none.  It stays the source's. */
int qemu_source_fd(const struct qemu_source *source);

/* Does the VM run without us: has it answered the `cont` that config.start asks for?  True where it did not ask. */
bool qemu_source_has_started(const struct qemu_source *source);

/* Connect now if the socket is there.  0: connected; -ENOTCONN. */
int qemu_source_try(struct qemu_source *source);

/*
 * QEMU's process has ended: read what it said to the end of the stream, and report that end.  Whoever else may still hold the socket open,
 * a helper that QEMU started, is not QEMU.
 */
void qemu_source_finish(struct qemu_source *source);

/*
 * Whoever shares the monitor hears all that QEMU says, but for the answers to the source's own questions, whose ids are below
 * QEMU_SOURCE_IDS.  Comes after the evidence; none may close the source.
 */
enum {
        QEMU_SOURCE_IDS = 1000, /* ids from here on are not ours */
};
/* From here on they are free: answers to what an earlier life asked on the same connection are nobody's any more. */
uint64_t qemu_source_first_id(const struct qemu_source *source);
struct qemu_source_tap {
        void (*message)(void *userdata, const struct qmp_message *message, const char *text, size_t n_text);
        void (*lost)(void *userdata);    /* QEMU said what was not understood; it may have been an answer */
        void (*drained)(void *userdata); /* there is room again to pass on */
        void (*closed)(void *userdata);  /* the stream was read to its end */
        void *userdata;
};

/* At most one; NULL: nobody.  It is kept by the caller.  What was said before is not told again: see qemu_source_greeting(). */
void qemu_source_set_tap(struct qemu_source *source, const struct qemu_source_tap *tap);

/* QEMU's greeting as we pass it on, with what is enabled on our connection; NULL: not yet, or not `is_shared`. */
const char *qemu_source_greeting(const struct qemu_source *source, bool *ret_has_oob);

/* As qemu_monitor_pass_on() and qemu_monitor_has_room(). */
int qemu_source_pass_on(struct qemu_source *source, const char *text, size_t n_text, const int *fds, size_t n_fds);
bool qemu_source_has_room(const struct qemu_source *source);

/* Tell QEMU to quit.  0: said (the end of the stream answers); -ENOTCONN; -ENOBUFS. */
int qemu_source_quit(struct qemu_source *source);
