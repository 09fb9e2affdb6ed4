#include "sources/process/kvm_uevent_source.h"
#include "sources/qemu/qemu_fixture.h"

#include <linux/kvm.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
        HEARD_MAX = 512,
        PATIENCE_USEC = 20000000, /* a test that waits so long has failed */
};

#define NULL_UEVENT "/sys/devices/virtual/mem/null/uevent"
#define KVM_UEVENT  "/sys/devices/virtual/misc/kvm/uevent"

/* What a source has told.  The host's other VMs, and those of tests beside this one, are told, too. */
struct heard {
        struct {
                bool is_birth;
                pid_t pid;
                struct kvm_uevent uevent;
        } items[HEARD_MAX];
        size_t n;
        unsigned lost;
};

static void on_created(void *userdata, pid_t pid, const struct kvm_uevent *uevent) {
        struct heard *heard = userdata;

        assert_true(heard->n < HEARD_MAX);
        heard->items[heard->n].is_birth = true;
        heard->items[heard->n].pid = pid;
        heard->items[heard->n++].uevent = *uevent;
}

static void on_destroyed(void *userdata, const struct kvm_uevent *uevent) {
        struct heard *heard = userdata;

        assert_true(heard->n < HEARD_MAX);
        heard->items[heard->n++].uevent = *uevent;
}

static void on_lost(void *userdata) {
        struct heard *heard = userdata;

        heard->lost++;
}

static const struct kvm_uevent_events events = {
        .created = on_created,
        .destroyed = on_destroyed,
        .lost = on_lost,
};

struct world {
        sd_event *event;
        struct kvm_uevent_source *source;
        struct heard heard;
};

static bool is_link(const char *path, const char *expected) {
        char target[64];
        ssize_t n = readlink(path, target, sizeof(target));

        return n == (ssize_t)strlen(expected) && !memcmp(target, expected, (size_t)n);
}

static const char *why_not(void) {
        /* The numbers of the initial ones: include/linux/proc_ns.h. */
        if (!is_link("/proc/self/ns/user", "user:[4026531837]"))
                return "needs the host's own user namespace";
        if (!is_link("/proc/self/ns/pid", "pid:[4026531836]"))
                return "needs the host's own pid namespace";
        if (access("/dev/kvm", R_OK | W_OK) < 0)
                return "needs /dev/kvm";
        return NULL;
}

static const char *why_not_root(void) {
        if (geteuid())
                return "needs root";
        if (access(NULL_UEVENT, W_OK) < 0 || access(KVM_UEVENT, W_OK) < 0)
                return "needs a sysfs that can be written to";
        return why_not();
}

#define SKIP_IF(reason)                                                                                      \
        do {                                                                                                 \
                const char *_reason = (reason);                                                              \
                                                                                                             \
                if (_reason) {                                                                               \
                        print_message("# skipped: %s\n", _reason);                                           \
                        return;                                                                              \
                }                                                                                            \
        } while (0)

static struct world *world_new(void) {
        struct world *world = calloc(1, sizeof(*world));

        assert_non_null(world);
        assert_true(sd_event_new(&world->event) >= 0);
        assert_int_equal(kvm_uevent_source_open(&world->source, world->event, &events, &world->heard), 0);
        return world;
}

static void world_free(struct world *world) {
        assert_null(kvm_uevent_source_close(world->source));
        sd_event_unref(world->event);
        free(world);
}

/* The index of the next birth or death of this thread's, from `first` on. */
static size_t hear(struct world *world, size_t first, bool is_birth, pid_t tid) {
        for (size_t i = first;; i++) {
                while (i == world->heard.n)
                        assert_true(sd_event_run(world->event, PATIENCE_USEC) > 0);
                if (world->heard.items[i].is_birth == is_birth && world->heard.items[i].uevent.tid == tid)
                        return i;
        }
}

static void write_text(const char *path, const char *text) {
        cleanup(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static int create_vm(void) {
        cleanup(closep) int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
        int vm = ioctl(kvm, KVM_CREATE_VM, 0);

        assert_true(vm >= 0);
        return vm;
}

static void a_qemus_birth_and_death_are_told(void **state) {
        struct qemu_fixture qemu;
        struct world *world;
        char path[KVM_STATS_PATH_MAX];
        pid_t pid;
        size_t i, j;

        SKIP_IF(why_not());
        qemu = qemu_fixture_make(true);
        SKIP_IF(qemu.why_not);
        world = world_new();
        QEMU_FIXTURE_START(&qemu, "kvm", "-name", "web-1");
        pid = qemu.pid;
        i = hear(world, 0, true, pid);
        assert_int_equal(world->heard.items[i].pid, pid);
        snprintf(path, sizeof(path), "/kvm/%d-", (int)pid);
        if (*world->heard.items[i].uevent.stats_path)
                assert_memory_equal(world->heard.items[i].uevent.stats_path, path, strlen(path));
        qemu_fixture_end(&qemu.pid);
        j = hear(world, i, false, pid);
        assert_string_equal(world->heard.items[j].uevent.stats_path, world->heard.items[i].uevent.stats_path);
        assert_int_equal(world->heard.lost, 0);
        world_free(world);
        qemu_fixture_remove(&qemu);
}

struct in_thread {
        pid_t tid;
        int vms[2];
};

static void *create_two(void *userdata) {
        struct in_thread *thread = userdata;

        thread->tid = (pid_t)syscall(SYS_gettid);
        thread->vms[0] = create_vm();
        thread->vms[1] = create_vm();
        return NULL;
}

static void two_vms_of_a_thread_are_told_apart_and_mapped_to_its_process(void **state) {
        struct in_thread thread;
        struct world *world;
        pthread_t id;
        size_t first, second, death;

        SKIP_IF(why_not());
        world = world_new();
        assert_int_equal(pthread_create(&id, NULL, create_two, &thread), 0);
        while (!world->heard.n)
                assert_true(sd_event_run(world->event, PATIENCE_USEC) > 0);
        assert_int_equal(pthread_join(id, NULL), 0);
        assert_int_not_equal(thread.tid, getpid());
        first = hear(world, 0, true, thread.tid);
        second = hear(world, first + 1, true, thread.tid);
        /* A thread that has gone by the time we look is nobody's. */
        assert_true(world->heard.items[first].pid == getpid() || !world->heard.items[first].pid);
        if (*world->heard.items[first].uevent.stats_path)
                assert_string_not_equal(world->heard.items[first].uevent.stats_path,
                                        world->heard.items[second].uevent.stats_path);
        /* The thread has gone, and is named all the same. */
        close(thread.vms[1]);
        death = hear(world, second, false, thread.tid);
        assert_string_equal(world->heard.items[death].uevent.stats_path,
                            world->heard.items[second].uevent.stats_path);
        close(thread.vms[0]);
        hear(world, death + 1, false, thread.tid);
        world_free(world);
}

/* Holds its thread until it is told to end, so that it can be looked at. */
struct held_thread {
        pid_t tid;
        int vm;
        int end;
};

static void *create_and_wait(void *userdata) {
        struct held_thread *thread = userdata;
        char byte;

        thread->tid = (pid_t)syscall(SYS_gettid);
        thread->vm = create_vm();
        assert_int_equal(read(thread->end, &byte, 1), 0);
        return NULL;
}

static void a_thread_that_lives_is_mapped_to_its_process(void **state) {
        struct held_thread thread = { 0 };
        struct world *world;
        pthread_t id;
        int ends[2];
        size_t i;

        SKIP_IF(why_not());
        world = world_new();
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        thread.end = ends[0];
        assert_int_equal(pthread_create(&id, NULL, create_and_wait, &thread), 0);
        for (i = 0;; i++) {
                while (i == world->heard.n)
                        assert_true(sd_event_run(world->event, PATIENCE_USEC) > 0);
                if (world->heard.items[i].is_birth && world->heard.items[i].pid == getpid())
                        break;
        }
        close(ends[1]);
        assert_int_equal(pthread_join(id, NULL), 0);
        assert_int_equal(world->heard.items[i].uevent.tid, thread.tid);
        assert_int_not_equal(thread.tid, getpid());
        close(thread.vm);
        close(ends[0]);
        world_free(world);
}

static void one_that_has_gone_already_is_nobody(void **state) {
        struct world *world;
        pid_t pid;
        size_t i;

        SKIP_IF(why_not());
        world = world_new();
        pid = fork();
        if (!pid) {
                create_vm();
                _exit(0);
        }
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        i = hear(world, 0, true, pid);
        assert_int_equal(world->heard.items[i].pid, 0);
        hear(world, i, false, pid);
        world_free(world);
}

static void other_devices_do_not_wake_us(void **state) {
        struct world *world;

        SKIP_IF(why_not_root());
        world = world_new();
        for (unsigned i = 0; i < 10; i++)
                write_text(NULL_UEVENT, "change");
        /* Nothing is there to read, but what other VMs of this host may say meanwhile. */
        while (sd_event_run(world->event, 0) > 0)
                assert_true(world->heard.n > 0);
        assert_int_equal(world->heard.lost, 0);
        /* That one does, and is about no VM. */
        write_text(KVM_UEVENT, "change");
        assert_true(sd_event_run(world->event, PATIENCE_USEC) > 0);
        assert_int_equal(world->heard.lost, 0);
        world_free(world);
}

static void a_forged_message_is_not_believed(void **state) {
        static const char forged[] = KVM_UEVENT_HEADER "\0EVENT=create\0PID=1\0STATS_PATH=/kvm/1-1";
        struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = 1 };
        struct world *world;
        pid_t pid;
        int fd;

        SKIP_IF(why_not_root());
        world = world_new();
        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
        assert_int_equal(sendto(fd, forged, sizeof(forged), 0, (struct sockaddr *)&group, sizeof(group)),
                         (ssize_t)sizeof(forged));
        close(fd);
        pid = fork();
        if (!pid) {
                create_vm();
                _exit(0);
        }
        waitpid(pid, NULL, 0);
        /* What came behind it has been read: so has the forged one. */
        hear(world, 0, true, pid);
        for (size_t i = 0; i < world->heard.n; i++)
                assert_int_not_equal(world->heard.items[i].uevent.tid, 1);
        world_free(world);
}

/* The source's socket is its own; a test finds it among our descriptors. */
static int find_socket(void) {
        for (int fd = 0; fd < 1024; fd++) {
                int protocol = -1;
                socklen_t n = sizeof(protocol);

                if (!getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &n) &&
                    protocol == NETLINK_KOBJECT_UEVENT)
                        return fd;
        }
        return -1;
}

static void an_overrun_buffer_is_told_and_what_comes_after_is_heard(void **state) {
        struct world *world;
        int fd, size = 1;
        pid_t pid;
        size_t i;

        SKIP_IF(why_not_root());
        world = world_new();
        fd = find_socket();
        assert_true(fd >= 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
        for (i = 0; i < 200; i++)
                write_text(KVM_UEVENT, "change");
        while (!world->heard.lost)
                assert_true(sd_event_run(world->event, PATIENCE_USEC) > 0);
        assert_int_equal(world->heard.lost, 1);
        /* Read to its end, then there is room again. */
        while (sd_event_run(world->event, 0) > 0)
                ;
        size = 1 << 20;
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
        pid = fork();
        if (!pid) {
                create_vm();
                _exit(0);
        }
        waitpid(pid, NULL, 0);
        hear(world, 0, true, pid);
        world_free(world);
}

static void a_large_buffer_holds_the_deaths_of_many(void **state) {
        struct world *world;
        int fd, size = 0;
        socklen_t n = sizeof(size);

        SKIP_IF(why_not_root());
        world = world_new();
        fd = find_socket();
        assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &n), 0);
        assert_true(size >= 32 * 1024 * 1024); /* the kernel doubles it, for its own part */
        for (unsigned i = 0; i < 10000; i++)
                write_text(KVM_UEVENT, "change");
        while (sd_event_run(world->event, 0) > 0)
                ;
        assert_int_equal(world->heard.lost, 0);
        world_free(world);
}

static void closing_nothing_is_fine(void **state) {
        assert_null(kvm_uevent_source_close(NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_qemus_birth_and_death_are_told),
                cmocka_unit_test(two_vms_of_a_thread_are_told_apart_and_mapped_to_its_process),
                cmocka_unit_test(a_thread_that_lives_is_mapped_to_its_process),
                cmocka_unit_test(one_that_has_gone_already_is_nobody),
                cmocka_unit_test(other_devices_do_not_wake_us),
                cmocka_unit_test(a_forged_message_is_not_believed),
                cmocka_unit_test(an_overrun_buffer_is_told_and_what_comes_after_is_heard),
                cmocka_unit_test(a_large_buffer_holds_the_deaths_of_many),
                cmocka_unit_test(closing_nothing_is_fine),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
