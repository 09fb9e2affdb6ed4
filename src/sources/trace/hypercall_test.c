/* The programs in the kernel that runs here, on hypercalls that real processes make of it: there is no Xen, but a kernel sees a program ask any device for the same. */
#include "sources/trace/hypercall_try.h"
#include "basics/cleanup.h"
#include "sources/proc.h"
#include "sources/trace/trace_programs.h"
#include "sources/xen_dom0.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { FACTS_MAX = 16 };

struct heard {
        sd_event *event;
        struct trace_source *source;
        struct evidence facts[FACTS_MAX];
        size_t n_facts;
        unsigned n_unknown; /* said to be of an interface that is not known */
        bool is_counting;   /* hypercalls are no more than counted */
        size_t n_calls;
};

/* As in Xen's own headers: xen-sys/Linux/privcmd.h, domctl.h, sched.h. */
struct hypercall {
        uint64_t op, arg[5];
};
#define HYPERCALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct hypercall))
#define STAND_IN "/dev/null"

struct domctl {
        uint32_t cmd, interface_version;
        uint16_t domain, padding[3];
        uint64_t rest[16];
};

struct remote_shutdown {
        uint16_t domain_id;
        uint32_t reason;
};

enum { XEN_4_17 = 0x15 };

/* As libxc does it where there is no /dev/xen/hypercall. */
static void *lock_memory(size_t n) {
        void *memory = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);

        return memory == MAP_FAILED ? NULL : memory;
}

static int ask(const char *device, uint64_t op, uint64_t first, uint64_t second) {
        struct hypercall hypercall = { op, { first, second } };
        int fd = open(device, O_RDWR | O_NOCTTY), r;

        if (fd < 0)
                return -errno;
        r = ioctl(fd, HYPERCALL, &hypercall) < 0 ? -errno : 0;
        close(fd);
        return r;
}

static int ask_domctl(const char *device, uint32_t command, uint32_t version, uint16_t domid) {
        struct domctl *domctl = lock_memory(sizeof(*domctl));
        int r;

        if (!domctl)
                return -errno;
        *domctl = (struct domctl){ .cmd = command, .interface_version = version, .domain = domid };
        r = ask(device, 36, (uint64_t)(uintptr_t)domctl, 0);
        munmap(domctl, sizeof(*domctl));
        return r;
}

static int trigger_domain(uint64_t trigger, uint16_t domid) {
        struct domctl *domctl = lock_memory(sizeof(*domctl));
        int r;

        if (!domctl)
                return -errno;
        *domctl = (struct domctl){ .cmd = 28, .interface_version = XEN_4_17, .domain = domid, .rest = { trigger } };
        r = ask(STAND_IN, 36, (uint64_t)(uintptr_t)domctl, 0);
        munmap(domctl, sizeof(*domctl));
        return r;
}

static void on_called(void *userdata, struct evidence *evidence) {
        struct heard *heard = userdata;

        if (!evidence) {
                heard->n_unknown++;
                return;
        }
        if (heard->is_counting && evidence->kind == EVIDENCE_HYPERCALL) {
                heard->n_calls++;
                evidence_deinit(evidence);
                return;
        }
        assert_true(heard->n_facts < FACTS_MAX);
        heard->facts[heard->n_facts++] = *evidence;
}

static struct heard *hear(struct trace_descriptors *handed) {
        struct heard *heard = calloc(1, sizeof(*heard));
        char why[TRACE_WHY_MAX];

        assert_non_null(heard);
        assert_true(sd_event_new(&heard->event) >= 0);
        assert_int_equal(trace_source_open(&heard->source, heard->event, TRACE_HOST, handed, why), 0);
        trace_source_on_hypercall(heard->source, on_called, heard);
        return heard;
}

static void heard_free(struct heard *heard) {
        for (size_t i = 0; i < heard->n_facts; i++)
                evidence_deinit(&heard->facts[i]);
        trace_source_close(heard->source);
        sd_event_unref(heard->event);
        free(heard);
}

/* What a dom0 is known by. */
static void become_dom0(const char *device) {
        static char path[32];
        int fd;

        strcpy(path, "/tmp/trace-source-XXXXXX");
        fd = mkstemp(path);
        assert_true(fd >= 0 && write(fd, "control_d\n", 10) == 10);
        close(fd);
        xen_dom0_capabilities = path;
        xen_dom0_privcmd = device;
}

static int leave_dom0(void **state) {
        unlink(xen_dom0_capabilities);
        xen_dom0_capabilities = "/proc/xen/capabilities";
        trace_programs_refuse_ioctl = false;
        return 0;
}

static int refuse_ioctl(void **state) {
        trace_programs_refuse_ioctl = true;
        return 0;
}

static struct heard *hear_dom0(const char *device) {
        struct heard *heard;

        become_dom0(device);
        heard = hear(NULL);
        assert_null(trace_source_lacks(heard->source, TRACE_HYPERCALLS));
        /* Some kernels refuse it themselves. */
        assert_true(trace_source_is_at_each_call(heard->source) || !trace_programs_refuse_ioctl);
        return heard;
}

static void drain(struct heard *heard) {
        trace_source_drain(heard->source);
}

static void who_tells_xen_to_destroy_a_domain_is_seen(void **state) {
        struct heard *heard = hear_dom0(STAND_IN);
        const struct evidence *e = &heard->facts[0];
        struct actor self;
        uint64_t began_ns = source_now_ns();
        pid_t child = fork();

        assert_true(child >= 0);
        /* As libxl does. */
        if (!child)
                _exit(ask_domctl(STAND_IN, 2, XEN_4_17, 5) != -ENOTTY);
        assert_int_equal(waitpid(child, NULL, 0), child);
        drain(heard);
        assert_int_equal(heard->n_facts, 1);
        assert_int_equal(e->kind, EVIDENCE_HYPERCALL);
        assert_string_equal(e->word, "destroydomain");
        assert_int_equal(e->number, 5);
        assert_true(e->at_ns >= began_ns && e->at_ns <= source_now_ns() && e->time_ns);
        assert_int_equal(e->actor->pid, child);
        assert_int_equal(e->actor->tid, 0);
        assert_int_equal(e->actor->uid, getuid());
        assert_int_equal(e->actor->parents[0].pid, getpid());
        assert_int_equal(e->actor->confidence, CONFIDENCE_CERTAIN);
        assert_int_equal(proc_actor(getpid(), "hypercall", &self), 0);
        assert_string_equal(e->actor->exe, self.exe);
        assert_string_equal(e->actor->user, self.user);
        assert_string_equal(e->actor->cmdline, self.cmdline);
        heard_free(heard);
}

static void each_command_is_told_with_its_domain_and_no_other_is(void **state) {
        static const struct {
                uint32_t command;
                const char *word;
        } commands[] = { { 2, "destroydomain" }, { 3, "pausedomain" }, { 4, "unpausedomain" }, { 27, "resumedomain" } };
        struct heard *heard = hear_dom0(STAND_IN);
        struct remote_shutdown *shutdown = lock_memory(sizeof(*shutdown));
        size_t n = 0;

        /* getdomaininfo, and so many more in the life of a toolstack. */
        for (uint32_t command = 0; command < 100; command++)
                assert_int_equal(ask_domctl(STAND_IN, command, XEN_4_17, (uint16_t)(command + 1)), -ENOTTY);
        *shutdown = (struct remote_shutdown){ .domain_id = 77, .reason = 3 };
        for (uint64_t command = 0; command < 10; command++)
                assert_int_equal(ask(STAND_IN, 29, command, (uint64_t)(uintptr_t)shutdown), -ENOTTY);
        for (uint64_t op = 0; op < 60; op++)
                if (op != 36 && op != 29)
                        assert_int_equal(ask(STAND_IN, op, 4, (uint64_t)(uintptr_t)shutdown), -ENOTTY);
        munmap(shutdown, sizeof(*shutdown));
        /* Of a domain's buttons there is one. */
        for (uint64_t trigger = 0; trigger < 6; trigger++)
                assert_int_equal(trigger_domain(trigger, 78), -ENOTTY);
        drain(heard);
        assert_int_equal(heard->n_facts, N_ELEMENTS(commands) + 2);
        assert_string_equal(heard->facts[heard->n_facts - 1].word, "power-button");
        assert_int_equal(heard->facts[heard->n_facts - 1].number, 78);
        for (; n < N_ELEMENTS(commands); n++) {
                assert_string_equal(heard->facts[n].word, commands[n].word);
                assert_int_equal(heard->facts[n].number, commands[n].command + 1);
                assert_true(evidence_is_before(&heard->facts[n], &heard->facts[n + 1]));
        }
        assert_string_equal(heard->facts[n].word, "shutdown");
        assert_string_equal(heard->facts[n].text, "crash");
        assert_int_equal(heard->facts[n].number, 77);
        heard_free(heard);
}

/* Anyone may say the same words to any other file: that is no deed. */
static void what_xen_does_not_hear_is_not_told(void **state) {
        struct heard *heard = hear_dom0(STAND_IN);
        struct hypercall nowhere = { .op = 36 };
        int fd = open(STAND_IN, O_RDWR);

        assert_int_equal(ask_domctl("/dev/zero", 2, XEN_4_17, 5), -ENOTTY);
        /* No such file, no hypercall there, and none of its words there. */
        assert_int_equal(ioctl(-1, HYPERCALL, &nowhere), -1);
        assert_int_equal(ioctl(100000, HYPERCALL, &nowhere), -1);
        assert_int_equal(ioctl(fd, HYPERCALL, NULL), -1);
        assert_int_equal(ioctl(fd, HYPERCALL, &nowhere), -1);
        nowhere = (struct hypercall){ .op = 29, .arg = { 4, 8 } };
        assert_int_equal(ioctl(fd, HYPERCALL, &nowhere), -1);
        assert_int_equal(ioctl(fd, HYPERCALL + 1, &nowhere), -1);
        drain(heard);
        assert_int_equal(heard->n_facts, 0);
        close(fd);
        heard_free(heard);
}

/* A terminal's file has data of its own, which are not those of one that is free to say anything. */
static void a_device_models_restricted_file_is_not_heard(void **state) {
        struct heard *heard = hear_dom0("/dev/ptmx");

        assert_int_equal(ask_domctl("/dev/ptmx", 2, XEN_4_17, 5), -ENOTTY);
        drain(heard);
        assert_int_equal(heard->n_facts, 0);
        heard_free(heard);
}

static void a_version_of_the_interface_that_is_not_known_is_said_once(void **state) {
        struct heard *heard = hear_dom0(STAND_IN);

        assert_int_equal(ask_domctl(STAND_IN, 2, 0x99, 5), -ENOTTY);
        drain(heard);
        assert_int_equal(heard->n_unknown, 1);
        assert_non_null(strstr(trace_source_lacks(heard->source, TRACE_HYPERCALLS), "0x99"));
        assert_int_equal(ask_domctl(STAND_IN, 2, 0x99, 5), -ENOTTY);
        drain(heard);
        assert_int_equal(heard->n_unknown, 1);
        assert_int_equal(heard->n_facts, 0);
        heard_free(heard);
}

static void what_xen_was_told_while_nobody_read_is_heard_by_the_next(void **state) {
        struct trace_descriptors handed;
        struct heard *heard = hear_dom0(STAND_IN), *next;

        trace_source_descriptors(heard->source, &handed);
        for (size_t i = 0; i < TRACE_DESCRIPTORS; i++)
                handed.fds[i] = handed.fds[i] >= 0 ? dup(handed.fds[i]) : -1;
        heard_free(heard);
        assert_int_equal(ask_domctl(STAND_IN, 2, XEN_4_17, 5), -ENOTTY);
        next = hear(&handed);
        assert_null(trace_source_lacks(next->source, TRACE_HYPERCALLS));
        drain(next);
        assert_int_equal(next->n_facts, 1);
        assert_int_equal(next->facts[0].actor->pid, getpid());
        heard_free(next);
}

/* Nobody reads for a while, and there is no room for as many. */
static void that_some_were_lost_is_told_once(void **state) {
        struct domctl *domctl = lock_memory(sizeof(*domctl));
        struct heard *heard = hear_dom0(STAND_IN);
        const struct evidence *gap;

        *domctl = (struct domctl){ .cmd = 27, .interface_version = XEN_4_17, .domain = 5 };
        heard->is_counting = true;
        for (size_t i = 0; i < 2000; i++)
                assert_int_equal(ask(STAND_IN, 36, (uint64_t)(uintptr_t)domctl, 0), -ENOTTY);
        drain(heard);
        assert_int_equal(heard->n_facts, 1);
        gap = &heard->facts[0];
        assert_int_equal(gap->kind, EVIDENCE_GAP);
        assert_int_equal(gap->source, SOURCE_TRACE);
        /* Others may ask, too. */
        assert_in_range(strtoul(gap->text, NULL, 10) + heard->n_calls, 2000, 2050);
        assert_true(heard->n_calls > 50);
        for (size_t i = 0; i < 10; i++)
                assert_int_equal(ask(STAND_IN, 36, (uint64_t)(uintptr_t)domctl, 0), -ENOTTY);
        drain(heard);
        assert_int_equal(heard->n_facts, 1);
        munmap(domctl, sizeof(*domctl));
        heard_free(heard);
}

/* -1: it cannot be read here. */
static int count_system_calls(void) {
        struct perf_event_attr attributes = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attributes) };
        char text[32] = "";

        if (proc_read("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id", text, sizeof(text)) <= 0)
                return -1;
        attributes.config = strtoul(text, NULL, 10);
        return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void a_perf_reader_sees_every_system_call(void **state) {
        struct heard *heard = hear_dom0(STAND_IN);
        int fd = count_system_calls();
        uint64_t before, after;

        if (fd >= 0) {
                assert_int_equal(read(fd, &before, sizeof(before)), sizeof(before));
                for (int i = 0; i < 1000; i++)
                        syscall(SYS_getppid);
                assert_int_equal(ask_domctl(STAND_IN, 2, XEN_4_17, 5), -ENOTTY);
                assert_int_equal(read(fd, &after, sizeof(after)), sizeof(after));
                assert_in_range(after - before, 1000, 1100);
                close(fd);
        }
        heard_free(heard);
}

static void who_is_no_dom0_hears_of_no_hypercall(void **state) {
        struct heard *heard;

        xen_dom0_privcmd = STAND_IN;
        xen_dom0_capabilities = "/proc/version";
        heard = hear(NULL);
        assert_null(trace_source_lacks(heard->source, TRACE_HYPERCALLS));
        assert_int_equal(ask_domctl(STAND_IN, 2, XEN_4_17, 5), -ENOTTY);
        drain(heard);
        assert_int_equal(heard->n_facts, 0);
        heard_free(heard);
        /* Nor one whose device is not there. */
        become_dom0("/dev/no/such/device");
        heard = hear(NULL);
        assert_non_null(strstr(trace_source_lacks(heard->source, TRACE_HYPERCALLS), "/dev/no/such/device"));
        heard_free(heard);
}

/* One that is no Xen answers that it does not know such words; they are seen all the same. */
static void what_is_tried_is_told_as_it_was_answered(void **state) {
        struct heard *heard = hear_dom0(STAND_IN);
        char found[FOUND_MAX];

        assert_int_equal(hypercall_try(heard->source, found), -ENOTTY);
        assert_non_null(strstr(found, strerror(ENOTTY)));
        heard_free(heard);
}

/* As root, on a kernel with BTF, it has to work.  Why it cannot here; NULL: it must. */
static const char *find_excuse(void) {
        if (!strcmp(VMPOWER_HAS_TRACE, "0"))
                return "vmpower was built without it";
        if (access("/sys/kernel/btf/vmlinux", F_OK))
                return "this kernel has no BTF";
        return geteuid() ? "only root may use the kernel's tracepoints" : NULL;
}

/* By the program at each ioctl, and by the one at each system call, as where the kernel refuses the other. */
#define BOTH(test)                                                                                                       \
        { #test, test, NULL, leave_dom0, NULL }, { #test "_at_each_system_call", test, refuse_ioctl, leave_dom0, NULL }

int main(void) {
        static const struct CMUnitTest tests[] = {
                BOTH(who_tells_xen_to_destroy_a_domain_is_seen),
                BOTH(each_command_is_told_with_its_domain_and_no_other_is),
                BOTH(what_xen_does_not_hear_is_not_told),
                BOTH(a_device_models_restricted_file_is_not_heard),
                BOTH(a_version_of_the_interface_that_is_not_known_is_said_once),
                BOTH(what_xen_was_told_while_nobody_read_is_heard_by_the_next),
                BOTH(that_some_were_lost_is_told_once),
                BOTH(a_perf_reader_sees_every_system_call),
                BOTH(who_is_no_dom0_hears_of_no_hypercall),
                BOTH(what_is_tried_is_told_as_it_was_answered),
        };

        if (find_excuse()) {
                printf("1..0 # SKIP %s\n", find_excuse());
                return 0;
        }
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("hypercall", tests, NULL, NULL);
}
