#include "sources/trace/trace_perf.h"
#include "basics/cleanup.h"
#include "sources/proc.h"
#include "sources/trace/cpu_changes.h"
#include "sources/trace/perf_points.h"
#include "sources/trace/trace_sender.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

enum {
        CPUS_MAX = 8192, /* CONFIG_NR_CPUS has no more */
        RINGS_PAGES = 256, /* of all CPUs together, unless there are many */
        RING_PAGES_MIN = 16,
        RING_PAGES_MAX = 64,
        RECORD_ROOM = 256, /* no record here needs more */
        STRANGERS = 64,
        LOOKS = 256,
        LOOKS_A_SECOND = 1000,    /* whose thread is it?  10 us each */
        STRANGERS_A_SECOND = 100, /* and who has sent that?  130 us each */
        CHANGES = UINT32_MAX, /* of the epoll: not a CPU */
};

/* In the order in which it was read. */
struct seen {
        struct perf_seen what;
        uint64_t number;
};

struct cpu {
        int fds[_PERF_POINT_N];
        struct perf_event_mmap_page *page; /* owned; NULL: nothing is read of it */
        bool is_full; /* then the kernel says only with its next record how many were lost; one is counted already */
};

/* What other processes do to each other is not to keep us busy, whoever wants that. */
struct budget {
        uint64_t since_ns;
        unsigned n;
};

#define SECOND_NS UINT64_C(1000000000)

/* Whose thread that is, as it was not long ago. */
struct look {
        uint64_t at_ns;
        pid_t pid, process;
};

struct trace_perf {
        struct trace_way way; /* first; its fd is an epoll of all rings */
        struct perf_points points;
        size_t page_size, n_data;
        struct cpu *cpus; /* owned */
        size_t n_cpus;
        struct cpu_changes changes;
        struct seen *seen; /* owned */
        size_t n_seen, n_seen_room;
        uint64_t n_records;
        uint32_t n_lost;
        struct budget looks, descriptions;
        struct look looked[LOOKS];
        struct trace_signal *strangers; /* owned, STRANGERS of them; kind 0: none.  NULL: nothing about others is remembered */
        size_t next_stranger;
};

/* --- what was read, as records ------------------------------------------------------------------------------------ */

static void begin(struct trace_perf *perf, struct trace_head *head, enum trace_record_kind kind, pid_t tgid, const struct perf_seen *seen) {
        struct proc_stat stat;

        *head = (struct trace_head){ .kind = kind, .tgid = (uint32_t)tgid, .at_ns = seen->at_ns, .number = ++perf->n_records };
        /* Whoever has the pid now, and had not then, is another. */
        if (!proc_stat_read(&stat, tgid) && stat.start_time <= seen->at_ns / TRACE_TICK_NS)
                head->start_ns = stat.start_time * TRACE_TICK_NS;
}

static void hand_on(struct trace_perf *perf, const void *record, size_t n) {
        perf->way.events.record(perf->way.events.userdata, record, n);
}

static bool is_watched(const struct trace_perf *perf, pid_t pid) {
        return perf->way.events.is_watched(perf->way.events.userdata, pid);
}

static void add_lost(struct trace_perf *perf, uint64_t n) {
        perf->way.has_lost |= n > 0;
        perf->n_lost = n < UINT32_MAX - perf->n_lost ? perf->n_lost + (uint32_t)n : UINT32_MAX;
}

/* What another CPU's ring gave up late may have been before that. */
static bool is_within(struct budget *budget, unsigned n_a_second, uint64_t at_ns) {
        if (at_ns >= budget->since_ns + SECOND_NS)
                *budget = (struct budget){ at_ns, 0 };
        return budget->n++ < n_a_second;
}

/* A signal, and the OOM killer's mark, may be to one of many threads.  Of one that is gone it is not known whose it was. */
static pid_t process_of(struct trace_perf *perf, const struct perf_seen *seen, int64_t pid) {
        struct look *look;

        if (pid <= 0 || pid > INT32_MAX)
                return -ESRCH;
        look = &perf->looked[pid % LOOKS];
        if (is_watched(perf, (pid_t)pid))
                return (pid_t)pid;
        if (look->pid == pid && seen->at_ns - look->at_ns < SECOND_NS)
                return look->process;
        if (!is_within(&perf->looks, LOOKS_A_SECOND, seen->at_ns)) {
                /* It may have been a thread of somebody's who is watched. */
                add_lost(perf, 1);
                return -EBUSY;
        }
        *look = (struct look){ seen->at_ns, (pid_t)pid, proc_tgid((pid_t)pid) };
        return look->process;
}

static bool is_fatal(int64_t signal) {
        return signal < SIGCONT || signal > SIGTTOU;
}

/* That it ends is certain from here on, and by what. */
static void take_end(struct trace_perf *perf, pid_t pid, const struct perf_seen *seen, int64_t number) {
        struct trace_exit record = { .status = (int32_t)number };

        begin(perf, &record.head, TRACE_RECORD_EXIT, pid, seen);
        hand_on(perf, &record, sizeof(record));
}

static void take_delivery(struct trace_perf *perf, const struct perf_seen *seen) {
        if (is_watched(perf, seen->pid))
                take_end(perf, seen->pid, seen, seen->fields[DELIVERY_NUMBER]);
}

static void take_signal(struct trace_perf *perf, const struct perf_seen *seen) {
        int64_t number = seen->fields[SIGNAL_NUMBER], code = seen->fields[SIGNAL_CODE];
        pid_t target = process_of(perf, seen, seen->fields[SIGNAL_TARGET]);
        struct trace_signal record = { 0 };

        /* What a process raises itself has no sender; but the kernel's own kill is seen as its victim's. */
        if (target <= 0 || (seen->pid == target && number != SIGKILL))
                return;
        if (!is_watched(perf, target) &&
            (!perf->strangers || !is_fatal(number) || !is_within(&perf->descriptions, STRANGERS_A_SECOND, seen->at_ns)))
                return;
        begin(perf, &record.head, TRACE_RECORD_SIGNAL, target, seen);
        record.signal = (int32_t)number;
        record.code = (int32_t)code;
        record.result = (int32_t)seen->fields[SIGNAL_RESULT];
        trace_sender_take(&record, seen->pid, seen->tid);
        if (is_watched(perf, target)) {
                hand_on(perf, &record, sizeof(record));
                if (number == SIGKILL)
                        take_end(perf, target, seen, SIGKILL);
        } else if (record.head.start_ns) {
                perf->strangers[perf->next_stranger++ % STRANGERS] = record;
        }
}

static void take_victim(struct trace_perf *perf, const struct perf_seen *seen) {
        pid_t victim = process_of(perf, seen, seen->fields[VICTIM_PID]);
        struct trace_victim record = { 0 };

        if (victim <= 0 || !is_watched(perf, victim))
                return;
        begin(perf, &record.head, TRACE_RECORD_VICTIM, victim, seen);
        hand_on(perf, &record, sizeof(record));
}

static void take_port(struct trace_perf *perf, const struct perf_seen *seen) {
        struct trace_port record = { .port = (uint32_t)seen->fields[PORT_NUMBER], .size = (uint32_t)seen->fields[PORT_SIZE],
                                     .value = (uint32_t)seen->fields[PORT_VALUE] };

        if (!is_watched(perf, seen->pid))
                return;
        begin(perf, &record.head, TRACE_RECORD_PORT, seen->pid, seen);
        hand_on(perf, &record, sizeof(record));
}

static void take_kvm_exit(struct trace_perf *perf, const struct perf_seen *seen) {
        struct trace_kvm_exit record = { .reason = (uint32_t)seen->fields[KVM_EXIT_REASON] };

        if (seen->fields[KVM_EXIT_ERROR] < 0 || !is_watched(perf, seen->pid))
                return;
        begin(perf, &record.head, TRACE_RECORD_KVM_EXIT, seen->pid, seen);
        hand_on(perf, &record, sizeof(record));
}

static void take_birth(struct trace_perf *perf, const struct perf_seen *seen, int64_t pid) {
        struct trace_head head;

        if (pid <= 0 || pid > INT32_MAX)
                return;
        begin(perf, &head, TRACE_RECORD_BIRTH, (pid_t)pid, seen);
        hand_on(perf, &head, sizeof(head));
}

static void take(struct trace_perf *perf, const struct perf_seen *seen) {
        switch (seen->point) {
        case AT_SIGNAL:
                take_signal(perf, seen);
                break;
        case AT_DELIVERY:
                take_delivery(perf, seen);
                break;
        case AT_VICTIM:
                take_victim(perf, seen);
                break;
        case AT_PORT:
                take_port(perf, seen);
                break;
        case AT_KVM_EXIT:
                take_kvm_exit(perf, seen);
                break;
        case AT_EXEC:
                take_birth(perf, seen, seen->pid);
                break;
        case AT_TASK:
                take_birth(perf, seen, seen->fields[TASK_PID]);
                break;
        case _PERF_POINT_N:
                break;
        }
}

/* --- the rings --------------------------------------------------------------------------------------------------- */

static int add(struct trace_perf *perf, const struct perf_seen *seen) {
        if (perf->n_seen == perf->n_seen_room) {
                size_t n_room = perf->n_seen_room ? 2 * perf->n_seen_room : 64;
                struct seen *larger = realloc(perf->seen, n_room * sizeof(*larger));

                if (!larger)
                        return -ENOMEM;
                perf->seen = larger;
                perf->n_seen_room = n_room;
        }
        perf->seen[perf->n_seen] = (struct seen){ *seen, perf->n_seen };
        perf->n_seen++;
        return 0;
}

/* All that is in it until now; its room is free at once. */
static void read_ring(struct trace_perf *perf, struct cpu *cpu) {
        uint64_t head = __atomic_load_n(&cpu->page->data_head, __ATOMIC_ACQUIRE), tail = cpu->page->data_tail;
        const bool is_full = head - tail > perf->n_data - RECORD_ROOM;
        struct perf_record record;
        struct perf_seen seen;
        int r;

        if (head == tail)
                return;
        while ((r = perf_record_next(&record, (const char *)cpu->page + perf->page_size, perf->n_data, &tail, head)) != PERF_RING_EMPTY) {
                if (!r && record.n_lost) {
                        add_lost(perf, record.n_lost - cpu->is_full);
                        cpu->is_full = false;
                } else if (r < 0 || (!r && perf_points_decode(&perf->points, &seen, &record) && add(perf, &seen))) {
                        add_lost(perf, 1);
                }
        }
        __atomic_store_n(&cpu->page->data_tail, tail, __ATOMIC_RELEASE);
        if (is_full && !cpu->is_full) {
                add_lost(perf, 1);
                cpu->is_full = true;
        }
}

static void close_cpu(struct trace_perf *perf, struct cpu *cpu) {
        cpu->is_full = false;
        if (cpu->page)
                munmap(cpu->page, perf->page_size + perf->n_data);
        cpu->page = NULL;
        for (size_t i = 0; i < _PERF_POINT_N; i++)
                close_fd(&cpu->fds[i]);
}

/* --- CPUs that come and go ---------------------------------------------------------------------------------------- */

/* The first of a CPU's events has the ring, and all others write into it. */
static int share_ring(struct trace_perf *perf, size_t number, int fd, int *owner) {
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = number };
        struct cpu *cpu = &perf->cpus[number];
        void *page;

        if (cpu->page)
                return ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, *owner) < 0 ? -errno : 0;
        page = mmap(NULL, perf->page_size + perf->n_data, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page == MAP_FAILED)
                return -errno;
        cpu->page = page;
        *owner = fd;
        return epoll_ctl(perf->way.fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_point(struct trace_perf *perf, size_t number, enum perf_point point, int *owner) {
        cleanup(closep) int fd = perf_points_open(&perf->points, point, (int)number);
        int r = fd < 0 ? fd : share_ring(perf, number, fd, owner);

        if (!r && ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
                r = -errno;
        if (!r)
                perf->cpus[number].fds[point] = take_fd(&fd);
        return r;
}

/* 0: as far as there is such a CPU now.  -errno: perf cannot be had; what one tracepoint alone lacks is noted. */
static int open_cpu(struct trace_perf *perf, size_t number) {
        int owner = -1, r;

        for (size_t i = 0; i < _PERF_POINT_N; i++) {
                enum perf_point point = (enum perf_point)i;

                if (!perf->points.is_wanted[i])
                        continue;
                r = open_point(perf, number, point, &owner);
                if (r == -ENODEV)
                        return 0;
                /* A filter that the kernel does not take, or a tracepoint that has gone with its module. */
                if (r == -EINVAL || r == -ENOENT) {
                        perf->points.is_wanted[i] = false;
                        snprintf(perf->way.lacks[perf_point_part(point)], TRACE_WHY_MAX, "%s cannot be read by perf: %s", perf_point_name(point),
                                 strerror(-r));
                } else if (r) {
                        return r;
                }
        }
        return 0;
}

/* Those of KVM, which may be a module that comes later.  The same ring takes them. */
static bool look_again(struct trace_way *way) {
        static const enum perf_point of_module[] = { AT_PORT, AT_KVM_EXIT };
        struct trace_perf *perf = (struct trace_perf *)way;
        bool works = false;

        for (size_t k = 0; k < N_ELEMENTS(of_module); k++) {
                enum perf_point point = of_module[k];
                int r = 0;

                if (perf->points.is_wanted[point] || !perf_points_learn_again(&perf->points, point))
                        continue;
                for (size_t i = 0; !r && i < perf->n_cpus; i++) {
                        int owner = -1;

                        for (size_t other = 0; owner < 0 && other < _PERF_POINT_N; other++)
                                owner = perf->cpus[i].fds[other];
                        if (perf->cpus[i].page)
                                r = open_point(perf, i, point, &owner);
                        r = r == -ENODEV ? 0 : r;
                }
                perf->points.is_wanted[point] = !r;
                works = works || !r;
                if (r)
                        snprintf(way->lacks[perf_point_part(point)], TRACE_WHY_MAX, "%s cannot be read by perf: %s", perf_point_name(point), strerror(-r));
                else
                        way->lacks[perf_point_part(point)][0] = '\0';
        }
        return works;
}

/* What was opened on a CPU that went does nothing any more, and must be opened anew when it is back. */
static void reopen_cpu(struct trace_perf *perf, size_t number) {
        struct cpu *cpu = &perf->cpus[number];

        if (cpu->page)
                read_ring(perf, cpu);
        close_cpu(perf, cpu);
        /* Whatever happens there now is lost. */
        if (open_cpu(perf, number)) {
                close_cpu(perf, cpu);
                add_lost(perf, 1);
        }
}

static void look_at_cpus(struct trace_perf *perf) {
        struct epoll_event events[16];
        int n = epoll_wait(perf->way.fd, events, N_ELEMENTS(events), 0), cpu;

        for (int i = 0; i < n; i++)
                if (events[i].data.u64 != CHANGES && events[i].events & (EPOLLHUP | EPOLLERR))
                        reopen_cpu(perf, events[i].data.u64);
        while (n > 0 && (cpu = cpu_changes_next(&perf->changes)) != CPU_CHANGES_NONE)
                for (size_t i = 0; i < perf->n_cpus; i++)
                        if (cpu == CPU_CHANGES_ALL || (size_t)cpu == i)
                                reopen_cpu(perf, i);
}

static int compare(const void *one, const void *other) {
        const struct seen *a = one, *b = other;

        if (a->what.at_ns != b->what.at_ns)
                return a->what.at_ns < b->what.at_ns ? -1 : 1;
        return a->number < b->number ? -1 : 1;
}

static void drain(struct trace_way *way) {
        struct trace_perf *perf = (struct trace_perf *)way;
        uint64_t asleep_ns;

        perf->n_seen = 0;
        for (size_t i = 0; i < perf->n_cpus; i++)
                if (perf->cpus[i].page)
                        read_ring(perf, &perf->cpus[i]);
        if (!perf->n_seen)
                look_at_cpus(perf);
        if (!perf->n_seen)
                return;
        asleep_ns = cpu_changes_asleep_ns(&perf->changes);
        qsort(perf->seen, perf->n_seen, sizeof(*perf->seen), compare);
        for (size_t i = 0; i < perf->n_seen; i++) {
                perf->seen[i].what.at_ns += asleep_ns;
                take(perf, &perf->seen[i].what);
        }
}

/* --- as a way to read the kernel ---------------------------------------------------------------------------------- */

static int watch(struct trace_way *way, pid_t pid, uint64_t start_time, uint32_t *ret_n_lost) {
        *ret_n_lost = ((struct trace_perf *)way)->n_lost;
        return 0;
}

static void unwatch(struct trace_way *way, pid_t pid) {
}

static uint32_t count_lost(const struct trace_way *way, pid_t pid) {
        return ((const struct trace_perf *)way)->n_lost;
}

static bool find_stranger(struct trace_way *way, pid_t pid, uint64_t start_time, bool take, struct trace_signal *ret_signal) {
        struct trace_perf *perf = (struct trace_perf *)way;

        for (size_t i = perf->next_stranger, n = 0; perf->strangers && n < STRANGERS && i > 0; n++) {
                struct trace_signal *stranger = &perf->strangers[--i % STRANGERS];

                if (!stranger->head.kind || stranger->head.tgid != (uint32_t)pid || !trace_head_is_about(&stranger->head, start_time))
                        continue;
                *ret_signal = *stranger;
                if (take)
                        stranger->head.kind = 0;
                return true;
        }
        return false;
}

/* Nobody reads on where another one stopped: what was lost in between is a gap. */
static void descriptors(const struct trace_way *way, struct trace_descriptors *ret_descriptors) {
        for (size_t i = 0; i < TRACE_DESCRIPTORS; i++)
                ret_descriptors->fds[i] = -1;
}

static void forget_others(struct trace_way *way) {
}

static void close_perf(struct trace_way *way) {
        struct trace_perf *perf = (struct trace_perf *)way;

        for (size_t i = 0; i < perf->n_cpus; i++)
                close_cpu(perf, &perf->cpus[i]);
        cpu_changes_close(&perf->changes);
        close_fd(&way->fd);
        free(perf->cpus);
        free(perf->seen);
        free(perf->strangers);
        free(perf);
}

static const struct trace_way_ops ops = {
        .close = close_perf,
        .drain = drain,
        .watch = watch,
        .unwatch = unwatch,
        .count_lost = count_lost,
        .find_stranger = find_stranger,
        .descriptors = descriptors,
        .forget_others = forget_others,
        .look_again = look_again,
};

/* --- its beginning ------------------------------------------------------------------------------------------------ */

/* Those that the kernel could have: "0-7", "0,2-5". */
static size_t count_cpus(void) {
        char text[256] = "";
        const char *from;
        uint64_t last;

        proc_read("/sys/devices/system/cpu/possible", text, sizeof(text));
        from = text + strlen(text);
        while (from > text && from[-1] != '-' && from[-1] != ',')
                from--;
        return proc_number_parse(&last, from, strlen(from)) || last >= CPUS_MAX ? 1 : (size_t)last + 1;
}

/* A power of two.  Whoever has one VM may be one of many. */
static size_t count_pages(size_t n_cpus, enum trace_scope scope) {
        size_t n = RING_PAGES_MAX;

        while (n > RING_PAGES_MIN && n * n_cpus > RINGS_PAGES)
                n /= 2;
        return scope == TRACE_HOST ? n : n / 4;
}

static int open_all(struct trace_perf *perf, enum trace_scope scope) {
        int r = perf_points_learn(&perf->points, scope, perf->way.lacks);

        perf->page_size = (size_t)sysconf(_SC_PAGESIZE);
        perf->n_data = perf->page_size * count_pages(perf->n_cpus, scope);
        perf->way.fd = epoll_create1(EPOLL_CLOEXEC);
        if (!r && perf->way.fd < 0)
                r = -errno;
        /* First listen, then look. */
        if (!r)
                r = cpu_changes_open(&perf->changes, perf->way.fd, CHANGES);
        for (size_t i = 0; !r && i < perf->n_cpus; i++)
                r = open_cpu(perf, i);
        return r;
}

static struct trace_perf *perf_new(const struct trace_way_events *events, enum trace_scope scope) {
        struct trace_perf *perf = calloc(1, sizeof(*perf));

        if (!perf)
                return NULL;
        perf->way = (struct trace_way){ .ops = &ops, .events = *events, .fd = -1, .loses_for_all = true };
        perf->changes = (struct cpu_changes){ -1, -1, 0 };
        perf->cpus = calloc(count_cpus(), sizeof(*perf->cpus));
        if (scope == TRACE_HOST)
                perf->strangers = calloc(STRANGERS, sizeof(*perf->strangers));
        if (!perf->cpus || (scope == TRACE_HOST && !perf->strangers)) {
                close_perf(&perf->way);
                return NULL;
        }
        perf->n_cpus = count_cpus();
        for (size_t i = 0; i < perf->n_cpus; i++)
                for (size_t k = 0; k < _PERF_POINT_N; k++)
                        perf->cpus[i].fds[k] = -1;
        return perf;
}

/* Debian's kernel knows a value that wants more than CAP_PERFMON, CAP_SYS_ADMIN. */
static bool is_for_root_alone(void) {
        char text[16];
        uint64_t number;
        ssize_t n = proc_read("/proc/sys/kernel/perf_event_paranoid", text, sizeof(text));

        return n > 0 && !proc_number_parse(&number, text, (size_t)n) && number > 2;
}

int trace_perf_open(struct trace_way **ret_way, enum trace_scope scope, const struct trace_way_events *events, char ret_why[static TRACE_WHY_MAX]) {
        struct trace_perf *perf = perf_new(events, scope);
        bool works = false;
        int r;

        if (!perf)
                return -ENOMEM;
        r = open_all(perf, scope);
        for (size_t i = 0; i < _PERF_POINT_N; i++)
                works = works || perf->points.is_wanted[i];
        if (!r && works) {
                snprintf(perf->way.lacks[TRACE_EXITS], TRACE_WHY_MAX,
                         "sched_process_exit, read by perf, has no exit status: only ends by SIGKILL and by faults are seen");
                *ret_way = &perf->way;
                return 0;
        }
        if (r == -EPERM || r == -EACCES)
                snprintf(ret_why, TRACE_WHY_MAX, is_for_root_alone() ? "kernel.perf_event_paranoid is 3" : "there is no right to it (root, or CAP_PERFMON)");
        else if (r == -ENOENT)
                snprintf(ret_why, TRACE_WHY_MAX, "there is no tracefs");
        else
                snprintf(ret_why, TRACE_WHY_MAX, "%s", r ? strerror(-r) : "the kernel takes no filter of ours");
        close_perf(&perf->way);
        return TRACE_ABSENT;
}
