/*
 * Xen's rules: what the judge asks of a domain's facts.
 *
 * Each is a question to the scene, asked in the order of the one table (rules.c).
 */
#pragma once

#include "core/scene.h"

/* The domain has shut down for this reason; a question to other rules, too. */
bool is_domain_shutdown_because(struct scene *s, const char *reason);

bool is_domain_button_obeyed(struct scene *s, uint64_t within_ns, bool or_unseen);
bool is_asked_by_going_down(struct scene *s);
bool is_domain_destroyed(struct scene *s);
bool is_domain_gone_after_asked(struct scene *s);
bool is_domain_gone_alive_most_likely(struct scene *s);
bool is_domain_gone(struct scene *s);
bool is_asked_poweroff(struct scene *s);
bool is_asked_poweroff_later(struct scene *s);
bool is_asked_poweroff_long_ago(struct scene *s);
bool is_asked_reboot(struct scene *s);
bool is_asked_reboot_later(struct scene *s);
bool is_asked_suspend(struct scene *s);
/* Whoever was seen to say that the domain has shut down may be its device model, which said it for its guest: no such process is on record. */
bool may_be_by_device_model(const struct scene *s);
bool is_remote_poweroff(struct scene *s);
bool is_remote_reboot(struct scene *s);
bool is_remote_suspend(struct scene *s);
bool is_remote_crash(struct scene *s);
bool is_device_model_oom_victim(struct scene *s);
bool is_device_model_going_down(struct scene *s);
bool is_device_model_oom_in_cgroup(struct scene *s);
bool is_device_model_signal(struct scene *s);
bool is_device_model_fault(struct scene *s);
bool is_device_model_kill(struct scene *s);
bool is_device_model_failure(struct scene *s);
bool is_device_model_end(struct scene *s);
bool is_domain_poweroff(struct scene *s);
bool is_domain_reboot(struct scene *s);
bool is_domain_crash(struct scene *s);
bool is_domain_suspend(struct scene *s);
bool is_domain_watchdog(struct scene *s);
bool is_domain_soft_reset(struct scene *s);
bool is_domain_shutdown(struct scene *s);
bool is_domain_pause(struct scene *s);
bool is_domain_unpause(struct scene *s);
bool is_domain_resume(struct scene *s);
