/* What waits for the disk, what is dropped when that is too much, and what becomes of a part that no disk would take. */
#include "engine/backlog.h"
#include "store/store_test_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/evidence.h"

enum {
        NO_SUCH_VM = 999,
        LARGE = 1 << 20,
        N_LINES = 16,
};

struct waiting {
        struct world *world;
        sd_event *event;
        struct backlog *backlog;
        char lines[N_LINES][256];
        size_t n_lines, n_stored;
        bool has_caught_up;
};

static void on_stored(struct store_batch *batch, void *userdata) {
        ((struct waiting *)userdata)->n_stored++;
}

static void on_caught_up(void *userdata) {
        ((struct waiting *)userdata)->has_caught_up = true;
}

static void on_trouble(const char *line, void *userdata) {
        struct waiting *waiting = userdata;

        assert_true(waiting->n_lines < N_LINES);
        snprintf(waiting->lines[waiting->n_lines++], sizeof(waiting->lines[0]), "%s", line);
}

static void begin(struct waiting *waiting, struct world *world, size_t n_bytes_max) {
        *waiting = (struct waiting){ .world = world };
        backlog_retry_usec = 1000;
        assert_true(sd_event_new(&waiting->event) >= 0);
        assert_int_equal(backlog_new(&waiting->backlog, waiting->event, world->store, n_bytes_max,
                                     &(struct backlog_events){ on_stored, on_caught_up, on_trouble, waiting }),
                         0);
}

static void end(struct waiting *waiting) {
        backlog_free(waiting->backlog);
        store_close(waiting->world->store);
        waiting->world->store = NULL;
        sd_event_unref(waiting->event);
}

/* The first is handed to the writer; that it is stored is not heard before store_drain(). */
static void begin_writing(struct waiting *waiting) {
        assert_int_equal(sd_event_run(waiting->event, 1000000), 1);
}

static void write_all(struct waiting *waiting) {
        for (int i = 0; i < 100 && !waiting->has_caught_up; i++) {
                sd_event_run(waiting->event, 10000);
                store_drain(waiting->world->store);
        }
        assert_true(waiting->has_caught_up);
        assert_true(backlog_is_empty(waiting->backlog));
}

/* A verdict on one fact that has no id yet. */
static void add_verdict(struct waiting *waiting, int64_t vm, uint64_t seq) {
        struct verdict_record record = make_record(waiting->world, seq, seq, 0);

        record.episode = 0;
        record.items[0].id = 0;
        backlog_add_verdict(waiting->backlog, vm, &record);
}

/* The numbers of the facts that verdicts of the VM rest on. */
static void check_stored(struct waiting *waiting, const char *expected) {
        static const char sql[] = "SELECT coalesce(group_concat(e.seq, ' '), '') = '%s' FROM (SELECT e.seq FROM verdict v JOIN verdict_evidence ve "
                                  "ON ve.verdict = v.number JOIN evidence e ON e.id = ve.evidence ORDER BY v.number) e";
        char text[sizeof(sql) + 64];

        snprintf(text, sizeof(text), sql, expected);
        assert_int_equal(world_sql_integer(waiting->world, text), 1);
}

static void the_newest_verdict_stays_whatever_its_size(void **state) {
        struct waiting waiting;

        begin(&waiting, *state, 1);
        add_verdict(&waiting, waiting.world->vm, 1);
        assert_int_equal(backlog_state(waiting.backlog).n_verdicts, 1);
        add_verdict(&waiting, waiting.world->vm, 2);
        add_verdict(&waiting, waiting.world->vm, 3);
        assert_int_equal(backlog_state(waiting.backlog).n_verdicts, 1);
        assert_int_equal(backlog_state(waiting.backlog).n_lost_verdicts, 2);
        write_all(&waiting);
        check_stored(&waiting, "3");
        end(&waiting);
}

/* What the writer has is never dropped, and so neither is the one behind it while that is the newest. */
static void what_is_with_the_writer_is_not_dropped(void **state) {
        struct waiting waiting;

        begin(&waiting, *state, 1);
        add_verdict(&waiting, waiting.world->vm, 1);
        begin_writing(&waiting);
        add_verdict(&waiting, waiting.world->vm, 2);
        assert_int_equal(backlog_state(waiting.backlog).n_lost_verdicts, 0);
        add_verdict(&waiting, waiting.world->vm, 3);
        assert_int_equal(backlog_state(waiting.backlog).n_lost_verdicts, 1);
        write_all(&waiting);
        check_stored(&waiting, "1 3");
        end(&waiting);
}

static void a_part_that_belongs_to_nothing_is_lost_alone(void **state) {
        struct waiting waiting;

        begin(&waiting, *state, LARGE);
        backlog_add_batch(waiting.backlog, make_facts(NO_SUCH_VM, 1, 3));
        add_verdict(&waiting, NO_SUCH_VM, 4);
        add_verdict(&waiting, waiting.world->vm, 5);
        write_all(&waiting);
        check_stored(&waiting, "5");
        assert_true(waiting.n_lines >= 2);
        for (size_t i = 0; i < 2; i++) {
                assert_non_null(strstr(waiting.lines[i], "a part of what waited for the disk is lost: "));
                assert_non_null(strstr(waiting.lines[i], "what this belongs to is not stored"));
        }
        assert_int_equal(backlog_state(waiting.backlog).n_lost_facts, 3);
        assert_int_equal(backlog_state(waiting.backlog).n_lost_verdicts, 1);
        end(&waiting);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(the_newest_verdict_stays_whatever_its_size, world_begin, world_end),
                cmocka_unit_test_setup_teardown(what_is_with_the_writer_is_not_dropped, world_begin, world_end),
                cmocka_unit_test_setup_teardown(a_part_that_belongs_to_nothing_is_lost_alone, world_begin, world_end),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
