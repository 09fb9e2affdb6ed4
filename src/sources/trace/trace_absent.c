/* A vmpower that was built without libbpf or clang: there is no trace, and whoever asks is told so. */
#include "sources/trace/trace_source.h"

#include <stdio.h>

int trace_source_open(struct trace_source **ret_source, sd_event *event, char ret_why[static TRACE_WHY_MAX]) {
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

void trace_source_drain(struct trace_source *source) {
}

uint64_t trace_source_n_records(const struct trace_source *source) {
        return 0;
}

int trace_watch_new(struct trace_watch **ret_watch, struct trace_source *source, pid_t pid, const struct source_sink *sink) {
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
