/*
 * Preloaded into a QEMU: what it flushes waits as long as the file $VMPOWER_HELD_DISK is there.
 *
 * A QEMU that is told to quit flushes its disks before it closes its monitors: so long it can be looked at.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

int fdatasync(int fd) {
        int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
        const char *path = getenv("VMPOWER_HELD_DISK");

        while (path && access(path, F_OK) == 0)
                usleep(1000);
        return next(fd);
}
