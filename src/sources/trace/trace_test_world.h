/* What the tests share that watch real processes by the kernel's own tracepoints. */
#pragma once

#include "sources/trace/trace_source.h"

enum { FACTS_MAX = 2048 };

struct heard {
        sd_event *event;
        struct trace_source *source;
        struct evidence facts[FACTS_MAX];
        size_t n_facts;
        struct evidence end;
        bool has_end, is_done;
};

/* A process that is not our child: it does `run` when it is told to, by a byte. */
struct stranger {
        pid_t pid;
        int pidfd;
        int go;
};

struct heard *hear_of(enum trace_scope scope);
struct heard *hear(void);
void heard_free(struct heard *heard);
void start(struct stranger *stranger, void (*run)(void));
void wait_for_end(struct stranger *stranger);
void go(struct stranger *stranger);
struct trace_watch *watch(struct heard *heard, pid_t pid, uint64_t start_time);
/* For trace_watch_finish(), with a `struct heard`. */
void on_done(void *userdata, const struct evidence *end);
void finish(struct heard *heard, struct trace_watch *watch);
void does_nothing(void);
/* The first fact: a SIGKILL that we sent. */
void is_our_kill(const struct heard *heard);
size_t count_of(const struct heard *heard, enum evidence_kind kind);
/* Records that the gaps say were lost. */
unsigned count_gaps(const struct heard *heard);
/* As root, on a kernel with BTF, it has to work.  Why it cannot here; NULL: it must. */
const char *find_excuse(void);
