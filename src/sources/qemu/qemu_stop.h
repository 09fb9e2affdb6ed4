/*
 * Stop: why a QEMU has stopped, which its STOP does not say.
 *
 * The status that is asked for then may be no outcome yet (a migration's last phase, a snapshot), may be overtaken by a better word, and a power-off's waits for
 * what the guest left in PM1, where the VM is held.  Asks nobody.  Pure, but that it allocates: such a status is rare, and the VM one of thousands.
 */
#pragma once

#include "core/evidence.h"
#include "qmp/qmp_message.h"

/* How long after a status that is no outcome yet the next is asked for: no event tells of it. */
#define QEMU_STOP_RETRY_USEC 20000

/* All zero: none. */
struct qemu_stop {
        struct evidence *held; /* the status that waits for PM1's value; owned; NULL: none */
        bool is_open;          /* it has stopped for something, and what for was not answered yet */
        bool is_transient;     /* but that it is no outcome yet, which was told */
};

/* What is to be done about a status. */
enum qemu_stop_next {
        QEMU_STOP_TELL,           /* that is it */
        QEMU_STOP_TELL_AND_ASK,   /* and ask again, QEMU_STOP_RETRY_USEC later: that is no outcome yet */
        QEMU_STOP_ASK_AGAIN,      /* the same; it is told already */
        QEMU_STOP_ASK_PM1,        /* it waits for where PM1's control register is, and what it holds: `info mtree -f`, then `i /h` */
};

void qemu_stop_deinit(struct qemu_stop *stop);

void qemu_stop_take_event(struct qemu_stop *stop, enum evidence_kind kind);

/* QEMU's answer to why. */
enum qemu_stop_next qemu_stop_take_status(struct qemu_stop *stop, const struct evidence *status);

/* QEMU says by itself (MIGRATION, where its events are switched on) that what it has stopped for is complete: that is the answer.  True: it is *ret_status. */
bool qemu_stop_take_migration(struct qemu_stop *stop, const struct qmp_message *event, struct evidence *ret_status);

/* What has waited and waits no more; false: nothing (else). */
bool qemu_stop_give_held(struct qemu_stop *stop, struct evidence *ret_status);

/* The I/O port of PM1's control register, of the answer to `info mtree -f`; false: it has none. */
bool qemu_find_pm1_control(unsigned *ret_port, const json_t *memory_tree);
/* What it holds, of the answer to `i /h`; false: it does not say. */
bool qemu_evidence_from_pm1_control(struct evidence *ret_evidence, const json_t *value);
