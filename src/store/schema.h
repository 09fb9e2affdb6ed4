/*
 * Schema: the tables of the store's file, and how an older file becomes a newer one.
 *
 * Knows every version there ever was.  Does not know what is in the tables.
 */
#pragma once

#include "store/database.h"

enum {
        SCHEMA_APPLICATION_ID = 0x766d7077, /* "vmpw"; https://www.sqlite.org/pragma.html#pragma_application_id */

        SCHEMA_IS_EMPTY = 1, /* a new file */
        SCHEMA_IS_OLD = 2,   /* made by an older vmpower */
};

/*
 * Look whether the file is ours and whole enough to work with; changes nothing.  0: the newest schema; SCHEMA_IS_EMPTY;
 * SCHEMA_IS_OLD; -EPROTO: a newer vmpower made it; -EBADMSG: corrupt, or another program's.
 */
int schema_check(sqlite3 *database, char ret_why[static STORE_WHY_MAX]);

/* The same, then bring the file to the newest schema: all of the way in one transaction, or nothing. */
int schema_bring_up(sqlite3 *database, char ret_why[static STORE_WHY_MAX]);

/* The version that this vmpower makes. */
int schema_newest(void);
