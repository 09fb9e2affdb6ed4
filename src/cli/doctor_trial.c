#include "cli/doctor_trial.h"

#include "basics/cleanup.h"
#include "engine/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define VMM "qemu-system-x86_64"
#define ROM "probe.rom"

/* What works takes half a second, on a busy machine a few. */
#define PATIENCE_MS 20000
/* A VM that is not ended in that time powers itself off. */
#define LIFETIME_MS "60000"

enum { WORDS_MAX = 40 };

struct way {
        const char *name;
        int signal; /* 0: none is sent */
        bool quits; /* over its monitor */
        const char *expected[3];
        bool is_graceful;
};

static const struct way ways[] = {
        { "poweroff", 0, false, { "poweroff", "guest", "acpi-s5" }, true },
        { "kill -9", SIGKILL, false, { "destroy", "operator", "signal" }, false },
        { "kill -TERM", SIGTERM, false, { "destroy", "operator", "signal" }, false },
        { "QMP quit", 0, true, { "destroy", "operator", "qmp-quit" }, false },
};

static volatile sig_atomic_t interrupted_by;

static void on_interrupt(int number) {
        interrupted_by = number;
}

struct place {
        char directory[64];
        char rom[PATH_MAX];
};

static int64_t now_ms(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- the place --------------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static void leave(struct place *place) {
        if (place->directory[0])
                nftw(place->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* $VMPOWER_DATA_DIR; beside the program, as it was installed or built; where it was to be installed. */
static int find_rom(char ret_path[static PATH_MAX]) {
        const char *named = getenv("VMPOWER_DATA_DIR");
        static const char *const beside[] = { "../share/vmpower", "../../guests" };
        char program[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
        char *slash;

        if (named && *named) {
                snprintf(ret_path, PATH_MAX, "%.4000s/%s", named, ROM);
                return access(ret_path, R_OK) ? -errno : 0;
        }
        program[n > 0 ? n : 0] = '\0';
        slash = strrchr(program, '/');
        for (size_t i = 0; slash && i < N_ELEMENTS(beside); i++) {
                snprintf(ret_path, PATH_MAX, "%.*s/%s/%s", (int)(slash - program < 3900 ? slash - program : 3900), program, beside[i], ROM);
                if (!access(ret_path, R_OK))
                        return 0;
        }
        snprintf(ret_path, PATH_MAX, "%s/%s", VMPOWER_DATA_DIR, ROM);
        return access(ret_path, R_OK) ? -errno : 0;
}

/* --- its processes ----------------------------------------------------------------------------------------------- */

static void set(char *ret_words[static WORDS_MAX], size_t *n, const char *word) {
        if (*n < WORDS_MAX - 1)
                ret_words[(*n)++] = (char *)word;
        ret_words[*n] = NULL;
}

/* This environment, but for what says where vmpower's things are. */
static char **make_environment(char own[static 3][128]) {
        size_t n = 0, n_all = 0;
        char **all;

        while (environ[n_all])
                n_all++;
        all = calloc(n_all + 4, sizeof(*all));
        for (size_t i = 0; all && i < n_all; i++)
                if (strncmp(environ[i], "VMPOWER_STATE_DIR=", 18) && strncmp(environ[i], "VMPOWER_RUN_DIR=", 16) &&
                    strncmp(environ[i], "VMPOWER_CONFIG_DIR=", 19))
                        all[n++] = environ[i];
        for (size_t i = 0; all && i < 3; i++)
                all[n++] = own[i];
        return all;
}

/* `vmpower run` on a QEMU: a pid, or -errno. */
static pid_t start(const struct place *place, const struct way *way, const char *accelerator) {
        char own[3][128], verdict[96], monitor[160], errors[96], *words[WORDS_MAX];
        cleanup(freep) char **environment = NULL;
        posix_spawn_file_actions_t actions;
        size_t n = 0;
        pid_t pid;
        int r;

        snprintf(own[0], sizeof(own[0]), "VMPOWER_STATE_DIR=%s/state", place->directory);
        snprintf(own[1], sizeof(own[1]), "VMPOWER_RUN_DIR=%s/run", place->directory);
        snprintf(own[2], sizeof(own[2]), "VMPOWER_CONFIG_DIR=%s/config", place->directory);
        snprintf(verdict, sizeof(verdict), "%s/verdict", place->directory);
        snprintf(errors, sizeof(errors), "%s/errors", place->directory);
        snprintf(monitor, sizeof(monitor), "unix:%s/monitor,server=on,wait=off", place->directory);
        /* Its name is on QEMU's command line, too: so a vmpowerd finds it. */
        for (const char *const *word = (const char *const[]){ "vmpower", "run", "--name", "vmpower-doctor", "--verdict", verdict, "--quiet",
                                                              "--", VMM, "-name", "vmpower-doctor", "-M", "pc", "-accel", accelerator, "-m", "2", "-nodefaults",
                                                              "-display", "none", "-bios", place->rom, "-qmp", monitor, "-fw_cfg",
                                                              "name=opt/vmpower/action,string=s5", NULL };
             *word; word++)
                set(words, &n, *word);
        if (way->signal || way->quits) {
                set(words, &n, "-fw_cfg");
                set(words, &n, "name=opt/vmpower/delay-ms,string=" LIFETIME_MS);
        }
        environment = make_environment(own);
        if (!environment)
                return -ENOMEM;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        r = -posix_spawn(&pid, "/proc/self/exe", &actions, NULL, words, environment);
        posix_spawn_file_actions_destroy(&actions);
        return r ? r : pid;
}

/* Wait for `vmpower run`: it reaps its VM.  False: it has not ended. */
static bool wait_for_end(pid_t pid, int64_t until_ms) {
        cleanup(closep) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        int64_t left_ms = until_ms - now_ms();

        /* A signal for us comes in between: then it has not ended either. */
        if (fd < 0 || poll(&wait, 1, left_ms > 0 ? (int)left_ms : 0) <= 0)
                return false;
        return waitpid(pid, NULL, 0) == pid;
}

static bool kill_children(pid_t pid) {
        cleanup(fclosep) FILE *file = NULL;
        bool has_any = false;
        char path[64];
        int child;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
        file = fopen(path, "r");
        while (file && fscanf(file, "%d", &child) == 1)
                has_any = !kill(child, SIGKILL) || has_any;
        return has_any;
}

/* What does not end is ended: first the VM, which `vmpower run` never does, and which it may be about to start. */
static void end_by_force(pid_t runner) {
        int64_t until_ms = now_ms() + 5000;
        bool is_vm_ended = false;

        while (now_ms() < until_ms) {
                /* Once: what a runner that ends starts then (a sanitizer's tracer) is no VM. */
                is_vm_ended = is_vm_ended || kill_children(runner);
                if (wait_for_end(runner, now_ms() + 20))
                        return;
        }
        kill(runner, SIGKILL);
        waitpid(runner, NULL, 0);
}

/* --- its monitor: another one beside that of `vmpower run` ------------------------------------------------------- */

struct monitor {
        int fd;
        FILE *lines;
};

static void monitor_close(struct monitor *monitor) {
        if (monitor->lines)
                fclose(monitor->lines);
        close_fd(&monitor->fd);
}

static int say(struct monitor *monitor, const char *command) {
        return send(monitor->fd, command, strlen(command), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* QEMU makes it at its start. */
static int monitor_connect(struct monitor *monitor, const struct place *place, pid_t runner, int64_t until_ms) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
        cleanup(closep) int ended = (int)syscall(SYS_pidfd_open, runner, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "%s/monitor", place->directory);
        monitor->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (monitor->fd < 0)
                return -errno;
        setsockopt(monitor->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        while (connect(monitor->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                struct pollfd wait = { .fd = ended, .events = POLLIN };

                if (interrupted_by)
                        return -EINTR;
                if ((errno != ENOENT && errno != ECONNREFUSED) || now_ms() >= until_ms)
                        return -errno;
                /* Whoever makes it may have ended. */
                if (poll(&wait, 1, 10) > 0)
                        return -ESRCH;
        }
        monitor->lines = fdopen(dup(monitor->fd), "r");
        return monitor->lines ? 0 : -errno;
}

static bool says_running(const char *line) {
        cleanup(json_decrefp) json_t *json = json_loads(line, 0, NULL);
        const char *event = json_string_value(json_object_get(json, "event"));

        return (event && !strcmp(event, "RESUME")) || json_is_true(json_object_get(json_object_get(json, "return"), "running"));
}

/* Until vmpower has let it run. */
static int wait_until_it_runs(struct monitor *monitor) {
        cleanup(freep) char *line = NULL;
        size_t n = 0;
        int r;

        r = say(monitor, "{\"execute\": \"qmp_capabilities\"}\n{\"execute\": \"query-status\"}\n");
        if (r)
                return r;
        while (getline(&line, &n, monitor->lines) > 0)
                if (says_running(line))
                        return 0;
        return ferror(monitor->lines) && errno == EAGAIN ? -ETIMEDOUT : -ECONNRESET;
}

/* It answers, or goes: QEMU does not read on what a client that has gone has said. */
static int quit(struct monitor *monitor) {
        cleanup(freep) char *line = NULL;
        size_t n = 0;
        int r = say(monitor, "{\"execute\": \"quit\"}\n");

        while (!r && getline(&line, &n, monitor->lines) > 0)
                if (strstr(line, "\"return\""))
                        break;
        return r;
}

static int end_vm(const struct place *place, const struct way *way, pid_t runner, int64_t until_ms) {
        cleanup(monitor_close) struct monitor monitor = { .fd = -1 };
        struct ucred vmm;
        socklen_t n_vmm = sizeof(vmm);
        int r;

        r = monitor_connect(&monitor, place, runner, until_ms);
        if (!r)
                r = wait_until_it_runs(&monitor);
        if (!r && way->quits)
                r = quit(&monitor);
        if (!r && way->signal && (getsockopt(monitor.fd, SOL_SOCKET, SO_PEERCRED, &vmm, &n_vmm) < 0 || kill(vmm.pid, way->signal) < 0))
                r = -errno;
        return r;
}

/* --- what is said of it ------------------------------------------------------------------------------------------ */

static const char *word_of(const json_t *verdict, const char *key) {
        return json_string_value(json_object_get(verdict, key)) ?: "";
}

static bool is_right(const struct trials *trials, const struct way *way, const json_t *verdict) {
        static const char *const keys[] = { "transition", "initiator", "mechanism" };
        const json_t *actor = json_object_get(json_object_get(verdict, "actor"), "pid");

        for (size_t i = 0; i < N_ELEMENTS(keys); i++)
                if (strcmp(word_of(verdict, keys[i]), way->expected[i]))
                        return false;
        if (json_is_true(json_object_get(verdict, "graceful")) != way->is_graceful)
                return false;
        /* QEMU itself says who sends it SIGTERM, the kernel alone who sends it SIGKILL. */
        return way->signal != SIGTERM && !(way->signal == SIGKILL && trials->is_traced) ? true
                                                                                        : json_integer_value(actor) == (json_int_t)getpid();
}

/* The last line that vmpower or QEMU has said. */
static void read_errors(const struct place *place, char ret_line[static TRIAL_WHY_MAX]) {
        cleanup(fclosep) FILE *file = NULL;
        char path[96], line[TRIAL_WHY_MAX / 2];

        snprintf(path, sizeof(path), "%s/errors", place->directory);
        file = fopen(path, "r");
        while (file && fgets(line, sizeof(line), file)) {
                line[strcspn(line, "\n")] = '\0';
                if (*line)
                        snprintf(ret_line, TRIAL_WHY_MAX, "nothing was said of it; the last line was: %s", line);
        }
}

static void judge(const struct trials *trials, const struct place *place, const struct way *way, struct trial *trial) {
        char path[96];

        snprintf(path, sizeof(path), "%s/verdict", place->directory);
        trial->verdict = json_load_file(path, 0, NULL);
        if (!trial->verdict) {
                if (!*trial->found)
                        snprintf(trial->found, sizeof(trial->found), "nothing was said of it");
                read_errors(place, trial->found);
                return;
        }
        trial->works = is_right(trials, way, trial->verdict);
        snprintf(trial->found, sizeof(trial->found), "%s%s", trial->works ? "" : "not right: ", word_of(trial->verdict, "summary"));
}

/* --- one, and all ------------------------------------------------------------------------------------------------ */

static void run_one(const struct trials *trials, const struct place *place, const struct way *way, struct trial *trial) {
        int64_t until_ms = now_ms() + PATIENCE_MS;
        char path[96];
        pid_t runner;
        int r = 0;

        for (const char *const *name = (const char *const[]){ "verdict", "monitor", "errors", NULL }; *name; name++) {
                snprintf(path, sizeof(path), "%s/%s", place->directory, *name);
                unlink(path);
        }
        runner = start(place, way, trial->accelerator);
        if (runner < 0) {
                snprintf(trial->found, sizeof(trial->found), "it cannot be started: %s", strerror(-runner));
                return;
        }
        if (way->signal || way->quits)
                r = end_vm(place, way, runner, until_ms);
        if (r)
                snprintf(trial->found, sizeof(trial->found), "the VM could not be ended: %s", strerror(-r));
        if (interrupted_by || !wait_for_end(runner, r ? now_ms() + 1000 : until_ms)) {
                end_by_force(runner);
                if (!r)
                        snprintf(trial->found, sizeof(trial->found), "nothing was said of it within %d s", PATIENCE_MS / 1000);
                return;
        }
        judge(trials, place, way, trial);
}

static int prepare(struct place *place, char ret_why[static TRIAL_WHY_MAX], const char **ret_repair) {
        cleanup(freep) char *vmm = NULL;
        const char *base = getenv("TMPDIR");
        int r;

        r = launch_find(VMM, &vmm);
        if (r) {
                snprintf(ret_why, TRIAL_WHY_MAX, "%s: %s", VMM, r == -ENOENT ? "it is not on the PATH" : strerror(-r));
                *ret_repair = geteuid() ? "sudo apt install qemu-system-x86" : "apt install qemu-system-x86";
                return r;
        }
        r = find_rom(place->rom);
        if (r) {
                snprintf(ret_why, TRIAL_WHY_MAX, "%.300s: %s", place->rom, strerror(-r));
                *ret_repair = "meson install -C BUILD, or export VMPOWER_DATA_DIR=DIRECTORY with a probe.rom in it";
                return r;
        }
        /* A socket's name has to fit. */
        snprintf(place->directory, sizeof(place->directory), "%s/vmpower-doctor-XXXXXX", base && *base && strlen(base) < 32 ? base : "/tmp");
        if (!mkdtemp(place->directory)) {
                r = -errno;
                snprintf(ret_why, TRIAL_WHY_MAX, "no directory can be made at %s: %s", place->directory, strerror(-r));
                place->directory[0] = '\0';
                return r;
        }
        return 0;
}

int trials_run(const struct trials *trials, char ret_why[static TRIAL_WHY_MAX], const char **ret_repair) {
        static const int interrupts[] = { SIGINT, SIGTERM, SIGHUP };
        const struct sigaction interrupt = { .sa_handler = on_interrupt, .sa_flags = SA_RESETHAND };
        struct place place = { 0 };
        int r;

        *ret_repair = NULL;
        r = prepare(&place, ret_why, ret_repair);
        if (r)
                return r;
        for (size_t i = 0; i < N_ELEMENTS(interrupts); i++)
                sigaction(interrupts[i], &interrupt, NULL);
        for (unsigned i = 0; i < trials->n_accelerators && !interrupted_by; i++)
                for (size_t j = 0; j < N_ELEMENTS(ways) && !interrupted_by; j++) {
                        struct trial trial = { .way = ways[j].name, .accelerator = trials->accelerators[i] };

                        memcpy(trial.expected, ways[j].expected, sizeof(trial.expected));
                        run_one(trials, &place, &ways[j], &trial);
                        if (!interrupted_by)
                                trials->tell(&trial, trials->userdata);
                        json_decref(trial.verdict);
                }
        leave(&place);
        /* Nothing is left of them: now it may end us. */
        if (interrupted_by)
                raise(interrupted_by);
        return 0;
}
