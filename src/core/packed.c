#include "core/packed.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct packed {
        size_t n_items;
        unsigned char bytes[];
};

/* The one way through a fact's members, in three directions: counted (bytes is NULL), written, and read. */
struct passage {
        unsigned char *bytes;
        size_t at;
        bool is_reading;
};

static void pass(struct passage *passage, void *member, size_t n) {
        if (passage->is_reading)
                memcpy(member, passage->bytes + passage->at, n);
        else if (passage->bytes)
                memcpy(passage->bytes + passage->at, member, n);
        passage->at += n;
}

static void pass_text(struct passage *passage, char *text, size_t n_max) {
        size_t n = passage->is_reading ? strlen((const char *)passage->bytes + passage->at) : strnlen(text, n_max - 1);
        char nul = '\0';

        pass(passage, text, n);
        pass(passage, passage->is_reading ? text + n : &nul, 1);
}

/* Enums and small numbers. */
static unsigned pass_byte(struct passage *passage, unsigned value) {
        unsigned char byte = (unsigned char)value;

        pass(passage, &byte, 1);
        return byte;
}

/* Seven bits a byte, the low ones first, more to come where the eighth is set; the sign is the lowest bit.  Most numbers of a process take three. */
static void pass_number(struct passage *passage, int64_t *number) {
        uint64_t left = passage->is_reading ? 0 : (uint64_t)*number << 1 ^ (uint64_t)(*number >> 63), value = 0;
        unsigned char byte;
        unsigned shift = 0;

        do {
                byte = (unsigned char)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
                pass(passage, &byte, 1);
                value |= (uint64_t)(byte & 0x7f) << shift;
                left >>= 7;
                shift += 7;
        } while (byte & 0x80);
        if (passage->is_reading)
                *number = (int64_t)(value >> 1 ^ -(value & 1));
}

#define PASS(passage, member)      pass(passage, &(member), sizeof(member))
#define PASS_TEXT(passage, member) pass_text(passage, member, sizeof(member))

static void pass_actor(struct passage *passage, struct actor *actor) {
        pass_number(passage, &actor->pid);
        pass_number(passage, &actor->tid);
        pass_number(passage, &actor->session);
        pass_number(passage, &actor->uid);
        PASS_TEXT(passage, actor->user);
        PASS_TEXT(passage, actor->login_user);
        PASS_TEXT(passage, actor->login_from);
        PASS_TEXT(passage, actor->comm);
        PASS_TEXT(passage, actor->exe);
        PASS_TEXT(passage, actor->cmdline);
        PASS_TEXT(passage, actor->cgroup);
        PASS_TEXT(passage, actor->via);
        actor->confidence = (enum confidence)pass_byte(passage, actor->confidence);
        actor->n_parents = pass_byte(passage, actor->n_parents < ACTOR_PARENTS_MAX ? (unsigned)actor->n_parents : ACTOR_PARENTS_MAX);
        for (size_t i = 0; i < actor->n_parents; i++) {
                pass_number(passage, &actor->parents[i].pid);
                PASS_TEXT(passage, actor->parents[i].comm);
        }
        pass_number(passage, &actor->client.pid);
        if (!actor->client.pid)
                return;
        pass_number(passage, &actor->client.uid);
        PASS_TEXT(passage, actor->client.user);
        PASS_TEXT(passage, actor->client.comm);
        PASS_TEXT(passage, actor->client.cmdline);
}

static int pass_evidence(struct passage *passage, struct evidence *e) {
        PASS(passage, e->id);
        PASS(passage, e->at_ns);
        PASS(passage, e->time_ns);
        PASS(passage, e->seq);
        PASS(passage, e->number);
        e->source = (enum evidence_source)pass_byte(passage, e->source);
        e->kind = (enum evidence_kind)pass_byte(passage, e->kind);
        e->flag = (enum tristate)pass_byte(passage, e->flag);
        PASS_TEXT(passage, e->word);
        PASS_TEXT(passage, e->text);
        if (!pass_byte(passage, e->actor != NULL))
                return 0;
        if (passage->is_reading)
                e->actor = calloc(1, sizeof(*e->actor));
        if (!e->actor)
                return -ENOMEM;
        pass_actor(passage, e->actor);
        return 0;
}

int packed_make(struct packed **ret_packed, const struct evidence *items, size_t n_items) {
        struct passage passage = { 0 };
        struct packed *packed;

        static_assert(_EVIDENCE_KIND_N < 256 && _SOURCE_N < 256, "they fit a byte");
        /* Written with what was read: the same bytes, so that the facts can stay const to their owner. */
        for (size_t i = 0; i < n_items; i++)
                pass_evidence(&passage, (struct evidence *)&items[i]);
        packed = malloc(sizeof(*packed) + passage.at);
        if (!packed)
                return -ENOMEM;
        packed->n_items = n_items;
        passage = (struct passage){ .bytes = packed->bytes };
        for (size_t i = 0; i < n_items; i++)
                pass_evidence(&passage, (struct evidence *)&items[i]);
        *ret_packed = packed;
        return 0;
}

int packed_open(const struct packed *packed, struct evidence **ret_items, size_t *ret_n_items) {
        struct passage passage = { .bytes = (unsigned char *)packed->bytes, .is_reading = true };
        struct evidence *items = calloc(packed->n_items ? packed->n_items : 1, sizeof(*items));

        if (!items)
                return -ENOMEM;
        for (size_t i = 0; i < packed->n_items; i++) {
                if (!pass_evidence(&passage, &items[i]))
                        continue;
                for (size_t k = 0; k < i; k++)
                        evidence_deinit(&items[k]);
                free(items);
                return -ENOMEM;
        }
        *ret_items = items;
        *ret_n_items = packed->n_items;
        return 0;
}

struct packed *packed_free(struct packed *packed) {
        free(packed);
        return NULL;
}
