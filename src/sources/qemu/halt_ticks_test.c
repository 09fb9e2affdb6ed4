/* Halt ticks: one timer, however many wait. */
#include "sources/qemu/halt_ticks.h"

#include "sources/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MANY = 100 };

#define SOON_NS UINT64_C(20000000)

struct world {
        sd_event *event;
        struct halt_ticks *ticks;
        struct halt_ticker tickers[MANY];
        unsigned n_ticks[MANY];
        uint64_t takes_ns; /* each */
        size_t remove; /* by the first of them: one that is still to come in this round */
};

struct waiting {
        struct world *world;
        size_t i;
};
static struct waiting waiting[MANY];

static void on_tick(void *userdata) {
        struct waiting *self = userdata;

        uint64_t until_ns = source_now_ns() + self->world->takes_ns;

        self->world->n_ticks[self->i]++;
        while (self->world->takes_ns && source_now_ns() < until_ns)
                ;
        if (self->world->remove && self->i == MANY - 1)
                halt_ticks_remove(&self->world->tickers[self->world->remove]);
}

static void make(struct world *world, uint64_t every_ns) {
        *world = (struct world){ 0 };
        assert_true(sd_event_new(&world->event) >= 0);
        assert_int_equal(halt_ticks_new(&world->ticks, world->event), 0);
        for (size_t i = 0; i < MANY; i++) {
                waiting[i] = (struct waiting){ world, i };
                world->tickers[i] = (struct halt_ticker){ .every_ns = every_ns, .tick = on_tick, .userdata = &waiting[i] };
                assert_int_equal(halt_ticks_add(world->ticks, &world->tickers[i]), 0);
        }
}

static void unmake(struct world *world) {
        for (size_t i = 0; i < MANY; i++)
                halt_ticks_remove(&world->tickers[i]);
        halt_ticks_free(world->ticks);
        sd_event_unref(world->event);
}

static void run_until(struct world *world, size_t i, unsigned n_ticks) {
        uint64_t deadline_ns = source_now_ns() + UINT64_C(20000000000);

        while (world->n_ticks[i] < n_ticks && source_now_ns() < deadline_ns)
                assert_true(sd_event_run(world->event, 100000) >= 0);
        assert_true(world->n_ticks[i] >= n_ticks);
}

static void all_tick_in_one_round(void **state) {
        struct world world;

        make(&world, SOON_NS);
        run_until(&world, 0, 1); /* the first is the last of a round */
        for (size_t i = 0; i < MANY; i++)
                assert_int_equal(world.n_ticks[i], 1);
        unmake(&world);
}

static void who_wants_it_rarely_is_passed_over(void **state) {
        struct world world;
        uint64_t start_ns;

        make(&world, SOON_NS);
        halt_ticks_remove(&world.tickers[1]);
        world.tickers[1].every_ns = 10 * SOON_NS;
        assert_int_equal(halt_ticks_add(world.ticks, &world.tickers[1]), 0);
        start_ns = source_now_ns();
        run_until(&world, 0, 8);
        assert_in_range(world.n_ticks[1], 1, 1 + (source_now_ns() - start_ns) / (9 * SOON_NS));
        unmake(&world);
}

static void one_that_goes_during_a_round_is_not_ticked(void **state) {
        struct world world;

        make(&world, SOON_NS);
        world.remove = MANY - 2;
        run_until(&world, 0, 2);
        assert_int_equal(world.n_ticks[MANY - 2], 0);
        unmake(&world);
}

static void nobody_who_waits_is_no_wakeup(void **state) {
        struct world world;
        uint64_t deadline_ns;

        make(&world, SOON_NS);
        for (size_t i = 0; i < MANY; i++)
                halt_ticks_remove(&world.tickers[i]);
        deadline_ns = source_now_ns() + 3 * SOON_NS;
        while (source_now_ns() < deadline_ns)
                assert_int_equal(sd_event_run(world.event, SOON_NS / 1000), 0);
        unmake(&world);
}

static void a_round_that_takes_longer_than_its_period_comes_to_its_end(void **state) {
        struct world world;

        make(&world, SOON_NS);
        /* What is done at once is more than one period. */
        world.takes_ns = SOON_NS / 16;
        run_until(&world, 0, 2);
        assert_in_range(world.n_ticks[MANY - 1], 2, 3);
        unmake(&world);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_tick_in_one_round),
                cmocka_unit_test(who_wants_it_rarely_is_passed_over),
                cmocka_unit_test(one_that_goes_during_a_round_is_not_ticked),
                cmocka_unit_test(nobody_who_waits_is_no_wakeup),
                cmocka_unit_test(a_round_that_takes_longer_than_its_period_comes_to_its_end),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
