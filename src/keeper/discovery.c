#include "keeper/discovery.h"
#include "basics/cleanup.h"
#include "basics/descriptors.h"
#include "sources/process/kvm_uevent_source.h"

#include <errno.h>
#include <string.h>

/*
 * A VM of an unknown program must have a vCPU, or it is a probe of what KVM can do: most make it right after their VM, and none is waited for longer than
 * PROBE_USEC.  A QEMU that goes into the background (-daemonize) without KVM must be there still by then, or it left everything to a child of its own.
 */
#define FIRST_LOOK_USEC 10000
#define SECOND_LOOK_USEC 100000
#define PROBE_USEC 1000000

/* A process that may be a VM, and may be a probe: looked at when its time has come. */
struct suspect {
        struct discovery *discovery;
        struct suspect *next, **link; /* link: who points to it */
        sd_event_source *timer;
        pid_t pid;
        bool is_kvm_user;
        uint64_t age_usec; /* when it is looked at next */
};

struct discovery {
        sd_event *event;
        struct discovery_events events;
        struct kvm_uevent_source *uevents;
        struct suspect *suspects;
};

static void say(struct discovery *discovery, const char *what, int error) {
        char line[160];

        if (error)
                snprintf(line, sizeof(line), "%s: %s", what, strerror(-error));
        else
                snprintf(line, sizeof(line), "%s", what);
        discovery->events.trouble(discovery->events.userdata, line);
}

void discovery_look(struct discovery *discovery) {
        struct survey_sight sight;
        int r = survey_all(&sight, discovery->events.found, discovery->events.userdata);

        if (r)
                say(discovery, "cannot look for VMs in /proc", r);
        else if (sight.is_hidden)
                say(discovery, "/proc hides other users' processes: their VMs are not seen", 0);
}

static struct suspect *suspect_free(struct suspect *suspect) {
        if (suspect->link)
                *suspect->link = suspect->next;
        if (suspect->link && suspect->next)
                suspect->next->link = suspect->link;
        sd_event_source_disable_unref(suspect->timer);
        free(suspect);
        return NULL;
}

static bool is_vm(const struct survey_vmm *vmm, bool is_kvm_user, bool is_settled) {
        /* The parents of one in the background look like it while they last; but whoever has made a KVM is the one. */
        if (vmm->is_qemu || vmm->is_vmpower_vmm)
                return is_settled || is_kvm_user || !vmm->daemonizes;
        return is_settled ? survey_has_vcpus(vmm->pid) != TRISTATE_FALSE : is_kvm_user && survey_has_vcpus(vmm->pid) == TRISTATE_TRUE;
}

/* 1: found; 0: it is none, or none yet; or -errno: there was no descriptor to look with. */
static int look_at(struct discovery *discovery, pid_t pid, bool is_kvm_user, bool is_settled) {
        struct survey_vmm vmm = { 0 };
        int r = survey_process(&vmm, pid, is_kvm_user);
        bool is_found;

        /* One that has just been started has made no sockets yet; what is there is another's. */
        if (!r && !is_settled && !is_kvm_user)
                vmm.monitors.n_items = 0;
        /* Without a descriptor nobody can tell whether it has a vCPU. */
        if (!r && is_settled && !vmm.is_qemu && !vmm.is_vmpower_vmm && !descriptors_left())
                r = -EMFILE;
        is_found = !r && is_vm(&vmm, is_kvm_user, is_settled);
        if (is_found)
                discovery->events.found(discovery->events.userdata, &vmm);
        survey_vmm_deinit(&vmm);
        return r == -EMFILE || r == -ENFILE ? r : is_found;
}

static bool is_suspected(const struct discovery *discovery, pid_t pid) {
        const struct suspect *suspect = discovery->suspects;

        while (suspect && suspect->pid != pid)
                suspect = suspect->next;
        return suspect;
}

static int on_suspect(sd_event_source *timer, uint64_t usec, void *userdata) {
        struct suspect *suspect = userdata;
        const uint64_t age_usec = suspect->age_usec;
        int r = 0;

        if (suspect->pid)
                r = look_at(suspect->discovery, suspect->pid, suspect->is_kvm_user, age_usec >= PROBE_USEC);
        else
                discovery_look(suspect->discovery);
        if (age_usec < PROBE_USEC)
                suspect->age_usec = r > 0 || age_usec >= SECOND_LOOK_USEC ? PROBE_USEC : SECOND_LOOK_USEC;
        else if (r < 0)
                suspect->age_usec += PROBE_USEC;
        if (suspect->age_usec == age_usec || sd_event_source_set_time_relative(timer, suspect->age_usec - age_usec) < 0 ||
            sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT) < 0)
                suspect_free(suspect);
        return 0;
}

static void suspect_new(struct discovery *discovery, pid_t pid, bool is_kvm_user, uint64_t age_usec) {
        struct suspect *suspect = calloc(1, sizeof(*suspect));

        if (!suspect)
                return;
        suspect->discovery = discovery;
        suspect->pid = pid;
        suspect->is_kvm_user = is_kvm_user;
        suspect->age_usec = age_usec;
        if (sd_event_add_time_relative(discovery->event, &suspect->timer, CLOCK_MONOTONIC, age_usec, 1000, on_suspect, suspect) < 0) {
                suspect_free(suspect);
                return;
        }
        suspect->next = discovery->suspects;
        suspect->link = &discovery->suspects;
        if (suspect->next)
                suspect->next->link = &suspect->next;
        discovery->suspects = suspect;
}

static void on_created(void *userdata, pid_t pid, const struct kvm_uevent *uevent) {
        struct discovery *discovery = userdata;

        discovery->events.kvm_used(discovery->events.userdata);
        if (pid <= 0)
                return;
        suspect_new(discovery, pid, true, look_at(discovery, pid, true, false) > 0 ? PROBE_USEC : FIRST_LOOK_USEC);
}

void discovery_born(struct discovery *discovery, pid_t pid) {
        if (!pid && is_suspected(discovery, 0))
                return;
        if (pid)
                look_at(discovery, pid, false, false);
        suspect_new(discovery, pid, false, PROBE_USEC);
}

static void on_destroyed(void *userdata, const struct kvm_uevent *uevent) {
}

static void on_lost(void *userdata) {
        discovery_look(userdata);
}

int discovery_new(struct discovery **ret_discovery, sd_event *event, const struct discovery_events *events) {
        static const struct kvm_uevent_events uevent_events = { on_created, on_destroyed, on_lost };
        struct discovery *discovery = calloc(1, sizeof(*discovery));
        int r;

        if (!discovery)
                return -ENOMEM;
        discovery->event = sd_event_ref(event);
        discovery->events = *events;
        /* First listen, then look: what is born in between is seen twice rather than not at all. */
        r = kvm_uevent_source_open(&discovery->uevents, event, &uevent_events, discovery);
        if (r)
                say(discovery, "cannot hear of new VMs from the kernel, so only those that are there now are found", r);
        discovery_look(discovery);
        *ret_discovery = discovery;
        return 0;
}

struct discovery *discovery_free(struct discovery *discovery) {
        if (!discovery)
                return NULL;
        kvm_uevent_source_close(discovery->uevents);
        while (discovery->suspects)
                suspect_free(discovery->suspects);
        sd_event_unref(discovery->event);
        free(discovery);
        return NULL;
}
