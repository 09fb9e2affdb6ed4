#include "sources/process_sockets.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A server that has accepted a client, each a process of its own. */
struct world {
        char directory[32];
        struct sockaddr_un address;
        pid_t server, client;
        int listening;     /* the server's descriptor */
        int client_socket; /* the client's */
};

static void wait_for_byte(int fd) {
        char byte;

        assert_int_equal(read(fd, &byte, 1), 1);
}

static void sleep_for_ever(int ready) {
        if (write(ready, "", 1) == 1)
                for (;;)
                        pause();
        _exit(1);
}

static pid_t start(void (*body)(struct world *world, int ready), struct world *world) {
        int ready[2];
        pid_t pid;

        assert_int_equal(pipe(ready), 0);
        pid = fork();
        if (!pid) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                body(world, ready[1]);
                _exit(1);
        }
        close(ready[1]);
        wait_for_byte(ready[0]);
        close(ready[0]);
        return pid;
}

static void serve(struct world *world, int ready) {
        dup2(world->listening, 100);
        if (write(ready, "", 1) == 1 && dup2(accept(100, NULL, NULL), 101) == 101)
                for (;;)
                        pause();
}

static void be_client(struct world *world, int ready) {
        int fd = dup2(socket(AF_UNIX, SOCK_STREAM, 0), world->client_socket), named[2];
        char byte;

        prctl(PR_SET_NAME, "the client");
        if (pipe(named) < 0 || connect(fd, (struct sockaddr *)&world->address, sizeof(world->address)) < 0)
                _exit(1);
        /* A child that has inherited its socket; with us the one who connected is gone. */
        if (!fork()) {
                prctl(PR_SET_NAME, "the heir");
                prctl(PR_SET_PDEATHSIG, 0);
                (void)!write(named[1], "", 1);
                (void)!read(fd, &byte, 1);
                _exit(0);
        }
        (void)!read(named[0], &byte, 1);
        sleep_for_ever(ready);
}

static void set_up(struct world *world, bool is_abstract) {
        int n;

        world->client_socket = 102;
        strcpy(world->directory, "/tmp/vmpower-test-XXXXXX");
        assert_non_null(mkdtemp(world->directory));
        world->address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        n = snprintf(world->address.sun_path + is_abstract, sizeof(world->address.sun_path) - 1, "%s/s", world->directory);
        assert_true(n > 0);
        world->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(world->listening, (struct sockaddr *)&world->address,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n + is_abstract)), 0);
        assert_int_equal(listen(world->listening, 8), 0);
        world->server = start(serve, world);
        close(world->listening);
}

static void tear_down(struct world *world) {
        kill(world->server, SIGKILL);
        waitpid(world->server, NULL, 0);
        unlink(world->address.sun_path);
        rmdir(world->directory);
}

struct found {
        struct process_socket sockets[8];
        struct actor peers[8];
        int peer_results[8];
        size_t n;
};

static void on_socket(void *userdata, const struct process_socket *socket) {
        struct found *found = userdata;

        if (socket->number < 100)
                return;
        assert_true(found->n < 8);
        found->sockets[found->n] = *socket;
        found->peer_results[found->n] = socket->is_connected ? process_socket_peer(socket, "qmp", &found->peers[found->n]) : -ESRCH;
        found->n++;
}

/* Until the server has accepted. */
static struct found *look(pid_t pid, struct found *found) {
        do {
                *found = (struct found){ 0 };
                assert_int_equal(process_sockets_each(pid, on_socket, found), 0);
        } while (found->n < 2);
        return found;
}

static void the_other_end_is_who_connected(void **state) {
        char name[SOCKET_NAME_MAX];
        struct found found;
        struct world world;

        set_up(&world, false);
        world.client = start(be_client, &world);
        look(world.server, &found);
        assert_int_equal(found.n, 2);
        for (size_t i = 0; i < 2; i++)
                assert_string_equal(found.sockets[i].name, world.address.sun_path);
        assert_false(found.sockets[0].is_connected);
        assert_true(found.sockets[1].is_connected);
        assert_string_equal(found.sockets[1].peer_name, "");
        assert_int_equal(found.peer_results[1], 0);
        assert_int_equal(found.peers[1].pid, world.client);
        assert_string_equal(found.peers[1].comm, "the client");
        assert_string_equal(found.peers[1].via, "qmp");
        process_socket_name(world.server, 100, name);
        assert_string_equal(name, world.address.sun_path);
        process_socket_name(world.server, 99, name);
        assert_string_equal(name, "");

        /* He is gone, and has left the socket to another. */
        kill(world.client, SIGKILL);
        waitpid(world.client, NULL, 0);
        look(world.server, &found);
        assert_int_equal(found.peer_results[1], 0);
        assert_string_equal(found.peers[1].comm, "the heir");
        kill((pid_t)found.peers[1].pid, SIGKILL);
        tear_down(&world);
}

/* Over a restart of ours a service manager keeps it, and has it, too. */
static void what_an_earlier_life_of_ours_has_made_is_ours(void **state) {
        struct found found;
        struct world world;
        int pidfd, held, status;
        pid_t life;

        set_up(&world, false);
        world.client = start(be_client, &world);
        pidfd = (int)syscall(SYS_pidfd_open, world.client, 0);
        held = (int)syscall(SYS_pidfd_getfd, pidfd, world.client_socket, 0);
        assert_true(held >= 0);
        close(pidfd);
        kill(world.client, SIGKILL);
        waitpid(world.client, NULL, 0);
        /* One that was born after all others who have it. */
        life = fork();
        if (!life) {
                look(world.server, &found);
                _exit(!found.peer_results[1] && found.peers[1].pid == getpid() ? 0 : 1);
        }
        waitpid(life, &status, 0);
        assert_int_equal(status, 0);
        close(held);
        look(world.server, &found);
        assert_string_equal(found.peers[1].comm, "the heir");
        kill((pid_t)found.peers[1].pid, SIGKILL);
        tear_down(&world);
}

static void an_abstract_name_is_told_with_its_mark(void **state) {
        char name[SOCKET_NAME_MAX], wanted[64];
        struct world world;

        set_up(&world, true);
        snprintf(wanted, sizeof(wanted), "@%s/s", world.directory);
        process_socket_name(world.server, 100, name);
        assert_string_equal(name, wanted);
        tear_down(&world);
}

/* As Yama does where only a parent may trace: what /proc and sock_diag tell is the same. */
static void forbid_taking(void) {
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_getfd, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const struct sock_fprog program = { N_ELEMENTS(filter), filter };

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
                _exit(2);
}

static void without_the_right_to_take_it_the_kernel_is_asked(void **state) {
        struct found found;
        struct world world;
        pid_t looker;
        int status;

        set_up(&world, false);
        world.client = start(be_client, &world);
        looker = fork();
        if (!looker) {
                forbid_taking();
                look(world.server, &found);
                _exit(found.n == 2 && found.sockets[1].fd < 0 && !strcmp(found.sockets[0].name, world.address.sun_path) &&
                                      !strcmp(found.sockets[1].name, world.address.sun_path) && !found.sockets[0].is_connected &&
                                      found.sockets[1].is_connected && !found.peer_results[1] &&
                                      /* Its holder: one of the two. */
                                      (!strcmp(found.peers[1].comm, "the client") || !strcmp(found.peers[1].comm, "the heir"))
                              ? 0 : 1);
        }
        waitpid(looker, &status, 0);
        assert_int_equal(status, 0);
        kill(world.client, SIGKILL);
        waitpid(world.client, NULL, 0);
        look(world.server, &found);
        kill((pid_t)found.peers[1].pid, SIGKILL);
        tear_down(&world);
}

static void a_name_is_text_or_none(void **state) {
        char name[SOCKET_NAME_MAX], longest[SOCKET_NAME_MAX + 1];

        memset(longest, 'x', sizeof(longest));
        socket_name_set(name, "/a\0b", 4);
        assert_string_equal(name, "/a");
        socket_name_set(name, "\0a", 2);
        assert_string_equal(name, "@a");
        socket_name_set(name, "\0a\0b", 4);
        assert_string_equal(name, "");
        socket_name_set(name, "", 0);
        assert_string_equal(name, "");
        socket_name_set(name, longest, SOCKET_NAME_MAX);
        assert_string_equal(name, "");
        socket_name_set(name, longest, SOCKET_NAME_MAX - 1);
        assert_int_equal(strlen(name), SOCKET_NAME_MAX - 1);
}

static void a_process_that_is_gone_has_none(void **state) {
        struct found found = { 0 };
        pid_t pid = fork();

        if (!pid)
                _exit(0);
        waitpid(pid, NULL, 0);
        assert_int_equal(process_sockets_each(pid, on_socket, &found), -ESRCH);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_other_end_is_who_connected),
                cmocka_unit_test(what_an_earlier_life_of_ours_has_made_is_ours),
                cmocka_unit_test(an_abstract_name_is_told_with_its_mark),
                cmocka_unit_test(without_the_right_to_take_it_the_kernel_is_asked),
                cmocka_unit_test(a_name_is_text_or_none),
                cmocka_unit_test(a_process_that_is_gone_has_none),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
