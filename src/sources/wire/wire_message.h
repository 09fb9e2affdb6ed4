/*
 * Wire message: one line of what a source in another process, or a helper, and the daemon say to each other (docs/wire.md).
 *
 * Knows the form and its bounds, both ways.  Pure.  Does not know sockets, or what becomes of what is told.
 */
#pragma once

#include <vmpower/judge.h>

enum {
        WIRE_PROTOCOL = 1,
        WIRE_LINE_MAX = 64 * 1024,    /* bytes of a line, its end included */
        WIRE_COMMAND_MAX = 16 * 1024, /* bytes of a command line that are told, NUL included */
        WIRE_WHY_MAX = 200,
        WIRE_INSTANCE_MAX = 96,
};

enum wire_kind {
        WIRE_HELLO,    /* a source begins: who it is, and which VM it tells of */
        WIRE_VM,       /* that VM turned out to be another process, or goes by another name */
        WIRE_EVIDENCE, /* a fact about it */
        WIRE_VERDICT,  /* a verdict on it is in the source's own database */
        WIRE_DECIDED,  /* what its owner's policy decided came to this */
        WIRE_GONE,     /* nothing of it can follow */
        WIRE_WELCOME,  /* the daemon's answer to a hello */
        WIRE_REFUSED,  /* or this one: it does not listen, and why */

        /* A helper's, which tells of many VMs: each message on one of them says of which. */
        WIRE_CONFIGURE, /* the daemon begins: how it is to be done */
        WIRE_REQUEST,   /* it wants something done to a VM */
        WIRE_LOOK,      /* something was done to one, which its source may not be told of: it is to look */
        WIRE_DONE,      /* the helper has done it, or not */
        WIRE_SURVEYED,  /* it has said hello for every VM that there is */
        WIRE_TROUBLE,   /* what the administrator has to know */

        WIRE_UNKNOWN,  /* of a later version: to be passed over */
};

/* Who the VM is.  Texts are short, printable UTF-8; "": not known. */
struct wire_vm {
        char name[256];
        char uuid[40];
        char backend[16];
        char instance[WIRE_INSTANCE_MAX]; /* BOOTID:PID:STARTTIME, BOOTID:xenDOMID:CREATION */
        char policy[320]; /* as policy_format() writes it */
        char monitor[108]; /* the one that the source holds */
        char state[16];      /* in which it was found: running, paused, suspended, off … */
        int64_t pid;         /* 0: it has none */
        int64_t domid;       /* Xen's number for it; 0: none */
        char device_model[WIRE_INSTANCE_MAX]; /* the process that it needs, as an instance; "": none */
        int64_t look; /* that this answers; 0: none */
        int64_t n_restarts; /* that policy has made of this name lately */
        uint64_t began_ns;  /* UTC */
        char *command_line; /* secrets masked; owned; NULL: not known */
};

struct wire_hello {
        int64_t protocol;
        char program[48];
        char database[48]; /* DEVICE:INODE of the database that it writes; "": none */
        unsigned sources;  /* 1 << enum evidence_source, each that it may tell of */
        struct wire_vm vm;
};

/* In policy's own words. */
struct wire_decision {
        char policy[24];
        char action[24];
        char result[24];
};

/* What is asked of a helper: of which VM, and what, in the words of docs/wire.md. */
struct wire_request {
        int64_t number; /* the answer names it */
        char of[WIRE_INSTANCE_MAX];
        char command[24];
        char name[256]; /* that the VM is to have; "": as it is */
};

struct wire_done {
        int64_t number; /* the request's */
        bool is_done;   /* false: it failed */
        char why[WIRE_WHY_MAX];
};

struct wire_message {
        enum wire_kind kind;
        char of[WIRE_INSTANCE_MAX]; /* the instance that it is about, where a connection tells of many; "": the only one */
        union {
                struct wire_hello hello;
                struct wire_vm vm;
                struct evidence evidence;
                char verdict[32]; /* its id */
                struct wire_decision decided;
                struct {
                        int64_t protocol;
                        bool wants_evidence;
                } welcome;
                char why[WIRE_WHY_MAX];     /* of a refusal */
                char trouble[WIRE_WHY_MAX]; /* one line */
                struct wire_request request;
                struct wire_done done;
                int64_t look; /* the answer names it; 0: none is wanted */
                struct {
                        char xen_policy[16]; /* auto, leave */
                } configure;
        };
};

/*
 * Read a line (with or without its end), from hostile mouths.  0, and the message owns what it holds; -EINVAL: it is no message;
 * -EMSGSIZE: too long; -ENOMEM.
 */
int wire_message_read(struct wire_message *ret_message, const char *line, size_t n_line);

/* And write it, its end included; malloc()ed.  0; -EMSGSIZE; -EINVAL for WIRE_UNKNOWN; -ENOMEM. */
int wire_message_write(const struct wire_message *message, char **ret_line, size_t *ret_n_line);

void wire_message_deinit(struct wire_message *message);
