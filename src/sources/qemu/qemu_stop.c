#include "sources/qemu/qemu_stop.h"

#include <stdlib.h>
#include <string.h>

static void forget(struct evidence **kept) {
        free(*kept);
        *kept = NULL;
}

void qemu_stop_deinit(struct qemu_stop *stop) {
        forget(&stop->held);
}

void qemu_stop_take_event(struct qemu_stop *stop, enum evidence_kind kind) {
        if (kind != EVIDENCE_STOP && kind != EVIDENCE_RESUME)
                return;
        stop->is_open = kind == EVIDENCE_STOP;
        stop->is_transient = false;
}

enum qemu_stop_next qemu_stop_take_status(struct qemu_stop *stop, const struct evidence *status) {
        if (evidence_status_is_transient(status->word)) {
                const bool is_told = stop->is_transient;

                stop->is_transient = true;
                return is_told ? QEMU_STOP_ASK_AGAIN : QEMU_STOP_TELL_AND_ASK;
        }
        /* The VM is held: what its PM1 control register was left with tells ACPI from APM. */
        if (!strcmp(status->word, "shutdown") && !stop->held) {
                stop->held = malloc(sizeof(*stop->held));
                if (stop->held)
                        *stop->held = *status;
                return QEMU_STOP_ASK_PM1;
        }
        stop->is_transient = false;
        stop->is_open = false;
        return QEMU_STOP_TELL;
}

bool qemu_stop_take_migration(struct qemu_stop *stop, const struct qmp_message *event, struct evidence *ret_status) {
        const char *status = json_string_value(json_object_get(event->data, "status"));

        if (!stop->is_open || !status || strcmp(status, "completed") != 0)
                return false;
        stop->is_open = false;
        *ret_status = evidence_make(SOURCE_QMP, EVIDENCE_STATUS);
        evidence_set_word(ret_status, "postmigrate");
        return true;
}

bool qemu_stop_give_held(struct qemu_stop *stop, struct evidence *ret_status) {
        if (!stop->held)
                return false;
        *ret_status = *stop->held;
        forget(&stop->held);
        return true;
}

/* `info mtree -f` lists regions as "0000000000000604-0000000000000605 (prio 0, i/o): acpi-cnt". */
bool qemu_find_pm1_control(unsigned *ret_port, const json_t *memory_tree) {
        const char *text = json_string_value(memory_tree);
        const char *line = text ? strstr(text, "): acpi-cnt") : NULL;
        char *end;
        unsigned long port;

        if (!line)
                return false;
        while (line > text && line[-1] != '\n')
                line--;
        port = strtoul(line, &end, 16);
        if (*end != '-' || port > 0xfffe)
                return false;
        *ret_port = (unsigned)port;
        return true;
}

/* "portw[0x0604] = 0x0001" */
bool qemu_evidence_from_pm1_control(struct evidence *ret_evidence, const json_t *value) {
        const char *text = json_string_value(value);
        const char *equals = text ? strstr(text, "= 0x") : NULL;

        if (!equals)
                return false;
        *ret_evidence = evidence_make(SOURCE_QMP, EVIDENCE_PM1_CONTROL);
        ret_evidence->number = (int64_t)(strtoul(equals + 2, NULL, 16) & 0xffff);
        return true;
}
