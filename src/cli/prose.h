/*
 * Prose: a verdict as text for people.
 *
 * Knows how to tell it: the sentence, who and how, the path that the transition took, the evidence under it.
 */
#pragma once

#include "core/record.h"

#include <stdio.h>

/* The whole story.  `colour`: with the terminal's emphasis. */
void print_verdict(FILE *to, const struct verdict_record *record, bool colour);

/* One line of a history. */
void print_verdict_line(FILE *to, const struct verdict_record *record);
