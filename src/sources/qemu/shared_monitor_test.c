/* The shared monitor with real sockets: what many clients do to each other, to QEMU, and to us. */
#include "sources/qemu/shared_monitor_fixture.h"

static void the_socket_is_its_owners_alone_and_goes_with_us(void **state) {
        struct world world;
        struct stat status;

        world_begin(&world, true);
        assert_return_code(stat(world.path, &status), errno);
        assert_int_equal(status.st_mode & 07777, 0600);
        assert_int_equal(status.st_uid, geteuid());
        world_end(&world); /* looks whether it is gone */
}

static void the_socket_is_given_to_the_vmms_user(void **state) {
        struct world world;
        struct shared_monitor *second;
        struct stat status;
        char path[96];

        if (geteuid()) {
                print_message("# skipped: only root can give a file away\n");
                return;
        }
        world_begin(&world, true);
        snprintf(path, sizeof(path), "%s/t.sock", world.directory);
        shared_monitor_close(world.shared);
        world.shared = NULL;
        assert_int_equal(shared_monitor_open(&second, world.event, path, 12345, 54321, -1, world.source,
                                             &(struct shared_monitor_events){ on_request, on_request_answered, on_late, on_dropped, &world }), 0);
        assert_return_code(stat(path, &status), errno);
        assert_int_equal(status.st_uid, 12345);
        assert_int_equal(status.st_gid, 54321);
        shared_monitor_close(second);
        world_end(&world);
}

static void a_stale_socket_is_replaced_and_nothing_else(void **state) {
        struct world world;
        int fd;

        world_begin(&world, true);
        world.shared = shared_monitor_close(world.shared);
        close(bind_at(world.path));
        assert_int_equal(open_shared(&world), 0);
        world.shared = shared_monitor_close(world.shared);

        fd = bind_at(world.path);
        assert_return_code(listen(fd, 1), errno);
        assert_int_equal(open_shared(&world), -EADDRINUSE);
        assert_int_equal(access(world.path, F_OK), 0);
        close(fd);
        unlink(world.path);

        fd = open(world.path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        assert_int_equal(open_shared(&world), -EADDRINUSE);
        assert_int_equal(access(world.path, F_OK), 0);
        close(fd);
        unlink(world.path);
        world_end(&world);
}

static void another_socket_in_our_place_is_left_alone(void **state) {
        struct world world;

        world_begin(&world, true);
        unlink(world.path);
        close(bind_at(world.path));
        world.shared = shared_monitor_close(world.shared);
        assert_int_equal(access(world.path, F_OK), 0);
        unlink(world.path);
        world_end(&world);
}

static void a_listener_that_is_handed_over_is_taken_where_it_stands(void **state) {
        struct world world;
        char elsewhere[96];
        int fd, other;

        world_begin(&world, true);
        world.shared = shared_monitor_close(world.shared);
        snprintf(elsewhere, sizeof(elsewhere), "%s/e.sock", world.directory);
        other = bind_at(elsewhere);
        assert_return_code(listen(other, 1), errno);
        fd = bind_at(world.path);
        /* Another's, and one that does not listen, stay whose they are. */
        assert_int_equal(take_over(&world, other), -EINVAL);
        assert_int_equal(take_over(&world, fd), -EINVAL);
        assert_return_code(listen(fd, 1), errno);
        assert_int_equal(take_over(&world, fd), 0);
        assert_int_equal(shared_monitor_fd(world.shared), fd);
        /* Left to the next one, it stays where it is; closed, it goes. */
        fd = dup(fd);
        world.shared = shared_monitor_leave(world.shared);
        assert_int_equal(access(world.path, F_OK), 0);
        assert_int_equal(take_over(&world, fd), 0);
        world.shared = shared_monitor_close(world.shared);
        assert_int_equal(access(world.path, F_OK), -1);
        fd = bind_at(world.path);
        assert_return_code(listen(fd, 1), errno);
        unlink(world.path);
        assert_int_equal(take_over(&world, fd), -ENOENT);
        assert_return_code(close(fd), errno);
        assert_return_code(close(other), errno);
        unlink(elsewhere);
        world_end(&world);
}

static void clients_wait_for_qemus_greeting(void **state) {
        struct world world;
        int fd;

        world_begin(&world, false);
        fd = connect_to(world.path);
        say(&world, fd, NEGOTIATE);
        assert_string_equal(hear(&world, fd), "");
        say(&world, world.qemu, GREETING);
        assert_non_null(strstr(hear(&world, fd), "{\"return\":{}}"));
        close(fd);
        world_end(&world);
}

static void two_clients_use_the_same_ids(void **state) {
        struct world world;
        int one, other;

        world_begin(&world, true);
        one = client_new(&world);
        other = client_new(&world);
        say(&world, one, "{\"execute\": \"a\", \"id\": 1}");
        say(&world, other, "{\"execute\": \"b\", \"id\": 1}");
        expect_heard(&world, "{\"execute\": \"a\", \"id\": 1000}\r\n{\"execute\": \"b\", \"id\": 1001}\r\n");
        say(&world, world.qemu, "{\"return\": \"A\", \"id\": 1000}\r\n{\"event\": \"STOP\"}\r\n{\"return\": \"B\", \"id\": 1001}\r\n");
        assert_string_equal(hear(&world, one), "{\"return\": \"A\", \"id\": 1}\r\n{\"event\": \"STOP\"}\r\n");
        assert_string_equal(hear(&world, other), "{\"event\": \"STOP\"}\r\n{\"return\": \"B\", \"id\": 1}\r\n");
        close(one);
        close(other);
        world_end(&world);
}

static void the_answers_to_our_own_questions_are_ours(void **state) {
        struct world world;
        int fd;

        world_begin(&world, true);
        fd = client_new(&world);
        say(&world, world.qemu, "{\"return\": {}, \"id\": 3}\r\n{\"return\": {}}\r\n{\"return\": {}, \"id\": 5000}\r\n");
        assert_string_equal(hear(&world, fd), "");
        close(fd);
        world_end(&world);
}

static void garbage_spoils_nothing_but_itself(void **state) {
        struct world world;
        int one, other;

        world_begin(&world, true);
        one = client_new(&world);
        other = client_new(&world);
        say(&world, one, "\xff\xfe\x01garbage \\ \"\n]]}{ {\"execute\": \"a\"}}\n");
        say(&world, one, "{\"execute\": \"b\"}");
        say(&world, other, "{\"execute\": \"c\"}");
        assert_non_null(strstr(world.heard, "{\"id\": 1000, \"execute\": \"b\"}\r\n{\"id\": 1001, \"execute\": \"c\"}\r\n"));
        assert_null(strstr(world.heard, "\"a\""));
        assert_string_equal(hear(&world, other), "");
        close(one);
        close(other);
        world_end(&world);
}

static void a_line_without_end_ends_its_client(void **state) {
        struct world world;
        int one, other;
        cleanup(freep) char *line = malloc(10 * 1024 * 1024);
        size_t n_sent = 0;

        world_begin(&world, true);
        one = client_new(&world);
        other = client_new(&world);
        memset(line, 'x', 10 * 1024 * 1024);
        line[0] = '"';
        while (n_sent < 10 * 1024 * 1024) {
                ssize_t n = send(one, line + n_sent, 10 * 1024 * 1024 - n_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno != EAGAIN)
                        break;
                n_sent += n > 0 ? (size_t)n : 0;
                settle(&world);
        }
        assert_true(n_sent < 3 * 1024 * 1024);
        assert_int_equal(world.n_dropped, 1);
        assert_string_equal(world.dropped, "it sent a message of more than 1 MiB");
        assert_int_equal(shared_monitor_n_clients(world.shared), 1);
        say(&world, other, "{\"execute\": \"a\"}");
        expect_heard(&world, "{\"id\": 1000, \"execute\": \"a\"}\r\n");
        close(one);
        close(other);
        world_end(&world);
}

static void half_a_line_at_the_end_is_nothing(void **state) {
        struct world world;
        int fd;

        world_begin(&world, true);
        fd = client_new(&world);
        say(&world, fd, "{\"execute\": \"quit\"");
        close(fd);
        settle(&world);
        listen_as_qemu(&world);
        expect_heard(&world, "");
        assert_int_equal(world.n_asked, 0);
        assert_int_equal(world.n_dropped, 0);
        assert_int_equal(shared_monitor_n_clients(world.shared), 0);
        world_end(&world);
}

static void the_answers_to_a_client_that_has_gone_are_nobodys(void **state) {
        struct world world;
        int one, other;

        world_begin(&world, true);
        one = client_new(&world);
        other = client_new(&world);
        say(&world, one, "{\"execute\": \"a\", \"id\": 1}{\"execute\": \"b\", \"id\": 2}{\"execute\": \"c\", \"id\": 3}");
        close(one);
        settle(&world);
        say(&world, world.qemu, "{\"return\": {}, \"id\": 1000}\r\n{\"return\": {}, \"id\": 1001}\r\n{\"return\": {}, \"id\": 1002}\r\n");
        assert_string_equal(hear(&world, other), "");
        assert_int_equal(shared_monitor_n_clients(world.shared), 1);
        assert_non_null(strstr(world.heard, "\"c\"")); /* it was said whole */
        close(other);
        world_end(&world);
}

static void one_that_only_listens_on_is_answered_first(void **state) {
        struct world world;
        int fd;

        world_begin(&world, true);
        fd = client_new(&world);
        say(&world, fd, "{\"execute\": \"a\"}{\"execute\": \"b\"}{\"execute\": \"c\"}");
        shutdown(fd, SHUT_WR);
        settle(&world);
        for (int i = 1000; i < 1003; i++) {
                char text[64];

                assert_string_equal(hear(&world, fd), i == 1000 ? "" : "{\"return\": {}}\r\n");
                snprintf(text, sizeof(text), "{\"return\": {}, \"id\": %d}\r\n", i);
                say(&world, world.qemu, text);
        }
        assert_string_equal(hear(&world, fd), "{\"return\": {}}\r\nEOF");
        close(fd);
        world_end(&world);
}

static void one_that_never_reads_blocks_nobody(void **state) {
        struct world world;
        int sleeper, other;
        static char event[32768];

        world_begin(&world, true);
        sleeper = client_new(&world);
        other = client_new(&world);
        memset(event, 'x', sizeof(event));
        memcpy(event, "{\"event\": \"", 11);
        strcpy(event + sizeof(event) - 5, "\"}\r\n");
        for (int i = 0; !world.n_dropped; i++) {
                assert_true(i < 1000);
                say(&world, world.qemu, event);
                assert_int_equal(strlen(hear(&world, other)), sizeof(event) - 1);
        }
        assert_non_null(strstr(world.dropped, "does not read"));
        assert_int_equal(world.n_dropped, 1);
        assert_int_equal(shared_monitor_n_clients(world.shared), 1);
        close(sleeper);
        close(other);
        world_end(&world);
}

static void a_qemu_that_never_reads_stops_its_clients_and_not_us(void **state) {
        struct world world;
        int fd, other;
        static char command[300 * 1024];
        size_t n_said = 0;

        world_begin(&world, true);
        fd = client_new(&world);
        other = client_new(&world);
        memset(command, 'x', sizeof(command));
        memcpy(command, "{\"execute\": \"", 13);
        strcpy(command + sizeof(command) - 3, "\"}");
        for (int quiet = 0; quiet < 3;) {
                ssize_t n = send(fd, command + n_said % (sizeof(command) - 1), sizeof(command) - 1 - n_said % (sizeof(command) - 1), MSG_DONTWAIT);

                settle(&world);
                quiet = n < 0 ? quiet + 1 : 0;
                n_said += n > 0 ? (size_t)n : 0;
                assert_true(n_said < 16 * 1024 * 1024);
        }
        assert_int_equal(world.n_dropped, 0);
        /* Negotiation needs no QEMU.  Our own `quit` still finds room, and goes before what clients say now. */
        send(other, "{\"execute\": \"qmp_capabilities\"}{\"execute\": \"late\"}", 50, 0);
        settle(&world);
        assert_non_null(strstr(hear(&world, other), "already complete"));
        assert_int_equal(qemu_source_quit(world.source), 0);
        /* It reads again, and answers nothing: all that may be with it comes. */
        listen_as_qemu(&world);
        assert_non_null(strstr(world.heard, "\"quit\""));
        assert_non_null(strstr(strstr(world.heard, "\"quit\""), "\"late\""));
        close(fd);
        close(other);
        world_end(&world);
}

static void descriptors_arrive_with_their_command(void **state) {
        struct world world;
        int fd, other, pipe_fds[2];
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
        char text[] = "{\"execute\": \"getfd\", \"arguments\": {\"fdname\": \"a\"}}";
        struct msghdr message = { .msg_iov = &(struct iovec){ text, strlen(text) }, .msg_iovlen = 1,
                                  .msg_control = &control, .msg_controllen = sizeof(control) };
        struct stat a, b;

        world_begin(&world, true);
        fd = client_new(&world);
        other = client_new(&world);
        assert_return_code(pipe2(pipe_fds, O_CLOEXEC), errno);
        memcpy(CMSG_DATA(&control.header), &pipe_fds[0], sizeof(int));
        assert_true(sendmsg(fd, &message, 0) > 0);
        say(&world, other, "{\"execute\": \"a\"}");
        assert_int_equal(world.n_fds, 1);
        assert_return_code(fstat(pipe_fds[0], &a), errno);
        assert_return_code(fstat(world.fds[0], &b), errno);
        assert_int_equal(a.st_ino, b.st_ino);
        expect_heard(&world, "{\"id\": 1000, \"execute\": \"getfd\", \"arguments\": {\"fdname\": \"a\"}}\r\n{\"id\": 1001, \"execute\": \"a\"}\r\n");
        /* Nobody keeps it. */
        close(world.fds[0]);
        world.n_fds = 0;
        close(pipe_fds[0]);
        signal(SIGPIPE, SIG_IGN);
        assert_int_equal(write(pipe_fds[1], "", 1), -1);
        assert_int_equal(errno, EPIPE);
        close(pipe_fds[1]);
        close(fd);
        close(other);
        world_end(&world);
}

static void out_of_band_goes_as_such(void **state) {
        struct world world;
        int fd;

        world_begin(&world, true);
        fd = client_new(&world);
        say(&world, fd, "{\"exec-oob\": \"query-yank\", \"id\": \"y\"}");
        expect_heard(&world, "{\"exec-oob\": \"query-yank\", \"id\": 1000}\r\n");
        close(fd);
        world_end(&world);
}

static void a_request_goes_on_when_it_is_on_record(void **state) {
        struct world world;
        int fd, other;

        world_begin(&world, true);
        world.releases = false;
        fd = client_new(&world);
        other = client_new(&world);
        say(&world, fd, "{\"execute\": \"system_powerdown\"}{\"execute\": \"a\"}");
        say(&world, other, "{\"execute\": \"b\"}");
        expect_heard(&world, "{\"id\": 1002, \"execute\": \"b\"}\r\n");
        assert_int_equal(world.n_asked, 1);
        assert_int_equal(world.asked.kind, EVIDENCE_REQUEST);
        assert_int_equal(world.asked.source, SOURCE_VMPOWER);
        assert_string_equal(world.asked.word, "system_powerdown");
        assert_true(world.asked.at_ns > 0 && world.asked.seq > 0);
        assert_int_equal(world.asked.actor->pid, getpid());
        assert_int_equal(world.asked.actor->uid, geteuid());
        assert_string_equal(world.asked.actor->via, "qmp");
        assert_true(strlen(world.asked.actor->comm) > 0 && strlen(world.asked.actor->cmdline) > 0 && world.asked.actor->n_parents > 0);
        shared_monitor_release(world.shared, world.request + 1000);
        listen_as_qemu(&world);
        expect_heard(&world, "");
        shared_monitor_release(world.shared, world.request);
        listen_as_qemu(&world);
        expect_heard(&world, "{\"id\": 1000, \"execute\": \"system_powerdown\"}\r\n{\"id\": 1001, \"execute\": \"a\"}\r\n");
        shared_monitor_release(world.shared, world.request);
        /* Nor is it late afterwards. */
        while (sd_event_run(world.event, SHARED_MONITOR_HOLD_USEC + 50000) > 0)
                ;
        assert_int_equal(world.n_late, 0);
        close(fd);
        close(other);
        world_end(&world);
}

static void a_request_that_is_never_on_record_goes_on_late(void **state) {
        struct world world;
        uint64_t began_ns = source_now_ns();
        int fd;

        world_begin(&world, true);
        world.releases = false;
        fd = client_new(&world);
        say(&world, fd, "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"q\"}}{\"execute\": \"stop\"}");
        assert_string_equal(world.asked.word, "quit");
        while (world.n_late < 1)
                sd_event_run(world.event, UINT64_MAX);
        assert_true(source_now_ns() - began_ns >= UINT64_C(250000000));
        assert_int_equal(SHARED_MONITOR_HOLD_USEC, 250000); /* and no longer, which a busy machine cannot tell */
        settle(&world);
        listen_as_qemu(&world);
        expect_heard(&world, "{\"id\": 1000, \"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"q\"}}\r\n");
        assert_string_equal(world.asked.word, "stop");
        shared_monitor_release(world.shared, world.request);
        listen_as_qemu(&world);
        expect_heard(&world, "{\"id\": 1001, \"execute\": \"stop\"}\r\n");
        assert_int_equal(world.n_late, 1);
        close(fd);
        world_end(&world);
}

static void what_qemu_refuses_is_told_with_its_request(void **state) {
        struct world world;
        int fd, other;

        world_begin(&world, true);
        fd = client_new(&world);
        other = client_new(&world);
        say(&world, fd, "{\"execute\": \"quit\", \"arguments\": {\"a\": 1}}");
        uint64_t asked_ns = world.asked.at_ns;
        say(&world, other, "{\"execute\": \"quit\"}");
        say(&world, fd, "{\"execute\": \"a\"}");
        /* Whoever asked has gone by then. */
        close(fd);
        settle(&world);
        say(&world, world.qemu, "{\"id\": 1000, \"error\": {\"class\": \"GenericError\", \"desc\": \"Parameter 'a' is unexpected\"}}\r\n");
        assert_int_equal(world.n_refused, 1);
        assert_int_equal(world.refused.kind, EVIDENCE_REFUSED);
        assert_string_equal(world.refused.word, "quit");
        assert_string_equal(world.refused.text, "Parameter 'a' is unexpected");
        assert_true(asked_ns && world.refused.number == (int64_t)asked_ns && world.refused.at_ns > asked_ns);
        /* What is done is not refused; nor is what changes no VM. */
        say(&world, world.qemu, "{\"id\": 1001, \"return\": {}}\r\n{\"id\": 1002, \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"a\"}}\r\n");
        assert_int_equal(world.n_refused, 1);
        close(other);
        world_end(&world);
}

static void what_the_human_monitor_refuses_is_told_where_it_says_so(void **state) {
        struct world world;
        int fd;

        world_begin(&world, true);
        fd = client_new(&world);
        say(&world, fd, "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"q 1\"}}");
        say(&world, world.qemu, "{\"id\": 1000, \"return\": \"q: extraneous characters at the end of line\\r\\nTry \\\"help q\\\" for more information\\r\\n\"}\r\n");
        assert_int_equal(world.n_refused, 1);
        assert_string_equal(world.refused.word, "quit");
        say(&world, fd, "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"c\"}}");
        say(&world, world.qemu, "{\"id\": 1001, \"return\": \"Error: Resetting the Virtual Machine is required\\r\\n\"}\r\n");
        assert_int_equal(world.n_refused, 2);
        assert_string_equal(world.refused.word, "cont");
        say(&world, fd, "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"stop\"}}");
        say(&world, world.qemu, "{\"id\": 1002, \"return\": \"\"}\r\n");
        assert_int_equal(world.n_refused, 2);
        close(fd);
        world_end(&world);
}

static void whoever_asked_and_left_is_obeyed_once_that_is_on_record(void **state) {
        struct world world;
        int fd;

        world_begin(&world, true);
        world.releases = false;
        fd = client_new(&world);
        say(&world, fd, "{\"execute\": \"quit\"}");
        close(fd);
        settle(&world);
        assert_int_equal(shared_monitor_n_clients(world.shared), 1);
        shared_monitor_release(world.shared, world.request);
        listen_as_qemu(&world);
        expect_heard(&world, "{\"id\": 1000, \"execute\": \"quit\"}\r\n");
        world_end(&world);
}

static void the_end_comes_after_what_qemu_said(void **state) {
        static char blanks[100 * 1024];
        struct world world;
        int fd, silent;

        world_begin(&world, true);
        fd = client_new(&world);
        silent = connect_to(world.path);
        say(&world, fd, "{\"execute\": \"quit\", \"id\": 1}");
        say(&world, world.qemu, "{\"return\": {}, \"id\": 1000}\r\n{\"event\": \"SHUTDOWN\"}\r\n");
        /* More than is read at once: it is still unread at the end, and must not make a broken connection of it. */
        memset(blanks, ' ', sizeof(blanks));
        assert_true(send(fd, blanks, sizeof(blanks), MSG_DONTWAIT) > 0);
        close(world.qemu);
        world.qemu = -1;
        settle(&world);
        assert_string_equal(hear(&world, fd), "{\"return\": {}, \"id\": 1}\r\n{\"event\": \"SHUTDOWN\"}\r\nEOF");
        assert_non_null(strstr(hear(&world, silent), "}}\r\nEOF"));
        assert_int_equal(connect_to(world.path), -1);
        assert_int_equal(shared_monitor_n_clients(world.shared), 0);
        close(fd);
        close(silent);
        world_end(&world);
}

static void there_are_only_so_many_clients(void **state) {
        struct world world;
        int fds[SHARED_MONITOR_CLIENTS_MAX], one_more, pair[2];

        world_begin(&world, true);
        for (size_t i = 0; i < N_ELEMENTS(fds); i++) {
                fds[i] = connect_to(world.path);
                settle(&world);
        }
        one_more = connect_to(world.path);
        settle(&world);
        assert_string_equal(hear(&world, one_more), "EOF");
        assert_string_equal(world.dropped, "there are too many clients");
        /* Whoever asks the daemon has a seat all the same. */
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        assert_int_equal(shared_monitor_add_client(world.shared, pair[1], &(struct actor){ .uid = 0 }), 0);
        settle(&world);
        assert_non_null(strstr(hear(&world, pair[0]), "QMP"));
        close(pair[0]);
        settle(&world);
        close(fds[0]);
        settle(&world);
        close(one_more);
        one_more = client_new(&world);
        close(one_more);
        for (size_t i = 1; i < N_ELEMENTS(fds); i++)
                close(fds[i]);
        world_end(&world);
}

static void a_client_that_came_and_went_costs_nothing(void **state) {
        struct world world;

        world_begin(&world, true);
        for (int i = 0; i < 200; i++)
                close(client_new(&world));
        settle(&world);
        assert_int_equal(shared_monitor_n_clients(world.shared), 0);
        assert_int_equal(world.n_dropped, 0);
        world_end(&world);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_socket_is_its_owners_alone_and_goes_with_us),
                cmocka_unit_test(the_socket_is_given_to_the_vmms_user),
                cmocka_unit_test(a_stale_socket_is_replaced_and_nothing_else),
                cmocka_unit_test(another_socket_in_our_place_is_left_alone),
                cmocka_unit_test(a_listener_that_is_handed_over_is_taken_where_it_stands),
                cmocka_unit_test(clients_wait_for_qemus_greeting),
                cmocka_unit_test(two_clients_use_the_same_ids),
                cmocka_unit_test(the_answers_to_our_own_questions_are_ours),
                cmocka_unit_test(garbage_spoils_nothing_but_itself),
                cmocka_unit_test(a_line_without_end_ends_its_client),
                cmocka_unit_test(half_a_line_at_the_end_is_nothing),
                cmocka_unit_test(the_answers_to_a_client_that_has_gone_are_nobodys),
                cmocka_unit_test(one_that_only_listens_on_is_answered_first),
                cmocka_unit_test(one_that_never_reads_blocks_nobody),
                cmocka_unit_test(a_qemu_that_never_reads_stops_its_clients_and_not_us),
                cmocka_unit_test(descriptors_arrive_with_their_command),
                cmocka_unit_test(out_of_band_goes_as_such),
                cmocka_unit_test(a_request_goes_on_when_it_is_on_record),
                cmocka_unit_test(a_request_that_is_never_on_record_goes_on_late),
                cmocka_unit_test(what_qemu_refuses_is_told_with_its_request),
                cmocka_unit_test(what_the_human_monitor_refuses_is_told_where_it_says_so),
                cmocka_unit_test(whoever_asked_and_left_is_obeyed_once_that_is_on_record),
                cmocka_unit_test(the_end_comes_after_what_qemu_said),
                cmocka_unit_test(there_are_only_so_many_clients),
                cmocka_unit_test(a_client_that_came_and_went_costs_nothing),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
