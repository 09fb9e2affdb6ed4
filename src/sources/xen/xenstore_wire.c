#include "sources/xen/xenstore_wire.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Native order, as whoever is on the other side of a local socket has it. */
struct header {
        uint32_t type, request, transaction, length;
};

int xenstore_message_read(struct xenstore_message *ret_message, const char *bytes, size_t n_bytes) {
        struct header header;

        static_assert(sizeof(header) == XENSTORE_HEADER, "four words");
        if (n_bytes < sizeof(header))
                return 0;
        memcpy(&header, bytes, sizeof(header));
        if (header.length > XENSTORE_PAYLOAD_MAX)
                return -EPROTO;
        if (n_bytes - sizeof(header) < header.length)
                return 0;
        *ret_message = (struct xenstore_message){
                .type = header.type,
                .request = header.request,
                .payload = bytes + sizeof(header),
                .n_payload = header.length,
        };
        return (int)(sizeof(header) + header.length);
}

int xenstore_request_write(char ret_bytes[static XENSTORE_MESSAGE_MAX], enum xenstore_type type, uint32_t request, const char *first, const char *second,
                           bool is_value) {
        size_t n_first = strlen(first) + 1, n_second = second ? strlen(second) + !is_value : 0;
        struct header header = { .type = (uint32_t)type, .request = request, .length = (uint32_t)(n_first + n_second) };

        if (n_first > XENSTORE_PAYLOAD_MAX || n_second > XENSTORE_PAYLOAD_MAX - n_first)
                return -E2BIG;
        memcpy(ret_bytes, &header, sizeof(header));
        memcpy(ret_bytes + sizeof(header), first, n_first);
        if (second)
                memcpy(ret_bytes + sizeof(header) + n_first, second, n_second);
        return (int)(sizeof(header) + n_first + n_second);
}

int xenstore_event_token(uint64_t *ret_token, const struct xenstore_message *message) {
        const char *end = message->payload + message->n_payload, *at = memchr(message->payload, '\0', message->n_payload);
        uint64_t token = 0;
        size_t n = 0;

        if (!at)
                return -EINVAL;
        for (at++; at < end && isdigit((unsigned char)*at) && n < 19; at++, n++)
                token = token * 10 + (uint64_t)(*at - '0');
        if (!n || at == end || *at)
                return -EINVAL;
        *ret_token = token;
        return 0;
}

int xenstore_error(const struct xenstore_message *message) {
        static const struct {
                const char *name;
                int error;
        } errors[] = {
                { "EINVAL", EINVAL }, { "EACCES", EACCES }, { "EEXIST", EEXIST }, { "EISDIR", EISDIR }, { "ENOENT", ENOENT }, { "ENOMEM", ENOMEM },
                { "ENOSPC", ENOSPC }, { "EROFS", EROFS },   { "EBUSY", EBUSY },   { "EAGAIN", EAGAIN }, { "E2BIG", E2BIG },   { "EPERM", EPERM },
        };

        for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
                if (message->n_payload == strlen(errors[i].name) + 1 && !memcmp(message->payload, errors[i].name, message->n_payload))
                        return -errors[i].error;
        return -EIO;
}
