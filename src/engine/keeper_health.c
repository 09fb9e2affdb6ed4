#include "engine/keeper_health.h"
#include "engine/keeper_inside.h"

struct backlog_state keeper_backlog(const struct keeper *keeper) {
        return engine_backlog(keeper->engine);
}
