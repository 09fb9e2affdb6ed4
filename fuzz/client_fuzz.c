/*
 * Fuzz: any stream of server-sent events, whole and in pieces; any text as a segment of a path.
 *
 * The laws: how a stream is cut does not matter; what is encoded decodes to itself; what decodes is within its bound, and encoded
 * again decodes to the same.
 */
#include <stdint.h>
#include <string.h>

#include "api/uri.h"
#include "basics/cleanup.h"
#include "client/client.h"
#include "client/event_stream.h"

/* Holds in a release build, too. */
#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A number for all that was heard: outcomes, ids, data, in their order. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n) {
        const unsigned char *from = bytes;

        for (size_t i = 0; i < n; i++)
                hash = (hash ^ from[i]) * UINT64_C(0x100000001b3);
        return hash;
}

static uint64_t hear(const char *bytes, size_t n, size_t step) {
        cleanup(event_stream_deinit) struct event_stream stream = {};
        uint64_t heard = UINT64_C(0xcbf29ce484222325);
        int r = 0;

        for (size_t at = 0; at < n && r >= 0;) {
                size_t n_piece = n - at < step ? n - at : step, n_taken = 0;
                char *text = NULL;

                r = event_stream_take(&stream, bytes + at, n_piece, &n_taken, &text);
                law(n_taken <= n_piece && (r || n_taken == n_piece));
                law(!!text == (r == EVENT_STREAM_HAS_EVENT));
                at += n_taken;
                if (!r)
                        continue;
                heard = hash_bytes(heard, &r, sizeof(r));
                heard = hash_bytes(heard, &at, sizeof(at));
                if (stream.has_id)
                        heard = hash_bytes(heard, &stream.id, sizeof(stream.id));
                if (text)
                        heard = hash_bytes(heard, text, strlen(text) + 1);
                free(text);
        }
        return heard;
}

static void encode_and_decode(const char *text, size_t n_text) {
        cleanup(freep) char *encoded = client_target("", text, ""), *decoded = malloc(n_text + 1);
        int r;

        law(encoded && decoded);
        r = uri_decode(encoded, strlen(encoded), decoded, n_text + 1);
        law(r || !strcmp(decoded, text)); /* else it was no UTF-8 */
}

static void decode_and_encode(const char *bytes, size_t n) {
        char text[64], again[64];
        cleanup(freep) char *encoded = NULL;

        if (uri_decode(bytes, n, text, sizeof(text)))
                return;
        law(strnlen(text, sizeof(text)) < sizeof(text));
        encoded = client_target("", text, "");
        law(encoded && !uri_decode(encoded, strlen(encoded), again, sizeof(again)) && !strcmp(text, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        cleanup(freep) char *text = strndup((const char *)data, size);
        const char *bytes = (const char *)data;
        uint64_t whole = hear(bytes, size, SIZE_MAX);

        law(text);
        for (size_t step = 1; step < 8; step++)
                law(hear(bytes, size, step) == whole);
        encode_and_decode(text, strlen(text));
        decode_and_encode(bytes, size);
        return 0;
}
