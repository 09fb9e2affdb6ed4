/*
 * Xen config: what libxl has stored of a domain's configuration, as it was stored.
 *
 * It is there as long as the domain, whatever has become of its device model.
 */
#pragma once

#include <libxl.h>

/* 0 or -EINVAL: there is none, or it cannot be read.  The configuration is the caller's to dispose of, whatever comes of it. */
int xen_config_read(libxl_domain_config *ret_config, libxl_ctx *ctx, uint32_t domid);
