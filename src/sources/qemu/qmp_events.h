/*
 * QMP events: what QEMU says on its monitor, as evidence.
 *
 * Knows the words of QEMU's QAPI schema that tell how a VM fares.  Does not know how they arrive, or which of
 * them is the cause.  Pure.
 *
 * The monitor is not trusted: what is missing or of another type is left empty, and no word is too long.
 */
#pragma once

#include "core/evidence.h"

#include <jansson.h>
#include <sys/types.h>

enum {
        QMP_VCPUS_MAX = 1024,
        QMP_DEVICES_MAX = 16,
};

/*
 * One event; data may be NULL.  False: it is no fact for us (VNC_CONNECTED, RTC_CHANGE …), and nothing was
 * written.  The evidence owns nothing.
 */
bool qmp_evidence_from_event(struct evidence *ret_evidence, const char *name, const json_t *data);

/*
 * What an event's data says of how the guest did it, where the monitor is vmpower-vmm (docs/machine.md): the write to a port, or the triple fault, that the event
 * follows from.  False: it says nothing, or nothing that makes sense.
 */
bool qmp_evidence_from_mechanism(struct evidence *ret_evidence, const json_t *data);

/* What `query-status` returned.  False: it is no such answer. */
bool qmp_evidence_from_status(struct evidence *ret_evidence, const json_t *value);

/* What `qom-get` returned for the property `type` of /machine.  False: it is no machine's type. */
bool qmp_evidence_from_machine(struct evidence *ret_evidence, const json_t *value);

/*
 * What `qom-list` returned for /machine/peripheral or /machine/peripheral-anon: one fact for each sort of
 * device that changes how a VM may end.  Returns how many.
 */
size_t qmp_evidence_from_devices(struct evidence ret_evidence[static QMP_DEVICES_MAX], const json_t *value);

/* Does this device change how a VM may end?  A name of QEMU's `-device help`. */
bool qmp_is_ending_device(const char *driver);

/*
 * What `query-cpus-fast` returned: the vCPUs' threads.  Returns how many; more than QMP_VCPUS_MAX are left out.
 */
size_t qmp_vcpu_threads(pid_t ret_threads[static QMP_VCPUS_MAX], const json_t *value);
