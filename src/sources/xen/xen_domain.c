#include "sources/xen/xen_domain.h"

#include "core/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

/* libxl takes a request back that was not taken for a minute (libxl__domain_pvcontrol()): what is emptied then was not by the guest. */
#define TAKEN_BACK_AFTER_NS  (UINT64_C(59) * SECOND_NS)
#define TAKEN_BACK_BEFORE_NS (UINT64_C(63) * SECOND_NS)

/* xen/include/public/sched.h */
enum {
        REASON_SUSPEND = 2,
        REASON_SOFT_RESET = 5,
};

static void tell(const struct xen_report *report, enum evidence_kind kind, const char *word, enum tristate flag) {
        struct evidence fact = evidence_make(SOURCE_XEN, kind);

        evidence_set_word(&fact, word);
        fact.flag = flag;
        report->report(report->userdata, &fact);
}

static void tell_shutdown(const struct xen_report *report, unsigned reason) {
        char word[EVIDENCE_WORD_MAX];

        evidence_xen_reason(word, reason);
        tell(report, EVIDENCE_DOMAIN_SHUTDOWN, word, TRISTATE_NULL);
}

void xen_domain_init(struct xen_domain *domain, const struct xen_look *first, bool is_new) {
        *domain = (struct xen_domain){
                .is_being_made = is_new && first->is_paused,
                .is_paused = !is_new && first->is_paused && !first->has_shut_down,
        };
}

const char *xen_domain_state(const struct xen_domain *domain, const struct xen_look *look) {
        if (look->has_shut_down)
                return look->reason == REASON_SUSPEND ? "suspended" : "off";
        return look->is_paused && !domain->is_being_made ? "paused" : "running";
}

void xen_domain_is_made(struct xen_domain *domain) {
        domain->is_being_made = domain->is_begun_anew = false;
}

static bool go(struct xen_domain *domain, const struct xen_look *look, enum xen_account account, const struct xen_report *report) {
        enum tristate alive = TRISTATE_NULL;

        domain->is_gone = true;
        if (domain->has_shut_down)
                alive = TRISTATE_FALSE;
        else if (look || domain->is_to_be_destroyed || account == XEN_ACCOUNTED)
                alive = TRISTATE_TRUE;
        if (alive == TRISTATE_NULL && account == XEN_UNWATCHED)
                tell(report, EVIDENCE_VANISHED, "", TRISTATE_NULL);
        else
                tell(report, EVIDENCE_DOMAIN_GONE, "", alive);
        return true;
}

bool xen_domain_look(struct xen_domain *domain, const struct xen_look *look, enum xen_account account, const struct xen_report *report) {
        if (domain->is_gone)
                return false;
        if (look && look->has_shut_down && (!domain->has_shut_down || domain->reason != look->reason)) {
                domain->has_shut_down = true;
                domain->is_being_made = domain->is_paused = false;
                domain->reason = look->reason;
                tell_shutdown(report, look->reason);
        }
        if (!look || look->is_dying)
                return go(domain, look, account, report);
        if (look->has_shut_down)
                return false;
        /* It is begun anew, or resumed: told once it runs. */
        if (domain->has_shut_down) {
                if (look->is_paused)
                        return false;
                domain->has_shut_down = false;
                domain->is_begun_anew = domain->reason == REASON_SOFT_RESET;
                domain->request[0] = '\0';
                tell(report, EVIDENCE_DOMAIN_RESUMED, "", TRISTATE_NULL);
                return false;
        }
        if (domain->is_begun_anew && look->is_paused) {
                domain->is_begun_anew = false;
                domain->is_being_made = true;
        }
        if (domain->is_being_made) {
                domain->is_being_made = look->is_paused;
                return false;
        }
        /* libxl begins with that. */
        if (look->is_paused && domain->is_to_be_destroyed)
                return false;
        if (look->is_paused != domain->is_paused) {
                domain->is_paused = look->is_paused;
                tell(report, look->is_paused ? EVIDENCE_DOMAIN_PAUSED : EVIDENCE_DOMAIN_UNPAUSED, "", TRISTATE_NULL);
        }
        return false;
}

bool xen_domain_is_ours(const struct xen_domain *domain, const uint8_t handle[static 16], const struct xen_claims *claims) {
        const struct xen_look *now = claims->now;

        if (claims->leaves_all || claims->has_keeper || claims->is_libvirts)
                return false;
        /* Whoever destroys it just now, what was stored with it, such as whose it is, goes, too. */
        return domain->is_to_be_destroyed || (now && !now->is_dying && !memcmp(now->uuid, handle, sizeof(now->uuid)));
}

/* --- control/shutdown -------------------------------------------------------------------------------------------- */

/* The guest may write there, too: what is no known request is "other". */
static const char *request_word(const char *value, size_t n_value) {
        static const char *const words[] = { "poweroff", "reboot", "suspend", "halt", "crash", "s3", "s4" };

        if (!n_value)
                return "";
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (strlen(words[i]) == n_value && !memcmp(words[i], value, n_value))
                        return words[i];
        return "other";
}

static void note_request(struct xen_domain *domain, const char *request, uint64_t now_ns, const struct xen_report *report) {
        snprintf(domain->request, sizeof(domain->request), "%s", request);
        domain->asked_ns = now_ns;
        tell(report, EVIDENCE_CONTROL_REQUEST, request, TRISTATE_NULL);
}

/* One was written there and taken before it could be read, perhaps over one that stood there. */
static void take_unseen(struct xen_domain *domain, const struct xen_report *report) {
        tell(report, EVIDENCE_CONTROL_REQUEST, "unseen", TRISTATE_NULL);
        tell(report, EVIDENCE_CONTROL_ACKNOWLEDGED, "unseen", TRISTATE_NULL);
        domain->request[0] = '\0';
}

void xen_domain_control(struct xen_domain *domain, const char *value, size_t n_value, unsigned n_events, uint64_t now_ns, const struct xen_report *report) {
        unsigned n_own = n_events < domain->n_own_writes ? n_events : domain->n_own_writes;
        const char *request = value ? request_word(value, n_value) : "";
        uint64_t since = now_ns - domain->asked_ns;

        n_events -= n_own;
        domain->n_own_writes -= n_own;
        if (!value) {
                /* It goes with the domain, once that has done what it was asked for; its going is an event, too. */
                if (n_events + !!domain->request[0] > 2)
                        take_unseen(domain, report);
                domain->request[0] = '\0';
        } else if (*request) {
                if (n_events || strcmp(request, domain->request))
                        note_request(domain, request, now_ns, report);
        } else if (n_events > 1) {
                take_unseen(domain, report);
        } else if (domain->request[0]) {
                if (since < TAKEN_BACK_AFTER_NS || since > TAKEN_BACK_BEFORE_NS)
                        tell(report, EVIDENCE_CONTROL_ACKNOWLEDGED, domain->request, TRISTATE_NULL);
                domain->request[0] = '\0';
        }
}

void xen_domain_ask(struct xen_domain *domain, const char *request, uint64_t now_ns, const struct xen_report *report) {
        domain->n_own_writes++;
        if (*request)
                note_request(domain, request, now_ns, report);
        else
                domain->request[0] = '\0';
}

bool xen_is_set(const char *value, size_t n_value) {
        return n_value == 1 && *value == '1';
}

/* --- its device model -------------------------------------------------------------------------------------------- */

int xen_pid(int64_t *ret_pid, const char *value, size_t n_value) {
        int64_t pid = 0;

        if (!n_value || n_value > 9)
                return -EINVAL;
        for (size_t i = 0; i < n_value; i++) {
                if (!isdigit((unsigned char)value[i]))
                        return -EINVAL;
                pid = pid * 10 + (value[i] - '0');
        }
        if (pid <= 1)
                return -EINVAL;
        *ret_pid = pid;
        return 0;
}

bool xen_is_device_model(char *const *arguments, size_t n_arguments, uint32_t domid) {
        char number[16];

        /* libxl__build_device_model_args_new() */
        snprintf(number, sizeof(number), "%" PRIu32, domid);
        for (size_t i = 0; i + 1 < n_arguments; i++)
                if (!strcmp(arguments[i], "-xen-domid") && !strcmp(arguments[i + 1], number))
                        return true;
        return false;
}

/* --- who it is --------------------------------------------------------------------------------------------------- */

void xen_uuid_text(char ret_text[static XEN_UUID_TEXT_MAX], const uint8_t uuid[static 16]) {
        size_t n = 0;

        for (size_t i = 0; i < 16; i++)
                n += (size_t)snprintf(ret_text + n, XEN_UUID_TEXT_MAX - n, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

int xen_uuid_of_path(char ret_text[static XEN_UUID_TEXT_MAX], const char *path, size_t n_path) {
        const char *uuid = path + strlen("/vm/");

        if (n_path != strlen("/vm/") + XEN_UUID_TEXT_MAX - 1 || memcmp(path, "/vm/", strlen("/vm/")))
                return -EINVAL;
        for (size_t i = 0; i < XEN_UUID_TEXT_MAX - 1; i++)
                if (i == 8 || i == 13 || i == 18 || i == 23 ? uuid[i] != '-' : !isxdigit((unsigned char)uuid[i]))
                        return -EINVAL;
        memcpy(ret_text, uuid, XEN_UUID_TEXT_MAX - 1);
        ret_text[XEN_UUID_TEXT_MAX - 1] = '\0';
        return 0;
}

/* "1790000000.12": seconds and hundredths. */
static bool is_start_time(const char *text, size_t n) {
        const char *point = n && n < 24 ? memchr(text, '.', n) : NULL;

        if (!point || point - text < 1 || point - text > 11 || point + 1 == text + n)
                return false;
        for (size_t i = 0; i < n; i++)
                if (text + i != point && !isdigit((unsigned char)text[i]))
                        return false;
        return true;
}

void xen_creation(char ret_text[static XEN_CREATION_MAX], uint64_t *ret_began_ns, const char *start_time, size_t n_start_time, const char *uuid) {
        const char *from = uuid;
        size_t n_from = strnlen(uuid, XEN_UUID_TEXT_MAX - 1), n = 0;
        uint64_t seconds = 0;

        *ret_began_ns = 0;
        if (is_start_time(start_time, n_start_time)) {
                from = start_time;
                n_from = n_start_time;
                for (size_t i = 0; start_time[i] != '.'; i++)
                        seconds = seconds * 10 + (uint64_t)(start_time[i] - '0');
                if (seconds < UINT64_MAX / SECOND_NS)
                        *ret_began_ns = seconds * SECOND_NS;
        }
        for (size_t i = 0; i < n_from && n < XEN_CREATION_MAX - 1; i++)
                if (isxdigit((unsigned char)from[i]))
                        ret_text[n++] = from[i];
        ret_text[n] = '\0';
}

const char *xen_action_word(int action) {
        /* libxl_types.idl */
        static const char *const words[] = { NULL, "destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart", "soft-reset" };

        return action > 0 && (size_t)action < sizeof(words) / sizeof(words[0]) ? words[action] : NULL;
}
