#include "sources/qemu/qmp_server.h"
#include "basics/cleanup.h"
#include "qmp/qmp_message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
        WHY_MAX = 256,
};

/* --- what matters for power -------------------------------------------------------------------------------------- */

static const char *const requests[] = {
        "quit", "system_powerdown", "system_reset", "system_wakeup", "stop", "cont", "inject-nmi", "set-action",
        "watchdog-set-action", "migrate", "migrate-incoming",
};

/* The human monitor's other names for them (QEMU's hmp-commands.hx). */
static const struct {
        const char *human, *request;
} human_names[] = {
        { "q", "quit" }, { "s", "stop" }, { "c", "cont" }, { "nmi", "inject-nmi" }, { "watchdog_action", "watchdog-set-action" },
        { "migrate_incoming", "migrate-incoming" },
};

/* As C's isspace(), whatever the locale. */
static bool is_space(char byte) {
        return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool is_word(const char *word, const char *text, size_t n_text) {
        return strlen(word) == n_text && !memcmp(word, text, n_text);
}

static const char *find_request(const char *text, size_t n_text) {
        for (size_t i = 0; i < N_ELEMENTS(requests); i++)
                if (is_word(requests[i], text, n_text))
                        return requests[i];
        return NULL;
}

const char *qmp_server_request(const char *command, const char *human_line) {
        size_t n = 0;

        if (strcmp(command, "human-monitor-command"))
                return find_request(command, strlen(command));
        if (!human_line)
                return NULL;
        while (is_space(*human_line))
                human_line++;
        while (human_line[n] && human_line[n] != '/' && !is_space(human_line[n]))
                n++;
        for (size_t i = 0; i < N_ELEMENTS(human_names); i++)
                if (is_word(human_names[i].human, human_line, n))
                        return human_names[i].request;
        return find_request(human_line, n);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

/* QEMU quotes what it was sent, and so do we: with the bytes that are no UTF-8 replaced. */
static void make_utf8(char *ret_text, size_t n_max, const char *text) {
        char *out = ret_text, *end = ret_text + n_max - 4;

        while (*text && out < end) {
                size_t n = (unsigned char)*text >= 0xf0 ? 4 : (unsigned char)*text >= 0xe0 ? 3 : (unsigned char)*text >= 0xc0 ? 2 : 1;
                json_t *one = strnlen(text, n) == n ? json_stringn(text, n) : NULL;

                if (!one)
                        n = 1;
                out = one ? mempcpy(out, text, n) : stpcpy(out, "\xef\xbf\xbd");
                text += n;
                json_decref(one);
        }
        *out = '\0';
}

static int refuse(char **ret_answer, size_t *ret_length, const char *error_class, const char *why) {
        char text[WHY_MAX * 2];
        int r;

        r = qmp_encode_error(ret_answer, ret_length, NULL, error_class, why);
        if (r != -EINVAL)
                return r;
        make_utf8(text, sizeof(text), why);
        return qmp_encode_error(ret_answer, ret_length, NULL, error_class, text);
}

int qmp_server_refuse(char **ret_answer, size_t *ret_length, const char *defect) {
        return refuse(ret_answer, ret_length, "GenericError", defect);
}

/* --- dispatch: qapi/qmp-dispatch.c and monitor/qmp-cmds.c of QEMU 7.2 --------------------------------------------- */

/* Is the message a command in form?  Else why not.  Only a client that has not negotiated needs to hear it from us. */
static bool is_command(const json_t *root, char ret_why[static WHY_MAX]) {
        const char *key;
        json_t *value;
        bool has_command = false;

        json_object_foreach((json_t *)root, key, value) {
                *ret_why = '\0';
                if (!strcmp(key, "execute")) {
                        if (!json_is_string(value))
                                snprintf(ret_why, WHY_MAX, "QMP input member 'execute' must be a string");
                        has_command = true;
                } else if (!strcmp(key, "arguments")) {
                        if (!json_is_object(value))
                                snprintf(ret_why, WHY_MAX, "QMP input member 'arguments' must be an object");
                } else if (strcmp(key, "id")) {
                        snprintf(ret_why, WHY_MAX, "QMP input member '%.*s' is unexpected", 128, key);
                }
                if (*ret_why)
                        return false;
        }
        if (!has_command)
                snprintf(ret_why, WHY_MAX, "QMP input lacks member 'execute'");
        return has_command;
}

/* The arguments of qmp_capabilities: are they such, and what do they enable?  Else why not. */
static bool read_enable(const json_t *arguments, bool *ret_oob, size_t *ret_n_oob, char ret_why[static WHY_MAX]) {
        json_t *enable = json_object_get(arguments, "enable"), *value;
        const char *key;
        size_t i;

        *ret_oob = false;
        *ret_n_oob = 0;
        if (enable && !json_is_array(enable)) {
                snprintf(ret_why, WHY_MAX, "Invalid parameter type for 'enable', expected: array");
                return false;
        }
        json_array_foreach(enable, i, value) {
                if (!json_is_string(value)) {
                        snprintf(ret_why, WHY_MAX, "Invalid parameter type for 'enable[%zu]', expected: string", i);
                        return false;
                }
                if (strcmp(json_string_value(value), "oob")) {
                        snprintf(ret_why, WHY_MAX, "Parameter 'null' does not accept value '%.*s'", 128, json_string_value(value));
                        return false;
                }
                *ret_oob = true;
                ++*ret_n_oob;
        }
        json_object_foreach((json_t *)arguments, key, value)
                if (strcmp(key, "enable")) {
                        snprintf(ret_why, WHY_MAX, "Parameter '%.*s' is unexpected", 128, key);
                        return false;
                }
        return true;
}

static int answer_capabilities(struct qmp_server *server, struct qmp_order *order, const json_t *arguments) {
        char why[WHY_MAX];
        bool oob;
        size_t n_oob;

        if (!read_enable(arguments, &oob, &n_oob, why))
                return refuse(&order->answer, &order->n_answer, "GenericError", why);
        if (server->is_negotiated)
                return refuse(&order->answer, &order->n_answer, "CommandNotFound",
                              "Capabilities negotiation is already complete, command ignored");
        if (oob && !server->offers_oob) {
                snprintf(why, sizeof(why), "Capability oob");
                for (; n_oob > 1 && strlen(why) < sizeof(why) - 32; n_oob--)
                        strcat(why, ", oob");
                strcat(why, " not available");
                return refuse(&order->answer, &order->n_answer, "GenericError", why);
        }
        server->is_negotiated = true;
        server->has_oob = oob;
        return qmp_encode_return(&order->answer, &order->n_answer, NULL, NULL);
}

static int dispatch(struct qmp_server *server, struct qmp_order *order, const json_t *root) {
        json_t *arguments = json_object_get(root, "arguments");
        const char *command = json_string_value(json_object_get(root, "execute"));
        const json_t *oob = json_object_get(root, "exec-oob");
        const char *name = command ? command : json_string_value(oob);
        char why[WHY_MAX];

        order->is_oob = oob && !json_object_get(root, "execute");
        if (oob && !server->has_oob)
                return refuse(&order->answer, &order->n_answer, "GenericError", "QMP input member 'exec-oob' is unexpected");
        if (!server->is_negotiated && !is_command(root, why))
                return refuse(&order->answer, &order->n_answer, "GenericError", why);
        if (command && !strcmp(command, "qmp_capabilities") && (!arguments || json_is_object(arguments)) && is_command(root, why))
                return answer_capabilities(server, order, arguments);
        if (!server->is_negotiated)
                return refuse(&order->answer, &order->n_answer, "CommandNotFound",
                              "Expecting capabilities negotiation with 'qmp_capabilities'");
        if (!name)
                return 0; /* QEMU says why that is no command */
        order->request = qmp_server_request(name, json_string_value(json_object_get(arguments, "command-line")));
        order->takes_fds = !strcmp(name, "getfd") || !strcmp(name, "add-fd");
        return 0;
}

int qmp_server_take(struct qmp_server *server, struct qmp_order *ret_order, const char *text, size_t n_text) {
        struct qmp_message message;
        int r;

        *ret_order = (struct qmp_order){ 0 };
        r = qmp_message_decode(&message, text, n_text);
        if (r >= 0) {
                if (json_is_object(message.root)) {
                        ret_order->id = qmp_splice_find_id(text, n_text);
                        r = dispatch(server, ret_order, message.root);
                } else {
                        /* What is no object and what jansson would not read. */
                        const char *defect = text[0] != '{' ? "QMP input must be a JSON object" : message.defect;

                        r = refuse(&ret_order->answer, &ret_order->n_answer, "GenericError", defect);
                }
        }
        qmp_message_deinit(&message);
        return r;
}

void qmp_order_deinit(struct qmp_order *order) {
        free(order->answer);
        *order = (struct qmp_order){ 0 };
}
