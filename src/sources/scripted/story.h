/*
 * Story: a small world as text, a line a step.
 *
 * Knows the grammar below and turns one line into one step.  Does not know what must follow from it.
 *
 *     # a comment
 *     policy VM on_reboot=destroy
 *     machine VM microvm                          (pc-i440fx-7.2 unless said)
 *     TIME SOURCE VM KIND [value] [key=value …] [at=TIME] [asked=TIME] [repeat N every TIME]
 *                                                 evidence, heard of at TIME, when it happened unless at= says earlier;
 *                                                 QMP's own spelling of events is understood: SUSPEND_DISK
 *     TIME expect VM TRANSITION by INITIATOR, MECHANISM[, graceful | not graceful | left X | likely | count N
 *                    | actor COMM | actor nobody | rule NAME | ACTION RESULT]
 *     TIME expect VM nothing                      no verdict yet
 *     TIME expect VM N verdicts | N revisions     so many episodes were judged, so many verdicts revised, by now
 *     TIME expect VM started | not started        policy has started it again, or has not
 *
 * TIME is seconds (5.040) or a number with its unit: ms, s, m, h, d.  A value with blanks stands in double quotes.
 */
#pragma once

#include "core/policy.h"

enum story_step_kind {
        STORY_POLICY,
        STORY_EVIDENCE,
        STORY_EXPECT_VERDICT,
        STORY_EXPECT_NOTHING,
        STORY_EXPECT_VERDICTS,
        STORY_EXPECT_REVISIONS,
        STORY_EXPECT_STARTED,
        STORY_EXPECT_NOT_STARTED,
};

/* What a verdict must say; what is not mentioned may be anything. */
struct story_expectation {
        enum transition transition;
        enum initiator initiator;
        enum mechanism mechanism;
        bool has_graceful, has_left, has_confidence, has_count, has_decision;
        enum tristate graceful;
        enum left left;
        enum confidence confidence;
        uint64_t count;
        enum policy_action action;
        enum decision_result result;
        char rule[48];
        char actor[24];
};

struct story_step {
        enum story_step_kind kind;
        uint64_t at_ns;
        uint64_t happened_ns; /* STORY_EVIDENCE: the same as at_ns, or earlier */
        uint64_t repeat;      /* STORY_EVIDENCE: so often … */
        uint64_t every_ns;    /* … so far apart */
        char vm[32];
        char setting[64];         /* STORY_POLICY */
        struct evidence evidence; /* STORY_EVIDENCE; owned */
        struct story_expectation expectation;
        uint64_t number;
};

#define STORY_TIME_MAX_NS UINT64_C(3153600000000000000) /* a century */
enum {
        STORY_REPEAT_MAX = 100000,
};

#define STORY_EMPTY 1

/*
 * Read one line (n bytes, without its newline; at most 1024).  0: ret_step is the step, deinit it.  STORY_EMPTY: a comment or a
 * blank line.  -EINVAL with ret_why (static) saying what is wrong; -ENOMEM.
 */
int story_read_line(const char *line, size_t n, struct story_step *ret_step, const char **ret_why);
void story_step_deinit(struct story_step *step);
