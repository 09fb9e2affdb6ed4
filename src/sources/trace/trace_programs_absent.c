/* A vmpower that was built without libbpf or clang: it has no programs, and whoever asks is told so. */
#include "sources/trace/trace_programs.h"
#include "basics/cleanup.h"

#include <stdio.h>

bool trace_programs_refuse_ioctl;

uint32_t trace_programs_version(void) {
        return 0;
}

bool trace_programs_take(struct trace_way **ret_way, struct trace_descriptors *handed, const struct trace_way_events *events) {
        for (size_t i = 0; i < TRACE_DESCRIPTORS; i++)
                close_fd(&handed->fds[i]);
        return false;
}

int trace_programs_open(struct trace_way **ret_way, enum trace_scope scope, const struct trace_way_events *events,
                        char ret_why[static TRACE_WHY_MAX]) {
        snprintf(ret_why, TRACE_WHY_MAX, "this vmpower was built without its programs (libbpf, bpftool and clang)");
        return TRACE_ABSENT;
}
