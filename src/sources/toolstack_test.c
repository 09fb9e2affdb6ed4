#include "sources/toolstack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A daemon by that name, which accepts whoever comes, and clients of it. */
struct world {
        char directory[32];
        struct sockaddr_un address;
        int listener;
        pid_t daemon;
        int accepted; /* a byte for each */
};

static void begin(struct world *world, const char *comm, const char *socket_name) {
        int accepted[2];

        strcpy(world->directory, "/tmp/vmpower-test-XXXXXX");
        assert_non_null(mkdtemp(world->directory));
        world->address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        snprintf(world->address.sun_path, sizeof(world->address.sun_path), "%s/%s", world->directory, socket_name);
        world->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(world->listener, (struct sockaddr *)&world->address, sizeof(world->address)), 0);
        assert_int_equal(listen(world->listener, 8), 0);
        assert_int_equal(pipe(accepted), 0);
        world->daemon = fork();
        if (!world->daemon) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                prctl(PR_SET_NAME, comm);
                while (accept(world->listener, NULL, NULL) >= 0)
                        if (write(accepted[1], "", 1) != 1)
                                _exit(1);
                _exit(1);
        }
        close(accepted[1]);
        world->accepted = accepted[0];
}

static void end(struct world *world) {
        kill(world->daemon, SIGKILL);
        waitpid(world->daemon, NULL, 0);
        close(world->accepted);
        close(world->listener);
        unlink(world->address.sun_path);
        rmdir(world->directory);
}

/* A process that is connected so many times. */
static pid_t connect_to(struct world *world, const char *comm, int n) {
        char bytes[8];
        pid_t pid = fork();

        if (!pid) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                prctl(PR_SET_NAME, comm);
                for (int i = 0; i < n; i++)
                        if (connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&world->address, sizeof(world->address)) < 0)
                                _exit(1);
                for (;;)
                        pause();
        }
        for (int i = 0; i < n; i++)
                assert_int_equal(read(world->accepted, bytes, 1), 1);
        return pid;
}

static void leave(pid_t client) {
        kill(client, SIGKILL);
        waitpid(client, NULL, 0);
}

static struct actor_client client_of(const struct world *world, const char *comm) {
        struct actor actor = { .pid = world->daemon };

        strcpy(actor.comm, comm);
        /* Longer than what a look before was good for. */
        usleep(100000);
        toolstack_find_client(&actor);
        return actor.client;
}

static void a_daemon_acts_for_the_one_who_is_connected(void **state) {
        struct actor_client found;
        struct world world;
        pid_t client;

        begin(&world, "libvirtd", "libvirt-sock");
        assert_int_equal(client_of(&world, "libvirtd").pid, 0);
        client = connect_to(&world, "virsh", 1);
        found = client_of(&world, "libvirtd");
        assert_int_equal(found.pid, client);
        assert_int_equal(found.uid, geteuid());
        assert_string_equal(found.comm, "virsh");
        assert_non_null(strstr(found.cmdline, "toolstack_test"));
        /* What is no such daemon has no clients that would mean anything. */
        assert_int_equal(client_of(&world, "python3").pid, 0);
        leave(client);
        end(&world);
}

static void several_connections_of_one_are_one(void **state) {
        struct world world;
        pid_t client;

        begin(&world, "virtqemud", "virtqemud-sock");
        client = connect_to(&world, "virsh", 3);
        assert_int_equal(client_of(&world, "virtqemud").pid, client);
        leave(client);
        end(&world);
}

static void of_two_clients_it_was_nobody_that_is_known(void **state) {
        struct world world;
        pid_t first, second;

        begin(&world, "libvirtd", "libvirt-sock");
        first = connect_to(&world, "virsh", 1);
        second = connect_to(&world, "virt-manager", 1);
        assert_int_equal(client_of(&world, "libvirtd").pid, 0);
        /* One that has hung up, which the daemon has not seen yet, may have asked it before. */
        leave(first);
        assert_int_equal(client_of(&world, "libvirtd").pid, 0);
        leave(second);
        end(&world);
}

static void a_service_manager_acts_for_its_systemctl(void **state) {
        struct world world;
        pid_t client;

        begin(&world, "systemd", "private");
        client = connect_to(&world, "systemctl", 1);
        assert_int_equal(client_of(&world, "systemd").pid, client);
        leave(client);
        end(&world);
}

static void who_may_only_read_has_done_nothing(void **state) {
        struct world world;
        pid_t client;

        begin(&world, "libvirtd", "libvirt-sock-ro");
        client = connect_to(&world, "virsh", 1);
        assert_int_equal(client_of(&world, "libvirtd").pid, 0);
        leave(client);
        end(&world);
}

static void a_daemon_that_is_gone_has_nobody(void **state) {
        struct world world;

        begin(&world, "libvirtd", "libvirt-sock");
        kill(world.daemon, SIGKILL);
        waitpid(world.daemon, NULL, 0);
        assert_int_equal(client_of(&world, "libvirtd").pid, 0);
        world.daemon = fork();
        if (!world.daemon)
                pause();
        end(&world);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_daemon_acts_for_the_one_who_is_connected),
                cmocka_unit_test(several_connections_of_one_are_one),
                cmocka_unit_test(of_two_clients_it_was_nobody_that_is_known),
                cmocka_unit_test(a_service_manager_acts_for_its_systemctl),
                cmocka_unit_test(who_may_only_read_has_done_nothing),
                cmocka_unit_test(a_daemon_that_is_gone_has_nobody),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
