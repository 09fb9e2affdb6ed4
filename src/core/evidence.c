#include "core/evidence.h"
#include "core/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct evidence_traits traits[_EVIDENCE_KIND_N] = {
        [EVIDENCE_MACHINE] = { .stays = true },
        [EVIDENCE_DEVICE] = { .stays = true },
        [EVIDENCE_MONITOR_OPENED] = { .stays = true },
        [EVIDENCE_MONITOR_TAKEN] = { .stays = true },
        [EVIDENCE_GOING_DOWN] = { .stays = true },
        [EVIDENCE_STAYS_UP] = { .stays = true },
        [EVIDENCE_STATUS] = { .changes_vm = true, .is_complete = true, .may_burst = true },
        [EVIDENCE_SHUTDOWN] = { .changes_vm = true },
        [EVIDENCE_RESET] = { .changes_vm = true, .lets_run = true, .is_complete = true, .may_burst = true },
        [EVIDENCE_POWERDOWN] = { .may_burst = true, .stays = true },
        [EVIDENCE_STOP] = { .changes_vm = true, .may_burst = true },
        [EVIDENCE_RESUME] = { .changes_vm = true, .lets_run = true, .is_complete = true, .may_burst = true },
        [EVIDENCE_SUSPEND] = { .changes_vm = true, .lets_run = true, .is_complete = true, .may_burst = true },
        [EVIDENCE_SUSPEND_DISK] = { .changes_vm = true },
        [EVIDENCE_WAKEUP] = { .changes_vm = true, .lets_run = true, .is_complete = true, .may_burst = true },
        [EVIDENCE_WATCHDOG] = { .may_burst = true, .fades = true },
        [EVIDENCE_GUEST_PANICKED] = { .changes_vm = true, .may_burst = true },
        [EVIDENCE_GUEST_CRASHLOADED] = { .changes_vm = true, .is_complete = true, .may_burst = true },
        [EVIDENCE_GUEST_PVSHUTDOWN] = { .fades = true },
        [EVIDENCE_BLOCK_IO_ERROR] = { .may_burst = true, .fades = true },
        [EVIDENCE_REGISTERS] = { .changes_vm = true, .is_complete = true },
        [EVIDENCE_PM1_CONTROL] = { .may_burst = true },
        [EVIDENCE_MALFORMED] = { .may_burst = true },
        [EVIDENCE_SIGNAL] = { .fades = true },
        [EVIDENCE_MESSAGE] = { .may_burst = true, .fades = true },
        [EVIDENCE_EXITED] = { .ends_process = true },
        [EVIDENCE_KILLED] = { .ends_process = true },
        [EVIDENCE_VANISHED] = { .ends_process = true },
        [EVIDENCE_STOPPED] = { .changes_vm = true, .is_complete = true, .may_burst = true },
        [EVIDENCE_CONTINUED] = { .changes_vm = true, .is_complete = true, .may_burst = true },
        [EVIDENCE_OOM_KILL] = { .fades = true },
        [EVIDENCE_LINE] = { .may_burst = true, .fades = true },
        [EVIDENCE_HOST_RESTARTED] = { .fades = true },
        [EVIDENCE_PORT_WRITE] = { .may_burst = true, .fades = true },
        [EVIDENCE_KVM_EXIT] = { .may_burst = true, .fades = true },
        [EVIDENCE_MONITOR_CLIENT] = { .may_burst = true, .fades = true },
        [EVIDENCE_DOMAIN_SHUTDOWN] = { .changes_vm = true, .is_complete = true },
        [EVIDENCE_DOMAIN_GONE] = { .ends_process = true },
        [EVIDENCE_CONTROL_REQUEST] = { .may_burst = true, .stays = true },
        [EVIDENCE_CONTROL_ACKNOWLEDGED] = { .may_burst = true, .stays = true },
        [EVIDENCE_DOMAIN_PAUSED] = { .changes_vm = true, .is_complete = true, .may_burst = true },
        [EVIDENCE_DOMAIN_UNPAUSED] = { .changes_vm = true, .is_complete = true, .may_burst = true },
        [EVIDENCE_DOMAIN_RESUMED] = { .changes_vm = true, .is_complete = true, .may_burst = true },
        [EVIDENCE_HYPERCALL] = { .fades = true },
        [EVIDENCE_DEVICE_MODEL] = { .stays = true },
        [EVIDENCE_DEVICE_MODEL_EXITED] = { .changes_vm = true, .is_complete = true },
        [EVIDENCE_DEVICE_MODEL_KILLED] = { .changes_vm = true, .is_complete = true },
        [EVIDENCE_DEVICE_MODEL_VANISHED] = { .changes_vm = true, .is_complete = true },
        [EVIDENCE_REFUSED] = { .fades = true },
        [EVIDENCE_ANSWERED_LATE] = { .fades = true },
        [EVIDENCE_REQUEST] = { .fades = true }, /* each is on record before it goes on; who asks waits for that */
};

const struct evidence_traits *evidence_traits(enum evidence_kind kind) {
        return &traits[kind];
}

bool evidence_is_tried(const struct evidence *evidence) {
        return evidence->source == SOURCE_TRACE && (evidence->kind == EVIDENCE_SHUTDOWN || evidence->kind == EVIDENCE_SUSPEND_DISK);
}

bool evidence_may_burst(const struct evidence *evidence) {
        return traits[evidence->kind].may_burst || evidence_is_tried(evidence);
}

bool evidence_changes_vm(const struct evidence *evidence) {
        return traits[evidence->kind].changes_vm && !evidence_is_tried(evidence) &&
               (evidence->kind != EVIDENCE_REGISTERS || evidence->flag == TRISTATE_TRUE) &&
               (evidence->kind != EVIDENCE_STATUS || evidence->text[0]);
}

bool evidence_status_is_transient(const char *status) {
        return !strcmp(status, "finish-migrate") || !strcmp(status, "save-vm") || !strcmp(status, "restore-vm");
}

bool evidence_left_by_status(const char *status, enum left *ret_left) {
        static const struct {
                const char *status;
                enum left left;
        } known[] = {
                { "running", LEFT_RUNNING },   { "paused", LEFT_PAUSED },         { "prelaunch", LEFT_PAUSED },
                { "debug", LEFT_PAUSED },      { "watchdog", LEFT_PAUSED },       { "io-error", LEFT_PAUSED },
                { "postmigrate", LEFT_PAUSED }, { "internal-error", LEFT_PAUSED }, { "guest-panicked", LEFT_PAUSED },
                { "suspended", LEFT_SUSPENDED }, { "shutdown", LEFT_OFF },
        };

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (!strcmp(known[i].status, status)) {
                        *ret_left = known[i].left;
                        return true;
                }
        return false;
}

bool evidence_ends_process(const struct evidence *evidence) {
        return traits[evidence->kind].ends_process;
}

bool evidence_ends_device_model(const struct evidence *evidence) {
        return evidence->kind == EVIDENCE_DEVICE_MODEL_EXITED || evidence->kind == EVIDENCE_DEVICE_MODEL_KILLED ||
               evidence->kind == EVIDENCE_DEVICE_MODEL_VANISHED;
}

struct evidence evidence_make(enum evidence_source source, enum evidence_kind kind) {
        return (struct evidence){ .source = source, .kind = kind };
}

void evidence_deinit(struct evidence *evidence) {
        if (!evidence)
                return;
        free(evidence->actor);
        evidence->actor = NULL;
}

int evidence_copy(struct evidence *ret_copy, const struct evidence *evidence) {
        struct evidence copy = *evidence;
        int r;

        copy.actor = NULL;
        if (evidence->actor) {
                r = evidence_set_actor(&copy, evidence->actor);
                if (r)
                        return r;
        }
        *ret_copy = copy;
        return 0;
}

void evidence_set_word(struct evidence *evidence, const char *word) {
        text_set(evidence->word, sizeof(evidence->word), word);
}

void evidence_set_text(struct evidence *evidence, const char *text, size_t n_text) {
        text_copy(evidence->text, sizeof(evidence->text), text, n_text);
}

int evidence_set_actor(struct evidence *evidence, const struct actor *actor) {
        struct actor *copy = malloc(sizeof(*copy));

        if (!copy)
                return -ENOMEM;
        *copy = *actor;
        free(evidence->actor);
        evidence->actor = copy;
        return 0;
}

void evidence_xen_reason(char ret_word[static EVIDENCE_WORD_MAX], unsigned reason) {
        static const char *const reasons[] = { "poweroff", "reboot", "suspend", "crash", "watchdog", "soft-reset" };

        if (reason < sizeof(reasons) / sizeof(reasons[0]))
                snprintf(ret_word, EVIDENCE_WORD_MAX, "%s", reasons[reason]);
        else
                snprintf(ret_word, EVIDENCE_WORD_MAX, "reason-%u", reason);
}

static int compare_numbers(uint64_t a, uint64_t b) {
        return a < b ? -1 : a > b;
}

static int compare_signed(int64_t a, int64_t b) {
        return a < b ? -1 : a > b;
}

static int compare_clients(const struct actor_client *a, const struct actor_client *b) {
        int r;

        if ((r = compare_signed(a->pid, b->pid)) || (r = compare_signed(a->uid, b->uid)) || (r = strcmp(a->user, b->user)) ||
            (r = strcmp(a->comm, b->comm)))
                return r;
        return strcmp(a->cmdline, b->cmdline);
}

static int compare_actors(const struct actor *a, const struct actor *b) {
        int r;

        if (!a || !b)
                return compare_numbers(a != NULL, b != NULL);
        if ((r = compare_signed(a->pid, b->pid)) || (r = compare_signed(a->tid, b->tid)) ||
            (r = compare_signed(a->session, b->session)) || (r = compare_signed(a->uid, b->uid)) ||
            (r = strcmp(a->user, b->user)) || (r = strcmp(a->login_user, b->login_user)) ||
            (r = strcmp(a->login_from, b->login_from)) ||
            (r = strcmp(a->comm, b->comm)) || (r = strcmp(a->exe, b->exe)) || (r = strcmp(a->cmdline, b->cmdline)) ||
            (r = strcmp(a->cgroup, b->cgroup)) || (r = strcmp(a->via, b->via)) ||
            (r = compare_numbers(a->confidence, b->confidence)) || (r = compare_numbers(a->n_parents, b->n_parents)))
                return r;
        for (size_t i = 0; i < a->n_parents && i < ACTOR_PARENTS_MAX; i++)
                if ((r = compare_signed(a->parents[i].pid, b->parents[i].pid)) ||
                    (r = strcmp(a->parents[i].comm, b->parents[i].comm)))
                        return r;
        return compare_clients(&a->client, &b->client);
}

/*
 * By origin time, then by source and order within it.  What is left decides nothing of the kind, but makes the order
 * total: whichever of two facts is read first, they are judged alike.
 */
static int compare(const struct evidence *a, const struct evidence *b) {
        int r;

        if ((r = compare_numbers(a->at_ns, b->at_ns)) || (r = compare_numbers(a->source, b->source)) ||
            (r = compare_numbers(a->seq, b->seq)) || (r = compare_numbers(a->kind, b->kind)) ||
            (r = compare_numbers(a->flag, b->flag)) || (r = compare_signed(a->number, b->number)) ||
            (r = strcmp(a->word, b->word)) || (r = strcmp(a->text, b->text)))
                return r;
        return compare_actors(a->actor, b->actor);
}

bool evidence_is_before(const struct evidence *a, const struct evidence *b) {
        return compare(a, b) < 0;
}

bool evidence_is_same(const struct evidence *a, const struct evidence *b) {
        return compare(a, b) == 0;
}
