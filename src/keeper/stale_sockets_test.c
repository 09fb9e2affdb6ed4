#include "keeper/stale_sockets.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/vmpower-stale-XXXXXX";

static void name_file(struct sockaddr_un *ret_address, const char *name) {
        *ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "%s/%s", directory, name);
}

static int bind_at(const char *name, bool listens) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address;

        name_file(&address, name);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        if (listens)
                assert_int_equal(listen(fd, 1), 0);
        return fd;
}

static bool is_there(const char *name) {
        struct sockaddr_un address;

        name_file(&address, name);
        return !access(address.sun_path, F_OK);
}

static void only_what_nobody_has_open_goes(void **state) {
        static const char *const left[] = { "listens", "bound", "file" };
        int listening, bound, file, client;
        struct sockaddr_un address;

        assert_non_null(mkdtemp(directory));
        listening = bind_at("listens", true);
        bound = bind_at("bound", false);
        close(bind_at("stale", true));
        name_file(&address, "file");
        file = open(address.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(file >= 0);

        stale_sockets_remove(directory);
        assert_false(is_there("stale"));
        for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
                assert_true(is_there(left[i]));

        /* Nobody waits there. */
        assert_int_equal(fcntl(listening, F_SETFL, O_NONBLOCK), 0);
        client = accept(listening, NULL, NULL);
        assert_int_equal(client, -1);

        close(listening);
        close(bound);
        close(file);
        for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
                name_file(&address, left[i]);
                unlink(address.sun_path);
        }
        assert_int_equal(rmdir(directory), 0);
        stale_sockets_remove(directory);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(only_what_nobody_has_open_goes) };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
