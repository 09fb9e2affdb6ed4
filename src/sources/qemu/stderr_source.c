#include "sources/qemu/stderr_source.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "sources/proc.h"
#include "sources/toolstack.h"
#include "sources/qemu/qemu_stderr.h"
#include "sources/signal_name.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
        DRAIN_MAX = 1024 * 1024,
};

struct stderr_source {
        sd_event *event;
        sd_event_source *from;
        sd_event_source *to; /* only while the reader is slower than QEMU */
        struct source_sink sink;
        struct qemu_stderr stream;
        int fd;
        int to_fd;
        char *rest; /* what its reader has not taken yet; owned */
        size_t n_rest;
        bool is_at_end; /* the VMM has ended */
        bool is_shared; /* with its guest */
        void (*flushed)(void *userdata);
        void *flushed_userdata;
        pid_t pid;
};

/*
 * Who sent it, as far as that can be seen now: QEMU names a pid, whose owner may be gone already; a signal without a sender came
 * from the terminal, so from whoever leads the session.
 */
static int name_actor(struct stderr_source *source, struct evidence *signal) {
        char via[SIGNAL_NAME_MAX], exe[sizeof(((struct actor *)0)->exe)] = "";
        struct actor actor;
        pid_t pid;

        signal_name((int)signal->number, via);
        evidence_set_word(signal, via);
        if (signal->actor) {
                pid = (pid_t)signal->actor->pid;
                text_set(exe, sizeof(exe), signal->actor->exe);
        } else {
                pid = proc_session_leader(source->pid);
                if (pid <= 0)
                        return 0;
        }
        if (proc_actor(pid, via, &actor) && !exe[0])
                return 0;
        /* What QEMU read of its sender at that instant outlives the sender. */
        if (!actor.exe[0])
                text_set(actor.exe, sizeof(actor.exe), exe);
        if (!actor.comm[0]) {
                const char *slash = strrchr(actor.exe, '/');

                text_set(actor.comm, sizeof(actor.comm), slash ? slash + 1 : actor.exe);
        }
        toolstack_find_client(&actor);
        if (source->is_shared)
                actor.confidence = CONFIDENCE_LIKELY;
        return evidence_set_actor(signal, &actor);
}

static void understand(struct stderr_source *source, const char *bytes, size_t n) {
        uint64_t at_ns = source_now_ns(), time_ns = source_time_ns();

        while (n) {
                struct evidence signal;
                size_t n_read;
                int r = qemu_stderr_read(&source->stream, bytes, n, at_ns, time_ns, &n_read, &signal);

                bytes += n_read;
                n -= n_read;
                if (r != QEMU_STDERR_SIGNAL)
                        continue;
                if (source->stream.n_signals == 1 && name_actor(source, &signal) && !signal.actor)
                        evidence_deinit(&signal);
                source_report(&source->sink, &signal);
        }
}

static bool is_writable(int fd) {
        struct pollfd to = { .fd = fd, .events = POLLOUT };

        return poll(&to, 1, 0) != 0;
}

/* Pass on what waits, as far as the reader takes it without blocking us: what poll(2) calls writable takes PIPE_BUF bytes. */
static void pass_on(struct stderr_source *source) {
        while (source->n_rest && is_writable(source->to_fd)) {
                ssize_t n = write(source->to_fd, source->rest, source->n_rest < PIPE_BUF ? source->n_rest : PIPE_BUF);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return;
                /* Nobody reads it any more: what it says still counts. */
                if (n < 0)
                        n = (ssize_t)source->n_rest;
                source->n_rest -= (size_t)n;
                memmove(source->rest, source->rest + n, source->n_rest);
        }
}

static int on_writable(sd_event_source *to, int fd, uint32_t revents, void *userdata);

/* What the reader does not take yet waits for it in the loop; meanwhile QEMU is not read, and waits as it would without us. */
static void wait_for_reader(struct stderr_source *source) {
        if (!source->n_rest) {
                source->to = sd_event_source_disable_unref(source->to);
                if (!source->is_at_end)
                        sd_event_source_set_enabled(source->from, SD_EVENT_ON);
                if (source->is_at_end && source->flushed)
                        source->flushed(source->flushed_userdata);
                return;
        }
        sd_event_source_set_enabled(source->from, SD_EVENT_OFF);
        if (!source->to && sd_event_add_io(source->event, &source->to, source->to_fd, EPOLLOUT, on_writable, source) < 0)
                source->n_rest = 0; /* no reader that could be waited for */
}

static int on_writable(sd_event_source *to, int fd, uint32_t revents, void *userdata) {
        struct stderr_source *source = userdata;

        pass_on(source);
        wait_for_reader(source);
        return 0;
}

/* One read.  Returns false when there is nothing more for now, or ever. */
static bool move_some(struct stderr_source *source) {
        char bytes[PIPE_BUF], *more;
        ssize_t n = read(source->fd, bytes, sizeof(bytes));

        if (n < 0)
                return errno == EINTR;
        if (n == 0)
                return false;
        understand(source, bytes, (size_t)n);
        more = realloc(source->rest, source->n_rest + (size_t)n);
        if (more) {
                memcpy(more + source->n_rest, bytes, (size_t)n);
                source->rest = more;
                source->n_rest += (size_t)n;
        }
        pass_on(source);
        return true;
}

static int on_readable(sd_event_source *from, int fd, uint32_t revents, void *userdata) {
        struct stderr_source *source = userdata;

        if (!move_some(source) && (revents & EPOLLHUP))
                sd_event_source_set_enabled(from, SD_EVENT_OFF);
        else if (source->n_rest)
                wait_for_reader(source);
        return 0;
}

void stderr_source_drain(struct stderr_source *source) {
        if (!source || source->is_at_end)
                return;
        /* A pipe holds 64 KiB, unless somebody made it larger; who still writes after that is not the VMM. */
        for (size_t n = 0; n < DRAIN_MAX / PIPE_BUF && move_some(source); n++)
                ;
        /* A last line without its newline counts too. */
        understand(source, "\n", 1);
        source->is_at_end = true;
        sd_event_source_set_enabled(source->from, SD_EVENT_OFF);
        if (source->n_rest)
                wait_for_reader(source);
}

bool stderr_source_is_flushed(const struct stderr_source *source) {
        return !source || !source->n_rest;
}

void stderr_source_report_messages(struct stderr_source *source) {
        struct evidence messages[QEMU_STDERR_MESSAGES_MAX];
        size_t n = source ? qemu_stderr_messages(&source->stream, messages) : 0;

        for (size_t i = 0; i < n; i++)
                source_report(&source->sink, &messages[i]);
}

void stderr_source_set_pid(struct stderr_source *source, pid_t pid) {
        if (source->pid != pid)
                source->stream.n_signals = 0;
        source->pid = pid;
}

struct stderr_source *stderr_source_close(struct stderr_source *source) {
        if (!source)
                return NULL;
        sd_event_source_disable_unref(source->from);
        sd_event_source_disable_unref(source->to);
        close_fd(&source->fd);
        sd_event_unref(source->event);
        free(source->rest);
        free(source);
        return NULL;
}

int stderr_source_open(struct stderr_source **ret_source, sd_event *event, int fd, int to_fd, pid_t pid, bool is_shared,
                       const struct source_sink *sink, void (*flushed)(void *userdata), void *flushed_userdata) {
        struct stderr_source *source = calloc(1, sizeof(*source));
        int r;

        if (!source) {
                close(fd);
                return -ENOMEM;
        }
        source->event = sd_event_ref(event);
        source->flushed = flushed;
        source->flushed_userdata = flushed_userdata;
        source->sink = *sink;
        source->fd = fd;
        source->to_fd = to_fd;
        source->pid = pid;
        source->is_shared = is_shared;
        if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
                r = -errno;
                stderr_source_close(source);
                return r;
        }
        r = sd_event_add_io(event, &source->from, fd, EPOLLIN, on_readable, source);
        if (r < 0) {
                stderr_source_close(source);
                return r;
        }
        *ret_source = source;
        return 0;
}
