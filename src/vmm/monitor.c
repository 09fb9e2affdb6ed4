#include "vmm/monitor.h"

#include "basics/cleanup.h"
#include "qmp/qmp_message.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static const struct qmp_version version = { .major = 0, .minor = 1, .micro = 0, .package = "vmpower-vmm" };

void monitor_init(struct monitor *monitor, struct vm *vm, void (*send)(void *userdata, const char *text, size_t n), void *userdata) {
        *monitor = (struct monitor){ .vm = vm, .send = send, .userdata = userdata };
        qmp_framer_init(&monitor->framer, QMP_FRAMING_BRACKETS);
        json_object_seed(0); /* of a file, which cannot be read later */
}

void monitor_deinit(struct monitor *monitor) {
        qmp_framer_deinit(&monitor->framer);
}

/* `r` is what an encoder said; without memory nothing is said. */
static void say(struct monitor *monitor, int r, char *text, size_t n) {
        if (!r) {
                monitor->send(monitor->userdata, text, n);
                free(text);
        }
}

static void say_error(struct monitor *monitor, json_t *id, const char *error_class, const char *words) {
        char *text;
        size_t n;
        int r = qmp_encode_error(&text, &n, id, error_class, words);

        say(monitor, r, text, n);
}

void monitor_begin(struct monitor *monitor) {
        char *text;
        size_t n;
        int r = qmp_encode_greeting(&text, &n, &version, false);

        qmp_framer_deinit(&monitor->framer);
        qmp_framer_init(&monitor->framer, QMP_FRAMING_BRACKETS);
        monitor->is_negotiated = false;
        say(monitor, r, text, n);
}

void monitor_event(struct monitor *monitor, const char *name, json_t *data) {
        struct timespec now;
        char *text;
        size_t n;
        int r;

        if (!monitor->is_negotiated)
                return;
        clock_gettime(CLOCK_REALTIME, &now);
        r = qmp_encode_event(&text, &n, name, data, now.tv_sec, (int)(now.tv_nsec / 1000));
        say(monitor, r, text, n);
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

/* NULL: it is done, with *ret_value (owned by the caller; NULL: nothing) to return; else what is wrong, in words. */
typedef const char *(*command_fn)(struct vm *vm, json_t *arguments, json_t **ret_value);

static const char *query_status(struct vm *vm, json_t *arguments, json_t **ret_value) {
        *ret_value = json_pack("{s:s, s:b, s:b}", "status", vm_status(vm), "singlestep", 0, "running", vm->state == RUN_STATE_RUNNING);
        return NULL;
}

static const char *query_name(struct vm *vm, json_t *arguments, json_t **ret_value) {
        *ret_value = vm->name ? json_pack("{s:s}", "name", vm->name) : json_object();
        return NULL;
}

static const char *query_version(struct vm *vm, json_t *arguments, json_t **ret_value) {
        *ret_value = json_pack("{s:{s:i, s:i, s:i}, s:s}", "qemu", "major", version.major, "minor", version.minor, "micro", version.micro,
                               "package", version.package);
        return NULL;
}

static const char *stop(struct vm *vm, json_t *arguments, json_t **ret_value) {
        vm_stop(vm);
        return NULL;
}

static const char *cont(struct vm *vm, json_t *arguments, json_t **ret_value) {
        return vm_continue(vm) ? "Resetting the Virtual Machine is required" : NULL;
}

static const char *check_wakeup(struct vm *vm, json_t *arguments, json_t **ret_value) {
        return vm->state == RUN_STATE_SUSPENDED ? NULL : "Unable to wake up: guest is not in suspended state";
}

static const char *set_action(struct vm *vm, json_t *arguments, json_t **ret_value) {
        static const char *const names[] = { "reboot", "shutdown", "panic", "halt" };
        const char *values[N_ELEMENTS(names)];

        for (size_t i = 0; i < N_ELEMENTS(names); i++) {
                json_t *value = json_object_get(arguments, names[i]);

                values[i] = json_string_value(value);
                if (value && !values[i])
                        return "an action is a string";
        }
        return vm_set_actions(vm, values[0], values[1], values[2], values[3]) ? "there is no such action" : NULL;
}

static void quit(struct vm *vm, uint64_t now_ns) {
        vm_quit(vm);
}

static void powerdown(struct vm *vm, uint64_t now_ns) {
        vm_powerdown(vm, now_ns);
}

static void wakeup(struct vm *vm, uint64_t now_ns) {
        vm_wakeup(vm);
}

/* Some are done before QEMU answers (stop: its event comes first), others after. */
static const struct command {
        const char *name;
        command_fn run;                                /* NULL: nothing */
        void (*after)(struct vm *vm, uint64_t now_ns); /* NULL: nothing */
} commands[] = {
        { "cont", cont, NULL },
        { "query-name", query_name, NULL },
        { "query-status", query_status, NULL },
        { "query-version", query_version, NULL },
        { "quit", NULL, quit },
        { "set-action", set_action, NULL },
        { "stop", stop, NULL },
        { "system_powerdown", NULL, powerdown },
        { "system_reset", NULL, vm_reset },
        { "system_wakeup", check_wakeup, wakeup },
};

static const struct command *find_command(const char *name) {
        for (size_t i = 0; i < N_ELEMENTS(commands); i++)
                if (!strcmp(commands[i].name, name))
                        return &commands[i];
        return NULL;
}

static void say_return(struct monitor *monitor, json_t *id, json_t *value) {
        char *text;
        size_t n;
        int r = qmp_encode_return(&text, &n, id, value);

        say(monitor, r, text, n);
}

static void negotiate(struct monitor *monitor, const struct qmp_message *message) {
        if (strcmp(message->name, "qmp_capabilities") != 0) {
                say_error(monitor, message->id, "CommandNotFound", "Expecting capabilities negotiation with 'qmp_capabilities'");
                return;
        }
        monitor->is_negotiated = true;
        say_return(monitor, message->id, NULL);
}

static void run(struct monitor *monitor, const struct qmp_message *message, uint64_t now_ns) {
        const struct command *command = find_command(message->name);
        json_t *value = NULL;
        const char *wrong;

        if (!command) {
                say_error(monitor, message->id, "CommandNotFound", "The command has not been found");
                return;
        }
        wrong = command->run ? command->run(monitor->vm, message->data, &value) : NULL;
        if (wrong)
                say_error(monitor, message->id, "GenericError", wrong);
        else
                say_return(monitor, message->id, value);
        json_decref(value);
        if (!wrong && command->after)
                command->after(monitor->vm, now_ns);
}

ssize_t monitor_space(struct monitor *monitor, char **ret_buffer) {
        return qmp_framer_space(&monitor->framer, ret_buffer);
}

static void take_line(struct monitor *monitor, const char *line, size_t length, uint64_t now_ns) {
        struct qmp_message message;
        int r = qmp_message_decode(&message, line, length);

        if (r == QMP_MALFORMED || (!r && message.kind != QMP_COMMAND))
                say_error(monitor, message.id, "GenericError", r ? message.defect : "A command has the member 'execute'");
        else if (!r && !monitor->is_negotiated)
                negotiate(monitor, &message);
        else if (!r)
                run(monitor, &message, now_ns);
        qmp_message_deinit(&message);
}

void monitor_take(struct monitor *monitor, size_t n, uint64_t now_ns) {
        const char *line;
        size_t length;
        int r;

        qmp_framer_fill(&monitor->framer, n);
        while ((r = qmp_framer_next(&monitor->framer, &line, &length)) != QMP_NEEDS_MORE)
                if (r == QMP_LINE_TOO_LONG)
                        say_error(monitor, NULL, "GenericError", "the command is too long");
                else
                        take_line(monitor, line, length, now_ns);
}
