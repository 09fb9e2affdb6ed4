#include "cli/prose.h"
#include "core/text.h"
#include "json/time_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

enum {
        PATH_MAX_BYTES = 512,
};

struct style {
        const char *strong, *dim, *plain;
};

static const struct style coloured = { "\033[1m", "\033[2m", "\033[0m" };
static const struct style plain = { "", "", "" };

/* "2026-11-23 03:12:07.201 UTC" */
static void format_time(uint64_t time_ns, char ret_text[static TIME_TEXT_MAX]) {
        time_to_text(time_ns, ret_text);
        ret_text[10] = ' ';
        memcpy(ret_text + 23, " UTC", 5);
}

/* --- the path: guest → ACPI → VMM → exit ------------------------------------------------------------------------- */

struct path {
        char text[PATH_MAX_BYTES];
        size_t n;
};

static void step(struct path *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void step(struct path *path, const char *format, ...) {
        va_list arguments;
        int n;

        if (path->n && path->n + 8 < sizeof(path->text)) {
                memcpy(path->text + path->n, " → ", 6);
                path->n += strlen(" → ");
        }
        va_start(arguments, format);
        n = vsnprintf(path->text + path->n, sizeof(path->text) - path->n, format, arguments);
        va_end(arguments);
        if (n > 0)
                path->n += (size_t)n < sizeof(path->text) - path->n ? (size_t)n : sizeof(path->text) - path->n - 1;
}

static const struct evidence *find(const struct verdict_record *record, enum evidence_kind kind) {
        for (size_t i = 0; i < record->n_items; i++)
                if (record->items[i].kind == kind)
                        return &record->items[i];
        return NULL;
}

static const char *way_of(enum mechanism mechanism) {
        switch (mechanism) {
        case MECHANISM_ACPI_S3:
                return "ACPI PM1 control register (SLP_EN, S3)";
        case MECHANISM_ACPI_S4:
                return "ACPI PM1 control register (SLP_EN, S4)";
        case MECHANISM_ACPI_S5:
                return "ACPI PM1 control register (SLP_EN, S5)";
        case MECHANISM_APM:
                return "APM BIOS (function 5307h)";
        case MECHANISM_PSCI:
                return "PSCI call";
        case MECHANISM_GUEST_SHUTDOWN:
                return "a power-off request (its way was not seen)";
        case MECHANISM_RESET_ACPI:
                return "ACPI reset register";
        case MECHANISM_RESET_8042:
                return "keyboard controller (0xFE to port 0x64)";
        case MECHANISM_RESET_CF9:
                return "reset control register (port 0xCF9)";
        case MECHANISM_RESET_PORT92:
                return "system control port (port 0x92)";
        case MECHANISM_TRIPLE_FAULT:
                return "triple fault";
        case MECHANISM_GUEST_RESET:
                return "a reset (its way was not seen)";
        case MECHANISM_PANIC_DEVICE:
                return "panic device";
        case MECHANISM_HALTED:
                return "every CPU in HLT with interrupts off";
        case MECHANISM_DEBUG_EXIT:
                return "isa-debug-exit";
        case MECHANISM_WATCHDOG:
                return "watchdog";
        case MECHANISM_QMP_QUIT:
                return "monitor: quit";
        case MECHANISM_QMP_RESET:
                return "monitor: system_reset";
        case MECHANISM_QMP_STOP:
                return "monitor";
        case MECHANISM_UI:
                return "the VM's window";
        case MECHANISM_SIGNAL:
                return "signal";
        case MECHANISM_OOM_KILL:
                return "OOM killer (SIGKILL)";
        case MECHANISM_HOST_SHUTDOWN:
                return "host shutdown";
        case MECHANISM_IO_ERROR:
                return "I/O error";
        case MECHANISM_POWER_BUTTON:
        case MECHANISM_PROCESS_EXIT:
                return NULL;
        case MECHANISM_MIGRATION:
                return "migration";
        case MECHANISM_LIBVIRT:
                return "libvirt";
        case MECHANISM_XEN_SHUTDOWN:
        case MECHANISM_XEN_CONTROL:
                return "SCHEDOP_shutdown";
        case MECHANISM_XEN_DESTROY:
                return "the domain's destruction (XEN_DOMCTL_destroydomain)";
        case MECHANISM_XEN_TOOLSTACK:
                return "a toolstack's command to the hypervisor";
        case MECHANISM_UNSEEN:
        case _MECHANISM_N:
                break;
        }
        return NULL;
}

static void step_vmm(struct path *path, const struct verdict_record *record) {
        static const struct {
                enum evidence_kind kind;
                const char *word;
        } events[] = {
                { EVIDENCE_GUEST_PANICKED, "GUEST_PANICKED" }, { EVIDENCE_SUSPEND_DISK, "SUSPEND_DISK" },
                { EVIDENCE_WATCHDOG, "WATCHDOG" },             { EVIDENCE_SHUTDOWN, "SHUTDOWN" },
                { EVIDENCE_RESET, "RESET" },                   { EVIDENCE_SUSPEND, "SUSPEND" },
                { EVIDENCE_WAKEUP, "WAKEUP" },                 { EVIDENCE_STOP, "STOP" },
                { EVIDENCE_RESUME, "RESUME" },
        };

        for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
                const struct evidence *e = find(record, events[i].kind);

                /* What was concluded from the kernel's word QEMU has not said. */
                if (!e || e->source == SOURCE_TRACE)
                        continue;
                step(path, e->word[0] ? "QEMU: %s (%s)" : "QEMU: %s", events[i].word, e->word);
                return;
        }
}

static void step_end(struct path *path, const struct verdict_record *record) {
        const struct evidence *exited = find(record, EVIDENCE_EXITED), *killed = find(record, EVIDENCE_KILLED);
        const struct evidence *shut_down = find(record, EVIDENCE_DOMAIN_SHUTDOWN);

        if (exited)
                step(path, "exit status %" PRId64, exited->number);
        else if (killed)
                step(path, "killed by %s", killed->word[0] ? killed->word : "a signal");
        else if (shut_down)
                step(path, "Xen: domain shut down (%s)", shut_down->word);
        else
                step(path, "VM %s", left_name(record->verdict.left));
}

static void make_path(struct path *path, const struct verdict_record *record) {
        const struct verdict *verdict = &record->verdict;
        const char *way = way_of(verdict->mechanism);
        const struct evidence *signal = find(record, EVIDENCE_SIGNAL);

        switch (verdict->initiator) {
        case INITIATOR_OPERATOR:
                if (verdict->actor && verdict->actor->comm[0])
                        step(path, "%s (pid %" PRId64 ")", verdict->actor->comm, verdict->actor->pid);
                else
                        step(path, "somebody on the host");
                if (verdict->mechanism == MECHANISM_POWER_BUTTON) {
                        step(path, "power button");
                        step(path, "guest");
                }
                if (verdict->mechanism == MECHANISM_XEN_CONTROL) {
                        step(path, "control/shutdown");
                        step(path, "guest");
                }
                break;
        case INITIATOR_GUEST:
                step(path, "guest");
                break;
        case INITIATOR_HOST:
                step(path, "host");
                break;
        case INITIATOR_VMM:
                step(path, "VMM");
                break;
        case INITIATOR_POLICY:
                step(path, "policy");
                break;
        case INITIATOR_UNKNOWN:
        case _INITIATOR_N:
                step(path, "?");
                break;
        }
        /* A signal that ends the process is named by its end. */
        if (verdict->mechanism == MECHANISM_SIGNAL)
                way = find(record, EVIDENCE_KILLED) ? NULL : signal && signal->word[0] ? signal->word : way;
        if (way)
                step(path, "%s", way);
        step_vmm(path, record);
        step_end(path, record);
}

/* --- who --------------------------------------------------------------------------------------------------------- */

static const char *whose(enum initiator initiator) {
        switch (initiator) {
        case INITIATOR_GUEST:
                return "the guest itself";
        case INITIATOR_OPERATOR:
                return "somebody on the host; who was not seen";
        case INITIATOR_HOST:
                return "the host system";
        case INITIATOR_VMM:
                return "the VMM itself";
        case INITIATOR_POLICY:
                return "its owner's policy";
        case INITIATOR_UNKNOWN:
        case _INITIATOR_N:
                break;
        }
        return "not known";
}

static void print_process(FILE *to, int64_t pid, const char *cmdline, const char *exe, const char *comm) {
        if (pid > 0)
                fprintf(to, ", pid %" PRId64, pid);
        if (cmdline[0] || exe[0] || comm[0])
                fprintf(to, ": %s", cmdline[0] ? cmdline : exe[0] ? exe : comm);
        fputc('\n', to);
}

static void print_actor(FILE *to, const struct actor *actor) {
        const struct actor_client *client = &actor->client;
        char user[sizeof(actor->user)];

        text_user(user, sizeof(user), actor->user, actor->uid);
        fprintf(to, "%s", user[0] ? user : "somebody");
        if (actor->login_user[0] && strcmp(actor->login_user, actor->user))
                fprintf(to, " (logged in as %s%s%s)", actor->login_user, actor->login_from[0] ? " from " : "", actor->login_from);
        else if (actor->login_from[0])
                fprintf(to, " (from %s)", actor->login_from);
        if (actor->confidence != CONFIDENCE_CERTAIN)
                fprintf(to, ", %s", actor->confidence == CONFIDENCE_LIKELY ? "most likely" : "perhaps");
        print_process(to, actor->pid, actor->cmdline, actor->exe, actor->comm);
        if (client->pid) {
                text_user(user, sizeof(user), client->user, client->uid);
                fprintf(to, "              probably for %s", user[0] ? user : "somebody");
                print_process(to, client->pid, client->cmdline, "", client->comm);
        }
        if (!actor->n_parents)
                return;
        fprintf(to, "              under");
        for (size_t i = 0; i < actor->n_parents; i++)
                fprintf(to, "%s %s (%" PRId64 ")", i ? "," : "", actor->parents[i].comm, actor->parents[i].pid);
        fputc('\n', to);
}

/* --- evidence ---------------------------------------------------------------------------------------------------- */

static void print_evidence(FILE *to, const struct evidence *e, bool is_proof, const struct style *style) {
        const struct evidence_kind_info *info = evidence_kind_info(e->kind);
        char time[TIME_TEXT_MAX];

        time_to_text(e->time_ns, time);
        fprintf(to, "  %s%c %.15s  %-8s %-16s", is_proof ? style->strong : style->dim, is_proof ? '*' : ' ', time + 11,
                evidence_source_name(e->source), info->name);
        if (info->flag && e->flag != TRISTATE_NULL)
                fprintf(to, " %s=%s", info->flag, e->flag == TRISTATE_TRUE ? "true" : "false");
        if (info->word && e->word[0])
                fprintf(to, " %s=%s", info->word, e->word);
        if (info->number)
                fprintf(to, e->kind == EVIDENCE_PM1_CONTROL ? " %s=0x%04" PRIx64 : " %s=%" PRId64, info->number, e->number);
        if (info->text && e->text[0])
                fprintf(to, " %s=\"%s\"", info->text, e->text);
        if (e->actor)
                fprintf(to, " from pid %" PRId64 "%s%s", e->actor->pid, e->actor->comm[0] ? " " : "", e->actor->comm);
        fprintf(to, "%s\n", style->plain);
}

static const char *graceful_text(enum tristate graceful) {
        switch (graceful) {
        case TRISTATE_TRUE:
                return ", in order";
        case TRISTATE_FALSE:
                return ", not in order";
        case TRISTATE_NULL:
                break;
        }
        return "";
}

void print_verdict(FILE *to, const struct verdict_record *record, bool colour) {
        const struct style *style = colour ? &coloured : &plain;
        const struct verdict *verdict = &record->verdict;
        struct path path = { 0 };
        char time[TIME_TEXT_MAX];

        make_path(&path, record);
        format_time(verdict->time_ns, time);
        fprintf(to, "%s%s%s\n\n", style->strong, record->summary, style->plain);
        fprintf(to, "  when        %s\n", time);
        fprintf(to, "  what        %s%s", transition_name(verdict->transition), graceful_text(verdict->graceful));
        if (verdict->count > 1)
                fprintf(to, ", %" PRIu64 " times", verdict->count);
        fprintf(to, "; left %s\n", left_name(verdict->left));
        fprintf(to, "  who         ");
        if (verdict->actor)
                print_actor(to, verdict->actor);
        else
                fprintf(to, "%s\n", whose(verdict->initiator));
        fprintf(to, "  how         %s\n", mechanism_name(verdict->mechanism));
        fprintf(to, "  path        %s\n", path.text);
        fprintf(to, "  certainty   %s, by the rule %s\n", confidence_name(verdict->confidence), record->rule);
        if (record->decision.exists)
                fprintf(to, "  and now     %s=%s: %s\n", policy_event_name(record->decision.event),
                        policy_action_name(record->decision.action), decision_result_name(record->decision.result));
        fprintf(to, "  verdict     %s of %s, %s\n", record->id, record->vm.name, record->vm.instance);
        fprintf(to, "\n  evidence (* the proof)\n");
        for (size_t i = 0; i < record->n_items; i++)
                print_evidence(to, &record->items[i], verdict_record_is_proof(record, i), style);
        if (record->n_pruned)
                fprintf(to, "    (%zu facts were pruned)\n", record->n_pruned);
}

void print_verdict_line(FILE *to, const struct verdict_record *record) {
        const struct verdict *verdict = &record->verdict;
        char time[TIME_TEXT_MAX];

        format_time(verdict->time_ns, time);
        fprintf(to, "%s  %-*s %-9s by %-8s %-15s %-7s  %s\n", time, text_field(record->vm.name, 16), record->vm.name,
                transition_name(verdict->transition), initiator_name(verdict->initiator), mechanism_name(verdict->mechanism),
                confidence_name(verdict->confidence), record->rule);
}
