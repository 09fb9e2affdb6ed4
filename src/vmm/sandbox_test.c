#include "vmm/sandbox.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static char directory[] = "/tmp/vmpower-sandbox-XXXXXX";
static char socket_path[64], other_path[64], below_path[64];
static int zero_fd;

/* How the process ended that did that in a sandbox: 0, or what it returned; -SIGNAL. */
static int end_of(int (*function)(void)) {
        const pid_t pid = fork();
        int status;

        if (!pid) {
                const char *const removable[] = { NULL, socket_path };
                char why[SANDBOX_WHY_MAX];

                if (sandbox_enter(removable, N_ELEMENTS(removable), why))
                        _exit(99);
                _exit(function());
        }
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* --- what it needs ----------------------------------------------------------------------------------------------- */

static int opens(const char *path, int flags) {
        const int fd = open(path, flags | O_CLOEXEC, 0600);

        return fd < 0 ? errno : close(fd);
}

static int reads_who_it_is(void) {
        return opens("/proc/self/cmdline", O_RDONLY);
}

static int removes_its_socket(void) {
        return unlink(socket_path) ? errno : 0;
}

static void *sleep_a_moment(void *given) {
        const struct timespec moment = { .tv_nsec = 1000 };
        pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        pthread_cond_t never = PTHREAD_COND_INITIALIZER;
        void *bytes = malloc(1 << 16);

        pthread_setname_np(pthread_self(), "cpu-1");
        memset(bytes, 1, 1 << 16);
        pthread_mutex_lock(&lock);
        pthread_cond_timedwait(&never, &lock, &moment);
        pthread_mutex_unlock(&lock);
        return bytes;
}

static void on_signal(int number) {
}

static int begins_threads_and_wakes_them(void) {
        pthread_t threads[4];
        void *bytes;

        signal(SIGUSR1, on_signal);
        for (size_t i = 0; i < N_ELEMENTS(threads); i++)
                if (pthread_create(&threads[i], NULL, sleep_a_moment, NULL))
                        return 1;
        for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
                pthread_kill(threads[i], SIGUSR1);
                if (pthread_join(threads[i], &bytes))
                        return 1;
                free(bytes);
        }
        return 0;
}

static int takes_memory(void) {
        void *bytes = malloc(64 << 20);
        void *more = realloc(bytes, 128 << 20);

        if (!more)
                return 1;
        memset(more, 1, 4096);
        free(more);
        return 0;
}

static int asks_kvm(void) {
        return ioctl(zero_fd, KVM_RUN, 0) < 0 && errno == ENOTTY ? 0 : 1;
}

static void what_a_vm_needs_it_may(void **state) {
        assert_int_equal(end_of(reads_who_it_is), 0);
        assert_int_equal(end_of(removes_its_socket), 0);
        assert_int_equal(access(socket_path, F_OK), -1);
        assert_int_equal(end_of(begins_threads_and_wakes_them), 0);
        assert_int_equal(end_of(takes_memory), 0);
        assert_int_equal(end_of(asks_kvm), 0);
}

/* --- files ------------------------------------------------------------------------------------------------------- */

static int reads_a_file(void) {
        return opens(other_path, O_RDONLY);
}

static int reads_another_directory_by_proc(void) {
        return opens("/proc/self/root/etc/passwd", O_RDONLY);
}

static int removes_what_is_elsewhere(void) {
        return unlink(below_path) ? errno : 0;
}

static void no_file_is_read_and_none_is_removed_but_its_own(void **state) {
        assert_int_equal(end_of(reads_a_file), EACCES);
        assert_int_equal(end_of(reads_another_directory_by_proc), EACCES);
        assert_int_equal(end_of(removes_what_is_elsewhere), EACCES);
        assert_int_equal(access(below_path, F_OK), 0);
}

/* --- what ends it ------------------------------------------------------------------------------------------------ */

static int writes_a_file(void) { return opens(other_path, O_WRONLY); }
static int writes_and_reads_a_file(void) { return opens(other_path, O_RDWR); }
static int makes_a_file(void) { return opens(below_path, O_RDONLY | O_CREAT); }
static int empties_a_file(void) { return opens(other_path, O_RDONLY | O_TRUNC); }
static int makes_a_socket(void) { return socket(AF_UNIX, SOCK_STREAM, 0) < 0; }
static int runs_a_program(void) { return execl("/bin/true", "true", (char *)NULL); }
static int begins_a_process(void) { return fork() < 0; }
static int begins_a_process_by_its_number(void) { return (int)syscall(SYS_vfork); }
static int kills_its_parent(void) { return kill(getppid(), 0); }
static int kills_by_thread(void) { return (int)syscall(SYS_tgkill, 1, 1, 0); }
static int traces(void) { return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL); }
static int changes_a_mode(void) { return chmod(other_path, 0777); }
static int renames(void) { return rename(other_path, below_path); }
static int makes_a_directory(void) { return mkdir("/tmp/x", 0700); }
static int changes_its_user(void) { return setuid(0); }
static int sets_itself_free(void) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
static int leaves_its_namespace(void) { return unshare(CLONE_NEWUSER); }
static int asks_the_terminal(void) { return ioctl(zero_fd, TIOCSTI, "x"); }
static int makes_a_vm(void) { return ioctl(zero_fd, KVM_CREATE_VM, 0); }
static int sets_memory(void) { return ioctl(zero_fd, KVM_SET_USER_MEMORY_REGION, NULL); }
static int keeps_a_ring(void) { return (int)syscall(SYS_io_uring_setup, 1, NULL); }
static int reads_another_process(void) { return (int)syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0); }
static int maps_a_program(void) { return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED; }
static int maps_a_file(void) { return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, zero_fd, 0) == MAP_FAILED; }

static int makes_memory_a_program(void) {
        void *bytes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        return mprotect(bytes, 4096, PROT_READ | PROT_EXEC);
}

#ifdef __x86_64__
/* getpid() of 32 bits: its number is writev's. */
static int calls_as_32_bits(void) {
        int pid;

        __asm__ volatile("int $0x80" : "=a"(pid) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
        return pid < 0;
}
#endif

static void another_call_ends_it(void **state) {
        static const struct {
                const char *what;
                int (*does)(void);
        } cases[] = {
#define CASE(function) { #function, function }
                CASE(writes_a_file),         CASE(writes_and_reads_a_file), CASE(makes_a_file),        CASE(empties_a_file),
                CASE(makes_a_socket),        CASE(runs_a_program),          CASE(begins_a_process),    CASE(begins_a_process_by_its_number),
                CASE(kills_its_parent),      CASE(kills_by_thread),         CASE(traces),              CASE(changes_a_mode),
                CASE(renames),               CASE(makes_a_directory),       CASE(changes_its_user),    CASE(sets_itself_free),
                CASE(leaves_its_namespace),  CASE(asks_the_terminal),       CASE(makes_a_vm),          CASE(sets_memory),
                CASE(keeps_a_ring),          CASE(reads_another_process),   CASE(maps_a_program),      CASE(maps_a_file),
                CASE(makes_memory_a_program),
#ifdef __x86_64__
                CASE(calls_as_32_bits),
#endif
#undef CASE
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                const int end = end_of(cases[i].does);

                if (end != -SIGSYS)
                        fail_msg("%s: %d", cases[i].what, end);
        }
}

static void *does_nothing_for_a_while(void *given) {
        sleep(1);
        return NULL;
}

/* It would keep the rights that the others give up. */
static void with_another_thread_it_is_refused(void **state) {
        char why[SANDBOX_WHY_MAX];
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, does_nothing_for_a_while, NULL), 0);
        assert_int_equal(sandbox_enter(NULL, 0, why), -EBUSY);
        pthread_join(thread, NULL);
        assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}

static void touch(const char *path) {
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int make_files(void **state) {
        if (!mkdtemp(directory))
                return -1;
        snprintf(socket_path, sizeof(socket_path), "%s/socket", directory);
        snprintf(other_path, sizeof(other_path), "%s/other", directory);
        snprintf(below_path, sizeof(below_path), "%s-beside", directory);
        touch(socket_path);
        touch(other_path);
        touch(below_path);
        zero_fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
        return zero_fd < 0;
}

static int remove_files(void **state) {
        unlink(other_path);
        unlink(below_path);
        return rmdir(directory);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_a_vm_needs_it_may),
                cmocka_unit_test(no_file_is_read_and_none_is_removed_but_its_own),
                cmocka_unit_test(another_call_ends_it),
                cmocka_unit_test(with_another_thread_it_is_refused),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("sandbox", tests, make_files, remove_files);
}
