#include "engine/doctor.h"

#include "basics/cleanup.h"
#include "engine/directories.h"
#include "engine/doctor_repair.h"
#include "engine/launch.h"
#include "outlets/hook_directory.h"
#include "outlets/journald_outlet.h"
#include "sources/host/host_try.h"
#include "sources/process/cgroup_try.h"
#include "sources/process/kvm_try.h"
#include "sources/process/process_try.h"
#include "sources/qemu/qemu_try.h"
#include "sources/qemu/socket_try.h"
#include "sources/trace/trace_try.h"
#include "sources/xen/xen_try.h"
#include "sources/xen_dom0.h"
#include "store/store_try.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

struct doctor {
        void (*tell)(const struct doctor_finding *finding, void *userdata);
        void *userdata;
};

struct check {
        const char *name;
        bool costs_certainty;
        const char *costs;
};

/* A try's result, told.  `repair` may be NULL. */
static void tell(const struct doctor *doctor, const struct check *check, int result, const char *found, const char *repair) {
        struct doctor_finding finding = {
                .name = check->name,
                .works = result ? TRISTATE_FALSE : TRISTATE_TRUE,
                .costs_certainty = check->costs_certainty,
                .costs = result ? check->costs : NULL,
        };

        snprintf(finding.found, sizeof(finding.found), "%s", found);
        snprintf(finding.repair, sizeof(finding.repair), "%s", result && repair ? repair : "");
        doctor->tell(&finding, doctor->userdata);
}

static void tell_none(const struct doctor *doctor, const char *name, const char *found, const char *costs) {
        struct doctor_finding finding = { .name = name, .works = TRISTATE_NULL, .costs = costs };

        snprintf(finding.found, sizeof(finding.found), "%s", found);
        doctor->tell(&finding, doctor->userdata);
}

/* --- QEMU -------------------------------------------------------------------------------------------------------- */

static void look_at_qemu(const struct doctor *doctor) {
        static const struct check monitor = { "qmp", true,
                "how a guest goes is not seen: its poweroff, its reset and its panic are told by its VMM's exit alone" };
        static const struct check errors = { "stderr", true,
                "who sends SIGTERM, SIGINT or SIGHUP to a VM of `vmpower run` is known only where the kernel is traced" };
        cleanup(freep) char *path = NULL;
        char repair[DOCTOR_REPAIR_MAX];
        struct qemu_try found;
        int r = launch_find(REPAIR_VMM, &path);

        if (r) {
                found.monitor = found_say(found.monitor_found, r, "%s: %s", REPAIR_VMM,
                                          r == -ENOENT ? "it is not on the PATH" : strerror(-r));
                found.errors = r;
                memcpy(found.errors_found, found.monitor_found, sizeof(found.errors_found));
        } else {
                qemu_try(path, &found);
        }
        repair_vmm(r ? r : found.monitor, repair);
        tell(doctor, &monitor, found.monitor, found.monitor_found, repair);
        tell(doctor, &errors, found.errors, found.errors_found, repair);
}

/* --- the kernel -------------------------------------------------------------------------------------------------- */

static void look_at_processes(const struct doctor *doctor) {
        static const struct check child = { "process", true, "the end of a VM is not seen" };
        static const struct check stranger = { "process-of-others", true,
                "a VM that vmpower did not start is seen to end; whether it exited or was killed is not" };
        static const struct check oom = { "cgroup-oom", true,
                "a VM in this cgroup that the OOM killer takes looks as if somebody had sent SIGKILL, unless the kernel is traced" };
        char found[FOUND_MAX], repair[DOCTOR_REPAIR_MAX];
        int r;

        r = process_try_child(found);
        tell(doctor, &child, r, found, NULL);
        r = process_try_stranger(found);
        tell(doctor, &stranger, r, found, repair_system_daemon());
        r = cgroup_oom_try(found);
        repair_cgroup(r, repair);
        tell(doctor, &oom, r, found, repair);
}

static void look_at_kvm(const struct doctor *doctor) {
        static const struct check kvm = { "kvm", false, "this user's VMs run under software emulation" };
        static const struct check uevents = { "kvm-uevents", true, "VMs that start after vmpowerd are not found until it is started again" };
        char found[FOUND_MAX], repair[DOCTOR_REPAIR_MAX];
        int r;

        r = kvm_try(found);
        repair_kvm(KVM_DEVICE, r, repair);
        tell(doctor, &kvm, r, found, repair);
        r = kvm_uevent_try(found);
        if (r == -ETIMEDOUT)
                snprintf(repair, sizeof(repair), "run vmpowerd outside of the container");
        else
                repair_kvm(KVM_DEVICE, r, repair);
        tell(doctor, &uevents, r, found, repair);
}

static void look_at_trace(const struct doctor *doctor) {
        static const char *const costs[_TRACE_PART_N] = {
                [TRACE_SIGNALS] = "a `kill -9` will be seen, its sender will not",
                [TRACE_OOM] = "whom the OOM killer took is concluded from the counter of his cgroup",
                [TRACE_EXITS] = "how a process ends that is not our child may not be seen",
                [TRACE_PORTS] = "by which port a guest powers off or resets is not seen, and without its monitor not that it does",
                [TRACE_KVM_EXITS] = "a guest's triple fault is not told from another reset",
                [TRACE_BIRTHS] = "VMs under software emulation that start after vmpowerd are not found until it is started again",
                [TRACE_SENDERS] = "who sends a signal and is gone at once may be known by his pid alone",
                [TRACE_HYPERCALLS] =
                        "who destroys, pauses or resumes a domain of Xen's is not seen, and of one that is gone it may be likely only that it was destroyed",
        };
        const char *wanted = getenv("VMPOWER_TRACE");
        char repair[DOCTOR_REPAIR_MAX], cgroup[PATH_MAX], why[FOUND_MAX];
        struct trace_try found;

        if (wanted && !strcmp(wanted, "no")) {
                for (size_t i = 0; i < _TRACE_PART_N; i++)
                        found.results[i] = found_say(found.found[i], -ECANCELED, "$VMPOWER_TRACE switches it off");
        } else {
                int r = cgroup_try_make(cgroup, why);

                trace_try(&found, r ? NULL : cgroup, why);
                if (!r)
                        cgroup_try_remove(cgroup);
        }
        for (size_t i = 0; i < _TRACE_PART_N; i++) {
                const struct check part = { trace_part_name((enum trace_part)i), true, costs[i] };

                if (i == TRACE_HYPERCALLS && !xen_dom0_is_here())
                        continue;
                repair_trace(found.results[i], repair);
                tell(doctor, &part, found.results[i], found.found[i], repair);
        }
}

static void look_at_host(const struct doctor *doctor) {
        static const struct check host = { "host", true, "a VM that the host's shutdown ends is said to be ended by somebody's signal" };
        static const struct check lock = { "host-lock", true,
                "the host's shutdown does not wait until it is on record, so that a VM that it ends at once may be said to be ended by somebody" };
        char repair[DOCTOR_REPAIR_MAX];
        struct host_try found;

        host_try(&found);
        repair_bus(found.bus, repair);
        tell(doctor, &host, found.bus, found.bus_found, repair);
        if (!found.bus)
                repair_logind(found.lock, repair);
        tell(doctor, &lock, found.lock, found.lock_found, repair);
}

static void look_at_xen(const struct doctor *doctor) {
        static const struct check check = { "xen", true, "Xen's domains are not seen, and nothing is done to those that nobody else looks after" };
        struct doctor_finding none = { .name = check.name, .works = TRISTATE_NULL };
        char repair[DOCTOR_REPAIR_MAX];
        char found[FOUND_MAX];
        int r = xen_try(found);

        /* Which costs nothing. */
        if (r == -ENXIO) {
                memcpy(none.found, found, sizeof(none.found));
                doctor->tell(&none, doctor->userdata);
                return;
        }
        repair_xen(r, repair);
        tell(doctor, &check, r, found, repair);
}

/* --- what is kept, and told -------------------------------------------------------------------------------------- */

static void look_at_store(const struct doctor *doctor) {
        static const struct check check = { "store", true, "nothing can be kept: no VM can be looked after, and none has a history" };
        char path[PATH_MAX], found[FOUND_MAX], repair[DOCTOR_REPAIR_MAX];
        int r = state_directory(path, sizeof(path));

        if (r)
                found_say(found, r, "there is no place for it");
        else
                r = store_try(path, found);
        repair_directory("VMPOWER_STATE_DIR", path, 0700, r, repair);
        tell(doctor, &check, r, found, repair);
}

static void look_at_run_directory(const struct doctor *doctor) {
        static const struct check run = { "run-directory", true, "no VM can be given a monitor of ours, and vmpowerd has no place for its socket" };
        static const struct check peers = { "sock-diag", true,
                "whether a monitor is free is not seen, so that none is opened: `vmpower attach` is refused" };
        char path[PATH_MAX], found[FOUND_MAX], repair[DOCTOR_REPAIR_MAX];
        int r = monitor_directory(path, sizeof(path)), r_peers;

        if (r) {
                found_say(found, r, "%.200s cannot be used: %s", path, r == -EPERM ? "it must be yours, and closed to others" : strerror(-r));
                repair_directory("VMPOWER_RUN_DIR", path, 0700, r, repair);
                tell(doctor, &run, r, found, repair);
                strcpy(path, "/tmp");
        }
        r_peers = socket_try(path, found);
        if (!r) {
                const bool is_made = !r_peers || r_peers == -ENODATA;
                char line[FOUND_MAX];

                found_say(line, 0, "a socket was made in %.200s", path);
                repair_directory("VMPOWER_RUN_DIR", path, 0700, r_peers, repair);
                tell(doctor, &run, is_made ? 0 : r_peers, is_made ? line : found, repair);
        }
        tell(doctor, &peers, r_peers, found, NULL);
}

struct hooks {
        size_t n_found, n_refused;
        char refused[FOUND_MAX], path[FOUND_MAX]; /* the last one */
};

static void on_hook(const char *path, void *userdata) {
        ((struct hooks *)userdata)->n_found++;
}

static void on_refused(const char *path, const char *line, void *userdata) {
        struct hooks *hooks = userdata;

        hooks->n_refused++;
        snprintf(hooks->refused, sizeof(hooks->refused), "%.300s", line);
        snprintf(hooks->path, sizeof(hooks->path), "%s", path);
}

static void look_at_outlets(const struct doctor *doctor) {
        static const struct check journald = { "journald", false, "verdicts are not in the journal; vmpowerd tells it when it can be reached" };
        static const struct check hooks = { "hooks", false, "that hook is told nothing" };
        struct hooks seen = { 0 };
        const struct hook_directory_events events = { on_hook, on_refused, &seen };
        char path[PATH_MAX + 16], found[FOUND_MAX], repair[DOCTOR_REPAIR_MAX];
        int r;

        r = journald_try(JOURNALD_SOCKET, found);
        tell(doctor, &journald, r, found, geteuid() ? "sudo systemctl start systemd-journald.socket" : "systemctl start systemd-journald.socket");

        if (config_directory(path, PATH_MAX))
                strcpy(path, "");
        strcat(path, "/hooks.d");
        r = hook_directory_look(path, &events);
        if (r == -ENOENT)
                r = found_say(found, 0, "there is no %.200s, and so no hook", path);
        else if (r)
                found_say(found, r, "%.200s: %s", path, strerror(-r));
        else if (seen.n_refused)
                r = found_say(found, -EPERM, "%s", seen.refused);
        else
                found_say(found, 0, "%zu in %.200s", seen.n_found, path);
        repair_hooks(path, seen.path, repair);
        tell(doctor, &hooks, r, found, repair);
}

/* --- who we are -------------------------------------------------------------------------------------------------- */

/*
 * May we look at a process of somebody else?  The link takes the right that reading the end of a VMM takes (PTRACE_MODE_READ).  0, -ENOENT: there
 * is none; -EACCES.
 */
static int look_at_others(void) {
        cleanup(closedirp) DIR *processes = opendir("/proc");
        const struct dirent *entry;
        int result = -ENOENT;

        while (processes && (entry = readdir(processes))) {
                char path[sizeof(entry->d_name) + 16], target[64];
                struct stat st;

                snprintf(path, sizeof(path), "%s/ns/user", entry->d_name);
                if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || fstatat(dirfd(processes), entry->d_name, &st, 0) < 0 ||
                    st.st_uid == geteuid())
                        continue;
                if (readlinkat(dirfd(processes), path, target, sizeof(target)) >= 0)
                        return 0;
                if (errno == EACCES || errno == EPERM)
                        result = -EACCES;
        }
        return result;
}

static void look_at_rights(const struct doctor *doctor) {
        static const struct check check = { "rights", true,
                "of other users' VMs it is seen that they end, not how; their monitors and their history are not seen" };
        char found[FOUND_MAX];
        int r = look_at_others();

        if (r == -ENOENT)
                r = found_say(found, geteuid() ? r : 0, "there is no other user's process to be looked at");
        else
                found_say(found, r, r ? "only one's own processes can be looked at" : "other users' processes can be looked at");
        tell(doctor, &check, r, found, repair_system_daemon());
}

void doctor_look(void (*tell_finding)(const struct doctor_finding *finding, void *userdata), void *userdata) {
        const struct doctor doctor = { tell_finding, userdata };

        look_at_qemu(&doctor);
        look_at_processes(&doctor);
        look_at_kvm(&doctor);
        look_at_trace(&doctor);
        look_at_host(&doctor);
        tell_none(&doctor, "console", "vmpower reads no console; whoever does may tell its lines on the wire (docs/wire.md), and they are judged",
                  "without them it is not known of a guest that has halted whether it did so in order");
        tell_none(&doctor, "libvirt", "not built yet", "what was asked of libvirt is not known; its VMs are watched by process and kernel");
        look_at_xen(&doctor);
        look_at_store(&doctor);
        look_at_run_directory(&doctor);
        look_at_outlets(&doctor);
        look_at_rights(&doctor);
}
