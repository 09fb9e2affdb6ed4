#include "store/store_scratch.h"

#include "basics/cleanup.h"
#include "store/database.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

bool store_is_for_want_of_disk(int result) {
        return result == -ENOSPC || result == -EROFS || result == -EIO;
}

void store_remove_scratch(const char *directory) {
        cleanup(closedirp) DIR *entries = *directory ? opendir(directory) : NULL;
        const struct dirent *entry;

        while (entries && (entry = readdir(entries)))
                if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
                        unlinkat(dirfd(entries), entry->d_name, 0);
        if (*directory)
                rmdir(directory);
}

int store_open_scratch(struct store **ret_store, const char *place, char ret_directory[static STORE_SCRATCH_MAX], char ret_why[static STORE_WHY_MAX]) {
        const char *const places[] = { "/dev/shm", place };
        int r = -ENOENT;

        for (size_t i = 0; i < N_ELEMENTS(places); i++) {
                snprintf(ret_directory, STORE_SCRATCH_MAX, "%.128s/vmpower-run-XXXXXX", places[i]);
                if (!mkdtemp(ret_directory)) {
                        r = database_fail_errno(places[i], -errno, ret_why);
                        *ret_directory = '\0';
                        continue;
                }
                r = store_open(ret_store, ret_directory, STORE_WRITE, ret_why);
                if (!r)
                        return 0;
                store_remove_scratch(ret_directory);
                *ret_directory = '\0';
        }
        return r;
}
