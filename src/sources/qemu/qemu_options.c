#include "sources/qemu/qemu_options.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "sources/qemu/qemu_words.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Devices that stand for the first serial port: default_list[] in QEMU's softmmu/vl.c. */
static const char *const serial_devices[] = { "isa-serial", "xen-console" };

/*
 * A member of "value,key=value,key=value"; a comma within a value is doubled.  `implied` is the key of a
 * first member that has none.  The last one counts.  Returns whether there was one.
 */
static bool find_member(char *ret_value, size_t n_ret, const char *members, const char *implied,
                        const char *key) {
        bool is_found = false;

        for (bool is_first = true; *members; is_first = false) {
                size_t n_key = strcspn(members, "=,");
                bool is_named = members[n_key] == '=';
                bool is_wanted = is_named ? n_key == strlen(key) && !strncmp(members, key, n_key)
                                          : is_first && implied && !strcmp(implied, key);
                size_t n = 0;

                if (is_named)
                        members += n_key + 1;
                for (; *members; members++) {
                        if (*members == ',') {
                                if (members[1] != ',')
                                        break;
                                members++;
                        }
                        if (is_wanted && n + 1 < n_ret)
                                ret_value[n++] = *members;
                }
                if (is_wanted) {
                        ret_value[n] = '\0';
                        is_found = true;
                }
                if (*members)
                        members++;
        }
        return is_found;
}

static void read_action(struct qemu_options *options, const char *members) {
        find_member(options->on_reboot, sizeof(options->on_reboot), members, NULL, "reboot");
        find_member(options->on_shutdown, sizeof(options->on_shutdown), members, NULL, "shutdown");
        find_member(options->on_panic, sizeof(options->on_panic), members, NULL, "panic");
        find_member(options->on_watchdog, sizeof(options->on_watchdog), members, NULL, "watchdog");
}

/* Options that only print what there is when asked for "help". */
static const char *const helpful_options[] = {
        "L",      "M",       "accel", "action", "add-fd", "audio", "audiodev",   "boot", "chardev", "cpu",    "d",   "device", "display",
        "global", "machine", "msg",   "net",    "netdev", "nic",   "overcommit", "object", "rtc",   "smp",    "spice", "tpmdev", "trace",
        "vga",    "vnc",     "watchdog",
};

/* "help", "?", and "virtio-net-pci,help": what a device can be told. */
static bool asks_for_help(const char *argument) {
        size_t n = strlen(argument);

        return !strcmp(argument, "help") || !strcmp(argument, "?") || (n > 5 && !strcmp(argument + n - 5, ",help"));
}

static void add_device(struct qemu_options *options, const char *driver) {
        if (qemu_word_is_one_of(driver, serial_devices, N_ELEMENTS(serial_devices)))
                options->has_serial = true;
        if (!strcmp(driver, "isa-debug-exit"))
                options->has_debug_exit = true;
}

/* -device: "isa-debug-exit,iobase=0xf4" or the same in JSON. */
static void read_device(struct qemu_options *options, const char *device) {
        char driver[64] = "";
        json_t *object;

        if (*device != '{') {
                find_member(driver, sizeof(driver), device, "driver", "driver");
                add_device(options, driver);
                return;
        }
        object = json_loads(device, 0, NULL);
        if (json_is_string(json_object_get(object, "driver")))
                add_device(options, json_string_value(json_object_get(object, "driver")));
        json_decref(object);
}

/* -global: "isa-serial.iobase=0x3f8" or "driver=isa-serial,…": QEMU counts it as the device itself. */
static void read_global(struct qemu_options *options, const char *global) {
        for (size_t i = 0; i < N_ELEMENTS(serial_devices); i++) {
                size_t n = strlen(serial_devices[i]);
                char driver[64] = "";

                find_member(driver, sizeof(driver), global, NULL, "driver");
                if (!strcmp(driver, serial_devices[i]) ||
                    (!strncmp(global, serial_devices[i], n) && global[n] == '.'))
                        options->has_serial = true;
        }
}

/* -M: "none" is the one machine of QEMU's for x86 that has no place for a serial port. */
static void read_machine(struct qemu_options *options, const char *machine) {
        char type[64] = "";

        if (find_member(type, sizeof(type), machine, "type", "type") && !strcmp(type, "none"))
                options->has_serial = true;
}

static void read_lone(struct qemu_options *options, const char *option) {
        if (!strcmp(option, "S")) {
                options->stopped = true;
        } else if (!strcmp(option, "daemonize")) {
                options->daemonize = true;
        } else if (!strcmp(option, "preconfig")) {
                options->preconfig = true;
        } else if (!strcmp(option, "nographic")) {
                options->nographic = true;
        } else if (!strcmp(option, "nodefaults")) {
                options->has_default_monitor = false;
        } else if (!strcmp(option, "no-reboot")) {
                options->no_reboot = true;
                read_action(options, "reboot=shutdown");
        } else if (!strcmp(option, "no-shutdown")) {
                options->no_shutdown = true;
                read_action(options, "shutdown=pause");
        } else if (!strcmp(option, "h") || !strcmp(option, "help") || !strcmp(option, "version") ||
                   !strcmp(option, "audio-help")) {
                options->only_informs = true;
        }
}

/* -display: what is no window, and what nobody sits before. */
static bool is_window(const char *display) {
        static const char *const others[] = { "none", "vnc", "egl-headless", "dbus", "spice-app" };
        char type[32];

        text_copy(type, sizeof(type), display, strcspn(display, ",="));
        return !qemu_word_is_one_of(type, others, N_ELEMENTS(others));
}

/* Which options switch QEMU's own monitor off: softmmu/vl.c, wherever default_monitor is set. */
static void read_option(struct qemu_options *options, const char *option, const char *argument) {
        if (asks_for_help(argument) &&
            qemu_word_is_one_of(option, helpful_options, N_ELEMENTS(helpful_options)))
                options->only_informs = true;
        if (!strcmp(option, "dump-vmstate")) {
                options->only_informs = true;
        } else if (!strcmp(option, "name")) {
                char name[QEMU_NAME_MAX];

                if (find_member(name, sizeof(name), argument, "guest", "guest"))
                        text_set(options->name, sizeof(options->name), name);
        } else if (!strcmp(option, "uuid")) {
                text_set(options->uuid, sizeof(options->uuid), argument);
        } else if (!strcmp(option, "incoming")) {
                options->incoming = argument;
        } else if (!strcmp(option, "action")) {
                read_action(options, argument);
        } else if (!strcmp(option, "watchdog-action")) {
                text_set(options->on_watchdog, sizeof(options->on_watchdog), argument);
        } else if (!strcmp(option, "monitor") || !strcmp(option, "qmp") || !strcmp(option, "qmp-pretty") ||
                   !strcmp(option, "mon")) {
                options->has_default_monitor = false;
        } else if (!strcmp(option, "serial")) {
                options->has_serial = true;
                if (!strncmp(argument, "mon:", 4))
                        options->has_default_monitor = false;
        } else if (!strcmp(option, "parallel")) {
                if (!strncmp(argument, "mon:", 4))
                        options->has_default_monitor = false;
        } else if (!strcmp(option, "device")) {
                read_device(options, argument);
        } else if (!strcmp(option, "global")) {
                read_global(options, argument);
        } else if (!strcmp(option, "M") || !strcmp(option, "machine")) {
                read_machine(options, argument);
        } else if (!strcmp(option, "display")) {
                options->has_window = is_window(argument);
                options->has_display = true;
        } else if ((!strcmp(option, "vnc") || !strcmp(option, "spice")) && !options->has_display) {
                options->has_window = false;
        }
}

/* Its options have none of QEMU's meanings. */
static void read_vmpower_vmm(struct qemu_options *options, struct qemu_words *words) {
        static const char *const informing[] = { "help", "h", "version" };
        const char *option, *argument;

        *options = (struct qemu_options){ .is_vmpower_vmm = true };
        while (qemu_words_next(words, &option, &argument)) {
                if (!strcmp(option, "name") && argument)
                        text_set(options->name, sizeof(options->name), argument);
                options->stopped = options->stopped || !strcmp(option, "paused");
                options->says_on_halt = options->says_on_halt || !strcmp(option, "on-halt");
                options->only_informs = options->only_informs || qemu_word_is_one_of(option, informing, N_ELEMENTS(informing));
        }
}

void qemu_options_read(struct qemu_options *ret_options, size_t n_argv, char *const *argv) {
        struct qemu_options options = { .has_default_monitor = true, .has_window = true };
        const char *option, *argument;
        struct qemu_words words;

        qemu_words_init(&words, n_argv, argv);
        if (words.is_vmpower_vmm) {
                read_vmpower_vmm(ret_options, &words);
                return;
        }
        while (qemu_words_next(&words, &option, &argument)) {
                if (argument)
                        read_option(&options, option, argument);
                else
                        read_lone(&options, option);
                /* "file:/dev/stderr", "file,id=a,path=/proc/self/fd/2": rather one too many. */
                options.shares_stderr = options.shares_stderr || (argument && (strstr(argument, "/stderr") || strstr(argument, "/fd/2")));
        }
        options.has_window = options.has_window && !options.nographic;
        *ret_options = options;
}

/* What is left on the line for QEMU's own monitor: qemu_create_default_devices() in QEMU's softmmu/vl.c. */
static size_t add_default_monitor(const char *words[2], const struct qemu_options *options) {
        if (!options->has_default_monitor)
                return 0;
        if (options->nographic && !options->has_serial) {
                words[0] = "-serial";
                words[1] = "mon:stdio";
        } else {
                words[0] = "-monitor";
                words[1] = options->nographic ? "stdio" : "vc:80Cx24C";
        }
        return 2;
}

/* The policy is ours, unless the line says what is to become of a guest that halts. */
static int vmpower_vmm_arguments(char ***ret_arguments, const struct qemu_options *options, const char *path) {
        const char *words[6] = { "--qmp", path };
        size_t n = 2, n_texts = 0;
        char **arguments, *text;

        if (!options->stopped)
                words[n++] = "--paused";
        if (!options->says_on_halt) {
                words[n++] = "--on-halt";
                words[n++] = "none";
        }
        for (size_t i = 0; i < n; i++)
                n_texts += strlen(words[i]) + 1;
        arguments = malloc((n + 1) * sizeof(*arguments) + n_texts);
        if (!arguments)
                return -ENOMEM;
        text = (char *)(arguments + n + 1);
        for (size_t i = 0; i < n; i++) {
                arguments[i] = text;
                text = stpcpy(text, words[i]) + 1;
        }
        arguments[n] = NULL;
        *ret_arguments = arguments;
        return 0;
}

int qemu_options_monitor_arguments(char ***ret_arguments, const struct qemu_options *options,
                                   const char *path) {
        static const char before[] = "socket,id=vmpower,path=";
        static const char after[] = ",server=on,wait=off";
        const char *words[] = { "-chardev", "", "-mon", "chardev=vmpower,mode=control", NULL, NULL, NULL };
        size_t n_words = 4;
        size_t n_texts = strlen(before) + strlen(after) + 2 * strlen(path);
        char **arguments;
        char *text;

        if (options->is_vmpower_vmm)
                return vmpower_vmm_arguments(ret_arguments, options, path);
        if (!options->stopped && !options->preconfig)
                words[n_words++] = "-S";
        n_words += add_default_monitor(words + n_words, options);
        for (size_t i = 0; i < n_words; i++)
                n_texts += strlen(words[i]) + 1;

        arguments = malloc((n_words + 1) * sizeof(*arguments) + n_texts);
        if (!arguments)
                return -ENOMEM;
        text = (char *)(arguments + n_words + 1);
        for (size_t i = 0; i < n_words; i++) {
                arguments[i] = text;
                if (i != 1) {
                        text = stpcpy(text, words[i]) + 1;
                        continue;
                }
                text = stpcpy(text, before);
                for (const char *p = path; *p; p++) {
                        if (*p == ',')
                                *text++ = ',';
                        *text++ = *p;
                }
                text = stpcpy(text, after) + 1;
        }
        arguments[n_words] = NULL;

        *ret_arguments = arguments;
        return 0;
}
