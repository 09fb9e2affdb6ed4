#include "client/event_stream.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <string.h>

void event_stream_deinit(struct event_stream *stream) {
        free(stream->line);
        free(stream->data);
        *stream = (struct event_stream){};
}

static void event_reset(struct event_stream *stream) {
        free(take_pointer(stream->data));
        stream->has_id = stream->is_verdict = stream->is_over = false;
}

static int add_byte(struct event_stream *stream, char byte) {
        if (stream->n_line + 1 >= stream->n_line_max) {
                size_t n_wanted = stream->n_line_max ? 2 * stream->n_line_max : 1024;
                char *grown;

                if (n_wanted > EVENT_LINE_MAX)
                        return -EMSGSIZE;
                grown = realloc(stream->line, n_wanted);
                if (!grown)
                        return -ENOMEM;
                stream->line = grown;
                stream->n_line_max = n_wanted;
        }
        stream->line[stream->n_line++] = byte;
        return 0;
}

/* "name: value"; one blank belongs to the colon. */
static const char *field_value(const char *line, const char *name) {
        size_t n = strlen(name);

        if (strncmp(line, name, n) || line[n] != ':')
                return NULL;
        line += n + 1;
        return *line == ' ' ? line + 1 : line;
}

/* The fields that are ours; all others, and comments, are passed over. */
static int take_field(struct event_stream *stream) {
        const char *value;

        value = field_value(stream->line, "id");
        if (value && *value && strspn(value, "0123456789") == strlen(value) && strlen(value) < 20) {
                stream->id = strtoull(value, NULL, 10);
                stream->has_id = true;
        }
        value = field_value(stream->line, "event");
        if (value)
                stream->is_verdict = !strcmp(value, "verdict");
        value = field_value(stream->line, "data");
        if (!value)
                return 0;
        if (stream->data)
                return -EPROTO;
        stream->data = strdup(value);
        return stream->data ? 0 : -ENOMEM;
}

/* An empty line ends an event; one without data is none. */
static int end_line(struct event_stream *stream, char **ret_data) {
        bool is_event;
        int r;

        if (stream->n_line) {
                r = add_byte(stream, '\0');
                if (!r)
                        r = take_field(stream);
                stream->n_line = 0;
                return r;
        }
        is_event = stream->data && stream->is_verdict;
        if (!is_event) {
                event_reset(stream);
                return 0;
        }
        *ret_data = take_pointer(stream->data);
        stream->is_over = true;
        return EVENT_STREAM_HAS_EVENT;
}

int event_stream_take(struct event_stream *stream, const char *bytes, size_t n, size_t *ret_n_taken, char **ret_data) {
        int r = 0;

        if (stream->is_over)
                event_reset(stream);
        for (size_t i = 0; i < n; i++) {
                bool was_cr = stream->is_after_cr;

                stream->is_after_cr = bytes[i] == '\r';
                if (bytes[i] == '\n' && was_cr)
                        continue;
                r = bytes[i] == '\n' || bytes[i] == '\r' ? end_line(stream, ret_data) : add_byte(stream, bytes[i]);
                if (r) {
                        *ret_n_taken = i + 1;
                        return r;
                }
        }
        *ret_n_taken = n;
        return 0;
}
