#include "engine/doctor_repair.h"

#include "basics/capabilities.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAY(...) snprintf(ret_repair, DOCTOR_REPAIR_MAX, __VA_ARGS__)

/* Root needs nobody's leave. */
static const char *sudo(void) {
        return geteuid() ? "sudo " : "";
}

static const char *user(void) {
        const struct passwd *entry = getpwuid(geteuid());

        return entry ? entry->pw_name : "$USER";
}

const char *repair_system_daemon(void) {
        return geteuid() ? "sudo systemctl enable --now vmpowerd.socket vmpowerd" : "systemctl enable --now vmpowerd.socket vmpowerd";
}

void repair_vmm(int error, char ret_repair[static DOCTOR_REPAIR_MAX]) {
        if (error == -ENOENT)
                SAY("%sapt install qemu-system-x86", sudo());
        else
                SAY("%sapt install --reinstall qemu-system-x86", sudo());
}

void repair_cgroup(int error, char ret_repair[static DOCTOR_REPAIR_MAX]) {
        if (error == -ENOENT)
                SAY("start VMs in a cgroup of their own: systemd-run --scope -p MemoryAccounting=yes vmpower run -- %s ...", REPAIR_VMM);
        else
                SAY("%s", "");
}

void repair_kvm(const char *device, int error, char ret_repair[static DOCTOR_REPAIR_MAX]) {
        const struct group *group;
        struct stat st;

        if (error == -EACCES || error == -EPERM) {
                group = stat(device, &st) < 0 || !st.st_gid || !(st.st_mode & S_IWGRP) ? NULL : getgrgid(st.st_gid);
                if (group)
                        SAY("%susermod -aG %.32s %.64s, and log in again", sudo(), group->gr_name, user());
                else
                        SAY("%schgrp kvm %s && %schmod 0660 %s && %susermod -aG kvm %.64s, and log in again", sudo(), device, sudo(),
                            device, sudo(), user());
        } else if (error == -ENOENT || error == -ENODEV || error == -ENXIO) {
                SAY("%smodprobe kvm_intel || %smodprobe kvm_amd", sudo(), sudo());
        } else {
                SAY("%s", "");
        }
}

void repair_bus(int error, char ret_repair[static DOCTOR_REPAIR_MAX]) {
        if (error == -ENXIO)
                SAY("%ssystemctl start systemd-logind", sudo());
        else
                SAY("%sapt install dbus && %ssystemctl start dbus.socket", sudo(), sudo());
}

/* It asks polkit who may. */
void repair_logind(int error, char ret_repair[static DOCTOR_REPAIR_MAX]) {
        if (error == -EACCES)
                SAY("%sapt install polkitd", sudo());
        else
                SAY("%ssystemctl start systemd-logind", sudo());
}

void repair_trace(int error, char ret_repair[static DOCTOR_REPAIR_MAX]) {
        const bool can_program = capabilities_have(CAP_BPF), can_look = capabilities_have(CAP_PERFMON);

        /* Of root something was taken. */
        if (error == -EPERM && !geteuid() && !(can_program && can_look))
                SAY("run it with %s%s%s, which this root has not (in a container:%s%s)", can_program ? "" : "CAP_BPF", can_program || can_look ? "" : " and ",
                    can_look ? "" : "CAP_PERFMON", can_program ? "" : " --cap-add BPF", can_look ? "" : " --cap-add PERFMON");
        else if (error == -EPERM)
                SAY("%s", repair_system_daemon());
        else if (error == -ECANCELED)
                SAY("unset VMPOWER_TRACE");
        else if (error == -ENOENT)
                SAY("%smount -t tracefs tracefs /sys/kernel/tracing", sudo());
        else if (error == -ENOSYS)
                SAY("%smodprobe kvm; boot a kernel with CONFIG_DEBUG_INFO_BTF=y, as Debian's are", sudo());
        else if (error == -EOPNOTSUPP)
                SAY("boot a kernel with CONFIG_DEBUG_INFO_BTF=y, as Debian's are");
        else
                SAY("%s", "");
}

/* Xen's own boot script loads its modules and starts xenstored. */
void repair_xen(int error, char ret_repair[static DOCTOR_REPAIR_MAX]) {
        if (error == -EPERM)
                SAY("%s", repair_system_daemon());
        else if (error == -ENOENT)
                SAY("%sapt install libxen-dev, and build and install vmpower again", sudo());
        else
                SAY("%ssystemctl start xen", sudo());
}

void repair_directory(const char *variable, const char *path, mode_t mode, int error, char ret_repair[static DOCTOR_REPAIR_MAX]) {
        switch (-error) {
        case 0:
                SAY("%s", "");
                break;
        case EROFS:
                SAY("%smount -o remount,rw \"$(findmnt -nT '%.400s' -o TARGET)\"", sudo(), path);
                break;
        case ENOSPC:
        case EDQUOT:
                SAY("make room: df -h '%.400s'", path);
                break;
        case EACCES:
        case EPERM:
        case ENOTDIR:
                SAY("%sinstall -d -m %04o -o %.64s '%.400s'", sudo(), (unsigned)mode, user(), path);
                break;
        default:
                SAY("export %s=DIRECTORY", variable);
                break;
        }
}

void repair_hooks(const char *path, const char *refused, char ret_repair[static DOCTOR_REPAIR_MAX]) {
        if (access(refused, X_OK))
                SAY("%schmod +x '%.400s'", sudo(), refused);
        else
                SAY("%schown -R %.64s '%.400s' && %schmod -R go-w '%.400s'", sudo(), user(), path, sudo(), path);
}
