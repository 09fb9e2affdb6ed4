/*
 * Fuzz: a domain's life as bytes, and any bytes for what xl, xenstored and a guest write.
 *
 * The laws: a domain goes once, and nothing follows; it acknowledges only what it was asked for; what it was asked for and took is told, whenever its node is
 * read; it is resumed only after it has shut down, let run only after it was paused; whatever a guest writes, no word comes out that is not a known one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "basics/cleanup.h"
#include "sources/xen/xen_domain.h"
#include "sources/xen/xenstore_wire.h"
#include "sources/xen/xl_words.h"

/* Holds in a release build, too. */
#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
        bool is_gone, is_off, is_paused;
        char taken[EVIDENCE_WORD_MAX]; /* the last one that was */
        char request[EVIDENCE_WORD_MAX]; /* the last one; "": none, or taken */
};

static bool is_a_request(const char *word) {
        static const char *const words[] = { "poweroff", "reboot", "suspend", "halt", "crash", "s3", "s4", "other", "unseen" };

        for (size_t i = 0; i < N_ELEMENTS(words); i++)
                if (!strcmp(words[i], word))
                        return true;
        return false;
}

static void on_report(void *userdata, struct evidence *fact) {
        struct seen *seen = userdata;

        law(!seen->is_gone && fact->source == SOURCE_XEN && !fact->actor);
        if (fact->kind == EVIDENCE_DOMAIN_SHUTDOWN) {
                law(fact->word[0]);
                seen->is_off = true;
                seen->is_paused = false;
        } else if (fact->kind == EVIDENCE_DOMAIN_GONE || fact->kind == EVIDENCE_VANISHED) {
                law(!seen->is_off || (fact->kind == EVIDENCE_DOMAIN_GONE && fact->flag == TRISTATE_FALSE));
                law(seen->is_off || fact->flag != TRISTATE_FALSE);
                seen->is_gone = true;
        } else if (fact->kind == EVIDENCE_DOMAIN_RESUMED) {
                law(seen->is_off);
                seen->is_off = false;
        } else if (fact->kind == EVIDENCE_DOMAIN_PAUSED) {
                law(!seen->is_off && !seen->is_paused);
                seen->is_paused = true;
        } else if (fact->kind == EVIDENCE_DOMAIN_UNPAUSED) {
                law(!seen->is_off && seen->is_paused);
                seen->is_paused = false;
        } else if (fact->kind == EVIDENCE_CONTROL_REQUEST) {
                law(is_a_request(fact->word));
                memcpy(seen->request, fact->word, sizeof(seen->request));
        } else {
                law(fact->kind == EVIDENCE_CONTROL_ACKNOWLEDGED && seen->request[0] && !strcmp(seen->request, fact->word));
                memcpy(seen->taken, fact->word, sizeof(seen->taken));
                seen->request[0] = '\0';
        }
}

/* A step a byte, with what it needs after it. */
static void live(const uint8_t *data, size_t size) {
        static const char *const values[] = { "", "poweroff", "reboot", "suspend", "halt", "poweroff ", "\xff" };
        struct xen_look first = { .domid = 5, .is_paused = size && data[0] & 1, .has_shut_down = size && data[0] & 2, .reason = size ? data[0] >> 4 : 0 };
        struct seen seen = { .is_paused = first.is_paused && !first.has_shut_down && size && !(data[0] & 4) };
        const struct xen_report to = { on_report, &seen };
        struct xen_domain domain;
        uint64_t now_ns = UINT64_C(1000000000);

        xen_domain_init(&domain, &first, size && data[0] & 4);
        law(*xen_domain_state(&domain, &first));
        for (size_t i = 1; i < size && !seen.is_gone; i++) {
                uint8_t step = data[i];

                now_ns += (uint64_t)(step >> 5) * UINT64_C(10000000000);
                if (step & 1) {
                        struct xen_look now = { .domid = 5, .is_paused = step & 2, .has_shut_down = step & 4, .is_dying = (step & 0x78) == 0x78, .reason = step >> 5 };
                        bool is_there = step & 0x18;
                        bool is_gone = xen_domain_look(&domain, is_there ? &now : NULL, (enum xen_account)(step >> 5) % 3, &to);

                        law(is_gone == seen.is_gone);
                } else if (step & 2) {
                        const char *value = values[(step >> 2) % N_ELEMENTS(values)];

                        xen_domain_control(&domain, step == 0xfe ? NULL : value, strlen(value), step >> 6, now_ns, &to);
                        if (step == 0xfe)
                                seen.request[0] = '\0';
                } else if (step & 4) {
                        xen_domain_ask(&domain, values[(step >> 3) % 4], now_ns, &to);
                        if (!domain.request[0])
                                seen.request[0] = '\0';
                } else {
                        xen_domain_is_made(&domain);
                }
        }
}

/* Who asks, the guest that takes it, and we who read, in any order. */
static void ask_and_take(const uint8_t *data, size_t size) {
        static const char *const requests[] = { "poweroff", "reboot", "suspend", "halt" };
        struct xen_look running = { .domid = 5 };
        const char *node = "", *taken = ""; /* what stands there; what was taken last since it was read last */
        struct seen seen = { .is_gone = false };
        const struct xen_report to = { on_report, &seen };
        struct xen_domain domain;
        unsigned n_events = 0;

        xen_domain_init(&domain, &running, false);
        for (size_t i = 0; i < size; i++) {
                switch (data[i] % 4) {
                case 0:
                case 1:
                        node = requests[data[i] / 4 % N_ELEMENTS(requests)];
                        n_events++;
                        continue;
                case 2:
                        if (*node) {
                                taken = node;
                                node = "";
                                n_events++;
                        }
                        continue;
                }
                seen.taken[0] = '\0';
                if (data[i] == 0xff) { /* it is gone */
                        xen_domain_control(&domain, NULL, 0, n_events + 1, i + 1, &to);
                        law(!*taken || !strcmp(seen.taken, "unseen"));
                        return;
                }
                if (n_events)
                        xen_domain_control(&domain, node, strlen(node), n_events, i + 1, &to);
                law(*node ? !strcmp(seen.request, node) : !seen.request[0]);
                law(*node || (*taken ? !strcmp(seen.taken, taken) || !strcmp(seen.taken, "unseen") : !seen.taken[0]));
                n_events = 0;
                taken = "";
        }
}

/* What others write: words of xl's, xenstored's messages, a guest's node. */
static void read_all(const char *text, size_t n) {
        char name[XL_NAME_MAX], creation[XEN_CREATION_MAX], uuid[XEN_UUID_TEXT_MAX] = "", *copy = strndup(text, n);
        struct seen seen = { .is_gone = false };
        const struct xen_report to = { on_report, &seen };
        struct xen_look running = { .domid = 5 };
        struct xenstore_message message;
        struct xen_domain domain;
        uint64_t token, began_ns;
        char *words[8];
        size_t n_words = 0;

        law(copy != NULL);
        law(xl_log_domid(text, n, 139) >= -1);
        law(xl_config_name(name, text, n) || (name[0] && strlen(name) < sizeof(name)));
        law(xl_log_name(name, copy) || (name[0] && strlen(name) < sizeof(name)));
        law(xen_uuid_of_path(uuid, text, n) || strlen(uuid) == XEN_UUID_TEXT_MAX - 1);
        xen_creation(creation, &began_ns, text, n, uuid);
        law(strlen(creation) < sizeof(creation) && !strpbrk(creation, ":./- "));
        xen_domain_init(&domain, &running, false);
        xen_domain_control(&domain, text, n, 1, 1, &to);
        for (char *rest = copy, *word; n_words < N_ELEMENTS(words) && (word = strsep(&rest, " "));)
                words[n_words++] = word;
        xl_making(words, n_words);
        for (int r; (r = xenstore_message_read(&message, text, n)) > 0; text += r, n -= (size_t)r) {
                law((size_t)r <= n && message.n_payload <= XENSTORE_PAYLOAD_MAX && message.payload + message.n_payload == text + r);
                xenstore_event_token(&token, &message);
                law(xenstore_error(&message) < 0);
        }
        free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        live(data, size);
        ask_and_take(data, size);
        read_all((const char *)data, size);
        return 0;
}
