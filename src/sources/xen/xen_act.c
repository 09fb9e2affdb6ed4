#include "sources/xen/xen_act.h"
#include "sources/xen/xen_domain.h"

#include <libxl.h>
#include <libxl_utils.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
        CREATE_TRIES = 4,
        CREATE_AGAIN_S = 2, /* Xen takes a domain's memory back a while after it is gone; xl waits as long */
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

/* The configuration that libxl keeps of the domain, as it is now: what a new one is made by. */
static int load(struct actor_of_libxl *a) {
        int rc = libxl_retrieve_domain_configuration(a->ctx, a->domid, &a->config, NULL);

        return rc ? failed("its stored configuration cannot be read", rc) : 0;
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
        return rc ? failed("it cannot be begun anew in its place", rc) : 0;
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
        if (!strcmp(command, "power-button")) {
                rc = libxl_send_trigger(a->ctx, a->domid, LIBXL_TRIGGER_POWER, 0, NULL);
                return rc ? failed("it has no power button", rc) : 0;
        }
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
