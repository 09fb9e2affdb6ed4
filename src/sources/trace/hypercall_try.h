/*
 * Hypercall try: tell Xen something that it must refuse, and that our programs must see.
 */
#pragma once

#include "basics/found.h"
#include "sources/trace/trace_source.h"

/* In a dom0, with programs that see hypercalls: 0 or -errno. */
int hypercall_try(struct trace_source *source, char ret_found[static FOUND_MAX]);
