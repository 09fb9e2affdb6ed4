/*
 * Evidence in JSON: one fact in the one form that the store, the API and every outlet share.
 *
 * Knows the keys: those of `data` are named by evidence_kind_info(), an actor is always "actor".  What is not known is
 * null.  Does not know what a fact means.
 */
#pragma once

#include <jansson.h>

#include <vmpower/judge.h>

/* {"id", "time", "source", "kind", "proof", "data"}, in this order.  0 or -ENOMEM. */
int evidence_to_json(const struct evidence *evidence, bool is_proof, json_t **ret_json);

/* Only `data`: exactly the members that its kind has.  0 or -ENOMEM. */
int evidence_data_to_json(const struct evidence *evidence, json_t **ret_data);

/*
 * Fill in the members of a fact whose kind is set, from hostile mouths: texts are cut at their bounds, unknown keys are
 * passed over, missing ones are empty.  0, -EINVAL for a wrong type, -ENOMEM; nothing has changed then.
 */
int evidence_data_from_json(const json_t *data, struct evidence *evidence);
