#include "sources/login.h"
#include "sources/proc.h"
#include "sources/process_sockets.h"

#include <assert.h>
#include <string.h>

/* OpenSSH 9.8 has made the one that serves a connection a program of its own. */
static bool is_sshd(const char *comm) {
        return !strcmp(comm, "sshd") || !strcmp(comm, "sshd-session");
}

void login_find(struct actor *actor) {
        struct proc_status status;
        struct proc_stat stat;

        static_assert(sizeof(actor->login_from) == PROCESS_TCP_PEER_MAX, "an address fits");
        for (size_t i = 0; i < actor->n_parents && !actor->login_from[0]; i++) {
                pid_t pid = (pid_t)actor->parents[i].pid;

                if (!is_sshd(actor->parents[i].comm) || proc_stat_read(&stat, pid) || !is_sshd(stat.comm) ||
                    proc_status_read(&status, pid) || status.uid != 0)
                        continue;
                process_tcp_peer(pid, actor->login_from);
        }
}
