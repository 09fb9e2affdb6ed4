/*
 * Dead sockets: monitors of QEMUs that were killed after their `vmpower run` was.
 */
#pragma once

/* Those in this directory on which nobody listens any more are removed. */
void dead_sockets_remove(const char *directory);
