/*
 * Discovery: which processes of this host are VMs, without their being registered.
 *
 * Wires KVM's uevents, the births that the kernel's tracepoints tell of, and the survey of /proc.  Knows that a KVM which never gets a vCPU was a
 * probe, and says nothing of a QEMU that is gone before its command line could be read.  Does not know what becomes of a VM that was found; the same
 * one may be found twice.
 */
#pragma once

#include "sources/qemu/survey.h"

#include <systemd/sd-event.h>

struct discovery;

struct discovery_events {
        /* A VM.  Its command line may be taken over (set it to NULL). */
        void (*found)(void *userdata, struct survey_vmm *vmm);
        /* A VM was made with KVM: that is there, whether it was before or not. */
        void (*kvm_used)(void *userdata);
        /* What the user has to know: something is not seen, and why. */
        void (*trouble)(void *userdata, const char *line);
        void *userdata;
};

/* Look at what is there now (reports it before this returns), and hear of what comes.  0 or -ENOMEM: less sight is trouble, no failure. */
int discovery_new(struct discovery **ret_discovery, sd_event *event, const struct discovery_events *events);
/* Look once more: what was found before, and could not be kept, is found again. */
void discovery_look(struct discovery *discovery);
/* A process with a QEMU's name has just been started, or is the child of one; 0: perhaps one has. */
void discovery_born(struct discovery *discovery, pid_t pid);
struct discovery *discovery_free(struct discovery *discovery);
