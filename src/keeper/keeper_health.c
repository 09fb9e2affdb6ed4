#include "keeper/keeper_health.h"
#include "keeper/keeper_inside.h"

struct backlog_state keeper_backlog(const struct keeper *keeper) {
        return engine_backlog(keeper->engine);
}
