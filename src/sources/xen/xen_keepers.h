/*
 * Xen keepers: who looks after a domain already, and acts when it stops.
 *
 * An `xl` process for each domain that `xl create` has made; libvirt's and XAPI's daemons for theirs.  Watches those processes by pidfd and says when one
 * has ended.  Does not know domains, or what is to be done with one that nobody looks after.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct xen_keepers;

/* `changed`: one of them has ended: whoever it looked after may be alone now.  0 or -errno. */
int xen_keepers_new(struct xen_keepers **ret_keepers, sd_event *event, void (*changed)(void *userdata), void *userdata);
struct xen_keepers *xen_keepers_free(struct xen_keepers *keepers);

/* Look for them. */
void xen_keepers_look(struct xen_keepers *keepers);

/* Is there somebody, or is it being made still by somebody who may be?  As of the last look. */
bool xen_keepers_has(const struct xen_keepers *keepers, uint32_t domid, const char *name);
