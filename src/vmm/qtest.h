/*
 * qtest: QEMU's protocol by which a test takes the CPU's place: its accesses and the clock as lines of text.
 *
 * Knows the words (QEMU's docs/devel/testing/qtest.rst) and the board; the clock moves by clock_step and clock_set alone.  Does not know sockets.
 */
#pragma once

#include "vmm/board.h"

#include <stddef.h>

enum {
        QTEST_LINE_MAX = 256,  /* of what we take; longer ones are refused */
        QTEST_REPLY_MAX = 128, /* what a line is answered by, an interrupt's line before it */
};

struct qtest {
        struct board *board; /* borrowed */
        uint64_t now_ns;
        bool tells_interrupts; /* asked for by irq_intercept_in */
        bool interrupt;        /* the level that was told */
};

/* Answer a line, without its newline; what a guest's access asks for is in *ret_request. */
void qtest_answer(struct qtest *qtest, const char *line, char ret_reply[static QTEST_REPLY_MAX], struct board_request *ret_request);

/* The level has changed by something else: the line that says so, "" if there is none to say. */
void qtest_tell_interrupt(struct qtest *qtest, char ret_line[static QTEST_REPLY_MAX]);
