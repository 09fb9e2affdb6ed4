#include "sources/trace/trace_programs.h"
#include "basics/cleanup.h"
#include "basics/table.h"
#include <trace.skel.h> /* made by bpftool */

#include <assert.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* include/linux/proc_ns.h: the first pid namespace's inode. */
#define PROC_PID_INIT_INO 0xEFFFFFFCU

enum program {
        ON_SIGNAL,
        ON_VICTIM,
        ON_VICTIM_PID,
        ON_EXIT,
        ON_PORT,
        ON_KVM_EXIT,
        ON_EXEC,
        ON_FORK,
        _PROGRAM_N,
};

static_assert((int)_PROGRAM_N == (int)TRACE_PROGRAMS, "links");
static_assert((int)TRACE_FD_LINKS + (int)TRACE_PROGRAMS == (int)TRACE_DESCRIPTORS, "descriptors");

static const struct {
        enum trace_part part;
        const char *tracepoint;
} programs_of[_PROGRAM_N] = {
        [ON_SIGNAL] = { TRACE_SIGNALS, "signal_generate" },
        [ON_VICTIM] = { TRACE_OOM, "mark_victim" },
        [ON_VICTIM_PID] = { TRACE_OOM, "mark_victim" },
        [ON_EXIT] = { TRACE_EXITS, "sched_process_exit" },
        [ON_PORT] = { TRACE_PORTS, "kvm_pio" },
        [ON_KVM_EXIT] = { TRACE_KVM_EXITS, "kvm_userspace_exit" },
        [ON_EXEC] = { TRACE_BIRTHS, "sched_process_exec" },
        [ON_FORK] = { TRACE_BIRTHS, "sched_process_fork" },
};

static struct bpf_program *program_of(const struct trace_bpf *bpf, enum program program) {
        switch (program) {
        case ON_SIGNAL:
                return bpf->progs.on_signal;
        case ON_VICTIM:
                return bpf->progs.on_victim;
        case ON_VICTIM_PID:
                return bpf->progs.on_victim_pid;
        case ON_EXIT:
                return bpf->progs.on_exit;
        case ON_PORT:
                return bpf->progs.on_port;
        case ON_KVM_EXIT:
                return bpf->progs.on_kvm_exit;
        case ON_EXEC:
                return bpf->progs.on_exec;
        case ON_FORK:
                return bpf->progs.on_fork;
        case _PROGRAM_N:
                break;
        }
        return NULL;
}

/* Libraries are quiet: what matters is told by `lacks`. */
static int keep_quiet(enum libbpf_print_level level, const char *format, va_list arguments) {
        return 0;
}

/* Before Linux 6.8 mark_victim had a pid, from then on the task. */
static bool victim_is_a_task(void) {
        struct btf *btf = btf__load_vmlinux_btf();
        const struct btf_type *type;
        bool is_task = true;
        __s32 id;

        if (!btf)
                return true;
        id = btf__find_by_name_kind(btf, "btf_trace_mark_victim", BTF_KIND_TYPEDEF);
        type = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;
        if (type)
                type = btf__type_by_id(btf, type->type);
        if (type && btf_is_ptr(type))
                type = btf__type_by_id(btf, type->type);
        if (type && btf_is_func_proto(type) && btf_vlen(type) > 1) {
                const struct btf_type *argument = btf__type_by_id(btf, btf_params(type)[1].type);

                is_task = argument && btf_is_ptr(argument);
        }
        btf__free(btf);
        return is_task;
}

/* A restart of the VM is another process, with the same programs; a few may be there at once. */
enum {
        ONE_RING = 1 << 18,
        ONE_WATCHED = 16,
};

static struct trace_bpf *open_with(const bool wanted[static _PROGRAM_N], enum trace_scope scope) {
        struct trace_bpf *bpf = trace_bpf__open();
        struct stat namespace;

        if (!bpf)
                return NULL;
        if (!stat("/proc/self/ns/pid", &namespace) && namespace.st_ino != PROC_PID_INIT_INO)
                bpf->rodata->pid_namespace = (uint32_t)namespace.st_ino;
        if (scope == TRACE_ONE) {
                bpf->rodata->forgets_others = true;
                bpf_map__set_max_entries(bpf->maps.records, ONE_RING);
                bpf_map__set_max_entries(bpf->maps.watched, ONE_WATCHED);
                bpf_map__set_max_entries(bpf->maps.strangers, 1);
        }
        for (size_t i = 0; i < _PROGRAM_N; i++)
                bpf_program__set_autoload(program_of(bpf, (enum program)i), wanted[i]);
        return bpf;
}

static int load_with(struct trace_bpf **ret_bpf, const bool wanted[static _PROGRAM_N], enum trace_scope scope) {
        struct trace_bpf *bpf = open_with(wanted, scope);
        int r = bpf ? trace_bpf__load(bpf) : -errno;

        if (r) {
                trace_bpf__destroy(bpf);
                return r;
        }
        *ret_bpf = bpf;
        return 0;
}

/* What tracepoint there is is looked up when a typed program is loaded, and when a raw one is attached. */
static const char *what_of(int error) {
        return error == ESRCH || error == ENOENT ? "there is no such tracepoint" : strerror(error);
}

/* One program that does not load takes all others with it: find out which ones do, each alone. */
static int load_what_works(struct trace_programs *programs, bool wanted[static _PROGRAM_N], enum trace_scope scope) {
        size_t n_working = 0;
        int r, first = 0;

        r = load_with(&programs->bpf, wanted, scope);
        if (!r || r == -EPERM)
                return r;
        for (size_t i = 0; i < _PROGRAM_N; i++) {
                bool alone[_PROGRAM_N] = { false };
                struct trace_bpf *bpf = NULL;

                if (!wanted[i])
                        continue;
                alone[i] = true;
                r = load_with(&bpf, alone, scope);
                trace_bpf__destroy(bpf);
                wanted[i] = !r;
                n_working += !r;
                if (!r)
                        continue;
                first = first ? first : r;
                snprintf(programs->lacks[programs_of[i].part], TRACE_WHY_MAX, "the kernel does not take the program at %s: %s",
                         programs_of[i].tracepoint, what_of(-r));
        }
        return n_working ? load_with(&programs->bpf, wanted, scope) : first;
}

static size_t attach(struct trace_programs *programs, const bool wanted[static _PROGRAM_N]) {
        size_t n = 0;

        for (size_t i = 0; i < _PROGRAM_N; i++) {
                struct bpf_program *program = program_of(programs->bpf, (enum program)i);
                struct bpf_link *link;

                if (!wanted[i])
                        continue;
                link = bpf_program__attach(program);
                if (!link) {
                        snprintf(programs->lacks[programs_of[i].part], TRACE_WHY_MAX, "cannot attach to %s: %s",
                                 programs_of[i].tracepoint, what_of(errno));
                        continue;
                }
                programs->links[i] = link;
                programs->fds.fds[TRACE_FD_LINKS + i] = bpf_link__fd(link);
                n++;
        }
        return n;
}

static void init(struct trace_programs *programs) {
        *programs = (struct trace_programs){ 0 };
        for (size_t i = 0; i < TRACE_DESCRIPTORS; i++)
                programs->fds.fds[i] = -1;
        libbpf_set_print(keep_quiet);
}

bool trace_programs_take(struct trace_programs *programs, struct trace_descriptors *handed) {
        bool works = false;

        init(programs);
        for (size_t i = TRACE_FD_LINKS; i < TRACE_DESCRIPTORS; i++)
                works = works || handed->fds[i] >= 0;
        works = works && handed->fds[TRACE_FD_RING] >= 0 && handed->fds[TRACE_FD_WATCHED] >= 0 && handed->fds[TRACE_FD_STRANGERS] >= 0;
        for (size_t i = 0; i < TRACE_DESCRIPTORS; i++)
                if (works)
                        programs->fds.fds[i] = take_fd(&handed->fds[i]);
                else
                        close_fd(&handed->fds[i]);
        for (size_t i = 0; works && i < _PROGRAM_N; i++)
                if (programs->fds.fds[TRACE_FD_LINKS + i] < 0 && i != ON_VICTIM && i != ON_VICTIM_PID)
                        snprintf(programs->lacks[programs_of[i].part], TRACE_WHY_MAX, "%s did not work for the vmpowerd before this one",
                                 programs_of[i].tracepoint);
        if (works && programs->fds.fds[TRACE_FD_LINKS + ON_VICTIM] < 0 && programs->fds.fds[TRACE_FD_LINKS + ON_VICTIM_PID] < 0)
                snprintf(programs->lacks[TRACE_OOM], TRACE_WHY_MAX, "mark_victim did not work for the vmpowerd before this one");
        return works;
}

int trace_programs_load(struct trace_programs *ret_programs, enum trace_scope scope, char ret_why[static TRACE_WHY_MAX]) {
        bool wanted[_PROGRAM_N];
        struct trace_programs *programs = ret_programs;
        struct stat btf;
        int r;

        init(programs);
        if (stat("/sys/kernel/btf/vmlinux", &btf) < 0) {
                snprintf(ret_why, TRACE_WHY_MAX, "this kernel has no type information (/sys/kernel/btf/vmlinux)");
                return TRACE_ABSENT;
        }
        for (size_t i = 0; i < _PROGRAM_N; i++)
                wanted[i] = true;
        /* Whoever has one VM looks for no other. */
        wanted[ON_EXEC] = wanted[ON_FORK] = scope == TRACE_HOST;
        wanted[victim_is_a_task() ? ON_VICTIM_PID : ON_VICTIM] = false;
        r = load_what_works(programs, wanted, scope);
        if (!r && !attach(programs, wanted))
                r = -EOPNOTSUPP;
        if (!r) {
                programs->fds.fds[TRACE_FD_RING] = bpf_map__fd(programs->bpf->maps.records);
                programs->fds.fds[TRACE_FD_WATCHED] = bpf_map__fd(programs->bpf->maps.watched);
                programs->fds.fds[TRACE_FD_STRANGERS] = bpf_map__fd(programs->bpf->maps.strangers);
                return 0;
        }
        if (r == -EPERM || r == -EACCES)
                snprintf(ret_why, TRACE_WHY_MAX, "there is no right to it (root, or CAP_BPF and CAP_PERFMON)");
        else
                snprintf(ret_why, TRACE_WHY_MAX, "the kernel takes none of its programs: %s", strerror(-r));
        trace_programs_unload(programs);
        return TRACE_ABSENT;
}

void trace_programs_unload(struct trace_programs *programs) {
        for (size_t i = 0; i < TRACE_PROGRAMS; i++) {
                bpf_link__destroy(programs->links[i]);
                programs->links[i] = NULL;
        }
        for (size_t i = 0; !programs->bpf && i < TRACE_DESCRIPTORS; i++)
                close_fd(&programs->fds.fds[i]);
        if (programs->bpf)
                trace_bpf__destroy(programs->bpf);
        programs->bpf = NULL;
}

uint32_t trace_programs_version(void) {
        size_t n;
        const void *object = trace_bpf__elf_bytes(&n);
        uint64_t hash = table_hash(object, n);

        return (uint32_t)(hash ^ hash >> 32);
}
