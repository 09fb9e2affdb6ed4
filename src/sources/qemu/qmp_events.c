#include "sources/qemu/qmp_events.h"
#include "basics/cleanup.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* QEMU's qapi/run-state.json, qapi/misc.json and qapi/block-core.json. */
static const struct {
        const char *name;
        enum evidence_kind kind;
} events[] = {
        { "SHUTDOWN", EVIDENCE_SHUTDOWN },
        { "RESET", EVIDENCE_RESET },
        { "POWERDOWN", EVIDENCE_POWERDOWN },
        { "STOP", EVIDENCE_STOP },
        { "RESUME", EVIDENCE_RESUME },
        { "SUSPEND", EVIDENCE_SUSPEND },
        { "SUSPEND_DISK", EVIDENCE_SUSPEND_DISK },
        { "WAKEUP", EVIDENCE_WAKEUP },
        { "WATCHDOG", EVIDENCE_WATCHDOG },
        { "GUEST_PANICKED", EVIDENCE_GUEST_PANICKED },
        { "GUEST_CRASHLOADED", EVIDENCE_GUEST_CRASHLOADED },
        { "GUEST_PVSHUTDOWN", EVIDENCE_GUEST_PVSHUTDOWN },
        { "BLOCK_IO_ERROR", EVIDENCE_BLOCK_IO_ERROR },
        /* vmpower-vmm's: docs/machine.md. */
        { "HALTED", EVIDENCE_REGISTERS },
};

/*
 * Devices that end a VM by themselves, or tell why it ends: isa-debug-exit without any event, the
 * others with one that is understood only by whoever knows of them.
 */
static const char *const ending_devices[] = {
        /* A write is an exit with an odd status. */
        "isa-debug-exit",
        /* A write powers off or resets, in machines without ACPI. */
        "riscv.sifive.test",
        "gpio-pwr",
        /* The guest says that it panicked, or shuts down. */
        "pvpanic",
        "pvpanic-pci",
        "pvpanic-mmio",
        /* Watchdogs; that of ICH9 is part of every q35. */
        "ib700",
        "i6300esb",
        "diag288",
        "sbsa-gwdt",
        /* A chassis command powers off, resets, presses the button. */
        "ipmi-bmc-sim",
        "ipmi-bmc-extern",
};

static const char *member(const json_t *data, const char *key) {
        const char *text = json_string_value(json_object_get(data, key));

        return text ? text : "";
}

static enum tristate member_flag(const json_t *data, const char *key) {
        const json_t *value = json_object_get(data, key);

        if (!json_is_boolean(value))
                return TRISTATE_NULL;
        return json_is_true(value) ? TRISTATE_TRUE : TRISTATE_FALSE;
}

/* Which disk: by its drive, its node or its device, whichever this QEMU names. */
static const char *member_device(const json_t *data) {
        static const char *const keys[] = { "device", "node-name", "qom-path" };

        for (size_t i = 0; i < N_ELEMENTS(keys); i++)
                if (*member(data, keys[i]))
                        return member(data, keys[i]);
        return "";
}

bool qmp_evidence_from_event(struct evidence *ret_evidence, const char *name, const json_t *data) {
        const struct evidence_kind_info *info;
        size_t i;

        for (i = 0; i < N_ELEMENTS(events); i++)
                if (!strcmp(events[i].name, name))
                        break;
        if (i == N_ELEMENTS(events))
                return false;

        *ret_evidence = evidence_make(SOURCE_QMP, events[i].kind);
        /* Our names of these members are QMP's own. */
        info = evidence_kind_info(events[i].kind);
        if (info->flag)
                ret_evidence->flag = member_flag(data, info->flag);
        if (info->word)
                evidence_set_word(ret_evidence, member(data, info->word));
        if (events[i].kind == EVIDENCE_BLOCK_IO_ERROR)
                evidence_set_text(ret_evidence, member_device(data), strlen(member_device(data)));
        if (events[i].kind == EVIDENCE_REGISTERS) {
                const json_int_t n_vcpus = json_integer_value(json_object_get(data, "vcpus"));

                ret_evidence->flag = TRISTATE_TRUE;
                ret_evidence->number = n_vcpus > 0 && n_vcpus <= UINT16_MAX ? n_vcpus : 1;
        }
        return true;
}

bool qmp_evidence_from_mechanism(struct evidence *ret_evidence, const json_t *data) {
        const json_t *mechanism = json_object_get(data, "mechanism");
        const json_int_t port = json_integer_value(json_object_get(mechanism, "port"));
        const json_int_t value = json_integer_value(json_object_get(mechanism, "value"));
        const json_int_t idt_limit = json_integer_value(json_object_get(mechanism, "idt-limit"));
        char word[16];

        if (!strcmp(member(mechanism, "name"), "triple-fault")) {
                *ret_evidence = evidence_make(SOURCE_QMP, EVIDENCE_KVM_EXIT);
                evidence_set_word(ret_evidence, "shutdown");
                ret_evidence->number = idt_limit > 0 && idt_limit <= UINT16_MAX ? idt_limit : 0;
        } else if (port > 0 && port <= UINT16_MAX && value >= 0 && value <= UINT32_MAX) {
                *ret_evidence = evidence_make(SOURCE_QMP, EVIDENCE_PORT_WRITE);
                snprintf(word, sizeof(word), "0x%x", (unsigned)port);
                evidence_set_word(ret_evidence, word);
                ret_evidence->number = value;
        } else {
                return false;
        }
        ret_evidence->flag = TRISTATE_TRUE;
        return true;
}

bool qmp_evidence_from_status(struct evidence *ret_evidence, const json_t *value) {
        const char *status = member(value, "status");

        if (!*status)
                return false;
        *ret_evidence = evidence_make(SOURCE_QMP, EVIDENCE_STATUS);
        evidence_set_word(ret_evidence, status);
        return true;
}

bool qmp_evidence_from_machine(struct evidence *ret_evidence, const json_t *value) {
        static const char suffix[] = "-machine";
        const char *type = json_string_value(value);
        char word[EVIDENCE_WORD_MAX];
        size_t n;

        if (!type)
                return false;
        n = strlen(type);
        if (n <= strlen(suffix) || strcmp(type + n - strlen(suffix), suffix))
                return false;
        n -= strlen(suffix);
        if (n >= sizeof(word))
                n = sizeof(word) - 1;
        memcpy(word, type, n);
        word[n] = '\0';

        *ret_evidence = evidence_make(SOURCE_QMP, EVIDENCE_MACHINE);
        evidence_set_word(ret_evidence, word);
        return true;
}

bool qmp_is_ending_device(const char *driver) {
        for (size_t i = 0; i < N_ELEMENTS(ending_devices); i++)
                if (!strcmp(ending_devices[i], driver))
                        return true;
        return false;
}

/* "child<isa-debug-exit>" is a device; "string", "link<…>" are other properties. */
static bool child_driver(char ret_driver[static EVIDENCE_WORD_MAX], const char *type) {
        static const char prefix[] = "child<";
        size_t n;

        if (strncmp(type, prefix, strlen(prefix)))
                return false;
        type += strlen(prefix);
        n = strlen(type);
        if (n < 2 || n > EVIDENCE_WORD_MAX || type[n - 1] != '>')
                return false;
        memcpy(ret_driver, type, n - 1);
        ret_driver[n - 1] = '\0';
        return true;
}

size_t qmp_evidence_from_devices(struct evidence ret_evidence[static QMP_DEVICES_MAX], const json_t *value) {
        size_t n = 0;
        size_t i;
        const json_t *property;

        json_array_foreach(value, i, property) {
                char driver[EVIDENCE_WORD_MAX];
                size_t j;

                if (n == QMP_DEVICES_MAX)
                        break;
                if (!child_driver(driver, member(property, "type")) || !qmp_is_ending_device(driver))
                        continue;
                for (j = 0; j < n; j++)
                        if (!strcmp(ret_evidence[j].word, driver))
                                break;
                if (j < n)
                        continue;
                ret_evidence[n] = evidence_make(SOURCE_QMP, EVIDENCE_DEVICE);
                evidence_set_word(&ret_evidence[n++], driver);
        }
        return n;
}

size_t qmp_vcpu_threads(pid_t ret_threads[static QMP_VCPUS_MAX], const json_t *value) {
        size_t n = 0;
        size_t i;
        const json_t *cpu;

        json_array_foreach(value, i, cpu) {
                json_int_t thread = json_integer_value(json_object_get(cpu, "thread-id"));

                if (n == QMP_VCPUS_MAX)
                        break;
                if (thread > 0 && thread <= INT_MAX)
                        ret_threads[n++] = (pid_t)thread;
        }
        return n;
}
