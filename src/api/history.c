/* History: verdicts and evidence from the store, in pages. */
#include "api/routes.h"
#include "api/view.h"
#include "api/vms.h"
#include "basics/cleanup.h"
#include "json/text_json.h"
#include "keeper/keeper_health.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        PAGE_BYTES_MAX = 4 << 20, /* a page ends early rather than grow beyond */

        PAGE_IS_FULL = 1,
};

/* A piece of a page begins. */
static void page_go_on(struct request *request, uint64_t n_max) {
        request->page.n_max = n_max;
        request->page.n_begin = request->text.n;
        request->page.has_begun = true;
        request->page.is_interrupted = false;
}

/* Is it full, or this piece of it? */
static bool ends_before_one_more(struct request *request) {
        struct page *page = &request->page;

        page->has_more = page->n == page->n_max || request->text.n >= PAGE_BYTES_MAX;
        page->is_interrupted = !page->has_more && request->text.n - page->n_begin >= TURN_BYTES;
        return page->has_more || page->is_interrupted;
}

static int page_add(struct request *request, json_t *json, uint64_t number) {
        struct buffer *text = &request->text;

        if (request->page.n++)
                buffer_add(text, ",", 1);
        buffer_add_json(text, json);
        request->page.last = number;
        return text->has_failed ? -ENOMEM : 0;
}

static int add_verdict(const struct verdict_record *record, void *userdata) {
        struct request *request = userdata;
        cleanup(json_decrefp) json_t *json = NULL;

        if (ends_before_one_more(request))
                return PAGE_IS_FULL;
        return view_verdict(record, request->peer, &json) ? -ENOMEM : page_add(request, json, record->number);
}

static int add_evidence(const struct evidence *evidence, void *userdata) {
        struct request *request = userdata;
        cleanup(json_decrefp) json_t *json = NULL;

        if (ends_before_one_more(request))
                return PAGE_IS_FULL;
        return view_evidence(evidence, request->peer, &json) ? -ENOMEM : page_add(request, json, evidence->id);
}

/* `next` is what the next page is asked with. */
static void page_end(struct request *request, int r, const char *why) {
        const struct page *page = &request->page;

        if (r >= 0 && page->is_interrupted && !request->text.has_failed)
                return;
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

static int is_there(const struct verdict_record *record, void *userdata) {
        return 1;
}

/* Was a verdict on it told that the disk does not take?  What is on record is an older story then, or none. */
static bool waits_for_disk(struct request *request) {
        cleanup(store_vm_deinit) struct store_vm stored = {};
        struct kept_vm vm;
        char why[STORE_WHY_MAX];

        if (!keeper_backlog(request->keeper).n_verdicts)
                return false;
        if (!keeper_find_vm(request->keeper, request->name, request->peer->uid, &vm) && peer_may_see(request->peer, vm.instance->uid))
                return vm.last_verdict &&
                       !store_each_verdict(request->store, &(struct store_query){ .verdict_id = vm.last_verdict }, is_there, NULL, why);
        /* The keeper has done with it, but it has not ended on record. */
        return !store_find_vm(request->store, request->name, &stored) && peer_may_see(request->peer, stored.uid) && !stored.ended_ns;
}

void answer_vm_verdict(struct request *request) {
        const struct store_query query = { .name = request->name, .owner = peer_sees_only(request->peer), .limit = 1 };
        cleanup(found_vm_deinit) struct found_vm found = {};
        char why[STORE_WHY_MAX] = "";
        int r;

        if (waits_for_disk(request)) {
                request_fail(request, 503, "the last verdict on %.200s is told, but not on disk yet: the disk takes nothing", request->name);
                return;
        }
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
        struct page *page = &request->page;
        char why[STORE_WHY_MAX] = "";
        uint64_t limit;
        int r;

        if (!take_words(request, &query) || !request_time(request, "since", &query.since_ns) ||
            !request_time(request, "until", &query.until_ns) ||
            !request_number(request, "before", 1, INT64_MAX, 0, &query.before) ||
            !request_number(request, "limit", 1, REQUEST_ITEMS_MAX, REQUEST_ITEMS, &limit))
                return;
        if (page->has_begun)
                query.before = page->last;
        else
                buffer_print(&request->text, "{\"verdicts\":[");
        query.limit = limit - page->n + 1; /* one more tells whether there is a next page */
        page_go_on(request, limit);
        r = store_each_verdict(request->store, &query, add_verdict, request, why);
        page_end(request, r, why);
}

/* Whose evidence it is stays as it was found, whatever is called so by the next piece. */
static bool begin_evidence(struct request *request) {
        cleanup(found_vm_deinit) struct found_vm found = {};
        cleanup(json_decrefp) json_t *instance = NULL;

        if (!request_find_vm(request, &found))
                return false;
        request->page.vm = found.vm.instance->id;
        instance = text_to_json(found.vm.instance->identity.instance);
        buffer_print(&request->text, "{\"instance\":");
        buffer_add_json(&request->text, instance);
        buffer_print(&request->text, ",\"evidence\":[");
        return true;
}

void answer_vm_evidence(struct request *request) {
        struct page *page = &request->page;
        char why[STORE_WHY_MAX] = "";
        uint64_t after, limit;
        int r;

        if (!request_number(request, "after", 0, INT64_MAX, 0, &after) ||
            !request_number(request, "limit", 1, REQUEST_ITEMS_MAX, REQUEST_ITEMS, &limit) ||
            (!page->has_begun && !begin_evidence(request)))
                return;
        if (page->has_begun)
                after = page->last;
        page_go_on(request, limit);
        r = store_each_evidence(request->store, page->vm, after, add_evidence, request, why);
        page_end(request, r, why);
}
