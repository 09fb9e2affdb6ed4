#include "client/http.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static int64_t now_ms(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t http_deadline(int timeout_ms) {
        return timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
}

static int wait_for(int fd, short events, int64_t deadline_ms) {
        struct pollfd poll_fd = { .fd = fd, .events = events };

        for (;;) {
                int64_t left = deadline_ms < 0 ? -1 : deadline_ms - now_ms();
                int n = poll(&poll_fd, 1, deadline_ms < 0 ? -1 : left > 0 ? (int)left : 0);

                if (n > 0)
                        return 0;
                if (n == 0)
                        return -ETIMEDOUT;
                if (errno != EINTR)
                        return -errno;
        }
}

int http_connect(int *ret_fd, const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        cleanup(closep) int fd = -1;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);
        /* connect() to a unix socket waits only for room in the listener's queue: not for longer than we do. */
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){ .tv_sec = HTTP_TIMEOUT_MS / 1000 },
                                 sizeof(struct timeval)))
                return -errno;
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)))
                return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (fcntl(fd, F_SETFL, O_NONBLOCK))
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

/*
 * What the daemon does not want to hear out may be answered all the same (too many connections): a broken pipe is no failure yet.
 */
static int send_text(int fd, const char *text, size_t n, int64_t deadline_ms) {
        while (n) {
                ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);
                int r;

                if (sent >= 0) {
                        text += sent;
                        n -= (size_t)sent;
                        continue;
                }
                if (errno == EPIPE || errno == ECONNRESET)
                        return 0;
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
                r = wait_for(fd, POLLOUT, deadline_ms);
                if (r)
                        return r;
        }
        return 0;
}

/* More bytes behind those in the buffer.  0: closed. */
static int fill(struct http *http, int64_t deadline_ms) {
        if (http->at) {
                memmove(http->buffer, http->buffer + http->at, http->n);
                http->at = 0;
        }
        if (http->n == sizeof(http->buffer))
                return -EMSGSIZE;
        for (;;) {
                ssize_t n = recv(http->fd, http->buffer + http->n, sizeof(http->buffer) - http->n, 0);
                int r;

                if (n >= 0) {
                        http->n += (size_t)n;
                        return (int)n;
                }
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
                r = wait_for(http->fd, POLLIN, deadline_ms);
                if (r)
                        return r;
        }
}

/* One line without its end, terminated in place.  It stays good until the next call. */
static int read_line(struct http *http, char **ret_line, int64_t deadline_ms) {
        for (;;) {
                char *line = http->buffer + http->at, *end = memchr(line, '\n', http->n);
                size_t n;
                int r;

                if (end) {
                        n = (size_t)(end - line);
                        *end = '\0';
                        if (n && end[-1] == '\r')
                                end[-1] = '\0';
                        http->at += n + 1;
                        http->n -= n + 1;
                        if (memchr(line, '\0', n) && strlen(line) + 1 < n)
                                return -EPROTO;
                        *ret_line = line;
                        return 0;
                }
                r = fill(http, deadline_ms);
                if (r <= 0)
                        return r ? r : -ECONNRESET;
        }
}

/* "Name: value": the value, if this is that header. */
static const char *header_value(const char *line, const char *name) {
        size_t n = strlen(name);

        if (strncasecmp(line, name, n) || line[n] != ':')
                return NULL;
        line += n + 1;
        return line + strspn(line, " \t");
}

static int parse_number(const char *text, int base, uint64_t *ret_number) {
        const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";
        size_t n = strspn(text, digits);

        /* 15 digits are more than any bound of ours. */
        if (!n || n > 15)
                return -EPROTO;
        *ret_number = strtoull(text, NULL, base);
        return 0;
}

static int read_status(struct http *http, int64_t deadline_ms) {
        char *line;
        int r;

        r = read_line(http, &line, deadline_ms);
        if (r)
                return r;
        if (strlen(line) < 12 || strncmp(line, "HTTP/1.", 7) || line[8] != ' ' || strspn(line + 9, "0123456789") != 3)
                return -EPROTO;
        http->status = (unsigned)strtoul(line + 9, NULL, 10);
        return 0;
}

static int read_head(struct http *http, int64_t deadline_ms) {
        size_t n_head = 0;
        char *line;
        int r;

        r = read_status(http, deadline_ms);
        if (r)
                return r;
        for (;;) {
                const char *value;

                r = read_line(http, &line, deadline_ms);
                if (r)
                        return r;
                if (!*line)
                        break;
                n_head += strlen(line) + 1;
                if (n_head > HTTP_HEAD_MAX)
                        return -EMSGSIZE;
                value = header_value(line, "Content-Length");
                if (value && http->framing != HTTP_CHUNKED) {
                        http->framing = HTTP_LENGTH;
                        r = parse_number(value, 10, &http->n_left);
                        if (r)
                                return r;
                }
                value = header_value(line, "Transfer-Encoding");
                if (value) {
                        if (strcasecmp(value, "chunked"))
                                return -EPROTO;
                        http->framing = HTTP_CHUNKED;
                        http->n_left = 0;
                }
        }
        return 0;
}

int http_ask(struct http *http, const char *socket_path, const char *method, const char *target, const char *body,
             int64_t deadline_ms) {
        cleanup(freep) char *text = NULL;
        int n, r, n_interim = 0;

        http->fd = -1;
        http->status = 0;
        http->framing = HTTP_UNTIL_CLOSED;
        http->n_left = 0;
        http->is_in_chunk = http->has_ended = false;
        http->at = http->n = 0;
        r = http_connect(&http->fd, socket_path);
        if (r)
                return r;
        n = body ? asprintf(&text,
                            "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
                            "Content-Length: %zu\r\n\r\n%s",
                            method, target, strlen(body), body) :
                   asprintf(&text, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method, target);
        if (n < 0) {
                text = NULL;
                return -ENOMEM;
        }
        r = send_text(http->fd, text, (size_t)n, deadline_ms);
        do {
                if (!r)
                        r = read_head(http, deadline_ms);
        } while (!r && http->status / 100 == 1 && ++n_interim < 8);
        return !r && http->status / 100 == 1 ? -EPROTO : r;
}

/*
 * At a chunk's beginning: how long it is.  The last one has no bytes, and trailers that nobody needs.  May time out between its lines
 * and be called again.
 */
static int begin_chunk(struct http *http, int64_t deadline_ms) {
        char *line;
        int r;

        r = read_line(http, &line, deadline_ms);
        if (!r && http->is_in_chunk) {
                /* The end of the one before. */
                if (*line)
                        return -EPROTO;
                http->is_in_chunk = false;
                r = read_line(http, &line, deadline_ms);
        }
        if (!r)
                r = parse_number(line, 16, &http->n_left);
        if (r)
                return r;
        http->is_in_chunk = true;
        http->has_ended = !http->n_left;
        return 0;
}

/* 0: the body has ended. */
static int read_bytes(struct http *http, char *ret_bytes, size_t n_max, int64_t deadline_ms) {
        size_t n;
        int r;

        if (!http->n) {
                r = fill(http, deadline_ms);
                if (r < 0)
                        return r;
                if (!r) {
                        http->has_ended = true;
                        return http->framing == HTTP_UNTIL_CLOSED ? 0 : -ECONNRESET;
                }
        }
        n = http->n < n_max ? http->n : n_max;
        if (http->framing != HTTP_UNTIL_CLOSED && n > http->n_left)
                n = (size_t)http->n_left;
        memcpy(ret_bytes, http->buffer + http->at, n);
        http->at += n;
        http->n -= n;
        if (http->framing != HTTP_UNTIL_CLOSED)
                http->n_left -= n;
        return (int)n;
}

int http_read(struct http *http, char *ret_bytes, size_t n_max, int64_t deadline_ms) {
        int r;

        if (http->framing == HTTP_CHUNKED && !http->n_left && !http->has_ended) {
                r = begin_chunk(http, deadline_ms);
                if (r)
                        return r;
        }
        if (http->framing == HTTP_LENGTH && !http->n_left)
                http->has_ended = true;
        return http->has_ended ? 0 : read_bytes(http, ret_bytes, n_max, deadline_ms);
}

int http_read_all(struct http *http, char **ret_text, int64_t deadline_ms) {
        cleanup(freep) char *text = NULL;
        size_t n = 0, n_max = 0;

        for (;;) {
                int r;

                if (n_max - n < 2) {
                        size_t n_wanted = n_max ? 2 * n_max : 4096;
                        char *grown = n_wanted > 2 * (size_t)HTTP_BODY_MAX ? NULL : realloc(text, n_wanted);

                        if (!grown)
                                return n_wanted > 2 * (size_t)HTTP_BODY_MAX ? -EMSGSIZE : -ENOMEM;
                        text = grown;
                        n_max = n_wanted;
                }
                r = http_read(http, text + n, n_max - n - 1, deadline_ms);
                if (r < 0)
                        return r;
                if (!r)
                        break;
                n += (size_t)r;
                if (n > HTTP_BODY_MAX)
                        return -EMSGSIZE;
        }
        text[n] = '\0';
        *ret_text = take_pointer(text);
        return 0;
}

void http_close(struct http *http) {
        close_fd(&http->fd);
}
