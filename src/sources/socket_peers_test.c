#include "sources/socket_peers.h"
#include "sources/qemu/qemu_fixture.h"

#include <sched.h>
#include <sys/mount.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct socket_peers look(const char *path) {
        struct socket_peers peers = { .path = path };

        assert_int_equal(socket_peers_look(&peers, 1), 0);
        return peers;
}

static uint32_t inode_of(int fd) {
        struct stat file;

        assert_int_equal(fstat(fd, &file), 0);
        return (uint32_t)file.st_ino;
}

static int listen_at(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 64), 0);
        return fd;
}

/* The greeting has come: QEMU has accepted this client. */
static void expect_greeting(int fd) {
        char greeting[512];
        ssize_t n = recv(fd, greeting, sizeof(greeting) - 1, 0);

        assert_true(n > 0);
        greeting[n] = '\0';
        assert_non_null(strstr(greeting, "QMP"));
}

static void clients_of_a_real_monitor_are_seen(void **state) {
        struct qemu_fixture qemu = qemu_fixture_make(false);
        char option[256];
        struct socket_peers peers;
        pid_t holder = 0;
        int first, second;

        if (qemu.why_not) {
                print_message("# skipped: %s\n", qemu.why_not);
                return;
        }
        snprintf(option, sizeof(option), "unix:%s,server=on,wait=off", qemu.socket);
        QEMU_FIXTURE_START(&qemu, "tcg", "-qmp", option);
        /* The file is there before anybody listens. */
        assert_true(QEMU_FIXTURE_UNTIL(look(qemu.socket).use == SOCKET_FREE));
        peers = look(qemu.socket);
        assert_int_equal(peers.n_connected + peers.n_waiting + peers.n_clients, 0);
        assert_int_equal(socket_is_held_by(peers.listener, qemu.pid), TRISTATE_TRUE);
        assert_int_equal(socket_is_held_by(peers.listener, getpid()), TRISTATE_FALSE);
        assert_int_equal(socket_holder_find(peers.listener, &holder), 0);
        assert_int_equal(holder, qemu.pid);

        first = qemu_fixture_connect(qemu.socket);
        assert_true(first >= 0);
        expect_greeting(first);
        peers = look(qemu.socket);
        assert_int_equal(peers.use, SOCKET_TAKEN);
        assert_int_equal(peers.n_connected, 1);
        assert_int_equal(peers.n_waiting, 0);
        assert_int_equal(peers.n_clients, 1);
        assert_int_equal(peers.clients[0], inode_of(first));
        assert_int_equal(socket_holder_find(peers.clients[0], &holder), 0);
        assert_int_equal(holder, getpid());

        second = qemu_fixture_connect(qemu.socket);
        assert_true(second >= 0);
        peers = look(qemu.socket);
        assert_int_equal(peers.use, SOCKET_TAKEN);
        assert_int_equal(peers.n_connected, 1);
        assert_int_equal(peers.n_waiting, 1);
        assert_int_equal(peers.n_clients, 2);
        assert_int_equal(peers.clients[0], inode_of(first));
        assert_int_equal(peers.clients[1], inode_of(second));

        close(first);
        expect_greeting(second);
        peers = look(qemu.socket);
        assert_int_equal(peers.n_waiting, 0);
        assert_int_equal(peers.clients[0], inode_of(second));
        close(second);
        assert_true(QEMU_FIXTURE_UNTIL(look(qemu.socket).use == SOCKET_FREE));
        qemu_fixture_remove(&qemu);
}

static void one_socket_is_seen_with_its_name_and_its_peer(void **state) {
        char directory[] = "/tmp/vmpower-test-XXXXXX";
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct socket_seen seen;
        int listener, client, accepted;

        assert_non_null(mkdtemp(directory));
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", directory);
        listener = listen_at(address.sun_path);
        client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
        accepted = accept(listener, NULL, NULL);
        assert_int_equal(socket_see(inode_of(listener), &seen), 0);
        assert_true(seen.is_listening && !seen.peer);
        assert_int_equal(socket_see(inode_of(accepted), &seen), 0);
        assert_string_equal(seen.name, address.sun_path);
        assert_int_equal(seen.peer, inode_of(client));
        assert_int_equal(socket_see(inode_of(client), &seen), 0);
        assert_string_equal(seen.name, "");
        assert_int_equal(seen.peer, inode_of(accepted));
        close(client);
        assert_int_equal(socket_see(inode_of(accepted), &seen), 0);
        assert_int_equal(seen.peer, 0);
        close(accepted);
        assert_int_equal(socket_see(inode_of(listener) + 1000000, &seen), -ENOENT);
        close(listener);
        unlink(address.sun_path);
        rmdir(directory);
}

static void a_client_that_only_waits_counts(void **state) {
        struct qemu_fixture qemu = qemu_fixture_make(false);
        char option[256];
        int client;

        if (qemu.why_not) {
                print_message("# skipped: %s\n", qemu.why_not);
                return;
        }
        snprintf(option, sizeof(option), "unix:%s,server=on,wait=off", qemu.socket);
        QEMU_FIXTURE_START(&qemu, "tcg", "-qmp", option);
        assert_true(QEMU_FIXTURE_UNTIL(look(qemu.socket).use == SOCKET_FREE));
        /* A QEMU that accepts nobody: nobody is connected, and yet the next one would wait behind him. */
        kill(qemu.pid, SIGSTOP);
        assert_int_equal(waitpid(qemu.pid, NULL, WUNTRACED), qemu.pid);
        client = qemu_fixture_connect(qemu.socket);
        assert_true(client >= 0);
        assert_int_equal(look(qemu.socket).use, SOCKET_TAKEN);
        assert_int_equal(look(qemu.socket).n_connected, 0);
        assert_int_equal(look(qemu.socket).clients[0], inode_of(client));
        close(client);
        /* He has gone, and QEMU will greet him first. */
        assert_int_equal(look(qemu.socket).use, SOCKET_TAKEN);
        qemu_fixture_remove(&qemu);
}

static void a_socket_is_known_by_its_file_not_by_its_name(void **state) {
        char directory[] = "/tmp/vmpower-test-XXXXXX";
        char path[64], link_path[64], hard_path[64], relative[64];
        int listener, client;

        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof(path), "%s/s", directory);
        snprintf(link_path, sizeof(link_path), "%s/link", directory);
        snprintf(hard_path, sizeof(hard_path), "%s/hard", directory);
        snprintf(relative, sizeof(relative), "%s/../%s/s", directory, strrchr(directory, '/') + 1);
        listener = listen_at(path);
        assert_int_equal(symlink("s", link_path), 0);
        assert_int_equal(link(path, hard_path), 0);
        assert_int_equal(look(path).listener, inode_of(listener));
        assert_int_equal(look(link_path).use, SOCKET_FREE);
        assert_int_equal(look(hard_path).use, SOCKET_FREE);
        assert_int_equal(look(relative).use, SOCKET_FREE);
        client = qemu_fixture_connect(hard_path);
        assert_true(client >= 0);
        assert_int_equal(look(link_path).use, SOCKET_TAKEN);
        assert_int_equal(look(relative).clients[0], inode_of(client));

        /* Another's socket has taken the name: who is connected to the old one is not connected to it. */
        unlink(path);
        close(listener);
        listener = listen_at(path);
        assert_int_equal(look(path).use, SOCKET_FREE);
        close(listener);
        close(client);
        unlink(path);
        unlink(link_path);
        unlink(hard_path);
        rmdir(directory);
}

/* In a mount namespace of its own; an exit status. */
static int connect_on_one_of_two_file_systems(const char *directory) {
        char paths[2][96];
        int listeners[2];
        struct stat files[2];

        if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
                return 77;
        for (size_t i = 0; i < 2; i++) {
                snprintf(paths[i], sizeof(paths[i]), "%s/%zu", directory, i);
                if (mkdir(paths[i], 0700) || mount("none", paths[i], "tmpfs", 0, NULL))
                        return 77;
                strcat(paths[i], "/s");
                listeners[i] = listen_at(paths[i]);
                if (stat(paths[i], &files[i]))
                        return 1;
        }
        /* Each tmpfs counts its own inodes, from Linux 5.9 on. */
        if (files[0].st_ino != files[1].st_ino)
                return 77;
        if (qemu_fixture_connect(paths[0]) < 0 || look(paths[0]).use != SOCKET_TAKEN)
                return 2;
        if (look(paths[1]).use != SOCKET_FREE || look(paths[1]).listener != inode_of(listeners[1]))
                return 3;
        return 0;
}

static void one_inode_on_two_file_systems_is_two_sockets(void **state) {
        char directory[] = "/tmp/vmpower-test-XXXXXX";
        char path[64];
        int status;
        pid_t pid;

        assert_non_null(mkdtemp(directory));
        pid = fork();
        if (!pid)
                _exit(connect_on_one_of_two_file_systems(directory));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        for (size_t i = 0; i < 2; i++) {
                snprintf(path, sizeof(path), "%s/%zu", directory, i);
                rmdir(path);
        }
        rmdir(directory);
        if (WEXITSTATUS(status) == 77) {
                print_message("# skipped: needs root, and file systems of its own\n");
                return;
        }
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void nobody_to_be_seen_is_not_free(void **state) {
        char directory[] = "/tmp/vmpower-test-XXXXXX";
        char path[64], file[64];
        int listener;

        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof(path), "%s/s", directory);
        snprintf(file, sizeof(file), "%s/f", directory);
        assert_int_equal(look(path).use, SOCKET_UNSEEN);
        close(open(file, O_CREAT | O_CLOEXEC | O_WRONLY, 0600));
        assert_int_equal(look(file).use, SOCKET_UNSEEN);
        listener = listen_at(path);
        assert_int_equal(look(path).use, SOCKET_FREE);
        close(listener); /* its file stays */
        assert_int_equal(look(path).use, SOCKET_UNSEEN);
        assert_int_equal(socket_peers_look(NULL, 0), 0);
        unlink(path);
        unlink(file);
        rmdir(directory);
}

static void many_are_looked_at_in_one_go(void **state) {
        enum {
                N = 100
        };
        char directory[] = "/tmp/vmpower-test-XXXXXX";
        static char paths[N][64];
        struct socket_peers peers[N];
        int listeners[N], clients[N];

        assert_non_null(mkdtemp(directory));
        for (size_t i = 0; i < N; i++) {
                snprintf(paths[i], sizeof(paths[i]), "%s/%zu", directory, i);
                listeners[i] = listen_at(paths[i]);
                clients[i] = i % 3 ? -1 : qemu_fixture_connect(paths[i]);
                peers[N - 1 - i].path = paths[i];
        }
        assert_int_equal(socket_peers_look(peers, N), 0);
        for (size_t i = 0; i < N; i++) {
                const struct socket_peers *of = &peers[N - 1 - i];

                assert_int_equal(of->listener, inode_of(listeners[i]));
                assert_int_equal(of->use, i % 3 ? SOCKET_FREE : SOCKET_TAKEN);
                if (i % 3 == 0)
                        assert_int_equal(of->clients[0], inode_of(clients[i]));
                close(listeners[i]);
                closep(&clients[i]);
                unlink(paths[i]);
        }
        rmdir(directory);
}

static void a_long_queue_is_counted_and_hides_nobody(void **state) {
        enum {
                N = 60
        };
        char directory[] = "/tmp/vmpower-test-XXXXXX";
        char path[64], other[64];
        int listener, second, clients[N];
        struct socket_peers peers;

        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof(path), "%s/s", directory);
        snprintf(other, sizeof(other), "%s/o", directory);
        listener = listen_at(path);
        second = listen_at(other);
        for (size_t i = 0; i < N; i++) {
                clients[i] = qemu_fixture_connect(path);
                assert_true(clients[i] >= 0);
        }
        peers = look(path);
        assert_int_equal(peers.n_waiting, N);
        assert_int_equal(peers.n_clients, SOCKET_CLIENTS_MAX);
        assert_int_equal(look(other).use, SOCKET_FREE);
        for (size_t i = 0; i < N; i++)
                close(clients[i]);
        close(listener);
        close(second);
        unlink(path);
        unlink(other);
        rmdir(directory);
}

static void a_socket_that_nobody_holds_has_no_holder(void **state) {
        pid_t pid;

        assert_int_equal(socket_holder_find(4294967295U, &pid), SOCKET_HOLDER_UNSEEN);
        assert_int_equal(socket_is_held_by(1, 0x7ffffff0), TRISTATE_NULL);
}

/* Where the last one was found is where the next is looked for first: it is found there, or elsewhere, or not at all. */
static void one_process_may_hold_many(void **state) {
        enum {
                N = 3 * SOCKET_LINKS_NEAR
        };
        static const size_t order[] = { 0, 1, 2, N - 1, 3, N - 1, 0 };
        char directory[] = "/tmp/vmpower-test-XXXXXX";
        static char paths[N][64];
        int listeners[N];
        uint32_t inode;
        pid_t pid;

        assert_non_null(mkdtemp(directory));
        for (size_t i = 0; i < N; i++) {
                snprintf(paths[i], sizeof(paths[i]), "%s/%zu", directory, i);
                listeners[i] = listen_at(paths[i]);
        }
        for (size_t i = 0; i < N_ELEMENTS(order); i++) {
                pid = 0;
                assert_int_equal(socket_holder_find(inode_of(listeners[order[i]]), &pid), 0);
                assert_int_equal(pid, getpid());
                assert_int_equal(socket_is_held_by(inode_of(listeners[order[i]]), getpid()), TRISTATE_TRUE);
                assert_int_equal(socket_is_held_by(inode_of(listeners[order[i]]), 1), getpid() == 1 ? TRISTATE_TRUE : TRISTATE_FALSE);
        }
        inode = inode_of(listeners[0]);
        for (size_t i = 0; i < N; i++) {
                close(listeners[i]);
                unlink(paths[i]);
        }
        assert_int_equal(socket_is_held_by(inode, getpid()), TRISTATE_FALSE);
        assert_int_equal(socket_holder_find(inode, &pid), SOCKET_HOLDER_UNSEEN);
        rmdir(directory);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(clients_of_a_real_monitor_are_seen),
                cmocka_unit_test(one_socket_is_seen_with_its_name_and_its_peer),
                cmocka_unit_test(a_client_that_only_waits_counts),
                cmocka_unit_test(a_socket_is_known_by_its_file_not_by_its_name),
                cmocka_unit_test(one_inode_on_two_file_systems_is_two_sockets),
                cmocka_unit_test(nobody_to_be_seen_is_not_free),
                cmocka_unit_test(many_are_looked_at_in_one_go),
                cmocka_unit_test(a_long_queue_is_counted_and_hides_nobody),
                cmocka_unit_test(a_socket_that_nobody_holds_has_no_holder),
                cmocka_unit_test(one_process_may_hold_many),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
