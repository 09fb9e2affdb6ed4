#include "api/routes.h"

#include "api/uri.h"
#include "basics/cleanup.h"

#include <errno.h>
#include <string.h>

static const struct route routes[] = {
        { "GET", "/v1/health", {}, answer_health },
        { "GET", "/v1/vms", {}, answer_vms, true },
        { "POST", "/v1/vms", {}, answer_attach },
        { "GET", "/v1/vms/{name}", {}, answer_vm },
        { "GET", "/v1/vms/{name}/verdict", {}, answer_vm_verdict },
        { "GET", "/v1/vms/{name}/evidence", { "after", "limit" }, answer_vm_evidence, true },
        { "DELETE", "/v1/vms/{name}/monitor", {}, answer_detach },
        { "POST", "/v1/vms/{name}/requests", {}, answer_request },
        { "GET",
          "/v1/verdicts",
          { "vm", "initiator", "transition", "since", "until", "before", "limit" },
          answer_verdicts,
          true },
        { "GET", "/v1/verdicts/{id}", {}, answer_verdict },
        { "GET", "/v1/events", { "after" }, answer_events },
        { "GET", "/metrics", {}, answer_metrics },
};

const struct route *api_route(size_t i) {
        return i < N_ELEMENTS(routes) ? &routes[i] : NULL;
}

enum match {
        MATCH_NOT,
        MATCH_YES,
        MATCH_BAD, /* it would be, but its name makes no sense */
};

static enum match match_path(const char *pattern, const char *path, char ret_name[static REQUEST_NAME_MAX]) {
        *ret_name = '\0';
        while (*pattern && *path) {
                size_t n_pattern = strcspn(pattern + 1, "/"), n_path = strcspn(path + 1, "/");

                if (*pattern != '/' || *path != '/')
                        return MATCH_NOT;
                if (pattern[1] == '{') {
                        int r = n_path ? uri_decode(path + 1, n_path, ret_name, REQUEST_NAME_MAX) : -ENAMETOOLONG;

                        if (r)
                                return r == -ENAMETOOLONG ? MATCH_NOT : MATCH_BAD;
                } else if (n_pattern != n_path || memcmp(pattern + 1, path + 1, n_path)) {
                        return MATCH_NOT;
                }
                pattern += 1 + n_pattern;
                path += 1 + n_path;
        }
        return *pattern || *path ? MATCH_NOT : MATCH_YES;
}

static void allow(struct request *request, const char *method) {
        size_t n = strlen(request->allow);

        snprintf(request->allow + n, sizeof(request->allow) - n, "%s%s", n ? ", " : "", method);
        if (!strcmp(method, "GET"))
                allow(request, "HEAD");
}

bool request_route(struct request *request, const char *method, const char *path) {
        const char *wanted = strcmp(method, "HEAD") ? method : "GET"; /* the same answer, without its body */
        char name[REQUEST_NAME_MAX];

        for (size_t i = 0; i < N_ELEMENTS(routes); i++) {
                enum match match = match_path(routes[i].path, path, name);

                if (match == MATCH_NOT)
                        continue;
                if (match == MATCH_BAD) {
                        request_fail(request, 400, "the path is no percent-encoded UTF-8: %.200s", path);
                        return false;
                }
                if (!strcmp(routes[i].method, wanted)) {
                        request->route = &routes[i];
                        request->is_head = wanted != method;
                        strcpy(request->name, name);
                        *request->allow = '\0';
                        return true;
                }
                allow(request, routes[i].method);
        }
        if (*request->allow)
                request_fail(request, 405, "%.200s takes %s, not %.32s", path, request->allow, method);
        else
                request_fail(request, 404, "there is nothing at %.200s", path);
        return false;
}

static const char *find_parameter(const struct route *route, const char *key) {
        for (size_t i = 0; i < REQUEST_PARAMETERS_MAX && route->parameters[i]; i++)
                if (!strcmp(route->parameters[i], key))
                        return route->parameters[i];
        return NULL;
}

bool request_take_parameter(struct request *request, const char *key, const char *value) {
        const char *known = find_parameter(request->route, key);

        if (!known)
                request_fail(request, 400, "%s has no parameter %.64s", request->route->path, key);
        else if (request_parameter(request, known))
                request_fail(request, 400, "%s is given twice", known);
        else if (!value || !*value || uri_decode(value, strlen(value), request->parameters[request->n_parameters].value,
                                                 REQUEST_VALUE_MAX))
                request_fail(request, 400, "the value of %s makes no sense", known);
        else {
                request->parameters[request->n_parameters++].key = known;
                return true;
        }
        return false;
}
