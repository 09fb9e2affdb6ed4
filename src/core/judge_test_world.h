/*
 * Judge test world: worlds of a few facts to try the judge on, one for each rule.
 *
 * Knows how to write a world down in short lines.  Does not know what must follow from it, but for the rule.
 */
#pragma once

#include "core/evidence.h"

#define MS     UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

enum {
        WORLD_MAX = 40,
};

/* Some facts, owned. */
struct world {
        struct evidence items[WORLD_MAX];
        size_t n;
};

void world_deinit(struct world *world);

/* An empty fact, `at` seconds after the beginning; the later ones fill it in. */
struct evidence *world_add(struct world *world, double at, enum evidence_source source, enum evidence_kind kind);

void qmp(struct world *world, double at, enum evidence_kind kind, enum tristate flag, const char *word);
void shutdown_by_guest(struct world *world, double at, const char *reason);
void shutdown_by_host(struct world *world, double at, const char *reason);
void process(struct world *world, double at, enum evidence_kind kind, int64_t number);

/* A signal; comm NULL: its sender was not seen. */
/* Its actor is a program of the host's own, which root runs. */
void is_service(struct evidence *e);
void sent(struct world *world, double at, enum evidence_source source, int64_t number, const char *comm);

/* A request that went through vmpower. */
void asked(struct world *world, double at, const char *command, const char *comm);

/* A line of the console or of the VMM's standard error. */
void said(struct world *world, double at, enum evidence_source source, const char *text);

/* The host goes down, because of that program. */
void going_down(struct world *world, double at, const char *comm);

/* The monitor has answered, and the machine is a PC. */
void pc(struct world *world);

/* Attach an actor of that name. */
void act(struct evidence *evidence, const char *comm);

/* A world for each rule, in the table's order. */
struct rule_world {
        const char *rule;
        void (*build)(struct world *world);
        enum left left;
        const char *actor; /* NULL: nobody */
};
extern const struct rule_world rule_worlds[];
extern const size_t n_rule_worlds;
