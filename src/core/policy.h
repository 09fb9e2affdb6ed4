/*
 * Policy: what the VM's owner wants; decision: what to do now.
 *
 * Knows the owner's words (on_poweroff=restart), the defaults and which outranks which.  Does not act.
 */
#pragma once

#include <vmpower/judge.h>

enum policy_event {
        ON_POWEROFF,
        ON_REBOOT,
        ON_HALT,
        ON_CRASH,
        ON_WATCHDOG,   /* of a Xen domain: its own watchdog has shut it down */
        ON_SOFT_RESET, /* of a Xen domain: its guest wants to begin another kernel in its place */
        _POLICY_EVENT_N,
};

enum policy_action {
        ACTION_DESTROY,  /* see that nothing of the VM is left */
        ACTION_RESTART,  /* see that it runs again: a new instance, or the same after a reset */
        ACTION_PRESERVE, /* keep it as it is, for its owner to look at */
        ACTION_LEAVE,    /* do nothing */
        /* of a Xen domain */
        ACTION_RENAME_RESTART,   /* keep it under another name, and start a new instance */
        ACTION_COREDUMP_DESTROY, /* write its memory down, then as destroy … */
        ACTION_COREDUMP_RESTART, /* … or as restart */
        ACTION_SOFT_RESET,       /* begin it anew in its place: the same instance goes on */
        _POLICY_ACTION_N,
};

/* Where a setting comes from: the higher outranks the lower. */
enum policy_rank {
        POLICY_DEFAULT,
        POLICY_OPTION,   /* the user's own options of the VMM, such as -no-reboot */
        POLICY_EXPLICIT, /* --policy */
        POLICY_STORED,   /* on record, or a Xen domain's own configuration: the one that may use a domain's words */
};

enum {
        POLICY_RESTARTS_MAX = 5, /* so many restarts … */
        POLICY_TEXT_MAX = 320,   /* bytes of policy_format()'s text, its NUL included */
};
#define POLICY_RESTARTS_WINDOW_NS UINT64_C(60000000000) /* … in so long, then it gives up */

struct policy {
        struct {
                enum policy_action action : 8; /* every VM has its own */
                enum policy_rank rank : 8;
        } on[_POLICY_EVENT_N];
        uint64_t halt_after_ns; /* look whether a VM is halted for good once its vCPUs stood still so long; 0: never */
        struct judge_settings judge;
};

enum decision_result {
        RESULT_NONE,    /* nothing to do: leave, preserve */
        RESULT_DONE,    /* what the action wants holds */
        RESULT_BY_VMM,  /* the VMM did it itself, as in a reset */
        RESULT_PENDING, /* asked for, not seen done yet */
        RESULT_FAILED,  /* tried, and it could not be done */
        RESULT_GAVE_UP, /* too many restarts in too short a time */
        _DECISION_RESULT_N,
};

/* What has to be done to carry a decision out. */
enum policy_act {
        ACT_NOTHING,
        ACT_QUIT,    /* end what is left of the VM */
        ACT_START,   /* start a new instance; nothing is left of the old one, or it stays beside it under another name */
        ACT_REPLACE, /* end what is left, then start a new instance */
        ACT_RESET,   /* begin the instance anew */
};

struct decision {
        bool exists; /* false: no policy speaks of this transition */
        enum policy_event event;
        enum policy_action action;
        enum decision_result result;
        enum policy_act act;
};

/* The defaults for a VM that `vmpower run` started (is_own), or that was only found or attached. */
struct policy policy_default(bool is_own);

/*
 * Take one setting of the owner's, "on_reboot=restart", "halt_after=30", "button_certain=120", "button_likely=600" (seconds, decimal fractions
 * allowed, at most a year).  A lower rank never overrides a higher one.  0, or -EINVAL with the reason in ret_why (static).
 */
int policy_set(struct policy *policy, const char *setting, enum policy_rank rank, const char **ret_why);

/*
 * How long to wait before that restart is carried out: a guest that crashes as soon as it runs is started ever less often, at 1, 2, 4, 8 … seconds
 * after the first one.  A reboot waits for nothing.
 */
uint64_t policy_restart_delay_ns(enum policy_event event, unsigned n_restarts);

/* The policy as text that policy_set() takes back word by word (separated by blanks). */
void policy_format(const struct policy *policy, char ret_text[static POLICY_TEXT_MAX]);

/* Take such a text back (a stored one: explicit); settings that this version does not know are passed over. */
void policy_read(struct policy *policy, const char *text);

/*
 * Decide.  `n_restarts`: how many restarts policy has made of this name within POLICY_RESTARTS_WINDOW_NS.
 * RESULT_PENDING comes with an act to carry out; every other result needs none.
 */
struct decision policy_decide(const struct policy *policy, const struct verdict *verdict, unsigned n_restarts);

const char *policy_event_name(enum policy_event event);
const char *policy_action_name(enum policy_action action);
const char *decision_result_name(enum decision_result result);
int policy_event_from_name(const char *name, enum policy_event *ret);
int policy_action_from_name(const char *name, enum policy_action *ret);
int decision_result_from_name(const char *name, enum decision_result *ret);
