#include "scripted_vm.h"

#include "basics/cleanup.h"
#include "qmp/qmp_message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

enum {
        BACKLOG = 1,    /* a monitor's, chardev/char-socket.c */
        END_EVENTS = 2, /* at most, before the stream closes */
};

/* docs: the truth table; the words are QEMU's (qapi/run-state.json). */
static const struct end {
        const char *name;
        struct {
                const char *event, *data;
        } said[END_EVENTS];
} ends[] = {
        { "poweroff", { { "SHUTDOWN", "{\"guest\": true, \"reason\": \"guest-shutdown\"}" } } },
        { "quit", { { "SHUTDOWN", "{\"guest\": false, \"reason\": \"host-qmp-quit\"}" } } },
        { "signal", { { "SHUTDOWN", "{\"guest\": false, \"reason\": \"host-signal\"}" } } },
        { "panic",
          { { "GUEST_PANICKED", "{\"action\": \"poweroff\"}" }, { "SHUTDOWN", "{\"guest\": true, \"reason\": \"guest-panic\"}" } } },
        { "watchdog", { { "WATCHDOG", "{\"action\": \"poweroff\"}" } } },
        { "kill", { { NULL, NULL } } },
};

uint64_t scripted_now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_BOOTTIME, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static int watch(struct scripted_vm *vm, struct watched *watched) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = watched };

        watched->vm = vm;
        return epoll_ctl(vm->epoll, EPOLL_CTL_ADD, watched->fd, &event) < 0 ? -errno : 0;
}

int scripted_vm_start(struct scripted_vm *vm, size_t number, int epoll, const char *path, pid_t vcpu) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        cleanup(closep) int fd = -1;
        int r;

        *vm = (struct scripted_vm){ .number = number, .epoll = epoll, .listener.fd = -1, .client.fd = -1, .status = "running",
                                    .vcpu = vcpu };
        qmp_framer_init(&vm->framer, QMP_FRAMING_BRACKETS);
        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        unlink(path);
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
                return -errno;
        vm->listener.fd = fd;
        r = watch(vm, &vm->listener);
        if (r) {
                vm->listener.fd = -1;
                return r;
        }
        take_fd(&fd);
        return 0;
}

static void hang_up(struct scripted_vm *vm) {
        close_fd(&vm->client.fd);
        qmp_framer_deinit(&vm->framer);
        qmp_framer_init(&vm->framer, QMP_FRAMING_BRACKETS);
        vm->is_negotiated = false;
}

void scripted_vm_stop(struct scripted_vm *vm) {
        hang_up(vm);
        close_fd(&vm->listener.fd);
        vm->resets_left = 0;
}

bool scripted_vm_is_there(const struct scripted_vm *vm) {
        return vm->listener.fd >= 0;
}

/* Its client has gone, or has to. */
static void lose_client(struct scripted_vm *vm) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &vm->listener };

        hang_up(vm);
        /* It is watched already, unless another client waited. */
        epoll_ctl(vm->epoll, EPOLL_CTL_ADD, vm->listener.fd, &event);
}

/* A client that does not take what an idle VM says is none of ours: its socket holds more than that. */
static void send_text(struct scripted_vm *vm, const char *text, size_t n_text) {
        if (send(vm->client.fd, text, n_text, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n_text)
                lose_client(vm);
}

void scripted_vm_on_listener(struct scripted_vm *vm) {
        static const struct qmp_version version = { 7, 2, 22, "scripted" };
        cleanup(freep) char *text = NULL;
        size_t n_text;

        /* A second client waits in the backlog, ungreeted, until the first has gone: the listener is looked at again then. */
        if (vm->client.fd >= 0) {
                epoll_ctl(vm->epoll, EPOLL_CTL_DEL, vm->listener.fd, NULL);
                return;
        }
        vm->client.fd = accept4(vm->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (vm->client.fd < 0)
                return;
        if (watch(vm, &vm->client) || qmp_encode_greeting(&text, &n_text, &version, true))
                lose_client(vm);
        else
                send_text(vm, text, n_text);
}

/* "info registers -a" of one vCPU that waits for an interrupt, or for ever. */
static json_t *registers(const struct scripted_vm *vm) {
        char text[256];

        snprintf(text, sizeof(text),
                 "\r\nCPU#0\r\nEIP=00000100 EFL=%08x [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1\r\n"
                 "CS =f000 000f0000 0000ffff 00009b00\r\n",
                 vm->is_halted ? 0x2U : 0x202U);
        return json_string(text);
}

static json_t *answer_to(struct scripted_vm *vm, const struct qmp_message *command) {
        const char *property;

        if (!strcmp(command->name, "query-status"))
                return json_pack("{s:s, s:b, s:b}", "status", vm->status, "running", !strcmp(vm->status, "running"), "singlestep", 0);
        if (!strcmp(command->name, "query-cpus-fast"))
                return vm->vcpu ? json_pack("[{s:i, s:i, s:s}]", "cpu-index", 0, "thread-id", (int)vm->vcpu, "target", "x86_64")
                                : json_array();
        if (!strcmp(command->name, "qom-list"))
                return json_array();
        if (!strcmp(command->name, "qom-get")) {
                property = json_string_value(json_object_get(command->data, "property"));
                return property && !strcmp(property, "type") ? json_string("pc-i440fx-7.2-machine") : NULL;
        }
        if (!strcmp(command->name, "human-monitor-command")) {
                vm->n_looks++;
                return registers(vm);
        }
        if (!strcmp(command->name, "qmp_capabilities") || !strcmp(command->name, "cont") || !strcmp(command->name, "system_wakeup"))
                return json_object();
        return NULL;
}

static void answer(struct scripted_vm *vm, const struct qmp_message *command) {
        cleanup(freep) char *text = NULL;
        json_t *value = answer_to(vm, command);
        size_t n_text;
        int r;

        vm->n_commands++;
        if (value)
                r = qmp_encode_return(&text, &n_text, command->id, value);
        else
                r = qmp_encode_error(&text, &n_text, command->id, "CommandNotFound", "The command has not been found");
        json_decref(value);
        if (r) {
                lose_client(vm);
                return;
        }
        if (!strcmp(command->name, "qmp_capabilities"))
                vm->is_negotiated = true;
        send_text(vm, text, n_text);
}

void scripted_vm_on_client(struct scripted_vm *vm) {
        const char *line;
        ssize_t space, n;
        size_t n_line;
        char *buffer;
        int r;

        space = qmp_framer_space(&vm->framer, &buffer);
        n = space < 0 ? -1 : recv(vm->client.fd, buffer, (size_t)space, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
                qmp_framer_fill(&vm->framer, 0);
                return;
        }
        if (n <= 0) {
                lose_client(vm);
                return;
        }
        qmp_framer_fill(&vm->framer, (size_t)n);
        while (vm->client.fd >= 0 && (r = qmp_framer_next(&vm->framer, &line, &n_line)) != QMP_NEEDS_MORE) {
                struct qmp_message message;

                if (!r && !qmp_message_decode(&message, line, n_line) && message.kind == QMP_COMMAND)
                        answer(vm, &message);
                if (!r)
                        qmp_message_deinit(&message);
        }
}

uint64_t scripted_vm_say(struct scripted_vm *vm, const char *event, const char *data) {
        cleanup(freep) char *text = NULL;
        json_t *json = data && *data ? json_loads(data, 0, NULL) : NULL;
        struct timespec now;
        uint64_t at_ns = 0;
        size_t n_text;

        clock_gettime(CLOCK_REALTIME, &now);
        if ((!data || !*data || json_is_object(json)) && vm->client.fd >= 0 && vm->is_negotiated &&
            !qmp_encode_event(&text, &n_text, event, json, now.tv_sec, (int)(now.tv_nsec / 1000))) {
                if (!strcmp(event, "STOP"))
                        vm->status = "paused";
                else if (!strcmp(event, "SUSPEND"))
                        vm->status = "suspended";
                else if (!strcmp(event, "RESUME") || !strcmp(event, "WAKEUP"))
                        vm->status = "running";
                at_ns = scripted_now_ns();
                send_text(vm, text, n_text);
        }
        json_decref(json);
        return at_ns;
}

uint64_t scripted_vm_end(struct scripted_vm *vm, const char *way) {
        uint64_t first_ns = 0;

        if (!scripted_vm_is_there(vm))
                return 0;
        for (size_t i = 0; i < N_ELEMENTS(ends); i++) {
                if (strcmp(ends[i].name, way))
                        continue;
                for (size_t k = 0; k < END_EVENTS && ends[i].said[k].event; k++) {
                        uint64_t at_ns = scripted_vm_say(vm, ends[i].said[k].event, ends[i].said[k].data);

                        if (!first_ns)
                                first_ns = at_ns;
                }
                if (!first_ns)
                        first_ns = scripted_now_ns();
                scripted_vm_stop(vm);
        }
        return first_ns;
}

const char *scripted_end_name(size_t i) {
        return i < N_ELEMENTS(ends) ? ends[i].name : NULL;
}
