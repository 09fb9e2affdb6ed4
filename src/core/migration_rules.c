#include "core/migration_rules.h"

/* QEMU stops the VM itself for a migration's last phase. */
bool is_migration_pause(struct scene *s) {
        const struct evidence *status = cause_is(s, EVIDENCE_STOP) ? scene_first_after(s, EVIDENCE_STATUS, s->cause) : NULL;

        return status && says(status, "finish-migrate") && prove(s, status);
}

/* It was told to quit then, before its outcome could be asked for. */
bool is_migration_quit(struct scene *s) {
        const struct evidence *quit = is_migration_pause(s) ? scene_first_after(s, EVIDENCE_SHUTDOWN, s->cause) : NULL;

        return quit && says(quit, "host-qmp-quit") && prove(s, quit);
}

/* What it was, of a VM that goes on. */
static const struct evidence *status_before_resume(struct scene *s) {
        return cause_is(s, EVIDENCE_RESUME) ? scene_last_before(s, EVIDENCE_STATUS, NULL, s->cause, UINT64_MAX) : NULL;
}

/* QEMU lets a VM that it has stopped for a migration run on where that fails; until then it refuses `cont` (qmp_cont() in QEMU's monitor/qmp-cmds.c). */
bool is_migration_failed(struct scene *s) {
        const struct evidence *status = status_before_resume(s);

        return status && says(status, "finish-migrate") && prove(s, status);
}

/* It has arrived, and nobody was seen to say `cont`, as somebody must to one that was started with -S. */
bool is_migrated_here(struct scene *s) {
        const struct evidence *status = status_before_resume(s);

        if (!status || !says(status, "inmigrate") || scene_request_behind(s, "cont", s->cause))
                return false;
        prove(s, scene_request(s, "migrate-incoming", s->cause, UINT64_MAX));
        return prove(s, status);
}
