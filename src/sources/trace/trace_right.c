#include "sources/trace/trace_right.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool trace_right_is_needed(void) {
        union bpf_attr attributes;

        /* The right is looked at first, the descriptor later: with it the answer is EBADF. */
        memset(&attributes, 0, sizeof(attributes));
        attributes.map_fd = UINT32_MAX;
        return syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attributes, sizeof(attributes)) < 0 && errno == EPERM;
}
