#include "api/request.h"

#include "basics/cleanup.h"
#include "json/text_json.h"
#include "json/time_text.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <string.h>

void request_deinit(struct request *request) {
        turns_remove(request->turns, &request->turn);
        if (request->promise)
                request->promise->request = NULL;
        buffer_deinit(&request->body);
        buffer_deinit(&request->text);
}

struct promise *request_promise(struct request *request) {
        struct promise *promise = calloc(1, sizeof(*promise));

        if (!promise) {
                request_answer(request, 503, NULL);
                return NULL;
        }
        promise->promises = request->promises;
        promise->request = request;
        promise->next = request->promises->first;
        if (promise->next)
                promise->next->previous = promise;
        request->promises->first = promise;
        request->promise = promise;
        return promise;
}

static void resume(struct promise *promise) {
        struct request *request = promise->request;

        promise->request = NULL;
        if (!request)
                return;
        request->promise = NULL;
        if (!promise->is_suspended)
                return;
        MHD_resume_connection(request->connection);
        promise->promises->kept(promise->promises->userdata);
}

void promise_keep(struct promise *promise) {
        resume(promise);
        if (promise->previous)
                promise->previous->next = promise->next;
        else if (promise->promises)
                promise->promises->first = promise->next;
        if (promise->next)
                promise->next->previous = promise->previous;
        free(promise);
}

void promises_give_up(struct promises *promises) {
        while (promises->first) {
                struct promise *promise = promises->first;

                promises->first = promise->next;
                if (promise->request)
                        request_fail(promise->request, 503, "vmpowerd ends");
                resume(promise);
                promise->promises = NULL;
                promise->next = promise->previous = NULL;
        }
}

void request_answer(struct request *request, unsigned status, json_t *json) {
        buffer_deinit(&request->text);
        request->status = status;
        if (json) {
                buffer_add_json(&request->text, json);
                buffer_add(&request->text, "\n", 1);
                json_decref(json);
        }
        if (!json || request->text.has_failed) {
                static const char sorry[] = "{\"error\": \"out of memory\"}\n";

                buffer_deinit(&request->text);
                buffer_add(&request->text, sorry, sizeof(sorry) - 1);
                request->status = 503;
        }
}

void request_fail(struct request *request, unsigned status, const char *format, ...) {
        cleanup(json_decrefp) json_t *error = json_object();
        char line[STORE_WHY_MAX];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        if (json_object_set_new(error, "error", text_to_json(line)))
                request_answer(request, 503, NULL);
        else
                request_answer(request, status, take_pointer(error));
}

void request_fail_errno(struct request *request, int r, const char *why) {
        unsigned status = 500;

        if (r == -ENOMEM || r == -EBUSY || r == -ENOSPC || r == -EAGAIN || r == -EMFILE || r == -ENFILE)
                status = 503;
        request_fail(request, status, "%s", *why ? why : strerror(-r));
}

const char *request_parameter(const struct request *request, const char *key) {
        for (size_t i = 0; i < request->n_parameters; i++)
                if (!strcmp(request->parameters[i].key, key))
                        return request->parameters[i].value;
        return NULL;
}

bool request_number(struct request *request, const char *key, uint64_t minimum, uint64_t maximum, uint64_t otherwise,
                    uint64_t *ret_number) {
        const char *text = request_parameter(request, key);
        size_t n = text ? strspn(text, "0123456789") : 0;
        uint64_t number;

        if (!text) {
                *ret_number = otherwise;
                return true;
        }
        errno = 0;
        number = strtoull(text, NULL, 10);
        if (!n || text[n] || errno || number < minimum || number > maximum) {
                request_fail(request, 400, "%s is a number from %" PRIu64 " to %" PRIu64 ", not \"%.64s\"", key, minimum,
                             maximum, text);
                return false;
        }
        *ret_number = number;
        return true;
}

bool request_time(struct request *request, const char *key, uint64_t *ret_time_ns) {
        const char *text = request_parameter(request, key);

        *ret_time_ns = 0;
        if (!text || !time_from_text(text, ret_time_ns))
                return true;
        request_fail(request, 400, "%s is a time such as 2026-11-23T03:12:07Z, from 1970 to 2553, not \"%.64s\"", key, text);
        return false;
}
