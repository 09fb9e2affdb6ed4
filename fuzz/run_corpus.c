/*
 * Run corpus: a fuzz target over files, as a plain test.
 *
 * Knows libFuzzer's one entry point and TAP.  A broken law ends the process: the file at fault is the one that was begun
 * last, and its test is missing.
 */
#include "basics/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned n_tests, n_failed;

/* A copy of just this length, so that a sanitizer sees who reads beyond it. */
static bool try(const char *path, size_t size) {
        cleanup(fclosep) FILE *file = fopen(path, "re");
        cleanup(freep) uint8_t *data = malloc(size ? size : 1);

        if (!file || !data || fread(data, 1, size, file) != size)
                return false;
        LLVMFuzzerTestOneInput(data, size);
        return true;
}

static void run_file(const char *path, size_t size) {
        const char *slash = strrchr(path, '/');
        bool good;

        printf("# %s\n", path);
        fflush(stdout);
        good = try(path, size);
        if (!good)
                n_failed++;
        printf("%s %u - %s\n", good ? "ok" : "not ok", ++n_tests, slash ? slash + 1 : path);
}

static void run(const char *path);

static int is_visible(const struct dirent *entry) {
        return entry->d_name[0] != '.';
}

static void run_directory(const char *path) {
        struct dirent **entries;
        int n = scandir(path, &entries, is_visible, alphasort);

        if (n < 0) {
                n_failed++;
                printf("not ok %u - %s: %m\n", ++n_tests, path);
                return;
        }
        for (int i = 0; i < n; i++) {
                cleanup(freep) char *child = NULL;

                if (asprintf(&child, "%s/%s", path, entries[i]->d_name) >= 0)
                        run(child);
                free(entries[i]);
        }
        free(entries);
}

static void run(const char *path) {
        struct stat status;

        if (stat(path, &status)) {
                n_failed++;
                printf("not ok %u - %s: %m\n", ++n_tests, path);
        } else if (S_ISDIR(status.st_mode)) {
                run_directory(path);
        } else {
                run_file(path, (size_t)status.st_size);
        }
}

int main(int argc, char **argv) {
        for (int i = 1; i < argc; i++)
                run(argv[i]);
        if (!n_tests) {
                n_failed++;
                printf("not ok %u - there is no file to run\n", ++n_tests);
        }
        printf("1..%u\n", n_tests);
        return n_failed > 0;
}
