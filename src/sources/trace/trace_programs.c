#include "sources/trace/trace_programs.h"
#include "basics/cleanup.h"
#include "basics/table.h"
#include "sources/xen_dom0.h"
#include <trace.skel.h> /* made by bpftool */

#include <assert.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

enum {
        TRACE_PROGRAMS = 10,
        /* Of struct trace_descriptors. */
        TRACE_FD_RING = 0,
        TRACE_FD_WATCHED,
        TRACE_FD_STRANGERS,
        TRACE_FD_LINKS,
        TRACE_FD_WAITING = TRACE_FD_LINKS + TRACE_PROGRAMS,
        TRACE_WAITING = 2,
};

bool trace_programs_refuse_ioctl;

struct trace_programs {
        struct trace_way way; /* first */
        struct ring_buffer *ring;
        struct trace_bpf *bpf; /* owned; NULL: they were handed over */
        struct bpf_link *links[TRACE_PROGRAMS]; /* each owned; NULL: it is left out, or came later */
        struct trace_descriptors fds; /* the same ones; owned where they were handed over, or came later */
        size_t n_drained; /* bytes; in this drain */
};

enum program {
        ON_SIGNAL,
        ON_VICTIM,
        ON_VICTIM_PID,
        ON_EXIT,
        ON_PORT,
        ON_KVM_EXIT,
        ON_EXEC,
        ON_FORK,
        ON_IOCTL,
        ON_SYSTEM_CALL,
        _PROGRAM_N,
};

static_assert((int)_PROGRAM_N == (int)TRACE_PROGRAMS, "links");
static_assert((int)TRACE_FD_WAITING + (int)TRACE_WAITING == (int)TRACE_DESCRIPTORS, "descriptors");

/* Of a module that may come later: such a program is in the kernel, and waits for its tracepoint. */
static const enum program of_module[TRACE_WAITING] = { ON_PORT, ON_KVM_EXIT };

static const struct {
        enum trace_part part;
        const char *tracepoint; /* or the kernel's function */
} programs_of[_PROGRAM_N] = {
        [ON_SIGNAL] = { TRACE_SIGNALS, "signal_generate" },
        [ON_VICTIM] = { TRACE_OOM, "mark_victim" },
        [ON_VICTIM_PID] = { TRACE_OOM, "mark_victim" },
        [ON_EXIT] = { TRACE_EXITS, "sched_process_exit" },
        [ON_PORT] = { TRACE_PORTS, "kvm_pio" },
        [ON_KVM_EXIT] = { TRACE_KVM_EXITS, "kvm_userspace_exit" },
        [ON_EXEC] = { TRACE_BIRTHS, "sched_process_exec" },
        [ON_FORK] = { TRACE_BIRTHS, "sched_process_fork" },
        [ON_IOCTL] = { TRACE_HYPERCALLS, "security_file_ioctl" },
        [ON_SYSTEM_CALL] = { TRACE_HYPERCALLS, "sys_enter" },
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
        case ON_IOCTL:
                return bpf->progs.on_ioctl;
        case ON_SYSTEM_CALL:
                return bpf->progs.on_system_call;
        case _PROGRAM_N:
                break;
        }
        return NULL;
}

/* One of the two that are of a part is enough, and the other is left out. */
static bool has_other(enum program program) {
        return program == ON_VICTIM || program == ON_VICTIM_PID || program == ON_IOCTL || program == ON_SYSTEM_CALL;
}

/* Libraries are quiet: what matters is told by `lacks`. */
static int keep_quiet(enum libbpf_print_level level, const char *format, va_list arguments) {
        return 0;
}

/* Before Linux 6.8 mark_victim had a pid, from then on the task; the stable kernels before it (6.1.y) have taken that over. */
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

static bool wants_hypercalls(enum trace_scope scope) {
        return scope == TRACE_HOST && xen_dom0_is_here();
}

/* A restart of the VM is another process, with the same programs; a few may be there at once. */
enum {
        HOST_RING = 1 << 20, /* as trace.bpf.c has it */
        ONE_RING = 1 << 18,
        ONE_WATCHED = 16,
        STRANGERS = 512, /* as there, too; or more: */
        STRANGERS_FOR_EACH_CPU = 32,
};

static struct trace_bpf *open_with(const bool wanted[static _PROGRAM_N], enum trace_scope scope) {
        struct trace_bpf *bpf = trace_bpf__open();
        dev_t privcmd;

        if (!bpf)
                return NULL;
        bpf->rodata->pid_namespace = trace_pid_namespace();
        /* include/linux/kdev_t.h */
        if (wants_hypercalls(scope) && !xen_dom0_device(&privcmd))
                bpf->rodata->privcmd = major(privcmd) << 20 | minor(privcmd);
        if (scope == TRACE_ONE) {
                bpf->rodata->parent = (uint32_t)getpid();
                bpf_map__set_max_entries(bpf->maps.records, ONE_RING);
                bpf_map__set_max_entries(bpf->maps.watched, ONE_WATCHED);
                bpf_map__set_max_entries(bpf->maps.strangers, 1);
        } else if (libbpf_num_possible_cpus() > STRANGERS / STRANGERS_FOR_EACH_CPU) {
                bpf_map__set_max_entries(bpf->maps.strangers, STRANGERS_FOR_EACH_CPU * (uint32_t)libbpf_num_possible_cpus());
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

/*
 * Of each ioctl, or else of each system call, which takes every one of them a while.  (A kernel that is locked down may refuse the first to anybody, and
 * that looks as if there were no right to any program.)
 */
static void choose_hypercalls(struct trace_programs *programs, bool wanted[static _PROGRAM_N], enum trace_scope scope) {
        const bool alone[_PROGRAM_N] = { [ON_IOCTL] = true };
        struct trace_bpf *bpf = NULL;
        dev_t privcmd;
        int r;

        wanted[ON_IOCTL] = wanted[ON_SYSTEM_CALL] = false;
        if (!wants_hypercalls(scope))
                return;
        r = xen_dom0_device(&privcmd);
        if (r) {
                snprintf(programs->way.lacks[TRACE_HYPERCALLS], TRACE_WHY_MAX, "%.100s: %s", xen_dom0_privcmd, strerror(-r));
                return;
        }
        wanted[ON_IOCTL] = !trace_programs_refuse_ioctl && !load_with(&bpf, alone, scope);
        wanted[ON_SYSTEM_CALL] = !wanted[ON_IOCTL];
        trace_bpf__destroy(bpf);
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
                snprintf(programs->way.lacks[programs_of[i].part], TRACE_WHY_MAX, "the kernel does not take the program at %s: %s",
                         programs_of[i].tracepoint, what_of(-r));
        }
        return n_working ? load_with(&programs->bpf, wanted, scope) : first;
}

/* Its descriptor among those that wait; NULL: it is of no module. */
static int *waiting_of(struct trace_programs *programs, enum program program) {
        for (size_t i = 0; i < TRACE_WAITING; i++)
                if (of_module[i] == program)
                        return &programs->fds.fds[TRACE_FD_WAITING + i];
        return NULL;
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
                        int *waiting = waiting_of(programs, (enum program)i);

                        if (waiting)
                                *waiting = bpf_program__fd(program);
                        snprintf(programs->way.lacks[programs_of[i].part], TRACE_WHY_MAX, "cannot attach to %s: %s",
                                 programs_of[i].tracepoint, what_of(errno));
                        continue;
                }
                programs->links[i] = link;
                programs->fds.fds[TRACE_FD_LINKS + i] = bpf_link__fd(link);
                n++;
        }
        return n;
}

/* --- as a way to read the kernel ---------------------------------------------------------------------------------- */

static void close_programs(struct trace_way *way) {
        struct trace_programs *programs = (struct trace_programs *)way;

        ring_buffer__free(programs->ring);
        for (size_t i = 0; i < TRACE_PROGRAMS; i++) {
                if (programs->bpf && !programs->links[i])
                        close_fd(&programs->fds.fds[TRACE_FD_LINKS + i]);
                bpf_link__destroy(programs->links[i]);
        }
        for (size_t i = 0; !programs->bpf && i < TRACE_DESCRIPTORS; i++)
                close_fd(&programs->fds.fds[i]);
        if (programs->bpf)
                trace_bpf__destroy(programs->bpf);
        free(programs);
}

static void drain(struct trace_way *way) {
        struct trace_programs *programs = (struct trace_programs *)way;

        programs->n_drained = 0;
        ring_buffer__consume(programs->ring);
        way->has_lost |= programs->n_drained > HOST_RING / 2;
}

static int fd_of(const struct trace_way *way, size_t i) {
        return ((const struct trace_programs *)way)->fds.fds[i];
}

/* The kernel takes room for a process without waiting for it, so at times it has none, and a moment later it does. */
static int add_watched(int map, uint32_t tgid, const struct trace_watched *watched) {
        const struct timespec moment = { .tv_nsec = 1000000 };
        int r;

        for (int i = 0; i < 10; i++) {
                r = bpf_map_update_elem(map, &tgid, watched, BPF_ANY) ? -errno : 0;
                if (r != -ENOMEM && r != -EBUSY && r != -ETIMEDOUT && r != -EDEADLK)
                        break;
                nanosleep(&moment, NULL);
        }
        return r;
}

/* One that the programs know already keeps its count of what was lost. */
static int watch(struct trace_way *way, pid_t pid, uint64_t start_time, uint32_t *ret_n_lost) {
        int map = fd_of(way, TRACE_FD_WATCHED);
        struct trace_watched watched;
        uint32_t tgid = (uint32_t)pid;

        *ret_n_lost = 0;
        if (!bpf_map_lookup_elem(map, &tgid, &watched) && watched.start_ns == start_time * TRACE_TICK_NS)
                return 0;
        watched = (struct trace_watched){ .start_ns = start_time * TRACE_TICK_NS };
        return add_watched(map, tgid, &watched);
}

static void unwatch(struct trace_way *way, pid_t pid) {
        uint32_t tgid = (uint32_t)pid;

        bpf_map_delete_elem(fd_of(way, TRACE_FD_WATCHED), &tgid);
}

static uint32_t count_lost(const struct trace_way *way, pid_t pid) {
        uint32_t tgid = (uint32_t)pid;
        struct trace_watched watched;

        return bpf_map_lookup_elem(fd_of(way, TRACE_FD_WATCHED), &tgid, &watched) ? 0 : watched.n_lost + watched.n_left_out;
}

static bool find_stranger(struct trace_way *way, pid_t pid, uint64_t start_time, bool take, struct trace_signal *ret_signal) {
        int map = fd_of(way, TRACE_FD_STRANGERS);
        uint32_t tgid = (uint32_t)pid;

        if (bpf_map_lookup_elem(map, &tgid, ret_signal) || trace_record_check(ret_signal, sizeof(*ret_signal)) ||
            !trace_head_is_about(&ret_signal->head, start_time))
                return false;
        if (take)
                bpf_map_delete_elem(map, &tgid);
        return true;
}

static void descriptors(const struct trace_way *way, struct trace_descriptors *ret_descriptors) {
        *ret_descriptors = ((const struct trace_programs *)way)->fds;
}

static void forget_others(struct trace_way *way) {
        int map = fd_of(way, TRACE_FD_WATCHED);
        uint32_t tgid, next;
        bool is_first = true;

        while (!bpf_map_get_next_key(map, is_first ? NULL : &tgid, &next)) {
                if (way->events.is_watched(way->events.userdata, (pid_t)next)) {
                        tgid = next;
                        is_first = false;
                } else if (bpf_map_delete_elem(map, &next)) {
                        return;
                }
        }
}

/* It takes no right: who has the program may attach it.  (A link pins the module; a program that waits does not.) */
static bool look_again(struct trace_way *way) {
        struct trace_programs *programs = (struct trace_programs *)way;
        bool works = false;

        for (size_t i = 0; i < TRACE_WAITING; i++) {
                int *waiting = &programs->fds.fds[TRACE_FD_WAITING + i], link;

                if (*waiting < 0)
                        continue;
                link = bpf_raw_tracepoint_open(programs_of[of_module[i]].tracepoint, *waiting);
                if (link < 0) {
                        snprintf(way->lacks[programs_of[of_module[i]].part], TRACE_WHY_MAX, "cannot attach to %s: %s",
                                 programs_of[of_module[i]].tracepoint, what_of(errno));
                        continue;
                }
                programs->fds.fds[TRACE_FD_LINKS + of_module[i]] = link;
                if (!programs->bpf)
                        close(*waiting);
                *waiting = -1;
                way->lacks[programs_of[of_module[i]].part][0] = '\0';
                works = true;
        }
        return works;
}

static const struct trace_way_ops ops = {
        .close = close_programs,
        .drain = drain,
        .watch = watch,
        .unwatch = unwatch,
        .count_lost = count_lost,
        .find_stranger = find_stranger,
        .descriptors = descriptors,
        .forget_others = forget_others,
        .look_again = look_again,
};

/* Whoever writes faster than we read is no reason to do nothing else: what was there when a drain began is read, and it ends. */
static int on_record(void *userdata, void *record, size_t n) {
        struct trace_programs *programs = userdata;

        programs->way.events.record(programs->way.events.userdata, record, n);
        programs->n_drained += n;
        return programs->n_drained < HOST_RING ? 0 : -EAGAIN;
}

static struct trace_programs *programs_new(const struct trace_way_events *events) {
        struct trace_programs *programs = calloc(1, sizeof(*programs));

        if (!programs)
                return NULL;
        programs->way = (struct trace_way){ .ops = &ops, .events = *events, .fd = -1 };
        for (size_t i = 0; i < TRACE_DESCRIPTORS; i++)
                programs->fds.fds[i] = -1;
        libbpf_set_print(keep_quiet);
        return programs;
}

static int read_ring(struct trace_programs *programs) {
        programs->ring = ring_buffer__new(programs->fds.fds[TRACE_FD_RING], on_record, &programs->way, NULL);
        if (!programs->ring)
                return -errno;
        programs->way.fd = ring_buffer__epoll_fd(programs->ring);
        return 0;
}

static void note_handed(struct trace_programs *programs, enum program program) {
        snprintf(programs->way.lacks[programs_of[program].part], TRACE_WHY_MAX, "%s did not work for the vmpowerd before this one",
                 programs_of[program].tracepoint);
}

bool trace_programs_take(struct trace_way **ret_way, struct trace_descriptors *handed, const struct trace_way_events *events) {
        struct trace_programs *programs = programs_new(events);
        bool works = false;

        for (size_t i = TRACE_FD_LINKS; i < TRACE_DESCRIPTORS; i++)
                works = works || handed->fds[i] >= 0;
        works = works && programs && handed->fds[TRACE_FD_RING] >= 0 && handed->fds[TRACE_FD_WATCHED] >= 0 &&
                handed->fds[TRACE_FD_STRANGERS] >= 0;
        for (size_t i = 0; i < TRACE_DESCRIPTORS; i++)
                if (works)
                        programs->fds.fds[i] = take_fd(&handed->fds[i]);
                else
                        close_fd(&handed->fds[i]);
        for (size_t i = 0; works && i < _PROGRAM_N; i++)
                if (programs->fds.fds[TRACE_FD_LINKS + i] < 0 && !has_other((enum program)i))
                        note_handed(programs, (enum program)i);
        if (works && programs->fds.fds[TRACE_FD_LINKS + ON_VICTIM] < 0 && programs->fds.fds[TRACE_FD_LINKS + ON_VICTIM_PID] < 0)
                note_handed(programs, ON_VICTIM);
        if (works && wants_hypercalls(TRACE_HOST) && programs->fds.fds[TRACE_FD_LINKS + ON_IOCTL] < 0 &&
            programs->fds.fds[TRACE_FD_LINKS + ON_SYSTEM_CALL] < 0)
                note_handed(programs, ON_IOCTL);
        if (works)
                programs->way.is_at_each_call = programs->fds.fds[TRACE_FD_LINKS + ON_SYSTEM_CALL] >= 0;
        works = works && !read_ring(programs);
        if (works)
                look_again(&programs->way);
        if (works)
                *ret_way = &programs->way;
        else if (programs)
                close_programs(&programs->way);
        return works;
}

static int load(struct trace_programs *programs, enum trace_scope scope) {
        bool wanted[_PROGRAM_N];
        int r;

        for (size_t i = 0; i < _PROGRAM_N; i++)
                wanted[i] = true;
        /* Whoever has one VM looks for no other. */
        wanted[ON_EXEC] = wanted[ON_FORK] = scope == TRACE_HOST;
        wanted[victim_is_a_task() ? ON_VICTIM_PID : ON_VICTIM] = false;
        choose_hypercalls(programs, wanted, scope);
        r = load_what_works(programs, wanted, scope);
        if (r)
                return r;
        if (!attach(programs, wanted))
                return -EOPNOTSUPP;
        programs->way.is_at_each_call = programs->links[ON_SYSTEM_CALL];
        programs->fds.fds[TRACE_FD_RING] = bpf_map__fd(programs->bpf->maps.records);
        programs->fds.fds[TRACE_FD_WATCHED] = bpf_map__fd(programs->bpf->maps.watched);
        programs->fds.fds[TRACE_FD_STRANGERS] = bpf_map__fd(programs->bpf->maps.strangers);
        return 0;
}

int trace_programs_open(struct trace_way **ret_way, enum trace_scope scope, const struct trace_way_events *events,
                        char ret_why[static TRACE_WHY_MAX]) {
        struct trace_programs *programs;
        struct stat btf;
        int r;

        if (stat("/sys/kernel/btf/vmlinux", &btf) < 0) {
                snprintf(ret_why, TRACE_WHY_MAX, "this kernel has no type information (/sys/kernel/btf/vmlinux)");
                return TRACE_ABSENT;
        }
        programs = programs_new(events);
        if (!programs)
                return -ENOMEM;
        r = load(programs, scope);
        if (r == -EPERM || r == -EACCES)
                snprintf(ret_why, TRACE_WHY_MAX, "there is no right to it (root, or CAP_BPF and CAP_PERFMON)");
        else if (r)
                snprintf(ret_why, TRACE_WHY_MAX, "the kernel takes none of its programs: %s", strerror(-r));
        if (r) {
                close_programs(&programs->way);
                return r == -EPERM || r == -EACCES ? -EPERM : TRACE_ABSENT;
        }
        r = read_ring(programs);
        if (r) {
                snprintf(ret_why, TRACE_WHY_MAX, "cannot read what its programs write: %s", strerror(-r));
                close_programs(&programs->way);
                return r;
        }
        *ret_way = &programs->way;
        return 0;
}

uint32_t trace_programs_version(void) {
        size_t n;
        const void *object = trace_bpf__elf_bytes(&n);
        uint64_t hash = table_hash(object, n);

        return (uint32_t)(hash ^ hash >> 32);
}
