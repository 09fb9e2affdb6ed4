/* History: verdicts and evidence from the store, in pages. */
#include "api/routes.h"
#include "api/view.h"
#include "api/vms.h"
#include "basics/cleanup.h"
#include "json/text_json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        PAGE_BYTES_MAX = 4 << 20, /* a page ends early rather than grow beyond */

        PAGE_IS_FULL = 1,
};

/* A list in the answer's text, that knows when it has enough. */
struct page {
        struct request *request;
        size_t n, n_max;
        uint64_t last;
        bool has_more;
};

static bool is_full(const struct page *page) {
        return page->n == page->n_max || page->request->text.n >= PAGE_BYTES_MAX;
}

static int page_add(struct page *page, json_t *json, uint64_t number) {
        struct buffer *text = &page->request->text;

        if (page->n++)
                buffer_add(text, ",", 1);
        buffer_add_json(text, json);
        page->last = number;
        return text->has_failed ? -ENOMEM : 0;
}

static int add_verdict(const struct verdict_record *record, void *userdata) {
        struct page *page = userdata;
        cleanup(json_decrefp) json_t *json = NULL;

        if (is_full(page)) {
                page->has_more = true;
                return PAGE_IS_FULL;
        }
        return view_verdict(record, page->request->peer, &json) ? -ENOMEM : page_add(page, json, record->number);
}

static int add_evidence(const struct evidence *evidence, void *userdata) {
        struct page *page = userdata;
        cleanup(json_decrefp) json_t *json = NULL;

        if (is_full(page)) {
                page->has_more = true;
                return PAGE_IS_FULL;
        }
        return view_evidence(evidence, page->request->peer, &json) ? -ENOMEM : page_add(page, json, evidence->id);
}

/* `next` is what the next page is asked with. */
static void page_end(struct page *page, int r, const char *why) {
        struct request *request = page->request;

        if (page->has_more)
                buffer_print(&request->text, "],\"next\":%" PRIu64 "}\n", page->last);
        else
                buffer_print(&request->text, "],\"next\":null}\n");
        request->status = 200;
        if (request->text.has_failed)
                request_answer(request, 503, NULL);
        else if (r < 0)
                request_fail_errno(request, r, why);
}

static int answer_one(const struct verdict_record *record, void *userdata) {
        struct request *request = userdata;
        json_t *json;

        request_answer(request, 200, view_verdict(record, request->peer, &json) ? NULL : json);
        return 1;
}

void answer_vm_verdict(struct request *request) {
        const struct store_query query = { .name = request->name, .owner = peer_sees_only(request->peer), .limit = 1 };
        cleanup(found_vm_deinit) struct found_vm found = {};
        char why[STORE_WHY_MAX] = "";
        int r;

        r = store_each_verdict(request->store, &query, answer_one, request, why);
        if (r < 0)
                request_fail_errno(request, r, why);
        if (r || !request_find_vm(request, &found))
                return;
        request_fail(request, 409, "%.200s has not stopped; it has run since its start as pid %" PRId64,
                     found.vm.instance->identity.name, found.vm.instance->pid);
}

void answer_verdict(struct request *request) {
        const struct store_query query = { .verdict_id = request->name, .owner = peer_sees_only(request->peer) };
        char why[STORE_WHY_MAX] = "";
        int r;

        r = store_each_verdict(request->store, &query, answer_one, request, why);
        if (r < 0)
                request_fail_errno(request, r, why);
        else if (!r)
                request_fail(request, 404, "there is no verdict %.64s", request->name);
}

/* Its words, for whoever used another. */
static void fail_word(struct request *request, const char *key, const char *word, const char *(*name)(size_t i), size_t n) {
        char words[256] = "";

        for (size_t i = 0; i < n; i++) {
                size_t end = strlen(words);

                snprintf(words + end, sizeof(words) - end, "%s%s", i ? ", " : "", name(i));
        }
        request_fail(request, 400, "there is no %s %.64s; there are %s", key, word, words);
}

static const char *transition_word(size_t i) {
        return transition_name((enum transition)i);
}

static const char *initiator_word(size_t i) {
        return initiator_name((enum initiator)i);
}

static bool take_words(struct request *request, struct store_query *query) {
        enum transition transition;
        enum initiator initiator;

        query->transition = request_parameter(request, "transition");
        query->initiator = request_parameter(request, "initiator");
        if (query->transition && transition_from_name(query->transition, &transition)) {
                fail_word(request, "transition", query->transition, transition_word, _TRANSITION_N);
                return false;
        }
        if (query->initiator && initiator_from_name(query->initiator, &initiator)) {
                fail_word(request, "initiator", query->initiator, initiator_word, _INITIATOR_N);
                return false;
        }
        return true;
}

void answer_verdicts(struct request *request) {
        struct store_query query = { .name = request_parameter(request, "vm"), .owner = peer_sees_only(request->peer) };
        struct page page = { .request = request };
        char why[STORE_WHY_MAX] = "";
        uint64_t limit;
        int r;

        if (!take_words(request, &query) || !request_time(request, "since", &query.since_ns) ||
            !request_time(request, "until", &query.until_ns) ||
            !request_number(request, "before", 1, INT64_MAX, 0, &query.before) ||
            !request_number(request, "limit", 1, REQUEST_ITEMS_MAX, REQUEST_ITEMS, &limit))
                return;
        page.n_max = limit;
        query.limit = limit + 1; /* one more tells whether there is a next page */
        buffer_print(&request->text, "{\"verdicts\":[");
        r = store_each_verdict(request->store, &query, add_verdict, &page, why);
        page_end(&page, r, why);
}

void answer_vm_evidence(struct request *request) {
        cleanup(found_vm_deinit) struct found_vm found = {};
        struct page page = { .request = request };
        cleanup(json_decrefp) json_t *instance = NULL;
        char why[STORE_WHY_MAX] = "";
        uint64_t after, limit;
        int r;

        if (!request_number(request, "after", 0, INT64_MAX, 0, &after) ||
            !request_number(request, "limit", 1, REQUEST_ITEMS_MAX, REQUEST_ITEMS, &limit) ||
            !request_find_vm(request, &found))
                return;
        page.n_max = limit;
        instance = text_to_json(found.vm.instance->identity.instance);
        buffer_print(&request->text, "{\"instance\":");
        buffer_add_json(&request->text, instance);
        buffer_print(&request->text, ",\"evidence\":[");
        r = store_each_evidence(request->store, found.vm.instance->id, after, add_evidence, &page, why);
        page_end(&page, r, why);
}
