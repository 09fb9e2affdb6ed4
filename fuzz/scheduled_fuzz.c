/*
 * Fuzz: any bytes as /run/systemd/shutdown/scheduled.
 *
 * The laws: what is refused changes nothing; what is taken is within its bounds; what stands after the wall message, which is anybody's, says
 * nothing; and more lines of other keys change nothing.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "basics/cleanup.h"
#include "sources/host/scheduled_shutdown.h"

/* Holds in a release build, too. */
#define law(condition)                                                                                       \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        __builtin_trap();                                                                    \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same bytes with others behind them, parsed. */
static int parse_with(struct scheduled_shutdown *ret, const uint8_t *data, size_t size, const char *more) {
        cleanup(freep) char *text = malloc(size + strlen(more) + 1);

        law(text);
        memcpy(text, data, size);
        memcpy(text + size, more, strlen(more) + 1);
        return scheduled_shutdown_parse(ret, text, size + strlen(more));
}

static void law_same(const struct scheduled_shutdown *a, const struct scheduled_shutdown *b) {
        law(a->at_usec == b->at_usec && a->uid == b->uid && !strcmp(a->mode, b->mode));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct scheduled_shutdown before = { .at_usec = 1, .mode = "untouched", .uid = 2 };
        struct scheduled_shutdown found = before, other = before;
        int r = scheduled_shutdown_parse(&found, (const char *)data, size);

        law(r == 0 || r == -EINVAL);
        if (r) {
                law_same(&found, &before);
                return 0;
        }
        law(strnlen(found.mode, sizeof(found.mode)) < sizeof(found.mode));
        for (const char *c = found.mode; *c; c++)
                law(*c > ' ' && *c < 0x7f);
        law(found.uid >= -1 && found.uid < UINT32_MAX);
        law(!parse_with(&other, data, size, "\nOTHER=5\n"));
        law_same(&found, &other);
        law(!parse_with(&other, data, size, "\nWALL_MESSAGE=x\nUID=77\nMODE=other\nUSEC=99\n"));
        law_same(&found, &other);
        return 0;
}
