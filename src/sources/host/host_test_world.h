/* What the tests share that have a bus of their own, where logind and systemd say what the test wants. */
#pragma once

#include "sources/host/host_source.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

struct world {
        char directory[64];
        char address[128];
        pid_t daemon;
        sd_event *event;
        sd_bus *logind, *systemd, *client;
        struct host_source *source;
        /* What they say. */
        int is_preparing;
        const char *state;
        bool refuses_lock;
        bool is_silent; /* PowerOff does nothing */
        bool refuses;   /* … but to say no */
        int lock;       /* our end: at its end once nobody holds it */
        /* What was heard. */
        struct evidence fact; /* without its actor */
        struct actor actor;
        bool has_actor;
        unsigned n_facts, n_calls, n_replies;
};

/* False: there is no dbus-daemon here. */
bool world_start(struct world *w);
void world_end(struct world *w);
/* The bus goes. */
void stop_daemon(struct world *w);
sd_bus *connect_to(struct world *w, const char *name);
void start_logind(struct world *w);
void open_source(struct world *w);

void on_changed(void *userdata, const struct evidence *fact);
void on_trouble(void *userdata, const char *line);

/* What they say. */
void job(struct world *w, bool is_new, const char *unit);
void prepare(struct world *w, bool goes);

/* Without this no answer would be asked for. */
int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error);
void call_power_off(struct world *w);

/* Nobody holds the lock any more: logind's end is at its end. */
bool is_let_go(const struct world *w);

/* False: it is later than that. */
bool step(struct world *w, uint64_t deadline_ns);

#define PATIENCE_NS UINT64_C(20000000000)

#define UNTIL(w, condition)                                                                                              \
        do {                                                                                                             \
                uint64_t _deadline = source_now_ns() + PATIENCE_NS;                                                      \
                while (!(condition))                                                                                     \
                        if (!step((w), _deadline))                                                                       \
                                fail_msg("never: %s", #condition);                                                       \
        } while (0)
