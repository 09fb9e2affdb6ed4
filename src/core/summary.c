/* The verdict as one English sentence: a template for each rule. */
#include "core/evidence.h"
#include "core/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* {name} the VM; {who} the actor, or "somebody"; {by}: by whom, if that is known; {vmm}: "its VMM", or the unit
   that a service manager ended; {asked}: who asked for it, if that is known; {signal}, {status}, {said}: the proof's own; {button}: how long before it was pressed, or asked for; {reason}. */
static const struct {
        const char *rule;
        const char *sentence;
} sentences[] = {
        { "watchdog-reset", "{name} was reset by its watchdog{times}: the guest had stopped feeding it." },
        { "watchdog-poweroff", "{name} was powered off by its watchdog: the guest had stopped feeding it." },
        { "watchdog-pause", "{name} was paused by its watchdog: the guest had stopped feeding it." },
        { "crash-kernel", "{name}'s guest kernel panicked and its crash kernel took over." },
        { "panic-device", "{name}'s guest kernel panicked, and said so through its panic device." },
        { "hibernate", "{name} was hibernated by its own guest (ACPI S4, suspend to disk)." },
        { "host-shutdown-obeyed", "{name} powered itself off because the host was shutting down{asked} and asked it to." },
        { "host-shutdown-ended", "{name} was ended because the host was shutting down{asked}." },
        { "power-button", "{name} powered itself off {button} after {who} had pressed its power button; the guest obeyed." },
        { "power-button-slow",
          "{name} powered itself off {button} after {who} had pressed its power button; most likely it obeyed." },
        { "power-button-long-ago",
          "{name} was powered off by its own guest (ACPI soft off); its power button had been pressed {button} before." },
        { "power-button-long-ago-somehow",
          "{name} was powered off by its own guest; its power button had been pressed {button} before." },
        { "power-button-reboot", "{name} rebooted itself {button} after {who} had pressed its power button." },
        { "power-button-reboot-slow",
          "{name} rebooted itself {button} after {who} had pressed its power button; most likely because of it." },
        { "guest-poweroff-pvpanic",
          "{name} was powered off by its own guest (through its pvpanic device); nobody on the host had asked it to." },
        { "guest-poweroff-apm",
          "{name} was powered off by its own guest (through the APM BIOS); nobody on the host had asked it to." },
        { "guest-poweroff",
          "{name} was powered off by its own guest (ACPI soft off); nobody on the host had asked it to." },
        { "guest-poweroff-somehow",
          "{name} was powered off by its own guest; nobody on the host had asked it to." },
        { "reset-8042", "{name} was rebooted by its own guest{times} (keyboard controller); nobody on the host had asked it to." },
        { "reset-cf9", "{name} was rebooted by its own guest{times} (reset control register); nobody on the host had asked it to." },
        { "reset-port92", "{name} was rebooted by its own guest{times} (port 0x92); nobody on the host had asked it to." },
        { "triple-fault-crash",
          "{name} crashed{times}: a triple fault of its guest, whose interrupt table was in place; nobody on the host had asked it to reset." },
        { "triple-fault", "{name} was rebooted by a triple fault of its own guest{times}; nobody on the host had asked it to." },
        { "guest-reset", "{name} was rebooted by its own guest{times}; nobody on the host had asked it to." },
        { "qmp-reset", "{name} was reset from the host (system_reset) by {who}." },
        { "ui-reset", "{name} was reset from its window by somebody on the host." },
        { "reset-unexplained", "{name} was reset; its VMM did not say by whom." },
        { "migrated", "{name} was migrated away{by}; it goes on elsewhere." },
        { "migrated-and-quit", "{name} was migrated away{by}, most likely: it was told to quit in the migration's last phase." },
        { "migration-pause", "{name} was paused by its VMM for the last phase of a migration{by}." },
        { "migration-failed", "{name} runs on: the migration{by} for whose last phase its VMM had paused it has failed." },
        { "migrated-here", "{name} was migrated to this host{by}, most likely, and runs since it has arrived." },
        { "qmp-quit", "{name} was destroyed from the host: {who} told its monitor to quit." },
        { "window-closed", "{name} was destroyed from the host: somebody closed its window." },
        { "signal-asked", "{name} was destroyed from the host: {who} sent {signal} to {vmm}." },
        { "vmm-error", "{name}'s VMM failed and shut the VM down." },
        { "shutdown-unexplained", "{name} was shut down; its VMM did not say why." },
        { "suspend", "{name} was suspended to RAM by its own guest (ACPI S3)." },
        { "wake-asked", "{name} was woken from suspend to RAM by {who}." },
        { "wake", "{name} woke from suspend to RAM; what woke it was not seen." },
        { "halted-announced",
          "{name}'s guest halted for good, as it said on its console. It has not powered the machine off." },
        { "halted",
          "{name}'s guest halted for good: every CPU waits with interrupts off. It has not powered the machine off." },
        { "io-error", "{name} was paused because of an I/O error on its storage." },
        { "vmm-internal-error", "{name} was stopped by an internal error of the hypervisor." },
        { "qmp-stop", "{name} was paused from the host (stop) by {who}." },
        { "qmp-cont", "{name} was resumed from the host (cont) by {who}." },
        { "debugger", "{name} was paused by a debugger, most likely." },
        { "qmp-stop-unseen", "{name} was paused from the host, most likely at a monitor (stop); nobody was seen to say so, and a snapshot or a debugger pauses it, too." },
        { "qmp-cont-unseen", "{name} was resumed from the host, most likely at a monitor (cont); nobody was seen to say so, and a snapshot or a debugger lets it run on, too." },
        { "poweroff-unseen", "{name} was found powered off: most likely its guest did it, while nobody looked; nothing tells whether it was asked to." },
        { "pause-unseen", "{name} was found paused; who paused it was not seen, for nobody looked." },
        { "resume-unseen", "{name} was found running, though it had been paused; who resumed it was not seen, for nobody looked." },
        { "signal-stop", "{name} was paused from the host: {who} sent {signal} to its VMM." },
        { "signal-cont", "{name} was resumed from the host: {who} sent SIGCONT to its VMM." },
        { "oom-victim", "{name} was killed by the host's OOM killer." },
        { "oom-daemon", "{name} was killed by {who}, because the host was short of memory." },
        { "cpu-limit", "{name} was ended by the host: its VMM had used up its limit of CPU time ({signal})." },
        { "oom-cgroup", "{name} was killed, most likely by the host's OOM killer: it took a process of its cgroup." },
        { "signal-by-someone", "{name} was destroyed from the host: {who} sent {signal} to {vmm}." },
        { "vmm-own-signal", "{name}'s VMM crashed ({signal}, which nobody else sent it){said}" },
        { "kill-unseen", "{name} was destroyed from the host: somebody sent SIGKILL to its VMM; who did was not seen." },
        { "vmm-fault", "{name}'s VMM crashed ({signal}){said}" },
        { "signal-end", "{name} was destroyed from the host: somebody sent {signal} to its VMM; who did was not seen." },
        { "signal-exit", "{name} was destroyed from the host: {who} sent {signal} to {vmm}." },
        { "debug-exit", "{name} was ended by its own guest through isa-debug-exit (exit status {status})." },
        { "debug-exit-or-error", "{name} was most likely ended by its own guest through isa-debug-exit (exit status {status}, which is an error's, too)." },
        { "vmm-failed", "{name}'s VMM failed (exit status {status}){said}" },
        { "host-shutdown-exit", "{name} ended while the host was shutting down{asked}; most likely it was ended by that." },
        { "quit-unseen", "{name} is gone: {who} had told its monitor to quit, and that is most likely why; what came of that was not heard." },
        { "exit-unexplained", "{name}'s VMM exited (exit status {status}) and did not say why." },
        { "host-shutdown-unseen", "{name} was ended with its host, which was shutting down{asked} and was started anew." },
        { "host-restarted", "{name} was ended with its host, which went down while it ran and was started anew." },
        { "xen-control", "{name} powered itself off {button} after {who} had asked it to through control/shutdown; the guest obeyed." },
        { "xen-control-slow",
          "{name} powered itself off {button} after {who} had asked it to through control/shutdown; most likely it obeyed." },
        { "xen-control-long-ago",
          "{name} was powered off by its own guest (SCHEDOP_shutdown); it had been asked to through control/shutdown {button} before." },
        { "xen-control-reboot", "{name} rebooted itself {button} after {who} had asked it to through control/shutdown; the guest obeyed." },
        { "xen-control-reboot-slow",
          "{name} rebooted itself {button} after {who} had asked it to through control/shutdown; most likely it obeyed." },
        { "xen-control-suspend", "{name} suspended itself because {who} had asked it to through control/shutdown." },
        { "xen-poweroff", "{name} was powered off by its own guest (SCHEDOP_shutdown); nobody on the host had asked it to." },
        { "xen-reboot", "{name} was rebooted by its own guest (SCHEDOP_shutdown); nobody on the host had asked it to." },
        { "xen-crash", "{name}'s guest crashed, and said so to the hypervisor (SCHEDOP_shutdown)." },
        { "xen-watchdog", "{name} was shut down by the hypervisor's watchdog: the guest had stopped feeding it." },
        { "xen-suspend", "{name} was suspended by its own guest (SCHEDOP_shutdown); nobody on the host had asked it to." },
        { "xen-soft-reset", "{name}'s guest asked for a soft reset, to begin another kernel." },
        { "xen-shutdown-unexplained", "{name} has shut down for a reason that is not known ({reason})." },
        { "xen-pause", "{name} was paused from the host by {who}." },
        { "xen-unpause", "{name} was let run on from the host by {who}." },
        { "xen-resume", "{name} was resumed from the host by {who}." },
        { "xen-remote-poweroff", "{name} was powered off from the host: {who} told the hypervisor that it is off; its guest was not asked." },
        { "xen-remote-reboot", "{name} was reset from the host: {who} told the hypervisor that it reboots; its guest was not asked." },
        { "xen-remote-suspend", "{name} was suspended from the host by {who}; its guest was not asked." },
        { "xen-remote-crash", "{name} was crashed from the host: {who} told the hypervisor that it has crashed." },
        { "xen-device-model-oom", "{name}'s device model was killed{by} because the host was short of memory; its guest stands still when it asks for a device." },
        { "xen-device-model-host-shutdown", "{name}'s device model was ended because the host was shutting down{asked}." },
        { "xen-device-model-oom-cgroup",
          "{name}'s device model was killed, most likely by the host's OOM killer; its guest stands still when it asks for a device." },
        { "xen-device-model-signal", "{name}'s device model is gone: {who} sent {signal} to it; its guest stands still when it asks for a device." },
        { "xen-device-model-fault", "{name}'s device model crashed ({signal}); its guest stands still when it asks for a device." },
        { "xen-device-model-kill-unseen",
          "{name}'s device model is gone: somebody sent {signal} to it, who did was not seen; its guest stands still when it asks for a device." },
        { "xen-device-model-failed", "{name}'s device model failed (exit status {status}); its guest stands still when it asks for a device." },
        { "xen-device-model-unexplained", "{name}'s device model is gone, and why was not seen; its guest stands still when it asks for a device." },
        { "xen-destroy", "{name} was destroyed from the host by {who}: it had not shut down." },
        { "xen-destroy-unseen", "{name} was destroyed from the host, most likely: it is gone, and was not seen to shut down before." },
        { "xen-gone-asked",
          "{name} is gone {button} after {who} had asked something of it through control/shutdown, which it took; whether it did that, or was destroyed, was not seen." },
        { "xen-gone", "{name} is gone; it had shut down before, and why was not seen." },
        { "monitor-ended", "{name} is gone: its monitor ended without a word, and nothing else tells how." },
        { "vanished", "{name} is gone; it went while nobody looked, and nothing tells how." },
        { "no-evidence", "Why {name} stopped is not known: there is no evidence." },
};

static const struct evidence *proof_of_kind(const struct verdict *verdict, const struct evidence *items,
                                            enum evidence_kind kind) {
        for (size_t i = 0; i < verdict->n_proof; i++)
                if (items[verdict->proof[i]].kind == kind)
                        return &items[verdict->proof[i]];
        return NULL;
}

/* "root (kill, pid 12)", "root (logged in as anna; kill, pid 12)", "virsh (pid 12)" */
static void describe_process(const char *name, int64_t uid, const char *login, const char *what, int64_t pid, const char *how_sure, char *ret,
                             size_t n_ret) {
        char number[40] = "", user[40];

        text_user(user, sizeof(user), name, uid);
        if (pid > 0)
                snprintf(number, sizeof(number), "pid %" PRId64 "%s", pid, how_sure);
        if (*login && strcmp(login, user))
                snprintf(ret, n_ret, "%.40s (logged in as %.40s; %.60s%s%s)", *user ? user : "somebody", login, what, number[0] ? ", " : "", number);
        else if (*user)
                snprintf(ret, n_ret, "%.40s (%.60s%s%s)", user, what, number[0] ? ", " : "", number);
        else
                snprintf(ret, n_ret, "%.60s%s%s%s", what, number[0] ? " (" : "", number, number[0] ? ")" : "");
}

/* Who was only seen where it was done is named with that doubt; so is for whom a toolstack's daemon did it. */
static void describe_actor(const struct actor *actor, const char *doubt, char *ret, size_t n_ret) {
        const struct actor_client *client = &actor->client;
        size_t n;

        describe_process(actor->user, actor->uid, actor->login_user, actor->comm[0] ? actor->comm : actor->exe[0] ? actor->exe : "a process", actor->pid, doubt, ret, n_ret);
        if (!client->pid)
                return;
        n = strlen(ret);
        n += (size_t)snprintf(ret + n, n_ret - n, ", probably for ");
        describe_process(client->user, client->uid, "", client->comm[0] ? client->comm : "a process", client->pid, "", ret + n, n_ret - n);
}

/* Who was seen at a monitor was not seen to say it; who sent a signal by the word of somebody else's `run` may not have. */
static const char *doubt_of(const struct verdict *verdict, const struct evidence *items) {
        const struct evidence *signal = proof_of_kind(verdict, items, EVIDENCE_SIGNAL);
        bool is_claimed = signal && signal->source == SOURCE_STDERR && signal->actor && signal->actor->confidence != CONFIDENCE_CERTAIN;

        return is_claimed || proof_of_kind(verdict, items, EVIDENCE_MONITOR_CLIENT) ? ", most likely" : "";
}

static void describe_span(uint64_t span_ns, char *ret, size_t n_ret) {
        uint64_t tenths = (span_ns + 50000000) / 100000000;

        if (span_ns < 1000000000)
                snprintf(ret, n_ret, "%" PRIu64 " ms", span_ns / 1000000);
        else if (tenths < 1200)
                snprintf(ret, n_ret, "%" PRIu64 ".%" PRIu64 " s", tenths / 10, tenths % 10);
        else if (tenths < 72000)
                snprintf(ret, n_ret, "%" PRIu64 " minutes", tenths / 600);
        else
                snprintf(ret, n_ret, "%" PRIu64 " hours", tenths / 36000);
}

static void describe_signal(const struct verdict *verdict, const struct evidence *items, char *ret, size_t n_ret) {
        static const enum evidence_kind kinds[] = { EVIDENCE_KILLED, EVIDENCE_DEVICE_MODEL_KILLED, EVIDENCE_STOPPED, EVIDENCE_SIGNAL };

        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                const struct evidence *e = proof_of_kind(verdict, items, kinds[i]);

                /* It was not seen which. */
                if (!e || !e->number)
                        continue;
                if (e->word[0])
                        snprintf(ret, n_ret, "%s", e->word);
                else
                        snprintf(ret, n_ret, "signal %" PRId64, e->number);
                return;
        }
        snprintf(ret, n_ret, "a signal");
}

/* Whom somebody sent a signal; it reached the VMM in the end. */
static void describe_target(const struct actor *actor, const char *unit, char *ret, size_t n_ret) {
        const char *pid = actor ? strstr(actor->via, " to ") : NULL;

        if (*unit)
                snprintf(ret, n_ret, "its unit %.160s", unit);
        else if (pid)
                snprintf(ret, n_ret, "process %s, whose end took the VMM along", pid + 4);
        else
                snprintf(ret, n_ret, "its VMM%s", actor && strstr(actor->via, " by ending") ? " by ending itself" : "");
}

/* The text that stands for the placeholder that begins at `placeholder` ("{who}…"); 0 if it is none. */
static size_t fill_in(const char *placeholder, const struct verdict *verdict, const struct evidence *items,
                      const char *name, char *ret, size_t n_ret) {
        const struct evidence *cause = verdict->n_proof ? &items[verdict->proof[0]] : NULL;
        const struct evidence *e;

        *ret = '\0';
        if (!strncmp(placeholder, "{name}", 6)) {
                text_set(ret, n_ret, name);
                return 6;
        }
        if (!strncmp(placeholder, "{who}", 5)) {
                if (verdict->actor)
                        describe_actor(verdict->actor, doubt_of(verdict, items), ret, n_ret);
                else
                        snprintf(ret, n_ret, "somebody");
                return 5;
        }
        if (!strncmp(placeholder, "{by}", 4)) {
                size_t n = verdict->actor ? (size_t)snprintf(ret, n_ret, " by ") : 0;

                if (n)
                        describe_actor(verdict->actor, doubt_of(verdict, items), ret + n, n_ret - n);
                return 4;
        }
        if (!strncmp(placeholder, "{vmm}", 5)) {
                e = proof_of_kind(verdict, items, EVIDENCE_SIGNAL);
                describe_target(verdict->actor, e ? e->text : "", ret, n_ret);
                return 5;
        }
        if (!strncmp(placeholder, "{asked}", 7)) {
                if (verdict->actor) {
                        char who[320];

                        describe_actor(verdict->actor, "", who, sizeof(who));
                        snprintf(ret, n_ret, " on the word of %s", who);
                }
                return 7;
        }
        if (!strncmp(placeholder, "{signal}", 8)) {
                describe_signal(verdict, items, ret, n_ret);
                return 8;
        }
        if (!strncmp(placeholder, "{status}", 8)) {
                snprintf(ret, n_ret, "%" PRId64, cause ? cause->number : 0);
                return 8;
        }
        if (!strncmp(placeholder, "{times}", 7)) {
                if (verdict->count > 1)
                        snprintf(ret, n_ret, ", %" PRIu64 " times in a row", verdict->count);
                return 7;
        }
        if (!strncmp(placeholder, "{said}", 6)) {
                e = proof_of_kind(verdict, items, EVIDENCE_MESSAGE);
                if (e)
                        snprintf(ret, n_ret, ": %.160s", e->text);
                else
                        snprintf(ret, n_ret, ".");
                return 6;
        }
        if (!strncmp(placeholder, "{button}", 8)) {
                e = proof_of_kind(verdict, items, EVIDENCE_POWERDOWN);
                if (!e)
                        e = proof_of_kind(verdict, items, EVIDENCE_CONTROL_REQUEST);
                if (!e)
                        e = proof_of_kind(verdict, items, EVIDENCE_REQUEST);
                if (!e)
                        e = proof_of_kind(verdict, items, EVIDENCE_HYPERCALL);
                describe_span(e && verdict->at_ns > e->at_ns ? verdict->at_ns - e->at_ns : 0, ret, n_ret);
                return 8;
        }
        if (!strncmp(placeholder, "{reason}", 8)) {
                snprintf(ret, n_ret, "%s", cause ? cause->word : "");
                return 8;
        }
        return 0;
}

size_t verdict_summarise(const struct verdict *verdict, const struct evidence *items, const char *name, char *ret_text) {
        const char *from = "{name}: no summary for this rule.";
        char text[VERDICT_SUMMARY_MAX * 2];
        size_t n = 0;

        for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
                if (!strcmp(sentences[i].rule, verdict->rule))
                        from = sentences[i].sentence;

        while (*from && n + 1 < sizeof(text)) {
                char filled[400];
                size_t length = *from == '{' ? fill_in(from, verdict, items, name, filled, sizeof(filled)) : 0;

                if (!length) {
                        text[n++] = *from++;
                        continue;
                }
                for (size_t i = 0; filled[i] && n + 1 < sizeof(text); i++)
                        text[n++] = filled[i];
                from += length;
        }
        text[n] = '\0';
        text_set(ret_text, VERDICT_SUMMARY_MAX, text);
        return strlen(ret_text);
}
