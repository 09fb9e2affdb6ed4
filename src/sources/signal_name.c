#include "sources/signal_name.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

void signal_name(int signal, char ret_name[static SIGNAL_NAME_MAX]) {
        const char *name = sigabbrev_np(signal);

        if (name)
                snprintf(ret_name, SIGNAL_NAME_MAX, "SIG%s", name);
        else if (signal == SIGRTMIN)
                snprintf(ret_name, SIGNAL_NAME_MAX, "SIGRTMIN");
        else if (signal > SIGRTMIN && signal <= SIGRTMAX)
                snprintf(ret_name, SIGNAL_NAME_MAX, "SIGRTMIN+%d", (signal - SIGRTMIN) & 0x3f);
        else
                snprintf(ret_name, SIGNAL_NAME_MAX, "signal %d", signal % 1000000);
}
