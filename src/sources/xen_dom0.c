#include "sources/xen_dom0.h"
#include "sources/proc.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

const char *xen_dom0_capabilities = "/proc/xen/capabilities", *xen_dom0_privcmd = "/dev/xen/privcmd";

bool xen_dom0_is_here(void) {
        char text[256];

        return proc_read(xen_dom0_capabilities, text, sizeof(text)) > 0 && strstr(text, "control_d");
}

int xen_dom0_device(dev_t *ret_device) {
        struct stat device;

        if (stat(xen_dom0_privcmd, &device) < 0)
                return -errno;
        if (!S_ISCHR(device.st_mode))
                return -ENODEV;
        *ret_device = device.st_rdev;
        return 0;
}
