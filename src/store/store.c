#include "store/store.h"

#include "basics/cleanup.h"
#include "store/reader.h"
#include "store/rows.h"
#include "store/schema.h"
#include "store/state_directory.h"
#include "store/store_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

struct store {
        struct reader reader;        /* the caller's connection */
        struct store_writer *writer; /* NULL with STORE_READ */
};

static int open_writer(struct store *store, const char *path, char ret_why[static STORE_WHY_MAX]) {
        cleanup(database_closep) sqlite3 *database = NULL;
        int r;

        r = database_open(&database, path, DATABASE_WRITE, ret_why);
        if (r)
                return r;
        /* The last to close a file empties its log into it; what is refused below stays as it is. */
        sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        r = schema_bring_up(database, ret_why);
        if (r)
                return r;
        sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
        return store_writer_new(&store->writer, take_pointer(database), ret_why);
}

int store_open(struct store **ret_store, const char *directory, enum store_mode mode,
               char ret_why[static STORE_WHY_MAX]) {
        cleanup(store_closep) struct store *store = calloc(1, sizeof(*store));
        cleanup(freep) char *path = NULL;
        cleanup(closep) int lock = -1;
        int r;

        if (!store)
                return database_fail_errno(directory, -ENOMEM, ret_why);
        r = state_directory_path(directory, &path, ret_why);
        if (r)
                return r;

        switch (mode) {
        case STORE_READ:
                r = state_directory_check(directory, path, ret_why);
                break;
        case STORE_WRITE:
                r = state_directory_make(directory, path, &lock, ret_why);
                if (!r)
                        r = open_writer(store, path, ret_why);
                break;
        }
        if (r)
                return r;
        r = reader_init(&store->reader, path, ret_why);
        if (r)
                return r;

        *ret_store = take_pointer(store);
        return 0;
}

struct store *store_close(struct store *store) {
        if (!store)
                return NULL;
        if (store->writer) {
                store_drain(store);
                store_writer_stop(store->writer);
                store_writer_wait(store->writer);
                store_writer_dispatch(store->writer);
        }
        /* The writer last: whoever is the last on the file empties the log, and a reader cannot. */
        reader_deinit(&store->reader);
        store_writer_free(store->writer);
        free(store);
        return NULL;
}

void store_closep(struct store **store) {
        store_close(*store);
}

const char *store_path(const struct store *store) {
        return store->reader.path;
}

int store_identity(const struct store *store, char ret_text[static STORE_IDENTITY_MAX]) {
        struct stat status;

        if (stat(store->reader.path, &status))
                return -errno;
        snprintf(ret_text, STORE_IDENTITY_MAX, "%" PRIu64 ":%" PRIu64, (uint64_t)status.st_dev, (uint64_t)status.st_ino);
        return 0;
}

struct reader *store_reader(struct store *store) {
        return &store->reader;
}

void store_vm_deinit(struct store_vm *vm) {
        if (!vm)
                return;
        free(vm->command_line);
        free(vm->policy);
        free(vm->watcher);
        vm->command_line = vm->policy = vm->watcher = NULL;
}

int store_add_vm(struct store *store, struct store_vm *vm, struct store_vm *ret_other,
                 char ret_why[static STORE_WHY_MAX]) {
        return store_add_vm_within(store, vm, 0, ret_other, ret_why);
}

int store_add_vm_within(struct store *store, struct store_vm *vm, unsigned patience_ms, struct store_vm *ret_other,
                        char ret_why[static STORE_WHY_MAX]) {
        cleanup(store_batch_freep) struct store_batch *batch = NULL;
        struct batch_addition *addition;
        int r;

        if (!store->writer)
                return database_fail_errno(store->reader.path, -EROFS, ret_why);
        r = store_batch_new(&batch);
        if (!r && !(batch->addition = calloc(1, sizeof(*batch->addition))))
                r = -ENOMEM;
        if (r)
                return database_fail_errno(store->reader.path, r, ret_why);
        addition = batch->addition;
        addition->vm = *vm;
        r = store_batch_add_vm(batch, &addition->vm, &addition->other);
        if (r) {
                addition->vm = (struct store_vm){};
                return database_fail_errno(store->reader.path, r, ret_why);
        }
        r = store_writer_run(store->writer, batch, patience_ms);
        if (r == STORE_WRITER_GIVEN_UP) {
                /* The writer still reads them. */
                vm->command_line = vm->policy = vm->watcher = NULL;
                take_pointer(batch);
                r = -EAGAIN;
        } else {
                *vm = addition->vm;
                addition->vm = (struct store_vm){};
        }
        if (ret_other && (r == -EEXIST || r == -EALREADY)) {
                *ret_other = addition->other;
                addition->other = (struct store_vm){};
        }
        if (r == -EAGAIN)
                snprintf(ret_why, STORE_WHY_MAX, "%.256s: the disk takes too long", store->reader.path);
        else if (r)
                snprintf(ret_why, STORE_WHY_MAX, "%s", batch->why);
        return r;
}

struct vm_list {
        struct store_vm *vms;
        size_t n;
};

static void vm_list_deinit(struct vm_list *list) {
        for (size_t i = 0; i < list->n; i++)
                store_vm_deinit(&list->vms[i]);
        free(list->vms);
}

static int vm_list_add(struct vm_list *list, sqlite3_stmt *row, char ret_why[static STORE_WHY_MAX]) {
        struct store_vm *grown;
        int r;

        /* Doubled whenever the number is a power of two. */
        if (!(list->n & (list->n - 1))) {
                grown = reallocarray(list->vms, list->n ? 2 * list->n : 1, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                list->vms = grown;
        }
        r = row_to_vm(row, &list->vms[list->n], ret_why);
        if (!r)
                list->n++;
        return r;
}

int store_list_open_vms(struct store *store, const char *name, struct store_vm **ret_vms, size_t *ret_n) {
        cleanup(question_end) struct question question = {};
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        cleanup(vm_list_deinit) struct vm_list list = {};
        char why[STORE_WHY_MAX];
        struct binder binder;
        int r;

        r = reader_ask(&store->reader, &question, why);
        if (r)
                return r;
        r = database_prepare(question.database,
                             name ? "SELECT " ROW_VM " FROM vm WHERE ended_ns IS NULL AND name = ? ORDER BY id"
                                  : "SELECT " ROW_VM " FROM vm WHERE ended_ns IS NULL ORDER BY id",
                             &statement, why);
        if (r)
                return r;
        binder = (struct binder){ .statement = statement };
        if (name)
                bind_text(&binder, name);
        while ((r = statement_step(statement, why)) == DATABASE_ROW) {
                r = vm_list_add(&list, statement, why);
                if (r)
                        return r;
        }
        if (r)
                return r;

        *ret_n = list.n;
        *ret_vms = take_pointer(list.vms);
        list.n = 0;
        return 0;
}

int store_find_vm(struct store *store, const char *name, struct store_vm *ret_vm) {
        static const char *const ways[] = {
                "SELECT " ROW_VM " FROM vm WHERE name = ? ORDER BY id DESC LIMIT 1",
                "SELECT " ROW_VM " FROM vm WHERE uuid = ? ORDER BY id DESC LIMIT 1",
                "SELECT " ROW_VM " FROM vm WHERE instance = ?",
        };
        cleanup(question_end) struct question question = {};
        char why[STORE_WHY_MAX];
        int r;

        r = reader_ask(&store->reader, &question, why);
        if (r)
                return r;
        for (size_t i = 0; i < N_ELEMENTS(ways); i++) {
                cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
                struct binder binder;

                r = database_prepare(question.database, ways[i], &statement, why);
                if (r)
                        return r;
                binder = (struct binder){ .statement = statement };
                bind_text(&binder, name);
                r = statement_step(statement, why);
                if (r == DATABASE_ROW)
                        return row_to_vm(statement, ret_vm, why);
                if (r)
                        return r;
        }
        return -ENOENT;
}

void store_monitor_deinit(struct store_monitor *monitor) {
        free(monitor->path);
        free(monitor->greeting);
        *monitor = (struct store_monitor){};
}

int store_find_monitor(struct store *store, int64_t vm, struct store_monitor *ret_monitor) {
        cleanup(question_end) struct question question = {};
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        cleanup(store_monitor_deinit) struct store_monitor monitor = {};
        char why[STORE_WHY_MAX];
        int r;

        *ret_monitor = (struct store_monitor){};
        r = reader_ask(&store->reader, &question, why);
        if (r)
                return r;
        r = database_prepare(question.database, "SELECT path, greeting, is_kept FROM monitor WHERE vm = ?", &statement, why);
        if (r)
                return r;
        bind_integer(&(struct binder){ .statement = statement }, vm);
        r = statement_step(statement, why);
        if (r != DATABASE_ROW)
                return r ? r : -ENOENT;
        monitor.path = strdup((const char *)sqlite3_column_text(statement, 0) ?: "");
        monitor.greeting = strdup((const char *)sqlite3_column_text(statement, 1) ?: "");
        monitor.is_kept = sqlite3_column_int(statement, 2);
        if (!monitor.path || !monitor.greeting)
                return -ENOMEM;
        *ret_monitor = monitor;
        monitor = (struct store_monitor){};
        return 0;
}

int store_submit(struct store *store, struct store_batch *batch, store_done_fn done, void *userdata) {
        if (!store->writer)
                return -EROFS;
        batch->done = done;
        batch->userdata = userdata;
        return store_writer_submit(store->writer, batch);
}

int store_fd(const struct store *store) {
        return store->writer ? store_writer_fd(store->writer) : -1;
}

void store_dispatch(struct store *store) {
        if (store->writer)
                store_writer_dispatch(store->writer);
}

bool store_has_lost_file(struct store *store) {
        return store->writer && store_writer_has_lost_file(store->writer);
}

void store_drain(struct store *store) {
        size_t n_failed = 0;

        while (store->writer && !n_failed && store_writer_is_busy(store->writer)) {
                store_writer_wait(store->writer);
                n_failed = store_writer_dispatch(store->writer);
        }
}
