/*
 * Table: things found by a hash, in the same time however many there are.
 *
 * The links are in the things themselves.  Several may have one hash: whoever looks compares.  Knows nothing of keys.
 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct table_link {
        struct table_link *next;
        uint64_t hash;
        void *owner; /* the thing; NULL: in no table */
};

struct table {
        struct table_link **buckets;
        size_t n_buckets; /* a power of two, or 0 */
        size_t n;
};

/* FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/). */
static inline uint64_t table_hash(const void *bytes, size_t n) {
        const unsigned char *byte = bytes;
        uint64_t hash = UINT64_C(14695981039346656037);

        for (size_t i = 0; i < n; i++)
                hash = (hash ^ byte[i]) * UINT64_C(1099511628211);
        return hash;
}

static inline struct table_link **table_bucket(const struct table *table, uint64_t hash) {
        return &table->buckets[(hash ^ hash >> 32) & (table->n_buckets - 1)];
}

/* Room for one more, made before anything depends on it.  0 or -ENOMEM. */
static inline int table_make_room(struct table *table) {
        struct table larger = { .n_buckets = table->n_buckets ? 2 * table->n_buckets : 16, .n = table->n };

        if (table->n < table->n_buckets)
                return 0;
        larger.buckets = calloc(larger.n_buckets, sizeof(struct table_link *));
        if (!larger.buckets)
                return -ENOMEM;
        for (size_t i = 0; i < table->n_buckets; i++)
                while (table->buckets[i]) {
                        struct table_link *link = table->buckets[i], **bucket = table_bucket(&larger, link->hash);

                        table->buckets[i] = link->next;
                        link->next = *bucket;
                        *bucket = link;
                }
        free(table->buckets);
        *table = larger;
        return 0;
}

/* table_make_room() came before. */
static inline void table_add(struct table *table, struct table_link *link, uint64_t hash, void *owner) {
        struct table_link **bucket = table_bucket(table, hash);

        *link = (struct table_link){ *bucket, hash, owner };
        *bucket = link;
        table->n++;
}

/* One that is in no table is no error. */
static inline void table_remove(struct table *table, struct table_link *link) {
        struct table_link **at;

        if (!link->owner)
                return;
        for (at = table_bucket(table, link->hash); *at != link; at = &(*at)->next)
                ;
        *at = link->next;
        *link = (struct table_link){ 0 };
        table->n--;
}

static inline struct table_link *table_same(struct table_link *link, uint64_t hash) {
        while (link && link->hash != hash)
                link = link->next;
        return link;
}

/* The first with that hash, and the next one after it; NULL: no more. */
static inline struct table_link *table_first(const struct table *table, uint64_t hash) {
        return table->n ? table_same(*table_bucket(table, hash), hash) : NULL;
}

static inline struct table_link *table_next(const struct table_link *link) {
        return table_same(link->next, link->hash);
}

static inline void table_deinit(struct table *table) {
        free(table->buckets);
        *table = (struct table){ 0 };
}
