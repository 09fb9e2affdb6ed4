/*
 * xl's words: what its background process, which looks after one domain, shows of itself.
 *
 * Pure: the arguments, the log and the configuration come in as they are read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
        XL_NAME_MAX = 256,
};

/*
 * The domain that the log says this process waits for: the last line of its "Waiting for domain NAME (domid N) to die [pid PID]".  -1: none.  The
 * log may be the process's own standard error under another name.
 */
int64_t xl_log_domid(const char *log, size_t n_log, pid_t pid);

/* The name that its log is named after, ".../xl-NAME.log", also once it was moved away (".1", " (deleted)").  0 or -EINVAL. */
int xl_log_name(char ret_name[static XL_NAME_MAX], const char *path);

/* What a process makes domains by. */
struct xl_making {
        bool is_making;     /* create, restore, migrate-receive: it makes a domain, and may look after it then; not one that only tries (-n) */
        const char *config; /* its configuration's file; NULL: none, or not known.  Of the arguments */
        const char *name;   /* name=… among its arguments, with its quotes; NULL */
};
struct xl_making xl_making(char *const *arguments, size_t n_arguments);

/* The name in a configuration (name = "web-1"), the last one.  0 or -ENOENT. */
int xl_config_name(char ret_name[static XL_NAME_MAX], const char *text, size_t n_text);
