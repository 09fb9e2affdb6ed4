/*
 * Console: where a guest's serial port goes: this process's own terminal, a file, or nowhere.
 *
 * Knows terminals.  A console that nobody reads holds the guest up, as a serial line does.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

struct console {
        int out, in; /* -1: there is none */
        bool is_raw; /* the terminal is ours … */
        struct termios before; /* … and was so */
};

#define CONSOLE_NONE ((struct console){ .out = -1, .in = -1 })

/* `where`: "stdio", "none", "file:PATH".  0 or -errno. */
int console_open(struct console *console, const char *where);
void console_close(struct console *console);

/* It waits until the byte is taken, or a signal comes (then it is lost).  One whose other end has gone is written to no more. */
void console_write(struct console *console, char byte);
/* What was typed: at most n; 0: nothing now.  At the end of it `in` is -1. */
size_t console_read(struct console *console, char *ret_bytes, size_t n);
