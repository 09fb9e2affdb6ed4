/* Loaded into a QEMU (LD_PRELOAD): at SIGUSR2 it makes a fault of its own. */
#include <signal.h>
#include <stddef.h>

static void on_signal(int number) {
        volatile int *volatile nowhere = NULL;

        *nowhere = number;
}

__attribute__((constructor)) static void prepare(void) {
        signal(SIGUSR2, on_signal);
}
