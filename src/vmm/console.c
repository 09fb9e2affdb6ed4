#include "vmm/console.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Each key goes to the guest as it is, but those that end or stop a program. */
static void make_raw(struct console *console) {
        struct termios raw;

        if (tcgetattr(console->in, &console->before) || tcgetpgrp(console->in) != getpgrp())
                return;
        raw = console->before;
        raw.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | IXON);
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        console->is_raw = !tcsetattr(console->in, TCSANOW, &raw);
}

int console_open(struct console *console, const char *where) {
        *console = CONSOLE_NONE;
        if (!strcmp(where, "stdio")) {
                console->out = STDOUT_FILENO;
                console->in = STDIN_FILENO;
                if (isatty(console->in))
                        make_raw(console);
        } else if (!strncmp(where, "file:", 5)) {
                console->out = open(where + 5, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
                return console->out < 0 ? -errno : 0;
        }
        return 0;
}

void console_close(struct console *console) {
        if (console->is_raw)
                tcsetattr(STDIN_FILENO, TCSANOW, &console->before);
        if (console->out > STDERR_FILENO)
                close(console->out);
        *console = CONSOLE_NONE;
}

void console_write(struct console *console, char byte) {
        if (console->out >= 0 && write(console->out, &byte, 1) < 0 && errno != EAGAIN && errno != EINTR)
                console->out = -1;
}

size_t console_read(struct console *console, char *ret_bytes, size_t n) {
        const ssize_t got = n && console->in >= 0 ? read(console->in, ret_bytes, n) : -1;

        if (!got || (got < 0 && n && errno != EAGAIN && errno != EINTR))
                console->in = -1;
        return got > 0 ? (size_t)got : 0;
}
