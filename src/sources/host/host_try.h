/*
 * Host try: whether it would be heard here that the host goes down, and whether that would wait for us.
 */
#pragma once

#include "basics/found.h"

struct host_try {
        int bus;  /* 0; -ENXIO: there is a bus, and neither systemd nor logind on it; -errno */
        int lock; /* 0; -EACCES: logind is there, and gives none; -errno */
        char bus_found[FOUND_MAX], lock_found[FOUND_MAX];
};

/* Listen as whoever looks after VMs does, take the lock that delays a shutdown, and give it back. */
void host_try(struct host_try *ret_try);
