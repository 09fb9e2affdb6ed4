/*
 * Verdict in JSON: the form `vmpower.verdict/1`, spoken by `why --json`, the API, every outlet and `run --verdict`.
 *
 * Knows the form and the order of its keys (json_dumps() keeps it).  Does not know who may see what.
 */
#pragma once

#include <jansson.h>

#include "core/record.h"

/* A new object.  0 or -ENOMEM. */
int verdict_record_to_json(const struct verdict_record *record, json_t **ret_json);

/*
 * And back, from hostile mouths: what the form does not tell (numbers, ranks among the proof, instants of the boot's clock) is empty.  0, -EINVAL
 * for another form or a word that this version does not know, -ENOMEM; nothing is owned then.
 */
int verdict_record_from_json(const json_t *json, struct verdict_record *ret_record);
