#include "core/record.h"
#include "core/evidence.h"
#include "core/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool instance_is_monitors(const char *instance) {
        unsigned n_colons = 0;

        for (; *instance; instance++)
                n_colons += *instance == ':';
        return n_colons > 2;
}

int64_t instance_domid(const char *instance) {
        const char *at = strchr(instance, ':');
        int64_t domid = 0;
        size_t n_digits;

        if (!at || strncmp(at, ":xen", 4))
                return -1;
        at += 4;
        n_digits = strspn(at, "0123456789");
        for (size_t i = 0; i < n_digits && i < 9; i++)
                domid = domid * 10 + (at[i] - '0');
        at += n_digits;
        return n_digits && n_digits <= 9 && *at == ':' && at[1] && !strchr(at + 1, ':') ? domid : -1;
}

bool instance_is_domain(const char *instance) {
        return instance_domid(instance) >= 0;
}

void verdict_record_deinit(struct verdict_record *record) {
        if (!record)
                return;
        for (size_t i = 0; i < record->n_items; i++)
                evidence_deinit(&record->items[i]);
        free(record->items);
        free(record->actor);
        record->items = NULL;
        record->n_items = 0;
        record->actor = NULL;
        record->verdict.actor = NULL;
}

/* FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): names an episode, guards nothing. */
static uint64_t hash(uint64_t state, const void *bytes, size_t n) {
        const unsigned char *from = bytes;

        for (size_t i = 0; i < n; i++)
                state = (state ^ from[i]) * UINT64_C(0x100000001b3);
        return state;
}

/* A ULID: 48 bits of milliseconds, 80 more bits, in Crockford's base 32, most significant first. */
static void make_id(struct verdict_record *record, unsigned revision) {
        static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        const size_t n_instance = strlen(record->vm.instance);
        uint64_t high, low, milliseconds = record->verdict.time_ns / 1000000;
        unsigned char bits[16];

        low = hash(UINT64_C(0xcbf29ce484222325), record->vm.instance, n_instance);
        low = hash(low, &record->episode, sizeof(record->episode));
        low = hash(low, &revision, sizeof(revision));
        high = hash(low, record->vm.backend, strlen(record->vm.backend) + 1);

        for (size_t i = 0; i < 6; i++)
                bits[i] = (unsigned char)(milliseconds >> (8 * (5 - i)));
        for (size_t i = 0; i < 2; i++)
                bits[6 + i] = (unsigned char)(high >> (8 * i));
        for (size_t i = 0; i < 8; i++)
                bits[8 + i] = (unsigned char)(low >> (8 * i));

        /* 26 digits hold 130 bits; the two on top are 0. */
        for (size_t i = 0; i < VERDICT_ID_MAX - 1; i++) {
                unsigned value = 0;

                for (size_t bit = 0; bit < 5; bit++) {
                        size_t at = i * 5 + bit;

                        value <<= 1;
                        if (at >= 2)
                                value |= (bits[(at - 2) / 8] >> (7 - (at - 2) % 8)) & 1;
                }
                record->id[i] = digits[value];
        }
        record->id[VERDICT_ID_MAX - 1] = '\0';
}

/* The indexes of the items by when they happened: a plain insertion sort, an episode is small. */
static size_t *order_items(const struct evidence *items, size_t n_items) {
        size_t *order = calloc(n_items ? n_items : 1, sizeof(*order));

        if (!order)
                return NULL;
        for (size_t i = 0; i < n_items; i++) {
                size_t to = i;

                for (; to > 0 && evidence_is_before(&items[i], &items[order[to - 1]]); to--)
                        order[to] = order[to - 1];
                order[to] = i;
        }
        return order;
}

int verdict_record_make(struct verdict_record *ret_record, const struct vm_identity *vm, const struct verdict *verdict,
                        const struct evidence *items, size_t n_items, uint64_t episode, unsigned revision) {
        struct verdict_record record = { .vm = *vm, .verdict = *verdict, .episode = episode };
        size_t *order = order_items(items, n_items);
        int r = order ? 0 : -ENOMEM;

        record.verdict.actor = NULL;
        text_set(record.rule, sizeof(record.rule), verdict->rule);
        verdict_summarise(verdict, items, vm->name, record.summary);

        if (!r && n_items) {
                record.items = calloc(n_items, sizeof(*record.items));
                if (!record.items)
                        r = -ENOMEM;
        }
        for (size_t i = 0; !r && i < n_items; i++) {
                r = evidence_copy(&record.items[i], &items[order[i]]);
                if (r)
                        break;
                record.n_items++;
                for (size_t k = 0; k < verdict->n_proof; k++)
                        if (verdict->proof[k] == order[i])
                                record.verdict.proof[k] = i;
        }
        if (!r && verdict->actor) {
                record.actor = malloc(sizeof(*record.actor));
                if (record.actor) {
                        *record.actor = *verdict->actor;
                        record.verdict.actor = record.actor;
                } else {
                        r = -ENOMEM;
                }
        }
        free(order);
        if (r) {
                verdict_record_deinit(&record);
                return r;
        }

        make_id(&record, revision);
        *ret_record = record;
        return 0;
}

bool verdict_record_is_proof(const struct verdict_record *record, size_t index) {
        for (size_t i = 0; i < record->verdict.n_proof; i++)
                if (record->verdict.proof[i] == index)
                        return true;
        return false;
}
