/*
 * Capabilities: what of root's rights a thread has, and how it gives them up.
 *
 * Knows capset(2).  Each thread has its own; what a program that it starts has is execve(2)'s to say (capabilities(7)).
 */
#pragma once

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITY(number) (UINT64_C(1) << (number))

static inline int capabilities_get(struct __user_cap_data_struct ret_data[static 2]) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

        return syscall(SYS_capget, &header, ret_data) < 0 ? -errno : 0;
}

/* Has it this one in effect, or CAP_SYS_ADMIN, which stands for those that were once a part of it? */
static inline bool capabilities_have(unsigned number) {
        struct __user_cap_data_struct data[2];

        if (capabilities_get(data))
                return true;
        return (data[0].effective | (uint64_t)data[1].effective << 32) & (CAPABILITY(number) | CAPABILITY(CAP_SYS_ADMIN));
}

/*
 * Of those that this thread may have it can take `permitted` from now on, and has `effective`; never one that it has not now.  None of them
 * goes on to a program that is no program of root's.  0 or -errno.
 */
static inline int capabilities_keep(uint64_t permitted, uint64_t effective) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2];
        int r = capabilities_get(data);

        if (r)
                return r;
        for (unsigned i = 0; i < 2; i++) {
                data[i].permitted &= (uint32_t)(permitted >> (32 * i));
                data[i].effective = data[i].permitted & (uint32_t)(effective >> (32 * i));
                data[i].inheritable = 0;
        }
        return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}
