/*
 * Login: from where somebody has come who has logged in over the network.
 *
 * Among his parents is the sshd that let him in, and it has the connection.  Whatever stands in an environment he could have written himself.
 */
#pragma once

#include <vmpower/judge.h>

/* Set the actor's `login_from`, where a parent of his is root's sshd, is there, and may be seen. */
void login_find(struct actor *actor);
