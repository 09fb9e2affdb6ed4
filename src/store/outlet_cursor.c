/* How far each outlet is: what store.h says of outlets. */
#include "store/store.h"

#include "basics/cleanup.h"
#include "store/reader.h"

#include <errno.h>

int store_find_told(struct store *store, const char *outlet, uint64_t *ret_number, char ret_why[static STORE_WHY_MAX]) {
        cleanup(question_end) struct question question = {};
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        struct binder binder;
        int64_t number;
        int r;

        r = reader_ask(store_reader(store), &question, ret_why);
        if (!r)
                r = database_prepare(question.database, "SELECT told FROM outlet WHERE name = ?", &statement, ret_why);
        if (r)
                return r;
        binder = (struct binder){ .statement = statement };
        bind_text(&binder, outlet);
        r = statement_step(statement, ret_why);
        if (r != DATABASE_ROW)
                return r ? r : -ENOENT;
        number = sqlite3_column_int64(statement, 0);
        *ret_number = number < 0 ? 0 : (uint64_t)number;
        return 0;
}

int store_each_outlet(struct store *store, int (*each)(const char *outlet, uint64_t told, void *userdata), void *userdata,
                      char ret_why[static STORE_WHY_MAX]) {
        cleanup(question_end) struct question question = {};
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        int r;

        r = reader_ask(store_reader(store), &question, ret_why);
        if (!r)
                r = database_prepare(question.database, "SELECT name, told FROM outlet ORDER BY name", &statement, ret_why);
        if (r)
                return r;
        while ((r = statement_step(statement, ret_why)) == DATABASE_ROW) {
                const char *name = (const char *)sqlite3_column_text(statement, 0);
                int64_t told = sqlite3_column_int64(statement, 1);

                if (!name)
                        return database_fail_errno("vmpower.db", -ENOMEM, ret_why);
                r = each(name, told < 0 ? 0 : (uint64_t)told, userdata);
                if (r)
                        return r;
        }
        return r;
}
