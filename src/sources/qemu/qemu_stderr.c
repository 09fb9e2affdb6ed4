#include "sources/qemu/qemu_stderr.h"
#include "core/text.h"
#include "sources/command_line.h"
#include "sources/signal_name.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

/* Take `prefix` off the front. */
static bool take_word(const char **line, size_t *n_line, const char *prefix) {
        size_t n = strlen(prefix);

        if (*n_line < n || memcmp(*line, prefix, n))
                return false;
        *line += n;
        *n_line -= n;
        return true;
}

static bool take_number(const char **line, size_t *n_line, int *ret_number) {
        int64_t number = 0;
        size_t n = 0;

        for (; n < *n_line && (*line)[n] >= '0' && (*line)[n] <= '9'; n++) {
                number = number * 10 + ((*line)[n] - '0');
                if (number > INT_MAX)
                        return false;
        }
        if (!n)
                return false;
        *line += n;
        *n_line -= n;
        *ret_number = (int)number;
        return true;
}

/* qemu_kill_report() in QEMU's softmmu/runstate.c. */
bool qemu_stderr_signal_parse(struct qemu_stderr_signal *ret_signal, const char *line, size_t n_line) {
        static const char said[] = ": terminating on signal ";
        static const char unknown[] = "<unknown process>";
        struct qemu_stderr_signal signal = { 0 };
        const char *found;
        int pid;

        /* Before it stands the program's name, and with `-msg` a time and the guest's name. */
        found = memmem(line, n_line, said, strlen(said));
        if (!found || found == line)
                return false;
        n_line -= (size_t)(found - line);
        line = found;
        if (!take_word(&line, &n_line, said) || !take_number(&line, &n_line, &signal.number) ||
            (signal.number != SIGHUP && signal.number != SIGINT && signal.number != SIGTERM)) /* what it has a handler for: os_setup_signal_handling() */
                return false;
        if (n_line) {
                if (!take_word(&line, &n_line, " from pid ") || !take_number(&line, &n_line, &pid) ||
                    pid < 1 || !take_word(&line, &n_line, " (") || !n_line || line[n_line - 1] != ')')
                        return false;
                signal.pid = pid;
                signal.by = line;
                signal.n_by = n_line - 1;
                if (signal.n_by == strlen(unknown) && !memcmp(line, unknown, signal.n_by))
                        signal.n_by = 0;
        }
        *ret_signal = signal;
        return true;
}

/* QEMU names the sender by the first word of its command line: a path, or a name, or a login shell's "-bash".
 */
static void set_sender(struct actor *actor, const char *by, size_t n_by) {
        const char *name = n_by ? memrchr(by, '/', n_by) : NULL;

        if (n_by && by[0] == '/')
                text_copy(actor->exe, sizeof(actor->exe), by, n_by);
        if (name) {
                n_by -= (size_t)(name + 1 - by);
                by = name + 1;
        }
        if (n_by && by[0] == '-') {
                by++;
                n_by--;
        }
        text_copy(actor->comm, sizeof(actor->comm), by ? by : "", n_by);
}

static int signal_evidence(struct evidence *ret_evidence, const struct qemu_stderr_signal *signal, bool is_first) {
        struct evidence evidence = evidence_make(SOURCE_STDERR, EVIDENCE_SIGNAL);
        char name[SIGNAL_NAME_MAX];

        signal_name(signal->number, name);
        evidence.number = signal->number;
        evidence_set_word(&evidence, name);
        if (signal->pid && is_first) {
                struct actor actor = { .pid = signal->pid, .uid = -1 };
                int r;

                text_set(actor.via, sizeof(actor.via), name);
                set_sender(&actor, signal->by, signal->n_by);
                r = evidence_set_actor(&evidence, &actor);
                if (r)
                        return r;
        }
        *ret_evidence = evidence;
        return 0;
}

static void keep_message(struct qemu_stderr *stream, uint64_t at_ns, uint64_t time_ns) {
        struct qemu_stderr_message *message =
                &stream->messages[stream->n_messages++ % QEMU_STDERR_MESSAGES_MAX];

        message->n_text = stream->n_line < sizeof(message->text) ? stream->n_line : sizeof(message->text);
        memcpy(message->text, stream->line, message->n_text);
        message->at_ns = at_ns;
        message->time_ns = time_ns;
}

int qemu_stderr_read(struct qemu_stderr *stream, const char *bytes, size_t n_bytes, uint64_t at_ns,
                     uint64_t time_ns, size_t *ret_n_read, struct evidence *ret_evidence) {
        size_t at = 0;

        while (at < n_bytes) {
                const char *end = memchr(bytes + at, '\n', n_bytes - at);
                size_t n = (end ? (size_t)(end - bytes) : n_bytes) - at;
                size_t n_kept = sizeof(stream->line) - stream->n_line;
                struct qemu_stderr_signal signal;

                if (n_kept > n)
                        n_kept = n;
                memcpy(stream->line + stream->n_line, bytes + at, n_kept);
                stream->n_line += n_kept;
                at += n;
                if (!end)
                        break;
                at++;

                if (stream->n_line && stream->line[stream->n_line - 1] == '\r')
                        stream->n_line--;
                if (stream->n_signals < QEMU_STDERR_SIGNALS_MAX &&
                    qemu_stderr_signal_parse(&signal, stream->line, stream->n_line)) {
                        int r = signal_evidence(ret_evidence, &signal, !stream->n_signals);

                        stream->n_signals++;
                        stream->n_line = 0;
                        *ret_n_read = at;
                        if (r)
                                return r;
                        ret_evidence->at_ns = at_ns;
                        ret_evidence->time_ns = time_ns;
                        return QEMU_STDERR_SIGNAL;
                }
                if (stream->n_line)
                        keep_message(stream, at_ns, time_ns);
                stream->n_line = 0;
        }
        *ret_n_read = n_bytes;
        return 0;
}

size_t qemu_stderr_messages(const struct qemu_stderr *stream,
                            struct evidence ret_evidence[static QEMU_STDERR_MESSAGES_MAX]) {
        size_t n =
                stream->n_messages < QEMU_STDERR_MESSAGES_MAX ? stream->n_messages : QEMU_STDERR_MESSAGES_MAX;

        for (size_t i = 0; i < n; i++) {
                const struct qemu_stderr_message *message =
                        &stream->messages[(stream->n_messages - n + i) % QEMU_STDERR_MESSAGES_MAX];
                char text[sizeof(message->text) + 1], masked[2 * sizeof(text) + 4];

                ret_evidence[i] = evidence_make(SOURCE_STDERR, EVIDENCE_MESSAGE);
                ret_evidence[i].at_ns = message->at_ns;
                ret_evidence[i].time_ns = message->time_ns;
                /* QEMU quotes the option that it does not like, secret and all. */
                text_copy(text, sizeof(text), message->text, message->n_text);
                command_line_mask(masked, text);
                evidence_set_text(&ret_evidence[i], masked, strlen(masked));
        }
        return n;
}
