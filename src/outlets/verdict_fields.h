/*
 * Verdict fields: a verdict as flat names and values, for the journal's fields and a hook's environment.
 *
 * Knows the names (docs/man/vmpowerd.8 lists them).  What is not known has no field.  Pure.
 */
#pragma once

#include "core/record.h"

/* Name and value are the callee's only during the call. */
void verdict_fields_each(const struct verdict_record *record,
                         void (*each)(const char *name, const char *value, void *userdata), void *userdata);
