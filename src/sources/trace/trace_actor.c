#include "sources/trace/trace_actor.h"
#include "sources/login.h"
#include "sources/proc.h"
#include "sources/toolstack.h"
#include "sources/trace/decode.h"

#include <string.h>

/* Who sits at the terminal is still there, mostly: what /proc says of it holds if it is the same. */
void trace_actor_complete_leader(struct evidence *evidence, const struct trace_signal *signal) {
        struct proc_stat stat;
        struct actor actor;

        if (proc_stat_read(&stat, (pid_t)signal->leader.tgid) || stat.start_time != signal->leader.start_ns / TRACE_TICK_NS ||
            proc_actor((pid_t)signal->leader.tgid, evidence->actor->via, &actor))
                return;
        actor.confidence = evidence->actor->confidence;
        *evidence->actor = actor;
}

void trace_actor_complete(struct evidence *evidence, const struct trace_sender *sender) {
        struct proc_stat stat;

        if (evidence->actor->uid >= 0)
                proc_user_name(evidence->actor->user, sizeof(evidence->actor->user), sender->uid);
        if (sender->login_uid != UINT32_MAX)
                proc_user_name(evidence->actor->login_user, sizeof(evidence->actor->login_user), sender->login_uid);
        login_find(evidence->actor);
        /* Whom the bus has named asked for this very unit. */
        if (!evidence->actor->client.pid && !proc_stat_read(&stat, (pid_t)sender->process.tgid) && stat.start_time == sender->process.start_ns / TRACE_TICK_NS)
                toolstack_find_client(evidence->actor);
}

/* A service manager ends units, and its signal is one to this one. */
void trace_actor_take_unit(struct evidence *evidence, pid_t pid) {
        char unit[EVIDENCE_TEXT_MAX];

        if (strcmp(evidence->actor->comm, "systemd"))
                return;
        proc_unit(unit, sizeof(unit), pid);
        evidence_set_text(evidence, unit, strlen(unit));
}
