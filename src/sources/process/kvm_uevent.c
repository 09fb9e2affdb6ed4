#include "sources/process/kvm_uevent.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

/* "EVENT=create": the value if the line has that key. */
static const char *value_of(const char *line, const char *key) {
        size_t n = strlen(key);

        return !strncmp(line, key, n) && line[n] == '=' ? line + n + 1 : NULL;
}

static bool read_number(uint64_t *ret_number, const char *text) {
        uint64_t number = 0;

        if (!*text)
                return false;
        for (; *text; text++) {
                unsigned digit = (unsigned)*text - '0';

                if (digit > 9 || number > (UINT64_MAX - digit) / 10)
                        return false;
                number = number * 10 + digit;
        }
        *ret_number = number;
        return true;
}

static bool read_stats_path(char ret_path[static KVM_STATS_PATH_MAX], const char *text) {
        size_t n = strlen(text);

        if (n >= KVM_STATS_PATH_MAX)
                return false;
        for (size_t i = 0; i < n; i++)
                if (text[i] <= ' ' || text[i] > '~')
                        return false;
        memcpy(ret_path, text, n + 1);
        return true;
}

int kvm_uevent_parse(struct kvm_uevent *ret_uevent, const char *bytes, size_t n_bytes) {
        struct kvm_uevent uevent = { 0 };
        const char *event = NULL;
        bool is_whole = true;
        uint64_t tid = 0;

        if (n_bytes < sizeof(KVM_UEVENT_HEADER) ||
            memcmp(bytes, KVM_UEVENT_HEADER, sizeof(KVM_UEVENT_HEADER)) || bytes[n_bytes - 1])
                return KVM_UEVENT_NONE;

        /* Each line ends in NUL, and so does the message. */
        for (size_t i = sizeof(KVM_UEVENT_HEADER); i < n_bytes; i += strlen(bytes + i) + 1) {
                const char *line = bytes + i;
                const char *value;

                if ((value = value_of(line, "EVENT")))
                        event = value;
                else if ((value = value_of(line, "PID")))
                        is_whole &= read_number(&tid, value);
                else if ((value = value_of(line, "COUNT")))
                        is_whole &= read_number(&uevent.count, value);
                else if ((value = value_of(line, "CREATED")))
                        is_whole &= read_number(&uevent.created, value);
                else if ((value = value_of(line, "STATS_PATH")))
                        is_whole &= read_stats_path(uevent.stats_path, value);
        }
        if (!event)
                return KVM_UEVENT_NONE; /* somebody wrote to /sys/devices/virtual/misc/kvm/uevent */
        if (!strcmp(event, "create"))
                uevent.kind = KVM_UEVENT_CREATE;
        else if (!strcmp(event, "destroy"))
                uevent.kind = KVM_UEVENT_DESTROY;
        else
                return KVM_UEVENT_NONE; /* a newer kernel's */
        if (!is_whole || !tid || tid > INT_MAX)
                return -EBADMSG;
        uevent.tid = (pid_t)tid;

        *ret_uevent = uevent;
        return 0;
}
