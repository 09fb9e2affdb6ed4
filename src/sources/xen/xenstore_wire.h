/*
 * Xenstore's wire: its messages, as bytes.
 *
 * Pure.  docs/misc/xenstore.txt and xen/include/public/io/xs_wire.h of Xen say what they are.  Does not know the socket.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        XENSTORE_PAYLOAD_MAX = 4096,
        XENSTORE_HEADER = 16,
        XENSTORE_MESSAGE_MAX = XENSTORE_HEADER + XENSTORE_PAYLOAD_MAX,
};

enum xenstore_type {
        XENSTORE_READ = 2,
        XENSTORE_WATCH = 4,
        XENSTORE_UNWATCH = 5,
        XENSTORE_WRITE = 11,
        XENSTORE_WATCH_EVENT = 15,
        XENSTORE_ERROR = 16,
        XENSTORE_IS_DOMAIN_INTRODUCED = 17,
};

struct xenstore_message {
        uint32_t type;
        uint32_t request;
        const char *payload; /* borrowed from the bytes */
        size_t n_payload;
};

/* The first message of the bytes.  Its length; 0: it is not whole yet; -EPROTO: this is no xenstore. */
int xenstore_message_read(struct xenstore_message *ret_message, const char *bytes, size_t n_bytes);

/* A request: the words, each with its NUL but for the last one's where it `is_value`.  Its length, or -E2BIG. */
int xenstore_request_write(char ret_bytes[static XENSTORE_MESSAGE_MAX], enum xenstore_type type, uint32_t request, const char *first, const char *second, bool is_value);

/* The number that a watch was set with; -EINVAL: it is none of ours. */
int xenstore_event_token(uint64_t *ret_token, const struct xenstore_message *message);

/* What an error says, as a negative number. */
int xenstore_error(const struct xenstore_message *message);
