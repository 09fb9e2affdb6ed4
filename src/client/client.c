#include "client/client.h"

#include "basics/cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

struct vmpower *vmpower_free(struct vmpower *vmpower) {
        free(vmpower);
        return NULL;
}

const char *vmpower_path(const struct vmpower *vmpower) {
        return vmpower->path;
}

const char *vmpower_error(const struct vmpower *vmpower) {
        return vmpower->error;
}

/* ENOENT says of an answer that a VM is not there: of a socket, we say it otherwise. */
static int connect_error(int r) {
        return r == -ENOENT || r == -ENOTDIR || r == -ENOTSOCK ? -ECONNREFUSED : r;
}

int vmpower_new_at(struct vmpower **ret_vmpower, const char *path) {
        struct vmpower *vmpower;
        int fd, r;

        if (strlen(path) >= sizeof(vmpower->path))
                return -ENAMETOOLONG;
        r = http_connect(&fd, path);
        if (r)
                return connect_error(r);
        close(fd);
        vmpower = calloc(1, sizeof(*vmpower));
        if (!vmpower)
                return -ENOMEM;
        strcpy(vmpower->path, path);
        *ret_vmpower = vmpower;
        return 0;
}

static int new_in(struct vmpower **ret_vmpower, const char *directory, const char *rest) {
        char path[CLIENT_PATH_MAX];
        int n = snprintf(path, sizeof(path), "%s%s/vmpower.sock", directory, rest);

        return n < 0 || (size_t)n >= sizeof(path) ? -ENAMETOOLONG : vmpower_new_at(ret_vmpower, path);
}

int vmpower_new(struct vmpower **ret_vmpower, enum vmpower_daemon daemon) {
        const char *run = secure_getenv("VMPOWER_RUN_DIR"), *user = secure_getenv("XDG_RUNTIME_DIR");
        int r = -ECONNREFUSED;

        if (run && *run)
                return new_in(ret_vmpower, run, "");
        if (daemon != VMPOWER_SYSTEM_DAEMON && user && *user)
                r = new_in(ret_vmpower, user, "/vmpower");
        if (r && daemon != VMPOWER_USER_DAEMON)
                r = new_in(ret_vmpower, "/run/vmpower", "");
        return r;
}

int client_fail(struct vmpower *vmpower, int r, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(vmpower->error, sizeof(vmpower->error), format, arguments);
        va_end(arguments);
        /* What a server sends is no way to a terminal's control characters, or to a second line. */
        for (char *c = vmpower->error; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 127)
                        *c = '?';
        return r;
}

int client_fail_http(struct vmpower *vmpower, int r) {
        switch (connect_error(r)) {
        case -ECONNREFUSED:
                return client_fail(vmpower, -ECONNREFUSED, "no daemon answers at %s", vmpower->path);
        case -ECONNRESET:
                return client_fail(vmpower, r, "the daemon at %s went away before it had answered", vmpower->path);
        case -ETIMEDOUT:
                return client_fail(vmpower, r, "the daemon at %s does not answer", vmpower->path);
        case -EPROTO:
        case -EMSGSIZE:
                return client_fail(vmpower, r, "what answers at %s is no vmpower", vmpower->path);
        default:
                return client_fail(vmpower, r, "%s: %s", vmpower->path, strerror(-r));
        }
}

static int errno_of_status(unsigned status) {
        switch (status) {
        case 403:
                return -EACCES;
        case 404:
                return -ENOENT;
        case 409:
                return -EBUSY;
        case 503:
                return -EAGAIN;
        default:
                return status / 100 == 4 ? -EINVAL : status / 100 == 5 ? -EIO : -EPROTO;
        }
}

int client_check_status(struct vmpower *vmpower, struct http *http, int64_t deadline_ms) {
        cleanup(json_decrefp) json_t *json = NULL;
        cleanup(freep) char *text = NULL;
        const char *line;

        if (http->status / 100 == 2)
                return 0;
        if (!http_read_all(http, &text, deadline_ms))
                json = json_loads(text, 0, NULL);
        line = json_string_value(json_object_get(json, "error"));
        if (line)
                return client_fail(vmpower, errno_of_status(http->status), "%s", line);
        return client_fail(vmpower, errno_of_status(http->status), "the daemon at %s answers with %u", vmpower->path,
                           http->status);
}

/* The answer's text. */
static int ask(struct vmpower *vmpower, const char *method, const char *target, const char *body, char **ret_text) {
        const int64_t deadline_ms = http_deadline(HTTP_TIMEOUT_MS);
        cleanup(http_close) struct http http;
        int r;

        *vmpower->error = '\0';
        r = http_ask(&http, vmpower->path, method, target, body, deadline_ms);
        if (r)
                return client_fail_http(vmpower, r);
        r = client_check_status(vmpower, &http, deadline_ms);
        if (r)
                return r;
        r = http_read_all(&http, ret_text, deadline_ms);
        return r ? client_fail_http(vmpower, r) : 0;
}

int client_ask(struct vmpower *vmpower, const char *method, const char *target, const char *body, json_t **ret_json) {
        cleanup(json_decrefp) json_t *json = NULL;
        cleanup(freep) char *text = NULL;
        int r;

        r = ask(vmpower, method, target, body, &text);
        if (r)
                return r;
        json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(json))
                return client_fail_http(vmpower, -EPROTO);
        *ret_json = take_pointer(json);
        return 0;
}

/* A path that is none would be another request. */
static bool is_target(const char *path) {
        if (*path != '/')
                return false;
        for (const unsigned char *c = (const unsigned char *)path; *c; c++)
                if (*c <= ' ' || *c >= 127)
                        return false;
        return true;
}

int vmpower_get(struct vmpower *vmpower, const char *path, char **ret_text) {
        if (!is_target(path))
                return client_fail(vmpower, -EINVAL, "no percent-encoded path: %s", path);
        return ask(vmpower, "GET", path, NULL, ret_text);
}

int vmpower_check_health(struct vmpower *vmpower, char **ret_json) {
        cleanup(json_decrefp) json_t *json = NULL;
        const char *status;
        int r;

        r = client_ask(vmpower, "GET", "/v1/health", NULL, &json);
        if (r)
                return r;
        status = json_string_value(json_object_get(json, "status"));
        if (!status || strcmp(status, "ok"))
                return client_fail(vmpower, -EIO, "the daemon at %s is %s", vmpower->path, status ? status : "not well");
        if (!ret_json)
                return 0;
        *ret_json = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
        return *ret_json ? 0 : client_fail_http(vmpower, -ENOMEM);
}

char *client_target(const char *prefix, const char *name, const char *suffix) {
        static const char digits[] = "0123456789ABCDEF";
        char *text = malloc(strlen(prefix) + 3 * strlen(name) + strlen(suffix) + 1), *to = text;

        if (!text)
                return NULL;
        to = stpcpy(to, prefix);
        for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
                /* RFC 3986, section 2.3: unreserved. */
                if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("-._~", *c)) {
                        *to++ = (char)*c;
                        continue;
                }
                *to++ = '%';
                *to++ = digits[*c >> 4];
                *to++ = digits[*c & 15];
        }
        strcpy(to, suffix);
        return text;
}

int client_object_init(struct client_object *object, json_t *json) {
        *object = (struct client_object){ .json = json };
        if (!json_is_object(json)) {
                client_object_deinit(object);
                return -EPROTO;
        }
        object->text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
        if (!object->text) {
                client_object_deinit(object);
                return -ENOMEM;
        }
        return 0;
}

void client_object_deinit(struct client_object *object) {
        json_decref(object->json);
        free(object->text);
        *object = (struct client_object){};
}

const char *client_object_text(const struct client_object *object, const char *key) {
        return json_string_value(json_object_get(object->json, key));
}

static const json_t *member(const struct client_object *object, const char *outer, const char *key) {
        return json_object_get(outer ? json_object_get(object->json, outer) : object->json, key);
}

const char *client_object_text_in(const struct client_object *object, const char *outer, const char *key) {
        return json_string_value(member(object, outer, key));
}

int64_t client_object_number_in(const struct client_object *object, const char *outer, const char *key, int64_t otherwise) {
        const json_t *value = member(object, outer, key);

        return json_is_integer(value) ? json_integer_value(value) : otherwise;
}
