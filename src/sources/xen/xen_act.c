#include "sources/xen/xen_act.h"

#include "basics/cleanup.h"
#include "sources/xen/xen_config.h"
#include "sources/xen/xen_domain.h"

#include <libxl.h>
#include <libxl_utils.h>

#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
        CREATE_TRIES = 4,
        CREATE_AGAIN_S = 2, /* Xen takes a domain's memory back a while after it is gone; xl waits as long */
        XL_JSON_MAX = 4 << 20,
};

struct actor_of_libxl {
        libxl_ctx *ctx;
        xentoollog_logger *logger;
        uint32_t domid;
        libxl_domain_config config;
};

static int failed(const char *what, int rc) {
        printf("%s (libxl: %d)\n", what, rc);
        return rc;
}

/* An xl that is not to make a domain says in JSON what that configuration means.  Owned, a string; NULL: it does not. */
static char *have_xl_read(const uint8_t *words, size_t n_words) {
        char *argv[] = { (char *)"xl", (char *)"create", (char *)"-n", (char *)"-q", (char *)"/proc/self/fd/0", NULL };
        cleanup(close_fd) int in = memfd_create("xl-config", MFD_CLOEXEC), out = memfd_create("xl-json", MFD_CLOEXEC);
        posix_spawn_file_actions_t actions;
        cleanup(freep) char *json = NULL;
        struct stat stat;
        int r, status;
        pid_t pid;

        if (in < 0 || out < 0 || write(in, words, n_words) != (ssize_t)n_words)
                return NULL;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        if (r)
                return NULL;
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return NULL;
        if (status || fstat(out, &stat) || stat.st_size > XL_JSON_MAX)
                return NULL;
        json = calloc(1, (size_t)stat.st_size + 1);
        if (!json || pread(out, json, (size_t)stat.st_size, 0) != stat.st_size)
                return NULL;
        return take_pointer(json);
}

/* What `xl config-update` has stored for the next one, in xl's own words: once, as xl takes it.  False: nothing is, or it cannot be read. */
static bool load_update(struct actor_of_libxl *a) {
        cleanup(freep) uint8_t *words = NULL;
        cleanup(freep) char *json = NULL;
        int n = 0;

        if (libxl_userdata_retrieve(a->ctx, a->domid, "xl", &words, &n) || !words || n <= 0)
                return false;
        json = have_xl_read(words, (size_t)n);
        if (json && !libxl_domain_config_from_json(a->ctx, &a->config, json)) {
                libxl_userdata_unlink(a->ctx, a->domid, "xl");
                return true;
        }
        printf("what xl config-update has stored cannot be read (xl create -n): it is made as it was\n");
        libxl_domain_config_dispose(&a->config);
        libxl_domain_config_init(&a->config);
        return false;
}

/* The stored configuration, as it is now.  Of an HVM domain libxl asks the device model for a part of it, which may have gone: then as it was stored. */
static int load_stored(struct actor_of_libxl *a) {
        int rc = libxl_retrieve_domain_configuration(a->ctx, a->domid, &a->config, NULL);

        if (!rc)
                return 0;
        libxl_domain_config_dispose(&a->config);
        return xen_config_read(&a->config, a->ctx, a->domid) ? failed("its stored configuration cannot be read", rc) : 0;
}

/* The configuration that a new one is made by. */
static int load(struct actor_of_libxl *a) {
        return load_update(a) ? 0 : load_stored(a);
}

static int destroy(struct actor_of_libxl *a) {
        int rc = libxl_domain_destroy(a->ctx, a->domid, NULL);

        return rc ? failed("it cannot be destroyed", rc) : 0;
}

static int create(struct actor_of_libxl *a) {
        int rc = -1;

        a->config.c_info.domid = (uint32_t)INVALID_DOMID;
        for (int i = 0; rc && i < CREATE_TRIES; i++) {
                uint32_t domid = (uint32_t)INVALID_DOMID;

                if (i)
                        sleep(CREATE_AGAIN_S);
                rc = libxl_domain_create_new(a->ctx, &a->config, &domid, NULL, NULL);
                if (!rc)
                        rc = libxl_domain_unpause(a->ctx, domid, NULL);
                if (rc && domid != (uint32_t)INVALID_DOMID)
                        libxl_domain_destroy(a->ctx, domid, NULL);
        }
        return rc ? failed("it cannot be made again", rc) : 0;
}

static int restart(struct actor_of_libxl *a) {
        int rc = load(a);

        if (!rc)
                rc = destroy(a);
        return rc ? rc : create(a);
}

/* The old one keeps its domid, gets another name and uuid, and is no more than memory to look at. */
static int rename_restart(struct actor_of_libxl *a, const char *name) {
        char suffix[32], kept[300];
        time_t now = time(NULL);
        libxl_uuid uuid;
        struct tm tm;
        int rc = load(a);

        if (rc)
                return rc;
        strftime(suffix, sizeof(suffix), "-%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
        libxl_uuid_generate(&uuid);
        rc = libxl_domain_preserve(a->ctx, a->domid, &a->config.c_info, suffix, uuid);
        if (rc)
                return failed("it cannot be kept under another name", rc);
        snprintf(kept, sizeof(kept), "%s%s", a->config.c_info.name, suffix);
        if (name && libxl_domain_rename(a->ctx, a->domid, kept, name))
                printf("it is kept as %s\n", kept);
        return create(a);
}

#define DUMPS "/var/lib/xen/dump"

/* Where xl puts it.  What comes after is done all the same, as xl does. */
static void dump_core(struct actor_of_libxl *a) {
        char path[512];
        char *name = libxl_domid_to_name(a->ctx, a->domid);
        int rc;

        mkdir(DUMPS, 0700);
        snprintf(path, sizeof(path), DUMPS "/%.200s", name ? name : "domain");
        for (char *at = path + strlen(DUMPS "/"); *at; at++)
                if (*at == '/')
                        *at = '_';
        rc = libxl_domain_core_dump(a->ctx, a->domid, path, NULL);
        if (rc)
                failed("its memory could not be written down", rc);
        free(name);
}

static int soft_reset(struct actor_of_libxl *a) {
        int rc = load(a);

        if (rc)
                return rc;
        rc = libxl_domain_soft_reset(a->ctx, &a->config, a->domid, NULL, NULL);
        if (!rc)
                rc = libxl_domain_unpause(a->ctx, a->domid, NULL);
        if (!rc)
                return 0;
        failed(a->config.b_info.type == LIBXL_DOMAIN_TYPE_HVM ? "it cannot be begun anew in its place, and is destroyed, as xl does"
                                                              : "only an HVM domain can be begun anew in its place: it is destroyed, as xl does",
               rc);
        libxl_domain_destroy(a->ctx, a->domid, NULL);
        return rc;
}

static int resume(struct actor_of_libxl *a) {
        libxl_dominfo info;
        int rc;

        libxl_dominfo_init(&info);
        rc = libxl_domain_info(a->ctx, &info, a->domid);
        if (!rc && info.shutdown)
                rc = libxl_domain_resume(a->ctx, a->domid, 1, NULL);
        else if (!rc)
                rc = libxl_domain_unpause(a->ctx, a->domid, NULL);
        libxl_dominfo_dispose(&info);
        return rc ? failed("it cannot be resumed", rc) : 0;
}

/* Of others Xen refuses it (PV), or libxl takes it, and nothing comes of it (PVH). */
static int press_power_button(struct actor_of_libxl *a) {
        /* Its configuration knows; what libxl has of the hypervisor (libxl_dominfo) takes PVH for HVM. */
        int rc;

        if (load_stored(a))
                return -1;
        if (a->config.c_info.type != LIBXL_DOMAIN_TYPE_HVM) {
                printf("it has no power button: only an HVM domain has one\n");
                return -1;
        }
        rc = libxl_send_trigger(a->ctx, a->domid, LIBXL_TRIGGER_POWER, 0, NULL);
        return rc ? failed("its power button cannot be pressed", rc) : 0;
}

static bool is_there(struct actor_of_libxl *a, const char *uuid) {
        char text[XEN_UUID_TEXT_MAX] = "";
        libxl_dominfo info;

        libxl_dominfo_init(&info);
        if (!libxl_domain_info(a->ctx, &info, a->domid))
                xen_uuid_text(text, libxl_uuid_bytearray(&info.uuid));
        libxl_dominfo_dispose(&info);
        return !strcmp(text, uuid);
}

static int act(struct actor_of_libxl *a, const struct xen_act *what) {
        const char *command = what->command;
        int rc;

        if (!is_there(a, what->uuid)) {
                printf("there is no such domain any more\n");
                return -1;
        }

        if (!strcmp(command, "destroy"))
                return destroy(a);
        if (!strcmp(command, "restart"))
                return restart(a);
        if (!strcmp(command, "rename-restart"))
                return rename_restart(a, what->name);
        if (!strcmp(command, "coredump-destroy") || !strcmp(command, "coredump-restart")) {
                dump_core(a);
                return !strcmp(command, "coredump-destroy") ? destroy(a) : restart(a);
        }
        if (!strcmp(command, "soft-reset"))
                return soft_reset(a);
        if (!strcmp(command, "resume"))
                return resume(a);
        if (!strcmp(command, "pause")) {
                rc = libxl_domain_pause(a->ctx, a->domid, NULL);
                return rc ? failed("it cannot be paused", rc) : 0;
        }
        if (!strcmp(command, "suspend")) {
                rc = libxl_domain_suspend_only(a->ctx, a->domid, NULL);
                return rc ? failed("it does not suspend", rc) : 0;
        }
        if (!strcmp(command, "power-button"))
                return press_power_button(a);
        printf("nobody knows how to do that\n");
        return -1;
}

int xen_act_run(const struct xen_act *what) {
        struct actor_of_libxl a = { .domid = what->domid };
        int rc;

        setvbuf(stdout, NULL, _IOLBF, 0);
        a.logger = (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_ERROR, 0);
        rc = libxl_ctx_alloc(&a.ctx, LIBXL_VERSION, 0, a.logger);
        if (rc) {
                printf("libxl does not work here\n");
                return EXIT_FAILURE;
        }
        libxl_domain_config_init(&a.config);
        rc = act(&a, what);
        libxl_domain_config_dispose(&a.config);
        libxl_ctx_free(a.ctx);
        xtl_logger_destroy(a.logger);
        return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
