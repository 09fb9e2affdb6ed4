#include "sources/qemu/survey.h"
#include "sources/command_line.h"
#include "sources/qemu/qemu_fixture.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* This very program, copied under another name, does nothing for ever when this is in its environment. */
#define PAUSES "VMPOWER_TEST_PAUSES"

#define SKIP_IF(reason)                                                                                      \
        do {                                                                                                 \
                const char *_reason = (reason);                                                              \
                                                                                                             \
                if (_reason) {                                                                               \
                        print_message("# skipped: %s\n", _reason);                                           \
                        return;                                                                              \
                }                                                                                            \
        } while (0)

static int survey(struct survey_vmm *ret_vmm, pid_t pid) {
        return survey_process(ret_vmm, pid, false);
}

/* Only what it is. */
static int verdict_on(pid_t pid, bool is_kvm_user) {
        struct survey_vmm vmm = { 0 };
        int r = survey_process(&vmm, pid, is_kvm_user);

        if (!r)
                survey_vmm_deinit(&vmm);
        return r;
}

/* How often one process is found among all. */
struct search {
        pid_t pid;
        size_t n;
};

static void count_one(void *userdata, struct survey_vmm *vmm) {
        struct search *search = userdata;

        search->n += vmm->pid == search->pid;
        assert_non_null(vmm->command_line);
}

static size_t times_found(pid_t pid) {
        struct search search = { .pid = pid };
        struct survey_sight sight;

        assert_int_equal(survey_all(&sight, count_one, &search), 0);
        assert_true(sight.n_processes >= 2);
        assert_true(sight.n_found <= sight.n_processes);
        assert_false(sight.is_hidden);
        return search.n;
}

/* A copy of this program, called `name`. */
struct copy {
        char directory[64];
        char path[128];
};

static struct copy copy_make(const char *name) {
        struct copy copy = { .directory = "/tmp/vmpower-test-XXXXXX" };
        char buffer[65536];
        ssize_t n;
        int from, to;

        assert_non_null(mkdtemp(copy.directory));
        snprintf(copy.path, sizeof(copy.path), "%s/%s", copy.directory, name);
        from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        to = open(copy.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
        while ((n = read(from, buffer, sizeof(buffer))) > 0)
                assert_int_equal(write(to, buffer, (size_t)n), n);
        close(from);
        close(to);
        return copy;
}

static void copy_remove(struct copy *copy) {
        unlink(copy->path);
        rmdir(copy->directory);
}

/* Is its command line there? */
static bool has_words(pid_t pid, const char *const *words) {
        cleanup(freep) char **arguments = NULL;
        size_t n;

        return !proc_arguments(&arguments, &n, pid) && n > 1 && !strcmp(arguments[1], words[0]);
}

/* Wait until it is itself. */
static void wait_for(pid_t pid, const struct copy *copy, const char *const *words) {
        char path[64], target[128];

        snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
        assert_true(
                QEMU_FIXTURE_UNTIL(readlink(path, target, sizeof(target)) == (ssize_t)strlen(copy->path) &&
                                   !memcmp(target, copy->path, strlen(copy->path)) && has_words(pid, words)));
}

/* Start the copy, which calls itself `name`. */
static pid_t copy_run_as(const struct copy *copy, const char *name, const char *const *words) {
        pid_t pid = qemu_fixture_run_as(copy->directory, copy->path, name, words);

        wait_for(pid, copy, words);
        return pid;
}

static pid_t copy_run(const struct copy *copy, const char *const *words) {
        return copy_run_as(copy, copy->path, words);
}

#define COPY_RUN(copy, ...) copy_run(copy, (const char *const[]){ __VA_ARGS__, NULL })

static void a_real_qemu_is_found_with_all_that_its_line_says(void **state) {
        struct qemu_fixture qemu = qemu_fixture_make(true);
        struct survey_vmm vmm;

        SKIP_IF(qemu.why_not);
        QEMU_FIXTURE_START(&qemu, "kvm", "-name", "guest=web-1,debug-threads=on", "-uuid",
                           "2f3d0e1c-5c1e-4a52-9d6e-0d4c8f0a1b2c", "-object", "secret,id=s,data=topsecret",
                           "-chardev", "socket,id=m,path=qmp,server=on,wait=off", "-mon",
                           "chardev=m,mode=control");
        assert_true(QEMU_FIXTURE_UNTIL(survey_has_vcpus(qemu.pid) == TRISTATE_TRUE));
        assert_int_equal(survey(&vmm, qemu.pid), 0);
        assert_int_equal(vmm.pid, qemu.pid);
        assert_true(vmm.is_qemu);
        assert_true(proc_instance_is_alive(vmm.instance));
        assert_int_equal(vmm.uid, geteuid());
        assert_string_equal(vmm.program, "qemu-system-x86_64");
        assert_string_equal(vmm.name, "web-1");
        assert_string_equal(vmm.uuid, "2f3d0e1c-5c1e-4a52-9d6e-0d4c8f0a1b2c");
        assert_int_equal(vmm.n_kvms, 1);
        assert_int_equal(vmm.n_vcpus, 1);
        assert_int_equal(vmm.monitors.n_items, 1);
        assert_int_equal(vmm.monitors.items[0].kind, QEMU_MONITOR_UNIX);
        assert_true(vmm.monitors.items[0].is_server);
        /* It was "qmp", in its directory. */
        assert_string_equal(vmm.monitors.items[0].address, qemu.socket);
        assert_false(vmm.monitors.is_libvirts);
        assert_non_null(strstr(vmm.command_line, "-accel kvm"));
        assert_null(strstr(vmm.command_line, "topsecret"));
        survey_vmm_deinit(&vmm);
        survey_vmm_deinit(&vmm);
        assert_int_equal(times_found(qemu.pid), 1);
        qemu_fixture_remove(&qemu);
        assert_int_equal(times_found(vmm.pid), 0);
}

static void software_emulation_is_found_too(void **state) {
        struct qemu_fixture qemu = qemu_fixture_make(false);
        struct survey_vmm vmm;

        SKIP_IF(qemu.why_not);
        QEMU_FIXTURE_START(&qemu, "tcg", "-qmp", "unix:qmp,server=on,wait=off");
        assert_true(QEMU_FIXTURE_UNTIL(qemu_fixture_is_there(qemu.socket)));
        assert_int_equal(survey(&vmm, qemu.pid), 0);
        assert_string_equal(vmm.name, "");
        assert_int_equal(vmm.n_kvms, 0);
        assert_string_equal(vmm.monitors.items[0].address, qemu.socket);
        assert_int_equal(survey_has_vcpus(qemu.pid), TRISTATE_FALSE);
        survey_vmm_deinit(&vmm);
        qemu_fixture_remove(&qemu);
}

static void a_probe_is_no_vm(void **state) {
        static const char *const words[] = { "-M",          "none,accel=kvm",
                                             "-nodefaults", "-display",
                                             "none",        "-S",
                                             "-qmp",        "unix:qmp,server=on,wait=off",
                                             NULL };
        struct qemu_fixture qemu = qemu_fixture_make(true);

        SKIP_IF(qemu.why_not);
        qemu.pid = qemu_fixture_run(qemu.directory, QEMU_FIXTURE_PROGRAM, words);
        assert_true(QEMU_FIXTURE_UNTIL(qemu_fixture_is_there(qemu.socket)));
        assert_int_equal(verdict_on(qemu.pid, false), SURVEY_NO_VMM);
        /* The kernel announces it as a VM; it has no vCPU, and will have none. */
        assert_int_equal(verdict_on(qemu.pid, true), SURVEY_NO_VMM);
        assert_int_equal(survey_has_vcpus(qemu.pid), TRISTATE_FALSE);
        assert_int_equal(times_found(qemu.pid), 0);
        qemu_fixture_remove(&qemu);
}

/* A shell that is called like one: no QEMU runs so without Xen. */
static pid_t run_as_qemu(const char *option, int *ret_fd) {
        int ends[2], started[2];
        char none;
        pid_t pid;

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_int_equal(pipe2(started, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
                char *const words[] = { "qemu-system-i386", "-c", "read line", (char *)option, "5", "-name", "web", NULL };

                dup2(ends[0], STDIN_FILENO);
                execv("/bin/sh", words);
                _exit(127);
        }
        close(ends[0]);
        close(started[1]);
        /* Its end was closed when it became that. */
        assert_int_equal(read(started[0], &none, 1), 0);
        close(started[0]);
        *ret_fd = ends[1];
        return pid;
}

static int times_found_as_qemu(const char *option) {
        struct survey_vmm vmm;
        int fd, r, n;
        pid_t pid = run_as_qemu(option, &fd);

        while ((r = survey_process(&vmm, pid, false)) == SURVEY_EARLY)
                ;
        if (!r)
                survey_vmm_deinit(&vmm);
        n = times_found(pid);
        close(fd);
        waitpid(pid, NULL, 0);
        return n;
}

static void a_domains_device_model_is_no_vm(void **state) {
        assert_int_equal(times_found_as_qemu("-xen-domid"), 0);
        assert_int_equal(times_found_as_qemu("-m"), 1);
}

static void only_the_daemon_of_a_daemonized_qemu_is_the_vm(void **state) {
        struct qemu_fixture qemu = qemu_fixture_make(false);
        char pid_path[128], text[32] = "", option[128];
        struct survey_vmm vmm;
        pid_t daemon_pid;
        int client;

        SKIP_IF(qemu.why_not);
        snprintf(pid_path, sizeof(pid_path), "%s/pid", qemu.directory);
        snprintf(option, sizeof(option), "unix:%s,server=on,wait=on", qemu.socket);
        /* wait=on: the first process waits for the daemon, and the daemon for a client. */
        QEMU_FIXTURE_START(&qemu, "tcg", "-daemonize", "-pidfile", pid_path, "-qmp", option, "-qmp",
                           "unix:relative,server=on,wait=off");
        assert_true(QEMU_FIXTURE_UNTIL((client = qemu_fixture_connect(qemu.socket)) >= 0));
        /* By now it may be set up, or be about to: the launcher is held, so that we can look at it. */
        kill(qemu.pid, SIGSTOP);
        assert_true(QEMU_FIXTURE_UNTIL(proc_read(pid_path, text, sizeof(text)) > 1));
        daemon_pid = atoi(text);
        assert_int_not_equal(daemon_pid, qemu.pid);
        assert_int_equal(survey(&vmm, daemon_pid), 0);
        /* Its directory is the root by now, or will be: where it was is not known. */
        assert_string_equal(vmm.monitors.items[1].address, "relative");
        assert_string_equal(vmm.monitors.items[0].address, qemu.socket);
        survey_vmm_deinit(&vmm);
        assert_int_equal(times_found(daemon_pid), 1);
        if (!kill(qemu.pid, 0))
                assert_int_not_equal(verdict_on(qemu.pid, false), 0);
        kill(daemon_pid, SIGKILL);
        close(client);
        unlink(pid_path);
        unlink(strcat(strcpy(option, qemu.directory), "/relative"));
        qemu_fixture_remove(&qemu);
}

static void a_launcher_that_waits_for_its_daemon_is_no_vm(void **state) {
        struct copy copy = copy_make("qemu-system-x86_64");
        pid_t pid = COPY_RUN(&copy, "-daemonize", "-name", "web-1");
        pid_t other = COPY_RUN(&copy, "-name", "-daemonize");

        /* Its session's leader lives. */
        assert_int_equal(verdict_on(pid, false), SURVEY_NO_VMM);
        assert_int_equal(verdict_on(other, false), 0);
        qemu_fixture_end(&pid);
        qemu_fixture_end(&other);
        copy_remove(&copy);
}

static void an_upgraded_qemu_is_still_one(void **state) {
        struct copy copy = copy_make("qemu-system-aarch64");
        struct survey_vmm vmm;
        /* It calls itself something else, so that only its executable tells. */
        pid_t pid = copy_run_as(&copy, "vm", (const char *const[]){ "-name", "web-1", NULL });

        copy_remove(&copy);
        assert_int_equal(survey(&vmm, pid), 0);
        assert_true(vmm.is_qemu);
        assert_string_equal(vmm.program, "qemu-system-aarch64");
        assert_string_equal(vmm.name, "web-1");
        survey_vmm_deinit(&vmm);
        qemu_fixture_end(&pid);
}

/* "kvm" is a QEMU's name as well as an accelerator's. */
static void a_qemu_may_call_itself_anything(void **state) {
        struct copy copy = copy_make("qemu-system-x86_64");
        pid_t pid = copy_run_as(&copy, "my vm", (const char *const[]){ "-name", "web-1", "-accel", "kvm", NULL });
        char program[SURVEY_PROGRAM_MAX];
        struct survey_vmm vmm;

        assert_int_equal(survey(&vmm, pid), 0);
        assert_string_equal(vmm.name, "web-1");
        assert_non_null(strstr(vmm.command_line, "my vm"));
        survey_vmm_deinit(&vmm);
        assert_int_equal(survey_program(program, pid), 0);
        assert_string_equal(program, "qemu-system-x86_64");
        assert_int_equal(survey_program(program, getpid()), SURVEY_NO_VMM);
        qemu_fixture_end(&pid);
        copy_remove(&copy);
}

static void a_relative_path_is_resolved_in_the_root_too(void **state) {
        struct copy copy = copy_make("kvm");
        static const char *const words[] = { "-qmp", "unix:q,server=on", NULL };
        struct survey_vmm vmm;
        pid_t pid = qemu_fixture_run("/", copy.path, words);

        wait_for(pid, &copy, words);
        assert_int_equal(survey(&vmm, pid), 0);
        assert_string_equal(vmm.monitors.items[0].address, "/q");
        survey_vmm_deinit(&vmm);
        qemu_fixture_end(&pid);
        copy_remove(&copy);
}

static void a_qemu_that_only_informs_is_no_vm(void **state) {
        struct copy copy = copy_make("qemu-kvm");
        pid_t informs = COPY_RUN(&copy, "-device", "help");
        pid_t runs = COPY_RUN(&copy, "-device", "helpful");

        assert_int_equal(verdict_on(informs, false), SURVEY_NO_VMM);
        assert_int_equal(verdict_on(runs, false), 0);
        qemu_fixture_end(&informs);
        qemu_fixture_end(&runs);
        copy_remove(&copy);
}

static void one_processs_emulation_is_no_vm(void **state) {
        struct copy copy = copy_make("qemu-x86_64");
        pid_t pid = COPY_RUN(&copy, "-cpu", "max", "/bin/qemu-system-x86_64");

        assert_int_equal(verdict_on(pid, false), SURVEY_NO_VMM);
        qemu_fixture_end(&pid);
        copy_remove(&copy);
}

static void a_wrapped_qemu_is_known_by_what_it_calls_itself(void **state) {
        struct copy copy = copy_make(".qemu-system-x86_64-wrapped");
        struct survey_vmm vmm;
        pid_t pid = copy_run_as(&copy, "qemu-system-x86_64", (const char *const[]){ "-name", "web-1", NULL });

        assert_int_equal(survey(&vmm, pid), 0);
        assert_true(vmm.is_qemu);
        assert_string_equal(vmm.program, "qemu-system-x86_64");
        assert_string_equal(vmm.name, "web-1");
        survey_vmm_deinit(&vmm);
        qemu_fixture_end(&pid);
        copy_remove(&copy);
}

/* As in the middle of execve(2): the program is there, its arguments are not. */
static void a_qemu_that_is_just_starting_is_looked_at_again(void **state) {
        struct copy copy = copy_make("qemu-system-x86_64");
        struct search search = { 0 };
        struct survey_sight sight;
        char path[64], comm[64];

        search.pid = qemu_fixture_run(copy.directory, copy.path, (const char *const[]){ "-empty", NULL });
        snprintf(path, sizeof(path), "/proc/%d/comm", (int)search.pid);
        assert_true(QEMU_FIXTURE_UNTIL(proc_read(path, comm, sizeof(comm)) > 0 && !strcmp(comm, "hidden\n")));
        assert_int_equal(verdict_on(search.pid, false), SURVEY_EARLY);
        assert_int_equal(survey_all(&sight, count_one, &search), 0);
        assert_int_equal(search.n, 0);
        assert_true(sight.n_early >= 1);
        qemu_fixture_end(&search.pid);
        copy_remove(&copy);
}

/* One that forks, whose last word that is. */
static void fork_of(const char *word, int expected_parent, int expected_child) {
        struct copy copy = copy_make("qemu-system-x86_64");
        pid_t pid = COPY_RUN(&copy, "-fork", "-name", "web-1", word);
        char path[64], text[32];
        pid_t child;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
        assert_true(QEMU_FIXTURE_UNTIL(proc_read(path, text, sizeof(text)) > 1));
        child = atoi(text);
        assert_int_equal(verdict_on(pid, false), expected_parent);
        assert_int_equal(verdict_on(child, false), expected_child);
        kill(child, SIGKILL);
        qemu_fixture_end(&pid);
        copy_remove(&copy);
}

static void a_qemu_that_forks_is_one_vm(void **state) {
        fork_of("-nodefaults", 0, SURVEY_NO_VMM);
}

/* Its session's leader is its parent, which ends late. */
static void a_daemon_is_the_vm_before_its_parent_has_ended(void **state) {
        fork_of("-daemonize", SURVEY_NO_VMM, 0);
}

static void another_kvm_user_is_found_by_what_it_holds(void **state) {
        struct survey_vmm vmm;
        int kvm, vm, vcpu;

        SKIP_IF(access("/dev/kvm", R_OK | W_OK) < 0 ? "needs /dev/kvm" : NULL);
        assert_int_equal(verdict_on(getpid(), false), SURVEY_NO_VMM);
        /* The kernel says so before the descriptor is there. */
        assert_int_equal(survey_process(&vmm, getpid(), true), 0);
        assert_int_equal(vmm.n_kvms, 0);
        survey_vmm_deinit(&vmm);

        kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
        vm = ioctl(kvm, KVM_CREATE_VM, 0);
        assert_true(vm >= 0);
        assert_int_equal(survey(&vmm, getpid()), 0);
        assert_false(vmm.is_qemu);
        assert_string_equal(vmm.program, "survey_test");
        assert_string_equal(vmm.name, "");
        assert_int_equal(vmm.n_kvms, 1);
        assert_int_equal(vmm.n_vcpus, 0);
        survey_vmm_deinit(&vmm);
        assert_int_equal(survey_has_vcpus(getpid()), TRISTATE_FALSE);
        assert_int_equal(times_found(getpid()), 1);

        vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
        assert_true(vcpu >= 0);
        assert_int_equal(survey_has_vcpus(getpid()), TRISTATE_TRUE);
        close(vcpu);
        close(vm);
        close(kvm);
        assert_int_equal(verdict_on(getpid(), false), SURVEY_NO_VMM);
}

/* In a child without rights, `look` returns its exit status. */
static int as_nobody(int (*look)(pid_t pid), pid_t about) {
        int status;
        pid_t pid = fork();

        if (!pid) {
                if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
                        _exit(100);
                _exit(look(about));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static int look_at_stranger(pid_t pid) {
        struct survey_sight sight;
        struct search search = { .pid = pid };

        if (verdict_on(pid, false) != SURVEY_UNSEEN)
                return 1;
        if (survey_has_vcpus(pid) != TRISTATE_NULL)
                return 2;
        if (survey_all(&sight, count_one, &search) || search.n || !sight.n_unseen)
                return 3;
        return 0;
}

static int look_at_strangers_qemu(pid_t pid) {
        struct survey_vmm vmm;

        if (survey(&vmm, pid))
                return 1;
        if (!vmm.is_qemu || strcmp(vmm.name, "web-1") || vmm.n_kvms != -1 || vmm.n_vcpus != -1)
                return 2;
        /* Its directory may not be read. */
        if (strcmp(vmm.monitors.items[0].address, "qmp"))
                return 3;
        /* QEMU names its threads. */
        if (survey_has_vcpus(pid) != TRISTATE_TRUE)
                return 4;
        return 0;
}

static void without_rights_a_qemu_is_found_and_the_rest_is_said_to_be_unseen(void **state) {
        struct qemu_fixture qemu;

        SKIP_IF(geteuid() ? "needs root, to give it up" : NULL);
        qemu = qemu_fixture_make(true);
        SKIP_IF(qemu.why_not);
        assert_int_equal(as_nobody(look_at_stranger, getpid()), 0);
        QEMU_FIXTURE_START(&qemu, "kvm", "-name", "web-1,debug-threads=on", "-qmp",
                           "unix:qmp,server=on,wait=off");
        assert_true(QEMU_FIXTURE_UNTIL(survey_has_vcpus(qemu.pid) == TRISTATE_TRUE));
        assert_true(QEMU_FIXTURE_UNTIL(qemu_fixture_is_there(qemu.socket)));
        assert_int_equal(as_nobody(look_at_strangers_qemu, qemu.pid), 0);
        qemu_fixture_remove(&qemu);
}

static void one_that_is_gone_is_not_there(void **state) {
        pid_t zombie = fork();

        if (!zombie)
                _exit(0);
        assert_int_equal(verdict_on(0x7ffffff0, false), -ESRCH);
        assert_int_equal(verdict_on(0x7ffffff0, true), -ESRCH);
        assert_int_equal(survey_has_vcpus(0x7ffffff0), TRISTATE_NULL);
        assert_int_equal(waitid(P_PID, (id_t)zombie, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
        assert_int_equal(verdict_on(zombie, false), SURVEY_NO_VMM);
        assert_int_equal(verdict_on(zombie, true), SURVEY_NO_VMM);
        waitpid(zombie, NULL, 0);
        assert_int_equal(verdict_on(zombie, false), -ESRCH);
        /* Kernel threads are no processes of ours. */
        if (getpid() != 2 && !access("/proc/2", F_OK))
                assert_int_equal(verdict_on(2, true), SURVEY_NO_VMM);
}

/* A thousand that come and go, some of them called QEMU, one at a time to spare the machine. */
static void run_a_thousand(const struct copy *copy) {
        for (unsigned i = 0; i < 1000; i++) {
                pid_t pid = fork();

                if (!pid) {
                        if (i % 20 == 0)
                                execl(copy->path, copy->path, "-exit", "-name", "brief", NULL);
                        _exit(0);
                }
                waitpid(pid, NULL, 0);
        }
}

static void processes_that_vanish_meanwhile_do_no_harm(void **state) {
        struct copy copy = copy_make("qemu-system-x86_64");
        pid_t lasting = COPY_RUN(&copy, "-name", "web-1");
        unsigned n_surveys = 0;
        pid_t storm = fork();

        if (!storm) {
                run_a_thousand(&copy);
                _exit(0);
        }
        while (!waitpid(storm, NULL, WNOHANG)) {
                assert_int_equal(times_found(lasting), 1);
                n_surveys++;
        }
        assert_true(n_surveys > 1);
        print_message("# %u surveys meanwhile\n", n_surveys);
        qemu_fixture_end(&lasting);
        copy_remove(&copy);
}

static void a_hostile_command_line_is_only_text(void **state) {
        struct copy copy = copy_make("qemu-system-x86_64");
        static char members[100000];
        struct survey_vmm vmm;
        pid_t pid;

        memset(members, ',', sizeof(members) - 1);
        pid = COPY_RUN(&copy, "-name", "a\nb\x1b[31m", "-qmp", "unix:", "-M", ",,,", "-mon", members,
                       "-chardev", "");
        assert_int_equal(survey(&vmm, pid), 0);
        assert_string_equal(vmm.name, "a?b?[31m");
        assert_int_equal(vmm.monitors.n_items, 1);
        assert_true(strlen(vmm.command_line) < COMMAND_LINE_MAX);
        survey_vmm_deinit(&vmm);
        qemu_fixture_end(&pid);
        copy_remove(&copy);
}

static const char *own_words;

/* Take the page of our command line away, on a stack of our own: the other one's end is in that page. */
static void hide_words(int signal) {
        size_t n_page = (size_t)sysconf(_SC_PAGESIZE);

        mprotect((void *)((uintptr_t)own_words & ~(n_page - 1)), n_page, PROT_NONE);
        prctl(PR_SET_NAME, "hidden");
        for (;;)
                pause();
}

static void hide_for_ever(const char *words) {
        struct sigaction action = { .sa_handler = hide_words, .sa_flags = SA_ONSTACK };
        stack_t stack = { .ss_size = 1 << 20 };

        own_words = words;
        stack.ss_sp = malloc(stack.ss_size);
        sigaltstack(&stack, NULL);
        sigaction(SIGUSR1, &action, NULL);
        raise(SIGUSR1);
}

static int pause_for_ever(int argc, char **argv) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (argc > 1 && !strcmp(argv[1], "-exit"))
                return 0;
        if (argc > 1 && !strcmp(argv[1], "-empty"))
                hide_for_ever(argv[0]);
        if (argc > 1 && !strcmp(argv[1], "-fork") && !fork())
                prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
                pause();
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_real_qemu_is_found_with_all_that_its_line_says),
                cmocka_unit_test(software_emulation_is_found_too),
                cmocka_unit_test(a_probe_is_no_vm),
                cmocka_unit_test(a_domains_device_model_is_no_vm),
                cmocka_unit_test(only_the_daemon_of_a_daemonized_qemu_is_the_vm),
                cmocka_unit_test(a_launcher_that_waits_for_its_daemon_is_no_vm),
                cmocka_unit_test(an_upgraded_qemu_is_still_one),
                cmocka_unit_test(a_qemu_may_call_itself_anything),
                cmocka_unit_test(a_relative_path_is_resolved_in_the_root_too),
                cmocka_unit_test(a_qemu_that_only_informs_is_no_vm),
                cmocka_unit_test(one_processs_emulation_is_no_vm),
                cmocka_unit_test(a_wrapped_qemu_is_known_by_what_it_calls_itself),
                cmocka_unit_test(a_qemu_that_is_just_starting_is_looked_at_again),
                cmocka_unit_test(a_qemu_that_forks_is_one_vm),
                cmocka_unit_test(a_daemon_is_the_vm_before_its_parent_has_ended),
                cmocka_unit_test(another_kvm_user_is_found_by_what_it_holds),
                cmocka_unit_test(without_rights_a_qemu_is_found_and_the_rest_is_said_to_be_unseen),
                cmocka_unit_test(one_that_is_gone_is_not_there),
                cmocka_unit_test(processes_that_vanish_meanwhile_do_no_harm),
                cmocka_unit_test(a_hostile_command_line_is_only_text),
        };

        if (getenv(PAUSES))
                return pause_for_ever(argc, argv);
        setenv(PAUSES, "1", true);
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
