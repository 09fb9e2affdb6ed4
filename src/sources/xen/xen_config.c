#include "sources/xen/xen_config.h"

#include "basics/cleanup.h"

#include <errno.h>

int xen_config_read(libxl_domain_config *ret_config, libxl_ctx *ctx, uint32_t domid) {
        cleanup(freep) uint8_t *json = NULL;
        int n = 0;

        libxl_domain_config_init(ret_config);
        if (libxl_userdata_retrieve(ctx, domid, "libxl-json", &json, &n) || !json)
                return -EINVAL;
        /* libxl ends the text with a NUL of its own. */
        if (n <= 0 || json[n - 1] || libxl_domain_config_from_json(ctx, ret_config, (const char *)json))
                return -EINVAL;
        return 0;
}
