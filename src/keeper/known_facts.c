#include "keeper/known_facts.h"

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "sources/source.h"

#include <errno.h>

struct known_fact {
        uint64_t at_ns, seq;
        enum evidence_source source;
        enum evidence_kind kind;
};

static int compare(const void *a, const void *b) {
        const struct known_fact *x = a, *y = b;

        if (x->at_ns != y->at_ns)
                return x->at_ns < y->at_ns ? -1 : 1;
        if (x->seq != y->seq)
                return x->seq < y->seq ? -1 : 1;
        if (x->source != y->source)
                return x->source < y->source ? -1 : 1;
        return x->kind < y->kind ? -1 : x->kind > y->kind;
}

static int note(const struct evidence *evidence, void *userdata) {
        struct known_facts *known = userdata;

        if (evidence->kind == EVIDENCE_DEVICE_MODEL) {
                known->device_model = evidence->number;
                known->has_device_model_ended = false;
        } else if (evidence_ends_device_model(evidence)) {
                known->has_device_model_ended = true;
        }
        if (known->n == known->n_max) {
                size_t n_max = known->n_max ? 2 * known->n_max : 32;
                struct known_fact *grown = reallocarray(known->items, n_max, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                known->items = grown;
                known->n_max = n_max;
        }
        known->items[known->n++] = (struct known_fact){ evidence->at_ns, evidence->seq, evidence->source, evidence->kind };
        return 0;
}

int known_facts_read(struct known_facts *known, struct store *store, int64_t vm, char ret_why[static STORE_WHY_MAX]) {
        int r;

        known_facts_deinit(known);
        *known = (struct known_facts){ .read_ns = source_now_ns() };
        r = store_each_evidence(store, vm, 0, note, known, ret_why);
        if (known->n)
                qsort(known->items, known->n, sizeof(*known->items), compare);
        return r < 0 ? r : 0;
}

void known_facts_deinit(struct known_facts *known) {
        free(take_pointer(known->items));
        known->n = known->n_max = 0;
}

bool known_facts_have(struct known_facts *known, const struct evidence *evidence) {
        const struct known_fact fact = { evidence->at_ns, evidence->seq, evidence->source, evidence->kind };

        /* What happens now was told to nobody before; and what comes after that is not the past any more. */
        if (evidence->at_ns > known->read_ns)
                known_facts_deinit(known);
        return known->n && bsearch(&fact, known->items, known->n, sizeof(fact), compare);
}
