#include "sources/process/process_exit.h"
#include "sources/signal_name.h"

#include <sys/wait.h>

static struct evidence with_signal(enum evidence_kind kind, int number) {
        struct evidence evidence = evidence_make(SOURCE_PROCESS, kind);
        char name[SIGNAL_NAME_MAX];

        signal_name(number, name);
        evidence.number = number;
        evidence_set_word(&evidence, name);
        return evidence;
}

static struct evidence killed(int number, bool has_core) {
        struct evidence evidence = with_signal(EVIDENCE_KILLED, number);

        evidence.flag = has_core ? TRISTATE_TRUE : TRISTATE_FALSE;
        return evidence;
}

static struct evidence exited(int exit_status) {
        struct evidence evidence = evidence_make(SOURCE_PROCESS, EVIDENCE_EXITED);

        evidence.number = exit_status;
        return evidence;
}

bool process_evidence_from_status(struct evidence *ret_evidence, int status) {
        if (WIFEXITED(status))
                *ret_evidence = exited(WEXITSTATUS(status));
        else if (WIFSIGNALED(status))
                *ret_evidence = killed(WTERMSIG(status), WCOREDUMP(status));
        else if (WIFCONTINUED(status))
                *ret_evidence = evidence_make(SOURCE_PROCESS, EVIDENCE_CONTINUED);
        else if (WIFSTOPPED(status))
                *ret_evidence = with_signal(EVIDENCE_STOPPED, WSTOPSIG(status));
        else
                return false;
        return true;
}

bool process_evidence_from_siginfo(struct evidence *ret_evidence, const siginfo_t *info) {
        switch (info->si_code) {
        case CLD_EXITED:
                *ret_evidence = exited(info->si_status);
                return true;
        case CLD_KILLED:
        case CLD_DUMPED:
                *ret_evidence = killed(info->si_status, info->si_code == CLD_DUMPED);
                return true;
        case CLD_STOPPED:
                *ret_evidence = with_signal(EVIDENCE_STOPPED, info->si_status);
                return true;
        case CLD_CONTINUED:
                *ret_evidence = evidence_make(SOURCE_PROCESS, EVIDENCE_CONTINUED);
                return true;
        }
        return false;
}

bool process_was_killed_by(const struct evidence *evidence, int signal) {
        return evidence->kind == EVIDENCE_KILLED && evidence->number == signal;
}
