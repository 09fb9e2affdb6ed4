/*
 * The programs that run in the kernel, each at one tracepoint: who sends a signal, whom the OOM killer takes, how a process ends, what a guest
 * writes to its power ports, and in Xen's dom0 who tells the hypervisor to end a domain.
 *
 * None is of the tracepoint kind: such a program that returns 0 hides the event from every perf reader on the host.  Each can be left out.
 * What is about a watched process goes into the ring; a fatal signal to any other one is remembered for a while.
 */
#include "sources/trace/record.h"
#include "sources/trace/kernel.h"

#define __u8  uint8_t
#define __u16 uint16_t
#define __u32 uint32_t
#define __s32 int32_t
#define __u64 uint64_t
#define __s64 long long
#define __be16 uint16_t
#define __be32 uint32_t
#define __wsum uint32_t
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/* The reader's pid namespace; 0: it is the first one, which counts as the kernel does. */
const volatile uint32_t pid_namespace;

/* The reader, if all its VMs are its own children; 0: they are anybody's. */
const volatile uint32_t parent;

/* The device by which programs tell Xen what to do, as the kernel writes its number; 0: there is none. */
const volatile uint32_t privcmd;

uint64_t n_records;

struct {
        __uint(type, BPF_MAP_TYPE_RINGBUF);
        __uint(max_entries, 1 << 20);
} records SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 65536);
        __uint(map_flags, 1); /* BPF_F_NO_PREALLOC */
        __type(key, uint32_t);
        __type(value, struct trace_watched);
} watched SEC(".maps");

/*
 * The last fatal signals to those who are not watched: a VMM may be killed before anybody knew it.  A list for each CPU: where they share one, each takes
 * room from it for many at once, and on a host of many CPUs that leaves one for each.  The reader makes it as large as there are CPUs.
 */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 512);
        __uint(map_flags, 2); /* BPF_F_NO_COMMON_LRU */
        __type(key, uint32_t);
        __type(value, struct trace_signal);
} strangers SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
        __uint(max_entries, 1);
        __type(key, uint32_t);
        __type(value, struct trace_signal);
} scratch SEC(".maps");

/* --- processes --------------------------------------------------------------------------------------------------- */

/* As the reader's pid namespace counts; 0: it does not see it. */
static __always_inline uint32_t number_of(struct pid *pid) {
        unsigned int level = BPF_CORE_READ(pid, level);
        char *numbers = (char *)pid + bpf_core_field_offset(struct pid, numbers);

        /* MAX_PID_NS_LEVEL is 32; so deep is nobody. */
        for (unsigned int i = 0; i < 8 && i <= level; i++) {
                struct pid_namespace *ns = 0;
                int nr = 0;

                bpf_probe_read_kernel(&nr, sizeof(nr), numbers + i * 16);
                bpf_probe_read_kernel(&ns, sizeof(ns), numbers + i * 16 + 8);
                if (ns && BPF_CORE_READ(ns, ns.inum) == pid_namespace)
                        return nr;
        }
        return 0;
}

static __always_inline uint32_t tgid_of(struct task_struct *task) {
        if (!pid_namespace)
                return BPF_CORE_READ(task, tgid);
        return number_of(BPF_CORE_READ(task, group_leader, thread_pid));
}

static __always_inline uint64_t start_of(struct task_struct *task) {
        struct task_struct *leader = BPF_CORE_READ(task, group_leader);

        if (bpf_core_field_exists(leader->start_boottime))
                return BPF_CORE_READ(leader, start_boottime);
        return BPF_CORE_READ((struct task_struct___older *)leader, real_start_time);
}

static __always_inline void describe(struct trace_process *process, struct task_struct *task) {
        struct task_struct *leader = BPF_CORE_READ(task, group_leader);

        process->tgid = tgid_of(task);
        process->padding = 0;
        process->start_ns = start_of(task);
        bpf_core_read_str(process->comm, sizeof(process->comm), &leader->comm);
}

static __always_inline struct pid *session_of(struct task_struct *task) {
        return BPF_CORE_READ(task, signal, pids[PID_TYPE_SID]);
}

static __always_inline bool leads_session(struct task_struct *task) {
        return session_of(task) == BPF_CORE_READ(task, group_leader, thread_pid);
}

static __always_inline struct trace_watched *find_watched(uint32_t tgid) {
        return bpf_map_lookup_elem(&watched, &tgid);
}

static __always_inline void begin(struct trace_head *head, enum trace_record_kind kind, uint32_t tgid, struct task_struct *task) {
        head->kind = kind;
        head->tgid = tgid;
        head->start_ns = start_of(task);
        head->at_ns = bpf_ktime_get_boot_ns();
        head->number = __sync_fetch_and_add(&n_records, 1) + 1;
}

static __always_inline void send(struct trace_watched *about, void *record, uint32_t size) {
        if (bpf_ringbuf_output(&records, record, size, 0))
                __sync_fetch_and_add(&about->n_lost, 1);
}

/* A record that its subject, or whoever may send it a signal, can have made without end. */
static __always_inline bool is_within(struct trace_watched *about, bool is_end) {
        uint32_t second = bpf_ktime_get_boot_ns() >> 30;

        /* That two CPUs do this at once costs a few records more, or less. */
        if (about->second != second) {
                about->second = second;
                about->n_ends = about->n_others = 0;
        }
        if ((is_end ? about->n_ends++ : about->n_others++) < TRACE_RECORDS_A_SECOND)
                return true;
        __sync_fetch_and_add(&about->n_left_out, 1);
        return false;
}

/* --- the sender -------------------------------------------------------------------------------------------------- */

static __always_inline void take_path(struct trace_sender *sender, struct mm_struct *mm) {
        struct file *file = BPF_CORE_READ(mm, exe_file);
        struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
        struct vfsmount *vfs = BPF_CORE_READ(file, f_path.mnt);
        struct mount *mount;

        if (!vfs || !dentry)
                return;
        mount = (struct mount *)((char *)vfs - bpf_core_field_offset(struct mount, mnt));
        for (int i = 0; i < TRACE_PATH_NAMES + 4; i++) {
                struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

                /* A mount's root goes by the name of the place that it is mounted on. */
                if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
                        struct mount *outer = BPF_CORE_READ(mount, mnt_parent);

                        if (outer == mount || !outer)
                                break;
                        dentry = BPF_CORE_READ(mount, mnt_mountpoint);
                        mount = outer;
                        continue;
                }
                if (parent == dentry || !parent || sender->n_path >= TRACE_PATH_NAMES)
                        break;
                bpf_probe_read_kernel_str(sender->path[sender->n_path], TRACE_PATH_NAME, BPF_CORE_READ(dentry, d_name.name));
                sender->n_path++;
                dentry = parent;
        }
}

static __always_inline uint32_t take_names(char (*names)[TRACE_CGROUP_NAME], struct kernfs_node *node) {
        uint32_t n = 0;

        for (int i = 0; i < TRACE_CGROUP_NAMES; i++) {
                struct kernfs_node *parent;

                if (!node)
                        break;
                if (bpf_core_field_exists(((struct kernfs_node___renamed *)node)->__parent))
                        parent = BPF_CORE_READ((struct kernfs_node___renamed *)node, __parent);
                else
                        parent = BPF_CORE_READ(node, parent);
                if (!parent)
                        break;
                bpf_probe_read_kernel_str(names[i], TRACE_CGROUP_NAME, BPF_CORE_READ(node, name));
                n = i + 1;
                node = parent;
        }
        return n;
}

static __always_inline void take_cgroup(struct trace_sender *sender, struct task_struct *task) {
        sender->n_cgroup = take_names(sender->cgroup, BPF_CORE_READ(task, cgroups, dfl_cgrp, kn));
}

static __always_inline void take_parents(struct trace_sender *sender, struct task_struct *task) {
        struct task_struct *child = BPF_CORE_READ(task, group_leader);

        for (int i = 0; i < TRACE_PARENTS; i++) {
                struct task_struct *parent = BPF_CORE_READ(child, real_parent, group_leader);

                /* The first process of all is its own parent. */
                if (!parent || parent == child || !BPF_CORE_READ(parent, tgid))
                        break;
                describe(&sender->parents[i], parent);
                sender->n_parents = i + 1;
                child = parent;
        }
}

static __always_inline void take_arguments(struct trace_sender *sender, struct mm_struct *mm) {
        unsigned long start = BPF_CORE_READ(mm, arg_start), n = BPF_CORE_READ(mm, arg_end) - start;

        if (n > TRACE_ARGUMENTS - 1)
                n = TRACE_ARGUMENTS - 1;
        /* It is the sender's own memory, and he is running: mostly it is there.  Never waits for what is not. */
        if (!bpf_probe_read_user(sender->arguments, n & (TRACE_ARGUMENTS - 1), (void *)start))
                sender->n_arguments = n;
}

static __always_inline void take_sender(struct trace_sender *sender, struct task_struct *task) {
        unsigned int flags = BPF_CORE_READ(task, flags);
        struct mm_struct *mm = BPF_CORE_READ(task, mm);

        sender->is_kernel = (flags & PF_KTHREAD) != 0;
        sender->is_ending = (flags & PF_EXITING) != 0;
        sender->n_parents = sender->n_path = sender->n_cgroup = sender->n_arguments = 0;
        describe(&sender->process, task);
        sender->tid = pid_namespace ? number_of(BPF_CORE_READ(task, thread_pid)) : (uint32_t)BPF_CORE_READ(task, pid);
        sender->uid = BPF_CORE_READ(task, cred, uid.val);
        sender->login_uid = bpf_core_field_exists(task->loginuid) ? BPF_CORE_READ(task, loginuid.val) : (uint32_t)-1;
        sender->session = 0;
        if (session_of(task))
                sender->session = pid_namespace ? number_of(session_of(task)) : (uint32_t)BPF_CORE_READ(session_of(task), numbers[0].nr);
        sender->cgroup_id = bpf_get_current_cgroup_id();
        if (sender->is_kernel)
                return;
        take_parents(sender, task);
        take_cgroup(sender, task);
        /* Whoever is on his way out has given up his memory, and with it his program's name. */
        if (!mm)
                return;
        take_path(sender, mm);
        take_arguments(sender, mm);
}

/* Whose terminal the target has: ^C and a hangup come from there, by whatever kernel thread. */
static __always_inline void take_leader(struct trace_signal *record, struct task_struct *target) {
        struct task_struct *at = BPF_CORE_READ(target, group_leader);

        record->leader.tgid = 0;
        for (int i = 0; i < TRACE_PARENTS; i++) {
                if (!at || session_of(at) != session_of(target))
                        break;
                if (leads_session(at)) {
                        describe(&record->leader, at);
                        break;
                }
                at = BPF_CORE_READ(at, real_parent, group_leader);
        }
}

/* --- signals ----------------------------------------------------------------------------------------------------- */

#define BIT(signal) (1ULL << ((signal) & 63)) /* the last of all, 64, goes by 0 */
#define ASKS                                                                                                           \
        (BIT(1) /* HUP */ | BIT(2) /* INT */ | BIT(3) /* QUIT */ | BIT(9) /* KILL */ | BIT(15) /* TERM */)
#define PAUSES (BIT(18) /* CONT */ | BIT(19) /* STOP */ | BIT(20) /* TSTP */ | BIT(21) /* TTIN */ | BIT(22) /* TTOU */)
#define HARMLESS (BIT(17) /* CHLD */ | BIT(23) /* URG */ | BIT(28) /* WINCH */) /* whoever has no handler for it ignores it */
#define ENDS (~(PAUSES | HARMLESS))

/* signal(7): who has no handler for a signal, and does not ignore it, is ended by all but HARMLESS and PAUSES. */
static __always_inline bool has_default_action(struct task_struct *task, int signal) {
        char *actions = (char *)BPF_CORE_READ(task, sighand) + bpf_core_field_offset(struct sighand_struct, action);
        void *handler = 0;

        return !bpf_probe_read_kernel(&handler, sizeof(handler), actions + (signal - 1) * bpf_core_type_size(struct k_sigaction) +
                                                                         bpf_core_field_offset(struct k_sigaction, sa.sa_handler)) &&
               !handler;
}

static __always_inline struct pid *group_of(struct task_struct *task) {
        return BPF_CORE_READ(task, signal, pids[PID_TYPE_PGID]);
}

/* A process group that no parent in its session cares for is not stopped by its terminal's signals (POSIX: orphaned; kernel/exit.c, will_become_orphaned_pgrp()). */
static __always_inline bool is_orphaned(struct task_struct *target) {
        struct task_struct *at = BPF_CORE_READ(target, group_leader);

        for (int i = 0; i < TRACE_PARENTS; i++) {
                struct task_struct *parent = BPF_CORE_READ(at, real_parent, group_leader);

                if (!parent || parent == at || session_of(parent) != session_of(target))
                        break;
                if (group_of(parent) != group_of(target))
                        return false;
                at = parent;
        }
        return true;
}

/* A debugger has it first, which stops threads in this way all the time; or there is no shell to continue it. */
static __always_inline bool may_be_stopped(struct task_struct *target, int signal) {
        return !BPF_CORE_READ(target, ptrace) && (signal == SIGSTOP || !is_orphaned(target));
}

/* It changes nothing: it is ignored, waits already, or found no room.  (Who was stopped goes on by a SIGCONT, all the same.) */
static __always_inline bool is_lost_on(struct task_struct *target, int signal, int result) {
        if (signal == SIGCONT)
                return false;
        return (result != TRACE_SIGNAL_DELIVERED && result != TRACE_SIGNAL_LOSE_INFO) ||
               ((BIT(signal) & PAUSES) && !may_be_stopped(target, signal));
}

SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal, int signal, struct kernel_siginfo *info, struct task_struct *target, int group, int result) {
        struct task_struct *sender = (struct task_struct *)bpf_get_current_task();
        struct trace_watched *about;
        struct trace_signal *record;
        uint32_t tgid, zero = 0;
        uint64_t special = 0;
        bool is_default;
        int code;

        if (signal < 1 || signal > SIGNALS || (BIT(signal) & HARMLESS) || is_lost_on(target, signal, result))
                return 0;
        /*
         * SEND_SIG_NOINFO is 0, SEND_SIG_PRIV is 1: kernel/signal.c makes SI_USER and SI_KERNEL of them.  Taken as a number, for the verifier takes out what asks
         * a typed argument whether it is NULL.
         */
        bpf_probe_read_kernel(&special, sizeof(special), &ctx[1]);
        if (special <= 1)
                code = special ? SI_KERNEL : 0;
        else
                code = BPF_CORE_READ(info, si_code);
        is_default = has_default_action(target, signal);
        /* What a process raises itself, or has the kernel raise, tells something if it acts on it; and the kernel's own kill is seen as its victim's. */
        if (BPF_CORE_READ(sender, tgid) == BPF_CORE_READ(target, tgid) && !is_default)
                return 0;
        tgid = tgid_of(target);
        if (!tgid)
                return 0;
        about = find_watched(tgid);
        if (!about && (!(BIT(signal) & (is_default ? ENDS : ASKS)) || (parent && tgid_of(BPF_CORE_READ(target, real_parent)) != parent)))
                return 0;
        if (about && signal != SIGKILL && !is_within(about, BIT(signal) & ENDS))
                return 0;
        record = bpf_map_lookup_elem(&scratch, &zero);
        if (!record)
                return 0;
        begin(&record->head, TRACE_RECORD_SIGNAL, tgid, target);
        record->signal = signal;
        record->code = code;
        record->result = result;
        record->is_default = is_default;
        take_sender(&record->sender, sender);
        take_leader(record, target);
        if (about)
                send(about, record, sizeof(*record));
        else
                bpf_map_update_elem(&strangers, &tgid, record, BPF_ANY);
        return 0;
}

/* --- ends -------------------------------------------------------------------------------------------------------- */

/* Larger than a program's stack. */
static __always_inline struct trace_victim *reserve_victim(struct trace_watched *about) {
        struct trace_victim *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

        if (!record)
                __sync_fetch_and_add(&about->n_lost, 1);
        return record;
}

/* In either version; as the kernel's log names it (task_memcg). */
static __always_inline void take_memory_cgroup(struct trace_victim *record, struct task_struct *task) {
        char *set = (char *)BPF_CORE_READ(task, cgroups);
        struct cgroup_subsys_state *memory = 0;

        record->has_cgroup = record->n_cgroup = 0;
        if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id) ||
            bpf_probe_read_kernel(&memory, sizeof(memory), set + bpf_core_field_offset(struct css_set, subsys) +
                                                                   bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id) * sizeof(memory)) ||
            !memory)
                return;
        record->has_cgroup = 1;
        record->n_cgroup = take_names(record->cgroup, BPF_CORE_READ(memory, cgroup, kn));
}

/* Its argument has changed with the kernels (a task; a task and its uid); the victim is the task, always. */
SEC("tp_btf/mark_victim")
int BPF_PROG(on_victim, struct task_struct *victim) {
        uint32_t tgid = tgid_of(victim);
        struct trace_watched *about = tgid ? find_watched(tgid) : 0;
        struct trace_victim *record = about ? reserve_victim(about) : 0;

        if (!record)
                return 0;
        begin(&record->head, TRACE_RECORD_VICTIM, tgid, victim);
        take_memory_cgroup(record, victim);
        bpf_ringbuf_submit(record, 0);
        return 0;
}

/* Before Linux 6.8 (and before the stable releases that took its form over) it had no more than the victim's pid, as the kernel counts. */
SEC("tp_btf/mark_victim")
int BPF_PROG(on_victim_pid, int pid) {
        uint32_t tgid = pid;
        struct trace_watched *about = pid_namespace ? 0 : find_watched(tgid);
        struct trace_victim *record = about ? reserve_victim(about) : 0;

        if (!record)
                return 0;
        record->head.kind = TRACE_RECORD_VICTIM;
        record->head.tgid = tgid;
        record->head.start_ns = about->start_ns;
        record->head.at_ns = bpf_ktime_get_boot_ns();
        record->head.number = __sync_fetch_and_add(&n_records, 1) + 1;
        record->has_cgroup = record->n_cgroup = 0;
        bpf_ringbuf_submit(record, 0);
        return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task) {
        struct task_struct *leader = BPF_CORE_READ(task, group_leader);
        struct signal_struct *signal = BPF_CORE_READ(task, signal);
        struct trace_exit record = {};
        struct trace_watched *about;
        uint32_t tgid;

        /* The last thread's end is the process's. */
        if (BPF_CORE_READ(signal, live.counter) > 0)
                return 0;
        tgid = tgid_of(task);
        about = tgid ? find_watched(tgid) : 0;
        if (!about)
                return 0;
        begin(&record.head, TRACE_RECORD_EXIT, tgid, task);
        /* kernel/exit.c, wait_task_zombie() */
        record.status = BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT ? BPF_CORE_READ(signal, group_exit_code)
                                                                        : BPF_CORE_READ(leader, exit_code);
        send(about, &record, sizeof(record));
        return 0;
}

/* --- births ------------------------------------------------------------------------------------------------------ */

/* A QEMU may be called "qemu-system-x86_64", "qemu-kvm", "kvm".  The reader looks closer. */
static __always_inline bool may_name_qemu(const char *name) {
        return (name[0] == 'q' && name[1] == 'e' && name[2] == 'm' && name[3] == 'u') || (name[0] == 'k' && name[1] == 'v' && name[2] == 'm');
}

/* By what it was started as, or by its program: it may have been started by a link of any name. */
static __always_inline void take_birth(struct task_struct *task) {
        struct trace_head head = {};
        char comm[TRACE_COMM], program[TRACE_COMM] = "";
        uint32_t tgid;

        bpf_core_read_str(comm, sizeof(comm), &task->comm);
        bpf_probe_read_kernel_str(program, sizeof(program), BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name));
        if (!may_name_qemu(comm) && !may_name_qemu(program))
                return;
        tgid = tgid_of(task);
        if (!tgid)
                return;
        begin(&head, TRACE_RECORD_BIRTH, tgid, task);
        bpf_ringbuf_output(&records, &head, sizeof(head), 0);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task) {
        take_birth(task);
        return 0;
}

/* -daemonize: the QEMU that stays is a child of the one that was started. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child) {
        if (BPF_CORE_READ(child, pid) == BPF_CORE_READ(child, tgid))
                take_birth(child);
        return 0;
}

/* --- KVM --------------------------------------------------------------------------------------------------------- */

/* ACPI specification 6.5, 4.8.3.2.1: SLP_EN. */
#define SLP_EN 0x2000

/* A write that may change the machine's power.  What it means to that VM the reader knows. */
static __always_inline bool is_power_write(uint32_t port, uint32_t size, uint32_t value) {
        if (port == 0x64)
                return size == 1 && (value & 0xf1) == 0xf0; /* pulse the reset line */
        if (port == 0x92)
                return size == 1 && (value & 1);
        if (port == 0xcf9)
                return size == 1 && (value & 4);
        return size == 2 && (value & SLP_EN) && (port == 0x604 || port == 0xb004); /* of QEMU's PCs, and of vmpower-vmm's */
}

/*
 * Both of the raw kind.  The types of what is in a module only CAP_SYS_ADMIN may look up, and vmpowerd has no more than CAP_BPF and CAP_PERFMON; and
 * before Linux 6.16 the verifier let no program of the typed kind look at an argument of type const void *.
 */
SEC("raw_tp/kvm_pio")
int BPF_PROG(on_port, unsigned int is_write, unsigned int port, unsigned int size, unsigned int count, const void *data) {
        struct trace_port record = {};
        struct trace_watched *about;
        struct task_struct *task;
        uint32_t tgid, value = 0;

        /* The busy ports of a PC end here. */
        if (!is_write || size > 2 || (port < 0x604 && port != 0x64 && port != 0x92))
                return 0;
        task = (struct task_struct *)bpf_get_current_task();
        tgid = tgid_of(task);
        about = tgid ? find_watched(tgid) : 0;
        if (!about || bpf_probe_read_kernel(&value, size & 3, data) || !is_power_write(port, size, value) || !is_within(about, false))
                return 0;
        begin(&record.head, TRACE_RECORD_PORT, tgid, task);
        record.port = port;
        record.size = size;
        record.value = value;
        send(about, &record, sizeof(record));
        return 0;
}

SEC("raw_tp/kvm_userspace_exit")
int BPF_PROG(on_kvm_exit, uint32_t reason, int error) {
        struct trace_kvm_exit record = {};
        struct trace_watched *about;
        struct task_struct *task;
        uint32_t tgid;

        if (reason != KVM_EXIT_SHUTDOWN && reason != KVM_EXIT_SYSTEM_EVENT)
                return 0;
        task = (struct task_struct *)bpf_get_current_task();
        tgid = tgid_of(task);
        about = tgid ? find_watched(tgid) : 0;
        if (!about || error < 0 || !is_within(about, false))
                return 0;
        begin(&record.head, TRACE_RECORD_KVM_EXIT, tgid, task);
        record.reason = reason;
        send(about, &record, sizeof(record));
        return 0;
}

/* --- Xen --------------------------------------------------------------------------------------------------------- */

/* xen, include/xen-sys/Linux/privcmd.h: _IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall)) */
struct privcmd_hypercall {
        uint64_t op, arg[5];
};
#define IOCTL_PRIVCMD_HYPERCALL (sizeof(struct privcmd_hypercall) << 16 | 'P' << 8)

/* The beginnings of what these hypercalls are told. */
struct xen_domctl {
        uint32_t cmd, interface_version;
        uint16_t domain, padding[3];
        uint32_t trigger; /* of XEN_DOMCTL_SENDTRIGGER */
};
struct xen_sched_remote_shutdown {
        uint16_t domain_id, padding;
        uint32_t reason;
};

struct call {
        uint32_t operation, command, version, domid, reason;
};

/* What a hypercall is told is locked in its caller's memory, since Xen itself reads it there: it is there for us, too.  Whether Xen obeys is not seen here. */
static __always_inline bool read_call(struct call *call, const struct privcmd_hypercall *hypercall) {
        struct xen_sched_remote_shutdown shutdown;
        struct xen_domctl domctl;

        call->operation = hypercall->op;
        call->reason = 0;
        if (hypercall->op == XEN_DOMCTL) {
                if (bpf_probe_read_user(&domctl, sizeof(domctl), (void *)hypercall->arg[0]))
                        return false;
                call->command = domctl.cmd;
                call->version = domctl.interface_version;
                call->domid = domctl.domain;
                if (domctl.cmd == XEN_DOMCTL_SENDTRIGGER)
                        return domctl.trigger == XEN_DOMCTL_SENDTRIGGER_POWER;
                return domctl.cmd == XEN_DOMCTL_DESTROYDOMAIN || domctl.cmd == XEN_DOMCTL_PAUSEDOMAIN ||
                       domctl.cmd == XEN_DOMCTL_UNPAUSEDOMAIN || domctl.cmd == XEN_DOMCTL_RESUMEDOMAIN;
        }
        if (hypercall->op != XEN_SCHED_OP || hypercall->arg[0] != XEN_SCHEDOP_REMOTE_SHUTDOWN ||
            bpf_probe_read_user(&shutdown, sizeof(shutdown), (void *)hypercall->arg[1]))
                return false;
        call->command = XEN_SCHEDOP_REMOTE_SHUTDOWN;
        call->version = 0;
        call->domid = shutdown.domain_id;
        call->reason = shutdown.reason;
        return true;
}

/*
 * Anyone may ask anything of a file of his own: only what Xen hears counts.  One that was given to a device model passes nothing on (Linux,
 * drivers/xen/privcmd.c: struct privcmd_data begins with the domain that it is restricted to).
 */
static __always_inline bool is_heard(struct file *file) {
        void *data = BPF_CORE_READ(file, private_data);
        uint16_t domid;

        return privcmd && BPF_CORE_READ(file, f_inode, i_rdev) == privcmd &&
               (bpf_probe_read_kernel(&domid, sizeof(domid), data) || domid == XEN_DOMID_INVALID);
}

static __always_inline void take_hypercall(struct file *file, unsigned long argument) {
        struct task_struct *task = (struct task_struct *)bpf_get_current_task();
        struct privcmd_hypercall hypercall;
        struct trace_hypercall *record;
        struct call call;
        uint32_t tgid;

        if (!is_heard(file) || bpf_probe_read_user(&hypercall, sizeof(hypercall), (void *)argument) || !read_call(&call, &hypercall))
                return;
        tgid = tgid_of(task);
        if (!tgid)
                return;
        /* Another task may take its turn on this CPU: no place of the CPU's own. */
        record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
        if (!record) {
                struct trace_watched *about = find_watched(TRACE_HYPERCALLS_LOST);

                if (about)
                        __sync_fetch_and_add(&about->n_lost, 1);
                return;
        }
        begin(&record->head, TRACE_RECORD_HYPERCALL, tgid, task);
        record->operation = call.operation;
        record->command = call.command;
        record->version = call.version;
        record->domid = call.domid;
        record->reason = call.reason;
        record->padding = 0;
        take_sender(&record->sender, task);
        bpf_ringbuf_submit(record, 0);
}

/* Where a kernel can tell of each ioctl alone, other system calls take no longer than without us. */
SEC("fentry/security_file_ioctl")
int BPF_PROG(on_ioctl, struct file *file, unsigned int request, unsigned long argument) {
        if (request == IOCTL_PRIVCMD_HYPERCALL)
                take_hypercall(file, argument);
        return 0;
}

#ifdef __TARGET_ARCH_arm64
#define SYSCALL_IOCTL 29
#define ARGUMENTS_OF(regs) { (regs)->orig_x0, (regs)->regs[1], (regs)->regs[2] }
#else
#define SYSCALL_IOCTL 16
#define ARGUMENTS_OF(regs) { (regs)->di, (regs)->si, (regs)->dx }
#endif

/* Else of each system call. */
SEC("tp_btf/sys_enter")
int BPF_PROG(on_system_call, struct pt_regs *regs, long number) {
        if (number == SYSCALL_IOCTL) {
                const unsigned long arguments[] = ARGUMENTS_OF(regs);
                struct task_struct *task;
                struct fdtable *table;
                struct file *file = 0;

                if ((uint32_t)arguments[1] != IOCTL_PRIVCMD_HYPERCALL)
                        return 0;
                task = (struct task_struct *)bpf_get_current_task();
                table = BPF_CORE_READ(task, files, fdt);
                if (arguments[0] >= BPF_CORE_READ(table, max_fds) ||
                    bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + arguments[0]) || !file)
                        return 0;
                take_hypercall(file, arguments[2]);
        }
        return 0;
}

/* The helpers that read the kernel's memory ask for a licence that goes with its own. */
const char licence[] SEC("license") = "Dual MIT/GPL";
