/*
 * Fuzz: any bytes as what a source in another process says.
 *
 * The laws: however the bytes come, the same lines come out of them, none longer than the bound; what is taken as a message has texts
 * within their bounds, printable; written and read again it is the same.
 */
#include <stdint.h>
#include <string.h>

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "sources/wire/wire_lines.h"
#include "sources/wire/wire_message.h"

/* Holds in a release build, too. */
#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t n_max) {
        size_t n = strnlen(text, n_max);

        law(n < n_max);
        for (size_t i = 0; i < n; i++)
                law((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void check_vm(const struct wire_vm *vm) {
        check_text(vm->name, sizeof(vm->name));
        check_text(vm->uuid, sizeof(vm->uuid));
        check_text(vm->backend, sizeof(vm->backend));
        check_text(vm->instance, sizeof(vm->instance));
        check_text(vm->policy, sizeof(vm->policy));
        check_text(vm->monitor, sizeof(vm->monitor));
        check_text(vm->state, sizeof(vm->state));
        check_text(vm->device_model, sizeof(vm->device_model));
        law(vm->pid >= 0 && vm->pid <= INT32_MAX && vm->n_restarts >= 0 && vm->domid >= 0 && vm->domid <= INT32_MAX);
        if (vm->command_line)
                check_text(vm->command_line, WIRE_COMMAND_MAX);
}

static void check(const struct wire_message *message) {
        law(message->kind <= WIRE_UNKNOWN);
        check_text(message->of, sizeof(message->of));
        if (message->kind == WIRE_HELLO) {
                check_text(message->hello.program, sizeof(message->hello.program));
                check_text(message->hello.database, sizeof(message->hello.database));
                law(message->hello.protocol >= 1 && message->hello.sources < (1u << _SOURCE_N));
                check_vm(&message->hello.vm);
        }
        if (message->kind == WIRE_VM)
                check_vm(&message->vm);
        if (message->kind == WIRE_EVIDENCE) {
                law(message->evidence.source < _SOURCE_N && message->evidence.kind < _EVIDENCE_KIND_N);
                law(message->evidence.at_ns <= INT64_MAX && message->evidence.seq <= INT64_MAX);
                check_text(message->evidence.word, sizeof(message->evidence.word));
                check_text(message->evidence.text, sizeof(message->evidence.text));
        }
        if (message->kind == WIRE_VERDICT)
                check_text(message->verdict, sizeof(message->verdict));
        if (message->kind == WIRE_REFUSED)
                check_text(message->why, sizeof(message->why));
        if (message->kind == WIRE_REQUEST) {
                law(message->request.number > 0 && message->request.command[0]);
                check_text(message->request.of, sizeof(message->request.of));
                check_text(message->request.command, sizeof(message->request.command));
                check_text(message->request.name, sizeof(message->request.name));
        }
        if (message->kind == WIRE_DONE) {
                law(message->done.number > 0);
                check_text(message->done.why, sizeof(message->done.why));
        }
        if (message->kind == WIRE_TROUBLE)
                check_text(message->trouble, sizeof(message->trouble));
        if (message->kind == WIRE_CONFIGURE)
                check_text(message->configure.xen_policy, sizeof(message->configure.xen_policy));
}

struct hearing {
        uint64_t hash; /* of all lines */
        bool reads;
};

static int hear(void *userdata, const char *line, size_t n_line) {
        struct hearing *hearing = userdata;
        struct wire_message message, again;
        cleanup(freep) char *text = NULL, *text_again = NULL;
        size_t n_text, n_text_again;

        law(n_line > 1 && n_line <= WIRE_LINE_MAX && line[n_line - 1] == '\n' && !memchr(line, '\n', n_line - 1));
        for (size_t i = 0; i < n_line; i++)
                hearing->hash = (hearing->hash ^ (unsigned char)line[i]) * UINT64_C(1099511628211);
        if (!hearing->reads || wire_message_read(&message, line, n_line))
                return 0;
        check(&message);
        if (message.kind != WIRE_UNKNOWN) {
                law(!wire_message_write(&message, &text, &n_text));
                law(!wire_message_read(&again, text, n_text) && again.kind == message.kind);
                check(&again);
                if (message.kind == WIRE_EVIDENCE)
                        law(evidence_is_same(&message.evidence, &again.evidence));
                law(!wire_message_write(&again, &text_again, &n_text_again));
                law(n_text == n_text_again && !memcmp(text, text_again, n_text));
                wire_message_deinit(&again);
        }
        wire_message_deinit(&message);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct wire_lines whole = { 0 }, pieces = { 0 };
        struct hearing first = { 0, true }, second = { 0, false };
        size_t step = size ? data[0] % 16 + 1 : 1;
        int r, s = 0;

        r = wire_lines_take(&whole, (const char *)data, size, hear, &first);
        for (size_t at = 0; !s && at < size; at += step)
                s = wire_lines_take(&pieces, (const char *)data + at, size - at < step ? size - at : step, hear, &second);
        law(r == s && first.hash == second.hash);
        law(r || whole.n_held == pieces.n_held);
        wire_lines_deinit(&whole);
        wire_lines_deinit(&pieces);
        return 0;
}
