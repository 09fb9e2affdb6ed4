/*
 * Verdicts: one object of them, for the files that make some.
 */
#pragma once

#include "client/client.h"

/* Takes the reference.  -EPROTO: it is no verdict. */
int verdict_new(struct vmpower_verdict **ret_verdict, json_t *json);
