#include "sources/login.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A process by that name, of that user, that is connected to us; where from, as it sees it. */
static pid_t start(const char *comm, uid_t uid, int family, int *ret_accepted, char ret_from[static 64]) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct sockaddr_in6 address6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        struct sockaddr *to = family == AF_INET ? (struct sockaddr *)&address : (struct sockaddr *)&address6;
        socklen_t n = family == AF_INET ? sizeof(address) : sizeof(address6);
        int listener = socket(family, SOCK_STREAM, 0), ready[2];
        pid_t pid;

        if (bind(listener, to, n) < 0) {
                close(listener);
                return 0; /* a host without it */
        }
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(getsockname(listener, to, &n), 0);
        snprintf(ret_from, 64, family == AF_INET ? "127.0.0.1:%u" : "[::1]:%u",
                 ntohs(family == AF_INET ? address.sin_port : address6.sin6_port));
        assert_int_equal(pipe(ready), 0);
        pid = fork();
        if (!pid) {
                int fd = socket(family, SOCK_STREAM, 0);

                close(listener);
                if (connect(fd, to, n) < 0 || (uid && setuid(uid) < 0))
                        _exit(1);
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                prctl(PR_SET_NAME, comm);
                if (write(ready[1], "", 1) == 1)
                        for (;;)
                                pause();
                _exit(1);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], (char[1]){ 0 }, 1), 1);
        close(ready[0]);
        *ret_accepted = accept(listener, NULL, NULL);
        close(listener);
        return pid;
}

static void expect(const char *comm, const char *real_comm, uid_t uid, int family, bool is_found) {
        struct actor actor = { .n_parents = 3, .parents = { { 1, "sh" }, { 0, "" }, { 1, "init" } } };
        char from[64];
        int accepted = -1;
        pid_t pid = start(real_comm, uid, family, &accepted, from);

        if (!pid)
                return;
        actor.parents[1].pid = pid;
        strcpy(actor.parents[1].comm, comm);
        login_find(&actor);
        assert_string_equal(actor.login_from, is_found ? from : "");
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(accepted);
        /* It is gone, and nothing is known. */
        actor.login_from[0] = '\0';
        login_find(&actor);
        assert_string_equal(actor.login_from, "");
}

static void roots_sshd_says_from_where(void **state) {
        if (geteuid())
                skip();
        expect("sshd", "sshd", 0, AF_INET, true);
        expect("sshd-session", "sshd-session", 0, AF_INET6, true);
}

static void whoever_else_calls_himself_so_says_nothing(void **state) {
        if (geteuid())
                skip();
        expect("sshd", "sshd", 65534, AF_INET, false);
        expect("sshd", "bash", 0, AF_INET, false);
        expect("bash", "bash", 0, AF_INET, false);
}

static void without_parents_there_is_nothing_to_be_found(void **state) {
        struct actor actor = { .pid = 1 };

        login_find(&actor);
        assert_string_equal(actor.login_from, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(roots_sshd_says_from_where),
                cmocka_unit_test(whoever_else_calls_himself_so_says_nothing),
                cmocka_unit_test(without_parents_there_is_nothing_to_be_found),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
