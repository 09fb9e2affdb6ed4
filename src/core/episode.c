#include "core/episode.h"
#include "core/scene.h"
#include "core/tally.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

void episode_init(struct episode *episode, bool has_process) {
        *episode = (struct episode){ .has_process = has_process };
}

void episode_deinit(struct episode *episode) {
        for (size_t i = 0; i < episode->n_items; i++)
                evidence_deinit(&episode->items[i]);
        free(episode->items);
        episode->items = NULL;
        episode->n_items = 0;
        episode->n_allocated = 0;
        episode->resting = packed_free(episode->resting);
}

int episode_rest(struct episode *episode) {
        struct packed *packed;

        if (episode->resting || !episode->n_items)
                return 0;
        if (packed_make(&packed, episode->items, episode->n_items))
                return -ENOMEM;
        episode_deinit(episode);
        episode->resting = packed;
        return 0;
}

int episode_wake(struct episode *episode) {
        if (!episode->resting)
                return 0;
        if (packed_open(episode->resting, &episode->items, &episode->n_items))
                return -ENOMEM;
        episode->n_allocated = episode->n_items;
        episode->resting = packed_free(episode->resting);
        return 0;
}

bool episode_is_over(const struct episode *episode) {
        if (episode->has_process)
                return episode->process_ended && !episode->monitor_open;
        return episode->process_ended || episode->monitor_closed;
}

static bool is_change(const struct evidence *e) {
        return evidence_changes_vm(e) || evidence_ends_process(e);
}

static bool is_by_the_host(const struct evidence *e) {
        return evidence_ends_process(e) || (e->kind == EVIDENCE_SHUTDOWN && e->flag == TRISTATE_FALSE);
}

/* After this the guest does not run any more, and what comes is clearing away, until somebody makes it run again. */
static bool is_final(enum transition transition) {
        return transition == TRANSITION_POWEROFF || transition == TRANSITION_HIBERNATE || transition == TRANSITION_CRASH ||
               transition == TRANSITION_HALT || transition == TRANSITION_DESTROY || transition == TRANSITION_MIGRATE ||
               transition == TRANSITION_FAILURE || transition == TRANSITION_UNKNOWN;
}

static struct scene scene_of(const struct episode *episode) {
        struct scene s;

        scene_init(&s, episode->items, episode->n_items, &judge_settings_default);
        return s;
}

static const struct evidence *cause_of(const struct episode *episode) {
        return scene_of(episode).cause;
}

/* A status in which the VM was found, and that nothing had told of. */
static bool is_found(const struct evidence *e) {
        return e->kind == EVIDENCE_STATUS && evidence_changes_vm(e);
}

static bool is_found_as(const struct evidence *e, const char *status) {
        return is_found(e) && !strcmp(e->word, status);
}

/* A panic, or its crash kernel: the guest makes its own way down from here, up to its own reset. */
static bool is_panic(const struct evidence *e) {
        return e->kind == EVIDENCE_GUEST_PANICKED || e->kind == EVIDENCE_GUEST_CRASHLOADED || is_found_as(e, "guest-panicked");
}

/* Somebody makes the panicked guest run again.  The panicked kernel's own reset is part of its crash. */
static bool revives_panicked(const struct evidence *e) {
        return (e->kind == EVIDENCE_RESET && e->flag == TRISTATE_FALSE) || e->kind == EVIDENCE_RESUME || is_found(e);
}

static bool has_word(const struct episode *episode, enum evidence_kind kind, const char *word) {
        for (size_t i = 0; i < episode->n_items; i++)
                if (episode->items[i].kind == kind && !strcmp(episode->items[i].word, word))
                        return true;
        return false;
}

/* A toolstack quits the source of a migration as soon as it is complete: the quit is the outcome of the stop before it. */
static bool ends_a_migration(const struct episode *episode, const struct evidence *e) {
        if (e->kind == EVIDENCE_SHUTDOWN && !strcmp(e->word, "host-qmp-quit"))
                return has_word(episode, EVIDENCE_STATUS, "finish-migrate") || has_word(episode, EVIDENCE_STATUS, "postmigrate");
        return evidence_ends_process(e) && (has_word(episode, EVIDENCE_SHUTDOWN, "host-qmp-quit") || has_word(episode, EVIDENCE_STATUS, "postmigrate"));
}

/* A monitor that ends a guest because it is halted for good says so: that end is the outcome of the halt. */
static bool ends_a_halt(const struct episode *episode, const struct evidence *e) {
        if (e->kind == EVIDENCE_SHUTDOWN)
                return !strcmp(e->word, "guest-halted");
        return evidence_ends_process(e) && has_word(episode, EVIDENCE_SHUTDOWN, "guest-halted");
}

/* A domain that has shut down is destroyed, or begun anew in its place (soft reset), by its toolstack: what becomes of that shutdown. */
static bool ends_a_domain(const struct evidence *shutdown, const struct evidence *e) {
        if (e->kind == EVIDENCE_DOMAIN_SHUTDOWN)
                return !strcmp(e->word, shutdown->word);
        if (e->kind == EVIDENCE_DOMAIN_RESUMED)
                return !strcmp(shutdown->word, "soft-reset");
        /* A suspended one may have run again, and not have been seen to. */
        return evidence_ends_process(e) && (e->flag == TRISTATE_FALSE || strcmp(shutdown->word, "suspend"));
}

/* Is this reset one more of the reboot of that cause: the same firmware start, or its loop's next one?  The host's is always another. */
static bool goes_on_resetting(const struct evidence *cause, const struct evidence *reset) {
        return reset->flag != TRISTATE_FALSE && (reset->number > 1 || reset->at_ns - cause->at_ns < FIRMWARE_START_NS);
}

/* While the cause waits for its outcome: which change is that outcome, and which is the next story? */
static bool follows(const struct episode *episode, const struct evidence *cause, const struct evidence *e) {
        if (evidence_ends_process(cause))
                return true;
        if (cause->kind == EVIDENCE_DOMAIN_SHUTDOWN)
                return ends_a_domain(cause, e);
        if (cause->kind == EVIDENCE_STOP && ends_a_migration(episode, e))
                return true;
        if (cause->kind == EVIDENCE_REGISTERS && ends_a_halt(episode, e))
                return true;
        if (is_panic(cause))
                return !revives_panicked(e);
        if (cause->kind == EVIDENCE_SHUTDOWN || cause->kind == EVIDENCE_SUSPEND_DISK || is_found_as(cause, "shutdown"))
                return e->kind == EVIDENCE_SHUTDOWN || e->kind == EVIDENCE_STOP || evidence_ends_process(e);
        if (cause->kind == EVIDENCE_RESET && e->kind == EVIDENCE_RESET)
                return goes_on_resetting(cause, e);
        return e->kind == cause->kind;
}

/* A look at a halted guest found that it runs: something has woken it. */
static bool was_woken(const struct episode *episode) {
        for (size_t i = 0; i < episode->n_items; i++) {
                const struct evidence *e = &episode->items[i];

                if (e->kind == EVIDENCE_REGISTERS && e->flag == TRISTATE_FALSE && e->at_ns > episode->cause_at_ns)
                        return true;
        }
        return false;
}

/* After a final transition: what makes it a new story is that the guest runs again. */
static bool runs_again(const struct episode *episode, const struct evidence *e) {
        switch (episode->told.transition) {
        case TRANSITION_HALT:
                return was_woken(episode) || (!is_by_the_host(e) && e->kind != EVIDENCE_REGISTERS && e->kind != EVIDENCE_STOP);
        case TRANSITION_CRASH:
                return revives_panicked(e);
        case TRANSITION_POWEROFF:
        case TRANSITION_REBOOT:
        case TRANSITION_HIBERNATE:
        case TRANSITION_DESTROY:
        case TRANSITION_MIGRATE:
        case TRANSITION_FAILURE:
        case TRANSITION_UNKNOWN:
                return e->kind == EVIDENCE_RESET || e->kind == EVIDENCE_RESUME || is_found(e);
        case TRANSITION_START:
        case TRANSITION_SUSPEND:
        case TRANSITION_WAKE:
        case TRANSITION_PAUSE:
        case TRANSITION_RESUME:
        case _TRANSITION_N:
                break;
        }
        return true;
}

/* Nobody would have heard of it: it never had a monitor that is held, or that was given back since. */
static bool is_unheard_of(const struct episode *episode, const struct evidence *cause) {
        if (episode->monitor_open)
                return false;
        for (size_t i = 0; i < episode->n_items; i++)
                if (episode->items[i].kind == EVIDENCE_REQUEST && !strcmp(episode->items[i].word, "detach") && evidence_is_before(cause, &episode->items[i]))
                        return true;
        return cause->source == SOURCE_TRACE;
}

/* Off or held, that was the last that was heard of it; it may have run again since.  Who ends it then, or that it powers off again, is a story of its own: not what clears it away at once. */
static bool ends_next_life(const struct episode *episode, const struct evidence *cause, const struct evidence *end) {
        const struct evidence *signal = NULL;
        bool tried = false;

        if (!evidence_ends_process(end) || episode->told.left == LEFT_GONE || episode->told.transition == TRANSITION_DESTROY ||
            episode->told.transition == TRANSITION_MIGRATE || episode->told.transition == TRANSITION_UNKNOWN || !is_unheard_of(episode, cause))
                return false;
        for (size_t i = 0; i < episode->n_items; i++) {
                const struct evidence *e = &episode->items[i];

                if (e->kind == EVIDENCE_SIGNAL && signal_is_an_end(e->number) && evidence_is_before(cause, e) && (!signal || evidence_is_before(e, signal)))
                        signal = e;
                tried = tried || (evidence_is_tried(e) && evidence_is_before(e, end) && scene_is_near(e, end, OFF_ENDS_WITHIN_NS));
        }
        if (scene_is_near(signal ? signal : end, cause, WRITE_ACTS_WITHIN_NS))
                return false;
        return signal || tried || end->kind == EVIDENCE_KILLED || (end->kind == EVIDENCE_EXITED && end->number != 0);
}

static bool is_repeated(const struct episode *episode, const struct evidence *e) {
        for (size_t i = 0; i < episode->n_items; i++)
                if (evidence_is_same(&episode->items[i], e))
                        return true;
        return false;
}

static bool is_newest_change(const struct episode *episode, const struct evidence *e) {
        for (size_t i = 0; i < episode->n_items; i++)
                if (is_change(&episode->items[i]) && !evidence_is_before(&episode->items[i], e))
                        return false;
        return true;
}

/* However late it is heard of, nothing else tells that the VM is over. */
static bool is_the_end(const struct episode *episode, const struct evidence *e) {
        return evidence_ends_process(e) && !episode->process_ended;
}

bool episode_begins_anew(const struct episode *episode, const struct evidence *e) {
        const bool is_end = is_the_end(episode, e);
        const struct evidence *cause;

        assert(!episode->resting);
        if (!is_change(e) || episode->phase == EPISODE_QUIET)
                return false;
        cause = cause_of(episode);
        /* Late, or once more: it happened before what is (to be) told, which may have to be revised.  Not so an end: what seems to be later was read later. */
        if (!cause || !(is_end || is_newest_change(episode, e)) || (episode->process_ended && evidence_traits(e->kind)->lets_run))
                return false;
        /* A panicked guest that has been reset boots again; what it does then is its own story. */
        if (episode->booted_ns && (is_end || e->at_ns >= episode->booted_ns))
                return e->kind != EVIDENCE_RESET || e->at_ns - episode->booted_ns >= FIRMWARE_START_NS;
        if (episode->phase == EPISODE_OPEN)
                return !follows(episode, cause, e);
        if (cause->kind == EVIDENCE_DOMAIN_SHUTDOWN)
                return !ends_a_domain(cause, e);
        /* Its domain is there still, and what becomes of that is somebody's deed. */
        if (evidence_ends_device_model(cause))
                return true;
        /* A reboot that QEMU made a shutdown of is as final as a power-off. */
        if (is_final(episode->told.transition) || cause->kind == EVIDENCE_SHUTDOWN)
                return runs_again(episode, e) || ends_next_life(episode, cause, e);
        if (e->kind == EVIDENCE_RESET)
                return episode->told.transition != TRANSITION_REBOOT || !goes_on_resetting(cause, e);
        return e->kind != cause->kind || is_found(e);
}

/* A button that was pressed, or what a domain was asked for, and whose finger it was. */
static bool is_about_button(const struct evidence *e) {
        return e->kind == EVIDENCE_POWERDOWN || e->kind == EVIDENCE_CONTROL_REQUEST || e->kind == EVIDENCE_CONTROL_ACKNOWLEDGED ||
               (e->kind == EVIDENCE_REQUEST && (!strcmp(e->word, "system_powerdown") || !strcmp(e->word, "power-button") || !strcmp(e->word, "shutdown") ||
                                                !strcmp(e->word, "reboot") || !strcmp(e->word, "suspend"))) ||
               (e->kind == EVIDENCE_HYPERCALL && !strcmp(e->word, "power-button")) ||
               (e->kind == EVIDENCE_MONITOR_CLIENT && !strcmp(e->word, evidence_kind_info(EVIDENCE_POWERDOWN)->name));
}

/* The guest has started anew since: a button pressed before is answered or forgotten, and so is its watchdog, and what it did to reset itself. */
static bool is_forgotten(const struct episode *episode, const struct evidence *e) {
        if (!is_about_button(e) && !evidence_is_tried(e) && e->kind != EVIDENCE_WATCHDOG && e->kind != EVIDENCE_PORT_WRITE && e->kind != EVIDENCE_KVM_EXIT)
                return false;
        for (size_t i = 0; i < episode->n_items; i++) {
                const struct evidence *start = &episode->items[i];

                if ((start->kind == EVIDENCE_RESET || start->kind == EVIDENCE_WAKEUP || start->kind == EVIDENCE_DOMAIN_RESUMED) && evidence_is_before(e, start))
                        return true;
        }
        return false;
}

/* It is nobody's device model any more: its pid is another's by and by. */
static bool is_former_device_model(const struct evidence *cause, const struct evidence *e) {
        return e->kind == EVIDENCE_DEVICE_MODEL && cause && evidence_ends_device_model(cause) && evidence_is_before(e, cause);
}

/* It is heard at once, and what was before it comes later, from the monitor of a busy VMM or from a toolstack: it made nothing yet, and what it makes is still to come. */
static bool is_pending(const struct evidence *cause, const struct evidence *e) {
        const bool makes_an_end = (e->kind == EVIDENCE_SIGNAL && e->number != SIGCONT && !signal_is_a_stop(e->number)) || e->kind == EVIDENCE_OOM_KILL;

        if (!cause || evidence_ends_device_model(cause) || cause->kind == EVIDENCE_SHUTDOWN || is_found_as(cause, "shutdown"))
                return false;
        if (e->kind == EVIDENCE_MESSAGE)
                return scene_is_near(e, cause, LAST_WORDS_WITHIN_NS);
        if (e->kind == EVIDENCE_HYPERCALL && !strcmp(e->word, "destroydomain"))
                return scene_is_near(e, cause, HYPERCALL_ACTS_WITHIN_NS);
        /* Who is stopped takes a signal that is to end it when it goes on. */
        if (makes_an_end)
                return cause->kind == EVIDENCE_CONTINUED || scene_is_near(e, cause, SIGNAL_ENDS_WITHIN_NS);
        return (e->kind == EVIDENCE_PORT_WRITE || e->kind == EVIDENCE_KVM_EXIT) && scene_is_near(e, cause, WRITE_ACTS_WITHIN_NS);
}

/* The guest tried it, and nothing has come of that yet. */
static bool is_tried_again(const struct evidence *cause, const struct evidence *e) {
        return cause && evidence_is_tried(e) && (evidence_is_before(cause, e) || (!evidence_is_tried(cause) && scene_is_near(e, cause, OFF_ENDS_WITHIN_NS)));
}

/* What was refused is over, whatever it asked for; and its refusal may be left behind without it. */
static bool is_refused_request(const struct episode *episode, const struct evidence *cause, const struct evidence *e) {
        struct scene s;

        if (!cause || e->kind != EVIDENCE_REQUEST)
                return false;
        s = scene_of(episode);
        return scene_is_refused(&s, e, cause);
}

/* The last status before the cause, or after it, holds until the VM runs. */
static bool holds_on(const struct episode *episode, const struct evidence *e) {
        if (e->kind != EVIDENCE_STATUS || is_found(e))
                return false;
        for (size_t i = 0; i < episode->n_items; i++) {
                const struct evidence *later = &episode->items[i];

                if (evidence_is_before(e, later) && (later->kind == EVIDENCE_STATUS || later->kind == EVIDENCE_RESUME ||
                                                     later->kind == EVIDENCE_RESET || later->kind == EVIDENCE_WAKEUP))
                        return false;
        }
        return true;
}

/*
 * It was asked for before the cause, and is still to be done: what QEMU does whenever it hears it, and has not done yet; or what was said
 * right after what made this.  (Several things that are said at once are heard before the first of them is done.)
 */
static bool is_standing_request(const struct episode *episode, const struct evidence *cause, const struct evidence *e) {
        const struct evidence *made;
        const char *command;
        struct scene s;

        if (!cause || e->kind != EVIDENCE_REQUEST)
                return false;
        s = scene_of(episode);
        for (size_t i = 0; i < episode->n_items; i++) {
                const char *done = command_behind(&episode->items[i]);

                if (done && !strcmp(done, e->word) && scene_request_behind(&s, done, &episode->items[i]) == e)
                        return false;
        }
        if (is_always_done(e->word))
                return true;
        /* It takes its time: until the VM is away, or runs on because that has failed. */
        if (says(e, "migrate"))
                return episode->told.mechanism != MECHANISM_MIGRATION || episode->told.transition == TRANSITION_PAUSE;
        /* Whether it stands still or runs is changed by these two alone: a VMM that was stopped itself, or a guest that was reset, has them still to come. */
        if ((says(e, "stop") || says(e, "cont")) && cause->kind != EVIDENCE_STOP && cause->kind != EVIDENCE_RESUME)
                return true;
        command = command_behind(cause);
        made = command ? scene_request_behind(&s, command, cause) : NULL;
        return made && evidence_is_before(made, e);
}

/* Which background facts outlive the episode that was told. */
static bool still_matters(const struct episode *episode, const struct evidence *cause, const struct evidence *e) {
        const struct evidence_traits *traits = evidence_traits(e->kind);

        if (is_forgotten(episode, e) || is_former_device_model(cause, e) || is_refused_request(episode, cause, e))
                return false;
        return traits->stays || holds_on(episode, e) || is_about_button(e) || is_pending(cause, e) || is_tried_again(cause, e) || is_standing_request(episode, cause, e) ||
               (traits->fades && cause && evidence_is_before(cause, e));
}

void episode_turn(struct episode *episode) {
        const struct evidence *cause = cause_of(episode); /* not to be looked at once items move */
        uint64_t last_ns = episode->left_behind_ns;
        bool keep[EPISODE_ITEMS_MAX] = { false };
        size_t n = 0;

        for (size_t i = 0; i < episode->n_items; i++)
                keep[i] = still_matters(episode, cause, &episode->items[i]);
        for (size_t i = 0; i < episode->n_items; i++)
                if (is_change(&episode->items[i]) && episode->items[i].at_ns > last_ns)
                        last_ns = episode->items[i].at_ns;
        for (size_t i = 0; i < episode->n_items; i++)
                if (keep[i])
                        episode->items[n++] = episode->items[i];
                else
                        evidence_deinit(&episode->items[i]);
        episode->n_items = n;
        episode->left_behind_ns = last_ns;
        episode->phase = EPISODE_QUIET;
        episode->settled = false;
        episode->revision = 0;
        episode->told = (struct verdict){ 0 };
        episode->count_is_due = false;
        episode->booted_ns = 0;
}

/* The earliest fact of this kind, but for `other`. */
static struct evidence *first_of(const struct episode *episode, enum evidence_kind kind, const struct evidence *other) {
        struct evidence *found = NULL;

        for (size_t i = 0; i < episode->n_items; i++) {
                struct evidence *e = &episode->items[i];

                if (e->kind == kind && e != other && (!found || evidence_is_before(e, found)))
                        found = e;
        }
        return found;
}

/* Make room: of the kind that is there most often, the second oldest goes.  Its first and its newest stay, and the cause, whatever was before it. */
static void drop_one(struct episode *episode) {
        unsigned seen[_EVIDENCE_KIND_N] = { 0 };
        enum evidence_kind most = EVIDENCE_MACHINE;
        struct evidence *first, *second;

        static_assert((int)EPISODE_ITEMS_MAX > (int)_EVIDENCE_KIND_N, "some kind is there twice");
        for (size_t i = 0; i < episode->n_items; i++)
                seen[episode->items[i].kind]++;
        for (size_t i = 0; i < _EVIDENCE_KIND_N; i++)
                if (seen[i] > seen[most])
                        most = (enum evidence_kind)i;
        first = first_of(episode, most, NULL);
        second = first_of(episode, most, first);
        if (second == cause_of(episode))
                second = first;
        /* A request never outlives its refusal here, or it would be taken for the deed. */
        for (size_t i = 0; i < episode->n_items && second->kind == EVIDENCE_REFUSED; i++)
                if (episode->items[i].kind == EVIDENCE_REQUEST && (int64_t)episode->items[i].at_ns == second->number)
                        second = &episode->items[i];
        evidence_deinit(second);
        memmove(second, second + 1, (size_t)(episode->items + episode->n_items - second - 1) * sizeof(*second));
        episode->n_items--;
}

static int make_room(struct episode *episode) {
        struct evidence *larger;
        size_t n = episode->n_allocated ? episode->n_allocated * 2 : 4;

        if (episode->n_items == EPISODE_ITEMS_MAX)
                drop_one(episode);
        if (episode->n_items < episode->n_allocated)
                return 0;
        larger = reallocarray(episode->items, n, sizeof(*larger));
        if (!larger)
                return -ENOMEM;
        episode->items = larger;
        episode->n_allocated = n;
        return 0;
}

/* Is the cause by itself all that its verdict needs, or has this fact brought what was waited for? */
static bool is_complete(const struct episode *episode, const struct evidence *cause, const struct evidence *e) {
        if (episode_is_over(episode) || evidence_traits(cause->kind)->is_complete)
                return true;
        /* `run`: nothing stops the panicked guest, so nothing will say that it has been stopped. */
        if (cause->kind == EVIDENCE_GUEST_PANICKED && !strcmp(cause->word, "run"))
                return true;
        return !evidence_ends_process(cause) && e->kind == EVIDENCE_STATUS && !evidence_status_is_transient(e->word) && evidence_is_before(cause, e);
}

static bool is_crash_of(const struct episode *episode, const struct evidence *cause) {
        return is_panic(cause) || (episode->phase == EPISODE_JUDGED && episode->told.transition == TRANSITION_CRASH);
}

int episode_add(struct episode *episode, struct evidence *evidence) {
        const struct evidence *cause, *added;

        assert(!episode->resting);
        /* Known already, or so late that its story is told and left behind: the store has it. */
        if (is_repeated(episode, evidence) || (is_change(evidence) && evidence->at_ns < episode->left_behind_ns && !is_the_end(episode, evidence))) {
                evidence_deinit(evidence);
                return 0;
        }
        if (make_room(episode)) {
                evidence_deinit(evidence);
                return -ENOMEM;
        }
        added = &episode->items[episode->n_items++];
        episode->items[episode->n_items - 1] = *evidence;
        evidence->actor = NULL;

        if (added->kind == EVIDENCE_MONITOR_OPENED) {
                episode->monitor_open = true;
                episode->monitor_closed = false;
        }
        if (added->kind == EVIDENCE_MONITOR_CLOSED) {
                episode->monitor_open = false;
                episode->monitor_closed = true;
        }
        if (evidence_ends_process(added))
                episode->process_ended = true;

        cause = cause_of(episode);
        if (!cause)
                return 0;
        if (episode->phase == EPISODE_QUIET && is_change(added)) {
                episode->phase = EPISODE_OPEN;
                episode->settled = false;
                episode->settles_ns = added->at_ns + EPISODE_SETTLE_NS;
                episode->cause_id = added->id;
        }
        if (episode->phase == EPISODE_QUIET)
                return 0;
        /* Nothing is told of it yet: it goes by its cause. */
        if (episode->phase == EPISODE_OPEN)
                episode->cause_id = cause->id;
        episode->cause_at_ns = cause->at_ns;
        if (((is_crash_of(episode, cause) && added->kind == EVIDENCE_RESET) || added->kind == EVIDENCE_DOMAIN_RESUMED) && !episode->booted_ns &&
            evidence_is_before(cause, added))
                episode->booted_ns = added->at_ns;
        if (is_complete(episode, cause, added))
                episode->settled = true;
        return 0;
}

bool episode_is_ripe(const struct episode *episode, uint64_t now_ns) {
        switch (episode->phase) {
        case EPISODE_QUIET:
                return false;
        case EPISODE_OPEN:
                return episode->settled || now_ns >= episode->settles_ns;
        case EPISODE_JUDGED:
                return true;
        }
        return false;
}

uint64_t episode_next_deadline(const struct episode *episode) {
        if (episode->phase == EPISODE_OPEN)
                return episode->settled ? 0 : episode->settles_ns;
        if (episode->phase == EPISODE_JUDGED && episode->count_is_due)
                return episode->told_ns + episode->tell_every_ns;
        return UINT64_MAX;
}

static int64_t actor_pid(const struct actor *actor) {
        return actor ? actor->pid : -1;
}

static bool says_the_same(const struct episode *episode, const struct verdict *verdict) {
        const struct verdict *told = &episode->told;

        return told->transition == verdict->transition && told->initiator == verdict->initiator &&
               told->mechanism == verdict->mechanism && told->graceful == verdict->graceful && told->left == verdict->left &&
               told->confidence == verdict->confidence && told->rule == verdict->rule &&
               episode->told_actor_pid == actor_pid(verdict->actor);
}

static void note_told(struct episode *episode, const struct verdict *verdict, uint64_t now_ns) {
        episode->phase = EPISODE_JUDGED;
        episode->told = *verdict;
        episode->told.actor = NULL;
        episode->told.n_proof = 0;
        episode->told_actor_pid = actor_pid(verdict->actor);
        episode->told_ns = now_ns;
        episode->count_is_due = false;
}

void episode_resume(struct episode *episode, const struct verdict *told, uint64_t cause_id, unsigned revision, uint64_t now_ns) {
        note_told(episode, told, now_ns);
        episode->cause_id = cause_id;
        episode->revision = revision;
        episode->tell_every_ns = TALLY_QUIET_NS;
}

int episode_judge(struct episode *episode, const struct judge_settings *settings, uint64_t now_ns, bool flush,
                  struct verdict *ret_verdict) {
        struct verdict verdict;

        assert(!episode->resting);
        if (episode->phase == EPISODE_QUIET)
                return 0;
        verdict = verdict_from_evidence(episode->items, episode->n_items, settings);

        if (episode->phase == EPISODE_JUDGED) {
                if (says_the_same(episode, &verdict)) {
                        if (verdict.count == episode->told.count) {
                                episode->count_is_due = false;
                                return 0;
                        }
                        if (!flush && now_ns < episode->told_ns + episode->tell_every_ns) {
                                episode->count_is_due = true;
                                return 0;
                        }
                        if (episode->tell_every_ns * 2 <= TALLY_HOLD_MAX_NS)
                                episode->tell_every_ns *= 2;
                }
                episode->revision++;
        } else {
                episode->revision = 0;
                episode->tell_every_ns = TALLY_QUIET_NS;
        }

        note_told(episode, &verdict, now_ns);
        *ret_verdict = verdict;
        return EPISODE_VERDICT;
}
