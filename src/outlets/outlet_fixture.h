/*
 * A small world for the tests of outlets: a directory, a loop, a verdict to tell, and what came of telling it.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>
#include <systemd/sd-event.h>

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "outlets/outlet.h"

enum {
        PATIENCE_S = 60, /* for one event, on a busy machine */
};

struct world {
        char directory[64];
        sd_event *event;
        struct verdict_record record;
        unsigned n_done, n_ready;
        uint64_t number; /* of what was done last */
        int result;
};

static int world_begin(void **state) {
        struct world *world = calloc(1, sizeof(*world));
        struct vm_identity vm = { "web-1", "5f7a8a40-0000-4000-8000-000000000001", "qemu", "boot:1:1" };
        struct actor actor = { .pid = 77, .uid = 0, .user = "root", .comm = "kill", .cmdline = "kill -9 --secret", .via = "SIGKILL" };
        struct evidence fact = evidence_make(SOURCE_PROCESS, EVIDENCE_SIGNAL);
        struct verdict verdict = {
                .at_ns = 1000, .time_ns = UINT64_C(1795403527000000000), .transition = TRANSITION_DESTROY,
                .initiator = INITIATOR_OPERATOR, .mechanism = MECHANISM_SIGNAL, .graceful = TRISTATE_FALSE, .left = LEFT_GONE,
                .count = 1, .confidence = CONFIDENCE_CERTAIN, .rule = "signal-end", .actor = &actor, .n_proof = 1,
        };
        sigset_t child;

        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        sigprocmask(SIG_BLOCK, &child, NULL);
        *state = world;
        strcpy(world->directory, "/tmp/vmpower-outlet-XXXXXX");
        fact.id = 1;
        fact.number = SIGKILL;
        assert_int_equal(verdict_record_make(&world->record, &vm, &verdict, &fact, 1, 1, 0), 0);
        world->record.number = 7;
        return !mkdtemp(world->directory) || sd_event_new(&world->event) < 0;
}

static int world_remove(const char *path, const struct stat *status, int type, struct FTW *where) {
        return remove(path);
}

static int world_end(void **state) {
        struct world *world = *state;

        verdict_record_deinit(&world->record);
        sd_event_unref(world->event);
        nftw(world->directory, world_remove, 8, FTW_DEPTH | FTW_PHYS);
        free(world);
        return 0;
}

static const char *world_path(const struct world *world, const char *name) {
        static char paths[4][256];
        static unsigned i;
        char *path = paths[i++ % 4];

        snprintf(path, sizeof(paths[0]), "%s/%s", world->directory, name);
        return path;
}

static void world_done(void *userdata, uint64_t number, int result) {
        struct world *world = userdata;

        world->n_done++;
        world->number = number;
        world->result = result;
}

static void world_ready(void *userdata) {
        struct world *world = userdata;

        world->n_ready++;
}

static void world_hear(struct world *world, struct outlet *outlet) {
        outlet->sink = (struct outlet_sink){ world_done, world_ready, world };
}

static double world_seconds(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Run the loop until the counter is there. */
static void world_wait(struct world *world, const unsigned *counter, unsigned wanted) {
        double until = world_seconds() + PATIENCE_S;

        while (*counter < wanted) {
                assert_true(sd_event_run(world->event, 100000) >= 0);
                if (world_seconds() > until)
                        fail_msg("%u came, not %u", *counter, wanted);
        }
}
