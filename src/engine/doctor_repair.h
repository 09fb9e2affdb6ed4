/*
 * Doctor repair: the command that repairs what does not work, on a Debian host.
 *
 * Each says it for the reason why: a negative errno.  "": nothing is known that does.
 */
#pragma once

#include "engine/doctor.h"

#include <sys/types.h>

#define REPAIR_VMM "qemu-system-x86_64"

/* Who has no rights asks one who has. */
const char *repair_system_daemon(void);

void repair_vmm(int error, char ret_repair[static DOCTOR_REPAIR_MAX]);
void repair_cgroup(int error, char ret_repair[static DOCTOR_REPAIR_MAX]);
void repair_kvm(const char *device, int error, char ret_repair[static DOCTOR_REPAIR_MAX]);
void repair_bus(int error, char ret_repair[static DOCTOR_REPAIR_MAX]);
void repair_logind(int error, char ret_repair[static DOCTOR_REPAIR_MAX]);
void repair_xen(int error, char ret_repair[static DOCTOR_REPAIR_MAX]);
void repair_trace(int error, char ret_repair[static DOCTOR_REPAIR_MAX]);
/* A directory that is to be ours, of that mode; `variable` names another one. */
void repair_directory(const char *variable, const char *path, mode_t mode, int error, char ret_repair[static DOCTOR_REPAIR_MAX]);
/* `refused`: the one in the directory `path` that is not run. */
void repair_hooks(const char *path, const char *refused, char ret_repair[static DOCTOR_REPAIR_MAX]);
