/* Rights: who sees what, who may do what.  Needs root, to play other users. */
#include "api/api_test_world.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "api/peer.h"
#include "basics/cleanup.h"

static int begin_as_root(void **state) {
        int r = world_begin(state);
        struct world *world = *state;

        if (r || !world_is_root())
                return r;
        /* Any two groups that every system has. */
        world->config.admin_group = "daemon";
        world->config.reader_group = "mail";
        world_restart(world);
        return 0;
}

static gid_t group_of(const char *name) {
        const struct group *group = getgrnam(name);

        assert_non_null(group);
        return group->gr_gid;
}

static unsigned ask_in_group(struct world *world, int64_t uid, const char *group, const char *request, const char *body) {
        cleanup(closep) int fd = world_connect_in_group(world, uid, group_of(group));
        char text[1024];

        snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", request, strlen(body), body);
        peer_send(fd, text);
        return world_read_answer(world, fd);
}

static void everyone_sees_his_own_vms_and_no_others(void **state) {
        struct world *world = *state;

        if (!world_is_root())
                skip();
        assert_int_equal(world_ask(world, ALICE, "GET /v1/vms"), 200);
        world_expect(world, "vms.0.instance", "boot:1:1");
        world_expect(world, "vms.1", "-");
        assert_int_equal(world_ask(world, BOB, "GET /v1/vms"), 200);
        world_expect(world, "vms.0.instance", "boot:2:2");
        world_expect(world, "vms.1.instance", "boot:3:3");
        world_expect(world, "vms.2", "-");
        assert_int_equal(world_ask(world, 4003, "GET /v1/vms"), 200);
        assert_string_equal(world->text, "{\"vms\":[]}\n");
        assert_int_equal(world_ask(world, ALICE, "GET /v1/health"), 200);
        world_expect(world, "vms", "1");
        world_expect(world, "you.rights", "own");
        world_expect(world, "you.uid", "4001");

        /* The same name is two VMs. */
        assert_int_equal(world_ask(world, BOB, "GET /v1/vms/web-1"), 200);
        world_expect(world, "instance", "boot:2:2");
        assert_int_equal(world_ask(world, ALICE, "GET /v1/vms/web-1"), 200);
        world_expect(world, "instance", "boot:1:1");
}

static void the_vms_of_others_are_not_there(void **state) {
        static const char *const requests[] = {
                "GET /v1/vms/db-1", "GET /v1/vms/boot:3:3", "GET /v1/vms/db-1/verdict", "GET /v1/vms/db-1/evidence",
                "DELETE /v1/vms/db-1/monitor",
        };
        struct world *world = *state;
        cleanup(verdict_record_deinit) struct verdict_record record = {};
        char request[96];

        if (!world_is_root())
                skip();
        record = world_tell(world, &world->vms[2], -2);
        for (int kept = 1; kept >= 0; kept--) {
                world->n_vms = kept ? 3 : 1;
                for (size_t i = 0; i < N_ELEMENTS(requests); i++) {
                        if (world_ask(world, ALICE, requests[i]) != 404)
                                fail_msg("%s: %u %s", requests[i], world->status, world->text);
                        world_expect(world, "instance", "-");
                }
        }
        world->n_vms = 3;
        snprintf(request, sizeof(request), "GET /v1/verdicts/%s", record.id);
        assert_int_equal(world_ask(world, ALICE, request), 404);
        assert_int_equal(world_ask(world, BOB, request), 200);
        assert_int_equal(world_ask(world, ALICE, "GET /v1/verdicts"), 200);
        world_expect(world, "verdicts.0", "-");
        assert_int_equal(world_ask(world, ALICE, "GET /v1/verdicts?vm=db-1"), 200);
        world_expect(world, "verdicts.0", "-");
        assert_int_equal(world_ask(world, BOB, "GET /v1/verdicts?vm=db-1"), 200);
        world_expect(world, "verdicts.0.id", record.id);
        assert_int_equal(world_ask(world, ALICE, "GET /metrics"), 403);
        assert_string_equal(world->attached, "");
}

static void a_name_in_history_is_each_users_own(void **state) {
        struct world *world = *state;
        cleanup(verdict_record_deinit) struct verdict_record hers = {}, his = {};

        if (!world_is_root())
                skip();
        hers = world_tell(world, &world->vms[0], -2);
        his = world_tell(world, &world->vms[1], -2);
        world->n_vms = 0;
        assert_int_equal(world_ask(world, ALICE, "GET /v1/vms/web-1/verdict"), 200);
        world_expect(world, "id", hers.id);
        assert_int_equal(world_ask(world, BOB, "GET /v1/vms/web-1/verdict"), 200);
        world_expect(world, "id", his.id);
        assert_int_equal(world_ask(world, ALICE, "GET /v1/vms/web-1"), 200);
        world_expect(world, "instance", "boot:1:1");
        world->n_vms = 3;
}

static void that_the_disk_owes_a_verdict_is_for_those_to_know_who_may_read_it(void **state) {
        struct world *world = *state;

        if (!world_is_root())
                skip();
        world->n_waiting = 1;
        strcpy(world->vms[2].last_verdict, "01JDB6Q4M0X8NNNNNNNNNNNNNN");
        assert_int_equal(world_ask(world, ALICE, "GET /v1/vms/db-1/verdict"), 404);
        assert_int_equal(world_ask(world, BOB, "GET /v1/vms/db-1/verdict"), 503);
        world->n_vms = 2;
        assert_int_equal(world_ask(world, ALICE, "GET /v1/vms/db-1/verdict"), 404);
        assert_int_equal(world_ask(world, BOB, "GET /v1/vms/db-1/verdict"), 503);
        world->n_vms = 3;
        world->n_waiting = 0;
}

static void a_group_reads_everything_and_controls_nothing_of_others(void **state) {
        struct world *world = *state;

        if (!world_is_root())
                skip();
        strcpy(world->vms[2].monitor, "/run/db.qmp");
        assert_int_equal(ask_in_group(world, ALICE, "mail", "GET /v1/vms", ""), 200);
        world_expect(world, "vms.2.name", "db-1");
        assert_int_equal(ask_in_group(world, ALICE, "mail", "GET /v1/health", ""), 200);
        world_expect(world, "you.rights", "read");
        assert_int_equal(ask_in_group(world, ALICE, "mail", "GET /metrics", ""), 200);
        assert_int_equal(ask_in_group(world, ALICE, "mail", "DELETE /v1/vms/db-1/monitor", ""), 403);
        assert_non_null(strstr(world->text, "only root, members of daemon and its owner may detach db-1"));
        assert_int_equal(ask_in_group(world, ALICE, "mail", "POST /v1/vms/db-1/requests", "{\"action\":\"destroy\"}"), 403);
        assert_non_null(strstr(world->text, "only root, members of daemon and its owner may destroy db-1"));
        assert_int_equal(
                ask_in_group(world, ALICE, "mail", "POST /v1/vms", "{\"name\":\"db-1\",\"qmp\":\"/a\",\"pid\":1}"), 403);
        assert_string_equal(world->attached, "");
}

static void another_group_controls_everything(void **state) {
        struct world *world = *state;

        if (!world_is_root())
                skip();
        strcpy(world->vms[2].monitor, "/run/db.qmp");
        assert_int_equal(ask_in_group(world, ALICE, "daemon", "GET /v1/health", ""), 200);
        world_expect(world, "you.rights", "control");
        assert_int_equal(ask_in_group(world, ALICE, "daemon", "DELETE /v1/vms/db-1/monitor", ""), 200);
        assert_string_equal(world->attached, "boot:3:3");
        assert_int_equal(ask_in_group(world, ALICE, "daemon", "POST /v1/vms", "{\"name\":\"db-1\",\"qmp\":\"/a\"}"), 201);
        assert_string_equal(world->attached, "db-1 /a 0");
        assert_int_equal(ask_in_group(world, ALICE, "daemon", "POST /v1/vms/db-1/requests", "{\"action\":\"destroy\"}"), 200);
        assert_string_equal(world->attached, "boot:3:3");
}

static void a_name_that_two_others_have_is_asked_for_nothing(void **state) {
        struct world *world = *state;

        if (!world_is_root())
                skip();
        strcpy(world->vms[0].monitor, "/run/a.qmp");
        assert_int_equal(ask_in_group(world, 4003, "daemon", "GET /v1/vms/web-1", ""), 200);
        assert_int_equal(ask_in_group(world, 4003, "daemon", "POST /v1/vms/web-1/requests", "{\"action\":\"destroy\"}"), 409);
        world_expect(world, "error", "say which");
        assert_int_equal(ask_in_group(world, 4003, "daemon", "DELETE /v1/vms/web-1/monitor", ""), 409);
        assert_string_equal(world->attached, "");
        /* He who sees neither does not learn of them; each owner has his own. */
        assert_int_equal(ask_in_group(world, 4003, "bin", "POST /v1/vms/web-1/requests", "{\"action\":\"destroy\"}"), 404);
        assert_int_equal(ask_in_group(world, BOB, "daemon", "POST /v1/vms/web-1/requests", "{\"action\":\"destroy\"}"), 200);
        assert_string_equal(world->attached, "boot:2:2");
        assert_int_equal(ask_in_group(world, 4003, "daemon", "POST /v1/vms/boot:1:1/requests", "{\"action\":\"destroy\"}"), 200);
        assert_string_equal(world->attached, "boot:1:1");
}

/* The test's own process is root's: nothing that identify() says of it holds for alice's connection. */
static void who_asks_is_who_connected(void **state) {
        struct world *world = *state;

        if (!world_is_root())
                skip();
        strcpy(world->vms[0].monitor, "/run/a.qmp");
        assert_int_equal(world_ask(world, ALICE, "DELETE /v1/vms/web-1/monitor"), 200);
        assert_int_equal(world->asker.uid, ALICE);
        assert_int_equal(world->asker.pid, getpid());
        assert_string_equal(world->asker.comm, "");
        assert_string_equal(world->asker.via, "vmpower detach");
}

/* A process of alice's that does nothing until it is killed. */
static pid_t start_process_of(int64_t uid) {
        int ready[2];
        char byte;
        pid_t pid;

        assert_int_equal(pipe(ready), 0);
        pid = fork();
        if (!pid) {
                if (setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) || write(ready[1], "", 1) != 1)
                        _exit(1);
                /* As after its exec: /proc/PID belongs to who runs. */
                execlp("sleep", "sleep", "30", NULL);
                _exit(1);
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        close(ready[1]);
        usleep(50000);
        return pid;
}

static void make_socket(const char *path, int64_t uid) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        cleanup(closep) int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(chown(path, (uid_t)uid, (gid_t)-1), 0);
}

static unsigned attach(struct world *world, int64_t uid, const char *name, const char *path, pid_t pid) {
        char body[512];

        *world->attached = '\0';
        if (pid)
                snprintf(body, sizeof(body), "{\"name\":\"%s\",\"qmp\":\"%s\",\"pid\":%d}", name, path, (int)pid);
        else
                snprintf(body, sizeof(body), "{\"name\":\"%s\",\"qmp\":\"%s\"}", name, path);
        return world_ask_with_body(world, uid, "POST /v1/vms", body);
}

static void everyone_attaches_what_is_his_alone(void **state) {
        struct world *world = *state;
        char hers[128], his[128], wanted[256];
        pid_t alices, bobs;

        if (!world_is_root())
                skip();
        snprintf(hers, sizeof(hers), "%s/hers", world->directory);
        snprintf(his, sizeof(his), "%s/his", world->directory);
        make_socket(hers, ALICE);
        make_socket(his, BOB);
        alices = start_process_of(ALICE);
        bobs = start_process_of(BOB);
        world->vms[0].vm.pid = alices;

        assert_int_equal(attach(world, ALICE, "web-1", hers, alices), 201);
        assert_int_equal(attach(world, ALICE, "web-1", hers, 0), 201);
        snprintf(wanted, sizeof(wanted), "web-1 %s 0", hers); /* the keeper finds who listens there */
        assert_string_equal(world->attached, wanted);
        assert_int_equal(world->order.owner, ALICE); /* the keeper looks for itself */

        assert_int_equal(attach(world, ALICE, "web-1", his, alices), 403);
        assert_int_equal(attach(world, ALICE, "web-1", hers, bobs), 403);
        assert_int_equal(attach(world, ALICE, "web-1", hers, 1), 403);
        assert_int_equal(attach(world, ALICE, "web-1", his, 0), 403);
        assert_int_equal(attach(world, ALICE, "new", "/nowhere", alices), 403);
        assert_string_equal(world->attached, "");
        kill(alices, SIGKILL);
        kill(bobs, SIGKILL);
}

static void a_command_line_is_shown_to_root_and_to_whose_it_is(void **state) {
        static const struct {
                int64_t asker;
                const char *cmdline, *vm;
        } cases[] = { { 0, "kill -9 1234", "qemu-system-x86_64 -name secret-line" },
                      { ALICE, "kill -9 1234", "qemu-system-x86_64 -name secret-line" } };
        struct world *world = *state;

        if (!world_is_root())
                skip();
        verdict_record_deinit(&(struct verdict_record[]){ world_tell(world, &world->vms[0], ALICE) }[0]);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                assert_int_equal(world_ask(world, cases[i].asker, "GET /v1/vms/boot:1:1/verdict"), 200);
                world_expect(world, "actor.cmdline", cases[i].cmdline);
                world_expect(world, "evidence.0.data.actor.cmdline", cases[i].cmdline);
                assert_int_equal(world_ask(world, cases[i].asker, "GET /v1/vms/boot:1:1"), 200);
                world_expect(world, "command_line", cases[i].vm);
        }

        /* An administrator sees who, not with which words. */
        assert_int_equal(ask_in_group(world, BOB, "daemon", "GET /v1/vms/boot:1:1/verdict", ""), 200);
        world_expect(world, "actor.comm", "kill");
        world_expect(world, "actor.cmdline", "null");
        world_expect(world, "evidence.0.data.actor.cmdline", "null");
        world_expect(world, "actor.client.comm", "virsh");
        world_expect(world, "actor.client.cmdline", "null");
        world_expect(world, "evidence.0.data.actor.client.cmdline", "null");
        assert_int_equal(ask_in_group(world, BOB, "daemon", "GET /v1/vms/boot:1:1", ""), 200);
        world_expect(world, "command_line", "null");
        assert_int_equal(ask_in_group(world, BOB, "mail", "GET /v1/vms/boot:1:1/evidence", ""), 200);
        assert_null(strstr(world->text, "1234"));

        /* Bob killed alice's VM: she sees that it was he, not his command line. */
        verdict_record_deinit(&(struct verdict_record[]){ world_tell(world, &world->vms[0], BOB) }[0]);
        assert_int_equal(world_ask(world, ALICE, "GET /v1/vms/web-1/verdict"), 200);
        world_expect(world, "actor.uid", "4002");
        world_expect(world, "actor.cmdline", "null");
        verdict_record_deinit(&(struct verdict_record[]){ world_tell(world, &world->vms[0], -1) }[0]);
        assert_int_equal(world_ask(world, ALICE, "GET /v1/vms/web-1/verdict"), 200);
        world_expect(world, "actor.cmdline", "null");
}

static void a_stream_tells_each_his_own(void **state) {
        struct world *world = *state;
        int hers, roots;

        if (!world_is_root())
                skip();
        world_publish(world, &world->vms[1]);
        world_publish(world, &world->vms[0]);
        hers = world_connect(world, ALICE);
        peer_send(hers, "GET /v1/events?after=0 HTTP/1.1\r\nHost: x\r\n\r\n");
        *world->text = '\0';
        assert_true(world_read_until(world, hers, "id: 2\n"));
        assert_null(strstr(world->text, "id: 1\n"));
        roots = world_connect(world, 0);
        peer_send(roots, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
        world_run(world, 20);
        world_publish(world, &world->vms[1]);
        world_publish(world, &world->vms[0]);
        assert_true(world_read_until(world, hers, "id: 4\n"));
        assert_null(strstr(world->text, "id: 3\n"));
        *world->text = '\0';
        assert_true(world_read_until(world, roots, "id: 4\n"));
        assert_non_null(strstr(world->text, "id: 3\n"));
        close(hers);
        close(roots);
}

static void the_metrics_socket_tells_metrics_alone(void **state) {
        struct world *world = *state;
        struct sockaddr_in address;
        socklen_t n = sizeof(address);
        int listener, other;
        char port[8];

        assert_int_equal(api_listen_tcp(&listener, "127.0.0.1", "0"), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &n), 0);
        snprintf(port, sizeof(port), "%u", ntohs(address.sin_port));
        assert_int_equal(api_listen_tcp(&other, "127.0.0.1", port), -EADDRINUSE);
        assert_int_equal(api_serve_metrics(world->api, listener), 0);
        for (int i = 0; i < 3; i++) {
                static const char *const paths[] = { "/metrics", "/v1/vms", "/v1/health" };
                cleanup(closep) int fd = socket(AF_INET, SOCK_STREAM, 0);
                char text[128];

                assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
                snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
                peer_send(fd, text);
                assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
                assert_int_equal(world_read_answer(world, fd), i ? 404 : 200);
        }
}

static void every_address_is_listened_on_where_that_is_wanted(void **state) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        cleanup(closep) int listener = -1, fd = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_storage bound;
        socklen_t n = sizeof(bound);

        assert_int_equal(api_listen_tcp(&listener, "*", "0"), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&bound, &n), 0);
        address.sin_port = bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                       : ((struct sockaddr_in *)&bound)->sin_port;
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void a_group_that_is_not_there_has_no_members(void **state) {
        const struct peer peer = { .uid = ALICE };
        struct world *world = *state;

        assert_int_equal(peer_find_group("no such group"), -1);
        assert_false(peer_may_see(&peer, -1));
        assert_false(peer_may_control(&peer, -1));
        assert_false(peer_sees_command_line(&peer, -1));
        assert_false(peer_sees_command_line(&(struct peer){ .uid = -1, .is_scraper = true }, -1));
        assert_true(peer_may_see(&peer, ALICE));

        if (!world_is_root())
                skip();
        world->config.admin_group = world->config.reader_group = "no such group";
        world_restart(world);
        assert_int_equal(world_ask(world, ALICE, "GET /v1/vms"), 200);
        world_expect(world, "vms.0.instance", "boot:1:1");
        world_expect(world, "vms.1", "-");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, begin_as_root, world_end)
                SENTENCE(everyone_sees_his_own_vms_and_no_others),
                SENTENCE(the_vms_of_others_are_not_there),
                SENTENCE(a_name_in_history_is_each_users_own),
                SENTENCE(that_the_disk_owes_a_verdict_is_for_those_to_know_who_may_read_it),
                SENTENCE(a_group_reads_everything_and_controls_nothing_of_others),
                SENTENCE(another_group_controls_everything),
                SENTENCE(a_name_that_two_others_have_is_asked_for_nothing),
                SENTENCE(who_asks_is_who_connected),
                SENTENCE(everyone_attaches_what_is_his_alone),
                SENTENCE(a_command_line_is_shown_to_root_and_to_whose_it_is),
                SENTENCE(a_stream_tells_each_his_own),
                SENTENCE(the_metrics_socket_tells_metrics_alone),
                SENTENCE(every_address_is_listened_on_where_that_is_wanted),
                SENTENCE(a_group_that_is_not_there_has_no_members),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
