#include "core/xen_rules.h"

#include <signal.h>

bool is_domain_shutdown_because(struct scene *s, const char *reason) {
        return cause_is(s, EVIDENCE_DOMAIN_SHUTDOWN) && says(s->cause, reason);
}

/* The domain did what it had been asked for through control/shutdown, so long after that. */
static bool is_asked_within(struct scene *s, const char *reason, uint64_t within_ns, bool or_unseen) {
        struct asked asked;

        return is_domain_shutdown_because(s, reason) && scene_asked(s, or_unseen, &asked) &&
               apart_ns(asked.request, s->cause) <= within_ns && prove(s, asked.request) && prove(s, asked.acknowledged);
}

/* xendomains, or whoever asks a host's domains to go when the host does. */
bool is_asked_by_going_down(struct scene *s) {
        const struct evidence *going_down;
        struct asked asked;

        if (!is_asked_within(s, "poweroff", s->settings->button_likely_ns, false))
                return false;
        going_down = scene_going_down(s, s->cause);
        return going_down && scene_asked(s, false, &asked) && evidence_is_before(going_down, asked.request) && prove(s, going_down);
}

/*
 * A button that an HVM domain has, and no other: a device model tells the one from the others.  Of a hypercall it is not seen whether Xen obeyed; a
 * request is refused where there is no button.
 */
bool is_domain_button_obeyed(struct scene *s, uint64_t within_ns, bool or_unseen) {
        const struct evidence *device_model, *request;

        if (!is_domain_shutdown_because(s, "poweroff"))
                return false;
        device_model = scene_last_before(s, EVIDENCE_DEVICE_MODEL, NULL, s->cause, UINT64_MAX);
        request = scene_request(s, "power-button", s->cause, within_ns);
        if (request && (device_model || or_unseen)) {
                prove(s, device_model);
                return prove(s, request);
        }
        return device_model && prove(s, scene_last_before(s, EVIDENCE_HYPERCALL, "power-button", s->cause, within_ns)) && prove(s, device_model);
}

static const struct evidence *destroying(const struct scene *s) {
        return scene_last_before(s, EVIDENCE_HYPERCALL, "destroydomain", s->cause, HYPERCALL_ACTS_WITHIN_NS);
}

/* The first word after its name that is no option. */
static bool was_told_to(const struct actor *actor, const char *command) {
        const char *word = strchr(actor->cmdline, ' ');

        while (word && word[1] == '-')
                word = strchr(word + 1, ' ');
        return word && !strncmp(word + 1, command, strlen(command)) && word[1 + strlen(command)] == ' ';
}

/* An xl that has made a domain stays behind, and destroys what has shut down. */
static bool is_cleaning_up(const struct evidence *hypercall) {
        const struct actor *xl = hypercall->actor;

        return xl && !strcmp(xl->comm, "xl") && (was_told_to(xl, "create") || was_told_to(xl, "restore") || was_told_to(xl, "migrate-receive"));
}

/* A process that libxl made of a thread of its caller's, for that alone, goes by the thread's name. */
static bool runs(const struct actor *actor, const char *program) {
        const char *slash = strrchr(actor->exe, '/');

        return !strcmp(actor->comm, program) || (slash && !strcmp(slash + 1, program));
}

/* One that does both: what it is told to, and that. */
static bool may_be_cleaning_up(const struct evidence *hypercall) {
        static const char *const daemons[] = { "libvirtd", "virtxend", "xenopsd-xc" };

        for (size_t i = 0; hypercall->actor && i < sizeof(daemons) / sizeof(daemons[0]); i++)
                if (runs(hypercall->actor, daemons[i]))
                        return true;
        return is_cleaning_up(hypercall);
}

/* There is no such domain any more, and it was not seen to shut down: somebody destroyed it, it was seen alive right before or he was seen to. */
bool is_domain_destroyed(struct scene *s) {
        const struct evidence *hypercall;

        if (!cause_is(s, EVIDENCE_DOMAIN_GONE) || s->cause->flag == TRISTATE_FALSE)
                return false;
        hypercall = destroying(s);
        return s->cause->flag == TRISTATE_TRUE || (hypercall && !may_be_cleaning_up(hypercall) && prove(s, hypercall)) ||
               prove(s, scene_request(s, "destroy", s->cause, HYPERCALL_ACTS_WITHIN_NS));
}

bool is_domain_gone_alive_most_likely(struct scene *s) {
        const struct evidence *hypercall;

        if (!cause_is(s, EVIDENCE_DOMAIN_GONE) || s->cause->flag != TRISTATE_NULL)
                return false;
        hypercall = destroying(s);
        return !hypercall || (!is_cleaning_up(hypercall) && prove(s, hypercall));
}

/* What it was asked for and has taken it may have done, and been cleaned up after, between two looks: that it was destroyed is no likelier. */
bool is_domain_gone_after_asked(struct scene *s) {
        const struct evidence *acknowledged, *request, *hypercall;

        if (!cause_is(s, EVIDENCE_DOMAIN_GONE) || s->cause->flag != TRISTATE_NULL)
                return false;
        hypercall = destroying(s);
        if (hypercall && is_cleaning_up(hypercall))
                return false;
        acknowledged = scene_last_before(s, EVIDENCE_CONTROL_ACKNOWLEDGED, NULL, s->cause, s->settings->button_certain_ns);
        if (!acknowledged)
                return false;
        request = scene_last_before(s, EVIDENCE_CONTROL_REQUEST, acknowledged->word, acknowledged, UINT64_MAX);
        prove(s, hypercall);
        return prove(s, request) && prove(s, acknowledged);
}

bool is_domain_gone(struct scene *s) {
        if (!cause_is(s, EVIDENCE_DOMAIN_GONE))
                return false;
        prove(s, destroying(s));
        return true;
}

bool is_asked_poweroff(struct scene *s) {
        return is_asked_within(s, "poweroff", s->settings->button_certain_ns, false);
}

bool is_asked_poweroff_later(struct scene *s) {
        return is_asked_within(s, "poweroff", s->settings->button_likely_ns, true);
}

bool is_asked_poweroff_long_ago(struct scene *s) {
        return is_asked_within(s, "poweroff", UINT64_MAX, true);
}

bool is_asked_reboot(struct scene *s) {
        return is_asked_within(s, "reboot", s->settings->button_certain_ns, false);
}

bool is_asked_reboot_later(struct scene *s) {
        return is_asked_within(s, "reboot", s->settings->button_likely_ns, true);
}

bool is_domain_suspend(struct scene *s) {
        return is_domain_shutdown_because(s, "suspend");
}

/*
 * A guest that suspends by itself is woken by nobody: whoever saves a domain, or moves it, asks for that.  Where the guest has an event channel for
 * it, the request leaves nothing in control/shutdown.
 */
bool is_asked_suspend(struct scene *s) {
        return is_asked_within(s, "suspend", s->settings->button_certain_ns, true) ||
               (is_domain_suspend(s) && prove(s, scene_request(s, "suspend", s->cause, HYPERCALL_ACTS_WITHIN_NS)));
}

/* The last that told the hypervisor so, and for that reason. */
static const struct evidence *telling(const struct scene *s, const char *reason) {
        const struct evidence *found = NULL;

        for (size_t i = 0; i < s->n_items; i++) {
                const struct evidence *e = &s->items[i];

                if (e->kind == EVIDENCE_HYPERCALL && says(e, "shutdown") && !strcmp(e->text, reason) && evidence_is_before(e, s->cause) &&
                    apart_ns(e, s->cause) <= HYPERCALL_ACTS_WITHIN_NS && (!found || evidence_is_before(found, e)))
                        found = e;
        }
        return found;
}

/*
 * A program of dom0's told the hypervisor that the domain has shut down (SCHEDOP_remote_shutdown).  Its device model does so too, for its guest: a QEMU
 * whose kernel has no better way for that.
 */
static bool is_remote(struct scene *s, const char *reason) {
        const struct evidence *hypercall, *device_model;

        if (!is_domain_shutdown_because(s, reason))
                return false;
        hypercall = telling(s, reason);
        if (!hypercall || !hypercall->actor)
                return false;
        device_model = scene_last_before(s, EVIDENCE_DEVICE_MODEL, NULL, hypercall, UINT64_MAX);
        if (!device_model)
                return prove(s, hypercall);
        return device_model->number != hypercall->actor->pid && prove(s, hypercall) && prove(s, device_model);
}

bool may_be_by_device_model(const struct scene *s) {
        bool is_known = false, is_told = false;

        for (size_t i = 0; i < s->n_proof; i++) {
                is_known = is_known || s->proof[i]->kind == EVIDENCE_DEVICE_MODEL;
                is_told = is_told || (s->proof[i]->kind == EVIDENCE_HYPERCALL && says(s->proof[i], "shutdown"));
        }
        return is_told && !is_known;
}

bool is_remote_poweroff(struct scene *s) {
        return is_remote(s, "poweroff");
}

bool is_remote_reboot(struct scene *s) {
        return is_remote(s, "reboot");
}

bool is_remote_suspend(struct scene *s) {
        return is_remote(s, "suspend");
}

bool is_remote_crash(struct scene *s) {
        return is_remote(s, "crash") || is_remote(s, "watchdog");
}

bool is_domain_poweroff(struct scene *s) {
        return is_domain_shutdown_because(s, "poweroff");
}

bool is_domain_reboot(struct scene *s) {
        return is_domain_shutdown_because(s, "reboot");
}

bool is_domain_crash(struct scene *s) {
        return is_domain_shutdown_because(s, "crash");
}

bool is_domain_watchdog(struct scene *s) {
        return is_domain_shutdown_because(s, "watchdog");
}

bool is_domain_soft_reset(struct scene *s) {
        return is_domain_shutdown_because(s, "soft-reset");
}

bool is_domain_shutdown(struct scene *s) {
        return cause_is(s, EVIDENCE_DOMAIN_SHUTDOWN);
}

bool is_domain_pause(struct scene *s) {
        return cause_is(s, EVIDENCE_DOMAIN_PAUSED);
}

bool is_domain_unpause(struct scene *s) {
        return cause_is(s, EVIDENCE_DOMAIN_UNPAUSED);
}

bool is_domain_resume(struct scene *s) {
        return cause_is(s, EVIDENCE_DOMAIN_RESUMED);
}

/* --- its device model -------------------------------------------------------------------------------------------- */

bool is_device_model_end(struct scene *s) {
        return s->cause && evidence_ends_device_model(s->cause) && prove(s, s->cause);
}

/* Of those that QEMU has a handler for it exits with 0, or how it did was not seen. */
static const struct evidence *signal_to_device_model(const struct scene *s) {
        const struct evidence *sent;

        if (s->cause->kind == EVIDENCE_DEVICE_MODEL_KILLED)
                return scene_signal(s, s->cause->number);
        sent = scene_signal(s, 0);
        return scene_is_sent_shortly_before(s, sent) && s->cause->number == 0 ? sent : NULL;
}

static bool is_device_model_killed_by(struct scene *s, int64_t signal) {
        return is_device_model_end(s) && s->cause->kind == EVIDENCE_DEVICE_MODEL_KILLED && s->cause->number == signal;
}

bool is_device_model_oom_victim(struct scene *s) {
        if (is_device_model_killed_by(s, SIGKILL) && prove(s, scene_oom_mark(s)))
                return true;
        return is_device_model_end(s) && is_by_oom_daemon(signal_to_device_model(s)) && prove(s, signal_to_device_model(s));
}

bool is_device_model_going_down(struct scene *s) {
        if (!is_device_model_end(s) || (s->cause->kind == EVIDENCE_DEVICE_MODEL_KILLED ? !signal_is_an_end(s->cause->number) : s->cause->number != 0))
                return false;
        return prove(s, scene_going_down(s, s->cause));
}

bool is_device_model_oom_in_cgroup(struct scene *s) {
        const struct evidence *sender;

        if (!is_device_model_killed_by(s, SIGKILL))
                return false;
        sender = scene_signal(s, SIGKILL);
        return !(sender && sender->actor) && prove(s, scene_nearest(s, EVIDENCE_OOM_KILL, s->cause, OOM_KILLS_WITHIN_NS));
}

bool is_device_model_signal(struct scene *s) {
        const struct evidence *sender;

        if (!is_device_model_end(s))
                return false;
        sender = signal_to_device_model(s);
        return sender && sender->actor && prove(s, sender);
}

bool is_device_model_fault(struct scene *s) {
        return is_device_model_end(s) && s->cause->kind == EVIDENCE_DEVICE_MODEL_KILLED && signal_is_a_fault(s->cause->number);
}

bool is_device_model_kill(struct scene *s) {
        return is_device_model_end(s) && s->cause->kind == EVIDENCE_DEVICE_MODEL_KILLED;
}

bool is_device_model_failure(struct scene *s) {
        return is_device_model_end(s) && s->cause->kind == EVIDENCE_DEVICE_MODEL_EXITED && s->cause->number != 0;
}
