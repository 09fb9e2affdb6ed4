/* The library against the real API, which runs in a thread of its own, on a real store and a keeper that we play. */
#include <vmpower/client.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "api/api_test_world.h"
#include "basics/cleanup.h"

struct served {
        struct world *world;
        struct vmpower *vmpower;
        pthread_t thread;
        int order, done;
        sd_event_source *orders;
        void (*task)(struct world *world);
};

static int on_order(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct served *served = userdata;
        uint64_t n;

        assert_int_equal(read(fd, &n, sizeof(n)), sizeof(n));
        if (served->task)
                served->task(served->world);
        else
                sd_event_exit(served->world->event, 0);
        n = 1;
        assert_int_equal(write(served->done, &n, sizeof(n)), sizeof(n));
        return 0;
}

static void *serve(void *userdata) {
        struct served *served = userdata;

        sd_event_loop(served->world->event);
        return NULL;
}

/* In the API's thread, and wait until it is done.  NULL: end. */
static void in_daemon(struct served *served, void (*task)(struct world *world)) {
        uint64_t n = 1;

        served->task = task;
        assert_int_equal(write(served->order, &n, sizeof(n)), sizeof(n));
        assert_int_equal(read(served->done, &n, sizeof(n)), sizeof(n));
}

static int begin(void **state) {
        struct served *served = calloc(1, sizeof(*served));
        void *world;

        if (world_begin(&world))
                return -1;
        served->world = world;
        for (size_t i = 0; i < served->world->n_vms; i++)
                served->world->vms[i].vm.uid = geteuid();
        served->order = eventfd(0, EFD_CLOEXEC);
        served->done = eventfd(0, EFD_CLOEXEC);
        if (sd_event_add_io(served->world->event, &served->orders, served->order, EPOLLIN, on_order, served) < 0 ||
            pthread_create(&served->thread, NULL, serve, served))
                return -1;
        *state = served;
        return vmpower_new_at(&served->vmpower, served->world->path);
}

static int end(void **state) {
        struct served *served = *state;
        void *world = served->world;
        int r;

        vmpower_free(served->vmpower);
        in_daemon(served, NULL);
        pthread_join(served->thread, NULL);
        sd_event_source_unref(served->orders);
        close(served->order);
        close(served->done);
        free(served);
        r = world_end(&world);
        return r;
}

/* What the daemon does, one after the other. */

static char told_id[VERDICT_ID_MAX];

static void tell_of_db(struct world *world) {
        cleanup(verdict_record_deinit) struct verdict_record record = world_tell(world, &world->vms[2], geteuid());

        strcpy(told_id, record.id);
        api_publish(world->api, &record, geteuid());
}

static void tell_of_all(struct world *world) {
        for (int i = 0; i < 300; i++)
                world_publish(world, &world->vms[i % 3]);
}

static void hold_a_monitor(struct world *world) {
        strcpy(world->vms[2].monitor, "/run/db.qmp");
        strcpy(world->vms[2].last_verdict, "01JDB6Q4M0X8NNNNNNNNNNNNNN");
}

static void refuse_to_attach(struct world *world) {
        world->attach_result = -EBUSY;
}

static void end_all_streams(struct world *world) {
        world->api = api_free(world->api);
}

static void the_daemon_is_found_where_its_socket_is(void **state) {
        struct served *served = *state;
        struct vmpower *vmpower = NULL;
        char longer[300], *text;

        assert_int_equal(vmpower_check_health(served->vmpower, NULL), 0);
        assert_int_equal(vmpower_check_health(served->vmpower, &text), 0);
        assert_non_null(strstr(text, "\"status\":\"ok\""));
        free(text);
        assert_string_equal(vmpower_path(served->vmpower), served->world->path);
        assert_string_equal(vmpower_error(served->vmpower), "");

        setenv("VMPOWER_RUN_DIR", served->world->directory, 1);
        for (enum vmpower_daemon daemon = VMPOWER_ANY_DAEMON; daemon <= VMPOWER_USER_DAEMON; daemon++) {
                assert_int_equal(vmpower_new(&vmpower, daemon), 0);
                assert_string_equal(vmpower_path(vmpower), served->world->path);
                vmpower = vmpower_free(vmpower);
        }
        setenv("VMPOWER_RUN_DIR", "/nowhere", 1);
        assert_int_equal(vmpower_new(&vmpower, VMPOWER_ANY_DAEMON), -ECONNREFUSED);
        memset(longer, 'x', 299);
        longer[299] = '\0';
        setenv("VMPOWER_RUN_DIR", longer, 1);
        assert_int_equal(vmpower_new(&vmpower, VMPOWER_ANY_DAEMON), -ENAMETOOLONG);
        unsetenv("VMPOWER_RUN_DIR");
        assert_int_equal(vmpower_new_at(&vmpower, longer), -ENAMETOOLONG);
        snprintf(longer, sizeof(longer), "%s/vmpower.db", served->world->directory);
        assert_int_equal(vmpower_new_at(&vmpower, longer), -ECONNREFUSED);
        vmpower_free(NULL);
}

static void the_users_own_daemon_comes_first(void **state) {
        struct served *served = *state;
        struct vmpower *vmpower = NULL;
        char directory[128];

        snprintf(directory, sizeof(directory), "%s/vmpower", served->world->directory);
        assert_int_equal(symlink(".", directory), 0);
        setenv("XDG_RUNTIME_DIR", served->world->directory, 1);
        assert_int_equal(vmpower_new(&vmpower, VMPOWER_ANY_DAEMON), 0);
        assert_non_null(strstr(vmpower_path(vmpower), served->world->directory));
        vmpower_free(vmpower);
        assert_int_equal(vmpower_new(&vmpower, VMPOWER_USER_DAEMON), 0);
        vmpower_free(vmpower);
        unsetenv("XDG_RUNTIME_DIR");
        assert_int_equal(vmpower_new(&vmpower, VMPOWER_USER_DAEMON), -ECONNREFUSED);
}

static void vms_are_listed_and_found(void **state) {
        struct served *served = *state;
        struct vmpower_vms *vms;
        struct vmpower_vm *one;
        const struct vmpower_vm *vm;

        in_daemon(served, hold_a_monitor);
        assert_int_equal(vmpower_list_vms(served->vmpower, &vms), 0);
        assert_int_equal(vmpower_vms_count(vms), 3);
        assert_null(vmpower_vms_get(vms, 3));
        vm = vmpower_vms_get(vms, 2);
        assert_string_equal(vmpower_vm_name(vm), "db-1");
        assert_null(vmpower_vm_uuid(vm));
        assert_string_equal(vmpower_vm_backend(vm), "qemu");
        assert_string_equal(vmpower_vm_instance(vm), "boot:3:3");
        assert_int_equal(vmpower_vm_pid(vm), getpid());
        assert_string_equal(vmpower_vm_state(vm), "gone");
        assert_string_equal(vmpower_vm_since(vm), "2026-11-23T03:12:07.000000000Z");
        assert_string_equal(vmpower_vm_monitor(vm), "/run/db.qmp");
        assert_null(vmpower_vm_could_attach(vm));
        assert_string_equal(vmpower_vm_last_verdict(vm), "01JDB6Q4M0X8NNNNNNNNNNNNNN");
        assert_string_equal(vmpower_vm_last_summary(vm), "it went");
        assert_int_equal(*vmpower_vm_json(vm), '{');
        assert_null(vmpower_vm_last_verdict(vmpower_vms_get(vms, 0)));
        vmpower_vms_free(vms);
        vmpower_vms_free(NULL);

        assert_int_equal(vmpower_find_vm(served->vmpower, "boot:3:3", &one), 0);
        assert_string_equal(vmpower_vm_name(one), "db-1");
        vmpower_vm_free(one);
        vmpower_vm_free(NULL);
        assert_int_equal(vmpower_find_vm(served->vmpower, "a/b ?%é", &one), -ENOENT);
        assert_string_equal(vmpower_error(served->vmpower), "there is no VM a/b ?%é");
}

static void a_vm_says_why_it_stopped(void **state) {
        struct served *served = *state;
        struct vmpower_verdict *verdict;

        assert_int_equal(vmpower_why(served->vmpower, "db-1", &verdict), VMPOWER_HAS_NOT_STOPPED);
        assert_non_null(strstr(vmpower_error(served->vmpower), "db-1 has not stopped"));
        assert_int_equal(vmpower_why(served->vmpower, "nobody", &verdict), -ENOENT);
        assert_string_equal(vmpower_error(served->vmpower), "there is no VM nobody");
        in_daemon(served, tell_of_db);
        assert_int_equal(vmpower_why(served->vmpower, "db-1", &verdict), 0);
        assert_string_equal(vmpower_verdict_id(verdict), told_id);
        assert_string_equal(vmpower_verdict_vm(verdict), "db-1");
        assert_string_equal(vmpower_verdict_instance(verdict), "boot:3:3");
        assert_string_equal(vmpower_verdict_transition(verdict), "destroy");
        assert_string_equal(vmpower_verdict_initiator(verdict), "operator");
        assert_string_equal(vmpower_verdict_mechanism(verdict), "signal");
        assert_int_equal(vmpower_verdict_graceful(verdict), 0);
        assert_string_equal(vmpower_verdict_left(verdict), "gone");
        assert_int_equal(vmpower_verdict_count(verdict), 1);
        assert_string_equal(vmpower_verdict_confidence(verdict), "certain");
        assert_non_null(vmpower_verdict_rule(verdict));
        assert_non_null(vmpower_verdict_summary(verdict));
        assert_non_null(vmpower_verdict_time(verdict));
        assert_null(vmpower_verdict_revises(verdict));
        assert_int_equal(vmpower_verdict_actor_pid(verdict), 77);
        assert_int_equal(vmpower_verdict_actor_uid(verdict), geteuid());
        assert_string_equal(vmpower_verdict_actor_comm(verdict), "kill");
        assert_null(vmpower_verdict_actor_user(verdict));
        assert_non_null(strstr(vmpower_verdict_json(verdict), "\"schema\":\"vmpower.verdict/1\""));
        vmpower_verdict_free(verdict);
        vmpower_verdict_free(NULL);

        assert_int_equal(vmpower_find_verdict(served->vmpower, told_id, &verdict), 0);
        vmpower_verdict_free(verdict);
        assert_int_equal(vmpower_find_verdict(served->vmpower, "none", &verdict), -ENOENT);
}

static void history_is_read_page_by_page(void **state) {
        struct served *served = *state;
        struct vmpower_filter filter = { .vm = "boot:3:3", .initiator = "operator", .since = "2026-01-01T00:00:00+01:00" };
        struct vmpower_verdicts *page;
        size_t n = 0, n_pages = 0;

        in_daemon(served, tell_of_all);
        assert_int_equal(vmpower_list_verdicts(served->vmpower, NULL, &page), 0);
        assert_int_equal(vmpower_verdicts_count(page), 100);
        assert_null(vmpower_verdicts_get(page, 100));
        vmpower_verdicts_free(page);
        do {
                filter.limit = 30;
                assert_int_equal(vmpower_list_verdicts(served->vmpower, &filter, &page), 0);
                n += vmpower_verdicts_count(page);
                n_pages++;
                assert_string_equal(vmpower_verdict_vm(vmpower_verdicts_get(page, 0)), "db-1");
                filter.before = vmpower_verdicts_next(page);
                vmpower_verdicts_free(page);
        } while (filter.before);
        assert_int_equal(n, 100);
        assert_int_equal(n_pages, 4);
        vmpower_verdicts_free(NULL);

        filter = (struct vmpower_filter){ .transition = "fly" };
        assert_int_equal(vmpower_list_verdicts(served->vmpower, &filter, &page), -EINVAL);
        assert_non_null(strstr(vmpower_error(served->vmpower), "there is no transition fly"));
        filter = (struct vmpower_filter){ .until = "2020-01-01T00:00:00Z" };
        assert_int_equal(vmpower_list_verdicts(served->vmpower, &filter, &page), 0);
        assert_int_equal(vmpower_verdicts_count(page), 0);
        vmpower_verdicts_free(page);
}

static void monitors_are_attached_and_given_back(void **state) {
        struct served *served = *state;
        struct vmpower_vm *vm;

        if (!world_is_root())
                skip();
        assert_int_equal(vmpower_attach(served->vmpower, "db-1", "/run/db.qmp", 12, &vm), 0);
        assert_string_equal(vmpower_vm_monitor(vm), "/run/db.qmp");
        assert_string_equal(served->world->attached, "db-1 /run/db.qmp 12");
        vmpower_vm_free(vm);
        assert_int_equal(vmpower_detach(served->vmpower, "db-1", &vm), 0);
        assert_null(vmpower_vm_monitor(vm));
        vmpower_vm_free(vm);
        assert_int_equal(vmpower_detach(served->vmpower, "db-1", NULL), -EBUSY);
        assert_string_equal(vmpower_error(served->vmpower), "no monitor is held");
        assert_int_equal(vmpower_attach(served->vmpower, "db-1", "relative", 0, NULL), -EINVAL);
        assert_int_equal(vmpower_attach(served->vmpower, "\xff", "/a", 0, NULL), -EINVAL);
        in_daemon(served, refuse_to_attach);
        assert_int_equal(vmpower_attach(served->vmpower, "db-1", "/a", 0, NULL), -EBUSY);
        assert_string_equal(vmpower_error(served->vmpower), "the keeper says no");
}

static void any_path_of_the_api_can_be_read(void **state) {
        struct served *served = *state;
        char *text;

        assert_int_equal(vmpower_get(served->vmpower, "/v1/vms/db-1/evidence?limit=1", &text), 0);
        assert_string_equal(text, "{\"instance\":\"boot:3:3\",\"evidence\":[],\"next\":null}\n");
        free(text);
        assert_int_equal(vmpower_get(served->vmpower, "/nothing", &text), -ENOENT);
        assert_int_equal(vmpower_get(served->vmpower, "v1", &text), -EINVAL);
        assert_int_equal(vmpower_get(served->vmpower, "/v1 HTTP/1.1\r\nX: y", &text), -EINVAL);
        assert_int_equal(vmpower_get(served->vmpower, "/\n", &text), -EINVAL);
        assert_string_equal(vmpower_error(served->vmpower), "no percent-encoded path: /?");
}

static void verdicts_are_heard_as_they_are_told(void **state) {
        struct served *served = *state;
        struct vmpower_events *events;
        struct vmpower_verdict *verdict;
        struct pollfd poll_fd = { .events = POLLIN };

        assert_int_equal(vmpower_listen(served->vmpower, VMPOWER_FROM_NOW, &events), 0);
        assert_true(vmpower_events_number(events) == VMPOWER_FROM_NOW);
        assert_int_equal(vmpower_events_next(events, 0, &verdict), VMPOWER_TIMEOUT);
        assert_int_equal(vmpower_events_next(events, 20, &verdict), VMPOWER_TIMEOUT);
        in_daemon(served, tell_of_db);
        poll_fd.fd = vmpower_events_fd(events);
        assert_int_equal(poll(&poll_fd, 1, 3000), 1);
        assert_int_equal(vmpower_events_next(events, 3000, &verdict), 0);
        assert_string_equal(vmpower_verdict_id(verdict), told_id);
        vmpower_verdict_free(verdict);
        assert_int_equal(vmpower_events_number(events), 1);
        assert_int_equal(vmpower_events_next(events, 10, &verdict), VMPOWER_TIMEOUT);
        vmpower_events_free(events);
        vmpower_events_free(NULL);
}

static void who_resumes_hears_every_verdict_once(void **state) {
        struct served *served = *state;
        struct vmpower_events *events;
        struct vmpower_verdict *verdict;

        in_daemon(served, tell_of_all);
        assert_int_equal(vmpower_listen(served->vmpower, 0, &events), 0);
        for (uint64_t number = 1; number <= 600; number++) {
                if (number == 100)
                        in_daemon(served, tell_of_all);
                if (number == 200) {
                        vmpower_events_free(events);
                        assert_int_equal(vmpower_listen(served->vmpower, 199, &events), 0);
                }
                assert_int_equal(vmpower_events_next(events, 3000, &verdict), 0);
                assert_int_equal(vmpower_events_number(events), number);
                vmpower_verdict_free(verdict);
        }
        assert_int_equal(vmpower_events_next(events, 10, &verdict), VMPOWER_TIMEOUT);
        vmpower_events_free(events);
}

static void the_daemons_end_ends_the_stream(void **state) {
        struct served *served = *state;
        struct vmpower_events *events;
        struct vmpower_verdict *verdict;
        struct vmpower_vms *vms;

        assert_int_equal(vmpower_listen(served->vmpower, VMPOWER_FROM_NOW, &events), 0);
        in_daemon(served, end_all_streams);
        assert_int_equal(vmpower_events_next(events, 3000, &verdict), -ECONNRESET);
        assert_int_equal(vmpower_events_next(events, 3000, &verdict), -ECONNRESET);
        assert_non_null(strstr(vmpower_error(served->vmpower), "went away"));
        vmpower_events_free(events);
        assert_int_equal(vmpower_list_vms(served->vmpower, &vms), -ECONNREFUSED);
        assert_non_null(strstr(vmpower_error(served->vmpower), "no daemon answers at /tmp/"));
        assert_int_equal(vmpower_listen(served->vmpower, 0, &events), -ECONNREFUSED);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, begin, end)
                SENTENCE(the_daemon_is_found_where_its_socket_is),
                SENTENCE(the_users_own_daemon_comes_first),
                SENTENCE(vms_are_listed_and_found),
                SENTENCE(a_vm_says_why_it_stopped),
                SENTENCE(history_is_read_page_by_page),
                SENTENCE(monitors_are_attached_and_given_back),
                SENTENCE(any_path_of_the_api_can_be_read),
                SENTENCE(verdicts_are_heard_as_they_are_told),
                SENTENCE(who_resumes_hears_every_verdict_once),
                SENTENCE(the_daemons_end_ends_the_stream),
        };

        unsetenv("VMPOWER_RUN_DIR");
        unsetenv("XDG_RUNTIME_DIR");
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
