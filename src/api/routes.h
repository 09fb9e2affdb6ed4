/*
 * Routes: what can be asked, by whom it is answered.
 *
 * The table that docs/openapi.yaml documents, and a test holds against it.  Knows paths and their parameters.  Does not know sockets.
 */
#pragma once

#include "api/request.h"

struct route {
        const char *method;
        const char *path;                               /* {name} and {id} stand for one segment */
        const char *parameters[REQUEST_PARAMETERS_MAX]; /* of the query */
        void (*answer)(struct request *request);
        bool takes_turns; /* it is called at its turn, and again until there is a status */
};

/* The i-th, or NULL past the end. */
const struct route *api_route(size_t i);

/*
 * Find the route of this request by its path, as it came, and set its name.  false: the answer is set (404, 405, 400).
 */
bool request_route(struct request *request, const char *method, const char *path);

/* One more parameter of the query, as it came; `value` may be NULL.  false: the answer is 400. */
bool request_take_parameter(struct request *request, const char *key, const char *value);

/* health.c */
void answer_health(struct request *request);
void answer_metrics(struct request *request);
/* vms.c */
void answer_vms(struct request *request);
void answer_vm(struct request *request);
void answer_attach(struct request *request);
void answer_detach(struct request *request);
/* control.c */
void answer_request(struct request *request);
/* history.c */
void answer_vm_verdict(struct request *request);
void answer_vm_evidence(struct request *request);
void answer_verdicts(struct request *request);
void answer_verdict(struct request *request);
/* streams.c */
void answer_events(struct request *request);
