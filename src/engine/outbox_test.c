#include "engine/outbox.h"
#include "engine/outbox_watch.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "outlets/hook_outlet.h"
#include "store/store_test_world.h"

#define SECOND UINT64_C(1000000000)

enum {
        PATIENCE_S = 60, /* for one event, on a busy machine */
        TOLD_MAX = 4096,
};

/* An outlet that does as it is told. */
struct played {
        struct outlet outlet;
        int says;               /* what `tell` says from now on */
        int fails_at;           /* but for this number it says -EIO; 0: none */
        uint64_t told[TOLD_MAX]; /* numbers, in the order in which `tell` was called */
        unsigned n_told;
        bool *is_closed;
};

struct scene {
        struct world *store_world;
        sd_event *event;
        sd_event_source *committed;
        struct outbox *outbox;
        struct outbox_config config;
        char troubles[16384];
        unsigned n_troubles;
        uint64_t n_verdicts;
};

static void on_trouble(const char *line, void *userdata) {
        struct scene *scene = userdata;
        size_t n = strlen(scene->troubles);

        scene->n_troubles++;
        snprintf(scene->troubles + n, sizeof(scene->troubles) - n, "%s\n", line);
}

static int on_committed(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct scene *scene = userdata;

        store_dispatch(scene->store_world->store);
        return 0;
}

static struct store *store_of(struct scene *scene) {
        return scene->store_world->store;
}

static void begin(struct scene *scene) {
        const struct outbox_events events = { on_trouble, scene };
        char why[STORE_WHY_MAX];

        assert_true(sd_event_add_io(scene->event, &scene->committed, store_fd(store_of(scene)), EPOLLIN, on_committed, scene) >= 0);
        if (outbox_new(&scene->outbox, scene->event, store_of(scene), &scene->config, &events, why))
                fail_msg("%s", why);
}

static void end(struct scene *scene) {
        scene->outbox = outbox_free(scene->outbox);
        scene->committed = sd_event_source_disable_unref(scene->committed);
}

static int scene_begin(void **state) {
        struct scene *scene = calloc(1, sizeof(*scene));
        sigset_t child;
        void *world;

        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        sigprocmask(SIG_BLOCK, &child, NULL);
        assert_int_equal(world_begin(&world), 0);
        scene->store_world = world;
        assert_true(sd_event_new(&scene->event) >= 0);
        scene->config = (struct outbox_config){ .retry_ns = SECOND / 1000, .retry_max_ns = SECOND / 100 };
        begin(scene);
        *state = scene;
        return 0;
}

static int scene_end(void **state) {
        struct scene *scene = *state;
        void *world = scene->store_world;

        end(scene);
        sd_event_unref(scene->event);
        world_end(&world);
        free(scene);
        return 0;
}

/* A restart, or a crash: the outbox did not settle, only what was written counts. */
static void begin_again(struct scene *scene) {
        end(scene);
        world_close(scene->store_world);
        world_open(scene->store_world);
        *scene->troubles = '\0';
        scene->n_troubles = 0;
        begin(scene);
}

static double seconds(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void turn(struct scene *scene) {
        assert_true(sd_event_run(scene->event, 20000) >= 0);
}

static void wait_told(struct scene *scene, const struct played *played, unsigned wanted) {
        double until = seconds() + PATIENCE_S;

        while (played->n_told < wanted) {
                turn(scene);
                if (seconds() > until)
                        fail_msg("%s: %u were told, not %u: %s", played->outlet.name, played->n_told, wanted, scene->troubles);
        }
}

static uint64_t cursor_of(struct scene *scene, const char *outlet) {
        char why[STORE_WHY_MAX];
        uint64_t number = 0;

        return store_find_told(store_of(scene), outlet, &number, why) ? UINT64_MAX : number;
}

static void wait_cursor(struct scene *scene, const char *outlet, uint64_t wanted) {
        double until = seconds() + PATIENCE_S;

        while (cursor_of(scene, outlet) != wanted) {
                turn(scene);
                if (seconds() > until)
                        fail_msg("%s is at %d, not %d: %s", outlet, (int)cursor_of(scene, outlet), (int)wanted, scene->troubles);
        }
}

/* --- what is played ---------------------------------------------------------------------------------------------- */

static int played_tell(struct outlet *outlet, const struct verdict_record *record) {
        struct played *played = (struct played *)outlet;

        assert_true(played->n_told < TOLD_MAX);
        if (played->says == OUTLET_FULL)
                return OUTLET_FULL;
        played->told[played->n_told++] = record->number;
        snprintf(outlet->why, sizeof(outlet->why), "it is played");
        return played->fails_at && record->number == (uint64_t)played->fails_at ? -EIO : played->says;
}

static struct outlet *played_close(struct outlet *outlet) {
        struct played *played = (struct played *)outlet;

        if (played->is_closed)
                *played->is_closed = true;
        free(outlet);
        return NULL;
}

static struct played *add_played(struct scene *scene, const char *name, unsigned at_once) {
        static const struct outlet_ops ops = { .tell = played_tell, .close = played_close };
        struct played *played = calloc(1, sizeof(*played));
        char why[STORE_WHY_MAX];

        played->outlet = (struct outlet){ .ops = &ops, .name = name, .at_once = at_once };
        if (outbox_add(scene->outbox, &played->outlet, why))
                fail_msg("%s", why);
        return played;
}

static void is_done(struct played *played, uint64_t number, int result) {
        played->outlet.sink.done(played->outlet.sink.userdata, number, result);
}

static void assert_told(const struct played *played, const char *wanted) {
        char text[TOLD_MAX] = "";

        for (unsigned i = 0; i < played->n_told; i++)
                snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d ", (int)played->told[i]);
        assert_string_equal(text, wanted);
}

/* --- verdicts ---------------------------------------------------------------------------------------------------- */

/* Write one, as another process would. */
static struct verdict_record write_verdict(struct scene *scene) {
        struct world *world = scene->store_world;
        uint64_t fact = world_write_facts(world, ++scene->n_verdicts, 1);
        struct verdict_record record = make_record(world, fact, fact, 0), copy = make_record(world, fact, fact, 0);

        world_write_verdict(world, world->vm, &record);
        verdict_record_deinit(&record);
        copy.number = scene->n_verdicts;
        return copy;
}

static void write_verdicts(struct scene *scene, unsigned n) {
        while (n--) {
                struct verdict_record record = write_verdict(scene);

                verdict_record_deinit(&record);
        }
}

static void publish(struct scene *scene, unsigned n) {
        while (n--) {
                struct verdict_record record = write_verdict(scene);

                outbox_publish(scene->outbox, &record);
                verdict_record_deinit(&record);
        }
}

/* --- sentences --------------------------------------------------------------------------------------------------- */

static void a_new_outlet_begins_now(void **state) {
        struct scene *scene = *state;
        struct played *played;

        write_verdicts(scene, 3);
        begin_again(scene);
        played = add_played(scene, "new", 1);
        publish(scene, 2);
        assert_told(played, "4 5 ");
        wait_cursor(scene, "new", 5);
        assert_int_equal(scene->n_troubles, 0);
}

/* "Now" is written before anything that comes after it: a crash does not move it. */
static void now_is_durable(void **state) {
        struct scene *scene = *state;
        struct played *played;

        add_played(scene, "new", 1);
        write_verdicts(scene, 2);
        begin_again(scene);
        played = add_played(scene, "new", 1);
        wait_told(scene, played, 2);
        assert_told(played, "1 2 ");
}

static void what_is_behind_the_cursor_is_told_after_a_restart_and_nothing_else(void **state) {
        struct scene *scene = *state;
        struct played *played = add_played(scene, "a", 1);

        publish(scene, 2);
        wait_cursor(scene, "a", 2);
        end(scene);
        begin(scene);
        write_verdicts(scene, 100);
        begin_again(scene);
        played = add_played(scene, "a", 1);
        wait_told(scene, played, 100);
        wait_cursor(scene, "a", 102);
        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(played->told[i], 3 + i);
        assert_int_equal(played->n_told, 100);
}

static void verdicts_of_another_process_are_told_in_their_place(void **state) {
        struct scene *scene = *state;
        struct played *played = add_played(scene, "a", 1);
        char why[STORE_WHY_MAX];

        publish(scene, 1);
        write_verdicts(scene, 2);
        publish(scene, 1);
        wait_told(scene, played, 4);
        assert_told(played, "1 2 3 4 ");
        write_verdicts(scene, 1);
        assert_int_equal(outbox_look(scene->outbox, why), 0);
        wait_told(scene, played, 5);
        assert_told(played, "1 2 3 4 5 ");
}

/* Nobody asks it to look; and when nothing is written, nothing wakes. */
static void verdicts_of_another_process_are_told_by_themselves(void **state) {
        struct scene *scene = *state;
        struct played *played = add_played(scene, "a", 1);
        struct outbox_watch *watch;
        double until;

        assert_int_equal(outbox_watch_new(&watch, scene->event, scene->outbox, scene->store_world->directory), 0);
        for (unsigned i = 1; i <= 3; i++) {
                write_verdicts(scene, 1);
                wait_told(scene, played, i);
        }
        wait_cursor(scene, "a", 3);
        /* Two looks after the last write, at most; then it sleeps. */
        for (until = seconds() + PATIENCE_S; seconds() < until;)
                if (!sd_event_run(scene->event, 1500000))
                        break;
        assert_true(seconds() < until);
        assert_told(played, "1 2 3 ");
        outbox_watch_free(watch);
        assert_int_equal(outbox_watch_new(&watch, scene->event, scene->outbox, "/nonexistent"), -ENOENT);
}

static void what_was_begun_and_not_done_is_told_again_after_a_crash(void **state) {
        struct scene *scene = *state;
        struct played *played = add_played(scene, "a", 3);

        played->says = OUTLET_STARTED;
        publish(scene, 5);
        assert_told(played, "1 2 3 ");
        is_done(played, 1, 0);
        is_done(played, 3, 0);
        wait_told(scene, played, 5);
        assert_told(played, "1 2 3 4 5 ");
        wait_cursor(scene, "a", 1);
        begin_again(scene);
        played = add_played(scene, "a", 3);
        wait_told(scene, played, 4);
        assert_told(played, "2 3 4 5 ");
}

static void an_outlet_that_waits_keeps_no_other_from_being_told(void **state) {
        struct scene *scene = *state;
        struct played *slow = add_played(scene, "slow", 2), *quick = add_played(scene, "quick", 1);
        struct played *full = add_played(scene, "full", 1), *away = add_played(scene, "away", 1);

        slow->says = OUTLET_STARTED;
        full->says = OUTLET_FULL;
        away->says = OUTLET_AWAY;
        publish(scene, 50);
        assert_int_equal(quick->n_told, 50);
        assert_told(slow, "1 2 ");
        assert_int_equal(full->n_told, 0);
        wait_cursor(scene, "quick", 50);
        assert_int_equal(cursor_of(scene, "slow"), 0);
        full->says = 0;
        full->outlet.sink.ready(full->outlet.sink.userdata);
        away->says = 0;
        wait_cursor(scene, "full", 50);
        wait_cursor(scene, "away", 50);
        assert_int_equal(full->n_told, 50);
        /* Each attempt at the first, then all of them once. */
        assert_true(away->n_told > 50);
        assert_int_equal(away->told[0], 1);
        assert_int_equal(away->told[away->n_told - 50], 1);
        assert_int_equal(away->told[away->n_told - 1], 50);
        assert_non_null(strstr(scene->troubles, "away: cannot be told just now, so verdicts wait: it is played\n"));
        assert_non_null(strstr(scene->troubles, "away: it is told again\n"));
        assert_int_equal(scene->n_troubles, 2);
}

static void what_fails_is_tried_again_then_said_and_skipped(void **state) {
        struct scene *scene = *state;
        struct played *played = add_played(scene, "a", 1);

        played->fails_at = 2;
        publish(scene, 3);
        wait_cursor(scene, "a", 3);
        assert_told(played, "1 2 2 2 2 2 3 ");
        assert_string_equal(scene->troubles, "a: verdict 2 was not told, and is tried again: it is played\n"
                                             "a: verdict 2 was not told, and is given up: it is played\n");
}

static void what_fails_in_the_end_is_tried_again_while_others_go_on(void **state) {
        struct scene *scene = *state;
        struct played *played = add_played(scene, "a", 2);

        played->says = OUTLET_STARTED;
        publish(scene, 4);
        assert_told(played, "1 2 ");
        is_done(played, 1, -EIO);
        is_done(played, 2, 0);
        wait_told(scene, played, 4);
        is_done(played, 3, 0);
        wait_told(scene, played, 5);
        assert_int_equal(played->told[0] + played->told[1] + played->told[2] + played->told[3] + played->told[4], 1 + 1 + 2 + 3 + 4);
        is_done(played, 4, 0);
        is_done(played, 1, 0);
        wait_cursor(scene, "a", 4);
}

static void one_that_waits_to_be_tried_again_keeps_no_other_from_being_told(void **state) {
        struct scene *scene = *state;
        struct played *played;

        scene->config.retry_ns = scene->config.retry_max_ns = PATIENCE_S * SECOND;
        begin_again(scene);
        played = add_played(scene, "a", 2);
        played->says = OUTLET_STARTED;
        publish(scene, 6);
        for (unsigned i = 1; i <= 4; i++) {
                wait_told(scene, played, i);
                is_done(played, i, -EIO);
        }
        wait_told(scene, played, 6);
        assert_told(played, "1 2 3 4 5 6 ");
        /* Nor are more told at once than may be. */
        publish(scene, 1);
        for (unsigned i = 0; i < 20; i++)
                turn(scene);
        assert_int_equal(played->n_told, 6);
}

/* What would be told twice after a crash has a bound, however long one verdict waits. */
static void one_that_waits_lets_only_so_many_pass(void **state) {
        struct scene *scene = *state;
        struct played *played;

        scene->config.ahead_max = 8;
        begin_again(scene);
        played = add_played(scene, "a", 2);
        played->says = OUTLET_STARTED;
        publish(scene, 1);
        played->says = 0;
        publish(scene, 20);
        for (unsigned i = 0; i < 20; i++)
                turn(scene);
        assert_told(played, "1 2 3 4 5 6 7 8 ");
        is_done(played, 1, 0);
        wait_told(scene, played, 21);
        wait_cursor(scene, "a", 21);
}

static void a_verdict_that_is_on_no_disk_is_told_once_or_said_to_be_lost(void **state) {
        struct scene *scene = *state;
        struct played *played = add_played(scene, "a", 1), *full = add_played(scene, "full", 1);
        struct verdict_record record = write_verdict(scene);

        full->says = OUTLET_FULL;
        record.number = 0;
        outbox_publish(scene->outbox, &record);
        assert_told(played, "0 ");
        assert_int_equal(scene->n_troubles, 1);
        assert_non_null(strstr(scene->troubles, "full: a verdict that is on no disk was not told: "));
        verdict_record_deinit(&record);
}

static void outlets_that_are_no_more_are_forgotten(void **state) {
        struct scene *scene = *state;
        bool is_closed = false;
        char why[STORE_WHY_MAX];
        struct played *played;

        add_played(scene, "hook:/a", 1);
        add_played(scene, "hook:/b", 1);
        add_played(scene, "journald", 1);
        publish(scene, 1);
        wait_cursor(scene, "hook:/a", 1);
        wait_cursor(scene, "hook:/b", 1);
        wait_cursor(scene, "journald", 1);
        begin_again(scene);
        played = add_played(scene, "hook:/b", 1);
        played->is_closed = &is_closed;
        assert_int_equal(outbox_forget_others(scene->outbox, "hook:", why), 0);
        wait_cursor(scene, "hook:/a", UINT64_MAX);
        assert_int_equal(cursor_of(scene, "hook:/b"), 1);
        assert_int_equal(cursor_of(scene, "journald"), 1);
        end(scene);
        assert_true(is_closed);
        begin(scene);
}

static void a_cursor_that_cannot_be_written_is_written_later(void **state) {
        struct scene *scene = *state;
        struct played *played = add_played(scene, "a", 1);

        wait_cursor(scene, "a", 0);
        world_sql(scene->store_world, "ALTER TABLE outlet RENAME TO outlet_gone");
        publish(scene, 1);
        for (double until = seconds() + PATIENCE_S; !scene->n_troubles && seconds() < until;)
                turn(scene);
        assert_non_null(strstr(scene->troubles, "a: how far it is could not be written: "));
        assert_int_equal(played->n_told, 1);
        world_sql(scene->store_world, "ALTER TABLE outlet_gone RENAME TO outlet");
        wait_cursor(scene, "a", 1);
        assert_int_equal(scene->n_troubles, 1);
        assert_int_equal(played->n_told, 1);
}

static void note_state(const struct outbox_state *state, void *userdata) {
        char *text = userdata, one[128];

        snprintf(one, sizeof(one), "%s told=%d failures=%d skipped=%d behind=%d\n", state->outlet, (int)state->told,
                 (int)state->failures, (int)state->skipped, (int)state->behind);
        strcat(text, one);
}

static void what_was_told_is_counted(void **state) {
        struct scene *scene = *state;
        struct played *failing = add_played(scene, "failing", 1), *slow = add_played(scene, "slow", 2);
        char text[512] = "";

        failing->fails_at = 1;
        slow->says = OUTLET_STARTED;
        publish(scene, 3);
        wait_cursor(scene, "failing", 3);
        outbox_each(scene->outbox, note_state, text);
        assert_string_equal(text, "failing told=2 failures=5 skipped=1 behind=0\n"
                                  "slow told=0 failures=0 skipped=0 behind=3\n");
}

static void settling_waits_for_the_disk(void **state) {
        struct scene *scene = *state;
        struct played *played = add_played(scene, "a", 1);

        publish(scene, 20);
        outbox_settle(scene->outbox, 0);
        assert_int_equal(cursor_of(scene, "a"), 20);
        publish(scene, 1);
        assert_int_equal(played->n_told, 20);
        begin_again(scene);
        played = add_played(scene, "a", 1);
        wait_told(scene, played, 1);
        assert_told(played, "21 ");
}

/* --- real programs ----------------------------------------------------------------------------------------------- */

static void add_hook(struct scene *scene, const char *name, const char *script, unsigned at_once) {
        const struct hook_config config = { .timeout_ns = PATIENCE_S * SECOND, .at_once = at_once };
        char path[128], why[STORE_WHY_MAX];
        struct outlet *outlet;
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", scene->store_world->directory, name);
        file = fopen(path, "we");
        assert_non_null(file);
        fprintf(file, "#!/bin/sh\ncd '%s'\n%s", scene->store_world->directory, script);
        fclose(file);
        assert_int_equal(chmod(path, 0755), 0);
        assert_int_equal(hook_outlet_new(&outlet, scene->event, path, &config), 0);
        if (outbox_add(scene->outbox, outlet, why))
                fail_msg("%s", why);
}

static unsigned count_lines(struct scene *scene, const char *name, unsigned *ret_largest) {
        cleanup(fclosep) FILE *file = NULL;
        char path[128], line[64];
        unsigned n = 0;

        snprintf(path, sizeof(path), "%s/%s", scene->store_world->directory, name);
        file = fopen(path, "re");
        while (file && fgets(line, sizeof(line), file)) {
                n++;
                if (ret_largest && (unsigned)atoi(line) > *ret_largest)
                        *ret_largest = (unsigned)atoi(line);
        }
        return n;
}

static char *hook_name(struct scene *scene, const char *name) {
        static char text[160];

        snprintf(text, sizeof(text), "hook:%s/%s", scene->store_world->directory, name);
        return text;
}

/* Each run makes a file, and counts how many of them are there: its own, and those of the others that run. */
static void a_hundred_verdicts_at_once_run_four_hooks_at_a_time(void **state) {
        struct scene *scene = *state;
        struct played *quick;
        unsigned largest = 0;

        mkdir(strcat(strcpy((char[128]){}, scene->store_world->directory), "/running"), 0755);
        add_hook(scene, "counting",
                 "touch running/$VMPOWER_NUMBER\nls running | wc -l >>many\nsleep 0.02\nrm running/$VMPOWER_NUMBER\n"
                 "echo $VMPOWER_NUMBER >>told\n",
                 4);
        quick = add_played(scene, "quick", 1);
        publish(scene, 100);
        /* Somebody else is told before the first few have ended. */
        assert_int_equal(quick->n_told, 100);
        wait_cursor(scene, hook_name(scene, "counting"), 100);
        assert_int_equal(count_lines(scene, "told", NULL), 100);
        assert_int_equal(count_lines(scene, "many", &largest), 100);
        assert_true(largest >= 2 && largest <= 4);
        assert_int_equal(scene->n_troubles, 0);
}

static void a_hook_that_fails_twice_is_run_a_third_time(void **state) {
        struct scene *scene = *state;

        add_hook(scene, "failing", "echo x >>tries\necho \"try $(wc -l <tries)\"\n[ $(wc -l <tries) -ge 3 ]\n", 1);
        publish(scene, 1);
        wait_cursor(scene, hook_name(scene, "failing"), 1);
        assert_int_equal(count_lines(scene, "tries", NULL), 3);
        assert_int_equal(scene->n_troubles, 1);
        assert_non_null(strstr(scene->troubles, "verdict 1 was not told, and is tried again: exit status 1: try 1\n"));
}

static void settling_waits_for_the_hooks_that_run_and_begins_no_more(void **state) {
        struct scene *scene = *state;

        add_hook(scene, "slow", "sleep 0.3\necho $VMPOWER_NUMBER >>told\n", 1);
        publish(scene, 2);
        outbox_settle(scene->outbox, PATIENCE_S * SECOND);
        assert_int_equal(count_lines(scene, "told", NULL), 1);
        assert_int_equal(cursor_of(scene, hook_name(scene, "slow")), 1);
}

static void no_outlet_is_added_twice(void **state) {
        const struct hook_config config = { .timeout_ns = SECOND, .at_once = 1 };
        struct scene *scene = *state;
        struct outlet *outlet;
        char path[128], why[STORE_WHY_MAX];

        add_hook(scene, "one", "", 1);
        snprintf(path, sizeof(path), "%s/one", scene->store_world->directory);
        assert_int_equal(hook_outlet_new(&outlet, scene->event, path, &config), 0);
        assert_int_equal(outbox_add(scene->outbox, outlet, why), -EEXIST);
        assert_non_null(strstr(why, "it is told already"));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, scene_begin, scene_end)
                SENTENCE(a_new_outlet_begins_now),
                SENTENCE(now_is_durable),
                SENTENCE(what_is_behind_the_cursor_is_told_after_a_restart_and_nothing_else),
                SENTENCE(verdicts_of_another_process_are_told_in_their_place),
                SENTENCE(verdicts_of_another_process_are_told_by_themselves),
                SENTENCE(what_was_begun_and_not_done_is_told_again_after_a_crash),
                SENTENCE(an_outlet_that_waits_keeps_no_other_from_being_told),
                SENTENCE(what_fails_is_tried_again_then_said_and_skipped),
                SENTENCE(what_fails_in_the_end_is_tried_again_while_others_go_on),
                SENTENCE(one_that_waits_to_be_tried_again_keeps_no_other_from_being_told),
                SENTENCE(one_that_waits_lets_only_so_many_pass),
                SENTENCE(a_verdict_that_is_on_no_disk_is_told_once_or_said_to_be_lost),
                SENTENCE(outlets_that_are_no_more_are_forgotten),
                SENTENCE(a_cursor_that_cannot_be_written_is_written_later),
                SENTENCE(what_was_told_is_counted),
                SENTENCE(settling_waits_for_the_disk),
                SENTENCE(a_hundred_verdicts_at_once_run_four_hooks_at_a_time),
                SENTENCE(a_hook_that_fails_twice_is_run_a_third_time),
                SENTENCE(settling_waits_for_the_hooks_that_run_and_begins_no_more),
                SENTENCE(no_outlet_is_added_twice),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
