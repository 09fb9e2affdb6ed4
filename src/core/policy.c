#include "core/policy.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)
#define YEAR_S    UINT64_C(31536000)

struct policy policy_default(bool is_own) {
        struct policy policy = {
                .halt_after_ns = 2 * SECOND_NS,
                .judge = judge_settings_default,
        };

        for (size_t i = 0; i < _POLICY_EVENT_N; i++)
                policy.on[i].action = ACTION_LEAVE;
        if (is_own) {
                policy.on[ON_POWEROFF].action = ACTION_DESTROY;
                policy.on[ON_REBOOT].action = ACTION_RESTART;
                policy.on[ON_HALT].action = ACTION_DESTROY;
                policy.on[ON_CRASH].action = ACTION_DESTROY;
        }
        return policy;
}

/* "12", "0.5": seconds with at most nine decimals.  Locale does not matter here, so strtod() is not used. */
static int parse_seconds(const char *text, uint64_t *ret_ns) {
        uint64_t whole = 0, fraction = 0, unit = SECOND_NS;

        if (!isdigit((unsigned char)*text))
                return -EINVAL;
        for (; isdigit((unsigned char)*text); text++) {
                whole = whole * 10 + (uint64_t)(*text - '0');
                if (whole > YEAR_S)
                        return -EINVAL;
        }
        if (*text == '.') {
                if (!isdigit((unsigned char)text[1]))
                        return -EINVAL;
                for (text++; isdigit((unsigned char)*text); text++) {
                        unit /= 10;
                        if (!unit)
                                return -EINVAL;
                        fraction += (uint64_t)(*text - '0') * unit;
                }
        }
        if (*text || (whole == YEAR_S && fraction))
                return -EINVAL;
        *ret_ns = whole * SECOND_NS + fraction;
        return 0;
}

static const struct {
        const char *name;
        size_t offset;
} durations[] = {
        { "halt_after", offsetof(struct policy, halt_after_ns) },
        { "button_certain", offsetof(struct policy, judge) + offsetof(struct judge_settings, button_certain_ns) },
        { "button_likely", offsetof(struct policy, judge) + offsetof(struct judge_settings, button_likely_ns) },
};

static uint64_t *duration_of(struct policy *policy, size_t i) {
        return (uint64_t *)((char *)policy + durations[i].offset);
}

static bool is_domains_event(enum policy_event event) {
        return event == ON_WATCHDOG || event == ON_SOFT_RESET;
}

static bool is_domains_action(enum policy_action action) {
        return action == ACTION_RENAME_RESTART || action == ACTION_COREDUMP_DESTROY || action == ACTION_COREDUMP_RESTART ||
               action == ACTION_SOFT_RESET;
}

int policy_set(struct policy *policy, const char *setting, enum policy_rank rank, const char **ret_why) {
        const char *equals = strchr(setting, '=');
        enum policy_event event;
        enum policy_action action;
        char name[32];

        if (!equals || (size_t)(equals - setting) >= sizeof(name)) {
                *ret_why = "it is not of the form NAME=VALUE, such as on_reboot=restart";
                return -EINVAL;
        }
        memcpy(name, setting, (size_t)(equals - setting));
        name[equals - setting] = '\0';

        for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
                uint64_t ns;

                if (strcmp(name, durations[i].name))
                        continue;
                if (parse_seconds(equals + 1, &ns)) {
                        *ret_why = "it takes seconds, from 0 to a year";
                        return -EINVAL;
                }
                *duration_of(policy, i) = ns;
                return 0;
        }

        if (policy_event_from_name(name, &event) || (is_domains_event(event) && rank < POLICY_STORED)) {
                *ret_why = "the names are on_poweroff, on_reboot, on_halt, on_crash, halt_after, button_certain, button_likely";
                return -EINVAL;
        }
        if (policy_action_from_name(equals + 1, &action) || (is_domains_action(action) && rank < POLICY_STORED)) {
                *ret_why = "the actions are destroy, restart, preserve, leave";
                return -EINVAL;
        }
        if (policy->on[event].rank <= rank) {
                policy->on[event].action = action;
                policy->on[event].rank = rank;
        }
        return 0;
}

void policy_format(const struct policy *policy, char ret_text[static POLICY_TEXT_MAX]) {
        size_t n = 0;

        for (size_t i = 0; i < _POLICY_EVENT_N; i++)
                if (!is_domains_event((enum policy_event)i) || policy->on[i].action != ACTION_LEAVE)
                        n += (size_t)snprintf(ret_text + n, POLICY_TEXT_MAX - n, "%s=%s ", policy_event_name((enum policy_event)i),
                                              policy_action_name(policy->on[i].action));
        for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
                uint64_t ns = *duration_of((struct policy *)policy, i);

                n += (size_t)snprintf(ret_text + n, POLICY_TEXT_MAX - n, "%s%s=%" PRIu64 ".%09" PRIu64, i ? " " : "",
                                      durations[i].name, ns / SECOND_NS, ns % SECOND_NS);
        }
}

void policy_read(struct policy *policy, const char *text) {
        char setting[64];
        const char *why;

        while (*text) {
                size_t n = strcspn(text, " ");

                if (n && n < sizeof(setting)) {
                        memcpy(setting, text, n);
                        setting[n] = '\0';
                        policy_set(policy, setting, POLICY_STORED, &why);
                }
                text += n;
                text += strspn(text, " ");
        }
}

static bool is_by_rule(const struct verdict *verdict, const char *rule) {
        return verdict->rule && !strcmp(verdict->rule, rule);
}

/* Which of the owner's wishes speaks of this transition. */
static bool event_of(const struct verdict *verdict, enum policy_event *ret) {
        switch (verdict->transition) {
        case TRANSITION_POWEROFF:
                *ret = ON_POWEROFF;
                return true;
        case TRANSITION_REBOOT:
                *ret = is_by_rule(verdict, "xen-soft-reset") ? ON_SOFT_RESET : ON_REBOOT;
                return true;
        case TRANSITION_HALT:
                *ret = ON_HALT;
                return true;
        case TRANSITION_CRASH:
                *ret = is_by_rule(verdict, "xen-watchdog") ? ON_WATCHDOG : ON_CRASH;
                return true;
        case TRANSITION_START:
        case TRANSITION_SUSPEND:
        case TRANSITION_WAKE:
        case TRANSITION_HIBERNATE:
        case TRANSITION_PAUSE:
        case TRANSITION_RESUME:
        case TRANSITION_DESTROY:
        case TRANSITION_MIGRATE:
        case TRANSITION_FAILURE:
        case TRANSITION_UNKNOWN:
        case _TRANSITION_N:
                return false;
        }
        return false;
}

uint64_t policy_restart_delay_ns(enum policy_event event, unsigned n_restarts) {
        if ((event != ON_CRASH && event != ON_WATCHDOG) || !n_restarts)
                return 0;
        return SECOND_NS << (n_restarts < POLICY_RESTARTS_MAX ? n_restarts - 1 : POLICY_RESTARTS_MAX - 1);
}

struct decision policy_decide(const struct policy *policy, const struct verdict *verdict, unsigned n_restarts) {
        bool gone = verdict->left == LEFT_GONE;
        struct decision decision = { .exists = false };
        enum policy_event event;

        /* A host that is going down takes its VMs with it: nothing is started again under it. */
        if (!event_of(verdict, &event) || verdict->mechanism == MECHANISM_HOST_SHUTDOWN)
                return decision;

        decision.exists = true;
        decision.event = event;
        decision.action = policy->on[event].action;
        /* A crash kernel is writing its dump: nobody ends that who was not told to. */
        if (event == ON_CRASH && policy->on[event].rank < POLICY_EXPLICIT && is_by_rule(verdict, "crash-kernel"))
                decision.action = ACTION_LEAVE;
        switch (decision.action) {
        case ACTION_LEAVE:
        case ACTION_PRESERVE:
                decision.result = RESULT_NONE;
                break;
        case ACTION_SOFT_RESET:
                decision.result = gone ? RESULT_FAILED : RESULT_PENDING;
                decision.act = gone ? ACT_NOTHING : ACT_RESET;
                break;
        case ACTION_DESTROY:
        case ACTION_COREDUMP_DESTROY:
                decision.result = gone ? RESULT_DONE : RESULT_PENDING;
                decision.act = gone ? ACT_NOTHING : ACT_QUIT;
                break;
        case ACTION_RESTART:
        case ACTION_RENAME_RESTART:
        case ACTION_COREDUMP_RESTART:
                if (event == ON_REBOOT && (verdict->left == LEFT_RUNNING || verdict->left == LEFT_PAUSED)) {
                        decision.result = RESULT_BY_VMM;
                        break;
                }
                if (n_restarts >= POLICY_RESTARTS_MAX) {
                        decision.result = RESULT_GAVE_UP;
                        break;
                }
                decision.result = RESULT_PENDING;
                decision.act = gone || decision.action == ACTION_RENAME_RESTART ? ACT_START : ACT_REPLACE;
                break;
        case _POLICY_ACTION_N:
                break;
        }
        return decision;
}
