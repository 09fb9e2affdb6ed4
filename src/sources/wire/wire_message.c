#include "sources/wire/wire_message.h"

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "core/text.h"
#include "json/evidence_json.h"
#include "json/text_json.h"
#include "json/time_text.h"

#include <errno.h>
#include <string.h>

/* A line is an object with one of these; what else it has is passed over. */
static const char *const names[WIRE_UNKNOWN] = {
        [WIRE_HELLO] = "hello",     [WIRE_VM] = "vm",           [WIRE_EVIDENCE] = "evidence", [WIRE_VERDICT] = "verdict",
        [WIRE_DECIDED] = "decided", [WIRE_GONE] = "gone",       [WIRE_WELCOME] = "welcome",   [WIRE_REFUSED] = "refused",
        [WIRE_CONFIGURE] = "configure", [WIRE_REQUEST] = "request", [WIRE_DONE] = "done", [WIRE_SURVEYED] = "surveyed",
        [WIRE_TROUBLE] = "trouble", [WIRE_LOOK] = "look",
};

/* --- reading ----------------------------------------------------------------------------------------------------- */

static int read_time(const json_t *json, const char *key, uint64_t *ret_ns) {
        const json_t *value = json_object_get(json, key);

        *ret_ns = 0;
        if (!value || json_is_null(value))
                return 0;
        return json_is_string(value) ? time_from_text(json_string_value(value), ret_ns) : -EINVAL;
}

static int read_count(const json_t *json, const char *key, uint64_t *ret_count) {
        int64_t count;
        int r = integer_from_json(json, key, 0, INT64_MAX, 0, &count);

        *ret_count = r ? 0 : (uint64_t)count;
        return r;
}

static int read_command_line(const json_t *json, struct wire_vm *vm) {
        const json_t *value = json_object_get(json, "command_line");
        char *text;

        if (!value || json_is_null(value))
                return 0;
        if (!json_is_string(value))
                return -EINVAL;
        text = malloc(WIRE_COMMAND_MAX);
        if (!text)
                return -ENOMEM;
        text_copy(text, WIRE_COMMAND_MAX, json_string_value(value), json_string_length(value));
        vm->command_line = text;
        return 0;
}

static int read_vm(const json_t *json, struct wire_vm *vm) {
        if (!json_is_object(json) || text_from_json(json, "name", vm->name, sizeof(vm->name)) ||
            text_from_json(json, "uuid", vm->uuid, sizeof(vm->uuid)) ||
            text_from_json(json, "backend", vm->backend, sizeof(vm->backend)) ||
            text_from_json(json, "instance", vm->instance, sizeof(vm->instance)) ||
            text_from_json(json, "policy", vm->policy, sizeof(vm->policy)) ||
            text_from_json(json, "monitor", vm->monitor, sizeof(vm->monitor)) ||
            text_from_json(json, "state", vm->state, sizeof(vm->state)) ||
            text_from_json(json, "device_model", vm->device_model, sizeof(vm->device_model)) ||
            integer_from_json(json, "look", 0, INT64_MAX, 0, &vm->look) || integer_from_json(json, "domid", 0, INT32_MAX, 0, &vm->domid) ||
            integer_from_json(json, "pid", 0, INT32_MAX, 0, &vm->pid) ||
            integer_from_json(json, "restarts", 0, INT32_MAX, 0, &vm->n_restarts) || read_time(json, "began", &vm->began_ns))
                return -EINVAL;
        return read_command_line(json, vm);
}

/* Sources that this version does not know are passed over. */
static int read_sources(const json_t *json, unsigned *ret_sources) {
        enum evidence_source source;
        const json_t *value;
        size_t i;

        *ret_sources = 0;
        if (json && !json_is_null(json) && !json_is_array(json))
                return -EINVAL;
        json_array_foreach(json, i, value) {
                if (!json_is_string(value))
                        return -EINVAL;
                if (!evidence_source_from_name(json_string_value(value), &source))
                        *ret_sources |= 1u << source;
        }
        return 0;
}

static int read_hello(const json_t *json, struct wire_hello *hello) {
        if (!json_is_object(json) || integer_from_json(json, "protocol", 1, INT32_MAX, WIRE_PROTOCOL, &hello->protocol) ||
            text_from_json(json, "program", hello->program, sizeof(hello->program)) ||
            text_from_json(json, "database", hello->database, sizeof(hello->database)) ||
            read_sources(json_object_get(json, "sources"), &hello->sources))
                return -EINVAL;
        return read_vm(json_object_get(json, "vm"), &hello->vm);
}

/* A fact of a kind or a source that this version does not know is no fault: passed over, as an unknown message is. */
static int read_evidence(const json_t *json, struct wire_message *message) {
        const json_t *source = json_object_get(json, "source"), *kind = json_object_get(json, "kind");
        struct evidence evidence = evidence_make(SOURCE_VMPOWER, EVIDENCE_GAP);
        int r;

        if (!json_is_string(source) || !json_is_string(kind) || read_count(json, "at_ns", &evidence.at_ns) ||
            read_count(json, "seq", &evidence.seq) || read_time(json, "time", &evidence.time_ns))
                return -EINVAL;
        if (evidence_source_from_name(json_string_value(source), &evidence.source) ||
            evidence_kind_from_name(json_string_value(kind), &evidence.kind)) {
                message->kind = WIRE_UNKNOWN;
                return 0;
        }
        r = evidence_data_from_json(json_object_get(json, "data"), &evidence);
        if (!r)
                message->evidence = evidence;
        return r;
}

static int read_decision(const json_t *json, struct wire_decision *decision) {
        if (!json_is_object(json) || text_from_json(json, "policy", decision->policy, sizeof(decision->policy)) ||
            text_from_json(json, "action", decision->action, sizeof(decision->action)) ||
            text_from_json(json, "result", decision->result, sizeof(decision->result)))
                return -EINVAL;
        return 0;
}

static int read_welcome(const json_t *json, struct wire_message *message) {
        const char *wants = json_string_value(json_object_get(json, "wants"));

        message->welcome.wants_evidence = !wants || !strcmp(wants, "evidence");
        return json_is_object(json) ? integer_from_json(json, "protocol", 1, INT32_MAX, WIRE_PROTOCOL, &message->welcome.protocol)
                                    : -EINVAL;
}

static int read_request(const json_t *json, struct wire_request *request) {
        if (!json_is_object(json) || integer_from_json(json, "request", 1, INT64_MAX, 0, &request->number) ||
            text_from_json(json, "of", request->of, sizeof(request->of)) ||
            text_from_json(json, "command", request->command, sizeof(request->command)) ||
            text_from_json(json, "name", request->name, sizeof(request->name)) || !request->number || !request->command[0])
                return -EINVAL;
        return 0;
}

static int read_done(const json_t *json, struct wire_done *done) {
        const char *result = json_string_value(json_object_get(json, "result"));

        if (!result || (strcmp(result, "done") && strcmp(result, "failed")) ||
            integer_from_json(json, "request", 1, INT64_MAX, 0, &done->number) ||
            text_from_json(json, "why", done->why, sizeof(done->why)) || !done->number)
                return -EINVAL;
        done->is_done = !strcmp(result, "done");
        return 0;
}

static int read_configure(const json_t *json, struct wire_message *message) {
        return json_is_object(json) ? text_from_json(json, "xen_policy", message->configure.xen_policy,
                                                     sizeof(message->configure.xen_policy))
                                    : -EINVAL;
}

static int read_look(const json_t *json, struct wire_message *message) {
        return json_is_true(json_object_get(json, names[WIRE_LOOK])) ? 0 : integer_from_json(json, names[WIRE_LOOK], 0, INT64_MAX, 0, &message->look);
}

static int read_kind(const json_t *json, struct wire_message *message) {
        const json_t *value = message->kind < WIRE_UNKNOWN ? json_object_get(json, names[message->kind]) : NULL;

        switch (message->kind) {
        case WIRE_HELLO:
                return read_hello(value, &message->hello);
        case WIRE_VM:
                return read_vm(value, &message->vm);
        case WIRE_EVIDENCE:
                return read_evidence(value, message);
        case WIRE_VERDICT:
                return text_from_json(json, names[WIRE_VERDICT], message->verdict, sizeof(message->verdict));
        case WIRE_DECIDED:
                return read_decision(value, &message->decided);
        case WIRE_WELCOME:
                return read_welcome(value, message);
        case WIRE_REFUSED:
                return text_from_json(json, names[WIRE_REFUSED], message->why, sizeof(message->why));
        case WIRE_CONFIGURE:
                return read_configure(value, message);
        case WIRE_REQUEST:
                return read_request(value, &message->request);
        case WIRE_DONE:
                return read_done(value, &message->done);
        case WIRE_TROUBLE:
                return text_from_json(json, names[WIRE_TROUBLE], message->trouble, sizeof(message->trouble));
        case WIRE_LOOK:
                return read_look(json, message);
        case WIRE_GONE:
        case WIRE_SURVEYED:
        case WIRE_UNKNOWN:
                break;
        }
        return 0;
}

int wire_message_read(struct wire_message *ret_message, const char *line, size_t n_line) {
        cleanup(json_decrefp) json_t *json = NULL;
        struct wire_message message = { .kind = WIRE_HELLO };
        int r;

        if (n_line > WIRE_LINE_MAX)
                return -EMSGSIZE;
        json = json_loadb(line, n_line, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(json))
                return -EINVAL;
        while (message.kind < WIRE_UNKNOWN && !json_object_get(json, names[message.kind]))
                message.kind++;
        r = text_from_json(json, "of", message.of, sizeof(message.of));
        if (!r)
                r = read_kind(json, &message);
        if (r) {
                wire_message_deinit(&message);
                return r;
        }
        *ret_message = message;
        return 0;
}

void wire_message_deinit(struct wire_message *message) {
        switch (message->kind) {
        case WIRE_HELLO:
                free(take_pointer(message->hello.vm.command_line));
                break;
        case WIRE_VM:
                free(take_pointer(message->vm.command_line));
                break;
        case WIRE_EVIDENCE:
                evidence_deinit(&message->evidence);
                break;
        case WIRE_VERDICT:
        case WIRE_DECIDED:
        case WIRE_GONE:
        case WIRE_WELCOME:
        case WIRE_REFUSED:
        case WIRE_CONFIGURE:
        case WIRE_REQUEST:
        case WIRE_DONE:
        case WIRE_SURVEYED:
        case WIRE_LOOK:
        case WIRE_TROUBLE:
        case WIRE_UNKNOWN:
                break;
        }
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

/* Each of these gives a new reference, or NULL without memory. */

static json_t *time_to_json(uint64_t time_ns) {
        char text[TIME_TEXT_MAX];

        if (!time_ns)
                return json_null();
        time_to_text(time_ns, text);
        return json_string(text);
}

static json_t *command_line_to_json(const char *command_line) {
        cleanup(freep) char *text = NULL;

        if (!command_line)
                return json_null();
        text = malloc(WIRE_COMMAND_MAX);
        if (!text)
                return NULL;
        text_set(text, WIRE_COMMAND_MAX, command_line);
        return json_string(text);
}

static json_t *write_vm(const struct wire_vm *vm) {
        cleanup(json_decrefp) json_t *json = json_object();

        if (json_object_set_new(json, "name", text_to_json(vm->name)) ||
            json_object_set_new(json, "uuid", text_to_json(vm->uuid)) ||
            json_object_set_new(json, "backend", text_to_json(vm->backend)) ||
            json_object_set_new(json, "instance", text_to_json(vm->instance)) ||
            json_object_set_new(json, "pid", vm->pid ? json_integer(vm->pid) : json_null()) ||
            (vm->domid && json_object_set_new(json, "domid", json_integer(vm->domid))) ||
            (vm->device_model[0] && json_object_set_new(json, "device_model", text_to_json(vm->device_model))) ||
            (vm->look && json_object_set_new(json, "look", json_integer(vm->look))) ||
            (vm->state[0] && json_object_set_new(json, "state", text_to_json(vm->state))) ||
            json_object_set_new(json, "began", time_to_json(vm->began_ns)) ||
            json_object_set_new(json, "policy", text_to_json(vm->policy)) ||
            json_object_set_new(json, "restarts", json_integer(vm->n_restarts)) ||
            json_object_set_new(json, "monitor", text_to_json(vm->monitor)) ||
            json_object_set_new(json, "command_line", command_line_to_json(vm->command_line)))
                return NULL;
        return take_pointer(json);
}

static json_t *write_hello(const struct wire_hello *hello) {
        cleanup(json_decrefp) json_t *json = json_object(), *sources = json_array();

        for (enum evidence_source source = 0; source < _SOURCE_N; source++)
                if ((hello->sources & (1u << source)) &&
                    json_array_append_new(sources, json_string(evidence_source_name(source))))
                        return NULL;
        if (json_object_set_new(json, "protocol", json_integer(hello->protocol)) ||
            json_object_set_new(json, "program", text_to_json(hello->program)) ||
            json_object_set_new(json, "database", text_to_json(hello->database)) ||
            json_object_set(json, "sources", sources) || json_object_set_new(json, "vm", write_vm(&hello->vm)))
                return NULL;
        return take_pointer(json);
}

static json_t *write_evidence(const struct evidence *evidence) {
        cleanup(json_decrefp) json_t *json = json_object(), *data = NULL;

        if (evidence_data_to_json(evidence, &data))
                return NULL;
        if (json_object_set_new(json, "at_ns", unsigned_to_json(evidence->at_ns)) ||
            json_object_set_new(json, "seq", unsigned_to_json(evidence->seq)) ||
            json_object_set_new(json, "time", time_to_json(evidence->time_ns)) ||
            json_object_set_new(json, "source", json_string(evidence_source_name(evidence->source))) ||
            json_object_set_new(json, "kind", json_string(evidence_kind_info(evidence->kind)->name)) ||
            json_object_set(json, "data", data))
                return NULL;
        return take_pointer(json);
}

static json_t *write_decision(const struct wire_decision *decision) {
        cleanup(json_decrefp) json_t *json = json_object();

        if (json_object_set_new(json, "policy", text_to_json(decision->policy)) ||
            json_object_set_new(json, "action", text_to_json(decision->action)) ||
            json_object_set_new(json, "result", text_to_json(decision->result)))
                return NULL;
        return take_pointer(json);
}

static json_t *write_welcome(const struct wire_message *message) {
        cleanup(json_decrefp) json_t *json = json_object();

        if (json_object_set_new(json, "protocol", json_integer(message->welcome.protocol)) ||
            json_object_set_new(json, "wants", json_string(message->welcome.wants_evidence ? "evidence" : "verdict")))
                return NULL;
        return take_pointer(json);
}

static json_t *write_request(const struct wire_request *request) {
        cleanup(json_decrefp) json_t *json = json_object();

        if (json_object_set_new(json, "request", json_integer(request->number)) ||
            json_object_set_new(json, "of", text_to_json(request->of)) ||
            json_object_set_new(json, "command", text_to_json(request->command)) ||
            (request->name[0] && json_object_set_new(json, "name", text_to_json(request->name))))
                return NULL;
        return take_pointer(json);
}

static json_t *write_done(const struct wire_done *done) {
        cleanup(json_decrefp) json_t *json = json_object();

        if (json_object_set_new(json, "request", json_integer(done->number)) ||
            json_object_set_new(json, "result", json_string(done->is_done ? "done" : "failed")) ||
            json_object_set_new(json, "why", text_to_json(done->why)))
                return NULL;
        return take_pointer(json);
}

static json_t *write_configure(const struct wire_message *message) {
        cleanup(json_decrefp) json_t *json = json_object();

        if (json_object_set_new(json, "xen_policy", text_to_json(message->configure.xen_policy)))
                return NULL;
        return take_pointer(json);
}

static json_t *write_kind(const struct wire_message *message) {
        switch (message->kind) {
        case WIRE_HELLO:
                return write_hello(&message->hello);
        case WIRE_VM:
                return write_vm(&message->vm);
        case WIRE_EVIDENCE:
                return write_evidence(&message->evidence);
        case WIRE_VERDICT:
                return text_to_json(message->verdict);
        case WIRE_DECIDED:
                return write_decision(&message->decided);
        case WIRE_GONE:
                return json_true();
        case WIRE_WELCOME:
                return write_welcome(message);
        case WIRE_REFUSED:
                return text_to_json(message->why);
        case WIRE_CONFIGURE:
                return write_configure(message);
        case WIRE_REQUEST:
                return write_request(&message->request);
        case WIRE_DONE:
                return write_done(&message->done);
        case WIRE_SURVEYED:
                return json_true();
        case WIRE_LOOK:
                return message->look ? json_integer(message->look) : json_true();
        case WIRE_TROUBLE:
                return text_to_json(message->trouble);
        case WIRE_UNKNOWN:
                break;
        }
        return NULL;
}

int wire_message_write(const struct wire_message *message, char **ret_line, size_t *ret_n_line) {
        cleanup(json_decrefp) json_t *json = NULL;
        cleanup(freep) char *line = NULL;
        size_t n;

        if (message->kind >= WIRE_UNKNOWN)
                return -EINVAL;
        json = json_object();
        if (json_object_set_new(json, names[message->kind], write_kind(message)) ||
            (message->of[0] && json_object_set_new(json, "of", text_to_json(message->of))))
                return -ENOMEM;
        n = json_dumpb(json, NULL, 0, JSON_COMPACT);
        if (!n)
                return -ENOMEM;
        if (n + 1 > WIRE_LINE_MAX)
                return -EMSGSIZE;
        line = malloc(n + 1);
        if (!line)
                return -ENOMEM;
        if (json_dumpb(json, line, n, JSON_COMPACT) != n)
                return -ENOMEM;
        line[n] = '\n';
        *ret_line = take_pointer(line);
        *ret_n_line = n + 1;
        return 0;
}
