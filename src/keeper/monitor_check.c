#include "keeper/monitor_check.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

/*
 * /var/lib/libvirt/qemu/domain-…/monitor.sock and /run/libvirt/qemu; of a session ~/.config/libvirt/qemu/lib/domain-…, and
 * $XDG_RUNTIME_DIR/libvirt/qemu/run (libvirt, src/qemu/qemu_conf.c, virQEMUDriverConfigNew()).
 */
bool monitor_is_libvirts(const char *path) {
        return strstr(path, "/libvirt/qemu/") || !strncmp(path, "/var/lib/libvirt/", 17) || !strncmp(path, "/run/libvirt/", 13) ||
               !strncmp(path, "/var/run/libvirt/", 17);
}

static int refuse(char ret_why[static STORE_WHY_MAX], int r, const char *path, const char *words) {
        snprintf(ret_why, STORE_WHY_MAX, "%.200s %s", path, words);
        return r;
}

static int find_owner(struct monitor_check *check, uint32_t listener, pid_t pid, char ret_why[static STORE_WHY_MAX]) {
        enum tristate holds;

        if (!pid && socket_holder_find(listener, &pid)) {
                snprintf(ret_why, STORE_WHY_MAX, "it cannot be seen which process listens on %.200s; give its --pid", check->path);
                return -ESRCH;
        }
        holds = socket_is_held_by(listener, pid);
        if (holds == TRISTATE_FALSE) {
                snprintf(ret_why, STORE_WHY_MAX, "pid %d does not listen on %.200s", (int)pid, check->path);
                return -ESRCH;
        }
        if (pid == getpid())
                return refuse(ret_why, -EPERM, check->path, "is vmpowerd's own");
        check->pid = pid;
        check->is_pid_sure = holds == TRISTATE_TRUE;
        return 0;
}

int monitor_check_file(struct monitor_check *ret_check, const char *path, char ret_why[static STORE_WHY_MAX]) {
        static const char libvirts[] = "is libvirt's monitor: it serves one client, and that is libvirt";
        struct monitor_check check = { 0 };
        struct stat st;
        int r;

        if (monitor_is_libvirts(path))
                return refuse(ret_why, -EPERM, path, libvirts);
        if (!realpath(path, check.path) || stat(check.path, &st) < 0) {
                r = -errno;
                snprintf(ret_why, STORE_WHY_MAX, "%.200s: %s", path, strerror(-r));
                return r;
        }
        if (monitor_is_libvirts(check.path))
                return refuse(ret_why, -EPERM, path, libvirts);
        if (!S_ISSOCK(st.st_mode))
                return refuse(ret_why, -ENOTSOCK, path, "is no socket");
        if (strlen(check.path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
                return refuse(ret_why, -ENAMETOOLONG, path, "is too long for a socket's address");
        check.file_inode = st.st_ino;
        *ret_check = check;
        return 0;
}

int monitor_check_socket(struct monitor_check *check, const struct socket_peers *peers, pid_t pid, char ret_why[static STORE_WHY_MAX]) {
        if (peers->use == SOCKET_UNSEEN) {
                snprintf(ret_why, STORE_WHY_MAX, "nobody is seen to listen on %.200s", check->path);
                return -ESRCH;
        }
        if (peers->use == SOCKET_TAKEN)
                return refuse(ret_why, -EBUSY, check->path, "has a client already: somebody is connected to it, and it serves one");
        check->inode = peers->listener;
        return find_owner(check, peers->listener, pid, ret_why);
}

int monitor_check_peer(const struct monitor_check *check, pid_t pid, uid_t uid, int64_t owner, char ret_why[static STORE_WHY_MAX]) {
        bool is_its_process = pid == check->pid || check->is_pid_sure;

        if (owner == MONITOR_OF_ANYBODY || (is_its_process && (owner == MONITOR_OF_ITS_PROCESS || owner == (int64_t)uid)))
                return 0;
        if (owner == MONITOR_OF_ITS_PROCESS)
                snprintf(ret_why, STORE_WHY_MAX, "it was not seen that pid %d listens on %.200s; vmpower attach takes it", (int)check->pid,
                         check->path);
        else
                snprintf(ret_why, STORE_WHY_MAX, "%.200s is not yours: who listens there is of user id %u", check->path, (unsigned)uid);
        return -EACCES;
}
