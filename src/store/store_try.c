#include "store/store_try.h"

#include "basics/cleanup.h"
#include "store/store_scratch.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

/* It is on disk when it is open: the tables were made in a transaction. */
static int try_to_write(const char *directory, char ret_found[static FOUND_MAX]) {
        cleanup(store_closep) struct store *store = NULL;
        char path[PATH_MAX], why[STORE_WHY_MAX] = "";
        int n = snprintf(path, sizeof(path), "%s/try-%d", directory, (int)getpid()), r;

        if (n < 0 || (size_t)n >= sizeof(path))
                return found_say(ret_found, -ENAMETOOLONG, "%.200s: %s", directory, strerror(ENAMETOOLONG));
        r = store_open(&store, path, STORE_WRITE, why);
        store = store_close(store);
        store_remove_scratch(path);
        return r ? found_say(ret_found, r, "%.300s", why) : 0;
}

static int try_to_read(const char *directory, char ret_found[static FOUND_MAX]) {
        cleanup(store_closep) struct store *store = NULL;
        char why[STORE_WHY_MAX] = "";
        int r = store_open(&store, directory, STORE_READ, why);

        if (r && r != -ENOENT)
                return found_say(ret_found, r, "%.300s", why);
        return found_say(ret_found, 0, "a database was made in %.200s%s", directory, r ? "" : ", and the one that is there was read");
}

int store_try(const char *directory, char ret_found[static FOUND_MAX]) {
        struct stat st;
        bool was_there = !lstat(directory, &st);
        int r = try_to_write(directory, ret_found);

        if (!r)
                r = try_to_read(directory, ret_found);
        if (!was_there)
                rmdir(directory);
        return r;
}
