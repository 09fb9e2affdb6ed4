#include "keeper/claims.h"
#include "core/text.h"

#include <string.h>

/* Of which of these sources a kind of fact is; that others were many, any may say. */
static const unsigned sources_of[_EVIDENCE_KIND_N] = {
        [EVIDENCE_MACHINE] = 1u << SOURCE_QMP,
        [EVIDENCE_DEVICE] = 1u << SOURCE_QMP,
        [EVIDENCE_STATUS] = 1u << SOURCE_QMP,
        [EVIDENCE_SHUTDOWN] = 1u << SOURCE_QMP,
        [EVIDENCE_RESET] = 1u << SOURCE_QMP,
        [EVIDENCE_POWERDOWN] = 1u << SOURCE_QMP,
        [EVIDENCE_STOP] = 1u << SOURCE_QMP,
        [EVIDENCE_RESUME] = 1u << SOURCE_QMP,
        [EVIDENCE_SUSPEND] = 1u << SOURCE_QMP,
        [EVIDENCE_SUSPEND_DISK] = 1u << SOURCE_QMP,
        [EVIDENCE_WAKEUP] = 1u << SOURCE_QMP,
        [EVIDENCE_WATCHDOG] = 1u << SOURCE_QMP,
        [EVIDENCE_GUEST_PANICKED] = 1u << SOURCE_QMP,
        [EVIDENCE_GUEST_CRASHLOADED] = 1u << SOURCE_QMP,
        [EVIDENCE_GUEST_PVSHUTDOWN] = 1u << SOURCE_QMP,
        [EVIDENCE_BLOCK_IO_ERROR] = 1u << SOURCE_QMP,
        [EVIDENCE_REGISTERS] = 1u << SOURCE_QMP,
        [EVIDENCE_PM1_CONTROL] = 1u << SOURCE_QMP,
        [EVIDENCE_MONITOR_OPENED] = 1u << SOURCE_QMP,
        [EVIDENCE_MONITOR_CLOSED] = 1u << SOURCE_QMP,
        [EVIDENCE_MONITOR_TAKEN] = 1u << SOURCE_QMP,
        [EVIDENCE_MALFORMED] = 1u << SOURCE_QMP,
        [EVIDENCE_PORT_WRITE] = 1u << SOURCE_QMP, /* vmpower-vmm says by which way its guest went */
        [EVIDENCE_KVM_EXIT] = 1u << SOURCE_QMP,
        [EVIDENCE_SIGNAL] = 1u << SOURCE_STDERR,
        [EVIDENCE_MESSAGE] = 1u << SOURCE_STDERR,
        [EVIDENCE_EXITED] = 1u << SOURCE_PROCESS,
        [EVIDENCE_KILLED] = 1u << SOURCE_PROCESS,
        [EVIDENCE_VANISHED] = 1u << SOURCE_PROCESS,
        [EVIDENCE_STOPPED] = 1u << SOURCE_PROCESS,
        [EVIDENCE_CONTINUED] = 1u << SOURCE_PROCESS,
        [EVIDENCE_OOM_KILL] = 1u << SOURCE_PROCESS,
        [EVIDENCE_MONITOR_CLIENT] = 1u << SOURCE_PROCESS,
        [EVIDENCE_LINE] = 1u << SOURCE_CONSOLE,
        [EVIDENCE_OMITTED] = CLAIMS_SOURCES,
};

bool claim_is_plausible(const struct evidence *evidence) {
        return sources_of[evidence->kind] & 1u << evidence->source;
}

void claim_bound_actor(struct actor *actor, uid_t uid, const char *user) {
        bool is_himself = actor->uid == (int64_t)uid;

        /* Root is whom else a signal may come from; nobody has to be asked what he is called. */
        text_set(actor->user, sizeof(actor->user), is_himself ? user : actor->uid == 0 ? "root" : "");
        if (!is_himself && actor->confidence == CONFIDENCE_CERTAIN)
                actor->confidence = CONFIDENCE_LIKELY;
        if (strcmp(actor->login_user, user)) {
                actor->login_user[0] = '\0';
                actor->login_from[0] = '\0';
        }
        if (actor->client.uid == (int64_t)uid)
                text_set(actor->client.user, sizeof(actor->client.user), user);
        else
                actor->client = (struct actor_client){ 0 };
}
