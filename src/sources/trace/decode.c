#include "sources/trace/decode.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "sources/command_line.h"
#include "sources/signal_name.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* Field 22 of /proc/PID/stat counts in hundredths of a second, on every architecture (USER_HZ). */
/* include/trace/events/signal.h */
#define TRACE_SIGNAL_IGNORED 1

/* linux/kvm.h */
#define KVM_EXIT_SHUTDOWN     8
#define KVM_EXIT_SYSTEM_EVENT 24

static bool is_text(const char *text, size_t n) {
        return memchr(text, '\0', n) != NULL;
}

static bool are_texts(const char *names, size_t n_names, size_t name_size) {
        for (size_t i = 0; i < n_names; i++)
                if (!is_text(names + i * name_size, name_size))
                        return false;
        return true;
}

static bool is_whole_sender(const struct trace_sender *sender) {
        if (sender->n_parents > TRACE_PARENTS || sender->n_path > TRACE_PATH_NAMES || sender->n_cgroup > TRACE_CGROUP_NAMES ||
            sender->n_arguments > TRACE_ARGUMENTS || !is_text(sender->process.comm, TRACE_COMM))
                return false;
        for (size_t i = 0; i < sender->n_parents; i++)
                if (!is_text(sender->parents[i].comm, TRACE_COMM))
                        return false;
        return are_texts(sender->path[0], sender->n_path, TRACE_PATH_NAME) && are_texts(sender->cgroup[0], sender->n_cgroup, TRACE_CGROUP_NAME);
}

static bool is_whole_victim(const struct trace_victim *victim) {
        return victim->n_cgroup <= TRACE_CGROUP_NAMES && are_texts(victim->cgroup[0], victim->n_cgroup, TRACE_CGROUP_NAME);
}

static bool is_whole_signal(const struct trace_signal *signal) {
        return signal->signal >= 1 && signal->signal <= 64 && is_text(signal->leader.comm, TRACE_COMM) && is_whole_sender(&signal->sender);
}

static const char *command_of(const struct trace_hypercall *record) {
        static const struct {
                uint32_t operation, command;
                const char *name;
        } commands[] = {
                { XEN_DOMCTL, XEN_DOMCTL_DESTROYDOMAIN, "destroydomain" },
                { XEN_DOMCTL, XEN_DOMCTL_PAUSEDOMAIN, "pausedomain" },
                { XEN_DOMCTL, XEN_DOMCTL_UNPAUSEDOMAIN, "unpausedomain" },
                { XEN_DOMCTL, XEN_DOMCTL_RESUMEDOMAIN, "resumedomain" },
                { XEN_DOMCTL, XEN_DOMCTL_SENDTRIGGER, "power-button" },
                { XEN_SCHED_OP, XEN_SCHEDOP_REMOTE_SHUTDOWN, "shutdown" },
        };

        for (size_t i = 0; i < N_ELEMENTS(commands); i++)
                if (record->operation == commands[i].operation && record->command == commands[i].command)
                        return commands[i].name;
        return NULL;
}

static bool is_whole_hypercall(const struct trace_hypercall *record) {
        return command_of(record) && record->domid <= UINT16_MAX && is_whole_sender(&record->sender);
}

int trace_record_check(const void *record, size_t n) {
        const struct trace_head *head = record;
        size_t wanted = 0;

        if (n < sizeof(*head))
                return -EBADMSG;
        switch (head->kind) {
        case TRACE_RECORD_SIGNAL:
                wanted = sizeof(struct trace_signal);
                break;
        case TRACE_RECORD_VICTIM:
                wanted = sizeof(struct trace_victim);
                break;
        case TRACE_RECORD_BIRTH:
                wanted = sizeof(struct trace_head);
                break;
        case TRACE_RECORD_EXIT:
                wanted = sizeof(struct trace_exit);
                break;
        case TRACE_RECORD_PORT:
                wanted = sizeof(struct trace_port);
                break;
        case TRACE_RECORD_KVM_EXIT:
                wanted = sizeof(struct trace_kvm_exit);
                break;
        case TRACE_RECORD_HYPERCALL:
                wanted = sizeof(struct trace_hypercall);
                break;
        default:
                return -EBADMSG;
        }
        /* The ring rounds sizes up to eight bytes.  Its facts are numbered, too. */
        if (n < wanted || n > wanted + 8 || !head->at_ns || !head->tgid || head->tgid > INT32_MAX ||
            head->number >= UINT64_MAX / TRACE_POWER_FACTS)
                return -EBADMSG;
        if (head->kind == TRACE_RECORD_SIGNAL && !is_whole_signal(record))
                return -EBADMSG;
        if (head->kind == TRACE_RECORD_VICTIM && !is_whole_victim(record))
                return -EBADMSG;
        if (head->kind == TRACE_RECORD_HYPERCALL && !is_whole_hypercall(record))
                return -EBADMSG;
        return 0;
}

bool trace_head_is_about(const struct trace_head *head, uint64_t start_time) {
        return head->start_ns / TRACE_TICK_NS == start_time;
}

/* All facts of one record have its instant; numbers of their own keep them in their order. */
static struct evidence fact_of(const struct trace_head *head, enum evidence_kind kind, unsigned place) {
        struct evidence fact = evidence_make(SOURCE_TRACE, kind);

        fact.at_ns = head->at_ns;
        fact.seq = head->number * TRACE_POWER_FACTS + place + 1;
        return fact;
}

/* --- signals ----------------------------------------------------------------------------------------------------- */

bool trace_signal_is_from_terminal(const struct trace_signal *signal) {
        /* drivers/tty: kill_pgrp(…, 1) and the like. */
        return signal->code == SI_KERNEL && signal->leader.tgid && signal->leader.tgid != signal->head.tgid &&
               (signal->signal == SIGINT || signal->signal == SIGQUIT || signal->signal == SIGHUP || signal->signal == SIGTSTP ||
                signal->signal == SIGTTIN || signal->signal == SIGTTOU || signal->signal == SIGCONT);
}

bool trace_signal_stops(const struct trace_signal *signal) {
        if (signal->sender.process.tgid == signal->head.tgid && signal->code <= 0)
                return false;
        /* The kernel's own SIGSTOP is of a debugger that comes, and that keeps it for itself (kernel/ptrace.c, ptrace_attach()). */
        if (signal->signal == SIGSTOP)
                return signal->code != SI_KERNEL;
        return signal->is_default && (signal->signal == SIGTSTP || signal->signal == SIGTTIN || signal->signal == SIGTTOU);
}

/* Names, the innermost first, as a path.  One that is deeper than what was taken begins with "..."; a name that may have been cut ends so. */
static void join(char *ret_path, size_t n_path, const char *names, size_t n_names, size_t name_size, bool is_cut) {
        char path[TRACE_PATH_NAMES * TRACE_PATH_NAME + TRACE_CGROUP_NAMES * TRACE_CGROUP_NAME + 64] = "";
        size_t n = 0;

        if (!n_names)
                return;
        if (is_cut)
                n = (size_t)snprintf(path, sizeof(path), "...");
        for (size_t i = n_names; i-- > 0;)
                n += (size_t)snprintf(path + n, sizeof(path) - n, "/%s%s", names + i * name_size,
                                      strlen(names + i * name_size) == name_size - 1 ? "..." : "");
        text_fit(ret_path, n_path, path);
}

/* A process is in the root, or below it. */
static void join_cgroup(char *ret_path, size_t n_path, const char names[][TRACE_CGROUP_NAME], size_t n_names) {
        text_set(ret_path, n_path, "/");
        join(ret_path, n_path, names[0], n_names, TRACE_CGROUP_NAME, n_names == TRACE_CGROUP_NAMES);
}

/* The sender's own words: NUL after each, the last may be cut.  Secrets are masked as everywhere. */
static int take_arguments(struct actor *actor, const struct trace_sender *sender) {
        cleanup(freep) char *text = NULL;
        char words[TRACE_ARGUMENTS + 1];
        char *argv[TRACE_ARGUMENTS + 1];
        size_t n = 0;
        int r;

        memcpy(words, sender->arguments, sender->n_arguments);
        words[sender->n_arguments] = '\0';
        for (size_t at = 0; at < sender->n_arguments; at += strlen(words + at) + 1)
                argv[n++] = words + at;
        argv[n] = NULL;
        if (!n)
                return 0;
        r = command_line_format(&text, n, argv);
        if (r)
                return r;
        text_fit(actor->cmdline, sizeof(actor->cmdline), text);
        return 0;
}

/*
 * /proc tells in which tick he began (perf), the programs tell the very instant: in the signal's own tick he may have begun after it, and have the pid of somebody who was gone.
 */
static bool may_be_younger(const struct trace_process *process, uint64_t at_ns) {
        return process->start_ns % TRACE_TICK_NS == 0 && process->start_ns + TRACE_TICK_NS > at_ns;
}

static int take_sender(struct actor *actor, const struct trace_sender *sender, uint64_t at_ns) {
        actor->pid = sender->process.tgid;
        actor->tid = sender->tid == sender->process.tgid ? 0 : sender->tid;
        /* Gone before anybody looked: his pid is certain, and may be somebody else's by now.  (0: in no pid namespace of ours.) */
        if (!sender->process.start_ns) {
                actor->confidence = CONFIDENCE_LIKELY;
                return 0;
        }
        actor->session = sender->session;
        actor->uid = sender->uid == UINT32_MAX ? -1 : (int64_t)sender->uid;
        actor->confidence = may_be_younger(&sender->process, at_ns) ? CONFIDENCE_LIKELY : CONFIDENCE_CERTAIN;
        text_set(actor->comm, sizeof(actor->comm), sender->process.comm);
        join(actor->exe, sizeof(actor->exe), sender->path[0], sender->n_path, TRACE_PATH_NAME, sender->n_path == TRACE_PATH_NAMES);
        /* Of one that went while it was looked at (perf) that is not known. */
        if (sender->uid != UINT32_MAX)
                join_cgroup(actor->cgroup, sizeof(actor->cgroup), sender->cgroup, sender->n_cgroup);
        for (size_t i = 0; i < sender->n_parents && i < ACTOR_PARENTS_MAX; i++) {
                actor->parents[i].pid = sender->parents[i].tgid;
                text_set(actor->parents[i].comm, sizeof(actor->parents[i].comm), sender->parents[i].comm);
                actor->n_parents++;
        }
        return take_arguments(actor, sender);
}

static void take_leader(struct actor *actor, const struct trace_signal *signal) {
        actor->pid = signal->leader.tgid;
        actor->confidence = CONFIDENCE_LIKELY;
        text_set(actor->comm, sizeof(actor->comm), signal->leader.comm);
}

/* One that the kernel raises for a fault of whoever runs. */
static bool is_a_fault(int signal) {
        return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGTRAP || signal == SIGSYS;
}

/*
 * It has sent it to itself, or has made a fault; or it is of a timer of its own (setitimer(2)), whoever runs at that instant.  But the kernel's own kill is seen as
 * its victim's, too: the OOM killer's, where the victim itself asked for the page, and that of a limit (RLIMIT_CPU).
 */
static bool is_own(const struct trace_signal *signal) {
        if (signal->signal == SIGALRM || signal->signal == SIGVTALRM || signal->signal == SIGPROF)
                if (signal->code == SI_KERNEL)
                        return true;
        return signal->sender.process.tgid == signal->head.tgid && (signal->code <= 0 || is_a_fault(signal->signal));
}

/*
 * Codes above 0 are the kernel's (kernel/signal.c lets nobody else send them), and whoever ran then has nothing to do with it: memory that failed, the OOM killer.
 * But he whose own end brings it with it has: the first process of a pid namespace.
 */
static bool has_sender(const struct trace_signal *signal) {
        if (signal->sender.is_kernel || signal->sender.process.tgid == signal->head.tgid)
                return false;
        return signal->code <= 0 || (signal->code == SI_KERNEL && signal->signal == SIGKILL && signal->sender.is_ending);
}

/* Of a timer, or of a descriptor that somebody has had signals sent for: whoever runs at that instant.  It may have been forged, too. */
static bool is_said_by_sender(const struct trace_signal *signal) {
        return signal->code == SI_USER || signal->code == SI_QUEUE || signal->code == SI_TKILL;
}

bool trace_signal_comes_with_end(const struct trace_signal *signal) {
        return has_sender(signal) && signal->sender.is_ending;
}

void trace_signal_take_over(struct trace_signal *first, const struct trace_signal *signal) {
        first->head = signal->head;
        first->signal = signal->signal;
        first->result = signal->result;
        first->is_default = signal->is_default;
        first->leader = signal->leader;
}

int trace_signal_decode(struct evidence *ret_evidence, const struct trace_signal *signal) {
        struct evidence evidence = fact_of(&signal->head, EVIDENCE_SIGNAL, 0);
        struct actor actor = { .uid = -1 };
        char name[SIGNAL_NAME_MAX];
        bool is_known = false;
        int r = 0;

        /* A stopped process is continued by a SIGCONT that it ignores, too. */
        if (signal->result == TRACE_SIGNAL_IGNORED && signal->signal != SIGCONT)
                return TRACE_NO_FACT;
        signal_name(signal->signal, name);
        evidence.number = signal->signal;
        evidence_set_word(&evidence, name);
        text_set(actor.via, sizeof(actor.via), name);
        if (trace_signal_is_from_terminal(signal)) {
                take_leader(&actor, signal);
                is_known = true;
        } else if (is_own(signal)) {
                evidence.flag = TRISTATE_TRUE;
        } else if (has_sender(signal)) {
                r = take_sender(&actor, &signal->sender, signal->head.at_ns);
                is_known = true;
                if (!is_said_by_sender(signal) && !signal->sender.is_ending)
                        actor.confidence = CONFIDENCE_LIKELY;
                if (signal->sender.is_ending)
                        snprintf(actor.via, sizeof(actor.via), "%.15s by ending", name);
        }
        if (!r && is_known)
                r = evidence_set_actor(&evidence, &actor);
        if (r)
                return r;
        *ret_evidence = evidence;
        return 0;
}

bool trace_stop_decode(struct evidence *ret_evidence, const struct trace_signal *signal, bool *is_stopped) {
        char name[SIGNAL_NAME_MAX];

        if (*is_stopped ? signal->signal != SIGCONT : !trace_signal_stops(signal))
                return false;
        *ret_evidence = fact_of(&signal->head, *is_stopped ? EVIDENCE_CONTINUED : EVIDENCE_STOPPED, 1);
        if (!*is_stopped) {
                signal_name(signal->signal, name);
                ret_evidence->number = signal->signal;
                evidence_set_word(ret_evidence, name);
        }
        *is_stopped = !*is_stopped;
        return true;
}

/* --- hypercalls -------------------------------------------------------------------------------------------------- */

#define OWN_HELPER "vmpower-source-xen"

/* By its program, which it cannot rename.  (libxl destroys a domain in a child that it forks.) */
bool trace_hypercall_is_own(const struct trace_hypercall *record) {
        return record->sender.n_path && !strcmp(record->sender.path[0], OWN_HELPER);
}

int trace_hypercall_decode(struct evidence *ret_evidence, const struct trace_hypercall *record) {
        struct evidence evidence = fact_of(&record->head, EVIDENCE_HYPERCALL, 0);
        struct actor actor = { .uid = -1 };
        int r;

        if (record->operation == XEN_DOMCTL && (record->version < XEN_DOMCTL_VERSION_FIRST || record->version > XEN_DOMCTL_VERSION_LAST))
                return TRACE_NO_FACT;
        evidence.number = record->domid;
        evidence_set_word(&evidence, command_of(record));
        if (record->operation == XEN_SCHED_OP) {
                char reason[EVIDENCE_WORD_MAX];

                evidence_xen_reason(reason, record->reason);
                evidence_set_text(&evidence, reason, strlen(reason));
        }
        text_set(actor.via, sizeof(actor.via), "hypercall");
        r = take_sender(&actor, &record->sender, record->head.at_ns);
        if (!r)
                r = evidence_set_actor(&evidence, &actor);
        if (r)
                return r;
        *ret_evidence = evidence;
        return 0;
}

/* --- ends -------------------------------------------------------------------------------------------------------- */

void trace_exit_decode(struct evidence *ret_evidence, const struct trace_exit *record) {
        char name[SIGNAL_NAME_MAX];

        if (!WIFSIGNALED(record->status)) {
                *ret_evidence = fact_of(&record->head, EVIDENCE_EXITED, 0);
                ret_evidence->number = WEXITSTATUS(record->status);
                return;
        }
        *ret_evidence = fact_of(&record->head, EVIDENCE_KILLED, 0);
        ret_evidence->number = WTERMSIG(record->status);
        ret_evidence->flag = WCOREDUMP(record->status) ? TRISTATE_TRUE : TRISTATE_FALSE;
        signal_name(WTERMSIG(record->status), name);
        evidence_set_word(ret_evidence, name);
}

void trace_victim_decode(struct evidence *ret_evidence, const struct trace_victim *record) {
        char path[EVIDENCE_TEXT_MAX];

        *ret_evidence = fact_of(&record->head, EVIDENCE_OOM_KILL, 0);
        ret_evidence->number = 1;
        if (!record->has_cgroup)
                return;
        join_cgroup(path, sizeof(path), record->cgroup, record->n_cgroup);
        evidence_set_text(ret_evidence, path, strlen(path));
}

/* --- power ------------------------------------------------------------------------------------------------------- */

struct power {
        struct evidence *facts;
        size_t n;
        const struct trace_head *head;
};

static struct evidence *add(struct power *power, enum evidence_kind kind) {
        struct evidence *fact = &power->facts[power->n];

        *fact = fact_of(power->head, kind, (unsigned)power->n);
        power->n++;
        return fact;
}

/* As QEMU's monitor would have said: what ends the VM, or (-no-shutdown) holds it. */
static void conclude_off(struct power *power, const struct trace_machine *machine, const char *reason) {
        struct evidence *fact = add(power, EVIDENCE_SHUTDOWN);

        fact->flag = TRISTATE_TRUE;
        evidence_set_word(fact, reason);
        if (!machine->no_shutdown)
                return;
        add(power, EVIDENCE_STOP);
        evidence_set_word(add(power, EVIDENCE_STATUS), "shutdown");
}

/* The guest's own doing: it is reset, or (-no-reboot) a reset ends it. */
static void conclude_reset(struct power *power, const struct trace_machine *machine) {
        struct evidence *fact;

        if (machine->no_reboot) {
                conclude_off(power, machine, "guest-reset");
                return;
        }
        fact = add(power, EVIDENCE_RESET);
        fact->flag = TRISTATE_TRUE;
        evidence_set_word(fact, "guest-reset");
}

static void decode_port(struct power *power, const struct trace_port *record, const struct trace_machine *machine) {
        struct evidence *fact = add(power, EVIDENCE_PORT_WRITE);
        char port[16];

        snprintf(port, sizeof(port), "0x%x", record->port);
        evidence_set_word(fact, port);
        fact->number = record->value;
        fact->flag = machine->is_pc ? TRISTATE_TRUE : TRISTATE_NULL;
        if (!machine->is_pc || machine->speaks)
                return;
        if (record->size == 1) {
                conclude_reset(power, machine);
                return;
        }
        /* SLP_TYP, bits 10 to 12: QEMU, hw/acpi/core.c, acpi_pm1_cnt_write(). */
        switch (record->value >> 10 & 7) {
        case 0:
                conclude_off(power, machine, "guest-shutdown");
                break;
        case 1:
                add(power, EVIDENCE_SUSPEND);
                break;
        case 2:
                add(power, EVIDENCE_SUSPEND_DISK);
                conclude_off(power, machine, "guest-shutdown");
                break;
        }
}

static void decode_kvm_exit(struct power *power, const struct trace_kvm_exit *record, const struct trace_machine *machine) {
        struct evidence *fact = add(power, EVIDENCE_KVM_EXIT);

        evidence_set_word(fact, record->reason == KVM_EXIT_SHUTDOWN ? "shutdown"
                                : record->reason == KVM_EXIT_SYSTEM_EVENT ? "system-event" : "?");
        fact->flag = machine->is_pc ? TRISTATE_TRUE : TRISTATE_NULL;
        if (machine->is_pc && !machine->speaks && record->reason == KVM_EXIT_SHUTDOWN)
                conclude_reset(power, machine);
}

void trace_power_decode(struct evidence ret_evidence[static TRACE_POWER_FACTS], size_t *ret_n, const struct trace_head *head,
                        const struct trace_machine *machine) {
        struct power power = { .facts = ret_evidence, .head = head };

        if (head->kind == TRACE_RECORD_PORT)
                decode_port(&power, (const struct trace_port *)head, machine);
        else if (head->kind == TRACE_RECORD_KVM_EXIT)
                decode_kvm_exit(&power, (const struct trace_kvm_exit *)head, machine);
        *ret_n = power.n;
}
