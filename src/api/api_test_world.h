/*
 * A small world for the API's tests: a store of its own, a keeper that we play, the real API on a real socket, and peers who talk to
 * it byte by byte.
 *
 * One thread: the peers' sockets never block, and the loop runs while an answer is awaited.
 */
#pragma once

#include "api/api.h"

#include <jansson.h>
#include <systemd/sd-event.h>

enum {
        ALICE = 4001,
        BOB = 4002,
        VMS_MAX = 16,
        TEXT_MAX = 1 << 20,
};

struct played_vm {
        struct store_vm vm;
        char state[16];
        char monitor[128]; /* "": none */
        char last_verdict[VERDICT_ID_MAX];
        uint64_t since_ns;
};

struct world {
        char directory[64];
        char path[96];
        char why[STORE_WHY_MAX];
        struct store *store;
        sd_event *event;
        struct api *api;
        struct api_config config;

        /* The keeper that we play. */
        struct played_vm vms[VMS_MAX];
        size_t n_vms;
        size_t n_waiting; /* verdicts that the disk owes */
        int attach_result; /* what keeper_attach() gives */
        int greeting_result; /* what becomes of it then */
        struct keeper_attach_order order;
        struct keeper_detach_order detach_order;
        struct keeper_request request;
        char asked[32];
        bool has_gone;
        char attached[512]; /* "NAME PATH PID" of the last attach; "INSTANCE" of the last detach */
        struct actor asker;

        char text[TEXT_MAX]; /* the last answer's body */
        char head[4096];
        unsigned status;
};

/* The world there is: the keeper's functions have no other way to it. */
extern struct world *world_now;

/*
 * cmocka's: alice's web-1 (running), bob's web-1 (paused) and db-1 (gone).  Who is not root plays nobody else: all are his, the second is
 * web-2.
 */
int world_begin(void **state);
int world_end(void **state);
/* With another configuration from here on. */
void world_restart(struct world *world);

struct played_vm *world_add_vm(struct world *world, const char *name, int64_t uid, const char *instance);

/* A verdict on that VM: stored, not published.  Its actor is process 77 of `actor_uid`, with a command line; -2: nobody was seen. */
struct verdict_record world_tell(struct world *world, const struct played_vm *vm, int64_t actor_uid);
/* The same, and published, and forgotten. */
uint64_t world_publish(struct world *world, const struct played_vm *vm);

/* By hand, with a connection of its own. */
void world_sql(struct world *world, const char *sql);

/* A connection of that user, with these supplementary groups (needs root, if it is another user). */
int world_connect(struct world *world, int64_t uid);
int world_connect_in_group(struct world *world, int64_t uid, gid_t group);
bool world_is_root(void);

/* Let the loop run until nothing happens for so long. */
void world_run(struct world *world, unsigned ms);

void peer_send(int fd, const char *text);
/* Run the loop until a whole answer has come: status, head and text are set.  The status; 0: closed without one. */
unsigned world_read_answer(struct world *world, int fd);
/* Run the loop until that text has come (appended to world->text); false: closed, or nothing more for 2 s. */
bool world_read_until(struct world *world, int fd, const char *text);
/* Is it closed by the API within 3 s, whatever comes before? */
bool world_is_closed(struct world *world, int fd);

/* One request on a connection of its own: "GET /v1/vms".  The status. */
unsigned world_ask(struct world *world, int64_t uid, const char *request);
unsigned world_ask_with_body(struct world *world, int64_t uid, const char *request, const char *body);

/* The last answer as JSON; good until the next call. */
json_t *world_json(struct world *world);
/* A text of it, by a path such as "vms.0.name"; "null" where it is null, "-" where it is not there; numbers as text. */
const char *world_value(struct world *world, const char *path);
void world_expect(struct world *world, const char *path, const char *value);
