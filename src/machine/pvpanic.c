#include "vmpower/pvpanic.h"

enum pvpanic_event pvpanic_write(const struct pvpanic *pvpanic, uint8_t value) {
        const uint8_t said = value & pvpanic->events;

        if (said & PVPANIC_PANICKED)
                return PVPANIC_EVENT_PANICKED;
        if (said & PVPANIC_CRASH_LOADED)
                return PVPANIC_EVENT_CRASH_LOADED;
        if (said & PVPANIC_SHUTDOWN)
                return PVPANIC_EVENT_SHUTDOWN;
        return PVPANIC_EVENT_NONE;
}
