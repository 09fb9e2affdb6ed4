#include "store/store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "store/database.h"
#include "store/schema.h"
#include "store/store_test_world.h"

static int open_at(struct world *world, const char *directory, enum store_mode mode) {
        cleanup(store_closep) struct store *store = NULL;

        *world->why = '\0';
        return store_open(&store, directory, mode, world->why);
}

static void assert_refused(struct world *world, int result, const char *words) {
        static const enum store_mode modes[] = { STORE_READ, STORE_WRITE };

        for (size_t i = 0; i < N_ELEMENTS(modes); i++) {
                assert_int_equal(open_at(world, world->directory, modes[i]), result);
                if (!strstr(world->why, words))
                        fail_msg("\"%s\" does not say \"%s\"", world->why, words);
                assert_null(strchr(world->why, '\n'));
        }
}

/* The file's bytes; *ret_n of them. */
static char *read_bytes(const char *path, size_t *ret_n) {
        cleanup(fclosep) FILE *file = fopen(path, "r");
        char *bytes = malloc(1 << 20);

        assert_non_null(file);
        *ret_n = fread(bytes, 1, 1 << 20, file);
        return bytes;
}

static void write_bytes(const char *path, const void *bytes, size_t n) {
        cleanup(fclosep) FILE *file = fopen(path, "w");

        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, n, file), n);
}

static void assert_untouched(struct world *world, int result, const char *words) {
        cleanup(freep) char *before = NULL, *after = NULL;
        size_t n_before, n_after;

        before = read_bytes(world_path(world, ""), &n_before);
        assert_refused(world, result, words);
        after = read_bytes(world_path(world, ""), &n_after);
        assert_int_equal(n_before, n_after);
        assert_memory_equal(before, after, n_before);
}

static void a_store_is_made_private_and_durable_with_its_parents(void **state) {
        struct world *world = *state;
        char directory[128];
        struct stat status;

        snprintf(directory, sizeof(directory), "%s/a/b", world->directory);
        assert_int_equal(open_at(world, directory, STORE_WRITE), 0);
        assert_int_equal(stat(directory, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0700);
        strcat(directory, "/vmpower.db");
        assert_int_equal(stat(directory, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
        strcat(directory, "-wal");
        assert_int_equal(stat(directory, &status), -1);
}

static void a_file_of_no_bytes_is_a_new_store(void **state) {
        struct world *world = *state;

        write_bytes(world_path(world, ""), "", 0);
        assert_int_equal(open_at(world, world->directory, STORE_READ), -ENOENT);
        assert_int_equal(open_at(world, world->directory, STORE_WRITE), 0);
        assert_int_equal(world_sql_integer(world, "PRAGMA application_id"), SCHEMA_APPLICATION_ID);
        assert_int_equal(world_sql_integer(world, "PRAGMA user_version"), schema_newest());
}

static void a_reader_makes_nothing(void **state) {
        struct world *world = *state;
        struct stat status;

        assert_int_equal(open_at(world, world->directory, STORE_READ), -ENOENT);
        assert_non_null(strstr(world->why, "nothing was recorded there yet"));
        assert_int_equal(stat(world_path(world, ""), &status), -1);
        assert_int_equal(open_at(world, "/nowhere/at/all", STORE_READ), -ENOENT);
        assert_int_equal(open_at(world, "/dev/null", STORE_READ), -ENOTDIR);
        assert_int_equal(open_at(world, "/dev/null", STORE_WRITE), -ENOTDIR);
        assert_int_equal(open_at(world, "/dev/null/below", STORE_WRITE), -ENOTDIR);
}

static void what_was_stored_is_there_when_it_is_opened_again(void **state) {
        struct world *world = *state;
        struct store_vm vm;

        world_close(world);
        world_open(world);
        assert_int_equal(store_find_vm(world->store, "web-1", &vm), 0);
        assert_int_equal(vm.id, world->vm);
        store_vm_deinit(&vm);
}

static void a_newer_schema_is_refused(void **state) {
        struct world *world = *state;

        world_close(world);
        world_sql(world, "PRAGMA user_version = 99");
        assert_untouched(world, -EPROTO, "made by a newer vmpower (schema 99");
}

static void an_older_schema_is_brought_up_to_date_by_who_writes(void **state) {
        struct world *world = *state;
        struct verdict_record record;
        struct store_vm vm;

        world_write_facts(world, 1, 2);
        record = make_record(world, 1, 1, 0);
        world_write_verdict(world, world->vm, &record);
        world_close(world);
        world_sql(world, "ALTER TABLE vm DROP COLUMN is_daemons; DROP TABLE monitor; DROP TABLE retention; DROP INDEX verdict_uid; ALTER TABLE verdict DROP COLUMN uid;"
                         "ALTER TABLE verdict DROP COLUMN n_evidence; DROP INDEX vm_uid; DROP INDEX verdict_transition; DROP INDEX verdict_initiator; DROP INDEX verdict_what_and_who;"
                         "DROP INDEX verdict_time; DROP TABLE outlet; PRAGMA user_version = 1");
        assert_int_equal(open_at(world, world->directory, STORE_READ), -EPROTO);
        assert_non_null(strstr(world->why, "made by an older vmpower"));
        world_open(world);
        assert_int_equal(world_sql_integer(world, "PRAGMA user_version"), schema_newest());
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM sqlite_schema WHERE name = 'verdict_time'"), 1);
        assert_int_equal(world_sql_integer(world, "SELECT uid FROM verdict"), 1000);
        assert_int_equal(world_sql_integer(world, "SELECT n_evidence FROM verdict"), 1);
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM outlet"), 0);
        assert_int_equal(store_find_vm(world->store, "web-1", &vm), 0);
        store_vm_deinit(&vm);
}

/* Killed before it could empty its log into the file. */
static int become_newer_and_die(struct world *world) {
        sqlite3 *database;

        _exit(sqlite3_open(world_path(world, ""), &database) ||
              sqlite3_exec(database, "PRAGMA user_version = 99", NULL, NULL, NULL));
}

static void a_newer_schema_whose_log_is_not_empty_is_left_as_it_is(void **state) {
        struct world *world = *state;

        world_close(world);
        assert_int_equal(wait_for(start_child(become_newer_and_die, world)), 0);
        assert_untouched(world, -EPROTO, "made by a newer vmpower (schema 99");
}

static void the_database_of_another_program_is_left_as_it_is(void **state) {
        struct world *world = *state;

        world_sql(world, "CREATE TABLE bookmark (url TEXT)");
        assert_untouched(world, -EBADMSG, "of another program");
        world_sql(world, "PRAGMA user_version = 1");
        assert_untouched(world, -EBADMSG, "of another program");
}

static void what_is_no_database_is_left_as_it_is(void **state) {
        struct world *world = *state;
        char text[5000];

        memset(text, 'x', sizeof(text));
        write_bytes(world_path(world, ""), "short", 5);
        assert_untouched(world, -EBADMSG, "no database");
        write_bytes(world_path(world, ""), text, sizeof(text));
        assert_untouched(world, -EBADMSG, "no database");
        assert_int_equal(remove(world_path(world, "")), 0);
        assert_int_equal(mkdir(world_path(world, ""), 0700), 0);
        assert_refused(world, -EBADMSG, "no file");
}

static void a_truncated_store_is_refused(void **state) {
        struct world *world = *state;

        world_close(world);
        assert_int_equal(truncate(world_path(world, ""), 3 * 4096), 0);
        assert_untouched(world, -EBADMSG, "corrupt");
        assert_int_equal(truncate(world_path(world, ""), 1000), 0);
        assert_untouched(world, -EBADMSG, "corrupt");
}

static void a_store_with_a_broken_page_is_refused(void **state) {
        struct world *world = *state;
        cleanup(freep) char *bytes = NULL;
        size_t n;

        world_write_facts(world, 1, 1);
        world_close(world);
        bytes = read_bytes(world_path(world, ""), &n);
        memset(bytes + 4096, 0xa5, n - 4096);
        write_bytes(world_path(world, ""), bytes, n);
        assert_untouched(world, -EBADMSG, "corrupt");
}

static void a_table_that_is_missing_is_noticed(void **state) {
        struct world *world = *state;

        world_close(world);
        world_sql(world, "DROP TABLE decision");
        assert_untouched(world, -EBADMSG, "no such table: decision");
}

/* In a child that holds the file for itself until it is killed. */
static pid_t lock_file(struct world *world, const char *sql) {
        int ready[2];
        char byte;
        pid_t pid;

        assert_int_equal(pipe(ready), 0);
        pid = fork();
        if (!pid) {
                sqlite3 *database;

                if (sqlite3_open(world_path(world, ""), &database) ||
                    sqlite3_exec(database, sql, NULL, NULL, NULL) || write(ready[1], "", 1) != 1)
                        _exit(1);
                pause();
                _exit(0);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        return pid;
}

static void unlock_file(pid_t pid) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

static void a_store_that_another_program_keeps_to_itself_is_busy(void **state) {
        struct world *world = *state;
        pid_t pid;

        world_close(world);
        database_busy_ms = 30;
        pid = lock_file(world, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE vm SET pid = 1; COMMIT");
        assert_int_equal(open_at(world, world->directory, STORE_WRITE), -EBUSY);
        assert_non_null(strstr(world->why, "locked"));
        assert_int_equal(open_at(world, world->directory, STORE_READ), -EBUSY);
        unlock_file(pid);
        assert_int_equal(open_at(world, world->directory, STORE_WRITE), 0);
}

static void a_writer_does_not_keep_readers_out(void **state) {
        struct world *world = *state;
        pid_t pid;

        world_close(world);
        database_busy_ms = 30;
        pid = lock_file(world, "BEGIN IMMEDIATE; UPDATE vm SET pid = 1");
        assert_int_equal(open_at(world, world->directory, STORE_READ), 0);
        unlock_file(pid);
}

static int find_web_1(struct store *store) {
        struct store_vm vm;
        int r = store_find_vm(store, "web-1", &vm);

        if (!r)
                store_vm_deinit(&vm);
        return r;
}

static int read_store(struct world *world) {
        cleanup(store_closep) struct store *store = NULL;
        int r = store_open(&store, world->directory, STORE_READ, world->why);

        return r ? r : find_web_1(store);
}

static void share(struct world *world, mode_t directory, mode_t file) {
        assert_int_equal(chmod(world_path(world, ""), file), 0);
        chmod(world_path(world, "-wal"), file);
        chmod(world_path(world, "-shm"), file);
        assert_int_equal(chmod(world->directory, directory), 0);
}

static void a_stranger_who_may_only_read_reads_a_closed_store(void **state) {
        struct world *world = *state;

        world_close(world);
        share(world, 0555, 0444);
        assert_int_equal(in_stranger(read_store, world), 0);
}

static void its_path_is_a_path_and_no_pattern(void **state) {
        struct world *world = *state;
        char path[sizeof(world->directory)];

        world_close(world);
        assert_true(snprintf(path, sizeof(path), "%s-%%41?#%%", world->directory) < (int)sizeof(path));
        assert_int_equal(rename(world->directory, path), 0);
        strcpy(world->directory, path);
        share(world, 0555, 0444);
        assert_int_equal(in_stranger(read_store, world), 0);
}

/* One way of talking: a byte from one process to another. */
static void tell(const int *fds) {
        assert_int_equal(write(fds[1], "", 1), 1);
}

static int hear(const int *fds) {
        char byte;

        return read(fds[0], &byte, 1) == 1 ? 0 : 1;
}

static int has_opened[2], may_go_on[2];

static int read_what_comes_later(struct world *world) {
        cleanup(store_closep) struct store *store = NULL;
        struct store_vm vm;
        int r;

        close(may_go_on[1]);
        r = store_open(&store, world->directory, STORE_READ, world->why);
        if (r || find_web_1(store) || write(has_opened[1], "", 1) != 1 || hear(may_go_on))
                return 1;
        r = store_find_vm(store, "web-2", &vm);
        if (!r)
                store_vm_deinit(&vm);
        return r;
}

/* While a stranger has the closed store open, its owner comes back, adds "web-2", and stays or leaves again. */
static void assert_sees_what_comes_later(struct world *world, bool is_staying) {
        pid_t pid;

        world_close(world);
        share(world, 0555, 0444);
        assert_int_equal(pipe(has_opened), 0);
        assert_int_equal(pipe(may_go_on), 0);
        pid = start_stranger(read_what_comes_later, world);
        close(has_opened[1]);
        close(may_go_on[0]);
        assert_int_equal(hear(has_opened), 0);

        share(world, 0755, 0644);
        world_open(world);
        world_add_vm(world, "web-2", "boot:2:2");
        if (!is_staying)
                world_close(world);
        share(world, 0555, 0444);
        tell(may_go_on);
        assert_int_equal(wait_for(pid), 0);
        share(world, 0755, 0644);
        close(has_opened[0]);
        close(may_go_on[1]);
}

static int read_when_told(struct world *world) {
        close(may_go_on[1]);
        return hear(may_go_on) || read_store(world);
}

static void a_stranger_who_may_only_read_reads_beside_a_writer(void **state) {
        struct world *world = *state;
        pid_t pid;

        /* A process that was made while a database is open takes its locks for its own; so this one is made before. */
        world_close(world);
        assert_int_equal(pipe(may_go_on), 0);
        pid = start_stranger(read_when_told, world);
        close(may_go_on[0]);
        world_open(world);
        share(world, 0555, 0444);
        tell(may_go_on);
        close(may_go_on[1]);
        assert_int_equal(wait_for(pid), 0);
        share(world, 0755, 0644);
}

static void a_reader_of_a_closed_store_sees_what_a_writer_adds_later(void **state) {
        assert_sees_what_comes_later(*state, true);
}

static void a_reader_of_a_closed_store_sees_what_a_writer_added_who_left_again(void **state) {
        assert_sees_what_comes_later(*state, false);
}

static int is_told_where_the_newest_part_is(struct world *world) {
        int r = read_store(world);

        return r == -EACCES && strstr(world->why, "-wal, which cannot be read without writing beside it") ? 0 : 1;
}

static void a_log_that_only_its_owner_can_read_is_an_error_and_not_passed_over(void **state) {
        struct world *world = *state;
        cleanup(freep) char *file = NULL, *log = NULL;
        size_t n_file, n_log;

        world_write_facts(world, 1, 1);
        file = read_bytes(world_path(world, ""), &n_file);
        log = read_bytes(world_path(world, "-wal"), &n_log);
        assert_true(n_log > 0);
        world_close(world);
        write_bytes(world_path(world, ""), file, n_file);
        write_bytes(world_path(world, "-wal"), log, n_log);
        share(world, 0555, 0444);
        assert_int_equal(in_stranger(is_told_where_the_newest_part_is, world), 0);
}

static int is_refused_for_want_of_rights(struct world *world) {
        return open_at(world, world->directory, STORE_READ) == -EACCES &&
                               open_at(world, world->directory, STORE_WRITE) == -EACCES
                       ? 0
                       : 1;
}

static void a_stranger_without_rights_is_told_so(void **state) {
        struct world *world = *state;

        world_close(world);
        share(world, 0000, 0600);
        assert_int_equal(in_stranger(is_refused_for_want_of_rights, world), 0);
        assert_int_equal(chmod(world->directory, 0755), 0);
        share(world, 0755, 0000);
        assert_int_equal(in_stranger(is_refused_for_want_of_rights, world), 0);
}

static int open_and_close(struct world *world) {
        return open_at(world, world->directory, STORE_WRITE);
}

static void many_may_make_the_same_store_at_once(void **state) {
        struct world *world = *state;
        int failures = 0;

        for (int i = 0; i < 8; i++)
                if (!fork())
                        _exit(open_and_close(world) ? 1 : 0);
        for (int i = 0; i < 8; i++) {
                int status;

                wait(&status);
                failures += status != 0;
        }
        assert_int_equal(failures, 0);
        assert_int_equal(world_sql_integer(world, "PRAGMA user_version"), schema_newest());
}

static void one_process_may_open_it_twice_and_keeps_its_locks(void **state) {
        struct world *world = *state;
        cleanup(store_closep) struct store *second = NULL;

        assert_int_equal(store_open(&second, world->directory, STORE_WRITE, world->why), 0);
        second = store_close(second);
        world_write_facts(world, 1, 1);
        assert_int_equal(access(world_path(world, "-wal"), F_OK), 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(setup, name) cmocka_unit_test_setup_teardown(name, setup, world_end)
                SENTENCE(world_begin_empty, a_store_is_made_private_and_durable_with_its_parents),
                SENTENCE(world_begin_empty, a_file_of_no_bytes_is_a_new_store),
                SENTENCE(world_begin_empty, a_reader_makes_nothing),
                SENTENCE(world_begin, what_was_stored_is_there_when_it_is_opened_again),
                SENTENCE(world_begin, a_newer_schema_is_refused),
                SENTENCE(world_begin, an_older_schema_is_brought_up_to_date_by_who_writes),
                SENTENCE(world_begin, a_newer_schema_whose_log_is_not_empty_is_left_as_it_is),
                SENTENCE(world_begin_empty, the_database_of_another_program_is_left_as_it_is),
                SENTENCE(world_begin_empty, what_is_no_database_is_left_as_it_is),
                SENTENCE(world_begin, a_truncated_store_is_refused),
                SENTENCE(world_begin, a_store_with_a_broken_page_is_refused),
                SENTENCE(world_begin, a_table_that_is_missing_is_noticed),
                SENTENCE(world_begin, a_store_that_another_program_keeps_to_itself_is_busy),
                SENTENCE(world_begin, a_writer_does_not_keep_readers_out),
                SENTENCE(world_begin, a_stranger_who_may_only_read_reads_a_closed_store),
                SENTENCE(world_begin, its_path_is_a_path_and_no_pattern),
                SENTENCE(world_begin, a_stranger_who_may_only_read_reads_beside_a_writer),
                SENTENCE(world_begin, a_reader_of_a_closed_store_sees_what_a_writer_adds_later),
                SENTENCE(world_begin, a_reader_of_a_closed_store_sees_what_a_writer_added_who_left_again),
                SENTENCE(world_begin, a_log_that_only_its_owner_can_read_is_an_error_and_not_passed_over),
                SENTENCE(world_begin, a_stranger_without_rights_is_told_so),
                SENTENCE(world_begin_empty, many_may_make_the_same_store_at_once),
                SENTENCE(world_begin, one_process_may_open_it_twice_and_keeps_its_locks),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
