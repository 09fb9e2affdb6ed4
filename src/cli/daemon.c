#include "cli/daemon.h"

#include <errno.h>
#include <string.h>

int find_daemon(struct vmpower **ret_vmpower, enum vmpower_daemon which) {
        int r = vmpower_new(ret_vmpower, which);

        if (!r)
                return STATUS_OK;
        if (r == -ECONNREFUSED || r == -ENOENT)
                complain("no vmpowerd answers; start one (vmpowerd), or ask --system or --user");
        else
                complain("cannot reach vmpowerd: %s", strerror(-r));
        return STATUS_FAILED;
}

int daemon_failure(const struct vmpower *vmpower, int error) {
        const char *why = vmpower_error(vmpower);

        complain("%s", *why ? why : strerror(-error));
        return error == -ENOENT ? STATUS_NO_SUCH_VM : STATUS_FAILED;
}

void vmpower_freep(struct vmpower **vmpower) {
        vmpower_free(*vmpower);
}
