/*
 * Fuzz: any evidence, judged.
 *
 * The laws: the judge never fails; neither the order of delivery nor a repetition matters; no proof but of what was
 * given, and the proof alone leads to the same rule; the actor is part of the proof; the summary keeps its bound.
 */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "core/text.h"

/* Holds in a release build, too. */
#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
        ITEMS_MAX = 24,
        BYTES_PER_ITEM = 8,
};

static const char *const words[] = {
        "",               "guest-shutdown",  "guest-reset",  "guest-panic",    "host-qmp-quit",
        "host-signal",    "host-ui",         "host-error",   "host-qmp-system-reset", "poweroff",
        "reset",          "shutdown",        "pause",        "run",            "stop",
        "cont",           "quit",            "system_reset", "system_powerdown", "system_wakeup",
        "postmigrate",    "io-error",        "internal-error", "guest-panicked", "paused",
        "pc-i440fx-7.2",  "q35",             "microvm",      "isa-debug-exit", "whatever",
        "powerdown",      "resume",          "migrate",      "reboot",         "halt",
        "suspend",        "crash",           "watchdog",     "soft-reset",     "unseen",
        "destroy",        "destroydomain",   "pausedomain",  "unpausedomain",  "power-button",
};
static const char *const texts[] = { "", "reboot: System halted", "reboot: Power down", "all is well" };
static const int64_t numbers[] = { 0, 1, 2, 3, 33, 0x2000, 0x2001, SIGKILL, SIGTERM, SIGINT, SIGSEGV, SIGABRT, SIGSTOP, SIGCONT };
static struct actor actors[] = {
        { .pid = 0, .uid = -1 },
        { .pid = 990, .uid = 1000, .user = "anna", .comm = "kill" },
        { .pid = 77, .uid = 0, .comm = "earlyoom" },
        { .pid = 78, .uid = 0, .comm = "systemd-oomd" },
        { .pid = 1, .uid = 0, .user = "root", .exe = "/lib/systemd/systemd" },
};

/* Eight bytes are a fact: where from, what, when, and what it says. */
static struct evidence make_fact(const uint8_t *bytes) {
        static const uint64_t steps[] = { 1, 1000000, 20000000, 1000000000, UINT64_C(60000000000), UINT64_C(1) << 58 };
        struct evidence e = evidence_make((enum evidence_source)(bytes[0] % _SOURCE_N),
                                          (enum evidence_kind)(bytes[1] % _EVIDENCE_KIND_N));

        e.at_ns = (uint64_t)(bytes[2] & 0x0f) * steps[(bytes[2] >> 4) % N_ELEMENTS(steps)];
        e.time_ns = e.at_ns ^ 0x5555;
        e.seq = bytes[3] & 3;
        e.flag = (enum tristate)((bytes[3] >> 2) % 3);
        e.number = bytes[4] < 200 ? numbers[bytes[4] % N_ELEMENTS(numbers)] : (int64_t)(UINT64_MAX / bytes[4]) - INT64_MAX / 2;
        evidence_set_word(&e, words[bytes[5] % N_ELEMENTS(words)]);
        evidence_set_text(&e, texts[bytes[6] % N_ELEMENTS(texts)], strlen(texts[bytes[6] % N_ELEMENTS(texts)]));
        /* Borrowed: nobody here gives them back. */
        e.actor = bytes[7] & 1 ? &actors[(bytes[7] >> 1) % N_ELEMENTS(actors)] : NULL;
        return e;
}

static struct verdict judge(const struct evidence *items, size_t n, const struct judge_settings *settings) {
        struct verdict v = verdict_from_evidence(items, n, settings);

        law(v.transition < _TRANSITION_N && v.initiator < _INITIATOR_N && v.mechanism < _MECHANISM_N);
        law(v.left < _LEFT_N && v.confidence < _CONFIDENCE_N && v.count >= 1 && v.rule);
        law(v.n_proof <= VERDICT_PROOF_MAX && v.n_proof <= n);
        for (size_t i = 0; i < v.n_proof; i++) {
                law(v.proof[i] < n);
                for (size_t k = 0; k < i; k++)
                        law(v.proof[i] != v.proof[k]);
        }
        return v;
}

static void must_be_alike(const struct verdict *a, const struct evidence *items_a, const struct verdict *b,
                          const struct evidence *items_b) {
        law(a->rule == b->rule && a->at_ns == b->at_ns && a->time_ns == b->time_ns);
        law(a->transition == b->transition && a->initiator == b->initiator && a->mechanism == b->mechanism);
        law(a->graceful == b->graceful && a->left == b->left && a->count == b->count && a->confidence == b->confidence);
        law(a->actor == b->actor && a->n_proof == b->n_proof);
        for (size_t i = 0; i < a->n_proof; i++)
                law(evidence_is_same(&items_a[a->proof[i]], &items_b[b->proof[i]]));
}

/* The proof's items alone, and what they lead to. */
static void must_support(const struct verdict *v, const struct evidence *items, const struct judge_settings *settings) {
        struct evidence proof[VERDICT_PROOF_MAX];
        bool names_actor = !v->actor;
        struct verdict alone;

        for (size_t i = 0; i < v->n_proof; i++) {
                proof[i] = items[v->proof[i]];
                names_actor = names_actor || proof[i].actor == v->actor;
        }
        law(names_actor);
        law(!v->n_proof || proof[0].at_ns == v->at_ns);
        alone = judge(proof, v->n_proof, settings);
        law(alone.rule == v->rule && alone.actor == v->actor && alone.confidence == v->confidence);
}

static void must_have_a_summary(const struct verdict *v, const struct evidence *items) {
        char text[VERDICT_SUMMARY_MAX];
        size_t length = verdict_summarise(v, items, "web-1", text);

        law(length < sizeof(text) && length == strlen(text));
        law(!strncmp(text, "web-1", 5) || !strncmp(text, "Why web-1", 9));
        law(!strstr(text, "no summary"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct evidence items[2 * ITEMS_MAX], other[2 * ITEMS_MAX];
        struct judge_settings settings;
        struct verdict verdict, again;
        uint32_t random = 2166136261u;
        size_t n = 0, n_other;

        if (size < 2)
                return 0;
        settings.button_certain_ns = (uint64_t)data[0] * 10000000;
        settings.button_likely_ns = (uint64_t)data[1] * 1000000000;
        for (size_t at = 2; at + BYTES_PER_ITEM <= size && n < ITEMS_MAX; at += BYTES_PER_ITEM)
                items[n++] = make_fact(data + at);
        for (size_t i = 0; i < size; i++)
                random = (random ^ data[i]) * 16777619u;

        verdict = judge(n ? items : NULL, n, &settings);
        must_support(&verdict, items, &settings);
        must_have_a_summary(&verdict, items);

        /* Some of them twice, and all in another order. */
        memcpy(other, items, n * sizeof(items[0]));
        n_other = n;
        for (size_t i = 0; i < n; i++)
                if (random >> (i % 32) & 1)
                        other[n_other++] = items[i];
        for (size_t i = n_other; i > 1; i--) {
                size_t to;
                struct evidence e;

                random = random * 1664525u + 1013904223u;
                to = (random >> 8) % i;
                e = other[i - 1];
                other[i - 1] = other[to];
                other[to] = e;
        }
        again = judge(other, n_other, &settings);
        must_be_alike(&verdict, items, &again, other);
        return 0;
}
