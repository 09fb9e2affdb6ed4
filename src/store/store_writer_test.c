#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "store/database.h"
#include "store/store_test_world.h"

static void evidence_gets_ids_that_rise_in_the_order_of_the_batch(void **state) {
        struct world *world = *state;
        struct outcome outcome = world_write(world, make_facts(world->vm, 1, 3));

        assert_int_equal(outcome.result, 0);
        assert_string_equal(outcome.why, "");
        assert_int_equal(outcome.first_id, 1);
        assert_int_equal(outcome.last_id, 3);
        assert_int_equal(world_write_facts(world, 4, 1), 4);
        assert_int_equal(world_sql_integer(world, "SELECT count(DISTINCT batch) FROM evidence"), 2);
        assert_int_equal(world_sql_integer(world, "SELECT max(batch) FROM evidence"), 4);
}

static void a_repeated_fact_is_stored_once_and_keeps_its_id(void **state) {
        struct world *world = *state;
        struct store_batch *batch = make_batch();
        struct evidence fact = make_fact(2), other = make_fact(2);
        struct outcome outcome;

        world_write_facts(world, 1, 3);
        assert_int_equal(world_write(world, make_facts(world->vm, 2, 1)).last_id, 2);

        /* Within one batch, too; but another instant is another fact, whatever its seq: sources start again. */
        other.at_ns++;
        assert_int_equal(store_batch_add_evidence(batch, world->vm, &fact), 0);
        assert_int_equal(store_batch_add_evidence(batch, world->vm, &fact), 0);
        assert_int_equal(store_batch_add_evidence(batch, world->vm, &other), 0);
        outcome = world_write(world, batch);
        assert_int_equal(outcome.first_id, 2);
        assert_true(outcome.last_id > 3);
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM evidence"), 4);
}

static void evidence_is_taken_over_with_its_actor(void **state) {
        struct world *world = *state;
        const struct actor actor = { .pid = 5, .uid = -1 };
        struct store_batch *batch = make_batch();
        struct evidence fact = evidence_make(SOURCE_VMPOWER, EVIDENCE_REQUEST);

        assert_int_equal(evidence_set_actor(&fact, &actor), 0);
        assert_int_equal(store_batch_add_evidence(batch, world->vm, &fact), 0);
        assert_null(fact.actor);
        assert_int_equal(world_write(world, batch).result, 0);
        assert_int_equal(world_sql_integer(world, "SELECT json_extract(data, '$.actor.pid') FROM evidence"), 5);
}

static void a_verdict_whose_id_is_there_is_not_written_again(void **state) {
        struct world *world = *state;
        struct decision decision = { .exists = true, .event = ON_CRASH, .action = ACTION_LEAVE };

        world_write_facts(world, 1, 1);
        for (int i = 0; i < 3; i++) {
                struct verdict_record record = make_record(world, 1, 1, 0);
                struct store_batch *batch = make_batch();
                struct outcome outcome;

                record.decision = decision;
                assert_int_equal(store_batch_add_verdict(batch, world->vm, &record), 0);
                outcome = world_write(world, batch);
                assert_int_equal(outcome.result, 0);
                assert_int_equal(outcome.number, 1);
        }
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM verdict"), 1);
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM verdict_evidence"), 1);
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM decision"), 1);
}

static void what_cannot_be_stored_stays_its_callers(void **state) {
        struct world *world = *state;
        cleanup(store_batch_freep) struct store_batch *batch = make_batch();
        cleanup(verdict_record_deinit) struct verdict_record record = make_record(world, 1, 1, 0);
        const struct decision none = {}, some = { .exists = true };
        struct evidence fact = make_fact(1);

        for (size_t i = 0; i < 3; i++) {
                fact = make_fact(1);
                *(uint64_t *[]){ &fact.at_ns, &fact.time_ns, &fact.seq }[i] = UINT64_C(1) << 63;
                assert_int_equal(store_batch_add_evidence(batch, world->vm, &fact), -ERANGE);
        }
        record.verdict.count = UINT64_MAX;
        assert_int_equal(store_batch_add_verdict(batch, world->vm, &record), -ERANGE);
        record.items[0].id = 0;
        assert_int_equal(store_batch_add_verdict(batch, world->vm, &record), -EINVAL);
        record.items[0].id = 1;
        record.verdict.proof[0] = 1;
        assert_int_equal(store_batch_add_verdict(batch, world->vm, &record), -EINVAL);
        assert_int_equal(store_batch_add_decision(batch, "id", &none, 0), -EINVAL);
        assert_int_equal(store_batch_add_decision(batch, "id", &some, UINT64_MAX), -ERANGE);
        assert_int_equal(store_batch_end_vm(batch, world->vm, UINT64_MAX), -ERANGE);
        assert_true(store_batch_is_empty(batch));
        assert_int_equal(record.n_items, 1);
}

static void all_that_a_batch_holds_counts(void **state) {
        struct world *world = *state;
        cleanup(store_batch_freep) struct store_batch *batch = make_batch();
        struct evidence fact = make_fact(1), signal = make_fact(2);
        struct verdict_record record = make_record(world, 1, 1, 0);
        size_t n = store_batch_n_bytes(batch);

        assert_int_equal(store_batch_add_evidence(batch, world->vm, &fact), 0);
        assert_true(store_batch_n_bytes(batch) >= n + sizeof(fact));
        n = store_batch_n_bytes(batch);
        assert_int_equal(evidence_set_actor(&signal, &(struct actor){ .pid = 7 }), 0);
        assert_int_equal(store_batch_add_evidence(batch, world->vm, &signal), 0);
        assert_true(store_batch_n_bytes(batch) >= n + sizeof(signal) + sizeof(struct actor));
        n = store_batch_n_bytes(batch);
        assert_int_equal(store_batch_add_verdict(batch, world->vm, &record), 0);
        assert_true(store_batch_n_bytes(batch) >= n + sizeof(record) + sizeof(fact));
}

static void note_order(struct store_batch *batch, int result, const char *why, void *userdata) {
        char *text = userdata, one[16];

        snprintf(one, sizeof(one), "%s%d ", result ? "!" : "",
                 store_batch_n_evidence(batch) ? (int)store_batch_evidence(batch, 0, NULL)->number : 0);
        strcat(text, one);
}

static void a_batch_that_makes_no_sense_harms_no_other(void **state) {
        struct world *world = *state;
        char order[64] = "";

        assert_int_equal(store_submit(world->store, make_facts(world->vm, 1, 1), note_order, order), 0);
        assert_int_equal(store_submit(world->store, make_facts(99, 2, 1), note_order, order), 0);
        assert_int_equal(store_submit(world->store, make_facts(world->vm, 3, 1), note_order, order), 0);
        assert_int_equal(store_submit(world->store, make_batch(), note_order, order), 0);
        store_drain(world->store);
        store_drain(world->store);
        assert_string_equal(order, "1 !2 3 0 ");
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM evidence"), 2);
}

static void a_failed_batch_was_not_written_at_all(void **state) {
        struct world *world = *state;
        struct store_batch *batch = make_facts(world->vm, 1, 2);
        const struct decision decision = { .exists = true };
        struct outcome outcome;

        assert_int_equal(store_batch_add_decision(batch, "01JDB6Q4M0X8NNNNNNNNNNNNNN", &decision, 1), 0);
        outcome = world_write(world, batch);
        assert_int_equal(outcome.result, -ENOENT);
        assert_non_null(strstr(outcome.why, "not stored"));
        assert_int_equal(outcome.first_id, 0);
        assert_int_equal(outcome.last_id, 0);
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM evidence"), 0);
}

static void done_is_announced_by_the_descriptor_and_told_by_dispatch(void **state) {
        struct world *world = *state;
        struct pollfd poll_fd = { .fd = store_fd(world->store), .events = POLLIN };
        struct outcome outcome = {};

        assert_int_equal(poll(&poll_fd, 1, 0), 0);
        assert_int_equal(store_submit(world->store, make_facts(world->vm, 1, 1), note_outcome, &outcome), 0);
        assert_int_equal(poll(&poll_fd, 1, 10000), 1);
        assert_int_equal(outcome.n_calls, 0);
        store_dispatch(world->store);
        assert_int_equal(outcome.n_calls, 1);
        assert_int_equal(poll(&poll_fd, 1, 0), 0);
        store_dispatch(world->store);
        assert_int_equal(outcome.n_calls, 1);
}

static void closing_writes_and_tells_what_was_submitted(void **state) {
        struct world *world = *state;
        char order[256] = "";

        for (uint64_t i = 1; i <= 20; i++)
                assert_int_equal(store_submit(world->store, make_facts(world->vm, i, 1), note_order, order), 0);
        world_close(world);
        assert_string_equal(order, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 ");
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM evidence"), 20);
}

struct chain {
        struct store *store;
        int64_t vm;
        uint64_t left;
};

static void submit_next(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct chain *chain = userdata;

        assert_int_equal(result, 0);
        if (chain->left--)
                assert_int_equal(
                        store_submit(chain->store, make_facts(chain->vm, 100 + chain->left, 1), submit_next, chain), 0);
}

static void draining_waits_for_what_done_submits_too(void **state) {
        struct world *world = *state;
        struct chain chain = { .store = world->store, .vm = world->vm, .left = 3 };

        assert_int_equal(store_submit(world->store, make_facts(world->vm, 1, 1), submit_next, &chain), 0);
        store_drain(world->store);
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM evidence"), 4);
}

static void a_store_that_is_only_read_takes_nothing(void **state) {
        struct world *world = *state;
        cleanup(store_closep) struct store *reader = NULL;
        cleanup(store_batch_freep) struct store_batch *batch = make_facts(world->vm, 1, 1);
        struct store_vm vm = make_vm("db-1", "boot:2:2");

        assert_int_equal(store_open(&reader, world->directory, STORE_READ, world->why), 0);
        assert_int_equal(store_submit(reader, batch, NULL, NULL), -EROFS);
        assert_int_equal(store_add_vm(reader, &vm, NULL, world->why), -EROFS);
        assert_int_equal(store_fd(reader), -1);
        store_dispatch(reader);
        store_drain(reader);
}

/* A connection of our own that holds the file's one write lock. */
static sqlite3 *lock_out(struct world *world) {
        sqlite3 *database;

        assert_int_equal(sqlite3_open(world_path(world, ""), &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        return database;
}

/* The tests below set this before the store is opened: each connection takes it over. */
static void reopen_impatiently(struct world *world) {
        world_close(world);
        database_busy_ms = 20;
        world_open(world);
}

static void keep_batch(struct store_batch *batch, int result, const char *why, void *userdata) {
        assert_int_equal(result, -EBUSY);
        assert_non_null(strstr(why, "locked"));
        store_batch_keep(batch);
        *(struct store_batch **)userdata = batch;
}

static void a_batch_that_found_the_file_locked_may_be_kept_and_submitted_later(void **state) {
        struct world *world = *state;
        struct store_batch *kept = NULL;
        sqlite3 *other;

        reopen_impatiently(world);
        other = lock_out(world);
        assert_int_equal(store_submit(world->store, make_facts(world->vm, 1, 2), keep_batch, &kept), 0);
        store_drain(world->store);
        assert_non_null(kept);
        assert_int_equal(store_batch_n_evidence(kept), 2);
        sqlite3_close(other);
        assert_int_equal(world_write(world, kept).last_id, 2);
}

struct stubborn {
        struct store *store;
        sqlite3 *other; /* let go of after the first failure */
        int n_failed, n_written;
};

static void submit_again(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct stubborn *stubborn = userdata;

        if (!result) {
                stubborn->n_written++;
                return;
        }
        stubborn->n_failed++;
        sqlite3_close(stubborn->other);
        stubborn->other = NULL;
        assert_int_equal(store_submit(stubborn->store, batch, submit_again, stubborn), 0);
}

static void a_failed_batch_may_be_submitted_again_at_once(void **state) {
        struct world *world = *state;
        struct stubborn stubborn;

        reopen_impatiently(world);
        stubborn = (struct stubborn){ .store = world->store, .other = lock_out(world) };
        assert_int_equal(store_submit(world->store, make_facts(world->vm, 1, 1), submit_again, &stubborn), 0);
        store_drain(world->store);
        store_drain(world->store);
        assert_int_equal(stubborn.n_failed, 1);
        assert_int_equal(stubborn.n_written, 1);
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM evidence"), 1);
}

struct last_try {
        struct store *store;
        int result;
};

static void submit_for_ever(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct last_try *last_try = userdata;

        last_try->result = store_submit(last_try->store, batch, submit_for_ever, last_try);
}

static void closing_ends_even_if_nothing_can_be_written_any_more(void **state) {
        struct world *world = *state;
        struct last_try last_try;
        sqlite3 *other;

        reopen_impatiently(world);
        last_try = (struct last_try){ .store = world->store };
        other = lock_out(world);
        assert_int_equal(store_submit(world->store, make_facts(world->vm, 1, 1), submit_for_ever, &last_try), 0);
        world_close(world);
        assert_int_equal(last_try.result, -ESHUTDOWN);
        sqlite3_close(other);
}

static void free_batch(struct store_batch *batch, int result, const char *why, void *userdata) {
        store_batch_free(batch);
}

static void done_may_free_its_batch(void **state) {
        struct world *world = *state;

        assert_int_equal(store_submit(world->store, make_facts(world->vm, 1, 1), free_batch, NULL), 0);
        store_drain(world->store);
}

static void a_queue_that_a_slow_disk_does_not_empty_is_bounded(void **state) {
        struct world *world = *state;
        struct outcome outcome = {};
        struct store_batch *batch;
        sqlite3 *other = lock_out(world);
        int r, n = 0;

        /* The writer waits for the lock; all else waits for the writer.  No such VM: that is found out soon. */
        do {
                batch = make_facts(99, 1, 50000);
                r = store_submit(world->store, batch, note_outcome, &outcome);
        } while (!r && ++n < 100);
        assert_int_equal(r, -EAGAIN);
        assert_in_range(n, 2, 20);
        store_batch_free(batch);

        sqlite3_close(other);
        while (outcome.n_calls < n)
                store_drain(world->store);
        assert_int_equal(outcome.result, -ENOENT);
        assert_int_equal(world_write_facts(world, 1, 1), 1);
}

static void a_file_that_was_removed_is_not_written_to(void **state) {
        struct world *world = *state;
        struct outcome outcome;

        assert_false(store_has_lost_file(world->store));
        assert_int_equal(unlink(world_path(world, "")), 0);
        outcome = world_write(world, make_facts(world->vm, 1, 1));
        assert_int_equal(outcome.result, -ESTALE);
        assert_non_null(strstr(outcome.why, "moved or removed"));
        assert_true(store_has_lost_file(world->store));
}

/* A disk of 512 KiB; only who is root can have one. */
static bool mount_small_disk(struct world *world) {
        return !geteuid() && !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
               !mount("tmpfs", world->directory, "tmpfs", 0, "size=512k,mode=700");
}

static void fill_disk(const struct world *world) {
        cleanup(closep) int fd = open(world_path(world, "-ballast"), O_WRONLY | O_CREAT, 0600);
        static const char zeros[4096];

        while (write(fd, zeros, sizeof(zeros)) > 0)
                ;
}

static void a_full_disk_fails_the_batch_and_room_lets_it_go_on(void **state) {
        struct world *world = *state;
        struct outcome outcome;

        if (!mount_small_disk(world))
                skip();
        world_open(world);
        world->vm = world_add_vm(world, "web-1", "boot:1:1");
        world_write_facts(world, 1, 3);

        fill_disk(world);
        for (int i = 0; i < 3; i++) {
                outcome = world_write(world, make_facts(world->vm, 10, 500));
                assert_int_equal(outcome.result, -ENOSPC);
                assert_non_null(strstr(outcome.why, "the disk is full"));
                assert_int_equal(outcome.first_id, 0);
        }
        assert_int_equal(unlink(world_path(world, "-ballast")), 0);
        assert_int_equal(world_write_facts(world, 10, 3), 6);
        world_close(world);
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM evidence"), 6);
        assert_int_equal(umount2(world->directory, MNT_DETACH), 0);
}

static void a_store_is_not_made_on_a_full_disk_and_made_once_there_is_room(void **state) {
        struct world *world = *state;

        if (!mount_small_disk(world))
                skip();
        fill_disk(world);
        assert_int_equal(store_open(&world->store, world->directory, STORE_WRITE, world->why), -ENOSPC);
        assert_non_null(strstr(world->why, "the disk is full"));
        assert_int_equal(unlink(world_path(world, "-ballast")), 0);
        world_open(world);
        world_close(world);
        assert_int_equal(umount2(world->directory, MNT_DETACH), 0);
}

static void a_limit_of_the_files_size_is_a_full_disk(void **state) {
        struct world *world = *state;
        struct rlimit before, limit;
        struct outcome outcome;

        world_write_facts(world, 1, 1);
        getrlimit(RLIMIT_FSIZE, &before);
        limit = before;
        limit.rlim_cur = 200 * 1024;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        outcome = world_write(world, make_facts(world->vm, 10, 5000));
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(outcome.result, -ENOSPC);
        assert_int_equal(world_write_facts(world, 10, 5000), 5001);
}

static void the_log_does_not_grow_without_end(void **state) {
        struct world *world = *state;
        cleanup(closep) int fd = -1;

        for (uint64_t i = 0; i < 40; i++)
                world_write_facts(world, 1 + i * 1000, 1000);
        fd = open(world_path(world, "-wal"), O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_in_range(lseek(fd, 0, SEEK_END), 1, 5 * 1024 * 1024);
}

static volatile sig_atomic_t caught_by;

static void note_thread(int signal) {
        caught_by = gettid();
}

/* SQLite's, too: how often the disk was flushed. */
static _Atomic int n_flushes;

int fdatasync(int fd) {
        n_flushes++;
        return (int)syscall(SYS_fdatasync, fd);
}

static struct store_batch *make_patient_facts(const struct world *world, uint64_t first) {
        struct store_batch *batch = make_facts(world->vm, first, 1);

        store_batch_flush_later(batch);
        return batch;
}

static void wait_for_a_flush(int after) {
        for (int i = 0; n_flushes == after; i++) {
                assert_true(i < 2000);
                poll(NULL, 0, 1);
        }
}

static void evidence_may_be_done_before_the_disk_is_flushed_but_not_for_long(void **state) {
        struct world *world = *state;
        int before;

        world_write_facts(world, 1, 1);
        for (uint64_t i = 2; i < 20; i++) {
                before = n_flushes;
                assert_int_equal(world_write(world, make_patient_facts(world, i)).result, 0);
                wait_for_a_flush(before);
        }
        /* Nothing is owed any more. */
        before = n_flushes;
        poll(NULL, 0, 30);
        assert_int_equal(n_flushes, before);
}

static void evidence_that_keeps_coming_does_not_put_that_off(void **state) {
        struct world *world = *state;
        const int before = n_flushes;

        world_write_facts(world, 1, 1);
        for (uint64_t i = 2; n_flushes <= before + 1; i++) {
                assert_true(i < 100);
                assert_int_equal(world_write(world, make_patient_facts(world, i)).result, 0);
                poll(NULL, 0, 1);
        }
}

static void a_verdict_is_flushed_before_it_is_done_and_its_evidence_with_it(void **state) {
        struct world *world = *state;
        int before, n_with_one = 0;

        world_write_facts(world, 1, 1);
        for (uint64_t i = 2; i < 20; i++) {
                struct verdict_record record = make_record(world, i, i, 0);
                struct store_batch *verdict = make_batch();

                before = n_flushes;
                assert_int_equal(world_write(world, make_patient_facts(world, i)).result, 0);
                assert_int_equal(store_batch_add_verdict(verdict, world->vm, &record), 0);
                store_batch_flush_later(verdict); /* says nothing of what is no evidence */
                assert_int_equal(world_write(world, verdict).result, 0);
                assert_true(n_flushes > before);
                n_with_one += n_flushes == before + 1;
        }
        /* A busy machine may be slower than evidence is patient; not always. */
        assert_true(n_with_one > 0);
}

static void signals_are_left_to_the_caller(void **state) {
        struct world *world = *state;
        sigset_t alarm;

        /* Blocked here; if the writer took it, it would be taken at once. */
        caught_by = 0;
        signal(SIGALRM, note_thread);
        sigemptyset(&alarm);
        sigaddset(&alarm, SIGALRM);
        sigprocmask(SIG_BLOCK, &alarm, NULL);
        kill(getpid(), SIGALRM);
        world_write_facts(world, 1, 1);
        assert_int_equal(caught_by, 0);
        sigprocmask(SIG_UNBLOCK, &alarm, NULL);
        assert_int_equal(caught_by, getpid());
        signal(SIGALRM, SIG_DFL);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
                SENTENCE(evidence_gets_ids_that_rise_in_the_order_of_the_batch),
                SENTENCE(a_repeated_fact_is_stored_once_and_keeps_its_id),
                SENTENCE(evidence_is_taken_over_with_its_actor),
                SENTENCE(a_verdict_whose_id_is_there_is_not_written_again),
                SENTENCE(what_cannot_be_stored_stays_its_callers),
                SENTENCE(all_that_a_batch_holds_counts),
                SENTENCE(a_batch_that_makes_no_sense_harms_no_other),
                SENTENCE(a_failed_batch_was_not_written_at_all),
                SENTENCE(done_is_announced_by_the_descriptor_and_told_by_dispatch),
                SENTENCE(closing_writes_and_tells_what_was_submitted),
                SENTENCE(draining_waits_for_what_done_submits_too),
                SENTENCE(a_store_that_is_only_read_takes_nothing),
                SENTENCE(a_batch_that_found_the_file_locked_may_be_kept_and_submitted_later),
                SENTENCE(a_failed_batch_may_be_submitted_again_at_once),
                SENTENCE(closing_ends_even_if_nothing_can_be_written_any_more),
                SENTENCE(done_may_free_its_batch),
                SENTENCE(a_queue_that_a_slow_disk_does_not_empty_is_bounded),
                SENTENCE(a_limit_of_the_files_size_is_a_full_disk),
                SENTENCE(the_log_does_not_grow_without_end),
                SENTENCE(a_file_that_was_removed_is_not_written_to),
                SENTENCE(evidence_may_be_done_before_the_disk_is_flushed_but_not_for_long),
                SENTENCE(evidence_that_keeps_coming_does_not_put_that_off),
                SENTENCE(a_verdict_is_flushed_before_it_is_done_and_its_evidence_with_it),
                SENTENCE(signals_are_left_to_the_caller),
                cmocka_unit_test_setup_teardown(a_full_disk_fails_the_batch_and_room_lets_it_go_on, world_begin_empty,
                                                world_end),
                cmocka_unit_test_setup_teardown(a_store_is_not_made_on_a_full_disk_and_made_once_there_is_room,
                                                world_begin_empty, world_end),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
