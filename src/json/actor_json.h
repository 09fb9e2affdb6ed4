/*
 * Actor in JSON: who did it, in the one form that the store, the API and every outlet share.
 *
 * Knows the keys and that null is "not known".  Does not know who may see a command line.
 */
#pragma once

#include <jansson.h>

#include <vmpower/judge.h>

/* NULL is null.  0 or -ENOMEM. */
int actor_to_json(const struct actor *actor, json_t **ret_json);

/*
 * And back, from hostile mouths: texts are cut at their bounds, more than ACTOR_PARENTS_MAX parents and unknown keys
 * are passed over, a missing key is "not known".  0, or -EINVAL for a wrong type or number (*ret_actor is undefined
 * then).
 */
int actor_from_json(const json_t *json, struct actor *ret_actor);
