/*
 * HTTP: one question on a connection of its own to a unix socket (RFC 9112).
 *
 * Knows heads, lengths and chunks, and trusts nothing of what comes: everything is bounded, in bytes and in time.  Does not know what is
 * asked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        HTTP_HEAD_MAX = 16 * 1024,
        HTTP_BODY_MAX = 64 << 20,
        HTTP_BUFFER_MAX = 16 * 1024,
        HTTP_TIMEOUT_MS = 30000,
};

enum http_framing {
        HTTP_UNTIL_CLOSED,
        HTTP_LENGTH,
        HTTP_CHUNKED,
};

/* An answer that is being read: embedded, about HTTP_BUFFER_MAX bytes. */
struct http {
        int fd;
        unsigned status;
        enum http_framing framing;
        uint64_t n_left; /* of the body or of the chunk */
        bool is_in_chunk;
        bool has_ended;
        size_t at, n; /* bytes of `buffer` that were read from the socket and not yet taken */
        char buffer[HTTP_BUFFER_MAX];
};

/* Milliseconds of CLOCK_MONOTONIC from now, for the deadlines below; -1 is never. */
int64_t http_deadline(int timeout_ms);

/* Connect.  -ENAMETOOLONG, -ENOENT, -ECONNREFUSED, -EACCES … */
int http_connect(int *ret_fd, const char *path);

/*
 * Ask, and read the answer's head.  `body` may be NULL.  `http` is initialised whatever happens; http_close() is always due.
 * -ETIMEDOUT, -ECONNRESET; -EPROTO: no HTTP; -EMSGSIZE: too much of it.
 */
int http_ask(struct http *http, const char *socket_path, const char *method, const char *target, const char *body,
             int64_t deadline_ms);

/*
 * Read some of the body: a number of bytes, 0 at its end, -errno as above.  A body that is cut short is -ECONNRESET.
 */
int http_read(struct http *http, char *ret_bytes, size_t n_max, int64_t deadline_ms);

/* All that is left of it, terminated; to be freed. */
int http_read_all(struct http *http, char **ret_text, int64_t deadline_ms);

void http_close(struct http *http);
