/*
 * Client: what the library's files share: the handle, a question, and what an answer is made of.
 *
 * Knows how the API's refusals are errnos.  Does not know what VMs and verdicts are.
 */
#pragma once

#include <vmpower/client.h>

#include <jansson.h>

#include "client/http.h"

enum {
        CLIENT_PATH_MAX = 108, /* sun_path's */
        CLIENT_ERROR_MAX = 512,
};

struct vmpower {
        char path[CLIENT_PATH_MAX];
        char error[CLIENT_ERROR_MAX];
};

/* Say what is wrong, on one line; returns `r`. */
int client_fail(struct vmpower *vmpower, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A failure of the connection in plain words; returns its errno, that of a daemon that is not there always -ECONNREFUSED. */
int client_fail_http(struct vmpower *vmpower, int r);

/* What an answer that is no success is: reads its body.  0 for a success. */
int client_check_status(struct vmpower *vmpower, struct http *http, int64_t deadline_ms);

/* Ask, and parse the answer: an object, or -EPROTO.  `body` may be NULL. */
int client_ask(struct vmpower *vmpower, const char *method, const char *target, const char *body, json_t **ret_json);

/* "PREFIX" "NAME, percent-encoded" "SUFFIX"; to be freed; NULL without memory. */
char *client_target(const char *prefix, const char *name, const char *suffix);

/* One object of an answer: `json` is owned, `text` is the same on one line. */
struct client_object {
        json_t *json;
        char *text;
};

/* Takes the reference.  -EPROTO: it is no object. */
int client_object_init(struct client_object *object, json_t *json);
void client_object_deinit(struct client_object *object);

/* NULL for what is not there, null, or no text. */
const char *client_object_text(const struct client_object *object, const char *key);
/* Of an object in it. */
const char *client_object_text_in(const struct client_object *object, const char *outer, const char *key);
int64_t client_object_number_in(const struct client_object *object, const char *outer, const char *key, int64_t otherwise);
