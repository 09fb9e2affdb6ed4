/*
 * Configuration: what vmpowerd was told to do, by its file and by its command line.
 *
 * Knows the keys, their values and their defaults.  Pure: takes the file's bytes.  Does not know where the file is, or what a setting does.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        CONFIGURATION_FILE_MAX = 64 * 1024, /* bytes */
        CONFIGURATION_VALUE_MAX = 1024,     /* bytes of one value, its NUL included */
        CONFIGURATION_LIST_MAX = 64,        /* values of one key */
        CONFIGURATION_WHY_MAX = 256,
};

enum journald_use {
        JOURNALD_AUTO, /* if it is there */
        JOURNALD_ON,
        JOURNALD_OFF,
};

enum xen_use {
        XEN_AUTO, /* on a Xen host */
        XEN_YES,
        XEN_NO,
};

struct configuration_list {
        char **items; /* owned */
        size_t n;
};

struct configuration {
        struct configuration_list take_monitors; /* globs of paths */
        uint64_t halt_after_ns;                  /* 0: never */
        char metrics_host[256];                  /* "": metrics are not served on TCP; "*": every address */
        char metrics_port[6];
        struct configuration_list hooks;         /* executables and directories, beside the default directory */
        uint64_t hook_timeout_ns;
        unsigned hooks_at_once;
        enum journald_use journald;
        enum xen_use xen;                        /* is vmpower-source-xen started? */
        bool xen_leaves;                         /* domains are watched, whatever their own configuration says */
        unsigned retention_days;                 /* of evidence; 0: for ever */
        uint64_t retention_size;                 /* bytes of evidence; 0: any number */
};

void configuration_init(struct configuration *configuration);
void configuration_deinit(struct configuration *configuration);

/* The i-th key, or NULL past the end. */
const char *configuration_key(size_t i);

/* Take one setting; a list's value is added to it.  0; -EINVAL, and ret_why says why in one line; -ENOMEM. */
int configuration_set(struct configuration *configuration, const char *key, const char *value,
                      char ret_why[static CONFIGURATION_WHY_MAX]);

/* Forget what a list holds, so that what is set next replaces it.  Does nothing to a key that is no list. */
void configuration_clear(struct configuration *configuration, const char *key);

/*
 * Take a file's text.  `complain` is called for each line that is wrong, or for line 0 where the whole text is.  0; -EINVAL: it was
 * called; -ENOMEM.
 */
int configuration_read(struct configuration *configuration, const char *text, size_t n_text,
                       void (*complain)(unsigned line, const char *why, void *userdata), void *userdata);
