#include "keeper/privileges.h"

#include "basics/capabilities.h"
#include "sources/trace/trace_right.h"

/* The unit's CapabilityBoundingSet= says what each is for. */
#define KEPT                                                                                                           \
        (CAPABILITY(CAP_SYS_PTRACE) | CAPABILITY(CAP_DAC_READ_SEARCH) | CAPABILITY(CAP_DAC_OVERRIDE) |                 \
         CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_FOWNER) | CAPABILITY(CAP_KILL) | CAPABILITY(CAP_SETUID) |              \
         CAPABILITY(CAP_SETGID))

int privileges_drop(bool is_by_perf) {
        const uint64_t bpf = CAPABILITY(CAP_BPF);
        uint64_t kept = KEPT;
        int r;

        if (is_by_perf)
                return capabilities_keep(KEPT | CAPABILITY(CAP_PERFMON), KEPT | CAPABILITY(CAP_PERFMON));
        r = capabilities_keep(KEPT | bpf, KEPT);
        if (r)
                return r;
        if (trace_right_is_needed())
                kept |= bpf;
        return capabilities_keep(kept, kept);
}
