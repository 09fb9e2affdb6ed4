#include "cli/cli.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "engine/directories.h"
#include "engine/recover.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>

/* Whoever reads standard error may have stopped reading: so long it is waited for, then the line is lost. */
#define COMPLAIN_WAIT_MS 1000

void complain(const char *format, ...) {
        char line[1024], text[1024];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        /* A name, a path, a file's content may hold anything; what is said is one line. */
        text_set(text, sizeof(text), line);
        if (poll(&(struct pollfd){ .fd = STDERR_FILENO, .events = POLLOUT }, 1, COMPLAIN_WAIT_MS) != 0)
                fprintf(stderr, "vmpower: %s\n", text);
}

int usage_error(const struct verb *verb, const char *format, ...) {
        char line[512], text[512];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        text_set(text, sizeof(text), line);
        fprintf(stderr, "vmpower %s: %s; see vmpower %s --help\n", verb->name, text, verb->name);
        return STATUS_USAGE;
}

/* 0, -ENOENT (nothing was recorded yet), or -errno and the reason. */
static int open_store(struct store **ret_store, enum store_mode mode, char ret_why[static STORE_WHY_MAX]) {
        char directory[PATH_MAX];

        if (state_directory(directory, sizeof(directory))) {
                snprintf(ret_why, STORE_WHY_MAX, "there is no place for its state: set VMPOWER_STATE_DIR or HOME");
                return -ENOTDIR;
        }
        return store_open(ret_store, directory, mode, ret_why);
}

int open_history_to_write(struct store **ret_store) {
        char why[STORE_WHY_MAX];

        if (open_store(ret_store, STORE_WRITE, why)) {
                complain("%s", why);
                return STATUS_FAILED;
        }
        if (recover_lost_vms(*ret_store, why))
                complain("%s", why);
        return STATUS_OK;
}

int try_history(struct store **ret_store, char ret_why[static STORE_WHY_MAX]) {
        int r;

        *ret_store = NULL;
        r = open_store(ret_store, STORE_READ, ret_why);
        return r == -ENOENT ? 0 : r;
}

void end_lost_vms(struct store *store) {
        cleanup(store_closep) struct store *writable = NULL;
        char why[STORE_WHY_MAX];

        /* Where we may only read, what is there is told as it is. */
        if (has_lost_vms(store) && !open_store(&writable, STORE_WRITE, why) && recover_lost_vms(writable, why))
                complain("%s", why);
        wait_for_endings(store);
}

int open_history(struct store **ret_store) {
        char why[STORE_WHY_MAX];

        if (!try_history(ret_store, why))
                return STATUS_OK;
        complain("%s", why);
        return STATUS_FAILED;
}

int check_vm(const struct verb *verb, int n_words, char *const *words, bool may_be_none) {
        if (n_words > 1 || (!n_words && !may_be_none))
                return usage_error(verb, "it takes one VM%s, not %d", may_be_none ? " at most" : "", n_words);
        return n_words && !*words[0] ? usage_error(verb, "it takes a VM's name, uuid or instance, not an empty word") : 0;
}

int unknown_option(const struct verb *verb, char **argv) {
        const char *word = argv[optind - 1], *next = argv[optind];
        bool is_among_letters = next && next[0] == '-' && next[1] != '-' && strchr(next, optopt); /* "-xh" is not behind us yet */

        /* "--json=1": getopt names the letter that stands for it. */
        if (optopt > 0 && !is_among_letters && !strncmp(word, "--", 2) && strchr(word, '='))
                return usage_error(verb, "option %.*s takes no value", (int)strcspn(word, "="), word);
        if (optopt > 0 && optopt < 128)
                return usage_error(verb, "there is no option -%c", optopt);
        return usage_error(verb, "there is no option %.64s", word);
}

bool output_has_colour(void) {
        const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && !(none && *none) && term && strcmp(term, "dumb");
}
