#include "api/metrics.h"

#include "api/routes.h"
#include "basics/cleanup.h"
#include "keeper/keeper_health.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

static const uint64_t bounds_ms[] = { 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10000 };
static_assert(N_ELEMENTS(bounds_ms) == METRICS_BUCKETS_N, "a counter for each bound");

/* What a VM can be (keeper.h). */
static const char *const states[] = { "running", "paused", "suspended", "halted", "off", "gone" };

static void count_latency(struct metrics *metrics, uint64_t at_ns, uint64_t now_ns) {
        uint64_t latency_ns = now_ns > at_ns ? now_ns - at_ns : 0;
        size_t i = 0;

        while (i < METRICS_BUCKETS_N && latency_ns > bounds_ms[i] * 1000000)
                i++;
        metrics->latency[i]++;
        metrics->latency_sum_ns += latency_ns;
        metrics->n_latency++;
}

void metrics_count(struct metrics *metrics, const struct verdict_record *record, uint64_t now_ns) {
        if (*record->revises) {
                metrics->revisions++;
                return;
        }
        metrics->transitions[record->verdict.initiator][record->verdict.mechanism]++;
        count_latency(metrics, record->verdict.at_ns, now_ns);
        for (size_t i = 0; i < record->n_items; i++) {
                if (record->items[i].kind == EVIDENCE_GAP)
                        metrics->gaps++;
                if (record->items[i].kind == EVIDENCE_OMITTED && record->items[i].number > 0)
                        metrics->omitted += (uint64_t)record->items[i].number;
        }
}

static void print_head(struct buffer *text, const char *name, const char *type, const char *help) {
        buffer_print(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_transitions(const struct metrics *metrics, struct buffer *text) {
        print_head(text, "vmpower_transitions_total", "counter", "Power transitions of VMs, by who and how.");
        for (enum initiator initiator = 0; initiator < _INITIATOR_N; initiator++)
                for (enum mechanism mechanism = 0; mechanism < _MECHANISM_N; mechanism++)
                        if (metrics->transitions[initiator][mechanism])
                                buffer_print(text,
                                             "vmpower_transitions_total{initiator=\"%s\",mechanism=\"%s\"} %" PRIu64 "\n",
                                             initiator_name(initiator), mechanism_name(mechanism),
                                             metrics->transitions[initiator][mechanism]);
        print_head(text, "vmpower_revisions_total", "counter", "Verdicts that revised an earlier one.");
        buffer_print(text, "vmpower_revisions_total %" PRIu64 "\n", metrics->revisions);
}

static void print_latency(const struct metrics *metrics, struct buffer *text) {
        static const char name[] = "vmpower_verdict_latency_seconds";
        uint64_t n = 0;

        print_head(text, name, "histogram", "From what happened to the verdict that was told of it.");
        for (size_t i = 0; i < METRICS_BUCKETS_N; i++) {
                n += metrics->latency[i];
                buffer_print(text, "%s_bucket{le=\"%" PRIu64 ".%03" PRIu64 "\"} %" PRIu64 "\n", name, bounds_ms[i] / 1000,
                             bounds_ms[i] % 1000, n);
        }
        buffer_print(text, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, metrics->n_latency);
        buffer_print(text, "%s_sum %" PRIu64 ".%09" PRIu64 "\n", name, metrics->latency_sum_ns / 1000000000,
                     metrics->latency_sum_ns % 1000000000);
        buffer_print(text, "%s_count %" PRIu64 "\n", name, metrics->n_latency);
}

static int count_state(const struct kept_vm *vm, void *userdata) {
        uint64_t *counts = userdata;

        for (size_t i = 0; i < N_ELEMENTS(states); i++)
                if (!strcmp(vm->state, states[i]))
                        counts[i]++;
        return 0;
}

struct outlet_print {
        const char *name;
        size_t member; /* of struct outbox_state */
        struct buffer *text;
};

static void print_outlet(const struct outbox_state *state, void *userdata) {
        const struct outlet_print *print = userdata;

        buffer_print(print->text, "%s{outlet=\"", print->name);
        for (const char *at = state->outlet; *at; at++) {
                if (*at == '\\' || *at == '"')
                        buffer_add(print->text, "\\", 1);
                if (*at == '\n')
                        buffer_add(print->text, "\\n", 2);
                else
                        buffer_add(print->text, at, 1);
        }
        buffer_print(print->text, "\"} %" PRIu64 "\n", *(const uint64_t *)((const char *)state + print->member));
}

static void print_outlets(const struct outbox *outbox, struct buffer *text) {
        static const struct {
                const char *name, *type, *help;
                size_t member;
        } rows[] = {
                { "vmpower_outlet_told_total", "counter", "Verdicts and revisions that an outlet was told.",
                  offsetof(struct outbox_state, told) },
                { "vmpower_outlet_failures_total", "counter", "Attempts to tell an outlet that failed.",
                  offsetof(struct outbox_state, failures) },
                { "vmpower_outlet_skipped_total", "counter", "Verdicts and revisions that were given up for an outlet.",
                  offsetof(struct outbox_state, skipped) },
                { "vmpower_outlet_behind", "gauge", "Verdicts and revisions that an outlet has yet to be told.",
                  offsetof(struct outbox_state, behind) },
        };

        for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
                struct outlet_print print = { rows[i].name, rows[i].member, text };

                print_head(text, rows[i].name, rows[i].type, rows[i].help);
                outbox_each(outbox, print_outlet, &print);
        }
}

void metrics_print(const struct metrics *metrics, struct keeper *keeper, const struct outbox *outbox, struct buffer *text) {
        const struct backlog_state backlog = keeper_backlog(keeper);
        uint64_t counts[N_ELEMENTS(states)] = {};

        print_transitions(metrics, text);
        print_latency(metrics, text);

        keeper_each_vm(keeper, count_state, counts);
        print_head(text, "vmpower_vms", "gauge", "VMs of this host, by what is left of them.");
        for (size_t i = 0; i < N_ELEMENTS(states); i++)
                buffer_print(text, "vmpower_vms{state=\"%s\"} %" PRIu64 "\n", states[i], counts[i]);

        print_head(text, "vmpower_verdicts_waiting", "gauge", "Verdicts that were told, and that the disk has not taken yet.");
        buffer_print(text, "vmpower_verdicts_waiting %zu\n", backlog.n_verdicts);
        print_head(text, "vmpower_evidence_lost_total", "counter", "Facts that were dropped because the disk took nothing for too long.");
        buffer_print(text, "vmpower_evidence_lost_total %" PRIu64 "\n", backlog.n_lost_facts);
        print_head(text, "vmpower_verdicts_lost_total", "counter", "Verdicts that were dropped for that.");
        buffer_print(text, "vmpower_verdicts_lost_total %" PRIu64 "\n", backlog.n_lost_verdicts);
        print_head(text, "vmpower_evidence_gaps_total", "counter", "Times that evidence was lost, or nobody looked.");
        buffer_print(text, "vmpower_evidence_gaps_total %" PRIu64 "\n", metrics->gaps);
        print_head(text, "vmpower_evidence_omitted_total", "counter", "Like facts of a burst that were counted, not kept.");
        buffer_print(text, "vmpower_evidence_omitted_total %" PRIu64 "\n", metrics->omitted);
        if (outbox)
                print_outlets(outbox, text);
}

void answer_metrics(struct request *request) {
        if (!request->peer->is_scraper && !request->peer->may_read_all) {
                request_fail(request, 403, "metrics are for root and members of %s and %s", request->config->reader_group,
                             request->config->admin_group);
                return;
        }
        metrics_print(request->metrics, request->keeper, request->config->outbox, &request->text);
        request->type = "text/plain; version=0.0.4; charset=utf-8";
        request->status = 200;
        if (request->text.has_failed)
                request_answer(request, 503, NULL);
}
