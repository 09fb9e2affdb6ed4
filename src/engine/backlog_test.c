/* What waits for the disk, what is dropped when that is too much, and what becomes of a part that no disk would take. */
#include "engine/backlog.h"
#include "store/store_test_world.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "core/evidence.h"
#include "sources/source.h"

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
        size_t full_after; /* so many were stored; 0: never */
        bool has_caught_up;
};

/* A limit of a file's size is a full disk that needs no rights: no file of this process grows. */
static void fill_disk(bool is_full) {
        struct rlimit limit;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = is_full ? 4096 : limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void on_stored(struct store_batch *batch, void *userdata) {
        struct waiting *waiting = userdata;

        if (++waiting->n_stored == waiting->full_after)
                fill_disk(true);
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

/* What the VM's only gap says, and that it lies where it should among the facts. */
static void check_gap(struct waiting *waiting, int64_t vm, uint64_t from_ns, uint64_t to_ns, const char *lost) {
        static const char sql[] = "SELECT count(*) = 1 AND sum(at_ns BETWEEN %" PRIu64 " AND %" PRIu64 " AND instr(data, ': %s were lost') > 0) = 1 "
                                  "FROM evidence WHERE kind = 'gap' AND vm = %" PRId64;
        char text[sizeof(sql) + 256];

        snprintf(text, sizeof(text), sql, from_ns, to_ns, lost, vm);
        assert_int_equal(world_sql_integer(waiting->world, text), 1);
}

/* The disk is sick again before it has taken the gap, and the bound drops that, too: what it told of is told once, with what is lost later. */
static void a_gap_that_is_dropped_is_told_later_and_once(void **state) {
        struct waiting waiting;
        uint64_t before_ns, after_ns;
        int64_t other;

        begin(&waiting, *state, 1);
        other = world_add_vm(waiting.world, "web-2", "boot-1:2:2");
        before_ns = source_now_ns();
        add_verdict(&waiting, waiting.world->vm, 1);
        add_verdict(&waiting, other, 2);
        add_verdict(&waiting, waiting.world->vm, 3);
        after_ns = source_now_ns();
        assert_int_equal(backlog_state(waiting.backlog).n_lost_verdicts, 2);

        /* The third's fact, and itself; then there is no room for the gaps. */
        waiting.full_after = 2;
        assert_false(backlog_flush(waiting.backlog));
        assert_int_equal(backlog_state(waiting.backlog).n_facts, 2);

        /* While the writer tries, what is behind them is lost; then they are themselves. */
        begin_writing(&waiting);
        add_verdict(&waiting, waiting.world->vm, 4);
        add_verdict(&waiting, waiting.world->vm, 5);
        assert_int_equal(backlog_state(waiting.backlog).n_lost_verdicts, 3);
        store_drain(waiting.world->store);
        assert_int_equal(backlog_state(waiting.backlog).n_facts, 2);
        backlog_add_batch(waiting.backlog, make_facts(waiting.world->vm, 6, 3));
        assert_int_equal(backlog_state(waiting.backlog).n_facts, 0);
        add_verdict(&waiting, waiting.world->vm, 9);
        fill_disk(false);
        write_all(&waiting);

        check_stored(&waiting, "3 9");
        check_gap(&waiting, waiting.world->vm, before_ns, after_ns, "3 facts and 3 verdicts");
        check_gap(&waiting, other, before_ns, after_ns, "0 facts and 1 verdicts");
        /* The last to wait. */
        assert_int_equal(world_sql_integer(waiting.world, "SELECT min(id) FROM evidence WHERE kind = 'gap'") >
                                 world_sql_integer(waiting.world, "SELECT max(id) FROM evidence WHERE kind != 'gap'"),
                         1);
        /* They were counted when they were lost. */
        assert_int_equal(backlog_state(waiting.backlog).n_lost_facts, 3);
        assert_int_equal(backlog_state(waiting.backlog).n_lost_verdicts, 4);
        end(&waiting);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(the_newest_verdict_stays_whatever_its_size, world_begin, world_end),
                cmocka_unit_test_setup_teardown(what_is_with_the_writer_is_not_dropped, world_begin, world_end),
                cmocka_unit_test_setup_teardown(a_part_that_belongs_to_nothing_is_lost_alone, world_begin, world_end),
                cmocka_unit_test_setup_teardown(a_gap_that_is_dropped_is_told_later_and_once, world_begin, world_end),
        };

        signal(SIGXFSZ, SIG_IGN);
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
