/*
 * Reader: a connection for each question.
 *
 * Knows how the file is read where nobody may write beside it.  Does not know the questions.
 */
#pragma once

#include "store/database.h"

struct reader {
        char *path;
        sqlite3 *database; /* NULL: frozen, see reader_ask() */
};

/* -ENOENT: nothing was ever recorded there. */
int reader_init(struct reader *reader, const char *path, char ret_why[static STORE_WHY_MAX]);
void reader_deinit(struct reader *reader);

struct question {
        sqlite3 *database;
        bool is_own;
};

/*
 * The connection for one question; question_end() accepts an empty one.  Where the file lies frozen, each question
 * opens it anew: a writer may have come since.
 */
int reader_ask(const struct reader *reader, struct question *ret_question, char ret_why[static STORE_WHY_MAX]);
void question_end(struct question *question);

struct reader *store_reader(struct store *store);
