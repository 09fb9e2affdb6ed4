#include "engine/engine.h"

#include <setjmp.h>
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "engine/backlog.h"

enum {
        N_VMS = 8,
        TOLD_MAX = 256,
};

struct world {
        char directory[64];
        struct store *store;
        sd_event *event;
        struct engine *engine;
        struct engine_vm *vms[N_VMS];
        struct {
                char id[VERDICT_ID_MAX];
                char vm[VM_NAME_MAX];
                enum transition transition;
        } told[TOLD_MAX];
        size_t n_told, n_over;
        int n_flushes_recorded; /* so many there were by then */
        char troubles[16 * 1024];
        uint64_t at_ns;
        int64_t clock_offset_ns; /* of the wall clock that the facts carry */
};

static void on_verdict(struct engine_vm *vm, const struct verdict_record *record, void *userdata) {
        struct world *world = userdata;

        assert_true(world->n_told < TOLD_MAX);
        strcpy(world->told[world->n_told].id, record->id);
        strcpy(world->told[world->n_told].vm, record->vm.name);
        world->told[world->n_told++].transition = record->verdict.transition;
}

static void on_over(struct engine_vm *vm, void *userdata) {
        struct world *world = userdata;

        world->n_over++;
}

/* SQLite's, too: how often the disk was flushed. */
static _Atomic int n_flushes;

int fdatasync(int fd) {
        n_flushes++;
        return (int)syscall(SYS_fdatasync, fd);
}

static void on_recorded(struct engine_vm *vm, const struct evidence *evidence, int result, void *userdata) {
        struct world *world = userdata;

        world->n_flushes_recorded = n_flushes;
}

static void on_trouble(const char *line, void *userdata) {
        struct world *world = userdata;

        assert_true(strlen(world->troubles) + strlen(line) + 2 < sizeof(world->troubles));
        strcat(strcat(world->troubles, line), "\n");
}

static void add_vm(struct world *world, size_t i) {
        struct store_vm instance = { .pid = 1, .uid = -1, .began_ns = 1 };
        struct policy policy = policy_default(false);
        char why[STORE_WHY_MAX];

        snprintf(instance.identity.name, sizeof(instance.identity.name), "vm-%zu", i);
        snprintf(instance.identity.instance, sizeof(instance.identity.instance), "boot:%zu:1", i);
        strcpy(instance.identity.backend, "qemu");
        if (engine_add_vm(world->engine, &instance, &policy, true, &world->vms[i], NULL, why))
                fail_msg("%s", why);
}

static int world_begin(void **state) {
        struct world *world = calloc(1, sizeof(*world));
        const struct engine_events events = { .verdict = on_verdict, .over = on_over, .recorded = on_recorded, .trouble = on_trouble,
                                               .userdata = world };
        char why[STORE_WHY_MAX];

        signal(SIGXFSZ, SIG_IGN);
        engine_patience_ns = 100000000;
        backlog_retry_usec = 20000;
        strcpy(world->directory, "/tmp/vmpower-engine-XXXXXX");
        assert_non_null(mkdtemp(world->directory));
        assert_int_equal(store_open(&world->store, world->directory, STORE_WRITE, why), 0);
        assert_true(sd_event_new(&world->event) >= 0);
        assert_int_equal(engine_new(&world->engine, world->event, world->store, &events), 0);
        for (size_t i = 0; i < N_VMS; i++)
                add_vm(world, i);
        world->at_ns = source_now_ns() - UINT64_C(1000000000);
        *state = world;
        return 0;
}

/* A limit of a file's size is a full disk that needs no rights: no file of this process grows. */
static void fill_disk(bool is_full) {
        struct rlimit limit;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = is_full ? 4096 : limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int world_end(void **state) {
        struct world *world = *state;
        char command[96];

        fill_disk(false);
        engine_settle(world->engine);
        engine_free(world->engine);
        store_close(world->store);
        sd_event_unref(world->event);
        engine_backlog_max = BACKLOG_BYTES_MAX;
        snprintf(command, sizeof(command), "rm -r %s", world->directory);
        assert_int_equal(system(command), 0);
        free(world);
        return 0;
}

static void report(struct world *world, size_t vm, enum evidence_source source, enum evidence_kind kind, const char *word) {
        struct evidence evidence = evidence_make(source, kind);

        world->at_ns += 1000000;
        evidence.at_ns = world->at_ns;
        evidence.time_ns = (uint64_t)((int64_t)source_time_ns() + world->clock_offset_ns);
        evidence.flag = kind == EVIDENCE_SHUTDOWN || kind == EVIDENCE_RESET ? TRISTATE_TRUE : TRISTATE_NULL;
        evidence_set_word(&evidence, word);
        source_report(engine_vm_sink(world->vms[vm]), &evidence);
}

static void power_off(struct world *world, size_t vm) {
        report(world, vm, SOURCE_QMP, EVIDENCE_MONITOR_OPENED, "7.2.22");
        report(world, vm, SOURCE_QMP, EVIDENCE_SHUTDOWN, "guest-shutdown");
        report(world, vm, SOURCE_QMP, EVIDENCE_MONITOR_CLOSED, "");
        report(world, vm, SOURCE_PROCESS, EVIDENCE_EXITED, "");
}

/* Until so many verdicts were told and so many VMs are over; fails after 20 s. */
static void run_until(struct world *world, size_t n_told, size_t n_over) {
        const uint64_t until_ns = source_now_ns() + UINT64_C(20000000000);

        while (world->n_told < n_told || world->n_over < n_over) {
                if (source_now_ns() > until_ns)
                        fail_msg("%zu told, %zu over: %s", world->n_told, world->n_over, world->troubles);
                assert_true(sd_event_run(world->event, 100000) >= 0);
        }
}

static void run_until_said(struct world *world, const char *words) {
        const uint64_t until_ns = source_now_ns() + UINT64_C(20000000000);

        while (!strstr(world->troubles, words)) {
                if (source_now_ns() > until_ns)
                        fail_msg("not said: %s", world->troubles);
                assert_true(sd_event_run(world->event, 100000) >= 0);
        }
}

static int note_id(const struct verdict_record *record, void *userdata) {
        strcat(strcat(userdata, record->id), " ");
        return 0;
}

/* The ids of history, newest first. */
static const char *history(struct world *world, const struct store_query *query) {
        static char text[TOLD_MAX * VERDICT_ID_MAX];
        char why[STORE_WHY_MAX];

        *text = '\0';
        if (store_each_verdict(world->store, query, note_id, text, why))
                fail_msg("%s", why);
        return text;
}

/* What was told, newest first, as history gives it. */
static const char *told(const struct world *world) {
        static char text[TOLD_MAX * VERDICT_ID_MAX];

        *text = '\0';
        for (size_t i = world->n_told; i-- > 0;)
                strcat(strcat(text, world->told[i].id), " ");
        return text;
}

static size_t n_open(struct world *world) {
        struct store_status status;
        char why[STORE_WHY_MAX];

        assert_int_equal(store_read_status(world->store, &status, why), 0);
        return status.n_open_vms;
}

static void a_verdict_is_stored_and_told(void **state) {
        struct world *world = *state;

        power_off(world, 0);
        run_until(world, 1, 1);
        engine_settle(world->engine);
        assert_int_equal(world->told[0].transition, TRANSITION_POWEROFF);
        assert_string_equal(history(world, &(struct store_query){ .all_revisions = true }), told(world));
        assert_string_equal(world->troubles, "");
}

static void on_a_full_disk_it_says_so_and_keeps_judging(void **state) {
        struct world *world = *state;

        fill_disk(true);
        power_off(world, 0);
        run_until(world, 1, 1);
        assert_int_equal(world->told[0].transition, TRANSITION_POWEROFF);
        assert_non_null(strstr(world->troubles, "evidence could not be stored"));
        assert_non_null(strstr(world->troubles, "the verdict on vm-0 is told, but could not be stored yet"));
        assert_string_equal(history(world, &(struct store_query){}), "");
        assert_int_equal(engine_backlog(world->engine).n_verdicts, 1);
        assert_in_range(engine_backlog(world->engine).n_facts, 1, 4);
}

static void assert_nothing_waits(struct world *world) {
        const struct backlog_state state = engine_backlog(world->engine);

        assert_int_equal(state.n_verdicts, 0);
        assert_int_equal(state.n_facts, 0);
        assert_int_equal(state.n_bytes, 0);
}

static void once_there_is_room_what_was_told_is_stored_once_and_in_order(void **state) {
        struct world *world = *state;

        fill_disk(true);
        for (size_t i = 0; i < 4; i++) {
                report(world, i, SOURCE_QMP, EVIDENCE_RESET, "guest-reset");
                report(world, i, SOURCE_QMP, EVIDENCE_STOP, "");
                power_off(world, i);
                run_until(world, world->n_told + 1, i + 1);
        }
        assert_string_equal(history(world, &(struct store_query){}), "");
        fill_disk(false);
        run_until_said(world, "the disk takes what it is given again");
        power_off(world, 4);
        run_until(world, world->n_told + 1, 5);
        engine_settle(world->engine);
        assert_string_equal(history(world, &(struct store_query){ .all_revisions = true }), told(world));
        assert_string_equal(history(world, &(struct store_query){ .name = "vm-4" }),
                            strcat(world->told[world->n_told - 1].id, " "));
        assert_int_equal(n_open(world), N_VMS - 5);
        assert_nothing_waits(world);
        assert_int_equal(engine_backlog(world->engine).n_lost_verdicts, 0);
        assert_int_equal(engine_backlog(world->engine).n_lost_facts, 0);
}

static void what_comes_after_a_sickness_waits_behind_what_came_before(void **state) {
        struct world *world = *state;

        backlog_retry_usec = 500000;
        fill_disk(true);
        power_off(world, 0);
        run_until(world, 1, 1);
        fill_disk(false);
        power_off(world, 1);
        run_until(world, 2, 2);
        run_until_said(world, "the disk takes what it is given again");
        engine_settle(world->engine);
        assert_string_equal(history(world, &(struct store_query){ .all_revisions = true }), told(world));
}

static int count_record(const struct verdict_record *record, void *userdata) {
        size_t *n_items = userdata;

        *n_items = record->n_items;
        assert_true(record->episode > 0);
        for (size_t i = 0; i < record->n_items; i++)
                assert_true(record->items[i].id > 0);
        return 0;
}

static void its_evidence_is_stored_with_it(void **state) {
        struct world *world = *state;
        char why[STORE_WHY_MAX];
        size_t n_items = 0;

        fill_disk(true);
        power_off(world, 0);
        run_until(world, 1, 1);
        fill_disk(false);
        run_until_said(world, "the disk takes what it is given again");
        assert_int_equal(store_each_verdict(world->store, &(struct store_query){ .name = "vm-0" }, count_record, &n_items, why), 0);
        assert_int_equal(n_items, 4);
}

static void a_disk_that_is_sick_for_a_moment_delays_the_verdict_no_more(void **state) {
        struct world *world = *state;

        engine_patience_ns = UINT64_C(60000000000);
        fill_disk(true);
        power_off(world, 0);
        run_until_said(world, "evidence could not be stored");
        assert_int_equal(world->n_told, 0);
        fill_disk(false);
        run_until(world, 1, 1);
        engine_settle(world->engine);
        assert_string_equal(history(world, &(struct store_query){}), told(world));
        assert_null(strstr(world->troubles, "is told, but could not be stored"));
}

static int find_gap(const struct evidence *evidence, void *userdata) {
        if (evidence->kind == EVIDENCE_GAP && strstr(evidence->text, "were lost"))
                *(size_t *)userdata += 1;
        return 0;
}

/* Facts that are in no verdict go first, then the oldest verdicts; that they went is evidence. */
static void what_is_beyond_the_bound_is_dropped_and_is_a_gap(void **state) {
        struct world *world = *state;
        size_t n_gaps = 0, n_stored;
        const char *ids;
        char why[STORE_WHY_MAX];

        fill_disk(true);
        /* No more of a kind for each VM than the tally lets through. */
        for (size_t i = 0; i < 7 * N_VMS; i++) {
                report(world, i % N_VMS, SOURCE_QMP, EVIDENCE_STOP, "");
                report(world, i % N_VMS, SOURCE_QMP, EVIDENCE_STATUS, "paused");
                run_until(world, world->n_told + 1, 0);
                report(world, i % N_VMS, SOURCE_QMP, EVIDENCE_RESUME, "");
                run_until(world, world->n_told + 1, 0);
        }
        fill_disk(false);
        run_until_said(world, "the disk takes what it is given again");
        engine_settle(world->engine);
        ids = history(world, &(struct store_query){ .all_revisions = true });
        n_stored = strlen(ids) / VERDICT_ID_MAX;
        assert_in_range(n_stored, 1, world->n_told - 1);
        /* The newest, without a hole. */
        assert_memory_equal(ids, told(world), strlen(ids));
        assert_int_equal(store_each_evidence(world->store, engine_vm_instance(world->vms[0])->id, 0, find_gap, &n_gaps, why), 0);
        assert_int_equal(n_gaps, 1);
        assert_nothing_waits(world);
        assert_int_equal(engine_backlog(world->engine).n_lost_verdicts, world->n_told - n_stored);
        assert_true(engine_backlog(world->engine).n_lost_facts > 0);
}

static int world_begin_small(void **state) {
        engine_backlog_max = 128 * 1024;
        return world_begin(state);
}

static void a_wall_clock_that_is_set_back_changes_no_order(void **state) {
        struct world *world = *state;

        for (size_t i = 0; i < 4; i++) {
                if (i == 2)
                        world->clock_offset_ns = -INT64_C(3600000000000);
                report(world, 0, SOURCE_QMP, EVIDENCE_STOP, "");
                report(world, 0, SOURCE_QMP, EVIDENCE_STATUS, "paused");
                run_until(world, 2 * i + 1, 0);
                report(world, 0, SOURCE_QMP, EVIDENCE_RESUME, "");
                run_until(world, 2 * i + 2, 0);
        }
        power_off(world, 0);
        run_until(world, 9, 1);
        engine_settle(world->engine);
        assert_string_equal(history(world, &(struct store_query){ .all_revisions = true }), told(world));
        assert_string_equal(history(world, &(struct store_query){ .limit = 1 }), strcat(world->told[8].id, " "));
}

/* Somebody else has the database locked: what is in hand waits, the loop does not. */
static void a_vm_that_is_added_while_the_disk_takes_nothing_holds_up_nobody(void **state) {
        struct world *world = *state;
        struct policy policy = policy_default(false);
        struct store_vm other = { 0 }, known = { 0 };
        struct engine_vm *vm;
        sqlite3 *lock;
        char why[STORE_WHY_MAX];
        uint64_t began_ns;

        assert_int_equal(sqlite3_open(store_path(world->store), &lock), SQLITE_OK);
        assert_int_equal(sqlite3_exec(lock, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        engine_add_patience_ms = 50;
        began_ns = source_now_ns();
        for (size_t i = 0; i < 2; i++) {
                struct store_vm instance = { .pid = 1, .uid = -1, .began_ns = 1, .command_line = strdup("qemu") };

                /* The first is with the writer, the second has not been begun with. */
                snprintf(instance.identity.name, sizeof(instance.identity.name), "late-%zu", i);
                snprintf(instance.identity.instance, sizeof(instance.identity.instance), "boot:10%zu:1", i);
                strcpy(instance.identity.backend, "qemu");
                assert_int_equal(engine_add_vm(world->engine, &instance, &policy, true, &vm, &other, why), -EAGAIN);
                assert_non_null(strstr(why, "the disk takes too long"));
                store_vm_deinit(&instance);
        }
        engine_add_patience_ms = 0;
        assert_in_range(source_now_ns() - began_ns, UINT64_C(100000000), UINT64_C(2000000000));
        assert_int_equal(sqlite3_exec(lock, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(lock), SQLITE_OK);
        power_off(world, 0);
        run_until(world, 1, 1);
        assert_int_equal(store_find_vm(world->store, "boot:100:1", &known), 0);
        store_vm_deinit(&known);
        assert_int_equal(store_find_vm(world->store, "boot:101:1", &known), -ENOENT);
}

static int count_resets(const struct evidence *evidence, void *userdata) {
        int64_t *n = userdata;

        if (evidence->kind == EVIDENCE_RESET)
                *n += 1;
        if (evidence->kind == EVIDENCE_OMITTED)
                *n += evidence->number;
        return 0;
}

/* The daemon ends in the middle of a reset loop. */
static void what_somebody_waits_for_is_recorded_once_the_disk_is_flushed(void **state) {
        struct world *world = *state;

        engine_settle(world->engine);
        for (int i = 0; i < 10; i++) {
                int before = n_flushes;

                world->n_flushes_recorded = 0;
                report(world, 0, SOURCE_VMPOWER, EVIDENCE_REQUEST, "quit");
                engine_settle(world->engine);
                assert_true(world->n_flushes_recorded > before);
        }
}

static void what_is_held_back_of_a_burst_is_on_record_when_its_vm_is_left(void **state) {
        struct world *world = *state;
        char why[STORE_WHY_MAX];
        int64_t n = 0;

        for (size_t i = 0; i < 100; i++)
                report(world, 0, SOURCE_QMP, EVIDENCE_RESET, "guest-reset");
        assert_int_equal(engine_vm_leave(world->vms[0], NULL), 0);
        engine_settle(world->engine);
        assert_int_equal(store_each_evidence(world->store, engine_vm_instance(world->vms[0])->id, 0, count_resets, &n, why), 0);
        assert_int_equal(n, 100);
}

/* It is reaped before its last words are read. */
static void what_a_vm_did_last_is_told_last(void **state) {
        struct world *world = *state;
        const struct store_query query = { .name = "vm-0" };

        report(world, 0, SOURCE_QMP, EVIDENCE_MONITOR_OPENED, "7.2.22");
        report(world, 0, SOURCE_QMP, EVIDENCE_STOP, "");
        report(world, 0, SOURCE_QMP, EVIDENCE_STATUS, "paused");
        run_until(world, 1, 0);
        world->at_ns += 20000000;
        report(world, 0, SOURCE_QMP, EVIDENCE_RESUME, "");
        report(world, 0, SOURCE_QMP, EVIDENCE_SHUTDOWN, "guest-shutdown");
        report(world, 0, SOURCE_QMP, EVIDENCE_MONITOR_CLOSED, "");
        world->at_ns -= 20000000;
        report(world, 0, SOURCE_PROCESS, EVIDENCE_EXITED, "");
        run_until(world, 3, 1);
        assert_int_equal(world->told[1].transition, TRANSITION_RESUME);
        assert_int_equal(world->told[2].transition, TRANSITION_POWEROFF);
        assert_string_equal(history(world, &query), told(world));
}

static void what_the_daemon_leaves_is_the_daemons_still(void **state) {
        struct store_vm instance = { .pid = 1, .uid = -1, .began_ns = 1, .is_daemons = true }, found;
        struct policy policy = policy_default(false);
        struct world *world = *state;
        struct engine_vm *vm;
        char why[STORE_WHY_MAX];

        strcpy(instance.identity.name, "kept");
        strcpy(instance.identity.instance, "boot:kept:1");
        strcpy(instance.identity.backend, "qemu");
        assert_int_equal(engine_add_vm(world->engine, &instance, &policy, true, &vm, NULL, why), 0);
        assert_int_equal(engine_vm_leave(vm, NULL), 0);
        engine_settle(world->engine);
        assert_int_equal(store_find_vm(world->store, "kept", &found), 0);
        assert_true(found.is_daemons);
        assert_string_equal(found.watcher, "");
        store_vm_deinit(&found);
        engine_remove_vm(vm);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
                SENTENCE(what_a_vm_did_last_is_told_last),
                SENTENCE(a_verdict_is_stored_and_told),
                SENTENCE(on_a_full_disk_it_says_so_and_keeps_judging),
                SENTENCE(once_there_is_room_what_was_told_is_stored_once_and_in_order),
                SENTENCE(what_comes_after_a_sickness_waits_behind_what_came_before),
                SENTENCE(its_evidence_is_stored_with_it),
                SENTENCE(a_disk_that_is_sick_for_a_moment_delays_the_verdict_no_more),
                cmocka_unit_test_setup_teardown(what_is_beyond_the_bound_is_dropped_and_is_a_gap, world_begin_small, world_end),
                SENTENCE(a_wall_clock_that_is_set_back_changes_no_order),
                SENTENCE(a_vm_that_is_added_while_the_disk_takes_nothing_holds_up_nobody),
                SENTENCE(what_somebody_waits_for_is_recorded_once_the_disk_is_flushed),
                SENTENCE(what_is_held_back_of_a_burst_is_on_record_when_its_vm_is_left),
                SENTENCE(what_the_daemon_leaves_is_the_daemons_still),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
