#include "sources/trace/hypercall_try.h"
#include "basics/cleanup.h"
#include "sources/xen_dom0.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* xen, include/xen-sys/Linux/privcmd.h, include/public/domctl.h */
struct privcmd_hypercall {
        uint64_t op, arg[5];
};
#define IOCTL_PRIVCMD_HYPERCALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))

struct xen_domctl {
        uint32_t cmd, interface_version;
        uint16_t domain, padding[3];
        uint64_t of_the_command[128]; /* Xen reads it all, however much that is */
};

/* What Xen reads must not be away at that moment: the kernel has a device for it, later ones at least (Linux, drivers/xen/privcmd-buf.c). */
static struct xen_domctl *memory_for_xen(void) {
        cleanup(closep) int device = open("/dev/xen/hypercall", O_RDWR | O_CLOEXEC);
        void *memory;

        if (device >= 0)
                memory = mmap(NULL, sizeof(struct xen_domctl), PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);
        else
                memory = mmap(NULL, sizeof(struct xen_domctl), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
        return memory == MAP_FAILED ? NULL : memory;
}

/* Pause a domain that cannot be: -ESRCH; -EACCES: Xen has another version of the interface; -errno. */
static int pause_nobody(int privcmd, struct xen_domctl *domctl, uint32_t version) {
        struct privcmd_hypercall hypercall = { XEN_DOMCTL, { (uint64_t)(uintptr_t)domctl } };

        memset(domctl, 0, sizeof(*domctl));
        domctl->cmd = XEN_DOMCTL_PAUSEDOMAIN;
        domctl->interface_version = version;
        domctl->domain = XEN_DOMID_INVALID;
        return ioctl(privcmd, IOCTL_PRIVCMD_HYPERCALL, &hypercall) < 0 ? -errno : 0;
}

static void on_called(void *userdata, struct evidence *evidence) {
        bool *is_seen = userdata;

        if (!evidence)
                return;
        *is_seen = *is_seen || (evidence->actor && evidence->actor->pid == getpid() && evidence->number == XEN_DOMID_INVALID);
        evidence_deinit(evidence);
}

int hypercall_try(struct trace_source *source, char ret_found[static FOUND_MAX]) {
        cleanup(closep) int privcmd = open(xen_dom0_privcmd, O_RDWR | O_CLOEXEC);
        struct xen_domctl *domctl;
        bool is_seen = false;
        int r = -EACCES;

        if (privcmd < 0)
                return found_say(ret_found, -errno, "%s: %s", xen_dom0_privcmd, strerror(errno));
        domctl = memory_for_xen();
        if (!domctl)
                return found_say(ret_found, -errno, "no memory for a hypercall: %s", strerror(errno));
        trace_source_on_hypercall(source, on_called, &is_seen);
        for (uint32_t version = XEN_DOMCTL_VERSION_LAST; r == -EACCES && version >= XEN_DOMCTL_VERSION_FIRST; version--)
                r = pause_nobody(privcmd, domctl, version);
        trace_source_drain(source);
        trace_source_on_hypercall(source, NULL, NULL);
        munmap(domctl, sizeof(*domctl));
        if (r == -EACCES)
                return found_say(ret_found, -EPROTO, "Xen's domctl interface has none of the versions that this vmpower knows (0x%x to 0x%x)",
                                 XEN_DOMCTL_VERSION_FIRST, XEN_DOMCTL_VERSION_LAST);
        if (r != -ESRCH)
                return found_say(ret_found, r ? r : -EPROTO, "Xen was asked to pause a domain that cannot be, and answered: %s", strerror(-r));
        return found_say(ret_found, is_seen ? 0 : -ENODATA, "Xen was asked to pause a domain that cannot be, and who asked was %sseen%s", is_seen ? "" : "not ",
                         trace_source_is_at_each_call(source) ? " (at each system call, which takes it some 0.1 us)" : "");
}
