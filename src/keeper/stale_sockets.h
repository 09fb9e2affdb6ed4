/*
 * Stale sockets: what a daemon that was killed could not take away.
 */
#pragma once

/* Remove every socket of the directory that nobody has open.  What is no socket stays. */
void stale_sockets_remove(const char *directory);
