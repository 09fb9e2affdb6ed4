#include "qmp/qmp_message.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "basics/cleanup.h"
#include "qmp/qmp_framer.h"

/*
 * Reading the text.  jansson does not bound how many values a text makes, and has no integers beyond 64 bits;
 * both are seen to here, by a walk over what is outside of strings.
 */

static bool is_digit(char byte) {
        return byte >= '0' && byte <= '9';
}

/* The end of the string that begins at `line`: behind its closing quote. */
static const char *skip_string(const char *line, const char *end) {
        for (line++; line < end && *line != '"'; line++)
                if (*line == '\\' && line + 1 < end)
                        line++;
        return line < end ? line + 1 : end;
}

static bool is_modest(const char *line, size_t length) {
        const char *end = line + length;
        size_t depth = 0, n_values = 1;

        if (length > QMP_LINE_MAX)
                return false;

        while (line < end) {
                switch (*line) {
                case '"':
                        line = skip_string(line, end);
                        continue;
                case '{':
                case '[':
                        depth++;
                        n_values++;
                        break;
                case '}':
                case ']':
                        if (depth > 0)
                                depth--;
                        break;
                case ',':
                        n_values++;
                        break;
                }
                if (depth > QMP_DEPTH_MAX || n_values > QMP_VALUES_MAX)
                        return false;
                line++;
        }
        return true;
}

/* Is that run of digits more than INT64_MAX?  (The sign stands before it; INT64_MIN counts as more.) */
static bool is_too_large(const char *digits, size_t n) {
        static const char largest[] = "9223372036854775807";
        const size_t n_largest = sizeof(largest) - 1;

        return n > n_largest || (n == n_largest && memcmp(digits, largest, n) > 0);
}

/* A copy in which the integers that are too large, and no others, have become reals: by ".0" behind them. */
static char *round_integers(const char *line, size_t length, size_t *ret_length) {
        const char *end = line + length;
        char *text, *out;

        /* The two bytes follow 19 digits or more. */
        out = text = malloc(length + length / 8 + 2);
        if (!text)
                return NULL;

        while (line < end) {
                const char *from = line;
                bool is_large = false;

                if (*line == '"') {
                        line = skip_string(line, end);
                } else if (is_digit(*line)) {
                        while (line < end && is_digit(*line))
                                line++;
                        is_large = is_too_large(from, (size_t)(line - from));
                        /* With a fraction or an exponent it is a real already: pass all of it. */
                        if (line < end && (*line == '.' || *line == 'e' || *line == 'E')) {
                                is_large = false;
                                while (line < end && (is_digit(*line) || memchr(".eE+-", *line, 5)))
                                        line++;
                        }
                } else {
                        line++;
                }

                memcpy(out, from, (size_t)(line - from));
                out += line - from;
                if (is_large) {
                        memcpy(out, ".0", 2);
                        out += 2;
                }
        }

        *ret_length = (size_t)(out - text);
        return text;
}

/* An escaped NUL is a character like others to QEMU (mod_utf8_encode()), which has it in no name of its own: what is looked at here is cut there. */
#define FLAGS (JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

static int read_json(struct qmp_message *message, const char *line, size_t length) {
        cleanup(freep) char *rounded = NULL;
        json_error_t error;

        if (!is_modest(line, length)) {
                message->defect = "JSON limits exceeded";
                return QMP_MALFORMED;
        }

        message->root = json_loadb(line, length, FLAGS, &error);
        if (!message->root && json_error_code(&error) == json_error_numeric_overflow) {
                rounded = round_integers(line, length, &length);
                if (!rounded)
                        return -ENOMEM;
                message->is_rounded = true;
                message->root = json_loadb(rounded, length, FLAGS, &error);
        }
        if (message->root)
                return 0;

        switch ((int)json_error_code(&error)) {
        case json_error_unknown: /* jansson names no reason where only memory can have been it */
        case json_error_out_of_memory:
                return -ENOMEM;
        case json_error_numeric_overflow:
                message->defect = "JSON parse error, number out of range";
                return QMP_MALFORMED;
        case json_error_duplicate_key:
                message->defect = "JSON parse error, duplicate key";
                return QMP_MALFORMED;
        default:
                message->defect = "JSON parse error";
                return QMP_MALFORMED;
        }
}

/*
 * Understanding it.  Each reader is given the member that gave the kind away, and returns the defect, or
 * NULL.
 */

/* An integer of `object` between 0 and `max`, or -1. */
static int64_t member_integer(const json_t *object, const char *key, int64_t max) {
        const json_t *value = json_object_get(object, key);

        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > max)
                return -1;
        return json_integer_value(value);
}

static const char *read_greeting(struct qmp_message *message, const char *key) {
        json_t *greeting = json_object_get(message->root, key);
        json_t *version = json_object_get(greeting, "version");
        json_t *number = json_object_get(version, "qemu");
        json_t *package = json_object_get(version, "package");
        json_t *capabilities = json_object_get(greeting, "capabilities");

        message->version = (struct qmp_version){
                .major = (int)member_integer(number, "major", INT_MAX),
                .minor = (int)member_integer(number, "minor", INT_MAX),
                .micro = (int)member_integer(number, "micro", INT_MAX),
                .package = package ? json_string_value(package) : "",
        };
        if (message->version.major < 0 || message->version.minor < 0 || message->version.micro < 0 ||
            !message->version.package)
                return "QMP greeting lacks a version";
        if (!json_is_array(capabilities))
                return "QMP greeting lacks member 'capabilities'";

        for (size_t i = 0; i < json_array_size(capabilities); i++) {
                const char *capability = json_string_value(json_array_get(capabilities, i));

                if (capability && strcmp(capability, "oob") == 0)
                        message->is_oob = true;
        }
        return NULL;
}

static const char *read_event(struct qmp_message *message, const char *key) {
        json_t *timestamp = json_object_get(message->root, "timestamp");

        message->name = json_string_value(json_object_get(message->root, key));
        message->data = json_object_get(message->root, "data");
        if (!message->name || !*message->name)
                return "QMP member 'event' must be a name";
        if (message->data && !json_is_object(message->data))
                return "QMP member 'data' must be an object";

        message->seconds = member_integer(timestamp, "seconds", QMP_SECONDS_MAX);
        message->microseconds = (int)member_integer(timestamp, "microseconds", 999999);
        message->has_timestamp = message->seconds >= 0 && message->microseconds >= 0;
        if (!message->has_timestamp) {
                message->seconds = -1;
                message->microseconds = -1;
        }
        return NULL;
}

static const char *read_return(struct qmp_message *message, const char *key) {
        message->data = json_object_get(message->root, key);
        return NULL;
}

static const char *read_error(struct qmp_message *message, const char *key) {
        json_t *error = json_object_get(message->root, key);

        message->error_class = json_string_value(json_object_get(error, "class"));
        message->error_text = json_string_value(json_object_get(error, "desc"));
        if (!message->error_class || !message->error_text)
                return "QMP member 'error' lacks a class or a description";
        return NULL;
}

static const char *read_command(struct qmp_message *message, const char *key) {
        size_t n_known = 1;

        message->name = json_string_value(json_object_get(message->root, key));
        message->is_oob = strcmp(key, "exec-oob") == 0;
        message->data = json_object_get(message->root, "arguments");
        if (!message->name || !*message->name)
                return "QMP input member 'execute' must be a string";
        if (message->data && !json_is_object(message->data))
                return "QMP input member 'arguments' must be an object";

        n_known += message->data != NULL;
        n_known += message->id != NULL;
        if (json_object_size(message->root) != n_known)
                return "QMP input has an unexpected member";
        if (message->is_rounded)
                return "QMP input has a number out of range";
        return NULL;
}

static const struct shape {
        const char *key;
        enum qmp_kind kind;
        const char *(*read)(struct qmp_message *message, const char *key);
} shapes[] = {
        { .key = "QMP", .kind = QMP_GREETING, .read = read_greeting },
        { .key = "event", .kind = QMP_EVENT, .read = read_event },
        { .key = "return", .kind = QMP_RETURN, .read = read_return },
        { .key = "error", .kind = QMP_ERROR, .read = read_error },
        { .key = "execute", .kind = QMP_COMMAND, .read = read_command },
        { .key = "exec-oob", .kind = QMP_COMMAND, .read = read_command },
};

static const char *understand(struct qmp_message *message) {
        const struct shape *shape = NULL;

        if (!json_is_object(message->root))
                return "QMP input must be a JSON object";
        message->id = json_object_get(message->root, "id");

        for (size_t i = 0; i < N_ELEMENTS(shapes); i++) {
                if (!json_object_get(message->root, shapes[i].key))
                        continue;
                if (shape)
                        return "QMP input is two messages in one";
                shape = &shapes[i];
        }
        if (!shape)
                return "QMP input lacks member 'execute'";

        message->kind = shape->kind;
        return shape->read(message, shape->key);
}

int qmp_message_decode(struct qmp_message *ret_message, const char *line, size_t length) {
        struct qmp_message *message = ret_message;
        int r;

        *message = (struct qmp_message){ 0 };
        r = read_json(message, line, length);
        if (r)
                return r;

        message->defect = understand(message);
        return message->defect ? QMP_MALFORMED : 0;
}

void qmp_message_deinit(struct qmp_message *message) {
        if (!message)
                return;

        json_decref(message->root);
        *message = (struct qmp_message){ 0 };
}

/*
 * Saying it.
 */

static json_t *message_to_json(const struct qmp_message *message, json_error_t *error) {
        switch (message->kind) {
        case QMP_GREETING:
                return json_pack_ex(error, 0, "{s:{s:{s:{s:i, s:i, s:i}, s:s}, s:[s*]}}", "QMP", "version",
                                    "qemu", "micro", message->version.micro, "minor", message->version.minor,
                                    "major", message->version.major, "package", message->version.package,
                                    "capabilities", message->is_oob ? "oob" : NULL);
        case QMP_EVENT:
                return json_pack_ex(error, 0, "{s:{s:I, s:I}, s:s, s:O*}", "timestamp", "seconds",
                                    (json_int_t)(message->has_timestamp ? message->seconds : -1),
                                    "microseconds",
                                    (json_int_t)(message->has_timestamp ? message->microseconds : -1),
                                    "event", message->name, "data", message->data);
        case QMP_RETURN:
                if (!message->data)
                        return json_pack_ex(error, 0, "{s:{}, s:O*}", "return", "id", message->id);
                return json_pack_ex(error, 0, "{s:O, s:O*}", "return", message->data, "id", message->id);
        case QMP_ERROR:
                return json_pack_ex(error, 0, "{s:O*, s:{s:s, s:s}}", "id", message->id, "error", "class",
                                    message->error_class, "desc", message->error_text);
        case QMP_COMMAND:
                return json_pack_ex(error, 0, "{s:s, s:O*, s:O*}", message->is_oob ? "exec-oob" : "execute",
                                    message->name, "arguments", message->data, "id", message->id);
        }
        assert(false);
        return NULL;
}

int qmp_message_encode(const struct qmp_message *message, char **ret_text, size_t *ret_length) {
        cleanup(json_decrefp) json_t *json = NULL;
        json_error_t error;
        size_t length;
        char *text;

        json = message_to_json(message, &error);
        if (!json)
                return json_error_code(&error) == json_error_invalid_utf8 ? -EINVAL : -ENOMEM;

        length = json_dumpb(json, NULL, 0, JSON_COMPACT);
        if (length == 0)
                return -ENOMEM;

        text = malloc(length + sizeof("\r\n"));
        if (!text)
                return -ENOMEM;

        json_dumpb(json, text, length, JSON_COMPACT);
        memcpy(text + length, "\r\n", sizeof("\r\n"));
        *ret_text = text;
        *ret_length = length + 2;
        return 0;
}

int qmp_encode_greeting(char **ret_text, size_t *ret_length, const struct qmp_version *version, bool is_oob) {
        struct qmp_message message = {
                .kind = QMP_GREETING,
                .version = *version,
                .is_oob = is_oob,
        };

        return qmp_message_encode(&message, ret_text, ret_length);
}

int qmp_encode_command(char **ret_text, size_t *ret_length, const char *name, json_t *arguments, int64_t id) {
        cleanup(json_decrefp) json_t *number = json_integer(id);
        struct qmp_message message = {
                .kind = QMP_COMMAND,
                .id = number,
                .name = name,
                .data = arguments,
        };

        if (!number)
                return -ENOMEM;
        return qmp_message_encode(&message, ret_text, ret_length);
}

int qmp_encode_return(char **ret_text, size_t *ret_length, json_t *id, json_t *value) {
        struct qmp_message message = {
                .kind = QMP_RETURN,
                .id = id,
                .data = value,
        };

        return qmp_message_encode(&message, ret_text, ret_length);
}

int qmp_encode_error(char **ret_text, size_t *ret_length, json_t *id, const char *error_class,
                     const char *error_text) {
        struct qmp_message message = {
                .kind = QMP_ERROR,
                .id = id,
                .error_class = error_class,
                .error_text = error_text,
        };

        return qmp_message_encode(&message, ret_text, ret_length);
}

int qmp_encode_event(char **ret_text, size_t *ret_length, const char *name, json_t *data, int64_t seconds,
                     int microseconds) {
        struct qmp_message message = {
                .kind = QMP_EVENT,
                .name = name,
                .data = data,
                .has_timestamp = seconds >= 0,
                .seconds = seconds,
                .microseconds = microseconds,
        };

        return qmp_message_encode(&message, ret_text, ret_length);
}

static char *append(char *out, const char *text) {
        size_t length = strlen(text);

        memcpy(out, text, length);
        return out + length;
}

size_t qmp_write_command(char buffer[static QMP_SIMPLE_SIZE], const char *name, uint32_t id) {
        char digits[sizeof("4294967295")] = { 0 };
        size_t i = sizeof(digits) - 1;
        char *out = buffer;

        assert(strlen(name) <= 64 &&
               strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
                       strlen(name));

        do
                digits[--i] = (char)('0' + id % 10);
        while (id /= 10);

        out = append(out, "{\"execute\":\"");
        out = append(out, name);
        out = append(out, "\",\"id\":");
        out = append(out, digits + i);
        out = append(out, "}\r\n");
        *out = '\0';
        return (size_t)(out - buffer);
}
