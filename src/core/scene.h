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

/* A request that vmpower passed on shows its effect within this, or something else caused that effect. */
#define REQUEST_ACTS_WITHIN_NS (10 * SECOND_NS)

/* So does a hypercall, and what libxl is asked for, which takes its time; but that a domain is gone, or paused, may be told by a helper that was away, which it is for a minute at most. */
#define HYPERCALL_ACTS_WITHIN_NS (120 * SECOND_NS)

/* Whom a signal has told to end, and who is gone then. */
#define SIGNAL_ENDS_WITHIN_NS (10 * SECOND_NS)

/* A large VMM takes its time to die; its cgroup's counter may be read before or after. */
#define OOM_KILLS_WITHIN_NS (10 * SECOND_NS)

/* QEMU's line about a signal is read so long after what the signal did, at most. */
#define SIGNAL_READ_WITHIN_NS SECOND_NS

struct scene {
        const struct evidence *items;
        size_t n_items;
        const struct judge_settings *settings;
        const struct evidence *cause; /* NULL: nothing among the items changes the VM */
        const struct evidence *proof[VERDICT_PROOF_MAX];
        size_t n_proof;
};

/*
 * The cause: the earliest fact that changes the VM.  The end of its process is the cause only where nothing else is: a
 * process says what it has to say before it ends, whichever is read first.
 */
void scene_init(struct scene *scene, const struct evidence *items, size_t n_items, const struct judge_settings *settings);

/* The earliest fact that matches, or of that kind; NULL if there is none. */
const struct evidence *scene_earliest(const struct scene *s, bool (*matches)(const struct evidence *));
const struct evidence *scene_first(const struct scene *s, enum evidence_kind kind);

/* The last fact of this kind (with this word unless it is NULL) that happened before `limit`, at most `within_ns` earlier. */
const struct evidence *scene_last_before(const struct scene *s, enum evidence_kind kind, const char *word,
                                         const struct evidence *limit, uint64_t within_ns);

/* The last request for that before `limit`, at most `within_ns` earlier; NULL: there is none, or it was refused. */
const struct evidence *scene_request(const struct scene *s, const char *command, const struct evidence *limit, uint64_t within_ns);

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
 * The best fact about the sending of that signal (0: any that ends a process by default), not later than the cause:
 * with a sender, by the trace, the earliest.
 */
const struct evidence *scene_signal(const struct scene *s, int64_t signal);

/* Would this signal end a process that has no handler, without being the mark of its own fault? */
bool signal_is_an_end(int64_t signal);

/* Signals that a program's own fault raises. */
bool signal_is_a_fault(int64_t signal);

/* Whoever it was sent to has ended soon enough after it. */
bool scene_is_sent_shortly_before(const struct scene *s, const struct evidence *signal);

/* The kernel's mark of the OOM killer's victim; NULL. */
const struct evidence *scene_oom_mark(const struct scene *s);

/* A daemon that frees memory before the kernel must: earlyoom sends SIGTERM first, systemd-oomd SIGKILL. */
bool is_by_oom_daemon(const struct evidence *signal);

/* Note a fact as proof and say whether there is one: `return prove(s, x) && prove(s, y)`. */
bool prove(struct scene *s, const struct evidence *evidence);

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
