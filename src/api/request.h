/*
 * Request: one question of one peer, and its answer.
 *
 * What the plumbing (api.c) hands to a route, and what the route hands back.  Knows the bounds.  Does not know the socket.
 */
#pragma once

#include "api/api.h"
#include "api/buffer.h"
#include "api/peer.h"
#include "api/turns.h"

enum {
        REQUEST_BODY_MAX = 64 * 1024,
        REQUEST_NAME_MAX = VM_NAME_MAX, /* no name, uuid, instance or id is longer */
        REQUEST_VALUE_MAX = 512,
        REQUEST_PARAMETERS_MAX = 8,
        REQUEST_ITEMS_MAX = 1000, /* one answer's; the next page has more */
        REQUEST_ITEMS = 100,      /* unless it says how many */
};

struct route;
struct promise;
struct promises;
struct metrics;
struct streams;
struct MHD_Connection;
struct MHD_Response;

/* A list in the answer's text, that knows when it has enough. */
struct page {
        size_t n, n_max;
        uint64_t last; /* item's number */
        int64_t vm;    /* whose evidence it is */
        size_t n_begin; /* bytes of the answer when this piece began */
        bool has_begun, has_more;
        bool is_interrupted; /* the next piece follows */
};

struct request {
        struct keeper *keeper;
        struct store *store;
        struct metrics *metrics;
        struct streams *streams;
        const struct api_config *config;
        struct MHD_Connection *connection;
        const struct peer *peer;

        const struct route *route;
        bool is_head; /* the answer's body is not wanted */
        char name[REQUEST_NAME_MAX]; /* what stood for {name} or {id} in the path */
        struct {
                const char *key; /* one of the route's */
                char value[REQUEST_VALUE_MAX];
        } parameters[REQUEST_PARAMETERS_MAX];
        size_t n_parameters;
        struct buffer body;
        size_t n_discarded; /* of a body that is too large */

        unsigned status;               /* the answer's */
        struct buffer text;
        const char *type;              /* NULL: JSON */
        char allow[64];                /* "": no such header */
        struct MHD_Response *response; /* instead of the text: a stream; owned */
        struct promises *promises;
        struct promise *promise;       /* the answer comes later */
        struct turns *turns;
        struct turn turn;
        struct page page;              /* of a list that is answered piece by piece */
};

/* An answer that comes later. */
struct promise {
        struct promise *next, *previous;
        struct promises *promises;
        struct request *request; /* NULL: nobody waits for it any more */
        bool is_suspended;       /* its connection is out of MHD's loop */
};

/* Those that are not kept yet. */
struct promises {
        struct promise *first;
        void (*kept)(void *userdata); /* the connections have something to do */
        void *userdata;
};

/* Once its route has come back without an answer the request waits.  NULL: out of memory, which is its answer then. */
struct promise *request_promise(struct request *request);

/* Its request was answered (or there is none any more): it goes on.  The promise is gone. */
void promise_keep(struct promise *promise);

/* Nobody waits any more: all are answered with a 503, and stay to be kept. */
void promises_give_up(struct promises *promises);

void request_deinit(struct request *request);

/* {"error": "one clear line"}. */
void request_fail(struct request *request, unsigned status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A store's or a keeper's -errno and its line. */
void request_fail_errno(struct request *request, int r, const char *why);

/* Answer with this, and give the reference up; NULL is no memory. */
void request_answer(struct request *request, unsigned status, json_t *json);

/* The parameter's value, NULL if it was not given. */
const char *request_parameter(const struct request *request, const char *key);

/* A decimal number in these bounds, `otherwise` if it was not given.  false: the answer is 400 already. */
bool request_number(struct request *request, const char *key, uint64_t minimum, uint64_t maximum, uint64_t otherwise,
                    uint64_t *ret_number);
/* A time as RFC 3339 says it; 0 if it was not given. */
bool request_time(struct request *request, const char *key, uint64_t *ret_time_ns);
