#include "runner/run_policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int run_policy_make(struct policy *ret_policy, const struct qemu_options *options, const char *const *settings, size_t n_settings,
                    char ret_why[static RUN_POLICY_WHY_MAX]) {
        const char *why;

        *ret_policy = policy_default(true);
        if (options->no_reboot || !strcmp(options->on_reboot, "shutdown"))
                policy_set(ret_policy, "on_reboot=destroy", POLICY_OPTION, &why);
        if (options->no_shutdown || !strcmp(options->on_shutdown, "pause"))
                policy_set(ret_policy, "on_poweroff=preserve", POLICY_OPTION, &why);
        if (!strcmp(options->on_panic, "pause"))
                policy_set(ret_policy, "on_crash=preserve", POLICY_OPTION, &why);

        for (size_t i = 0; i < n_settings; i++)
                if (policy_set(ret_policy, settings[i], POLICY_EXPLICIT, &why)) {
                        snprintf(ret_why, RUN_POLICY_WHY_MAX, "--policy %.64s: %s", settings[i], why);
                        return -EINVAL;
                }
        return 0;
}

bool run_policy_preserves(const struct policy *policy, enum policy_event event) {
        return policy->on[event].action == ACTION_PRESERVE && policy->on[event].rank == POLICY_EXPLICIT;
}
