#include "sources/qemu/monitor_clients.h"
#include "basics/cleanup.h"
#include "core/evidence.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The descriptors of two listening sockets in what looks like a QEMU, and where it says that it has accepted somebody. */
enum { FIRST = 10, SECOND, ACCEPTED };

struct world {
        char directory[32];
        struct sockaddr_un addresses[2];
        socklen_t n_addresses[2];
        int accepted;
        pid_t qemu, clients[4];
        size_t n_clients;
        struct evidence facts[8];
        size_t n;
        struct monitor_looks looks;
};

static int be_qemu(void) {
        struct pollfd listeners[2] = { { .fd = FIRST, .events = POLLIN }, { .fd = SECOND, .events = POLLIN } };

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (poll(listeners, 2, -1) > 0)
                for (size_t i = 0; i < 2; i++)
                        if (listeners[i].revents && (accept(listeners[i].fd, NULL, NULL) < 0 || write(ACCEPTED, "", 1) != 1))
                                return 1;
        return 1;
}

static int listen_at(const struct sockaddr_un *address, socklen_t n_address) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        assert_int_equal(bind(fd, (const struct sockaddr *)address, n_address), 0);
        assert_int_equal(listen(fd, 8), 0);
        return fd;
}

static void set_address(struct world *world, size_t i, bool is_abstract, const char *path) {
        struct sockaddr_un *address = &world->addresses[i];

        *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        strcpy(address->sun_path + is_abstract, path);
        world->n_addresses[i] = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + is_abstract + strlen(path));
}

static void begin(struct world *world, const char *first, const char *second, bool is_second_abstract) {
        *world = (struct world){ 0 };
        strcpy(world->directory, "/tmp/vmpower-test-XXXXXX");
        assert_non_null(mkdtemp(world->directory));
        assert_int_equal(chdir(world->directory), 0);
        set_address(world, 0, false, first);
        set_address(world, 1, is_second_abstract, second);
}

/* The words are those of a QEMU's command line; it listens at both addresses, whatever they say. */
static void start_qemu(struct world *world, char *const *words) {
        int accepted[2];

        assert_int_equal(pipe(accepted), 0);
        world->qemu = fork();
        if (!world->qemu) {
                dup2(listen_at(&world->addresses[0], world->n_addresses[0]), FIRST);
                dup2(listen_at(&world->addresses[1], world->n_addresses[1]), SECOND);
                dup2(accepted[1], ACCEPTED);
                if (write(ACCEPTED, "", 1) == 1)
                        execv("/proc/self/exe", words);
                _exit(1);
        }
        close(accepted[1]);
        world->accepted = accepted[0];
        assert_int_equal(read(world->accepted, (char[1]){ 0 }, 1), 1);
        /* Until it has its own words. */
        for (;;) {
                char path[64], text[16] = "";
                FILE *file;

                snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)world->qemu);
                file = fopen(path, "r");
                if (file && fread(text, 1, sizeof(text) - 1, file) && !strncmp(text, "qemu-system", 11)) {
                        fclose(file);
                        break;
                }
                if (file)
                        fclose(file);
        }
}

#define START_QEMU(world, ...)                                                                                         \
        ({                                                                                                             \
                char *const _words[] = { (char *)"qemu-system-x86_64", __VA_ARGS__, NULL };                            \
                start_qemu(world, _words);                                                                             \
        })

static pid_t connect_client(struct world *world, size_t i) {
        pid_t pid = fork();

        if (!pid) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&world->addresses[i], world->n_addresses[i]) < 0)
                        _exit(1);
                for (;;)
                        pause();
        }
        world->clients[world->n_clients++] = pid;
        assert_int_equal(read(world->accepted, (char[1]){ 0 }, 1), 1);
        return pid;
}

static void forget_facts(struct world *world) {
        while (world->n)
                evidence_deinit(&world->facts[--world->n]);
}

static void end(struct world *world) {
        forget_facts(world);
        for (size_t i = 0; i < world->n_clients; i++) {
                kill(world->clients[i], SIGKILL);
                waitpid(world->clients[i], NULL, 0);
        }
        kill(world->qemu, SIGKILL);
        waitpid(world->qemu, NULL, 0);
        close(world->accepted);
        for (size_t i = 0; i < 2; i++)
                if (world->addresses[i].sun_path[0])
                        unlink(world->addresses[i].sun_path);
        assert_int_equal(chdir("/"), 0);
        rmdir(world->directory);
}

static void on_report(void *userdata, struct evidence *evidence) {
        struct world *world = userdata;

        assert_true(world->n < N_ELEMENTS(world->facts));
        world->facts[world->n++] = *evidence;
}

static void look_at(struct world *world, const char *held, const struct evidence *event) {
        const struct source_sink sink = { .report = on_report, .userdata = world };

        monitor_clients_look(&world->looks, world->qemu, held, event, &sink);
}

static struct evidence event_of(enum evidence_kind kind, const char *reason) {
        struct evidence event = evidence_make(SOURCE_QMP, kind);

        event.at_ns = source_now_ns();
        event.time_ns = source_time_ns();
        if (kind == EVIDENCE_SHUTDOWN || kind == EVIDENCE_RESET)
                event.flag = TRISTATE_FALSE;
        evidence_set_word(&event, reason);
        return event;
}

static void look(struct world *world, const char *held) {
        struct evidence event = event_of(EVIDENCE_STOP, "");

        forget_facts(world);
        look_at(world, held, &event);
}

static void is_client(const struct evidence *fact, pid_t pid, const char *monitor, const char *via) {
        assert_int_equal(fact->kind, EVIDENCE_MONITOR_CLIENT);
        assert_int_equal(fact->source, SOURCE_PROCESS);
        assert_string_equal(fact->text, monitor);
        assert_non_null(fact->actor);
        assert_int_equal(fact->actor->pid, pid);
        assert_string_equal(fact->actor->via, via);
        assert_int_equal(fact->actor->confidence, CONFIDENCE_LIKELY);
}

static void is_somebody(const struct evidence *fact, const char *monitor) {
        assert_int_equal(fact->kind, EVIDENCE_MONITOR_CLIENT);
        assert_string_equal(fact->text, monitor);
        assert_null(fact->actor);
}

static void who_is_connected_is_told_at_the_events_instant(void **state) {
        struct evidence event;
        struct world world;
        pid_t client;

        begin(&world, "q", "h", false);
        START_QEMU(&world, "-display", "none", "-qmp", "unix:q,server=on,wait=off", "-monitor", "unix:h,server=on,wait=off");
        look(&world, NULL);
        assert_int_equal(world.n, 0);
        client = connect_client(&world, 0);
        event = event_of(EVIDENCE_SHUTDOWN, "host-qmp-quit");
        look_at(&world, NULL, &event);
        assert_int_equal(world.n, 1);
        is_client(&world.facts[0], client, "q", "qmp");
        assert_string_equal(world.facts[0].word, "shutdown");
        assert_true(world.facts[0].at_ns == event.at_ns && world.facts[0].time_ns == event.time_ns);

        client = connect_client(&world, 1);
        look(&world, NULL);
        assert_int_equal(world.n, 2);
        is_client(&world.facts[1], client, "h", "hmp");
        end(&world);
}

static void who_holds_our_own_is_no_candidate(void **state) {
        char held[64];
        struct world world;
        int own;

        begin(&world, "q", "r", false);
        START_QEMU(&world, "-display", "none", "-qmp", "unix:q,server=on,wait=off", "-qmp", "unix:r,server=on,wait=off");
        /* We, by our pid. */
        own = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(own, (struct sockaddr *)&world.addresses[0], world.n_addresses[0]), 0);
        assert_int_equal(read(world.accepted, (char[1]){ 0 }, 1), 1);
        look(&world, NULL);
        assert_int_equal(world.n, 0);
        close(own);
        /* Whoever we were in an earlier life, by the monitor that we hold: QEMU knows it by another path. */
        connect_client(&world, 1);
        snprintf(held, sizeof(held), "%s/r", world.directory);
        look(&world, held);
        assert_int_equal(world.n, 0);
        look(&world, NULL);
        assert_int_equal(world.n, 1);
        end(&world);
}

static void a_socket_that_qemu_was_given_is_known_by_its_number(void **state) {
        struct world world;
        pid_t client;

        begin(&world, "q", "a", true);
        START_QEMU(&world, "-display", "none", "-chardev", "socket,id=charmonitor,fd=10,server=on,wait=off", "-mon",
                   "chardev=charmonitor,id=monitor,mode=control");
        client = connect_client(&world, 0);
        connect_client(&world, 1);
        look(&world, NULL);
        assert_int_equal(world.n, 1);
        is_client(&world.facts[0], client, "q", "qmp");
        end(&world);
}

static void an_abstract_socket_is_found(void **state) {
        char name[64], option[128];
        struct world world;
        pid_t client;

        snprintf(name, sizeof(name), "vmpower-test-%d", (int)getpid());
        snprintf(option, sizeof(option), "unix:%s,abstract=on,server=on,wait=off", name);
        begin(&world, "q", name, true);
        START_QEMU(&world, "-display", "none", "-qmp", option);
        client = connect_client(&world, 1);
        look(&world, NULL);
        assert_int_equal(world.n, 1);
        is_client(&world.facts[0], client, name, "qmp");
        end(&world);
}

/* Who is not seen is told of beside somebody who is, and not else. */
static void somebody_who_is_not_seen_may_have_been_it(void **state) {
        struct world world;
        pid_t client;

        begin(&world, "q", "r", false);
        START_QEMU(&world, "-qmp", "unix:q,server=on,wait=off", "-monitor", "tcp::4444,server=on,wait=off");
        look(&world, NULL);
        assert_int_equal(world.n, 0);
        client = connect_client(&world, 0);
        look(&world, NULL);
        assert_int_equal(world.n, 3);
        is_somebody(&world.facts[0], ":4444");
        is_client(&world.facts[1], client, "q", "qmp");
        is_somebody(&world.facts[2], "its window");
        end(&world);
}

static void of_many_monitors_those_not_looked_at_may_have_been_it(void **state) {
        struct world world;
        pid_t client;

        begin(&world, "q", "r", false);
        START_QEMU(&world, "-display", "none", "-qmp", "unix:q,server=on,wait=off", "-qmp", "unix:1,server=on", "-qmp", "unix:2,server=on",
                   "-qmp", "unix:3,server=on", "-qmp", "unix:4,server=on", "-qmp", "unix:5,server=on", "-qmp", "unix:6,server=on", "-qmp",
                   "unix:7,server=on", "-qmp", "unix:r,server=on");
        client = connect_client(&world, 0);
        look(&world, NULL);
        assert_int_equal(world.n, 2);
        is_client(&world.facts[0], client, "q", "qmp");
        is_somebody(&world.facts[1], "more than are looked at");
        end(&world);
}

static void what_no_monitor_was_told_is_not_looked_into(void **state) {
        static const struct {
                enum evidence_kind kind;
                const char *reason;
                bool is_told;
        } cases[] = {
                { EVIDENCE_SHUTDOWN, "host-qmp-quit", true },   { EVIDENCE_SHUTDOWN, "host-qmp-system-reset", true },
                { EVIDENCE_RESET, "host-qmp-system-reset", true }, { EVIDENCE_STOP, "", true },
                { EVIDENCE_RESUME, "", true },                  { EVIDENCE_POWERDOWN, "", true },
                { EVIDENCE_SHUTDOWN, "guest-shutdown", false }, { EVIDENCE_SHUTDOWN, "host-signal", false },
                { EVIDENCE_RESET, "guest-reset", false },       { EVIDENCE_WAKEUP, "", false },
                { EVIDENCE_SUSPEND, "", false },                { EVIDENCE_GUEST_PANICKED, "", false },
        };
        struct evidence event;
        struct world world;

        begin(&world, "q", "r", false);
        START_QEMU(&world, "-display", "none", "-qmp", "unix:q,server=on,wait=off");
        connect_client(&world, 0);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                event = event_of(cases[i].kind, cases[i].reason);
                forget_facts(&world);
                look_at(&world, NULL, &event);
                assert_int_equal(world.n, cases[i].is_told);
        }
        /* Read again after a restart: who is there now was not there then. */
        event = event_of(EVIDENCE_STOP, "");
        event.at_ns -= MONITOR_EVENT_AGE_NS + 1;
        forget_facts(&world);
        look_at(&world, NULL, &event);
        assert_int_equal(world.n, 0);
        end(&world);
}

static void what_a_qemu_says_by_the_thousand_is_looked_into_so_often(void **state) {
        struct world world;
        size_t n = 0;

        begin(&world, "q", "r", false);
        START_QEMU(&world, "-display", "none", "-qmp", "unix:q,server=on,wait=off");
        connect_client(&world, 0);
        for (size_t i = 0; i < 3 * MONITOR_LOOKS_MAX; i++) {
                look(&world, NULL);
                n += world.n;
        }
        assert_int_equal(n, MONITOR_LOOKS_MAX);
        end(&world);
}

static void what_is_no_qemu_has_no_monitors(void **state) {
        struct evidence event = event_of(EVIDENCE_STOP, "");
        struct world world = { .qemu = getpid() };

        look_at(&world, NULL, &event);
        world.qemu = 0;
        look_at(&world, NULL, &event);
        assert_int_equal(world.n, 0);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_is_connected_is_told_at_the_events_instant),
                cmocka_unit_test(who_holds_our_own_is_no_candidate),
                cmocka_unit_test(a_socket_that_qemu_was_given_is_known_by_its_number),
                cmocka_unit_test(an_abstract_socket_is_found),
                cmocka_unit_test(somebody_who_is_not_seen_may_have_been_it),
                cmocka_unit_test(of_many_monitors_those_not_looked_at_may_have_been_it),
                cmocka_unit_test(what_no_monitor_was_told_is_not_looked_into),
                cmocka_unit_test(what_a_qemu_says_by_the_thousand_is_looked_into_so_often),
                cmocka_unit_test(what_is_no_qemu_has_no_monitors),
        };

        if (!strcmp(argv[0], "qemu-system-x86_64"))
                return be_qemu();
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
