/*
 * Fuzz: any bytes as a record of the kernel's programs.
 *
 * The laws: what is cut is refused; what is taken becomes facts of the trace that are bounded, end in NUL, hold no control character, are in
 * their order, and are the same the next time.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "sources/trace/decode.h"

/* Holds in a release build, too. */
#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void holds_text(const char *text, size_t n) {
        const char *end = memchr(text, '\0', n);

        law(end);
        for (; text < end; text++)
                law((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void holds_actor(const struct actor *actor) {
        holds_text(actor->login_from, sizeof(actor->login_from));
        holds_text(actor->comm, sizeof(actor->comm));
        holds_text(actor->exe, sizeof(actor->exe));
        holds_text(actor->cmdline, sizeof(actor->cmdline));
        holds_text(actor->cgroup, sizeof(actor->cgroup));
        holds_text(actor->via, sizeof(actor->via));
        law(actor->n_parents <= ACTOR_PARENTS_MAX);
        for (size_t i = 0; i < actor->n_parents; i++)
                holds_text(actor->parents[i].comm, sizeof(actor->parents[i].comm));
}

static void holds(const struct evidence *fact, const struct trace_head *head) {
        law(fact->source == SOURCE_TRACE && fact->kind < _EVIDENCE_KIND_N);
        law(fact->at_ns == head->at_ns);
        holds_text(fact->word, sizeof(fact->word));
        holds_text(fact->text, sizeof(fact->text));
        if (fact->actor)
                holds_actor(fact->actor);
}

static void decode_signal(const struct trace_signal *signal) {
        struct evidence once, twice;
        int r = trace_signal_decode(&once, signal);

        law(!r || r == TRACE_NO_FACT || r == -ENOMEM);
        if (r)
                return;
        holds(&once, &signal->head);
        law(!trace_signal_decode(&twice, signal) && evidence_is_same(&once, &twice));
        evidence_deinit(&once);
        evidence_deinit(&twice);
}

static void decode_hypercall(const struct trace_hypercall *record) {
        struct evidence once, twice;
        int r = trace_hypercall_decode(&once, record);

        trace_hypercall_is_own(record);
        law(!r || r == TRACE_NO_FACT || r == -ENOMEM);
        if (r)
                return;
        holds(&once, &record->head);
        law(once.kind == EVIDENCE_HYPERCALL && once.word[0] && once.actor && once.number >= 0 && once.number <= UINT16_MAX);
        law(!trace_hypercall_decode(&twice, record) && evidence_is_same(&once, &twice));
        evidence_deinit(&once);
        evidence_deinit(&twice);
}

static void decode_power(const struct trace_head *head) {
        for (unsigned way = 0; way < 8; way++) {
                const struct trace_machine machine = { .is_pc = way & 1, .no_reboot = way & 2, .speaks = way & 4 };
                struct evidence facts[TRACE_POWER_FACTS];
                size_t n = 0;

                trace_power_decode(facts, &n, head, &machine);
                law(n <= TRACE_POWER_FACTS);
                /* Of what is not known, or tells by itself, nothing is concluded. */
                law((machine.is_pc && !machine.speaks) || n == 1);
                for (size_t i = 0; i < n; i++) {
                        holds(&facts[i], head);
                        law(i == 0 || evidence_is_before(&facts[i - 1], &facts[i]));
                }
        }
}

union any_record {
        struct trace_signal signal;
        struct trace_hypercall hypercall;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _Alignas(8) unsigned char record[sizeof(union any_record) + 16] = { 0 };
        const struct trace_head *head = (const struct trace_head *)record;
        size_t n = size < sizeof(record) ? size : sizeof(record);
        struct evidence fact;

        memcpy(record, data, n);
        if (trace_record_check(record, n))
                return 0;
        law(n >= sizeof(*head));
        law(trace_head_is_about(head, head->start_ns / 10000000) && !trace_head_is_about(head, head->start_ns / 10000000 + 1));
        switch ((enum trace_record_kind)head->kind) {
        case TRACE_RECORD_SIGNAL:
                decode_signal((const struct trace_signal *)record);
                break;
        case TRACE_RECORD_VICTIM:
                trace_victim_decode(&fact, (const struct trace_victim *)record);
                holds(&fact, head);
                break;
        case TRACE_RECORD_EXIT:
                trace_exit_decode(&fact, (const struct trace_exit *)record);
                holds(&fact, head);
                law(fact.kind == EVIDENCE_EXITED || fact.kind == EVIDENCE_KILLED);
                break;
        case TRACE_RECORD_PORT:
        case TRACE_RECORD_KVM_EXIT:
                decode_power(head);
                break;
        case TRACE_RECORD_BIRTH:
                break;
        case TRACE_RECORD_HYPERCALL:
                decode_hypercall((const struct trace_hypercall *)record);
                break;
        }
        return 0;
}
