/*
 * Scene: what the rules look at, the evidence of one episode with its cause cut out.
 *
 * Knows how to find facts by kind and by order, and to gather the proof of the rule on trial.  Does not know the rules.
 */
#pragma once

#include "core/evidence.h"

#include <string.h>

#define MS_NS     UINT64_C(1000000)
#define SECOND_NS UINT64_C(1000000000)

/* Two clocks, two readings: closer than this, the order of two sources' facts is not certain. */
#define ORDER_CERTAIN_NS (10 * MS_NS)

/* A request that vmpower passed on shows its effect within this, or something else caused that effect. */
#define REQUEST_ACTS_WITHIN_NS (10 * SECOND_NS)

/* So does a hypercall, and what libxl is asked for, which takes its time; but that a domain is gone, or paused, may be told by a helper that was away, which it is for a minute at most. */
#define HYPERCALL_ACTS_WITHIN_NS (120 * SECOND_NS)

/* Whom a signal has told to end, and who is gone then. */
#define SIGNAL_ENDS_WITHIN_NS (10 * SECOND_NS)

/* QEMU emits WATCHDOG right before it acts; a second firing within a second comes without an event. */
#define WATCHDOG_ACTS_WITHIN_NS (2 * SECOND_NS)

/* A guest's write ends in QEMU's event at once; a loaded host may take its time. */
#define WRITE_ACTS_WITHIN_NS SECOND_NS

/* QEMU ends so soon after its guest has powered it off; one that lives on was not. */
#define OFF_ENDS_WITHIN_NS        (5 * SECOND_NS)
#define OFF_ENDS_SURELY_WITHIN_NS (2 * SECOND_NS)

/* A large VMM takes its time to die; its cgroup's counter may be read before or after. */
#define OOM_KILLS_WITHIN_NS (10 * SECOND_NS)

/* QEMU's line about a signal is read so long after what the signal did, at most. */
#define SIGNAL_READ_WITHIN_NS SECOND_NS

/* A VMM says why it ends right before it does; its standard error may be read after its end, and before its monitor. */
#define LAST_WORDS_WITHIN_NS SECOND_NS

struct scene {
        const struct evidence *items;
        size_t n_items;
        const struct judge_settings *settings;
        const struct evidence *cause; /* NULL: nothing among the items changes the VM */
        const struct evidence *outcome; /* by which a cause that was only tried is known to have come about; NULL: the cause is none */
        const struct evidence *proof[VERDICT_PROOF_MAX];
        size_t n_proof;
};

/*
 * The cause: the earliest fact that changes the VM.  The end of its process is the cause only where nothing else is: a
 * process says what it has to say before it ends, whichever is read first.  What the guest was only seen to try is the cause if that is what came of it:
 * QEMU holds it then (it is told to, and the trace says so by a STOP), or ends by itself at once.
 */
void scene_init(struct scene *scene, const struct evidence *items, size_t n_items, const struct judge_settings *settings);

/* The earliest fact that matches, or of that kind; NULL if there is none. */
const struct evidence *scene_earliest(const struct scene *s, bool (*matches)(const struct evidence *));
const struct evidence *scene_first(const struct scene *s, enum evidence_kind kind);

/* Why the outcome may not have come of what the guest tried; NULL: there is no reason to doubt it. */
const struct evidence *scene_doubt(const struct scene *s);

/* That the VM may have been off before the cause ended its process, for all that was heard; NULL. */
const struct evidence *scene_off_before(const struct scene *s);

/* The last fact of this kind (with this word unless it is NULL) that happened before `limit`, at most `within_ns` earlier. */
const struct evidence *scene_last_before(const struct scene *s, enum evidence_kind kind, const char *word,
                                         const struct evidence *limit, uint64_t within_ns);

/*
 * Was that request refused by the time of `limit`?  The refusal says which it answers; one that does not, the last of its command.  QEMU's stands
 * whenever it was read: what QEMU refuses it does not do; what libxl failed at it may have done in part.
 */
bool scene_is_refused(const struct scene *s, const struct evidence *request, const struct evidence *limit);

/* The last request for that before `limit`, at most `within_ns` earlier, that was not refused; NULL. */
const struct evidence *scene_request(const struct scene *s, const char *command, const struct evidence *limit, uint64_t within_ns);

/* The monitor's command that has such an effect; NULL: none has. */
const char *command_behind(const struct evidence *effect);

/* Does QEMU do that whenever it hears it, unless it refuses it?  (A VM that is stopped is not stopped again.) */
bool is_always_done(const char *command);

/*
 * The request whose effect this is.  QEMU does one after the other: the oldest that was not refused, and that made no such effect before.  It is made within
 * REQUEST_ACTS_WITHIN_NS of the request, or of its answer, where that came late; and none that was made before the monitor was opened.
 */
const struct evidence *scene_request_behind(const struct scene *s, const char *command, const struct evidence *effect);

/* The oldest request for that before `limit` that was not refused, whenever it was made, and that has not been lost with the monitor; NULL. */
const struct evidence *scene_request_standing(const struct scene *s, const char *command, const struct evidence *limit);

/*
 * That the host was going down when `limit` happened: the newest such fact that nobody took back, one that names who asked for it before one
 * that does not.  NULL: it was not.
 */
const struct evidence *scene_going_down(const struct scene *s, const struct evidence *limit);

/*
 * A request through control/shutdown that the domain's guest took, and that asks for what the domain then did: the newest that was taken before
 * the cause.  `or_unseen`: also one that was gone before it was read.
 */
struct asked {
        const struct evidence *request;
        const struct evidence *acknowledged;
};
bool scene_asked(const struct scene *s, bool or_unseen, struct asked *ret);

/* The first fact of this kind that happened after `start`. */
const struct evidence *scene_first_after(const struct scene *s, enum evidence_kind kind, const struct evidence *start);

/* Did they happen at most so long apart, whichever was first? */
bool scene_is_near(const struct evidence *a, const struct evidence *b, uint64_t within_ns);

/* The fact of this kind that is the nearest in time, before or after, at most `within_ns` away. */
const struct evidence *scene_nearest(const struct scene *s, enum evidence_kind kind, const struct evidence *fact,
                                     uint64_t within_ns);

/* How far apart two facts are. */
uint64_t apart_ns(const struct evidence *a, const struct evidence *b);

/*
 * The best fact about the sending of that signal, not later than the cause: by the trace, the last; of one that the process has sent to itself, what it has passed on so.
 * Of 0, any that a VMM obeys by ending: with a sender, by the trace, the last, or, of those that an exit may come of, the first.
 */
const struct evidence *scene_signal(const struct scene *s, int64_t signal);

/* How the kernel saw a guest of a PC reset itself, by a name that is the same each time; NULL: this is nothing of the kind. */
const char *way_to_reset(const struct evidence *e);

/* Would this signal end a process that has no handler, without being the mark of its own fault? */
bool signal_is_an_end(int64_t signal);

/* Would it stop one? */
bool signal_is_a_stop(int64_t signal);

/* Signals that a program's own fault raises. */
bool signal_is_a_fault(int64_t signal);

/* Whoever it was sent to has ended soon enough after it. */
bool scene_is_sent_shortly_before(const struct scene *s, const struct evidence *signal);

/* The kernel's mark of the OOM killer's victim; NULL. */
const struct evidence *scene_oom_mark(const struct scene *s);

/*
 * A daemon that frees memory before the kernel must: earlyoom sends SIGTERM first, systemd-oomd SIGKILL.  By its user and its program, for anybody may take its name;
 * where its program was not seen, by that, and that is not certain.
 */
bool is_by_oom_daemon(const struct evidence *signal);

/* Note a fact as proof and say whether there is one: `return prove(s, x) && prove(s, y)`. */
bool prove(struct scene *s, const struct evidence *evidence);

/* Was he at another monitor when that was done? */
bool is_client_at(const struct evidence *e, const struct evidence *effect);

/* Was somebody, seen or not, at another monitor when that was done? */
bool scene_has_client(const struct scene *s, const struct evidence *effect);

/* The first status after `start` that is an outcome; NULL. */
const struct evidence *scene_outcome_after(const struct scene *s, const struct evidence *start);

/* Is that the cause?  It is proof then. */
static inline bool cause_is(struct scene *s, enum evidence_kind kind) {
        return s->cause && s->cause->kind == kind && prove(s, s->cause);
}

static inline bool says(const struct evidence *e, const char *word) {
        return !strcmp(e->word, word);
}

/* The rules, strongest first; the last one always holds. */
struct rule {
        struct rule_info info;
        bool (*holds)(struct scene *scene);
};
extern const struct rule judge_rules[];
