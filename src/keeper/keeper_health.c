#include "keeper/keeper_health.h"
#include "keeper/keeper_inside.h"

struct backlog_state keeper_backlog(const struct keeper *keeper) {
        return engine_backlog(keeper->engine);
}

bool keeper_lacks(const struct keeper *keeper, size_t i, struct tracing_lack *ret_lack) {
        return tracing_lacks(keeper->tracing, i, ret_lack);
}
