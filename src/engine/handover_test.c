/* The hand-over of descriptors, with a service manager that the test plays: a datagram socket. */
#include "engine/handover.h"
#include "basics/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

struct manager {
        int fd;
        char directory[32], path[48];
        char line[512]; /* that it heard last */
        int handed;     /* with that */
};

static int begin(void **state) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct manager *manager = calloc(1, sizeof(*manager));
        int fd;

        strcpy(manager->directory, "/tmp/vmpower-XXXXXX");
        assert_non_null(mkdtemp(manager->directory));
        snprintf(manager->path, sizeof(manager->path), "%s/notify", manager->directory);
        strcpy(address.sun_path, manager->path);
        fd = socket(AF_UNIX, SOCK_DGRAM, 0);
        manager->fd = fcntl(fd, F_DUPFD_CLOEXEC, 40); /* out of the way of what is handed over */
        close(fd);
        assert_return_code(bind(manager->fd, (struct sockaddr *)&address, sizeof(address)), errno);
        setenv("NOTIFY_SOCKET", manager->path, 1);
        setenv("FDSTORE", "10", 1);
        *state = manager;
        return 0;
}

static int end(void **state) {
        struct manager *manager = *state;

        close(manager->fd);
        unlink(manager->path);
        rmdir(manager->directory);
        free(manager);
        unsetenv("NOTIFY_SOCKET");
        unsetenv("FDSTORE");
        return 0;
}

/* What was said to it; "": nothing. */
static const char *hear(struct manager *manager) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct msghdr message = {
                .msg_iov = &(struct iovec){ manager->line, sizeof(manager->line) - 1 },
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        ssize_t n = recvmsg(manager->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        struct cmsghdr *header = n >= 0 ? CMSG_FIRSTHDR(&message) : NULL;

        manager->handed = -1;
        if (header && header->cmsg_type == SCM_RIGHTS)
                memcpy(&manager->handed, CMSG_DATA(header), sizeof(int));
        manager->line[n > 0 ? n : 0] = '\0';
        return manager->line;
}

static struct handover *make(void) {
        struct handover *handover;

        assert_int_equal(handover_new(&handover), 0);
        return handover;
}

static void a_descriptor_is_kept_under_a_short_name_whatever_its_peer_does(void **state) {
        struct manager *manager = *state;
        struct handover *handover = make();
        int pair[2];

        assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
        assert_true(handover_is_offered(handover));
        assert_int_equal(handover_keep(handover, "m.1", pair[0]), 0);
        assert_string_equal(hear(manager), "FDSTORE=1\nFDNAME=m.1\nFDPOLL=0");
        assert_return_code(manager->handed, EBADF);
        assert_int_equal(send(manager->handed, "x", 1, 0), 1);
        close(manager->handed);

        handover_drop(handover, "m.1");
        assert_string_equal(hear(manager), "FDSTOREREMOVE=1\nFDNAME=m.1");
        handover_free(handover);
        assert_string_equal(hear(manager), "");
        close(pair[0]);
        close(pair[1]);
}

static void without_a_manager_that_keeps_nothing_is_said(void **state) {
        struct manager *manager = *state;
        struct handover *handover;

        unsetenv("FDSTORE");
        handover = make();
        assert_false(handover_is_offered(handover));
        assert_int_equal(handover_keep(handover, "m.1", STDIN_FILENO), 0);
        handover_drop(handover, "m.1");
        assert_string_equal(hear(manager), "");
        handover_free(handover);

        setenv("FDSTORE", "0", 1);
        handover = make();
        assert_false(handover_is_offered(handover));
        handover_free(handover);
}

static void names_that_do_not_fit_the_next_ones_environment_are_refused(void **state) {
        struct manager *manager = *state;
        struct handover *handover = make();
        char name[HANDOVER_NAME_MAX];
        size_t n_bytes = 0;
        int r = 0;

        for (uint64_t i = 0; !r; i++) {
                handover_name(name, 'm', i);
                r = handover_keep(handover, name, STDIN_FILENO);
                hear(manager);
                close_fd(&manager->handed);
                n_bytes += r ? 0 : strlen(name) + 1;
        }
        assert_int_equal(r, -ENOSPC);
        assert_true(n_bytes <= HANDOVER_NAMES_MAX && n_bytes > HANDOVER_NAMES_MAX - 16);
        /* Two descriptors for each of 10,000 VMs fit. */
        handover_name(name, 'm', 62 * 62 * 62 - 1);
        assert_true(20000 * (strlen(name) + 1) <= HANDOVER_NAMES_MAX);
        handover_free(handover);
}

static void numbers_have_short_names_and_each_its_own(void **state) {
        char name[HANDOVER_NAME_MAX];

        handover_name(name, 'm', 0);
        assert_string_equal(name, "m.0");
        handover_name(name, 'q', 61);
        assert_string_equal(name, "q.z");
        handover_name(name, 'm', 62);
        assert_string_equal(name, "m.10");
        handover_name(name, 'm', UINT64_MAX);
        assert_string_equal(name, "m.LygHa16AHYF");
}

/* As the service manager starts us: descriptors from 3 on, their names in the environment.  Each of `fds` is out of the way. */
static struct handover *take_over(const int *fds, int n, const char *names) {
        char pid[16], number[16];

        for (int i = 0; i < n; i++)
                assert_int_equal(dup2(fds[i], 3 + i), 3 + i);
        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        snprintf(number, sizeof(number), "%d", n);
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDS", number, 1);
        setenv("LISTEN_FDNAMES", names, 1);
        return make();
}

/* Out of the way; it is closed when it is taken over. */
static int listen_at(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM, 0), away;

        strcpy(address.sun_path, path);
        assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
        assert_return_code(listen(fd, 1), errno);
        away = fcntl(fd, F_DUPFD, 40);
        close(fd);
        return away;
}

static bool is_there(const char *path) {
        return !access(path, F_OK);
}

static void what_was_handed_over_is_taken_by_name_or_by_its_path(void **state) {
        char name[HANDOVER_NAME_MAX], path[] = "/tmp/vmpower-handed.XXXXXX";
        struct handover *handover;
        int fds[3];

        assert_int_equal(mkstemp(path) >= 0 && !unlink(path), 1);
        fds[0] = fds[1] = fcntl(STDERR_FILENO, F_DUPFD, 40);
        fds[2] = listen_at(path);
        handover = take_over(fds, 3, "q.2:m.2:vmpowerd.socket");
        assert_null(getenv("LISTEN_FDS"));
        handover_name(name, 'm', 2);
        assert_int_equal(handover_take(handover, name), 4);
        assert_int_equal(handover_take(handover, name), -1);
        assert_int_equal(handover_take(handover, "m.3"), -1);
        assert_int_equal(handover_take_listener(handover, "/elsewhere"), -1);
        assert_int_equal(handover_take_listener(handover, path), 5);
        assert_int_equal(handover_take_listener(handover, path), -1);
        handover_drop_rest(handover, "");
        assert_int_equal(write(3, "", 0), -1); /* nobody took it: it is closed */
        assert_return_code(write(4, "", 0), errno);
        handover_free(handover);
        unlink(path);
        close(fds[0]);
        close(fds[2]);
}

static void what_nobody_takes_is_dropped_and_removed_where_it_is_ours(void **state) {
        struct manager *manager = *state;
        char ours[64], elsewhere[64], beside[64];
        struct handover *handover;
        int fds[3];

        snprintf(ours, sizeof(ours), "%s/ours", manager->directory);
        snprintf(elsewhere, sizeof(elsewhere), "%s-elsewhere", manager->directory);
        snprintf(beside, sizeof(beside), "%.*s", (int)strlen(manager->directory) - 1, manager->directory);
        fds[0] = listen_at(ours);
        fds[1] = listen_at(elsewhere);
        fds[2] = listen_at(beside);
        handover = take_over(fds, 3, "q.0:q.1:q.2");
        handover_drop_rest(handover, manager->directory);
        assert_false(is_there(ours));
        assert_true(is_there(elsewhere) && is_there(beside));
        for (int i = 0; i < 3; i++) {
                char line[64];

                snprintf(line, sizeof(line), "FDSTOREREMOVE=1\nFDNAME=q.%d", i);
                assert_string_equal(hear(manager), line);
                assert_int_equal(fcntl(3 + i, F_GETFD), -1);
                close(fds[i]);
        }
        assert_string_equal(hear(manager), "");
        handover_free(handover);
        unlink(elsewhere);
        unlink(beside);
}

static void what_was_handed_over_is_kept_until_it_is_dropped(void **state) {
        struct manager *manager = *state;
        int fd = fcntl(STDERR_FILENO, F_DUPFD, 40);
        struct handover *handover = take_over(&fd, 1, "m.1");
        int taken = handover_take(handover, "m.1");

        assert_int_equal(handover_keep(handover, "m.1", taken), 0);
        assert_string_equal(hear(manager), "");
        handover_drop(handover, "m.1");
        assert_string_equal(hear(manager), "FDSTOREREMOVE=1\nFDNAME=m.1");
        for (int i = 0; i < 2; i++) {
                assert_int_equal(handover_keep(handover, "m.1", taken), 0);
                assert_string_equal(hear(manager), i ? "" : "FDSTORE=1\nFDNAME=m.1\nFDPOLL=0");
                close_fd(&manager->handed);
        }
        handover_free(handover);
        close(taken);
        close(fd);
}

#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
        const struct CMUnitTest tests[] = {
                SENTENCE(a_descriptor_is_kept_under_a_short_name_whatever_its_peer_does),
                SENTENCE(without_a_manager_that_keeps_nothing_is_said),
                SENTENCE(names_that_do_not_fit_the_next_ones_environment_are_refused),
                SENTENCE(numbers_have_short_names_and_each_its_own),
                SENTENCE(what_was_handed_over_is_taken_by_name_or_by_its_path),
                SENTENCE(what_nobody_takes_is_dropped_and_removed_where_it_is_ours),
                SENTENCE(what_was_handed_over_is_kept_until_it_is_dropped),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
