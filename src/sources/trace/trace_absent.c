/* A vmpower that was built without libbpf or clang: there is no trace, and whoever asks is told so. */
#include "sources/trace/trace_source.h"
#include "basics/cleanup.h"

#include <stdio.h>

uint64_t trace_record_wait_usec;

uint32_t trace_source_version(void) {
        return 0;
}

int trace_source_open(struct trace_source **ret_source, sd_event *event, enum trace_scope scope, struct trace_descriptors *handed,
                      char ret_why[static TRACE_WHY_MAX]) {
        for (size_t i = 0; handed && i < TRACE_DESCRIPTORS; i++)
                close_fd(&handed->fds[i]);
        *ret_source = NULL;
        snprintf(ret_why, TRACE_WHY_MAX, "this vmpower was built without it (libbpf, bpftool and clang)");
        return TRACE_ABSENT;
}

struct trace_source *trace_source_close(struct trace_source *source) {
        return NULL;
}

const char *trace_source_lacks(const struct trace_source *source, enum trace_part part) {
        return "it is not built in";
}

void trace_source_on_birth(struct trace_source *source, void (*born)(void *userdata, pid_t pid), void *userdata) {
}

void trace_source_drain(struct trace_source *source) {
}

void trace_source_begin(struct trace_source *source) {
}

void trace_source_descriptors(const struct trace_source *source, struct trace_descriptors *ret_descriptors) {
        for (size_t i = 0; i < TRACE_DESCRIPTORS; i++)
                ret_descriptors->fds[i] = -1;
}

bool trace_source_saw_end(struct trace_source *source, pid_t pid, uint64_t start_time) {
        return false;
}

int trace_watch_new(struct trace_watch **ret_watch, struct trace_source *source, pid_t pid, uint64_t start_time,
                    const struct trace_machine *machine, const struct source_sink *sink) {
        *ret_watch = NULL;
        return TRACE_ABSENT;
}

struct trace_watch *trace_watch_free(struct trace_watch *watch) {
        return NULL;
}

void trace_watch_set_machine(struct trace_watch *watch, const struct trace_machine *machine) {
}

void trace_watch_finish(struct trace_watch *watch, void (*done)(void *userdata, const struct evidence *end), void *userdata) {
        done(userdata, NULL);
}
