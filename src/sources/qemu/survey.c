#include "sources/qemu/survey.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "sources/command_line.h"
#include "sources/qemu/qemu_words.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
        PATH_MAX_PROC = 64,
        EXE_MAX = 4096,
        FIRST_WORD_MAX = 1024, /* of a command line: enough for any path to a program */
        EARLY_MAX = 64,        /* those just starting that are looked at again */
};

/* What a first, cheap look shows. */
struct glance {
        char program[SURVEY_PROGRAM_MAX];
        bool is_process; /* a kernel thread and a zombie are none */
        bool is_qemu, is_vmpower_vmm;
};

struct kvm_count {
        int n_kvms;
        int n_vcpus;
};

static int path_of(char ret_path[static PATH_MAX_PROC], pid_t pid, const char *file) {
        return snprintf(ret_path, PATH_MAX_PROC, "/proc/%d/%s", (int)pid, file);
}

/* A link of one process.  A number of bytes, or -errno; -ESRCH: it is gone. */
static ssize_t read_link(pid_t pid, const char *file, char *ret_target, size_t n_target) {
        char path[PATH_MAX_PROC];
        ssize_t n;

        path_of(path, pid, file);
        n = readlink(path, ret_target, n_target - 1);
        if (n < 0)
                return -errno;
        ret_target[n] = '\0';
        return n;
}

static bool ends_with(const char *text, const char *end) {
        size_t n = strlen(text);

        return n >= strlen(end) && !strcmp(text + n - strlen(end), end);
}

static bool is_known(const struct glance *glance) {
        return glance->is_qemu || glance->is_vmpower_vmm;
}

static void take_name(struct glance *glance, const char *path) {
        glance->is_qemu = qemu_words_is_program(path);
        glance->is_vmpower_vmm = qemu_words_is_vmpower_vmm(path);
}

static const char *base_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/*
 * The name of the program by its executable, and by its own word: a wrapped QEMU
 * (".qemu-system-x86_64-wrapped") has the right one only there, and of another user's process we may read
 * nothing else.
 */
static int look_at_names(struct glance *ret_glance, pid_t pid) {
        static const char deleted[] = " (deleted)"; /* upgraded since it was started */
        struct glance glance = { 0 };
        char path[PATH_MAX_PROC];
        char exe[EXE_MAX];
        char word[FIRST_WORD_MAX];
        ssize_t n_exe, n_word;

        n_exe = read_link(pid, "exe", exe, sizeof(exe));
        if (n_exe == -ESRCH)
                return -ESRCH;
        if (n_exe > 0) {
                if (ends_with(exe, deleted))
                        exe[(size_t)n_exe - strlen(deleted)] = '\0';
                glance.is_process = true;
                take_name(&glance, exe);
                text_set(glance.program, sizeof(glance.program), base_name(exe));
        } else if (n_exe == -ENOENT) {
                /* No memory of its own: a kernel thread, a zombie.  Or it is gone. */
                path_of(path, pid, "");
                *ret_glance = glance;
                return access(path, F_OK) < 0 ? -ESRCH : 0;
        }

        if (!is_known(&glance)) {
                path_of(path, pid, "cmdline");
                n_word = proc_read(path, word, sizeof(word));
                if (n_word < 0)
                        return n_word == -ENOENT ? -ESRCH : (int)n_word;
                if (n_word)
                        take_name(&glance, word);
                if (is_known(&glance))
                        *glance.program = '\0';
                glance.is_process |= n_word > 0;
                if (!*glance.program)
                        text_set(glance.program, sizeof(glance.program), base_name(word));
        }
        *ret_glance = glance;
        return 0;
}

int survey_program(char ret_program[static SURVEY_PROGRAM_MAX], pid_t pid) {
        struct glance glance;
        int r = look_at_names(&glance, pid);

        if (r)
                return r;
        if (!is_known(&glance))
                return SURVEY_NO_VMM;
        memcpy(ret_program, glance.program, sizeof(glance.program));
        return 0;
}

/* The KVM descriptors of a process.  0 or -errno; -E2BIG: there are too many descriptors to look at. */
static int count_kvms(struct kvm_count *ret_count, pid_t pid) {
        static const char vm[] = "anon_inode:kvm-vm";
        static const char vcpu[] = "anon_inode:kvm-vcpu"; /* ":0", since Linux 4.19 */
        cleanup(closedirp) DIR *directory = NULL;
        struct kvm_count count = { 0 };
        const struct dirent *entry;
        char path[PATH_MAX_PROC];
        char target[64];
        size_t n_links = 0;

        path_of(path, pid, "fd");
        directory = opendir(path);
        if (!directory)
                return errno == ENOENT ? -ESRCH : -errno;
        while ((entry = readdir(directory))) {
                ssize_t n;

                if (entry->d_name[0] == '.')
                        continue;
                if (n_links++ == SURVEY_LINKS_MAX)
                        return -E2BIG;
                n = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);
                if (n < 0) {
                        if (errno == EACCES || errno == EPERM)
                                return -errno;
                        continue; /* closed since */
                }
                target[n] = '\0';
                if (!strcmp(target, vm))
                        count.n_kvms++;
                else if (!strncmp(target, vcpu, strlen(vcpu)))
                        count.n_vcpus++;
        }
        *ret_count = count;
        return 0;
}

/*
 * -M none has no machine that could run: toolstacks ask such a QEMU what it can do.  One with -xen-domid is a domain's device model, or dom0's disks: the
 * VM is Xen's.
 */
static bool runs_no_vm(size_t n_argv, char *const *argv) {
        struct qemu_words words;
        const char *option, *argument;
        bool is_none = false;

        qemu_words_init(&words, n_argv, argv);
        while (qemu_words_next(&words, &option, &argument)) {
                struct qemu_member member;

                if (!strcmp(option, "xen-domid"))
                        return true;
                if (!argument || (strcmp(option, "M") && strcmp(option, "machine")))
                        continue;
                for (const char *implied = "type"; qemu_member_next(&member, &argument, implied);
                     implied = NULL)
                        if (!strcmp(member.key, "type"))
                                is_none = !strcmp(member.value, "none");
        }
        return is_none;
}

/* Of two QEMUs, whatever they call themselves. */
static bool are_same(char *const *a, size_t n_a, char *const *b, size_t n_b) {
        if (n_a != n_b)
                return false;
        for (size_t i = 1; i < n_a; i++)
                if (strcmp(a[i], b[i]))
                        return false;
        return true;
}

static bool is_parent_the_same(const struct proc_stat *stat, size_t n_argv, char *const *argv) {
        cleanup(freep) char **parents = NULL;
        struct glance glance;
        size_t n_parents;

        return stat->parent && !look_at_names(&glance, stat->parent) && glance.is_qemu && !proc_arguments(&parents, &n_parents, stat->parent) &&
               are_same(argv, n_argv, parents, n_parents);
}

/*
 * Is this QEMU not the one that runs the VM?
 *
 * With -daemonize the first process waits until the VM is set up: os_daemonize() forks twice, and what runs
 * the VM is of a session whose leader, its parent, ends at once, but perhaps not before all else is done.  0: the
 * session of who has never begun one.  Without, a QEMU that forks (to run a script) has a child that looks like it
 * for a moment.
 */
static bool is_double(const struct proc_stat *stat, const struct qemu_options *options, size_t n_argv,
                      char *const *argv) {
        struct proc_stat leader;

        if (!options->daemonize)
                return is_parent_the_same(stat, n_argv, argv);
        if (stat->session && stat->session == stat->parent && is_parent_the_same(stat, n_argv, argv))
                return false;
        return !stat->session || (!proc_stat_read(&leader, stat->session) && leader.state != 'Z');
}

static void resolve(struct qemu_monitors *monitors, pid_t pid, const struct qemu_options *options) {
        char directory[EXE_MAX];
        ssize_t n;

        if (options->daemonize)
                return;
        n = read_link(pid, "cwd", directory, sizeof(directory));
        if (n < 1 || directory[0] != '/' || ends_with(directory, " (deleted)"))
                return;
        if (n == 1)
                directory[0] = '\0'; /* the root: no second slash */
        for (size_t i = 0; i < monitors->n_items; i++) {
                struct qemu_monitor_place *place = &monitors->items[i];
                char path[EXE_MAX + 1 + QEMU_MONITOR_ADDRESS_MAX];

                if (place->kind != QEMU_MONITOR_UNIX || !*place->address || *place->address == '/')
                        continue;
                snprintf(path, sizeof(path), "%s/%s", directory, place->address);
                if (strlen(path) < sizeof(place->address))
                        strcpy(place->address, path);
        }
}

/* A QEMU, or vmpower-vmm, whose options are read in the same way. */
static int read_words(struct survey_vmm *vmm, const struct proc_stat *stat, size_t n_argv, char *const *argv) {
        struct qemu_options options;

        qemu_options_read(&options, n_argv, argv);
        if (options.only_informs || runs_no_vm(n_argv, argv) || is_double(stat, &options, n_argv, argv))
                return SURVEY_NO_VMM;
        vmm->daemonizes = options.daemonize;
        memcpy(vmm->name, options.name, sizeof(vmm->name));
        memcpy(vmm->uuid, options.uuid, sizeof(vmm->uuid));
        qemu_monitors_read(&vmm->monitors, n_argv, argv);
        resolve(&vmm->monitors, vmm->pid, &options);
        return 0;
}

/* Read everything of one that is a VMM. */
static int read_vmm(struct survey_vmm *vmm, const struct glance *glance, pid_t pid) {
        cleanup(freep) char **arguments = NULL;
        char instance[PROC_INSTANCE_MAX];
        struct proc_status status;
        struct proc_stat stat;
        size_t n_arguments;
        int r;

        vmm->pid = pid;
        vmm->is_qemu = glance->is_qemu;
        vmm->is_vmpower_vmm = glance->is_vmpower_vmm;
        memcpy(vmm->program, glance->program, sizeof(vmm->program));
        r = proc_instance(pid, vmm->instance);
        if (!r)
                r = proc_stat_read(&stat, pid);
        if (!r)
                r = proc_status_read(&status, pid);
        if (!r)
                r = proc_arguments(&arguments, &n_arguments, pid);
        if (r)
                return r;
        vmm->uid = status.uid;
        /* In execve(2) the program is there before its arguments are. */
        if (is_known(glance) && !n_arguments)
                return SURVEY_EARLY;
        if (is_known(glance)) {
                char *own = arguments[0];

                /* It may call itself anything (a symbolic link, exec -a); the words behind that are a QEMU's. */
                arguments[0] = vmm->program;
                r = read_words(vmm, &stat, n_arguments, arguments);
                arguments[0] = own;
                if (r)
                        return r;
        }
        r = command_line_format(&vmm->command_line, n_arguments, arguments);
        if (r)
                return r;

        /* Is the pid another's by now?  Then so may be what was read. */
        r = proc_instance(pid, instance);
        if (r)
                return r;
        return strcmp(instance, vmm->instance) ? -ESRCH : 0;
}

static void survey_vmm_deinitp(struct survey_vmm *vmm) {
        survey_vmm_deinit(vmm);
}

/* `ret_is_process`: it is more than a kernel thread or a zombie. */
static int look(struct survey_vmm *ret_vmm, pid_t pid, bool is_kvm_user, bool *ret_is_process) {
        cleanup(survey_vmm_deinitp) struct survey_vmm vmm = { .n_kvms = -1, .n_vcpus = -1 };
        struct glance glance;
        struct kvm_count count;
        int r;

        r = look_at_names(&glance, pid);
        if (r)
                return r;
        *ret_is_process = glance.is_process;
        if (!glance.is_process)
                return SURVEY_NO_VMM;
        r = count_kvms(&count, pid);
        if (r == -ESRCH || r == -ENOMEM || r == -EMFILE || r == -ENFILE)
                return r;
        if (!r) {
                vmm.n_kvms = count.n_kvms;
                vmm.n_vcpus = count.n_vcpus;
        }
        if (!is_known(&glance) && !is_kvm_user && vmm.n_kvms <= 0)
                return r ? SURVEY_UNSEEN : SURVEY_NO_VMM;
        r = read_vmm(&vmm, &glance, pid);
        if (r)
                return r;

        *ret_vmm = vmm;
        vmm.command_line = NULL;
        return 0;
}

void survey_vmm_deinit(struct survey_vmm *vmm) {
        if (!vmm)
                return;
        free(vmm->command_line);
        vmm->command_line = NULL;
}

int survey_process(struct survey_vmm *ret_vmm, pid_t pid, bool is_kvm_user) {
        bool is_process;

        return look(ret_vmm, pid, is_kvm_user, &is_process);
}

int survey_process_itself(struct survey_vmm *ret_vmm, pid_t pid) {
        cleanup(survey_vmm_deinitp) struct survey_vmm vmm = { .n_kvms = -1, .n_vcpus = -1 };
        struct glance glance;
        int r;

        r = look_at_names(&glance, pid);
        if (r)
                return r;
        if (!glance.is_process)
                return SURVEY_NO_VMM;
        r = read_vmm(&vmm, &glance, pid);
        if (r)
                return r;
        *ret_vmm = vmm;
        vmm.command_line = NULL;
        return 0;
}

struct survey {
        struct survey_sight sight;
        void (*found)(void *userdata, struct survey_vmm *vmm);
        void *userdata;
};

/* Returns what look() did. */
static int look_for_all(struct survey *survey, pid_t pid) {
        struct survey_vmm vmm;
        bool is_process = false;
        int r;

        r = look(&vmm, pid, false, &is_process);
        survey->sight.n_processes += is_process && r != SURVEY_EARLY;
        if (!r) {
                survey->sight.n_found++;
                survey->found(survey->userdata, &vmm);
                survey_vmm_deinit(&vmm);
        } else if (r == SURVEY_UNSEEN || (r < 0 && r != -ESRCH)) {
                survey->sight.n_unseen++;
        }
        return r;
}

int survey_all(struct survey_sight *ret_sight, void (*found)(void *userdata, struct survey_vmm *vmm),
               void *userdata) {
        cleanup(closedirp) DIR *processes = NULL;
        struct survey survey = { .found = found, .userdata = userdata };
        pid_t early[EARLY_MAX];
        size_t n_early = 0;
        const struct dirent *entry;

        processes = opendir("/proc");
        if (!processes)
                return -errno;
        survey.sight.is_hidden = access("/proc/1", F_OK) < 0;
        while ((entry = readdir(processes))) {
                pid_t pid = atoi(entry->d_name);

                if (pid <= 0 || look_for_all(&survey, pid) != SURVEY_EARLY)
                        continue;
                if (n_early < EARLY_MAX)
                        early[n_early++] = pid;
                else
                        survey.sight.n_early++;
        }
        for (size_t i = 0; i < n_early; i++)
                survey.sight.n_early += look_for_all(&survey, early[i]) == SURVEY_EARLY;

        *ret_sight = survey.sight;
        return 0;
}

/* "CPU 0/KVM": qemu_thread_create() in QEMU's accel/kvm/kvm-accel-ops.c. */
static bool is_vcpu_name(const char *comm) {
        const char *p = comm + strlen("CPU ");

        if (strncmp(comm, "CPU ", strlen("CPU ")))
                return false;
        p += strspn(p, "0123456789");
        return p > comm + strlen("CPU ") && !strcmp(p, "/KVM\n");
}

enum tristate survey_has_vcpus(pid_t pid) {
        cleanup(closedirp) DIR *threads = NULL;
        const struct dirent *thread;
        struct kvm_count count;
        char path[PATH_MAX_PROC + 32];

        if (!count_kvms(&count, pid))
                return count.n_vcpus ? TRISTATE_TRUE : TRISTATE_FALSE;
        snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
        threads = opendir(path);
        while (threads && (thread = readdir(threads))) {
                char comm[PROC_COMM_MAX];

                snprintf(path, sizeof(path), "/proc/%d/task/%.16s/comm", (int)pid, thread->d_name);
                if (thread->d_name[0] != '.' && proc_read(path, comm, sizeof(comm)) > 0 && is_vcpu_name(comm))
                        return TRISTATE_TRUE;
        }
        return TRISTATE_NULL;
}
