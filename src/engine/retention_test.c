#include "engine/retention.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "sources/source.h"

#define DAY_NS UINT64_C(86400000000000)

enum {
        N_OLD = 900, /* more than one step takes */
};

static const struct retention_config usual = { .age_ns = 400 * DAY_NS, .n_bytes_max = UINT64_C(1) << 30 };

struct world {
        char directory[64];
        struct store *store;
        sd_event *event;
        struct retention *retention;
        unsigned n_troubles;
};

static void note_result(struct store_batch *batch, int result, const char *why, void *userdata) {
        if (result)
                fail_msg("%s", why);
}

/* Evidence of an ended VM: most of it too old to stay. */
static void fill(struct world *world) {
        const uint64_t now_ns = source_time_ns();
        struct store_vm vm = { .pid = 1, .uid = -1, .began_ns = 1, .ended_ns = 2 };
        struct store_batch *batch;
        char why[STORE_WHY_MAX];

        strcpy(vm.identity.name, "web-1");
        strcpy(vm.identity.backend, "qemu");
        strcpy(vm.identity.instance, "boot:1:1");
        assert_int_equal(store_add_vm(world->store, &vm, NULL, why), 0);
        assert_int_equal(store_batch_new(&batch), 0);
        for (uint64_t i = 1; i <= N_OLD + 100; i++) {
                struct evidence fact = evidence_make(SOURCE_PROCESS, EVIDENCE_EXITED);

                fact.at_ns = fact.seq = i;
                fact.time_ns = now_ns - (i <= N_OLD ? 401 : 399) * DAY_NS;
                assert_int_equal(store_batch_add_evidence(batch, vm.id, &fact), 0);
        }
        assert_int_equal(store_submit(world->store, batch, note_result, NULL), 0);
        store_drain(world->store);
}

static int on_committed(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct world *world = userdata;

        store_dispatch(world->store);
        return 0;
}

static void note_trouble(const char *line, void *userdata) {
        struct world *world = userdata;

        world->n_troubles++;
}

static int world_begin(void **state) {
        struct world *world = calloc(1, sizeof(*world));
        char why[STORE_WHY_MAX];

        strcpy(world->directory, "/tmp/vmpower-retention-XXXXXX");
        assert_non_null(mkdtemp(world->directory));
        assert_int_equal(store_open(&world->store, world->directory, STORE_WRITE, why), 0);
        fill(world);
        assert_true(sd_event_new(&world->event) >= 0);
        assert_true(sd_event_add_io(world->event, NULL, store_fd(world->store), EPOLLIN, on_committed, world) >= 0);
        *state = world;
        return 0;
}

static int world_end(void **state) {
        struct world *world = *state;
        char command[96];

        retention_free(world->retention);
        store_close(world->store);
        sd_event_unref(world->event);
        snprintf(command, sizeof(command), "rm -r %s", world->directory);
        assert_int_equal(system(command), 0);
        free(world);
        return 0;
}

static struct store_status status_of(struct world *world) {
        struct store_status status;
        char why[STORE_WHY_MAX];

        assert_int_equal(store_read_status(world->store, &status, why), 0);
        return status;
}

/* Until it has pruned; fails after 20 s. */
static void run_until_pruned(struct world *world) {
        const uint64_t until_ns = source_now_ns() + UINT64_C(20000000000);

        while (!status_of(world).pruned_ns) {
                assert_true(source_now_ns() < until_ns);
                assert_true(sd_event_run(world->event, 100000) >= 0);
        }
}

static void what_was_never_pruned_is_pruned_at_once_and_remembered(void **state) {
        struct world *world = *state;
        struct store_status status;

        assert_int_equal(retention_new(&world->retention, world->event, world->store, &usual, note_trouble, world), 0);
        run_until_pruned(world);
        status = status_of(world);
        assert_int_equal(status.n_pruned, N_OLD);
        assert_int_equal(status.n_evidence, 100);
        assert_true(status.pruned_ns + DAY_NS > source_time_ns());
        assert_int_equal(world->n_troubles, 0);
}

/* The timer that is armed for the next day wakes nobody before. */
static void what_was_pruned_today_is_left_alone(void **state) {
        struct world *world = *state;

        assert_int_equal(retention_new(&world->retention, world->event, world->store, &usual, note_trouble, world), 0);
        run_until_pruned(world);
        world->retention = retention_free(world->retention);
        assert_int_equal(retention_new(&world->retention, world->event, world->store, &usual, note_trouble, world), 0);
        assert_int_equal(sd_event_run(world->event, 0), 0);
        assert_int_equal(sd_event_run(world->event, 100000), 0);
}

static void it_is_not_pruned_again_before_the_next_day(void **state) {
        struct world *world = *state;
        uint64_t pruned_ns;

        assert_int_equal(retention_new(&world->retention, world->event, world->store, &usual, note_trouble, world), 0);
        run_until_pruned(world);
        pruned_ns = status_of(world).pruned_ns;
        for (int i = 0; i < 100 && sd_event_run(world->event, 100000) > 0; i++)
                ;
        assert_int_equal(sd_event_run(world->event, 100000), 0);
        assert_int_equal(status_of(world).pruned_ns, pruned_ns);
}

static void what_cannot_be_pruned_is_told(void **state) {
        struct world *world = *state;
        char path[96];

        snprintf(path, sizeof(path), "%s/vmpower.db", world->directory);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(retention_new(&world->retention, world->event, world->store, &usual, note_trouble, world), 0);
        for (int i = 0; i < 100 && !world->n_troubles; i++)
                assert_true(sd_event_run(world->event, 100000) >= 0);
        assert_int_equal(world->n_troubles, 1);
        /* And tried again, but not at once. */
        for (int i = 0; i < 100 && sd_event_run(world->event, 100000) > 0; i++)
                ;
        assert_int_equal(world->n_troubles, 1);
}

static void nothing_goes_where_all_is_to_stay(void **state) {
        const struct retention_config all = {};
        struct world *world = *state;

        assert_int_equal(retention_new(&world->retention, world->event, world->store, &all, note_trouble, world), 0);
        run_until_pruned(world);
        assert_int_equal(status_of(world).n_pruned, 0);
        assert_int_equal(status_of(world).n_evidence, N_OLD + 100);
}

static void it_may_be_ended_between_any_two_steps(void **state) {
        struct world *world = *state;

        assert_int_equal(retention_new(&world->retention, world->event, world->store, &usual, note_trouble, world), 0);
        assert_true(sd_event_run(world->event, 1000000) > 0);
        world->retention = retention_free(world->retention);
        assert_int_equal(status_of(world).pruned_ns, 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
                SENTENCE(what_was_never_pruned_is_pruned_at_once_and_remembered),
                SENTENCE(what_was_pruned_today_is_left_alone),
                SENTENCE(it_is_not_pruned_again_before_the_next_day),
                SENTENCE(what_cannot_be_pruned_is_told),
                SENTENCE(nothing_goes_where_all_is_to_stay),
                SENTENCE(it_may_be_ended_between_any_two_steps),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
