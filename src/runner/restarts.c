#include "runner/restarts.h"

void restarts_note(struct restarts *restarts, uint64_t now_ns) {
        restarts->at_ns[restarts->n++ % POLICY_RESTARTS_MAX] = now_ns;
}

unsigned restarts_count(const struct restarts *restarts, uint64_t now_ns) {
        unsigned n = 0;

        for (size_t i = 0; i < POLICY_RESTARTS_MAX; i++)
                if (restarts->at_ns[i] && now_ns - restarts->at_ns[i] < POLICY_RESTARTS_WINDOW_NS)
                        n++;
        return n;
}
